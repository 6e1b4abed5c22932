//! Records by what they are written as: which of a set were met in the log.

use std::hash::{BuildHasher as _, RandomState};

use super::encoded;
use crate::log::LogError;
use crate::revocation::Record;

/// A set of records, by their hashes, and which of them were met in the log. 9 bytes a record.
pub(super) struct RecordSet {
    hasher: RandomState,
    hashes: Vec<u64>,
    met: Vec<bool>,
}

impl RecordSet {
    pub(super) fn new(gather: impl FnOnce(&mut dyn FnMut(&Record)) -> Result<(), LogError>) -> Result<Self, LogError> {
        let (hasher, mut hashes) = (RandomState::new(), Vec::new());
        gather(&mut |record| hashes.push(hasher.hash_one(&*encoded::write(record))))?;
        hashes.sort_unstable();
        hashes.dedup();
        let met = vec![false; hashes.len()];
        Ok(Self { hasher, hashes, met })
    }

    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        self.hashes.binary_search(&self.hasher.hash_one(bytes)).ok()
    }

    /// Notes that a record was met, and says whether it is in the set.
    pub(super) fn meet(&mut self, bytes: &[u8]) -> bool {
        let found = self.find(bytes);
        found.into_iter().for_each(|at| self.met[at] = true);
        found.is_some()
    }

    pub(super) fn was_met(&self, bytes: &[u8]) -> bool {
        self.find(bytes).is_some_and(|at| self.met[at])
    }

    pub(super) fn was_met_at(&self, at: usize) -> bool {
        self.met[at]
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }
}
