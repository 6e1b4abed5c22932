//! One verification after the other, and nothing else: for `valgrind --tool=callgrind`, which counts instructions exactly,
//! whatever else the machine does. `make bench-instructions` runs it twice a case, and prints what one verification takes.

use std::hint::black_box;
use std::time::Duration;

use signoff::{Algorithm, Engine, Key, KeySet, Log, NewToken, Policy, Revocation, Scratch, Threads};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(case), Some(count)) = (arguments.next(), arguments.next().and_then(|count| count.parse().ok())) else {
        // `cargo bench` and `cargo test` run every benchmark.
        println!("instructions: see `make bench-instructions`");
        return;
    };
    let key = Key::hmac(Algorithm::Hs256, b"0123456789abcdef0123456789abcdef").unwrap();
    let policy = Policy::new().issuer("https://id.example").audience("api");
    let keys = KeySet::new([key]).unwrap();
    let log = Log::memory().threads(Threads::None).max_staleness(Duration::from_secs(1 << 30));
    let engine = match case.as_str() {
        "no-log" | "no-log-900" => Engine::new(keys, policy).unwrap(),
        _ => Engine::open(keys, policy, log).unwrap(),
    };
    let filler = if case.ends_with("900") { "x".repeat(780) } else { String::new() };
    let claims = format!(
        r#"{{"iss":"https://id.example","aud":"api","sub":"12345678901234567","jti":"8f14e45f-ceea-467f-a0e6-3d2b1c0f9a77","x":"{filler}"}}"#
    );
    let token = engine.sign(NewToken::from_json(claims).expires_in(Duration::from_secs(36_000))).unwrap().into_token();
    if case != "no-log" && case != "no-log-900" {
        for n in 0..5000 {
            engine.revoke(Revocation::token_id(format!("another {n}"))).unwrap();
        }
        engine.revoke(Revocation::session("another")).unwrap();
    }
    match case.as_str() {
        "subject-with-one-cut-off" => {
            engine
                .revoke(Revocation::subject("12345678901234567").keep("8f14e45f-ceea-467f-a0e6-3d2b1c0f9a77"))
                .unwrap();
        }
        "another-subject" => {
            engine.revoke(Revocation::subject("another")).unwrap();
        }
        _ => {}
    }
    let mut scratch = Scratch::new();
    for _ in 0..count {
        black_box(engine.verify(&mut scratch, black_box(&token)).unwrap());
    }
}
