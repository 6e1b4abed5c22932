'use strict'

const log = require('./log.js')
const { argumentError, valueOf } = require('../errors.js')
const revocation = require('../revocation.js')
const { authenticate, readable } = require('./verify.js')

/**
 * Logs a token out that was signed with this key. It may have expired; its signature is verified first.
 * Resolves to what became of it: `'recorded'`, `'already-covered'` or `'already-expired'`.
 */
async function revoke(token, key, options = {}) {
  const open = log.openLog()
  if (open === undefined) {
    throw argumentError('no log is used: call `await jwt.useLog("./signoff.db")` when the process starts')
  }
  const { reason, ...rest } = options
  const { header, signature } = readable(token, rest)
  authenticate(token, header, signature, typeof key === 'function' ? await keyFrom(key, header) : key, rest)
  const asked = revocation.ofToken(token, reason === undefined ? {} : { reason }, 'vouched')
  return valueOf(await valueOf(open.native.revoke(asked, log.now())))
}

function keyFrom(keyOf, header) {
  return new Promise((resolve, reject) => keyOf(header, (error, key) => (error ? reject(error) : resolve(key))))
}

module.exports = revoke
