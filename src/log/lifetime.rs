//! How long the tokens on a log live at most, also where that was raised.

use std::fmt;
use std::time::Duration;

use crate::clock::UnixTime;

/// The longest lifetime of tokens, and of those that were issued since it was raised.
///
/// What was recorded before was kept for as long as the tokens of that time could live; so they live no longer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LongestLifetime {
    base: Duration,
    raised: Option<Raised>,
}

/// What counts for tokens that were issued from a time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raised {
    max: Duration,
    from: UnixTime,
}

/// Why a longest lifetime can't be what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LifetimeFault {
    /// This one is stated.
    Shorter(Duration),
    /// It was raised not long ago: not for so long.
    NotFor(Duration),
}

impl LongestLifetime {
    pub(crate) const fn of(base: Duration, raised: Option<Raised>) -> Self {
        Self { base, raised }
    }

    /// Of tokens that were issued before anything was raised.
    pub(crate) const fn base(self) -> Duration {
        self.base
    }

    #[cfg(any(test, feature = "sqlite", feature = "sqlite-system"))]
    pub(crate) const fn raised(self) -> Option<Raised> {
        self.raised
    }

    /// Of tokens that are issued in the end.
    pub(crate) fn max(self) -> Duration {
        self.raised.map_or(self.base, |raised| raised.max)
    }

    /// From when on what it was raised to counts.
    pub(crate) fn from(self) -> Option<UnixTime> {
        self.raised.map(|raised| raised.from)
    }

    /// Of a token that was issued then.
    pub(crate) fn of_issued_at(self, iat: UnixTime) -> Duration {
        match self.raised {
            Some(Raised { max, from }) if iat >= from => max,
            Some(_) | None => self.base,
        }
    }

    /// When the last token has ended that was issued before a moment.
    pub(crate) fn end_of_issued_before(self, moment: UnixTime) -> UnixTime {
        let last = match self.raised {
            Some(Raised { max, from }) if moment > from => max,
            Some(_) | None => self.base,
        };
        moment.plus(last)
    }

    /// What is stated where this much is asked for. What was raised stays so for whoever states what was stated before.
    pub(crate) fn stated(held: Option<Self>, asked: Duration) -> Result<Self, LifetimeFault> {
        let Some(held) = held else { return Ok(Self::of(asked, None)) };
        match held.raised {
            _ if asked > held.max() => Err(LifetimeFault::Shorter(held.max())),
            _ if asked < held.base => Ok(Self::of(asked, None)),
            Some(raised) if asked > held.base => Ok(Self::of(held.base, Some(Raised { max: asked, ..raised }))),
            Some(_) | None => Ok(held),
        }
    }

    /// What is stated where it is raised for tokens that are issued from then on.
    pub(crate) fn raise(self, max: Duration, from: UnixTime, now: UnixTime) -> Result<Self, LifetimeFault> {
        if max < self.max() {
            return Err(LifetimeFault::Shorter(self.max()));
        }
        if max == self.max() {
            return Ok(self);
        }
        let base = match self.raised {
            None => self.base,
            Some(Raised { from, .. }) if now < from.plus(self.base) => {
                return Err(LifetimeFault::NotFor(from.plus(self.base).since(now)));
            }
            // Those that were issued before it have ended.
            Some(raised) => raised.max,
        };
        Ok(Self::of(base, Some(Raised { max, from })))
    }

    /// The stricter of two.
    #[cfg(any(feature = "redis", feature = "sqlite", feature = "sqlite-system"))]
    pub(crate) fn stricter(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => {
                let raised = match (one.raised, other.raised) {
                    (Some(one), Some(other)) => {
                        Some(Raised { max: one.max.min(other.max), from: one.from.max(other.from) })
                    }
                    (_, _) => None,
                };
                Some(Self::of(one.base.min(other.base), raised))
            }
            (one, other) => one.or(other),
        }
    }
}

/// As it stands in one text: the base in milliseconds and, where it was raised, by what and from when.
#[cfg(feature = "redis")]
impl LongestLifetime {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (base, raised) = text.split_once(' ').map_or((text, None), |(base, raised)| (base, Some(raised)));
        let base = Duration::from_millis(base.parse().ok()?);
        Some(Self { base, raised: raised.and_then(Raised::parse) })
    }
}

/// As [`parse`](LongestLifetime::parse) reads it.
impl fmt::Display for LongestLifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.base.as_millis())?;
        self.raised.map_or(Ok(()), |raised| write!(f, " {raised}"))
    }
}

impl Raised {
    /// As [`Display`](fmt::Display) writes it.
    #[cfg(any(feature = "redis", feature = "sqlite", feature = "sqlite-system"))]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (max, from) = text.split_once(' ')?;
        Some(Self { max: Duration::from_millis(max.parse().ok()?), from: UnixTime::from_millis(from.parse().ok()?) })
    }
}

/// Milliseconds, and the time from which it counts.
impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.max.as_millis(), self.from.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    fn secs(secs: i64) -> UnixTime {
        UnixTime::from_secs(NOW.as_secs() + secs)
    }

    #[test]
    fn what_is_raised_counts_for_tokens_that_are_issued_from_then_on() {
        let hour = LongestLifetime::of(HOUR, None);
        let day = hour.raise(24 * HOUR, secs(600), NOW).unwrap();
        assert_eq!((day.of_issued_at(secs(599)), day.of_issued_at(secs(600))), (HOUR, 24 * HOUR));
        // A cut-off of before has no longer ones behind it.
        assert_eq!(day.end_of_issued_before(secs(600)), secs(600 + 3600));
        assert_eq!(day.end_of_issued_before(secs(601)), secs(601 + 86_400));
        assert_eq!(hour.raise(HOUR / 2, secs(600), NOW), Err(LifetimeFault::Shorter(HOUR)));
        assert_eq!(day.raise(48 * HOUR, secs(900), NOW), Err(LifetimeFault::NotFor(Duration::from_secs(600 + 3600))));
        let later = day.raise(48 * HOUR, secs(9000), secs(4200)).unwrap();
        assert_eq!((later.base(), later.max()), (24 * HOUR, 48 * HOUR));
        #[cfg(any(feature = "redis", feature = "sqlite", feature = "sqlite-system"))]
        assert_eq!(Raised::parse(&day.raised().unwrap().to_string()), day.raised());
    }

    #[test]
    fn whoever_states_what_was_stated_before_it_was_raised_does_not_take_that_back() {
        let day = LongestLifetime::of(HOUR, None).raise(24 * HOUR, secs(600), NOW).unwrap();
        let stated = |asked| LongestLifetime::stated(Some(day), asked);
        assert_eq!(stated(HOUR), Ok(day));
        assert_eq!(stated(24 * HOUR), Ok(day));
        assert_eq!(stated(25 * HOUR), Err(LifetimeFault::Shorter(24 * HOUR)));
        assert_eq!(stated(12 * HOUR).unwrap().max(), 12 * HOUR);
        assert_eq!(stated(HOUR / 2), Ok(LongestLifetime::of(HOUR / 2, None)));
        assert_eq!(LongestLifetime::stated(None, HOUR), Ok(LongestLifetime::of(HOUR, None)));
    }
}
