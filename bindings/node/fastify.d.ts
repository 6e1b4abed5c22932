import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GuardOptions, Login, LogoutOptions, TokenSource } from './express.js'
export { GuardOptions, Login, LogoutOptions, TokenSource } from './express.js'

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
  /** What the guard is called on the instance: `'requireToken'` unless given. For a second one. */
  decorator?: string
}

/** Every route wants a good token, with its claims in `request.user`. Others are answered with 401 or 503. */
declare const signoff: ((fastify: FastifyInstance, options: PluginOptions) => Promise<void>) & {
  default: typeof signoff
  signoff: typeof signoff
  /** For @fastify/jwt: `trusted: trusted({engine})`. */
  trusted: typeof trusted
  /** The handler of a log-out route. */
  logout: typeof logout
  /** A hook for behind `request.jwtVerify()`. */
  refuseLoggedOut: typeof refuseLoggedOut
  /** A hook for routes of their own. */
  requireToken: typeof requireToken
}
/** For @fastify/jwt: `trusted: trusted({engine})`. */
declare function trusted(options: TokenSource<FastifyRequest>): (request: FastifyRequest, decoded: any) => Promise<boolean>
/**
 * The handler of a log-out route, which needs no guard before it. Answers 204, also to who was logged out before; 503 where it can't be
 * recorded; 401 to a token that nobody has signed.
 */
declare function logout(options: LogoutOptions<FastifyRequest>): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>
/**
 * A hook for behind `request.jwtVerify()`, in place of `trusted`, for versions of @fastify/jwt that can't answer 503 (up to 10.2.0).
 * `requestProperty` is where that puts the claims: `'user'` unless given.
 */
declare function refuseLoggedOut(
  options: TokenSource<FastifyRequest> & { requestProperty?: string; realm?: string },
): (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** A hook for routes of their own, without the plugin: `onRequest: requireToken({ engine })`. */
declare function requireToken(options: GuardOptions<FastifyRequest>): (request: FastifyRequest, reply: FastifyReply) => Promise<void>

export { logout, refuseLoggedOut, requireToken, signoff, signoff as default, trusted }
export type { Login as SignoffLogin }
