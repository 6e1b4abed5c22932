//! A filter in front of an exact table: answers "certainly not there" from a byte or so a key.
//!
//! Source: binary fuse filters (Graf and Lemire, 2022), by the crate `xorf`. Its seed is a constant,
//! so what it is asked must be keyed: see `revocation/fingerprint.rs`.

use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable as _, Filter as _, FilterRef as _};

use super::run::Run;

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
    Fuse {
        descriptor: [u8; BinaryFuse8::DESCRIPTOR_LEN],
        fingerprints: Run<u8>,
    },
    /// Not wanted, or not to be had: every key may be there, and the exact table says.
    Open(WhyOpen),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhyOpen {
    NotWanted,
    BuildFailed,
}

impl Filter {
    /// A filter of distinct keys.
    pub(super) fn build(filtering: Filtering, keys: impl ExactSizeIterator<Item = u64> + Clone) -> Self {
        match filtering {
            Filtering::Off => Self::Open(WhyOpen::NotWanted),
            Filtering::On => Self::of(BinaryFuse8::try_from_iterator(keys)),
        }
    }

    fn of(built: Result<BinaryFuse8, &'static str>) -> Self {
        let Ok(filter) = built else { return Self::Open(WhyOpen::BuildFailed) };
        let mut descriptor = [0; BinaryFuse8::DESCRIPTOR_LEN];
        filter.dma_copy_descriptor_to(&mut descriptor);
        Self::Fuse { descriptor, fingerprints: filter.fingerprints.into_vec().into() }
    }

    #[inline(always)]
    pub(super) fn probe(&self, key: u64) -> Probe {
        match self {
            Self::Open(_) => Probe::Maybe,
            Self::Fuse { descriptor, fingerprints } => {
                match BinaryFuse8Ref::from_dma(descriptor, fingerprints).contains(&key) {
                    true => Probe::Maybe,
                    false => Probe::Absent,
                }
            }
        }
    }

    pub(super) fn is_fuse(&self) -> bool {
        matches!(self, Self::Fuse { .. })
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self, Self::Open(WhyOpen::BuildFailed))
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Fuse { fingerprints, .. } => fingerprints.len(),
            Self::Open(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_could_not_be_built_lets_every_key_through_to_the_exact_table() {
        let filter = Filter::of(Err("no seed worked"));
        assert!(filter.has_failed());
        assert_eq!(filter.probe(1), Probe::Maybe);
        assert!(!Filter::build(Filtering::Off, [].into_iter()).has_failed());
    }
}
