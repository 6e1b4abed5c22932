//! The file as a copy of a log that lies elsewhere: a log of its own, with how far the copy goes among its facts, and the
//! positions of what the other log has not been given yet beside it.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, params};

use super::row::{self, Row};
use super::schema::{self, fact, set_fact};
use super::{SqliteLog, append, connect, fault};
use crate::clock::UnixTime;
use crate::log::copy::{Compared, Copied, LogCopy, Met};
use crate::log::{Appended, Create, Cursor, Facts, LogError, Read, RevocationLog as _, Visit};
use crate::revocation::Record;

/// Names of facts.
const OF: &str = "copy_of";
const VERSION: &str = "copy_version";
const POSITION: &str = "copy_position";
const BATCH: &str = "copy_batch";
const READ_AT: &str = "copy_read_at";

/// A file that is a copy.
pub(in crate::log) struct CopyFile {
    file: SqliteLog,
    /// Commits without waiting for the disk: what a crash of the machine takes from the copy is read again.
    connection: Mutex<Connection>,
    /// What `PRAGMA data_version` said when it was last looked for what other processes keep.
    seen: Mutex<Option<i64>>,
    path: PathBuf,
}

impl CopyFile {
    /// Opens the copy of the log of this name, and makes an empty one where there is none. A file that was a log of its own
    /// becomes the copy, and the other log is owed all that it holds.
    pub(in crate::log) fn open(path: &Path, of: &str, random: fn() -> Option<[u8; 16]>) -> Result<Self, LogError> {
        let (file, _) = SqliteLog::open(path, Create::IfMissing, random)?;
        let path = file.path.clone();
        let connection = connect(&path)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(|error| fault(&path, &error))?;
        let copy = Self { file, connection: Mutex::new(connection), seen: Mutex::default(), path };
        let before = copy.file.write(|transaction| {
            let before = fact(transaction, OF)?;
            if before.is_none() {
                set_fact(transaction, OF, of)?;
                transaction.execute("INSERT OR IGNORE INTO unsent SELECT position FROM revocation", [])?;
            }
            Ok(before)
        })?;
        match before {
            Some(before) if before != of => Err(LogError::Foreign {
                path: copy.path.display().to_string(),
                fault: "this is the copy of a log with another namespace",
            }),
            Some(_) | None => Ok(copy),
        }
    }

    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>) -> Result<T, LogError> {
        self.file.write_by(&self.connection, work)
    }
}

impl LogCopy for CopyFile {
    fn copied(&self) -> Result<Copied, LogError> {
        let connection = self.connection.lock();
        copied(&connection).map_err(|error| fault(&self.path, &error))
    }

    fn load(&self, visit: Visit<'_>) -> Result<(Copied, Read), LogError> {
        let copied = self.copied()?;
        self.file.read(Cursor::default(), visit).map(|read| (copied, read))
    }

    fn count(&self) -> Result<u64, LogError> {
        self.file.count_after(Cursor::default())
    }

    fn facts(&self) -> Result<Facts, LogError> {
        let connection = self.connection.lock();
        schema::facts(&connection).map_err(|error| fault(&self.path, &error))
    }

    fn collect(&self, watermark: UnixTime, max: usize) -> Result<bool, LogError> {
        let collected = self.file.collect(watermark, max)?;
        self.write(|transaction| {
            transaction.execute("DELETE FROM unsent WHERE position NOT IN (SELECT position FROM revocation)", [])
        })?;
        Ok(collected.more)
    }

    fn advance(&self, from: Cursor, to: &Copied, entries: &[Met], facts: Facts) -> Result<bool, LogError> {
        self.write(|transaction| {
            let before = copied(transaction)?;
            let is_new = before.version.is_empty();
            if before.version != to.version && !is_new {
                return Ok(false);
            }
            let stands_on = |cursor: &Cursor| cursor.is_at(before.cursor);
            let new = match entries.iter().position(|(cursor, _)| stands_on(cursor)) {
                Some(at) => &entries[at + 1..],
                None if stands_on(&from) => entries,
                // Another process is further.
                None if before.cursor.position >= to.cursor.position && !is_new => return Ok(true),
                None => return Ok(false),
            };
            insert(transaction, new)?;
            set_facts(transaction, facts)?;
            // All that there was then, up to where the copy goes at least.
            let read_at = to.read_at.max(before.read_at);
            set_copied(transaction, &Copied { read_at, ..to.clone() })?;
            Ok(true)
        })
    }

    fn add(&self, entries: &[Met]) -> Result<(), LogError> {
        self.write(|transaction| insert(transaction, entries))
    }

    fn conclude(&self, before: &Copied, to: &Copied, facts: Facts, found: &Compared) -> Result<(), LogError> {
        self.write(|transaction| {
            if !copied(transaction)?.is_at(before) {
                return Ok(());
            }
            transaction.execute("DELETE FROM unsent WHERE position <= ?1", [found.through])?;
            for_each(transaction, "INSERT OR IGNORE INTO unsent VALUES (?1)", &found.unsent)?;
            for_each(transaction, "DELETE FROM revocation WHERE position = ?1", &found.twice)?;
            set_facts(transaction, facts)?;
            set_copied(transaction, to)
        })
    }

    fn keep(&self, records: &[Record]) -> Result<Appended, LogError> {
        self.file.write(|transaction| {
            let appended = append(transaction, records)?;
            let positions: Vec<i64> = (appended.first..=appended.last.position).collect();
            for_each(transaction, "INSERT OR IGNORE INTO unsent VALUES (?1)", &positions)?;
            Ok(appended)
        })
    }

    fn unsent(&self, after: i64, max: usize) -> Result<Vec<(i64, Record)>, LogError> {
        let connection = self.connection.lock();
        let work = || {
            let mut select = connection.prepare_cached(row::SELECT_UNSENT)?;
            let mut rows = select.query(params![after, i64::try_from(max).unwrap_or(i64::MAX)])?;
            let mut records = Vec::new();
            while let Some(raw) = rows.next()? {
                if let Row::Record(cursor, record) = row::parse(raw)? {
                    records.push((cursor.position, row::into_record(raw, &record)?));
                }
            }
            Ok(records)
        };
        work().map_err(|error| fault(&self.path, &error))
    }

    fn has_changed(&self) -> Result<bool, LogError> {
        let connection = self.connection.lock();
        let version = || connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get::<_, i64>(0));
        let version = version().map_err(|error| fault(&self.path, &error))?;
        Ok(self.seen.lock().replace(version) != Some(version))
    }

    fn sent(&self, positions: &[i64]) -> Result<(), LogError> {
        self.write(|transaction| {
            for_each(transaction, "DELETE FROM unsent WHERE position = ?1", positions)?;
            for_each(transaction, "DELETE FROM revocation WHERE position = ?1", positions)
        })
    }

    fn compact(&self) -> Result<(), LogError> {
        self.file.compact()
    }

    fn for_each(&self, visit: &mut dyn FnMut(i64, Record)) -> Result<(), LogError> {
        // A connection of its own, since this takes long.
        let connection = connect(&self.path)?;
        let mut work = || {
            let mut select = connection.prepare(row::SELECT_AFTER)?;
            let mut rows = select.query([0])?;
            while let Some(raw) = rows.next()? {
                if let Row::Record(cursor, record) = row::parse(raw)? {
                    visit(cursor.position, row::into_record(raw, &record)?);
                }
            }
            Ok(())
        };
        work().map_err(|error| fault(&self.path, &error))
    }
}

fn copied(connection: &Connection) -> Result<Copied, rusqlite::Error> {
    let number = |name| fact(connection, name).map(|text| text.and_then(|text| text.parse().ok()).unwrap_or(0));
    let cursor = Cursor { position: number(POSITION)?, tag: number(BATCH)?, keep_until: None };
    let version = fact(connection, VERSION)?.unwrap_or_default();
    Ok(Copied { version, cursor, read_at: schema::time(connection, READ_AT)? })
}

fn set_copied(transaction: &Transaction<'_>, copied: &Copied) -> Result<(), rusqlite::Error> {
    set_fact(transaction, VERSION, &copied.version)?;
    set_fact(transaction, POSITION, &copied.cursor.position.to_string())?;
    set_fact(transaction, BATCH, &copied.cursor.tag.to_string())?;
    match copied.read_at {
        Some(read_at) => schema::set_time(transaction, READ_AT, read_at),
        None => Ok(()),
    }
}

fn set_facts(transaction: &Transaction<'_>, facts: Facts) -> Result<(), rusqlite::Error> {
    let lifetime = facts.longest_lifetime.map(|lifetime| i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX));
    let facts = [
        (schema::WATERMARK, facts.watermark),
        (schema::NEWEST, facts.newest),
        (schema::LONGEST_LIFETIME, lifetime.map(UnixTime::from_millis)),
    ];
    facts
        .into_iter()
        .filter_map(|(name, time)| Some((name, time?)))
        .try_for_each(|(name, time)| schema::set_time(transaction, name, time))
}

fn insert(transaction: &Transaction<'_>, entries: &[Met]) -> Result<(), rusqlite::Error> {
    let mut insert = transaction.prepare_cached(row::INSERT)?;
    let records = entries.iter().filter_map(|(cursor, record)| Some((cursor.tag, record.as_ref()?)));
    records.into_iter().try_for_each(|(tag, record)| row::insert(&mut insert, record, tag))
}

fn for_each(transaction: &Transaction<'_>, sql: &str, positions: &[i64]) -> Result<(), rusqlite::Error> {
    let mut statement = transaction.prepare_cached(sql)?;
    positions.iter().try_for_each(|position| statement.execute([position]).map(drop))
}
