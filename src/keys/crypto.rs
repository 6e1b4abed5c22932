//! The cryptography crate, behind the few operations that signoff needs of it.
//!
//! No primitive is written here. HMAC state is prepared once a key, so that a verification hashes
//! the message and nothing else.

use ring::{digest, hmac, rand};

use super::Algorithm;

/// A prepared HMAC key.
#[derive(Clone)]
pub(super) struct MacKey(hmac::Key);

impl MacKey {
    pub(super) fn new(algorithm: Algorithm, secret: &[u8]) -> Self {
        let hash = match algorithm {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
        };
        Self(hmac::Key::new(hash, secret))
    }

    /// Whether `mac` is the whole MAC of `message`. The comparison takes the same time wherever they differ.
    #[inline]
    pub(super) fn verifies(&self, message: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.0, message, mac).is_ok()
    }

    pub(super) fn sign(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        hmac::sign(&self.0, message)
    }
}

/// The SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// Sixteen bytes from the operating system's generator.
pub(crate) fn random_16() -> Option<[u8; 16]> {
    rand::generate(&rand::SystemRandom::new()).ok().map(|random: rand::Random<[u8; 16]>| random.expose())
}
