//! Where one caller waits for what becomes of its revocation: on its thread, or as a future.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::Replica;
use crate::error::{Error, RevokeError};
use crate::revocation::Revoked;
use crate::sync::{Condvar, Mutex};

/// Where one caller waits.
#[derive(Default)]
pub(super) struct Ticket {
    state: Mutex<Waiting>,
    done: Condvar,
}

#[derive(Default)]
struct Waiting {
    outcome: Option<Result<Revoked, RevokeError>>,
    waker: Option<Waker>,
}

impl Ticket {
    pub(super) fn complete(&self, outcome: Result<Revoked, RevokeError>) {
        let mut state = self.state.lock();
        state.outcome.get_or_insert(outcome);
        let waker = state.waker.take();
        // Whoever is woken would wait for the lock otherwise.
        drop(state);
        self.done.notify_all();
        if let Some(waker) = waker {
            // The caller's code: what goes wrong in it must not end the thread that serves all others.
            if catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
                tracing::error!("the waker of a revocation panicked");
            }
        }
    }

    pub(super) fn wait(&self, deadline: Option<Instant>) -> Option<Result<Revoked, RevokeError>> {
        let mut state = self.state.lock();
        while state.outcome.is_none() {
            state = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.done.wait(state),
                Some(Duration::ZERO) => break,
                Some(left) => self.done.wait_for(state, left),
            };
        }
        state.outcome.clone()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.state.lock().outcome.is_some()
    }
}

/// A revocation on its way to the log. Completed by the log's writer; needs no runtime.
///
/// Dropping it does not take the revocation back.
#[must_use = "the revocation is on its way, but only the result says what became of it"]
pub struct Revoking(Inner);

enum Inner {
    Done(Result<Revoked, RevokeError>),
    Waiting {
        ticket: Arc<Ticket>,
        /// Where no thread writes, whoever waits does.
        unserved: Option<Weak<Replica>>,
    },
}

impl Revoking {
    pub(super) fn waiting(ticket: Arc<Ticket>, unserved: Option<Weak<Replica>>) -> Self {
        Self(Inner::Waiting { ticket, unserved })
    }

    /// Waits on this thread, for so long at most. None if it is not complete by then; ask again. Once complete, a wait
    /// gives the same answer as often as it is asked. A wait for no time only looks.
    ///
    /// With [`Threads::None`](crate::Threads::None) a wait does the writing, which may take as long as
    /// [`Log::append_timeout`](crate::Log::append_timeout).
    pub fn wait(&mut self, timeout: Duration) -> Option<Result<Revoked, RevokeError>> {
        match &mut self.0 {
            Inner::Done(outcome) => Some(outcome.clone()),
            Inner::Waiting { ticket, unserved } => {
                let until = Instant::now().checked_add(timeout);
                if let Some(replica) = unserved.as_ref().and_then(Weak::upgrade)
                    && !timeout.is_zero()
                    && !ticket.is_complete()
                {
                    replica.commit_until(ticket);
                }
                ticket.wait(until)
            }
        }
    }

    pub(in crate::engine) fn done(outcome: Result<Revoked, RevokeError>) -> Self {
        Self(Inner::Done(outcome))
    }
}

impl Future for Revoking {
    type Output = Result<Revoked, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Done(outcome) => Poll::Ready(outcome.clone().map_err(Error::from)),
            Inner::Waiting { ticket, .. } => {
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
