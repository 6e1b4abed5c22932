//! What the log says of itself, and is told: the longest lifetime, how far ahead of the clock an `iat` may lie, the watermark.
//!
//! What a node has heard or stated, the log owes to everybody: it is told again for as long as it does not say it, whatever has
//! become of the server that was told first.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use redis::Cmd;

use super::reader::Reader;
use super::{RedisLog, no_random, script};
use crate::clock::UnixTime;
use crate::log::{Allowance, Facts, LifetimeChange, LogError, LongestLifetime, lifetime_fault};

/// How far apart a log is told at least what it lacks.
pub(super) const RESTATE_INTERVAL: Duration = Duration::from_millis(500);

/// The longest lifetime, and how far ahead of the clock an `iat` may lie.
#[derive(Clone, Copy, Default)]
pub(super) struct Promised {
    pub(super) longest_lifetime: Option<Duration>,
    pub(super) allowance: Option<(Duration, UnixTime)>,
}

impl RedisLog {
    /// Tells the log what it was to be told when it is there. It is not read before.
    pub(super) fn keep_promise(&self) -> Result<(), LogError> {
        let promised = *self.promised.lock();
        if let Some(lifetime) = promised.longest_lifetime {
            self.state_longest_lifetime(lifetime)?;
        }
        if let Some((max, now)) = promised.allowance {
            self.state_allowance(max, now)?;
        }
        *self.promised.lock() = Promised::default();
        Ok(())
    }

    /// What a log is made of that is not there.
    pub(super) fn beginnings(&self) -> Result<Beginnings, LogError> {
        let identity = (self.random)().ok_or_else(|| no_random(&self.place))?;
        Ok(Beginnings { identity: u128::from_be_bytes(identity), facts: *self.last_facts.lock() })
    }

    /// Tells a log what it does not say of what it was told before: it went back, or was made anew by somebody who knew nothing.
    /// That is owed at each head until the log says it.
    pub(super) fn restate(&self, reader: &mut Reader, facts: Facts) -> Result<Facts, LogError> {
        let mut held = self.last_facts.lock();
        let owed = held.strictest(facts);
        *held = owed;
        drop(held);
        if owed != facts && reader.restated_at.is_none_or(|at| at.elapsed() >= RESTATE_INTERVAL) {
            reader.restated_at = Some(Instant::now());
            let mut command = self.script(script::STATE);
            add_facts(&mut command, owed);
            match self.reader.with(Duration::ZERO, |wire, _| command.exec(wire)) {
                // What it can't be told now is still owed, and what it has can be read all the same.
                Err(error) if error.is_certain() => {
                    tracing::warn!(%error, "degraded: the log could not be told what it lacks");
                }
                stated => stated?,
            }
        }
        Ok(owed)
    }
}

impl RedisLog {
    pub(super) fn state_longest_lifetime(&self, lifetime: Duration) -> Result<(), LogError> {
        let stated = self.swap("longest_lifetime", "", |held, _| {
            let stated = LongestLifetime::stated(LongestLifetime::parse(held), lifetime);
            Ok((stated.map_err(|fault| lifetime_fault(fault, lifetime))?.to_string(), ()))
        })?;
        // It is owed until it is read.
        self.last_facts.lock().longest_lifetime = LongestLifetime::parse(&stated.0);
        Ok(())
    }

    /// Changes a longest lifetime that is stated, and says from when that counts, by the server's clock.
    pub(super) fn change_longest_lifetime(&self, change: LifetimeChange) -> Result<UnixTime, LogError> {
        let (_, from) = self.swap("longest_lifetime", "lifetime_revision", |held, now| {
            let (changed, from) = change.apply(LongestLifetime::parse(held), now)?;
            Ok((changed.map_or_else(String::new, |changed| changed.to_string()), from))
        })?;
        Ok(from)
    }

    pub(super) fn state_allowance(&self, max: Duration, now: UnixTime) -> Result<(), LogError> {
        let (stated, ()) = self.swap("issued_in_future_max", "", |held, _| {
            let stated = Allowance::stated(Allowance::parse(held), max, now);
            Ok((stated.map_err(|stored| LogError::AllowanceRaised { stored, asked: max })?.to_string(), ()))
        })?;
        self.last_facts.lock().allowance = Allowance::parse(&stated);
        Ok(())
    }

    /// States a fact in the place of what it was, as long as nobody else does meanwhile. `revision` names
    /// what counts how often it was taken back, if it is, so that nobody states again what was there before.
    fn swap<T>(
        &self,
        name: &str,
        revision: &str,
        change: impl Fn(&str, UnixTime) -> Result<(String, T), LogError>,
    ) -> Result<(String, T), LogError> {
        let mut held = String::new();
        loop {
            let (stated, told) = change(&held, self.clock.now())?;
            let mut command = self.script(script::SWAP);
            command.arg(name).arg(&held).arg(&stated).arg(revision);
            let now_held: Option<String> = self.writer.with(Duration::ZERO, |wire, _| command.query(wire))?;
            match now_held {
                None => return Ok((stated, told)),
                Some(now_held) => held = now_held,
            }
        }
    }

    /// What the log says of itself, with what it has not been told yet.
    pub(super) fn with_promised(&self, facts: Facts) -> Facts {
        let promised = *self.promised.lock();
        let lifetime = promised.longest_lifetime;
        let lifetime = lifetime.and_then(|asked| LongestLifetime::stated(facts.longest_lifetime, asked).ok());
        let allowance = promised.allowance.and_then(|(max, now)| Allowance::stated(facts.allowance, max, now).ok());
        Facts {
            longest_lifetime: lifetime.or(facts.longest_lifetime),
            allowance: allowance.or(facts.allowance),
            ..facts
        }
    }
}

pub(super) fn refuse_raised(held: Option<LongestLifetime>, asked: Duration) -> Result<(), LogError> {
    LongestLifetime::stated(held, asked).map(|_| ()).map_err(|fault| lifetime_fault(fault, asked))
}

/// What a log is made of: its identity, and what was known of one that was there before.
pub(super) struct Beginnings {
    identity: u128,
    facts: Facts,
}

impl Beginnings {
    pub(super) fn add_to(&self, command: &mut Cmd) {
        command.arg(format!("{:032x}", self.identity));
        add_facts(command, self.facts);
    }
}

fn add_facts(command: &mut Cmd, facts: Facts) {
    let text = |millis: Option<String>| millis.unwrap_or_default();
    command.arg(facts.revision);
    command.arg(text(facts.watermark.map(|time| time.as_millis().to_string())));
    command.arg(text(facts.newest.map(|time| time.as_millis().to_string())));
    command.arg(facts.lifetime_revision);
    command.arg(text(facts.longest_lifetime.map(|lifetime| lifetime.to_string())));
    command.arg(text(facts.allowance.map(|allowance| allowance.to_string())));
}

impl Facts {
    /// What holds of two readings of one log: the stricter of each, but for what was taken back on purpose in the later of them.
    fn strictest(self, now: Self) -> Self {
        let (watermark, revision) = match self.revision.cmp(&now.revision) {
            Ordering::Less => (now.watermark, now.revision),
            Ordering::Equal => (self.watermark.max(now.watermark), now.revision),
            Ordering::Greater => (self.watermark, self.revision),
        };
        let (longest_lifetime, lifetime_revision) = match self.lifetime_revision.cmp(&now.lifetime_revision) {
            Ordering::Less => (now.longest_lifetime, now.lifetime_revision),
            Ordering::Equal => {
                (LongestLifetime::stricter(now.longest_lifetime, self.longest_lifetime), now.lifetime_revision)
            }
            Ordering::Greater => (self.longest_lifetime, self.lifetime_revision),
        };
        Self {
            watermark,
            newest: now.newest.or(self.newest),
            longest_lifetime,
            allowance: Allowance::smaller(now.allowance, self.allowance),
            revision,
            lifetime_revision,
            generation: now.generation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixTime;

    #[test]
    fn of_one_making_the_stricter_counts_and_what_was_taken_back_counts_before_it() {
        let secs = Duration::from_secs;
        let facts = |watermark: i64, lifetime: u64, revision| Facts {
            watermark: Some(UnixTime::from_secs(watermark)),
            longest_lifetime: Some(LongestLifetime::of(secs(lifetime), None)),
            revision,
            ..Facts::default()
        };
        let (earlier, later) = (facts(5, 60, 0), facts(7, 90, 0));
        assert_eq!(earlier.strictest(later), facts(7, 60, 0));
        assert_eq!(later.strictest(earlier), facts(7, 60, 0));
        let taken_back = facts(3, 90, 1);
        assert_eq!(earlier.strictest(taken_back), facts(3, 60, 1), "that says nothing about the lifetime");
        assert_eq!(taken_back.strictest(earlier), facts(3, 60, 1), "a log that knows nothing of it is told");
        let replaced = Facts { lifetime_revision: 1, ..facts(3, 90, 0) };
        assert_eq!(earlier.strictest(replaced), Facts { lifetime_revision: 1, ..facts(5, 90, 0) });
        assert_eq!(Facts::default().strictest(earlier), earlier);
    }
}
