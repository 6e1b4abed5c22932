//! The same verifications through the C interface, called as a C program calls it: by address, with a buffer, claims
//! and an error of its own.
#![allow(unsafe_code)] // Calls C functions.

use std::ffi::c_char;
use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use signoff::ffi::*;

use crate::{AUDIENCE, ISSUER, SECRET};

type Verify = unsafe extern "C" fn(
    *const signoff_engine,
    *const c_char,
    usize,
    *const signoff_times,
    *mut c_char,
    usize,
    *mut signoff_claims,
    *mut signoff_error,
) -> signoff_status;

fn view(text: &str) -> signoff_str {
    signoff_str { data: text.as_ptr().cast(), len: text.len() }
}

/// An engine with the expectations of the Rust one.
struct Engine(*mut signoff_engine);

impl Engine {
    fn strict() -> Self {
        let none = signoff_str { data: std::ptr::null(), len: 0 };
        let (issuer, audience) = (view(ISSUER), view(AUDIENCE));
        let policy = signoff_policy {
            struct_size: size_of::<signoff_policy>() as u32,
            flags: 0,
            issuers: &issuer,
            issuers_len: 1,
            audiences: &audience,
            audiences_len: 1,
            subject: none,
            token_type: none,
            required_claims: std::ptr::null(),
            required_claims_len: 0,
            leeway_ms: 0,
            issued_in_future_max_ms: 0,
            lifetime_max_ms: 0,
            age_max_ms: 0,
            token_bytes_max: 0,
            other_token_types: std::ptr::null(),
            other_token_types_len: 0,
            claim_values: std::ptr::null(),
            claim_values_len: 0,
        };
        let (mut keys, mut engine, no_error) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: every pointer is to a value that outlives the call, or NULL where the header allows it.
        unsafe {
            let secret = SECRET.as_ptr().cast();
            let made =
                signoff_key_set_from_secret(SIGNOFF_ALGORITHM_HS256, secret, SECRET.len(), 0, &mut keys, no_error);
            assert_eq!(made, SIGNOFF_OK);
            assert_eq!(signoff_engine_new(keys, &policy, &mut engine, no_error), SIGNOFF_OK);
            signoff_key_set_free(keys);
        }
        Self(engine)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: made by `strict`, and ended once.
        unsafe { signoff_engine_free(self.0) }
    }
}

pub(crate) fn bench_verify(group: &mut BenchmarkGroup<'_, WallTime>, token: &str) {
    let engine = Engine::strict();
    let function: Verify = black_box(signoff_engine_verify);
    let mut buffer = vec![0; token.len() / 2 * 3 + 2];
    // SAFETY: all-zero is a value of both, as the header says.
    let (mut claims, mut error): (signoff_claims, signoff_error) = unsafe { std::mem::zeroed() };
    claims.struct_size = size_of::<signoff_claims>() as u32;
    error.struct_size = size_of::<signoff_error>() as u32;
    let mut verify = || {
        let token = black_box(token);
        // SAFETY: the buffer is as long as is said, and everything outlives the call.
        let status = unsafe {
            let (data, now) = (token.as_ptr().cast(), std::ptr::null());
            function(engine.0, data, token.len(), now, buffer.as_mut_ptr(), buffer.len(), &mut claims, &mut error)
        };
        black_box(&claims);
        status
    };
    assert_eq!(verify(), SIGNOFF_OK);
    group.bench_function("c_abi", |b| b.iter(&mut verify));
    assert_eq!((claims.cleared, claims.issuer.len), (SIGNOFF_CLEARED_NO_LOG, ISSUER.len()));
}

/// 64 tokens in one call, and in 64 calls that want the verdict alone, as the batch gives it.
pub(crate) fn bench_batch(criterion: &mut Criterion, tokens: &[String; 64]) {
    let engine = Engine::strict();
    let mut group = criterion.benchmark_group("c_batch");
    let views = tokens.each_ref().map(|token| view(token));
    let function: Verify = black_box(signoff_engine_verify);
    let mut statuses = [1; 64];
    let mut one_by_one = || {
        for (token, status) in black_box(&views).iter().zip(&mut statuses) {
            let (no_buffer, no_claims, no_error) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
            // SAFETY: what is not NULL outlives the call.
            *status = unsafe {
                function(engine.0, token.data, token.len, std::ptr::null(), no_buffer, 0, no_claims, no_error)
            };
        }
        statuses.iter().all(|status| *status == SIGNOFF_OK)
    };
    assert!(one_by_one());
    group.bench_function("64_single", |b| b.iter(&mut one_by_one));
    let mut statuses = [1; 64];
    let mut together = || {
        let (tokens, statuses) = (black_box(&views), &mut statuses);
        // SAFETY: 64 tokens and room for 64 statuses, which outlive the call.
        let status = unsafe {
            let (now, no_error) = (std::ptr::null(), std::ptr::null_mut());
            signoff_engine_verify_batch(engine.0, tokens.as_ptr(), 64, now, statuses.as_mut_ptr(), no_error)
        };
        status == SIGNOFF_OK && statuses.iter().all(|status| *status == SIGNOFF_OK)
    };
    assert!(together());
    group.bench_function("64_together", |b| b.iter(&mut together));
    group.finish();
}
