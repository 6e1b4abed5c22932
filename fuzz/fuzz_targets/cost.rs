//! Hunts for unsigned tokens that are dear: by time, against accepting a token of their length in the same moment.
//!
//! Whatever is dearer than any token before counts as new coverage, so that the fuzzer goes on from there. It fails where a token
//! costs more than `COST_MAX` times as much (2 unless set, with eight keys, in code that is instrumented), also when it
//! is measured at length; `cargo bench --bench dearest` then says what it costs without the instruments.
#![no_main]

#[path = "../dear.rs"]
#[allow(dead_code)]
mod dear;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU8, Ordering};

/// One for every twentieth of the ratio.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static RATIOS: [AtomicU8; 64] = [const { AtomicU8::new(0) }; 64];

thread_local! {
    static MEASURED: RefCell<dear::Measured> = RefCell::new(dear::Measured::new(8));
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((unsigned, len)) = dear::of_bytes(data) else { return };
    let max = std::env::var("COST_MAX").map_or(2.0, |max| max.parse().expect("COST_MAX: a number"));
    MEASURED.with_borrow_mut(|measured| {
        let Some((mut ratio, mut status)) = measured.ratio(&unsigned, len, 3) else { return };
        if ratio > max {
            (ratio, status) = measured.ratio(&unsigned, len, 300).unwrap_or_default();
        }
        RATIOS[((ratio * 20.0) as usize).min(63)].store(1, Ordering::Relaxed);
        assert!(ratio <= max, "{ratio:.2} times as dear as to accept, of {len} bytes ({status}): {unsigned:?}");
    });
});
