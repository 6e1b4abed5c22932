'use strict'

// Takes arguments as they come, and gives back what they must be, or throws and says which is wrong.

const ms = require('ms')
const { Buffer } = require('node:buffer')
const { types } = require('node:util')
const { argumentError } = require('./errors.js')

const kind = (value) => (value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value)

/** The longest text that is taken, in UTF-16 code units. The engine's own limits are far below. */
const TEXT_MAX = 1024 * 1024

/** A text that survives the way to UTF-8. */
function text(name, value) {
  if (typeof value !== 'string') {
    throw argumentError(`${name} must be a string, and is ${kind(value)}`)
  }
  if (value.length > TEXT_MAX) {
    throw argumentError(`${name} is ${value.length} characters long, over the limit of ${TEXT_MAX}`)
  }
  if (!value.isWellFormed()) {
    throw argumentError(`${name} has a lone surrogate in it, which no UTF-8 text can have`)
  }
  return value
}

/** One text or several. */
function texts(name, value) {
  if (typeof value === 'string') return [text(name, value)]
  if (!Array.isArray(value)) {
    throw argumentError(`${name} must be a string or an array of strings, and is ${kind(value)}`)
  }
  if (value.length === 0) {
    throw argumentError(`${name} is an empty array: leave it out, or name what you expect`)
  }
  return Array.from(value, (each, at) => text(`${name}[${at}]`, each))
}

const HAS_UNIT = /[a-z]\s*$/i

/** A span of time in milliseconds: a number of seconds, or a text with a unit, as in `'1d'`. */
function duration(name, value) {
  let millis
  if (typeof value === 'number') {
    millis = value * 1000
  } else if (typeof value === 'string' && /M\s*$/.test(value)) {
    throw argumentError(`${name} ends in M, which some take for a month: write '15m' or '30d'`)
  } else if (typeof value === 'string' && HAS_UNIT.test(value) && value.length <= 100) {
    millis = ms(value)
  }
  if (millis === undefined || !Number.isFinite(millis) || millis < 0 || millis > Number.MAX_SAFE_INTEGER) {
    const given = typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : typeof value === 'number' ? value : kind(value)
    throw argumentError(`${name} must be a number of seconds or a text with a unit, such as '1d' or '15m', and is ${given}`)
  }
  return Math.round(millis)
}

/** Yes or no: nothing that is only like it. */
function flag(name, value) {
  if (typeof value !== 'boolean') {
    throw argumentError(`${name} must be true or false, and is ${kind(value)}`)
  }
  return value
}

const millisOf = (date) => Date.prototype.getTime.call(date)

/** A point in time in milliseconds. Numbers are refused: some would mean seconds, some milliseconds. */
function date(name, value) {
  // Of whatever realm: a test's sandbox has classes of its own.
  if (!types.isDate(value) || Number.isNaN(millisOf(value))) {
    throw argumentError(`${name} must be a valid Date, and is ${types.isDate(value) ? 'an invalid one' : kind(value)}`)
  }
  return millisOf(value)
}

/** A function that says what the time is, as `Date.now` does. */
function clockOf(clock) {
  if (clock === undefined) return undefined
  if (typeof clock !== 'function') {
    throw argumentError(`clock must be a function that returns milliseconds since 1970, such as Date.now, and is ${kind(clock)}`)
  }
  return () => {
    const now = clock()
    if (!Number.isFinite(now)) throw argumentError(`clock returned ${kind(now)}: milliseconds since 1970 are wanted, as of Date.now`)
    return Math.floor(now)
  }
}

/** The bytes of an HMAC secret. */
function secretBytes(name, value) {
  if (typeof value === 'string') return Uint8Array.from(Buffer.from(text(name, value), 'utf8'))
  if (types.isUint8Array(value)) return Uint8Array.from(value)
  if (types.isKeyObject(value) && value.type === 'secret') return Uint8Array.from(value.export())
  if (types.isKeyObject(value)) {
    throw argumentError(`${name} is a ${value.type} key; HS256, HS384 and HS512 take a secret one`)
  }
  throw argumentError(`${name} must be a string, a Buffer or a secret KeyObject, and is ${kind(value)}`)
}

/**
 * An object of options in which only these names stand. Each is read once. Only its own properties count, and what is given back inherits
 * none: what somebody has put on `Object.prototype` loosens nothing.
 */
function options(name, given, known) {
  if (given === undefined) return { __proto__: null }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw argumentError(`${name} must be an object, and is ${kind(given)}`)
  }
  const read = { __proto__: null }
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) {
      const near = known.find((other) => other.toLowerCase() === key.toLowerCase())
      const hint = near ? `; is ${near} meant?` : `; there are ${known.join(', ')}`
      throw argumentError(`${name} has "${key}", which does not exist${hint}`)
    }
    read[key] = given[key]
  }
  return read
}

const NONE = Object.freeze({})
const NONE_AT_ALL = Object.freeze({ __proto__: null })

/** Whether somebody has assigned to `Object.prototype`, as a careless merge of what was sent does. */
function isPolluted() {
  // A loop over what an empty object inherits: nothing, which the engine knows at once.
  for (const _ in NONE) return true
  return false
}

/**
 * Options as jsonwebtoken takes them, whatever they are: their own, and none that somebody has put on `Object.prototype`. Where nobody
 * has, they are not copied.
 */
function own(given) {
  if (!given) return isPolluted() ? NONE_AT_ALL : NONE
  return Object.getPrototypeOf(given) === Object.prototype && !isPolluted() ? given : { __proto__: null, ...given }
}

module.exports = { TEXT_MAX, clockOf, date, duration, flag, isPolluted, kind, options, own, secretBytes, text, texts }
