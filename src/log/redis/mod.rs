//! The log for many machines: a stream on a Redis server, which every node follows.
//!
//! Invariants: what is appended is in the stream whole or not at all, and `append` returns when as many copies are
//! confirmed as the URL asks for. Positions are given by the server, one after the other. What this node has seen in the
//! log and the log has lost is appended again. docs/format.md has the keys and what is promised about them.

mod entry;
mod held;
mod link;
mod place;
mod script;

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, Connection, Pipeline, RedisResult, Value};

use super::written::NoRecord;
use super::{Appended, Collected, Create, Cursor, Facts, LogError, Origin, PLAUSIBLE_STEP, Page, Read, RevocationLog};
use super::{Standing, Visit};
use crate::clock::UnixTime;
use crate::revocation::{Durability, Record};
use crate::sync::Mutex;
use entry::Entry;
use held::Held;
use link::Link;
use place::Place;

/// How many entries one answer has at most.
const READ_MAX: usize = 10_000;

/// How many records one step of the server appends at most: so that others wait for milliseconds, not longer.
const APPEND_MAX: usize = 2000;

/// How long it is waited for news before it is looked whether the engine is still wanted.
const NEWS_WAIT: Duration = Duration::from_millis(100);

/// How often it is made sure that the log can be written, where nothing shorter is asked for.
const BEAT_INTERVAL: Duration = Duration::from_secs(1);

/// For how long an append looks for a server that can't be reached.
const RETRY: Duration = Duration::from_secs(3);

/// Within what time the nodes put back what was lost: each at a moment of its own, so that it sees what others did before.
const PUT_BACK_WITHIN: u16 = 500;

pub(crate) struct RedisLog {
    place: Arc<Place>,
    salt: [u8; 16],
    random: fn() -> Option<[u8; 16]>,
    beat_interval: Duration,
    stream: String,
    facts: String,
    beat: String,
    writer: Link,
    reader: Link,
    state: Mutex<Reader>,
    held: Mutex<Held>,
    /// What the log said of itself, for one that has to be made anew.
    last_facts: Mutex<Facts>,
}

/// Where reading stands.
#[derive(Default)]
struct Reader {
    /// Which log was read, and what it said when it was last read to its head.
    known: Option<Known>,
    seen: Option<Facts>,
    last_beat: Option<Instant>,
    standing: Standing,
    /// While everything is read anew: what there is.
    there: Option<HashSet<Box<str>>>,
    /// What the log lacks, and when it is put back.
    owed: HashSet<Box<str>>,
    owed_at: Option<Instant>,
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
    Read(Read),
    Lost,
    Empty,
    Newer(i64),
}

impl RedisLog {
    /// Connects, and makes an empty log where that is asked for. `random` gives it its identity.
    pub(crate) fn open(
        url: &str,
        create: Create,
        max_staleness: Duration,
        random: fn() -> Option<[u8; 16]>,
    ) -> Result<(Self, Origin), LogError> {
        let place = Arc::new(Place::parse(url)?);
        let salt = random().ok_or_else(|| no_random(&place))?;
        let log = Self {
            salt,
            random,
            beat_interval: BEAT_INTERVAL.min(max_staleness / 4),
            stream: place.key("log"),
            facts: place.key("facts"),
            beat: place.key("beat"),
            writer: Link::new(&place),
            reader: Link::new(&place),
            state: Mutex::default(),
            held: Mutex::default(),
            last_facts: Mutex::default(),
            place,
        };
        let origin = log.begin(create)?;
        Ok((log, origin))
    }

    fn begin(&self, create: Create) -> Result<Origin, LogError> {
        let has = |connection: &mut Connection, _| {
            redis::cmd("HGET").arg(&self.facts).arg("format").query::<Option<i64>>(connection)
        };
        match (self.writer.with(Duration::ZERO, has)?, create) {
            (Some(format), _) => self.known_format(format).map(|()| Origin::Found),
            (None, Create::Never) => Err(LogError::ServerEmpty { server: self.place.shown.clone() }),
            (None, Create::IfMissing) => {
                let command = self.make()?;
                let made: bool = self.writer.with(Duration::ZERO, |connection, _| command.query(connection))?;
                Ok(if made { Origin::Created } else { Origin::Found })
            }
        }
    }

    fn known_format(&self, found: i64) -> Result<(), LogError> {
        match found / 100 {
            1 => Ok(()),
            _ => Err(LogError::Newer { path: self.place.shown.clone(), found, known: 100 }),
        }
    }

    /// Makes the log if it is not there, with what was known of it.
    fn make(&self) -> Result<Cmd, LogError> {
        let mut command = self.script(script::BEGIN);
        self.add_origin(&mut command)?;
        Ok(command)
    }

    fn add_origin(&self, command: &mut Cmd) -> Result<(), LogError> {
        let identity = (self.random)().ok_or_else(|| no_random(&self.place))?;
        let facts = *self.last_facts.lock();
        let time = |time: Option<UnixTime>| time.map_or_else(String::new, |time| time.as_millis().to_string());
        let longest = facts.longest_lifetime.map_or_else(String::new, |lifetime| lifetime.as_millis().to_string());
        command.arg(format!("{:032x}", u128::from_be_bytes(identity)));
        command.arg(time(facts.watermark)).arg(time(facts.newest)).arg(longest);
        Ok(())
    }

    fn script(&self, text: &str) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(text).arg(2).arg(&self.stream).arg(&self.facts);
        command
    }

    /// Adds to what is sent that it is waited for, and says how long.
    fn confirm(&self, pipeline: &mut Pipeline) -> Duration {
        let Place { replicas, is_fsynced, wait, .. } = &*self.place;
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        match (is_fsynced, replicas) {
            (true, _) => pipeline.cmd("WAITAOF").arg(1).arg(replicas).arg(millis),
            (false, 0) => return Duration::ZERO,
            (false, _) => pipeline.cmd("WAIT").arg(replicas).arg(millis),
        };
        *wait
    }

    /// Whether as many have confirmed as were asked for, by the last answer to what [`confirm`](Self::confirm) sent.
    fn confirmed(&self, answers: &[Value]) -> Result<(), LogError> {
        let Place { replicas, is_fsynced, wait, shown, .. } = &*self.place;
        let number = |value: Option<&Value>| match value {
            Some(Value::Int(number)) => u32::try_from(*number).unwrap_or(0),
            _ => 0,
        };
        let (disks, confirmed) = match (is_fsynced, answers.last()) {
            (true, Some(Value::Array(numbers))) => (number(numbers.first()), number(numbers.get(1))),
            (true, _) => (0, 0),
            (false, answer) => (1, number(answer)),
        };
        if disks == 1 && (confirmed >= *replicas) {
            return Ok(());
        }
        let (wanted, confirmed) = match is_fsynced {
            true => (format!("{} disks", replicas + 1), confirmed + disks),
            false => (format!("{replicas} replicas"), confirmed),
        };
        Err(LogError::Unconfirmed { server: shown.clone(), wanted, confirmed, waited: *wait })
    }

    /// Appends records by their texts, which were recorded at these times, and looks for so long for a server that can't be reached.
    fn append_texts(&self, records: &[Box<str>], times: BTreeSet<i64>, retry: Duration) -> Result<Appended, LogError> {
        let tag = (self.random)().ok_or_else(|| no_random(&self.place))?;
        let tag = i64::from_be_bytes(*tag.first_chunk().unwrap_or(&[0; 8]));
        let mut command = self.script(script::APPEND);
        self.add_origin(&mut command)?;
        command.arg(tag).arg(millis(PLAUSIBLE_STEP)).arg(times.len()).arg(records.len());
        for time in times {
            command.arg(time);
        }
        for text in records {
            command.arg(&**text);
        }
        let mut pipeline = redis::pipe();
        pipeline.add_command(command);
        let wait = self.confirm(&mut pipeline);
        let until = Instant::now() + retry;
        let mut interrupted = None;
        let answers: Vec<Value> = loop {
            match self.writer.with(wait, |connection, _| pipeline.query(connection)) {
                Ok(answers) => break answers,
                Err(error) => {
                    let is_passing = matches!(
                        error,
                        LogError::Unreachable { .. } | LogError::Interrupted { .. } | LogError::Replica { .. }
                    );
                    if matches!(error, LogError::Interrupted { .. }) {
                        interrupted = Some(error.clone());
                    }
                    if !is_passing || Instant::now() >= until {
                        return Err(interrupted.unwrap_or(error));
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        };
        let positions = match answers.first() {
            Some(Value::Array(positions)) => positions.as_slice(),
            _ => &[],
        };
        match positions {
            [Value::Int(0), ..] | [] => {
                let fault =
                    "somebody has put an entry with the highest id there is into the stream, so that none can follow";
                Err(LogError::ServerForeign { server: self.place.shown.clone(), fault: fault.to_owned() })
            }
            [Value::Int(first), Value::Int(last), behind, ..] => {
                if wait > Duration::ZERO {
                    self.confirmed(&answers)?;
                }
                let behind = redis::from_redis_value_ref(behind).unwrap_or(0);
                Ok(Appended {
                    first: *first,
                    last: Cursor { position: *last, tag, keep_until: None },
                    behind: Some(behind),
                })
            }
            _ => Err(self.senseless()),
        }
    }

    fn senseless(&self) -> LogError {
        LogError::Interrupted { server: self.place.shown.clone(), fault: "an answer that makes no sense".to_owned() }
    }

    /// Makes sure that the log can be written, by as many as it is asked for.
    fn make_sure(&self, connection: &mut Connection, count: u64) -> RedisResult<Standing> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("SET").arg(&self.beat).arg(count);
        let wait = self.confirm(&mut pipeline);
        match pipeline.query::<Vec<Value>>(connection) {
            Ok(_) if wait == Duration::ZERO => Ok(Standing::Proven),
            Ok(answers) => Ok(self.confirmed(&answers).map_or_else(Standing::Unproven, |()| Standing::Proven)),
            // The server is there, and may be read.
            Err(error) if link::code(&error).is_some() => Ok(Standing::Unproven(self.reader.fault(&error))),
            Err(error) => Err(error),
        }
    }

    fn ask(&self, connection: &mut Connection, after: i64) -> RedisResult<Answer> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.cmd("HMGET").arg(&self.facts).arg(&[
            "identity",
            "losses",
            "format",
            "watermark",
            "newest",
            "longest_lifetime",
            "count",
            "first",
        ]);
        pipeline.cmd("XLEN").arg(&self.stream);
        pipeline.cmd("XRANGE").arg(&self.stream).arg(after).arg(after);
        pipeline.cmd("XRANGE").arg(&self.stream).arg("-").arg("+").arg("COUNT").arg(1);
        pipeline.cmd("XRANGE").arg(&self.stream).arg(behind(after)).arg("+").arg("COUNT").arg(READ_MAX);
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
        let (mut cursor, mut junk, mut unknown_kinds) = (after, 0, 0);
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
                reader.known = Some(known);
                return Ok(Outcome::Read(Read::Rewound));
            }
            reader.known = Some(known);
            let entries = list(&answer.entries);
            if entries.is_empty() && cursor == after && reader.seen == Some(answer.facts) {
                return Ok(Outcome::Read(Read::Unchanged));
            }
            let mut held = self.held.lock();
            for entry in entries.iter().filter_map(Entry::read) {
                let parsed = entry.parse();
                cursor = entry.cursor(&parsed);
                match parsed.record() {
                    Ok(record) => {
                        reader.owed.remove(entry.text);
                        if let Some(there) = &mut reader.there {
                            there.insert(entry.text.into());
                        }
                        held.put(entry.text, record.keep_until);
                        if visit(record) == ControlFlow::Break(()) {
                            return Ok(Outcome::Read(Read::Stopped));
                        }
                    }
                    Err(NoRecord::Junk) => junk += 1,
                    Err(NoRecord::UnknownKind) => unknown_kinds += 1,
                }
            }
            if entries.len() < READ_MAX {
                if let Some(watermark) = answer.facts.watermark
                    && reader.seen.is_none_or(|seen| seen.watermark != Some(watermark))
                {
                    held.forget_until(watermark);
                }
                reader.seen = Some(answer.facts);
                return Ok(Outcome::Read(Read::ToHead { cursor, facts: answer.facts, junk, unknown_kinds }));
            }
        }
    }

    /// Puts back what the log lacks, when it is time.
    fn put_back(&self, reader: &mut Reader, random: impl FnOnce() -> u16) {
        if let Some(there) = reader.there.take() {
            let lacking = self.held.lock().beside(|text| there.contains(text));
            if !lacking.is_empty() {
                tracing::warn!(
                    count = lacking.len(),
                    "the log has lost revocations that this node holds: putting them back"
                );
                reader.owed.extend(lacking);
                let pause = Duration::from_millis(u64::from(random() % PUT_BACK_WITHIN));
                reader.owed_at.get_or_insert(Instant::now() + pause);
            }
        }
        if reader.owed_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        let owed: Vec<Box<str>> = reader.owed.iter().cloned().collect();
        for chunk in owed.chunks(APPEND_MAX) {
            match self.append_texts(chunk, chunk.iter().map(|text| entry::recorded_at(text)).collect(), Duration::ZERO)
            {
                Ok(_) => chunk.iter().for_each(|text| {
                    reader.owed.remove(text);
                }),
                Err(error) => {
                    tracing::warn!(%error, "revocations could not be put back yet");
                    reader.owed_at = Some(Instant::now() + Duration::from_millis(200));
                    return;
                }
            }
        }
        reader.owed_at = None;
    }

    /// What the server does to find out how much of the stream has expired: a look at records here and there.
    fn is_mostly_expired(&self, connection: &mut Connection, watermark: UnixTime) -> RedisResult<bool> {
        const LOOKS: i64 = 100;
        let ends = redis::pipe()
            .cmd("XRANGE")
            .arg(&self.stream)
            .arg("-")
            .arg("+")
            .arg("COUNT")
            .arg(1)
            .cmd("XREVRANGE")
            .arg(&self.stream)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(1)
            .query::<(Value, Value)>(connection)?;
        let place = |value: &Value| list(value).first().and_then(Entry::read).map(|entry| entry.position);
        let (Some(first), Some(last)) = (place(&ends.0), place(&ends.1)) else { return Ok(false) };
        let step = (last - first) / LOOKS;
        if step == 0 {
            return Ok(false);
        }
        let mut pipeline = redis::pipe();
        for look in 0..LOOKS {
            pipeline.cmd("XRANGE").arg(&self.stream).arg(first + look * step).arg("+").arg("COUNT").arg(1);
        }
        let looks: Vec<Value> = pipeline.query(connection)?;
        let has_expired = |value: &Value| {
            let until = list(value).first().and_then(Entry::read).and_then(|entry| entry.parse().keep_until());
            until.is_some_and(|until| until <= watermark)
        };
        Ok(looks.iter().filter(|value| has_expired(value)).count() * 2 > looks.len())
    }
}

impl Answer {
    /// Whether somebody else has taken entries: there are fewer than ours, or the first is not the first of ours.
    fn lacks_some(&self) -> bool {
        let front = list(&self.front).first().and_then(Entry::read).map(|entry| entry.position);
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

fn list(value: &Value) -> &[Value] {
    if let Value::Array(values) = value { values } else { &[] }
}

/// The start of a range that begins behind a position, whatever else bears its number.
fn behind(position: i64) -> String {
    format!("({position}-{}", u64::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn no_random(place: &Place) -> LogError {
    let fault = "the operating system gave no random bytes".to_owned();
    LogError::Io { path: place.shown.clone(), fault }
}

impl RevocationLog for RedisLog {
    fn salt(&self) -> [u8; 16] {
        self.salt
    }

    fn durability(&self) -> Durability {
        self.place.durability()
    }

    fn poll_interval(&self) -> Duration {
        Duration::from_millis(20)
    }

    /// While the server works, the callers of the append before come back.
    fn commit_interval(&self) -> Duration {
        Duration::ZERO
    }

    fn standing(&self) -> Standing {
        self.state.lock().standing.clone()
    }

    fn wait_for_news(&self, after: Cursor) -> bool {
        // Not so long that the next proof would come late; and zero would mean for ever.
        let wait = NEWS_WAIT.min(self.beat_interval).max(Duration::from_millis(1));
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(1).arg("BLOCK").arg(millis(wait)).arg("STREAMS").arg(&self.stream);
        command.arg(format!("{}-{}", after.position, u64::MAX));
        let news = self.reader.with(wait, |connection, _| command.query::<Value>(connection));
        news.is_ok_and(|news| news != Value::Nil)
    }

    fn append(&self, records: &[Record]) -> Result<Appended, LogError> {
        let texts: Vec<Box<str>> = records.iter().map(entry::write).collect();
        let times = records.iter().map(|record| record.recorded_at.as_millis()).collect();
        let appended = self.append_texts(&texts, times, RETRY);
        if !appended.as_ref().is_err_and(LogError::is_certain) {
            let mut held = self.held.lock();
            texts.iter().zip(records).for_each(|(text, record)| held.put(text, record.keep_until));
        }
        let mut appended = appended?;
        appended.last.keep_until = records.last().and_then(|record| record.keep_until);
        Ok(appended)
    }

    fn read(&self, after: Cursor, visit: Visit<'_>) -> Result<Read, LogError> {
        let mut reader = self.state.lock();
        reader.standing = Standing::Pending;
        let started = Instant::now();
        let is_due = reader.last_beat.is_none_or(|at| at.elapsed() >= self.beat_interval);
        let wait = if is_due { self.place.wait } else { Duration::ZERO };
        let (standing, outcome) = self.reader.with(wait, |connection, count| {
            let standing = if is_due { self.make_sure(connection, count)? } else { Standing::Pending };
            Ok((standing, self.read_on(connection, &mut reader, after, visit)?))
        })?;
        match outcome {
            Outcome::Read(Read::Rewound) => (reader.there, reader.last_beat) = (Some(HashSet::new()), None),
            Outcome::Read(Read::Stopped) => {}
            Outcome::Read(Read::Unchanged | Read::ToHead { .. }) => {
                if let Some(facts) = reader.seen {
                    *self.last_facts.lock() = facts;
                }
                if matches!(standing, Standing::Unproven(LogError::Replica { .. })) {
                    self.reader.leave();
                }
                if standing == Standing::Proven {
                    reader.last_beat = Some(started);
                }
                reader.standing = standing;
                let random = || (self.random)().map_or(0, |[one, other, ..]| u16::from_le_bytes([one, other]));
                self.put_back(&mut reader, random);
            }
            Outcome::Lost | Outcome::Empty => {
                let is_there = matches!(outcome, Outcome::Lost);
                let command = if is_there { self.script(script::NOTE_LOSSES) } else { self.make()? };
                self.reader.with(Duration::ZERO, |connection, _| command.exec(connection))?;
                (reader.known, reader.there, reader.last_beat) = (None, Some(HashSet::new()), None);
                return Ok(Read::Rewound);
            }
            Outcome::Newer(found) => return self.known_format(found).map(|()| Read::Rewound),
        }
        match outcome {
            Outcome::Read(read) => Ok(read),
            Outcome::Lost | Outcome::Empty | Outcome::Newer(_) => Ok(Read::Rewound),
        }
    }

    fn count_after(&self, after: Cursor) -> Result<u64, LogError> {
        let count = self.writer.with(Duration::ZERO, |connection, _| match after.position {
            0 => redis::cmd("XLEN").arg(&self.stream).query(connection),
            position => {
                let last: Option<i64> = redis::cmd("HGET").arg(&self.facts).arg("last").query(connection)?;
                Ok(last.unwrap_or(0) - position)
            }
        })?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    fn list(&self, after: i64, max: usize) -> Result<Page, LogError> {
        let mut command = redis::cmd("XRANGE");
        command.arg(&self.stream).arg(behind(after)).arg("+").arg("COUNT").arg(max);
        let entries: Value = self.writer.with(Duration::ZERO, |connection, _| command.query(connection))?;
        let mut page = Page::default();
        for entry in list(&entries).iter().filter_map(Entry::read) {
            page.end = Some(entry.position);
            page.records.extend(entry.parse().whole());
        }
        Ok(page)
    }

    fn collect(&self, now: UnixTime, max: usize) -> Result<Collected, LogError> {
        let tag = (self.random)().ok_or_else(|| no_random(&self.place))?;
        let (deleted, watermark): (i64, i64) = self.writer.with(Duration::ZERO, |connection, _| {
            let force = self.is_mostly_expired(connection, now)?;
            let mut command = self.script(script::COLLECT);
            command.arg(now.as_millis()).arg(max).arg(millis(PLAUSIBLE_STEP));
            command.arg(i64::from_be_bytes(*tag.first_chunk().unwrap_or(&[0; 8]))).arg(u8::from(force));
            command.query(connection)
        })?;
        let deleted = usize::try_from(deleted).unwrap_or(0);
        Ok(Collected { deleted, watermark: UnixTime::from_millis(watermark) })
    }

    fn confirm_time(&self, now: UnixTime, watermark: Option<UnixTime>) -> Result<(), LogError> {
        let mut command = redis::cmd("HSET");
        command.arg(&self.facts).arg("newest").arg(now.as_millis());
        if let Some(watermark) = watermark {
            command.arg("watermark").arg(watermark.as_millis());
        }
        self.writer.with(Duration::ZERO, |connection, _| command.exec(connection))
    }

    fn set_longest_lifetime(&self, lifetime: Duration) -> Result<(), LogError> {
        let asked = millis(lifetime);
        let mut command = self.script(script::LIFETIME);
        command.arg(asked);
        let stored: u64 = self.writer.with(Duration::ZERO, |connection, _| command.query(connection))?;
        match stored < asked {
            true => Err(LogError::LifetimeRaised { stored: Duration::from_millis(stored), asked: lifetime }),
            false => Ok(()),
        }
    }

    fn compact(&self) -> Result<(), LogError> {
        // The server gives back what is deleted by itself.
        Ok(())
    }
}
