'use strict'

// The drop-in with a log: the one more line that makes a log out real.

const test = require('node:test')
const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { Worker } = require('node:worker_threads')

const theirs = require('jsonwebtoken')
const jwt = require('../jsonwebtoken.js')
const log = require('../lib/jsonwebtoken/log.js')
const { SignoffError } = require('../index.js')

const SECRET = 'a secret'
const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = crypto.generateKeyPairSync('ec', { namedCurve: 'prime256v1' })

function scratchFile(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'signoff-'))
  t.after(() => {
    jwt.closeLog()
    fs.rmSync(folder, { recursive: true, force: true })
  })
  return path.join(folder, 'signoff.db')
}

const revoked = (error) => {
  assert(error instanceof jwt.TokenRevokedError && error instanceof jwt.JsonWebTokenError)
  assert.deepEqual([error.name, error.message, error.scope], ['JsonWebTokenError', 'jwt revoked', 'token'])
  return true
}

test('a token is refused after it was logged out, by whatever algorithm it was signed, with a jti or without', async (t) => {
  await jwt.useLog(scratchFile(t))
  const keyOf = (key) => (header, done) => done(null, key)
  for (const [algorithm, signKey, verifyKey] of [
    ['HS256', SECRET, SECRET], ['HS512', SECRET, Buffer.from(SECRET)], ['RS256', rsa.privateKey, rsa.publicKey], ['PS256', rsa.privateKey, rsa.publicKey], ['ES256', ec.privateKey, ec.publicKey],
  ]) {
    for (const options of [{ jwtid: crypto.randomUUID() }, {}]) {
      const sign = (sub) => theirs.sign({ sub, n: Math.random() }, signKey, { algorithm, expiresIn: '1h', ...options })
      const token = sign('u')
      const other = theirs.sign({ sub: 'v', n: Math.random() }, signKey, { algorithm, expiresIn: '1h' })
      assert.equal(jwt.verify(token, verifyKey).sub, 'u')
      assert.equal(await jwt.revoke(token, algorithm === 'RS256' ? keyOf(verifyKey) : verifyKey), 'recorded')
      assert.throws(() => jwt.verify(token, verifyKey), revoked)
      assert.throws(() => jwt.verify(token, verifyKey, { complete: true, ignoreExpiration: true }), revoked)
      jwt.verify(token, keyOf(verifyKey), {}, (error) => revoked(error))
      assert.equal(jwt.verify(other, verifyKey).sub, 'v')
      assert.equal(await jwt.revoke(token, verifyKey), 'already-covered')
    }
  }
})

/** ES256 has sixteen spellings of one signature, and with every (r, s) also (r, n - s). */
test('a token that was logged out does not come back under another spelling', async (t) => {
  await jwt.useLog(scratchFile(t))
  const token = theirs.sign({ sub: 'u' }, ec.privateKey, { algorithm: 'ES256', expiresIn: '1h' })
  const [header, payload, signature] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const n = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')
  const s = (n - BigInt(`0x${bytes.subarray(32).toString('hex')}`)).toString(16).padStart(64, '0')
  const flipped = `${header}.${payload}.${Buffer.concat([bytes.subarray(0, 32), Buffer.from(s, 'hex')]).toString('base64url')}`
  assert.equal(jwt.verify(flipped, ec.publicKey).sub, 'u', 'it is a valid signature')
  await jwt.revoke(token, ec.publicKey)
  assert.throws(() => jwt.verify(flipped, ec.publicKey), revoked)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  for (const last of alphabet) {
    assert.throws(() => jwt.verify(`${token.slice(0, -1)}${last}`, ec.publicKey), jwt.JsonWebTokenError)
  }
})

test('the log\'s engine logs out users and sessions', async (t) => {
  const engine = await jwt.useLog(scratchFile(t))
  const token = jwt.sign({ sub: 'u' }, SECRET, { expiresIn: '1h' })
  await engine.revokeSubject('u')
  assert.throws(() => jwt.verify(token, SECRET), { code: 'SIGNOFF_TOKEN_REVOKED', scope: 'subject' })
  const session = jwt.sign({ sub: 'v', sid: 's' }, SECRET)
  await engine.revokeSession('s')
  assert.throws(() => jwt.verify(session, SECRET), { code: 'SIGNOFF_TOKEN_REVOKED', scope: 'session' })
})

test('numbers as ids, as many old systems write them, are logged out too', async (t) => {
  const engine = await jwt.useLog(scratchFile(t))
  const token = theirs.sign({ sub: 42, jti: 7 }, SECRET)
  assert.equal(jwt.verify(token, SECRET).sub, 42)
  await engine.revokeSubject('42')
  assert.throws(() => jwt.verify(token, SECRET), jwt.TokenRevokedError)
})

test('worker threads go by the log of the thread that started them', async (t) => {
  const file = scratchFile(t)
  const token = jwt.sign({ sub: '42' }, SECRET, { expiresIn: 60 })
  const script = `
    const { parentPort, workerData } = require('node:worker_threads')
    const jwt = require(${JSON.stringify(path.join(__dirname, '../jsonwebtoken.js'))})
    const verdict = () => { try { return jwt.verify(workerData.token, workerData.secret).sub } catch (error) { return [error.name, error.statusCode ?? null] } }
    parentPort.on('message', () => parentPort.postMessage(verdict()))
    parentPort.postMessage(verdict())`
  const start = () => new Worker(script, { eval: true, workerData: { token, secret: SECRET } })
  const first = async (worker) => (await once(worker, 'message'))[0]
  const opening = jwt.useLog(file)
  const tooEarly = start()
  assert.deepEqual(await first(tooEarly), ['SignoffError', 503])
  await opening
  const worker = start()
  t.after(() => Promise.all([tooEarly, worker].map((each) => each.terminate())))
  assert.equal(await first(worker), '42')
  await jwt.revoke(token, SECRET)
  const becomes = async (each, verdict) => {
    let now
    do {
      each.postMessage('again')
      now = await first(each)
    } while (JSON.stringify(now) !== JSON.stringify(verdict))
  }
  // The one that was started while the log was opened hears that it is open, and both hear of another.
  for (const each of [tooEarly, worker]) await becomes(each, ['JsonWebTokenError', 401])
  await jwt.useLog(scratchFile(t), { replace: true })
  for (const each of [tooEarly, worker]) await becomes(each, '42')
  await jwt.revoke(token, SECRET)
  for (const each of [tooEarly, worker]) await becomes(each, ['JsonWebTokenError', 401])
  jwt.closeLog()
  const without = start()
  t.after(() => without.terminate())
  assert.equal(await first(without), '42')
  for (const each of [tooEarly, worker]) await becomes(each, '42')
})

test('keys that come and go leave nothing behind', async (t) => {
  await jwt.useLog(scratchFile(t))
  const token = jwt.sign({ sub: '42' }, SECRET)
  const bytes = Buffer.from(SECRET)
  const inMemory = new Uint8Array(bytes).buffer
  const before = log.engines()
  for (let round = 0; round < 50; round++) {
    for (const key of [inMemory, new DataView(inMemory), new Uint8Array(inMemory)]) assert.equal(jwt.verify(token, key).sub, '42')
  }
  assert(log.engines() - before <= 1, `${log.engines() - before} engines for one key`)
  const objects = Array.from({ length: 1500 }, (_, at) => crypto.createSecretKey(Buffer.from(`secret ${at}`)))
  for (let round = 0; round < 2; round++) {
    for (const [at, key] of objects.entries()) {
      assert.throws(() => jwt.verify(token, key), { message: 'invalid signature' }, `key ${at}`)
    }
  }
  assert(log.engines() <= 1000, `${log.engines()} engines`)
})

test('other faults come before the log out, in the order that people know', async (t) => {
  await jwt.useLog(scratchFile(t))
  const token = theirs.sign({ sub: 'u', exp: Math.floor(Date.now() / 1000) + 60 }, SECRET)
  await jwt.revoke(token, SECRET)
  assert.throws(() => jwt.verify(token, 'another secret'), { message: 'invalid signature' })
  assert.throws(() => jwt.verify(token, SECRET, { audience: 'x' }), { message: 'jwt audience invalid. expected: x' })
  assert.throws(() => jwt.verify(token, SECRET, { clockTimestamp: Math.floor(Date.now() / 1000) + 61 }), { message: 'jwt expired' })
})

test('what could never be found in the list is refused while there is one', async (t) => {
  const tokens = [theirs.sign('a text', SECRET), theirs.sign({ jti: { a: 1 } }, SECRET), theirs.sign({ iat: 1 }, '', { algorithm: 'none' })]
  const verify = (token, at) => jwt.verify(token, at === 2 ? '' : SECRET, at === 2 ? { algorithms: ['none'] } : {})
  tokens.forEach(verify)
  await jwt.useLog(scratchFile(t))
  tokens.forEach((token, at) => assert.throws(() => verify(token, at), jwt.JsonWebTokenError))
  tokens.slice(0, 2).forEach(async (token) => assert.rejects(jwt.revoke(token, SECRET), SignoffError))
})

test('only what was signed with the key is logged out', async (t) => {
  const engine = await jwt.useLog(scratchFile(t))
  const token = theirs.sign({ jti: 'x' }, 'another secret')
  await assert.rejects(jwt.revoke(token, SECRET), { message: 'invalid signature' })
  await assert.rejects(jwt.revoke('x', SECRET), { message: 'jwt malformed' })
  await assert.rejects(jwt.revoke(undefined, SECRET), { message: 'jwt must be provided' })
  assert.equal(engine.stats().records.token, 0)
})

test('an expired token can be logged out, as long as anybody might still accept it', async (t) => {
  await jwt.useLog(scratchFile(t))
  const now = Math.floor(Date.now() / 1000)
  const token = theirs.sign({ exp: now - 5 }, SECRET)
  assert.equal(await jwt.revoke(token, SECRET), 'recorded')
  assert.throws(() => jwt.verify(token, SECRET, { clockTolerance: 60 }), jwt.TokenRevokedError)
  assert.equal(await jwt.revoke(theirs.sign({ exp: now - 86400 }, SECRET), SECRET), 'already-expired')
})

test('while it is unknown who was logged out, the error is none of the token\'s', async (t) => {
  const log = scratchFile(t)
  const token = theirs.sign({ sub: 'u' }, SECRET)
  const opening = jwt.useLog(log)
  const unknown = (error) => !(error instanceof jwt.JsonWebTokenError) && error.statusCode === 503
  assert.throws(() => jwt.verify(token, SECRET), unknown, 'while the log is being opened')
  assert.throws(() => jwt.verify(token, 'another'), { message: 'invalid signature' })
  await opening
  assert.equal(jwt.verify(token, SECRET).sub, 'u')
  // Another one that can't be opened leaves it, and where there is none it is not the same as none.
  await assert.rejects(jwt.useLog(path.join(log, 'no', 'such', 'folder'), { replace: true }), SignoffError)
  assert.equal(jwt.verify(token, SECRET).sub, 'u')
  jwt.closeLog()
  await assert.rejects(jwt.useLog(path.join(log, 'no', 'such', 'folder')), SignoffError)
  assert.throws(() => jwt.verify(token, SECRET), unknown)
  await assert.rejects(jwt.revoke(token, SECRET), unknown)
  jwt.closeLog()
  assert.equal(jwt.verify(token, SECRET).sub, 'u')
  await assert.rejects(jwt.revoke(token, SECRET), /useLog/)
})

test('a log that was asked for in vain is not the same as none', async (t) => {
  const token = theirs.sign({ sub: 'u' }, SECRET)
  t.after(() => jwt.closeLog())
  for (const call of [[undefined], ['x', { maxStaleness: 'soon' }], ['x', { nothing: 1 }]]) {
    jwt.closeLog()
    assert.equal(jwt.verify(token, SECRET).sub, 'u')
    await assert.rejects(async () => jwt.useLog(...call))
    assert.throws(() => jwt.verify(token, SECRET), { statusCode: 503 })
  }
})

test('an engine of the log that was closed under it is no fault of the tokens', async (t) => {
  const engine = await jwt.useLog(scratchFile(t))
  const token = theirs.sign({ sub: 'u' }, rsa.privateKey, { algorithm: 'RS256' })
  engine.close()
  const hmac = theirs.sign({ sub: 'u' }, SECRET)
  for (const verify of [() => jwt.verify(token, rsa.publicKey), () => jwt.verify(hmac, SECRET)]) {
    assert.throws(verify, (error) => !(error instanceof jwt.JsonWebTokenError) && error.statusCode === 503)
  }
})

test('a log is let go of when another is used', async (t) => {
  const [one, other] = [scratchFile(t), scratchFile(t)]
  const first = await jwt.useLog(one)
  const token = theirs.sign({ sub: 'u' }, SECRET)
  jwt.verify(token, SECRET)
  const [again, twice] = await Promise.all([jwt.useLog(other, { replace: true }), jwt.useLog(other)])
  assert.equal(again, twice)
  assert.throws(() => first.health(), { code: 'SIGNOFF_ERR_CLOSED' })
})

test('a call of useLog that is wrong leaves the log that is in use', async (t) => {
  await jwt.useLog(scratchFile(t))
  const token = theirs.sign({ sub: 'u' }, SECRET)
  await jwt.revoke(token, SECRET)
  for (const call of [[], [7], ['x', { nothing: 1 }], ['x', { maxStaleness: 'soon' }], ['x', null]]) await assert.rejects(async () => jwt.useLog(...call))
  assert.throws(() => jwt.verify(token, SECRET), jwt.TokenRevokedError)
})

test('under a clock of the test\'s own, log outs bind all the same', async (t) => {
  await jwt.useLog(scratchFile(t))
  t.mock.timers.enable({ apis: ['Date', 'setTimeout', 'setInterval', 'setImmediate'], now: 1_600_000_000_000 })
  const token = jwt.sign({ sub: 'u' }, SECRET, { expiresIn: '1h' })
  assert.equal(jwt.verify(token, SECRET).sub, 'u')
  assert.equal(await jwt.revoke(token, SECRET), 'recorded')
  assert.throws(() => jwt.verify(token, SECRET), jwt.TokenRevokedError)
})

test('who logs in again at once after a log-out everywhere is let in, and nobody who had logged in before', async (t) => {
  const engine = await jwt.useLog(scratchFile(t))
  const logIn = () => jwt.sign({ sub: 'u' }, SECRET, { expiresIn: '1h' })
  const [before, elsewhere] = [logIn(), theirs.sign({ sub: 'u' }, SECRET, { expiresIn: '1h' })]
  await engine.revokeSubject('u')
  const after = logIn()
  assert.equal(jwt.verify(after, SECRET).sub, 'u')
  assert(Number.isInteger(jwt.decode(after).iat))
  for (const token of [before, elsewhere]) {
    assert.throws(() => jwt.verify(token, SECRET), (error) => {
      assert(error instanceof jwt.TokenRevokedError)
      assert.equal(error.scope, 'subject')
      assert(error.retryAfter >= 1 && error.retryAfter <= 6, `${error.retryAfter}`)
      return true
    })
  }
  // Another user's tokens are byte for byte what jsonwebtoken makes.
  const iat = Math.floor(Date.now() / 1000)
  assert.equal(jwt.sign({ sub: 'v', iat }, SECRET), theirs.sign({ sub: 'v', iat }, SECRET))
  await engine.revokeSubject('u')
  assert.throws(() => jwt.verify(after, SECRET), jwt.TokenRevokedError)
})

test('with a log, a token may be issued no further ahead than the log lets', async (t) => {
  await jwt.useLog(scratchFile(t), { issuedInFuture: '30s' })
  const iat = Math.floor(Date.now() / 1000)
  const issued = (ahead) => theirs.sign({ iat: iat + ahead }, SECRET, { expiresIn: '1h' })
  assert.equal(jwt.verify(issued(25), SECRET).iat, iat + 25)
  assert.throws(() => jwt.verify(issued(60), SECRET), (error) => error.message === 'invalid token' && /in the future/.test(error.detail))
  jwt.closeLog()
  assert.equal(jwt.verify(issued(600), SECRET).iat, iat + 600, 'as jsonwebtoken has it')
})

test('a log that is asked for twice is one, and another one must be asked for by name', async (t) => {
  const [file, other] = [scratchFile(t), scratchFile(t)]
  const [one, again] = await Promise.all([jwt.useLog(file), jwt.useLog(file)])
  assert.equal(one, again)
  assert.equal(await jwt.useLog(path.relative(process.cwd(), file)), one, 'by another spelling')
  assert.equal(jwt.useLogSync(file), one)
  const token = theirs.sign({ sub: 'u' }, SECRET)
  await jwt.revoke(token, SECRET)
  await assert.rejects(jwt.useLog(other), { code: 'SIGNOFF_ERR_ARGUMENT', message: /replace: true/ })
  assert.throws(() => jwt.useLogSync(other), { code: 'SIGNOFF_ERR_ARGUMENT' })
  await assert.rejects(jwt.useLog(file, { maxStaleness: '20s' }), { message: /other options/ })
  assert.throws(() => jwt.verify(token, SECRET), jwt.TokenRevokedError)
  // What works goes on until the other does.
  const replacing = jwt.useLog(other, { replace: true })
  assert.throws(() => jwt.verify(token, SECRET), jwt.TokenRevokedError)
  assert.notEqual(await replacing, one)
  assert.equal(jwt.verify(token, SECRET).sub, 'u')
})

test('a log can be opened while a program starts, without a promise', (t) => {
  const engine = jwt.useLogSync(scratchFile(t))
  assert.equal(engine.health().ready, true)
  assert.equal(jwt.verify(jwt.sign({ sub: 'u' }, SECRET), SECRET).sub, 'u')
  jwt.closeLog()
  assert.throws(() => jwt.useLogSync('/no/such/folder/x.db'), SignoffError)
  assert.throws(() => jwt.verify(jwt.sign({ sub: 'u' }, SECRET), SECRET), { statusCode: 503 })
})

test('a key may come by a callback, or from a function that is async', async (t) => {
  await jwt.useLog(scratchFile(t))
  const sign = () => theirs.sign({ n: Math.random() }, SECRET)
  for (const keyOf of [async () => SECRET, () => SECRET, (header, done) => done(null, SECRET), async (header, done) => done(null, SECRET)]) {
    assert.equal(await jwt.revoke(sign(), keyOf), 'recorded')
  }
  await assert.rejects(jwt.revoke(sign(), async () => { throw new Error('no such key') }), /no such key/)
  for (const nothing of [() => {}, async () => {}]) await assert.rejects(jwt.revoke(sign(), nothing), { code: 'SIGNOFF_ERR_ARGUMENT' })
})

test('options of revoke may be null, and may not be misspelt', async (t) => {
  await jwt.useLog(scratchFile(t))
  assert.equal(await jwt.revoke(theirs.sign({ n: 1 }, SECRET), SECRET, null), 'recorded')
  await assert.rejects(jwt.revoke(theirs.sign({ n: 2 }, SECRET), SECRET, { reson: 'a slip' }), { message: /"reson"/ })
})

test('the log goes by Date as the drop-in does, also where a test has set it', async (t) => {
  const engine = await jwt.useLog(scratchFile(t))
  t.mock.timers.enable({ apis: ['Date'], now: 1_900_000_000_000 })
  const before = jwt.sign({ sub: 'u' }, SECRET, { expiresIn: '1h' })
  assert.equal(jwt.verify(before, SECRET).sub, 'u')
  await engine.revokeSubject('u')
  assert.throws(() => jwt.verify(before, SECRET), jwt.TokenRevokedError)
  t.mock.timers.tick(10_000)
  const after = jwt.sign({ sub: 'u' }, SECRET, { expiresIn: '1h' })
  assert.equal(jwt.verify(after, SECRET).sub, 'u')
})

test('what somebody has put on Object.prototype loosens nothing', (t) => {
  const polluted = { ignoreExpiration: true, algorithms: ['none'], clockTolerance: 1e9, audience: undefined, aud: 'us', iss: 'us', sub: 'us', json: true, complete: true, allowInsecureKeySizes: true }
  for (const [name, value] of Object.entries(polluted)) Object.prototype[name] = value
  t.after(() => Object.keys(polluted).forEach((name) => delete Object.prototype[name]))
  const iat = Math.floor(Date.now() / 1000) - 100
  const expired = theirs.sign({ iat }, SECRET, { expiresIn: 1, __proto__: null })
  assert.throws(() => jwt.verify(expired, SECRET), { message: 'jwt expired' })
  assert.throws(() => jwt.verify(expired, SECRET, {}), { message: 'jwt expired' })
  const good = theirs.sign({ iat }, SECRET, { __proto__: null, header: { __proto__: null } })
  assert.equal(jwt.verify(good, SECRET).iat, iat, 'complete is not asked for')
  for (const options of [{ audience: 'us' }, { issuer: 'us' }, { subject: 'us' }]) {
    assert.throws(() => jwt.verify(good, SECRET, { __proto__: null, ...options }), /invalid/)
  }
})

test('a log that its user has closed is opened anew, and a worker that inherits one changes it only by name', async (t) => {
  const [file, other] = [scratchFile(t), scratchFile(t)]
  const first = await jwt.useLog(file)
  const token = theirs.sign({ sub: 'u' }, SECRET)
  await jwt.revoke(token, SECRET)
  first.close()
  const again = await jwt.useLog(file)
  assert.notEqual(again, first)
  assert.throws(() => jwt.verify(token, SECRET), jwt.TokenRevokedError)
  const worker = new Worker(`
    const { parentPort, workerData } = require('node:worker_threads')
    const jwt = require(${JSON.stringify(path.join(__dirname, '../jsonwebtoken.js'))})
    jwt.useLog(workerData).then(() => 'another log', (error) => error.message).then((said) => parentPort.postMessage(said))`, { eval: true, workerData: other })
  t.after(() => worker.terminate())
  assert.match((await once(worker, 'message'))[0], /replace: true/)
})
