//! One published value of several words, which readers take whole and never wait for.
//!
//! Two places, and a turn that says which of them counts. The writer fills the other one and then makes it count, so that
//! a reader is only sent back where a whole new value was published meanwhile. `tests/interleavings.rs` compiles this file
//! with loom's atomics, and goes through every order in which its steps can be seen.
//!
//! Invariant: what was written before [`Writer::publish`] is seen by whoever takes what it published, or anything later.

use crate::sync::atomic::{AtomicU64, Ordering, fence};

/// Where a value is published. All zeros until then.
#[derive(Debug)]
pub(crate) struct SeqLock<const WORDS: usize> {
    turn: AtomicU64,
    places: [[AtomicU64; WORDS]; 2],
}

/// The one that publishes.
#[derive(Debug)]
pub(crate) struct Writer {
    turn: u64,
}

impl<const WORDS: usize> SeqLock<WORDS> {
    pub(crate) fn new() -> (Self, Writer) {
        let place = || std::array::from_fn(|_| AtomicU64::new(0));
        (Self { turn: AtomicU64::new(0), places: [place(), place()] }, Writer { turn: 0 })
    }

    /// The value that was published last.
    #[inline]
    pub(crate) fn take(&self) -> [u64; WORDS] {
        loop {
            let turn = self.turn.load(Ordering::Acquire);
            let place = &self.places[parity(turn)];
            let words = std::array::from_fn(|at| place[at].load(Ordering::Relaxed));
            // Before the turn is looked at again: a word of a later value comes with a later turn.
            fence(Ordering::Acquire);
            if self.turn.load(Ordering::Relaxed) == turn {
                return words;
            }
        }
    }
}

impl Writer {
    /// Publishes a value on the stamp that this writer was made with.
    pub(crate) fn publish<const WORDS: usize>(&mut self, stamp: &SeqLock<WORDS>, words: [u64; WORDS]) {
        let next = self.turn.wrapping_add(1);
        // The place that is filled counted before the current one. Whoever still reads it and meets a new word sees that
        // the turn has passed.
        fence(Ordering::Release);
        for (place, word) in stamp.places[parity(next)].iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        stamp.turn.store(next, Ordering::Release);
        self.turn = next;
    }
}

#[inline]
fn parity(turn: u64) -> usize {
    usize::from(turn & 1 == 1)
}
