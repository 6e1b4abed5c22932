//! Appending, and what became of what was appended: whether the reader has met it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::{Cmd, Pipeline, RedisResult, Value};

use super::durability::WAIT_AGAIN;
use super::encoded::{self, Encoded};
use super::lineage::parse_epoch;
use super::wire::Wire;
use super::{RedisLog, connection, millis, script};
use crate::log::{
    Appended, Backing, Committed, Covered, Cursor, Fate, Follows, LogError, Moment, OnOutage, PLAUSIBLE_STEP, Proposal,
};
use crate::revocation::Record;

/// For how long an append looks for a server that can't be reached.
const RETRY: Duration = Duration::from_secs(3);

/// What an append waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// A server that can't be reached, and then its replicas and disks.
    Server,
    /// Replicas and disks alone.
    Confirmation,
    /// Hardly those, since others wait for whoever appends.
    None,
}

/// How many records are put back in one step of the server, so that others wait for milliseconds, not longer.
pub(super) const STEP_MAX: usize = 2000;

/// How many bytes, unless one record has more.
pub(super) const STEP_BYTES_MAX: usize = 1 << 20;

/// How many appends are remembered that the reader has not met. Those beyond are held, and compared when the log is read anew.
const UNSEEN_MAX: usize = 10_000;

/// How many appends wait for the reader to hold them.
const TO_HOLD_MAX: usize = 10_000;

/// How long after an append a reader at the head must have met it.
const UNSEEN_FOR: Duration = Duration::from_secs(2);

/// What was appended and was not met by the reader. The connection that writes may lead to another server than the one that
/// reads, to one that was taken out of service, say: what was acknowledged there must get to where the others read.
#[derive(Default)]
pub(super) struct Unseen(VecDeque<Append>);

struct Append {
    /// Known before it is sent, so that the reader may meet it before its answer is here.
    tag: i64,
    records: Arc<[Encoded]>,
    is_met: bool,
    /// None until it is acknowledged.
    done: Option<Done>,
}

#[derive(Clone, Copy)]
struct Done {
    position: i64,
    /// On which connection of the writer's, and in which term of the server that it led to.
    place: (u64, u64),
    at: Instant,
}

impl Unseen {
    /// Gives out the oldest where there are too many: it is to be held otherwise.
    fn expect(&mut self, tag: i64, records: &Arc<[Encoded]>) -> Option<Arc<[Encoded]>> {
        self.0.push_back(Append { tag, records: Arc::clone(records), is_met: false, done: None });
        if self.0.len() <= UNSEEN_MAX {
            return None;
        }
        self.0.pop_front().filter(|one| one.done.is_some() && !one.is_met).map(|one| one.records)
    }

    fn acknowledge(&mut self, tag: i64, done: Done) {
        if let Some(one) = self.0.iter_mut().rev().find(|one| one.tag == tag) {
            one.done = Some(done);
        }
    }

    /// It was not acknowledged: nothing is owed to anybody.
    fn give_up(&mut self, tag: i64) {
        self.0.retain(|one| one.tag != tag);
    }

    /// What was acknowledged and not met by now.
    pub(super) fn acknowledged(&self) -> Vec<Encoded> {
        let acknowledged = self.0.iter().filter(|one| one.done.is_some() && !one.is_met);
        acknowledged.flat_map(|one| one.records.to_vec()).collect()
    }

    /// The same, and lets go of it.
    pub(super) fn take_acknowledged(&mut self) -> Vec<Encoded> {
        let acknowledged = std::mem::take(&mut self.0).into_iter().filter(|one| one.done.is_some() && !one.is_met);
        acknowledged.flat_map(|one| one.records.to_vec()).collect()
    }

    /// The batches to look for. To be asked for behind each answer of the server: it has none that is not among them.
    pub(super) fn tags(&self) -> HashSet<i64> {
        self.0.iter().map(|one| one.tag).collect()
    }

    /// Lets go of what a reader has met that went from one place to the head, past the batches with these tags, and gives
    /// out what it should have met.
    pub(super) fn settle(&mut self, start: Cursor, met: &HashSet<i64>, end: Cursor, is_proven: bool) -> Vec<Encoded> {
        // Where one is met, all before it on the same connection, in one term of its server, are in the same log.
        let mut through = HashMap::new();
        for one in &mut self.0 {
            one.is_met |= met.contains(&one.tag);
            if let Some(Done { position, place, .. }) = one.done
                && (one.is_met || (position, one.tag) == (start.position, start.tag))
            {
                through.insert(place, position);
            }
        }
        let mut missing = Vec::new();
        self.0.retain(|one| {
            let Some(Done { position, place, at }) = one.done else { return true };
            if through.get(&place).is_some_and(|through| position <= *through) {
                return false;
            }
            let is_missing = position <= end.position || (is_proven && at.elapsed() > UNSEEN_FOR);
            if is_missing {
                missing.extend_from_slice(&one.records);
            }
            !is_missing
        });
        missing
    }
}

/// Whether the server has the script that appends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Loaded {
    #[default]
    NotYet,
    As(String),
    /// This user may not give it one: it is sent whole each time.
    MayNot,
}

impl RedisLog {
    pub(super) fn commit_proposals(&self, proposals: &mut [Proposal], backing: Backing) -> Result<Committed, LogError> {
        // The server is asked only where its answer can spare an append, or says what a cut-off of now has to lie behind.
        let may_be_spared = |one: &Proposal| match one.covered {
            _ if one.moment == Moment::Now => true,
            Covered::Unasked => false,
            Covered::Yes => true,
            Covered::No => one.record.keep_until.is_some_and(|until| until <= one.record.recorded_at),
        };
        let is_asked = proposals.iter().any(may_be_spared);
        let (ground, unread) = if is_asked { self.ground(backing) } else { (self.no_ground(), Vec::new()) };
        let fates: Vec<_> = proposals.iter().map(|proposal| proposal.fate(&ground)).collect();
        proposals.iter_mut().for_each(|proposal| proposal.move_behind(&ground, &unread));
        let to_append = proposals.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Appended);
        let records: Vec<_> = to_append.map(|(proposal, _)| self.erased.told_apart(&proposal.record)).collect();
        let appended = if records.is_empty() { None } else { Some(self.append_records(&records)?) };
        // Where nothing was asked, nothing has changed that is known of.
        let (generation, is_backing) = (backing.generation, backing.generation.is_some());
        Ok(Committed { appended, fates, generation, is_backing })
    }

    fn append_records(&self, records: &[Record]) -> Result<Appended, LogError> {
        let encoded: Arc<[Encoded]> = records.iter().map(encoded::write).collect();
        // Where it is kept meanwhile, nobody need wait for a server to come back.
        let patience = if self.outage == OnOutage::Keep { Patience::Confirmation } else { Patience::Server };
        let appended = self.append_encoded(&encoded, patience);
        if !self.copies.load(Ordering::Relaxed) && !appended.as_ref().is_err_and(LogError::is_certain) {
            // The reader puts them where they can be found, while callers come back.
            self.hold(encoded);
        }
        let mut appended = match appended {
            Ok(appended) => appended,
            Err(error) => return self.keep(records, error),
        };
        appended.last.keep_until = records.last().and_then(|record| record.keep_until);
        Ok(appended)
    }

    /// Holds what was appended, so that it can be put back: as soon as the reader has a moment, unless that is too long.
    fn hold(&self, records: Arc<[Encoded]>) {
        let mut waiting = self.to_hold.lock();
        waiting.push(records);
        if waiting.len() > TO_HOLD_MAX {
            let all = std::mem::take(&mut *waiting);
            drop(waiting);
            self.held.lock().put_all(all);
        }
    }

    /// Appends records as they are written.
    pub(super) fn append_encoded(&self, records: &Arc<[Encoded]>, patience: Patience) -> Result<Appended, LogError> {
        self.begin_once()?;
        let (wait, retry) = match patience {
            Patience::Server => (self.place.wait, RETRY),
            Patience::Confirmation => (self.place.wait, Duration::ZERO),
            Patience::None => (self.place.wait.min(WAIT_AGAIN), Duration::ZERO),
        };
        let until = Instant::now() + retry;
        let mut interrupted = None;
        loop {
            let error = match self.append_once(records, wait) {
                Ok(Some(appended)) => return Ok(appended),
                Ok(None) => {
                    let fault = "somebody has put an entry with so high an id into the stream that none can follow";
                    let foreign = LogError::ServerForeign { server: self.place.shown.clone(), fault: fault.to_owned() };
                    return Err(interrupted.unwrap_or(foreign));
                }
                Err(error) => error,
            };
            let is_broken_off = matches!(error, LogError::Interrupted { .. });
            let is_passing = is_broken_off
                || matches!(
                    error,
                    LogError::Unreachable { .. } | LogError::Replica { .. } | LogError::ServerBusy { .. }
                );
            // Once more in any case where a connection broke off: what was dropped on the way without a word is no fault of a
            // server that is there.
            let is_first = is_broken_off && interrupted.is_none() && patience != Patience::None;
            if !is_passing || (Instant::now() >= until && !is_first) {
                // What was sent before the interruption may be there, whatever became of it afterwards.
                return Err(if error.is_certain() { interrupted.unwrap_or(error) } else { error });
            }
            if is_broken_off {
                interrupted = Some(error);
            }
            std::thread::sleep(Duration::from_millis(if is_first { 0 } else { 20 }));
        }
    }

    /// Sends it, under a tag of its own: what was sent before may stand at the same position on another server, behind other
    /// entries. None where the stream has no ids left.
    fn append_once(&self, records: &Arc<[Encoded]>, wait: Duration) -> Result<Option<Appended>, LogError> {
        let tag = self.random_tag()?;
        let forgotten = self.unseen.lock().expect(tag, records);
        forgotten.into_iter().for_each(|records| self.hold(records));
        let appended = self.append_batch(tag, records, wait);
        let mut unseen = self.unseen.lock();
        match appended {
            Ok(Some((appended, done))) => {
                unseen.acknowledge(tag, done);
                Ok(Some(appended))
            }
            nothing => {
                unseen.give_up(tag);
                nothing.map(|_| None)
            }
        }
    }

    fn append_batch(
        &self,
        tag: i64,
        records: &[Encoded],
        wait: Duration,
    ) -> Result<Option<(Appended, Done)>, LogError> {
        let beginnings = self.beginnings()?;
        let batch = |mut command: Cmd| {
            beginnings.add_to(&mut command);
            command.arg(millis(PLAUSIBLE_STEP)).arg(tag);
            for record in records {
                command.arg(&**record);
            }
            let mut pipeline = redis::pipe();
            pipeline.add_command(command);
            self.confirm(&mut pipeline, wait);
            pipeline
        };
        let wait = self.confirm(&mut redis::pipe(), wait);
        let asked = self.writer.with(wait, |wire, count| match self.run_batch(wire, &batch) {
            Ok(answers) => Ok((Some(answers), count)),
            // It is in the stream, and what should confirm it was refused.
            Err(error) if connection::first_refused(&error).is_some_and(|place| place > 0) => Ok((None, count)),
            Err(error) => Err(error),
        });
        let (Some(answers), connection) = asked? else { return Err(self.unconfirmed(0)) };
        let positions = match answers.first() {
            Some(Value::Array(positions)) => positions.as_slice(),
            _ => &[],
        };
        let [Value::Int(first), Value::Int(last), rest @ ..] = positions else {
            let fault = "an answer that makes no sense".to_owned();
            return Err(LogError::Interrupted { server: self.place.shown.clone(), fault });
        };
        if *first == 0 {
            return Ok(None);
        }
        if wait > Duration::ZERO {
            self.confirmed(&answers)?;
        }
        let text = |at: usize| rest.get(at).and_then(|text| redis::from_redis_value_ref::<String>(text).ok());
        let behind = text(0).and_then(|tag| tag.parse().ok()).unwrap_or(0);
        let epoch = text(1).map_or(0, |epoch| parse_epoch(&epoch));
        let done = Done { position: *last, place: (connection, epoch), at: Instant::now() };
        tracing::trace!(first, last, tag, behind, epoch, "appended");
        let last = Cursor { position: *last, tag, epoch, keep_until: None };
        // What is copied must be read, and what stands behind a batch that nobody knows.
        let follows = if self.copy.is_some() || behind == 0 { Follows::ToBeRead } else { Follows::Batch(behind) };
        Ok(Some((Appended { first: *first, last, follows, durability: self.place.durability() }, done)))
    }

    /// Sends it once: by the name that the server has for the script, which it is told again if it has forgotten it.
    fn run_batch(&self, wire: &mut Wire, batch: &dyn Fn(Cmd) -> Pipeline) -> RedisResult<Vec<Value>> {
        let held = self.append_script.lock().clone();
        let held = match held {
            Loaded::As(name) => match batch(self.loaded_script(&name)).query(wire) {
                Err(error) if connection::code(&error).as_deref() == Some("NOSCRIPT") => Loaded::NotYet,
                done => return done,
            },
            held @ (Loaded::NotYet | Loaded::MayNot) => held,
        };
        if held == Loaded::NotYet {
            let loaded = match redis::cmd("SCRIPT").arg("LOAD").arg(script::APPEND).query::<String>(wire) {
                Ok(name) => Loaded::As(name),
                Err(error) if connection::code(&error).is_some() => Loaded::MayNot,
                Err(error) => return Err(error),
            };
            *self.append_script.lock() = loaded;
        }
        let now = self.append_script.lock().clone();
        match now {
            Loaded::As(name) => batch(self.loaded_script(&name)),
            Loaded::NotYet | Loaded::MayNot => batch(self.script(script::APPEND)),
        }
        .query(wire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(position: i64, tag: i64) -> Cursor {
        Cursor { position, tag, ..Cursor::default() }
    }

    fn unseen(appends: &[(i64, i64, u64)]) -> Unseen {
        let mut unseen = Unseen::default();
        for &(position, tag, place) in appends {
            let _none = unseen.expect(tag, &[tag.to_string().into_bytes().into_boxed_slice()].into());
            unseen.acknowledge(tag, Done { position, place: (1, place), at: Instant::now() });
        }
        unseen
    }

    fn settle(unseen: &mut Unseen, start: Cursor, met: &[i64], end: Cursor) -> Vec<String> {
        let missing = unseen.settle(start, &met.iter().copied().collect(), end, true);
        missing.into_iter().map(|bytes| String::from_utf8(bytes.into_vec()).unwrap()).collect()
    }

    #[test]
    fn what_the_reader_has_met_or_stands_on_is_settled_with_all_before_it() {
        let mut all = unseen(&[(1, 10, 1), (2, 20, 1), (3, 30, 1), (9, 90, 1)]);
        assert_eq!(settle(&mut all, cursor(2, 20), &[], cursor(2, 20)), Vec::<String>::new());
        assert_eq!(all.0.len(), 2);
        assert_eq!(settle(&mut all, cursor(2, 20), &[30, 31], cursor(4, 31)), Vec::<String>::new());
        assert_eq!(all.0.len(), 1, "not there yet, which is no fault");
    }

    #[test]
    fn what_the_reader_went_past_without_meeting_it_is_missing() {
        let mut all = unseen(&[(5, 50, 1), (6, 60, 2)]);
        // The other server has something else there.
        assert_eq!(settle(&mut all, cursor(4, 40), &[51, 60], cursor(6, 60)), ["50"]);
        assert!(all.tags().is_empty());
    }

    #[test]
    fn what_is_met_before_its_answer_is_here_is_settled_by_it() {
        let mut all = Unseen::default();
        let _none = all.expect(10, &[(*b"10").into()].into());
        assert_eq!(settle(&mut all, cursor(0, 0), &[10], cursor(1, 10)), Vec::<String>::new());
        all.acknowledge(10, Done { position: 1, place: (1, 1), at: Instant::now() });
        assert_eq!(settle(&mut all, cursor(1, 10), &[], cursor(2, 20)), Vec::<String>::new());
        // Also where nobody has read since: it is owed to nobody.
        let _none = all.expect(20, &[(*b"20").into()].into());
        assert_eq!(settle(&mut all, cursor(2, 20), &[20], cursor(3, 20)), Vec::<String>::new());
        all.acknowledge(20, Done { position: 3, place: (1, 1), at: Instant::now() });
        assert!(all.take_acknowledged().is_empty());
        let _none = all.expect(30, &[(*b"30").into()].into());
        all.give_up(30);
        assert!(all.tags().is_empty());
    }
}
