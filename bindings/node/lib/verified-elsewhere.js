'use strict'

// Whether a token that another library has verified was logged out: for express-jwt, @fastify/jwt and their kin.

const { isDeepStrictEqual } = require('node:util')

const decode = require('./jsonwebtoken/decode.js')
const { cookieName, cookies, fromAuthorization, tokenSource } = require('./http.js')

/**
 * A function from a request to the tokens that may be the one which was verified. The library that did it may look into the header
 * before it looks for a cookie.
 */
function tokenCandidates({ cookie, getToken }) {
  if (getToken !== undefined) {
    const source = tokenSource({ cookie, getToken })
    return async (request) => [await source(request)].filter((token) => typeof token === 'string')
  }
  const name = cookie === undefined ? undefined : cookieName(cookie)
  return async (request) => {
    const found = name === undefined ? [] : cookies(request.headers, name)
    return [...found, ...inHeader(request)]
  }
}

function inHeader(request) {
  try {
    const token = fromAuthorization(request)
    return token === undefined ? [] : [token]
  } catch {
    // What was verified was not that.
    return []
  }
}

/** What a token says, as the library that has verified it hands it over: its claims, or all of it. */
function isOf(token, verified) {
  let decoded
  try {
    decoded = decode(token, { complete: true })
  } catch {
    return false
  }
  if (decoded === null) return false
  if (isDeepStrictEqual(decoded.payload, verified)) return true
  const { header = decoded.header, payload, signature = decoded.signature } = verified ?? {}
  return isDeepStrictEqual(decoded, { header, payload, signature })
}

/** Whether a token was logged out. Throws where that can't be said. */
function isLoggedOut(engine, token) {
  try {
    engine.screen(token)
    return false
  } catch (error) {
    if (error.code === 'SIGNOFF_TOKEN_REVOKED' || error.code === 'SIGNOFF_TOKEN_TOO_SOON') return true
    throw error
  }
}

module.exports = { isLoggedOut, isOf, tokenCandidates }
