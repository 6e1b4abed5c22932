//! A filter in front of an exact table: answers "certainly not there" from a byte or so a key.
//!
//! Source: binary fuse filters (Graf and Lemire, 2022), by the crate `xorf`. Its seed is a constant,
//! so what it is asked must be keyed: see `revocation/fingerprint.rs`.

use xorf::{BinaryFuse8, Filter as _};

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
    Fuse(BinaryFuse8),
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
        built.map_or(Self::Open(WhyOpen::BuildFailed), Self::Fuse)
    }

    #[inline(always)]
    pub(super) fn probe(&self, key: u64) -> Probe {
        match self {
            Self::Fuse(filter) if !filter.contains(&key) => Probe::Absent,
            Self::Fuse(_) | Self::Open(_) => Probe::Maybe,
        }
    }

    pub(super) fn is_fuse(&self) -> bool {
        matches!(self, Self::Fuse(_))
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self, Self::Open(WhyOpen::BuildFailed))
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Fuse(filter) => filter.fingerprints.len(),
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
