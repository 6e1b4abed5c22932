//! Random histories of four nodes, three servers and everything that can go wrong between them, held against a model of what the
//! nodes have promised: `make histories MINUTES=30`. Without, some seconds of one.
//!
//! What is promised, and by which it is judged (`histories/model.rs`):
//!
//! - A log-out that was acknowledged as being on a replica is refused by every node that has read since: from `max_staleness` after
//!   the acknowledgement on, whatever has become of servers, wires and nodes, by each of them that answers at all.
//! - A token that nobody has logged out is never refused. A node may say that it can't tell (503).
//! - When everything is well again, every node answers, and so does a new one.
//!
//! - What was logged out and then erased, and that acknowledged, is accepted by every node when all is well again.
//! - What a node could not give to the log binds there; and what it has kept in its file gets to everybody when all is well.
//!
//! Not played: cut-offs of everybody, spared ids, disks (`fsync`), sentinels, a primary that keeps one replica while another is promoted,
//! a primary that comes back empty under its name. `redis.rs` and `redis_faults.rs` have some of it. The seed repeats the choices, and
//! not what threads make of them.
//!
//! Servers have clocks within two seconds of each other, nodes within forty seconds. As many replicas confirm as make a majority of
//! the servers, and who is promoted is the one that has read furthest, as sentinels do it.
#![cfg(all(feature = "redis", feature = "sqlite", target_os = "linux"))]

mod common;
mod histories {
    pub mod cluster;
    pub mod faults;
    pub mod model;
    pub mod node;
    pub mod random;
}
mod redis_server;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use histories::cluster::Cluster;
use histories::faults;
use histories::model::Model;
use histories::node::{Node, work_as_node};
use histories::random::Random;
use redis_server::is_there;

/// How many threads ask for log-outs and verify tokens.
const CALLERS: u64 = 6;

/// How long faults go on before everything is made well and all that was promised is looked at.
const ROUND: Duration = Duration::from_secs(15);

#[test]
fn a_node_of_a_history() {
    work_as_node();
}

#[test]
fn what_was_acknowledged_is_refused_by_every_node_that_answers() {
    if !is_there() {
        return;
    }
    let seconds = std::env::var("HISTORY_SECONDS").map_or(8, |seconds| seconds.parse().unwrap());
    let seed = std::env::var("HISTORY_SEED")
        .map_or_else(|_| std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64, |seed| seed.parse().unwrap());
    println!("HISTORY_SEED={seed}");
    let mut random = Random(seed);
    let mut cluster = Cluster::start();
    let mut nodes: Vec<Node> = (0..4).map(|number| Node::start(number, cluster.port())).collect();
    let (model, until) = (Model::default(), Instant::now() + Duration::from_secs(seconds));
    while Instant::now() < until {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (nodes, model, stop, mut random) = (&nodes, &model, &stop, Random(random.next() ^ caller));
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        model.step(&nodes[random.below(nodes.len())], &mut random);
                    }
                });
            }
            let end = Instant::now() + ROUND.min(until.saturating_duration_since(Instant::now()));
            while Instant::now() < end && !model.has_failed() {
                faults::one(&mut cluster, &nodes, &mut random);
                if random.below(2) == 0 {
                    model.erase(&nodes[random.below(nodes.len())], &mut random);
                }
                std::thread::sleep(Duration::from_millis(100 + random.below(900) as u64));
            }
            stop.store(true, Ordering::Relaxed);
            describe_failure(&model, &cluster, &nodes);
            cluster.make_well();
            nodes.iter().for_each(Node::make_well);
        });
        let new = Node::start(nodes.len(), cluster.port());
        nodes.push(new);
        model.hold_all_to_what_was_promised(&nodes, &mut random, Instant::now() >= until);
        describe_failure(&model, &cluster, &nodes);
        nodes.pop();
        if model.has_failed() {
            break;
        }
    }
    println!("{}", model.summary(&cluster));
    model.end();
}

/// What servers and nodes have of the first token that something was wrong with.
fn describe_failure(model: &Model, cluster: &Cluster, nodes: &[Node]) {
    let Some(name) = model.failed_name() else { return };
    println!("{:?} {name}: {}", std::time::UNIX_EPOCH.elapsed().unwrap_or_default(), cluster.describe(&name));
    for node in nodes {
        println!("node {}: {:?}", node.number, node.ask(&format!("where {name}")));
    }
}
