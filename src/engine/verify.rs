//! The way of a token through its checks, each step behind the one that it relies on. RFC 7519 section 7.2.
//!
//! `token/` reads bytes, `keys/` judges the signature, `policy/` the claims, `replica/` whether it was logged out. Here they follow
//! one another, and nothing else is decided.

use super::clearance::Cleared;
use super::counters::Counts;
use super::header_cache::HeaderFacts;
use super::replica::{JudgedAt, Now, Replica, Warming};
use super::scratch::Buffers;
use super::snapshot::Snapshot;
use super::{Engine, Proven};
use crate::clock::{Clock, UnixTime};
use crate::denied::{Denied, Reject, Unknown};
use crate::keys::{Algorithm, Key, SignatureValid};
use crate::policy::claims::Claims;
use crate::policy::{self, Policy, TypeVerdict, type_verdict};
use crate::token::UnverifiedToken;
use crate::token::header::{Header, refuse_duplicates};

/// A token whose signature holds, with what the rest of the verification needs.
pub(super) struct Signed<'s, 'a> {
    pub(super) signing_input: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) signature: SignatureValid,
    pub(super) key: &'s Key,
    typ: TypeVerdict,
    pub(super) unescaped: &'a mut String,
}

/// By which clock a token is read, and where its claims go.
pub(super) struct Reading<'c> {
    pub(super) clock: Clock,
    pub(super) claims: &'c mut Claims,
}

/// Work on a token that is done before its signature holds, and therefore decides nothing: it makes the
/// processor fetch what will be looked at.
pub(super) trait Prefetch<'a> {
    /// The payload has been decoded. Nobody has vouched for it.
    fn before_signature(&mut self, _payload: &'a [u8]) {}

    /// The signature is half verified.
    fn midway(&mut self) {}
}

/// None.
impl Prefetch<'_> for () {}

impl Engine {
    #[inline(always)]
    pub(super) fn check<'a>(
        &self,
        snapshot: &Snapshot,
        buffers: &'a mut Buffers,
        token: &'a [u8],
        Reading { clock, claims }: Reading<'_>,
        counts: &mut Counts,
    ) -> Result<Proven<'a>, Denied> {
        let policy = &self.shared.policy;
        let log = self.shared.log.as_ref().map(|log| &*log.replica);

        // Shape, header, key, signature.
        let mut warming = log.map(|log| Warming { log, jti_place: &mut counts.jti_place, look: None });
        let signed = authenticate(snapshot, policy, buffers, token, &mut warming)?;
        let look = warming.and_then(|warming| warming.look);

        // Claims.
        let texts = claims.read_payload(signed.payload, signed.unescaped, policy)?;
        let allowed = policy.issued_in_future(log.map(Replica::issued_in_future_max));
        let now = clock.now(policy.time_limits(claims, allowed));
        if now <= UnixTime::from_millis(0) {
            return Err(Unknown::ClockNotSet { now }.into());
        }
        let proof = policy::judge(policy, claims, texts, signed.typ, signed.key, now, allowed)?;

        // Revocations.
        let cleared = match log {
            None => Cleared::NoLog,
            Some(log) => {
                // Where nothing was warmed the screening begins here.
                let look = look.unwrap_or_else(|| log.look(|| None));
                let at = JudgedAt { clock, now: Now { time: now, leeway: policy.leeway } };
                log.clear(&look, claims, texts, signed.signing_input, at, &mut counts.probes)?
            }
        };
        let (signing_input, signature) = (signed.signing_input, signed.signature);
        Ok(Proven { texts, signing_input, signature, proof, cleared })
    }
}

/// Shape, header, candidate keys, signature.
#[inline(always)]
pub(super) fn authenticate<'s, 'a>(
    snapshot: &'s Snapshot,
    policy: &Policy,
    buffers: &'a mut Buffers,
    token: &'a [u8],
    prefetch: &mut impl Prefetch<'a>,
) -> Result<Signed<'s, 'a>, Reject> {
    let token = UnverifiedToken::split(token, policy.token_bytes_max)?;
    buffers.let_go();
    let Buffers { payload, header, signature, unescaped, headers, signed } = buffers;

    // The shape of all three parts comes before anything that any of them says.
    let payload: &'a [u8] = token.decode_payload(payload)?;
    let signature = token.decode_signature(&mut signature.0)?;
    prefetch.before_signature(payload);

    let check = |facts: &HeaderFacts| {
        snapshot.keys.check_signature(&facts.candidates, token.signing_input(), &signature, || prefetch.midway())
    };
    let (key, valid, typ) = match headers.recall(snapshot.id, token.header()) {
        Some(facts) => {
            let (key, valid) = { check }(facts)?;
            (key, valid, facts.typ)
        }
        None => {
            let bytes = token.decode_header(header)?;
            let facts = header_facts(snapshot, policy, &token, bytes, unescaped)?;
            let ((key, valid), typ) = ({ check }(&facts)?, facts.typ);
            signed.note(bytes.len(), valid);
            refuse_duplicates(bytes, unescaped)?;
            headers.learn(snapshot.id, token.header(), facts, valid);
            (key, valid, typ)
        }
    };
    signed.note(payload.len(), valid);
    Ok(Signed { signing_input: token.signing_input(), payload, signature: valid, key, typ, unescaped })
}

/// What a header means under this key set and policy.
#[cold]
fn header_facts(
    snapshot: &Snapshot,
    policy: &Policy,
    token: &UnverifiedToken<'_>,
    header: &[u8],
    unescaped: &mut String,
) -> Result<HeaderFacts, Reject> {
    let header = Header::parse(header, unescaped)?;
    // `none` is refused by its name before the signature that it goes without.
    let algorithm = Algorithm::of_header(&header)?;
    if token.signature().is_empty() {
        return Err(Reject::SignatureMissing);
    }
    let candidates = snapshot.keys.candidates(algorithm, &header)?;
    Ok(HeaderFacts { candidates, typ: type_verdict(policy, header.typ) })
}
