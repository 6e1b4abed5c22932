//! The standard library's locks, which hold nothing outside themselves.
//!
//! That is what a forked child needs. A crate that keeps all waiting threads of a process in one table leaves the child
//! with a table that a thread of the parent may have held locked, and every later lock of the child's own can wait for
//! it for ever. `docs/decisions.md` says how that was found.
//!
//! Invariant: a panic while a lock is held does not close it. What is behind each lock here is whole at every point
//! where its holder can panic.

/// The atomics, under the name by which `tests/interleavings.rs` puts others in their place.
pub(crate) use std::sync::atomic;

use std::sync::{LockResult, MutexGuard, PoisonError};
use std::time::Duration;

/// A lock that a panic does not poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        sound(self.0.lock())
    }
}

/// Where threads wait that hold a [`Mutex`].
#[derive(Debug, Default)]
pub(crate) struct Condvar(std::sync::Condvar);

impl Condvar {
    pub(crate) fn wait<'a, T>(&self, held: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        sound(self.0.wait(held))
    }

    /// Waits for so long at most.
    pub(crate) fn wait_for<'a, T>(&self, held: MutexGuard<'a, T>, time: Duration) -> MutexGuard<'a, T> {
        sound(self.0.wait_timeout(held, time)).0
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

fn sound<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
