//! The buffers of a verification, and a memory of header spellings.
//!
//! The memory is bounded, and learns only from tokens whose signature held: an attacker can neither
//! fill it nor put anything into it.

use crate::keys::{Candidates, SignatureValid};
use crate::limits::{REMEMBERED_HEADER_BYTES, REMEMBERED_HEADERS, SCRATCH_BYTES_KEPT, SIGNATURE_BYTES_MAX};
use crate::policy::TypeVerdict;

/// Each grows to the longest token it has met, and stays so long if that was signed.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) payload: Vec<u8>,
    pub(super) header: Vec<u8>,
    pub(super) signature: SignatureBuffer,
    pub(super) unescaped: String,
    pub(super) remembered: Remembered,
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

/// What a header means under one snapshot.
pub(super) struct Facts {
    pub(super) candidates: Candidates,
    pub(super) typ: TypeVerdict,
}

/// Header spellings, as received, with what they mean.
#[derive(Default)]
pub(super) struct Remembered {
    slots: [Option<Slot>; REMEMBERED_HEADERS],
    next: usize,
}

struct Slot {
    snapshot: u64,
    len: usize,
    spelling: [u8; REMEMBERED_HEADER_BYTES],
    facts: Facts,
}

impl Remembered {
    #[inline]
    pub(super) fn recall(&self, snapshot: u64, header: &[u8]) -> Option<&Facts> {
        let same = |slot: &&Slot| {
            slot.snapshot == snapshot && slot.len == header.len() && slot.spelling[..slot.len] == *header
        };
        self.slots.iter().flatten().find(same).map(|slot| &slot.facts)
    }

    /// Remembers a header in the place of the oldest. The proof is asked for so that nothing can be
    /// learned from a token whose signature has not held.
    #[cold]
    pub(super) fn learn(&mut self, snapshot: u64, header: &[u8], facts: Facts, _proof: SignatureValid) {
        let mut spelling = [0; REMEMBERED_HEADER_BYTES];
        let Some(place) = spelling.get_mut(..header.len()) else { return };
        place.copy_from_slice(header);
        self.slots[self.next] = Some(Slot { snapshot, len: header.len(), spelling, facts });
        self.next = (self.next + 1) % REMEMBERED_HEADERS;
    }
}
