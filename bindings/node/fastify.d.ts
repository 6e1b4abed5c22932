import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GuardOptions, Login, TokenSource } from './express.js'
export { GuardOptions, Login, TokenSource } from './express.js'

declare module 'fastify' {
  // `user` is left to the program, since @fastify/jwt says what it is: `interface FastifyRequest { user: Claims | null }`.
  interface FastifyRequest {
    /** How a request is logged in, on routes behind the plugin. */
    signoff: Login | null
  }
  interface FastifyInstance {
    /** Wants a good token of a route: `onRequest: fastify.requireToken`. */
    requireToken(request: FastifyRequest, reply: FastifyReply): Promise<void>
  }
}

export interface PluginOptions extends GuardOptions<FastifyRequest> {
  /** Whether every route wants a token. True unless given; with false, those with `onRequest: fastify.requireToken` do. */
  global?: boolean
}

/** Every route wants a good token, with its claims in `request.user`. Others are answered with 401 or 503. */
declare const signoff: ((fastify: FastifyInstance, options: PluginOptions) => Promise<void>) & {
  default: typeof signoff
  signoff: typeof signoff
  /** For @fastify/jwt: `trusted: trusted({engine})`. */
  trusted: typeof trusted
}
/** For @fastify/jwt: `trusted: trusted({engine})`. */
declare function trusted(options: TokenSource<FastifyRequest>): (request: FastifyRequest, decoded: any) => Promise<boolean>

export { signoff, signoff as default, trusted }
export type { Login as SignoffLogin }
