'use strict'

// jsonwebtoken's sign: the same tokens, checks and words.

// Taken when the module is loaded: what a test puts in its place later must not keep callbacks from coming.
const { nextTick } = process

const jws = require('./jws.js')
const keys = require('./keys.js')
const log = require('./log.js')
const requireKeyType = require('./key_types.js')
const timespan = require('./timespan.js')
const { own } = require('../arguments.js')

const ALGORITHMS = [
  'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'HS256', 'HS384', 'HS512', 'none',
]

const tag = (value) => Object.prototype.toString.call(value)
const isString = (value) => tag(value) === '[object String]'
const isNumber = (value) => tag(value) === '[object Number]'
const isBoolean = (value) => tag(value) === '[object Boolean]'
const isSpan = (value) => Number.isInteger(value) || (isString(value) && Boolean(value))

/** An object written as a literal, of whatever realm; no instance of a class. */
function isPlainObject(value) {
  if (tag(value) !== '[object Object]') return false
  const proto = Object.getPrototypeOf(value)
  return proto === null || (Object.getPrototypeOf(proto) === null && Object.hasOwn(proto, 'constructor'))
}

const OPTIONS = {
  expiresIn: [isSpan, '"expiresIn" should be a number of seconds or string representing a timespan'],
  notBefore: [isSpan, '"notBefore" should be a number of seconds or string representing a timespan'],
  audience: [(value) => isString(value) || Array.isArray(value), '"audience" must be a string or array'],
  algorithm: [(value) => ALGORITHMS.includes(value), '"algorithm" must be a valid string enum value'],
  header: [isPlainObject, '"header" must be an object'],
  encoding: [isString, '"encoding" must be a string'],
  issuer: [isString, '"issuer" must be a string'],
  subject: [isString, '"subject" must be a string'],
  jwtid: [isString, '"jwtid" must be a string'],
  noTimestamp: [isBoolean, '"noTimestamp" must be a boolean'],
  keyid: [isString, '"keyid" must be a string'],
  mutatePayload: [isBoolean, '"mutatePayload" must be a boolean'],
  allowInsecureKeySizes: [isBoolean, '"allowInsecureKeySizes" must be a boolean'],
  allowInvalidAsymmetricKeyTypes: [isBoolean, '"allowInvalidAsymmetricKeyTypes" must be a boolean'],
}

const CLAIMS = {
  iat: [isNumber, '"iat" should be a number of seconds'],
  exp: [isNumber, '"exp" should be a number of seconds'],
  nbf: [isNumber, '"nbf" should be a number of seconds'],
}

const CLAIM_OF_OPTION = { audience: 'aud', issuer: 'iss', subject: 'sub', jwtid: 'jti' }
const OPTIONS_FOR_OBJECTS = ['expiresIn', 'notBefore', 'noTimestamp', 'audience', 'issuer', 'subject', 'jwtid']

function hold(values, name, schema, others) {
  if (!isPlainObject(values)) throw new Error(`Expected "${name}" to be a plain object.`)
  for (const key of Object.keys(values)) {
    const rule = Object.hasOwn(schema, key) ? schema[key] : undefined
    if (rule === undefined && others === 'refused') throw new Error(`"${key}" is not allowed in "${name}"`)
    if (rule !== undefined && !rule[0](values[key])) throw new Error(rule[1])
  }
}

function sign(payload, key, options, callback) {
  if (typeof options === 'function') {
    callback = options
    options = undefined
  }
  // What is no plain object is refused below, in jsonwebtoken's words.
  options = options && isPlainObject(options) ? own(options) : options || own()
  if (typeof callback !== 'function') return signed(prepare(payload, key, options))

  let prepared
  try {
    prepared = prepare(payload, key, options)
  } catch (error) {
    return callback(error)
  }
  nextTick(() => {
    let token
    try {
      token = signed(prepared)
    } catch (error) {
      return callback(error)
    }
    return callback(null, token)
  })
}

/** Header, payload and key as they will be signed, or what is wrong as an exception. */
function prepare(payload, key, options) {
  const isObject = typeof payload === 'object' && !Buffer.isBuffer(payload)
  const header = {
    alg: options.algorithm || 'HS256',
    typ: isObject ? 'JWT' : undefined,
    kid: options.keyid,
    ...options.header,
  }
  const object = keyOf(key, options)
  judgeKey(header, object, options)

  if (payload === undefined) throw new Error('payload is required')
  if (isObject) {
    hold(payload, 'payload', CLAIMS, 'allowed')
    if (!options.mutatePayload) payload = { ...payload }
  } else {
    const stray = OPTIONS_FOR_OBJECTS.filter((name) => options[name] !== undefined)
    if (stray.length > 0) throw new Error(`invalid ${stray.join(',')} option for ${typeof payload} payload`)
  }
  if (payload.exp !== undefined && options.expiresIn !== undefined) {
    throw new Error('Bad "options.expiresIn" option the payload already has an "exp" property.')
  }
  if (payload.nbf !== undefined && options.notBefore !== undefined) {
    throw new Error('Bad "options.notBefore" option the payload already has an "nbf" property.')
  }
  hold(options, 'options', OPTIONS, 'refused')
  if (!options.allowInvalidAsymmetricKeyTypes) requireKeyType(header.alg, object)
  if (isObject) complete(payload, options)
  if (isObject && log.isUsed()) {
    // Taken over from an older token, or from a user, it would say what nobody knew.
    delete payload.signoff_after
    const after = payload.iat === undefined ? undefined : log.signoffAfter(payload, log.now())
    if (after !== undefined) payload.signoff_after = after
  }
  return { header, payload, object, options }
}

function keyOf(key, options) {
  if (!key && options.algorithm !== 'none') throw new Error('secretOrPrivateKey must have a value')
  if (key === undefined || key === null) return key
  try {
    return keys.forSigning.of(key).object
  } catch {
    throw new Error('secretOrPrivateKey is not valid key material')
  }
}

function judgeKey(header, key, options) {
  // As the original words its TypeError where `alg` is no text.
  if (header.alg.startsWith('HS') && key.type !== 'secret') {
    throw new Error(`secretOrPrivateKey must be a symmetric key when using ${header.alg}`)
  }
  if (!/^(?:RS|PS|ES)/.test(header.alg)) return
  if (key.type !== 'private') throw new Error(`secretOrPrivateKey must be an asymmetric key when using ${header.alg}`)
  if (!options.allowInsecureKeySizes && !header.alg.startsWith('ES') && key.asymmetricKeyDetails?.modulusLength < 2048) {
    throw new Error(`secretOrPrivateKey has a minimum key size of 2048 bits for ${header.alg}`)
  }
}

/** Adds the claims that the options ask for. */
function complete(payload, options) {
  const timestamp = payload.iat || Math.floor(log.now() / 1000)
  if (options.noTimestamp) delete payload.iat
  else payload.iat = timestamp
  for (const [option, claim] of [['notBefore', 'nbf'], ['expiresIn', 'exp']]) {
    if (options[option] === undefined) continue
    payload[claim] = timespan(options[option], timestamp)
    if (payload[claim] === undefined) {
      throw new Error(`"${option}" should be a number of seconds or string representing a timespan eg: "1d", "20h", 60`)
    }
  }
  for (const [option, claim] of Object.entries(CLAIM_OF_OPTION)) {
    if (options[option] === undefined) continue
    if (payload[claim] !== undefined) {
      throw new Error(`Bad "options.${option}" option. The payload already has an "${claim}" property.`)
    }
    payload[claim] = options[option]
  }
}

function signed({ header, payload, object, options }) {
  const encoded = (value, encoding) => Buffer.from(textOf(value), encoding).toString('base64url')
  const signingInput = `${encoded(header, 'utf8')}.${encoded(payload, options.encoding || 'utf8')}`
  return `${signingInput}.${jws.signature(signingInput, header.alg, object)}`
}

function textOf(value) {
  if (typeof value === 'string') return value
  return typeof value === 'number' || Buffer.isBuffer(value) ? value.toString() : JSON.stringify(value)
}

module.exports = sign
