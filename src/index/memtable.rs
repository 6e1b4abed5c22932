//! What was revoked last: a table that one thread adds to while all others read it.
//!
//! Invariants: only the holder of the index's writer lock adds. A slot's key is written last, so that
//! a reader that finds it finds the rest. Readers never wait, nothing is ever taken out, and of one subject and issuer there
//! is one slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;

use super::entry::{Entry, Until};
use super::merged_cut_offs::CutOff;
use super::segment::Entries;
use crate::revocation::Fingerprint;

/// How many records are held before they are sealed into a segment.
pub(super) const RECENT_MAX: usize = 4096;

/// Half of them stay empty, so that a search ends soon.
const SLOTS: usize = 2 * RECENT_MAX;

/// Tells a slot that holds key 0 from an empty one.
const TAKEN: u64 = 1 << 63;

pub(super) struct Memtable {
    keys: Box<[AtomicU64]>,
    tags: Box<[AtomicU64]>,
    untils: Box<[AtomicU32]>,
    /// As many as there are slots in a lane of cut-offs, else none.
    cut_offs: Box<[ArcSwapOption<CutOff>]>,
    len: AtomicUsize,
}

impl Memtable {
    pub(super) fn new(has_cut_offs: bool) -> Self {
        let slots = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            keys: slots(SLOTS),
            tags: slots(SLOTS),
            untils: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(),
            cut_offs: (0..if has_cut_offs { SLOTS } else { 0 }).map(|_| ArcSwapOption::empty()).collect(),
            len: AtomicUsize::new(0),
        }
    }

    /// The slots that hold this key, of whatever issuer.
    #[inline]
    pub(super) fn find(&self, key: u64) -> impl Iterator<Item = Found<'_>> {
        let mut slot = start(key);
        std::iter::from_fn(move || {
            loop {
                let held = self.keys[slot].load(Ordering::Acquire);
                if held == 0 {
                    return None;
                }
                let at = slot;
                slot = (slot + 1) % SLOTS;
                if held == key | TAKEN {
                    return Some(Found { recent: self, at });
                }
            }
        })
    }

    /// Adds a record to those that mean the same, or in a slot of its own. The caller holds the writer lock, has made sure that
    /// there is room, and keeps what was replaced for as long as somebody may read it.
    pub(super) fn insert(
        &self,
        fingerprint: Fingerprint,
        until: Until,
        cut_off: Option<CutOff>,
    ) -> Option<Arc<CutOff>> {
        let held = self.find(fingerprint.key).find(|found| found.tag() == fingerprint.tag);
        if let Some(found) = held {
            self.untils[found.at].fetch_max(until.0, Ordering::Relaxed);
            let place = self.cut_offs.get(found.at);
            return place.zip(cut_off).and_then(|(place, cut_off)| widen(place, cut_off));
        }
        let free = (start(fingerprint.key)..).map(|slot| slot % SLOTS);
        let slot = { free }.find(|slot| self.keys[*slot].load(Ordering::Relaxed) == 0)?;
        self.tags[slot].store(fingerprint.tag, Ordering::Relaxed);
        self.untils[slot].store(until.0, Ordering::Relaxed);
        if let (Some(place), Some(cut_off)) = (self.cut_offs.get(slot), cut_off) {
            place.store(Some(Arc::new(cut_off)));
        }
        self.keys[slot].store(fingerprint.key | TAKEN, Ordering::Release);
        self.len.fetch_add(1, Ordering::Relaxed);
        None
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= RECENT_MAX
    }

    /// Everything in it, for a segment.
    pub(super) fn entries(&self) -> (Entries, Vec<CutOff>) {
        let taken = (0..SLOTS).filter(|slot| self.keys[*slot].load(Ordering::Acquire) != 0);
        let (mut entries, mut cut_offs) = (Entries::with_capacity(self.len()), Vec::new());
        for at in taken {
            let found = Found { recent: self, at };
            let key = self.keys[at].load(Ordering::Relaxed) & !TAKEN;
            entries.push(Entry::new(Fingerprint { key, tag: found.tag() }, found.until()));
            cut_offs.extend(found.cut_off(CutOff::clone));
        }
        (entries, cut_offs)
    }

    pub(super) fn bytes(&self) -> usize {
        let held = self.cut_offs.iter().filter_map(|place| Some(place.load().as_ref()?.bytes())).sum::<usize>();
        SLOTS * (8 + 8 + 4) + size_of_val(&*self.cut_offs) + held
    }
}

/// Puts what is known with one more cut-off in the place of what was known without it, and gives that out.
fn widen(place: &ArcSwapOption<CutOff>, more: CutOff) -> Option<Arc<CutOff>> {
    let held = place.load_full()?;
    let merged = CutOff::clone(&held).merged(more);
    if merged == *held {
        return None;
    }
    drop(held);
    place.swap(Some(Arc::new(merged)))
}

/// Where the search for a key starts. Keys are hashes under a secret, so any bits do.
#[inline]
fn start(key: u64) -> usize {
    usize::try_from(key % SLOTS as u64).unwrap_or(0)
}

/// A slot that holds a key.
pub(super) struct Found<'a> {
    recent: &'a Memtable,
    at: usize,
}

impl<'a> Found<'a> {
    pub(super) fn tag(&self) -> u64 {
        self.recent.tags[self.at].load(Ordering::Relaxed)
    }

    pub(super) fn until(&self) -> Until {
        Until(self.recent.untils[self.at].load(Ordering::Relaxed))
    }

    /// Reads what is known of the cut-offs, in a lane that has any.
    #[inline]
    pub(super) fn cut_off<T>(&self, read: impl FnOnce(&CutOff) -> T) -> Option<T> {
        self.recent.cut_offs.get(self.at)?.load().as_deref().map(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixTime;

    #[test]
    fn what_was_added_is_found_at_once_and_a_repetition_only_lengthens() {
        let recent = Memtable::new(false);
        for n in 0..RECENT_MAX as u64 {
            let _replaced = recent.insert(Fingerprint { key: n / 3 * 8192, tag: n }, Until(5), None);
        }
        assert!(recent.is_full());
        let tags: Vec<_> = recent.find(8192).map(|found| found.tag()).collect();
        assert_eq!(tags, [3, 4, 5]);
        let _replaced = recent.insert(Fingerprint { key: 8192, tag: 4 }, Until(9), None);
        let _replaced = recent.insert(Fingerprint { key: 8192, tag: 4 }, Until(2), None);
        assert_eq!(recent.find(8192).nth(1).map(|found| found.until()), Some(Until(9)));
        assert_eq!((recent.len(), recent.entries().0.len()), (RECENT_MAX, RECENT_MAX));
    }

    #[test]
    fn a_subject_that_is_logged_out_again_and_again_takes_one_slot_whoever_is_spared() {
        let (recent, salt) = (Memtable::new(true), crate::revocation::Salt::new(&[5; 16]));
        for secs in 0..100 {
            let keep = vec![salt.kept("all of them"), salt.kept(&secs.to_string())];
            let cut_off = CutOff::new(UnixTime::from_secs(secs), keep);
            let _replaced = recent.insert(Fingerprint { key: 0, tag: 1 }, Until(5), Some(cut_off));
        }
        let held = recent.find(0).next().and_then(|found| found.cut_off(CutOff::clone)).unwrap();
        assert_eq!((recent.len(), held.at), (1, UnixTime::from_secs(99)));
        let _replaced = recent.insert(
            Fingerprint { key: 0, tag: 2 },
            Until(5),
            Some(CutOff::new(UnixTime::from_secs(1), Vec::new())),
        );
        assert_eq!(recent.find(0).map(|found| found.tag()).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn what_comes_as_the_sum_of_several_cut_offs_is_taken_in_as_a_whole() {
        let (recent, salt) = (Memtable::new(true), crate::revocation::Salt::new(&[5; 16]));
        let one = |secs, id: &str| CutOff::new(UnixTime::from_secs(secs), vec![salt.kept(id)]);
        let subject = Fingerprint { key: 0, tag: 1 };
        // Its own, which another process has made behind one that this process reads only now.
        let _new = recent.insert(subject, Until(5), Some(one(20, "here")));
        let sum = one(10, "there").merged(one(20, "here"));
        let _replaced = recent.insert(subject, Until(5), Some(sum.clone()));
        let held = recent.find(0).next().and_then(|found| found.cut_off(CutOff::clone));
        assert_eq!(held, Some(sum));
    }
}
