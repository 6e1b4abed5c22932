//! Nodes that share a log on Redis, and what is asked of them.

#![allow(dead_code, unreachable_pub)] // Each test uses what it needs of it.

use std::time::{Duration, Instant};

use signoff::{Durability, Engine, Error, Log, Policy, Revocation, Revoked, Scratch, Status, Times};

use crate::common::{keys, with_claims};
use crate::redis_server::RedisServer;

pub const HOUR: Duration = Duration::from_secs(3600);

/// How long anything may take that is bound to happen.
pub const SOON: Duration = Duration::from_secs(20);

pub fn open(log: Log) -> Result<Engine, Error> {
    Engine::open(keys(), Policy::new(), log)
}

pub fn node(url: &str) -> Engine {
    open(Log::redis(url).create_if_missing()).unwrap()
}

pub fn token(jti: &str) -> String {
    with_claims(&format!(r#"{{"jti":"{jti}","exp":{}}}"#, Times::now().wall().plus(HOUR)))
}

pub fn status(engine: &Engine, token: &str) -> Status {
    engine.verify(&mut Scratch::new(), token).map_or_else(|denied| denied.status(), |_| Status::Done)
}

pub fn revoke(engine: &Engine, jti: &str) -> Result<Revoked, Error> {
    engine.revoke(Revocation::token_id(jti.to_owned()).keep_until(Times::now().wall().plus(HOUR)))
}

pub fn recorded(engine: &Engine, jti: &str) -> Durability {
    match revoke(engine, jti).unwrap() {
        Revoked::Recorded { durability, .. } => durability,
        other => panic!("{other:?}"),
    }
}

pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < end, "it never happened that {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until every node refuses all of these, and makes sure that each accepts others.
pub fn all_refuse(nodes: &[&Engine], names: &[String]) {
    for (number, node) in nodes.iter().enumerate() {
        for name in names {
            let token = token(name);
            until(&format!("node {number} refuses {name}"), || status(node, &token) == Status::TokenRevoked);
        }
        until(&format!("node {number} accepts others"), || status(node, &token("never revoked")) == Status::Done);
    }
}

/// A server, and a replica that follows it.
pub fn with_replica() -> (RedisServer, RedisServer) {
    let primary = RedisServer::start(&[]);
    let replica = replica_of(&primary);
    (primary, replica)
}

pub fn replica_of(primary: &RedisServer) -> RedisServer {
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &primary.port.to_string()]);
    until("the replica follows", || replica.run::<String>(&["INFO", "replication"]).contains("master_link_status:up"));
    until("the primary counts on it", || primary.run::<String>(&["INFO", "replication"]).contains("state=online"));
    // The first answer may take longer than any that follows.
    let mut connection = primary.connection();
    until("the replica confirms", || {
        redis::cmd("SET").arg("replicated").arg(1).exec(&mut connection).unwrap();
        redis::cmd("WAIT").arg(1).arg(100).query::<usize>(&mut connection).unwrap() == 1
    });
    replica
}

pub fn names(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("jti-{number}")).collect()
}

pub fn revoke_all(engine: &Engine, names: &[String]) {
    for name in names {
        assert!(matches!(revoke(engine, name).unwrap(), Revoked::Recorded { .. }), "{name}");
    }
}
