//! Random stories of revocation, in memory and in a file, against the obvious engine.

#[allow(dead_code)]
mod oracle;
#[path = "../fuzz/story.rs"]
mod story;

use proptest::prelude::*;
#[cfg(feature = "sqlite")]
use signoff::{Log, Times};

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn a_story_in_memory_has_the_obvious_engines_verdicts(data in prop::collection::vec(any::<u8>(), 0..400)) {
        story::revocation_story(&data);
    }
}

#[cfg(feature = "sqlite")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_story_in_a_file_has_the_obvious_engines_verdicts(data in prop::collection::vec(any::<u8>(), 0..400)) {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::sqlite(folder.path().join("signoff.db")).create_if_missing();
        // A file is made by this machine's clock.
        story::play(log, Some(Times::now().wall().as_millis()), &data);
    }
}

#[test]
fn regressions_of_revocation_story_agree_with_the_obvious_engine() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions/revocation_story");
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 3);
    for file in files {
        story::revocation_story(&std::fs::read(&file).unwrap());
    }
}
