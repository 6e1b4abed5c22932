//! Log-outs while a log of a million expired rows is collected: how many fail, and how long the slowest takes.
//!
//! `ROWS=12000000 cargo bench --bench compaction`; `TMPDIR` says on which disk, `ONLY_TWO_PROCESSES=1` leaves out the first. Three times: by the threads of the process that
//! logs out, as after a start; by another process, which then gives the room back; and by rewriting a file of an earlier version,
//! for comparison, which holds everybody up.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use signoff::{Algorithm, ClockTrust, Engine, Key, KeySet, Log, Policy, Revocation, Threads, Times};

fn open(path: &Path, threads: Threads) -> Engine {
    let keys = KeySet::new([Key::hmac(Algorithm::Hs256, &[7; 32]).unwrap()]).unwrap();
    let log = Log::sqlite(path).create_if_missing().threads(threads).open_timeout(Duration::from_secs(600));
    Engine::open(keys, Policy::new(), log).unwrap()
}

/// A log with so many rows that have expired.
fn fill(path: &Path, rows: u64) {
    drop(open(path, Threads::None));
    let file = rusqlite::Connection::open(path).unwrap();
    let now = Times::now().wall().as_secs() * 1000;
    let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO revocation (batch, scope, value, issuer, keep_until, recorded_at)
        SELECT i / 100, 'token', 'jti:8f14e45f-ceea-467f-a0e6-3d2b' || i, '=https://id.example', ?2 - abs(random()) % 1000000, ?2 - 2000000 FROM n";
    file.execute(insert, [i64::try_from(rows).unwrap(), now - 1000]).unwrap();
}

fn rows(path: &Path) -> u64 {
    let file = rusqlite::Connection::open(path).unwrap();
    file.query_row("SELECT count(*) FROM revocation", [], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
}

/// Logs out once in 20 ms until `is_done`, and says how that went.
fn log_outs(name: &str, engine: &Engine, mut is_done: impl FnMut() -> bool) {
    let (begun, mut took, mut failed) = (Instant::now(), Vec::new(), 0);
    let mut n = 0;
    while !is_done() {
        n += 1;
        let started = Instant::now();
        let until = Times::now().wall().plus(Duration::from_secs(3600));
        failed += u32::from(engine.revoke(Revocation::token_id(format!("{name}-{n}")).keep_until(until)).is_err());
        took.push(started.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    took.sort();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
    println!(
        "{name}: {:.1} s, {} log-outs, {failed} failed, median {:.1?}, 99th {:.1?}, slowest {:.1?}",
        begun.elapsed().as_secs_f64(),
        took.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn main() {
    if let Some(path) = std::env::var_os("SIGNOFF_COMPACTS") {
        let engine = open(Path::new(&path), Threads::None);
        let done = engine.compact(ClockTrust::Doubt).unwrap();
        if std::env::var_os("SIGNOFF_REWRITES").is_some() {
            engine.rewrite_log().unwrap();
        }
        return println!("  deleted {}, rewrite needed: {}", done.deleted, done.rewrite_needed);
    }
    let count = std::env::var("ROWS").map_or(1_000_000, |rows| rows.parse().expect("ROWS: a number"));
    let folder = tempfile::tempdir().unwrap();
    let [path, other] = ["signoff.db", "other.db"].map(|name| folder.path().join(name));
    fill(&path, count);
    // As whoever copies a log that nobody has open.
    std::fs::copy(&path, &other).unwrap();
    let size = |path: &Path| std::fs::metadata(path).unwrap().len() / 1_000_000;
    println!("{count} expired rows, {} MB", size(&path));

    if std::env::var_os("ONLY_TWO_PROCESSES").is_none() {
        by_own_threads(&path);
    }
    by_another_process(&other, size);
}

fn by_own_threads(path: &Path) {
    let engine = open(path, Threads::Own);
    let mut looked = Instant::now();
    log_outs("own threads", &engine, || {
        if looked.elapsed() < Duration::from_secs(2) {
            return false;
        }
        looked = Instant::now();
        rows(path) < 50_000
    });
}

fn by_another_process(other: &Path, size: impl Fn(&Path) -> u64) {
    // Before the engine here comes to it.
    let engine = open(other, Threads::Own);
    let child = |rewrites: bool| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        if rewrites {
            child.env("SIGNOFF_REWRITES", "1");
        }
        child.env("SIGNOFF_COMPACTS", other).spawn().unwrap()
    };
    let mut compacts = child(false);
    log_outs("two processes", &engine, || compacts.try_wait().unwrap().is_some());
    println!("  {} MB are left", size(other));
    let mut rewrites = child(true);
    log_outs("rewriting", &engine, || rewrites.try_wait().unwrap().is_some());
}
