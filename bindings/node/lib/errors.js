'use strict'

/**
 * What is thrown, and what promises are rejected with. `code` says which row of the status table, `statusCode` what a
 * server may answer with: 401 when the token is at fault, 503 when we cannot tell, 500 when the call is wrong.
 */
class SignoffError extends Error {
  /** @param {object} fault as the native part hands it over */
  constructor({ fault, number, statusCode, message, ...fields }) {
    super(message)
    this.code = codeOf(fault)
    this.number = number
    this.statusCode = statusCode
    for (const [name, value] of Object.entries(fields)) {
      this[name] = TIMES.has(name) ? new Date(value) : value
    }
  }
}

Object.defineProperty(SignoffError.prototype, 'name', { value: 'SignoffError', configurable: true, writable: true })

const TIMES = new Set(['expiredAt', 'validFrom', 'issuedAt'])

/** `claim-expired` as it is written in JavaScript: `SIGNOFF_CLAIM_EXPIRED`. */
function codeOf(name) {
  return `SIGNOFF_${name.toUpperCase().replaceAll('-', '_')}`
}

/** The value, or what went wrong instead as an exception. */
function valueOf(answer) {
  if (typeof answer === 'object' && answer !== null && answer.fault !== undefined) {
    throw new SignoffError(answer)
  }
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

module.exports = { SignoffError, argumentError, notText, tokenMissing, valueOf }
