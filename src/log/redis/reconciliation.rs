//! What is found by holding the copy against the whole of the log: what each of them lacks.

use super::entry;
use super::text_set::TextSet;
use crate::log::local_copy::{Compared, Copied, LocalCopy};
use crate::log::{Facts, LogError};

/// The records of the file, and which of them the log has.
pub(super) struct Reconciliation {
    pub(super) before: Copied,
    pub(super) texts: TextSet,
    /// The last position in the file that is compared.
    pub(super) through: i64,
}

impl Reconciliation {
    pub(super) fn begin(file: &dyn LocalCopy, before: Copied) -> Result<Self, LogError> {
        let mut through = 0;
        let texts = TextSet::new(|add| {
            file.for_each(&mut |position, record| {
                add(&record);
                through = position;
            })
        })?;
        Ok(Self { before, texts, through })
    }

    /// What the log lacks, at most so many.
    pub(super) fn lacking(&self, file: &dyn LocalCopy, count_max: usize) -> Vec<Box<str>> {
        let mut lacking = Vec::new();
        let read = file.for_each(&mut |_, record| {
            let text = entry::write(&record);
            if lacking.len() < count_max && !self.texts.was_met(&text) {
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
        let mut seen = vec![false; texts.len()];
        file.for_each(&mut |position, record| {
            // What other processes have written since is theirs.
            let Some(at) = texts.find(&entry::write(&record)).filter(|_| position <= *through) else { return };
            if std::mem::replace(&mut seen[at], true) {
                found.twice.push(position);
            } else if !texts.was_met_at(at) {
                found.unsent.push(position);
            }
        })?;
        let is_done = file.conclude(before, to, facts, &found)?;
        Ok(is_done.then_some(found.unsent.len()))
    }
}
