//! Where log and index meet: what an engine knows of revocations, and how fresh that is.
//!
//! The log is the truth, the index a view of it. Everything that writes to either is in this folder.

mod append;
mod collect;
mod follow;
mod freshness;
mod open;
mod threads;
mod ticket;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

pub use collect::{ClockTrust, CollectionPause, Compaction};
pub use follow::Progress;
pub use open::{Log, OnUnknown, Threads};
pub use ticket::Revoking;

pub(super) use threads::Workers;

use super::accepted::{Cleared, WhyUnknown};
use super::snapshot::Ahead;
use crate::clock::{Clock, Times, UnixTime};
use crate::index::{Foreseen, Index, Probes, Screened, Traits};
use crate::keys::crypto;
use crate::limits::KEEP_AFTER_EXPIRY;
use crate::log::{Cursor, Facts, LogError, RevocationLog};
use crate::policy::Texts;
use crate::policy::claims::Claims;
use crate::policy::texts::Span;
use crate::sync::Mutex;
use crate::token::guess::{Guess, Place};
use crate::verdict::{ClaimName, Denied, Reject, Unknown};
use append::Queue;
use collect::Observed;
use freshness::Freshness;

/// One log and its index.
pub(super) struct Revocations {
    pub(super) index: Index,
    jti: Guess,
    pub(super) log: Box<dyn RevocationLog>,
    pub(super) options: open::Options,
    pub(super) origin: crate::log::Origin,
    freshness: Freshness,
    /// Milliseconds; `i64::MIN` where there is none.
    watermark: AtomicI64,
    newest: AtomicI64,
    /// Milliseconds; `i64::MAX` where there is none.
    longest_lifetime: AtomicI64,
    unknown_kinds: AtomicU64,
    junk: AtomicU64,
    /// The highest position that was seen in the log, and the one up to which the index has it.
    head: AtomicI64,
    applied: AtomicI64,
    /// Microseconds.
    merging: AtomicU64,
    follower: Mutex<Follower>,
    queue: Queue,
    observed: Mutex<Observed>,
    /// How often a watermark was set here. Held while one is published.
    collections: Mutex<u64>,
    /// The log lacked once what had been read from it, so that what is held may not be in it.
    went_back: AtomicBool,
    fault: Mutex<Option<LogError>>,
    signal: threads::Signal,
}

/// The screening of a token whose signature is still to be verified.
pub(super) struct Foresight<'r, 'p> {
    pub(super) log: &'r Revocations,
    pub(super) jti_place: &'r mut Place,
    pub(super) foreseen: Option<Foreseen<'p>>,
}

impl<'p> Ahead<'p> for Option<Foresight<'_, 'p>> {
    #[inline]
    fn before_signature(&mut self, payload: &'p [u8]) {
        if let Some(Foresight { log, jti_place, foreseen }) = self {
            *foreseen = Some(log.index.foresee(|| log.jti.text(payload, jti_place)));
        }
    }

    #[inline]
    fn midway(&mut self) {
        if let Some(Foresight { foreseen: Some(foreseen), .. }) = self {
            foreseen.go_on();
        }
    }
}

/// Where following stands.
#[derive(Default)]
struct Follower {
    cursor: Cursor,
}

impl Revocations {
    /// Takes over what the log says of itself. `collections` is how many of ours there had been when the read
    /// began: a watermark that was read before one of them must not take back what it has set.
    fn learn(&self, facts: Facts, collections: u64) {
        let millis = |time: Option<UnixTime>| time.map_or(i64::MIN, UnixTime::as_millis);
        let current = self.collections.lock();
        let read = millis(facts.watermark);
        let before = self.watermark.load(Ordering::Acquire);
        let watermark = if *current == collections { read } else { read.max(before) };
        self.watermark.store(watermark, Ordering::Release);
        if watermark != i64::MIN {
            self.index.collect(UnixTime::from_millis(watermark));
        }
        drop(current);
        self.newest.store(millis(facts.newest), Ordering::Relaxed);
        let lifetime =
            facts.longest_lifetime.map_or(i64::MAX, |lifetime| UnixTime::default().plus(lifetime).as_millis());
        self.longest_lifetime.store(lifetime, Ordering::Relaxed);
    }

    pub(super) fn watermark(&self) -> Option<UnixTime> {
        let millis = self.watermark.load(Ordering::Acquire);
        (millis != i64::MIN).then_some(UnixTime::from_millis(millis))
    }

    fn newest(&self) -> Option<UnixTime> {
        let millis = self.newest.load(Ordering::Relaxed);
        (millis != i64::MIN).then_some(UnixTime::from_millis(millis))
    }

    pub(super) fn longest_lifetime(&self) -> Option<Duration> {
        let millis = self.longest_lifetime.load(Ordering::Relaxed);
        (millis != i64::MAX).then(|| Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
    }

    /// What the log itself asks of a token: that its revocations can't have been collected before it
    /// expired.
    #[inline]
    pub(super) fn judge(&self, claims: &Claims, leeway: Duration) -> Result<(), Reject> {
        let exp = claims.exp();
        let watermark = UnixTime::from_millis(self.watermark.load(Ordering::Acquire));
        if let Some(exp) = exp
            && exp.plus(KEEP_AFTER_EXPIRY) <= watermark
        {
            return Err(Reject::Expired { exp, now: watermark, leeway });
        }
        match self.longest_lifetime.load(Ordering::Relaxed) {
            i64::MAX => Ok(()),
            millis => judge_lifetime(claims, Duration::from_millis(u64::try_from(millis).unwrap_or(0))),
        }
    }

    /// Why the index may lack something, if it may.
    #[inline]
    pub(super) fn unknown(&self, clock: Clock) -> Option<Unknown> {
        match self.unknown_kinds.load(Ordering::Relaxed) {
            0 => self.freshness.unknown(clock, self.options.max_staleness),
            count => Some(Unknown::Newer { count }),
        }
    }

    /// Whether an authentic token whose claims fit has not been logged out: steps 8 and 9.
    #[inline]
    pub(super) fn clear(
        &self,
        foreseen: &Foreseen<'_>,
        claims: &Claims,
        texts: Texts<'_>,
        signing_input: &[u8],
        (clock, now, leeway): (Clock, UnixTime, Duration),
        probes: &mut Probes,
    ) -> Result<Cleared, Denied> {
        self.judge(claims, leeway)?;
        let traits = traits(claims, texts);
        let screened = self.index.screen_foreseen(foreseen, &traits, || crypto::sha256(signing_input), probes);
        let proof = match screened {
            Screened::Revoked(scope) => return Err(Reject::Revoked { scope }.into()),
            Screened::NotRevoked(proof) => proof,
        };
        match self.unknown(clock) {
            None => Ok(Cleared::NotRevoked(proof)),
            Some(unknown) => self.allow(unknown, claims, now),
        }
    }

    #[cold]
    fn allow(&self, unknown: Unknown, claims: &Claims, now: UnixTime) -> Result<Cleared, Denied> {
        let is_allowed = match self.options.on_unknown {
            OnUnknown::Reject => false,
            OnUnknown::Accept => true,
            OnUnknown::AcceptYounger(age) => claims.iat().is_some_and(|iat| now < iat.plus(age)),
        };
        match (is_allowed, &unknown) {
            (true, Unknown::Stale { .. }) => Ok(Cleared::UnknownAllowed(WhyUnknown::Stale)),
            (true, Unknown::Unread) => Ok(Cleared::UnknownAllowed(WhyUnknown::Unread)),
            (true, Unknown::Newer { .. }) => Ok(Cleared::UnknownAllowed(WhyUnknown::Newer)),
            (true, Unknown::ClockNotSet { .. }) | (false, _) => Err(unknown.into()),
        }
    }

    pub(super) fn age(&self, times: Times) -> Option<Duration> {
        self.freshness.age(times)
    }

    pub(super) fn fault(&self) -> Option<LogError> {
        self.fault.lock().clone()
    }

    pub(super) fn junk(&self) -> u64 {
        self.junk.load(Ordering::Relaxed)
    }

    pub(super) fn head(&self) -> i64 {
        self.head.load(Ordering::Relaxed)
    }

    pub(super) fn applied(&self) -> i64 {
        self.applied.load(Ordering::Relaxed)
    }

    pub(super) fn merging(&self) -> Duration {
        Duration::from_micros(self.merging.load(Ordering::Relaxed))
    }
}

/// The longest lifetime, in the order of [`judge`](crate::policy::judge).
#[cold]
fn judge_lifetime(claims: &Claims, max: Duration) -> Result<(), Reject> {
    let missing = |name| Reject::ClaimMissing { name: ClaimName::registered(name) };
    let exp = claims.exp().ok_or_else(|| missing("exp"))?;
    let iat = claims.iat().ok_or_else(|| missing("iat"))?;
    if exp > iat.plus(max) {
        return Err(Reject::LifetimeTooLong { exp, iat, max });
    }
    Ok(())
}

/// What of a token is screened.
#[inline]
pub(super) fn traits<'a>(claims: &Claims, texts: Texts<'a>) -> Traits<'a> {
    let text = |claim: Option<Span>| claim.map(|span| texts.of(span));
    Traits {
        jti: text(claims.jti()),
        sid: text(claims.sid()),
        sub: text(claims.sub()),
        iss: text(claims.iss()),
        iat: claims.iat(),
    }
}

/// A log and its index, and the threads that serve them, which end with the last of its engines.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) revocations: Arc<Revocations>,
    _workers: Arc<Workers>,
}

impl Served {
    pub(super) fn new(revocations: Arc<Revocations>) -> Self {
        let workers = Workers::start(&revocations);
        Self { revocations, _workers: Arc::new(workers) }
    }
}
