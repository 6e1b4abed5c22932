//! `include/signoff.h` is what cbindgen makes of `src/ffi/`, and says what the status table says.
//!
//! `UPDATE_HEADER=1 cargo test --features capi --test header` (`make header`) writes it anew.
#![cfg(feature = "capi")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use signoff::Status;

/// In the order in which the header tells them.
const SOURCES: [&str; 15] = [
    "version", "status", "str", "times", "error", "keys", "policy", "log", "engine", "claims", "verify", "accepted",
    "sign", "revoke", "listing",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn generated() -> String {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap();
    let sources = SOURCES.iter().chain(&["health"]).map(|name| root().join(format!("src/ffi/{name}.rs")));
    let bindings = sources
        .fold(cbindgen::Builder::new().with_config(config), cbindgen::Builder::with_src)
        .generate()
        .expect("src/ffi/ is what cbindgen understands");
    let mut header = Vec::new();
    bindings.write(&mut header);
    String::from_utf8(header).unwrap()
}

fn header() -> String {
    fs::read_to_string(root().join("include/signoff.h")).unwrap()
}

#[test]
fn the_header_is_what_the_sources_make() {
    let (path, made) = (root().join("include/signoff.h"), generated());
    if std::env::var_os("UPDATE_HEADER").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &made).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap() == made, "include/signoff.h is not what src/ffi/ makes: `make header`");
}

#[test]
fn every_status_has_its_constant_and_no_constant_lacks_its_status() {
    let header = header();
    let mut constants = BTreeMap::new();
    for line in header.lines().filter_map(|line| line.strip_prefix("#define SIGNOFF_")) {
        if let Some((name, value)) = line.split_once(' ')
            && let Ok(value) = value.parse::<i32>()
        {
            constants.insert(format!("SIGNOFF_{name}"), value);
        }
    }
    let mut names = BTreeSet::new();
    for status in Status::ALL {
        let name = match status.name() {
            "done" => "SIGNOFF_OK".to_owned(),
            name => format!("SIGNOFF_{}", name.to_uppercase().replace('-', "_")),
        };
        assert_eq!(constants.get(&name), Some(&status.number()), "{name}");
        let described = format!("{}\n */\n#define {name} {}\n", status.sentence(), status.number());
        assert!(header.contains(&described), "{name} is described otherwise than by {:?}", status.sentence());
        assert!(names.insert(name));
    }
    // The block of codes ends where the constants of texts begin.
    let codes = header.split("#define SIGNOFF_OK").nth(1).unwrap().split("#define SIGNOFF_TIME_ABSENT").next().unwrap();
    for name in codes.split("#define ").skip(1).map(|rest| rest.split(' ').next().unwrap()) {
        assert!(names.contains(name), "{name} is no status");
    }
}

#[test]
fn the_header_speaks_to_c_programmers() {
    let header = header();
    for word in ["[`", "::", "Rust", "Option<", "&str", "Vec<", "panic", "`signoff_", " u64", " usize", "borrow"] {
        assert!(!header.contains(word), "the header says {word:?}");
    }
    for line in header.lines() {
        assert!(line.len() <= 130, "a line of {} characters: {line}", line.len());
    }
}

#[test]
fn every_item_of_the_header_is_described() {
    let header = header();
    let lines: Vec<_> = header.lines().collect();
    let mut items = 0;
    for (at, line) in lines.iter().enumerate() {
        let is_function =
            line.contains(" signoff_") && line.ends_with('(') || line.contains("signoff_") && line.ends_with("(void);");
        let is_type = line.starts_with("typedef struct signoff_");
        let value = line.strip_prefix("#define SIGNOFF_").and_then(|rest| rest.split(' ').nth(1));
        let is_constant = value.is_some_and(|value| value.starts_with(|c: char| c.is_ascii_digit() || c == '-'));
        if is_function || is_type || is_constant {
            let mut above = at - 1;
            if lines[above].starts_with("SIGNOFF_MUST_USE") {
                above -= 1;
            }
            let described = lines[above].trim() == "*/" || lines[above].contains("*/");
            assert!(described, "not described: {line}");
            items += 1;
        }
    }
    assert!(items > 120, "{items} items");
}
