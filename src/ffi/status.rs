//! A constant for each row of the status table. Generated once from `status.rs`, held to it by a test.

/// What a call came to: SIGNOFF_OK, or one of the constants below.
///
/// Numbers never change their meaning; newer libraries have more of them, so treat one that you do not
/// know as a failure. signoff_status_name(), signoff_status_sentence() and signoff_status_http() tell
/// more. The number is the same in every language that signoff speaks.
#[allow(non_camel_case_types)] // The names of C.
pub type signoff_status = i32;

/// The call did what it promises; from a verification, the token is accepted.
pub const SIGNOFF_OK: i32 = 0;
/// The policy asks for something out of bounds; the message names the option and its bound.
pub const SIGNOFF_POLICY_INVALID: i32 = 1;
/// The claims to be signed are not such as this engine would accept; the message names the claim.
pub const SIGNOFF_CLAIMS_INVALID: i32 = 2;
/// The token to be signed has no end; give it `expires_in`, or say by name that it never ends.
pub const SIGNOFF_EXPIRY_UNSTATED: i32 = 3;
/// No key of the set can sign this; check the key id that was asked for.
pub const SIGNOFF_SIGNING_KEY_MISSING: i32 = 4;
/// The signed token would be longer than this engine accepts; sign fewer claims or raise the limit.
pub const SIGNOFF_TOKEN_TOO_LONG_TO_SIGN: i32 = 5;
/// The operating system gave no random bytes, so no token id could be made.
pub const SIGNOFF_RANDOM_UNAVAILABLE: i32 = 6;
/// The accepted claims do not fit the type that they were to be read into.
pub const SIGNOFF_CLAIMS_UNREADABLE: i32 = 7;
/// The revocation can't be carried out as it was asked for; the message names the option.
pub const SIGNOFF_REVOCATION_INVALID: i32 = 8;
/// The engine has no revocation log, so nothing can be logged out; open it with one.
pub const SIGNOFF_NO_LOG: i32 = 9;
/// A pointer is NULL where something is needed; the message names it.
pub const SIGNOFF_ERR_NULL: i32 = 10;
/// A length is impossible; the message names it.
pub const SIGNOFF_ERR_LENGTH: i32 = 11;
/// A struct does not have a size that this library knows; start from its `_INIT` macro.
pub const SIGNOFF_ERR_STRUCT_SIZE: i32 = 12;
/// An option has a value that does not exist here; the message names it.
pub const SIGNOFF_ERR_OPTION: i32 = 13;
/// A text is not UTF-8; the message names it.
pub const SIGNOFF_ERR_UTF8: i32 = 14;
/// The buffer is too small for the result; the error says how many bytes it takes.
pub const SIGNOFF_ERR_BUFFER_TOO_SMALL: i32 = 15;
/// The time that was given is zero or before 1970; give one, or none for this machine's clock.
pub const SIGNOFF_ERR_TIME: i32 = 16;
/// A fault inside signoff was caught before it reached the caller; please report it.
pub const SIGNOFF_ERR_PANIC: i32 = 17;
/// This was not verified: the call ended before it came to it.
pub const SIGNOFF_ERR_NOT_VERIFIED: i32 = 18;
/// The engine was opened before this process was forked; open engines after the last fork, in each process its own.
pub const SIGNOFF_ERR_FORKED: i32 = 19;
/// The engine was closed before this call; open another one, or close it later.
pub const SIGNOFF_ERR_CLOSED: i32 = 20;
/// An argument has a type or value that can't be used here; the message names it.
pub const SIGNOFF_ERR_ARGUMENT: i32 = 21;
/// The token is longer than the limit; it was not looked at.
pub const SIGNOFF_TOKEN_TOO_LONG: i32 = 1001;
/// The token is not three parts with two dots between them.
pub const SIGNOFF_TOKEN_PARTS: i32 = 1002;
/// The token has a character other than A-Z, a-z, 0-9, '-', '_' and the two dots.
pub const SIGNOFF_TOKEN_CHARACTER: i32 = 1003;
/// A part of the token is not canonical base64url: its length or its last character is impossible.
pub const SIGNOFF_TOKEN_BASE64: i32 = 1004;
/// The header is not a JSON object in UTF-8 within the limits.
pub const SIGNOFF_HEADER_JSON: i32 = 1005;
/// The header has the same name twice.
pub const SIGNOFF_HEADER_DUPLICATE: i32 = 1006;
/// A header parameter is missing or of the wrong type; the message names it.
pub const SIGNOFF_HEADER_MALFORMED: i32 = 1007;
/// The header asks for an extension that must be understood (`crit` or `b64`); none is.
pub const SIGNOFF_HEADER_CRITICAL: i32 = 1008;
/// The header names an algorithm that does not exist here; `none` never does.
pub const SIGNOFF_HEADER_ALGORITHM: i32 = 1009;
/// What was given as the token is not a text.
pub const SIGNOFF_TOKEN_NOT_TEXT: i32 = 1010;
/// The request brings no token where one is looked for.
pub const SIGNOFF_TOKEN_MISSING: i32 = 1011;
/// No key of the set has this algorithm and key id.
pub const SIGNOFF_KEY_NOT_FOUND: i32 = 2001;
/// The token is not signed.
pub const SIGNOFF_SIGNATURE_MISSING: i32 = 2002;
/// The signature does not have the length that the algorithm makes.
pub const SIGNOFF_SIGNATURE_LENGTH: i32 = 2003;
/// The signature was not made over this token with a key of ours.
pub const SIGNOFF_SIGNATURE_INVALID: i32 = 2004;
/// The HMAC secret is shorter than the hash, so it could be guessed; make a longer one.
pub const SIGNOFF_KEY_TOO_SHORT: i32 = 2101;
/// The HMAC secret or key id is over the limit; is it the right file?
pub const SIGNOFF_KEY_TOO_LONG: i32 = 2102;
/// The bytes given as an HMAC secret are a PEM, DER or JWK key: load it as what it is.
pub const SIGNOFF_KEY_NOT_SECRET: i32 = 2103;
/// The JWK or JWKS is not such as RFC 7517 describes; the message says where.
pub const SIGNOFF_KEY_MALFORMED: i32 = 2104;
/// The key is of a type, algorithm or use that can't verify tokens here.
pub const SIGNOFF_KEY_UNSUPPORTED: i32 = 2105;
/// Two keys of one algorithm have the same key id, so that one of them could never be found.
pub const SIGNOFF_KEY_DUPLICATE: i32 = 2106;
/// The key set holds no key that can be used, so every token would be rejected.
pub const SIGNOFF_KEY_SET_EMPTY: i32 = 2107;
/// The key set holds more keys than the limit.
pub const SIGNOFF_KEY_SET_TOO_LARGE: i32 = 2108;
/// The token has expired (`exp`).
pub const SIGNOFF_CLAIM_EXPIRED: i32 = 3001;
/// The token is not valid yet (`nbf`).
pub const SIGNOFF_CLAIM_NOT_YET_VALID: i32 = 3002;
/// The token says that it was issued in the future (`iat`); is a clock wrong?
pub const SIGNOFF_CLAIM_ISSUED_IN_FUTURE: i32 = 3003;
/// A claim that must be present is missing; the message names it.
pub const SIGNOFF_CLAIM_MISSING: i32 = 3004;
/// A claim is present with a value that it can't have; the message names it.
pub const SIGNOFF_CLAIM_MALFORMED: i32 = 3005;
/// A claim that is acted on is in the token twice; the message names it.
pub const SIGNOFF_CLAIM_DUPLICATE: i32 = 3006;
/// The token's issuer is none of ours (`iss`).
pub const SIGNOFF_CLAIM_ISSUER: i32 = 3007;
/// The key that signed the token does not speak for the issuer that it names (`iss`).
pub const SIGNOFF_CLAIM_ISSUER_OF_KEY: i32 = 3008;
/// The token is not meant for us (`aud`).
pub const SIGNOFF_CLAIM_AUDIENCE: i32 = 3009;
/// The token is not about the subject that was asked for (`sub`).
pub const SIGNOFF_CLAIM_SUBJECT: i32 = 3010;
/// The token is not of the type that was asked for (`typ`).
pub const SIGNOFF_CLAIM_TYPE: i32 = 3011;
/// The token is of a kind with rules of its own (`typ`) and never passes for an ordinary one.
pub const SIGNOFF_CLAIM_TYPE_RESERVED: i32 = 3012;
/// The token lives longer than the policy allows (`exp` minus `iat`).
pub const SIGNOFF_CLAIM_LIFETIME: i32 = 3013;
/// The token was issued longer ago than the policy allows (`iat`).
pub const SIGNOFF_CLAIM_TOO_OLD: i32 = 3014;
/// A time lies past the year 9999: it looks like milliseconds where seconds are meant.
pub const SIGNOFF_CLAIM_TIME_RANGE: i32 = 3015;
/// The payload is not a JSON object in UTF-8 within the limits.
pub const SIGNOFF_CLAIMS_JSON: i32 = 3016;
/// A claim has another value than the policy wants; the message names it.
pub const SIGNOFF_CLAIM_DIFFERS: i32 = 3017;
/// The token is bound to a key of its sender (`cnf`), and a bearer shows no proof of that key.
pub const SIGNOFF_CLAIM_BOUND: i32 = 3018;
/// This machine's clock stands at or before 1970, so nothing can be said about times; set it.
pub const SIGNOFF_CLOCK_NOT_SET: i32 = 4001;
/// The token was logged out: by itself, with its session, its subject, or all at once.
pub const SIGNOFF_TOKEN_REVOKED: i32 = 4002;
/// The revocation log has not been read for longer than is allowed; see `health` for why.
pub const SIGNOFF_REVOCATIONS_STALE: i32 = 4003;
/// The revocation log has not been read to its end yet; try again in a moment.
pub const SIGNOFF_REVOCATIONS_UNREAD: i32 = 4004;
/// The log has revocations of a kind that only a newer signoff understands; update this one.
pub const SIGNOFF_REVOCATIONS_NEWER: i32 = 4005;
/// The token was issued within seconds of a log-out everywhere and may be older; log in again when the message says.
pub const SIGNOFF_TOKEN_TOO_SOON: i32 = 4006;
/// The revocation was not recorded, and binds in this process alone; try again.
pub const SIGNOFF_NOT_DURABLE: i32 = 5001;
/// Whether the revocation was recorded is not known; it binds in this process, try again.
pub const SIGNOFF_INDETERMINATE: i32 = 5002;
/// There is no log at this path, and none was to be created.
pub const SIGNOFF_LOG_MISSING: i32 = 5003;
/// The directory that the log should lie in does not exist.
pub const SIGNOFF_LOG_NO_DIRECTORY: i32 = 5004;
/// The file is not a log of signoff; it was not changed.
pub const SIGNOFF_LOG_FOREIGN: i32 = 5005;
/// The log was written by a newer signoff in a format that this one can't read.
pub const SIGNOFF_LOG_NEWER: i32 = 5006;
/// The log is damaged; it was not changed, restore a backup.
pub const SIGNOFF_LOG_CORRUPT: i32 = 5007;
/// The log can't be written to.
pub const SIGNOFF_LOG_READ_ONLY: i32 = 5008;
/// This user may not open the log.
pub const SIGNOFF_LOG_DENIED: i32 = 5009;
/// The disk that the log lies on is full.
pub const SIGNOFF_LOG_FULL: i32 = 5010;
/// Another process has been writing to the log for too long.
pub const SIGNOFF_LOG_BUSY: i32 = 5011;
/// The log lies on a network file system, whose locks can't be relied on.
pub const SIGNOFF_LOG_NETWORK: i32 = 5012;
/// The log was moved, deleted or replaced while it was open.
pub const SIGNOFF_LOG_MOVED: i32 = 5013;
/// The log was made for tokens of a shorter lifetime than is asked for.
pub const SIGNOFF_LOG_LIFETIME: i32 = 5014;
/// The log was not read to its end within the time that was allowed.
pub const SIGNOFF_LOG_CATCH_UP: i32 = 5015;
/// The system reports an error about the log; the message says which.
pub const SIGNOFF_LOG_IO: i32 = 5016;
/// The URL of the log names no server, or has an option that there is not.
pub const SIGNOFF_LOG_URL: i32 = 5017;
/// The server that has the log can't be reached, or gives no answer.
pub const SIGNOFF_LOG_UNREACHABLE: i32 = 5018;
/// The server may drop the log when its memory is full; set maxmemory-policy noeviction.
pub const SIGNOFF_LOG_EVICTION: i32 = 5019;
/// Fewer replicas or disks have confirmed the log than were asked for.
pub const SIGNOFF_LOG_UNCONFIRMED: i32 = 5020;
/// The log lets tokens be issued less far ahead of the clock than is asked for.
pub const SIGNOFF_LOG_ALLOWANCE: i32 = 5021;
/// The log's file is a mount point itself; mount the folder that it lies in.
pub const SIGNOFF_LOG_MOUNTED: i32 = 5022;
/// The log's file has several names, so that not everybody would see what is recorded.
pub const SIGNOFF_LOG_LINKED: i32 = 5023;
/// Another copy of signoff in this process has the log open.
pub const SIGNOFF_LOG_OTHER_COPY: i32 = 5024;
/// There is a file already where one was to be made, or what was written last to an earlier one.
pub const SIGNOFF_LOG_EXISTS: i32 = 5025;
/// The log has revocations that the backup lacks; restoring it would make their tokens good again.
pub const SIGNOFF_LOG_RESTORE_LOSES: i32 = 5026;
