//! Strings and numbers from JavaScript and to it, without a detour.

#![allow(unsafe_code)]

use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, Unknown};
use napi::{Env, Result, check_status, sys};
use signoff::Reject;

/// Copies a token into a buffer, or says why it can't be one. `length` is what JavaScript says of it: its number of
/// UTF-16 code units, which for a token is the number of its bytes.
///
/// A string with anything else than ASCII in it never passes for one without: what takes several bytes makes the text
/// longer than `length`, so that it was cut off, in which case either bytes are missing or some are not ASCII, and the
/// engine refuses those.
#[inline]
pub(crate) fn read_token(
    env: sys::napi_env,
    token: sys::napi_value,
    length: usize,
    buffer: &mut Vec<u8>,
    max: usize,
) -> Result<std::result::Result<&[u8], Reject>> {
    if length > max {
        return Ok(Err(Reject::TokenTooLong { bytes: length, max }));
    }
    // One byte more, which Node-API ends the text with. As long as the text is ASCII, no other size lets V8 copy it
    // as fast.
    if buffer.len() <= length {
        buffer.resize(length + 1, 0);
    }
    let mut written = 0;
    // SAFETY: the buffer has `length + 1` bytes, and Node-API writes no more than it is told.
    let status = unsafe {
        sys::napi_get_value_string_utf8(env, token, buffer.as_mut_ptr().cast(), length + 1, &raw mut written)
    };
    check_status!(status)?;
    match written == length {
        true => Ok(Ok(&buffer[..written])),
        false => Ok(Err(Reject::TokenCharacter { at: written.min(length) })),
    }
}

/// A string for JavaScript.
#[inline]
pub(crate) fn raw_string(env: sys::napi_env, text: &str) -> Result<sys::napi_value> {
    let length = isize::try_from(text.len()).unwrap_or(isize::MAX);
    let mut value = std::ptr::null_mut();
    // SAFETY: pointer and length are those of the text. ASCII is the same in Latin-1 and UTF-8.
    let status = unsafe {
        match text.is_ascii() {
            true => sys::napi_create_string_latin1(env, text.as_ptr().cast(), length, &raw mut value),
            false => sys::napi_create_string_utf8(env, text.as_ptr().cast(), length, &raw mut value),
        }
    };
    check_status!(status)?;
    Ok(value)
}

/// The same as a typed value.
pub(crate) fn string<'env>(env: &Env, text: &str) -> Result<Unknown<'env>> {
    let value = raw_string(env.raw(), text)?;
    // SAFETY: the value was made in this environment just now.
    unsafe { Unknown::from_napi_value(env.raw(), value) }
}

/// A number for JavaScript.
#[inline]
pub(crate) fn number(env: sys::napi_env, number: u32) -> Result<sys::napi_value> {
    let mut value = std::ptr::null_mut();
    // SAFETY: there is room for the value.
    check_status!(unsafe { sys::napi_create_uint32(env, number, &raw mut value) })?;
    Ok(value)
}

/// Any value for JavaScript.
pub(crate) fn unknown<'env>(env: &Env, value: impl ToNapiValue) -> Result<Unknown<'env>> {
    // SAFETY: the value is made and read in the same environment.
    unsafe { Unknown::from_napi_value(env.raw(), ToNapiValue::to_napi_value(env.raw(), value)?) }
}

/// A value that was made in this environment.
pub(crate) fn typed<'env>(env: &Env, value: sys::napi_value) -> Result<Unknown<'env>> {
    // SAFETY: whoever calls has made it in this environment just now.
    unsafe { Unknown::from_napi_value(env.raw(), value) }
}
