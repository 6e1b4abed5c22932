//! What the copy has and the log perhaps lacks, on its way there.

use std::collections::{HashMap, HashSet};

use super::append::{STEP_BYTES_MAX, STEP_MAX};
use super::encoded::{self, Encoded};
use super::entry;
use super::record_set::RecordSet;
use crate::clock::UnixTime;
use crate::log::LogError;
use crate::log::local_copy::LocalCopy;
use crate::revocation::Record;

/// What the file has and the log perhaps lacks, and how far it was given that. A record is settled when it was met in the log,
/// whoever has put it there.
pub(super) struct Outbox {
    /// Whether the file may have any.
    pub(super) is_there: bool,
    /// All of it, where that is known.
    pub(super) records: Option<RecordSet>,
    /// What is next, or was just sent and not met yet: where it is in the file.
    pub(super) chunk: HashMap<Encoded, Vec<i64>>,
    /// The last position in the file that has been in a chunk, and whether any was in this round.
    pub(super) through: i64,
    had_some: bool,
    /// Where in the file that stands which was met in the log.
    pub(super) settled: Vec<i64>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { is_there: true, records: None, chunk: HashMap::new(), through: 0, had_some: false, settled: Vec::new() }
    }
}

impl Outbox {
    /// All of it, or more.
    pub(super) fn of(records: RecordSet) -> Self {
        Self { records: Some(records), ..Self::default() }
    }

    pub(super) fn meet(&mut self, bytes: &[u8]) {
        if let Some(records) = &mut self.records {
            records.meet(bytes);
        }
        self.settled.extend(self.chunk.remove(bytes).into_iter().flatten());
    }

    /// Takes the next from the file.
    pub(super) fn load_chunk(
        &mut self,
        file: &dyn LocalCopy,
        watermark: Option<UnixTime>,
        erased: &HashSet<Encoded>,
    ) -> Result<(), LogError> {
        // What is settled and still to be taken from the file.
        let settled: HashSet<i64> = self.settled.iter().copied().collect();
        while self.chunk.is_empty() && self.settled.len() < settled.len() + STEP_MAX {
            let mut rows = file.unsent(self.through, STEP_MAX)?;
            let mut bytes = 0;
            let fits = |(_, record): &&(i64, Record)| {
                bytes += encoded::write(record).len();
                bytes <= STEP_BYTES_MAX
            };
            let count = rows.iter().take_while(fits).count().max(1);
            rows.truncate(count);
            let Some((last, _)) = rows.last() else {
                // Once more from the beginning, until nothing is left: what was sent may have gone astray.
                (self.is_there, self.through, self.had_some) = (self.had_some, 0, false);
                if !self.is_there {
                    self.records = None;
                }
                return Ok(());
            };
            self.through = *last;
            for (position, record) in rows {
                let bytes = encoded::write(&record);
                let is_wanted = entry::is_live(record.keep_until, watermark) && !erased.contains(&bytes);
                if settled.contains(&position) || !is_wanted {
                    continue;
                }
                self.had_some = true;
                match self.records.as_ref().is_some_and(|records| records.was_met(&bytes)) {
                    true => self.settled.push(position),
                    false => self.chunk.entry(bytes).or_default().push(position),
                }
            }
        }
        Ok(())
    }
}

/// All that the log has perhaps not been given.
pub(super) fn unsent_records(file: &dyn LocalCopy) -> Result<RecordSet, LogError> {
    RecordSet::new(|add| for_each_unsent(file, add))
}

pub(super) fn for_each_unsent(file: &dyn LocalCopy, visit: &mut dyn FnMut(&Record)) -> Result<(), LogError> {
    let mut through = 0;
    loop {
        let rows = file.unsent(through, STEP_MAX)?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        through = *last;
        rows.iter().for_each(|(_, record)| visit(record));
    }
}
