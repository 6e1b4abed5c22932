//! Taking from the front of the stream what has expired, by the server's time.

use std::time::Duration;

use redis::{RedisResult, Value};

use super::wire::Wire;
use super::{POSITION_MAX, RedisLog, encoded, first, millis, script, server_clock};
use crate::clock::{Times, UnixTime};
use crate::log::{ClockTrust, Collected, LogError, PLAUSIBLE_STEP};

/// For how long after a step nobody else collects: longer than whoever does pauses, and shorter than others wait.
const LEASE: Duration = Duration::from_millis(500);

impl RedisLog {
    pub(super) fn collect_expired(&self, max: usize, trust: ClockTrust) -> Result<Collected, LogError> {
        let tag = self.random_tag()?;
        let answer: (i64, i64, bool, i64) = self.writer.with(Duration::ZERO, |wire, _| {
            // Of one that is only to raise the watermark, it matters to nobody.
            let is_worth_it = max > 1 && self.is_mostly_expired(wire)?;
            let mut command = self.script(script::COLLECT);
            command.arg(max).arg(millis(PLAUSIBLE_STEP)).arg(tag).arg(u8::from(is_worth_it));
            command.arg(&self.name).arg(millis(LEASE)).arg(Times::now().wall().as_millis());
            command.arg(u8::from(trust == ClockTrust::Confirmed)).query(wire)
        })?;
        let (deleted, watermark, more, revision) = answer;
        if deleted == -1 {
            return Err(LogError::Busy { path: self.place.shown.clone(), waited: Duration::ZERO });
        }
        let (deleted, watermark) = (usize::try_from(deleted).unwrap_or(0), UnixTime::from_millis(watermark));
        // It is owed until it is read, unless somebody has taken it back meanwhile.
        let mut held = self.last_facts.lock();
        if held.revision == revision && watermark > UnixTime::default() {
            held.watermark = held.watermark.max(Some(watermark));
        }
        Ok(Collected { deleted, watermark, more })
    }

    /// Whether most of the stream has expired, by a look at entries here and there: then it is worth writing again what is
    /// live among them, however much of that stands in front.
    fn is_mostly_expired(&self, wire: &mut Wire) -> RedisResult<bool> {
        const LOOKS: i64 = 100;
        let mut from_behind = redis::cmd("XREVRANGE");
        from_behind.arg(&self.stream).arg(POSITION_MAX).arg("-").arg("COUNT").arg(1);
        let mut ends = redis::pipe();
        ends.add_command(self.one_entry("-", POSITION_MAX)).add_command(from_behind).cmd("TIME");
        let (oldest, newest, now): (Value, Value, Value) = ends.query(wire)?;
        let (Some(oldest), Some(newest)) = (first(&oldest), first(&newest)) else { return Ok(false) };
        let (step, Some(now)) = ((newest.position - oldest.position) / LOOKS, server_clock::read(&now)) else {
            return Ok(false);
        };
        if step == 0 {
            return Ok(false);
        }
        let mut pipeline = redis::pipe();
        for look in 0..LOOKS {
            pipeline.add_command(self.one_entry(oldest.position + look * step, POSITION_MAX));
        }
        let looks: Vec<Value> = pipeline.query(wire)?;
        let has_expired = |look: &&Value| {
            first(look).is_some_and(|entry| encoded::keep_until(entry.bytes()).is_some_and(|until| until <= now))
        };
        Ok(looks.iter().filter(has_expired).count() * 2 > looks.len())
    }
}
