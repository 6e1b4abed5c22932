//! An accepted token that is kept: for requests that outlive their buffer, and connections that stay open.

use std::ffi::c_char;

use super::call::Call;
use super::{signoff_claims, signoff_engine, signoff_error, signoff_status, signoff_times};
use crate::engine::{Accepted, RevocationStatus};
use crate::status::Status;

/// A token that was accepted, with memory of its own.
///
/// Owner: the caller, until signoff_accepted_free(). May outlive the engine. Threads: immutable, any may use it.
pub struct signoff_accepted {
    pub(super) accepted: Accepted<'static>,
}

/// Verifies a token as signoff_engine_verify() does, and keeps what was accepted.
///
/// out: the accepted token if and only if the result is SIGNOFF_OK, and NULL otherwise. Cost: that of
/// signoff_engine_verify(), and a few allocations.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_accept(
    engine: *const signoff_engine,
    token: *const c_char,
    token_len: usize,
    times: *const signoff_times,
    out: *mut *mut signoff_accepted,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_handle(out, "out")?;
        let engine = call.handle(engine, "engine")?.here()?;
        let token = call.token(token, token_len)?;
        let accepted = match call.times(times)? {
            None => engine.verify_owned(token)?,
            Some(times) => engine.verify_owned_at(token, times)?,
        };
        out.set(signoff_accepted { accepted });
        Ok(())
    })
}

/// The claims of an accepted token. The texts of claims live as long as accepted does.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_accepted_claims(
    accepted: *const signoff_accepted,
    claims: *mut signoff_claims,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.sized_out(claims)?;
        out.set(signoff_claims::viewed(&call.handle(accepted, "accepted")?.accepted));
        Ok(())
    })
}

/// Copies the token's id, as logs print it: "jti:…", or "sha256:…" with 64 digits for a token without "jti".
///
/// out: the text, of out_size bytes; not ended by NUL. out_len: how long the text is, also with
/// SIGNOFF_ERR_BUFFER_TOO_SMALL. signoff_revocation takes it as SIGNOFF_REVOKE_TOKEN_ID.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_accepted_copy_token_id(
    accepted: *const signoff_accepted,
    out: *mut c_char,
    out_size: usize,
    out_len: *mut usize,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_text(out, out_size, out_len)?;
        Ok(out.set(&call.handle(accepted, "accepted")?.accepted.token_id().to_string())?)
    })
}

/// Whether a token that was accepted has been logged out since.
///
/// verdict: SIGNOFF_OK if nothing means it; SIGNOFF_CLAIM_EXPIRED once its "exp" has passed by this machine's clock, since what
/// was recorded of it may have been deleted by then; SIGNOFF_TOKEN_REVOKED; or one of SIGNOFF_REVOCATIONS_…, when that can't be
/// known; SIGNOFF_ERR_NOT_VERIFIED unless the result is SIGNOFF_OK. Statuses: SIGNOFF_NO_LOG; the call errors of SIGNOFF_ERR_….
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_is_revoked(
    engine: *const signoff_engine,
    accepted: *const signoff_accepted,
    verdict: *mut signoff_status,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let mut out = call.out(verdict, "verdict")?;
        out.set(Status::NotVerified.number());
        let engine = call.handle(engine, "engine")?.here()?;
        let accepted = &call.handle(accepted, "accepted")?.accepted;
        let status = match engine.is_revoked(accepted)? {
            RevocationStatus::NotRevoked(_) => Status::Done,
            RevocationStatus::Revoked { .. } => Status::TokenRevoked,
            RevocationStatus::Unknown(unknown) => unknown.status(),
            RevocationStatus::Expired { .. } => Status::ClaimExpired,
        };
        out.set(status.number());
        Ok(())
    })
}

/// Ends an accepted token. NULL is fine. Claims that were read from it end with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signoff_accepted_free(accepted: *mut signoff_accepted) {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(std::ptr::null_mut()) };
    let _ended = call.run(|| {
        drop(call.taken(accepted));
        Ok(())
    });
}
