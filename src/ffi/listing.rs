//! The revocations in the log, one after the other.

use super::call::Call;
use super::fork::OfProcess;
use super::sized::sized;
use super::times::millis;
use super::{
    SIGNOFF_ISSUER_ABSENT, SIGNOFF_ISSUER_ANY, SIGNOFF_ISSUER_NAMED, SIGNOFF_REVOKE_EVERYTHING, SIGNOFF_REVOKE_SESSION,
    SIGNOFF_REVOKE_SUBJECT, SIGNOFF_REVOKE_TOKEN_ID, signoff_engine, signoff_error, signoff_status, signoff_str,
};
use crate::engine::RevocationsInLog;
use crate::revocation::{Issuer, Record, Scope};

/// A revocation as it stands in the log.
///
/// Owner: the caller. Start from SIGNOFF_RECORD_INIT. Its texts are the listing's, and live until the next call on it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_record {
    /// sizeof(signoff_record).
    pub struct_size: u32,
    /// SIGNOFF_REVOKE_TOKEN_ID, _SESSION, _SUBJECT or _EVERYTHING; 0 behind the last record.
    pub target: u32,
    /// "jti:…" or "sha256:…", a "sid", a "sub", or no text.
    pub value: signoff_str,
    /// SIGNOFF_ISSUER_….
    pub issuer_kind: u32,
    /// 0.
    pub reserved: u32,
    /// The issuer's name, or no text.
    pub issuer: signoff_str,
    /// The cut-off in milliseconds since 1970, or SIGNOFF_TIME_ABSENT.
    pub issued_before_ms: i64,
    /// When no token that it means can be accepted any more, or SIGNOFF_TIME_ABSENT for one that is kept for ever.
    pub keep_until_ms: i64,
    /// When it was recorded, by the clock of whoever did.
    pub recorded_at_ms: i64,
    /// The "jti" and "sid" that are spared.
    pub keep: *const signoff_str,
    /// How many.
    pub keep_len: usize,
    /// The word for whoever reads the log, or no text.
    pub reason: signoff_str,
}

sized!(signoff_record);

/// A walk through the revocations in a log, in the order in which they were recorded.
///
/// Owner: the caller, until signoff_listing_free(). Threads: one call at a time.
pub struct signoff_listing {
    records: OfProcess<RevocationsInLog>,
    /// What the texts of the last answer lie in.
    last: Option<Last>,
}

struct Last {
    record: Record,
    value: String,
    keep: Vec<signoff_str>,
}

/// Starts a walk through the log. Reads nothing yet.
///
/// out: the listing if and only if the result is SIGNOFF_OK, and NULL otherwise. Statuses: SIGNOFF_NO_LOG; the call errors.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_listing_new(
    engine: *const signoff_engine,
    out: *mut *mut signoff_listing,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_handle(out, "out")?;
        let engine = call.handle(engine, "engine")?.here()?;
        out.set(signoff_listing { records: OfProcess::this(engine.revocations()?), last: None });
        Ok(())
    })
}

/// The next record. Behind the last, the result is SIGNOFF_OK and record all zero, so that target is 0.
///
/// Cost: I/O, a thousand records at a time. Statuses: the 5000s when the log can't be read.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_listing_next(
    listing: *mut signoff_listing,
    record: *mut signoff_record,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.sized_out(record)?;
        let listing = call.own_handle(listing, "listing")?;
        listing.last = None;
        let Some(record) = listing.records.here_mut()?.next() else { return Ok(()) };
        let record = record?;
        let value = record.target.value();
        let mut last = Last { record, value, keep: Vec::new() };
        last.keep = last.record.keep.iter().map(|id| signoff_str::view(id)).collect();
        out.set(listing.last.insert(last).view());
        Ok(())
    })
}

/// Ends a listing. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signoff_listing_free(listing: *mut signoff_listing) {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(std::ptr::null_mut()) };
    let _ended = call.run(|| {
        drop(call.taken(listing));
        Ok(())
    });
}

impl Last {
    fn view(&self) -> signoff_record {
        let Self { record, value, keep } = self;
        let (target, value) = match record.target.scope() {
            Scope::Token => (SIGNOFF_REVOKE_TOKEN_ID, Some(value.as_str())),
            Scope::Session => (SIGNOFF_REVOKE_SESSION, Some(value.as_str())),
            Scope::Subject => (SIGNOFF_REVOKE_SUBJECT, Some(value.as_str())),
            Scope::Everything => (SIGNOFF_REVOKE_EVERYTHING, None),
        };
        let (issuer_kind, issuer) = match &record.issuer {
            Issuer::Any => (SIGNOFF_ISSUER_ANY, None),
            Issuer::Absent => (SIGNOFF_ISSUER_ABSENT, None),
            Issuer::Named(name) => (SIGNOFF_ISSUER_NAMED, Some(name.as_str())),
        };
        signoff_record {
            struct_size: size_of::<signoff_record>() as u32,
            target,
            value: signoff_str::view_of(value),
            issuer_kind,
            reserved: 0,
            issuer: signoff_str::view_of(issuer),
            issued_before_ms: millis(record.issued_before),
            keep_until_ms: millis(record.keep_until),
            recorded_at_ms: record.recorded_at.as_millis(),
            keep: if keep.is_empty() { std::ptr::null() } else { keep.as_ptr() },
            keep_len: keep.len(),
            reason: signoff_str::view_of(record.reason.as_deref()),
        }
    }
}
