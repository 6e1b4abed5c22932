//! The command line as a shell sees it: what it prints, and how it exits.
#![cfg(feature = "cli")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

use common::{CLAIMS, HEADER, NOW, SECRET, b64, token, with_claims};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a secret in it, and the program run there.
struct Shell {
    folder: TempDir,
}

impl Shell {
    fn new() -> Self {
        let shell = Self { folder: tempfile::tempdir().unwrap() };
        shell.file("secret", SECRET);
        shell
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signoff"));
        command.current_dir(self.folder.path()).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
        let mut child = self.command(arguments).spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.as_ref().to_vec());
        // The program may answer, or end, before it has read everything.
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        let _closed_early = writer.join().unwrap();
        output
    }

    /// `verify` with the secret, at `NOW`: exit status, lines and standard error.
    fn verify(&self, more: &[&str], input: impl AsRef<[u8]>) -> (i32, Vec<Value>, String) {
        let at = NOW.to_string();
        let fixed = ["verify", "--secret-file", "secret"];
        let when: &[&str] = if more.contains(&"--signature-only") { &[] } else { &["--at", &at] };
        let output = self.run(&[&fixed[..], when, more].concat(), input);
        let lines = String::from_utf8(output.stdout).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.code().unwrap(), lines, String::from_utf8(output.stderr).unwrap())
    }

    fn failure(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments, "");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

fn codes(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["code"].as_str().unwrap_or("ok")).collect()
}

#[test]
fn a_signed_token_verifies_under_the_same_secret() {
    let shell = Shell::new();
    for alg in ["HS256", "HS384", "HS512"] {
        let signed =
            shell.run(&["sign", "--secret-file", "secret", "--alg", alg, "--expires-in", "1d", "{\"sub\":\"42\"}"], "");
        assert_eq!(signed.status.code(), Some(0));
        let output = shell.run(&["verify", "--secret-file", "secret"], &signed.stdout);
        let line: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (output.status.code(), &line["ok"], &line["claims"]["sub"]),
            (Some(0), &Value::from(true), &Value::from("42"))
        );
        let (iat, exp) = (line["claims"]["iat"].as_i64().unwrap(), line["claims"]["exp"].as_i64().unwrap());
        assert_eq!(exp - iat, 86_400);
    }
}

#[test]
fn verdicts_come_one_a_line_in_the_order_of_the_tokens() {
    let shell = Shell::new();
    let (good, expired) = (with_claims(CLAIMS), with_claims(r#"{"exp":1}"#));
    let (status, lines, _) = shell.verify(&[], format!("{good}\n{expired}\r\n\n{good}"));
    assert_eq!(status, 1);
    assert_eq!(codes(&lines), ["ok", "claim-expired", "token-parts", "ok"]);
    assert_eq!(lines[0], serde_json::from_str::<Value>(&format!(r#"{{"ok":true,"claims":{CLAIMS}}}"#)).unwrap());
    assert_eq!(lines[1]["number"], 3001);
    assert!(lines[1]["message"].as_str().unwrap().starts_with("token expired 19,675 days ago"));
    assert_eq!(shell.verify(&[], format!("{good}\n")).0, 0);
}

#[test]
fn lines_are_not_trimmed_beyond_their_ending() {
    let shell = Shell::new();
    let good = with_claims(CLAIMS);
    for (line, code) in [
        (format!(" {good}"), "token-character"),
        (format!("{good} "), "token-character"),
        (format!("{good}\r\r"), "token-character"),
        (format!("Bearer {good}"), "token-character"),
    ] {
        assert_eq!(codes(&shell.verify(&[], format!("{line}\n")).1), [code], "{line:?}");
    }
    assert_eq!(codes(&shell.verify(&[], format!("{good}\r")).1), ["token-character"], "a bare CR ends no line");
}

#[test]
fn a_line_longer_than_memory_should_hold_is_rejected_by_its_length() {
    let shell = Shell::new();
    let good = with_claims(CLAIMS);
    let long = "x".repeat(3_000_000);
    let (status, lines, _) = shell.verify(&[], format!("{good}\n{long}\r\n{good}\n{long}"));
    assert_eq!(status, 1);
    assert_eq!(codes(&lines), ["ok", "token-too-long", "ok", "token-too-long"]);
    assert_eq!(lines[1]["message"], "token is 3000000 bytes long, over the limit of 16384");
    for (bytes, code) in [(16_384, "token-parts"), (16_385, "token-too-long")] {
        for ending in ["\n", "\r\n", ""] {
            assert_eq!(
                codes(&shell.verify(&[], format!("{}{ending}", "x".repeat(bytes))).1),
                [code],
                "{bytes} {ending:?}"
            );
        }
    }
}

#[test]
fn order_is_kept_over_many_batches_and_several_files() {
    let shell = Shell::new();
    let tokens: Vec<String> = (0..20_000).map(|n| with_claims(&format!(r#"{{"exp":1700003600,"n":{n}}}"#))).collect();
    shell.file("first", tokens[..7000].join("\n"));
    shell.file("second", format!("{}\n", tokens[7000..].join("\r\n")));
    let (status, lines, _) = shell.verify(&["first", "second"], "");
    assert_eq!(status, 0);
    assert!(lines.iter().map(|line| line["claims"]["n"].as_i64().unwrap()).eq(0..20_000));
}

#[test]
fn quiet_prints_what_is_rejected_with_its_place_and_a_summary() {
    let shell = Shell::new();
    let (good, expired) = (with_claims(CLAIMS), with_claims(r#"{"exp":1}"#));
    shell.file("tokens", format!("{good}\n{expired}\n{good}\n"));
    let (status, lines, said) = shell.verify(&["--quiet", "tokens"], "");
    assert_eq!((status, lines.len()), (1, 1));
    assert_eq!(
        (&lines[0]["file"], &lines[0]["line"], &lines[0]["code"]),
        (&"tokens".into(), &2.into(), &"claim-expired".into())
    );
    assert!(said.contains("2 accepted, 1 rejected"), "{said}");
}

#[test]
fn no_token_at_all_is_not_a_success() {
    let shell = Shell::new();
    let (status, lines, said) = shell.verify(&[], "");
    assert_eq!((status, lines.len()), (2, 0));
    assert!(said.contains("no token was given"), "{said}");
    assert_eq!(codes(&shell.verify(&[], "\n").1), ["token-parts"], "an empty line is an empty token");
}

#[test]
fn signature_only_takes_any_payload_and_says_so_in_every_line() {
    let shell = Shell::new();
    let (bytes, expired) = (token(HEADER, b"\xff\x00"), with_claims(r#"{"exp":1}"#));
    let (status, lines, _) = shell.verify(&["--signature-only"], format!("{bytes}\n{expired}\n{expired}x\n"));
    assert_eq!(status, 1);
    assert!(lines.iter().all(|line| line["signature_only"] == true));
    assert_eq!(lines[0]["payload"], "/wA=");
    assert_eq!(codes(&lines), ["ok", "ok", "signature-length"]);
}

#[test]
fn a_payload_with_line_endings_in_it_stays_on_one_line() {
    let shell = Shell::new();
    let (status, lines, _) = shell.verify(&[], with_claims("{\n\"exp\": 1700003600,\r\n \"a\": \"\\n\"\n}\n"));
    assert_eq!(status, 0);
    assert_eq!(lines[0]["claims"]["a"], "\n");
}

#[test]
fn one_line_ending_of_a_raw_secret_is_left_out_and_said() {
    let shell = Shell::new();
    let good = with_claims(CLAIMS);
    for ending in ["\n", "\r\n"] {
        shell.file("secret", [SECRET, ending.as_bytes()].concat());
        let (status, _, said) = shell.verify(&[], &good);
        assert_eq!(status, 0);
        assert!(said.contains("line ending"), "{said}");
    }
    shell.file("secret", [SECRET, b"\n\n"].concat());
    assert_eq!(codes(&shell.verify(&[], &good).1), ["signature-invalid"], "only one is left out");
}

#[test]
fn a_secret_may_be_written_as_base64url_or_hex_or_stand_in_a_jwks() {
    let shell = Shell::new();
    let good = with_claims(CLAIMS);
    shell.file("secret", format!("{}\n", b64(SECRET)));
    assert_eq!(shell.verify(&["--secret-format", "base64url"], &good).0, 0);
    let hex: String = SECRET.iter().map(|byte| format!("{byte:02X}")).collect();
    shell.file("secret", hex);
    assert_eq!(shell.verify(&["--secret-format", "hex"], &good).0, 0);
    let jwk = format!(r#"{{"kty":"oct","alg":"HS256","k":"{}"}}"#, b64(SECRET));
    for (name, json) in [("jwk", jwk.clone()), ("jwks", format!(r#"{{"keys":[{jwk},{{"kty":"RSA"}}]}}"#))] {
        shell.file(name, json);
        let output = shell.run(&["verify", "--jwks", name, "--at", &NOW.to_string()], &good);
        assert_eq!(output.status.code(), Some(0), "{name}");
    }
}

#[test]
fn policy_options_reach_the_engine() {
    let shell = Shell::new();
    let claims = r#"{"iss":"i","aud":"a","iat":1699999000,"exp":1700000000}"#;
    let typed = token(r#"{"alg":"HS256","typ":"at+jwt"}"#, claims);
    for (options, code) in [
        (&["--leeway", "1s", "--insecure-any-audience"][..], "ok"),
        (&["--leeway", "1s"], "claim-audience"),
        (&[], "claim-expired"),
        (&["--leeway", "1s", "--issuer", "i", "--audience", "a", "--typ", "at+jwt"], "ok"),
        (&["--leeway", "1s", "--audience", "a", "--issuer", "x", "--issuer", "i"], "ok"),
        (&["--leeway", "1s", "--issuer", "x"], "claim-issuer"),
        (&["--leeway", "1s", "--audience", "x"], "claim-audience"),
        (&["--leeway", "1s", "--audience", "a", "--typ", "JWT"], "claim-type"),
        (&["--leeway", "1s", "--audience", "a", "--max-age", "15min"], "claim-too-old"),
        (&["--leeway", "1s", "--alg", "HS512"], "key-not-found"),
    ] {
        assert_eq!(codes(&shell.verify(options, &typed).1), [code], "{options:?}");
    }
    let endless = with_claims("{}");
    assert_eq!(codes(&shell.verify(&[], &endless).1), ["claim-missing"]);
    assert_eq!(codes(&shell.verify(&["--insecure-allow-missing-exp"], &endless).1), ["ok"]);
}

#[test]
fn a_call_that_is_wrong_exits_with_2_and_says_what_to_do() {
    let shell = Shell::new();
    shell.file("short", "hunter2");
    shell.file("pem", "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n");
    shell.file("not-hex", "xyz");
    for (arguments, text) in [
        (&["verify"][..], "--secret-file"),
        (&["verify", "--secret-file", "short"], "--insecure-allow-short-secret"),
        (&["verify", "--secret-file", "pem"], "PEM"),
        (&["verify", "--secret-file", "not-hex", "--secret-format", "hex"], "hexadecimal"),
        (&["verify", "--jwks", "short"], "JWKS"),
        (&["verify", "--secret-file", "secret", "--leeway", "5"], "unit"),
        (&["verify", "--secret-file", "secret", "--leeway", "6min"], "5 minutes"),
        (&["verify", "--secret-file", "secret", "--at", "0"], "0 is not a time"),
        (&["verify", "--secret-file", "secret", "--at", "1700000000000"], "milliseconds"),
        (&["verify", "--secret-file", "secret", "--issuer", ""], "issuer"),
        (&["verify", "--secret-file", "secret", "--signature-only", "--issuer", "i"], "cannot be used with"),
        (&["sign", "--secret-file", "secret", "{}"], "--expires-in"),
        (&["sign", "--secret-file", "secret", "--expires-in", "1d", "{\"exp\":1}"], "exp of their own"),
        (&["sign", "--secret-file", "secret", "--expires-in", "1d", "nonsense"], "not JSON"),
        (&["sign", "--secret-file", "secret", "--alg", "none", "--expires-in", "1d", "{}"], "HS256"),
        (&["frobnicate"], "unrecognized"),
        (&[], "Usage"),
    ] {
        let (status, said) = shell.failure(arguments);
        assert_eq!(status, 2, "{arguments:?}: {said}");
        assert!(said.contains(text), "{arguments:?}: {said}");
    }
    assert_eq!(
        shell.run(&["verify", "--secret-file", "short", "--insecure-allow-short-secret"], "x\n").status.code(),
        Some(1)
    );
}

#[test]
fn a_file_that_is_not_there_exits_with_3_and_names_it() {
    let shell = Shell::new();
    for arguments in [
        &["verify", "--secret-file", "missing"][..],
        &["verify", "--jwks", "missing"],
        &["verify", "--secret-file", "secret", "missing"],
        &["sign", "--secret-file", "missing", "--expires-in", "1d", "{}"],
    ] {
        let (status, said) = shell.failure(arguments);
        assert_eq!(status, 3, "{arguments:?}");
        assert!(said.contains("missing: "), "{said}");
    }
}

#[test]
fn lines_from_a_pipe_are_answered_before_it_closes() {
    let shell = Shell::new();
    let mut child = shell.command(&["verify", "--secret-file", "secret", "--at", &NOW.to_string()]).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    for _ in 0..3 {
        writeln!(stdin, "{}", with_claims(CLAIMS)).unwrap();
        let mut answer = vec![0; format!("{{\"ok\":true,\"claims\":{CLAIMS}}}\n").len()];
        stdout.read_exact(&mut answer).unwrap();
        assert!(answer.ends_with(b"}}\n"));
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn whoever_stops_reading_ends_the_program_quietly() {
    let shell = Shell::new();
    shell.file("tokens", format!("{}\n", with_claims(CLAIMS)).repeat(100_000));
    let mut child =
        shell.command(&["verify", "--secret-file", "secret", "--at", &NOW.to_string(), "tokens"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 64]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn inspect_shows_a_token_and_says_that_nothing_was_verified() {
    let shell = Shell::new();
    shell.file("short", "hunter2\n");
    let at = NOW.to_string();
    let inspect = |token: &str, more: &[&str]| {
        let output = shell.run(&[&["inspect", "--at", &at][..], more, &[token]].concat(), "");
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (status, shown) = inspect(&with_claims(r#"{"exp":1700010800,"iat":1699999958,"jti":"a"}"#), &[]);
    assert_eq!(status, 0);
    for text in ["NOTHING WAS VERIFIED", HEADER, "expires in 3 h", "issued 42 s ago", "2023-11-15T01:13:20Z"] {
        assert!(shown.contains(text), "{text} in {shown}");
    }
    assert!(!shown.contains("warning"), "{shown}");
    for (claims, warning) in [
        ("{}", "no exp"),
        ("{}", "no jti"),
        (r#"{"exp":1700010800000}"#, "exp looks like milliseconds"),
        (r#"{"exp":"tomorrow"}"#, "exp is not a time"),
        ("[]", "not a JSON object"),
    ] {
        assert!(
            inspect(&with_claims(claims), &[]).1.contains(&format!("warning: {warning}"))
                || inspect(&with_claims(claims), &[]).1.contains(warning),
            "{warning}"
        );
    }
    assert!(
        inspect(&with_claims(CLAIMS), &["--secret-file", "short"])
            .1
            .contains("short secret: 7 bytes where HS256 wants 32")
    );
    assert!(inspect(&format!("{}.e30.", b64(r#"{"alg":"none"}"#)), &[]).1.contains("alg is none"));
    let (status, shown) = inspect("not a token", &[]);
    assert_eq!(status, 1);
    assert!(shown.contains("not a signed token") && shown.contains("token-parts"), "{shown}");
}

#[test]
fn inspect_prints_nothing_that_a_terminal_would_act_on() {
    let shell = Shell::new();
    let nasty = with_claims("{\"exp\":1700010800,\"a\":\"\u{9b}31m\u{202e}\u{7f}\"}");
    let output = shell.run(&["inspect", "-"], nasty);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("\\u{202e}") && !shown.contains(['\u{9b}', '\u{202e}', '\u{7f}', '\u{1b}']), "{shown}");
}

#[test]
fn the_demo_gives_every_verdict_that_it_must() {
    let shell = Shell::new();
    let output = shell.run(&["demo"], "");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    for text in ["190000  good", "claim-expired", "made by other libraries", "times its HMAC", "verify --secret-file"] {
        assert!(shown.contains(text), "{text} in {shown}");
    }
}
