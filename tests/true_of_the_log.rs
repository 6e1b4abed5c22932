//! What `revoke` answers without appending is true of the log as it is then: also after somebody has taken records from it,
//! restored it, or taken its watermark back. Each test asks a process that starts afterwards.

#![cfg(feature = "sqlite")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{NOW, keys, with_claims};
use rusqlite::{Connection, backup};
use signoff::{ClockTrust, Engine, Log, Policy, Revocation, Revoked, Scratch, Status, Threads, Times, UnixTime};
use tempfile::TempDir;

const DAY: i64 = 86_400;

fn at(secs: i64) -> Times {
    Times::at(UnixTime::from_secs(NOW + secs)).since_boot(Duration::from_secs(10_000_000))
}

fn open(folder: &TempDir) -> Engine {
    let log = Log::sqlite(path(folder)).create_if_missing().threads(Threads::None);
    Engine::open(keys(), Policy::new(), log.max_staleness(Duration::from_secs(1 << 40))).unwrap()
}

/// A log, which was made at NOW.
fn create() -> (TempDir, Engine) {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    engine.compact_at(ClockTrust::Confirmed, at(-DAY)).unwrap();
    (folder, engine)
}

fn path(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("signoff.db")
}

fn sql(folder: &TempDir, text: &str) {
    Connection::open(path(folder)).unwrap().execute_batch(text).unwrap();
}

/// As `.restore` of the `sqlite3` program does it.
fn copy(from: &Path, to: &Path) {
    let (from, mut to) = (Connection::open(from).unwrap(), Connection::open(to).unwrap());
    backup::Backup::new(&from, &mut to).unwrap().run_to_completion(1000, Duration::ZERO, None).unwrap();
}

fn token(jti: &str) -> String {
    with_claims(&format!(r#"{{"jti":"{jti}","sub":"alice","sid":"s","iat":{},"exp":{}}}"#, NOW - 60, NOW + DAY))
}

fn log_out(engine: &Engine, jti: &str) -> Revoked {
    engine.revoke_at(Revocation::token_text(token(jti)), at(0)).unwrap()
}

#[track_caller]
fn assert_recorded(revoked: Revoked) {
    assert!(matches!(revoked, Revoked::Recorded { .. }), "{revoked:?}");
}

fn status_at(engine: &Engine, jti: &str, now: Times) -> Status {
    engine.verify_at(&mut Scratch::new(), &token(jti), now).map_or_else(|denied| denied.status(), |_| Status::Done)
}

fn status(engine: &Engine, jti: &str) -> Status {
    status_at(engine, jti, at(1))
}

/// A log of "a" and "b", of which "a" was collected by a clock that is days ahead, and two engines that had read both.
fn collected_by_a_wrong_clock() -> (TempDir, Engine, Engine) {
    let (folder, engine) = create();
    let other = open(&folder);
    for jti in ["a", "b"] {
        assert_recorded(log_out(&engine, jti));
    }
    other.refresh_at(at(0)).unwrap();
    assert_eq!(engine.compact_at(ClockTrust::Confirmed, at(3 * DAY)).unwrap().deleted, 1);
    (folder, engine, other)
}

#[test]
fn what_the_log_still_has_is_covered_also_by_what_other_processes_have_recorded() {
    let (folder, engine) = create();
    let other = open(&folder);
    assert_recorded(log_out(&engine, "a"));
    assert_eq!(log_out(&engine, "a"), Revoked::AlreadyCovered);
    other.refresh_at(at(0)).unwrap();
    assert_recorded(log_out(&other, "b"));
    assert_eq!(log_out(&other, "a"), Revoked::AlreadyCovered);
    engine.refresh_at(at(0)).unwrap();
    assert_eq!(log_out(&engine, "b"), Revoked::AlreadyCovered);
    // Collection takes nothing away that anybody needs.
    for jti in ["c", "d"] {
        let short = Revocation::token_id(jti).keep_until(UnixTime::from_secs(NOW + 60));
        assert_recorded(engine.revoke_at(short, at(0)).unwrap());
    }
    assert_eq!(engine.compact_at(ClockTrust::Doubt, at(700)).unwrap().deleted, 1);
    assert_eq!(log_out(&engine, "a"), Revoked::AlreadyCovered);
    other.refresh_at(at(700)).unwrap();
    assert_eq!(log_out(&other, "b"), Revoked::AlreadyCovered);
    assert_eq!(log_out(&open(&folder), "b"), Revoked::AlreadyCovered);
}

#[test]
fn a_record_that_was_deleted_by_hand_is_appended_again_when_it_is_asked_for() {
    for has_read in [false, true] {
        let (folder, engine) = create();
        for jti in ["a", "b", "c"] {
            assert_recorded(log_out(&engine, jti));
        }
        sql(&folder, "DELETE FROM revocation WHERE value = 'jti:a'");
        if has_read {
            engine.refresh_at(at(0)).unwrap();
        }
        assert_recorded(log_out(&engine, "a"));
        assert_eq!(status(&open(&folder), "a"), Status::TokenRevoked);
        assert_eq!(status(&engine, "a"), Status::TokenRevoked);
    }
}

#[test]
fn a_record_that_was_changed_by_hand_counts_for_nothing() {
    let (folder, engine) = create();
    assert_recorded(log_out(&engine, "a"));
    assert_recorded(log_out(&engine, "b"));
    sql(&folder, "UPDATE revocation SET value = 'jti:somebody else' WHERE value = 'jti:a'");
    assert_recorded(log_out(&engine, "a"));
    assert_eq!(status(&open(&folder), "a"), Status::TokenRevoked);
}

#[test]
fn a_log_that_was_restored_in_place_is_noticed_by_the_next_append() {
    for others_after in [0, 1, 2] {
        let (folder, engine) = create();
        assert_recorded(log_out(&engine, "before"));
        let backup = folder.path().join("backup.db");
        copy(&path(&folder), &backup);
        assert_recorded(log_out(&engine, "lost"));
        copy(&backup, &path(&folder));
        // Others take the positions that were this process's.
        let other = open(&folder);
        for n in 0..others_after {
            assert_recorded(log_out(&other, &format!("other {n}")));
        }
        assert_recorded(log_out(&engine, "lost"));
        let fresh = open(&folder);
        assert_eq!(status(&fresh, "lost"), Status::TokenRevoked, "with {others_after} of others");
        // And this process reads what it had not.
        engine.refresh_at(at(0)).unwrap();
        for n in 0..others_after {
            assert_eq!(status(&engine, &format!("other {n}")), Status::TokenRevoked);
        }
        assert_recorded(log_out(&engine, "before"));
    }
}

#[test]
fn while_the_watermark_is_ahead_of_the_clock_a_log_out_is_recorded_and_outlives_its_being_taken_back() {
    let (folder, engine) = create();
    let other = open(&folder);
    assert_recorded(log_out(&engine, "before"));
    // A clock that is some days ahead, which nobody can tell.
    engine.compact_at(ClockTrust::Confirmed, at(3 * DAY)).unwrap();
    assert_eq!(status(&engine, "after"), Status::ClaimExpired);
    assert_recorded(log_out(&engine, "after"));
    assert_recorded(engine.revoke_at(Revocation::session("s"), at(0)).unwrap());
    // By a clock that is right again, what has not expired is not deleted.
    assert_eq!(engine.compact_at(ClockTrust::Doubt, at(10)).unwrap().deleted, 0);
    other.refresh_at(at(10)).unwrap();
    engine.insecure_reset_watermark(at(20)).unwrap();
    other.refresh_at(at(20)).unwrap();
    for (name, engine) in [("this process", &engine), ("another", &other), ("one that starts", &open(&folder))] {
        assert_eq!(status_at(engine, "after", at(30)), Status::TokenRevoked, "{name}");
    }
}

#[test]
fn what_was_collected_by_a_wrong_clock_is_recorded_again_after_the_watermark_was_taken_back() {
    for by_another in [false, true] {
        let (folder, engine, other) = collected_by_a_wrong_clock();
        engine.insecure_reset_watermark(at(10)).unwrap();
        // Both have what was collected in memory still, and neither takes that for the log's.
        let asked = if by_another { &other } else { &engine };
        assert_recorded(log_out(asked, "a"));
        assert_eq!(status(&open(&folder), "a"), Status::TokenRevoked);
    }
}

#[test]
fn a_record_that_the_index_had_left_out_by_a_watermark_that_is_taken_back_is_read_again() {
    let (folder, engine) = create();
    engine.compact_at(ClockTrust::Confirmed, at(3 * DAY)).unwrap();
    assert_recorded(log_out(&engine, "a"));
    // Enough that segments are sealed and merged, without what counts as expired.
    let keep = UnixTime::from_secs(NOW + 30 * DAY);
    for n in 0..9000 {
        engine.revoke_at(Revocation::token_id(format!("filler {n}")).keep_until(keep), at(0)).unwrap();
    }
    engine.refresh_at(at(0)).unwrap();
    sql(&folder, &format!("UPDATE fact SET value = '{}' WHERE name = 'watermark'", NOW * 1000));
    engine.refresh_at(at(1)).unwrap();
    assert_eq!(status(&engine, "a"), Status::TokenRevoked);
}

#[test]
fn a_token_has_expired_for_the_log_only_by_a_watermark_and_the_clock_of_the_log_out() {
    let (folder, engine) = create();
    let gone = with_claims(&format!(r#"{{"jti":"gone","exp":{}}}"#, NOW - 601));
    let revoke = |engine: &Engine, now| engine.revoke_at(Revocation::token_text(gone.clone()), now).unwrap();
    assert_eq!(revoke(&engine, at(0)), Revoked::AlreadyExpired);
    // For every process on the log, whatever its clock.
    let denied = open(&folder).verify_at(&mut Scratch::new(), &gone, at(-700)).map(|_| ()).unwrap_err();
    assert_eq!(denied.status(), Status::ClaimExpired);
    // By a clock at which it has not expired it is recorded, since the watermark may be taken back.
    assert_recorded(revoke(&engine, at(-700)));
    engine.insecure_reset_watermark(at(-690)).unwrap();
    for engine in [&engine, &open(&folder)] {
        let denied = engine.verify_at(&mut Scratch::new(), &gone, at(-680)).map(|_| ()).unwrap_err();
        assert_eq!(denied.status(), Status::TokenRevoked);
    }
}

#[test]
fn a_cut_off_is_covered_only_by_those_that_are_kept_as_long() {
    let (folder, engine) = create();
    let cut_off = |before: i64, until: i64| {
        let until = UnixTime::from_secs(NOW + until);
        let revocation = Revocation::subject("alice").issued_before(UnixTime::from_secs(NOW + before));
        engine.revoke_at(revocation.keep_until(until), at(0)).unwrap()
    };
    // The later one is kept for an hour, an earlier one for a day.
    assert_recorded(cut_off(0, 3600));
    assert_recorded(cut_off(-1000, DAY));
    assert_recorded(cut_off(0, DAY));
    engine.compact_at(ClockTrust::Confirmed, at(2 * 3600)).unwrap();
    assert_eq!(status_at(&open(&folder), "any", at(2 * 3600)), Status::TokenRevoked);
}

#[test]
fn what_was_recorded_before_the_log_was_read_is_asked_for_again_after_somebody_took_it_away() {
    let (folder, engine) = create();
    drop(engine);
    let log = Log::sqlite(path(&folder)).threads(Threads::None).max_staleness(Duration::from_secs(1 << 40));
    let engine = Engine::open(keys(), Policy::new(), log.start_unknown()).unwrap();
    assert_recorded(log_out(&engine, "a"));
    assert_recorded(log_out(&engine, "b"));
    assert_eq!(log_out(&engine, "a"), Revoked::AlreadyCovered);
    sql(&folder, "DELETE FROM revocation WHERE value = 'jti:a'");
    engine.refresh_at(at(0)).unwrap();
    assert_recorded(log_out(&engine, "a"));
    assert_eq!(status(&open(&folder), "a"), Status::TokenRevoked);
}

#[test]
fn what_replace_takes_away_is_noticed_as_what_delete_does() {
    let (folder, engine) = create();
    for jti in ["a", "b"] {
        assert_recorded(log_out(&engine, jti));
    }
    let columns = "issuer, issued_before, keep, keep_until, recorded_at, reason FROM revocation WHERE value = 'jti:a'";
    sql(&folder, &format!("INSERT OR REPLACE INTO revocation SELECT position, batch, scope, 'jti:z', {columns}"));
    assert_recorded(log_out(&engine, "a"));
    assert_eq!(status(&open(&folder), "a"), Status::TokenRevoked);

    let (folder, _engine, other) = collected_by_a_wrong_clock();
    other.refresh_at(at(0)).unwrap();
    sql(&folder, &format!("REPLACE INTO fact (name, value) VALUES ('watermark', '{}')", NOW * 1000));
    assert_recorded(log_out(&other, "a"));
    assert_eq!(status(&open(&folder), "a"), Status::TokenRevoked);
}

#[test]
fn a_loss_after_a_restore_is_not_taken_for_the_loss_before_it() {
    let (folder, engine) = create();
    for jti in ["a", "b", "c"] {
        assert_recorded(log_out(&engine, jti));
    }
    let backup = folder.path().join("backup.db");
    copy(&path(&folder), &backup);
    sql(&folder, "DELETE FROM revocation WHERE value = 'jti:b'");
    let engine = open(&folder);
    copy(&backup, &path(&folder));
    sql(&folder, "DELETE FROM revocation WHERE value = 'jti:a'");
    assert_recorded(log_out(&engine, "a"));
    assert_eq!(status(&open(&folder), "a"), Status::TokenRevoked);
}

/// Ids of tokens that have expired an hour later.
const SHORT: [&str; 2] = ["short", "other's short"];

fn token_of(jti: &str) -> String {
    let lifetime = if SHORT.contains(&jti) { 60 } else { DAY };
    with_claims(&format!(r#"{{"jti":"{jti}","iat":{},"exp":{}}}"#, NOW - 60, NOW + lifetime))
}

fn log_out_all(engine: &Engine, jtis: &[&str]) {
    for jti in jtis {
        let revocation = Revocation::token_text(token_of(jti));
        assert_recorded(engine.revoke_at(revocation, at(0)).unwrap());
    }
}

#[test]
fn a_restore_is_noticed_also_where_the_row_in_the_readers_place_was_collected_before_it_looks() {
    let (folder, engine) = create();
    log_out_all(&engine, &["before"]);
    let backup = folder.path().join("backup.db");
    copy(&path(&folder), &backup);
    log_out_all(&engine, &["a", "b", "short"]);
    engine.refresh_at(at(0)).unwrap();
    copy(&backup, &path(&folder));
    let other = open(&folder);
    log_out_all(&other, &["other's a", "other's b", "other's short", "last"]);
    assert_eq!(other.compact_at(ClockTrust::Confirmed, at(3600)).unwrap().deleted, 1);
    engine.refresh_at(at(3600)).unwrap();
    for jti in ["before", "other's a", "other's b", "last"] {
        assert_eq!(status_at(&engine, jti, at(3600)), Status::TokenRevoked, "{jti}");
    }
}

#[test]
fn a_backup_of_an_earlier_format_is_read_on_also_where_the_readers_row_was_collected() {
    let (folder, engine) = create();
    log_out_all(&engine, &["a", "short"]);
    engine.refresh_at(at(0)).unwrap();
    sql(
        &folder,
        "DROP TABLE deleted; DROP TRIGGER revocation_deleted_last; DELETE FROM fact WHERE name = 'generation';
         INSERT INTO revocation (position, batch, scope, value, issuer, recorded_at) VALUES (3, 7, 'token', 'jti:b', '*', 0)",
    );
    assert_eq!(engine.compact_at(ClockTrust::Confirmed, at(3600)).unwrap().deleted, 1);
    engine.refresh_at(at(3600)).unwrap();
    assert_eq!(engine.health().fault, None);
    for jti in ["a", "b"] {
        assert_eq!(status_at(&engine, jti, at(3600)), Status::TokenRevoked, "{jti}");
    }
}
