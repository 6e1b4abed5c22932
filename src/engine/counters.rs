//! Counting without sharing: each scratch counts for itself, and whoever asks adds up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::denied::Denied;
use crate::index::Probes;
use crate::status::Status;
use crate::sync::Mutex;
use crate::token::prefetch::Place;

const STATUSES: usize = Status::ALL.len();

/// Everything that an engine's scratches have counted.
#[derive(Default)]
pub(super) struct Counters {
    blocks: Mutex<Blocks>,
}

/// As many as scratches have counted at once. One that is handed back is handed to the next, with what it has counted.
#[derive(Default)]
struct Blocks {
    all: Vec<Arc<Block>>,
    free: Vec<Arc<Block>>,
}

/// The counts of one scratch. Only its owner writes them.
struct Block {
    statuses: [AtomicU64; STATUSES],
    probes: AtomicU64,
    positives: AtomicU64,
    false_positives: AtomicU64,
}

impl Default for Block {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            statuses: [const { AtomicU64::new(0) }; STATUSES],
            probes: zero(),
            positives: zero(),
            false_positives: zero(),
        }
    }
}

/// Counts, added up.
#[derive(Clone)]
pub(super) struct Totals {
    pub(super) statuses: [u64; STATUSES],
    pub(super) probes: u64,
    pub(super) positives: u64,
    pub(super) false_positives: u64,
}

impl Default for Totals {
    fn default() -> Self {
        Self { statuses: [0; STATUSES], probes: 0, positives: 0, false_positives: 0 }
    }
}

impl Totals {
    fn add(&mut self, block: &Block) {
        for (total, count) in self.statuses.iter_mut().zip(&block.statuses) {
            *total += count.load(Ordering::Relaxed);
        }
        self.probes += block.probes.load(Ordering::Relaxed);
        self.positives += block.positives.load(Ordering::Relaxed);
        self.false_positives += block.false_positives.load(Ordering::Relaxed);
    }
}

impl Counters {
    /// A place to count for one more scratch. Cost: a lock that is held for a few instructions.
    pub(super) fn join(self: &Arc<Self>) -> Counts {
        let mut blocks = self.blocks.lock();
        let block = blocks.free.pop().unwrap_or_else(|| {
            let block = Arc::<Block>::default();
            blocks.all.push(Arc::clone(&block));
            block
        });
        drop(blocks);
        Counts { block, counters: Arc::clone(self), probes: Probes::default(), jti_place: Place::default() }
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.blocks.lock().all.iter().for_each(|block| totals.add(block));
        totals
    }
}

/// For whoever counts next.
impl Drop for Counts {
    fn drop(&mut self) {
        self.counters.blocks.lock().free.push(Arc::clone(&self.block));
    }
}

/// Where one scratch counts.
pub(super) struct Counts {
    block: Arc<Block>,
    counters: Arc<Counters>,
    /// Of the verification that is being made.
    pub(super) probes: Probes,
    pub(super) jti_place: Place,
}

impl Counts {
    #[inline]
    pub(super) fn count(&mut self, denied: Option<&Denied>) {
        let status = denied.map_or(Status::Done, Denied::status);
        add(&self.block.statuses[status.ordinal()], 1);
        if self.probes.probes != 0 {
            add(&self.block.probes, self.probes.probes.into());
            if self.probes.positives != 0 {
                add(&self.block.positives, self.probes.positives.into());
                add(&self.block.false_positives, self.probes.false_positives.into());
            }
            self.probes = Probes::default();
        }
    }
}

/// Adds without locking the bus: nobody else writes here.
#[inline]
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}
