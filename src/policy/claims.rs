//! Reads the claims that verification acts on out of a payload. RFC 7519 section 4.
//!
//! Decides nothing but what a claim *is*: present, missing or malformed. A claim of the wrong type
//! is malformed, never missing: that is how a mistyped `exp` became "no `exp`" elsewhere
//! (CVE-2026-25537).

use super::claim_strings::{Audience, ClaimStrings, Span};
use super::numeric_date::{self, DateFault};
use super::{NumericIds, Policy};
use crate::clock::UnixTime;
use crate::denied::{ClaimName, JsonFault, Reject};
use crate::limits::KNOWN_CUT_OFF_MAX;
use crate::token::json::{self, JsonString, Kind, Value};

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
    /// Our own: the latest cut-off that the token's signer knew.
    KnownCutOff,
}

/// The name of the claim by which [`Engine::sign`](crate::Engine::sign) says that it knew a cut-off. Long enough that nobody
/// else's claim has it.
pub(crate) const KNOWN_CUT_OFF: &str = "signoff_after";

impl Registered {
    /// In the order in which faults in them are reported.
    pub(super) const ALL: [Self; 9] =
        [Self::Exp, Self::Nbf, Self::Iat, Self::Iss, Self::Sub, Self::Aud, Self::Jti, Self::Sid, Self::KnownCutOff];

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
            Self::KnownCutOff => KNOWN_CUT_OFF,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|claim| claim.name() == name)
    }

    #[inline]
    fn of(name: JsonString<'_>) -> Option<Self> {
        if name.is_escaped() {
            return Self::ALL.into_iter().find(|claim| name.is(claim.name()));
        }
        // All but one have three letters, which makes one comparison of numbers out of each.
        let &[a, b, c] = name.slice.bytes() else {
            return (name.slice.bytes() == KNOWN_CUT_OFF.as_bytes()).then_some(Self::KnownCutOff);
        };
        const fn letters(name: &[u8; 3]) -> u32 {
            u32::from_le_bytes([name[0], name[1], name[2], 0])
        }
        const EXP: u32 = letters(b"exp");
        const NBF: u32 = letters(b"nbf");
        const IAT: u32 = letters(b"iat");
        const ISS: u32 = letters(b"iss");
        const SUB: u32 = letters(b"sub");
        const AUD: u32 = letters(b"aud");
        const JTI: u32 = letters(b"jti");
        const SID: u32 = letters(b"sid");
        match letters(&[a, b, c]) {
            EXP => Some(Self::Exp),
            NBF => Some(Self::Nbf),
            IAT => Some(Self::Iat),
            ISS => Some(Self::Iss),
            SUB => Some(Self::Sub),
            AUD => Some(Self::Aud),
            JTI => Some(Self::Jti),
            SID => Some(Self::Sid),
            _ => None,
        }
    }
}

/// A set of registered claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ClaimSet(u16);

impl ClaimSet {
    #[inline]
    fn add(&mut self, claim: Registered) {
        self.0 |= 1 << claim as u8;
    }

    #[inline]
    const fn has(self, claim: Registered) -> bool {
        self.0 & (1 << claim as u8) != 0
    }

    const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The registered claims of a payload, none of them malformed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Claims {
    dates: [UnixTime; 3],
    texts: [Span; 5],
    known_cut_off: UnixTime,
    /// Which claims that the policy requires by name are there, a bit each.
    custom: u64,
    present: ClaimSet,
    /// Names that are there, whatever their value.
    seen: ClaimSet,
    malformed: ClaimSet,
    /// Among the malformed: dates past the year 9999.
    too_late: ClaimSet,
    /// Whether `aud` is an array.
    audience_is_array: bool,
}

impl Claims {
    /// Reads them out of a payload, in the place of what was read before. `unescaped` is room for texts with escapes in them.
    #[inline(always)]
    pub(crate) fn read_payload<'a>(
        &mut self,
        payload: &'a [u8],
        unescaped: &'a mut String,
        policy: &Policy,
    ) -> Result<ClaimStrings<'a>, Reject> {
        let payload = std::str::from_utf8(payload)
            .map_err(|error| Reject::ClaimsJson { fault: JsonFault::NotUtf8 { at: error.valid_up_to() } })?;
        unescaped.clear();
        *self = Self::default();
        self.read(payload, unescaped, policy)?;
        Ok(ClaimStrings { payload, unescaped })
    }

    /// Reads a payload. Strings with escapes in them are resolved onto the end of `unescaped`.
    ///
    /// Cost: one pass; no allocation once `unescaped` is as long as the longest payload.
    ///
    /// # Errors
    /// [`Reject::ClaimsJson`] first; then [`Reject::ClaimDuplicate`]; then [`Reject::ClaimMalformed`]
    /// and [`Reject::TimeOutOfRange`] in the order of `Registered::ALL`.
    #[inline(always)]
    pub(crate) fn read(&mut self, payload: &str, unescaped: &mut String, policy: &Policy) -> Result<(), Reject> {
        let mut seen_custom = 0_u64;
        let mut twice: Option<ClaimName> = None;

        json::read_object(payload, |name, value| match Registered::of(name) {
            Some(claim) => {
                if self.seen.has(claim) {
                    note_twice(&mut twice, claim);
                }
                self.seen.add(claim);
                self.set(claim, value, payload, unescaped, policy.numeric_ids);
            }
            None if policy.required_custom.is_empty() => {}
            None => self.read_custom(policy, name, value, &mut seen_custom, &mut twice),
        })
        .map_err(|fault| Reject::ClaimsJson { fault })?;

        match twice {
            Some(name) => Err(Reject::ClaimDuplicate { name }),
            None if self.malformed.is_empty() => Ok(()),
            None => Err(self.first_malformed()),
        }
    }

    #[inline]
    fn set(
        &mut self,
        claim: Registered,
        value: Value<'_>,
        payload: &str,
        unescaped: &mut String,
        numeric_ids: NumericIds,
    ) {
        match claim {
            Registered::Exp | Registered::Nbf | Registered::Iat | Registered::KnownCutOff => {
                self.set_date(claim, value);
            }
            Registered::Iss | Registered::Sub | Registered::Aud | Registered::Jti | Registered::Sid => {
                let is_id = matches!(claim, Registered::Sub | Registered::Jti | Registered::Sid);
                let may_be_empty = !matches!(claim, Registered::Jti | Registered::Sid);
                match value.kind {
                    Kind::String if may_be_empty || value.slice.start < value.slice.end => {
                        self.set_text(claim, Span::in_payload(value.slice));
                    }
                    // An empty id names nothing, so it counts as missing.
                    Kind::String => {}
                    Kind::EscapedString => self.set_text(claim, Span::of_unescaped(value, payload, unescaped)),
                    Kind::Number if is_id && numeric_ids == NumericIds::AsText && is_whole(value) => {
                        self.set_text(claim, Span::in_payload(value.slice));
                    }
                    Kind::Array if claim == Registered::Aud => self.set_audience_array(value),
                    Kind::Number | Kind::Array | Kind::Object | Kind::Bool | Kind::Null => self.malformed.add(claim),
                }
            }
        }
    }

    #[inline]
    fn set_date(&mut self, claim: Registered, value: Value<'_>) {
        let date = match value.kind {
            Kind::Number => numeric_date::parse(value.slice.bytes()).map_err(Some),
            Kind::String | Kind::EscapedString | Kind::Array | Kind::Object | Kind::Bool | Kind::Null => Err(None),
        };
        match date {
            Ok(time) => {
                match self.dates.get_mut(claim as usize) {
                    Some(date) => *date = time,
                    None => self.known_cut_off = time,
                }
                self.present.add(claim);
            }
            Err(fault) => {
                self.malformed.add(claim);
                if fault == Some(DateFault::TooLate) {
                    self.too_late.add(claim);
                }
            }
        }
    }

    #[inline]
    fn set_text(&mut self, claim: Registered, span: Span) {
        self.texts[claim as usize - Registered::Iss as usize] = span;
        self.present.add(claim);
    }

    fn set_audience_array(&mut self, value: Value<'_>) {
        let mut strings_only = true;
        let read = json::read_array(value.slice.raw(), |element| strings_only &= element.string().is_some());
        if read.is_ok() && strings_only {
            self.audience_is_array = true;
            self.set_text(Registered::Aud, Span::in_payload(value.slice));
        } else {
            self.malformed.add(Registered::Aud);
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
            if *seen & (1 << at) != 0 {
                twice.get_or_insert(ClaimName::required(required.clone()));
            }
            *seen |= 1 << at;
            if value.kind != Kind::Null {
                self.custom |= 1 << at;
            }
        }
    }

    #[cold]
    fn first_malformed(&self) -> Reject {
        let first = Registered::ALL.into_iter().find(|&claim| self.malformed.has(claim));
        let name = first.map_or("", Registered::name);
        match first {
            Some(claim) if self.too_late.has(claim) => Reject::TimeOutOfRange { name },
            Some(_) | None => Reject::ClaimMalformed { name },
        }
    }

    /// `exp`.
    #[inline]
    pub(crate) fn exp(&self) -> Option<UnixTime> {
        self.claim(Registered::Exp, self.dates[0])
    }

    /// `nbf`.
    #[inline]
    pub(crate) fn nbf(&self) -> Option<UnixTime> {
        self.claim(Registered::Nbf, self.dates[1])
    }

    /// `iat`.
    #[inline]
    pub(crate) fn iat(&self) -> Option<UnixTime> {
        self.claim(Registered::Iat, self.dates[2])
    }

    /// Whether the token says which cut-off its signer knew, be it true or not.
    pub(crate) fn says_known_cut_off(&self) -> bool {
        self.present.has(Registered::KnownCutOff)
    }

    /// The latest cut-off that the signer knew, if the token says so and it can be true: the signer's clock is a little behind at
    /// most, and cut-offs lie a little ahead.
    #[inline]
    pub(crate) fn known_cut_off(&self) -> Option<UnixTime> {
        let known = self.claim(Registered::KnownCutOff, self.known_cut_off)?;
        self.iat().is_some_and(|iat| known <= iat.plus(KNOWN_CUT_OFF_MAX)).then_some(known)
    }

    /// `iss`.
    #[inline]
    pub(crate) fn iss(&self) -> Option<Span> {
        self.claim(Registered::Iss, self.texts[0])
    }

    /// `sub`.
    #[inline]
    pub(crate) fn sub(&self) -> Option<Span> {
        self.claim(Registered::Sub, self.texts[1])
    }

    /// `aud`.
    #[inline]
    pub(crate) fn aud(&self) -> Option<Audience> {
        let span = self.texts[2];
        self.claim(Registered::Aud, if self.audience_is_array { Audience::Array(span) } else { Audience::One(span) })
    }

    /// `jti`.
    #[inline]
    pub(crate) fn jti(&self) -> Option<Span> {
        self.claim(Registered::Jti, self.texts[3])
    }

    /// `sid`.
    #[inline]
    pub(crate) fn sid(&self) -> Option<Span> {
        self.claim(Registered::Sid, self.texts[4])
    }

    #[inline]
    fn claim<T>(&self, claim: Registered, value: T) -> Option<T> {
        self.present.has(claim).then_some(value)
    }

    /// Whether an id is there, but empty, and so counts as missing.
    pub(crate) fn is_empty_id(&self, claim: Registered) -> bool {
        self.seen.has(claim) && self.is_missing(claim)
    }

    #[inline]
    pub(super) fn is_missing(&self, claim: Registered) -> bool {
        !self.present.has(claim) && !self.malformed.has(claim)
    }

    /// Whether the policy's custom claim at this place of its list is there.
    #[inline]
    pub(super) fn has_custom(&self, at: usize) -> bool {
        self.custom & (1 << at) != 0
    }
}

#[cold]
fn note_twice(twice: &mut Option<ClaimName>, claim: Registered) {
    twice.get_or_insert(ClaimName::registered(claim.name()));
}

/// Whether a number is written as digits alone.
fn is_whole(value: Value<'_>) -> bool {
    value.slice.bytes().iter().all(u8::is_ascii_digit)
}
