/// <reference types="node" />
import { EventEmitter } from 'node:events'
import { KeyObject } from 'node:crypto'

/** A span of time: a number of seconds, or a text with a unit, such as `'1d'`, `'15m'` or `'30s'`. */
export type Duration = number | string

/** The bytes of an HMAC secret. A string is taken as UTF-8. At least 32 bytes for HS256, 48 for HS384, 64 for HS512. */
export type Secret = string | Uint8Array | KeyObject

export type Algorithm = 'HS256' | 'HS384' | 'HS512'

/** What a token says: the claims that were signed. Each call gives a new object, which is yours. */
export interface Claims {
  /** Who issued the token. */
  iss?: string
  /** Whom it is about. A number only with `numericIds`. */
  sub?: string | number
  /** For whom it is meant. */
  aud?: string | string[]
  /** When it ends, in seconds since 1970. */
  exp?: number
  /** From when on it is valid, in seconds since 1970. */
  nbf?: number
  /** When it was issued, in seconds since 1970. */
  iat?: number
  /** Its id. */
  jti?: string | number
  /** The login that it belongs to. */
  sid?: string | number
  [name: string]: unknown
}

export interface Key {
  /** Either this, */
  secret?: Secret
  /** or a JWK of type `oct`. */
  jwk?: object
  /** With a secret: `'HS256'` unless given. With a JWK: only if it names none. */
  algorithm?: Algorithm
  /** Compared with a token's `kid`, and written into those that are signed. */
  keyId?: string
  /** The issuers whose tokens it may verify. Left out: every issuer that is let in. */
  issuers?: string | string[]
}

/** The keys: either a secret, or several keys or a JWKS. */
export interface KeyOptions {
  secret?: Secret
  /** The secret's algorithm: `'HS256'` unless given. */
  algorithm?: Algorithm
  /** In place of `algorithm`: several for one secret. The first signs. */
  algorithms?: Algorithm | Algorithm[]
  /** The secret's `kid`. */
  keyId?: string
  /** In place of a secret. The first signs. */
  keys?: Key[] | { keys: object[] }
  /** Lets in secrets that are short enough to be guessed, for those that are already in use. */
  insecureAllowShortSecret?: boolean
}

/** A text, a number (whole ones up to 2^53 - 1) or a boolean. */
export type ClaimValue = string | number | boolean

/** What a token must say. What is left out is not asked, but for `exp`, which every token must have. */
export interface PolicyOptions {
  issuer?: string | string[]
  /** Our own names: one of them must be among the token's audiences. Left out: a token that names any audience is refused. */
  audience?: string | string[]
  /** Accepts tokens whoever they are meant for (`aud`), also those that were made for another service. */
  insecureAnyAudience?: boolean
  subject?: string
  /** The header's `typ`, as in `'at+jwt'`; one of several. Left out: any that does not end in `+jwt`, and `at+jwt`. */
  tokenType?: string | string[]
  /** Accepts also tokens without a `typ`, where `tokenType` names some. */
  tokenTypeOptional?: boolean
  /**
   * Claims that must have a value, or one of several: `{ token_use: 'access' }` for Cognito, `{ typ: 'Bearer' }` for Keycloak.
   * Registered claims have options of their own.
   */
  claimEquals?: Record<string, ClaimValue | ClaimValue[]>
  /** Accepts tokens that are bound to a key of their sender (`cnf`) from whoever brings them: for who checks the proof himself. */
  insecureBearerOfBoundToken?: boolean
  /** How far clocks may differ, at most five minutes. None unless given. */
  leeway?: Duration
  /**
   * How far in the future `iat` may lie, at most 60 seconds; 5 unless given. In `Engine.open` with a log it is stored there, and holds for every
   * engine on it; it can be lowered, never raised. For an engine beside another it can only be stricter than that. A log-out everywhere reaches as far ahead: `SIGNOFF_TOKEN_TOO_SOON`.
   */
  issuedInFuture?: Duration
  /** Does not look at how far ahead `iat` lies, but for what the log lets. */
  insecureAnyIssuedAt?: boolean
  /** The longest that a token may live: `exp` minus `iat`. Both must then be there. */
  maxLifetime?: Duration
  /** The greatest age: now minus `iat`, which must then be there. */
  maxAge?: Duration
  requiredClaims?: string | string[]
  /** Accepts tokens that never expire. */
  insecureAllowMissingExp?: boolean
  /** Accepts whole numbers as `sub`, `jti` and `sid`, as many old systems write them. */
  numericIds?: boolean
  /** The longest token that is looked at, in bytes. 16384 unless given. */
  maxTokenBytes?: number
}

export interface LogOptions {
  /**
   * Where log-outs are kept: the path of a file, or for many machines the URL of a Redis server,
   * `'redis://user:password@host:6379/0?namespace=shop'`. Made if it is missing. `':memory:'`: they end with the process.
   */
  log?: string
  /**
   * A file beside a log on Redis, with a copy of it: a restart reads only what is new, and the engine opens while Redis is away. It
   * then answers as long as the copy is not older than `maxStaleness`. Made if it is missing; processes of a machine share it.
   */
  localFile?: string
  /**
   * What becomes of a log-out that Redis can't take. `'refuse'` unless given: it fails. `'keep'`: it is kept in `localFile`, where it
   * binds this machine, and given to Redis when that is back.
   */
  onOutage?: 'refuse' | 'keep'
  /**
   * Opens a file that has several names (hard links), as after a snapshot by `cp -al`. Nobody may open it by another of its names:
   * neither would see what the other records.
   */
  insecureSeveralNames?: boolean
  /** Fails where the file is missing, since an empty list would log everybody in again. */
  logMustExist?: boolean
  /** The longest that any token on this log lives, refresh tokens included. Stored with the log; `signoff lifetime` raises it. */
  longestLifetime?: Duration
  /** How old the list may be before tokens are answered with 503. 10 seconds unless given, 30 on Redis. */
  maxStaleness?: Duration
  /** What becomes of a token while the list is older than that. `'reject'` (503) unless given. */
  onUnknown?: 'reject' | 'accept' | { acceptYounger: Duration }
  /** How long opening may take to read the log. 30 seconds unless given. */
  openTimeout?: Duration
  /** How long a log-out waits for the disk or the server. 10 seconds unless given. */
  revokeTimeout?: Duration
  /** Opens at once, and answers 503 until the log was read. */
  startUnknown?: boolean
}

/** What the time is, in milliseconds since 1970. */
export interface ClockOptions {
  /**
   * For tests with a clock of their own: `() => Date.now()`. Everything that an engine does for a caller goes by it; looking after the log
   * (what is collected, how old the list is) goes by the system's.
   */
  clock?: () => number
}

export type EngineOptions = KeyOptions & PolicyOptions & LogOptions & ClockOptions

/**
 * What became of a log-out: it is on the disk of this machine; or in memory, where that was asked for; or in the memory of the Redis
 * primary, or in that of as many replicas as were asked for too, or on the disks of both; or, in an outage, in the local file alone,
 * from which the server gets it later; or the log has it already; or the token expired so long ago that nobody accepts it.
 */
export type Revoked =
  | 'recorded'
  | 'recorded-in-memory'
  | 'recorded-on-primary'
  | 'recorded-on-replicas'
  | 'recorded-on-disk'
  | 'recorded-in-local-file'
  | 'already-covered'
  | 'already-expired'

export interface RevokeTokenOptions {
  /** A word for whoever reads the log. */
  reason?: string
}

export interface RevokeOptions extends RevokeTokenOptions {
  /** Only tokens of this issuer; `null`: only those without one. Left out: of any. */
  issuer?: string | null
  /**
   * When the last token that is meant will have expired, where the log can't know. It lengthens what the log's
   * `longestLifetime` says. Where the log has none, and of a single `jti`, it is your word: the record ends then. One in the past is
   * refused; of a single `jti` it is answered with 'already-expired', and nothing is recorded.
   */
  keepUntil?: Date
}

export interface RevokeManyOptions extends RevokeOptions {
  /** Only tokens that were issued before. Now unless given. */
  issuedBefore?: Date
  /** Spares tokens with one of these `jti` or `sid`; of the claims of a token, both. */
  keep?: string | string[] | { jti?: string | number; sid?: string | number }
}

export interface SignOptions {
  /** How long the token lives. Needed unless the claims have an `exp`. */
  expiresIn?: Duration
  /** A token without an end, which only engines with `insecureAllowMissingExp` accept. */
  insecureNeverExpires?: boolean
  /** Signs with this key rather than the first. */
  keyId?: string
  /** The header's `typ`. Unless given, the one that the engine's `tokenType` names, and `'JWT'` where it names none. */
  tokenType?: string
  /** For tests: the time to go by. */
  now?: Date
}

export interface SignedToken {
  token: string
  /** Its `jti`. */
  tokenId: string
  issuedAt: Date
  expiresAt: Date | null
}

/** Why a token counts as not logged out. All but the first two occur only with `onUnknown` other than `'reject'`. */
export type Cleared = 'not-revoked' | 'no-log' | 'unknown-stale' | 'unknown-unread' | 'unknown-newer'

export interface VerifiedToken {
  claims: Claims
  /** As it is printed: `jti:…`, or `sha256:…` of a token without one. For `revokeTokenId({ printed })`. */
  tokenId: string
  issuedAt: Date | null
  expiresAt: Date | null
  cleared: Cleared
}

export interface Health {
  /** Whether every token is answered. */
  ready: boolean
  /** What tokens are answered with, if not: `'revocations-stale'` and its kin. */
  unknown: string | null
  unknownMessage: string | null
  /** How long ago the list was known to be complete, in milliseconds. */
  freshness: number | null
  /** The log's last error, until it works again. */
  fault: string | null
  faultMessage: string | null
  /** Why expired log-outs are not deleted, if they are not. */
  collectionPause: string | null
  /** Why the log is in danger though it works, and every token is answered all the same. */
  note: string | null
  /** Tokens that expired ten minutes before this are expired whatever a clock says. */
  watermark: Date | null
  /** Whether the log was there when it was opened. */
  origin: 'found' | 'created' | null
  /**
   * The keys of a JWKS that can't be used and were passed over: the place counted from 0, the `kid`, and the reason. Where one of them
   * was to be a secret, `sign` needs a `keyId`.
   */
  skippedKeys: { place: number; keyId: string | null; reason: string; isSecret: boolean }[]
}

export interface Stats {
  /** Verifications by outcome. */
  verifications: Record<string, number>
  /** Log-outs in the index. */
  records: { token: number; session: number; subject: number; everything: number }
  filterProbes: number
  filterPositives: number
  filterFalsePositives: number
  segments: number
  filtersMissing: number
  merges: number
  mergingMs: number
  indexBytes: number
  logHead: number
  logApplied: number
  logJunk: number
  freshness: number | null
  ready: boolean
  collectionPaused: boolean
}

/** For tests: the time to go by. */
export interface At {
  now: Date
}

/** Verifies, signs and logs out. One is enough for a process. */
export class Engine extends EventEmitter<{ degraded: [Health]; recovered: [Health] }> {
  private constructor()

  /** Opens an engine without holding up the event loop. Fails with the reason, and never opens half. */
  static open(options: EngineOptions): Promise<Engine>
  /** The same, and waits: for the start of a program. */
  static openSync(options: EngineOptions): Engine
  /** In a worker thread: the engine that another thread has shared. */
  static attach(handle: string, options?: ClockOptions): Engine
  /** A handle to give to worker threads of this process. It does not keep the engine open. */
  share(): string

  /** The claims of a token that may be used now. Throws a `SignoffError` otherwise. */
  verify(token: string, at?: At): Claims
  verifyDetailed(token: string, at?: At): VerifiedToken
  /** Many tokens, each with claims or an error. */
  verifyMany(tokens: string[]): ({ claims: Claims; error: undefined } | { claims: undefined; error: SignoffError })[]
  /**
   * Whether a token that *another library has verified* was logged out, whatever else this engine asks of tokens: it may have numbers as ids.
   * Says nothing of a token that nobody has verified. Throws a `SignoffError` if it was, and where that is not known.
   */
  screen(token: string): Cleared

  /** A signed token, with `iat` and `jti` added unless they are among the claims. */
  sign(claims: object, options?: SignOptions): string
  /**
   * What a token with these claims has to say as `signoff_after`, if another library signs it now, to be good at once after a log-out
   * everywhere. Undefined nearly always. `sign` and the drop-in's `sign` do this by themselves.
   */
  signoffAfter(claims: object): number | undefined
  signDetailed(claims: object, options?: SignOptions): SignedToken

  /** Logs this token out, which may have expired. On the disk when it resolves. */
  revoke(token: string, options?: RevokeTokenOptions): Promise<Revoked>
  /** The same for a token whose signature another library has verified. */
  revokeVerifiedElsewhere(token: string, options?: RevokeTokenOptions): Promise<Revoked>
  /** Logs out the token with this `jti`; or, as `{printed}`, with an id as `verifyDetailed` and the log print it. */
  revokeTokenId(tokenId: string | { printed: string }, options?: RevokeOptions): Promise<Revoked>
  /** Logs out every token with this `sid`: access and refresh tokens of one login. */
  revokeSession(sessionId: string, options?: RevokeOptions): Promise<Revoked>
  /** Logs out every token of this `sub` that was issued up to now. */
  revokeSubject(subject: string, options?: RevokeManyOptions): Promise<Revoked>
  /** Logs out everybody: for an incident. No answer to a leaked key: replace it. */
  revokeEverything(options?: RevokeManyOptions): Promise<Revoked>

  /** Takes other keys from now on, in every thread that uses this engine. */
  replaceKeys(options: KeyOptions): void
  /** Another engine, with keys and a policy of its own, on the log of this one. */
  onSameLog(options: KeyOptions & PolicyOptions & ClockOptions): Engine

  health(): Health
  stats(): Stats
  /** The stats as Prometheus reads them. */
  prometheus(): string
  /** Deletes expired log-outs now. `clockIsRight` vouches for a clock that signoff doubts. */
  compact(options?: { clockIsRight?: boolean }): Promise<{ deleted: number; watermark: Date | null }>
  /** Lets go of the engine. What was asked for before still happens. */
  close(): void
}

/** What is thrown, and what promises are rejected with. */
export class SignoffError extends Error {
  private constructor()
  name: 'SignoffError'
  /** `'SIGNOFF_CLAIM_EXPIRED'` and its kin: docs/status-codes.md has the list. */
  code: string
  /** The same as a number. */
  number: number
  /** 401: the token is at fault. 400: it can't be found in the request. 503: we can't tell. 500: the call or its options are wrong. */
  status: 400 | 401 | 500 | 503
  /** The same. */
  statusCode: 400 | 401 | 500 | 503
  /** False: frameworks that go by it send no message of an error with status 500. */
  expose: false
  /** What was wrong with a token or the log, for your own logs. `message` says nothing of it, since frameworks send that to whoever has asked. */
  detail?: string
  /** With `SIGNOFF_CLAIM_EXPIRED`. */
  expiredAt?: Date
  /** With `SIGNOFF_CLAIM_NOT_YET_VALID`. */
  validFrom?: Date
  /** With `SIGNOFF_CLAIM_TOO_OLD` and `SIGNOFF_CLAIM_ISSUED_IN_FUTURE`. */
  issuedAt?: Date
  /** The claim that is missing, malformed or there twice. */
  claim?: string
  /** With `SIGNOFF_TOKEN_TOO_SOON`: after how many seconds a new token will be good. */
  retryAfter?: number
  /** With `SIGNOFF_TOKEN_REVOKED` and `SIGNOFF_TOKEN_TOO_SOON`: what was logged out. */
  scope?: 'token' | 'session' | 'subject' | 'everything'
  /** With `SIGNOFF_REVOCATIONS_STALE`, in milliseconds. */
  age?: number
  maxStaleness?: number
}
