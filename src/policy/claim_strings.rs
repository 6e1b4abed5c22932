//! The texts of a payload's claims: where they stand, and how they read.
//!
//! A claim keeps a place rather than a text, so that reading it copies nothing. Places are made here
//! from the texts that they point into, and lie on the boundaries of their characters.

use std::borrow::Cow;

use crate::token::json::{self, Slice, Value};

/// Where the text of a claim stands, in the text that [`ClaimStrings`] makes of payload and unescaped
/// strings: from the payload's length on in the latter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// `aud`: one string, or an array of them. RFC 7519 section 4.1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    One(Span),
    /// The array as it stands in the payload, brackets included.
    Array(Span),
}

impl Span {
    #[inline]
    pub(super) fn in_payload(slice: Slice<'_>) -> Self {
        Self::new(slice.start, slice.end)
    }

    /// Where it starts in payload and unescaped texts as one, and how long it is.
    #[cfg(feature = "capi")]
    #[inline]
    pub(crate) fn place(self) -> (usize, usize) {
        (self.start as usize, (self.end - self.start) as usize)
    }

    #[cold]
    pub(super) fn of_unescaped(value: Value<'_>, payload: &str, unescaped: &mut String) -> Self {
        let start = unescaped.len();
        if let Some(string) = value.string() {
            string.unescape_onto(unescaped);
        }
        Self::new(payload.len() + start, payload.len() + unescaped.len())
    }

    /// Both texts together are bounded by twice [`TOKEN_BYTES_CEILING`](crate::limits::TOKEN_BYTES_CEILING)
    /// and by the memory of who signs, far below what a `u32` holds.
    #[allow(clippy::cast_possible_truncation)]
    #[inline]
    fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }
}

/// The texts that a payload's spans point into.
#[derive(Clone, Copy)]
pub(crate) struct ClaimStrings<'a> {
    pub(crate) payload: &'a str,
    pub(crate) unescaped: &'a str,
}

impl<'a> ClaimStrings<'a> {
    /// The text of a span. Spans are made from these texts, so they lie within them and on the
    /// boundaries of characters.
    #[inline]
    pub(crate) fn of(self, span: Span) -> &'a str {
        let (start, end) = (span.start as usize, span.end as usize);
        match start.checked_sub(self.payload.len()) {
            None => &self.payload[start..end],
            Some(start) => &self.unescaped[start..end - self.payload.len()],
        }
    }

    /// The audiences, in order, escapes resolved.
    pub(crate) fn audiences(self, audience: Option<Audience>) -> Vec<Cow<'a, str>> {
        match audience {
            None => Vec::new(),
            Some(Audience::One(span)) => vec![Cow::Borrowed(self.of(span))],
            Some(Audience::Array(span)) => {
                let mut all = Vec::new();
                let _whole = json::read_array(self.of(span), |element| {
                    if let Some(name) = element.string() {
                        all.push(if name.is_escaped() {
                            name.chars().collect()
                        } else {
                            Cow::Borrowed(name.slice.raw())
                        });
                    }
                });
                all
            }
        }
    }
}
