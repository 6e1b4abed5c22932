'use strict'

// The corpus of test vectors, which every face of signoff gives the same verdicts on.

const test = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')

const { Engine, SignoffError } = require('../index.js')

const FOLDER = path.join(__dirname, '../../../tests/vectors')
const corpus = fs
  .readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .flatMap((name) => JSON.parse(fs.readFileSync(path.join(FOLDER, name), 'utf8')))

/** The options of an engine by the names that the corpus has for them. */
const OPTIONS = {
  issuer: 'issuer',
  audience: 'audience',
  subject: 'subject',
  token_type: 'tokenType',
  token_types: 'tokenType',
  token_type_optional: 'tokenTypeOptional',
  insecure_any_audience: 'insecureAnyAudience',
  insecure_bearer_of_bound_token: 'insecureBearerOfBoundToken',
  claim_equals: 'claimEquals',
  leeway_secs: 'leeway',
  lifetime_max_secs: 'maxLifetime',
  age_max_secs: 'maxAge',
  require: 'requiredClaims',
  numeric_ids_as_text: 'numericIds',
  insecure_allow_missing_exp: 'insecureAllowMissingExp',
  insecure_allow_short_secret: 'insecureAllowShortSecret',
}

test('every vector gets its verdict', () => {
  let accepted = 0
  for (const { id, why, token, keys, policy = {}, now, expected, claims } of corpus) {
    const options = Object.entries(policy).map(([name, value]) => [
      OPTIONS[name],
      name === 'claim_equals' ? Object.fromEntries(value) : value,
    ])
    const engine = Engine.openSync({ keys, ...Object.fromEntries(options) })
    let verdict = 'done'
    try {
      // Three times, since what is known of a payload may come from an earlier time.
      for (let count = 0; count < 3; count++) {
        const got = engine.verify(token, { now: new Date(now * 1000) })
        for (const [name, value] of Object.entries(claims ?? {})) assert.deepEqual(got[name], value, id)
      }
      accepted++
    } catch (error) {
      if (!(error instanceof SignoffError)) throw error
      verdict = error.code.replace('SIGNOFF_', '').toLowerCase().replaceAll('_', '-')
      assert.equal(error.statusCode, 401)
    }
    assert.equal(verdict, expected, `${id}: ${why}`)
    engine.close()
  }
  assert(accepted >= 24 && corpus.length > 4 * accepted, `${accepted} of ${corpus.length}: the corpus has shrunk`)
})
