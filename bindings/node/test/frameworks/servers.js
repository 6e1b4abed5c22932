'use strict'

// One application by each framework at each version that people run: `GET /me` wants a good token, `POST /logout` ends it. What is
// answered to a bad one is the framework's own affair: no error handler is set.

const http = require('node:http')
const path = require('node:path')
const { pathToFileURL } = require('node:url')

const here = (name) => require(path.join(__dirname, 'node_modules', name))
const { isRevoked, logout: logoutOfExpress, requireToken } = require('../../express.js')
const plugin = require('../../fastify.js')

async function listen(handler) {
  const server = http.createServer(handler)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: server.address().port, close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))) }
}

function express(version) {
  return async ({ engine }) => {
    const app = here(`express-${version}`)()
    app.post('/logout', logoutOfExpress({ engine }))
    app.use(requireToken({ engine }))
    app.get('/me', (req, res) => res.json({ sub: req.auth.sub }))
    return listen(app)
  }
}

function fastify(version) {
  return async ({ engine }) => {
    const app = here(`fastify-${version}`)()
    app.post('/logout', plugin.logout({ engine }))
    app.register(async (closed) => {
      await closed.register(plugin, { engine })
      closed.get('/me', async (request) => ({ sub: request.user.sub }))
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: app.server.address().port, close: () => app.close() }
  }
}

/** @fastify/jwt verifies, and asks us by `trusted`, or by our own hook behind it. */
function fastifyJwt(version, fastifyVersion, how) {
  return async ({ engine, secret }) => {
    const app = here(`fastify-${fastifyVersion}`)()
    const trusted = how === 'trusted' ? { trusted: plugin.trusted({ engine }) } : {}
    app.register(here(version === 'newest' ? '@fastify/jwt' : `@fastify/jwt-${version}`), { secret, ...trusted })
    app.post('/logout', plugin.logout({ engine }))
    app.register(async (closed) => {
      closed.addHook('onRequest', async (request) => { await request.jwtVerify() })
      if (how === 'hook') closed.addHook('onRequest', plugin.refuseLoggedOut({ engine }))
      closed.get('/me', async (request) => ({ sub: request.user.sub }))
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: app.server.address().port, close: () => app.close() }
  }
}

/** Nest's controllers as its decorators make them. */
function nest(version) {
  return async ({ engine }) => {
    // The latest is ECMAScript modules alone.
    const from = (name, file) => import(pathToFileURL(path.join(__dirname, `nest-${version}`, 'node_modules', name, file)))
    await from('reflect-metadata', 'Reflect.js')
    const { Controller, Get, Module, Req } = await from('@nestjs/common', 'index.js')
    const { NestFactory } = await from('@nestjs/core', 'index.js')
    class Application {
      me(request) {
        return { sub: request.auth.sub }
      }
    }
    Reflect.decorate([Get('me')], Application.prototype, 'me', Object.getOwnPropertyDescriptor(Application.prototype, 'me'))
    Req()(Application.prototype, 'me', 0)
    Controller()(Application)
    class Root {
      configure(consumer) {
        consumer.apply(requireToken({ engine })).forRoutes('me')
      }
    }
    Module({ controllers: [Application] })(Root)
    const app = await NestFactory.create(Root, { logger: false })
    app.use('/logout', logoutOfExpress({ engine }))
    await app.listen(0, '127.0.0.1')
    return { port: app.getHttpServer().address().port, close: () => app.close() }
  }
}

function expressJwt() {
  return async ({ engine, secret }) => {
    const app = here('express-5')()
    app.post('/logout', logoutOfExpress({ engine }))
    app.use(here('express-jwt').expressjwt({ secret, algorithms: ['HS256'], isRevoked: isRevoked({ engine }) }))
    app.get('/me', (req, res) => res.json({ sub: req.auth.sub }))
    return listen(app)
  }
}

/** koa-jwt and passport-jwt have a place for a question of ours, and no words for "unknown". */
function koaJwt() {
  return async ({ engine, secret }) => {
    const Koa = here('koa')
    const app = new (Koa.default ?? Koa)()
    app.silent = true
    app.use(async (context, next) => {
      if (context.path !== '/logout') return next()
      context.respond = false
      logoutOfExpress({ engine })(context.req, context.res, () => context.res.writeHead(500).end())
    })
    const isRevokedHere = isRevoked({ engine })
    app.use(here('koa-jwt')({
      secret,
      complete: true,
      isRevoked: (context, decoded) => isRevokedHere(context.req, decoded),
    }))
    app.use(async (context) => { context.body = { sub: context.state.user.payload?.sub ?? context.state.user.sub } })
    return listen(app.callback())
  }
}

function passportJwt() {
  return async ({ engine, secret }) => {
    const passport = new (here('passport').Passport)()
    const { Strategy, ExtractJwt } = here('passport-jwt')
    const fromHeader = ExtractJwt.fromAuthHeaderAsBearerToken()
    const options = { jwtFromRequest: fromHeader, secretOrKey: secret, passReqToCallback: true }
    passport.use(new Strategy(options, (req, claims, done) => {
      try {
        engine.screen(fromHeader(req))
        done(null, claims)
      } catch (error) {
        error.statusCode === 401 ? done(null, false) : done(error)
      }
    }))
    const app = here('express-5')()
    app.post('/logout', logoutOfExpress({ engine }))
    app.get('/me', passport.authenticate('jwt', { session: false }), (req, res) => res.json({ sub: req.user.sub }))
    return listen(app)
  }
}

/** A handshake with a token, in place of a request. */
function socketIo() {
  return async ({ engine }) => {
    const server = http.createServer()
    const app = here('express-5')()
    app.post('/logout', logoutOfExpress({ engine }))
    server.on('request', app)
    const { Server } = here('socket.io')
    const io = new Server(server)
    io.use((socket, next) => {
      try {
        socket.data.claims = engine.verify(socket.handshake.auth.token)
        next()
      } catch (error) {
        next(error)
      }
    })
    io.on('connection', (socket) => socket.emit('me', { sub: socket.data.claims.sub }))
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address()
    const { io: connect } = here('socket.io-client')
    const me = (token) => new Promise((resolve) => {
      const socket = connect(`http://127.0.0.1:${port}`, { auth: { token }, transports: ['websocket'], reconnection: false })
      const end = (answer) => { socket.close(); resolve(answer) }
      socket.on('me', (body) => end({ status: 'connected', text: JSON.stringify(body), headers: {} }))
      socket.on('connect_error', (error) => end({ status: 'refused', text: JSON.stringify({ message: error.message, data: error.data }), headers: {} }))
    })
    return { port, me, close: () => new Promise((resolve) => io.close(resolve)) }
  }
}

module.exports = {
  'Express 4': express(4),
  'Express 5': express(5),
  'Fastify 4': fastify(4),
  'Fastify 5': fastify(5),
  'NestJS 10': nest(10),
  'NestJS 11': nest(11),
  'NestJS 12': nest(12),
  'express-jwt 8': expressJwt(),
  'koa-jwt 4': koaJwt(),
  'passport-jwt 4': passportJwt(),
  '@fastify/jwt 7.2, `trusted`': fastifyJwt('7', 4, 'trusted'),
  '@fastify/jwt 7.2, our hook': fastifyJwt('7', 4, 'hook'),
  '@fastify/jwt 9.1, `trusted`': fastifyJwt('9', 5, 'trusted'),
  '@fastify/jwt 9.1, our hook': fastifyJwt('9', 5, 'hook'),
  '@fastify/jwt 10.2.0, `trusted`': fastifyJwt('10.2.0', 5, 'trusted'),
  '@fastify/jwt 10.2.0, our hook': fastifyJwt('10.2.0', 5, 'hook'),
  '@fastify/jwt 10.2.8, `trusted`': fastifyJwt('newest', 5, 'trusted'),
  '@fastify/jwt 10.2.8, our hook': fastifyJwt('newest', 5, 'hook'),
  'socket.io 4': socketIo(),
}
