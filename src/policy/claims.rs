//! Reads the claims that verification acts on out of a payload. RFC 7519 section 4.
//!
//! Decides nothing but what a claim *is*: present, missing or malformed. A claim of the wrong type
//! is malformed, never missing: that is how a mistyped `exp` became "no `exp`" elsewhere
//! (CVE-2026-25537).

use super::claim_strings::{Audience, ClaimStrings, Span};
use super::numeric_date::{self, DateFault};
use super::registered::Registered;
use super::{NumericIds, Policy};
use crate::clock::UnixTime;
use crate::denied::{ClaimFault, ClaimName, JsonFault, Reject};
use crate::limits::{EXACT_INTEGER_MAX, KNOWN_CUT_OFF_MAX};
use crate::token::json::{self, JsonString, Kind, Value};

/// A set of registered claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ClaimSet(u16);

impl ClaimSet {
    #[inline]
    fn add(&mut self, claim: Registered) {
        self.0 |= 1 << claim as u8;
    }

    fn remove(&mut self, claim: Registered) {
        self.0 &= !(1 << claim as u8);
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
    /// Which claims that the policy names are there, a bit each.
    custom: u64,
    /// Which of them have another value than the policy wants.
    custom_differs: u64,
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
        let payload = self.begin(payload, unescaped)?;
        self.read(payload, unescaped, policy)?;
        Ok(ClaimStrings { payload, unescaped })
    }

    /// In the place of what was read before.
    #[inline(always)]
    fn begin<'a>(&mut self, payload: &'a [u8], unescaped: &mut String) -> Result<&'a str, Reject> {
        let not_utf8 = |error: std::str::Utf8Error| JsonFault::NotUtf8 { at: error.valid_up_to() };
        let payload = std::str::from_utf8(payload).map_err(|error| Reject::ClaimsJson { fault: not_utf8(error) })?;
        unescaped.clear();
        *self = Self::default();
        Ok(payload)
    }

    /// The same of a token that others have judged, and that is only screened: of claims that say nothing of that, any type will do.
    ///
    /// # Errors
    /// Those of [`read_payload`](Self::read_payload).
    pub(crate) fn read_payload_to_screen<'a>(
        &mut self,
        payload: &'a [u8],
        unescaped: &'a mut String,
        policy: &Policy,
    ) -> Result<ClaimStrings<'a>, Reject> {
        let payload = self.begin(payload, unescaped)?;
        self.read_members(payload, unescaped, policy)?;
        for claim in [Registered::Aud, Registered::Nbf, Registered::Cnf] {
            self.malformed.remove(claim);
        }
        self.refuse_malformed(payload, policy)?;
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
        self.read_members(payload, unescaped, policy)?;
        self.refuse_malformed(payload, policy)
    }

    #[inline(always)]
    fn refuse_malformed(&self, payload: &str, policy: &Policy) -> Result<(), Reject> {
        if self.malformed.is_empty() { Ok(()) } else { Err(self.first_malformed(payload, policy)) }
    }

    #[inline(always)]
    fn read_members(&mut self, payload: &str, unescaped: &mut String, policy: &Policy) -> Result<(), Reject> {
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
            None if policy.custom.is_empty() => {}
            None => self.read_custom(policy, name, value, &mut seen_custom, &mut twice),
        })
        .map_err(|fault| Reject::ClaimsJson { fault })?;

        twice.map_or(Ok(()), |name| Err(Reject::ClaimDuplicate { name }))
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
            Registered::Cnf if value.kind == Kind::Object => self.present.add(claim),
            Registered::Cnf => self.malformed.add(claim),
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
                    Kind::Number if is_id && numeric_ids == NumericIds::AsText && numeric_id(value).is_ok() => {
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
        for (at, wanted) in policy.custom.iter().enumerate().filter(|(_, wanted)| name.is(&wanted.name)) {
            if *seen & (1 << at) != 0 {
                twice.get_or_insert(ClaimName::required(wanted.name.clone()));
            }
            *seen |= 1 << at;
            if value.kind != Kind::Null {
                self.custom |= 1 << at;
                if !wanted.is_met_by(value) {
                    self.custom_differs |= 1 << at;
                }
            }
        }
    }

    /// The fault that is reported. What is wrong with the claim is found by reading it once more.
    #[cold]
    fn first_malformed(&self, payload: &str, policy: &Policy) -> Reject {
        let first = Registered::ALL.into_iter().find(|&claim| self.malformed.has(claim));
        let name = first.map_or("", Registered::name);
        match first {
            Some(claim) if self.too_late.has(claim) => Reject::TimeOutOfRange { name },
            Some(_) | None => {
                let mut fault = ClaimFault::Empty;
                // It was read before, as a whole.
                let _whole = json::read_object(payload, |found, value| {
                    if found.is(name) {
                        fault = fault_of(value, first, policy.numeric_ids);
                    }
                });
                Reject::ClaimMalformed { name, fault }
            }
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

    /// Whether the token is bound to a key of whoever it was given to. RFC 7800 section 3.1.
    #[inline]
    pub(super) fn is_bound(&self) -> bool {
        self.present.has(Registered::Cnf)
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
    pub(crate) fn has_custom(&self, at: usize) -> bool {
        self.custom & (1 << at) != 0
    }

    /// Whether it has another value than the policy wants.
    #[inline]
    pub(super) fn differs(&self, at: usize) -> bool {
        self.custom_differs & (1 << at) != 0
    }
}

#[cold]
fn note_twice(twice: &mut Option<ClaimName>, claim: Registered) {
    twice.get_or_insert(ClaimName::registered(claim.name()));
}

/// Whether a number can stand for an id: written as digits alone, and such that every reader of JSON reads the same.
///
/// Most keep numbers as doubles, in which what lies beyond becomes its neighbour: a log-out by the number that such a host has read
/// would mean somebody else. RFC 8259 section 6.
fn numeric_id(value: Value<'_>) -> Result<(), ClaimFault> {
    let digits = value.slice.bytes();
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(ClaimFault::NumberNotWhole);
    }
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|number| *number <= EXACT_INTEGER_MAX)
    });
    number.map(drop).ok_or(ClaimFault::NumberInexact)
}

/// What is wrong with the value of a claim.
fn fault_of(value: Value<'_>, claim: Option<Registered>, numeric_ids: NumericIds) -> ClaimFault {
    let is_time = matches!(claim, Some(Registered::Exp | Registered::Nbf | Registered::Iat | Registered::KnownCutOff));
    let is_id = matches!(claim, Some(Registered::Sub | Registered::Jti | Registered::Sid));
    match value.kind {
        _ if claim == Some(Registered::Cnf) => ClaimFault::NotObject,
        Kind::Number if is_time => ClaimFault::NegativeTime,
        Kind::Number if is_id => match numeric_ids {
            NumericIds::Reject => ClaimFault::NumberForId,
            NumericIds::AsText => numeric_id(value).err().unwrap_or(ClaimFault::NumberNotWhole),
        },
        Kind::Number => ClaimFault::NumberForText,
        Kind::Array if claim == Some(Registered::Aud) => ClaimFault::NotTexts,
        Kind::String | Kind::EscapedString => ClaimFault::TextForTime,
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => match is_time {
            true => ClaimFault::NotNumber,
            false => ClaimFault::NotText,
        },
    }
}
