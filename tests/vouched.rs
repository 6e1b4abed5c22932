//! Tokens that another library has verified: whether they were logged out is asked here all the same. And engines with
//! keys and policies of their own on one log.

mod common;

use std::time::Duration;

use common::{NOW, b64, keys, with_claims};
use signoff::{
    Algorithm, Cleared, ClockTrust, Denied, Engine, Error, Key, KeySet, Log, Policy, Reject, Revocation, RevokeError,
    Revoked, Scope, Scratch, Status, Threads, Times, UnixTime, VouchedToken,
};

fn now() -> Times {
    Times::at(UnixTime::from_secs(NOW))
}

fn engine() -> Engine {
    Engine::open(keys(), Policy::new(), Log::memory().threads(Threads::None)).unwrap()
}

/// A token of an algorithm that is not here. Its signature says nothing, since the caller vouches for it.
fn by_another(header: &str, claims: &str) -> String {
    format!("{}.{}.{}", b64(header), b64(claims), b64("a signature of another library"))
}

fn rs256(claims: &str) -> String {
    by_another(r#"{"alg":"RS256","typ":"JWT"}"#, claims)
}

fn screened(engine: &Engine, token: &str) -> Status {
    let verdict = engine.screen_at(VouchedToken::insecure_verified_elsewhere(token), now());
    verdict.map_or_else(|denied| denied.status(), |_| Status::Done)
}

#[test]
fn a_token_of_an_algorithm_that_is_not_here_can_be_logged_out() {
    let engine = engine();
    let (mine, other) = (rs256(r#"{"jti":"a","sub":"u"}"#), rs256(r#"{"jti":"b","sub":"u"}"#));
    assert_eq!(screened(&engine, &mine), Status::Done);
    let revocation = Revocation::vouched_token(VouchedToken::insecure_verified_elsewhere(&mine));
    assert!(matches!(engine.revoke_at(revocation, now()), Ok(Revoked::Recorded { .. })));
    assert_eq!(screened(&engine, &mine), Status::TokenRevoked);
    assert_eq!(screened(&engine, &other), Status::Done);
    engine.revoke_at(Revocation::subject("u"), now()).unwrap();
    assert_eq!(screened(&engine, &other), Status::TokenRevoked);
}

/// Without a `jti` the id is the hash of what was signed, so that another spelling of the signature is the same token.
#[test]
fn another_signature_over_the_same_claims_is_the_same_token() {
    let engine = engine();
    let one = rs256(r#"{"sub":"u","iat":1}"#);
    let (signing_input, _) = one.rsplit_once('.').unwrap();
    let another = format!("{signing_input}.{}", b64("another signature"));
    engine.revoke_at(Revocation::vouched_token(VouchedToken::insecure_verified_elsewhere(&one)), now()).unwrap();
    assert_eq!(screened(&engine, &another), Status::TokenRevoked);
}

#[test]
fn times_and_audience_are_the_callers_business_but_not_what_hides_a_claim() {
    let engine = engine();
    assert_eq!(screened(&engine, &rs256(r#"{"exp":1,"aud":"elsewhere"}"#)), Status::Done);
    let odd = rs256(r#"{"jti":"odd","aud":["a",7],"nbf":"soon","cnf":null}"#);
    assert_eq!(screened(&engine, &odd), Status::Done, "of what says nothing of a log-out any type will do");
    engine.revoke_at(Revocation::token_id("odd"), now()).unwrap();
    assert_eq!(screened(&engine, &odd), Status::TokenRevoked);
    for (token, expected) in [
        (rs256(r#"{"jti":"a","\u006ati":"b"}"#), Status::ClaimDuplicate),
        (rs256(r#"{"jti":7}"#), Status::ClaimMalformed),
        (rs256(r#"["jti"]"#), Status::ClaimsJson),
        (by_another(r#"{"alg":"RS256","crit":["exp"]}"#, "{}"), Status::HeaderCritical),
        (by_another(r#"{"alg":"RS256","alg":"none"}"#, "{}"), Status::HeaderDuplicate),
        (format!("{}=", rs256("{}")), Status::TokenCharacter),
        (format!("{}.{}.", b64(r#"{"alg":"none"}"#), b64("{}")), Status::SignatureMissing),
        ("x".repeat(20_000), Status::TokenTooLong),
    ] {
        assert_eq!(screened(&engine, &token), expected, "{token}");
    }
}

#[test]
fn an_engine_without_a_log_says_that_nothing_was_screened() {
    let engine = Engine::new(keys(), Policy::new()).unwrap();
    let token = rs256("{}");
    let vouched = VouchedToken::insecure_verified_elsewhere(&token);
    assert_eq!(engine.screen_at(vouched, now()), Ok(Cleared::NoLog));
    let refused = engine.revoke_at(Revocation::vouched_token(vouched), now());
    assert!(matches!(refused, Err(Error::Revoke(RevokeError::NoLog))), "{refused:?}");
}

/// Its revocation may have been collected, so that nobody can say any more whether it was logged out.
#[test]
fn a_token_that_expired_before_the_watermark_is_refused_as_expired() {
    let engine = engine();
    let token = rs256(&format!(r#"{{"exp":{}}}"#, NOW - 7200));
    assert_eq!(screened(&engine, &token), Status::Done);
    engine.compact_at(ClockTrust::Confirmed, now()).unwrap();
    assert_eq!(screened(&engine, &token), Status::ClaimExpired);
}

#[test]
fn engines_on_one_log_have_their_own_keys_and_policies_and_the_same_revocations() {
    let one = engine();
    let secret = [7; 32];
    let other = one
        .on_same_log(KeySet::new([Key::hmac(Algorithm::Hs256, &secret).unwrap()]).unwrap(), Policy::new().audience("b"))
        .unwrap();
    let token = with_claims(&format!(r#"{{"jti":"a","exp":{}}}"#, NOW + 60));
    let verify = |engine: &Engine| engine.verify_at(&mut Scratch::new(), &token, now()).map(|_| ());
    assert_eq!(verify(&one), Ok(()));
    assert_eq!(verify(&other), Err(Denied::Rejected(Reject::SignatureInvalid)));
    other.revoke_at(Revocation::token_id("a"), now()).unwrap();
    assert_eq!(verify(&one), Err(Denied::Rejected(Reject::Revoked { scope: Scope::Token })));
    drop(one);
    assert_eq!(screened(&other, &token), Status::TokenRevoked, "the log lives as long as its last engine");
    let refused = other.on_same_log(keys(), Policy::new().leeway(Duration::from_secs(3600)));
    assert_eq!(refused.map(|_| ()).map_err(|error| error.status()), Err(Status::PolicyInvalid));
}
