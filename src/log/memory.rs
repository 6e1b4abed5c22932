//! A log that ends with the process: for tests, and for hosts that bring their own feed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::{
    Allowance, Appended, Backing, ClockTrust, Collected, Committed, Cursor, Facts, Fate, Follows, Ground,
    LifetimeChange, LogError, LongestLifetime, Moment, Page, Placed, Proposal, Read, RevocationLog, There, Unread,
    Visit, advance, lifetime_fault,
};
use crate::clock::UnixTime;
use crate::limits::ERASED_MAX;
use crate::revocation::{Durability, Record};
use crate::sync::Mutex;

/// Clones are the same log, each for a reader of its own.
pub(crate) struct MemoryLog {
    salt: [u8; 16],
    state: Arc<Mutex<State>>,
    /// How many changes there were at the last read, and where that ended.
    seen: AtomicU64,
    end: AtomicI64,
}

impl Clone for MemoryLog {
    fn clone(&self) -> Self {
        Self { salt: self.salt, state: Arc::clone(&self.state), seen: AtomicU64::new(0), end: AtomicI64::new(0) }
    }
}

#[derive(Default)]
struct State {
    /// In the order of their positions.
    records: Vec<(Cursor, Record)>,
    last: i64,
    facts: Facts,
    changes: u64,
    erased: Vec<Record>,
    erasures: u64,
}

impl State {
    fn change(&mut self) -> &mut Self {
        self.changes += 1;
        self
    }

    fn knows(&self, cursor: Cursor) -> bool {
        let there = match self.records.binary_search_by_key(&cursor.position, |(held, _)| held.position) {
            Ok(at) => There::Held(self.records[at].0.tag),
            // Whatever it has lost it has collected: it can't be restored.
            Err(_) if cursor.position < self.last => There::Deleted(cursor.tag),
            Err(_) => There::Nothing,
        };
        cursor.is_known(there, self.facts.watermark)
    }

    /// What stands behind a position.
    fn behind(&self, position: i64) -> &[(Cursor, Record)] {
        &self.records[self.records.partition_point(|(cursor, _)| cursor.position <= position)..]
    }
}

impl MemoryLog {
    pub(crate) fn new(salt: [u8; 16]) -> Self {
        let state = State { facts: Facts { generation: Some(0), ..Facts::default() }, ..State::default() };
        Self { salt, state: Arc::new(Mutex::new(state)), seen: AtomicU64::new(0), end: AtomicI64::new(0) }
    }
}

impl RevocationLog for MemoryLog {
    fn salt(&self) -> [u8; 16] {
        self.salt
    }

    /// Whoever writes is this process, which learns of its own revocations as it appends them. What is left to find out is
    /// that the log can still be read.
    fn poll_interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn commit(&self, proposals: &mut [Proposal], backing: Backing) -> Result<Committed, LogError> {
        let mut state = self.state.lock();
        let generation = state.facts.generation;
        let is_backing = backing.is_of(generation) && state.knows(backing.read) && state.knows(backing.appended);
        let ground = Ground { is_backing, now: None, facts: state.facts };
        let fates: Vec<_> = proposals.iter().map(|proposal| proposal.fate(&ground)).collect();
        let unread: Vec<_> = match proposals.iter().any(|proposal| proposal.moment == Moment::Now) {
            true => state.behind(backing.read.position).iter().filter_map(|(_, record)| Unread::of(record)).collect(),
            false => Vec::new(),
        };
        let first = state.last + 1;
        let mut last = None;
        for (proposal, _) in proposals.iter_mut().zip(&fates).filter(|(_, fate)| **fate == Fate::Appended) {
            proposal.move_behind(&ground, &unread);
            let record = &proposal.record;
            state.last += 1;
            let cursor = Cursor { position: state.last, tag: first, epoch: 0, keep_until: record.keep_until };
            state.facts.newest = Some(advance(state.facts.newest, record.recorded_at));
            state.records.push((cursor, record.clone()));
            last = Some(cursor);
        }
        if last.is_some() {
            state.change();
        }
        let (follows, durability) = (Follows::Anything, Durability::Memory);
        let appended = last.map(|last| Appended { first, last, follows, durability });
        Ok(Committed { appended, fates, generation, is_backing })
    }

    fn read(&self, after: Cursor, visit: Visit<'_>) -> Result<Read, LogError> {
        let state = self.state.lock();
        // One more than there were, so that a reader that has seen nothing reads a log without changes.
        // Whoever starts anew is told of the head, also where there is nothing.
        let is_behind = after.position > 0 && self.end.load(Ordering::Relaxed) <= after.position;
        if self.seen.load(Ordering::Relaxed) == state.changes + 1 && is_behind {
            return Ok(Read::Unchanged);
        }
        if !state.knows(after) {
            return Ok(Read::Rewound);
        }
        if state.behind(after.position).iter().any(|(_, record)| visit(record.borrow()).is_break()) {
            return Ok(Read::Stopped);
        }
        self.seen.store(state.changes + 1, Ordering::Relaxed);
        let cursor = state.records.last().map_or(after, |(cursor, _)| *cursor);
        self.end.store(cursor.position, Ordering::Relaxed);
        Ok(Read::ToHead { cursor, facts: state.facts, junk: 0, unknown_kinds: 0 })
    }

    fn count_after(&self, after: Cursor) -> Result<u64, LogError> {
        Ok(u64::try_from(self.state.lock().last - after.position).unwrap_or(0))
    }

    fn list(&self, after: i64, max: usize) -> Result<Page, LogError> {
        let state = self.state.lock();
        let later = state.records.iter().filter(|(cursor, _)| cursor.position > after);
        let page: Vec<_> = later.take(max).collect();
        let end = page.last().map(|(cursor, _)| cursor.position);
        Ok(Page { records: page.into_iter().map(|(cursor, record)| (cursor.position, record.clone())).collect(), end })
    }

    fn erase(&self, records: &[Placed]) -> Result<(), LogError> {
        let mut state = self.state.lock();
        let State { records: held, erased, erasures, facts, .. } = state.change();
        if erased.len() + records.len() > ERASED_MAX {
            return Err(LogError::TooManyErased { max: ERASED_MAX });
        }
        for (position, record) in records {
            // A place is never empty for a reader who stands there.
            if let Some((cursor, found)) =
                held.iter_mut().find(|(cursor, found)| cursor.position == *position && found == record)
            {
                *found = found.blank();
                cursor.keep_until = found.keep_until;
                erased.push(record.clone());
            }
        }
        *erasures += 1;
        facts.generation = facts.generation.map(|generation| generation + 1);
        Ok(())
    }

    fn erasures(&self) -> u64 {
        self.state.lock().erasures
    }

    fn erased(&self) -> Result<Vec<Record>, LogError> {
        Ok(self.state.lock().erased.clone())
    }

    fn collect(&self, now: UnixTime, max: usize, _trust: ClockTrust) -> Result<Collected, LogError> {
        let mut state = self.state.lock();
        state.change();
        let watermark = state.facts.watermark.map_or(now, |held| held.max(now));
        state.facts.watermark = Some(watermark);
        state.facts.newest = Some(advance(state.facts.newest, now));
        state.erased.retain(|record| record.keep_until.is_none_or(|until| until > now));
        let (newest, mut deleted) = (state.last, 0);
        state.records.retain(|(cursor, record)| {
            let passed = cursor.position != newest && record.keep_until.is_some_and(|until| until <= now);
            let delete = passed && deleted < max;
            deleted += usize::from(delete);
            !delete
        });
        Ok(Collected { deleted, watermark, more: deleted == max })
    }

    fn confirm_time(&self, now: UnixTime, watermark: Option<UnixTime>) -> Result<(), LogError> {
        let mut state = self.state.lock();
        let facts = &mut state.change().facts;
        facts.newest = Some(now);
        if watermark.is_some() && watermark < facts.watermark {
            facts.generation = facts.generation.map(|generation| generation + 1);
        }
        facts.watermark = watermark.or(facts.watermark);
        Ok(())
    }

    fn set_allowance(&self, max: Duration, now: UnixTime) -> Result<(), LogError> {
        let mut state = self.state.lock();
        let stated = Allowance::stated(state.facts.allowance, max, now);
        let raised = |stored| LogError::AllowanceRaised { stored, asked: max };
        state.change().facts.allowance = Some(stated.map_err(raised)?);
        Ok(())
    }

    fn set_longest_lifetime(&self, lifetime: Duration) -> Result<(), LogError> {
        let mut state = self.state.lock();
        let stated = LongestLifetime::stated(state.facts.longest_lifetime, lifetime);
        let stated = stated.map_err(|fault| lifetime_fault(fault, lifetime))?;
        state.change().facts.longest_lifetime = Some(stated);
        Ok(())
    }

    fn replace_longest_lifetime(&self, change: LifetimeChange, now: UnixTime) -> Result<UnixTime, LogError> {
        let mut state = self.state.lock();
        let (lifetime, from) = change.apply(state.facts.longest_lifetime, now)?;
        state.change().facts.longest_lifetime = lifetime;
        Ok(from)
    }
}
