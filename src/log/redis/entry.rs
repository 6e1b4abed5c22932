//! One entry of the stream: how a record is written, and how an entry is read.

use redis::Value;

use crate::clock::UnixTime;
use crate::log::Cursor;
use crate::log::written::{self, NoRecord, Parts};
use crate::revocation::{Record, RecordRef};

/// The field that tells the batch.
pub(super) const BATCH: &str = "batch";

/// The fields of a record, in the order in which they are written.
const NAMES: [&str; 8] = ["scope", "value", "issuer", "at", "until", "before", "keep", "reason"];
const SCOPE: usize = 0;
const VALUE: usize = 1;
const ISSUER: usize = 2;
const RECORDED_AT: usize = 3;
const KEEP_UNTIL: usize = 4;
const ISSUED_BEFORE: usize = 5;
const KEEP: usize = 6;
const REASON: usize = 7;

/// The fields of a record, packed so that two are equal where their records are.
pub(super) type Packed = Box<[u8]>;

/// Packs fields: of each a byte for its place, its length, and its bytes.
fn pack<'t>(fields: impl Iterator<Item = Option<&'t str>>) -> Packed {
    let mut packed = Vec::with_capacity(160);
    for (place, text) in (0_u8..).zip(fields) {
        if let Some(text) = text {
            packed.push(place);
            packed.extend((text.len() as u64).to_le_bytes());
            packed.extend(text.as_bytes());
        }
    }
    packed.into_boxed_slice()
}

/// Name and text of each field.
pub(super) fn unpack(packed: &[u8]) -> Vec<(&'static str, &str)> {
    let (mut fields, mut rest) = (Vec::new(), packed);
    while let Some((&place, behind)) = rest.split_first() {
        let Some((length, behind)) = behind.split_first_chunk() else { break };
        let Some((text, behind)) = behind.split_at_checked(u64::from_le_bytes(*length) as usize) else { break };
        fields.extend(NAMES.get(usize::from(place)).copied().zip(std::str::from_utf8(text).ok()));
        rest = behind;
    }
    fields
}

/// When a record was recorded, as it is written.
pub(super) fn recorded_at<'f>(fields: &[(&'static str, &'f str)]) -> &'f str {
    let named = fields.iter().find(|(name, _)| *name == NAMES[RECORDED_AT]);
    // Of a record that another version has written without.
    named.map_or("0", |(_, text)| text)
}

/// A record as it is written.
pub(super) fn write(record: &Record) -> Packed {
    let millis = |time: UnixTime| time.as_millis().to_string();
    let value = record.target.value();
    let issuer = written::issuer(&record.issuer);
    let recorded_at = millis(record.recorded_at);
    let (until, before) = (record.keep_until.map(millis), record.issued_before.map(millis));
    let keep = written::keep(&record.keep);
    let mut fields = [None; NAMES.len()];
    fields[SCOPE] = Some(record.target.scope().name());
    fields[VALUE] = Some(value.as_str());
    fields[ISSUER] = Some(&*issuer);
    fields[RECORDED_AT] = Some(recorded_at.as_str());
    fields[KEEP_UNTIL] = until.as_deref();
    fields[ISSUED_BEFORE] = before.as_deref();
    fields[KEEP] = keep.as_deref();
    fields[REASON] = record.reason.as_deref();
    pack(fields.into_iter())
}

/// An entry as it was read.
#[derive(Default)]
pub(super) struct Entry<'a> {
    pub(super) cursor: Cursor,
    fields: [Option<&'a str>; NAMES.len()],
    /// A field appears twice, or is no text.
    is_odd: bool,
}

/// The first part of an entry's id, which is its position.
pub(super) fn position(id: &Value) -> Option<i64> {
    let Value::BulkString(bytes) = id else { return None };
    let text = std::str::from_utf8(bytes).ok()?;
    let (first, _) = text.split_once('-')?;
    // What doesn't fit lies behind everything that we ever write.
    first.parse::<u64>().ok().map(|position| i64::try_from(position).unwrap_or(i64::MAX))
}

impl<'a> Entry<'a> {
    /// None for what is no entry of a stream.
    pub(super) fn read(value: &'a Value) -> Option<Self> {
        let Value::Array(parts) = value else { return None };
        let [id, fields] = parts.as_slice() else { return None };
        let mut entry = Self::default();
        entry.cursor.position = position(id)?;
        // One that was deleted while it was read has nothing in it.
        let Value::Array(fields) = fields else { return Some(entry) };
        let mut batch = None;
        for pair in fields.chunks(2) {
            let [Value::BulkString(name), Value::BulkString(bytes)] = pair else {
                entry.is_odd = true;
                continue;
            };
            let place = match NAMES.iter().position(|known| known.as_bytes() == name.as_slice()) {
                Some(place) => &mut entry.fields[place],
                None if name == BATCH.as_bytes() => &mut batch,
                // Of a later version.
                None => continue,
            };
            let text = std::str::from_utf8(bytes).ok();
            entry.is_odd |= text.is_none() || place.is_some();
            *place = text;
        }
        match batch.map(str::parse) {
            Some(Ok(tag)) => entry.cursor.tag = tag,
            Some(Err(_)) | None => entry.is_odd = true,
        }
        match entry.fields[KEEP_UNTIL].map(time) {
            None => {}
            Some(Some(until)) => entry.cursor.keep_until = Some(until),
            Some(None) => entry.is_odd = true,
        }
        Some(entry)
    }

    pub(super) fn record(&self) -> Result<RecordRef<'a>, NoRecord> {
        let (Some(scope), false) = (self.fields[SCOPE], self.is_odd) else { return Err(NoRecord::Junk) };
        let (value, issuer) = (self.fields[VALUE].unwrap_or(""), self.fields[ISSUER].unwrap_or(""));
        let issued_before = match self.fields[ISSUED_BEFORE].map(time) {
            Some(None) => return Err(NoRecord::Junk),
            Some(Some(before)) => Some(before),
            None => None,
        };
        let (keep, keep_until) = (self.fields[KEEP], self.cursor.keep_until);
        Parts { scope, value, issuer, issued_before, keep, keep_until }.parse()
    }

    /// All of a record, to be shown.
    pub(super) fn whole(&self, record: &RecordRef<'_>) -> Record {
        let recorded_at = self.fields[RECORDED_AT].and_then(time).unwrap_or_default();
        written::into_record(record, recorded_at, self.fields[REASON].map(str::to_owned))
    }

    pub(super) fn pack(&self) -> Packed {
        pack(self.fields.into_iter())
    }
}

fn time(text: &str) -> Option<UnixTime> {
    text.parse().ok().map(UnixTime::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::{Issuer, Target};

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn entry(id: &str, fields: &[String]) -> Value {
        Value::Array(vec![bulk(id), Value::Array(fields.iter().map(|text| bulk(text)).collect())])
    }

    fn whole() -> Record {
        Record {
            target: Target::Subject("u".to_owned()),
            issuer: Issuer::Named("i".to_owned()),
            issued_before: Some(UnixTime::from_millis(5)),
            keep: vec!["k \"1\"".to_owned()],
            keep_until: Some(UnixTime::from_millis(7)),
            recorded_at: UnixTime::from_millis(6),
            reason: Some("why".to_owned()),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let packed = write(&whole());
        let mut written = vec!["batch".to_owned(), "-3".to_owned()];
        written.extend(unpack(&packed).into_iter().flat_map(|(name, text)| [name.to_owned(), text.to_owned()]));
        let value = entry("12-0", &written);
        let read = Entry::read(&value).unwrap();
        assert_eq!(read.cursor, Cursor { position: 12, tag: -3, keep_until: Some(UnixTime::from_millis(7)) });
        assert_eq!(read.whole(&read.record().unwrap()), whole());
        assert_eq!(read.pack(), packed);
    }

    #[test]
    fn what_is_not_ours_is_junk_and_a_scope_of_later_is_known_for_one() {
        let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let good = ["batch", "1", "scope", "session", "value", "s", "issuer", "*", "at", "6"];
        let verdict = |fields: &[&str]| Entry::read(&entry("1-0", &text(fields))).unwrap().record().err();
        assert_eq!(verdict(&good), None);
        assert_eq!(verdict(&[&good[..], &["later", "x"]].concat()), None);
        for junk in [
            &["field", "value"][..],
            &good[2..],
            &[&good[..], &["until", "soon"]].concat(),
            &[&good[..], &["value", "t"]].concat(),
            &[&good[..], &["before", "5"]].concat(),
            &["batch", "1", "scope", "session", "value", "", "issuer", "*"],
            &["batch", "1", "scope", "token", "value", "abc", "issuer", "*"],
        ] {
            assert_eq!(verdict(junk), Some(NoRecord::Junk), "{junk:?}");
        }
        assert_eq!(verdict(&["batch", "1", "scope", "planet", "value", "x"]), Some(NoRecord::UnknownKind));
        assert!(Entry::read(&Value::Nil).is_none());
        assert_eq!(position(&bulk("18446744073709551615-1")), Some(i64::MAX));
    }
}
