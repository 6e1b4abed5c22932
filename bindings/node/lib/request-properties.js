'use strict'

// Where Express's requests keep what a guard has found out about them: beside themselves. Express gives each request its
// prototype by hand, after which V8 makes a hidden class of its own for every request, and one more for every property that
// it is given: two cost half as much as verifying the token. So there are accessors instead, on the prototype that Express
// has for extending requests. What they read is carried by the array of the request's raw headers, which nobody replaces, in a
// private field: the arrays of all requests have one hidden class. Assigning to such a property makes an ordinary one.

const { IncomingMessage } = require('node:http')
const { Socket } = require('node:net')

const { argumentError } = require('./errors.js')

/** What requests have already, of Node, Express and Fastify and of what people add to them: claims must not take its place. */
const RESERVED = new Set([
  'signoff', '__proto__', 'prototype', 'constructor',
  ...Object.getOwnPropertyNames(Object.prototype),
  ...Reflect.ownKeys(new IncomingMessage(new Socket())),
  'accepts', 'app', 'baseUrl', 'body', 'cookies', 'file', 'files', 'fresh', 'get', 'header', 'host', 'hostname', 'id', 'ip', 'ips', 'is', 'is404', 'log',
  'next', 'originalUrl', 'params', 'path', 'port', 'protocol', 'query', 'range', 'raw', 'res', 'route', 'routeOptions', 'secret', 'secure', 'server',
  'session', 'signedCookies', 'stale', 'subdomains', 'xhr',
  'compileValidationSchema', 'connection', 'context', 'getDecorator', 'getValidationFunction', 'jwtDecode', 'jwtVerify', 'mediaType', 'routeConfig', 'routerMethod',
  'routerPath', 'routeSchema', 'setDecorator', 'unsignCookie', 'validateInput', 'validationError',
])

function refuseReserved(property) {
  if (property === '' || RESERVED.has(property) || property in IncomingMessage.prototype) {
    throw argumentError(`requestProperty ${JSON.stringify(property)} is what requests have already: take a name of your own, as 'auth' or 'user'`)
  }
}

/** What is carried by an object that was made elsewhere. */
class Carried extends function carrierOf(object) {
  return object
} {
  #found

  static of(object) {
    return #found in object ? object.#found : undefined
  }

  static put(object, found) {
    if (!(#found in object)) new Carried(object)
    object.#found = found
  }
}

/** By the name of a property, the prototypes of requests that have its accessor. */
const EXTENDED = new Map()

/** The getters of this module, to tell them from others. */
const GETTERS = new WeakSet()

class Found {
  constructor(request, property, claims, login, earlier) {
    this.request = request
    this.property = property
    this.claims = claims
    this.login = login
    /** By a guard with another property. */
    this.earlier = earlier
  }
}

/**
 * A function `(request, claims, login)` that makes them `request[property]` and `request.signoff`. What was there before,
 * whoever put it there, is there no more.
 */
function beside(property) {
  if (!EXTENDED.has(property)) EXTENDED.set(property, new WeakSet())
  const extended = EXTENDED.get(property)

  return function keep(request, claims, login) {
    const prototype = Object.getPrototypeOf(request)
    const isExtended = extended.has(prototype) || (extend(prototype, property) && extended.add(prototype))
    const carrier = request.rawHeaders
    const isOurs = isExtended && Array.isArray(carrier)
    if (!isOurs || Object.hasOwn(request, property) || Object.hasOwn(request, 'signoff')) {
      inside(property)(request, claims, login)
    } else {
      const earlier = EXTENDED.size > 1 ? foundOf(request) : undefined
      Carried.put(carrier, new Found(request, property, claims, login, earlier))
    }
  }
}

/** The same with ordinary properties. */
function inside(property) {
  return function keep(request, claims, login) {
    request.signoff = login
    if (claims !== undefined || request[property]) request[property] = claims
  }
}

/** Whether requests of this prototype have our accessors, once it is through. Those of plain `node:http` shall not have any. */
function extend(prototype, property) {
  let base = prototype
  while (base !== null && Object.getPrototypeOf(base) !== IncomingMessage.prototype) base = Object.getPrototypeOf(base)
  if (base === null) return false

  const accessors = [
    [property, (request) => claimsOf(request, property)],
    ['signoff', (request) => foundOf(request)?.login],
  ]
  const isOurs = (name) => GETTERS.has(Object.getOwnPropertyDescriptor(base, name)?.get)
  if (accessors.some(([name]) => name in prototype && !isOurs(name))) return false
  for (const [name, read] of accessors) if (!isOurs(name)) define(base, name, read)
  return true
}

function define(base, name, read) {
  const accessor = {
    configurable: true,
    get() {
      return read(this)
    },
    set(value) {
      Object.defineProperty(this, name, { value, configurable: true, enumerable: true, writable: true })
    },
  }
  GETTERS.add(accessor.get)
  Object.defineProperty(base, name, accessor)
}

/** What was found last about this request, and no other that has its headers. */
function foundOf(request) {
  const carrier = request.rawHeaders
  const found = Array.isArray(carrier) ? Carried.of(carrier) : undefined
  return found?.request === request ? found : undefined
}

function claimsOf(request, property) {
  let found = foundOf(request)
  while (found !== undefined && found.property !== property) found = found.earlier
  return found?.claims
}

module.exports = { beside, inside, refuseReserved }
