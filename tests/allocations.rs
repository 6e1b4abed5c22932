//! A warm verification allocates nothing, whatever its verdict.

mod common;

use allocation_counter::measure;
use std::time::Duration;

use common::{CLAIMS, HEADER, b64, engine, keys, times, token, with_claims};
use signoff::{Engine, Log, Policy, Revocation, Scratch, Status, Threads, UnixTime};

#[test]
fn a_warm_verification_allocates_nothing_whether_it_accepts_or_rejects() {
    let engine = engine(Policy::new().issuer("https://a.example").audience("api").require("tenant"));
    let claims = |rest: &str| format!(r#"{{"iss":"https://a.example","aud":["x","api"],"tenant":"t",{rest}}}"#);
    let good = with_claims(&claims(r#""exp":1700003600,"sub":"\u0061\u0062\u0063""#));
    let (head, _) = good.rsplit_once('.').unwrap();
    let cases = [
        (good.clone(), Status::Done),
        (with_claims(&claims(r#""exp":1700003600.5,"jti":"x","sid":"y""#)), Status::Done),
        (token(r#"{"alg":"HS256","typ":"other","kid":"unknown"}"#, claims(r#""exp":1700003600"#)), Status::Done),
        (with_claims(&claims(r#""exp":1"#)), Status::ClaimExpired),
        (with_claims(&claims(r#""exp":1700003600,"nbf":1700003600"#)), Status::ClaimNotYetValid),
        (with_claims(&claims(r#""exp":1,"exp":1"#)), Status::ClaimDuplicate),
        (with_claims(&claims(r#""exp":1700003600,"tenant":"u""#)), Status::ClaimDuplicate),
        (with_claims(&claims(r#""exp":"x""#)), Status::ClaimMalformed),
        (with_claims(&claims(r#""exp":1700003600000"#)), Status::ClaimTimeRange),
        (with_claims(r#"{"exp":1700003600,"iss":"https://a.example","aud":"api"}"#), Status::ClaimMissing),
        (with_claims(CLAIMS), Status::ClaimMissing),
        (with_claims("not json"), Status::ClaimsJson),
        (token(HEADER, b"\xff\xfe"), Status::ClaimsJson),
        (format!("{head}.{}", b64([1; 32])), Status::SignatureInvalid),
        (format!("{head}.{}", b64([1; 31])), Status::SignatureLength),
        (format!("{head}.{}", b64([1; 4000])), Status::SignatureLength),
        (format!("{head}."), Status::SignatureMissing),
        (format!("{good}="), Status::TokenCharacter),
        (format!("{head}.A"), Status::TokenBase64),
        (".".repeat(9000), Status::TokenParts),
        ("x".repeat(16_384), Status::TokenParts),
        ("x".repeat(20_000), Status::TokenTooLong),
        (token(r#"{"alg":"none"}"#, CLAIMS), Status::HeaderAlgorithm),
        (token(r#"{"alg":"HS512"}"#, CLAIMS), Status::KeyNotFound),
        (token(r#"{"alg":"HS256","alg":"HS256"}"#, CLAIMS), Status::HeaderDuplicate),
        (token(r#"{"alg":"HS256","crit":[]}"#, CLAIMS), Status::HeaderCritical),
        (token(r#"{"alg":"HS256","kid":1}"#, CLAIMS), Status::HeaderMalformed),
        (token("{", CLAIMS), Status::HeaderJson),
    ];
    let mut scratch = Scratch::new();
    let mut verify = |token: &str| match engine.verify_at(&mut scratch, token, times()) {
        Ok(accepted) => {
            assert_eq!(accepted.issuer(), Some("https://a.example"));
            Status::Done
        }
        Err(denied) => denied.status(),
    };
    for (token, expected) in &cases {
        assert_eq!(verify(token), *expected, "{token}");
    }
    for (token, expected) in &cases {
        let allocations = measure(|| assert_eq!(verify(token), *expected)).count_total;
        assert_eq!(allocations, 0, "{} allocated", expected.name());
    }
}

#[test]
fn a_warm_verification_allocates_nothing_beside_revocations_of_every_scope() {
    let log = Log::memory().threads(Threads::None).max_staleness(Duration::from_secs(1));
    let engine = Engine::open(keys(), Policy::new(), log).unwrap();
    let now = || times().since_boot(Duration::from_secs(10));
    engine.refresh_at(now()).unwrap();
    let revoke = |revocation: Revocation| {
        engine.revoke_at(revocation, now()).unwrap();
    };
    for n in 0..5000 {
        revoke(Revocation::token_id(format!("t{n}")).issuer("i"));
    }
    engine.refresh_at(now()).unwrap();
    let anonymous = with_claims(r#"{"sub":"nobody","iat":1699990000,"exp":1700003600}"#);
    revoke(Revocation::token_id("recent"));
    revoke(Revocation::token_text(anonymous.clone()));
    revoke(Revocation::session("s"));
    revoke(Revocation::subject("u").keep("kept"));
    revoke(Revocation::everything().issuer("ended").issued_before(UnixTime::from_secs(1_699_999_000)));
    let token = |rest: &str| with_claims(&format!(r#"{{"iat":1699990000,"exp":1700003600{rest}}}"#));
    let cases = [
        (token(r#","jti":"other","iss":"i","sid":"t","sub":"v""#), Status::Done),
        (token(r#","jti":"\u0074x","iss":"i""#), Status::Done),
        (token(r#","jti":"t7","iss":"j""#), Status::Done),
        (token(r#","jti":"kept","sub":"u""#), Status::Done),
        (token(r#","sub":"other""#), Status::Done),
        (token(r#","jti":"t7","iss":"i""#), Status::TokenRevoked),
        (token(r#","jti":"recent""#), Status::TokenRevoked),
        (anonymous, Status::TokenRevoked),
        (token(r#","jti":"a","sid":"s""#), Status::TokenRevoked),
        (token(r#","jti":"a","sub":"u""#), Status::TokenRevoked),
        (token(r#","jti":"a","iss":"ended""#), Status::TokenRevoked),
    ];
    let mut scratch = Scratch::new();
    let mut verify = |token: &str, times| match engine.verify_at(&mut scratch, token, times) {
        Ok(_) => Status::Done,
        Err(denied) => denied.status(),
    };
    for (token, expected) in &cases {
        assert_eq!(verify(token, now()), *expected, "{token}");
    }
    for (token, expected) in &cases {
        let allocations = measure(|| assert_eq!(verify(token, now()), *expected)).count_total;
        assert_eq!(allocations, 0, "{} allocated", expected.name());
    }
    let stale = times().since_boot(Duration::from_secs(100));
    let allocations = measure(|| assert_eq!(verify(&cases[0].0, stale), Status::RevocationsStale)).count_total;
    assert_eq!(allocations, 0, "an unknown allocated");
}

#[test]
fn the_counter_sees_an_allocation_where_there_is_one() {
    let engine = engine(Policy::new());
    let good = with_claims(CLAIMS);
    let owned = || engine.verify_owned_at(&good, times()).map(|accepted| accepted.subject() == Some("42"));
    assert_eq!(owned(), Ok(true));
    assert!(measure(|| assert_eq!(owned(), Ok(true))).count_total > 0);
}

#[test]
fn what_a_cold_verification_allocates_is_bounded_by_the_limit_and_not_by_what_a_token_says() {
    let engine = engine(Policy::new());
    let huge = ["9".repeat(11_000), "x".repeat(16_000), ".".repeat(16_000)];
    for text in &huge {
        let bytes = measure(|| {
            let denied = engine.verify_at(&mut Scratch::new(), text, times()).unwrap_err();
            assert_eq!(denied.status(), Status::TokenParts);
        });
        assert!(bytes.bytes_max <= 64 * 1024, "{} bytes", bytes.bytes_max);
    }
}

#[test]
fn a_scratch_that_goes_from_engine_to_engine_allocates_nothing_and_each_counts_its_own() {
    let engines: Vec<_> = (0..4).map(|_| engine(Policy::new())).collect();
    // Many others that count there too.
    let mut others: Vec<_> = (0..1000).map(|_| Scratch::new()).collect();
    let good = with_claims(CLAIMS);
    for scratch in &mut others {
        engines.iter().for_each(|engine| drop(engine.verify_at(scratch, &good, times()).unwrap()));
    }
    let mut scratch = Scratch::new();
    let mut turn = || engines.iter().for_each(|engine| drop(engine.verify_at(&mut scratch, &good, times()).unwrap()));
    turn();
    assert_eq!(measure(|| (0..10).for_each(|_| turn())).count_total, 0);
    for engine in &engines {
        assert_eq!(engine.stats().verifications, [(Status::Done, 1011)]);
    }
    // What was counted outlives whoever counted.
    drop((others, scratch));
    assert_eq!(engines[0].stats().verifications, [(Status::Done, 1011)]);
}

#[test]
fn what_only_unsigned_tokens_were_long_enough_for_is_given_back() {
    let engine = engine(Policy::new().token_bytes_max(1 << 20));
    let long = |filler: &str| with_claims(&format!(r#"{{"exp":1700003600,"p":"{}"}}"#, filler.repeat(100_000)));
    let (long, escaped) = (long("xxxxxx"), long(r"\n"));
    let forged = |token: &str| format!("{}.{}", token.rsplit_once('.').unwrap().0, b64([1; 32]));
    let long_header = token(format!(r#"{{"alg":"HS256","p":"{}"}}"#, "x".repeat(500_000)), CLAIMS);
    let kept = |tokens: &[&str]| {
        let bytes = measure(|| {
            let mut scratch = Scratch::new();
            for token in tokens {
                let _verdict = engine.verify_at(&mut scratch, *token, times()).is_ok();
            }
            let _ended = engine.verify_at(&mut scratch, &with_claims(CLAIMS), times()).is_ok();
            std::mem::forget(scratch);
        });
        usize::try_from(bytes.bytes_current).unwrap()
    };
    let few = kept(&[]);
    for unsigned in [forged(&long), forged(&escaped), forged(&long_header)] {
        assert!(kept(&[&unsigned]) <= few + 3 * signoff::limits::SCRATCH_BYTES_KEPT, "{}", kept(&[&unsigned]));
    }
    for signed in [&long, &long_header] {
        assert!(kept(&[signed, &forged(&long)]) > 400_000, "of a signed token it stays");
    }
    // And is then there for the next of them.
    let mut scratch = Scratch::new();
    let mut verify = || drop(engine.verify_at(&mut scratch, &long, times()).unwrap());
    verify();
    assert_eq!(measure(verify).count_total, 0);
}
