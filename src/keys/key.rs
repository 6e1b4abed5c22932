//! One key: an algorithm, the prepared secret, and what the key may be used for.

use std::fmt;

use super::crypto::MacKey;
use super::{Algorithm, SignatureValid, file_format};
use crate::denied::Reject;
use crate::error::KeyError;
use crate::limits::SECRET_BYTES_MAX;

/// A key that verifies, and for HMAC also signs, with exactly one algorithm.
///
/// What is kept is the state that HMAC derives from the secret, in one place that clones share, and it is overwritten when the last
/// of them is dropped. The secret itself is never stored, and copies that were needed to load it are overwritten, as far as a
/// compiler can be held to it: SECURITY.md says how far. `Debug` shows neither.
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
    /// None: every issuer.
    issuers: Option<Vec<Box<str>>>,
    roles: Roles,
    mac: MacKey,
}

/// What a key may be used for: `key_ops` of a JWK. RFC 7517 section 4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Roles {
    Both,
    Verify,
    Sign,
    Neither,
}

/// Whether a secret may be shorter than the hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ShortSecrets {
    Refuse,
    Allow,
}

impl Key {
    /// An HMAC key from the bytes of its secret, taken as they are.
    ///
    /// Shape: at least [`Algorithm::secret_bytes_min`] bytes, at most
    /// [`SECRET_BYTES_MAX`](crate::limits::SECRET_BYTES_MAX). Source: RFC 7518 section 3.2.
    ///
    /// # Errors
    /// [`KeyError::TooShort`], [`KeyError::Empty`] and [`KeyError::TooLong`] by length;
    /// [`KeyError::NotASecret`] for the bytes of a PEM, DER, JWK or SSH key.
    pub fn hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Self::hmac_of(algorithm, secret, ShortSecrets::Refuse)
    }

    /// An HMAC key from a secret that may be short enough to be guessed.
    ///
    /// For secrets that are already in use. Anybody who holds one token can try secrets against it
    /// at some ten million a second; eight characters last for days, a dictionary word for no time.
    ///
    /// # Errors
    /// Those of [`hmac`](Self::hmac) but [`KeyError::TooShort`].
    pub fn hmac_insecure_allow_short(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Self::hmac_of(algorithm, secret, ShortSecrets::Allow)
    }

    pub(super) fn hmac_of(algorithm: Algorithm, secret: &[u8], short: ShortSecrets) -> Result<Self, KeyError> {
        let (bytes, min) = (secret.len(), algorithm.secret_bytes_min());
        if bytes > SECRET_BYTES_MAX {
            return Err(KeyError::TooLong { what: "secret", bytes, max: SECRET_BYTES_MAX });
        }
        if bytes == 0 {
            return Err(KeyError::Empty);
        }
        // Before the length: a short DER key is no short secret.
        if let Some(kind) = file_format::kind(secret) {
            return Err(KeyError::NotASecret { kind });
        }
        if bytes < min && short == ShortSecrets::Refuse {
            return Err(KeyError::TooShort { bytes, min, algorithm: algorithm.name() });
        }
        let mac = MacKey::new(algorithm, secret).ok_or(KeyError::Empty)?;
        Ok(Self { algorithm, key_id: None, issuers: None, roles: Roles::Both, mac })
    }

    pub(super) fn restricted_to(mut self, roles: Roles) -> Self {
        self.roles = roles;
        self
    }

    /// Whether tokens may be signed with it: a JWK whose `key_ops` have no `sign` says no.
    #[must_use]
    pub fn may_sign(&self) -> bool {
        matches!(self.roles, Roles::Both | Roles::Sign)
    }

    /// Whether tokens may be verified with it: a JWK whose `key_ops` have no `verify` says no.
    #[must_use]
    pub fn may_verify(&self) -> bool {
        matches!(self.roles, Roles::Both | Roles::Verify)
    }

    /// The same key under a key id, compared with a token's `kid`.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<Box<str>>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// The same key, restricted to tokens of these issuers. RFC 8725 section 3.8.
    ///
    /// Without this, the key speaks for every issuer that the policy lets in. With an empty list, or an empty name in it,
    /// [`KeySet::new`](crate::KeySet::new) refuses the key.
    #[must_use]
    pub fn for_issuers<I: Into<Box<str>>>(mut self, issuers: impl IntoIterator<Item = I>) -> Self {
        self.issuers = Some(issuers.into_iter().map(Into::into).collect());
        self
    }

    /// The key's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key's id.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Checks a detached signature over any bytes: the primitive alone, without token or claims.
    ///
    /// Cost: no allocation; one HMAC over `message`. Time does not depend on where signatures differ.
    ///
    /// # Errors
    /// [`Reject::SignatureLength`] and [`Reject::SignatureInvalid`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<SignatureValid, Reject> {
        let (algorithm, expected) = (self.algorithm.name(), self.algorithm.signature_bytes());
        if signature.len() != expected {
            return Err(Reject::SignatureLength { algorithm, bytes: signature.len(), expected });
        }
        self.holds(message, signature, || ()).ok_or(Reject::SignatureInvalid)
    }

    /// The proof that this key made the signature, if it did.
    #[inline(always)]
    pub(super) fn holds(&self, message: &[u8], signature: &[u8], midway: impl FnOnce()) -> Option<SignatureValid> {
        self.mac.verifies(message, signature, midway).then(SignatureValid::by_the_crypto_crate)
    }

    /// Signs any bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.mac.sign(message)
    }

    /// Whether the key may speak for this issuer.
    pub(crate) fn speaks_for(&self, issuer: Option<&str>) -> bool {
        match &self.issuers {
            None => true,
            Some(ours) => issuer.is_some_and(|issuer| ours.iter().any(|ours| **ours == *issuer)),
        }
    }

    /// The issuers that it speaks for; none where it speaks for all.
    pub(crate) fn issuers(&self) -> &[Box<str>] {
        self.issuers.as_deref().unwrap_or_default()
    }

    /// Whether its issuers were to be named and were not: a list that a slip has left empty.
    pub(super) fn lacks_issuer(&self) -> bool {
        self.issuers.as_ref().is_some_and(|issuers| issuers.is_empty() || issuers.iter().any(|name| name.is_empty()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .field("issuers", &self.issuers)
            .finish_non_exhaustive()
    }
}
