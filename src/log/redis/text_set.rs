//! Entries by their texts: which of a set were met in the log.

use std::hash::{BuildHasher as _, RandomState};

use super::entry;
use crate::log::LogError;
use crate::revocation::Record;

/// A set of texts, by their hashes, and which of them were met in the log. 9 bytes a text.
pub(super) struct TextSet {
    hasher: RandomState,
    hashes: Vec<u64>,
    met: Vec<bool>,
}

impl TextSet {
    pub(super) fn new(gather: impl FnOnce(&mut dyn FnMut(&Record)) -> Result<(), LogError>) -> Result<Self, LogError> {
        let (hasher, mut hashes) = (RandomState::new(), Vec::new());
        gather(&mut |record| hashes.push(hasher.hash_one(&*entry::write(record))))?;
        hashes.sort_unstable();
        hashes.dedup();
        let met = vec![false; hashes.len()];
        Ok(Self { hasher, hashes, met })
    }

    pub(super) fn find(&self, text: &str) -> Option<usize> {
        self.hashes.binary_search(&self.hasher.hash_one(text)).ok()
    }

    /// Notes that a text was met, and says whether it is in the set.
    pub(super) fn meet(&mut self, text: &str) -> bool {
        let found = self.find(text);
        found.into_iter().for_each(|at| self.met[at] = true);
        found.is_some()
    }

    pub(super) fn was_met(&self, text: &str) -> bool {
        self.find(text).is_some_and(|at| self.met[at])
    }

    pub(super) fn was_met_at(&self, at: usize) -> bool {
        self.met[at]
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }
}
