//! What went wrong, as an object from which JavaScript makes a `SignoffError`.

use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, Result, sys};
use signoff::option_names::{Face, in_words_of};
use signoff::{Denied, Error, KeyError, LogError, Reject, RevokeError, Status, UnixTime, Unknown};

/// A row of the status table with the sentence of this case, and what a program may want to know of it.
pub(crate) struct Fault {
    status: Status,
    message: String,
    fields: Vec<(&'static str, Field)>,
}

enum Field {
    /// Milliseconds since 1970: JavaScript makes a `Date` of it.
    Time(UnixTime),
    Millis(u128),
    Seconds(u64),
    Text(String),
}

impl Fault {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        let message = in_words_of(Face::Node, message.into()).to_string();
        Self { status, message, fields: Vec::new() }
    }

    pub(crate) fn closed() -> Self {
        Self::new(Status::Closed, "the engine was closed: open another one, or close it later")
    }

    pub(crate) fn panicked() -> Self {
        Self::new(Status::Panic, Status::Panic.sentence())
    }

    fn with(mut self, name: &'static str, field: Field) -> Self {
        self.fields.push((name, field));
        self
    }
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        let fault = Self::new(denied.status(), denied.to_string());
        match denied {
            Denied::Rejected(reject) => describe(fault, &reject),
            Denied::Unavailable(Unknown::Stale { age, max }) => {
                fault.with("age", Field::Millis(age.as_millis())).with("maxStaleness", Field::Millis(max.as_millis()))
            }
            Denied::Unavailable(_) => fault,
        }
    }
}

fn describe(fault: Fault, reject: &Reject) -> Fault {
    match reject {
        Reject::Expired { exp, .. } => fault.with("expiredAt", Field::Time(*exp)),
        Reject::NotYetValid { nbf, .. } => fault.with("validFrom", Field::Time(*nbf)),
        Reject::IssuedInFuture { iat, .. } | Reject::TooOld { iat, .. } => fault.with("issuedAt", Field::Time(*iat)),
        Reject::ClaimMissing { name } | Reject::ClaimDuplicate { name } => {
            fault.with("claim", Field::Text(name.as_str().to_owned()))
        }
        Reject::ClaimMalformed { name, .. } | Reject::TimeOutOfRange { name } => {
            fault.with("claim", Field::Text((*name).to_owned()))
        }
        Reject::Revoked { scope } => fault.with("scope", Field::Text(scope.to_string())),
        Reject::TooSoon { scope, .. } => {
            let after = reject.retry_after().unwrap_or_default().as_secs();
            fault.with("scope", Field::Text(scope.to_string())).with("retryAfter", Field::Seconds(after))
        }
        // The sentence says all there is.
        _ => fault,
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let fault = Self::new(error.status(), error.to_string());
        match error {
            Error::Key(KeyError::TooShort { bytes, min, algorithm }) => Self {
                message: format!(
                    "the secret is {bytes} bytes long and {algorithm} wants {min} or more: make one with \
                     `openssl rand -base64 32`, or, for one that is already in use, set insecureAllowShortSecret"
                ),
                ..fault
            },
            Error::Revoke(RevokeError::Token(reject)) => describe(fault, &reject),
            _ => fault,
        }
    }
}

impl From<LogError> for Fault {
    fn from(error: LogError) -> Self {
        Self::new(error.status(), error.to_string())
    }
}

impl Fault {
    /// The object: `{fault: 'claim-expired', number, statusCode, message, …}`.
    pub(crate) fn into_object<'env>(self, env: &Env) -> Result<Object<'env>> {
        let mut object = Object::new(env)?;
        object.set("fault", self.status.name())?;
        object.set("number", self.status.number())?;
        object.set("statusCode", u32::from(self.status.http_status()))?;
        object.set("message", self.message)?;
        for (name, field) in self.fields {
            match field {
                Field::Time(time) => object.set(name, time.as_millis() as f64)?,
                Field::Millis(millis) => object.set(name, millis as f64)?,
                Field::Seconds(seconds) => object.set(name, seconds as f64)?,
                Field::Text(text) => object.set(name, text)?,
            }
        }
        Ok(object)
    }
}

#[allow(unsafe_code)]
impl ToNapiValue for Fault {
    unsafe fn to_napi_value(env: sys::napi_env, fault: Self) -> Result<sys::napi_value> {
        let object = fault.into_object(&Env::from_raw(env))?;
        // SAFETY: the object was made in this environment.
        unsafe { Object::to_napi_value(env, object) }
    }
}
