//! What a caller passes in: where its pointers become references, and its structs times and texts.

use std::ffi::c_char;

use super::call::Call;
use super::fault::CallError;
use super::signoff_str;
use super::sized::Sized32;
use crate::clock::{Clock, Times};

impl Call {
    /// A handle.
    #[inline]
    pub(super) fn handle<T>(&self, handle: *const T, what: &'static str) -> Result<&T, CallError> {
        self.go_on()?;
        // SAFETY: clauses 1 and 5.
        unsafe { handle.as_ref() }.ok_or(CallError::Null { what })
    }

    /// A handle that belongs to this call alone.
    #[allow(clippy::mut_from_ref)] // Another call's memory, not this value's.
    pub(super) fn own_handle<T>(&self, handle: *mut T, what: &'static str) -> Result<&mut T, CallError> {
        self.go_on()?;
        // SAFETY: clauses 1 and 5.
        unsafe { handle.as_mut() }.ok_or(CallError::Null { what })
    }

    /// A handle that the caller gives back.
    pub(super) fn taken<T>(&self, handle: *mut T) -> Option<Box<T>> {
        // SAFETY: clause 1: not NULL, it came from `Box::into_raw` in `OutHandle::set`, and is given back once.
        (!handle.is_null()).then(|| unsafe { Box::from_raw(handle) })
    }

    /// Bytes.
    #[inline]
    pub(super) fn bytes<T>(&self, data: *const T, len: usize, what: &'static str) -> Result<&[u8], CallError> {
        const { assert!(size_of::<T>() == 1 || size_of::<T>() == size_of::<std::ffi::c_void>()) };
        self.array(data.cast::<u8>(), len, what)
    }

    /// The bytes of a token, of any length that memory can hold: the engine does not look at those that are too long.
    #[inline]
    pub(super) fn token(&self, data: *const c_char, len: usize) -> Result<&[u8], CallError> {
        match (data.is_null(), isize::try_from(len)) {
            (true, Ok(0)) => Ok(&[]),
            (true, _) => Err(CallError::Null { what: "token" }),
            (false, Err(_)) => Err(CallError::Length { what: "token", given: len }),
            // SAFETY: clauses 3 and 5; not NULL, and no longer than memory.
            (false, Ok(_)) => Ok(unsafe { std::slice::from_raw_parts(data.cast(), len) }),
        }
    }

    /// An array.
    #[inline]
    pub(super) fn array<T>(&self, data: *const T, len: usize, what: &'static str) -> Result<&[T], CallError> {
        self.go_on()?;
        Self::right_length(data, len, what)?;
        match data.is_null() {
            true => Ok(&[]),
            // SAFETY: clauses 3 and 5; not NULL, and short enough for any element that we have.
            false => Ok(unsafe { std::slice::from_raw_parts(data, len) }),
        }
    }

    /// A text; nothing where its pointer is NULL and its length 0.
    pub(super) fn optional_text(&self, text: signoff_str, what: &'static str) -> Result<Option<&str>, CallError> {
        let bytes = self.bytes(text.data, text.len, what)?;
        let not_utf8 = |error: std::str::Utf8Error| CallError::NotUtf8 { what, at: error.valid_up_to() };
        let text_or_empty = std::str::from_utf8(bytes).map_err(not_utf8)?;
        Ok((!text.data.is_null()).then_some(text_or_empty))
    }

    /// A text that may be left out, but not be empty: that is what an unset variable leaves behind.
    pub(super) fn optional_name(&self, text: signoff_str, what: &'static str) -> Result<Option<&str>, CallError> {
        match self.optional_text(text, what)? {
            Some("") => Err(CallError::Length { what, given: 0 }),
            name => Ok(name),
        }
    }

    /// A text; empty where its pointer is NULL and its length 0.
    pub(super) fn text(&self, text: signoff_str, what: &'static str) -> Result<&str, CallError> {
        Ok(self.optional_text(text, what)?.unwrap_or(""))
    }

    /// The texts of an option. An array without elements would be no option at all, by a slip.
    pub(super) fn texts(
        &self,
        data: *const signoff_str,
        len: usize,
        what: &'static str,
    ) -> Result<Vec<&str>, CallError> {
        let texts = self.array(data, len, what)?;
        if texts.is_empty() && !data.is_null() {
            return Err(CallError::Length { what, given: 0 });
        }
        texts.iter().map(|text| self.text(*text, what)).collect()
    }

    /// A text that ends in NUL.
    pub(super) fn c_text(&self, text: *const c_char) -> signoff_str {
        match text.is_null() {
            true => signoff_str::NONE,
            // SAFETY: clause 3; what ends in NUL can be read up to it.
            false => signoff_str { data: text, len: unsafe { std::ffi::CStr::from_ptr(text) }.count_bytes() },
        }
    }

    /// A struct that says its size, and says it right.
    #[inline]
    pub(super) fn sized_in<T: Sized32>(&self, given: *const T) -> Result<&T, CallError> {
        self.go_on()?;
        Self::right_size(given)?;
        // SAFETY: clauses 2 and 5, and the caller's struct is as long as ours.
        Ok(unsafe { &*given })
    }

    /// The same of a struct that may be an earlier one: what it does not have is zero.
    pub(super) fn sized_or_earlier<T: Sized32>(&self, given: *const T) -> Result<T, CallError> {
        self.go_on()?;
        let mut whole = std::mem::MaybeUninit::<T>::zeroed();
        let len = Self::known_size(given)?;
        // SAFETY: clauses 2 and 5: the caller's struct has so many bytes, no more than ours. Zeros are a value of it.
        Ok(unsafe {
            std::ptr::copy_nonoverlapping(given.cast::<u8>(), whole.as_mut_ptr().cast::<u8>(), len);
            whole.assume_init()
        })
    }

    /// The times that a call goes by: those given, or none for this machine's clocks.
    #[inline]
    pub(super) fn times(&self, times: *const super::signoff_times) -> Result<Option<Times>, CallError> {
        match times.is_null() {
            true => Ok(None),
            false => self.sized_in(times)?.read().map(Some),
        }
    }

    #[inline]
    pub(super) fn clock(&self, times: *const super::signoff_times, engine: &crate::Engine) -> Result<Clock, CallError> {
        Ok(self.times(times)?.map_or_else(|| engine.clock(), Clock::Given))
    }
}
