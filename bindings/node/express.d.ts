import { Engine, Claims, Revoked } from './index.js'
import { IncomingMessage, ServerResponse } from 'node:http'

/** How a request is logged in. */
export interface Login {
  /** The token that it brought. */
  readonly token: string | undefined
  /** Ends the session, if the token has a `sid`; the token alone, if not. On the disk when it resolves. */
  logout(options?: { reason?: string }): Promise<Revoked>
}

/** Where the token of a request is: in `Authorization: Bearer …` unless one of these is given. */
export interface TokenSource<R = IncomingMessage> {
  engine: Engine
  /** The name of the cookie that holds it. */
  cookie?: string
  /** Finds it. */
  getToken?: (request: R) => string | undefined | null | Promise<string | undefined | null>
}

export interface GuardOptions<R = IncomingMessage> extends TokenSource<R> {
  /** Whether a request must bring a token. True unless given. One that is bad is refused in any case. */
  credentialsRequired?: boolean
  /** Where the claims go: `req.auth` in Express, `request.user` in Fastify, unless given. */
  requestProperty?: string
  /** What `WWW-Authenticate` calls whom the token is for. `'api'` unless given. */
  realm?: string
}

export interface LogoutOptions<R = IncomingMessage> extends TokenSource<R> {
  /** The attributes that the cookie was set with, so that it is cleared: `path` is `/` unless given. */
  clearCookie?: {
    path?: string
    domain?: string
    httpOnly?: boolean
    secure?: boolean
    sameSite?: 'lax' | 'strict' | 'none'
    partitioned?: boolean
  }
  /** What `WWW-Authenticate` calls whom the token is for. */
  realm?: string
}

declare global {
  namespace Express {
    interface Request {
      auth?: Claims
      /** On routes behind the middleware. */
      signoff?: Login
    }
  }
}

/** Lets requests pass whose token is good, with its claims in `req.auth`. Others go to `next(error)` with 401 or 503. */
export function requireToken<R = any>(options: GuardOptions<R>): (req: any, res: any, next: (error?: unknown) => void) => void

/**
 * The handler of a log-out route, which needs no guard before it. Ends the session if the token has a `sid`, the token alone if not, and clears the
 * cookie if there is one. Answers 204, also to who was logged out before; 503 where it can't be recorded; 401 to a token that nobody has signed.
 */
export function logout<R = any>(options: LogoutOptions<R>): (req: any, res: any, next: (error?: unknown) => void) => void

/** For express-jwt: `expressjwt({…, isRevoked: isRevoked({engine})})`. */
export function isRevoked<R = any>(options: TokenSource<R>): (req: any, token: any) => Promise<boolean>
