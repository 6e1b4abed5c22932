//! Verification: one token, many tokens, and the signature alone.

use std::ffi::c_char;

use super::call::Call;
use super::claims::{SIGNOFF_CLEARED_NOTHING, cleared_number};
use super::fault::Fault;
use super::{signoff_claims, signoff_engine, signoff_error, signoff_status, signoff_str, signoff_times};
use crate::clock::Clock;
use crate::engine::VouchedToken;
use crate::policy::claims::Claims;
use crate::status::Status;

/// Whether a token may be used now: returns SIGNOFF_OK if and only if its shape, its signature and its claims hold and
/// nobody has logged it out, as far as the engine is to know: without a log, and with SIGNOFF_ON_UNKNOWN_ACCEPT, "cleared" of
/// the claims says how far.
///
/// token: the sender's bytes, any of them; not ended by NUL. times: NULL for this machine's clocks. buffer: where
/// the texts of the claims go, of buffer_size bytes; SIGNOFF_BUFFER_BYTES(token_len) is always enough. claims: filled in
/// with SIGNOFF_OK and all zero otherwise; NULL if you only want the verdict, and then buffer may be NULL too.
///
/// Statuses: the 1000s to 4000s, in the order of the checks: signoff_status_http() says whether to answer with 401 or 503.
/// SIGNOFF_ERR_BUFFER_TOO_SMALL only for a token that would be accepted. Cost: one HMAC over the token for each key that
/// could have signed it; no I/O, no lock; no allocation from the second call of a thread on, unless a token is longer
/// than any before.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_verify(
    engine: *const signoff_engine,
    token: *const c_char,
    token_len: usize,
    times: *const signoff_times,
    buffer: *mut c_char,
    buffer_size: usize,
    claims: *mut signoff_claims,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = if claims.is_null() { None } else { Some(call.sized_out(claims)?) };
        let buffer = call.buffer(buffer, buffer_size, "buffer")?;
        let handle = call.handle(engine, "engine")?;
        let engine = handle.here()?;
        let clock = call.clock(times, engine)?;
        let token = call.token(token, token_len)?;
        handle.with_scratch(|scratch| {
            let mut read = Claims::default();
            let proven = engine.verify_bytes(scratch, token, clock, &mut read)?;
            if let Some(out) = out {
                out.set(signoff_claims::copied(&proven, &read, buffer)?);
            }
            Ok(())
        })
    })
}

/// Verifies many tokens: returns SIGNOFF_OK if and only if every one of them is accepted, and otherwise the status of the
/// first that is not. statuses says it of each.
///
/// tokens: tokens_len of them. statuses: room for as many; each is SIGNOFF_ERR_NOT_VERIFIED until its token was verified, so
/// that a call that fails as a whole has accepted none. Only with SIGNOFF_ERR_LENGTH for tokens_len itself they are left
/// as they were. times: NULL for this machine's clocks, which are read once. Statuses and cost: those
/// of signoff_engine_verify(), less what is done once a call.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_verify_batch(
    engine: *const signoff_engine,
    tokens: *const signoff_str,
    tokens_len: usize,
    times: *const signoff_times,
    statuses: *mut signoff_status,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let mut statuses = call.out_array(statuses, tokens_len, "statuses")?;
        statuses.fill(Status::NotVerified.number());
        let handle = call.handle(engine, "engine")?;
        // One reading of each clock for all of them.
        let engine = handle.here()?;
        let now = call.times(times)?.unwrap_or_else(|| engine.now());
        let clock = Clock::Given(now.since_boot(now.boot()));
        let tokens = call.array(tokens, tokens_len, "tokens")?;
        handle.with_scratch(|scratch| {
            let (mut first, mut read): (Option<Fault>, _) = (None, Claims::default());
            for (at, token) in tokens.iter().enumerate() {
                let verdict = call
                    .token(token.data, token.len)
                    .map_err(Fault::from)
                    .and_then(|token| Ok(engine.verify_bytes(scratch, token, clock, &mut read).map(|_proven| ())?));
                statuses.set(at, verdict.as_ref().map_or_else(|fault| fault.status().number(), |()| 0));
                if let (None, Err(fault)) = (&first, verdict) {
                    first = Some(fault);
                }
            }
            first.map_or(Ok(()), Err)
        })
    })
}

/// Whether the signature of a token holds, whatever its payload is: returns SIGNOFF_OK if and only if it does. No claim is
/// looked at, not even "exp", and no log-out.
///
/// payload: the bytes that were signed, in buffer; no text unless the result is SIGNOFF_OK. buffer: room for them;
/// SIGNOFF_BUFFER_BYTES(token_len) is always enough. Statuses: the 1000s and 2000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_authenticate(
    engine: *const signoff_engine,
    token: *const c_char,
    token_len: usize,
    buffer: *mut c_char,
    buffer_size: usize,
    payload: *mut signoff_str,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let mut out = call.out(payload, "payload")?;
        out.set(signoff_str::NONE);
        let mut buffer = call.buffer(buffer, buffer_size, "buffer")?;
        let engine = call.handle(engine, "engine")?.here()?;
        let authentic = engine.authenticate(call.token(token, token_len)?)?;
        out.set(buffer.put_bytes(authentic.payload())?);
        Ok(())
    })
}

/// Whether a token has been logged out whose signature the caller has verified by other means, over these very bytes: for
/// algorithms that this library does not have. Returns SIGNOFF_OK if and only if nothing means it, as far as the engine is
/// to know. Insecure in that it takes the caller's word: of a token that nobody has verified it says nothing.
///
/// The token's shape, its header and the types of its claims are held to the rules of signoff_engine_verify(), but for the
/// algorithm. Its times, issuer, audience and type are not looked at, but for what the log needs: one that expired so long
/// ago that its revocation may have been deleted is refused as expired, and on a log with a longest lifetime it must have
/// "exp" and "iat" and keep to that.
///
/// token: not ended by NUL. times: NULL for this machine's clocks. cleared: SIGNOFF_CLEARED_… with SIGNOFF_OK, and
/// SIGNOFF_CLEARED_NOTHING otherwise; may be NULL. Statuses and cost: those of signoff_engine_verify(), less the signature.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_insecure_screen(
    engine: *const signoff_engine,
    token: *const c_char,
    token_len: usize,
    times: *const signoff_times,
    cleared: *mut u32,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let mut out = if cleared.is_null() { None } else { Some(call.out(cleared, "cleared")?) };
        if let Some(out) = &mut out {
            out.set(SIGNOFF_CLEARED_NOTHING);
        }
        let engine = call.handle(engine, "engine")?.here()?;
        let times = call.times(times)?;
        let token = VouchedToken::insecure_verified_elsewhere(call.token(token, token_len)?);
        let found = match times {
            None => engine.screen(token)?,
            Some(times) => engine.screen_at(token, times)?,
        };
        if let Some(out) = &mut out {
            out.set(cleared_number(found));
        }
        Ok(())
    })
}
