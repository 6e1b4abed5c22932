//! What the log has lost and this node holds: stated and appended again.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::append::{Patience, STEP_MAX};
use super::reader::Reader;
use super::{RedisLog, add_facts, entry, millis, script, shorter};
use crate::log::{Allowance, Cursor, Facts, LogError, Standing};

/// Within what time the nodes put back what was lost: each at a moment of its own, so that it sees what others did before.
const WITHIN: Duration = Duration::from_millis(500);

/// After how long it is tried again.
const AGAIN: Duration = Duration::from_millis(200);

impl RedisLog {
    /// Tells a log that went back, or was made anew by somebody who knew nothing of it, what was stated before.
    pub(super) fn restate(&self, reader: &mut Reader, facts: Facts) -> Result<Facts, LogError> {
        let before = std::mem::replace(&mut *self.last_facts.lock(), facts);
        if !std::mem::take(&mut reader.is_read_anew) {
            return Ok(facts);
        }
        let stated = Facts {
            watermark: before.watermark.max(facts.watermark),
            newest: facts.newest.or(before.newest),
            longest_lifetime: shorter(before.longest_lifetime, facts.longest_lifetime),
            allowance: Allowance::smaller(before.allowance, facts.allowance),
            generation: facts.generation,
        };
        if stated != facts {
            *self.last_facts.lock() = stated;
            let mut command = self.script(script::RESTATE);
            add_facts(&mut command, stated);
            self.reader.with(Duration::ZERO, |connection, _| command.exec(connection))?;
        }
        Ok(stated)
    }

    /// What this node appended and should have met here by now was appended elsewhere: it is owed here.
    pub(super) fn look_for_unseen(&self, reader: &mut Reader, start: Cursor, met: &HashSet<i64>, end: Cursor) {
        let missing = self.unseen.lock().settle(start, met, end, reader.standing == Standing::Proven);
        if !missing.is_empty() {
            tracing::warn!(count = missing.len(), "revocations went to a server that is not the one that is followed");
            reader.to_repair.extend(missing);
            reader.repair_at = Some(Instant::now());
            self.writer.leave();
        }
    }

    /// Puts back what the log lacks, when it is time.
    pub(super) fn put_back(&self, reader: &mut Reader) {
        if let Some(lacking) = reader.lacking.take()
            && !lacking.is_empty()
        {
            tracing::warn!(count = lacking.len(), "the log lacks revocations that this node holds: putting them back");
            reader.to_repair.extend(lacking);
        }
        if !reader.to_repair.is_empty() || (self.copy.is_some() && reader.copying.has_unsent()) {
            reader.repair_at.get_or_insert_with(|| self.moment_within(WITHIN));
        }
        if reader.repair_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        let done = self.append_missing(reader).and_then(|()| match &self.copy {
            Some(copy) => self.send_unsent(&**copy, reader),
            None => Ok(None),
        });
        reader.repair_at = match done {
            Ok(more_within) => more_within.map(|within| self.moment_within(within)),
            Err(error) => {
                tracing::warn!(%error, "revocations could not be put back yet");
                Some(Instant::now() + AGAIN)
            }
        };
    }

    fn moment_within(&self, time: Duration) -> Instant {
        let random = self.random_i64().map_or(0, |random| random.unsigned_abs() % (millis(time) + 1));
        Instant::now() + Duration::from_millis(random)
    }

    fn append_missing(&self, reader: &mut Reader) -> Result<(), LogError> {
        let watermark = reader.watermark();
        reader.to_repair.retain(|text| entry::is_live(entry::keep_until(text), watermark));
        let to_repair: Vec<Box<str>> = reader.to_repair.iter().cloned().collect();
        for chunk in to_repair.chunks(STEP_MAX) {
            let times = chunk.iter().map(|text| entry::recorded_at(text)).collect();
            self.append_texts(&chunk.into(), times, Patience::None)?;
            chunk.iter().for_each(|text| {
                reader.to_repair.remove(text);
            });
        }
        Ok(())
    }
}
