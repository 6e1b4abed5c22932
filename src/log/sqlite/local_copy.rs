//! The file as a copy of a log that lies elsewhere: a log of its own, with how far the copy goes among its facts, and the
//! positions of what the other log has not been given yet beside it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Transaction, params};

use super::erase;
use super::row::{self, Row};
use super::schema::{self, fact, set_fact};
use super::{FileOptions, Held, Slot, SqliteLog};
use crate::clock::{ClockTrust, UnixTime};
use crate::log::local_copy::{Compared, Copied, LocalCopy, Met};
use crate::log::{Appended, Create, Cursor, Facts, LogError, Read, RevocationLog as _, Room, Visit};
use crate::revocation::Record;

/// Names of facts.
const VERSION: &str = "copy_version";
const POSITION: &str = "copy_position";
const BATCH: &str = "copy_batch";
/// The watermark of the log that it is a copy of.
const HEARD_WATERMARK: &str = "copy_watermark";
/// The position and the term in which it was given. Of another position it says nothing: an earlier version went on.
const EPOCH: &str = "copy_epoch";
const HEAD: &str = "copy_head";
const READ_AT: &str = "copy_read_at";
const TAKEN: &str = "copy_taken";

/// How long the copy waits for other processes: the log is followed on meanwhile.
const BUSY_TIMEOUT: Duration = Duration::from_millis(50);

/// A file that is a copy.
pub(in crate::log) struct CopyFile {
    file: SqliteLog,
    /// Commits without waiting for the disk: what a crash of the machine takes from the copy is read again.
    connection: Arc<Slot>,
    path: PathBuf,
}

impl CopyFile {
    /// Opens the copy of the log of this name, and makes an empty one where there is none. A file that was a log of its own
    /// becomes the copy, and the other log is owed all that it holds.
    pub(in crate::log) fn open(path: &Path, of: &str, random: fn() -> Option<[u8; 16]>) -> Result<Self, LogError> {
        let (file, _) = SqliteLog::open(path, FileOptions::new(Create::IfMissing), random)?;
        let path = file.path.clone();
        let connection = file.file.slot(|connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.pragma_update(None, "synchronous", "NORMAL")
        });
        let copy = Self { file, connection, path };
        let before = copy.file.write(|transaction| {
            let before = fact(transaction, schema::COPY_OF)?;
            if before.is_none() {
                set_fact(transaction, schema::COPY_OF, of)?;
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

    fn write<T>(&self, work: impl FnMut(&Transaction<'_>) -> Result<T, rusqlite::Error>) -> Result<T, LogError> {
        self.file.write_by(&self.connection, super::BUSY_TIMEOUT, work)
    }

    fn look<T>(&self, work: impl FnOnce(&mut Held) -> Result<T, rusqlite::Error>) -> Result<T, LogError> {
        self.file.mend()?;
        self.connection.with(None, work)
    }
}

impl LocalCopy for CopyFile {
    fn copied(&self) -> Result<Copied, LogError> {
        self.look(|held| copied(&held.connection))
    }

    fn load(&self, visit: Visit<'_>) -> Result<(Copied, Read), LogError> {
        let copied = self.copied()?;
        self.file.read(Cursor::default(), visit).map(|read| (copied, read))
    }

    fn last(&self) -> Result<i64, LogError> {
        Ok(i64::try_from(self.file.count_after(Cursor::default())?).unwrap_or(i64::MAX))
    }

    fn facts(&self) -> Result<Facts, LogError> {
        self.look(|held| {
            // What a file has set by itself, as a log of its own, went by a clock that counts for nobody else.
            let watermark = schema::time(&held.connection, HEARD_WATERMARK)?;
            Ok(Facts { watermark, ..schema::facts(&held.connection)? })
        })
    }

    fn collect(&self, now: UnixTime, max: usize) -> Result<bool, LogError> {
        let collected = self.file.collect(now, max, ClockTrust::Confirmed)?;
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
                None => return Ok(false),
            };
            insert(transaction, new)?;
            set_facts(transaction, facts)?;
            // The newer of the two, and not the later: a clock may have been ahead.
            let (head, read_at) = (to.head.max(before.head), to.read_at.or(before.read_at));
            set_copied(transaction, &Copied { head, read_at, ..to.clone() })?;
            Ok(true)
        })
    }

    fn add(&self, entries: &[Met]) -> Result<(), LogError> {
        self.write(|transaction| insert(transaction, entries))
    }

    fn conclude(&self, before: &Copied, to: &Copied, facts: Facts, found: &Compared) -> Result<bool, LogError> {
        // Long enough that nobody else's turn stands in its way.
        self.file.write(|transaction| {
            if !copied(transaction)?.is_at(before) {
                return Ok(false);
            }
            transaction.execute("DELETE FROM unsent WHERE position <= ?1", [found.through])?;
            for_each(transaction, "INSERT OR IGNORE INTO unsent VALUES (?1)", &found.unsent)?;
            for_each(transaction, "DELETE FROM revocation WHERE position = ?1", &found.twice)?;
            set_facts(transaction, facts)?;
            set_copied(transaction, to)?;
            Ok(true)
        })
    }

    fn keep(&self, records: &[Record]) -> Result<Appended, LogError> {
        // As whoever appends to the file as a log of its own.
        self.file.append(records)
    }

    fn unsent(&self, after: i64, max: usize) -> Result<Vec<(i64, Record)>, LogError> {
        self.look(|Held { connection, .. }| {
            let mut select = connection.prepare_cached(row::SELECT_UNSENT)?;
            let mut rows = select.query(params![after, i64::try_from(max).unwrap_or(i64::MAX)])?;
            let mut records = Vec::new();
            while let Some(raw) = rows.next()? {
                if let Row::Record(cursor, record) = row::parse(raw)? {
                    records.push((cursor.position, row::into_record(raw, &record)?));
                }
            }
            Ok(records)
        })
    }

    fn has_changed(&self) -> Result<bool, LogError> {
        self.look(|Held { connection, seen, .. }| {
            let version: i64 = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
            Ok(seen.replace((version, Cursor::default())).is_none_or(|(before, _)| before != version))
        })
    }

    fn sent(&self, positions: &[i64], are_copied: bool) -> Result<(), LogError> {
        self.write(|transaction| {
            if are_copied {
                // But for what a comparison has found to be in the log, and has perhaps made the only one.
                let still =
                    "DELETE FROM revocation WHERE position IN (SELECT position FROM unsent WHERE position = ?1)";
                for_each(transaction, still, positions)?;
                set_fact(transaction, TAKEN, &(copied(transaction)?.taken + 1).to_string())?;
            }
            for_each(transaction, "DELETE FROM unsent WHERE position = ?1", positions)
        })
    }

    fn erase(&self, records: &[Record]) -> Result<(), LogError> {
        let taken: HashSet<&Record> = records.iter().collect();
        let mut places = Vec::new();
        self.for_each(&mut |position, record| {
            if taken.contains(&record) {
                places.push((position, record));
            }
        })?;
        self.file.write(|transaction| erase::take_out(transaction, records, &places))
    }

    fn erased(&self) -> Result<Vec<Record>, LogError> {
        self.file.erased()
    }

    fn give_back(&self) -> Result<Room, LogError> {
        self.file.give_back()
    }

    fn rewrite(&self) -> Result<(), LogError> {
        self.file.rewrite()
    }

    fn for_each(&self, visit: &mut dyn FnMut(i64, Record)) -> Result<(), LogError> {
        // A connection of its own, since this takes long.
        self.file.file.slot(|_| Ok(())).with(None, |Held { connection, .. }| {
            let mut select = connection.prepare(row::SELECT_AFTER)?;
            let mut rows = select.query([0])?;
            while let Some(raw) = rows.next()? {
                if let Row::Record(cursor, record) = row::parse(raw)? {
                    visit(cursor.position, row::into_record(raw, &record)?);
                }
            }
            Ok(())
        })
    }
}

fn copied(connection: &Connection) -> Result<Copied, rusqlite::Error> {
    let number = |name| fact(connection, name).map(|text| text.and_then(|text| text.parse().ok()).unwrap_or(0));
    let position = number(POSITION)?;
    let epoch = fact(connection, EPOCH)?.and_then(|text| {
        let (at, epoch) = text.split_once(' ')?;
        (at.parse() == Ok(position)).then(|| u64::from_str_radix(epoch, 16).ok())?
    });
    let cursor = Cursor { position, tag: number(BATCH)?, epoch: epoch.unwrap_or(0), keep_until: None };
    let (head, taken) = (number(HEAD)?, number(TAKEN)?);
    let version = fact(connection, VERSION)?.unwrap_or_default();
    Ok(Copied { version, cursor, head, read_at: schema::time(connection, READ_AT)?, taken })
}

fn set_copied(transaction: &Transaction<'_>, copied: &Copied) -> Result<(), rusqlite::Error> {
    set_fact(transaction, VERSION, &copied.version)?;
    set_fact(transaction, POSITION, &copied.cursor.position.to_string())?;
    set_fact(transaction, BATCH, &copied.cursor.tag.to_string())?;
    set_fact(transaction, EPOCH, &format!("{} {:x}", copied.cursor.position, copied.cursor.epoch))?;
    set_fact(transaction, HEAD, &copied.head.to_string())?;
    match copied.read_at {
        Some(read_at) => schema::set_time(transaction, READ_AT, read_at),
        None => Ok(()),
    }
}

fn set_facts(transaction: &Transaction<'_>, facts: Facts) -> Result<(), rusqlite::Error> {
    if facts.longest_lifetime.is_some() {
        schema::set_longest_lifetime(transaction, facts.longest_lifetime)?;
    }
    if let Some(allowance) = facts.allowance {
        set_fact(transaction, schema::ALLOWANCE, &allowance.to_string())?;
    }
    for (name, revision) in [(schema::REVISION, facts.revision), (schema::LIFETIME_REVISION, facts.lifetime_revision)] {
        if revision > 0 {
            set_fact(transaction, name, &revision.to_string())?;
        }
    }
    if let Some(watermark) = facts.watermark {
        schema::set_time(transaction, HEARD_WATERMARK, watermark)?;
    }
    let facts = [(schema::WATERMARK, facts.watermark), (schema::NEWEST, facts.newest)];
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::conformance;

    fn record(jti: &str) -> Record {
        conformance::record(jti, None)
    }

    fn at(position: i64, tag: i64) -> Cursor {
        Cursor { position, tag, epoch: 7, keep_until: None }
    }

    fn entry(position: i64, tag: i64) -> Met {
        (at(position, tag), Some(record(&format!("{position} of {tag}"))))
    }

    fn copied(cursor: Cursor, read_at: i64) -> Copied {
        let (version, read_at) = ("a 0".to_owned(), Some(UnixTime::from_secs(read_at)));
        Copied { version, cursor, head: cursor.position, read_at, taken: 0 }
    }

    fn open(folder: &tempfile::TempDir) -> CopyFile {
        let random = || Some(*uuid::Builder::from_u128(7).as_uuid().as_bytes());
        CopyFile::open(&folder.path().join("copy.db"), "shop", random).unwrap()
    }

    fn values(copy: &CopyFile) -> Vec<String> {
        let mut values = Vec::new();
        copy.for_each(&mut |_, record| values.push(record.target.value().trim_start_matches("jti:").to_owned()))
            .unwrap();
        values
    }

    fn advance(copy: &CopyFile, from: Cursor, to: &Copied, entries: &[Met]) -> bool {
        copy.advance(from, to, entries, Facts::default()).unwrap()
    }

    #[test]
    fn what_several_processes_have_read_is_copied_once() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (open(&folder), open(&folder));
        let entries = [entry(1, 10), entry(2, 10), entry(3, 30)];
        assert!(advance(&one, Cursor::default(), &copied(at(2, 10), 1), &entries[..2]));
        // The other has read more, and starts where the first did.
        assert!(advance(&two, Cursor::default(), &copied(at(3, 30), 2), &entries));
        assert_eq!(values(&one), ["1 of 10", "2 of 10", "3 of 30"]);
        // The first has not read so far yet: it can't say that what lies between is the same. Later it can.
        assert!(!advance(&one, at(2, 10), &copied(at(2, 10), 3), &[]));
        assert!(advance(&one, at(2, 10), &copied(at(4, 40), 3), &[entry(3, 30), entry(4, 40)]));
        assert_eq!(values(&two), ["1 of 10", "2 of 10", "3 of 30", "4 of 40"]);
        assert_eq!(two.copied().unwrap(), copied(at(4, 40), 3));
    }

    #[test]
    fn nothing_is_copied_of_a_log_where_the_copy_does_not_stand() {
        let folder = tempfile::tempdir().unwrap();
        let copy = open(&folder);
        assert!(advance(&copy, Cursor::default(), &copied(at(1, 10), 1), &[entry(1, 10)]));
        // Another entry at its place, behind a gap, and of a log that has lost something since.
        assert!(!advance(&copy, Cursor::default(), &copied(at(2, 21), 2), &[entry(1, 11), entry(2, 21)]));
        assert!(!advance(&copy, at(2, 20), &copied(at(3, 30), 2), &[entry(3, 30)]));
        let later = Copied { version: "a 1".to_owned(), ..copied(at(2, 20), 2) };
        assert!(!advance(&copy, at(1, 10), &later, &[entry(2, 20)]));
        assert_eq!((values(&copy), copy.copied().unwrap()), (vec!["1 of 10".to_owned()], copied(at(1, 10), 1)));
    }

    #[test]
    fn a_clock_that_was_ahead_leaves_no_time_behind() {
        let folder = tempfile::tempdir().unwrap();
        let copy = open(&folder);
        assert!(advance(&copy, Cursor::default(), &copied(at(1, 10), 5000), &[entry(1, 10)]));
        assert!(advance(&copy, at(1, 10), &copied(at(1, 10), 1000), &[]));
        assert_eq!(copy.copied().unwrap().read_at, Some(UnixTime::from_secs(1000)));
    }

    #[test]
    fn a_comparison_counts_only_where_the_copy_is_still_what_was_compared() {
        let folder = tempfile::tempdir().unwrap();
        let copy = open(&folder);
        advance(&copy, Cursor::default(), &copied(at(2, 20), 1), &[entry(1, 10), entry(2, 20)]);
        let before = copy.copied().unwrap();
        let found = || Compared { through: 2, unsent: vec![1], twice: vec![2] };
        let to = Copied { version: "a 1".to_owned(), ..copied(at(1, 11), 2) };
        assert!(advance(&copy, at(2, 20), &copied(at(3, 30), 1), &[entry(3, 30)]));
        assert!(!copy.conclude(&before, &to, Facts::default(), &found()).unwrap());
        assert_eq!((values(&copy).len(), copy.unsent(0, 10).unwrap().len()), (3, 0));
        let before = copy.copied().unwrap();
        assert!(copy.conclude(&before, &to, Facts::default(), &found()).unwrap());
        assert_eq!(values(&copy), ["1 of 10", "3 of 30"]);
        assert_eq!(copy.unsent(0, 10).unwrap(), [(1, record("1 of 10"))]);
        assert_eq!(copy.copied().unwrap(), to);
    }

    #[test]
    fn only_what_is_still_owed_is_taken_out_when_it_has_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let copy = open(&folder);
        copy.keep(&[record("a"), record("b"), record("c")]).unwrap();
        assert_eq!(copy.unsent(1, 10).unwrap(), [(2, record("b")), (3, record("c"))]);
        // Another process has found in the meantime that the log has the first.
        let before = copy.copied().unwrap();
        let found = Compared { through: 1, unsent: Vec::new(), twice: Vec::new() };
        assert!(copy.conclude(&before, &before, Facts::default(), &found).unwrap());
        copy.sent(&[1, 2], true).unwrap();
        copy.sent(&[3], false).unwrap();
        assert_eq!(values(&copy), ["a", "c"]);
        assert_eq!(copy.unsent(0, 10).unwrap(), []);
        assert!(
            !copy.conclude(&before, &before, Facts::default(), &found).unwrap(),
            "it is not what was compared any more"
        );
    }
}
