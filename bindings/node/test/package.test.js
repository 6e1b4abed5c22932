'use strict'

// The package as it is installed: both module systems, its types, and what `npm pack` makes.

const test = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { execFileSync } = require('node:child_process')

const ROOT = path.join(__dirname, '..')
const ENTRIES = ['signoff', 'signoff/jsonwebtoken', 'signoff/express', 'signoff/fastify']

test('both module systems see the same things, in one copy', async () => {
  for (const entry of ENTRIES) {
    const [required, imported] = [require(entry), await import(entry)]
    assert.equal(imported.default, required, entry)
    for (const name of Object.keys(required)) {
      if (name === 'default' || (entry === 'signoff/fastify' && name === 'signoff')) continue
      assert.equal(imported[name], required[name], `${entry}: ${name}`)
    }
  }
})

test('the types are such as a program can be written by, from both module systems', () => {
  execFileSync(process.execPath, [path.join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', path.join(__dirname, 'types')], { stdio: 'pipe' })
})

test('types speak to JavaScript programmers', () => {
  for (const name of fs.readdirSync(ROOT).filter((name) => name.endsWith('.d.ts'))) {
    const text = fs.readFileSync(path.join(ROOT, name), 'utf8')
    for (const word of ['::', 'Result<', 'Option<', '[`', 'Vec<', 'impl ']) assert(!text.includes(word), `${name} says ${word}`)
  }
})

test('what npm pack makes installs without scripts, Rust or network, and runs', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'signoff-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  const platform = fs.readdirSync(path.join(ROOT, 'npm'))[0]
  // Without Rust: only Node's own folder and the system's are searched.
  const env = { ...process.env, PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`, npm_config_update_notifier: 'false' }
  const npm = (args, cwd) => execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  const before = fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')
  for (const source of [ROOT, path.join(ROOT, 'npm', platform)]) npm(['pack', '--pack-destination', folder], source)
  assert.equal(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'), before, 'package.json is as it was')
  const tarballs = fs.readdirSync(folder)
  assert.deepEqual(tarballs.sort(), ['signoff-0.1.0.tgz', `signoff-${platform}-0.1.0.tgz`].sort())
  fs.mkdirSync(path.join(folder, 'app'))
  fs.writeFileSync(path.join(folder, 'app/package.json'), '{"private":true}')
  // `ms` comes from where this test has it: the registry is asked for nothing.
  npm(['pack', '--pack-destination', folder], path.join(ROOT, 'node_modules/ms'))
  const ms = fs.readdirSync(folder).find((name) => name.startsWith('ms-'))
  npm(['install', '--ignore-scripts', '--offline', '--no-audit', '--no-fund', `../${ms}`, ...tarballs.map((name) => `../${name}`)], path.join(folder, 'app'))
  const main = JSON.parse(fs.readFileSync(path.join(folder, 'app/node_modules/signoff/package.json'), 'utf8'))
  assert.equal(main.optionalDependencies[`signoff-${platform}`], main.version)
  const program = `
    const { Engine } = require('signoff')
    const engine = Engine.openSync({ secret: 'a secret of at least 32 bytes, kept secret', log: './signoff.db' })
    const token = engine.sign({ sub: '42' }, { expiresIn: '1d' })
    engine.verify(token)
    engine.revoke(token).then(() => { try { engine.verify(token) } catch (error) { console.log(error.code) } })`
  const run = (...args) => execFileSync(process.execPath, args, { cwd: path.join(folder, 'app'), env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  assert.equal(run('-e', program), 'SIGNOFF_TOKEN_REVOKED\n')
  const modern = "import { Engine } from 'signoff'; import jwt, { verify } from 'signoff/jsonwebtoken'; console.log(typeof Engine.open, jwt.verify === verify)"
  assert.equal(run('--input-type=module', '-e', modern), 'function true\n')
  // Without the native part it says what to do.
  fs.rmSync(path.join(folder, 'app/node_modules', `signoff-${platform}`), { recursive: true })
  assert.throws(() => run('-e', "require('signoff')"), new RegExp(`signoff-${platform}.*is not installed.*npm run build`))
})

test('every platform has its package, its target and the command that builds it', () => {
  const { napi } = require('../package.json')
  const listed = execFileSync(process.execPath, [path.join(ROOT, 'scripts/platforms.mjs')], { encoding: 'utf8' })
  for (const target of napi.targets) assert(listed.includes(`npm run build -- --target ${target}`), target)
})
