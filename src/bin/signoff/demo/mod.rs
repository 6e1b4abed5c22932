//! `signoff demo`: the main job on real work, every verdict held to what it must be.

mod log_out;
mod setup;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signoff::{Algorithm, Engine, Key, NewToken, Scratch, Status, Times};

use crate::vectors::Vector;
use crate::{Failure, Outcome, say};
use setup::{SECRET, USERS, keys, policy, rate, status};

const TOKENS: usize = 200_000;

const OTHER_SECRET: &str = "another demo secret, of somebody else's";
const PEERS: &str = include_str!("../../../../tests/vectors/peers.json");

/// What was done to a token, and what must become of it.
struct Kind {
    name: &'static str,
    expected: Status,
    /// Of a hundred tokens, how many.
    share: usize,
}

const KINDS: [Kind; 6] = [
    Kind { name: "good", expected: Status::Done, share: 95 },
    Kind { name: "expired", expected: Status::ClaimExpired, share: 1 },
    Kind { name: "claims tampered with", expected: Status::SignatureInvalid, share: 1 },
    Kind { name: "signed with another key", expected: Status::SignatureInvalid, share: 1 },
    Kind { name: "alg: none", expected: Status::HeaderAlgorithm, share: 1 },
    Kind { name: "good, spelled otherwise", expected: Status::TokenBase64, share: 1 },
];

pub(crate) fn run() -> Result<Outcome, Failure> {
    let fault = |error: signoff::Error| Failure::Environment(format!("the demo failed: {error}"));
    let (engine, other) = (engine(SECRET).map_err(fault)?, engine(OTHER_SECRET).map_err(fault)?);

    say(format_args!("signing {TOKENS} tokens, as a service does with its users' log-ins"))?;
    let started = Instant::now();
    let tokens = (0..TOKENS).map(|at| make(&engine, &other, at)).collect::<Result<Vec<_>, _>>().map_err(fault)?;
    say(format_args!("  {} a second\n", rate(TOKENS, started.elapsed())))?;

    let (mut counts, mut wrong) = ([0_usize; KINDS.len()], Vec::new());
    let mut scratch = Scratch::new();
    for (at, (kind, token)) in tokens.iter().enumerate() {
        counts[*kind] += 1;
        let status = status(&engine.verify(&mut scratch, token));
        if status != KINDS[*kind].expected {
            wrong.push(format!("token {at} ({}): {}", KINDS[*kind].name, status.name()));
        }
    }
    let peers =
        Vector::parse(PEERS).map_err(|error| Failure::Environment(format!("tests/vectors/peers.json: {error}")))?;
    wrong.extend(peers.iter().filter_map(Vector::fault));
    let (theirs, twins) = (peers.iter().filter(|v| v.expected == "done").count(), peers.len());

    say(format_args!("{:>8}  {:28} verdict", "tokens", "kind"))?;
    for (kind, count) in KINDS.iter().zip(counts) {
        say(format_args!("{count:>8}  {:28} {}", kind.name, kind.expected.name()))?;
    }
    say(format_args!("{theirs:>8}  {:28} done", "made by other libraries"))?;
    say(format_args!("{:>8}  {:28} each its own", twins - theirs, "their tampered twins"))?;
    say(format_args!(""))?;
    if !wrong.is_empty() {
        for line in wrong.iter().take(20) {
            say(format_args!("WRONG VERDICT: {line}"))?;
        }
        return Err(Failure::Environment(format!(
            "{} verdicts are not the expected ones; please report it",
            wrong.len()
        )));
    }
    show_rates(&engine, &tokens)?;
    let good: Vec<&str> = tokens.iter().filter(|(kind, _)| *kind == 0).map(|(_, token)| token.as_str()).collect();
    log_out::run(&good)?;
    show_six(&engine, &tokens)?;
    Ok(Outcome::Good)
}

fn engine(secret: &str) -> Result<Engine, signoff::Error> {
    Engine::new(keys(secret)?, policy())
}

/// The token at a place, and its kind.
fn make(engine: &Engine, other: &Engine, at: usize) -> Result<(usize, String), signoff::Error> {
    // The last of each hundred are the bad ones.
    let kind = (at % 100 + 1).saturating_sub(KINDS[0].share);
    let claims = format!(r#"{{"iss":"https://demo.example","aud":"api","sub":"user-{}"}}"#, at % USERS);
    let new = NewToken::from_json(claims).expires_in(Duration::from_secs(86_400));
    let now = Times::now();
    let token = match KINDS[kind].name {
        "expired" => {
            let then = Times::at(now.wall().minus(Duration::from_secs(2 * 86_400)));
            engine.sign_at(new, then)?.into_token()
        }
        "signed with another key" => other.sign_at(new, now)?.into_token(),
        name => {
            let token = engine.sign_at(new, now)?.into_token();
            let (head, signature) = token.rsplit_once('.').unwrap_or_default();
            let (_, payload) = head.split_once('.').unwrap_or_default();
            match name {
                "claims tampered with" => replace_in_payload(&token, payload),
                "alg: none" => format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#)),
                "good, spelled otherwise" => format!("{head}.{}", other_spelling(signature)),
                _ => token,
            }
        }
    };
    Ok((kind, token))
}

/// The same token for another user, under the old signature.
fn replace_in_payload(token: &str, payload: &str) -> String {
    let claims = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    let claims = String::from_utf8(claims).unwrap_or_default().replace("\"user-", "\"root-");
    token.replacen(payload, &URL_SAFE_NO_PAD.encode(claims), 1)
}

/// Another text that lenient decoders read as the same signature: its last character, one further.
fn other_spelling(signature: &str) -> String {
    let mut spelling = signature.to_owned();
    // Of 43 characters the last has two bits to spare, so canonical ones are every fourth of the alphabet.
    let last = spelling.pop().unwrap_or_default();
    spelling.push(char::from_u32(u32::from(last) + 1).unwrap_or(last));
    spelling
}

/// Verification on one thread, beside the bare HMAC over the same tokens: the best of five turns each.
fn show_rates(engine: &Engine, tokens: &[(usize, String)]) -> Result<(), Failure> {
    let key =
        Key::hmac(Algorithm::Hs256, SECRET.as_bytes()).map_err(|error| Failure::Environment(error.to_string()))?;
    let good: Vec<&str> = tokens.iter().filter(|(kind, _)| *kind == 0).map(|(_, token)| token.as_str()).collect();
    let signed: Vec<(&str, Vec<u8>)> = good
        .iter()
        .filter_map(|token| token.rsplit_once('.'))
        .map(|(input, signature)| (input, URL_SAFE_NO_PAD.decode(signature).unwrap_or_default()))
        .collect();
    let mut scratch = Scratch::new();
    let (mut whole, mut bare) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let started = Instant::now();
        let accepted = good.iter().filter(|token| engine.verify(&mut scratch, **token).is_ok()).count();
        whole = whole.min(started.elapsed());
        let started = Instant::now();
        let held = signed.iter().filter(|(input, mac)| key.verify(input.as_bytes(), mac).is_ok()).count();
        bare = bare.min(started.elapsed());
        if accepted != good.len() || held != good.len() {
            return Err(Failure::Environment(
                "a good token was rejected while it was timed; please report it".to_owned(),
            ));
        }
    }
    say(format_args!("one thread verifies {} a second", rate(good.len(), whole)))?;
    say(format_args!("bare HMAC-SHA-256   {} a second", rate(good.len(), bare)))?;
    say(format_args!("a verification takes {:.2} times its HMAC\n", whole.as_secs_f64() / bare.as_secs_f64()))?;
    Ok(())
}

fn show_six(engine: &Engine, tokens: &[(usize, String)]) -> Result<(), Failure> {
    let mut scratch = Scratch::new();
    let mut again = String::new();
    for (at, kind) in KINDS.iter().enumerate() {
        let Some((_, token)) = tokens.iter().find(|(kind, _)| *kind == at) else { continue };
        let verdict = match engine.verify(&mut scratch, token) {
            Ok(accepted) => format!("accepted: {}", accepted.subject().unwrap_or_default()),
            Err(denied) => format!("{}: {denied}", denied.status().name()),
        };
        say(format_args!("{:28} {}…{}\n{:28} {verdict}", kind.name, &token[..20], &token[token.len() - 8..], ""))?;
        if kind.name == "claims tampered with" {
            again = command(token);
        }
    }
    say(format_args!("\nthe third of them again:\n\n{again}"))
}

/// A command for a POSIX shell that needs no file.
fn command(token: &str) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "signoff".to_owned());
    let mut text = String::new();
    let _infallible = write!(text, "echo {token} |\n  {program} verify --secret-file /dev/fd/3 3<<'.'\n{SECRET}\n.");
    text
}
