//! Whether a server can keep a log: that it drops no keys, and confirms what the URL asks for.

use redis::{Connection, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};

use super::url::RedisUrl;
use crate::log::LogError;

/// Policies by which a server drops keys that have no time to live.
const DROPPING: &str = "allkeys-";

/// What the server says of its memory.
pub(super) fn memory(connection: &mut Connection) -> RedisResult<Value> {
    redis::cmd("INFO").arg("memory").query(connection)
}

/// Refuses a server that drops keys when its memory is full, and the log with them.
pub(super) fn refuse_eviction(
    place: &RedisUrl,
    memory: RedisResult<Value>,
    refusal: impl Fn(&RedisError) -> LogError,
) -> Result<(), LogError> {
    let memory = match memory {
        Ok(memory) => redis::from_redis_value::<String>(memory).unwrap_or_default(),
        // Managed servers may keep it to themselves; then nothing can be said about it.
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
            tracing::warn!(
                "this user may not ask the server which keys it drops: see that maxmemory-policy is noeviction"
            );
            String::new()
        }
        Err(error) => return Err(refusal(&error)),
    };
    let policy = memory.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).unwrap_or_default();
    match policy.starts_with(DROPPING) {
        true => Err(LogError::Eviction { server: place.shown.clone(), policy: policy.trim().to_owned() }),
        false => Ok(()),
    }
}

/// Refuses a server that can't be asked for the confirmations that the URL wants.
pub(super) fn refuse_weak_confirmation(
    place: &RedisUrl,
    connection: &mut Connection,
    refusal: impl Fn(&RedisError) -> LogError,
) -> Result<(), LogError> {
    if place.is_fsynced {
        // Without waiting: only whether it can be asked.
        return redis::cmd("WAITAOF").arg(1).arg(0).arg(1).exec(connection).map_err(|error| {
            match error.is_io_error() {
                true => refusal(&error),
                false => LogError::Url {
                    fault: format!("fsync=true needs Redis 7.2 or Valkey with `appendonly yes` ({error})"),
                },
            }
        });
    }
    if place.replicas > 0 {
        redis::cmd("WAIT").arg(0).arg(1).exec(connection).map_err(|error| refusal(&error))?;
    }
    Ok(())
}
