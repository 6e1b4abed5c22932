// Log in, use the token, log out, use it again: through the C library, with koffi alone.
//
//     npm ci && node logout.mjs /path/to/libsignoff.so signoff.db
//
// The structs are those of signoff.h, member by member.
import koffi from 'koffi'

const Str = koffi.struct('signoff_str', { data: 'char *', len: 'size_t' })
const structs = {
  signoff_error: { struct_size: 'uint32_t', status: 'int32_t', needed: 'size_t', retry_after_s: 'uint32_t', message: koffi.array('char', 236) },
  signoff_policy: {
    struct_size: 'uint32_t', flags: 'uint32_t', issuers: 'signoff_str *', issuers_len: 'size_t',
    audiences: 'signoff_str *', audiences_len: 'size_t', subject: Str, token_type: Str,
    required_claims: 'signoff_str *', required_claims_len: 'size_t', leeway_ms: 'uint64_t',
    issued_in_future_max_ms: 'uint64_t', lifetime_max_ms: 'uint64_t', age_max_ms: 'uint64_t', token_bytes_max: 'size_t',
    other_token_types: 'signoff_str *', other_token_types_len: 'size_t', claim_values: 'void *', claim_values_len: 'size_t',
  },
  signoff_log_options: {
    struct_size: 'uint32_t', kind: 'uint32_t', flags: 'uint32_t', on_unknown: 'uint32_t', path: Str,
    accept_younger_ms: 'uint64_t', longest_lifetime_ms: 'uint64_t', issued_in_future_max_ms: 'uint64_t', max_staleness_ms: 'uint64_t',
    open_timeout_ms: 'uint64_t', append_timeout_ms: 'uint64_t',
  },
  signoff_new_token: {
    struct_size: 'uint32_t', flags: 'uint32_t', claims: Str, expires_in_ms: 'uint64_t', key_id: Str, token_type: Str,
  },
  // The texts of what a call fills in lie in a buffer of ours, and are no strings of their own.
  signoff_view: { data: 'uintptr_t', len: 'size_t' },
  signoff_signed: {
    struct_size: 'uint32_t', reserved: 'uint32_t', token: 'signoff_view', jti: 'signoff_view', issued_at_ms: 'int64_t',
    expires_at_ms: 'int64_t',
  },
  signoff_claims: {
    struct_size: 'uint32_t', cleared: 'uint32_t', payload: 'signoff_view', issuer: 'signoff_view',
    subject: 'signoff_view', jti: 'signoff_view', session: 'signoff_view', expires_at_ms: 'int64_t',
    issued_at_ms: 'int64_t', not_before_ms: 'int64_t',
  },
  signoff_revocation: {
    struct_size: 'uint32_t', target: 'uint32_t', value: Str, accepted: 'void *', issuer_kind: 'uint32_t',
    reserved: 'uint32_t', issuer: Str, issued_before_ms: 'int64_t', keep: 'signoff_str *', keep_len: 'size_t',
    keep_until_ms: 'int64_t', reason: Str,
  },
}
koffi.struct('signoff_view', structs.signoff_view)
delete structs.signoff_view
const types = Object.fromEntries(Object.entries(structs).map(([name, members]) => [name, koffi.struct(name, members)]))

// A value of a struct: what is not named is zero, which is strictest.
const zeros = { signoff_str: () => ({ data: null, len: 0 }), signoff_view: () => ({ data: 0, len: 0 }) }
function make(name, members = {}) {
  const value = {}
  for (const [member, type] of Object.entries(structs[name])) {
    const kind = type === Str ? 'signoff_str' : type
    value[member] = zeros[kind]?.() ?? (typeof type === 'string' ? (type.endsWith('*') ? null : 0) : '')
  }
  return Object.assign(value, members, { struct_size: koffi.sizeof(types[name]) })
}
const text = (string) => ({ data: string, len: Buffer.byteLength(string) })

const OK = 0, TOKEN_REVOKED = 4002
const ALGORITHM_HS256 = 1, LOG_SQLITE = 2, LOG_CREATE_IF_MISSING = 1, REVOKE_TOKEN = 1

const [, , library, logPath] = process.argv
const lib = koffi.load(library)
const call = {
  statusName: lib.func('const char *signoff_status_name(int32_t)'),
  statusHttp: lib.func('int32_t signoff_status_http(int32_t)'),
  keys: lib.func('int32_t signoff_key_set_from_secret(uint32_t, const void *, size_t, uint32_t, _Out_ void **, _Inout_ signoff_error *)'),
  freeKeys: lib.func('void signoff_key_set_free(void *)'),
  log: lib.func('int32_t signoff_log_new(const signoff_log_options *, _Out_ void **, _Inout_ signoff_error *)'),
  freeLog: lib.func('void signoff_log_free(void *)'),
  open: lib.func('int32_t signoff_engine_open(void *, const signoff_policy *, void *, _Out_ void **, _Inout_ signoff_error *)'),
  free: lib.func('void signoff_engine_free(void *)'),
  sign: lib.func('int32_t signoff_engine_sign(void *, const signoff_new_token *, void *, _Out_ void *, size_t, _Inout_ signoff_signed *, _Inout_ signoff_error *)'),
  verify: lib.func('int32_t signoff_engine_verify(void *, const char *, size_t, void *, _Out_ void *, size_t, _Inout_ signoff_claims *, _Inout_ signoff_error *)'),
  revoke: lib.func('int32_t signoff_engine_revoke(void *, const signoff_revocation *, void *, void *, _Inout_ signoff_error *)'),
}

const error = make('signoff_error')
function must(status) {
  if (status !== OK) throw new Error(`${call.statusName(status)}: ${error.message}`)
}

const secret = Buffer.from('a secret of at least 32 bytes, kept secret')
const keys = [null], log = [null], engines = [null]
must(call.keys(ALGORITHM_HS256, secret, secret.length, 0, keys, error))
const options = make('signoff_log_options', { kind: LOG_SQLITE, flags: LOG_CREATE_IF_MISSING, path: text(logPath) })
must(call.log(options, log, error))
must(call.open(keys[0], make('signoff_policy'), log[0], engines, error))
call.freeLog(log[0])
call.freeKeys(keys[0])
const engine = engines[0]

// Log in. The token stands at the start of the buffer.
const texts = Buffer.alloc(1024)
const signed = make('signoff_signed')
const newToken = make('signoff_new_token', { claims: text('{"sub":"42"}'), expires_in_ms: 24 * 3600 * 1000 })
must(call.sign(engine, newToken, null, texts, texts.length, signed, error))
const token = texts.toString('latin1', 0, Number(signed.token.len))

// On every request. The payload stands at the start of the buffer.
const claims = make('signoff_claims')
const verify = () => call.verify(engine, token, Buffer.byteLength(token), null, texts, texts.length, claims, error)
must(verify())
const payload = JSON.parse(texts.toString('utf8', 0, Number(claims.payload.len)))
console.log(`accepted: user ${payload.sub}`)

// Log out, and try a copy of the token.
must(call.revoke(engine, make('signoff_revocation', { target: REVOKE_TOKEN, value: text(token) }), null, null, error))
const status = verify()
console.log(`${call.statusName(status)} (answer with ${call.statusHttp(status)})`)
call.free(engine)
process.exitCode = status === TOKEN_REVOKED ? 0 : 1
