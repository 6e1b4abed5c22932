//! The token type (`typ`): which kind of token this is. RFC 8725 sections 3.11 and 3.12.

use super::Policy;
use crate::denied::Reject;
use crate::token::json::JsonString;

/// Kinds of tokens with rules of their own, which must not pass for an ordinary token.
const RESERVED: [&str; 3] = ["logout+jwt", "secevent+jwt", "statuslist+jwt"];

const APPLICATION: &str = "application/";

/// What the policy says of a header's `typ`. Held against the token only after its signature and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeVerdict {
    Fits,
    Differs,
    Reserved(&'static str),
}

impl TypeVerdict {
    pub(super) fn judge(self) -> Result<(), Reject> {
        match self {
            Self::Fits => Ok(()),
            Self::Differs => Err(Reject::TypeMismatch),
            Self::Reserved(typ) => Err(Reject::TypeReserved { typ }),
        }
    }
}

/// A type as it is compared: lower case, without `application/`. RFC 7515 section 4.1.9.
pub(super) fn normal_form(typ: &str) -> Box<str> {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix(APPLICATION).unwrap_or(&typ).into()
}

pub(crate) fn type_verdict(policy: &Policy, typ: Option<JsonString<'_>>) -> TypeVerdict {
    let is = |wanted: &str| typ.is_some_and(|typ| same(typ, wanted));
    match &policy.token_type {
        Some(wanted) if is(wanted) => TypeVerdict::Fits,
        Some(_) => TypeVerdict::Differs,
        None => RESERVED.into_iter().find(|reserved| is(reserved)).map_or(TypeVerdict::Fits, TypeVerdict::Reserved),
    }
}

/// Whether `typ` is the type whose normal form is `wanted`.
fn same(typ: JsonString<'_>, wanted: &str) -> bool {
    if let Some(plain) = typ.plain() {
        let same = |text: &[u8]| text.eq_ignore_ascii_case(wanted.as_bytes());
        let long = |(prefix, rest): (&[u8], &[u8])| prefix.eq_ignore_ascii_case(APPLICATION.as_bytes()) && same(rest);
        return same(plain.as_bytes()) || plain.as_bytes().split_at_checked(APPLICATION.len()).is_some_and(long);
    }
    let lower = || typ.chars().map(|c| c.to_ascii_lowercase());
    lower().eq(wanted.chars()) || lower().eq(APPLICATION.chars().chain(wanted.chars()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::json;

    fn verdict(policy: Option<&str>, typ: Option<&str>) -> TypeVerdict {
        let policy = policy.map_or(Policy::new(), |typ| Policy::new().token_type(typ));
        let header = format!("{{\"typ\":\"{}\"}}", typ.unwrap_or_default());
        let mut found = None;
        json::read_object(&header, |_, value| found = value.string()).unwrap();
        type_verdict(&policy, typ.and(found))
    }

    #[test]
    fn a_type_is_the_same_with_and_without_application_in_any_case() {
        for wanted in ["at+jwt", "application/at+jwt", "AT+JWT"] {
            for typ in [
                "at+jwt",
                "application/at+jwt",
                "At+JwT",
                "APPLICATION/at+jwt",
                "at\\u002bjwt",
                "Application\\/AT\\u002bjwt",
            ] {
                assert_eq!(verdict(Some(wanted), Some(typ)), TypeVerdict::Fits, "{wanted} {typ}");
            }
        }
    }

    #[test]
    fn another_type_or_none_is_not_the_one_that_the_policy_names() {
        for typ in [None, Some("JWT"), Some("jwt"), Some("at+jw"), Some("text/at+jwt"), Some("")] {
            assert_eq!(verdict(Some("at+jwt"), typ), TypeVerdict::Differs, "{typ:?}");
        }
    }

    #[test]
    fn reserved_types_pass_only_where_they_are_named() {
        for typ in RESERVED {
            let long = format!("application/{typ}").to_uppercase();
            assert_eq!(verdict(None, Some(typ)), TypeVerdict::Reserved(typ));
            assert_eq!(verdict(None, Some(&long)), TypeVerdict::Reserved(typ));
            assert_eq!(verdict(Some(typ), Some(&long)), TypeVerdict::Fits);
        }
        for typ in [None, Some("JWT"), Some("at+jwt"), Some("made up")] {
            assert_eq!(verdict(None, typ), TypeVerdict::Fits, "{typ:?}");
        }
    }
}
