//! What it costs that one user logs out everywhere but here, again and again: 200,000 times, each time with five logins that
//! are spared. Opening beside as many cut-offs without lists; verifying that user beside one with a single cut-off; and others.

mod logs;

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use signoff::{Algorithm, Engine, Key, KeySet, Log, NewToken, Policy, Scratch, Threads};

const CUT_OFFS: u64 = 200_000;
const SUBJECT: &str = "a user who presses the button";
/// The login that all lists spare.
const HERE: &str = "8f14e45f-ceea-467f-a0e6-3d2b1c0f9a77";

fn keys() -> KeySet {
    KeySet::new([Key::hmac(Algorithm::Hs256, b"0123456789abcdef0123456789abcdef").unwrap()]).unwrap()
}

/// A log with so many cut-offs of one subject, that end in the year 2040.
fn log(cut_offs: u64, has_lists: bool) -> PathBuf {
    let path = logs::folder().join(format!("cut-offs-{cut_offs}-{has_lists}.db"));
    if !path.exists() {
        drop(logs::engine(Log::sqlite(&path).create_if_missing().threads(Threads::None)));
        let mut connection = rusqlite::Connection::open(&path).unwrap();
        let transaction = connection.transaction().unwrap();
        {
            let rows =
                "INSERT INTO revocation (batch, scope, value, issuer, issued_before, keep, keep_until, recorded_at)
                            VALUES (1, 'subject', ?1, '*', 1700000000000 + ?2, ?3, 2208988800000 + ?2, 1700000000000)";
            let mut insert = transaction.prepare(rows).unwrap();
            for n in 0..cut_offs {
                let others = (0..4).map(|login| logs::jti(4 * n + login));
                let list = serde_json::to_string(&others.chain([HERE.to_owned()]).collect::<Vec<_>>()).unwrap();
                insert.execute(rusqlite::params![SUBJECT, n as i64, has_lists.then_some(list)]).unwrap();
            }
        }
        transaction.commit().unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }
    path
}

fn open(cut_offs: u64, has_lists: bool) -> Engine {
    let log = Log::sqlite(log(cut_offs, has_lists)).threads(Threads::None).max_staleness(Duration::from_secs(1 << 30));
    Engine::open(keys(), Policy::new(), log).unwrap()
}

fn cut_offs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cut_offs");
    for (id, has_lists) in [("open_200k", false), ("open_200k_with_lists", true)] {
        log(CUT_OFFS, has_lists);
        group.bench_function(id, |b| b.iter(|| open(CUT_OFFS, has_lists)));
    }
    let signer = Engine::new(keys(), Policy::new()).unwrap();
    let token = |subject: &str| {
        let claims = format!(r#"{{"sub":"{subject}","jti":"{HERE}","iat":1690000000,"exp":2200000000}}"#);
        signer.sign(NewToken::from_json(claims)).unwrap().into_token()
    };
    let (one, many) = (open(1, true), open(CUT_OFFS, true));
    // The one before and the one behind, so that a machine that grows slower meanwhile is not taken for the index.
    for (who, token) in [("user", token(SUBJECT)), ("others", token("a user who does not press it"))] {
        for (id, engine) in [("of_1", &one), ("of_200k", &many), ("of_1_again", &one)] {
            let mut scratch = Scratch::new();
            let mut verify = || black_box(engine.verify(&mut scratch, black_box(&token)).is_ok());
            assert!(verify(), "{who} {id}");
            group.bench_function(format!("{who}_{id}"), |b| b.iter(&mut verify));
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(40)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5));
    targets = cut_offs
}
criterion_main!(benches);
