//! Whether this process is a child that was forked after an engine was opened.
//!
//! A child has none of its parent's threads, so that its copy of an engine is served by nobody, and SQLite must not be used
//! across a fork. Such an engine answers nothing and is never torn down.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks lie between this process and the one that first opened an engine.
static FORKS: AtomicU32 = AtomicU32::new(0);

static WATCH: Once = Once::new();

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// From now on forks are counted. Returns how many there have been.
pub(super) fn watch() -> u32 {
    WATCH.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the handler does one atomic addition, which any thread may do at any time.
        let _registered = unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
    });
    count()
}

#[inline]
pub(super) fn count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}
