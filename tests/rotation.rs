//! Keys are replaced while other threads verify: each verification sees one whole set.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::{CLAIMS, SECRET, b64, mac, status_of, times};
use signoff::{Algorithm, Engine, Key, KeySet, Policy, Scratch, Status};

fn key(id: &str, secret: &[u8]) -> Key {
    Key::hmac(Algorithm::Hs256, secret).unwrap().with_key_id(id)
}

fn token(kid: &str, secret: &[u8]) -> String {
    let message = format!("{}.{}", b64(format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#)), b64(CLAIMS));
    format!("{message}.{}", mac(ring::hmac::HMAC_SHA256, secret, &message))
}

#[test]
fn a_replaced_key_is_refused_from_the_next_verification_on() {
    let (old, new) = (&SECRET[..32], &SECRET[1..33]);
    let engine = Engine::new(KeySet::new([key("old", old)]).unwrap(), Policy::new()).unwrap();
    let mut scratch = Scratch::new();
    let mut status =
        |token: &str| engine.verify_at(&mut scratch, token, times()).map_or_else(|d| d.status(), |_| Status::Done);
    assert_eq!(status(&token("old", old)), Status::Done);

    engine.clone().replace_keys(KeySet::new([key("new", new), key("old", old)]).unwrap());
    assert_eq!([status(&token("old", old)), status(&token("new", new))], [Status::Done; 2]);

    engine.replace_keys(KeySet::new([key("new", new)]).unwrap());
    assert_eq!(status(&token("old", old)), Status::KeyNotFound);
    assert_eq!(status(&token("new", new)), Status::Done);

    // The same id, another secret: what was remembered of the header is worth nothing.
    engine.replace_keys(KeySet::new([key("new", old)]).unwrap());
    assert_eq!(status(&token("new", new)), Status::SignatureInvalid);
    assert_eq!(status(&token("new", old)), Status::Done);
}

#[test]
fn a_scratch_may_go_from_engine_to_engine() {
    let (one, two) = (&SECRET[..32], &SECRET[1..33]);
    let engines =
        [one, two].map(|secret| Engine::new(KeySet::new([key("k", secret)]).unwrap(), Policy::new()).unwrap());
    let typed = Engine::new(KeySet::new([key("k", one)]).unwrap(), Policy::new().token_type("at+jwt")).unwrap();
    let mut scratch = Scratch::new();
    for _ in 0..3 {
        for (at, engine) in engines.iter().enumerate() {
            for (from, secret) in [one, two].into_iter().enumerate() {
                let token = token("k", secret);
                let verdict =
                    engine.verify_at(&mut scratch, &token, times()).map_or_else(|d| d.status(), |_| Status::Done);
                assert_eq!(verdict, if at == from { Status::Done } else { Status::SignatureInvalid });
            }
        }
        let token = token("k", one);
        let verdict = typed.verify_at(&mut scratch, &token, times()).map_or_else(|d| d.status(), |_| Status::Done);
        assert_eq!(verdict, Status::ClaimType, "the other engine's policy is not remembered either");
    }
}

#[test]
fn no_verification_sees_half_a_set() {
    // Each set holds the two keys of one generation. A half-replaced set would accept one token of a
    // generation and reject the other by its signature.
    let secrets: Vec<Vec<u8>> = (0..2_u8).map(|generation| vec![generation + 1; 32]).collect();
    let set =
        |generation: usize| KeySet::new([key("a", &secrets[generation]), key("b", &secrets[generation])]).unwrap();
    let engine = Engine::new(set(0), Policy::new()).unwrap();
    let tokens: Vec<[String; 2]> = secrets.iter().map(|secret| ["a", "b"].map(|kid| token(kid, secret))).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let verifiers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut scratch, mut seen) = (Scratch::new(), [0_u32; 2]);
                    // To the end, and until both generations were met.
                    while !done.load(Ordering::Relaxed) || seen.contains(&0) {
                        for (generation, pair) in tokens.iter().enumerate() {
                            for token in pair {
                                match engine.verify_at(&mut scratch, token, times()) {
                                    Ok(_) => seen[generation] += 1,
                                    Err(denied) => assert_eq!(denied.status(), Status::SignatureInvalid),
                                }
                            }
                        }
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    seen
                })
            })
            .collect();
        for turn in 0..20_000 {
            engine.replace_keys(set(turn % 2));
        }
        engine.replace_keys(set(1));
        assert_eq!(tokens[1].clone().map(|token| status_of(&engine, token)), [Status::Done; 2]);
        assert_eq!(tokens[0].clone().map(|token| status_of(&engine, token)), [Status::SignatureInvalid; 2]);
        done.store(true, Ordering::Relaxed);
        for verifier in verifiers {
            assert!(verifier.join().unwrap().iter().sum::<u32>() > 0);
        }
    });
}

#[test]
fn at_most_eight_keys_are_tried_for_a_token_that_names_none() {
    let secrets: Vec<Vec<u8>> = (1..=9_u8).map(|n| vec![n; 32]).collect();
    let set = KeySet::new(secrets.iter().map(|secret| Key::hmac(Algorithm::Hs256, secret).unwrap())).unwrap();
    let engine = Engine::new(set, Policy::new()).unwrap();
    let unnamed = |secret: &[u8]| {
        let message = format!("{}.{}", b64(r#"{"alg":"HS256"}"#), b64(CLAIMS));
        format!("{message}.{}", mac(ring::hmac::HMAC_SHA256, secret, &message))
    };
    assert_eq!(status_of(&engine, unnamed(&secrets[7])), Status::Done);
    assert_eq!(status_of(&engine, unnamed(&secrets[8])), Status::SignatureInvalid);
}

#[test]
fn debug_shows_no_secret() {
    let secret = b"SECRETSECRETSECRETSECRETSECRETSECRET";
    let key = key("a", secret);
    let signed = format!("{key:?}");
    let engine = Engine::new(KeySet::new([key]).unwrap(), Policy::new()).unwrap();
    for shown in [signed, format!("{engine:?}"), format!("{:?}", Scratch::new())] {
        assert!(!shown.contains("SECRET") && !shown.contains("83, 69, 67"), "{shown}");
    }
}
