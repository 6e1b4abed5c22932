//! The name of one token: what a log-out refers to.
//!
//! Never the whole token or its signature: signatures have several spellings.

use std::borrow::Cow;
use std::fmt;

/// A token's id: its `jti`, or, for a token without one, the SHA-256 of what was signed.
///
/// The two kinds live in separate domains: a `jti` that spells a hash is still a `jti`. Prints as
/// `jti:…` or `sha256:…` with the hash in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // A token says its id or it does not.
pub enum TokenId<'a> {
    /// The `jti` claim, escapes resolved.
    Jti(Cow<'a, str>),
    /// The SHA-256 of header, dot and payload exactly as they were verified.
    SigningInput([u8; 32]),
}

impl TokenId<'_> {
    /// The same id with text of its own.
    #[must_use]
    pub fn into_owned(self) -> TokenId<'static> {
        match self {
            Self::Jti(jti) => TokenId::Jti(Cow::Owned(jti.into_owned())),
            Self::SigningInput(hash) => TokenId::SigningInput(hash),
        }
    }
}

impl fmt::Display for TokenId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jti(jti) => write!(f, "jti:{jti}"),
            Self::SigningInput(hash) => {
                f.write_str("sha256:")?;
                hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}
