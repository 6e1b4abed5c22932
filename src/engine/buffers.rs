//! The buffers of a verification, which a caller lends it.

use super::header_cache::HeaderCache;
use crate::keys::SignatureValid;
use crate::limits::{SCRATCH_BYTES_KEPT, SIGNATURE_BYTES_MAX};

/// Each grows to the longest token it has met, and stays so long if that was signed.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) payload: Vec<u8>,
    pub(super) header: Vec<u8>,
    pub(super) signature: SignatureBuffer,
    pub(super) unescaped: String,
    pub(super) headers: HeaderCache,
    /// How long the longest part was of a token whose signature held.
    pub(super) signed: SignedBytes,
}

/// How long buffers may stay.
pub(super) struct SignedBytes(usize);

impl Default for SignedBytes {
    fn default() -> Self {
        Self(SCRATCH_BYTES_KEPT)
    }
}

impl SignedBytes {
    /// Notes a part of a token. The proof is asked for so that nobody else has a say in it.
    #[inline]
    pub(super) fn note(&mut self, part: usize, _proof: SignatureValid) {
        self.0 = self.0.max(part);
    }
}

impl Buffers {
    /// Gives back what only tokens without a good signature were long enough for.
    #[inline]
    pub(super) fn let_go(&mut self) {
        let Self { payload, header, unescaped, signed: SignedBytes(kept), .. } = self;
        // A string takes up to twice the room that it needs.
        if payload.len().max(header.len()).max(unescaped.capacity() / 2) > *kept {
            shrink(payload, *kept);
            shrink(header, *kept);
            unescaped.clear();
            unescaped.shrink_to(*kept);
        }
    }
}

#[cold]
fn shrink(buffer: &mut Vec<u8>, kept: usize) {
    buffer.truncate(kept);
    buffer.shrink_to(kept);
}

/// Room for the longest signature.
pub(super) struct SignatureBuffer(pub(super) [u8; SIGNATURE_BYTES_MAX]);

impl Default for SignatureBuffer {
    fn default() -> Self {
        Self([0; SIGNATURE_BYTES_MAX])
    }
}
