//! A cut-off as the index keeps it: when, and who is spared.

use super::segment::{Entry, Until};
use crate::clock::UnixTime;
use crate::revocation::KeptId;

/// A cut-off and the tokens that it spares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CutOff {
    pub(super) at: UnixTime,
    /// In order, without repetition.
    pub(super) keep: Box<[KeptId]>,
}

impl CutOff {
    pub(super) fn new(at: UnixTime, mut keep: Vec<KeptId>) -> Self {
        keep.sort_unstable();
        keep.dedup();
        Self { at, keep: keep.into() }
    }

    /// Whether every token that the other revokes is revoked by this one.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.at >= other.at && self.keep.iter().all(|kept| other.keep.binary_search(kept).is_ok())
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.keep)
    }

    /// Leaves out what another cut-off of the same subject covers for as long. Takes entries in the order
    /// of their fingerprints, and returns them so.
    pub(super) fn prune(ordered: Vec<(Entry, Self)>) -> Vec<(Entry, Self)> {
        let mut kept: Vec<(Entry, Self)> = Vec::with_capacity(ordered.len());
        let mut first_of_subject = 0;
        for (entry, cut_off) in ordered {
            if kept.get(first_of_subject).is_some_and(|(other, _)| other.fingerprint() != entry.fingerprint()) {
                first_of_subject = kept.len();
            }
            let subject = &kept[first_of_subject..];
            if subject.iter().any(|(other, wider)| wider.covers(&cut_off) && other.until() >= entry.until()) {
                continue;
            }
            let mut rest = kept.split_off(first_of_subject);
            rest.retain(|(other, narrower)| !cut_off.covers(narrower) || other.until() > entry.until());
            kept.append(&mut rest);
            kept.push((entry, cut_off));
        }
        kept
    }
}

/// The time until which a record is kept, as the index writes it: rounded up to the second.
impl From<Option<UnixTime>> for Until {
    fn from(time: Option<UnixTime>) -> Self {
        let Some(time) = time else { return Self::FOR_EVER };
        let secs = time.as_millis().saturating_add(999).div_euclid(1000);
        // What lies past the year 2106 is kept for ever.
        Self(u32::try_from(secs.max(0)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::{Fingerprint, Salt};

    fn at(tag: u64, until: u32, secs: i64, keep: &[&str]) -> (Entry, CutOff) {
        let salt = Salt::new(&[3; 16]);
        let keep = keep.iter().map(|id| salt.kept(id)).collect();
        (Entry::new(Fingerprint { key: 1, tag }, Until(until)), CutOff::new(UnixTime::from_secs(secs), keep))
    }

    #[test]
    fn a_later_cut_off_stands_for_an_earlier_one_only_if_it_spares_no_one_else() {
        let both = vec![at(1, 9, 10, &["a"]), at(1, 9, 20, &["b"]), at(2, 9, 5, &[])];
        assert_eq!(CutOff::prune(both.clone()), both);
        let pruned = CutOff::prune(vec![at(1, 9, 10, &["a", "b"]), at(1, 9, 20, &["b"]), at(1, 9, 15, &["b"])]);
        assert_eq!(pruned, [at(1, 9, 20, &["b"])]);
        let longer = vec![at(1, 20, 10, &[]), at(1, 9, 20, &[])];
        assert_eq!(CutOff::prune(longer.clone()), longer, "the wider one is forgotten sooner");
    }

    #[test]
    fn until_rounds_up_and_never_wraps() {
        let until = |millis| Until::from(Some(UnixTime::from_millis(millis)));
        assert_eq!((until(1), until(1000), until(1001), until(-5)), (Until(1), Until(1), Until(2), Until(0)));
        assert_eq!((until(i64::MAX), Until::from(None)), (Until::FOR_EVER, Until::FOR_EVER));
    }
}
