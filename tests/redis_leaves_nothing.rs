//! What engines on Redis leave behind when they are gone: no thread, no descriptor, no memory, no connection. Alone in its
//! process, so that nothing else is counted.
#![cfg(all(feature = "redis", feature = "sqlite", target_os = "linux"))]

mod common;
mod redis_nodes;
mod redis_server;

use redis_nodes::{all_refuse, names, open, revoke, token, until};
use redis_server::proxy::Proxy;
use redis_server::{RedisServer, is_there};
use signoff::{Engine, Log, OnOutage, Scratch};

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// What the process holds of its own, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn no_thread_descriptor_memory_or_connection_is_left_behind_whatever_failed() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(&[]);
    let wire = Proxy::to(server.port);
    let url = format!("redis://127.0.0.1:{}", wire.port);
    let round = |number: u32| {
        // Before it is measured: what is there already must not grow by what is revoked.
        server.run::<()>(&["FLUSHALL"]);
        let alone = open(Log::redis(&url).create_if_missing()).unwrap();
        let log = Log::redis(&url).local_file(folder.path().join(format!("{number}.db"))).on_outage(OnOutage::Keep);
        let with_file = open(log).unwrap();
        let ids = names(0..200);
        redis_nodes::revoke_all(&alone, &ids);
        all_refuse(&[&alone, &with_file], &ids);
        // The wire is cut, the log is lost, and engines are dropped in the middle of what follows.
        wire.cut();
        server.run::<()>(&["FLUSHALL"]);
        until("somebody puts it back", || server.run::<i64>(&["XLEN", "{signoff}:stream"]) > 0);
        wire.cut_after(300);
        revoke(&with_file, "jti-last").unwrap();
        wire.cut();
        let ask = |engine: &Engine| drop(engine.verify(&mut Scratch::new(), &token("good")));
        ask(&alone);
        drop((alone, with_file));
        until("no connection is left behind", || server.run::<String>(&["CLIENT", "LIST"]).lines().count() <= 1);
    };
    (0..4).for_each(round);
    // The test's own wires are not counted.
    let held = || (count("/proc/self/task"), count("/proc/self/fd"));
    let end_wires = || {
        wire.cut();
        until("the wires have ended", || wire.is_idle());
    };
    end_wires();
    // Two threads of the test harness, and the one that listens for the wires.
    until("no thread is left behind", || held().0 == 3);
    let (before, memory) = (held(), resident());
    (4..16).for_each(round);
    end_wires();
    until("no thread and no descriptor is left behind", || held() == before);
    let grown = resident().saturating_sub(memory);
    assert!(grown < 4096, "{grown} KiB of memory after twelve rounds more");
}
