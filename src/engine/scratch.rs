//! What a caller lends to its verifications: buffers, and the snapshot that was used last.

use std::sync::Arc;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;

use super::buffers::Buffers;
use super::counters::{Counters, Counts};
use super::snapshot::Snapshot;

/// Reusable buffers for [`Engine::verify`](crate::Engine::verify): one a thread, or one a connection.
///
/// It grows to the longest token it has met, at most to the engine's limit, and may be used with
/// several engines in turn. It holds the decoded payload of the last token.
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

/// The snapshot that was used last, so that it is loaded afresh only when it has been replaced, and where
/// this scratch counts.
///
/// Until its next use a scratch keeps the last snapshot alive, and nothing else of the engine.
#[derive(Default)]
pub(super) struct Recent(Option<Attached>);

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
        // Another engine's.
        self.0.take_if(|attached| !Arc::ptr_eq(&attached.origin, published));
        let fresh = || Attached {
            origin: Arc::clone(published),
            snapshot: Cache::new(Arc::clone(published)),
            counts: counters.join(),
        };
        let Attached { snapshot, counts, .. } = self.0.get_or_insert_with(fresh);
        (snapshot.load(), counts)
    }
}
