//! How an engine is, for readiness checks and graphs.

use std::ffi::c_char;

use super::call::Call;
use super::fault::CallError;
use super::sized::sized;
use super::times::{duration_millis, millis};
use super::{signoff_engine, signoff_error, signoff_status};
use crate::engine::CollectionPause;
use crate::log::{Note, Origin};
use crate::revocation::Scope;
use crate::status::Status;

/// A duration that is not known.
pub const SIGNOFF_DURATION_UNKNOWN: u64 = u64::MAX;

/// The engine has no log.
pub const SIGNOFF_ORIGIN_NONE: u32 = 0;
/// The log was there when it was opened.
pub const SIGNOFF_ORIGIN_FOUND: u32 = 1;
/// There was none, and an empty one was made.
pub const SIGNOFF_ORIGIN_CREATED: u32 = 2;

/// Expired revocations are deleted when it is time.
pub const SIGNOFF_PAUSE_NONE: u32 = 0;
/// They are not, since the clock stands far past everything in the log.
pub const SIGNOFF_PAUSE_CLOCK_AHEAD: u32 = 1;
/// They are not, since the clock was set within the last hour.
pub const SIGNOFF_PAUSE_CLOCK_SET: u32 = 2;
/// The clocks of this machine and of the log's server differ by more than a minute.
pub const SIGNOFF_PAUSE_CLOCKS_DIFFER: u32 = 3;

/// Whether an engine can answer, and what is wrong where it can't.
///
/// Owner: the caller. Start from SIGNOFF_HEALTH_INIT. All zero unless the call returned SIGNOFF_OK, and then not ready.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_health {
    /// sizeof(signoff_health).
    pub struct_size: u32,
    /// 1 if every token is answered, 0 if not.
    pub ready: u32,
    /// What tokens are answered with that are not visibly revoked, if not ready; SIGNOFF_OK otherwise.
    pub unknown: signoff_status,
    /// The log's last error, until it works again; SIGNOFF_OK without. signoff_engine_copy_fault() says it in words.
    pub fault: signoff_status,
    /// SIGNOFF_ORIGIN_…: whether the log was there when it was opened.
    pub origin: u32,
    /// SIGNOFF_PAUSE_…: why expired revocations are not deleted.
    pub collection_pause: u32,
    /// How long ago the log was read to its end, in milliseconds, or SIGNOFF_DURATION_UNKNOWN.
    pub freshness_ms: u64,
    /// Tokens that expired ten minutes before this are expired whatever a clock says; or SIGNOFF_TIME_ABSENT.
    pub watermark_ms: i64,
    /// SIGNOFF_NOTE_…: why the log is in danger though it works, and every token is answered all the same.
    pub note: u32,
    /// 0.
    pub reserved: u32,
}

/// The log is in no danger that is known of.
pub const SIGNOFF_NOTE_NONE: u32 = 0;
/// The file has several names (hard links): who opens another of them does not see what is recorded here.
pub const SIGNOFF_NOTE_SEVERAL_NAMES: u32 = 1;
/// The file is a mount point itself: who opens it elsewhere does not see what is recorded here.
pub const SIGNOFF_NOTE_MOUNT_POINT: u32 = 2;
/// The file lies in a container's own layer, and ends with the container.
pub const SIGNOFF_NOTE_OVERLAY: u32 = 3;
/// The file lies on a file system in user space (FUSE), which may lack locks or shared memory.
pub const SIGNOFF_NOTE_USER_SPACE: u32 = 4;
/// The clocks of this machine and of the log's server differ by more than a minute.
pub const SIGNOFF_NOTE_CLOCKS_DIFFER: u32 = 5;
/// The memory of the log's server is nearly full, after which it takes no log-outs.
pub const SIGNOFF_NOTE_SERVER_NEARLY_FULL: u32 = 6;

sized!(signoff_health);

/// How the engine is. Cost: a few loads, no I/O.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_health(
    engine: *const signoff_engine,
    health: *mut signoff_health,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.sized_out(health)?;
        let health = call.handle(engine, "engine")?.here()?.health();
        out.set(signoff_health {
            struct_size: size_of::<signoff_health>() as u32,
            ready: health.is_ready().into(),
            unknown: health.unknown.as_ref().map_or(0, |unknown| unknown.status().number()),
            fault: health.fault.as_ref().map_or(0, |fault| fault.status().number()),
            origin: match health.origin {
                None => SIGNOFF_ORIGIN_NONE,
                Some(Origin::Found) => SIGNOFF_ORIGIN_FOUND,
                Some(Origin::Created) => SIGNOFF_ORIGIN_CREATED,
            },
            collection_pause: match health.collection_pause {
                None => SIGNOFF_PAUSE_NONE,
                Some(CollectionPause::ClockAhead { .. }) => SIGNOFF_PAUSE_CLOCK_AHEAD,
                Some(CollectionPause::ClockSet { .. }) => SIGNOFF_PAUSE_CLOCK_SET,
                Some(CollectionPause::ClocksDiffer { .. }) => SIGNOFF_PAUSE_CLOCKS_DIFFER,
            },
            freshness_ms: health.freshness.map_or(SIGNOFF_DURATION_UNKNOWN, duration_millis),
            watermark_ms: millis(health.watermark),
            note: match health.note {
                None => SIGNOFF_NOTE_NONE,
                Some(Note::SeveralNames) => SIGNOFF_NOTE_SEVERAL_NAMES,
                Some(Note::MountPoint) => SIGNOFF_NOTE_MOUNT_POINT,
                Some(Note::Overlay) => SIGNOFF_NOTE_OVERLAY,
                Some(Note::UserSpace) => SIGNOFF_NOTE_USER_SPACE,
                Some(Note::ClocksDiffer) => SIGNOFF_NOTE_CLOCKS_DIFFER,
                Some(Note::ServerNearlyFull) => SIGNOFF_NOTE_SERVER_NEARLY_FULL,
            },
            reserved: 0,
        });
        Ok(())
    })
}

/// Copies the log's last error in words; an empty text while it works.
///
/// out, out_size, out_len: those of signoff_accepted_copy_token_id().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_copy_fault(
    engine: *const signoff_engine,
    out: *mut c_char,
    out_size: usize,
    out_len: *mut usize,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_text(out, out_size, out_len)?;
        let fault = call.handle(engine, "engine")?.here()?.health().fault;
        Ok(out.set(&fault.map_or(String::new(), |fault| fault.to_string()))?)
    })
}

/// What an engine has done and holds.
///
/// Owner: the caller. Start from SIGNOFF_STATS_INIT. All zero unless the call returned SIGNOFF_OK.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_stats {
    /// sizeof(signoff_stats).
    pub struct_size: u32,
    /// 1 if every token is answered, 0 if not.
    pub ready: u32,
    /// Verifications; signoff_engine_count() has them by status.
    pub verifications: u64,
    /// Those that ended in SIGNOFF_OK.
    pub accepted: u64,
    /// How often a filter was asked.
    pub filter_probes: u64,
    /// How often a filter said maybe.
    pub filter_positives: u64,
    /// How often the exact table then said no.
    pub filter_false_positives: u64,
    /// Revocations of tokens in the index.
    pub token_records: u64,
    /// Revocations of sessions.
    pub session_records: u64,
    /// Revocations of subjects.
    pub subject_records: u64,
    /// Revocations of everything.
    pub everything_records: u64,
    /// Segments of the index.
    pub segments: u64,
    /// Segments without a filter, of which the exact table is asked alone.
    pub filters_missing: u64,
    /// Merges since the engine was opened.
    pub merges: u64,
    /// How long they took, in milliseconds.
    pub merging_ms: u64,
    /// Memory that the index takes, in bytes.
    pub index_bytes: u64,
    /// The highest position in the log, as far as it is known.
    pub log_head: i64,
    /// The position of the last record in the index.
    pub log_applied: i64,
    /// Rows of the log that are no records of ours, and were passed over.
    pub log_junk: u64,
    /// How long ago the log was read to its end, in milliseconds, or SIGNOFF_DURATION_UNKNOWN.
    pub freshness_ms: u64,
}

sized!(signoff_stats);

/// What the engine has done and holds. Cost: adds up the counts of each thread, no I/O.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_stats(
    engine: *const signoff_engine,
    stats: *mut signoff_stats,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.sized_out(stats)?;
        let stats = call.handle(engine, "engine")?.here()?.stats();
        let records = |of: Scope| stats.records.iter().find(|(scope, _)| *scope == of).map_or(0, |(_, count)| *count);
        let accepted = stats.verifications.iter().find(|(status, _)| *status == Status::Done);
        out.set(signoff_stats {
            struct_size: size_of::<signoff_stats>() as u32,
            ready: stats.ready.into(),
            verifications: stats.verifications.iter().map(|(_, count)| count).sum(),
            accepted: accepted.map_or(0, |(_, count)| *count),
            filter_probes: stats.filter_probes,
            filter_positives: stats.filter_positives,
            filter_false_positives: stats.filter_false_positives,
            token_records: records(Scope::Token),
            session_records: records(Scope::Session),
            subject_records: records(Scope::Subject),
            everything_records: records(Scope::Everything),
            segments: stats.segments,
            filters_missing: stats.filters_missing,
            merges: stats.merges,
            merging_ms: duration_millis(stats.merging),
            index_bytes: stats.index_bytes,
            log_head: stats.log_head,
            log_applied: stats.log_applied,
            log_junk: stats.log_junk,
            freshness_ms: stats.freshness.map_or(SIGNOFF_DURATION_UNKNOWN, duration_millis),
        });
        Ok(())
    })
}

/// How many verifications ended in this status.
///
/// count: the number; 0 unless the result is SIGNOFF_OK. SIGNOFF_ERR_OPTION for a status that does not exist here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_count(
    engine: *const signoff_engine,
    status: signoff_status,
    count: *mut u64,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let mut out = call.out(count, "count")?;
        out.set(0);
        let stats = call.handle(engine, "engine")?.here()?.stats();
        let given = status.into();
        let status = Status::from_number(status).ok_or(CallError::Option { what: "status", given })?;
        out.set(stats.verifications.iter().find(|(of, _)| *of == status).map_or(0, |(_, count)| *count));
        Ok(())
    })
}

/// Copies the stats as Prometheus reads them, text format 0.0.4.
///
/// out, out_size, out_len: those of signoff_accepted_copy_token_id(). 8192 bytes are enough.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_copy_prometheus(
    engine: *const signoff_engine,
    out: *mut c_char,
    out_size: usize,
    out_len: *mut usize,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_text(out, out_size, out_len)?;
        Ok(out.set(&call.handle(engine, "engine")?.here()?.stats().prometheus())?)
    })
}
