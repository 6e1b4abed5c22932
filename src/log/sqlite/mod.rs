//! The embedded log: one SQLite file, in WAL mode, which several processes of a machine may share.
//!
//! Invariants: a commit is synchronised to the disk before `append` returns, and the path is made sure to
//! name the file that was written. A file that is not a log of ours, or is damaged, is never changed.
//! docs/format.md has the schema and what is promised about it.
//!
//! The two locks here may be of a crate with a table for the whole process, unlike those of `sync.rs`: a forked child
//! has no use for them, since SQLite itself can't be used across a fork.

mod backup;
mod connection;
mod create;
mod erase;
mod file_header;
mod filesystem;
#[cfg(feature = "redis")]
mod local_copy;
mod open_count;
mod queries;
mod reopen;
mod row;
mod schema;
mod shm_guard;
mod write;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use super::{
    Allowance, Appended, Backing, ClockTrust, Collected, Committed, Create, Cursor, Fate, LifetimeChange, LogError,
    LongestLifetime, Note, Origin, Page, Placed, Proposal, Read, RevocationLog, Room, SeveralNames, Visit, advance,
    lifetime_fault,
};
use crate::clock::UnixTime;
use crate::limits::APPEND_TIMEOUT;
use crate::revocation::Record;
pub use backup::Restored;
pub(crate) use backup::{back_up, restore};
use connection::wait_closely;
use file_header::Header;
#[cfg(feature = "redis")]
pub(super) use local_copy::CopyFile;
use open_count::Counted;
#[cfg(feature = "capi")]
pub(crate) use open_count::open_files;
use queries::{commit, read_to_head};
use reopen::{Held, OpenFile, Slot};
use row::Row;

/// How long a writer waits for another process at most.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What opening a file goes by.
#[derive(Clone, Copy)]
pub(crate) struct FileOptions {
    pub(crate) create: Create,
    pub(crate) several_names: SeveralNames,
    /// How long a revocation waits for the disk: for its commit, and for the watermark that may come before it.
    pub(crate) append_timeout: Duration,
    /// Whether what lies beside the file stays there when it is closed again: what others have written by another of its names
    /// would be lost by writing what was by this one into the file.
    pub(crate) leaves_wal: bool,
}

impl FileOptions {
    pub(crate) fn new(create: Create) -> Self {
        Self { create, several_names: SeveralNames::Refuse, append_timeout: APPEND_TIMEOUT, leaves_wal: false }
    }

    fn busy_timeout(self) -> Duration {
        (self.append_timeout / 2).min(BUSY_TIMEOUT)
    }
}

/// How much of the file the reader keeps in memory, in KiB.
const READER_CACHE_KIB: i64 = 256;

pub(crate) struct SqliteLog {
    path: PathBuf,
    salt: [u8; 16],
    /// How long a writer waits for another thread or process.
    busy_timeout: Duration,
    writer: Arc<Slot>,
    reader: Arc<Slot>,
    /// Which of [`Note::OF_A_FILE`] was found out last, one above its place; 0 for none.
    note: AtomicUsize,
    /// What is to be said of where the file lies.
    place_note: Option<Note>,
    /// How often records were erased, as it was last read.
    erasures: AtomicU64,
    file: Arc<OpenFile>,
    /// Behind the connections, so that it goes after them.
    _counted: Counted,
}

impl SqliteLog {
    /// Opens a log. `random` makes the secrets of a new one.
    pub(crate) fn open(
        path: &Path,
        options: FileOptions,
        random: fn() -> Option<[u8; 16]>,
    ) -> Result<(Self, Origin), LogError> {
        let counted = Counted::new();
        // So that a process which changes its directory (as daemons do) still finds it.
        let path = &std::path::absolute(path).map_err(|error| filesystem::io(path, &error))?;
        filesystem::refuse_no_file(path)?;
        let place_note = filesystem::refuse_network(path)?;
        let mut origin = Origin::Found;
        if options.create == Create::IfMissing && !path.exists() {
            origin = create::create(path, random)?;
        }
        create::remove_own_draft(path);
        filesystem::copy_up(path);
        let seen = filesystem::Seen::of(path)?;
        filesystem::refuse_several_names(path, seen, options.several_names)?;
        // Before SQLite makes files beside it that would then stand in the way.
        if !filesystem::is_writable(path) && !filesystem::is_read_only(path) {
            return Err(LogError::ReadOnly { path: path.display().to_string() });
        }
        let file = OpenFile::enter(path, seen.id)?;
        if !file.is_sound() {
            file.let_go();
        }
        let busy_timeout = options.busy_timeout();
        let wal = std::fs::metadata(filesystem::beside(path, "-wal"));
        let leaves_wal = options.leaves_wal && wal.is_ok_and(|wal| wal.len() > 0);
        let leave = move |connection: &mut Connection| match leaves_wal {
            true => connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop),
            false => Ok(()),
        };
        // Opening may wait for longer than a revocation: another process may be bringing the file to its version.
        let verified = file.slot(leave).with(None, |held| Ok(schema::verify(&mut held.connection, path)))?;
        verified?;
        let writer = file.slot(move |connection| {
            leave(connection)?;
            wait_closely(connection)
        });
        let reader = file.slot(move |connection| {
            leave(connection)?;
            // It reads forward, and hardly a page twice.
            connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)
        });
        let salt = writer.with(None, |held| schema::salt(&held.connection))?;
        let salt = salt.ok_or_else(|| LogError::Corrupt {
            path: path.display().to_string(),
            fault: "it has no salt".to_owned(),
        })?;
        reader.with(None, |_| Ok(()))?;
        let (path, note, erasures) = (path.to_owned(), AtomicUsize::new(0), AtomicU64::new(0));
        let log =
            Self { path, salt, busy_timeout, writer, reader, note, place_note, erasures, file, _counted: counted };
        // The same file all along?
        log.still_there()?;
        Ok((log, origin))
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        // Closing would write what is lost over what others have written since.
        if let Err(error) = self.mend() {
            tracing::warn!(path = %self.path.display(), %error, "could not record again what was lost");
        }
    }
}

impl RevocationLog for SqliteLog {
    fn salt(&self) -> [u8; 16] {
        self.salt
    }

    fn commit(&self, proposals: &mut [Proposal], backing: Backing) -> Result<Committed, LogError> {
        for _ in 0..2 {
            let mut work = |transaction: &rusqlite::Transaction<'_>| commit(transaction, proposals, backing);
            let (committed, losses) = self.write_counted(&self.writer, self.busy_timeout, &mut work)?;
            let Some(appended) = committed.appended else { return Ok(committed) };
            let new = proposals.iter().zip(&committed.fates).filter(|(_, fate)| **fate == Fate::Appended);
            if self.file.keep(appended, new.map(|(proposal, _)| proposal.record.clone()).collect(), losses) {
                return Ok(committed);
            }
        }
        Err(LogError::Moved { path: self.path.display().to_string() })
    }

    fn note(&self) -> Option<Note> {
        let found = self.note.load(Ordering::Relaxed).checked_sub(1).and_then(|at| Note::OF_A_FILE.get(at).copied());
        found.or(self.place_note)
    }

    fn read(&self, after: Cursor, visit: Visit<'_>) -> Result<Read, LogError> {
        self.still_there()?;
        self.mend()?;
        self.reader.with(None, |Held { connection, seen, .. }| {
            let version: i64 = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
            // Whoever starts anew is told of the head, also where there is nothing.
            let is_behind = |end: Cursor| after.position > 0 && end.position <= after.position;
            if seen.is_some_and(|(seen, end)| seen == version && is_behind(end)) {
                return Ok(Read::Unchanged);
            }
            let read = read_to_head(connection, after, visit)?;
            self.erasures.store(erase::count(connection)?, Ordering::Release);
            // Only what was read to its end counts as seen.
            *seen = if let Read::ToHead { cursor, .. } = read { Some((version, cursor)) } else { None };
            Ok(read)
        })
    }

    fn count_after(&self, after: Cursor) -> Result<u64, LogError> {
        let head: Option<i64> = self.reader.with(None, |held| {
            held.connection.query_row("SELECT max(position) FROM revocation", [], |row| row.get(0))
        })?;
        Ok(u64::try_from(head.unwrap_or(0) - after.position).unwrap_or(0))
    }

    fn list(&self, after: i64, max: usize) -> Result<Page, LogError> {
        // A connection of its own: whoever lists must not hold up whoever follows.
        self.file.slot(|_| Ok(())).with(None, |Held { connection, .. }| {
            let mut select = connection.prepare(&format!("{} LIMIT ?2", row::SELECT_AFTER))?;
            let mut rows = select.query(params![after, i64::try_from(max).unwrap_or(i64::MAX)])?;
            let mut page = Page::default();
            while let Some(raw) = rows.next()? {
                page.end = Some(raw.get(0)?);
                if let Row::Record(cursor, record) = row::parse(raw)? {
                    page.records.push((cursor.position, row::into_record(raw, &record)?));
                }
            }
            Ok(page)
        })
    }

    fn erase(&self, records: &[Placed]) -> Result<(), LogError> {
        self.erase_placed(records)
    }

    fn erasures(&self) -> u64 {
        self.erasures.load(Ordering::Acquire)
    }

    fn erased(&self) -> Result<Vec<Record>, LogError> {
        let erased = self.file.slot(|_| Ok(())).with(None, |held| erase::erased(&held.connection))?;
        // What is written again after a loss is without it.
        let taken: HashSet<&Record> = erased.iter().collect();
        for (_, _, records) in &mut self.file.kept.lock().batches {
            records.retain(|record| !taken.contains(record));
        }
        Ok(erased)
    }

    fn collect(&self, now: UnixTime, max: usize, _trust: ClockTrust) -> Result<Collected, LogError> {
        let collected = self.write(|transaction| {
            let held = schema::time(transaction, schema::WATERMARK)?;
            let newest = advance(schema::time(transaction, schema::NEWEST)?, now);
            let watermark = held.map_or(now, |held| held.max(now));
            schema::set_time(transaction, schema::WATERMARK, watermark)?;
            schema::set_time(transaction, schema::NEWEST, newest)?;
            let mut delete = transaction.prepare_cached(
                "DELETE FROM revocation WHERE position IN (SELECT position FROM revocation
                     WHERE keep_until <= ?1 AND position <> (SELECT max(position) FROM revocation) LIMIT ?2)",
            )?;
            let deleted = delete.execute(params![now.as_millis(), i64::try_from(max).unwrap_or(i64::MAX)])?;
            erase::collect(transaction, now)?;
            Ok(Collected { deleted, watermark, more: deleted == max })
        })?;
        self.file.kept.lock().watermark = Some(collected.watermark);
        Ok(collected)
    }

    fn confirm_time(&self, now: UnixTime, watermark: Option<UnixTime>) -> Result<(), LogError> {
        self.write(|transaction| {
            schema::set_time(transaction, schema::NEWEST, now)?;
            match watermark {
                Some(watermark) => schema::set_time(transaction, schema::WATERMARK, watermark),
                None => Ok(()),
            }
        })?;
        if watermark.is_some() {
            self.file.kept.lock().watermark = watermark;
        }
        Ok(())
    }

    fn set_longest_lifetime(&self, lifetime: Duration) -> Result<(), LogError> {
        let stated = self.write(|transaction| {
            let stated = LongestLifetime::stated(schema::facts(transaction)?.longest_lifetime, lifetime);
            if let Ok(stated) = stated {
                schema::set_longest_lifetime(transaction, Some(stated))?;
            }
            Ok(stated)
        })?;
        stated.map(|_| ()).map_err(|fault| lifetime_fault(fault, lifetime))
    }

    fn replace_longest_lifetime(&self, change: LifetimeChange, now: UnixTime) -> Result<UnixTime, LogError> {
        self.write(|transaction| {
            let changed = change.apply(schema::facts(transaction)?.longest_lifetime, now);
            if let Ok((lifetime, _)) = changed {
                schema::set_longest_lifetime(transaction, lifetime)?;
            }
            Ok(changed.map(|(_, from)| from))
        })?
    }

    fn set_allowance(&self, max: Duration, now: UnixTime) -> Result<(), LogError> {
        let stated = self.write(|transaction| {
            let stated = Allowance::stated(schema::facts(transaction)?.allowance, max, now);
            if let Ok(stated) = stated {
                schema::set_fact(transaction, schema::ALLOWANCE, &stated.to_string())?;
            }
            Ok(stated)
        })?;
        stated.map(|_| ()).map_err(|stored| LogError::AllowanceRaised { stored, asked: max })
    }

    fn give_back(&self) -> Result<Room, LogError> {
        let number =
            |connection: &Connection, name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let left = self.write(|transaction| {
            let is_in_steps = number(transaction, "auto_vacuum")? == schema::IN_STEPS;
            if is_in_steps {
                // Each step gives back a page.
                let mut vacuum = transaction.prepare(&format!("PRAGMA incremental_vacuum({GIVEN_BACK_PAGES})"))?;
                let mut pages = vacuum.query([])?;
                while pages.next()?.is_some() {}
            }
            Ok((number(transaction, "freelist_count")?, is_in_steps))
        })?;
        match left {
            (0, _) => self.checkpoint().map(|()| Room::GivenBack),
            (_, true) => Ok(Room::Some),
            (_, false) => Ok(Room::Kept),
        }
    }

    fn rewrite(&self) -> Result<(), LogError> {
        self.still_there()?;
        self.mend()?;
        self.writer.with(None, |held| {
            held.connection.pragma_update(None, "auto_vacuum", schema::IN_STEPS)?;
            held.connection.execute_batch("VACUUM")
        })?;
        self.checkpoint()
    }
}

impl SqliteLog {
    /// Writes into the file what lies beside it, as far as nobody still reads that.
    fn checkpoint(&self) -> Result<(), LogError> {
        self.writer.with(None, |Held { connection, .. }| {
            if self.file.header() != Header::Wal {
                return Ok(());
            }
            // Who waits here for a reader holds up everybody who writes: then it is done another time.
            connection.busy_timeout(Duration::ZERO)?;
            let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            wait_closely(connection)?;
            done
        })
    }
}

/// How much is given back in one transaction: two megabytes.
const GIVEN_BACK_PAGES: u32 = 500;
