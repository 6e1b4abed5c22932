'use strict'

// What a log-out route does, whatever the state of the token that it is given.

const { Buffer } = require('node:buffer')

const { argumentError, SignoffError } = require('./errors.js')
const { SOURCES, challenger, cookieName, end, readOptions, sessionOf, tokenSource } = require('./http.js')
const { flag, options: named, text } = require('./arguments.js')
const { wantLog } = require('./verified-elsewhere.js')

const COOKIE_OPTIONS = ['domain', 'path', 'secure', 'httpOnly', 'sameSite', 'partitioned']

/**
 * A function `request → {status, headers}` that never throws but for a call that is wrong. Who was logged out already, or whose token has
 * expired, is logged out: 204. Who can't be, for now: 503. What nobody has signed: 401.
 */
function leaver(given) {
  const options = readOptions(given, 'logout', ['clearCookie', 'realm', ...SOURCES])
  const { engine } = options
  wantLog(engine, 'logout')
  const source = tokenSource(options)
  const headersFor = challenger(options)
  const cleared = clearedCookie(options)

  return async function leave(request) {
    try {
      const token = await source(request)
      if (token !== undefined && token !== null && token !== '') await logOut(engine, token)
      return { status: 204, headers: {}, cookie: cleared }
    } catch (error) {
      if (!(error instanceof SignoffError) || error.statusCode === 500) throw error
      // The cookie stays where the log-out is to be tried again.
      return { status: error.statusCode, headers: headersFor(error), cookie: error.statusCode === 503 ? undefined : cleared }
    }
  }
}

/**
 * Ends the session of a token, whatever else is to be said of it: it may have expired, be refused by the policy, or bind in this process
 * alone since the log could not be written. It is recorded when this resolves.
 */
async function logOut(engine, token) {
  let claims
  try {
    claims = engine.verify(token)
  } catch (error) {
    if (error.statusCode === 500) throw error
    // That its signature holds is found out here, and nothing else is asked.
    await engine.revoke(token)
    claims = claimsOf(token)
    if (sessionOf(claims) === undefined) return
  }
  await end(engine, token, claims)
}

/** Of a token whose signature holds. */
function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString('utf8'))
}

/** A `Set-Cookie` that ends the cookie. Path and domain must be those that it was set with. */
function clearedCookie({ cookie, clearCookie }) {
  if (cookie === undefined && clearCookie === undefined) return undefined
  if (cookie === undefined) throw argumentError('clearCookie belongs to cookie, and there is none')
  const attributes = named('clearCookie', clearCookie, COOKIE_OPTIONS)
  const { domain, path = '/', httpOnly = true, sameSite = 'lax', partitioned = false } = attributes
  if (!['lax', 'strict', 'none'].includes(sameSite)) throw argumentError("clearCookie.sameSite must be 'lax', 'strict' or 'none'")
  // Without it a browser would not take them.
  const { secure = sameSite === 'none' || partitioned === true || /^__(?:Host|Secure)-/.test(cookie) } = attributes
  const part = (name, value) => {
    if (!/^[ !-:<-~]*$/.test(text(`clearCookie.${name}`, value))) throw argumentError(`clearCookie.${name} can't stand in a cookie`)
    return `; ${name}=${value}`
  }
  return [
    `${cookieName(cookie)}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0`,
    part('Path', path),
    domain === undefined ? '' : part('Domain', domain),
    flag('clearCookie.httpOnly', httpOnly) ? '; HttpOnly' : '',
    flag('clearCookie.secure', secure) ? '; Secure' : '',
    flag('clearCookie.partitioned', partitioned) ? '; Partitioned' : '',
    part('SameSite', sameSite.replace(/^./, (first) => first.toUpperCase())),
  ].join('')
}

module.exports = { leaver }
