//! The fuzz target `c_calls` without a fuzzer: random calls through the C interface, held to the same calls from Rust.
#![cfg(feature = "capi")]

#[path = "../fuzz/c_calls.rs"]
mod c_calls;

use proptest::prelude::*;

/// The calls that sign, verify, log out and verify again, so that random bytes are not all there is.
#[test]
fn a_story_told_in_bytes_agrees_with_rust() {
    let open = [0, 1, 0, 1, 1];
    let sign = [2, 1, 1, 3, 6, 1, 1, 36, 1];
    let verify = [4, 1, 1, 1, 1, 0];
    let revoke = [7, 3, 1, 1, 1, 0];
    let accept = [9, 1, 1, 10];
    let story = [
        &open[..],
        &sign,
        &verify,
        &accept,
        &revoke,
        &verify,
        &[10],
        &[6, 2, 0, 1, 1, 1],
        &[13, 1],
        &[12, 1, 1],
        &[11, 0],
    ]
    .concat();
    // Open, sign, verify, accept, is_revoked, revoke, another engine; four verdicts that say "revoked"; the end.
    assert_eq!(c_calls::run(&story), 9);
}

#[test]
fn regressions_of_c_calls_agree_with_rust() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions/c_calls");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 3);
    for file in files {
        c_calls::run(&std::fs::read(file).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_calls_agree_with_rust(data in prop::collection::vec(any::<u8>(), 0..600)) {
        c_calls::run(&data);
    }
}
