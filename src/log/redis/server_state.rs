//! How the log stands on a server, by one answer of it.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use redis::{Connection, RedisResult, Value};

use super::entry::Entry;
use super::{POSITION_MAX, RedisLog, behind, first, list};
use crate::clock::UnixTime;
use crate::log::{Allowance, Backing, Cursor, Facts, Ground, Standing, Unread};

/// How many entries one answer has at most.
pub(super) const READ_MAX: usize = 10_000;

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

    /// A number that is another one for another log, and after losses.
    fn generation(&self) -> i64 {
        let mut hasher = DefaultHasher::new();
        self.identity.hash(&mut hasher);
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
    pub(super) length: i64,
    /// What stands at the position itself.
    pub(super) at: Value,
    /// The first entry of all.
    pub(super) front: Value,
    pub(super) entries: Value,
}

impl RedisLog {
    pub(super) fn ask(&self, connection: &mut Connection, after: i64) -> RedisResult<ServerState> {
        const FACTS: [&str; 9] = [
            "identity",
            "losses",
            "format",
            "watermark",
            "newest",
            "longest_lifetime",
            "count",
            "first",
            "issued_in_future_max",
        ];
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.cmd("HMGET").arg(&self.facts).arg(&FACTS);
        pipeline.cmd("XLEN").arg(&self.stream);
        pipeline.cmd("XRANGE").arg(&self.stream).arg(after).arg(after);
        pipeline.add_command(self.one_entry("-", POSITION_MAX));
        pipeline.add_command(self.entries(behind(after), POSITION_MAX, READ_MAX));
        let (facts, length, at, front, entries): (Vec<Option<String>>, i64, Value, Value, Value) =
            pipeline.query(connection)?;
        let text = |at: usize| facts.get(at).cloned().flatten();
        let number = |at| text(at).and_then(|text| text.parse::<i64>().ok());
        let time = |at| number(at).map(UnixTime::from_millis);
        let longest_lifetime = number(5).and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        let identity = text(0).map(|identity| LogIdentity { identity, losses: number(1).unwrap_or(0) });
        let allowance = text(8).and_then(|text| Allowance::parse(&text));
        let generation = identity.as_ref().map(LogIdentity::generation);
        Ok(ServerState {
            identity,
            format: number(2).unwrap_or(100),
            facts: Facts { watermark: time(3), newest: time(4), longest_lifetime, allowance, generation },
            count: number(6).unwrap_or(0),
            first: number(7).unwrap_or(0),
            length,
            at,
            front,
            entries,
        })
    }

    /// How the log stands now, on the server that is written to: by a proof that as many copies as are asked for have all that
    /// it holds, and then a look at it; and the cut-offs behind what was read of it, up to as many entries as one answer has. Where
    /// that fails it backs nothing.
    pub(super) fn ground(&self, backing: Backing) -> (Ground, Vec<Unread>) {
        let asked = self.writer.with(self.place.wait, |connection, _| {
            let is_proven = self.make_sure(connection, self.place.wait)? == Standing::Proven;
            let read = self.ask(connection, backing.read.position)?;
            let appended = self.ask(connection, backing.appended.position)?;
            let is_same = |answer: &ServerState| backing.is_of(answer.facts.generation) && !answer.lacks_some();
            let is_known = read.knows(backing.read) && appended.knows(backing.appended);
            let is_backing = is_proven && is_same(&read) && is_same(&appended) && is_known;
            let unread = list(&read.entries).iter().filter_map(Entry::read).filter_map(|entry| entry.parse().whole());
            let unread: Vec<_> = unread.filter_map(|record| Unread::of(&record)).collect();
            Ok((Ground { is_backing, facts: appended.facts }, unread))
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
        is_same && !self.lacks_some() && self.has(cursor)
    }

    /// Whether it stands there now. What was collected does not, and then nobody can tell whether it was this log that had it.
    pub(super) fn has(&self, cursor: Cursor) -> bool {
        cursor.position == 0
            || list(&self.at).last().and_then(Entry::read).is_some_and(|entry| entry.tag() == cursor.tag)
    }

    /// Whether a reader who stands there has read this log, and nothing that it lacks.
    pub(super) fn knows(&self, cursor: Cursor) -> bool {
        match list(&self.at).last().and_then(Entry::read) {
            _ if cursor.position == 0 => true,
            Some(entry) => entry.tag() == cursor.tag,
            // Collected since: what was still live stands further behind.
            None => cursor.position < self.first,
        }
    }
}
