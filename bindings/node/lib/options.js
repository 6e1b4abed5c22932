'use strict'

// The options of an engine: from what people write to what the native part takes.

const { argumentError } = require('./errors.js')
const { duration, flag, kind, options: named, secretBytes, text, texts } = require('./arguments.js')

const KEY_OPTIONS = ['secret', 'algorithm', 'algorithms', 'keyId', 'keys', 'insecureAllowShortSecret']
const POLICY_OPTIONS = [
  'issuer', 'audience', 'insecureAnyAudience', 'subject', 'tokenType', 'tokenTypeOptional', 'claimEquals',
  'insecureBearerOfBoundToken', 'leeway', 'issuedInFuture', 'maxLifetime', 'maxAge', 'requiredClaims',
  'insecureAllowMissingExp', 'insecureAnyIssuedAt', 'numericIds', 'maxTokenBytes',
]
const LOG_OPTIONS = [
  'log', 'insecureSeveralNames', 'localFile', 'logMustExist', 'longestLifetime', 'maxStaleness', 'onOutage', 'onUnknown', 'openTimeout', 'revokeTimeout',
  'startUnknown',
]
const ONE_KEY = ['secret', 'jwk', 'algorithm', 'keyId', 'issuers']

/** Left out, these make an engine stricter or change nothing. Left undefined, the others would loosen it by a slip. */
const MAY_BE_UNDEFINED = new Set([
  'insecureAnyAudience', 'tokenTypeOptional', 'insecureBearerOfBoundToken',
  'insecureAllowShortSecret', 'insecureAllowMissingExp', 'insecureAnyIssuedAt', 'numericIds', 'leeway', 'issuedInFuture',
  'maxTokenBytes', 'insecureSeveralNames',
  'logMustExist', 'localFile', 'onOutage', 'onUnknown', 'openTimeout', 'revokeTimeout', 'startUnknown', 'maxStaleness', 'algorithm',
  'algorithms',
])

/** What the native part takes: a JSON text, and the secrets apart from it. */
function engineOptions(given) {
  const options = read(given, [...KEY_OPTIONS, ...POLICY_OPTIONS, ...LOG_OPTIONS])
  const secrets = []
  const keys = keysOf(options, secrets)
  return [JSON.stringify({ ...keys, policy: policyOf(options), log: logOf(options) }), secrets]
}

/** The same for keys alone. */
function keyOptions(given) {
  const secrets = []
  const keys = keysOf(read(given, KEY_OPTIONS), secrets)
  return [JSON.stringify({ ...keys, policy: policyOf({ __proto__: null }), log: null }), secrets]
}

/** The same for an engine on the log of another. */
function siblingOptions(given) {
  const options = read(given, [...KEY_OPTIONS, ...POLICY_OPTIONS])
  const secrets = []
  const keys = keysOf(options, secrets)
  return [JSON.stringify({ ...keys, policy: policyOf(options), log: null }), secrets]
}

function read(given, known) {
  if (given === undefined) throw argumentError('options are missing: give at least a secret or keys')
  const options = named('options', given, known)
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) continue
    if (!MAY_BE_UNDEFINED.has(name)) {
      throw argumentError(
        `${name} is undefined; an environment variable that is not set? Give it a value, or leave it out if it is not wanted`,
      )
    }
    delete options[name]
  }
  return options
}

function keysOf({ secret, algorithm, algorithms, keyId, keys, insecureAllowShortSecret }, secrets) {
  const short = insecureAllowShortSecret === undefined ? false : flag('insecureAllowShortSecret', insecureAllowShortSecret)
  const made = { keys: [], jwks: null, insecureAllowShort: short }
  if ((secret === undefined) === (keys === undefined)) {
    throw argumentError('options need either secret or keys')
  }
  if (keys === undefined) {
    if (algorithm !== undefined && algorithms !== undefined) {
      throw argumentError('options have both algorithm and algorithms: keep one')
    }
    const bytes = secretBytes('secret', secret)
    const named = algorithms !== undefined ? texts('algorithms', algorithms) : [text('algorithm', algorithm ?? 'HS256')]
    const id = keyId === undefined ? null : text('keyId', keyId)
    for (const each of named) made.keys.push(oneKey({ secret: put(bytes, secrets), algorithm: each, keyId: id, short }))
    return made
  }
  for (const [name, value] of Object.entries({ algorithm, algorithms, keyId })) {
    if (value !== undefined) throw argumentError(`${name} belongs to secret; each of the keys names its own`)
  }
  if (!Array.isArray(keys) && typeof keys === 'object' && keys !== null && Array.isArray(keys.keys)) {
    return { ...made, jwks: JSON.stringify(keys) }
  }
  if (!Array.isArray(keys)) {
    throw argumentError(`keys must be an array of keys or a JWKS object, and is ${kind(keys)}`)
  }
  made.keys = Array.from(keys, (key, at) => keyOf(`keys[${at}]`, key, short, secrets))
  return made
}

function keyOf(name, given, short, secrets) {
  if (given === undefined) throw argumentError(`${name} is undefined`)
  const { secret, jwk, algorithm, keyId, issuers } = named(name, given, ONE_KEY)
  if ('issuers' in given && issuers === undefined) {
    throw argumentError(`${name}.issuers is undefined, and the key would do for every issuer: give it a value, or leave it out`)
  }
  if ((secret === undefined) === (jwk === undefined)) {
    throw argumentError(`${name} needs either secret or jwk`)
  }
  if (jwk !== undefined && (typeof jwk !== 'object' || jwk === null)) {
    throw argumentError(`${name}.jwk must be an object, and is ${kind(jwk)}`)
  }
  return oneKey({
    secret: secret === undefined ? null : put(secretBytes(`${name}.secret`, secret), secrets),
    jwk: jwk === undefined ? null : JSON.stringify(jwk),
    algorithm: algorithm !== undefined ? text(`${name}.algorithm`, algorithm) : secret === undefined ? null : 'HS256',
    keyId: keyId === undefined ? null : text(`${name}.keyId`, keyId),
    issuers: issuers === undefined ? [] : texts(`${name}.issuers`, issuers),
    short,
  })
}

function oneKey({ secret, jwk = null, algorithm, keyId, issuers = [], short }) {
  return { secret, jwk, algorithm, keyId, issuers, insecureAllowShort: short }
}

function put(bytes, secrets) {
  return secrets.push(bytes) - 1
}

function policyOf(options) {
  const optional = (name, read, otherwise = null) => (options[name] === undefined ? otherwise : read(name, options[name]))
  return {
    issuers: optional('issuer', texts, []),
    audiences: optional('audience', texts, []),
    subject: optional('subject', text),
    anyAudience: optional('insecureAnyAudience', flag, false),
    tokenTypes: optional('tokenType', texts, []),
    tokenTypeOptional: optional('tokenTypeOptional', flag, false),
    claimEquals: optional('claimEquals', claimValues, []),
    boundTokens: optional('insecureBearerOfBoundToken', flag, false),
    leewayMs: optional('leeway', duration),
    // Where there is a log it is the log's, which holds it against every token.
    issuedInFutureMs: options.log === undefined ? optional('issuedInFuture', duration) : null,
    insecureAnyIssuedAt: optional('insecureAnyIssuedAt', flag, false),
    lifetimeMs: optional('maxLifetime', duration),
    ageMs: optional('maxAge', duration),
    required: optional('requiredClaims', texts, []),
    insecureAllowMissingExp: optional('insecureAllowMissingExp', flag, false),
    numericIds: optional('numericIds', flag, false),
    tokenBytes: optional('maxTokenBytes', bytes),
  }
}

/** Pairs of a claim's name and a value that it may have. */
function claimValues(name, given) {
  const isPlain = typeof given === 'object' && given !== null && [Object.prototype, null].includes(Object.getPrototypeOf(given))
  if (!isPlain || Object.keys(given).length === 0) {
    throw argumentError(`${name} must be a plain object of claims and their values, with one at least, and is ${kind(given)}`)
  }
  return Object.entries(given).flatMap(([claim, values]) => {
    const several = Array.isArray(values) ? values : [values]
    if (several.length === 0) throw argumentError(`${name}.${claim} is an empty array: no value would do`)
    return several.map((value) => {
      const isText = typeof value === 'string' && value.isWellFormed()
      if (!isText && typeof value !== 'boolean' && !Number.isFinite(value)) {
        throw argumentError(`${name}.${claim} must be a text, a number or a boolean, or an array of them, and is ${kind(value)}`)
      }
      return [claim, value]
    })
  })
}

function bytes(name, value) {
  if (!Number.isSafeInteger(value) || value < 1) throw argumentError(`${name} must be a whole number of bytes above 0`)
  return value
}

function logOf(options) {
  if (options.log === undefined) {
    const stray = LOG_OPTIONS.find((name) => options[name] !== undefined)
    if (stray) throw argumentError(`${stray} is about a log, and no log is given: add log: './signoff.db'`)
    return null
  }
  const optional = (name, read, otherwise = null) => (options[name] === undefined ? otherwise : read(name, options[name]))
  const path = text('log', options.log)
  if (path === '') throw argumentError("log is empty: give the path of a file, or ':memory:'")
  const { onUnknown, acceptYoungerMs } = unknownOf(options.onUnknown)
  return {
    path: path === ':memory:' ? null : path,
    mustExist: optional('logMustExist', flag, false),
    longestLifetimeMs: optional('longestLifetime', duration),
    issuedInFutureMs: optional('issuedInFuture', duration),
    maxStalenessMs: optional('maxStaleness', duration),
    onUnknown,
    acceptYoungerMs,
    openTimeoutMs: optional('openTimeout', duration),
    appendTimeoutMs: optional('revokeTimeout', duration),
    startUnknown: optional('startUnknown', flag, false),
    localFile: optional('localFile', file),
    insecureSeveralNames: optional('insecureSeveralNames', flag, false),
    keepsInOutage: optional('onOutage', keeps),
  }
}

function file(name, value) {
  const path = text(name, value)
  if (path === '') throw argumentError(`${name} is empty: give the path of a file`)
  return path
}

function keeps(name, value) {
  if (value !== 'keep' && value !== 'refuse') throw argumentError(`${name} must be 'refuse' or 'keep'`)
  return value === 'keep'
}

function unknownOf(given = 'reject') {
  if (given === 'reject' || given === 'accept') return { onUnknown: given, acceptYoungerMs: null }
  if (typeof given === 'object' && given !== null) {
    const { acceptYounger } = named('onUnknown', given, ['acceptYounger'])
    return { onUnknown: 'accept-younger', acceptYoungerMs: duration('onUnknown.acceptYounger', acceptYounger) }
  }
  throw argumentError("onUnknown must be 'reject', 'accept' or {acceptYounger: '5m'}")
}

module.exports = { engineOptions, keyOptions, siblingOptions }
