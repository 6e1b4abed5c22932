//! The cryptography crates, behind the few operations that signoff needs of them.
//!
//! No primitive is written here. HMAC is RustCrypto's `hmac`, whose prepared state is zeroised when a
//! key is dropped (whoever has that state can sign) and which was measured the faster of the two;
//! random bytes are `ring`'s. `docs/decisions.md` has the figures.

use hmac::{Hmac, KeyInit, Mac};
use ring::rand;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::Algorithm;

/// A prepared HMAC key: the hash of the padded secret, so that a verification hashes the message and
/// nothing else.
#[derive(Clone)]
pub(super) enum MacKey {
    Sha256(Hmac<Sha256>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
}

impl MacKey {
    pub(super) fn new(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Hs256 => Self::Sha256(prepared(secret)?),
            Algorithm::Hs384 => Self::Sha384(Box::new(prepared(secret)?)),
            Algorithm::Hs512 => Self::Sha512(Box::new(prepared(secret)?)),
        })
    }

    /// Whether `mac` is the whole MAC of `message`. The comparison takes the same time wherever they differ.
    /// `midway` is called between the inner hash and the outer.
    #[inline]
    pub(super) fn verifies(&self, message: &[u8], mac: &[u8], midway: impl FnOnce()) -> bool {
        match self {
            Self::Sha256(key) => verifies(key, message, mac, midway),
            Self::Sha384(key) => verifies(&**key, message, mac, midway),
            Self::Sha512(key) => verifies(&**key, message, mac, midway),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256(key) => sign(key, message),
            Self::Sha384(key) => sign(&**key, message),
            Self::Sha512(key) => sign(&**key, message),
        }
    }
}

/// HMAC takes secrets of every length, so this makes a key of all of them.
fn prepared<H: KeyInit>(secret: &[u8]) -> Option<H> {
    H::new_from_slice(secret).ok()
}

#[inline]
fn verifies<H: Mac + Clone>(key: &H, message: &[u8], mac: &[u8], midway: impl FnOnce()) -> bool {
    let mut state = key.clone();
    state.update(message);
    midway();
    state.verify_slice(mac).is_ok()
}

fn sign<H: Mac + Clone>(key: &H, message: &[u8]) -> Vec<u8> {
    key.clone().chain_update(message).finalize().into_bytes().to_vec()
}

/// The SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Sixteen bytes from the operating system's generator.
pub(crate) fn random_16() -> Option<[u8; 16]> {
    rand::generate(&rand::SystemRandom::new()).ok().map(|random: rand::Random<[u8; 16]>| random.expose())
}

#[cfg(test)]
mod tests {
    /// An `Hmac` holds nothing of a secret but two states of these, each of which clears itself.
    #[test]
    fn the_states_that_a_key_is_made_of_are_zeroised_when_it_is_dropped() {
        fn zeroised<T: zeroize::ZeroizeOnDrop>() {}
        zeroised::<sha2::block_api::Sha256VarCore>();
        zeroised::<sha2::block_api::Sha512VarCore>();
    }
}
