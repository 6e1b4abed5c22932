//! What headers mean, remembered by how they were spelled.
//!
//! Bounded, and learns only from tokens whose signature held: an attacker can neither fill it nor put anything into it.

use crate::keys::{Candidates, SignatureValid};
use crate::limits::{REMEMBERED_HEADER_BYTES, REMEMBERED_HEADERS};
use crate::policy::TypeVerdict;

/// What a header means under one snapshot.
pub(super) struct HeaderFacts {
    pub(super) candidates: Candidates,
    pub(super) typ: TypeVerdict,
}

/// Header spellings, as received, with what they mean.
#[derive(Default)]
pub(super) struct HeaderCache {
    slots: [Option<Slot>; REMEMBERED_HEADERS],
    next: usize,
}

struct Slot {
    snapshot: u64,
    len: usize,
    spelling: [u8; REMEMBERED_HEADER_BYTES],
    facts: HeaderFacts,
}

impl HeaderCache {
    #[inline]
    pub(super) fn recall(&self, snapshot: u64, header: &[u8]) -> Option<&HeaderFacts> {
        let same = |slot: &&Slot| {
            slot.snapshot == snapshot && slot.len == header.len() && slot.spelling[..slot.len] == *header
        };
        self.slots.iter().flatten().find(same).map(|slot| &slot.facts)
    }

    /// Remembers a header in the place of the oldest. The proof is asked for so that nothing can be
    /// learned from a token whose signature has not held.
    #[cold]
    pub(super) fn learn(&mut self, snapshot: u64, header: &[u8], facts: HeaderFacts, _proof: SignatureValid) {
        let mut spelling = [0; REMEMBERED_HEADER_BYTES];
        let Some(place) = spelling.get_mut(..header.len()) else { return };
        place.copy_from_slice(header);
        self.slots[self.next] = Some(Slot { snapshot, len: header.len(), spelling, facts });
        self.next = (self.next + 1) % REMEMBERED_HEADERS;
    }
}
