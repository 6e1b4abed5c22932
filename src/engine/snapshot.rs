//! The key set that one verification goes by: published whole, never changed.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::keys::KeySet;

pub(super) struct Snapshot {
    /// Unlike that of every other snapshot of this process, so that what a scratch has learned under
    /// one key set and policy is never used under another.
    pub(super) id: u64,
    pub(super) keys: KeySet,
}

impl Snapshot {
    pub(super) fn new(keys: KeySet) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), keys }
    }
}
