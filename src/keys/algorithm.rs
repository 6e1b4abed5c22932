//! The signature algorithms. RFC 7518 section 3.1.

use std::fmt;

use crate::denied::Reject;
use crate::token::header::Header;

/// A signature algorithm. There is no `none`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

/// What a header may name and an engine does not have. RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 8812 section 3.2, RFC 9864.
const STRANGERS: [&str; 13] = [
    "none", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA",
    "Ed25519",
];

impl Algorithm {
    /// Every algorithm.
    pub const ALL: &'static [Self] = &[Self::Hs256, Self::Hs384, Self::Hs512];

    /// The name in a header's `alg`, which is case-sensitive.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// The algorithm of this name; `None` for `none` as for every other stranger.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    /// The algorithm that a header names.
    pub(crate) fn of_header(header: &Header<'_>) -> Result<Self, Reject> {
        let named = Self::ALL.iter().copied().find(|algorithm| header.alg.is(algorithm.name()));
        named.ok_or_else(|| {
            let strangers = STRANGERS.into_iter().find(|stranger| header.alg.is(stranger));
            Reject::HeaderAlgorithm { name: strangers }
        })
    }

    /// How long a signature is, in bytes: always exactly this.
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs384 => 48,
            Self::Hs512 => 64,
        }
    }

    /// How long a secret must be at least, in bytes: as long as the hash. RFC 7518 section 3.2.
    #[must_use]
    pub const fn secret_bytes_min(self) -> usize {
        self.signature_bytes()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
