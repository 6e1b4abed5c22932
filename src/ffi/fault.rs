//! Why a call did not do what it promises: a fault of the token, of the engine's side, or of the call itself.

use std::fmt;

use crate::denied::Denied;
use crate::error::Error;
use crate::status::Status;

/// The longest text or array that a call takes, in bytes or elements: 64 MiB. Longer ones are slips.
pub(super) const LENGTH_MAX: usize = 64 * 1024 * 1024;

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
