//! Signing, and what comes back of it through verification.

mod common;

use std::time::Duration;

use common::{CLAIMS, HEADER, SECRET, b64, engine, keys, times, token, with_claims};
use serde::{Deserialize, Serialize};
use signoff::{
    Algorithm, Cleared, Engine, Error, Key, KeySet, NewToken, NumericIds, Policy, Scratch, SignError, Status, TokenId,
    UnixTime,
};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Login {
    sub: String,
    roles: Vec<String>,
}

#[test]
fn a_signed_token_is_accepted_and_says_what_was_signed() {
    for algorithm in Algorithm::ALL {
        let key = Key::hmac(*algorithm, SECRET).unwrap().with_key_id("k-\"1\"");
        let engine = Engine::new(KeySet::new([key]).unwrap(), Policy::new()).unwrap();
        let login = Login { sub: "42".into(), roles: vec!["a".into(), "é".into()] };
        let signed = engine.sign_at(NewToken::from_claims(&login).expires_in(HOUR), times()).unwrap();
        let mut scratch = Scratch::new();
        let accepted = engine.verify_at(&mut scratch, signed.token(), times()).unwrap();
        assert_eq!(accepted.deserialize::<Login>().unwrap(), login);
        assert_eq!(accepted.token_id(), TokenId::Jti(signed.token_id().into()));
        assert_eq!(accepted.issued_at(), Some(signed.issued_at()));
        assert_eq!(accepted.expires_at(), Some(UnixTime::from_secs(1_700_003_600)));
        assert_eq!(accepted.cleared(), Cleared::NoLog);
        let header = signoff::UnverifiedToken::parse(signed.token().as_bytes(), 4096).unwrap().unverified_header();
        let expected = format!(r#"{{"alg":"{algorithm}","typ":"JWT","kid":"k-\"1\""}}"#);
        assert_eq!(String::from_utf8(header).unwrap(), expected);
    }
}

#[test]
fn claims_keep_their_order_and_spelling_and_the_rest_follows() {
    let sign = |claims: &str| {
        let signed = engine(Policy::new()).sign_at(NewToken::from_json(claims).expires_in(HOUR), times()).unwrap();
        let accepted = engine(Policy::new()).verify_owned_at(signed.token(), times()).unwrap();
        (accepted.payload().to_owned(), signed.token_id().to_owned())
    };
    let (payload, id) = sign("{\"z\":1.50,\"a\":\"\\u0061\"}");
    assert_eq!(
        payload,
        format!("{{\"z\":1.50,\"a\":\"\\u0061\",\"iat\":1700000000,\"exp\":1700003600,\"jti\":\"{id}\"}}")
    );
    let (payload, id) = sign(" { } ");
    assert_eq!(payload, format!(" {{ \"iat\":1700000000,\"exp\":1700003600,\"jti\":\"{id}\"}}"));
    let (payload, id) = sign("{\"jti\":\"\\u006dine\",\"iat\":1699999999.5}");
    assert_eq!(id, "mine");
    assert_eq!(payload, "{\"jti\":\"\\u006dine\",\"iat\":1699999999.5,\"exp\":1700003599.500}");
}

#[test]
fn a_token_id_is_a_random_uuid_of_version_4() {
    let engine = engine(Policy::new());
    let ids: std::collections::HashSet<_> = (0..1000)
        .map(|_| engine.sign(NewToken::from_json("{}").expires_in(HOUR)).unwrap().token_id().to_owned())
        .collect();
    assert_eq!(ids.len(), 1000);
    for id in ids {
        let shape: String =
            id.chars().map(|c| if c.is_ascii_hexdigit() && !c.is_uppercase() { 'x' } else { c }).collect();
        assert_eq!(shape, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
        assert!(id.as_bytes()[14] == b'4' && b"89ab".contains(&id.as_bytes()[19]), "{id}");
    }
}

#[test]
fn a_token_without_a_stated_end_is_not_signed() {
    let sign = |new: NewToken| engine(Policy::new().insecure_allow_missing_exp()).sign_at(new, times());
    assert!(matches!(sign(NewToken::from_json("{}")), Err(Error::Sign(SignError::ExpiryUnstated))));
    let never = sign(NewToken::from_json("{}").insecure_never_expires()).unwrap();
    assert_eq!(never.expires_at(), None);
    let own = sign(NewToken::from_json(CLAIMS)).unwrap();
    assert_eq!(own.expires_at(), Some(UnixTime::from_secs(1_700_003_600)));
    assert!(matches!(sign(NewToken::from_json(CLAIMS).expires_in(HOUR)), Err(Error::Sign(SignError::ExpiryTwice))));
    let forever = sign(NewToken::from_json("{}").expires_in(Duration::MAX));
    assert!(matches!(forever, Err(Error::Sign(SignError::ExpiryTooFar))));
}

#[test]
fn nothing_is_signed_that_verification_would_find_malformed() {
    let sign = |claims: &str| engine(Policy::new()).sign_at(NewToken::from_json(claims).expires_in(HOUR), times());
    for (claims, status) in [
        ("", Status::ClaimsJson),
        ("[]", Status::ClaimsJson),
        ("{\"a\":1}{}", Status::ClaimsJson),
        ("{\"sub\":42}", Status::ClaimMalformed),
        ("{\"jti\":\"\"}", Status::ClaimMalformed),
        ("{\"sid\":\"\"}", Status::ClaimMalformed),
        ("{\"iat\":\"now\"}", Status::ClaimMalformed),
        ("{\"iat\":1700000000000}", Status::ClaimTimeRange),
        ("{\"sub\":\"a\",\"sub\":\"b\"}", Status::ClaimDuplicate),
    ] {
        match sign(claims) {
            Err(Error::Sign(SignError::WouldBeRejected(reject))) => assert_eq!(reject.status(), status, "{claims}"),
            other => panic!("{claims}: {other:?}"),
        }
    }
    let old = engine(Policy::new().numeric_ids(NumericIds::AsText));
    let signed = old.sign_at(NewToken::from_json("{\"sub\":42}").expires_in(HOUR), times()).unwrap();
    assert_eq!(old.verify_owned_at(signed.token(), times()).unwrap().subject(), Some("42"));
    let unserialisable = std::collections::BTreeMap::from([((1, 2), 3)]);
    let error = old.sign(NewToken::from_claims(&unserialisable).expires_in(HOUR)).unwrap_err();
    assert_eq!(error.status(), Status::ClaimsInvalid);
}

#[test]
fn a_token_that_this_engine_would_find_too_long_is_not_signed() {
    let engine = engine(Policy::new().token_bytes_max(400));
    let sign = |bytes: usize| {
        let claims = format!("{{\"p\":\"{}\"}}", "x".repeat(bytes));
        engine.sign_at(NewToken::from_json(claims).expires_in(HOUR), times())
    };
    assert!(matches!(sign(300), Err(Error::Sign(SignError::TooLong { max: 400, .. }))));
    assert!(
        engine.verify_owned_at(sign(50).unwrap().token(), times()).is_ok_and(|accepted| accepted.subject().is_none())
    );
}

#[test]
fn the_first_key_signs_unless_another_is_named() {
    let keys = ["new", "old"].map(|id| Key::hmac(Algorithm::Hs256, SECRET).unwrap().with_key_id(id));
    let engine = Engine::new(KeySet::new(keys).unwrap(), Policy::new()).unwrap();
    let kid = |new: NewToken| {
        let signed = engine.sign_at(new.expires_in(HOUR), times()).unwrap();
        let header = signoff::UnverifiedToken::parse(signed.token().as_bytes(), 4096).unwrap().unverified_header();
        serde_json::from_slice::<serde_json::Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
    };
    assert_eq!(kid(NewToken::from_json("{}")), "new");
    assert_eq!(kid(NewToken::from_json("{}").key_id("old")), "old");
    let unknown = engine.sign_at(NewToken::from_json("{}").expires_in(HOUR).key_id("x"), times());
    assert!(matches!(unknown, Err(Error::Sign(SignError::NoSuchKey))));
}

#[test]
fn an_owned_result_outlives_its_token_and_says_the_same() {
    let claims = r#"{"iss":"https:\/\/a","sub":"\u00e9","aud":["x","\u0079"],"sid":"s","exp":1700003600,"nbf":1,"iat":1699999999.25}"#;
    let engine = engine(Policy::new().audience("x"));
    let owned = {
        let token = with_claims(claims);
        engine.verify_owned_at(&token, times()).unwrap()
    };
    let token = with_claims(claims);
    let mut scratch = Scratch::new();
    let borrowed = engine.verify_at(&mut scratch, &token, times()).unwrap();
    for accepted in [&owned, &owned.clone(), &borrowed] {
        assert_eq!(accepted.issuer(), Some("https://a"));
        assert_eq!(accepted.subject(), Some("é"));
        assert_eq!(accepted.session(), Some("s"));
        assert!(accepted.audiences().eq(["x", "y"]));
        assert_eq!(accepted.issued_at(), Some(UnixTime::from_millis(1_699_999_999_250)));
        assert_eq!(accepted.not_before(), Some(UnixTime::from_secs(1)));
        assert_eq!(accepted.payload(), claims);
    }
    assert_eq!(owned.token_id(), borrowed.token_id());
    fn extension<T: Clone + Send + Sync + 'static>(_: &T) {}
    extension(&owned);
    extension(&engine);
}

#[test]
fn a_token_without_jti_is_named_by_the_hash_of_what_was_signed() {
    let token = with_claims(CLAIMS);
    let accepted = engine(Policy::new()).verify_owned_at(&token, times()).unwrap();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, signed.as_bytes());
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(accepted.token_id().to_string(), format!("sha256:{hex}"));
    let posing = with_claims(&format!(r#"{{"exp":1700003600,"jti":"sha256:{hex}"}}"#));
    let posing = engine(Policy::new()).verify_owned_at(&posing, times()).unwrap();
    assert_ne!(posing.token_id(), accepted.token_id());
}

#[test]
fn authenticate_takes_any_payload_and_nothing_but_a_good_signature() {
    let engine = Engine::new(keys(), Policy::new().issuer("nobody")).unwrap();
    for payload in [&b""[..], b"\xff\x00 any bytes", b"[1]", br#"{"exp":1}"#] {
        let token = token(HEADER, payload);
        assert_eq!(engine.authenticate(&token).unwrap().payload(), payload);
        let denied = engine.authenticate(format!("{}A", &token[..token.len() - 1])).unwrap_err();
        assert!(matches!(denied.status(), Status::SignatureInvalid | Status::TokenBase64));
    }
}

#[test]
fn the_system_clock_is_used_where_none_is_given() {
    let engine = engine(Policy::new());
    let now = signoff::Times::now();
    let signed = engine.sign(NewToken::from_json("{}").expires_in(HOUR)).unwrap();
    assert!(signed.issued_at() <= now.wall().plus(Duration::from_secs(1)));
    let mut scratch = Scratch::new();
    assert!(
        engine.verify(&mut scratch, signed.token()).is_ok_and(|accepted| accepted.expires_at() == signed.expires_at())
    );
    // Not valid before this very millisecond: the coarse clock, which lags, is not what decides.
    for _ in 0..200 {
        let nbf = signoff::Times::now().wall();
        let signed = engine.sign(NewToken::from_json(format!("{{\"nbf\":{nbf}}}")).expires_in(HOUR)).unwrap();
        assert_eq!(engine.verify(&mut scratch, signed.token()).err(), None);
        let ended = engine.sign(NewToken::from_json(format!("{{\"exp\":{nbf}}}"))).unwrap();
        let denied = engine.verify(&mut scratch, ended.token()).unwrap_err();
        assert_eq!(denied.status(), Status::ClaimExpired);
    }
}

#[test]
fn what_an_engine_signs_the_same_engine_accepts() {
    let key = |issuers: &[&str]| {
        let key = Key::hmac(Algorithm::Hs256, SECRET).unwrap();
        if issuers.is_empty() { key } else { key.for_issuers(issuers.iter().copied()) }
    };
    let policies: [fn(Policy) -> Policy; 12] = [
        |policy| policy,
        |policy| policy.issuer("https://a"),
        |policy| policy.issuer("https://a").issuer("https://b"),
        |policy| policy.audience("api"),
        |policy| policy.audience("api").audience("web"),
        |policy| policy.subject("4\"2"),
        |policy| policy.token_type("at+jwt"),
        |policy| policy.token_type("at+jwt").token_type("application/jwt"),
        |policy| policy.token_type("at+jwt").token_type("rt+jwt").token_type_optional(),
        |policy| policy.claim_equals("token_use", "access").claim_equals("level", 2).claim_equals("mfa", true),
        |policy| policy.claim_equals("a\"b", "c\nd").claim_equals("e", "1").claim_equals("e", "2"),
        |policy| policy.lifetime_max(HOUR).require("tenant").insecure_allow_missing_exp(),
    ];
    let claims = [
        "{}",
        r#"{"iss":"https://a"}"#,
        r#"{"iss":"https://c"}"#,
        r#"{"aud":["x","web"]}"#,
        r#"{"aud":[],"sub":"43"}"#,
        r#"{"token_use":"id"}"#,
        r#"{"e":"2","tenant":"t"}"#,
        r#"{"cnf":{"jkt":"x"}}"#,
        r#"{"sub":42}"#,
        r#"{"exp":1700009000,"tenant":"t"}"#,
    ];
    let (mut signed, mut refused) = (0, 0);
    let pairs = (0..policies.len()).flat_map(|one| (one..policies.len()).map(move |other| (one, other)));
    let issuers = [&[][..], &["https://a"], &["https://b", "https://c"]];
    for (issuers, (one, other)) in issuers.iter().flat_map(|issuers| pairs.clone().map(move |pair| (issuers, pair))) {
        let policy = policies[one](policies[other](Policy::new()));
        let Ok(engine) = Engine::new(KeySet::new([key(issuers)]).unwrap(), policy) else { continue };
        for claims in claims {
            for new in [
                NewToken::from_json(claims),
                NewToken::from_json(claims).expires_in(HOUR),
                NewToken::from_json(claims).expires_in(HOUR).token_type("rt+jwt"),
                NewToken::from_json(claims).insecure_never_expires(),
            ] {
                match engine.sign_at(new, times()) {
                    Ok(token) => {
                        let denied = engine.verify_owned_at(token.token(), times()).err();
                        assert!(denied.is_none(), "{claims}: {denied:?} {:?}", engine.policy());
                        signed += 1;
                    }
                    Err(error) => {
                        let said = error.to_string();
                        assert!(matches!(error.status(), Status::ClaimsInvalid | Status::ExpiryUnstated), "{said}");
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(signed > 500 && refused > 500, "{signed} {refused}");
}

#[test]
fn the_engine_fills_in_what_its_policy_has_one_value_for() {
    let sign = |policy: Policy, claims: &str| {
        let engine = Engine::new(keys(), policy).unwrap();
        let signed = engine.sign_at(NewToken::from_json(claims).expires_in(HOUR), times()).unwrap();
        let header = signoff::UnverifiedToken::parse(signed.token().as_bytes(), 4096).unwrap().unverified_header();
        let accepted = engine.verify_owned_at(signed.token(), times()).unwrap();
        let claims: serde_json::Value = accepted.deserialize().unwrap();
        (serde_json::from_slice::<serde_json::Value>(&header).unwrap()["typ"].clone(), claims)
    };
    let policy = || Policy::new().issuer("i").audience("a").subject("s").token_type("at+jwt").claim_equals("level", 2);
    let (typ, claims) = sign(policy(), "{}");
    assert_eq!(typ, "at+jwt");
    for (name, value) in [("iss", "i"), ("aud", "a"), ("sub", "s")] {
        assert_eq!(claims[name], value);
    }
    assert_eq!(claims["level"], 2);
    // What is given is not touched, and where there are several the caller says which.
    let (_, claims) = sign(policy(), r#"{"aud":["a","b"]}"#);
    assert_eq!(claims["aud"], serde_json::json!(["a", "b"]));
    let several = Engine::new(keys(), Policy::new().audience("a").audience("b")).unwrap();
    let unsaid = several.sign_at(NewToken::from_json("{}").expires_in(HOUR), times()).unwrap_err().to_string();
    assert!(unsaid.contains("\"aud\" is missing"), "{unsaid}");
    let (typ, _) = sign(Policy::new(), "{}");
    assert_eq!(typ, "JWT");
    let (typ, _) = sign(Policy::new().token_type("at+jwt").token_type("x").token_type_optional(), "{}");
    assert_eq!(typ, serde_json::Value::Null, "which of two it is is not known, and none may be there");
}

#[test]
fn what_no_moment_will_make_good_is_not_signed() {
    let refused = |policy: Policy, new: NewToken| {
        let error = Engine::new(keys(), policy).unwrap().sign_at(new, times()).unwrap_err();
        assert_eq!(error.status(), Status::ClaimsInvalid, "{error}");
    };
    let claims = |claims: &str| NewToken::from_json(claims);
    refused(Policy::new().age_max(HOUR), claims(r#"{"iat":1699990000,"exp":1700003600}"#));
    refused(Policy::new(), claims(r#"{"iat":1700000600,"exp":1700003600}"#));
    refused(Policy::new(), claims(r#"{"iat":1699990600,"exp":1699990300}"#));
    refused(Policy::new(), claims(r#"{"nbf":1700000600,"exp":1700000300}"#));
    refused(Policy::new(), claims("{}").expires_in(Duration::ZERO));
    refused(Policy::new(), claims("{}").expires_in(Duration::from_micros(1)));
}

#[test]
fn a_token_that_another_key_would_be_asked_for_is_not_signed() {
    let verify = r#","key_ops":["verify"]"#;
    let other = b64(b"another secret of thirty-two byt");
    let strangers = (0..8).map(|_| format!(r#"{{"kty":"oct","alg":"HS256","k":"{other}"{verify}}}"#));
    let engine = engine_of(&strangers.chain([secret("")]).collect::<Vec<_>>());
    assert_eq!(engine.sign_at(new(), times()).unwrap_err().status(), Status::ClaimsInvalid, "the ninth is never tried");
    let (a, b) = (Key::hmac(Algorithm::Hs256, SECRET).unwrap(), Key::hmac(Algorithm::Hs256, SECRET).unwrap());
    let keys = KeySet::new([a.for_issuers(["a"]), b.for_issuers(["b"])]).unwrap();
    let engine = Engine::new(keys, Policy::new()).unwrap();
    let signed = engine.sign_at(new(), times()).unwrap();
    assert_eq!(common::status_of(&engine, signed.token()), Status::Done);
    // One secret in two roles has one id.
    let pair = engine_of(&[secret(r#","kid":"k","key_ops":["sign"]"#), secret(r#","kid":"k","key_ops":["verify"]"#)]);
    assert_eq!(common::status_of(&pair, pair.sign_at(new(), times()).unwrap().token()), Status::Done);
}

#[test]
fn what_only_time_stands_against_is_signed() {
    let engine = engine(Policy::new());
    for (claims, denied) in [
        (r#"{"exp":1699999999}"#, Status::ClaimExpired),
        (r#"{"exp":1700003600,"nbf":1700000600}"#, Status::ClaimNotYetValid),
    ] {
        let signed = engine.sign_at(NewToken::from_json(claims), times()).unwrap();
        assert_eq!(common::status_of(&engine, signed.token()), denied);
    }
}

const K32: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";

/// An engine of a JWKS with these members, the text of each.
fn engine_of(members: &[String]) -> Engine {
    let jwks = format!(r#"{{"keys":[{}]}}"#, members.join(","));
    Engine::new(KeySet::from_jwks(&jwks).unwrap(), Policy::new()).unwrap()
}

fn secret(more: &str) -> String {
    format!(r#"{{"kty":"oct","alg":"HS256","k":"{K32}"{more}}}"#)
}

fn new() -> NewToken {
    NewToken::from_json("{}").expires_in(HOUR)
}

#[test]
fn an_engine_does_not_sign_with_an_old_secret_because_the_newest_has_a_slip() {
    let slip = secret(r#","kid":"new""#).replace("\"alg\":\"HS256\",", "");
    let engine = engine_of(&[slip, secret(r#","kid":"old""#)]);
    let refused = engine.sign_at(new(), times()).unwrap_err();
    assert_eq!(refused.status(), Status::SigningKeyMissing);
    let said = refused.to_string();
    assert!(said.contains("key 0") && said.contains("\"new\"") && said.contains("it has no alg"), "{said}");
    let named = engine.sign_at(new().key_id("old"), times()).unwrap();
    assert_eq!(common::status_of(&engine, named.token()), Status::Done, "whoever names the key knows which");
    // A stranger that is passed over says nothing about the secrets.
    let engine = engine_of(&[r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(), secret("")]);
    engine.sign_at(new(), times()).unwrap();
}

#[test]
fn a_key_does_what_its_operations_say() {
    let engine = engine_of(&[secret(r#","kid":"v","key_ops":["verify"]"#), secret(r#","kid":"s","key_ops":["sign"]"#)]);
    let signed = engine.sign_at(new(), times()).unwrap();
    let header = signoff::UnverifiedToken::parse(signed.token().as_bytes(), 4096).unwrap().unverified_header();
    assert!(String::from_utf8(header).unwrap().contains("\"kid\":\"s\""));
    assert_eq!(common::status_of(&engine, signed.token()), Status::KeyNotFound, "what signs alone does not verify");
    let by_other = token(r#"{"alg":"HS256","kid":"v"}"#, CLAIMS);
    assert_eq!(
        common::status_of(&engine_of(&[secret(r#","kid":"v","key_ops":["verify"]"#)]), &by_other),
        Status::SignatureInvalid
    );
    let verifier = engine_of(&[secret(r#","key_ops":["verify"]"#)]);
    assert!(matches!(verifier.sign_at(new(), times()), Err(Error::Sign(SignError::MayNotSign))));
    let named = engine.sign_at(new().key_id("v"), times());
    assert!(matches!(named, Err(Error::Sign(SignError::MayNotSign))));
}
