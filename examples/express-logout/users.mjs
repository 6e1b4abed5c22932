// The users of the example: a file with a salted hash of each password. Every server process reads it anew.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const FILE = join(process.env.DATA, 'users.json')

/** On another thread: it takes long on purpose, and requests go on meanwhile. */
const derive = promisify(scrypt)
const hash = async (password, salt) => (await derive(password, Buffer.from(salt, 'hex'), 32)).toString('hex')
const make = async (password, salt = randomBytes(16).toString('hex')) => ({ salt, hash: await hash(password, salt) })

/** Whom nobody has asked for: so that an unknown name takes as long as a known one. */
const NOBODY = await make(randomBytes(16).toString('hex'))

async function read() {
  try {
    return JSON.parse(await readFile(FILE, 'utf8'))
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    return { alice: await make('wonderland') }
  }
}

export async function setPassword(name, password) {
  const users = { ...(await read()), [name]: await make(password) }
  await writeFile(`${FILE}.${process.pid}`, JSON.stringify(users), { mode: 0o600 })
  await rename(`${FILE}.${process.pid}`, FILE)
}

export async function isPassword(name, password) {
  if (typeof name !== 'string' || typeof password !== 'string') return false
  const users = await read()
  const isKnown = Object.hasOwn(users, name)
  const { salt, hash: expected } = isKnown ? users[name] : NOBODY
  const isSame = timingSafeEqual(Buffer.from(await hash(password, salt)), Buffer.from(expected))
  return isSame && isKnown
}
