//! signoff decides whether a JWT may still be used.
//!
//! It checks a token's signature, its claims, and whether somebody has logged it out, inside the caller's
//! process and from memory. Log-outs are kept in a durable log: see [`Log`] and [`Engine::revoke`].
//!
//! # What it does not do
//!
//! - It opens no connection and fetches no key: a header's `jku`, `x5u`, `jwk` and `x5c` are never followed.
//! - It does not encrypt or decrypt: a token of five parts is refused.
//! - It knows no `none`, and never lets a token choose its own algorithm.
//! - It does not log anybody out without a log: an [`Accepted`] then says [`Cleared::NoLog`].
//!
//! # From token to claims
//!
//! ```text
//!  token bytes ─► UnverifiedToken ─► AuthenticToken ─► Accepted | Denied
//!                 (shape, header)    (signature)       (claims, times, revocations)
//! ```
//!
//! ```
//! use signoff::{Algorithm, Engine, Key, KeySet, Log, Policy, Revocation, Scratch};
//!
//! let key = Key::hmac(Algorithm::Hs256, b"a secret of at least 32 bytes, kept secret")?;
//! let policy = Policy::new().issuer("https://id.example");
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("signoff.db");
//! let engine = Engine::open(KeySet::new([key])?, policy, Log::sqlite(path).create_if_missing())?;
//! let mut scratch = Scratch::new(); // one a thread, reused
//!
//! match engine.verify(&mut scratch, "the bytes after `Bearer `") {
//!     Ok(accepted) => drop(engine.revoke(Revocation::token(&accepted))?), // log out
//!     Err(denied) => println!("{} {denied}", denied.status().http_status()),
//! }
//! # Ok::<(), signoff::Error>(())
//! ```
#![warn(unreachable_pub)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod clock;
mod denied;
mod engine;
mod error;
#[cfg(feature = "capi")]
#[doc(hidden)]
pub mod ffi;
mod index;
mod keys;
pub mod limits;
mod log;
pub mod option_names;
mod policy;
mod revocation;
pub mod status;
mod sync;
mod token;

pub use clock::{Times, UnixTime};
pub use denied::{Audiences, ClaimFault, ClaimName, Denied, JsonFault, Part, Reject, Unknown};
pub use engine::{
    Accepted, Cleared, ClockTrust, CollectionPause, Compaction, Engine, Health, Log, LongestLifetime, NewToken,
    OnUnknown, Progress, RevocationStatus, RevocationsInLog, Revoking, Scratch, SignedToken, Stats, Threads,
    VouchedToken, WhyUnknown,
};
pub use error::{Error, KeyError, PolicyError, RevokeError, SignError, SkippedKey};
pub use index::{Filtering, NotRevoked};
pub use keys::{Algorithm, AuthenticToken, Key, KeySet, SignatureValid};
#[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
pub use log::Restored;
pub use log::{LogError, Note, OnOutage, Origin};
pub use policy::{ClaimValue, ClaimsAccepted, NumericIds, Policy};
pub use revocation::TokenId;
pub use revocation::{Durability, Issuer, Kept, Record, Revocation, Revoked, Scope, Target};
pub use status::Status;
pub use token::UnverifiedToken;

/// The README's examples, compiled and run by the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The examples of docs/revocation.md.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../docs/revocation.md")]
struct RevocationPage;
