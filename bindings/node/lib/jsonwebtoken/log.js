'use strict'

// The revocation log that this thread's `verify` goes by, and the engines on it.

const { randomBytes } = require('node:crypto')

const { Engine, nativeOf } = require('../engine.js')
const { SignoffError, argumentError, valueOf } = require('../errors.js')
const NativeEngine = require('../native.js')
const { engineOptions, siblingOptions } = require('../options.js')
const { Verifier } = require('../verifier.js')

/** What jsonwebtoken asks of a token beyond its signature is asked by `verify.js`; the engine asks nothing more. */
const LENIENT = {
  insecureAllowMissingExp: true,
  issuedInFuture: 1e12,
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
let keyless = null

const LOG_OPTIONS = ['longestLifetime', 'logMustExist', 'maxStaleness', 'onUnknown', 'openTimeout', 'revokeTimeout', 'startUnknown']

/** Opens a log, which `verify` goes by from then on. Until it is open, and where it can't be opened, `verify` answers 503. */
async function useLog(path, options = {}) {
  if (typeof path !== 'string') throw argumentError('useLog needs the path of the log, as in useLog("./signoff.db")')
  for (const name of Object.keys(options)) {
    if (!LOG_OPTIONS.includes(name)) throw argumentError(`options has "${name}", which does not exist; there are ${LOG_OPTIONS.join(', ')}`)
  }
  const wanted = { log: path, ...KEYLESS, ...options }
  engineOptions(wanted) // What is wrong with the call must not end the log that is in use.
  const before = current
  const opening = { kind: 'opening', generation: ++generation }
  current = opening
  let engine
  try {
    engine = await Engine.open(wanted)
  } catch (error) {
    if (current === opening) current = { kind: 'failed', generation: ++generation, error }
    throw error
  }
  if (current !== opening) {
    engine.close()
    throw argumentError('another call of useLog or closeLog came in between')
  }
  if (before.kind === 'open') before.engine.close()
  current = { kind: 'open', generation: ++generation, engine, native: nativeOf(engine) }
  return engine
}

/** Ends the use of the log: tokens that were logged out are good again in this thread. For tests, and before exit. */
function closeLog() {
  if (current.kind === 'open') current.engine.close()
  current = { kind: 'none', generation: ++generation }
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
    return new Verifier(valueOf(engine))
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

const currentGeneration = () => current.generation

module.exports = { closeLog, currentGeneration, engineFor, isReady, openLog, screen, useLog }
