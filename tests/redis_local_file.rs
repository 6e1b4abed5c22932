//! The local file beside a log on Redis: what a node starts from, answers from while the server is away, and puts back from.
#![cfg(all(feature = "redis", feature = "sqlite"))]

mod common;
mod redis_nodes;
mod redis_server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use redis_nodes::{HOUR, all_refuse, names, node, open, recorded, revoke, revoke_all, status, token, until};
use redis_server::{RedisServer, is_there};
use rusqlite::Connection;
use signoff::{ClockTrust, Durability, Engine, Error, Log, OnOutage, Revocation, Status, Threads, Times};
use tempfile::TempDir;

/// A folder, and a file in it for the copy.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    (folder, path)
}

fn with_file(url: &str, path: &Path) -> Log {
    Log::redis(url).create_if_missing().local_file(path)
}

fn keeping(url: &str, path: &Path) -> Log {
    with_file(url, path).on_outage(OnOutage::Keep)
}

fn status_of(opened: Result<Engine, Error>) -> Status {
    opened.map(|_| ()).unwrap_err().status()
}

/// A number from the file, as anybody may read it.
fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn rows(path: &Path) -> i64 {
    number(path, "SELECT count(*) FROM revocation")
}

fn unsent(path: &Path) -> i64 {
    number(path, "SELECT count(*) FROM unsent")
}

/// How many bytes the server has sent to everybody.
fn sent_by(server: &RedisServer) -> u64 {
    let stats = server.run::<String>(&["INFO", "stats"]);
    stats.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:")).unwrap().trim().parse().unwrap()
}

#[test]
fn a_restart_reads_only_what_is_new_from_the_server() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let (_folder, path) = folder();
    let url = server.url("");
    let one = open(with_file(&url, &path)).unwrap();
    let other = node(&url);
    revoke_all(&one, &names(0..1000));
    revoke_all(&other, &names(1000..2000));
    all_refuse(&[&one], &names(1999..2000));
    drop(one);
    assert_eq!((rows(&path), unsent(&path)), (2000, 0), "what was in hand is written when the engine goes");
    revoke_all(&other, &names(2000..2010));
    let before = sent_by(&server);
    let again = open(with_file(&url, &path)).unwrap();
    all_refuse(&[&again], &names(0..2010));
    let taken = sent_by(&server) - before;
    let before = sent_by(&server);
    all_refuse(&[&node(&url)], &names(2009..2010));
    let whole = sent_by(&server) - before;
    assert!(taken * 4 < whole, "{taken} bytes with the file, {whole} without");
    assert_eq!(again.revocations().unwrap().count(), 2010);
}

#[test]
fn while_the_server_is_away_a_node_starts_from_the_file_and_answers_as_long_as_that_is_fresh() {
    if !is_there() {
        return;
    }
    let mut server = RedisServer::start(&[]);
    let (_folder, path) = folder();
    let url = server.url("");
    let log = || with_file(&url, &path).max_staleness(HOUR);
    revoke_all(&open(log()).unwrap(), &names(0..20));
    server.kill();
    let again = open(log()).unwrap();
    assert_eq!(status(&again, &token("jti-19")), Status::TokenRevoked);
    assert_eq!(status(&again, &token("good")), Status::Done);
    let health = again.health();
    assert_eq!(health.fault.map(|fault| fault.status()), Some(Status::LogUnreachable));
    assert!(health.freshness.is_some_and(|age| age < HOUR));
    let owed = unsent(&path);
    assert_eq!(revoke(&again, "jti-20").unwrap_err().status(), Status::NotDurable);
    assert_eq!(status(&again, &token("jti-20")), Status::TokenRevoked, "it binds on this node, and on no other");
    assert_eq!(unsent(&path), owed);
    // As old as it is, it may be too old.
    std::thread::sleep(Duration::from_millis(5));
    let impatient = open(log().max_staleness(Duration::from_millis(1))).unwrap();
    assert_eq!(status(&impatient, &token("jti-19")), Status::TokenRevoked);
    assert_eq!(status(&impatient, &token("good")), Status::RevocationsStale);
    drop(impatient);
    // Without a file, or with one that never had the whole of a log, there is nothing to answer from.
    assert_eq!(status_of(open(Log::redis(&url))), Status::LogUnreachable);
    assert_eq!(status_of(open(with_file(&url, &path.with_extension("new")))), Status::LogUnreachable);
    // The server comes back with nothing.
    server.start_again();
    until("everything is put back", || server.run::<i64>(&["XLEN", "{signoff}:stream"]) >= 20);
    until("the node has seen it", || again.health().fault.is_none());
    all_refuse(&[&again, &node(&url)], &names(0..20));
}

#[test]
fn a_clock_that_was_set_back_makes_the_copy_one_of_unknown_age() {
    if !is_there() {
        return;
    }
    let mut server = RedisServer::start(&[]);
    let (_folder, path) = folder();
    let log = || with_file(&server.url(""), &path).max_staleness(HOUR);
    revoke_all(&open(log()).unwrap(), &names(0..1));
    let url = server.url("");
    server.kill();
    let future = Times::now().wall().plus(HOUR).as_millis();
    let file = Connection::open(&path).unwrap();
    file.execute("UPDATE fact SET value = ?1 WHERE name = 'copy_read_at'", [future.to_string()]).unwrap();
    let again = open(with_file(&url, &path).max_staleness(2 * HOUR)).unwrap();
    assert_eq!(status(&again, &token("jti-0")), Status::TokenRevoked);
    assert_eq!(status(&again, &token("good")), Status::RevocationsUnread);
}

#[test]
fn the_longest_lifetime_holds_while_the_server_is_away_and_is_told_when_it_is_back() {
    if !is_there() {
        return;
    }
    let mut server = RedisServer::start(&["--appendonly", "yes"]);
    let (_folder, path) = folder();
    let url = server.url("");
    let log = |hours| with_file(&url, &path).max_staleness(HOUR).longest_lifetime(hours * HOUR);
    let lasting = |hours: u32| {
        let now = Times::now().wall().as_secs();
        common::with_claims(&format!(r#"{{"jti":"a","iat":{now},"exp":{}}}"#, now + i64::from(hours) * 3600))
    };
    drop(open(log(24)).unwrap());
    server.kill();
    assert_eq!(status_of(open(log(48))), Status::LogLifetime);
    assert_eq!(status(&open(log(24)).unwrap(), &lasting(25)), Status::ClaimLifetime);
    let lower = open(log(12)).unwrap();
    assert_eq!(status(&lower, &lasting(13)), Status::ClaimLifetime);
    assert_eq!(status(&lower, &lasting(11)), Status::Done);
    server.start_again();
    until("the server was told", || {
        server.run::<Option<u64>>(&["HGET", "{signoff}:state", "longest_lifetime"]) == Some(12 * 3_600_000)
    });
}

#[test]
fn revocations_of_an_outage_are_kept_in_the_file_and_given_to_the_log_when_it_is_back() {
    if !is_there() {
        return;
    }
    let mut server = RedisServer::start(&["--appendonly", "yes"]);
    let (_folder, path) = folder();
    let url = server.url("");
    let log = || keeping(&url, &path).max_staleness(HOUR);
    let one = open(log()).unwrap();
    let beside = open(log()).unwrap();
    assert_eq!(recorded(&one, "jti-0"), Durability::Primary);
    until("both have read it", || [&one, &beside].iter().all(|node| node.stats().log_applied == 1));
    server.kill();
    for name in names(1..10) {
        assert_eq!(recorded(&one, &name), Durability::LocalFile);
    }
    // Whoever shares the file knows, and so does whoever starts from it.
    all_refuse(&[&one, &beside], &names(0..10));
    assert_eq!(unsent(&path), 9);
    drop((one, beside));
    let again = open(log()).unwrap();
    assert_eq!(recorded(&again, "jti-10"), Durability::LocalFile);
    all_refuse(&[&again], &names(0..11));
    server.start_again();
    let elsewhere = node(&url);
    all_refuse(&[&elsewhere, &again], &names(0..11));
    assert_eq!(recorded(&again, "jti-11"), Durability::Primary);
    until("nothing is owed to the log any more", || unsent(&path) == 0);
    all_refuse(&[&elsewhere], &names(0..12));
    until("all is read", || again.stats().log_applied >= 12);
    drop(again);
    assert_eq!((elsewhere.revocations().unwrap().count(), rows(&path)), (12, 12), "each is there once");
}

#[test]
fn what_too_few_replicas_confirm_is_kept_too() {
    if !is_there() {
        return;
    }
    let (primary, replica) = redis_nodes::with_replica();
    let (_folder, path) = folder();
    let url = primary.url("replicas=1&wait=500");
    let one = open(keeping(&url, &path).max_staleness(HOUR)).unwrap();
    until("a replica confirms", || recorded(&one, "jti-0") == Durability::Replicas { replicas: 1 });
    replica.freeze();
    for name in names(1..6) {
        assert_eq!(recorded(&one, &name), Durability::LocalFile);
    }
    // It is not sent again and again, though nobody confirms it: once by the revocation, and once from the file.
    until("the primary has it from the file", || unsent(&path) == 0);
    let length = primary.run::<i64>(&["XLEN", "{signoff}:stream"]);
    assert!((6..=11).contains(&length), "{length}");
    replica.thaw();
    all_refuse(&[&one, &node(&url)], &names(0..6));
}

#[test]
fn what_the_server_lost_while_no_node_ran_is_put_back_from_the_file() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let (_folder, path) = folder();
    let url = server.url("");
    let one = open(with_file(&url, &path)).unwrap();
    revoke_all(&one, &names(0..3000));
    drop(one);
    for loss in [&["FLUSHALL"][..], &["DEL", "{signoff}:stream"], &["XTRIM", "{signoff}:stream", "MAXLEN", "=", "1500"]]
    {
        server.run::<()>(loss);
        // Others go on meanwhile, at positions that were given before.
        revoke_all(&node(&url), &names(3000..3005));
        let again = open(Log::redis(&url).local_file(&path)).unwrap();
        until("nothing is owed to the log any more", || unsent(&path) == 0);
        all_refuse(&[&again, &node(&url)], &names(0..3005));
        drop(again);
    }
    let differing = "SELECT count(DISTINCT value) FROM revocation";
    assert_eq!(number(&path, differing), 3005);
}

#[test]
fn a_replica_that_is_promoted_without_the_last_second_is_given_it_from_the_file() {
    if !is_there() {
        return;
    }
    let (mut primary, replica) = redis_nodes::with_replica();
    let wire = redis_server::proxy::Proxy::to(primary.port);
    let url = format!("redis://127.0.0.1:{}", wire.port);
    let (_folder, path) = folder();
    let one = open(with_file(&url, &path)).unwrap();
    revoke_all(&one, &names(0..20));
    replica.run::<()>(&["CONFIG", "SET", "replica-serve-stale-data", "yes"]);
    until("the replica has them", || replica.run::<i64>(&["XLEN", "{signoff}:stream"]) == 20);
    replica.freeze();
    revoke_all(&one, &names(20..40));
    drop(one);
    primary.kill();
    replica.thaw();
    replica.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    wire.lead_to(replica.port);
    // At the positions that the lost ones had.
    revoke_all(&node(&url), &names(40..60));
    let again = open(with_file(&url, &path)).unwrap();
    until("nothing is owed to the log any more", || unsent(&path) == 0);
    all_refuse(&[&again, &node(&url)], &names(0..60));
}

#[test]
fn the_file_that_was_the_log_before_redis_becomes_its_copy_and_redis_gets_what_it_holds() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let (_folder, path) = folder();
    let alone = open(Log::sqlite(&path).create_if_missing()).unwrap();
    revoke_all(&alone, &names(0..30));
    alone.revoke(Revocation::subject("u").keep_until(Times::now().wall().plus(HOUR))).unwrap();
    drop(alone);
    let url = server.url("namespace=shop");
    let one = open(with_file(&url, &path)).unwrap();
    all_refuse(&[&one], &names(0..30));
    let other = node(&url);
    all_refuse(&[&other], &names(0..30));
    until("nothing is owed to the log any more", || unsent(&path) == 0);
    assert_eq!(other.revocations().unwrap().count(), 31);
    drop(one);
    assert_eq!(rows(&path), 31);
    // It is of that log from now on, and of no other.
    assert_eq!(status_of(open(with_file(&server.url("namespace=another"), &path))), Status::LogForeign);
    // Whoever must do without the server goes on with the file alone.
    all_refuse(&[&open(Log::sqlite(&path)).unwrap()], &names(0..30));
}

#[test]
fn processes_that_share_the_file_copy_each_revocation_once() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let (_folder, path) = folder();
    let url = server.url("");
    let nodes: Vec<_> = (0..4).map(|_| open(with_file(&url, &path)).unwrap()).collect();
    std::thread::scope(|scope| {
        for (number, node) in (0..).zip(&nodes) {
            scope.spawn(move || revoke_all(node, &names(number * 200..(number + 1) * 200)));
        }
    });
    all_refuse(&nodes.iter().collect::<Vec<_>>(), &names(0..800));
    until("all have read all", || nodes.iter().all(|node| node.stats().log_applied == 800));
    drop(nodes);
    assert_eq!((rows(&path), unsent(&path)), (800, 0));
}

#[test]
fn what_a_collection_writes_again_is_not_copied_again() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let (_folder, path) = folder();
    let url = server.url("");
    let one = open(with_file(&url, &path).threads(Threads::None)).unwrap();
    let now = Times::now();
    for number in 0..40 {
        let until = now.wall().plus(if number % 2 == 0 { Duration::from_secs(60) } else { HOUR });
        one.revoke(Revocation::token_id(format!("jti-{number}")).keep_until(until)).unwrap();
    }
    until("all are copied", || one.refresh().is_ok() && rows(&path) == 40);
    server.clock.is_ahead_by_secs(1200);
    assert_eq!(one.compact(ClockTrust::Confirmed).unwrap().deleted, 20);
    assert_eq!(server.run::<i64>(&["XLEN", "{signoff}:stream"]), 20);
    one.refresh().unwrap();
    drop(one);
    assert_eq!(rows(&path), 20);
    // Another, that had none of it, has all of it.
    let other = path.with_extension("other");
    drop(open(with_file(&url, &other)).unwrap());
    assert_eq!(rows(&other), 20);
}

#[test]
fn a_restart_behind_a_collection_copies_nothing_twice() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let (_folder, path) = folder();
    let url = server.url("");
    let elsewhere = open(Log::redis(&url).create_if_missing().threads(Threads::None)).unwrap();
    let now = Times::now();
    let later = |minutes: u64| Times::at(now.wall().plus(Duration::from_secs(minutes * 60)));
    for number in 0..40 {
        let until = later(if number % 2 == 0 { 1 } else { 600 }).wall();
        elsewhere.revoke(Revocation::token_id(format!("jti-{number}")).keep_until(until)).unwrap();
    }
    drop(open(with_file(&url, &path)).unwrap());
    assert_eq!(rows(&path), 40);
    // First it passes what is before the place where the file stands, and then that place itself.
    elsewhere.compact_at(ClockTrust::Confirmed, later(20)).unwrap();
    drop(open(with_file(&url, &path)).unwrap());
    assert_eq!(number(&path, "SELECT count(DISTINCT value) FROM revocation"), rows(&path));
    elsewhere.revoke(Revocation::token_id("jti-40").keep_until(later(21).wall())).unwrap();
    elsewhere.revoke(Revocation::token_id("jti-41").keep_until(later(600).wall())).unwrap();
    elsewhere.compact_at(ClockTrust::Confirmed, later(40)).unwrap();
    let again = open(with_file(&url, &path)).unwrap();
    for number in (1..40).step_by(2) {
        assert_eq!(status(&again, &token(&format!("jti-{number}"))), Status::TokenRevoked);
    }
    drop(again);
    assert_eq!((number(&path, "SELECT count(DISTINCT value) FROM revocation"), unsent(&path)), (rows(&path), 0));
}

#[test]
fn what_is_put_back_by_one_node_is_not_put_back_by_the_next() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let ((_first, one), (_second, two)) = (folder(), folder());
    let url = server.url("");
    for path in [&one, &two] {
        let node = open(with_file(&url, path)).unwrap();
        revoke_all(&node, &names(0..5000).into_iter().filter(|_| path == &one).collect::<Vec<_>>());
        all_refuse(&[&node], &names(4999..5000));
    }
    server.run::<()>(&["FLUSHALL"]);
    for path in [&one, &two] {
        let node = open(with_file(&url, path)).unwrap();
        until("nothing is owed to the log any more", || unsent(path) == 0);
        drop(node);
        assert_eq!(server.run::<i64>(&["XLEN", "{signoff}:stream"]), 5000);
        assert_eq!(rows(path), 5000);
    }
    all_refuse(&[&node(&url)], &names(0..5000));
}

#[test]
fn what_was_recorded_while_the_file_was_the_log_reaches_the_server_when_that_is_back() {
    if !is_there() {
        return;
    }
    let mut server = RedisServer::start(&["--appendonly", "yes"]);
    let (_folder, path) = folder();
    let url = server.url("");
    revoke_all(&open(with_file(&url, &path)).unwrap(), &names(0..5));
    server.kill();
    let alone = open(Log::sqlite(&path)).unwrap();
    all_refuse(&[&alone], &names(0..5));
    revoke_all(&alone, &names(5..10));
    drop(alone);
    server.start_again();
    let again = open(with_file(&url, &path)).unwrap();
    all_refuse(&[&again, &node(&url)], &names(0..10));
}

#[test]
fn a_file_that_can_not_be_written_any_more_leaves_the_node_to_the_server() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let (_folder, path) = folder();
    let url = server.url("");
    let one = open(with_file(&url, &path)).unwrap();
    revoke_all(&one, &names(0..10));
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
    }
    let other = node(&url);
    revoke_all(&one, &names(10..20));
    all_refuse(&[&one, &other], &names(0..20));
    // It even puts back what it could not copy.
    server.run::<()>(&["FLUSHALL"]);
    drop(other);
    until("it notices", || server.run::<i64>(&["XLEN", "{signoff}:stream"]) >= 10);
    let fresh = node(&url);
    all_refuse(&[&one, &fresh], &names(10..20));
    all_refuse(&[&one], &names(0..20));
    assert!(one.health().is_ready() && one.health().fault.is_none());
    drop(one);
    let again = open(with_file(&url, &path)).unwrap();
    all_refuse(&[&again], &names(10..20));
}

#[test]
fn the_copy_ends_before_a_kind_that_only_a_newer_version_knows_and_nothing_is_lost_by_that() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let (_folder, path) = folder();
    let url = server.url("");
    let later = |id: &str| {
        let record = r#"["planet","x","*",6]"#;
        server.run::<()>(&["XADD", "{signoff}:stream", id, "batch", "5", "record", record]);
    };
    let one = open(with_file(&url, &path)).unwrap();
    revoke_all(&one, &names(0..10));
    until("all is read", || one.stats().log_applied == 10);
    later("11-0");
    until("it is met", || status(&one, &token("good")) == Status::RevocationsNewer);
    revoke_all(&one, &names(10..15));
    assert_eq!(status(&one, &token("jti-14")), Status::TokenRevoked);
    drop(one);
    assert!(number(&path, "SELECT CAST(value AS INTEGER) FROM fact WHERE name = 'copy_position'") <= 10);
    // Whoever starts from the file meets it too, and one that knows it would.
    let again = open(with_file(&url, &path)).unwrap();
    assert_eq!(status(&again, &token("good")), Status::RevocationsNewer);
    assert_eq!(status(&again, &token("jti-12")), Status::TokenRevoked);
    // Where everything is lost and the first that is met is of such a kind, what the file has is put back all the same.
    server.run::<()>(&["FLUSHALL"]);
    later("1-0");
    until("it is put back", || server.run::<i64>(&["XLEN", "{signoff}:stream"]) >= 11);
    drop(again);
    let last = open(with_file(&url, &path)).unwrap();
    assert_eq!(status(&last, &token("good")), Status::RevocationsNewer);
    for name in names(0..10) {
        assert_eq!(status(&last, &token(&name)), Status::TokenRevoked);
    }
}

#[test]
fn a_longer_lifetime_than_the_log_states_is_refused_also_when_the_log_comes_later() {
    if !is_there() {
        return;
    }
    let mut server = RedisServer::start(&["--appendonly", "yes"]);
    let url = server.url("");
    drop(open(Log::redis(&url).create_if_missing().longest_lifetime(24 * HOUR)).unwrap());
    server.kill();
    let one = open(Log::redis(&url).start_unknown().longest_lifetime(48 * HOUR)).unwrap();
    server.start_again();
    until("it is told", || one.health().fault.is_some_and(|fault| fault.status() == Status::LogLifetime));
    // It is no passing fault, but logging out works.
    recorded(&one, "jti-0");
    assert_eq!(one.refresh().unwrap_err().status(), Status::LogLifetime);
    assert!(!one.health().is_ready());
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let (_folder, path) = folder();
    let fault = |log: Log| open(log).map(|_| ()).unwrap_err();
    let told = fault(Log::sqlite(&path).create_if_missing().local_file(path.with_extension("copy")));
    assert_eq!(told.status(), Status::LogUrl);
    assert!(told.to_string().contains("`local_file` goes with a log on Redis alone"), "{told}");
    assert_eq!(fault(Log::memory().on_outage(OnOutage::Keep)).status(), Status::LogUrl);
    let told = fault(Log::redis("redis://127.0.0.1:1/?outage=keep"));
    assert!(told.to_string().contains("local file"), "{told}");
    let nowhere = Path::new("/nowhere/copy.db");
    assert_eq!(fault(Log::redis("redis://127.0.0.1:1").local_file(nowhere)).status(), Status::LogNoDirectory);
    let text = path.with_extension("txt");
    std::fs::write(&text, "this is no database").unwrap();
    assert_eq!(fault(Log::redis("redis://127.0.0.1:1").local_file(text)).status(), Status::LogForeign);
}

#[test]
fn whoever_asks_to_start_unknown_starts_without_server_and_file() {
    if !is_there() {
        return;
    }
    let mut server = RedisServer::start(&[]);
    let url = server.url("");
    server.kill();
    let one = open(Log::redis(&url).create_if_missing().start_unknown()).unwrap();
    let careful = open(Log::redis(&url).start_unknown()).unwrap();
    assert_eq!(status(&one, &token("good")), Status::RevocationsUnread);
    until("it is told why", || one.health().fault.is_some_and(|fault| fault.status() == Status::LogUnreachable));
    server.start_again();
    // Nobody makes a log who was not told to.
    until("the log is missed", || {
        careful.health().fault.is_some_and(|fault| fault.status() == Status::LogMissing) || one.health().is_ready()
    });
    all_refuse(&[&one, &careful], &[]);
    revoke_all(&one, &names(0..1));
    all_refuse(&[&one, &careful], &names(0..1));
}
