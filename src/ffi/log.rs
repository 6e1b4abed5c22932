//! Which revocation log an engine has.

use std::time::Duration;

use super::call::Call;
use super::fault::{CallError, Fault};
use super::keys::flag;
use super::sized::sized;
use super::{fork, signoff_error, signoff_status, signoff_str};
use crate::engine::{Log, OnUnknown, Threads};
use crate::index::Filtering;

/// A log that ends with the process: after a restart every token that was logged out is good again. There is no kind 0.
pub const SIGNOFF_LOG_MEMORY: u32 = 1;
/// A log in an SQLite file, which several processes of this machine may share.
pub const SIGNOFF_LOG_SQLITE: u32 = 2;
/// A log on a Redis server (6.2 or later) or Valkey, for many machines.
pub const SIGNOFF_LOG_REDIS: u32 = 3;

/// Makes an empty log where there is none. Without, a missing file is SIGNOFF_LOG_MISSING, since a path that is wrong
/// by a slip would else be an empty list.
pub const SIGNOFF_LOG_CREATE_IF_MISSING: u32 = 1;
/// Opens at once, and answers that the revocations are unknown until the log was read to its end; watch
/// signoff_engine_health(), and log_applied and log_head of signoff_engine_stats() for how far it is.
pub const SIGNOFF_LOG_START_UNKNOWN: u32 = 2;
/// Starts no threads: the host calls signoff_engine_refresh() often enough, and revoking writes by itself.
pub const SIGNOFF_LOG_NO_THREADS: u32 = 4;
/// Leaves out the filters, for comparison: the verdicts are the same.
pub const SIGNOFF_LOG_UNFILTERED: u32 = 8;
/// Opens a file that has several names (hard links), as after a snapshot by `cp -al`. Nobody may open it by another of its names:
/// neither would see what the other records. For a file alone.
pub const SIGNOFF_LOG_INSECURE_SEVERAL_NAMES: u32 = 16;

/// While the log was last read longer ago than max_staleness_ms: a token that is not visibly revoked is answered with
/// SIGNOFF_REVOCATIONS_STALE (HTTP 503).
pub const SIGNOFF_ON_UNKNOWN_REJECT: u32 = 0;
/// It is accepted, and "cleared" of its claims says so: a log-out may be missed.
pub const SIGNOFF_ON_UNKNOWN_ACCEPT: u32 = 1;
/// It is accepted if it was issued ("iat") less than accept_younger_ms ago.
pub const SIGNOFF_ON_UNKNOWN_ACCEPT_YOUNGER: u32 = 2;

/// Which log, and how engines go by it, for signoff_log_new().
///
/// Owner: the caller; it is read during the call and not kept. Start from SIGNOFF_LOG_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_log_options {
    /// sizeof(signoff_log_options).
    pub struct_size: u32,
    /// SIGNOFF_LOG_MEMORY, SIGNOFF_LOG_SQLITE or SIGNOFF_LOG_REDIS.
    pub kind: u32,
    /// SIGNOFF_LOG_CREATE_IF_MISSING and its kin, or 0.
    pub flags: u32,
    /// SIGNOFF_ON_UNKNOWN_….
    pub on_unknown: u32,
    /// The file, for SIGNOFF_LOG_SQLITE. The URL, for SIGNOFF_LOG_REDIS: "redis://user:password@host:6379/0?namespace=shop",
    /// with the options that docs/operations.md has, a local file beside it among them. With SIGNOFF_LOG_SQLITE such a URL
    /// is understood too, so that a program with a setting for the path can be given either. No text for SIGNOFF_LOG_MEMORY.
    pub path: signoff_str,
    /// For SIGNOFF_ON_UNKNOWN_ACCEPT_YOUNGER, in milliseconds; 0 with any other.
    pub accept_younger_ms: u64,
    /// The longest that any token on this log lives, refresh tokens included, in milliseconds. Stored with the log and
    /// enforced by every engine on it; it can be lowered by any, and raised by `signoff lifetime`. 0: what the log says, and for a
    /// new log none: revocations of subjects and sessions are then kept for ever.
    pub longest_lifetime_ms: u64,
    /// How far ahead of the clock "iat" may lie, in milliseconds, at most 60000: how far issuers' clocks may run ahead. Stored
    /// with the log and enforced by every engine on it; it can be lowered, never raised. A log-out everywhere reaches as far
    /// ahead, and who logs in again within that time through another signer is SIGNOFF_TOKEN_TOO_SOON. 0: what the log says,
    /// and for a new log 5000.
    pub issued_in_future_max_ms: u64,
    /// How long ago the log may have been read to its end, in milliseconds. 0: 10000, and 30000 on Redis.
    pub max_staleness_ms: u64,
    /// How long opening may take to read the log to its end, in milliseconds. 0: 30000.
    pub open_timeout_ms: u64,
    /// How long a revocation waits for the disk, in milliseconds. 0: 10000.
    pub append_timeout_ms: u64,
}

sized!(signoff_log_options);

/// A revocation log that engines can be opened on.
///
/// Owner: the caller, until signoff_log_free(); engines keep what they need of it. Threads: immutable. Engines that are
/// opened on the same SIGNOFF_LOG_MEMORY share its revocations; those on an SQLite file share the file, and those on
/// Redis the server. fork(): one from before is refused in the child; make it there.
pub struct signoff_log {
    pub(super) log: Log,
    pub(super) may_be_file: bool,
    pub(super) forks: u32,
}

/// Says which log. Nothing is opened yet.
///
/// out: the log if and only if the result is SIGNOFF_OK, and NULL otherwise. Statuses: the call errors of SIGNOFF_ERR_….
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_log_new(
    options: *const signoff_log_options,
    out: *mut *mut signoff_log,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_handle(out, "out")?;
        let options = call.sized_in(options)?;
        let log = options.read(&call)?;
        out.set(signoff_log { may_be_file: log.may_be_file(), log, forks: fork::watch() });
        Ok(())
    })
}

/// Ends a log handle. NULL is fine. Engines that were opened on it go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signoff_log_free(log: *mut signoff_log) {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(std::ptr::null_mut()) };
    let _ended = call.run(|| {
        drop(call.taken(log));
        Ok(())
    });
}

impl signoff_log_options {
    fn read(&self, call: &Call) -> Result<Log, Fault> {
        let known = SIGNOFF_LOG_CREATE_IF_MISSING
            | SIGNOFF_LOG_START_UNKNOWN
            | SIGNOFF_LOG_NO_THREADS
            | SIGNOFF_LOG_UNFILTERED
            | SIGNOFF_LOG_INSECURE_SEVERAL_NAMES;
        let flags = flag(self.flags, known, "options->flags")?;
        let path = call.optional_text(self.path, "options->path")?;
        let mut log = match (self.kind, path) {
            (SIGNOFF_LOG_MEMORY, None) => Log::memory(),
            (SIGNOFF_LOG_SQLITE, Some(path)) if !path.is_empty() => Log::at(path),
            (SIGNOFF_LOG_REDIS, Some(url)) if !url.is_empty() => Log::redis(url),
            (SIGNOFF_LOG_SQLITE | SIGNOFF_LOG_REDIS, Some(_)) => {
                return Err(CallError::Length { what: "options->path", given: 0 }.into());
            }
            (SIGNOFF_LOG_SQLITE | SIGNOFF_LOG_REDIS, None) => {
                return Err(CallError::Null { what: "options->path" }.into());
            }
            (SIGNOFF_LOG_MEMORY, Some(_)) => {
                return Err(CallError::Option { what: "options->path of a log in memory", given: 1 }.into());
            }
            (kind, _) => return Err(CallError::Option { what: "options->kind", given: kind.into() }.into()),
        };
        let given = |millis: u64| (millis != 0).then_some(Duration::from_millis(millis));
        log = log.on_unknown(match (self.on_unknown, given(self.accept_younger_ms)) {
            (SIGNOFF_ON_UNKNOWN_REJECT, None) => OnUnknown::Reject,
            (SIGNOFF_ON_UNKNOWN_ACCEPT, None) => OnUnknown::Accept,
            (SIGNOFF_ON_UNKNOWN_ACCEPT_YOUNGER, Some(age)) => OnUnknown::AcceptYounger(age),
            (SIGNOFF_ON_UNKNOWN_REJECT | SIGNOFF_ON_UNKNOWN_ACCEPT | SIGNOFF_ON_UNKNOWN_ACCEPT_YOUNGER, _) => {
                let given = self.accept_younger_ms;
                return Err(CallError::Option {
                    what: "options->accept_younger_ms beside on_unknown",
                    given: given.into(),
                }
                .into());
            }
            (given, _) => return Err(CallError::Option { what: "options->on_unknown", given: given.into() }.into()),
        });
        if flags & SIGNOFF_LOG_CREATE_IF_MISSING != 0 {
            log = log.create_if_missing();
        }
        if flags & SIGNOFF_LOG_START_UNKNOWN != 0 {
            log = log.start_unknown();
        }
        if flags & SIGNOFF_LOG_NO_THREADS != 0 {
            log = log.threads(Threads::None);
        }
        if flags & SIGNOFF_LOG_UNFILTERED != 0 {
            log = log.filtering(Filtering::Off);
        }
        if flags & SIGNOFF_LOG_INSECURE_SEVERAL_NAMES != 0 {
            log = log.insecure_several_names();
        }
        if let Some(lifetime) = given(self.longest_lifetime_ms) {
            log = log.longest_lifetime(lifetime);
        }
        if let Some(allowed) = given(self.issued_in_future_max_ms) {
            log = log.issued_in_future_max(allowed);
        }
        if let Some(max) = given(self.max_staleness_ms) {
            log = log.max_staleness(max);
        }
        if let Some(timeout) = given(self.open_timeout_ms) {
            log = log.open_timeout(timeout);
        }
        if let Some(timeout) = given(self.append_timeout_ms) {
            log = log.append_timeout(timeout);
        }
        Ok(log)
    }
}
