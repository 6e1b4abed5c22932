//! Whether a server can keep a log: that it is one server and no cluster, drops no keys, and confirms what the URL asks for.

use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};

use super::url::RedisUrl;
use super::wire::Wire;
use crate::log::LogError;

/// Policies by which a server drops keys that have no time to live.
const DROPPING: &str = "allkeys-";

/// From how full a memory on it is to be known: nine tenths of what the server may take.
const NEARLY_FULL: f64 = 0.9;

/// What the server says of itself, a line for each.
pub(super) struct Info(String);

impl Info {
    /// Asks for a part, or for all of it. Empty where this user may not ask.
    pub(super) fn ask(wire: &mut Wire, part: Option<&str>) -> RedisResult<Self> {
        let mut command = redis::cmd("INFO");
        part.into_iter().for_each(|part| {
            command.arg(part);
        });
        match command.query(wire) {
            Ok(text) => Ok(Self(text)),
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => Ok(Self(String::new())),
            Err(error) => Err(error),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let value = |line| str::strip_prefix(line, name)?.strip_prefix(':').map(str::trim_end);
        self.0.lines().find_map(value)
    }

    /// Whether so much of its memory is taken that log-outs will be refused before long.
    pub(super) fn is_nearly_full(&self) -> bool {
        let number = |name| self.get(name).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let max = number("maxmemory");
        max > 0.0 && number("used_memory") >= max * NEARLY_FULL
    }

    /// Whether what it holds outlives its restart.
    fn is_persistent(&self) -> bool {
        self.get("aof_enabled").is_none_or(|enabled| enabled == "1")
    }
}

/// Refuses a server that can't keep a log as it should.
pub(super) fn refuse(place: &RedisUrl, info: &Info) -> Result<(), LogError> {
    if info.get("cluster_enabled") == Some("1") {
        return Err(LogError::Cluster { server: place.shown.clone() });
    }
    match info.get("maxmemory_policy") {
        Some(policy) if policy.starts_with(DROPPING) => {
            Err(LogError::Eviction { server: place.shown.clone(), policy: policy.to_owned() })
        }
        Some(_) | None => Ok(()),
    }
}

/// Tells whoever runs the log, once, what to think of.
pub(super) fn warn(place: &RedisUrl, info: &Info) {
    let server = &place.shown;
    if info.0.is_empty() {
        tracing::warn!(
            server,
            "this user may not ask the server about itself (INFO): see that maxmemory-policy is noeviction; a node that was away \
             reads the whole log more often than it would have to"
        );
    } else if !info.is_persistent() {
        tracing::warn!(
            server,
            "the server keeps nothing that outlives its restart (appendonly no): a primary that comes back by itself comes back \
             without the last log-outs, or with none; see docs/operations.md"
        );
    }
}

/// Refuses a server that can't be asked for the confirmations that the URL wants.
pub(super) fn refuse_weak_confirmation(
    place: &RedisUrl,
    wire: &mut Wire,
    refusal: impl Fn(&RedisError) -> LogError,
) -> Result<(), LogError> {
    if place.is_fsynced {
        // Without waiting: only whether it can be asked.
        return redis::cmd("WAITAOF").arg(1).arg(0).arg(1).exec(wire).map_err(|error| match error.is_io_error() {
            true => refusal(&error),
            false => {
                LogError::Url { fault: format!("fsync=true needs Redis 7.2 or Valkey with `appendonly yes` ({error})") }
            }
        });
    }
    if place.replicas > 0 {
        redis::cmd("WAIT").arg(0).arg(1).exec(wire).map_err(|error| refusal(&error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_nearly_full_from_nine_tenths_of_what_the_server_may_take() {
        let is_nearly_full = |used: u32, max: u32| {
            Info(format!("used_memory:{used}\r\nused_memory_peak:1\r\nmaxmemory:{max}\r\n")).is_nearly_full()
        };
        assert_eq!([(89, 100), (90, 100), (90, 0)].map(|(used, max)| is_nearly_full(used, max)), [false, true, false]);
        assert!(!Info(String::new()).is_nearly_full());
    }
}
