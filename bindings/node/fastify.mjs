import signoff from './fastify.js'

export const { trusted } = signoff
export default signoff
