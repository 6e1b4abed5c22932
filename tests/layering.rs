//! Arrows between the folders of `src/` point one way, and some things stand in one place only.
//! ARCHITECTURE.md draws the same picture; this test reads the sources and holds both to it.

mod imports;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder or file of `src/`, and which of the others it may name. The words that everybody uses
/// stand at the end: each may name those behind it.
const MAY_NAME: [(&str, &[&str]); 16] = [
    (
        "ffi",
        &[
            "option_names",
            "engine",
            "policy",
            "keys",
            "index",
            "log",
            "revocation",
            "error",
            "denied",
            "status",
            "clock",
        ],
    ),
    (
        "engine",
        &[
            "policy",
            "keys",
            "token",
            "index",
            "log",
            "revocation",
            "error",
            "denied",
            "status",
            "clock",
            "limits",
            "sync",
        ],
    ),
    ("policy", &["keys", "token", "denied", "error", "status", "clock", "limits"]),
    ("keys", &["token", "denied", "error", "status", "limits"]),
    ("token", &["denied", "limits"]),
    // Neither sees the other.
    ("index", &["revocation", "clock", "sync"]),
    ("log", &["revocation", "status", "clock", "limits", "sync"]),
    ("error", &["log", "revocation", "denied", "status", "clock"]),
    ("denied", &["revocation", "clock", "status", "limits"]),
    ("revocation", &["clock"]),
    ("option_names", &[]),
    ("status", &[]),
    ("clock", &["limits"]),
    ("limits", &[]),
    ("sync", &[]),
    (
        "lib",
        &[
            "ffi",
            "option_names",
            "engine",
            "policy",
            "keys",
            "token",
            "index",
            "log",
            "revocation",
            "denied",
            "error",
            "status",
            "clock",
            "limits",
            "sync",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    files
}

/// The library's sources: where each stands, and its text without tests and comments.
fn library() -> Vec<(String, String)> {
    let src = root().join("src");
    let files = sources(&src).into_iter().filter(|path| !path.starts_with(src.join("bin")));
    files
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            (path.strip_prefix(&src).unwrap().display().to_string(), code.join("\n"))
        })
        .collect()
}

const CRYPTOGRAPHY: [&str; 3] = ["ring", "hmac", "sha2"];

/// Whether a source has a path that starts with this crate.
fn names_crate(code: &str, name: &str) -> bool {
    let whole_word = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    code.match_indices(&format!("{name}::")).any(|(at, _)| whole_word(at))
}

fn room_of(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The rooms that a source names by `crate::…`.
fn named(code: &str) -> BTreeSet<String> {
    let after = code.split("crate::").skip(1);
    after.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

#[test]
fn arrows_between_the_rooms_point_one_way() {
    for (path, code) in library() {
        let room = room_of(&path);
        let (_, allowed) = MAY_NAME
            .iter()
            .find(|(name, _)| *name == room)
            .unwrap_or_else(|| panic!("{path}: a room that the table does not have"));
        for name in named(&code) {
            // What lib.rs exports at the root is the public name of something below.
            let is_room = MAY_NAME.iter().any(|(room, _)| *room == name);
            assert!(!is_room || name == room || allowed.contains(&name.as_str()), "{path} names {name}");
        }
    }
}

#[test]
fn the_table_itself_has_no_circle() {
    for (at, (room, allowed)) in MAY_NAME.iter().enumerate().take(13) {
        for other in *allowed {
            let (_, back) = MAY_NAME.iter().find(|(name, _)| name == other).unwrap();
            assert!(!back.contains(room), "{room} and {other} name each other (row {at})");
        }
    }
}

#[test]
fn only_one_file_names_the_cryptography_crates() {
    for (path, code) in library() {
        // Whose cryptography TLS uses is no cryptography of ours.
        let code = code.replace("rustls::crypto::ring::", "");
        for name in CRYPTOGRAPHY {
            assert!(path == "keys/crypto.rs" || !names_crate(&code, name), "{path} names {name}");
        }
    }
}

#[test]
fn proofs_are_made_only_where_the_check_is() {
    for (path, code) in library() {
        assert!(path.starts_with("keys/") || !code.contains("by_the_crypto_crate"), "{path} makes a SignatureValid");
        assert!(path == "policy/judge.rs" || !code.contains("ClaimsAccepted("), "{path} makes a ClaimsAccepted");
        assert!(path == "index/lookup.rs" || !code.contains("NotRevoked(())"), "{path} makes a NotRevoked");
        assert!(path == "engine/mod.rs" || !code.contains("Accepted::new("), "{path} makes an Accepted");
    }
}

/// Where something may wait for a lock: what writes, what counts, and what serves a log. Verification
/// itself is elsewhere.
const LOCKS: [&str; 7] =
    ["sync.rs", "index/mod.rs", "engine/counters.rs", "engine/replica/", "log/", "engine/health.rs", "lib.rs"];

#[test]
fn the_hot_plane_does_no_io_takes_no_lock_and_writes_no_unsafe_code() {
    for (path, code) in library() {
        for name in ["std::fs", "std::net", "std::io", "std::process", "std::env", "std::os", "println!", "eprintln!"] {
            assert!(path.starts_with("log/") || !code.contains(name), "{path} names {name}");
        }
        for name in ["Mutex", "RwLock", "Condvar"] {
            assert!(LOCKS.iter().any(|place| path.starts_with(place)) || !code.contains(name), "{path} names {name}");
        }
        for (name, places) in [
            // The files of logs wait for a server that can't be reached, and for another process.
            ("std::thread", &["engine/replica/", "log/redis/append.rs", "log/sqlite/connection.rs"][..]),
            ("rusqlite", &["log/sqlite/"]),
            ("redis::", &["log/redis/", "log/mod.rs"]),
        ] {
            assert!(places.iter().any(|place| path.starts_with(place)) || !code.contains(name), "{path} names {name}");
        }
        assert!(path.starts_with("ffi/") || !code.contains("unsafe "), "{path} has unsafe code");
        assert!(path == "clock.rs" || !code.contains("SystemTime"), "{path} reads a clock");
    }
}

/// Where the C interface's unsafe code is: the call, what comes in, and what goes out.
const UNSAFE: [&str; 4] = ["ffi/call.rs", "ffi/inputs.rs", "ffi/outputs.rs", "ffi/sized.rs"];

#[test]
fn unsafe_code_behind_the_c_interface_stands_in_few_files_and_one_line_of_each_function() {
    for (path, code) in library().into_iter().filter(|(path, _)| path.starts_with("ffi/")) {
        if UNSAFE.contains(&path.as_str()) {
            continue;
        }
        let blocks = code.matches("unsafe {").count();
        let beginnings = code.matches("let call = unsafe { Call::new(").count();
        // Registering a handler, dropping what a child process must not, and a page that is emptied in a child.
        let others = if path == "ffi/fork.rs" { 5 } else { 0 };
        assert_eq!(blocks, beginnings + others, "{path}");
        assert_eq!(code.matches("unsafe extern").count(), beginnings, "{path}: one beginning a function");
    }
}

#[test]
fn the_command_line_uses_the_public_interface_alone() {
    for path in sources(&root().join("src/bin")) {
        let code = fs::read_to_string(&path).unwrap();
        assert!(!code.contains("#[path"), "{} reaches into the library", path.display());
        for name in CRYPTOGRAPHY {
            assert!(!names_crate(&code, name), "{} brings cryptography of its own", path.display());
        }
    }
}

#[test]
fn no_two_files_import_each_other_and_none_itself_by_way_of_others() {
    for src in ["src", "src/bin/signoff"] {
        let modules = imports::Modules::read(&root().join(src));
        let edges = modules.edges();
        assert!(edges.len() > 10, "{src}: the imports were read");
        for (file, imported) in &edges {
            let (mut met, mut ahead) = (BTreeSet::new(), imported.clone());
            while let Some(next) = ahead.pop_first() {
                assert!(next != *file, "{src}: {file} imports itself by way of others: {met:?}");
                if met.insert(next.clone()) {
                    ahead.extend(edges.get(&next).into_iter().flatten().cloned());
                }
            }
        }
    }
}

/// The lines of each function, told by where its last brace stands: as deep as its first word.
fn longest_function(text: &str) -> (usize, String) {
    let lines: Vec<_> = text.lines().collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let is_function = |line: &str| {
        let words = line.trim_start().split("fn ").next().unwrap();
        line.contains("fn ")
            && words.split_whitespace().all(|word| {
                word.starts_with("pub")
                    || ["const", "unsafe", "extern", "\"C\"", "super)", "crate)"].contains(&word)
                    || word.starts_with("in")
                    || word.ends_with(')')
            })
    };
    let starts = (0..lines.len()).filter(|&at| is_function(lines[at]) && !lines[at].trim_start().starts_with("//"));
    let lengths = starts.map(|start| {
        let end = (start..lines.len()).find(|&at| {
            let is_last = lines[at].trim() == "}" && depth(lines[at]) == depth(lines[start]);
            is_last || (at == start && lines[at].ends_with(['}', ';']))
        });
        (end.unwrap_or(start) - start + 1, lines[start].trim().to_owned())
    });
    lengths.max().unwrap_or_default()
}

#[test]
fn no_file_and_no_function_is_longer_than_can_be_read() {
    let mut lengths = Vec::new();
    for path in sources(&root().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let count = text.lines().count();
        assert!(count <= 450, "{} has {count} lines", path.display());
        let (longest, function) = longest_function(&text);
        assert!(longest <= 74, "{}: {function} has {longest} lines", path.display());
        lengths.push(count);
    }
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] <= 160, "the median file has {} lines", lengths[lengths.len() / 2]);
}

#[test]
fn the_picture_in_architecture_md_has_every_room() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (path, _) in library() {
        assert!(
            architecture.contains(&format!("`src/{path}`"))
                || path.ends_with("mod.rs") && architecture.contains(&format!("`src/{}/`", room_of(&path))),
            "ARCHITECTURE.md has no `src/{path}`"
        );
    }
}
