import signoff from './fastify.js'

export const { logout, refuseLoggedOut, trusted } = signoff
export default signoff
