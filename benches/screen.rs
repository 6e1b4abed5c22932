//! What screening costs: verification with n live revocations beside verification with none.
//!
//! All engines get the same tokens in the same order, 65,536 of them, so that each screening asks another
//! part of the index, as the users of a service do. Verdicts are asserted before they are timed.
//! `SCREEN_100M=1` adds a hundred million, which takes 13 GB of disk and some minutes to make.

mod logs;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use signoff::{Algorithm, Engine, Filtering, Key, KeySet, Log, NewToken, Policy, Scratch, Status};

const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const TOKENS: u64 = 1 << 16;

fn keys() -> KeySet {
    KeySet::new([Key::hmac(Algorithm::Hs256, SECRET).unwrap()]).unwrap()
}

/// Tokens of 295 bytes with the given ids.
fn tokens(jti: impl Fn(u64) -> String) -> Vec<String> {
    let engine = Engine::new(keys(), Policy::new()).unwrap();
    let sign = |n| {
        let claims = format!(
            r#"{{"iss":"https://id.example","aud":"api","sub":"17777777777777777777777777777777","jti":"{}"}}"#,
            jti(n)
        );
        engine.sign(NewToken::from_json(claims).expires_in(Duration::from_secs(36_000))).unwrap().into_token()
    };
    let tokens: Vec<_> = (0..TOKENS).map(sign).collect();
    assert!(tokens.iter().all(|token| (280..=300).contains(&token.len())), "{}", tokens[0].len());
    tokens
}

fn open(log: Log) -> Engine {
    let policy = Policy::new().issuer("https://id.example").audience("api");
    let engine = Engine::open(keys(), policy, log.open_timeout(Duration::from_secs(600))).unwrap();
    settle(&engine);
    engine
}

/// Waits until the merges that opening left behind are done.
fn settle(engine: &Engine) {
    while engine.stats().segments > 1 {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn status(engine: &Engine, scratch: &mut Scratch, token: &str) -> Status {
    match engine.verify(scratch, black_box(token)) {
        Ok(accepted) => {
            black_box(&accepted);
            Status::Done
        }
        Err(denied) => denied.status(),
    }
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, id: &str, engine: &Engine, tokens: &[String], expected: Status) {
    let mut scratch = Scratch::new();
    for token in tokens {
        assert_eq!(status(engine, &mut scratch, token), expected, "{id}");
    }
    let mut turn = tokens.iter().cycle();
    group.bench_function(id, |b| {
        b.iter(|| status(engine, &mut scratch, turn.next().map_or("", |token| token.as_str())));
    });
}

fn screen(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("screen");
    let good = tokens(|n| format!("00000000-0000-4000-9000-{n:012x}"));
    let million = 1_000_000;
    let revoked = tokens(|n| logs::jti(n * 15 % million));
    let none = open(Log::sqlite(logs::with(0)));
    bench(&mut group, "0", &none, &good, Status::Done);

    let engine = open(Log::sqlite(logs::with(million)));
    bench(&mut group, "1m", &engine, &good, Status::Done);
    bench(&mut group, "1m_revoked", &engine, &revoked, Status::TokenRevoked);
    for count in [1_u32, 2] {
        group
            .bench_function(format!("1m_threads_{count}"), |b| b.iter_custom(|n| on_threads(&engine, &good, count, n)));
    }
    drop(engine);
    let exact = open(Log::sqlite(logs::with(million)).filtering(Filtering::Off));
    bench(&mut group, "1m_exact_table_alone", &exact, &good, Status::Done);
    drop(exact);

    let engine = open(Log::sqlite(logs::with(10 * million)));
    bench(&mut group, "10m", &engine, &good, Status::Done);
    // Once more beside it, so that a machine that has grown slower meanwhile is not taken for screening.
    bench(&mut group, "0_again", &none, &good, Status::Done);
    drop(engine);
    let exact = open(Log::sqlite(logs::with(10 * million)).filtering(Filtering::Off));
    bench(&mut group, "10m_exact_table_alone", &exact, &good, Status::Done);
    drop(exact);

    if std::env::var_os("SCREEN_100M").is_some() {
        let engine = open(Log::sqlite(logs::with(100 * million)));
        bench(&mut group, "100m", &engine, &good, Status::Done);
        bench(&mut group, "0_beside_100m", &none, &good, Status::Done);
    }
    group.finish();
}

/// Time for one verification as a thread sees it, divided by how many threads do the same.
fn on_threads(engine: &Engine, tokens: &[String], count: u32, iterations: u64) -> Duration {
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..count {
            scope.spawn(move || {
                let mut scratch = Scratch::new();
                let mut turn = tokens.iter().cycle().skip(thread as usize * tokens.len() / 2);
                for _ in 0..iterations {
                    black_box(engine.verify(&mut scratch, turn.next().map_or("", |token| token.as_str())).unwrap());
                }
            });
        }
    });
    started.elapsed() / count
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(60)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = screen
}
criterion_main!(benches);
