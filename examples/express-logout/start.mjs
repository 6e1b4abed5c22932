// Two server processes on one log. `npm start`, then open the address that it prints.
import { fork } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const data = process.env.DATA ?? fileURLToPath(new URL('data', import.meta.url))
mkdirSync(data, { recursive: true })
const first = Number(process.env.PORT ?? 3000)
const ports = [first, first + 1]
const server = fileURLToPath(new URL('server.mjs', import.meta.url))

const servers = ports.map((port) => fork(server, { env: { ...process.env, DATA: data, PORT: String(port), PEERS: ports.join() } }))
await Promise.all(servers.map((each) => new Promise((resolve) => each.once('message', resolve))))
console.log(`two servers, one log: http://localhost:${ports[0]} and http://localhost:${ports[1]}`)

const stop = () => servers.forEach((each) => each.kill())
process.on('SIGINT', stop)
process.on('SIGTERM', stop)
servers.forEach((each) => each.once('exit', () => { stop(); process.exitCode ??= 0 }))
