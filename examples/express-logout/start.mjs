// Two server processes on one log. `npm start`, then open the address that it prints.
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const data = process.env.DATA ?? fileURLToPath(new URL('data', import.meta.url))
mkdirSync(data, { recursive: true })
// Who tries the page out begins with the same password each time; the log of who was logged out stays.
rmSync(join(data, 'users.json'), { force: true })

/** Made once, and kept where nobody else reads it. A service has it from wherever it keeps its secrets. */
function secret() {
  const file = join(data, 'secret')
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('base64'), { mode: 0o600 })
  return readFileSync(file, 'utf8')
}

const first = Number(process.env.PORT ?? 3000)
const ports = [first, first + 1]
const server = fileURLToPath(new URL('server.mjs', import.meta.url))
const shared = { ...process.env, DATA: data, PEERS: ports.join(), JWT_SECRET: process.env.JWT_SECRET ?? secret() }

const servers = ports.map((port) => fork(server, { env: { ...shared, PORT: String(port) } }))
const stop = () => servers.forEach((each) => each.kill())
process.on('SIGINT', stop)
process.on('SIGTERM', stop)

// Where one ends the other is of no use; and if it was not told to, that is a fault.
for (const each of servers) {
  each.once('exit', (code) => {
    if (code) process.exitCode = code
    stop()
  })
}
const isReady = (each) => new Promise((resolve) => each.once('message', () => resolve(true)).once('exit', () => resolve(false)))
const ready = await Promise.all(servers.map(isReady))
if (ready.every(Boolean)) console.log(`two servers, one log: http://localhost:${ports[0]} and http://localhost:${ports[1]}`)
