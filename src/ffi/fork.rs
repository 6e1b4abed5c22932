//! Whether this process is a child that was forked after something was opened.
//!
//! A child has none of its parent's threads, so that its copy of an engine is served by nobody. And SQLite must not be used
//! across a fork: its books say which locks of a file this process holds, and the child holds none of them. So what was
//! opened before a fork answers nothing in the child and is never torn down there, and where a log in a file was open at
//! the fork, the child opens none.

use std::mem::ManuallyDrop;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::call::CallError;
use crate::log::open_files;

/// How many forks lie between this process and the one that first opened an engine.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Whether at any of them a log in a file was open.
static INHERITED_FILES: AtomicBool = AtomicBool::new(false);

static WATCH: Once = Once::new();

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    if open_files() > 0 {
        INHERITED_FILES.store(true, Ordering::Relaxed);
    }
}

/// From now on forks are counted. Returns how many there have been.
pub(super) fn watch() -> u32 {
    WATCH.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the handler does a few atomic operations, which any thread may do at any time.
        let _registered = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    count()
}

#[inline]
pub(super) fn count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Fails in a child of a process that had a log in a file open.
pub(super) fn refuse_files() -> Result<(), CallError> {
    if INHERITED_FILES.load(Ordering::Relaxed) { Err(CallError::ForkedWithFile) } else { Ok(()) }
}

/// What works in the process that made it alone.
pub(super) struct OfProcess<T> {
    value: ManuallyDrop<T>,
    /// How many forks there had been. None for what works in any process.
    forks: Option<u32>,
}

impl<T> OfProcess<T> {
    pub(super) fn this(value: T) -> Self {
        Self { value: ManuallyDrop::new(value), forks: Some(watch()) }
    }

    pub(super) fn any(value: T) -> Self {
        Self { value: ManuallyDrop::new(value), forks: None }
    }

    /// What works where this does.
    pub(super) fn beside<U>(&self, value: U) -> OfProcess<U> {
        OfProcess { value: ManuallyDrop::new(value), forks: self.forks }
    }

    #[inline]
    fn is_here(&self) -> bool {
        self.forks.is_none_or(|forks| forks == count())
    }

    #[inline]
    pub(super) fn here(&self) -> Result<&T, CallError> {
        if self.is_here() { Ok(&self.value) } else { Err(CallError::Forked) }
    }

    pub(super) fn here_mut(&mut self) -> Result<&mut T, CallError> {
        if self.is_here() { Ok(&mut self.value) } else { Err(CallError::Forked) }
    }
}

impl<T> Drop for OfProcess<T> {
    fn drop(&mut self) {
        // In a child there are no threads to wait for, and SQLite must not be touched.
        if self.is_here() {
            // SAFETY: dropped here alone, and not used again.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
