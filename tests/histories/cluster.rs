//! Three servers, of which one is the primary: promoted, killed, cut off, filled up.

use std::time::{Duration, Instant};

use crate::redis_server::RedisServer;

use super::random::Random;

pub struct Cluster {
    servers: Vec<RedisServer>,
    primary: usize,
    pub promotions: u64,
    pub kills: u64,
}

/// Waits for what is bound to happen, and says whether it did.
pub fn soon(mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(90);
    while !is_so() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

impl Cluster {
    pub fn start() -> Self {
        // One that is killed comes back with nothing, and is given what the primary has.
        let servers: Vec<_> = (0..3).map(|_| RedisServer::start(&["--repl-diskless-sync-delay", "0"])).collect();
        let mut cluster = Self { servers, primary: 0, promotions: 0, kills: 0 };
        cluster.make_well();
        cluster
    }

    pub fn port(&self) -> u16 {
        self.servers[self.primary].port
    }

    fn info(&self, server: usize) -> String {
        let asked = || -> redis::RedisResult<String> {
            redis::cmd("INFO").arg("replication").query(&mut self.servers[server].try_connection()?)
        };
        asked().unwrap_or_default()
    }

    fn offset(&self, server: usize) -> i64 {
        let info = self.info(server);
        let line = info.lines().find_map(|line| line.strip_prefix("slave_repl_offset:"));
        line.and_then(|offset| offset.trim().parse().ok()).unwrap_or(-1)
    }

    fn tell(&self, server: usize, words: &[&str]) {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        if let Ok(mut connection) = self.servers[server].try_connection() {
            let _refused = command.exec(&mut connection);
        }
    }

    /// Lets all that are not the primary follow it.
    fn follow_primary(&mut self) {
        let port = self.port().to_string();
        for server in (0..self.servers.len()).filter(|server| *server != self.primary) {
            self.tell(server, &["REPLICAOF", "127.0.0.1", &port]);
        }
    }

    /// Promotes the replica that has read furthest. What was the primary is killed, or goes on by itself for a while, with whoever
    /// stays connected to it.
    pub fn promote(&mut self, random: &mut Random) {
        let old = self.primary;
        let is_killed = random.below(2) == 0;
        // Those that are not in step may lack what was confirmed: nobody promotes them.
        let in_step = |server: &usize| self.info(*server).contains("master_link_status:up");
        let candidates: Vec<usize> = (0..self.servers.len()).filter(|server| *server != old).filter(in_step).collect();
        if candidates.len() < self.servers.len() - 1 {
            return self.rejoin();
        }
        if is_killed {
            self.servers[old].kill();
            self.kills += 1;
        } else {
            // As a majority that can't see it does: nobody who is left confirms what it takes from now on.
            candidates.iter().for_each(|server| self.tell(*server, &["REPLICAOF", "127.0.0.1", "1"]));
        }
        let Some(best) = candidates.into_iter().max_by_key(|server| self.offset(*server)) else { return };
        self.tell(best, &["REPLICAOF", "NO", "ONE"]);
        (self.primary, self.promotions) = (best, self.promotions + 1);
        let port = self.port().to_string();
        for server in (0..self.servers.len()).filter(|server| *server != best && *server != old) {
            self.tell(server, &["REPLICAOF", "127.0.0.1", &port]);
        }
    }

    /// Kills a replica, which comes back with nothing.
    pub fn kill_replica(&mut self, random: &mut Random) {
        let replica = (self.primary + 1 + random.below(self.servers.len() - 1)) % self.servers.len();
        self.servers[replica].kill();
        self.servers[replica].start_again();
        self.kills += 1;
        self.tell(replica, &["REPLICAOF", "127.0.0.1", &self.port().to_string()]);
    }

    /// Takes the room for anything more, or gives it back.
    pub fn fill(&self, is_full: bool) {
        let max = if is_full { "1mb" } else { "0" };
        (0..self.servers.len()).for_each(|server| self.tell(server, &["CONFIG", "SET", "maxmemory", max]));
    }

    pub fn set_clock(&self, random: &mut Random) {
        let server = random.below(self.servers.len());
        self.servers[server].clock.is_ahead_by_secs(random.below(3) as i64 - 1);
    }

    /// Lets replicas stand still for a moment.
    pub fn hold_replicas(&self, time: Duration) {
        let replicas = || (0..self.servers.len()).filter(|server| *server != self.primary);
        replicas().for_each(|server| self.servers[server].freeze());
        std::thread::sleep(time);
        replicas().for_each(|server| self.servers[server].thaw());
    }

    /// Those that were killed or left alone follow the primary again.
    pub fn rejoin(&mut self) {
        self.servers.iter_mut().for_each(RedisServer::start_if_killed);
        self.follow_primary();
    }

    /// What each server has of an entry, and says of the log: for whoever has to find out what went wrong.
    pub fn describe(&self, name: &str) -> String {
        let of = |server: usize| -> redis::RedisResult<String> {
            let mut connection = self.servers[server].try_connection()?;
            let facts: Vec<String> = redis::cmd("HGETALL").arg("{signoff}:state").query(&mut connection)?;
            let entries: Vec<(String, Vec<Vec<u8>>)> =
                redis::cmd("XRANGE").arg("{signoff}:stream").arg("-").arg("+").query(&mut connection)?;
            let has = |fields: &[Vec<u8>]| {
                fields.iter().any(|field| field.windows(name.len()).any(|part| part == name.as_bytes()))
            };
            let at = entries.iter().position(|(_, fields)| has(fields));
            let around = at.map(|at| {
                let near = &entries[at.saturating_sub(3)..(at + 4).min(entries.len())];
                near.iter()
                    .map(|(id, fields)| format!("{id} {}", String::from_utf8_lossy(&fields.concat())))
                    .collect::<Vec<_>>()
            });
            Ok(format!("{} entries, {facts:?}, at {at:?}: {around:#?}", entries.len()))
        };
        let all = (0..self.servers.len()).map(|server| format!("server {server}: {:?}", of(server)));
        format!("primary {}\n{}", self.primary, all.collect::<Vec<_>>().join("\n").replace("\\n", "\n"))
    }

    /// Everybody is there, and follows the primary.
    pub fn make_well(&mut self) {
        self.fill(false);
        self.rejoin();
        let is_well = soon(|| {
            (0..self.servers.len())
                .filter(|server| *server != self.primary)
                .all(|server| self.info(server).contains("master_link_status:up"))
        });
        assert!(is_well, "the servers do not come together");
    }
}
