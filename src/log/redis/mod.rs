//! The log for many machines: a stream on a Redis server, which every node follows.
//!
//! Invariants: what is appended is in the stream whole or not at all, and `append` returns when as many copies are
//! confirmed as the URL asks for. Positions are given by the server, one after the other. What this node has seen in the
//! log and the log has lost is appended again. docs/format.md has the keys and what is promised about them.

mod acknowledged;
mod append;
mod connection;
mod durability;
mod encoded;
mod entry;
mod erase;
mod facts;
mod follow_with_file;
mod format_1;
mod lineage;
mod local_file;
mod opening;
mod outbox;
mod reader;
mod reconciliation;
mod record_set;
mod repair;
mod script;
mod server_checks;
mod server_clock;
mod server_state;
mod trim;
mod url;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{Cmd, Value};

use super::local_copy::LocalCopy;
use super::{
    Allowance, Backing, ClockTrust, Collected, Committed, Create, Cursor, Facts, LifetimeChange, LogError, Note,
    OnOutage, Page, Placed, Proposal, Read, RevocationLog, Room, Standing, Visit,
};
use crate::clock::UnixTime;
use crate::revocation::Record;
use crate::sync::Mutex;
use acknowledged::{Acknowledged, ToAcknowledge};
use append::{Loaded, Unseen};
use connection::ServerConnection;
use entry::Entry;
use erase::Erased;
use facts::{Promised, refuse_raised};
pub(crate) use opening::Opening;
use reader::Reader;
use server_clock::ServerClock;
use url::RedisUrl;

/// The format that is written, as major·100 + minor, and the one that is taken over.
const FORMAT: i64 = 200;
const FORMAT_BEFORE: i64 = 100;

/// By how much the clocks of this machine and the server may differ before it is a fault of one of them.
const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(60);

/// The last position that can be counted on: the scripts' numbers are doubles. What stands behind it is somebody else's.
const POSITION_MAX: i64 = (1 << 53) - 1;

pub(crate) struct RedisLog {
    place: Arc<RedisUrl>,
    create: Create,
    /// Whether the log was found, or made, since this was opened.
    begun: AtomicBool,
    /// What the log is to be told when it is there.
    promised: Mutex<Promised>,
    copy: Option<Box<dyn LocalCopy>>,
    /// Whether the copy follows the log. What it doesn't get is held in memory.
    copies: AtomicBool,
    outage: OnOutage,
    salt: [u8; 16],
    /// What this node is called where only one may do something.
    name: String,
    random: fn() -> Option<[u8; 16]>,
    beat_interval: Duration,
    stream: String,
    facts: String,
    beat: String,
    erased_key: String,
    /// The keys of the format before: of its stream, and of what it says of itself.
    before: [String; 2],
    clock: Arc<ServerClock>,
    append_script: Mutex<Loaded>,
    /// Whether the server's memory was nearly full when it was last looked at.
    is_nearly_full: AtomicBool,
    writer: ServerConnection,
    reader: ServerConnection,
    // Locked in this order.
    state: Mutex<Reader>,
    unseen: Mutex<Unseen>,
    held: Mutex<Acknowledged>,
    /// What was appended and is still to be held.
    to_hold: Mutex<Vec<ToAcknowledge>>,
    /// The strictest that the log has said of itself and was told: what it lacks of that it is told again, for as long as it does.
    last_facts: Mutex<Facts>,
    erased: Erased,
}

impl RedisLog {
    /// What tells a batch from others: a positive number.
    fn random_tag(&self) -> Result<i64, LogError> {
        Ok((self.random_i64()? & i64::MAX).max(1))
    }

    fn random_i64(&self) -> Result<i64, LogError> {
        let random = (self.random)().ok_or_else(|| no_random(&self.place))?;
        Ok(i64::from_be_bytes(*random.first_chunk().unwrap_or(&[0; 8])))
    }

    fn one_entry(&self, from: impl ToString, to: impl ToString) -> Cmd {
        self.entries(from, to, 1)
    }

    fn entries(&self, from: impl ToString, to: impl ToString, count: usize) -> Cmd {
        let mut command = redis::cmd("XRANGE");
        command.arg(&self.stream).arg(from.to_string()).arg(to.to_string()).arg("COUNT").arg(count);
        command
    }

    fn script(&self, text: &str) -> Cmd {
        self.run_script("EVAL", text)
    }

    /// A script by the name that the server has for it.
    fn loaded_script(&self, name: &str) -> Cmd {
        self.run_script("EVALSHA", name)
    }

    fn run_script(&self, how: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(how);
        command.arg(script).arg(6).arg(&self.stream).arg(&self.facts).arg(&self.beat).arg(&self.before[..]);
        command.arg(&self.erased_key);
        command
    }
}

fn list(value: &Value) -> &[Value] {
    if let Value::Array(values) = value { values } else { &[] }
}

/// The entry that a question for one was answered with.
fn first(value: &Value) -> Option<Entry<'_>> {
    list(value).first().and_then(Entry::read)
}

/// The start of a range that begins behind a position, whatever else bears its number.
fn behind(position: i64) -> String {
    format!("({position}-{}", u64::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn no_random(place: &RedisUrl) -> LogError {
    let fault = "the operating system gave no random bytes".to_owned();
    LogError::Io { path: place.shown.clone(), fault }
}

impl Drop for RedisLog {
    fn drop(&mut self) {
        if let Some(copy) = &self.copy {
            self.end_copy(&**copy, &mut self.state.lock());
        }
    }
}

impl RevocationLog for RedisLog {
    fn salt(&self) -> [u8; 16] {
        self.salt
    }

    fn poll_interval(&self) -> Duration {
        Duration::from_millis(20)
    }

    fn is_elsewhere(&self) -> bool {
        true
    }

    fn commit_interval(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn standing(&self) -> Standing {
        self.state.lock().standing()
    }

    fn wait_for_news(&self, after: Cursor) -> bool {
        self.has_news(after)
    }

    fn commit(&self, proposals: &mut [Proposal], backing: Backing) -> Result<Committed, LogError> {
        self.commit_proposals(proposals, backing)
    }

    fn read(&self, after: Cursor, visit: Visit<'_>) -> Result<Read, LogError> {
        self.read_to_head(after, visit)
    }

    fn has_copy(&self) -> bool {
        self.copy.as_ref().is_some_and(|copy| copy.copied().is_ok_and(|copied| copied.read_at.is_some()))
    }

    fn count_after(&self, after: Cursor) -> Result<u64, LogError> {
        // To start with, most is read from the copy.
        if let Some(copy) = self.copy.as_ref().filter(|_| after.position == 0) {
            return Ok(u64::try_from(copy.last()?).unwrap_or(0));
        }
        let count = self.writer.with(Duration::ZERO, |wire, _| match after.position {
            0 => redis::cmd("XLEN").arg(&self.stream).query(wire),
            position => {
                let last: Option<i64> = redis::cmd("HGET").arg(&self.facts).arg("last").query(wire)?;
                Ok(last.unwrap_or(0) - position)
            }
        })?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    fn list(&self, after: i64, max: usize) -> Result<Page, LogError> {
        let command = self.entries(behind(after), POSITION_MAX, max);
        let entries: Value = self.writer.with(Duration::ZERO, |wire, _| command.query(wire))?;
        let (mut page, erased) = (Page::default(), self.erased.records());
        for entry in list(&entries).iter().filter_map(Entry::read) {
            page.end = Some(entry.position);
            if !erased.contains(entry.bytes()) {
                page.records.extend(entry.decode().ok().map(|record| (entry.position, record.whole())));
            }
        }
        Ok(page)
    }

    fn find(&self, reader: Cursor, is_wanted: &dyn Fn(&Record) -> bool) -> Result<Vec<Placed>, LogError> {
        self.find_everywhere(reader, is_wanted)
    }

    fn erase(&self, records: &[Placed]) -> Result<(), LogError> {
        self.erase_everywhere(records)
    }

    fn erasures(&self) -> u64 {
        self.erased.count()
    }

    fn erased(&self) -> Result<Vec<Record>, LogError> {
        self.forget_erased()
    }

    // The time of the server counts, and no machine's.
    fn collect(&self, _now: UnixTime, max: usize, trust: ClockTrust) -> Result<Collected, LogError> {
        let mut collected = self.collect_expired(max, trust)?;
        if let Some(copy) = self.copy.as_ref().filter(|_| collected.watermark > UnixTime::default()) {
            match copy.collect(collected.watermark, max) {
                Ok(more) => collected.more |= more,
                Err(error) => tracing::warn!(%error, "degraded: the local file of the revocation log can't be written"),
            }
        }
        Ok(collected)
    }

    fn confirm_time(&self, _now: UnixTime, watermark: Option<UnixTime>) -> Result<(), LogError> {
        let mut command = self.script(script::CONFIRM_TIME);
        command.arg(u8::from(watermark.is_some()));
        self.writer.with(Duration::ZERO, |wire, _| command.exec(wire))
    }

    fn clock_ahead_of_uptime(&self) -> Option<i64> {
        self.clock.ahead_of_uptime()
    }

    fn clock_fault(&self) -> Option<Duration> {
        Some(self.clock.apart()).filter(|apart| *apart > CLOCKS_DIFFER_MAX)
    }

    fn note(&self) -> Option<Note> {
        match self.is_nearly_full.load(Ordering::Relaxed) {
            true => Some(Note::ServerNearlyFull),
            false => self.clock_fault().map(|_| Note::ClocksDiffer),
        }
    }

    fn set_longest_lifetime(&self, lifetime: Duration) -> Result<(), LogError> {
        refuse_raised(self.last_facts.lock().longest_lifetime, lifetime)?;
        if self.begun.load(Ordering::Acquire) {
            return self.state_longest_lifetime(lifetime);
        }
        self.promised.lock().longest_lifetime = Some(lifetime);
        Ok(())
    }

    fn replace_longest_lifetime(&self, change: LifetimeChange, _now: UnixTime) -> Result<UnixTime, LogError> {
        self.begin_once()?;
        self.change_longest_lifetime(change)
    }

    fn set_allowance(&self, max: Duration, now: UnixTime) -> Result<(), LogError> {
        let raised = |stored| LogError::AllowanceRaised { stored, asked: max };
        Allowance::stated(self.last_facts.lock().allowance, max, now).map_err(raised)?;
        if self.begun.load(Ordering::Acquire) {
            return self.state_allowance(max, now);
        }
        self.promised.lock().allowance = Some((max, now));
        Ok(())
    }

    // The server gives back what is deleted by itself.
    fn give_back(&self) -> Result<Room, LogError> {
        self.copy.as_ref().map_or(Ok(Room::GivenBack), |copy| copy.give_back())
    }

    fn rewrite(&self) -> Result<(), LogError> {
        self.copy.as_ref().map_or(Ok(()), |copy| copy.rewrite())
    }
}
