//! Every limit of the engine, each with its unit and the reason for its value.
//!
//! A limit that a caller may move is a default here, with the bound it may be moved to beside it.

use std::time::Duration;

/// The longest token that is looked at, in bytes, unless the policy says otherwise: 16 KiB.
///
/// Above what web servers take as one header line by default (8 KiB), and small enough that the
/// work spent on garbage stays under ten microseconds.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// The longest that [`TOKEN_BYTES_MAX`] may be set to, in bytes: 1 MiB.
pub const TOKEN_BYTES_CEILING: usize = 1024 * 1024;

/// How deep arrays and objects may nest in a header or a payload; the outermost object is level 1.
///
/// Identity providers nest four deep; 32 stack frames of the reader fit into any thread.
pub const JSON_DEPTH_MAX: u32 = 32;

/// The decimal magnitude from which a JSON number is refused: 10^300.
///
/// Every `f64` reader must read the same value, and readers disagree about what overflows close
/// to 1.8·10^308.
pub const NUMBER_MAGNITUDE_MAX: i64 = 300;

/// How many members a JOSE header may have. Eleven names are registered for a JWS.
pub const HEADER_MEMBERS_MAX: usize = 32;

/// How many escapes and nested values a JOSE header may have, however long it is: 20, and one more for every
/// [`HEADER_BYTES_PER_EFFORT`] bytes. What counts:
///
/// - each escape, and each string that has any; a name that has any eight times more,
/// - of what is nested, each comma and name, and each array and object twice,
/// - each number four times, unless it has one digit or, as a time, ten.
///
/// A header is read before its token's signature, so that anybody can make it as slow to read as this lets it be. One with a
/// certificate chain (`x5c`) in which each `/` is escaped needs one in 64 bytes and some six more; one with a key (`jwk`) some 16.
pub const HEADER_EFFORT_MAX: usize = 20;

/// See [`HEADER_EFFORT_MAX`].
pub const HEADER_BYTES_PER_EFFORT: usize = 64;

/// How many bytes of a JOSE header may belong to characters that are not ASCII: as many as the longest key id has.
pub const HEADER_BEYOND_ASCII_MAX: usize = KEY_ID_BYTES_MAX;

/// The longest key id (`kid`), in bytes, in a header or in a key set.
pub const KEY_ID_BYTES_MAX: usize = 256;

/// How many keys are tried for one token that does not say which key signed it.
pub const CANDIDATE_KEYS_MAX: usize = 8;

/// How many keys a key set may hold.
pub const KEYS_MAX: usize = 1024;

/// The longest HMAC secret, in bytes. Beyond one hash block a longer secret adds nothing.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;

/// How many claims a policy may name beyond the registered ones, to be required or to have a value (one bit each).
pub const REQUIRED_CLAIMS_MAX: usize = 64;

/// The largest whole number that every reader of JSON reads as it is written: 2^53 − 1. RFC 8259 section 6.
pub const EXACT_INTEGER_MAX: u64 = (1 << 53) - 1;

/// How many of a token's audiences a message shows, and how many characters of each.
pub const AUDIENCES_SHOWN_MAX: usize = 4;

/// See [`AUDIENCES_SHOWN_MAX`].
pub const AUDIENCE_CHARS_SHOWN_MAX: usize = 80;

/// The latest NumericDate that is accepted: 9999-12-31T23:59:59Z, in seconds.
///
/// Times in milliseconds by mistake lie far above it, and are named as such when rejected.
pub const NUMERIC_DATE_MAX_SECS: i64 = 253_402_300_799;

/// The most leeway a policy may give to clocks that differ: 5 minutes.
///
/// RFC 7519 section 4.1.4 allows "no more than a few minutes".
pub const LEEWAY_MAX: Duration = Duration::from_secs(300);

/// How far in the future `iat` may lie unless something else is stated: 5 seconds.
///
/// Clocks that are kept by NTP differ by milliseconds. A log-out everywhere reaches so far ahead, and who logs in again through
/// another signer waits as long.
pub const ISSUED_IN_FUTURE_MAX: Duration = Duration::from_secs(5);

/// The most that [`ISSUED_IN_FUTURE_MAX`] may be set to: 60 seconds.
pub const ISSUED_IN_FUTURE_CEILING: Duration = Duration::from_secs(60);

/// For how long cut-offs go by a longer allowance after it was lowered: 10 minutes, so that every engine has heard of it.
pub const ALLOWANCE_SETTLES: Duration = Duration::from_secs(600);

/// How far ahead of the clock any cut-off lies that is written by a clock within [`CUT_OFF_IN_FUTURE_MAX`] of it: that and
/// [`ISSUED_IN_FUTURE_CEILING`], two minutes.
pub const CUT_OFF_AHEAD_MAX: Duration = Duration::from_secs(120);

/// How far behind its `iat` a token may say that its signer knew a cut-off: 121 seconds.
///
/// A cut-off lies at most [`CUT_OFF_AHEAD_MAX`] ahead of the clock, and `iat` at most a second behind it. What says more is not
/// believed.
pub const KNOWN_CUT_OFF_MAX: Duration = Duration::from_secs(121);

/// How far the coarse system clock may lag behind the exact one: 20 ms, two ticks of the slowest timer
/// that Linux is built with (100 Hz).
pub const COARSE_LAG_MAX: Duration = Duration::from_millis(20);

/// How many header spellings one [`Scratch`](crate::Scratch) remembers.
pub const REMEMBERED_HEADERS: usize = 4;

/// The longest base64url header that is remembered, in bytes.
///
/// The header with `alg`, `typ` and a 43-byte thumbprint as `kid` takes 120.
pub const REMEMBERED_HEADER_BYTES: usize = 192;

/// How long a part of a token may be, in bytes, for whose sake a [`Scratch`](crate::Scratch) stays as long as it has become,
/// whoever sent it: 64 KiB, four times the longest token that is looked at unless the policy says otherwise.
pub const SCRATCH_BYTES_KEPT: usize = 64 * 1024;

/// The longest signature that any supported algorithm makes, in bytes (HS512).
pub const SIGNATURE_BYTES_MAX: usize = 64;

/// How long a revocation is kept after the last token that it means has expired: 10 minutes, 5 for the
/// largest leeway and 5 for clocks that differ.
pub const KEEP_AFTER_EXPIRY: Duration = Duration::from_secs(600);

/// How far ahead of this machine's clock a cut-off may lie: 60 seconds.
pub const CUT_OFF_IN_FUTURE_MAX: Duration = Duration::from_secs(60);

/// The longest value, issuer or id in a revocation, in bytes: as long as a token may be that holds it.
pub const REVOCATION_TEXT_BYTES_MAX: usize = TOKEN_BYTES_CEILING;

/// How many ids one cut-off may spare.
pub const KEEP_MAX: usize = 1000;

/// How long the ids that a revocation spares may be all together, and its reason, in bytes: 64 KiB, more than a thousand UUIDs.
///
/// Every node reads every record, and the log keeps it until it has expired.
pub const KEPT_BYTES_MAX: usize = 64 * 1024;

/// How old the index may be before its silence counts as unknown, for the embedded log, unless set: 10 s.
pub const MAX_STALENESS: Duration = Duration::from_secs(10);

/// The same for a log on a server, which a network and a failover lie between: 30 s.
pub const MAX_STALENESS_REMOTE: Duration = Duration::from_secs(30);

/// How long opening may take to read a log to its end unless set: 30 s.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a revocation waits for the disk before it says that it does not know: 10 s.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How far apart commits to the log start while revocations keep coming: 4 ms, a fifth of what other
/// processes are promised. A pause before the first of them costs nothing.
pub const COMMIT_INTERVAL: Duration = Duration::from_millis(4);

/// How often a follower looks whether another process has written: 5 ms, a quarter of what is promised.
pub const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// How often what has expired is collected: 10 minutes, about as long as it is kept beyond its use.
pub const COLLECT_INTERVAL: Duration = Duration::from_secs(600);

/// How far apart collections are at least where the log has no room left: 1 s.
pub const COLLECT_INTERVAL_WHEN_FULL: Duration = Duration::from_secs(1);

/// The same where there is hardly any left: a minute.
pub const COLLECT_INTERVAL_WHEN_NEARLY_FULL: Duration = Duration::from_secs(60);

/// How far wall clock and uptime may drift apart within an hour before collection pauses: 60 s.
pub const CLOCK_DRIFT_MAX: Duration = Duration::from_secs(60);

/// How many records of a log may be erased before those that were have expired: 10,000. Each process on the log is told of all of
/// them, and keeps them in memory.
pub const ERASED_MAX: usize = 10_000;
