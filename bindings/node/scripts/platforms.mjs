// The platforms that a package of its own is made for, and how each is built.
//
//   node scripts/platforms.mjs            lists them
//   node scripts/platforms.mjs place      puts what was built here into its package, under npm/
//   node scripts/platforms.mjs name       names the packages in package.json, for `npm pack` (prepack)
//   node scripts/platforms.mjs unname     takes the names out again (postpack): before they are published, `npm ci` would
//                                         look for them in vain
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** napi-rs's name, Rust's name, what npm matches, and how the build differs from `npm run build`. */
const PLATFORMS = [
  ['linux-x64-gnu', 'x86_64-unknown-linux-gnu', { os: 'linux', cpu: 'x64', libc: 'glibc' }, ''],
  ['linux-arm64-gnu', 'aarch64-unknown-linux-gnu', { os: 'linux', cpu: 'arm64', libc: 'glibc' }, '--use-napi-cross'],
  ['linux-x64-musl', 'x86_64-unknown-linux-musl', { os: 'linux', cpu: 'x64', libc: 'musl' }, '-x'],
  ['linux-arm64-musl', 'aarch64-unknown-linux-musl', { os: 'linux', cpu: 'arm64', libc: 'musl' }, '-x'],
  ['darwin-x64', 'x86_64-apple-darwin', { os: 'darwin', cpu: 'x64' }, 'on a Mac'],
  ['darwin-arm64', 'aarch64-apple-darwin', { os: 'darwin', cpu: 'arm64' }, 'on a Mac'],
  ['win32-x64-msvc', 'x86_64-pc-windows-msvc', { os: 'win32', cpu: 'x64' }, 'on Windows'],
]

const path = (name) => `${ROOT}${name}`
const manifest = JSON.parse(readFileSync(path('package.json'), 'utf8'))

function writeManifest(optionalDependencies) {
  const { optionalDependencies: _, ...rest } = manifest
  const written = optionalDependencies ? { ...rest, optionalDependencies } : rest
  writeFileSync(path('package.json'), `${JSON.stringify(written, null, 2)}\n`)
}

function place() {
  const built = PLATFORMS.filter(([name]) => existsSync(path(`signoff.${name}.node`)))
  for (const [name, , { os, cpu, libc }] of built) {
    const file = `signoff.${name}.node`
    mkdirSync(path(`npm/${name}`), { recursive: true })
    copyFileSync(path(file), path(`npm/${name}/${file}`))
    const about = {
      name: `signoff-${name}`,
      version: manifest.version,
      description: `The native part of the package signoff for ${name}`,
      main: file,
      files: [file],
      os: [os],
      cpu: [cpu],
      ...(libc && { libc: [libc] }),
      engines: manifest.engines,
    }
    writeFileSync(path(`npm/${name}/package.json`), `${JSON.stringify(about, null, 2)}\n`)
  }
  if (built.length === 0) throw new Error('nothing is built yet: npm run build')
}

switch (process.argv[2]) {
  case 'place':
    place()
    break
  case 'name':
    writeManifest(Object.fromEntries(PLATFORMS.map(([name]) => [`signoff-${name}`, manifest.version])))
    break
  case 'unname':
    writeManifest(undefined)
    break
  case 'publish':
    // npm reads package.json again after packing, when the names are gone.
    throw new Error('publish what was packed, the platforms first: npm pack && npm publish signoff-*.tgz')
  default:
    for (const [name, target, , how] of PLATFORMS) {
      const where = how.startsWith('on') ? `   # ${how}` : ''
      const cross = how.startsWith('-') ? ` ${how}` : ''
      console.log(`${name.padEnd(18)}npm run build -- --target ${target}${cross}${where}`)
    }
}
