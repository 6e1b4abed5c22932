//! The schema, its version, and how a file comes by it. Version numbers are major·100 + minor: of the same major number every version reads every
//! other's files, and leaves alone what it does not know.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::LogError;
use super::connection::fault;
use crate::clock::UnixTime;
use crate::log::{Allowance, Facts, LongestLifetime, Raised};

/// The version that this signoff writes.
const VERSION: i64 = 103;

/// Tells a log from any other SQLite file: "sgnf".
const APPLICATION_ID: i64 = 0x7367_6e66;

/// The setting by which deleted room can be given back in steps ("incremental").
pub(super) const IN_STEPS: i64 = 2;

/// What leads from one version to the next; a new file goes through all of them. Each is one transaction.
const MIGRATIONS: [(i64, i64, &str); 4] = [
    (0, 100, include_str!("migrations/1.0_revocations_and_facts.sql")),
    (100, 101, include_str!("migrations/1.1_unsent_records.sql")),
    (101, 102, include_str!("migrations/1.2_generation_after_deletions.sql")),
    (102, 103, include_str!("migrations/1.3_erased_records.sql")),
];

/// Names of facts.
pub(super) const WATERMARK: &str = "watermark";
pub(super) const NEWEST: &str = "newest";
pub(super) const LONGEST_LIFETIME: &str = "longest_lifetime";
const LONGEST_LIFETIME_RAISED: &str = "longest_lifetime_raised";
pub(super) const LIFETIME_REVISION: &str = "lifetime_revision";
pub(super) const REVISION: &str = "revision";
pub(super) const ALLOWANCE: &str = "issued_in_future_max";
const GENERATION: &str = "generation";
/// The name of the log that the file is a copy of. Those with how far it goes are in `copy.rs`.
pub(super) const COPY_OF: &str = "copy_of";
pub(super) const SALT: &str = "salt";
pub(super) const IDENTITY: &str = "identity";

pub(super) fn migrate(connection: &mut Connection, from: i64) -> Result<(), rusqlite::Error> {
    let mut version = from;
    while let Some((_, to, sql)) = MIGRATIONS.iter().find(|(from, ..)| *from == version) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been quicker.
        let now: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if now == version {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", to)?;
        }
        transaction.commit()?;
        version = *to;
    }
    Ok(())
}

/// Makes sure that a file is a log that can be read and written, and brings it to our version.
pub(super) fn verify(connection: &mut Connection, path: &Path) -> Result<(), LogError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let number = |name| pragma(name).map_err(|error| fault(path, &error));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let text = || path.display().to_string();
    if application != APPLICATION_ID {
        let empty = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
        let fault = if empty { "the file is empty" } else { "this is a database, but not a log of signoff" };
        return Err(LogError::Foreign { path: text(), fault });
    }
    if version / 100 > VERSION / 100 {
        return Err(LogError::Newer { path: text(), found: version, known: VERSION });
    }
    if connection.is_readonly("main").map_err(|error| fault(path, &error))? {
        return Err(LogError::ReadOnly { path: text() });
    }
    migrate(connection, version).map_err(|error| fault(path, &error))?;
    set_wal(connection, path)
}

/// Puts the file into WAL mode, which a copy by `VACUUM INTO` has lost.
pub(super) fn set_wal(connection: &Connection, path: &Path) -> Result<(), LogError> {
    let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
    match mode.map_err(|error| fault(path, &error))?.as_str() {
        "wal" => Ok(()),
        mode => Err(LogError::Io {
            path: path.display().to_string(),
            fault: format!("can't be put into WAL mode, which several processes need (it is in mode {mode})"),
        }),
    }
}

/// Says that records may have been taken away.
pub(super) fn renew_generation(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute("UPDATE fact SET value = CAST(random() AS TEXT) WHERE name = ?1", [GENERATION]).map(drop)
}

/// The log's secret, where it has one.
pub(super) fn salt(connection: &Connection) -> Result<Option<[u8; 16]>, rusqlite::Error> {
    let text = fact(connection, SALT)?;
    let number = text.filter(|text| text.len() == 32).and_then(|text| u128::from_str_radix(&text, 16).ok());
    Ok(number.map(u128::to_be_bytes))
}

pub(super) fn fact(connection: &Connection, name: &str) -> Result<Option<String>, rusqlite::Error> {
    connection.prepare_cached("SELECT value FROM fact WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()
}

/// What the log says of itself.
pub(super) fn facts(connection: &Connection) -> Result<Facts, rusqlite::Error> {
    let length = |millis: UnixTime| Duration::from_millis(u64::try_from(millis.as_millis()).unwrap_or(0));
    Ok(Facts {
        watermark: time(connection, WATERMARK)?,
        newest: time(connection, NEWEST)?,
        longest_lifetime: match time(connection, LONGEST_LIFETIME)?.map(length) {
            Some(base) => {
                let raised = fact(connection, LONGEST_LIFETIME_RAISED)?.and_then(|text| Raised::parse(&text));
                Some(LongestLifetime::of(base, raised))
            }
            None => None,
        },
        allowance: fact(connection, ALLOWANCE)?.and_then(|text| Allowance::parse(&text)),
        revision: count(connection, REVISION)?,
        lifetime_revision: count(connection, LIFETIME_REVISION)?,
        generation: fact(connection, GENERATION)?.and_then(|text| text.parse().ok()),
    })
}

/// States it in two facts: an earlier version, which knows the first alone, refuses what lives longer.
pub(super) fn set_longest_lifetime(
    transaction: &Transaction<'_>,
    lifetime: Option<LongestLifetime>,
) -> Result<(), rusqlite::Error> {
    let raised = lifetime.and_then(LongestLifetime::raised).map(|raised| raised.to_string());
    let base = lifetime.map(|lifetime| lifetime.base().as_millis().to_string());
    for (name, text) in [(LONGEST_LIFETIME, base), (LONGEST_LIFETIME_RAISED, raised)] {
        match text {
            Some(text) => set_fact(transaction, name, &text)?,
            None => drop(transaction.execute("DELETE FROM fact WHERE name = ?1", [name])?),
        }
    }
    Ok(())
}

fn count(connection: &Connection, name: &str) -> Result<i64, rusqlite::Error> {
    Ok(fact(connection, name)?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// A fact that is a time, or a length of time, in milliseconds.
pub(super) fn time(connection: &Connection, name: &str) -> Result<Option<UnixTime>, rusqlite::Error> {
    let text = fact(connection, name)?;
    Ok(text.and_then(|text| text.parse().ok()).map(UnixTime::from_millis))
}

pub(super) fn set_time(transaction: &Transaction<'_>, name: &str, time: UnixTime) -> Result<(), rusqlite::Error> {
    set_fact(transaction, name, &time.as_millis().to_string())
}

pub(super) fn set_fact(transaction: &Transaction<'_>, name: &str, value: &str) -> Result<(), rusqlite::Error> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO fact (name, value) VALUES (?1, ?2)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
    )?;
    upsert.execute(params![name, value])?;
    Ok(())
}
