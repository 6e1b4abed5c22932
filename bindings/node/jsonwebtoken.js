'use strict'

module.exports = {
  decode: require('./lib/jsonwebtoken/decode.js'),
  verify: require('./lib/jsonwebtoken/verify.js').verify,
  sign: require('./lib/jsonwebtoken/sign.js'),
  ...require('./lib/jsonwebtoken/errors.js'),
  useLog: require('./lib/jsonwebtoken/log.js').useLog,
  useLogSync: require('./lib/jsonwebtoken/log.js').useLogSync,
  closeLog: require('./lib/jsonwebtoken/log.js').closeLog,
  revoke: require('./lib/jsonwebtoken/revoke.js'),
}
