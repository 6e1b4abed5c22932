//! Every order in which threads can see each other's steps, by loom, where a verdict joins what others write.
//!
//! The sources are the library's own, compiled here with loom's atomics in the place of the standard library's.

mod sync {
    pub(crate) use loom::sync::atomic;
}

#[path = "../src/engine/replica/seqlock.rs"]
mod seqlock;

use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use seqlock::SeqLock;

/// The value that is published as the nth. Two words stand for any number: each is written and read by itself.
fn nth(n: u64) -> [u64; 2] {
    [n, 10 * n]
}

/// Publishes so many values beside a reader.
fn reader_beside_a_writer(values: u64, read: fn(&SeqLock<2>)) {
    loom::model(move || {
        let (stamp, mut writer) = SeqLock::new();
        let stamp = Arc::new(stamp);
        let reader = {
            let stamp = Arc::clone(&stamp);
            loom::thread::spawn(move || read(&stamp))
        };
        for n in 1..=values {
            writer.publish(&stamp, nth(n));
        }
        assert_eq!(stamp.take(), nth(values));
        reader.join().unwrap();
    });
}

/// Three values, so that the place that is read is written again.
#[test]
fn a_stamp_is_taken_whole() {
    reader_beside_a_writer(3, |stamp| {
        let words = stamp.take();
        assert_eq!(words, nth(words[0]), "words of two values");
    });
}

#[test]
fn a_stamp_never_goes_back() {
    reader_beside_a_writer(2, |stamp| {
        let (first, second) = (stamp.take(), stamp.take());
        assert!(first[0] <= second[0], "an older value behind a newer one");
    });
}

/// A follower that reads a revocation into a view and renews the freshness, twice, and a verification beside it: what the
/// verification finds fresh as of the nth read has what was read by then.
fn verification_beside_a_follower(verify: fn(&SeqLock<2>, &AtomicU64) -> (u64, u64)) {
    loom::model(move || {
        let (stamp, mut writer) = SeqLock::new();
        let shared = Arc::new((stamp, AtomicU64::new(0)));
        let verifier = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || {
                let (as_of, view) = verify(&shared.0, &shared.1);
                assert!(view >= as_of, "an old view passed for a fresh one");
            })
        };
        for n in 1..=2 {
            shared.1.store(n, Ordering::Release);
            writer.publish(&shared.0, nth(n));
        }
        verifier.join().unwrap();
    });
}

#[test]
fn freshness_that_is_taken_before_the_view_vouches_for_it() {
    verification_beside_a_follower(|stamp, view| {
        let as_of = stamp.take()[0];
        (as_of, view.load(Ordering::Acquire))
    });
}

/// The twin: the order that signoff once had, in which an old view passes for a fresh one.
#[test]
fn freshness_that_is_taken_behind_the_view_does_not() {
    let found = catch_unwind(AssertUnwindSafe(|| {
        verification_beside_a_follower(|stamp, view| {
            let view = view.load(Ordering::Acquire);
            (stamp.take()[0], view)
        });
    }));
    assert!(found.is_err(), "the model finds what it is there for");
}

/// A collection stores the watermark before it drops what that makes up for. `verify` gives what it saw of both: whether the
/// record was still there, and whether the watermark was.
fn verification_beside_a_collection(verify: fn(&AtomicU64, &AtomicU64) -> (bool, bool)) {
    loom::model(move || {
        let (watermark, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        let shared = Arc::new((watermark, dropped));
        let verifier = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || {
                let (is_there, has_passed) = verify(&shared.0, &shared.1);
                assert!(is_there || has_passed, "neither the record nor the watermark was seen");
            })
        };
        shared.0.store(1, Ordering::Release);
        shared.1.store(1, Ordering::Release);
        verifier.join().unwrap();
    });
}

#[test]
fn a_watermark_that_is_read_behind_the_view_makes_up_for_what_was_dropped() {
    verification_beside_a_collection(|watermark, dropped| {
        let is_there = dropped.load(Ordering::Acquire) == 0;
        (is_there, watermark.load(Ordering::Acquire) == 1)
    });
}

#[test]
fn a_watermark_that_is_read_before_the_view_does_not() {
    let found = catch_unwind(AssertUnwindSafe(|| {
        verification_beside_a_collection(|watermark, dropped| {
            let has_passed = watermark.load(Ordering::Acquire) == 1;
            (dropped.load(Ordering::Acquire) == 0, has_passed)
        });
    }));
    assert!(found.is_err(), "the model finds what it is there for");
}
