//! Logging out on the command line: what is printed, how it exits, and what is left behind.
#![cfg(feature = "cli")]

mod common;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use common::{SECRET, with_claims};
use serde_json::Value;
use signoff::Times;
use tempfile::TempDir;

struct Shell {
    folder: TempDir,
}

impl Shell {
    fn new() -> Self {
        let shell = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(shell.path("secret"), SECRET).unwrap();
        shell
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Exit status, standard output, standard error.
    fn run(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signoff"));
        answer(command.current_dir(self.folder.path()).args(arguments), input)
    }

    fn verify(&self, token: &str) -> (i32, Value) {
        let (exit, out, _) = self.run(&["verify", "--secret-file", "secret", "--log", "l.db"], token);
        (exit, serde_json::from_str(&out).unwrap())
    }

    fn revoke(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        self.run(&[&["revoke", "--create", "--log", "l.db"], arguments].concat(), input)
    }

    fn is_refused(&self, token: &str) -> bool {
        let (exit, line) = self.verify(token);
        assert_eq!(exit, if line["ok"] == true { 0 } else { 1 });
        // Which of the two depends on how long ago the token was issued.
        let is_log_out = ["token-revoked", "token-too-soon"].iter().any(|code| line["code"] == **code);
        assert!(line["ok"] == true || is_log_out, "{line}");
        line["ok"] == false
    }
}

fn answer(command: &mut Command, input: &str) -> (i32, String, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _may_have_ended = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn token(rest: &str) -> String {
    let now = Times::now().wall().as_secs();
    with_claims(&format!(r#"{{"iat":{},"exp":{}{rest}}}"#, now - 60, now + 3600))
}

#[test]
fn verify_never_makes_a_log_and_revoke_does_where_that_is_said() {
    let shell = Shell::new();
    let (exit, out, error) = shell.run(&["verify", "--secret-file", "secret", "--log", "l.db"], &token(""));
    assert_eq!((exit, out.as_str()), (3, ""));
    assert!(error.contains("there is no log here"), "{error}");
    assert!(!shell.path("l.db").exists());
    for command in ["list", "stats", "compact"] {
        assert_eq!(shell.run(&[command, "--log", "l.db"], "").0, 3, "{command}");
        assert!(!shell.path("l.db").exists(), "{command}");
    }
    let (exit, out, error) = shell.revoke(&["--session", "s"], "");
    assert_eq!((exit, out.trim()), (0, r#"{"ok":true,"outcome":"recorded","durability":"file"}"#));
    assert!(error.contains("made an empty one"), "{error}");
    assert!(!shell.revoke(&["--session", "s"], "").2.contains("made"));
}

#[test]
fn each_way_to_log_out_ends_what_it_names_and_nothing_else() {
    let shell = Shell::new();
    shell.revoke(&["--session", "nobody"], "");
    let tokens = [r#","jti":"a""#, "", r#","sid":"s""#, r#","sub":"u""#, r#","sub":"u","jti":"k""#].map(token);
    assert!(tokens.iter().all(|token| !shell.is_refused(token)));
    // From standard input, so that it stays out of the history; with the line ending that echo adds.
    assert_eq!(shell.revoke(&["--secret-file", "secret", "-"], &format!("{}\n", tokens[0])).0, 0);
    assert_eq!(shell.revoke(&["--secret-file", "secret", &tokens[1]], "").0, 0);
    assert_eq!(shell.revoke(&["--session", "s"], "").0, 0);
    assert_eq!(shell.revoke(&["--subject", "u", "--keep", "k", "--reason", "password changed"], "").0, 0);
    let refused: Vec<_> = tokens.iter().map(|token| shell.is_refused(token)).collect();
    assert_eq!(refused, [true, true, true, true, false]);
    let again = shell.revoke(&["--session", "s"], "");
    assert_eq!(again.1.trim(), r#"{"ok":true,"outcome":"already-covered"}"#);
}

#[test]
fn a_token_id_is_taken_as_it_is_or_as_list_prints_it() {
    let shell = Shell::new();
    let (plain, anonymous) = (token(r#","jti":"a""#), token(""));
    shell.revoke(&["--token-id", "a"], "");
    shell.revoke(&["--secret-file", "secret", &anonymous], "");
    assert!(shell.is_refused(&plain) && shell.is_refused(&anonymous));
    let (_, out, _) = shell.run(&["list", "--log", "l.db"], "");
    let values: Vec<Value> =
        out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["value"].clone()).collect();
    assert_eq!(values[0], "jti:a");
    for value in &values {
        let listed = value.as_str().unwrap();
        let (_, out, _) = shell.revoke(&["--token-id", listed, "--keep-until", "2000000000"], "");
        assert!(out.contains("already-covered") || listed.starts_with("sha256:"), "{listed}: {out}");
    }
}

#[test]
fn everything_is_ended_only_with_yes_and_it_is_told_what_ends() {
    let shell = Shell::new();
    let old = token("");
    shell.revoke(&["--session", "nobody"], "");
    let (exit, out, error) = shell.revoke(&["--everything-before", "2100-01-01T00:00:00Z"], "");
    assert_eq!((exit, out.as_str()), (2, ""));
    assert!(error.contains("2100-01-01") && error.contains("any issuer") && error.contains("--yes"), "{error}");
    assert!(!shell.is_refused(&old));
    assert_eq!(shell.revoke(&["--everything-before", "2100-01-01T00:00:00Z", "--yes"], "").0, 2, "in the future");
    let now = Times::now().wall().as_secs().to_string();
    assert_eq!(shell.revoke(&["--everything-before", &now, "--issuer", "other", "--yes"], "").0, 0);
    assert!(!shell.is_refused(&old));
    assert_eq!(shell.revoke(&["--everything-before", &now, "--yes"], "").0, 0);
    assert!(shell.is_refused(&old));
}

#[test]
fn a_file_is_worked_through_and_each_line_is_answered_in_order() {
    let shell = Shell::new();
    let tokens: Vec<_> = (0..500).map(|n| token(&format!(r#","jti":"t{n}""#))).collect();
    let mut lines = tokens.clone();
    lines.insert(250, "not a token".to_owned());
    let (exit, out, error) = shell.revoke(&["--secret-file", "secret", "--tokens", "-"], &lines.join("\n"));
    assert_eq!(exit, 1);
    assert!(error.contains("500 recorded, 0 already covered, 0 already expired, 1 failed"), "{error}");
    let answers: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(answers.iter().zip(1..).all(|(answer, line)| answer["line"] == line));
    assert_eq!((answers.len(), &answers[250]["code"]), (501, &Value::from("token-parts")));
    assert!(shell.is_refused(&tokens[0]) && shell.is_refused(&tokens[499]));

    fs::write(shell.path("ids"), "a\nb\n").unwrap();
    assert_eq!(shell.revoke(&["--token-ids", "ids"], "").0, 0);
    fs::write(shell.path("empty"), "").unwrap();
    assert_eq!(shell.revoke(&["--token-ids", "empty"], "").0, 2);
    assert_eq!(shell.revoke(&["--token-ids", "none"], "").0, 3);
}

#[test]
fn nobody_reading_any_more_is_no_panic() {
    let shell = Shell::new();
    shell.revoke(&["--session", "s"], "");
    for command in
        [&["demo"][..], &["list", "--log", "l.db"], &["compact", "--log", "l.db"], &["stats", "--log", "l.db"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_signoff"))
            .current_dir(shell.folder.path())
            .args(command)
            .stdout(writer)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(3) && !error.contains("panicked"), "{command:?}: {error}");
    }
}

#[test]
fn slips_are_refused_before_anything_is_done() {
    let shell = Shell::new();
    shell.revoke(&["--session", "s"], "");
    for arguments in [
        &["--subject", ""][..],
        &["--session", "s", "--keep", "x"],
        &["--session", "s", "--subject", "u"],
        &["--session", "s", "--keep-until", "tomorrow"],
        &["--session", "s", "--keep-until", "1700000000000"],
        &["--subject", "u", "--issuer", ""],
        &[],
        &["some token"],
    ] {
        let (exit, out, error) = shell.revoke(arguments, "");
        assert_eq!((exit, out.as_str()), (2, ""), "{arguments:?}: {error}");
    }
    let (exit, _, error) = shell.revoke(&["--secret-file", "secret", "-"], "");
    assert_eq!(exit, 2, "{error}");
    assert_eq!(shell.run(&["list", "--log", "l.db"], "").1.lines().count(), 1);
}

#[test]
fn list_and_stats_show_what_is_there() {
    let shell = Shell::new();
    shell.revoke(&["--subject", "u", "--issuer", "i", "--keep", "k", "--keep-until", "2051-01-01T00:00:00Z"], "");
    let (_, out, _) = shell.run(&["list", "--log", "l.db"], "");
    let record: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&record["scope"], &record["issuer"]), (&Value::from("subject"), &Value::from("i")));
    assert_eq!(record["keep"], serde_json::json!(["k"]));
    assert_eq!(record["keep_until"], "2051-01-01T00:10:00.000Z", "ten minutes for leeway and clocks");
    let (_, out, _) = shell.run(&["stats", "--log", "l.db"], "");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["revocations"]["subject"], 1);
    let (_, out, _) = shell.run(&["stats", "--prometheus", "--log", "l.db"], "");
    assert!(out.contains("signoff_revocations{scope=\"subject\"} 1\n"), "{out}");
    assert_eq!(shell.run(&["compact", "--log", "l.db"], "").1, "0 expired revocations deleted\n");
}

/// A service that is running follows what an operator does on the command line.
#[test]
fn a_revocation_of_another_process_is_refused_by_an_engine_that_is_running() {
    let shell = Shell::new();
    shell.revoke(&["--session", "nobody"], "");
    let policy = signoff::Policy::new();
    let engine = signoff::Engine::open(common::keys(), policy, signoff::Log::sqlite(shell.path("l.db"))).unwrap();
    let (mine, other) = (token(r#","jti":"mine""#), token(r#","jti":"other""#));
    assert!(engine.verify_owned(&mine).is_ok_and(|accepted| accepted.issued_at().is_some()));
    assert_eq!(shell.revoke(&["--token-id", "mine"], "").0, 0);
    let started = std::time::Instant::now();
    while engine.verify_owned(&mine).map_or_else(|denied| denied.status(), |_| signoff::Status::Done)
        != signoff::Status::TokenRevoked
    {
        assert!(started.elapsed().as_secs() < 30, "the engine does not follow");
        std::thread::yield_now();
    }
    assert!(engine.verify_owned(&other).is_ok_and(|accepted| accepted.issued_at().is_some()));
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let shell = Shell::new();
    let first = token(r#","jti":"first""#);
    shell.revoke(&["--secret-file", "secret", &first], "");
    let ids: String = (0..20_000).map(|n| format!("{n:0>200}\n")).collect();
    fs::write(shell.path("ids"), ids).unwrap();
    // A limit on the size of a file is what a full disk looks like to a process.
    let script = format!(
        "trap '' XFSZ; ulimit -f 600; exec '{}' revoke --log l.db --token-ids ids",
        env!("CARGO_BIN_EXE_signoff")
    );
    let (exit, out, error) = answer(Command::new("bash").current_dir(shell.folder.path()).args(["-c", &script]), "");
    assert_eq!(exit, 3, "{error}");
    let recorded = out.lines().filter(|line| line.contains("recorded\"")).count();
    assert!(out.contains("not-durable") || out.contains("indeterminate"), "{error}");
    // What was acknowledged is there, the log opens, and there is room again.
    let (exit, list, _) = shell.run(&["list", "--log", "l.db"], "");
    assert_eq!(exit, 0);
    assert!(list.lines().count() > recorded.min(20_000) / 2 && list.lines().count() >= recorded, "{recorded}");
    assert!(shell.is_refused(&first));
    assert_eq!(shell.revoke(&["--token-ids", "ids"], "").0, 0);
}

/// As root a file mode stops nobody, so that the program runs as a user who may not write.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_may_only_be_read_is_told_so() {
    use std::os::unix::fs::PermissionsExt;
    let shell = Shell::new();
    shell.revoke(&["--session", "s"], "");
    let as_root = fs::metadata("/proc/self").unwrap().permissions().mode() != 0 && is_root();
    fs::set_permissions(shell.folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(shell.path("l.db"), fs::Permissions::from_mode(0o444)).unwrap();
    // Where the tests run from a folder that others may not enter, a copy of the program is needed.
    let program = tempfile::tempdir().unwrap();
    fs::set_permissions(program.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = program.path().join("signoff");
    fs::copy(env!("CARGO_BIN_EXE_signoff"), &copy).unwrap();
    let arguments = ["revoke", "--log", "l.db", "--session", "t"];
    let (exit, _, error) = match as_root {
        true => answer(
            Command::new("setpriv")
                .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
                .arg(&copy)
                .args(arguments)
                .current_dir(shell.folder.path()),
            "",
        ),
        false => answer(Command::new(&copy).args(arguments).current_dir(shell.folder.path()), ""),
    };
    fs::set_permissions(shell.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(exit, 3, "{error}");
    assert!(error.contains("can't be written to") || error.contains("permission denied"), "{error}");
}

#[cfg(target_os = "linux")]
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

#[test]
fn a_line_that_is_no_text_is_named_and_the_others_are_recorded() {
    let shell = Shell::new();
    std::fs::write(shell.path("ids"), b"a\n\xff\nb\n").unwrap();
    let (exit, out, told) = shell.run(&["revoke", "--create", "--log", "l.db", "--token-ids", "ids"], "");
    assert_eq!(exit, 1, "{told}");
    let lines: Vec<_> = out.lines().collect();
    assert!(lines.len() == 3 && lines[1].contains(r#""line":2,"ok":false"#) && lines[1].contains("not UTF-8"), "{out}");
    assert!(told.contains("2 recorded") && told.contains("1 failed"), "{told}");
}

#[test]
fn a_backup_is_made_and_put_back_by_commands_and_a_loss_has_to_be_said_yes_to() {
    let shell = Shell::new();
    shell.revoke(&["--session", "a"], "");
    let (exit, out, _) = shell.run(&["backup", "--log", "l.db", "b.db"], "");
    assert_eq!((exit, out.as_str()), (0, "b.db: 1 revocations\n"));
    let (exit, _, told) = shell.run(&["backup", "--log", "l.db", "b.db"], "");
    assert!(exit == 2 && told.contains("there is a file here already"), "{told}");
    shell.revoke(&["--session", "b"], "");
    let (exit, _, told) = shell.run(&["restore", "--log", "l.db", "b.db"], "");
    assert!(exit == 2 && told.contains("l.db has 1 revocations that b.db lacks") && told.contains("--yes"), "{told}");
    let (_, out, _) = shell.run(&["list", "--log", "l.db"], "");
    assert_eq!(out.lines().count(), 2);
    let (exit, out, _) = shell.run(&["restore", "--yes", "--log", "l.db", "b.db"], "");
    assert_eq!((exit, out.as_str()), (0, "l.db: 1 revocations, 1 lost\n"));
    let (_, out, _) = shell.run(&["list", "--log", "l.db"], "");
    assert_eq!(out.lines().count(), 1);
}

#[test]
fn what_list_prints_can_be_erased() {
    let shell = Shell::new();
    for subject in ["alice", "bob"] {
        assert_eq!(shell.run(&["revoke", "--create", "--log", "l.db", "--subject", subject], "").0, 0);
    }
    let list = || shell.run(&["list", "--log", "l.db"], "").1;
    let all = list();
    let (alice, bob) = all.split_once('\n').unwrap();
    let erase =
        |lines: &str, yes: &[&str]| shell.run(&[&["erase", "--log", "l.db", "--records", "-"], yes].concat(), lines);
    let (exit, out, told) = erase(alice, &[]);
    assert!(exit == 2 && out.is_empty() && told.contains("1 of the 1 ") && told.contains("--yes"), "{told}");
    assert_eq!(list(), all);
    // Where the line has a space more it is the same, and what is not there is told.
    let spelled = format!("{}\n\n{}\n", alice.replace(",\"", ", \""), bob.trim().replace("bob", "carol"));
    let (exit, out, told) = erase(&spelled, &["--yes"]);
    assert_eq!((exit, out.as_str()), (1, "1 erased from l.db\n"), "{told}");
    assert_eq!((told.as_str(), list().as_str()), ("signoff: line 3: the log has no such revocation\n", bob));
    for (lines, wrong) in [("", "there is no line"), ("alice\n", "line 1 is not as"), ("{\n", "line 1 is not as")] {
        let (exit, _, told) = erase(lines, &["--yes"]);
        assert!(exit == 2 && told.contains(wrong), "{told}");
    }
    assert_eq!(list(), bob);
}

#[test]
fn the_longest_lifetime_is_shown_raised_and_replaced() {
    let shell = Shell::new();
    assert_eq!(shell.run(&["create", "--log", "l.db", "--longest-lifetime", "1h"], "").0, 0);
    let lifetime = |arguments: &[&str]| shell.run(&[&["lifetime", "--log", "l.db"], arguments].concat(), "");
    assert_eq!(lifetime(&[]).1, "tokens may live 1 h\n");
    for _ in 0..2 {
        let (exit, told, _) = lifetime(&["--raise", "30d"]);
        assert!(exit == 0 && told.starts_with("tokens may live 1 h; those that are issued from 20"), "{told}");
        assert!(told.ends_with(" on 30 d\n"), "{told}");
    }
    let (exit, _, told) = lifetime(&["--raise", "60d"]);
    assert!(exit == 3 && told.contains("again in 1 h "), "{told}");
    let (exit, _, told) = lifetime(&["--insecure-replace", "2h"]);
    assert!(exit == 2 && told.contains("--yes"), "{told}");
    assert_eq!(lifetime(&["--insecure-replace", "2h", "--yes"]).1, "tokens may live 2 h\n");
    let none = "tokens may live for ever, and log-outs of users are kept for ever\n";
    assert_eq!(lifetime(&["--insecure-replace", "none", "--yes"]).1, none);
    let (exit, _, told) = lifetime(&["--raise", "60d"]);
    assert!(exit == 2 && told.contains("nothing to raise"), "{told}");
}
