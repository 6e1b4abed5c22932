//! The options that say what a token must say.

use std::time::Duration;

use clap::Args;
use signoff::{ClaimValue, NumericIds, Policy};

use crate::time_values;

#[derive(Args)]
pub(crate) struct PolicyArguments {
    /// An issuer (iss) that is let in; may be given several times.
    #[arg(long, value_name = "ISSUER")]
    issuer: Vec<String>,
    /// A name (aud) under which we are meant; may be given several times. Without, a token that has an aud is refused.
    #[arg(long, value_name = "AUDIENCE", conflicts_with = "insecure_any_audience")]
    audience: Vec<String>,
    /// Accept tokens whoever they are meant for (aud).
    #[arg(long)]
    insecure_any_audience: bool,
    /// The one subject (sub) that is let in.
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// A token type (typ) that is let in; may be given several times. Without, all but those that end in +jwt, and at+jwt.
    #[arg(long, value_name = "TYP")]
    typ: Vec<String>,
    /// Accept also tokens without a typ, where --typ names some.
    #[arg(long, requires = "typ")]
    typ_optional: bool,
    /// A claim that must have a value, as in token_use=access; may be given several times, and of one name one of the values. true, false
    /// and numbers are meant as such unless they stand in double quotes, as in ver='"2.0"'.
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim_value)]
    claim: Vec<(String, ClaimValue)>,
    /// A claim that must be there; may be given several times.
    #[arg(long, value_name = "CLAIM")]
    require: Vec<String>,
    /// How far clocks may differ, as in 5s; at most 5min.
    #[arg(long, value_name = "DURATION", value_parser = time_values::duration)]
    leeway: Option<Duration>,
    /// The greatest age (iat), as in 1d.
    #[arg(long, value_name = "DURATION", value_parser = time_values::duration)]
    max_age: Option<Duration>,
    /// The longest lifetime (exp minus iat), as in 1d.
    #[arg(long, value_name = "DURATION", value_parser = time_values::duration)]
    max_lifetime: Option<Duration>,
    /// Accept whole numbers as sub, jti and sid, as many old systems write them.
    #[arg(long)]
    numeric_ids: bool,
    /// Accept tokens that never expire.
    #[arg(long)]
    insecure_allow_missing_exp: bool,
    /// Accept tokens that are bound to a key of their sender (cnf) from whoever brings them.
    #[arg(long)]
    insecure_bearer_of_bound_token: bool,
}

impl PolicyArguments {
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy::new();
        policy = self.issuer.iter().fold(policy, |policy, issuer| policy.issuer(issuer.as_str()));
        policy = self.audience.iter().fold(policy, |policy, audience| policy.audience(audience.as_str()));
        policy = self.subject.iter().fold(policy, |policy, subject| policy.subject(subject.as_str()));
        policy = self.typ.iter().fold(policy, |policy, typ| policy.token_type(typ));
        policy = self.require.iter().fold(policy, |policy, claim| policy.require(claim));
        policy = self.claim.iter().fold(policy, |policy, (name, value)| policy.claim_equals(name, value.clone()));
        policy = self.leeway.into_iter().fold(policy, Policy::leeway);
        policy = self.max_age.into_iter().fold(policy, Policy::age_max);
        policy = self.max_lifetime.into_iter().fold(policy, Policy::lifetime_max);
        let set = |flag: bool, policy: Policy, with: fn(Policy) -> Policy| if flag { with(policy) } else { policy };
        policy = set(self.insecure_any_audience, policy, Policy::insecure_any_audience);
        policy = set(self.typ_optional, policy, Policy::token_type_optional);
        policy = set(self.numeric_ids, policy, |policy| policy.numeric_ids(NumericIds::AsText));
        policy = set(self.insecure_allow_missing_exp, policy, Policy::insecure_allow_missing_exp);
        set(self.insecure_bearer_of_bound_token, policy, Policy::insecure_bearer_of_bound_token)
    }
}

/// `name=value`, where the value is JSON if it is a text in quotes, a number or a boolean, and else the text itself.
fn claim_value(given: &str) -> Result<(String, ClaimValue), String> {
    let (name, value) =
        given.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("a claim is written NAME=VALUE")?;
    if value.is_empty() {
        return Err("its value is empty: an unset variable? An empty text is written NAME='\"\"'".to_owned());
    }
    let value = match serde_json::from_str(value) {
        Ok(serde_json::Value::String(text)) => text.into(),
        Ok(serde_json::Value::Bool(value)) => value.into(),
        Ok(serde_json::Value::Number(number)) => number.as_f64().map_or_else(|| value.into(), ClaimValue::from),
        Ok(_) | Err(_) => value.into(),
    };
    Ok((name.to_owned(), value))
}
