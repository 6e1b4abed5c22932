//! Logging out, and keeping the log.

use std::time::Duration;

use super::call::Call;
use super::fault::{CallError, Fault};
use super::fork::OfProcess;
use super::sized::sized;
use super::times::{millis, optional_moment};
use super::{signoff_accepted, signoff_engine, signoff_error, signoff_status, signoff_str, signoff_times};
use crate::engine::{ClockTrust, Revoking, VouchedToken};
use crate::revocation::TokenId;
use crate::revocation::{Durability, Issuer, Revocation, Revoked};

/// One token, given whole as received; it may have expired, or been revoked before. Its signature must hold. There is no
/// target 0.
pub const SIGNOFF_REVOKE_TOKEN: u32 = 1;
/// One token, given as a signoff_accepted.
pub const SIGNOFF_REVOKE_ACCEPTED: u32 = 2;
/// One token, by its "jti".
pub const SIGNOFF_REVOKE_JTI: u32 = 3;
/// One token, by its id as signoff_accepted_copy_token_id() prints it.
pub const SIGNOFF_REVOKE_TOKEN_ID: u32 = 4;
/// Every token of one login, by "sid": access and refresh tokens, also those still to be issued.
pub const SIGNOFF_REVOKE_SESSION: u32 = 5;
/// Every token of one subject, by "sub", that was issued before the cut-off: log out everywhere.
pub const SIGNOFF_REVOKE_SUBJECT: u32 = 6;
/// Every token that was issued before the cut-off: for an incident. No answer to a leaked key, whose holder writes any
/// "iat": remove the key.
pub const SIGNOFF_REVOKE_EVERYTHING: u32 = 7;
/// One token, given whole, whose signature the caller has verified by other means: for algorithms that this library does
/// not have. See signoff_engine_insecure_screen(). Insecure in that who signed it is not checked.
pub const SIGNOFF_REVOKE_INSECURE_VOUCHED: u32 = 8;

/// Tokens of every issuer, and those without "iss".
pub const SIGNOFF_ISSUER_ANY: u32 = 0;
/// Tokens without "iss".
pub const SIGNOFF_ISSUER_ABSENT: u32 = 1;
/// Tokens of the issuer that is named.
pub const SIGNOFF_ISSUER_NAMED: u32 = 2;

/// Tokens to be logged out, for signoff_engine_revoke().
///
/// Owner: the caller; it is read during the call and not kept. Start from SIGNOFF_REVOCATION_INIT.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_revocation {
    /// sizeof(signoff_revocation).
    pub struct_size: u32,
    /// SIGNOFF_REVOKE_…: what value is.
    pub target: u32,
    /// The token, id, "sid" or "sub". No text for SIGNOFF_REVOKE_ACCEPTED and SIGNOFF_REVOKE_EVERYTHING.
    pub value: signoff_str,
    /// For SIGNOFF_REVOKE_ACCEPTED; NULL with any other.
    pub accepted: *const signoff_accepted,
    /// SIGNOFF_ISSUER_…. A token that is given whole, or accepted, names its own: leave it 0 there.
    pub issuer_kind: u32,
    /// 0.
    pub reserved: u32,
    /// For SIGNOFF_ISSUER_NAMED; no text with any other.
    pub issuer: signoff_str,
    /// The cut-off of a subject's or everything's revocation, in milliseconds since 1970. 0: now. What looks like seconds is
    /// SIGNOFF_ERR_TIME, here and below.
    pub issued_before_ms: i64,
    /// Spares tokens with one of these "jti" or "sid" from a subject's or everything's revocation.
    pub keep: *const signoff_str,
    /// How many.
    pub keep_len: usize,
    /// When the last token that is meant will have expired, in milliseconds since 1970, where the log can't know. 0: as the
    /// token says, or by the log's longest lifetime. It lengthens what that says; where the log has none, and of a token id,
    /// it is the caller's word, and the record ends then. One in the past is an error; of a token id it is
    /// SIGNOFF_REVOKED_ALREADY_EXPIRED, and nothing is recorded.
    pub keep_until_ms: i64,
    /// A word for whoever reads the log. No text: none.
    pub reason: signoff_str,
}

sized!(signoff_revocation);

/// Not known yet: see signoff_revoking_wait().
pub const SIGNOFF_REVOKED_PENDING: u32 = 0;
/// It is in the log, and binds every verification that starts from now on.
pub const SIGNOFF_REVOKED_RECORDED: u32 = 1;
/// The log already held one that means the same tokens for as long. Nothing was written.
pub const SIGNOFF_REVOKED_ALREADY_COVERED: u32 = 2;
/// The token expired so long ago that no engine on this log can accept it. Nothing was written.
pub const SIGNOFF_REVOKED_ALREADY_EXPIRED: u32 = 3;

/// Nothing was written by this call.
pub const SIGNOFF_DURABILITY_NONE: u32 = 0;
/// It ends with this process.
pub const SIGNOFF_DURABILITY_MEMORY: u32 = 1;
/// It outlives a crash of the process or the machine: it was synchronised to a local file.
pub const SIGNOFF_DURABILITY_FILE: u32 = 2;
/// A crash of the process: the Redis primary has it, in its memory.
pub const SIGNOFF_DURABILITY_PRIMARY: u32 = 3;
/// The loss of the Redis primary too: "replicas" of its replicas have confirmed that they have it.
pub const SIGNOFF_DURABILITY_REPLICAS: u32 = 4;
/// A crash of the Redis primary: it was synchronised to the primary's disk, and to those of "replicas" replicas.
pub const SIGNOFF_DURABILITY_FSYNCED: u32 = 5;
/// A crash of this machine, and no more: the log on Redis could not be given it, and gets it when it is there again. Until then it
/// binds the processes on the local file alone.
pub const SIGNOFF_DURABILITY_LOCAL_FILE: u32 = 6;

/// What became of a revocation.
///
/// Owner: the caller. Start from SIGNOFF_REVOKED_INIT. All zero unless the call returned SIGNOFF_OK.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_revoked {
    /// sizeof(signoff_revoked).
    pub struct_size: u32,
    /// SIGNOFF_REVOKED_….
    pub outcome: u32,
    /// SIGNOFF_DURABILITY_…: what a record outlives.
    pub durability: u32,
    /// For SIGNOFF_DURABILITY_REPLICAS and SIGNOFF_DURABILITY_FSYNCED, how many; 0 with any other.
    pub replicas: u32,
}

sized!(signoff_revoked);

impl From<Revoked> for signoff_revoked {
    fn from(revoked: Revoked) -> Self {
        let (outcome, (durability, replicas)) = match revoked {
            Revoked::Recorded { durability } => (SIGNOFF_REVOKED_RECORDED, level(durability)),
            Revoked::AlreadyCovered => (SIGNOFF_REVOKED_ALREADY_COVERED, (SIGNOFF_DURABILITY_NONE, 0)),
            Revoked::AlreadyExpired => (SIGNOFF_REVOKED_ALREADY_EXPIRED, (SIGNOFF_DURABILITY_NONE, 0)),
        };
        Self { struct_size: size_of::<Self>() as u32, outcome, durability, replicas }
    }
}

/// SIGNOFF_DURABILITY_…, and how many replicas.
fn level(durability: Durability) -> (u32, u32) {
    match durability {
        Durability::Memory => (SIGNOFF_DURABILITY_MEMORY, 0),
        Durability::File => (SIGNOFF_DURABILITY_FILE, 0),
        Durability::Primary => (SIGNOFF_DURABILITY_PRIMARY, 0),
        Durability::Replicas { replicas } => (SIGNOFF_DURABILITY_REPLICAS, replicas),
        Durability::Fsynced { replicas } => (SIGNOFF_DURABILITY_FSYNCED, replicas),
        Durability::LocalFile => (SIGNOFF_DURABILITY_LOCAL_FILE, 0),
    }
}

impl signoff_revocation {
    fn read(&self, call: &Call) -> Result<Revocation, Fault> {
        let value = call.optional_text(self.value, "revocation->value")?;
        let wrong = |what, given: u32| Err(Fault::from(CallError::Option { what, given: given.into() }));
        if self.reserved != 0 {
            return wrong("revocation->reserved", self.reserved);
        }
        if self.accepted.is_null() != (self.target != SIGNOFF_REVOKE_ACCEPTED) {
            return match self.accepted.is_null() {
                true => Err(CallError::Null { what: "revocation->accepted" }.into()),
                false => wrong("revocation->target beside revocation->accepted", self.target),
            };
        }
        let text = || value.map(str::to_owned).ok_or(CallError::Null { what: "revocation->value" });
        let mut revocation = match self.target {
            SIGNOFF_REVOKE_TOKEN => Revocation::token_text(text()?),
            SIGNOFF_REVOKE_JTI => Revocation::token_id(text()?),
            SIGNOFF_REVOKE_TOKEN_ID => match TokenId::from_printed(&text()?) {
                Some(token_id) => Revocation::token_id(token_id),
                None => return wrong("revocation->value, which is no \"jti:…\" or \"sha256:…\" and so", 1),
            },
            SIGNOFF_REVOKE_SESSION => Revocation::session(text()?),
            SIGNOFF_REVOKE_SUBJECT => Revocation::subject(text()?),
            SIGNOFF_REVOKE_ACCEPTED | SIGNOFF_REVOKE_EVERYTHING if value.is_some() => {
                return wrong("revocation->target beside revocation->value", self.target);
            }
            SIGNOFF_REVOKE_ACCEPTED => Revocation::token(&call.handle(self.accepted, "revocation->accepted")?.accepted),
            SIGNOFF_REVOKE_EVERYTHING => Revocation::everything(),
            SIGNOFF_REVOKE_INSECURE_VOUCHED => {
                Revocation::vouched_token(VouchedToken::insecure_verified_elsewhere(&text()?))
            }
            given => return wrong("revocation->target", given),
        };
        let names_itself =
            matches!(self.target, SIGNOFF_REVOKE_TOKEN | SIGNOFF_REVOKE_ACCEPTED | SIGNOFF_REVOKE_INSECURE_VOUCHED);
        let issuer = call.optional_text(self.issuer, "revocation->issuer")?;
        match (self.issuer_kind, issuer) {
            (SIGNOFF_ISSUER_ANY, None) => {}
            (given, _) if names_itself => {
                return wrong("revocation->issuer_kind of a token that names its own issuer", given);
            }
            (SIGNOFF_ISSUER_ABSENT, None) => revocation = revocation.issuer(Issuer::Absent),
            (SIGNOFF_ISSUER_NAMED, Some(name)) => revocation = revocation.issuer(name),
            (SIGNOFF_ISSUER_NAMED, None) => return Err(CallError::Null { what: "revocation->issuer" }.into()),
            (given, _) => return wrong("revocation->issuer_kind", given),
        }
        if let Some(cut_off) = optional_moment(self.issued_before_ms, "revocation->issued_before_ms")? {
            revocation = revocation.issued_before(cut_off);
        }
        if let Some(until) = optional_moment(self.keep_until_ms, "revocation->keep_until_ms")? {
            revocation = revocation.keep_until(until);
        }
        for id in call.texts(self.keep, self.keep_len, "revocation->keep")? {
            revocation = revocation.keep(id);
        }
        if let Some(reason) = call.optional_name(self.reason, "revocation->reason")? {
            revocation = revocation.reason(reason);
        }
        Ok(revocation)
    }
}

/// Logs tokens out. With SIGNOFF_OK no verification of this process that starts afterwards accepts them, and other processes
/// on the log follow within 20 ms. What the record outlives stands in revoked: with a log in a file, a crash.
///
/// times: NULL for this machine's clocks. revoked: what became of it; may be NULL. There is no undo. Cost: one commit to the
/// log, shared with whoever revokes at the same time; waits for the disk.
///
/// Statuses: SIGNOFF_NO_LOG; SIGNOFF_REVOCATION_INVALID for an option that does not fit; the 1000s to 3000s for a whole
/// token that is not ours. SIGNOFF_NOT_DURABLE and SIGNOFF_INDETERMINATE when the log could not be written: the revocation
/// then binds in this process alone, and is safe to ask for again.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_revoke(
    engine: *const signoff_engine,
    revocation: *const signoff_revocation,
    times: *const signoff_times,
    revoked: *mut signoff_revoked,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = if revoked.is_null() { None } else { Some(call.sized_out(revoked)?) };
        let engine = call.handle(engine, "engine")?.here()?;
        let revocation = call.sized_in(revocation)?.read(&call)?;
        let answer = match call.times(times)? {
            None => engine.revoke(revocation)?,
            Some(times) => engine.revoke_at(revocation, times)?,
        };
        if let Some(out) = out {
            out.set(answer.into());
        }
        Ok(())
    })
}

/// A revocation on its way to the log.
///
/// Owner: the caller, until signoff_revoking_free(). May outlive the engine. Threads: one call at a time.
pub struct signoff_revoking {
    revoking: OfProcess<Revoking>,
}

/// Logs tokens out without waiting for the disk: for event loops.
///
/// times: NULL for this machine's clocks. out: to be asked what became of it, if and only if the result is SIGNOFF_OK, and
/// NULL otherwise. SIGNOFF_OK says that the revocation is on its way, and no more: it binds, in this process and in others,
/// once signoff_revoking_wait() has said what became of it. Statuses: those of signoff_engine_revoke(), where they are known
/// at once, as for an engine without a log; from signoff_revoking_wait() otherwise. With SIGNOFF_LOG_NO_THREADS it
/// binds in this process at once, and is written by the next signoff_engine_refresh(), signoff_engine_revoke() or
/// signoff_revoking_wait() with a time to wait; what is not written when the process ends is lost.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_start_revoke(
    engine: *const signoff_engine,
    revocation: *const signoff_revocation,
    times: *const signoff_times,
    out: *mut *mut signoff_revoking,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_handle(out, "out")?;
        let engine = call.handle(engine, "engine")?.here()?;
        let revocation = call.sized_in(revocation)?.read(&call)?;
        let mut revoking = match call.times(times)? {
            None => engine.revoke_async(revocation),
            Some(times) => engine.revoke_async_at(revocation, times),
        };
        if let Some(Err(error)) = revoking.wait(Duration::ZERO) {
            return Err(error.into());
        }
        out.set(signoff_revoking { revoking: OfProcess::this(revoking) });
        Ok(())
    })
}

/// Waits for what becomes of a revocation.
///
/// timeout_ms: how long at most, in milliseconds; 0 looks and does not wait. revoked: with SIGNOFF_OK what became of it,
/// where outcome is SIGNOFF_REVOKED_PENDING if that is not known yet: ask again. Statuses: those of signoff_engine_revoke(),
/// as often as asked.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_revoking_wait(
    revoking: *mut signoff_revoking,
    timeout_ms: u64,
    revoked: *mut signoff_revoked,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.sized_out(revoked)?;
        let revoking = call.own_handle(revoking, "revoking")?.revoking.here_mut()?;
        if let Some(outcome) = revoking.wait(Duration::from_millis(timeout_ms)) {
            out.set(outcome?.into());
        }
        Ok(())
    })
}

/// Ends the handle. NULL is fine. The revocation goes on: there is no undo.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signoff_revoking_free(revoking: *mut signoff_revoking) {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(std::ptr::null_mut()) };
    let _ended = call.run(|| {
        drop(call.taken(revoking));
        Ok(())
    });
}

/// Reads what is new in the log, writes what waits, merges and collects: what the log's threads do otherwise. For hosts with
/// SIGNOFF_LOG_NO_THREADS, and harmless in others.
///
/// times: NULL for this machine's clocks. Statuses: SIGNOFF_NO_LOG; the 5000s when the log can't be read, and then its
/// freshness does not advance.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_refresh(
    engine: *const signoff_engine,
    times: *const signoff_times,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let engine = call.handle(engine, "engine")?.here()?;
        Ok(engine.refresh_at(call.times(times)?.unwrap_or_else(|| engine.now()))?)
    })
}

/// Pauses while the clock is implausible: a clock that is ahead would end every revocation.
pub const SIGNOFF_CLOCK_DOUBTED: u32 = 0;
/// The caller has made sure that the clock is right.
pub const SIGNOFF_CLOCK_CONFIRMED: u32 = 1;

/// Deletes expired revocations now, and gives the room back to the system.
///
/// clock: SIGNOFF_CLOCK_…. times: NULL for this machine's clocks. deleted: how many records; may be NULL. Statuses:
/// SIGNOFF_NO_LOG; the 5000s when the log can't be written.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_compact(
    engine: *const signoff_engine,
    clock: u32,
    times: *const signoff_times,
    deleted: *mut u64,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let mut out = if deleted.is_null() { None } else { Some(call.out(deleted, "deleted")?) };
        if let Some(out) = &mut out {
            out.set(0);
        }
        let engine = call.handle(engine, "engine")?.here()?;
        let trust = match clock {
            SIGNOFF_CLOCK_DOUBTED => ClockTrust::Doubt,
            SIGNOFF_CLOCK_CONFIRMED => ClockTrust::Confirmed,
            given => return Err(CallError::Option { what: "clock", given: given.into() }.into()),
        };
        let compaction = engine.compact_at(trust, call.times(times)?.unwrap_or_else(|| engine.now()))?;
        if let Some(out) = &mut out {
            out.set(compaction.deleted);
        }
        Ok(())
    })
}

/// Sets the watermark back to now, after a clock that stood too far ahead has made it one of the future. Tokens that expire
/// between now and the old watermark are good again, even where their revocations have been deleted.
///
/// times: NULL for this machine's clocks. before_ms: the old watermark, or SIGNOFF_TIME_ABSENT; may be NULL. Statuses:
/// SIGNOFF_NO_LOG; the 5000s when the log can't be written.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_insecure_reset_watermark(
    engine: *const signoff_engine,
    times: *const signoff_times,
    before_ms: *mut i64,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let mut out = if before_ms.is_null() { None } else { Some(call.out(before_ms, "before_ms")?) };
        if let Some(out) = &mut out {
            out.set(millis(None));
        }
        let engine = call.handle(engine, "engine")?.here()?;
        let before = engine.insecure_reset_watermark(call.times(times)?.unwrap_or_else(|| engine.now()))?;
        if let Some(out) = &mut out {
            out.set(millis(before));
        }
        Ok(())
    })
}
