import signoff from './express.js'

export const { isRevoked, requireToken } = signoff
export default signoff
