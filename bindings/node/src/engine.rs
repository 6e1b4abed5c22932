//! The engine as a JavaScript object. Each belongs to one JavaScript thread; several may stand for one engine.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use napi::bindgen_prelude::{Object, ToNapiValue, Uint8Array, Unknown};
use napi::{Env, JsValue, Result};
use napi_derive::napi;
use serde::Deserialize;
use serde_json::json;
use signoff::{ClockTrust, Engine, NewToken, Status, Times, UnixTime, VouchedToken};

use crate::error::Fault;
use crate::options::{Options, Parts};
use crate::revoke::Asked;
use crate::verifier::{Held, JsToken, Open, lend};
use crate::{outcome_names, promise, revoke, shared_engines, strings, verifier};

/// One JavaScript thread's hold on an engine, until it is closed.
#[napi]
pub struct NativeEngine {
    held: Held,
}

/// The thread on which engines end: the last one on a log waits for the log's threads.
static CLOSER: LazyLock<Sender<Arc<Engine>>> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::channel::<Arc<Engine>>();
    // Where no thread can be had, the receiver goes, and engines end where they are let go of.
    let _detached =
        std::thread::Builder::new().name("signoff-close".to_owned()).spawn(move || receiver.into_iter().for_each(drop));
    sender
});

fn drop_elsewhere(engine: Arc<Engine>) {
    // A channel without a receiver gives the engine back, to be dropped here.
    drop(CLOSER.send(engine));
}

impl Drop for NativeEngine {
    fn drop(&mut self) {
        self.close();
    }
}

fn open(parts: Parts) -> std::result::Result<Arc<Engine>, Fault> {
    let Parts { keys, policy, log } = parts;
    let engine = match log {
        Some(log) => Engine::open(keys, policy, log),
        None => Engine::new(keys, policy),
    };
    Ok(Arc::new(engine?))
}

fn millis(time: Option<UnixTime>) -> Option<i64> {
    time.map(UnixTime::as_millis)
}

fn at(millis: Option<f64>) -> Option<Times> {
    millis.map(|millis| Times::at(UnixTime::from_millis(millis as i64)))
}

impl NativeEngine {
    fn of(engine: Arc<Engine>) -> Self {
        Self { held: Rc::new(RefCell::new(Some(Open::new(engine)))) }
    }

    /// Calls with the open engine; a closed one and a panic are faults.
    fn with<'env>(
        &self,
        env: &Env,
        work: impl FnOnce(&mut Open) -> Result<std::result::Result<Unknown<'env>, Fault>>,
    ) -> Result<Unknown<'env>> {
        let answer = match self.held.borrow_mut().as_mut() {
            Some(open) => match catch_unwind(AssertUnwindSafe(|| work(open))) {
                Ok(answer) => answer?,
                Err(_) => Err(Fault::panicked()),
            },
            None => Err(Fault::closed()),
        };
        match answer {
            Ok(value) => Ok(value),
            Err(fault) => unknown(env, fault.into_object(env)?),
        }
    }
}

fn unknown<'env>(env: &Env, value: impl ToNapiValue) -> Result<Unknown<'env>> {
    strings::unknown(env, value)
}

fn json<'env>(env: &Env, value: &serde_json::Value) -> Result<Unknown<'env>> {
    strings::string(env, &value.to_string())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignOptions {
    expires_in_ms: Option<u64>,
    insecure_never_expires: bool,
    key_id: Option<String>,
    token_type: Option<String>,
}

#[napi]
impl NativeEngine {
    /// Opens an engine and waits for it. Returns it, or a fault.
    #[napi(catch_unwind)]
    pub fn open_sync(env: &Env, options: String, secrets: Vec<Uint8Array>) -> Result<Unknown<'_>> {
        match Options::read(&options, &secrets).and_then(open) {
            Ok(engine) => unknown(env, Self::of(engine)),
            Err(fault) => unknown(env, fault),
        }
    }

    /// Opens an engine on a thread of its own.
    #[napi(catch_unwind)]
    pub fn open(env: &Env, options: String, secrets: Vec<Uint8Array>) -> Result<Object<'_>> {
        let parts = Options::read(&options, &secrets);
        promise::on_a_thread(env, "signoff-open", move || parts.and_then(open), Self::of)
    }

    /// The engine that a handle of `share` names, or a fault.
    #[napi(catch_unwind)]
    pub fn attach(env: &Env, handle: String) -> Result<Unknown<'_>> {
        match shared_engines::attach(&handle) {
            Ok(engine) => unknown(env, Self::of(engine)),
            Err(fault) => unknown(env, fault),
        }
    }

    /// The function that verifies: see `verifier.rs`.
    #[napi(catch_unwind)]
    pub fn verifier<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        strings::typed(env, verifier::verifier(env, &self.held)?)
    }

    /// The function that answers with a payload that was seen before.
    #[napi(catch_unwind)]
    pub fn payload_of<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        strings::typed(env, verifier::payload_of(env, &self.held)?)
    }

    /// JSON of all that is known of an accepted token, its payload as text among it; or a fault.
    #[napi(catch_unwind)]
    pub fn verify_details<'env>(
        &self,
        env: &'env Env,
        token: Unknown<'env>,
        length: u32,
        now: Option<f64>,
    ) -> Result<Unknown<'env>> {
        self.with(env, |open| {
            open.verify(
                env.raw(),
                JsToken { value: token.raw(), length: length as usize },
                at(now),
                |_, _, accepted| {
                    json(
                        env,
                        &json!({
                            "payload": accepted.payload(),
                            "tokenId": accepted.token_id().to_string(),
                            "issuedAt": millis(accepted.issued_at()),
                            "expiresAt": millis(accepted.expires_at()),
                            "cleared": outcome_names::cleared(accepted.cleared()),
                        }),
                    )
                },
            )
        })
    }

    /// Whether a token that was verified elsewhere has been logged out: how it is cleared, or a fault.
    #[napi(catch_unwind)]
    pub fn screen<'env>(
        &self,
        env: &'env Env,
        token: Unknown<'env>,
        length: u32,
        now: Option<f64>,
    ) -> Result<Unknown<'env>> {
        self.with(env, |Open { engine, .. }| {
            let max = engine.policy().longest_token_bytes();
            let cleared = lend(|lent| -> Result<_> {
                Ok(match strings::read_token(env.raw(), token.raw(), length as usize, &mut lent.token, max)? {
                    Err(reject) => Err(reject.into()),
                    Ok(bytes) => {
                        let token = VouchedToken::insecure_verified_elsewhere(bytes);
                        match at(now) {
                            Some(times) => engine.screen_at(token, times),
                            None => engine.screen(token),
                        }
                    }
                })
            })?;
            match cleared {
                Ok(cleared) => strings::string(env, outcome_names::cleared(cleared)).map(Ok),
                Err(denied) => Ok(Err(Fault::from(denied))),
            }
        })
    }

    /// Signs: JSON of the token, its id and its times; or a fault.
    #[napi(catch_unwind)]
    pub fn sign<'env>(
        &self,
        env: &'env Env,
        claims: String,
        options: String,
        now: Option<f64>,
    ) -> Result<Unknown<'env>> {
        self.with(env, |Open { engine, .. }| {
            let options: SignOptions = match serde_json::from_str(&options) {
                Ok(options) => options,
                Err(error) => return Ok(Err(Fault::new(Status::Argument, format!("options: {error}")))),
            };
            let mut new = NewToken::from_json(claims);
            if let Some(lifetime) = options.expires_in_ms {
                new = new.expires_in(Duration::from_millis(lifetime));
            }
            if options.insecure_never_expires {
                new = new.insecure_never_expires();
            }
            if let Some(key_id) = options.key_id {
                new = new.key_id(key_id);
            }
            if let Some(token_type) = options.token_type {
                new = new.token_type(token_type);
            }
            let signed = match at(now) {
                Some(times) => engine.sign_at(new, times),
                None => engine.sign(new),
            };
            match signed {
                Err(error) => Ok(Err(Fault::from(error))),
                Ok(signed) => {
                    let signed = json!({
                        "token": signed.token(),
                        "tokenId": signed.token_id(),
                        "issuedAt": signed.issued_at().as_millis(),
                        "expiresAt": millis(signed.expires_at()),
                    });
                    json(env, &signed).map(Ok)
                }
            }
        })
    }

    /// By how many milliseconds the clock of the log's server is ahead of this machine's; 0 where the engine is closed.
    #[napi(catch_unwind)]
    pub fn clock_ahead(&self) -> f64 {
        let ahead = |held: &Option<Open>| held.as_ref().map(|open| open.engine.clock_ahead_millis());
        self.held.try_borrow().ok().and_then(|held| ahead(&held)).unwrap_or(0) as f64
    }

    /// What a token with these claims has to say as `signoff_after`, in seconds; null where nothing, and a fault.
    #[napi(catch_unwind)]
    pub fn signoff_after<'env>(&self, env: &'env Env, claims: String, now: Option<f64>) -> Result<Unknown<'env>> {
        self.with(env, |Open { engine, .. }| {
            let times = at(now).unwrap_or_else(Times::now);
            match engine.signoff_after_at(&claims, times) {
                Ok(after) => json(env, &json!(after.map(|after| after.as_millis() as f64 / 1000.0))).map(Ok),
                Err(error) => Ok(Err(Fault::from(error))),
            }
        })
    }

    /// Logs out: a promise of what became of it, or of a fault.
    #[napi(catch_unwind)]
    pub fn revoke<'env>(&self, env: &'env Env, revocation: String, now: Option<f64>) -> Result<Unknown<'env>> {
        self.with(env, |Open { engine, .. }| match Asked::read(&revocation) {
            Ok(revocation) => unknown(env, revoke::revoke(env, engine, revocation, at(now))?).map(Ok),
            Err(fault) => Ok(Err(fault)),
        })
    }

    /// Another engine, with keys and a policy of its own, on the log of this one; or a fault.
    #[napi(catch_unwind)]
    pub fn on_same_log<'env>(
        &self,
        env: &'env Env,
        options: String,
        secrets: Vec<Uint8Array>,
    ) -> Result<Unknown<'env>> {
        self.with(env, |Open { engine, .. }| {
            let other = Options::read(&options, &secrets)
                .and_then(|Parts { keys, policy, .. }| engine.on_same_log(keys, policy).map_err(Fault::from));
            match other {
                Ok(other) => unknown(env, Self::of(Arc::new(other))).map(Ok),
                Err(fault) => Ok(Err(fault)),
            }
        })
    }

    /// Replaces the keys, for every thread that uses the engine: true, or a fault.
    #[napi(catch_unwind)]
    pub fn replace_keys<'env>(
        &self,
        env: &'env Env,
        options: String,
        secrets: Vec<Uint8Array>,
    ) -> Result<Unknown<'env>> {
        self.with(env, |Open { engine, .. }| match Options::read(&options, &secrets) {
            Ok(Parts { keys, .. }) => {
                engine.replace_keys(keys);
                unknown(env, true).map(Ok)
            }
            Err(fault) => Ok(Err(fault)),
        })
    }

    /// JSON of how the engine is, or a fault.
    #[napi(catch_unwind)]
    pub fn health<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        self.with(env, |Open { engine, .. }| {
            let health = engine.health();
            let unknown = health.unknown.as_ref();
            let fault = health.fault.as_ref();
            let status = json!({
                "ready": health.is_ready(),
                "unknown": unknown.map(|unknown| unknown.status().name()),
                "unknownMessage": unknown.map(ToString::to_string),
                "freshness": health.freshness.map(|age| age.as_millis() as f64),
                "fault": fault.map(|fault| fault.status().name()),
                "faultMessage": fault.map(ToString::to_string),
                "collectionPause": health.collection_pause.as_ref().map(ToString::to_string),
                "note": health.note.map(|note| note.to_string()),
                "watermark": millis(health.watermark),
                "origin": health.origin.map(outcome_names::origin),
                "skippedKeys": engine.skipped_keys().iter().map(|key| json!({
                    "place": key.place(),
                    "keyId": key.key_id(),
                    "reason": key.to_string(),
                    "isSecret": key.is_secret(),
                })).collect::<Vec<_>>(),
            });
            json(env, &status).map(Ok)
        })
    }

    /// JSON of what the engine has done and holds, or a fault.
    #[napi(catch_unwind)]
    pub fn stats<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        self.with(env, |Open { engine, .. }| {
            let stats = engine.stats();
            let verifications: serde_json::Map<_, _> =
                stats.verifications.iter().map(|(status, count)| (status.name().to_owned(), json!(count))).collect();
            let records: serde_json::Map<_, _> =
                stats.records.iter().map(|(scope, count)| (scope.to_string(), json!(count))).collect();
            let stats = json!({
                "verifications": verifications,
                "filterProbes": stats.filter_probes,
                "filterPositives": stats.filter_positives,
                "filterFalsePositives": stats.filter_false_positives,
                "records": records,
                "segments": stats.segments,
                "filtersMissing": stats.filters_missing,
                "merges": stats.merges,
                "mergingMs": stats.merging.as_secs_f64() * 1000.0,
                "indexBytes": stats.index_bytes,
                "logHead": stats.log_head,
                "logApplied": stats.log_applied,
                "logJunk": stats.log_junk,
                "freshness": stats.freshness.map(|age| age.as_millis() as f64),
                "ready": stats.ready,
                "collectionPaused": stats.collection_paused,
            });
            json(env, &stats).map(Ok)
        })
    }

    /// The stats as Prometheus reads them, or a fault.
    #[napi(catch_unwind)]
    pub fn prometheus<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        self.with(env, |Open { engine, .. }| strings::string(env, &engine.stats().prometheus()).map(Ok))
    }

    /// Collects what has expired, on a thread of its own: a promise of JSON, or of a fault.
    #[napi(catch_unwind)]
    pub fn compact<'env>(&self, env: &'env Env, clock_is_right: bool) -> Result<Unknown<'env>> {
        self.with(env, |Open { engine, .. }| {
            let engine = Arc::clone(engine);
            let trust = if clock_is_right { ClockTrust::Confirmed } else { ClockTrust::Doubt };
            let work = move || engine.compact(trust).map_err(Fault::from);
            let finish = |done: signoff::Compaction| {
                json!({ "deleted": done.deleted, "watermark": millis(done.watermark) }).to_string()
            };
            unknown(env, promise::on_a_thread(env, "signoff-compact", work, finish)?).map(Ok)
        })
    }

    /// A text that names the engine in other threads of this process, or a fault.
    #[napi(catch_unwind)]
    pub fn share<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        self.with(env, |Open { engine, .. }| strings::string(env, &shared_engines::share(engine)).map(Ok))
    }

    /// Lets go of the engine. The last one to do so ends it.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        let open = self.held.borrow_mut().take();
        if let Some(Open { engine, .. }) = open {
            drop_elsewhere(engine);
        }
    }
}
