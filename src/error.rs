//! What can go wrong on our side or the caller's: keys, policy, signing. Never a verdict about a token.

use std::time::Duration;

use crate::clock::{UnixTime, Words};
use crate::denied::Reject;
use crate::log::LogError;
use crate::revocation::Scope;
use crate::status::Status;

/// A call that did not do what it was asked.
///
/// No message holds bytes of a secret or of a token.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key or key set that can't be loaded.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A policy with an option out of bounds.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A token that can't be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A revocation log that can't be opened or read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A revocation that was not carried out.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    /// Accepted claims that do not fit the caller's type.
    #[error("the claims do not fit the type that was asked for: {0}")]
    ClaimsUnreadable(#[source] serde_json::Error),
}

impl Error {
    /// The row of the status table.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Key(error) => error.status(),
            Self::Policy(_) => Status::PolicyInvalid,
            Self::Sign(error) => error.status(),
            Self::Log(error) => error.status(),
            Self::Revoke(error) => error.status(),
            Self::ClaimsUnreadable(_) => Status::ClaimsUnreadable,
        }
    }
}

/// Why a key or a key set can't be loaded.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Shorter than the hash. RFC 7518 section 3.2.
    #[error(
        "the secret is {bytes} bytes long and {algorithm} wants {min} or more: make one with `openssl rand -base64 {min}`, or allow it by `hmac_insecure_allow_short`"
    )]
    TooShort {
        /// The secret's length.
        bytes: usize,
        /// The algorithm's hash length.
        min: usize,
        /// The algorithm.
        algorithm: &'static str,
    },
    /// No bytes at all, which no option allows.
    #[error("the secret is empty: anybody could sign with it")]
    Empty,
    /// Longer than the limit.
    #[error("the {what} is {bytes} bytes long, over the limit of {max}: is it the right one?")]
    TooLong {
        /// Secret or key id.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A key of another kind, or a token, given as an HMAC secret.
    #[error(
        "these bytes are a {kind}, not an HMAC secret, and others know it who could sign with it: {}",
        kind_words(kind)
    )]
    NotASecret {
        /// What they look like.
        kind: &'static str,
    },
    /// Not a JWK or JWKS. RFC 7517.
    #[error("{place}: {fault}")]
    Malformed {
        /// Which key, or which member.
        place: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A key that can't verify tokens here.
    #[error("{place}: {fault}")]
    Unsupported {
        /// Which key.
        place: String,
        /// Why not.
        fault: String,
    },
    /// Two keys of one algorithm with the same key id, or without any in a place where one is needed.
    #[error("two {algorithm} keys have the key id {key_id:?}: give each its own")]
    Duplicate {
        /// The algorithm.
        algorithm: &'static str,
        /// The key id.
        key_id: String,
    },
    /// A key that was to be restricted to issuers, and was given none, or an empty name.
    #[error(
        "the {algorithm} key {} was given no issuer by `for_issuers`, or an empty one, and would do for nobody: name each, or leave it out for a key of every issuer",
        .key_id.as_ref().map_or("without key id".to_owned(), |id| format!("{id:?}"))
    )]
    NoIssuer {
        /// The algorithm.
        algorithm: &'static str,
        /// The key id, where it has one.
        key_id: Option<String>,
    },
    /// No usable key.
    #[error("the key set holds no key that can be used{}", SkippedKey::several(skipped))]
    NoKeys {
        /// Those that were passed over.
        skipped: Vec<SkippedKey>,
    },
    /// More keys than the limit.
    #[error("the key set holds {keys} keys, over the limit of {max}")]
    TooMany {
        /// How many it holds.
        keys: usize,
        /// The limit.
        max: usize,
    },
}

/// A member of a JWKS that was passed over, as RFC 7517 section 5 asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    pub(crate) place: usize,
    pub(crate) key_id: Option<String>,
    pub(crate) reason: Box<KeyError>,
    pub(crate) is_secret: bool,
}

impl SkippedKey {
    /// Its place in the set, counted from 0.
    #[must_use]
    pub fn place(&self) -> usize {
        self.place
    }

    /// Its `kid`, if that is a text.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Why it can't be used.
    #[must_use]
    pub fn reason(&self) -> &KeyError {
        &self.reason
    }

    /// Whether it was to be an HMAC secret, of a use that is ours: one that nobody skips on purpose. An engine does not sign with a set
    /// that lacks such a key, unless it is told with which.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.is_secret
    }

    /// What a message says of those that were passed over.
    fn several(skipped: &[Self]) -> String {
        const SHOWN: usize = 3;
        let shown: Vec<_> = skipped.iter().take(SHOWN).map(Self::to_string).collect();
        match skipped.len() {
            0 => String::new(),
            many if many > SHOWN => format!("; passed over: {}; and {} more", shown.join("; "), many - SHOWN),
            _ => format!("; passed over: {}", shown.join("; ")),
        }
    }
}

impl std::fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "key {} of the JWKS, counted from 0", self.place)?;
        if let Some(key_id) = &self.key_id {
            write!(f, " (kid {key_id:?})")?;
        }
        // These begin with the place, which stands there already.
        if let KeyError::Malformed { fault, .. } | KeyError::Unsupported { fault, .. } = &*self.reason {
            return write!(f, ": {fault}");
        }
        write!(f, ": {}", self.reason)
    }
}

/// What to do with a key of this kind.
fn kind_words(kind: &str) -> &'static str {
    match kind {
        "JWK or JWKS" => "load it by `from_jwks`",
        "token" => "name the secret that signs tokens",
        _ => "keys of RSA, EC and EdDSA can't be loaded yet; a secret is made with `openssl rand -base64 48`",
    }
}

impl KeyError {
    /// The row of the status table.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::TooShort { .. } | Self::Empty => Status::KeyTooShort,
            Self::TooLong { .. } => Status::KeyTooLong,
            Self::NotASecret { .. } => Status::KeyNotSecret,
            Self::Malformed { .. } | Self::NoIssuer { .. } => Status::KeyMalformed,
            Self::Unsupported { .. } => Status::KeyUnsupported,
            Self::Duplicate { .. } => Status::KeyDuplicate,
            Self::NoKeys { .. } => Status::KeySetEmpty,
            Self::TooMany { .. } => Status::KeySetTooLarge,
        }
    }
}

/// Which option of a policy is out of bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy option `{option}`: {fault}")]
pub struct PolicyError {
    pub(crate) option: &'static str,
    pub(crate) fault: &'static str,
}

/// Why a token can't be signed.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The claims can't be written as JSON.
    #[error("the claims can't be written as JSON: {0}")]
    NotSerializable(String),
    /// The claims are such as this engine's own reading rejects.
    #[error("the claims would be rejected: {0}")]
    WouldBeRejected(Reject),
    /// Both `exp` among the claims and an `expires_in`.
    #[error(
        "the claims have an exp of their own: leave it out, or what was said of the end (`expires_in`, `insecure_never_expires`)"
    )]
    ExpiryTwice,
    /// No end, and no name that says so.
    #[error("the token would never end: set `expires_in`, or say that it is meant by `insecure_never_expires`")]
    ExpiryUnstated,
    /// The end lies past the year 9999.
    #[error("`expires_in` reaches past the year 9999")]
    ExpiryTooFar,
    /// The key set has no key with the id that was asked for.
    #[error("the key set has no key with the id that was asked for")]
    NoSuchKey,
    /// The key that was asked for, or every one, may verify and not sign. RFC 7517 section 4.3.
    #[error("no key may sign: key_ops of the JWK has no \"sign\"")]
    MayNotSign,
    /// A secret of the JWKS was passed over, so that the first of the others may be an old one.
    #[error(
        "the key set lacks a secret, and the one that would sign may be an old one: mend {0}; or say with which key to sign, by `key_id`"
    )]
    SecretSkipped(SkippedKey),
    /// The token would be over the engine's limit.
    #[error("the token would be {bytes} bytes long and this engine accepts {max}")]
    TooLong {
        /// The token's length.
        bytes: usize,
        /// The engine's limit.
        max: usize,
    },
    /// The token would be revoked as soon as it was signed.
    #[error(
        "the token would be refused at once, by a revocation of scope {scope}: leave out iat, jti and sid of a login that has ended"
    )]
    Revoked {
        /// By what the revocation is matched.
        scope: Scope,
    },
    /// A cut-off lies so far ahead of the clock that no token of now can lie behind it.
    #[error(
        "a revocation covers tokens issued up to {cut_off}, ahead of this machine's clock ({now}): is the clock wrong?"
    )]
    CutOffAhead {
        /// The cut-off.
        cut_off: UnixTime,
        /// The time of signing.
        now: UnixTime,
    },
    /// The system has no random bytes.
    #[error("the operating system gave no random bytes for a token id")]
    NoRandom,
}

impl SignError {
    /// The row of the status table.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Revoked { .. } | Self::CutOffAhead { .. } => Status::TokenRevoked,
            Self::NotSerializable(_) | Self::WouldBeRejected(_) | Self::ExpiryTwice | Self::ExpiryTooFar => {
                Status::ClaimsInvalid
            }
            Self::ExpiryUnstated => Status::ExpiryUnstated,
            Self::NoSuchKey | Self::MayNotSign | Self::SecretSkipped(_) => Status::SigningKeyMissing,
            Self::TooLong { .. } => Status::TokenTooLongToSign,
            Self::NoRandom => Status::RandomUnavailable,
        }
    }
}

/// Why a revocation was not carried out.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// The engine has no log.
    #[error("this engine has no revocation log, so nothing can be logged out: open it with one by `Engine::open`")]
    NoLog,
    /// The token that was given whole is not one of ours.
    #[error("{words} {reject}", words = token_words(.0), reject = .0)]
    Token(#[source] Reject),
    /// A value, issuer or id is empty, which would mean no token, or all.
    #[error("the {what} of a revocation is empty: an unset variable?")]
    Empty {
        /// Which.
        what: &'static str,
    },
    /// A text or list is over its limit.
    #[error("the {what} of a revocation is over the limit of {max}")]
    TooLong {
        /// Which.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// A whole token stands where its id, or who it is of, goes: it would be recorded, and log nobody out.
    #[error(
        "the {what} of a revocation is a whole token, which would log nobody out: log out the token itself, or give its {claim}"
    )]
    WholeToken {
        /// Which.
        what: &'static str,
        /// The claim that is meant.
        claim: &'static str,
    },
    /// An option that a scope does not have.
    #[error("`{option}` is for revocations of a subject or of everything, not of a {scope}")]
    NoCutOff {
        /// The option.
        option: &'static str,
        /// The scope.
        scope: Scope,
    },
    /// The cut-off lies in the future.
    #[error("the cut-off {cut_off} lies ahead of now ({now}) by more than {}: tokens that do not exist yet can't be logged out", Words(*max))]
    CutOffInFuture {
        /// The cut-off.
        cut_off: UnixTime,
        /// This machine's clock.
        now: UnixTime,
        /// How far ahead it may lie.
        max: Duration,
    },
    /// The end of what has to be kept has passed already.
    #[error(
        "`keep_until` {until} lies before now ({now}), so that nothing would be kept and tokens that are meant live on: leave it out, or see that it is not in seconds where milliseconds are meant"
    )]
    KeepUntilPast {
        /// What was given.
        until: UnixTime,
        /// This machine's clock.
        now: UnixTime,
    },
    /// The revocation was not recorded. It binds in this process until it ends.
    #[error("not recorded, and so forgotten when this process ends: {0}")]
    NotDurable(#[source] LogError),
    /// Whether the revocation was recorded is not known. It binds in this process until it ends.
    #[error("it is not known whether the revocation was recorded; doing it again is safe: {0}")]
    Indeterminate(#[source] LogError),
}

/// Whether nobody of ours signed it, or somebody did and it can't be read.
fn token_words(reject: &Reject) -> &'static str {
    match reject.status().number() {
        3000..4000 => "the token to be logged out is signed with a key of ours, and can't be logged out as it is:",
        _ => "the token to be logged out is not one of ours:",
    }
}

impl RevokeError {
    /// The row of the status table.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::NoLog => Status::NoLog,
            Self::Token(reject) => reject.status(),
            Self::Empty { .. }
            | Self::TooLong { .. }
            | Self::WholeToken { .. }
            | Self::NoCutOff { .. }
            | Self::CutOffInFuture { .. }
            | Self::KeepUntilPast { .. } => Status::RevocationInvalid,
            Self::NotDurable(_) => Status::NotDurable,
            Self::Indeterminate(_) => Status::Indeterminate,
        }
    }
}
