'use strict'

const { isDeepStrictEqual } = require('node:util')

const { inside } = require('./lib/request-properties.js')
const { SOURCES, engineOf, guard, headersFor, isLoggedOut, tokenSource } = require('./lib/http.js')
const { argumentError } = require('./lib/errors.js')
const { flag, options: named } = require('./lib/arguments.js')

/**
 * The plugin: every route of the instance wants a good token, with its claims in `request.user`. With `global: false`
 * only those do that have `onRequest: fastify.requireToken`.
 */
async function signoff(fastify, given) {
  const { global: everywhere = true, prefix: _, ...options } = { __proto__: null, ...given }
  const { admit, property } = guard(options, 'the plugin', 'user', inside)
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
  fastify.decorate('requireToken', requireToken)
  if (flag('global', everywhere)) fastify.addHook('onRequest', requireToken)
}

// So that it holds for the instance that registers it, as fastify-plugin would have it.
signoff[Symbol.for('skip-override')] = true
signoff[Symbol.for('fastify.display-name')] = 'signoff'
signoff[Symbol.for('plugin-meta')] = { fastify: '>=4', name: 'signoff' }

/** For @fastify/jwt: `trusted: trusted({engine})`. */
function trusted(given) {
  const options = named('options', given, ['engine', ...SOURCES])
  const engine = engineOf(options, 'trusted')
  const source = tokenSource(options)

  return async function trustedBySignoff(request, verified) {
    const token = await source(request)
    const payload = typeof token === 'string' ? payloadOf(token) : undefined
    // Alone, or with `complete` beside the header.
    const isSame = payload !== undefined && [verified, verified?.payload].some((claims) => isDeepStrictEqual(payload, claims))
    if (!isSame) {
      throw argumentError('trusted finds another token in the request than @fastify/jwt has verified: give both the same source')
    }
    return !isLoggedOut(engine, token)
  }
}

function payloadOf(token) {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}

module.exports = signoff
module.exports.default = signoff
module.exports.signoff = signoff
module.exports.trusted = trusted
