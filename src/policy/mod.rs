//! What a token must say to be accepted: the registered claims, the times, the order of the checks.
//!
//! Does not look at signatures and asks no clock. Invariant: a `ClaimsAccepted` is made only at the
//! end of [`judge`](judge::judge), after every check.

pub(crate) mod claim_strings;
mod claim_values;
pub(crate) mod claims;
mod judge;
mod numeric_date;
pub(crate) mod registered;
mod token_type;

use std::time::Duration;

pub use claim_values::ClaimValue;
pub use judge::ClaimsAccepted;

pub(crate) use claim_strings::ClaimStrings;
pub(crate) use judge::{judge, judge_unsigned};
pub(crate) use token_type::{TypeVerdict, type_verdict};

use crate::clock::UnixTime;
use crate::error::PolicyError;
use crate::limits::{
    ISSUED_IN_FUTURE_CEILING, ISSUED_IN_FUTURE_MAX, LEEWAY_MAX, REQUIRED_CLAIMS_MAX, TOKEN_BYTES_CEILING,
    TOKEN_BYTES_MAX,
};
use claim_values::CustomClaim;
use registered::Registered;

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
    pub(crate) any_audience: bool,
    /// As they were named; compared by their [`essence`](token_type::essence_of).
    pub(crate) token_types: Vec<Box<str>>,
    pub(crate) token_type_optional: bool,
    pub(crate) bound_tokens: BoundTokens,
    pub(crate) leeway: Duration,
    /// None: as much as the log lets, or, without one, [`ISSUED_IN_FUTURE_MAX`].
    pub(crate) issued_in_future_max: Option<Duration>,
    pub(crate) any_issued_at: bool,
    pub(crate) lifetime_max: Option<Duration>,
    pub(crate) age_max: Option<Duration>,
    pub(crate) expiry: Expiry,
    pub(crate) required: Vec<Registered>,
    pub(crate) custom: Vec<CustomClaim>,
    /// A registered claim that was to have a value, by a slip.
    pub(crate) misnamed_value: Option<Registered>,
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

/// What becomes of tokens that are bound to a key of whoever they were given to (`cnf`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoundTokens {
    Reject,
    Accept,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

impl Policy {
    /// `exp` required, no leeway, `iat` at most 5 s in the future, ids are strings, no audience but our own, no token of another kind,
    /// none that is bound to a sender's key.
    #[must_use]
    pub fn new() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            subject: None,
            any_audience: false,
            token_types: Vec::new(),
            token_type_optional: false,
            bound_tokens: BoundTokens::Reject,
            leeway: Duration::ZERO,
            issued_in_future_max: None,
            any_issued_at: false,
            lifetime_max: None,
            age_max: None,
            expiry: Expiry::Required,
            required: Vec::new(),
            custom: Vec::new(),
            misnamed_value: None,
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

    /// Adds a name under which we are meant. With none, a token that names any audience is refused.
    ///
    /// One of ours must be among the token's; `aud` must then be present. RFC 7519 section 4.1.3.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Accepts tokens whoever they are meant for (`aud`), also those that were made for another service.
    #[must_use]
    pub fn insecure_any_audience(mut self) -> Self {
        self.any_audience = true;
        self
    }

    /// The one subject (`sub`) that is let in.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<Box<str>>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Lets this token type (`typ`) in, as in `at+jwt`, beside any named before. The header must then have one of them.
    ///
    /// `application/at+jwt` is the same type; case and parameters do not count. RFC 8725 section 3.11.
    /// With none, every type is let in but those that end in `+jwt`, as `logout+jwt` and `dpop+jwt`, which are kinds of tokens with
    /// rules of their own; `at+jwt` is an access token, and let in.
    #[must_use]
    pub fn token_type(mut self, token_type: &str) -> Self {
        self.token_types.push(token_type.into());
        self
    }

    /// Accepts also tokens that have no `typ`, where types are named.
    #[must_use]
    pub fn token_type_optional(mut self) -> Self {
        self.token_type_optional = true;
        self
    }

    /// Requires that a claim has this value, or one that was named for it before. `null` counts as missing. Numbers are compared as
    /// doubles, as JSON's readers have them.
    ///
    /// For issuers that say in the payload of which kind a token is: Keycloak's `typ`, Cognito's `token_use`. Registered claims
    /// have options of their own. At most 64 claims, with those of [`require`](Self::require).
    #[must_use]
    pub fn claim_equals(mut self, claim: &str, value: impl Into<ClaimValue>) -> Self {
        match Registered::named(claim) {
            Some(registered) => self.misnamed_value = Some(registered),
            None => self.custom_claim(claim).values.push(value.into()),
        }
        self
    }

    fn custom_claim(&mut self, name: &str) -> &mut CustomClaim {
        let at = self.custom.iter().position(|claim| *claim.name == *name).unwrap_or(self.custom.len());
        if at == self.custom.len() {
            self.custom.push(CustomClaim { name: name.into(), values: Vec::new() });
        }
        &mut self.custom[at]
    }

    /// Accepts tokens that are bound to a key of their sender (`cnf`) from whoever brings them: for who checks the proof (DPoP, or the
    /// certificate of the connection) himself. RFC 9449 section 7, RFC 8705 section 3.
    #[must_use]
    pub fn insecure_bearer_of_bound_token(mut self) -> Self {
        self.bound_tokens = BoundTokens::Accept;
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
            None => {
                self.custom_claim(claim);
            }
        }
        self
    }

    /// Accepts tokens that never expire.
    #[must_use]
    pub fn insecure_allow_missing_exp(mut self) -> Self {
        self.expiry = Expiry::Optional;
        self
    }

    /// Whether `sub`, `jti` and `sid` may be whole numbers up to 2^53 − 1, as many old systems write them.
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
        if self.custom.len() > REQUIRED_CLAIMS_MAX {
            return wrong("require", "names more than 64 claims, with those of `claim_equals`");
        }
        self.refuse_contradictions()?;
        for (option, max) in [("lifetime_max", self.lifetime_max), ("age_max", self.age_max)] {
            if max == Some(Duration::ZERO) {
                return wrong(option, "is zero, which would reject every token; leave it out for no limit");
            }
        }
        match self.empty_option() {
            Some(option) => wrong(option, "is empty; leave it out, or name what you expect"),
            None => Ok(self),
        }
    }

    /// An option that is empty: that is what an unset environment variable leaves behind.
    fn empty_option(&self) -> Option<&'static str> {
        let several = [("issuer", &self.issuers), ("audience", &self.audiences)];
        let several = several.into_iter().flat_map(|(option, names)| names.iter().map(move |name| (option, &**name)));
        let subject = self.subject.iter().map(|name| ("subject", &**name));
        let types = self.token_types.iter().map(|name| ("token_type", token_type::essence_of(name)));
        let claims = self.custom.iter().map(|claim| match claim.values.is_empty() {
            true => ("require", &*claim.name),
            false => ("claim_equals", &*claim.name),
        });
        let mut all = several.chain(subject).chain(types).chain(claims);
        all.find(|(_, name)| name.is_empty()).map(|(option, _)| option)
    }

    /// Options that undo one another, or that no token could meet.
    fn refuse_contradictions(&self) -> Result<(), PolicyError> {
        let wrong = |option, fault| Err(PolicyError { option, fault });
        if self.any_audience && !self.audiences.is_empty() {
            return wrong("insecure_any_audience", "is there beside `audience`; keep one");
        }
        if self.token_type_optional && self.token_types.is_empty() {
            return wrong("token_type_optional", "is there without a `token_type`; name one, or leave it out");
        }
        if self.required.contains(&Registered::Cnf) && self.bound_tokens == BoundTokens::Reject {
            return wrong(
                "require",
                "names cnf, and tokens that have it are refused; see `insecure_bearer_of_bound_token`",
            );
        }
        if self.required.contains(&Registered::Aud) && self.audiences.is_empty() && !self.any_audience {
            return wrong(
                "require",
                "names aud, and tokens that have one are refused; name an `audience` in place of it",
            );
        }
        if self.misnamed_value.is_some() {
            return wrong(
                "claim_equals",
                "names a registered claim; they have options of their own: `issuer`, `audience`, `subject`, `require`",
            );
        }
        if self.custom.iter().flat_map(|claim| &claim.values).any(|value| !value.is_exact()) {
            return wrong("claim_equals", "has a number that is not exact, such as one beyond 2^53 - 1");
        }
        Ok(())
    }
}
