// How long `revoke` keeps the event loop while another process holds the log's file for four seconds: 1,000 calls, of good
// tokens and of expired ones in turn. `npm run bench:held`.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Engine } from 'signoff'

const CALLS = 1000
const HOLDER = `
import sqlite3, sys, time
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(4)
file.execute("COMMIT")
`

const folder = mkdtempSync(join(tmpdir(), 'signoff-held-'))
try {
  const log = join(folder, 'signoff.db')
  const engine = await Engine.open({ secret: 'a secret of at least 32 bytes, kept secret', log, revokeTimeout: '30s' })
  const now = Math.floor(Date.now() / 1000)
  const tokens = Array.from({ length: CALLS }, (_, n) =>
    engine.sign({ sub: `${n}`, iat: now - 900, exp: n % 2 ? now - 600 : now + 3600 }),
  )
  const holder = spawn('python3', ['-c', HOLDER, log], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
  const took = []
  const answers = []
  for (const token of tokens) {
    const started = process.hrtime.bigint()
    answers.push(engine.revoke(token))
    took.push(Number(process.hrtime.bigint() - started) / 1e6)
    await sleep(3)
  }
  const held = holder.exitCode === null
  const counts = {}
  for (const outcome of await Promise.all(answers)) counts[outcome] = (counts[outcome] ?? 0) + 1
  took.sort((a, b) => a - b)
  const at = (part) => took[Math.floor((CALLS - 1) * part)].toFixed(3)
  const outcomes = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`)
  console.log(`${CALLS} calls, ${outcomes.join(', ')}; median ${at(0.5)} ms, 99th ${at(0.99)} ms, slowest ${at(1)} ms`)
  assert(held, 'the file was let go of before the last call')
} finally {
  rmSync(folder, { recursive: true })
}
