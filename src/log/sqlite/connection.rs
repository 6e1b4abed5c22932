//! A connection to the file, and what SQLite's errors mean for whoever runs the log.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::{BUSY_TIMEOUT, LogError, filesystem};

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
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => filesystem::in_the_way(path),
        _ => path.to_owned(),
    };
    let is_full = code == Some(ErrorCode::SystemIoFailure) && filesystem::is_full(path);
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
        Some(ErrorCode::CannotOpen) if filesystem::is_read_only(Path::new(&path)) => LogError::ReadOnly { path },
        Some(ErrorCode::CannotOpen) => LogError::Denied { path },
        _ => LogError::Io { path, fault: text },
    }
}

/// How long is slept before it is looked again whether others still write. SQLite's own waiting sleeps for up to 100 ms, and so
/// misses the pauses that a collection makes for log-outs: of 20,000 beside one of 12,000,000 rows one took 1.9 s.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

thread_local! {
    /// Until when this thread waits.
    static UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets a connection wait for whoever writes: as long as [`within`] says, or as long as any does.
pub(super) fn wait_closely(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    connection.busy_handler(Some(|times: i32| {
        let is_over = match UNTIL.get() {
            Some(until) => Instant::now() >= until,
            None => LOOK_AGAIN.saturating_mul(times.unsigned_abs()) >= BUSY_TIMEOUT,
        };
        if !is_over {
            std::thread::sleep(LOOK_AGAIN);
        }
        !is_over
    }))
}

/// Works with such a connection, which waits so long in all.
pub(super) fn within<T>(wait: Duration, work: impl FnOnce() -> T) -> T {
    /// Also where the work panics.
    struct Restore(Option<Instant>);
    impl Drop for Restore {
        fn drop(&mut self) {
            UNTIL.set(self.0);
        }
    }
    let _before = Restore(UNTIL.replace(Some(Instant::now() + wait)));
    work()
}
