// The users of the example: a file with a salted hash of each password. Every server process reads it anew.
import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const FILE = join(process.env.DATA, 'users.json')

const hash = (password, salt) => scryptSync(password, Buffer.from(salt, 'hex'), 32).toString('hex')

function read() {
  if (!existsSync(FILE)) setPassword('alice', 'wonderland')
  return JSON.parse(readFileSync(FILE, 'utf8'))
}

export function setPassword(name, password) {
  const users = existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : {}
  const salt = randomBytes(16).toString('hex')
  users[name] = { salt, hash: hash(password, salt) }
  writeFileSync(`${FILE}.${process.pid}`, JSON.stringify(users))
  renameSync(`${FILE}.${process.pid}`, FILE)
}

export function isPassword(name, password) {
  const users = read()
  if (typeof name !== 'string' || typeof password !== 'string' || !Object.hasOwn(users, name)) return false
  return timingSafeEqual(Buffer.from(hash(password, users[name].salt)), Buffer.from(users[name].hash))
}
