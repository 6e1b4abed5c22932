// Requests a second of an Express route with the middleware ÷ without, by wrk over loopback, in turns. Servers are started
// anew for each round, since how well the JIT has done differs from process to process. Prints one JSON object. `--serve
// with` or `without` is one of the two servers.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import express from 'express'
import { Engine } from 'signoff'
import { requireToken } from 'signoff/express'

const SECRET = 'a secret of at least 32 bytes, kept secret'
const ROUNDS = Number(process.env.ROUNDS ?? 5)
const TURNS = 8
const SECONDS = Number(process.env.SECONDS ?? 1)

if (process.argv[2] === '--serve') {
  const app = express()
  const guards = process.argv[3] === 'with' ? [requireToken({ engine: Engine.openSync({ secret: SECRET, log: ':memory:' }) })] : []
  app.get('/me', ...guards, (req, res) => res.json({ ok: true }))
  app.use((error, req, res, next) => res.sendStatus(error.statusCode ?? 500))
  const server = app.listen(0, '127.0.0.1', () => process.send(server.address().port))
} else {
  const token = Engine.openSync({ secret: SECRET }).sign({ sub: '42' }, { expiresIn: '1d' })
  const serve = async (which) => {
    const program = spawn(process.execPath, [fileURLToPath(import.meta.url), '--serve', which], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production' },
    })
    const [port] = await once(program, 'message')
    return { program, url: `http://127.0.0.1:${port}/me` }
  }
  const load = ({ url }, seconds) => {
    const out = execFileSync('wrk', ['-t1', '-c16', `-d${seconds}s`, '-H', `Authorization: Bearer ${token}`, url], { encoding: 'utf8' })
    assert(!/Non-2xx|Socket errors/.test(out), out)
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(out)[1])
  }
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1]
  const ratios = []
  const rates = { with: [], without: [] }
  for (let round = 0; round < ROUNDS; round++) {
    const servers = { with: await serve('with'), without: await serve('without') }
    assert.equal((await fetch(servers.with.url)).status, 401)
    assert.equal((await fetch(servers.with.url, { headers: { authorization: `Bearer ${token}` } })).status, 200)
    for (const server of Object.values(servers)) load(server, 2)
    for (let turn = 0; turn < TURNS; turn++) {
      for (const which of turn % 2 ? ['without', 'with'] : ['with', 'without']) rates[which].push(load(servers[which], SECONDS))
      ratios.push(rates.with.at(-1) / rates.without.at(-1))
    }
    for (const { program } of Object.values(servers)) program.kill()
  }
  console.log(JSON.stringify({ with: median(rates.with), without: median(rates.without), ratio: median(ratios) }))
}
