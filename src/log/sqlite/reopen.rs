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
use super::file_header::{Content, Header};
use super::filesystem::{self, FileId};
use super::shm_guard::ShmGuard;
use super::{Appended, Cursor, LogError, Record, UnixTime, schema};

/// The files that this copy has open, each with the content that its first bytes are read from.
///
/// To close a file takes all locks that the process has on it. So the content is closed only under this lock, and when no
/// connection to the file is left: whoever opens one has entered it here before, and is kept alive by it.
static FILES: Mutex<Vec<(Weak<OpenFile>, Arc<Content>)>> = Mutex::new(Vec::new());

/// Closes what no log here has open any more.
pub(super) fn let_go_of_closed() {
    FILES.lock().retain(|(file, _)| file.strong_count() > 0);
}

pub(super) struct OpenFile {
    path: PathBuf,
    id: FileId,
    wal: PathBuf,
    shm: PathBuf,
    /// Owned by [`FILES`].
    content: Weak<Content>,
    in_use: Mutex<InUse>,
    /// What was acknowledged lately by any log here.
    pub(super) kept: Mutex<Kept>,
    slots: Mutex<Vec<Weak<Slot>>>,
    /// How often it was found to have been lost, and of how many of these what was acknowledged was appended again.
    losses: AtomicU64,
    mended: AtomicU64,
    _mark: mark::Mark,
}

#[derive(Default)]
struct InUse {
    /// The `-wal` that the connections write to, and the memory (`-shm`) that describes it. None while there are none.
    wal: Option<FileId>,
    shm: Option<FileId>,
    guard: Option<ShmGuard>,
    connections: usize,
    /// Connections to what was lost that are still being closed: a new one would go on with their memory.
    overlooked: usize,
}

/// What was acknowledged lately, to be appended again where it is lost with what the connections wrote to.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) batches: VecDeque<(Instant, Appended, Vec<Record>)>,
    weight: usize,
    pub(super) watermark: Option<UnixTime>,
}

/// How much of it: as many records of [`USUAL_BYTES`], or as much of longer ones, and for as long. A loss is found out at the next
/// poll or commit.
const KEPT_RECORDS: usize = 10_000;
const USUAL_BYTES: usize = 256;
const KEPT_FOR: Duration = Duration::from_secs(60);

impl Kept {
    /// The file was made another one on purpose.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
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

/// How long a connection that is opened anew waits for other processes.
const REOPEN_WAIT: Duration = Duration::from_millis(50);

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
    /// How many losses there had been when it was opened. What it commits after another is in no file.
    pub(super) losses: u64,
}

impl OpenFile {
    /// The file as it is open here already, or a file that nobody has opened yet.
    pub(super) fn enter(path: &Path, id: FileId) -> Result<Arc<Self>, LogError> {
        let mut files = FILES.lock();
        files.retain(|(file, _)| file.strong_count() > 0);
        if let Some(file) = files.iter().filter_map(|(file, _)| file.upgrade()).find(|file| file.id == id) {
            return Ok(file);
        }
        // First: where another copy of SQLite has the file, closing what was opened here would take its locks.
        let mark = mark::Mark::set(path, id)?;
        let content = Arc::new(Content::open(path)?);
        let file = Arc::new(Self {
            path: path.to_owned(),
            id,
            wal: filesystem::beside(path, "-wal"),
            shm: filesystem::beside(path, "-shm"),
            content: Arc::downgrade(&content),
            in_use: Mutex::default(),
            kept: Mutex::default(),
            slots: Mutex::default(),
            losses: AtomicU64::new(0),
            mended: AtomicU64::new(0),
            _mark: mark,
        });
        files.push((Arc::downgrade(&file), content));
        Ok(file)
    }

    pub(super) fn id(&self) -> FileId {
        self.id
    }

    /// Whether a file is open here: closing it once more would take the locks of those who have it open.
    pub(super) fn is_open(id: FileId) -> bool {
        FILES.lock().iter().filter_map(|(file, _)| file.upgrade()).any(|file| file.id == id)
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

    /// Whether what the connections write is what others read. Cost: a look at two names, and twenty bytes that are read.
    pub(super) fn is_sound(&self) -> bool {
        self.is_in_place(&self.in_use.lock())
    }

    fn is_in_place(&self, in_use: &InUse) -> bool {
        let is = |path: &Path, was: Option<FileId>| was.is_none() || FileId::of(path).ok() == was;
        in_use.wal.is_none() || (is(&self.wal, in_use.wal) && is(&self.shm, in_use.shm) && self.header() == Header::Wal)
    }

    /// How the file begins now. May be asked while holding a connection.
    pub(super) fn header(&self) -> Header {
        self.content.upgrade().map_or(Header::Wal, |content| content.header())
    }

    /// How often it was not.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// Of how many of these what was acknowledged was appended again.
    pub(super) fn mended(&self) -> u64 {
        self.mended.load(Ordering::Acquire)
    }

    /// To be said while holding what was kept.
    pub(super) fn set_mended(&self, losses: u64) {
        self.mended.store(losses, Ordering::Release);
    }

    /// Notes what was committed by a connection of so many losses. False where it may have been lost since, and nobody would append
    /// it again: it is to be committed anew.
    ///
    /// Without the connection's own count, a loss that another thread has found and mended between the commit and this would go
    /// unnoticed: all is sound again, and what was committed is in no file.
    pub(super) fn keep(&self, appended: Appended, records: Vec<Record>, losses: u64) -> bool {
        let mut kept = self.kept.lock();
        if losses != self.mended() || !self.is_sound_since(losses) {
            return false;
        }
        kept.add(appended, records);
        true
    }

    /// Whether nothing was lost since a connection was opened.
    pub(super) fn is_sound_since(&self, losses: u64) -> bool {
        self.is_sound() && losses == self.losses()
    }

    /// Closes all connections where they write to what is lost, so that the next uses open them anew.
    pub(super) fn let_go(&self) {
        let mut in_use = self.in_use.lock();
        if self.is_in_place(&in_use) {
            return;
        }
        let slots: Vec<_> = self.slots.lock().iter().filter_map(Weak::upgrade).collect();
        let mut closed = 0;
        for slot in &slots {
            if let Some(held) = slot.held.lock().take() {
                closed += usize::from(held.losses == self.losses());
                give_up(&held.connection);
            }
        }
        let overlooked = in_use.overlooked + in_use.connections.saturating_sub(closed);
        *in_use = InUse { overlooked, ..InUse::default() };
        self.losses.fetch_add(1, Ordering::Release);
        drop(in_use);
        let what = match self.header() {
            Header::Wal => {
                "what was written last was deleted under this process: somebody else in it, or a person, has closed the log"
            }
            Header::Other | Header::Cut => {
                "the log was overwritten in its place, as by `cp`: put backups back with `signoff restore`"
            }
        };
        tracing::warn!(path = %self.path.display(), "{what}; it is opened anew");
    }

    /// Puts aside what was written last to a content that is gone, before SQLite would lay it over the new one. A file that is not
    /// in WAL mode has no `-wal` of its own. Other processes notice, and open the file anew too.
    fn put_aside_what_fits_no_more(&self) {
        let is_here = FileId::of(&self.path).is_ok_and(|found| found == self.id);
        if self.header() == Header::Other && is_here {
            let mut aside = self.wal.clone().into_os_string();
            aside.push("-replaced");
            // There may be none; and another process may have been quicker.
            let _none = std::fs::rename(&self.wal, aside);
            let _none = std::fs::remove_file(&self.shm);
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
            if let (true, 1, Some(guard)) = (is_counted, in_use.connections, &in_use.guard) {
                guard.release();
            }
            drop(held);
            if is_counted {
                in_use.connections -= 1;
                if in_use.connections == 0 {
                    (in_use.wal, in_use.shm, in_use.guard) = (None, None, None);
                }
            } else {
                in_use.overlooked = in_use.overlooked.saturating_sub(1);
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
        let moved = || LogError::Moved { path: path.display().to_string() };
        if in_use.overlooked > 0 {
            return Err(moved());
        }
        if in_use.connections == 0 {
            self.file.put_aside_what_fits_no_more();
        }
        let mut connection = connect(path)?;
        let is_same = |connection: &Connection| {
            // The path may name another file by now.
            let is_same = FileId::of(path).is_ok_and(|found| found == self.file.id);
            if !is_same {
                give_up(connection);
            }
            is_same
        };
        if !is_same(&connection) {
            return Err(moved());
        }
        if self.file.losses() > 0 {
            // A backup that was copied over the file may be of an earlier version, has lost that mode, or is no log. Whoever else
            // still has the old content open is not waited for long: all of this process waits here.
            connection.busy_timeout(REOPEN_WAIT).map_err(|error| fault(path, &error))?;
            schema::verify(&mut connection, path)?;
        }
        let mut set_up = || {
            (self.set_up)(&mut connection)?;
            // The first read is what opens `-wal`.
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        };
        set_up().map_err(|error| fault(path, &error))?;
        // Where there is none after a read, or another than the others write to, it was lost just now or before.
        let [wal, shm] = [&self.file.wal, &self.file.shm].map(|path| FileId::of(path).ok());
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
        if wal.is_some() {
            (in_use.wal, in_use.shm) = (wal, shm);
            in_use.guard = in_use.guard.take().or_else(|| ShmGuard::of(&self.file.shm));
        }
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
