//! One row of the table of records: how a record is written, and how a row is read.

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, params};

use crate::clock::UnixTime;
use crate::log::Cursor;
use crate::log::encoding::{self, NoRecord, Parts};
use crate::revocation::{Record, RecordRef, Scope};

pub(super) const INSERT: &str = "INSERT INTO revocation
    (batch, scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Everything after a position, in order. Columns that a later minor version adds are not asked for.
pub(super) const SELECT_AFTER: &str =
    "SELECT position, batch, scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason
    FROM revocation WHERE position > ?1 ORDER BY position";

/// The same at a position.
pub(super) const SELECT_AT: &str =
    "SELECT position, batch, scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason
    FROM revocation WHERE position = ?1";

/// The same of what another log has not been given.
#[cfg(feature = "redis")]
pub(super) const SELECT_UNSENT: &str =
    "SELECT position, batch, scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason
    FROM unsent JOIN revocation USING (position) WHERE position > ?1 ORDER BY position LIMIT ?2";

pub(super) fn insert(statement: &mut CachedStatement<'_>, record: &Record, batch: i64) -> Result<(), rusqlite::Error> {
    let keep = (!record.keep.is_empty()).then(|| serde_json::Value::from(record.keep.clone()).to_string());
    statement.execute(params![
        batch,
        record.target.scope().name(),
        record.target.value(),
        encoding::issuer(&record.issuer),
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
    let cursor = Cursor { position: row.get(0)?, tag, epoch: 0, keep_until };
    let text = |at| match row.get_ref(at) {
        Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes).ok(),
        _ => None,
    };
    let parts = || -> Option<Parts<'a>> {
        let keep = match row.get_ref(6).ok()? {
            ValueRef::Null => Vec::new(),
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => {
                encoding::ids(text(6)?)?
            }
        };
        let (issued_before, keep_until) = (time(5).ok()?, time(7).ok()?);
        Some(Parts { scope: text(2)?, value: text(3)?, issuer: text(4)?, issued_before, keep, keep_until })
    };
    // A kind that is not known may have columns that it uses otherwise.
    let is_known = |scope| Scope::ALL.into_iter().any(|known| known.name() == scope);
    let parsed = match parts() {
        Some(parts) => parts.parse(),
        None if text(2).is_some_and(|scope| !is_known(scope)) => Err(NoRecord::UnknownKind),
        None => Err(NoRecord::Junk),
    };
    Ok(match parsed {
        Ok(record) => Row::Record(cursor, record),
        Err(NoRecord::Junk) => Row::Junk(cursor),
        Err(NoRecord::UnknownKind) => Row::UnknownKind(cursor),
    })
}

/// The whole of a row that was parsed, to be shown.
pub(super) fn into_record(row: &rusqlite::Row<'_>, record: &RecordRef<'_>) -> Result<Record, rusqlite::Error> {
    let recorded_at = UnixTime::from_millis(row.get_ref(8)?.as_i64().unwrap_or(0));
    let reason = row.get_ref(9)?.as_str().ok().map(str::to_owned);
    Ok(encoding::into_record(record, recorded_at, reason))
}
