// Compiled, not run: the package as TypeScript sees it from a module.
import { Engine, SignoffError, type Claims } from 'signoff'
import jwtOf, * as jwt from 'signoff/jsonwebtoken'
import { requireToken, isRevoked } from 'signoff/express'
import Fastify from 'fastify'
import fastifyJwt from '@fastify/jwt'
import signoff, { trusted } from 'signoff/fastify'

const engine: Engine = await Engine.open({ secret: 'x', issuer: ['a'], log: './signoff.db', onUnknown: { acceptYounger: '5m' } })
const claims: Claims = engine.verify(engine.sign({ sub: '42' }, { expiresIn: '1d' }))
const subject: string | number | undefined = claims.sub
const outcome: 'recorded' | 'recorded-in-memory' | 'recorded-on-primary' | 'recorded-on-replicas' | 'recorded-on-disk' | 'recorded-in-local-file' | 'already-covered' | 'already-expired' = await engine.revoke('x')
engine.on('degraded', (health) => health.faultMessage?.length)
try {
  engine.verify('x')
} catch (error) {
  if (error instanceof SignoffError) error.statusCode satisfies 400 | 401 | 500 | 503
}
const decoded = jwt.verify('x', 'y')
if (typeof decoded !== 'string') decoded.sub?.length
jwt.verify('x', (header, callback) => callback(null, header.kid), { algorithms: ['RS256'] }, (error, payload) => [error, payload])
const whole: jwt.Jwt = jwt.verify('x', 'y', { complete: true })
await (await jwt.useLog('./signoff.db')).revokeSubject('42', { keep: 'jti' })
await jwt.revoke('x', 'y')
requireToken({ engine, cookie: 'session' })
isRevoked({ engine })
const fastify = Fastify()
await fastify.register(signoff, { engine, global: false, getToken: (request) => request.headers.authorization?.slice(7) })
fastify.post('/logout', { onRequest: fastify.requireToken }, async (request) => request.signoff?.logout())
await fastify.register(fastifyJwt, { secret: 'x', trusted: trusted({ engine, cookie: 'token' }) })

// @ts-expect-error: there is no such option
await Engine.open({ secret: 'x', isuer: 'y' })
// @ts-expect-error: an engine is opened, not made
new Engine()
// @ts-expect-error: numbers would be seconds to some, milliseconds to others
await engine.revokeEverything({ issuedBefore: 1700000000 })

export { subject, outcome, whole, jwtOf }

import jwtWithLog from 'signoff/jsonwebtoken'
import { logout as logoutOfExpress } from 'signoff/express'
import signoffOfFastify, { logout as logoutOfFastify, refuseLoggedOut } from 'signoff/fastify'

const withClock = Engine.openSync({ secret: 'x'.repeat(32), clock: () => Date.now() })
withClock.sign({}, { expiresIn: 60, now: new Date() }) satisfies string
jwtWithLog.useLogSync('./x.db', { replace: true }) satisfies Engine
jwtWithLog.revoke('', async (header) => header.alg, null) satisfies Promise<unknown>
logoutOfExpress({ engine: withClock, cookie: 'session', clearCookie: { path: '/', sameSite: 'strict' }, realm: 'shop' })
logoutOfFastify({ engine: withClock })
refuseLoggedOut({ engine: withClock, requestProperty: 'who' })
signoffOfFastify.logout satisfies typeof logoutOfFastify
