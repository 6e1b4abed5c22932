//! The test vectors, through the library and through the command line.

#[path = "../src/bin/signoff/vectors.rs"]
mod vectors;

use std::fs;
use std::path::Path;

use vectors::Vector;

fn corpus() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.flat_map(|path| Vector::parse(&fs::read_to_string(path).unwrap()).unwrap()).collect()
}

#[test]
fn every_vector_gets_its_verdict_from_the_library() {
    let corpus = corpus();
    let faults: Vec<_> = corpus.iter().filter_map(Vector::fault).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let good = corpus.iter().filter(|vector| vector.expected == "done").count();
    assert!(good >= 24 && corpus.len() > 4 * good, "{good} of {}: the corpus has shrunk", corpus.len());
}

#[test]
fn ids_are_unique_and_every_vector_says_why_it_is_there() {
    let corpus = corpus();
    let ids: std::collections::HashSet<_> = corpus.iter().map(|vector| vector.id.as_str()).collect();
    assert_eq!(ids.len(), corpus.len());
    assert!(corpus.iter().all(|vector| !vector.why.is_empty()));
}

#[cfg(feature = "cli")]
#[test]
fn every_vector_gets_its_verdict_from_the_command_line() {
    use std::io::Write;
    use std::process::{Command, Stdio};

    let folder = tempfile::tempdir().unwrap();
    let jwks = folder.path().join("jwks.json");
    for vector in corpus() {
        let wants = &vector.policy;
        fs::write(&jwks, vector.keys.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_signoff"));
        command.args([
            "verify",
            "--at",
            &vector.now.to_string(),
            "--leeway",
            &format!("{}s", wants.leeway_secs),
            "--jwks",
        ]);
        command.arg(&jwks);
        for (option, value) in [
            ("--issuer", &wants.issuer),
            ("--audience", &wants.audience),
            ("--typ", &wants.token_type),
            ("--subject", &wants.subject),
        ] {
            command.args(value.iter().flat_map(|value| [option, value]));
        }
        command.args(wants.token_types.iter().flat_map(|typ| ["--typ", typ]));
        command.args(wants.require.iter().flat_map(|claim| ["--require", claim]));
        for (name, value) in &wants.claim_equals {
            command.args(["--claim", &format!("{name}={value}")]);
        }
        for (option, max) in [("--max-age", wants.age_max_secs), ("--max-lifetime", wants.lifetime_max_secs)] {
            command.args(max.iter().flat_map(|max| [option.to_owned(), format!("{max}s")]));
        }
        for (set, option) in [
            (wants.insecure_allow_missing_exp, "--insecure-allow-missing-exp"),
            (wants.insecure_allow_short_secret, "--insecure-allow-short-secret"),
            (wants.numeric_ids_as_text, "--numeric-ids"),
            (wants.insecure_any_audience, "--insecure-any-audience"),
            (wants.insecure_bearer_of_bound_token, "--insecure-bearer-of-bound-token"),
            (wants.token_type_optional, "--typ-optional"),
        ] {
            command.args(set.then_some(option));
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{}", vector.token).unwrap();
        let output = child.wait_with_output().unwrap();
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let accepted = vector.expected == "done";
        assert_eq!(output.status.code(), Some(i32::from(!accepted)), "{}", vector.id);
        assert_eq!(line["ok"], accepted, "{}", vector.id);
        match accepted {
            true => assert!(vector.claims.iter().all(|(name, value)| line["claims"][name] == *value), "{}", vector.id),
            false => assert_eq!(line["code"], *vector.expected, "{}", vector.id),
        }
    }
}
