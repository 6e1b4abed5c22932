//! How the log stands on a server, by one answer of it.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use redis::{RedisResult, Value};

use super::entry::Entry;
use super::lineage::Lineage;
use super::server_clock;
use super::wire::Wire;
use super::{FORMAT, POSITION_MAX, RedisLog, behind, connection, first, list, script};
use crate::clock::UnixTime;
use crate::log::{Allowance, Backing, Cursor, Facts, Ground, LongestLifetime, Standing, Unread};

/// How many entries one answer has at most.
pub(super) const READ_MAX: usize = 10_000;

/// How many entries that were not read yet a cut-off of now is held against. Rarely is there any.
const UNREAD_MAX: usize = 1000;

/// Which log it is: another one after its keys were lost, and in a sense after entries were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogIdentity {
    identity: String,
    losses: i64,
}

impl LogIdentity {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (identity, losses) = text.split_once(' ')?;
        Some(Self { identity: identity.to_owned(), losses: losses.parse().ok()? })
    }

    /// A number that is another one for another log, after losses, and after something was erased.
    fn generation(&self, erased: Option<&String>) -> i64 {
        let mut hasher = DefaultHasher::new();
        (&self.identity, erased).hash(&mut hasher);
        hasher.finish().cast_signed().wrapping_add(self.losses)
    }
}

impl fmt::Display for LogIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.identity, self.losses)
    }
}

/// One answer of the server about what lies behind a position.
pub(super) struct ServerState {
    pub(super) identity: Option<LogIdentity>,
    pub(super) format: i64,
    pub(super) facts: Facts,
    pub(super) count: i64,
    pub(super) first: i64,
    /// The highest position that was given.
    pub(super) last: i64,
    pub(super) length: i64,
    pub(super) lineage: Lineage,
    /// What the set of what was erased is called.
    pub(super) erased: Option<String>,
    /// What the server's clock reads.
    pub(super) now: Option<UnixTime>,
    /// What stands at the position itself.
    pub(super) at: Value,
    /// The first entry of all.
    pub(super) front: Value,
    pub(super) entries: Value,
}

impl RedisLog {
    pub(super) fn ask(&self, wire: &mut Wire, after: i64, count: usize) -> RedisResult<ServerState> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.cmd("HGETALL").arg(&self.facts);
        pipeline.cmd("TIME");
        pipeline.cmd("XLEN").arg(&self.stream);
        pipeline.cmd("XRANGE").arg(&self.stream).arg(after).arg(after);
        pipeline.add_command(self.one_entry("-", POSITION_MAX));
        pipeline.add_command(self.entries(behind(after), POSITION_MAX, count));
        type Answer = (HashMap<String, String>, Value, i64, Value, Value, Value);
        let (facts, now, length, at, front, entries): Answer = match pipeline.query(wire) {
            // A server without memory queues nothing for a transaction. A script does the same, and takes longer.
            Err(error) if connection::code(&error).as_deref() == Some("OOM") => {
                let mut command = self.script(script::ASK);
                command.arg(after).arg(POSITION_MAX).arg(behind(after)).arg(count).query(wire)?
            }
            answer => answer?,
        };
        if !list(&entries).is_empty() {
            tracing::trace!(after, count = list(&entries).len(), last = facts.get("last"), "read");
        }
        let text = |name: &str| facts.get(name);
        let number = |name| text(name).and_then(|text| text.parse::<i64>().ok());
        let time = |name| number(name).map(UnixTime::from_millis);
        let losses = number("losses").unwrap_or(0);
        let identity = text("identity").map(|identity| LogIdentity { identity: identity.clone(), losses });
        let facts = Facts {
            watermark: time("watermark"),
            newest: time("newest"),
            longest_lifetime: text("longest_lifetime").and_then(|text| LongestLifetime::parse(text)),
            allowance: text("issued_in_future_max").and_then(|text| Allowance::parse(text)),
            revision: number("revision").unwrap_or(0),
            lifetime_revision: number("lifetime_revision").unwrap_or(0),
            generation: identity.as_ref().map(|identity| identity.generation(text("erased"))),
        };
        Ok(ServerState {
            identity,
            // One of several streams is of a later version, whatever else it is.
            format: match number("streams").unwrap_or(1) {
                1 => number("format").unwrap_or(FORMAT),
                _ => FORMAT + 100,
            },
            facts,
            count: number("count").unwrap_or(0),
            first: number("first").unwrap_or(0),
            last: number("last").unwrap_or(0),
            length,
            erased: text("erased").cloned(),
            lineage: text("epochs").map(|text| Lineage::parse(text)).unwrap_or_default(),
            now: server_clock::read(&now),
            at,
            front,
            entries,
        })
    }

    /// How the log stands now, on the server that is written to: by a proof that as many copies as are asked for have all that
    /// it holds, and then a look at it; and the cut-offs behind what was read of it, up to as many entries as one answer has. Where
    /// that fails it backs nothing.
    pub(super) fn ground(&self, backing: Backing) -> (Ground, Vec<Unread>) {
        let asked = self.writer.with(self.place.wait, |wire, _| {
            let is_proven = self.make_sure(wire, self.place.wait)? == Standing::Proven;
            let read = self.ask(wire, backing.read.position, UNREAD_MAX)?;
            let appended = self.ask(wire, backing.appended.position, 1)?;
            let is_same = |answer: &ServerState| backing.is_of(answer.facts.generation) && !answer.lacks_some();
            let is_known = read.knows(backing.read) && appended.knows(backing.appended);
            let is_backing = is_proven && is_same(&read) && is_same(&appended) && is_known;
            let unread = list(&read.entries).iter().filter_map(Entry::read);
            let unread = unread.filter_map(|entry| Unread::of(&entry.decode().ok()?.whole()));
            let ground = Ground { is_backing, now: appended.now, facts: appended.facts };
            Ok((ground, unread.collect::<Vec<_>>()))
        });
        // What is kept in the file is not in the log yet.
        let has_kept =
            || self.copy.as_ref().is_some_and(|copy| copy.unsent(0, 1).map_or(true, |kept| !kept.is_empty()));
        match asked {
            Ok((ground, unread)) => (Ground { is_backing: ground.is_backing && !has_kept(), ..ground }, unread),
            Err(_) => (self.no_ground(), Vec::new()),
        }
    }
}

impl ServerState {
    /// Whether somebody else has taken entries: there are fewer than ours, or the first is not the first of ours.
    pub(super) fn lacks_some(&self) -> bool {
        let front = first(&self.front).map(|entry| entry.position);
        self.length < self.count || (self.count > 0 && front.is_some_and(|front| front > self.first))
    }

    /// Whether a reader who stands there has read the log of this version, which nobody has taken anything from.
    pub(super) fn is_read_by(&self, version: &str, cursor: Cursor) -> bool {
        let is_same = self.identity.as_ref().is_some_and(|identity| identity.to_string() == version);
        is_same && !self.lacks_some() && self.knows(cursor)
    }

    /// Whether a reader who stands there has read this log, and nothing that it lacks.
    pub(super) fn knows(&self, cursor: Cursor) -> bool {
        match list(&self.at).last().and_then(Entry::read) {
            _ if cursor.position == 0 => true,
            Some(entry) => {
                // Somebody may have sent one batch to two servers, where it stands at the same position behind others: the term tells.
                let epoch = self.lineage.epoch_of(entry.position);
                entry.tag == cursor.tag && (epoch == cursor.epoch || epoch == 0 || cursor.epoch == 0)
            }
            // Collected since, if it was there: what was still live stands further behind.
            None => cursor.position < self.first && self.lineage.has(cursor.epoch, cursor.position, self.last),
        }
    }

    /// Where a reader stands who has read an entry of it.
    pub(super) fn cursor(&self, entry: &Entry<'_>) -> Cursor {
        Cursor { epoch: self.lineage.epoch_of(entry.position), ..entry.cursor() }
    }
}
