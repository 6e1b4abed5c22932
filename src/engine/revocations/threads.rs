//! The threads that serve a log: one follows it, one appends to it, one merges and collects. Where the log is a server, one
//! more wakes those that wait for an append.
//!
//! They end, and are waited for, when the last engine on the log is dropped. A host that wants none calls
//! [`Engine::refresh`](crate::Engine::refresh) instead.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use super::append::Answers;
use super::{ClockTrust, Revocations, Threads};
use crate::clock::Times;
use crate::limits::COLLECT_INTERVAL;
use crate::sync::{Condvar, Mutex};

/// How far apart reads start while there is always something new.
const TOGETHER: Duration = Duration::from_millis(2);

/// What the threads wait for.
#[derive(Default)]
pub(super) struct Signal {
    state: Mutex<Wanted>,
    follow: Condvar,
    merge: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Wanted {
    stop: bool,
    merge: bool,
    /// The thread that tells the callers of an append, where there is one. The thread that appends waits for it.
    teller: Option<ThreadId>,
}

impl Signal {
    pub(super) fn wake_merger(&self) {
        let mut state = self.state.lock();
        if !state.merge {
            state.merge = true;
            self.merge.notify_one();
        }
    }

    fn is_teller(&self) -> bool {
        self.state.lock().teller == Some(std::thread::current().id())
    }

    fn stop(&self) {
        self.state.lock().stop = true;
        self.follow.notify_all();
        self.merge.notify_all();
    }

    /// Waits for the time to pass. True when it is time to stop.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let mut state = self.state.lock();
        if !state.stop {
            state = self.follow.wait_for(state, time);
        }
        state.stop
    }

    /// Waits until there may be something to merge, or for the time to pass. True when it is time to stop.
    fn to_merge(&self, time: Duration) -> bool {
        let mut state = self.state.lock();
        if !state.merge && !state.stop {
            state = self.merge.wait_for(state, time);
        }
        state.merge = false;
        state.stop
    }
}

/// What a thread does until it is told to stop.
type Task = fn(&Revocations);

/// The threads of one log.
pub(in crate::engine) struct Workers {
    revocations: Arc<Revocations>,
    handles: Vec<JoinHandle<()>>,
}

impl Workers {
    pub(in crate::engine) fn start(revocations: &Arc<Revocations>) -> Self {
        let mut handles = Vec::new();
        if revocations.options.threads == Threads::Own {
            let tasks: [(&str, Task); 3] =
                [("signoff-follow", follow), ("signoff-append", append), ("signoff-merge", merge_and_collect)];
            for (name, task) in tasks {
                let revocations = Arc::clone(revocations);
                let work = move || supervise(name, || task(&revocations));
                let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
                match spawned {
                    Ok(handle) => handles.push(handle),
                    // Without it freshness runs out or callers time out, which they are told.
                    Err(error) => tracing::error!(%error, name, "degraded: the thread could not be started"),
                }
            }
        }
        Self { revocations: Arc::clone(revocations), handles }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // What waits for a host that will not come back.
        if self.revocations.options.threads == Threads::None {
            self.revocations.commit_all();
        }
        self.revocations.signal.stop();
        self.revocations.queue.stop();
        // A caller's waker may drop the last engine on the thread that wakes it, which can't wait for itself, nor for one that
        // waits for it.
        let is_teller = self.revocations.signal.is_teller();
        for handle in self.handles.drain(..).filter(|_| !is_teller) {
            if handle.thread().id() != std::thread::current().id() {
                // A thread that panicked has nothing more to be waited for.
                let _ended = handle.join();
            }
        }
    }
}

/// Does the work again if it panicked: a log that nobody serves any more would only grow stale.
fn supervise(name: &str, work: impl Fn()) {
    while catch_unwind(AssertUnwindSafe(&work)).is_err() {
        tracing::error!(name, "degraded: a thread of the revocation log panicked, and goes on");
    }
}

fn follow(revocations: &Revocations) {
    // Often enough that freshness never runs out by waiting.
    let pause =
        (revocations.options.max_staleness / 4).clamp(Duration::from_millis(1), revocations.log.poll_interval());
    loop {
        // What went wrong is kept for `health`, and tried again at the next turn.
        let started = Instant::now();
        let followed = revocations.follow(Times::now());
        revocations.give_up(Instant::now());
        // Where the log itself says when there is news, that is waited for.
        let has_news = followed.is_ok() && revocations.wait_for_news();
        let pause = if has_news { TOGETHER.saturating_sub(started.elapsed()) } else { pause };
        if revocations.signal.pause(pause) {
            return;
        }
    }
}

fn append(revocations: &Revocations) {
    if !revocations.log.is_elsewhere() {
        return append_and(revocations, Answers::tell);
    }
    // While the log works on an append, another thread wakes the callers of the one before.
    std::thread::scope(|scope| {
        let (sender, answers) = sync_channel::<Answers>(1);
        let teller = std::thread::Builder::new().name("signoff-answer".to_owned());
        match teller.spawn_scoped(scope, || answers.into_iter().for_each(Answers::tell)) {
            Ok(handle) => {
                revocations.signal.state.lock().teller = Some(handle.thread().id());
                append_and(revocations, move |answers| {
                    if let Err(unsent) = sender.send(answers) {
                        unsent.0.tell();
                    }
                });
            }
            Err(_) => append_and(revocations, Answers::tell),
        }
    });
}

fn append_and(revocations: &Revocations, tell: impl Fn(Answers)) {
    let mut last = None;
    while revocations.queue.wait(last, &*revocations.log) {
        let committed = revocations.commit_pending();
        last = committed.map(|(committed, answers)| {
            tell(answers);
            committed
        });
    }
}

fn merge_and_collect(revocations: &Revocations) {
    loop {
        if revocations.signal.to_merge(COLLECT_INTERVAL) {
            return;
        }
        revocations.merge_all();
        revocations.collect_if_due(Times::now(), ClockTrust::Doubt);
    }
}
