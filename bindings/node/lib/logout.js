'use strict'

// What a log-out route does, whatever the state of the token that it is given.

const { argumentError, SignoffError } = require('./errors.js')
const { SOURCES, challenger, cookieName, end, readOptions, tokenSource } = require('./http.js')
const { flag, options: named, text } = require('./arguments.js')

const COOKIE_OPTIONS = ['domain', 'path', 'secure', 'httpOnly', 'sameSite', 'partitioned']

/**
 * A function `request → {status, headers}` that never throws but for a call that is wrong. Who was logged out already, or whose token has
 * expired, is logged out: 204. Who can't be, for now: 503. What nobody has signed: 401.
 */
function leaver(given) {
  const options = readOptions(given, 'logout', ['clearCookie', 'realm', ...SOURCES])
  const { engine } = options
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

async function logOut(engine, token) {
  let claims
  try {
    claims = engine.verify(token)
  } catch (error) {
    if (error.code === 'SIGNOFF_TOKEN_REVOKED' || error.code === 'SIGNOFF_TOKEN_TOO_SOON') return
    if (error.code !== 'SIGNOFF_CLAIM_EXPIRED') return engine.revoke(token)
    claims = claimsBefore(engine, token, error.expiredAt)
    if (claims === undefined) return
  }
  await end(engine, token, claims)
}

/** The claims of a token as long as it was good: it has expired, and its session may go on. */
function claimsBefore(engine, token, expiredAt) {
  try {
    return engine.verify(token, { now: new Date(expiredAt.getTime() - 1000) })
  } catch {
    return undefined
  }
}

/** A `Set-Cookie` that ends the cookie. Path and domain must be those that it was set with. */
function clearedCookie({ cookie, clearCookie }) {
  if (cookie === undefined && clearCookie === undefined) return undefined
  if (cookie === undefined) throw argumentError('clearCookie belongs to cookie, and there is none')
  const attributes = named('clearCookie', clearCookie, COOKIE_OPTIONS)
  const { domain, path = '/', secure = false, httpOnly = true, sameSite = 'lax', partitioned = false } = attributes
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
    part('SameSite', text('clearCookie.sameSite', sameSite).replace(/^./, (first) => first.toUpperCase())),
  ].join('')
}

module.exports = { leaver }
