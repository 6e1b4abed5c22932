//! The cut-offs of one subject and issuer, as one: when, and who is spared.
//!
//! A token is spared if one of its ids (`jti` or `sid`) stands in every list that reaches it. Then the latest cut-off and its
//! list say almost everything: of an id that stands in that list, it matters only which is the latest cut-off whose list
//! lacks it. So any number of cut-offs takes the room of one, and to add one costs what its list is long.
//!
//! Source: docs/decisions.md has why that is so; the property test below and `tests/oracle` hold it against all lists.

use super::entry::{Entry, Until};
use crate::clock::UnixTime;
use crate::revocation::{KeptId, RecordRef, Salt, is_before_cut_off};

/// What is known of all cut-offs of one subject and issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CutOff {
    /// The latest.
    pub(super) at: UnixTime,
    /// How long all of them are kept: the shortest time of any. The entry says the longest.
    least: Until,
    /// Who stands in the list of the latest; of several at that time, in all of theirs. In order, without repetition.
    kept: Box<[Kept]>,
}

/// An id that the latest cut-off spares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    id: KeptId,
    /// The latest cut-off whose list lacks it; [`NEVER`] where it stands in all of them.
    lacked: UnixTime,
}

impl Kept {
    pub(super) fn new(id: KeptId, lacked: Option<UnixTime>) -> Self {
        Self { id, lacked: lacked.unwrap_or(NEVER) }
    }
}

/// Before every time that a token can have.
const NEVER: UnixTime = UnixTime::from_millis(i64::MIN);

/// When a token was signed, as far as it says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed {
    /// `iat`.
    pub(super) at: Option<UnixTime>,
    /// The latest cut-off that its signer knew: those up to it do not reach the token.
    pub(super) knowing: Option<UnixTime>,
}

impl Signed {
    #[inline]
    fn is_reached_by(self, cut_off: UnixTime) -> bool {
        cut_off != NEVER && is_before_cut_off(self.at, cut_off) && self.knowing.is_none_or(|known| known < cut_off)
    }
}

/// Which of a token's ids spare it: a bit each. None left means that it is revoked.
///
/// What is known of a subject may lie in several parts of the index. An id spares a token if each of them says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spared(u8);

impl Spared {
    /// Before any cut-off was asked.
    pub(super) const UNREACHED: Self = Self(0b11);

    #[inline]
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[inline]
    pub(super) fn is_revoked(self) -> bool {
        self.0 == 0
    }
}

impl CutOff {
    /// Of a list in any order.
    pub(super) fn new(at: UnixTime, mut keep: Vec<KeptId>) -> Self {
        keep.sort_unstable();
        keep.dedup();
        let kept = keep.into_iter().map(|id| Kept { id, lacked: NEVER }).collect();
        Self { at, least: Until::FOR_EVER, kept }
    }

    /// That of a record.
    pub(super) fn of(salt: &Salt, record: &RecordRef<'_>) -> Self {
        let mut list = Vec::new();
        record.keep.for_each(|id| list.push(salt.kept(id)));
        Self { least: record.keep_until.into(), ..Self::new(record.cut_off(), list) }
    }

    /// Of a list of which is known what else lacks its ids.
    pub(super) fn of_kept(at: UnixTime, least: Until, kept: &mut Vec<Kept>) -> Self {
        kept.sort_unstable_by_key(|kept| kept.id);
        kept.dedup_by_key(|kept| kept.id);
        Self { at, least, kept: kept.as_slice().into() }
    }

    #[inline]
    fn find(&self, id: KeptId) -> Option<&Kept> {
        // In few a search by halves guesses wrong at each of them.
        if self.kept.len() <= 16 {
            return self.kept.iter().find(|kept| kept.id == id);
        }
        self.kept.binary_search_by_key(&id, |kept| kept.id).ok().map(|at| &self.kept[at])
    }

    /// Which of a token's ids spare it from these.
    #[inline]
    pub(super) fn spared(&self, token: Signed, ids: impl FnOnce() -> [Option<KeptId>; 2]) -> Spared {
        if !token.is_reached_by(self.at) {
            return Spared::UNREACHED;
        }
        if self.kept.is_empty() {
            return Spared(0);
        }
        let spares =
            |id: Option<KeptId>| id.and_then(|id| self.find(id)).is_some_and(|kept| !token.is_reached_by(kept.lacked));
        let [jti, sid] = ids().map(spares);
        Spared(u8::from(jti) | u8::from(sid) << 1)
    }

    /// What is known when both are.
    pub(super) fn merged(self, other: Self) -> Self {
        let (later, earlier) = if self.at >= other.at { (self, other) } else { (other, self) };
        let is_tie = later.at == earlier.at;
        let kept = later.kept.iter().filter_map(|kept| match earlier.find(kept.id) {
            Some(before) => Some(Kept { lacked: kept.lacked.max(before.lacked), ..*kept }),
            // At one time both lists count.
            None if is_tie => None,
            None => Some(Kept { lacked: kept.lacked.max(earlier.at), ..*kept }),
        });
        Self { at: later.at, least: later.least.min(earlier.least), kept: kept.collect() }
    }

    /// Notes that one of them is kept no longer than that.
    pub(super) fn shorten(&mut self, until: Until) {
        self.least = self.least.min(until);
    }

    pub(super) fn least(&self) -> Until {
        self.least
    }

    /// Takes in one more, whose list is in order and without repetition. `room` is for working in.
    pub(super) fn widen(&mut self, at: UnixTime, list: &[KeptId], room: &mut Vec<Kept>) {
        room.clear();
        match at.cmp(&self.at) {
            std::cmp::Ordering::Less => {
                let lacks = |kept: &&mut Kept| list.binary_search(&kept.id).is_err();
                self.kept.iter_mut().filter(lacks).for_each(|kept| kept.lacked = kept.lacked.max(at));
                return;
            }
            std::cmp::Ordering::Equal => {
                room.extend(self.kept.iter().filter(|kept| list.binary_search(&kept.id).is_ok()));
            }
            std::cmp::Ordering::Greater => {
                let lacked = |id| self.find(id).map_or(self.at, |kept| kept.lacked);
                room.extend(list.iter().map(|id| Kept { id: *id, lacked: lacked(*id) }));
                self.at = at;
            }
        }
        match self.kept.len() == room.len() {
            true => self.kept.copy_from_slice(room),
            false => self.kept = room.as_slice().into(),
        }
    }

    /// Whether one more cut-off changes nothing, and what stands for it is kept as long. `other` was made of one.
    pub(super) fn covers(&self, other: &Self) -> bool {
        if self.least < other.least {
            return false;
        }
        let lacks = |kept: &&Kept| other.find(kept.id).is_none();
        match self.at.cmp(&other.at) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => !self.kept.iter().any(|kept| lacks(&kept)),
            std::cmp::Ordering::Greater => self.kept.iter().filter(lacks).all(|kept| kept.lacked >= other.at),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.kept)
    }

    /// Makes one of those of the same subject and issuer, which is kept as long as the longest of them. Takes entries in the
    /// order of their fingerprints, and returns them so.
    pub(super) fn reduce(ordered: Vec<(Entry, Self)>) -> Vec<(Entry, Self)> {
        let mut reduced: Vec<(Entry, Self)> = Vec::new();
        for (entry, cut_off) in ordered {
            match reduced.pop() {
                Some((before, held)) if before.fingerprint() == entry.fingerprint() => {
                    let until = before.until().max(entry.until());
                    reduced.push((Entry::new(entry.fingerprint(), until), held.merged(cut_off)));
                }
                before => reduced.extend(before.into_iter().chain([(entry, cut_off)])),
            }
        }
        reduced
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::revocation::Fingerprint;

    fn id(name: &str) -> KeptId {
        Salt::new(&[3; 16]).kept(name)
    }

    fn at(secs: i64, keep: &[&str]) -> CutOff {
        CutOff::new(UnixTime::from_secs(secs), keep.iter().map(|name| id(name)).collect())
    }

    /// The definition: a token is spared if one of its ids stands in every list that reaches it.
    fn is_revoked(all: &[(i64, Vec<&str>)], token: Signed, ids: [Option<&str>; 2]) -> bool {
        let reaching: Vec<_> =
            all.iter().filter(|(millis, _)| token.is_reached_by(UnixTime::from_millis(*millis))).collect();
        let spares = |id: &str| reaching.iter().all(|(_, keep)| keep.contains(&id));
        !reaching.is_empty() && !ids.into_iter().flatten().any(spares)
    }

    fn names() -> impl Strategy<Value = Vec<&'static str>> {
        proptest::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4)
    }

    /// Few times, so that there are ties, and some within one second.
    fn millis() -> impl Strategy<Value = i64> {
        proptest::sample::select(vec![1000, 1001, 1500, 2000, 2700, 3000])
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

        #[test]
        fn any_number_of_cut_offs_in_any_number_of_parts_is_what_the_definition_says(
            all in prop::collection::vec((millis(), names()), 1..8),
            parts in 1_usize..4,
            iat in prop::option::of(proptest::sample::select(vec![0, 999, 1000, 1001, 1499, 2000, 2500, 3000, 4000])),
            knowing in prop::option::of(millis()),
            jti in prop::option::of(proptest::sample::select(vec!["a", "b", "x"])),
            sid in prop::option::of(proptest::sample::select(vec!["c", "d", "y"])),
        ) {
            let token = Signed { at: iat.map(UnixTime::from_millis), knowing: knowing.map(UnixTime::from_millis) };
            let mut reduced: Vec<Option<CutOff>> = vec![None; parts];
            for (n, (millis, keep)) in all.iter().enumerate() {
                let one = CutOff::new(UnixTime::from_millis(*millis), keep.iter().map(|name| id(name)).collect());
                let part = &mut reduced[n % parts];
                if let Some(held) = part {
                    let covers = held.covers(&one);
                    let merged = held.clone().merged(one.clone());
                    prop_assert_eq!(covers, merged == *held, "what covers is what does not change");
                    let mut widened = held.clone();
                    let list: Vec<_> = one.kept.iter().map(|kept| kept.id).collect();
                    widened.widen(one.at, &list, &mut Vec::new());
                    prop_assert_eq!(widened, merged);
                }
                *part = Some(match part.take() {
                    None => one,
                    Some(held) => held.merged(one),
                });
            }
            let ids = [jti, sid];
            let spared = reduced.iter().flatten().map(|part| part.spared(token, || ids.map(|one| one.map(id))));
            let by_parts = spared.fold(Spared::UNREACHED, Spared::and).is_revoked();
            let expected = is_revoked(&all, token, ids);
            prop_assert_eq!(by_parts, expected);
            let whole = reduced.into_iter().flatten().reduce(CutOff::merged).unwrap();
            prop_assert_eq!(whole.spared(token, || ids.map(|one| one.map(id))).is_revoked(), expected);
        }
    }

    #[test]
    fn those_of_one_subject_become_one_which_is_kept_as_long_as_any() {
        let entry = |tag: u64, until: u32| Entry::new(Fingerprint { key: 1, tag }, Until(until));
        let all = vec![(entry(1, 90), at(10, &["a", "b"])), (entry(1, 50), at(20, &["b"])), (entry(2, 5), at(5, &[]))];
        let reduced = CutOff::reduce(all);
        assert_eq!(reduced, [(entry(1, 90), at(20, &["b"])), (entry(2, 5), at(5, &[]))]);
    }

    #[test]
    fn until_rounds_up_and_never_wraps() {
        let until = |millis| Until::from(Some(UnixTime::from_millis(millis)));
        assert_eq!((until(1), until(1000), until(1001), until(-5)), (Until(1), Until(1), Until(2), Until(0)));
        assert_eq!((until(i64::MAX), Until::from(None)), (Until::FOR_EVER, Until::FOR_EVER));
    }
}
