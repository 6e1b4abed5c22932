//! See `target_bodies::mutation`.
#![no_main]

#[path = "../../tests/oracle/mod.rs"]
#[allow(dead_code)]
mod oracle;
#[path = "../target_bodies.rs"]
#[allow(dead_code)]
mod target_bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target_bodies::mutation(data));
