//! Appending, and what became of what was appended: whether the reader has met it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::Value;

use super::durability::WAIT_AGAIN;
use super::{RedisLog, connection, entry, millis, script};
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

/// How many appends are remembered that the reader has not met. Those beyond are held, and compared when the log is read anew.
const UNSEEN_MAX: usize = 10_000;

/// How long after an append a reader at the head must have met it.
const UNSEEN_FOR: Duration = Duration::from_secs(2);

/// What was appended and was not met by the reader. The connection that writes may lead to another server than the one that
/// reads, to one that was taken out of service, say: what was acknowledged there must get to where the others read.
#[derive(Default)]
pub(super) struct Unseen(VecDeque<Append>);

struct Append {
    /// Known before it is sent, so that the reader may meet it before its answer is here.
    tag: i64,
    texts: Arc<[Box<str>]>,
    is_met: bool,
    /// None until it is acknowledged.
    done: Option<Done>,
}

#[derive(Clone, Copy)]
struct Done {
    position: i64,
    /// Which connection of the writer's.
    connection: u64,
    at: Instant,
}

impl Unseen {
    fn expect(&mut self, tag: i64, texts: &Arc<[Box<str>]>) {
        self.0.push_back(Append { tag, texts: Arc::clone(texts), is_met: false, done: None });
        if self.0.len() > UNSEEN_MAX {
            self.0.pop_front();
        }
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
    pub(super) fn take_acknowledged(&mut self) -> Vec<Box<str>> {
        let acknowledged = std::mem::take(&mut self.0).into_iter().filter(|one| one.done.is_some());
        acknowledged.flat_map(|one| one.texts.to_vec()).collect()
    }

    /// The batches to look for. To be asked for behind each answer of the server: it has none that is not among them.
    pub(super) fn tags(&self) -> HashSet<i64> {
        self.0.iter().map(|one| one.tag).collect()
    }

    /// Lets go of what a reader has met that went from one place to the head, past the batches with these tags, and gives
    /// out what it should have met.
    pub(super) fn settle(&mut self, start: Cursor, met: &HashSet<i64>, end: Cursor, is_proven: bool) -> Vec<Box<str>> {
        // Where one is met, all before it on the same connection are in the same log.
        let mut through = HashMap::new();
        for one in &mut self.0 {
            one.is_met |= met.contains(&one.tag);
            if let Some(Done { position, connection, .. }) = one.done
                && (one.is_met || (position, one.tag) == (start.position, start.tag))
            {
                through.insert(connection, position);
            }
        }
        let mut missing = Vec::new();
        self.0.retain(|one| {
            let Some(Done { position, connection, at }) = one.done else { return true };
            if through.get(&connection).is_some_and(|through| position <= *through) {
                return false;
            }
            let is_missing = position <= end.position || (is_proven && at.elapsed() > UNSEEN_FOR);
            if is_missing {
                missing.extend_from_slice(&one.texts);
            }
            !is_missing
        });
        missing
    }
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
        let (ground, unread) = match proposals.iter().any(may_be_spared) {
            true => self.ground(backing),
            false => (self.no_ground(), Vec::new()),
        };
        let fates: Vec<_> = proposals.iter().map(|proposal| proposal.fate(&ground)).collect();
        proposals.iter_mut().for_each(|proposal| proposal.move_behind(&ground.facts, &unread));
        let to_append = proposals.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Appended);
        let records: Vec<_> = to_append.map(|(proposal, _)| proposal.record.clone()).collect();
        let appended = if records.is_empty() { None } else { Some(self.append_records(&records)?) };
        // Where nothing was asked, nothing has changed that is known of.
        let (generation, is_backing) = (backing.generation, backing.generation.is_some());
        Ok(Committed { appended, fates, generation, is_backing })
    }

    fn append_records(&self, records: &[Record]) -> Result<Appended, LogError> {
        let texts: Arc<[Box<str>]> = records.iter().map(entry::write).collect();
        let times = records.iter().map(|record| record.recorded_at.as_millis()).collect();
        // Where it is kept meanwhile, nobody need wait for a server to come back.
        let patience = if self.outage == OnOutage::Keep { Patience::Confirmation } else { Patience::Server };
        let appended = self.append_texts(&texts, times, patience);
        if !self.copies.load(Ordering::Relaxed) && !appended.as_ref().is_err_and(LogError::is_certain) {
            // The reader puts them where they can be found, while callers come back.
            let until = records.iter().map(|record| record.keep_until).collect();
            self.to_hold.lock().push((texts, until));
        }
        let mut appended = match appended {
            Ok(appended) => appended,
            Err(error) => return self.keep(records, error),
        };
        appended.last.keep_until = records.last().and_then(|record| record.keep_until);
        Ok(appended)
    }

    /// Appends records by their texts, which were recorded at these times.
    pub(super) fn append_texts(
        &self,
        texts: &Arc<[Box<str>]>,
        times: BTreeSet<i64>,
        patience: Patience,
    ) -> Result<Appended, LogError> {
        self.begin_once()?;
        let tag = self.random_i64()?;
        self.unseen.lock().expect(tag, texts);
        let appended = self.append_batch(tag, texts, times, patience);
        let mut unseen = self.unseen.lock();
        match appended {
            Ok((appended, done)) => {
                unseen.acknowledge(tag, done);
                Ok(appended)
            }
            Err(error) => {
                unseen.give_up(tag);
                Err(error)
            }
        }
    }

    fn append_batch(
        &self,
        tag: i64,
        texts: &[Box<str>],
        times: BTreeSet<i64>,
        patience: Patience,
    ) -> Result<(Appended, Done), LogError> {
        let mut command = self.script(script::APPEND);
        self.add_origin(&mut command)?;
        command.arg(tag).arg(millis(PLAUSIBLE_STEP)).arg(times.len()).arg(texts.len());
        for time in times {
            command.arg(time);
        }
        for text in texts {
            command.arg(&**text);
        }
        let mut pipeline = redis::pipe();
        pipeline.add_command(command);
        let (wait, retry) = match patience {
            Patience::Server => (self.place.wait, RETRY),
            Patience::Confirmation => (self.place.wait, Duration::ZERO),
            Patience::None => (self.place.wait.min(WAIT_AGAIN), Duration::ZERO),
        };
        let wait = self.confirm(&mut pipeline, wait);
        let until = Instant::now() + retry;
        let mut interrupted = None;
        let (answers, connection) = loop {
            let asked = self.writer.with(wait, |connection, count| match pipeline.query::<Vec<Value>>(connection) {
                Ok(answers) => Ok((Some(answers), count)),
                // It is in the stream, and what should confirm it was refused.
                Err(error) if connection::first_refused(&error).is_some_and(|place| place > 0) => Ok((None, count)),
                Err(error) => Err(error),
            });
            match asked {
                Ok((Some(answers), count)) => break (answers, count),
                Ok((None, _)) => return Err(self.unconfirmed(0)),
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
        let server = || self.place.shown.clone();
        let positions = match answers.first() {
            Some(Value::Array(positions)) => positions.as_slice(),
            _ => &[],
        };
        let [Value::Int(first), Value::Int(last), behind @ ..] = positions else {
            return Err(LogError::Interrupted { server: server(), fault: "an answer that makes no sense".to_owned() });
        };
        if *first == 0 {
            let fault = "somebody has put an entry with so high an id into the stream that none can follow";
            let foreign = LogError::ServerForeign { server: server(), fault: fault.to_owned() };
            return Err(interrupted.unwrap_or(foreign));
        }
        if wait > Duration::ZERO {
            self.confirmed(&answers)?;
        }
        let done = Done { position: *last, connection, at: Instant::now() };
        let behind = behind.first().and_then(|tag| redis::from_redis_value_ref(tag).ok()).unwrap_or(0);
        let last = Cursor { position: *last, tag, keep_until: None };
        // What is copied must be read.
        let follows = if self.copy.is_some() { Follows::ToBeRead } else { Follows::Batch(behind) };
        Ok((Appended { first: *first, last, follows, durability: self.place.durability() }, done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(position: i64, tag: i64) -> Cursor {
        Cursor { position, tag, keep_until: None }
    }

    fn unseen(appends: &[(i64, i64, u64)]) -> Unseen {
        let mut unseen = Unseen::default();
        for &(position, tag, connection) in appends {
            unseen.expect(tag, &[tag.to_string().into_boxed_str()].into());
            unseen.acknowledge(tag, Done { position, connection, at: Instant::now() });
        }
        unseen
    }

    fn settle(unseen: &mut Unseen, start: Cursor, met: &[i64], end: Cursor) -> Vec<String> {
        let missing = unseen.settle(start, &met.iter().copied().collect(), end, true);
        missing.into_iter().map(String::from).collect()
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
        all.expect(10, &["10".into()].into());
        assert_eq!(settle(&mut all, cursor(0, 0), &[10], cursor(1, 10)), Vec::<String>::new());
        all.acknowledge(10, Done { position: 1, connection: 1, at: Instant::now() });
        assert_eq!(settle(&mut all, cursor(1, 10), &[], cursor(2, 20)), Vec::<String>::new());
        all.expect(30, &["30".into()].into());
        all.give_up(30);
        assert!(all.tags().is_empty());
    }
}
