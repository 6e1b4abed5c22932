//! What a token must say.

use std::time::Duration;

use super::call::Call;
use super::fault::CallError;
use super::keys::flag;
use super::signoff_str;
use super::sized::sized;
use crate::policy::{NumericIds, Policy};

/// Accepts tokens that never expire.
pub const SIGNOFF_POLICY_INSECURE_ALLOW_MISSING_EXP: u32 = 1;
/// Admits whole numbers as "sub", "jti" and "sid", as many old systems write them: 42 is the same id as "42".
pub const SIGNOFF_POLICY_NUMERIC_IDS_AS_TEXT: u32 = 2;

/// What a token must say to be accepted.
///
/// Owner: the caller; it is read during signoff_engine_new() or signoff_engine_open() and not kept. Start from
/// SIGNOFF_POLICY_INIT, which is the strictest there is without knowing your application: "exp" required, no leeway.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_policy {
    /// sizeof(signoff_policy).
    pub struct_size: u32,
    /// SIGNOFF_POLICY_… or 0.
    pub flags: u32,
    /// The issuers that are let in, compared byte for byte with "iss". With none, every issuer is.
    pub issuers: *const signoff_str,
    /// How many issuers.
    pub issuers_len: usize,
    /// The names under which we are meant; one must be in the token's "aud". With none, "aud" is not looked at.
    pub audiences: *const signoff_str,
    /// How many audiences.
    pub audiences_len: usize,
    /// The one "sub" that is let in. No text: any.
    pub subject: signoff_str,
    /// The "typ" that is let in, as in at+jwt. No text: any that does not end in +jwt, and at+jwt.
    pub token_type: signoff_str,
    /// Claims that must be present.
    pub required_claims: *const signoff_str,
    /// How many.
    pub required_claims_len: usize,
    /// How far clocks may differ, in milliseconds. 0: not at all. At most 300000 (5 minutes).
    pub leeway_ms: u64,
    /// How far in the future "iat" may lie, in milliseconds, at most 60000. 0: as much as the engine's log lets, and 5000
    /// without one. The log's bound holds too, so that this can only be stricter.
    pub issued_in_future_max_ms: u64,
    /// The longest lifetime (exp - iat), in milliseconds; both are then required. 0: no such check.
    pub lifetime_max_ms: u64,
    /// The greatest age (now - iat), in milliseconds; "iat" is then required. 0: no such check.
    pub age_max_ms: u64,
    /// The longest token that is looked at, in bytes. 0: 16384. At most 1048576.
    pub token_bytes_max: usize,
}

sized!(signoff_policy);

impl signoff_policy {
    pub(super) fn read(&self, call: &Call) -> Result<Policy, CallError> {
        let flags = flag(
            self.flags,
            SIGNOFF_POLICY_INSECURE_ALLOW_MISSING_EXP | SIGNOFF_POLICY_NUMERIC_IDS_AS_TEXT,
            "policy->flags",
        )?;
        let mut policy = Policy::new().leeway(Duration::from_millis(self.leeway_ms));
        for issuer in call.texts(self.issuers, self.issuers_len, "policy->issuers")? {
            policy = policy.issuer(issuer);
        }
        for audience in call.texts(self.audiences, self.audiences_len, "policy->audiences")? {
            policy = policy.audience(audience);
        }
        for claim in call.texts(self.required_claims, self.required_claims_len, "policy->required_claims")? {
            policy = policy.require(claim);
        }
        if let Some(subject) = call.optional_text(self.subject, "policy->subject")? {
            policy = policy.subject(subject);
        }
        if let Some(token_type) = call.optional_text(self.token_type, "policy->token_type")? {
            policy = policy.token_type(token_type);
        }
        let given = |millis: u64| (millis != 0).then_some(Duration::from_millis(millis));
        if let Some(allowed) = given(self.issued_in_future_max_ms) {
            policy = policy.issued_in_future_max(allowed);
        }
        if let Some(max) = given(self.lifetime_max_ms) {
            policy = policy.lifetime_max(max);
        }
        if let Some(max) = given(self.age_max_ms) {
            policy = policy.age_max(max);
        }
        if self.token_bytes_max != 0 {
            policy = policy.token_bytes_max(self.token_bytes_max);
        }
        if flags & SIGNOFF_POLICY_INSECURE_ALLOW_MISSING_EXP != 0 {
            policy = policy.insecure_allow_missing_exp();
        }
        if flags & SIGNOFF_POLICY_NUMERIC_IDS_AS_TEXT != 0 {
            policy = policy.numeric_ids(NumericIds::AsText);
        }
        Ok(policy)
    }
}
