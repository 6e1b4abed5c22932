//! The C interface as C programmers meet it: installed under a prefix, compiled by their compilers, run under their tools.
//!
//! `SIGNOFF_PREFIX` names the prefix, as `make test` does; without, `make install` makes one.
#![cfg(all(feature = "capi", feature = "cli", target_os = "linux"))]

#[path = "../src/bin/signoff/vectors.rs"]
#[allow(dead_code)] // Reads the corpus alone: C runs it.
mod vectors;

mod redis_server;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use signoff::ffi;
use vectors::Vector;

const STRICT: [&str; 5] = ["-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// Compilers and standards that the header must please without a warning.
const DIALECTS: [(&str, &[&str]); 6] = [
    ("gcc", &["-std=c99", "-D_POSIX_C_SOURCE=200809L"]),
    ("gcc", &["-std=c11", "-D_POSIX_C_SOURCE=200809L"]),
    ("clang", &["-std=c99", "-D_POSIX_C_SOURCE=200809L"]),
    ("clang", &["-std=c11", "-D_POSIX_C_SOURCE=200809L"]),
    ("g++", &["-std=c++17", "-x", "c++"]),
    ("clang++", &["-std=c++17", "-x", "c++"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// What is installed.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| match std::env::var_os("SIGNOFF_PREFIX") {
        Some(prefix) => prefix.into(),
        None => {
            let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prefix");
            done(Command::new("make").arg("install").arg(format!("PREFIX={}", prefix.display())).current_dir(root()));
            prefix
        }
    })
}

/// Whether a tool is there. A test that does without says so, and fails where nothing may be skipped.
fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("SKIPPED: {tool} is not installed, and what needs it was not tested");
        assert!(std::env::var_os("REQUIRE_ALL").is_none_or(|all| all.is_empty()), "{tool} is not installed");
    }
    is_there
}

/// A command that finds what is installed.
fn with_prefix(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig")).env("LD_LIBRARY_PATH", prefix().join("lib"));
    command
}

/// Runs a command of [`with_prefix`] that must succeed.
fn done(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}

/// Compiles a program against what is installed.
fn compile(compiler: &str, options: &[&str], source: &Path, into: &Path) {
    let flags = done(with_prefix("pkg-config").args(["--cflags", "signoff"]));
    let libs = done(with_prefix("pkg-config").args(["--libs", "signoff"]));
    let mut command = with_prefix(compiler);
    command.args(options).args(flags.split_whitespace()).arg(source).args(["-x", "none"]);
    done(command.args(libs.split_whitespace()).arg("-pthread").arg("-o").arg(into));
}

/// A C test program, and what it is to be called with.
fn programs(folder: &Path) -> [(&'static str, Vec<String>); 3] {
    let log = |name: &str| folder.join(name).display().to_string();
    [("story", vec![log("story.db")]), ("bad_input", vec!["20000".to_owned()]), ("fork", vec![log("fork.db")])]
}

#[test]
fn the_test_programs_pass_in_every_dialect_without_a_warning() {
    for (compiler, options) in DIALECTS.into_iter().filter(|(compiler, _)| has(compiler)) {
        let folder = tempfile::tempdir().unwrap();
        for (name, arguments) in programs(folder.path()) {
            let program = folder.path().join(name);
            compile(compiler, &[&STRICT[..], options].concat(), &root().join(format!("tests/c/{name}.c")), &program);
            assert_eq!(done(with_prefix(&program).args(arguments)), format!("{name}: ok\n"), "{compiler} {options:?}");
        }
        for name in ["logout", "threads"] {
            let source = root().join(format!("examples/c/{name}.c"));
            // The examples are C; C++ programmers have docs/c.md.
            if !options.contains(&"c++") {
                compile(compiler, &[&STRICT[..], options].concat(), &source, &folder.path().join(name));
            }
        }
    }
}

#[test]
fn the_command_in_the_example_makes_a_program_whose_token_is_refused_after_log_out() {
    let folder = tempfile::tempdir().unwrap();
    let script = "cc $(pkg-config --cflags signoff) examples/c/logout.c $(pkg-config --libs signoff) -o \"$1/logout\"";
    done(with_prefix("sh").args(["-ec", script, "sh"]).arg(folder.path()).current_dir(root()));
    let out = done(with_prefix(folder.path().join("logout")).arg(folder.path().join("signoff.db")));
    assert!(out.starts_with("accepted: user 42, {") && out.contains("\ntoken-revoked: "), "{out}");
}

#[test]
fn the_static_library_links_into_a_program_of_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let script = "cc $(pkg-config --cflags signoff-static) examples/c/logout.c $(pkg-config --libs signoff-static) \
                  -o \"$1/logout\"";
    done(with_prefix("sh").args(["-ec", script, "sh"]).arg(folder.path()).current_dir(root()));
    let needed = done(Command::new("ldd").arg(folder.path().join("logout")));
    assert!(!needed.contains("libsignoff"), "{needed}");
    let out = done(Command::new(folder.path().join("logout")).arg(folder.path().join("signoff.db")));
    assert!(out.contains("\ntoken-revoked: "), "{out}");
}

#[test]
fn cmake_finds_what_is_installed() {
    if !has("cmake") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let example = root().join("examples/c/logout.c");
    let lists = format!(
        "cmake_minimum_required(VERSION 3.16)\nproject(t C)\nfind_package(signoff 0.1 REQUIRED)\n\
         add_executable(shared {0})\ntarget_link_libraries(shared signoff::signoff)\n\
         add_executable(whole {0})\ntarget_link_libraries(whole signoff::static)\n",
        example.display()
    );
    fs::write(folder.path().join("CMakeLists.txt"), lists).unwrap();
    let prefix_path = format!("-DCMAKE_PREFIX_PATH={}", prefix().display());
    done(Command::new("cmake").arg("-S").arg(folder.path()).arg("-B").arg(folder.path().join("b")).arg(prefix_path));
    done(Command::new("cmake").arg("--build").arg(folder.path().join("b")));
    for name in ["shared", "whole"] {
        let out = done(Command::new(folder.path().join("b").join(name)).arg(folder.path().join(format!("{name}.db"))));
        assert!(out.contains("\ntoken-revoked: "), "{name}: {out}");
    }
}

/// What a library shows to others.
fn symbols(library: &Path, options: &[&str]) -> Vec<String> {
    let listed = done(Command::new("nm").args(options).arg("--defined-only").arg(library));
    let mut names: Vec<_> =
        listed.lines().filter_map(|line| line.split_whitespace().nth(2)).map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn both_libraries_show_the_symbols_in_the_list_and_no_others() {
    let committed = fs::read_to_string(root().join("include/signoff.symbols")).unwrap();
    let committed: Vec<_> = committed.lines().collect();
    assert_eq!(symbols(&prefix().join("lib/libsignoff.so"), &["-D"]), committed);
    assert_eq!(symbols(&prefix().join("lib/libsignoff.a"), &["-g"]), committed);
    let header = fs::read_to_string(root().join("include/signoff.h")).unwrap();
    for name in committed {
        assert!(
            header.contains(&format!(" {name}(")) || header.contains(&format!("*{name}(")),
            "{name} is in no header"
        );
    }
}

#[test]
fn the_soname_has_the_version_that_the_documentation_promises() {
    let library = prefix().join("lib/libsignoff.so");
    let dynamic = done(Command::new("readelf").arg("-d").arg(&library));
    let version = env!("CARGO_PKG_VERSION").rsplit_once('.').unwrap().0;
    assert!(dynamic.contains(&format!("Library soname: [libsignoff.so.{version}]")), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    let real = fs::canonicalize(&library).unwrap();
    assert!(real.ends_with(concat!("libsignoff.so.", env!("CARGO_PKG_VERSION"))), "{real:?}");
}

#[test]
fn nothing_that_is_installed_names_the_folder_in_which_it_was_built() {
    let file = fs::read_to_string(prefix().join("lib/pkgconfig/signoff.pc")).unwrap();
    assert!(!file.contains('@') && file.contains(concat!("Version: ", env!("CARGO_PKG_VERSION"))), "{file}");
    for path in
        ["share/man/man1/signoff.1", "share/man/man1/signoff-verify.1", "share/bash-completion/completions/signoff"]
    {
        let text = fs::read_to_string(prefix().join(path)).unwrap();
        assert!(text.contains("signoff") && text.len() > 500, "{path}");
    }
    let completions = fs::read_to_string(prefix().join("share/zsh/site-functions/_signoff")).unwrap();
    assert!(completions.contains("--secret-file"));
}

#[test]
fn structs_have_the_same_layout_on_both_sides() {
    let mut source = String::from("#include <signoff.h>\n#include <stddef.h>\n");
    macro_rules! structs {
        ($($name:ident { $($field:ident),* })*) => {$(
            writeln!(source, "_Static_assert(sizeof({0}) == {1}, \"{0}\");", stringify!($name), size_of::<ffi::$name>()).unwrap();
            let mut end = 0;
            $(
                let at = std::mem::offset_of!(ffi::$name, $field);
                writeln!(source, "_Static_assert(offsetof({0}, {1}) == {2}, \"{0}.{1}\");", stringify!($name), stringify!($field), at).unwrap();
                assert!(at == 0 || at > end);
                end = at;
            )*
            let _last = end;
        )*};
    }
    structs! {
        signoff_str { data, len }
        signoff_error { struct_size, status, needed, retry_after_s, message }
        signoff_times { struct_size, reserved, unix_ms, since_boot_ms }
        signoff_key { struct_size, algorithm, flags, reserved, secret, secret_len, jwk, key_id, issuers, issuers_len }
        signoff_policy { struct_size, flags, issuers, issuers_len, audiences, audiences_len, subject, token_type, required_claims, required_claims_len, leeway_ms, issued_in_future_max_ms, lifetime_max_ms, age_max_ms, token_bytes_max, other_token_types, other_token_types_len, claim_values, claim_values_len }
        signoff_claim_value { name, kind, boolean, number, text }
        signoff_log_options { struct_size, kind, flags, on_unknown, path, accept_younger_ms, longest_lifetime_ms, issued_in_future_max_ms, max_staleness_ms, open_timeout_ms, append_timeout_ms }
        signoff_claims { struct_size, cleared, payload, issuer, subject, jti, session, expires_at_ms, issued_at_ms, not_before_ms }
        signoff_new_token { struct_size, flags, claims, expires_in_ms, key_id, token_type }
        signoff_signed { struct_size, reserved, token, jti, issued_at_ms, expires_at_ms }
        signoff_revocation { struct_size, target, value, accepted, issuer_kind, reserved, issuer, issued_before_ms, keep, keep_len, keep_until_ms, reason }
        signoff_revoked { struct_size, outcome, durability, replicas }
        signoff_record { struct_size, target, value, issuer_kind, reserved, issuer, issued_before_ms, keep_until_ms, recorded_at_ms, keep, keep_len, reason }
        signoff_health { struct_size, ready, unknown, fault, origin, collection_pause, freshness_ms, watermark_ms }
        signoff_stats { struct_size, ready, verifications, accepted, filter_probes, filter_positives, filter_false_positives, token_records, session_records, subject_records, everything_records, segments, filters_missing, merges, merging_ms, index_bytes, log_head, log_applied, log_junk, freshness_ms }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("layout.c");
    source.push_str("int main(void) { return 0; }\n");
    fs::write(&path, source).unwrap();
    compile("cc", &["-std=c11"], &path, &folder.path().join("layout"));
}

#[test]
fn every_vector_gets_its_verdict_through_c() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("vectors");
    compile("cc", &STRICT, &root().join("tests/c/vectors.c"), &program);
    let files = fs::read_dir(root().join("tests/vectors")).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let corpus: Vec<Vector> =
        files.flat_map(|path| Vector::parse(&fs::read_to_string(path).unwrap()).unwrap()).collect();
    assert!(corpus.len() > 150);

    let mut input = Vec::new();
    for vector in &corpus {
        let wants = &vector.policy;
        let mut field = |name: &str, value: &str| write!(input, "{name} {}\n{value}\n", value.len()).unwrap();
        field("token", &vector.token);
        field("keys", &vector.keys.to_string());
        field("now", &vector.now.to_string());
        for (name, value) in [
            ("issuer", &wants.issuer),
            ("audience", &wants.audience),
            ("subject", &wants.subject),
            ("token_type", &wants.token_type),
        ] {
            value.iter().for_each(|value| field(name, value));
        }
        field("leeway_secs", &wants.leeway_secs.to_string());
        field("age_max_secs", &wants.age_max_secs.unwrap_or(0).to_string());
        field("lifetime_max_secs", &wants.lifetime_max_secs.unwrap_or(0).to_string());
        wants.require.iter().for_each(|claim| field("require", claim));
        wants.token_types.iter().for_each(|typ| field("other_token_type", typ));
        for (name, value) in &wants.claim_equals {
            field("claim_name", name);
            match value {
                serde_json::Value::Bool(value) => field("claim_boolean", &u8::from(*value).to_string()),
                serde_json::Value::Number(number) => field("claim_number", &number.to_string()),
                text => field("claim_text", text.as_str().unwrap()),
            }
        }
        let flags = u32::from(wants.insecure_allow_missing_exp) * ffi::SIGNOFF_POLICY_INSECURE_ALLOW_MISSING_EXP
            + u32::from(wants.numeric_ids_as_text) * ffi::SIGNOFF_POLICY_NUMERIC_IDS_AS_TEXT
            + u32::from(wants.insecure_any_audience) * ffi::SIGNOFF_POLICY_INSECURE_ANY_AUDIENCE
            + u32::from(wants.insecure_bearer_of_bound_token) * ffi::SIGNOFF_POLICY_INSECURE_BEARER_OF_BOUND_TOKEN
            + u32::from(wants.token_type_optional) * ffi::SIGNOFF_POLICY_TOKEN_TYPE_OPTIONAL;
        field("policy_flags", &flags.to_string());
        field("key_flags", &u32::from(wants.insecure_allow_short_secret).to_string());
        field("run", "");
    }
    let mut command = with_prefix(&program);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = &output.stdout[..];
    for vector in &corpus {
        let line = rest.split(|byte| *byte == b'\n').next().unwrap();
        let (status, len) = std::str::from_utf8(line).unwrap().rsplit_once(' ').unwrap();
        assert_eq!(status, vector.expected, "{}: {}", vector.id, vector.why);
        let payload = &rest[line.len() + 1..][..len.parse::<usize>().unwrap()];
        rest = &rest[line.len() + payload.len() + 2..];
        if vector.expected == "done" {
            let claims: serde_json::Value = serde_json::from_slice(payload).unwrap();
            assert!(vector.claims.iter().all(|(name, value)| claims[name] == *value), "{}", vector.id);
        }
    }
    assert!(rest.is_empty());
}

#[test]
fn address_and_undefined_behaviour_sanitizers_find_nothing() {
    for compiler in ["gcc", "clang"].into_iter().filter(|compiler| has(compiler)) {
        let folder = tempfile::tempdir().unwrap();
        for (name, arguments) in programs(folder.path()) {
            let program = folder.path().join(name);
            // The allocator of AddressSanitizer does not survive the fork of a program with threads: one of them may hold
            // its lock (GCC before 13, LLVM before 17). What the child does is looked at by the other sanitizer alone.
            let forks = name == "fork";
            let sanitizers = if forks { "-fsanitize=undefined" } else { "-fsanitize=address,undefined" };
            let options = ["-O1", sanitizers, "-fno-sanitize-recover=all"];
            compile(compiler, &[&STRICT[..], &options].concat(), &root().join(format!("tests/c/{name}.c")), &program);
            let symbols = done(Command::new("nm").arg(&program));
            let has_both = symbols.contains("__ubsan_handle") && (forks || symbols.contains("__asan_init"));
            assert!(has_both, "built without sanitizers");
            assert_eq!(done(with_prefix(&program).args(arguments)), format!("{name}: ok\n"), "{compiler}");
        }
    }
}

#[test]
fn the_thread_sanitizer_finds_nothing_in_the_example_with_threads() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("threads");
    compile("cc", &["-g", "-O1", "-fsanitize=thread"], &root().join("examples/c/threads.c"), &program);
    // The library is not instrumented, and what it does by its own atomics would look like races: see docs/c.md.
    let out = done(with_prefix(&program).env("TSAN_OPTIONS", "ignore_noninstrumented_modules=1 halt_on_error=1"));
    assert!(out.ends_with(" 0 anything else\n"), "{out}");
}

#[test]
fn programs_share_a_log_on_redis_and_go_on_without_it() {
    if !redis_server::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (number, (compiler, options)) in DIALECTS.into_iter().filter(|(compiler, _)| has(compiler)).enumerate() {
        let program = folder.path().join("redis");
        compile(compiler, &[&STRICT[..], options].concat(), &root().join("tests/c/redis.c"), &program);
        let mut server = redis_server::RedisServer::start(&[]);
        let copy = folder.path().join(format!("copy-{number}.db"));
        let url = server.url("namespace=c");
        let with_file = format!("{url}&local_file={}&outage=keep", copy.display());
        // The first under valgrind too.
        let run = |arguments: &[&str]| match number == 0 && has("valgrind") {
            true => {
                let mut command = with_prefix("valgrind");
                command.args([
                    "-q",
                    "--leak-check=full",
                    "--errors-for-leak-kinds=definite,indirect",
                    "--error-exitcode=9",
                ]);
                done(command.arg(&program).args(arguments))
            }
            false => done(with_prefix(&program).args(arguments)),
        };
        assert_eq!(run(&["online", &url, &with_file]), "redis: ok\n", "{compiler} {options:?}");
        server.kill();
        assert_eq!(run(&["outage", &with_file]), "redis: ok\n", "{compiler} {options:?}");
    }
}

#[test]
fn valgrind_finds_no_leak_and_no_error() {
    if !has("valgrind") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("signoff.db").display().to_string();
    let story = folder.path().join("story.db").display().to_string();
    for (source, arguments) in [
        ("examples/c/logout.c", vec![log]),
        ("tests/c/story.c", vec![story]),
        ("tests/c/bad_input.c", vec!["500".to_owned()]),
    ] {
        let program = folder.path().join("program");
        compile("cc", &["-g"], &root().join(source), &program);
        let mut command = with_prefix("valgrind");
        command.args(["-q", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=9"]);
        done(command.arg(&program).args(arguments));
    }
}

/// What both bindings print: accepted, and refused after log out.
const STORY: &str = "accepted: user 42\ntoken-revoked (answer with 401)\n";

#[test]
fn python_binds_the_library_with_nothing_but_ctypes() {
    if !has("python3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut python = Command::new("python3");
    python.arg(root().join("bindings/ctypes/logout.py")).arg(prefix().join("lib/libsignoff.so"));
    assert_eq!(done(python.arg(folder.path().join("signoff.db"))), STORY);
}

#[test]
fn of_two_copies_in_a_process_the_second_is_refused_and_another_sqlite_takes_nothing_away() {
    if !has("python3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (library, copy) = (prefix().join("lib/libsignoff.so"), folder.path().join("libsignoff-copy.so"));
    fs::copy(&library, &copy).unwrap();
    let path = folder.path().join("signoff.db");
    let mut python = Command::new("python3");
    python.arg(root().join("tests/c/one_file.py")).arg(root().join("bindings/ctypes"));
    let ended = python.arg(library).arg(copy).arg(&path).output().unwrap();
    let text = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(text, "recorded: 60\n", "{}", String::from_utf8_lossy(&ended.stderr));
    // It was killed, and everything that was acknowledged is there.
    let rows = rusqlite::Connection::open(&path).unwrap();
    let rows = rows.query_row("SELECT count(DISTINCT value) FROM revocation", [], |row| row.get::<_, i64>(0));
    assert_eq!(rows.unwrap(), 60);
}

#[test]
fn node_binds_the_library_with_nothing_but_koffi() {
    if !has("node") || !has("npm") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["package.json", "package-lock.json", "logout.mjs"] {
        fs::copy(root().join("bindings/koffi").join(name), folder.path().join(name)).unwrap();
    }
    done(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder.path()));
    let mut node = Command::new("node");
    node.arg("logout.mjs").arg(prefix().join("lib/libsignoff.so")).arg("signoff.db").current_dir(folder.path());
    assert_eq!(done(&mut node), STORY);
}

/// The blocks of one language in a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned() + "\n").collect()
}

#[test]
fn the_programs_in_the_page_for_newcomers_work_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    for (name, language, compiler, options) in
        [("hello.c", "c", "cc", &["-std=c11"][..]), ("hello.cc", "cpp", "c++", &["-std=c++17"])]
    {
        let [source] = &blocks("docs/c.md", language)[..] else { panic!("one program in {language}") };
        fs::write(folder.path().join(name), source).unwrap();
        let program = folder.path().join(language);
        compile(compiler, &[&STRICT[..], options].concat(), &folder.path().join(name), &program);
        let out = done(with_prefix(&program).current_dir(folder.path()));
        assert_eq!(out, "accepted\ntoken-revoked\n", "{language}");
        fs::remove_file(folder.path().join("signoff.db")).unwrap();
    }
}
