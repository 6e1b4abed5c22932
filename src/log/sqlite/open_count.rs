//! How many logs in files this process has open.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::reopen::let_go_of_closed;

/// How many logs this process has open, those that are just being opened among them.
static OPEN: AtomicUsize = AtomicUsize::new(0);

#[cfg(feature = "capi")]
pub(crate) fn open_files() -> usize {
    OPEN.load(Ordering::Relaxed)
}

/// One of [`OPEN`], for as long as it lives.
pub(super) struct Counted(());

impl Counted {
    pub(super) fn new() -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
        let_go_of_closed();
    }
}
