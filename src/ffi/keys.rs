//! Keys and key sets.

use std::ffi::c_char;

use super::call::Call;
use super::fault::{CallError, Fault};
use super::sized::sized;
use super::{signoff_error, signoff_status, signoff_str};
use crate::keys::{Algorithm, Key, KeySet};

/// HMAC with SHA-256. There is no algorithm 0.
pub const SIGNOFF_ALGORITHM_HS256: u32 = 1;
/// HMAC with SHA-384.
pub const SIGNOFF_ALGORITHM_HS384: u32 = 2;
/// HMAC with SHA-512.
pub const SIGNOFF_ALGORITHM_HS512: u32 = 3;

/// For signoff_key and key sets: lets in HMAC secrets that are shorter than their hash, and so can be guessed. For
/// secrets that are already in use.
pub const SIGNOFF_KEY_INSECURE_ALLOW_SHORT: u32 = 1;

/// One key, for signoff_key_set_new().
///
/// Owner: the caller; it is read during the call and not kept. Start from SIGNOFF_KEY_INIT.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_key {
    /// sizeof(signoff_key).
    pub struct_size: u32,
    /// SIGNOFF_ALGORITHM_…: the one algorithm that the key verifies and signs with. May be 0 for a JWK that names its own.
    pub algorithm: u32,
    /// SIGNOFF_KEY_INSECURE_ALLOW_SHORT, or 0.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
    /// The bytes of an HMAC secret as they are, not in base64: 32 or more for HS256, 48 for HS384, 64 for HS512.
    pub secret: *const std::ffi::c_void,
    /// How many bytes.
    pub secret_len: usize,
    /// In place of a secret: the JSON text of a JWK of type "oct".
    pub jwk: signoff_str,
    /// Compared with a token's "kid", and written into those that it signs. No text: none, or that of the JWK.
    pub key_id: signoff_str,
    /// The issuers whose tokens it may verify. With none it speaks for every issuer that the policy lets in.
    pub issuers: *const signoff_str,
    /// How many issuers.
    pub issuers_len: usize,
}

sized!(signoff_key);

/// The keys that tokens are verified with, each of one algorithm.
///
/// Owner: the caller, until signoff_key_set_free(); engines keep a copy, so that it may be freed once they are open.
/// Threads: immutable, any may use it. What is kept of secrets is overwritten when the last copy is freed, as far
/// as a compiler can be held to it: SECURITY.md says how far.
pub struct signoff_key_set {
    pub(super) keys: KeySet,
    skipped: Vec<String>,
}

impl signoff_key_set {
    fn of(keys: KeySet) -> Self {
        let skipped = keys.skipped().iter().map(ToString::to_string).collect();
        Self { keys, skipped }
    }
}

pub(super) fn flag(flags: u32, known: u32, what: &'static str) -> Result<u32, CallError> {
    match flags & !known {
        0 => Ok(flags),
        _ => Err(CallError::Option { what, given: flags.into() }),
    }
}

fn algorithm(number: u32) -> Result<Algorithm, CallError> {
    match number {
        SIGNOFF_ALGORITHM_HS256 => Ok(Algorithm::Hs256),
        SIGNOFF_ALGORITHM_HS384 => Ok(Algorithm::Hs384),
        SIGNOFF_ALGORITHM_HS512 => Ok(Algorithm::Hs512),
        given => Err(CallError::Option { what: "algorithm", given: given.into() }),
    }
}

fn key(call: &Call, given: &signoff_key) -> Result<Key, Fault> {
    let allow_short = flag(given.flags, SIGNOFF_KEY_INSECURE_ALLOW_SHORT, "key->flags")? != 0;
    if given.reserved != 0 {
        return Err(CallError::Option { what: "key->reserved", given: given.reserved.into() }.into());
    }
    let secret = call.array(given.secret.cast::<u8>(), given.secret_len, "key->secret")?;
    let key = match (call.optional_text(given.jwk, "key->jwk")?, given.algorithm) {
        (Some(_), _) if !given.secret.is_null() => {
            return Err(CallError::Option { what: "key->jwk beside key->secret", given: 1 }.into());
        }
        (Some(_), _) if allow_short => {
            return Err(CallError::Option { what: "key->flags beside key->jwk", given: given.flags.into() }.into());
        }
        (Some(jwk), 0) => Key::from_jwk(jwk)?,
        (Some(jwk), number) => Key::from_jwk_for(algorithm(number)?, jwk)?,
        (None, number) if allow_short => Key::hmac_insecure_allow_short(algorithm(number)?, secret)?,
        (None, number) => Key::hmac(algorithm(number)?, secret)?,
    };
    let key = match call.optional_name(given.key_id, "key->key_id")? {
        Some(key_id) => key.with_key_id(key_id),
        None => key,
    };
    let issuers = call.texts(given.issuers, given.issuers_len, "key->issuers")?;
    Ok(if issuers.is_empty() { key } else { key.for_issuers(issuers) })
}

/// Makes a set of keys, in this order. New tokens are signed with the first, so put the newest first.
///
/// keys: an array of keys_len pointers. out: the set if and only if the result is SIGNOFF_OK, and NULL otherwise.
/// Statuses: the 2100s for keys that can't be loaded; the call errors of SIGNOFF_ERR_….
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_key_set_new(
    keys: *const *const signoff_key,
    keys_len: usize,
    out: *mut *mut signoff_key_set,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_handle(out, "out")?;
        let pointers = call.array(keys, keys_len, "keys")?;
        let keys: Vec<_> =
            pointers.iter().map(|given| key(&call, call.sized_in(*given)?)).collect::<Result<_, Fault>>()?;
        out.set(signoff_key_set::of(KeySet::new(keys)?));
        Ok(())
    })
}

/// Makes a set of one HMAC key.
///
/// algorithm: SIGNOFF_ALGORITHM_…. secret: its bytes as they are. flags: SIGNOFF_KEY_INSECURE_ALLOW_SHORT, or 0. out
/// and statuses: those of signoff_key_set_new().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_key_set_from_secret(
    algorithm: u32,
    secret: *const std::ffi::c_void,
    secret_len: usize,
    flags: u32,
    out: *mut *mut signoff_key_set,
    error: *mut signoff_error,
) -> signoff_status {
    let (struct_size, reserved) = (0, 0);
    let (jwk, key_id, issuers) = (signoff_str::NONE, signoff_str::NONE, std::ptr::null());
    let given = signoff_key {
        struct_size,
        algorithm,
        flags,
        reserved,
        secret,
        secret_len,
        jwk,
        key_id,
        issuers,
        issuers_len: 0,
    };
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_handle(out, "out")?;
        out.set(signoff_key_set::of(KeySet::new([key(&call, &given)?])?));
        Ok(())
    })
}

/// Makes a set from a JWKS document (RFC 7517 section 5).
///
/// Keys that can't be used are passed over; signoff_key_set_skipped() counts them, and signoff_key_set_skipped_key() says
/// which and why. With a set from which a secret was passed over, signoff_engine_sign() needs a key_id. flags, out and
/// statuses: those of signoff_key_set_from_secret().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_key_set_from_jwks(
    json: *const c_char,
    json_len: usize,
    flags: u32,
    out: *mut *mut signoff_key_set,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_handle(out, "out")?;
        let json = call.text(signoff_str { data: json, len: json_len }, "json")?;
        let keys = match flag(flags, SIGNOFF_KEY_INSECURE_ALLOW_SHORT, "flags")? {
            0 => KeySet::from_jwks(json)?,
            _ => KeySet::from_jwks_insecure_allow_short(json)?,
        };
        out.set(signoff_key_set::of(keys));
        Ok(())
    })
}

/// How many keys the set has. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signoff_key_set_len(keys: *const signoff_key_set) -> usize {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(std::ptr::null_mut()) };
    call.handle(keys, "keys").map_or(0, |set| set.keys.keys().len())
}

/// How many keys of a JWKS were passed over. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signoff_key_set_skipped(keys: *const signoff_key_set) -> usize {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(std::ptr::null_mut()) };
    call.handle(keys, "keys").map_or(0, |set| set.keys.skipped().len())
}

/// Which key was passed over, and why: its place in the JWKS, its "kid" and the reason, in words for an operator.
///
/// index: from 0 on, below signoff_key_set_skipped(). The text belongs to the set and lives as long; it does not end in
/// NUL. No text for NULL and for an index that is too great.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signoff_key_set_skipped_key(keys: *const signoff_key_set, index: usize) -> signoff_str {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(std::ptr::null_mut()) };
    let text = call.handle(keys, "keys").ok().and_then(|set| set.skipped.get(index));
    text.map_or(signoff_str::NONE, |text| signoff_str { data: text.as_ptr().cast(), len: text.len() })
}

/// Ends a key set. NULL is fine. Engines that were opened with it go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signoff_key_set_free(keys: *mut signoff_key_set) {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(std::ptr::null_mut()) };
    let _ended = call.run(|| {
        drop(call.taken(keys));
        Ok(())
    });
}
