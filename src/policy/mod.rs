//! What a token must say to be accepted: the registered claims, the times, the order of the checks.
//!
//! Does not look at signatures and asks no clock. Invariant: a `ClaimsAccepted` is made only at the
//! end of [`judge`](judge::judge), after every check.

pub(crate) mod claim_strings;
pub(crate) mod claims;
mod judge;
mod numeric_date;
mod token_type;

use std::sync::Arc;
use std::time::Duration;

pub use judge::ClaimsAccepted;

pub(crate) use claim_strings::ClaimStrings;
pub(crate) use judge::judge;
pub(crate) use token_type::{TypeVerdict, type_verdict};

use crate::clock::UnixTime;
use crate::error::PolicyError;
use crate::limits::{
    ISSUED_IN_FUTURE_CEILING, ISSUED_IN_FUTURE_MAX, LEEWAY_MAX, REQUIRED_CLAIMS_MAX, TOKEN_BYTES_CEILING,
    TOKEN_BYTES_MAX,
};
use claims::Registered;

/// Whether `sub`, `jti` and `sid` may be whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // Refused or read as text: there is no third reading.
pub enum NumericIds {
    /// They are strings, as RFC 7519 has it; a number is malformed.
    #[default]
    Reject,
    /// A whole number stands for its digits: `42` is the same id as `"42"`.
    AsText,
}

/// What a token must say. [`Policy::new`] is the strictest there is without knowing the application.
///
/// ```
/// use signoff::Policy;
/// use std::time::Duration;
///
/// let policy = Policy::new().issuer("https://id.example").audience("api").leeway(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) issuers: Vec<Box<str>>,
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) subject: Option<Box<str>>,
    pub(crate) token_type: Option<Box<str>>,
    pub(crate) leeway: Duration,
    /// None: as much as the log lets, or, without one, [`ISSUED_IN_FUTURE_MAX`].
    pub(crate) issued_in_future_max: Option<Duration>,
    pub(crate) any_issued_at: bool,
    pub(crate) lifetime_max: Option<Duration>,
    pub(crate) age_max: Option<Duration>,
    pub(crate) expiry: Expiry,
    pub(crate) required: Vec<Registered>,
    pub(crate) required_custom: Vec<Arc<str>>,
    pub(crate) numeric_ids: NumericIds,
    pub(crate) token_bytes_max: usize,
}

/// How far ahead of the clock an `iat` may lie. In the unit in which times are compared: a [`Duration`] takes divisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ahead {
    millis: i64,
}

impl Ahead {
    #[inline]
    pub(crate) fn from_millis(millis: i64) -> Self {
        Self { millis }
    }

    #[inline]
    pub(crate) fn is_exceeded(self, iat: UnixTime, now: UnixTime) -> bool {
        iat.as_millis() > now.as_millis().saturating_add(self.millis)
    }

    pub(crate) fn duration(self) -> Duration {
        Duration::from_millis(u64::try_from(self.millis).unwrap_or(0))
    }

    /// From when on an `iat` does not lie too far ahead.
    #[inline]
    pub(crate) fn limit(self, iat: UnixTime) -> UnixTime {
        UnixTime::from_millis(iat.as_millis().saturating_sub(self.millis))
    }
}

impl From<Duration> for Ahead {
    fn from(duration: Duration) -> Self {
        Self { millis: UnixTime::default().plus(duration).as_millis() }
    }
}

/// What is wrong with more than [`ISSUED_IN_FUTURE_CEILING`].
pub(crate) const ISSUED_IN_FUTURE_FAULT: &str =
    "is over 60 s: a log-out everywhere would have to reach as far ahead; set the issuer's clock instead";

/// Whether a token must have an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    Required,
    Optional,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

impl Policy {
    /// `exp` required, no leeway, `iat` at most 5 s in the future, ids are strings.
    #[must_use]
    pub fn new() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            subject: None,
            token_type: None,
            leeway: Duration::ZERO,
            issued_in_future_max: None,
            any_issued_at: false,
            lifetime_max: None,
            age_max: None,
            expiry: Expiry::Required,
            required: Vec::new(),
            required_custom: Vec::new(),
            numeric_ids: NumericIds::Reject,
            token_bytes_max: TOKEN_BYTES_MAX,
        }
    }

    /// Lets this issuer in, beside any named before. With none, every issuer is let in.
    ///
    /// Compared byte for byte with `iss`, which must then be present. RFC 7519 section 4.1.1.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Adds a name under which we are meant. With none, `aud` is not looked at.
    ///
    /// One of ours must be among the token's; `aud` must then be present. RFC 7519 section 4.1.3.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The one subject (`sub`) that is let in.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<Box<str>>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The token type (`typ`) that is let in, as in `at+jwt`.
    ///
    /// `application/at+jwt` is the same type, and case does not count. RFC 8725 section 3.11.
    /// Unless named here, `logout+jwt`, `secevent+jwt` and `statuslist+jwt` are refused.
    #[must_use]
    pub fn token_type(mut self, token_type: &str) -> Self {
        self.token_type = Some(token_type::normal_form(token_type));
        self
    }

    /// How far clocks may differ, for `exp`, `nbf` and the longest age. At most 5 minutes.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// How far in the future `iat` may lie: at most 60 s. Unless set, as much as the engine's log lets
    /// ([`Log::issued_in_future_max`](crate::Log::issued_in_future_max)), and 5 s without a log. The log's is held against every
    /// token too, so that this can only be stricter.
    #[must_use]
    pub fn issued_in_future_max(mut self, allowed: Duration) -> Self {
        self.issued_in_future_max = Some(allowed);
        self
    }

    /// Accepts tokens that were issued at any time ahead of the clock, but for what the engine's log lets.
    #[must_use]
    pub fn insecure_any_issued_at(mut self) -> Self {
        self.any_issued_at = true;
        self
    }

    /// The longest lifetime, `exp − iat`. Both must then be present.
    #[must_use]
    pub fn lifetime_max(mut self, max: Duration) -> Self {
        self.lifetime_max = Some(max);
        self
    }

    /// The greatest age, `now − iat`. `iat` must then be present.
    #[must_use]
    pub fn age_max(mut self, max: Duration) -> Self {
        self.age_max = Some(max);
        self
    }

    /// Requires a claim by its name. `null`, and an empty `jti` or `sid`, count as missing.
    #[must_use]
    pub fn require(mut self, claim: &str) -> Self {
        match Registered::named(claim) {
            Some(registered) => self.required.push(registered),
            None => self.required_custom.push(claim.into()),
        }
        self
    }

    /// Accepts tokens that never expire.
    #[must_use]
    pub fn insecure_allow_missing_exp(mut self) -> Self {
        self.expiry = Expiry::Optional;
        self
    }

    /// Whether `sub`, `jti` and `sid` may be whole numbers, as many old systems write them.
    #[must_use]
    pub fn numeric_ids(mut self, numeric_ids: NumericIds) -> Self {
        self.numeric_ids = numeric_ids;
        self
    }

    /// The longest token that is looked at, in bytes. 16 KiB unless set, at most 1 MiB.
    #[must_use]
    pub fn token_bytes_max(mut self, max: usize) -> Self {
        self.token_bytes_max = max;
        self
    }

    /// The longest token that is looked at, in bytes.
    #[must_use]
    pub fn longest_token_bytes(&self) -> usize {
        self.token_bytes_max
    }

    /// How far ahead of the clock an `iat` may lie, where a log lets so much, if there is one.
    #[inline]
    pub(crate) fn issued_in_future(&self, by_log: Option<Ahead>) -> Ahead {
        match (self.issued_in_future_max, by_log) {
            (None, Some(by_log)) => by_log,
            (Some(ours), Some(by_log)) => Ahead::from(ours).min(by_log),
            (Some(ours), None) => ours.into(),
            (None, None) if self.any_issued_at => Duration::MAX.into(),
            (None, None) => ISSUED_IN_FUTURE_MAX.into(),
        }
    }

    /// Refuses options that are out of bounds, or that only a slip can have set.
    pub(crate) fn within_bounds(self) -> Result<Self, PolicyError> {
        let wrong = |option, fault| Err(PolicyError { option, fault });
        if self.leeway > LEEWAY_MAX {
            return wrong("leeway", "is over 5 minutes; clocks that differ by more need to be set");
        }
        if self.issued_in_future_max.is_some_and(|allowed| allowed > ISSUED_IN_FUTURE_CEILING) {
            return wrong("issued_in_future_max", ISSUED_IN_FUTURE_FAULT);
        }
        if self.any_issued_at && self.issued_in_future_max.is_some() {
            return wrong("issued_in_future_max", "is there beside `insecure_any_issued_at`; keep one");
        }
        if self.token_bytes_max == 0 || self.token_bytes_max > TOKEN_BYTES_CEILING {
            return wrong("token_bytes_max", "must be from 1 to 1048576 bytes");
        }
        if self.required_custom.len() > REQUIRED_CLAIMS_MAX {
            return wrong("require", "names more than 64 claims");
        }
        for (option, max) in [("lifetime_max", self.lifetime_max), ("age_max", self.age_max)] {
            if max == Some(Duration::ZERO) {
                return wrong(option, "is zero, which would reject every token; leave it out for no limit");
            }
        }
        // An empty name is what an unset environment variable leaves behind.
        let named = [("issuer", &self.issuers), ("audience", &self.audiences)];
        let named = named.into_iter().flat_map(|(option, names)| names.iter().map(move |name| (option, name)));
        let single = [("subject", &self.subject), ("token_type", &self.token_type)];
        let single = single.into_iter().filter_map(|(option, name)| Some((option, name.as_ref()?)));
        let empty = named.chain(single).find(|(_, name)| name.is_empty()).map(|(option, _)| option);
        match empty {
            Some(option) => wrong(option, "is empty; leave it out, or name what you expect"),
            None => Ok(self),
        }
    }
}
