//! What only a whole process shows: memory, percentiles, and time from one process to another.
//!
//! Each figure is taken in a process of its own, which this program starts as itself. Writes
//! `figures.json` beside criterion's results, where `make bench-report` reads it. `FIGURES=memory` and the
//! like take one alone; `MEMORY_100M=1` adds a hundred million records.

mod logs;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signoff::{Engine, Filtering, Log, NewToken, Revocation, Scratch, Times};

type Figures = BTreeMap<String, f64>;

fn main() {
    if let Some(part) = logs::part() {
        return child(&part);
    }
    let wanted = std::env::var("FIGURES").unwrap_or_else(|_| "memory,latency,tail".to_owned());
    let path = logs::folder().join("figures.json");
    let old = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut figures: Figures = old.unwrap_or_default();
    for part in wanted.split(',') {
        let taken = match part {
            "memory" => memory(),
            "latency" => latency(),
            "tail" => tail(),
            other => panic!("FIGURES is a list of memory, latency and tail; {other} is none"),
        };
        taken.iter().for_each(|(name, value)| println!("{name:40} {value:.3}"));
        figures.extend(taken);
    }
    std::fs::write(path, serde_json::to_vec_pretty(&figures).unwrap()).unwrap();
}

fn child(part: &str) {
    let words: Vec<&str> = part.split(' ').collect();
    match words[..] {
        ["memory", records, filtering] => measure_memory(records.parse().unwrap(), filtering == "on"),
        ["refuse", log] => refuse(log),
        _ => panic!("{part}"),
    }
}

// Memory: resident growth from before there is an engine to after the last merge, and the most on the way.

fn memory() -> Figures {
    let mut sizes = vec![("1m", 1_000_000_u64), ("10m", 10_000_000)];
    if std::env::var_os("MEMORY_100M").is_some() {
        sizes.push(("100m", 100_000_000));
    }
    let mut figures = Figures::new();
    for (name, records) in sizes {
        logs::with(records);
        for filtering in ["on", "off"] {
            let output = logs::start(&format!("memory {records} {filtering}")).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let numbers: Vec<f64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
            let [resident, peak] = numbers[..] else { panic!("{text}") };
            let suffix = if filtering == "on" { "" } else { "_exact_table_alone" };
            figures.insert(format!("memory/{name}{suffix}/bytes_a_record"), resident / records as f64);
            figures.insert(format!("memory/{name}{suffix}/bytes_a_record_at_peak"), peak / records as f64);
        }
    }
    figures
}

fn measure_memory(records: u64, filtering: bool) {
    let before = status_kib("VmRSS:");
    let filtering = if filtering { Filtering::On } else { Filtering::Off };
    let log = Log::sqlite(logs::with(records)).filtering(filtering).open_timeout(Duration::from_secs(3600));
    let engine = logs::engine(log);
    settle(&engine);
    assert_eq!(engine.stats().records[0].1, records);
    let growth = |name| (status_kib(name) - before) * 1024.0;
    println!("{} {}", growth("VmRSS:"), growth("VmHWM:"));
}

fn status_kib(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn settle(engine: &Engine) {
    while engine.stats().segments > 1 {
        std::thread::sleep(Duration::from_millis(20));
    }
}

// Latency: from when `revoke` returned in one process to when another on the same file refuses the token.

const LOG_OUTS: usize = 1000;

fn latency() -> Figures {
    let path = logs::folder().join("latency.db");
    for suffix in ["", "-wal", "-shm"] {
        let _none = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let engine = logs::engine(Log::sqlite(&path).create_if_missing());
    let mut child = logs::start(&format!("refuse {}", path.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut tokens, refused) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut answers = refused.lines();
    let mut millis: Vec<f64> = (0..LOG_OUTS)
        .map(|n| {
            let token = sign(&engine, n as u64);
            writeln!(tokens, "{token}").unwrap();
            assert_eq!(answers.next().unwrap().unwrap(), "accepted");
            // At another point of the other's turn each time.
            std::thread::sleep(Duration::from_micros(n as u64 * 7919 % 5000));
            engine.revoke(Revocation::token_text(token)).unwrap();
            let revoked = logs::nanos();
            let refused: u128 = answers.next().unwrap().unwrap().parse().unwrap();
            refused.saturating_sub(revoked) as f64 / 1e6
        })
        .collect();
    drop(tokens);
    assert!(child.wait().unwrap().success());
    millis.sort_by(f64::total_cmp);
    [(50, "p50"), (99, "p99")]
        .map(|(percent, name)| (format!("latency/other_process/{name}_ms"), millis[LOG_OUTS * percent / 100]))
        .into()
}

fn refuse(log: &str) {
    let engine = logs::engine(Log::sqlite(log));
    let mut scratch = Scratch::new();
    for token in std::io::stdin().lines() {
        let token = token.unwrap();
        black_box(engine.verify(&mut scratch, &token).unwrap());
        println!("accepted");
        while engine.verify(&mut scratch, &token).is_ok() {}
        println!("{}", logs::nanos());
    }
}

fn sign(engine: &Engine, n: u64) -> String {
    let claims = format!(
        r#"{{"iss":"https://id.example","aud":"api","sub":"17777777777777777777777777777777","jti":"{}"}}"#,
        logs::jti(n)
    );
    engine.sign(NewToken::from_json(claims).expires_in(Duration::from_secs(36_000))).unwrap().into_token()
}

// The tail: what the slowest in a thousand verifications take, in quiet and while others log out.

const A_SECOND: u64 = 20_000;

fn tail() -> Figures {
    let path = logs::folder().join("tail.db");
    for suffix in ["", "-wal", "-shm"] {
        let _none = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    std::fs::copy(logs::with(1_000_000), &path).unwrap();
    let engine = logs::engine(Log::sqlite(&path));
    settle(&engine);
    let tokens: Vec<_> = (0..1 << 14).map(|n| sign(&engine, (1 << 40) + n)).collect();
    let quiet = percentiles(&engine, &tokens);
    let merges = engine.stats().merges;
    let stop = AtomicBool::new(false);
    let (busy, revoked, time) = std::thread::scope(|scope| {
        let revoking = scope.spawn(|| revoke_steadily(&engine, &stop));
        let busy = percentiles(&engine, &tokens);
        stop.store(true, Ordering::Relaxed);
        let (revoked, time) = revoking.join().unwrap();
        (busy, revoked, time)
    });
    let merged = engine.stats().merges - merges;
    assert!(merged > 0, "nothing was merged meanwhile");
    [
        ("tail/quiet/p999_ns", quiet),
        ("tail/revoking/p999_ns", busy),
        ("tail/revoking/revocations_a_second", revoked as f64 / time.as_secs_f64()),
        ("tail/revoking/merges", merged as f64),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn revoke_steadily(engine: &Engine, stop: &AtomicBool) -> (u64, Duration) {
    let until = Times::now().wall().plus(Duration::from_secs(3600));
    let (started, mut count) = (Instant::now(), 0_u64);
    while !stop.load(Ordering::Relaxed) {
        let due = (started.elapsed().as_secs_f64() * A_SECOND as f64) as u64;
        while count < due {
            // Completed by the log's own thread; what became of it is asserted by how many records there are.
            drop(engine.revoke_async(Revocation::token_id(format!("tail {count}")).keep_until(until)));
            count += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let time = started.elapsed();
    while engine.stats().records[0].1 < 1_000_000 + count {
        std::thread::sleep(Duration::from_millis(5));
    }
    (count, time)
}

/// The 99.9th percentile of twelve million verifications, or of as many as fit into ten seconds.
fn percentiles(engine: &Engine, tokens: &[String]) -> f64 {
    let mut scratch = Scratch::new();
    // Written, so that no page is met for the first time while it is measured.
    let mut nanos = vec![1_u32; 12_000_000];
    let (started, mut taken) = (Instant::now(), 0);
    for (slot, token) in nanos.iter_mut().zip(tokens.iter().cycle()) {
        let before = Instant::now();
        black_box(engine.verify(&mut scratch, token).unwrap());
        let time = before.elapsed();
        *slot = u32::try_from(time.as_nanos()).unwrap_or(u32::MAX);
        taken += 1;
        if started.elapsed() > Duration::from_secs(10) {
            break;
        }
    }
    nanos.truncate(taken);
    nanos.sort_unstable();
    f64::from(nanos[taken * 999 / 1000])
}
