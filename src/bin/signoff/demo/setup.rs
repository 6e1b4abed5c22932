//! What both halves of the demo use: its issuer's key and policy, and how verdicts and rates are shown.

use std::time::Duration;

use signoff::{Accepted, Algorithm, Denied, Key, KeySet, Policy, Status};

pub(super) const USERS: usize = 5000;
pub(super) const SECRET: &str = "a demo secret, which everybody may know";

pub(super) fn keys(secret: &str) -> Result<KeySet, signoff::Error> {
    Ok(KeySet::new([Key::hmac(Algorithm::Hs256, secret.as_bytes())?])?)
}

pub(super) fn policy() -> Policy {
    Policy::new().issuer("https://demo.example").audience("api")
}

pub(super) fn status(verdict: &Result<Accepted<'_>, Denied>) -> Status {
    match verdict {
        Ok(_) => Status::Done,
        Err(denied) => denied.status(),
    }
}

pub(super) fn rate(count: usize, time: Duration) -> String {
    format!("{:>9.0}", count as f64 / time.as_secs_f64())
}
