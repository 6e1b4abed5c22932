'use strict'

// The drop-in, held to the package that it replaces: the same token, key and options go to both, and the outcome must be
// the same: the claims, or an error of the same class, message and fields. What is refused on purpose is named here.

const test = require('node:test')
const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const { inspect, isDeepStrictEqual } = require('node:util')

const theirs = require('jsonwebtoken')
const ours = require('../jsonwebtoken.js')

const SECRET = 'a secret of at least 32 bytes, kept secret'
const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
const smallRsa = crypto.generateKeyPairSync('rsa', { modulusLength: 1024 })
const pss = crypto.generateKeyPairSync('rsa-pss', {
  modulusLength: 2048, hashAlgorithm: 'sha256', mgf1HashAlgorithm: 'sha256', saltLength: 32,
})
const ec = crypto.generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const ec384 = crypto.generateKeyPairSync('ec', { namedCurve: 'secp384r1' })
const ed = crypto.generateKeyPairSync('ed25519')
const pem = (key) => key.export({ type: key.type === 'public' ? 'spki' : 'pkcs8', format: 'pem' })

const VERIFY_KEYS = {
  secret: SECRET,
  buffer: Buffer.from(SECRET),
  bytes: new Uint8Array(Buffer.from(SECRET)),
  object: crypto.createSecretKey(Buffer.from(SECRET)),
  short: 'shh',
  other: 'another secret',
  rsa: pem(rsa.publicKey),
  rsaObject: rsa.publicKey,
  rsaPrivate: pem(rsa.privateKey),
  rsaPrivateObject: rsa.privateKey,
  rsaJwk: { key: rsa.publicKey.export({ format: 'jwk' }), format: 'jwk' },
  smallRsa: pem(smallRsa.publicKey),
  pss: pem(pss.publicKey),
  ec: pem(ec.publicKey),
  ec384: pem(ec384.publicKey),
  ed: pem(ed.publicKey),
  empty: '',
  none: undefined,
  nothing: null,
  number: 7,
  object2: {},
  array: [],
  yes: true,
}

const NOW = Math.floor(Date.now() / 1000)
const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

function handMade(header, payload, secret = SECRET, hash = 'sha256') {
  const input = `${b64(header)}.${b64(payload)}`
  return `${input}.${crypto.createHmac(hash, secret).update(input).digest('base64url')}`
}

const HS = { alg: 'HS256', typ: 'JWT' }

/** Claims, each of which matters to some option. */
const PAYLOADS = [
  { sub: 'u', iat: NOW, exp: NOW + 60 },
  { sub: 'u', iat: NOW - 100, exp: NOW - 50 },
  { iat: NOW + 50, nbf: NOW + 50 },
  { exp: NOW }, { exp: NOW + 1 }, { nbf: NOW }, { nbf: NOW + 1 }, { exp: NOW + 0.5 }, { nbf: NOW + 0.5 },
  { exp: 'soon' }, { exp: null }, { exp: true }, { nbf: 'x' }, { nbf: {} }, { exp: (NOW + 60) * 1000 }, { exp: -1 },
  { iat: 'then' }, { iat: null }, { iat: 0 }, { iat: NOW - 90.5 }, {},
  { aud: 'api' }, { aud: ['web', 'api'] }, { aud: [] }, { aud: 7 }, { iss: 'https://id' }, { iss: ['https://id'] },
  { jti: 'a', nonce: 'n', sub: 's', iss: 'i', aud: 'a' }, { sub: 7 }, { sub: '' }, { jti: { a: 1 } },
  { name: 'Zoë 😀', nested: { list: [1, { a: null }] } },
]

const OPTIONS = [
  undefined, {}, null, { algorithms: ['HS256'] }, { algorithms: ['HS512', 'HS256'] }, { algorithms: ['RS256'] },
  { algorithms: [] }, { algorithms: ['none'] }, { algorithms: 'HS256' }, { algorithms: ['ES256', 'PS256', 'RS256'] },
  { complete: true }, { ignoreExpiration: true }, { ignoreNotBefore: true }, { clockTolerance: 60 }, { clockTolerance: 1 },
  { clockTimestamp: NOW - 100 }, { clockTimestamp: NOW + 100 }, { clockTimestamp: 0 }, { clockTimestamp: 'now' },
  { audience: 'api' }, { audience: /^a/ }, { audience: ['x', /pi$/] }, { audience: '' }, { issuer: 'https://id' },
  { issuer: ['i', 'https://id'] }, { issuer: '' }, { subject: 's' }, { subject: 'u' }, { jwtid: 'a' }, { jwtid: 'b' },
  { nonce: 'n' }, { nonce: 'm' }, { nonce: '' }, { nonce: 7 }, { maxAge: '1m' }, { maxAge: 120 }, { maxAge: '120' },
  { maxAge: 'soon' }, { maxAge: {} }, { maxAge: '1m', clockTolerance: 60 },
  { allowInvalidAsymmetricKeyTypes: true }, { allowInvalidAsymmetricKeyTypes: 1 },
]

function outcome(run) {
  try {
    return { value: run() }
  } catch (error) {
    return { error }
  }
}

/** What a caller can see of an error. */
function seen({ value, error }) {
  if (error === undefined) return { value }
  const { name, message, expiredAt, date, inner } = error
  const plain = Object.getPrototypeOf(error).constructor.name
  return { name, message, expiredAt, date, inner, kind: plain === '' ? name : plain }
}

function same(call, note, refusedOnPurpose = []) {
  const [expected, got] = [outcome(() => call(theirs)), outcome(() => call(ours))]
  const reason = got.error && refusedOnPurpose.find((why) => why.test(got.error.detail ?? got.error.message))
  if (reason && expected.error === undefined) {
    assert(got.error instanceof ours.JsonWebTokenError, note())
    return 'refused'
  }
  assert.deepEqual(seen(got), seen(expected), note())
  return expected.error ? 'error' : 'value'
}

test('every payload under every option gets the same claims or the same error', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: NOW * 1000 })
  const counts = { value: 0, error: 0, refused: 0 }
  for (const payload of PAYLOADS) {
    const token = handMade(HS, payload)
    for (const options of OPTIONS) {
      for (const key of ['secret', 'object']) {
        const note = () => `${JSON.stringify(payload)} ${JSON.stringify(options)} ${key}`
        counts[same((jwt) => jwt.verify(token, VERIFY_KEYS[key], options), note)]++
      }
    }
  }
  assert.equal(counts.refused, 0)
  assert(counts.value > 500 && counts.error > 500, JSON.stringify(counts))
})

const SIGNED = [
  ['HS256', SECRET], ['HS384', SECRET], ['HS512', SECRET], ['HS256', 'shh'], ['RS256', rsa.privateKey],
  ['RS384', pem(rsa.privateKey)], ['RS512', rsa.privateKey], ['PS256', rsa.privateKey], ['PS384', rsa.privateKey],
  ['PS256', pss.privateKey], ['ES256', ec.privateKey], ['ES384', ec384.privateKey],
]

test('every algorithm with every key and option gets the same claims or the same error', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: NOW * 1000 })
  const counts = { value: 0, error: 0, refused: 0 }
  const algorithmOptions = OPTIONS.filter((options) => !options || options.algorithms || options.complete || 'allowInvalidAsymmetricKeyTypes' in options)
  for (const [algorithm, key] of SIGNED) {
    const token = theirs.sign({ sub: 'u', iat: NOW }, key, { algorithm, expiresIn: '1h' })
    const broken = `${token.slice(0, -6)}AAAAAA`
    for (const given of [token, broken, token.slice(0, -2), token.replace(/\.[^.]*$/, '.')]) {
      for (const [name, verifyKey] of Object.entries(VERIFY_KEYS)) {
        for (const options of algorithmOptions) {
          const note = () => `${algorithm} ${given === token} ${name} ${JSON.stringify(options)}`
          counts[same((jwt) => jwt.verify(given, verifyKey, options), note, [/not canonical base64url/])]++
        }
      }
    }
  }
  assert(counts.value > 100 && counts.error > 1000, JSON.stringify(counts))
})

test('what is no token gets the same error', () => {
  const token = theirs.sign({ sub: 'u' }, SECRET)
  const [header, payload, signature] = token.split('.')
  const malformed = [
    undefined, null, '', 'a', 'a.b', 'a.b.c', 'a.b.c.d', 7, {}, [], Buffer.from(token), true, ` ${token}`, `${token} `, `${token}=`,
    `${header}.${payload}.`, `${header}..${signature}`, `.${payload}.${signature}`, `${token}\n`, 'ä.ö.ü', `${token}é`,
    `${b64('[]')}.${payload}.${signature}`, `${b64('7')}.${payload}.${signature}`, `${b64('null')}.${payload}.${signature}`,
    `${b64('{"alg":"HS256"')}.${payload}.${signature}`, `${b64({ alg: 'HS256', typ: 'JWT' })}.${b64('{')}.${signature}`,
    handMade({ alg: 'HS256' }, 'a text'), handMade({ alg: 'HS256' }, '7'), handMade(HS, '7'), handMade(HS, '"x"'),
    handMade({ alg: 'hs256' }, {}), handMade({ alg: 'none' }, {}), handMade({ typ: 'JWT' }, {}), handMade({ alg: 7 }, {}),
    handMade({ alg: 'HS256', kid: 7 }, {}), handMade({ alg: 'HS256', typ: 7 }, { sub: 'u' }), `${b64({ alg: 'none' })}.${b64({ sub: 'u' })}.`,
  ]
  for (const given of malformed) {
    for (const key of ['secret', 'object', 'none', 'empty', 'rsa']) {
      for (const options of [undefined, { algorithms: ['none'] }, { algorithms: ['HS256', 'none'] }, { complete: true }]) {
        const note = () => `${String(given)} ${key} ${JSON.stringify(options)}`
        same((jwt) => jwt.verify(given, VERIFY_KEYS[key], options), note)
        same((jwt) => jwt.decode(given), note)
        same((jwt) => jwt.decode(given, options), note)
      }
    }
  }
})

/** What jsonwebtoken accepts, and the drop-in refuses on purpose: README.md lists it. */
test('what is unsafe is refused', () => {
  const refused = {
    'a critical extension that nobody understands': handMade({ ...HS, crit: ['exp'] }, { sub: 'u' }),
    'an end that never comes': handMade(HS, '{"exp":1e999}'),
    'a claim that comes twice': handMade(HS, '{"sub":"u","sub":"admin"}'),
    'a claim that comes twice, once with an escape': handMade(HS, '{"jti":"a","\\u006ati":"b"}'),
    'a header parameter that comes twice': handMade('{"alg":"HS256","alg":"HS256","typ":"JWT"}', { sub: 'u' }),
    'a claim that comes twice, under a kid that is a number': handMade({ ...HS, kid: 5 }, '{"sub":"u","sub":"admin"}'),
    'an array in place of claims, under a kid that is a number': handMade({ ...HS, kid: 5 }, '[{"exp":1}]'),
    'an array in place of claims': handMade(HS, '[{"exp":1}]'),
    'a text that holds an object in place of claims': handMade(HS, '"{\\"sub\\":\\"u\\"}"'),
    'null in place of claims': handMade(HS, 'null'),
    'claims that are not UTF-8': (() => {
      const input = `${b64(HS)}.${Buffer.from('{"sub":"\xff"}', 'latin1').toString('base64url')}`
      return `${input}.${crypto.createHmac('sha256', SECRET).update(input).digest('base64url')}`
    })(),
  }
  for (const [what, token] of Object.entries(refused)) {
    assert.throws(() => ours.verify(token, SECRET), ours.JsonWebTokenError, what)
  }
  const nonceTwice = handMade(HS, '{"nonce":"a","nonce":"n"}')
  assert.equal(theirs.verify(nonceTwice, SECRET, { nonce: 'n' }).nonce, 'n')
  assert.throws(() => ours.verify(nonceTwice, SECRET, { nonce: 'n' }), ours.JsonWebTokenError)
  const token = theirs.sign({ iss: 'someone' }, SECRET)
  assert.throws(() => ours.verify(token, SECRET, { issuer: /^https:/ }), /must be a string or an array/)
  // A public key that can't be read must not become a secret: everybody has it.
  const damaged = pem(rsa.publicKey).replace('MII', 'MI')
  const forged = handMade(HS, { sub: 'admin' }, damaged)
  assert.equal(theirs.verify(forged, damaged).sub, 'admin')
  assert.throws(() => ours.verify(forged, damaged), /not valid key material/)
})

test('an expression with a memory gives the same answer each time', () => {
  const token = theirs.sign({ aud: 'api' }, SECRET)
  const audience = /api/g
  for (let count = 0; count < 3; count++) assert.equal(ours.verify(token, SECRET, { audience }).aud, 'api')
})

const SIGN_OPTIONS = [
  undefined, {}, { expiresIn: 60 }, { expiresIn: '1d' }, { expiresIn: '60' }, { expiresIn: 1.5 }, { expiresIn: 'soon' }, { expiresIn: '' },
  { expiresIn: null }, { notBefore: '10s' }, { notBefore: 5 }, { notBefore: {} }, { audience: 'a' }, { audience: ['a', 'b'] }, { audience: 7 },
  { issuer: 'i' }, { issuer: 7 }, { subject: 's' }, { subject: 7 }, { jwtid: 'j' }, { jwtid: 7 }, { noTimestamp: true }, { noTimestamp: 'x' },
  { keyid: 'k' }, { keyid: 7 }, { header: { x: 1 } }, { header: 'x' }, { header: { alg: 'HS512' } }, { header: { typ: 'at+jwt' } }, { encoding: 'utf8' }, { encoding: 7 },
  { algorithm: 'HS384' }, { algorithm: 'HS999' }, { algorithm: 'RS256' }, { algorithm: 'none' }, { algorithm: 'ES256' }, { mutatePayload: true }, { mutatePayload: 7 },
  { unknown: 1 }, { allowInsecureKeySizes: true, algorithm: 'RS256' }, { allowInsecureKeySizes: 7 }, { allowInvalidAsymmetricKeyTypes: 7 },
]

const SIGN_PAYLOADS = [
  {}, { sub: 'u' }, { iat: 7 }, { iat: 'x' }, { exp: NOW + 7 }, { exp: 'x' }, { nbf: 7 }, { aud: 'a', iss: 'i', sub: 's', jti: 'j' }, 'a text', '',
  7, true, null, undefined, [], Buffer.from('bytes'), new Date(0), Object.create(null), { toJSON: () => ({ x: 1 }) }, { __proto__: { x: 1 } },
  { name: 'Zoë 😀' },
]

const SIGN_KEYS = {
  secret: SECRET, buffer: Buffer.from('shh'), object: crypto.createSecretKey(Buffer.from(SECRET)), rsa: pem(rsa.privateKey), rsaObject: rsa.privateKey,
  smallRsa: pem(smallRsa.privateKey), public: pem(rsa.publicKey), ec: ec.privateKey, none: undefined, empty: '', number: 7, plain: {},
}

test('what is signed is the same token, and what is not is the same error', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: NOW * 1000 })
  const counts = { value: 0, error: 0 }
  for (const payload of SIGN_PAYLOADS) {
    for (const options of SIGN_OPTIONS) {
      for (const [name, key] of Object.entries(SIGN_KEYS)) {
        const note = () => `${String(payload?.constructor?.name)} ${JSON.stringify(payload)} ${JSON.stringify(options)} ${name}`
        const copy = () => (payload?.constructor === Object && !('toJSON' in payload) ? { ...payload } : payload)
        const isRandom = name.startsWith('ec') || /PS|ES/.test(options?.algorithm ?? '')
        const call = (jwt) => {
          const token = jwt.sign(copy(), key, options)
          return isRandom ? token.slice(0, token.lastIndexOf('.')) : token
        }
        counts[same(call, note)]++
      }
    }
  }
  assert(counts.value > 1000 && counts.error > 1000, JSON.stringify(counts))
})

test('a claim that is called __proto__ is signed and read as any other', () => {
  const claims = JSON.parse('{"__proto__":{"admin":true},"sub":"u"}')
  const read = ours.verify(ours.sign(claims, SECRET), SECRET)
  assert.deepEqual(Object.getOwnPropertyDescriptor(read, '__proto__').value, { admin: true })
  assert.equal(Object.getPrototypeOf(read), Object.prototype)
  assert.equal(read.admin, undefined)
})

test('callbacks are given the same, and verify calls them at once', async () => {
  const token = theirs.sign({ sub: 'u' }, SECRET)
  const expired = theirs.sign({ exp: 1 }, SECRET)
  const keyOf = (wanted) => (header, done) => (wanted === undefined ? done(new Error('no such key')) : done(null, wanted))
  for (const given of [token, expired, 'x', undefined]) {
    for (const key of [SECRET, keyOf(SECRET), keyOf('other'), keyOf(undefined)]) {
      const [expected, got] = [theirs, ours].map((jwt) => {
        let seenHere
        jwt.verify(given, key, (error, value) => (seenHere = seen(error ? { error } : { value })))
        return seenHere
      })
      assert.notEqual(got, undefined, 'called at once')
      assert.deepEqual(got, expected)
    }
  }
  for (const [payload, options] of [[{ a: 1 }, {}], [{ exp: 'x' }, {}], [{ a: 1 }, { expiresIn: 'soon' }], ['text', {}]]) {
    const [expected, got] = await Promise.all(
      [theirs, ours].map((jwt) => new Promise((resolve) => jwt.sign(payload, SECRET, { noTimestamp: payload.a ? true : undefined, ...options }, (error, value) => resolve(seen(error ? { error } : { value }))))),
    )
    assert.deepEqual(got, expected)
  }
})

test('a callback that throws is not called twice', () => {
  let calls = 0
  const token = theirs.sign({ sub: 'u' }, SECRET)
  const throwing = () => { calls++; throw new Error('mine') }
  assert.throws(() => ours.verify(token, SECRET, throwing), /mine/)
  assert.throws(() => ours.verify(token, (header, done) => done(null, SECRET), throwing), /mine/)
  assert.equal(calls, 2)
  const fails = () => { throw new RangeError('the key function') }
  for (const jwt of [theirs, ours]) assert.throws(() => jwt.verify(token, fails, () => assert.fail('not called')), RangeError)
})

test('options are those of the call, also when the key comes later', () => {
  const token = theirs.sign({ nonce: 'a' }, SECRET)
  const options = { nonce: 'a' }
  let later
  let seenHere
  ours.verify(token, (header, done) => (later = done), options, (error, claims) => (seenHere = error ?? claims))
  options.nonce = 'b'
  later(null, SECRET)
  assert.equal(seenHere.nonce, 'a')
})

test('many keys come and go', () => {
  const token = theirs.sign({ sub: 'u' }, SECRET)
  for (let count = 0; count < 2500; count++) {
    assert.throws(() => ours.verify(token, `another secret ${count}`), { message: 'invalid signature' })
    assert.equal(ours.verify(token, crypto.createSecretKey(Buffer.from(SECRET))).sub, 'u')
  }
  assert.equal(ours.verify(token, SECRET).sub, 'u')
})

test('errors are made and told apart as those of jsonwebtoken', () => {
  for (const name of ['JsonWebTokenError', 'TokenExpiredError', 'NotBeforeError']) {
    const [a, b] = [theirs, ours].map((jwt) => new jwt[name]('text', new Date(0)))
    assert.deepEqual(Object.entries(b), Object.entries(a))
    assert(b instanceof ours.JsonWebTokenError && b instanceof Error)
    assert.equal(b.toString(), a.toString())
    assert(b.stack.includes('differential'))
  }
})

test('the clock is Date.now(), read at the call', (t) => {
  const token = ours.sign({ sub: 'u' }, SECRET, { expiresIn: '1h' })
  t.mock.timers.enable({ apis: ['Date', 'setTimeout', 'setInterval', 'setImmediate'], now: Date.now() })
  assert.equal(ours.verify(token, SECRET).sub, 'u')
  t.mock.timers.tick(3600 * 1000)
  assert.throws(() => ours.verify(token, SECRET), ours.TokenExpiredError)
  t.mock.timers.setTime(0)
  assert.equal(ours.verify(token, SECRET).sub, 'u', 'at the epoch')
})

/** Numbers that are the same in each run: mulberry32. */
function generator(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

const VALUES = [
  'a', 'b', '', 'api', 'https://id', 'u', 'Zoë 😀', 0, 1, 7, -1, 1.5, 2 ** 53, NOW, NOW - 1, NOW + 1, NOW - 60, NOW + 60, NOW + 0.5, '60', '1m', '1d', 'soon', true, false,
  null, undefined, [], ['a'], ['a', 'api'], ['a', 7], {}, { a: 1 }, /^a/, NaN, Infinity,
]
const CLAIM_NAMES = ['sub', 'iss', 'aud', 'exp', 'nbf', 'iat', 'jti', 'sid', 'nonce', 'name']
const VERIFY_NAMES = [
  'algorithms', 'audience', 'clockTimestamp', 'clockTolerance', 'complete', 'issuer', 'ignoreExpiration', 'ignoreNotBefore', 'jwtid', 'nonce', 'subject', 'maxAge',
  'allowInvalidAsymmetricKeyTypes', 'unknown',
]
const SIGN_NAMES = [
  'algorithm', 'keyid', 'expiresIn', 'notBefore', 'audience', 'subject', 'issuer', 'jwtid', 'mutatePayload', 'noTimestamp', 'header', 'encoding', 'allowInsecureKeySizes',
  'allowInvalidAsymmetricKeyTypes', 'unknown',
]
/** As many as are made in each run of the suite; `CALLS=100000` for more. */
const CALLS = Number(process.env.CALLS ?? 20_000)

/**
 * What the drop-in refuses on purpose has a `detail` that the original's errors have not, or is one of these. Anything else that differs, README.md
 * would have to say.
 */
const SAID_IN_README = /^"issuer" must be a string or an array of strings|^jwt payload is null|is not valid key material: it is a PEM/

for (const withLog of [false, true]) {
  test(`${CALLS} random calls differ in nothing that README.md does not list, ${withLog ? 'with' : 'without'} a log`, async (t) => {
    if (withLog) {
      await ours.useLog(':memory:')
      t.after(() => ours.closeLog())
    }
    t.mock.timers.enable({ apis: ['Date'], now: NOW * 1000 })
    const random = generator(withLog ? 2 : 1)
    const below = (count) => Math.floor(random() * count)
    const one = (list) => list[below(list.length)]
    const some = (names, max, value) => Object.fromEntries(Array.from({ length: below(max + 1) }, () => one(names)).map((name) => [name, value(name)]))
    const counts = { same: 0, refused: 0 }

    const listed = (expected, got, note) => {
      const differs = () => {
        if (isDeepStrictEqual(seen(got), seen(expected))) return
        // As texts: a reporter can't show every date.
        const [want, have] = [expected, got].map((each) => inspect(seen(each), { depth: 9, breakLength: 200 }))
        assert.equal(have, want, `${note()}\n  theirs: ${want}\n  ours: ${have}`)
      }
      if (got.error === undefined) return differs()
      // An error of JavaScript itself is no answer of the original's either.
      if (expected.error !== undefined && !(expected.error instanceof TypeError)) return differs()
      const isOnPurpose = got.error instanceof ours.JsonWebTokenError && (got.error.detail !== undefined || SAID_IN_README.test(got.error.message))
      if (!isOnPurpose) return differs()
      counts.refused++
      return undefined
    }
    const compare = (call, note) => {
      const [expected, got] = [outcome(() => call(theirs)), outcome(() => call(ours))]
      counts.same++
      listed(expected, got, note)
    }
    const payload = () => (below(20) === 0 ? one(['a text', '7', '"x"', '[1]', 'null', '{"a":1}']) : some(CLAIM_NAMES, 5, (name) => (/exp|nbf|iat/.test(name) && below(3) > 0 ? NOW + below(121) - 60 : one(VALUES))))
    const verifyOptions = () => (below(4) === 0 ? undefined : some(VERIFY_NAMES, 4, (name) => (name === 'algorithms' ? one([['HS256'], ['HS256', 'HS512'], ['RS256'], [], 'HS256', ['none'], undefined]) : one(VALUES))))
    const header = () => (below(4) > 0 ? HS : { ...HS, ...some(['kid', 'typ', 'cty', 'x', 'crit', 'b64', 'alg'], 2, () => one(['a', 'JWT', 'none', 'HS512', 7, null, ['exp']])) })
    const mutated = (token) => {
      const at = below(token.length)
      return one([token, token, token, `${token.slice(0, at)}${one(['A', '.', '=', 'é', ''])}${token.slice(at + 1)}`, token.slice(0, at)])
    }
    const keys = ['secret', 'object', 'none', 'empty', 'rsa'].map((name) => VERIFY_KEYS[name])

    for (let call = 0; call < CALLS; call++) {
      switch (below(4)) {
        case 0: {
          const [claims, options] = [payload(), some(SIGN_NAMES, 3, () => one(VALUES.filter((value) => value !== 'Zoë 😀')))]
          const note = () => `call ${call}: sign ${JSON.stringify(claims)} ${JSON.stringify(options)}`
          compare((jwt) => jwt.sign(typeof claims === 'object' ? { ...claims } : claims, SECRET, { ...options }), note)
          break
        }
        case 1: {
          const token = mutated(handMade(header(), payload()))
          const options = one([undefined, { complete: true }, { json: true }, { complete: 1 }])
          compare((jwt) => jwt.decode(token, options), () => `call ${call}: decode ${token} ${JSON.stringify(options)}`)
          break
        }
        default: {
          const [token, options, key] = [mutated(handMade(header(), payload())), verifyOptions(), below(5) > 0 ? SECRET : one(keys)]
          compare((jwt) => jwt.verify(token, key, options && { ...options }), () => `call ${call}: verify ${token} ${JSON.stringify(options)} ${String(key).slice(0, 20)}`)
        }
      }
    }
    assert.equal(counts.same, CALLS)
    assert(counts.refused > 100 && counts.refused < CALLS / 4, `${counts.refused} refused on purpose`)
  })
}
