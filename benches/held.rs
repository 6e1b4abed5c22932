//! How long `revoke_async` keeps its caller while another process holds the log's file for four seconds.
//!
//! `cargo bench --bench held`. In turn: a token that is good, one that has expired and is in the log, one that has expired
//! and is not, a token id, and a subject. With the engine's own threads, and with none.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use signoff::{Algorithm, Engine, Key, KeySet, Log, NewToken, Policy, Revocation, Revoking, Scratch, Threads, Times};

const CALLS: usize = 10_000;
const HELD: Duration = Duration::from_secs(4);

fn main() {
    if let Some(path) = std::env::var_os("SIGNOFF_HOLDS") {
        return hold(Path::new(&path));
    }
    for (name, threads) in [("own threads", Threads::Own), ("no threads", Threads::None)] {
        measure(name, threads);
    }
}

/// Holds the file's write lock, says so, and lets go.
fn hold(path: &Path) {
    let file = rusqlite::Connection::open(path).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    println!("held");
    std::thread::sleep(HELD);
    file.execute_batch("COMMIT").unwrap();
}

fn held_by_another(path: &Path) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program).env("SIGNOFF_HOLDS", path).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 4];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
    child
}

fn measure(name: &str, threads: Threads) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signoff.db");
    let keys = KeySet::new([Key::hmac(Algorithm::Hs256, &[7; 32]).unwrap()]).unwrap();
    let log = Log::sqlite(&path).create_if_missing().threads(threads).append_timeout(Duration::from_secs(30));
    let engine = Engine::open(keys, Policy::new(), log).unwrap();
    let tokens: Vec<String> = (0..CALLS).map(|n| token(&engine, n)).collect();
    let mut scratch = Scratch::new();
    let _accepted = engine.verify(&mut scratch, tokens[0].as_bytes()).unwrap();

    let mut holder = held_by_another(&path);
    let (mut took, mut under_way) = (Vec::with_capacity(CALLS), Vec::<Revoking>::with_capacity(CALLS));
    let begun = Instant::now();
    for (n, token) in tokens.iter().enumerate() {
        let revocation = match n % 5 {
            0..=2 => Revocation::token_text(token.as_str()),
            3 => {
                Revocation::token_id(format!("id-{n}")).keep_until(Times::now().wall().plus(Duration::from_secs(3600)))
            }
            _ => Revocation::subject(format!("subject-{n}")),
        };
        let started = Instant::now();
        let revoking = engine.revoke_async(revocation);
        took.push(started.elapsed());
        under_way.push(revoking);
        // All through the time that the file is held.
        std::thread::sleep(HELD.mul_f64(0.9) / u32::try_from(CALLS).unwrap());
    }
    assert!(begun.elapsed() < HELD * 3);
    let outcomes = under_way.into_iter().map(|mut revoking| revoking.wait(Duration::from_secs(30)));
    let answered = outcomes.filter(|outcome| matches!(outcome, Some(Ok(_)))).count();
    assert!(holder.wait().unwrap().success());
    took.sort();
    println!(
        "{name}: {CALLS} calls, {answered} answered, median {:.1?}, 99th {:.1?}, slowest {:.1?}",
        took[CALLS / 2],
        took[CALLS * 99 / 100],
        took[CALLS - 1]
    );
}

/// A token for each call: every fifth is recorded already, and has expired by the time it is logged out again.
fn token(engine: &Engine, n: usize) -> String {
    let is_good = n.is_multiple_of(5);
    let lifetime = Duration::from_secs(if is_good { 3600 } else { 1 });
    let json = format!(r#"{{"sub":"{n}","jti":"8f14e45f-ceea-467f-a0e6-{n:012}"}}"#);
    let issued = Times::now().wall();
    let past = if is_good { issued } else { issued.minus(Duration::from_secs(600)) };
    let token = NewToken::from_json(json).expires_in(lifetime);
    let signed = engine.sign_at(token, Times::at(past)).unwrap().into_token();
    if n % 5 == 1 && n < 500 {
        let _recorded = engine.revoke_at(Revocation::token_text(signed.as_str()), Times::at(past)).unwrap();
    }
    signed
}
