'use strict'

// Compact JWS by Node's own crypto, for the algorithms that the engine does not have, and for signing.

const { constants, createHmac, createSign, createVerify, timingSafeEqual } = require('node:crypto')

const ALGORITHM = /^(RS|PS|ES|HS)(256|384|512)$|^(none)$/
const COMPACT = /^[a-zA-Z0-9\-_]+?\.[a-zA-Z0-9\-_]+?\.([a-zA-Z0-9\-_]+)?$/
/** How many bytes r and s have each. RFC 7518 section 3.4. */
const HALF = { ES256: 32, ES384: 48, ES512: 66 }

function algorithmOf(name) {
  const match = ALGORITHM.exec(name)
  if (match === null) {
    throw new TypeError(
      `"${name}" is not a valid algorithm.\n  Supported algorithms are:\n  "HS256", "HS384", "HS512", "RS256", "RS384", ` +
        '"RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512" and "none".',
    )
  }
  return { family: match[1] ?? match[3], hash: `RSA-SHA${match[2]}` }
}

function signature(signingInput, algorithm, key) {
  const { family, hash } = algorithmOf(algorithm)
  if (family === 'none') return ''
  if (family === 'HS') return createHmac(hash.slice(4), key).update(signingInput).digest('base64url')
  if (family === 'ES') return ecdsa(createSign(hash).update(signingInput).sign({ key, dsaEncoding: 'ieee-p1363' }), algorithm)
  return createSign(hash).update(signingInput).sign(padded(family, key), 'base64url')
}

/** A key of another curve than the algorithm's, which only an option lets in, makes a signature of another size. */
function ecdsa(bytes, algorithm) {
  const half = bytes.length / 2
  const wanted = HALF[algorithm]
  if (half === wanted) return bytes.toString('base64url')
  const part = (from) => {
    const number = bytes.subarray(from, from + half)
    const start = number.findIndex((byte) => byte !== 0)
    const digits = start === -1 ? number.subarray(0, 0) : number.subarray(start)
    if (digits.length > wanted) throw new Error(`"${algorithm}" can't hold a signature of this key's curve`)
    return Buffer.concat([Buffer.alloc(wanted - digits.length), digits])
  }
  return Buffer.concat([part(0), part(half)]).toString('base64url')
}

function padded(family, key) {
  // The key says which: RSASSA-PKCS1-v1_5 but for keys that are made for PSS alone.
  if (family !== 'PS') return key
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
}

/** Whether the third part of a token is the key's signature of the first two. */
function isSigned(token, algorithm, key) {
  const { family, hash } = algorithmOf(algorithm)
  const [header, payload, given] = token.split('.')
  const signingInput = `${header}.${payload}`
  if (family === 'none') return given === ''
  if (family === 'HS') {
    const made = createHmac(hash.slice(4), key).update(signingInput).digest('base64url')
    return given.length === made.length && timingSafeEqual(Buffer.from(given), Buffer.from(made))
  }
  const bytes = Buffer.from(given, 'base64url')
  if (family !== 'ES') return createVerify(hash).update(signingInput).verify(padded(family, key), bytes)
  const wanted = 2 * HALF[algorithm]
  if (bytes.length !== wanted) {
    throw new TypeError(`"${algorithm}" signatures must be "${wanted}" bytes, saw "${bytes.length}"`)
  }
  try {
    return createVerify(hash).update(signingInput).verify({ key, dsaEncoding: 'ieee-p1363' }, bytes)
  } catch (error) {
    // The size of another curve than the key's: this key has not made it.
    if (error.message === 'Malformed signature') return false
    throw error
  }
}

/** The parts of a token as jsonwebtoken reads them, or null. Nothing is verified. Throws where the payload should be JSON. */
function decode(token, { json = false } = {}) {
  if (!COMPACT.test(token)) return null
  const [encodedHeader, encodedPayload, encodedSignature] = token.split('.')
  const header = headerOf(encodedHeader)
  if (!header) return null
  const text = Buffer.from(encodedPayload, 'base64').toString('utf8')
  const payload = header.typ === 'JWT' || json ? JSON.parse(text) : text
  return { header, payload, signature: encodedSignature }
}

function headerOf(encoded) {
  const bytes = Buffer.from(encoded, 'base64')
  const text = bytes.toString('utf8')
  try {
    // jsonwebtoken writes headers in Latin-1. What is not UTF-8 is read as that.
    return JSON.parse(text.includes('\ufffd') ? bytes.toString('latin1') : text)
  } catch {
    return undefined
  }
}

module.exports = { decode, headerOf, isSigned, signature }
