//! One entry of the stream: how a record is written, and how an entry is read.

use std::borrow::Cow;

use redis::Value;
use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;
use crate::log::Cursor;
use crate::log::encoding::{self, NoRecord, Parts};
use crate::revocation::{Record, RecordRef, Scope};

/// The field that tells the batch.
const BATCH: &[u8] = b"batch";

/// The field that holds the record.
const RECORD: &[u8] = b"record";

/// The field that holds the position from which collection has written the record again.
const AGAIN: &[u8] = b"again";

/// A record as it stands in an entry: a JSON array, without the nulls at its end.
#[derive(Deserialize, Serialize)]
struct Written<'a>(
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    i64,
    #[serde(default)] Option<i64>,
    #[serde(default)] Option<i64>,
    #[serde(default)] Option<Vec<String>>,
    #[serde(default)] Option<String>,
);

/// The text of a record, by which it is known again.
pub(super) fn write(record: &Record) -> Box<str> {
    let written = Written(
        record.target.scope().name().into(),
        record.target.value().into(),
        encoding::issuer(&record.issuer),
        record.recorded_at.as_millis(),
        record.keep_until.map(UnixTime::as_millis),
        record.issued_before.map(UnixTime::as_millis),
        (!record.keep.is_empty()).then(|| record.keep.clone()),
        record.reason.clone(),
    );
    // Texts and numbers are always written.
    let text = serde_json::to_string(&written).unwrap_or_default();
    let mut text = text.strip_suffix(']').unwrap_or(&text);
    while let Some(shorter) = text.strip_suffix(",null") {
        text = shorter;
    }
    format!("{text}]").into_boxed_str()
}

/// When the record of a text was recorded. Zero of none.
pub(super) fn recorded_at(text: &str) -> i64 {
    serde_json::from_str::<Written<'_>>(text).map_or(0, |written| written.3)
}

/// Until when the record of a text is kept.
pub(super) fn keep_until(text: &str) -> Option<UnixTime> {
    serde_json::from_str::<Written<'_>>(text).ok().and_then(|written| written.4).map(UnixTime::from_millis)
}

/// The record of a text that [`write`] has made.
pub(super) fn record(text: &str) -> Option<Record> {
    Entry { tag: Some(0), text, ..Entry::default() }.parse().whole()
}

/// An entry as it was read.
#[derive(Default)]
pub(super) struct Entry<'a> {
    pub(super) position: i64,
    tag: Option<i64>,
    pub(super) text: &'a str,
    pub(super) again: Option<i64>,
}

/// The record of an entry, or what it has in its place.
pub(super) struct Parsed<'a>(Result<Written<'a>, NoRecord>);

/// The first part of an entry's id, which is its position.
fn position(id: &Value) -> Option<i64> {
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
        let mut entry = Self { position: position(id)?, ..Self::default() };
        // One that was deleted while it was read has nothing in it.
        let Value::Array(fields) = fields else { return Some(entry) };
        for pair in fields.chunks(2) {
            let [Value::BulkString(name), Value::BulkString(bytes)] = pair else { continue };
            let text = std::str::from_utf8(bytes).unwrap_or_default();
            match name.as_slice() {
                BATCH => entry.tag = text.parse().ok(),
                RECORD => entry.text = text,
                AGAIN => entry.again = text.parse().ok(),
                // Of a later version, or of somebody else.
                _ => {}
            }
        }
        Some(entry)
    }

    pub(super) fn parse(&self) -> Parsed<'a> {
        let written = serde_json::from_str::<Written<'a>>(self.text).map_err(|_| {
            // Of another kind, it may be written otherwise.
            let scope = serde_json::from_str::<Vec<serde_json::Value>>(self.text).unwrap_or_default();
            match scope.first().and_then(serde_json::Value::as_str) {
                Some(scope) if !Scope::ALL.iter().any(|known| known.name() == scope) => NoRecord::UnknownKind,
                Some(_) | None => NoRecord::Junk,
            }
        });
        Parsed(if self.tag.is_some() { written } else { Err(NoRecord::Junk) })
    }

    /// Where a reader stands who has read it.
    pub(super) fn cursor(&self, parsed: &Parsed<'_>) -> Cursor {
        Cursor { position: self.position, tag: self.tag(), keep_until: parsed.keep_until() }
    }

    pub(super) fn tag(&self) -> i64 {
        self.tag.unwrap_or(0)
    }
}

impl Parsed<'_> {
    pub(super) fn keep_until(&self) -> Option<UnixTime> {
        self.0.as_ref().ok().and_then(|written| written.4).map(UnixTime::from_millis)
    }

    pub(super) fn record(&self) -> Result<RecordRef<'_>, NoRecord> {
        let Written(scope, value, issuer, _, _, before, keep, _) = self.0.as_ref().map_err(|no_record| *no_record)?;
        let (issued_before, keep_until) = (before.map(UnixTime::from_millis), self.keep_until());
        let keep = keep.iter().flatten().map(|id| Cow::Owned(id.clone())).collect();
        Parts { scope, value, issuer, issued_before, keep, keep_until }.parse()
    }

    /// All of the record, to be shown.
    pub(super) fn whole(&self) -> Option<Record> {
        let record = self.record().ok()?;
        let Written(.., recorded_at, _, _, _, reason) = self.0.as_ref().ok()?;
        Some(encoding::into_record(&record, UnixTime::from_millis(*recorded_at), reason.clone()))
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
    use crate::revocation::{Issuer, Target};

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn entry(id: &str, fields: &[&str]) -> Value {
        Value::Array(vec![bulk(id), Value::Array(fields.iter().map(|text| bulk(text)).collect())])
    }

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

    #[test]
    fn what_is_written_is_read_again() {
        let short = Record { reason: None, keep: Vec::new(), keep_until: Some(UnixTime::from_millis(7)), ..whole() };
        let token = Record { target: Target::Token("\u{0}é,null]".into()), issued_before: None, ..short.clone() };
        for (record, text) in [
            (whole(), r#"["subject","u","=i",6,null,5,["k \"1\""],"why"]"#),
            (short, r#"["subject","u","=i",6,7,5]"#),
            (token, r#"["token","jti:\u0000é,null]","=i",6,7]"#),
        ] {
            assert_eq!(&*write(&record), text);
            let value = entry("12-0", &["batch", "-3", "record", text]);
            let read = Entry::read(&value).unwrap();
            let parsed = read.parse();
            assert_eq!(read.cursor(&parsed), Cursor { position: 12, tag: -3, keep_until: record.keep_until });
            assert_eq!((parsed.whole(), recorded_at(text)), (Some(record), 6));
        }
    }

    #[test]
    fn what_is_not_ours_is_junk_and_a_scope_of_later_is_known_for_one() {
        let verdict = |fields: &[&str]| Entry::read(&entry("1-0", fields)).unwrap().parse().record().err();
        let good = r#"["session","s","*",6]"#;
        assert_eq!(verdict(&["batch", "1", "record", good]), None);
        assert_eq!(verdict(&["batch", "1", "record", good, "later", "x"]), None);
        for junk in [&["field", "value"][..], &["record", good], &["batch", "one", "record", good]] {
            assert_eq!(verdict(junk), Some(NoRecord::Junk), "{junk:?}");
        }
        for junk in [
            r#"["session","","*",6]"#,
            r#"["session","s","*"]"#,
            r#"["session","s","*",6,"soon"]"#,
            r#"["session","s","*",6,7,5]"#,
            r#"["subject","s","*",6,7]"#,
            r#"["token","abc","*",6]"#,
            r#"["session","s","x",6]"#,
            r#"{"scope":"session"}"#,
            "[",
            "",
        ] {
            assert_eq!(verdict(&["batch", "1", "record", junk]), Some(NoRecord::Junk), "{junk}");
        }
        for later in [r#"["planet","x","*",6]"#, r#"["planet",{"x":1}]"#] {
            assert_eq!(verdict(&["batch", "1", "record", later]), Some(NoRecord::UnknownKind), "{later}");
        }
        assert!(Entry::read(&Value::Nil).is_none());
        assert_eq!(position(&bulk("18446744073709551615-1")), Some(i64::MAX));
    }
}
