import { GuardOptions, Login, TokenSource } from './express.js'
export { GuardOptions, Login, TokenSource } from './express.js'

export interface PluginOptions extends GuardOptions<any> {
  /** Whether every route wants a token. True unless given; with false, those with `onRequest: fastify.requireToken` do. */
  global?: boolean
}

/** Every route wants a good token, with its claims in `request.user`. Others are answered with 401 or 503. */
declare const signoff: ((fastify: any, options: PluginOptions) => Promise<void>) & {
  default: typeof signoff
  signoff: typeof signoff
  /** For @fastify/jwt: `trusted: trusted({engine})`. */
  trusted: typeof trusted
}
/** For @fastify/jwt: `trusted: trusted({engine})`. */
declare function trusted(options: TokenSource<any>): (request: any, decoded: any) => Promise<boolean>

export { signoff, signoff as default, trusted }
export type { Login as SignoffLogin }
