//! Records on their way into the index in large numbers, without their values.
//!
//! The cut-offs of a subject that come one behind the other are made one while they are gathered, so that who presses a
//! button again and again takes no more room than others, and little more time than reading takes.

use super::Everything;
use super::entry::{Entry, Until};
use super::merged_cut_offs::{CutOff, Kept};
use super::segment::Entries;
use crate::clock::UnixTime;
use crate::revocation::{Fingerprint, KeepRef, KeptId, Lane, RecordRef, Salt};

#[derive(Default)]
pub(crate) struct Batch {
    pub(super) lanes: [(Entries, Vec<CutOff>); 4],
    pub(super) everything: Vec<Everything>,
    /// Subjects that were met lately, by their keys.
    lately: Vec<Lately>,
    /// What is used anew for each record.
    spare: Newest,
    list: Vec<KeptId>,
    room: Vec<Kept>,
}

/// How many subjects are remembered.
const LATELY: usize = 256;

/// A subject whose cut-offs were met lately.
#[derive(Default)]
struct Lately {
    /// Where its entry stands.
    place: usize,
    /// The list of its latest cut-off, where that is still to be taken to its entry.
    newest: Option<Newest>,
}

/// The list of the latest cut-off, in clear: of an id in it, the latest cut-off that lacks it matters, and to compare two ids
/// takes less time than to hash them. Only the last of many lists is hashed.
#[derive(Default)]
struct Newest {
    ids: String,
    each: Vec<Listed>,
}

/// An id of a list.
#[derive(Clone, Copy)]
struct Listed {
    start: usize,
    end: usize,
    /// Its last bytes and its length: others in nearly every other id.
    mark: u64,
    /// The latest cut-off that lacks it, if any.
    lacked: Option<UnixTime>,
}

/// How long a list may be that is compared.
const COMPARED_MAX: usize = 16;

impl Newest {
    fn iter(&self) -> impl Iterator<Item = (&str, Option<UnixTime>)> {
        self.each.iter().map(|one| (&self.ids[one.start..one.end], one.lacked))
    }

    /// Becomes the list behind another, whose cut-off was at `at`. None that was before lacks an id of the first list.
    fn follow(&mut self, before: &Self, at: Option<UnixTime>, list: &KeepRef<'_>) {
        self.ids.clear();
        self.each.clear();
        list.for_each(|id| {
            let mark = mark(id);
            let is_same = |held: &&Listed| held.mark == mark && before.ids[held.start..held.end] == *id;
            let lacked = before.each.iter().find(is_same).map_or(at, |held| held.lacked);
            let start = self.ids.len();
            self.ids.push_str(id);
            self.each.push(Listed { start, end: self.ids.len(), mark, lacked });
        });
    }
}

fn mark(id: &str) -> u64 {
    let last = id.as_bytes().last_chunk::<8>().map_or(0, |last| u64::from_le_bytes(*last));
    last.wrapping_add(id.len() as u64)
}

impl Batch {
    pub(super) fn add(&mut self, salt: &Salt, record: &RecordRef<'_>) {
        let until = Until::from(record.keep_until);
        let Some((lane, fingerprint)) = salt.of_record(record) else {
            let cut_off = CutOff::of(salt, record);
            self.everything.push(Everything { issuer: record.issuer.into_owned(), cut_off, until });
            return;
        };
        if lane == Lane::Subject {
            return self.add_cut_off(fingerprint, until, salt, record);
        }
        self.lanes[lane as usize].0.push(Entry::new(fingerprint, until));
    }

    fn add_cut_off(&mut self, fingerprint: Fingerprint, until: Until, salt: &Salt, record: &RecordRef<'_>) {
        let Self { lanes, lately, spare, list, room, .. } = self;
        let (entries, cut_offs) = &mut lanes[Lane::Subject as usize];
        if lately.is_empty() {
            lately.resize_with(LATELY, Lately::default);
        }
        let subject = &mut lately[fingerprint.key as usize % LATELY];
        let at = record.cut_off();
        let is_compared = record.keep.len() <= COMPARED_MAX;
        if entries.get(subject.place).is_some_and(|held| held.fingerprint() == fingerprint) {
            entries.lengthen(subject.place, until);
            let held = &mut cut_offs[subject.place];
            held.shorten(until);
            match &mut subject.newest {
                Some(newest) if is_compared && at > held.at => {
                    spare.follow(newest, Some(held.at), &record.keep);
                    std::mem::swap(newest, spare);
                    held.at = at;
                }
                newest => {
                    settle(newest, held, salt, room);
                    hash(&record.keep, salt, list);
                    held.widen(at, list, room);
                }
            }
            return;
        }
        if let Some(held) = cut_offs.get_mut(subject.place) {
            settle(&mut subject.newest, held, salt, room);
        }
        subject.place = cut_offs.len();
        entries.push(Entry::new(fingerprint, until));
        cut_offs.push(CutOff::of(salt, &RecordRef { keep: KeepRef::Held(&[]), ..record.clone() }));
        match is_compared {
            true => subject.newest.insert(Newest::default()).follow(&Newest::default(), None, &record.keep),
            false => cut_offs[subject.place] = CutOff::of(salt, record),
        }
    }

    /// All that was gathered.
    pub(super) fn finish(mut self, salt: &Salt) -> ([(Entries, Vec<CutOff>); 4], Vec<Everything>) {
        let (_, cut_offs) = &mut self.lanes[Lane::Subject as usize];
        for Lately { place, newest } in &mut self.lately {
            if let Some(held) = cut_offs.get_mut(*place) {
                settle(newest, held, salt, &mut self.room);
            }
        }
        (self.lanes, self.everything)
    }

    pub(crate) fn len(&self) -> usize {
        self.lanes.iter().map(|(entries, _)| entries.len()).sum::<usize>() + self.everything.len()
    }
}

/// Takes the list of the latest cut-off to its entry, if that was still to be done.
fn settle(newest: &mut Option<Newest>, held: &mut CutOff, salt: &Salt, room: &mut Vec<Kept>) {
    let Some(newest) = newest.take() else { return };
    room.clear();
    room.extend(newest.iter().map(|(id, lacked)| Kept::new(salt.kept(id), lacked)));
    *held = CutOff::of_kept(held.at, held.least(), room);
}

fn hash(keep: &KeepRef<'_>, salt: &Salt, list: &mut Vec<KeptId>) {
    list.clear();
    keep.for_each(|id| list.push(salt.kept(id)));
    list.sort_unstable();
    list.dedup();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::revocation::{IssuerRef, Scope, Value};

    /// Lists that come one behind the other, of several subjects, of whatever length.
    fn cut_offs() -> impl Strategy<Value = Vec<(&'static str, i64, Vec<String>)>> {
        let ids = prop_oneof![
            9 => prop::collection::vec("[abcd]", 0..6),
            1 => prop::collection::vec("[a-z]", 15..20),
        ];
        let one = (proptest::sample::select(vec!["u", "v"]), 0_i64..12, ids);
        prop::collection::vec(one, 0..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn what_is_gathered_is_what_each_comes_to_by_itself(all in cut_offs()) {
            let salt = Salt::new(&[7; 16]);
            let mut batch = Batch::default();
            let mut expected: Vec<(Entry, CutOff)> = Vec::new();
            for (n, (subject, millis, keep)) in all.iter().enumerate() {
                let record = RecordRef {
                    scope: Scope::Subject,
                    value: Value::Text(subject),
                    issuer: IssuerRef::Any,
                    issued_before: Some(UnixTime::from_millis(*millis)),
                    keep: KeepRef::Held(keep),
                    keep_until: Some(UnixTime::from_secs(i64::try_from(n).unwrap())),
                };
                batch.add(&salt, &record);
                let fingerprint = salt.fingerprint(Lane::Subject, subject.as_bytes());
                expected.push((Entry::new(fingerprint, Until::from(record.keep_until)), CutOff::of(&salt, &record)));
            }
            let (lanes, _) = batch.finish(&salt);
            let [_, _, _, (entries, cut_offs)] = lanes;
            let gathered: Vec<_> = entries.iter().zip(cut_offs).collect();
            prop_assert!(gathered.len() <= 2 || all.is_empty());
            let reduced = |mut all: Vec<(Entry, CutOff)>| {
                all.sort_by_key(|(entry, _)| entry.fingerprint());
                CutOff::reduce(all)
            };
            prop_assert_eq!(reduced(gathered), reduced(expected));
        }
    }
}
