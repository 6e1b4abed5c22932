//! A connection to the file, and what SQLite's errors mean for whoever runs the log.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{BUSY_TIMEOUT, LogError, file};

/// A connection to a file that exists, for reading and writing.
pub(super) fn connect(path: &Path) -> Result<Connection, LogError> {
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
pub(super) fn fault(path: &Path, error: &rusqlite::Error) -> LogError {
    use rusqlite::ErrorCode;
    let code = error.sqlite_error_code();
    let in_the_way = match code {
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => file::in_the_way(path),
        _ => path.to_owned(),
    };
    let is_full = code == Some(ErrorCode::SystemIoFailure) && file::is_full(path);
    let path = in_the_way.display().to_string();
    let text = error.to_string();
    match code {
        Some(ErrorCode::DiskFull) => LogError::Full { path },
        // As on a tmpfs that is full to its last page.
        _ if is_full => LogError::Full { path },
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
