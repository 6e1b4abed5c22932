export { signoff as default, trusted, type PluginOptions, type GuardOptions, type Login, type TokenSource } from './fastify.js'
