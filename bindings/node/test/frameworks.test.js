'use strict'

// What each framework makes of our answers, through its own default handlers: the status, and that nothing is told to the sender that is
// none of his business, and that the process lives on. The table in docs/frameworks.md is written from here: UPDATE=1.

process.env.NODE_ENV = 'production'

const test = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const jsonwebtoken = require('jsonwebtoken')

const { Engine } = require('../index.js')

const SECRET = 'a secret of at least 32 bytes, kept secret'
const TABLE = path.join(__dirname, '../../../docs/frameworks.md')
const [BEGIN, END] = ['<!-- frameworks: begin -->', '<!-- frameworks: end -->']
const isInstalled = fs.existsSync(path.join(__dirname, 'frameworks/node_modules'))

/** Nobody is to learn from an answer what is wrong, or where anything lies. */
const TOLD = /revo|logged|log-out| ago|leeway|expire|signature|numeric|database|\.db|\/tmp|staleness|stale|read yet/i

const faults = []
for (const event of ['unhandledRejection', 'uncaughtException']) process.on(event, (error) => faults.push(`${event}: ${error?.stack ?? error}`))

/** The last character of a signature has spare bits: another one that is decoded to the same. */
function respelled(token) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)) ^ 1]
}

const sign = (claims, options) => jsonwebtoken.sign(claims, SECRET, options)

/** What is sent, and what the answer should be: of a guard of ours, and of a library that verifies and asks us. */
const CASES = {
  'good token': { token: (engine) => engine.sign({ sub: 'u' }, { expiresIn: '1h' }), ours: 200, theirs: 200 },
  'no token': { token: () => undefined, ours: 401, theirs: 401 },
  'malformed': { token: () => 'a.b.c', ours: 401, theirs: 401 },
  're-spelled': { token: (engine) => respelled(engine.sign({ sub: 'u' }, { expiresIn: '1h' })), ours: 401, theirs: 401 },
  'expired': { token: () => sign({ sub: 'u' }, { expiresIn: -60 }), ours: 401, theirs: 401 },
  'revoked': {
    token: async (engine) => {
      const token = engine.sign({ sub: 'u' }, { expiresIn: '1h' })
      await engine.revoke(token)
      return token
    },
    ours: 401,
    theirs: 401,
  },
  // An engine takes them where `numericIds` is set; whoever has verified a token by another library has decided that already.
  'numeric ids': { token: () => sign({ sub: 42, jti: 7, aud: ['a', 7] }, { expiresIn: '1h' }), ours: 401, theirs: 200 },
}

/** What can say only 401 where the answer should be 503. */
const SAYS_401 = ['koa-jwt 4', '@fastify/jwt 7.2, `trusted`', '@fastify/jwt 9.1, `trusted`', '@fastify/jwt 10.2.0, `trusted`']
const VERIFIES_ITSELF = /-jwt|@fastify\/jwt/

async function me(server, token) {
  if (server.me !== undefined) return server.me(token)
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(`http://127.0.0.1:${server.port}/me`, { headers })
  return { status: response.status, text: await response.text(), headers: Object.fromEntries(response.headers) }
}

async function logOut(server, token) {
  const response = await fetch(`http://127.0.0.1:${server.port}/logout`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  return { status: response.status, text: await response.text(), headers: Object.fromEntries(response.headers) }
}

const isSockets = (name) => name.startsWith('socket.io')

function assertAnswer(name, what, answer, expected) {
  const status = isSockets(name) ? (expected === 200 ? 'connected' : 'refused') : expected
  assert.equal(answer.status, status, `${name}, ${what}: ${answer.text}`)
  if (expected === 200) return
  // A code is for programs, and says no more than which error it is.
  const said = answer.text.replace(/"code":"[A-Z_]+"/, '')
  const isOurs = !/Invalid Signature|invalid signature|jwt expired|token expired|TOKEN_EXPIRED|authorization token|Authorization/i.test(said)
  if (isOurs) assert.doesNotMatch(said, TOLD, `${name}, ${what}`)
}

const rows = new Map()

test('each framework answers as it should, tells nothing, and lives on', { skip: !isInstalled && skipReason() }, async (t) => {
  const servers = require('./frameworks/servers.js')
  for (const [name, serve] of Object.entries(servers)) {
    await t.test(name, async () => {
      const row = []
      const engine = Engine.openSync({ secret: SECRET, log: ':memory:' })
      const server = await serve({ engine, secret: SECRET })
      for (const [what, { token, ours, theirs }] of Object.entries(CASES)) {
        const answer = await me(server, await token(engine))
        assertAnswer(name, what, answer, VERIFIES_ITSELF.test(name) ? theirs : ours)
        row.push(answer.status)
      }
      await logsOutAgainAndAgain(server, engine)
      await server.close()
      engine.close()

      row.push(await unknown(name, serve))
      row.push(await logAway(name, serve))
      rows.set(name, row)
      await new Promise((resolve) => setImmediate(resolve))
      assert.deepEqual(faults, [], 'nothing is left that nobody catches')
    })
  }
})

/** The log-out route: also of what was logged out, has expired, or is not there; of nothing that nobody has signed. */
async function logsOutAgainAndAgain(server, engine) {
  const session = engine.sign({ sub: 'u', sid: 's' }, { expiresIn: '1h' })
  const sibling = engine.sign({ sub: 'u', sid: 's' }, { expiresIn: '1h' })
  for (let turn = 0; turn < 2; turn++) assert.equal((await logOut(server, session)).status, 204)
  assert.throws(() => engine.verify(sibling), { code: 'SIGNOFF_TOKEN_REVOKED' })
  assert.equal((await logOut(server, sign({ sub: 'u' }, { expiresIn: -60 }))).status, 204)
  const iat = Math.floor(Date.now() / 1000) - 3600
  const expired = sign({ sub: 'v', sid: 'of one that has expired', iat }, { expiresIn: 3540 })
  const refresh = engine.sign({ sub: 'v', sid: 'of one that has expired' }, { expiresIn: '1h' })
  assert.equal((await logOut(server, expired)).status, 204)
  assert.throws(() => engine.verify(refresh), { code: 'SIGNOFF_TOKEN_REVOKED' })
  const forged = await logOut(server, jsonwebtoken.sign({ sub: 'u' }, 'another'))
  assert.deepEqual([forged.status, forged.headers['www-authenticate']], [401, 'Bearer realm="api", error="invalid_token"'])
}

/** While it is unknown who was logged out. */
async function unknown(name, serve) {
  const engine = Engine.openSync({ secret: SECRET, log: ':memory:', maxStaleness: 0.001 })
  const token = engine.sign({ sub: 'u' }, { expiresIn: '1h' })
  const server = await serve({ engine, secret: SECRET })
  let answer
  do answer = await me(server, token)
  while (answer.status === 200 || answer.status === 'connected')
  assertAnswer(name, 'list unknown', answer, SAYS_401.includes(name) ? 401 : 503)
  await server.close()
  engine.close()
  return answer.status
}

/** The log is gone when somebody wants to log out. */
async function logAway(name, serve) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'signoff-'))
  const engine = Engine.openSync({ secret: SECRET, log: path.join(folder, 'l.db') })
  const token = engine.sign({ sub: 'u' }, { expiresIn: '1h' })
  const server = await serve({ engine, secret: SECRET })
  fs.renameSync(path.join(folder, 'l.db'), path.join(folder, 'elsewhere.db'))
  const answer = await logOut(server, token)
  assertAnswer(isSockets(name) ? 'Express 5' : name, 'log away at log out', answer, 503)
  assert.equal(answer.headers['retry-after'], '1')
  await server.close()
  engine.close()
  fs.rmSync(folder, { recursive: true })
  return answer.status
}

function skipReason() {
  if (process.env.REQUIRE_ALL) assert.fail('the frameworks are not installed: run `make test-node`')
  return 'the frameworks are not installed: run `make test-node`'
}

test('the table in docs/frameworks.md is what they answer', { skip: !isInstalled && skipReason() }, () => {
  const heads = [...Object.keys(CASES), 'list unknown', 'log away at log out']
  const line = (cells) => `| ${cells.join(' | ')} |`
  const table = [line(['', ...heads]), line(['---', ...heads.map(() => '---')]), ...[...rows].map(([name, row]) => line([name, ...row]))].join('\n')
  const text = fs.readFileSync(TABLE, 'utf8')
  const [before, rest] = text.split(BEGIN)
  const [, after] = rest.split(END)
  const wanted = `${before}${BEGIN}\n\n${table}\n\n${END}${after}`
  if (process.env.UPDATE) fs.writeFileSync(TABLE, wanted)
  assert.equal(fs.readFileSync(TABLE, 'utf8'), wanted, 'run it with UPDATE=1')
})
