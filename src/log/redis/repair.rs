//! What the log has lost and this node holds: stated and appended again.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::append::{Patience, STEP_BYTES_MAX, STEP_MAX};
use super::encoded::Encoded;
use super::reader::Reader;
use super::{RedisLog, encoded, entry, millis};
use crate::log::{Cursor, LogError, Standing};

/// Within what time the nodes put back what was lost: each at a moment of its own, so that it sees what others did before.
const WITHIN: Duration = Duration::from_millis(500);

/// After how long it is tried again.
const AGAIN: Duration = Duration::from_millis(200);

impl RedisLog {
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
        let (watermark, erased) = (reader.watermark(), self.erased.records());
        reader
            .to_repair
            .retain(|bytes| entry::is_live(encoded::keep_until(bytes), watermark) && !erased.contains(bytes));
        let to_repair: Vec<Encoded> = reader.to_repair.iter().cloned().collect();
        for chunk in steps(&to_repair) {
            self.append_encoded(&chunk.into(), Patience::None)?;
            chunk.iter().for_each(|bytes| {
                reader.to_repair.remove(bytes);
            });
        }
        Ok(())
    }
}

/// What is put back in one step: neither too many, nor too much for a slow line to carry in time.
fn steps(records: &[Encoded]) -> impl Iterator<Item = &[Encoded]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |record: &&Encoded| {
            bytes += record.len();
            bytes <= STEP_BYTES_MAX
        };
        let count = rest.iter().take(STEP_MAX).take_while(fits).count().max(1).min(rest.len());
        let (step, behind) = rest.split_at(count);
        rest = behind;
        (count > 0).then_some(step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_bounded_by_count_and_by_bytes_and_has_one_record_at_least() {
        let record = |bytes: usize| vec![0; bytes].into_boxed_slice();
        let counts = |records: &[Encoded]| steps(records).map(<[Encoded]>::len).collect::<Vec<_>>();
        assert_eq!(counts(&[]), [0_usize; 0]);
        assert_eq!(counts(&vec![record(40); STEP_MAX + 1]), [STEP_MAX, 1]);
        let large = record(STEP_BYTES_MAX / 2);
        assert_eq!(counts(&[large.clone(), large.clone(), large, record(2 * STEP_BYTES_MAX), record(1)]), [2, 1, 1, 1]);
    }
}
