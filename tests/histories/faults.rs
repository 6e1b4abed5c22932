//! What goes wrong.

use std::time::Duration;

use super::cluster::Cluster;
use super::node::Node;
use super::random::Random;

/// One thing goes wrong, and stays so until something else makes it well, or everything is made well.
pub fn one(cluster: &mut Cluster, nodes: &[Node], random: &mut Random) {
    let node = &nodes[random.below(nodes.len())];
    let fault = random.below(14);
    println!("{:?} fault {fault} of node {}", std::time::UNIX_EPOCH.elapsed().unwrap_or_default(), node.number);
    match fault {
        0..=2 => {
            cluster.promote(random);
            // Nodes find the new one at different times; some stay where they are for as long as they can.
            for node in nodes {
                match random.below(3) {
                    0 => node.wire.lead_next_to(cluster.port()),
                    _ => node.wire.lead_to(cluster.port()),
                }
            }
        }
        3 => cluster.kill_replica(random),
        4 => node.wire.cut(),
        5 => node.wire.cut_after(random.below(3000) as u64),
        6 => node.wire.go_mute(),
        7 => {
            node.kill();
            node.start_again();
        }
        8 | 9 => drop(node.ask("collect")),
        10 => node.clock.is_ahead_by_secs(random.below(81) as i64 - 40),
        11 => {
            cluster.set_clock(random);
            cluster.hold_replicas(Duration::from_millis(random.below(1200) as u64));
        }
        12 => cluster.rejoin(),
        _ => {
            cluster.fill(true);
            std::thread::sleep(Duration::from_millis(random.below(2000) as u64));
            cluster.fill(false);
        }
    }
    // Whoever has been led nowhere finds the way again some day.
    nodes.iter().filter(|_| random.below(6) == 0).for_each(|node| node.wire.lead_to(cluster.port()));
}
