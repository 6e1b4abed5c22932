import signoff from './express.js'

export const { isRevoked, logout, requireToken } = signoff
export default signoff
