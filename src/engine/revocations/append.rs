//! Appending revocations: many callers share one commit, and each is told what became of its own.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Revocations, Threads};
use crate::error::{Error, RevokeError};
use crate::log::{LogError, advance};
use crate::revocation::{Issuer, Record, Revoked, Target};

/// How many records one commit takes at most, so that none of them waits for long.
const COMMIT_MAX: usize = 4096;

/// Revocations that wait for a commit.
#[derive(Default)]
pub(super) struct Queue {
    pending: Mutex<Vec<Pending>>,
    /// Held by whoever commits.
    committing: Mutex<()>,
    /// What binds here but is not known to be in the log, so that asking again must append again.
    undurable: Mutex<HashSet<(Target, Issuer)>>,
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
            waker.wake();
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
        let key = (record.target.clone(), record.issuer.clone());
        !self.queue.undurable.lock().contains(&key) && self.index.covers(&record.borrow())
    }

    fn enqueue(&self, record: Record) -> Arc<Ticket> {
        let ticket = Arc::<Ticket>::default();
        self.queue.pending.lock().push(Pending { record, ticket: Arc::clone(&ticket) });
        match self.options.threads {
            Threads::Own => self.signal.wake_appender(),
            Threads::None => while self.commit_pending() {},
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
        let mut pending = self.queue.pending.lock();
        let before = pending.len();
        pending.retain(|other| !Arc::ptr_eq(&other.ticket, &ticket));
        let was_taken_back = pending.len() < before;
        drop(pending);
        self.bind_undurable(&record);
        let fault = LogError::Io { path: "the log".to_owned(), fault: format!("no answer for {} s", waited.as_secs()) };
        Err(if was_taken_back { RevokeError::NotDurable(fault) } else { RevokeError::Indeterminate(fault) })
    }

    /// Commits what waits, and tells its callers. False if nothing did.
    pub(super) fn commit_pending(&self) -> bool {
        let _one_at_a_time = self.queue.committing.lock();
        let batch: Vec<Pending> = {
            let mut pending = self.queue.pending.lock();
            let count = pending.len().min(COMMIT_MAX);
            pending.drain(..count).collect()
        };
        if batch.is_empty() {
            return false;
        }
        let (records, tickets): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.record, one.ticket)).unzip();
        let outcome = match self.log.append(&records) {
            Ok(appended) => {
                records.iter().for_each(|record| self.index.insert(&record.borrow()));
                self.forget_undurable(&records);
                let times = records.iter().map(|record| record.recorded_at);
                if let Some(newest) = times.fold(self.newest(), |newest, time| Some(advance(newest, time))) {
                    self.newest.store(newest.as_millis(), Ordering::Relaxed);
                }
                // The follower need not read again what it would be the next to read.
                if let Some(mut follower) = self.follower.try_lock()
                    && follower.cursor.position + 1 == appended.first
                {
                    follower.cursor = appended.last;
                }
                Ok(Revoked::Recorded { durability: self.log.durability() })
            }
            Err(error) => {
                tracing::warn!(%error, count = records.len(), "revocations could not be recorded");
                records.iter().for_each(|record| self.bind_undurable(record));
                Err(if error.is_certain() { RevokeError::NotDurable(error) } else { RevokeError::Indeterminate(error) })
            }
        };
        tickets.iter().for_each(|ticket| ticket.complete(outcome.clone()));
        self.signal.wake_merger();
        true
    }

    /// Lets a record bind in this process though the log may not have it.
    fn bind_undurable(&self, record: &Record) {
        self.index.insert(&record.borrow());
        self.queue.undurable.lock().insert((record.target.clone(), record.issuer.clone()));
    }

    fn forget_undurable(&self, records: &[Record]) {
        let mut undurable = self.queue.undurable.lock();
        if !undurable.is_empty() {
            for record in records {
                undurable.remove(&(record.target.clone(), record.issuer.clone()));
            }
        }
    }
}
