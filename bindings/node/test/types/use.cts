// Compiled, not run: the package as TypeScript sees it from CommonJS.
import signoff = require('signoff')
import jwt = require('signoff/jsonwebtoken')
import express = require('signoff/express')
import plugin = require('signoff/fastify')

const engine: signoff.Engine = signoff.Engine.openSync({ secret: 'x' })
const token: string = jwt.sign({ a: 1 }, 'x', { expiresIn: '1d' })
const middleware = express.requireToken({ engine })
const trusted = plugin.trusted({ engine })
export { token, middleware, trusted }
