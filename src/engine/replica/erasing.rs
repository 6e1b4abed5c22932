//! Erasing revocations: from the log, and then from the index of every process on it.
//!
//! The index knows tokens, not records. So all that it holds of the tokens that an erased record means is put together anew: from the
//! log, from what binds here and is not known to be in it, and from what is added meanwhile.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::Replica;
use crate::clock::Times;
use crate::index::{Batch, Meant};
use crate::log::LogError;
use crate::revocation::Record;

/// After how long it is tried again where the log can't be asked now.
const AGAIN: Duration = Duration::from_secs(1);

/// How far the index is without what was erased.
#[derive(Default)]
pub(super) struct Forgotten {
    /// As the log counts it; none where something may have come in since.
    erasures: Option<u64>,
    /// How often something may have come in that was erased while it was on its way.
    late: u64,
    again: Option<Instant>,
}

impl Replica {
    /// Takes those out of the log that it has, and says how many.
    pub(in crate::engine) fn erase(&self, records: &[Record], times: Times) -> Result<usize, LogError> {
        self.follow(times)?;
        let wanted: HashSet<&Record> = records.iter().collect();
        // The follower goes on meanwhile.
        let cursor = self.follower.lock().cursor;
        let found = self.log.find(cursor, &|record| wanted.contains(record))?;
        if !found.is_empty() {
            self.log.erase(&found)?;
        }
        // It is heard of as every other process on the log hears of it: later, where that can't be now.
        if self.follow(times).is_ok() {
            self.forget_if_erased();
        }
        Ok(found.len())
    }

    /// What was read or committed since the log counted so many may have been erased on its way into the index.
    pub(super) fn note_late(&self, erasures_before: u64) {
        if self.log.erasures() != erasures_before {
            let mut forgotten = self.forgotten.lock();
            (forgotten.erasures, forgotten.late) = (None, forgotten.late + 1);
        }
    }

    /// Takes out of the index what was erased from the log since this was done last.
    fn forget_erased(&self) -> Result<(), LogError> {
        let _one_at_a_time = self.forgetting.lock();
        let erasures = self.log.erasures();
        let late = {
            let forgotten = self.forgotten.lock();
            if forgotten.erasures == Some(erasures) {
                return Ok(());
            }
            forgotten.late
        };
        let erased = self.log.erased()?;
        if let Some(meant) = self.index.meant_by(&erased) {
            self.index.begin_to_forget(meant.clone());
            match self.known_of(&meant) {
                Ok(known) => self.index.forget(known),
                Err(error) => {
                    self.index.forget_nothing();
                    return Err(error);
                }
            }
            tracing::info!(count = erased.len(), "erased revocations count no more");
        }
        let mut forgotten = self.forgotten.lock();
        if forgotten.late == late {
            forgotten.erasures = Some(erasures);
        }
        Ok(())
    }

    /// What is known of these tokens, but for what was erased.
    fn known_of(&self, meant: &Meant) -> Result<Batch, LogError> {
        let is_meant = |record: &Record| self.index.is_meant(meant, &record.borrow());
        let mut known = Batch::default();
        let cursor = self.follower.lock().cursor;
        let in_log = self.log.find(cursor, &is_meant)?;
        in_log.iter().for_each(|(_, record)| self.index.put(&mut known, &record.borrow()));
        self.queue.for_each_undurable(|record| {
            if is_meant(record) {
                self.index.put(&mut known, &record.borrow());
            }
        });
        Ok(known)
    }

    /// Has it done by the thread that merges, where something was erased.
    pub(super) fn look_for_erased(&self) {
        let erasures = self.log.erasures();
        let forgotten = self.forgotten.lock();
        let is_time = forgotten.again.is_none_or(|again| again <= Instant::now());
        if is_time && forgotten.erasures != Some(erasures) && (erasures > 0 || forgotten.late > 0) {
            drop(forgotten);
            self.signal.wake_merger();
        }
    }

    /// Does it, or says why it can't be done now: it is tried again.
    pub(super) fn forget_if_erased(&self) {
        let done = self.forget_erased();
        let again = done.is_err().then(|| Instant::now() + AGAIN);
        let before = std::mem::replace(&mut self.forgotten.lock().again, again);
        if let Err(error) = done
            && before.is_none()
        {
            tracing::warn!(%error, "degraded: erased revocations still count here");
        }
    }
}
