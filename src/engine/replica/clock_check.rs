//! Whether this machine's clock is to be believed: one that is ahead would end every revocation.

use std::collections::VecDeque;
use std::time::Duration;

use super::Replica;
use crate::clock::{Times, UnixTime};
use crate::limits::CLOCK_DRIFT_MAX;
use crate::log::PLAUSIBLE_STEP;

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
    /// The clock of the server that keeps the log, by which is collected, and this machine's lie too far apart.
    #[error("the clocks of this machine and of the log's server differ by {} s: set the wrong one right", .by.as_secs())]
    ClocksDiffer {
        /// By how much.
        by: Duration,
    },
}

/// What was seen of the clocks in the last hour.
#[derive(Default)]
pub(super) struct Observed {
    /// Uptime, and wall clock less uptime in milliseconds.
    pub(super) offsets: VecDeque<(Duration, i64)>,
    pub(super) last: Option<Duration>,
    pub(super) pause: Option<CollectionPause>,
}

impl Replica {
    /// Whether the clock is to be believed.
    pub(super) fn doubt(&self, observed: &mut Observed, times: Times) -> Option<CollectionPause> {
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
        if let Some(by) = self.log.clock_fault() {
            return Some(CollectionPause::ClocksDiffer { by });
        }
        let by = Duration::from_millis(by);
        (by > CLOCK_DRIFT_MAX).then_some(CollectionPause::ClockSet { by })
    }
}
