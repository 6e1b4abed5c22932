//! Taking back a log-out that was made by mistake, where many nodes hold it and put back what a server has lost.
#![cfg(all(feature = "redis", feature = "sqlite"))]

mod common;
mod redis_nodes;
mod redis_server;

use redis_nodes::{all_refuse, names, node, open, revoke, revoke_all, status, token, until, with_replica};
use redis_server::proxy::Proxy;
use redis_server::{RedisServer, is_there};
use signoff::{Engine, Log, Record, Revoked, Status, Threads};

/// The record of a token's log-out.
fn record_of(node: &Engine, name: &str) -> Record {
    let value = format!("jti:{name}");
    let mut all = node.revocations().unwrap().map(Result::unwrap);
    all.find(|record| record.target.value() == value).unwrap()
}

fn erase(node: &Engine, name: &str) {
    assert_eq!(node.insecure_erase(&[record_of(node, name)]).unwrap(), 1);
}

fn all_accept(nodes: &[&Engine], name: &str) {
    let token = token(name);
    for (number, node) in nodes.iter().enumerate() {
        until(&format!("node {number} accepts {name}"), || status(node, &token) == Status::Done);
    }
}

#[test]
fn what_was_erased_is_good_again_everywhere_and_nobody_puts_it_back() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let (url, folder) = (server.url(""), tempfile::tempdir().unwrap());
    let with_file = || open(Log::redis(&url).create_if_missing().local_file(folder.path().join("copy.db"))).unwrap();
    let (one, other, file) = (node(&url), node(&url), with_file());
    revoke_all(&one, &names(0..3));
    all_refuse(&[&one, &other, &file], &names(0..3));
    erase(&other, "jti-1");
    all_accept(&[&one, &other, &file], "jti-1");
    all_refuse(&[&one, &other, &file], &["jti-0".to_owned(), "jti-2".to_owned()]);
    // Each gives the server what it holds, but for that, and tells it again what was erased.
    server.run::<()>(&["FLUSHALL"]);
    until("it is made anew", || server.run::<i64>(&["XLEN", "{signoff}:stream"]) >= 2);
    until("it knows what was erased", || server.run::<i64>(&["SCARD", "{signoff}:erased"]) == 1);
    let new = node(&url);
    all_refuse(&[&one, &other, &file, &new], &["jti-0".to_owned(), "jti-2".to_owned()]);
    all_accept(&[&one, &other, &file, &new], "jti-1");
    drop(file);
    all_accept(&[&with_file()], "jti-1");
    // What is logged out afterwards is another log-out.
    assert!(matches!(revoke(&one, "jti-1").unwrap(), Revoked::Recorded { .. }));
    all_refuse(&[&one, &other, &new, &with_file()], &names(0..3));
}

#[test]
fn a_node_that_was_away_with_its_file_hears_of_it() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let (url, folder) = (server.url(""), tempfile::tempdir().unwrap());
    let away = || open(Log::redis(&url).create_if_missing().local_file(folder.path().join("copy.db"))).unwrap();
    let one = node(&url);
    revoke_all(&one, &names(0..3));
    let before = away();
    all_refuse(&[&before], &names(0..3));
    drop(before);
    erase(&one, "jti-2");
    let again = away();
    all_accept(&[&again], "jti-2");
    all_refuse(&[&again], &names(0..2));
    until("the file is without it", || {
        let file = rusqlite::Connection::open(folder.path().join("copy.db")).unwrap();
        let count = "SELECT count(*) FROM revocation WHERE value = 'jti:jti-2'";
        file.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap() == 0
    });
    drop(again);
    server.run::<()>(&["FLUSHALL"]);
    // The file itself knows it.
    all_accept(&[&away(), &one], "jti-2");
    all_refuse(&[&away(), &one], &names(0..2));
}

#[test]
fn a_replica_that_had_not_heard_of_it_when_it_was_promoted_is_told() {
    if !is_there() {
        return;
    }
    let (primary, replica) = with_replica();
    let wire = Proxy::to(primary.port);
    let url = format!("redis://127.0.0.1:{}", wire.port);
    let (one, other) = (node(&url), open(Log::redis(&url).threads(Threads::None)).unwrap());
    revoke_all(&one, &names(0..3));
    other.refresh().unwrap();
    until("the replica has them", || replica.run::<i64>(&["XLEN", "{signoff}:stream"]) == 3);
    replica.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    erase(&one, "jti-0");
    drop(primary);
    wire.lead_to(replica.port);
    until("it is told", || replica.run::<i64>(&["SCARD", "{signoff}:erased"]) == 1);
    until("the other hears of it", || {
        let _reads = other.refresh();
        status(&other, &token("jti-0")) == Status::Done
    });
    all_accept(&[&one, &node(&replica.url(""))], "jti-0");
    all_refuse(&[&one, &other, &node(&replica.url(""))], &names(1..3));
}

#[test]
fn nobody_says_that_a_token_is_logged_out_by_what_was_just_erased() {
    if !is_there() {
        return;
    }
    let server = RedisServer::start(&[]);
    let url = server.url("");
    let (one, behind) = (node(&url), open(Log::redis(&url).threads(Threads::None)).unwrap());
    revoke_all(&one, &names(0..1));
    behind.refresh().unwrap();
    assert!(matches!(revoke(&behind, "jti-0").unwrap(), Revoked::AlreadyCovered));
    erase(&one, "jti-0");
    // It has not heard of it yet, and holds what was erased.
    assert_eq!(status(&behind, &token("jti-0")), Status::TokenRevoked);
    assert!(matches!(revoke(&behind, "jti-0").unwrap(), Revoked::Recorded { .. }));
    all_refuse(&[&one, &node(&url)], &names(0..1));
}
