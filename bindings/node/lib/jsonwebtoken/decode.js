'use strict'

const jws = require('./jws.js')
const { own } = require('../arguments.js')

/** What a token says. Nothing is verified: anybody may have written it. */
module.exports = function decode(token, options) {
  const { complete, json } = own(options)
  const text = typeof token === 'string' ? token : typeof token === 'number' || Buffer.isBuffer(token) ? token.toString() : JSON.stringify(token)
  const decoded = jws.decode(text, { json })
  if (decoded === null) return null
  const payload = unfolded(decoded.payload)
  return complete === true ? { header: decoded.header, payload, signature: decoded.signature } : payload
}

/** A payload that is a text, though its header did not say that it is JSON. */
function unfolded(payload) {
  if (typeof payload !== 'string') return payload
  try {
    const parsed = JSON.parse(payload)
    return parsed !== null && typeof parsed === 'object' ? parsed : payload
  } catch {
    return payload
  }
}
