//! The cryptography crates, behind the few operations that signoff needs of them.
//!
//! No primitive is written here. HMAC is RustCrypto's `hmac`, whose prepared state is zeroised when a
//! key is dropped (whoever has that state can sign) and which was measured the faster of the two;
//! random bytes are `ring`'s. `docs/decisions.md` has the figures.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use ring::rand;
use sha2::{Digest, Sha256, Sha384, Sha512};
use zeroize::Zeroize as _;

use super::Algorithm;

/// A prepared HMAC key: the hash of the padded secret, so that a verification hashes the message and
/// nothing else.
///
/// It stays in one place of its own: what is moved leaves a copy behind that nobody clears.
#[derive(Clone)]
pub(super) enum MacKey {
    Sha256(Arc<Hmac<Sha256>>),
    Sha384(Arc<Hmac<Sha384>>),
    Sha512(Arc<Hmac<Sha512>>),
}

impl MacKey {
    pub(super) fn new(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        let key = Self::prepared(algorithm, secret);
        clear_stack();
        key
    }

    #[inline(never)]
    fn prepared(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Hs256 => Self::Sha256(Arc::new(prepared(secret)?)),
            Algorithm::Hs384 => Self::Sha384(Arc::new(prepared(secret)?)),
            Algorithm::Hs512 => Self::Sha512(Arc::new(prepared(secret)?)),
        })
    }

    /// Whether `mac` is the whole MAC of `message`. The comparison takes the same time wherever they differ.
    /// `midway` is called between the inner hash and the outer.
    #[inline]
    pub(super) fn verifies(&self, message: &[u8], mac: &[u8], midway: impl FnOnce()) -> bool {
        match self {
            Self::Sha256(key) => verifies(&**key, message, mac, midway),
            Self::Sha384(key) => verifies(&**key, message, mac, midway),
            Self::Sha512(key) => verifies(&**key, message, mac, midway),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = match self {
            Self::Sha256(key) => sign(&**key, message),
            Self::Sha384(key) => sign(&**key, message),
            Self::Sha512(key) => sign(&**key, message),
        };
        clear_stack();
        signature
    }
}

/// Overwrites what calls that have returned have left on the stack: the crates clear what they hold, but not what the compiler
/// has copied on its way. As far as it goes: no compiler promises where it puts what.
#[inline(never)]
fn clear_stack() {
    let mut room = [0_u8; 4096];
    room.zeroize();
    std::hint::black_box(&mut room);
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
