//! A warm verification through C allocates nothing, whatever its verdict, and with several engines in turn.
#![cfg(feature = "capi")]
#![allow(unsafe_code)] // Calls C functions.

use std::ptr::null_mut;

use allocation_counter::measure;
use signoff::ffi::*;
use signoff::{Algorithm, Engine, Key, KeySet, NewToken, Policy, Times, UnixTime};

const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const NOW_MS: i64 = 1_700_000_000_000;

/// A struct that is all zero but for its size.
fn sized<T>() -> T {
    // SAFETY: every struct of the header says that it may be all zero, and begins with its size.
    unsafe {
        let mut zeroed: T = std::mem::zeroed();
        (&raw mut zeroed).cast::<u32>().write(size_of::<T>() as u32);
        zeroed
    }
}

fn open(with_log: bool) -> *mut signoff_engine {
    let (mut keys, mut log, mut engine) = (null_mut(), null_mut(), null_mut());
    let options = signoff_log_options { kind: SIGNOFF_LOG_MEMORY, ..sized() };
    let policy: signoff_policy = sized();
    // SAFETY: every pointer is to a value that outlives the call, or NULL where the header allows it.
    unsafe {
        let secret = SECRET.as_ptr().cast();
        assert_eq!(
            signoff_key_set_from_secret(SIGNOFF_ALGORITHM_HS256, secret, 32, 0, &mut keys, null_mut()),
            SIGNOFF_OK
        );
        assert_eq!(signoff_log_new(&options, &mut log, null_mut()), SIGNOFF_OK);
        let status = match with_log {
            true => signoff_engine_open(keys, &policy, log, &mut engine, null_mut()),
            false => signoff_engine_new(keys, &policy, &mut engine, null_mut()),
        };
        assert_eq!(status, SIGNOFF_OK);
        signoff_log_free(log);
        signoff_key_set_free(keys);
    }
    engine
}

fn token(claims: &str) -> String {
    let keys = KeySet::new([Key::hmac(Algorithm::Hs256, SECRET).unwrap()]).unwrap();
    let new = NewToken::from_json(claims).expires_in(std::time::Duration::from_secs(3600));
    let times = Times::at(UnixTime::from_millis(NOW_MS));
    Engine::new(keys, Policy::new()).unwrap().sign_at(new, times).unwrap().into_token()
}

#[test]
fn a_warm_verification_through_c_allocates_nothing() {
    let engines = [open(true), open(false)];
    let (good, out) = (token(r#"{"sub":"\u0034\u0032","jti":"good"}"#), token(r#"{"jti":"out"}"#));
    let jti = signoff_str { data: b"out".as_ptr().cast(), len: 3 };
    let revocation = signoff_revocation { target: SIGNOFF_REVOKE_JTI, value: jti, ..sized() };
    // SAFETY: a live engine, and values that outlive the call.
    let revoked = unsafe { signoff_engine_revoke(engines[0], &revocation, std::ptr::null(), null_mut(), null_mut()) };
    assert_eq!(revoked, SIGNOFF_OK);

    let (mut claims, mut error): (signoff_claims, signoff_error) = (sized(), sized());
    let mut buffer = vec![0; 1024];
    let mut verify = |engine: *mut signoff_engine, token: &str, now: i64| {
        let times = signoff_times { unix_ms: now, ..sized() };
        // SAFETY: a live engine, a buffer as long as is said, and values that outlive the call.
        unsafe {
            let (data, start) = (token.as_ptr().cast(), buffer.as_mut_ptr());
            signoff_engine_verify(engine, data, token.len(), &times, start, 1024, &mut claims, &mut error)
        }
    };
    let cases = [
        (engines[0], good.as_str(), NOW_MS, SIGNOFF_OK),
        (engines[1], good.as_str(), NOW_MS, SIGNOFF_OK),
        (engines[0], out.as_str(), NOW_MS, SIGNOFF_TOKEN_REVOKED),
        (engines[1], out.as_str(), NOW_MS, SIGNOFF_OK),
        (engines[0], good.as_str(), NOW_MS + 3_600_000, SIGNOFF_CLAIM_EXPIRED),
        (engines[1], &good[1..], NOW_MS, SIGNOFF_TOKEN_BASE64),
        (engines[0], "", NOW_MS, SIGNOFF_TOKEN_PARTS),
        (engines[0], "", 0, SIGNOFF_ERR_TIME),
    ];
    for turn in ["cold", "warm"] {
        for (engine, token, now, expected) in cases {
            let allocations = measure(|| assert_eq!(verify(engine, token, now), expected)).count_total;
            assert!(turn == "cold" || allocations == 0, "status {expected}: {allocations} allocations");
        }
    }
    let views = [&good, &out].map(|token| signoff_str { data: token.as_ptr().cast(), len: token.len() });
    let (mut statuses, times) = ([1; 2], signoff_times { unix_ms: NOW_MS, ..sized() });
    let allocations = measure(|| {
        // SAFETY: a live engine, two tokens, room for two statuses.
        let status = unsafe {
            signoff_engine_verify_batch(engines[0], views.as_ptr(), 2, &times, statuses.as_mut_ptr(), null_mut())
        };
        assert_eq!((status, statuses), (SIGNOFF_TOKEN_REVOKED, [SIGNOFF_OK, SIGNOFF_TOKEN_REVOKED]));
    });
    assert_eq!(allocations.count_total, 0, "a batch");
    for engine in engines {
        // SAFETY: made above, and ended once.
        unsafe { signoff_engine_free(engine) };
    }
}
