//! What a caller lends to its verifications: buffers, how much of them is kept, and the snapshots that were used last.

use std::sync::Arc;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;

use super::counters::{Counters, Counts};
use super::header_cache::HeaderCache;
use super::snapshot::Snapshot;
use crate::keys::SignatureValid;
use crate::limits::{SCRATCH_BYTES_KEPT, SIGNATURE_BYTES_MAX};

/// Reusable buffers for [`Engine::verify`](crate::Engine::verify): one a thread, or one a connection.
///
/// It grows to the longest token it has met, at most to the engine's limit. What a token without a good signature has made it
/// grow to beyond 64 KiB it gives back at its next use. It may be used with several engines in turn: of the last four it
/// remembers where it was. It holds the decoded payload of the last token.
#[derive(Default)]
pub struct Scratch {
    pub(super) recent: Recent,
    pub(super) buffers: Buffers,
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

/// The snapshots that were used last, the latest in front, so that one is loaded afresh only when it has been replaced, and
/// where this scratch counts.
///
/// Until it has been used with four others a scratch keeps the last snapshot of an engine alive, and nothing else of it.
#[derive(Default)]
pub(super) struct Recent([Option<Attached>; ENGINES]);

/// How many engines a scratch remembers.
const ENGINES: usize = 4;

struct Attached {
    origin: Published,
    snapshot: Cache<Published, Arc<Snapshot>>,
    counts: Counts,
}

/// Where an engine publishes its snapshots.
pub(super) type Published = Arc<ArcSwap<Snapshot>>;

impl Recent {
    /// The snapshot that is current now, and where to count what is done with it.
    #[inline]
    pub(super) fn current(&mut self, published: &Published, counters: &Arc<Counters>) -> (&Snapshot, &mut Counts) {
        let is_of = |attached: &Attached| Arc::ptr_eq(&attached.origin, published);
        if !self.0[0].as_ref().is_some_and(is_of) {
            self.turn_to(published, counters);
        }
        let fresh = || Attached::new(published, counters);
        let Attached { snapshot, counts, .. } = self.0[0].get_or_insert_with(fresh);
        (snapshot.load(), counts)
    }

    /// Puts an engine to the front, in the place of the one that was used longest ago where it was not there.
    #[cold]
    fn turn_to(&mut self, published: &Published, counters: &Arc<Counters>) {
        let is_of = |slot: &Option<Attached>| slot.as_ref().is_some_and(|one| Arc::ptr_eq(&one.origin, published));
        let at = self.0.iter().position(is_of).unwrap_or_else(|| {
            self.0[ENGINES - 1] = Some(Attached::new(published, counters));
            ENGINES - 1
        });
        self.0[..=at].rotate_right(1);
    }
}

impl Attached {
    fn new(published: &Published, counters: &Arc<Counters>) -> Self {
        let snapshot = Cache::new(Arc::clone(published));
        Self { origin: Arc::clone(published), snapshot, counts: counters.join() }
    }
}

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
