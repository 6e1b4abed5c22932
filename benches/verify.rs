//! Verification against the bare HMAC under it and against the two best-known Rust crates.
//!
//! Every benchmark asserts the verdict that it is about to time. All of them get the same token, key
//! and expectations (signature, `exp`, issuer, audience), and read the same claims.

mod through_c;

use std::hint::black_box;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use serde::{Deserialize, Serialize};
use signoff::{Algorithm, Engine, Key, KeySet, NewToken, Policy, Scratch, Status, Times, UnixTime};

const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "api";

#[derive(Serialize, Deserialize, Clone)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    exp: u64,
    iat: u64,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
}

/// A token whose payload has exactly `payload_bytes` bytes.
fn token(payload_bytes: usize, secret: &[u8], issued_ago: u64) -> String {
    let now = u64::try_from(Times::now().wall().as_secs()).unwrap() - issued_ago;
    let mut claims = Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: "1".into(),
        exp: now + 36_000,
        iat: now,
        jti: "8f14e45f-ceea-467f-a0e6-3d2b1c0f9a77".into(),
        roles: (payload_bytes > 300).then(Vec::new),
    };
    let json = loop {
        let json = serde_json::to_string(&claims).unwrap();
        match payload_bytes - json.len() {
            0 => break json,
            gap if gap > 30 && claims.roles.is_some() => {
                claims.roles.as_mut().unwrap().push("reports:read:region".into());
            }
            gap => claims.sub.extend(std::iter::repeat_n('7', gap)),
        }
    };
    let engine = engine(secret, Policy::new());
    engine.sign(NewToken::from_json(json)).unwrap().into_token()
}

fn engine(secret: &[u8], policy: Policy) -> Engine {
    Engine::new(KeySet::new([Key::hmac(Algorithm::Hs256, secret).unwrap()]).unwrap(), policy).unwrap()
}

fn strict() -> Engine {
    engine(SECRET, Policy::new().issuer(ISSUER).audience(AUDIENCE))
}

/// Times a verification that ends in `expected`.
fn bench_status(group: &mut BenchmarkGroup<'_, WallTime>, id: &str, engine: &Engine, token: &str, expected: Status) {
    let mut scratch = Scratch::new();
    // A remembered header, as in a server that has seen one good token.
    engine.verify(&mut scratch, &self::token(160, SECRET, 0)).unwrap();
    let status = |scratch: &mut Scratch| match engine.verify(scratch, black_box(token)) {
        Ok(accepted) => {
            black_box(&accepted);
            Status::Done
        }
        Err(denied) => denied.status(),
    };
    assert_eq!(status(&mut scratch), expected, "{id}");
    group.bench_function(id, |b| b.iter(|| status(&mut scratch)));
}

fn verify(criterion: &mut Criterion) {
    for (name, payload_bytes) in [("verify/hs256", 160), ("verify/hs256_900", 900)] {
        let token = token(payload_bytes, SECRET, 0);
        let mut group = criterion.benchmark_group(name);

        bench_status(&mut group, "signoff", &strict(), &token, Status::Done);
        through_c::bench_verify(&mut group, &token);
        bench_hmac_floor(&mut group, &token);
        bench_jsonwebtoken(&mut group, &token);
        bench_jwt_simple(&mut group, &token);
        group.finish();
    }
}

fn bench_hmac_floor(group: &mut BenchmarkGroup<'_, WallTime>, token: &str) {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let verify = || ring::hmac::verify(&key, black_box(message.as_bytes()), &signature);
    verify().unwrap();
    group.bench_function("hmac_floor", |b| b.iter(verify));
}

fn bench_jsonwebtoken(group: &mut BenchmarkGroup<'_, WallTime>, token: &str) {
    use jsonwebtoken::{DecodingKey, Validation, decode};
    let key = DecodingKey::from_secret(SECRET);
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.leeway = 0;
    let verify = || decode::<Claims>(black_box(token), &key, &validation);
    assert_eq!(verify().unwrap().claims.aud, AUDIENCE);
    group.bench_function("jsonwebtoken", |b| b.iter(verify));
}

fn bench_jwt_simple(group: &mut BenchmarkGroup<'_, WallTime>, token: &str) {
    use jwt_simple::prelude::{HS256Key, MACLike, VerificationOptions};
    #[derive(Serialize, Deserialize)]
    struct Custom {
        #[serde(skip_serializing_if = "Option::is_none")]
        roles: Option<Vec<String>>,
    }
    let key = HS256Key::from_bytes(SECRET);
    let options = VerificationOptions {
        allowed_issuers: Some([ISSUER.to_owned()].into()),
        allowed_audiences: Some([AUDIENCE.to_owned()].into()),
        ..VerificationOptions::default()
    };
    let verify = || key.verify_token::<Custom>(black_box(token), Some(options.clone()));
    assert_eq!(verify().unwrap().issuer.as_deref(), Some(ISSUER));
    group.bench_function("jwt_simple", |b| b.iter(verify));
}

/// Rejections, each beside the acceptance of a token of its length.
fn reject(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reject");
    let good = token(160, SECRET, 0);
    let expired = token(160, SECRET, 72_000);
    let forged = token(160, b"fedcba9876543210fedcba9876543210", 0);
    assert!([&expired, &forged].iter().all(|other| other.len() == good.len()));
    bench_status(&mut group, "accepted", &strict(), &good, Status::Done);
    bench_status(&mut group, "expired", &strict(), &expired, Status::ClaimExpired);
    bench_status(&mut group, "bad_signature", &strict(), &forged, Status::SignatureInvalid);

    // A header that is spelled in a way that no good token has taught the scratch.
    let (_, rest) = forged.split_once('.').unwrap();
    let unseen = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"HS256"}"#));
    assert_eq!(unseen.len(), good.len());
    bench_status(&mut group, "bad_signature_unseen_header", &strict(), &unseen, Status::SignatureInvalid);

    let good_16k = token(12_200, SECRET, 0);
    let forged_16k = token(12_200, b"fedcba9876543210fedcba9876543210", 0);
    let len = good_16k.len();
    assert!((16_000..=16_384).contains(&len) && forged_16k.len() == len);
    bench_status(&mut group, "accepted_16k", &strict(), &good_16k, Status::Done);
    bench_status(&mut group, "bad_signature_16k", &strict(), &forged_16k, Status::SignatureInvalid);
    bench_status(&mut group, "garbage_16k", &strict(), &"x".repeat(len), Status::TokenParts);
    bench_status(&mut group, "dots_16k", &strict(), &".".repeat(len), Status::TokenParts);

    let (header, signature) = (good.split('.').next().unwrap(), good.rsplit('.').next().unwrap());
    let payload = "%".repeat(len - header.len() - signature.len() - 2);
    let not_base64 = format!("{header}.{payload}.{signature}");
    bench_status(&mut group, "not_base64_16k", &strict(), &not_base64, Status::TokenCharacter);
    let long_signature = format!("{header}.e30.{}", "A".repeat((len - header.len() - 5) / 4 * 4));
    bench_status(&mut group, "long_signature_16k", &strict(), &long_signature, Status::SignatureLength);
    let long_header = format!("{}.e30.{signature}", "A".repeat((len - signature.len() - 5) / 4 * 4));
    bench_status(&mut group, "garbage_header_16k", &strict(), &long_header, Status::HeaderJson);
    group.finish();
}

/// Time for one verification as a thread sees it, divided by how many threads do the same: half of
/// the time on two threads means that they do not hold each other up.
fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("threads");
    let (engine, token) = (strict(), token(160, SECRET, 0));
    for count in [1_u32, 2] {
        group.bench_function(count.to_string(), |b| {
            b.iter_custom(|iterations| {
                let started = Instant::now();
                std::thread::scope(|scope| {
                    for _ in 0..count {
                        scope.spawn(|| {
                            let mut scratch = Scratch::new();
                            for _ in 0..iterations {
                                black_box(engine.verify(&mut scratch, black_box(&token)).unwrap());
                            }
                        });
                    }
                });
                started.elapsed() / count
            });
        });
    }
    group.finish();
}

/// What a verification without a clock of its own takes, for hosts that read theirs once a batch.
fn given_time(criterion: &mut Criterion) {
    let (engine, token, mut scratch) = (strict(), token(160, SECRET, 0), Scratch::new());
    let times = Times::at(UnixTime::from_secs(Times::now().wall().as_secs()));
    let mut group = criterion.benchmark_group("parts");
    assert!(engine.verify_at(&mut scratch, &token, times).is_ok_and(|accepted| accepted.issuer() == Some(ISSUER)));
    group.bench_function("verify_at", |b| {
        b.iter(|| black_box(engine.verify_at(&mut scratch, black_box(&token), times).unwrap()).expires_at());
    });
    group.bench_function("verify_owned", |b| b.iter(|| engine.verify_owned(black_box(&token)).unwrap()));
    group.finish();
}

/// Many tokens at once, through C.
fn batch(criterion: &mut Criterion) {
    let tokens = std::array::from_fn(|_| token(160, SECRET, 0));
    through_c::bench_batch(criterion, &tokens);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(100)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4));
    targets = verify, batch, reject, threads, given_time
}
criterion_main!(benches);
