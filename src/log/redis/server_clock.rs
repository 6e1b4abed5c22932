//! What the server's clock reads, by this machine's: the time that counts for a log that many machines share.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use redis::{RedisResult, Value};

use super::wire::Wire;
use crate::clock::{Times, UnixTime};

/// Nothing is known.
const UNKNOWN: i64 = i64::MIN;

/// An answer that took longer says too little, where something is known already.
const PRECISE: Duration = Duration::from_millis(500);

/// By how many milliseconds the server's clock is ahead of this machine's.
pub(super) struct ServerClock(AtomicI64);

impl Default for ServerClock {
    fn default() -> Self {
        Self(AtomicI64::new(UNKNOWN))
    }
}

impl ServerClock {
    /// Asks the server what its clock reads.
    pub(super) fn learn(&self, wire: &mut Wire) -> RedisResult<()> {
        let (wall, started) = (Times::now().wall(), Instant::now());
        let (secs, micros): (i64, i64) = redis::cmd("TIME").query(wire)?;
        let took = started.elapsed();
        let ahead = (secs * 1000 + micros / 1000) - wall.plus(took / 2).as_millis();
        let held = self.0.load(Ordering::Relaxed);
        // What an answer's way leaves open is no reason to change it.
        let open = i64::try_from(took.as_millis()).unwrap_or(i64::MAX).saturating_add(2);
        let is_news = held == UNKNOWN || (took <= PRECISE && held.abs_diff(ahead) > open.unsigned_abs());
        if is_news {
            self.0.store(ahead, Ordering::Relaxed);
        }
        Ok(())
    }

    /// By how many milliseconds it is ahead. None before the server was asked.
    pub(super) fn ahead(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|ahead| *ahead != UNKNOWN)
    }

    /// What it reads now, or this machine's where it is not known.
    pub(super) fn now(&self) -> UnixTime {
        let wall = Times::now().wall().as_millis();
        UnixTime::from_millis(wall.saturating_add(self.ahead().unwrap_or(0)))
    }
}

/// The time that an answer of TIME tells.
pub(super) fn read(value: &Value) -> Option<UnixTime> {
    let (secs, micros): (i64, i64) = redis::from_redis_value_ref(value).ok()?;
    Some(UnixTime::from_millis(secs * 1000 + micros / 1000))
}
