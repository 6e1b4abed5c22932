//! Attacks and malformed tokens: each gets its exact status, beside a twin that differs in one thing
//! and is accepted. `docs/threats.md` has a row for each.

mod common;

use std::time::Duration;

use common::{
    CLAIMS, HEADER, NOW, SECRET, b64, engine, keys, mac, reject, status, status_of, status_under, token, with_claims,
};
use signoff::{Algorithm, Engine, Key, KeyError, KeySet, NumericIds, Policy, Reject, Scratch, Status, Times, UnixTime};

fn never_ends() -> Policy {
    Policy::new().insecure_allow_missing_exp()
}

#[test]
fn the_plain_token_that_all_twins_start_from_is_accepted() {
    assert_eq!(status(with_claims(CLAIMS)), Status::Done);
}

#[test]
fn none_in_every_spelling_is_no_algorithm() {
    for alg in ["none", "None", "NONE", "nOnE", "noNE", "", "none ", "n\\u006fne", "hs256", "HS256 ", "HS-256", "RS256"]
    {
        let header = format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
        let unsigned = format!("{}.{}.", b64(&header), b64(CLAIMS));
        assert_eq!(status(&unsigned), Status::HeaderAlgorithm, "{alg} unsigned");
        assert_eq!(status(token(&header, CLAIMS)), Status::HeaderAlgorithm, "{alg} signed");
    }
    assert_eq!(status(token(r#"{"alg":"HS256"}"#, CLAIMS)), Status::Done);
    assert_eq!(status(token(r#"{"alg":"\u0048S256"}"#, CLAIMS)), Status::Done);
}

#[test]
fn an_unsigned_token_is_rejected_before_any_key_is_looked_for() {
    let unsigned = format!("{}.{}.", b64(HEADER), b64(CLAIMS));
    assert_eq!(status(&unsigned), Status::SignatureMissing);
    let unknown_key = format!("{}.{}.", b64(r#"{"alg":"HS512"}"#), b64(CLAIMS));
    assert_eq!(status(&unknown_key), Status::SignatureMissing);
    // Also where the header has been remembered from a good token.
    let (engine, mut scratch) = (engine(Policy::new()), Scratch::new());
    let good = with_claims(CLAIMS);
    engine.verify_at(&mut scratch, &good, common::times()).unwrap();
    let denied = engine.verify_at(&mut scratch, &unsigned, common::times()).unwrap_err();
    assert_eq!(denied.status(), Status::SignatureMissing);
}

#[test]
fn the_header_does_not_choose_the_algorithm_of_a_key() {
    let header = r#"{"alg":"HS512"}"#;
    let message = format!("{}.{}", b64(header), b64(CLAIMS));
    let under_hs512 = format!("{message}.{}", mac(ring::hmac::HMAC_SHA512, SECRET, &message));
    assert_eq!(status(&under_hs512), Status::KeyNotFound);
    let both = KeySet::new([Algorithm::Hs256, Algorithm::Hs512].map(|alg| Key::hmac(alg, SECRET).unwrap())).unwrap();
    assert_eq!(status_of(&Engine::new(both, Policy::new()).unwrap(), &under_hs512), Status::Done);
}

#[test]
fn a_key_of_another_kind_is_no_secret() {
    let spki = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n");
    let jwk = r#"{"kty":"RSA","n":"AQAB","e":"AQAB","alg":"RS256"}"#;
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, spki).unwrap();
    let spaced = format!(" \n{pem}");
    for secret in [pem.as_bytes(), spaced.as_bytes(), &der, spki.as_bytes(), jwk.as_bytes()] {
        for algorithm in Algorithm::ALL {
            assert!(matches!(Key::hmac(*algorithm, secret), Err(KeyError::NotASecret { .. })));
            let allowed = Key::hmac_insecure_allow_short(*algorithm, secret);
            assert!(matches!(allowed, Err(KeyError::NotASecret { .. })));
        }
    }
    assert_eq!(Key::hmac(Algorithm::Hs512, SECRET).unwrap().algorithm(), Algorithm::Hs512);
}

#[test]
fn a_secret_shorter_than_the_hash_is_refused_unless_it_is_allowed_by_name() {
    for (algorithm, min) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
        let short = Key::hmac(algorithm, &SECRET[..min - 1]);
        assert!(matches!(short, Err(KeyError::TooShort { bytes, min: m, .. }) if bytes == min - 1 && m == min));
        assert_eq!(Key::hmac(algorithm, &SECRET[..min]).unwrap().algorithm(), algorithm);
        assert_eq!(Key::hmac_insecure_allow_short(algorithm, b"s").unwrap().algorithm(), algorithm);
        assert!(matches!(Key::hmac_insecure_allow_short(algorithm, b""), Err(KeyError::Empty)));
    }
}

#[test]
fn no_other_spelling_of_a_valid_token_is_accepted() {
    let good = with_claims(r#"{"sub":"42","exp":1700003600,"p":"?>"}"#);
    assert_eq!(status(&good), Status::Done);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let last = signature.chars().next_back().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).unwrap();
    for other in &alphabet.as_bytes()[at + 1..at + 4] {
        let respelled = format!("{head}.{}{}", &signature[..42], char::from(*other));
        assert_eq!(status(&respelled), Status::TokenBase64, "trailing bits");
    }
    for (what, respelled) in [
        ("padding", format!("{good}=")),
        ("a newline at the end", format!("{good}\n")),
        ("a carriage return at the end", format!("{good}\r")),
        ("a space before", format!(" {good}")),
        ("a space within", format!("{}. {}", head, signature)),
        ("a tab at the end", format!("{good}\t")),
        ("a zero byte at the end", format!("{good}\0")),
        ("the other alphabet", good.replace('-', "+").replace('_', "/")),
        ("percent encoding", good.replacen('.', "%2E.", 1)),
    ] {
        if respelled != good {
            assert_eq!(status(&respelled), Status::TokenCharacter, "{what}");
        }
    }
}

#[test]
fn a_token_has_three_parts() {
    let good = with_claims(CLAIMS);
    for (parts, text) in [
        (1, "x".to_owned()),
        (2, good.rsplit_once('.').unwrap().0.to_owned()),
        (4, format!("{good}.")),
        (4, format!(".{good}")),
        (5, format!("{good}.e30.e30")),
        (0, String::new()),
    ] {
        assert_eq!(status(&text), Status::TokenParts, "{parts} parts");
    }
    assert_eq!(status(".."), Status::HeaderJson, "three empty parts have the right shape");
}

#[test]
fn a_hundred_thousand_dots_and_a_gibibyte_are_refused_by_their_length() {
    assert_eq!(status(".".repeat(100_000)), Status::TokenTooLong);
    assert_eq!(status("a".repeat(16_385)), Status::TokenTooLong);
    assert_eq!(status("a".repeat(16_384)), Status::TokenParts);
    // Never touched, so never backed by memory.
    let gibibyte = vec![0_u8; 1 << 30];
    let expected = Reject::TokenTooLong { bytes: 1 << 30, max: 16_384 };
    assert_eq!(reject(&engine(Policy::new()), &gibibyte), expected);
}

#[test]
fn a_raised_limit_lets_longer_tokens_in_and_counts_their_dots() {
    let roomy = Policy::new().token_bytes_max(200_000);
    let long = with_claims(&format!(r#"{{"exp":1700003600,"p":"{}"}}"#, "x".repeat(60_000)));
    assert_eq!(status(&long), Status::TokenTooLong);
    assert_eq!(status_under(roomy.clone(), &long), Status::Done);
    assert_eq!(reject(&engine(roomy), ".".repeat(100_000)), Reject::TokenParts { dots: 100_000 });
}

#[test]
fn a_header_is_one_strict_json_object() {
    for header in [
        "",
        "[]",
        "\"HS256\"",
        "5",
        "null",
        "{",
        r#"{"alg":"HS256"}x"#,
        r#"{"alg":"HS256",}"#,
        "{'alg':'HS256'}",
        "\u{feff}{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\" // c\n}",
    ] {
        assert_eq!(status(token(header, CLAIMS)), Status::HeaderJson, "{header}");
    }
    assert_eq!(status(token(b"{\"alg\":\"HS256\",\"x\":\"\xff\"}", CLAIMS)), Status::HeaderJson, "not UTF-8");
    assert_eq!(status(token(" {\"alg\" : \"HS256\"\n}\t", CLAIMS)), Status::Done, "white space is JSON");
    let many =
        |count| format!(r#"{{"alg":"HS256"{}}}"#, (1..count).map(|at| format!(",\"p{at}\":1")).collect::<String>());
    assert_eq!(status(token(many(32), CLAIMS)), Status::Done);
    assert_eq!(status(token(many(33), CLAIMS)), Status::HeaderJson);
}

#[test]
fn a_name_twice_in_a_header_is_refused_however_it_is_escaped() {
    for header in [
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","kid":"a","k\u0069d":"b"}"#,
        r#"{"alg":"HS256","x":1,"x":1}"#,
    ] {
        assert_eq!(status(token(header, CLAIMS)), Status::HeaderDuplicate, "{header}");
    }
    assert_eq!(status(token(r#"{"alg":"HS256","x":1,"X":1}"#, CLAIMS)), Status::Done);
}

#[test]
fn a_header_that_is_dear_to_read_is_refused_before_its_signature_and_one_with_a_certificate_chain_is_not() {
    let with = |value: &str| format!(r#"{{"alg":"HS256","x":{value}}}"#);
    // 20 of what is dear, and one more for every 64 bytes: two for a bracket, and then a comma for each but the first.
    let list = |values: usize| with(&format!("[{}]", vec!["0"; values].join(",")));
    let most = (1..).find(|values| *values + 1 > 20 + list(*values).len() / 64).unwrap() - 1;
    assert_eq!(status(token(list(most), CLAIMS)), Status::Done, "{most} values");
    assert_eq!(status(token(list(most + 1), CLAIMS)), Status::HeaderJson);
    // Four for a number that is neither a digit nor a time.
    let numbers = |count: usize| {
        let members: String = (0..count).map(|at| format!(",\"p{at}\":1e1")).collect();
        format!(r#"{{"alg":"HS256","iat":1700000000{members}}}"#)
    };
    assert_eq!(status(token(numbers(5), CLAIMS)), Status::Done);
    assert_eq!(status(token(numbers(7), CLAIMS)), Status::HeaderJson);
    for dear in [
        with(&format!("\"{}\"", r"\n".repeat(200))),
        with(&format!("\"{}\"", r"\ud83d\ude00".repeat(40))),
        with(&format!("[{}0]", "[],".repeat(200))),
        with(&format!("{{{}\"a\":0}}", r#""a":0,"#.repeat(200))),
        with(&format!("\"{}\"", "ä".repeat(129))),
        format!(r#"{{"alg":"HS256","{}":0}}"#, r"\u0061".repeat(100)),
    ] {
        let fault = signoff::JsonFault::TooElaborate;
        assert_eq!(reject(&engine(Policy::new()), token(&dear, CLAIMS)), Reject::HeaderJson { fault }, "{dear}");
    }
    // As PHP writes it, which escapes what needs no escape.
    let certificate = format!("{}\\/", "MIICx".repeat(13)).repeat(23);
    let chain = with(&format!(r#"["{certificate}","{certificate}","{certificate}"]"#));
    assert_eq!(status(token(chain, CLAIMS)), Status::Done);
    let key = r#"{"kty":"RSA","use":"sig","alg":"RS256","kid":"a","n":"AQAB","e":"AQAB","key_ops":["verify"]}"#;
    assert_eq!(status(token(with(key), CLAIMS)), Status::Done);
    assert_eq!(status(token(with(&format!("\"{}\"", "ä".repeat(128))), CLAIMS)), Status::Done);
    assert_eq!(
        status(token(with(&format!("0.{}", "7".repeat(5000))), CLAIMS)),
        Status::Done,
        "many digits are not dear"
    );
    assert_eq!(status(token(with(&format!("{}0", " \n".repeat(2000))), CLAIMS)), Status::Done, "nor is white space");
}

#[test]
fn names_in_a_header_are_compared_only_when_its_signature_holds() {
    let header = r#"{"alg":"HS256","x":1,"\u0078":1}"#;
    let forged = |header: &str| format!("{}.{}.{}", b64(header), b64(CLAIMS), b64([7; 32]));
    assert_eq!(status(forged(header)), Status::SignatureInvalid);
    assert_eq!(status(token(header, CLAIMS)), Status::HeaderDuplicate);
    // Where a name is acted on it matters at once which of the two is meant.
    assert_eq!(status(forged(r#"{"alg":"HS256","kid":"a","kid":"b"}"#)), Status::HeaderDuplicate);
    // Long names that differ at their ends alone.
    let long = |last: &str| {
        let names: String = ["a", "b", "c", last].map(|end| format!(r#","{}{end}":0"#, "n".repeat(3000))).concat();
        token(format!(r#"{{"alg":"HS256"{names}}}"#), CLAIMS)
    };
    assert_eq!(status_under(Policy::new().token_bytes_max(30_000), long("d")), Status::Done);
    assert_eq!(status_under(Policy::new().token_bytes_max(30_000), long("a")), Status::HeaderDuplicate);
}

#[test]
fn extensions_that_would_have_to_be_understood_are_refused() {
    for header in [
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","\u0063rit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","b64":true}"#,
        r#"{"alg":"HS256","b64":false}"#,
    ] {
        assert_eq!(status(token(header, CLAIMS)), Status::HeaderCritical, "{header}");
    }
    assert_eq!(status(token(r#"{"alg":"HS256","critical":["b64"]}"#, CLAIMS)), Status::Done);
}

#[test]
fn a_key_that_comes_with_its_token_is_never_used() {
    let attacker = b"attacker-attacker-attacker-attacker";
    for parameter in [
        format!(r#""jwk":{{"kty":"oct","alg":"HS256","k":"{}"}}"#, b64(attacker)),
        r#""jku":"https://evil.example/jwks""#.to_owned(),
        r#""x5u":"https://evil.example/cert""#.to_owned(),
        r#""x5c":["MIIB"]"#.to_owned(),
    ] {
        let header = format!(r#"{{"alg":"HS256",{parameter}}}"#);
        let message = format!("{}.{}", b64(&header), b64(CLAIMS));
        let forged = format!("{message}.{}", mac(ring::hmac::HMAC_SHA256, attacker, &message));
        assert_eq!(status(&forged), Status::SignatureInvalid, "{parameter}");
        assert_eq!(status(token(&header, CLAIMS)), Status::Done, "under our own key it is only passed over");
    }
}

#[test]
fn a_kid_is_a_string_of_bounded_length_and_only_a_name() {
    let with_kid = |kid: &str| token(format!(r#"{{"alg":"HS256","kid":{kid}}}"#), CLAIMS);
    for kid in ["1", "null", "[]", "{}", "true"] {
        assert_eq!(status(with_kid(kid)), Status::HeaderMalformed, "{kid}");
    }
    assert_eq!(status(with_kid(&format!("\"{}\"", "k".repeat(257)))), Status::HeaderMalformed);
    assert_eq!(status(with_kid(&format!("\"{}\"", "k".repeat(256)))), Status::Done, "our key bears no id");

    let named = KeySet::new([Key::hmac(Algorithm::Hs256, SECRET).unwrap().with_key_id("a")]).unwrap();
    let engine = Engine::new(named, Policy::new()).unwrap();
    for kid in ["\"b\"", "\"../../dev/null\"", "\"a' OR 1=1\"", "\"\"", "\"A\""] {
        assert_eq!(status_of(&engine, with_kid(kid)), Status::KeyNotFound, "{kid}");
    }
    assert_eq!(status_of(&engine, with_kid("\"a\"")), Status::Done);
    assert_eq!(status_of(&engine, with_kid("\"\\u0061\"")), Status::Done);
    assert_eq!(status_of(&engine, token(HEADER, CLAIMS)), Status::Done, "without kid every key is tried");
}

#[test]
fn a_signature_has_exactly_the_length_of_its_algorithm() {
    let good = with_claims(CLAIMS);
    let (head, _) = good.rsplit_once('.').unwrap();
    for bytes in [1, 31, 33, 48, 64, 65, 3000] {
        let other = format!("{head}.{}", b64(vec![7; bytes]));
        let expected = Reject::SignatureLength { algorithm: "HS256", bytes, expected: 32 };
        assert_eq!(reject(&engine(Policy::new()), &other), expected);
    }
    assert_eq!(status(format!("{head}.{}", b64([7; 32]))), Status::SignatureInvalid);
    assert_eq!(status(format!("{head}.{}", b64([0; 32]))), Status::SignatureInvalid);
}

#[test]
fn every_bit_of_a_token_is_covered_by_its_signature() {
    let good = with_claims(CLAIMS).into_bytes();
    for at in 0..good.len() {
        for bit in 0..7 {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << bit;
            assert_ne!(status(&flipped), Status::Done, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_payload_is_one_strict_json_object() {
    for payload in [
        "",
        "[]",
        "\"x\"",
        "1",
        "null",
        "true",
        "[{\"exp\":1700003600}]",
        "{\"exp\":1700003600}{}",
        "{\"exp\":1700003600},",
        "{\"exp\":01700003600}",
        "{\"exp\":1700003600.}",
        "{\"a\":\"\t\",\"exp\":1700003600}",
        "{\"exp\":NaN}",
        "{\"exp\":+1}",
        "{\"exp\":0x10}",
    ] {
        assert_eq!(status(token(HEADER, payload)), Status::ClaimsJson, "{payload}");
    }
    assert_eq!(status(token(HEADER, b"{\"exp\":1700003600,\"a\":\"\xc3\x28\"}")), Status::ClaimsJson, "not UTF-8");
    assert_eq!(
        status(token(HEADER, b"{\"exp\":1700003600,\"a\":\"\xed\xa0\x80\"}")),
        Status::ClaimsJson,
        "a surrogate in UTF-8"
    );
    assert_eq!(status(with_claims(" {\n\"exp\" : 1700003600 ,\t\"a\": \"\u{e9}\" } ")), Status::Done);
}

#[test]
fn lone_surrogates_are_not_text() {
    for escape in [r"\ud800", r"\udc00", r"\ud800x", r"\ud800\u0041", r"\ud800\ud800", r"\uD83D\u", r"\u12", r"\x41"] {
        let claims = format!(r#"{{"exp":1700003600,"sub":"{escape}"}}"#);
        assert_eq!(status(with_claims(&claims)), Status::ClaimsJson, "{escape}");
    }
    assert_eq!(status(with_claims(r#"{"exp":1700003600,"sub":"\ud83d\ude00"}"#)), Status::Done);
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize, open: &str, close: &str| {
        with_claims(&format!(r#"{{"exp":1700003600,"d":{}1{}}}"#, open.repeat(levels), close.repeat(levels)))
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        assert_eq!(status(nested(31, open, close)), Status::Done, "{open}");
        assert_eq!(status(nested(32, open, close)), Status::ClaimsJson, "{open}");
        assert_eq!(status(nested(1000, open, close)), Status::ClaimsJson, "{open}");
    }
}

#[test]
fn a_claim_that_is_acted_on_may_not_appear_twice_however_it_is_escaped() {
    for name in ["exp", "nbf", "iat"] {
        let twice = format!(r#"{{"exp":1700003600,"{name}":1700000000,"{name}":1700000000}}"#);
        assert_eq!(status(with_claims(&twice)), Status::ClaimDuplicate, "{name}");
    }
    for name in ["iss", "sub", "aud", "jti", "sid"] {
        let once = format!(r#"{{"exp":1700003600,"{name}":"a"}}"#);
        let twice = format!(r#"{{"exp":1700003600,"{name}":"a","{name}":"a"}}"#);
        let policy = || if name == "aud" { Policy::new().audience("a") } else { Policy::new() };
        assert_eq!(status_under(policy(), with_claims(&once)), Status::Done, "{name}");
        assert_eq!(status_under(policy(), with_claims(&twice)), Status::ClaimDuplicate, "{name}");
    }
    assert_eq!(status(with_claims(r#"{"exp":1700003600,"jti":"a","\u006ati":"b"}"#)), Status::ClaimDuplicate);
    let required = Policy::new().require("tenant");
    let tenant_twice = with_claims(r#"{"exp":1700003600,"tenant":"a","t\u0065nant":"b"}"#);
    assert_eq!(status_under(required, &tenant_twice), Status::ClaimDuplicate);
    assert_eq!(status(&tenant_twice), Status::Done, "a claim that nobody acts on is the application's");
}

#[test]
fn a_time_of_the_wrong_type_is_malformed_and_never_missing() {
    for name in ["exp", "nbf", "iat"] {
        for value in ["\"1700003600\"", "null", "true", "[1700003600]", "{}", "-1", "-1700003600", "-0.5", "\"\""] {
            let claims = format!(r#"{{"{name}":{value}}}"#);
            assert_eq!(status_under(never_ends(), with_claims(&claims)), Status::ClaimMalformed, "{claims}");
        }
    }
    assert_eq!(status_under(never_ends(), with_claims(r#"{"exp":1700003600}"#)), Status::Done);
    assert_eq!(status_under(never_ends(), with_claims("{}")), Status::Done);
}

#[test]
fn a_time_that_is_no_finite_number_of_seconds_is_rejected() {
    for value in ["1e999", "1e400", "-1e999", "1e309", "1e300"] {
        assert_eq!(status(with_claims(&format!(r#"{{"exp":{value}}}"#))), Status::ClaimsJson, "{value}");
        assert_eq!(status(with_claims(&format!(r#"{{"exp":1700003600,"x":{value}}}"#))), Status::ClaimsJson, "{value}");
    }
    for value in ["1700003600000", "253402300800", "1e299", "99999999999999999999"] {
        assert_eq!(status(with_claims(&format!(r#"{{"exp":{value}}}"#))), Status::ClaimTimeRange, "{value}");
    }
    for value in ["1700000001", "1700000000.001", "1.700003600e9", "253402300799", "1700003600.0"] {
        assert_eq!(status(with_claims(&format!(r#"{{"exp":{value}}}"#))), Status::Done, "{value}");
    }
}

#[test]
fn a_token_without_end_is_rejected_unless_it_is_allowed_by_name() {
    assert_eq!(status(with_claims(r#"{"sub":"42"}"#)), Status::ClaimMissing);
    assert_eq!(status_under(never_ends(), with_claims(r#"{"sub":"42"}"#)), Status::Done);
}

#[test]
fn a_token_at_exactly_exp_is_expired() {
    assert_eq!(status(with_claims(r#"{"exp":1700000000}"#)), Status::ClaimExpired);
    assert_eq!(status(with_claims(r#"{"exp":1700000000.001}"#)), Status::Done);
    let lenient = || Policy::new().leeway(Duration::from_secs(30));
    assert_eq!(status_under(lenient(), with_claims(r#"{"exp":1699999970}"#)), Status::ClaimExpired);
    assert_eq!(status_under(lenient(), with_claims(r#"{"exp":1699999971}"#)), Status::Done);
}

#[test]
fn a_token_is_valid_from_exactly_nbf_on() {
    assert_eq!(status(with_claims(r#"{"exp":1700003600,"nbf":1700000000}"#)), Status::Done);
    assert_eq!(status(with_claims(r#"{"exp":1700003600,"nbf":1700000000.001}"#)), Status::ClaimNotYetValid);
    let lenient = Policy::new().leeway(Duration::from_secs(30));
    assert_eq!(status_under(lenient, with_claims(r#"{"exp":1700003600,"nbf":1700000030}"#)), Status::Done);
}

#[test]
fn a_token_from_the_future_is_rejected_beyond_what_clocks_may_differ() {
    assert_eq!(status(with_claims(r#"{"exp":1700003600,"iat":1700000005}"#)), Status::Done);
    assert_eq!(status(with_claims(r#"{"exp":1700003600,"iat":1700000005.001}"#)), Status::ClaimIssuedInFuture);
    let strict = Policy::new().issued_in_future_max(Duration::ZERO);
    assert_eq!(
        status_under(strict, with_claims(r#"{"exp":1700003600,"iat":1700000001}"#)),
        Status::ClaimIssuedInFuture
    );
}

#[test]
fn a_text_claim_of_the_wrong_type_is_malformed_whatever_the_policy_asks() {
    for name in ["iss", "sub", "aud", "jti", "sid"] {
        for value in ["1", "null", "true", "{}", "[1]", "[[\"a\"]]", "[\"a\",null]"] {
            let claims = format!(r#"{{"exp":1700003600,"{name}":{value}}}"#);
            assert_eq!(status(with_claims(&claims)), Status::ClaimMalformed, "{claims}");
        }
    }
    assert_eq!(status(with_claims(r#"{"exp":1700003600,"iss":["a"]}"#)), Status::ClaimMalformed);
    let plain = with_claims(r#"{"exp":1700003600,"aud":["a","b"],"iss":"a"}"#);
    assert_eq!(status_under(Policy::new().audience("b"), plain), Status::Done);
}

#[test]
fn whole_numbers_are_ids_only_where_the_policy_says_so() {
    let old = || Policy::new().numeric_ids(NumericIds::AsText);
    for name in ["sub", "jti", "sid"] {
        let with = |value: &str| with_claims(&format!(r#"{{"exp":1700003600,"{name}":{value}}}"#));
        assert_eq!(status(with("42")), Status::ClaimMalformed);
        assert_eq!(status_under(old(), with("42")), Status::Done);
        for value in ["4.2", "42.0", "4e1", "-42", "null", "[42]"] {
            assert_eq!(status_under(old(), with(value)), Status::ClaimMalformed, "{value}");
        }
    }
    assert_eq!(status_under(old(), with_claims(r#"{"exp":1700003600,"iss":42}"#)), Status::ClaimMalformed);
}

#[test]
fn an_issuer_is_one_of_ours_byte_for_byte() {
    let policy = || Policy::new().issuer("https://a.example").issuer("https://b.example");
    let with = |issuer: &str| with_claims(&format!(r#"{{"exp":1700003600,"iss":"{issuer}"}}"#));
    assert_eq!(status_under(policy(), with("https://b.example")), Status::Done);
    assert_eq!(status_under(policy(), with(r"https:\/\/b\u002eexample")), Status::Done);
    for other in ["https://b.example/", "https://B.example", "b.example", "", "https://b.example\\u0000"] {
        assert_eq!(status_under(policy(), with(other)), Status::ClaimIssuer, "{other}");
    }
    assert_eq!(status_under(policy(), with_claims(CLAIMS)), Status::ClaimMissing);
}

#[test]
fn a_key_speaks_only_for_the_issuers_it_names() {
    let key = |id: &str, secret: &[u8]| Key::hmac(Algorithm::Hs256, secret).unwrap().with_key_id(id);
    for slip in [vec![], vec![""], vec!["https://a.example", ""]] {
        let error = KeySet::new([key("a", SECRET).for_issuers(slip)]).unwrap_err();
        assert!(matches!(&error, KeyError::NoIssuer { key_id: Some(id), .. } if id == "a"), "{error:?}");
        assert!(error.to_string().contains("name each"), "{error}");
    }
    let ours = key("a", SECRET).for_issuers(["https://a.example"]);
    let theirs = key("b", &SECRET[..32]).for_issuers(["https://b.example"]);
    let engine = Engine::new(KeySet::new([ours, theirs]).unwrap(), Policy::new()).unwrap();
    let with =
        |issuer: &str| token(r#"{"alg":"HS256","kid":"a"}"#, format!(r#"{{"exp":1700003600,"iss":"{issuer}"}}"#));
    assert_eq!(status_of(&engine, with("https://a.example")), Status::Done);
    assert_eq!(status_of(&engine, with("https://b.example")), Status::ClaimIssuerOfKey);
    assert_eq!(status_of(&engine, token(r#"{"alg":"HS256","kid":"a"}"#, CLAIMS)), Status::ClaimIssuerOfKey);
}

#[test]
fn one_of_our_names_must_be_among_the_audiences() {
    let policy = || Policy::new().audience("api").audience("web");
    let with = |aud: &str| with_claims(&format!(r#"{{"exp":1700003600,"aud":{aud}}}"#));
    for aud in ["\"api\"", "[\"api\"]", "[\"x\",\"web\"]", "[\"\\u0061pi\"]"] {
        assert_eq!(status_under(policy(), with(aud)), Status::Done, "{aud}");
    }
    for aud in ["\"ap\"", "[]", "[\"x\"]", "\"\"", "[\"api \"]", "\"api,web\""] {
        assert_eq!(status_under(policy(), with(aud)), Status::ClaimAudience, "{aud}");
    }
    assert_eq!(status_under(policy(), with_claims(CLAIMS)), Status::ClaimMissing);
}

#[test]
fn a_token_for_somebody_is_refused_where_nobody_said_that_this_is_us() {
    let with = |aud: &str| with_claims(&format!(r#"{{"exp":1700003600,"aud":{aud}}}"#));
    for (aud, shown) in [
        ("\"api\"", "meant for \"api\""),
        ("[\"a\",\"\\u0062\\n\"]", "meant for \"a\", \"b\\n\""),
        ("[]", "meant for nobody"),
        ("\"\"", "meant for \"\""),
        ("[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]", "\"4\", 2 more"),
    ] {
        let said = reject(&engine(Policy::new()), with(aud)).to_string();
        assert!(
            said.contains(shown) && said.contains("`audience`") && said.contains("`insecure_any_audience`"),
            "{said}"
        );
        assert_eq!(status(with(aud)), Status::ClaimAudience, "{aud}");
        assert_eq!(status_under(Policy::new().insecure_any_audience(), with(aud)), Status::Done, "{aud}");
    }
    let long = reject(&engine(Policy::new()), with(&format!("\"{}\"", "x".repeat(9000)))).to_string();
    assert!(long.len() < 400 && long.contains("x\"..."), "{long}");
    assert_eq!(status(with("null")), Status::ClaimMalformed);
}

#[test]
fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let bound = with_claims(r#"{"exp":1700003600,"cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}"#);
    assert_eq!(status(&bound), Status::ClaimBound);
    assert_eq!(status_under(Policy::new().insecure_bearer_of_bound_token(), &bound), Status::Done);
    assert_eq!(status_under(Policy::new().insecure_bearer_of_bound_token().require("cnf"), &bound), Status::Done);
    assert_eq!(
        status(with_claims(r#"{"exp":1700003600,"\u0063nf":{}}"#)),
        Status::ClaimBound,
        "an escape hides nothing"
    );
    for (odd, expected) in [("null", Status::ClaimMalformed), ("{},\"cnf\":{}", Status::ClaimDuplicate)] {
        let claims = with_claims(&format!(r#"{{"exp":1700003600,"cnf":{odd}}}"#));
        assert_eq!(status(&claims), expected, "{odd}");
        assert_eq!(status_under(Policy::new().insecure_bearer_of_bound_token(), &claims), expected, "{odd}");
    }
}

#[test]
fn a_claim_that_says_the_kind_of_token_is_held_to_its_value() {
    let policy = || Policy::new().claim_equals("token_use", "access").claim_equals("token_use", "service");
    let with = |value: &str| with_claims(&format!(r#"{{"exp":1700003600,"token_use":{value}}}"#));
    for (value, expected) in [
        ("\"access\"", Status::Done),
        ("\"service\"", Status::Done),
        ("\"id\"", Status::ClaimDiffers),
        ("[\"access\"]", Status::ClaimDiffers),
        ("{\"access\":true}", Status::ClaimDiffers),
        ("null", Status::ClaimMissing),
        ("\"access\",\"token_use\":\"id\"", Status::ClaimDuplicate),
    ] {
        assert_eq!(status_under(policy(), with(value)), expected, "{value}");
    }
    assert_eq!(status_under(policy(), with_claims(CLAIMS)), Status::ClaimMissing);
}

#[test]
fn a_number_that_readers_take_for_another_is_no_id() {
    let policy = || Policy::new().numeric_ids(NumericIds::AsText);
    for (claims, said) in [
        (r#"{"exp":1700003600,"sub":9007199254740992}"#, "beyond 2^53 - 1"),
        (r#"{"exp":1700003600,"sid":100002348117421473}"#, "beyond 2^53 - 1"),
        (r#"{"exp":1700003600,"jti":1e3}"#, "not spelled as a whole number"),
        (r#"{"exp":1700003600,"sub":-1}"#, "not spelled as a whole number"),
    ] {
        let reject = reject(&engine(policy()), with_claims(claims));
        assert_eq!(reject.status(), Status::ClaimMalformed);
        assert!(reject.to_string().contains(said), "{reject}");
    }
    assert_eq!(status_under(policy(), with_claims(r#"{"exp":1700003600,"sub":9007199254740991}"#)), Status::Done);
    let number = reject(&engine(Policy::new()), with_claims(r#"{"exp":1700003600,"sub":42}"#)).to_string();
    assert_eq!(number, r#"claim "sub" is a number; a text is wanted, or allow numeric ids by `numeric_ids`"#);
}

#[test]
fn one_kind_of_token_never_passes_for_another() {
    let typed = |typ: &str| token(format!(r#"{{"alg":"HS256","typ":"{typ}"}}"#), CLAIMS);
    let reserved = [
        "logout+jwt",
        "secevent+jwt",
        "statuslist+jwt",
        "application/logout+jwt",
        "LOGOUT+JWT",
        // A media type with parameters is the same type.
        "logout+jwt; x=y",
        "Application/Logout+JWT;charset=utf-8",
        "token-introspection+jwt",
        "dpop+jwt",
        "kb+jwt",
        "rt+jwt",
        "one-that-is-still-to-come+jwt",
    ];
    for typ in reserved {
        assert_eq!(status(typed(typ)), Status::ClaimTypeReserved, "{typ}");
    }
    let access = || Policy::new().token_type("at+jwt");
    assert_eq!(status_under(access(), typed("application/AT+jwt")), Status::Done);
    for typ in ["JWT", "logout+jwt", "at"] {
        assert_eq!(status_under(access(), typed(typ)), Status::ClaimType, "{typ}");
    }
    assert_eq!(status_under(access(), token(r#"{"alg":"HS256"}"#, CLAIMS)), Status::ClaimType);
    assert_eq!(status_under(Policy::new().token_type("logout+jwt"), typed("logout+jwt")), Status::Done);
}

#[test]
fn subject_lifetime_age_and_required_claims_are_held_to_the_policy() {
    let full = r#"{"sub":"42","iat":1699999000,"exp":1700002600,"tenant":"t"}"#;
    let cases: [(Policy, &str, Status); 12] = [
        (Policy::new().subject("42"), full, Status::Done),
        (Policy::new().subject("43"), full, Status::ClaimSubject),
        (Policy::new().subject("42"), r#"{"exp":1700002600}"#, Status::ClaimMissing),
        (Policy::new().lifetime_max(Duration::from_secs(3600)), full, Status::Done),
        (Policy::new().lifetime_max(Duration::from_secs(3599)), full, Status::ClaimLifetime),
        (Policy::new().lifetime_max(Duration::from_secs(3600)), r#"{"exp":1700002600}"#, Status::ClaimMissing),
        (Policy::new().age_max(Duration::from_secs(1001)), full, Status::Done),
        (Policy::new().age_max(Duration::from_secs(1000)), full, Status::ClaimTooOld),
        (Policy::new().age_max(Duration::from_secs(1000)), r#"{"exp":1700002600}"#, Status::ClaimMissing),
        (Policy::new().require("tenant").require("sub"), full, Status::Done),
        (Policy::new().require("tenant"), r#"{"exp":1700002600,"tenant":null}"#, Status::ClaimMissing),
        (Policy::new().require("jti"), r#"{"exp":1700002600,"jti":""}"#, Status::ClaimMissing),
    ];
    for (at, (policy, claims, expected)) in cases.into_iter().enumerate() {
        assert_eq!(status_under(policy, with_claims(claims)), expected, "case {at}: {claims}");
    }
}

#[test]
fn signature_comes_before_claims_and_shape_before_both() {
    let expired = with_claims(r#"{"exp":1,"exp":"x"}"#);
    let (head, _) = expired.rsplit_once('.').unwrap();
    assert_eq!(status(format!("{head}.{}", b64([1; 32]))), Status::SignatureInvalid);
    assert_eq!(status(format!("{head}.{}=", b64([1; 32]))), Status::TokenCharacter);
    assert_eq!(status(&expired), Status::ClaimDuplicate);
}

#[test]
fn a_clock_that_is_not_set_accepts_nothing() {
    let (engine, good) = (engine(Policy::new()), with_claims(CLAIMS));
    for now in [0, -1, i64::MIN / 1000] {
        let denied = engine.verify_at(&mut Scratch::new(), &good, Times::at(UnixTime::from_secs(now))).unwrap_err();
        assert_eq!(denied.status(), Status::ClockNotSet);
        assert_eq!(denied.status().http_status(), 503);
    }
    let mut scratch = Scratch::new();
    let soon = engine.verify_at(&mut scratch, &good, Times::at(UnixTime::from_secs(1)));
    assert!(soon.is_ok_and(|accepted| accepted.subject() == Some("42")));
}

#[test]
fn a_policy_out_of_bounds_is_refused_and_names_the_option() {
    for (policy, option) in [
        (Policy::new().leeway(Duration::from_secs(301)), "leeway"),
        (Policy::new().token_bytes_max(0), "token_bytes_max"),
        (Policy::new().token_bytes_max(1 << 21), "token_bytes_max"),
        (Policy::new().lifetime_max(Duration::ZERO), "lifetime_max"),
        (Policy::new().age_max(Duration::ZERO), "age_max"),
        (Policy::new().issuer(""), "issuer"),
        (Policy::new().audience(""), "audience"),
        (Policy::new().subject(""), "subject"),
        (Policy::new().token_type(""), "token_type"),
        (Policy::new().token_type("application/"), "token_type"),
        (Policy::new().require(""), "require"),
        (Policy::new().claim_equals("", "x"), "claim_equals"),
        (Policy::new().claim_equals("iss", "x"), "claim_equals"),
        (Policy::new().claim_equals("level", f64::NAN), "claim_equals"),
        (Policy::new().claim_equals("level", 1_i64 << 53), "claim_equals"),
        (Policy::new().audience("a").insecure_any_audience(), "insecure_any_audience"),
        (Policy::new().token_type_optional(), "token_type_optional"),
        (Policy::new().require("cnf"), "cnf"),
        (Policy::new().require("aud"), "aud"),
        ((0..65).fold(Policy::new(), |policy, at| policy.claim_equals(&at.to_string(), at)), "require"),
    ] {
        let error = Engine::new(keys(), policy).unwrap_err();
        assert_eq!(error.status(), Status::PolicyInvalid);
        assert!(error.to_string().contains(option), "{error}");
    }
    let bounds = Policy::new().leeway(Duration::from_secs(300)).token_bytes_max(1 << 20);
    assert_eq!(status_under(bounds, with_claims(CLAIMS)), Status::Done);
}

#[test]
fn no_message_shows_a_byte_of_the_token() {
    let marked = with_claims(r#"{"exp":1,"sub":"VERY-PRIVATE","iss":"VERY-PRIVATE"}"#);
    let engine = engine(Policy::new().issuer("https://a.example"));
    let denied = engine.verify_at(&mut Scratch::new(), &marked, common::times()).unwrap_err();
    let shown = format!("{denied} {denied:?}");
    assert!(!shown.contains("PRIVATE") && !shown.contains(&marked[..12]), "{shown}");
    assert!(shown.contains("token expired 19,675 days ago (exp 1, ") && shown.contains(&format!("{NOW}")), "{shown}");
}
