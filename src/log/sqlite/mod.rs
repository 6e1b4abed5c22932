//! The embedded log: one SQLite file, in WAL mode, which several processes of a machine may share.
//!
//! Invariants: a commit is synchronised to the disk before `append` returns, and the path is made sure to
//! name the file that was written. A file that is not a log of ours, or is damaged, is never changed.
//! docs/format.md has the schema and what is promised about it.
//!
//! The two locks here may be of a crate with a table for the whole process, unlike those of `sync.rs`: a forked child
//! has no use for them, since SQLite itself can't be used across a fork.

mod backup;
mod file;
#[cfg(feature = "redis")]
mod local_copy;
mod open_file;
mod row;
mod schema;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use super::{
    Allowance, Appended, Backing, Collected, Committed, Create, Cursor, Facts, Fate, Follows, Ground, LogError, Moment,
    Note, Origin, Page, Proposal, Read, RevocationLog, Room, SeveralNames, There, Unread, Visit, advance,
};
use crate::clock::UnixTime;
use crate::limits::APPEND_TIMEOUT;
use crate::revocation::{Durability, Record};
pub use backup::Restored;
pub(crate) use backup::{back_up, restore};
#[cfg(feature = "redis")]
pub(super) use local_copy::CopyFile;
use open_file::{Held, OpenFile, Slot};
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
}

impl FileOptions {
    pub(crate) fn new(create: Create) -> Self {
        Self { create, several_names: SeveralNames::Refuse, append_timeout: APPEND_TIMEOUT }
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
    /// Which of [`Note::ALL`] was found out last, one above its place; 0 for none.
    note: AtomicUsize,
    /// What is to be said of where the file lies.
    place_note: Option<Note>,
    file: Arc<OpenFile>,
    /// Behind the connections, so that it goes after them.
    _counted: Counted,
}

/// How many logs this process has open, those that are just being opened among them.
static OPEN: AtomicUsize = AtomicUsize::new(0);

#[cfg(feature = "capi")]
pub(crate) fn open_files() -> usize {
    OPEN.load(Ordering::Relaxed)
}

/// One of [`OPEN`], for as long as it lives.
struct Counted(());

impl Counted {
    fn new() -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
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
        let path = &std::path::absolute(path).map_err(|error| file::io(path, &error))?;
        let place_note = file::refuse_network(path)?;
        let mut origin = Origin::Found;
        if options.create == Create::IfMissing && !path.exists() {
            origin = schema::create(path, random)?;
        }
        schema::remove_own_draft(path);
        file::copy_up(path);
        let seen = file::Seen::of(path)?;
        file::refuse_several_names(path, seen, options.several_names)?;
        let file = OpenFile::enter(path, seen.id)?;
        if !file.is_sound() {
            file.let_go();
        }
        let busy_timeout = options.busy_timeout();
        // Opening may wait for longer than a revocation: another process may be bringing the file to its version.
        let verified = file.slot(|_| Ok(())).with(None, |held| Ok(schema::verify(&mut held.connection, path)))?;
        verified?;
        let writer = file.slot(move |connection| connection.busy_timeout(busy_timeout));
        // It reads forward, and hardly a page twice.
        let reader = file.slot(|connection| connection.pragma_update(None, "cache_size", -READER_CACHE_KIB));
        let salt = writer.with(None, |held| schema::salt(&held.connection))?;
        let salt = salt.ok_or_else(|| LogError::Corrupt {
            path: path.display().to_string(),
            fault: "it has no salt".to_owned(),
        })?;
        reader.with(None, |_| Ok(()))?;
        let (path, note) = (path.to_owned(), AtomicUsize::new(0));
        let log = Self { path, salt, busy_timeout, writer, reader, note, place_note, file, _counted: counted };
        // The same file all along?
        log.still_there()?;
        Ok((log, origin))
    }

    /// Makes sure that the path still names the file that is open.
    fn still_there(&self) -> Result<(), LogError> {
        match file::Seen::of(&self.path) {
            Ok(seen) if seen.id == self.file.id() => {
                let at = seen.note().and_then(|note| Note::ALL.into_iter().position(|other| other == note));
                self.note.store(at.map_or(0, |at| at + 1), Ordering::Relaxed);
                Ok(())
            }
            Ok(_) | Err(_) => Err(LogError::Moved { path: self.path.display().to_string() }),
        }
    }

    /// Makes sure that what is written is what others read; and where it was not, appends again what was acknowledged.
    fn mend(&self) -> Result<(), LogError> {
        if !self.file.is_sound() {
            self.file.let_go();
        }
        let mut kept = self.file.kept.lock();
        let losses = self.file.losses();
        if kept.losses == losses {
            return Ok(());
        }
        let again = self.writer.with(Some(self.busy_timeout), |held| {
            let transaction = held.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut count = 0;
            for (_, appended, records) in &mut kept.batches {
                if !has(&transaction, appended.last)?
                    && let Some(anew) = append(&transaction, records.iter())?
                {
                    *appended = anew;
                    count += records.len();
                }
            }
            if let Some(watermark) = kept.watermark.max(schema::time(&transaction, schema::WATERMARK)?) {
                schema::set_time(&transaction, schema::WATERMARK, watermark)?;
            }
            transaction.commit()?;
            Ok(count)
        })?;
        if !self.file.is_sound() {
            return Err(LogError::Moved { path: self.path.display().to_string() });
        }
        tracing::warn!(path = %self.path.display(), count = again, "revocations that were lost were recorded again");
        kept.losses = losses;
        Ok(())
    }

    /// Changes the log in one transaction, which is on the disk when this returns.
    fn write<T>(
        &self,
        work: impl FnMut(&rusqlite::Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, LogError> {
        self.write_by(&self.writer, self.busy_timeout, work)
    }

    /// The same by a connection that may have another idea of when a change is on the disk.
    fn write_by<T>(
        &self,
        slot: &Slot,
        wait: Duration,
        mut work: impl FnMut(&rusqlite::Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, LogError> {
        // What was written to what is lost is written again.
        for _ in 0..2 {
            self.still_there()?;
            self.mend()?;
            let done = slot.with(Some(wait), |held| {
                let transaction = held.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let done = work(&transaction)?;
                transaction.commit()?;
                Ok(done)
            })?;
            if self.file.is_sound() {
                return self.still_there().map(|()| done);
            }
        }
        Err(LogError::Moved { path: self.path.display().to_string() })
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

/// Whether a batch is in the log, or was and has been deleted.
fn has(connection: &Connection, last: Cursor) -> Result<bool, rusqlite::Error> {
    let facts = schema::facts(connection)?;
    knows(connection, &facts, last)
}

/// A connection to a file that exists, for reading and writing.
fn connect(path: &Path) -> Result<Connection, LogError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| fault(path, &error))?;
    let set_up = || {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(())
    };
    set_up().map_err(|error| fault(path, &error))?;
    Ok(connection)
}

/// What an error of SQLite means for whoever runs the log.
fn fault(path: &Path, error: &rusqlite::Error) -> LogError {
    use rusqlite::ErrorCode;
    let path = path.display().to_string();
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LogError::Full { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LogError::Busy { path, waited: BUSY_TIMEOUT },
        Some(ErrorCode::ReadOnly) => LogError::ReadOnly { path },
        Some(ErrorCode::PermissionDenied) => LogError::Denied { path },
        Some(ErrorCode::NotADatabase) => LogError::Foreign { path, fault: "this is not a database file" },
        Some(ErrorCode::DatabaseCorrupt) => LogError::Corrupt { path, fault: text },
        Some(ErrorCode::CannotOpen) if !Path::new(&path).exists() => LogError::Missing { path },
        Some(ErrorCode::CannotOpen) if file::is_read_only(Path::new(&path)) => LogError::ReadOnly { path },
        Some(ErrorCode::CannotOpen) => LogError::Denied { path },
        _ => LogError::Io { path, fault: text },
    }
}

impl RevocationLog for SqliteLog {
    fn salt(&self) -> [u8; 16] {
        self.salt
    }

    fn commit(&self, proposals: &mut [Proposal], backing: Backing) -> Result<Committed, LogError> {
        for _ in 0..2 {
            let committed = self.write(|transaction| commit(transaction, proposals, backing))?;
            let Some(appended) = committed.appended else { return Ok(committed) };
            let new = proposals.iter().zip(&committed.fates).filter(|(_, fate)| **fate == Fate::Appended);
            if self.file.keep(appended, new.map(|(proposal, _)| proposal.record.clone()).collect()) {
                return Ok(committed);
            }
        }
        Err(LogError::Moved { path: self.path.display().to_string() })
    }

    fn note(&self) -> Option<Note> {
        let found = self.note.load(Ordering::Relaxed).checked_sub(1).and_then(|at| Note::ALL.get(at).copied());
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
                if let Row::Record(_, record) = row::parse(raw)? {
                    page.records.push(row::into_record(raw, &record)?);
                }
            }
            Ok(page)
        })
    }

    fn collect(&self, now: UnixTime, max: usize) -> Result<Collected, LogError> {
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
        let asked = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
        let stored = self.write(|transaction| {
            let stored = schema::time(transaction, schema::LONGEST_LIFETIME)?.map(UnixTime::as_millis);
            if stored.is_none_or(|stored| asked < stored) {
                schema::set_time(transaction, schema::LONGEST_LIFETIME, UnixTime::from_millis(asked))?;
            }
            Ok(stored)
        })?;
        match stored {
            Some(stored) if stored < asked => {
                let stored = Duration::from_millis(u64::try_from(stored).unwrap_or(0));
                Err(LogError::LifetimeRaised { stored, asked: lifetime })
            }
            Some(_) | None => Ok(()),
        }
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
            // Who waits here for a reader holds up everybody who writes: then it is done another time.
            connection.busy_timeout(Duration::ZERO)?;
            let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            connection.busy_timeout(self.busy_timeout)?;
            done
        })
    }
}

/// How much is given back in one transaction: two megabytes.
const GIVEN_BACK_PAGES: u32 = 500;

fn commit(
    transaction: &rusqlite::Transaction<'_>,
    proposals: &mut [Proposal],
    backing: Backing,
) -> Result<Committed, rusqlite::Error> {
    let facts = schema::facts(transaction)?;
    let is_backing = backing.is_of(facts.generation)
        && knows(transaction, &facts, backing.read)?
        && knows(transaction, &facts, backing.appended)?;
    let ground = Ground { is_backing, facts };
    let fates: Vec<_> = proposals.iter().map(|proposal| proposal.fate(&ground)).collect();
    let to_append = || fates.iter().map(|fate| *fate == Fate::Appended);
    if proposals.iter().zip(to_append()).any(|(proposal, is_to)| is_to && proposal.moment == Moment::Now) {
        let unread = unread_cut_offs(transaction, backing.read)?;
        proposals.iter_mut().for_each(|proposal| proposal.move_behind(&facts, &unread));
    }
    let records = proposals.iter().zip(to_append()).filter_map(|(proposal, is_to)| is_to.then_some(&proposal.record));
    let appended = append(transaction, records)?;
    Ok(Committed { appended, fates, generation: facts.generation, is_backing })
}

/// The cut-offs behind what whoever proposes has read: few, unless it reads seldom.
fn unread_cut_offs(transaction: &rusqlite::Transaction<'_>, read: Cursor) -> Result<Vec<Unread>, rusqlite::Error> {
    let mut select = transaction.prepare_cached(row::SELECT_AFTER)?;
    let (mut rows, mut unread) = (select.query([read.position])?, Vec::new());
    while let Some(raw) = rows.next()? {
        if let Row::Record(_, record) = row::parse(raw)?
            && record.issued_before.is_some()
        {
            unread.extend(Unread::of(&row::into_record(raw, &record)?));
        }
    }
    Ok(unread)
}

/// Appends records, and says where they stand. None where there are none.
fn append<'r>(
    transaction: &rusqlite::Transaction<'_>,
    records: impl Iterator<Item = &'r Record>,
) -> Result<Option<Appended>, rusqlite::Error> {
    // A tag that no other batch bears. SQLite's generator is seeded by the system's.
    let tag: i64 = transaction.prepare_cached("SELECT random()")?.query_row([], |row| row.get(0))?;
    let mut insert = transaction.prepare_cached(row::INSERT)?;
    let mut newest = schema::time(transaction, schema::NEWEST)?;
    // What is appended to the copy of another log is owed to that.
    let is_copy = schema::fact(transaction, schema::COPY_OF)?.is_some();
    let mut owe = transaction.prepare_cached("INSERT OR IGNORE INTO unsent VALUES (?1)")?;
    let (mut first, mut last) = (None, None);
    for record in records {
        row::insert(&mut insert, record, tag)?;
        let position = transaction.last_insert_rowid();
        first.get_or_insert(position);
        last = Some(Cursor { position, tag, keep_until: record.keep_until });
        if is_copy {
            owe.execute([position])?;
        }
        newest = Some(advance(newest, record.recorded_at));
    }
    let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
    if let Some(newest) = newest {
        schema::set_time(transaction, schema::NEWEST, newest)?;
    }
    Ok(Some(Appended { first, last, follows: Follows::Anything, durability: Durability::File }))
}

/// Whether the log is still the one that somebody knows who stands there.
fn knows(connection: &Connection, facts: &Facts, cursor: Cursor) -> Result<bool, rusqlite::Error> {
    // Whatever somebody else has put there is a number, or as good as none.
    let number = |row: &rusqlite::Row<'_>| Ok(row.get_ref(0)?.as_i64().unwrap_or(0));
    let batch = |sql| connection.prepare_cached(sql)?.query_row([cursor.position], number).optional();
    // An earlier version's backup, restored in place under a running process, lacks the table.
    let notes_deleted = || connection.table_exists(None, "deleted");
    let there = match batch("SELECT batch FROM revocation WHERE position = ?1")? {
        Some(tag) => There::Held(tag),
        None if !notes_deleted()? => There::Nothing,
        None => batch("SELECT batch FROM deleted WHERE position = ?1")?.map_or(There::Nothing, There::Deleted),
    };
    Ok(cursor.is_known(there, facts.watermark))
}

/// One consistent view of the log: whether it is the one that the reader knows, then what is new in it.
fn read_to_head(connection: &Connection, after: Cursor, visit: Visit<'_>) -> Result<Read, rusqlite::Error> {
    let snapshot = connection.unchecked_transaction()?;
    let facts = schema::facts(&snapshot)?;
    if !knows(&snapshot, &facts, after)? {
        return Ok(Read::Rewound);
    }
    let (mut cursor, mut junk, mut unknown_kinds) = (after, 0, 0);
    {
        let mut select = snapshot.prepare_cached(row::SELECT_AFTER)?;
        let mut rows = select.query([after.position])?;
        while let Some(raw) = rows.next()? {
            match row::parse(raw)? {
                Row::Record(at, record) => {
                    cursor = at;
                    if visit(record).is_break() {
                        return Ok(Read::Stopped);
                    }
                }
                Row::Junk(at) => {
                    cursor = at;
                    junk += 1;
                }
                Row::UnknownKind(at) => {
                    cursor = at;
                    unknown_kinds += 1;
                }
            }
        }
    }
    snapshot.finish()?;
    Ok(Read::ToHead { cursor, facts, junk, unknown_kinds })
}
