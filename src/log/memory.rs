//! A log that ends with the process: for tests, and for hosts that bring their own feed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Appended, Collected, Cursor, Facts, Follows, LogError, Page, Read, RevocationLog, Visit, advance};
use crate::clock::UnixTime;
use crate::revocation::{Durability, Record};
use crate::sync::Mutex;

/// Clones are the same log, each for a reader of its own.
pub(crate) struct MemoryLog {
    salt: [u8; 16],
    state: Arc<Mutex<State>>,
    /// How many changes there were at the last read.
    seen: AtomicU64,
}

impl Clone for MemoryLog {
    fn clone(&self) -> Self {
        Self { salt: self.salt, state: Arc::clone(&self.state), seen: AtomicU64::new(0) }
    }
}

#[derive(Default)]
struct State {
    /// In the order of their positions.
    records: Vec<(Cursor, Record)>,
    last: i64,
    facts: Facts,
    changes: u64,
}

impl State {
    fn change(&mut self) -> &mut Self {
        self.changes += 1;
        self
    }
}

impl MemoryLog {
    pub(crate) fn new(salt: [u8; 16]) -> Self {
        Self { salt, state: Arc::default(), seen: AtomicU64::new(0) }
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

    fn append(&self, records: &[Record]) -> Result<Appended, LogError> {
        let mut state = self.state.lock();
        state.change();
        let first = state.last + 1;
        for record in records {
            state.last += 1;
            let cursor = Cursor { position: state.last, tag: first, keep_until: record.keep_until };
            state.facts.newest = Some(advance(state.facts.newest, record.recorded_at));
            state.records.push((cursor, record.clone()));
        }
        let keep_until = records.last().and_then(|record| record.keep_until);
        let last = Cursor { position: state.last, tag: first, keep_until };
        Ok(Appended { first, last, follows: Follows::Anything, durability: Durability::Memory })
    }

    fn read(&self, after: Cursor, visit: Visit<'_>) -> Result<Read, LogError> {
        let state = self.state.lock();
        // One more than there were, so that a reader that has seen nothing reads a log without changes.
        if self.seen.load(Ordering::Relaxed) == state.changes + 1 {
            return Ok(Read::Unchanged);
        }
        let held = state.records.iter().rev().find(|(cursor, _)| cursor.position == after.position);
        if !after.is_known(held.map(|(cursor, _)| cursor.tag), state.facts.watermark, state.last) {
            return Ok(Read::Rewound);
        }
        let from = state.records.partition_point(|(cursor, _)| cursor.position <= after.position);
        if state.records[from..].iter().any(|(_, record)| visit(record.borrow()).is_break()) {
            return Ok(Read::Stopped);
        }
        self.seen.store(state.changes + 1, Ordering::Relaxed);
        let cursor = state.records.last().map_or(after, |(cursor, _)| *cursor);
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
        Ok(Page { records: page.into_iter().map(|(_, record)| record.clone()).collect(), end })
    }

    fn collect(&self, now: UnixTime, max: usize) -> Result<Collected, LogError> {
        let mut state = self.state.lock();
        state.change();
        let watermark = state.facts.watermark.map_or(now, |held| held.max(now));
        state.facts.watermark = Some(watermark);
        state.facts.newest = Some(advance(state.facts.newest, now));
        let (newest, mut deleted) = (state.last, 0);
        state.records.retain(|(cursor, record)| {
            let passed = cursor.position != newest && record.keep_until.is_some_and(|until| until <= watermark);
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
        facts.watermark = watermark.or(facts.watermark);
        Ok(())
    }

    fn set_longest_lifetime(&self, lifetime: Duration) -> Result<(), LogError> {
        let mut state = self.state.lock();
        let facts = &mut state.change().facts;
        match facts.longest_lifetime {
            Some(stored) if stored < lifetime => Err(LogError::LifetimeRaised { stored, asked: lifetime }),
            Some(_) | None => {
                facts.longest_lifetime = Some(lifetime);
                Ok(())
            }
        }
    }

    fn compact(&self) -> Result<(), LogError> {
        self.state.lock().records.shrink_to_fit();
        Ok(())
    }
}
