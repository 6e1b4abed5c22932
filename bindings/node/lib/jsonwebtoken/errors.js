'use strict'

// The errors of jsonwebtoken, made in its manner: functions that others may call with `call`, and inherit from.

function JsonWebTokenError(message, error) {
  Error.call(this, message)
  if (Error.captureStackTrace) Error.captureStackTrace(this, this.constructor)
  this.name = 'JsonWebTokenError'
  this.message = message
  if (error) this.inner = error
}
inherit(JsonWebTokenError, Error)

function TokenExpiredError(message, expiredAt) {
  JsonWebTokenError.call(this, message)
  this.name = 'TokenExpiredError'
  this.expiredAt = expiredAt
}
inherit(TokenExpiredError, JsonWebTokenError)

function NotBeforeError(message, date) {
  JsonWebTokenError.call(this, message)
  this.name = 'NotBeforeError'
  this.date = date
}
inherit(NotBeforeError, JsonWebTokenError)

/**
 * Beside the three: the token was logged out. `scope` says by what: `token`, `session`, `subject` or `everything`. `retryAfter`: it
 * was issued within seconds of a log-out everywhere, and after so many seconds a new one will be good.
 *
 * Its name is that of an error which every user of jsonwebtoken answers with 401: who compares names knows no other yet.
 */
function TokenRevokedError(message, scope, retryAfter) {
  JsonWebTokenError.call(this, message)
  this.code = 'SIGNOFF_TOKEN_REVOKED'
  this.status = 401
  this.statusCode = 401
  this.expose = false
  this.scope = scope
  if (retryAfter !== undefined) this.retryAfter = retryAfter
}
inherit(TokenRevokedError, JsonWebTokenError)

function inherit(Child, Parent) {
  Child.prototype = Object.create(Parent.prototype)
  Child.prototype.constructor = Child
}

module.exports = { JsonWebTokenError, NotBeforeError, TokenExpiredError, TokenRevokedError }
