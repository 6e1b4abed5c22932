'use strict'

// The middleware of Express and the plugin of Fastify, over real requests; and their use beside express-jwt and @fastify/jwt.

const test = require('node:test')
const assert = require('node:assert/strict')
const http = require('node:http')
const crypto = require('node:crypto')

const express = require('express')
const fastify = require('fastify')
const { expressjwt } = require('express-jwt')
const jsonwebtoken = require('jsonwebtoken')

const { Engine } = require('../index.js')
const { isRevoked, requireToken } = require('../express.js')
const plugin = require('../fastify.js')

const SECRET = 'a secret of at least 32 bytes, kept secret'
const engineOf = (options) => Engine.openSync({ secret: SECRET, log: ':memory:', ...options })

/** The same application by either framework: who am I, and log out. */
const FRAMEWORKS = {
  express: async (options) => {
    const app = express()
    app.use(requireToken(options))
    app.get('/me', (req, res) => res.json({ user: req.auth ?? null, token: req.signoff.token ?? null }))
    app.post('/logout', async (req, res) => res.json(await req.signoff.logout()))
    app.set('env', 'test')
    const server = http.createServer(app).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    return [server.address().port, () => new Promise((resolve) => server.close(resolve))]
  },
  fastify: async (options) => {
    const app = fastify()
    app.register(plugin, options)
    app.get('/me', async (request) => ({ user: request.user ?? null, token: request.signoff.token ?? null }))
    app.post('/logout', async (request) => JSON.stringify(await request.signoff.logout()))
    await app.listen({ port: 0, host: '127.0.0.1' })
    return [app.server.address().port, () => app.close()]
  },
}

async function ask(port, path, headers = {}, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers })
  const text = await response.text()
  return { status: response.status, text, json: () => JSON.parse(text), header: (name) => response.headers.get(name) }
}

/** What is said of a token that is not good, whatever is wrong with it. */
const REFUSED = 'Bearer realm="api", error="invalid_token"'

const bearer = (token) => ({ authorization: `Bearer ${token}` })

for (const [name, serve] of Object.entries(FRAMEWORKS)) {
  const withServer = async (t, options, work) => {
    const [port, close] = await serve(options)
    try {
      await work(port)
    } finally {
      await close()
      options.engine.close()
    }
  }

  test(`${name}: a good token is let in, a copy of it is refused after log out, and 401 says nothing more`, async (t) => {
    const engine = engineOf()
    await withServer(t, { engine }, async (port) => {
      const token = engine.sign({ sub: 'u' }, { expiresIn: '1h' })
      const other = engine.sign({ sub: 'u' }, { expiresIn: '1h' })
      const me = await ask(port, '/me', bearer(token))
      assert.equal(me.status, 200)
      assert.equal(me.json().user.sub, 'u')
      assert.equal(me.json().token, token)
      assert.equal((await ask(port, '/logout', bearer(token), 'POST')).status, 200)
      const replayed = await ask(port, '/me', bearer(token))
      assert.equal(replayed.status, 401)
      assert.equal(replayed.header('www-authenticate'), REFUSED)
      const said = name === 'fastify' ? replayed.json().message : replayed.text.match(/SignoffError: ([^<]*)/)[1]
      assert.equal(said, 'invalid token')
      assert.equal((await ask(port, '/me', bearer(other))).status, 200)
    })
  })

  test(`${name}: log out ends the session of a token that has one, with all its tokens`, async (t) => {
    const engine = engineOf()
    await withServer(t, { engine }, async (port) => {
      const [access, refresh] = [1, 2].map(() => engine.sign({ sub: 'u', sid: 's1', iss: 'i' }, { expiresIn: '1h' }))
      const elsewhere = engine.sign({ sub: 'u', sid: 's1', iss: 'another issuer' }, { expiresIn: '1h' })
      await ask(port, '/logout', bearer(access), 'POST')
      assert.equal((await ask(port, '/me', bearer(refresh))).status, 401)
      assert.equal((await ask(port, '/me', bearer(elsewhere))).status, 200)
    })
  })

  test(`${name}: every fault of a token is 401, whatever its sender makes of it`, async (t) => {
    const engine = engineOf({ issuer: 'i' })
    await withServer(t, { engine }, async (port) => {
      const good = engine.sign({ iss: 'i' }, { expiresIn: '1h' })
      const faults = [
        'x', 'a.b.c', `${good}=`, `${good}A`, good.replace('.', '..'), 'A'.repeat(9000), jsonwebtoken.sign({ iss: 'i' }, 'other', { expiresIn: 60 }),
        jsonwebtoken.sign({ iss: 'i' }, SECRET), jsonwebtoken.sign({ iss: 'i' }, SECRET, { expiresIn: -1 }), jsonwebtoken.sign({ iss: 'j' }, SECRET, { expiresIn: 60 }),
        jsonwebtoken.sign({ iss: 'i' }, SECRET, { expiresIn: 60, header: { crit: ['x'] } }), 'é',
      ]
      for (const token of faults) {
        const answer = await ask(port, '/me', { authorization: Buffer.from(`Bearer ${token}`).toString('latin1') })
        assert.equal(answer.status, 401, token.slice(0, 40))
        assert.equal(answer.header('www-authenticate'), REFUSED)
      }
      for (const authorization of ['', 'Basic dTpw', good]) {
        const answer = await ask(port, '/me', authorization === '' ? {} : { authorization })
        assert.equal(answer.status, 401, authorization.slice(0, 40))
        assert.equal(answer.header('www-authenticate'), 'Bearer realm="api"', 'no error where no token came')
      }
      for (const authorization of ['Bearer', 'Bearer ', `Bearer ${good} ${good}`]) {
        const answer = await ask(port, '/me', { authorization })
        assert.equal(answer.status, 400, authorization.slice(0, 40))
        assert.equal(answer.header('www-authenticate'), 'Bearer realm="api", error="invalid_request"')
      }
      assert.equal((await ask(port, '/me', { authorization: `bEaReR   ${good}` })).status, 200)
    })
  })

  test(`${name}: while it is unknown who was logged out the answer is 503, and nobody is logged out by it`, async (t) => {
    const engine = engineOf({ maxStaleness: 0.001, log: ':memory:' })
    await withServer(t, { engine }, async (port) => {
      const token = engine.sign({}, { expiresIn: '1h' })
      let answer
      do answer = await ask(port, '/me', bearer(token))
      while (answer.status === 200)
      assert.equal(answer.status, 503)
      assert.equal(answer.header('retry-after'), '1')
      assert.equal(answer.header('www-authenticate'), null)
    })
  })

  test(`${name}: who was issued a token too soon after a log-out everywhere is told when to log in again`, async (t) => {
    const engine = engineOf()
    await withServer(t, { engine }, async (port) => {
      const token = engine.sign({ sub: 'u' }, { expiresIn: '1h' })
      await engine.revokeSubject('u')
      const answer = await ask(port, '/me', bearer(token))
      assert.equal(answer.status, 401)
      assert.equal(answer.header('www-authenticate'), REFUSED)
      assert.match(answer.header('retry-after'), /^[1-6]$/)
      assert.equal((await ask(port, '/me', bearer(engine.sign({ sub: 'u' }, { expiresIn: '1h' })))).status, 200)
    })
  })

  test(`${name}: without credentials only where that is allowed, and a bad token is refused even there`, async (t) => {
    const engine = engineOf()
    await withServer(t, { engine, credentialsRequired: false }, async (port) => {
      assert.deepEqual((await ask(port, '/me')).json(), { user: null, token: null })
      assert.equal((await ask(port, '/me', bearer('a.b.c'))).status, 401)
      assert.equal((await ask(port, '/logout', {}, 'POST')).status, 401)
    })
  })

  test(`${name}: from a cookie, and then from nowhere else`, async (t) => {
    const engine = engineOf()
    await withServer(t, { engine, cookie: 'session' }, async (port) => {
      const token = engine.sign({ sub: 'u' }, { expiresIn: '1h' })
      assert.equal((await ask(port, '/me', { cookie: `a=b; session=${token}; c=d` })).status, 200)
      assert.equal((await ask(port, '/me', { cookie: `session="${token}"` })).status, 200)
      assert.equal((await ask(port, '/me', bearer(token))).status, 401)
      assert.equal((await ask(port, '/me', { cookie: `xsession=${token}` })).status, 401)
      assert.equal((await ask(port, '/me', { cookie: `session=${token}; session=${token}` })).status, 400)
      assert.equal((await ask(port, '/me', { cookie: 'session=' })).status, 401)
    })
  })

  test(`${name}: from wherever the application says, also later`, async (t) => {
    for (const getToken of [(req) => req.headers['x-token'], async (req) => req.headers['x-token']]) {
      const engine = engineOf()
      await withServer(t, { engine, getToken, requestProperty: 'who' }, async (port) => {
        const token = engine.sign({ sub: 'u' }, { expiresIn: '1h' })
        assert.equal((await ask(port, '/me', { 'x-token': token })).json().token, token)
        assert.equal((await ask(port, '/me', { 'x-token': 'a.b' })).status, 401)
        assert.equal((await ask(port, '/me')).status, 401)
      })
    }
    const engine = engineOf()
    const getToken = () => ['not', 'a', 'string']
    await withServer(t, { engine, getToken }, async (port) => assert.equal((await ask(port, '/me')).status, 401))
  })
}

test('options that are wrong are refused when the middleware is made', async () => {
  const engine = engineOf()
  for (const options of [undefined, {}, { engine: {} }, { engine, cookie: 'a b' }, { engine, cookie: 'a', getToken() {} }, { engine, getToken: 'x' }, { engine, credentialsRequired: 'no' }, { engine, creditentials: true }]) {
    assert.throws(() => requireToken(options), { code: 'SIGNOFF_ERR_ARGUMENT' })
    await assert.rejects(async () => fastify().register(plugin, options).ready(), { code: 'SIGNOFF_ERR_ARGUMENT' })
  }
  engine.close()
})

test('whatever getToken throws, the request does not pass', async () => {
  const engine = engineOf()
  for (const serve of Object.values(FRAMEWORKS)) {
    for (const thrown of [undefined, null, '', 0, false, 'route', 'router']) {
      for (const getToken of [() => { throw thrown }, () => Promise.reject(thrown)]) {
        const [port, close] = await serve({ engine, getToken, credentialsRequired: false })
        assert.equal((await ask(port, '/me')).status, 500, String(thrown))
        await close()
      }
    }
  }
  await assert.rejects(isRevoked({ engine, getToken: () => Promise.reject() })({ headers: {} }, {}), { code: 'SIGNOFF_ERR_ARGUMENT' })
  await assert.rejects(plugin.trusted({ engine, getToken: () => { throw '' } })({ headers: {} }, {}), { code: 'SIGNOFF_ERR_ARGUMENT' })
  engine.close()
})

test('where a token is optional, a bad one is refused, and no other guard\'s claims are taken for this one\'s', async () => {
  const [users, admins] = [engineOf(), engineOf({ secret: `another: ${SECRET}` })]
  for (const serve of Object.values(FRAMEWORKS)) {
    const [port, close] = await serve({ engine: users, credentialsRequired: false })
    assert.deepEqual((await ask(port, '/me')).json(), { user: null, token: null })
    assert.deepEqual((await ask(port, '/me', { authorization: 'Basic eDp5' })).json(), { user: null, token: null })
    for (const [authorization, status] of [['Bearer', 400], ['bearer a b', 400], ['Bearer a.b.c', 401]]) {
      assert.equal((await ask(port, '/me', { authorization })).status, status, authorization)
    }
    await close()
  }
  const request = { headers: bearer(users.sign({ sub: 'u' }, { expiresIn: '1h' })) }
  const pass = (middleware) => middleware(request, {}, (error) => assert.equal(error, undefined))
  pass(requireToken({ engine: users }))
  assert.equal(request.auth.sub, 'u')
  pass(requireToken({ engine: admins, cookie: 'admin', credentialsRequired: false }))
  assert.equal(request.auth, undefined)
  for (const engine of [users, admins]) engine.close()
})

test('express: what a guard puts into a request is read, replaced and shadowed as properties are', async () => {
  const [users, admins] = [engineOf(), engineOf({ secret: `another: ${SECRET}` })]
  const [user, admin] = [users.sign({ sub: 'user' }, { expiresIn: '1h' }), admins.sign({ sub: 'admin' }, { expiresIn: '1h' })]
  const guard = requireToken({ engine: users })
  const app = express()
  const within = express()
  within.get('/', (req, res) => res.json([req.auth.sub, req.signoff.token === user]))
  app.use('/mounted', guard, within)
  app.get('/outside', (req, res) => res.json([req.auth === undefined, req.signoff === undefined]))
  app.get('/replaced', guard, (req, res, next) => { req.auth = { name: req.auth.sub }; next() }, (req, res) => res.json(req.auth))
  app.get('/forgotten', guard, (req, res) => { req.auth = undefined; res.json([req.auth === undefined, req.signoff.token === user]) })
  app.get('/another', (req, res, next) => { req.auth = { sub: 'nobody' }; req.signoff = null; next() }, guard, (req, res) => res.json([req.auth.sub, req.signoff.token === user]))
  app.get('/both', guard, requireToken({ engine: admins, requestProperty: 'admin', getToken: (req) => req.headers.admin }), (req, res) => {
    res.json([req.auth.sub, req.admin.sub, req.signoff.token === admin])
  })
  const server = http.createServer(app).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const answer = async (path) => (await ask(server.address().port, path, { ...bearer(user), admin })).json()
  for (let turn = 0; turn < 2; turn++) {
    assert.deepEqual(await answer('/mounted'), ['user', true])
    assert.deepEqual(await answer('/outside'), [true, true])
    assert.deepEqual(await answer('/replaced'), { name: 'user' })
    assert.deepEqual(await answer('/forgotten'), [true, true])
    assert.deepEqual(await answer('/another'), ['user', true])
    assert.deepEqual(await answer('/both'), ['user', 'admin', true])
  }
  await new Promise((resolve) => server.close(resolve))
  assert(!('signoff' in http.IncomingMessage.prototype), 'requests of others are left as they are')
  for (const engine of [users, admins]) engine.close()
})

test('express: what a guard has found is of one request, whoever else has its headers', () => {
  const engine = engineOf()
  const token = engine.sign({ sub: 'user' }, { expiresIn: '1h' })
  const guard = requireToken({ engine })
  const prototype = Object.create(http.IncomingMessage.prototype)
  const rawHeaders = Object.freeze(['Authorization', `Bearer ${token}`])
  const [one, other, bare] = [rawHeaders, rawHeaders, undefined].map((rawHeaders) => {
    return Object.create(Object.create(prototype), { rawHeaders: { value: rawHeaders }, headers: { value: bearer(token) } })
  })
  const through = (request) => guard(request, {}, (error) => assert.equal(error, undefined))
  through(one)
  assert.equal(one.auth.sub, 'user')
  assert.deepEqual([other.auth, other.signoff, Object.create(one).auth], [undefined, undefined, undefined])
  through(other)
  assert.deepEqual([one.auth, other.auth.sub], [undefined, 'user'])
  through(bare)
  assert.equal(bare.auth.sub, 'user')
  engine.close()
})

test('express-jwt asks whether a token that it has verified was logged out, also by RS256', async () => {
  const engine = engineOf()
  const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
  const app = express()
  app.use(expressjwt({ secret: publicKey, algorithms: ['RS256'], isRevoked: isRevoked({ engine }) }))
  app.get('/me', (req, res) => res.json(req.auth))
  app.use((error, req, res, next) => res.status(error.status ?? error.statusCode).json({ code: error.code }))
  const server = http.createServer(app).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  const token = jsonwebtoken.sign({ sub: 'u' }, privateKey, { algorithm: 'RS256', expiresIn: '1h' })
  assert.equal((await ask(port, '/me', bearer(token))).status, 200)
  await engine.revokeVerifiedElsewhere(token)
  const refused = await ask(port, '/me', bearer(token))
  assert.deepEqual([refused.status, refused.json().code], [401, 'revoked_token'])
  const mixed = isRevoked({ engine, getToken: () => 'a.b.c' })
  await assert.rejects(mixed({ headers: {} }, { signature: 'd' }), { code: 'SIGNOFF_ERR_ARGUMENT' })
  // The signature of the one that was verified, behind claims that nobody signed.
  const [header, , signature] = token.split('.')
  const forged = [header, Buffer.from('{"sub":"u","jti":"x"}').toString('base64url'), signature].join('.')
  const asked = isRevoked({ engine })({ headers: bearer(forged) }, jsonwebtoken.decode(token, { complete: true }))
  await assert.rejects(asked, { code: 'SIGNOFF_ERR_ARGUMENT' })
  await new Promise((resolve) => server.close(resolve))
  const ofClosed = isRevoked({ engine })
  engine.close()
  const verified = jsonwebtoken.decode(token, { complete: true })
  await assert.rejects(ofClosed({ headers: bearer(token) }, verified), { code: 'SIGNOFF_ERR_CLOSED' })
})

test('@fastify/jwt asks whether a token that it has verified is to be trusted', async () => {
  const engine = engineOf()
  const app = fastify()
  app.register(require('@fastify/jwt'), { secret: SECRET, trusted: plugin.trusted({ engine }) })
  app.get('/me', async (request) => request.jwtVerify())
  const token = jsonwebtoken.sign({ sub: 'u' }, SECRET, { expiresIn: '1h' })
  const asked = () => app.inject({ url: '/me', headers: bearer(token) })
  assert.equal((await asked()).statusCode, 200)
  await engine.revoke(token)
  const refused = await asked()
  assert.deepEqual([refused.statusCode, refused.json().code], [401, 'FST_JWT_AUTHORIZATION_TOKEN_UNTRUSTED'])
  await assert.rejects(plugin.trusted({ engine })({ headers: bearer(token) }, { sub: 'another' }), { code: 'SIGNOFF_ERR_ARGUMENT' })
  await app.close()
  engine.close()
})

test('a claim that is called payload does not stand in the way of trusted', async () => {
  const engine = engineOf()
  const trusted = plugin.trusted({ engine })
  const token = jsonwebtoken.sign({ payload: { sub: 'u' } }, SECRET)
  const claims = jsonwebtoken.decode(token)
  assert.equal(await trusted({ headers: bearer(token) }, claims), true)
  assert.equal(await trusted({ headers: bearer(token) }, jsonwebtoken.decode(token, { complete: true })), true)
  for (const other of [claims.payload, { ...jsonwebtoken.decode(token, { complete: true }), signature: 'x' }]) {
    await assert.rejects(trusted({ headers: bearer(token) }, other), { code: 'SIGNOFF_ERR_ARGUMENT' })
  }
  engine.close()
})

test('a number that JavaScript has rounded names no session: a token with one is refused', async () => {
  const engine = engineOf({ numericIds: true })
  const input = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from('{"sid":1234567890123456789,"exp":4000000000}').toString('base64url')}`
  const token = `${input}.${crypto.createHmac('sha256', SECRET).update(input).digest('base64url')}`
  const req = { headers: bearer(token) }
  const res = { setHeader() {} }
  const refused = await new Promise((resolve) => requireToken({ engine })(req, res, resolve))
  assert.deepEqual([refused.code, refused.claim], ['SIGNOFF_CLAIM_MALFORMED', 'sid'])
  assert.match(refused.detail, /beyond 2\^53 - 1/)
  engine.close()
})

test('express: a request that was answered before its token came ends there', async () => {
  const engine = engineOf()
  const answered = { headersSent: true, setHeader() { throw new Error('headers were sent') } }
  let asked = 0
  const getToken = async () => (asked++, undefined)
  const error = await new Promise((resolve) => requireToken({ engine, getToken })({ headers: {} }, answered, resolve))
  assert.deepEqual([error.code, asked], ['SIGNOFF_TOKEN_MISSING', 1])
  const thenable = { then(done) { done(undefined) } }
  const refused = await new Promise((resolve) => requireToken({ engine, getToken: () => thenable })({ headers: {} }, answered, resolve))
  assert.equal(refused.code, 'SIGNOFF_TOKEN_MISSING')
  engine.close()
})

test('fastify: only the routes that ask for it, where the plugin is told so', async () => {
  const engine = engineOf()
  const app = fastify()
  await app.register(plugin, { engine, global: false })
  app.get('/open', async () => 'open')
  app.get('/closed', { onRequest: app.requireToken }, async () => 'closed')
  assert.equal((await app.inject('/open')).statusCode, 200)
  assert.equal((await app.inject('/closed')).statusCode, 401)
  await app.close()
  engine.close()
})

test('what is no token of anybody passes: a browser that asks whether it may send one', async () => {
  const engine = engineOf()
  for (const serve of Object.values(FRAMEWORKS)) {
    const [port, close] = await serve({ engine })
    const preflight = { origin: 'https://shop.example', 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' }
    const answer = await ask(port, '/me', preflight, 'OPTIONS')
    assert([200, 204, 404].includes(answer.status), `${answer.status}: whoever looks after that is asked`)
    assert.equal(answer.header('www-authenticate'), null)
    const { origin, ...others } = preflight
    for (const headers of [{}, { origin }, others]) assert.equal((await ask(port, '/me', headers, 'OPTIONS')).status, 401)
    assert.equal((await ask(port, '/me', preflight)).status, 401, 'of another method it is none')
    await close()
  }
  engine.close()
})

test('claims take the place of nothing that a request has', async () => {
  const engine = engineOf()
  for (const requestProperty of ['__proto__', 'headers', 'signoff', 'rawHeaders', 'url', 'socket', 'body', 'query', 'constructor', 'hasOwnProperty', 'on', 'ip', '']) {
    assert.throws(() => requireToken({ engine, requestProperty }), { code: 'SIGNOFF_ERR_ARGUMENT' }, requestProperty)
    await assert.rejects(async () => fastify().register(plugin, { engine, requestProperty }).ready(), { code: 'SIGNOFF_ERR_ARGUMENT' }, requestProperty)
  }
  for (const requestProperty of ['auth', 'user', 'who', 'token', 'jwt']) requireToken({ engine, requestProperty })
  engine.close()
})

test('who forgets the braces or an await is told so', () => {
  const engine = engineOf()
  for (const make of [requireToken, isRevoked, require('../express.js').logout, plugin.logout, plugin.trusted, plugin.refuseLoggedOut]) {
    assert.throws(() => make(engine), { message: /\{ engine \}/ }, make.name)
    const opening = Engine.open({ secret: SECRET })
    assert.throws(() => make({ engine: opening }), { message: /await/ }, make.name)
    opening.then((opened) => opened.close())
  }
  engine.close()
})

test('fastify: two guards on one instance, each by its name', async () => {
  const [users, services] = [engineOf(), engineOf({ secret: `another: ${SECRET}` })]
  const app = fastify()
  await app.register(plugin, { engine: users, global: false })
  await app.register(plugin, { engine: services, global: false, decorator: 'requireService', requestProperty: 'service', realm: 'inside' })
  await assert.rejects(async () => fastify().register(plugin, { engine: users }).register(plugin, { engine: services, global: false }).ready(), { message: /decorator/ })
  app.get('/user', { onRequest: app.requireToken }, async (request) => ({ sub: request.user.sub }))
  app.get('/service', { onRequest: app.requireService }, async (request) => ({ sub: request.service.sub }))
  const [user, service] = [users, services].map((engine, at) => engine.sign({ sub: ['u', 's'][at] }, { expiresIn: '1h' }))
  const asked = (url, token) => app.inject({ url, headers: bearer(token) })
  assert.deepEqual((await asked('/user', user)).json(), { sub: 'u' })
  assert.deepEqual((await asked('/service', service)).json(), { sub: 's' })
  assert.equal((await asked('/user', service)).statusCode, 401)
  assert.equal((await asked('/service', user)).headers['www-authenticate'], 'Bearer realm="inside", error="invalid_token"')
  // Two that every route has to pass.
  const both = fastify()
  await both.register(plugin, { engine: users, getToken: (request) => request.headers.user })
  await both.register(plugin, { engine: services, getToken: (request) => request.headers.service, requestProperty: 'service' })
  both.get('/', async (request) => [request.user.sub, request.service.sub])
  assert.deepEqual((await both.inject({ url: '/', headers: { user, service } })).json(), ['u', 's'])
  for (const headers of [{ user }, { service }, { user: service, service: user }]) assert.equal((await both.inject({ url: '/', headers })).statusCode, 401)
  await Promise.all([app, both].map((each) => each.close()))
  for (const engine of [users, services]) engine.close()
})

test('@fastify/jwt with a cookie looks into the header first, and so does trusted', async () => {
  const engine = engineOf()
  const app = fastify()
  await app.register(require('@fastify/cookie'))
  await app.register(require('@fastify/jwt'), { secret: SECRET, cookie: { cookieName: 'session' }, trusted: plugin.trusted({ engine, cookie: 'session' }) })
  app.get('/me', async (request) => request.jwtVerify())
  const [one, other] = [1, 2].map((n) => jsonwebtoken.sign({ n }, SECRET, { expiresIn: '1h' }))
  const asked = async (headers) => (await app.inject({ url: '/me', headers })).statusCode
  assert.equal(await asked({ cookie: `session=${one}` }), 200)
  assert.equal(await asked(bearer(one)), 200)
  assert.equal(await asked({ ...bearer(one), cookie: `session=${other}` }), 200)
  await engine.revoke(one)
  assert.equal(await asked({ ...bearer(one), cookie: `session=${other}` }), 401)
  assert.equal(await asked({ ...bearer(other), cookie: `session=${one}` }), 200)
  await app.close()
  engine.close()
})

test('the log-out handler clears the cookie, and keeps it where the log-out is to be tried again', async () => {
  const engine = engineOf()
  const { logout } = require('../express.js')
  const cookie = { cookie: 'session', clearCookie: { path: '/app', domain: 'shop.example', secure: true, sameSite: 'strict' } }
  const app = express()
  app.post('/logout', logout({ engine, ...cookie }))
  const inFastify = fastify()
  inFastify.post('/logout', plugin.logout({ engine, ...cookie }))
  const server = http.createServer(app).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  await inFastify.listen({ port: 0, host: '127.0.0.1' })
  for (const { port } of [server.address(), inFastify.server.address()]) {
    const token = engine.sign({ sub: 'u', sid: `of ${port}` }, { expiresIn: '1h' })
    const answer = await ask(port, '/logout', { cookie: `session=${token}` }, 'POST')
    assert.deepEqual([answer.status, answer.text], [204, ''])
    assert.equal(answer.header('set-cookie'), 'session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/app; Domain=shop.example; HttpOnly; Secure; SameSite=Strict')
    assert.throws(() => engine.verify(token), { code: 'SIGNOFF_TOKEN_REVOKED' })
    for (const headers of [{}, { cookie: `session=${token}` }]) assert.equal((await ask(port, '/logout', headers, 'POST')).status, 204)
    const forged = await ask(port, '/logout', { cookie: 'session=a.b.c' }, 'POST')
    assert.equal(forged.status, 401)
    assert.match(forged.header('set-cookie'), /^session=;/, 'a browser that holds what is none is rid of it')
  }
  const other = engineOf()
  for (const wrong of [{ clearCookie: {} }, { cookie: 'a', clearCookie: { path: 'a;b' } }, { cookie: 'a', clearCookie: { sameSite: 1 } }, { cookie: 'a', clearCookie: { maxAge: 1 } }, { realm: 'a"b' }]) {
    assert.throws(() => logout({ engine: other, ...wrong }), { code: 'SIGNOFF_ERR_ARGUMENT' }, JSON.stringify(wrong))
  }
  engine.close()
  assert.equal((await ask(server.address().port, '/logout', { cookie: 'session=x' }, 'POST')).status, 500)
  other.close()
  await Promise.all([inFastify.close(), new Promise((resolve) => server.close(resolve))])
})

test('nothing that trusted gives to a framework is a rejection that nobody catches', async () => {
  const engine = engineOf()
  const trusted = plugin.trusted({ engine })
  engine.close()
  const faults = []
  const note = (error) => faults.push(error)
  process.on('unhandledRejection', note)
  const token = jsonwebtoken.sign({ sub: 'u' }, SECRET)
  // As versions up to 10.2.0 ask it.
  const asked = new Promise((resolve) => trusted({ headers: bearer(token) }, jsonwebtoken.decode(token)).then(resolve))
  assert.equal(await asked, false)
  const ignored = trusted({ headers: {} }, {})
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', note)
  assert.deepEqual(faults, [])
  await assert.rejects(async () => ignored, { code: 'SIGNOFF_ERR_ARGUMENT' }, 'who awaits it is told')
})

test('a forgery that says the same stands in for no token that was logged out', async () => {
  const engine = engineOf()
  const hook = async (app) => {
    app.addHook('onRequest', async (request) => { await request.jwtVerify() })
    app.addHook('onRequest', plugin.refuseLoggedOut({ engine, cookie: 's' }))
  }
  for (const how of ['trusted', 'hook']) {
    const app = fastify()
    await app.register(require('@fastify/cookie'))
    await app.register(require('@fastify/jwt'), { secret: SECRET, cookie: { cookieName: 's' }, ...(how === 'trusted' && { trusted: plugin.trusted({ engine, cookie: 's' }) }) })
    if (how === 'hook') await hook(app)
    app.get('/me', async (request) => (how === 'hook' ? request.user : request.jwtVerify()))
    const token = app.jwt.sign({ sub: 'v', n: how }, { expiresIn: '1h' })
    const forged = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${token.split('.')[1]}.${'A'.repeat(43)}`
    const spelled = token.replaceAll('.', '%2E')
    const status = async (headers) => (await app.inject({ url: '/me', headers })).statusCode
    assert.equal(await status({ cookie: `s=${spelled}` }), 200, 'as a cookie may be written')
    await engine.revoke(token)
    for (const cookie of [`s=${token}`, `s=${spelled}`, `s=${spelled}; s=${forged}`, `s =${token}; s=${forged}`, `s=${forged}; s=${token}`]) {
      for (const headers of [{ cookie }, { cookie, authorization: `Basic ${forged}` }]) assert.notEqual(await status(headers), 200, `${how} ${cookie.slice(0, 9)}`)
    }
    assert.notEqual(await status({ ...bearer(token), cookie: `s=${forged}` }), 200)
    await app.close()
  }
  engine.close()
})

test('log out ends the session of a token also where nothing else is good about it, and is recorded when it says so', async () => {
  const engine = engineOf({ issuer: 'i', audience: 'here', maxAge: '1h' })
  const signer = Engine.openSync({ secret: SECRET, insecureAnyAudience: true, insecureBearerOfBoundToken: true })
  const app = fastify()
  app.post('/logout', plugin.logout({ engine }))
  for (const [n, claims] of [{ iss: 'i', aud: 'elsewhere' }, { iss: 'j', aud: 'here' }, { iss: 'i', aud: 'here', iat: Math.floor(Date.now() / 1000) - 7200, exp: 4e9 }, { iss: 'i', aud: 'here', cnf: { jkt: 'x' } }].entries()) {
    const token = signer.sign({ ...claims, sid: `s${n}` }, claims.exp ? {} : { expiresIn: '1h' })
    const refresh = engine.sign({ iss: 'i', aud: 'here', sid: `s${n}` }, { expiresIn: '1h' })
    assert.equal((await app.inject({ method: 'POST', url: '/logout', headers: bearer(token) })).statusCode, 204)
    // A session is its issuer's.
    if (claims.iss === 'j') assert.equal(engine.verify(refresh).sid, `s${n}`)
    else assert.throws(() => engine.verify(refresh), { code: 'SIGNOFF_TOKEN_REVOKED' }, JSON.stringify(claims))
  }
  await app.close()
  for (const each of [engine, signer]) each.close()
})

test('a log-out that was not recorded is not said to be, also when it is tried again', async () => {
  const fs = require('node:fs')
  const path = require('node:path')
  const folder = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'signoff-'))
  const engine = engineOf({ log: path.join(folder, 'l.db') })
  const app = fastify()
  app.post('/logout', plugin.logout({ engine }))
  fs.renameSync(path.join(folder, 'l.db'), path.join(folder, 'elsewhere.db'))
  for (const claims of [{ sub: 'u' }, { sub: 'u', sid: 's' }]) {
    const token = engine.sign(claims, { expiresIn: '1h' })
    for (let turn = 0; turn < 3; turn++) {
      assert.equal((await app.inject({ method: 'POST', url: '/logout', headers: bearer(token) })).statusCode, 503, `turn ${turn}`)
    }
    assert.throws(() => engine.verify(token), { code: 'SIGNOFF_TOKEN_REVOKED' }, 'it binds here')
  }
  await app.close()
  engine.close()
  fs.rmSync(folder, { recursive: true })
})

test('engines that can not do what they are asked for are refused when a handler is made', async (t) => {
  const jwt = require('../jsonwebtoken.js')
  const log = await jwt.useLog(':memory:')
  t.after(() => jwt.closeLog())
  const { logout } = require('../express.js')
  for (const make of [requireToken, logout, isRevoked, plugin.logout, plugin.trusted, plugin.refuseLoggedOut, plugin.requireToken]) {
    assert.throws(() => make({ engine: log }), { code: 'SIGNOFF_ERR_ARGUMENT', message: /no keys/ }, make.name)
  }
  const without = Engine.openSync({ secret: SECRET })
  for (const make of [logout, isRevoked, plugin.logout, plugin.trusted, plugin.refuseLoggedOut]) {
    assert.throws(() => make({ engine: without }), { code: 'SIGNOFF_ERR_ARGUMENT', message: /without a log/ }, make.name)
  }
  for (const name of ['cookie', 'getToken']) {
    assert.throws(() => requireToken({ engine: without, [name]: undefined }), { code: 'SIGNOFF_ERR_ARGUMENT', message: /environment variable/ })
  }
  without.close()
})

test('an error that is sent as it is says nothing that is not for its sender', () => {
  const engine = engineOf()
  assert.throws(() => engine.verify('x'), (error) => {
    assert.deepEqual(Object.keys(JSON.parse(JSON.stringify(error))).sort(), ['code', 'message', 'name', 'number', 'status', 'statusCode'])
    return error.detail !== undefined
  })
  engine.close()
})
