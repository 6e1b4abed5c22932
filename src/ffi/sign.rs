//! Signing.

use std::ffi::c_char;
use std::time::Duration;

use super::call::Call;
use super::fault::CallError;
use super::keys::flag;
use super::sized::sized;
use super::times::millis;
use super::{signoff_engine, signoff_error, signoff_status, signoff_str, signoff_times};
use crate::engine::NewToken;

/// A token without "exp". Only engines with SIGNOFF_POLICY_INSECURE_ALLOW_MISSING_EXP accept it.
pub const SIGNOFF_SIGN_INSECURE_NEVER_EXPIRES: u32 = 1;

/// A token to be signed, for signoff_engine_sign().
///
/// Owner: the caller; it is read during the call and not kept. Start from SIGNOFF_NEW_TOKEN_INIT.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_new_token {
    /// sizeof(signoff_new_token).
    pub struct_size: u32,
    /// SIGNOFF_SIGN_INSECURE_NEVER_EXPIRES, or 0.
    pub flags: u32,
    /// The claims as the text of a JSON object. "iat", "exp" and "jti" are added unless they are among them.
    pub claims: signoff_str,
    /// How long the token lives, in milliseconds, counted from "iat". 0 if "exp" is among the claims.
    pub expires_in_ms: u64,
    /// Signs with the key of this id. No text: with the first of the set.
    pub key_id: signoff_str,
    /// The header's "typ". No text: JWT.
    pub token_type: signoff_str,
}

sized!(signoff_new_token);

/// A signed token, with what a caller wants to keep of it.
///
/// Owner: the caller. Start from SIGNOFF_SIGNED_INIT. All zero unless the call returned SIGNOFF_OK. Its texts lie in
/// the buffer that was given to the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_signed {
    /// sizeof(signoff_signed).
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The token. Whoever holds it can use it.
    pub token: signoff_str,
    /// Its "jti".
    pub jti: signoff_str,
    /// Its "iat", in milliseconds since 1970.
    pub issued_at_ms: i64,
    /// Its "exp", or SIGNOFF_TIME_ABSENT.
    pub expires_at_ms: i64,
}

sized!(signoff_signed);

/// Signs a token that this engine's own verification would accept.
///
/// times: NULL for this machine's clocks. buffer: where the texts of signed_token go, of buffer_size bytes: 4/3 of the claims
/// and their "jti", and 600 bytes, are enough unless key id and type are long. signed_token: filled in if and only if the
/// result is SIGNOFF_OK.
/// Statuses: SIGNOFF_CLAIMS_INVALID, SIGNOFF_EXPIRY_UNSTATED, SIGNOFF_SIGNING_KEY_MISSING, SIGNOFF_TOKEN_TOO_LONG_TO_SIGN,
/// SIGNOFF_RANDOM_UNAVAILABLE; SIGNOFF_TOKEN_REVOKED for a login that has ended; the call errors of SIGNOFF_ERR_….
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_sign(
    engine: *const signoff_engine,
    new_token: *const signoff_new_token,
    times: *const signoff_times,
    buffer: *mut c_char,
    buffer_size: usize,
    signed_token: *mut signoff_signed,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.sized_out(signed_token)?;
        let mut buffer = call.buffer(buffer, buffer_size, "buffer")?;
        let engine = call.handle(engine, "engine")?.here()?;
        let new_token = call.sized_in(new_token)?.read(&call)?;
        let signed = engine.sign_at(new_token, call.times(times)?.unwrap_or_else(|| engine.now()))?;
        buffer.require(signed.token().len() + signed.token_id().len())?;
        out.set(signoff_signed {
            struct_size: size_of::<signoff_signed>() as u32,
            reserved: 0,
            token: buffer.put(signed.token())?,
            jti: buffer.put(signed.token_id())?,
            issued_at_ms: signed.issued_at().as_millis(),
            expires_at_ms: millis(signed.expires_at()),
        });
        Ok(())
    })
}

impl signoff_new_token {
    fn read(&self, call: &Call) -> Result<NewToken, CallError> {
        let flags = flag(self.flags, SIGNOFF_SIGN_INSECURE_NEVER_EXPIRES, "new_token->flags")?;
        let mut token = NewToken::from_json(call.text(self.claims, "new_token->claims")?);
        if let Some(key_id) = call.optional_name(self.key_id, "new_token->key_id")? {
            token = token.key_id(key_id);
        }
        if let Some(token_type) = call.optional_name(self.token_type, "new_token->token_type")? {
            token = token.token_type(token_type);
        }
        match (flags, self.expires_in_ms) {
            (0, 0) => Ok(token),
            (0, millis) => Ok(token.expires_in(Duration::from_millis(millis))),
            (_, 0) => Ok(token.insecure_never_expires()),
            (_, given) => Err(CallError::Option {
                what: "new_token->expires_in_ms of a token that never expires",
                given: given.into(),
            }),
        }
    }
}
