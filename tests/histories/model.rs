//! What was promised, and whether it is kept.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;

use super::cluster::{Cluster, soon};
use super::node::{MAX_STALENESS, Node};
use super::random::Random;
use crate::common::with_claims;

/// How long an answer may be on its way on a busy machine: what a node said then was true when it was asked.
const SLACK: Duration = Duration::from_secs(2);

/// How far the clocks of servers are apart at most, with the allowance for an `iat` that is ahead.
const CUT_OFF_REACH: i64 = 9;

/// How long tokens live, in seconds: longer than anybody lets this run.
pub const LIFETIME: i64 = 100 * 3600;

#[derive(Default)]
pub struct Model {
    tokens: Mutex<Tokens>,
    failures: Mutex<Vec<String>>,
    log_outs: AtomicU64,
    unclear: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    unknown: AtomicU64,
}

#[derive(Default)]
struct Tokens {
    /// Nobody has asked for anything about them.
    good: Vec<String>,
    /// Until when nodes may go on to accept each: from then on, they have to refuse it.
    promised: Vec<(String, Instant)>,
    /// What nodes have kept in their files, to be given to the log when it is there.
    kept: Vec<String>,
    /// What was logged out and then erased, and is to be accepted by everybody when all is well.
    erased: Vec<String>,
    /// How many of the promised were looked at on every node when all was well.
    looked_at: usize,
    next: u64,
}

fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64
}

impl Model {
    fn name(&self) -> String {
        let mut tokens = self.tokens.lock().unwrap();
        tokens.next += 1;
        format!("{}-{}", std::process::id(), tokens.next)
    }

    fn token(name: &str, iat: i64) -> String {
        with_claims(&format!(
            r#"{{"jti":"t{name}","sid":"s{name}","sub":"u{name}","iat":{iat},"exp":{}}}"#,
            iat + LIFETIME
        ))
    }

    fn fail(&self, what: String) {
        eprintln!("FAILED: {what}");
        self.failures.lock().unwrap().push(what);
    }

    /// The name of the token that the first failure is about.
    pub fn failed_name(&self) -> Option<String> {
        let failures = self.failures.lock().unwrap();
        let token = failures.first()?.split_whitespace().find(|word| word.starts_with("eyJ"))?;
        Some(Self::name_of(token))
    }

    pub fn has_failed(&self) -> bool {
        !self.failures.lock().unwrap().is_empty()
    }

    /// One thing that a caller asks of a node.
    pub fn step(&self, node: &Node, random: &mut Random) {
        match random.below(10) {
            0..=3 => self.log_out(node, random),
            4 => self.log_out_what_expires_soon(node, random),
            _ => self.verify_some(node, random),
        }
    }

    fn log_out(&self, node: &Node, random: &mut Random) {
        let kind = random.below(3);
        // So that a failure says what was logged out, and by whom.
        let (name, iat) = (format!("{}-{}{}", self.name(), ["t", "s", "u"][kind], node.number), now());
        let token = Self::token(&name, iat);
        let asked = match kind {
            0 => format!("token t{name} {}", iat + LIFETIME),
            1 => format!("session s{name}"),
            _ => format!("subject u{name}"),
        };
        self.log_outs.fetch_add(1, Ordering::Relaxed);
        let starts = node.starts();
        let answer = node.ask(&asked);
        // Whom nobody has heard of again, or only one machine: it may be refused, and may be accepted.
        match answer.as_deref() {
            Some("acknowledged" | "covered") => {
                let until = Instant::now() + MAX_STALENESS + SLACK;
                self.tokens.lock().unwrap().promised.push((token, until));
                if asked.starts_with("subject") && random.below(2) == 0 {
                    // Who logs in again later is not meant.
                    let later = Self::token(&name, now() + CUT_OFF_REACH);
                    self.tokens.lock().unwrap().good.push(later);
                }
            }
            Some("kept") => {
                self.hold_to_binding(node, &token, starts);
                self.tokens.lock().unwrap().kept.push(token);
            }
            Some("not-durable" | "indeterminate") => {
                self.unclear.fetch_add(1, Ordering::Relaxed);
                self.hold_to_binding(node, &token, starts);
            }
            // It was killed.
            None => drop(self.unclear.fetch_add(1, Ordering::Relaxed)),
            Some(other) => self.fail(format!("{asked} on node {}: {other}", node.number)),
        }
    }

    /// What a node could not give to the log binds there all the same, unless it was killed since.
    fn hold_to_binding(&self, node: &Node, token: &str, starts: u64) {
        if node.ask(&format!("verify {token}")).as_deref() == Some("accepted") && starts == node.starts() {
            self.fail(format!("node {} accepts what it has logged out itself: {token}", node.number));
        }
    }

    /// For collections to have something to take.
    fn log_out_what_expires_soon(&self, node: &Node, random: &mut Random) {
        let until = now() - 600 + 5 + random.below(10) as i64;
        for _ in 0..5 {
            node.ask(&format!("token t{} {until}", self.name()));
        }
    }

    fn verify_some(&self, node: &Node, random: &mut Random) {
        if random.below(4) == 0 {
            let token = Self::token(&self.name(), now());
            self.tokens.lock().unwrap().good.push(token);
        }
        let (good, logged_out) = {
            let tokens = self.tokens.lock().unwrap();
            // Mostly one of the last, which most could be wrong about.
            let pick = |count: usize, random: &mut Random| match random.below(4) {
                _ if count == 0 => None,
                0 => Some(random.below(count)),
                _ => Some(count - 1 - random.below(count.min(100))),
            };
            let good = pick(tokens.good.len(), random).map(|at| tokens.good[at].clone());
            (good, pick(tokens.promised.len(), random).map(|at| tokens.promised[at].clone()))
        };
        if let Some(token) = good {
            self.hold_to_good(node, &token);
        }
        if let Some((token, until)) = logged_out {
            self.hold_to_logged_out(node, &token, until);
        }
    }

    /// Takes back a log-out that was acknowledged. Until that is acknowledged too, nothing is promised of it.
    pub fn erase(&self, node: &Node, random: &mut Random) {
        let token = {
            let mut tokens = self.tokens.lock().unwrap();
            let recent = tokens.promised.len() - tokens.promised.len().min(200);
            if recent == tokens.promised.len() {
                return;
            }
            let at = recent + random.below(tokens.promised.len() - recent);
            tokens.looked_at = tokens.looked_at.min(at);
            tokens.promised.remove(at).0
        };
        if node.ask(&format!("erase {}", Self::name_of(&token))).as_deref() == Some("erased") {
            self.tokens.lock().unwrap().erased.push(token);
        }
    }

    fn is_promised(&self, token: &str) -> bool {
        self.tokens.lock().unwrap().promised.iter().any(|(promised, _)| promised == token)
    }

    fn name_of(token: &str) -> String {
        let payload = token.split('.').nth(1).unwrap();
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        claims["jti"].as_str().unwrap()[1..].to_owned()
    }

    fn hold_to_good(&self, node: &Node, token: &str) -> bool {
        // One that was issued a moment ahead is good a moment later.
        match node.ask(&format!("verify {token}")).as_deref() {
            Some("accepted") => drop(self.accepted.fetch_add(1, Ordering::Relaxed)),
            Some("can't tell") | None => {
                self.unknown.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            Some("claim-issued-in-future") => return false,
            Some(other) => self.fail(format!("node {} refuses a good token: {other} {token}", node.number)),
        }
        true
    }

    fn hold_to_logged_out(&self, node: &Node, token: &str, until: Instant) -> bool {
        let asked = Instant::now();
        match node.ask(&format!("verify {token}")).as_deref() {
            // It may have been erased since it was taken up.
            Some("accepted") if asked > until && self.is_promised(token) => {
                let late = asked - until;
                self.fail(format!(
                    "node {} accepts what was logged out, {late:?} after its time: {token}",
                    node.number
                ));
            }
            Some("accepted") => drop(self.accepted.fetch_add(1, Ordering::Relaxed)),
            Some("can't tell") | None => {
                self.unknown.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            // By a clock of its own that is behind, until it has found a server.
            Some("claim-issued-in-future") => return false,
            Some("token-revoked" | "token-too-soon") => drop(self.refused.fetch_add(1, Ordering::Relaxed)),
            Some(other) => self.fail(format!("node {} says of what was logged out: {other} {token}", node.number)),
        }
        true
    }

    /// Everything is well: every node answers, refuses what was logged out, and accepts the rest.
    /// Of what was looked at before so, a part each time, and all of it at the end.
    pub fn hold_all_to_what_was_promised(&self, nodes: &[Node], random: &mut Random, is_end: bool) {
        nodes.iter().for_each(Node::make_well);
        let (promised, kept, erased, good) = {
            let mut tokens = self.tokens.lock().unwrap();
            let count = tokens.promised.len();
            let looked_at = std::mem::replace(&mut tokens.looked_at, count);
            let is_wanted =
                |at: usize, random: &mut Random| is_end || at >= looked_at || random.below(looked_at) < 3000;
            let all = tokens.promised.iter().enumerate();
            let promised: Vec<_> = all.filter(|(at, _)| is_wanted(*at, random)).map(|(_, one)| one.clone()).collect();
            (promised, tokens.kept.clone(), tokens.erased.clone(), tokens.good.clone())
        };
        std::thread::scope(|scope| {
            for node in nodes {
                let (promised, kept, erased, good) = (&promised, &kept, &erased, &good);
                scope.spawn(move || {
                    let answers = |token: &str, mut ask: Box<dyn FnMut() -> bool + '_>| {
                        if !soon(&mut ask) {
                            self.fail(format!("node {} does not answer, though all is well: {token}", node.number));
                        }
                    };
                    for (token, until) in promised {
                        answers(token, Box::new(|| self.hold_to_logged_out(node, token, *until)));
                    }
                    // What lay in a file gets to the server, and from there to everybody.
                    for token in kept {
                        let ask = || node.ask(&format!("verify {token}"));
                        if !soon(|| {
                            ask().as_deref() == Some("token-revoked") || ask().as_deref() == Some("token-too-soon")
                        }) {
                            self.fail(format!("node {} never hears of what was kept in a file: {token}", node.number));
                        }
                    }
                    for token in erased {
                        if !soon(|| node.ask(&format!("verify {token}")).as_deref() == Some("accepted")) {
                            self.fail(format!("node {} never hears of what was erased: {token}", node.number));
                        }
                    }
                    for token in good.iter().rev().take(500) {
                        answers(token, Box::new(|| self.hold_to_good(node, token)));
                    }
                });
            }
        });
    }

    pub fn summary(&self, cluster: &Cluster) -> String {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (acknowledged, kept, erased) = {
            let tokens = self.tokens.lock().unwrap();
            (tokens.promised.len(), tokens.kept.len(), tokens.erased.len())
        };
        format!(
            "{} log-outs asked for, {} acknowledged on a replica, {} kept in a local file, {} unclear, {} erased; {} promotions, {} kills of \
             servers; verdicts: {} accepted, {} refused, {} unknown",
            of(&self.log_outs),
            acknowledged,
            kept,
            of(&self.unclear),
            erased,
            cluster.promotions,
            cluster.kills,
            of(&self.accepted),
            of(&self.refused),
            of(&self.unknown),
        )
    }

    pub fn end(&self) {
        let failures = self.failures.lock().unwrap();
        assert!(failures.is_empty(), "{} failures: {:#?}", failures.len(), &failures[..failures.len().min(10)]);
        assert!(!self.tokens.lock().unwrap().promised.is_empty(), "nothing was acknowledged");
    }
}
