//! A one-pass reader for one JSON object, strict and without allocation. RFC 8259.
//!
//! It accepts only what `serde_json` accepts as a `Value`, and reads the same values. What it
//! refuses beyond that: anything but an object at the top, nesting deeper than
//! [`JSON_DEPTH_MAX`], and numbers whose written magnitude reaches 10^[`NUMBER_MAGNITUDE_MAX`](crate::limits::NUMBER_MAGNITUDE_MAX).
//! Names that appear twice are the business of whoever collects the members.

mod cost_limit;
mod number;
mod scan;
mod string;

use wide::u8x16;

pub(crate) use cost_limit::Bounded;
pub(crate) use number::eight_digits;
pub(crate) use string::{JsonString, Slice};

use crate::denied::JsonFault;
use crate::limits::JSON_DEPTH_MAX;
use cost_limit::{Effort, Unbounded};
use scan::StringEnds;
use string::Spelling;

/// The value of a member, well formed: its kind, and where it stands.
///
/// Flat on purpose. As an enum that holds its piece it is assembled in memory and copied in other
/// units than it was written in, which stalls the processor at each value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a> {
    pub(crate) kind: Kind,
    /// A string without its quotes, an array with its brackets.
    pub(crate) slice: Slice<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    EscapedString,
    Number,
    Array,
    Object,
    Bool,
    Null,
}

impl<'a> Value<'a> {
    #[inline]
    pub(crate) fn string(self) -> Option<JsonString<'a>> {
        let spelling = match self.kind {
            Kind::String => Spelling::Plain,
            Kind::EscapedString => Spelling::Escaped,
            Kind::Number | Kind::Array | Kind::Object | Kind::Bool | Kind::Null => return None,
        };
        Some(JsonString { slice: self.slice, spelling })
    }
}

/// Reads `text` as one object and calls `member` for each of its members, in order.
///
/// # Errors
/// The first fault of the text. Members before it have been handed over by then.
#[inline]
pub(crate) fn read_object<'a>(text: &'a str, member: impl FnMut(JsonString<'a>, Value<'a>)) -> Result<(), JsonFault> {
    read_wanted_within(text, Unbounded, |_| true, member)
}

/// The same within an [`Effort`], and only for members whose names are `wanted`: the others are read as strictly, but not handed over.
///
/// # Errors
/// Also [`JsonFault::TooElaborate`] and [`JsonFault::TooManyMembers`].
#[inline]
pub(crate) fn read_wanted_within<'a>(
    text: &'a str,
    effort: impl Effort,
    wanted: impl Fn(JsonString<'a>) -> bool,
    mut member: impl FnMut(JsonString<'a>, Value<'a>),
) -> Result<(), JsonFault> {
    let mut reader = Reader::new(text, effort);
    match reader.whole_object(&wanted, &mut member) {
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
    let mut reader = Reader::new(raw, Unbounded);
    match reader.elements(&mut element) {
        Some(()) => Ok(()),
        None => Err(reader.fault),
    }
}

/// Methods take the place in the text where they start and return the place behind what they have
/// read, or `None` when they have left a fault in `fault`: places stay in registers that way, which
/// is what makes the reader fast.
struct Reader<'a, E> {
    text: &'a str,
    specials: StringEnds,
    effort: E,
    fault: JsonFault,
}

impl<'a, E: Effort> Reader<'a, E> {
    #[inline]
    fn new(text: &'a str, effort: E) -> Self {
        Self { text, specials: StringEnds::new(), effort, fault: JsonFault::NotAnObject }
    }

    /// Counts what costs more than its length.
    #[inline(always)]
    fn spend(&mut self, effort: usize) -> Option<()> {
        if self.effort.spend(effort) { Some(()) } else { self.fault(JsonFault::TooElaborate) }
    }

    #[inline(always)]
    fn whole_object(
        &mut self,
        wanted: &impl Fn(JsonString<'a>) -> bool,
        member: &mut impl FnMut(JsonString<'a>, Value<'a>),
    ) -> Option<()> {
        let mut at = self.white_space(0);
        if self.peek(at) != b'{' {
            return self.something_else(at);
        }
        at = self.white_space(at + 1);
        if self.peek(at) == b'}' {
            return self.end(at + 1);
        }
        loop {
            let name;
            (name, at) = self.name(at)?;
            if !self.effort.member() {
                return self.fault(JsonFault::TooManyMembers);
            }
            if wanted(name) {
                let value;
                (value, at) = self.value(at, 1)?;
                member(name, value);
            } else {
                at = self.pass_over(at, 1)?;
            }
            if let Some(next) = self.compact(at, b',') {
                at = next;
                continue;
            }
            at = self.white_space(at);
            match self.peek(at) {
                b',' => at = self.white_space(at + 1),
                b'}' => return self.end(at + 1),
                _ => return self.not_json(at),
            }
        }
    }

    /// A text that does not start like an object: the fault is the first in it, or that it is none.
    #[cold]
    fn something_else(&mut self, at: usize) -> Option<()> {
        let at = self.skip(at, 0)?;
        self.end(at)?;
        self.fault(JsonFault::NotAnObject)
    }

    /// The elements of an array that starts with the text.
    fn elements(&mut self, element: &mut impl FnMut(Value<'a>)) -> Option<()> {
        let mut at = self.white_space(1);
        if self.peek(at) == b']' {
            return Some(());
        }
        loop {
            let value;
            (value, at) = self.value(at, 1)?;
            element(value);
            at = self.white_space(at);
            match self.peek(at) {
                b',' => at = self.white_space(at + 1),
                b']' => return Some(()),
                _ => return self.not_json(at),
            }
        }
    }

    #[cold]
    fn fault<T>(&mut self, fault: JsonFault) -> Option<T> {
        self.fault = fault;
        None
    }

    #[cold]
    fn not_json<T>(&mut self, at: usize) -> Option<T> {
        self.fault(JsonFault::NotJson { at })
    }

    /// The byte at a place; behind the end a zero, which stands for itself nowhere in JSON.
    #[inline(always)]
    fn peek(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn white_space(&self, at: usize) -> usize {
        // Compact texts have none: one comparison, rather than one for each kind.
        if self.peek(at) <= b' ' { self.some_white_space(at) } else { at }
    }

    #[cold]
    fn some_white_space(&self, at: usize) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        at + run_of(rest, |bytes| {
            let is = |byte| bytes.simd_eq(u8x16::splat(byte));
            is(b' ') | is(b'\t') | is(b'\n') | is(b'\r')
        })
    }

    #[inline(always)]
    fn expect(&mut self, at: usize, byte: u8) -> Option<usize> {
        if self.peek(at) == byte { Some(at + 1) } else { self.not_json(at) }
    }

    #[inline]
    fn end(&mut self, at: usize) -> Option<()> {
        let at = self.white_space(at);
        if at == self.text.len() { Some(()) } else { self.not_json(at) }
    }

    /// A member's name, the colon, and the white space around it.
    #[inline(always)]
    fn name(&mut self, at: usize) -> Option<(JsonString<'a>, usize)> {
        // A name of three plain letters, as the registered ones are, is recognised without a search for
        // its end: the processor can then read on before it knows where the name ends.
        if let Some(&[b'"', a, b, c, b'"', b':', next]) =
            self.text.as_bytes().get(at..).and_then(|rest| rest.first_chunk())
            && (a.is_ascii_lowercase() & b.is_ascii_lowercase() & c.is_ascii_lowercase())
            && next > b' '
        {
            let slice = Slice { text: self.text, start: at + 1, end: at + 4 };
            return Some((JsonString { slice, spelling: Spelling::Plain }, at + 6));
        }
        let start = self.expect(at, b'"')?;
        let (spelling, at) = self.string_end(start)?;
        if spelling == Spelling::Escaped {
            // Nobody has reason to: what may be `alg` once its escapes are resolved is dear to compare.
            self.spend(8)?;
        }
        let name = JsonString { slice: Slice { text: self.text, start, end: at - 1 }, spelling };
        if let Some(next) = self.compact(at, b':') {
            return Some((name, next));
        }
        let at = self.white_space(at);
        let at = self.expect(at, b':')?;
        Some((name, self.white_space(at)))
    }

    /// Past a byte that stands between two tokens of the text without white space around it, as in compact texts.
    #[inline(always)]
    fn compact(&self, at: usize, byte: u8) -> Option<usize> {
        (self.peek(at) == byte && self.peek(at + 1) > b' ').then_some(at + 1)
    }

    /// A value that stands inside `depth` containers.
    #[inline(always)]
    fn value(&mut self, at: usize, depth: u32) -> Option<(Value<'a>, usize)> {
        let first = self.peek(at);
        let (kind, start, end, next);
        if first == b'"' {
            let spelling;
            (spelling, next) = self.string_end(at + 1)?;
            kind = if spelling == Spelling::Plain { Kind::String } else { Kind::EscapedString };
            (start, end) = (at + 1, next - 1);
        } else if first.is_ascii_digit() || first == b'-' {
            next = self.number(at)?;
            (kind, start, end) = (Kind::Number, at, next);
        } else {
            next = self.skip(at, depth)?;
            kind = match first {
                b'[' => Kind::Array,
                b'{' => Kind::Object,
                b'n' => Kind::Null,
                _ => Kind::Bool,
            };
            (start, end) = (at, next);
        }
        Some((Value { kind, slice: Slice { text: self.text, start, end } }, next))
    }

    /// Over a value that nobody asks for.
    #[inline(always)]
    fn pass_over(&mut self, at: usize, depth: u32) -> Option<usize> {
        match self.peek(at) {
            b'0'..=b'9' if matches!(self.peek(at + 1), b',' | b'}') => Some(at + 1),
            b'"' => self.string_end(at + 1).map(|(_, end)| end),
            b'-' | b'0'..=b'9' => self.number(at),
            _ => self.skip(at, depth),
        }
    }

    /// Over a value that stands inside `depth` containers.
    fn skip(&mut self, at: usize, depth: u32) -> Option<usize> {
        match self.peek(at) {
            b'"' => self.string_end(at + 1).map(|(_, end)| end),
            b'-' | b'0'..=b'9' => self.number(at),
            b'[' => self.skip_array(at, depth + 1),
            b'{' => self.skip_object(at, depth + 1),
            b't' => self.literal(at, "true"),
            b'f' => self.literal(at, "false"),
            b'n' => self.literal(at, "null"),
            _ => self.not_json(at),
        }
    }

    fn literal(&mut self, at: usize, word: &str) -> Option<usize> {
        match self.text.as_bytes()[at..].starts_with(word.as_bytes()) {
            true => Some(at + word.len()),
            false => self.not_json(at),
        }
    }

    fn skip_array(&mut self, at: usize, depth: u32) -> Option<usize> {
        let mut at = self.open(at, depth)?;
        if self.peek(at) == b']' {
            return Some(at + 1);
        }
        loop {
            if self.peek(at) == b'"' {
                at = self.strings_in_a_row(at)?;
            } else {
                at = self.skip(at, depth)?;
            }
            at = self.white_space(at);
            match self.peek(at) {
                b',' => {
                    self.spend(1)?;
                    at = self.white_space(at + 1);
                }
                b']' => return Some(at + 1),
                _ => return self.not_json(at),
            }
        }
    }

    /// Over one string, and those that follow it with nothing but a comma between, as in a list of roles.
    #[inline(always)]
    fn strings_in_a_row(&mut self, mut at: usize) -> Option<usize> {
        loop {
            (_, at) = self.string_end(at + 1)?;
            match self.text.as_bytes().get(at..).and_then(|rest| rest.first_chunk()) {
                Some(b",\"") => {
                    self.spend(1)?;
                    at += 1;
                }
                Some(_) | None => return Some(at),
            }
        }
    }

    fn skip_object(&mut self, at: usize, depth: u32) -> Option<usize> {
        let mut at = self.open(at, depth)?;
        if self.peek(at) == b'}' {
            return Some(at + 1);
        }
        loop {
            self.spend(1)?;
            (_, at) = self.name(at)?;
            at = self.skip(at, depth)?;
            at = self.white_space(at);
            match self.peek(at) {
                b',' => {
                    self.spend(1)?;
                    at = self.white_space(at + 1);
                }
                b'}' => return Some(at + 1),
                _ => return self.not_json(at),
            }
        }
    }

    /// Past an opening bracket, which makes the container one level deeper.
    fn open(&mut self, at: usize, depth: u32) -> Option<usize> {
        self.spend(2)?;
        match depth > JSON_DEPTH_MAX {
            true => self.fault(JsonFault::TooDeep { at }),
            false => Some(self.white_space(at + 1)),
        }
    }

    /// From behind the opening quote to behind the closing one.
    #[inline(always)]
    fn string_end(&mut self, at: usize) -> Option<(Spelling, usize)> {
        let at = self.specials.at_or_after(self.text.as_bytes(), at);
        match self.peek(at) {
            b'"' => Some((Spelling::Plain, at + 1)),
            _ => Some((Spelling::Escaped, self.escaped_string_end(at)?)),
        }
    }

    #[cold]
    fn escaped_string_end(&mut self, mut at: usize) -> Option<usize> {
        self.spend(1)?;
        loop {
            at = match self.peek(at) {
                b'"' => return Some(at + 1),
                b'\\' => self.escape(at)?,
                _ => return self.not_json(at),
            };
            at = self.specials.at_or_after(self.text.as_bytes(), at);
        }
    }

    fn escape(&mut self, at: usize) -> Option<usize> {
        self.spend(1)?;
        let rest = &self.text.as_bytes()[at..];
        match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Some(at + 2),
            Some(b'u') => match (rest.get(2..).and_then(hex4), rest.get(6..8), rest.get(8..).and_then(hex4)) {
                // A surrogate half alone is no character (RFC 8259 section 8.2): readers disagree about it.
                (Some(0xd800..=0xdbff), Some(b"\\u"), Some(0xdc00..=0xdfff)) => self.spend(1).map(|()| at + 12),
                (Some(0xd800..=0xdfff) | None, _, _) => self.not_json(at),
                (Some(_), _, _) => Some(at + 6),
            },
            _ => self.not_json(at),
        }
    }
}

/// How many bytes at the front are of a kind.
fn run_of(bytes: &[u8], is: impl Fn(u8x16) -> u8x16) -> usize {
    let (sixteens, rest) = bytes.as_chunks::<16>();
    for (at, sixteen) in sixteens.iter().enumerate() {
        let others = !is(u8x16::new(*sixteen)).to_bitmask() & 0xffff;
        if others != 0 {
            return at * 16 + others.trailing_zeros() as usize;
        }
    }
    let mut last = [0; 16];
    last[..rest.len()].copy_from_slice(rest);
    // Behind the text there are zeros, which are of no kind.
    sixteens.len() * 16 + (!is(u8x16::new(last)).to_bitmask()).trailing_zeros() as usize
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.first_chunk::<4>()?.iter().try_fold(0, |value, &digit| Some(value * 16 + char::from(digit).to_digit(16)?))
}
