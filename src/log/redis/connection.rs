//! A connection to the server: made when it is needed, given up at the first fault, and tried again ever more rarely.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Connection, ErrorKind, RedisError, RedisResult, ServerError, ServerErrorKind};

use super::server_checks;
use super::url::RedisUrl;
use crate::log::LogError;
use crate::sync::Mutex;

/// How long a server may take for an answer, beside what it was told to wait for.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long after a failure the next attempt is made, at first and at most.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

pub(super) struct ServerConnection {
    place: Arc<RedisUrl>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// How many connections there have been.
    count: u64,
    /// Why there is none, and when it is tried again.
    fault: Option<(LogError, Instant)>,
    failures: u32,
}

impl ServerConnection {
    pub(super) fn new(place: &Arc<RedisUrl>) -> Self {
        Self { place: Arc::clone(place), state: Mutex::default() }
    }

    /// Does something on the connection. `count` tells one connection from the next.
    ///
    /// While the server can't be reached, the last fault is told again at once.
    pub(super) fn with<T>(
        &self,
        wait: Duration,
        work: impl FnOnce(&mut Connection, u64) -> RedisResult<T>,
    ) -> Result<T, LogError> {
        let mut state = self.state.lock();
        let mut connection = match state.connection.take() {
            Some(connection) => connection,
            None => self.connect(&mut state)?,
        };
        let run = |connection: &mut Connection| {
            connection.set_read_timeout(Some(wait + ANSWER_TIMEOUT))?;
            work(connection, state.count)
        };
        match run(&mut connection) {
            Ok(done) => {
                state.connection = Some(connection);
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

    fn connect(&self, state: &mut State) -> Result<Connection, LogError> {
        if let Some((fault, again)) = &state.fault
            && Instant::now() < *again
        {
            return Err(fault.clone());
        }
        match self.try_to_connect() {
            Ok(connection) => {
                state.count += 1;
                (state.fault, state.failures) = (None, 0);
                Ok(connection)
            }
            Err(fault) => {
                let pause = (BACKOFF[0] * 2_u32.saturating_pow(state.failures.min(16))).min(BACKOFF[1]);
                state.failures += 1;
                state.fault = Some((fault.clone(), Instant::now() + pause));
                Err(fault)
            }
        }
    }

    fn try_to_connect(&self) -> Result<Connection, LogError> {
        let open = || {
            let mut connection = self.place.source.connect(CONNECT_TIMEOUT)?;
            connection.set_write_timeout(Some(ANSWER_TIMEOUT))?;
            connection.set_read_timeout(Some(ANSWER_TIMEOUT))?;
            let memory = server_checks::memory(&mut connection);
            Ok((connection, memory))
        };
        let (mut connection, memory) = open().map_err(|error| self.refusal(&error))?;
        server_checks::refuse_eviction(&self.place, memory, |error| self.refusal(error))?;
        server_checks::refuse_weak_confirmation(&self.place, &mut connection, |error| self.refusal(error))?;
        // Whether an answer still comes, after what the checks may have left behind.
        redis::cmd("PING").exec(&mut connection).map_err(|error| self.refusal(&error))?;
        Ok(connection)
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
            (ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm), _)
            | (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM")) => LogError::ServerDenied { server, fault: text },
            (ErrorKind::Server(ServerErrorKind::ReadOnly), _) | (_, Some("READONLY")) => LogError::Replica { server },
            (_, Some("WRONGTYPE")) => {
                LogError::ServerForeign { server, fault: "its keys hold something else".to_owned() }
            }
            (_, Some("OOM")) => LogError::ServerFull { server },
            (ErrorKind::Io, _) if error.is_timeout() => {
                otherwise(server, format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))
            }
            _ => otherwise(server, text),
        }
    }
}

/// What the server said first, where it was asked several things at once.
fn server_error(error: &RedisError) -> Option<ServerError> {
    error.clone().into_server_errors()?.first().map(|(_, error)| error.clone())
}

/// Of several things that were asked at once, which the server refused first.
pub(super) fn first_refused(error: &RedisError) -> Option<usize> {
    error.clone().into_server_errors()?.first().map(|(place, _)| *place)
}

/// The word that an error of the server begins with.
pub(super) fn code(error: &RedisError) -> Option<String> {
    server_error(error).map(|error| error.code().to_owned()).or_else(|| error.code().map(str::to_owned))
}

fn told(error: &RedisError) -> String {
    match server_error(error) {
        Some(error) => format!("{} {}", error.code(), error.details().unwrap_or_default()),
        None => error.to_string(),
    }
}
