'use strict'

// jsonwebtoken's verify. The usual case, an HMAC, goes to the engine, which checks signature, times and log-out in one
// call. Whatever the engine does not accept at once is judged here step by step, in jsonwebtoken's order and words, so
// that an error is the one that people's code and tests know.

const { isKeyObject, isUint8Array } = require('node:util').types

const decode = require('./decode.js')
const jws = require('./jws.js')
const keys = require('./keys.js')
const log = require('./log.js')
const requireKeyType = require('./key_types.js')
const timespan = require('./timespan.js')
const { isPolluted, own } = require('../arguments.js')
const { JsonWebTokenError, NotBeforeError, TokenExpiredError, TokenRevokedError } = require('./errors.js')
const { SignoffError } = require('../errors.js')

const HMAC = ['HS256', 'HS384', 'HS512']
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const EC = ['ES256', 'ES384', 'ES512']
const ALL_HMAC = 0b111

function verify(token, key, options, callback) {
  if (typeof options === 'function' && !callback) {
    callback = options
    options = undefined
  }
  options = own(options)
  if (!callback) return judge(token, key, options)

  if (typeof key === 'function') return withKeyOf(token, key, { __proto__: null, ...options }, callback)
  let claims
  try {
    claims = judge(token, key, options)
  } catch (error) {
    return callback(error)
  }
  return callback(null, claims)
}

/** Asks for the key of a token's header, and goes on when it comes. */
function withKeyOf(token, keyOf, options, callback) {
  let header
  try {
    header = readable(token, options).header
  } catch (error) {
    return callback(error)
  }
  return keyOf(header, (error, key) => {
    let claims
    try {
      if (error) throw new JsonWebTokenError(`error in secret or public key callback: ${error.message}`)
      claims = judge(token, key, options)
    } catch (fault) {
      return callback(fault)
    }
    return callback(null, claims)
  })
}

/** The claims, or what is wrong as an exception. */
function judge(token, key, options) {
  refuseOptions(options)
  // A time before 1970 is the caller's word here, and no clock that was not set.
  const milliseconds = options.clockTimestamp ? Math.max(options.clockTimestamp * 1000, 1) : Math.max(log.now(), 1)
  const now = options.clockTimestamp || Math.floor(milliseconds / 1000)
  const claims = quickly(token, key, options, milliseconds)
  if (claims === undefined) return thoroughly(token, key, options, now, milliseconds)

  judgeClaims(claims, options, now)
  if (options.complete !== true) return claims
  const [header, , signature] = token.split('.')
  return { header: jws.headerOf(header), payload: claims, signature }
}

function refuseOptions({ clockTimestamp, nonce, allowInvalidAsymmetricKeyTypes }) {
  if (clockTimestamp && typeof clockTimestamp !== 'number') {
    throw new JsonWebTokenError('clockTimestamp must be a number')
  }
  if (nonce !== undefined && (typeof nonce !== 'string' || nonce.trim() === '')) {
    throw new JsonWebTokenError('nonce must be a non-empty string')
  }
  if (allowInvalidAsymmetricKeyTypes !== undefined && typeof allowInvalidAsymmetricKeyTypes !== 'boolean') {
    throw new JsonWebTokenError('allowInvalidAsymmetricKeyTypes must be a boolean')
  }
}

/** The claims of a token that the engine accepts. Undefined says nothing: the token is to be looked at thoroughly. */
function quickly(token, key, { algorithms, nonce }, now) {
  // The engine looks for names that come twice among those that it knows, and `nonce` is none of them.
  if (typeof token !== 'string' || !key || nonce !== undefined || !log.isReady()) return undefined
  if (typeof key !== 'string' && !isKeyObject(key) && !isUint8Array(key)) return undefined
  const allowed = algorithms === undefined ? ALL_HMAC : hmacsOf(algorithms)
  if (allowed === 0) return undefined
  let known
  try {
    known = keys.forVerifying.of(key)
  } catch {
    return undefined
  }
  if (known.object.type !== 'secret') return undefined
  const engine = engineOf(known, allowed)
  if (engine === null) return undefined
  return engine.verifyAt(token, now)
}

function engineOf(known, allowed) {
  if (known.generation !== log.currentGeneration()) {
    known.letGo()
    known.generation = log.currentGeneration()
  }
  let engine = known.engines.get(allowed)
  if (engine === undefined) {
    engine = log.engineFor(known.object, HMAC.filter((_, bit) => allowed & (1 << bit)))
    known.engines.set(allowed, engine)
  }
  return engine
}

/** Which of the HMACs a list names, as bits. */
function hmacsOf(algorithms) {
  let bits = 0
  if (Array.isArray(algorithms)) {
    for (let at = 0; at < algorithms.length; at++) {
      const bit = HMAC.indexOf(algorithms[at])
      if (bit !== -1) bits |= 1 << bit
    }
  }
  return bits
}

/** A token as far as it can be read without a key. */
function readable(token, options) {
  refuseOptions(options)
  if (!token) throw new JsonWebTokenError('jwt must be provided')
  if (typeof token !== 'string') throw new JsonWebTokenError('jwt must be a string')
  if (token.length > 1024 * 1024 || token.split('.').length !== 3) throw new JsonWebTokenError('jwt malformed')
  const decoded = decode(token, { complete: true })
  if (!decoded) throw new JsonWebTokenError('invalid token')
  return decoded
}

/** Every step for itself, by Node's crypto. */
function thoroughly(token, key, options, now, milliseconds) {
  const { header, payload, signature } = readable(token, options)
  if (typeof key === 'function') {
    throw new JsonWebTokenError(
      'verify must be called asynchronous if secret or public key is provided as a callback',
    )
  }
  authenticate(token, header, signature, key, options)
  if (payload === null) throw new JsonWebTokenError('jwt payload is null, which holds no claims')
  judgeClaims(payload, options, now)
  refuseUnsafe(token, payload, options, milliseconds)
  return options.complete === true ? { header, payload, signature } : payload
}

function authenticate(token, header, signature, key, options) {
  let { algorithms } = options
  const isSigned = Boolean(signature)
  if (!isSigned && key) throw new JsonWebTokenError('jwt signature is required')
  if (isSigned && !key) throw new JsonWebTokenError('secret or public key must be provided')
  if (!isSigned && !algorithms) {
    throw new JsonWebTokenError('please specify "none" in "algorithms" to verify unsigned tokens')
  }
  let object = key
  if (key !== undefined && key !== null) {
    try {
      object = keys.forVerifying.of(key).object
    } catch {
      throw new JsonWebTokenError('secretOrPublicKey is not valid key material')
    }
  }
  algorithms ||= byDefault(object)
  const { alg } = header
  if (algorithms.indexOf(alg) === -1) throw new JsonWebTokenError('invalid algorithm')
  if (alg.startsWith('HS') && object.type !== 'secret') {
    throw new JsonWebTokenError(`secretOrPublicKey must be a symmetric key when using ${alg}`)
  }
  if (/^(?:RS|PS|ES)/.test(alg) && object.type !== 'public') {
    throw new JsonWebTokenError(`secretOrPublicKey must be an asymmetric key when using ${alg}`)
  }
  if (!options.allowInvalidAsymmetricKeyTypes) requireKeyType(alg, object)
  if (!jws.isSigned(token, alg, object)) throw new JsonWebTokenError('invalid signature')
  if (alg.startsWith('HS') && !isSecret(keys.forVerifying.of(key))) {
    throw new JsonWebTokenError(
      'secretOrPublicKey is not valid key material: it is a PEM, DER or JWK text that can\'t be read as a key, ' +
        'or is longer than a secret can be, and is not taken for an HMAC secret',
    )
  }
}

/** Whether the engine takes a key for a secret too. A damaged public key must not become one, since everybody has it. */
function isSecret(known) {
  if (known.isSecret === undefined) {
    const engine = log.engineFor(known.object, HMAC)
    known.isSecret = engine !== null
    if (engine !== null) log.letGo(engine)
  }
  return known.isSecret
}

function byDefault({ type, asymmetricKeyType }) {
  if (type === 'secret') return HMAC
  return asymmetricKeyType === 'ec' ? EC : RSA
}

function judgeClaims(claims, options, now) {
  const { clockTolerance = 0 } = options
  const tolerance = clockTolerance || 0
  // Of a token that does not say it, nothing that others have put on `Object.prototype` is.
  const isClean = !isPolluted()
  const said = (claim) => (isClean || Object.hasOwn(claims, claim) ? claims[claim] : undefined)
  if ((isClean ? claims.nbf : said('nbf')) !== undefined && !options.ignoreNotBefore) {
    if (!isTime(claims.nbf)) throw new JsonWebTokenError('invalid nbf value')
    if (claims.nbf > now + tolerance) throw new NotBeforeError('jwt not active', new Date(claims.nbf * 1000))
  }
  if ((isClean ? claims.exp : said('exp')) !== undefined && !options.ignoreExpiration) {
    if (!isTime(claims.exp)) throw new JsonWebTokenError('invalid exp value')
    if (now >= claims.exp + tolerance) throw new TokenExpiredError('jwt expired', new Date(claims.exp * 1000))
  }
  if (options.audience) judgeAudience(said('aud'), options.audience)
  if (options.issuer) judgeIssuer(said('iss'), options.issuer)
  for (const [option, claim] of [['subject', 'sub'], ['jwtid', 'jti'], ['nonce', 'nonce']]) {
    if (options[option] && said(claim) !== options[option]) {
      throw new JsonWebTokenError(`jwt ${option} invalid. expected: ${options[option]}`)
    }
  }
  if (options.maxAge) judgeAge(said('iat'), options.maxAge, now, tolerance)
  // Last, since the original passes it over.
  if (options.issuer && typeof options.issuer !== 'string' && !Array.isArray(options.issuer)) {
    throw new JsonWebTokenError('"issuer" must be a string or an array of strings: anything else would not be checked')
  }
}

/** 1e999 is a number that never comes. */
const isTime = (value) => typeof value === 'number' && Number.isFinite(value)

function judgeAudience(given, expected) {
  const ours = Array.isArray(expected) ? expected : [expected]
  const theirs = Array.isArray(given) ? given : [given]
  const isOurs = (name) => ours.some((our) => (our instanceof RegExp ? matches(our, name) : our === name))
  if (!theirs.some(isOurs)) throw new JsonWebTokenError(`jwt audience invalid. expected: ${ours.join(' or ')}`)
}

/** Each time from the start, also where the expression has a memory (`/g`, `/y`). */
function matches(expression, name) {
  expression.lastIndex = 0
  return expression.test(name)
}

function judgeIssuer(given, expected) {
  const isOther =
    (typeof expected === 'string' && given !== expected) || (Array.isArray(expected) && expected.indexOf(given) === -1)
  if (isOther) throw new JsonWebTokenError(`jwt issuer invalid. expected: ${expected}`)
}

function judgeAge(iat, maxAge, now, tolerance) {
  if (typeof iat !== 'number') throw new JsonWebTokenError('iat required when maxAge is specified')
  const end = timespan(maxAge, iat)
  if (end === undefined) {
    throw new JsonWebTokenError(
      '"maxAge" should be a number of seconds or string representing a timespan eg: "1d", "20h", 60',
    )
  }
  if (now >= end + tolerance) throw new TokenExpiredError('maxAge exceeded', new Date(end * 1000))
}

/** A `kid` or `typ` that is no text, and `alg: none`, which the caller has asked for by name. */
const HARMLESS_HEADERS = new Set(['header-malformed', 'signature-missing'])
const PLAIN_HEADER = Buffer.from('{"alg":"HS256"}').toString('base64url')

/** What jsonwebtoken lets pass and nobody should; and who was logged out. */
function refuseUnsafe(token, payload, options, now) {
  let answer = log.screen(token, now)
  const isLogUsed = log.openLog() !== undefined
  if (!isLogUsed && HARMLESS_HEADERS.has(answer.fault)) {
    // What is odd about the header must not keep the claims from being looked at.
    answer = log.screen(`${PLAIN_HEADER}.${token.split('.')[1]}.AA`, now)
  }
  if (typeof answer === 'string') return
  const { fault, message } = answer
  if (fault === 'token-revoked') throw new TokenRevokedError('jwt revoked', answer.scope)
  if (fault === 'token-too-soon') throw new TokenRevokedError('jwt revoked', answer.scope, answer.retryAfter)
  // Not the token's fault.
  if (answer.statusCode !== 401) throw new SignoffError(answer)
  // It expired so long ago that its log-out may be forgotten.
  if (fault === 'claim-expired') throw new TokenExpiredError('jwt expired', new Date(answer.expiredAt))
  if (!isLogUsed && isHarmless(fault, payload)) return
  const error = new JsonWebTokenError('invalid token')
  error.detail = message
  throw error
}

/** What jsonwebtoken accepts and is safe to accept, as long as it does not have to be found in a list. */
function isHarmless(fault, payload) {
  switch (fault) {
    // A claim of another type than the standard has it, which `judgeClaims` has looked at where it matters.
    case 'claim-malformed':
    case 'claim-time-range':
      return true
    // A text or a number in place of claims. It has no times, and hides none.
    case 'claims-json':
      return typeof payload !== 'object'
    default:
      return false
  }
}

module.exports = { authenticate, judge, readable, verify }
