//! Taking records out of the file on purpose.
//!
//! A row that is erased stays, as one that means nothing and has expired: who stands at it sees that it is the same log. What it was
//! stands in a table of its own for as long as it would have been kept, so that every process can forget it.

use rusqlite::{Connection, Transaction, params};

use super::row::{self, Row};
use super::{SqliteLog, schema};
use crate::clock::UnixTime;
use crate::limits::ERASED_MAX;
use crate::log::{LogError, Placed};
use crate::revocation::Record;

/// How often something was erased.
const ERASURES: &str = "erasures";

const INSERT: &str = "INSERT INTO erased (scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason)
    SELECT scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason FROM revocation WHERE position = ?1";

#[cfg(feature = "redis")]
const NOTE: &str = "INSERT INTO erased (scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason)
    SELECT ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE ?1 = 0";

/// With a position and a batch, which say nothing here, so that it is read as any other row.
const SELECT: &str =
    "SELECT rowid, 0, scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason FROM erased";

impl SqliteLog {
    pub(super) fn erase_placed(&self, records: &[Placed]) -> Result<(), LogError> {
        let erased = self.write(|transaction| {
            let held: i64 = transaction.query_row("SELECT count(*) FROM erased", [], |row| row.get(0))?;
            if usize::try_from(held).unwrap_or(usize::MAX).saturating_add(records.len()) > ERASED_MAX {
                return Ok(false);
            }
            for (position, record) in records {
                if is_there(transaction, *position, record)? {
                    transaction.prepare_cached(INSERT)?.execute([position])?;
                    blank(transaction, *position, record)?;
                }
            }
            schema::set_fact(transaction, ERASURES, &(count(transaction)? + 1).to_string())?;
            Ok(true)
        })?;
        if erased { Ok(()) } else { Err(LogError::TooManyErased { max: ERASED_MAX }) }
    }
}

/// Whether a record still stands where it was found.
pub(super) fn is_there(transaction: &Transaction<'_>, position: i64, record: &Record) -> Result<bool, rusqlite::Error> {
    let mut select = transaction.prepare_cached(row::SELECT_AT)?;
    let mut rows = select.query([position])?;
    let Some(raw) = rows.next()? else { return Ok(false) };
    match row::parse(raw)? {
        Row::Record(_, found) => Ok(row::into_record(raw, &found)? == *record),
        Row::Junk(_) | Row::UnknownKind(_) => Ok(false),
    }
}

fn blank(transaction: &Transaction<'_>, position: i64, record: &Record) -> Result<(), rusqlite::Error> {
    let blank = record.blank();
    let mut update = transaction.prepare_cached(
        "UPDATE revocation SET scope = ?2, value = ?3, issuer = ?4, issued_before = NULL, keep = NULL, keep_until = ?5, reason = NULL
            WHERE position = ?1",
    )?;
    let (scope, issuer) = (blank.target.scope().name(), crate::log::encoding::issuer(&blank.issuer));
    update.execute(params![
        position,
        scope,
        blank.target.value(),
        issuer,
        blank.keep_until.map(UnixTime::as_millis)
    ])?;
    Ok(())
}

/// Takes rows out of a copy, in which nobody stands at a place, and notes all that was erased from the log.
#[cfg(feature = "redis")]
pub(super) fn take_out(
    transaction: &Transaction<'_>,
    erased: &[Record],
    places: &[Placed],
) -> Result<(), rusqlite::Error> {
    transaction.execute("DELETE FROM erased", [])?;
    let mut note = transaction.prepare_cached(NOTE)?;
    for record in erased {
        row::insert(&mut note, record, 0)?;
    }
    for (position, record) in places {
        if is_there(transaction, *position, record)? {
            transaction.prepare_cached("DELETE FROM revocation WHERE position = ?1")?.execute([position])?;
            transaction.prepare_cached("DELETE FROM unsent WHERE position = ?1")?.execute([position])?;
        }
    }
    Ok(())
}

/// How often something was erased.
pub(super) fn count(connection: &Connection) -> Result<u64, rusqlite::Error> {
    Ok(schema::fact(connection, ERASURES)?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// What was erased, as long as it would have been kept.
pub(super) fn erased(connection: &Connection) -> Result<Vec<Record>, rusqlite::Error> {
    // A backup of an earlier version, put back under a running process, lacks the table.
    if !connection.table_exists(None, "erased")? {
        return Ok(Vec::new());
    }
    let mut select = connection.prepare_cached(SELECT)?;
    let (mut rows, mut records) = (select.query([])?, Vec::new());
    while let Some(raw) = rows.next()? {
        if let Row::Record(_, record) = row::parse(raw)? {
            records.push(row::into_record(raw, &record)?);
        }
    }
    Ok(records)
}

/// Lets go of those that would have expired by now.
pub(super) fn collect(transaction: &Transaction<'_>, now: UnixTime) -> Result<(), rusqlite::Error> {
    if transaction.table_exists(None, "erased")? {
        let mut delete = transaction.prepare_cached("DELETE FROM erased WHERE keep_until <= ?1")?;
        delete.execute([now.as_millis()])?;
    }
    Ok(())
}
