//! The copy of the log in a file of this machine: what a node starts from, and puts back from.
//!
//! The stream is followed as without it, and what was met is written to the file a little later. After the stream has lost
//! something, the file is compared with the whole of it: each gets what only the other has. What the file can't do any more,
//! the node does without it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::RedisLog;
use super::append::{Patience, STEP_MAX};
use super::encoded::{self, Encoded};
use super::local_file::{LocalFile, Reconciling, WAITING_MAX};
use super::outbox::{Outbox, unsent_records};
use super::reader::Reader;
use super::reconciliation::Reconciliation;
use super::server_state::LogIdentity;
use crate::log::local_copy::{Copied, LocalCopy};
use crate::log::{Appended, Cursor, Facts, Follows, LogError, OnOutage, Read, Standing, Visit};
use crate::revocation::{Durability, Record};

/// Within what time a chunk is given to the log, at a moment of each node's own.
const CHUNK_WITHIN: Duration = Duration::from_millis(100);

/// For how long a comparison waits for a file that can't be written.
const FAILING_MAX: Duration = Duration::from_secs(30);

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
            let (kept_through, records) = (file.last()?, unsent_records(file)?);
            let (copied, read) = file.load(visit)?;
            let Read::ToHead { facts, junk, unknown_kinds, .. } = read else { return Ok(read) };
            // The file's own generation says nothing of the log.
            let facts = Facts { generation: None, ..facts };
            let copying = &mut reader.copying;
            (copying.kept_through, copying.unsent.records) = (kept_through, Some(records));
            (copying.from, copying.is_loaded) = (Some(copied.cursor), true);
            reader.start_from(LogIdentity::parse(&copied.version), copied.head);
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
            records.for_each(|record| held.put(&encoded::write(record), record.keep_until));
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
            copying.has_kept |= file.has_changed()?;
            if !copying.has_kept {
                return Ok(());
            }
            loop {
                let kept = file.unsent(copying.kept_through, STEP_MAX)?;
                let Some((last, _)) = kept.last() else {
                    copying.has_kept = false;
                    return Ok(());
                };
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
        unmet.extend(std::mem::take(&mut reader.to_repair));
        let erased = self.erased.records();
        let unmet = unmet.iter().filter(|bytes| !erased.contains(*bytes));
        let unmet: Vec<Record> = unmet.filter_map(|bytes| encoded::record(bytes)).collect();
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
        let is_known = self.reader.with(Duration::ZERO, |wire, _| {
            let answer = self.ask(wire, before.cursor.position, 1)?;
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
        reader.is_interrupted = true;
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
            reader.to_repair.extend(comparison.lacking(file, WAITING_MAX));
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
                copying.unsent = Outbox::of(comparison.records);
            }
            Err(error) => {
                copying.end(&error);
                reader.to_repair.extend(comparison.lacking(file, WAITING_MAX));
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
            unsent.load_chunk(file, watermark, &self.erased.records())?;
            // Others have the same chunk: who is first gives it, and the others see it come.
            return Ok(unsent.is_there.then_some(CHUNK_WITHIN));
        }
        let records: Arc<[Encoded]> = unsent.chunk.keys().cloned().collect();
        self.append_encoded(&records, Patience::None)?;
        Ok(Some(Duration::ZERO))
    }

    /// Keeps in the file what the log could not be given, if that is what to do.
    pub(super) fn keep(&self, records: &[Record], error: LogError) -> Result<Appended, LogError> {
        match &self.copy {
            Some(file) if self.outage == OnOutage::Keep => {
                let count = records.len();
                tracing::warn!(%error, count, "revocations are kept in the local file until the log takes them");
                // What may be in the log after all is not certain to be nowhere.
                file.keep(records).map_err(|fault| if error.is_certain() { fault } else { error })?;
                let (last, durability) = (Cursor::default(), Durability::LocalFile);
                Ok(Appended { first: 0, last, follows: Follows::ToBeRead, durability })
            }
            Some(_) | None => Err(error),
        }
    }
}
