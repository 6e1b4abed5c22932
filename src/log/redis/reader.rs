//! Following the stream: whether it is still the log that was read, what is new in it, and what it lacks.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::{RedisResult, Value};

use super::durability::WAIT_AGAIN;
use super::encoded::Encoded;
use super::entry::Entry;
use super::local_file::LocalFile;
use super::server_checks::Info;
use super::server_state::{LogIdentity, READ_MAX};
use super::wire::Wire;
use super::{FORMAT, POSITION_MAX, RedisLog, first, list, millis, script};
use crate::clock::UnixTime;
use crate::log::encoding::NoRecord;
use crate::log::{Cursor, Facts, Ground, LogError, Read, Standing, Visit};

/// How long it is waited for news before it is looked whether the engine is still wanted.
const NEWS_WAIT: Duration = Duration::from_millis(100);

/// Each so manieth probe waits as long as it may where those before have proven nothing.
const FULL_WAIT_EACH: u32 = 3;

/// After how many probes in vain it is looked for another server.
const LEAVE_AFTER: u32 = 5;

/// How often it is looked how full the server's memory is.
const MEMORY_INTERVAL: Duration = Duration::from_secs(5);

/// Where reading stands.
#[derive(Default)]
pub(super) struct Reader {
    /// Which log was read.
    identity: Option<LogIdentity>,
    /// What it said of itself at the last head.
    facts_at_head: Option<Facts>,
    /// When it was last tried whether it can be written, and what came of it.
    probed_at: Option<Instant>,
    /// When it was last looked how full the server is.
    looked_at: Option<Instant>,
    /// When the log was last told what it lacks.
    pub(super) restated_at: Option<Instant>,
    /// The same of what was erased.
    pub(super) erased_restated_at: Option<Instant>,
    /// How many probes one after the other have not proven anything.
    unproven: u32,
    pub(super) standing: Standing,
    /// How far was read to a head, without a gap.
    pub(super) head: i64,
    /// Whether a read has taken something in and not come to the head: what it took may be of a server that is gone.
    pub(super) is_interrupted: bool,
    /// While everything is read anew: what was held before and was not met yet.
    pub(super) lacking: Option<HashSet<Encoded>>,
    /// What the log lacks, and when it is put back.
    pub(super) to_repair: HashSet<Encoded>,
    pub(super) repair_at: Option<Instant>,
    /// How far the copy in a local file is, where there is one.
    pub(super) copying: LocalFile,
}

impl Reader {
    pub(super) fn standing(&self) -> Standing {
        self.standing.clone()
    }

    /// Which log was read, in words.
    pub(super) fn version(&self) -> Option<String> {
        self.identity.as_ref().map(LogIdentity::to_string)
    }

    /// What was read by a process before this one.
    pub(super) fn start_from(&mut self, identity: Option<LogIdentity>, head: i64) {
        (self.identity, self.head) = (identity, head);
    }

    pub(super) fn watermark(&self) -> Option<UnixTime> {
        self.facts_at_head.and_then(|facts_at_head| facts_at_head.watermark)
    }
}

/// What reading came to on one connection.
#[allow(clippy::large_enum_variant)] // There is one at a time.
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
        if let Some(copy) = &self.copy {
            self.write_copy(&**copy, &mut self.state.lock(), false);
        }
        // Not so long that the next proof would come late; and zero would mean for ever.
        let wait = NEWS_WAIT.min(self.beat_interval).max(Duration::from_millis(1));
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(1).arg("BLOCK").arg(millis(wait)).arg("STREAMS").arg(&self.stream);
        command.arg(format!("{}-{}", after.position, u64::MAX));
        let news = self.reader.with(wait, |wire, _| command.query::<Value>(wire));
        // One stream, with its name and its entries. What lies beyond the last position is always there, and no news.
        let entry = |news: &Value| Some(first(list(list(news).first()?).get(1)?)?.position);
        news.is_ok_and(|news| entry(&news).is_some_and(|position| position <= POSITION_MAX))
    }

    pub(super) fn read_to_head(&self, after: Cursor, visit: Visit<'_>) -> Result<Read, LogError> {
        let reader = &mut *self.state.lock();
        match &self.copy {
            Some(copy) => self.read_with_copy(&**copy, reader, after, visit),
            None => self.read_stream(reader, after, visit),
        }
    }

    /// Reads on in the stream.
    pub(super) fn read_stream(&self, reader: &mut Reader, after: Cursor, visit: Visit<'_>) -> Result<Read, LogError> {
        self.begin_once()?;
        self.keep_promise()?;
        if std::mem::take(&mut reader.is_interrupted) {
            return Ok(self.read_anew(reader));
        }
        if let Some(copy) = &self.copy {
            self.begin_comparison(&**copy, reader)?;
        }
        let is_due = reader.probed_at.is_none_or(|at| at.elapsed() >= self.beat_interval);
        // Those that did not confirm are mostly not there; once in a while they have as long as always, which may be what they take.
        let wait = match reader.unproven % FULL_WAIT_EACH {
            0 => self.place.wait,
            _ => self.place.wait.min(WAIT_AGAIN),
        };
        if reader.standing == Standing::Proven {
            reader.standing = Standing::Pending;
        }
        let (started, at) = (Instant::now(), self.clock.now());
        let outcome = self.reader.with(wait, |wire, _| {
            if is_due {
                self.clock.learn(wire)?;
                self.look_at_memory(wire, reader)?;
                reader.standing = self.make_sure(wire, wait)?;
                reader.probed_at = Some(started);
                reader.unproven = if reader.standing == Standing::Proven { 0 } else { reader.unproven + 1 };
            }
            self.read_on(wire, reader, after, visit)
        })?;
        match outcome {
            Outcome::Head { cursor, facts, junk, unknown_kinds, met, is_news } => {
                self.leave_for_another(reader, is_due);
                let facts = self.restate(reader, facts)?;
                self.restate_erased(reader)?;
                if reader.standing == Standing::Proven {
                    reader.copying.is_whole(at);
                }
                reader.is_interrupted = match &self.copy {
                    Some(copy) => !self.end_comparison(&**copy, reader, cursor),
                    None => false,
                };
                reader.head = cursor.position;
                self.look_for_unseen(reader, after, &met, cursor);
                self.put_back(reader);
                Ok(match is_news {
                    true => Read::ToHead { cursor, facts, junk, unknown_kinds },
                    false => Read::Unchanged,
                })
            }
            Outcome::Stopped => {
                reader.is_interrupted = reader.copying.is_comparing();
                Ok(Read::Stopped)
            }
            Outcome::Rewound => Ok(self.read_anew(reader)),
            Outcome::Lost => {
                self.reader.with(Duration::ZERO, |wire, _| self.script(script::NOTE_LOSSES).exec(wire))?;
                Ok(self.read_anew(reader))
            }
            Outcome::Empty => {
                let command = self.make()?;
                self.reader.with(Duration::ZERO, |wire, _| command.exec(wire))?;
                Ok(self.read_anew(reader))
            }
            Outcome::Newer(found) => self.known_format(found).map(|()| Read::Rewound),
        }
    }

    /// Everything is to be read from the beginning, and compared with what is held.
    fn read_anew(&self, reader: &mut Reader) -> Read {
        if let Some(copy) = &self.copy {
            self.write_copy(&**copy, reader, true);
            reader.to_repair.extend(reader.copying.begin_anew(&**copy));
        }
        // What was held is let go here, and held again as it is met or put back: it never takes its room twice.
        let mut held = self.held.lock();
        held.put_all(std::mem::take(&mut *self.to_hold.lock()));
        reader.lacking.get_or_insert_default().extend(held.take());
        drop(held);
        (reader.identity, reader.probed_at, reader.facts_at_head, reader.is_interrupted) = (None, None, None, false);
        reader.head = 0;
        Read::Rewound
    }

    /// Gives a server up that is no primary, or that nobody confirms anything to: another may have been promoted meanwhile, and be
    /// reached from here.
    fn leave_for_another(&self, reader: &Reader, is_probed: bool) {
        let is_replica = matches!(reader.standing, Standing::Unproven(LogError::Replica { .. }));
        if is_replica {
            self.reader.leave();
        }
        if is_probed && reader.unproven > 0 && reader.unproven.is_multiple_of(LEAVE_AFTER) {
            self.place.source.ask_another();
            self.reader.leave();
            self.writer.leave();
        }
    }

    fn look_at_memory(&self, wire: &mut Wire, reader: &mut Reader) -> RedisResult<()> {
        if reader.looked_at.is_none_or(|at| at.elapsed() >= MEMORY_INTERVAL) {
            let is_nearly_full = Info::ask(wire, Some("memory"))?.is_nearly_full();
            if is_nearly_full && !self.is_nearly_full.load(Ordering::Relaxed) {
                tracing::warn!("degraded: the server's memory is nearly full, after which it takes no log-outs");
            }
            self.is_nearly_full.store(is_nearly_full, Ordering::Relaxed);
            reader.looked_at = Some(Instant::now());
        }
        Ok(())
    }

    /// Where nothing was asked: what the log said last, which backs nothing.
    pub(super) fn no_ground(&self) -> Ground {
        Ground { is_backing: false, now: None, facts: Facts { watermark: None, ..*self.last_facts.lock() } }
    }

    fn read_on(&self, wire: &mut Wire, reader: &mut Reader, after: Cursor, visit: Visit<'_>) -> RedisResult<Outcome> {
        let (mut cursor, mut junk, mut unknown_kinds, mut met) = (after, 0, 0, HashSet::new());
        loop {
            let answer = self.ask(wire, cursor.position, READ_MAX)?;
            let Some(identity) = answer.identity.clone() else { return Ok(Outcome::Empty) };
            if answer.format / 100 != FORMAT / 100 {
                return Ok(Outcome::Newer(answer.format));
            }
            if answer.lacks_some() {
                return Ok(Outcome::Lost);
            }
            let is_another = reader.identity.as_ref().is_some_and(|read| *read != identity);
            if is_another || !answer.knows(cursor) {
                return Ok(Outcome::Rewound);
            }
            self.hear_of_erased(wire, answer.erased.as_ref(), answer.facts.watermark)?;
            let erased = self.erased.records();
            reader.identity = Some(identity);
            let entries = list(&answer.entries);
            let looked_for = self.unseen.lock().tags();
            let to_hold = std::mem::take(&mut *self.to_hold.lock());
            let mut held = self.held.lock();
            held.put_all(to_hold);
            for entry in entries.iter().filter_map(Entry::read) {
                let is_erased = erased.contains(entry.bytes());
                let decoded = if is_erased { Err(NoRecord::Junk) } else { entry.decode() };
                cursor = answer.cursor(&entry);
                if looked_for.contains(&cursor.tag) {
                    met.insert(cursor.tag);
                }
                if self.copy.is_some() {
                    reader.copying.meet(&entry, &decoded, cursor, reader.head);
                }
                match decoded {
                    Ok(record) => {
                        reader.to_repair.remove(entry.bytes());
                        if let Some(lacking) = &mut reader.lacking {
                            lacking.remove(entry.bytes());
                        }
                        if !reader.copying.goes_on() || self.copy.is_none() {
                            held.put(entry.bytes(), record.keep_until());
                        }
                        if visit(record.record()) == ControlFlow::Break(()) {
                            return Ok(Outcome::Stopped);
                        }
                    }
                    Err(NoRecord::Junk) => junk += u64::from(!is_erased),
                    Err(NoRecord::UnknownKind) => unknown_kinds += 1,
                }
            }
            if entries.len() < READ_MAX {
                let facts = answer.facts;
                if let Some(watermark) = facts.watermark
                    && reader.facts_at_head.is_none_or(|facts_at_head| facts_at_head.watermark != Some(watermark))
                {
                    held.forget_until(watermark);
                }
                // Whoever starts anew is told of the head, also where there is nothing.
                let is_news =
                    reader.facts_at_head.replace(facts) != Some(facts) || cursor != after || after.position == 0;
                return Ok(Outcome::Head { cursor, facts, junk, unknown_kinds, met, is_news });
            }
            reader.is_interrupted = true;
            drop(held);
            if let Some(copy) = &self.copy {
                self.write_copy(&**copy, reader, false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::RevocationLog as _;
    use crate::log::conformance::redis_server::{RedisServer, is_there};
    use crate::log::conformance::{self, open_redis};
    use crate::log::redis::acknowledged::Acknowledged;
    use crate::revocation::Record;

    fn record(number: usize) -> Record {
        conformance::record(&format!("jti-{number}"), None)
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
                Read::Unchanged if log.state.lock().to_repair.is_empty() => return,
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
            let log = open_redis(&server.url(""), None);
            *log.held.lock() = Acknowledged::up_to(20_000);
            log
        };
        let log = open();
        let records: Vec<_> = (0..1000).map(record).collect();
        let end = log.append(&records).unwrap().last;
        read(&log, end);
        // The last are held, as there is room for few.
        let last = 999;
        let remove = "return redis.call('XDEL', KEYS[1], redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1])";
        server.run::<i64>(&["EVAL", remove, "1", "{signoff}:stream"]);
        settle(&log, end);
        let page = log.list(0, 10_000).unwrap();
        assert_eq!(page.records.len(), 1000);
        assert!(page.records.iter().any(|(_, held)| *held == record(last)));
        assert!(log.held.lock().take().len() < 300, "it is held within the same bounds as before");
    }

    #[test]
    fn a_read_that_broke_off_midway_begins_anew() {
        if !is_there() {
            return;
        }
        let server = RedisServer::start(&[]);
        let log = open_redis(&server.url(""), None);
        log.append(&[record(0)]).unwrap();
        let Read::ToHead { cursor: end, .. } = read(&log, Cursor::default()) else { panic!("it is read to its head") };
        log.state.lock().is_interrupted = true;
        assert_eq!(read(&log, end), Read::Rewound);
        settle(&log, Cursor::default());
        assert_eq!(log.list(0, 10).unwrap().records, [(1, record(0))]);
    }
}
