//! Following the stream: whether it is still the log that was read, what is new in it, and what it lacks.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use redis::{Connection, RedisResult, Value};

use super::entry::Entry;
use super::{POSITION_MAX, RedisLog, add_facts, behind, entry, first, list, millis, script};
use crate::clock::UnixTime;
use crate::log::written::NoRecord;
use crate::log::{Cursor, Facts, LogError, Read, Standing, Visit};

/// How many entries one answer has at most.
const READ_MAX: usize = 10_000;

/// How long it is waited for news before it is looked whether the engine is still wanted.
const NEWS_WAIT: Duration = Duration::from_millis(100);

/// How long replicas that did not confirm last time are given: those that are back do so at once.
const WAIT_AGAIN: Duration = Duration::from_millis(50);

/// Within what time the nodes put back what was lost: each at a moment of its own, so that it sees what others did before.
const PUT_BACK_WITHIN: u16 = 500;

/// How many records are put back in one step of the server, so that others wait for milliseconds, not longer.
const PUT_BACK_MAX: usize = 2000;

/// Where reading stands.
#[derive(Default)]
pub(super) struct Reader {
    /// Which log was read.
    known: Option<Known>,
    /// What it said of itself at the last head.
    seen: Option<Facts>,
    /// When it was last tried whether it can be written, and what came of it.
    tried: Option<Instant>,
    standing: Standing,
    /// Whether a read has taken something in and not come to the head: what it took may be of a server that is gone.
    is_midway: bool,
    /// While everything is read anew: what was held before and was not met yet.
    lacking: Option<HashSet<Box<str>>>,
    /// What the log lacks, and when it is put back.
    owed: HashSet<Box<str>>,
    owed_at: Option<Instant>,
}

impl Reader {
    pub(super) fn standing(&self) -> Standing {
        self.standing.clone()
    }
}

/// Which log it is: another one after its keys were lost, and in a sense after entries were.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    identity: String,
    losses: i64,
}

/// One answer of the server about what lies behind a position.
struct Answer {
    known: Option<Known>,
    format: i64,
    facts: Facts,
    count: i64,
    first: i64,
    length: i64,
    /// What stands at the position itself.
    at: Value,
    /// The first entry of all.
    front: Value,
    entries: Value,
}

/// What reading came to on one connection.
enum Outcome {
    /// Past the batches with these tags.
    Head {
        cursor: Cursor,
        facts: Facts,
        junk: u64,
        unknown_kinds: u64,
        met: HashSet<i64>,
        is_news: bool,
    },
    Stopped,
    /// What was read is not there any more.
    Rewound,
    /// Somebody else has taken entries, which is still to be noted.
    Lost,
    /// There is no log.
    Empty,
    Newer(i64),
}

impl RedisLog {
    pub(super) fn has_news(&self, after: Cursor) -> bool {
        // Not so long that the next proof would come late; and zero would mean for ever.
        let wait = NEWS_WAIT.min(self.beat_interval).max(Duration::from_millis(1));
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(1).arg("BLOCK").arg(millis(wait)).arg("STREAMS").arg(&self.stream);
        command.arg(format!("{}-{}", after.position, u64::MAX));
        let news = self.reader.with(wait, |connection, _| command.query::<Value>(connection));
        // One stream, with its name and its entries. What lies beyond the last position is always there, and no news.
        let entry = |news: &Value| Some(first(list(list(news).first()?).get(1)?)?.position);
        news.is_ok_and(|news| entry(&news).is_some_and(|position| position <= POSITION_MAX))
    }

    pub(super) fn read_to_head(&self, after: Cursor, visit: Visit<'_>) -> Result<Read, LogError> {
        let reader = &mut *self.state.lock();
        if std::mem::take(&mut reader.is_midway) {
            return Ok(self.read_anew(reader));
        }
        let is_due = reader.tried.is_none_or(|at| at.elapsed() >= self.beat_interval);
        let wait = match &reader.standing {
            Standing::Unproven(_) => self.place.wait.min(WAIT_AGAIN),
            Standing::Proven | Standing::Pending => self.place.wait,
        };
        if reader.standing == Standing::Proven {
            reader.standing = Standing::Pending;
        }
        let started = Instant::now();
        let outcome = self.reader.with(wait, |connection, _| {
            if is_due {
                reader.standing = self.make_sure(connection, wait)?;
                reader.tried = Some(started);
            }
            self.read_on(connection, reader, after, visit)
        })?;
        reader.is_midway = false;
        match outcome {
            Outcome::Head { cursor, facts, junk, unknown_kinds, met, is_news } => {
                if matches!(reader.standing, Standing::Unproven(LogError::Replica { .. })) {
                    self.reader.leave();
                }
                let facts = self.restate(reader, facts)?;
                self.look_for_unseen(reader, after, &met, cursor);
                self.put_back(reader);
                Ok(match is_news {
                    true => Read::ToHead { cursor, facts, junk, unknown_kinds },
                    false => Read::Unchanged,
                })
            }
            Outcome::Stopped => Ok(Read::Stopped),
            Outcome::Rewound => Ok(self.read_anew(reader)),
            Outcome::Lost => {
                self.reader.with(Duration::ZERO, |connection, _| self.script(script::NOTE_LOSSES).exec(connection))?;
                Ok(self.read_anew(reader))
            }
            Outcome::Empty => {
                let command = self.make()?;
                self.reader.with(Duration::ZERO, |connection, _| command.exec(connection))?;
                Ok(self.read_anew(reader))
            }
            Outcome::Newer(found) => self.known_format(found).map(|()| Read::Rewound),
        }
    }

    /// Everything is to be read from the beginning, and compared with what is held.
    fn read_anew(&self, reader: &mut Reader) -> Read {
        // What was held is let go here, and held again as it is met or put back: it never takes its room twice.
        reader.lacking.get_or_insert_default().extend(self.held.lock().take());
        (reader.known, reader.tried, reader.seen) = (None, None, None);
        Read::Rewound
    }

    fn ask(&self, connection: &mut Connection, after: i64) -> RedisResult<Answer> {
        const FACTS: [&str; 8] =
            ["identity", "losses", "format", "watermark", "newest", "longest_lifetime", "count", "first"];
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
        Ok(Answer {
            known: text(0).map(|identity| Known { identity, losses: number(1).unwrap_or(0) }),
            format: number(2).unwrap_or(100),
            facts: Facts { watermark: time(3), newest: time(4), longest_lifetime },
            count: number(6).unwrap_or(0),
            first: number(7).unwrap_or(0),
            length,
            at,
            front,
            entries,
        })
    }

    fn read_on(
        &self,
        connection: &mut Connection,
        reader: &mut Reader,
        after: Cursor,
        visit: Visit<'_>,
    ) -> RedisResult<Outcome> {
        let (mut cursor, mut junk, mut unknown_kinds, mut met) = (after, 0, 0, HashSet::new());
        loop {
            let answer = self.ask(connection, cursor.position)?;
            let Some(known) = answer.known.clone() else { return Ok(Outcome::Empty) };
            if answer.format / 100 != 1 {
                return Ok(Outcome::Newer(answer.format));
            }
            if answer.lacks_some() {
                return Ok(Outcome::Lost);
            }
            if reader.known.as_ref().is_some_and(|seen| *seen != known) || !answer.knows(cursor) {
                return Ok(Outcome::Rewound);
            }
            reader.known = Some(known);
            let entries = list(&answer.entries);
            let looked_for = self.unseen.lock().tags();
            let mut held = self.held.lock();
            for entry in entries.iter().filter_map(Entry::read) {
                let parsed = entry.parse();
                cursor = entry.cursor(&parsed);
                if looked_for.contains(&cursor.tag) {
                    met.insert(cursor.tag);
                }
                match parsed.record() {
                    Ok(record) => {
                        reader.owed.remove(entry.text);
                        if let Some(lacking) = &mut reader.lacking {
                            lacking.remove(entry.text);
                        }
                        held.put(entry.text, record.keep_until);
                        if visit(record) == ControlFlow::Break(()) {
                            return Ok(Outcome::Stopped);
                        }
                    }
                    Err(NoRecord::Junk) => junk += 1,
                    Err(NoRecord::UnknownKind) => unknown_kinds += 1,
                }
            }
            if entries.len() < READ_MAX {
                let facts = answer.facts;
                if let Some(watermark) = facts.watermark
                    && reader.seen.is_none_or(|seen| seen.watermark != Some(watermark))
                {
                    held.forget_until(watermark);
                }
                let is_news = reader.seen.replace(facts) != Some(facts) || cursor != after;
                return Ok(Outcome::Head { cursor, facts, junk, unknown_kinds, met, is_news });
            }
            reader.is_midway = true;
        }
    }

    /// Tells a log that went back, or was made anew by somebody who knew nothing of it, what was stated before.
    fn restate(&self, reader: &mut Reader, facts: Facts) -> Result<Facts, LogError> {
        let before = std::mem::replace(&mut *self.last_facts.lock(), facts);
        if reader.lacking.is_none() {
            return Ok(facts);
        }
        let longest_lifetime = match (before.longest_lifetime, facts.longest_lifetime) {
            (Some(before), Some(now)) => Some(before.min(now)),
            (before, now) => before.or(now),
        };
        let stated = Facts {
            watermark: before.watermark.max(facts.watermark),
            newest: facts.newest.or(before.newest),
            longest_lifetime,
        };
        if stated != facts {
            *self.last_facts.lock() = stated;
            let mut command = self.script(script::RESTATE);
            add_facts(&mut command, stated);
            self.reader.with(Duration::ZERO, |connection, _| command.exec(connection))?;
        }
        Ok(stated)
    }

    /// What this node appended and should have met here by now was appended elsewhere: it is owed here.
    fn look_for_unseen(&self, reader: &mut Reader, start: Cursor, met: &HashSet<i64>, end: Cursor) {
        let missing = self.unseen.lock().settle(start, met, end, reader.standing == Standing::Proven);
        if !missing.is_empty() {
            tracing::warn!(count = missing.len(), "revocations went to a server that is not the one that is followed");
            reader.owed.extend(missing);
            reader.owed_at = Some(Instant::now());
            self.writer.leave();
        }
    }

    /// Puts back what the log lacks, when it is time.
    fn put_back(&self, reader: &mut Reader) {
        if let Some(lacking) = reader.lacking.take()
            && !lacking.is_empty()
        {
            tracing::warn!(count = lacking.len(), "the log lacks revocations that this node holds: putting them back");
            reader.owed.extend(lacking);
            let random = self.random_i64().map_or(0, |random| random.unsigned_abs() % u64::from(PUT_BACK_WITHIN));
            reader.owed_at.get_or_insert(Instant::now() + Duration::from_millis(random));
        }
        if reader.owed_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        let watermark = reader.seen.and_then(|seen| seen.watermark);
        let is_live = |text: &str| match (entry::keep_until(text), watermark) {
            (Some(until), Some(watermark)) => until > watermark,
            (Some(_) | None, _) => true,
        };
        reader.owed.retain(|text| is_live(text));
        let owed: Vec<Box<str>> = reader.owed.iter().cloned().collect();
        for chunk in owed.chunks(PUT_BACK_MAX) {
            let times = chunk.iter().map(|text| entry::recorded_at(text)).collect();
            if let Err(error) = self.append_texts(chunk, times, Duration::ZERO) {
                tracing::warn!(%error, "revocations could not be put back yet");
                reader.owed_at = Some(Instant::now() + Duration::from_millis(200));
                return;
            }
            chunk.iter().for_each(|text| {
                reader.owed.remove(text);
            });
        }
        reader.owed_at = None;
    }
}

impl Answer {
    /// Whether somebody else has taken entries: there are fewer than ours, or the first is not the first of ours.
    fn lacks_some(&self) -> bool {
        let front = first(&self.front).map(|entry| entry.position);
        self.length < self.count || (self.count > 0 && front.is_some_and(|front| front > self.first))
    }

    /// Whether a reader who stands there has read this log, and nothing that it lacks.
    fn knows(&self, cursor: Cursor) -> bool {
        match list(&self.at).last().and_then(Entry::read) {
            _ if cursor.position == 0 => true,
            Some(entry) => entry.tag() == cursor.tag,
            // Collected since: what was still live stands further behind.
            None => cursor.position < self.first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::conformance::redis_server::{RedisServer, is_there};
    use crate::log::redis::held::Held;
    use crate::log::{Create, RevocationLog as _};
    use crate::revocation::{Issuer, Record, Target};

    fn random() -> Option<[u8; 16]> {
        use std::hash::{BuildHasher as _, RandomState};
        Some(std::array::from_fn(|_| RandomState::new().hash_one(0_u8).to_le_bytes()[0]))
    }

    fn record(number: usize) -> Record {
        Record {
            target: Target::Token(format!("jti-{number}").into()),
            issuer: Issuer::Any,
            issued_before: None,
            keep: Vec::new(),
            keep_until: None,
            recorded_at: UnixTime::from_secs(1_700_000_000),
            reason: None,
        }
    }

    fn read(log: &RedisLog, after: Cursor) -> Read {
        log.read(after, &mut |_| ControlFlow::Continue(())).unwrap()
    }

    /// Follows until nothing is owed any more.
    fn settle(log: &RedisLog, mut cursor: Cursor) {
        loop {
            match read(log, cursor) {
                Read::ToHead { cursor: head, .. } => cursor = head,
                Read::Rewound => cursor = Cursor::default(),
                Read::Unchanged if log.state.lock().owed.is_empty() => return,
                Read::Unchanged | Read::Stopped => {}
            }
        }
    }

    #[test]
    fn a_log_larger_than_what_is_held_does_not_push_out_what_it_lacks() {
        if !is_there() {
            return;
        }
        let server = RedisServer::start(&[]);
        let open = || {
            let log = RedisLog::open(&server.url(""), Create::IfMissing, Duration::from_secs(30), random).unwrap().0;
            *log.held.lock() = Held::up_to(20_000);
            log
        };
        let log = open();
        let records: Vec<_> = (0..1000).map(record).collect();
        let end = log.append(&records).unwrap().last;
        read(&log, end);
        // The last are held, as there is room for few.
        let last = 999;
        server.run::<i64>(&["XDEL", "{signoff}:log", "1000-0"]);
        settle(&log, end);
        let page = log.list(0, 10_000).unwrap();
        assert_eq!(page.records.len(), 1000);
        assert!(page.records.contains(&record(last)));
        assert!(log.held.lock().take().len() < 300, "it is held within the same bounds as before");
    }

    #[test]
    fn a_read_that_broke_off_midway_begins_anew() {
        if !is_there() {
            return;
        }
        let server = RedisServer::start(&[]);
        let log = RedisLog::open(&server.url(""), Create::IfMissing, Duration::from_secs(30), random).unwrap().0;
        log.append(&[record(0)]).unwrap();
        let Read::ToHead { cursor: end, .. } = read(&log, Cursor::default()) else { panic!("it is read to its head") };
        log.state.lock().is_midway = true;
        assert_eq!(read(&log, end), Read::Rewound);
        settle(&log, Cursor::default());
        assert_eq!(log.list(0, 10).unwrap().records, [record(0)]);
    }
}
