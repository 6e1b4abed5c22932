//! One call from C: where panics and faults become statuses.
//!
//! All unsafe code but the first line of each exported function is here, in `inputs.rs` and in `outputs.rs`. Clauses are those
//! of `mod.rs`.

use std::cell::Cell;
use std::ffi::c_char;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::signoff_error;
use super::fault::{CallError, Fault, LENGTH_MAX, Outcome};
use super::signoff_status;
use super::sized::Sized32;
use crate::status::Status;

/// The word of a caller, for the time of one call, that its arguments keep the contract.
pub(super) struct Call {
    error: *mut signoff_error,
    /// Whether the call is refused already, and only its outputs are still to be cleared.
    refused: Cell<bool>,
    /// References are borrowed from the call, and so end with it. Not for other threads.
    _here: PhantomData<Cell<()>>,
}

impl Call {
    /// # Safety
    /// Until this value is gone, everything that is passed to its methods keeps the contract in `mod.rs`.
    pub(super) unsafe fn new(error: *mut signoff_error) -> Self {
        Self { error, refused: Cell::new(false), _here: PhantomData }
    }

    /// Does the work of an exported function.
    ///
    /// An error of another size is not written to. The work then comes as far as its outputs, which no caller may find
    /// as they were.
    #[inline]
    pub(super) fn run(&self, work: impl FnOnce() -> Outcome) -> signoff_status {
        let error = self.error;
        self.refused.set(!error.is_null() && !Self::is_right_size(error));
        // What a panic could leave half done is behind locks that do not poison, or is written only at the end. The one
        // place where the work is done, so that it is inlined here: elsewhere a verification would be moved about. For
        // the same reason a fault takes a way of its own.
        let mut fault = Fault::Call(CallError::Panic);
        let done = catch_unwind(AssertUnwindSafe(|| work().map_err(|found| fault = found).is_ok())).unwrap_or(false);
        if !done || self.refused.get() {
            return self.say(&fault);
        }
        // What stands there still holds nothing, and need not be asked.
        std::mem::forget(fault);
        if !error.is_null() {
            // SAFETY: clause 4; of the size that we know. A message is empty that ends at its first byte.
            unsafe {
                (&raw mut (*error).status).write(0);
                (&raw mut (*error).needed).write(0);
                (&raw mut (*error).message).cast::<c_char>().write(0);
            }
        }
        0
    }

    #[cold]
    fn say(&self, fault: &Fault) -> signoff_status {
        let error = self.error;
        if self.refused.get() {
            return Status::StructSize.number();
        }
        if error.is_null() {
            return fault.status().number();
        }
        let said = signoff_error::of(fault);
        // SAFETY: clause 4; not NULL, and of the size that we know.
        unsafe { error.write(said) };
        said.status
    }

    /// What each input asks first. Every function prepares its outputs before it reads an input.
    #[inline]
    pub(super) fn go_on(&self) -> Result<(), CallError> {
        if self.refused.get() { Err(CallError::Null { what: "an error of the right size" }) } else { Ok(()) }
    }

    #[inline]
    pub(super) fn right_length<T>(data: *const T, len: usize, what: &'static str) -> Result<(), CallError> {
        match (data.is_null(), len) {
            (_, len) if len > LENGTH_MAX => Err(CallError::Length { what, given: len }),
            (true, 1..) => Err(CallError::Null { what }),
            (true, 0) | (false, _) => Ok(()),
        }
    }

    #[inline]
    pub(super) fn right_size<T: Sized32>(given: *const T) -> Result<(), CallError> {
        match !given.is_null() && Self::is_right_size(given) {
            true => Ok(()),
            false => Err(Self::wrong_size(given)),
        }
    }

    /// The size that a struct says, if it is the one that it has here or had in an earlier version.
    pub(super) fn known_size<T: Sized32>(given: *const T) -> Result<usize, CallError> {
        if given.is_null() {
            return Err(Self::wrong_size(given));
        }
        // SAFETY: clause 2: the first member is there whatever the size.
        let size = unsafe { given.cast::<u32>().read() } as usize;
        match size == size_of::<T>() || T::EARLIER.contains(&size) {
            true => Ok(size),
            false => Err(Self::wrong_size(given)),
        }
    }

    /// Whether a struct, which is not NULL, says the size that it has here. Nothing else of it is read.
    #[inline]
    pub(super) fn is_right_size<T: Sized32>(given: *const T) -> bool {
        // SAFETY: clause 2: the first member is there whatever the size.
        let size = unsafe { given.cast::<u32>().read() };
        size as usize == size_of::<T>()
    }

    #[cold]
    fn wrong_size<T: Sized32>(given: *const T) -> CallError {
        if given.is_null() {
            return CallError::Null { what: T::WHAT };
        }
        // SAFETY: clause 2: the first member is there whatever the size.
        let given = unsafe { given.cast::<u32>().read() };
        // A struct has few hundred bytes.
        #[allow(clippy::cast_possible_truncation)]
        let known = size_of::<T>() as u32;
        CallError::StructSize { what: T::WHAT, given, known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        // SAFETY: nothing but NULL is passed to it.
        unsafe { Call::new(std::ptr::null_mut()) }
    }

    #[test]
    fn a_panic_becomes_a_status_and_a_call_that_works_does_not() {
        assert_eq!(call().run(|| panic!("a fault that no caller may see")), Status::Panic.number());
        assert_eq!(call().run(|| Ok(())), Status::Done.number());
    }

    #[test]
    fn a_length_without_memory_is_refused_and_nothing_at_all_is_empty() {
        let (call, none) = (call(), std::ptr::null::<u8>());
        assert_eq!(call.array(none, 0, "x"), Ok(&[][..]));
        assert_eq!(call.array(none, 1, "x"), Err(CallError::Null { what: "x" }));
        assert_eq!(call.array(&0_u8, usize::MAX, "x"), Err(CallError::Length { what: "x", given: usize::MAX }));
        assert_eq!(call.token(none.cast(), 0), Ok(&[][..]));
    }
}
