//! How the parts of a record are written, in whichever log.

use std::borrow::Cow;

use crate::clock::UnixTime;
use crate::revocation::TokenId;
use crate::revocation::{IssuerRef, KeepRef, Record, RecordRef, Scope, Target, Value};

/// How the issuer says that it does not matter.
const ANY: &str = "*";
/// How it says that there must be none.
const ABSENT: &str = "-";
/// What stands before a named one.
const NAMED: char = '=';

#[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
pub(super) fn issuer(issuer: &crate::revocation::Issuer) -> Cow<'static, str> {
    use crate::revocation::Issuer;

    match issuer {
        Issuer::Any => Cow::Borrowed(ANY),
        Issuer::Absent => Cow::Borrowed(ABSENT),
        Issuer::Named(name) => Cow::Owned(format!("{NAMED}{name}")),
    }
}

fn parse_issuer(text: &str) -> Option<IssuerRef<'_>> {
    match text {
        ANY => Some(IssuerRef::Any),
        ABSENT => Some(IssuerRef::Absent),
        named => named.strip_prefix(NAMED).map(IssuerRef::Named),
    }
}

fn parse_value(scope: Scope, text: &str) -> Option<Value<'_>> {
    match scope {
        Scope::Token => match text.strip_prefix("jti:") {
            Some(jti) => (!jti.is_empty()).then_some(Value::Text(jti)),
            None => match TokenId::from_printed(text)? {
                TokenId::SigningInput(hash) => Some(Value::Hash(hash)),
                TokenId::Jti(_) => None,
            },
        },
        Scope::Session | Scope::Subject => (!text.is_empty()).then_some(Value::Text(text)),
        Scope::Everything => Some(Value::Text("")),
    }
}

/// The ids that are spared, from a JSON array of strings. They are of the text itself, unless they are escaped there.
#[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
pub(super) fn ids(text: &str) -> Option<Vec<Cow<'_, str>>> {
    #[derive(serde::Deserialize)]
    struct Id<'a>(#[serde(borrow)] Cow<'a, str>);

    if let Some(ids) = plain_ids(text) {
        return Some(ids);
    }
    let ids: Vec<Id<'_>> = serde_json::from_str(text).ok()?;
    Some(ids.into_iter().map(|Id(id)| id).collect())
}

/// The ids of an array as we write nearly all of them: without white space, and with nothing escaped. None says nothing.
///
/// A JSON reader takes three times as long, which is half of what reading a long list takes.
#[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
fn plain_ids(text: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut rest = text.strip_prefix("[\"")?;
    let has_control = rest.bytes().fold(u8::MAX, u8::min) < b' ';
    if has_control || memchr::memchr(b'\\', rest.as_bytes()).is_some() {
        return None;
    }
    let mut ids = Vec::with_capacity(8);
    loop {
        let (id, behind) = rest.split_at(memchr::memchr(b'"', rest.as_bytes())?);
        ids.push(Cow::Borrowed(id));
        match behind.strip_prefix("\",\"") {
            Some(next) => rest = next,
            None => return (behind == "\"]").then_some(ids),
        }
    }
}

/// What a log has in place of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRecord {
    /// Of a scope that we have, but not such as we write: somebody else put it there.
    Junk,
    /// Of a scope that only a newer signoff has.
    UnknownKind,
}

/// The parts of a record as they were read.
pub(super) struct Parts<'a> {
    pub(super) scope: &'a str,
    pub(super) value: &'a str,
    pub(super) issuer: &'a str,
    pub(super) issued_before: Option<UnixTime>,
    pub(super) keep: Vec<Cow<'a, str>>,
    pub(super) keep_until: Option<UnixTime>,
}

impl<'a> Parts<'a> {
    pub(super) fn parse(self) -> Result<RecordRef<'a>, NoRecord> {
        let scope = Scope::ALL.into_iter().find(|known| known.name() == self.scope).ok_or(NoRecord::UnknownKind)?;
        let parse = || {
            let (value, issuer) = (parse_value(scope, self.value)?, parse_issuer(self.issuer)?);
            let has_cut_off = matches!(scope, Scope::Subject | Scope::Everything);
            let (issued_before, keep_until) = (self.issued_before, self.keep_until);
            let record = RecordRef { scope, value, issuer, issued_before, keep: KeepRef::Read(self.keep), keep_until };
            (has_cut_off == issued_before.is_some()).then_some(record)
        };
        parse().ok_or(NoRecord::Junk)
    }
}

/// The whole of a record that was read, with what is for people alone.
pub(super) fn into_record(record: &RecordRef<'_>, recorded_at: UnixTime, reason: Option<String>) -> Record {
    let text = |value: Value<'_>| String::from_utf8_lossy(value.bytes()).into_owned();
    let target = match (record.scope, record.value) {
        (Scope::Token, Value::Text(jti)) => Target::Token(jti.into()),
        (Scope::Token, Value::Hash(hash)) => Target::Token(TokenId::SigningInput(hash)),
        (Scope::Session, value) => Target::Session(text(value)),
        (Scope::Subject, value) => Target::Subject(text(value)),
        (Scope::Everything, _) => Target::Everything,
    };
    let (issuer, keep) = (record.issuer.into_owned(), record.keep.to_vec());
    let (issued_before, keep_until) = (record.issued_before, record.keep_until);
    Record { target, issuer, issued_before, keep, keep_until, recorded_at, reason }
}

#[cfg(all(test, any(feature = "sqlite", feature = "sqlite-system")))]
mod tests {
    use proptest::prelude::*;

    proptest! {
        /// Whatever stands in a row is read as `serde_json` reads it.
        #[test]
        fn ids_are_read_as_serde_json_reads_them(
            text in r#"(\[("[ab\\"n,é\x01-]{0,5}"[,; ]?){0,3}\]?|\["[a-z",\\\[\]]{0,12}"\])"#,
        ) {
            let theirs = serde_json::from_str::<Vec<String>>(&text).ok();
            let ours = super::ids(&text).map(|ids| ids.into_iter().map(String::from).collect::<Vec<_>>());
            prop_assert_eq!(ours, theirs);
        }
    }
}
