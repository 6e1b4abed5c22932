//! Strings as they stand in a text, and as they read.
//!
//! Invariant: a [`JsonString`] is well formed, so that reading its characters can't fail.

/// A piece of a text, cut out only when it is asked for: most pieces never are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice<'a> {
    pub(super) text: &'a str,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl<'a> Slice<'a> {
    #[inline]
    pub(crate) fn raw(self) -> &'a str {
        &self.text[self.start..self.end]
    }

    #[inline]
    pub(crate) fn bytes(self) -> &'a [u8] {
        &self.text.as_bytes()[self.start..self.end]
    }
}

/// A string as it stands in the text, between its quotes, escapes not resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonString<'a> {
    pub(crate) slice: Slice<'a>,
    pub(super) spelling: Spelling,
}

/// Whether a string stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    Plain,
    Escaped,
}

impl<'a> JsonString<'a> {
    /// Where the string stands in its text, for whoever keeps many of them.
    #[allow(clippy::cast_possible_truncation)] // Texts are bounded, far below what a u32 holds.
    #[inline]
    pub(crate) fn place(self) -> (u32, u32) {
        (self.slice.start as u32, self.slice.end as u32)
    }

    /// The string itself where it has no escapes, and so stands for itself.
    #[inline]
    pub(crate) fn plain(self) -> Option<&'a str> {
        (self.spelling == Spelling::Plain).then(|| self.slice.raw())
    }

    /// Appends the characters to a text, escapes resolved.
    pub(crate) fn unescape_onto(self, text: &mut String) {
        let mut rest = self.slice.raw();
        while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
            let (plain, from_escape) = rest.split_at(at);
            text.push_str(plain);
            let mut chars = from_escape.chars();
            text.extend(unescaped(&mut chars));
            rest = chars.as_str();
        }
        text.push_str(rest);
    }

    /// The characters in a buffer, escapes resolved; none where they don't fit, or an escape is not of ASCII.
    pub(crate) fn unescape_into(self, buffer: &mut [u8]) -> Option<&[u8]> {
        let mut rest = self.slice.raw();
        let mut len = 0;
        loop {
            let plain = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
            let (plain, from_escape) = rest.split_at(plain);
            buffer.get_mut(len..len + plain.len())?.copy_from_slice(plain.as_bytes());
            len += plain.len();
            let mut chars = from_escape.chars();
            let Some(char) = unescaped(&mut chars) else { return Some(&buffer[..len]) };
            *buffer.get_mut(len)? = u8::try_from(char).ok().filter(u8::is_ascii)?;
            (len, rest) = (len + 1, chars.as_str());
        }
    }

    /// The characters, escapes resolved.
    pub(crate) fn chars(self) -> impl Iterator<Item = char> + 'a {
        let mut rest = self.slice.raw().chars();
        std::iter::from_fn(move || unescaped(&mut rest))
    }

    #[inline]
    pub(crate) fn is_escaped(self) -> bool {
        self.spelling == Spelling::Escaped
    }

    /// Whether the characters are those of `other`.
    #[inline]
    pub(crate) fn is(self, other: &str) -> bool {
        if self.is_escaped() { self.chars().eq(other.chars()) } else { self.slice.raw() == other }
    }
}

/// The next character, an escape resolved.
#[inline]
fn unescaped(rest: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match rest.next()? {
        '\\' => match rest.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => unicode_escape(rest)?,
            itself => itself,
        },
        plain => plain,
    })
}

/// Behind `\u`: four digits, and a second escape for the second half of a surrogate pair.
fn unicode_escape(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let first = code_unit(rest)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    rest.nth(1)?; // The second escape's `\u`.
    let second = code_unit(rest)?;
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

fn code_unit(rest: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |value, _| Some(value * 16 + rest.next()?.to_digit(16)?))
}
