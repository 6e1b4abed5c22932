//! What a revocation means: which tokens, of whom, until when, and what `revoke` answers.

mod common;

use std::time::Duration;

use common::{NOW, keys, token, with_claims};
use signoff::{
    Cleared, ClockTrust, Denied, Durability, Engine, Error, Issuer, Log, NewToken, OnUnknown, Policy, Reject,
    Revocation, RevocationStatus, RevokeError, Revoked, Scope, Scratch, Status, Threads, Times, TokenId, UnixTime,
    Unknown, VouchedToken, WhyUnknown,
};

fn at(secs: i64) -> Times {
    Times::at(UnixTime::from_secs(secs))
}

fn at_millis(millis: i64) -> Times {
    Times::at(UnixTime::from_millis(millis))
}

fn engine() -> Engine {
    engine_on(Log::memory())
}

fn engine_on(log: Log) -> Engine {
    Engine::open(keys(), Policy::new(), log.threads(Threads::None)).unwrap()
}

fn status_at(engine: &Engine, token: &str, times: Times) -> Status {
    match engine.verify_at(&mut Scratch::new(), token, times) {
        Ok(accepted) => {
            assert!(matches!(accepted.cleared(), Cleared::NotRevoked(_)));
            Status::Done
        }
        Err(denied) => denied.status(),
    }
}

fn status(engine: &Engine, token: &str) -> Status {
    status_at(engine, token, at(NOW))
}

fn revoke(engine: &Engine, revocation: Revocation) -> Revoked {
    engine.revoke_at(revocation, at(NOW)).unwrap()
}

/// The claims of a token, as they were signed.
fn payload(token: &str) -> String {
    let payload = token.split('.').nth(1).unwrap();
    String::from_utf8(base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload).unwrap())
        .unwrap()
}

fn is_recorded(revoked: Revoked) -> bool {
    matches!(revoked, Revoked::Recorded { .. })
}

/// A token of a user, an hour old, that lives for another hour.
fn token_of(jti: &str, rest: &str) -> String {
    with_claims(&format!(r#"{{"jti":"{jti}","iat":{},"exp":{}{rest}}}"#, NOW - 3600, NOW + 3600))
}

#[test]
fn a_token_that_was_logged_out_is_refused_from_then_on_and_no_other_is() {
    let engine = engine();
    let (mine, other) = (token_of("a", ""), token_of("b", ""));
    assert_eq!(status(&engine, &mine), Status::Done);
    let accepted = engine.verify_owned_at(&mine, at(NOW)).unwrap();
    match revoke(&engine, Revocation::token(&accepted)) {
        Revoked::Recorded { durability, .. } => assert_eq!(durability, Durability::Memory),
        other => panic!("{other:?}"),
    }
    assert_eq!(status(&engine, &mine), Status::TokenRevoked);
    assert_eq!(status(&engine, &other), Status::Done);
    match engine.verify_at(&mut Scratch::new(), &mine, at(NOW)).unwrap_err() {
        Denied::Rejected(Reject::Revoked { scope }) => assert_eq!(scope, Scope::Token),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_without_jti_is_logged_out_by_what_was_signed_and_its_twin_is_not() {
    let engine = engine();
    let claims = |n: i64| with_claims(&format!(r#"{{"sub":"42","exp":{}}}"#, NOW + n));
    assert!(is_recorded(revoke(&engine, Revocation::token_text(claims(10)))));
    assert_eq!(status(&engine, &claims(10)), Status::TokenRevoked);
    assert_eq!(status(&engine, &claims(11)), Status::Done);
}

#[test]
fn a_jti_that_spells_a_hash_is_not_the_token_with_that_hash() {
    let engine = engine();
    let anonymous = with_claims(&format!(r#"{{"exp":{}}}"#, NOW + 10));
    let hash = engine.verify_owned_at(&anonymous, at(NOW)).unwrap().token_id().to_string();
    revoke(&engine, Revocation::token_id(hash.clone()));
    assert_eq!(status(&engine, &anonymous), Status::Done);
    assert_eq!(status(&engine, &token_of(&hash, "")), Status::TokenRevoked);
    revoke(&engine, Revocation::token_id(TokenId::from_printed(&hash).unwrap()));
    assert_eq!(status(&engine, &anonymous), Status::TokenRevoked);
}

#[test]
fn a_jti_spelled_with_escapes_is_the_same_jti() {
    let engine = engine();
    revoke(&engine, Revocation::token_id("abc"));
    let escaped = with_claims(&format!(r#"{{"\u006ati":"a\u0062c","exp":{}}}"#, NOW + 10));
    assert_eq!(status(&engine, &escaped), Status::TokenRevoked);
}

#[test]
fn another_spelling_of_a_revoked_token_is_malformed_and_never_good() {
    let engine = engine();
    let revoked = token_of("a", "");
    revoke(&engine, Revocation::token_text(revoked.clone()));
    let last = revoked.chars().last().unwrap();
    let near: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
    let spellings = near.iter().map(|c| format!("{}{c}", &revoked[..revoked.len() - 1]));
    for spelling in spellings.chain([format!("{revoked}="), format!("{revoked} "), revoked.replace('_', "/")]) {
        let expected = if spelling.ends_with(last) && spelling == revoked {
            Status::TokenRevoked
        } else {
            status(&engine, &spelling)
        };
        assert_eq!(status(&engine, &spelling), expected);
        assert_ne!(expected, Status::Done, "{spelling}");
    }
}

#[test]
fn the_same_jti_of_two_issuers_is_two_tokens_and_any_means_both() {
    let engine = engine();
    let [a, b, none] = [r#","iss":"a""#, r#","iss":"b""#, ""].map(|iss| token_of("x", iss));
    revoke(&engine, Revocation::token_text(a.clone()));
    assert_eq!([&a, &b, &none].map(|t| status(&engine, t)), [Status::TokenRevoked, Status::Done, Status::Done]);
    revoke(&engine, Revocation::token_id("x").issuer(Issuer::Absent));
    assert_eq!([&a, &b, &none].map(|t| status(&engine, t)), [Status::TokenRevoked, Status::Done, Status::TokenRevoked]);
    revoke(&engine, Revocation::token_id("x"));
    assert_eq!(status(&engine, &b), Status::TokenRevoked);
}

#[test]
fn a_session_ends_with_every_token_of_it_also_those_still_to_come() {
    let engine = engine();
    let later = with_claims(&format!(r#"{{"jti":"c","sid":"s","iat":{},"exp":{}}}"#, NOW + 5, NOW + 3600));
    let of_session = [token_of("a", r#","sid":"s""#), token_of("b", r#","sid":"s""#), later];
    let other = token_of("d", r#","sid":"t""#);
    revoke(&engine, Revocation::session("s"));
    assert!(of_session.iter().all(|token| status(&engine, token) == Status::TokenRevoked));
    assert_eq!(status(&engine, &other), Status::Done);
}

/// The cut-off lies at NOW.500; the matrix is that of one second.
#[test]
fn a_subjects_cut_off_is_exact_to_the_millisecond_where_the_token_is() {
    let engine = engine();
    let cut_off = UnixTime::from_millis(NOW * 1000 + 500);
    engine.revoke_at(Revocation::subject("u").issued_before(cut_off), at_millis(NOW * 1000 + 500)).unwrap();
    for (iat, expected) in [
        (format!(",\"iat\":{}", NOW - 1), Status::TokenRevoked),
        (format!(",\"iat\":{NOW}"), Status::TokenRevoked),
        (format!(",\"iat\":{NOW}.0"), Status::TokenRevoked),
        (format!(",\"iat\":{NOW}.499"), Status::TokenRevoked),
        (format!(",\"iat\":{NOW}.5"), Status::TokenRevoked),
        (format!(",\"iat\":{NOW}.501"), Status::Done),
        (format!(",\"iat\":{}", NOW + 1), Status::Done),
        (String::new(), Status::TokenRevoked),
        (",\"iat\":1e400".to_owned(), Status::ClaimsJson),
        (",\"iat\":-1".to_owned(), Status::ClaimMalformed),
        (format!(",\"iat\":\"{NOW}\""), Status::ClaimMalformed),
    ] {
        let token = with_claims(&format!(r#"{{"sub":"u","exp":{}{iat}}}"#, NOW + 3600));
        assert_eq!(status_at(&engine, &token, at(NOW + 2)), expected, "{iat}");
        let other = with_claims(&format!(r#"{{"sub":"v","exp":{}{iat}}}"#, NOW + 3600));
        assert_ne!(status_at(&engine, &other, at(NOW + 2)), Status::TokenRevoked);
    }
}

#[test]
fn what_is_kept_is_spared_from_that_cut_off_and_from_no_other() {
    let engine = engine();
    let here = token_of("here", r#","sub":"u","sid":"s1""#);
    let refresh = token_of("refresh", r#","sub":"u","sid":"s1""#);
    let elsewhere = token_of("elsewhere", r#","sub":"u","sid":"s2""#);
    revoke(&engine, Revocation::subject("u").keep("here"));
    let all = |engine: &Engine| [&here, &refresh, &elsewhere].map(|token| status(engine, token));
    assert_eq!(all(&engine), [Status::Done, Status::TokenRevoked, Status::TokenRevoked]);

    let engine = engine_on(Log::memory());
    revoke(&engine, Revocation::subject("u").keep("s1"));
    assert_eq!(all(&engine), [Status::Done, Status::Done, Status::TokenRevoked]);
    // Any matching cut-off revokes, whatever another one spares.
    revoke(&engine, Revocation::subject("u").keep("s2"));
    assert_eq!(all(&engine), [Status::TokenRevoked; 3]);
}

#[test]
fn of_several_cut_offs_any_that_matches_revokes_whatever_their_order() {
    for order in [[NOW - 10, NOW - 5000], [NOW - 5000, NOW - 10]] {
        let engine = engine();
        for cut_off in order {
            revoke(&engine, Revocation::subject("u").issued_before(UnixTime::from_secs(cut_off)));
        }
        assert_eq!(status(&engine, &token_of("a", r#","sub":"u""#)), Status::TokenRevoked);
    }
}

#[test]
fn everything_issued_before_a_time_can_be_ended_for_one_issuer_or_for_all() {
    let engine = engine();
    let (old, new) =
        (token_of("a", r#","iss":"i""#), with_claims(&format!(r#"{{"iat":{},"exp":{}}}"#, NOW - 9, NOW + 9)));
    revoke(&engine, Revocation::everything().issuer("j").issued_before(UnixTime::from_secs(NOW - 60)));
    assert_eq!(status(&engine, &old), Status::Done);
    revoke(&engine, Revocation::everything().issued_before(UnixTime::from_secs(NOW - 60)));
    assert_eq!((status(&engine, &old), status(&engine, &new)), (Status::TokenRevoked, Status::Done));
}

#[test]
fn a_story_change_password_stay_logged_in_here_log_out_everywhere_else() {
    let engine = engine();
    let now = NOW * 1000 + 250;
    let sign = |engine: &Engine, at: i64| {
        let new = NewToken::from_json(r#"{"sub":"alice"}"#).expires_in(Duration::from_secs(3600));
        engine.sign_at(new, at_millis(at)).unwrap()
    };
    // All within one second: two log-ins, the change of the password, and a log-in elsewhere after it.
    let (here, phone) = (sign(&engine, now), sign(&engine, now + 100));
    engine.revoke_at(Revocation::subject("alice").keep(here.token_id()), at_millis(now + 200)).unwrap();
    let fresh = sign(&engine, now + 300);
    let status = |token: &str| status_at(&engine, token, at_millis(now + 400));
    assert_eq!(status(here.token()), Status::Done);
    // It can't be told from one of another signer that was issued afterwards.
    assert_eq!(status(phone.token()), Status::TokenTooSoon);
    assert_eq!(status_at(&engine, phone.token(), at(NOW + 10)), Status::TokenRevoked);
    assert_eq!(status(fresh.token()), Status::Done);
}

#[test]
fn a_story_log_out_everywhere_then_log_in_again_within_one_second() {
    let engine = engine();
    let now = NOW * 1000 + 250;
    let new = || NewToken::from_json(r#"{"sub":"alice"}"#).expires_in(Duration::from_secs(3600));
    let before = engine.sign_at(new(), at_millis(now)).unwrap();
    engine.revoke_at(Revocation::subject("alice"), at_millis(now)).unwrap();
    // Even in the same millisecond.
    let after = engine.sign_at(new(), at_millis(now)).unwrap();
    assert_eq!(after.issued_at(), UnixTime::from_secs(NOW), "whole seconds, which every reader takes");
    assert_eq!(after.expires_at(), Some(UnixTime::from_secs(NOW + 3600)));
    assert_eq!(status_at(&engine, before.token(), at_millis(now)), Status::TokenTooSoon);
    assert_eq!(status_at(&engine, after.token(), at_millis(now)), Status::Done);
    assert!(payload(after.token()).contains("signoff_after"));
    // When the cut-off lies behind there is no need for it any more, and others were never touched.
    let other =
        engine.sign_at(NewToken::from_json(r#"{"sub":"bob"}"#).expires_in(Duration::from_secs(9)), at_millis(now));
    assert!(!payload(other.unwrap().token()).contains("signoff_after"));
    let later = engine.sign_at(new(), at_millis(now + 6000)).unwrap();
    assert!(!payload(later.token()).contains("signoff_after"));
    assert_eq!(status_at(&engine, later.token(), at_millis(now + 6000)), Status::Done);
}

#[test]
fn sign_refuses_a_token_that_its_own_index_would_refuse() {
    let engine = engine();
    let sign = |claims: String| {
        let new = NewToken::from_json(claims).expires_in(Duration::from_secs(9));
        engine.sign_at(new, at(NOW)).map_err(|error| error.status())
    };
    revoke(&engine, Revocation::session("s"));
    revoke(&engine, Revocation::subject("u"));
    assert_eq!(sign(r#"{"sid":"s"}"#.into()).unwrap_err(), Status::TokenRevoked);
    assert_eq!(sign(format!(r#"{{"sub":"u","iat":{}}}"#, NOW - 300)).unwrap_err(), Status::TokenRevoked);
    sign(r#"{"sub":"u","sid":"t"}"#.into()).unwrap();
    // A cut-off far ahead of a clock that was set back.
    assert_eq!(
        engine
            .sign_at(NewToken::from_json(r#"{"sub":"u"}"#).expires_in(Duration::from_secs(9)), at(NOW - 3600))
            .map_err(|error| error.status())
            .unwrap_err(),
        Status::TokenRevoked
    );
}

#[test]
fn a_token_that_has_expired_or_was_revoked_can_be_logged_out_again_but_not_one_of_somebody_else() {
    let engine = engine();
    let expired = with_claims(&format!(r#"{{"jti":"a","exp":{}}}"#, NOW - 60));
    assert!(is_recorded(revoke(&engine, Revocation::token_text(expired.clone()))));
    assert_eq!(revoke(&engine, Revocation::token_text(expired)), Revoked::AlreadyCovered);
    let good = token_of("b", "");
    let (head, _) = good.rsplit_once('.').unwrap();
    for (text, expected) in [
        (format!("{head}.{}", common::b64([1; 32])), Status::SignatureInvalid),
        ("garbage".to_owned(), Status::TokenParts),
        (with_claims(r#"{"jti":"a","jti":"b"}"#), Status::ClaimDuplicate),
        (with_claims(r#"{"jti":1}"#), Status::ClaimMalformed),
        (token(r#"{"alg":"none"}"#, "{}"), Status::HeaderAlgorithm),
    ] {
        let error = engine.revoke_at(Revocation::token_text(text), at(NOW)).unwrap_err();
        assert_eq!(error.status(), expected);
    }
}

#[test]
fn a_second_revocation_of_the_same_is_covered_and_a_longer_one_is_recorded_beside_it() {
    let engine = engine();
    let until = |secs| Revocation::token_id("a").keep_until(UnixTime::from_secs(secs));
    assert!(is_recorded(revoke(&engine, until(NOW + 100))));
    assert_eq!(revoke(&engine, until(NOW + 100)), Revoked::AlreadyCovered);
    assert_eq!(revoke(&engine, until(NOW + 50)), Revoked::AlreadyCovered);
    assert_eq!(revoke(&engine, until(NOW + 50).issuer("i")), Revoked::AlreadyCovered, "any issuer covers each");
    assert!(is_recorded(revoke(&engine, until(NOW + 1000))));
    // The longer one holds, whatever is collected of the shorter.
    engine.compact_at(ClockTrust::Confirmed, at(NOW + 800)).unwrap();
    let token = with_claims(&format!(r#"{{"jti":"a","exp":{}}}"#, NOW + 990));
    assert_eq!(status_at(&engine, &token, at(NOW + 801)), Status::TokenRevoked);
}

#[test]
fn longer_then_shorter_never_shortens() {
    let engine = engine();
    let until = |secs| Revocation::token_id("a").keep_until(UnixTime::from_secs(secs));
    revoke(&engine, until(NOW + 1000));
    revoke(&engine, until(NOW + 10));
    engine.compact_at(ClockTrust::Confirmed, at(NOW + 800)).unwrap();
    let token = with_claims(&format!(r#"{{"jti":"a","exp":{}}}"#, NOW + 990));
    assert_eq!(status_at(&engine, &token, at(NOW + 801)), Status::TokenRevoked);
}

#[test]
fn a_token_that_no_engine_can_accept_any_more_is_answered_so_and_nothing_is_appended() {
    let engine = engine();
    let long_gone = with_claims(&format!(r#"{{"jti":"a","exp":{}}}"#, NOW - 601));
    assert_eq!(revoke(&engine, Revocation::token_text(long_gone.clone())), Revoked::AlreadyExpired);
    assert_eq!(engine.revocations().unwrap().count(), 0);
    // And stays so when the clock goes back to when it was good.
    assert_eq!(status_at(&engine, &long_gone, at(NOW - 700)), Status::ClaimExpired);
}

#[test]
fn collection_forgets_at_ten_minutes_past_expiry_and_a_clock_that_steps_back_revives_nothing() {
    let open = |log: &Log, leeway| {
        Engine::open(keys(), Policy::new().leeway(Duration::from_secs(leeway)), log.clone().threads(Threads::None))
            .unwrap()
    };
    let log = Log::memory();
    let engine = open(&log, 0);
    let token = with_claims(&format!(r#"{{"jti":"a","exp":{}}}"#, NOW + 60));
    revoke(&engine, Revocation::token_text(token.clone()));
    revoke(&engine, Revocation::token_id("the newest is never collected"));
    let records = || engine.revocations().unwrap().count();
    engine.compact_at(ClockTrust::Confirmed, at(NOW + 659)).unwrap();
    assert_eq!(records(), 2);
    engine.compact_at(ClockTrust::Confirmed, at(NOW + 660)).unwrap();
    assert_eq!(records(), 1);
    // An engine with the most leeway, asked at a time long before.
    for engine in [&engine, &open(&log, 300)] {
        assert_eq!(status_at(engine, &token, at(NOW)), Status::ClaimExpired);
        assert_eq!(status_at(engine, &token, at(NOW + 61)), Status::ClaimExpired);
        let alive = with_claims(&format!(r#"{{"jti":"b","exp":{}}}"#, NOW + 61));
        assert_eq!(status_at(engine, &alive, at(NOW)), Status::Done);
    }
}

#[test]
fn collection_pauses_while_the_clock_stands_far_ahead_and_goes_on_when_told_that_it_is_right() {
    let engine = engine();
    revoke(&engine, Revocation::token_id("a").keep_until(UnixTime::from_secs(NOW + 60)));
    revoke(&engine, Revocation::token_id("b"));
    let year = at(NOW + 365 * 86_400);
    assert_eq!(engine.compact_at(ClockTrust::Doubt, year).unwrap().deleted, 0);
    let pause = engine.health().collection_pause.unwrap();
    assert!(pause.to_string().contains("--clock-is-right"), "{pause}");
    assert!(engine.stats().collection_paused);
    // A revocation recorded by that clock does not make it plausible.
    engine.revoke_at(Revocation::token_id("c"), year).unwrap();
    assert_eq!(engine.compact_at(ClockTrust::Doubt, year).unwrap().deleted, 0);
    assert_eq!(engine.compact_at(ClockTrust::Confirmed, year).unwrap().deleted, 1);
    assert_eq!(engine.health().collection_pause, None);
}

#[test]
fn collection_pauses_for_an_hour_after_the_clock_was_set() {
    let engine = engine();
    revoke(&engine, Revocation::token_id("a").keep_until(UnixTime::from_secs(NOW + 60)));
    revoke(&engine, Revocation::token_id("b"));
    let compact = |wall: i64, boot: u64| {
        let times = at(wall).since_boot(Duration::from_secs(boot));
        engine.compact_at(ClockTrust::Doubt, times).unwrap().deleted
    };
    assert_eq!(compact(NOW, 1000), 0);
    assert_eq!(compact(NOW + 7200, 1010), 0, "two hours in ten seconds");
    assert!(engine.health().collection_pause.is_some());
    assert_eq!(compact(NOW + 7200 + 3500, 1000 + 3510), 0);
    assert_eq!(compact(NOW + 7200 + 3700, 1000 + 3710), 1, "an hour of quiet");
}

#[test]
fn a_watermark_of_a_wrong_clock_can_be_taken_back_by_name() {
    let engine = engine();
    engine.compact_at(ClockTrust::Confirmed, at(NOW + 400 * 86_400)).unwrap();
    let token = token_of("a", "");
    assert_eq!(status(&engine, &token), Status::ClaimExpired);
    let before = engine.insecure_reset_watermark(at(NOW)).unwrap();
    assert_eq!(before, Some(UnixTime::from_secs(NOW + 400 * 86_400)));
    assert_eq!(status(&engine, &token), Status::Done);
}

#[test]
fn the_logs_longest_lifetime_binds_every_engine_and_lets_cut_offs_end() {
    let day = Duration::from_secs(86_400);
    let log = Log::memory();
    let engine = engine_on(log.clone().longest_lifetime(day));
    let lives = |secs: i64| with_claims(&format!(r#"{{"sub":"u","iat":{NOW},"exp":{}}}"#, NOW + secs));
    for engine in [&engine, &engine_on(log.clone())] {
        assert_eq!(status(engine, &lives(86_400)), Status::Done);
        assert_eq!(status(engine, &lives(86_401)), Status::ClaimLifetime);
        assert_eq!(status(engine, &with_claims(&format!(r#"{{"exp":{}}}"#, NOW + 9))), Status::ClaimMissing);
    }
    revoke(&engine, Revocation::subject("u"));
    let record = engine.revocations().unwrap().next().unwrap().unwrap();
    assert_eq!(record.keep_until, Some(UnixTime::from_secs(NOW + 5 + 86_400 + 600)));
    // It can be lowered, never raised.
    let raised = Engine::open(keys(), Policy::new(), log.clone().longest_lifetime(2 * day)).map(|_| ()).unwrap_err();
    assert_eq!(raised.status(), Status::LogLifetime);
    let lower = engine_on(log.longest_lifetime(day / 2));
    assert_eq!(status(&lower, &lives(86_400)), Status::ClaimLifetime);
}

#[test]
fn a_longest_lifetime_that_was_raised_counts_for_tokens_that_are_issued_when_everybody_knows() {
    let hour = Duration::from_secs(3600);
    let log = Log::memory();
    let engine = engine_on(log.clone().longest_lifetime(hour));
    revoke(&engine, Revocation::subject("u"));
    let from = engine.raise_longest_lifetime_at(24 * hour, at(NOW)).unwrap().as_secs();
    assert_eq!(from, NOW + 600);
    let verdict = |iat: i64, secs: i64, now: i64| {
        let token = with_claims(&format!(r#"{{"sub":"v","iat":{iat},"exp":{}}}"#, iat + secs));
        engine.verify_owned_at(&token, at(now)).map_or_else(|denied| denied.status(), |_| Status::Done)
    };
    let refresh = |now: i64| engine.refresh_at(at(now)).unwrap();
    assert_eq!(verdict(NOW, 3601, NOW), Status::ClaimLifetime);
    // Cut-offs are kept for as long as what they mean.
    let kept = |subject: &'static str, now: i64| {
        engine.revoke_at(Revocation::subject(subject), at(now)).unwrap();
        engine.revocations().unwrap().last().unwrap().unwrap().keep_until.unwrap().as_secs() - now
    };
    assert_eq!(kept("w", from - 6), 5 + 3600 + 600);
    refresh(from);
    assert_eq!(kept("x", from), 5 + 24 * 3600 + 600);
    assert_eq!(verdict(from - 1, 3601, from), Status::ClaimLifetime, "what was kept for an hour can't tell");
    assert_eq!(verdict(from, 24 * 3600, from), Status::Done);
    assert_eq!(verdict(from, 24 * 3600 + 1, from), Status::ClaimLifetime);
    // An engine that is still told the former does not take it back.
    drop(engine_on(log.longest_lifetime(hour)));
    refresh(from + 1);
    assert_eq!(verdict(from, 24 * 3600, from + 1), Status::Done);
    assert_eq!(engine.raise_longest_lifetime_at(48 * hour, at(from)).unwrap_err().status(), Status::LogLifetime);
}

#[test]
fn keep_until_lengthens_what_the_log_keeps_and_never_shortens_it() {
    let week = Duration::from_secs(7 * 86_400);
    let engine = engine_on(Log::memory().longest_lifetime(week));
    let until = |days: i64| UnixTime::from_secs(NOW + days * 86_400);
    // What the log keeps counts from the cut-off, five seconds ahead.
    let by_log = until(7).plus(Duration::from_secs(5));
    for (n, (days, kept)) in [(1, by_log), (30, until(30))].into_iter().enumerate() {
        revoke(&engine, Revocation::subject(format!("u{n}")).keep_until(until(days)));
        let record = engine.revocations().unwrap().last().unwrap().unwrap();
        assert_eq!(record.keep_until, Some(kept.plus(Duration::from_secs(600))));
    }
}

#[test]
fn a_watermark_that_was_taken_back_lets_new_log_outs_be_kept() {
    let log = Log::memory();
    let (engine, other) = (engine_on(log.clone()), engine_on(log));
    engine.compact_at(ClockTrust::Confirmed, at(NOW + 6 * 86_400)).unwrap();
    other.refresh_at(at(NOW)).unwrap();
    engine.insecure_reset_watermark(at(NOW)).unwrap();
    other.refresh_at(at(NOW)).unwrap();
    let id = |n| Revocation::token_id(format!("t{n}")).keep_until(UnixTime::from_secs(NOW + 86_400));
    for n in 0..5000 {
        revoke(&engine, id(n));
    }
    for engine in [&engine, &other] {
        engine.refresh_at(at(NOW)).unwrap();
        for n in (0..5000).step_by(61) {
            let token = with_claims(&format!(r#"{{"jti":"t{n}","exp":{}}}"#, NOW + 86_400));
            assert_eq!(status(engine, &token), Status::TokenRevoked, "{n}");
        }
    }
}

#[test]
fn without_a_known_end_a_revocation_is_kept_for_ever() {
    let engine = engine();
    revoke(&engine, Revocation::subject("u"));
    revoke(&engine, Revocation::session("s"));
    revoke(&engine, Revocation::token_id("t"));
    assert!(engine.revocations().unwrap().all(|record| record.unwrap().keep_until.is_none()));
}

#[test]
fn slips_are_refused_with_their_names() {
    let engine = engine();
    let far = UnixTime::from_secs(NOW + 61);
    for (revocation, expected) in [
        (Revocation::token_id(""), "token id of a revocation is empty"),
        (Revocation::session(""), "session of a revocation is empty"),
        (Revocation::subject(""), "subject of a revocation is empty"),
        (Revocation::subject("u").issuer(""), "issuer of a revocation is empty"),
        (Revocation::subject("u").keep(""), "kept id of a revocation is empty"),
        (Revocation::token_id("a").keep("b"), "`keep` is for revocations of a subject"),
        (Revocation::session("a").issued_before(far), "`issued_before` is for revocations of a subject"),
        (Revocation::subject("a").issued_before(far), "lies ahead of now"),
        (Revocation::subject("x".repeat(2 << 20)), "over the limit"),
        (Revocation::subject("u").keep_until(UnixTime::from_secs(NOW)), "lies before now"),
        (Revocation::session("s").keep_until(UnixTime::from_millis(NOW)), "lies before now"),
        // Seconds for milliseconds: a success would have done nothing.
        (Revocation::token_id("a").keep_until(UnixTime::from_millis(NOW)), "nothing would be kept"),
    ] {
        let error = engine.revoke_at(revocation, at(NOW)).unwrap_err();
        assert_eq!(error.status(), Status::RevocationInvalid);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let near = UnixTime::from_secs(NOW + 60);
    assert!(is_recorded(revoke(&engine, Revocation::subject("a").issued_before(near))));
}

/// `revoke --token-id "$TOKEN"` would be recorded, log nobody out, and keep a token that is still good in the log.
#[test]
fn a_whole_token_where_an_id_goes_is_refused_with_what_to_give_instead() {
    let engine = engine();
    let token = token_of("a", "");
    for (revocation, claim) in [
        (Revocation::token_id(token.clone()), "jti"),
        (Revocation::token_id(format!(" Bearer {token}\n")), "jti"),
        (Revocation::token_id(format!("\"{token}\"")), "jti"),
        // As a server's log shows it, without its signature.
        (Revocation::token_id(token.rsplit_once('.').unwrap().0), "jti"),
        (Revocation::session(token.clone()), "sid"),
        (Revocation::subject(token.clone()), "sub"),
        (Revocation::subject("u").keep(token.as_str()), "jti or sid"),
    ] {
        let error = engine.revoke_at(revocation, at(NOW)).unwrap_err();
        assert_eq!(error.status(), Status::RevocationInvalid);
        let expected = format!("give its {claim}");
        assert!(error.to_string().contains("whole token") && error.to_string().contains(&expected), "{error}");
    }
    assert_eq!(engine.revocations().unwrap().count(), 0);
    // What only looks a little like one.
    for id in ["2026.01.31", "a.b.c", "a.b", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9.x=y"] {
        assert!(is_recorded(revoke(&engine, Revocation::token_id(id))), "{id}");
    }
}

#[test]
fn without_a_log_there_is_nothing_to_log_out_of() {
    let engine = Engine::new(keys(), Policy::new()).unwrap();
    let error = engine.revoke(Revocation::subject("u")).unwrap_err();
    assert!(matches!(error, Error::Revoke(RevokeError::NoLog)), "{error:?}");
    assert_eq!(error.status().name(), "no-log");
    let accepted = engine.verify_owned_at(token_of("a", ""), at(NOW)).unwrap();
    assert_eq!(accepted.cleared(), Cleared::NoLog);
}

#[test]
fn a_clone_and_another_engine_on_the_log_refuse_it_too() {
    let log = Log::memory();
    let (one, other) = (engine_on(log.clone()), engine_on(log));
    let token = token_of("a", "");
    revoke(&one, Revocation::token_text(token.clone()));
    assert_eq!(status(&one.clone(), &token), Status::TokenRevoked);
    other.refresh().unwrap();
    assert_eq!(status(&other, &token), Status::TokenRevoked);
}

#[test]
fn an_accepted_token_can_be_asked_for_again_later() {
    let engine = engine();
    let accepted = engine.verify_owned_at(token_of("a", ""), at(NOW)).unwrap();
    let status = |at| engine.is_revoked_at(&accepted, at).unwrap();
    assert!(matches!(status(at(NOW)), RevocationStatus::NotRevoked(_)));
    revoke(&engine, Revocation::token(&accepted));
    assert!(matches!(status(at(NOW)), RevocationStatus::Revoked { scope: Scope::Token, .. }));
}

#[test]
fn a_token_whose_record_was_collected_is_expired_and_never_not_revoked() {
    let engine =
        Engine::open(keys(), Policy::new().leeway(Duration::from_secs(5)), Log::memory().threads(Threads::None))
            .unwrap();
    engine.refresh_at(at(NOW)).unwrap();
    let accepted = engine.verify_owned_at(token_of("a", ""), at(NOW)).unwrap();
    revoke(&engine, Revocation::token(&accepted));
    // The newest record of a log is never collected.
    revoke(&engine, Revocation::session("s"));
    let exp = accepted.expires_at().unwrap().as_secs();
    assert_eq!(engine.compact_at(ClockTrust::Confirmed, at(exp + 700)).unwrap().deleted, 1);
    let status = |at| engine.is_revoked_at(&accepted, at).unwrap();
    assert!(matches!(status(at(exp + 5)), RevocationStatus::Expired { .. }));
    // Also where the clock has stepped back since.
    let stepped_back = status(at(NOW));
    assert!(
        matches!(stepped_back, RevocationStatus::Expired { now, .. } if now.as_secs() == exp + 700),
        "{stepped_back:?}"
    );
}

#[test]
fn only_a_token_that_was_issued_lately_by_a_clock_that_is_set_counts_as_young() {
    let young = Log::memory()
        .on_unknown(OnUnknown::AcceptYounger(Duration::from_secs(60)))
        .max_staleness(Duration::from_secs(10));
    let engine = engine_on(young);
    let times = |now: i64| at(now).since_boot(Duration::from_secs(5000));
    engine.refresh_at(at(NOW).since_boot(Duration::from_secs(1000))).unwrap();
    let screen = |iat: i64, now: i64| {
        let token = with_claims(&format!(r#"{{"iat":{iat},"exp":4000000000}}"#));
        engine
            .screen_at(VouchedToken::insecure_verified_elsewhere(&token), times(now))
            .map_or_else(|denied| denied.status(), |_| Status::Done)
    };
    assert_eq!(screen(NOW - 59, NOW), Status::Done);
    assert_eq!(screen(NOW - 60, NOW), Status::RevocationsStale);
    assert_eq!(screen(NOW + 5, NOW), Status::Done, "as far as clocks may differ");
    for from_the_future in [NOW + 6, 2_082_758_400] {
        assert_eq!(screen(from_the_future, NOW), Status::ClaimIssuedInFuture);
    }
    assert_eq!(screen(NOW, 0), Status::ClockNotSet);
    assert_eq!(screen(0, 0), Status::ClockNotSet);
}

/// The feed falls silent: each policy's verdict over time.
#[test]
fn a_silent_log_is_answered_as_the_policy_says_and_a_visible_revocation_binds_however_old() {
    let boot = |secs: u64| at(NOW).since_boot(Duration::from_secs(secs));
    let hour_old = token_of("a", "");
    let young = with_claims(&format!(r#"{{"iat":{},"exp":{}}}"#, NOW - 5, NOW + 60));
    let revoked = token_of("r", "");
    for (on_unknown, of_old, of_young) in [
        (OnUnknown::Reject, Status::RevocationsStale, Status::RevocationsStale),
        (OnUnknown::Accept, Status::Done, Status::Done),
        (OnUnknown::AcceptYounger(Duration::from_secs(60)), Status::RevocationsStale, Status::Done),
    ] {
        let engine = engine_on(Log::memory().on_unknown(on_unknown).max_staleness(Duration::from_secs(10)));
        engine.refresh_at(boot(1000)).unwrap();
        revoke(&engine, Revocation::token_text(revoked.clone()));
        let verdict = |token: &str, times| match engine.verify_at(&mut Scratch::new(), token, times) {
            Ok(accepted) => (Status::Done, Some(accepted.cleared())),
            Err(denied) => (denied.status(), None),
        };
        for token in [&hour_old, &young] {
            let (status, cleared) = verdict(token, boot(1010));
            assert_eq!(status, Status::Done);
            assert!(matches!(cleared, Some(Cleared::NotRevoked(_))));
        }
        for (token, expected) in [(&hour_old, of_old), (&young, of_young)] {
            let (status, cleared) = verdict(token, boot(1011));
            assert_eq!(status, expected, "{on_unknown:?}");
            let allowed = Some(Cleared::UnknownAllowed(WhyUnknown::Stale));
            assert!(status != Status::Done || cleared == allowed);
        }
        assert_eq!(verdict(&revoked, boot(99_999)).0, Status::TokenRevoked);
        // Logging out works meanwhile, and the next read brings it back.
        assert!(is_recorded(revoke(&engine, Revocation::session("s"))));
        engine.refresh_at(boot(2000)).unwrap();
        assert_eq!(verdict(&hour_old, boot(2001)).0, Status::Done);
    }
}

#[test]
fn an_engine_that_starts_unknown_says_so_until_it_has_read_the_log() {
    let engine = engine_on(Log::memory().start_unknown());
    let token = token_of("a", "");
    assert_eq!(status(&engine, &token), Status::RevocationsUnread);
    assert_eq!(engine.health().unknown, Some(Unknown::Unread));
    engine.refresh_at(at(NOW)).unwrap();
    assert_eq!(status(&engine, &token), Status::Done);
    assert!(engine.health().is_ready());
}

#[test]
fn a_future_of_a_revocation_needs_no_runtime() {
    use std::future::Future;
    use std::task::{Context, Poll, Wake, Waker};
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    for threads in [Threads::Own, Threads::None] {
        let engine = Engine::open(keys(), Policy::new(), Log::memory().threads(threads)).unwrap();
        let mut revoking = std::pin::pin!(engine.revoke_async(Revocation::session("s")));
        let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
        let outcome = loop {
            match revoking.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => break outcome,
                Poll::Pending if threads == Threads::None => engine.refresh().unwrap(),
                Poll::Pending => std::thread::park(),
            }
        };
        assert!(is_recorded(outcome.unwrap()));
        // By this machine's clock, which the log's threads go by too.
        let token = with_claims(&format!(r#"{{"sid":"s","exp":{}}}"#, Times::now().wall().as_secs() + 60));
        assert_eq!(status_at(&engine, &token, Times::now()), Status::TokenRevoked);
    }
}

#[test]
fn many_revocations_are_merged_and_each_still_binds() {
    let engine = engine();
    for n in 0..20_000 {
        revoke(&engine, Revocation::token_id(format!("t{n}")));
    }
    engine.refresh().unwrap();
    let stats = engine.stats();
    assert_eq!(stats.records[0], (Scope::Token, 20_000));
    assert!(stats.merges > 0 && stats.segments <= 3, "{stats:?}");
    for n in (0..20_000).step_by(97) {
        assert_eq!(status(&engine, &token_of(&format!("t{n}"), "")), Status::TokenRevoked, "{n}");
        assert_eq!(status(&engine, &token_of(&format!("u{n}"), "")), Status::Done, "{n}");
    }
}

/// What a token's `jti` looks like before its signature holds is used to warm memory, and must decide nothing.
#[test]
fn a_jti_that_is_only_guessed_decides_nothing_wherever_the_records_lie() {
    let engine = engine();
    // Both among the records that were sealed into segments, and those that came last.
    for n in 0..10_000 {
        revoke(&engine, Revocation::token_id(format!("sealed-{n}")));
    }
    engine.refresh().unwrap();
    revoke(&engine, Revocation::token_id("recent-1"));
    let mut scratch = Scratch::new();
    let mut status = |claims: &str| {
        let token = with_claims(&format!(r#"{{{claims},"exp":{}}}"#, NOW + 60));
        engine.verify_at(&mut scratch, &token, at(NOW)).map_or_else(|denied| denied.status(), |_| Status::Done)
    };
    for revoked in ["sealed-1", "sealed-9999", "recent-1"] {
        // Where the guess is right, and where it finds another text first, or at the place of the token before.
        for _ in 0..2 {
            for decoy in ["", r#""x":{"jti":"innocent"},"#, r#""x":"\"jti\":","#, r#""x":[{"jti":"sealed-2"}],"#] {
                assert_eq!(status(&format!(r#"{decoy}"jti":"{revoked}""#)), Status::TokenRevoked, "{decoy}");
                assert_eq!(status(&format!(r#"{decoy}"\u006ati":"{revoked}""#)), Status::TokenRevoked, "{decoy}");
            }
            assert_eq!(status(&format!(r#""x":{{"jti":"{revoked}"}},"jti":"innocent""#)), Status::Done);
            assert_eq!(status(&format!(r#""x":{{"jti":"{revoked}"}}"#)), Status::Done);
            assert_eq!(status(r#""jti":"innocent""#), Status::Done);
        }
    }
}

#[test]
fn the_names_of_the_stats_stay_and_count_what_was_done() {
    let engine = engine();
    revoke(&engine, Revocation::token_id("a"));
    let mut scratch = Scratch::new();
    for jti in ["a", "b", "b"] {
        let _verdict = engine.verify_at(&mut scratch, &token_of(jti, ""), at(NOW));
    }
    drop(scratch);
    let stats = engine.stats();
    assert_eq!(stats.verifications, [(Status::Done, 2), (Status::TokenRevoked, 1)]);
    let text = stats.prometheus();
    assert!(text.contains("signoff_verifications_total{code=\"token-revoked\"} 1\n"), "{text}");
    let names: String =
        text.lines().filter(|line| line.starts_with("# TYPE")).map(|line| format!("{line}\n")).collect();
    assert_eq!(names, include_str!("golden/prometheus.txt"));
}
