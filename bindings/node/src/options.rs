//! The options of an engine, as `lib/options.js` writes them: JSON in which every option is stated, with the secrets
//! beside it so that they are in no text.

use std::time::Duration;

use napi::bindgen_prelude::Uint8Array;
use serde::Deserialize;
use signoff::{Algorithm, ClaimValue, Error, Key, KeySet, Log, NumericIds, OnOutage, OnUnknown, Policy, Status};

use crate::error::Fault;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Options {
    keys: Vec<KeyOptions>,
    /// In place of keys: the text of a JWKS.
    jwks: Option<String>,
    /// For the JWKS.
    insecure_allow_short: bool,
    policy: PolicyOptions,
    log: Option<LogOptions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyOptions {
    algorithm: Option<String>,
    /// Its place among the secrets.
    secret: Option<usize>,
    jwk: Option<String>,
    key_id: Option<String>,
    issuers: Vec<String>,
    insecure_allow_short: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicyOptions {
    issuers: Vec<String>,
    audiences: Vec<String>,
    subject: Option<String>,
    any_audience: bool,
    token_types: Vec<String>,
    token_type_optional: bool,
    claim_equals: Vec<(String, ClaimValueOption)>,
    bound_tokens: bool,
    leeway_ms: Option<u64>,
    issued_in_future_ms: Option<u64>,
    insecure_any_issued_at: bool,
    lifetime_ms: Option<u64>,
    age_ms: Option<u64>,
    required: Vec<String>,
    insecure_allow_missing_exp: bool,
    numeric_ids: bool,
    token_bytes: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ClaimValueOption {
    Bool(bool),
    Number(f64),
    Text(String),
}

impl From<ClaimValueOption> for ClaimValue {
    fn from(value: ClaimValueOption) -> Self {
        match value {
            ClaimValueOption::Bool(value) => value.into(),
            ClaimValueOption::Number(value) => value.into(),
            ClaimValueOption::Text(value) => value.into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogOptions {
    /// None for a log in memory.
    path: Option<String>,
    must_exist: bool,
    longest_lifetime_ms: Option<u64>,
    issued_in_future_ms: Option<u64>,
    max_staleness_ms: Option<u64>,
    on_unknown: OnUnknownOption,
    accept_younger_ms: Option<u64>,
    open_timeout_ms: Option<u64>,
    append_timeout_ms: Option<u64>,
    start_unknown: bool,
    local_file: Option<String>,
    insecure_several_names: bool,
    keeps_in_outage: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OnUnknownOption {
    Reject,
    Accept,
    AcceptYounger,
}

/// What an engine is opened with.
pub(crate) struct Parts {
    pub(crate) keys: KeySet,
    pub(crate) policy: Policy,
    pub(crate) log: Option<Log>,
}

impl Options {
    /// Reads the options; keys are taken over, so that the secrets are not needed any more.
    pub(crate) fn read(json: &str, secrets: &[Uint8Array]) -> Result<Parts, Fault> {
        let options: Self =
            serde_json::from_str(json).map_err(|error| Fault::new(Status::Argument, format!("options: {error}")))?;
        let keys = match options.jwks {
            Some(jwks) if options.insecure_allow_short => KeySet::from_jwks_insecure_allow_short(&jwks),
            Some(jwks) => KeySet::from_jwks(&jwks),
            None => {
                let keys = options.keys.into_iter().map(|key| key.read(secrets)).collect::<Result<Vec<_>, _>>()?;
                KeySet::new(keys)
            }
        };
        let keys = keys.map_err(Error::from)?;
        Ok(Parts { keys, policy: options.policy.read(), log: options.log.map(LogOptions::read) })
    }
}

impl KeyOptions {
    fn read(self, secrets: &[Uint8Array]) -> Result<Key, Fault> {
        let named = self.algorithm.as_deref().map(|name| {
            let unknown = || format!("algorithm {name:?} does not exist here; those that do: HS256, HS384 and HS512");
            Algorithm::from_name(name).ok_or_else(|| Fault::new(Status::OptionUnknown, unknown()))
        });
        let algorithm = named.transpose()?;
        let key = match (self.secret.and_then(|at| secrets.get(at)), &self.jwk, algorithm) {
            (Some(secret), None, Some(algorithm)) if self.insecure_allow_short => {
                Key::hmac_insecure_allow_short(algorithm, secret)
            }
            (Some(secret), None, Some(algorithm)) => Key::hmac(algorithm, secret),
            (None, Some(jwk), Some(algorithm)) => Key::from_jwk_for(algorithm, jwk),
            (None, Some(jwk), None) => Key::from_jwk(jwk),
            _ => return Err(Fault::new(Status::Argument, "a key is either a secret with an algorithm, or a JWK")),
        };
        let mut key = key.map_err(Error::from)?;
        if let Some(key_id) = self.key_id {
            key = key.with_key_id(key_id);
        }
        Ok(if self.issuers.is_empty() { key } else { key.for_issuers(self.issuers) })
    }
}

impl PolicyOptions {
    fn read(self) -> Policy {
        let mut policy = Policy::new();
        for issuer in self.issuers {
            policy = policy.issuer(issuer);
        }
        for audience in self.audiences {
            policy = policy.audience(audience);
        }
        for claim in self.required {
            policy = policy.require(&claim);
        }
        if let Some(subject) = self.subject {
            policy = policy.subject(subject);
        }
        for token_type in self.token_types {
            policy = policy.token_type(&token_type);
        }
        for (claim, value) in self.claim_equals {
            policy = policy.claim_equals(&claim, value);
        }
        if self.any_audience {
            policy = policy.insecure_any_audience();
        }
        if self.token_type_optional {
            policy = policy.token_type_optional();
        }
        if self.bound_tokens {
            policy = policy.insecure_bearer_of_bound_token();
        }
        let millis = Duration::from_millis;
        if let Some(leeway) = self.leeway_ms {
            policy = policy.leeway(millis(leeway));
        }
        if let Some(allowed) = self.issued_in_future_ms {
            policy = policy.issued_in_future_max(millis(allowed));
        }
        if self.insecure_any_issued_at {
            policy = policy.insecure_any_issued_at();
        }
        if let Some(max) = self.lifetime_ms {
            policy = policy.lifetime_max(millis(max));
        }
        if let Some(max) = self.age_ms {
            policy = policy.age_max(millis(max));
        }
        if self.insecure_allow_missing_exp {
            policy = policy.insecure_allow_missing_exp();
        }
        if self.numeric_ids {
            policy = policy.numeric_ids(NumericIds::AsText);
        }
        match self.token_bytes {
            Some(max) => policy.token_bytes_max(max),
            None => policy,
        }
    }
}

impl LogOptions {
    fn read(self) -> Log {
        let mut log = match (self.path, self.must_exist) {
            (None, _) => Log::memory(),
            (Some(place), true) => Log::at(place),
            (Some(place), false) => Log::at(place).create_if_missing(),
        };
        let millis = Duration::from_millis;
        if let Some(lifetime) = self.longest_lifetime_ms {
            log = log.longest_lifetime(millis(lifetime));
        }
        if let Some(allowed) = self.issued_in_future_ms {
            log = log.issued_in_future_max(millis(allowed));
        }
        if let Some(max) = self.max_staleness_ms {
            log = log.max_staleness(millis(max));
        }
        if let Some(timeout) = self.open_timeout_ms {
            log = log.open_timeout(millis(timeout));
        }
        if let Some(timeout) = self.append_timeout_ms {
            log = log.append_timeout(millis(timeout));
        }
        if self.start_unknown {
            log = log.start_unknown();
        }
        if self.insecure_several_names {
            log = log.insecure_several_names();
        }
        if let Some(path) = self.local_file {
            log = log.local_file(path);
        }
        if let Some(keeps) = self.keeps_in_outage {
            log = log.on_outage(if keeps { OnOutage::Keep } else { OnOutage::Refuse });
        }
        log.on_unknown(match (self.on_unknown, self.accept_younger_ms) {
            (OnUnknownOption::Accept, _) => OnUnknown::Accept,
            (OnUnknownOption::AcceptYounger, Some(age)) => OnUnknown::AcceptYounger(millis(age)),
            (OnUnknownOption::Reject | OnUnknownOption::AcceptYounger, _) => OnUnknown::Reject,
        })
    }
}
