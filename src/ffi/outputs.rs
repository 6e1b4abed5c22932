//! What a caller gets: values, handles, structs, arrays and texts, each as nothing until it is filled in.

use std::ffi::c_char;
use std::marker::PhantomData;

use super::call::Call;
use super::fault::CallError;
use super::signoff_str;
use super::sized::Sized32;

impl Call {
    /// A struct to be filled in. Unless it is, it reads as all zero when the call ends, also by a panic.
    #[inline]
    pub(super) fn sized_out<T: Sized32>(&self, given: *mut T) -> Result<OutStruct<'_, T>, CallError> {
        Self::right_size(given)?;
        Ok(OutStruct { start: given, _call: PhantomData })
    }

    /// Where a new handle goes. It is NULL until then.
    pub(super) fn out_handle<T>(&self, out: *mut *mut T, what: &'static str) -> Result<OutHandle<'_, T>, CallError> {
        let mut out = self.out(out, what)?;
        out.set(std::ptr::null_mut());
        Ok(OutHandle(out))
    }

    /// Where one plain value goes.
    pub(super) fn out<T: Copy>(&self, out: *mut T, what: &'static str) -> Result<Out<'_, T>, CallError> {
        match out.is_null() {
            true => Err(CallError::Null { what }),
            false => Ok(Out { start: out, _call: PhantomData }),
        }
    }

    /// Values to be filled in.
    pub(super) fn out_array<T: Copy>(
        &self,
        start: *mut T,
        len: usize,
        what: &'static str,
    ) -> Result<OutArray<'_, T>, CallError> {
        Self::right_length(start, len, what)?;
        Ok(OutArray { start, len, _call: PhantomData })
    }

    /// A buffer of the caller's.
    #[inline]
    pub(super) fn buffer(&self, start: *mut c_char, len: usize, what: &'static str) -> Result<Buffer<'_>, CallError> {
        match (start.is_null(), isize::try_from(len)) {
            (true, Ok(0)) | (false, Ok(_)) => {
                Ok(Buffer { start: start.cast(), len, used: 0, what, _call: PhantomData })
            }
            (true, _) => Err(CallError::Null { what }),
            (false, Err(_)) => Err(CallError::Length { what, given: len }),
        }
    }

    /// Where a text is to be copied to. Its length is 0 until then.
    pub(super) fn out_text(
        &self,
        out: *mut c_char,
        out_size: usize,
        out_len: *mut usize,
    ) -> Result<OutText<'_>, CallError> {
        let mut len = self.out(out_len, "out_len")?;
        len.set(0);
        Ok(OutText { buffer: self.buffer(out, out_size, "out")?, len })
    }
}

/// Where one plain value of the caller's stands.
pub(super) struct Out<'c, T> {
    start: *mut T,
    _call: PhantomData<&'c Call>,
}

impl<T: Copy> Out<'_, T> {
    pub(super) fn set(&mut self, value: T) {
        // SAFETY: clause 4; not NULL (`Call::out`).
        unsafe { self.start.write(value) }
    }
}

/// Where a text is to be copied to.
pub(super) struct OutText<'c> {
    buffer: Buffer<'c>,
    len: Out<'c, usize>,
}

impl OutText<'_> {
    /// Copies a text, and says how long it is also where it does not fit.
    pub(super) fn set(mut self, text: &str) -> Result<(), CallError> {
        self.len.set(text.len());
        self.buffer.put(text).map(|_| ())
    }
}

/// Where a handle for the caller stands.
pub(super) struct OutHandle<'c, T>(Out<'c, *mut T>);

impl<T> OutHandle<'_, T> {
    pub(super) fn set(mut self, value: T) {
        self.0.set(Box::into_raw(Box::new(value)));
    }
}

/// A struct of the caller's that is to be filled in.
pub(super) struct OutStruct<'c, T: Sized32> {
    start: *mut T,
    _call: PhantomData<&'c Call>,
}

impl<T: Sized32> OutStruct<'_, T> {
    /// Takes over all of a value. Its `struct_size` must be right.
    #[inline]
    pub(super) fn set(self, value: T) {
        // SAFETY: clause 4; not NULL and of our size.
        unsafe { self.start.write(value) }
        std::mem::forget(self);
    }
}

impl<T: Sized32> Drop for OutStruct<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: clause 4; not NULL and of our size (`Call::right_size`); all-zero is a value of every `Sized32`. The
        // size before it stays as it is.
        unsafe { self.start.cast::<u8>().add(4).write_bytes(0, size_of::<T>() - 4) }
    }
}

/// Values of the caller's that are to be filled in.
pub(super) struct OutArray<'c, T> {
    start: *mut T,
    len: usize,
    _call: PhantomData<&'c Call>,
}

impl<T: Copy> OutArray<'_, T> {
    #[inline]
    pub(super) fn set(&mut self, at: usize, value: T) {
        assert!(at < self.len, "within the array");
        // SAFETY: clause 4; within the length that the caller stated.
        unsafe { self.start.add(at).write(value) }
    }

    pub(super) fn fill(&mut self, value: T) {
        (0..self.len).for_each(|at| self.set(at, value));
    }
}

/// A buffer of the caller's, filled from its start.
pub(super) struct Buffer<'c> {
    start: *mut u8,
    len: usize,
    used: usize,
    what: &'static str,
    _call: PhantomData<&'c Call>,
}

impl Buffer<'_> {
    /// Fails unless there is room for so much in all.
    #[inline]
    pub(super) fn require(&self, needed: usize) -> Result<(), CallError> {
        match needed <= self.len {
            true => Ok(()),
            false => Err(CallError::BufferTooSmall { what: self.what, given: self.len, needed }),
        }
    }

    /// Appends a text, and returns where it stands now.
    #[inline]
    pub(super) fn put(&mut self, text: &str) -> Result<signoff_str, CallError> {
        self.put_bytes(text.as_bytes())
    }

    #[inline]
    pub(super) fn put_bytes(&mut self, text: &[u8]) -> Result<signoff_str, CallError> {
        self.require(self.used + text.len())?;
        if text.is_empty() && self.start.is_null() {
            return Ok(signoff_str::view(""));
        }
        // SAFETY: clause 4; there is room for the text, and the buffer is not NULL.
        let start = unsafe { self.start.add(self.used) };
        // SAFETY: as above. A text never lies in the caller's buffer: it is the engine's.
        unsafe { start.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
        self.used += text.len();
        Ok(signoff_str { data: start.cast_const().cast(), len: text.len() })
    }

    /// Appends two texts that are to stand one behind the other, or neither, and returns where the first stands now.
    #[inline]
    pub(super) fn put_both(&mut self, first: &str, second: &str) -> Result<signoff_str, CallError> {
        if second.is_empty() { self.put(first) } else { self.put_both_full(first, second) }
    }

    #[cold]
    fn put_both_full(&mut self, first: &str, second: &str) -> Result<signoff_str, CallError> {
        self.require(self.used + first.len() + second.len())?;
        let start = self.put(first)?;
        self.put(second)?;
        Ok(start)
    }
}
