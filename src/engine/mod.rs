//! Composes token, keys and policy into verification and signing.
//!
//! Invariants: a verification reads one snapshot and one set of [`Times`], does no I/O, takes no
//! lock, and allocates nothing once its [`Scratch`] has grown to the tokens it meets.

mod accepted;
mod clearance;
mod counters;
mod header_cache;
mod health;
mod maintenance;
mod new_header;
mod new_payload;
mod new_token;
mod replica;
mod revoke;
mod scratch;
mod sign;
mod snapshot;
mod verified_elsewhere;
mod verify;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

pub(crate) use accepted::Proven;
pub use accepted::{Accepted, Cleared, WhyUnknown};
pub use health::{Health, Stats};
pub use maintenance::LongestLifetime;
pub use new_token::NewToken;
pub use replica::{ClockTrust, CollectionPause, Compaction, Log, OnUnknown, Progress, Revoking, Threads};
pub use revoke::{RevocationStatus, RevocationsInLog};
pub use scratch::Scratch;
pub use sign::SignedToken;
pub use verified_elsewhere::VouchedToken;

use crate::clock::{Clock, Times};
use crate::denied::Denied;
use crate::error::{Error, SkippedKey};
use crate::keys::{AuthenticToken, KeySet};
use crate::policy::Policy;
use crate::policy::claims::Claims;
use counters::Counters;
use replica::Served;
use scratch::Published;
use snapshot::Snapshot;
use verify::{Reading, authenticate};

/// Verifies and signs tokens with one key set and one policy.
///
/// A handle: clones share everything, may be used from any thread, and cost one reference count.
///
/// ```
/// use signoff::{Algorithm, Engine, Key, KeySet, NewToken, Policy, Scratch};
/// use std::time::Duration;
///
/// let key = Key::hmac(Algorithm::Hs256, b"0123456789abcdef0123456789abcdef")?;
/// let engine = Engine::new(KeySet::new([key])?, Policy::new())?;
///
/// let signed = engine.sign(NewToken::from_json(r#"{"sub":"42"}"#).expires_in(Duration::from_secs(3600)))?;
///
/// let mut scratch = Scratch::new();
/// let accepted = engine.verify(&mut scratch, signed.token())?;
/// assert_eq!(accepted.subject(), Some("42"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    policy: Policy,
    published: Published,
    counters: Arc<Counters>,
    log: Option<Served>,
}

thread_local! {
    /// For the calls that bring no scratch of their own.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

impl Engine {
    /// An engine without a revocation log.
    ///
    /// # Errors
    /// [`Error::Policy`] for an option out of bounds.
    pub fn new(keys: KeySet, policy: Policy) -> Result<Self, Error> {
        Ok(Self::with(keys, policy.within_bounds()?, None))
    }

    /// An engine with a revocation log, which has been read to its end when this returns.
    ///
    /// # Errors
    /// [`Error::Policy`] for an option out of bounds; [`Error::Log`] for a log that can't be opened or read.
    pub fn open(keys: KeySet, policy: Policy, log: Log) -> Result<Self, Error> {
        Self::open_with_progress(keys, policy, log, |_| {})
    }

    /// [`open`](Self::open), told how far it has come: ten million records take seconds.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_with_progress(
        keys: KeySet,
        policy: Policy,
        log: Log,
        mut progress: impl FnMut(Progress),
    ) -> Result<Self, Error> {
        let policy = policy.within_bounds()?;
        let replica = log.open(&mut progress)?;
        Ok(Self::with(keys, policy, Some(Served::new(replica))))
    }

    /// An engine with keys and a policy of its own on the log of this one: they share its index and its threads,
    /// and what one revokes binds the other at once. For an application that takes several kinds of tokens.
    ///
    /// Cost: that of [`new`](Self::new). Without a log the two share nothing.
    ///
    /// # Errors
    /// [`Error::Policy`] for an option out of bounds.
    pub fn on_same_log(&self, keys: KeySet, policy: Policy) -> Result<Self, Error> {
        Ok(Self::with(keys, policy.within_bounds()?, self.shared.log.clone()))
    }

    fn with(keys: KeySet, policy: Policy, log: Option<Served>) -> Self {
        let published = Arc::new(ArcSwap::from_pointee(Snapshot::new(keys)));
        Self { shared: Arc::new(Shared { policy, published, counters: Arc::default(), log }) }
    }

    /// Replaces the key set, for this handle and all its clones.
    ///
    /// Each verification uses the old set or the new one as a whole. When this returns, every
    /// verification that starts uses the new one.
    pub fn replace_keys(&self, keys: KeySet) {
        self.shared.published.store(Arc::new(Snapshot::new(keys)));
    }

    /// The keys of a JWKS that were passed over: [`KeySet::skipped`] of the set that is in use.
    #[must_use]
    pub fn skipped_keys(&self) -> Vec<SkippedKey> {
        self.shared.published.load().keys.skipped().to_vec()
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    /// Whether a token may be used now. What it returns borrows from the token and the scratch.
    ///
    /// Trust: every byte of `token` is the sender's; any bytes are a valid argument.
    /// Cost: one HMAC over the token for each candidate key, one clock read, no allocation once the
    /// scratch is warm, no lock, no I/O. Source: RFC 7519 section 7.2.
    ///
    /// # Errors
    /// [`Denied::Rejected`] with the first check that failed: shape, header, key, signature, claims,
    /// in this order. [`Denied::Unavailable`] where we cannot tell.
    pub fn verify<'a>(
        &self,
        scratch: &'a mut Scratch,
        token: &'a (impl AsRef<[u8]> + ?Sized),
    ) -> Result<Accepted<'a>, Denied> {
        self.accept(scratch, token.as_ref(), self.clock())
    }

    /// The clock that counts: that of the server which keeps the log, as far as it is known, or this machine's.
    #[inline]
    pub(crate) fn clock(&self) -> Clock {
        self.shared.log.as_ref().map_or(Clock::System, |log| log.replica.clock())
    }

    /// What that clock reads.
    pub(crate) fn now(&self) -> Times {
        Times::now().with_wall(self.clock().exact())
    }

    /// The same, rounded up.
    fn now_rounded_up(&self) -> Times {
        match self.clock() {
            Clock::Given(_) | Clock::System => Times::now_rounded_up(),
            clock @ Clock::Elsewhere { .. } => Times::now().with_wall(clock.exact().plus(Duration::from_millis(1))),
        }
    }

    /// [`verify`](Self::verify) at the times that the caller gives.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify).
    pub fn verify_at<'a>(
        &self,
        scratch: &'a mut Scratch,
        token: &'a (impl AsRef<[u8]> + ?Sized),
        times: Times,
    ) -> Result<Accepted<'a>, Denied> {
        self.accept(scratch, token.as_ref(), Clock::Given(times))
    }

    /// Whether a token may be used now, with a result that borrows nothing: for request extensions.
    ///
    /// Cost: that of [`verify`](Self::verify), and the allocations that hold the claims.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify).
    pub fn verify_owned(&self, token: impl AsRef<[u8]>) -> Result<Accepted<'static>, Denied> {
        let token = token.as_ref();
        with_thread_scratch(|scratch| self.accept(scratch, token, self.clock()).map(Accepted::into_owned))
    }

    /// [`verify_owned`](Self::verify_owned) at the times that the caller gives.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify).
    pub fn verify_owned_at(&self, token: impl AsRef<[u8]>, times: Times) -> Result<Accepted<'static>, Denied> {
        let token = token.as_ref();
        with_thread_scratch(|scratch| self.accept(scratch, token, Clock::Given(times)).map(Accepted::into_owned))
    }

    /// Whether the signature of a token holds, whatever its payload is. No claim is looked at.
    ///
    /// # Errors
    /// [`Denied::Rejected`] for the shape, the header, the key or the signature.
    pub fn authenticate(&self, token: impl AsRef<[u8]>) -> Result<AuthenticToken<'static>, Denied> {
        let (token, policy) = (token.as_ref(), &self.shared.policy);
        with_thread_scratch(|Scratch { recent, buffers }| {
            let (snapshot, _) = recent.current(&self.shared.published, &self.shared.counters);
            let signed = authenticate(snapshot, policy, buffers, token, &mut ())?;
            Ok(AuthenticToken::new(signed.signing_input, signed.payload, signed.signature).into_owned())
        })
    }

    #[inline]
    fn accept<'a>(&self, scratch: &'a mut Scratch, token: &'a [u8], clock: Clock) -> Result<Accepted<'a>, Denied> {
        let mut claims = Claims::default();
        let proven = self.verify_bytes(scratch, token, clock, &mut claims)?;
        Ok(Accepted::new(proven, claims))
    }

    /// Reads the claims of a token into `claims`, which say nothing unless the token is accepted.
    ///
    /// One function for all callers, from Rust and from C, so that it is compiled once and with everything in it.
    #[inline(never)]
    pub(crate) fn verify_bytes<'a>(
        &self,
        scratch: &'a mut Scratch,
        token: &'a [u8],
        clock: Clock,
        claims: &mut Claims,
    ) -> Result<Proven<'a>, Denied> {
        let Scratch { recent, buffers } = scratch;
        let (snapshot, counts) = recent.current(&self.shared.published, &self.shared.counters);
        let verdict = self.check(snapshot, buffers, token, Reading { clock, claims }, counts);
        counts.count(verdict.as_ref().err());
        verdict
    }
}

fn with_thread_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => work(&mut scratch),
        // A caller's `AsRef` that verifies in its turn.
        Err(_) => work(&mut Scratch::new()),
    })
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("keys", &self.shared.published.load().keys)
            .field("policy", self.policy())
            .finish()
    }
}
