'use strict'

// What Express and Fastify have in common: where a request's token is, what is said when it is refused.

const { types } = require('node:util')

const { Engine, isKeyless } = require('./engine.js')
const { SignoffError, argumentError, requestMalformed, tokenMissing } = require('./errors.js')
const { flag, kind, options: named, text } = require('./arguments.js')
const { refuseReserved } = require('./request-properties.js')

const SOURCES = ['cookie', 'getToken']

/** What is shown in `WWW-Authenticate` of whom the token is asked for, unless an application has a name for itself. */
const REALM = 'api'

/** The options of a function of ours, which wants an engine among them. */
function readOptions(given, caller, known) {
  if (given instanceof Engine) throw argumentError(`${caller} takes options: ${caller}({ engine })`)
  const options = named('options', given, ['engine', ...known])
  if (!(options.engine instanceof Engine)) {
    throw argumentError(
      types.isPromise(options.engine)
        ? `${caller} was given a promise as engine: write \`await Engine.open(…)\``
        : options.engine?.constructor?.name === 'Engine'
          ? `${caller} was given an engine of another copy of this package: npm ls signoff says where there are two`
          : `${caller} needs {engine}, opened with Engine.open(…), and was given ${kind(options.engine)}`,
    )
  }
  if (isKeyless(options.engine)) {
    throw argumentError(`${caller} was given the engine of useLog, which has no keys: open one with Engine.open({ secret, log }) on the same log`)
  }
  // Undefined is a slip, by which a token would be looked for elsewhere.
  for (const name of SOURCES) {
    if (Object.hasOwn(options, name) && options[name] === undefined) {
      throw argumentError(`${name} is undefined; an environment variable that is not set? Give it a value, or leave it out`)
    }
  }
  return options
}

/** A function from a request to its token, or undefined where it brings none. There is one source, never two. */
function tokenSource({ cookie, getToken }) {
  if (cookie !== undefined && getToken !== undefined) {
    throw argumentError('cookie and getToken are two sources for one token: keep one')
  }
  if (getToken !== undefined) {
    if (typeof getToken !== 'function') throw argumentError(`getToken must be a function, and is ${kind(getToken)}`)
    return (request) => {
      try {
        const token = getToken(request)
        return typeof token?.then === 'function' ? Promise.resolve(token).catch(rethrow) : token
      } catch (thrown) {
        rethrow(thrown)
      }
    }
  }
  if (cookie === undefined) return fromAuthorization
  const name = cookieName(cookie)
  return (request) => fromCookie(request, name)
}

function cookieName(cookie) {
  const name = text('cookie', cookie)
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) throw argumentError(`cookie ${JSON.stringify(name)} can't be a cookie's name`)
  return name
}

/** What is no Error would count as none: Express takes `next(undefined)` and `next('route')` for leave to go on. */
function rethrow(thrown) {
  if (types.isNativeError(thrown) || thrown instanceof Error) throw thrown
  const error = argumentError(`getToken threw ${kind(thrown)}, which is no Error`)
  error.cause = thrown
  throw error
}

/** RFC 6750 section 2.1. A request that authenticates otherwise brings no token. */
function fromAuthorization({ headers }) {
  const value = headers.authorization
  // As nearly every client spells it.
  if (value?.startsWith('Bearer ') && !value.includes(' ', 7) && value.length > 7) return value.slice(7)
  if (value === undefined || !/^bearer(?: |$)/i.test(value)) return undefined
  const token = /^bearer +([^ ]+) *$/i.exec(value)?.[1]
  if (token === undefined) throw requestMalformed('the Authorization header has no token, or more than one word, after Bearer')
  return token
}

/** Two cookies of one name come from two places, and one of them may be an attacker's. */
function fromCookie({ headers }, name) {
  const found = cookies(headers, name)
  if (found.length > 1) throw requestMalformed(`the request has ${found.length} cookies ${name}, and only one can be right`)
  return found[0]
}

function cookies(headers, name) {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => /^([^=]*)=(.*)$/s.exec(pair) ?? [])
  // As lenient as any that reads cookies, so that nobody sees one that another does not.
  return pairs.filter(([, found]) => found?.trim() === name).map(([, , value]) => value.trim().replace(/^"(.*)"$/, '$1'))
}

/**
 * A browser that asks whether it may send a request: it sends no token yet, and the answer is that of whoever looks after that (`cors`),
 * who may stand behind the guard.
 */
function isPreflight({ method, headers }) {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}

/**
 * The token of a request and what to make of it, for a framework that says under which name the claims are kept, and how:
 * a function that makes of that name the one of request-properties.js.
 */
function guard(given, caller, property, keeper) {
  const options = readOptions(given, caller, ['credentialsRequired', 'realm', 'requestProperty', ...SOURCES])
  const { engine } = options
  const source = tokenSource(options)
  const isRequired = options.credentialsRequired === undefined || flag('credentialsRequired', options.credentialsRequired)
  const name = options.requestProperty === undefined ? property : text('requestProperty', options.requestProperty)
  refuseReserved(name)
  const keep = keeper(name)

  /** Puts the claims into the request. Throws where it may not go on; may return a promise where getToken does. */
  function admit(request) {
    if (isPreflight(request)) return admitNobody(request)
    let token
    try {
      token = source(request)
    } catch (error) {
      admitNobody(request)
      throw error
    }
    if (typeof token?.then !== 'function') return accept(request, token)
    return token.then(
      (token) => accept(request, token),
      (error) => {
        admitNobody(request)
        throw error
      },
    )
  }

  /** What another guard has found is not this one's. */
  function admitNobody(request) {
    keep(request, undefined, new Login(engine))
  }

  function accept(request, token) {
    if (token === undefined || token === null || token === '') {
      admitNobody(request)
      if (isRequired) throw tokenMissing('the request brings no token')
      return
    }
    let claims
    try {
      claims = engine.verify(token)
    } catch (error) {
      admitNobody(request)
      throw error
    }
    keep(request, claims, new Login(engine, token, claims))
  }

  return { admit, property: name, headersFor: challenger(options) }
}

/** How a request is logged in. */
class Login {
  #engine
  #token
  // Copies of what is acted on: the application may change its own.
  #sid
  #iss

  constructor(engine, token, claims) {
    this.#engine = engine
    this.#token = token
    this.#sid = claims?.sid
    this.#iss = claims?.iss
  }

  get token() {
    return this.#token
  }

  /** Ends the session if the token has a `sid`, and the token alone if not. On the disk when it resolves. */
  async logout(options) {
    if (this.#token === undefined) throw tokenMissing('the request brings no token that could be logged out')
    return end(this.#engine, this.#token, { sid: this.#sid, iss: this.#iss }, options)
  }
}

/** The session that a token belongs to, if it belongs to one. A number that JavaScript has rounded is another's. */
function sessionOf({ sid }) {
  return (typeof sid === 'string' && sid !== '') || Number.isSafeInteger(sid) ? String(sid) : undefined
}

/** Ends a token that was found to be good: its session if it has one. */
async function end(engine, token, claims, options) {
  const session = sessionOf(claims)
  if (session === undefined) return engine.revoke(token, options)
  return engine.revokeSession(session, { issuer: claims.iss ?? null, ...options })
}

/**
 * A function from a fault to the headers of its answer, by RFC 6750 section 3. What was wrong with the token is none of its sender's
 * business; and who has sent none is only told that one is wanted.
 */
function challenger({ realm }) {
  const name = realm === undefined ? REALM : text('realm', realm)
  if (!/^[ !#-[\]-~]*$/.test(name)) throw argumentError('realm may have letters, digits, spaces and signs in it, but no quotes and no backslash')
  const bearer = `Bearer realm="${name}"`

  return function headersFor(error) {
    if (!(error instanceof SignoffError)) return {}
    if (error.statusCode === 503) return { 'Retry-After': '1' }
    if (error.statusCode === 400) return { 'WWW-Authenticate': `${bearer}, error="invalid_request"` }
    if (error.statusCode !== 401) return {}
    const challenge = error.code === 'SIGNOFF_TOKEN_MISSING' ? bearer : `${bearer}, error="invalid_token"`
    // A token that was issued too soon: a new one will be good by then.
    const retry = error.retryAfter > 0 ? { 'Retry-After': String(error.retryAfter) } : {}
    return { 'WWW-Authenticate': challenge, ...retry }
  }
}

module.exports = { SOURCES, challenger, cookieName, cookies, end, fromAuthorization, guard, readOptions, sessionOf, tokenSource }
