//! The payload of a new token: what the caller gives, and what the engine adds so that it would accept the token itself.

use super::new_token::End;
use super::{Engine, replica};
use crate::clock::UnixTime;
use crate::denied::{ClaimFault, Reject};
use crate::error::SignError;
use crate::keys::{Key, crypto};
use crate::limits::NUMERIC_DATE_MAX_SECS;
use crate::policy::claim_strings::Span;
use crate::policy::claims::Claims;
use crate::policy::registered::{KNOWN_CUT_OFF, Registered};
use crate::policy::{self, ClaimStrings, Policy, TypeVerdict};
use crate::token::json;

/// The claims of a new token, complete.
pub(super) struct NewPayload {
    pub(super) text: String,
    claims: Claims,
    unescaped: String,
    pub(super) token_id: String,
    pub(super) issued_at: UnixTime,
    pub(super) expires_at: Option<UnixTime>,
}

impl NewPayload {
    pub(super) fn complete(text: &str, end: End, now: UnixTime, engine: &Engine, key: &Key) -> Result<Self, SignError> {
        let mut unescaped = String::new();
        let read = |text: &str, unescaped: &mut String| {
            unescaped.clear();
            let mut claims = Claims::default();
            claims.read(text, unescaped, engine.policy()).map_err(SignError::WouldBeRejected)?;
            Ok::<_, SignError>(claims)
        };
        let claims = read(text, &mut unescaped)?;
        let given = ClaimStrings { payload: text, unescaped: &unescaped };
        if let Some(empty) = empty_claim(&claims, given) {
            return Err(SignError::WouldBeRejected(Reject::ClaimMalformed {
                name: empty.name(),
                fault: ClaimFault::Empty,
            }));
        }
        let mut added = stated_by_policy(engine.policy(), key, &claims);
        let issued_at = claims.iat().unwrap_or(UnixTime::from_secs(now.as_secs()));
        if claims.iat().is_none() {
            added += &format!(",\"iat\":{issued_at}");
        }
        let expires_at = match (claims.exp(), end) {
            (Some(_), End::In(_) | End::Never) => return Err(SignError::ExpiryTwice),
            (None, End::Unstated) => return Err(SignError::ExpiryUnstated),
            (Some(exp), End::Unstated) => Some(exp),
            (None, End::Never) => None,
            (None, End::In(lifetime)) => Some(issued_at.plus(lifetime)),
        };
        if expires_at.is_some_and(|exp| exp > UnixTime::from_secs(NUMERIC_DATE_MAX_SECS)) {
            return Err(SignError::ExpiryTooFar);
        }
        // Good at no moment. An end that was given alone may have passed: that is how tests come by an expired token.
        if let Some(exp) = expires_at.filter(|exp| *exp <= issued_at)
            && (claims.exp().is_none() || claims.iat().is_some())
        {
            let leeway = std::time::Duration::ZERO;
            return Err(SignError::WouldBeRejected(Reject::Expired { exp, now: issued_at, leeway }));
        }
        if let (None, Some(exp)) = (claims.exp(), expires_at) {
            added += &format!(",\"exp\":{exp}");
        }
        let token_id = match claims.jti() {
            Some(jti) => given.of(jti).to_owned(),
            None => {
                let random = crypto::random_16().ok_or(SignError::NoRandom)?;
                let jti = uuid::Builder::from_random_bytes(random).into_uuid().hyphenated().to_string();
                added += &format!(",\"jti\":\"{jti}\"");
                jti
            }
        };
        let mut text = with_members(text, &added);
        // What was added is held to the same reading as what was given.
        let mut claims = read(&text, &mut unescaped)?;
        let texts = ClaimStrings { payload: &text, unescaped: &unescaped };
        let known = engine.cut_off_to_know(&replica::traits(&claims, texts), now)?;
        if known.is_some() || claims.says_known_cut_off() {
            text = with_known_cut_off(&text, known);
            claims = read(&text, &mut unescaped)?;
        }
        engine.refuse_revoked(&claims, ClaimStrings { payload: &text, unescaped: &unescaped }, now)?;
        Ok(Self { text, claims, unescaped, token_id, issued_at, expires_at })
    }

    /// Refuses what the policy would refuse whatever the time, of a token that this key answers for.
    pub(super) fn judge(&self, engine: &Engine, typ: TypeVerdict, key: &Key, now: UnixTime) -> Result<(), SignError> {
        let policy = engine.policy();
        let by_log = engine.shared.log.as_ref().map(|log| log.replica.issued_in_future_max());
        let texts = ClaimStrings { payload: &self.text, unescaped: &self.unescaped };
        let allowed = policy.issued_in_future(by_log);
        policy::judge_unsigned(policy, &self.claims, texts, typ, key, now, allowed).map_err(SignError::WouldBeRejected)
    }
}

/// A claim that is there and names nothing: a second `jti` could not be added beside an empty one, and an empty `sub` or `iss` is an unset
/// variable.
fn empty_claim(claims: &Claims, texts: ClaimStrings<'_>) -> Option<Registered> {
    let is_empty = |span: Option<Span>| span.is_some_and(|span| texts.of(span).is_empty());
    let ids = [Registered::Jti, Registered::Sid].into_iter().find(|&id| claims.is_empty_id(id));
    let names = [(Registered::Iss, claims.iss()), (Registered::Sub, claims.sub())];
    ids.or_else(|| names.into_iter().find(|(_, span)| is_empty(*span)).map(|(claim, _)| claim))
}

/// The claims that are not given and for which the policy has one value, as members to be added.
fn stated_by_policy(policy: &Policy, key: &Key, claims: &Claims) -> String {
    let mut added = String::new();
    let mut add = |name: &str, json: String| added += &format!(",{}:{json}", serde_json::Value::from(name));
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let only = |names: &[Box<str>]| if let [only] = names { Some(text(only)) } else { None };

    let issuers: Vec<_> = match (&*policy.issuers, key.issuers()) {
        ([], of_key) => of_key.to_vec(),
        (ours, _) => ours.iter().filter(|issuer| key.speaks_for(Some(issuer))).cloned().collect(),
    };
    let registered = [
        (Registered::Iss, claims.iss().is_none().then(|| only(&issuers)).flatten()),
        (Registered::Aud, claims.aud().is_none().then(|| only(&policy.audiences)).flatten()),
        (Registered::Sub, claims.sub().is_none().then(|| policy.subject.as_deref().map(text)).flatten()),
    ];
    for (claim, json) in registered {
        if let Some(json) = json {
            add(claim.name(), json);
        }
    }
    for (at, wanted) in policy.custom.iter().enumerate() {
        if let ([only], false) = (&*wanted.values, claims.has_custom(at)) {
            add(&wanted.name, only.json());
        }
    }
    added
}

/// The text of a payload with the cut-off that its signer knows, in the place of what it may have taken over from an older token or
/// from a user. Where none is to be known, that is made a time that says nothing.
fn with_known_cut_off(text: &str, cut_off: Option<UnixTime>) -> String {
    let cut_off = cut_off.unwrap_or_default();
    let mut held = None;
    // It was read before, as a whole.
    let _whole = json::read_object(text, |name, value| {
        if name.is(KNOWN_CUT_OFF) {
            held = Some((value.slice.start, value.slice.end));
        }
    });
    match held {
        Some((start, end)) => format!("{}{cut_off}{}", &text[..start], &text[end..]),
        None => with_members(text, &format!(",\"{KNOWN_CUT_OFF}\":{cut_off}")),
    }
}

/// The text of an object with more members at its end. `added` starts with a comma.
fn with_members(text: &str, added: &str) -> String {
    let body = text.trim_end().strip_suffix('}').unwrap_or(text);
    let is_empty = body.trim() == "{";
    let added = if is_empty { added.trim_start_matches(',') } else { added };
    format!("{body}{added}}}")
}
