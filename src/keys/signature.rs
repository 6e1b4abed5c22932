//! A token whose signature holds.

use std::borrow::Cow;
use std::fmt;

/// Proof that a signature was checked against a key and held.
///
/// Made in this folder alone, after the cryptography crate has said yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureValid(());

impl SignatureValid {
    pub(super) const fn by_the_crypto_crate() -> Self {
        Self(())
    }
}

/// A token whose signature holds, and nothing more: no claim in it has been looked at.
///
/// It may have expired, be meant for somebody else or have been logged out. For callers who sign
/// things that are not claims; everybody else wants an [`Accepted`](crate::Accepted).
///
/// Trust: header and payload are what a holder of the key signed.
#[derive(Clone)]
pub struct AuthenticToken<'a> {
    signing_input: Cow<'a, [u8]>,
    payload: Cow<'a, [u8]>,
    signature: SignatureValid,
}

impl<'a> AuthenticToken<'a> {
    pub(crate) fn new(signing_input: &'a [u8], payload: &'a [u8], signature: SignatureValid) -> Self {
        Self { signing_input: Cow::Borrowed(signing_input), payload: Cow::Borrowed(payload), signature }
    }

    /// The decoded payload, whatever bytes it is.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Header and payload as they were spelled and signed.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        &self.signing_input
    }

    /// The proof that the signature holds.
    #[must_use]
    pub fn signature(&self) -> SignatureValid {
        self.signature
    }

    /// The same token with bytes of its own.
    #[must_use]
    pub fn into_owned(self) -> AuthenticToken<'static> {
        AuthenticToken {
            signing_input: Cow::Owned(self.signing_input.into_owned()),
            payload: Cow::Owned(self.payload.into_owned()),
            signature: self.signature,
        }
    }
}

impl fmt::Debug for AuthenticToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticToken").field("payload_bytes", &self.payload.len()).finish_non_exhaustive()
    }
}
