// One server process: log in, call the API, log out, change the password.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import express from 'express'
import { Engine } from 'signoff'
import { logout, requireToken } from 'signoff/express'
import { isPassword, setPassword } from './users.mjs'

const { DATA, JWT_SECRET, PEERS, PORT } = process.env
const origins = PEERS.split(',').map((peer) => `http://localhost:${peer}`)
const issuer = 'express-logout'
const engine = await Engine.open({ secret: JWT_SECRET, issuer, log: join(DATA, 'signoff.db'), longestLifetime: '1d' })

const app = express()
app.disable('x-powered-by')
// The page of one server asks the other as well, so that both can be seen.
app.use((req, res, next) => {
  if (origins.includes(req.headers.origin)) {
    res.set({ 'Access-Control-Allow-Origin': req.headers.origin, 'Access-Control-Allow-Headers': 'Authorization, Content-Type', 'Access-Control-Allow-Methods': 'GET, POST', Vary: 'Origin' })
  }
  if (req.method === 'OPTIONS') return res.sendStatus(204)
  next()
})
app.use(express.static(fileURLToPath(new URL('public', import.meta.url))))
app.use(express.json({ limit: '10kb' }))

app.get('/servers', (req, res) => res.json(origins))
app.post('/login', async (req, res) => {
  const { name, password } = req.body ?? {}
  if (!(await isPassword(name, password))) return res.status(403).json({ error: 'wrong name or password' })
  res.json({ token: engine.sign({ iss: issuer, sub: name, sid: randomUUID() }, { expiresIn: '1d' }) })
})
app.post('/logout', logout({ engine }))

app.use('/api', requireToken({ engine }))
app.get('/api/me', (req, res) => res.json({ user: req.auth.sub, until: new Date(req.auth.exp * 1000), process: process.pid }))
app.post('/api/password', async (req, res) => {
  const { password, newPassword } = req.body ?? {}
  if (typeof newPassword !== 'string' || newPassword.length < 8) return res.status(400).json({ error: 'eight characters or more' })
  // A stolen token must not be enough to lock its owner out.
  if (!(await isPassword(req.auth.sub, password))) return res.status(403).json({ error: 'wrong password' })
  await setPassword(req.auth.sub, newPassword)
  await engine.revokeSubject(req.auth.sub, { issuer, keep: req.auth.sid, reason: 'password changed' })
  res.json({ changed: true })
})

// What went wrong is for the log; who asks learns the status alone.
app.use((error, req, res, next) => {
  const status = error.status ?? 500
  if (status >= 500) console.error(error)
  else console.log(`${req.method} ${req.path}: ${error.code ?? error.type ?? error.message}${error.detail ? ` (${error.detail})` : ''}`)
  res.status(status).json({ error: { 400: 'the request is malformed', 401: 'log in', 503: 'try again' }[status] ?? 'failed' })
})

const server = app.listen(Number(PORT), '127.0.0.1')
server.once('listening', () => process.send?.('ready'))
server.once('error', (error) => {
  console.error(error.code === 'EADDRINUSE' ? `port ${PORT} is in use: choose another, as in PORT=4000 npm start` : error.message)
  process.exit(1)
})
