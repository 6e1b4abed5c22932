'use strict'

// The engine: opening, verifying, logging out, in one thread and in many, and with every argument wrong.

const test = require('node:test')
const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawnSync, fork } = require('node:child_process')
const { Worker } = require('node:worker_threads')

const { Engine, SignoffError } = require('../index.js')

const SECRET = 'a secret of at least 32 bytes, kept secret'
const ROOT = path.join(__dirname, '..')

function scratchFile(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'signoff-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return path.join(folder, 'signoff.db')
}

function memory(t, options) {
  const engine = Engine.openSync({ secret: SECRET, log: ':memory:', ...options })
  t.after(() => engine.close())
  return engine
}

const code = (wanted) => (error) => error instanceof SignoffError && error.code === wanted

test('a token is good until it is logged out, in every process on the log and after a restart', async (t) => {
  const log = scratchFile(t)
  const engine = await Engine.open({ secret: SECRET, log })
  assert.equal(engine.health().origin, 'created')
  const [token, other] = [1, 2].map(() => engine.sign({ sub: '42' }, { expiresIn: '1d' }))
  assert.equal(engine.verify(token).sub, '42')
  assert.equal(await engine.revoke(token), 'recorded')
  assert.equal(await engine.revoke(token), 'already-covered')
  assert.throws(() => engine.verify(token), (error) => {
    assert.deepEqual([error.name, error.code, error.number, error.statusCode, error.scope], ['SignoffError', 'SIGNOFF_TOKEN_REVOKED', 4002, 401, 'token'])
    return true
  })
  assert.equal(engine.verify(other).sub, '42')
  engine.close()
  const again = await Engine.open({ secret: SECRET, log, logMustExist: true })
  assert.equal(again.health().origin, 'found')
  assert.throws(() => again.verify(token), code('SIGNOFF_TOKEN_REVOKED'))
  again.close()
  await assert.rejects(Engine.open({ secret: SECRET, log: `${log}.missing`, logMustExist: true }), code('SIGNOFF_LOG_MISSING'))
})

test('sessions, subjects and everything can be logged out, and what is to be kept is', async (t) => {
  const engine = memory(t)
  const sign = (claims) => engine.sign(claims, { expiresIn: '1h' })
  const [here, there, session] = [sign({ sub: 'a', jti: 'here' }), sign({ sub: 'a' }), sign({ sub: 'b', sid: 's' })]
  await engine.revokeSubject('a', { keep: 'here', reason: 'password changed' })
  assert.equal(engine.verify(here).jti, 'here')
  assert.throws(() => engine.verify(there), { scope: 'subject' })
  const claims = engine.verify(sign({ sub: 'd', sid: 'login', jti: 'one' }))
  const refresh = sign({ sub: 'd', sid: 'login' })
  await engine.revokeSubject('d', { keep: claims })
  assert.equal(engine.verify(refresh).sid, 'login')
  await assert.rejects(engine.revokeSubject('d', { keep: { sub: 'd' } }), code('SIGNOFF_ERR_ARGUMENT'))
  await engine.revokeSession('s')
  assert.throws(() => engine.verify(session), { scope: 'session' })
  await engine.revokeTokenId('here')
  assert.throws(() => engine.verify(here), { scope: 'token' })
  const last = sign({ sub: 'c' })
  await engine.revokeEverything({ issuedBefore: new Date(Date.now() - 60_000) })
  assert.equal(engine.verify(last).sub, 'c')
  await engine.revokeEverything()
  assert.throws(() => engine.verify(last), { scope: 'everything' })
  assert.deepEqual(engine.stats().records, { token: 1, session: 1, subject: 2, everything: 1 })
  assert.match(engine.prometheus(), /signoff_revocations\{scope="token"\} 1/)
})

test('an id is taken for what it is called: a jti, or one as it is printed', async (t) => {
  const engine = memory(t)
  const hex = 'ab'.repeat(32)
  for (const jti of ['jti:abc', `sha256:${hex}`]) {
    const { token, tokenId } = engine.signDetailed({ jti }, { expiresIn: 60 })
    await engine.revokeTokenId(tokenId)
    assert.throws(() => engine.verify(token), code('SIGNOFF_TOKEN_REVOKED'), jti)
  }
  const withJti = engine.sign({ jti: 'abc' }, { expiresIn: 60 })
  assert.equal(engine.verify(withJti).jti, 'abc')
  await engine.revokeTokenId({ printed: engine.verifyDetailed(withJti).tokenId })
  assert.throws(() => engine.verify(withJti), code('SIGNOFF_TOKEN_REVOKED'))
  const [header, payload] = [{ alg: 'HS256' }, { exp: Math.floor(Date.now() / 1000) + 60 }].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  const signature = crypto.createHmac('sha256', SECRET).update(`${header}.${payload}`).digest('base64url')
  const without = `${header}.${payload}.${signature}`
  const { tokenId } = engine.verifyDetailed(without)
  assert.match(tokenId, /^sha256:/)
  await engine.revokeTokenId({ printed: tokenId })
  assert.throws(() => engine.verify(without), code('SIGNOFF_TOKEN_REVOKED'))
  await assert.rejects(engine.revokeTokenId({ printed: 'abc' }), code('SIGNOFF_ERR_ARGUMENT'))
  await assert.rejects(engine.revokeTokenId({}), code('SIGNOFF_ERR_ARGUMENT'))
})

test('a shared engine lasts until it is closed, also where nobody holds it', () => {
  const program = `
    const { Engine } = require(${JSON.stringify(ROOT)})
    const handle = (() => Engine.openSync({ secret: ${JSON.stringify(SECRET)}, log: ':memory:' }).share())()
    let turns = 0
    const turn = () => {
      gc()
      if (++turns < 20) return setImmediate(turn)
      const engine = Engine.attach(handle)
      if (engine.verify(engine.sign({ sub: '42' }, { expiresIn: 60 })).sub !== '42') process.exit(1)
    }
    turn()`
  const { status, stderr } = spawnSync(process.execPath, ['--expose-gc', '-e', program], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})

test('a key that is bound to issuers does not lose them by a slip', () => {
  assert.throws(() => Engine.openSync({ keys: [{ secret: SECRET, issuers: undefined }] }), code('SIGNOFF_ERR_ARGUMENT'))
  assert.throws(() => Engine.openSync({ keys: [{ secret: SECRET, issuers: [] }] }), code('SIGNOFF_ERR_ARGUMENT'))
})

test('faults say what a program may want to know', (t) => {
  const engine = memory(t)
  const token = engine.sign({ exp: 1_700_000_000.5, iat: 1_600_000_000, jti: 'a' }, {})
  assert.throws(() => engine.verify(token), (error) => {
    assert.deepEqual(error.expiredAt, new Date(1_700_000_000_500))
    return error.code === 'SIGNOFF_CLAIM_EXPIRED' && error.statusCode === 401
  })
  const early = engine.sign({ nbf: 4_000_000_000 }, { expiresIn: '90y' })
  assert.throws(() => engine.verify(early), { code: 'SIGNOFF_CLAIM_NOT_YET_VALID', validFrom: new Date(4_000_000_000_000) })
})

test('claims are what was signed, and never the same object twice', (t) => {
  const engine = memory(t)
  const payloads = [
    '{"sub":"u","exp":4000000000}',
    '{"__proto__":{"admin":true},"constructor":1,"exp":4000000000}',
    '{"list":["a","b"],"exp":4000000000,"null":null,"n":1.5e3,"t":true,"":"empty"}',
    '{"deep":{"list":[{"x":1}]},"exp":4000000000}',
    '{"list":[["a"]],"__proto__":["b"],"exp":4000000000}',
    '{"name":"Zoë 😀 \\ud83d\\ude00 \\u0000","exp":4000000000}',
  ]
  const hmac = (input) => crypto.createHmac('sha256', SECRET).update(input).digest('base64url')
  for (const payload of payloads) {
    const input = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from(payload).toString('base64url')}`
    const token = `${input}.${hmac(input)}`
    const seen = new Set()
    for (let count = 0; count < 6; count++) {
      const claims = engine.verify(token)
      assert.deepEqual(claims, JSON.parse(payload))
      assert.deepEqual(Object.keys(claims), Object.keys(JSON.parse(payload)))
      assert.equal(Object.getPrototypeOf(claims), Object.prototype)
      for (const value of [claims, ...Object.values(claims)]) {
        if (typeof value !== 'object' || value === null) continue
        assert(!seen.has(value), 'a caller was given what another has')
        seen.add(value)
        Object.isFrozen(value) || (Array.isArray(value) ? value.push('changed') : (value.changed = true))
      }
    }
  }
})

test('a token that was logged out is refused also where its claims were handed out before', async (t) => {
  const engine = memory(t)
  const token = engine.sign({ sub: 'u' }, { expiresIn: '1h' })
  for (let count = 0; count < 5; count++) engine.verify(token)
  await engine.revoke(token)
  assert.throws(() => engine.verify(token), code('SIGNOFF_TOKEN_REVOKED'))
  for (const spelled of [`${token}=`, `${token} `, token.replace('.', '..'), `${token.slice(0, -1)}${String.fromCharCode(token.charCodeAt(token.length - 1) + 256)}`]) {
    assert.throws(() => engine.verify(spelled), SignoffError)
  }
})

/** What is remembered of a payload is told from all others, whatever is thrown where. */
test('no caller is given another\'s claims, also when the stack ends in the middle of a call', (t) => {
  const engine = memory(t)
  const tokens = Array.from({ length: 2000 }, (_, at) => [at, engine.sign({ sub: `u${at}` }, { expiresIn: '1h' })])
  const deep = (token) => {
    try {
      deep(token)
    } catch {
      try {
        engine.verify(token)
      } catch {
        // The stack's end: the next frame up tries again.
      }
    }
  }
  for (const [at, token] of tokens) {
    engine.verify(token)
    if (at % 50 === 0) deep(token)
    for (let count = 0; count < 3; count++) assert.equal(engine.verify(token).sub, `u${at}`)
  }
})

test('many tokens are verified at once, each with its own verdict', (t) => {
  const engine = memory(t)
  const good = engine.sign({ sub: 'u' }, { expiresIn: '1h' })
  const results = engine.verifyMany([good, 'x', undefined, good])
  assert.deepEqual(results.map(({ claims, error }) => claims?.sub ?? error.code), ['u', 'SIGNOFF_TOKEN_PARTS', 'SIGNOFF_TOKEN_NOT_TEXT', 'u'])
})

test('a short secret is refused, with the name of the option that lets it in', async () => {
  for (const open of [() => Engine.openSync({ secret: 'short' }), () => Engine.open({ secret: 'short' })]) {
    await assert.rejects(async () => open(), (error) => error.code === 'SIGNOFF_KEY_TOO_SHORT' && /insecureAllowShortSecret/.test(error.message))
  }
  const engine = Engine.openSync({ secret: 'short', insecureAllowShortSecret: true })
  assert.equal(engine.verify(engine.sign({ a: 1 }, { expiresIn: 60 })).a, 1)
  engine.close()
})

test('keys may be bytes, KeyObjects, JWKs and JWKSs, and are replaced while others verify', () => {
  const bytes = crypto.randomBytes(64)
  const jwk = { kty: 'oct', alg: 'HS256', kid: 'one', k: bytes.toString('base64url') }
  const token = Engine.openSync({ secret: bytes }).sign({ a: 1 }, { expiresIn: 60 })
  const same = [
    { secret: new Uint8Array(bytes) }, { secret: crypto.createSecretKey(bytes) }, { keys: { keys: [jwk] } }, { keys: [{ jwk }] },
    { keys: [{ secret: bytes, keyId: 'k' }, { secret: crypto.randomBytes(32), keyId: 'l' }] }, { secret: bytes, algorithms: ['HS512', 'HS256'] },
  ]
  for (const options of same) {
    const engine = Engine.openSync(options)
    if (!options.keys?.some?.((key) => key.keyId)) assert.equal(engine.verify(token).a, 1, JSON.stringify(Object.keys(options)))
    engine.replaceKeys({ secret: SECRET })
    assert.throws(() => engine.verify(token), code('SIGNOFF_SIGNATURE_INVALID'))
    engine.close()
  }
})

test('an engine beside another has its own keys and policy, and the same log', async (t) => {
  const engine = memory(t)
  const other = engine.onSameLog({ secret: crypto.randomBytes(32), audience: 'b' })
  const token = other.sign({ aud: 'b', jti: 'x' }, { expiresIn: 60 })
  assert.throws(() => engine.verify(token), code('SIGNOFF_SIGNATURE_INVALID'))
  await engine.revokeTokenId('x')
  assert.throws(() => other.verify(token), code('SIGNOFF_TOKEN_REVOKED'))
  other.close()
})

test('options are named as they are, and none that is missing loosens anything', () => {
  const wrong = [
    undefined, null, 7, [], {}, { secret: undefined }, { secret: null }, { secret: 7 }, { secret: SECRET, isuer: 'x' }, { secret: SECRET, Issuer: 'x' },
    { secret: SECRET, issuer: undefined }, { secret: SECRET, issuer: null }, { secret: SECRET, issuer: [] }, { secret: SECRET, issuer: 7 }, { secret: SECRET, issuer: ['a', 7] },
    { secret: SECRET, audience: undefined }, { secret: SECRET, log: undefined }, { secret: SECRET, log: '' }, { secret: SECRET, log: 7 }, { secret: SECRET, logMustExist: true },
    { secret: SECRET, leeway: '60' }, { secret: SECRET, leeway: 'soon' }, { secret: SECRET, leeway: -1 }, { secret: SECRET, leeway: NaN }, { secret: SECRET, leeway: Infinity }, { secret: SECRET, maxAge: {} },
    { secret: SECRET, algorithm: 'RS256' }, { secret: SECRET, algorithm: 'HS256', algorithms: ['HS256'] }, { secret: SECRET, keys: [] }, { keys: [] }, { keys: {} }, { keys: 'x' }, { keys: [undefined] }, { keys: [{}] },
    { keys: [{ secret: SECRET, jwk: {} }] }, { keys: [{ jwk: 7 }] }, { secret: SECRET, numericIds: 'yes' }, { secret: SECRET, insecureAllowMissingExp: 1 }, { secret: SECRET, onUnknown: 'accept' },
    { secret: SECRET, log: ':memory:', onUnknown: 'maybe' }, { secret: SECRET, log: ':memory:', onUnknown: { acceptYounger: 'x' } }, { secret: SECRET, maxTokenBytes: 0 }, { secret: SECRET, maxTokenBytes: 1.5 },
    { secret: SECRET, claimEquals: undefined }, { secret: SECRET, claimEquals: 'access' }, { secret: SECRET, claimEquals: ['a'] }, { secret: SECRET, claimEquals: { a: undefined } }, { secret: SECRET, claimEquals: { a: null } },
    { secret: SECRET, claimEquals: {} }, { secret: SECRET, claimEquals: new Map([['a', 'b']]) }, { secret: SECRET, claimEquals: Object.create({ a: 'b' }) }, { secret: SECRET, claimEquals: { a: '\ud800' } }, { secret: SECRET, claimEquals: { a: {} } }, { secret: SECRET, claimEquals: { a: [] } }, { secret: SECRET, claimEquals: { a: NaN } }, { secret: SECRET, claimEquals: { a: 2 ** 53 } }, { secret: SECRET, claimEquals: { iss: 'i' } }, { secret: SECRET, claimEquals: { '': 'x' } },
    { secret: SECRET, insecureAnyAudience: true, audience: 'a' }, { secret: SECRET, insecureAnyAudience: 'yes' }, { secret: SECRET, tokenTypeOptional: true }, { secret: SECRET, tokenType: [] }, { secret: SECRET, tokenType: ['JWT', 7] },
    { secret: '\ud800'.repeat(40) }, { secret: SECRET, issuer: '\ud800' }, { secret: crypto.generateKeyPairSync('ed25519').publicKey }, { secret: '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----' },
  ]
  for (const options of wrong) {
    assert.throws(() => Engine.openSync(options), (error) => error instanceof SignoffError && error.statusCode === 500, JSON.stringify(options))
  }
  assert.throws(() => Engine.openSync({ secret: SECRET, isuer: 'x' }), /isuer/)
  assert.throws(() => Engine.openSync({ secret: SECRET, Issuer: 'x' }), /is issuer meant/)
  assert.throws(() => Engine.openSync({ secret: SECRET, leeway: '10m' }), code('SIGNOFF_POLICY_INVALID'))
  const engine = Engine.openSync({ secret: SECRET, issuer: 'i', audience: ['a', 'b'], leeway: 5, maxLifetime: '1h', maxAge: '1d', requiredClaims: 'x', tokenType: 'JWT', subject: 's' })
  const claims = { iss: 'i', aud: 'b', x: 1, sub: 's' }
  assert.equal(engine.verify(engine.sign(claims, { expiresIn: '1h' })).sub, 's')
  for (const [without, expected] of [[{ iss: 'j' }, 'ISSUER'], [{ aud: 'c' }, 'AUDIENCE'], [{ x: undefined }, 'MISSING'], [{ sub: 't' }, 'SUBJECT']]) {
    assert.throws(() => engine.verify(Engine.openSync({ secret: SECRET, insecureAnyAudience: true }).sign({ ...claims, ...without }, { expiresIn: '1h' })), code(`SIGNOFF_CLAIM_${expected}`))
  }
  engine.close()
})

test('every argument may be anything, and the answer is a typed error', async (t) => {
  const engine = memory(t)
  const hostile = new Proxy({}, { get() { throw new RangeError('from a trap') }, ownKeys() { throw new RangeError('from a trap') } })
  const rope = 'a'.repeat(300_000_000) + 'b'.repeat(200_000_000)
  const any = [undefined, null, 0, -1, NaN, true, 10n, Symbol('s'), '', '\ud800', 'ä', '😀.😀.😀', rope, [], ['a.b.c'], {}, hostile, Buffer.from('a.b.c'), () => 'x', new Date(NaN), new String('a.b.c')]
  const isTyped = (error) => error instanceof SignoffError || (error instanceof RangeError && error.message === 'from a trap')
  for (const value of any) {
    for (const call of [
      () => engine.verify(value), () => engine.verifyDetailed(value), () => engine.screen(value), () => engine.sign(value, { expiresIn: value }), () => engine.sign({}, value),
      () => engine.replaceKeys(value), () => engine.onSameLog(value), () => Engine.attach(value), () => Engine.openSync(value), () => new Engine(value),
    ]) {
      assert.throws(call, isTyped)
    }
    if (!Array.isArray(value)) assert.throws(() => engine.verifyMany(value), isTyped)
    const isText = typeof value === 'string' && value.isWellFormed() && value !== '' && value !== rope
    for (const call of [
      () => engine.revoke(value), () => engine.revokeTokenId(isText ? 7 : value), () => engine.revokeSession(isText ? 7 : value), () => engine.revokeSubject(isText ? 7 : value),
      () => engine.revokeEverything({ issuedBefore: value }), () => engine.revokeSubject('u', { keep: isText ? 7 : value }), () => engine.revokeSession('s', { keep: 'x' }), () => Engine.open(value),
    ]) {
      if (value instanceof Array && value[0] === 'a.b.c') continue
      await assert.rejects(call, isTyped)
    }
  }
  assert.equal(engine.stats().records.everything, 0)
})

test('a closed engine answers every call with an error, and closing twice is nothing', async () => {
  const engine = Engine.openSync({ secret: SECRET, log: ':memory:' })
  const token = engine.sign({}, { expiresIn: 60 })
  const pending = engine.revokeTokenId('x')
  engine.close()
  engine.close()
  assert.equal(await pending, 'recorded-in-memory')
  for (const call of ['verify', 'verifyDetailed', 'screen', 'revoke']) await assert.rejects(async () => engine[call](token), code('SIGNOFF_ERR_CLOSED'))
  for (const call of ['health', 'stats', 'prometheus', 'share', 'compact']) await assert.rejects(async () => engine[call](), code('SIGNOFF_ERR_CLOSED'))
  assert.throws(() => engine.sign({}, { expiresIn: 1 }), code('SIGNOFF_ERR_CLOSED'))
})

test('without a log nothing can be logged out, and nothing says that it was', async () => {
  const engine = Engine.openSync({ secret: SECRET })
  await assert.rejects(engine.revoke(engine.sign({}, { expiresIn: 60 })), code('SIGNOFF_NO_LOG'))
  assert.equal(engine.verifyDetailed(engine.sign({}, { expiresIn: 60 })).cleared, 'no-log')
  engine.close()
})

test('listeners hear when it becomes unknown who was logged out, and when it is known again', { timeout: 20_000 }, async (t) => {
  const log = scratchFile(t)
  const engine = await Engine.open({ secret: SECRET, log, maxStaleness: 0.2 })
  t.after(() => engine.close())
  const token = engine.sign({}, { expiresIn: 60 })
  // Nothing else keeps this process alive: an engine does not.
  const alive = setInterval(() => {}, 1000)
  t.after(() => clearInterval(alive))
  engine.removeAllListeners()
  const degraded = once(engine, 'degraded')
  fs.renameSync(log, `${log}.away`)
  const [health] = await degraded
  assert.equal(health.fault, 'log-moved')
  const recovered = once(engine, 'recovered')
  fs.renameSync(`${log}.away`, log)
  assert.equal((await recovered)[0].ready, true)
  assert.equal(typeof engine.verify(token).exp, 'number')
})

test('worker threads share one engine, and one that ends in the middle leaves the others alone', { timeout: 30_000 }, async (t) => {
  const engine = memory(t)
  const script = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Engine } = require(${JSON.stringify(ROOT)})
    const engine = Engine.attach(workerData.handle)
    parentPort.on('message', async (message) => {
      if (message === 'flood') { for (;;) { engine.revokeTokenId('flood' + Math.random()).catch(() => {}); engine.verify(workerData.token); await null } }
      if (message === 'revoke') await engine.revoke(workerData.token)
      let verdict = 'accepted'
      try { engine.verify(workerData.token) } catch (error) { verdict = error.code }
      parentPort.postMessage(verdict)
    })`
  const workerData = { handle: engine.share(), token: engine.sign({}, { expiresIn: '1h' }) }
  const workers = [1, 2, 3].map(() => new Worker(script, { eval: true, workerData }))
  const ask = async (worker, message) => {
    const answer = once(worker, 'message')
    worker.postMessage(message)
    return (await answer)[0]
  }
  assert.equal(await ask(workers[0], 'verify'), 'accepted')
  workers[2].postMessage('flood')
  const flooded = async () => { while (engine.stats().records.token < 100) await new Promise((resolve) => setImmediate(resolve)) }
  await flooded()
  await workers[2].terminate()
  assert.equal(await ask(workers[0], 'revoke'), 'SIGNOFF_TOKEN_REVOKED')
  assert.equal(await ask(workers[1], 'verify'), 'SIGNOFF_TOKEN_REVOKED')
  assert.throws(() => engine.verify(workerData.token), code('SIGNOFF_TOKEN_REVOKED'))
  await Promise.all(workers.map((worker) => worker.terminate()))
  assert.equal(typeof engine.sign({}, { expiresIn: 60 }), 'string')
  assert.throws(() => Engine.attach('signoff-engine:1:1'), /another process/)
  assert.throws(() => Engine.attach(`signoff-engine:${process.pid}:9999`), code('SIGNOFF_ERR_CLOSED'))
})

test('processes of a cluster on one log see each other\'s log outs', { timeout: 30_000 }, async (t) => {
  const log = scratchFile(t)
  const child = path.join(path.dirname(log), 'child.js')
  fs.writeFileSync(child, `
    const { Engine } = require(${JSON.stringify(ROOT)})
    const engine = Engine.openSync({ secret: ${JSON.stringify(SECRET)}, log: ${JSON.stringify(log)} })
    process.on('message', async ({ token, revoke }) => {
      if (revoke) await engine.revoke(token)
      let verdict = 'accepted'
      try { engine.verify(token) } catch (error) { verdict = error.code }
      process.send(verdict)
    })
    process.send('ready')`)
  const engine = await Engine.open({ secret: SECRET, log })
  t.after(() => engine.close())
  const processes = [1, 2].map(() => fork(child))
  t.after(() => processes.forEach((each) => each.kill()))
  await Promise.all(processes.map((each) => once(each, 'message')))
  const ask = async (each, message) => {
    const answer = once(each, 'message')
    each.send(message)
    return (await answer)[0]
  }
  const token = engine.sign({ sub: 'u' }, { expiresIn: '1h' })
  assert.equal(await ask(processes[0], { token }), 'accepted')
  assert.equal(await ask(processes[1], { token, revoke: true }), 'SIGNOFF_TOKEN_REVOKED')
  while ((await ask(processes[0], { token })) === 'accepted');
  const isRefusedHere = () => { try { engine.verify(token); return false } catch { return true } }
  while (!isRefusedHere()) await new Promise((resolve) => setImmediate(resolve))
})

/** Runs a program to its end, which it must come to by itself. */
function run(program, options) {
  return spawnSync(process.execPath, ['-e', `const { Engine } = require(${JSON.stringify(ROOT)}); ${program}`], { encoding: 'utf8', timeout: 20_000, ...options })
}

test('an open engine does not keep the process alive, and what was asked for is on the disk before it ends', (t) => {
  const log = scratchFile(t)
  const open = `Engine.openSync({ secret: ${JSON.stringify(SECRET)}, log: ${JSON.stringify(log)} })`
  const listening = run(`const engine = ${open}; engine.on('degraded', () => {}); console.log('end')`)
  assert.deepEqual([listening.status, listening.stdout], [0, 'end\n'], listening.stderr)
  const revoking = run(`const engine = ${open}; engine.revokeTokenId('x').then(console.log)`)
  assert.deepEqual([revoking.status, revoking.stdout], [0, 'recorded\n'], revoking.stderr)
  const opening = run(`Engine.open({ secret: ${JSON.stringify(SECRET)}, log: ${JSON.stringify(log)} }).then((engine) => console.log(engine.stats().records.token))`)
  assert.deepEqual([opening.status, opening.stdout], [0, '1\n'], opening.stderr)
  const leaving = run(`const engine = ${open}; engine.revokeTokenId('y'); process.exit(3)`)
  assert.equal(leaving.status, 3, leaving.stderr)
})

test('nothing waits on libuv\'s threads or holds up the event loop', (t) => {
  const log = scratchFile(t)
  const busy = `
    const crypto = require('node:crypto')
    const fs = require('node:fs')
    let busy = 8
    for (let count = 0; count < 8; count++) crypto.pbkdf2('x', 'y', 3e6, 64, 'sha512', () => busy--)
    Engine.open({ secret: ${JSON.stringify(SECRET)}, log: ${JSON.stringify(log)} }).then(async (engine) => {
      await engine.revokeTokenId('x')
      fs.writeSync(1, String(busy))
      process.kill(process.pid, 'SIGKILL') // An ordinary end would wait for the thread that is busy.
    })`
  const result = run(busy, { env: { ...process.env, UV_THREADPOOL_SIZE: '1' } })
  assert.equal(result.stdout, '8', result.stderr)
})

test('a message names options as this package does, and a whole token is no id', async (t) => {
  const engine = memory(t)
  const foreign = Engine.openSync({ secret: SECRET, insecureAnyAudience: true, insecureBearerOfBoundToken: true, numericIds: true })
  const sign = (claims) => foreign.sign(claims, { expiresIn: '1h' })
  for (const [claims, said] of [
    [{ aud: 'api' }, ['`audience`', '`insecureAnyAudience`', '"api"']],
    [{ cnf: { jkt: 'x' } }, ['`insecureBearerOfBoundToken`']],
    [{ sub: 42 }, ['`numericIds`']],
  ]) {
    assert.throws(() => engine.verify(sign(claims)), (error) => said.every((part) => error.detail.includes(part)))
  }
  assert.throws(() => engine.sign({}, {}), /`expiresIn`.*`insecureNeverExpires`/)
  assert.throws(() => Engine.openSync({ secret: SECRET, leeway: '10m' }), /`leeway`/)
  assert.throws(() => Engine.openSync({ secret: SECRET, insecureAnyAudience: true, audience: 'a' }), /`insecureAnyAudience`/)
  const token = sign({})
  for (const call of [
    () => engine.revokeTokenId(token), () => engine.revokeSession(token), () => engine.revokeSubject(token),
    () => engine.revokeSubject('u', { keep: token }),
  ]) {
    await assert.rejects(call, (error) => error.code === 'SIGNOFF_REVOCATION_INVALID' && /whole token/.test(error.message))
  }
  assert.equal(engine.stats().records.token + engine.stats().records.session + engine.stats().records.subject, 0)
  foreign.close()
})

test('a key of a JWKS that can not be used is passed over, and said', () => {
  const k = Buffer.alloc(32, 'k').toString('base64url')
  const engine = Engine.openSync({ keys: { keys: [{ kty: 'oct', kid: 'new', k }, { kty: 'RSA', n: 'AQAB', e: 'AQAB' }, { kty: 'oct', kid: 'old', alg: 'HS256', k }] } })
  const { skippedKeys } = engine.health()
  assert.deepEqual(skippedKeys.map(({ place, keyId, isSecret }) => [place, keyId, isSecret]), [[0, 'new', true], [1, null, false]])
  assert.match(skippedKeys[0].reason, /it has no alg/)
  assert.throws(() => engine.sign({}, { expiresIn: '1h' }), /`keyId`/)
  assert.equal(engine.verify(engine.sign({ sub: 'u' }, { expiresIn: '1h', keyId: 'old' })).sub, 'u')
  engine.close()
})

test('what an engine signs it accepts', () => {
  const engine = Engine.openSync({ secret: SECRET, issuer: 'i', audience: 'a', subject: 's', tokenType: 'at+jwt', claimEquals: { token_use: 'access', v: [2, 3] } })
  assert.throws(() => engine.sign({}, { expiresIn: '1h' }), /"v" is missing/)
  const { iss, aud, sub, token_use: use } = engine.verify(engine.sign({ v: 3 }, { expiresIn: '1h' }))
  assert.deepEqual([iss, aud, sub, use], ['i', 'a', 's', 'access'])
  assert.throws(() => engine.sign({ v: 4 }, { expiresIn: '1h' }), code('SIGNOFF_CLAIMS_INVALID'))
  assert.throws(() => engine.sign({ v: 3 }, { insecureNeverExpires: true }), code('SIGNOFF_CLAIMS_INVALID'))
  engine.close()
})

test('what stands on Object.prototype loosens nothing', async (t) => {
  const never = Engine.openSync({ secret: SECRET, insecureAllowMissingExp: true }).sign({ sub: 'u' }, { insecureNeverExpires: true })
  const inherited = {
    insecureAllowMissingExp: true, insecureAnyAudience: true, insecureAllowShortSecret: true, numericIds: true, leeway: '5m',
    insecureAnyIssuedAt: true, insecureBearerOfBoundToken: true, keep: 'k', expiresIn: '1h', issuer: 'i', reason: 'r', clockIsRight: true,
  }
  const engine = memory(t)
  await engine.revokeSubject('somebody')
  for (const [name, value] of Object.entries(inherited)) {
    Object.defineProperty(Object.prototype, name, { value, configurable: true, enumerable: false, writable: true })
  }
  try {
    const strict = Engine.openSync({ secret: SECRET })
    assert.throws(() => strict.verify(never), code('SIGNOFF_CLAIM_MISSING'))
    assert.throws(() => strict.sign({}, {}), code('SIGNOFF_EXPIRY_UNSTATED'))
    assert.throws(() => Engine.openSync({ secret: 'short' }), code('SIGNOFF_KEY_TOO_SHORT'))
    const kept = strict.sign({ sub: 'u', jti: 'k' }, { expiresIn: '1h' })
    assert.equal(await engine.revokeSubject('u'), 'recorded-in-memory')
    assert.throws(() => engine.verify(kept), (error) => ['SIGNOFF_TOKEN_REVOKED', 'SIGNOFF_TOKEN_TOO_SOON'].includes(error.code))
    strict.close()
  } finally {
    for (const name of Object.keys(inherited)) delete Object.prototype[name]
  }
})

test('values of another realm are what they are, and a sandbox without TextEncoder does', () => {
  const vm = require('node:vm')
  const there = (code) => vm.runInNewContext(code)
  assert(!(there('new Date()') instanceof Date) && !(there('new Uint8Array(1)') instanceof Uint8Array), 'as in the sandboxes of test runners')
  const secret = there('new Uint8Array(32).fill(7)')
  const engine = Engine.openSync({ secret, log: ':memory:', issuer: there('["i"]') })
  const now = there('new Date()')
  const token = engine.sign(there('({ iss: "i", sub: "u" })'), { expiresIn: 60, now })
  assert.equal(engine.verify(token, { now }).sub, 'u')
  const invalid = there('new Date(NaN)')
  assert.throws(() => engine.verify(token, { now: invalid }), { code: 'SIGNOFF_ERR_ARGUMENT', message: /an invalid one/ })
  engine.close()
  const jwt = require('../jsonwebtoken.js')
  assert.equal(jwt.verify(jwt.sign({ sub: 'u' }, Buffer.from(secret)), secret).sub, 'u')
  const bare = require('node:child_process').spawnSync(process.execPath, ['-e', `
    delete globalThis.TextEncoder
    delete globalThis.TextDecoder
    const { Engine } = require(${JSON.stringify(path.join(__dirname, '../index.js'))})
    const engine = Engine.openSync({ secret: 'é'.repeat(16) })
    process.stdout.write(String(engine.verify(engine.sign({ sub: 'ü' }, { expiresIn: 60 })).sub))`], { encoding: 'utf8' })
  assert.equal(bare.stdout, 'ü', bare.stderr)
})

test('an engine goes by the clock that it is given', async () => {
  let now = Date.UTC(2030, 0, 1)
  const engine = Engine.openSync({ secret: SECRET, log: ':memory:', clock: () => now })
  const [token, other] = ['u', 'v'].map((sub) => engine.sign({ sub }, { expiresIn: '1h' }))
  assert.equal(engine.verifyDetailed(token).issuedAt.getTime(), now)
  now += 1800_000
  await engine.revokeSubject('u')
  assert.throws(() => engine.verify(token), { code: 'SIGNOFF_TOKEN_REVOKED' })
  assert.equal(engine.verify(other).sub, 'v')
  assert.equal(engine.verify(engine.sign({ sub: 'u' }, { expiresIn: '1h' })).sub, 'u', 'who logs in afterwards')
  const sibling = engine.onSameLog({ secret: SECRET })
  now += 1800_000
  for (const each of [engine, sibling]) assert.throws(() => each.verify(other), { code: 'SIGNOFF_CLAIM_EXPIRED' })
  assert.equal(engine.verify(other, { now: new Date(now - 1000) }).sub, 'v', 'a time that is given comes first')
  for (const wrong of [() => 'now', () => NaN, () => new Date()]) {
    const broken = Engine.openSync({ secret: SECRET, clock: wrong })
    assert.throws(() => broken.verify(token), { code: 'SIGNOFF_ERR_ARGUMENT', message: /Date.now/ })
  }
  for (const clock of [7, 'now', {}]) assert.throws(() => Engine.openSync({ secret: SECRET, clock }), { code: 'SIGNOFF_ERR_ARGUMENT' })
  for (const each of [sibling, engine]) each.close()
})

test('hundreds of keys and long tokens that nobody has signed leave little behind', () => {
  const measured = run(`
    const jwt = require(${JSON.stringify(path.join(__dirname, '../jsonwebtoken.js'))})
    jwt.useLogSync(':memory:')
    const payload = Buffer.from(JSON.stringify({ text: 'x'.repeat(700_000) })).toString('base64url')
    const token = 'eyJhbGciOiJIUzI1NiJ9.' + payload + '.AAAA'
    const before = process.memoryUsage().rss
    for (let at = 0; at < 500; at++) { try { jwt.verify(token, 'secret ' + at) } catch {} }
    process.stdout.write(String((process.memoryUsage().rss - before) / 1e6))`)
  assert(Number(measured.stdout) < 100, `${measured.stdout} MB ${measured.stderr}`)
})
