export { signoff as default, logout, refuseLoggedOut, requireToken, trusted, type LogoutOptions, type PluginOptions, type GuardOptions, type Login, type TokenSource } from './fastify.js'
