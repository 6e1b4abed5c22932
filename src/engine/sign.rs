//! Signing: new tokens that this engine's own verification would read.

use std::time::Duration;

use serde::Serialize;

use super::replica::Now;
use super::{Engine, replica};
use crate::clock::{Times, UnixTime};
use crate::denied::Reject;
use crate::error::{Error, SignError};
use crate::index::{Screened, Traits};
use crate::keys::{Key, KeySet, crypto};
use crate::limits::{KNOWN_CUT_OFF_MAX, NUMERIC_DATE_MAX_SECS};
use crate::policy::ClaimStrings;
use crate::policy::claims::{Claims, KNOWN_CUT_OFF, Registered};
use crate::revocation::is_before_cut_off;
use crate::token::{base64url, json};

/// A token to be signed: its claims, and how long it lives.
///
/// The claims are signed in the order and spelling in which they are given; `iat`, `exp` and `jti`
/// follow behind them unless they are among them.
#[derive(Clone, Debug)]
pub struct NewToken {
    claims: Result<String, SignError>,
    end: End,
    key_id: Option<String>,
    token_type: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Unstated,
    In(Duration),
    Never,
}

impl NewToken {
    /// Claims as the text of a JSON object.
    #[must_use]
    pub fn from_json(claims: impl Into<String>) -> Self {
        Self::of(Ok(claims.into()))
    }

    /// Claims as anything that serialises to a JSON object.
    #[must_use]
    pub fn from_claims(claims: &impl Serialize) -> Self {
        Self::of(serde_json::to_string(claims).map_err(|error| SignError::NotSerializable(error.to_string())))
    }

    fn of(claims: Result<String, SignError>) -> Self {
        Self { claims, end: End::Unstated, key_id: None, token_type: "JWT".to_owned() }
    }

    /// How long the token lives, counted from its `iat`.
    #[must_use]
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.end = End::In(lifetime);
        self
    }

    /// A token without `exp`. Only engines that allow a missing `exp` by name accept it.
    #[must_use]
    pub fn insecure_never_expires(mut self) -> Self {
        self.end = End::Never;
        self
    }

    /// Signs with the key of this id rather than with the first of the set.
    #[must_use]
    pub fn key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// The header's `typ`. `JWT` unless set.
    #[must_use]
    pub fn token_type(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = token_type.into();
        self
    }
}

/// A signed token, with what a caller wants to keep of it.
#[derive(Clone)]
pub struct SignedToken {
    token: String,
    token_id: String,
    issued_at: UnixTime,
    expires_at: Option<UnixTime>,
}

impl SignedToken {
    /// The token in compact form. Whoever holds it can use it.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The token in compact form, taken out.
    #[must_use]
    pub fn into_token(self) -> String {
        self.token
    }

    /// The token's `jti`.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// The token's `iat`.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// The token's `exp`.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }
}

impl std::fmt::Debug for SignedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedToken")
            .field("token_id", &self.token_id)
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Signs a token, now.
    ///
    /// Adds `iat`, `exp` and a random UUIDv4 as `jti` unless they are among the claims, and the
    /// key's id as `kid`. Cost: one HMAC, one read of the system's random generator.
    ///
    /// # Errors
    /// [`Error::Sign`]: claims that this engine would find malformed, no stated end, no such key, a
    /// token over the engine's limit.
    pub fn sign(&self, new: NewToken) -> Result<SignedToken, Error> {
        self.sign_at(new, Times::now())
    }

    /// [`sign`](Self::sign) at the times that the caller gives.
    ///
    /// # Errors
    /// Those of [`sign`](Self::sign).
    pub fn sign_at(&self, new: NewToken, times: Times) -> Result<SignedToken, Error> {
        let NewToken { claims, end, key_id, token_type } = new;
        let snapshot = self.shared.published.load();
        let key = signing_key(&snapshot.keys, key_id.as_deref())?;

        let payload = Payload::complete(&claims?, end, times.wall(), self)?;
        let mut token = String::with_capacity(payload.text.len() * 4 / 3 + 256);
        base64url::encode_onto(header(key, &token_type).as_bytes(), &mut token);
        token.push('.');
        base64url::encode_onto(payload.text.as_bytes(), &mut token);
        let signature = key.sign(token.as_bytes());
        token.push('.');
        base64url::encode_onto(signature.as_ref(), &mut token);

        let (bytes, max) = (token.len(), self.policy().token_bytes_max);
        if bytes > max {
            return Err(SignError::TooLong { bytes, max }.into());
        }
        let Payload { token_id, issued_at, expires_at, .. } = payload;
        Ok(SignedToken { token, token_id, issued_at, expires_at })
    }
}

impl Engine {
    /// What a token with these claims has to say as `signoff_after`, if another library signs it now: the latest cut-off that would
    /// mean it. None where there is none, as nearly always; the token is then good as it is.
    ///
    /// [`sign`](Self::sign) does this by itself. Whoever signs otherwise and leaves it out has tokens refused that are issued
    /// within seconds of a log-out everywhere ([`Reject::TooSoon`]).
    ///
    /// Cost: reads the claims, no I/O.
    ///
    /// # Errors
    /// [`Error::Sign`]: claims that this engine would find malformed, or a cut-off far ahead of the clock.
    pub fn signoff_after(&self, claims: &str) -> Result<Option<UnixTime>, Error> {
        self.signoff_after_at(claims, Times::now())
    }

    /// [`signoff_after`](Self::signoff_after) at the times that the caller gives.
    ///
    /// # Errors
    /// Those of [`signoff_after`](Self::signoff_after).
    pub fn signoff_after_at(&self, claims: &str, times: Times) -> Result<Option<UnixTime>, Error> {
        let (mut unescaped, mut read) = (String::new(), Claims::default());
        read.read(claims, &mut unescaped, self.policy()).map_err(SignError::WouldBeRejected)?;
        let texts = ClaimStrings { payload: claims, unescaped: &unescaped };
        let mut traits = replica::traits(&read, texts);
        traits.iat = traits.iat.or(Some(UnixTime::from_secs(times.wall().as_secs())));
        Ok(self.cut_off_to_know(&traits, times.wall())?)
    }

    /// The cut-off that a token has to say its signer knew: the latest, where that covers the token's `iat`, whether or not it is
    /// spared. With it the token is good at once, and its `iat` stays in whole seconds, which every reader can take.
    fn cut_off_to_know(&self, traits: &Traits<'_>, now: UnixTime) -> Result<Option<UnixTime>, SignError> {
        let (Some(log), Some(iat)) = (&self.shared.log, traits.iat) else { return Ok(None) };
        let log = &log.replica;
        log.see_clock(now);
        let look = log.look(|| None);
        let latest = log.latest_cut_off(&look, traits).filter(|cut_off| is_before_cut_off(Some(iat), *cut_off));
        // What the token says already is taken from it.
        let as_it_is = Traits { knowing: None, ..*traits };
        match latest {
            Some(cut_off) if cut_off > now.plus(KNOWN_CUT_OFF_MAX) => match log.screen(&look, &as_it_is, || [0; 32]) {
                Screened::CutOff(_) => Err(SignError::CutOffAhead { cut_off, now }),
                Screened::Revoked(_) | Screened::NotRevoked(_) => Ok(None),
            },
            // Of an `iat` from long ago that the caller has given, it would not be believed.
            latest => Ok(latest.filter(|cut_off| *cut_off <= iat.plus(KNOWN_CUT_OFF_MAX))),
        }
    }

    /// Refuses claims that a revocation means already.
    fn refuse_revoked(&self, claims: &Claims, texts: ClaimStrings<'_>, now: UnixTime) -> Result<(), SignError> {
        let Some(log) = &self.shared.log else { return Ok(()) };
        let (log, look) = (&log.replica, log.replica.look(|| None));
        log.judge(&look, claims, Now { time: now, leeway: self.policy().leeway })
            .map_err(SignError::WouldBeRejected)?;
        // A signed token always has a `jti`, so that its hash is not asked for.
        match log.screen(&look, &replica::traits(claims, texts), || [0; 32]) {
            Screened::Revoked(scope) | Screened::CutOff(scope) => Err(SignError::Revoked { scope }),
            Screened::NotRevoked(_) => Ok(()),
        }
    }
}

fn signing_key<'k>(keys: &'k KeySet, key_id: Option<&str>) -> Result<&'k Key, SignError> {
    keys.keys().iter().find(|key| key_id.is_none() || key.key_id() == key_id).ok_or(SignError::NoSuchKey)
}

/// The JOSE header of a new token. RFC 7515 section 4.1.
fn header(key: &Key, token_type: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let kid = key.key_id().map_or(String::new(), |key_id| format!(",\"kid\":{}", quoted(key_id)));
    format!("{{\"alg\":\"{}\",\"typ\":{}{kid}}}", key.algorithm(), quoted(token_type))
}

/// The claims of a new token, complete.
struct Payload {
    text: String,
    token_id: String,
    issued_at: UnixTime,
    expires_at: Option<UnixTime>,
}

impl Payload {
    fn complete(text: &str, end: End, now: UnixTime, engine: &Engine) -> Result<Self, SignError> {
        let mut unescaped = String::new();
        let read = |text: &str, unescaped: &mut String| {
            unescaped.clear();
            let mut claims = Claims::default();
            claims.read(text, unescaped, engine.policy()).map_err(SignError::WouldBeRejected)?;
            Ok::<_, SignError>(claims)
        };
        let claims = read(text, &mut unescaped)?;
        // A second `jti` could not be added beside an empty one, and an empty one names no token.
        if let Some(empty) = [Registered::Jti, Registered::Sid].into_iter().find(|&id| claims.is_empty_id(id)) {
            return Err(SignError::WouldBeRejected(Reject::ClaimMalformed { name: empty.name() }));
        }

        let mut added = String::new();
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
        if let (None, Some(exp)) = (claims.exp(), expires_at) {
            added += &format!(",\"exp\":{exp}");
        }
        let token_id = match claims.jti() {
            Some(jti) => ClaimStrings { payload: text, unescaped: &unescaped }.of(jti).to_owned(),
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
        Ok(Self { text, token_id, issued_at, expires_at })
    }
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
