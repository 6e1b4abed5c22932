//! The example of a web service: its log-out ends the token, its copies, and nobody else's.
#![cfg(feature = "sqlite")]

#[path = "../examples/axum.rs"]
mod example;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use signoff::Log;
use tower::ServiceExt;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

async fn call(
    service: &Router,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("bearer {token}"));
    }
    let response = service.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, headers, String::from_utf8(text.to_vec()).unwrap())
}

async fn login(service: &Router, user: &str) -> String {
    let (status, _, body) = call(service, "POST", "/login", None, &format!(r#"{{"user":"{user}"}}"#)).await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_str::<serde_json::Value>(&body).unwrap()["token"].as_str().unwrap().to_owned()
}

async fn me(service: &Router, token: &str) -> StatusCode {
    call(service, "GET", "/me", Some(token), "").await.0
}

#[tokio::test]
async fn a_copied_token_is_refused_after_log_out_here_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signoff.db");
    let service = example::service(example::engine(SECRET, Log::sqlite(&path).create_if_missing()).unwrap());
    let (alice, bob) = (login(&service, "alice").await, login(&service, "bob").await);
    let copy = alice.clone();
    let (status, _, body) = call(&service, "GET", "/me", Some(&alice), "").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, r#"{"user":"alice"}"#));

    assert_eq!(call(&service, "POST", "/logout", Some(&alice), "").await.0, StatusCode::NO_CONTENT);
    let (status, headers, body) = call(&service, "GET", "/me", Some(&copy), "").await;
    assert_eq!((status, body.as_str()), (StatusCode::UNAUTHORIZED, ""));
    assert_eq!(headers["www-authenticate"], "Bearer error=\"invalid_token\"");
    assert_eq!(me(&service, &bob).await, StatusCode::OK);

    drop(service);
    let service = example::service(example::engine(SECRET, Log::sqlite(&path)).unwrap());
    assert_eq!((me(&service, &copy).await, me(&service, &bob).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
}

#[tokio::test]
async fn log_out_everywhere_keeps_this_login_and_lets_a_new_one_in_at_once() {
    let service = example::service(example::engine(SECRET, Log::memory()).unwrap());
    let (here, phone, bob) =
        (login(&service, "alice").await, login(&service, "alice").await, login(&service, "bob").await);
    assert_eq!(call(&service, "POST", "/logout/everywhere", Some(&here), "").await.0, StatusCode::NO_CONTENT);
    let again = login(&service, "alice").await;
    for (token, expected) in [(here, true), (phone, false), (bob, true), (again, true)] {
        assert_eq!(me(&service, &token).await == StatusCode::OK, expected);
    }
}

#[tokio::test]
async fn without_a_token_there_is_a_challenge_and_garbage_is_invalid() {
    let service = example::service(example::engine(SECRET, Log::memory()).unwrap());
    let (status, headers, _) = call(&service, "GET", "/me", None, "").await;
    assert_eq!((status, headers["www-authenticate"].to_str().unwrap()), (StatusCode::UNAUTHORIZED, "Bearer"));
    assert_eq!(me(&service, "garbage").await, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&service, "POST", "/logout", Some("garbage"), "").await.0, StatusCode::UNAUTHORIZED);
}
