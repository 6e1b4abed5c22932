//! Log out everywhere: no token that could have been accepted before lives on, and whoever logs in again is let in.

mod common;

use std::time::Duration;

use common::{NOW, keys, with_claims};
use signoff::{
    Denied, Engine, Error, Issuer, Log, LogError, NewToken, Policy, Reject, Revocation, Revoked, Scope, Scratch,
    Status, Threads, Times, UnixTime, VouchedToken,
};

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: i64) -> Times {
    Times::at(UnixTime::from_millis(NOW * 1000 + millis)).since_boot(Duration::from_secs(1_000_000))
}

fn engine_on(log: Log) -> Engine {
    Engine::open(keys(), Policy::new(), log.threads(Threads::None).max_staleness(Duration::from_secs(1 << 40))).unwrap()
}

fn engine() -> Engine {
    engine_on(Log::memory())
}

fn status(engine: &Engine, token: &str, now: Times) -> Status {
    match engine.verify_at(&mut Scratch::new(), token, now) {
        Ok(_) => Status::Done,
        Err(denied) => denied.status(),
    }
}

/// A token of alice by another signer, whose clock reads this.
fn issued(iat: &str) -> String {
    with_claims(&format!(r#"{{"sub":"alice","iat":{iat},"exp":{}}}"#, NOW + 3600))
}

fn log_out(engine: &Engine, now: Times) {
    let revoked = engine.revoke_at(Revocation::subject("alice"), now).unwrap();
    assert!(matches!(revoked, Revoked::Recorded { .. }), "{revoked:?}");
}

fn log_in(engine: &Engine, now: Times) -> String {
    let new = NewToken::from_json(r#"{"sub":"alice"}"#).expires_in(Duration::from_secs(3600));
    engine.sign_at(new, now).unwrap().into_token()
}

#[test]
fn a_token_that_was_issued_by_a_clock_ahead_does_not_outlive_a_log_out_everywhere() {
    for revocation in [Revocation::subject("alice"), Revocation::everything()] {
        let engine = engine();
        let ahead = [issued(&NOW.to_string()), issued(&format!("{}.999", NOW + 4)), issued(&(NOW + 5).to_string())];
        for token in &ahead {
            assert_eq!(status(&engine, token, at(0)), Status::Done, "accepted before");
        }
        engine.revoke_at(revocation, at(0)).unwrap();
        for now in [0, 1000, 5000, 6000, 60_000, 3_000_000] {
            for token in &ahead {
                assert_ne!(status(&engine, token, at(now)), Status::Done, "accepted {now} ms afterwards");
            }
        }
        assert_eq!(status(&engine, &issued(&(NOW + 6).to_string()), at(6000)), Status::Done, "a login afterwards");
    }
}

#[test]
fn how_far_issuers_may_run_ahead_is_a_fact_of_the_log_that_holds_for_every_engine_and_vouched_tokens() {
    let log = Log::memory();
    let engine = engine_on(log.clone().issued_in_future_max(Duration::from_secs(30)));
    for engine in [&engine, &engine_on(log.clone())] {
        for (iat, expected) in [(30, Status::Done), (31, Status::ClaimIssuedInFuture)] {
            let token = issued(&(NOW + iat).to_string());
            assert_eq!(status(engine, &token, at(0)), expected);
            let screened = engine.screen_at(VouchedToken::insecure_verified_elsewhere(&token), at(0));
            assert_eq!(screened.map_or_else(|denied| denied.status(), |_| Status::Done), expected, "vouched");
        }
    }
    // A policy can be stricter, and no looser.
    let strict = Policy::new().issued_in_future_max(SECOND);
    let strict = Engine::open(keys(), strict, log.clone().threads(Threads::None)).unwrap();
    assert_eq!(status(&strict, &issued(&(NOW + 2).to_string()), at(0)), Status::ClaimIssuedInFuture);
    let loose = Policy::new().issued_in_future_max(60 * SECOND);
    let loose = Engine::open(keys(), loose, log.clone().threads(Threads::None)).unwrap();
    assert_eq!(status(&loose, &issued(&(NOW + 31).to_string()), at(0)), Status::ClaimIssuedInFuture);
    // It is lowered, and never raised.
    let raised = Engine::open(keys(), Policy::new(), log.clone().issued_in_future_max(31 * SECOND)).map(|_| ());
    let stored = Duration::from_secs(30);
    assert_eq!(
        raised.unwrap_err().to_string(),
        Error::Log(LogError::AllowanceRaised { stored, asked: 31 * SECOND }).to_string()
    );
    let lowered = engine_on(log.issued_in_future_max(SECOND));
    engine.refresh_at(at(0)).unwrap();
    for engine in [&engine, &lowered] {
        assert_eq!(status(engine, &issued(&(NOW + 2).to_string()), at(0)), Status::ClaimIssuedInFuture);
    }
}

#[test]
fn a_lower_allowance_revives_nothing_that_an_engine_may_have_accepted_by_the_former() {
    let log = Log::memory();
    let engine = engine_on(log.clone().issued_in_future_max(60 * SECOND));
    let ahead = issued(&(NOW + 50).to_string());
    assert_eq!(status(&engine, &ahead, at(0)), Status::Done);
    // One that has not heard of it yet has accepted more than one that logs out now.
    let lowered = engine_on(log.issued_in_future_max(SECOND));
    log_out(&lowered, at(1));
    engine.refresh_at(at(2)).unwrap();
    for engine in [&engine, &lowered] {
        for now in [2, 50_000, 60_000, 600_000] {
            assert_ne!(status(engine, &ahead, at(now)), Status::Done, "accepted {now} ms afterwards");
        }
    }
}

#[test]
fn more_than_a_minute_is_refused_by_the_policy_and_by_the_log() {
    let over = Duration::from_secs(61);
    let by_policy = Engine::new(keys(), Policy::new().issued_in_future_max(over)).map(|_| ()).unwrap_err();
    let by_log = Engine::open(keys(), Policy::new(), Log::memory().issued_in_future_max(over)).map(|_| ()).unwrap_err();
    for error in [by_policy, by_log] {
        assert_eq!(error.status(), Status::PolicyInvalid);
        assert!(error.to_string().contains("60 s"), "{error}");
    }
}

#[test]
fn whoever_logs_in_again_through_sign_is_let_in_at_once_with_an_iat_in_whole_seconds() {
    let engine = engine();
    let before = log_in(&engine, at(250));
    log_out(&engine, at(250));
    let after = log_in(&engine, at(250));
    assert_eq!(status(&engine, &after, at(250)), Status::Done);
    assert_ne!(status(&engine, &before, at(250)), Status::Done);
    let iat = engine.verify_at(&mut Scratch::new(), &after, at(250)).unwrap().issued_at().unwrap();
    assert_eq!(iat, UnixTime::from_secs(NOW));
    // And is logged out by the next, in the same millisecond, and by a clock that has stepped back.
    log_out(&engine, at(250));
    assert_ne!(status(&engine, &after, at(250)), Status::Done);
    let again = log_in(&engine, at(251));
    assert_eq!(status(&engine, &again, at(251)), Status::Done);
    log_out(&engine, at(-20_000));
    for now in [-20_000, 251, 6000, 100_000] {
        assert_ne!(status(&engine, &again, at(now)), Status::Done, "accepted at {now} ms");
    }
    let last = log_in(&engine, at(-20_000));
    assert_eq!(status(&engine, &last, at(-20_000)), Status::Done);
}

#[test]
fn a_log_out_lies_behind_what_was_accepted_before_the_clock_was_set_back() {
    let engine = engine();
    engine.refresh_at(at(0)).unwrap();
    let token = issued(&NOW.to_string());
    assert_eq!(status(&engine, &token, at(0)), Status::Done);
    log_out(&engine, at(-20_000));
    for now in [-20_000, -5000, 0, 60_000] {
        assert_ne!(status(&engine, &token, at(now)), Status::Done, "accepted at {now} ms");
    }
    let after = log_in(&engine, at(-20_000));
    assert_eq!(status(&engine, &after, at(-20_000)), Status::Done);
    // A clock that was minutes ahead was wrong: nobody is locked out by it.
    let engine = engine_on(Log::memory());
    engine.refresh_at(at(3_600_000)).unwrap();
    log_out(&engine, at(0));
    assert_eq!(status(&engine, &issued(&(NOW + 6).to_string()), at(6000)), Status::Done);
}

#[test]
fn a_cut_off_that_nobody_knew_is_taken_out_of_claims_that_sign_is_given() {
    let engine = engine();
    let claims = format!(r#"{{"sub":"alice","signoff_after":{}}}"#, NOW + 121);
    let signed = engine.sign_at(NewToken::from_json(claims).expires_in(600 * SECOND), at(0)).unwrap();
    log_out(&engine, at(1000));
    assert_ne!(status(&engine, signed.token(), at(1000)), Status::Done);
}

#[test]
fn a_login_that_was_kept_and_renewed_is_kept_by_its_new_token_the_next_time() {
    let engine = engine();
    engine.revoke_at(Revocation::subject("alice").keep("s"), at(0)).unwrap();
    let renew = NewToken::from_json(r#"{"sub":"alice","sid":"s","jti":"n"}"#).expires_in(600 * SECOND);
    let renewed = engine.sign_at(renew, at(1000)).unwrap().into_token();
    engine.revoke_at(Revocation::subject("alice").keep("n"), at(2000)).unwrap();
    assert_eq!(status(&engine, &renewed, at(2000)), Status::Done, "it was signed behind the first");
}

#[test]
fn everybody_can_log_in_after_a_log_out_of_all_also_where_a_wrong_clock_has_written_of_somebody() {
    let engine = engine();
    engine.revoke_at(Revocation::subject("bob"), at(3_600_000)).unwrap();
    engine.revoke_at(Revocation::everything(), at(0)).unwrap();
    for now in [0, 1999, 119_000, 200_000] {
        let token = log_in(&engine, at(now));
        assert_eq!(status(&engine, &token, at(now)), Status::Done, "at {now} ms");
    }
    // And others are told when, which is two minutes at most.
    let denied = engine.verify_at(&mut Scratch::new(), &issued(&NOW.to_string()), at(0)).map(|_| ()).unwrap_err();
    let Denied::Rejected(reject) = denied else { panic!("{denied}") };
    assert_eq!(reject.retry_after(), Some(121 * SECOND));
    assert_eq!(status(&engine, &issued(&(NOW + 121).to_string()), at(121_000)), Status::Done);
}

#[test]
fn whoever_is_told_when_to_log_in_is_told_by_the_latest_of_all_cut_offs() {
    let engine = engine();
    log_out(&engine, at(0));
    let ahead = UnixTime::from_secs(NOW + 60);
    engine.revoke_at(Revocation::everything().issued_before(ahead), at(0)).unwrap();
    let denied = engine.verify_at(&mut Scratch::new(), &issued(&NOW.to_string()), at(0)).map(|_| ()).unwrap_err();
    let Denied::Rejected(reject) = denied else { panic!("{denied}") };
    assert_eq!(reject.retry_after(), Some(61 * SECOND));
    assert_eq!(status(&engine, &issued(&(NOW + 61).to_string()), at(61_000)), Status::Done);
}

#[test]
fn a_log_out_of_everybody_reaches_who_has_logged_in_again_a_moment_before() {
    let engine = engine();
    log_out(&engine, at(0));
    let after = log_in(&engine, at(0));
    assert_eq!(status(&engine, &after, at(0)), Status::Done);
    engine.revoke_at(Revocation::everything(), at(0)).unwrap();
    assert_ne!(status(&engine, &after, at(0)), Status::Done);
    // And the other way round.
    let after = log_in(&engine, at(0));
    assert_eq!(status(&engine, &after, at(0)), Status::Done);
    log_out(&engine, at(0));
    assert_ne!(status(&engine, &after, at(0)), Status::Done);
}

#[cfg(feature = "sqlite")]
#[test]
fn a_log_out_lies_behind_those_that_this_process_has_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let log = || Log::sqlite(folder.path().join("signoff.db")).create_if_missing();
    let (here, there) = (engine_on(log()), engine_on(log()));
    for revocation in [Revocation::subject("alice"), Revocation::everything()] {
        here.revoke_at(Revocation::subject("alice"), at(0)).unwrap();
        let after = log_in(&here, at(0));
        assert_eq!(status(&here, &after, at(0)), Status::Done);
        // By a clock that is behind, without having read.
        there.revoke_at(revocation, at(-10)).unwrap();
        here.refresh_at(at(1)).unwrap();
        for engine in [&here, &there] {
            assert_ne!(status(engine, &after, at(1)), Status::Done);
        }
        there.refresh_at(at(1)).unwrap();
    }
}

/// While a log-out waits for the disk, this process reads one of another that was made before it was asked for.
#[cfg(feature = "sqlite")]
#[test]
fn a_log_out_that_waits_lies_behind_those_that_are_read_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signoff.db");
    let there = engine_on(Log::sqlite(&path).create_if_missing());
    let here = Engine::open(keys(), Policy::new(), Log::sqlite(&path)).unwrap();
    let lock = rusqlite::Connection::open(&path).unwrap();
    for n in 0..30 {
        let user = || Revocation::subject(format!("user {n}"));
        // Cut-offs that lie behind each other, and the last ahead of what this process would choose.
        for _ in 0..30 {
            there.revoke_at(user(), Times::now()).unwrap();
        }
        let new = NewToken::from_json(format!(r#"{{"sub":"user {n}"}}"#)).expires_in(60 * SECOND);
        let token = there.sign(new).unwrap().into_token();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        let head = here.stats().log_applied;
        let mut first = here.revoke_async(Revocation::token_id(format!("holds the lock {n}")));
        let mut second = here.revoke_async(user());
        // It follows the log meanwhile.
        while here.stats().log_applied <= head && here.stats().log_applied < there.stats().log_head {
            std::thread::yield_now();
        }
        lock.execute_batch("ROLLBACK").unwrap();
        for waiting in [&mut first, &mut second] {
            let revoked = waiting.wait(Duration::from_secs(10)).unwrap().unwrap();
            assert!(matches!(revoked, Revoked::Recorded { .. }), "{revoked:?}");
        }
        assert!(here.verify_owned(&token).is_err(), "accepted by the process that logged out");
        there.refresh().unwrap();
        assert!(there.verify_owned(&token).is_err(), "accepted by another");
    }
}

#[test]
fn who_logs_in_again_through_another_signer_is_told_when_that_will_be_good() {
    let engine = engine();
    log_out(&engine, at(200));
    let again = issued(&NOW.to_string());
    let denied = engine.verify_at(&mut Scratch::new(), &again, at(1_500)).map(|_| ()).unwrap_err();
    let Denied::Rejected(reject @ Reject::TooSoon { scope: Scope::Subject, good_from, .. }) = &denied else {
        panic!("{denied:?}")
    };
    assert_eq!((*good_from, reject.retry_after()), (UnixTime::from_secs(NOW + 6), Some(5 * SECOND)));
    assert_eq!((denied.status(), denied.status().http_status()), (Status::TokenTooSoon, 401));
    assert!(denied.to_string().contains("log in again in 5 s"), "{denied}");
    // As it says: a second before not, and then it is.
    assert_eq!(status(&engine, &issued(&(NOW + 5).to_string()), at(5_999)), Status::TokenTooSoon);
    assert_eq!(status(&engine, &issued(&(NOW + 6).to_string()), at(6_000)), Status::Done);
    // What was issued long before was simply logged out, and so was the other afterwards.
    assert_eq!(status(&engine, &issued(&(NOW - 120).to_string()), at(1_500)), Status::TokenRevoked);
    assert_eq!(status(&engine, &again, at(6_000)), Status::TokenRevoked);
    let none = with_claims(&format!(r#"{{"sub":"alice","exp":{}}}"#, NOW + 3600));
    assert_eq!(status(&engine, &none, at(1_500)), Status::TokenRevoked);
}

#[test]
fn another_signer_can_ask_what_its_token_has_to_say() {
    let engine = engine();
    let claims = r#"{"sub":"alice"}"#;
    assert_eq!(engine.signoff_after_at(claims, at(0)).unwrap(), None);
    log_out(&engine, at(250));
    let after = engine.signoff_after_at(claims, at(300)).unwrap().unwrap();
    assert_eq!(after, UnixTime::from_millis(NOW * 1000 + 5250));
    let token = with_claims(&format!(r#"{{"sub":"alice","iat":{NOW},"signoff_after":{after},"exp":{}}}"#, NOW + 60));
    assert_eq!(status(&engine, &token, at(300)), Status::Done);
    assert_eq!(engine.signoff_after_at(r#"{"sub":"bob"}"#, at(300)).unwrap(), None);
    assert_eq!(engine.signoff_after_at(claims, at(6000)).unwrap(), None, "the cut-off lies behind");
}

#[test]
fn a_cut_off_that_a_token_says_its_signer_knew_is_believed_only_where_it_can_be_true() {
    let engine = engine();
    log_out(&engine, at(0));
    let saying = |iat: i64, known: &str| {
        with_claims(&format!(r#"{{"sub":"alice","iat":{iat},"signoff_after":{known},"exp":{}}}"#, NOW + 3600))
    };
    for (token, expected) in [
        (saying(NOW, &(NOW + 5).to_string()), Status::Done),
        (saying(NOW, &format!("{}.999", NOW + 4)), Status::TokenTooSoon),
        // Years ahead, as somebody would write who may choose claims.
        (saying(NOW, "253402300799"), Status::TokenTooSoon),
        (saying(NOW, &(NOW + 122).to_string()), Status::TokenTooSoon),
        (saying(NOW, &(NOW + 121).to_string()), Status::Done),
        (saying(NOW - 200, &(NOW + 5).to_string()), Status::TokenRevoked),
        (saying(NOW, "\"1700000005\""), Status::ClaimMalformed),
        (saying(NOW, "1700000005,\"signoff_after\":1"), Status::ClaimDuplicate),
        (saying(NOW, "1,\"signoff\\u005fafter\":1700000005"), Status::ClaimDuplicate),
    ] {
        assert_eq!(status(&engine, &token, at(0)), expected, "{token}");
    }
    let without_iat = with_claims(&format!(r#"{{"sub":"alice","signoff_after":{},"exp":{}}}"#, NOW + 5, NOW + 60));
    assert_eq!(status(&engine, &without_iat, at(0)), Status::TokenRevoked);
}

#[test]
fn claims_that_are_taken_over_from_an_older_token_do_not_keep_a_new_one_from_being_good() {
    let engine = engine();
    log_out(&engine, at(0));
    let first = log_in(&engine, at(0));
    let claims: serde_json::Value =
        serde_json::from_str(engine.verify_at(&mut Scratch::new(), &first, at(0)).unwrap().payload()).unwrap();
    log_out(&engine, at(1000));
    let mut claims = claims.as_object().unwrap().clone();
    for name in ["iat", "exp", "jti"] {
        claims.remove(name);
    }
    assert!(claims.contains_key("signoff_after"));
    let renewed = engine.sign_at(NewToken::from_claims(&claims).expires_in(60 * SECOND), at(1000)).unwrap();
    assert_eq!(status(&engine, renewed.token(), at(1000)), Status::Done);
}

#[test]
fn a_token_is_spared_if_one_of_its_ids_stands_in_every_list_that_reaches_it() {
    let token = |jti: &str, iat: i64| {
        with_claims(&format!(r#"{{"sub":"alice","jti":"{jti}","sid":"s","iat":{iat},"exp":{}}}"#, NOW + 3600))
    };
    let (old, newer) = (token("a", NOW - 100), token("a", NOW - 10));
    let engine = engine();
    let cut_off = |secs: i64, keep: &[&str]| {
        let revocation = Revocation::subject("alice").issued_before(UnixTime::from_secs(secs));
        let revocation = keep.iter().fold(revocation, |all, id| all.keep(*id));
        engine.revoke_at(revocation, at(0)).unwrap();
    };
    cut_off(NOW - 50, &["a"]);
    assert_eq!(status(&engine, &old, at(2000)), Status::Done);
    // The list of the other one spares it too, but by another id.
    cut_off(NOW, &["s"]);
    assert_eq!(status(&engine, &old, at(2000)), Status::TokenRevoked);
    assert_eq!(status(&engine, &newer, at(2000)), Status::Done, "it lies behind the first");
    cut_off(NOW, &["a", "s"]);
    assert_eq!(status(&engine, &newer, at(2000)), Status::Done);
    cut_off(NOW, &["a"]);
    assert_eq!(status(&engine, &newer, at(2000)), Status::TokenRevoked, "of two at one time, both lists count");
}

#[test]
fn a_token_that_was_accepted_is_kept_by_both_of_its_ids() {
    let token = |jti: &str, sid: &str| {
        with_claims(&format!(r#"{{"sub":"alice"{jti}{sid},"iat":{},"exp":{}}}"#, NOW - 60, NOW + 3600))
    };
    let (here, refresh) = (token(r#","jti":"a""#, r#","sid":"s""#), token(r#","jti":"b""#, r#","sid":"s""#));
    let other = token(r#","jti":"c""#, r#","sid":"t""#);
    let engine = engine();
    let mut scratch = Scratch::new();
    let accepted = engine.verify_at(&mut scratch, &here, at(0)).unwrap();
    engine.revoke_at(Revocation::subject("alice").keep(&accepted), at(0)).unwrap();
    let record = engine.revocations().unwrap().last().unwrap().unwrap();
    assert_eq!(record.keep, ["a", "s"]);
    let all = [&here, &refresh, &other].map(|token| status(&engine, token, at(6000)));
    assert_eq!(all, [Status::Done, Status::Done, Status::TokenRevoked]);
    // Without any id there is nothing to keep it by: that is said, rather than ending the login here too.
    let (nameless, mut scratch) = (token("", ""), Scratch::new());
    let engine = engine_on(Log::memory());
    let accepted = engine.verify_at(&mut scratch, &nameless, at(0)).unwrap();
    let refused = engine.revoke_at(Revocation::subject("alice").keep(&accepted), at(0)).unwrap_err();
    assert_eq!(refused.status(), Status::RevocationInvalid);
}

#[test]
fn cut_offs_for_one_issuer_and_for_any_are_judged_each_by_itself() {
    let token = with_claims(&format!(
        r#"{{"sub":"alice","iss":"i","jti":"a","sid":"s","iat":{},"exp":{}}}"#,
        NOW - 100,
        NOW + 3600
    ));
    let engine = engine();
    let cut_off = |issuer: Issuer, keep: &str| {
        engine.revoke_at(Revocation::subject("alice").issuer(issuer).keep(keep), at(0)).unwrap();
    };
    cut_off(Issuer::from("i"), "a");
    cut_off(Issuer::Any, "s");
    assert_eq!(status(&engine, &token, at(0)), Status::Done, "each spares it");
    cut_off(Issuer::from("j"), "x");
    cut_off(Issuer::Absent, "x");
    assert_eq!(status(&engine, &token, at(0)), Status::Done, "those of others do not mean it");
    cut_off(Issuer::from("i"), "s");
    assert_ne!(status(&engine, &token, at(0)), Status::Done, "of its own issuer no id stands in both lists");
}

#[test]
fn a_cut_off_is_kept_at_least_as_long_as_those_of_the_same_tokens_before_it() {
    let engine = engine_on(Log::memory().longest_lifetime(Duration::from_secs(3600)));
    let late = UnixTime::from_secs(NOW + 86_400);
    engine.revoke_at(Revocation::subject("alice").keep_until(late), at(0)).unwrap();
    log_out(&engine, at(10));
    engine.revoke_at(Revocation::subject("bob"), at(10)).unwrap();
    let kept: Vec<_> = engine.revocations().unwrap().map(|record| record.unwrap().keep_until.unwrap()).collect();
    assert_eq!(kept[0], late.plus(Duration::from_secs(600)));
    assert_eq!(kept[1], kept[0]);
    assert!(kept[2] < kept[0], "somebody else's");
}

#[cfg(feature = "sqlite")]
#[test]
fn thousands_of_log_outs_everywhere_but_here_take_the_room_of_one_also_when_they_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = || Log::sqlite(folder.path().join("signoff.db")).create_if_missing();
    let engine = engine_on(log());
    let here = with_claims(&format!(r#"{{"sub":"alice","jti":"here","iat":{},"exp":{}}}"#, NOW - 9, NOW + 3600));
    let elsewhere = with_claims(&format!(r#"{{"sub":"alice","jti":"there","iat":{},"exp":{}}}"#, NOW - 9, NOW + 3600));
    // Many in one commit.
    let all: Vec<_> =
        (0..5000).map(|n| Revocation::subject("alice").keep("here").keep(format!("a login of moment {n}"))).collect();
    let own = Engine::open(keys(), Policy::new(), log().max_staleness(Duration::from_secs(1 << 40))).unwrap();
    let waiting: Vec<_> = (0..).zip(all).map(|(n, revocation)| own.revoke_async_at(revocation, at(n))).collect();
    for mut one in waiting {
        assert!(matches!(one.wait(Duration::from_secs(60)), Some(Ok(Revoked::Recorded { .. }))));
    }
    engine.refresh_at(at(0)).unwrap();
    for engine in [&own, &engine, &engine_on(log())] {
        assert_eq!(engine.stats().records[Scope::Subject as usize], (Scope::Subject, 1));
        assert_eq!(status(engine, &here, at(20_000)), Status::Done);
        assert_eq!(status(engine, &elsewhere, at(20_000)), Status::TokenRevoked);
    }
    assert_eq!(engine.revocations().unwrap().count(), 5000, "the log has each");
}
