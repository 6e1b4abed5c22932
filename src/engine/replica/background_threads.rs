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

use super::group_commit::Answers;
use super::{ClockTrust, Replica, Threads};
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
type Task = fn(&Replica);

/// The threads of one log.
pub(in crate::engine) struct Workers {
    replica: Arc<Replica>,
    handles: Vec<JoinHandle<()>>,
}

impl Workers {
    pub(in crate::engine) fn start(replica: &Arc<Replica>) -> Self {
        let mut handles = Vec::new();
        if replica.options.threads == Threads::Own {
            let tasks: [(&str, Task); 3] =
                [("signoff-follow", follow), ("signoff-append", append), ("signoff-merge", merge_and_collect)];
            for (name, task) in tasks {
                let replica = Arc::clone(replica);
                let work = move || supervise(name, || task(&replica));
                let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
                match spawned {
                    Ok(handle) => handles.push(handle),
                    // Without it freshness runs out or callers time out, which they are told.
                    Err(error) => tracing::error!(%error, name, "degraded: the thread could not be started"),
                }
            }
        }
        Self { replica: Arc::clone(replica), handles }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // What waits for a host that will not come back.
        if self.replica.options.threads == Threads::None {
            self.replica.commit_all();
        }
        self.replica.signal.stop();
        self.replica.queue.stop();
        // A caller's waker may drop the last engine on the thread that wakes it, which can't wait for itself, nor for one that
        // waits for it.
        let is_teller = self.replica.signal.is_teller();
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

fn follow(replica: &Replica) {
    // Often enough that freshness never runs out by waiting.
    let pause = (replica.options.max_staleness / 4).clamp(Duration::from_millis(1), replica.log.poll_interval());
    loop {
        // What went wrong is kept for `health`, and tried again at the next turn.
        let started = Instant::now();
        let followed = replica.follow(replica.now());
        replica.give_up(Instant::now());
        // Where the log itself says when there is news, that is waited for.
        let has_news = followed.is_ok() && replica.wait_for_news();
        let pause = if has_news { TOGETHER.saturating_sub(started.elapsed()) } else { pause };
        if replica.signal.pause(pause) {
            return;
        }
    }
}

fn append(replica: &Replica) {
    if !replica.log.is_elsewhere() {
        return append_and(replica, Answers::tell);
    }
    // While the log works on an append, another thread wakes the callers of the one before.
    std::thread::scope(|scope| {
        let (sender, answers) = sync_channel::<Answers>(1);
        let teller = std::thread::Builder::new().name("signoff-answer".to_owned());
        match teller.spawn_scoped(scope, || answers.into_iter().for_each(Answers::tell)) {
            Ok(handle) => {
                replica.signal.state.lock().teller = Some(handle.thread().id());
                append_and(replica, move |answers| {
                    if let Err(unsent) = sender.send(answers) {
                        unsent.0.tell();
                    }
                });
            }
            Err(_) => append_and(replica, Answers::tell),
        }
    });
}

fn append_and(replica: &Replica, tell: impl Fn(Answers)) {
    let mut last = None;
    while replica.queue.wait(last, &*replica.log) {
        let committed = replica.commit_pending();
        last = committed.map(|(committed, answers)| {
            tell(answers);
            committed
        });
    }
}

fn merge_and_collect(replica: &Replica) {
    loop {
        if replica.signal.to_merge(COLLECT_INTERVAL) {
            return;
        }
        replica.forget_if_erased();
        replica.merge_all();
        replica.collect_if_due(replica.now(), ClockTrust::Doubt);
    }
}
