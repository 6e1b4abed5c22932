//! Signing: new tokens that this engine's own verification accepts.

use super::new_header::header;
use super::new_payload::NewPayload;
use super::new_token::NewToken;
use super::replica::Now;
use super::snapshot::Snapshot;
use super::verify::authenticate;
use super::{Engine, replica, with_thread_scratch};
use crate::clock::{Times, UnixTime};
use crate::error::{Error, SignError};
use crate::index::{Screened, Traits};
use crate::keys::{Key, KeySet};
use crate::limits::KNOWN_CUT_OFF_MAX;
use crate::policy::ClaimStrings;
use crate::policy::claims::Claims;
use crate::revocation::is_before_cut_off;
use crate::token::base64url;

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
    /// Adds `iat`, `exp` and a random UUIDv4 as `jti` unless they are among the claims, the key's id as `kid`, and what the policy
    /// has one value for: `iss`, `aud`, `sub`, `typ`, and the claims of [`claim_equals`](crate::Policy::claim_equals). Cost: one
    /// HMAC, with several keys two; one read of the system's random generator.
    ///
    /// # Errors
    /// [`Error::Sign`]: claims or a type that this engine would never accept, no stated end, no such key, a token over the
    /// engine's limit. What only time stands against is signed: an `exp` that has passed, an `nbf` that lies ahead.
    pub fn sign(&self, new: NewToken) -> Result<SignedToken, Error> {
        self.sign_at(new, self.now())
    }

    /// [`sign`](Self::sign) at the times that the caller gives.
    ///
    /// # Errors
    /// Those of [`sign`](Self::sign).
    pub fn sign_at(&self, new: NewToken, times: Times) -> Result<SignedToken, Error> {
        let NewToken { claims, end, key_id, token_type } = new;
        let snapshot = self.shared.published.load();
        let key = signing_key(&snapshot.keys, key_id.as_deref())?;

        let payload = NewPayload::complete(&claims?, end, times.wall(), self, key)?;
        let (header, typ) = header(key, token_type.as_deref(), self.policy()).map_err(SignError::WouldBeRejected)?;
        let mut token = String::with_capacity(payload.text.len() * 4 / 3 + 256);
        base64url::encode_onto(header.as_bytes(), &mut token);
        token.push('.');
        base64url::encode_onto(payload.text.as_bytes(), &mut token);
        let signature = key.sign(token.as_bytes());
        token.push('.');
        base64url::encode_onto(signature.as_ref(), &mut token);

        let (bytes, max) = (token.len(), self.policy().token_bytes_max);
        if bytes > max {
            return Err(SignError::TooLong { bytes, max }.into());
        }
        payload.judge(self, typ, self.answering_key(&snapshot, key, &token)?, times.wall())?;
        let NewPayload { token_id, issued_at, expires_at, .. } = payload;
        Ok(SignedToken { token, token_id, issued_at, expires_at })
    }
}

impl Engine {
    /// The key that a verification finds for a token that this one has signed: among several it may be another with the same secret, or
    /// none, where there are more than are tried. What only signs is for others to verify.
    fn answering_key<'s>(&self, snapshot: &'s Snapshot, key: &'s Key, token: &str) -> Result<&'s Key, SignError> {
        if snapshot.keys.keys().len() == 1 || !key.may_verify() {
            return Ok(key);
        }
        with_thread_scratch(|scratch| {
            Ok(authenticate(snapshot, self.policy(), &mut scratch.buffers, token.as_bytes(), &mut ())?.key)
        })
        .map_err(SignError::WouldBeRejected)
    }

    /// What a token with these claims has to say as `signoff_after`, if another library signs it now: the latest cut-off that would
    /// mean it. None where there is none, as nearly always; the token is then good as it is.
    ///
    /// [`sign`](Self::sign) does this by itself. Whoever signs otherwise and leaves it out has tokens refused that are issued
    /// within seconds of a log-out everywhere ([`Reject::TooSoon`](crate::Reject::TooSoon)).
    ///
    /// Cost: reads the claims, no I/O.
    ///
    /// # Errors
    /// [`Error::Sign`]: claims that this engine would find malformed, or a cut-off far ahead of the clock.
    pub fn signoff_after(&self, claims: &str) -> Result<Option<UnixTime>, Error> {
        self.signoff_after_at(claims, self.now())
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
    pub(super) fn cut_off_to_know(&self, traits: &Traits<'_>, now: UnixTime) -> Result<Option<UnixTime>, SignError> {
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
    pub(super) fn refuse_revoked(
        &self,
        claims: &Claims,
        texts: ClaimStrings<'_>,
        now: UnixTime,
    ) -> Result<(), SignError> {
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
    let Some(key_id) = key_id else {
        // What was to be first may be among those that were passed over.
        if let Some(secret) = keys.skipped().iter().find(|key| key.is_secret()) {
            return Err(SignError::SecretSkipped(secret.clone()));
        }
        return keys.keys().iter().find(|key| key.may_sign()).ok_or(SignError::MayNotSign);
    };
    let mut named = keys.keys().iter().filter(|key| key.key_id() == Some(key_id)).peekable();
    named.peek().ok_or(SignError::NoSuchKey)?;
    named.find(|key| key.may_sign()).ok_or(SignError::MayNotSign)
}
