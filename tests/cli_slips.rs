//! Slips on the command line: none of them succeeds, and each is answered with what to do.
#![cfg(feature = "cli")]

mod common;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use common::{CLAIMS, NOW, SECRET, b64, with_claims};
use tempfile::TempDir;

struct Shell {
    folder: TempDir,
}

/// Exit status, standard output, standard error.
type Answer = (i32, String, String);

impl Shell {
    fn new() -> Self {
        let shell = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(shell.path("secret"), SECRET).unwrap();
        shell
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signoff"));
        command.current_dir(self.folder.path()).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str], input: &str) -> Answer {
        let mut child = self.command(arguments).spawn().unwrap();
        let _may_have_ended = child.stdin.take().unwrap().write_all(input.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    /// The names of the files that are there, but for the secret.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "secret");
        names.sort();
        names
    }
}

fn live_token() -> String {
    let now = signoff::Times::now().wall().as_secs();
    with_claims(&format!(r#"{{"iat":{},"exp":{},"jti":"a"}}"#, now - 60, now + 3600))
}

#[test]
fn a_list_in_another_encoding_and_names_that_are_nearly_right_log_nobody_out() {
    let shell = Shell::new();
    shell.run(&["create", "--log", "l.db"], "");
    let utf16: Vec<u8> = "alice\nbob\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, bytes) in [
        ("utf16", &utf16[..]),
        ("bom", "\u{feff}alice\n".as_bytes()),
        ("cr", b"alice\rbob\r\n"),
        ("blank", b" alice\n"),
    ] {
        fs::write(shell.path(name), bytes).unwrap();
        let (exit, out, _) = shell.run(&["revoke", "--log", "l.db", "--subjects", name], "");
        assert!(exit == 1 && !out.contains("recorded"), "{name}: {out}");
    }
    for arguments in [
        &["--subject", " 42"][..],
        &["--subject", "-"],
        &["--session", "null"],
        &["--subject", "\"42\""],
        &["--subject", "42\u{200b}"],
        &["--subject", "u", "--issuer", "https://a "],
        &["--subject", "u", "--keep", "jti:k"],
        &["--subject", "u", "--keep", " k"],
        &["--token-id", "eyJhbGciOiJIUzI1NiJ9.e30"],
        &["--subject", "42\n"],
        &["--token-id", "sha256:abc"],
        &["--token-id", "a", "--keep-until", "2020-01-01"],
        &["--subject", "u", "--keep-until", "2020-01-01"],
        &["--everything-before", "20261127", "--yes"],
        &["--everything-before", "1", "--yes"],
    ] {
        let (exit, out, error) = shell.run(&[&["revoke", "--log", "l.db"], arguments].concat(), "");
        assert_eq!((exit, out.as_str()), (2, ""), "{arguments:?}: {error}");
    }
    assert_eq!(shell.run(&["list", "--log", "l.db"], "").1, "", "nothing was recorded");
}

#[test]
fn what_list_prints_can_be_read_back_whole() {
    let shell = Shell::new();
    for log in ["a.db", "b.db"] {
        shell.run(&["create", "--log", log], "");
    }
    let revoke = |arguments: &[&str]| {
        let answer = shell.run(&[&["revoke", "--log", "a.db"], arguments].concat(), "");
        assert_eq!(answer.0, 0, "{arguments:?}: {}", answer.2);
    };
    revoke(&["--token-id", "a", "--reason", "lost"]);
    revoke(&["--session", "s", "--issuer", "https://a"]);
    revoke(&["--subject", "u", "--keep", "k", "--keep", "l"]);
    revoke(&["--everything-before", "2026-01-31T12:00:00Z", "--keep", "m", "--yes"]);
    revoke(&["--secret-file", "secret", &with_claims(r#"{"exp":4000000000,"jti":"x\ny"}"#)]);
    let listed = shell.run(&["list", "--log", "a.db"], "").1;
    let (exit, out, _) = shell.run(&["revoke", "--log", "b.db", "--records", "-"], &listed);
    assert!(exit == 1 && out.contains("say --yes"), "{out}");
    assert_eq!(shell.run(&["revoke", "--log", "b.db", "--records", "-", "--yes"], &listed).0, 0);
    let without_time = |text: &str| {
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let mut lines: Vec<String> = lines
            .map(|mut line| {
                for name in ["recorded_at", "keep_until"] {
                    line.as_object_mut().unwrap().remove(name);
                }
                line.to_string()
            })
            .collect();
        lines.sort();
        lines
    };
    let again = shell.run(&["list", "--log", "b.db"], "").1;
    assert_eq!(without_time(&again), without_time(&listed));
    // Forgotten, or a field that is not known: nothing is guessed.
    for line in [
        r#"{"scope":"subject"}"#,
        r#"{"scope":"subject","value":"u","more":1}"#,
        "alice",
        r#"{"scope":"token","value":"a"}"#,
    ] {
        let (exit, out, _) = shell.run(&["revoke", "--log", "b.db", "--records", "-"], line);
        assert!(exit == 1 && out.contains("\"ok\":false"), "{line}: {out}");
    }
    let (exit, out, _) = shell.run(&["revoke", "--log", "b.db", "--subjects", "-"], &listed);
    assert!(exit == 1 && out.contains("--records") && !out.contains("recorded\"}"), "{out}");
}

#[cfg(unix)]
#[test]
fn what_is_no_text_is_refused_and_shows_no_password() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let shell = Shell::new();
    let odd = |front: &str| [front.as_bytes(), b"\xff@127.0.0.1:1/0"].concat();
    for arguments in [vec![b"list".to_vec(), b"--log".to_vec(), odd("redis://u:hunter2")], vec![odd("hunter2")]] {
        let mut command = shell.command(&[]);
        let output = command.args(arguments.iter().map(|argument| OsStr::from_bytes(argument))).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{said}");
        assert!(!said.contains("u:hunter2"), "{said}");
    }
}

#[test]
fn a_server_that_can_not_be_reached_has_no_log() {
    let shell = Shell::new();
    for place in ["redis://127.0.0.1:1/0", "valkey://127.0.0.1:1"] {
        for arguments in [&["create", "--log", place][..], &["revoke", "--create", "--session", "s", "--log", place]] {
            let (exit, out, error) = shell.run(arguments, "");
            assert_eq!((exit, out.as_str()), (3, ""), "{error}");
            assert!(error.contains("Connection refused"), "{error}");
        }
    }
}

#[test]
fn a_log_has_no_name_that_belongs_to_sqlite() {
    let shell = Shell::new();
    shell.run(&["create", "--log", "l.db"], "");
    for name in ["l.db-wal", "l.db-shm", "l.db-journal", ":memory:", "-", "file:l.db", "l.db ", "l.db\r"] {
        for arguments in [&["create", "--log", name][..], &["revoke", "--create", "--session", "s", "--log", name]] {
            let (exit, out, error) = shell.run(arguments, "");
            assert_eq!((exit, out.as_str()), (2, ""), "{name:?}: {error}");
        }
    }
    assert_eq!(shell.files(), ["l.db"]);
}

#[test]
fn what_was_given_for_a_file_by_mistake_is_not_repeated() {
    let shell = Shell::new();
    let (token, secret) = (live_token(), "NdzCnM7aKb2vTjQ0WkH8sPq4LrYx1uZe");
    for arguments in [
        &["verify", "--secret-file", secret][..],
        &["verify", "--secret-file", &token],
        &["verify", "--jwks", r#"{"keys":[{"kty":"oct","k":"NdzCnM7aKb2vTjQ0WkH8sPq4LrYx1uZe"}]}"#],
        &["revoke", "--log", "l.db", "--subjects", &token],
        &["revoke", "--log", "l.db", &token, &token],
        &["list", &token],
        &["inspect", &token, &token],
        &[&token],
        &["verify", "--secret-format", secret],
        &["verify", "--claim", &token],
        &["revoke", "--log", &token, "--subject", "42"],
        &["revoke", "--log", "l.db", "--subject", "42", "--nothing", &token],
        &["verify", "--secret-file", "NdzCnM7a battery staple is my pass"],
        &["list", "--log", "redis;//u:NdzCnM7a@h/0"],
    ] {
        let (exit, out, error) = shell.run(arguments, "");
        assert!(exit >= 2 && out.is_empty(), "{arguments:?}");
        assert!(!error.contains(&token) && !error.contains("NdzCnM7a"), "{arguments:?}: {error}");
    }
}

#[test]
fn a_token_that_has_expired_is_signed_only_where_a_time_is_given() {
    let shell = Shell::new();
    let sign = |arguments: &[&str]| shell.run(&[&["sign", "--secret-file", "secret"], arguments].concat(), "");
    let (exit, out, error) = sign(&[r#"{"exp":1700003600}"#]);
    assert_eq!((exit, out.as_str()), (2, ""));
    assert!(error.contains("--at"), "{error}");
    assert_eq!(sign(&["--at", "2023-11-14T22:13:20Z", r#"{"exp":1700003600}"#]).0, 0);
}

#[test]
fn a_log_is_made_only_where_that_is_said() {
    let shell = Shell::new();
    for target in [
        &["--session", "s"][..],
        &["--subject", "u"],
        &["--token-id", "a"],
        &["--everything-before", "1700000000", "--yes"],
    ] {
        let (exit, out, error) = shell.run(&[&["revoke", "--log", "typo.db"], target].concat(), "");
        assert_eq!((exit, out.as_str()), (3, ""), "{error}");
        assert!(error.contains("no log here") && error.contains("signoff create"), "{error}");
    }
    assert_eq!(shell.files(), [""; 0], "nothing was made");

    let (exit, out, _) = shell.run(&["create", "--log", "l.db", "--longest-lifetime", "30d"], "");
    assert_eq!((exit, out.as_str()), (0, "l.db: made an empty log\n"));
    let (exit, _, error) = shell.run(&["create", "--log", "l.db"], "");
    assert_eq!(exit, 2);
    assert!(error.contains("there is a log here already"), "{error}");
    assert_eq!(shell.run(&["revoke", "--log", "l.db", "--session", "s"], "").0, 0);
    let (exit, _, error) = shell.run(&["revoke", "--create", "--log", "m.db", "--session", "s"], "");
    assert_eq!(exit, 0);
    assert!(error.contains("made an empty one"), "{error}");
}

#[test]
fn a_revocation_that_fails_leaves_no_file() {
    let shell = Shell::new();
    let create = |rest: &[&str], input: &str| {
        let answer =
            shell.run(&[&["revoke", "--create", "--log", "l.db", "--secret-file", "secret"], rest].concat(), input);
        assert_eq!(shell.files(), [""; 0], "{rest:?}: {answer:?}");
        answer
    };
    let forged = format!("{}x", live_token());
    assert_eq!(create(&[&forged], "").0, 1);
    assert_eq!(create(&["-"], &forged).0, 1);
    assert_eq!(create(&["--session", ""], "").0, 2);
    assert_eq!(create(&["--session", "s", "--keep", "x"], "").0, 2);
    assert_eq!(create(&["--tokens", "nowhere.txt"], "").0, 3);
    assert_eq!(create(&["--tokens", "-"], "").0, 2);
    let (exit, out, error) = create(&["--tokens", "-"], &format!("{forged}\nnot a token\n"));
    assert_eq!((exit, out.lines().count()), (1, 2), "{error}");
    // The first good line makes it, and every line is answered.
    let (exit, out, _) = shell.run(
        &["revoke", "--create", "--log", "l.db", "--secret-file", "secret", "--tokens", "-"],
        &format!("{forged}\n{}\n", live_token()),
    );
    assert_eq!(exit, 1);
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["line"].as_u64(), lines[1]["line"].as_u64()), (Some(1), Some(2)));
    assert_eq!((&lines[0]["ok"], &lines[1]["outcome"]), (&false.into(), &"recorded".into()));
}

#[test]
fn what_was_meant_for_a_url_is_no_file_name_and_shows_no_password() {
    let shell = Shell::new();
    for place in [
        "valkey:user:hunter2@h",
        "redis:h",
        "http://user:hunter2@h",
        "user:hunter2@h:6379",
        "h:6379",
        "10.0.0.5",
        "[::1]:6379",
        "file:///l.db",
    ] {
        for arguments in [
            &["create", "--log", place][..],
            &["revoke", "--create", "--session", "s", "--log", place],
            &["revoke", "--everything-before", "1700000000", "--log", place],
            &["verify", "--secret-file", "secret", "--log", place],
            &["list", "--log", place],
            &["stats", "--log", place],
            &["compact", "--log", place],
            &["backup", "--log", place, "b.db"],
            &["restore", "--log", place, "secret"],
        ] {
            let (exit, out, error) = shell.run(arguments, &live_token());
            assert!(exit >= 2 && out.is_empty(), "{arguments:?}: {exit} {out}{error}");
            assert!(!error.contains("hunter2"), "{arguments:?}: {error}");
            assert_eq!(shell.files(), [""; 0], "{arguments:?}");
        }
    }
    // Nobody listens there, which is what it says, in any case of the scheme.
    for place in ["REDIS://user:hunter2@127.0.0.1:1", "valkey://:hunter2@127.0.0.1:1/0"] {
        let (exit, _, error) = shell.run(&["list", "--log", place], "");
        assert_eq!(exit, 3);
        assert!(error.contains("redis://127.0.0.1:1") && !error.contains("hunter2"), "{error}");
    }
}

/// A password in an argument would be read by every user of the machine, from the list of processes.
#[cfg(target_os = "linux")]
#[test]
fn the_title_of_the_process_shows_no_password() {
    let shell = Shell::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://user:hunter2@127.0.0.1:{}", listener.local_addr().unwrap().port());
    for arguments in [vec!["list", "--log", &url], vec!["list", &format!("--log={url}")].into_iter().collect()] {
        let mut child = shell.command(&arguments).spawn().unwrap();
        // It has connected, and so it is what it will be.
        let (_connection, _) = listener.accept().unwrap();
        let title = fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(title.contains("redis://user@127.0.0.1") && !title.contains("hunter2"), "{title}");
    }
}

/// What looks like a URL with a password is one in the place of a log alone.
#[test]
fn a_name_that_looks_like_a_url_is_logged_out_as_it_is() {
    let shell = Shell::new();
    shell.run(&["create", "--log", "l.db"], "");
    let name = "https://user:1@id.example/42";
    for arguments in
        [&["--subject", name][..], &["--session", name], &["--subject", "u", "--issuer", name, "--keep", name]]
    {
        assert_eq!(shell.run(&[&["revoke", "--log", "l.db"], arguments].concat(), "").0, 0, "{arguments:?}");
    }
    let listed = shell.run(&["list", "--log", "l.db"], "").1;
    assert_eq!(listed.matches(name).count(), 4, "{listed}");
}

#[test]
fn a_token_and_a_file_of_tokens_are_not_mistaken_for_one_another() {
    let shell = Shell::new();
    let token = live_token();
    let (exit, out, error) = shell.run(&["verify", "--secret-file", "secret", &token], "");
    assert_eq!((exit, out.as_str()), (2, ""));
    assert!(error.contains("pipe it in") && !error.contains(&token), "{error}");
    shell.run(&["create", "--log", "l.db"], "");
    fs::write(shell.path("token.txt"), &token).unwrap();
    let (exit, _, error) = shell.run(&["revoke", "--log", "l.db", "--secret-file", "secret", "token.txt"], "");
    assert_eq!(exit, 2);
    assert!(error.contains("--tokens"), "{error}");
    let (exit, _, error) = shell.run(&["revoke", "--log", "l.db", "--secret-file", "secret", "tokens"], "");
    assert_eq!(exit, 2);
    assert!(error.contains("--tokens"), "{error}");
    // A whole token is neither an id nor a session nor a subject.
    for option in ["--token-id", "--session", "--subject"] {
        let (exit, out, error) = shell.run(&["revoke", "--log", "l.db", option, &token], "");
        assert_eq!((exit, out.as_str()), (2, ""));
        assert!(error.contains("is a whole token") && !error.contains(&token), "{error}");
    }
    let (exit, _, error) = shell.run(&["revoke", "--log", "l.db", "--subject", "u", "--keep", &token], "");
    assert_eq!(exit, 2);
    assert!(error.contains("is a whole token"), "{error}");
}

#[test]
fn a_token_whose_signature_holds_is_called_ours_and_told_what_is_odd() {
    let shell = Shell::new();
    shell.run(&["create", "--log", "l.db"], "");
    for (claims, odd) in [
        (r#"{"exp":"soon"}"#, "\"exp\" is a text"),
        (r#"{"exp":1700003600,"jti":9007199254740993}"#, "beyond 2^53 - 1"),
        (r#"{"exp":1700003600,"exp":1700003600}"#, "\"exp\" is there twice"),
        ("[]", "not a JSON object"),
    ] {
        let (exit, _, error) =
            shell.run(&["revoke", "--log", "l.db", "--secret-file", "secret", "-"], &with_claims(claims));
        assert_eq!(exit, 1);
        assert!(error.contains("signed with a key of ours") && error.contains(odd), "{claims}: {error}");
    }
    let forged = format!("{}A", &live_token()[..live_token().len() - 1]);
    let (_, _, error) = shell.run(&["revoke", "--log", "l.db", "--secret-file", "secret", "-"], &forged);
    assert!(error.contains("not one of ours"), "{error}");
    // Whatever `verify` may take as an id, a token with a number for one can be logged out.
    let (exit, out, _) = shell.run(
        &["revoke", "--log", "l.db", "--secret-file", "secret", "-"],
        &with_claims(r#"{"exp":4000000000,"jti":7}"#),
    );
    assert_eq!((exit, out.trim()), (0, r#"{"ok":true,"outcome":"recorded","durability":"file"}"#));
}

#[test]
fn every_message_that_names_an_option_leads_to_one() {
    let shell = Shell::new();
    fs::write(shell.path("short"), "hunter2").unwrap();
    fs::write(shell.path("base64"), format!("{}\n", base64_of(SECRET))).unwrap();
    fs::write(shell.path("url"), b64(SECRET)).unwrap();
    fs::write(shell.path("hex"), SECRET.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).unwrap();
    let good = with_claims(CLAIMS);
    for format in ["base64", "base64url", "hex"] {
        let file = if format == "base64url" { "url" } else { format };
        let (exit, out, error) =
            shell.run(&["verify", "--at", &NOW.to_string(), "--secret-file", file, "--secret-format", format], &good);
        assert_eq!(exit, 0, "{format}: {out}{error}");
    }
    for (arguments, option) in [
        (&["verify", "--secret-file", "short"][..], "`--insecure-allow-short-secret`"),
        (&["verify", "--secret-file", "hex", "--secret-format", "base64url", "--issuer", ""], "`--issuer`"),
        (&["sign", "--secret-file", "secret", "{}"], "`--expires-in`"),
        (&["sign", "--secret-file", "secret", "{}"], "`--insecure-never-expires`"),
        (&["sign", "--secret-file", "secret", "--expires-in", "1h", r#"{"sub":42}"#], "`--numeric-ids`"),
        (&["sign", "--secret-file", "secret", "--expires-in", "1h", r#"{"exp":1700003600}"#], "`--expires-in`"),
        (&["verify", "--secret-file", "secret", "--log", "nowhere.db"], "`signoff create`"),
    ] {
        let (exit, _, error) = shell.run(arguments, &good);
        assert!(exit >= 2 && error.contains(option), "{arguments:?}: {error}");
    }
    for (claims, option) in [
        (r#"{"exp":1700003600,"aud":"a"}"#, "`--audience`"),
        (r#"{"exp":1700003600,"cnf":{}}"#, "`--insecure-bearer-of-bound-token`"),
        (r#"{"exp":1700003600,"sub":1}"#, "`--numeric-ids`"),
    ] {
        let (exit, out, _) =
            shell.run(&["verify", "--at", &NOW.to_string(), "--secret-file", "secret"], &with_claims(claims));
        assert!(exit == 1 && out.contains(option), "{out}");
    }
}

fn base64_of(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

#[test]
fn times_are_taken_and_told_as_people_write_them() {
    let shell = Shell::new();
    let signed =
        shell.run(&["sign", "--secret-file", "secret", "--at", "2023-11-14T22:13:20Z", "--expires-in", "1h", "{}"], "");
    assert_eq!(signed.0, 0, "{}", signed.2);
    for (at, exit) in [("2023-11-15T00:13:19+01:00", 0), ("1700003600", 1), ("2023-11-14T23:13:20Z", 1)] {
        assert_eq!(shell.run(&["verify", "--secret-file", "secret", "--at", at], &signed.1).0, exit, "{at}");
    }
    let (_, out, _) = shell.run(&["verify", "--secret-file", "secret", "--at", "2026-11-27"], &signed.1);
    assert!(out.contains("token expired 1,108 days ago (exp 1700003600"), "{out}");
    for lifetime in ["0s", "0", "0min"] {
        let (exit, out, error) = shell.run(&["sign", "--secret-file", "secret", "--expires-in", lifetime, "{}"], "");
        assert_eq!((exit, out.as_str()), (2, ""), "{lifetime}: {error}");
    }
    assert_eq!(shell.run(&["inspect", "--at", "2023-11-14T22:13:20Z", "-"], &signed.1).0, 0);
}

#[test]
fn without_a_log_it_is_said_that_nobody_asked_who_logged_out() {
    let shell = Shell::new();
    let (_, _, error) = shell.run(&["verify", "--secret-file", "secret"], &live_token());
    assert_eq!(error, "1 accepted, 0 rejected; no --log was given, so nobody asked who logged out\n");
    let (_, _, error) = shell.run(&["verify", "--quiet", "--secret-file", "secret"], &live_token());
    assert!(error.contains("nobody asked"), "{error}");
    shell.run(&["create", "--log", "l.db"], "");
    let (_, _, error) = shell.run(&["verify", "--quiet", "--secret-file", "secret", "--log", "l.db"], &live_token());
    assert_eq!(error, "1 accepted, 0 rejected\n");
}

#[test]
fn logging_out_by_its_other_names_leads_to_revoke() {
    let shell = Shell::new();
    for name in ["logout", "log-out", "invalidate", "blacklist"] {
        let (exit, out, error) = shell.run(&[name, "token"], "");
        assert_eq!((exit, out.as_str()), (2, ""));
        assert!(error.contains("signoff revoke"), "{error}");
    }
    assert_eq!(shell.run(&["frobnicate"], "").0, 2);
}

#[test]
fn a_note_about_the_line_ending_comes_once() {
    let shell = Shell::new();
    fs::write(shell.path("ended"), [SECRET, b"\n"].concat()).unwrap();
    let (_, _, error) =
        shell.run(&["revoke", "--create", "--log", "l.db", "--secret-file", "ended", "-"], &live_token());
    assert_eq!(error.matches("line ending").count(), 1, "{error}");
}

#[test]
fn a_key_that_is_passed_over_is_named_with_the_reason() {
    let shell = Shell::new();
    let k = b64(SECRET);
    let jwks = format!(
        r#"{{"keys":[{{"kty":"oct","kid":"new","k":"{k}"}},{{"kty":"oct","kid":"old","alg":"HS256","k":"{k}"}}]}}"#
    );
    fs::write(shell.path("jwks"), jwks).unwrap();
    let (exit, _, error) = shell.run(&["verify", "--at", &NOW.to_string(), "--jwks", "jwks"], &with_claims(CLAIMS));
    assert_eq!(exit, 0);
    assert!(
        error.contains("passed over: key 0") && error.contains("\"new\"") && error.contains("it has no alg"),
        "{error}"
    );
    let (exit, _, error) = shell.run(&["sign", "--jwks", "jwks", "--expires-in", "1h", "{}"], "");
    assert_eq!(exit, 2);
    assert!(error.contains("`--key-id`"), "{error}");
    assert_eq!(shell.run(&["sign", "--jwks", "jwks", "--key-id", "old", "--expires-in", "1h", "{}"], "").0, 0);
}

#[test]
fn an_algorithm_that_there_is_not_is_named() {
    let shell = Shell::new();
    let token = common::token(r#"{"alg":"RS256"}"#, CLAIMS);
    let (exit, out, _) = shell.run(&["verify", "--secret-file", "secret"], &token);
    assert_eq!(exit, 1);
    assert!(out.contains("header-algorithm") && out.contains("RS256"), "{out}");
}

#[test]
fn the_manual_pages_are_clean_and_say_how_to_use_each_command() {
    let shell = Shell::new();
    fs::create_dir(shell.path("man")).unwrap();
    assert_eq!(shell.run(&["generate", "man", "man"], "").0, 0);
    let pages: Vec<_> = fs::read_dir(shell.path("man")).unwrap().map(|page| page.unwrap().path()).collect();
    assert!(pages.len() >= 13, "{pages:?}");
    let has_groff = Command::new("groff").arg("--version").output().is_ok();
    if !has_groff {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "groff is missing: make deps");
        eprintln!("SKIPPED: groff is not there, so the pages' text alone is looked at");
    }
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for section in ["EXAMPLES", "EXIT STATUS", "SEE ALSO"] {
            assert!(
                text.contains(&format!(".SH \"{section}\"")) || text.contains(&format!(".SH {section}")),
                "{section}: {text}"
            );
        }
        if has_groff {
            let shown = Command::new("groff").args(["-man", "-ww", "-z", "-Tutf8"]).arg(&page).output().unwrap();
            assert!(
                shown.status.success() && shown.stderr.is_empty(),
                "{page:?}: {}",
                String::from_utf8_lossy(&shown.stderr)
            );
        }
    }
    let revoke = fs::read_to_string(shell.path("man/signoff-revoke.1")).unwrap();
    assert!(revoke.contains("OUTPUT") && revoke.contains("already\\-covered"), "{revoke}");
}

#[test]
fn completions_know_files_and_algorithms() {
    let shell = Shell::new();
    fs::create_dir(shell.path("made")).unwrap();
    assert_eq!(shell.run(&["generate", "completions", "made"], "").0, 0);
    let zsh = fs::read_to_string(shell.path("made/_signoff")).unwrap();
    assert!(zsh.contains("--secret-file") && zsh.contains(":FILE:_files"), "{zsh}");
    assert!(zsh.contains("HS256 HS384 HS512"), "{zsh}");
    let bash = fs::read_to_string(shell.path("made/signoff.bash")).unwrap();
    assert!(bash.contains("HS256 HS384 HS512"), "{bash}");
}
