//! What this node knows to have been in the log, so that it can put back what the log has lost.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::encoded::{self, Encoded};
use crate::clock::UnixTime;

/// How much is held, in bytes: a quarter of a million revocations of tokens, or more.
const BYTES_MAX: usize = 64 << 20;

/// What was appended.
pub(super) type ToAcknowledge = Arc<[Encoded]>;

/// Records as they are written. In two generations: when the younger has grown to half of what may be held,
/// the elder is let go.
pub(super) struct Acknowledged {
    young: Generation,
    old: Generation,
    half: usize,
}

#[derive(Default)]
struct Generation {
    records: HashMap<Encoded, Option<UnixTime>>,
    bytes: usize,
}

impl Default for Acknowledged {
    fn default() -> Self {
        Self::up_to(BYTES_MAX)
    }
}

impl Acknowledged {
    pub(super) fn up_to(bytes: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), half: bytes / 2 }
    }

    /// Holds a record, which is kept until then.
    pub(super) fn put(&mut self, record: &[u8], until: Option<UnixTime>) {
        let is_old = !self.old.records.is_empty() && self.old.records.contains_key(record);
        if is_old || self.young.records.insert(record.into(), until).is_some() {
            return;
        }
        self.young.bytes += taken_by(record);
        if self.young.bytes > self.half {
            self.old = std::mem::take(&mut self.young);
        }
    }

    pub(super) fn put_all(&mut self, batches: Vec<ToAcknowledge>) {
        for records in batches {
            records.iter().for_each(|record| self.put(record, encoded::keep_until(record)));
        }
    }

    /// Lets go of what nobody can use any more.
    pub(super) fn forget_until(&mut self, watermark: UnixTime) {
        for generation in [&mut self.young, &mut self.old] {
            let Generation { records, bytes } = generation;
            records.retain(|record, until| {
                let is_live = until.is_none_or(|until| until > watermark);
                *bytes -= if is_live { 0 } else { taken_by(record) };
                is_live
            });
        }
    }

    /// All that is held, which is held no more.
    pub(super) fn take(&mut self) -> HashSet<Encoded> {
        let [old, young] = [std::mem::take(&mut self.old), std::mem::take(&mut self.young)];
        old.records.into_keys().chain(young.records.into_keys()).collect()
    }
}

/// How much room a record takes, with its entry in a map.
fn taken_by(record: &[u8]) -> usize {
    record.len() + 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(held: &mut Acknowledged) -> Vec<String> {
        let mut texts: Vec<String> =
            held.take().into_iter().map(|bytes| String::from_utf8(bytes.into_vec()).unwrap()).collect();
        texts.sort();
        texts
    }

    #[test]
    fn records_are_held_once_and_until_they_have_expired() {
        let mut held = Acknowledged::default();
        held.put(b"a", Some(UnixTime::from_secs(1)));
        held.put(b"b", None);
        held.put(b"b", None);
        held.put(b"c", Some(UnixTime::from_secs(3)));
        held.forget_until(UnixTime::from_secs(1));
        assert_eq!(held.young.bytes, 2 * taken_by(b"b"));
        assert_eq!(taken(&mut held), ["b", "c"]);
        assert_eq!((taken(&mut held).len(), held.young.bytes), (0, 0));
    }

    #[test]
    fn no_more_is_held_than_there_is_room_for_and_the_oldest_goes_first() {
        let mut held = Acknowledged::up_to(20_000);
        (0..10_000).for_each(|number| held.put(number.to_string().as_bytes(), None));
        let texts = taken(&mut held);
        assert!((100..300).contains(&texts.len()), "{}", texts.len());
        assert!(texts.contains(&"9999".to_owned()) && !texts.contains(&"0".to_owned()));
    }
}
