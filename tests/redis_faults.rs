//! The log on Redis when its history forks, clocks differ, memory ends and wires go mute. With real servers, whose clocks a test
//! sets.
#![cfg(all(feature = "redis", feature = "sqlite"))]

mod common;
mod redis_nodes;
mod redis_server;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::{keys, with_claims};
use redis_nodes::{
    HOUR, all_refuse, names, node, open, recorded, revoke, revoke_all, status, token, until, with_replica,
};
use redis_server::clock::ShiftedClock;
use redis_server::proxy::Proxy;
use redis_server::{RedisServer, is_there};
use signoff::{
    ClockTrust, CollectionPause, Durability, Engine, Log, NewToken, Note, OnOutage, Origin, Policy, Revocation,
    Revoked, Status, Threads, Times,
};

/// Logs out what expires before the server's clock is ahead by forty seconds, sets it, and has that collected: what is still
/// live in front is written again behind the newest.
fn collect_on(server: &RedisServer, name: &str) {
    let collector = node(&server.url(""));
    let soon = Times::now().wall().plus(Duration::from_secs(30));
    for number in 0..400 {
        let revocation = Revocation::token_id(format!("{name}-expired-{number}"));
        // With the ten minutes that a record is kept longer.
        collector.revoke(revocation.keep_until(soon.minus(Duration::from_secs(600)))).unwrap();
    }
    server.clock.is_ahead_by_secs(40);
    assert!(collector.compact(ClockTrust::Confirmed).unwrap().deleted > 0);
    let first: i64 = server.run::<String>(&["HGET", "{signoff}:state", "first"]).parse().unwrap();
    assert!(first > 80, "the front is gone: {first}");
}

/// Reads on by hand on the node that was away, until both have what the other had.
fn have_all(away: &Engine, theirs: std::ops::Range<u32>, other: &Engine, ours: std::ops::Range<u32>) {
    let has = |node: &Engine, range: &std::ops::Range<u32>| {
        names(range.clone()).iter().all(|name| status(node, &token(name)) == Status::TokenRevoked)
    };
    until("both have all", || {
        let _away = away.refresh();
        has(away, &theirs) && has(other, &ours)
    });
}

/// A primary and what was its replica, each with a history of its own from position 51 on, and a wire to the first.
fn fork() -> (RedisServer, RedisServer, Proxy) {
    let (left, promoted) = with_replica();
    let wire = Proxy::to(left.port);
    let writer = node(&left.url(""));
    revoke_all(&writer, &names(0..50));
    until("the replica has them", || promoted.run::<i64>(&["XLEN", "{signoff}:stream"]) == 50);
    promoted.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    (left, promoted, wire)
}

#[test]
fn a_node_that_was_away_notices_a_fork_that_a_collection_hides_and_puts_back_its_own() {
    if !is_there() {
        return;
    }
    let (left, promoted, wire) = fork();
    let away = open(Log::redis(format!("redis://127.0.0.1:{}", wire.port)).threads(Threads::None)).unwrap();
    revoke_all(&away, &names(50..80));
    away.refresh().unwrap();
    drop(left);
    // Positions 51 to 100 mean something else there, and are gone before it comes.
    let other = node(&promoted.url(""));
    revoke_all(&other, &names(100..150));
    collect_on(&promoted, "other");
    wire.lead_to(promoted.port);
    have_all(&away, 100..150, &other, 50..80);
    all_refuse(&[&node(&promoted.url(""))], &[names(0..80), names(100..150)].concat());
}

/// Somebody has sent one batch to two servers, since the first did not answer, and both have given it the same position.
#[test]
fn a_fork_is_noticed_where_one_batch_stands_at_one_position_in_both_histories() {
    if !is_there() {
        return;
    }
    let (left, promoted, wire) = fork();
    let away = open(Log::redis(format!("redis://127.0.0.1:{}", wire.port)).threads(Threads::None)).unwrap();
    revoke_all(&node(&left.url("")), &names(50..53));
    let other = node(&promoted.url(""));
    revoke_all(&other, &names(100..103));
    for server in [&left, &promoted] {
        server.run::<String>(&["XADD", "{signoff}:stream", "54-777", "of", "both"]);
        server.run::<i64>(&["HSET", "{signoff}:state", "last", "54", "count", "54", "tag", "777"]);
    }
    until("it is read", || {
        away.refresh().unwrap();
        away.stats().log_applied == 54
    });
    drop(left);
    wire.lead_to(promoted.port);
    have_all(&away, 100..103, &other, 50..53);
}

#[test]
fn what_is_sent_a_second_time_is_told_from_the_first() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let wire = Proxy::to(server.port);
    let one = open(Log::redis(format!("redis://127.0.0.1:{}", wire.port)).create_if_missing()).unwrap();
    revoke_all(&one, &names(0..1));
    // It comes to the server, and the answer never comes back.
    wire.delay(Duration::from_millis(300));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| recorded(&one, "jti-1"));
        until("it has come to the server", || server.run::<i64>(&["XLEN", "{signoff}:stream"]) == 2);
        wire.delay(Duration::ZERO);
        wire.cut();
        assert_eq!(asked.join().unwrap(), Durability::Primary);
    });
    let entries = server.run::<Vec<(String, Vec<Vec<u8>>)>>(&["XRANGE", "{signoff}:stream", "-", "+"]);
    let [_, (first, of_first), (second, of_second)] = &entries[..] else { panic!("{entries:?}") };
    let tag = |id: &str| id.split_once('-').unwrap().1.to_owned();
    assert_eq!(of_first, of_second, "it is the same record");
    assert_ne!(tag(first), tag(second));
}

#[test]
fn a_node_that_starts_from_its_file_notices_it_too() {
    if !is_there() {
        return;
    }
    let (left, promoted, wire) = fork();
    let folder = tempfile::tempdir().unwrap();
    let log = || Log::redis(format!("redis://127.0.0.1:{}", wire.port)).local_file(folder.path().join("copy.db"));
    let away = open(log()).unwrap();
    revoke_all(&away, &names(50..80));
    all_refuse(&[&away], &names(0..80));
    drop((away, left));
    let other = node(&promoted.url(""));
    revoke_all(&other, &names(100..150));
    collect_on(&promoted, "other");
    wire.lead_to(promoted.port);
    let again = open(log()).unwrap();
    all_refuse(&[&again, &other, &node(&promoted.url(""))], &[names(0..80), names(100..150)].concat());
}

#[test]
fn a_server_that_starts_again_from_an_older_snapshot_has_another_history_from_there_on() {
    if !is_there() {
        return;
    }
    let mut server = RedisServer::start(&[]);
    let url = server.url("");
    let away = open(Log::redis(&url).create_if_missing().threads(Threads::None)).unwrap();
    revoke_all(&away, &names(0..50));
    server.run::<()>(&["SAVE"]);
    revoke_all(&away, &names(50..80));
    away.refresh().unwrap();
    server.kill();
    server.start_again();
    assert_eq!(server.run::<i64>(&["XLEN", "{signoff}:stream"]), 50);
    let other = node(&url);
    revoke_all(&other, &names(100..150));
    collect_on(&server, "other");
    have_all(&away, 100..150, &other, 50..80);
}

#[test]
fn a_server_that_follows_another_for_a_while_under_connected_nodes_loses_them_nothing() {
    if !is_there() {
        return;
    }
    let (left, promoted, _wire) = fork();
    let url = left.url("");
    let (one, two) = (node(&url), node(&url));
    revoke_all(&one, &names(50..80));
    all_refuse(&[&two], &names(0..80));
    let other = node(&promoted.url(""));
    revoke_all(&other, &names(100..150));
    // It takes over the other's history, and is made the primary again, while nodes stay connected.
    left.run::<()>(&["REPLICAOF", "127.0.0.1", &promoted.port.to_string()]);
    until("it follows", || left.run::<String>(&["INFO", "replication"]).contains("master_link_status:up"));
    left.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    revoke_all(&one, &names(150..160));
    all_refuse(&[&one, &two, &node(&url)], &[names(0..80), names(100..160)].concat());
}

#[test]
fn a_log_that_was_flushed_and_made_anew_and_collected_is_given_back_what_it_had() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let away = open(Log::redis(&url).create_if_missing().threads(Threads::None)).unwrap();
    revoke_all(&away, &names(0..80));
    away.refresh().unwrap();
    server.run::<()>(&["FLUSHALL"]);
    let other = node(&url);
    revoke_all(&other, &names(100..150));
    collect_on(&server, "other");
    have_all(&away, 100..150, &other, 0..80);
}

/// A node of the tests below, in a process whose clock is set: signs a token, and says what it thinks of one.
#[test]
fn node_with_a_clock_of_its_own() {
    let Some(url) = std::env::var_os("SIGNOFF_NODE_URL") else { return };
    let engine = node(url.to_str().unwrap());
    let claims = std::env::var("SIGNOFF_NODE_CLAIMS").unwrap();
    let signed = engine.sign(NewToken::from_json(&claims).expires_in(Duration::from_secs(900))).unwrap();
    println!("\nsigned {}", signed.token());
    let other = std::env::var("SIGNOFF_NODE_TOKEN").unwrap();
    println!("\nfound {:?}", status(&engine, &other));
    if let Ok(subject) = std::env::var("SIGNOFF_NODE_REVOKES") {
        assert!(matches!(engine.revoke(Revocation::subject(subject)).unwrap(), Revoked::Recorded { .. }));
        println!("\nrevoked");
    }
}

/// What such a node says: the token that it signed, and what it thinks of the other.
fn ask_node(url: &str, ahead: i64, claims: &str, other: &str, revokes: Option<&str>) -> (String, String) {
    let clock = ShiftedClock::new();
    clock.is_ahead_by_secs(ahead);
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "node_with_a_clock_of_its_own", "--nocapture", "--test-threads", "1"]);
    command.env("SIGNOFF_NODE_URL", url).env("SIGNOFF_NODE_CLAIMS", claims).env("SIGNOFF_NODE_TOKEN", other);
    revokes.into_iter().for_each(|subject| {
        command.env("SIGNOFF_NODE_REVOKES", subject);
    });
    clock.govern(&mut command);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr))).trim().to_owned()
    };
    assert!(output.status.success(), "{text}");
    (line("signed "), line("found "))
}

#[test]
fn nodes_whose_clocks_are_off_judge_sign_and_log_out_by_the_servers() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let one = open(Log::redis(&url).create_if_missing().longest_lifetime(HOUR)).unwrap();
    let sign = |subject: &str| {
        let claims = format!(r#"{{"sub":"{subject}"}}"#);
        one.sign(NewToken::from_json(&claims).expires_in(Duration::from_secs(20))).unwrap().token().to_owned()
    };
    for (ahead, subject) in [(40, "ahead"), (-40, "behind"), (1800, "far ahead")] {
        let ours = sign("somebody");
        let claims = format!(r#"{{"sub":"{subject}"}}"#);
        let (theirs, found) = ask_node(&url, ahead, &claims, &ours, None);
        assert_eq!(found, "Done", "{ahead}: a token that lives for twenty seconds more");
        assert_eq!(status(&one, &theirs), Status::Done, "{ahead}: what was signed there");
        // A log-out here means it, and one there means ours.
        one.revoke(Revocation::subject(subject)).unwrap();
        let is_refused = |token: &str| matches!(status(&one, token), Status::TokenRevoked | Status::TokenTooSoon);
        assert!(is_refused(&theirs), "{ahead}");
        let (ours, new) = (sign("another"), sign("another"));
        ask_node(&url, ahead, &claims, &new, Some("another"));
        until("it binds", || is_refused(&ours));
        assert_eq!(
            status(&one, &sign("another")),
            Status::Done,
            "{ahead}: who logs in again is not held up by that clock"
        );
    }
}

#[test]
fn one_machines_fast_clock_ends_nobody_elses_tokens() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let one = node(&url);
    let claims = |secs: u64| {
        let now = Times::now().wall();
        with_claims(&format!(
            r#"{{"jti":"good","iat":{},"exp":{}}}"#,
            now.as_secs(),
            now.plus(Duration::from_secs(secs)).as_secs()
        ))
    };
    let signoff = |arguments: &[&str]| {
        let clock = ShiftedClock::new();
        clock.is_ahead_by_secs(1800);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_signoff"));
        clock.govern(command.args(arguments));
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let until_then = Times::now().wall().plus(Duration::from_secs(1860)).as_secs().to_string();
    assert!(signoff(&["revoke", "--log", &url, "--token-id", "somebody's", "--keep-until", &until_then]).0);
    let (is_done, told) = signoff(&["compact", "--log", &url]);
    assert!(!is_done && told.contains("differ by 1"), "{told}");
    assert!(signoff(&["compact", "--log", &url, "--clock-is-right"]).0);
    one.compact(ClockTrust::Confirmed).unwrap();
    assert!(one.health().watermark.unwrap() <= Times::now().wall());
    assert_eq!(status(&one, &claims(900)), Status::Done);
    assert_eq!(status(&one, &token("somebody's")), Status::TokenRevoked);
}

#[test]
fn a_clock_that_is_off_by_more_than_a_minute_is_told_and_collects_nothing() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let one = open(Log::redis(server.url("")).create_if_missing().threads(Threads::None)).unwrap();
    revoke_all(&one, &names(0..1));
    assert_eq!((one.health().note, one.health().is_ready()), (None, true));
    server.clock.is_ahead_by_secs(-3600);
    until("it is told", || one.refresh().is_ok() && one.health().note == Some(Note::ClocksDiffer));
    assert!(one.health().is_ready());
    assert_eq!(one.compact(ClockTrust::Doubt).unwrap().deleted, 0);
    assert!(
        matches!(one.health().collection_pause, Some(CollectionPause::ClocksDiffer { by }) if by > Duration::from_secs(3000))
    );
    server.clock.is_ahead_by_secs(0);
    until("it is well again", || one.refresh().is_ok() && one.health().note.is_none());
}

#[test]
fn a_watermark_that_was_taken_back_is_not_stated_again_by_a_node_that_was_off() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let folder = tempfile::tempdir().unwrap();
    let log = || Log::redis(&url).create_if_missing().local_file(folder.path().join("copy.db"));
    let off = open(log()).unwrap();
    revoke_all(&off, &names(0..3));
    server.clock.is_ahead_by_secs(1800);
    let high = off.compact(ClockTrust::Confirmed).unwrap().watermark.unwrap();
    all_refuse(&[&off], &names(0..1));
    until("the file has it", || {
        let file = rusqlite::Connection::open(folder.path().join("copy.db")).unwrap();
        let text: Option<String> =
            file.query_row("SELECT value FROM fact WHERE name = 'watermark'", [], |row| row.get(0)).ok();
        text.is_some_and(|text| text.parse::<i64>().unwrap() >= high.as_millis())
    });
    drop(off);
    server.clock.is_ahead_by_secs(0);
    let one = node(&url);
    one.insecure_reset_watermark(Times::now()).unwrap();
    let stated = || server.run::<String>(&["HGET", "{signoff}:state", "watermark"]).parse::<i64>().unwrap();
    assert!(stated() < high.as_millis());
    // Also where the log goes back to what it was, and where it is lost.
    let again = open(log()).unwrap();
    revoke_all(&again, &names(3..4));
    assert!(again.health().watermark.unwrap() < high && stated() < high.as_millis());
    server.run::<()>(&["FLUSHALL"]);
    until("it is made anew", || server.run::<i64>(&["XLEN", "{signoff}:stream"]) >= 4);
    until("that is known", || {
        server.run::<Option<String>>(&["HGET", "{signoff}:state", "revision"]) == Some("1".to_owned())
    });
    assert!(stated() < high.as_millis());
}

#[test]
fn one_node_collects_at_a_time() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let one = open(Log::redis(server.url("")).create_if_missing().threads(Threads::None)).unwrap();
    revoke_all(&one, &names(0..2));
    let in_ms = |ms: i64| (Times::now().wall().as_millis() + ms).to_string();
    server.run::<i64>(&["HSET", "{signoff}:state", "collector", "another", "collector_until", &in_ms(400)]);
    let asked = Instant::now();
    one.compact(ClockTrust::Confirmed).unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(300), "it waits until the other is done");
    // One whose clock was wrong holds up nobody.
    server.run::<i64>(&["HSET", "{signoff}:state", "collector", "another", "collector_until", &in_ms(3_600_000)]);
    one.compact(ClockTrust::Confirmed).unwrap();
}

#[test]
fn what_no_replica_has_confirmed_covers_nobodys_log_out() {
    if !is_there() {
        return;
    }
    let (mut primary, replica) = with_replica();
    let url = primary.url("replicas=1&wait=300");
    let (one, two) = (node(&url), node(&url));
    revoke_all(&one, &names(0..1));
    replica.freeze();
    assert_eq!(revoke(&one, "jti-1").unwrap_err().status(), Status::Indeterminate);
    until("the other has read it", || status(&two, &token("jti-1")) == Status::TokenRevoked);
    let told = revoke(&two, "jti-1").unwrap_err();
    assert_eq!(told.status(), Status::Indeterminate, "nothing backs it: {told}");
    replica.thaw();
    until("it is confirmed", || revoke(&two, "jti-1").is_ok());
    primary.kill();
    replica.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    all_refuse(&[&node(&replica.url(""))], &names(0..2));
}

#[test]
fn a_full_server_is_told_before_and_takes_log_outs_again_when_what_has_expired_is_gone() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let one = open(Log::redis(server.url("")).create_if_missing().max_staleness(Duration::from_secs(2))).unwrap();
    let soon = Times::now().wall().plus(Duration::from_secs(30)).minus(Duration::from_secs(600));
    let mut last = None;
    for number in 0..20_000 {
        let until = if number % 2 == 0 { soon } else { Times::now().wall().plus(HOUR) };
        last = Some(one.revoke_async(Revocation::token_id(format!("jti-{number}")).keep_until(until)));
    }
    assert!(matches!(last.unwrap().wait(redis_nodes::SOON), Some(Ok(Revoked::Recorded { .. }))));
    let used = || {
        let memory = server.run::<String>(&["INFO", "memory"]);
        memory.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse::<u64>().unwrap()
    };
    server.run::<()>(&["CONFIG", "SET", "maxmemory", &(used() + used() / 20).to_string()]);
    until("it is told that it is nearly full", || one.health().note == Some(Note::ServerNearlyFull));
    server.run::<()>(&["CONFIG", "SET", "maxmemory", &(used() - 100_000).to_string()]);
    let told = revoke(&one, "when full").unwrap_err();
    assert_eq!(told.status(), Status::NotDurable, "{told}");
    assert_eq!(status(&one, &token("good")), Status::Done, "it can be seen that the server is there");
    server.clock.is_ahead_by_secs(40);
    until("log-outs are taken again", || revoke(&one, "when full").is_ok());
    assert!(one.health().is_ready());
    all_refuse(&[&one, &node(&server.url(""))], &["when full".to_owned(), "jti-19999".to_owned()]);
}

#[test]
fn a_fact_that_the_log_has_lost_is_stated_again_until_it_is_there() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let log = Log::redis(server.url("")).create_if_missing().longest_lifetime(HOUR);
    let one = open(log.issued_in_future_max(Duration::from_secs(2))).unwrap();
    revoke_all(&one, &names(0..2));
    one.compact(ClockTrust::Confirmed).unwrap();
    let facts = "{signoff}:state";
    for _ in 0..3 {
        for name in ["longest_lifetime", "issued_in_future_max", "watermark"] {
            let stated = || server.run::<Option<String>>(&["HGET", facts, name]);
            until(&format!("{name} is stated"), || stated().is_some());
            server.run::<i64>(&["HDEL", facts, name]);
        }
    }
    server.run::<i64>(&["HSET", facts, "longest_lifetime", "86400000"]);
    let stated = || server.run::<String>(&["HGET", facts, "longest_lifetime"]);
    until("the stricter counts", || stated() == HOUR.as_millis().to_string());
}

#[test]
fn what_a_server_refuses_is_certain_not_to_be_there_and_says_what_to_do() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let one = node(&server.url(""));
    revoke_all(&one, &names(0..1));
    let refused = |one: &Engine, name: &str, part: &str| {
        let told = revoke(one, name).unwrap_err();
        assert_eq!(told.status(), Status::NotDurable, "{told}");
        assert!(told.to_string().contains(part), "{told}");
    };
    server.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    refused(&one, "jti-1", "min-replicas-to-write");
    server.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    // Who may not write one of the keys, or may not do one of the things.
    for forbidden in ["-xadd", "-hset"] {
        let words = format!("ACL SETUSER signoff on >secret ~* +@all {forbidden}");
        server.run::<()>(&words.split(' ').collect::<Vec<_>>());
        let limited = open(Log::redis(format!("redis://signoff:secret@127.0.0.1:{}", server.port))).unwrap();
        refused(&limited, "jti-2", "docs/operations.md");
    }
    assert_eq!(server.run::<i64>(&["XLEN", "{signoff}:stream"]), 1);
    let other = RedisServer::start(&[]);
    server.run::<()>(&["REPLICAOF", "127.0.0.1", &other.port.to_string()]);
    refused(&one, "jti-3", "replica");
    // A node of a cluster works until the first failover, and then never again.
    let cluster = RedisServer::start(&["--cluster-enabled", "yes"]);
    let told = open(Log::redis(cluster.url("")).create_if_missing()).map(|_| ()).unwrap_err();
    assert_eq!(told.status(), Status::LogUrl, "{told}");
    assert!(told.to_string().contains("sentinel"), "{told}");
}

#[test]
fn a_wire_that_goes_mute_costs_a_log_out_some_time_and_not_its_record() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let wire = Proxy::to(server.port);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("redis://127.0.0.1:{}", wire.port);
    let log = Log::redis(url).create_if_missing().local_file(folder.path().join("copy.db")).on_outage(OnOutage::Keep);
    let one = open(log).unwrap();
    revoke_all(&one, &names(0..1));
    wire.go_mute();
    assert_eq!(recorded(&one, "jti-1"), Durability::Primary, "the server is there, by another connection");
    all_refuse(&[&one, &node(&server.url(""))], &names(0..2));
}

#[test]
fn sentinels_that_say_nothing_are_passed_over_in_time() {
    if !is_there() {
        return;
    }
    let primary = RedisServer::start(&[]);
    let sentinel = RedisServer::sentinel(&primary);
    // They take a connection, and never say a word.
    let mute: Vec<_> = (0..8).map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap()).collect();
    let mut hosts: Vec<_> = mute.iter().map(|one| format!("127.0.0.1:{}", one.local_addr().unwrap().port())).collect();
    hosts.push(format!("127.0.0.1:{}", sentinel.port));
    let one = node(&format!("redis+sentinel://{}/main", hosts.join(",")));
    assert!(matches!(revoke(&one, "jti-0").unwrap(), Revoked::Recorded { .. }));
}

#[test]
fn a_record_is_bounded() {
    let engine = Engine::open(keys(), Policy::new(), Log::memory()).unwrap();
    let spared = |bytes: usize| (0..1000).fold(Revocation::subject("u"), |one, n| one.keep(format!("{n:0bytes$}")));
    engine.revoke(spared(65)).unwrap();
    for large in [
        spared(66),
        Revocation::subject("u").reason("x".repeat(65_537)),
        Revocation::token_id("x".repeat(600_000)).issuer("y".repeat(600_000)),
    ] {
        assert_eq!(engine.revoke(large).unwrap_err().status(), Status::RevocationInvalid);
    }
}

#[test]
fn a_log_of_the_format_before_is_taken_over_and_who_is_not_updated_can_write_nothing_to_it() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let (stream, facts) = ("{signoff}:log", "{signoff}:facts");
    let until = Times::now().wall().plus(HOUR).as_millis();
    for (id, name) in [("1-0", "jti-0"), ("2-0", "jti-1")] {
        let record = format!(r#"["token","jti:{name}","*",1700000000000,{until}]"#);
        server.run::<String>(&["XADD", stream, id, "batch", "-5", "record", &record]);
    }
    let words = "format 100 identity 0123 losses 0 last 2 count 2 first 1 issued_in_future_max 5000";
    server.run::<i64>(&[&["HSET", facts], &words.split(' ').collect::<Vec<_>>()[..]].concat());
    // It is found and not made, and taken over only where that is said.
    let told = open(Log::redis(server.url(""))).map(|_| ()).unwrap_err();
    assert!(told.status() == Status::LogMissing && told.to_string().contains("create_if_missing"), "{told}");
    assert_eq!(server.run::<String>(&["HGET", facts, "format"]), "100");
    let one = node(&server.url(""));
    assert_eq!(one.health().origin, Some(Origin::Found));
    all_refuse(&[&one], &names(0..2));
    revoke_all(&one, &names(2..4));
    assert_eq!(server.run::<i64>(&["XLEN", "{signoff}:stream"]), 4);
    assert_eq!(server.run::<String>(&["HGET", facts, "format"]), "200", "which is not read there");
    let mut connection = server.connection();
    let refused =
        redis::cmd("XADD").arg(stream).arg("*").arg("batch").arg(1).query::<String>(&mut connection).unwrap_err();
    assert_eq!(refused.code(), Some("WRONGTYPE"));
    // What is live of it is written again as it is, and still known.
    server.clock.is_ahead_by_secs(40);
    collect_all(&one);
    all_refuse(&[&one, &node(&server.url(""))], &names(0..4));
}

/// Has everything collected that has expired.
fn collect_all(one: &Engine) {
    one.compact(ClockTrust::Confirmed).unwrap();
}

#[test]
fn a_log_of_a_later_format_is_left_as_it_is() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let one = node(&server.url(""));
    revoke_all(&one, &names(0..3));
    for later in [["format", "300"], ["streams", "4"]] {
        server.run::<i64>(&["HSET", "{signoff}:state", later[0], later[1]]);
        let told = revoke(&one, "jti-3").unwrap_err();
        assert!(told.status() == Status::NotDurable && told.to_string().contains("newer signoff"), "{told}");
        assert_eq!(one.compact(ClockTrust::Confirmed).unwrap_err().status(), Status::LogNewer, "{later:?}");
        assert_eq!(server.run::<i64>(&["XLEN", "{signoff}:stream"]), 3);
        assert_eq!(open(Log::redis(server.url(""))).map(|_| ()).unwrap_err().status(), Status::LogNewer, "{later:?}");
        server.run::<i64>(&["HSET", "{signoff}:state", "format", "200"]);
    }
}

#[test]
fn a_collection_loses_nothing_where_somebody_else_has_used_up_positions() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let one = node(&server.url(""));
    let soon = Times::now().wall().plus(Duration::from_secs(30)).minus(Duration::from_secs(600));
    for number in 0..10 {
        let until = if number % 2 == 0 { soon } else { Times::now().wall().plus(HOUR) };
        one.revoke(Revocation::token_id(format!("jti-{number}")).keep_until(until)).unwrap();
    }
    let stream = "{signoff}:stream";
    // An entry that was removed again, which the stream remembers, and one at the position of the last.
    let id: String = server.run(&["XADD", stream, "1000-1", "field", "value"]);
    server.run::<i64>(&["XDEL", stream, &id]);
    revoke_all(&one, &["last".to_owned()]);
    server.run::<String>(&["XADD", stream, "1001-9223372036854775807", "field", "value"]);
    server.clock.is_ahead_by_secs(40);
    assert_eq!(one.compact(ClockTrust::Confirmed).unwrap().deleted, 5);
    let live: Vec<_> = (0..10).filter(|number| number % 2 == 1).map(|number| format!("jti-{number}")).collect();
    all_refuse(&[&node(&server.url(""))], &[&live[..], &["last".to_owned()]].concat());
}

#[test]
fn a_file_that_was_a_log_of_its_own_under_a_wrong_clock_tells_the_log_no_time() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    let log = || Log::redis(server.url("")).create_if_missing().local_file(&path);
    drop(open(log()).unwrap());
    // In an outage, say.
    let alone = open(Log::sqlite(&path)).unwrap();
    let days = Times::at(Times::now().wall().plus(Duration::from_secs(6 * 86_400)));
    alone.compact_at(ClockTrust::Confirmed, days).unwrap();
    drop(alone);
    let one = open(log()).unwrap();
    revoke_all(&one, &names(0..2));
    all_refuse(&[&one, &node(&server.url(""))], &names(0..2));
    one.compact(ClockTrust::Confirmed).unwrap();
    assert!(one.health().watermark.unwrap() <= Times::now().wall());
}
