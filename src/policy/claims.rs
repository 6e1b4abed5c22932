//! Reads the claims that verification acts on out of a payload. RFC 7519 section 4.
//!
//! Decides nothing but what a claim *is*: present, missing or malformed. A claim of the wrong type
//! is malformed, never missing: that is how a mistyped `exp` became "no `exp`" elsewhere
//! (CVE-2026-25537).

use super::numeric_date::{self, DateFault};
use super::{NumericIds, Policy};
use crate::clock::UnixTime;
use crate::token::json::{self, JsonString, Value};
use crate::verdict::{ClaimName, Reject};

/// The claims that the engine acts on whatever the policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registered {
    Exp,
    Nbf,
    Iat,
    Iss,
    Sub,
    Aud,
    Jti,
    /// OpenID Connect Front-Channel Logout 1.0 section 3.
    Sid,
}

impl Registered {
    /// In the order in which faults in them are reported.
    const ALL: [Self; 8] = [Self::Exp, Self::Nbf, Self::Iat, Self::Iss, Self::Sub, Self::Aud, Self::Jti, Self::Sid];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Exp => "exp",
            Self::Nbf => "nbf",
            Self::Iat => "iat",
            Self::Iss => "iss",
            Self::Sub => "sub",
            Self::Aud => "aud",
            Self::Jti => "jti",
            Self::Sid => "sid",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|claim| claim.name() == name)
    }

    #[inline]
    fn of(name: JsonString<'_>) -> Option<Self> {
        if name.escaped {
            return Self::ALL.into_iter().find(|claim| name.is(claim.name()));
        }
        match name.raw.as_bytes() {
            b"exp" => Some(Self::Exp),
            b"nbf" => Some(Self::Nbf),
            b"iat" => Some(Self::Iat),
            b"iss" => Some(Self::Iss),
            b"sub" => Some(Self::Sub),
            b"aud" => Some(Self::Aud),
            b"jti" => Some(Self::Jti),
            b"sid" => Some(Self::Sid),
            _ => None,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A claim, as it stands in the payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Claim<T> {
    Present(T),
    #[default]
    Missing,
    Malformed,
}

impl<T: Copy> Claim<T> {
    /// The value, for claims of which it is known that none is malformed.
    pub(crate) const fn present(self) -> Option<T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Missing | Self::Malformed => None,
        }
    }
}

/// Where the text of a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) home: Home,
}

/// Which text a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// The payload, in which the text stands as it is.
    Payload,
    /// The texts that had escapes in them, resolved.
    Unescaped,
}

/// `aud`: one string, or an array of them. RFC 7519 section 4.1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    One(Span),
    /// The array as it stands in the payload, brackets included.
    Array(Span),
}

/// The registered claims of a payload.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Claims {
    pub(crate) exp: Claim<UnixTime>,
    pub(crate) nbf: Claim<UnixTime>,
    pub(crate) iat: Claim<UnixTime>,
    pub(crate) iss: Claim<Span>,
    pub(crate) sub: Claim<Span>,
    pub(crate) aud: Claim<Audience>,
    pub(crate) jti: Claim<Span>,
    pub(crate) sid: Claim<Span>,
    /// Which of the claims that the policy requires by name are there, a bit each.
    pub(super) custom: u64,
    /// Which registered names are there, whatever their value, a bit each.
    seen: u8,
}

impl Claims {
    /// Reads a payload. Texts with escapes in them are resolved onto the end of `unescaped`.
    ///
    /// Cost: one pass; no allocation once `unescaped` is as long as the longest payload.
    ///
    /// # Errors
    /// [`Reject::ClaimsJson`] first; then [`Reject::ClaimDuplicate`]; then [`Reject::ClaimMalformed`]
    /// and [`Reject::TimeOutOfRange`] in the order of `Registered::ALL`.
    #[inline]
    pub(crate) fn read(payload: &str, unescaped: &mut String, policy: &Policy) -> Result<Self, Reject> {
        let mut claims = Self::default();
        let (mut seen_custom, mut too_late) = (0_u64, 0_u8);
        let mut twice: Option<ClaimName> = None;

        json::read_object(payload, |name, value| {
            let Some(claim) = Registered::of(name) else {
                if !policy.required_custom.is_empty() {
                    claims.read_custom(policy, name, value, &mut seen_custom, &mut twice);
                }
                return;
            };
            if claims.seen & claim.bit() != 0 && twice.is_none() {
                twice = Some(ClaimName::registered(claim.name()));
            }
            claims.seen |= claim.bit();
            let mut date = |value| match date(value) {
                Ok(time) => Claim::Present(time),
                Err(fault) => {
                    if fault == Some(DateFault::TooLate) {
                        too_late |= claim.bit();
                    }
                    Claim::Malformed
                }
            };
            match claim {
                Registered::Exp => claims.exp = date(value),
                Registered::Nbf => claims.nbf = date(value),
                Registered::Iat => claims.iat = date(value),
                Registered::Iss => claims.iss = text(value, unescaped),
                Registered::Sub => claims.sub = id(value, unescaped, policy.numeric_ids),
                Registered::Aud => claims.aud = audience(value, unescaped),
                Registered::Jti => claims.jti = not_empty(id(value, unescaped, policy.numeric_ids)),
                Registered::Sid => claims.sid = not_empty(id(value, unescaped, policy.numeric_ids)),
            }
        })
        .map_err(|fault| Reject::ClaimsJson { fault })?;

        match twice {
            Some(name) => Err(Reject::ClaimDuplicate { name }),
            None => claims.refuse_malformed(too_late),
        }
    }

    #[cold]
    fn read_custom(
        &mut self,
        policy: &Policy,
        name: JsonString<'_>,
        value: Value<'_>,
        seen: &mut u64,
        twice: &mut Option<ClaimName>,
    ) {
        for (at, required) in policy.required_custom.iter().enumerate().filter(|(_, required)| name.is(required)) {
            if *seen & (1 << at) != 0 && twice.is_none() {
                *twice = Some(ClaimName::required(required.clone()));
            }
            *seen |= 1 << at;
            if !matches!(value, Value::Null) {
                self.custom |= 1 << at;
            }
        }
    }

    #[inline]
    fn refuse_malformed(self, too_late: u8) -> Result<Self, Reject> {
        for claim in Registered::ALL {
            if self.is_malformed(claim) {
                let name = claim.name();
                return Err(match too_late & claim.bit() {
                    0 => Reject::ClaimMalformed { name },
                    _ => Reject::TimeOutOfRange { name },
                });
            }
        }
        Ok(self)
    }

    #[inline]
    fn is_malformed(&self, claim: Registered) -> bool {
        match claim {
            Registered::Exp => self.exp == Claim::Malformed,
            Registered::Nbf => self.nbf == Claim::Malformed,
            Registered::Iat => self.iat == Claim::Malformed,
            Registered::Iss => self.iss == Claim::Malformed,
            Registered::Sub => self.sub == Claim::Malformed,
            Registered::Aud => self.aud == Claim::Malformed,
            Registered::Jti => self.jti == Claim::Malformed,
            Registered::Sid => self.sid == Claim::Malformed,
        }
    }

    /// Whether an id is there, but empty, and so counts as missing.
    pub(crate) fn is_empty_id(&self, claim: Registered) -> bool {
        self.seen & claim.bit() != 0 && self.is_missing(claim)
    }

    pub(super) fn is_missing(&self, claim: Registered) -> bool {
        match claim {
            Registered::Exp => self.exp == Claim::Missing,
            Registered::Nbf => self.nbf == Claim::Missing,
            Registered::Iat => self.iat == Claim::Missing,
            Registered::Iss => self.iss == Claim::Missing,
            Registered::Sub => self.sub == Claim::Missing,
            Registered::Aud => self.aud == Claim::Missing,
            Registered::Jti => self.jti == Claim::Missing,
            Registered::Sid => self.sid == Claim::Missing,
        }
    }
}

/// A NumericDate; `Err(None)` for what is no number at all.
#[inline]
fn date(value: Value<'_>) -> Result<UnixTime, Option<DateFault>> {
    match value {
        Value::Number { raw, .. } => numeric_date::parse(raw).map_err(Some),
        Value::String(_) | Value::Array { .. } | Value::Object | Value::Bool | Value::Null => Err(None),
    }
}

#[inline]
fn text(value: Value<'_>, unescaped: &mut String) -> Claim<Span> {
    match value {
        Value::String(string) => Claim::Present(place(string, unescaped)),
        Value::Number { .. } | Value::Array { .. } | Value::Object | Value::Bool | Value::Null => Claim::Malformed,
    }
}

#[inline]
fn id(value: Value<'_>, unescaped: &mut String, numeric_ids: NumericIds) -> Claim<Span> {
    match (value, numeric_ids) {
        (Value::Number { at, raw }, NumericIds::AsText) if raw.bytes().all(|byte| byte.is_ascii_digit()) => {
            Claim::Present(span(at, raw.len(), Home::Payload))
        }
        (value, _) => text(value, unescaped),
    }
}

/// An empty id names nothing.
#[inline]
fn not_empty(id: Claim<Span>) -> Claim<Span> {
    match id {
        Claim::Present(span) if span.start == span.end => Claim::Missing,
        other => other,
    }
}

fn audience(value: Value<'_>, unescaped: &mut String) -> Claim<Audience> {
    let Value::Array { at, raw } = value else {
        return match text(value, unescaped) {
            Claim::Present(span) => Claim::Present(Audience::One(span)),
            Claim::Missing | Claim::Malformed => Claim::Malformed,
        };
    };
    let mut all_strings = true;
    let read = json::read_array(raw, |element| all_strings &= matches!(element, Value::String(_)));
    match (read, all_strings) {
        (Ok(()), true) => Claim::Present(Audience::Array(span(at, raw.len(), Home::Payload))),
        (Ok(()), false) | (Err(_), _) => Claim::Malformed,
    }
}

#[inline]
fn place(string: JsonString<'_>, unescaped: &mut String) -> Span {
    if !string.escaped {
        return span(string.at, string.raw.len(), Home::Payload);
    }
    let start = unescaped.len();
    unescaped.extend(string.chars());
    span(start, unescaped.len() - start, Home::Unescaped)
}

/// Payloads are bounded by [`TOKEN_BYTES_CEILING`](crate::limits::TOKEN_BYTES_CEILING), far below
/// what a `u32` holds.
#[allow(clippy::cast_possible_truncation)]
#[inline]
fn span(start: usize, len: usize, home: Home) -> Span {
    Span { start: start as u32, end: (start + len) as u32, home }
}
