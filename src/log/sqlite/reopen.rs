//! A file as this copy of signoff has it open: its connections, and whether what they write is what others read.
//!
//! A file that is overwritten in its place, as by `cp`, is told by its first bytes: what was written last (`-wal`) fits the content
//! that is gone, and SQLite would lay it over the new one.
//!
//! When another copy of SQLite in this process closes the file, the locks of all its users in the process are gone, and what was
//! written last (`-wal`) may be deleted under them: what they commit from then on, nobody else has. So each connection is known
//! here, and the `-wal` that they write to. Where there is another in its place, all of them are closed, and opened anew: as long
//! as one is left, SQLite would go on with the memory that describes the old one.
//!
//! Invariant: locks are taken in the order `kept`, `in_use`, `held`; nobody asks whether the file is sound while holding a connection.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::connection::{connect, fault};
use super::filesystem::{self, FileId};
use super::{Appended, Cursor, LogError, Record, UnixTime};

/// The files that this copy has open, each with the content that its first bytes are read from.
///
/// To close a file takes all locks that the process has on it. So the content is closed only under this lock, and when no
/// connection to the file is left: whoever opens one has entered it here before, and is kept alive by it.
static FILES: Mutex<Vec<(Weak<OpenFile>, Arc<Content>)>> = Mutex::new(Vec::new());

/// Closes what no log here has open any more.
pub(super) fn let_go_of_closed() {
    FILES.lock().retain(|(file, _)| file.strong_count() > 0);
}

/// A file to be read beside SQLite.
struct Content(#[allow(dead_code)] std::fs::File);

impl Content {
    fn open(path: &Path) -> Result<Self, LogError> {
        std::fs::File::open(path).map(Self).map_err(|error| filesystem::io(path, &error))
    }

    /// Whether the file begins as a log in WAL mode does, as it is while anybody has it open. Source: the SQLite file format,
    /// section 1.3.
    #[cfg(unix)]
    fn is_in_wal_mode(&self) -> bool {
        use std::os::unix::fs::FileExt as _;
        let mut header = [0; 20];
        let is_whole = self.0.read_exact_at(&mut header, 0).is_ok();
        is_whole && header.starts_with(b"SQLite format 3\0") && header[18..20] == [2, 2]
    }

    /// Elsewhere an open file can't be overwritten.
    #[cfg(not(unix))]
    fn is_in_wal_mode(&self) -> bool {
        true
    }
}

pub(super) struct OpenFile {
    path: PathBuf,
    id: FileId,
    wal: PathBuf,
    /// Owned by [`FILES`].
    content: Weak<Content>,
    in_use: Mutex<InUse>,
    /// What was acknowledged lately by any log here.
    pub(super) kept: Mutex<Kept>,
    slots: Mutex<Vec<Weak<Slot>>>,
    /// How often it was found to have been lost.
    losses: AtomicU64,
    _mark: mark::Mark,
}

#[derive(Default)]
struct InUse {
    /// The `-wal` that the connections write to. None while there are none.
    wal: Option<FileId>,
    connections: usize,
}

/// What was acknowledged lately, to be appended again where it is lost with what the connections wrote to.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) batches: VecDeque<(Instant, Appended, Vec<Record>)>,
    weight: usize,
    pub(super) watermark: Option<UnixTime>,
    /// Of how many losses it was appended again.
    pub(super) losses: u64,
}

/// How much of it: as many records of [`USUAL_BYTES`], or as much of longer ones, and for as long. A loss is found out at the next
/// poll or commit.
const KEPT_RECORDS: usize = 10_000;
const USUAL_BYTES: usize = 256;
const KEPT_FOR: Duration = Duration::from_secs(60);

impl Kept {
    /// The file was made another one on purpose.
    pub(super) fn forget(&mut self) {
        *self = Self { losses: self.losses, ..Self::default() };
    }

    fn add(&mut self, appended: Appended, records: Vec<Record>) {
        self.weight += weight(&records);
        self.batches.push_back((Instant::now(), appended, records));
        while let Some((at, _, records)) = self.batches.front()
            && (self.weight > KEPT_RECORDS || at.elapsed() > KEPT_FOR)
        {
            self.weight -= weight(records);
            self.batches.pop_front();
        }
    }
}

/// How many records of the usual length they are as long as.
fn weight(records: &[Record]) -> usize {
    let bytes = |record: &Record| {
        let kept: usize = record.keep.iter().map(String::len).sum();
        record.target.value().len() + record.reason.as_ref().map_or(0, String::len) + kept
    };
    records.iter().map(|record| 1 + bytes(record) / USUAL_BYTES).sum()
}

/// A connection that may have to be opened anew.
pub(super) struct Slot {
    file: Arc<OpenFile>,
    set_up: SetUp,
    held: Mutex<Option<Held>>,
}

type SetUp = Box<dyn Fn(&mut Connection) -> Result<(), rusqlite::Error> + Send + Sync>;

pub(super) struct Held {
    pub(super) connection: Connection,
    /// What `PRAGMA data_version` said at the last read to the head, and where that ended. Another connection counts otherwise.
    pub(super) seen: Option<(i64, Cursor)>,
    /// How many losses there had been when it was opened.
    losses: u64,
}

impl OpenFile {
    /// The file as it is open here already, or a file that nobody has opened yet.
    pub(super) fn enter(path: &Path, id: FileId) -> Result<Arc<Self>, LogError> {
        let mut files = FILES.lock();
        files.retain(|(file, _)| file.strong_count() > 0);
        if let Some(file) = files.iter().filter_map(|(file, _)| file.upgrade()).find(|file| file.id == id) {
            return Ok(file);
        }
        let content = Arc::new(Content::open(path)?);
        let file = Arc::new(Self {
            path: path.to_owned(),
            id,
            wal: filesystem::beside(path, "-wal"),
            content: Arc::downgrade(&content),
            in_use: Mutex::default(),
            kept: Mutex::default(),
            slots: Mutex::default(),
            losses: AtomicU64::new(0),
            _mark: mark::Mark::set(path, id)?,
        });
        files.push((Arc::downgrade(&file), content));
        Ok(file)
    }

    pub(super) fn id(&self) -> FileId {
        self.id
    }

    /// A connection of this file, which is opened at its first use.
    pub(super) fn slot(
        self: &Arc<Self>,
        set_up: impl Fn(&mut Connection) -> Result<(), rusqlite::Error> + Send + Sync + 'static,
    ) -> Arc<Slot> {
        let slot = Arc::new(Slot { file: Arc::clone(self), set_up: Box::new(set_up), held: Mutex::default() });
        let mut slots = self.slots.lock();
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Arc::downgrade(&slot));
        slot
    }

    /// Whether what the connections write is what others read. Cost: one look at a name, and twenty bytes that are read.
    pub(super) fn is_sound(&self) -> bool {
        self.is_in_place(&self.in_use.lock())
    }

    fn is_in_place(&self, in_use: &InUse) -> bool {
        in_use.wal.is_none_or(|wal| FileId::of(&self.wal).is_ok_and(|found| found == wal) && !self.is_overwritten())
    }

    fn is_overwritten(&self) -> bool {
        self.content.upgrade().is_some_and(|content| !content.is_in_wal_mode())
    }

    /// How often it was not.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// Notes what was committed. False where it may have been lost since, and nobody would append it again: it is to be committed
    /// anew.
    pub(super) fn keep(&self, appended: Appended, records: Vec<Record>) -> bool {
        let mut kept = self.kept.lock();
        if kept.losses != self.losses() || !self.is_sound() {
            return false;
        }
        kept.add(appended, records);
        true
    }

    /// Closes all connections where they write to what is lost, so that the next uses open them anew.
    pub(super) fn let_go(&self) {
        let mut in_use = self.in_use.lock();
        if self.is_in_place(&in_use) {
            return;
        }
        let slots: Vec<_> = self.slots.lock().iter().filter_map(Weak::upgrade).collect();
        for slot in &slots {
            if let Some(held) = slot.held.lock().take() {
                give_up(&held.connection);
            }
        }
        let is_overwritten = self.is_overwritten();
        if is_overwritten {
            self.remove_what_fits_no_more();
        }
        *in_use = InUse::default();
        self.losses.fetch_add(1, Ordering::Release);
        drop(in_use);
        let what = match is_overwritten {
            true => "the log was overwritten in its place, as by `cp`: put backups back with `signoff restore`",
            false => {
                "what was written last was deleted under this process: somebody else in it, or a person, has closed the log"
            }
        };
        tracing::warn!(path = %self.path.display(), "{what}; it is opened anew");
    }
}

impl OpenFile {
    /// Removes what was written last to the content that is gone. Other processes notice that, and open the file anew too.
    fn remove_what_fits_no_more(&self) {
        for suffix in ["-wal", "-shm"] {
            // Another process may have been quicker.
            let _gone = std::fs::remove_file(filesystem::beside(&self.path, suffix));
        }
    }
}

/// Makes sure that closing does not write what is lost over what others have written since.
fn give_up(connection: &Connection) {
    if let Err(error) = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::error!(%error, "could not give up a connection of the log");
    }
}

/// The last to be closed writes everything into the file itself, and deletes what is beside it.
impl Drop for Slot {
    fn drop(&mut self) {
        let mut in_use = self.file.in_use.lock();
        if let Some(held) = self.held.get_mut().take() {
            // One that was overlooked when all others were let go of is not counted any more.
            let is_counted = held.losses == self.file.losses();
            if !is_counted || !self.file.is_in_place(&in_use) {
                give_up(&held.connection);
            }
            drop(held);
            if is_counted {
                in_use.connections -= 1;
                if in_use.connections == 0 {
                    in_use.wal = None;
                }
            }
        }
    }
}

impl Slot {
    /// Works with the connection: at once, or when whoever has it is done, within a time where one is given.
    pub(super) fn with<T>(
        &self,
        wait: Option<Duration>,
        work: impl FnOnce(&mut Held) -> Result<T, rusqlite::Error>,
    ) -> Result<T, LogError> {
        let lock = || match wait {
            None => Ok(self.held.lock()),
            Some(wait) => self.held.try_lock_for(wait).ok_or_else(|| self.busy(wait)),
        };
        let mut held = lock()?;
        if held.is_none() {
            drop(held);
            self.open()?;
            held = lock()?;
        }
        match &mut *held {
            Some(held) => work(held).map_err(|error| self.fault(&error, wait)),
            // Lost once more since.
            None => Err(LogError::Moved { path: self.file.path.display().to_string() }),
        }
    }

    /// Opens the connection, unless somebody else has.
    fn open(&self) -> Result<(), LogError> {
        let mut in_use = self.file.in_use.lock();
        let mut held = self.held.lock();
        if held.is_some() {
            return Ok(());
        }
        let path = &self.file.path;
        let mut connection = connect(path)?;
        let is_same = |connection: &Connection| {
            // The path may name another file by now.
            let is_same = FileId::of(path).is_ok_and(|found| found == self.file.id);
            if !is_same {
                give_up(connection);
            }
            is_same
        };
        let moved = || LogError::Moved { path: path.display().to_string() };
        if !is_same(&connection) {
            return Err(moved());
        }
        let mut set_up = || {
            (self.set_up)(&mut connection)?;
            if self.file.losses() > 0 {
                // A backup that was copied over the file has lost that mode.
                connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
            }
            // The first read is what opens `-wal`.
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        };
        set_up().map_err(|error| fault(path, &error))?;
        // Where there is none after a read, or another than the others write to, it was lost just now or before.
        let wal = FileId::of(&self.file.wal).ok();
        if !is_same(&connection) {
            return Err(moved());
        }
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .map_err(|error| fault(path, &error))?;
        let is_lost = wal.is_none() && mode == "wal";
        if is_lost || (in_use.wal.is_some() && wal != in_use.wal) {
            give_up(&connection);
            return Err(moved());
        }
        in_use.wal = wal;
        in_use.connections += 1;
        *held = Some(Held { connection, seen: None, losses: self.file.losses() });
        Ok(())
    }

    fn busy(&self, waited: Duration) -> LogError {
        LogError::Busy { path: self.file.path.display().to_string(), waited }
    }

    fn fault(&self, error: &rusqlite::Error, wait: Option<Duration>) -> LogError {
        let mut told = fault(&self.file.path, error);
        if let (LogError::Busy { waited, .. }, Some(wait)) = (&mut told, wait) {
            *waited = wait;
        }
        told
    }
}

/// A mark by which one copy of this code finds another in the process: a package for Node beside a library for C, or one linked
/// statically beside one that is not. Each has its own SQLite, and neither knows of the other's locks.
#[cfg(target_os = "linux")]
mod mark {
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::{MemfdFlags, memfd_create};

    use super::{FILES, FileId, LogError};

    /// Memory with a name, which is listed among what the process has open.
    pub(super) struct Mark(#[allow(dead_code)] Option<OwnedFd>);

    impl Mark {
        /// Sets the mark of a file, unless another copy has done so.
        pub(super) fn set(path: &Path, id: FileId) -> Result<Self, LogError> {
            let of_file = format!("signoff-log-{}-", id.text());
            // Where this copy's own data lie tells it from every other in the process.
            let own = format!("{of_file}{:x}", std::ptr::from_ref(&FILES).addr());
            // First one's own: of two at once at least one sees the other.
            let mark = memfd_create(own.as_str(), MemfdFlags::CLOEXEC).ok();
            let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
            let mut names = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
            let is_other = |name: &Path| {
                let name = name.to_string_lossy();
                let name = name.strip_prefix("/memfd:").and_then(|name| name.strip_suffix(" (deleted)"));
                name.is_some_and(|name| name.starts_with(&of_file) && name != own)
            };
            match names.any(|name| is_other(&name)) {
                true => Err(LogError::OtherCopy { path: path.display().to_string() }),
                false => Ok(Self(mark)),
            }
        }
    }
}

/// Elsewhere copies are not found.
#[cfg(not(target_os = "linux"))]
mod mark {
    use super::{FileId, LogError};

    pub(super) struct Mark;

    impl Mark {
        pub(super) fn set(_path: &std::path::Path, _id: FileId) -> Result<Self, LogError> {
            Ok(Self)
        }
    }
}
