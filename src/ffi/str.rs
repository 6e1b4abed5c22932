//! Texts as C passes them.

use std::ffi::c_char;

use super::call::Call;

/// Text in UTF-8 that does not end in NUL.
///
/// Owner: whoever made it. As an input it is the caller's, and stays as it is until the call returns. As an output it
/// points into the buffer or the object that the function names, and lives as long.
///
/// data NULL and len 0: no text. data not NULL and len 0: an empty text. SIGNOFF_STR("…") makes one of a literal,
/// signoff_str_of() of any text that ends in NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_str {
    /// The first byte, or NULL.
    pub data: *const c_char,
    /// How many bytes.
    pub len: usize,
}

impl signoff_str {
    pub(super) const NONE: Self = Self { data: std::ptr::null(), len: 0 };

    /// The view of a text, for as long as the text lives.
    pub(super) fn view(text: &str) -> Self {
        // An empty text has no address of its own, and C is given one that it may copy nothing from.
        let data = if text.is_empty() { c"".as_ptr() } else { text.as_ptr().cast() };
        Self { data, len: text.len() }
    }

    pub(super) fn view_of(text: Option<&str>) -> Self {
        text.map_or(Self::NONE, Self::view)
    }
}

/// A text that ends in NUL, as a signoff_str. NULL gives no text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signoff_str_of(text: *const c_char) -> signoff_str {
    // SAFETY: the caller keeps the contract of the header.
    let call = unsafe { Call::new(std::ptr::null_mut()) };
    call.c_text(text)
}
