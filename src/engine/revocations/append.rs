//! Appending revocations: many callers share one commit, and each is told what became of its own.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Revocations, Threads};
use crate::error::{Error, RevokeError};
use crate::index::Batch;
use crate::limits::COMMIT_INTERVAL;
use crate::log::{LogError, advance};
use crate::revocation::{Record, Revoked};

/// How many records one commit takes at most, so that none of them waits for long.
const COMMIT_MAX: usize = 4096;

/// Revocations that wait for a commit.
#[derive(Default)]
pub(super) struct Queue {
    arrivals: Mutex<Arrivals>,
    /// Told when the first has arrived, and when as many have as are wanted.
    arrived: Condvar,
    /// Held by whoever commits.
    committing: Mutex<()>,
    /// What binds here but is not known to be in the log, so that asking again must append again.
    undurable: Mutex<Vec<Record>>,
}

#[derive(Default)]
struct Arrivals {
    pending: Vec<Pending>,
    /// How many the next commit is worth starting for.
    wanted: usize,
    stop: bool,
}

struct Pending {
    record: Record,
    ticket: Arc<Ticket>,
}

/// Where one caller waits.
#[derive(Default)]
struct Ticket {
    state: Mutex<Waiting>,
    done: Condvar,
}

#[derive(Default)]
struct Waiting {
    outcome: Option<Result<Revoked, RevokeError>>,
    waker: Option<Waker>,
}

impl Ticket {
    fn complete(&self, outcome: Result<Revoked, RevokeError>) {
        let mut state = self.state.lock();
        state.outcome.get_or_insert(outcome);
        self.done.notify_all();
        if let Some(waker) = state.waker.take() {
            drop(state);
            // The caller's code: what goes wrong in it must not end the thread that serves all others.
            if catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
                tracing::error!("the waker of a revocation panicked");
            }
        }
    }

    fn wait(&self, deadline: Instant) -> Option<Result<Revoked, RevokeError>> {
        let mut state = self.state.lock();
        while state.outcome.is_none() {
            if self.done.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.outcome.clone()
    }
}

/// A revocation on its way to the log. Completed by the log's writer; needs no runtime.
///
/// Dropping it does not take the revocation back.
#[must_use = "the revocation is on its way, but only the result says what became of it"]
pub struct Revoking(Inner);

enum Inner {
    Done(Option<Result<Revoked, Error>>),
    Waiting(Arc<Ticket>),
}

impl Revoking {
    pub(in crate::engine) fn done(outcome: Result<Revoked, Error>) -> Self {
        Self(Inner::Done(Some(outcome)))
    }
}

impl Future for Revoking {
    type Output = Result<Revoked, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Done(outcome) => match outcome.take() {
                Some(outcome) => Poll::Ready(outcome),
                // Polled after it was ready: there is nothing more to say.
                None => Poll::Pending,
            },
            Inner::Waiting(ticket) => {
                let mut state = ticket.state.lock();
                match state.outcome.clone() {
                    Some(outcome) => Poll::Ready(outcome.map_err(Error::from)),
                    None => {
                        state.waker = Some(context.waker().clone());
                        Poll::Pending
                    }
                }
            }
        }
    }
}

impl std::fmt::Debug for Revoking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revoking").finish_non_exhaustive()
    }
}

impl Revocations {
    /// Whether the log is known to hold as much already.
    pub(in crate::engine) fn is_covered(&self, record: &Record) -> bool {
        let is_in_doubt = self.queue.undurable.lock().iter().any(|other| other.target == record.target);
        !is_in_doubt && self.index.covers(&record.borrow())
    }

    fn enqueue(&self, record: Record) -> Arc<Ticket> {
        let ticket = Arc::<Ticket>::default();
        let mut arrivals = self.queue.arrivals.lock();
        arrivals.pending.push(Pending { record, ticket: Arc::clone(&ticket) });
        let is_awaited = arrivals.pending.len() == 1 || arrivals.pending.len() == arrivals.wanted;
        drop(arrivals);
        match self.options.threads {
            Threads::Own if is_awaited => drop(self.queue.arrived.notify_one()),
            Threads::Own => {}
            Threads::None => self.commit_all(),
        }
        ticket
    }

    pub(in crate::engine) fn append_async(&self, record: Record) -> Revoking {
        Revoking(Inner::Waiting(self.enqueue(record)))
    }

    /// Appends a record, and waits until it is durable and binds.
    pub(in crate::engine) fn append(&self, record: Record) -> Result<Revoked, RevokeError> {
        let waited: Duration = self.options.append_timeout;
        let deadline = Instant::now() + waited;
        let ticket = self.enqueue(record.clone());
        if let Some(outcome) = ticket.wait(deadline) {
            return outcome;
        }
        // Still in the queue, it can be taken back; else it is in the hands of the disk.
        let mut arrivals = self.queue.arrivals.lock();
        let before = arrivals.pending.len();
        arrivals.pending.retain(|other| !Arc::ptr_eq(&other.ticket, &ticket));
        let was_taken_back = arrivals.pending.len() < before;
        drop(arrivals);
        self.bind_undurable(&record);
        let fault = LogError::Io { path: "the log".to_owned(), fault: format!("no answer for {} s", waited.as_secs()) };
        Err(if was_taken_back { RevokeError::NotDurable(fault) } else { RevokeError::Indeterminate(fault) })
    }

    /// Commits until nothing waits.
    pub(super) fn commit_all(&self) {
        while self.commit_pending().is_some() {}
    }

    /// Commits what waits, and tells its callers. None if nothing did.
    pub(super) fn commit_pending(&self) -> Option<Committed> {
        let _one_at_a_time = self.queue.committing.lock();
        let started = Instant::now();
        let batch: Vec<Pending> = {
            let mut arrivals = self.queue.arrivals.lock();
            let count = arrivals.pending.len().min(COMMIT_MAX);
            arrivals.pending.drain(..count).collect()
        };
        if batch.is_empty() {
            return None;
        }
        let (records, tickets): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.record, one.ticket)).unzip();
        let outcome = match self.log.append(&records) {
            Ok(appended) => {
                self.bind(&records);
                self.queue.undurable.lock().retain(|other| !records.iter().any(|record| record.covers(other)));
                let times = records.iter().map(|record| record.recorded_at);
                if let Some(newest) = times.fold(self.newest(), |newest, time| Some(advance(newest, time))) {
                    self.newest.store(newest.as_millis(), Ordering::Relaxed);
                }
                // The follower need not read again what it would be the next to read.
                if let Some(mut follower) = self.follower.try_lock()
                    && follower.cursor.position + 1 == appended.first
                {
                    follower.cursor = appended.last;
                    self.applied.store(appended.last.position, Ordering::Relaxed);
                }
                self.head.fetch_max(appended.last.position, Ordering::Relaxed);
                Ok(Revoked::Recorded { durability: self.log.durability() })
            }
            Err(error) => {
                tracing::warn!(%error, count = records.len(), "revocations could not be recorded");
                records.iter().for_each(|record| self.bind_undurable(record));
                Err(if error.is_certain() { RevokeError::NotDurable(error) } else { RevokeError::Indeterminate(error) })
            }
        };
        let behind = self.queue.arrivals.lock().pending.len();
        let ended = Instant::now();
        tickets.iter().for_each(|ticket| ticket.complete(outcome.clone()));
        Some(Committed { started, ended, count: records.len(), behind })
    }

    /// Lets records bind every verification that starts from now on.
    fn bind(&self, records: &[Record]) {
        let mut batch = Batch::default();
        records.iter().for_each(|record| self.index.put(&mut batch, &record.borrow()));
        if self.index.insert_all(batch) {
            self.signal.wake_merger();
        }
    }

    /// Lets a record bind in this process though the log may not have it.
    fn bind_undurable(&self, record: &Record) {
        self.bind(std::slice::from_ref(record));
        let mut undurable = self.queue.undurable.lock();
        // Asked for again and again, it is held once.
        undurable.retain(|other| !record.covers(other));
        undurable.push(record.clone());
    }
}

/// A commit that was made.
#[derive(Clone, Copy)]
pub(super) struct Committed {
    started: Instant,
    ended: Instant,
    /// How many revocations it held.
    count: usize,
    /// How many had come meanwhile.
    behind: usize,
}

impl Committed {
    /// Until when its callers, who now know, are awaited: those that do one revocation after the other are
    /// back within microseconds.
    fn callers_back_by(&self) -> Instant {
        const WAKING: Duration = Duration::from_micros(200);
        const EACH: Duration = Duration::from_micros(20);
        self.ended + WAKING + EACH * u32::try_from(self.count).unwrap_or(u32::MAX)
    }
}

impl Queue {
    /// Waits until a commit is worth starting. False when it is time to stop, and nothing waits any more.
    ///
    /// A disk serves few commits a second, and each disturbs every processor a little. So they start
    /// [`COMMIT_INTERVAL`] apart, and share what comes in between; the first after a pause starts at once.
    /// Callers that wait for one revocation before they make the next would be held up by that: when as
    /// many as were in the last commit are back, there is nobody else to be waited for.
    pub(super) fn wait(&self, last: Option<Committed>) -> bool {
        let mut arrivals = self.arrivals.lock();
        while arrivals.pending.is_empty() && !arrivals.stop {
            self.arrived.wait(&mut arrivals);
        }
        if let Some(last) = last {
            let (callers_back_by, next) = (last.callers_back_by(), last.started + COMMIT_INTERVAL);
            arrivals.wanted = (last.behind + last.count).min(COMMIT_MAX);
            while !arrivals.stop && arrivals.pending.len() < arrivals.wanted {
                let now = Instant::now();
                if now >= next {
                    break;
                }
                if now >= callers_back_by {
                    arrivals.wanted = COMMIT_MAX;
                }
                let until = if now < callers_back_by { callers_back_by.min(next) } else { next };
                self.arrived.wait_until(&mut arrivals, until);
            }
            arrivals.wanted = 0;
        }
        !arrivals.pending.is_empty()
    }

    pub(super) fn stop(&self) {
        self.arrivals.lock().stop = true;
        self.arrived.notify_all();
    }
}
