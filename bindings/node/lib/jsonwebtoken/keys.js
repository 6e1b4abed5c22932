'use strict'

// From what people pass as a key to a KeyObject, and to engines that verify with it. What was found out about a key
// is kept, so that it is found out once: trying a secret as a public key takes a hundred times as long as a
// verification.

const { isAnyArrayBuffer } = require('node:util').types
const { KeyObject, createPrivateKey, createPublicKey, createSecretKey } = require('node:crypto')

const log = require('./log.js')

/** How many keys are remembered that are texts or bytes, the latest of them. */
const REMEMBERED = 1000

/** A key in one of its two roles, with room for the engines that are made of it. */
class Known {
  constructor(object) {
    this.object = object
    /** By which of HS256, HS384 and HS512 they take: bits. */
    this.engines = new Map()
    /** Which log they were made for. */
    this.generation = 0
    /** Whether the engine takes it for an HMAC secret. Undefined until it was asked. */
    this.isSecret = undefined
    /** Whether it was let go, and is to be remembered anew if it comes again. */
    this.isForgotten = false
  }

  /** Ends the engines. They are made anew if the key comes again. */
  letGo() {
    for (const engine of this.engines.values()) log.letGo(engine)
    this.engines.clear()
  }
}

class Keys {
  #make
  #texts = new Map()
  #bytes = new Map()
  #objects = new WeakMap()

  /** @param make from a key that is no KeyObject to one that is */
  constructor(make) {
    this.#make = make
  }

  /** What is known of a key. Throws when it is none. */
  of(key) {
    if (typeof key === 'string') return this.#remember(this.#texts, key, key)
    if (key instanceof KeyObject) {
      let known = this.#objects.get(key)
      if (known === undefined || known.isForgotten) {
        // Secrets by their bytes: many objects may be made of one.
        known = key.type === 'secret' ? this.#remember(this.#bytes, key.export().latin1Slice(), key) : new Known(key)
        this.#objects.set(key, known)
      }
      return known
    }
    // By its bytes and not by itself: they may be changed.
    if (ArrayBuffer.isView(key)) {
      return this.#remember(this.#bytes, Buffer.from(key.buffer, key.byteOffset, key.byteLength).latin1Slice(), key)
    }
    if (isAnyArrayBuffer(key)) return this.#remember(this.#bytes, Buffer.from(key).latin1Slice(), key)
    return new Known(this.#make(key))
  }

  #remember(map, name, key) {
    let known = map.get(name)
    if (known === undefined) {
      known = new Known(key instanceof KeyObject ? key : this.#make(key))
      if (map.size >= REMEMBERED) {
        const [oldest, evicted] = map.entries().next().value
        map.delete(oldest)
        evicted.isForgotten = true
        evicted.letGo()
      }
      map.set(name, known)
    } else if (map.size >= REMEMBERED) {
      // To the end of the row: the one that was not asked for the longest goes first.
      map.delete(name)
      map.set(name, known)
    }
    return known
  }
}

const secret = (key) => createSecretKey(typeof key === 'string' ? Buffer.from(key) : key)

function firstThat(...ways) {
  return (key) => {
    for (const way of ways.slice(0, -1)) {
      try {
        return way(key)
      } catch {
        // It is no such key; perhaps another.
      }
    }
    return ways.at(-1)(key)
  }
}

module.exports = {
  forVerifying: new Keys(firstThat(createPublicKey, secret)),
  forSigning: new Keys(firstThat(createPrivateKey, secret)),
}
