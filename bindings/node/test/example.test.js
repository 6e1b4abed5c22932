'use strict'

// The example as a person uses it, in a browser: log in, copy the token, log out, replay the copy; change the password.

const test = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { once } = require('node:events')

const EXAMPLE = path.join(__dirname, '../../../examples/express-logout')
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'

const missing = [
  !fs.existsSync(CHROMIUM) && `no browser at ${CHROMIUM} (Debian: chromium)`,
  !fs.existsSync(path.join(EXAMPLE, 'node_modules')) && 'the example is not installed (npm ci in examples/express-logout)',
].filter(Boolean)

if (missing.length > 0 && process.env.REQUIRE_ALL) throw new Error(missing.join('; '))

/** A port that is free, as is the next. */
async function freePorts() {
  for (;;) {
    const first = net.createServer().listen(0, '127.0.0.1')
    await once(first, 'listening')
    const { port } = first.address()
    const second = net.createServer().listen(port + 1, '127.0.0.1')
    const isFree = await Promise.race([once(second, 'listening').then(() => true), once(second, 'error').then(() => false)])
    await Promise.all([first, second].map((server) => new Promise((resolve) => server.close(resolve))))
    if (isFree) return port
  }
}

const skip = missing.length > 0 && `SKIPPED: ${missing.join('; ')}`

test('a port that is in use ends the example with a fault and says what to do; and it begins anew each time', { skip, timeout: 60_000 }, async (t) => {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'signoff-'))
  t.after(() => fs.rmSync(data, { recursive: true, force: true }))
  const port = await freePorts()
  const taken = net.createServer().listen(port + 1, '127.0.0.1')
  await once(taken, 'listening')
  t.after(() => taken.close())
  const start = (at) => spawn(process.execPath, ['start.mjs'], { cwd: EXAMPLE, env: { ...process.env, DATA: data, PORT: String(at) } })
  const refused = start(port)
  let [out, said] = ['', '']
  refused.stdout.on('data', (text) => (out += text))
  refused.stderr.on('data', (text) => (said += text))
  const [code] = await once(refused, 'close')
  assert.deepEqual([code, out], [1, ''])
  assert.match(said, /port \d+ is in use: choose another/)

  // Whoever has changed the password can log in by the one that the page tells, after another start.
  fs.writeFileSync(path.join(data, 'users.json'), '{}')
  const free = await freePorts()
  const servers = start(free)
  t.after(() => servers.kill())
  await once(servers.stdout, 'data')
  const logIn = (name, password) => fetch(`http://localhost:${free}/login`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name, password }),
  })
  assert.equal((await logIn('alice', 'wonderland')).status, 200)
  for (const [name, password] of [['alice', 'x'], ['nobody', 'x'], ['__proto__', 'x'], [1, 2]]) assert.equal((await logIn(name, password)).status, 403)
  const garbled = await fetch(`http://localhost:${free}/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' })
  assert.deepEqual([garbled.status, await garbled.json()], [400, { error: 'the request is malformed' }])
})

test('a copied token is refused after log out, on both servers, and a new password logs the other device out', { skip, timeout: 60_000 }, async (t) => {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'signoff-'))
  const port = await freePorts()
  const servers = spawn('npm', ['start', '--silent'], { cwd: EXAMPLE, env: { ...process.env, DATA: data, PORT: String(port) }, detached: true })
  const { chromium } = require('playwright-core')
  let browser
  t.after(async () => {
    await browser?.close()
    process.kill(-servers.pid, 'SIGTERM')
    fs.rmSync(data, { recursive: true, force: true })
  })
  let said = ''
  servers.stderr.on('data', (text) => (said += text))
  await Promise.race([once(servers.stdout, 'data'), once(servers, 'exit').then(() => assert.fail(said))])

  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
  const page = await browser.newPage({ viewport: { width: 1080, height: 860 } })
  const faults = []
  page.on('pageerror', (error) => faults.push(String(error)))
  await page.goto(`http://localhost:${port}`)
  await page.waitForSelector('body[data-ready]')

  let steps = 0
  /** Clicks, and gives what the page then says. */
  const click = async (selector) => {
    await page.click(selector)
    await page.waitForFunction((count) => document.querySelectorAll('#log li').length > count, steps)
    steps = await page.locator('#log li').count()
    return page.locator('#log li').first().innerText()
  }
  const logIn = async (device, password) => {
    await page.fill(`#${device} .password`, password)
    return click(`#${device} .login`)
  }

  assert.match(await logIn('phone', 'wrong'), /403/)
  assert.match(await logIn('phone', 'wonderland'), /a token for a day/)
  assert.match(await logIn('laptop', 'wonderland'), /a token for a day/)
  const pids = []
  for (const device of ['phone', 'laptop']) pids.push(/process (\d+)/.exec(await click(`#${device} .call`))[1])
  assert.notEqual(pids[0], pids[1], 'two processes')
  await click('#phone .take')
  assert.match(await click('#replay'), /the copy: 200, hello alice/)
  assert.match(await click('#phone .logout'), /log out: done/)
  // The other process, which the log out was not told, follows within 20 ms.
  let replayed
  do replayed = await click('#replay')
  while (/200/.test(replayed))
  assert.match(replayed, /the copy: 401, refused/)
  assert.equal(await page.locator('#log li').first().getAttribute('class'), 'good', 'that is what should be')
  assert.equal(await page.locator('#phone .take').isDisabled(), true)
  assert.match(await click('#laptop .call'), /200, hello alice/, 'another login of the same user')
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT })

  assert.match(await logIn('phone', 'wonderland'), /a token for a day/)
  await page.fill('#phone .new', 'through the looking-glass')
  await page.fill('#phone .password', 'a guess')
  assert.match(await click('#phone .change'), /403, wrong password/, 'a stolen token is not enough')
  await page.fill('#phone .password', 'wonderland')
  assert.match(await click('#phone .change'), /every other device is logged out/)
  assert.match(await click('#phone .call'), /200/, 'the device that changed it stays logged in')
  let called
  do called = await click('#laptop .call')
  while (/200/.test(called))
  assert.match(called, /401/)
  assert.match(await logIn('laptop', 'wonderland'), /403/)
  assert.match(await logIn('laptop', 'through the looking-glass'), /a token for a day/)
  assert.match(await click('#laptop .call'), /200/)
  assert.deepEqual(faults, [])
})
