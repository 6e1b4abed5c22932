'use strict'

const { isDeepStrictEqual } = require('node:util')

const { beside } = require('./lib/request-properties.js')
const decode = require('./lib/jsonwebtoken/decode.js')
const { SOURCES, engineOf, guard, headersFor, isLoggedOut, tokenSource } = require('./lib/http.js')
const { argumentError } = require('./lib/errors.js')
const { options: named } = require('./lib/arguments.js')

/** Middleware that lets requests pass whose token is good, with its claims in `req.auth`. */
function requireToken(options) {
  const { admit } = guard(options, 'requireToken', 'auth', beside)

  return function signoff(req, res, next) {
    let admitted
    try {
      admitted = admit(req)
    } catch (error) {
      return refuse(res, next, error)
    }
    if (admitted === undefined) return next()
    admitted.then(() => next(), (error) => refuse(res, next, error)).catch(next)
  }
}

function refuse(res, next, error) {
  const headers = headersFor(error)
  if (!res.headersSent) for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  // Express answers with the headers of an error, and takes back those that were set before.
  if (Object.keys(headers).length > 0) error.headers = headers
  next(error)
}

/** For express-jwt: `isRevoked: isRevoked({engine})`. */
function isRevoked(given) {
  const options = named('options', given, ['engine', ...SOURCES])
  const engine = engineOf(options, 'isRevoked')
  const source = tokenSource(options)

  return async function isRevokedBySignoff(req, verified) {
    const token = await source(req)
    // By content too: who could not forge the one that was verified may have sent another beside it.
    const isSame = typeof token === 'string' && isDeepStrictEqual(decode(token, { complete: true }), verified)
    if (!isSame) {
      throw argumentError('isRevoked finds another token in the request than express-jwt has verified: give both the same getToken')
    }
    return isLoggedOut(engine, token)
  }
}

module.exports = { isRevoked, requireToken }
