'use strict'

/**
 * What is thrown, and what promises are rejected with. `code` says which row of the status table, `status` and `statusCode`
 * what a server may answer with: 401 when the token is at fault, 400 when it can't be found in the request, 503 when we cannot tell,
 * 500 when the call is wrong.
 *
 * Frameworks send `message` to whoever has asked. Of a token and of the log it says nothing that is not for them: that is in `detail`.
 */
class SignoffError extends Error {
  /** @param {object} fault as the native part hands it over */
  constructor({ fault, number, statusCode, message, ...fields }, isForSender = true) {
    const told = isForSender ? toldSender(fault, number, statusCode) : undefined
    super(told ?? message)
    this.code = codeOf(fault)
    this.number = number
    this.statusCode = statusCode
    this.status = statusCode
    if (told !== undefined) this.detail = message
    for (const [name, value] of Object.entries(fields)) {
      this[name] = TIMES.has(name) ? new Date(value) : value
    }
  }
}

Object.defineProperty(SignoffError.prototype, 'toJSON', {
  /** What a handler sends that answers with the error itself: nothing that is not for its sender. */
  value() {
    const { detail: _, ...others } = this
    return { name: this.name, message: this.message, ...others }
  },
  configurable: true,
  writable: true,
})

// As http-errors has it: the message of a 500 is for nobody outside, and those of ours need not be either.
for (const [name, value] of Object.entries({ name: 'SignoffError', expose: false })) {
  Object.defineProperty(SignoffError.prototype, name, { value, configurable: true, writable: true })
}

const TIMES = new Set(['expiredAt', 'validFrom', 'issuedAt'])

/** From here on a status is about the log: docs/status-codes.md. */
const OF_THE_LOG = 5000

/** What anybody may read in place of what was wrong with a token or the log. Undefined of a call that is wrong. */
function toldSender(fault, number, statusCode) {
  if (statusCode === 503 || number >= OF_THE_LOG) return 'temporarily unavailable'
  if (statusCode === 400) return 'invalid request'
  if (statusCode === 401) return fault === 'token-missing' ? 'no token' : 'invalid token'
  return undefined
}

/** `claim-expired` as it is written in JavaScript: `SIGNOFF_CLAIM_EXPIRED`. */
function codeOf(name) {
  return `SIGNOFF_${name.toUpperCase().replaceAll('-', '_')}`
}

const isFault = (answer) => typeof answer === 'object' && answer !== null && answer.fault !== undefined

/** The value, or what went wrong instead as an exception. */
function valueOf(answer) {
  if (isFault(answer)) throw new SignoffError(answer)
  return answer
}

/** The same of what no request asks for: opening an engine, looking after a log. The message says all. */
function valueForHost(answer) {
  if (isFault(answer)) throw new SignoffError(answer, false)
  return answer
}

/** A call that is wrong. */
function argumentError(message) {
  return new SignoffError({ fault: 'err-argument', number: 21, statusCode: 500, message })
}

/** A token that is no text. The sender may have made it so (`?token[]=`), so it is a fault of the token. */
function notText(token) {
  const what = token === null ? 'null' : Array.isArray(token) ? 'an array' : typeof token
  return new SignoffError({
    fault: 'token-not-text',
    number: 1010,
    statusCode: 401,
    message: `the token is ${what === 'undefined' || what === 'null' || what.startsWith('an ') ? what : `of type ${what}`}, not a string`,
  })
}

/** A request without a token. */
function tokenMissing(message) {
  return new SignoffError({ fault: 'token-missing', number: 1011, statusCode: 401, message })
}

/** A request of which nobody can say what its token is. */
function requestMalformed(message) {
  return new SignoffError({ fault: 'token-missing', number: 1011, statusCode: 400, message })
}

module.exports = { SignoffError, argumentError, notText, requestMalformed, tokenMissing, valueForHost, valueOf }
