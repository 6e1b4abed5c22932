//! The embedded log: what a file outlives, who may share it, and what becomes of one that is not right.
#![cfg(feature = "sqlite")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{keys, with_claims};
use rusqlite::Connection;
use signoff::{
    ClockTrust, Durability, Engine, Error, Issuer, Log, LogError, Origin, Policy, Record, Revocation, RevokeError,
    Revoked, Scratch, Status, Target, Threads, Times, UnixTime, Unknown,
};

const HOUR: Duration = Duration::from_secs(3600);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn open(log: Log) -> Result<Engine, Error> {
    Engine::open(keys(), Policy::new(), log.threads(Threads::None))
}

fn create(path: &Path) -> Engine {
    open(Log::sqlite(path).create_if_missing()).unwrap()
}

fn token(jti: &str) -> String {
    with_claims(&format!(r#"{{"jti":"{jti}","exp":{}}}"#, Times::now().wall().plus(HOUR)))
}

fn status(engine: &Engine, token: &str) -> Status {
    engine.verify(&mut Scratch::new(), token).map_or_else(|denied| denied.status(), |_| Status::Done)
}

fn revoke(engine: &Engine, jti: &str) -> Result<Revoked, Error> {
    engine.revoke(Revocation::token_id(jti).keep_until(Times::now().wall().plus(HOUR)))
}

fn opening_fault(path: &Path) -> Status {
    open(Log::sqlite(path)).map(|_| ()).unwrap_err().status()
}

#[test]
fn what_was_revoked_is_refused_after_the_file_is_opened_anew() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let engine = create(&path);
    assert_eq!(engine.health().origin, Some(Origin::Created));
    match revoke(&engine, "a").unwrap() {
        Revoked::Recorded { durability, .. } => assert_eq!(durability, Durability::File),
        other => panic!("{other:?}"),
    }
    drop(engine);
    let engine = open(Log::sqlite(&path)).unwrap();
    assert_eq!(engine.health().origin, Some(Origin::Found));
    assert_eq!((status(&engine, &token("a")), status(&engine, &token("b"))), (Status::TokenRevoked, Status::Done));
    assert_eq!(revoke(&engine, "a").unwrap(), Revoked::AlreadyCovered);
}

/// One suite for every log: the same calls, the same records.
#[test]
fn memory_and_file_keep_the_same_records() {
    let folder = folder();
    let now = Times::now().wall();
    let later = UnixTime::from_secs(now.plus(HOUR).as_secs());
    let logs = [Log::memory(), Log::sqlite(folder.path().join("signoff.db")).create_if_missing()];
    let kept = logs.map(|log| {
        let engine = open(log.longest_lifetime(24 * HOUR)).unwrap();
        for revocation in [
            Revocation::token_id("a").issuer("https://id.example").reason("lost phone"),
            Revocation::token_id(signoff::TokenId::SigningInput([7; 32])).issuer(Issuer::Absent),
            Revocation::session("ü\"\\\n").keep_until(later),
            Revocation::subject("jti:x").keep("k\u{0}1").keep("k2").issued_before(now),
            Revocation::everything().issued_before(now.minus(HOUR)),
        ] {
            engine.revoke_at(revocation, Times::at(now)).unwrap();
        }
        engine.compact_at(ClockTrust::Doubt, Times::at(now)).unwrap();
        engine.revocations().unwrap().map(Result::unwrap).collect::<Vec<Record>>()
    });
    assert_eq!(kept[0], kept[1]);
    assert_eq!(kept[1].len(), 5);
    assert_eq!(kept[1][3].keep, ["k\u{0}1", "k2"]);
    assert_eq!(kept[1][3].target, Target::Subject("jti:x".to_owned()));
    assert_eq!(kept[1][0].reason.as_deref(), Some("lost phone"));
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone_and_the_folder_holds_nothing_else_afterwards() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let engine = create(&path);
    revoke(&engine, "a").unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        assert!(entry.file_name().to_string_lossy().starts_with("signoff.db"), "{:?}", entry.file_name());
    }
}

#[test]
fn a_person_can_read_the_log() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let engine = create(&path);
    let cut_off = UnixTime::from_millis(1_700_000_000_250);
    engine.revoke(Revocation::subject("alice").issuer("https://id.example").issued_before(cut_off).keep("x")).unwrap();
    drop(engine);
    let row: (String, String, String, String, String, String) = Connection::open(&path)
        .unwrap()
        .query_row("SELECT scope, value, issuer, issued_before, keep, keep_until FROM revocations", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .unwrap();
    let expected = ["subject", "alice", "https://id.example", "2023-11-14T22:13:20.250Z", "[\"x\"]", "for ever"];
    assert_eq!([row.0, row.1, row.2, row.3, row.4, row.5], expected);
}

#[test]
fn files_that_are_not_right_are_refused_by_name_and_left_as_they_are() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let good = path("good.db");
    let engine = create(&good);
    for n in 0..2000 {
        revoke(&engine, &format!("t{n}")).unwrap();
    }
    engine.compact(ClockTrust::Doubt).unwrap();
    drop(engine);
    let whole = fs::read(&good).unwrap();

    assert_eq!(opening_fault(&path("none.db")), Status::LogMissing);
    assert_eq!(opening_fault(&path("none/none.db")), Status::LogNoDirectory);
    let error = open(Log::sqlite(path("none/none.db")).create_if_missing()).map(|_| ()).unwrap_err();
    assert_eq!(error.status(), Status::LogNoDirectory);
    assert!(error.to_string().contains("make it"), "{error}");

    let mut damaged = whole.clone();
    // Behind the page that says which page is whose, which is read only when room is given back.
    damaged[8192..12_288].fill(0xa5);
    let mut torn_head = whole.clone();
    torn_head[..16].copy_from_slice(b"SQLite format 2\0");
    let cases: [(&str, &[u8], Status); 6] = [
        ("empty.db", b"", Status::LogForeign),
        ("text.db", &b"not a database, but long enough to be looked at. ".repeat(100), Status::LogForeign),
        ("head.db", &torn_head, Status::LogForeign),
        ("truncated.db", &whole[..whole.len() / 2], Status::LogCorrupt),
        ("page.db", &whole[..8192], Status::LogCorrupt),
        ("damaged.db", &damaged, Status::LogCorrupt),
    ];
    for (name, bytes, expected) in cases {
        fs::write(path(name), bytes).unwrap();
        assert_eq!(opening_fault(&path(name)), expected, "{name}");
        let error = open(Log::sqlite(path(name)).create_if_missing()).map(|_| ()).unwrap_err();
        assert_eq!(error.status(), expected, "{name}");
        assert!(fs::read(path(name)).unwrap() == *bytes, "{name} was changed");
    }

    let foreign = path("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)").unwrap();
    let before = fs::read(&foreign).unwrap();
    assert_eq!(opening_fault(&foreign), Status::LogForeign);
    assert!(fs::read(&foreign).unwrap() == before);
    // The twin: the file that they were made from.
    let engine = open(Log::sqlite(&good)).unwrap();
    assert_eq!(status(&engine, &token("t1999")), Status::TokenRevoked);
}

#[test]
fn a_later_minor_version_is_shared_and_a_later_major_one_is_refused() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let engine = create(&path);
    revoke(&engine, "a").unwrap();
    // What 1.2 might bring: a column, a fact and a table of its own.
    let newer = Connection::open(&path).unwrap();
    newer
        .execute_batch(
            "ALTER TABLE revocation ADD COLUMN actor TEXT; CREATE TABLE audit (x);
             INSERT INTO fact VALUES ('colour', 'blue'); PRAGMA user_version = 199",
        )
        .unwrap();
    revoke(&engine, "b").unwrap();
    let other = open(Log::sqlite(&path)).unwrap();
    assert_eq!(
        (status(&other, &token("a")), status(&other, &token("b"))),
        (Status::TokenRevoked, Status::TokenRevoked)
    );
    drop((engine, other));
    newer.execute_batch("PRAGMA user_version = 200").unwrap();
    drop(newer);
    let error = open(Log::sqlite(&path)).map(|_| ()).unwrap_err();
    assert!(matches!(&error, Error::Log(LogError::Newer { found: 200, .. })), "{error}");
}

#[test]
fn a_file_of_the_first_version_is_opened_and_brought_to_this_one() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let file = Connection::open(&path).unwrap();
    file.execute_batch(include_str!("../src/log/sqlite/migrations/1.0_revocations_and_facts.sql")).unwrap();
    file.execute_batch(
        "INSERT INTO fact VALUES ('salt', '00112233445566778899aabbccddeeff'), ('identity', '0'), ('newest', '0');
         INSERT INTO revocation (batch, scope, value, issuer, recorded_at) VALUES (1, 'token', 'jti:a', '*', 0);
         PRAGMA application_id = 0x73676e66; PRAGMA user_version = 100",
    )
    .unwrap();
    let engine = open(Log::sqlite(&path)).unwrap();
    assert_eq!(status(&engine, &token("a")), Status::TokenRevoked);
    let version = file.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(version, 103);
    // What came with later versions works: a copy's unsent rows, and the notice that a row was taken away.
    assert_eq!(file.query_row("SELECT count(*) FROM unsent", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    file.execute("DELETE FROM revocation", []).unwrap();
    assert!(matches!(revoke(&engine, "a").unwrap(), Revoked::Recorded { .. }));
}

#[test]
fn a_kind_that_only_a_newer_version_knows_makes_the_answer_unavailable_and_junk_does_not() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let engine = create(&path);
    let insert = |scope: &str, value: &str, issuer: &str| {
        Connection::open(&path)
            .unwrap()
            .execute(
                "INSERT INTO revocation (batch, scope, value, issuer, recorded_at) VALUES (1, ?1, ?2, ?3, 0)",
                [scope, value, issuer],
            )
            .unwrap();
        engine.refresh().unwrap();
    };
    for (value, issuer) in [("no prefix", "*"), ("jti:", "*"), ("sha256:12", "*"), ("jti:x", "nobody")] {
        insert("token", value, issuer);
    }
    insert("subject", "u", "*"); // A cut-off without a time.
    assert_eq!(status(&engine, &token("x")), Status::Done);
    assert_eq!(engine.stats().log_junk, 5);
    insert("token", "jti:x", "*");
    assert_eq!(status(&engine, &token("x")), Status::TokenRevoked);
    // Not even a row that has nothing in its place stops the reading behind it.
    Connection::open(&path).unwrap().execute("UPDATE revocation SET batch = 'x', keep_until = 'never'", []).unwrap();
    engine.refresh().unwrap();
    insert("token", "jti:z", "*");
    assert_eq!(status(&engine, &token("z")), Status::TokenRevoked);
    insert("device", "d1", "*");
    for n in 0..1500 {
        Connection::open(&path)
            .unwrap()
            .execute(
                "INSERT INTO revocation (batch, scope, value, issuer, recorded_at) VALUES (1, 'device', ?1, '*', 0)",
                [n],
            )
            .unwrap();
    }
    insert("token", "jti:behind", "*");
    let listed = engine.revocations().unwrap().last().unwrap().unwrap();
    assert_eq!(listed.target.value(), "jti:behind", "behind more rows of others than a page holds");
    assert_eq!(status(&engine, &token("y")), Status::RevocationsNewer);
    assert_eq!(status(&engine, &token("x")), Status::TokenRevoked);
}

#[test]
fn a_log_that_is_moved_away_or_replaced_is_noticed_and_nothing_is_lost_silently() {
    let folder = folder();
    let (path, aside) = (folder.path().join("signoff.db"), folder.path().join("aside.db"));
    let engine = open(Log::sqlite(&path).create_if_missing().max_staleness(Duration::ZERO)).unwrap();
    revoke(&engine, "a").unwrap();
    fs::rename(&path, &aside).unwrap();
    let not_durable = |error: &Error| matches!(error, Error::Revoke(RevokeError::NotDurable(LogError::Moved { .. })));
    assert!(not_durable(&revoke(&engine, "b").unwrap_err()));
    assert_eq!(engine.refresh().unwrap_err().status(), Status::LogMoved);
    assert!(matches!(engine.health().fault, Some(LogError::Moved { .. })));
    // It binds in this process until it ends, and asking again is not answered with "already".
    assert_eq!(status(&engine, &token("b")), Status::TokenRevoked);
    assert!(not_durable(&revoke(&engine, "b").unwrap_err()));
    // One that was made in its place would get what was written last to this one.
    let beside = open(Log::sqlite(&path).create_if_missing()).map(|_| ()).unwrap_err();
    assert!(matches!(beside, Error::Log(LogError::Leftover { .. })), "{beside:?}");
    // Somebody else's log in its place is no better.
    let other = folder.path().join("other.db");
    drop(create(&other));
    fs::rename(&other, &path).unwrap();
    assert_eq!(engine.refresh().unwrap_err().status(), Status::LogMoved);
    fs::remove_file(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    engine.refresh().unwrap();
    assert_eq!(engine.health().fault, None);
    assert!(matches!(revoke(&engine, "b").unwrap(), Revoked::Recorded { .. }));
}

#[test]
fn a_log_that_went_back_is_read_anew_and_what_is_known_still_binds() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let engine = create(&path);
    for jti in ["a", "b", "c"] {
        revoke(&engine, jti).unwrap();
    }
    engine.refresh().unwrap();
    // As a backup that is restored in place leaves it: positions are given out again.
    let back = Connection::open(&path).unwrap();
    back.execute_batch(
        "DELETE FROM revocation WHERE position >= 2;
         INSERT INTO revocation (position, batch, scope, value, issuer, recorded_at) VALUES
             (2, 7, 'token', 'jti:d', '*', 0), (3, 7, 'token', 'jti:e', '*', 0)",
    )
    .unwrap();
    engine.refresh().unwrap();
    for jti in ["a", "b", "c", "d", "e"] {
        assert_eq!(status(&engine, &token(jti)), Status::TokenRevoked, "{jti}");
    }
    assert_eq!(status(&engine, &token("f")), Status::Done);
    // It lacks what it had, so that asking again is no repetition.
    assert!(matches!(revoke(&engine, "c").unwrap(), Revoked::Recorded { .. }));
}

/// As the page on operations says to back up and restore.
#[test]
fn a_backup_by_vacuum_into_is_a_whole_log_in_wal_mode_again() {
    let folder = folder();
    let (path, copy) = (folder.path().join("signoff.db"), folder.path().join("copy.db"));
    let engine = create(&path);
    revoke(&engine, "a").unwrap();
    Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    let restored = open(Log::sqlite(&copy)).unwrap();
    assert_eq!((status(&restored, &token("a")), status(&restored, &token("b"))), (Status::TokenRevoked, Status::Done));
    revoke(&restored, "b").unwrap();
    let mode: String = Connection::open(&copy).unwrap().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn the_log_is_written_on_whatever_refreshes_and_short_deadlines_come_between() {
    let folder = folder();
    let log = Log::sqlite(folder.path().join("signoff.db")).create_if_missing();
    let engine = Engine::open(keys(), Policy::new(), log.clone().append_timeout(Duration::from_millis(1))).unwrap();
    std::thread::scope(|scope| {
        for caller in 0..4 {
            let engine = &engine;
            scope.spawn(move || {
                for n in 0..100 {
                    // Some are too late for their deadline; each is told so, or that it is recorded.
                    let outcome = revoke(engine, &format!("{caller}-{n}")).map_err(|error| error.status());
                    let told = [Status::NotDurable, Status::Indeterminate].map(Err);
                    assert!(matches!(outcome, Ok(Revoked::Recorded { .. })) || told.contains(&outcome.map(|_| ())));
                    assert_eq!(status(engine, &token(&format!("{caller}-{n}"))), Status::TokenRevoked);
                    engine.refresh().unwrap();
                }
            });
        }
    });
    drop(engine);
    let engine = Engine::open(keys(), Policy::new(), log).unwrap();
    assert!(matches!(revoke(&engine, "last").unwrap(), Revoked::Recorded { .. }));
}

#[test]
fn rows_that_repeat_mean_the_same_and_the_longest_of_them_counts() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let engine = create(&path);
    revoke(&engine, "a").unwrap();
    // As a replay leaves them: again, and with an end that has passed.
    let again = Connection::open(&path).unwrap();
    again
        .execute_batch(
            "INSERT INTO revocation (batch, scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason)
                 SELECT batch, scope, value, issuer, issued_before, keep, keep_until, recorded_at, reason FROM revocation;
             INSERT INTO revocation (batch, scope, value, issuer, keep_until, recorded_at)
                 SELECT 5, scope, value, issuer, 1, recorded_at FROM revocation",
        )
        .unwrap();
    engine.refresh().unwrap();
    engine.compact(ClockTrust::Doubt).unwrap();
    for engine in [engine, open(Log::sqlite(&path)).unwrap()] {
        assert_eq!((status(&engine, &token("a")), status(&engine, &token("b"))), (Status::TokenRevoked, Status::Done));
        assert_eq!(revoke(&engine, "a").unwrap(), Revoked::AlreadyCovered);
    }
}

#[test]
fn a_writer_that_never_ends_is_waited_for_within_bounds_and_the_callers_are_told() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let log = Log::sqlite(&path).create_if_missing().append_timeout(Duration::from_millis(50));
    let engine = Engine::open(keys(), Policy::new(), log).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = revoke(&engine, "a").unwrap_err();
    assert!(matches!(&error, Error::Revoke(RevokeError::Indeterminate(_))), "{error}");
    assert_eq!(status(&engine, &token("a")), Status::TokenRevoked);
    other.execute_batch("COMMIT").unwrap();
    while revoke(&engine, "a").is_err() {}
    assert_eq!(engine.revocations().unwrap().filter(|r| r.is_ok()).count(), engine.revocations().unwrap().count());
}

#[test]
fn a_future_is_answered_in_time_too_while_the_log_cant_be_written_and_its_revocation_binds() {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let log = Log::sqlite(&path).create_if_missing().append_timeout(Duration::from_millis(50));
    let engine = Engine::open(keys(), Policy::new(), log).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let until = Times::now().wall().plus(HOUR);
    for id in ["with the disk", "in the queue"] {
        let mut revoking = std::pin::pin!(engine.revoke_async(Revocation::token_id(id).keep_until(until)));
        let started = Instant::now();
        let outcome = loop {
            match revoking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => break outcome,
                Poll::Pending => std::thread::yield_now(),
            }
            // The log itself would wait for the other writer for five seconds.
            assert!(started.elapsed() < Duration::from_secs(30), "no answer");
        };
        let told = outcome.map(|_| ()).map_err(|error| error.status());
        assert!([Err(Status::NotDurable), Err(Status::Indeterminate)].contains(&told), "{told:?}");
        assert_eq!(status(&engine, &token(id)), Status::TokenRevoked);
    }
    other.execute_batch("COMMIT").unwrap();
    while revoke(&engine, "in the queue").is_err() {}
}

/// Had a call waited for the lock, it would be answered by then.
#[test]
fn no_caller_of_revoke_async_waits_for_a_log_that_another_process_holds_whatever_the_token() {
    for threads in [Threads::Own, Threads::None] {
        let folder = folder();
        let path = folder.path().join("signoff.db");
        let engine =
            Engine::open(keys(), Policy::new(), Log::sqlite(&path).create_if_missing().threads(threads)).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let now = Times::now().wall().as_secs();
        let with_exp = |jti: &str, exp: i64| with_claims(&format!(r#"{{"jti":"{jti}","exp":{exp}}}"#));
        let all = [
            Revocation::token_text(with_exp("expired", now - 7200)),
            Revocation::token_text(with_exp("good", now + 3600)),
            Revocation::token_id("id"),
            Revocation::session("s"),
            Revocation::subject("u"),
            Revocation::everything(),
        ];
        let mut waiting: Vec<_> = all.into_iter().map(|one| engine.revoke_async(one)).collect();
        let answered = |one: &mut signoff::Revoking| one.wait(Duration::ZERO);
        assert!(waiting.iter_mut().all(|one| answered(one).is_none()), "{threads:?}");
        if threads == Threads::None {
            // Nobody else will let them bind.
            assert_eq!(status(&engine, &with_exp("id", now + 3600)), Status::TokenRevoked);
        }
        other.execute_batch("COMMIT").unwrap();
        if threads == Threads::None {
            engine.refresh().unwrap();
        }
        let minute = Duration::from_secs(60);
        let outcomes: Vec<_> = waiting.iter_mut().map(|one| one.wait(minute).expect("an answer").unwrap()).collect();
        assert_eq!(outcomes[0], Revoked::AlreadyExpired);
        assert!(outcomes[1..].iter().all(|one| matches!(one, Revoked::Recorded { .. })), "{outcomes:?}");
        drop(engine);
        assert_eq!(open(Log::sqlite(&path)).unwrap().revocations().unwrap().count(), 5);
    }
}

#[test]
fn whoever_waits_for_a_revocation_where_no_thread_writes_does_the_writing() {
    let folder = folder();
    let engine = create(&folder.path().join("signoff.db"));
    let mut revoking = engine.revoke_async(Revocation::session("s"));
    assert!(revoking.wait(Duration::ZERO).is_none(), "a look");
    let outcome = revoking.wait(Duration::from_secs(1)).unwrap().unwrap();
    assert!(matches!(outcome, Revoked::Recorded { durability: Durability::File, .. }), "{outcome:?}");
    // Once more: what it holds already it does not append.
    let mut again = engine.revoke_async(Revocation::session("s"));
    assert_eq!(again.wait(Duration::from_secs(1)).unwrap().unwrap(), Revoked::AlreadyCovered);
}

#[test]
fn revoking_without_threads_waits_no_longer_than_the_timeout_for_another_process() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let engine = open(Log::sqlite(&path).create_if_missing().append_timeout(Duration::from_millis(100))).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let expired = with_claims(&format!(r#"{{"jti":"a","exp":{}}}"#, Times::now().wall().as_secs() - 7200));
    for revocation in [Revocation::session("s"), Revocation::token_text(expired)] {
        // Once for the watermark, where the token has expired, and once for the record.
        match engine.revoke(revocation).unwrap_err() {
            Error::Revoke(RevokeError::NotDurable(LogError::Busy { waited, .. })) => {
                assert_eq!(waited, Duration::from_millis(50));
            }
            error => panic!("{error:?}"),
        }
    }
}

/// What a process leaves that ends without an end: `process.exit`, a signal, a crash.
#[test]
fn a_backup_has_what_lies_beside_the_file_and_only_its_owner_may_read_it() {
    let folder = folder();
    let (path, copy, backup) =
        (folder.path().join("signoff.db"), folder.path().join("copied.db"), folder.path().join("backup.db"));
    drop(create(&path));
    let mut child = child_that_revokes(&path, 0);
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = 0;
    for _ in std::io::BufRead::lines(output).map_while(Result::ok).filter(|line| line.starts_with("ack ")) {
        acknowledged += 1;
        if acknowledged == 100 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    fs::copy(&path, &copy).unwrap();
    let rows = |path: &Path| -> i64 {
        Connection::open(path).unwrap().query_row("SELECT count(*) FROM revocation", [], |row| row.get(0)).unwrap()
    };
    assert!(rows(&copy) < acknowledged, "the file alone is no backup");
    let count = Log::sqlite(&path).back_up(&backup).unwrap();
    assert!(i64::try_from(count).unwrap() >= acknowledged, "{count} of {acknowledged}");
    assert!(rows(&backup) >= acknowledged);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let exists = Log::sqlite(&path).back_up(&backup).unwrap_err();
    assert_eq!(exists.status(), Status::LogExists);
    assert_eq!(
        Log::sqlite(folder.path().join("none.db")).back_up(copy.with_extension("2")).unwrap_err().status(),
        Status::LogMissing
    );
    assert_eq!(Log::memory().back_up(copy.with_extension("2")).unwrap_err().status(), Status::LogUrl);
    // Nothing of the work is left.
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.retain(|name| !name.to_string_lossy().starts_with("signoff.db"));
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_backup_is_made_while_others_write_and_holds_nobody_up() {
    let folder = folder();
    let (path, backup) = (folder.path().join("signoff.db"), folder.path().join("backup.db"));
    let engine = Engine::open(keys(), Policy::new(), Log::sqlite(&path).create_if_missing()).unwrap();
    for n in 0..200 {
        revoke(&engine, &format!("before-{n}")).unwrap();
    }
    let during = std::thread::scope(|scope| {
        let made = scope.spawn(|| Log::sqlite(&path).back_up(&backup).unwrap());
        let mut during = 0;
        while !made.is_finished() {
            revoke(&engine, &format!("during-{during}")).unwrap();
            during += 1;
        }
        assert!(made.join().unwrap() >= 200);
        during
    });
    assert!(during > 0);
    // It is a log of its own kind at once.
    let restored = open(Log::sqlite(&backup)).unwrap();
    assert_eq!(status(&restored, &token("before-199")), Status::TokenRevoked);
}

#[test]
fn a_restore_is_noticed_by_who_has_the_log_open_and_loses_nothing_unless_it_is_told_to() {
    let folder = folder();
    let (path, backup) = (folder.path().join("signoff.db"), folder.path().join("backup.db"));
    let engine = create(&path);
    revoke(&engine, "a").unwrap();
    Log::sqlite(&path).back_up(&backup).unwrap();
    let restored = Log::sqlite(&path).restore(&backup).unwrap();
    assert_eq!((restored.revocations, restored.lost), (1, 0), "it lacks nothing");
    revoke(&engine, "b").unwrap();
    let error = Log::sqlite(&path).restore(&backup).unwrap_err();
    assert!(matches!(error, Error::Log(LogError::RestoreLoses { lost: 1, .. })), "{error:?}");
    engine.refresh().unwrap();
    assert_eq!(status(&engine, &token("b")), Status::TokenRevoked);

    let restored = Log::sqlite(&path).insecure_restore(&backup).unwrap();
    assert_eq!((restored.revocations, restored.lost), (1, 1));
    // Before it is read, what the index still has is not taken for recorded.
    assert!(matches!(revoke(&engine, "b").unwrap(), Revoked::Recorded { .. }));
    engine.refresh().unwrap();
    assert_eq!(
        (status(&engine, &token("a")), status(&engine, &token("b"))),
        (Status::TokenRevoked, Status::TokenRevoked)
    );
    let restored = Log::sqlite(&path).insecure_restore(&backup).unwrap();
    assert_eq!(restored.lost, 1);
    engine.refresh().unwrap();
    let opened_later = open(Log::sqlite(&path)).unwrap();
    assert_eq!(status(&engine, &token("b")), Status::TokenRevoked, "who knows of it drops nothing");
    assert_eq!(status(&opened_later, &token("b")), Status::Done);
    assert_eq!(status(&opened_later, &token("a")), Status::TokenRevoked);

    // Where there is no log, the backup becomes it; and what is none is refused, and changes nothing.
    let anew = folder.path().join("anew.db");
    assert_eq!(Log::sqlite(&anew).restore(&backup).unwrap().revocations, 1);
    assert_eq!(status(&open(Log::sqlite(&anew)).unwrap(), &token("a")), Status::TokenRevoked);
    // What was written last to a file that is gone would be laid over the new one.
    let gone = folder.path().join("gone.db");
    fs::write(folder.path().join("gone.db-wal"), "frames").unwrap();
    let leftover = Log::sqlite(&gone).restore(&backup).unwrap_err();
    assert!(leftover.to_string().contains("gone.db-wal"), "{leftover}");
    let leftover = open(Log::sqlite(&gone).create_if_missing()).map(|_| ()).unwrap_err();
    assert_eq!(leftover.status(), Status::LogExists);
    // A backup that is damaged in any page replaces nothing.
    let mut damaged = fs::read(&backup).unwrap();
    let last = damaged.len() - 4096;
    damaged[last..].fill(0xa5);
    let torn = folder.path().join("torn.db");
    fs::write(&torn, damaged).unwrap();
    assert_eq!(Log::sqlite(&anew).insecure_restore(&torn).unwrap_err().status(), Status::LogCorrupt);
    let none = folder.path().join("none.db");
    fs::write(&none, "no database at all, and long enough that it could be one").unwrap();
    let foreign = Log::sqlite(&anew).insecure_restore(&none).unwrap_err();
    assert!(foreign.to_string().contains("none.db") && foreign.status() == Status::LogForeign, "{foreign}");
    assert_eq!(status(&open(Log::sqlite(&anew)).unwrap(), &token("a")), Status::TokenRevoked);
}

/// What many a script does, and no document: `cp backup.db signoff.db`, beside processes that have the file open.
#[test]
fn a_backup_that_is_copied_over_the_file_is_noticed_and_what_was_acknowledged_lately_is_recorded_in_it() {
    let folder = folder();
    let (path, backup) = (folder.path().join("signoff.db"), folder.path().join("backup.db"));
    let (engine, idle) = (create(&path), open(Log::sqlite(&path)).unwrap());
    revoke(&engine, "in the backup").unwrap();
    Log::sqlite(&path).back_up(&backup).unwrap();
    for n in 0..300 {
        revoke(&engine, &format!("before-{n}")).unwrap();
    }
    fs::write(&path, fs::read(&backup).unwrap()).unwrap();
    for n in 0..50 {
        revoke(&engine, &format!("behind-{n}")).unwrap();
    }
    revoke(&idle, "by another").unwrap();
    drop((engine, idle));

    let found = open(Log::sqlite(&path)).unwrap();
    for name in ["in the backup", "before-0", "before-299", "behind-0", "behind-49", "by another"] {
        assert_eq!(status(&found, &token(name)), Status::TokenRevoked, "{name}");
    }
    drop(found);
    let check: String =
        Connection::open(&path).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

/// The same in the midst of commits, and of reads that find it out in another thread than the one that commits.
#[test]
fn nothing_that_is_acknowledged_while_the_file_is_overwritten_is_lost() {
    let folder = folder();
    let (path, backup) = (folder.path().join("signoff.db"), folder.path().join("backup.db"));
    let open_threads = || Engine::open(keys(), Policy::new(), Log::sqlite(&path).create_if_missing()).unwrap();
    let (engine, other) = (open_threads(), open_threads());
    Log::sqlite(&path).back_up(&backup).unwrap();
    let content = fs::read(&backup).unwrap();
    let acknowledged: Vec<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let engine = if writer % 2 == 0 { &engine } else { &other };
                scope.spawn(move || {
                    let names = (0..150).map(|n| format!("{writer}-{n}"));
                    names.filter(|name| revoke(engine, name).is_ok()).collect::<Vec<_>>()
                })
            })
            .collect();
        while !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            fs::write(&path, &content).unwrap();
            // As long as nobody has acknowledged something new.
            let _some = revoke(&engine, "between");
        }
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    drop((engine, other));
    println!("{} of 600 were acknowledged", acknowledged.len());
    assert!(!acknowledged.is_empty());
    let found = open(Log::sqlite(&path)).unwrap();
    let lost: Vec<_> =
        acknowledged.iter().filter(|name| status(&found, &token(name)) != Status::TokenRevoked).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());
}

#[test]
fn a_restore_keeps_what_the_log_asks_of_every_token() {
    let folder = folder();
    let (path, backup) = (folder.path().join("signoff.db"), folder.path().join("backup.db"));
    drop(create(&path));
    Log::sqlite(&path).back_up(&backup).unwrap();
    let hour = Duration::from_secs(3600);
    drop(open(Log::sqlite(&path).longest_lifetime(hour).issued_in_future_max(Duration::from_secs(1))).unwrap());
    Log::sqlite(&path).restore(&backup).unwrap();
    let raised = open(Log::sqlite(&path).longest_lifetime(2 * hour)).map(|_| ()).unwrap_err();
    assert_eq!(raised.status(), Status::LogLifetime);
    let raised = open(Log::sqlite(&path).issued_in_future_max(Duration::from_secs(9))).map(|_| ()).unwrap_err();
    assert_eq!(raised.status(), Status::LogAllowance);
}

#[test]
fn a_backup_that_can_not_be_made_says_which_file_is_at_fault_and_leaves_nothing() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    revoke(&create(&path), "a").unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("a-directory")).unwrap();
    fs::write(at("left.db-wal"), "what was written last to a file that is gone").unwrap();
    let back_up = |to: &str| Log::sqlite(&path).back_up(at(to)).unwrap_err();
    assert_eq!(back_up("left.db").status(), Status::LogExists);
    for (to, expected) in [("none/b.db", Status::LogNoDirectory), ("a-directory", Status::LogExists)] {
        let error = back_up(to);
        assert_eq!(error.status(), expected, "{error}");
        assert!(error.to_string().starts_with(at(to).to_str().unwrap()), "{error}");
    }
    let restore = |log: &str, from: &str| Log::sqlite(at(log)).restore(at(from)).unwrap_err().to_string();
    let missing = restore("signoff.db", "mistyped.db");
    assert!(missing.contains("mistyped.db: there is no such file"), "{missing}");
    for error in [restore("signoff.db", "a-directory"), restore("a-directory", "signoff.db")] {
        assert!(error.contains("a-directory: is a directory"), "{error}");
    }
    let directory = open(Log::sqlite(at("a-directory")).create_if_missing()).map(|_| ()).unwrap_err();
    assert!(directory.to_string().contains("a-directory: is a directory"), "{directory}");
    let hidden = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let hidden: Vec<_> = hidden.filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

/// Fills a log with rows that have expired, and one that has not.
fn with_expired_rows(path: &Path, count: u32) {
    let now = Times::now().wall().as_secs() * 1000;
    let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO revocation (batch, scope, value, issuer, keep_until, recorded_at)
        SELECT 1, 'token', 'jti:an id of some length, so that the rows take room ' || i, '*', ?2, ?2 FROM n";
    Connection::open(path).unwrap().execute(insert, [i64::from(count), now - 1000]).unwrap();
    revoke(&open(Log::sqlite(path)).unwrap(), "kept").unwrap();
}

#[test]
fn a_compaction_gives_room_back_in_steps_and_a_file_of_an_earlier_version_is_written_anew_once_if_asked() {
    let folder = folder();
    let (new, earlier) = (folder.path().join("new.db"), folder.path().join("earlier.db"));
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    drop(create(&new));
    drop(create(&earlier));
    // As it was made before.
    Connection::open(&earlier).unwrap().execute_batch("PRAGMA auto_vacuum = NONE; VACUUM").unwrap();
    for path in [&new, &earlier] {
        with_expired_rows(path, 30_000);
        assert!(size(path) > 2_000_000);
        let engine = open(Log::sqlite(path)).unwrap();
        let done = engine.compact(ClockTrust::Doubt).unwrap();
        assert_eq!(done.deleted, 30_000);
        assert_eq!(done.rewrite_needed, path == &earlier);
        assert_eq!(size(path) < 200_000, path == &new, "{}", size(path));
        assert_eq!(status(&engine, &token("kept")), Status::TokenRevoked);
    }
    let engine = open(Log::sqlite(&earlier)).unwrap();
    engine.rewrite_log().unwrap();
    assert!(size(&earlier) < 200_000);
    drop(engine);
    with_expired_rows(&earlier, 30_000);
    let engine = open(Log::sqlite(&earlier)).unwrap();
    assert!(!engine.compact(ClockTrust::Doubt).unwrap().rewrite_needed, "from then on it shrinks in steps too");
    assert!(size(&earlier) < 200_000);
    assert_eq!(status(&engine, &token("kept")), Status::TokenRevoked);
}

/// A process that waits for another sleeps between two looks. So the one that collects has to leave pauses.
#[test]
fn log_outs_of_another_process_go_on_while_a_log_is_compacted() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    drop(create(&path));
    with_expired_rows(&path, 60_000);
    let log = Log::sqlite(&path).append_timeout(Duration::from_secs(8)).start_unknown();
    let engine = Engine::open(keys(), Policy::new(), log).unwrap();
    let log_outs = std::thread::scope(|scope| {
        let compaction = scope.spawn(|| open(Log::sqlite(&path)).unwrap().compact(ClockTrust::Doubt).unwrap());
        let mut log_outs = 0;
        while !compaction.is_finished() {
            revoke(&engine, &format!("during-{log_outs}")).unwrap();
            log_outs += 1;
        }
        // The threads of the engine here may have come to some of them first.
        assert!(compaction.join().unwrap().deleted <= 60_000);
        log_outs
    });
    assert!(log_outs > 0);
    assert_eq!(open(Log::sqlite(&path)).unwrap().revocations().unwrap().count(), log_outs + 1);
}

#[test]
fn several_engines_on_one_file_follow_each_other_by_their_own_threads() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    let log = Log::sqlite(&path).create_if_missing();
    let engines: Vec<_> = (0..3).map(|_| Engine::open(keys(), Policy::new(), log.clone()).unwrap()).collect();
    for (n, engine) in engines.iter().enumerate() {
        let token = token(&format!("t{n}"));
        revoke(engine, &format!("t{n}")).unwrap();
        assert_eq!(status(engine, &token), Status::TokenRevoked, "at once where it was revoked");
        let started = Instant::now();
        while engines.iter().any(|other| status(other, &token) != Status::TokenRevoked) {
            assert!(started.elapsed() < Duration::from_secs(30), "an engine does not follow");
            std::thread::yield_now();
        }
    }
    let names = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.starts_with("signoff-")).count()
    };
    assert!(!cfg!(target_os = "linux") || names() >= 9, "{}", names());
}

#[test]
fn callers_that_revoke_at_once_share_commits_and_each_is_told() {
    let folder = folder();
    let engine =
        Engine::open(keys(), Policy::new(), Log::sqlite(folder.path().join("s.db")).create_if_missing()).unwrap();
    std::thread::scope(|scope| {
        for caller in 0..16 {
            let engine = &engine;
            scope.spawn(move || {
                for n in 0..20 {
                    assert!(matches!(revoke(engine, &format!("{caller}-{n}")).unwrap(), Revoked::Recorded { .. }));
                    assert_eq!(status(engine, &token(&format!("{caller}-{n}"))), Status::TokenRevoked);
                }
            });
        }
    });
    assert_eq!(engine.revocations().unwrap().count(), 320);
}

#[test]
fn a_large_log_is_read_whole_and_its_progress_is_told() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    drop(create(&path));
    let records = 150_000;
    Connection::open(&path)
        .unwrap()
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
             INSERT INTO revocation (batch, scope, value, issuer, recorded_at) SELECT 1, 'token', 'jti:t' || i, '*', 0 FROM n",
            [records],
        )
        .unwrap();
    let mut told = Vec::new();
    let log = Log::sqlite(&path).threads(Threads::None);
    let engine = Engine::open_with_progress(keys(), Policy::new(), log, |progress| told.push(progress.read)).unwrap();
    assert!(told.len() >= 3 && told.is_sorted() && told.last() == Some(&150_000), "{told:?}");
    for n in (0..150_000).step_by(1111) {
        assert_eq!(status(&engine, &token(&format!("t{n}"))), Status::TokenRevoked);
        assert_eq!(status(&engine, &token(&format!("u{n}"))), Status::Done);
    }
    let hurry = Log::sqlite(&path).threads(Threads::None).open_timeout(Duration::ZERO);
    assert_eq!(open(hurry).map(|_| ()).unwrap_err().status(), Status::LogCatchUp);
}

#[test]
fn a_stale_log_is_answered_unavailable_until_it_is_read_again() {
    let folder = folder();
    let engine = create(&folder.path().join("signoff.db"));
    let late = Times::now().since_boot(Duration::from_secs(u64::MAX / 2000));
    let denied = engine.verify_at(&mut Scratch::new(), &token("a"), late).map(|_| ()).unwrap_err();
    assert_eq!(denied.status(), Status::RevocationsStale);
    assert!(matches!(denied, signoff::Denied::Unavailable(Unknown::Stale { .. })));
}

/// Not a test by itself: the process that the next one kills.
#[test]
fn child_that_revokes_until_it_is_killed() {
    let Ok(path) = std::env::var("SIGNOFF_TEST_CHILD_LOG") else { return };
    let start: u64 = std::env::var("SIGNOFF_TEST_CHILD_START").unwrap().parse().unwrap();
    let engine = Engine::open(keys(), Policy::new(), Log::sqlite(PathBuf::from(path))).unwrap();
    use std::io::Write;
    let mut acknowledged = std::io::stdout().lock();
    for n in start.. {
        revoke(&engine, &format!("k{n}")).unwrap();
        writeln!(acknowledged, "\nack {n}").unwrap();
        acknowledged.flush().unwrap();
    }
}

fn child_that_revokes(path: &Path, start: u64) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_revokes_until_it_is_killed", "--nocapture"])
        .env("SIGNOFF_TEST_CHILD_LOG", path)
        .env("SIGNOFF_TEST_CHILD_START", start.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn every_acknowledged_revocation_outlives_200_kills() {
    let folder = folder();
    let path = folder.path().join("signoff.db");
    drop(create(&path));
    let (mut next, mut acknowledged) = (0, Vec::new());
    for round in 0..200_u64 {
        let mut child = child_that_revokes(&path, next);
        // The points are spread over the work: after so many acknowledgements, and so many microseconds on.
        let output = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut seen = 0;
        for line in std::io::BufRead::lines(output).map_while(Result::ok) {
            if let Some(n) = line.strip_prefix("ack ").and_then(|n| n.parse::<u64>().ok()) {
                acknowledged.push(n);
                next = next.max(n + 1);
                seen += 1;
                if seen == 1 + round % 7 {
                    let until = Instant::now() + Duration::from_micros(round * 7919 % 700);
                    while Instant::now() < until {
                        std::hint::spin_loop();
                    }
                    // SIGKILL. What it still wrote to the pipe is read on, and was acknowledged too.
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        next += 1;
    }
    assert!(acknowledged.len() >= 200);
    let engine = open(Log::sqlite(&path)).unwrap();
    for n in &acknowledged {
        assert_eq!(status(&engine, &token(&format!("k{n}"))), Status::TokenRevoked, "{n} was acknowledged");
    }
    let sound: String =
        Connection::open(&path).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

/// A log that was moved away for a while stands for a disk that was full.
#[test]
fn what_is_not_durable_is_appended_again_whatever_was_recorded_meanwhile() {
    let folder = folder();
    let (path, aside) = (folder.path().join("signoff.db"), folder.path().join("aside.db"));
    let engine = create(&path);
    let now = Times::now().wall();
    let subject = |issued_before| Revocation::subject("u").issued_before(issued_before);
    fs::rename(&path, &aside).unwrap();
    engine.revoke(subject(now)).unwrap_err();
    engine.revoke(Revocation::session("s")).unwrap_err();
    fs::rename(&aside, &path).unwrap();
    // Neither a narrower issuer nor an earlier cut-off makes up for what was not recorded.
    assert!(matches!(engine.revoke(Revocation::session("s").issuer("i")).unwrap(), Revoked::Recorded { .. }));
    assert!(matches!(engine.revoke(subject(now.minus(HOUR))).unwrap(), Revoked::Recorded { .. }));
    assert!(matches!(engine.revoke(Revocation::session("s")).unwrap(), Revoked::Recorded { .. }));
    assert!(matches!(engine.revoke(subject(now)).unwrap(), Revoked::Recorded { .. }));
    // Now they are, and that is remembered.
    assert_eq!(engine.revoke(Revocation::session("s")).unwrap(), Revoked::AlreadyCovered);
    assert_eq!(engine.revoke(subject(now)).unwrap(), Revoked::AlreadyCovered);
}
