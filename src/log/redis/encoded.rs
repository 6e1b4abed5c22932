//! A record as it stands in an entry: a few fixed bytes, and then what it has. docs/format.md has the layout.
//!
//! A record has one encoding, by which it is known again: two entries of the same bytes mean the same.

use std::borrow::Cow;

use uuid::Uuid;

use crate::clock::UnixTime;
use crate::log::encoding::{self, NoRecord};
use crate::revocation::{Issuer, IssuerRef, KeepRef, Record, RecordRef, Scope, Target, TokenId, Value};

/// A record as it is written, by which it is known again.
pub(super) type Encoded = Box<[u8]>;

/// What the first byte says of the value.
const JTI: u8 = b't';
const HASH: u8 = b'h';
const SESSION: u8 = b's';
const SUBJECT: u8 = b'u';
const EVERYTHING: u8 = b'e';

/// Bits of the second byte. Those that are not here belong to later versions, and mean that this one can't read the record.
const IS_UUID: u8 = 1;
const ISSUER_ABSENT: u8 = 1 << 1;
const ISSUER_NAMED: u8 = 1 << 2;
const HAS_CUT_OFF: u8 = 1 << 3;
const HAS_KEEP: u8 = 1 << 4;
const HAS_REASON: u8 = 1 << 5;
const KNOWN: u8 = IS_UUID | ISSUER_ABSENT | ISSUER_NAMED | HAS_CUT_OFF | HAS_KEEP | HAS_REASON;

/// Where the time stands at which it was recorded, and until when it is kept: 64 bits each, the highest byte first.
const RECORDED_AT: usize = 2;
const KEEP_UNTIL: usize = 10;
const FIXED: usize = 18;

/// The time until which a record is kept that is kept for ever.
const FOR_EVER: i64 = i64::MAX;

/// The encoding of a record.
pub(super) fn write(record: &Record) -> Encoded {
    let (kind, text) = match &record.target {
        Target::Token(TokenId::Jti(jti)) => (JTI, &**jti),
        Target::Token(TokenId::SigningInput(_)) => (HASH, ""),
        Target::Session(session) => (SESSION, session.as_str()),
        Target::Subject(subject) => (SUBJECT, subject.as_str()),
        Target::Everything => (EVERYTHING, ""),
    };
    let uuid = packed(text);
    let flag = |is: bool, bit: u8| if is { bit } else { 0 };
    let flags = flag(uuid.is_some(), IS_UUID)
        | flag(record.issuer == Issuer::Absent, ISSUER_ABSENT)
        | flag(matches!(record.issuer, Issuer::Named(_)), ISSUER_NAMED)
        | flag(record.issued_before.is_some(), HAS_CUT_OFF)
        | flag(!record.keep.is_empty(), HAS_KEEP)
        | flag(record.reason.is_some(), HAS_REASON);
    let mut bytes = vec![kind, flags];
    bytes.extend(record.recorded_at.as_millis().to_be_bytes());
    bytes.extend(record.keep_until.map_or(FOR_EVER, UnixTime::as_millis).to_be_bytes());
    match (&record.target, uuid) {
        (Target::Token(TokenId::SigningInput(hash)), _) => bytes.extend(hash),
        (Target::Everything, _) => {}
        (_, Some(uuid)) => bytes.extend(uuid.as_bytes()),
        (_, None) => put_text(&mut bytes, text),
    }
    if let Issuer::Named(name) = &record.issuer {
        put_text(&mut bytes, name);
    }
    if let Some(issued_before) = record.issued_before {
        bytes.extend(issued_before.as_millis().to_be_bytes());
    }
    if !record.keep.is_empty() {
        put_number(&mut bytes, record.keep.len());
        record.keep.iter().for_each(|id| put_text(&mut bytes, id));
    }
    if let Some(reason) = &record.reason {
        put_text(&mut bytes, reason);
    }
    bytes.into_boxed_slice()
}

/// The UUID that a text spells, if it spells it as nearly everybody does.
fn packed(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == 36)?;
    (uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text).then_some(uuid)
}

/// A number of seven bits a byte, the lowest first; the eighth says that more follow.
fn put_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_number(bytes, text.len());
    bytes.extend(text.as_bytes());
}

/// Until when a record is kept. None for ever.
pub(super) fn keep_until(bytes: &[u8]) -> Option<UnixTime> {
    let millis = i64::from_be_bytes(*bytes.get(KEEP_UNTIL..)?.first_chunk()?);
    (millis != FOR_EVER).then_some(UnixTime::from_millis(millis))
}

/// The record of an encoding.
pub(super) fn record(bytes: &[u8]) -> Option<Record> {
    Decoded::read(bytes).ok().map(|decoded| decoded.whole())
}

/// A record as it was read.
pub(super) struct Decoded<'a> {
    scope: Scope,
    value: DecodedValue<'a>,
    issuer: IssuerRef<'a>,
    issued_before: Option<UnixTime>,
    keep: Vec<&'a str>,
    recorded_at: UnixTime,
    keep_until: Option<UnixTime>,
    reason: Option<&'a str>,
}

enum DecodedValue<'a> {
    Text(&'a str),
    Uuid([u8; 36]),
    Hash([u8; 32]),
}

impl<'a> Decoded<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, NoRecord> {
        let [kind, flags, ..] = bytes else { return Err(NoRecord::Junk) };
        if ![JTI, HASH, SESSION, SUBJECT, EVERYTHING].contains(kind) || flags & !KNOWN != 0 {
            // Shorter than any of ours, it is somebody else's.
            return Err(if bytes.len() < FIXED { NoRecord::Junk } else { NoRecord::UnknownKind });
        }
        Self::read_known(*kind, *flags, bytes).ok_or(NoRecord::Junk)
    }

    fn read_known(kind: u8, flags: u8, bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Rest(bytes.get(FIXED..)?);
        let recorded_at = i64::from_be_bytes(*bytes.get(RECORDED_AT..)?.first_chunk()?);
        let value = match (kind, flags & IS_UUID != 0) {
            (HASH, false) => DecodedValue::Hash(*rest.take(32)?.first_chunk()?),
            (EVERYTHING, false) => DecodedValue::Text(""),
            (HASH | EVERYTHING, true) => return None,
            (_, true) => {
                let (uuid, mut text) = (Uuid::from_bytes(*rest.take(16)?.first_chunk()?), [0; 36]);
                uuid.hyphenated().encode_lower(&mut text);
                DecodedValue::Uuid(text)
            }
            (_, false) => DecodedValue::Text(rest.text().filter(|text| !text.is_empty())?),
        };
        let issuer = match flags & (ISSUER_ABSENT | ISSUER_NAMED) {
            0 => IssuerRef::Any,
            ISSUER_ABSENT => IssuerRef::Absent,
            ISSUER_NAMED => IssuerRef::Named(rest.text()?),
            _ => return None,
        };
        let scope = match kind {
            SESSION => Scope::Session,
            SUBJECT => Scope::Subject,
            EVERYTHING => Scope::Everything,
            _ => Scope::Token,
        };
        let has_cut_off = flags & HAS_CUT_OFF != 0;
        if has_cut_off != matches!(scope, Scope::Subject | Scope::Everything) {
            return None;
        }
        let issued_before = match has_cut_off {
            true => Some(UnixTime::from_millis(i64::from_be_bytes(*rest.take(8)?.first_chunk()?))),
            false => None,
        };
        let keep = match flags & HAS_KEEP != 0 {
            true => (0..rest.number()?).map(|_| rest.text()).collect::<Option<Vec<_>>>()?,
            false => Vec::new(),
        };
        let reason = match flags & HAS_REASON != 0 {
            true => Some(rest.text()?),
            false => None,
        };
        let recorded_at = UnixTime::from_millis(recorded_at);
        let keep_until = keep_until(bytes);
        Some(Self { scope, value, issuer, issued_before, keep, recorded_at, keep_until, reason })
    }

    pub(super) fn keep_until(&self) -> Option<UnixTime> {
        self.keep_until
    }

    pub(super) fn record(&self) -> RecordRef<'_> {
        let value = match &self.value {
            DecodedValue::Text(text) => Value::Text(text),
            // Of digits and hyphens.
            DecodedValue::Uuid(text) => Value::Text(std::str::from_utf8(text).unwrap_or_default()),
            DecodedValue::Hash(hash) => Value::Hash(*hash),
        };
        let keep = KeepRef::Read(self.keep.iter().map(|id| Cow::Borrowed(*id)).collect());
        let (issued_before, keep_until) = (self.issued_before, self.keep_until);
        RecordRef { scope: self.scope, value, issuer: self.issuer, issued_before, keep, keep_until }
    }

    /// All of the record, to be shown.
    pub(super) fn whole(&self) -> Record {
        encoding::into_record(&self.record(), self.recorded_at, self.reason.map(str::to_owned))
    }
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0_usize;
        for shift in (0..28).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'a str> {
        let count = self.number()?;
        std::str::from_utf8(self.take(count)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUID: &str = "0197a2c4-7d1e-7c40-8a1b-2f3e4d5c6b7a";

    fn whole() -> Record {
        Record {
            target: Target::Subject("u".to_owned()),
            issuer: Issuer::Named("i".to_owned()),
            issued_before: Some(UnixTime::from_millis(5)),
            keep: vec!["k \"1\"".to_owned()],
            keep_until: None,
            recorded_at: UnixTime::from_millis(6),
            reason: Some("why".to_owned()),
        }
    }

    fn token(jti: &str) -> Record {
        let (issued_before, keep_until) = (None, Some(UnixTime::from_millis(7)));
        let target = Target::Token(jti.to_owned().into());
        Record { target, issuer: Issuer::Any, issued_before, keep: Vec::new(), keep_until, reason: None, ..whole() }
    }

    #[test]
    fn a_record_is_written_as_docs_format_says() {
        let times = |recorded: u8, keep: [u8; 8]| [&[0, 0, 0, 0, 0, 0, 0, recorded][..], &keep].concat();
        let never = [0x7f, 255, 255, 255, 255, 255, 255, 255];
        let expected = [b"u\x3c", &times(6, never)[..], b"\x01u\x01i\0\0\0\0\0\0\0\x05\x01\x05k \"1\"\x03why"].concat();
        assert_eq!(&*write(&whole()), expected);
        let seven = [0, 0, 0, 0, 0, 0, 0, 7];
        assert_eq!(&*write(&token("abc")), [b"t\0", &times(6, seven)[..], b"\x03abc"].concat());
        let uuid = Uuid::try_parse(UUID).unwrap();
        assert_eq!(&*write(&token(UUID)), [b"t\x01", &times(6, seven)[..], uuid.as_bytes()].concat());
        // Only the usual spelling is a number.
        assert_eq!(write(&token(&UUID.to_uppercase())).len(), 18 + 1 + 36);
    }

    #[test]
    fn what_is_not_ours_is_junk_and_a_kind_of_later_is_known_for_one() {
        let good = write(&whole());
        for end in 0..good.len() {
            assert_eq!(Decoded::read(&good[..end]).err(), Some(NoRecord::Junk), "{end}");
        }
        let changed = |at: usize, byte: u8| {
            let mut bytes = good.to_vec();
            bytes[at] = byte;
            Decoded::read(&bytes).err()
        };
        assert_eq!(changed(0, b'p'), Some(NoRecord::UnknownKind));
        assert_eq!(changed(1, good[1] | 0x40), Some(NoRecord::UnknownKind));
        // Neither a token with a cut-off, nor two issuers, nor a subject without a cut-off.
        for (at, byte) in [(0, JTI), (1, good[1] | ISSUER_ABSENT), (1, good[1] & !HAS_CUT_OFF), (18, 0)] {
            assert_eq!(changed(at, byte), Some(NoRecord::Junk), "{at} {byte}");
        }
        let longer = [&good, &b"more"[..]].concat();
        assert_eq!(record(&longer), Some(whole()), "what later versions put behind it is passed over");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            target in prop_oneof![
                ".{1,200}".prop_map(|jti| Target::Token(jti.into())),
                any::<u128>().prop_map(|id| Target::Session(Uuid::from_u128(id).to_string())),
                any::<[u8; 32]>().prop_map(|hash| Target::Token(TokenId::SigningInput(hash))),
                ".{1,9}".prop_map(Target::Subject),
                Just(Target::Everything),
            ],
            issuer in prop_oneof![Just(Issuer::Any), Just(Issuer::Absent), ".{0,9}".prop_map(Issuer::Named)],
            keep in prop::collection::vec(".{0,9}", 0..3),
            times in any::<[Option<u32>; 2]>(),
            cut_off in any::<i64>(),
            reason in prop::option::of(".{0,300}"),
        ) {
            let has_cut_off = matches!(target.scope(), Scope::Subject | Scope::Everything);
            let time = |millis: u32| UnixTime::from_millis(i64::from(millis));
            let record = Record {
                issued_before: has_cut_off.then_some(UnixTime::from_millis(cut_off)),
                keep: if has_cut_off { keep } else { Vec::new() },
                keep_until: times[0].map(time),
                recorded_at: time(times[1].unwrap_or(0)),
                target, issuer, reason,
            };
            let bytes = write(&record);
            prop_assert_eq!(super::record(&bytes), Some(record.clone()));
            prop_assert_eq!(keep_until(&bytes), record.keep_until);
        }

        #[test]
        fn whatever_stands_there_is_read_without_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(decoded) = Decoded::read(&bytes) {
                let _shown = decoded.whole();
            }
        }
    }
}
