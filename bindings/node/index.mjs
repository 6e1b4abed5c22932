import signoff from './index.js'

export const { Engine, SignoffError } = signoff
export default signoff
