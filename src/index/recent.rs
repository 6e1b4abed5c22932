//! What was revoked last: a table that one thread adds to while all others read it.
//!
//! Invariants: only the holder of the index's writer lock adds. A slot's key is written last, so that
//! a reader that finds it finds the rest. Readers never wait, and nothing is ever taken out.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::cut_off::CutOff;
use super::segment::{Entries, Entry, Until};
use crate::clock::UnixTime;
use crate::revocation::{Fingerprint, KeptId};

/// How many records are held before they are sealed into a segment.
pub(super) const RECENT_MAX: usize = 4096;

/// Half of them stay empty, so that a search ends soon.
const SLOTS: usize = 2 * RECENT_MAX;

/// Tells a slot that holds key 0 from an empty one.
const TAKEN: u64 = 1 << 63;

pub(super) struct Recent {
    keys: Box<[AtomicU64]>,
    tags: Box<[AtomicU64]>,
    untils: Box<[AtomicU32]>,
    /// As many as there are slots in a lane of cut-offs, else none.
    cut_offs: Box<[RecentCutOff]>,
    len: AtomicUsize,
}

#[derive(Default)]
struct RecentCutOff {
    at: AtomicI64,
    keep: OnceLock<Box<[KeptId]>>,
}

impl Recent {
    pub(super) fn new(has_cut_offs: bool) -> Self {
        let slots = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            keys: slots(SLOTS),
            tags: slots(SLOTS),
            untils: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(),
            cut_offs: (0..if has_cut_offs { SLOTS } else { 0 }).map(|_| RecentCutOff::default()).collect(),
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

    /// Adds a record, or widens one that means the same. The caller holds the writer lock, and has made
    /// sure that there is room.
    pub(super) fn insert(&self, fingerprint: Fingerprint, until: Until, cut_off: Option<CutOff>) {
        for found in self.find(fingerprint.key).filter(|found| found.tag() == fingerprint.tag) {
            match &cut_off {
                None => {
                    self.untils[found.at].fetch_max(until.0, Ordering::Relaxed);
                    return;
                }
                // Who is spared never changes in place, and a slot never says more than some record does.
                Some(cut_off) if found.keep() == &*cut_off.keep => {
                    let at = found.cut_off().unwrap_or(cut_off.at);
                    if at >= cut_off.at && found.until() >= until {
                        return;
                    }
                    if at <= cut_off.at && found.until() <= until {
                        self.cut_offs[found.at].at.store(cut_off.at.as_millis(), Ordering::Release);
                        self.untils[found.at].store(until.0, Ordering::Relaxed);
                        return;
                    }
                }
                Some(_) => {}
            }
        }
        let free = (start(fingerprint.key)..).map(|slot| slot % SLOTS);
        let Some(slot) = { free }.find(|slot| self.keys[*slot].load(Ordering::Relaxed) == 0) else { return };
        self.tags[slot].store(fingerprint.tag, Ordering::Relaxed);
        self.untils[slot].store(until.0, Ordering::Relaxed);
        if let (Some(place), Some(cut_off)) = (self.cut_offs.get(slot), cut_off) {
            place.at.store(cut_off.at.as_millis(), Ordering::Relaxed);
            // An empty slot was never set.
            let _first = place.keep.set(cut_off.keep);
        }
        self.keys[slot].store(fingerprint.key | TAKEN, Ordering::Release);
        self.len.fetch_add(1, Ordering::Relaxed);
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
            if let Some(cut_off) = found.cut_off() {
                cut_offs.push(CutOff { at: cut_off, keep: found.keep().into() });
            }
        }
        (entries, cut_offs)
    }

    pub(super) fn bytes(&self) -> usize {
        SLOTS * (8 + 8 + 4) + size_of_val(&*self.cut_offs)
    }
}

/// Where the search for a key starts. Keys are hashes under a secret, so any bits do.
#[inline]
fn start(key: u64) -> usize {
    usize::try_from(key % SLOTS as u64).unwrap_or(0)
}

/// A slot that holds a key.
pub(super) struct Found<'a> {
    recent: &'a Recent,
    at: usize,
}

impl<'a> Found<'a> {
    pub(super) fn tag(&self) -> u64 {
        self.recent.tags[self.at].load(Ordering::Relaxed)
    }

    pub(super) fn until(&self) -> Until {
        Until(self.recent.untils[self.at].load(Ordering::Relaxed))
    }

    /// The cut-off, in a lane that has any.
    pub(super) fn cut_off(&self) -> Option<UnixTime> {
        let place = self.recent.cut_offs.get(self.at)?;
        Some(UnixTime::from_millis(place.at.load(Ordering::Acquire)))
    }

    pub(super) fn keep(&self) -> &'a [KeptId] {
        self.recent.cut_offs.get(self.at).and_then(|place| place.keep.get()).map_or(&[], |keep| keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_at_once_and_a_repetition_only_lengthens() {
        let recent = Recent::new(false);
        for n in 0..RECENT_MAX as u64 {
            recent.insert(Fingerprint { key: n / 3 * 8192, tag: n }, Until(5), None);
        }
        assert!(recent.is_full());
        let tags: Vec<_> = recent.find(8192).map(|found| found.tag()).collect();
        assert_eq!(tags, [3, 4, 5]);
        recent.insert(Fingerprint { key: 8192, tag: 4 }, Until(9), None);
        recent.insert(Fingerprint { key: 8192, tag: 4 }, Until(2), None);
        assert_eq!(recent.find(8192).nth(1).map(|found| found.until()), Some(Until(9)));
        assert_eq!((recent.len(), recent.entries().0.len()), (RECENT_MAX, RECENT_MAX));
    }

    #[test]
    fn a_slot_never_says_more_than_one_of_its_records() {
        let recent = Recent::new(true);
        for (secs, until) in [(10, 90), (20, 50), (15, 40), (20, 60)] {
            let cut_off = CutOff::new(UnixTime::from_secs(secs), Vec::new());
            recent.insert(Fingerprint { key: 0, tag: 1 }, Until(until), Some(cut_off));
        }
        let held: Vec<_> = recent.find(0).map(|found| (found.cut_off().unwrap().as_secs(), found.until().0)).collect();
        assert_eq!(held, [(10, 90), (20, 60)]);
    }

    #[test]
    fn a_subject_that_is_logged_out_again_and_again_takes_one_slot() {
        let recent = Recent::new(true);
        for secs in 0..100 {
            let cut_off = CutOff::new(UnixTime::from_secs(secs), Vec::new());
            recent.insert(Fingerprint { key: 0, tag: 1 }, Until(5), Some(cut_off));
        }
        assert_eq!(recent.len(), 1);
        assert_eq!(recent.find(0).next().and_then(|found| found.cut_off()), Some(UnixTime::from_secs(99)));
    }
}
