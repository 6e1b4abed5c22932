//! What the log itself asks of every token: that its revocations can't have been collected before it expired.
//!
//! Invariant: bounds are stored before the records that they make up for are dropped, and read after the view that may lack
//! those: [`Bounds::judge`] takes a [`Look`]. A watermark that is taken back while a verification is under way still holds for it,
//! as it was before its view was loaded.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::freshness::AsOf;
use crate::clock::UnixTime;
use crate::denied::{ClaimName, Reject};
use crate::index::Look;
use crate::limits::KEEP_AFTER_EXPIRY;
use crate::log::{Allowance, LongestLifetime};
use crate::policy::Ahead;
use crate::policy::claims::Claims;
use crate::sync::Mutex;

/// What the clock read, and by how much clocks may differ.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Now {
    pub(in crate::engine) time: UnixTime,
    pub(in crate::engine) leeway: Duration,
}

pub(super) struct Bounds {
    /// Milliseconds; `i64::MIN` where there is none.
    watermark: AtomicI64,
    /// Milliseconds; `i64::MAX` where there is none.
    longest_lifetime: AtomicI64,
    /// The same with what it was raised to, for what lives longer than that.
    raised_lifetime: Mutex<Option<LongestLifetime>>,
    /// Milliseconds: how far ahead of the clock an `iat` may lie.
    issued_in_future_max: AtomicI64,
    /// The same with what was allowed before, for cut-offs.
    allowance: Mutex<Allowance>,
}

impl Bounds {
    /// None that is known.
    pub(super) fn none() -> Self {
        let bounds = Self {
            watermark: AtomicI64::new(i64::MIN),
            longest_lifetime: AtomicI64::new(i64::MAX),
            raised_lifetime: Mutex::new(None),
            issued_in_future_max: AtomicI64::new(0),
            allowance: Mutex::default(),
        };
        bounds.set_allowance(Allowance::default());
        bounds
    }

    /// A token whose `exp` lies long enough before this is expired, whatever a clock says.
    pub(super) fn watermark(&self) -> Option<UnixTime> {
        let millis = self.watermark.load(Ordering::Acquire);
        (millis != i64::MIN).then_some(UnixTime::from_millis(millis))
    }

    /// To be set before the records that it makes up for are dropped.
    pub(super) fn set_watermark(&self, watermark: Option<UnixTime>) {
        self.watermark.store(watermark.map_or(i64::MIN, UnixTime::as_millis), Ordering::Release);
    }

    pub(super) fn longest_lifetime(&self) -> Option<LongestLifetime> {
        *self.raised_lifetime.lock()
    }

    /// To be set before the records that were kept by it are dropped.
    pub(super) fn set_longest_lifetime(&self, lifetime: Option<LongestLifetime>) {
        let mut held = self.raised_lifetime.lock();
        *held = lifetime;
        let millis = lifetime.map_or(i64::MAX, |lifetime| UnixTime::default().plus(lifetime.base()).as_millis());
        self.longest_lifetime.store(millis, Ordering::Release);
    }

    pub(super) fn allowance(&self) -> Allowance {
        *self.allowance.lock()
    }

    /// How far ahead of the clock an `iat` may lie.
    #[inline]
    pub(super) fn issued_in_future_max(&self) -> Ahead {
        Ahead::from_millis(self.issued_in_future_max.load(Ordering::Acquire))
    }

    pub(super) fn set_allowance(&self, allowance: Allowance) {
        let mut held = self.allowance.lock();
        *held = allowance;
        self.issued_in_future_max.store(UnixTime::default().plus(allowance.max).as_millis(), Ordering::Release);
    }

    /// The time by which a token that ends then has ended, if it has: what the clock reads, or the watermark. To be asked behind
    /// the view that is screened.
    pub(super) fn expired(
        &self,
        behind: &Look<'_, AsOf>,
        exp: UnixTime,
        Now { time, leeway }: Now,
    ) -> Option<UnixTime> {
        let watermark = self.watermark_behind(behind);
        if exp.plus(leeway) <= time {
            return Some(time);
        }
        (exp.plus(KEEP_AFTER_EXPIRY) <= watermark).then_some(watermark)
    }

    fn watermark_behind(&self, behind: &Look<'_, AsOf>) -> UnixTime {
        UnixTime::from_millis(self.watermark.load(Ordering::Acquire)).max(behind.as_of().watermark())
    }

    /// Holds a token against them. To be asked behind the view that is screened.
    #[inline]
    pub(super) fn judge(
        &self,
        behind: &Look<'_, AsOf>,
        claims: &Claims,
        Now { time: now, leeway }: Now,
    ) -> Result<(), Reject> {
        let watermark = self.watermark_behind(behind);
        if let Some(exp) = claims.exp()
            && exp.plus(KEEP_AFTER_EXPIRY) <= watermark
        {
            return Err(Reject::Expired { exp, now: watermark, leeway });
        }
        if let Some(iat) = claims.iat() {
            let allowed = self.issued_in_future_max();
            if allowed.is_exceeded(iat, now) {
                return Err(Reject::IssuedInFuture { iat, now, allowed: allowed.duration() });
            }
        }
        match lifetime(self.longest_lifetime.load(Ordering::Acquire)) {
            None => Ok(()),
            Some(base) => self.judge_lifetime(claims, base),
        }
    }
}

impl Bounds {
    /// The longest lifetime, in the order of [`judge`](crate::policy::judge).
    #[cold]
    fn judge_lifetime(&self, claims: &Claims, base: Duration) -> Result<(), Reject> {
        let missing = |name| Reject::ClaimMissing { name: ClaimName::registered(name) };
        let exp = claims.exp().ok_or_else(|| missing("exp"))?;
        let iat = claims.iat().ok_or_else(|| missing("iat"))?;
        if exp <= iat.plus(base) {
            return Ok(());
        }
        let max = self.longest_lifetime().map_or(base, |lifetime| lifetime.of_issued_at(iat));
        if exp > iat.plus(max) {
            return Err(Reject::LifetimeTooLong { exp, iat, max });
        }
        Ok(())
    }
}

#[inline]
fn lifetime(millis: i64) -> Option<Duration> {
    (millis != i64::MAX).then(|| Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}
