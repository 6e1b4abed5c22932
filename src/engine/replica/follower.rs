//! Reading the log forward into the index.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use super::freshness::Moment;
use super::{Follower, Lowered, Replica};
use crate::clock::{Times, UnixTime};
use crate::index::{Batch, Merge};
use crate::limits::COLLECT_INTERVAL_WHEN_NEARLY_FULL;
use crate::log::{Cursor, LogError, Note, Read, Standing};

/// How far the opening of a log has come.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Records read so far.
    pub read: u64,
    /// About how many there are.
    pub total: u64,
}

/// From how many records on they become segments of their own, rather than go through the recent set.
const BATCH_MIN: usize = 4096;

/// How many records become one segment: as many as are sorted quickly and merged rarely.
const BATCH_MAX: usize = 1 << 20;

/// After how many records progress is told.
const TELL_EACH: u64 = 1 << 16;

/// What following found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    Nothing,
    Records(u64),
    /// The log had to be read anew.
    Anew,
}

impl Replica {
    /// Reads what is new in the log, and renews the freshness.
    ///
    /// # Errors
    /// What the log says. Freshness then stays what it was.
    pub(super) fn follow(&self, times: Times) -> Result<Followed, LogError> {
        self.see_clock(times.wall());
        let mut follower = self.follower.lock();
        let done = self.follow_from(&mut follower, Moment::of(times), &mut |_| ControlFlow::Continue(()));
        drop(follower);
        self.learn_clock();
        self.look_for_erased();
        if self.log.note() == Some(Note::ServerNearlyFull) {
            self.collect_soon(times, COLLECT_INTERVAL_WHEN_NEARLY_FULL);
        }
        let before = std::mem::replace(&mut *self.fault.lock(), done.as_ref().err().cloned());
        match (&before, &done) {
            (None, Err(error)) => tracing::warn!(%error, "degraded: the revocation log can't be read"),
            (Some(_), Ok(_)) => tracing::info!("recovered: the revocation log is read again"),
            _ => {}
        }
        done
    }

    fn follow_from(
        &self,
        follower: &mut Follower,
        moment: Moment,
        tell: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Followed, LogError> {
        follower.cursor = self.behind_bound(follower.cursor);
        self.applied.store(follower.cursor.position, Ordering::Relaxed);
        match self.read_on(follower, tell)? {
            Read::Unchanged => self.renew(follower, moment).map(|()| Followed::Nothing),
            Read::ToHead { .. } => self.renew(follower, moment).map(|()| Followed::Records(0)),
            Read::Stopped => Err(LogError::CatchUp { waited: self.options.open_timeout }),
            Read::Rewound => self.read_anew(follower, moment, tell),
        }
    }

    /// Reads everything from the beginning: the log is not the one that was read, or its watermark was taken back.
    fn read_anew(
        &self,
        follower: &mut Follower,
        moment: Moment,
        tell: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Followed, LogError> {
        // Nothing that is held is dropped; what the log has is read beside it.
        tracing::warn!("the revocation log is not the one that was read before: reading it anew");
        follower.freshness.forget(&self.freshness);
        self.backed.is_lost();
        self.forget_bound();
        // A second time where the log that is there now has a lower watermark than the one before.
        for _ in 0..2 {
            follower.cursor = Cursor::default();
            self.junk.store(0, Ordering::Relaxed);
            self.head.store(0, Ordering::Relaxed);
            match self.read_on(follower, tell)? {
                Read::ToHead { .. } | Read::Unchanged => return self.renew(follower, moment).map(|()| Followed::Anew),
                Read::Rewound => {}
                Read::Stopped => break,
            }
        }
        Err(LogError::CatchUp { waited: self.options.open_timeout })
    }

    /// The log was read to its head: that is as fresh as the log is known to be the one that others write to.
    fn renew(&self, follower: &mut Follower, moment: Moment) -> Result<(), LogError> {
        match self.log.standing() {
            Standing::Proven => {
                follower.freshness.renew(&self.freshness, moment, self.watermark());
                Ok(())
            }
            Standing::Pending => Ok(()),
            Standing::Unproven(error) => Err(error),
            Standing::Copied { at, error } => {
                if let Some(moment) = Moment::earlier(self.now(), at) {
                    follower.freshness.renew(&self.freshness, moment, self.watermark());
                }
                Err(error)
            }
        }
    }

    /// Waits for others to write to the log. False where it must be looked for.
    pub(super) fn wait_for_news(&self) -> bool {
        let cursor = self.follower.lock().cursor;
        self.log.wait_for_news(cursor)
    }

    /// Reads from where the follower stands to the head. Few records go through the recent set at once;
    /// many are built into segments by a second thread while they are read.
    fn read_on(&self, follower: &mut Follower, tell: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<Read, LogError> {
        let (collections, start) = (self.collections.lock().count, follower.cursor);
        let (mut count, mut batch) = (0_u64, Batch::default());
        let erasures = self.log.erasures();
        let read = std::thread::scope(|scope| {
            let mut builder = None;
            let read = self.log.read(follower.cursor, &mut |record| {
                count += 1;
                if count == 1 {
                    self.backed.is_reading();
                }
                self.index.put(&mut batch, &record);
                if batch.len() >= BATCH_MAX {
                    let sender = builder.get_or_insert_with(|| {
                        let (sender, batches) = sync_channel::<Batch>(1);
                        scope.spawn(move || batches.into_iter().for_each(|batch| self.index.add(batch)));
                        sender
                    });
                    // The builder is there until the sender has gone.
                    let _sent = sender.send(std::mem::take(&mut batch));
                }
                if count % TELL_EACH == 0 { tell(count) } else { ControlFlow::Continue(()) }
            });
            drop(builder);
            read
        })?;
        let is_large = batch.len() >= BATCH_MIN;
        let to_merge = match is_large {
            true => {
                self.index.add(batch);
                true
            }
            false => self.index.insert_all(batch),
        };
        if count > 0 {
            self.note_late(erasures);
        }
        if let Read::ToHead { cursor, facts, junk, unknown_kinds } = read {
            if self.is_taken_back(facts.watermark, start, collections) {
                return Ok(Read::Rewound);
            }
            follower.cursor = cursor;
            self.head.fetch_max(cursor.position, Ordering::Relaxed);
            self.applied.store(cursor.position, Ordering::Relaxed);
            self.learn(facts, collections);
            self.backed.has_read(cursor, facts.generation);
            self.junk.fetch_add(junk, Ordering::Relaxed);
            follower.freshness.add_unknown_kinds(&self.freshness, unknown_kinds);
        }
        if to_merge {
            self.signal.wake_merger();
        }
        Ok(read)
    }

    /// Whether the watermark was taken back, and the log must be read anew before it is believed: the index may have left out
    /// what it made up for, and the log may still have that.
    fn is_taken_back(&self, watermark: Option<UnixTime>, start: Cursor, collections: u64) -> bool {
        let mut state = self.collections.lock();
        let is_lower = watermark < self.bounds.watermark() && state.count == collections;
        let is_read_anew = start.position == 0 && matches!(state.lowered, Lowered::To(lowered) if lowered <= watermark);
        if !is_lower || is_read_anew {
            return false;
        }
        // From now on, and until it is believed, nothing is left out that counts by the lower one.
        state.lowered = Lowered::To(watermark);
        self.index.collect(watermark.unwrap_or_default());
        true
    }

    /// Reads the log for the first time, within the time that opening may take.
    pub(super) fn catch_up(&self, progress: &mut dyn FnMut(Progress)) -> Result<(), LogError> {
        let started = Instant::now();
        let total = self.log.count_after(Cursor::default())?;
        self.head.store(i64::try_from(total).unwrap_or(i64::MAX), Ordering::Relaxed);
        let mut follower = self.follower.lock();
        let mut tell = |read| {
            progress(Progress { read, total: total.max(read) });
            match started.elapsed() > self.options.open_timeout {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        // A second time for what came while it read, so that the engine starts as fresh as one that reads a short log.
        for _ in 0..2 {
            match self.follow_from(&mut follower, Moment::of(Times::now()), &mut tell) {
                // It starts from the copy that it has, as old as that is.
                Err(error) if error.is_away() && self.log.has_copy() => *self.fault.lock() = Some(error),
                done => *self.fault.lock() = done.map(|_| None)?,
            }
        }
        self.head.store(follower.cursor.position, Ordering::Relaxed);
        progress(Progress { read: total, total });
        Ok(())
    }

    /// Merges until there is nothing to merge.
    pub(in crate::engine) fn merge_all(&self) {
        loop {
            let started = Instant::now();
            let merge = self.index.merge();
            if merge != Merge::Nothing {
                let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.merging.fetch_add(micros, Ordering::Relaxed);
            }
            match merge {
                Merge::Nothing => return,
                Merge::Merged { records } => tracing::debug!(records, "merged"),
                Merge::WithoutFilter { records } => {
                    tracing::warn!(records, "merge failed to build a filter; the exact table is asked alone");
                }
            }
        }
    }
}
