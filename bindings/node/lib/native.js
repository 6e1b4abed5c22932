'use strict'

// Finds the native part: built here, or installed as a package of its own for this platform.

const { readFileSync } = require('node:fs')

/** Node's name for this platform, in the manner of napi-rs: `linux-x64-gnu`. */
function platformName() {
  const { platform, arch } = process
  switch (platform) {
    case 'linux':
      return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`
    case 'win32':
      return `win32-${arch}-msvc`
    default:
      return `${platform}-${arch}`
  }
}

function isMusl() {
  // By the loader that this process was started with, which is known at once.
  try {
    const maps = readFileSync('/proc/self/maps', 'latin1')
    if (maps.includes('/ld-musl-')) return true
    if (maps.includes('/libc.so.6') || maps.includes('/libc-2.')) return false
  } catch {
    // There is no /proc.
  }
  // Without the names of the network's machines, which can take long to find out.
  const before = process.report.excludeNetwork
  process.report.excludeNetwork = true
  const report = process.report.getReport()
  process.report.excludeNetwork = before
  return !report.header.glibcVersionRuntime
}

function load() {
  const name = platformName()
  const tried = []
  for (const place of [`../signoff.${name}.node`, `signoff-${name}`]) {
    try {
      return require(place)
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') {
        throw new Error(
          `signoff: the native part for ${name} is there but can't be loaded (${error.message}). ` +
            'Reinstall it with `npm install --force signoff`, or build it with `npm run build` in the package.',
          { cause: error },
        )
      }
      tried.push(place)
    }
  }
  throw new Error(
    `signoff: the native part for this platform, the package signoff-${name}, is not installed. ` +
      'Run `npm install` again without --omit=optional and with a lock file that was made for this platform too; ' +
      'or, with Rust installed, build it from a checkout: `npm run build` in bindings/node ' +
      `(looked for ${tried.join(' and ')}).`,
  )
}

module.exports = load().NativeEngine
