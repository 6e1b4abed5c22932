// One server process: log in, call the API, log out, change the password.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import express from 'express'
import { Engine } from 'signoff'
import { requireToken } from 'signoff/express'
import { isPassword, setPassword } from './users.mjs'

const port = Number(process.env.PORT)
const origins = process.env.PEERS.split(',').map((peer) => `http://localhost:${peer}`)
const engine = await Engine.open({
  secret: process.env.JWT_SECRET ?? 'a secret for this example alone, 32 bytes or more',
  issuer: 'express-logout',
  log: join(process.env.DATA, 'signoff.db'),
  longestLifetime: '1d',
})

const app = express()
app.use(express.json())
app.use(express.static(fileURLToPath(new URL('public', import.meta.url))))
// The page of one server asks the other as well, so that both can be seen.
app.use((req, res, next) => {
  if (origins.includes(req.headers.origin)) {
    res.set({ 'Access-Control-Allow-Origin': req.headers.origin, 'Access-Control-Allow-Headers': 'Authorization, Content-Type', 'Access-Control-Allow-Methods': 'GET, POST', Vary: 'Origin' })
  }
  if (req.method === 'OPTIONS') return res.sendStatus(204)
  next()
})

app.get('/servers', (req, res) => res.json(origins))
app.post('/login', (req, res) => {
  const { name, password } = req.body ?? {}
  if (!isPassword(name, password)) return res.status(403).json({ error: 'wrong name or password' })
  res.json({ token: engine.sign({ iss: 'express-logout', sub: name, sid: randomUUID() }, { expiresIn: '1d' }) })
})

app.use('/api', requireToken({ engine }))
app.get('/api/me', (req, res) => res.json({ user: req.auth.sub, until: new Date(req.auth.exp * 1000), process: process.pid }))
app.post('/api/logout', async (req, res) => {
  await req.signoff.logout()
  res.json({ loggedOut: true })
})
app.post('/api/password', async (req, res) => {
  const { password } = req.body ?? {}
  if (typeof password !== 'string' || password.length < 8) return res.status(400).json({ error: 'eight characters or more' })
  setPassword(req.auth.sub, password)
  await engine.revokeSubject(req.auth.sub, { issuer: 'express-logout', keep: req.auth.sid, reason: 'password changed' })
  res.json({ changed: true })
})

// What went wrong is for the log; who asks learns the status alone.
app.use((error, req, res, next) => {
  const status = error.statusCode ?? 500
  if (status >= 500) console.error(error)
  else console.log(`${req.method} ${req.path}: ${error.code ?? error.message}`)
  res.status(status).json({ error: status === 401 ? 'log in' : status === 503 ? 'try again' : 'failed' })
})

app.listen(port, '127.0.0.1', () => process.send?.('ready'))
