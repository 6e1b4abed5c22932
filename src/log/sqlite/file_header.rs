//! The first bytes of a file, read beside SQLite: whether it still is what its connections opened.

use std::path::Path;

use super::LogError;
use super::filesystem;

/// A file that is kept open to be read. Whoever closes it takes all locks that this process has on it.
pub(super) struct Content(#[cfg_attr(not(unix), allow(dead_code))] std::fs::File);

/// How a file begins. Source: the SQLite file format, section 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// As a log in WAL mode does, for as long as anybody has it open. Or it could not be read, which says nothing.
    Wal,
    /// As something else: a backup that was copied over it, which is not in that mode yet, or no log at all.
    Other,
    /// It is shorter than that: somebody is just writing it.
    Cut,
}

impl Content {
    pub(super) fn open(path: &Path) -> Result<Self, LogError> {
        std::fs::File::open(path).map(Self).map_err(|error| filesystem::io(path, &error))
    }

    #[cfg(unix)]
    pub(super) fn header(&self) -> Header {
        use std::os::unix::fs::FileExt as _;
        let mut header = [0; 20];
        match self.0.read_exact_at(&mut header, 0) {
            Ok(()) if header.starts_with(b"SQLite format 3\0") && header[18..20] == [2, 2] => Header::Wal,
            Ok(()) => Header::Other,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Header::Cut,
            Err(_) => Header::Wal,
        }
    }

    /// Elsewhere an open file can't be overwritten.
    #[cfg(not(unix))]
    pub(super) fn header(&self) -> Header {
        Header::Wal
    }
}
