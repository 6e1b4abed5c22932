//! What one verification reads: published whole, never changed.

use std::sync::atomic::{AtomicU64, Ordering};

use super::buffers::{Buffers, Facts};
use crate::denied::Reject;
use crate::keys::{Algorithm, Key, KeySet, SignatureValid};
use crate::policy::{Policy, TypeVerdict, type_verdict};
use crate::token::header::{Header, refuse_duplicates};
use crate::token::{UnverifiedToken, base64url};

pub(super) struct Snapshot {
    /// Unlike that of every other snapshot of this process, so that what a scratch has learned under
    /// one key set and policy is never used under another.
    id: u64,
    pub(super) keys: KeySet,
}

/// A token whose signature holds, with what the rest of the verification needs.
pub(super) struct Found<'s, 'a> {
    pub(super) signing_input: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) signature: SignatureValid,
    pub(super) key: &'s Key,
    pub(super) typ: TypeVerdict,
    pub(super) unescaped: &'a mut String,
}

/// Work on a token that is done before its signature holds, and therefore decides nothing: it makes the
/// processor fetch what will be looked at.
pub(super) trait Ahead<'a> {
    /// The payload has been decoded. Nobody has vouched for it.
    fn before_signature(&mut self, _payload: &'a [u8]) {}

    /// The signature is half verified.
    fn midway(&mut self) {}
}

/// None.
impl Ahead<'_> for () {}

impl Snapshot {
    pub(super) fn new(keys: KeySet) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), keys }
    }

    /// Steps 1 to 4: shape, header, candidate keys, signature.
    #[inline(always)]
    pub(super) fn authenticate<'a>(
        &self,
        buffers: &'a mut Buffers,
        token: &'a [u8],
        policy: &Policy,
        ahead: &mut impl Ahead<'a>,
    ) -> Result<Found<'_, 'a>, Reject> {
        let token = UnverifiedToken::split(token, policy.token_bytes_max)?;
        buffers.let_go();
        let Buffers { payload, header, signature, unescaped, remembered, signed } = buffers;

        // The shape of all three parts comes before anything that any of them says.
        let payload: &'a [u8] = decode(token.payload(), payload).ok_or_else(|| token.fault())?;
        let signature = decode_signature(&token, &mut signature.0)?;
        ahead.before_signature(payload);

        let (key, valid, typ) = match remembered.recall(self.id, token.header()) {
            Some(facts) => self.verify(&token, facts, &signature, ahead)?,
            None => {
                let bytes = decode(token.header(), header).ok_or_else(|| token.fault())?;
                let facts = self.facts(&token, bytes, unescaped, policy)?;
                let verified = self.verify(&token, &facts, &signature, ahead)?;
                signed.note(bytes.len(), verified.1);
                refuse_duplicates(bytes, unescaped)?;
                remembered.learn(self.id, token.header(), facts, verified.1);
                verified
            }
        };
        signed.note(payload.len(), valid);
        Ok(Found { signing_input: token.signing_input(), payload, signature: valid, key, typ, unescaped })
    }

    /// Steps 2 and 3: what the header means under this key set.
    #[cold]
    fn facts(
        &self,
        token: &UnverifiedToken<'_>,
        header: &[u8],
        unescaped: &mut String,
        policy: &Policy,
    ) -> Result<Facts, Reject> {
        let header = Header::parse(header, unescaped)?;
        // `none` is refused by its name before the signature that it goes without.
        let algorithm = Algorithm::of_header(&header)?;
        if token.signature().is_empty() {
            return Err(Reject::SignatureMissing);
        }
        Ok(Facts { candidates: self.keys.candidates(algorithm, &header)?, typ: type_verdict(policy, header.typ) })
    }

    /// Step 4.
    #[inline(always)]
    fn verify<'a>(
        &self,
        token: &UnverifiedToken<'_>,
        facts: &Facts,
        signature: &Signature<'_>,
        ahead: &mut impl Ahead<'a>,
    ) -> Result<(&Key, SignatureValid, TypeVerdict), Reject> {
        let algorithm = facts.candidates.algorithm();
        let (bytes, len) = match signature {
            Signature::Decoded([]) => return Err(Reject::SignatureMissing),
            Signature::Decoded(bytes) => (*bytes, bytes.len()),
            Signature::TooLong { len } => (&[][..], *len),
        };
        if len != algorithm.signature_bytes() {
            let (algorithm, expected) = (algorithm.name(), algorithm.signature_bytes());
            return Err(Reject::SignatureLength { algorithm, bytes: len, expected });
        }
        let verified = self.keys.verify(&facts.candidates, token.signing_input(), bytes, || ahead.midway());
        let (key, valid) = verified.ok_or(Reject::SignatureInvalid)?;
        Ok((key, valid, facts.typ))
    }
}

enum Signature<'a> {
    Decoded(&'a [u8]),
    /// Longer than any algorithm makes, so its bytes are of no interest.
    TooLong {
        len: usize,
    },
}

#[inline(always)]
fn decode_signature<'o>(token: &UnverifiedToken<'_>, out: &'o mut [u8]) -> Result<Signature<'o>, Reject> {
    let text = token.signature();
    match base64url::decoded_len(text.len()) {
        Some(len) if len > out.len() && base64url::is_canonical(text) => Ok(Signature::TooLong { len }),
        _ => match base64url::decode(text, out) {
            Ok(bytes) => Ok(Signature::Decoded(bytes)),
            Err(_) => Err(token.fault()),
        },
    }
}

/// Decodes a part into a buffer that grows to the longest part it has met.
#[inline]
pub(super) fn decode<'b>(part: &[u8], buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
    let len = base64url::decoded_len(part.len())?;
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    base64url::decode(part, buffer).ok().map(|bytes| &*bytes)
}
