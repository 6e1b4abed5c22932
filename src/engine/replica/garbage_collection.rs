//! Collection: deleting records that can match no acceptable token any more.
//!
//! The time goes by this machine's clock, never by one that a verification was given, and only as long
//! as that clock is to be believed: a clock that is ahead would end every revocation.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::clock_check::CollectionPause;
use super::group_commit::Request;
use super::{Replica, Threads};
use crate::clock::{ClockTrust, Times, UnixTime};
use crate::limits::{COLLECT_INTERVAL, CUT_OFF_IN_FUTURE_MAX};
use crate::log::{LifetimeChange, LogError, Room, advance};

/// What [`Engine::compact`](crate::Engine::compact) did.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// How many records were deleted.
    pub deleted: u64,
    /// Whether the room that they took can be given back only by [`Engine::rewrite_log`](crate::Engine::rewrite_log): the file
    /// was made by an earlier version. New records use it all the same.
    pub rewrite_needed: bool,
    /// Tokens that expired more than ten minutes before this are expired whatever a clock says.
    pub watermark: Option<UnixTime>,
}

/// How many records the first transaction deletes, and any at least: fewer take hardly less time, since each waits for the disk.
const COLLECT_MIN: usize = 1000;

/// How many one deletes at most.
const COLLECT_MAX: usize = 16_000;

/// How long one holds the log, about, if it deletes more than the least. Between two, revocations have as long again.
const STEP: Duration = Duration::from_millis(100);

/// How long whoever waits for another process sleeps at most before it looks again; each tenth pause lasts so long.
const BUSY_SLEEP: Duration = Duration::from_millis(100);

/// How often a step is tried that others leave no room for.
const TRIES: u32 = 10;

/// For how long a host's own thread collects in one call.
const COLLECT_AT_ONCE: Duration = Duration::from_millis(50);

/// Whether there is more to be deleted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    None,
    Some,
}

impl Replica {
    /// Collects when the time has come.
    pub(super) fn collect_if_due(&self, times: Times, trust: ClockTrust) {
        let due = self.observed.lock().last.is_none_or(|last| times.boot().saturating_sub(last) >= COLLECT_INTERVAL);
        if !due {
            return;
        }
        // A thread of the log's own goes on until it is done; the host's is back before long, and goes on at the next call.
        let budget = (self.options.threads == Threads::None).then_some(COLLECT_AT_ONCE);
        match self.collect_within(times, trust, budget) {
            Ok((_, Rest::Some)) => self.observed.lock().last = None,
            Ok((_, Rest::None)) => {}
            // Somebody else does.
            Err(LogError::Busy { .. }) if self.log.is_elsewhere() => {}
            Err(error) => tracing::warn!(%error, "collection failed"),
        }
    }

    /// Has it done soon, since there is no room left for log-outs, unless it was just done.
    pub(super) fn collect_soon(&self, times: Times, not_within: Duration) {
        let mut observed = self.observed.lock();
        if observed.last.is_none_or(|last| times.boot().saturating_sub(last) >= not_within) {
            observed.last = None;
            drop(observed);
            self.signal.wake_merger();
        }
    }

    /// Deletes what has expired, and commits the watermark. None deleted while it pauses.
    pub(in crate::engine) fn collect(&self, times: Times, trust: ClockTrust) -> Result<u64, LogError> {
        self.collect_within(times, trust, None).map(|(deleted, _)| deleted)
    }

    /// The same within a time, in steps between which revocations have their turn.
    fn collect_within(
        &self,
        times: Times,
        trust: ClockTrust,
        budget: Option<Duration>,
    ) -> Result<(u64, Rest), LogError> {
        let mut deleted = 0;
        self.observed.lock().last = Some(times.boot());
        if !self.may_collect(times, trust)? {
            return Ok((0, Rest::None));
        }
        let (begun, mut max) = (Instant::now(), COLLECT_MIN);
        for step in 1_u32.. {
            let started = Instant::now();
            let more = match budget {
                None => self.patiently(|| self.collect_some(times, max, trust, &mut deleted))?,
                Some(_) => self.collect_some(times, max, trust, &mut deleted)?,
            };
            if !more {
                return Ok((deleted, Rest::None));
            }
            let took = started.elapsed();
            max = match took {
                long if long > STEP => (max / 2).max(COLLECT_MIN),
                short if short < STEP / 2 => (max * 2).min(COLLECT_MAX),
                _ => max,
            };
            if budget.is_some_and(|budget| begun.elapsed() >= budget) || self.give_way(step, took) {
                break;
            }
        }
        Ok((deleted, Rest::Some))
    }

    /// Works again where others left no room for so long: they come first, and are done some day.
    fn patiently<T>(&self, mut work: impl FnMut() -> Result<T, LogError>) -> Result<T, LogError> {
        for _ in 1..TRIES {
            match work() {
                Err(LogError::Busy { .. }) if !self.signal.pause(BUSY_SLEEP) => {}
                done => return done,
            }
        }
        work()
    }

    /// Lets others write after a step that took so long. True when it is time to stop.
    fn give_way(&self, step: u32, took: Duration) -> bool {
        let pause = if step.is_multiple_of(10) { took.max(BUSY_SLEEP) } else { took.max(Duration::from_millis(1)) };
        self.signal.pause(pause)
    }

    /// Gives back the room that deleted records took, in such steps too. False where that takes a rewriting.
    pub(in crate::engine) fn give_back(&self) -> Result<bool, LogError> {
        for step in 1_u32.. {
            let started = Instant::now();
            match self.patiently(|| self.log.give_back())? {
                Room::GivenBack => return Ok(true),
                Room::Kept => return Ok(false),
                Room::Some if self.give_way(step, started.elapsed()) => return Ok(true),
                Room::Some => {}
            }
        }
        Ok(true)
    }

    /// Whether the clock is good enough.
    fn may_collect(&self, times: Times, trust: ClockTrust) -> Result<bool, LogError> {
        let mut observed = self.observed.lock();
        let pause = self.doubt(&mut observed, times);
        let pause = pause.filter(|_| trust == ClockTrust::Doubt);
        if pause.is_some() && observed.pause.is_none() {
            tracing::warn!(why = %pause.map_or_else(String::new, |pause| pause.to_string()), "collection paused");
        }
        observed.pause = pause;
        // As long as the log was not read, nothing is known that the clock could be held against.
        let is_unread = trust == ClockTrust::Doubt && self.age(times).is_none();
        if observed.pause.is_some() || is_unread {
            return Ok(false);
        }
        // Whoever asks how the engine is must not wait for the disk.
        drop(observed);
        if trust == ClockTrust::Confirmed {
            self.log.confirm_time(times.wall(), None)?;
            self.newest.store(times.wall().as_millis(), Ordering::Relaxed);
            self.observed.lock().offsets.clear();
        }
        Ok(true)
    }

    /// Deletes up to `max` of what has expired. True if there may be more.
    fn collect_some(&self, times: Times, max: usize, trust: ClockTrust, deleted: &mut u64) -> Result<bool, LogError> {
        let collected = self.log.collect(times.wall(), max, trust)?;
        *deleted += collected.deleted as u64;
        // A log whose clock was not believed in that moment has none yet.
        if collected.watermark > UnixTime::default() {
            self.publish_watermark(collected.watermark);
        }
        let newest = advance(self.newest(), times.wall());
        self.newest.store(newest.as_millis(), Ordering::Relaxed);
        Ok(collected.more)
    }

    /// Takes over the watermark of a collection that was just made.
    fn publish_watermark(&self, watermark: UnixTime) {
        let mut collections = self.collections.lock();
        collections.count += 1;
        let latest = self.bounds.watermark().map_or(watermark, |before| before.max(watermark));
        self.bounds.set_watermark(Some(latest));
        self.index.collect(collections.left_out_until(latest));
        drop(collections);
        self.forget_expired_undurable(watermark);
    }

    /// Raises the watermark where a token is to be logged out that has expired by the clock: then no engine on the log can
    /// accept it any more, also when the clock steps back. Where that can't be done now, the record is appended.
    pub(super) fn raise_watermark_for(&self, requests: &[Request]) {
        let is_behind = |until: UnixTime| self.watermark().is_none_or(|watermark| watermark < until);
        let has_expired = |one: &&Request| {
            one.record.keep_until.is_some_and(|until| until <= one.record.recorded_at && is_behind(until))
        };
        let Some(Request { times, .. }) = requests.iter().filter(has_expired).max_by_key(|one| one.times.wall()) else {
            return;
        };
        let raised = self.may_collect(*times, ClockTrust::Doubt).and_then(|may| match may {
            true => self.collect_some(*times, 1, ClockTrust::Doubt, &mut 0),
            false => Ok(false),
        });
        if let Err(error) = raised {
            tracing::debug!(%error, "could not raise the watermark for a token that has expired");
        }
    }

    /// The cut-off of a revocation that is made now: behind every token that any engine may have accepted by now, so that it
    /// goes by the clock that is ahead, where another machine or process has one, and by as much as issuers' may be.
    pub(in crate::engine) fn cut_off_now(&self, now: UnixTime) -> UnixTime {
        let seen = UnixTime::from_millis(self.latest_seen.load(Ordering::Relaxed));
        let near = |time: &UnixTime| *time <= now.plus(CUT_OFF_IN_FUTURE_MAX);
        let latest = [self.newest(), Some(seen)].into_iter().flatten().filter(near).fold(now, UnixTime::max);
        latest.plus(self.bounds.allowance().reach(now))
    }

    /// Notes what the clock reads: a cut-off of now lies behind what was accepted before it was set back a little. One that is
    /// set back by more was wrong before.
    pub(in crate::engine) fn see_clock(&self, now: UnixTime) {
        let _before = self.latest_seen.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |latest| {
            let is_corrected = now.plus(CUT_OFF_IN_FUTURE_MAX).as_millis() < latest;
            Some(if is_corrected { now.as_millis() } else { latest.max(now.as_millis()) })
        });
    }

    /// Changes the longest lifetime that the log states, and says from when that counts.
    pub(in crate::engine) fn replace_longest_lifetime(
        &self,
        change: LifetimeChange,
        times: Times,
    ) -> Result<UnixTime, LogError> {
        let from = self.log.replace_longest_lifetime(change, times.wall())?;
        // It is learned as every other process on the log learns it.
        self.follow(times)?;
        Ok(from)
    }

    pub(in crate::engine) fn reset_watermark(&self, times: Times) -> Result<(), LogError> {
        self.log.confirm_time(times.wall(), Some(times.wall()))?;
        // As every other process on the log: what the higher one made up for is read again before the lower one counts.
        self.follow(times).map(drop)
    }

    /// Everything that the log's threads do, once.
    pub(in crate::engine) fn refresh(&self, times: Times) -> Result<(), LogError> {
        self.commit_all();
        self.follow(times)?;
        self.forget_if_erased();
        self.merge_all();
        self.collect_if_due(times, ClockTrust::Doubt);
        Ok(())
    }

    pub(in crate::engine) fn pause(&self) -> Option<CollectionPause> {
        self.observed.lock().pause
    }
}
