//! The order of the checks on claims, and nothing else.

use std::time::Duration;

use super::claim_strings::{Audience, ClaimStrings};
use super::claims::Claims;
use super::registered::Registered;
use super::{Ahead, BoundTokens, Expiry, Policy, TypeVerdict};
use crate::clock::UnixTime;
use crate::denied::{Audiences, ClaimName, Reject};
use crate::keys::Key;
use crate::token::json::{self, JsonString};

/// Proof that a token's claims were held against a policy and fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimsAccepted(());

/// Holds the claims of an authentic token against the policy.
///
/// `allowed` is how far ahead of `now` the `iat` may lie, `texts` what the claims' spans point into, `typ` what [`type_verdict`](super::type_verdict)
/// said of the header, `key` the key that made the signature.
///
/// # Errors
/// The first of these that fails: `exp` there, not expired; `nbf`; `iat` not in the future; issuer
/// of the policy, of the key; audience; subject; type; claims that have to have a value; no key of
/// the sender's; lifetime; age; required claims.
#[inline]
pub(crate) fn judge(
    policy: &Policy,
    claims: &Claims,
    texts: ClaimStrings<'_>,
    typ: TypeVerdict,
    key: &Key,
    now: UnixTime,
    allowed: Ahead,
) -> Result<ClaimsAccepted, Reject> {
    let leeway = policy.leeway;
    match claims.exp() {
        Some(exp) if now >= exp.plus(leeway) => return Err(Reject::Expired { exp, now, leeway }),
        None if policy.expiry == Expiry::Required => return Err(missing(Registered::Exp)),
        Some(_) | None => {}
    }
    if let Some(nbf) = claims.nbf()
        && now < nbf.minus(leeway)
    {
        return Err(Reject::NotYetValid { nbf, now, leeway });
    }
    judge_issued_at(claims, now, allowed)?;

    judge_names(policy, claims, texts, typ, key)?;
    judge_lifetime(policy, claims)?;
    judge_age(policy, claims, now)?;
    judge_required(policy, claims)?;
    Ok(ClaimsAccepted(()))
}

/// Holds claims that are about to be signed against the policy: [`judge`], but that an end may have passed and a beginning lie ahead,
/// as tests and tokens for later have it.
///
/// # Errors
/// Those of [`judge`].
pub(crate) fn judge_unsigned(
    policy: &Policy,
    claims: &Claims,
    texts: ClaimStrings<'_>,
    typ: TypeVerdict,
    key: &Key,
    now: UnixTime,
    allowed: Ahead,
) -> Result<(), Reject> {
    match (claims.exp(), claims.nbf()) {
        (None, _) if policy.expiry == Expiry::Required => return Err(missing(Registered::Exp)),
        // Good at no moment.
        (Some(exp), Some(nbf)) if exp <= nbf => {
            return Err(Reject::NotYetValid { nbf, now: exp, leeway: Duration::ZERO });
        }
        _ => {}
    }
    judge_issued_at(claims, now, allowed)?;
    judge_names(policy, claims, texts, typ, key)?;
    judge_lifetime(policy, claims)?;
    if claims.exp().is_none_or(|exp| exp > now) {
        judge_age(policy, claims, claims.nbf().map_or(now, |nbf| nbf.max(now)))?;
    }
    judge_required(policy, claims)
}

#[inline]
fn judge_issued_at(claims: &Claims, now: UnixTime, allowed: Ahead) -> Result<(), Reject> {
    match claims.iat() {
        Some(iat) if allowed.is_exceeded(iat, now) => {
            Err(Reject::IssuedInFuture { iat, now, allowed: allowed.duration() })
        }
        Some(_) | None => Ok(()),
    }
}

/// Who made the token, for whom, about whom, and of what kind it is.
#[inline]
fn judge_names(
    policy: &Policy,
    claims: &Claims,
    texts: ClaimStrings<'_>,
    typ: TypeVerdict,
    key: &Key,
) -> Result<(), Reject> {
    let issuer = claims.iss().map(|span| texts.of(span));
    if !policy.issuers.is_empty() {
        let issuer = issuer.ok_or_else(|| missing(Registered::Iss))?;
        if !policy.issuers.iter().any(|ours| **ours == *issuer) {
            return Err(Reject::IssuerMismatch);
        }
    }
    if !key.speaks_for(issuer) {
        return Err(Reject::IssuerNotOfKey);
    }
    if !policy.audiences.is_empty() {
        let audience = claims.aud().ok_or_else(|| missing(Registered::Aud))?;
        if !audience_meets(policy, audience, texts) {
            return Err(Reject::AudienceMismatch);
        }
    } else if let Some(audience) = claims.aud()
        && !policy.any_audience
    {
        return Err(Reject::AudienceUnexpected { audiences: Audiences::new(texts.audiences(Some(audience))) });
    }
    if let Some(ours) = &policy.subject {
        let subject = claims.sub().ok_or_else(|| missing(Registered::Sub))?;
        if **ours != *texts.of(subject) {
            return Err(Reject::SubjectMismatch);
        }
    }
    typ.judge()?;
    judge_values(policy, claims)?;
    match claims.is_bound() && policy.bound_tokens == BoundTokens::Reject {
        true => Err(Reject::Bound),
        false => Ok(()),
    }
}

impl Policy {
    /// The times at which the verdict on these claims changes.
    #[inline]
    pub(crate) fn time_limits(&self, claims: &Claims, allowed: Ahead) -> [Option<UnixTime>; 4] {
        let (exp, nbf, iat) = (claims.exp(), claims.nbf(), claims.iat());
        [
            exp.map(|exp| exp.plus(self.leeway)),
            nbf.map(|nbf| nbf.minus(self.leeway)),
            iat.map(|iat| allowed.limit(iat)),
            self.age_max.and_then(|max| Some(iat?.plus(max).plus(self.leeway))),
        ]
    }
}

#[inline]
fn judge_lifetime(policy: &Policy, claims: &Claims) -> Result<(), Reject> {
    if let Some(max) = policy.lifetime_max {
        let exp = claims.exp().ok_or_else(|| missing(Registered::Exp))?;
        let iat = claims.iat().ok_or_else(|| missing(Registered::Iat))?;
        if exp > iat.plus(max) {
            return Err(Reject::LifetimeTooLong { exp, iat, max });
        }
    }
    Ok(())
}

#[inline]
fn judge_age(policy: &Policy, claims: &Claims, now: UnixTime) -> Result<(), Reject> {
    if let Some(max) = policy.age_max {
        let iat = claims.iat().ok_or_else(|| missing(Registered::Iat))?;
        if now >= iat.plus(max).plus(policy.leeway) {
            return Err(Reject::TooOld { iat, now, max });
        }
    }
    Ok(())
}

#[inline]
fn judge_required(policy: &Policy, claims: &Claims) -> Result<(), Reject> {
    if let Some(&claim) = policy.required.iter().find(|&&claim| claims.is_missing(claim)) {
        return Err(missing(claim));
    }
    match policy.custom.iter().enumerate().find(|(at, _)| !claims.has_custom(*at)) {
        Some((_, wanted)) => Err(Reject::ClaimMissing { name: ClaimName::required(wanted.name.clone()) }),
        None => Ok(()),
    }
}

/// The claims that have to have a value.
#[inline]
fn judge_values(policy: &Policy, claims: &Claims) -> Result<(), Reject> {
    for (at, wanted) in policy.custom.iter().enumerate().filter(|(_, wanted)| !wanted.values.is_empty()) {
        let name = || ClaimName::required(wanted.name.clone());
        if !claims.has_custom(at) {
            return Err(Reject::ClaimMissing { name: name() });
        }
        if claims.differs(at) {
            return Err(Reject::ClaimDiffers { name: name() });
        }
    }
    Ok(())
}

fn audience_meets(policy: &Policy, audience: Audience, texts: ClaimStrings<'_>) -> bool {
    let ours = |name: JsonString<'_>| policy.audiences.iter().any(|ours| name.is(ours));
    match audience {
        Audience::One(span) => policy.audiences.iter().any(|ours| **ours == *texts.of(span)),
        Audience::Array(span) => {
            let mut met = false;
            // The reader has been over the array, so that this reads all of it.
            let read = json::read_array(texts.of(span), |element| {
                met |= element.string().is_some_and(ours);
            });
            read.is_ok() && met
        }
    }
}

#[cold]
fn missing(claim: Registered) -> Reject {
    Reject::ClaimMissing { name: ClaimName::registered(claim.name()) }
}
