//! A file of this machine that follows the log: what was met and is to be written, and whether the file is compared with all of
//! the log.

use std::time::{Duration, Instant};

use super::append::STEP_MAX;
use super::encoded::{self, Decoded, Encoded};
use super::entry::Entry;
use super::outbox::Outbox;
use super::reconciliation::Reconciliation;
use crate::clock::UnixTime;
use crate::log::encoding::NoRecord;
use crate::log::local_copy::{Copied, LocalCopy, Met};
use crate::log::{Cursor, Facts, LogError};
use crate::revocation::Record;

/// How far apart the file is written while there is always something to copy.
const WRITE_INTERVAL: Duration = Duration::from_millis(50);

/// How often it is noted that the copy is whole, where nothing else is to be copied.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// How many entries are written at once, so that other processes on the file don't wait for long.
const WRITE_MAX: usize = 10_000;

/// How many entries wait for a file that can't be written. With more, copying ends until the log is opened again.
pub(super) const WAITING_MAX: usize = 100_000;

/// Where copying stands.
pub(super) struct LocalFile {
    pub(super) is_loaded: bool,
    /// What was met and is not in the file yet, which goes as far as `from`. None where copying has ended.
    pub(super) from: Option<Cursor>,
    pub(super) met: Vec<Met>,
    /// What was met and will not be copied by this process: to be held in memory.
    pub(super) uncopied: Vec<Met>,
    /// When what was met was all that there was.
    pub(super) whole_at: Option<UnixTime>,
    pub(super) written: Option<Instant>,
    pub(super) noted: Option<Instant>,
    /// Since when the file can't be written.
    pub(super) failing: Option<Failing>,
    pub(super) comparing: Reconciling,
    /// A comparison that can't be noted in the file.
    pub(super) given_up: Option<Reconciliation>,
    pub(super) unsent: Outbox,
    /// Whether they may have kept something that could not be read yet.
    pub(super) has_kept: bool,
    /// The last position in the file of what other processes have kept and this one has taken in.
    pub(super) kept_through: i64,
}

impl Default for LocalFile {
    fn default() -> Self {
        Self {
            is_loaded: false,
            from: Some(Cursor::default()),
            met: Vec::new(),
            uncopied: Vec::new(),
            whole_at: None,
            written: None,
            noted: None,
            failing: None,
            comparing: Reconciling::No,
            given_up: None,
            unsent: Outbox::default(),
            has_kept: true,
            kept_through: 0,
        }
    }
}

pub(super) struct Failing {
    pub(super) since: Instant,
    pub(super) error: LogError,
}

/// Whether the file is held against the whole of the log.
pub(super) enum Reconciling {
    No,
    /// When the log is read anew, unless another process has.
    Wanted,
    Running(Reconciliation),
}

impl LocalFile {
    /// Whether the file follows the log.
    pub(super) fn goes_on(&self) -> bool {
        self.from.is_some()
    }

    pub(super) fn is_comparing(&self) -> bool {
        matches!(self.comparing, Reconciling::Running(_))
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.unsent.is_there && !self.is_comparing()
    }

    /// The file can't be used any more, for now.
    pub(super) fn end(&mut self, error: &LogError) {
        tracing::warn!(%error, "degraded: the local file of the revocation log can't be used");
        self.stop();
    }

    /// Nothing more is copied, and no comparison is noted in the file.
    fn stop(&mut self) {
        self.from = None;
        if let Reconciling::Running(comparison) = std::mem::replace(&mut self.comparing, Reconciling::No) {
            self.given_up = Some(comparison);
        }
        self.uncopied.append(&mut self.met);
    }

    /// Takes note of an entry that was read. `head` is how far had been read before, without a gap.
    pub(super) fn meet(
        &mut self,
        entry: &Entry<'_>,
        decoded: &Result<Decoded<'_>, NoRecord>,
        cursor: Cursor,
        head: i64,
    ) {
        if decoded.is_ok() {
            self.unsent.meet(entry.bytes());
            if let Some(comparison) = &mut self.given_up {
                comparison.records.meet(entry.bytes());
            }
        }
        let Some(from) = self.from else { return };
        if matches!(decoded, Err(NoRecord::UnknownKind)) {
            // A signoff that knows it must find it when it starts from the file: nothing behind it is copied.
            tracing::warn!("the copy of the log ends at a revocation of a kind that only a newer signoff knows");
            self.stop();
            return;
        }
        // What was met before is met again after a read that was ended.
        if cursor.position <= self.met.last().map_or(from, |(last, _)| *last).position {
            return;
        }
        let is_there = match &mut self.comparing {
            Reconciling::Running(comparison) => decoded.is_ok() && comparison.records.meet(entry.bytes()),
            // Written again by a collection after it was copied.
            Reconciling::No | Reconciling::Wanted => entry.again.is_some_and(|before| before <= head),
        };
        self.met.push((cursor, if is_there { None } else { decoded.as_ref().ok().map(Decoded::whole) }));
    }

    pub(super) fn is_full(&self) -> bool {
        self.met.len() >= WRITE_MAX
    }

    /// The log was read to its head, and what was met until then was all that there was at this time.
    pub(super) fn is_whole(&mut self, at: UnixTime) {
        self.whole_at = Some(at);
    }

    /// Writes what was met to the file. `version` is that of the log it was met in, and `head` how far was read without a gap.
    pub(super) fn write(&mut self, file: &dyn LocalCopy, version: String, head: i64, facts: Facts) {
        let Some(from) = self.from else { return };
        if self.met.is_empty() && self.whole_at.is_none() {
            return;
        }
        let cursor = self.met.last().map_or(from, |(cursor, _)| *cursor);
        let done = match self.comparing {
            Reconciling::Running(_) => file.add(&self.met).map(|()| true),
            Reconciling::No | Reconciling::Wanted => {
                let to = Copied { version, cursor, head, read_at: self.whole_at, ..Copied::default() };
                file.advance(from, &to, &self.met, facts)
            }
        };
        self.written = Some(Instant::now());
        match done {
            Ok(true) => {
                if self.failing.take().is_some() {
                    tracing::info!("recovered: the local file of the revocation log is written again");
                }
                if self.whole_at.take().is_some() {
                    self.noted = self.written;
                }
                self.from = Some(cursor);
                self.met.clear();
            }
            // Another process stands elsewhere: further, where this one will be soon, or in another log, as this one will notice.
            Ok(false) if self.met.len() <= WAITING_MAX => {}
            Ok(false) => {
                // It is enough to know what lies behind the place of the other.
                let older = self.met.len() / 2;
                self.from = Some(self.met[older - 1].0);
                self.uncopied.extend(self.met.drain(..older));
            }
            Err(error) if self.met.len() <= WAITING_MAX => {
                if self.failing.is_none() {
                    tracing::warn!(%error, "degraded: the local file of the revocation log can't be written");
                }
                let since = self.failing.take().map_or_else(Instant::now, |failing| failing.since);
                self.failing = Some(Failing { since, error });
            }
            Err(error) => self.end(&error),
        }
    }

    /// Takes from the file what was given to the log and has come back from it.
    pub(super) fn settle(&mut self, file: &dyn LocalCopy) {
        // Not before what came back is in the file itself; or, where nothing is copied any more, it stays.
        if self.unsent.settled.is_empty() || (self.goes_on() && !self.met.is_empty()) {
            return;
        }
        let count = self.unsent.settled.len().min(STEP_MAX);
        match file.sent(&self.unsent.settled[..count], self.goes_on()) {
            Ok(()) => drop(self.unsent.settled.drain(..count)),
            Err(error) => tracing::debug!(%error, "what was given to the log could not be noted in the local file"),
        }
    }

    /// Whether there is so much to be written, or so old, that it should be.
    pub(super) fn is_due(&self) -> bool {
        let is_over = |last: Option<Instant>, interval| last.is_none_or(|at| at.elapsed() >= interval);
        match self.met.is_empty() {
            true => self.whole_at.is_some() && is_over(self.noted, NOTE_INTERVAL),
            false if self.failing.is_some() => is_over(self.written, NOTE_INTERVAL),
            false => self.is_full() || is_over(self.written, WRITE_INTERVAL),
        }
    }

    /// Everything is to be read anew. Gives out what was met in a log that is gone, and could not be written.
    pub(super) fn begin_anew(&mut self, file: &dyn LocalCopy) -> Vec<Encoded> {
        let to_repair: Vec<Record> =
            std::mem::take(&mut self.met).into_iter().filter_map(|(_, record)| record).collect();
        (self.comparing, self.from, self.whole_at) = (Reconciling::Wanted, Some(Cursor::default()), None);
        (self.unsent, self.given_up) = (Outbox::default(), None);
        if to_repair.is_empty() || file.keep(&to_repair).is_ok() {
            return Vec::new();
        }
        to_repair.iter().map(encoded::write).collect()
    }
}
