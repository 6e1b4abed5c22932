'use strict'

// Many machines: processes that share a log on a Redis server. With a real one.

const test = require('node:test')
const assert = require('node:assert/strict')
const { execFileSync, spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs')
const { createServer } = require('node:net')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

const { Engine } = require('../index.js')

const SECRET = 'a secret of at least 32 bytes, kept secret'
const isThere = spawnSync('redis-server', ['--version']).status === 0
if (!isThere && process.env.REQUIRE_ALL) throw new Error('redis-server is not installed (Debian: redis-server)')
const skip = isThere ? false : 'SKIPPED: redis-server is not installed (Debian: redis-server)'

/** A server of the test's own, on a free port, with nothing on disk. */
async function startRedis(t) {
  return (await startServer(t)).log
}

async function startServer(t, given) {
  const probe = createServer().listen(given ?? 0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  const server = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', ''])
  t.after(() => server.kill())
  for await (const text of server.stdout.setEncoding('utf8')) if (/Ready to accept connections/.test(text)) break
  return { server, port, log: `redis://127.0.0.1:${port}/?namespace=node` }
}

/** The code with which a token is refused. */
function refusal(engine, token) {
  try {
    engine.verify(token)
  } catch (error) {
    return error.code
  }
}

async function until(isSo) {
  const end = Date.now() + 20_000
  while (!(await isSo()) && Date.now() < end) await new Promise(setImmediate)
  assert(await isSo(), `${isSo}`)
}

test('a log-out in one process is refused in another, at once and when it starts later', { skip }, async (t) => {
  const log = await startRedis(t)
  await assert.rejects(Engine.open({ secret: SECRET, log, logMustExist: true }), { code: 'SIGNOFF_LOG_MISSING' })
  const [one, two] = [await Engine.open({ secret: SECRET, log }), await Engine.open({ secret: SECRET, log })]
  const token = one.sign({ sub: '42' }, { expiresIn: '1h' })
  assert.equal(two.verify(token).sub, '42')
  assert.equal(await one.revoke(token), 'recorded-on-primary')
  await until(() => refusal(two, token) === 'SIGNOFF_TOKEN_REVOKED')
  const later = `
    const { Engine } = require(${JSON.stringify(require.resolve('../index.js'))})
    const engine = Engine.openSync({ secret: ${JSON.stringify(SECRET)}, log: ${JSON.stringify(log)}, logMustExist: true })
    try { engine.verify(${JSON.stringify(token)}) } catch (error) { console.log(error.code) }
    engine.close()`
  assert.equal(execFileSync(process.execPath, ['-e', later], { encoding: 'utf8' }).trim(), 'SIGNOFF_TOKEN_REVOKED')
  one.close()
  two.close()
})

test('with a file beside it an engine opens while the server is away, and users log out meanwhile', { skip }, async (t) => {
  const { server, port, log } = await startServer(t)
  const folder = mkdtempSync(join(tmpdir(), 'signoff-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const options = { secret: SECRET, log, localFile: join(folder, 'copy.db'), onOutage: 'keep', maxStaleness: '1h' }
  const before = await Engine.open(options)
  const [first, second] = [0, 1].map(() => before.sign({ sub: '42' }, { expiresIn: '1h' }))
  assert.equal(await before.revoke(first), 'recorded-on-primary')
  before.close()
  server.kill()
  await once(server, 'exit')
  const meanwhile = await Engine.open(options)
  assert.equal(refusal(meanwhile, first), 'SIGNOFF_TOKEN_REVOKED')
  assert.equal(meanwhile.verify(second).sub, '42')
  assert.equal(await meanwhile.revoke(second), 'recorded-in-local-file')
  assert.equal(refusal(meanwhile, second), 'SIGNOFF_TOKEN_REVOKED')
  await startServer(t, port)
  const elsewhere = await Engine.open({ secret: SECRET, log })
  for (const token of [first, second]) await until(() => refusal(elsewhere, token) === 'SIGNOFF_TOKEN_REVOKED')
  meanwhile.close()
  elsewhere.close()
  for (const [wrong, code] of [
    [{ localFile: '' }, 'SIGNOFF_ERR_ARGUMENT'],
    [{ onOutage: 'hope' }, 'SIGNOFF_ERR_ARGUMENT'],
    [{ localFile: undefined }, 'SIGNOFF_LOG_URL'],
    [{ log: join(folder, 'other.db') }, 'SIGNOFF_LOG_URL'],
  ]) {
    await assert.rejects(Engine.open({ ...options, ...wrong }), { code })
  }
})

test('what is wrong with a server is said, and no password with it', { skip }, async (t) => {
  const log = await startRedis(t)
  await assert.rejects(Engine.open({ secret: SECRET, log: `${log}&durability=great` }), { code: 'SIGNOFF_LOG_URL' })
  await assert.rejects(Engine.open({ secret: SECRET, log: 'redis://:hush@127.0.0.1:1' }), (error) => {
    assert.equal(error.code, 'SIGNOFF_LOG_UNREACHABLE')
    assert(!error.message.includes('hush'), error.message)
    return true
  })
})

// A process is given a clock of its own as Linux lets it.
const skipClock = skip || (process.platform === 'linux' ? false : 'SKIPPED: not on Linux')

test('the drop-in signs, verifies and logs out by the clock of the server that keeps the log', { skip: skipClock }, async (t) => {
  const { log } = await startServer(t)
  const folder = mkdtempSync(join(tmpdir(), 'signoff-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [library, clock] = [join(folder, 'shifted_clock.so'), join(folder, 'clock')]
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, join(__dirname, '../../../tests/redis_server/shifted_clock.c')])
  const ahead = Buffer.alloc(16)
  ahead.writeBigInt64LE(40_000_000n)
  writeFileSync(clock, ahead)
  const program = `
    const jwt = require(${JSON.stringify(join(__dirname, '../jsonwebtoken.js'))})
    jwt.useLog(${JSON.stringify(log)}).then(async () => {
      const token = jwt.sign({ sub: '42' }, ${JSON.stringify(SECRET)}, { expiresIn: 20 })
      const { iat } = jwt.verify(token, ${JSON.stringify(SECRET)})
      const revoked = await jwt.revoke(token, ${JSON.stringify(SECRET)})
      console.log(JSON.stringify({ iat, here: Date.now() / 1000, revoked }))
      await jwt.closeLog()
    })`
  const env = { ...process.env, LD_PRELOAD: library, SHIFTED_CLOCK: clock }
  const { iat, here, revoked } = JSON.parse(execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8' }))
  const now = Date.now() / 1000
  assert.ok(Math.abs(here - now - 40) < 10, 'the process has a clock of its own')
  assert.ok(Math.abs(iat - now) < 10, `it is not what counts: ${iat - now} s`)
  assert.equal(revoked, 'recorded-on-primary')
})
