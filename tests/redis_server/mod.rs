//! Redis servers of a test's own: on a free port of the loopback, in a directory of their own, ended with the test.

#![allow(dead_code, unreachable_pub)] // Each test uses what it needs of it.

pub mod clock;
pub mod proxy;

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to come up.
const START: Duration = Duration::from_secs(20);

/// What is started: `redis-server`, or what `REDIS_SERVER` names, a newer Redis or Valkey.
fn program() -> std::ffi::OsString {
    std::env::var_os("REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
}

/// Whether there is a server to start. Says so loudly where there is none, and fails where nothing may be skipped.
pub fn is_there() -> bool {
    let found = Command::new(program()).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("SKIPPED: redis-server is not installed (Debian: redis-server), and the log on Redis was not tested");
        let may_skip = std::env::var_os("REQUIRE_ALL").is_none_or(|all| all.is_empty());
        assert!(may_skip, "redis-server is not installed");
    }
    is_there
}

/// A port that nobody listens on, and that the system gives to no connection that goes out.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add((std::process::id() as u16).wrapping_mul(61));
        // With the port that a node of a cluster has ten thousand above.
        let port = 15_000 + next % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub struct RedisServer {
    pub port: u16,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
    /// What it takes for the time.
    pub clock: clock::ShiftedClock,
    child: Option<Child>,
}

impl RedisServer {
    /// A server that keeps nothing on disk, unless the arguments say so.
    pub fn start(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut server = Self::not_started(arguments);
        server.start_again();
        server
    }

    fn not_started(arguments: Vec<String>) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock::ShiftedClock::new());
        Self { port: free_port(), folder, arguments, clock, child: None }
    }

    /// Something that watches over a server, and promotes its replica when it is gone.
    pub fn sentinel(primary: &Self) -> Self {
        let mut server = Self::not_started(Vec::new());
        let config = server.folder.path().join("sentinel.conf");
        let text = format!(
            "sentinel monitor main 127.0.0.1 {} 1\nsentinel down-after-milliseconds main 500\nsentinel failover-timeout main 5000\n",
            primary.port
        );
        std::fs::write(&config, text).unwrap();
        server.arguments = vec![config.display().to_string(), "--sentinel".to_owned()];
        server.spawn(false);
        server
    }

    /// The same server after it was killed, with what it had on its disk.
    pub fn start_again(&mut self) {
        self.spawn(true);
    }

    fn spawn(&mut self, keeps_data: bool) {
        let mut command = Command::new(program());
        let (first, rest) = self.arguments.split_at(usize::from(!keeps_data));
        command.args(first).args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--dir"]);
        command.arg(self.folder.path()).args(rest);
        if keeps_data {
            command.args(["--save", ""]);
        }
        // It costs a server a system call for each look at the clock, which is not to be measured.
        if cfg!(test) {
            self.clock.govern(&mut command);
        }
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        self.child = Some(child);
        let until = Instant::now() + START;
        while !self.answers() {
            assert!(Instant::now() < until, "redis-server does not come up on port {}", self.port);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn answers(&self) -> bool {
        let ping = || -> redis::RedisResult<()> {
            let mut connection = redis::Client::open(self.plain_url())?.get_connection_with_timeout(START)?;
            match redis::cmd("PING").exec(&mut connection) {
                // It wants a password, and is there.
                Err(error) if error.code() == Some("NOAUTH") => Ok(()),
                other => other,
            }
        };
        ping().is_ok()
    }

    fn plain_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The URL of a log there.
    pub fn url(&self, query: &str) -> String {
        format!("{}/?{query}", self.plain_url())
    }

    /// A connection, if it is there.
    pub fn try_connection(&self) -> redis::RedisResult<redis::Connection> {
        let mut connection =
            redis::Client::open(self.plain_url())?.get_connection_with_timeout(Duration::from_millis(500))?;
        connection.set_read_timeout(Some(Duration::from_secs(2)))?;
        redis::cmd("PING").exec(&mut connection)?;
        Ok(connection)
    }

    pub fn start_if_killed(&mut self) {
        if self.child.is_none() {
            self.start_again();
        }
    }

    /// A connection beside those of signoff.
    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(self.plain_url()).unwrap().get_connection_with_timeout(START).unwrap()
    }

    /// Does a command of somebody else.
    pub fn run<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(word);
        });
        command.query(&mut self.connection()).unwrap()
    }

    /// Ends it as a crash does: it writes nothing more.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it in its tracks: connections stay, and nothing answers.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        // One that was killed is still enough.
        let Some(child) = &self.child else { return };
        let pid = child.id().to_string();
        // As the shell has it: the program is not everywhere.
        assert!(Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap().success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ended = child.kill();
            let _ended = child.wait();
        }
    }
}
