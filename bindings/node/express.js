'use strict'

const { beside } = require('./lib/request-properties.js')
const { SOURCES, challenger, guard, readOptions } = require('./lib/http.js')
const { isLoggedOut, textOf, tokenCandidates, wantLog } = require('./lib/verified-elsewhere.js')
const { leaver } = require('./lib/logout.js')

/** Middleware that lets requests pass whose token is good, with its claims in `req.auth`. */
function requireToken(options) {
  const { admit, headersFor } = guard(options, 'requireToken', 'auth', beside)

  return function signoff(req, res, next) {
    let admitted
    try {
      admitted = admit(req)
    } catch (error) {
      return refuse(res, next, error, headersFor)
    }
    if (admitted === undefined) return next()
    admitted.then(() => next(), (error) => refuse(res, next, error, headersFor)).catch(next)
  }
}

function refuse(res, next, error, headersFor) {
  const headers = headersFor(error)
  if (!res.headersSent) for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  // Express answers with the headers of an error, and takes back those that were set before.
  if (Object.keys(headers).length > 0) error.headers = headers
  next(error)
}

/** The handler of a log-out route, which needs no guard before it. */
function logout(options) {
  const leave = leaver(options)

  return function signoffLogout(req, res, next) {
    leave(req)
      .then(({ status, headers, cookie }) => {
        for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
        if (cookie !== undefined) res.appendHeader('Set-Cookie', cookie)
        res.setHeader('Cache-Control', 'no-store')
        res.statusCode = status
        res.end()
      })
      .catch(next)
  }
}

/** For express-jwt: `isRevoked: isRevoked({engine})`. */
function isRevoked(given) {
  const options = readOptions(given, 'isRevoked', SOURCES)
  wantLog(options.engine, 'isRevoked')
  const candidates = tokenCandidates(options)
  const headersFor = challenger(options)

  return async function isRevokedBySignoff(req, verified) {
    try {
      return isLoggedOut(options.engine, textOf(await candidates(req), verified, 'isRevoked', 'express-jwt'))
    } catch (error) {
      // Express answers with them.
      error.headers ??= headersFor(error)
      throw error
    }
  }
}

module.exports = { isRevoked, logout, requireToken }
