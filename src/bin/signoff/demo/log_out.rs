//! The demo's second half: some users log out, and their old tokens are refused, also after a restart.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use signoff::{Denied, Engine, Error, Log, NewToken, Reject, Revocation, Scratch, Status};

use super::setup::{SECRET, USERS, keys, policy, rate, status};
use crate::{Failure, say};

/// Every hundredth user logs out everywhere.
const EACH: usize = 100;

pub(crate) fn run(good: &[&str]) -> Result<(), Failure> {
    let fault = |error: Error| Failure::Environment(format!("the demo failed: {error}"));
    let folder = Folder::new()?;
    let path = folder.0.join("signoff.db");
    let open = |log: Log| Engine::open(keys(SECRET)?, policy(), log);

    let engine = open(Log::sqlite(&path).create_if_missing()).map_err(fault)?;
    let before = rate_of(&engine, good)?;
    say(format_args!("{} of {USERS} users log out, into {}", USERS / EACH, path.display()))?;
    let leaving: Vec<String> = (0..USERS).step_by(EACH).map(|user| format!("user-{user}")).collect();
    let started = Instant::now();
    for user in &leaving {
        engine.revoke(Revocation::subject(user.as_str()).issuer("https://demo.example")).map_err(fault)?;
    }
    say(format_args!("  each on the disk before the next, {} a second", rate(leaving.len(), started.elapsed())))?;
    tell(&engine, good, &leaving, "  at once")?;

    // Whoever logs in again in the same second is let in.
    let again = NewToken::from_json(r#"{"iss":"https://demo.example","aud":"api","sub":"user-0"}"#);
    let again = engine.sign(again.expires_in(Duration::from_secs(3600))).map_err(fault)?;
    let verdict = engine.verify(&mut Scratch::new(), again.token()).map(|_| ()).map_err(|denied| denied.status());
    if verdict != Ok(()) {
        return Err(wrong("a new log-in of a user who had logged out was refused"));
    }
    say(format_args!("  user-0 logs in again in the same second: accepted"))?;

    drop(engine);
    let engine = open(Log::sqlite(&path)).map_err(fault)?;
    tell(&engine, good, &leaving, "  after the file was opened anew")?;
    let others: Vec<&str> = good.iter().copied().filter(|token| is_accepted(&engine, token)).collect();
    let after = rate_of(&engine, &others)?;
    say(format_args!("  a verification with these log-outs takes {:.2} times one with none\n", before / after))?;
    Ok(())
}

/// Counts the verdicts, each of which must be what the users' log-outs make it.
fn tell(engine: &Engine, good: &[&str], leaving: &[String], when: &str) -> Result<(), Failure> {
    let (mut scratch, mut refused) = (Scratch::new(), 0);
    for token in good {
        match engine.verify(&mut scratch, *token) {
            Ok(accepted) if leaving.iter().any(|user| accepted.subject() == Some(user)) => {
                return Err(wrong("a token of a user who had logged out was accepted"));
            }
            Ok(_) => {}
            // Those that were signed a moment before are told to log in again.
            Err(Denied::Rejected(Reject::Revoked { .. } | Reject::TooSoon { .. })) => refused += 1,
            Err(denied) => return Err(wrong(&denied.to_string())),
        }
    }
    // Of every user there are as many tokens, but that some places hold bad ones.
    if refused == 0 || refused > good.len() / EACH * 2 {
        return Err(wrong(&format!("{refused} tokens were refused")));
    }
    say(format_args!("{when}: {refused} of their old tokens refused, {} of others done", good.len() - refused))?;
    Ok(())
}

fn is_accepted(engine: &Engine, token: &str) -> bool {
    status(&engine.verify(&mut Scratch::new(), token)) == Status::Done
}

/// Verifications a second on one thread: the best of five turns.
fn rate_of(engine: &Engine, tokens: &[&str]) -> Result<f64, Failure> {
    let (mut scratch, mut best) = (Scratch::new(), Duration::MAX);
    for _ in 0..5 {
        let started = Instant::now();
        let accepted = tokens.iter().filter(|token| engine.verify(&mut scratch, **token).is_ok()).count();
        best = best.min(started.elapsed());
        if accepted != tokens.len() {
            return Err(wrong("a good token was refused while it was timed"));
        }
    }
    Ok(tokens.len() as f64 / best.as_secs_f64())
}

fn wrong(what: &str) -> Failure {
    Failure::Environment(format!("the demo failed: {what}; please report it"))
}

/// A folder that goes with the demo.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("signoff-demo-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| Failure::of_file(&path.display().to_string(), &error))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed is the system's to clean up.
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}
