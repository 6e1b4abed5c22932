'use strict'

// Whether a token that another library has verified was logged out: for express-jwt, @fastify/jwt and their kin.
//
// They hand over what the token says, and not its text, by which it is looked up where it has no id. So the text is looked for where it may
// have been, and where more than one could be it, nobody is believed: one of them may be a forgery that says the same.

const { isDeepStrictEqual } = require('node:util')

const decode = require('./jsonwebtoken/decode.js')
const { argumentError, SignoffError } = require('./errors.js')
const { cookieName, cookies, fromAuthorization, tokenSource } = require('./http.js')

/** A function from a request to the texts that may be the token. The library that verified it may look into the header before it looks for a cookie. */
function tokenCandidates({ cookie, getToken }) {
  if (getToken !== undefined) {
    const source = tokenSource({ cookie, getToken })
    return async (request) => [await source(request)].filter((token) => typeof token === 'string')
  }
  const name = cookie === undefined ? undefined : cookieName(cookie)
  return async (request) => [...new Set([...(name === undefined ? [] : inCookies(request, name)), ...inHeader(request)])]
}

/** As they were sent, and as those who read cookies hand them over. */
function inCookies(request, name) {
  const sent = cookies(request.headers, name)
  const read = [request.cookies?.[name], request.signedCookies?.[name]].filter((value) => typeof value === 'string')
  const found = [...sent, ...sent.map(decoded), ...read]
  const unsigned = typeof request.unsignCookie === 'function' ? read.map((value) => request.unsignCookie(value)) : []
  return [...found, ...unsigned.filter(({ valid, value }) => valid && typeof value === 'string').map(({ value }) => value)]
}

function decoded(value) {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
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
  let read
  try {
    read = decode(token, { complete: true })
  } catch {
    return false
  }
  if (read === null) return false
  if (isDeepStrictEqual(read.payload, verified)) return true
  // Headers are read by others in other alphabets.
  const { payload, signature = read.signature } = verified ?? {}
  return isDeepStrictEqual(read.payload, payload) && signature === read.signature
}

/** The text of the token that was verified. Throws where it can't be found, or several may be it. */
function textOf(candidates, verified, caller, library) {
  const found = candidates.filter((token) => isOf(token, verified))
  if (found.length === 1) return found[0]
  if (found.length > 1) {
    throw new SignoffError({
      fault: 'token-missing', number: 1011, statusCode: 400, message: 'the request has several tokens that say the same, and one of them may be forged',
    })
  }
  throw argumentError(`${caller} finds another token in the request than ${library} has verified: give both the same source`)
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

/** An engine without a log knows of nobody who has logged out. */
function wantLog(engine, caller) {
  if (engine.health().origin === null) throw argumentError(`${caller} was given an engine without a log, which knows of no log-out: open it with log`)
}

module.exports = { isLoggedOut, textOf, tokenCandidates, wantLog }
