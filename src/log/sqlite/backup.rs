//! Backups: a whole copy of a log that others go on using, and putting one back so that they notice.
//!
//! A file that is copied by hand lacks what lies beside it (`-wal`), which is everything since the last process was ended otherwise
//! than in order. A file that is put in the place of another is not noticed by who has the other open.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, backup};

use super::connection::{connect, fault, within};
use super::filesystem::{self, FileId, beside, folder, io};
use super::reopen::OpenFile;
use super::{FileOptions, LogError, SeveralNames, SqliteLog, create, schema};
use crate::log::{Allowance, Create, Facts, LongestLifetime};

/// What a backup is put back over, and what becomes of it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// How many revocations the log has now.
    pub revocations: u64,
    /// How many it had that the backup lacks: those are good again.
    pub lost: u64,
}

/// How many pages are put back at once.
const PAGES: i32 = 4096;

/// How long is waited between, and for who holds the log.
const PAUSE: Duration = Duration::from_millis(1);

/// A file that is removed unless it was given its name.
struct Draft(PathBuf);

impl Draft {
    fn of(path: &Path, random: fn() -> Option<[u8; 16]>) -> Result<Self, LogError> {
        Ok(Self(create::draft(path, random)?))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        create::remove_draft(&self.0);
    }
}

/// Copies a log as a whole into a new file that only its owner may read, whatever others do with it meanwhile. Says how many
/// revocations there are.
pub(crate) fn back_up(
    path: &Path,
    to: &Path,
    names: SeveralNames,
    random: fn() -> Option<[u8; 16]>,
) -> Result<u64, LogError> {
    let (path, to) = (absolute(path)?, absolute(to)?);
    let exists = || LogError::Exists { path: to.display().to_string() };
    if to.exists() || to.is_symlink() {
        return Err(exists());
    }
    create::refuse_leftover(&to)?;
    // As any user of the log, so that what is no log is refused. Also of a file that is a mount point: what was recorded in it is
    // to be saved.
    let names = if names == SeveralNames::Refuse { SeveralNames::Rescue } else { names };
    let options = FileOptions { several_names: names, leaves_wal: true, ..FileOptions::new(Create::Never) };
    let (log, _) = SqliteLog::open(&path, options, random)?;
    log.mend()?;
    let draft = Draft::of(&to, random)?;
    create::make_private(&draft.0).map_err(|error| create::about(error, &to))?;
    let text = draft.0.to_str().ok_or_else(|| LogError::Io {
        path: to.display().to_string(),
        fault: "the path is not UTF-8, which SQLite wants".to_owned(),
    })?;
    let copied = log.reader.with(None, |held| Ok(held.connection.execute("VACUUM INTO ?1", [text])))?;
    copied.map_err(|error| {
        let told = fault(&to, &error);
        // What is no fault of the log is one of the copy.
        if matches!(told, LogError::Corrupt { .. }) { create::about_source(told, &path) } else { told }
    })?;
    drop(log);
    let count = whole(&draft.0).map_err(|error| create::about(error, &to))?;
    std::fs::File::open(&draft.0).and_then(|file| file.sync_all()).map_err(|error| io(&to, &error))?;
    let is_there = |error: &std::io::Error| error.kind() == std::io::ErrorKind::AlreadyExists;
    create::publish(&draft.0, &to).map_err(|error| if is_there(&error) { exists() } else { io(&to, &error) })?;
    sync_folder(&to)?;
    Ok(count)
}

/// Puts a backup back: into the file that others may have open, where there is one, so that they read it anew. `may_lose` says
/// whether revocations may be lost that the backup lacks.
pub(crate) fn restore(
    path: &Path,
    from: &Path,
    names: SeveralNames,
    may_lose: bool,
    random: fn() -> Option<[u8; 16]>,
) -> Result<Restored, LogError> {
    let (path, from) = (absolute(path)?, absolute(from)?);
    filesystem::refuse_no_file(&path)?;
    filesystem::refuse_no_file(&from)?;
    if !from.exists() {
        let fault = "there is no such file; name a backup that `signoff backup` has made".to_owned();
        return Err(LogError::Io { path: from.display().to_string(), fault });
    }
    if OpenFile::is_open(FileId::of(&from)?) {
        let fault = "this process has that log open, and reading it would take its locks; make a backup of it, and restore that";
        return Err(LogError::Io { path: from.display().to_string(), fault: fault.to_owned() });
    }
    if path.exists() && FileId::of(&path)? == FileId::of(&from)? {
        let fault = "is the log itself, so that nothing would be put back; name a backup of it".to_owned();
        return Err(LogError::Io { path: from.display().to_string(), fault });
    }
    #[allow(clippy::wildcard_enum_match_arm)] // Whatever else is wrong is said as it is.
    let mut copy = Copy::of(&from, &path, random).map_err(|error| match error {
        LogError::Corrupt { path, fault } => {
            LogError::Corrupt { path, fault: format!("and it is the backup: {fault}") }
        }
        error => error,
    })?;
    if !path.exists() {
        return copy.publish(&path);
    }
    let options = FileOptions { several_names: names, ..FileOptions::new(Create::Never) };
    let (log, _) = SqliteLog::open(&path, options, random)?;
    let replaced = copy.replace(&log, may_lose)?;
    log.still_there()?;
    if !log.file.is_sound() {
        return Err(LogError::Moved { path: path.display().to_string() });
    }
    match replaced {
        Replaced::Done { lost } => Ok(Restored { revocations: copy.count, lost }),
        Replaced::WouldLose { lost } => Err(LogError::RestoreLoses { path: path.display().to_string(), lost }),
        Replaced::Busy => Err(LogError::Busy { path: path.display().to_string(), waited: log.busy_timeout }),
    }
}

/// A copy of a backup, with what lies beside it: the backup stays as it is, and is brought to this version first.
struct Copy {
    /// Closed before its file is removed.
    connection: Connection,
    draft: Draft,
    /// How many revocations it has.
    count: u64,
}

/// What became of a log that was to be replaced.
enum Replaced {
    Done {
        lost: u64,
    },
    WouldLose {
        lost: u64,
    },
    /// Others wrote, or stated something new, and nothing was changed.
    Busy,
}

impl Copy {
    fn of(from: &Path, path: &Path, random: fn() -> Option<[u8; 16]>) -> Result<Self, LogError> {
        let draft = Draft::of(path, random)?;
        create::make_private(&draft.0).map_err(|error| create::about(error, path))?;
        copy(from, &draft.0).map_err(|error| about_draft(error, &draft, path))?;
        if beside(from, "-wal").exists() {
            copy(&beside(from, "-wal"), &suffixed(&draft.0, "-wal"))
                .map_err(|error| about_draft(error, &draft, path))?;
        }
        let mut connection = connect(&draft.0).map_err(|error| create::about_source(error, from))?;
        schema::verify(&mut connection, &draft.0).map_err(|error| create::about_source(error, from))?;
        let count = checked(&connection, from)?;
        if schema::salt(&connection).map_err(|error| fault(from, &error))?.is_none() {
            return Err(LogError::Corrupt { path: from.display().to_string(), fault: "it has no salt".to_owned() });
        }
        // Whoever knows the log is to know that records may have been taken from it.
        schema::renew_generation(&connection).map_err(|error| fault(path, &error))?;
        Ok(Self { draft, connection, count })
    }

    /// Makes it the log where there is none.
    fn publish(self, path: &Path) -> Result<Restored, LogError> {
        let Self { draft, connection, count } = self;
        create::refuse_leftover(path)?;
        let whole = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        whole.map_err(|error| fault(path, &error))?;
        connection.close().map_err(|(_, error)| fault(path, &error))?;
        create::publish(&draft.0, path).map_err(|error| io(path, &error))?;
        sync_folder(path)?;
        Ok(Restored { revocations: count, lost: 0 })
    }

    /// Makes it the content of a log that others may have open.
    fn replace(&mut self, log: &SqliteLog, may_lose: bool) -> Result<Replaced, LogError> {
        // From its first step on nobody else can write, so that what is counted is what is lost.
        let reader = connect(&log.path)?;
        // What the log asks of every token stays as strict as it is: what it refused is not to be good again.
        let stated = schema::facts(&reader).map_err(|error| fault(&log.path, &error))?;
        keep_bounds(&mut self.connection, stated).map_err(|error| fault(&log.path, &error))?;
        let mut kept = log.file.kept.lock();
        log.writer.with(Some(log.busy_timeout), |live| {
            let restore = backup::Backup::new(&self.connection, &mut live.connection)?;
            // Waits for who writes as long as any writer does.
            let begun = within(log.busy_timeout, || restore.step(1))?;
            if matches!(begun, backup::StepResult::Busy | backup::StepResult::Locked) {
                return Ok(Replaced::Busy);
            }
            // A reader sees what was there before.
            let now = schema::facts(&reader)?;
            if (now.longest_lifetime, now.allowance) != (stated.longest_lifetime, stated.allowance) {
                return Ok(Replaced::Busy);
            }
            match lost(&reader, &self.draft.0)? {
                Some(lost) if lost == 0 || may_lose => {
                    restore.run_to_completion(PAGES, PAUSE, None)?;
                    kept.forget();
                    Ok(Replaced::Done { lost })
                }
                // Dropped before its end, it changes nothing.
                Some(lost) => Ok(Replaced::WouldLose { lost }),
                None => Ok(Replaced::Busy),
            }
        })
    }
}

/// Writes the stricter of what a log and its backup ask of tokens into the copy.
fn keep_bounds(copy: &mut Connection, stated: Facts) -> Result<(), rusqlite::Error> {
    let own = schema::facts(copy)?;
    let transaction = copy.transaction()?;
    let lifetime = LongestLifetime::stricter(own.longest_lifetime, stated.longest_lifetime);
    schema::set_longest_lifetime(&transaction, lifetime)?;
    if let Some(allowance) = Allowance::smaller(own.allowance, stated.allowance) {
        schema::set_fact(&transaction, schema::ALLOWANCE, &allowance.to_string())?;
    }
    transaction.commit()
}

/// How many revocations a log has that a backup lacks.
fn lost(live: &Connection, backup: &Path) -> Result<Option<u64>, rusqlite::Error> {
    live.execute("ATTACH ?1 AS backup", [backup.to_str().unwrap_or_default()])?;
    let lost = live.query_row(
        "SELECT count(*) FROM main.revocation AS live LEFT JOIN backup.revocation AS held
             ON live.position = held.position AND live.batch = held.batch WHERE held.position IS NULL",
        [],
        |row| row.get::<_, i64>(0),
    );
    live.execute("DETACH backup", [])?;
    Ok(u64::try_from(lost?).ok())
}

/// How many revocations there are in a file in which every page is as it should be.
fn whole(path: &Path) -> Result<u64, LogError> {
    checked(&connect(path)?, path)
}

fn checked(connection: &Connection, path: &Path) -> Result<u64, LogError> {
    let work = || {
        let checked: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((checked, count(connection)?))
    };
    let (checked, count) = work().map_err(|error| fault(path, &error))?;
    match checked.as_str() {
        "ok" => Ok(count),
        fault => Err(LogError::Corrupt { path: path.display().to_string(), fault: fault.to_owned() }),
    }
}

fn count(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let count = connection.query_row("SELECT count(*) FROM revocation", [], |row| row.get::<_, i64>(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The same of an error that may be one of the file that was copied.
fn about_draft(error: LogError, draft: &Draft, path: &Path) -> LogError {
    match error.to_string().starts_with(&draft.0.display().to_string()) {
        true => create::about(error, path),
        false => error,
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), LogError> {
    let mut source = std::fs::File::open(from).map_err(|error| io(from, &error))?;
    let mut target = create::private().create(true).truncate(true).open(to).map_err(|error| io(to, &error))?;
    std::io::copy(&mut source, &mut target).map(drop).map_err(|error| io(to, &error))
}

fn absolute(path: &Path) -> Result<PathBuf, LogError> {
    std::path::absolute(path).map_err(|error| io(path, &error))
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}

fn sync_folder(path: &Path) -> Result<(), LogError> {
    match std::fs::File::open(folder(path)) {
        Ok(folder) => folder.sync_all().map_err(|error| io(path, &error)),
        // A folder that can't be read can be written to.
        Err(_) => Ok(()),
    }
}
