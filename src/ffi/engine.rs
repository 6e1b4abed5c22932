//! An engine's life: opening, rotating keys, ending.

use std::cell::RefCell;

use thread_local::ThreadLocal;

use super::call::Call;
use super::fault::CallError;
use super::fork::OfProcess;
use super::{fork, signoff_error, signoff_key_set, signoff_log, signoff_policy, signoff_status};
use crate::engine::{Engine, Scratch};

/// Verifies and signs tokens with one key set and one policy, and perhaps with a revocation log.
///
/// Owner: the caller, until signoff_engine_free(). Threads: any may use it at the same time, and one for the whole
/// process is what you want. It keeps a little memory for each thread that has verified with it, until it ends.
///
/// fork(): open engines after the last fork, in each process its own. One with a log that was opened before answers
/// SIGNOFF_ERR_FORKED to every call in the child, since the threads that serve the log stayed with the parent; freeing it
/// there ends nothing, and leaves its memory. The same holds for listings and revocations on their way. A child that was
/// forked while the parent had a log in a file open can open none itself (SIGNOFF_ERR_FORKED): SQLite's locks do not
/// survive a fork, and log-outs would be lost. An engine without a log goes on working, if no other thread was in a call
/// on it at the moment of the fork.
pub struct signoff_engine {
    engine: OfProcess<Engine>,
    /// One for each thread, so that they end with the engine.
    scratches: ThreadLocal<RefCell<Scratch>>,
}

impl signoff_engine {
    /// The engine, unless this is a child process without the threads that serve it.
    #[inline]
    pub(super) fn here(&self) -> Result<&Engine, CallError> {
        self.engine.here()
    }

    /// Lends this thread's scratch.
    #[inline]
    pub(super) fn with_scratch<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let (mut lent, mut own);
        let scratch = match self.scratches.get().unwrap_or_else(|| self.first_of_thread()).try_borrow_mut() {
            Ok(scratch) => {
                lent = scratch;
                &mut *lent
            }
            // A signal handler that verifies while its thread does.
            Err(_) => {
                own = another_scratch();
                &mut *own
            }
        };
        // In one place, so that it is inlined here.
        work(scratch)
    }

    #[cold]
    #[inline(never)]
    fn first_of_thread(&self) -> &RefCell<Scratch> {
        self.scratches.get_or_default()
    }
}

#[cold]
#[inline(never)]
fn another_scratch() -> Box<Scratch> {
    Box::default()
}

/// Makes an engine without a revocation log: nothing can be logged out, and the claims of accepted tokens say so.
///
/// policy: what a token must say. out: the engine if and only if the result is SIGNOFF_OK, and NULL otherwise. Statuses:
/// SIGNOFF_POLICY_INVALID for an option out of bounds; the call errors of SIGNOFF_ERR_….
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_new(
    keys: *const signoff_key_set,
    policy: *const signoff_policy,
    out: *mut *mut signoff_engine,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_handle(out, "out")?;
        let keys = call.handle(keys, "keys")?.keys.clone();
        let engine = Engine::new(keys, call.sized_or_earlier(policy)?.read(&call)?)?;
        out.set(signoff_engine { engine: OfProcess::any(engine), scratches: ThreadLocal::new() });
        Ok(())
    })
}

/// Makes an engine with a revocation log, which has been read to its end when this returns. Ten million revocations take
/// seconds.
///
/// log: which log. out: the engine if and only if the result is SIGNOFF_OK, and NULL otherwise. Statuses: those of
/// signoff_engine_new(); the 5000s for a log that can't be opened or read.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_open(
    keys: *const signoff_key_set,
    policy: *const signoff_policy,
    log: *const signoff_log,
    out: *mut *mut signoff_engine,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_handle(out, "out")?;
        let keys = call.handle(keys, "keys")?.keys.clone();
        let policy = call.sized_or_earlier(policy)?.read(&call)?;
        let log = call.handle(log, "log")?;
        if log.forks != fork::count() {
            return Err(CallError::Forked.into());
        }
        if log.may_be_file {
            fork::refuse_files()?;
        }
        // Before anything is opened, so that no fork is missed.
        fork::watch();
        let engine = OfProcess::this(Engine::open(keys, policy, log.log.clone())?);
        out.set(signoff_engine { engine, scratches: ThreadLocal::new() });
        Ok(())
    })
}

/// Makes an engine with keys and a policy of its own on the log of another: they share what is kept of it and its threads,
/// and what one revokes binds the other at once. For a program that takes several kinds of tokens. Without a log they share
/// nothing.
///
/// engine: may be freed first. policy: what a token must say to the new one. out: the engine if and only if the result is
/// SIGNOFF_OK, and NULL otherwise. Statuses: SIGNOFF_POLICY_INVALID for an option out of bounds; the call
/// errors of SIGNOFF_ERR_….
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_on_same_log(
    engine: *const signoff_engine,
    keys: *const signoff_key_set,
    policy: *const signoff_policy,
    out: *mut *mut signoff_engine,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let out = call.out_handle(out, "out")?;
        let first = call.handle(engine, "engine")?;
        let keys = call.handle(keys, "keys")?.keys.clone();
        let second = first.here()?.on_same_log(keys, call.sized_or_earlier(policy)?.read(&call)?)?;
        out.set(signoff_engine { engine: first.engine.beside(second), scratches: ThreadLocal::new() });
        Ok(())
    })
}

/// Replaces the key set while other threads verify: each verification uses the old set or the new one as a whole, and
/// those that start after this returns use the new one.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn signoff_engine_replace_keys(
    engine: *const signoff_engine,
    keys: *const signoff_key_set,
    error: *mut signoff_error,
) -> signoff_status {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(error) };
    call.run(|| {
        let engine = call.handle(engine, "engine")?.here()?;
        engine.replace_keys(call.handle(keys, "keys")?.keys.clone());
        Ok(())
    })
}

/// Ends an engine. NULL is fine. No call on it may be under way, in no thread; what was made from it (signoff_accepted,
/// signoff_revoking, signoff_listing) lives on. Waits for the threads of the log, where this is the last engine on it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signoff_engine_free(engine: *mut signoff_engine) {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(std::ptr::null_mut()) };
    let _ended = call.run(|| {
        drop(call.taken(engine));
        Ok(())
    });
}
