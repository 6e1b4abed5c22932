//! What a token must say.

use std::time::Duration;

use super::call::Call;
use super::claims::{SIGNOFF_VALUE_BOOLEAN, SIGNOFF_VALUE_NUMBER, SIGNOFF_VALUE_STRING};
use super::fault::CallError;
use super::keys::flag;
use super::signoff_str;
use super::sized::sized;
use crate::policy::{NumericIds, Policy};

/// Accepts tokens that never expire.
pub const SIGNOFF_POLICY_INSECURE_ALLOW_MISSING_EXP: u32 = 1;
/// Admits whole numbers as "sub", "jti" and "sid", as many old systems write them: 42 is the same id as "42".
pub const SIGNOFF_POLICY_NUMERIC_IDS_AS_TEXT: u32 = 2;

/// Accepts tokens whoever they are meant for ("aud"), also those that were made for another service. Without it and without
/// audiences, a token that names any audience is refused.
pub const SIGNOFF_POLICY_INSECURE_ANY_AUDIENCE: u32 = 4;
/// Accepts tokens that are bound to a key of their sender ("cnf") from whoever brings them: for hosts that check the proof (DPoP,
/// or the certificate of the connection) themselves.
pub const SIGNOFF_POLICY_INSECURE_BEARER_OF_BOUND_TOKEN: u32 = 8;
/// Accepts also tokens that have no "typ", where types are named.
pub const SIGNOFF_POLICY_TOKEN_TYPE_OPTIONAL: u32 = 16;

/// A claim that has to have a value, as Keycloak's "typ" and Cognito's "token_use".
///
/// Owner: the caller; it is read with the policy and not kept.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct signoff_claim_value {
    /// The claim's name. Registered claims ("iss", "aud", "exp" ...) have options of their own and are refused here.
    pub name: signoff_str,
    /// SIGNOFF_VALUE_STRING, SIGNOFF_VALUE_NUMBER or SIGNOFF_VALUE_BOOLEAN: which of the following members is looked at.
    pub kind: u32,
    /// For SIGNOFF_VALUE_BOOLEAN: 0 or 1.
    pub boolean: u32,
    /// For SIGNOFF_VALUE_NUMBER. Compared by its value; whole numbers up to 2^53 - 1.
    pub number: f64,
    /// For SIGNOFF_VALUE_STRING. Compared byte for byte.
    pub text: signoff_str,
}

/// What a token must say to be accepted.
///
/// Owner: the caller; it is read during signoff_engine_new() or signoff_engine_open() and not kept. Start from
/// SIGNOFF_POLICY_INIT, which is the strictest there is without knowing your application: "exp" required, no leeway, no audience
/// but those that are named, no token of another kind, none that is bound to a sender's key.
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
    /// The names under which we are meant; one must be in the token's "aud". With none, a token that has an "aud" is refused; see
    /// SIGNOFF_POLICY_INSECURE_ANY_AUDIENCE.
    pub audiences: *const signoff_str,
    /// How many audiences.
    pub audiences_len: usize,
    /// The one "sub" that is let in. No text: any.
    pub subject: signoff_str,
    /// The "typ" that is let in, as in at+jwt; case, application/ before it and parameters do not count. No text, and no
    /// other_token_types: any that does not end in +jwt, and at+jwt.
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
    /// Types that are let in beside token_type.
    pub other_token_types: *const signoff_str,
    /// How many.
    pub other_token_types_len: usize,
    /// Claims that have to have a value. Of several with one name, one must hold.
    pub claim_values: *const signoff_claim_value,
    /// How many. At most 64 names, with those of required_claims.
    pub claim_values_len: usize,
}

sized!(signoff_policy, [std::mem::offset_of!(signoff_policy, other_token_types)]);

impl signoff_policy {
    pub(super) fn read(&self, call: &Call) -> Result<Policy, CallError> {
        let flags = flag(
            self.flags,
            SIGNOFF_POLICY_INSECURE_ALLOW_MISSING_EXP
                | SIGNOFF_POLICY_NUMERIC_IDS_AS_TEXT
                | SIGNOFF_POLICY_INSECURE_ANY_AUDIENCE
                | SIGNOFF_POLICY_INSECURE_BEARER_OF_BOUND_TOKEN
                | SIGNOFF_POLICY_TOKEN_TYPE_OPTIONAL,
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
        for token_type in call.texts(self.other_token_types, self.other_token_types_len, "policy->other_token_types")? {
            policy = policy.token_type(token_type);
        }
        policy = self.read_claim_values(call, policy)?;
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
        let set = |flag: u32, policy: Policy, with: fn(Policy) -> Policy| {
            if flags & flag == 0 { policy } else { with(policy) }
        };
        policy = set(SIGNOFF_POLICY_INSECURE_ALLOW_MISSING_EXP, policy, Policy::insecure_allow_missing_exp);
        policy = set(SIGNOFF_POLICY_NUMERIC_IDS_AS_TEXT, policy, |policy| policy.numeric_ids(NumericIds::AsText));
        policy = set(SIGNOFF_POLICY_INSECURE_ANY_AUDIENCE, policy, Policy::insecure_any_audience);
        policy = set(SIGNOFF_POLICY_INSECURE_BEARER_OF_BOUND_TOKEN, policy, Policy::insecure_bearer_of_bound_token);
        policy = set(SIGNOFF_POLICY_TOKEN_TYPE_OPTIONAL, policy, Policy::token_type_optional);
        Ok(policy)
    }

    fn read_claim_values(&self, call: &Call, mut policy: Policy) -> Result<Policy, CallError> {
        const WHAT: &str = "policy->claim_values";
        let values = call.array(self.claim_values, self.claim_values_len, WHAT)?;
        if values.is_empty() && !self.claim_values.is_null() {
            return Err(CallError::Length { what: WHAT, given: 0 });
        }
        for value in values {
            let name = call.optional_name(value.name, "policy->claim_values[].name")?;
            let name = name.ok_or(CallError::Null { what: "policy->claim_values[].name" })?;
            policy = match value.kind {
                SIGNOFF_VALUE_STRING => {
                    policy.claim_equals(name, call.text(value.text, "policy->claim_values[].text")?)
                }
                SIGNOFF_VALUE_NUMBER => policy.claim_equals(name, value.number),
                SIGNOFF_VALUE_BOOLEAN if value.boolean <= 1 => policy.claim_equals(name, value.boolean == 1),
                SIGNOFF_VALUE_BOOLEAN => {
                    return Err(CallError::Option {
                        what: "policy->claim_values[].boolean",
                        given: value.boolean.into(),
                    });
                }
                given => return Err(CallError::Option { what: "policy->claim_values[].kind", given: given.into() }),
            };
        }
        Ok(policy)
    }
}
