//! Appending revocations: many callers share one commit, and each is told what became of its own.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::completion::{Revoking, Ticket};
use super::{Replica, Threads};
use crate::clock::{Times, UnixTime};
use crate::error::RevokeError;
use crate::index::Batch;
use crate::limits::COLLECT_INTERVAL_WHEN_FULL;
use crate::log::{
    self, Appended, Backing, Covered, Cursor, Fate, Follows, LogError, Moment, Proposal, RevocationLog, advance,
};
use crate::revocation::{Durability, Record, Revoked, Target};
use crate::sync::{Condvar, Mutex};

/// How many records one commit takes at most, so that none of them waits for long.
const COMMIT_MAX: usize = 4096;

/// How many bytes their texts have at most, unless one has more.
const COMMIT_BYTES_MAX: usize = 4 << 20;

/// How many appends the follower may be behind: beyond them, it reads what this process wrote.
const BOUND_MAX: usize = 1000;

/// Revocations that wait for a commit.
#[derive(Default)]
pub(super) struct Queue {
    arrivals: Mutex<Arrivals>,
    /// Told when the first has arrived, and when as many have as are wanted.
    arrived: Condvar,
    /// Held by whoever commits.
    committing: Mutex<()>,
    /// What is in the hands of the disk.
    in_flight: Mutex<Vec<Pending>>,
    /// What was appended last, and binds: the follower passes it over when it comes to it.
    bound: Mutex<VecDeque<Appended>>,
    /// What binds here but is not known to be in the log, so that asking again must append again.
    undurable: Mutex<HashMap<Target, Vec<Record>>>,
}

impl Queue {
    /// Hands out what binds here but is not known to be in the log.
    pub(super) fn for_each_undurable(&self, visit: impl FnMut(&Record)) {
        self.undurable.lock().values().flatten().for_each(visit);
    }
}

#[derive(Default)]
struct Arrivals {
    pending: Vec<Pending>,
    /// How many the next commit is worth starting for.
    wanted: usize,
    stop: bool,
}

/// What a caller has asked for.
#[derive(Clone)]
pub(in crate::engine) struct Request {
    pub(in crate::engine) record: Record,
    pub(in crate::engine) moment: Moment,
    pub(in crate::engine) times: Times,
}

#[derive(Clone)]
struct Pending {
    request: Request,
    ticket: Arc<Ticket>,
    /// When its caller is told that there is no answer. None: never.
    deadline: Option<Instant>,
}

impl Pending {
    fn is_overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

impl Replica {
    /// Whether what is held of the log means the same tokens for as long.
    fn holds(&self, record: &Record) -> Covered {
        // In this order: what is not durable is in doubt before it is in the index.
        let is_held = self.index.covers(&record.borrow()) && !self.queue.undurable.lock().contains_key(&record.target);
        if is_held { Covered::Yes } else { Covered::No }
    }

    fn enqueue(&self, request: Request) -> (Arc<Ticket>, Option<Instant>) {
        let ticket = Arc::<Ticket>::default();
        let deadline = Instant::now().checked_add(self.options.append_timeout);
        let mut arrivals = self.queue.arrivals.lock();
        arrivals.pending.push(Pending { request, ticket: Arc::clone(&ticket), deadline });
        let is_awaited = arrivals.pending.len() == 1 || arrivals.pending.len() == arrivals.wanted;
        drop(arrivals);
        if self.options.threads == Threads::Own && is_awaited {
            self.queue.arrived.notify_one();
        }
        (ticket, deadline)
    }

    /// Sets a record on its way, without a look at the disk or at a lock that is held while somebody else waits for it.
    ///
    /// Without threads it binds from here on, and waits for whoever calls `refresh`, or waits for what becomes of it.
    pub(in crate::engine) fn append_async(self: &Arc<Self>, request: Request) -> Revoking {
        if self.options.threads == Threads::Own {
            return Revoking::waiting(self.enqueue(request).0, None);
        }
        if self.holds(&request.record) == Covered::No {
            self.bind_undurable(&request.record);
        }
        Revoking::waiting(self.enqueue(request).0, Some(Arc::downgrade(self)))
    }

    /// Appends a record, and waits until it is durable and binds.
    pub(in crate::engine) fn append(&self, request: Request) -> Result<Revoked, RevokeError> {
        let record = request.record.clone();
        let (ticket, deadline) = self.enqueue(request);
        if self.options.threads == Threads::None {
            self.commit_until(&ticket);
        }
        if let Some(outcome) = ticket.wait(deadline) {
            return outcome;
        }
        self.give_up(Instant::now());
        ticket.wait(Some(Instant::now())).unwrap_or_else(|| {
            // On its way from one hand to another.
            self.bind_undurable(&record);
            Err(RevokeError::Indeterminate(self.no_answer()))
        })
    }

    /// Where a reader may go on who stands here: behind what this process has appended next to it.
    pub(super) fn behind_bound(&self, mut cursor: Cursor) -> Cursor {
        let mut bound = self.queue.bound.lock();
        while let Some(appended) = bound.front()
            && appended.first <= cursor.position + 1
        {
            let continues = match appended.follows {
                Follows::Anything => true,
                Follows::Batch(tag) => appended.first == cursor.position + 1 && tag == cursor.tag,
                Follows::ToBeRead => false,
            };
            // What does not continue, the reader has read, or stands in another log than it knows.
            if continues && appended.last.position > cursor.position {
                tracing::trace!(from = cursor.position, to = appended.last.position, "passed over");
                cursor = appended.last;
            }
            bound.pop_front();
        }
        cursor
    }

    /// Another log is read from its beginning: positions mean something else there.
    pub(super) fn forget_bound(&self) {
        self.queue.bound.lock().clear();
    }

    /// Tells those whose time is up that there is no answer; what they asked for binds here all the same.
    pub(super) fn give_up(&self, now: Instant) {
        let waiting: Vec<Pending> = {
            let mut arrivals = self.queue.arrivals.lock();
            // They wait in the order in which they came.
            let count = arrivals.pending.iter().take_while(|one| one.is_overdue(now)).count();
            arrivals.pending.drain(..count).collect()
        };
        self.fail(&waiting, || RevokeError::NotDurable(self.no_answer()));
        let with_the_disk: Vec<Pending> = {
            let in_flight = self.queue.in_flight.lock();
            in_flight.iter().filter(|one| one.is_overdue(now) && !one.ticket.is_complete()).cloned().collect()
        };
        self.fail(&with_the_disk, || RevokeError::Indeterminate(self.no_answer()));
    }

    fn fail(&self, all: &[Pending], error: impl Fn() -> RevokeError) {
        for Pending { request, ticket, .. } in all {
            self.bind_undurable(&request.record);
            ticket.complete(Err(error()));
        }
    }

    fn no_answer(&self) -> LogError {
        let waited = self.options.append_timeout;
        LogError::Io { path: "the log".to_owned(), fault: format!("no answer for {} s", waited.as_secs_f64()) }
    }

    /// Commits until nothing waits.
    pub(super) fn commit_all(&self) {
        while let Some((_, answers)) = self.commit_pending() {
            answers.tell();
        }
    }

    /// Commits until this one is complete, whatever others ask for meanwhile.
    pub(super) fn commit_until(&self, ticket: &Ticket) {
        while !ticket.is_complete()
            && let Some((_, answers)) = self.commit_pending()
        {
            answers.tell();
        }
    }

    /// Commits what waits, and says what its callers are to be told. None if nothing did.
    pub(super) fn commit_pending(&self) -> Option<(Pace, Answers)> {
        let one_at_a_time = self.queue.committing.lock();
        let started = Instant::now();
        let batch: Vec<Pending> = {
            let mut arrivals = self.queue.arrivals.lock();
            let mut bytes = 0;
            let fits = |one: &&Pending| {
                bytes += one.request.record.text_bytes();
                bytes <= COMMIT_BYTES_MAX
            };
            let count = arrivals.pending.iter().take(COMMIT_MAX).take_while(fits).count();
            let count = count.max(1).min(arrivals.pending.len());
            arrivals.pending.drain(..count).collect()
        };
        if batch.is_empty() {
            return None;
        }
        let requests: Vec<_> = batch.iter().map(|one| one.request.clone()).collect();
        let erasures = self.log.erasures();
        let lost = std::mem::replace(&mut *self.queue.in_flight.lock(), batch);
        // Of a commit that panicked.
        self.fail(&lost, || RevokeError::Indeterminate(self.no_answer()));
        let outcomes = self.commit(requests);
        self.note_late(erasures);
        let behind = self.queue.arrivals.lock().pending.len();
        let ended = Instant::now();
        let batch = std::mem::take(&mut *self.queue.in_flight.lock());
        drop(one_at_a_time);
        let count = batch.len();
        Some((Pace { started, ended, count, behind }, Answers { batch, outcomes }))
    }

    /// Commits what was asked for, and says what became of each.
    fn commit(&self, requests: Vec<Request>) -> Vec<Result<Revoked, RevokeError>> {
        self.raise_watermark_for(&requests);
        // Before the index is asked: what it gains from here on, the log looks at itself.
        let backing = self.backed.backing();
        let propose = |Request { mut record, moment, .. }: Request| {
            // A cut-off of now covers nobody's, and nobody's covers it.
            let (covered, not_before) = match moment {
                Moment::Now => (Covered::No, self.place_behind(&mut record)),
                Moment::Given => (self.holds(&record), None),
            };
            Proposal { covered, record, moment, not_before }
        };
        let mut proposals: Vec<_> = requests.into_iter().map(propose).collect();
        match self.log.commit(&mut proposals, backing) {
            Ok(committed) => self.take_in(&proposals, &committed, backing).map(Ok).collect(),
            Err(error) => {
                let count = proposals.len();
                tracing::warn!(%error, count, "revocations could not be recorded");
                proposals.iter().for_each(|one| self.bind_undurable(&one.record));
                if matches!(error, LogError::ServerFull { .. }) {
                    self.collect_soon(self.now(), COLLECT_INTERVAL_WHEN_FULL);
                }
                let is_certain = error.is_certain();
                let outcome =
                    if is_certain { RevokeError::NotDurable(error) } else { RevokeError::Indeterminate(error) };
                vec![Err(outcome); count]
            }
        }
    }

    /// Lets bind what was appended, and says what its callers are told.
    fn take_in<'c>(
        &self,
        proposals: &[Proposal],
        committed: &'c log::Committed,
        backing: Backing,
    ) -> impl Iterator<Item = Revoked> + use<'c> {
        let fates = || proposals.iter().zip(&committed.fates);
        let new: Vec<&Record> =
            fates().filter(|(_, fate)| **fate == Fate::Appended).map(|(one, _)| &one.record).collect();
        self.bind(&new);
        // Also of what bound here before it was committed, and turned out to be superfluous.
        self.forget_undurable(&fates().map(|(one, _)| &one.record).collect::<Vec<_>>());
        let times = new.iter().map(|record| record.recorded_at);
        if let Some(newest) = times.fold(self.newest(), |newest, time| Some(advance(newest, time))) {
            self.newest.store(newest.as_millis(), Ordering::Relaxed);
        }
        self.backed.has_appended(backing, committed);
        if let Some(appended) = committed.appended {
            // The follower need not read again what binds already. Where the log is not the one that was read, it finds out.
            let follows = if committed.is_backing { appended.follows } else { Follows::ToBeRead };
            self.queue.note_bound(Appended { follows, ..appended });
            self.head.fetch_max(appended.last.position, Ordering::Relaxed);
        }
        let durability = committed.appended.map_or(Durability::Memory, |appended| appended.durability);
        committed.fates.iter().map(move |fate| match fate {
            Fate::Appended => Revoked::Recorded { durability },
            Fate::Covered => Revoked::AlreadyCovered,
            Fate::Expired => Revoked::AlreadyExpired,
        })
    }

    /// Lets records bind every verification that starts from now on.
    fn bind(&self, records: &[&Record]) {
        let mut batch = Batch::default();
        records.iter().for_each(|record| self.index.put(&mut batch, &record.borrow()));
        if self.index.insert_all(batch) {
            self.signal.wake_merger();
        }
    }

    /// Lets a record bind in this process though the log may not have it.
    fn bind_undurable(&self, record: &Record) {
        let mut undurable = self.queue.undurable.lock();
        let of_target = undurable.entry(record.target.clone()).or_default();
        // Asked for again and again, it is held once.
        of_target.retain(|other| !record.covers(other));
        of_target.push(record.clone());
        drop(undurable);
        self.bind(&[record]);
    }

    /// The log holds these now, and what they cover.
    fn forget_undurable(&self, records: &[&Record]) {
        let mut undurable = self.queue.undurable.lock();
        if undurable.is_empty() {
            return;
        }
        for record in records {
            if let Some(of_target) = undurable.get_mut(&record.target) {
                of_target.retain(|other| !record.covers(other));
                if of_target.is_empty() {
                    undurable.remove(&record.target);
                }
            }
        }
    }

    /// Nobody can use what these meant any more.
    pub(super) fn forget_expired_undurable(&self, watermark: UnixTime) {
        self.queue.undurable.lock().retain(|_, of_target| {
            of_target.retain(|record| record.keep_until.is_none_or(|until| until > watermark));
            !of_target.is_empty()
        });
    }
}

/// What the callers of a commit are to be told. A waker is the caller's code, and may revoke in its turn: no lock is held.
pub(super) struct Answers {
    batch: Vec<Pending>,
    /// One for each.
    outcomes: Vec<Result<Revoked, RevokeError>>,
}

impl Answers {
    pub(super) fn tell(self) {
        self.batch.iter().zip(self.outcomes).for_each(|(one, outcome)| one.ticket.complete(outcome));
    }
}

/// How a commit went, by which the next is started.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    started: Instant,
    ended: Instant,
    /// How many revocations it held.
    count: usize,
    /// How many had come meanwhile.
    behind: usize,
}

impl Pace {
    /// Until when its callers, who now know, are awaited: those that do one revocation after the other are
    /// back within microseconds.
    fn callers_back_by(&self) -> Instant {
        const WAKING: Duration = Duration::from_micros(200);
        const EACH: Duration = Duration::from_micros(20);
        self.ended + WAKING + EACH * u32::try_from(self.count).unwrap_or(u32::MAX)
    }
}

impl Queue {
    fn note_bound(&self, appended: Appended) {
        let mut bound = self.bound.lock();
        match bound.back_mut() {
            Some(before) if appended.follows == Follows::Anything && before.last.position + 1 == appended.first => {
                before.last = appended.last;
            }
            Some(_) | None => bound.push_back(appended),
        }
        if bound.len() > BOUND_MAX {
            bound.pop_front();
        }
    }

    /// Waits until a commit is worth starting. False when it is time to stop, and nothing waits any more.
    ///
    /// A disk serves few commits a second, and each disturbs every processor a little. So they start
    /// an interval apart, and share what comes in between; the first after a pause starts at once.
    /// Callers that wait for one revocation before they make the next would be held up by that: when as
    /// many as were in the last commit are back, there is nobody else to be waited for.
    ///
    /// Where the log is elsewhere, half of them is worth it: the others come back while it works.
    pub(super) fn wait(&self, last: Option<Pace>, log: &dyn RevocationLog) -> bool {
        let mut arrivals = self.arrivals.lock();
        while arrivals.pending.is_empty() && !arrivals.stop {
            arrivals = self.arrived.wait(arrivals);
        }
        if let Some(last) = last {
            let (callers_back_by, next) = (last.callers_back_by(), last.started + log.commit_interval());
            let (expected, turns) = (last.behind + last.count, if log.is_elsewhere() { 2 } else { 1 });
            arrivals.wanted = (expected / turns).clamp(1, COMMIT_MAX);
            while !arrivals.stop && arrivals.pending.len() < arrivals.wanted {
                let now = Instant::now();
                if now >= next {
                    break;
                }
                if now >= callers_back_by {
                    arrivals.wanted = COMMIT_MAX;
                }
                let until = if now < callers_back_by { callers_back_by.min(next) } else { next };
                arrivals = self.arrived.wait_for(arrivals, until.saturating_duration_since(now));
            }
            arrivals.wanted = 0;
        }
        !(arrivals.stop && arrivals.pending.is_empty())
    }

    pub(super) fn stop(&self) {
        self.arrivals.lock().stop = true;
        self.arrived.notify_all();
    }
}
