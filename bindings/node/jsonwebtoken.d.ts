/// <reference types="node" />
import { KeyObject, PrivateKeyInput, PublicKeyInput, JsonWebKeyInput } from 'node:crypto'
import { Engine, LogOptions, PolicyOptions, Revoked, SignoffError } from './index.js'

export class JsonWebTokenError extends Error {
  inner: Error
  constructor(message: string, error?: Error)
}
export class TokenExpiredError extends JsonWebTokenError {
  expiredAt: Date
  constructor(message: string, expiredAt: Date)
}
export class NotBeforeError extends JsonWebTokenError {
  date: Date
  constructor(message: string, date: Date)
}
/** The token was logged out. Its `name` is `'JsonWebTokenError'`, for code that compares names. */
export class TokenRevokedError extends JsonWebTokenError {
  code: 'SIGNOFF_TOKEN_REVOKED'
  status: 401
  statusCode: 401
  expose: false
  scope: 'token' | 'session' | 'subject' | 'everything'
  /** Issued within seconds of a log-out everywhere: after so many seconds a new token will be good. */
  retryAfter?: number
  constructor(message: string, scope: string, retryAfter?: number)
}

export type Algorithm =
  | 'HS256' | 'HS384' | 'HS512' | 'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512'
  | 'ES256' | 'ES384' | 'ES512' | 'none'

export interface JwtHeader {
  alg: string
  typ?: string
  kid?: string
  cty?: string
  crit?: string[]
  jku?: string
  x5u?: string | string[]
  x5t?: string
  'x5t#S256'?: string
  x5c?: string | string[]
  [name: string]: unknown
}
export interface JwtPayload {
  iss?: string
  sub?: string
  aud?: string | string[]
  exp?: number
  nbf?: number
  iat?: number
  jti?: string
  [name: string]: any
}
export interface Jwt {
  header: JwtHeader
  payload: JwtPayload | string
  signature: string
}

export type Secret = string | Buffer | KeyObject | { key: string | Buffer; passphrase: string }
export type PublicKey = string | Buffer | KeyObject | PublicKeyInput | JsonWebKeyInput
export type PrivateKey = Secret | PrivateKeyInput | JsonWebKeyInput
export type SigningKeyCallback = (error: Error | null, key?: PublicKey) => void
/** For `revoke`: a key, or a promise of one. */
export type KeyOf = (header: JwtHeader) => PublicKey | Secret | Promise<PublicKey | Secret>
export type GetPublicKeyOrSecret = (header: JwtHeader, callback: SigningKeyCallback) => void
/** `SignoffError` with `statusCode` 503: it is not known who logged out. */
export type VerifyErrors = JsonWebTokenError | NotBeforeError | TokenExpiredError | TokenRevokedError | SignoffError
export type VerifyCallback<T = JwtPayload | string> = (error: VerifyErrors | null, decoded?: T) => void
export type SignCallback = (error: Error | null, token?: string) => void

export interface SignOptions {
  algorithm?: Algorithm
  keyid?: string
  /** Seconds, or a text that `ms` reads: `'1d'`. A text without a unit is of milliseconds. */
  expiresIn?: string | number
  notBefore?: string | number
  audience?: string | string[]
  subject?: string
  issuer?: string
  jwtid?: string
  mutatePayload?: boolean
  noTimestamp?: boolean
  header?: Partial<JwtHeader>
  encoding?: string
  allowInsecureKeySizes?: boolean
  allowInvalidAsymmetricKeyTypes?: boolean
}
export interface VerifyOptions {
  algorithms?: Algorithm[]
  audience?: string | RegExp | (string | RegExp)[]
  clockTimestamp?: number
  clockTolerance?: number
  complete?: boolean
  issuer?: string | string[]
  ignoreExpiration?: boolean
  ignoreNotBefore?: boolean
  jwtid?: string
  nonce?: string
  subject?: string
  maxAge?: string | number
  allowInvalidAsymmetricKeyTypes?: boolean
}
export interface DecodeOptions {
  complete?: boolean
  json?: boolean
}

export function sign(payload: string | Buffer | object, key: PrivateKey, options?: SignOptions): string
export function sign(payload: string | Buffer | object, key: null, options: SignOptions & { algorithm: 'none' }): string
export function sign(payload: string | Buffer | object, key: PrivateKey, callback: SignCallback): void
export function sign(payload: string | Buffer | object, key: PrivateKey, options: SignOptions, callback: SignCallback): void

export function verify(token: string, key: PublicKey | Secret, options: VerifyOptions & { complete: true }): Jwt
export function verify(token: string, key: PublicKey | Secret, options?: VerifyOptions): JwtPayload | string
export function verify(token: string, key: PublicKey | Secret | GetPublicKeyOrSecret, callback?: VerifyCallback): void
export function verify(
  token: string,
  key: PublicKey | Secret | GetPublicKeyOrSecret,
  options: VerifyOptions & { complete: true },
  callback: VerifyCallback<Jwt>,
): void
export function verify(
  token: string,
  key: PublicKey | Secret | GetPublicKeyOrSecret,
  options?: VerifyOptions,
  callback?: VerifyCallback,
): void

export function decode(token: string, options: DecodeOptions & { complete: true }): Jwt | null
export function decode(token: string, options?: DecodeOptions): JwtPayload | string | null

/**
 * Makes log-outs real: from then on `verify` refuses the tokens that are in this log, in every process that uses it, in this
 * thread and in worker threads that it starts afterwards, which also hear of another. A worker that was started before calls it for itself.
 * Gives the log's engine, with which sessions and users are logged out too. Called again for the same log, it gives the same engine; for
 * another it is an error unless `replace` is true, and the former serves until the latter is open.
 */
export function useLog(path: string, options?: UseLogOptions): Promise<Engine>
/** The same, and waits: for the start of a program. */
export function useLogSync(path: string, options?: UseLogOptions): Engine
export type UseLogOptions = Omit<LogOptions, 'log' | 'insecureSeveralNames'> & Pick<PolicyOptions, 'issuedInFuture'> & { replace?: boolean }
/** Logs a token out that was signed with this key. On the disk when it resolves. */
export function revoke(
  token: string,
  key: PublicKey | Secret | GetPublicKeyOrSecret,
  options?: (VerifyOptions & { reason?: string }) | null,
): Promise<Revoked>
export function revoke(token: string, key: KeyOf, options?: (VerifyOptions & { reason?: string }) | null): Promise<Revoked>
/** Ends the use of the log in this thread. */
export function closeLog(): void
