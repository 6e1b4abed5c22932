//! One entry of the stream, as it is read.

use std::borrow::Cow;

use redis::Value;

use super::encoded::{self, Decoded};
use super::format_1;
use crate::clock::UnixTime;
use crate::log::Cursor;
use crate::log::encoding::NoRecord;

/// The field that holds the record.
const RECORD: &[u8] = b"r";

/// The field that holds the position from which collection has written the record again.
const AGAIN: &[u8] = b"a";

/// The fields of the format before: the batch's tag, the record, and the position from which it was written again.
const BATCH_1: &[u8] = b"batch";
const RECORD_1: &[u8] = b"record";
const AGAIN_1: &[u8] = b"again";

/// An entry as it was read.
pub(super) struct Entry<'a> {
    pub(super) position: i64,
    /// Tells it from another one that bears its position elsewhere: what all entries of one append have.
    pub(super) tag: i64,
    pub(super) again: Option<i64>,
    record: Result<Cow<'a, [u8]>, NoRecord>,
}

/// Position and tag, which are the two parts of an entry's id.
fn parse_id(id: &Value) -> Option<(i64, i64)> {
    let Value::BulkString(bytes) = id else { return None };
    let (position, tag) = std::str::from_utf8(bytes).ok()?.split_once('-')?;
    // What doesn't fit lies behind everything that we ever write, or is of nobody's batch.
    let number =
        |text: &str, otherwise| text.parse::<u64>().ok().map(|number| i64::try_from(number).unwrap_or(otherwise));
    Some((number(position, i64::MAX)?, number(tag, 0)?))
}

impl<'a> Entry<'a> {
    /// None for what is no entry of a stream.
    pub(super) fn read(value: &'a Value) -> Option<Self> {
        let Value::Array(parts) = value else { return None };
        let [id, fields] = parts.as_slice() else { return None };
        let (position, tag) = parse_id(id)?;
        let mut entry = Self { position, tag, again: None, record: Err(NoRecord::Junk) };
        // One that was deleted while it was read has nothing in it.
        let Value::Array(fields) = fields else { return Some(entry) };
        let (mut batch, mut text) = (None, None);
        for pair in fields.chunks(2) {
            let [Value::BulkString(name), Value::BulkString(bytes)] = pair else { continue };
            let number = || std::str::from_utf8(bytes).ok()?.parse::<i64>().ok();
            match name.as_slice() {
                RECORD => entry.record = Ok(Cow::Borrowed(bytes)),
                AGAIN | AGAIN_1 => entry.again = number(),
                BATCH_1 => batch = number(),
                RECORD_1 => text = std::str::from_utf8(bytes).ok(),
                // Of a later version, or of somebody else.
                _ => {}
            }
        }
        if let (Some(batch), Some(text)) = (batch, text) {
            entry.tag = if tag == 0 { batch } else { tag };
            entry.record = format_1::read(text).map(|record| Cow::Owned(encoded::write(&record).into_vec()));
        }
        Some(entry)
    }

    /// The bytes by which its record is known again. None where it has none.
    pub(super) fn bytes(&self) -> &[u8] {
        self.record.as_deref().unwrap_or_default()
    }

    pub(super) fn decode(&self) -> Result<Decoded<'_>, NoRecord> {
        Decoded::read(self.record.as_deref().map_err(|no_record| *no_record)?)
    }

    /// Where a reader stands who has read it, but for the server's term.
    pub(super) fn cursor(&self) -> Cursor {
        let keep_until = self.record.as_deref().ok().and_then(encoded::keep_until);
        Cursor { position: self.position, tag: self.tag, epoch: 0, keep_until }
    }
}

/// Whether what is kept until then still means something.
pub(super) fn is_live(keep_until: Option<UnixTime>, watermark: Option<UnixTime>) -> bool {
    match (keep_until, watermark) {
        (Some(until), Some(watermark)) => until > watermark,
        (Some(_) | None, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::conformance::record;

    fn bulk(bytes: &[u8]) -> Value {
        Value::BulkString(bytes.to_vec())
    }

    fn entry(id: &str, fields: &[&[u8]]) -> Value {
        Value::Array(vec![bulk(id.as_bytes()), Value::Array(fields.iter().map(|field| bulk(field)).collect())])
    }

    #[test]
    fn an_entry_is_read_in_this_format_and_the_one_before() {
        let (new, written) = (record("abc", Some(7)), encoded::write(&record("abc", Some(7))));
        let value = entry("12-34", &[b"r", &written, b"a", b"9", b"later", b"x"]);
        let read = Entry::read(&value).unwrap();
        assert_eq!((read.position, read.tag, read.again), (12, 34, Some(9)));
        assert_eq!((read.bytes(), read.decode().unwrap().whole()), (&*written, new));
        assert_eq!(read.cursor(), Cursor { position: 12, tag: 34, epoch: 0, keep_until: Some(UnixTime::from_secs(7)) });
        let text = br#"["token","jti:abc","*",1700000000000,7000]"#;
        let value = entry("12-0", &[b"batch", b"-3", b"record", text]);
        let read = Entry::read(&value).unwrap();
        assert_eq!((read.tag, read.bytes()), (-3, &*written), "it is known for the same record");
        let value = entry("20-5", &[b"batch", b"-3", b"record", text, b"again", b"12"]);
        let read = Entry::read(&value).unwrap();
        assert_eq!((read.tag, read.again), (5, Some(12)));
    }

    #[test]
    fn what_is_not_ours_is_junk() {
        for fields in [
            &[b"field" as &[u8], b"value"][..],
            &[b"record", b"[]"],
            &[b"batch", b"one", b"record", b"[]"],
            &[b"r", b""],
        ] {
            assert!(matches!(Entry::read(&entry("1-0", fields)).unwrap().decode(), Err(NoRecord::Junk)), "{fields:?}");
        }
        assert!(Entry::read(&Value::Nil).is_none());
        assert_eq!(parse_id(&bulk(b"18446744073709551615-18446744073709551615")), Some((i64::MAX, 0)));
    }
}
