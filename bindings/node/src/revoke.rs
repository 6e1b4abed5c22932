//! Logging out: from what JavaScript asks for to a promise that the log's writer settles.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use napi::Env;
use napi::bindgen_prelude::Object;
use parking_lot::Mutex;
use serde::Deserialize;
use signoff::{Engine, Error, Issuer, Revocation, Revoked, Revoking, Status, Times, TokenId, UnixTime, VouchedToken};

use crate::error::Fault;
use crate::{outcome_names, promise};

/// A revocation as `lib/revocation.js` writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Asked {
    target: Target,
    #[serde(default, deserialize_with = "issuer")]
    issuer: Issuer,
    issued_before_ms: Option<i64>,
    keep: Vec<String>,
    keep_until_ms: Option<i64>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Target {
    Token(String),
    /// A token whose signature JavaScript has verified.
    Vouched(String),
    /// A `jti`.
    TokenId(String),
    /// An id as `verifyDetailed` and the log print it: `jti:…` or `sha256:…`.
    PrintedTokenId(String),
    Session(String),
    Subject(String),
    Everything,
}

fn issuer<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Issuer, D::Error> {
    // Left out it is not asked for: any.
    Ok(Option::<String>::deserialize(value)?.map_or(Issuer::Absent, Issuer::Named))
}

impl Asked {
    pub(crate) fn read(json: &str) -> Result<Revocation, Fault> {
        let asked: Self =
            serde_json::from_str(json).map_err(|error| Fault::new(Status::Argument, format!("revocation: {error}")))?;
        let mut revocation = match asked.target {
            Target::Token(token) => Revocation::token_text(token),
            Target::Vouched(token) => Revocation::vouched_token(VouchedToken::insecure_verified_elsewhere(&token)),
            Target::TokenId(jti) => Revocation::token_id(jti),
            Target::PrintedTokenId(id) => match TokenId::from_printed(&id) {
                Some(token_id) => Revocation::token_id(token_id),
                None => return Err(Fault::new(Status::Argument, "printed is no \"jti:…\" or \"sha256:…\"")),
            },
            Target::Session(sid) => Revocation::session(sid),
            Target::Subject(sub) => Revocation::subject(sub),
            Target::Everything => Revocation::everything(),
        };
        revocation = revocation.issuer(asked.issuer);
        if let Some(millis) = asked.issued_before_ms {
            revocation = revocation.issued_before(UnixTime::from_millis(millis));
        }
        for id in asked.keep {
            revocation = revocation.keep(id);
        }
        if let Some(millis) = asked.keep_until_ms {
            revocation = revocation.keep_until(UnixTime::from_millis(millis));
        }
        Ok(match asked.reason {
            Some(reason) => revocation.reason(reason),
            None => revocation,
        })
    }
}

/// A promise of what became of a revocation. The log's writer settles it: no thread waits.
pub(crate) fn revoke<'env>(
    env: &'env Env,
    engine: &Engine,
    revocation: Revocation,
    times: Option<Times>,
) -> napi::Result<Object<'env>> {
    let (settle, promise) = promise::settler(env, outcome_names::revoked)?;
    let revoking = match times {
        Some(times) => engine.revoke_async_at(revocation, times),
        None => engine.revoke_async(revocation),
    };
    let settle: Settle = Box::new(settle);
    Arc::new(Pending { revoking: Mutex::new(revoking), settle: Mutex::new(Some(settle)) }).poll();
    Ok(promise)
}

type Settle = Box<dyn FnOnce(Result<Revoked, Fault>) + Send>;

/// A revocation on its way, polled by whoever completes it.
struct Pending {
    revoking: Mutex<Revoking>,
    settle: Mutex<Option<Settle>>,
}

impl Pending {
    fn poll(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let polled: Poll<Result<Revoked, Error>> =
            Pin::new(&mut *self.revoking.lock()).poll(&mut Context::from_waker(&waker));
        if let Poll::Ready(outcome) = polled
            && let Some(settle) = self.settle.lock().take()
        {
            settle(outcome.map_err(Fault::from));
        }
    }
}

impl Wake for Pending {
    fn wake(self: Arc<Self>) {
        self.poll();
    }
}
