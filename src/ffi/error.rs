//! What a caller is told beside a status; and the status table for C.

use std::ffi::{CStr, c_char};
use std::fmt::Write as _;

use super::fault::Fault;
use super::signoff_status;
use super::sized::sized;
use crate::option_names::{Face, in_words_of};
use crate::status::Status;

/// What went wrong, in words: for the operator's log, never for the sender of a token.
///
/// Owner: the caller; a local variable will do. Start from SIGNOFF_ERROR_INIT. Every call that takes one fills it in,
/// also when it succeeds. Threads: belongs to one call at a time. No message holds bytes of a token, a secret or a key.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_error {
    /// sizeof(signoff_error).
    pub struct_size: u32,
    /// What the function returned.
    pub status: signoff_status,
    /// With SIGNOFF_ERR_BUFFER_TOO_SMALL: how many bytes would do. 0 otherwise.
    pub needed: usize,
    /// With SIGNOFF_TOKEN_TOO_SOON: after how many seconds a new token will be accepted, as in the HTTP header Retry-After. 0
    /// otherwise.
    pub retry_after_s: u32,
    /// One line that ends in NUL, cut off where it is longer. Empty after success.
    pub message: [c_char; 236],
}

sized!(signoff_error);

impl signoff_error {
    /// What is said about a fault.
    #[cold]
    #[inline(never)]
    pub(super) fn of(fault: &Fault) -> Self {
        let needed = if let Fault::Call(error) = fault { error.needed() } else { 0 };
        let retry_after_s = fault.retry_after().map_or(0, |after| u32::try_from(after.as_secs()).unwrap_or(u32::MAX));
        let mut message = [0; 236];
        // A message that is cut off is no failure.
        let _whole = write!(Message { text: &mut message, len: 0 }, "{}", in_words_of(Face::C, fault));
        Self { struct_size: size_of::<Self>() as u32, status: fault.status().number(), needed, retry_after_s, message }
    }
}

/// Writes into a message, as much as fits, with NUL behind it.
struct Message<'a> {
    text: &'a mut [c_char],
    len: usize,
}

impl std::fmt::Write for Message<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            let room = self.text.len() - self.len - 1;
            if c.len_utf8() > room {
                return Err(std::fmt::Error);
            }
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                self.text[self.len] = byte.cast_signed() as c_char;
                self.len += 1;
            }
            self.text[self.len] = 0;
        }
        Ok(())
    }
}

fn texts(status: signoff_status) -> [&'static CStr; 2] {
    Status::from_number(status)
        .map_or([c"unknown-status", c"A newer signoff made this status; treat it as a failure."], Status::c_texts)
}

/// The name of a status, as in "claim-expired": stable for ever. Static, ends in NUL, never NULL; "unknown-status" for a
/// number that this library does not have.
#[unsafe(no_mangle)]
pub extern "C" fn signoff_status_name(status: signoff_status) -> *const c_char {
    texts(status)[0].as_ptr()
}

/// What a status means and what to do about it, in one sentence. Static, ends in NUL, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn signoff_status_sentence(status: signoff_status) -> *const c_char {
    texts(status)[1].as_ptr()
}

/// The HTTP status that fits: 200 for SIGNOFF_OK, 401 for a fault of the token, 503 (with Retry-After) when the answer
/// can't be known, 500 for a fault of the program or of what it was set up with, and for an unknown number.
#[unsafe(no_mangle)]
pub extern "C" fn signoff_status_http(status: signoff_status) -> i32 {
    Status::from_number(status).map_or(500, |status| i32::from(status.http_status()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_off_at_a_whole_character_and_ends_in_nul() {
        let mut text = [1; 8];
        let mut message = Message { text: &mut text, len: 0 };
        assert_eq!(message.write_str("abcde€"), Err(std::fmt::Error));
        assert_eq!(text.map(|c| c.cast_unsigned()), *b"abcde\0\x01\x01");
    }
}
