'use strict'

const { EventEmitter } = require('node:events')
const { clearInterval, setInterval } = require('node:timers')

const NativeEngine = require('./native.js')
const revocation = require('./revocation.js')
const { SignoffError, argumentError, notText, valueOf } = require('./errors.js')
const { date, duration, flag, options: named, text } = require('./arguments.js')
const { Verifier } = require('./verifier.js')
const { engineOptions, keyOptions, siblingOptions } = require('./options.js')

/** How often listeners of 'degraded' and 'recovered' are kept up to date. Milliseconds. */
const WATCH_INTERVAL = 100

const SIGN_OPTIONS = ['expiresIn', 'insecureNeverExpires', 'keyId', 'tokenType']

/** Kept from everybody else, so that an engine is only made by opening one. */
const OPENED = Symbol('opened')

/** Engines that were shared, so that they last until they are closed, or until this thread ends. */
const SHARED = new Set()

class Engine extends EventEmitter {
  #native
  #verifier
  #watch = null
  #isDegraded = false
  #isClosed = false
  #onListener = (event) => this.#watchFor(event)
  #onListenerGone = () => this.#watchNoMore()

  constructor(opened, native) {
    super()
    if (opened !== OPENED) throw argumentError('use Engine.open(…) or Engine.openSync(…) in place of new Engine(…)')
    this.#native = native
    this.#verifier = new Verifier(native)
    this.#attend()
  }

  static async open(options) {
    return new Engine(OPENED, valueOf(await NativeEngine.open(...engineOptions(options))))
  }

  static openSync(options) {
    return new Engine(OPENED, valueOf(NativeEngine.openSync(...engineOptions(options))))
  }

  static attach(handle) {
    return new Engine(OPENED, valueOf(NativeEngine.attach(text('handle', handle))))
  }

  /** For the other modules of this package. */
  static nativeOf(engine) {
    return engine.#native
  }

  share() {
    const handle = valueOf(this.#native.share())
    SHARED.add(this)
    return handle
  }

  verify(token, options) {
    if (typeof token !== 'string') throw notText(token)
    const claims = options === undefined ? this.#verifier.verify(token) : this.#verifier.verifyAt(token, moment(options))
    if (claims === undefined) throw new SignoffError(this.#verifier.fault)
    return claims
  }

  verifyDetailed(token, options) {
    if (typeof token !== 'string') throw notText(token)
    const now = options === undefined ? undefined : moment(options)
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
    return valueOf(this.#native.screen(token, token.length))
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
    return times(JSON.parse(valueOf(this.#native.sign(claimsText(claims), JSON.stringify(asked)))))
  }

  signoffAfter(claims) {
    return JSON.parse(valueOf(this.#native.signoffAfter(claimsText(claims)))) ?? undefined
  }

  async revoke(token, options) {
    return this.#revoke(revocation.ofToken(token, options))
  }

  async revokeVerifiedElsewhere(token, options) {
    return this.#revoke(revocation.ofToken(token, options, 'vouched'))
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

  async #revoke(asked) {
    return valueOf(await valueOf(this.#native.revoke(asked)))
  }

  replaceKeys(options) {
    valueOf(this.#native.replaceKeys(...keyOptions(options)))
  }

  onSameLog(options) {
    return new Engine(OPENED, valueOf(this.#native.onSameLog(...siblingOptions(options))))
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
    const done = JSON.parse(valueOf(await valueOf(this.#native.compact(flag('clockIsRight', clockIsRight)))))
    return { ...done, watermark: done.watermark === null ? null : new Date(done.watermark) }
  }

  close() {
    if (this.#watch !== null) clearInterval(this.#watch)
    this.#watch = null
    this.#isClosed = true
    SHARED.delete(this)
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

const { nativeOf } = Engine
delete Engine.nativeOf

module.exports = { Engine, nativeOf }
