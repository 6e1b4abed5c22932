//! How long ago the index was known to hold everything in the log.
//!
//! Invariant: freshness is taken before the view of the index that it vouches for. An [`AsOf`] says nothing by itself; it is
//! judged only through the [`Look`] that it was traded for.

use std::time::Duration;

use super::seqlock::{SeqLock, Writer};
use crate::clock::{Clock, Times, UnixTime, boot, coarse_uptime};
use crate::denied::Unknown;
use crate::index::Look;

/// When the log was last read to its head, by three clocks, and what of it is not understood: published as one.
pub(super) struct Freshness(SeqLock<5>);

/// The one that says how fresh the index is: whoever reads the log.
pub(super) struct FreshnessWriter {
    writer: Writer,
    published: Reading,
}

/// What is published. Milliseconds.
///
/// The clock that counts suspended time takes a tenth of a verification to read. The two coarse ones are
/// loads from memory; where both say that little time has passed, little has.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    /// Later by [`BEFORE_BOOT`]. Zero until the log was read for the first time.
    boot: u64,
    uptime: u64,
    wall: i64,
    /// How many records there are of kinds that only a newer signoff understands.
    unknown_kinds: u64,
    /// The watermark that held then, in milliseconds: a view may lack what that makes up for. Zero where there was none.
    watermark: i64,
}

impl Reading {
    fn words(self) -> [u64; 5] {
        [self.boot, self.uptime, self.wall.cast_unsigned(), self.unknown_kinds, self.watermark.cast_unsigned()]
    }

    #[inline]
    fn of([boot, uptime, wall, unknown_kinds, watermark]: [u64; 5]) -> Self {
        Self { boot, uptime, wall: wall.cast_signed(), unknown_kinds, watermark: watermark.cast_signed() }
    }
}

/// How fresh the index was at a moment, to be traded for a view of it.
pub(in crate::engine) struct AsOf(Reading);

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

impl FreshnessWriter {
    /// Notes that everything that was in the log at this moment is in the index, and how much of it is not understood.
    pub(super) fn renew(
        &mut self,
        freshness: &Freshness,
        Moment { boot, uptime, wall }: Moment,
        watermark: Option<UnixTime>,
    ) {
        let unknown_kinds = self.published.unknown_kinds;
        let watermark = watermark.map_or(0, UnixTime::as_millis);
        self.publish(freshness, Reading { boot: boot.max(1), uptime, wall, unknown_kinds, watermark });
    }

    /// Notes that there are more records that are not understood.
    pub(super) fn add_unknown_kinds(&mut self, freshness: &Freshness, more: u64) {
        if more > 0 {
            let unknown_kinds = self.published.unknown_kinds + more;
            self.publish(freshness, Reading { unknown_kinds, ..self.published });
        }
    }

    /// Notes that what is in the log is not known any more.
    pub(super) fn forget(&mut self, freshness: &Freshness) {
        self.publish(freshness, Reading { watermark: self.published.watermark, ..Reading::default() });
    }

    fn publish(&mut self, freshness: &Freshness, reading: Reading) {
        self.published = reading;
        self.writer.publish(&freshness.0, reading.words());
    }
}

impl Freshness {
    /// The log was not read yet.
    pub(super) fn never() -> (Self, FreshnessWriter) {
        let (stamp, writer) = SeqLock::new();
        (Self(stamp), FreshnessWriter { writer, published: Reading::default() })
    }

    /// How fresh the index is: at least so much of the log is in every view that is loaded from now on.
    #[inline]
    pub(super) fn as_of(&self) -> AsOf {
        AsOf(Reading::of(self.0.take()))
    }

    /// How long ago the log was read to its head, for people to look at.
    pub(super) fn age(&self, times: Times) -> Option<Duration> {
        Reading::of(self.0.take()).age(times)
    }

    /// Why the next view may lack something, for readiness checks.
    pub(super) fn readiness(&self, max: Duration) -> Option<Unknown> {
        Reading::of(self.0.take()).unknown(Clock::System, max)
    }
}

/// Why a view may lack something that is in the log, if it may: by what was known before it was loaded, and the time now.
#[inline]
pub(super) fn unknown(look: &Look<'_, AsOf>, clock: Clock, max: Duration) -> Option<Unknown> {
    look.as_of().0.unknown(clock, max)
}

impl AsOf {
    /// The watermark that held then. One that was taken back since still makes up for what a view of that time may lack.
    #[inline]
    pub(super) fn watermark(&self) -> UnixTime {
        UnixTime::from_millis(self.0.watermark)
    }
}

impl Reading {
    fn age(self, times: Times) -> Option<Duration> {
        match self.boot {
            0 => None,
            renewed => Some(Duration::from_millis((millis(times.boot()) + BEFORE_BOOT).saturating_sub(renewed))),
        }
    }

    #[inline]
    fn unknown(self, clock: Clock, max: Duration) -> Option<Unknown> {
        if let Clock::System | Clock::Elsewhere { .. } = clock {
            let max_millis = millis(max);
            let uptime = millis(coarse_uptime()).wrapping_sub(self.uptime);
            let wall = Clock::System.now([None; 4]).as_millis() - self.wall;
            if uptime <= max_millis
                && u64::try_from(wall).is_ok_and(|wall| wall <= max_millis)
                && self.boot != 0
                && self.unknown_kinds == 0
            {
                return None;
            }
        }
        self.unknown_exactly(clock, max)
    }

    #[cold]
    fn unknown_exactly(self, clock: Clock, max: Duration) -> Option<Unknown> {
        if self.unknown_kinds > 0 {
            return Some(Unknown::Newer { count: self.unknown_kinds });
        }
        let now = match clock {
            Clock::Given(times) => times.boot(),
            Clock::System | Clock::Elsewhere { .. } => boot(),
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
