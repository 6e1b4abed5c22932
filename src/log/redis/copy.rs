//! The copy of the log in a file of this machine: what a node starts from, and puts back from.
//!
//! The stream is followed as without it, and what was met is written to the file a little later. After the stream has lost
//! something, the file is compared with the whole of it: each gets what only the other has.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use super::RedisLog;
use super::entry::{self, Entry, Parsed};
use super::put_back::{STEP_MAX, is_live};
use super::read::{Known, Reader};
use crate::clock::UnixTime;
use crate::log::copy::{Compared, Copied, LogCopy, Met};
use crate::log::written::NoRecord;
use crate::log::{Appended, Cursor, Facts, Follows, LogError, OnOutage, Read, Standing, Visit};
use crate::revocation::Record;

/// How far apart the file is written while there is always something to copy.
const WRITE_INTERVAL: Duration = Duration::from_millis(50);

/// How often it is noted that the copy is whole, where nothing else is to be copied.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// How many entries are written at once, so that other processes on the file don't wait for long.
const WRITE_MAX: usize = 10_000;

/// How many entries wait for a file that can't be written. With more, copying ends until the log is opened again.
const WAITING_MAX: usize = 100_000;

/// Where copying stands.
pub(super) struct Copying {
    is_loaded: bool,
    /// What was met and is not in the file yet, which goes as far as `from`. None where copying has ended.
    from: Option<Cursor>,
    met: Vec<Met>,
    /// When what was met was all that there was.
    whole_at: Option<UnixTime>,
    written: Option<Instant>,
    noted: Option<Instant>,
    comparing: Comparing,
    /// Whether the file may have what the log was not given.
    pub(super) has_unsent: bool,
    /// The last position in the file that was given to the log and has not been met in it.
    sent_through: i64,
    sent: Vec<Sent>,
    /// What the file had that the log was perhaps not given, as far as it fits in here, and which of it was met in the log.
    doubtful: HashMap<Box<str>, i64>,
    settled: Vec<i64>,
    /// The last position in the file of what other processes have kept and this one has taken in.
    kept_through: i64,
}

impl Default for Copying {
    fn default() -> Self {
        Self {
            is_loaded: false,
            from: Some(Cursor::default()),
            met: Vec::new(),
            whole_at: None,
            written: None,
            noted: None,
            comparing: Comparing::No,
            has_unsent: true,
            sent_through: 0,
            sent: Vec::new(),
            doubtful: HashMap::new(),
            settled: Vec::new(),
            kept_through: 0,
        }
    }
}

/// Whether the file is held against the whole of the log.
enum Comparing {
    No,
    /// When the log is read anew, unless another process has.
    Wanted,
    Running(Comparison),
}

/// The records of the file, by hashes of their texts, and which of them the log has.
struct Comparison {
    before: Copied,
    hasher: RandomState,
    hashes: Vec<u64>,
    met: Vec<bool>,
    /// The last position in the file that is compared.
    through: i64,
}

/// Records of the file that were given to the log: at which of its positions they end, and where they are in the file.
struct Sent {
    end: Cursor,
    positions: Vec<i64>,
}

impl Comparison {
    fn begin(file: &dyn LogCopy, before: Copied) -> Result<Self, LogError> {
        let (hasher, mut hashes, mut through) = (RandomState::new(), Vec::new(), 0);
        file.for_each(&mut |position, record| {
            hashes.push(hasher.hash_one(&*entry::write(&record)));
            through = position;
        })?;
        hashes.sort_unstable();
        hashes.dedup();
        let met = vec![false; hashes.len()];
        Ok(Self { before, hasher, hashes, met, through })
    }

    /// Whether the file has this text.
    fn meet(&mut self, text: &str) -> bool {
        let found = self.hashes.binary_search(&self.hasher.hash_one(text));
        if let Ok(at) = found {
            self.met[at] = true;
        }
        found.is_ok()
    }

    /// Notes in the file what the log lacks of it, and how far it goes now.
    fn conclude(self, file: &dyn LogCopy, to: &Copied, facts: Facts) -> Result<usize, LogError> {
        let Self { before, hasher, hashes, met, through } = self;
        let mut found = Compared { through, unsent: Vec::new(), twice: Vec::new() };
        let mut seen = vec![false; hashes.len()];
        file.for_each(&mut |position, record| {
            let at = hashes.binary_search(&hasher.hash_one(&*entry::write(&record)));
            // What other processes have written since is theirs.
            let Some(at) = at.ok().filter(|_| position <= through) else { return };
            if std::mem::replace(&mut seen[at], true) {
                found.twice.push(position);
            } else if !met[at] {
                found.unsent.push(position);
            }
        })?;
        file.conclude(&before, to, facts, &found)?;
        Ok(found.unsent.len())
    }
}

impl Copying {
    /// Takes note of an entry that was read. `head` is how far this process had read before, without a gap.
    pub(super) fn meet(&mut self, entry: &Entry<'_>, parsed: &Parsed<'_>, cursor: Cursor, head: i64) {
        let Some(from) = self.from else { return };
        if matches!(parsed.record(), Err(NoRecord::UnknownKind)) {
            // A signoff that knows it must find it when it starts from the file: nothing behind it is copied.
            tracing::warn!("the copy of the log ends at a revocation of a kind that only a newer signoff knows");
            self.from = None;
            return;
        }
        // What was met before is met again after a read that was ended.
        if cursor.position <= self.met.last().map_or(from, |(last, _)| *last).position {
            return;
        }
        let is_there = match &mut self.comparing {
            Comparing::Running(comparison) => comparison.meet(entry.text),
            // Written again by a collection after it was copied.
            Comparing::No | Comparing::Wanted => entry.again.is_some_and(|before| before <= head),
        };
        self.settled.extend(self.doubtful.remove(entry.text));
        self.met.push((cursor, if is_there { None } else { parsed.whole() }));
    }

    pub(super) fn is_full(&self) -> bool {
        self.met.len() >= WRITE_MAX
    }

    /// The log was read to its head, and what was met until then was all that there was at this time.
    pub(super) fn is_whole(&mut self, at: UnixTime) {
        self.whole_at = Some(at);
    }

    /// Writes what was met to the file. `version` is that of the log it was met in.
    pub(super) fn write(&mut self, file: &dyn LogCopy, version: &str, facts: Facts) {
        let Some(from) = self.from else { return };
        let cursor = self.met.last().map_or(from, |(cursor, _)| *cursor);
        let is_due = !self.met.is_empty() || self.whole_at.is_some();
        if !is_due {
            return;
        }
        self.written = Some(Instant::now());
        let done = match self.comparing {
            Comparing::Running(_) => file.add(&self.met).map(|()| true),
            Comparing::No | Comparing::Wanted => {
                let to = Copied { version: version.to_owned(), cursor, read_at: self.whole_at };
                file.advance(from, &to, &self.met, facts)
            }
        };
        match done {
            Ok(true) => {
                if self.whole_at.take().is_some() {
                    self.noted = self.written;
                }
                self.from = Some(cursor);
                self.met.clear();
                return;
            }
            // Another process has found out first that the log has lost something; this one will.
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "degraded: the local file of the revocation log can't be written"),
        }
        if self.met.len() > WAITING_MAX {
            self.from = None;
            self.met = Vec::new();
        }
    }

    /// Where in the file that stands which is now copied from the log too.
    fn take_settled(&mut self) -> Vec<i64> {
        if !self.met.is_empty() {
            return Vec::new();
        }
        let mut settled = std::mem::take(&mut self.settled);
        self.sent.retain_mut(|sent| {
            let is_copied = self.from.is_some_and(|from| sent.end.position <= from.position);
            if is_copied {
                settled.append(&mut sent.positions);
            }
            !is_copied
        });
        settled
    }

    /// Whether there is so much to be written, or so old, that it should be.
    fn is_due(&self) -> bool {
        let is_over = |last: Option<Instant>, interval| last.is_none_or(|at| at.elapsed() >= interval);
        match self.met.is_empty() {
            true => self.whole_at.is_some() && is_over(self.noted, NOTE_INTERVAL),
            false => self.is_full() || is_over(self.written, WRITE_INTERVAL),
        }
    }

    /// Everything is to be read anew. What could not be written by now was met in a log that is gone.
    pub(super) fn begin_anew(&mut self, file: &dyn LogCopy) {
        let owed: Vec<Record> = std::mem::take(&mut self.met).into_iter().filter_map(|(_, record)| record).collect();
        if !owed.is_empty()
            && let Err(error) = file.keep(&owed)
        {
            tracing::warn!(%error, count = owed.len(), "revocations could not be copied to the local file");
        }
        self.comparing = Comparing::Wanted;
        (self.from, self.whole_at) = (Some(Cursor::default()), None);
        (self.sent_through, self.has_unsent) = (0, true);
        self.sent.clear();
        self.doubtful.clear();
        self.settled.clear();
    }
}

impl RedisLog {
    /// Reads on from the file where that was not read yet, and then from the log.
    pub(super) fn read_with_copy(
        &self,
        file: &dyn LogCopy,
        reader: &mut Reader,
        after: Cursor,
        visit: Visit<'_>,
    ) -> Result<Read, LogError> {
        let (mut start, mut loaded) = (after, None);
        if !reader.copying.is_loaded {
            let (copied, read) = file.load(visit)?;
            let Read::ToHead { facts, junk, unknown_kinds, .. } = read else { return Ok(read) };
            reader.copying.is_loaded = true;
            reader.copying.from = Some(copied.cursor);
            reader.start_from(Known::parse(&copied.version));
            let doubtful = file.unsent(0, STEP_MAX)?.into_iter();
            reader.copying.doubtful = doubtful.map(|(position, record)| (entry::write(&record), position)).collect();
            start = copied.cursor;
            loaded = Some((facts, junk, unknown_kinds, copied.read_at));
        }
        let has_kept = self.read_kept(file, &mut reader.copying, visit)?;
        self.write_copy(file, reader, false);
        let read = self.read_stream(reader, start, visit);
        let Some((facts, junk, unknown_kinds, read_at)) = loaded else {
            return match read {
                // What was taken in must be heard of, whatever else is wrong.
                Err(error) if has_kept => {
                    reader.standing = Standing::Unproven(error);
                    Ok(Read::ToHead { cursor: after, facts: *self.last_facts.lock(), junk: 0, unknown_kinds: 0 })
                }
                Ok(Read::Unchanged) if has_kept => {
                    Ok(Read::ToHead { cursor: after, facts: *self.last_facts.lock(), junk: 0, unknown_kinds: 0 })
                }
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

    /// Takes in what other processes have kept in the file.
    fn read_kept(&self, file: &dyn LogCopy, copying: &mut Copying, visit: Visit<'_>) -> Result<bool, LogError> {
        let mut has_kept = false;
        if !file.has_changed()? {
            return Ok(false);
        }
        loop {
            let kept = file.unsent(copying.kept_through, STEP_MAX)?;
            let Some((last, _)) = kept.last() else { return Ok(has_kept) };
            (copying.kept_through, copying.has_unsent, has_kept) = (*last, true, true);
            for (_, record) in &kept {
                // Whether to go on is asked again by what the log itself has.
                let _is_asked_again = visit(record.borrow());
            }
        }
    }

    /// Writes what was met to the file, when it is time or in any case.
    pub(super) fn write_copy(&self, file: &dyn LogCopy, reader: &mut Reader, now: bool) {
        let Some(version) = reader.version() else { return };
        if now || reader.copying.is_due() {
            reader.copying.write(file, &version, *self.last_facts.lock());
        }
        let settled = reader.copying.take_settled();
        if !settled.is_empty()
            && let Err(error) = file.sent(&settled)
        {
            // They are there twice then, and are given to the log once more.
            tracing::debug!(%error, "what was sent could not be taken from the local file");
        }
    }

    /// Writes what is in hand. What this process appended and has not met is kept as what the log may lack: it was
    /// acknowledged, and nobody else may have heard of it.
    pub(super) fn end_copy(&self, file: &dyn LogCopy, reader: &mut Reader) {
        self.write_copy(file, reader, true);
        let unmet = self.unseen.lock().take_acknowledged();
        let unmet: Vec<Record> = unmet.iter().filter_map(|text| entry::record(text)).collect();
        if !unmet.is_empty()
            && let Err(error) = file.keep(&unmet)
        {
            tracing::warn!(%error, count = unmet.len(), "revocations could not be copied to the local file");
        }
    }

    /// Before everything is read anew: whether another process has held the file against what the log is now.
    pub(super) fn begin_comparison(&self, file: &dyn LogCopy, reader: &mut Reader) -> Result<(), LogError> {
        if !matches!(reader.copying.comparing, Comparing::Wanted) {
            return Ok(());
        }
        let before = file.copied()?;
        let is_known = self.reader.with(Duration::ZERO, |connection, _| {
            let answer = self.ask(connection, before.cursor.position)?;
            Ok(answer.is_read_by(&before.version, before.cursor))
        })?;
        reader.copying.comparing = match is_known {
            true => {
                reader.copying.from = Some(before.cursor);
                Comparing::No
            }
            false => Comparing::Running(Comparison::begin(file, before)?),
        };
        Ok(())
    }

    /// Everything was read anew, to the head: the file is told what the log lacks.
    pub(super) fn end_comparison(&self, file: &dyn LogCopy, reader: &mut Reader, head: Cursor) {
        if !matches!(reader.copying.comparing, Comparing::Running(_)) {
            return;
        }
        self.write_copy(file, reader, true);
        let version = reader.version().unwrap_or_default();
        let copying = &mut reader.copying;
        let comparing = std::mem::replace(&mut copying.comparing, Comparing::No);
        // Where copying has ended, not everything was compared.
        let (Comparing::Running(comparison), Some(_)) = (comparing, copying.from) else { return };
        let to = Copied { version, cursor: head, read_at: copying.whole_at.take() };
        match comparison.conclude(file, &to, *self.last_facts.lock()) {
            Ok(lacking) => {
                if lacking > 0 {
                    tracing::warn!(lacking, "the log lacks revocations that the local file has: putting them back");
                }
                copying.from = Some(head);
            }
            Err(error) => {
                tracing::warn!(%error, "degraded: the local file of the revocation log can't be written");
                copying.from = None;
            }
        }
    }

    /// Gives the log what the file has and it has not.
    pub(super) fn send_unsent(&self, file: &dyn LogCopy, reader: &mut Reader) -> Result<(), LogError> {
        while reader.copying.has_unsent {
            let unsent = file.unsent(reader.copying.sent_through, STEP_MAX)?;
            let Some((last, _)) = unsent.last() else {
                reader.copying.has_unsent = false;
                break;
            };
            let last = *last;
            let watermark = reader.watermark();
            let live = unsent.iter().filter(|(_, record)| is_live(record.keep_until, watermark));
            let texts: Vec<Box<str>> = live.clone().map(|(_, record)| entry::write(record)).collect();
            if !texts.is_empty() {
                let times = live.map(|(_, record)| record.recorded_at.as_millis()).collect();
                let end = self.append_texts(&texts, times, Duration::ZERO)?.last;
                let positions = unsent.iter().map(|(position, _)| *position).collect();
                reader.copying.sent.push(Sent { end, positions });
            }
            reader.copying.sent_through = last;
        }
        Ok(())
    }

    /// Keeps in the file what the log could not be given, if that is what to do.
    pub(super) fn keep(&self, records: &[Record], error: LogError) -> Result<Appended, LogError> {
        match &self.copy {
            Some(file) if self.outage == OnOutage::Keep => {
                tracing::warn!(%error, count = records.len(), "revocations are kept in the local file until the log takes them");
                // What may be in the log after all is not certain to be nowhere.
                let kept = file.keep(records).map_err(|fault| if error.is_certain() { fault } else { error })?;
                Ok(Appended { first: 0, last: Cursor::default(), follows: Follows::ToBeRead, ..kept })
            }
            Some(_) | None => Err(error),
        }
    }
}
