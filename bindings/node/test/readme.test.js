'use strict'

// Every block of code in the README, run as it stands: what it prints is what the comments beside it say, and where it is a
// server, somebody logs in, logs out, and is refused.

const test = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { once } = require('node:events')

const ROOT = path.join(__dirname, '..')
const README = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8')
const blocks = [...README.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, code]) => ({ language, code }))

/** A folder in which a program finds the package and its peers, as in an application. */
function application(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'signoff-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  fs.mkdirSync(path.join(folder, 'node_modules/@fastify'), { recursive: true })
  fs.symlinkSync(ROOT, path.join(folder, 'node_modules/signoff'))
  for (const name of ['express', 'express-jwt', 'fastify', '@fastify/jwt']) {
    fs.symlinkSync(path.join(ROOT, 'node_modules', name), path.join(folder, 'node_modules', name))
  }
  return folder
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

function start(t, code, env) {
  const folder = application(t)
  fs.writeFileSync(path.join(folder, 'program.mjs'), code)
  const program = spawn(process.execPath, ['program.mjs'], { cwd: folder, env: { ...process.env, ...env } })
  t.after(() => program.kill())
  const said = { out: '', err: '' }
  program.stdout.on('data', (data) => (said.out += data))
  program.stderr.on('data', (data) => (said.err += data))
  return { program, said }
}

const programs = blocks.filter(({ language }) => language === 'js')

test('the README has a block for each way to begin', () => {
  assert(programs.length >= 10)
  assert.deepEqual([...new Set(blocks.map(({ language }) => language))].sort(), ['js', 'sh'])
})

programs.forEach(({ code }, at) => {
  const title = code.split('\n').findLast((line) => line.startsWith('import')) ?? ''
  if (!code.includes('process.env.PORT')) {
    test(`block ${at + 1} prints what it says (${title})`, { timeout: 20_000 }, async (t) => {
      const expected = [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, line]) => line)
      assert(expected.length > 0, 'the block says what it prints')
      const { program, said } = start(t, code)
      const [status] = await once(program, 'close')
      assert.deepEqual([status, said.out.trim().split('\n')], [0, expected], said.err)
    })
    return
  }
  test(`block ${at + 1} serves a log out that is one (${title})`, { timeout: 20_000 }, async (t) => {
    const port = await freePort()
    const { program, said } = start(t, code, { PORT: String(port) })
    const ended = once(program, 'close').then(() => assert.fail(said.err))
    const ask = (path, method, token) =>
      fetch(`http://localhost:${port}${path}`, { method, headers: token ? { authorization: `Bearer ${token}` } : {} })
    const answered = async () => {
      for (;;) {
        try {
          return await ask('/login', 'POST')
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
    }
    const { token } = await (await Promise.race([answered(), ended])).json()
    assert.equal((await ask('/me', 'GET')).status, 401)
    const me = await ask('/me', 'GET', token)
    assert.equal((await me.json()).sub, '42')
    assert.equal((await ask('/logout', 'POST', token)).status, 204)
    assert.equal((await ask('/me', 'GET', token)).status, 401)
    ended.catch(() => {})
  })
})
