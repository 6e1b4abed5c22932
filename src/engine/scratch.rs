//! What a caller lends to its verifications: buffers, and a memory of header spellings.
//!
//! The memory is bounded, and learns only from tokens whose signature held: an attacker can neither
//! fill it nor put anything into it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;

use super::snapshot::Snapshot;
use crate::keys::{Candidates, SignatureValid};
use crate::limits::{REMEMBERED_HEADER_BYTES, REMEMBERED_HEADERS, SIGNATURE_BYTES_MAX};
use crate::policy::TypeVerdict;

/// Reusable buffers for [`Engine::verify`](crate::Engine::verify): one a thread, or one a connection.
///
/// It grows to the longest token it has met, at most to the engine's limit, and may be used with
/// several engines in turn. It holds the decoded payload of the last token.
#[derive(Default)]
pub struct Scratch {
    pub(super) recent: Recent,
    pub(super) buffers: Buffers,
}

#[derive(Default)]
pub(super) struct Buffers {
    pub(super) payload: Vec<u8>,
    pub(super) header: Vec<u8>,
    pub(super) signature: SignatureBuffer,
    pub(super) unescaped: String,
    pub(super) remembered: Remembered,
}

impl Scratch {
    /// An empty scratch. Allocates nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").field("payload_bytes", &self.buffers.payload.len()).finish_non_exhaustive()
    }
}

/// The snapshot that was used last, so that it is loaded afresh only when it has been replaced.
///
/// Until its next use a scratch keeps the last snapshot alive, and nothing else of the engine.
#[derive(Default)]
pub(super) struct Recent(Option<(Published, Cache<Published, Arc<Snapshot>>)>);

/// Where an engine publishes its snapshots.
pub(super) type Published = Arc<ArcSwap<Snapshot>>;

impl Recent {
    /// The snapshot that is current now.
    #[inline]
    pub(super) fn current(&mut self, published: &Published) -> &Snapshot {
        // Another engine's.
        self.0.take_if(|(origin, _)| !Arc::ptr_eq(origin, published));
        let fresh = || (Arc::clone(published), Cache::new(Arc::clone(published)));
        self.0.get_or_insert_with(fresh).1.load()
    }
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
