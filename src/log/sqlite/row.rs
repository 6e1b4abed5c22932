//! One row of the table of records: how a record is written, and how a row is read.

use std::borrow::Cow;

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, params};

use crate::clock::UnixTime;
use crate::log::Cursor;
use crate::revocation::{Issuer, IssuerRef, Record, RecordRef, Scope, Target, Value};
use crate::token_id::TokenId;

pub(super) const INSERT: &str = "INSERT INTO revocation
    (batch, scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Everything after a position, in order. Columns that a later minor version adds are not asked for.
pub(super) const SELECT_AFTER: &str =
    "SELECT position, batch, scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason
    FROM revocation WHERE position > ?1 ORDER BY position";

/// How `issuer` says that it does not matter.
const ANY: &str = "*";
/// How `issuer` says that there must be none.
const ABSENT: &str = "-";
/// What stands before a named one.
const NAMED: char = '=';

pub(super) fn insert(statement: &mut CachedStatement<'_>, record: &Record, batch: i64) -> Result<(), rusqlite::Error> {
    let issuer = match &record.issuer {
        Issuer::Any => Cow::Borrowed(ANY),
        Issuer::Absent => Cow::Borrowed(ABSENT),
        Issuer::Named(name) => Cow::Owned(format!("{NAMED}{name}")),
    };
    let keep = (!record.keep.is_empty()).then(|| serde_json::Value::from(record.keep.clone()).to_string());
    statement.execute(params![
        batch,
        record.target.scope().name(),
        record.target.value(),
        issuer,
        record.issued_before.map(UnixTime::as_millis),
        keep,
        record.keep_until.map(UnixTime::as_millis),
        record.recorded_at.as_millis(),
        record.reason,
    ])?;
    Ok(())
}

/// What a row turned out to be.
pub(super) enum Row<'a> {
    Record(Cursor, RecordRef<'a>),
    /// Of a scope that we have, but not such as we write: somebody else put it there.
    Junk(Cursor),
    /// Of a scope that only a newer signoff has.
    UnknownKind(Cursor),
}

pub(super) fn parse<'a>(row: &'a rusqlite::Row<'_>) -> Result<Row<'a>, rusqlite::Error> {
    let time = |at| match row.get_ref(at) {
        Ok(ValueRef::Integer(millis)) => Ok(Some(UnixTime::from_millis(millis))),
        Ok(ValueRef::Null) => Ok(None),
        _ => Err(()),
    };
    let (tag, keep_until) = (row.get_ref(1)?.as_i64().unwrap_or(0), time(7).unwrap_or(None));
    let cursor = Cursor { position: row.get(0)?, tag, keep_until };
    let text = |at| match row.get_ref(at) {
        Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes).ok(),
        _ => None,
    };
    let Some(scope) = text(2) else { return Ok(Row::Junk(cursor)) };
    let Some(scope) = Scope::ALL.into_iter().find(|known| known.name() == scope) else {
        return Ok(Row::UnknownKind(cursor));
    };
    let record = || -> Option<RecordRef<'a>> {
        let issuer = match text(4)? {
            ANY => IssuerRef::Any,
            ABSENT => IssuerRef::Absent,
            named => IssuerRef::Named(named.strip_prefix(NAMED)?),
        };
        let value = value(scope, text(3)?)?;
        let issued_before = time(5).ok()?;
        let has_cut_off = matches!(scope, Scope::Subject | Scope::Everything);
        let keep = match row.get_ref(6).ok()? {
            ValueRef::Null => Vec::new(),
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => {
                serde_json::from_str(text(6)?).ok()?
            }
        };
        let record =
            RecordRef { scope, value, issuer, issued_before, keep: Cow::Owned(keep), keep_until: time(7).ok()? };
        (has_cut_off == issued_before.is_some()).then_some(record)
    };
    Ok(record().map_or(Row::Junk(cursor), |record| Row::Record(cursor, record)))
}

fn value(scope: Scope, text: &str) -> Option<Value<'_>> {
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

/// The whole of a row that was parsed, to be shown.
pub(super) fn into_record(row: &rusqlite::Row<'_>, record: &RecordRef<'_>) -> Result<Record, rusqlite::Error> {
    let target = match (record.scope, record.value) {
        (Scope::Token, Value::Text(jti)) => Target::Token(jti.into()),
        (Scope::Token, Value::Hash(hash)) => Target::Token(TokenId::SigningInput(hash)),
        (Scope::Session, value) => Target::Session(String::from_utf8_lossy(value.bytes()).into_owned()),
        (Scope::Subject, value) => Target::Subject(String::from_utf8_lossy(value.bytes()).into_owned()),
        (Scope::Everything, _) => Target::Everything,
    };
    let recorded_at = UnixTime::from_millis(row.get_ref(8)?.as_i64().unwrap_or(0));
    let reason = row.get_ref(9)?.as_str().ok().map(str::to_owned);
    let (issuer, keep) = (record.issuer.into_owned(), record.keep.to_vec());
    let (issued_before, keep_until) = (record.issued_before, record.keep_until);
    Ok(Record { target, issuer, issued_before, keep, keep_until, recorded_at, reason })
}
