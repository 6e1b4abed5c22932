//! One record as the index keeps it: a fingerprint, and until when it means something.

use crate::clock::UnixTime;
use crate::revocation::Fingerprint;

/// One record of a scope that needs no cut-off: 48 bits of key, 64 of tag, 32 of time.
///
/// Shape: 18 bytes. Numbers of 16 bits, so that no room is lost to alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(pub(super) Parts);

pub(super) type Parts = [u16; 9];

/// How many bits a key has.
pub(super) const KEY_BITS: u32 = 48;

/// When a record may be left out: in whole seconds since the epoch, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Until(pub(super) u32);

impl Until {
    pub(super) const FOR_EVER: Self = Self(u32::MAX);
}

impl Entry {
    /// Takes the numbers apart; each `as` keeps the 16 bits that its place is for.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn new(Fingerprint { key, tag }: Fingerprint, Until(until): Until) -> Self {
        let part = |number: u64, at: u32| (number >> (16 * at)) as u16;
        let until = u64::from(until);
        Self([
            part(key, 2),
            part(key, 1),
            part(key, 0),
            part(tag, 3),
            part(tag, 2),
            part(tag, 1),
            part(tag, 0),
            part(until, 1),
            part(until, 0),
        ])
    }

    /// The key's three parts as they lie, and nothing beside them: one number to compare.
    #[inline(always)]
    pub(super) fn key_as_it_lies(&self) -> u64 {
        let [a, b, c, ..] = self.0;
        bytemuck::cast([a, b, c, 0])
    }

    #[inline]
    fn number(parts: [u16; 4]) -> u64 {
        let [a, b, c, d] = parts.map(u64::from);
        a << 48 | b << 32 | c << 16 | d
    }

    #[inline]
    pub(super) fn key(&self) -> u64 {
        let [a, b, c, ..] = self.0;
        Self::number([0, a, b, c])
    }

    #[inline]
    pub(super) fn tag(&self) -> u64 {
        let [_, _, _, a, b, c, d, ..] = self.0;
        Self::number([a, b, c, d])
    }

    #[inline]
    pub(super) fn until(&self) -> Until {
        Until(u32::from(self.0[7]) << 16 | u32::from(self.0[8]))
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint { key: self.key(), tag: self.tag() }
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
