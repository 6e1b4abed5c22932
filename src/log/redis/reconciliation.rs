//! What is found by holding the copy against the whole of the log: what each of them lacks.

use super::encoded::{self, Encoded};
use super::record_set::RecordSet;
use crate::log::local_copy::{Compared, Copied, LocalCopy};
use crate::log::{Facts, LogError};

/// The records of the file, and which of them the log has.
pub(super) struct Reconciliation {
    pub(super) before: Copied,
    pub(super) records: RecordSet,
    /// The last position in the file that is compared.
    pub(super) through: i64,
}

impl Reconciliation {
    pub(super) fn begin(file: &dyn LocalCopy, before: Copied) -> Result<Self, LogError> {
        let mut through = 0;
        let records = RecordSet::new(|add| {
            file.for_each(&mut |position, record| {
                add(&record);
                through = position;
            })
        })?;
        Ok(Self { before, records, through })
    }

    /// What the log lacks, at most so many.
    pub(super) fn lacking(&self, file: &dyn LocalCopy, count_max: usize) -> Vec<Encoded> {
        let mut lacking = Vec::new();
        let read = file.for_each(&mut |_, record| {
            let bytes = encoded::write(&record);
            if lacking.len() < count_max && !self.records.was_met(&bytes) {
                lacking.push(bytes);
            }
        });
        if let Err(error) = read {
            tracing::warn!(%error, "degraded: the local file of the revocation log can't be read");
        }
        lacking
    }

    /// Notes in the file what the log lacks of it, and how far it goes now. None where another process has been quicker.
    pub(super) fn conclude(&self, file: &dyn LocalCopy, to: &Copied, facts: Facts) -> Result<Option<usize>, LogError> {
        let Self { before, records, through } = self;
        let mut found = Compared { through: *through, unsent: Vec::new(), twice: Vec::new() };
        let mut seen = vec![false; records.len()];
        file.for_each(&mut |position, record| {
            // What other processes have written since is theirs.
            let Some(at) = records.find(&encoded::write(&record)).filter(|_| position <= *through) else { return };
            if std::mem::replace(&mut seen[at], true) {
                found.twice.push(position);
            } else if !records.was_met_at(at) {
                found.unsent.push(position);
            }
        })?;
        let is_done = file.conclude(before, to, facts, &found)?;
        Ok(is_done.then_some(found.unsent.len()))
    }
}
