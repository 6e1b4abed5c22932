'use strict'

const { Engine } = require('./lib/engine.js')
const { SignoffError } = require('./lib/errors.js')

module.exports = { Engine, SignoffError }
