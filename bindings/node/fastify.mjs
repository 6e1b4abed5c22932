import signoff from './fastify.js'

export const { logout, refuseLoggedOut, requireToken, trusted } = signoff
export default signoff
