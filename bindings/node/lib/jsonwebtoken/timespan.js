'use strict'

const ms = require('ms')

/** The second that lies so long after another: a number is of seconds, a text is read by `ms`. Undefined if it can't be read. */
module.exports = function timespan(time, iat) {
  const timestamp = iat || Math.floor(Date.now() / 1000)
  if (typeof time === 'number') return timestamp + time
  if (typeof time !== 'string') return undefined
  const milliseconds = ms(time)
  return milliseconds === undefined ? undefined : Math.floor(timestamp + milliseconds / 1000)
}
