//! What the index keeps of a value: 112 bits under the log's secret salt.
//!
//! Source: SipHash-1-3 with 128 bits of output (Aumasson and Bernstein, 2012). The salt keeps who
//! chooses a `jti` from choosing where it lands in a filter or a bucket.

use siphasher::sip128::SipHasher13;

use super::{IssuerRef, RecordRef, Scope, Value};

/// A kind of value that is looked up by itself. Values of different kinds never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Jti,
    SigningInput,
    Session,
    Subject,
}

impl Lane {
    pub(crate) const ALL: [Self; 4] = [Self::Jti, Self::SigningInput, Self::Session, Self::Subject];

    /// The lane that a record is looked up in. None means every token.
    pub(crate) fn of(record: &RecordRef<'_>) -> Option<Self> {
        match (record.scope, &record.value) {
            (Scope::Token, Value::Text(_)) => Some(Self::Jti),
            (Scope::Token, Value::Hash(_)) => Some(Self::SigningInput),
            (Scope::Session, _) => Some(Self::Session),
            (Scope::Subject, _) => Some(Self::Subject),
            (Scope::Everything, _) => None,
        }
    }
}

/// The fingerprint of a value: `key` finds it, `tag` settles it, and says whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fingerprint {
    /// 48 bits, of the value alone: what a filter is asked.
    pub(crate) key: u64,
    /// 64 bits, of the value and the issuer.
    pub(crate) tag: u64,
}

impl Fingerprint {
    /// The same value, of an issuer with this mark.
    #[inline]
    pub(crate) fn of_issuer(self, mark: IssuerMark) -> Self {
        Self { key: self.key, tag: self.tag ^ mark.0 }
    }
}

/// 64 bits that stand for an issuer; none at all for any issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IssuerMark(u64);

/// The fingerprint of a `jti` or `sid` that a cut-off spares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeptId(u128);

/// The hashers of one log, made from its secret.
#[derive(Clone)]
pub(crate) struct Salt {
    lanes: [SipHasher13; 4],
    issuer: SipHasher13,
    absent: SipHasher13,
    keep: SipHasher13,
}

impl Salt {
    /// A hasher of its own for each kind of value, so that no kind's fingerprint is another's.
    pub(crate) fn new(secret: &[u8; 16]) -> Self {
        let root = SipHasher13::new_with_key(secret);
        let hasher = |name: &str| SipHasher13::new_with_key(&u128::from(root.hash(name.as_bytes())).to_le_bytes());
        Self {
            lanes: ["jti", "signing input", "sid", "sub"].map(hasher),
            issuer: hasher("iss"),
            absent: hasher("no iss"),
            keep: hasher("keep"),
        }
    }

    /// The fingerprint of a value, of any issuer.
    #[inline]
    pub(crate) fn fingerprint(&self, lane: Lane, value: &[u8]) -> Fingerprint {
        let hash = self.lanes[lane as usize].hash(value);
        Fingerprint { key: hash.h1 >> 16, tag: hash.h2 }
    }

    /// The mark of a token's issuer.
    pub(crate) fn mark(&self, iss: Option<&str>) -> IssuerMark {
        IssuerMark(match iss {
            Some(iss) => self.issuer.hash(iss.as_bytes()).h1,
            None => self.absent.hash(&[]).h1,
        })
    }

    pub(crate) fn kept(&self, jti_or_sid: &str) -> KeptId {
        KeptId(self.keep.hash(jti_or_sid.as_bytes()).into())
    }

    /// Where a record stands in the index. None for one that means every token.
    pub(crate) fn of_record(&self, record: &RecordRef<'_>) -> Option<(Lane, Fingerprint)> {
        let lane = Lane::of(record)?;
        let fingerprint = self.fingerprint(lane, record.value.bytes());
        let mark = match record.issuer {
            IssuerRef::Any => IssuerMark(0),
            IssuerRef::Absent => self.mark(None),
            IssuerRef::Named(iss) => self.mark(Some(iss)),
        };
        Some((lane, fingerprint.of_issuer(mark)))
    }
}

/// Shows no secret.
impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_values_issuers_and_salts_are_kept_apart() {
        let (salt, other) = (Salt::new(&[7; 16]), Salt::new(&[8; 16]));
        let all: Vec<_> = Lane::ALL.iter().map(|lane| salt.fingerprint(*lane, b"x")).collect();
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|two| one.key != two.key && one.tag != two.tag));
        }
        assert_ne!(salt.fingerprint(Lane::Jti, b"x"), other.fingerprint(Lane::Jti, b"x"));
        let marks = [salt.mark(None), salt.mark(Some("")), salt.mark(Some("a")), IssuerMark(0)];
        for (at, one) in marks.iter().enumerate() {
            assert!(marks[at + 1..].iter().all(|two| one != two));
        }
    }

    #[test]
    fn a_key_has_48_bits_so_that_112_are_kept() {
        let salt = Salt::new(&[7; 16]);
        let any =
            (0..1000_u32).map(|n| salt.fingerprint(Lane::Jti, &n.to_le_bytes()).key).fold(0, |all, key| all | key);
        assert_eq!(any, (1 << 48) - 1);
    }
}
