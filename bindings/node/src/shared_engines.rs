//! Engines that several threads of this process use: a handle is a text that any worker thread can be sent.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use signoff::{Engine, Status};

use crate::error::Fault;

/// What was shared and is still open somewhere, by number. Holding a handle keeps no engine open.
static SHARED: LazyLock<Mutex<Shared>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Shared {
    engines: HashMap<u64, Weak<Engine>>,
    last: u64,
}

const PREFIX: &str = "signoff-engine";

/// The handle of an engine: the same one each time.
pub(crate) fn share(engine: &Arc<Engine>) -> String {
    let mut shared = SHARED.lock();
    shared.engines.retain(|_, engine| engine.strong_count() > 0);
    let known = shared.engines.iter().find(|(_, other)| other.as_ptr() == Arc::as_ptr(engine)).map(|(id, _)| *id);
    let id = known.unwrap_or_else(|| {
        shared.last += 1;
        let id = shared.last;
        shared.engines.insert(id, Arc::downgrade(engine));
        id
    });
    format!("{PREFIX}:{}:{id}", std::process::id())
}

/// The engine that a handle names.
pub(crate) fn attach(handle: &str) -> Result<Arc<Engine>, Fault> {
    let wrong = |what: &str| Fault::new(Status::Argument, format!("the handle {what}"));
    let mut parts = handle.split(':');
    let (Some(PREFIX), Some(process), Some(id), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(wrong("is not one that engine.share() gave"));
    };
    let id: u64 = id.parse().map_err(|_| wrong("is not one that engine.share() gave"))?;
    if process != std::process::id().to_string() {
        return Err(wrong(
            "is from another process: open an engine on the same log there, it sees the same revocations",
        ));
    }
    let engine = SHARED.lock().engines.get(&id).and_then(Weak::upgrade);
    engine.ok_or_else(|| Fault::new(Status::Closed, "the engine that was shared has been closed everywhere"))
}
