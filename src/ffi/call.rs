//! One call from C: where its pointers become references, and where panics and faults become statuses.
//!
//! All unsafe code but the first line of each exported function is here. Clauses are those of `mod.rs`.

use std::cell::Cell;
use std::ffi::c_char;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::signoff_error;
use super::{signoff_status, signoff_str};
use crate::clock::{Clock, Times};
use crate::denied::Denied;
use crate::error::Error;
use crate::status::Status;

/// The longest text or array that a call takes, in bytes or elements: 64 MiB. Longer ones are slips.
const LENGTH_MAX: usize = 64 * 1024 * 1024;

/// Why a call did not do what it promises.
#[derive(Debug)]
pub(super) enum Fault {
    Denied(Denied),
    Error(Error),
    Call(CallError),
}

/// What is wrong with a call, whatever the engine would say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CallError {
    Null { what: &'static str },
    Length { what: &'static str, given: usize },
    StructSize { what: &'static str, given: u32, known: u32 },
    Option { what: &'static str, given: i128 },
    NotUtf8 { what: &'static str, at: usize },
    BufferTooSmall { what: &'static str, given: usize, needed: usize },
    Time { what: &'static str, given: i64 },
    Panic,
    Forked,
    ForkedWithFile,
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl<E: Into<Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl Fault {
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Denied(denied) => denied.status(),
            Self::Error(error) => error.status(),
            Self::Call(error) => error.status(),
        }
    }

    /// After how long a new token will be accepted, where only its time stands in the way.
    pub(super) fn retry_after(&self) -> Option<std::time::Duration> {
        if let Self::Denied(Denied::Rejected(reject)) = self { reject.retry_after() } else { None }
    }
}

impl CallError {
    /// How many bytes would have done; 0 where that was not the fault.
    #[inline(never)] // One question at a time: valgrind has no notion of two that are asked as one.
    pub(super) fn needed(&self) -> usize {
        if let Self::BufferTooSmall { needed, .. } = self { *needed } else { 0 }
    }

    fn status(&self) -> Status {
        match self {
            Self::Null { .. } => Status::Null,
            Self::Length { .. } => Status::Length,
            Self::StructSize { .. } => Status::StructSize,
            Self::Option { .. } => Status::OptionUnknown,
            Self::NotUtf8 { .. } => Status::NotUtf8,
            Self::BufferTooSmall { .. } => Status::BufferTooSmall,
            Self::Time { .. } => Status::TimeNotSet,
            Self::Panic => Status::Panic,
            Self::Forked | Self::ForkedWithFile => Status::Forked,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denied) => denied.fmt(f),
            Self::Error(error) => error.fmt(f),
            Self::Call(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null { what } => write!(f, "{what} is NULL"),
            Self::Length { what, given } => write!(f, "{what} can't be {given} long (at most {LENGTH_MAX})"),
            Self::StructSize { what, given, known } => write!(
                f,
                "{what}->struct_size is {given} where this library knows {known}: start from the _INIT macro of the header that came with the library"
            ),
            Self::Option { what, given } => {
                write!(f, "{what} has the value {given}, which does not exist in this library")
            }
            Self::NotUtf8 { what, at } => write!(f, "{what} is not UTF-8 at byte {at}"),
            Self::BufferTooSmall { what, given, needed } => {
                write!(f, "{what} has {given} bytes where {needed} are needed")
            }
            Self::Time { what, given } if *given > 0 => {
                write!(f, "{what} is {given}, a moment of early 1970: milliseconds are meant, and these look like seconds")
            }
            Self::Time { what, given } => {
                write!(f, "{what} is {given}: give milliseconds since 1970, or NULL for this machine's clock")
            }
            Self::Panic => f.write_str("a fault inside signoff was caught; please report it"),
            Self::Forked => f.write_str(
                "this was opened before this process was forked, and its log is served by the parent: open engines after the last fork",
            ),
            Self::ForkedWithFile => f.write_str(
                "the parent had a log in a file open when this process was forked, and SQLite can't be used across that: open engines after the last fork",
            ),
        }
    }
}

/// What becomes of a call's work.
pub(super) type Outcome = Result<(), Fault>;

/// A struct of the header that begins with its own size.
///
/// # Safety
/// `repr(C)`, begins with a `u32`, and holds numbers and raw pointers alone, so that all-zero is a value.
pub(super) unsafe trait Sized32: Copy + 'static {
    /// What messages call it.
    const WHAT: &'static str;
}

macro_rules! sized {
    ($($name:ident),*) => {$(
        // SAFETY: `repr(C)`, and every member is a number, a raw pointer, or a struct of them.
        unsafe impl crate::ffi::call::Sized32 for $name {
            const WHAT: &'static str = stringify!($name);
        }
        const _: () = assert!(std::mem::offset_of!($name, struct_size) == 0);
    )*};
}
pub(super) use sized;

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
    fn go_on(&self) -> Result<(), CallError> {
        if self.refused.get() { Err(CallError::Null { what: "an error of the right size" }) } else { Ok(()) }
    }

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

    #[inline]
    fn right_length<T>(data: *const T, len: usize, what: &'static str) -> Result<(), CallError> {
        match (data.is_null(), len) {
            (_, len) if len > LENGTH_MAX => Err(CallError::Length { what, given: len }),
            (true, 1..) => Err(CallError::Null { what }),
            (true, 0) | (false, _) => Ok(()),
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

    #[inline]
    fn right_size<T: Sized32>(given: *const T) -> Result<(), CallError> {
        match !given.is_null() && Self::is_right_size(given) {
            true => Ok(()),
            false => Err(Self::wrong_size(given)),
        }
    }

    /// Whether a struct, which is not NULL, says the size that it has here. Nothing else of it is read.
    #[inline]
    fn is_right_size<T: Sized32>(given: *const T) -> bool {
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

    /// The times that a call goes by: those given, or none for this machine's clocks.
    #[inline]
    pub(super) fn times(&self, times: *const super::signoff_times) -> Result<Option<Times>, CallError> {
        match times.is_null() {
            true => Ok(None),
            false => self.sized_in(times)?.read().map(Some),
        }
    }

    #[inline]
    pub(super) fn clock(&self, times: *const super::signoff_times) -> Result<Clock, CallError> {
        Ok(self.times(times)?.map_or(Clock::System, Clock::Given))
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
