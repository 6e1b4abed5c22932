'use strict'

const { randomBytes } = require('node:crypto')
const { EventEmitter } = require('node:events')
const { clearInterval, setInterval } = require('node:timers')

const NativeEngine = require('./native.js')
const revocation = require('./revocation.js')
const { SignoffError, argumentError, notText, valueForHost, valueOf } = require('./errors.js')
const { TEXT_MAX, clockOf, date, duration, flag, options: named, text } = require('./arguments.js')
const { Verifier } = require('./verifier.js')
const { engineOptions, keyOptions, siblingOptions } = require('./options.js')

/** How often listeners of 'degraded' and 'recovered' are kept up to date. Milliseconds. */
const WATCH_INTERVAL = 100

const SIGN_OPTIONS = ['expiresIn', 'insecureNeverExpires', 'keyId', 'now', 'tokenType']

/** Kept from everybody else, so that an engine is only made by opening one. */
const OPENED = Symbol('opened')

/** Engines that were shared, so that they last until they are closed, or until this thread ends. */
const SHARED = new Set()

class Engine extends EventEmitter {
  #native
  #verifier
  /** What the time is, in milliseconds, where that is not the system's affair. */
  #clock
  /** Made when it is first needed. */
  #forOthers
  #watch = null
  #isDegraded = false
  #isClosed = false
  #onListener = (event) => this.#watchFor(event)
  #onListenerGone = () => this.#watchNoMore()

  constructor(opened, native, clock) {
    super()
    if (opened !== OPENED) throw argumentError('use Engine.open(…) or Engine.openSync(…) in place of new Engine(…)')
    this.#native = native
    this.#verifier = new Verifier(native)
    this.#clock = clock
    this.#attend()
  }

  static async open(options) {
    const [clock, native] = withClock(options, engineOptions)
    return new Engine(OPENED, valueForHost(await NativeEngine.open(...native)), clock)
  }

  static openSync(options) {
    const [clock, native] = withClock(options, engineOptions)
    return new Engine(OPENED, valueForHost(NativeEngine.openSync(...native)), clock)
  }

  static attach(handle, options) {
    const clock = clockOf(named('options', options, ['clock']).clock)
    return new Engine(OPENED, valueForHost(NativeEngine.attach(text('handle', handle))), clock)
  }

  /** For the other modules of this package. */
  static nativeOf(engine) {
    return engine.#native
  }

  static isClosed(engine) {
    return engine.#isClosed
  }

  share() {
    const handle = valueOf(this.#native.share())
    SHARED.add(this)
    return handle
  }

  verify(token, options) {
    if (typeof token !== 'string') throw notText(token)
    const now = options === undefined ? this.#clock?.() : moment(options)
    const claims = now === undefined ? this.#verifier.verify(token) : this.#verifier.verifyAt(token, now)
    if (claims === undefined) throw new SignoffError(this.#verifier.fault)
    return claims
  }

  verifyDetailed(token, options) {
    if (typeof token !== 'string') throw notText(token)
    const now = options === undefined ? this.#clock?.() : moment(options)
    const { payload, ...details } = JSON.parse(valueOf(this.#native.verifyDetails(token, token.length, now)))
    return { claims: JSON.parse(payload), ...times(details) }
  }

  verifyMany(tokens) {
    if (!Array.isArray(tokens)) throw argumentError('tokens must be an array of strings')
    return Array.from(tokens, (token) => {
      try {
        return { claims: this.verify(token), error: undefined }
      } catch (error) {
        return { claims: undefined, error }
      }
    })
  }

  screen(token) {
    if (typeof token !== 'string') throw notText(token)
    return valueOf(this.#ofOthers().screen(token, token.length, this.#clock?.()))
  }

  sign(claims, options) {
    return this.signDetailed(claims, options).token
  }

  signDetailed(claims, given) {
    const options = named('options', given, SIGN_OPTIONS)
    const stated = (name, read) => (options[name] === undefined ? undefined : read(name, options[name]))
    const asked = {
      expiresInMs: stated('expiresIn', duration),
      insecureNeverExpires: stated('insecureNeverExpires', flag) ?? false,
      keyId: stated('keyId', text),
      tokenType: stated('tokenType', text),
    }
    const now = options.now === undefined ? this.#clock?.() : date('now', options.now)
    return times(JSON.parse(valueOf(this.#native.sign(claimsText(claims), JSON.stringify(asked), now))))
  }

  signoffAfter(claims) {
    return JSON.parse(valueOf(this.#native.signoffAfter(claimsText(claims), this.#clock?.()))) ?? undefined
  }

  async revoke(token, options) {
    return this.#revoke(revocation.ofToken(token, options))
  }

  async revokeVerifiedElsewhere(token, options) {
    return this.#revoke(revocation.ofToken(token, options, 'vouched'), this.#ofOthers())
  }

  async revokeTokenId(id, options) {
    return this.#revoke(revocation.ofTokenId(id, options))
  }

  async revokeSession(sid, options) {
    return this.#revoke(revocation.ofSession(sid, options))
  }

  async revokeSubject(sub, options) {
    return this.#revoke(revocation.ofSubject(sub, options))
  }

  async revokeEverything(options) {
    return this.#revoke(revocation.ofEverything(options))
  }

  /**
   * An engine beside this one for tokens that another library has verified, whatever this one asks of its own: those of old systems have
   * numbers as ids.
   */
  #ofOthers() {
    const options = { secret: randomBytes(32), numericIds: true, maxTokenBytes: TEXT_MAX }
    return (this.#forOthers ??= valueOf(this.#native.onSameLog(...siblingOptions(options))))
  }

  async #revoke(asked, native = this.#native) {
    return valueOf(await valueOf(native.revoke(asked, this.#clock?.())))
  }

  replaceKeys(options) {
    valueForHost(this.#native.replaceKeys(...keyOptions(options)))
  }

  onSameLog(options) {
    const [clock = this.#clock, native] = withClock(options, siblingOptions)
    return new Engine(OPENED, valueForHost(this.#native.onSameLog(...native)), clock)
  }

  health() {
    const health = JSON.parse(valueOf(this.#native.health()))
    return { ...health, watermark: health.watermark === null ? null : new Date(health.watermark) }
  }

  stats() {
    return JSON.parse(valueOf(this.#native.stats()))
  }

  prometheus() {
    return valueOf(this.#native.prometheus())
  }

  async compact(given) {
    const { clockIsRight = false } = named('options', given, ['clockIsRight'])
    const done = JSON.parse(valueForHost(await valueForHost(this.#native.compact(flag('clockIsRight', clockIsRight)))))
    return { ...done, watermark: done.watermark === null ? null : new Date(done.watermark) }
  }

  close() {
    if (this.#watch !== null) clearInterval(this.#watch)
    this.#watch = null
    this.#isClosed = true
    SHARED.delete(this)
    this.#forOthers?.close()
    this.#native.close()
  }

  /** Also without any listener of the application, the engine hears of those that come. */
  removeAllListeners(...event) {
    super.removeAllListeners(...event)
    this.#attend()
    this.#watchNoMore()
    return this
  }

  #attend() {
    if (this.listenerCount('newListener', this.#onListener) === 0) super.on('newListener', this.#onListener)
    if (this.listenerCount('removeListener', this.#onListenerGone) === 0) super.on('removeListener', this.#onListenerGone)
  }

  #watchFor(event) {
    if (this.#isClosed || this.#watch !== null || (event !== 'degraded' && event !== 'recovered')) return
    // An engine that is watched does not keep the process alive either.
    this.#watch = setInterval(() => this.#look(), WATCH_INTERVAL).unref()
  }

  #watchNoMore() {
    if (this.#watch === null || this.listenerCount('degraded') + this.listenerCount('recovered') > 0) return
    clearInterval(this.#watch)
    this.#watch = null
  }

  #look() {
    const health = this.health()
    const isDegraded = !health.ready || health.fault !== null
    if (isDegraded === this.#isDegraded) return
    this.#isDegraded = isDegraded
    this.emit(isDegraded ? 'degraded' : 'recovered', health)
  }
}

/** The clock among these options, and what the native part takes of the others. */
function withClock(given, read) {
  if (typeof given !== 'object' || given === null || !Object.hasOwn(given, 'clock')) return [undefined, read(given)]
  const { clock, ...others } = given
  return [clockOf(clock), read(others)]
}

/** The time to go by in place of the clock's. */
function moment(given) {
  const { now } = named('options', given, ['now'])
  return date('now', now)
}

/** With its times as dates. */
function times(details) {
  const { issuedAt, expiresAt, ...rest } = details
  const dated = (millis) => (millis === null ? null : new Date(millis))
  return { ...rest, issuedAt: dated(issuedAt), expiresAt: dated(expiresAt) }
}

/** Claims as the JSON text that will be signed. */
function claimsText(claims) {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw argumentError('claims must be an object')
  }
  let json
  try {
    json = JSON.stringify(claims)
  } catch (error) {
    throw argumentError(`claims can't be written as JSON: ${error.message}`)
  }
  if (json === undefined) throw argumentError("claims can't be written as JSON")
  return json
}

const { nativeOf, isClosed } = Engine
for (const name of ['nativeOf', 'isClosed']) delete Engine[name]

/** Engines that were opened for a log alone, and verify no token by themselves. */
const KEYLESS = new WeakSet()
const markKeyless = (engine) => KEYLESS.add(engine)
const isKeyless = (engine) => KEYLESS.has(engine)

module.exports = { Engine, isClosed, isKeyless, markKeyless, nativeOf }
