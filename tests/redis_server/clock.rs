//! Wall clocks that a test sets, for processes of its own: a server's, or a node's.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// The library that gives a process such a clock, compiled once.
fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (path, source) = (folder.path().join("shifted_clock.so"), folder.path().join("shifted_clock.c"));
        std::fs::write(&source, include_str!("shifted_clock.c")).unwrap();
        let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&path).arg(&source).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        (folder, path)
    });
    path
}

/// A clock that one process or several go by.
pub struct ShiftedClock {
    file: tempfile::NamedTempFile,
}

impl ShiftedClock {
    /// One that is this machine's, until it is set.
    pub fn new() -> Self {
        let clock = Self { file: tempfile::NamedTempFile::new().unwrap() };
        clock.write(0, 0);
        clock
    }

    fn write(&self, ahead_micros: i64, stands_at_micros: i64) {
        let bytes = [ahead_micros.to_ne_bytes(), stands_at_micros.to_ne_bytes()].concat();
        self.file.as_file().write_all_at(&bytes, 0).unwrap();
    }

    /// From now on it is ahead of this machine's by so much, or behind where that is negative.
    pub fn is_ahead_by_secs(&self, secs: i64) {
        self.write(secs * 1_000_000, 0);
    }

    /// From now on it stands still.
    pub fn stands_at(&self, since_1970: Duration) {
        self.write(0, i64::try_from(since_1970.as_micros()).unwrap());
    }

    /// Has a process go by it that is still to be started.
    pub fn govern(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library()).env("SHIFTED_CLOCK", self.file.path());
    }
}
