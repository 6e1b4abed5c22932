//! An immutable part of the index: a filter over an exact table in the order of its fingerprints.
//!
//! Invariant: a filter's "maybe" is always settled against the table, which keeps all 112 bits.

use std::collections::HashSet;
use std::sync::Arc;

use prefetch_index::prefetch_index;

use super::entry::{Entry, KEY_BITS, Parts, Until};
use super::fuse_filter::{Filter, Filtering, Probe};
use super::huge_pages::{Draft, HugeVec};
use super::merged_cut_offs::CutOff;
use crate::clock::UnixTime;
use crate::revocation::Fingerprint;

/// A segment: entries in order, where each bucket of them starts, and a filter.
pub(super) struct Segment {
    filter: Filter,
    /// How far a key is shifted to give its bucket.
    shift: u32,
    /// Where each bucket starts; one more than there are buckets.
    starts: HugeVec<u32>,
    entries: HugeVec<Parts>,
    /// One for each entry in a lane of cut-offs, else none.
    cut_offs: Box<[CutOff]>,
    earliest: Until,
}

/// About how many entries share a bucket: four bytes of `starts` are spread over as many.
const BUCKET_ENTRIES: usize = 4;

/// Entries on their way into a segment, in any order.
#[derive(Default)]
pub(super) struct Entries(Draft<Parts>);

impl Entries {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Draft::with_capacity(capacity))
    }

    pub(super) fn push(&mut self, Entry(parts): Entry) {
        self.0.push(parts);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<Entry> {
        self.0.get(at).copied().map(Entry)
    }

    /// Keeps the entry at a place until then too.
    pub(super) fn lengthen(&mut self, at: usize, until: Until) {
        if let Some(parts) = self.0.get_mut(at) {
            let entry = Entry(*parts);
            *parts = Entry::new(entry.fingerprint(), entry.until().max(until)).0;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> {
        self.0.iter().copied().map(Entry)
    }

    /// Adds the next in order. Of two records of the same tokens the one that is kept longer stands for both.
    fn push_distinct(&mut self, entry: Entry) {
        match self.0.last_mut() {
            Some(last) if Entry(*last).fingerprint() == entry.fingerprint() => {
                let longer = Entry(*last).until().max(entry.until());
                *last = Entry::new(entry.fingerprint(), longer).0;
            }
            Some(_) | None => self.push(entry),
        }
    }
}

impl Segment {
    /// Entries in any order, with a cut-off each, or with none at all.
    pub(super) fn build(entries: &Entries, cut_offs: Vec<CutOff>, filtering: Filtering) -> Self {
        if cut_offs.is_empty() {
            return Self::of_ordered(arrange(entries), Vec::new(), filtering);
        }
        let mut both: Vec<_> = entries.iter().zip(cut_offs).collect();
        both.sort_by_key(|(entry, _)| entry.fingerprint());
        let (mut entries, mut cut_offs) = (Entries::default(), Vec::new());
        for (entry, cut_off) in CutOff::reduce(both) {
            entries.push(entry);
            cut_offs.push(cut_off);
        }
        Self::of_ordered(entries.0.finish(), cut_offs, filtering)
    }

    /// The entries of several segments, but for those that may be left out by now.
    pub(super) fn merge(segments: &[&Self], collected: Until, filtering: Filtering) -> Self {
        let live = |segment: &Self, at: usize| segment.entry(at).until() > collected;
        let mut entries = Entries::with_capacity(segments.iter().map(|segment| segment.len()).sum());
        if segments.iter().any(|segment| !segment.cut_offs.is_empty()) {
            let mut cut_offs = Vec::new();
            for segment in segments {
                for at in (0..segment.len()).filter(|at| live(segment, *at)) {
                    entries.push(segment.entry(at));
                    cut_offs.push(segment.cut_offs[at].clone());
                }
            }
            return Self::build(&entries, cut_offs, filtering);
        }
        let mut parts: Vec<_> = segments.iter().map(|segment| segment.entries().peekable()).collect();
        loop {
            let heads = parts.iter_mut().enumerate().filter_map(|(at, part)| Some((part.peek()?.fingerprint(), at)));
            let Some((_, first)) = heads.min() else { break };
            if let Some(entry) = parts[first].next().filter(|entry| entry.until() > collected) {
                entries.push_distinct(entry);
            }
        }
        Self::of_ordered(entries.0.finish(), Vec::new(), filtering)
    }

    /// What is left of it without some entries, if anything is.
    pub(super) fn without(self: &Arc<Self>, taken: &HashSet<Fingerprint>, filtering: Filtering) -> Option<Arc<Self>> {
        let is_held =
            |print: &Fingerprint| self.probe(print.key) == Probe::Maybe && self.has(print.key, |tag| tag == print.tag);
        if !taken.iter().any(is_held) {
            return Some(Arc::clone(self));
        }
        let (mut entries, mut cut_offs) = (Entries::with_capacity(self.len()), Vec::new());
        for (at, entry) in self.entries().enumerate().filter(|(_, entry)| !taken.contains(&entry.fingerprint())) {
            entries.push(entry);
            cut_offs.extend(self.cut_offs.get(at).cloned());
        }
        let is_left = entries.len() > 0;
        is_left.then(|| Arc::new(Self::of_ordered(entries.0.finish(), cut_offs, filtering)))
    }

    /// The latest cut-off in it.
    pub(super) fn latest(&self) -> Option<UnixTime> {
        self.cut_offs.iter().map(|cut_off| cut_off.at).max()
    }

    fn of_ordered(entries: HugeVec<Parts>, cut_offs: Vec<CutOff>, filtering: Filtering) -> Self {
        let all = || entries.iter().copied().map(Entry);
        let earliest = all().map(|entry| entry.until()).min().unwrap_or(Until::FOR_EVER);
        let shift = shift_for(entries.len());
        let starts = starts(shift, all());
        let filter = Filter::build(filtering, KEY_BITS, entries.iter().map(|parts| Entry(*parts).key()));
        Self { filter, shift, starts, entries, cut_offs: cut_offs.into(), earliest }
    }

    #[inline(always)]
    pub(super) fn probe(&self, key: u64) -> Probe {
        self.filter.probe(key)
    }

    /// Asks for the memory that a lookup will read first.
    #[inline(always)]
    pub(super) fn prefetch(&self, key: u64) {
        self.filter.prefetch(key);
        prefetch_index(&*self.starts, (key >> self.shift) as usize);
    }

    /// Asks for the entries that a lookup will read.
    #[inline(always)]
    pub(super) fn prefetch_entries(&self, key: u64) {
        let start = self.starts[(key >> self.shift) as usize] as usize;
        // A bucket lies on two or three cache lines.
        for at in [start, start + BUCKET_ENTRIES / 2, start + BUCKET_ENTRIES] {
            prefetch_index(&*self.entries, at);
        }
    }

    /// The entries with this key, of whatever issuer, and their places.
    #[inline]
    pub(super) fn find(&self, key: u64) -> impl Iterator<Item = (usize, Entry)> {
        let bucket = (key >> self.shift) as usize;
        let bounds = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        let places = bounds.0..bounds.1;
        let wanted = Entry::new(Fingerprint { key, tag: 0 }, Until(0)).key_as_it_lies();
        let bucket = places.clone().zip(&self.entries[places]).map(|(at, parts)| (at, Entry(*parts)));
        bucket.filter(move |(_, entry)| entry.key_as_it_lies() == wanted)
    }

    /// Whether there is an entry with this key and a tag that is meant.
    #[inline(always)]
    pub(super) fn has(&self, key: u64, mut is_meant: impl FnMut(u64) -> bool) -> bool {
        for (_, entry) in self.find(key) {
            if is_meant(entry.tag()) {
                return true;
            }
        }
        false
    }

    pub(super) fn cut_off(&self, at: usize) -> Option<&CutOff> {
        self.cut_offs.get(at)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, at: usize) -> Entry {
        Entry(self.entries[at])
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().copied().map(Entry)
    }

    /// How many entries may be left out by now.
    pub(super) fn expired(&self, collected: Until) -> usize {
        if self.earliest > collected {
            return 0;
        }
        self.entries().filter(|entry| entry.until() <= collected).count()
    }

    pub(super) fn filter(&self) -> &Filter {
        &self.filter
    }

    pub(super) fn bytes(&self) -> usize {
        self.filter.bytes()
            + size_of_val(&*self.starts)
            + size_of_val(&*self.entries)
            + self.cut_offs.iter().map(CutOff::bytes).sum::<usize>()
    }
}

/// The shift that makes about [`BUCKET_ENTRIES`] share a bucket.
fn shift_for(entries: usize) -> u32 {
    let buckets = (entries / BUCKET_ENTRIES).next_power_of_two().ilog2();
    KEY_BITS - buckets.min(40)
}

/// Where each bucket starts.
fn starts(shift: u32, entries: impl Iterator<Item = Entry>) -> HugeVec<u32> {
    let mut starts = HugeVec::zeroed((1 << (KEY_BITS - shift)) + 1);
    for entry in entries {
        starts[(entry.key() >> shift) as usize + 1] += 1;
    }
    let mut sum = 0;
    for start in starts.iter_mut() {
        sum += *start;
        *start = sum;
    }
    starts
}

/// Puts entries in order: dealt to their buckets first, which leaves short runs to be sorted.
fn arrange(entries: &Entries) -> HugeVec<Parts> {
    let shift = shift_for(entries.len());
    let mut places = starts(shift, entries.iter());
    let mut ordered = HugeVec::zeroed(entries.len());
    for entry in entries.iter() {
        let place = &mut places[(entry.key() >> shift) as usize];
        ordered[*place as usize] = entry.0;
        *place += 1;
    }
    // Each place now stands at the end of its bucket.
    let mut start = 0;
    for &end in &places[..places.len() - 1] {
        ordered[start..end as usize].sort_unstable_by_key(|parts| Entry(*parts).fingerprint());
        start = end as usize;
    }
    let fingerprint = |parts: &Parts| Entry(*parts).fingerprint();
    if !ordered.windows(2).any(|pair| fingerprint(&pair[0]) == fingerprint(&pair[1])) {
        return ordered;
    }
    let mut distinct = Entries::with_capacity(ordered.len());
    ordered.iter().for_each(|parts| distinct.push_distinct(Entry(*parts)));
    distinct.0.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::revocation::{Lane, Salt};

    fn entry(salt: &Salt, value: u32, until: u32) -> Entry {
        Entry::new(salt.fingerprint(Lane::Jti, &value.to_le_bytes()), Until(until))
    }

    fn gathered(all: &[Entry]) -> Entries {
        let mut entries = Entries::default();
        all.iter().for_each(|entry| entries.push(*entry));
        entries
    }

    fn holds(segment: &Segment, entry: &Entry) -> bool {
        segment.probe(entry.key()) == Probe::Maybe
            && segment.find(entry.key()).any(|(_, found)| found.tag() == entry.tag())
    }

    /// Sizes at which builders of fuse filters have failed, and the smallest there are.
    #[test]
    fn a_segment_of_any_size_holds_what_it_was_built_of_and_nothing_else() {
        let salt = Salt::new(&[1; 16]);
        for size in [0, 1, 2, 3, 1124, 3551, 11_521, 37_454, 126_131] {
            let entries: Vec<_> = (0..size).map(|value| entry(&salt, value, 5)).collect();
            let segment = Segment::build(&gathered(&entries), Vec::new(), Filtering::On);
            assert!(segment.filter.is_fuse(), "no filter of {size}");
            assert_eq!(segment.len(), size as usize);
            assert!(entries.iter().all(|entry| holds(&segment, entry)), "a false negative among {size}");
            let mut passed = 0;
            for value in size..size + 100_000 {
                let other = entry(&salt, value, 5);
                passed += usize::from(segment.probe(other.key()) == Probe::Maybe);
                assert!(!holds(&segment, &other), "a false positive was not settled");
            }
            assert!(passed < 1000, "{passed} of 100,000 false positives among {size}");
        }
    }

    #[test]
    fn an_entry_gives_back_every_bit_that_went_in() {
        let fingerprint = Fingerprint { key: 0x1234_5678_9abc, tag: 0xfedc_ba98_7654_3210 };
        let entry = Entry::new(fingerprint, Until(0x89ab_cdef));
        assert_eq!((entry.fingerprint(), entry.until()), (fingerprint, Until(0x89ab_cdef)));
        assert_eq!(size_of::<Entry>(), 18);
    }

    #[test]
    fn one_key_under_several_issuers_keeps_each_of_them_and_a_repetition_keeps_the_longer() {
        let at = |tag, until| Entry::new(Fingerprint { key: 77, tag }, Until(until));
        let entries = vec![at(1, 5), at(2, 6), at(1, 9), at(3, 7), at(1, 2)];
        for filtering in [Filtering::On, Filtering::Off] {
            let segment = Segment::build(&gathered(&entries), Vec::new(), filtering);
            let found: Vec<_> = segment.find(77).map(|(_, entry)| (entry.tag(), entry.until().0)).collect();
            assert_eq!(found, [(1, 9), (2, 6), (3, 7)]);
        }
    }

    #[test]
    fn a_merge_is_the_union_without_what_has_expired() {
        let salt = Salt::new(&[2; 16]);
        let make = |values: std::ops::Range<u32>, until: fn(u32) -> u32| {
            let entries: Vec<_> = values.map(|value| entry(&salt, value, until(value))).collect();
            Segment::build(&gathered(&entries), Vec::new(), Filtering::On)
        };
        let (a, b, c) = (make(0..5000, |_| 10), make(2500..7500, |v| v % 20), make(7000..7001, |_| u32::MAX));
        let merged = Segment::merge(&[&a, &b, &c], Until(9), Filtering::On);
        let mut expected = BTreeMap::new();
        for segment in [&a, &b, &c] {
            for entry in segment.entries() {
                let until = expected.entry(entry.fingerprint()).or_insert(entry.until());
                *until = (*until).max(entry.until());
            }
        }
        expected.retain(|_, until| until.0 > 9);
        let found: BTreeMap<_, _> = merged.entries().map(|entry| (entry.fingerprint(), entry.until())).collect();
        assert_eq!((found.len(), found), (merged.len(), expected));
        assert_eq!(b.expired(Until(9)), 2500);
    }
}
