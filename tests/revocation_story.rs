//! Random stories of revocation, in memory and in a file, against the obvious engine and the promise.
//!
//! `STORY_STEPS=1000000 cargo test --release --test revocation_story` plays a million steps; without, it is 10,000.
//! `STORY_SEED=…` plays from another beginning, `STORY=path` one that was found; `TMPDIR=/dev/shm` spares the disk.

#[allow(dead_code)]
mod oracle;
#[path = "../fuzz/story.rs"]
mod story;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use signoff::Log;

fn setting(name: &str, unless_set: u64) -> u64 {
    std::env::var(name).map_or(unless_set, |value| value.parse().expect("a number"))
}

/// Plays stories of random choices until they had so many steps.
fn play_steps(steps: usize, mut play: impl FnMut(&[u8]) -> usize) {
    let seed = setting("STORY_SEED", 1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let mut played = 0;
    while played < steps {
        let length = runner.rng().random_range(50..1500_usize);
        let data: Vec<u8> = (0..length).map(|_| runner.rng().random()).collect();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(&data)));
        played += done.unwrap_or_else(|fault| {
            let path = std::env::temp_dir().join(format!("signoff-story-{}", std::process::id()));
            std::fs::write(&path, &data).unwrap();
            eprintln!("the story is in {}", path.display());
            std::panic::resume_unwind(fault)
        });
    }
}

fn steps() -> usize {
    setting("STORY_STEPS", 10_000) as usize
}

#[test]
fn stories_in_memory_keep_the_promise_and_have_the_obvious_engines_verdicts() {
    play_steps(steps(), |data| story::play(Log::memory(), None, data));
}

#[cfg(feature = "sqlite")]
#[test]
fn stories_in_a_file_that_people_restore_and_edit_keep_the_promise() {
    play_steps(steps() / 4, in_a_file);
}

/// A story in a file, by a copy of SQLite that this process has already.
#[cfg(feature = "sqlite")]
fn in_a_file(data: &[u8]) -> usize {
    use rusqlite::{Connection, backup};
    use story::Tampering;

    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("signoff.db"), folder.path().join("backup.db"));
    let log = Log::sqlite(&path).create_if_missing();
    let mut tamper = |what| {
        let mut live = Connection::open(&path).unwrap();
        match what {
            Tampering::Backup => {
                let _before = std::fs::remove_file(&copy);
                live.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
            }
            Tampering::Restore => {
                let held = Connection::open(&copy).unwrap();
                let restore = backup::Backup::new(&held, &mut live).unwrap();
                restore.run_to_completion(1000, std::time::Duration::ZERO, None).unwrap();
            }
            Tampering::Delete(number) => {
                let count: i64 = live.query_row("SELECT count(*) FROM revocation", [], |row| row.get(0)).unwrap();
                if count < 2 {
                    return false;
                }
                let place = i64::from(number) % (count - 1);
                live.execute(
                    "DELETE FROM revocation WHERE position = (SELECT position FROM revocation ORDER BY position LIMIT 1 OFFSET ?1)",
                    [place],
                )
                .unwrap();
            }
        }
        true
    };
    story::play(log, Some(&mut tamper), data)
}

#[test]
fn regressions_of_revocation_story_agree_with_the_obvious_engine() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions/revocation_story");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 3);
    // And one that was found, to be looked into: STORY=path.
    files.extend(std::env::var_os("STORY").map(Into::into));
    for file in files {
        let data = std::fs::read(&file).unwrap();
        story::revocation_story(&data);
        #[cfg(feature = "sqlite")]
        in_a_file(&data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Shrinks what it finds.
    #[test]
    fn a_story_in_memory_has_the_obvious_engines_verdicts(data in prop::collection::vec(any::<u8>(), 0..400)) {
        story::revocation_story(&data);
    }
}
