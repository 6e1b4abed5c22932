//! Times: a wall clock reading in milliseconds, and the set of readings that one verification uses.
//!
//! Does not decide anything about a token. The engine never asks for the time by itself except in
//! [`Times::now`], once a call.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::limits::COARSE_LAG_MAX;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Prints as seconds, with a fraction only where there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// A time from whole seconds. Saturates at the ends of the range.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// A time from milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This time moved forward. Saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This time moved back. Saturates.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<SystemTime> for UnixTime {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(millis(after)),
            Err(before) => Self(-millis(before.duration())),
        }
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (secs, millis) = (self.0.unsigned_abs() / 1000, self.0.unsigned_abs() % 1000);
        match millis {
            0 => write!(f, "{sign}{secs}"),
            _ => write!(f, "{sign}{secs}.{millis:03}"),
        }
    }
}

fn millis(duration: Duration) -> i64 {
    let secs = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    secs.saturating_mul(1000).saturating_add(i64::from(duration.subsec_millis()))
}

/// The clock readings that one verification is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    wall: UnixTime,
    boot: Option<Duration>,
}

impl Times {
    /// Readings of this machine's clocks.
    ///
    /// Cost: one clock read, about 20 ns.
    #[must_use]
    pub fn now() -> Self {
        Self { wall: SystemTime::now().into(), boot: None }
    }

    /// Readings given by the caller: for tests, replays and hosts with their own clock.
    #[must_use]
    pub const fn at(wall: UnixTime) -> Self {
        Self { wall, boot: None }
    }

    /// The reading of a clock that never steps and counts the time that the machine was suspended, by which
    /// the revocation log's freshness is told. Without, this machine's is read where it is needed.
    #[must_use]
    pub const fn since_boot(mut self, boot: Duration) -> Self {
        self.boot = Some(boot);
        self
    }

    /// Now, rounded up, so that whatever was issued before lies before.
    pub(crate) fn now_rounded_up() -> Self {
        Self { wall: UnixTime::from(SystemTime::now() + Duration::from_nanos(999_999)), boot: None }
    }

    pub(crate) fn boot(self) -> Duration {
        self.boot.unwrap_or_else(boot)
    }

    /// The same with another reading of the wall clock.
    pub(crate) const fn with_wall(self, wall: UnixTime) -> Self {
        Self { wall, ..self }
    }

    /// The wall clock.
    #[must_use]
    pub const fn wall(self) -> UnixTime {
        self.wall
    }
}

/// Whether a collection may doubt the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // Doubted or vouched for.
pub enum ClockTrust {
    /// It pauses while the clock is implausible.
    Doubt,
    /// The caller has made sure that the clock is right.
    Confirmed,
}

/// Which clock a verification goes by.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    Given(Times),
    /// This machine's.
    System,
    /// Another machine's, by how far it is ahead of the time since this one was started: what is done to this machine's wall clock
    /// does not matter.
    Elsewhere {
        ahead_of_uptime: i64,
    },
}

impl Clock {
    /// The time, as far as it matters: exact unless no `limit` lies close by.
    ///
    /// A read of the exact clock waits for everything before it, and so costs a tenth of a verification.
    /// The coarse one is a load from memory that the kernel writes at each tick. It lags, so its answer
    /// stands only where no limit lies between it and the latest that it can be.
    #[inline]
    pub(crate) fn now(self, limits: [Option<UnixTime>; 4]) -> UnixTime {
        let coarse = match self {
            Self::Given(times) => return times.wall(),
            Self::System => coarse(),
            Self::Elsewhere { ahead_of_uptime } => UnixTime(millis(coarse_uptime()).saturating_add(ahead_of_uptime)),
        };
        let latest = coarse.plus(COARSE_LAG_MAX);
        match limits.into_iter().flatten().any(|limit| coarse < limit && limit <= latest) {
            true => self.exact(),
            false => coarse,
        }
    }
}

impl Clock {
    /// The time, exactly.
    pub(crate) fn exact(self) -> UnixTime {
        match self {
            Self::Given(times) => times.wall(),
            Self::System => Times::now().wall(),
            Self::Elsewhere { ahead_of_uptime } => UnixTime(millis(uptime()).saturating_add(ahead_of_uptime)),
        }
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn coarse() -> UnixTime {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    UnixTime(time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000))
}

#[cfg(not(target_os = "linux"))]
fn coarse() -> UnixTime {
    SystemTime::now().into()
}

/// Time since the machine was started, suspended time included. It never steps.
#[cfg(target_os = "linux")]
pub(crate) fn boot() -> Duration {
    of(rustix::time::clock_gettime(rustix::time::ClockId::Boottime))
}

/// Time since the machine was started, suspended time left out.
#[cfg(target_os = "linux")]
pub(crate) fn uptime() -> Duration {
    of(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn uptime() -> Duration {
    boot()
}

/// Time since the machine was started, at the last tick, suspended time left out: a load from memory.
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn coarse_uptime() -> Duration {
    of(rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse))
}

#[cfg(target_os = "linux")]
#[inline]
fn of(time: rustix::time::Timespec) -> Duration {
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn boot() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn coarse_uptime() -> Duration {
    boot()
}

/// A duration in words for messages: `250 ms`, `42 s`, and from two minutes on in its two largest units: `3 h 20 min`, `1,108 days`.
pub(crate) struct Words(pub(crate) Duration);

/// From where on it is told in larger units than seconds.
const LONG_SECS: u64 = 120;

/// From so many days on hours say nothing.
const MANY_DAYS: u64 = 100;

fn long_words(secs: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (days, hours, minutes, seconds) = (secs / 86_400, secs / 3600 % 24, secs / 60 % 60, secs % 60);
    let (second, unit) = match (days, hours) {
        (MANY_DAYS.., _) => (0, ""),
        (1.., _) => (hours, "h"),
        (0, 1..) => (minutes, "min"),
        (0, 0) => (seconds, "s"),
    };
    match (days, hours) {
        (1, _) => f.write_str("1 day")?,
        (1_000_000.., _) => write!(f, "{},{:03},{:03} days", days / 1_000_000, days / 1000 % 1000, days % 1000)?,
        (1000.., _) => write!(f, "{},{:03} days", days / 1000, days % 1000)?,
        (2.., _) => write!(f, "{days} days")?,
        (0, 1..) => write!(f, "{hours} h")?,
        (0, 0) => write!(f, "{minutes} min")?,
    }
    if second > 0 { write!(f, " {second} {unit}") } else { Ok(()) }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_secs(), self.0.subsec_millis()) {
            (secs @ LONG_SECS.., _) => long_words(secs, f),
            (secs, 0) => write!(f, "{secs} s"),
            (0, millis) => write!(f, "{millis} ms"),
            (secs, millis) => write!(f, "{secs}.{millis:03} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_prints_as_seconds_and_shows_a_fraction_only_where_there_is_one() {
        assert_eq!(UnixTime::from_secs(1_700_000_000).to_string(), "1700000000");
        assert_eq!(UnixTime::from_millis(1_700_000_000_050).to_string(), "1700000000.050");
        assert_eq!(UnixTime::from_millis(-1_500).to_string(), "-1.500");
    }

    #[test]
    fn a_duration_is_told_as_people_tell_it() {
        for (millis, words) in [
            (0, "0 s"),
            (250, "250 ms"),
            (1_250, "1.250 s"),
            (119_000, "119 s"),
            (120_000, "2 min"),
            (125_999, "2 min 5 s"),
            (3_600_000, "1 h"),
            (12_000_000, "3 h 20 min"),
            (86_400_000, "1 day"),
            (30 * 86_400_000 + 3_600_000, "30 days 1 h"),
            (1_108 * 86_400_000 + 3_600_000, "1,108 days"),
            (1_234_567 * 86_400_000, "1,234,567 days"),
        ] {
            assert_eq!(Words(Duration::from_millis(millis)).to_string(), words);
        }
    }

    #[test]
    fn a_clock_before_1970_reads_negative() {
        let before = UNIX_EPOCH - Duration::from_secs(2);
        assert_eq!(UnixTime::from(before), UnixTime::from_secs(-2));
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let end = UnixTime::from_millis(i64::MAX);
        assert_eq!(end.plus(Duration::MAX), end);
        assert_eq!(UnixTime::from_secs(1).since(end), Duration::ZERO);
    }
}
