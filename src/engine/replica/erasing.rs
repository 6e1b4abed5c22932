//! Erasing revocations: from the log, and then from the index of every process on it.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::Replica;
use crate::clock::Times;
use crate::index::Batch;
use crate::log::LogError;
use crate::revocation::Record;

impl Replica {
    /// Takes those out of the log that it has, and says how many.
    pub(in crate::engine) fn erase(&self, records: &[Record], times: Times) -> Result<usize, LogError> {
        self.follow(times)?;
        let wanted: HashSet<&Record> = records.iter().collect();
        let (found, _) = self.log.find(0, &|record| wanted.contains(record))?;
        if !found.is_empty() {
            self.log.erase(&found)?;
        }
        // It is heard of as every other process on the log hears of it.
        self.follow(times)?;
        self.forget_erased()?;
        Ok(found.len())
    }

    /// Takes out of the index what was erased from the log since this was done last.
    pub(super) fn forget_erased(&self) -> Result<(), LogError> {
        let erasures = self.log.erasures();
        if self.forgotten.load(Ordering::Acquire) == erasures {
            return Ok(());
        }
        let erased = self.log.erased()?;
        if let Some(meant) = self.index.meant_by(&erased) {
            let is_meant = |record: &Record| self.index.is_meant(&meant, &record.borrow());
            let mut batch = Batch::default();
            let (left, end) = self.log.find(0, &is_meant)?;
            left.iter().for_each(|(_, record)| self.index.put(&mut batch, &record.borrow()));
            self.index.replace(&meant, batch, |batch| {
                let (since, _) = self.log.find(end, &is_meant)?;
                since.iter().for_each(|(_, record)| self.index.put(batch, &record.borrow()));
                Ok::<(), LogError>(())
            })?;
            tracing::info!(count = erased.len(), "erased revocations count no more");
        }
        self.forgotten.store(erasures, Ordering::Release);
        Ok(())
    }

    /// Has it done by the thread that merges, where something was erased.
    pub(super) fn look_for_erased(&self) {
        if self.forgotten.load(Ordering::Acquire) != self.log.erasures() {
            self.signal.wake_merger();
        }
    }

    /// Does it, or says why it can't be done now: it is tried again.
    pub(super) fn forget_if_erased(&self) {
        if let Err(error) = self.forget_erased() {
            tracing::warn!(%error, "degraded: erased revocations still count here");
        }
    }
}
