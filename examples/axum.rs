//! A web service with a log-out that works: `cargo run --example axum`.
//!
//! `POST /login` gives a token, `GET /me` wants one, `POST /logout` ends it, and `POST /logout/everywhere` ends all
//! others of the user and keeps this one.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use signoff::{Accepted, Algorithm, Denied, Engine, Error, Key, KeySet, Log, NewToken, Policy, Revocation};

/// A token that was accepted. A handler that names it is called for no other.
struct SignedIn(Arc<Accepted<'static>>);

impl FromRequestParts<Engine> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, engine: &Engine) -> Result<Self, Response> {
        let token = bearer(&parts.headers).ok_or_else(|| unauthorized("Bearer"))?;
        match engine.verify_owned(token) {
            Ok(accepted) => Ok(Self(Arc::new(accepted))),
            // Why is for our log. Whoever sent it learns that it is no good, and nothing else.
            Err(Denied::Rejected(_)) => Err(unauthorized("Bearer error=\"invalid_token\"")),
            // Nobody is logged out by a fault of ours.
            Err(Denied::Unavailable(_)) => Err((StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")]).into_response()),
        }
    }
}

/// RFC 6750 section 2.1. The scheme is compared whatever its case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_start_matches(' '))
}

fn unauthorized(challenge: &'static str) -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)]).into_response()
}

/// An error of ours: the log can't be written, say. The user is still logged in, and must learn it.
struct Fault(Error);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        eprintln!("{}", self.0);
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")]).into_response()
    }
}

/// Whoever can say who he is gets a token. Yours asks for a password here.
async fn login(State(engine): State<Engine>, Json(body): Json<Value>) -> Result<Response, Fault> {
    let Some(user) = body["user"].as_str().filter(|user| !user.is_empty()) else {
        return Ok((StatusCode::BAD_REQUEST, "send {\"user\": \"…\"}").into_response());
    };
    let claims = json!({ "iss": "https://example", "aud": "example", "sub": user });
    let signed = engine.sign(NewToken::from_claims(&claims).expires_in(Duration::from_secs(86_400)))?;
    Ok(Json(json!({ "token": signed.token() })).into_response())
}

async fn me(SignedIn(token): SignedIn) -> Json<Value> {
    Json(json!({ "user": token.subject() }))
}

/// Answers when the log-out is on the disk, and not before.
async fn logout(State(engine): State<Engine>, SignedIn(token): SignedIn) -> Result<StatusCode, Fault> {
    engine.revoke_async(Revocation::token(&token)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// After a change of the password: everywhere else.
async fn logout_everywhere(State(engine): State<Engine>, SignedIn(token): SignedIn) -> Result<StatusCode, Fault> {
    let subject = token.subject().unwrap_or_default();
    engine.revoke_async(Revocation::subject(subject).issuer(token.issuer()).keep(&*token)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The service, on an engine.
pub(crate) fn service(engine: Engine) -> Router {
    Router::new()
        .route("/login", post(login))
        .route("/me", get(me))
        .route("/logout", post(logout))
        .route("/logout/everywhere", post(logout_everywhere))
        .with_state(engine)
}

/// An engine for the service's own tokens, which live for a day at most.
pub(crate) fn engine(secret: &[u8], log: Log) -> Result<Engine, Error> {
    let keys = KeySet::new([Key::hmac(Algorithm::Hs256, secret)?])?;
    let policy = Policy::new().issuer("https://example").audience("example");
    Engine::open(keys, policy, log.longest_lifetime(Duration::from_secs(86_400)))
}

#[tokio::main]
#[allow(dead_code)] // The test that includes this file calls the service itself.
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = std::env::var("SECRET").map_err(|_| "set SECRET to at least 32 characters")?;
    let engine = engine(secret.as_bytes(), Log::sqlite("signoff.db").create_if_missing())?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(axum::serve(listener, service(engine)).await?)
}
