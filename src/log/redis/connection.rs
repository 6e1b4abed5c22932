//! A connection to the server: made when it is needed, given up at the first fault, and tried again ever more rarely.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{ConnectionLike as _, ErrorKind, RedisError, RedisResult, ServerError};

use super::FORMAT;
use super::server_checks::{self, Info};
use super::server_clock::ServerClock;
use super::url::RedisUrl;
use super::wire::Wire;
use crate::log::LogError;
use crate::sync::Mutex;

/// How long a server may take for an answer, beside what it was told to wait for.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// After how long a connection that nothing was asked on may be gone without a word, and how long it has to say that it is not.
const IDLE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(250));

/// How long after a failure the next attempt is made, at first and at most.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

pub(super) struct ServerConnection {
    place: Arc<RedisUrl>,
    clock: Arc<ServerClock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Wire>,
    /// When something was last answered on it.
    used_at: Option<Instant>,
    /// Whether it was told what to think of this server.
    is_known: bool,
    /// How many connections there have been.
    count: u64,
    /// Why there is none, and when it is tried again.
    fault: Option<(LogError, Instant)>,
    failures: u32,
}

impl ServerConnection {
    pub(super) fn new(place: &Arc<RedisUrl>, clock: &Arc<ServerClock>) -> Self {
        Self { place: Arc::clone(place), clock: Arc::clone(clock), state: Mutex::default() }
    }

    /// Does something on the connection. `count` tells one connection from the next.
    ///
    /// While the server can't be reached, the last fault is told again at once.
    pub(super) fn with<T>(
        &self,
        wait: Duration,
        work: impl FnOnce(&mut Wire, u64) -> RedisResult<T>,
    ) -> Result<T, LogError> {
        let mut state = self.state.lock();
        let mut wire = match still_there(&mut state) {
            Some(wire) => wire,
            None => self.connect(&mut state)?,
        };
        wire.set_deadline(Instant::now() + wait + ANSWER_TIMEOUT);
        match work(&mut wire, state.count) {
            Ok(done) => {
                (state.connection, state.used_at) = (Some(wire), Some(Instant::now()));
                Ok(done)
            }
            // Also after an answer that only says no: what else is on its way belongs to no question of ours.
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// Gives the connection up, so that the next may lead to another server.
    pub(super) fn leave(&self) {
        self.state.lock().connection = None;
    }

    fn connect(&self, state: &mut State) -> Result<Wire, LogError> {
        if let Some((fault, again)) = &state.fault
            && Instant::now() < *again
        {
            return Err(fault.clone());
        }
        match self.try_to_connect(state.is_known) {
            Ok(wire) => {
                state.count += 1;
                (state.fault, state.failures, state.is_known) = (None, 0, true);
                Ok(wire)
            }
            Err(fault) => {
                let pause = (BACKOFF[0] * 2_u32.saturating_pow(state.failures.min(16))).min(BACKOFF[1]);
                state.failures += 1;
                state.fault = Some((fault.clone(), Instant::now() + pause));
                Err(fault)
            }
        }
    }

    fn try_to_connect(&self, is_known: bool) -> Result<Wire, LogError> {
        let open = || {
            let mut wire = self.place.source.connect(CONNECT_TIMEOUT)?;
            wire.set_deadline(Instant::now() + ANSWER_TIMEOUT);
            let info = Info::ask(&mut wire, None)?;
            Ok((wire, info))
        };
        let (mut wire, info) = open().map_err(|error| self.refusal(&error))?;
        server_checks::refuse(&self.place, &info)?;
        server_checks::refuse_weak_confirmation(&self.place, &mut wire, |error| self.refusal(error))?;
        if !is_known {
            server_checks::warn(&self.place, &info);
        }
        // Also whether an answer still comes, after what the checks may have left behind.
        self.clock.learn(&mut wire).map_err(|error| self.refusal(&error))?;
        Ok(wire)
    }

    /// What an error means that came after something was asked.
    pub(super) fn fault(&self, error: &RedisError) -> LogError {
        self.explain(error, |server, fault| LogError::Interrupted { server, fault })
    }

    /// What an error means before anything was.
    fn refusal(&self, error: &RedisError) -> LogError {
        self.explain(error, |server, fault| LogError::Unreachable { server, fault })
    }

    /// What an error of the server or the connection means for whoever runs the log.
    fn explain(&self, error: &RedisError, otherwise: impl FnOnce(String, String) -> LogError) -> LogError {
        let server = self.place.shown.clone();
        let text = told(error);
        match (error.kind(), code(error).as_deref()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM")) => {
                LogError::ServerDenied { server, fault: text }
            }
            (_, Some("READONLY")) => LogError::Replica { server },
            (_, Some("NOREPLICAS")) => LogError::TooFewReplicas { server },
            (_, Some("WRONGTYPE")) => {
                LogError::ServerForeign { server, fault: "its keys hold something else".to_owned() }
            }
            (_, Some("OOM")) => LogError::ServerFull { server },
            (_, Some("MISCONF")) => LogError::ServerRefuses { server, fault: text },
            (_, Some("LOADING")) => LogError::ServerBusy { server, fault: text, step: "it is reading its file: wait" },
            (_, Some("MASTERDOWN")) => LogError::ServerBusy {
                server,
                fault: text,
                step: "it is a replica whose primary is gone: name the primary",
            },
            (_, Some("BUSY")) => {
                LogError::ServerBusy { server, fault: text, step: "end the script that holds it up: SCRIPT KILL" }
            }
            (_, Some("NEWERFORMAT")) => {
                let found = text.split(' ').filter_map(|word| word.parse().ok()).next().unwrap_or(0);
                LogError::Newer { path: server, found, known: FORMAT }
            }
            (_, Some("MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN")) => LogError::Cluster { server },
            (ErrorKind::Io, _) if error.is_timeout() => otherwise(server, "no answer in time".to_owned()),
            _ => otherwise(server, text),
        }
    }
}

/// The connection, if it has not gone without a word while nothing was asked on it: a proxy may have dropped it.
fn still_there(state: &mut State) -> Option<Wire> {
    let (idle, patience) = IDLE;
    let mut wire = state.connection.take()?;
    let is_idle = state.used_at.is_none_or(|at| at.elapsed() >= idle);
    if is_idle {
        wire.set_deadline(Instant::now() + patience);
    }
    (!is_idle || wire.check_connection()).then_some(wire)
}

/// What the server said first, where it was asked several things at once.
fn server_error(error: &RedisError) -> Option<ServerError> {
    error.clone().into_server_errors()?.first().map(|(_, error)| error.clone())
}

/// Of several things that were asked at once, which the server refused first.
pub(super) fn first_refused(error: &RedisError) -> Option<usize> {
    error.clone().into_server_errors()?.first().map(|(place, _)| *place)
}

/// What a server refuses a command by, so that it has done nothing.
const REFUSALS: [&str; 15] = [
    "NEWERFORMAT",
    "MISCONF",
    "LOADING",
    "MASTERDOWN",
    "BUSY",
    "NOAUTH",
    "WRONGPASS",
    "NOPERM",
    "READONLY",
    "NOREPLICAS",
    "WRONGTYPE",
    "OOM",
    "MOVED",
    "CROSSSLOT",
    "CLUSTERDOWN",
];

/// The word that an error of the server begins with. Of one that came about within a script, the error itself: Redis before 7 has
/// that within a longer text.
pub(super) fn code(error: &RedisError) -> Option<String> {
    let outer = server_error(error).map(|error| error.code().to_owned()).or_else(|| error.code().map(str::to_owned))?;
    if REFUSALS.contains(&outer.as_str()) {
        return Some(outer);
    }
    let text = told(error);
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let inner = words.find(|word| REFUSALS.contains(word)).map(str::to_owned);
    // It has no word of its own there.
    let is_denied = text.contains("can't run this command or subcommand") || text.contains("No permissions");
    inner.or(is_denied.then(|| "NOPERM".to_owned())).or(Some(outer))
}

fn told(error: &RedisError) -> String {
    match server_error(error) {
        Some(error) => format!("{} {}", error.code(), error.details().unwrap_or_default()),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(answer: &str) -> Option<String> {
        let value = redis::parse_redis_value(answer.as_bytes()).unwrap();
        code(&value.extract_error().unwrap_err())
    }

    #[test]
    fn what_a_server_refuses_is_told_by_its_own_word_also_from_within_a_script() {
        for (answer, expected) in [
            ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", "OOM"),
            (
                "-ERR Error running script (call to f_1): @user_script:3: @user_script: 3: -OOM command not allowed\r\n",
                "OOM",
            ),
            ("-ERR Error running script (call to f_1): @user_script:3: -READONLY You can't write\r\n", "READONLY"),
            ("-NOREPLICAS Not enough good replicas to write.\r\n", "NOREPLICAS"),
            ("-ERR Error running script (call to f_1): @user_script:1: -NOREPLICAS Not enough\r\n", "NOREPLICAS"),
            ("-ERR The user executing the script can't run this command or subcommand script: f_1\r\n", "NOPERM"),
            ("-ERR unknown command\r\n", "ERR"),
        ] {
            assert_eq!(code_of(answer).as_deref(), Some(expected), "{answer}");
        }
    }

    #[test]
    fn a_connection_that_was_dropped_without_a_word_while_it_was_idle_is_noticed_before_it_is_used() {
        use crate::log::RevocationLog as _;
        use crate::log::conformance::redis_server::proxy::Proxy;
        use crate::log::conformance::redis_server::{RedisServer, is_there};
        use crate::log::conformance::{open_redis, record};

        if !is_there() {
            return;
        }
        let server = RedisServer::start(&[]);
        let wire = Proxy::to(server.port);
        let log = open_redis(&format!("redis://127.0.0.1:{}", wire.port), None);
        log.append(&[record("a", None)]).unwrap();
        wire.go_mute();
        // An hour ago, or as long as nobody knows.
        log.writer.state.lock().used_at = None;
        let asked = Instant::now();
        log.append(&[record("b", None)]).unwrap();
        assert!(asked.elapsed() < ANSWER_TIMEOUT, "it does not wait for an answer that can't come");
        assert_eq!(server.run::<i64>(&["XLEN", "{signoff}:stream"]), 2, "and it is there once");
    }
}
