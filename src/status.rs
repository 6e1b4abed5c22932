//! The one table of outcomes: a number, a name, an HTTP hint and a sentence for each.
//!
//! Every face of signoff (Rust, C, Node, the command line) takes its codes from here. The numbers
//! are append-only: a golden file holds them, and none could be taken for an HTTP status.
//!
//! | range | what it says |
//! |---|---|
//! | 0 | done; from a verification: accepted |
//! | 1–99 | the call was wrong |
//! | 1000 | the shape of the token |
//! | 2000 | signature; from 2100 on: keys that can't be loaded |
//! | 3000 | claims |
//! | 4000 | revocation and freshness |
//! | 5000 | the revocation log |

macro_rules! statuses {
    ($($variant:ident = $number:literal, $name:literal, $http:literal, $sentence:literal;)*) => {
        /// The outcome of an operation, as a stable number and name.
        ///
        /// Source: the table in this module; `tests/golden/status-codes.txt` holds it.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Status {
            $(#[doc = $sentence] $variant = $number,)*
        }

        /// The statuses, numbered without gaps.
        enum Place {
            $($variant,)*
        }

        impl Status {
            /// Every status, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The number: stable for ever.
            #[must_use]
            pub const fn number(self) -> i32 {
                self as i32
            }

            /// The place in [`ALL`](Self::ALL).
            pub(crate) fn ordinal(self) -> usize {
                // One comparison after the other: the compiler makes a table of it.
                match self { $(Self::$variant => Place::$variant as usize,)* }
            }

            /// The name, as in `claim-expired`: stable for ever.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, and what to do about it, in one sentence.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// The HTTP status that fits, for a server that answers a request with it.
            ///
            /// 401 for a fault of the token, 503 when the answer can't be known, 500 for a fault of the
            /// program or of what it was set up with. The sender of the token should learn nothing more.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $http,)* }
            }

            /// The name and the sentence, ending in NUL.
            #[cfg(feature = "capi")]
            pub(crate) const fn c_texts(self) -> [&'static std::ffi::CStr; 2] {
                const fn text(bytes: &'static [u8]) -> &'static std::ffi::CStr {
                    match std::ffi::CStr::from_bytes_with_nul(bytes) {
                        Ok(text) => text,
                        Err(_) => c"",
                    }
                }
                match self {
                    $(Self::$variant => const { [
                        text(concat!($name, "\0").as_bytes()),
                        text(concat!($sentence, "\0").as_bytes()),
                    ] },)*
                }
            }

            /// The status that bears this number.
            #[must_use]
            pub const fn from_number(number: i32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// The status that bears this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

statuses! {
    Done = 0, "done", 200,
        "The call did what it promises; from a verification, the token is accepted.";

    PolicyInvalid = 1, "policy-invalid", 500,
        "The policy asks for something out of bounds; the message names the option and its bound.";
    ClaimsInvalid = 2, "claims-invalid", 500,
        "The claims to be signed are not such as this engine would accept; the message names the claim.";
    ExpiryUnstated = 3, "expiry-unstated", 500,
        "The token to be signed has no end; give it `expires_in`, or say by name that it never ends.";
    SigningKeyMissing = 4, "signing-key-missing", 500,
        "No key of the set can sign this; check the key id that was asked for.";
    TokenTooLongToSign = 5, "token-too-long-to-sign", 500,
        "The signed token would be longer than this engine accepts; sign fewer claims or raise the limit.";
    RandomUnavailable = 6, "random-unavailable", 500,
        "The operating system gave no random bytes, so no token id could be made.";
    ClaimsUnreadable = 7, "claims-unreadable", 500,
        "The accepted claims do not fit the type that they were to be read into.";
    RevocationInvalid = 8, "revocation-invalid", 500,
        "The revocation can't be carried out as it was asked for; the message names the option.";
    NoLog = 9, "no-log", 500,
        "The engine has no revocation log, so nothing can be logged out; open it with one.";
    Null = 10, "err-null", 500,
        "A pointer is NULL where something is needed; the message names it.";
    Length = 11, "err-length", 500,
        "A length is impossible; the message names it.";
    StructSize = 12, "err-struct-size", 500,
        "A struct does not have a size that this library knows; start from its `_INIT` macro.";
    OptionUnknown = 13, "err-option", 500,
        "An option has a value that does not exist here; the message names it.";
    NotUtf8 = 14, "err-utf8", 500,
        "A text is not UTF-8; the message names it.";
    BufferTooSmall = 15, "err-buffer-too-small", 500,
        "The buffer is too small for the result; the error says how many bytes it takes.";
    TimeNotSet = 16, "err-time", 500,
        "The time that was given is zero or before 1970; give one, or none for this machine's clock.";
    Panic = 17, "err-panic", 500,
        "A fault inside signoff was caught before it reached the caller; please report it.";
    NotVerified = 18, "err-not-verified", 500,
        "This was not verified: the call ended before it came to it.";
    Forked = 19, "err-forked", 500,
        "The engine was opened before this process was forked; open engines after the last fork, in each process its own.";
    Closed = 20, "err-closed", 500,
        "The engine was closed before this call; open another one, or close it later.";
    Argument = 21, "err-argument", 500,
        "An argument has a type or value that can't be used here; the message names it.";

    TokenTooLong = 1001, "token-too-long", 401,
        "The token is longer than the limit; it was not looked at.";
    TokenParts = 1002, "token-parts", 401,
        "The token is not three parts with two dots between them.";
    TokenCharacter = 1003, "token-character", 401,
        "The token has a character other than A-Z, a-z, 0-9, '-', '_' and the two dots.";
    TokenBase64 = 1004, "token-base64", 401,
        "A part of the token is not canonical base64url: its length or its last character is impossible.";
    HeaderJson = 1005, "header-json", 401,
        "The header is not a JSON object in UTF-8 within the limits.";
    HeaderDuplicate = 1006, "header-duplicate", 401,
        "The header has the same name twice.";
    HeaderMalformed = 1007, "header-malformed", 401,
        "A header parameter is missing or of the wrong type; the message names it.";
    HeaderCritical = 1008, "header-critical", 401,
        "The header asks for an extension that must be understood (`crit` or `b64`); none is.";
    HeaderAlgorithm = 1009, "header-algorithm", 401,
        "The header names an algorithm that does not exist here; `none` never does.";
    TokenNotText = 1010, "token-not-text", 401,
        "What was given as the token is not a text.";
    TokenMissing = 1011, "token-missing", 401,
        "The request brings no token where one is looked for.";

    KeyNotFound = 2001, "key-not-found", 401,
        "No key of the set has this algorithm and key id.";
    SignatureMissing = 2002, "signature-missing", 401,
        "The token is not signed.";
    SignatureLength = 2003, "signature-length", 401,
        "The signature does not have the length that the algorithm makes.";
    SignatureInvalid = 2004, "signature-invalid", 401,
        "The signature was not made over this token with a key of ours.";
    KeyTooShort = 2101, "key-too-short", 500,
        "The HMAC secret is shorter than the hash, so it could be guessed; make a longer one.";
    KeyTooLong = 2102, "key-too-long", 500,
        "The HMAC secret or key id is over the limit; is it the right file?";
    KeyNotSecret = 2103, "key-not-secret", 500,
        "The bytes given as an HMAC secret are a PEM, DER or JWK key: load it as what it is.";
    KeyMalformed = 2104, "key-malformed", 500,
        "The JWK or JWKS is not such as RFC 7517 describes; the message says where.";
    KeyUnsupported = 2105, "key-unsupported", 500,
        "The key is of a type, algorithm or use that can't verify tokens here.";
    KeyDuplicate = 2106, "key-duplicate", 500,
        "Two keys of one algorithm have the same key id, so that one of them could never be found.";
    KeySetEmpty = 2107, "key-set-empty", 500,
        "The key set holds no key that can be used, so every token would be rejected.";
    KeySetTooLarge = 2108, "key-set-too-large", 500,
        "The key set holds more keys than the limit.";

    ClaimExpired = 3001, "claim-expired", 401,
        "The token has expired (`exp`).";
    ClaimNotYetValid = 3002, "claim-not-yet-valid", 401,
        "The token is not valid yet (`nbf`).";
    ClaimIssuedInFuture = 3003, "claim-issued-in-future", 401,
        "The token says that it was issued in the future (`iat`); is a clock wrong?";
    ClaimMissing = 3004, "claim-missing", 401,
        "A claim that must be present is missing; the message names it.";
    ClaimMalformed = 3005, "claim-malformed", 401,
        "A claim is present with a value that it can't have; the message names it.";
    ClaimDuplicate = 3006, "claim-duplicate", 401,
        "A claim that is acted on is in the token twice; the message names it.";
    ClaimIssuer = 3007, "claim-issuer", 401,
        "The token's issuer is none of ours (`iss`).";
    ClaimIssuerOfKey = 3008, "claim-issuer-of-key", 401,
        "The key that signed the token does not speak for the issuer that it names (`iss`).";
    ClaimAudience = 3009, "claim-audience", 401,
        "The token is not meant for us (`aud`).";
    ClaimSubject = 3010, "claim-subject", 401,
        "The token is not about the subject that was asked for (`sub`).";
    ClaimType = 3011, "claim-type", 401,
        "The token is not of the type that was asked for (`typ`).";
    ClaimTypeReserved = 3012, "claim-type-reserved", 401,
        "The token is of a kind with rules of its own (`typ`) and never passes for an ordinary one.";
    ClaimLifetime = 3013, "claim-lifetime", 401,
        "The token lives longer than the policy allows (`exp` minus `iat`).";
    ClaimTooOld = 3014, "claim-too-old", 401,
        "The token was issued longer ago than the policy allows (`iat`).";
    ClaimTimeRange = 3015, "claim-time-range", 401,
        "A time lies past the year 9999: it looks like milliseconds where seconds are meant.";
    ClaimsJson = 3016, "claims-json", 401,
        "The payload is not a JSON object in UTF-8 within the limits.";
    ClaimDiffers = 3017, "claim-differs", 401,
        "A claim has another value than the policy wants; the message names it.";
    ClaimBound = 3018, "claim-bound", 401,
        "The token is bound to a key of its sender (`cnf`), and a bearer shows no proof of that key.";

    ClockNotSet = 4001, "clock-not-set", 503,
        "This machine's clock stands at or before 1970, so nothing can be said about times; set it.";
    TokenRevoked = 4002, "token-revoked", 401,
        "The token was logged out: by itself, with its session, its subject, or all at once.";
    RevocationsStale = 4003, "revocations-stale", 503,
        "The revocation log has not been read for longer than is allowed; see `health` for why.";
    RevocationsUnread = 4004, "revocations-unread", 503,
        "The revocation log has not been read to its end yet; try again in a moment.";
    RevocationsNewer = 4005, "revocations-newer", 503,
        "The log has revocations of a kind that only a newer signoff understands; update this one.";
    TokenTooSoon = 4006, "token-too-soon", 401,
        "The token was issued within seconds of a log-out everywhere and may be older; log in again when the message says.";

    NotDurable = 5001, "not-durable", 503,
        "The revocation was not recorded, and binds in this process alone; try again.";
    Indeterminate = 5002, "indeterminate", 503,
        "Whether the revocation was recorded is not known; it binds in this process, try again.";
    LogMissing = 5003, "log-missing", 500,
        "There is no log at this path, and none was to be created.";
    LogNoDirectory = 5004, "log-no-directory", 500,
        "The directory that the log should lie in does not exist.";
    LogForeign = 5005, "log-foreign", 500,
        "The file is not a log of signoff; it was not changed.";
    LogNewer = 5006, "log-newer", 500,
        "The log was written by a newer signoff in a format that this one can't read.";
    LogCorrupt = 5007, "log-corrupt", 500,
        "The log is damaged; it was not changed, restore a backup.";
    LogReadOnly = 5008, "log-read-only", 500,
        "The log can't be written to.";
    LogDenied = 5009, "log-denied", 500,
        "This user may not open the log.";
    LogFull = 5010, "log-full", 503,
        "The disk that the log lies on is full.";
    LogBusy = 5011, "log-busy", 503,
        "Another process has been writing to the log for too long.";
    LogNetwork = 5012, "log-network", 500,
        "The log lies on a network file system, whose locks can't be relied on.";
    LogMoved = 5013, "log-moved", 503,
        "The log was moved, deleted or replaced while it was open.";
    LogLifetime = 5014, "log-lifetime", 500,
        "The log was made for tokens of a shorter lifetime than is asked for.";
    LogCatchUp = 5015, "log-catch-up", 503,
        "The log was not read to its end within the time that was allowed.";
    LogIo = 5016, "log-io", 503,
        "The system reports an error about the log; the message says which.";
    LogUrl = 5017, "log-url", 500,
        "The URL of the log names no server, or has an option that there is not.";
    LogUnreachable = 5018, "log-unreachable", 503,
        "The server that has the log can't be reached, or gives no answer.";
    LogEviction = 5019, "log-eviction", 500,
        "The server may drop the log when its memory is full; set maxmemory-policy noeviction.";
    LogUnconfirmed = 5020, "log-unconfirmed", 503,
        "Fewer replicas or disks have confirmed the log than were asked for.";
    LogAllowance = 5021, "log-allowance", 500,
        "The log lets tokens be issued less far ahead of the clock than is asked for.";
    LogMounted = 5022, "log-mounted", 500,
        "The log's file is a mount point itself; mount the folder that it lies in.";
    LogLinked = 5023, "log-linked", 500,
        "The log's file has several names, so that not everybody would see what is recorded.";
    LogOtherCopy = 5024, "log-other-copy", 500,
        "Another copy of signoff in this process has the log open.";
    LogExists = 5025, "log-exists", 500,
        "There is a file already where one was to be made, or what was written last to an earlier one.";
    LogRestoreLoses = 5026, "log-restore-loses", 500,
        "The log has revocations that the backup lacks; restoring it would make their tokens good again.";
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn number_and_name_lead_back_to_the_same_status() {
        for &status in Status::ALL {
            assert_eq!(Status::from_number(status.number()), Some(status));
            assert_eq!(Status::from_name(status.name()), Some(status));
        }
        assert_eq!(Status::from_number(-1), None);
        assert_eq!(Status::from_name("accepted"), None);
    }

    #[test]
    fn numbers_ascend_and_none_could_be_an_http_status() {
        assert!(Status::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
        assert!(Status::ALL.iter().all(|status| !(100..1000).contains(&status.number())));
    }

    #[test]
    fn a_sentence_is_one_line_that_comes_to_an_end() {
        for status in Status::ALL {
            assert!(status.sentence().ends_with(['.', '?']) && !status.sentence().contains('\n'));
        }
    }
}
