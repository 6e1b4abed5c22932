//! How a new file comes to be: whole, by one name, and for its owner alone.
//!
//! It is made under another name and put in its place when it is whole, so that there never is half a log.

use std::path::{Path, PathBuf};

use super::connection::{connect, fault};
use super::filesystem::{folder, io};
use super::{LogError, Origin, schema};
use crate::clock::Times;

/// Makes a new log, unless another process is quicker.
pub(super) fn create(path: &Path, random: fn() -> Option<[u8; 16]>) -> Result<Origin, LogError> {
    refuse_leftover(path)?;
    let (salt, identity) = (hexadecimal(path, random)?, hexadecimal(path, random)?);
    let draft = draft(path, random)?;
    let made =
        fill(&draft, &salt, &identity).map_err(|error| about(error, path)).and_then(|()| match publish(&draft, path) {
            Ok(()) => Ok(Origin::Created),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Origin::Found),
            Err(error) => Err(io(path, &error)),
        });
    remove_draft(&draft);
    if let Ok(folder) = std::fs::File::open(folder(path)) {
        folder.sync_all().map_err(|error| io(path, &error))?;
    }
    made
}

/// Refuses to make a file beside what was written last to another one of its name: SQLite would lay that over it.
pub(super) fn refuse_leftover(path: &Path) -> Result<(), LogError> {
    let wal = super::filesystem::beside(path, "-wal");
    match std::fs::metadata(&wal).is_ok_and(|found| found.len() > 0) {
        true => Err(LogError::Leftover { path: path.display().to_string() }),
        false => Ok(()),
    }
}

fn hexadecimal(path: &Path, random: fn() -> Option<[u8; 16]>) -> Result<String, LogError> {
    let bytes = random().ok_or_else(|| LogError::Io {
        path: path.display().to_string(),
        fault: "the operating system gave no random bytes for the log's secret".to_owned(),
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The name under which a file is made that is to have this one.
pub(super) fn draft(path: &Path, random: fn() -> Option<[u8; 16]>) -> Result<PathBuf, LogError> {
    Ok(folder(path).join(format!("{}{}", draft_prefix(path), hexadecimal(path, random)?)))
}

/// The error of a copy is one of the file that it was made of.
pub(super) fn about_source(error: LogError, path: &Path) -> LogError {
    let path = path.display().to_string();
    #[allow(clippy::wildcard_enum_match_arm)] // What does not name a file stays as it is.
    match error {
        LogError::Foreign { fault, .. } => LogError::Foreign { path, fault },
        LogError::Newer { found, known, .. } => LogError::Newer { path, found, known },
        LogError::Corrupt { fault, .. } => LogError::Corrupt { path, fault },
        other => other,
    }
}

/// The error of a draft is one of the file that it is to become.
#[allow(clippy::wildcard_enum_match_arm)] // What does not name a file stays as it is.
pub(super) fn about(error: LogError, path: &Path) -> LogError {
    let path = path.display().to_string();
    match error {
        LogError::NoDirectory { .. } => LogError::NoDirectory { path },
        LogError::Denied { .. } => LogError::Denied { path },
        LogError::ReadOnly { .. } => LogError::ReadOnly { path },
        LogError::Full { .. } => LogError::Full { path },
        LogError::Io { fault, .. } => LogError::Io { path, fault },
        LogError::Busy { waited, .. } => LogError::Busy { path, waited },
        // It was to be made there.
        LogError::Missing { .. } => LogError::Io { path, fault: "no file can be made here".to_owned() },
        other => about_source(other, Path::new(&path)),
    }
}

/// Removes a draft, where it was not given its name, and what lies beside it.
pub(super) fn remove_draft(draft: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = draft.to_owned().into_os_string();
        name.push(suffix);
        // Mostly they are not there any more.
        let _gone = std::fs::remove_file(name);
    }
}

/// How the names of drafts begin. 32 hexadecimal digits follow.
fn draft_prefix(path: &Path) -> String {
    format!(".{}.", path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default())
}

/// Gives a draft the name of the log, if there is none by that name yet: at no time does it have two.
#[cfg(target_os = "linux")]
pub(super) fn publish(draft: &Path, path: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, draft, CWD, path, RenameFlags::NOREPLACE) {
        // Some file systems have no such renaming, and old systems none at all.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => std::fs::hard_link(draft, path),
        done => Ok(done?),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn publish(draft: &Path, path: &Path) -> std::io::Result<()> {
    std::fs::hard_link(draft, path)
}

/// Removes the name of a draft that a crash has left beside the name of the log.
#[cfg(unix)]
pub(super) fn remove_own_draft(path: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(log) = std::fs::metadata(path) else { return };
    if log.nlink() < 2 {
        return;
    }
    // Where a symbolic link leads, its drafts lie there.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let prefix = draft_prefix(&path);
    let is_draft = |name: &str| {
        let random = name.strip_prefix(&prefix);
        random.is_some_and(|random| random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    for entry in std::fs::read_dir(folder(&path)).into_iter().flatten().flatten() {
        let is_same = entry.metadata().is_ok_and(|found| (found.dev(), found.ino()) == (log.dev(), log.ino()));
        if is_same && entry.file_name().to_str().is_some_and(is_draft) {
            let _gone = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(not(unix))]
pub(super) fn remove_own_draft(_path: &Path) {}

/// For files that only their owner may read: they hold who is logged in, and the log's secret.
pub(super) fn private() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes an empty one.
pub(super) fn make_private(path: &Path) -> Result<(), LogError> {
    private().create_new(true).open(path).map(drop).map_err(|error| io(path, &error))
}

fn fill(draft: &Path, salt: &str, identity: &str) -> Result<(), LogError> {
    make_private(draft)?;
    let mut connection = connect(draft)?;
    // Only before there is anything in it, or by writing it all anew.
    connection.pragma_update(None, "auto_vacuum", schema::IN_STEPS).map_err(|error| fault(draft, &error))?;
    schema::set_wal(&connection, draft)?;
    let mut work = || -> Result<(), rusqlite::Error> {
        schema::migrate(&mut connection, 0)?;
        let mut insert = connection.prepare("INSERT INTO fact (name, value) VALUES (?1, ?2)")?;
        let now = Times::now().wall().as_millis().to_string();
        for (name, value) in
            [(schema::SALT, salt), (schema::IDENTITY, identity), ("created", &now), (schema::NEWEST, &now)]
        {
            insert.execute([name, value])?;
        }
        Ok(())
    };
    work().map_err(|error| fault(draft, &error))?;
    // Writes the WAL into the file, so that the file alone is the log. Closing would do it too, but not say
    // whether it could.
    let checkpoint = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    if checkpoint.map_err(|error| fault(draft, &error))? != 0 {
        return Err(LogError::Busy { path: draft.display().to_string(), waited: super::BUSY_TIMEOUT });
    }
    connection.close().map_err(|(_, error)| fault(draft, &error))
}
