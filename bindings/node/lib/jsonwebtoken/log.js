'use strict'

// The revocation log that this thread's `verify` goes by, and the engines on it.

const { randomBytes } = require('node:crypto')
const { getEnvironmentData, isMainThread, setEnvironmentData } = require('node:worker_threads')

const { Engine, nativeOf } = require('../engine.js')
const { SignoffError, argumentError, valueOf } = require('../errors.js')
const NativeEngine = require('../native.js')
const { engineOptions, siblingOptions } = require('../options.js')
const { options: named } = require('../arguments.js')
const { Verifier } = require('../verifier.js')

/** What jsonwebtoken asks of a token beyond its signature is asked by `verify.js`; the engine asks nothing more. */
const LENIENT = {
  insecureAllowMissingExp: true,
  insecureAnyIssuedAt: true,
  insecureAnyAudience: true,
  insecureBearerOfBoundToken: true,
  numericIds: true,
  maxTokenBytes: 1024 * 1024,
}

/**
 * An engine that knows no key: it reads tokens that Node's crypto has verified. It does not ask for a nonce, but finds
 * one that comes twice.
 */
const KEYLESS = { secret: randomBytes(32), requiredClaims: ['nonce'], ...LENIENT }

/** Before useLog: no list is asked. */
const NONE = { kind: 'none', generation: 0 }
let current = NONE
let generation = 0

/** What worker threads that are started from here on find: the handle of the log's engine, or why there is none. */
const INHERITED = 'signoff/jsonwebtoken'
/** The verifiers that were made on the log that is in use. */
const made = new Set()
let keyless = null

const LOG_OPTIONS = [
  'issuedInFuture', 'localFile', 'longestLifetime', 'logMustExist', 'maxStaleness', 'onOutage', 'onUnknown', 'openTimeout',
  'revokeTimeout', 'startUnknown',
]

/** By how many milliseconds the clock of the log's server was ahead when it was last looked at, and when that was. */
let ahead = 0
let lookedAt = -Infinity

/** What the clock reads that counts: that of the server which keeps the log, if one does. */
function now() {
  const here = Date.now()
  if (current.kind !== 'open') return here
  if (Math.abs(here - lookedAt) > 1000) {
    ahead = current.native.clockAhead()
    lookedAt = here
  }
  return here + ahead
}

/** Opens a log, which `verify` goes by from then on. Until it is open, and where it can't be opened, `verify` answers 503. */
async function useLog(path, options = {}) {
  let wanted
  try {
    if (typeof path !== 'string') throw argumentError('useLog needs the path of the log, as in useLog("./signoff.db")')
    wanted = { log: path, ...KEYLESS, ...named('options', options, LOG_OPTIONS) }
    engineOptions(wanted)
  } catch (error) {
    // What is wrong with the call must not end the log that is in use; but where there is none, one was wanted.
    if (current.kind === 'none') become({ kind: 'failed', error })
    throw error
  }
  const opening = become({ kind: 'opening' })
  let engine
  try {
    engine = await Engine.open(wanted)
  } catch (error) {
    if (current === opening) become({ kind: 'failed', error })
    throw error
  }
  if (current !== opening) {
    engine.close()
    throw argumentError('another call of useLog or closeLog came in between')
  }
  become({ kind: 'open', engine, native: nativeOf(engine) })
  return engine
}

/** Goes over to another state. What was made for the one before is let go of, so that nothing keeps its log open. */
function become(state) {
  for (const verifier of made) verifier.close()
  made.clear()
  if (current.kind === 'open') current.engine.close()
  lookedAt = -Infinity
  current = { ...state, generation: ++generation }
  setEnvironmentData(INHERITED, heirloom(state))
  return current
}

function heirloom({ kind, engine }) {
  if (kind === 'none') return undefined
  return kind === 'open' ? { handle: engine.share() } : { missing: kind }
}

/** A worker goes by the log of the thread that started it, as it was then. */
function inherit() {
  const { handle, missing } = getEnvironmentData(INHERITED) ?? {}
  if (missing !== undefined) {
    const error = argumentError(`it was ${missing === 'opening' ? 'being opened' : 'not to be had'} when this thread was started`)
    become({ kind: 'failed', error })
  } else if (handle !== undefined) {
    try {
      const engine = Engine.attach(handle)
      become({ kind: 'open', engine, native: nativeOf(engine) })
    } catch (error) {
      become({ kind: 'failed', error })
    }
  }
}

/** Ends the use of the log: tokens that were logged out are good again in this thread. For tests, and before exit. */
function closeLog() {
  become({ kind: 'none' })
}

/** The log's engine, or undefined where none is used. Throws where it is unknown who was logged out. */
function openLog() {
  if (current.kind === 'none') return undefined
  if (current.kind === 'open') return current
  const why = current.kind === 'opening' ? 'is still being opened: await useLog(…) first' : `could not be opened: ${current.error.message}`
  throw new SignoffError({
    fault: 'revocations-unread',
    number: 4004,
    statusCode: 503,
    message: `the revocation log ${why}`,
  })
}

/** Whether engines can be asked: no log is used, or it is open. */
const isReady = () => current.kind === 'none' || current.kind === 'open'

/** An engine of these HMAC algorithms on a secret, on the log if there is one. Null where the engine refuses the secret. */
function engineFor(secret, algorithms) {
  const options = { secret, algorithms, insecureAllowShortSecret: true, ...LENIENT }
  try {
    const isOnLog = current.kind === 'open'
    const engine = isOnLog
      ? current.native.onSameLog(...siblingOptions(options))
      : NativeEngine.openSync(...engineOptions(options))
    const verifier = new Verifier(valueOf(engine))
    if (isOnLog) made.add(verifier)
    return verifier
  } catch (error) {
    // A secret that looks like a public key, or is longer than any secret. Node's crypto takes it; verify.js judges.
    if (error instanceof SignoffError && error.code.startsWith('SIGNOFF_KEY_')) return null
    throw error
  }
}

/** How the engine reads a token that was verified elsewhere: how it is cleared, or a fault. */
function screen(token, now) {
  const log = openLog()
  keyless ??= valueOf(NativeEngine.openSync(...engineOptions(KEYLESS)))
  return (log?.native ?? keyless).screen(token, token.length, now)
}

/**
 * What a token with these claims has to say, to be good at once after its user was logged out everywhere: that its signer knew. Undefined
 * nearly always, without a log, and for claims that no engine reads.
 */
function signoffAfter(payload, now) {
  if (current.kind !== 'open') return undefined
  let claims
  try {
    claims = JSON.stringify(payload)
  } catch {
    // As whoever signs it is about to say.
    return undefined
  }
  const after = current.native.signoffAfter(claims, now)
  if (typeof after === 'string') return JSON.parse(after) ?? undefined
  // Claims that no engine reads are whoever signs them's own affair; a clock far behind a log-out is not.
  if (after?.fault === 'token-revoked') throw new SignoffError(after)
  return undefined
}

const isUsed = () => current.kind === 'open'

/** Lets go of engines whose key nobody uses any more. */
function letGo(verifier) {
  made.delete(verifier)
  verifier?.close()
}

/** How many there are on the log, for tests. */
const engines = () => made.size

const currentGeneration = () => current.generation

if (!isMainThread) inherit()

module.exports = {
  closeLog, currentGeneration, engineFor, engines, isReady, isUsed, letGo, now, openLog, screen, signoffAfter, useLog,
}
