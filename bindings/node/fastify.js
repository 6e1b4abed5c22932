'use strict'

const { Engine } = require('./lib/engine.js')
const { inside } = require('./lib/request-properties.js')
const { SOURCES, challenger, guard, readOptions } = require('./lib/http.js')
const { isLoggedOut, textOf, tokenCandidates, wantLog } = require('./lib/verified-elsewhere.js')
const { leaver } = require('./lib/logout.js')
const { SignoffError, argumentError } = require('./lib/errors.js')
const { flag, text } = require('./lib/arguments.js')

/**
 * The plugin: every route of the instance wants a good token, with its claims in `request.user`. With `global: false`
 * only those do that have `onRequest: fastify.requireToken`.
 */
async function signoff(fastify, given) {
  if (given instanceof Engine) throw argumentError('the plugin takes options: fastify.register(signoff, { engine })')
  const { global: everywhere = true, prefix: _, logLevel: __, decorator = 'requireToken', ...options } = { __proto__: null, ...given }
  const { admit, property, headersFor } = guard({ ...options }, 'the plugin', 'user', inside)
  const requireToken = hookOf(admit, headersFor)
  for (const name of [property, 'signoff']) {
    if (!fastify.hasRequestDecorator(name)) fastify.decorateRequest(name, null)
  }
  const isGlobal = flag('global', everywhere)
  // Of a second guard on one instance, which is asked for by its name alone.
  const isTaken = fastify.hasDecorator(text('decorator', decorator))
  if (isTaken && !isGlobal) {
    throw argumentError(`fastify.${decorator} is another guard's already: give this one a name of its own, as in decorator: 'requireService'`)
  }
  if (!isTaken) fastify.decorate(decorator, requireToken)
  if (isGlobal) fastify.addHook('onRequest', requireToken)
}

// So that it holds for the instance that registers it, as fastify-plugin would have it.
signoff[Symbol.for('skip-override')] = true
signoff[Symbol.for('fastify.display-name')] = 'signoff'
signoff[Symbol.for('plugin-meta')] = { fastify: '>=4', name: 'signoff' }

/** The handler of a log-out route, which needs no guard before it. */
function logout(options) {
  const leave = leaver(options)

  return async function signoffLogout(request, reply) {
    const { status, headers, cookie } = await leave(request)
    if (cookie !== undefined) reply.header('Set-Cookie', cookie)
    return reply.code(status).headers({ ...headers, 'Cache-Control': 'no-store' }).send()
  }
}

/** For @fastify/jwt: `trusted: trusted({engine})`. */
function trusted(given) {
  const options = readOptions(given, 'trusted', SOURCES)
  wantLog(options.engine, 'trusted')
  const candidates = tokenCandidates(options)
  const headersFor = challenger(options)

  async function isTrusted(request, verified) {
    try {
      return !isLoggedOut(options.engine, textOf(await candidates(request), verified, 'trusted', '@fastify/jwt'))
    } catch (error) {
      // Fastify answers with them.
      error.headers ??= headersFor(error)
      throw error
    }
  }
  return function trustedBySignoff(request, verified) {
    return new Answer(isTrusted(request, verified))
  }
}

/**
 * A promise that nobody need catch. @fastify/jwt up to 10.2.0 looks at what it resolves to and at nothing else, and a rejection would
 * end the process: it is told "no" then, which it answers with 401. Later versions pass the error on.
 */
class Answer {
  #promise

  constructor(promise) {
    this.#promise = promise
    promise.catch(() => {})
  }

  then(resolved, rejected) {
    if (typeof rejected === 'function') return this.#promise.then(resolved, rejected)
    return this.#promise.then(resolved, (error) => {
      if (!(error instanceof SignoffError) || error.statusCode !== 401) warn(error)
      return resolved?.(false)
    })
  }

  catch(rejected) {
    return this.then(undefined, rejected)
  }

  finally(settled) {
    return this.#promise.finally(settled)
  }
}

const warned = new Set()

/** Once for each kind of fault: requests must not fill a log. */
function warn(error) {
  if (warned.has(error.code)) return
  warned.add(error.code)
  process.emitWarning(`a token was answered with 401 since this version of @fastify/jwt can't say why: ${error.detail ?? error.message}`, {
    type: 'SignoffWarning',
    code: error.code,
  })
}

/**
 * A hook that stands behind `request.jwtVerify()` in place of `trusted`, for versions of @fastify/jwt that can't answer 503:
 * whoever was logged out is refused, and where that can't be told the answer is 503. Every token that the request brings is asked about,
 * since what `formatUser` has made of the claims says nothing of the text. A request that nobody was found in passes.
 */
function refuseLoggedOut(given) {
  const options = readOptions(given, 'refuseLoggedOut', ['realm', 'requestProperty', ...SOURCES])
  wantLog(options.engine, 'refuseLoggedOut')
  const { requestProperty = 'user' } = options
  const candidates = tokenCandidates(options)
  const headersFor = challenger(options)

  return async function refuseLoggedOutBySignoff(request, reply) {
    const user = request[requestProperty]
    if (user === undefined || user === null) return
    try {
      const tokens = (await candidates(request)).filter((token) => token.split('.').length === 3)
      if (tokens.length === 0) throw argumentError('refuseLoggedOut finds no token in the request: give it the source that @fastify/jwt has')
      if (tokens.some((token) => isLoggedOut(options.engine, token))) {
        throw new SignoffError({ fault: 'token-revoked', number: 4002, statusCode: 401, message: 'the token was logged out' })
      }
    } catch (error) {
      reply.headers(headersFor(error))
      throw error
    }
  }
}

/** A hook for routes of their own, without the plugin: `onRequest: requireToken({ engine })`. */
function requireToken(given) {
  const { admit, headersFor } = guard(given, 'requireToken', 'user', inside)
  return hookOf(admit, headersFor)
}

function hookOf(admit, headersFor) {
  return async function requireTokenBySignoff(request, reply) {
    try {
      await admit(request)
    } catch (error) {
      reply.headers(headersFor(error))
      throw error
    }
  }
}

module.exports = signoff
module.exports.default = signoff
Object.assign(module.exports, { logout, refuseLoggedOut, requireToken, signoff, trusted })
