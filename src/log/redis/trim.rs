//! Taking from the front of the stream what has expired.

use redis::{Connection, RedisResult, Value};

use super::{POSITION_MAX, RedisLog, first, millis, script};
use crate::clock::UnixTime;
use crate::log::{Collected, LogError, PLAUSIBLE_STEP};

impl RedisLog {
    pub(super) fn collect_expired(&self, now: UnixTime, max: usize) -> Result<Collected, LogError> {
        let tag = self.random_i64()?;
        let (deleted, watermark, more): (i64, i64, bool) = self.writer.with(Default::default(), |connection, _| {
            let is_worth_it = self.is_mostly_expired(connection, now)?;
            let mut command = self.script(script::COLLECT);
            command.arg(now.as_millis()).arg(max).arg(millis(PLAUSIBLE_STEP)).arg(tag).arg(u8::from(is_worth_it));
            command.query(connection)
        })?;
        let deleted = usize::try_from(deleted).unwrap_or(0);
        Ok(Collected { deleted, watermark: UnixTime::from_millis(watermark), more })
    }

    /// Whether most of the stream has expired, by a look at entries here and there: then it is worth writing again what is
    /// live among them, however much of that stands in front.
    fn is_mostly_expired(&self, connection: &mut Connection, now: UnixTime) -> RedisResult<bool> {
        const LOOKS: i64 = 100;
        let mut from_behind = redis::cmd("XREVRANGE");
        from_behind.arg(&self.stream).arg(POSITION_MAX).arg("-").arg("COUNT").arg(1);
        let oldest: Value = self.one_entry("-", POSITION_MAX).query(connection)?;
        let newest: Value = from_behind.query(connection)?;
        let (Some(oldest), Some(newest)) = (first(&oldest), first(&newest)) else { return Ok(false) };
        let step = (newest.position - oldest.position) / LOOKS;
        if step == 0 {
            return Ok(false);
        }
        let mut pipeline = redis::pipe();
        for look in 0..LOOKS {
            pipeline.add_command(self.one_entry(oldest.position + look * step, POSITION_MAX));
        }
        let looks: Vec<Value> = pipeline.query(connection)?;
        let until = |look| first(look).and_then(|entry| entry.parse().keep_until());
        Ok(looks.iter().filter(|look| until(look).is_some_and(|until| until <= now)).count() * 2 > looks.len())
    }
}
