//! Promises that are settled from other threads than that of the event loop.
//!
//! libuv's threads are left to the application. A promise on its way keeps the process alive, as a write to a file
//! does, so that an acknowledged log-out is one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, Result, sys};
use parking_lot::Mutex;
use signoff::Status;

use crate::error::Fault;

/// What a promise is fulfilled with: `lib/` rejects where it is a fault.
pub(crate) enum Answer<T> {
    Value(T),
    Fault(Fault),
}

impl<T> From<std::result::Result<T, Fault>> for Answer<T> {
    fn from(result: std::result::Result<T, Fault>) -> Self {
        match result {
            Ok(value) => Self::Value(value),
            Err(fault) => Self::Fault(fault),
        }
    }
}

#[allow(unsafe_code)]
impl<T: ToNapiValue> ToNapiValue for Answer<T> {
    unsafe fn to_napi_value(env: sys::napi_env, answer: Self) -> Result<sys::napi_value> {
        // SAFETY: the environment is the caller's.
        unsafe {
            match answer {
                Self::Value(value) => T::to_napi_value(env, value),
                Self::Fault(fault) => Fault::to_napi_value(env, fault),
            }
        }
    }
}

/// A promise of what `work` makes on a thread of its own, as `finish` hands it to JavaScript.
pub(crate) fn on_a_thread<'env, M: Send + 'static, T: ToNapiValue + 'static>(
    env: &'env Env,
    name: &str,
    work: impl FnOnce() -> std::result::Result<M, Fault> + Send + 'static,
    finish: impl FnOnce(M) -> T + Send + 'static,
) -> Result<Object<'env>> {
    let (settle, promise) = settler(env, finish)?;
    // Shared with this thread, which settles where there is no other.
    let settle = Arc::new(Mutex::new(Some(settle)));
    let settled_there = Arc::clone(&settle);
    let run = move || {
        let made = catch_unwind(AssertUnwindSafe(work));
        if let Some(settle) = settled_there.lock().take() {
            settle(made.unwrap_or_else(|_| Err(Fault::panicked())));
        }
    };
    if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(run)
        && let Some(settle) = settle.lock().take()
    {
        let message = format!("no thread could be started ({error}): the system's limit of them is reached");
        settle(Err(Fault::new(Status::LogIo, message)));
    }
    Ok(promise)
}

/// A promise, and what settles it from whatever thread.
#[allow(clippy::type_complexity)] // What settles, and the promise.
pub(crate) fn settler<'env, M: Send + 'static, T: ToNapiValue + 'static>(
    env: &'env Env,
    finish: impl FnOnce(M) -> T + Send + 'static,
) -> Result<(impl FnOnce(std::result::Result<M, Fault>) + Send + 'static, Object<'env>)> {
    let (deferred, promise) = env.create_deferred()?;
    let settle = move |made: std::result::Result<M, Fault>| {
        deferred.resolve(move |_| Ok(Answer::from(made.map(finish))));
    };
    Ok((settle, promise))
}
