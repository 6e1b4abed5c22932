//! Looking after a log: what has expired, what takes room, and what was stated by mistake.

use std::time::Duration;

use super::Engine;
use super::replica::{ClockTrust, Compaction};
use crate::clock::{Times, UnixTime};
use crate::error::Error;
#[cfg(doc)]
use crate::error::RevokeError;
use crate::log::LifetimeChange;
use crate::revocation::Record;

/// How long tokens on a log may live.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongestLifetime {
    /// Of tokens that were issued before it was raised, or of all.
    pub lifetime: Duration,
    /// Where it was raised: to what, and for tokens that were issued from when on.
    pub raised: Option<(Duration, UnixTime)>,
}

impl Engine {
    /// Collects now, and gives the room back to the system, in steps between which revocations have their turn.
    ///
    /// # Errors
    /// [`RevokeError::NoLog`]; [`Error::Log`] when the log can't be written.
    pub fn compact(&self, trust: ClockTrust) -> Result<Compaction, Error> {
        self.compact_at(trust, self.now())
    }

    /// [`compact`](Self::compact) at the times that the caller gives.
    ///
    /// # Errors
    /// Those of [`compact`](Self::compact).
    pub fn compact_at(&self, trust: ClockTrust, times: Times) -> Result<Compaction, Error> {
        let replica = self.log()?;
        let deleted = replica.collect(times, trust)?;
        let rewrite_needed = !replica.give_back()?;
        replica.merge_all();
        Ok(Compaction { deleted, rewrite_needed, watermark: replica.watermark() })
    }

    /// Writes the log anew, so that it takes no more room than it needs: once, for a file of an earlier version, which can't give
    /// it back in steps. See [`Compaction::rewrite_needed`].
    ///
    /// Cost: as long as copying the file. **Nobody can log out meanwhile**: who waits for longer than
    /// [`Log::append_timeout`](crate::Log::append_timeout) is told that it was not recorded.
    ///
    /// # Errors
    /// [`RevokeError::NoLog`]; [`Error::Log`] when the log can't be written.
    pub fn rewrite_log(&self) -> Result<(), Error> {
        Ok(self.log()?.log.rewrite()?)
    }

    /// Takes revocations out of the log that were recorded by mistake, wherever it is kept, as if they never had been. Returns how
    /// many of them it had.
    ///
    /// Tokens that only they meant are good again, within a second on every process that can reach the log. One of an earlier version
    /// goes by them until it is started again. What was recorded *because* of one stays: a later log-out of the same subject lies
    /// behind the cut-offs that there were, and is kept as long. What was erased can still be read in the log's file or on the server
    /// until it would have expired, since every process must be told of it.
    ///
    /// Cost: as long as reading the whole log twice; in other processes once.
    ///
    /// # Errors
    /// [`RevokeError::NoLog`]; [`Error::Log`] when the log can't be written, or more than
    /// [`ERASED_MAX`](crate::limits::ERASED_MAX) have been erased that would still be kept.
    pub fn insecure_erase(&self, records: &[Record]) -> Result<usize, Error> {
        Ok(self.log()?.erase(records, self.now())?)
    }

    /// Sets the watermark back to now, after a clock that stood too far ahead has made it one of the future.
    ///
    /// Tokens that expire between now and the old watermark are good again, even where their revocations
    /// have been collected. Returns the old watermark.
    ///
    /// # Errors
    /// [`RevokeError::NoLog`]; [`Error::Log`] when the log can't be written.
    pub fn insecure_reset_watermark(&self, times: Times) -> Result<Option<UnixTime>, Error> {
        let replica = self.log()?;
        let before = replica.watermark();
        replica.reset_watermark(times)?;
        Ok(before)
    }

    /// Lets tokens live longer that are issued ten minutes from now on or later, when every node has heard of it. Returns from when.
    ///
    /// What was recorded before was kept for as long as the tokens of that time could live, so those go on to be refused if they
    /// live longer. It can be raised again when they have ended.
    ///
    /// # Errors
    /// [`RevokeError::NoLog`]; [`Error::Log`] when it is shorter than what is stated, or was raised not long ago, or the log can't be
    /// written.
    pub fn raise_longest_lifetime(&self, lifetime: Duration) -> Result<UnixTime, Error> {
        self.raise_longest_lifetime_at(lifetime, self.now())
    }

    /// [`raise_longest_lifetime`](Self::raise_longest_lifetime) at the times that the caller gives. Where a server keeps the log, it
    /// goes by that server's.
    ///
    /// # Errors
    /// Those of [`raise_longest_lifetime`](Self::raise_longest_lifetime).
    pub fn raise_longest_lifetime_at(&self, lifetime: Duration, times: Times) -> Result<UnixTime, Error> {
        Ok(self.log()?.replace_longest_lifetime(LifetimeChange::Raise(lifetime), times)?)
    }

    /// Takes back what was stated of the longest lifetime by mistake, and states another, or none, at once.
    ///
    /// A log-out of a session, of a subject or of everything was kept for as long as tokens could live by what was stated then: one
    /// that lives longer may be good again.
    ///
    /// # Errors
    /// [`RevokeError::NoLog`]; [`Error::Log`] when the log can't be written.
    pub fn insecure_replace_longest_lifetime(&self, lifetime: Option<Duration>) -> Result<(), Error> {
        Ok(self.log()?.replace_longest_lifetime(LifetimeChange::Replace(lifetime), self.now()).map(drop)?)
    }

    /// By how many milliseconds the clock that counts is ahead of this machine's: that of the server which keeps the log. Zero where
    /// there is none, or it has not been asked yet. For who hands times in by a wall clock of its own.
    #[must_use]
    pub fn clock_ahead_millis(&self) -> i64 {
        self.now().wall().as_millis().saturating_sub(Times::now().wall().as_millis())
    }

    /// How long tokens on the log may live. None where nothing is stated.
    #[must_use]
    pub fn longest_lifetime(&self) -> Option<LongestLifetime> {
        let lifetime = self.shared.log.as_ref()?.replica.longest_lifetime()?;
        let raised = lifetime.from().map(|from| (lifetime.max(), from));
        Some(LongestLifetime { lifetime: lifetime.base(), raised })
    }
}
