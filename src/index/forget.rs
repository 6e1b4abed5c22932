//! Taking out of the index what the log has forgotten on purpose.
//!
//! The index knows tokens, not records: all that it holds of the tokens that an erased record means is taken out, and what the log
//! still has of them is put in at once. No reader sees the one without the other.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::merged_cut_offs::CutOff;
use super::segment::{Entries, Segment};
use super::{Batch, Everything, Index, View};
use crate::clock::UnixTime;
use crate::revocation::{Fingerprint, Issuer, Lane, Record, RecordRef, Salt};

/// What was added of the tokens that are being forgotten.
#[derive(Default)]
pub(super) struct AddedMeanwhile {
    meant: Meant,
    lanes: [(Entries, Vec<CutOff>); 4],
    everything: Vec<Everything>,
}

impl AddedMeanwhile {
    pub(super) fn note(&mut self, lanes: &[(Entries, Vec<CutOff>); 4], everything: &[Everything]) {
        for ((noted, meant), (entries, cut_offs)) in self.lanes.iter_mut().zip(&self.meant.lanes).zip(lanes) {
            for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| meant.contains(&entry.fingerprint())) {
                noted.0.push(entry);
                noted.1.extend(cut_offs.get(at).cloned());
            }
        }
        self.everything.extend(everything.iter().filter(|one| self.meant.everything.contains(&one.issuer)).cloned());
    }
}

/// The tokens that some records mean, as the index knows them.
#[derive(Clone, Default)]
pub(crate) struct Meant {
    lanes: [HashSet<Fingerprint>; 4],
    everything: Vec<Issuer>,
}

impl Meant {
    fn add(&mut self, salt: &Salt, record: &RecordRef<'_>) {
        match salt.of_record(record) {
            Some((lane, fingerprint)) => drop(self.lanes[lane as usize].insert(fingerprint)),
            None => self.everything.push(record.issuer.into_owned()),
        }
    }

    fn has(&self, salt: &Salt, record: &RecordRef<'_>) -> bool {
        match salt.of_record(record) {
            Some((lane, fingerprint)) => self.lanes[lane as usize].contains(&fingerprint),
            None => self.everything.iter().any(|issuer| issuer.is(record.issuer)),
        }
    }
}

impl Index {
    /// Which tokens these records mean, of those that the index holds anything of. None where there are none.
    pub(crate) fn meant_by(&self, records: &[Record]) -> Option<Meant> {
        let (view, mut meant, mut is_any) = (self.view(), Meant::default(), false);
        for record in records.iter().map(Record::borrow) {
            let is_held = match self.salt.of_record(&record) {
                Some((lane, print)) => view.lanes[lane as usize].holds(print),
                None => view.everything.iter().any(|one| one.issuer.is(record.issuer)),
            };
            if is_held {
                meant.add(&self.salt, &record);
                is_any = true;
            }
        }
        is_any.then_some(meant)
    }

    /// Whether a record means the same tokens as one of those.
    pub(crate) fn is_meant(&self, meant: &Meant, record: &RecordRef<'_>) -> bool {
        meant.has(&self.salt, record)
    }

    /// From now on, what is added of these tokens is noted, until they are forgotten. One at a time.
    pub(crate) fn begin_to_forget(&self, meant: Meant) {
        self.writer.lock().added_meanwhile = Some(AddedMeanwhile { meant, ..AddedMeanwhile::default() });
    }

    /// They stay as they are.
    pub(crate) fn forget_nothing(&self) {
        self.writer.lock().added_meanwhile = None;
    }

    /// Puts what is still known of them, and what was added meanwhile, in the place of all that is held of them.
    pub(crate) fn forget(&self, known: Batch) {
        let _no_merge = self.merging.lock();
        let Some(meant) = self.writer.lock().added_meanwhile.as_ref().map(|added| added.meant.clone()) else { return };
        let without = |lane: Lane, segment: &Arc<Segment>| segment.without(&meant.lanes[lane as usize], self.filtering);
        // The large ones take a while, and are there before anybody has to wait.
        let before = self.published.load_full();
        let prepared = Lane::ALL.map(|lane| {
            let segments = before.lanes[lane as usize].segments.iter();
            segments.map(|segment| (Arc::clone(segment), without(lane, segment))).collect::<Vec<_>>()
        });
        let (lanes, everything) = known.finish(&self.salt);
        let known = lanes.map(|(entries, cut_offs)| self.segment_of(&entries, cut_offs));
        let mut writer = self.writer.lock();
        let Some(meanwhile) = writer.added_meanwhile.take() else { return };
        let meanwhile_everything = meanwhile.everything;
        let meanwhile = meanwhile.lanes.map(|(entries, cut_offs)| self.segment_of(&entries, cut_offs));
        self.change(&mut writer, |view| {
            for (lane, prepared) in Lane::ALL.into_iter().zip(&prepared) {
                let records = &mut view.lanes[lane as usize];
                let is_meant = !meant.lanes[lane as usize].is_empty();
                if let Some(recent) = records.recent.take_if(|_| is_meant) {
                    let (entries, cut_offs) = recent.entries();
                    records.segments.extend(self.segment_of(&entries, cut_offs));
                }
                let left = records.segments.iter().filter_map(|segment| {
                    let known = prepared.iter().find(|(before, _)| Arc::ptr_eq(before, segment));
                    known.map_or_else(|| without(lane, segment), |(_, left)| left.clone())
                });
                records.segments = left.collect();
                for added in [&known, &meanwhile] {
                    records.segments.extend(added[lane as usize].clone());
                }
            }
            view.everything =
                view.everything.iter().filter(|one| !meant.everything.contains(&one.issuer)).cloned().collect();
            for added in [everything, meanwhile_everything] {
                Everything::reduce(added).into_iter().flatten().for_each(|new| view.add_everything(new));
            }
            self.latest.store(latest(view).map_or(i64::MIN, UnixTime::as_millis), Ordering::Release);
        });
    }

    fn segment_of(&self, entries: &Entries, cut_offs: Vec<CutOff>) -> Option<Arc<Segment>> {
        (entries.len() > 0).then(|| Arc::new(Segment::build(entries, cut_offs, self.filtering)))
    }
}

/// The latest cut-off of any subject, or of all.
fn latest(view: &View) -> Option<UnixTime> {
    let subjects = &view.lanes[Lane::Subject as usize];
    let recent = subjects.recent.iter().flat_map(|recent| recent.entries().1).map(|cut_off| cut_off.at).max();
    let sealed = subjects.segments.iter().filter_map(|segment| segment.latest()).max();
    let everything = view.everything.iter().map(|one| one.cut_off.at).max();
    [recent, sealed, everything].into_iter().max().flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::{Filtering, Probes, Traits};
    use crate::revocation::Target;

    /// Few values, so that several records mean the same tokens.
    fn record() -> impl Strategy<Value = Record> {
        let value = || prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
        let target = prop_oneof![
            value().prop_map(|jti| Target::Token(jti.into())),
            value().prop_map(Target::Session),
            value().prop_map(Target::Subject),
            Just(Target::Everything),
        ];
        let issuer = prop_oneof![Just(Issuer::Any), Just(Issuer::Absent), Just(Issuer::Named("i".to_owned()))];
        let keep = prop::sample::subsequence(vec!["a", "b"], 0..=2);
        (target, issuer, 1_i64..5, keep).prop_map(|(target, issuer, secs, keep)| {
            let has_cut_off = matches!(target, Target::Subject(_) | Target::Everything);
            Record {
                target,
                issuer,
                issued_before: has_cut_off.then_some(UnixTime::from_secs(secs)),
                keep: if has_cut_off { keep.into_iter().map(str::to_owned).collect() } else { Vec::new() },
                keep_until: None,
                recorded_at: UnixTime::from_secs(secs),
                reason: None,
            }
        })
    }

    fn add(index: &Index, records: &[Record]) {
        let mut batch = Batch::default();
        records.iter().for_each(|record| index.put(&mut batch, &record.borrow()));
        let _to_merge = index.insert_all(batch);
    }

    /// What is said of tokens with any of these claims, and what a new cut-off has to lie behind.
    fn answers(index: &Index) -> Vec<String> {
        let (ids, mut answers) = ([None, Some("a"), Some("b"), Some("c")], Vec::new());
        for (jti, sid, sub) in ids
            .iter()
            .flat_map(|jti| ids.iter().map(move |sid| (jti, sid)))
            .flat_map(|(jti, sid)| ids.iter().map(move |sub| (*jti, *sid, *sub)))
        {
            for iss in [None, Some("i"), Some("other")] {
                for iat in [0, 1, 2, 3, 4, 9] {
                    let traits = Traits { jti, sid, sub, iss, iat: Some(UnixTime::from_secs(iat)), knowing: None };
                    let look = index.look((), || None);
                    let screened = index.screen(&look, &traits, || [1; 32], &mut Probes::default());
                    answers.push(format!("{screened:?} {:?}", index.latest_cut_off(&look, &traits)));
                }
            }
        }
        answers.push(format!("{:?}", index.latest()));
        answers
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn an_index_that_forgets_some_is_as_one_that_never_had_them(
            parts in prop::collection::vec(prop::collection::vec(record(), 0..6), 1..4),
            meanwhile in prop::collection::vec(record(), 0..3),
            is_erased in prop::collection::vec(any::<bool>(), 24),
        ) {
            let index = Index::new(Salt::new(&[3; 16]), Filtering::On);
            for (n, part) in parts.iter().enumerate() {
                add(&index, part);
                // Some in segments, some in the recent set.
                if n + 1 < parts.len() {
                    let mut batch = Batch::default();
                    part.iter().for_each(|record| index.put(&mut batch, &record.borrow()));
                    index.add(batch);
                }
            }
            let all: Vec<_> = parts.concat();
            let (erased, left): (Vec<_>, Vec<_>) = all.iter().cloned().enumerate().partition(|(n, record)| {
                // A record is erased wherever it stands.
                is_erased[all.iter().position(|other| other == record).unwrap_or(*n)]
            });
            let [erased, left] = [erased, left].map(|some| some.into_iter().map(|(_, one)| one).collect::<Vec<_>>());
            if let Some(meant) = index.meant_by(&erased) {
                let mut batch = Batch::default();
                index.begin_to_forget(meant.clone());
                let is_meant = |record: &&Record| index.is_meant(&meant, &record.borrow());
                left.iter().filter(is_meant).for_each(|record| index.put(&mut batch, &record.borrow()));
                add(&index, &meanwhile);
                index.forget(batch);
            } else {
                prop_assert!(erased.is_empty());
                add(&index, &meanwhile);
            }
            let fresh = Index::new(Salt::new(&[3; 16]), Filtering::On);
            add(&fresh, &left);
            add(&fresh, &meanwhile);
            prop_assert_eq!(answers(&index), answers(&fresh));
            while index.merge() != crate::index::Merge::Nothing {}
            prop_assert_eq!(answers(&index), answers(&fresh));
        }
    }
}
