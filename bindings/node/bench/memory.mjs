// How memory grows: ten million verifications after a first million. Prints one JSON object, in MB.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Engine } from 'signoff'

const engine = Engine.openSync({ secret: 'a secret of at least 32 bytes, kept secret', log: ':memory:' })
const tokens = Array.from({ length: 20_000 }, () => engine.sign({ sub: '4711', jti: randomUUID() }, { expiresIn: '1d' }))
const verify = (count) => {
  let seen = 0
  for (let at = 0; at < count; at++) seen += engine.verify(tokens[at % tokens.length]).sub.length
  assert.equal(seen, 4 * count)
  globalThis.gc?.()
  return process.memoryUsage().rss / 1e6
}
const first = verify(1_000_000)
const last = verify(9_000_000)
console.log(JSON.stringify({ afterOneMillion: first, afterTenMillion: last, growth: last - first }))
engine.close()
