//! A filter in front of an exact table: answers "certainly not there" from a byte and a quarter a key.
//!
//! Source: binary fuse filters (Graf and Lemire, 2022), by the crate `xorf`. Its seed is a constant,
//! so what it is asked must be keyed: see `revocation/fingerprint.rs`.

use std::ops::Range;

use prefetch_index::prefetch_index;
use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable as _, Filter as _, FilterRef as _};

use super::huge_pages::{Draft, HugeVec};

/// What a filter says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    Absent,
    Maybe,
}

/// Whether segments are given filters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // With or without.
pub enum Filtering {
    /// Each segment has a filter.
    #[default]
    On,
    /// The exact tables alone are asked. For comparison: the verdicts are the same.
    Off,
}

pub(super) enum Filter {
    /// A filter for each range of keys of the same size.
    Fuse {
        /// How far a key is shifted to give its range.
        shift: u32,
        parts: Box<[Part]>,
        fingerprints: HugeVec<u8>,
    },
    /// Not wanted: every key may be there, and the exact table says.
    NotWanted,
}

/// The filter of one range of keys.
pub(super) struct Part {
    /// None if it could not be built: then every key of the range may be there.
    descriptor: Option<[u8; BinaryFuse8::DESCRIPTOR_LEN]>,
    /// Where its fingerprints stand.
    fingerprints: Range<u32>,
}

/// About how many keys share a filter at most.
///
/// What building one takes for itself then stays within a processor's own cache and within what an allocator
/// gives back, and the three places that a probe looks at lie within ten pages. It costs 0.08 bytes a
/// key more than one filter for ten million.
const PART_KEYS: usize = 1 << 15;

impl Filter {
    /// A filter of keys of so many bits, in order, perhaps with repetitions.
    pub(super) fn build(filtering: Filtering, key_bits: u32, keys: impl ExactSizeIterator<Item = u64>) -> Self {
        if filtering == Filtering::Off {
            return Self::NotWanted;
        }
        let shift = key_bits - keys.len().div_ceil(PART_KEYS).next_power_of_two().ilog2();
        let (mut keys, mut of_part) = (keys.peekable(), Vec::with_capacity(1 << 15));
        // A byte and a quarter is about what a key takes.
        let mut fingerprints = Draft::with_capacity(keys.len() + keys.len() / 4);
        let parts = (0..1_u64 << (key_bits - shift)).map(|part| {
            of_part.clear();
            while let Some(key) = keys.next_if(|key| key >> shift == part) {
                if of_part.last() != Some(&key) {
                    of_part.push(key);
                }
            }
            Part::of(BinaryFuse8::try_from(&*of_part), &mut fingerprints)
        });
        let parts = parts.collect();
        Self::Fuse { shift, parts, fingerprints: fingerprints.finish() }
    }

    #[inline(always)]
    pub(super) fn probe(&self, key: u64) -> Probe {
        match self {
            Self::NotWanted => Probe::Maybe,
            Self::Fuse { shift, parts, fingerprints } => {
                let Some((descriptor, range)) = parts[(key >> shift) as usize].built() else { return Probe::Maybe };
                match BinaryFuse8Ref::from_dma(descriptor, &fingerprints[range]).contains(&key) {
                    true => Probe::Maybe,
                    false => Probe::Absent,
                }
            }
        }
    }

    /// Asks for the memory that [`probe`](Self::probe) will read. Waits for none of it.
    #[inline(always)]
    pub(super) fn prefetch(&self, key: u64) {
        if let Self::Fuse { shift, parts, fingerprints } = self
            && let Some((descriptor, range)) = parts[(key >> shift) as usize].built()
        {
            places(descriptor, key).into_iter().for_each(|at| prefetch_index(&fingerprints[range.clone()], at));
        }
    }

    pub(super) fn is_fuse(&self) -> bool {
        matches!(self, Self::Fuse { .. })
    }

    /// Whether some of it could not be built.
    pub(super) fn has_failed(&self) -> bool {
        match self {
            Self::NotWanted => false,
            Self::Fuse { parts, .. } => parts.iter().any(|part| part.descriptor.is_none()),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::NotWanted => 0,
            Self::Fuse { parts, fingerprints, .. } => fingerprints.len() + size_of_val(&**parts),
        }
    }
}

/// Where a filter keeps what it says of a key: the three places that `xorf` reads, but does not tell.
///
/// Source: sections 3 and 4 of the paper, with the finaliser of MurmurHash3. A test holds it to `xorf`; were it
/// wrong, lookups would be slower and no less right.
#[inline(always)]
fn places(descriptor: &[u8; BinaryFuse8::DESCRIPTOR_LEN], key: u64) -> [usize; 3] {
    let [s0, s1, s2, s3, s4, s5, s6, s7, len @ .., _, _, _, _, c0, c1, c2, c3] = *descriptor;
    let seed = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
    let (segment, all_but_two) = (u32::from_le_bytes(len), u32::from_le_bytes([c0, c1, c2, c3]));
    let hash = [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53, 1]
        .into_iter()
        .fold(key.wrapping_add(seed), |hash, factor: u64| (hash ^ (hash >> 33)).wrapping_mul(factor));
    let first = ((u128::from(hash) * u128::from(all_but_two)) >> 64) as usize;
    let (segment, within) = (segment as usize, segment as u64 - 1);
    let (second, third) = (first + segment, first + 2 * segment);
    [first, second ^ ((hash >> 18) & within) as usize, third ^ (hash & within) as usize]
}

impl Part {
    #[inline(always)]
    fn built(&self) -> Option<(&[u8; BinaryFuse8::DESCRIPTOR_LEN], Range<usize>)> {
        let range = self.fingerprints.start as usize..self.fingerprints.end as usize;
        self.descriptor.as_ref().map(|descriptor| (descriptor, range))
    }

    fn of(built: Result<BinaryFuse8, &'static str>, fingerprints: &mut Draft<u8>) -> Self {
        let place = |fingerprints: &Draft<u8>| u32::try_from(fingerprints.len()).ok();
        let start = place(fingerprints);
        if let (Ok(filter), Some(start)) = (built, start) {
            fingerprints.extend_from_slice(&filter.fingerprints);
            if let Some(end) = place(fingerprints) {
                let mut descriptor = [0; BinaryFuse8::DESCRIPTOR_LEN];
                filter.dma_copy_descriptor_to(&mut descriptor);
                return Self { descriptor: Some(descriptor), fingerprints: start..end };
            }
        }
        Self { descriptor: None, fingerprints: 0..0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS: u32 = 48;

    /// Spread like fingerprints, in order.
    fn keys(count: u64) -> Vec<u64> {
        let mut keys: Vec<_> = (0..count).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS)).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn a_range_whose_filter_could_not_be_built_lets_every_key_through_to_the_exact_table() {
        let mut fingerprints = Draft::default();
        let built = |keys: &[u64]| BinaryFuse8::try_from(keys);
        let parts = [built(&[1, 2]), Err("no seed worked")].map(|built| Part::of(built, &mut fingerprints));
        let shift = BITS - 1;
        let filter = Filter::Fuse { shift, parts: parts.into(), fingerprints: fingerprints.finish() };
        assert!(filter.has_failed());
        assert_eq!(filter.probe(1), Probe::Maybe);
        assert!((100..200).any(|key| filter.probe(key) == Probe::Absent));
        assert!((100..200).all(|key| filter.probe(1 << shift | key) == Probe::Maybe));
        assert!(!Filter::build(Filtering::Off, BITS, [].into_iter()).has_failed());
    }

    #[test]
    fn the_places_that_are_asked_for_are_those_that_a_probe_reads() {
        let keys = keys(20_000);
        let filter = BinaryFuse8::try_from(&keys).unwrap();
        let mut descriptor = [0; BinaryFuse8::DESCRIPTOR_LEN];
        filter.dma_copy_descriptor_to(&mut descriptor);
        for key in &keys[..100] {
            for place in places(&descriptor, *key) {
                let mut changed = filter.fingerprints.to_vec();
                changed[place] ^= 1;
                assert!(!BinaryFuse8Ref::from_dma(&descriptor, &changed).contains(key), "{key} at {place}");
            }
        }
    }

    #[test]
    fn every_key_is_let_through_and_hardly_any_other_whatever_the_number_of_ranges() {
        for count in [0, 1, 2, 1 << 15, (1 << 15) + 1, 200_000] {
            let all = keys(count);
            let twice = all.iter().flat_map(|key| [*key, *key]).collect::<Vec<_>>();
            for given in [&all, &twice] {
                let filter = Filter::build(Filtering::On, BITS, given.iter().copied());
                assert!(filter.is_fuse() && !filter.has_failed());
                assert!(all.iter().all(|key| filter.probe(*key) == Probe::Maybe), "a false negative of {count}");
                let others = all.iter().map(|key| key ^ 1).filter(|key| all.binary_search(key).is_err());
                let passed = others.filter(|key| filter.probe(*key) == Probe::Maybe).count();
                assert!(passed <= 3 + all.len() / 150, "{passed} of {count}");
                let bytes_most = 1000.0 + 1.3 * given.len() as f64;
                assert!((filter.bytes() as f64) < bytes_most, "{} of {count}", filter.bytes());
            }
        }
    }
}
