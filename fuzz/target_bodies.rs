//! What the fuzz targets do with their bytes. The tests include this file too: they replay the
//! committed regressions and try some random bytes of their own, without a nightly toolchain.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signoff::{
    Algorithm, Denied, Engine, JsonFault, Key, KeySet, NumericIds, Policy, Reject, Scratch, Times, UnixTime,
};

use crate::oracle::{Members, Oracle};

const SECRET: &[u8; 64] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER: &[u8; 64] = b"fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const NOW_MS: i64 = 1_700_000_000_000;
const ALGORITHMS: [(Algorithm, &str, &ring::hmac::Algorithm); 3] = [
    (Algorithm::Hs256, "HS256", &ring::hmac::HMAC_SHA256),
    (Algorithm::Hs384, "HS384", &ring::hmac::HMAC_SHA384),
    (Algorithm::Hs512, "HS512", &ring::hmac::HMAC_SHA512),
];

/// Bytes → verdict, the same as the obvious engine's.
///
/// The first byte chooses: a token as it comes; or header and payload, which are then signed, so
/// that the fuzzer spends its time past the signature that it can't forge.
pub fn token(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let token = match (choice & 3, rest.split_first()) {
        (0, _) | (_, None) => rest.to_vec(),
        (_, Some((&len, rest))) => {
            let (header, payload) = rest.split_at(usize::from(len).min(rest.len()));
            let (_, name, algorithm) = ALGORITHMS[usize::from(choice >> 2) % 3];
            // Without a header of its own, the plain one.
            let plain = format!("{{\"alg\":\"{name}\"}}");
            let header = if header.is_empty() { plain.as_bytes() } else { header };
            signed(algorithm, header, payload)
        }
    };
    for strict in [true, false] {
        let (engine, oracle) = engines(strict);
        let mut scratch = Scratch::new();
        let times = Times::at(UnixTime::from_millis(NOW_MS));
        // Twice: the second time the header is remembered.
        for turn in ["first", "second"] {
            let verdict = match engine.verify_at(&mut scratch, &token, times) {
                Ok(_) => "done",
                Err(denied) => denied.status().name(),
            };
            assert_eq!(verdict, oracle.verdict(&token, NOW_MS), "{turn} time");
        }
    }
}

/// A payload → claims, the same as `serde_json` reads them.
pub fn json(payload: &[u8]) {
    let token = signed(ALGORITHMS[0].2, br#"{"alg":"HS256"}"#, payload);
    let policy = Policy::new()
        .insecure_allow_missing_exp()
        .numeric_ids(NumericIds::AsText)
        .insecure_any_issued_at()
        .token_bytes_max(1 << 20);
    let engine = Engine::new(KeySet::new([Key::hmac(Algorithm::Hs256, SECRET).unwrap()]).unwrap(), policy).unwrap();
    let mut scratch = Scratch::new();
    let verdict = engine.verify_at(&mut scratch, &token, Times::at(UnixTime::from_secs(1)));
    let reference = serde_json::from_slice::<serde_json::Value>(payload);
    match verdict {
        Ok(accepted) => {
            let value = reference.expect("what is accepted is JSON to serde_json");
            assert!(value.is_object());
            assert_eq!(accepted.payload().as_bytes(), payload);
            let text = |name: &str| match &value[name] {
                serde_json::Value::String(text) => Some(text.clone()),
                serde_json::Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            let id = |name: &str| text(name).filter(|id| !id.is_empty());
            assert_eq!(accepted.issuer().map(str::to_owned), text("iss"));
            // Digits beyond what a number of serde_json's holds it does not keep; signoff does.
            if !value["sub"].is_f64() {
                assert_eq!(accepted.subject().map(str::to_owned), text("sub"));
            }
            if !value["sid"].is_f64() {
                assert_eq!(accepted.session().map(str::to_owned), id("sid"));
            }
            if !value["jti"].is_f64() {
                let jti = id("jti").map(|jti| format!("jti:{jti}"));
                assert!(jti.is_none_or(|jti| accepted.token_id().to_string() == jti));
            }
            let audiences: Vec<String> = match &value["aud"] {
                serde_json::Value::Array(all) => all.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
                serde_json::Value::String(one) => vec![one.clone()],
                _ => Vec::new(),
            };
            assert!(accepted.audiences().eq(audiences));
            for (name, time) in
                [("exp", accepted.expires_at()), ("nbf", accepted.not_before()), ("iat", accepted.issued_at())]
            {
                let secs = value[name].as_f64();
                assert_eq!(time.is_some(), secs.is_some(), "{name}");
                if let (Some(time), Some(secs)) = (time, secs) {
                    assert!((time.as_millis() as f64 - secs * 1000.0).abs() <= 1.001, "{name} {secs}");
                }
            }
        }
        Err(Denied::Rejected(Reject::ClaimsJson { fault })) => match fault {
            JsonFault::NotUtf8 { .. } | JsonFault::NotJson { .. } => assert!(reference.is_err(), "{fault}"),
            JsonFault::NotAnObject => assert!(reference.is_ok_and(|value| !value.is_object())),
            // What signoff refuses beyond serde_json: the limits, which the obvious engine knows too.
            _ => assert!(Members::read(payload).is_none(), "{fault}"),
        },
        Err(_) => assert!(reference.is_ok_and(|value| value.is_object())),
    }
}

/// A good token, changed → rejected, unless the change changed nothing.
pub fn mutation(data: &[u8]) {
    let Some((&choice, edits)) = data.split_first() else { return };
    let (_, name, algorithm) = ALGORITHMS[usize::from(choice) % 3];
    let header = format!("{{\"alg\":\"{name}\",\"typ\":\"JWT\"}}");
    let original = signed(algorithm, header.as_bytes(), br#"{"sub":"42","exp":1700003600,"jti":"a?b>c"}"#);
    let mut changed = original.clone();
    for edit in edits.chunks_exact(4).take(16) {
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]])) % (changed.len() + 1);
        match edit[0] % 5 {
            0 if at < changed.len() => changed[at] = edit[3],
            1 => changed.insert(at, edit[3]),
            2 if at < changed.len() => drop(changed.remove(at)),
            3 => changed.truncate(at),
            4 if at < changed.len() => changed[at] ^= 1 << (edit[3] % 8),
            _ => changed.push(edit[3]),
        }
    }
    let (engine, _) = engines(false);
    let mut scratch = Scratch::new();
    let times = Times::at(UnixTime::from_millis(NOW_MS));
    let accepted = engine.verify_at(&mut scratch, &changed, times).is_ok();
    assert_eq!(accepted, changed == original, "{}", String::from_utf8_lossy(&changed));
    assert!(engine.verify_at(&mut scratch, &original, times).is_ok_and(|accepted| accepted.subject() == Some("42")));
    assert_eq!(engine.verify_at(&mut scratch, &changed, times).is_ok(), changed == original, "header remembered");
}

fn signed(algorithm: &ring::hmac::Algorithm, header: &[u8], payload: &[u8]) -> Vec<u8> {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = ring::hmac::sign(&ring::hmac::Key::new(*algorithm, SECRET), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)).into_bytes()
}

/// The same keys and policy for both.
fn engines(strict: bool) -> (Engine, Oracle) {
    let mut keys = Vec::new();
    let mut oracle_keys = Vec::new();
    for (algorithm, name, _) in ALGORITHMS {
        for (key_id, secret) in [(Some("a"), SECRET), (None, OTHER), (None, SECRET), (Some("b"), OTHER)] {
            let key = Key::hmac(algorithm, secret).unwrap();
            keys.push(key_id.map_or(key.clone(), |key_id| key.with_key_id(key_id)));
            oracle_keys.push((name, key_id, secret.to_vec()));
        }
    }
    let (leeway, mut policy) = (std::time::Duration::from_secs(30), Policy::new());
    policy = match strict {
        true => policy.issuer("https://id.example").audience("api"),
        false => policy.leeway(leeway).insecure_allow_missing_exp().numeric_ids(NumericIds::AsText),
    };
    let oracle = Oracle {
        keys: oracle_keys,
        issuer: strict.then_some("https://id.example"),
        audience: strict.then_some("api"),
        leeway_ms: if strict { 0 } else { 30_000 },
        exp_required: strict,
        numeric_ids: !strict,
    };
    (Engine::new(KeySet::new(keys).unwrap(), policy).unwrap(), oracle)
}
