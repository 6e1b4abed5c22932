//! A node: an engine in a process of its own, whose clock is set and whose wire is cut, and which is killed.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use signoff::{ClockTrust, Durability, Engine, Log, OnOutage, Policy, Record, Revocation, Revoked, Scratch, UnixTime};

use super::cluster::soon;
use super::model::LIFETIME;
use crate::common::keys;
use crate::redis_server::clock::ShiftedClock;
use crate::redis_server::proxy::Proxy;

/// How old what a node has read may be.
pub const MAX_STALENESS: Duration = Duration::from_secs(4);

/// How long an answer may take at all.
const ANSWER: Duration = Duration::from_secs(60);

type Waiting = Arc<Mutex<HashMap<u64, Sender<String>>>>;

struct Running {
    child: Child,
    input: ChildStdin,
    waiting: Waiting,
}

pub struct Node {
    pub number: usize,
    pub wire: Proxy,
    pub clock: ShiftedClock,
    file: Option<tempfile::TempDir>,
    running: Mutex<Option<Running>>,
    next: AtomicU64,
    starts: AtomicU64,
}

impl Node {
    /// Every second one has a local file, and one of those keeps log-outs there in an outage.
    pub fn start(number: usize, port: u16) -> Self {
        let file = (number % 2 == 1).then(|| tempfile::tempdir().unwrap());
        let (wire, clock) = (Proxy::to(port), ShiftedClock::new());
        let node = Self {
            number,
            wire,
            clock,
            file,
            running: Mutex::default(),
            next: AtomicU64::new(1),
            starts: AtomicU64::new(0),
        };
        node.start_again();
        node
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/?replicas=1&wait=400", self.wire.port)
    }

    pub fn start_again(&self) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "a_node_of_a_history", "--nocapture", "--test-threads", "1"]);
        command.env("HISTORY_URL", self.url()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(file) = &self.file {
            command.env("HISTORY_FILE", file.path().join("copy.db"));
        }
        if let Some(folder) = std::env::var_os("HISTORY_TRACE") {
            let path = std::path::Path::new(&folder).join(format!("node-{}.log", self.number));
            command.stderr(std::fs::File::options().create(true).append(true).open(path).unwrap());
        }
        self.clock.govern(&mut command);
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let waiting = Waiting::default();
        let answered = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let Some((id, answer)) = line.strip_prefix('@').and_then(|line| line.split_once(' ')) else { continue };
                if let Some(sender) = id.parse().ok().and_then(|id: u64| answered.lock().unwrap().remove(&id)) {
                    let _gone = sender.send(answer.to_owned());
                }
            }
            // It was killed: nobody gets an answer any more.
            answered.lock().unwrap().clear();
        });
        *self.running.lock().unwrap() = Some(Running { child, input, waiting });
        self.starts.fetch_add(1, Ordering::SeqCst);
    }

    /// How often it was started.
    pub fn starts(&self) -> u64 {
        self.starts.load(Ordering::SeqCst)
    }

    pub fn kill(&self) {
        if let Some(mut running) = self.running.lock().unwrap().take() {
            running.child.kill().unwrap();
            running.child.wait().unwrap();
        }
    }

    /// What it answers. None where it was killed before it did.
    pub fn ask(&self, words: &str) -> Option<String> {
        let (id, (sender, receiver)) = (self.next.fetch_add(1, Ordering::Relaxed), channel());
        {
            let mut running = self.running.lock().unwrap();
            let Running { input, waiting, .. } = running.as_mut()?;
            waiting.lock().unwrap().insert(id, sender);
            writeln!(input, "{id} {words}").ok()?;
        }
        match receiver.recv_timeout(ANSWER) {
            Ok(answer) => Some(answer),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("node {} hangs: {words}", self.number),
        }
    }

    /// It runs, its wire is whole, and it answers every token.
    pub fn make_well(&self) {
        self.wire.cut();
        if self.running.lock().unwrap().is_none() {
            self.start_again();
        }
        let is_well = soon(|| self.ask("health").is_some_and(|health| health == "ready"));
        assert!(is_well, "node {} does not get well: {:?}", self.number, self.ask("health"));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn answer(engine: &Engine, words: &str) -> String {
    let (command, rest) = words.split_once(' ').unwrap_or((words, ""));
    let revoke = |revocation| match engine.revoke(revocation) {
        Ok(Revoked::Recorded { durability: Durability::Replicas { .. }, .. }) => "acknowledged".to_owned(),
        Ok(Revoked::Recorded { durability: Durability::LocalFile, .. }) => "kept".to_owned(),
        Ok(Revoked::AlreadyCovered) => "covered".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.status().name().to_owned(),
    };
    match command {
        "verify" => match engine.verify(&mut Scratch::new(), rest) {
            Ok(_) => "accepted".to_owned(),
            Err(denied) if denied.status().http_status() == 503 => "can't tell".to_owned(),
            Err(denied) => denied.status().name().to_owned(),
        },
        "token" => {
            let (jti, until) = rest.split_once(' ').unwrap();
            revoke(Revocation::token_id(jti.to_owned()).keep_until(UnixTime::from_secs(until.parse().unwrap())))
        }
        "session" => revoke(Revocation::session(rest.to_owned())),
        "subject" => revoke(Revocation::subject(rest.to_owned())),
        "erase" => {
            let is_meant = |record: &Record| record.target.value().trim_start_matches("jti:").get(1..) == Some(rest);
            let found = engine.revocations().and_then(|all| {
                let found = all.filter(|record| record.as_ref().map_or(true, is_meant));
                Ok(found.collect::<Result<Vec<_>, _>>()?)
            });
            match found.and_then(|found| engine.insecure_erase(&found)) {
                Ok(0) => "none".to_owned(),
                Ok(_) => "erased".to_owned(),
                Err(error) => error.status().name().to_owned(),
            }
        }
        "where" => {
            let listed = engine.revocations().map(|all| {
                let all: Vec<_> = all.filter_map(Result::ok).collect();
                let found: Vec<_> = all.iter().filter(|record| record.target.value().ends_with(rest)).collect();
                format!("{} listed, {found:?}", all.len())
            });
            let stats = engine.stats();
            format!("applied {} head {} {listed:?}", stats.log_applied, stats.log_head).replace('\n', " ")
        }
        "collect" => engine.compact(ClockTrust::Confirmed).map_or_else(
            |error| error.status().name().to_owned(),
            |compaction| format!("collected {}", compaction.deleted),
        ),
        "health" => {
            let health = engine.health();
            let is_well = health.is_ready() && health.fault.is_none();
            if is_well { "ready".to_owned() } else { format!("{:?} {:?}", health.unknown, health.fault) }
        }
        _ => panic!("{words}"),
    }
}

/// Writes what the library tells to standard error, so that it can be read what a node went through.
struct ToStderr;

impl tracing::Subscriber for ToStderr {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!(" {field}={value:?}"));
            }
        }
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        eprintln!("{:?}{}", std::time::UNIX_EPOCH.elapsed().unwrap_or_default(), fields.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// What the process of a node does: what it is told, until nobody tells it anything any more.
pub fn work_as_node() {
    let Ok(url) = std::env::var("HISTORY_URL") else { return };
    if std::env::var_os("HISTORY_TRACE").is_some() {
        tracing::subscriber::set_global_default(ToStderr).unwrap();
    }
    let mut log = Log::redis(url).create_if_missing().start_unknown().max_staleness(MAX_STALENESS);
    log = log.longest_lifetime(Duration::from_secs(LIFETIME as u64));
    if let Some(file) = std::env::var_os("HISTORY_FILE") {
        log = log.local_file(file).on_outage(OnOutage::Keep);
    }
    let opened = Instant::now();
    let engine = loop {
        match Engine::open(keys(), Policy::new(), log.clone()) {
            Ok(engine) => break engine,
            Err(error) => assert!(opened.elapsed() < ANSWER, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let engine = engine.clone();
        std::thread::spawn(move || {
            let (id, words) = line.split_once(' ').unwrap();
            let answer = answer(&engine, words);
            println!("\n@{id} {answer}");
        });
    }
}
