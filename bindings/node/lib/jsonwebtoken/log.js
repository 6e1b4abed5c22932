'use strict'

// The revocation log that this thread's `verify` goes by, and the engines on it.

const { randomBytes } = require('node:crypto')
const { resolve } = require('node:path')

const { Engine, isClosed, markKeyless, nativeOf } = require('../engine.js')
const { SignoffError, argumentError, valueOf } = require('../errors.js')
const NativeEngine = require('../native.js')
const { engineOptions, siblingOptions } = require('../options.js')
const { flag, options: named } = require('../arguments.js')
const { Verifier } = require('../verifier.js')
const workers = require('./workers.js')

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
/** The log that is being opened while another one, or none that works, is in use. */
let opening = null

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

/**
 * Opens a log, which `verify` goes by from then on. Until it is open, and where it can't be opened, `verify` answers 503, unless there was
 * one before, which goes on. Several modules may ask for the same one: they are given the same engine.
 */
async function useLog(path, options) {
  const { wanted, isThere } = prepare(path, options)
  if (isThere !== undefined) return isThere
  const mine = { wanted, promise: Engine.open(wanted.engine).then((engine) => take(mine, engine), (error) => fail(mine, error)) }
  begin(mine)
  return mine.promise
}

/** The same, and waits: for the start of a program. */
function useLogSync(path, options) {
  const { wanted, isThere } = prepare(path, options)
  if (isThere !== undefined) {
    if (isThere instanceof Engine) return isThere
    throw argumentError('the log is being opened by useLog: await that')
  }
  const mine = { wanted }
  begin(mine)
  let engine
  try {
    engine = Engine.openSync(wanted.engine)
  } catch (error) {
    return fail(mine, error)
  }
  return take(mine, engine)
}

/** What is asked for, and whether it is there: the engine, or a promise of it. */
function prepare(path, given) {
  let wanted
  try {
    wanted = read(path, given)
  } catch (error) {
    // What is wrong with the call must not end the log that is in use; but where there is none, one was wanted.
    if (current.kind === 'none' && opening === null) become({ kind: 'failed', error })
    throw error
  }
  const [used, isThere] = opening !== null ? [opening.wanted, opening.promise] : [current.wanted, current.engine]
  // One that its user has closed is opened anew.
  const isGone = opening === null && current.kind === 'open' && isClosed(current.engine)
  if (used === undefined || wanted.replace || isGone) return { wanted }
  if (used.place !== wanted.place) {
    throw argumentError(
      `useLog is called for ${JSON.stringify(path)}, and another log is in use: who was logged out there would be let in. ` +
        'If that is meant, say replace: true, or call closeLog() first',
    )
  }
  if (used.options !== wanted.options) {
    throw argumentError('useLog is called a second time for the same log, with other options: they would not count')
  }
  return { wanted, isThere }
}

function read(path, given) {
  if (typeof path !== 'string') throw argumentError('useLog needs the path of the log, as in useLog("./signoff.db")')
  const { replace = false, ...options } = named('options', given, [...LOG_OPTIONS, 'replace'])
  const engine = { __proto__: null, log: path, ...KEYLESS, clock: now, ...options }
  const { clock, ...native } = engine
  engineOptions(native)
  // As the file system has it, so that two spellings of one path are one.
  const place = path === ':memory:' || /^[a-z]+:\/\//i.test(path) ? path : resolve(path)
  const isSet = Object.entries(options).sort(([one], [other]) => (one < other ? -1 : 1))
  return { engine, place, options: JSON.stringify(isSet), replace: flag('replace', replace) }
}

function begin(mine) {
  opening = mine
  // What works goes on until the other does.
  if (current.kind !== 'open') become({ kind: 'opening' })
}

function take(mine, engine) {
  if (opening !== mine) {
    engine.close()
    throw argumentError('another call of useLog or closeLog came in between')
  }
  opening = null
  markKeyless(engine)
  become({ kind: 'open', engine, native: nativeOf(engine), wanted: mine.wanted })
  return engine
}

function fail(mine, error) {
  if (opening === mine) {
    opening = null
    if (current.kind !== 'open') become({ kind: 'failed', error })
  }
  throw error
}

/** Goes over to another state. What was made for the one before is let go of, so that nothing keeps its log open. */
function become(state) {
  for (const verifier of made) verifier.close()
  made.clear()
  if (current.kind === 'open' && !current.isInherited) current.engine.close()
  lookedAt = -Infinity
  current = { ...state, generation: ++generation }
  workers.tell(heirloom(state))
  return current
}

/** What worker threads are to go by: the handle of the log's engine, or why there is none. */
function heirloom({ kind, engine, error, wanted }) {
  if (kind === 'none') return undefined
  const { place, options } = wanted ?? {}
  return kind === 'open' ? { handle: engine.share(), place, options } : { missing: kind, why: error?.message }
}

/** A worker goes by the log of the thread that started it, and hears of another. */
function inherit(told) {
  // It has chosen one for itself.
  if (opening !== null || (current.kind !== 'none' && !current.isInherited)) return
  if (told === undefined) {
    become({ kind: 'none', isInherited: true })
  } else if (told.handle === undefined) {
    become({ kind: told.missing, error: argumentError(told.why ?? 'it could not be opened'), isInherited: true })
  } else {
    try {
      const engine = Engine.attach(told.handle, { clock: now })
      markKeyless(engine)
      const wanted = { place: told.place, options: told.options }
      become({ kind: 'open', engine, native: nativeOf(engine), isInherited: true, wanted })
    } catch (error) {
      become({ kind: 'failed', error, isInherited: true })
    }
  }
}

/** Ends the use of the log: tokens that were logged out are good again in this thread. For tests, and before exit. */
function closeLog() {
  opening = null
  become({ kind: 'none' })
}

/** The log's engine, or undefined where none is used. Throws where it is unknown who was logged out. */
function openLog() {
  if (current.kind === 'none') return undefined
  if (current.kind === 'open' && !isClosed(current.engine)) return current
  throw new SignoffError({
    fault: 'revocations-unread',
    number: 4004,
    statusCode: 503,
    message: `the revocation log ${whyNot(current)}`,
  })
}

function whyNot({ kind, error }) {
  switch (kind) {
    case 'open':
      return 'was closed: call useLog again'
    case 'opening':
      return 'is still being opened: await useLog(…) first'
    default:
      return `could not be opened: ${error.message}`
  }
}

/** Whether engines can be asked: no log is used, or it is open. */
const isReady = () => current.kind === 'none' || (current.kind === 'open' && !isClosed(current.engine))

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
  if (after?.fault === 'token-revoked') throw new SignoffError({ ...after, statusCode: 503 })
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

workers.listen(inherit)

module.exports = {
  closeLog, currentGeneration, engineFor, engines, isReady, isUsed, letGo, now, openLog, screen, signoffAfter, useLog,
  useLogSync,
}
