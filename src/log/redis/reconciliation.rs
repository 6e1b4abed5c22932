//! What is found by holding the copy against the whole of the log: what each of them lacks.

use std::hash::{BuildHasher as _, RandomState};

use super::entry;
use super::local_file::WAITING_MAX;
use crate::log::local_copy::{Compared, Copied, LocalCopy};
use crate::log::{Facts, LogError};
use crate::revocation::Record;

/// A set of texts, by their hashes, and which of them were met in the log. 9 bytes a text.
pub(super) struct Texts {
    hasher: RandomState,
    hashes: Vec<u64>,
    pub(super) met: Vec<bool>,
}

impl Texts {
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
}

/// The records of the file, and which of them the log has.
pub(super) struct Reconciliation {
    pub(super) before: Copied,
    pub(super) texts: Texts,
    /// The last position in the file that is compared.
    pub(super) through: i64,
}

impl Reconciliation {
    pub(super) fn begin(file: &dyn LocalCopy, before: Copied) -> Result<Self, LogError> {
        let mut through = 0;
        let texts = Texts::new(|add| {
            file.for_each(&mut |position, record| {
                add(&record);
                through = position;
            })
        })?;
        Ok(Self { before, texts, through })
    }

    /// Some of what the log lacks.
    pub(super) fn lacking(&self, file: &dyn LocalCopy) -> Vec<Box<str>> {
        let mut lacking = Vec::new();
        let read = file.for_each(&mut |_, record| {
            let text = entry::write(&record);
            if lacking.len() < WAITING_MAX && !self.texts.was_met(&text) {
                lacking.push(text);
            }
        });
        if let Err(error) = read {
            tracing::warn!(%error, "degraded: the local file of the revocation log can't be read");
        }
        lacking
    }

    /// Notes in the file what the log lacks of it, and how far it goes now. None where another process has been quicker.
    pub(super) fn conclude(&self, file: &dyn LocalCopy, to: &Copied, facts: Facts) -> Result<Option<usize>, LogError> {
        let Self { before, texts, through } = self;
        let mut found = Compared { through: *through, unsent: Vec::new(), twice: Vec::new() };
        let mut seen = vec![false; texts.hashes.len()];
        file.for_each(&mut |position, record| {
            // What other processes have written since is theirs.
            let Some(at) = texts.find(&entry::write(&record)).filter(|_| position <= *through) else { return };
            if std::mem::replace(&mut seen[at], true) {
                found.twice.push(position);
            } else if !texts.met[at] {
                found.unsent.push(position);
            }
        })?;
        let is_done = file.conclude(before, to, facts, &found)?;
        Ok(is_done.then_some(found.unsent.len()))
    }
}
