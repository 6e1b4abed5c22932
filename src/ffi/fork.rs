//! Whether this process is a child that was forked after something was opened.
//!
//! A child has none of its parent's threads, so that its copy of an engine is served by nobody. And SQLite must not be used
//! across a fork: its books say which locks of a file this process holds, and the child holds none of them. So what was
//! opened before a fork answers nothing in the child and is never torn down there, and where a log in a file was open at
//! the fork, the child opens none. A handler counts forks, and a page that is emptied in every child tells of those that run none.

use std::mem::ManuallyDrop;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::fault::CallError;
use crate::log::open_files;

/// How many forks lie between this process and the one that first opened an engine.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Whether at any of them a log in a file was open.
static INHERITED_FILES: AtomicBool = AtomicBool::new(false);

static WATCH: Once = Once::new();

extern "C" fn in_child() {
    count_fork();
    page::mark();
}

fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    if open_files() > 0 {
        INHERITED_FILES.store(true, Ordering::Relaxed);
    }
}

/// From now on forks are counted. Returns how many there have been.
pub(super) fn watch() -> u32 {
    WATCH.call_once(|| {
        page::make();
        #[cfg(unix)]
        // SAFETY: the handler does a few atomic operations, which any thread may do at any time.
        let _registered = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    count()
}

#[inline]
pub(super) fn count() -> u32 {
    if page::is_wiped() {
        found_out();
    }
    FORKS.load(Ordering::Relaxed)
}

/// A fork that no handler was told of, as by `_Fork` or `clone`.
#[cold]
fn found_out() {
    if page::is_to_be_marked() {
        count_fork();
        page::mark();
    }
    // Another thread of the child is at it.
    while page::is_wiped() {
        std::hint::spin_loop();
    }
}

/// A page that the kernel empties in every child, however it was forked. Where it can't, forks without handlers go unseen.
#[cfg(target_os = "linux")]
mod page {
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

    static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());

    const WIPED: u32 = 0;
    const BEING_MARKED: u32 = 1;
    const MARKED: u32 = 2;

    fn page() -> Option<&'static AtomicU32> {
        // SAFETY: null, or a page that is never unmapped, aligned and holding a number.
        unsafe { PAGE.load(Ordering::Acquire).as_ref() }
    }

    pub(super) fn make() {
        let (rights, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new memory of a page or more, which nothing else refers to.
        let (made, advised) = unsafe {
            let made = libc::mmap(ptr::null_mut(), 4096, rights, kind, -1, 0);
            if made == libc::MAP_FAILED {
                return;
            }
            (made.cast::<AtomicU32>(), libc::madvise(made, 4096, libc::MADV_WIPEONFORK))
        };
        // Before Linux 4.14 there is no such advice.
        if advised == 0 {
            // SAFETY: the page is zeros, which is a number, and nobody else has it yet.
            unsafe { &*made }.store(MARKED, Ordering::Relaxed);
            PAGE.store(made, Ordering::Release);
        }
    }

    #[inline]
    pub(super) fn is_wiped() -> bool {
        page().is_some_and(|page| page.load(Ordering::Acquire) != MARKED)
    }

    /// Whether this thread is the one to mark it.
    pub(super) fn is_to_be_marked() -> bool {
        let mark =
            |page: &AtomicU32| page.compare_exchange(WIPED, BEING_MARKED, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        page().is_some_and(mark)
    }

    pub(super) fn mark() {
        if let Some(page) = page() {
            page.store(MARKED, Ordering::Release);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod page {
    pub(super) fn make() {}

    #[inline]
    pub(super) fn is_wiped() -> bool {
        false
    }

    pub(super) fn is_to_be_marked() -> bool {
        false
    }

    pub(super) fn mark() {}
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
