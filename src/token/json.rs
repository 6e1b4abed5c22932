//! A one-pass reader for one JSON object, strict and without allocation. RFC 8259.
//!
//! It accepts only what `serde_json` accepts as a `Value`, and reads the same values. What it
//! refuses beyond that: anything but an object at the top, nesting deeper than
//! [`JSON_DEPTH_MAX`], and numbers whose written magnitude reaches 10^[`NUMBER_MAGNITUDE_MAX`].
//! Names that appear twice are the business of whoever collects the members.
//!
//! Invariant: a [`JsonString`] is well formed, so that reading its characters can't fail.

use crate::limits::{JSON_DEPTH_MAX, NUMBER_MAGNITUDE_MAX};
use crate::verdict::JsonFault;

/// A string as it stands in the text, between its quotes, escapes not resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonString<'a> {
    /// Where `raw` starts in the text.
    pub(crate) at: usize,
    pub(crate) raw: &'a str,
    pub(crate) escaped: bool,
}

/// The value of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    String(JsonString<'a>),
    /// As written, from the byte `at` of the text on.
    Number {
        at: usize,
        raw: &'a str,
    },
    /// As written, with its brackets, from the byte `at` of the text on; known to be well formed.
    Array {
        at: usize,
        raw: &'a str,
    },
    Object,
    Bool,
    Null,
}

/// Reads `text` as one object and calls `member` for each of its members, in order.
///
/// # Errors
/// The first fault of the text. Members before it have been handed over by then.
#[inline]
pub(crate) fn read_object<'a>(
    text: &'a str,
    mut member: impl FnMut(JsonString<'a>, Value<'a>),
) -> Result<(), JsonFault> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_white_space();
    if reader.peek() != Some(b'{') {
        reader.value(0)?;
        reader.end()?;
        return Err(JsonFault::NotAnObject);
    }
    reader.at += 1;
    reader.skip_white_space();
    if reader.peek() == Some(b'}') {
        reader.at += 1;
        return reader.end();
    }
    loop {
        let name = reader.name()?;
        let value = reader.value(1)?;
        member(name, value);
        if reader.comma_or(b'}')? == Next::Close {
            return reader.end();
        }
    }
}

/// Calls `element` for each element of an array that [`read_object`] has handed over. Places in the
/// text count from the array's opening bracket.
///
/// # Errors
/// None for such an array; the reader has already been over it.
pub(crate) fn read_array<'a>(raw: &'a str, mut element: impl FnMut(Value<'a>)) -> Result<(), JsonFault> {
    let mut reader = Reader { text: raw, at: 1 };
    reader.skip_white_space();
    if reader.peek() == Some(b']') {
        return Ok(());
    }
    loop {
        element(reader.value(1)?);
        if reader.comma_or(b']')? == Next::Close {
            return Ok(());
        }
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Another,
    Close,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cold]
    fn not_json(&self) -> JsonFault {
        JsonFault::NotJson { at: self.at }
    }

    #[inline]
    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), JsonFault> {
        if self.peek() != Some(byte) {
            return Err(self.not_json());
        }
        self.at += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), JsonFault> {
        self.skip_white_space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.not_json()) }
    }

    /// After a value: a comma and the white space behind it, or the closing bracket.
    #[inline]
    fn comma_or(&mut self, close: u8) -> Result<Next, JsonFault> {
        self.skip_white_space();
        let next = match self.peek() {
            Some(b',') => Next::Another,
            Some(byte) if byte == close => Next::Close,
            _ => return Err(self.not_json()),
        };
        self.at += 1;
        if next == Next::Another {
            self.skip_white_space();
        }
        Ok(next)
    }

    /// A member's name, the colon, and the white space around it.
    #[inline]
    fn name(&mut self) -> Result<JsonString<'a>, JsonFault> {
        self.expect(b'"')?;
        let name = self.string()?;
        self.skip_white_space();
        self.expect(b':')?;
        self.skip_white_space();
        Ok(name)
    }

    /// A value that stands inside `depth` containers.
    #[inline]
    fn value(&mut self, depth: u32) -> Result<Value<'a>, JsonFault> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Value::String(self.string()?))
            }
            Some(b'-' | b'0'..=b'9') => {
                let at = self.at;
                Ok(Value::Number { at, raw: self.number()? })
            }
            Some(b'[') => {
                let at = self.at;
                self.array(depth + 1)?;
                Ok(Value::Array { at, raw: &self.text[at..self.at] })
            }
            Some(b'{') => self.object(depth + 1).map(|()| Value::Object),
            Some(b't') => self.literal("true").map(|()| Value::Bool),
            Some(b'f') => self.literal("false").map(|()| Value::Bool),
            Some(b'n') => self.literal("null").map(|()| Value::Null),
            _ => Err(self.not_json()),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), JsonFault> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.not_json());
        }
        self.at += word.len();
        Ok(())
    }

    fn array(&mut self, depth: u32) -> Result<(), JsonFault> {
        self.open(depth)?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if self.comma_or(b']')? == Next::Close {
                return Ok(());
            }
        }
    }

    fn object(&mut self, depth: u32) -> Result<(), JsonFault> {
        self.open(depth)?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.name()?;
            self.value(depth)?;
            if self.comma_or(b'}')? == Next::Close {
                return Ok(());
            }
        }
    }

    /// Past an opening bracket, which makes the container one level deeper.
    fn open(&mut self, depth: u32) -> Result<(), JsonFault> {
        if depth > JSON_DEPTH_MAX {
            return Err(JsonFault::TooDeep { at: self.at });
        }
        self.at += 1;
        self.skip_white_space();
        Ok(())
    }

    /// From behind the opening quote to behind the closing one.
    #[inline]
    fn string(&mut self) -> Result<JsonString<'a>, JsonFault> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = plain_end(self.text.as_bytes(), self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(self.not_json()),
            }
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        Ok(JsonString { at: start, raw, escaped })
    }

    #[cold]
    fn escape(&mut self) -> Result<(), JsonFault> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => match (rest.get(2..).and_then(hex4), rest.get(6..8), rest.get(8..).and_then(hex4)) {
                // A surrogate half alone is no character (RFC 8259 section 8.2): readers disagree about it.
                (Some(0xd800..=0xdbff), Some(b"\\u"), Some(0xdc00..=0xdfff)) => 12,
                (Some(0xd800..=0xdfff) | None, _, _) => return Err(self.not_json()),
                (Some(_), _, _) => 6,
            },
            _ => return Err(self.not_json()),
        };
        Ok(())
    }

    /// RFC 8259 section 6.
    #[inline]
    fn number(&mut self) -> Result<&'a str, JsonFault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let first = self.peek();
        let mut magnitude = self.digits()?;
        if first == Some(b'0') && magnitude > 1 {
            return Err(self.not_json());
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            magnitude = magnitude.saturating_add(self.exponent()?);
        }
        match magnitude {
            // The digits before the point and the exponent bound the value from above.
            i64::MIN..=NUMBER_MAGNITUDE_MAX => Ok(&self.text[start..self.at]),
            _ => Err(JsonFault::NumberOutOfRange { at: start }),
        }
    }

    #[cold]
    fn exponent(&mut self) -> Result<i64, JsonFault> {
        self.at += 1;
        let negative = self.peek() == Some(b'-');
        if let Some(b'-' | b'+') = self.peek() {
            self.at += 1;
        }
        let start = self.at;
        self.digits()?;
        // More digits than an i64 holds only make it larger still.
        let exponent = self.text[start..self.at].parse().unwrap_or(i64::MAX);
        Ok(if negative { -exponent } else { exponent })
    }

    /// One digit or more; returns how many.
    #[inline]
    fn digits(&mut self) -> Result<i64, JsonFault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        match self.at - start {
            0 => Err(self.not_json()),
            count => Ok(i64::try_from(count).unwrap_or(i64::MAX)),
        }
    }
}

/// The first byte at or after `at` that does not simply stand for itself in a string: a quote, a
/// backslash or a control character; or the end of the text.
///
/// Looks at eight bytes at a time. In each of the three tests a byte's high bit may come out wrongly
/// set by a borrow, but only above one that is rightly set, so the lowest set bit is always right.
#[inline]
fn plain_end(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    const SPACES: u64 = ONES * b' ' as u64;

    while let Some(&eight) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(eight);
        let (quote, backslash) = (word ^ QUOTES, word ^ BACKSLASHES);
        let found = ((quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(SPACES) & !word))
            & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(&byte) = text.get(at) {
        if byte == b'"' || byte == b'\\' || byte < b' ' {
            return at;
        }
        at += 1;
    }
    at
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.first_chunk::<4>()?.iter().try_fold(0, |value, &digit| Some(value * 16 + char::from(digit).to_digit(16)?))
}

impl<'a> JsonString<'a> {
    /// The characters, escapes resolved.
    pub(crate) fn chars(self) -> impl Iterator<Item = char> + 'a {
        let mut rest = self.raw.chars();
        std::iter::from_fn(move || {
            Some(match rest.next()? {
                '\\' => match rest.next()? {
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => unicode_escape(&mut rest)?,
                    itself => itself,
                },
                plain => plain,
            })
        })
    }

    /// Whether the characters are those of `other`.
    #[inline]
    pub(crate) fn is(self, other: &str) -> bool {
        if self.escaped { self.chars().eq(other.chars()) } else { self.raw == other }
    }

    /// Whether the characters are those of another string, however either is escaped.
    pub(crate) fn same_as(self, other: Self) -> bool {
        match self.escaped || other.escaped {
            true => self.chars().eq(other.chars()),
            false => self.raw == other.raw,
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.raw.is_empty()
    }
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
