//! How long ago the index was known to hold everything in the log.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Times, UnixTime, boot, coarse_uptime};
use crate::verdict::Unknown;

/// When the log was last read to its head, by three clocks. Milliseconds.
///
/// The clock that counts suspended time takes a tenth of a verification to read. The two coarse ones are
/// loads from memory; where both say that little time has passed, little has.
pub(super) struct Freshness {
    /// Later by [`BEFORE_BOOT`]. Zero until the log was read for the first time.
    boot: AtomicU64,
    uptime: AtomicU64,
    wall: AtomicI64,
}

/// How long before the machine was started a log may have been read that is still good for something: 34 years, so that
/// no such time is below zero.
const BEFORE_BOOT: u64 = 1 << 40;

/// A moment by the three clocks: taken before a read, so that freshness counts from then.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    boot: u64,
    uptime: u64,
    wall: i64,
}

impl Moment {
    pub(super) fn of(times: Times) -> Self {
        let (boot, uptime) = (millis(times.boot()), millis(coarse_uptime()));
        Self { boot: boot + BEFORE_BOOT, uptime, wall: Clock::System.now([None; 4]).as_millis() }
    }

    /// The moment at which the wall clock of `times` read `wall`. None where it has not yet: the clock was set back.
    pub(super) fn earlier(times: Times, wall: UnixTime) -> Option<Self> {
        let Self { boot, uptime, .. } = Self::of(times);
        let age = u64::try_from(times.wall().as_millis() - wall.as_millis()).ok()?;
        // The coarse uptime counts around zero.
        Some(Self { boot: boot.checked_sub(age)?, uptime: uptime.wrapping_sub(age), wall: wall.as_millis() })
    }
}

impl Freshness {
    pub(super) fn never() -> Self {
        Self { boot: AtomicU64::new(0), uptime: AtomicU64::new(0), wall: AtomicI64::new(0) }
    }

    /// Notes that everything that was in the log at this moment is in the index.
    pub(super) fn renew(&self, Moment { boot, uptime, wall }: Moment) {
        self.uptime.store(uptime, Ordering::Relaxed);
        self.wall.store(wall, Ordering::Relaxed);
        self.boot.store(boot.max(1), Ordering::Release);
    }

    /// Notes that what is in the log is not known any more.
    pub(super) fn forget(&self) {
        self.boot.store(0, Ordering::Release);
        self.uptime.store(0, Ordering::Relaxed);
    }

    pub(super) fn age(&self, times: Times) -> Option<Duration> {
        match self.boot.load(Ordering::Acquire) {
            0 => None,
            renewed => Some(Duration::from_millis((millis(times.boot()) + BEFORE_BOOT).saturating_sub(renewed))),
        }
    }

    #[inline]
    pub(super) fn unknown(&self, clock: Clock, max: Duration) -> Option<Unknown> {
        if let Clock::System = clock {
            let max_millis = millis(max);
            let uptime = millis(coarse_uptime()).wrapping_sub(self.uptime.load(Ordering::Relaxed));
            let wall = Clock::System.now([None; 4]).as_millis() - self.wall.load(Ordering::Relaxed);
            if uptime <= max_millis
                && u64::try_from(wall).is_ok_and(|wall| wall <= max_millis)
                && self.boot.load(Ordering::Relaxed) != 0
            {
                return None;
            }
        }
        self.unknown_exactly(clock, max)
    }

    #[cold]
    fn unknown_exactly(&self, clock: Clock, max: Duration) -> Option<Unknown> {
        let now = match clock {
            Clock::Given(times) => times.boot(),
            Clock::System => boot(),
        };
        let Some(age) = self.age(Times::at(UnixTime::default()).since_boot(now)) else {
            return Some(Unknown::Unread);
        };
        (age > max).then_some(Unknown::Stale { age, max })
    }
}

#[inline]
fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(u64::from(duration.subsec_millis()))
}
