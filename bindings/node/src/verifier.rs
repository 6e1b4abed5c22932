//! The call that a server makes for each request: a plain function of Node-API, without the classes and borrows of napi-rs,
//! which took as long as the verification itself.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use napi::bindgen_prelude::ToNapiValue;
use napi::{Env, Result, check_status, sys};
use signoff::{Denied, Engine, Scratch, Times, UnixTime};

use crate::error::Fault;
use crate::payload_cache::{Memo, Seen};
use crate::strings;

/// An engine as one JavaScript thread uses it.
pub(crate) struct Open {
    pub(crate) engine: Arc<Engine>,
    memo: Memo,
}

/// What all engines of a JavaScript thread verify with: an application may have hundreds, one for each secret.
#[derive(Default)]
pub(crate) struct Lent {
    scratch: Scratch,
    pub(crate) token: Vec<u8>,
}

/// How long the buffer of tokens stays, in bytes: a longer one ends with its call.
const TOKEN_BYTES_KEPT: usize = 64 * 1024;

thread_local! {
    static LENT: RefCell<Lent> = RefCell::default();
}

/// Lends them to a call, and takes back what a long token needed.
#[inline]
pub(crate) fn lend<T>(work: impl FnOnce(&mut Lent) -> T) -> T {
    LENT.with_borrow_mut(|lent| {
        let done = work(lent);
        if lent.token.len() > TOKEN_BYTES_KEPT {
            lent.token = Vec::new();
        }
        done
    })
}

/// What the object and its function share. None once it is closed.
pub(crate) type Held = Rc<RefCell<Option<Open>>>;

/// A string of JavaScript, and what it says of its own length: in UTF-16 code units, which for a token are its bytes.
pub(crate) struct JsToken {
    pub(crate) value: sys::napi_value,
    pub(crate) length: usize,
}

impl Open {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, memo: Memo::default() }
    }

    /// Verifies a token: at a time of the caller's, if there is one.
    pub(crate) fn verify<T>(
        &mut self,
        env: sys::napi_env,
        JsToken { value, length }: JsToken,
        times: Option<Times>,
        hand_over: impl FnOnce(&mut Memo, &[u8], &signoff::Accepted<'_>) -> Result<T>,
    ) -> Result<std::result::Result<T, Fault>> {
        let Self { engine, memo } = self;
        lend(|Lent { scratch, token: buffer }| {
            let max = engine.policy().longest_token_bytes();
            let bytes = match strings::read_token(env, value, length, buffer, max)? {
                Ok(bytes) => bytes,
                Err(reject) => return Ok(Err(Denied::from(reject).into())),
            };
            let verdict = match times {
                Some(times) => engine.verify_at(scratch, bytes, times),
                None => engine.verify(scratch, bytes),
            };
            match verdict {
                Ok(accepted) => hand_over(memo, bytes, &accepted).map(Ok),
                Err(denied) => Ok(Err(denied.into())),
            }
        })
    }
}

/// Makes the function `(token, length, now?)`. It answers with the number of a payload that is remembered, with the payload as
/// text, or with a fault.
pub(crate) fn verifier(env: &Env, held: &Held) -> Result<sys::napi_value> {
    function(env, held, c"verify", verify)
}

/// Makes the function `(number)` that answers with the payload which is remembered under a number.
pub(crate) fn payload_of(env: &Env, held: &Held) -> Result<sys::napi_value> {
    function(env, held, c"payloadOf", payload)
}

fn function(env: &Env, held: &Held, name: &std::ffi::CStr, call: Callback) -> Result<sys::napi_value> {
    let data = Rc::into_raw(Rc::clone(held)).cast_mut().cast::<c_void>();
    let mut made = ptr::null_mut();
    // SAFETY: the name ends in NUL, and the data lives until the function is collected.
    unsafe {
        let name_len = name.count_bytes().cast_signed();
        check_status!(sys::napi_create_function(env.raw(), name.as_ptr(), name_len, Some(call), data, &raw mut made))?;
        check_status!(sys::napi_add_finalizer(env.raw(), made, data, Some(let_go), ptr::null_mut(), ptr::null_mut()))?;
    }
    Ok(made)
}

type Callback = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

unsafe extern "C" fn let_go(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: made by `Rc::into_raw` in `function`, on this thread, and let go of once.
    drop(unsafe { Rc::from_raw(data.cast::<RefCell<Option<Open>>>().cast_const()) });
}

/// What a callback was called with.
struct Arguments<'c> {
    held: &'c RefCell<Option<Open>>,
    values: [sys::napi_value; 3],
    count: usize,
}

impl Arguments<'_> {
    /// # Safety
    /// Called from a callback that [`function`] made, with what it was given.
    unsafe fn read(env: sys::napi_env, info: sys::napi_callback_info) -> Result<Self> {
        let (mut count, mut values, mut data) = (3, [ptr::null_mut(); 3], ptr::null_mut());
        // SAFETY: there is room for three values, and `data` is what `function` gave, alive as long as its function.
        unsafe {
            check_status!(sys::napi_get_cb_info(
                env,
                info,
                &raw mut count,
                values.as_mut_ptr(),
                ptr::null_mut(),
                &raw mut data
            ))?;
            Ok(Self { held: &*data.cast_const().cast(), values, count })
        }
    }

    fn number(&self, env: sys::napi_env, at: usize) -> Result<u32> {
        let mut number = 0;
        // SAFETY: a value of this call, which is undefined where none was given.
        check_status!(unsafe { sys::napi_get_value_uint32(env, self.values[at], &raw mut number) })?;
        Ok(number)
    }

    fn times(&self, env: sys::napi_env, at: usize) -> Result<Option<Times>> {
        if self.count <= at {
            return Ok(None);
        }
        let mut millis = 0.0;
        // SAFETY: a value of this call.
        check_status!(unsafe { sys::napi_get_value_double(env, self.values[at], &raw mut millis) })?;
        Ok(Some(Times::at(UnixTime::from_millis(millis as i64))))
    }
}

unsafe extern "C" fn verify(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let work = || -> Result<sys::napi_value> {
        // SAFETY: this is such a callback.
        let arguments = unsafe { Arguments::read(env, info)? };
        let token = JsToken { value: arguments.values[0], length: arguments.number(env, 1)? as usize };
        let times = arguments.times(env, 2)?;
        let answer = match arguments.held.borrow_mut().as_mut() {
            None => Err(Fault::closed()),
            Some(open) => open.verify(env, token, times, |memo, token, accepted| {
                let payload = accepted.payload();
                match memo.see(token, payload) {
                    Seen::Known(at) => strings::number(env, at),
                    Seen::Not => strings::raw_string(env, payload),
                }
            })?,
        };
        match answer {
            Ok(value) => Ok(value),
            // SAFETY: this environment.
            Err(fault) => unsafe { Fault::to_napi_value(env, fault) },
        }
    };
    guarded(env, work)
}

unsafe extern "C" fn payload(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let work = || -> Result<sys::napi_value> {
        // SAFETY: this is such a callback.
        let arguments = unsafe { Arguments::read(env, info)? };
        let at = arguments.number(env, 0)?;
        let held = arguments.held.borrow();
        let payload = held.as_ref().and_then(|open| open.memo.payload(at)).unwrap_or_default();
        strings::raw_string(env, payload)
    };
    guarded(env, work)
}

/// What the work made, or an exception: no panic goes on into Node.
fn guarded(env: sys::napi_env, work: impl FnOnce() -> Result<sys::napi_value>) -> sys::napi_value {
    let thrown = |error: napi::Error| {
        let message = error.reason.to_string();
        let length = message.len().cast_signed();
        // SAFETY: pointer and length are those of the message.
        unsafe {
            let (mut text, mut exception) = (ptr::null_mut(), ptr::null_mut());
            sys::napi_create_string_utf8(env, message.as_ptr().cast(), length, &raw mut text);
            sys::napi_create_error(env, ptr::null_mut(), text, &raw mut exception);
            sys::napi_throw(env, exception);
        }
        ptr::null_mut()
    };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => thrown(error),
        // SAFETY: this environment.
        Err(_) => unsafe { Fault::to_napi_value(env, Fault::panicked()) }.unwrap_or_else(thrown),
    }
}
