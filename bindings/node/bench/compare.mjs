// What a verification takes, beside the libraries that people use now: the same 295-byte HS256 token, one thread, in one
// run, claims handed over as an object. Only ratios mean anything.
//
//   node bench/compare.mjs            prints a table
//   node bench/compare.mjs --json     prints one JSON object of name → median ns
//   REDIS_URL=redis://127.0.0.1:6379  measures jsonwebtoken + one GET as well
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { createSecretKey, randomUUID } from 'node:crypto'
import { bench, do_not_optimize, run } from 'mitata'
import { createVerifier } from 'fast-jwt'
import * as jose from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { Engine } from 'signoff'
import dropIn from 'signoff/jsonwebtoken'

const SECRET = 'a secret of at least 32 bytes, kept secret'
const NOW = Math.floor(Date.now() / 1000)
const REVOCATIONS = Number(process.env.REVOCATIONS ?? 1_000_000)
const key = createSecretKey(Buffer.from(SECRET))

/** 160 bytes of claims, which make a token of 295. */
const claims = (jti) => ({ iss: 'https://id.example', sub: '4711', aud: 'api', scope: 'read write report', jti, iat: NOW, exp: NOW + 86_400 })
const sign = (jti) => jsonwebtoken.sign(claims(jti), SECRET)
const token = sign(randomUUID())
const tokens = Array.from({ length: 20_000 }, () => sign(randomUUID()))

async function withRevocations(count) {
  const engine = await Engine.open({ secret: SECRET, log: ':memory:' })
  const keepUntil = new Date((NOW + 86_400) * 1000)
  for (let made = 0; made < count; made += 10_000) {
    const batch = Math.min(10_000, count - made)
    await Promise.all(Array.from({ length: batch }, () => engine.revokeTokenId(randomUUID(), { keepUntil })))
  }
  assert.equal(engine.stats().records.token, count)
  // Merging goes on in the background, and is not what is measured.
  while (engine.stats().segments > 8) await new Promise((resolve) => setTimeout(resolve, 100))
  await new Promise((resolve) => setTimeout(resolve, 1000))
  return engine
}

const quiet = await withRevocations(0)
const million = await withRevocations(REVOCATIONS)
const fast = createVerifier({ key: SECRET, cache: false })
const fastCached = createVerifier({ key: SECRET, cache: true })
const fastOverflowing = createVerifier({ key: SECRET, cache: 1000 })
const joseKey = new TextEncoder().encode(SECRET)

let next = 0
const one = () => tokens[(next = (next + 1) % tokens.length)]

const entries = {
  'signoff': () => quiet.verify(token),
  'signoff, 1 M revocations': () => million.verify(token),
  'signoff, 1 M revocations, 20,000 tokens': () => million.verify(one()),
  'signoff/jsonwebtoken, string': () => dropIn.verify(token, SECRET),
  'signoff/jsonwebtoken, KeyObject': () => dropIn.verify(token, key),
  'signoff/jsonwebtoken, KeyObject, 20,000 tokens': () => dropIn.verify(one(), key),
  'fast-jwt, cache hit': () => fastCached(token),
  'fast-jwt, no cache': () => fast(token),
  'fast-jwt, no cache, 20,000 tokens': () => fast(one()),
  'fast-jwt, 20,000 tokens over its cache': () => fastOverflowing(one()),
  'jsonwebtoken, KeyObject': () => jsonwebtoken.verify(token, key),
  'jsonwebtoken, KeyObject, 20,000 tokens': () => jsonwebtoken.verify(one(), key),
  'jsonwebtoken, string': () => jsonwebtoken.verify(token, SECRET),
  'jose': async () => (await jose.jwtVerify(token, joseKey)).payload,
}

let redis
if (process.env.REDIS_URL) {
  const { default: Redis } = await import('ioredis')
  redis = new Redis(process.env.REDIS_URL)
  entries['jsonwebtoken, KeyObject, and a GET from Redis'] = async () => {
    const verified = jsonwebtoken.verify(token, key)
    if ((await redis.get(`revoked:${verified.jti}`)) !== null) throw new Error('revoked')
    return verified
  }
}

// Each entry accepts the good token and hands over its claims, and refuses one with another signature.
assert.equal(token.length, 295)
for (const [name, entry] of Object.entries(entries)) {
  const got = await entry()
  assert.equal(got.sub, '4711', name)
}
const forged = jsonwebtoken.sign(claims('x'), 'another secret of at least 32 bytes')
for (const verify of [(t) => million.verify(t), (t) => dropIn.verify(t, key), fast, fastCached, (t) => jsonwebtoken.verify(t, key)]) {
  assert.throws(() => verify(forged))
}

for (const [name, entry] of Object.entries(entries)) {
  const isAsync = entry.constructor.name === 'AsyncFunction'
  bench(name, isAsync ? async () => do_not_optimize(await entry()) : () => do_not_optimize(entry())).gc('inner')
}

const asJson = process.argv.includes('--json')
const { benchmarks } = await run({ format: asJson ? 'quiet' : undefined, colors: false })
const medians = Object.fromEntries(benchmarks.map(({ alias, runs }) => [alias, Math.round(runs[0].stats.p50)]))
if (asJson) console.log(JSON.stringify(medians))
else {
  const ours = medians['signoff, 1 M revocations']
  const ratio = (name, to) => `${(medians[name] / medians[to]).toFixed(2)}`
  console.log(`
fast-jwt, no cache ÷ signoff            ${ratio('fast-jwt, no cache', 'signoff, 1 M revocations')}   (≥ 4)
fast-jwt, cache hit ÷ signoff           ${ratio('fast-jwt, cache hit', 'signoff, 1 M revocations')}   (≥ 1.5)
jsonwebtoken, KeyObject ÷ signoff       ${ratio('jsonwebtoken, KeyObject', 'signoff, 1 M revocations')}   (≥ 5)
jsonwebtoken, string ÷ signoff          ${ratio('jsonwebtoken, string', 'signoff, 1 M revocations')}   (≥ 200)
jsonwebtoken, KeyObject ÷ the drop-in   ${ratio('jsonwebtoken, KeyObject', 'signoff/jsonwebtoken, KeyObject')}   (≥ 2)
signoff with 1 M revocations: ${ours} ns`)
}
redis?.disconnect()
million.close()
quiet.close()
