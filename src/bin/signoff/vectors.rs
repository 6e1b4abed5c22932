//! The test vectors: tokens with the verdict that each must get. `tests/vectors/README.md` describes
//! the files. The tests include this file as well, so that demo and tests read them alike.

use std::time::Duration;

use serde::Deserialize;
use signoff::{Engine, KeySet, NumericIds, Policy, Scratch, Times, UnixTime};

/// A token, and what must become of it.
#[derive(Deserialize)]
pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) why: String,
    pub(crate) token: String,
    pub(crate) keys: serde_json::Value,
    #[serde(default)]
    pub(crate) policy: VectorPolicy,
    pub(crate) now: i64,
    pub(crate) expected: String,
    #[serde(default)]
    pub(crate) claims: serde_json::Map<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct VectorPolicy {
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) insecure_any_audience: bool,
    pub(crate) token_types: Vec<String>,
    pub(crate) token_type: Option<String>,
    pub(crate) token_type_optional: bool,
    pub(crate) claim_equals: Vec<(String, serde_json::Value)>,
    pub(crate) insecure_bearer_of_bound_token: bool,
    pub(crate) leeway_secs: u64,
    pub(crate) age_max_secs: Option<u64>,
    pub(crate) lifetime_max_secs: Option<u64>,
    pub(crate) require: Vec<String>,
    pub(crate) insecure_allow_missing_exp: bool,
    pub(crate) insecure_allow_short_secret: bool,
    pub(crate) numeric_ids_as_text: bool,
}

impl Vector {
    /// Reads a file of vectors.
    pub(crate) fn parse(json: &str) -> Result<Vec<Self>, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// The name of the status that signoff gives, and the claims if it accepts.
    pub(crate) fn run(&self) -> (String, Option<serde_json::Value>) {
        let engine = match self.engine() {
            Ok(engine) => engine,
            Err(error) => return (error.status().name().to_owned(), None),
        };
        let times = Times::at(UnixTime::from_secs(self.now));
        match engine.verify_at(&mut Scratch::new(), &self.token, times) {
            Ok(accepted) => ("done".to_owned(), accepted.deserialize().ok()),
            Err(denied) => (denied.status().name().to_owned(), None),
        }
    }

    /// What is wrong with signoff's verdict; nothing if it is the expected one.
    pub(crate) fn fault(&self) -> Option<String> {
        let (status, claims) = self.run();
        if status != self.expected {
            return Some(format!("{}: {status} instead of {} ({})", self.id, self.expected, self.why));
        }
        let wrong = self.claims.iter().find(|(name, value)| claims.as_ref().and_then(|c| c.get(name)) != Some(value));
        wrong.map(|(name, _)| format!("{}: claim {name} was read wrongly", self.id))
    }

    fn engine(&self) -> Result<Engine, signoff::Error> {
        let (jwks, wants) = (self.keys.to_string(), &self.policy);
        let keys = match wants.insecure_allow_short_secret {
            true => KeySet::from_jwks_insecure_allow_short(&jwks)?,
            false => KeySet::from_jwks(&jwks)?,
        };
        let mut policy = Policy::new().leeway(Duration::from_secs(wants.leeway_secs));
        policy = wants.issuer.iter().fold(policy, |policy, issuer| policy.issuer(issuer.as_str()));
        policy = wants.audience.iter().fold(policy, |policy, audience| policy.audience(audience.as_str()));
        policy = wants.subject.iter().fold(policy, |policy, subject| policy.subject(subject.as_str()));
        policy = wants.token_type.iter().chain(&wants.token_types).fold(policy, |policy, typ| policy.token_type(typ));
        policy = wants.claim_equals.iter().fold(policy, |policy, (name, value)| match value {
            serde_json::Value::Bool(value) => policy.claim_equals(name, *value),
            serde_json::Value::Number(number) => policy.claim_equals(name, number.as_f64().unwrap_or(f64::NAN)),
            other => policy.claim_equals(name, other.as_str().unwrap_or_default()),
        });
        policy = wants.age_max_secs.iter().fold(policy, |policy, max| policy.age_max(Duration::from_secs(*max)));
        policy =
            wants.lifetime_max_secs.iter().fold(policy, |policy, max| policy.lifetime_max(Duration::from_secs(*max)));
        policy = wants.require.iter().fold(policy, |policy, claim| policy.require(claim));
        if wants.insecure_allow_missing_exp {
            policy = policy.insecure_allow_missing_exp();
        }
        if wants.numeric_ids_as_text {
            policy = policy.numeric_ids(NumericIds::AsText);
        }
        if wants.insecure_any_audience {
            policy = policy.insecure_any_audience();
        }
        if wants.token_type_optional {
            policy = policy.token_type_optional();
        }
        if wants.insecure_bearer_of_bound_token {
            policy = policy.insecure_bearer_of_bound_token();
        }
        Engine::new(keys, policy)
    }
}
