//! Where log and index meet: what an engine knows of revocations, and how fresh that is.
//!
//! The log is the truth, the index a view of it. Everything that writes to either is in this folder.

mod background_threads;
#[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
mod backup;
mod clock_check;
mod completion;
mod erasing;
mod follower;
mod freshness;
mod garbage_collection;
mod group_commit;
mod log_options;
mod lost_records;
mod open;
mod seqlock;
mod token_bounds;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

pub use clock_check::CollectionPause;

pub use crate::clock::ClockTrust;
pub use completion::Revoking;
pub use follower::Progress;
pub use garbage_collection::Compaction;
pub use log_options::{Log, OnUnknown, Threads};

pub(super) use background_threads::Workers;
pub(super) use group_commit::Request;

use super::clearance::{Cleared, WhyUnknown};
use super::verify::Prefetch;
use crate::clock::{Clock, Times, UnixTime};
use crate::denied::{Denied, Reject, Unknown};
use crate::index::{Contents, Earlier, Index, KeptUntil, Look, Probes, Screened, Traits};
use crate::keys::crypto;
use crate::limits::KNOWN_CUT_OFF_MAX;
use crate::log::{Cursor, Facts, LogError, LongestLifetime, RevocationLog, behind};
use crate::policy::claim_strings::Span;
use crate::policy::claims::Claims;
use crate::policy::{self, ClaimStrings};
use crate::revocation::{Record, Scope};
use crate::sync::Mutex;
use crate::token::prefetch::{Guess, Place};
use clock_check::Observed;
use freshness::{AsOf, Freshness, FreshnessWriter};
use group_commit::Queue;
use lost_records::LostRecords;
use token_bounds::Bounds;
pub(super) use token_bounds::Now;

/// One log and its index.
pub(super) struct Replica {
    index: Index,
    jti: Guess,
    pub(super) log: Box<dyn RevocationLog>,
    pub(super) options: log_options::Options,
    pub(super) origin: crate::log::Origin,
    freshness: Freshness,
    bounds: Bounds,
    /// Milliseconds; `i64::MIN` where there is none.
    newest: AtomicI64,
    /// How far the clock that counts for the log is ahead of this machine's uptime, in milliseconds; `i64::MIN` for its own clock.
    clock: AtomicI64,
    /// The latest that the clock was seen to read, in milliseconds.
    latest_seen: AtomicI64,
    junk: AtomicU64,
    /// The highest position that was seen in the log, and the one up to which the index has it.
    head: AtomicI64,
    applied: AtomicI64,
    /// Microseconds.
    merging: AtomicU64,
    follower: Mutex<Follower>,
    queue: Queue,
    observed: Mutex<Observed>,
    /// Held while a watermark is published.
    collections: Mutex<Collections>,
    backed: LostRecords,
    forgotten: Mutex<erasing::Forgotten>,
    /// Held by whoever forgets.
    forgetting: Mutex<()>,
    fault: Mutex<Option<LogError>>,
    signal: background_threads::Signal,
}

/// The time by which a token is judged, and the clock by which the index's age is.
pub(super) struct JudgedAt {
    pub(super) clock: Clock,
    pub(super) now: Now,
}

/// A view of the index, and how fresh it is at least.
pub(super) type Seen<'p> = Look<'p, AsOf>;

/// The screening of a token whose signature is still to be verified.
pub(super) struct Warming<'r, 'p> {
    pub(super) log: &'r Replica,
    pub(super) jti_place: &'r mut Place,
    pub(super) look: Option<Seen<'p>>,
}

impl<'p> Prefetch<'p> for Option<Warming<'_, 'p>> {
    #[inline]
    fn before_signature(&mut self, payload: &'p [u8]) {
        if let Some(Warming { log, jti_place, look }) = self {
            *look = Some(log.look(|| log.jti.text(payload, jti_place)));
        }
    }

    #[inline]
    fn midway(&mut self) {
        if let Some(Warming { look: Some(look), .. }) = self {
            look.go_on();
        }
    }
}

/// What is known of the watermarks that were set.
#[derive(Default)]
struct Collections {
    /// How often one was set here.
    count: u64,
    /// What it was taken back to, while the log is read anew before that is believed.
    lowered: Lowered,
}

/// Whether the watermark was taken back.
#[derive(Clone, Copy, Default)]
enum Lowered {
    #[default]
    No,
    /// To this, or to none.
    To(Option<UnixTime>),
}

impl Collections {
    /// Until when the index may leave out what is kept.
    fn left_out_until(&self, watermark: UnixTime) -> UnixTime {
        match self.lowered {
            Lowered::No => watermark,
            Lowered::To(lowered) => watermark.min(lowered.unwrap_or_default()),
        }
    }
}

/// Where following stands.
struct Follower {
    cursor: Cursor,
    freshness: FreshnessWriter,
}

impl Replica {
    /// Takes over what the log says of itself. `collections` is how many of ours there had been when the read
    /// began: a watermark that was read before one of them must not take back what it has set.
    fn learn(&self, facts: Facts, collections: u64) {
        let mut current = self.collections.lock();
        self.bounds.set_longest_lifetime(facts.longest_lifetime);
        self.bounds.set_allowance(facts.allowance.unwrap_or_default());
        let watermark =
            if current.count == collections { facts.watermark } else { facts.watermark.max(self.bounds.watermark()) };
        self.bounds.set_watermark(watermark);
        if current.count == collections {
            current.lowered = Lowered::No;
        }
        if let Some(watermark) = watermark {
            self.index.collect(current.left_out_until(watermark));
        }
        drop(current);
        self.newest.store(facts.newest.map_or(i64::MIN, UnixTime::as_millis), Ordering::Relaxed);
    }

    pub(super) fn watermark(&self) -> Option<UnixTime> {
        self.bounds.watermark()
    }

    fn newest(&self) -> Option<UnixTime> {
        let millis = self.newest.load(Ordering::Relaxed);
        (millis != i64::MIN).then_some(UnixTime::from_millis(millis))
    }

    /// The clock that counts for the log.
    #[inline]
    pub(super) fn clock(&self) -> Clock {
        match self.clock.load(Ordering::Relaxed) {
            i64::MIN => Clock::System,
            ahead_of_uptime => Clock::Elsewhere { ahead_of_uptime },
        }
    }

    /// What it reads.
    fn now(&self) -> Times {
        Times::now().with_wall(self.clock().exact())
    }

    fn learn_clock(&self) {
        self.clock.store(self.log.clock_ahead_of_uptime().unwrap_or(i64::MIN), Ordering::Relaxed);
    }

    pub(super) fn longest_lifetime(&self) -> Option<LongestLifetime> {
        self.bounds.longest_lifetime()
    }

    /// How fresh the index is, and then a view of it.
    #[inline]
    pub(super) fn look<'p>(&self, jti: impl FnOnce() -> Option<&'p [u8]>) -> Seen<'p> {
        self.index.look(self.freshness.as_of(), jti)
    }

    /// What the log itself asks of a token; see [`Bounds`].
    pub(super) fn judge(&self, look: &Seen<'_>, claims: &Claims, now: Now) -> Result<(), Reject> {
        self.bounds.judge(look, claims, now)
    }

    /// The time by which a token that ends then has ended, if it has: what the clock reads, or the watermark.
    pub(super) fn expired(&self, look: &Seen<'_>, exp: UnixTime, now: Now) -> Option<UnixTime> {
        self.bounds.expired(look, exp, now)
    }

    /// How far ahead of the clock an `iat` may lie.
    #[inline]
    pub(super) fn issued_in_future_max(&self) -> policy::Ahead {
        self.bounds.issued_in_future_max()
    }

    /// Puts a cut-off of now behind those that are held of the same tokens, and keeps it at least as long. Answers with what it has
    /// to lie behind by that.
    pub(super) fn place_behind(&self, record: &mut Record) -> Option<UnixTime> {
        let earlier = self.lengthen(record);
        let not_before = earlier.latest.map(|latest| behind(latest, record));
        record.issued_before = record.issued_before.max(not_before);
        not_before
    }

    /// Keeps a cut-off at least as long as those of the same tokens, so that the latest is never the first to be collected.
    pub(super) fn lengthen(&self, record: &mut Record) -> Earlier {
        let earlier = self.index.earlier(&record.borrow());
        record.keep_until = match (record.keep_until, earlier.kept) {
            (Some(_), Some(KeptUntil::ForEver)) | (None, _) => None,
            (Some(own), Some(KeptUntil::Time(held))) => Some(own.max(held)),
            (Some(own), None) => Some(own),
        };
        earlier
    }

    /// Whether a record that was seen means the token.
    pub(super) fn screen(
        &self,
        look: &Seen<'_>,
        token: &Traits<'_>,
        signing_input: impl FnOnce() -> [u8; 32],
    ) -> Screened {
        self.index.screen(look, token, signing_input, &mut Probes::default())
    }

    /// The latest cut-off that would revoke a token with these traits, were it issued early enough.
    pub(super) fn latest_cut_off(&self, look: &Seen<'_>, token: &Traits<'_>) -> Option<UnixTime> {
        self.index.latest_cut_off(look, token)
    }

    /// Why the view may lack something, if it may.
    #[inline]
    pub(super) fn unknown(&self, look: &Seen<'_>, clock: Clock) -> Option<Unknown> {
        freshness::unknown(look, clock, self.options.max_staleness)
    }

    /// Whether an authentic token whose claims fit has not been logged out: steps 8 and 9.
    #[inline]
    pub(super) fn clear(
        &self,
        look: &Seen<'_>,
        claims: &Claims,
        texts: ClaimStrings<'_>,
        signing_input: &[u8],
        JudgedAt { clock, now }: JudgedAt,
        probes: &mut Probes,
    ) -> Result<Cleared, Denied> {
        self.bounds.judge(look, claims, now)?;
        let now = now.time;
        let traits = traits(claims, texts);
        let proof = match self.index.screen(look, &traits, || crypto::sha256(signing_input), probes) {
            Screened::NotRevoked(proof) => proof,
            Screened::Revoked(scope) => return Err(Reject::Revoked { scope }.into()),
            Screened::CutOff(scope) => {
                let latest = self.index.latest_cut_off(look, &traits).unwrap_or(now);
                return Err(Self::cut_off(scope, latest, claims.iat(), now).into());
            }
        };
        match self.unknown(look, clock) {
            None => Ok(Cleared::NotRevoked(proof)),
            Some(unknown) => self.allow(unknown, claims, now),
        }
    }

    /// What is said of a token that was issued before a cut-off: whether it may have been issued after the log-out that the
    /// cut-off was made for, and from when on a new one is good.
    #[cold]
    fn cut_off(scope: Scope, latest: UnixTime, iat: Option<UnixTime>, now: UnixTime) -> Reject {
        // Of an `iat` in whole seconds, the first that lies behind it.
        let good_from = UnixTime::from_secs(latest.as_secs() + 1);
        match iat {
            // As far ahead as a cut-off is written that such a token may have been issued behind; and `iat` may lack its fraction.
            Some(iat) if now < good_from && iat.plus(KNOWN_CUT_OFF_MAX) > latest => {
                Reject::TooSoon { scope, good_from, now }
            }
            Some(_) | None => Reject::Revoked { scope },
        }
    }

    #[cold]
    fn allow(&self, unknown: Unknown, claims: &Claims, now: UnixTime) -> Result<Cleared, Denied> {
        let is_allowed = match self.options.on_unknown {
            OnUnknown::Reject => false,
            OnUnknown::Accept => true,
            // No token from the future comes here: the log's bounds were asked before.
            OnUnknown::AcceptYounger(age) => claims.iat().is_some_and(|iat| now < iat.plus(age)),
        };
        match (is_allowed, &unknown) {
            (true, Unknown::Stale { .. }) => Ok(Cleared::UnknownAllowed(WhyUnknown::Stale)),
            (true, Unknown::Unread) => Ok(Cleared::UnknownAllowed(WhyUnknown::Unread)),
            (true, Unknown::Newer { .. }) => Ok(Cleared::UnknownAllowed(WhyUnknown::Newer)),
            (true, Unknown::ClockNotSet { .. }) | (false, _) => Err(unknown.into()),
        }
    }

    /// Why tokens are answered with "unavailable", if they are.
    pub(super) fn readiness(&self) -> Option<Unknown> {
        self.freshness.readiness(self.options.max_staleness)
    }

    pub(super) fn age(&self, times: Times) -> Option<Duration> {
        self.freshness.age(times)
    }

    /// What the index holds, counted.
    pub(super) fn contents(&self) -> Contents {
        self.index.contents()
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

/// What of a token is screened.
#[inline]
pub(super) fn traits<'a>(claims: &Claims, texts: ClaimStrings<'a>) -> Traits<'a> {
    let text = |claim: Option<Span>| claim.map(|span| texts.of(span));
    Traits {
        jti: text(claims.jti()),
        sid: text(claims.sid()),
        sub: text(claims.sub()),
        iss: text(claims.iss()),
        iat: claims.iat(),
        knowing: claims.known_cut_off(),
    }
}

/// A log and its index, and the threads that serve them, which end with the last of its engines.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) replica: Arc<Replica>,
    _workers: Arc<Workers>,
}

impl Served {
    pub(super) fn new(replica: Arc<Replica>) -> Self {
        let workers = Workers::start(&replica);
        Self { replica, _workers: Arc::new(workers) }
    }
}
