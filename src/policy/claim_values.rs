//! Claims beyond the registered ones that the policy names: to be there, or to have one of its values.

use std::sync::Arc;

use crate::limits::EXACT_INTEGER_MAX;
use crate::token::json::{Kind, Value};

/// A value that a claim has to have: a text, a number or a boolean.
///
/// ```
/// use signoff::Policy;
///
/// // Keycloak and Cognito say in the payload what kind of token it is.
/// let keycloak = Policy::new().claim_equals("typ", "Bearer");
/// let cognito = Policy::new().claim_equals("token_use", "access").claim_equals("email_verified", true);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimValue {
    /// A text, compared byte for byte once escapes are resolved.
    Text(Box<str>),
    /// A number, compared by its value: `1`, `1.0` and `1e0` are the same. Whole numbers up to 2^53 − 1.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
}

impl From<&str> for ClaimValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for ClaimValue {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for ClaimValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for ClaimValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for ClaimValue {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for ClaimValue {
    #[allow(clippy::cast_precision_loss)] // What is not exact is refused with the policy.
    fn from(number: i64) -> Self {
        Self::Number(number as f64)
    }
}

impl ClaimValue {
    /// Whether a JSON value is this one. Allocates nothing.
    fn is(&self, value: Value<'_>) -> bool {
        match self {
            Self::Text(wanted) => value.string().is_some_and(|text| text.is(wanted)),
            Self::Number(wanted) => {
                value.kind == Kind::Number && value.slice.raw().parse().is_ok_and(|number: f64| number == *wanted)
            }
            Self::Bool(wanted) => {
                value.kind == Kind::Bool && value.slice.raw() == if *wanted { "true" } else { "false" }
            }
        }
    }

    /// Whether it can be told from every other value.
    #[allow(clippy::cast_precision_loss)] // 2^53 − 1 is exact.
    pub(super) fn is_exact(&self) -> bool {
        !matches!(self, Self::Number(number) if !number.is_finite() || number.abs() > EXACT_INTEGER_MAX as f64)
    }

    /// As JSON.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Text(text) => serde_json::Value::from(&**text).to_string(),
            Self::Number(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
        }
    }
}

/// A claim that the policy names.
#[derive(Clone, Debug)]
pub(crate) struct CustomClaim {
    pub(crate) name: Arc<str>,
    /// One of these; none: any but `null`.
    pub(crate) values: Vec<ClaimValue>,
}

impl CustomClaim {
    pub(super) fn is_met_by(&self, value: Value<'_>) -> bool {
        self.values.is_empty() || self.values.iter().any(|wanted| wanted.is(value))
    }
}
