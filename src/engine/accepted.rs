//! The result of a successful verification.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use crate::clock::UnixTime;
use crate::error::Error;
use crate::index::Traits;
use crate::keys::{SignatureValid, crypto};
use crate::policy::claim_strings::Span;
use crate::policy::claims::Claims;
use crate::policy::{ClaimStrings, ClaimsAccepted};
use crate::revocation::TokenId;

pub use super::clearance::{Cleared, WhyUnknown};

/// What was proven of a token, beside the claims that were read on the way: those stay where the caller wants them, since
/// to move them costs as much as to check them.
#[derive(Clone, Copy)]
pub(crate) struct Proven<'a> {
    pub(crate) texts: ClaimStrings<'a>,
    pub(super) signing_input: &'a [u8],
    pub(super) signature: SignatureValid,
    pub(super) proof: ClaimsAccepted,
    pub(crate) cleared: Cleared,
}

/// A token that was accepted: its claims, with proof that all checks happened.
///
/// There is no other way to make one than [`Engine::verify`](crate::Engine::verify) and its kin.
/// Trust: the claims are what a holder of the key signed, for us, and for now.
#[derive(Clone)]
pub struct Accepted<'a> {
    source: Source<'a>,
    claims: Claims,
    signature: SignatureValid,
    proof: ClaimsAccepted,
    cleared: Cleared,
}

/// What the claims were read from.
#[derive(Clone)]
enum Source<'a> {
    Borrowed {
        texts: ClaimStrings<'a>,
        signing_input: &'a [u8],
    },
    /// Shared between clones.
    Owned(Arc<OwnedSource>),
}

struct OwnedSource {
    payload: Box<str>,
    unescaped: Box<str>,
    signing_input: Box<[u8]>,
}

impl<'a> Accepted<'a> {
    #[inline]
    pub(super) fn new(proven: Proven<'a>, claims: Claims) -> Self {
        let Proven { texts, signing_input, signature, proof, cleared } = proven;
        Self { source: Source::Borrowed { texts, signing_input }, claims, signature, proof, cleared }
    }

    /// The same result, borrowing nothing. Its clones share their texts.
    #[must_use]
    pub fn into_owned(self) -> Accepted<'static> {
        let owned = match self.source {
            Source::Borrowed { texts, signing_input } => Arc::new(OwnedSource {
                payload: texts.payload.into(),
                unescaped: texts.unescaped.into(),
                signing_input: signing_input.into(),
            }),
            Source::Owned(owned) => owned,
        };
        let Self { claims, signature, proof, cleared, .. } = self;
        Accepted { source: Source::Owned(owned), claims, signature, proof, cleared }
    }

    /// `iss`: who issued the token.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.text(self.claims.iss())
    }

    /// `sub`: whom the token is about; unique only within its issuer.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text(self.claims.sub())
    }

    /// `aud`: for whom the token is meant, in order.
    pub fn audiences(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.texts().audiences(self.claims.aud()).into_iter()
    }

    /// `exp`: when the token ends.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.claims.exp()
    }

    /// `iat`: when the token was issued.
    #[must_use]
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.claims.iat()
    }

    /// `nbf`: from when on the token is valid.
    #[must_use]
    pub fn not_before(&self) -> Option<UnixTime> {
        self.claims.nbf()
    }

    /// The token's id.
    ///
    /// Cost: for a token without `jti`, one SHA-256 over the token.
    #[must_use]
    pub fn token_id(&self) -> TokenId<'_> {
        match self.text(self.claims.jti()) {
            Some(jti) => TokenId::Jti(Cow::Borrowed(jti)),
            None => TokenId::SigningInput(crypto::sha256(self.signing_input())),
        }
    }

    /// `jti`: the token's id, if it has one of its own; see [`token_id`](Self::token_id).
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.text(self.claims.jti())
    }

    /// `sid`: the login that the token belongs to. OpenID Connect Front-Channel Logout 1.0.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.text(self.claims.sid())
    }

    /// The payload: the JSON text of all claims, exactly as it was signed.
    #[must_use]
    pub fn payload(&self) -> &str {
        self.texts().payload
    }

    /// Reads the claims into a type of the caller's.
    ///
    /// # Errors
    /// [`Error::ClaimsUnreadable`] where they do not fit.
    pub fn deserialize<'de, T: Deserialize<'de>>(&'de self) -> Result<T, Error> {
        serde_json::from_str(self.payload()).map_err(Error::ClaimsUnreadable)
    }

    /// Why the token counts as not logged out.
    #[must_use]
    pub fn cleared(&self) -> Cleared {
        self.cleared
    }

    /// The proofs that the signature held and that the claims were held against the policy.
    #[must_use]
    pub fn proofs(&self) -> (SignatureValid, ClaimsAccepted) {
        (self.signature, self.proof)
    }

    fn texts(&self) -> ClaimStrings<'_> {
        match &self.source {
            Source::Borrowed { texts, .. } => *texts,
            Source::Owned(owned) => ClaimStrings { payload: &owned.payload, unescaped: &owned.unescaped },
        }
    }

    /// What of the token is screened.
    pub(super) fn traits(&self) -> Traits<'_> {
        super::replica::traits(&self.claims, self.texts())
    }

    pub(super) fn signing_input(&self) -> &[u8] {
        match &self.source {
            Source::Borrowed { signing_input, .. } => signing_input,
            Source::Owned(owned) => &owned.signing_input,
        }
    }

    fn text(&self, claim: Option<Span>) -> Option<&str> {
        claim.map(|span| self.texts().of(span))
    }
}

/// Shows the token's id and times; the other claims may be personal data.
impl fmt::Debug for Accepted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("token_id", &self.token_id().to_string())
            .field("expires_at", &self.expires_at())
            .field("cleared", &self.cleared)
            .finish_non_exhaustive()
    }
}
