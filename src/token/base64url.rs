//! Base64url without padding, in its one canonical spelling. RFC 7515 section 2, RFC 4648 section 3.5.
//!
//! The decoding is `base64-simd`'s; a differential fuzz target holds it to the `base64` crate, and
//! both to one spelling: no padding, no white space, no non-zero trailing bits.

use base64_simd::{Out, URL_SAFE_NO_PAD};

/// The input is not canonical base64url, or its decoding does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotCanonical;

/// Decodes `text` into the front of `out` and returns the decoded bytes.
pub(crate) fn decode<'o>(text: &[u8], out: &'o mut [u8]) -> Result<&'o mut [u8], NotCanonical> {
    match decoded_len(text.len()) {
        Some(len) if len <= out.len() => URL_SAFE_NO_PAD.decode(text, Out::from_slice(out)).map_err(|_| NotCanonical),
        _ => Err(NotCanonical),
    }
}

/// Whether `text` is canonical, for a part whose decoding is not wanted.
pub(crate) fn is_canonical(text: &[u8]) -> bool {
    URL_SAFE_NO_PAD.check(text).is_ok()
}

/// How many bytes a text of `len` characters decodes to; `None` where no encoder makes that length.
pub(crate) const fn decoded_len(len: usize) -> Option<usize> {
    let rest = match len % 4 {
        0 => 0,
        2 => 1,
        3 => 2,
        _ => return None,
    };
    Some(len / 4 * 3 + rest)
}

/// Appends the encoding of `bytes` to `text`.
pub(crate) fn encode_onto(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_append(bytes, text);
}

/// Whether a byte may stand in a part.
pub(crate) const fn is_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as REFERENCE;
    use proptest::prelude::*;

    #[test]
    fn a_spelling_with_trailing_bits_is_not_canonical() {
        let mut out = [0; 8];
        assert_eq!(decode(b"YQ", &mut out).map(|d| d.to_vec()), Ok(b"a".to_vec()));
        assert_eq!(decode(b"YR", &mut out), Err(NotCanonical));
        assert_eq!(decode(b"YWI", &mut out).map(|d| d.to_vec()), Ok(b"ab".to_vec()));
        assert_eq!(decode(b"YWJ", &mut out), Err(NotCanonical));
    }

    #[test]
    fn padding_other_alphabets_and_white_space_are_not_canonical() {
        let mut out = [0; 8];
        for text in ["YQ==", "YQ=", "+w", "/w", "YQ\n", " YQ", "Y", "Y.Q", "YWJj\0"] {
            assert_eq!(decode(text.as_bytes(), &mut out), Err(NotCanonical), "{text:?}");
            assert!(!is_canonical(text.as_bytes()), "{text:?}");
        }
        assert_eq!(decode(b"-_8", &mut out).map(|d| d.to_vec()), Ok(vec![0xfb, 0xff]));
    }

    #[test]
    fn a_buffer_that_is_too_small_is_refused() {
        assert_eq!(decode(b"YWJj", &mut [0; 2]), Err(NotCanonical));
    }

    proptest! {
        #[test]
        fn agrees_with_the_base64_crate_on_text(text in "[A-Za-z0-9_=+/ -]{0,96}") {
            let mut out = [0; 128];
            let ours = decode(text.as_bytes(), &mut out).map(|d| d.to_vec()).ok();
            prop_assert_eq!(is_canonical(text.as_bytes()), ours.is_some());
            prop_assert_eq!(ours, REFERENCE.decode(&text).ok());
        }

        #[test]
        fn agrees_with_the_base64_crate_on_its_own_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..200), flip in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut text = REFERENCE.encode(&bytes).into_bytes();
            let mut out = [0; 256];
            prop_assert_eq!(decode(&text, &mut out).map(|d| d.to_vec()), Ok(bytes));
            if !text.is_empty() {
                let at = flip.index(text.len());
                text[at] = to;
                prop_assert_eq!(decode(&text, &mut out).map(|d| d.to_vec()).ok(), REFERENCE.decode(&text).ok());
            }
        }
    }
}
