//! The records of one kind of value: a recent set before segments, and which of them to merge.

use std::sync::Arc;

use super::entry::Until;
use super::fuse_filter::Probe;
use super::memtable::Memtable;
use super::merged_cut_offs::CutOff;
use super::segment::Segment;
use crate::revocation::Fingerprint;

#[derive(Clone, Default)]
pub(super) struct LsmTree {
    /// None until there is a first record: an empty lane is not asked.
    pub(super) recent: Option<Arc<Memtable>>,
    /// From the oldest to the newest, which is about from the largest to the smallest.
    pub(super) segments: Vec<Arc<Segment>>,
}

/// A segment is merged with the newer ones behind it once they hold this share of it: a third.
const MERGE_RATIO: usize = 3;

impl LsmTree {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.recent.is_none() && self.segments.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.recent.as_ref().map_or(0, |recent| recent.len())
            + self.segments.iter().map(|part| part.len()).sum::<usize>()
    }

    pub(super) fn bytes(&self) -> usize {
        self.recent.as_ref().map_or(0, |recent| recent.bytes())
            + self.segments.iter().map(|part| part.bytes()).sum::<usize>()
    }

    /// The newest segments that belong together, or one of which a quarter may be left out.
    pub(super) fn to_merge(&self, collected: Until) -> Vec<Arc<Segment>> {
        let (mut first, mut records) = (self.segments.len(), 0);
        while let Some(older) = first.checked_sub(1) {
            let len = self.segments[older].len();
            if first < self.segments.len() && len > MERGE_RATIO * records {
                break;
            }
            records += len;
            first = older;
        }
        match &self.segments[first..] {
            [] | [_] => {
                let wasteful = |part: &&Arc<Segment>| 4 * part.expired(collected) > part.len();
                self.segments.iter().find(wasteful).into_iter().cloned().collect()
            }
            several => several.to_vec(),
        }
    }

    /// Puts a merged segment in the place of its parts. Newer segments may have come since.
    pub(super) fn replace(&mut self, parts: &[Arc<Segment>], merged: Option<Arc<Segment>>) {
        let is_part = |segment: &Arc<Segment>| parts.iter().any(|part| Arc::ptr_eq(part, segment));
        let at = self.segments.iter().position(is_part).unwrap_or(self.segments.len());
        self.segments.retain(|segment| !is_part(segment));
        if let Some(merged) = merged {
            self.segments.insert(at, merged);
        }
    }

    /// Whether a record of these tokens is held that means at least as much, for as long.
    pub(super) fn covers(&self, wanted: Fingerprint, until: Until, cut_off: &CutOff) -> bool {
        let recent = self.recent.iter().flat_map(|recent| recent.find(wanted.key)).any(|found| {
            let is_long = found.tag() == wanted.tag && found.until() >= until;
            is_long && found.cut_off(|held| held.covers(cut_off)).unwrap_or(true)
        });
        let sealed = |segment: &Arc<Segment>| {
            segment.probe(wanted.key) == Probe::Maybe
                && segment.find(wanted.key).any(|(at, entry)| {
                    entry.tag() == wanted.tag
                        && entry.until() >= until
                        && segment.cut_off(at).is_none_or(|held| held.covers(cut_off))
                })
        };
        recent || self.segments.iter().any(sealed)
    }

    /// Whether anything is held of these tokens.
    pub(super) fn holds(&self, wanted: Fingerprint) -> bool {
        let mut is_held = false;
        self.each_of(wanted.key, |tag, _, _| is_held |= tag == wanted.tag);
        is_held
    }

    /// All that is held of a key: tags, until when, and what is known of the cut-offs.
    pub(super) fn each_of(&self, key: u64, mut visit: impl FnMut(u64, Until, Option<&CutOff>)) {
        for found in self.recent.iter().flat_map(|recent| recent.find(key)) {
            let (tag, until) = (found.tag(), found.until());
            if found.cut_off(|cut_off| visit(tag, until, Some(cut_off))).is_none() {
                visit(tag, until, None);
            }
        }
        for segment in self.segments.iter().filter(|segment| segment.probe(key) == Probe::Maybe) {
            segment.find(key).for_each(|(at, entry)| visit(entry.tag(), entry.until(), segment.cut_off(at)));
        }
    }
}
