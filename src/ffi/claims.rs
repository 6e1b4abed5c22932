//! The claims of an accepted token, as views into the caller's memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::c_char;

use serde_json::value::RawValue;

use super::call::Call;
use super::fault::{CallError, Outcome};
use super::outputs::Buffer;
use super::sized::sized;
use super::times::millis;
use super::{signoff_error, signoff_status, signoff_str};
use crate::engine::{Accepted, Cleared, Proven, WhyUnknown};
use crate::policy::claim_strings::Span;
use crate::policy::claims::Claims;

/// Nothing was cleared: the struct has not been filled in.
pub const SIGNOFF_CLEARED_NOTHING: u32 = 0;
/// Screened against every revocation in the log, and none means the token.
pub const SIGNOFF_CLEARED_NOT_REVOKED: u32 = 1;
/// The engine has no log: nothing was screened.
pub const SIGNOFF_CLEARED_NO_LOG: u32 = 2;
/// The log was last read longer ago than is allowed, and on_unknown lets the token pass.
pub const SIGNOFF_CLEARED_UNKNOWN_STALE: u32 = 3;
/// The log has not been read to its end yet, and on_unknown lets the token pass.
pub const SIGNOFF_CLEARED_UNKNOWN_UNREAD: u32 = 4;
/// The log holds revocations that only a newer signoff knows, and on_unknown lets the token pass.
pub const SIGNOFF_CLEARED_UNKNOWN_NEWER: u32 = 5;

/// The claims of an accepted token: what a holder of the key signed, for us, and for now.
///
/// Owner: the caller. Start from SIGNOFF_CLAIMS_INIT, and use it again as often as you like. All zero unless the call
/// that filled it in returned SIGNOFF_OK. Its texts lie in the buffer that was given to that call, and live until the
/// buffer is used again or ends. A claim that the token does not have has no text (data is NULL).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_claims {
    /// sizeof(signoff_claims).
    pub struct_size: u32,
    /// SIGNOFF_CLEARED_…: why the token counts as not logged out.
    pub cleared: u32,
    /// The payload: the JSON text of all claims, exactly as it was signed.
    pub payload: signoff_str,
    /// "iss", escapes resolved, as in the other texts.
    pub issuer: signoff_str,
    /// "sub": unique only within its issuer.
    pub subject: signoff_str,
    /// "jti".
    pub jti: signoff_str,
    /// "sid": the login that the token belongs to.
    pub session: signoff_str,
    /// "exp" in milliseconds since 1970, or SIGNOFF_TIME_ABSENT, as in the other times.
    pub expires_at_ms: i64,
    /// "iat".
    pub issued_at_ms: i64,
    /// "nbf".
    pub not_before_ms: i64,
}

sized!(signoff_claims);

/// A buffer of so many bytes is enough for the claims of every token of this length.
#[inline]
fn buffer_bytes(token_len: usize) -> usize {
    // A payload of three quarters, and as much again for the texts of which escapes were resolved.
    token_len / 2 * 3 + 2
}

/// How large a buffer is enough for the claims of every token of this length, in bytes: as SIGNOFF_BUFFER_BYTES() does.
#[unsafe(no_mangle)]
pub extern "C" fn signoff_buffer_bytes(token_len: usize) -> usize {
    buffer_bytes(token_len.min(isize::MAX.cast_unsigned() / 4))
}

impl signoff_claims {
    /// The claims of a token, with their texts copied into a buffer.
    #[inline]
    pub(super) fn copied(proven: &Proven<'_>, claims: &Claims, mut buffer: Buffer<'_>) -> Result<Self, CallError> {
        // One behind the other as in the scratch, so that places stay what they are.
        let payload = buffer.put_both(proven.texts.payload, proven.texts.unescaped)?;
        let text = |span: Option<Span>| match span.map(Span::place) {
            None => signoff_str::NONE,
            Some((start, len)) => signoff_str { data: payload.data.wrapping_add(start), len },
        };
        Ok(Self {
            struct_size: size_of::<Self>() as u32,
            cleared: cleared_number(proven.cleared),
            payload,
            issuer: text(claims.iss()),
            subject: text(claims.sub()),
            jti: text(claims.jti()),
            session: text(claims.sid()),
            expires_at_ms: millis(claims.exp()),
            issued_at_ms: millis(claims.iat()),
            not_before_ms: millis(claims.nbf()),
        })
    }

    /// Views of a token that lives on.
    pub(super) fn viewed(accepted: &Accepted<'_>) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            cleared: cleared_number(accepted.cleared()),
            payload: signoff_str::view(accepted.payload()),
            issuer: signoff_str::view_of(accepted.issuer()),
            subject: signoff_str::view_of(accepted.subject()),
            jti: signoff_str::view_of(accepted.jti()),
            session: signoff_str::view_of(accepted.session()),
            expires_at_ms: millis(accepted.expires_at()),
            issued_at_ms: millis(accepted.issued_at()),
            not_before_ms: millis(accepted.not_before()),
        }
    }
}

#[inline]
pub(super) fn cleared_number(cleared: Cleared) -> u32 {
    match cleared {
        Cleared::NotRevoked(_) => SIGNOFF_CLEARED_NOT_REVOKED,
        Cleared::NoLog => SIGNOFF_CLEARED_NO_LOG,
        Cleared::UnknownAllowed(WhyUnknown::Stale) => SIGNOFF_CLEARED_UNKNOWN_STALE,
        Cleared::UnknownAllowed(WhyUnknown::Unread) => SIGNOFF_CLEARED_UNKNOWN_UNREAD,
        Cleared::UnknownAllowed(WhyUnknown::Newer) => SIGNOFF_CLEARED_UNKNOWN_NEWER,
    }
}

/// There is no such claim, or no such element.
pub const SIGNOFF_VALUE_ABSENT: u32 = 0;
/// A string; its text has its escapes resolved.
pub const SIGNOFF_VALUE_STRING: u32 = 1;
/// A number, as it is spelled.
pub const SIGNOFF_VALUE_NUMBER: u32 = 2;
/// true or false.
pub const SIGNOFF_VALUE_BOOLEAN: u32 = 3;
/// null.
pub const SIGNOFF_VALUE_NULL: u32 = 4;
/// An array, as its JSON text.
pub const SIGNOFF_VALUE_ARRAY: u32 = 5;
/// An object, as its JSON text.
pub const SIGNOFF_VALUE_OBJECT: u32 = 6;

/// Copies the value of any claim.
///
/// claims: filled in by a call that returned SIGNOFF_OK. name: the claim. kind: SIGNOFF_VALUE_…. out: the text of the value,
/// of out_size bytes; not ended by NUL. out_len: how long the text is, also with SIGNOFF_ERR_BUFFER_TOO_SMALL, so that
/// (NULL, 0) asks for the length. A claim that is there twice reads as the last of them. Cost: reads the whole payload, and
/// allocates; a program that wants many claims gives claims->payload to its JSON library.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_claims_copy_value(
    claims: *const signoff_claims,
    name: *const c_char,
    name_len: usize,
    kind: *mut u32,
    out: *mut c_char,
    out_size: usize,
    out_len: *mut usize,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let mut kind = call.out(kind, "kind")?;
        kind.set(SIGNOFF_VALUE_ABSENT);
        let out = call.out_text(out, out_size, out_len)?;
        let name = call.text(signoff_str { data: name, len: name_len }, "name")?;
        let claims = read(&call, claims)?;
        let value = claims.get(name).copied();
        copy_value(value, kind, out)
    })
}

/// Copies one of the names in "aud": index 0 is the first, whether "aud" is one string or an array.
///
/// kind: SIGNOFF_VALUE_ABSENT behind the last. The other parameters: those of signoff_claims_copy_value().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_claims_copy_audience(
    claims: *const signoff_claims,
    index: usize,
    kind: *mut u32,
    out: *mut c_char,
    out_size: usize,
    out_len: *mut usize,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let mut kind = call.out(kind, "kind")?;
        kind.set(SIGNOFF_VALUE_ABSENT);
        let out = call.out_text(out, out_size, out_len)?;
        let claims = read(&call, claims)?;
        let aud = claims.get("aud").copied();
        let all: Vec<&RawValue> = match aud {
            Some(array) if array.get().starts_with('[') => {
                serde_json::from_str(array.get()).map_err(crate::Error::ClaimsUnreadable)?
            }
            one => one.into_iter().collect(),
        };
        copy_value(all.get(index).copied(), kind, out)
    })
}

type Members<'c> = BTreeMap<Cow<'c, str>, &'c RawValue>;

fn read(call: &Call, claims: *const signoff_claims) -> Result<Members<'_>, super::fault::Fault> {
    let claims = call.sized_in(claims)?;
    if claims.cleared == SIGNOFF_CLEARED_NOTHING {
        return Err(CallError::Option { what: "claims->cleared of claims that were never filled in", given: 0 }.into());
    }
    let payload = call.text(claims.payload, "claims->payload")?;
    Ok(serde_json::from_str(payload).map_err(crate::Error::ClaimsUnreadable)?)
}

fn copy_value(
    value: Option<&RawValue>,
    mut kind: super::outputs::Out<'_, u32>,
    out: super::outputs::OutText<'_>,
) -> Outcome {
    let text = value.map_or("", RawValue::get);
    let unescaped: String;
    let (found, text) = match text.as_bytes().first() {
        None => (SIGNOFF_VALUE_ABSENT, ""),
        Some(b'"') => {
            unescaped = serde_json::from_str(text).map_err(crate::Error::ClaimsUnreadable)?;
            (SIGNOFF_VALUE_STRING, unescaped.as_str())
        }
        Some(b't' | b'f') => (SIGNOFF_VALUE_BOOLEAN, text),
        Some(b'n') => (SIGNOFF_VALUE_NULL, text),
        Some(b'[') => (SIGNOFF_VALUE_ARRAY, text),
        Some(b'{') => (SIGNOFF_VALUE_OBJECT, text),
        Some(_) => (SIGNOFF_VALUE_NUMBER, text),
    };
    kind.set(found);
    Ok(out.set(text)?)
}
