//! What this node knows to have been in the log, so that it can put back what the log has lost.

use std::collections::HashMap;

use crate::clock::UnixTime;

/// How much is held, in bytes: a quarter of a million revocations of tokens, or more.
const BYTES_MAX: usize = 64 << 20;

/// Records as they are written. In two generations: when the younger has grown to half of what may be held,
/// the elder is let go.
pub(super) struct Held {
    young: Generation,
    old: Generation,
    half: usize,
}

#[derive(Default)]
struct Generation {
    records: HashMap<Box<str>, Option<UnixTime>>,
    bytes: usize,
}

impl Default for Held {
    fn default() -> Self {
        Self::up_to(BYTES_MAX)
    }
}

impl Held {
    fn up_to(bytes: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), half: bytes / 2 }
    }

    /// Holds a record, which is kept until then.
    pub(super) fn put(&mut self, record: &str, until: Option<UnixTime>) {
        if self.old.records.contains_key(record) || self.young.records.contains_key(record) {
            return;
        }
        // With what an entry of the map takes.
        let bytes = record.len() + 64;
        self.young.records.insert(record.into(), until);
        self.young.bytes += bytes;
        if self.young.bytes > self.half {
            self.old = std::mem::take(&mut self.young);
        }
    }

    /// Lets go of what nobody can use any more.
    pub(super) fn forget_until(&mut self, watermark: UnixTime) {
        for generation in [&mut self.young, &mut self.old] {
            generation.records.retain(|_, until| until.is_none_or(|until| until > watermark));
        }
    }

    /// What is held and is not there.
    pub(super) fn beside(&self, is_there: impl Fn(&str) -> bool) -> Vec<Box<str>> {
        let all = self.old.records.keys().chain(self.young.records.keys());
        all.filter(|record| !is_there(record)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_log_lacks_is_told_until_it_has_expired() {
        let mut held = Held::default();
        held.put("a", Some(UnixTime::from_secs(1)));
        held.put("b", None);
        held.put("b", None);
        held.put("c", Some(UnixTime::from_secs(3)));
        let beside = |held: &Held| {
            let mut records = held.beside(|record| record == "c");
            records.sort();
            records
        };
        assert_eq!(beside(&held), ["a".into(), "b".into()] as [Box<str>; 2]);
        held.forget_until(UnixTime::from_secs(1));
        assert_eq!(beside(&held), ["b".into()] as [Box<str>; 1]);
    }

    #[test]
    fn no_more_is_held_than_there_is_room_for_and_the_oldest_goes_first() {
        let mut held = Held::up_to(20_000);
        (0..10_000).for_each(|number| held.put(&number.to_string(), None));
        let records = held.beside(|_| false);
        assert!((100..300).contains(&records.len()), "{}", records.len());
        assert!(records.contains(&"9999".into()) && !records.contains(&"0".into()));
    }
}
