//! A one-pass reader for one JSON object, strict and without allocation. RFC 8259.
//!
//! It accepts only what `serde_json` accepts as a `Value`, and reads the same values. What it
//! refuses beyond that: anything but an object at the top, nesting deeper than
//! [`JSON_DEPTH_MAX`], and numbers whose written magnitude reaches 10^[`NUMBER_MAGNITUDE_MAX`].
//! Names that appear twice are the business of whoever collects the members.
//!
//! Invariant: a [`JsonString`] is well formed, so that reading its characters can't fail.

use wide::u8x16;

use crate::limits::{JSON_DEPTH_MAX, NUMBER_MAGNITUDE_MAX};
use crate::verdict::JsonFault;

/// A piece of a text, cut out only when it is asked for: most pieces never are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice<'a> {
    text: &'a str,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl<'a> Slice<'a> {
    /// Texts are bounded by [`TOKEN_BYTES_CEILING`](crate::limits::TOKEN_BYTES_CEILING) and by the
    /// memory of who signs, far below what a `u32` holds.
    #[allow(clippy::cast_possible_truncation)]
    #[inline(always)]
    fn new(text: &'a str, start: usize, end: usize) -> Self {
        Self { text, start: start as u32, end: end as u32 }
    }

    #[inline]
    pub(crate) fn raw(self) -> &'a str {
        &self.text[self.start as usize..self.end as usize]
    }

    #[inline]
    pub(crate) fn bytes(self) -> &'a [u8] {
        &self.text.as_bytes()[self.start as usize..self.end as usize]
    }
}

/// A string as it stands in the text, between its quotes, escapes not resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonString<'a> {
    pub(crate) slice: Slice<'a>,
    pub(crate) spelling: Spelling,
}

/// Whether a string stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    Plain,
    Escaped,
}

/// The value of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    String(JsonString<'a>),
    Number(Slice<'a>),
    /// With its brackets; known to be well formed.
    Array(Slice<'a>),
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
    let mut reader = Reader::new(text);
    match reader.whole_object(&mut member) {
        Some(()) => Ok(()),
        None => Err(reader.fault),
    }
}

/// Calls `element` for each element of an array that [`read_object`] has handed over. Places in the
/// text count from the array's opening bracket.
///
/// # Errors
/// None for such an array; the reader has already been over it.
pub(crate) fn read_array<'a>(raw: &'a str, mut element: impl FnMut(Value<'a>)) -> Result<(), JsonFault> {
    let mut reader = Reader::new(raw);
    match reader.elements(&mut element) {
        Some(()) => Ok(()),
        None => Err(reader.fault),
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Another,
    Close,
}

/// Methods return `None` when they have found a fault and left it in `fault`: results that fit into
/// registers are what makes the reader fast.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    fault: JsonFault,
}

impl<'a> Reader<'a> {
    #[inline]
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, fault: JsonFault::NotAnObject }
    }

    #[inline]
    fn whole_object(&mut self, member: &mut impl FnMut(JsonString<'a>, Value<'a>)) -> Option<()> {
        self.skip_white_space();
        if self.peek() != b'{' {
            return self.something_else();
        }
        self.at += 1;
        self.skip_white_space();
        if self.peek() == b'}' {
            self.at += 1;
            return self.end();
        }
        loop {
            let name = self.name()?;
            let value = self.value(1)?;
            member(name, value);
            if self.comma_or(b'}')? == Next::Close {
                return self.end();
            }
        }
    }

    /// A text that does not start like an object: the fault is the first in it, or that it is none.
    #[cold]
    fn something_else(&mut self) -> Option<()> {
        self.value(0)?;
        self.end()?;
        self.fault(JsonFault::NotAnObject)
    }

    fn elements(&mut self, element: &mut impl FnMut(Value<'a>)) -> Option<()> {
        self.at += 1;
        self.skip_white_space();
        if self.peek() == b']' {
            return Some(());
        }
        loop {
            element(self.value(1)?);
            if self.comma_or(b']')? == Next::Close {
                return Some(());
            }
        }
    }

    #[cold]
    fn fault<T>(&mut self, fault: JsonFault) -> Option<T> {
        self.fault = fault;
        None
    }

    #[cold]
    fn not_json<T>(&mut self) -> Option<T> {
        self.fault(JsonFault::NotJson { at: self.at })
    }

    /// The next byte; behind the end a zero, which stands for itself nowhere in JSON.
    #[inline]
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn skip_white_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.peek() != byte {
            return self.not_json();
        }
        self.at += 1;
        Some(())
    }

    #[inline]
    fn end(&mut self) -> Option<()> {
        self.skip_white_space();
        if self.at == self.text.len() { Some(()) } else { self.not_json() }
    }

    #[inline(always)]
    fn since(&self, start: usize) -> Slice<'a> {
        Slice::new(self.text, start, self.at)
    }

    /// After a value: a comma and the white space behind it, or the closing bracket.
    #[inline]
    fn comma_or(&mut self, close: u8) -> Option<Next> {
        self.skip_white_space();
        let byte = self.peek();
        if byte == b',' {
            self.at += 1;
            self.skip_white_space();
            return Some(Next::Another);
        }
        if byte != close {
            return self.not_json();
        }
        self.at += 1;
        Some(Next::Close)
    }

    /// A member's name, the colon, and the white space around it.
    #[inline(always)]
    fn name(&mut self) -> Option<JsonString<'a>> {
        // A short name of plain letters, as most are, is recognised without a search for its end: the
        // processor can then read on before it knows where the name ends.
        let at = self.at;
        if let Some(&[b'"', a, b, c, b'"', b':', next]) = self.text.as_bytes()[at..].first_chunk()
            && (a.is_ascii_lowercase() & b.is_ascii_lowercase() & c.is_ascii_lowercase())
            && next > b' '
        {
            self.at += 6;
            return Some(JsonString { slice: Slice::new(self.text, at + 1, at + 4), spelling: Spelling::Plain });
        }
        self.expect(b'"')?;
        let name = self.string()?;
        self.skip_white_space();
        self.expect(b':')?;
        self.skip_white_space();
        Some(name)
    }

    /// A value that stands inside `depth` containers.
    #[inline(always)]
    fn value(&mut self, depth: u32) -> Option<Value<'a>> {
        let at = self.at;
        match self.peek() {
            b'"' => {
                self.at += 1;
                self.string().map(Value::String)
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
                Some(Value::Number(self.since(at)))
            }
            first => {
                self.skip(depth)?;
                Some(match first {
                    b'[' => Value::Array(self.since(at)),
                    b'{' => Value::Object,
                    b'n' => Value::Null,
                    _ => Value::Bool,
                })
            }
        }
    }

    /// Over a value that stands inside `depth` containers.
    fn skip(&mut self, depth: u32) -> Option<()> {
        match self.peek() {
            b'"' => {
                self.at += 1;
                self.string_end().map(|_| ())
            }
            b'-' | b'0'..=b'9' => self.number(),
            b'[' => self.skip_array(depth + 1),
            b'{' => self.skip_object(depth + 1),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.not_json(),
        }
    }

    fn literal(&mut self, word: &str) -> Option<()> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return self.not_json();
        }
        self.at += word.len();
        Some(())
    }

    fn skip_array(&mut self, depth: u32) -> Option<()> {
        self.open(depth)?;
        if self.peek() == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.skip(depth)?;
            if self.comma_or(b']')? == Next::Close {
                return Some(());
            }
        }
    }

    fn skip_object(&mut self, depth: u32) -> Option<()> {
        self.open(depth)?;
        if self.peek() == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.expect(b'"')?;
            self.string_end()?;
            self.skip_white_space();
            self.expect(b':')?;
            self.skip_white_space();
            self.skip(depth)?;
            if self.comma_or(b'}')? == Next::Close {
                return Some(());
            }
        }
    }

    /// Past an opening bracket, which makes the container one level deeper.
    fn open(&mut self, depth: u32) -> Option<()> {
        if depth > JSON_DEPTH_MAX {
            return self.fault(JsonFault::TooDeep { at: self.at });
        }
        self.at += 1;
        self.skip_white_space();
        Some(())
    }

    /// From behind the opening quote to behind the closing one.
    #[inline(always)]
    fn string(&mut self) -> Option<JsonString<'a>> {
        let at = self.at;
        let spelling = self.string_end()?;
        Some(JsonString { slice: Slice::new(self.text, at, self.at - 1), spelling })
    }

    #[inline(always)]
    fn string_end(&mut self) -> Option<Spelling> {
        self.at = plain_end(self.text.as_bytes(), self.at);
        if self.peek() != b'"' {
            return self.escaped_string_end();
        }
        self.at += 1;
        Some(Spelling::Plain)
    }

    #[cold]
    fn escaped_string_end(&mut self) -> Option<Spelling> {
        loop {
            match self.peek() {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return self.not_json(),
            }
            self.at = plain_end(self.text.as_bytes(), self.at);
        }
        self.at += 1;
        Some(Spelling::Escaped)
    }

    fn escape(&mut self) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => match (rest.get(2..).and_then(hex4), rest.get(6..8), rest.get(8..).and_then(hex4)) {
                // A surrogate half alone is no character (RFC 8259 section 8.2): readers disagree about it.
                (Some(0xd800..=0xdbff), Some(b"\\u"), Some(0xdc00..=0xdfff)) => 12,
                (Some(0xd800..=0xdfff) | None, _, _) => return self.not_json(),
                (Some(_), _, _) => 6,
            },
            _ => return self.not_json(),
        };
        Some(())
    }

    /// RFC 8259 section 6.
    #[inline]
    fn number(&mut self) -> Option<()> {
        let start = self.at;
        if self.peek() == b'-' {
            self.at += 1;
        }
        let first = self.peek();
        let mut magnitude = self.digits()?;
        if first == b'0' && magnitude > 1 {
            return self.not_json();
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            magnitude = magnitude.saturating_add(self.exponent()?);
        }
        // The digits before the point and the exponent bound the value from above.
        if magnitude > NUMBER_MAGNITUDE_MAX {
            return self.fault(JsonFault::NumberOutOfRange { at: start });
        }
        Some(())
    }

    #[cold]
    fn exponent(&mut self) -> Option<i64> {
        self.at += 1;
        let negative = self.peek() == b'-';
        if matches!(self.peek(), b'-' | b'+') {
            self.at += 1;
        }
        let start = self.at;
        self.digits()?;
        // More digits than an i64 holds only make it larger still.
        let exponent = self.text[start..self.at].parse().unwrap_or(i64::MAX);
        Some(if negative { -exponent } else { exponent })
    }

    /// One digit or more; returns how many.
    #[inline]
    fn digits(&mut self) -> Option<i64> {
        let start = self.at;
        while let Some(eight) = self.text.as_bytes().get(self.at..).and_then(|rest| rest.first_chunk())
            && eight_digits(eight)
        {
            self.at += 8;
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        match self.at - start {
            0 => self.not_json(),
            count => Some(i64::try_from(count).unwrap_or(i64::MAX)),
        }
    }
}

/// Whether all eight are digits: high halves of 3, and low halves that stay below 10.
#[inline(always)]
pub(crate) fn eight_digits(eight: &[u8; 8]) -> bool {
    let word = u64::from_le_bytes(*eight);
    let carried = word.wrapping_add(0x0606_0606_0606_0606);
    (word & 0xf0f0_f0f0_f0f0_f0f0) == 0x3030_3030_3030_3030
        && (carried & 0xf0f0_f0f0_f0f0_f0f0) == 0x3030_3030_3030_3030
}

/// The first byte at or after `at` that does not simply stand for itself in a string: a quote, a
/// backslash or a control character; or the end of the text.
#[inline(always)]
fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let special = special_bytes(chunk);
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += chunk.len();
    }
    // The last bytes of a text of some length are looked at together with some before them.
    if let Some(chunk) = text.last_chunk() {
        let special = special_bytes(chunk) >> (chunk.len() - (text.len() - at));
        return if special == 0 { text.len() } else { at + special.trailing_zeros() as usize };
    }
    while let Some(&byte) = text.get(at) {
        if byte == b'"' || byte == b'\\' || byte < b' ' {
            return at;
        }
        at += 1;
    }
    at
}

/// A bit for each byte of the chunk that does not stand for itself.
#[inline(always)]
fn special_bytes(chunk: &[u8; 16]) -> u32 {
    let bytes = u8x16::new(*chunk);
    let controls = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    (bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\')) | controls).to_bitmask()
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.first_chunk::<4>()?.iter().try_fold(0, |value, &digit| Some(value * 16 + char::from(digit).to_digit(16)?))
}

impl<'a> JsonString<'a> {
    /// The characters, escapes resolved.
    pub(crate) fn chars(self) -> impl Iterator<Item = char> + 'a {
        let mut rest = self.slice.raw().chars();
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

    #[inline]
    pub(crate) fn is_escaped(self) -> bool {
        self.spelling == Spelling::Escaped
    }

    /// Whether the characters are those of `other`.
    #[inline]
    pub(crate) fn is(self, other: &str) -> bool {
        if self.is_escaped() { self.chars().eq(other.chars()) } else { self.slice.raw() == other }
    }

    /// Whether the characters are those of another string, however either is escaped.
    pub(crate) fn same_as(self, other: Self) -> bool {
        match self.is_escaped() || other.is_escaped() {
            true => self.chars().eq(other.chars()),
            false => self.slice.raw() == other.slice.raw(),
        }
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
