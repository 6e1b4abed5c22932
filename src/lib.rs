//! signoff decides whether a JWT may still be used.
//!
//! It checks a token's signature and its claims inside the caller's process, from bytes in memory.
//!
//! # What it does not do
//!
//! - It opens no connection and fetches no key: a header's `jku`, `x5u`, `jwk` and `x5c` are never followed.
//! - It does not encrypt or decrypt: a token of five parts is refused.
//! - It knows no `none`, and never lets a token choose its own algorithm.
//! - It does not log anybody out yet: revocation is the next part to be built. Until then an
//!   [`Accepted`] says so by its [`Cleared::NoLog`].
//!
//! # From token to claims
//!
//! ```text
//!  token bytes ─► UnverifiedToken ─► AuthenticToken ─► Accepted | Denied
//!                 (shape, header)    (signature)       (claims, times)
//! ```
//!
//! ```
//! use signoff::{Algorithm, Engine, Key, KeySet, Policy, Scratch, Times, UnixTime};
//!
//! let key = Key::hmac(Algorithm::Hs256, b"a secret of at least 32 bytes, kept secret")?;
//! let engine = Engine::new(KeySet::new([key])?, Policy::new().issuer("https://id.example"))?;
//! let mut scratch = Scratch::new(); // one a thread, reused
//!
//! match engine.verify(&mut scratch, "the bytes after `Bearer `") {
//!     Ok(accepted) => println!("hello, {:?}", accepted.subject()),
//!     Err(denied) => println!("{} {denied}", denied.status().http_status()),
//! }
//! # Ok::<(), signoff::Error>(())
//! ```
#![warn(unreachable_pub)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod clock;
mod engine;
mod error;
mod index;
mod keys;
pub mod limits;
mod log;
mod policy;
mod revocation;
pub mod status;
mod token;
mod token_id;
mod verdict;

pub use clock::{Times, UnixTime};
pub use engine::{
    Accepted, Cleared, ClockTrust, CollectionPause, Compaction, Engine, Health, Log, NewToken, OnUnknown, Progress,
    RevocationStatus, RevocationsInLog, Revoking, Scratch, SignedToken, Stats, Threads, WhyUnknown,
};
pub use error::{Error, KeyError, PolicyError, RevokeError, SignError};
pub use index::{Filtering, NotRevoked};
pub use keys::{Algorithm, AuthenticToken, Key, KeySet, SignatureValid};
pub use log::{LogError, Origin};
pub use policy::{ClaimsAccepted, NumericIds, Policy};
pub use revocation::{Durability, Issuer, Record, Revocation, Revoked, Scope, Target};
pub use status::Status;
pub use token::UnverifiedToken;
pub use token_id::TokenId;
pub use verdict::{ClaimName, Denied, JsonFault, Part, Reject, Unknown};

/// The README's examples, compiled and run by the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
