//! See `story::revocation_story`.
#![no_main]

#[path = "../../tests/oracle/mod.rs"]
#[allow(dead_code)]
mod oracle;
#[path = "../story.rs"]
#[allow(dead_code)]
mod story;

libfuzzer_sys::fuzz_target!(|data: &[u8]| story::revocation_story(data));
