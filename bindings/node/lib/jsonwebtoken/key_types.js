'use strict'

// Which algorithms an asymmetric key may be used with.

const ALLOWED = {
  ec: ['ES256', 'ES384', 'ES512'],
  rsa: ['RS256', 'PS256', 'RS384', 'PS384', 'RS512', 'PS512'],
  'rsa-pss': ['PS256', 'PS384', 'PS512'],
}
const CURVES = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' }

/** Throws when a key and an algorithm don't belong together. */
module.exports = function requireKeyType(algorithm, key) {
  const type = key?.asymmetricKeyType
  if (!algorithm || !type) return
  const allowed = ALLOWED[type]
  if (!allowed) throw new Error(`Unknown key type "${type}".`)
  if (!allowed.includes(algorithm)) {
    throw new Error(`"alg" parameter for "${type}" key type must be one of: ${allowed.join(', ')}.`)
  }
  const details = key.asymmetricKeyDetails
  if (type === 'ec' && details.namedCurve !== CURVES[algorithm]) {
    throw new Error(`"alg" parameter "${algorithm}" requires curve "${CURVES[algorithm]}".`)
  }
  if (type === 'rsa-pss') {
    const bits = Number(algorithm.slice(-3))
    const wrong = (what) => new Error(`Invalid key for this operation, its RSA-PSS ${what} the requirements of "alg" ${algorithm}.`)
    if (details.hashAlgorithm !== `sha${bits}` || details.mgf1HashAlgorithm !== details.hashAlgorithm) {
      throw wrong('parameters do not meet')
    }
    if (details.saltLength !== undefined && details.saltLength > bits >> 3) {
      throw wrong('parameter saltLength does not meet')
    }
  }
}
