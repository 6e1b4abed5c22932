//! Logs of any size for the benchmarks, made once and kept beside the build.
#![allow(dead_code)] // Each benchmark uses its part.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use signoff::{Algorithm, Engine, Key, KeySet, Log, Policy, Threads};

/// The n-th revoked id of a log.
pub fn jti(n: u64) -> String {
    format!("{n:08x}-0000-4000-8000-{n:012x}")
}

/// The folder for the benchmarks' files, on the disk that the build is on.
pub fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let folder = target.join("bench-logs");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The part that this process is to take, where it was started by [`start`].
pub fn part() -> Option<String> {
    std::env::var("SIGNOFF_BENCH_PART").ok()
}

/// This program, to take a part in a process of its own.
pub fn start(part: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("SIGNOFF_BENCH_PART", part);
    command
}

/// Nanoseconds by the wall clock, which all processes share.
pub fn nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// An engine on a new log.
pub fn engine(log: Log) -> Engine {
    let key = Key::hmac(Algorithm::Hs256, b"0123456789abcdef0123456789abcdef").unwrap();
    Engine::open(KeySet::new([key]).unwrap(), Policy::new(), log).unwrap()
}

/// A log with so many revocations of tokens, that end in the year 2040.
pub fn with(records: u64) -> PathBuf {
    let path = folder().join(format!("{records}.db"));
    if !path.exists() {
        let draft = folder().join(format!("{records}.draft"));
        let _none = std::fs::remove_file(&draft);
        drop(engine(Log::sqlite(&draft).create_if_missing().threads(Threads::None)));
        fill(&draft, records);
        std::fs::rename(&draft, &path).unwrap();
    }
    path
}

fn fill(path: &Path, records: u64) {
    let mut connection = rusqlite::Connection::open(path).unwrap();
    let rows = "INSERT INTO revocation (batch, scope, value, issuer, keep_until, recorded_at)
                    VALUES (1, 'token', 'jti:' || ?1, '=https://id.example', 2208988800000 + ?2, 1700000000000)";
    for first in (0..records).step_by(1_000_000) {
        let transaction = connection.transaction().unwrap();
        {
            let mut insert = transaction.prepare(rows).unwrap();
            for n in first..records.min(first + 1_000_000) {
                insert.execute(rusqlite::params![jti(n), n as i64]).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    // Nothing is left in the WAL, so that the file alone is the log.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}
