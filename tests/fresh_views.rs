//! A storm: threads verify tokens that were logged out long ago, at the very moment at which an engine that was stale, or had
//! read nothing, becomes fresh again. None may be accepted.
//!
//! Before freshness was taken ahead of the view, 200 of 200 recoveries and 130 of 200 starts accepted some.
//! `STORM_ROUNDS=200 cargo test --release --test fresh_views` goes through as many; without, it is 25.

#![cfg(feature = "sqlite")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, OnceLock};
use std::time::Duration;

use signoff::{
    Algorithm, ClockTrust, Denied, Engine, Key, KeySet, Log, NewToken, Policy, Reject, Revocation, RevocationStatus,
    Scratch, Status, Threads, Times, UnixTime, VouchedToken,
};

const THREADS: usize = 8;
const TOKENS: usize = 16;

fn rounds() -> usize {
    std::env::var("STORM_ROUNDS").map_or(25, |rounds| rounds.parse().unwrap())
}

fn open(log: Log) -> Engine {
    let key = Key::hmac(Algorithm::Hs256, b"0123456789abcdef0123456789abcdef").unwrap();
    Engine::open(KeySet::new([key]).unwrap(), Policy::new(), log).unwrap()
}

fn file(folder: &Path) -> Log {
    Log::sqlite(folder.join("signoff.db")).create_if_missing()
}

/// A token of about so many bytes.
fn token(engine: &Engine, bytes: usize) -> String {
    let filler = "x".repeat((bytes * 3 / 4).saturating_sub(250));
    let new = NewToken::from_json(format!(r#"{{"sub":"u","filler":"{filler}"}}"#));
    engine.sign(new.expires_in(Duration::from_secs(3600))).unwrap().into_token()
}

/// What the threads of one round have seen.
#[derive(Default)]
struct Seen {
    accepted: AtomicU64,
    refused: AtomicU64,
    unknown: AtomicU64,
}

impl Seen {
    fn note(&self, is_accepted: bool, denied: Option<&Denied>) {
        let count = match denied {
            None if is_accepted => &self.accepted,
            Some(Denied::Rejected(Reject::Revoked { .. })) => &self.refused,
            Some(Denied::Unavailable(_)) => &self.unknown,
            other => panic!("{other:?}"),
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Verifies on all threads while `recover` runs, and until each has refused every token.
fn storm(engine: &Engine, tokens: &[String], recover: impl FnOnce()) -> Seen {
    let (seen, start, is_over) = (Seen::default(), Barrier::new(THREADS + 1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (seen, start, is_over) = (&seen, &start, &is_over);
            scope.spawn(move || {
                let mut scratch = Scratch::new();
                start.wait();
                let mut settled = 0;
                while settled < tokens.len() {
                    for token in tokens {
                        let denied = match thread % 4 {
                            // The last steps alone, of a token that was verified elsewhere.
                            3 => engine.screen(VouchedToken::insecure_verified_elsewhere(token)).map(|_| ()),
                            _ => engine.verify(&mut scratch, token).map(|_| ()),
                        };
                        seen.note(denied.is_ok(), denied.as_ref().err());
                        let is_refused = matches!(denied, Err(Denied::Rejected(_)));
                        settled = if is_refused && is_over.load(Ordering::Relaxed) { settled + 1 } else { 0 };
                    }
                }
            });
        }
        start.wait();
        recover();
        is_over.store(true, Ordering::Relaxed);
    });
    seen
}

fn wait_until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::yield_now();
    }
}

#[test]
fn no_token_that_was_logged_out_is_accepted_while_a_stale_engine_recovers() {
    for bytes in [300, 16_000] {
        let folder = tempfile::tempdir().unwrap();
        let writer = open(file(folder.path()));
        let max = Duration::from_millis(20);
        let reader = open(file(folder.path()).threads(Threads::None).max_staleness(max));
        let (mut refused, mut unknown) = (0, 0);
        for round in 0..rounds() {
            let tokens: Vec<_> = (0..TOKENS).map(|_| token(&writer, bytes)).collect();
            for token in &tokens {
                writer.revoke(Revocation::token_text(token.as_str())).unwrap();
            }
            wait_until(|| !reader.health().is_ready());
            let seen = storm(&reader, &tokens, || reader.refresh().unwrap());
            assert_eq!(seen.accepted.into_inner(), 0, "round {round}, tokens of {bytes} bytes");
            refused += seen.refused.into_inner();
            unknown += seen.unknown.into_inner();
        }
        assert!(refused > 0 && unknown > 0, "{refused} refused, {unknown} unknown: the moment was not met");
    }
}

#[test]
fn no_token_that_was_logged_out_is_accepted_while_an_engine_reads_its_log_for_the_first_time() {
    let folder = tempfile::tempdir().unwrap();
    let writer = open(file(folder.path()));
    let tokens: Vec<_> = (0..TOKENS).map(|_| token(&writer, 16_000)).collect();
    for token in &tokens {
        writer.revoke(Revocation::token_text(token.as_str())).unwrap();
    }
    let mut unknown = 0;
    for round in 0..rounds() {
        // Threads that verify from the first moment at which there is an engine.
        let (starting, seen) = (OnceLock::new(), Seen::default());
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let engine: &Engine = loop {
                        match starting.get() {
                            Some(engine) => break engine,
                            None => std::hint::spin_loop(),
                        }
                    };
                    let mut scratch = Scratch::new();
                    let mut settled = 0;
                    while settled < tokens.len() {
                        for token in &tokens {
                            let denied = engine.verify(&mut scratch, token).map(|_| ());
                            seen.note(denied.is_ok(), denied.as_ref().err());
                            settled = if matches!(denied, Err(Denied::Rejected(_))) { settled + 1 } else { 0 };
                        }
                    }
                });
            }
            starting.set(open(file(folder.path()).start_unknown())).ok().unwrap();
        });
        assert_eq!(seen.accepted.into_inner(), 0, "round {round}");
        unknown += seen.unknown.into_inner();
    }
    assert!(unknown > 0, "the moment was not met");
}

/// A watermark that a wrong clock has set makes up for records that the index leaves out. When it is taken back, those are read
/// again before it counts; a verification under way has a view from before.
#[test]
fn no_token_that_was_logged_out_is_accepted_while_a_watermark_is_taken_back() {
    const NOW: i64 = 1_700_000_000;
    let at = |secs| Times::at(UnixTime::from_secs(NOW + secs)).since_boot(Duration::from_secs(10_000_000));
    let day = 86_400;
    for round in 0..rounds().div_ceil(5) {
        let folder = tempfile::tempdir().unwrap();
        let log = || file(folder.path()).threads(Threads::None).max_staleness(Duration::from_secs(1 << 40));
        let engine = open(log());
        engine.compact_at(ClockTrust::Confirmed, at(3 * day)).unwrap();
        let claims = format!(r#"{{"iat":{NOW},"exp":{},"filler":"{}"}}"#, NOW + day, "x".repeat(11_000));
        let signer = open(Log::memory());
        let token = signer.sign_at(NewToken::from_json(claims), at(0)).unwrap().into_token();
        engine.revoke_at(Revocation::token_text(token.as_str()), at(0)).unwrap();
        // As many as make a segment, from which a record that counts as expired is left out.
        let rows = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             INSERT INTO revocation (batch, scope, value, issuer, keep_until, recorded_at)
             SELECT 1, 'token', 'jti:' || i, '*', {}, {} FROM n",
            (NOW + day) * 1000,
            NOW * 1000
        );
        let connection = rusqlite::Connection::open(folder.path().join("signoff.db")).unwrap();
        connection.execute_batch(&rows).unwrap();
        drop(engine);
        let engine = open(log());
        engine.refresh_at(at(1)).unwrap();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut scratch = Scratch::new();
                    loop {
                        let last = is_over.load(Ordering::Relaxed);
                        let denied = engine.verify_at(&mut scratch, &token, at(1)).map(|_| ()).err();
                        let Some(denied) = denied else { panic!("accepted in round {round}") };
                        if last {
                            assert_eq!(denied.status(), Status::TokenRevoked);
                            break;
                        }
                    }
                });
            }
            let lower = format!("UPDATE fact SET value = '{}' WHERE name = 'watermark'", NOW * 1000);
            connection.execute_batch(&lower).unwrap();
            engine.refresh_at(at(1)).unwrap();
            is_over.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn a_connection_that_stays_open_is_told_that_it_is_unknown_or_revoked_and_never_that_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let writer = open(file(folder.path()));
    let max = Duration::from_millis(20);
    let reader = open(file(folder.path()).threads(Threads::None).max_staleness(max));
    for round in 0..rounds() {
        let token = token(&writer, 300);
        let accepted = writer.verify_owned(&token).unwrap();
        writer.revoke(Revocation::token(&accepted)).unwrap();
        wait_until(|| !reader.health().is_ready());
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    loop {
                        let last = is_over.load(Ordering::Relaxed);
                        match reader.is_revoked(&accepted).unwrap() {
                            RevocationStatus::Revoked { .. } if last => break,
                            RevocationStatus::Revoked { .. } | RevocationStatus::Unknown(_) => {}
                            other => panic!("{other:?} in round {round}"),
                        }
                    }
                });
            }
            reader.refresh().unwrap();
            is_over.store(true, Ordering::Relaxed);
        });
    }
}
