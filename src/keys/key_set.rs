//! A key set, and which of its keys could have signed a token.

use std::collections::HashMap;
use std::fmt;

use super::key::ShortSecrets;
use super::{Algorithm, Key, SignatureValid, jwk};
use crate::denied::Reject;
use crate::error::{KeyError, SkippedKey};
use crate::limits::{CANDIDATE_KEYS_MAX, KEY_ID_BYTES_MAX, KEYS_MAX};
use crate::token::Signature;
use crate::token::header::Header;

/// The keys that tokens are verified with, each pinned to one algorithm. Immutable once made.
///
/// A token's key is found by its algorithm and `kid`. Where a token has no `kid`, the keys of its
/// algorithm are tried in the order of the set; where it has one that no key bears, those that bear
/// none: in either case at most [`CANDIDATE_KEYS_MAX`](crate::limits::CANDIDATE_KEYS_MAX). New
/// tokens are signed with the first key, so put the newest first.
#[derive(Clone)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<SkippedKey>,
    /// By algorithm: the keys that bear an id; the first of those that bear none; the first of all.
    by_id: [HashMap<Box<str>, u16>; ALGORITHMS],
    without_id: [Candidates; ALGORITHMS],
    first: [Candidates; ALGORITHMS],
}

const ALGORITHMS: usize = Algorithm::ALL.len();

impl KeySet {
    /// A set of these keys, in this order.
    ///
    /// # Errors
    /// [`KeyError::NoKeys`], [`KeyError::TooMany`]; [`KeyError::Duplicate`] for two keys of one
    /// algorithm with one key id; [`KeyError::TooLong`] for a key id over the limit; [`KeyError::NoIssuer`].
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, KeyError> {
        Self::with_skipped(keys.into_iter().collect(), Vec::new())
    }

    /// A set from a JWKS document. RFC 7517 section 5.
    ///
    /// Keys that can't be used are passed over, as the RFC asks: those of another type, algorithm or use, and those with a member
    /// missing or malformed. [`skipped`](Self::skipped) says which and why, and a `tracing` event too. A set from which a secret was
    /// passed over verifies, and signs only with a key that is asked for by its id.
    ///
    /// # Errors
    /// [`KeyError::Malformed`], and those of [`Key::from_jwk`] and [`new`](Self::new).
    pub fn from_jwks(json: &str) -> Result<Self, KeyError> {
        let (keys, skipped) = jwk::key_set(json, ShortSecrets::Refuse)?;
        Self::with_skipped(keys, skipped)
    }

    /// A set from a JWKS document whose secrets may be short enough to be guessed; see
    /// [`Key::hmac_insecure_allow_short`].
    ///
    /// # Errors
    /// Those of [`from_jwks`](Self::from_jwks) but [`KeyError::TooShort`].
    pub fn from_jwks_insecure_allow_short(json: &str) -> Result<Self, KeyError> {
        let (keys, skipped) = jwk::key_set(json, ShortSecrets::Allow)?;
        Self::with_skipped(keys, skipped)
    }

    fn with_skipped(keys: Vec<Key>, skipped: Vec<SkippedKey>) -> Result<Self, KeyError> {
        if keys.is_empty() {
            return Err(KeyError::NoKeys { skipped });
        }
        if keys.len() > KEYS_MAX {
            return Err(KeyError::TooMany { keys: keys.len(), max: KEYS_MAX });
        }
        for key in &skipped {
            tracing::warn!(%key, is_secret = key.is_secret(), "a key of a JWKS is passed over");
        }
        let none = std::array::from_fn(|at| Candidates::none(Algorithm::ALL[at]));
        let mut set = Self { keys: Vec::new(), skipped, by_id: Default::default(), without_id: none, first: none };
        for (place, key) in (0..).zip(&keys) {
            if key.lacks_issuer() {
                let (algorithm, key_id) = (key.algorithm().name(), key.key_id().map(str::to_owned));
                return Err(KeyError::NoIssuer { algorithm, key_id });
            }
            let of = key.algorithm() as usize;
            let Some(key_id) = key.key_id() else {
                if key.may_verify() {
                    set.first[of].add(place);
                    set.without_id[of].add(place);
                }
                continue;
            };
            if key.may_verify() {
                set.first[of].add(place);
            }
            if key_id.len() > KEY_ID_BYTES_MAX {
                return Err(KeyError::TooLong { what: "key id", bytes: key_id.len(), max: KEY_ID_BYTES_MAX });
            }
            // A pair of one secret, of which one signs and the other verifies, has one id.
            let is_duplicate = |other: &Key| {
                other.algorithm() == key.algorithm()
                    && other.key_id() == Some(key_id)
                    && ((other.may_sign() && key.may_sign()) || (other.may_verify() && key.may_verify()))
            };
            if keys[..usize::from(place)].iter().any(is_duplicate) {
                return Err(KeyError::Duplicate { algorithm: key.algorithm().name(), key_id: key_id.to_owned() });
            }
            match key.may_verify() {
                true => drop(set.by_id[of].insert(key_id.into(), place)),
                // Unless the other of the pair is there.
                false => _ = set.by_id[of].entry(key_id.into()).or_insert(place),
            }
        }
        set.keys = keys;
        Ok(set)
    }

    /// The keys, in order.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The keys of a JWKS that were passed over, each with its place, its id and the reason.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The keys that could have made this token's signature.
    pub(crate) fn candidates(&self, algorithm: Algorithm, header: &Header<'_>) -> Result<Candidates, Reject> {
        let of = algorithm as usize;
        let found = match header.kid {
            None => self.first[of],
            Some(kid) => match self.by_id[of].get(kid) {
                Some(&place) if self.keys[usize::from(place)].may_verify() => {
                    Candidates { count: 1, at: [place; CANDIDATE_KEYS_MAX], algorithm }
                }
                // Its tokens are for others, and no key without an id has made them.
                Some(_) => Candidates::none(algorithm),
                None => self.without_id[of],
            },
        };
        match found.count {
            0 => Err(Reject::KeyNotFound { algorithm: algorithm.name(), key_id_given: header.kid.is_some() }),
            _ => Ok(found),
        }
    }

    /// The first of the candidates that made this signature. `midway` is called in the middle of each try, for
    /// work that does not depend on it.
    ///
    /// # Errors
    /// [`Reject::SignatureMissing`], [`Reject::SignatureLength`], [`Reject::SignatureInvalid`].
    #[inline(always)]
    pub(crate) fn check_signature(
        &self,
        candidates: &Candidates,
        signing_input: &[u8],
        signature: &Signature<'_>,
        mut midway: impl FnMut(),
    ) -> Result<(&Key, SignatureValid), Reject> {
        let algorithm = candidates.algorithm;
        let (bytes, len) = match signature {
            Signature::Decoded([]) => return Err(Reject::SignatureMissing),
            Signature::Decoded(bytes) => (*bytes, bytes.len()),
            Signature::TooLong { len } => (&[][..], *len),
        };
        if len != algorithm.signature_bytes() {
            let (algorithm, expected) = (algorithm.name(), algorithm.signature_bytes());
            return Err(Reject::SignatureLength { algorithm, bytes: len, expected });
        }
        let mut made_by = |&at: &u16| {
            let key = &self.keys[usize::from(at)];
            Some((key, key.holds(signing_input, bytes, &mut midway)?))
        };
        candidates.at[..usize::from(candidates.count)].iter().find_map(&mut made_by).ok_or(Reject::SignatureInvalid)
    }
}

/// Places of keys in their set, all of one algorithm, in the order in which they are tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidates {
    algorithm: Algorithm,
    count: u8,
    at: [u16; CANDIDATE_KEYS_MAX],
}

impl Candidates {
    fn none(algorithm: Algorithm) -> Self {
        Self { algorithm, count: 0, at: [0; CANDIDATE_KEYS_MAX] }
    }

    /// Adds a key, unless there are as many as are tried.
    fn add(&mut self, place: u16) {
        if let Some(slot) = self.at.get_mut(usize::from(self.count)) {
            *slot = place;
            self.count += 1;
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("keys", &self.keys).field("skipped", &self.skipped).finish()
    }
}
