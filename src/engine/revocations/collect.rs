//! Collection: deleting records that can match no acceptable token any more.
//!
//! The time goes by this machine's clock, never by one that a verification was given, and only as long
//! as that clock is to be believed: a clock that is ahead would end every revocation.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Revocations;
use crate::clock::{Times, UnixTime};
use crate::limits::{CLOCK_DRIFT_MAX, COLLECT_INTERVAL, CUT_OFF_IN_FUTURE_MAX};
use crate::log::{LogError, PLAUSIBLE_STEP, advance};
use crate::revocation::Record;

/// Whether a collection may doubt the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // Doubted or vouched for.
pub enum ClockTrust {
    /// It pauses while the clock is implausible.
    Doubt,
    /// The caller has made sure that the clock is right.
    Confirmed,
}

/// Why collection pauses.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectionPause {
    /// The clock stands far past everything in the log.
    #[error(
        "the clock reads {now}, more than 7 days past the newest time in the log ({newest}): if it is right, say so with `signoff compact --clock-is-right`"
    )]
    ClockAhead {
        /// What the clock reads.
        now: UnixTime,
        /// The newest time in the log.
        newest: UnixTime,
    },
    /// Wall clock and uptime moved apart within the last hour.
    #[error("the clock was set within the last hour, by {} s: collection waits until it has been steady for an hour", .by.as_secs())]
    ClockSet {
        /// By how much.
        by: Duration,
    },
}

/// What [`Engine::compact`](crate::Engine::compact) did.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// How many records were deleted.
    pub deleted: u64,
    /// Tokens that expired more than ten minutes before this are expired whatever a clock says.
    pub watermark: Option<UnixTime>,
}

/// How many records one transaction deletes, so that revocations never wait for long.
const COLLECT_MAX: usize = 5000;

/// What was seen of the clocks in the last hour.
#[derive(Default)]
pub(super) struct Observed {
    /// Uptime, and wall clock less uptime in milliseconds.
    offsets: VecDeque<(Duration, i64)>,
    last: Option<Duration>,
    pub(super) pause: Option<CollectionPause>,
}

impl Revocations {
    /// Whether the clock is to be believed.
    fn doubt(&self, observed: &mut Observed, times: Times) -> Option<CollectionPause> {
        const HOUR: Duration = Duration::from_secs(3600);
        let (now, boot) = (times.wall(), times.boot());
        let offset = now.minus(boot).as_millis();
        observed.offsets.retain(|(at, _)| boot.saturating_sub(*at) <= HOUR);
        observed.offsets.push_back((boot, offset));
        // A sample a minute is enough.
        if observed.offsets.len() > 60 {
            let middle = observed.offsets.len() / 2;
            observed.offsets.remove(middle);
        }
        let by = observed.offsets.iter().map(|(_, other)| other.abs_diff(offset)).max().unwrap_or(0);
        if let Some(newest) = self.newest()
            && now > newest.plus(PLAUSIBLE_STEP)
        {
            return Some(CollectionPause::ClockAhead { now, newest });
        }
        let by = Duration::from_millis(by);
        (by > CLOCK_DRIFT_MAX).then_some(CollectionPause::ClockSet { by })
    }

    /// Collects when the time has come.
    pub(super) fn collect_if_due(&self, times: Times, trust: ClockTrust) {
        let due = self.observed.lock().last.is_none_or(|last| times.boot().saturating_sub(last) >= COLLECT_INTERVAL);
        if due && let Err(error) = self.collect(times, trust) {
            tracing::warn!(%error, "collection failed");
        }
    }

    /// Deletes what has expired, and commits the watermark. None deleted while it pauses.
    pub(in crate::engine) fn collect(&self, times: Times, trust: ClockTrust) -> Result<u64, LogError> {
        let mut observed = self.observed.lock();
        observed.last = Some(times.boot());
        let pause = self.doubt(&mut observed, times);
        let pause = pause.filter(|_| trust == ClockTrust::Doubt);
        if pause.is_some() && observed.pause.is_none() {
            tracing::warn!(why = %pause.map_or_else(String::new, |pause| pause.to_string()), "collection paused");
        }
        observed.pause = pause;
        // As long as the log was not read, nothing is known that the clock could be held against.
        let is_unread = trust == ClockTrust::Doubt && self.age(times).is_none();
        if observed.pause.is_some() || is_unread {
            return Ok(0);
        }
        if trust == ClockTrust::Confirmed {
            self.log.confirm_time(times.wall(), None)?;
            self.newest.store(times.wall().as_millis(), Ordering::Relaxed);
            observed.offsets.clear();
        }
        drop(observed);
        let mut deleted = 0_u64;
        loop {
            let collected = self.log.collect(times.wall(), COLLECT_MAX)?;
            deleted += collected.deleted as u64;
            self.publish_watermark(collected.watermark);
            let newest = advance(self.newest(), times.wall());
            self.newest.store(newest.as_millis(), Ordering::Relaxed);
            if !collected.more {
                return Ok(deleted);
            }
        }
    }

    /// Takes over the watermark of a collection that was just made.
    fn publish_watermark(&self, watermark: UnixTime) {
        let mut collections = self.collections.lock();
        *collections += 1;
        let latest = self.bounds.watermark().map_or(watermark, |before| before.max(watermark));
        self.bounds.set_watermark(Some(latest));
        self.index.collect(latest);
        drop(collections);
        self.forget_expired_undurable(watermark);
    }

    /// Whether no engine on this log can accept a token of this record any more. Not by the clock alone, which
    /// may step back: only once the watermark has been committed.
    pub(in crate::engine) fn has_expired(&self, record: &Record, times: Times) -> bool {
        let Some(until) = record.keep_until else { return false };
        let has_passed = || self.watermark().is_some_and(|watermark| until <= watermark);
        if until <= times.wall() && !has_passed() {
            // Where that can't be done now, the record is appended: one too many does no harm.
            if let Err(error) = self.collect(times, ClockTrust::Doubt) {
                tracing::debug!(%error, "could not collect for a token that has expired");
            }
        }
        has_passed()
    }

    /// The cut-off of a revocation that is made now: not before that of another machine or process.
    pub(in crate::engine) fn cut_off_now(&self, now: UnixTime) -> UnixTime {
        match self.newest() {
            Some(newest) if newest > now && newest <= now.plus(CUT_OFF_IN_FUTURE_MAX) => newest,
            Some(_) | None => now,
        }
    }

    pub(in crate::engine) fn reset_watermark(&self, times: Times) -> Result<(), LogError> {
        // Nobody reads what stood there before, and publishes it after this.
        let _follower = self.follower.lock();
        self.log.confirm_time(times.wall(), Some(times.wall()))?;
        let mut collections = self.collections.lock();
        *collections += 1;
        self.bounds.set_watermark(Some(times.wall()));
        self.newest.store(times.wall().as_millis(), Ordering::Relaxed);
        self.index.collect(times.wall());
        Ok(())
    }

    /// Everything that the log's threads do, once.
    pub(in crate::engine) fn refresh(&self, times: Times) -> Result<(), LogError> {
        self.commit_all();
        self.follow(times)?;
        self.merge_all();
        self.collect_if_due(times, ClockTrust::Doubt);
        Ok(())
    }

    pub(in crate::engine) fn pause(&self) -> Option<CollectionPause> {
        self.observed.lock().pause
    }
}
