//! What confirms that the log has something, as the URL asks for it: the primary, replicas, disks.

use std::time::Duration;

use redis::{Cmd, Pipeline, RedisResult, Value};

use super::url::RedisUrl;
use super::wire::Wire;
use super::{RedisLog, connection, millis};
use crate::log::{LogError, Standing};

/// How long replicas that did not confirm last time are given, or that nobody waits for: those that are there do so at once.
pub(super) const WAIT_AGAIN: Duration = Duration::from_millis(50);

/// For how long the key is kept that nodes write to.
const BEAT_KEPT: Duration = Duration::from_secs(30 * 86_400);

impl RedisLog {
    /// Adds to what is sent that it is waited for, and says how long.
    pub(super) fn confirm(&self, pipeline: &mut Pipeline, wait: Duration) -> Duration {
        let RedisUrl { replicas, is_fsynced, .. } = &*self.place;
        match (is_fsynced, replicas) {
            (true, _) => pipeline.cmd("WAITAOF").arg(1).arg(replicas).arg(millis(wait)),
            (false, 0) => return Duration::ZERO,
            (false, _) => pipeline.cmd("WAIT").arg(replicas).arg(millis(wait)),
        };
        wait
    }

    /// Whether as many have confirmed as were asked for, by the last answer to what [`confirm`](Self::confirm) sent.
    pub(super) fn confirmed(&self, answers: &[Value]) -> Result<(), LogError> {
        let RedisUrl { replicas, is_fsynced, .. } = &*self.place;
        let number = |value: Option<&Value>| match value {
            Some(Value::Int(number)) => u32::try_from(*number).unwrap_or(0),
            _ => 0,
        };
        let (disks, confirmed) = match (is_fsynced, answers.last()) {
            (true, Some(Value::Array(numbers))) => (number(numbers.first()), number(numbers.get(1))),
            (true, _) => (0, 0),
            (false, answer) => (1, number(answer)),
        };
        if disks == 1 && (confirmed >= *replicas) {
            return Ok(());
        }
        Err(self.unconfirmed(if *is_fsynced { confirmed + disks } else { confirmed }))
    }

    /// What an append comes to whose confirmation was refused.
    pub(super) fn unconfirmed(&self, confirmed: u32) -> LogError {
        let RedisUrl { replicas, is_fsynced, wait, shown, .. } = &*self.place;
        let wanted = match is_fsynced {
            true => format!("{} disks", replicas + 1),
            false => format!("{replicas} replicas"),
        };
        LogError::Unconfirmed { server: shown.clone(), wanted, confirmed, waited: *wait }
    }

    /// Makes sure that the log can be written, by as many as it is asked for.
    pub(super) fn make_sure(&self, wire: &mut Wire, wait: Duration) -> RedisResult<Standing> {
        // A write that takes no room, so that a server without any can be told from one that is cut off.
        let mut keep = redis::cmd("PEXPIRE");
        keep.arg(&self.beat).arg(millis(BEAT_KEPT));
        let mut make = redis::cmd("SET");
        make.arg(&self.beat).arg(1);
        match self.prove(wire, keep, wait)? {
            // There was nothing to write to, which proves nothing.
            (Value::Int(0), _) => Ok(self.prove(wire, make, wait)?.1),
            (_, standing) => Ok(standing),
        }
    }

    /// Writes, and says what was answered, and whether as many have it as are asked for.
    fn prove(&self, wire: &mut Wire, write: Cmd, wait: Duration) -> RedisResult<(Value, Standing)> {
        let mut pipeline = redis::pipe();
        pipeline.add_command(write);
        let wait = self.confirm(&mut pipeline, wait);
        match pipeline.query::<Vec<Value>>(wire) {
            Ok(mut answers) => {
                let standing = match wait {
                    Duration::ZERO => Standing::Proven,
                    _ => self.confirmed(&answers).map_or_else(Standing::Unproven, |()| Standing::Proven),
                };
                Ok((answers.swap_remove(0), standing))
            }
            // The server is there, and may be read.
            Err(error) if connection::code(&error).is_some() => {
                Ok((Value::Nil, Standing::Unproven(self.reader.fault(&error))))
            }
            Err(error) => Err(error),
        }
    }
}
