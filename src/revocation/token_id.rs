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

/// A `jti`, as it is: no prefix is looked for.
impl From<&str> for TokenId<'static> {
    fn from(jti: &str) -> Self {
        Self::Jti(Cow::Owned(jti.to_owned()))
    }
}

/// A `jti`, as it is: no prefix is looked for.
impl From<String> for TokenId<'static> {
    fn from(jti: String) -> Self {
        Self::Jti(Cow::Owned(jti))
    }
}

impl TokenId<'static> {
    /// Reads what `Display` prints: `jti:…`, or `sha256:` and 64 hexadecimal digits.
    #[must_use]
    pub fn from_printed(text: &str) -> Option<Self> {
        if let Some(jti) = text.strip_prefix("jti:") {
            return Some(jti.into());
        }
        let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64)?.as_bytes();
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self::SigningInput(hash))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_and_a_jti_that_spells_a_hash_stays_a_jti() {
        let hash = TokenId::SigningInput(std::array::from_fn(|at| at as u8 * 8 + 1));
        for token_id in [hash.clone(), "x".into(), hash.to_string().into(), "jti:x".into()] {
            assert_eq!(TokenId::from_printed(&token_id.to_string()), Some(token_id));
        }
        assert_eq!(TokenId::from_printed("x"), None);
        assert_eq!(TokenId::from_printed("sha256:00"), None);
    }
}
