//! The token type (`typ`): which kind of token this is. RFC 8725 sections 3.11 and 3.12.

use super::Policy;
use crate::denied::Reject;
use crate::token::json::JsonString;

/// Kinds of tokens with rules of their own, which must not pass for an ordinary token: every type that ends like this but that of
/// access tokens. RFC 8725 section 3.11, RFC 9068 section 2.1.
const KINDS_OF_JWT: [&str; 2] = ["+jwt", "+sd-jwt"];
const ACCESS_TOKEN: &str = "at+jwt";

/// Those that are told by their names: log out (OpenID Connect Back-Channel Logout), security events (RFC 8417), status lists,
/// introspection (RFC 9701), proofs of possession (RFC 9449), key binding (SD-JWT), refresh tokens, requests (RFC 9101).
const RESERVED: [&str; 8] = [
    "logout+jwt",
    "secevent+jwt",
    "statuslist+jwt",
    "token-introspection+jwt",
    "dpop+jwt",
    "kb+jwt",
    "rt+jwt",
    "oauth-authz-req+jwt",
];
const OTHER: &str = "a type that ends in +jwt or +sd-jwt, or can't be read";

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

/// [`essence`] of a text.
pub(super) fn essence_of(typ: &str) -> &str {
    // What is cut off are whole ASCII characters.
    std::str::from_utf8(essence(typ.as_bytes())).unwrap_or(typ)
}

/// A type without `application/` (RFC 7515 section 4.1.9) and without parameters (RFC 2045 section 5.1).
fn essence(typ: &[u8]) -> &[u8] {
    let end = memchr::memchr(b';', typ).unwrap_or(typ.len());
    let typ = typ[..end].trim_ascii();
    match typ.split_at_checked(APPLICATION.len()) {
        Some((front, rest)) if front.eq_ignore_ascii_case(APPLICATION.as_bytes()) => rest,
        Some(_) | None => typ,
    }
}

/// What the policy says of a type. Nobody has vouched for it yet, so that nothing is done for each of its characters.
pub(crate) fn type_verdict(policy: &Policy, typ: Option<JsonString<'_>>) -> TypeVerdict {
    let mut unescaped = [0; ESCAPED_MAX];
    let typ = match typ {
        None => Found::Absent,
        Some(typ) => {
            let text = typ.plain().map(str::as_bytes).or_else(|| typ.unescape_into(&mut unescaped));
            text.map_or(Found::Unreadable, |text| Found::Type(essence(text)))
        }
    };
    let is = |wanted: &str| matches!(typ, Found::Type(typ) if typ.eq_ignore_ascii_case(wanted.as_bytes()));
    let is_named = policy.token_types.iter().any(|wanted| is(essence_of(wanted)));
    let are_named = !policy.token_types.is_empty();
    match typ {
        _ if is_named => TypeVerdict::Fits,
        Found::Absent if !are_named || policy.token_type_optional => TypeVerdict::Fits,
        Found::Absent | Found::Type(_) | Found::Unreadable if are_named => TypeVerdict::Differs,
        Found::Absent => TypeVerdict::Fits,
        Found::Unreadable => TypeVerdict::Reserved(OTHER),
        Found::Type(typ) => {
            // Anywhere in it: what follows is no part of a media type, and hides nothing.
            let has = |kind: &str| typ.windows(kind.len()).any(|part| part.eq_ignore_ascii_case(kind.as_bytes()));
            if !KINDS_OF_JWT.into_iter().any(has) || is(ACCESS_TOKEN) {
                return TypeVerdict::Fits;
            }
            TypeVerdict::Reserved(RESERVED.into_iter().find(|reserved| is(reserved)).unwrap_or(OTHER))
        }
    }
}

impl Policy {
    /// The type of a new token for which none was asked: `JWT` where it is let in, else the one that is, else none at all.
    pub(crate) fn unstated_type(&self) -> Option<&str> {
        const JWT: &str = "JWT";
        match self.token_types.as_slice() {
            [] => Some(JWT),
            types if types.iter().any(|typ| essence_of(typ).eq_ignore_ascii_case(JWT)) => Some(JWT),
            [only] => Some(only),
            [..] if self.token_type_optional => None,
            // Which of several it is, only the caller knows; it is asked for by the refusal of this one.
            [..] => Some(JWT),
        }
    }
}

/// What a header has of a type.
#[derive(Clone, Copy)]
enum Found<'t> {
    Absent,
    Type(&'t [u8]),
    /// With escapes, and longer than is read or not ASCII.
    Unreadable,
}

/// The longest type with escapes in it that is read, in characters: no registered one is as long, with `application/` before it.
const ESCAPED_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::json;

    fn verdict(policy: Option<&str>, typ: Option<&str>) -> TypeVerdict {
        under(&policy.map_or(Policy::new(), |typ| Policy::new().token_type(typ)), typ)
    }

    fn under(policy: &Policy, typ: Option<&str>) -> TypeVerdict {
        let header = format!("{{\"typ\":\"{}\"}}", typ.unwrap_or_default());
        let mut found = None;
        json::read_object(&header, |_, value| found = value.string()).unwrap();
        type_verdict(policy, typ.and(found))
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
    fn several_types_may_be_named_and_none_at_all_only_where_that_is_said() {
        let several = Policy::new().token_type("at+jwt").token_type("application/JWT");
        for typ in ["at+jwt", "jwt", "application/jwt", "AT+JWT; v=1"] {
            assert_eq!(under(&several, Some(typ)), TypeVerdict::Fits, "{typ}");
        }
        for typ in [None, Some("logout+jwt"), Some(""), Some("x")] {
            assert_eq!(under(&several, typ), TypeVerdict::Differs, "{typ:?}");
        }
        let optional = several.token_type_optional();
        assert_eq!(under(&optional, None), TypeVerdict::Fits);
        for typ in ["logout+jwt", "", "x"] {
            assert_eq!(under(&optional, Some(typ)), TypeVerdict::Differs, "{typ:?}");
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
        for typ in ["logout+jwt; x=y", " LOGOUT+JWT ;charset=utf-8", "logout\\u002bjwt;"] {
            assert_eq!(verdict(None, Some(typ)), TypeVerdict::Reserved("logout+jwt"), "{typ}");
        }
        assert_eq!(verdict(Some("at+jwt; x=y"), Some("at+jwt;z")), TypeVerdict::Fits);
        // With an escape, and so long that nobody means it.
        assert_eq!(verdict(None, Some(&format!("\\u0041{}", "x".repeat(200)))), TypeVerdict::Reserved(OTHER));
        for typ in [
            "vc+jwt",
            "made-up+jwt",
            "+jwt",
            "dc+sd-jwt",
            "logout+jwt,JWT",
            "logout+jwt+json",
            "logout+jwt\u{200b}",
            "application/explicit-registration-response+jwt",
        ] {
            assert_eq!(verdict(None, Some(typ)), TypeVerdict::Reserved(OTHER), "{typ}");
            assert_eq!(verdict(Some(typ), Some(typ)), TypeVerdict::Fits, "{typ}");
        }
        for typ in [None, Some("JWT"), Some("at+jwt"), Some("AT+JWT; v=1"), Some("made up"), Some("jwt+at")] {
            assert_eq!(verdict(None, typ), TypeVerdict::Fits, "{typ:?}");
        }
    }
}
