//! The JOSE header's parameters, as far as verification acts on them. RFC 7515 section 4.
//!
//! `jwk`, `jku`, `x5u` and `x5c` are passed over: a key that comes with the token proves nothing.
//! Every header that has a name twice is refused, whatever the name.

use super::json::{self, JsonString, Value};
use crate::limits::{HEADER_MEMBERS_MAX, KEY_ID_BYTES_MAX};
use crate::verdict::{JsonFault, Reject};

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
        let mut names: [Option<JsonString<'a>>; HEADER_MEMBERS_MAX] = [None; HEADER_MEMBERS_MAX];
        let mut values: [Option<Value<'a>>; HEADER_MEMBERS_MAX] = [None; HEADER_MEMBERS_MAX];
        let mut count = 0;
        json::read_object(text, |name, value| {
            if let (Some(name_slot), Some(value_slot)) = (names.get_mut(count), values.get_mut(count)) {
                (*name_slot, *value_slot) = (Some(name), Some(value));
            }
            count += 1;
        })
        .map_err(|fault| Reject::HeaderJson { fault })?;
        if count > HEADER_MEMBERS_MAX {
            return Err(Reject::HeaderJson { fault: JsonFault::TooManyMembers });
        }
        let named = names[..count].iter().flatten().copied();
        if named.clone().enumerate().any(|(i, name)| named.clone().skip(i + 1).any(|later| name.same_as(later))) {
            return Err(Reject::HeaderDuplicate);
        }
        let find =
            |wanted: &str| named.clone().zip(values).find(|(name, _)| name.is(wanted)).and_then(|(_, value)| value);

        for name in ["crit", "b64"] {
            if find(name).is_some() {
                return Err(Reject::HeaderCritical { name });
            }
        }
        let alg = string("alg", find("alg"))?.ok_or(Reject::HeaderMalformed { name: "alg" })?;
        let kid = string("kid", find("kid"))?;
        if kid.is_some_and(|kid| kid.chars().map(char::len_utf8).sum::<usize>() > KEY_ID_BYTES_MAX) {
            return Err(Reject::HeaderMalformed { name: "kid" });
        }
        let typ = string("typ", find("typ"))?;
        Ok(Self { alg, kid, typ })
    }
}

fn string<'a>(name: &'static str, value: Option<Value<'a>>) -> Result<Option<JsonString<'a>>, Reject> {
    match (value, value.and_then(Value::string)) {
        (None, _) => Ok(None),
        (Some(_), Some(string)) => Ok(Some(string)),
        (Some(_), None) => Err(Reject::HeaderMalformed { name }),
    }
}
