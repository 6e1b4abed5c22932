//! The log on Redis: nodes that share it, and what becomes of it when servers and wires fail. With real servers.
#![cfg(feature = "redis")]

mod common;
mod redis_nodes;
mod redis_server;

use std::time::{Duration, Instant};

use redis_nodes::{
    HOUR, SOON, all_refuse, names, node, open, recorded, replica_of, revoke, revoke_all, status, token, until,
    with_replica,
};
use redis_server::proxy::Proxy;
use redis_server::{RedisServer, free_port, is_there};
use signoff::{ClockTrust, Durability, Log, Origin, Revocation, Revoked, Status, Threads, Times};

#[test]
fn a_log_out_on_one_node_is_refused_on_all_and_on_those_that_start_later() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("namespace=shop");
    assert_eq!(open(Log::redis(&url)).map(|_| ()).unwrap_err().status(), Status::LogMissing);
    let one = node(&url);
    assert_eq!(one.health().origin, Some(Origin::Created));
    let two = open(Log::at(url.clone())).unwrap();
    assert_eq!(two.health().origin, Some(Origin::Found));
    assert_eq!(recorded(&one, "jti-0"), Durability::Primary);
    assert_eq!(revoke(&one, "jti-0").unwrap(), Revoked::AlreadyCovered);
    all_refuse(&[&one, &two], &names(0..1));
    revoke_all(&two, &names(1..50));
    drop(one);
    all_refuse(&[&two, &node(&url)], &names(0..50));
    // One namespace says nothing about another.
    let other = node(&server.url("namespace=another"));
    assert_eq!(status(&other, &token("jti-0")), Status::Done);
    let listed = two.revocations().unwrap().count();
    assert_eq!(listed, 50);
}

#[test]
fn a_server_that_forgets_everything_is_given_it_back() {
    if !is_there() {
        return;
    }
    let mut server = RedisServer::start(&[]);
    let url = server.url("");
    let (one, two) = (node(&url), node(&url));
    revoke_all(&one, &names(0..20));
    revoke_all(&two, &names(20..40));
    all_refuse(&[&one, &two], &names(0..40));
    server.kill();
    // What is known still binds.
    assert_eq!(status(&one, &token("jti-0")), Status::TokenRevoked);
    server.start_again();
    all_refuse(&[&one, &two], &names(0..40));
    until("everything is put back", || server.run::<i64>(&["XLEN", "{signoff}:stream"]) >= 40);
    all_refuse(&[&node(&url)], &names(0..40));
    // At all hands at once, they do not multiply for ever.
    assert!(server.run::<i64>(&["XLEN", "{signoff}:stream"]) <= 80);
    server.run::<()>(&["FLUSHALL"]);
    revoke_all(&one, &names(40..41));
    until("it is put back again", || server.run::<i64>(&["XLEN", "{signoff}:stream"]) >= 41);
    all_refuse(&[&one, &two, &node(&url)], &names(0..41));
}

#[test]
fn a_server_that_was_killed_has_what_its_append_only_file_has() {
    if !is_there() {
        return;
    }
    let mut server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let url = server.url("");
    let one = node(&url);
    revoke_all(&one, &names(0..20));
    drop(one);
    server.kill();
    server.start_again();
    let again = open(Log::redis(&url)).unwrap();
    all_refuse(&[&again], &names(0..20));
    assert_eq!(server.run::<i64>(&["XLEN", "{signoff}:stream"]), 20);
}

#[test]
fn what_somebody_else_does_to_the_stream_is_noticed_and_made_good() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let (one, two) = (node(&url), node(&url));
    revoke_all(&one, &names(0..30));
    all_refuse(&[&two], &names(0..30));
    let stream = "{signoff}:stream";
    for (number, harm) in [
        &["DEL", stream][..],
        &["XTRIM", stream, "MAXLEN", "5"],
        &["XTRIM", stream, "MAXLEN", "0"],
        &["DEL", "{signoff}:state"],
        &["FLUSHALL"],
    ]
    .iter()
    .enumerate()
    {
        server.run::<redis::Value>(harm);
        let number = 30 + number as u32;
        revoke_all(&one, &names(number..number + 1));
        let all = names(0..number + 1);
        all_refuse(&[&one, &two], &all);
        until(&format!("a new node learns of all after {harm:?}"), || {
            let new = node(&url);
            all.iter().all(|name| status(&new, &token(name)) == Status::TokenRevoked)
        });
    }
    // Junk is passed over, and counted.
    let junk: String = server.run(&["XADD", stream, "*", "scope", "token", "value", "jti:never revoked"]);
    assert!(junk.contains('-'));
    server.run::<String>(&["XADD", stream, "*", "scope", "planet", "value", "jti:never revoked"]);
    revoke_all(&one, &names(90..100));
    all_refuse(&[&one, &two, &node(&url)], &names(90..100));
    until("junk is counted", || two.stats().log_junk >= 2);
}

#[test]
fn a_replica_that_is_promoted_without_the_last_second_is_given_it() {
    if !is_there() {
        return;
    }
    let (mut primary, replica) = with_replica();
    let wire = Proxy::to(primary.port);
    let url = format!("redis://127.0.0.1:{}", wire.port);
    let (one, two) = (node(&url), node(&url));
    revoke_all(&one, &names(0..10));
    all_refuse(&[&two], &names(0..10));
    until("the replica has them", || replica.run::<i64>(&["XLEN", "{signoff}:stream"]) == 10);
    replica.freeze();
    revoke_all(&two, &names(10..20));
    all_refuse(&[&one], &names(10..20));
    primary.kill();
    replica.thaw();
    replica.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    wire.lead_to(replica.port);
    revoke_all(&one, &names(20..40));
    all_refuse(&[&one, &two], &names(0..40));
    until("everything is put back", || replica.run::<i64>(&["XLEN", "{signoff}:stream"]) >= 40);
    all_refuse(&[&node(&url)], &names(0..40));
}

#[test]
fn as_many_replicas_confirm_as_were_asked_for_or_it_is_said_that_they_did_not() {
    if !is_there() {
        return;
    }
    let primary = RedisServer::start(&[]);
    let url = primary.url("replicas=1&wait=2000");
    // Alone, it may be cut off from everything: that is not fresh, and nothing is acknowledged.
    let fault = open(Log::redis(&url).create_if_missing()).map(|_| ()).unwrap_err();
    assert_eq!(fault.status(), Status::LogUnconfirmed, "{fault}");
    let replica = replica_of(&primary);
    let one = open(Log::redis(&url).max_staleness(Duration::from_millis(3000))).unwrap();
    assert_eq!(recorded(&one, "jti-0"), Durability::Replicas { replicas: 1 });
    replica.freeze();
    let fault = revoke(&one, "jti-1").unwrap_err();
    assert_eq!(fault.status(), Status::Indeterminate, "{fault}");
    until("the node does not look fresh", || status(&one, &token("good")) == Status::RevocationsStale);
    assert_eq!(status(&one, &token("jti-1")), Status::TokenRevoked);
    until("it says why", || one.health().fault.is_some_and(|fault| fault.to_string().contains("0 of 1 replicas")));
    replica.thaw();
    all_refuse(&[&one], &names(0..2));
    // Asked for again, it is confirmed.
    assert!(matches!(revoke(&one, "jti-1").unwrap(), Revoked::Recorded { .. }));
}

#[test]
fn a_server_that_does_not_answer_makes_nodes_stale_and_no_node_hang() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let one = open(Log::redis(&url).create_if_missing().max_staleness(Duration::from_millis(500))).unwrap();
    revoke_all(&one, &names(0..3));
    server.freeze();
    until("the node is stale", || status(&one, &token("good")) == Status::RevocationsStale);
    assert_eq!(status(&one, &token("jti-0")), Status::TokenRevoked);
    let asked = Instant::now();
    assert_eq!(revoke(&one, "jti-3").unwrap_err().status(), Status::Indeterminate);
    assert!(asked.elapsed() < Duration::from_secs(15));
    assert_eq!(status(&one, &token("jti-3")), Status::TokenRevoked);
    server.thaw();
    all_refuse(&[&one], &names(0..4));
    assert!(one.health().is_ready() && one.health().fault.is_none());
}

#[test]
fn a_wire_that_is_cut_in_the_middle_of_a_batch_or_slow_loses_nothing() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let wire = Proxy::to(server.port);
    let one = node(&format!("redis://127.0.0.1:{}", wire.port));
    let two = node(&server.url(""));
    for (round, bytes) in [0, 1, 700, 2000, 4000].into_iter().enumerate() {
        wire.cut_after(bytes);
        let round = round as u32 * 10;
        revoke_all(&one, &names(round..round + 10));
        wire.cut();
        all_refuse(&[&one, &two], &names(0..round + 10));
    }
    wire.delay(Duration::from_millis(20));
    revoke_all(&one, &names(50..53));
    revoke_all(&two, &names(53..56));
    all_refuse(&[&one, &two], &names(0..56));
}

#[test]
fn a_server_that_can_not_keep_the_log_is_refused_with_what_to_do() {
    if !is_there() {
        return;
    }
    let fault = |url: &str| open(Log::redis(url).create_if_missing()).map(|_| ()).unwrap_err();
    let dropping = RedisServer::start(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let told = fault(&dropping.url(""));
    assert_eq!(told.status(), Status::LogEviction);
    assert!(told.to_string().contains("maxmemory-policy noeviction"), "{told}");

    let guarded = RedisServer::start(&["--requirepass", "secret"]);
    for url in [guarded.url(""), format!("redis://:wrong@127.0.0.1:{}", guarded.port)] {
        let told = fault(&url);
        assert_eq!(told.status(), Status::LogDenied, "{told}");
        assert!(!told.to_string().contains("wrong@"), "{told}");
    }
    drop(node(&format!("redis://:secret@127.0.0.1:{}", guarded.port)));

    let operator = RedisServer::start(&[]);
    let allowed = "on >secret ~{signoff}:* +@read +@write +@scripting +@transaction +@connection +info +time +wait";
    let words: Vec<_> = ["ACL", "SETUSER", "signoff"].into_iter().chain(allowed.split(' ')).collect();
    operator.run::<()>(&words);
    let one = node(&format!("redis://signoff:secret@127.0.0.1:{}", operator.port));
    revoke_all(&one, &names(0..1));
    let told = fault(&format!("redis://signoff:secret@127.0.0.1:{}/?namespace=others", operator.port));
    assert_eq!(told.status(), Status::LogDenied, "{told}");
    drop(one);

    let told = fault(&format!("redis://127.0.0.1:{}", free_port()));
    assert_eq!(told.status(), Status::LogUnreachable, "{told}");
    assert_eq!(fault("redis://127.0.0.1/?durability=great").status(), Status::LogUrl);

    let primary = RedisServer::start(&[]);
    let one = node(&primary.url(""));
    let taken = node(&primary.url("namespace=mine"));
    drop(taken);
    primary.run::<()>(&["SET", "{theirs}:state", "a shopping list"]);
    assert_eq!(fault(&primary.url("namespace=theirs")).status(), Status::LogForeign);
    let replica = replica_of(&primary);
    until("the replica has the log", || replica.run::<i64>(&["EXISTS", "{signoff}:state"]) == 1);
    let told = fault(&replica.url(""));
    assert_eq!(told.status(), Status::LogReadOnly, "{told}");
    drop(one);
    // Without an append-only file, or on Redis before 7.2, nobody can say what is on the disk.
    let told = fault(&primary.url("fsync=true"));
    assert!(told.status() == Status::LogUrl && told.to_string().contains("7.2"), "{told}");
}

/// Debian 12 has Redis 7.0, which can't say what is on its disk: `REDIS_SERVER=valkey-server` names one that can.
#[test]
fn what_the_server_says_is_on_its_disk_outlives_its_crash() {
    if !is_there() {
        return;
    }
    let mut server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    let url = server.url("fsync=true&wait=5000");
    let knows = server.run::<Vec<redis::Value>>(&["COMMAND", "INFO", "WAITAOF"])[0] != redis::Value::Nil;
    let one = match (open(Log::redis(&url).create_if_missing()), knows) {
        (Err(told), false) => return assert!(told.to_string().contains("7.2"), "{told}"),
        (opened, _) => opened.unwrap(),
    };
    std::thread::scope(|scope| {
        for name in names(0..20) {
            let one = &one;
            scope.spawn(move || assert_eq!(recorded(one, &name), Durability::Fsynced { replicas: 0 }));
        }
    });
    assert!(one.health().is_ready() && one.health().fault.is_none());
    drop(one);
    server.kill();
    server.start_again();
    all_refuse(&[&open(Log::redis(&url)).unwrap()], &names(0..20));
}

#[test]
fn a_server_that_is_out_of_memory_takes_no_revocation_and_says_so() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let one = open(Log::redis(server.url("")).create_if_missing().max_staleness(Duration::from_millis(600))).unwrap();
    revoke_all(&one, &names(0..1));
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let told = revoke(&one, "jti-1").unwrap_err();
    assert_eq!(told.status(), Status::NotDurable, "{told}");
    assert!(told.to_string().contains("maxmemory"), "{told}");
    assert_eq!(status(&one, &token("jti-1")), Status::TokenRevoked);
    // It is there, and read: for longer than a node may be stale.
    let full_since = Instant::now();
    while full_since.elapsed() < Duration::from_millis(1200) {
        assert_eq!(status(&one, &token("good")), Status::Done);
    }
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(matches!(revoke(&one, "jti-1").unwrap(), Revoked::Recorded { .. }));
    all_refuse(&[&one], &names(0..2));
}

#[test]
fn what_has_expired_is_taken_from_the_front_and_what_is_live_is_kept_for_readers_far_behind() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let one = open(Log::redis(&url).create_if_missing().threads(Threads::None)).unwrap();
    let behind = open(Log::redis(&url).threads(Threads::None)).unwrap();
    let now = Times::now();
    let soon = now.wall().plus(Duration::from_secs(60));
    for number in 0..40 {
        let until = if number % 2 == 0 { soon } else { now.wall().plus(HOUR) };
        one.revoke(Revocation::token_id(format!("jti-{number}")).keep_until(until)).unwrap();
    }
    behind.refresh().unwrap();
    server.clock.is_ahead_by_secs(1200);
    let done = one.compact(ClockTrust::Confirmed).unwrap();
    assert_eq!(done.deleted, 20);
    assert_eq!(server.run::<i64>(&["XLEN", "{signoff}:stream"]), 20);
    assert!(done.watermark >= Some(now.wall().plus(Duration::from_secs(1200))));
    // One who had read half of it, and one who reads it for the first time.
    behind.refresh().unwrap();
    let new = open(Log::redis(&url).threads(Threads::None)).unwrap();
    for node in [&behind, &new] {
        for number in (1..40).step_by(2) {
            assert_eq!(status(node, &token(&format!("jti-{number}"))), Status::TokenRevoked, "{number}");
        }
    }
    assert_eq!(behind.health().fault, None);
}

#[test]
#[cfg(feature = "cli")]
fn the_command_line_takes_the_url_where_it_takes_a_path() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("namespace=cli");
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_signoff")).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, _, told) =
        run(&["revoke", "--create", "--log", &url, "--token-id", "jti-0", "--keep-until", "2099-01-01T00:00:00Z"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("made an empty one"), "{told}");
    let (code, listed, told) = run(&["list", "--log", &url]);
    assert!(code == Some(0) && listed.contains("jti-0"), "{listed}{told}");
    all_refuse(&[&node(&url)], &names(0..1));
    let (code, _, told) = run(&["list", "--log", &server.url("namespace=none")]);
    assert!(code != Some(0) && told.contains("there is no log here"), "{told}");
}

#[test]
fn what_was_acknowledged_by_a_server_that_others_have_left_gets_to_where_they_read() {
    if !is_there() {
        return;
    }
    let (left, promoted) = with_replica();
    let wire = Proxy::to(left.port);
    let one = node(&format!("redis://127.0.0.1:{}", wire.port));
    revoke_all(&one, &names(0..3));
    until("the replica has them", || promoted.run::<i64>(&["XLEN", "{signoff}:stream"]) == 3);
    promoted.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    let two = node(&promoted.url(""));
    // The connection that reads leads to the new one, the one that writes stays at the old one, which goes on.
    wire.lead_next_to(promoted.port);
    let clients: String = left.run(&["CLIENT", "LIST"]);
    let reads = |line: &&str| line.contains("cmd=xread") || line.contains("cmd=exec");
    for client in clients.lines().filter(reads) {
        let id = client.split(' ').find_map(|word| word.strip_prefix("id=")).unwrap();
        left.run::<i64>(&["CLIENT", "KILL", "ID", id]);
    }
    assert!(matches!(revoke(&one, "jti-3").unwrap(), Revoked::Recorded { .. }));
    assert_eq!(left.run::<i64>(&["XLEN", "{signoff}:stream"]), 4, "it went to the old one");
    all_refuse(&[&two], &names(0..4));
    revoke_all(&one, &names(4..8));
    all_refuse(&[&one, &two], &names(0..8));
}

#[test]
fn an_id_behind_all_others_stops_log_outs_alone() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let one = open(Log::redis(&url).create_if_missing().max_staleness(Duration::from_millis(1000))).unwrap();
    revoke_all(&one, &names(0..2));
    server.run::<String>(&["XADD", "{signoff}:stream", "18446744073709551615-0", "batch", "1", "record", "x"]);
    let told = revoke(&one, "jti-2").unwrap_err();
    assert_eq!(told.status(), Status::NotDurable, "{told}");
    let new = node(&url);
    for _ in 0..500 {
        assert_eq!(status(&one, &token("never revoked")), Status::Done);
        std::thread::sleep(Duration::from_millis(5));
    }
    all_refuse(&[&new], &names(0..2));
    server.run::<i64>(&["DEL", "{signoff}:stream", "{signoff}:state"]);
    until("log-outs are taken again", || revoke(&one, "jti-3").is_ok());
    until("the rest is put back", || server.run::<i64>(&["XLEN", "{signoff}:stream"]) >= 3);
    all_refuse(&[&node(&url)], &names(0..2));
}

#[test]
fn a_log_that_is_made_anew_by_a_stranger_keeps_its_longest_lifetime() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let day = Duration::from_secs(86_400);
    let one = open(Log::redis(&url).create_if_missing().longest_lifetime(day)).unwrap();
    revoke_all(&one, &names(0..1));
    server.run::<()>(&["FLUSHALL"]);
    drop(node(&url));
    let lifetime = || server.run::<Option<String>>(&["HGET", "{signoff}:state", "longest_lifetime"]);
    until("it is stated again", || lifetime() == Some("86400000".to_owned()));
    assert_eq!(open(Log::redis(&url).longest_lifetime(2 * day)).map(|_| ()).unwrap_err().status(), Status::LogLifetime);
    drop(one);
}

#[test]
fn whoever_may_not_wait_for_replicas_is_told_before_anything_is_logged_out() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let words = "ACL SETUSER signoff on >secret ~{signoff}:* +@all -wait -@dangerous +info";
    server.run::<()>(&words.split(' ').collect::<Vec<_>>());
    let url = format!("redis://signoff:secret@127.0.0.1:{}/?replicas=1", server.port);
    let told = open(Log::redis(url).create_if_missing()).map(|_| ()).unwrap_err();
    assert_eq!(told.status(), Status::LogDenied, "{told}");
}

#[test]
fn more_than_one_step_of_collection_goes_on_past_what_is_live() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let one = open(Log::redis(server.url("")).create_if_missing()).unwrap();
    let now = Times::now();
    let mut last = None;
    for number in 0..12_000 {
        let until = now.wall().plus(if number % 3 == 0 { HOUR } else { Duration::from_secs(60) });
        last = Some(one.revoke_async(Revocation::token_id(format!("jti-{number}")).keep_until(until)));
    }
    assert!(matches!(last.unwrap().wait(SOON), Some(Ok(Revoked::Recorded { .. }))));
    server.clock.is_ahead_by_secs(1200);
    assert_eq!(one.compact(ClockTrust::Confirmed).unwrap().deleted, 8000);
    assert_eq!(server.run::<i64>(&["XLEN", "{signoff}:stream"]), 4000);
}

#[test]
fn sentinels_are_asked_for_the_server_that_was_promoted() {
    if !is_there() {
        return;
    }
    let (mut primary, _replica) = with_replica();
    let sentinel = RedisServer::sentinel(&primary);
    until("the sentinel knows the replica", || {
        sentinel.run::<String>(&["INFO", "sentinel"]).contains("status=ok,address=127.0.0.1") && {
            let replicas: redis::Value = sentinel.run(&["SENTINEL", "REPLICAS", "main"]);
            matches!(replicas, redis::Value::Array(replicas) if !replicas.is_empty())
        }
    });
    // One that is there and says nothing costs some seconds, not more.
    let mute = RedisServer::sentinel(&primary);
    mute.freeze();
    let url = format!("redis+sentinel://127.0.0.1:{},127.0.0.1:{}/main", mute.port, sentinel.port);
    let (one, two) = (node(&url), node(&url));
    revoke_all(&one, &names(0..10));
    all_refuse(&[&two], &names(0..10));
    primary.kill();
    until("a log-out is taken again", || revoke(&one, "jti-10").is_ok());
    all_refuse(&[&one, &two, &node(&url)], &names(0..11));
}

#[test]
#[cfg(feature = "cli")]
fn tls_holds_the_server_to_a_certificate_that_the_system_trusts() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (key, certificate, authority) = (path("key.pem"), path("certificate.pem"), path("authority.pem"));
    let openssl = |arguments: &[&str]| {
        let made = std::process::Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    openssl(&["-subj", "/CN=authority", "-keyout", &path("authority.key"), "-out", &authority]);
    let signed_by =
        ["-CA", &authority, "-CAkey", &path("authority.key"), "-addext", "basicConstraints=critical,CA:FALSE"];
    let names =
        ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", &key, "-out", &certificate];
    openssl(&[&signed_by[..], &names].concat());
    let tls_port = free_port();
    let port = tls_port.to_string();
    let arguments = ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let _server =
        RedisServer::start(&[&arguments[..], &["--tls-ca-cert-file", &authority, "--tls-auth-clients", "no"]].concat());
    let run = |trusted: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_signoff"))
            .args(["revoke", "--create", "--log", &format!("rediss://localhost:{tls_port}"), "--session", "s"])
            .env("SSL_CERT_FILE", trusted)
            .output()
            .unwrap()
    };
    let trusted = run(&authority);
    assert!(trusted.status.success(), "{}", String::from_utf8_lossy(&trusted.stderr));
    std::fs::write(path("none.pem"), "").unwrap();
    let untrusted = run(&path("none.pem"));
    assert!(!untrusted.status.success());
    assert!(String::from_utf8_lossy(&untrusted.stderr).contains("ertificate"), "{untrusted:?}");
}

/// A node of the test below, in a process of its own: logs out, and says what was acknowledged.
#[test]
fn storm_node() {
    let Some(url) = std::env::var_os("SIGNOFF_STORM_URL") else { return };
    let engine = node(url.to_str().unwrap());
    for number in 0.. {
        let name = format!("storm-{}-{number}", std::process::id());
        if revoke(&engine, &name).is_ok() {
            println!("acknowledged {name}");
        }
        assert_eq!(status(&engine, &token("never revoked")), Status::Done);
    }
}

#[test]
fn eight_nodes_of_which_one_is_killed_every_half_second_lose_nothing() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("namespace=storm");
    // Half of them share a local file.
    let folder = tempfile::tempdir().unwrap();
    let with_file = format!("{url}&local_file={}", folder.path().join("copy.db").display());
    let url_of = |number: usize| if cfg!(feature = "sqlite") && number.is_multiple_of(2) { &with_file } else { &url };
    let watcher = node(&url);
    let acknowledged = std::sync::Mutex::new(Vec::new());
    // A minute, where somebody has it: STORM_SECONDS=60.
    let seconds = std::env::var("STORM_SECONDS").map_or(5, |seconds| seconds.parse().unwrap());
    std::thread::scope(|scope| {
        let start = |number| {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "storm_node", "--nocapture", "--test-threads", "1"])
                .env("SIGNOFF_STORM_URL", url_of(number))
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let acknowledged = &acknowledged;
            scope.spawn(move || {
                for line in lines.map_while(Result::ok) {
                    if let Some((_, name)) = line.split_once("acknowledged ") {
                        acknowledged.lock().unwrap().push(name.to_owned());
                    }
                }
            });
            child
        };
        let mut nodes: Vec<Child> = (0..8).map(start).collect();
        for turn in 0..seconds * 2 {
            let before = acknowledged.lock().unwrap().len();
            until("they log out", || acknowledged.lock().unwrap().len() > before);
            std::thread::sleep(Duration::from_millis(500));
            let killed = &mut nodes[turn % 8];
            killed.kill().unwrap();
            killed.wait().unwrap();
            nodes[turn % 8] = start(turn % 8);
            assert_eq!(status(&watcher, &token("never revoked")), Status::Done);
        }
        for mut node in nodes {
            node.kill().unwrap();
            node.wait().unwrap();
        }
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    all_refuse(&[&watcher, &node(&url), &node(url_of(0))], &acknowledged);
    drop(watcher);
    until("no connection is left behind", || server.run::<String>(&["CLIENT", "LIST"]).lines().count() <= 1);
}

/// Drops an engine when it is woken.
struct Owner {
    engine: std::sync::Mutex<Option<signoff::Engine>>,
    is_dropped: std::sync::atomic::AtomicBool,
}

impl std::task::Wake for Owner {
    fn wake(self: std::sync::Arc<Self>) {
        drop(self.engine.lock().unwrap().take());
        self.is_dropped.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn whoever_is_woken_may_drop_the_last_engine() {
    use std::future::Future as _;
    use std::task::{Context, Waker};
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let engine = node(&server.url(""));
    server.freeze();
    let revocation = Revocation::token_id("jti-0").keep_until(Times::now().wall().plus(HOUR));
    let mut revoking = std::pin::pin!(engine.revoke_async(revocation));
    let owner = std::sync::Arc::new(Owner { engine: Some(engine).into(), is_dropped: false.into() });
    let waker = Waker::from(std::sync::Arc::clone(&owner));
    assert!(revoking.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    server.thaw();
    until("the engine is gone", || owner.is_dropped.load(std::sync::atomic::Ordering::SeqCst));
    until("no connection is left behind", || server.run::<String>(&["CLIENT", "LIST"]).lines().count() <= 1);
    all_refuse(&[&node(&server.url(""))], &names(0..1));
}
