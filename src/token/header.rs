//! The JOSE header's parameters, as far as verification acts on them. RFC 7515 section 4.
//!
//! `jwk`, `jku`, `x5u` and `x5c` are passed over: a key that comes with the token proves nothing.
//! Every header that has a name twice is refused, whatever the name.

use super::json::{self, JsonString, Value};
use crate::limits::{HEADER_MEMBERS_MAX, KEY_ID_BYTES_MAX};
use crate::verdict::{JsonFault, Reject};

impl<'a> JsonString<'a> {
    /// The parameter that a name means, if it is one that is acted on.
    #[inline]
    fn known(self) -> Option<&'static str> {
        const KNOWN: [&str; 5] = ["alg", "kid", "typ", "crit", "b64"];
        KNOWN.into_iter().find(|known| self.is(known))
    }
}

/// What a header says, read strictly and trusted in nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header<'a> {
    pub(crate) alg: JsonString<'a>,
    pub(crate) kid: Option<JsonString<'a>>,
    pub(crate) typ: Option<JsonString<'a>>,
}

impl<'a> Header<'a> {
    /// Reads a decoded header.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Reject> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Reject::HeaderJson { fault: JsonFault::NotUtf8 { at: error.valid_up_to() } })?;
        let mut names = Names::default();
        let (mut alg, mut kid, mut typ, mut crit, mut b64) = (None, None, None, false, false);
        json::read_object(text, |name, value| {
            names.add(text, name);
            match name.known() {
                Some("alg") => alg = Some(value),
                Some("kid") => kid = Some(value),
                Some("typ") => typ = Some(value),
                Some("crit") => crit = true,
                Some("b64") => b64 = true,
                Some(_) | None => {}
            }
        })
        .map_err(|fault| Reject::HeaderJson { fault })?;
        if names.count > HEADER_MEMBERS_MAX {
            return Err(Reject::HeaderJson { fault: JsonFault::TooManyMembers });
        }
        if names.twice {
            return Err(Reject::HeaderDuplicate);
        }
        if crit || b64 {
            return Err(Reject::HeaderCritical { name: if crit { "crit" } else { "b64" } });
        }
        let alg = string("alg", alg)?.ok_or(Reject::HeaderMalformed { name: "alg" })?;
        let kid = string("kid", kid)?;
        if kid.is_some_and(|kid| kid.utf8_len() > KEY_ID_BYTES_MAX) {
            return Err(Reject::HeaderMalformed { name: "kid" });
        }
        let typ = string("typ", typ)?;
        Ok(Self { alg, kid, typ })
    }
}

/// The names met so far, as places in the text, to find one that comes again.
#[derive(Default)]
struct Names {
    places: [(u32, u32); HEADER_MEMBERS_MAX],
    count: usize,
    twice: bool,
    /// Whether any of them has escapes in it, so that spelling does not tell them apart.
    any_escaped: bool,
}

impl Names {
    #[inline]
    fn add<'a>(&mut self, text: &'a str, name: JsonString<'a>) {
        self.any_escaped |= name.is_escaped();
        let earlier = &self.places[..self.count.min(HEADER_MEMBERS_MAX)];
        self.twice |= match self.any_escaped {
            true => earlier.iter().any(|&place| name.same_as(JsonString::in_text(text, place))),
            false => {
                earlier.iter().any(|&place| *name.slice.bytes() == *JsonString::in_text(text, place).slice.bytes())
            }
        };
        if let Some(place) = self.places.get_mut(self.count) {
            *place = name.place();
        }
        self.count += 1;
    }
}

fn string<'a>(name: &'static str, value: Option<Value<'a>>) -> Result<Option<JsonString<'a>>, Reject> {
    match (value, value.and_then(Value::string)) {
        (None, _) => Ok(None),
        (Some(_), Some(string)) => Ok(Some(string)),
        (Some(_), None) => Err(Reject::HeaderMalformed { name }),
    }
}
