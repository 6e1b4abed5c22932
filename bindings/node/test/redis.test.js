'use strict'

// Many machines: processes that share a log on a Redis server. With a real one.

const test = require('node:test')
const assert = require('node:assert/strict')
const { execFileSync, spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const { createServer } = require('node:net')

const { Engine } = require('../index.js')

const SECRET = 'a secret of at least 32 bytes, kept secret'
const isThere = spawnSync('redis-server', ['--version']).status === 0
if (!isThere && process.env.REQUIRE_ALL) throw new Error('redis-server is not installed (Debian: redis-server)')
const skip = isThere ? false : 'SKIPPED: redis-server is not installed (Debian: redis-server)'

/** A server of the test's own, on a free port, with nothing on disk. */
async function startRedis(t) {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  const server = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', ''])
  t.after(() => server.kill())
  for await (const text of server.stdout.setEncoding('utf8')) if (/Ready to accept connections/.test(text)) break
  return `redis://127.0.0.1:${port}/?namespace=node`
}

test('a log-out in one process is refused in another, at once and when it starts later', { skip }, async (t) => {
  const log = await startRedis(t)
  await assert.rejects(Engine.open({ secret: SECRET, log, logMustExist: true }), { code: 'SIGNOFF_LOG_MISSING' })
  const [one, two] = [await Engine.open({ secret: SECRET, log }), await Engine.open({ secret: SECRET, log })]
  const token = one.sign({ sub: '42' }, { expiresIn: '1h' })
  assert.equal(two.verify(token).sub, '42')
  assert.equal(await one.revoke(token), 'recorded-on-primary')
  const refused = () => {
    try {
      two.verify(token)
    } catch (error) {
      return error.code
    }
  }
  const end = Date.now() + 20_000
  while (refused() !== 'SIGNOFF_TOKEN_REVOKED' && Date.now() < end) await new Promise(setImmediate)
  assert.equal(refused(), 'SIGNOFF_TOKEN_REVOKED')
  const later = `
    const { Engine } = require(${JSON.stringify(require.resolve('../index.js'))})
    const engine = Engine.openSync({ secret: ${JSON.stringify(SECRET)}, log: ${JSON.stringify(log)}, logMustExist: true })
    try { engine.verify(${JSON.stringify(token)}) } catch (error) { console.log(error.code) }
    engine.close()`
  assert.equal(execFileSync(process.execPath, ['-e', later], { encoding: 'utf8' }).trim(), 'SIGNOFF_TOKEN_REVOKED')
  one.close()
  two.close()
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
