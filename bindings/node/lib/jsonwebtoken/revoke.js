'use strict'

const log = require('./log.js')
const { argumentError, valueOf } = require('../errors.js')
const { kind, options: named, own } = require('../arguments.js')
const revocation = require('../revocation.js')
const { authenticate, readable } = require('./verify.js')

/** Those of `verify`, of which the ones about a signature count, and a word for whoever reads the log. */
const OPTIONS = [
  'reason', 'algorithms', 'allowInvalidAsymmetricKeyTypes', 'audience', 'clockTimestamp', 'clockTolerance', 'complete', 'ignoreExpiration',
  'ignoreNotBefore', 'issuer', 'jwtid', 'maxAge', 'nonce', 'subject',
]

/**
 * Logs a token out that was signed with this key. It may have expired; its signature is verified first.
 * Resolves to what became of it: `'recorded'`, `'already-covered'` or `'already-expired'`.
 */
async function revoke(token, key, given) {
  const open = log.openLog()
  if (open === undefined) {
    throw argumentError('no log is used: call `await jwt.useLog("./signoff.db")` when the process starts')
  }
  const { reason, ...others } = named('options', given ?? undefined, OPTIONS)
  const rest = own(others)
  const { header, signature } = readable(token, rest)
  authenticate(token, header, signature, typeof key === 'function' ? await keyFrom(key, header) : key, rest)
  const asked = revocation.ofToken(token, reason === undefined ? {} : { reason }, 'vouched')
  return valueOf(await valueOf(open.native.revoke(asked, log.now())))
}

/** By a callback as jsonwebtoken has it, or by what the function returns: a key, or a promise of one. */
function keyFrom(keyOf, header) {
  return new Promise((resolve, reject) => {
    const returned = keyOf(header, (error, key) => (error ? reject(error) : resolve(key)))
    if (typeof returned?.then === 'function') {
      // One that calls back may be async too, and resolve to nothing.
      returned.then((key) => {
        if (key !== undefined) resolve(key)
        else if (keyOf.length < 2) reject(argumentError('the function for the key resolved to undefined, and gave no key by its callback'))
      }, reject)
    } else if (returned !== undefined && keyOf.length < 2) {
      resolve(returned)
    } else if (keyOf.length < 2) {
      reject(argumentError(`the function for the key takes no callback and returned ${kind(returned)}`))
    }
  })
}

module.exports = revoke
