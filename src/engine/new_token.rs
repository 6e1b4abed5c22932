//! What a caller asks to be signed.

use std::time::Duration;

use serde::Serialize;

use crate::error::SignError;

/// A token to be signed: its claims, and how long it lives.
///
/// The claims are signed in the order and spelling in which they are given. What the engine adds follows behind them, unless it is
/// among them: `iat`, `exp` and `jti`, and each claim for which its policy has one value (issuer, audience, subject,
/// [`claim_equals`](crate::Policy::claim_equals)).
#[derive(Clone, Debug)]
pub struct NewToken {
    pub(super) claims: Result<String, SignError>,
    pub(super) end: End,
    pub(super) key_id: Option<String>,
    pub(super) token_type: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Unstated,
    In(Duration),
    Never,
}

impl NewToken {
    /// Claims as the text of a JSON object.
    #[must_use]
    pub fn from_json(claims: impl Into<String>) -> Self {
        Self::of(Ok(claims.into()))
    }

    /// Claims as anything that serialises to a JSON object.
    #[must_use]
    pub fn from_claims(claims: &impl Serialize) -> Self {
        Self::of(serde_json::to_string(claims).map_err(|error| SignError::NotSerializable(error.to_string())))
    }

    fn of(claims: Result<String, SignError>) -> Self {
        Self { claims, end: End::Unstated, key_id: None, token_type: None }
    }

    /// How long the token lives, counted from its `iat`.
    #[must_use]
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.end = End::In(lifetime);
        self
    }

    /// A token without `exp`. Only engines that allow a missing `exp` by name accept it.
    #[must_use]
    pub fn insecure_never_expires(mut self) -> Self {
        self.end = End::Never;
        self
    }

    /// Signs with the key of this id rather than with the first of the set.
    #[must_use]
    pub fn key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// The header's `typ`. Unless set, the one that the engine's policy names, and `JWT` where it names none.
    #[must_use]
    pub fn token_type(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = Some(token_type.into());
        self
    }
}
