//! What is proposed to a log, and what becomes of it where the commit is made.
//!
//! Whether a log holds as much already, and whether a token has expired for every engine on it, are questions about the log
//! as it is at that moment. So they are answered in the transaction that would append, and by nobody before it.
//!
//! Invariant: in doubt, a record is appended.

use std::fmt;
use std::time::Duration;

use super::{Cursor, Facts};
use crate::clock::UnixTime;
use crate::limits::{ALLOWANCE_SETTLES, CUT_OFF_AHEAD_MAX, CUT_OFF_IN_FUTURE_MAX, ISSUED_IN_FUTURE_MAX};
use crate::revocation::{Record, Target};

/// A record on its way to the log.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    pub(crate) record: Record,
    pub(crate) moment: Moment,
    pub(crate) covered: Covered,
    /// What a cut-off that is now has to lie behind, whatever a clock reads.
    pub(crate) not_before: Option<UnixTime>,
}

/// Whether what was read of the log means the same tokens for as long as a record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Covered {
    /// It is appended in any case.
    #[allow(dead_code)] // For what is put back, and for tests.
    Unasked,
    No,
    Yes,
}

/// Which cut-off a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// None, or one that the caller has named.
    Given,
    /// Now: behind every token that may have been accepted by now, and every cut-off before.
    Now,
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Appended,
    /// The log holds as much.
    Covered,
    /// No engine on the log can accept the token any more.
    Expired,
}

/// As long as a log is still in this generation, and has these two entries, it has all that was read of it and appended to
/// it, but for what its watermark makes up for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backing {
    /// Changes whenever records are taken away. None where it is not known, or has changed since.
    pub(crate) generation: Option<i64>,
    /// The last that was read.
    pub(crate) read: Cursor,
    /// The last that was appended by whoever proposes.
    pub(crate) appended: Cursor,
}

impl Backing {
    /// Whether it is one of a log that is in this generation now.
    pub(super) fn is_of(&self, generation: Option<i64>) -> bool {
        self.generation.is_some() && self.generation == generation
    }
}

/// How a log stands where the commit is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground {
    /// Whether it backs what was read of it.
    pub(crate) is_backing: bool,
    /// What the clock reads that counts for the log, where that is not this machine's.
    pub(crate) now: Option<UnixTime>,
    pub(crate) facts: Facts,
}

impl Proposal {
    /// A record that is to be appended in any case.
    #[allow(dead_code)] // For what is put back, and for tests.
    pub(crate) fn of(record: Record) -> Self {
        Self { record, moment: Moment::Given, covered: Covered::Unasked, not_before: None }
    }

    /// What becomes of it on this ground.
    pub(super) fn fate(&self, ground: &Ground) -> Fate {
        let has_passed = |until: UnixTime| ground.facts.watermark.is_some_and(|watermark| until <= watermark);
        match (self.covered, self.record.keep_until) {
            (Covered::Unasked, _) => Fate::Appended,
            // A watermark that is ahead of the clock may be taken back, and then the token is good again: what is held of it may
            // have been collected, and it has not expired by the time of the log-out.
            (_, Some(until)) if has_passed(until) && until > self.record.recorded_at => Fate::Appended,
            (_, Some(until)) if has_passed(until) => Fate::Expired,
            (Covered::Yes, _) if ground.is_backing => Fate::Covered,
            (Covered::No | Covered::Yes, _) => Fate::Appended,
        }
    }

    /// Moves a cut-off that is now behind what a log turns out to have: a longer allowance, or cut-offs of the same tokens that
    /// whoever proposes has not read.
    pub(super) fn move_behind(&mut self, Ground { now, facts, .. }: &Ground, unread: &[Unread]) {
        let Self { record, moment: Moment::Now, not_before, .. } = self else { return };
        let Some(mut before) = record.issued_before else { return };
        // Where another clock counts, this machine's says nothing, which may just have been set.
        if now.is_some() {
            before = not_before.unwrap_or(UnixTime::from_millis(i64::MIN));
        }
        record.recorded_at = now.unwrap_or(record.recorded_at);
        let allowance = facts.allowance.unwrap_or_default().reach(record.recorded_at);
        let mut kept = UnixTime::from_millis(i64::MIN);
        // By the clock that is ahead, where another machine or process has one.
        let near = |newest: &UnixTime| *newest <= record.recorded_at.plus(CUT_OFF_IN_FUTURE_MAX);
        let now = facts.newest.filter(near).map_or(record.recorded_at, |newest| newest.max(record.recorded_at));
        let mut cut_off = before.max(now.plus(allowance));
        for one in unread.iter().filter(|one| one.means_tokens_of(record)) {
            cut_off = cut_off.max(behind(one.cut_off, record));
            if one.target == record.target {
                kept = kept.max(one.keep_until.map_or(FOR_EVER, |until| until));
            }
        }
        let by = record.issued_before.map_or(Duration::ZERO, |asked| cut_off.since(asked));
        let until = record.keep_until.map_or(FOR_EVER, |until| until.plus(by));
        record.keep_until = Some(until.max(kept)).filter(|until| *until < FOR_EVER);
        record.issued_before = Some(cut_off);
    }
}

/// The first cut-off behind another. One of every subject goes two minutes ahead at most, whatever a wrong clock has written of
/// somebody: no further than `sign` can name it, and than any token that was signed by now can say that its signer knew.
pub(crate) fn behind(cut_off: UnixTime, record: &Record) -> UnixTime {
    let next = cut_off.plus(Duration::from_millis(1));
    match record.target {
        Target::Everything => next.min(record.recorded_at.plus(CUT_OFF_AHEAD_MAX)),
        Target::Token(_) | Target::Session(_) | Target::Subject(_) => next,
    }
}

/// The time until which a record is kept that is kept for ever.
const FOR_EVER: UnixTime = UnixTime::from_millis(i64::MAX);

/// A cut-off in a log that whoever proposes has not read.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) target: Target,
    pub(crate) cut_off: UnixTime,
    pub(crate) keep_until: Option<UnixTime>,
}

impl Unread {
    pub(super) fn of(record: &Record) -> Option<Self> {
        let (target, keep_until) = (record.target.clone(), record.keep_until);
        Some(Self { target, cut_off: record.issued_before?, keep_until })
    }

    fn means_tokens_of(&self, record: &Record) -> bool {
        self.target == record.target || self.target == Target::Everything || record.target == Target::Everything
    }
}

/// How far ahead of the clock an `iat` may lie.
///
/// A log that was told a smaller one keeps in mind for some time what engines may have gone by that had not heard of it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) max: Duration,
    /// What was allowed before, and until when that counts for cut-offs.
    before: Option<(Duration, UnixTime)>,
}

/// What holds where nothing was stated.
impl Default for Allowance {
    fn default() -> Self {
        Self { max: ISSUED_IN_FUTURE_MAX, before: None }
    }
}

impl Allowance {
    /// How far behind a moment a cut-off has to lie, so that no token that was accepted by then lies behind it.
    pub(crate) fn reach(self, now: UnixTime) -> Duration {
        match self.before {
            Some((before, until)) if now < until => before.max(self.max),
            Some(_) | None => self.max,
        }
    }

    /// What is to be stated where this much is asked for. The error is what was stated and is less.
    pub(super) fn stated(held: Option<Self>, asked: Duration, now: UnixTime) -> Result<Self, Duration> {
        match held {
            Some(held) if asked > held.max => Err(held.max),
            Some(held) if asked == held.max => Ok(held),
            Some(_) | None => {
                let reach = held.unwrap_or_default().reach(now);
                let before = (asked < reach).then(|| (reach, now.plus(ALLOWANCE_SETTLES)));
                Ok(Self { max: asked, before })
            }
        }
    }

    /// The smaller of two, which both were stated.
    #[cfg(any(feature = "redis", feature = "sqlite", feature = "sqlite-system"))]
    pub(super) fn smaller(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if one.max <= other.max { one } else { other }),
            (one, other) => one.or(other),
        }
    }

    /// As [`Display`](fmt::Display) writes it.
    #[cfg(any(feature = "sqlite", feature = "sqlite-system", feature = "redis"))]
    pub(super) fn parse(text: &str) -> Option<Self> {
        use crate::limits::ISSUED_IN_FUTURE_CEILING;

        let mut numbers = text.split(' ').map(|number| number.parse::<u64>().ok());
        let max = Duration::from_millis(numbers.next()??).min(ISSUED_IN_FUTURE_CEILING);
        let before = match (numbers.next(), numbers.next()) {
            (Some(before), Some(until)) => {
                let before = Duration::from_millis(before?).min(ISSUED_IN_FUTURE_CEILING);
                Some((before, UnixTime::from_millis(i64::try_from(until?).ok()?)))
            }
            (_, _) => None,
        };
        Some(Self { max, before })
    }
}

/// Milliseconds; and, where more was allowed before, how much, and the time until which that counts.
impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.max.as_millis())?;
        match self.before {
            Some((before, until)) => write!(f, " {} {}", before.as_millis(), until.as_millis()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    #[test]
    fn an_allowance_is_lowered_and_never_raised_and_cut_offs_reach_by_the_former_for_a_while() {
        let secs = Duration::from_secs;
        let first = Allowance::stated(None, secs(60), NOW).unwrap();
        assert_eq!((first.max, first.reach(NOW)), (secs(60), secs(60)));
        let second = Allowance::stated(Some(first), secs(1), NOW).unwrap();
        assert_eq!((second.max, second.reach(NOW)), (secs(1), secs(60)));
        assert_eq!(second.reach(NOW.plus(ALLOWANCE_SETTLES)), secs(1));
        assert_eq!(Allowance::stated(Some(second), secs(2), NOW), Err(secs(1)));
        assert_eq!(Allowance::stated(Some(second), secs(1), NOW.plus(secs(9))), Ok(second));
        #[cfg(any(feature = "sqlite", feature = "sqlite-system", feature = "redis"))]
        for one in [first, second] {
            assert_eq!(Allowance::parse(&one.to_string()), Some(one));
        }
    }
}
