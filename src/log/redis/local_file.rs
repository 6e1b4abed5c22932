//! The copy of the log in a file of this machine: what a node starts from, and puts back from.
//!
//! The stream is followed as without it, and what was met is written to the file a little later. After the stream has lost
//! something, the file is compared with the whole of it: each gets what only the other has. What the file can't do any more,
//! the node does without it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::RedisLog;
use super::append::Patience;
use super::entry::{self, Entry, Parsed};
use super::outbox::{Outbox, unsent_texts};
use super::reader::{Known, Reader};
use super::reconciliation::Reconciliation;
use super::repair::STEP_MAX;
use crate::clock::UnixTime;
use crate::log::encoding::NoRecord;
use crate::log::local_copy::{Copied, LocalCopy, Met};
use crate::log::{Appended, Cursor, Facts, Follows, LogError, OnOutage, Read, Standing, Visit};
use crate::revocation::Record;

/// How far apart the file is written while there is always something to copy.
const WRITE_INTERVAL: Duration = Duration::from_millis(50);

/// How often it is noted that the copy is whole, where nothing else is to be copied.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// Within what time a chunk is given to the log, at a moment of each node's own.
const CHUNK_WITHIN: Duration = Duration::from_millis(100);

/// How many entries are written at once, so that other processes on the file don't wait for long.
const WRITE_MAX: usize = 10_000;

/// For how long a comparison waits for a file that can't be written.
const FAILING_MAX: Duration = Duration::from_secs(30);

/// How many entries wait for a file that can't be written. With more, copying ends until the log is opened again.
pub(super) const WAITING_MAX: usize = 100_000;

/// Where copying stands.
pub(super) struct LocalFile {
    is_loaded: bool,
    /// What was met and is not in the file yet, which goes as far as `from`. None where copying has ended.
    from: Option<Cursor>,
    met: Vec<Met>,
    /// What was met and will not be copied by this process: to be held in memory.
    uncopied: Vec<Met>,
    /// When what was met was all that there was.
    whole_at: Option<UnixTime>,
    written: Option<Instant>,
    noted: Option<Instant>,
    /// Since when the file can't be written.
    failing: Option<Failing>,
    comparing: Reconciling,
    /// A comparison that can't be noted in the file.
    given_up: Option<Reconciliation>,
    unsent: Outbox,
    /// The last position in the file of what other processes have kept and this one has taken in.
    kept_through: i64,
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
            kept_through: 0,
        }
    }
}

struct Failing {
    since: Instant,
    error: LogError,
}

/// Whether the file is held against the whole of the log.
enum Reconciling {
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
    fn end(&mut self, error: &LogError) {
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
    pub(super) fn meet(&mut self, entry: &Entry<'_>, parsed: &Parsed<'_>, cursor: Cursor, head: i64) {
        if parsed.record().is_ok() {
            self.unsent.meet(entry.text);
            if let Some(comparison) = &mut self.given_up {
                comparison.texts.meet(entry.text);
            }
        }
        let Some(from) = self.from else { return };
        if matches!(parsed.record(), Err(NoRecord::UnknownKind)) {
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
            Reconciling::Running(comparison) => parsed.record().is_ok() && comparison.texts.meet(entry.text),
            // Written again by a collection after it was copied.
            Reconciling::No | Reconciling::Wanted => entry.again.is_some_and(|before| before <= head),
        };
        self.met.push((cursor, if is_there { None } else { parsed.whole() }));
    }

    pub(super) fn is_full(&self) -> bool {
        self.met.len() >= WRITE_MAX
    }

    /// The log was read to its head, and what was met until then was all that there was at this time.
    pub(super) fn is_whole(&mut self, at: UnixTime) {
        self.whole_at = Some(at);
    }

    /// Writes what was met to the file. `version` is that of the log it was met in, and `head` how far was read without a gap.
    fn write(&mut self, file: &dyn LocalCopy, version: String, head: i64, facts: Facts) {
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
    fn settle(&mut self, file: &dyn LocalCopy) {
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
    fn is_due(&self) -> bool {
        let is_over = |last: Option<Instant>, interval| last.is_none_or(|at| at.elapsed() >= interval);
        match self.met.is_empty() {
            true => self.whole_at.is_some() && is_over(self.noted, NOTE_INTERVAL),
            false if self.failing.is_some() => is_over(self.written, NOTE_INTERVAL),
            false => self.is_full() || is_over(self.written, WRITE_INTERVAL),
        }
    }

    /// Everything is to be read anew. Gives out what was met in a log that is gone, and could not be written.
    pub(super) fn begin_anew(&mut self, file: &dyn LocalCopy) -> Vec<Box<str>> {
        let owed: Vec<Record> = std::mem::take(&mut self.met).into_iter().filter_map(|(_, record)| record).collect();
        (self.comparing, self.from, self.whole_at) = (Reconciling::Wanted, Some(Cursor::default()), None);
        (self.unsent, self.given_up) = (Outbox::default(), None);
        if owed.is_empty() || file.keep(&owed).is_ok() {
            return Vec::new();
        }
        owed.iter().map(entry::write).collect()
    }
}

impl RedisLog {
    /// Reads on from the file where that was not read yet, and then from the log.
    pub(super) fn read_with_copy(
        &self,
        file: &dyn LocalCopy,
        reader: &mut Reader,
        after: Cursor,
        visit: Visit<'_>,
    ) -> Result<Read, LogError> {
        let (mut start, mut loaded) = (after, None);
        if !reader.copying.is_loaded {
            // First what is kept: whatever another process keeps from now on is taken in later.
            let (kept_through, texts) = (file.last()?, unsent_texts(file)?);
            let (copied, read) = file.load(visit)?;
            let Read::ToHead { facts, junk, unknown_kinds, .. } = read else { return Ok(read) };
            // The file's own generation says nothing of the log.
            let facts = Facts { generation: None, ..facts };
            let copying = &mut reader.copying;
            (copying.kept_through, copying.unsent.texts) = (kept_through, Some(texts));
            (copying.from, copying.is_loaded) = (Some(copied.cursor), true);
            reader.start_from(Known::parse(&copied.version), copied.head);
            start = copied.cursor;
            loaded = Some((facts, junk, unknown_kinds, copied.read_at));
        }
        let has_kept = self.read_kept(file, &mut reader.copying, visit);
        self.write_copy(file, reader, false);
        let read = self.read_stream(reader, start, visit);
        self.copies.store(reader.copying.goes_on(), Ordering::Relaxed);
        let uncopied = std::mem::take(&mut reader.copying.uncopied);
        if !uncopied.is_empty() {
            let mut held = self.held.lock();
            let records = uncopied.iter().filter_map(|(_, record)| record.as_ref());
            records.for_each(|record| held.put(&entry::write(record), record.keep_until));
        }
        let Some((facts, junk, unknown_kinds, read_at)) = loaded else {
            let facts = *self.last_facts.lock();
            return match read {
                // What was taken in must be heard of, whatever else is wrong.
                Err(error) if has_kept => {
                    reader.standing = Standing::Unproven(error);
                    Ok(Read::ToHead { cursor: after, facts, junk: 0, unknown_kinds: 0 })
                }
                Ok(Read::Unchanged) if has_kept => Ok(Read::ToHead { cursor: after, facts, junk: 0, unknown_kinds: 0 }),
                read => read,
            };
        };
        Ok(match read {
            Ok(Read::ToHead { cursor, facts, junk: more, unknown_kinds: others }) => {
                Read::ToHead { cursor, facts, junk: junk + more, unknown_kinds: unknown_kinds + others }
            }
            Ok(Read::Unchanged) => Read::ToHead { cursor: start, facts, junk, unknown_kinds },
            Ok(read @ (Read::Stopped | Read::Rewound)) => read,
            Err(error) => {
                reader.standing = match read_at {
                    Some(at) => Standing::Copied { at, error },
                    None => Standing::Unproven(error),
                };
                Read::ToHead { cursor: start, facts: self.with_promised(facts), junk, unknown_kinds }
            }
        })
    }

    /// Takes in what other processes have kept in the file, and says whether there was any.
    fn read_kept(&self, file: &dyn LocalCopy, copying: &mut LocalFile, visit: Visit<'_>) -> bool {
        let mut has_kept = false;
        let mut read = || -> Result<(), LogError> {
            if !file.has_changed()? {
                return Ok(());
            }
            loop {
                let kept = file.unsent(copying.kept_through, STEP_MAX)?;
                let Some((last, _)) = kept.last() else { return Ok(()) };
                (copying.kept_through, copying.unsent.is_there, has_kept) = (*last, true, true);
                for (_, record) in &kept {
                    // Whether to go on is asked again by what the log itself has.
                    let _is_asked_again = visit(record.borrow());
                }
            }
        };
        if let Err(error) = read() {
            tracing::warn!(%error, "degraded: the local file of the revocation log can't be read");
        }
        has_kept
    }

    /// Writes what was met to the file, when it is time or in any case.
    pub(super) fn write_copy(&self, file: &dyn LocalCopy, reader: &mut Reader, now: bool) {
        let Some(version) = reader.version() else { return };
        if now || reader.copying.is_due() {
            let facts = *self.last_facts.lock();
            reader.copying.write(file, version, reader.head, facts);
        }
        reader.copying.settle(file);
    }

    /// Writes what is in hand. What this process appended and has not met, or owes to the log, is kept as what the log may
    /// lack: it was acknowledged, and nobody else may have heard of it.
    pub(super) fn end_copy(&self, file: &dyn LocalCopy, reader: &mut Reader) {
        self.write_copy(file, reader, true);
        let mut unmet = self.unseen.lock().take_acknowledged();
        unmet.extend(std::mem::take(&mut reader.owed));
        let unmet: Vec<Record> = unmet.iter().filter_map(|text| entry::record(text)).collect();
        if !unmet.is_empty()
            && let Err(error) = file.keep(&unmet)
        {
            tracing::warn!(%error, count = unmet.len(), "revocations could not be copied to the local file");
        }
    }

    /// Before everything is read anew: whether another process has held the file against what the log is now.
    pub(super) fn begin_comparison(&self, file: &dyn LocalCopy, reader: &mut Reader) -> Result<(), LogError> {
        if !matches!(reader.copying.comparing, Reconciling::Wanted) {
            return Ok(());
        }
        let before = match file.copied() {
            Ok(before) => before,
            Err(error) => {
                reader.copying.end(&error);
                return Ok(());
            }
        };
        let is_known = self.reader.with(Duration::ZERO, |connection, _| {
            let answer = self.ask(connection, before.cursor.position)?;
            Ok(answer.is_read_by(&before.version, before.cursor))
        })?;
        let copying = &mut reader.copying;
        if is_known {
            (copying.from, copying.comparing) = (Some(before.cursor), Reconciling::No);
        } else {
            match Reconciliation::begin(file, before) {
                Ok(comparison) => copying.comparing = Reconciling::Running(comparison),
                Err(error) => copying.end(&error),
            }
        }
        // What was found out is true of the server that was asked, and no other: if reading breaks off, it is asked again.
        reader.is_midway = true;
        Ok(())
    }

    /// Everything was read anew, to the head: the file is told what the log lacks. False where that is to be done again.
    pub(super) fn end_comparison(&self, file: &dyn LocalCopy, reader: &mut Reader, head: Cursor) -> bool {
        if !reader.copying.is_comparing() && reader.copying.given_up.is_none() {
            return true;
        }
        let read_at = reader.copying.whole_at;
        let is_failing = reader.copying.failing.is_some();
        self.write_copy(file, reader, !is_failing);
        let facts = *self.last_facts.lock();
        let version = reader.version().unwrap_or_default();
        let copying = &mut reader.copying;
        if !copying.met.is_empty() {
            match &copying.failing {
                // It goes on at the next head.
                Some(failing) if failing.since.elapsed() < FAILING_MAX => return true,
                Some(failing) => {
                    let error = failing.error.clone();
                    copying.end(&error);
                }
                None => return true,
            }
        }
        let comparing = std::mem::replace(&mut copying.comparing, Reconciling::No);
        if let Some(comparison) = copying.given_up.take() {
            // It is put back from memory then, as much as there is room for.
            reader.owed.extend(comparison.lacking(file));
        }
        let Reconciling::Running(comparison) = comparing else { return true };
        let to = Copied { version, cursor: head, head: head.position, read_at, ..Copied::default() };
        match comparison.conclude(file, &to, facts) {
            Ok(None) => return false,
            Ok(Some(lacking)) => {
                if lacking > 0 {
                    tracing::warn!(lacking, "the log lacks revocations that the local file has: putting them back");
                }
                copying.from = Some(head);
                copying.kept_through = copying.kept_through.max(comparison.through);
                copying.unsent = Outbox::of(comparison.texts);
            }
            Err(error) => {
                copying.end(&error);
                reader.owed.extend(comparison.lacking(file));
            }
        }
        true
    }

    /// Gives the log what the file has and it has not: a chunk, if the one before has come back. Answers within what time to go
    /// on, if there is more.
    pub(super) fn send_unsent(&self, file: &dyn LocalCopy, reader: &mut Reader) -> Result<Option<Duration>, LogError> {
        let watermark = reader.watermark();
        let unsent = &mut reader.copying.unsent;
        if unsent.chunk.is_empty() {
            unsent.load_chunk(file, watermark)?;
            // Others have the same chunk: who is first gives it, and the others see it come.
            return Ok(unsent.is_there.then_some(CHUNK_WITHIN));
        }
        let texts: Arc<[Box<str>]> = unsent.chunk.keys().cloned().collect();
        let times = texts.iter().map(|text| entry::recorded_at(text)).collect();
        self.append_texts(&texts, times, Patience::None)?;
        Ok(Some(Duration::ZERO))
    }

    /// Keeps in the file what the log could not be given, if that is what to do.
    pub(super) fn keep(&self, records: &[Record], error: LogError) -> Result<Appended, LogError> {
        match &self.copy {
            Some(file) if self.outage == OnOutage::Keep => {
                let count = records.len();
                tracing::warn!(%error, count, "revocations are kept in the local file until the log takes them");
                // What may be in the log after all is not certain to be nowhere.
                let kept = file.keep(records).map_err(|fault| if error.is_certain() { fault } else { error })?;
                Ok(Appended { first: 0, last: Cursor::default(), follows: Follows::ToBeRead, ..kept })
            }
            Some(_) | None => Err(error),
        }
    }
}
