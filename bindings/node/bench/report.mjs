// Measures, and writes what was measured into docs/performance.md, between its two markers: `npm run bench:report`.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'

const PAGE = fileURLToPath(new URL('../../../docs/performance.md', import.meta.url))
const MARKERS = ['<!-- node: begin -->', '<!-- node: end -->']

const measure = (name, ...args) => {
  const script = fileURLToPath(new URL(name, import.meta.url))
  return JSON.parse(execFileSync(process.execPath, ['--expose-gc', script, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }))
}

/** A Redis of its own, with nothing on disk, ended with this process. Debian: redis-server. */
async function startRedis() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  const server = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'])
  process.on('exit', () => server.kill())
  for await (const text of server.stdout.setEncoding('utf8')) if (/Ready to accept connections/.test(text)) break
  process.env.REDIS_URL = `redis://127.0.0.1:${port}`
  return server
}

const redis = await startRedis()
const ns = measure('compare.mjs', '--json')
redis.kill()
const memory = measure('memory.mjs')
const express = measure('express.mjs')
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()

const signoff = ns['signoff, 1 M revocations']
const ratios = [
  ['fast-jwt, no cache ÷ signoff', ns['fast-jwt, no cache'] / signoff, '≥ 4.00'],
  ['fast-jwt, cache hit ÷ signoff', ns['fast-jwt, cache hit'] / signoff, '≥ 1.50'],
  ['jsonwebtoken, KeyObject ÷ signoff', ns['jsonwebtoken, KeyObject'] / signoff, '≥ 5.00'],
  ['jsonwebtoken, string secret ÷ signoff', ns['jsonwebtoken, string'] / signoff, '≥ 200.00'],
  ['jsonwebtoken, KeyObject ÷ the drop-in', ns['jsonwebtoken, KeyObject'] / ns['signoff/jsonwebtoken, KeyObject'], '≥ 2.00'],
  ['each token for the first time in a while: fast-jwt, no cache ÷ signoff', ns['fast-jwt, no cache, 20,000 tokens'] / ns['signoff, 1 M revocations, 20,000 tokens'], '≥ 4.00'],
  ['the same, jsonwebtoken, KeyObject ÷ the drop-in', ns['jsonwebtoken, KeyObject, 20,000 tokens'] / ns['signoff/jsonwebtoken, KeyObject, 20,000 tokens'], '≥ 2.00'],
  ['an Express route with the middleware ÷ without, requests a second', express.ratio, '≥ 0.93'],
  ['MB by which memory grows from 1 M to 10 M verifications', memory.growth, '≤ 5.00'],
]
const missed = (value, bound) => {
  const [sign, limit] = bound.split(' ')
  return (sign === '≥' ? value >= Number(limit) : value <= Number(limit)) ? '' : ': missed'
}
const date = new Date().toISOString().slice(0, 10)
const section = `${MARKERS[0]}

Measured by \`npm run bench:report\` in bindings/node on ${cpus()[0].model.trim()}, ${cpus().length} cores, Node ${process.version}, commit ${commit}, ${date}.
One thread, a 295-byte HS256 token, claims handed over as an object, one million revocations loaded.

| ratio or figure | measured | bound |
|---|---|---|
${ratios.map(([name, value, bound]) => `| ${name} | ${value.toFixed(2)} | ${bound}${missed(value, bound)} |`).join('\n')}

| verification | median, ns |
|---|---|
${Object.entries(ns).map(([name, value]) => `| ${name} | ${value} |`).join('\n')}

${MARKERS[1]}`

const page = readFileSync(PAGE, 'utf8')
const [before, rest] = page.split(MARKERS[0])
if (rest === undefined || !rest.includes(MARKERS[1])) throw new Error(`${PAGE} has lost its markers`)
writeFileSync(PAGE, `${before}${section}${rest.split(MARKERS[1])[1]}`)
console.log(section)
