//! What logging out and opening cost: shared commits beside single ones, and opening beside a bare `SELECT`.
//!
//! Both sides of a ratio work on the same disk in the same run. `OPEN_100M=1` opens a hundred million too.

mod logs;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use rusqlite::Connection;
use signoff::{Log, Revocation, Revoked, Threads, Times};

const CALLERS: u64 = 64;

/// A new file for each run, so that none is measured on what another left behind.
fn fresh(name: &str) -> std::path::PathBuf {
    let path = logs::folder().join(format!("{name}.db"));
    for suffix in ["", "-wal", "-shm"] {
        let _none = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    path
}

/// Time for one durable row by plain SQLite: one commit each, in WAL mode with `synchronous=FULL`.
fn single_commits(count: u64) -> Duration {
    let connection = Connection::open(fresh("plain")).unwrap();
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    connection.execute_batch("PRAGMA synchronous = FULL; CREATE TABLE revoked (jti TEXT, until INTEGER)").unwrap();
    let mut insert = connection.prepare("INSERT INTO revoked VALUES (?1, 2208988800000)").unwrap();
    let started = Instant::now();
    for n in 0..count {
        insert.execute([logs::jti(n)]).unwrap();
    }
    started.elapsed()
}

/// Time for one durable revocation while so many callers make them, each waiting for its own.
fn by_callers(callers: u64, count: u64) -> Duration {
    let engine = logs::engine(Log::sqlite(fresh("callers")).create_if_missing());
    let until = Times::now().wall().plus(Duration::from_secs(3600));
    let each = count.div_ceil(callers);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for caller in 0..callers {
            let engine = &engine;
            scope.spawn(move || {
                for n in 0..each {
                    let revocation = Revocation::token_id(logs::jti(caller * each + n)).keep_until(until);
                    assert!(matches!(engine.revoke(revocation).unwrap(), Revoked::Recorded { .. }));
                }
            });
        }
    });
    let elapsed = started.elapsed();
    assert_eq!(engine.revocations().unwrap().count() as u64, each * callers);
    elapsed.mul_f64(count as f64 / (each * callers) as f64)
}

fn revoke(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("revoke");
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    group.bench_function("single_sqlite_commit", |b| b.iter_custom(single_commits));
    group.bench_function("1_caller", |b| b.iter_custom(|count| by_callers(1, count)));
    group.bench_function("64_callers", |b| b.iter_custom(|count| by_callers(CALLERS, count)));
    group.finish();
}

/// Reads every row with the columns that opening needs.
fn select(records: u64) {
    let connection = Connection::open(logs::with(records)).unwrap();
    let sql = "SELECT position, batch, scope, value, issuer, issued_before, keep, keep_until FROM revocation";
    let mut select = connection.prepare(sql).unwrap();
    let (mut rows, mut count, mut bytes) = (select.query([]).unwrap(), 0, 0);
    while let Some(row) = rows.next().unwrap() {
        count += 1;
        black_box((row.get_ref(0).unwrap(), row.get_ref(1).unwrap(), row.get_ref(5).unwrap()));
        black_box((row.get_ref(6).unwrap(), row.get_ref(7).unwrap(), row.get_ref(2).unwrap()));
        bytes += row.get_ref(3).unwrap().as_str().unwrap().len() + row.get_ref(4).unwrap().as_str().unwrap().len();
    }
    assert_eq!((count, bytes > 0), (records, true));
}

fn open(records: u64) {
    let log = Log::sqlite(logs::with(records)).threads(Threads::None).open_timeout(Duration::from_secs(3600));
    assert_eq!(logs::engine(log).stats().records[0].1, records);
}

fn opening(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
    let mut sizes = vec![("10m", 10_000_000)];
    if std::env::var_os("OPEN_100M").is_some() {
        sizes.push(("100m", 100_000_000));
    }
    for (name, records) in sizes {
        group.bench_function(format!("{name}_select"), |b| b.iter(|| select(records)));
        group.bench_function(name, |b| b.iter(|| open(records)));
    }
    group.finish();
}

criterion_group!(benches, revoke, opening);
criterion_main!(benches);
