//! Taking back a log-out that was made by mistake: from the log, and from every process on it.

#![cfg(feature = "sqlite")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{NOW, keys, with_claims};
use signoff::{
    ClockTrust, Engine, Error, Log, Policy, Record, Revocation, Revoked, Scratch, Status, Target, Threads, Times,
    UnixTime, limits,
};

const DAY: i64 = 86_400;

fn at(secs: i64) -> Times {
    Times::at(UnixTime::from_secs(NOW + secs)).since_boot(Duration::from_secs(10_000_000))
}

/// Each engine has an index of its own, as another process has.
fn open(path: &Path) -> Engine {
    let log = Log::sqlite(path).create_if_missing().threads(Threads::None);
    Engine::open(keys(), Policy::new(), log.max_staleness(Duration::from_secs(1 << 40))).unwrap()
}

fn token(jti: &str, sid: &str, sub: &str) -> String {
    let times = format!(r#""iat":{},"exp":{}"#, NOW - 1000, NOW + DAY);
    with_claims(&format!(r#"{{"jti":"{jti}","sid":"{sid}","sub":"{sub}",{times}}}"#))
}

fn status(engine: &Engine, token: &str) -> Status {
    engine.refresh_at(at(1)).unwrap();
    engine.verify_at(&mut Scratch::new(), token, at(1)).map_or_else(|denied| denied.status(), |_| Status::Done)
}

fn revoke(engine: &Engine, revocation: Revocation) {
    let revocation = revocation.keep_until(UnixTime::from_secs(NOW + DAY));
    assert!(matches!(engine.revoke_at(revocation, at(0)).unwrap(), Revoked::Recorded { .. }));
}

fn records(engine: &Engine) -> Vec<Record> {
    engine.revocations().unwrap().map(Result::unwrap).collect()
}

#[test]
fn what_was_erased_counts_no_more_in_any_process_and_all_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signoff.db");
    let (one, other) = (open(&path), open(&path));
    let revocations = [
        Revocation::token_id("t"),
        Revocation::token_id("another"),
        Revocation::session("s"),
        Revocation::subject("u"),
        Revocation::subject("somebody else"),
        Revocation::everything().issuer("https://elsewhere.example").issued_before(UnixTime::from_secs(NOW)),
    ];
    revocations.into_iter().for_each(|revocation| revoke(&one, revocation));
    let ended = [token("t", "x", "x"), token("x", "s", "x"), token("x", "x", "u")];
    let others = [token("another", "x", "x"), token("x", "x", "somebody else")];
    for token in ended.iter().chain(&others) {
        assert_eq!((status(&one, token), status(&other, token)), (Status::TokenRevoked, Status::TokenRevoked));
    }
    let mistakes: Vec<_> = records(&one)
        .into_iter()
        .filter(|record| ["jti:t", "s", "u"].contains(&record.target.value().as_str()))
        .collect();
    assert_eq!(one.insecure_erase(&mistakes).unwrap(), 3);
    for engine in [&one, &other, &open(&path)] {
        ended.iter().for_each(|token| assert_eq!(status(engine, token), Status::Done));
        others.iter().for_each(|token| assert_eq!(status(engine, token), Status::TokenRevoked));
        assert_eq!(records(engine).len(), 3);
    }
    assert_eq!(one.insecure_erase(&mistakes).unwrap(), 0, "they are gone");
    // It can be logged out again, and that is recorded: nothing stands for it.
    revoke(&other, Revocation::token_id("t"));
    assert_eq!(status(&one, &ended[0]), Status::TokenRevoked);
    one.compact_at(ClockTrust::Confirmed, at(2)).unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    let rows: i64 = file.query_row("SELECT count(*) FROM revocation", [], |row| row.get(0)).unwrap();
    assert_eq!((rows, records(&open(&path)).len()), (4, 4), "their places are collected");
}

#[test]
fn a_process_that_has_not_heard_of_it_says_of_nothing_that_it_is_logged_out_already() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signoff.db");
    let (one, behind) = (open(&path), open(&path));
    revoke(&one, Revocation::token_id("t"));
    assert_eq!(status(&behind, &token("t", "x", "x")), Status::TokenRevoked);
    one.insecure_erase(&records(&one)).unwrap();
    revoke(&behind, Revocation::token_id("t"));
    for engine in [&one, &behind, &open(&path)] {
        assert_eq!(status(engine, &token("t", "x", "x")), Status::TokenRevoked);
    }
}

#[test]
fn of_two_log_outs_of_one_user_the_other_stays_with_its_cut_off_and_its_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signoff.db");
    let (one, other) = (open(&path), open(&path));
    let of = |secs: i64| Revocation::subject("u").issued_before(UnixTime::from_secs(NOW + secs));
    revoke(&one, of(-1000).keep("s"));
    revoke(&one, of(-10).reason("by mistake"));
    let issued = |secs: i64, sid: &str| {
        with_claims(&format!(r#"{{"sub":"u","sid":"{sid}","iat":{},"exp":{}}}"#, NOW + secs, NOW + DAY))
    };
    assert_eq!(status(&other, &issued(-500, "x")), Status::TokenRevoked);
    assert_eq!(status(&other, &issued(-2000, "s")), Status::TokenRevoked);
    let mistake: Vec<_> = records(&one).into_iter().filter(|record| record.reason.is_some()).collect();
    assert_eq!(one.insecure_erase(&mistake).unwrap(), 1);
    for engine in [&one, &other] {
        assert_eq!(status(engine, &issued(-500, "x")), Status::Done);
        assert_eq!(status(engine, &issued(-2000, "s")), Status::Done, "it is spared again");
        assert_eq!(status(engine, &issued(-2000, "x")), Status::TokenRevoked);
    }
}

#[test]
fn a_cut_off_of_the_far_future_that_was_erased_moves_nobodys_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signoff.db");
    let (one, other) = (open(&path), open(&path));
    let far = UnixTime::from_secs(NOW + 50);
    revoke(&one, Revocation::subject("u").issued_before(far));
    assert_ne!(status(&other, &token("x", "x", "u")), Status::Done);
    one.insecure_erase(&records(&one)).unwrap();
    assert_eq!(status(&other, &token("x", "x", "u")), Status::Done);
    // Of everybody's, which has to lie behind each subject's that there is.
    other.revoke_at(Revocation::everything(), at(0)).unwrap();
    let [record] = records(&other).try_into().unwrap();
    assert!(record.target == Target::Everything && record.issued_before < Some(far), "{record:?}");
}

#[test]
fn no_more_is_erased_than_every_process_can_be_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let one = open(&folder.path().join("signoff.db"));
    let ids = (0..=limits::ERASED_MAX).map(|number| one.revoke_async(Revocation::token_id(number.to_string())));
    let pending: Vec<_> = ids.collect();
    one.refresh_at(at(1)).unwrap();
    drop(pending);
    let all = records(&one);
    let refused = one.insecure_erase(&all).unwrap_err();
    assert!(matches!(refused, Error::Log(_)) && refused.to_string().contains("10000"), "{refused}");
    assert_eq!(records(&one).len(), limits::ERASED_MAX + 1, "nothing was erased");
    assert_eq!(one.insecure_erase(&all[1..]).unwrap(), limits::ERASED_MAX);
}
