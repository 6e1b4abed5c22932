//! The three parts of a token as received.
//!
//! Does not verify anything. A byte string has at most one reading as a token, and each token one
//! spelling: that is what keeps a logged-out token from coming back under another name.

use super::base64url;
use crate::denied::{Part, Reject};

/// A token whose shape is right, and nothing more: its signature has not been looked at.
///
/// Trust: every byte is the sender's. The accessors carry the word `unverified`, so that a caller
/// who acts on them says so.
#[derive(Clone, Copy)]
pub struct UnverifiedToken<'a> {
    bytes: &'a [u8],
    header_end: usize,
    payload_end: usize,
}

impl<'a> UnverifiedToken<'a> {
    /// Reads the shape of a token of at most `token_bytes_max` bytes.
    ///
    /// Cost: one pass, no allocation. An over-long token costs nothing.
    ///
    /// # Errors
    /// [`Reject::TokenTooLong`], [`Reject::TokenParts`], [`Reject::TokenCharacter`] and
    /// [`Reject::TokenBase64`], in this order.
    pub fn parse(token: &'a [u8], token_bytes_max: usize) -> Result<Self, Reject> {
        let split = Self::split(token, token_bytes_max)?;
        match [split.header(), split.payload(), split.signature()].into_iter().all(base64url::is_canonical) {
            true => Ok(split),
            false => Err(split.fault()),
        }
    }

    /// Finds the first and the last dot. Whoever decodes the parts notices everything else that can
    /// be wrong with a token's shape, a third dot included, and asks [`fault`](Self::fault) for it.
    pub(crate) fn split(bytes: &'a [u8], token_bytes_max: usize) -> Result<Self, Reject> {
        if bytes.len() > token_bytes_max {
            return Err(Reject::TokenTooLong { bytes: bytes.len(), max: token_bytes_max });
        }
        match (memchr::memchr(b'.', bytes), memchr::memrchr(b'.', bytes)) {
            (Some(first), Some(last)) if first < last => Ok(Self { bytes, header_end: first, payload_end: last }),
            (Some(_), _) => Err(Reject::TokenParts { dots: 1 }),
            (None, _) => Err(Reject::TokenParts { dots: 0 }),
        }
    }

    /// Names what is wrong with the shape of a token in which some part is not canonical.
    #[cold]
    pub(crate) fn fault(&self) -> Reject {
        let dots = memchr::memchr_iter(b'.', self.bytes).count();
        if dots != 2 {
            return Reject::TokenParts { dots };
        }
        if let Some(at) = position_of_stranger(self.bytes) {
            return Reject::TokenCharacter { at };
        }
        let part = match (base64url::is_canonical(self.header()), base64url::is_canonical(self.payload())) {
            (false, _) => Part::Header,
            (true, false) => Part::Payload,
            (true, true) => Part::Signature,
        };
        Reject::TokenBase64 { part }
    }

    /// What was signed: header and payload as spelled, with the dot between. RFC 7515 section 5.1.
    pub(crate) fn signing_input(&self) -> &'a [u8] {
        &self.bytes[..self.payload_end]
    }

    pub(crate) fn header(&self) -> &'a [u8] {
        &self.bytes[..self.header_end]
    }

    pub(crate) fn payload(&self) -> &'a [u8] {
        &self.bytes[self.header_end + 1..self.payload_end]
    }

    pub(crate) fn signature(&self) -> &'a [u8] {
        &self.bytes[self.payload_end + 1..]
    }

    /// Decodes the header into a buffer, which grows to the longest that it has met.
    ///
    /// # Errors
    /// What is wrong with the shape of the token.
    pub(crate) fn decode_header<'b>(&self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Reject> {
        decode(self.header(), buffer).ok_or_else(|| self.fault())
    }

    /// Decodes the payload, as [`decode_header`](Self::decode_header) does.
    #[inline]
    pub(crate) fn decode_payload<'b>(&self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Reject> {
        decode(self.payload(), buffer).ok_or_else(|| self.fault())
    }

    /// Decodes the signature.
    #[inline(always)]
    pub(crate) fn decode_signature<'b>(&self, buffer: &'b mut [u8]) -> Result<Signature<'b>, Reject> {
        let text = self.signature();
        match base64url::decoded_len(text.len()) {
            Some(len) if len > buffer.len() && base64url::is_canonical(text) => Ok(Signature::TooLong { len }),
            _ => match base64url::decode(text, buffer) {
                Ok(bytes) => Ok(Signature::Decoded(bytes)),
                Err(_) => Err(self.fault()),
            },
        }
    }

    /// The decoded header. Anybody may have written it.
    #[must_use]
    pub fn unverified_header(&self) -> Vec<u8> {
        decoded(self.header())
    }

    /// The decoded payload. Anybody may have written it.
    #[must_use]
    pub fn unverified_payload(&self) -> Vec<u8> {
        decoded(self.payload())
    }

    /// The decoded signature, which nothing has been held against.
    #[must_use]
    pub fn unverified_signature(&self) -> Vec<u8> {
        decoded(self.signature())
    }
}

/// A decoded signature, which nothing has been held against.
pub(crate) enum Signature<'a> {
    Decoded(&'a [u8]),
    /// Longer than any algorithm makes, so its bytes are of no interest.
    TooLong {
        len: usize,
    },
}

impl std::fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedToken").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// Where the first byte stands that no token has.
fn position_of_stranger(bytes: &[u8]) -> Option<usize> {
    let is_strange = |byte: &u8| *byte != b'.' && !base64url::is_character(*byte);
    // Without a branch for each byte, which is several times as fast: a long token may have it at its end.
    let blocks = bytes.chunks(64).map(|block| block.iter().fold(false, |any, byte| any | is_strange(byte)));
    let first = blocks.enumerate().find(|(_, any)| *any).map(|(block, _)| block * 64)?;
    bytes[first..].iter().position(is_strange).map(|at| first + at)
}

#[inline]
fn decode<'b>(part: &[u8], buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
    let len = base64url::decoded_len(part.len())?;
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    base64url::decode(part, buffer).ok().map(|bytes| &*bytes)
}

/// Parts were found canonical when the token was parsed, so this decodes all of them.
fn decoded(part: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; part.len()];
    let len = base64url::decode(part, &mut bytes).map_or(0, |decoded| decoded.len());
    bytes.truncate(len);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TOKEN_BYTES_MAX;

    fn parse(token: &str) -> Result<[Vec<u8>; 3], Reject> {
        UnverifiedToken::parse(token.as_bytes(), TOKEN_BYTES_MAX)
            .map(|t| [t.unverified_header(), t.unverified_payload(), t.unverified_signature()])
    }

    #[test]
    fn three_parts_are_decoded_and_any_may_be_empty() {
        assert_eq!(parse("YQ.YWI.YWJj"), Ok([b"a".to_vec(), b"ab".to_vec(), b"abc".to_vec()]));
        assert_eq!(parse(".."), Ok([vec![], vec![], vec![]]));
    }

    #[test]
    fn other_numbers_of_dots_are_counted() {
        for dots in [0, 1, 3, 4, 5000] {
            assert_eq!(parse(&".".repeat(dots)), Err(Reject::TokenParts { dots }), "{dots}");
        }
    }

    #[test]
    fn a_token_over_the_limit_is_refused_by_its_length_alone() {
        let token = vec![b'.'; TOKEN_BYTES_MAX + 1];
        assert_eq!(
            UnverifiedToken::parse(&token, TOKEN_BYTES_MAX).err(),
            Some(Reject::TokenTooLong { bytes: TOKEN_BYTES_MAX + 1, max: TOKEN_BYTES_MAX })
        );
    }

    #[test]
    fn the_first_fault_is_named_dots_before_characters_before_trailing_bits() {
        assert_eq!(parse("Y=.Y.Y."), Err(Reject::TokenParts { dots: 3 }));
        assert_eq!(parse("YR.YQ.YQ\n"), Err(Reject::TokenCharacter { at: 8 }));
        assert_eq!(parse("YQ.YR.YQ"), Err(Reject::TokenBase64 { part: Part::Payload }));
        assert_eq!(parse("YQ.YQ.Y"), Err(Reject::TokenBase64 { part: Part::Signature }));
        assert_eq!(parse("Y.YR.YQ"), Err(Reject::TokenBase64 { part: Part::Header }));
    }

    #[test]
    fn debug_shows_no_byte_of_the_token() {
        let token = UnverifiedToken::parse(b"YQ.YQ.YQ", TOKEN_BYTES_MAX).unwrap();
        assert_eq!(format!("{token:?}"), "UnverifiedToken { bytes: 8, .. }");
    }
}
