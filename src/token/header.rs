//! The JOSE header's parameters, as far as verification acts on them. RFC 7515 section 4.
//!
//! `jwk`, `jku`, `x5u` and `x5c` are passed over: a key that comes with the token proves nothing.
//! Every header that has a name twice is refused, whatever the name; of names that nothing is done with that is found out only when
//! the signature holds, since comparing names is what is dearest about a header.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use super::json::{self, Bounded, JsonString, Value};
use crate::denied::{JsonFault, Reject};
use crate::limits::{
    HEADER_BEYOND_ASCII_MAX, HEADER_BYTES_PER_EFFORT, HEADER_EFFORT_MAX, HEADER_MEMBERS_MAX, KEY_ID_BYTES_MAX,
};

/// What a header says, read strictly and trusted in nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header<'a> {
    pub(crate) alg: JsonString<'a>,
    pub(crate) kid: Option<&'a str>,
    pub(crate) typ: Option<JsonString<'a>>,
}

impl<'a> Header<'a> {
    /// Reads a decoded header. `unescaped` is room for texts with escapes in them.
    ///
    /// Cost: linear, and little more for the worst header than for a plain one of that length, since anybody can send one.
    pub(crate) fn parse(bytes: &'a [u8], unescaped: &'a mut String) -> Result<Self, Reject> {
        if !bytes.is_ascii() && beyond_ascii(bytes) > HEADER_BEYOND_ASCII_MAX {
            return Err(Reject::HeaderJson { fault: JsonFault::TooElaborate });
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Reject::HeaderJson { fault: JsonFault::NotUtf8 { at: error.valid_up_to() } })?;
        let (mut alg, mut kid, mut typ, mut crit, mut b64) = (None, None, None, false, false);
        let mut twice = false;
        let effort = HEADER_EFFORT_MAX + bytes.len() / HEADER_BYTES_PER_EFFORT;
        let effort = Bounded { effort, members: HEADER_MEMBERS_MAX };
        json::read_wanted_within(
            text,
            effort,
            |name| known(name).is_some(),
            |name, value| match known(name) {
                Some("alg") => twice |= alg.replace(value).is_some(),
                Some("kid") => twice |= kid.replace(value).is_some(),
                Some("typ") => twice |= typ.replace(value).is_some(),
                Some("crit") => twice |= std::mem::replace(&mut crit, true),
                Some("b64") => twice |= std::mem::replace(&mut b64, true),
                Some(_) | None => {}
            },
        )
        .map_err(|fault| Reject::HeaderJson { fault })?;
        if twice {
            return Err(Reject::HeaderDuplicate);
        }
        if crit || b64 {
            return Err(Reject::HeaderCritical { name: if crit { "crit" } else { "b64" } });
        }
        let alg = string("alg", alg)?.ok_or(Reject::HeaderMalformed { name: "alg" })?;
        let kid = string("kid", kid)?;
        let typ = string("typ", typ)?;
        unescaped.clear();
        let kid = kid.map(|kid| {
            kid.plain().unwrap_or_else(|| {
                kid.unescape_onto(unescaped);
                unescaped
            })
        });
        if kid.is_some_and(|kid| kid.len() > KEY_ID_BYTES_MAX) {
            return Err(Reject::HeaderMalformed { name: "kid" });
        }
        Ok(Self { alg, kid, typ })
    }
}

/// The parameter that a name means, if it is one that is acted on.
#[inline(always)]
fn known(name: JsonString<'_>) -> Option<&'static str> {
    if name.is_escaped() { known_once_unescaped(name) } else { known_spelling(name.slice.bytes()) }
}

#[inline(always)]
fn known_spelling(name: &[u8]) -> Option<&'static str> {
    match name {
        b"alg" => Some("alg"),
        b"kid" => Some("kid"),
        b"typ" => Some("typ"),
        b"crit" => Some("crit"),
        b"b64" => Some("b64"),
        _ => None,
    }
}

/// Resolves no more escapes than the longest of them has characters.
#[cold]
fn known_once_unescaped(name: JsonString<'_>) -> Option<&'static str> {
    let mut unescaped = [0; 5];
    let mut chars = name.chars();
    let mut len = 0;
    for (byte, char) in unescaped.iter_mut().zip(&mut chars) {
        *byte = u8::try_from(char).ok().filter(u8::is_ascii)?;
        len += 1;
    }
    known_spelling(&unescaped[..len])
}

/// Refuses a header in which any name comes twice, which [`Header::parse`] had nothing against.
pub(crate) fn refuse_duplicates(bytes: &[u8], unescaped: &mut String) -> Result<(), Reject> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let mut names = Names::default();
    unescaped.clear();
    json::read_object(text, |name, _| names.add(text, name, unescaped))
        .map_err(|fault| Reject::HeaderJson { fault })?;
    if names.twice { Err(Reject::HeaderDuplicate) } else { Ok(()) }
}

/// How many bytes are not ASCII, in sums that are as narrow as what is summed up.
fn beyond_ascii(bytes: &[u8]) -> usize {
    bytes.chunks(255).map(|chunk| usize::from(chunk.iter().map(|byte| byte >> 7).sum::<u8>())).sum()
}

/// The names met so far, to find one that comes again.
#[derive(Default)]
struct Names {
    /// Under a secret of this header, so that nobody can make names whose hashes are the same.
    hasher: RandomState,
    hashes: [u64; HEADER_MEMBERS_MAX],
    /// Where each stands in the text or, from the text's length on, among those whose escapes were resolved.
    places: [(u32, u32); HEADER_MEMBERS_MAX],
    count: usize,
    twice: bool,
}

impl Names {
    /// Compares a name with those before it, until one has come twice.
    #[inline]
    fn add(&mut self, text: &str, name: JsonString<'_>, unescaped: &mut String) {
        let at = self.count;
        if self.twice || at == HEADER_MEMBERS_MAX {
            return;
        }
        let place = match name.is_escaped() {
            false => name.place(),
            true => {
                let start = unescaped.len();
                name.unescape_onto(unescaped);
                place(text.len() + start, text.len() + unescaped.len())
            }
        };
        let read = |(start, end): (u32, u32)| match (start as usize).checked_sub(text.len()) {
            None => &text.as_bytes()[start as usize..end as usize],
            Some(start) => &unescaped.as_bytes()[start..end as usize - text.len()],
        };
        let hash = self.hasher.hash_one(read(place));
        let mut earlier = self.hashes[..at].iter().zip(&self.places[..at]);
        self.twice = earlier.any(|(&other, &at)| other == hash && read(at) == read(place));
        (self.hashes[at], self.places[at]) = (hash, place);
        self.count += 1;
    }
}

/// Headers are bounded, far below what a `u32` holds, and so is what their escapes stand for.
#[allow(clippy::cast_possible_truncation)]
fn place(start: usize, end: usize) -> (u32, u32) {
    (start as u32, end as u32)
}

fn string<'a>(name: &'static str, value: Option<Value<'a>>) -> Result<Option<JsonString<'a>>, Reject> {
    match (value, value.and_then(Value::string)) {
        (None, _) => Ok(None),
        (Some(_), Some(string)) => Ok(Some(string)),
        (Some(_), None) => Err(Reject::HeaderMalformed { name }),
    }
}
