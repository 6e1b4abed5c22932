'use strict'

// How worker threads learn which log the thread that started them goes by: from the environment data that they start with, and
// from messages about every change after that.

const { randomUUID } = require('node:crypto')
const { BroadcastChannel, getEnvironmentData, isMainThread, setEnvironmentData } = require('node:worker_threads')

// Of this copy of the package alone.
const KEY = `signoff/jsonwebtoken ${__dirname}`

/** To those that this thread has started. Made with the first log. */
let toOurs = null
/** What they were told last. */
let told = undefined

/** Tells workers that are there, and those that are started from here on. */
function tell(state) {
  if (toOurs === null && state === undefined) return
  if (toOurs === null) {
    toOurs = channel(`${KEY}/${randomUUID()}`)
    // One that starts may have missed what was said meanwhile.
    toOurs.onmessage = ({ data }) => data === 'what is it?' && toOurs.postMessage({ state: told })
  }
  told = state
  setEnvironmentData(KEY, { name: toOurs.name, state })
  toOurs.postMessage({ state })
}

/** In a worker: calls back with what the thread says that has started it, now and whenever that changes. */
function listen(hear) {
  const inherited = isMainThread ? undefined : getEnvironmentData(KEY)
  if (inherited === undefined) return
  hear(inherited.state)
  const fromTheirs = channel(inherited.name)
  fromTheirs.onmessage = ({ data }) => data !== 'what is it?' && hear(data.state)
  fromTheirs.postMessage('what is it?')
}

/** One that keeps no thread alive. */
function channel(name) {
  const made = new BroadcastChannel(name)
  made.unref()
  return made
}

module.exports = { listen, tell }
