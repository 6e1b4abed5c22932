//! Where the text of a claim probably stands in a payload that nobody has vouched for yet.
//!
//! For warming memory, and for nothing else: what is guessed is never judged, and a wrong guess costs time
//! alone. The claims are read after the signature holds, by `policy/claims.rs`.

use memchr::memchr;
use memchr::memmem::Finder;

/// How far a text is followed, in bytes: ids are hardly longer.
const TEXT_BYTES_MAX: usize = 128;

pub(crate) struct Guess {
    name: Finder<'static>,
}

/// Where the text stood in the payload before: of one issuer's tokens it mostly stands there again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    start: usize,
    len: usize,
}

impl Guess {
    /// For the claim whose name, in its quotes, this is.
    pub(crate) fn of(quoted_name: &'static str) -> Self {
        Self { name: Finder::new(quoted_name) }
    }

    /// The bytes between quotes behind that name: at the same place as before, or at the first there is.
    #[inline]
    pub(crate) fn text<'p>(&self, payload: &'p [u8], before: &mut Place) -> Option<&'p [u8]> {
        let Place { start, len } = *before;
        if let Some(([head @ .., b'"'], rest)) = payload.split_at_checked(start)
            && let Some((text, [b'"', ..])) = rest.split_at_checked(len)
            && head.trim_ascii_end().strip_suffix(b":").is_some_and(|head| head.ends_with(self.name.needle()))
        {
            return Some(text);
        }
        let place = self.search(payload)?;
        *before = place;
        payload.get(place.start..place.start + place.len)
    }

    fn search(&self, payload: &[u8]) -> Option<Place> {
        let behind = self.name.find(payload)? + self.name.needle().len();
        let start = match payload[behind..] {
            [b':', b'"', ..] => behind + 2,
            [b':', b' ', b'"', ..] => behind + 3,
            _ => return None,
        };
        let text = &payload[start..payload.len().min(start + TEXT_BYTES_MAX)];
        memchr(b'"', text).map(|len| Place { start, len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_the_usual_spellings_and_any_bytes_do_no_harm() {
        let mut place = Place::default();
        let mut guess = |payload: &'static str| Guess::of("\"jti\"").text(payload.as_bytes(), &mut place);
        assert_eq!(guess(r#"{"sub":"u","jti":"abc","exp":1}"#), Some(&b"abc"[..]));
        assert_eq!(guess(r#"{"jti": "abc"}"#), Some(&b"abc"[..]));
        assert_eq!(guess(r#"{"jti": "ab","x":1}"#), Some(&b"ab"[..]));
        assert_eq!(guess(r#"{"x": "abc","jti":"ä"}"#), Some("ä".as_bytes()));
        for other in ["", "\"jti\"", r#""jti":"#, r#"{"jti":"unended"#, r#"{"jti":1}"#, r#"{"jti"  :"far"}"#] {
            assert_eq!(guess(other), None, "{other}");
        }
    }
}
