//! Keeps another copy of SQLite in this process from cutting off the memory that this one has mapped.
//!
//! Whoever opens the memory that describes a `-wal` (`-shm`) and finds nobody else at it, cuts it to three bytes and begins anew; who has
//! it mapped is ended by a bus error at the next look. Whether somebody is at it SQLite asks by a lock of POSIX, and those of one process
//! are not told from one another: a second copy in the process finds nobody. A lock of an open file description is somebody else's, also
//! within the process.

use std::path::Path;

/// A lock as every connection has one, that a second copy of SQLite in this process sees too.
///
/// To be dropped when no connection of this copy is left: to close a file takes all locks of POSIX that the process has on it.
#[cfg(target_os = "linux")]
pub(super) struct ShmGuard(std::fs::File);

#[cfg(target_os = "linux")]
impl ShmGuard {
    /// None where the memory is no file; the lock is one that nobody needs who is alone in the process.
    pub(super) fn of(shm: &Path) -> Option<Self> {
        let guard = Self(std::fs::OpenOptions::new().read(true).write(true).open(shm).ok()?);
        guard.set(nix::libc::F_RDLCK);
        // Kept also without a lock: closing it now would take those of the connections.
        Some(guard)
    }

    /// Lets go of the lock, and keeps the file open. Before the last connection is closed: it deletes what is beside the log only where
    /// nobody else is at it, and this would be somebody.
    pub(super) fn release(&self) {
        self.set(nix::libc::F_UNLCK);
    }

    fn set(&self, kind: i32) {
        use nix::fcntl::{FcntlArg, fcntl};
        use nix::libc::{SEEK_SET, flock};

        /// `UNIX_SHM_DMS` of SQLite: 120 bytes that describe the log, and eight locks. Part of its format, which does not change.
        const DEAD_MAN_SWITCH: i64 = 128;
        let (l_type, l_whence) = (kind as i16, SEEK_SET as i16);
        let lock = flock { l_type, l_whence, l_start: DEAD_MAN_SWITCH, l_len: 1, l_pid: 0 };
        if let Err(error) = fcntl(&self.0, FcntlArg::F_OFD_SETLK(&lock)) {
            tracing::debug!(%error, "the memory beside the log has no lock of its own");
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) struct ShmGuard;

#[cfg(not(target_os = "linux"))]
impl ShmGuard {
    pub(super) fn of(_shm: &Path) -> Option<Self> {
        None
    }

    pub(super) fn release(&self) {}
}
