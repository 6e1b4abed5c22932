//! See `c_calls::run`.
#![no_main]

#[path = "../c_calls.rs"]
mod c_calls;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    c_calls::run(data);
});
