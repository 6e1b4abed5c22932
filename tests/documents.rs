//! What is written down is true: codes, threats, links, versions.

use std::fs;
use std::path::{Path, PathBuf};

use signoff::Status;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const PAGES: [&str; 15] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/threats.md",
    "docs/decisions.md",
    "docs/performance.md",
    "docs/status-codes.md",
    "docs/format.md",
    "docs/operations.md",
    "docs/revocation.md",
    "docs/c.md",
    "bindings/README.md",
    "tests/vectors/README.md",
];

#[test]
fn the_golden_file_holds_every_status_and_is_only_ever_added_to() {
    let table: String = Status::ALL
        .iter()
        .map(|status| format!("{} {} {}\n", status.number(), status.name(), status.http_status()))
        .collect();
    assert_eq!(table, read("tests/golden/status-codes.txt"));
}

#[test]
fn the_page_of_status_codes_is_the_table() {
    let rows: String = Status::ALL
        .iter()
        .map(|s| format!("| {} | `{}` | {} | {} |\n", s.number(), s.name(), s.http_status(), s.sentence()))
        .collect();
    assert!(read("docs/status-codes.md").contains(&rows), "put these rows into docs/status-codes.md:\n{rows}");
}

#[test]
fn every_threat_has_a_test_that_exists() {
    let tests: String = [
        "tests/threats.rs",
        "tests/rotation.rs",
        "tests/allocations.rs",
        "tests/signing.rs",
        "tests/cli.rs",
        "tests/fuzz_regressions.rs",
        "tests/corpus.rs",
        "tests/revocation.rs",
        "tests/log_file.rs",
        "tests/file_names.rs",
        "tests/fresh_views.rs",
        "tests/interleavings.rs",
        "tests/log_out_everywhere.rs",
        "tests/true_of_the_log.rs",
        "src/index/merged_cut_offs.rs",
        "tests/redis.rs",
        "tests/redis_local_file.rs",
        "tests/redis_faults.rs",
        "tests/redis_erasing.rs",
        "src/log/redis/url.rs",
        "src/log/redis/wire.rs",
        "src/index/fuse_filter.rs",
        "src/index/segment.rs",
        "src/revocation/fingerprint.rs",
        "src/keys/jwk.rs",
        "src/ffi/call.rs",
        "tests/c_abi.rs",
        "tests/c_calls.rs",
    ]
    .iter()
    .map(|path| read(path))
    .collect();
    let page = read("docs/threats.md");
    let rows: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| attack") && !line.starts_with("|--"))
        .collect();
    assert!(rows.len() >= 30, "{} rows", rows.len());
    for row in &rows {
        let named: Vec<_> = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test: {row}");
        for name in named {
            assert!(
                tests.contains(&format!("fn {name}()")) || tests.contains(&format!("fn {name}(")),
                "no test {name}"
            );
        }
    }
    // And the other way round: each attack that is tested is written down.
    for name in read("tests/threats.rs").split("\nfn ").skip(1).map(|rest| rest.split('(').next().unwrap().to_owned()) {
        let is_test = read("tests/threats.rs").contains(&format!("#[test]\nfn {name}("));
        assert!(!is_test || page.contains(&format!("`{name}`")), "docs/threats.md has no row with {name}");
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    for page in PAGES {
        let folder = root().join(page).parent().unwrap().to_owned();
        for link in read(page).split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()) {
            let path = link.split('#').next().unwrap();
            assert!(
                path.is_empty() || path.starts_with("https://") || folder.join(path).exists(),
                "{page} links to {link}"
            );
        }
    }
}

#[test]
fn every_make_target_that_a_page_names_exists() {
    let makefile = read("Makefile");
    for page in PAGES {
        for target in read(page).split("`make ").skip(1).map(|rest| rest.split(['`', ' ']).next().unwrap().to_owned()) {
            assert!(makefile.contains(&format!("\n{target}:")), "{page} names `make {target}`");
        }
    }
}

#[test]
fn no_locked_package_wants_a_newer_toolchain_than_we_state() {
    let number = |version: &str| -> [u32; 2] {
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        [(); 2].map(|()| parts.next().unwrap_or(0))
    };
    let manifest = read("Cargo.toml");
    let ours = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = std::process::Command::new(cargo)
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--all-features",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50);
    for package in packages {
        let theirs = package["rust_version"].as_str().unwrap_or("1.0");
        assert!(number(theirs) <= number(ours), "{} wants Rust {theirs}, Cargo.toml states {ours}", package["name"]);
    }
    assert!(read("README.md").contains(&format!("Rust {ours}")), "the README states another version");
}

#[test]
fn no_page_or_source_names_a_registry_host_or_a_temporary_path() {
    for page in PAGES {
        let text = read(page);
        assert!(!text.contains("/tmp/") && !text.contains("localhost:"), "{page}");
    }
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let text = read(lock);
        let sources: std::collections::BTreeSet<_> =
            text.lines().filter(|line| line.starts_with("source = ")).collect();
        assert_eq!(
            sources.into_iter().collect::<Vec<_>>(),
            ["source = \"registry+https://github.com/rust-lang/crates.io-index\""],
            "{lock}"
        );
    }
}

/// Every page, and what is told in the header and in sources.
fn texts() -> Vec<(String, String)> {
    let mut found: Vec<_> = PAGES.iter().map(|page| ((*page).to_owned(), read(page))).collect();
    found.extend(["bindings/node/README.md", "include/signoff.h"].map(|path| (path.to_owned(), read(path))));
    let mut folders = vec![root().join("src"), root().join("examples/c")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.extension().and_then(|extension| extension.to_str()) {
                _ if entry.is_dir() => folders.push(entry),
                Some("rs" | "c") => {
                    let name = entry.strip_prefix(root()).unwrap().display().to_string();
                    found.push((name, fs::read_to_string(&entry).unwrap()));
                }
                _ => {}
            }
        }
    }
    found
}

/// The words of a text that begin like this, each up to its last letter or digit.
fn words<'t>(text: &'t str, prefix: &'static str) -> impl Iterator<Item = &'t str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(move |c: char| !is_word(c)).filter(move |word| word.starts_with(prefix) && word.len() > prefix.len())
}

/// So are metrics, which have the same prefix, and the one claim of ours. A word may be the beginning of several.
#[test]
fn every_name_of_the_c_interface_that_is_told_of_exists() {
    let header = read("include/signoff.h");
    let code: String = {
        let without_comments = header.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, code)| code));
        without_comments.collect()
    };
    let declared: std::collections::BTreeSet<_> = words(&code, "signoff_").chain(words(&code, "SIGNOFF_")).collect();
    let (metrics, claim) = (read("src/engine/health.rs"), "signoff_after");
    let is_metric = |name: &str| metrics.contains(&format!("\"{}\"", name.trim_start_matches("signoff_")));
    let tells_of_c = |path: &str| {
        path.ends_with(".md") || path.ends_with(".h") || path.starts_with("src/ffi/") || path.ends_with(".c")
    };
    let mut unknown = Vec::new();
    for (path, text) in texts().into_iter().filter(|(path, _)| tells_of_c(path)) {
        for name in words(&text, "signoff_").chain(words(&text, "SIGNOFF_")) {
            let is_beginning =
                declared.iter().any(|other| other.starts_with(&format!("{}_", name.trim_end_matches('_'))));
            if !(declared.contains(name) || is_beginning || is_metric(name) || name == claim) {
                unknown.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(unknown.is_empty(), "told of, but not in include/signoff.h: {unknown:#?}");
}

/// Paths as pages and comments write them: in backquotes, from the root, or from the package's folder on its own page.
#[test]
fn every_file_that_is_told_of_exists() {
    for (path, text) in texts() {
        let quoted = text.split('`').skip(1).step_by(2).chain(
            // In comments also without.
            text.split(|c: char| c.is_whitespace() || "()<>,;\"".contains(c)).filter(|word| word.starts_with("docs/")),
        );
        for name in quoted.map(|name| name.trim_end_matches(['.', ':'])) {
            let name = name.split('#').next().unwrap();
            let is_path = ["src/", "tests/", "docs/", "benches/", "fuzz/", "examples/", "include/", "bindings/"]
                .iter()
                .any(|folder| name.starts_with(folder))
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            let is_there = root().join(name).exists() || root().join("bindings/node").join(name).exists();
            assert!(!is_path || is_there, "{path} tells of {name}, which there is not");
        }
    }
}
