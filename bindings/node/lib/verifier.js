'use strict'

// Hands out the claims of tokens that the native part has accepted. It verifies each token each time; where it has met
// the same payload before, the claims are copied rather than parsed again. No two callers are ever given the same
// object.

/** As in src/memo.rs: the slot of a number, which no other payload ever has. */
const SLOTS = 256
const slotOf = (number) => number & (SLOTS - 1)

class Verifier {
  #verify
  #payloadOf
  #copies = new Array(SLOTS)
  /** Of which number each copy is. */
  #numbers = new Array(SLOTS).fill(-1)

  /** Why the last token was not accepted. */
  fault = undefined

  #native

  constructor(native) {
    this.#native = native
    this.#verify = native.verifier()
    this.#payloadOf = native.payloadOf()
  }

  /** The claims; undefined if there are none to hand out, and then `fault` says why. `token` must be a string. */
  verify(token) {
    return this.#claims(this.#verify(token, token.length))
  }

  /** The same at a time, in milliseconds. */
  verifyAt(token, now) {
    return this.#claims(this.#verify(token, token.length, now))
  }

  close() {
    this.#native.close()
  }

  #claims(answer) {
    if (typeof answer === 'number') {
      const slot = slotOf(answer)
      if (this.#numbers[slot] !== answer) {
        const copy = copier(this.#payloadOf(answer))
        // Whatever is thrown in between leaves a number that means nothing.
        this.#numbers[slot] = -1
        this.#copies[slot] = copy
        this.#numbers[slot] = answer
      }
      return this.#copies[slot]()
    }
    if (typeof answer === 'string') return JSON.parse(answer)
    this.fault = answer
    return undefined
  }
}

/** A function that makes one more object of a payload. */
function copier(payload) {
  const claims = JSON.parse(payload)
  const lists = []
  for (const [name, value] of Object.entries(claims)) {
    if (typeof value !== 'object' || value === null) continue
    if (!Array.isArray(value) || value.some((each) => typeof each === 'object' && each !== null)) {
      return () => JSON.parse(payload)
    }
    lists.push(name)
  }
  if (lists.length === 0) return () => ({ ...claims })
  return () => {
    const copy = { ...claims }
    for (const name of lists) copy[name] = claims[name].slice()
    return copy
  }
}

module.exports = { Verifier }
