//! What a rejection says of the shape of a token.

/// One of the three parts of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // RFC 7515 section 7.1: a compact token has these three.
pub enum Part {
    /// The JOSE header.
    Header,
    /// The payload.
    Payload,
    /// The signature.
    Signature,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// What keeps a text from being the JSON object that it should be.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not UTF-8. RFC 8259 section 8.1.
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// Where it stops being UTF-8.
        at: usize,
    },
    /// Not JSON. RFC 8259.
    #[error("not JSON at byte {at}")]
    NotJson {
        /// Where it stops being JSON.
        at: usize,
    },
    /// JSON, but no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// Nested deeper than [`JSON_DEPTH_MAX`](crate::limits::JSON_DEPTH_MAX).
    #[error("nested deeper than the limit at byte {at}")]
    TooDeep {
        /// Where the limit is passed.
        at: usize,
    },
    /// A number that readers would not agree on.
    #[error("a number out of range at byte {at}")]
    NumberOutOfRange {
        /// Where it starts.
        at: usize,
    },
    /// More members than [`HEADER_MEMBERS_MAX`](crate::limits::HEADER_MEMBERS_MAX).
    #[error("more members than the limit")]
    TooManyMembers,
    /// A header with more escapes and nested values than [`HEADER_EFFORT_MAX`](crate::limits::HEADER_EFFORT_MAX), or with more
    /// that is not ASCII than [`HEADER_BEYOND_ASCII_MAX`](crate::limits::HEADER_BEYOND_ASCII_MAX).
    #[error("more escapes, nested values or characters that are not ASCII than the limit")]
    TooElaborate,
}
