//! The schema, its version, and how a file comes by it.
//!
//! A file is made under another name and put in its place when it is whole, so that there never is half
//! a log. Version numbers are major·100 + minor: of the same major number every version reads every
//! other's files, and leaves alone what it does not know.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::connection::{connect, fault};
use super::file::{folder, io};
use super::{LogError, Origin};
use crate::clock::{Times, UnixTime};
use crate::log::{Allowance, Facts};

/// The version that this signoff writes.
const VERSION: i64 = 102;

/// Tells a log from any other SQLite file: "sgnf".
const APPLICATION_ID: i64 = 0x7367_6e66;

/// The setting by which deleted room can be given back in steps ("incremental").
pub(super) const IN_STEPS: i64 = 2;

/// What leads from one version to the next; a new file goes through all of them. Each is one transaction.
const MIGRATIONS: [(i64, i64, &str); 3] = [
    (0, 100, include_str!("migrations/to_1.0.sql")),
    (100, 101, include_str!("migrations/to_1.1.sql")),
    (101, 102, include_str!("migrations/to_1.2.sql")),
];

/// Names of facts.
pub(super) const WATERMARK: &str = "watermark";
pub(super) const NEWEST: &str = "newest";
pub(super) const LONGEST_LIFETIME: &str = "longest_lifetime";
pub(super) const ALLOWANCE: &str = "issued_in_future_max";
const GENERATION: &str = "generation";
/// The name of the log that the file is a copy of. Those with how far it goes are in `copy.rs`.
pub(super) const COPY_OF: &str = "copy_of";
const SALT: &str = "salt";
const IDENTITY: &str = "identity";

/// Makes a new log, unless another process is quicker.
pub(super) fn create(path: &Path, random: fn() -> Option<[u8; 16]>) -> Result<Origin, LogError> {
    refuse_leftover(path)?;
    let (salt, identity) = (hexadecimal(path, random)?, hexadecimal(path, random)?);
    let draft = draft(path, random)?;
    let made = fill(&draft, &salt, &identity).and_then(|()| match publish(&draft, path) {
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
    let wal = super::file::beside(path, "-wal");
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
    connection.pragma_update(None, "auto_vacuum", IN_STEPS).map_err(|error| fault(draft, &error))?;
    set_wal(&connection, draft)?;
    let mut work = || -> Result<(), rusqlite::Error> {
        migrate(&mut connection, 0)?;
        let mut insert = connection.prepare("INSERT INTO fact (name, value) VALUES (?1, ?2)")?;
        let now = Times::now().wall().as_millis().to_string();
        for (name, value) in [(SALT, salt), (IDENTITY, identity), ("created", &now), (NEWEST, &now)] {
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

fn migrate(connection: &mut Connection, from: i64) -> Result<(), rusqlite::Error> {
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
        longest_lifetime: time(connection, LONGEST_LIFETIME)?.map(length),
        allowance: fact(connection, ALLOWANCE)?.and_then(|text| Allowance::parse(&text)),
        generation: fact(connection, GENERATION)?.and_then(|text| text.parse().ok()),
    })
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
