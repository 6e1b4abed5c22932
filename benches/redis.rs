//! What a log on Redis costs, beside the bare commands of the same server: `make bench-redis`.
//!
//! Starts a server and a replica of its own. Writes what it measured into docs/performance.md, between its two markers.
//! `FIGURES=latency` and the like take one alone, and write nothing.

mod logs;
#[path = "../tests/redis_server/mod.rs"]
mod redis_server;

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis_server::RedisServer;
use signoff::{Engine, Log, NewToken, Revocation, Revoked, Scratch, Threads, Times};

/// What is measured, what it says, and the bound.
type Row = (String, f64, &'static str);

/// What is taken in one go, and by which name alone.
type Part = (&'static str, fn() -> Vec<Row>);

fn main() {
    if let Some(part) = logs::part() {
        return child(&part);
    }
    if !redis_server::is_there() {
        return;
    }
    let wanted = std::env::var("FIGURES").ok();
    let mut rows = Vec::new();
    let parts: [Part; 4] =
        [("latency", latency), ("catch-up", catch_up), ("following", following), ("callers", callers)];
    for (name, part) in parts {
        if wanted.as_ref().is_none_or(|wanted| wanted == name) {
            for row in part() {
                println!("{:80} {:.2} {}", row.0, row.1, row.2);
                rows.push(row);
            }
        }
    }
    if wanted.is_none() {
        write(&rows);
    }
}

fn child(part: &str) {
    let words: Vec<&str> = part.split(' ').collect();
    match words[..] {
        ["refuse", url] => refuse(url),
        ["revoke", url] => {
            let engine = logs::engine(Log::redis(url));
            println!("ready");
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| revoke_steadily(&engine, &stop));
                // Until whoever started it closes the pipe.
                let _closed = std::io::stdin().read_line(&mut String::new());
                stop.store(true, Ordering::Relaxed);
            });
        }
        _ => panic!("{part}"),
    }
}

/// How many log out in a second, beside what is measured.
const A_SECOND: u64 = 5000;

fn until() -> signoff::UnixTime {
    Times::now().wall().plus(Duration::from_secs(36_000))
}

fn revoke_steadily(engine: &Engine, stop: &AtomicBool) -> u64 {
    let (until, started, mut count) = (until(), Instant::now(), 0_u64);
    let name = logs::nanos();
    while !stop.load(Ordering::Relaxed) {
        let due = (started.elapsed().as_secs_f64() * A_SECOND as f64) as u64;
        while count < due {
            let id = format!("steady-{name:032x}-{count}");
            drop(engine.revoke_async(Revocation::token_id(id).keep_until(until)));
            count += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    count
}

fn sign(engine: &Engine, n: u64) -> String {
    let claims = format!(r#"{{"sub":"17777777777777777777777777777777","jti":"{}"}}"#, logs::jti(n));
    engine.sign(NewToken::from_json(claims).expires_in(Duration::from_secs(36_000))).unwrap().into_token()
}

// From when `revoke` returned on one node to when another refuses the token.

const LOG_OUTS: usize = 2000;

fn latency() -> Vec<Row> {
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let engine = logs::engine(Log::redis(&url).create_if_missing());
    let mut child = logs::start(&format!("refuse {url}")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut tokens, refused) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut answers = refused.lines();
    let stop = AtomicBool::new(false);
    let (mut millis, count, time) = std::thread::scope(|scope| {
        let started = Instant::now();
        let revoking = scope.spawn(|| revoke_steadily(&engine, &stop));
        let millis: Vec<f64> = (0..LOG_OUTS)
            .map(|n| {
                let token = sign(&engine, n as u64);
                writeln!(tokens, "{token}").unwrap();
                assert_eq!(answers.next().unwrap().unwrap(), "accepted");
                engine.revoke(Revocation::token_text(token)).unwrap();
                let revoked = logs::nanos();
                let refused: u128 = answers.next().unwrap().unwrap().parse().unwrap();
                refused.saturating_sub(revoked) as f64 / 1e6
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        (millis, revoking.join().unwrap(), started.elapsed())
    });
    drop(tokens);
    assert!(child.wait().unwrap().success());
    millis.sort_by(f64::total_cmp);
    vec![
        ("ms from revoked on one node to refused on another, half of all".to_owned(), millis[LOG_OUTS / 2], "≤ 3.00"),
        ("the same, 99 % of all".to_owned(), millis[LOG_OUTS * 99 / 100], "≤ 20.00"),
        ("meanwhile, revocations a second".to_owned(), count as f64 / time.as_secs_f64(), ""),
    ]
}

fn refuse(url: &str) {
    let engine = logs::engine(Log::redis(url));
    let mut scratch = Scratch::new();
    for token in std::io::stdin().lines() {
        let token = token.unwrap();
        black_box(engine.verify(&mut scratch, &token).unwrap());
        println!("accepted");
        // Not in a tight loop: the server and the other node share two cores with it.
        while engine.verify(&mut scratch, &token).is_ok() {
            std::thread::sleep(Duration::from_micros(50));
        }
        println!("{}", logs::nanos());
    }
}

// Opening with a million entries, beside reading them.

const ENTRIES: u64 = 1_000_000;

fn fill(engine: &Engine, count: u64) {
    let until = until();
    let mut last = None;
    for n in 0..count {
        last = Some(
            engine.revoke_async(Revocation::token_id(logs::jti(n)).issuer("https://id.example").keep_until(until)),
        );
        if n % 4096 == 4095 {
            let outcome = last.take().unwrap().wait(Duration::from_secs(60));
            assert!(matches!(outcome, Some(Ok(Revoked::Recorded { .. }))), "{outcome:?}");
        }
    }
    assert!(last.is_none_or(|mut last| last.wait(Duration::from_secs(60)).is_some_and(|outcome| outcome.is_ok())));
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn catch_up() -> Vec<Row> {
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let engine = logs::engine(Log::redis(&url).create_if_missing());
    fill(&engine, ENTRIES);
    drop(engine);
    let bytes: i64 = server.run(&["MEMORY", "USAGE", "{signoff}:stream", "SAMPLES", "0"]);
    let raw = || {
        let (mut connection, mut from, mut count) = (server.connection(), "-".to_owned(), 0);
        let started = Instant::now();
        loop {
            let entries: Vec<redis::Value> = redis::cmd("XRANGE")
                .arg("{signoff}:stream")
                .arg(&from)
                .arg("+")
                .arg("COUNT")
                .arg(10_000)
                .query(&mut connection)
                .unwrap();
            count += entries.len() as u64;
            let Some(redis::Value::Array(last)) = entries.last() else { break };
            let redis::Value::BulkString(id) = &last[0] else { panic!("{last:?}") };
            from = format!("({}", String::from_utf8_lossy(id));
        }
        assert_eq!(count, ENTRIES);
        started.elapsed().as_secs_f64()
    };
    let open = || {
        let started = Instant::now();
        let engine = logs::engine(Log::redis(&url).threads(Threads::None));
        let time = started.elapsed().as_secs_f64();
        assert_eq!(engine.stats().records[0].1, ENTRIES);
        time
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    let open_with_file = || {
        let started = Instant::now();
        let engine = logs::engine(Log::redis(&url).local_file(&path).threads(Threads::None));
        let time = started.elapsed().as_secs_f64();
        assert_eq!(engine.stats().records[0].1, ENTRIES);
        time
    };
    let first = open_with_file();
    let (mut ratios, mut times, mut restarts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        let (bare, ours) = (raw(), open());
        ratios.push(ours / bare);
        times.push(ours);
        restarts.push(open_with_file());
    }
    vec![
        ("opening with 1 M entries ÷ a bare XRANGE of them".to_owned(), median(ratios), "≤ 2.00"),
        ("s to open with 1 M entries".to_owned(), median(times), ""),
        ("s to open with a local file that is still empty".to_owned(), first, ""),
        ("s to open again with that file".to_owned(), median(restarts), ""),
        ("bytes of the server's memory an entry".to_owned(), bytes as f64 / ENTRIES as f64, ""),
    ]
}

// Verifying on one node while another revokes.

fn following() -> Vec<Row> {
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let engine = logs::engine(Log::redis(&url).create_if_missing());
    let tokens: Vec<_> = (0..1 << 12).map(|n| sign(&engine, (1 << 40) + n)).collect();
    let mut scratch = Scratch::new();
    // The median of short rounds: what the server and the other node take from this core is not what verifying takes longer.
    let mut round = |rounds: usize| {
        let times = (0..rounds).map(|round| {
            let started = Instant::now();
            for token in tokens.iter().cycle().skip(round * 64).take(64) {
                black_box(engine.verify(&mut scratch, token).unwrap());
            }
            started.elapsed().as_secs_f64()
        });
        median(times.collect())
    };
    round(2000);
    let mut ratios = Vec::new();
    for _ in 0..7 {
        let idle = round(10_000);
        let mut other =
            logs::start(&format!("revoke {url}")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(other.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        let before = engine.stats().records[0].1;
        let busy = round(10_000);
        assert!(engine.stats().records[0].1 > before, "nothing was followed");
        drop(other.stdin.take());
        assert!(other.wait().unwrap().success());
        ratios.push(busy / idle);
    }
    vec![(format!("verifying while following {A_SECOND} revocations a second ÷ idle"), median(ratios), "≤ 1.15")]
}

// Sixty-four callers, each waiting for its own revocation, beside one client that has as many on their way, or a thousand,
// and waits for no thread.

const CALLERS: u64 = 64;
const REVOCATIONS: u64 = 64_000;

fn callers() -> Vec<Row> {
    let server = RedisServer::start(&[]);
    let port = server.port.to_string();
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
    while !replica.run::<String>(&["INFO", "replication"]).contains("master_link_status:up") {
        std::thread::sleep(Duration::from_millis(10));
    }
    let bare = |replicas: u64, depth: u64| {
        let mut connection = server.connection();
        let started = Instant::now();
        for _ in 0..REVOCATIONS / depth {
            let mut pipeline = redis::pipe();
            for n in 0..depth {
                let record = format!(r#"["token","jti:{}","*",1700000000000,2208988800000]"#, logs::jti(n));
                pipeline.cmd("XADD").arg("bare").arg("*").arg("batch").arg(7_u64 << 60).arg("record").arg(record);
            }
            if replicas > 0 {
                pipeline.cmd("WAIT").arg(replicas).arg(1000);
            }
            pipeline.exec(&mut connection).unwrap();
        }
        REVOCATIONS as f64 / started.elapsed().as_secs_f64()
    };
    let ours = |replicas: u64, round: u64| {
        let log = Log::redis(server.url(&format!("replicas={replicas}"))).create_if_missing();
        let engine = logs::engine(log);
        let until = until();
        let each = REVOCATIONS / CALLERS;
        let started = Instant::now();
        std::thread::scope(|scope| {
            for caller in 0..CALLERS {
                let engine = &engine;
                scope.spawn(move || {
                    for n in 0..each {
                        let id = logs::jti((round << 32) + caller * each + n);
                        let outcome = engine.revoke(Revocation::token_id(id).keep_until(until)).unwrap();
                        assert!(matches!(outcome, Revoked::Recorded { .. }));
                    }
                });
            }
        });
        REVOCATIONS as f64 / started.elapsed().as_secs_f64()
    };
    let mut rows = Vec::new();
    for (at, replicas) in [0, 1].into_iter().enumerate() {
        let (mut beside_64, mut beside_1000, mut rates) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..5 {
            let rate = ours(replicas, at as u64 * 10 + round);
            beside_64.push(rate / bare(replicas, CALLERS));
            beside_1000.push(rate / bare(replicas, 1000));
            rates.push(rate);
        }
        let confirmed = if replicas == 0 { "on the primary" } else { "confirmed by a replica" };
        let what = |depth| format!("64 callers revoking ÷ one client that pipelines {depth} XADD, {confirmed}");
        rows.push((what(64), median(beside_64), "≥ 0.30"));
        rows.push((what(1000), median(beside_1000), ""));
        rows.push((format!("revocations a second of 64 callers, {confirmed}"), median(rates), ""));
    }
    rows
}

fn write(rows: &[Row]) {
    const MARKERS: [&str; 2] = ["<!-- redis: begin -->", "<!-- redis: end -->"];
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let version = said("redis-server", &["--version"]);
    let version = version.split(' ').find_map(|word| word.strip_prefix("v=")).unwrap_or("unknown").to_owned();
    let commit = said("git", &["log", "-1", "--format=%h, %cs"]);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let mut text =
        format!("Measured by `make bench-redis` with Redis {version} on {cores} cores, commit {commit}.\n\n");
    text += "| ratio or figure | measured | bound |\n|---|---|---|\n";
    for (what, value, bound) in rows {
        let missed = match bound.split_once(' ') {
            Some(("≤", most)) if *value > most.parse().unwrap() => ": missed",
            Some(("≥", least)) if *value < least.parse().unwrap() => ": missed",
            _ => "",
        };
        let bound = if bound.is_empty() { "none" } else { bound };
        let _infallible = writeln!(text, "| {what} | {value:.2} | {bound}{missed} |");
    }
    let page = "docs/performance.md";
    let old = std::fs::read_to_string(page).unwrap();
    let (before, rest) = old.split_once(MARKERS[0]).unwrap();
    let (_, after) = rest.split_once(MARKERS[1]).unwrap();
    std::fs::write(page, format!("{before}{}\n\n{text}\n{}{after}", MARKERS[0], MARKERS[1])).unwrap();
}
