'use strict'

// What is logged out, from what people write to what the native part takes.

const { argumentError, notText } = require('./errors.js')
const { TEXT_MAX, date, options: named, text, texts } = require('./arguments.js')

const FOR_ALL = ['issuer', 'keepUntil', 'reason']
const WITH_CUT_OFF = [...FOR_ALL, 'issuedBefore', 'keep']

/** One token, as it was received. It names its issuer and its end itself. */
function ofToken(token, given, kind = 'token') {
  if (typeof token !== 'string') throw notText(token)
  // A token is ASCII and not long; what is not would be altered on the way, and is refused before.
  return asked({ [kind]: token.length <= TEXT_MAX && token.isWellFormed() ? token : '' }, named('options', given, ['reason']))
}

/** A `jti`, or `{printed}`: as `verifyDetailed` and the log print ids, also of tokens without one. */
function ofTokenId(id, given) {
  const target =
    typeof id === 'object' && id !== null
      ? { 'printed-token-id': text('printed', named('tokenId', id, ['printed']).printed) }
      : { 'token-id': text('tokenId', id) }
  return asked(target, named('options', given, FOR_ALL))
}

function ofSession(sid, given) {
  return asked({ session: text('sessionId', sid) }, named('options', given, FOR_ALL))
}

function ofSubject(sub, given) {
  return asked({ subject: text('subject', sub) }, named('options', given, WITH_CUT_OFF))
}

function ofEverything(given) {
  return asked('everything', named('options', given, WITH_CUT_OFF))
}

/** Ids, or the claims of a token, which is spared by both of its ids. */
function kept(keep) {
  if (typeof keep !== 'object' || keep === null || Array.isArray(keep)) return texts('keep', keep)
  const ids = [keep.jti, keep.sid].filter((id) => id !== undefined && id !== '')
  if (ids.length === 0) throw argumentError('keep is an object with neither jti nor sid: give the claims of a token, or ids')
  for (const id of ids) {
    // A number that JavaScript has rounded is another login's.
    if (typeof id === 'number' && !Number.isSafeInteger(id)) throw argumentError('keep has an id that is no exact number')
  }
  return texts('keep', ids.map((id) => (typeof id === 'number' ? String(id) : id)))
}

/** Left out, an option means "any" or "none". Undefined, it is a slip that would log out more than was meant. */
function asked(target, options) {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined && name !== 'reason') {
      throw argumentError(`${name} is undefined: give it a value, or leave it out`)
    }
  }
  const { issuer, issuedBefore, keep, keepUntil, reason } = options
  return JSON.stringify({
    target,
    // undefined is left out, and means tokens of any issuer; null means those without one.
    issuer: issuer === undefined || issuer === null ? issuer : text('issuer', issuer),
    issuedBeforeMs: issuedBefore === undefined ? null : date('issuedBefore', issuedBefore),
    keep: keep === undefined ? [] : kept(keep),
    keepUntilMs: keepUntil === undefined ? null : date('keepUntil', keepUntil),
    reason: reason === undefined ? null : text('reason', reason),
  })
}

module.exports = { ofEverything, ofSession, ofSubject, ofToken, ofTokenId }
