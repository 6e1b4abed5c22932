//! What the tests share: a key, a time, and tokens signed by hand, so that a test can sign anything.
#![allow(dead_code)] // Each test uses its part.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signoff::{Algorithm, Denied, Engine, Key, KeySet, Policy, Reject, Scratch, Status, Times, UnixTime};

pub const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub const NOW: i64 = 1_700_000_000;
pub const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
pub const CLAIMS: &str = r#"{"sub":"42","exp":1700003600}"#;

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn mac(algorithm: ring::hmac::Algorithm, secret: &[u8], message: &str) -> String {
    b64(ring::hmac::sign(&ring::hmac::Key::new(algorithm, secret), message.as_bytes()))
}

/// A token of any header and payload under a good HS256 signature.
pub fn token(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let message = format!("{}.{}", b64(header), b64(payload));
    let signature = mac(ring::hmac::HMAC_SHA256, SECRET, &message);
    format!("{message}.{signature}")
}

pub fn with_claims(claims: &str) -> String {
    token(HEADER, claims)
}

pub fn keys() -> KeySet {
    KeySet::new([Key::hmac(Algorithm::Hs256, SECRET).unwrap()]).unwrap()
}

pub fn engine(policy: Policy) -> Engine {
    Engine::new(keys(), policy).unwrap()
}

pub fn times() -> Times {
    Times::at(UnixTime::from_secs(NOW))
}

/// The status that a token gets under a policy, at `NOW`.
pub fn status_under(policy: Policy, token: impl AsRef<[u8]>) -> Status {
    status_of(&engine(policy), token)
}

pub fn status_of(engine: &Engine, token: impl AsRef<[u8]>) -> Status {
    match engine.verify_at(&mut Scratch::new(), token.as_ref(), times()) {
        Ok(_) => Status::Done,
        Err(denied) => denied.status(),
    }
}

pub fn status(token: impl AsRef<[u8]>) -> Status {
    status_under(Policy::new(), token)
}

pub fn reject(engine: &Engine, token: impl AsRef<[u8]>) -> Reject {
    match engine.verify_at(&mut Scratch::new(), token.as_ref(), times()) {
        Ok(accepted) => panic!("accepted: {accepted:?}"),
        Err(Denied::Rejected(reject)) => reject,
        Err(Denied::Unavailable(unknown)) => panic!("unavailable: {unknown}"),
    }
}
