//! What the server's clock reads, by the time since this machine was started: the time that counts for a log that many machines
//! share. Nobody sets that, and it counts the time that the machine was suspended.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use redis::{RedisResult, Value};

use super::wire::Wire;
use crate::clock::{Clock, Times, UnixTime, boot, uptime};

/// Nothing is known.
const UNKNOWN: i64 = i64::MIN;

/// By how many milliseconds the server's clock is ahead of that.
pub(super) struct ServerClock(AtomicI64);

impl Default for ServerClock {
    fn default() -> Self {
        Self(AtomicI64::new(UNKNOWN))
    }
}

impl ServerClock {
    /// Asks the server what its clock reads.
    pub(super) fn learn(&self, wire: &mut Wire) -> RedisResult<()> {
        let started = boot();
        let (secs, micros): (i64, i64) = redis::cmd("TIME").query(wire)?;
        let took = boot().saturating_sub(started);
        let ahead = (secs * 1000 + micros / 1000).saturating_sub(millis(started + took / 2));
        let held = self.0.load(Ordering::Relaxed);
        // What an answer's way leaves open is no reason to change it.
        let open = millis(took).saturating_add(2).unsigned_abs();
        if held == UNKNOWN || held.abs_diff(ahead) > open {
            self.0.store(ahead, Ordering::Relaxed);
        }
        Ok(())
    }

    /// How far it is ahead of the uptime, from which suspended time is left out, as it stands now. None before the server was asked.
    pub(super) fn ahead_of_uptime(&self) -> Option<i64> {
        let ahead = Some(self.0.load(Ordering::Relaxed)).filter(|ahead| *ahead != UNKNOWN)?;
        Some(ahead.saturating_add(millis(boot().saturating_sub(uptime()))))
    }

    /// What it reads now, or this machine's where it is not known.
    pub(super) fn now(&self) -> UnixTime {
        let clock = |ahead_of_uptime| Clock::Elsewhere { ahead_of_uptime };
        self.ahead_of_uptime().map_or(Clock::System, clock).exact()
    }

    /// By how much it and this machine's clock differ.
    pub(super) fn apart(&self) -> Duration {
        let (theirs, ours) = (self.now(), Times::now().wall());
        theirs.since(ours).max(ours.since(theirs))
    }
}

/// The time that an answer of TIME tells.
pub(super) fn read(value: &Value) -> Option<UnixTime> {
    let (secs, micros): (i64, i64) = redis::from_redis_value_ref(value).ok()?;
    Some(UnixTime::from_millis(secs * 1000 + micros / 1000))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
