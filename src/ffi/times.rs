//! Times as C passes them, and whether what should be milliseconds looks like seconds.

use std::time::Duration;

use super::fault::CallError;
use super::sized::sized;
use crate::clock::{Times, UnixTime};

/// The time that a call goes by, where it is not to read this machine's clocks: for tests and replays.
///
/// Owner: the caller. Threads: only read. A pointer to it may be NULL, and is in a server: the call then reads the
/// clocks itself.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_times {
    /// sizeof(signoff_times).
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Milliseconds since 1970-01-01T00:00:00Z. 0 and less, and what looks like seconds, is an error: SIGNOFF_ERR_TIME.
    pub unix_ms: i64,
    /// Milliseconds of a clock that never steps and counts suspended time, by which the age of the revocation log is
    /// told. 0: this machine's is read.
    pub since_boot_ms: u64,
}

sized!(signoff_times);

impl signoff_times {
    #[inline]
    pub(super) fn read(&self) -> Result<Times, CallError> {
        let wall = moment(self.unix_ms, "times->unix_ms")?;
        if self.reserved != 0 {
            return Err(CallError::Option { what: "times->reserved", given: self.reserved.into() });
        }
        let times = Times::at(wall);
        Ok(match self.since_boot_ms {
            0 => times,
            millis => times.since_boot(Duration::from_millis(millis)),
        })
    }
}

/// Milliseconds below this lie before March 1973, and so are seconds by a slip: no token is so old.
const LOOKS_LIKE_SECONDS: i64 = 100_000_000_000;

/// A moment that must be one.
#[inline]
pub(super) fn moment(millis: i64, what: &'static str) -> Result<UnixTime, CallError> {
    match millis < LOOKS_LIKE_SECONDS {
        true => Err(CallError::Time { what, given: millis }),
        false => Ok(UnixTime::from_millis(millis)),
    }
}

/// A moment that may be left out, as 0.
pub(super) fn optional_moment(millis: i64, what: &'static str) -> Result<Option<UnixTime>, CallError> {
    if millis == 0 { Ok(None) } else { moment(millis, what).map(Some) }
}

/// A time that a token or record does not have.
pub const SIGNOFF_TIME_ABSENT: i64 = i64::MIN;

pub(super) fn millis(time: Option<UnixTime>) -> i64 {
    time.map_or(SIGNOFF_TIME_ABSENT, UnixTime::as_millis)
}

pub(super) fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
