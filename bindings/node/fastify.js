'use strict'

const { Engine } = require('./lib/engine.js')
const { inside } = require('./lib/request-properties.js')
const { SOURCES, challenger, guard, readOptions } = require('./lib/http.js')
const { isLoggedOut, isOf, tokenCandidates } = require('./lib/verified-elsewhere.js')
const { leaver } = require('./lib/logout.js')
const { SignoffError, argumentError } = require('./lib/errors.js')
const { flag, text } = require('./lib/arguments.js')

/**
 * The plugin: every route of the instance wants a good token, with its claims in `request.user`. With `global: false`
 * only those do that have `onRequest: fastify.requireToken`.
 */
async function signoff(fastify, given) {
  if (given instanceof Engine) throw argumentError('the plugin takes options: fastify.register(signoff, { engine })')
  const { global: everywhere = true, prefix: _, decorator = 'requireToken', ...options } = { __proto__: null, ...given }
  const { admit, property, headersFor } = guard({ ...options }, 'the plugin', 'user', inside)
  const requireToken = async (request, reply) => {
    try {
      await admit(request)
    } catch (error) {
      reply.headers(headersFor(error))
      throw error
    }
  }
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

/** The token that @fastify/jwt has verified, and whether it was logged out. */
function asker(options, caller) {
  const candidates = tokenCandidates(options)

  return async function isLoggedOutNow(request, verified) {
    const tokens = (await candidates(request)).filter((token) => isOf(token, verified))
    if (tokens.length === 0) {
      throw argumentError(`${caller} finds another token in the request than @fastify/jwt has verified: give both the same source`)
    }
    return tokens.some((token) => isLoggedOut(options.engine, token))
  }
}

/** For @fastify/jwt: `trusted: trusted({engine})`. */
function trusted(given) {
  const isLoggedOutNow = asker(readOptions(given, 'trusted', SOURCES), 'trusted')

  return function trustedBySignoff(request, verified) {
    return new Answer(isLoggedOutNow(request, verified).then((isOut) => !isOut))
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
 * whoever was logged out is refused, and where that can't be told the answer is 503.
 */
function refuseLoggedOut(given) {
  const options = readOptions(given, 'refuseLoggedOut', ['realm', 'requestProperty', ...SOURCES])
  const { requestProperty = 'user' } = options
  const isLoggedOutNow = asker(options, 'refuseLoggedOut')
  const headersFor = challenger(options)

  return async function refuseLoggedOutBySignoff(request, reply) {
    try {
      if (await isLoggedOutNow(request, request[requestProperty])) {
        throw new SignoffError({ fault: 'token-revoked', number: 4002, statusCode: 401, message: 'the token was logged out' })
      }
    } catch (error) {
      reply.headers(headersFor(error))
      throw error
    }
  }
}

module.exports = signoff
module.exports.default = signoff
Object.assign(module.exports, { logout, refuseLoggedOut, signoff, trusted })
