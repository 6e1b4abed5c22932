//! What a verification can answer besides "accepted".
//!
//! Holds words only; nothing here decides. A [`Reject`] is about the token, an [`Unknown`] about
//! us, and the two never share a type. Details are for the operator's log: the sender of a token
//! should learn nothing but 401 or 503.

mod claim;
mod shape;

use std::time::Duration;

pub use claim::{Audiences, ClaimFault, ClaimName};
pub use shape::{JsonFault, Part};

use crate::clock::{UnixTime, Words};
use crate::revocation::Scope;
use crate::status::Status;

/// Why a token was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(clippy::exhaustive_enums)] // There is no third way to be denied, and callers should match both.
pub enum Denied {
    /// The token is at fault. HTTP 401.
    #[error(transparent)]
    Rejected(#[from] Reject),
    /// We cannot tell. HTTP 503 with Retry-After: nobody should be logged out by it.
    #[error(transparent)]
    Unavailable(#[from] Unknown),
}

impl Denied {
    /// The row of the status table.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Rejected(reject) => reject.status(),
            Self::Unavailable(unknown) => unknown.status(),
        }
    }
}

/// Why we cannot say whether a token is good.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// The clock reads the epoch or earlier, so that every token would look unexpired.
    #[error("the clock reads {now}, at or before 1970: set it, nothing can be said about times until then")]
    ClockNotSet {
        /// What the clock reads.
        now: UnixTime,
    },
    /// The revocation log was last read to its end longer ago than is allowed.
    #[error("the revocation log was last read {} ago, and {} are allowed: `Engine::health` says why", Words(*age), Words(*max))]
    Stale {
        /// How long ago.
        age: Duration,
        /// How long it may be.
        max: Duration,
    },
    /// The revocation log has not been read to its end since the engine was opened or the log replaced.
    #[error("the revocation log has not been read to its end yet: try again, or see `Engine::health`")]
    Unread,
    /// The log holds revocations that only a newer signoff understands.
    #[error("the revocation log holds {count} revocations of a kind that this signoff does not know: update it")]
    Newer {
        /// How many.
        count: u64,
    },
}

impl Unknown {
    /// The row of the status table.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::ClockNotSet { .. } => Status::ClockNotSet,
            Self::Stale { .. } => Status::RevocationsStale,
            Self::Unread => Status::RevocationsUnread,
            Self::Newer { .. } => Status::RevocationsNewer,
        }
    }
}

/// What is wrong with a token.
///
/// Trust: everything in a variant that comes from the token is a number or a position, so that a `Reject` can be logged; no variant
/// holds bytes of a key. The one text are the [`Audiences`] of a token whose signature holds, which were written by a holder of the key.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Longer than the limit; nothing else was looked at.
    #[error("token is {bytes} bytes long, over the limit of {max}")]
    TokenTooLong {
        /// The token's length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Not exactly two dots.
    #[error("token has {dots} dots where a signed token has 2{}", jwe_hint(*dots))]
    TokenParts {
        /// How many dots there are.
        dots: usize,
    },
    /// A byte outside the base64url alphabet. RFC 8725bis section 3.14.
    #[error("token has a character that is not base64url at byte {at}")]
    TokenCharacter {
        /// Its position in the token.
        at: usize,
    },
    /// A length or last character that no encoder makes. RFC 4648 section 3.5.
    #[error("the token's {part} is not canonical base64url")]
    TokenBase64 {
        /// Which part.
        part: Part,
    },
    /// The header is not JSON, not an object, not UTF-8, or over a limit.
    #[error("header: {fault}")]
    HeaderJson {
        /// What is wrong with it.
        fault: JsonFault,
    },
    /// The header has one name twice. RFC 7515 section 4.
    #[error("header has the same name twice")]
    HeaderDuplicate,
    /// `alg` is missing or no string, `kid` or `typ` is no string, or `kid` is over the limit.
    #[error("header parameter \"{name}\" is missing or is not a string of a usable length")]
    HeaderMalformed {
        /// The parameter.
        name: &'static str,
    },
    /// `crit` or `b64` is present. RFC 7515 section 4.1.11, RFC 7797 section 6.
    #[error("header has \"{name}\", an extension that would have to be understood")]
    HeaderCritical {
        /// The parameter.
        name: &'static str,
    },
    /// An algorithm that signoff does not have. `none` is one in every spelling.
    #[error("{}", algorithm_words(*name))]
    HeaderAlgorithm {
        /// Its name, where it is one that RFC 7518 or RFC 8037 has.
        name: Option<&'static str>,
    },
    /// No key has the algorithm and key id.
    #[error("no {algorithm} key in the key set {}", kid_hint(*key_id_given))]
    KeyNotFound {
        /// The token's algorithm.
        algorithm: &'static str,
        /// Whether the token named a key.
        key_id_given: bool,
    },
    /// The third part is empty.
    #[error("token is not signed")]
    SignatureMissing,
    /// The signature's length is not the algorithm's.
    #[error("signature is {bytes} bytes long where {algorithm} makes {expected}")]
    SignatureLength {
        /// The token's algorithm.
        algorithm: &'static str,
        /// The signature's length.
        bytes: usize,
        /// The algorithm's length.
        expected: usize,
    },
    /// No candidate key made this signature.
    #[error("signature was not made over this token with a key of the key set")]
    SignatureInvalid,
    /// The payload is not JSON, not an object, not UTF-8, or over a limit.
    #[error("payload: {fault}")]
    ClaimsJson {
        /// What is wrong with it.
        fault: JsonFault,
    },
    /// `now >= exp + leeway`. RFC 7519 section 4.1.4.
    #[error("token expired {} ago (exp {exp}, leeway {})", Words(now.since(*exp)), Words(*leeway))]
    Expired {
        /// When it expired.
        exp: UnixTime,
        /// The time of the verification.
        now: UnixTime,
        /// The policy's leeway.
        leeway: Duration,
    },
    /// `now < nbf - leeway`. RFC 7519 section 4.1.5.
    #[error("token becomes valid in {} (nbf {nbf}, leeway {})", Words(nbf.since(*now)), Words(*leeway))]
    NotYetValid {
        /// When it becomes valid.
        nbf: UnixTime,
        /// The time of the verification.
        now: UnixTime,
        /// The policy's leeway.
        leeway: Duration,
    },
    /// `iat` lies further in the future than clocks differ.
    #[error("token was issued {} in the future (iat {iat}, allowed {})", Words(iat.since(*now)), Words(*allowed))]
    IssuedInFuture {
        /// When it says that it was issued.
        iat: UnixTime,
        /// The time of the verification.
        now: UnixTime,
        /// How far in the future it may lie.
        allowed: Duration,
    },
    /// A claim that the policy names is not there.
    #[error("claim \"{name}\" is missing")]
    ClaimMissing {
        /// The claim, as the policy names it.
        name: ClaimName,
    },
    /// A claim is there with a type or value that it can't have.
    #[error("claim \"{name}\" {fault}")]
    ClaimMalformed {
        /// The claim.
        name: &'static str,
        /// What is wrong with its value.
        fault: ClaimFault,
    },
    /// A claim that is acted on is there twice. RFC 7519 section 4.
    #[error("claim \"{name}\" is there twice")]
    ClaimDuplicate {
        /// The claim, as the policy names it.
        name: ClaimName,
    },
    /// A time past the year 9999.
    #[error("claim \"{name}\" lies past the year 9999: it looks like milliseconds, seconds are meant")]
    TimeOutOfRange {
        /// The claim.
        name: &'static str,
    },
    /// `iss` is none of the policy's issuers.
    #[error("issuer is none of those that the policy names")]
    IssuerMismatch,
    /// The key names the issuers that it speaks for, and `iss` is none of them.
    #[error("the key that signed the token does not speak for its issuer")]
    IssuerNotOfKey,
    /// None of the policy's audiences is in `aud`.
    #[error("audience holds none of those that the policy names")]
    AudienceMismatch,
    /// The token names whom it is meant for (`aud`), and the policy does not say that this is us. RFC 7519 section 4.1.3.
    #[error(
        "token names whom it is meant for (aud), and the policy names no audience: set `audience` to your own name, or \
         `insecure_any_audience`; it is meant for {audiences}"
    )]
    AudienceUnexpected {
        /// Whom it is meant for.
        audiences: Audiences,
    },
    /// `sub` is not the policy's subject.
    #[error("subject is not the one that the policy names")]
    SubjectMismatch,
    /// `typ` is none of the policy's.
    #[error("token type (typ) is none of those that the policy names")]
    TypeMismatch,
    /// `typ` ends in `+jwt`, as in `logout+jwt` or `dpop+jwt`, is not `at+jwt`, and the policy does not name it.
    #[error("token type (typ) is {typ}, which only a policy that names it accepts: `token_type`")]
    TypeReserved {
        /// The type.
        typ: &'static str,
    },
    /// A claim has another value than the policy wants.
    #[error("claim \"{name}\" has another value than the policy wants (`claim_equals`)")]
    ClaimDiffers {
        /// The claim, as the policy names it.
        name: ClaimName,
    },
    /// The token is bound to a key of whoever it was given to (`cnf`), and came without a proof of it. RFC 9449 section 7.1, RFC
    /// 8705 section 3.
    #[error(
        "token is bound to a key of its sender (cnf), which a bearer has not shown: check that proof yourself and set \
         `insecure_bearer_of_bound_token`"
    )]
    Bound,
    /// `exp - iat` is over the policy's longest lifetime.
    #[error("token lives {} (exp {exp}, iat {iat}), longer than the {} allowed", Words(exp.since(*iat)), Words(*max))]
    LifetimeTooLong {
        /// When it expires.
        exp: UnixTime,
        /// When it was issued.
        iat: UnixTime,
        /// The longest lifetime.
        max: Duration,
    },
    /// `now >= iat + max + leeway`.
    #[error("token was issued {} ago (iat {iat}), the policy allows {}", Words(now.since(*iat)), Words(*max))]
    TooOld {
        /// When it was issued.
        iat: UnixTime,
        /// The time of the verification.
        now: UnixTime,
        /// The greatest age.
        max: Duration,
    },
    /// The token was issued before a cut-off, and perhaps after the log-out that it was made for: within the time that issuers'
    /// clocks may run ahead, one can't be told from the other.
    #[error(
        "token was issued within seconds of a log-out of {}, and can't be told from those before: log in again in {} (from {good_from} on)",
        scope_words(*scope), Words(self.retry_after().unwrap_or_default())
    )]
    TooSoon {
        /// By what the revocation is matched.
        scope: Scope,
        /// An `iat` from here on is good.
        good_from: UnixTime,
        /// The time of the verification.
        now: UnixTime,
    },
    /// A revocation means this token.
    #[error("token was logged out, by a revocation of {}", scope_words(*scope))]
    Revoked {
        /// By what the revocation is matched.
        scope: Scope,
    },
}

impl Reject {
    /// The row of the status table.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::TokenTooLong { .. } => Status::TokenTooLong,
            Self::TokenParts { .. } => Status::TokenParts,
            Self::TokenCharacter { .. } => Status::TokenCharacter,
            Self::TokenBase64 { .. } => Status::TokenBase64,
            Self::HeaderJson { .. } => Status::HeaderJson,
            Self::HeaderDuplicate => Status::HeaderDuplicate,
            Self::HeaderMalformed { .. } => Status::HeaderMalformed,
            Self::HeaderCritical { .. } => Status::HeaderCritical,
            Self::HeaderAlgorithm { .. } => Status::HeaderAlgorithm,
            Self::KeyNotFound { .. } => Status::KeyNotFound,
            Self::SignatureMissing => Status::SignatureMissing,
            Self::SignatureLength { .. } => Status::SignatureLength,
            Self::SignatureInvalid => Status::SignatureInvalid,
            Self::ClaimsJson { .. } => Status::ClaimsJson,
            Self::Expired { .. } => Status::ClaimExpired,
            Self::NotYetValid { .. } => Status::ClaimNotYetValid,
            Self::IssuedInFuture { .. } => Status::ClaimIssuedInFuture,
            Self::ClaimMissing { .. } => Status::ClaimMissing,
            Self::ClaimMalformed { .. } => Status::ClaimMalformed,
            Self::ClaimDuplicate { .. } => Status::ClaimDuplicate,
            Self::TimeOutOfRange { .. } => Status::ClaimTimeRange,
            Self::IssuerMismatch => Status::ClaimIssuer,
            Self::IssuerNotOfKey => Status::ClaimIssuerOfKey,
            Self::AudienceMismatch | Self::AudienceUnexpected { .. } => Status::ClaimAudience,
            Self::SubjectMismatch => Status::ClaimSubject,
            Self::TypeMismatch => Status::ClaimType,
            Self::TypeReserved { .. } => Status::ClaimTypeReserved,
            Self::ClaimDiffers { .. } => Status::ClaimDiffers,
            Self::Bound => Status::ClaimBound,
            Self::LifetimeTooLong { .. } => Status::ClaimLifetime,
            Self::TooOld { .. } => Status::ClaimTooOld,
            Self::Revoked { .. } => Status::TokenRevoked,
            Self::TooSoon { .. } => Status::TokenTooSoon,
        }
    }

    /// After how long a new token will be accepted, where only its time stands in the way: in whole seconds, as in the HTTP
    /// header Retry-After.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let Self::TooSoon { good_from, now, .. } = self else { return None };
        let left = good_from.since(*now);
        Some(Duration::from_secs(left.as_secs() + u64::from(left.subsec_millis() > 0)))
    }
}

fn scope_words(scope: Scope) -> &'static str {
    match scope {
        Scope::Token => "this token",
        Scope::Session => "its session",
        Scope::Subject => "its subject's tokens",
        Scope::Everything => "all tokens issued before a time",
    }
}

fn algorithm_words(name: Option<&'static str>) -> String {
    match name {
        Some("none") => "header says that the token is not signed (alg none), and anybody can have made it".to_owned(),
        Some(name) => format!(
            "header names {name}, and this engine has HS256, HS384 and HS512: verify it with a library that has {name}, and ask here \
             who was logged out (`insecure_verified_elsewhere`)"
        ),
        None => "header names an algorithm that is not one of HS256, HS384 and HS512".to_owned(),
    }
}

fn jwe_hint(dots: usize) -> &'static str {
    match dots {
        4 => " (5 parts make an encrypted token, which signoff does not read)",
        _ => "",
    }
}

fn kid_hint(key_id_given: bool) -> &'static str {
    if key_id_given { "may verify and bears the token's key id" } else { "may verify and could have signed the token" }
}
