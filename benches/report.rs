//! Reads what the last `make bench` measured. Prints one JSON object of id → median ns, and writes the
//! table and the chart of `docs/performance.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// A ratio of two benchmarks: what it says, the two ids, and the most or the least that it may be.
const RATIOS: [(&str, &str, &str, Bound); 32] = [
    ("verify ÷ bare HMAC, 160-byte payload", "verify/hs256/signoff", "verify/hs256/hmac_floor", Bound::Most(1.6)),
    (
        "verify ÷ bare HMAC, 900-byte payload",
        "verify/hs256_900/signoff",
        "verify/hs256_900/hmac_floor",
        Bound::Most(1.5),
    ),
    ("through C ÷ from Rust", "verify/hs256/c_abi", "verify/hs256/signoff", Bound::Most(1.05)),
    ("a batch of 64 ÷ 64 single calls, through C", "c_batch/64_together", "c_batch/64_single", Bound::Most(1.0)),
    ("crate jsonwebtoken ÷ signoff", "verify/hs256/jsonwebtoken", "verify/hs256/signoff", Bound::Least(4.0)),
    ("crate jwt-simple ÷ signoff", "verify/hs256/jwt_simple", "verify/hs256/signoff", Bound::Told),
    ("expired ÷ accepted", "reject/expired", "reject/accepted", Bound::Most(1.1)),
    ("bad signature ÷ accepted", "reject/bad_signature", "reject/accepted", Bound::Most(1.1)),
    (
        "bad signature, unseen header ÷ accepted",
        "reject/bad_signature_unseen_header",
        "reject/accepted",
        Bound::Most(1.1),
    ),
    ("bad signature ÷ accepted, 16 KiB", "reject/bad_signature_16k", "reject/accepted_16k", Bound::Most(1.1)),
    ("garbage ÷ accepted, 16 KiB", "reject/garbage_16k", "reject/accepted_16k", Bound::Most(1.1)),
    ("dots ÷ accepted, 16 KiB", "reject/dots_16k", "reject/accepted_16k", Bound::Most(1.1)),
    ("not base64url ÷ accepted, 16 KiB", "reject/not_base64_16k", "reject/accepted_16k", Bound::Most(1.1)),
    ("long signature ÷ accepted, 16 KiB", "reject/long_signature_16k", "reject/accepted_16k", Bound::Most(1.1)),
    ("long header ÷ accepted, 16 KiB", "reject/garbage_header_16k", "reject/accepted_16k", Bound::Most(1.1)),
    ("two threads ÷ one, verifications a second", "threads/1", "threads/2", Bound::Least(1.9)),
    ("owned result ÷ borrowed", "parts/verify_owned", "verify/hs256/signoff", Bound::Told),
    ("1 M revocations ÷ none", "screen/1m", "screen/0", Bound::Most(1.1)),
    ("1 M revocations, revoked tokens ÷ none", "screen/1m_revoked", "screen/0", Bound::Most(1.25)),
    ("10 M revocations ÷ none", "screen/10m", "screen/0_again", Bound::Most(1.2)),
    ("100 M revocations ÷ none", "screen/100m", "screen/0_beside_100m", Bound::Most(1.35)),
    ("1 M, exact table alone ÷ none", "screen/1m_exact_table_alone", "screen/0", Bound::Told),
    ("10 M, exact table alone ÷ none", "screen/10m_exact_table_alone", "screen/0_again", Bound::Told),
    (
        "two threads ÷ one with 1 M revocations, verifications a second",
        "screen/1m_threads_1",
        "screen/1m_threads_2",
        Bound::Least(1.9),
    ),
    (
        "64 callers revoking ÷ single commits of SQLite, a second",
        "revoke/single_sqlite_commit",
        "revoke/64_callers",
        Bound::Least(10.0),
    ),
    (
        "one caller revoking ÷ single commits of SQLite, a second",
        "revoke/single_sqlite_commit",
        "revoke/1_caller",
        Bound::Told,
    ),
    ("opening 10 M records ÷ a bare SELECT", "open/10m", "open/10m_select", Bound::Most(2.5)),
    ("opening 100 M records ÷ a bare SELECT", "open/100m", "open/100m_select", Bound::Most(2.5)),
    (
        "opening 200,000 cut-offs of one user with lists of five ÷ without",
        "cut_offs/open_200k_with_lists",
        "cut_offs/open_200k",
        Bound::Most(2.0),
    ),
    (
        "a user with 200,000 cut-offs ÷ a user with one",
        "cut_offs/user_of_200k",
        "cut_offs/user_of_1_again",
        Bound::Most(1.3),
    ),
    (
        "others beside 200,000 cut-offs ÷ beside one",
        "cut_offs/others_of_200k",
        "cut_offs/others_of_1_again",
        Bound::Most(1.05),
    ),
    (
        "slowest of a thousand, 20,000 revocations a second ÷ quiet",
        "tail/revoking/p999_ns",
        "tail/quiet/p999_ns",
        Bound::Most(3.0),
    ),
];

/// Figures that stand for themselves, from `benches/process.rs`.
const FIGURES: [(&str, &str, Bound); 8] = [
    ("bytes of memory a record, 1 M", "memory/1m/bytes_a_record", Bound::Most(24.0)),
    ("bytes of memory a record, 10 M", "memory/10m/bytes_a_record", Bound::Most(24.0)),
    ("bytes of memory a record, 100 M", "memory/100m/bytes_a_record", Bound::Most(26.0)),
    ("the same at the peak of a merge, 10 M", "memory/10m/bytes_a_record_at_peak", Bound::Told),
    ("the same, exact table alone, 1 M", "memory/1m_exact_table_alone/bytes_a_record", Bound::Told),
    ("the same, exact table alone, 10 M", "memory/10m_exact_table_alone/bytes_a_record", Bound::Told),
    ("ms until another process refuses, half of all", "latency/other_process/p50_ms", Bound::Told),
    ("ms until another process refuses, 99 % of all", "latency/other_process/p99_ms", Bound::Most(20.0)),
];

enum Bound {
    Most(f64),
    Least(f64),
    /// Told for comparison; nothing is promised.
    Told,
}

impl Bound {
    fn text(&self, value: f64) -> String {
        let (sign, bound, holds) = match self {
            Self::Most(most) => ("≤", most, value <= *most),
            Self::Least(least) => ("≥", least, value >= *least),
            Self::Told => return "none".to_owned(),
        };
        format!("{sign} {bound:.2}{}", if holds { "" } else { ": missed" })
    }
}

fn main() -> io::Result<()> {
    // `cargo bench` and `cargo test` pass flags of their own to every target.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let mut medians = BTreeMap::new();
    collect(&target.join("criterion"), &mut medians)?;
    if medians.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "nothing was measured yet: run `make bench` first"));
    }
    if let Ok(figures) = fs::read(target.join("bench-logs/figures.json")) {
        medians.extend(serde_json::from_slice::<BTreeMap<String, f64>>(&figures)?);
    }
    println!("{}", serde_json::to_string_pretty(&medians)?);
    let page = root.join("docs/performance.md");
    write_between(&page, &format!("{}\n{}\n{}", origin(), ratios(&medians), table(&medians)))?;
    fs::write(root.join("docs/performance.svg"), chart(&medians))
}

/// Every benchmark's median, in nanoseconds, by its id.
fn collect(folder: &Path, medians: &mut BTreeMap<String, f64>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "new" && name != "base" && name != "change") {
            collect(&path, medians)?;
        }
    }
    let (names, estimates) = (folder.join("new/benchmark.json"), folder.join("new/estimates.json"));
    if let (Ok(names), Ok(estimates)) = (fs::read(names), fs::read(estimates)) {
        let names: serde_json::Value = serde_json::from_slice(&names)?;
        let estimates: serde_json::Value = serde_json::from_slice(&estimates)?;
        if let (Some(id), Some(median)) = (names["full_id"].as_str(), estimates["median"]["point_estimate"].as_f64()) {
            medians.insert(id.to_owned(), (median * 10.0).round() / 10.0);
        }
    }
    Ok(())
}

fn origin() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown")
        .trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success());
        output.map_or_else(|| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["log", "-1", "--format=%h, %cs"]);
    format!("Measured by `make bench` on {cpu}, {cores} cores, commit {commit}; written by `make bench-report`.\n")
}

fn ratios(medians: &BTreeMap<String, f64>) -> String {
    let mut text = String::from("| ratio, both of one run | measured | bound |\n|---|---|---|\n");
    for (what, above, below, bound) in &RATIOS {
        if let (Some(above), Some(below)) = (medians.get(*above), medians.get(*below)) {
            let ratio = above / below;
            let _infallible = writeln!(text, "| {what} | {ratio:.2} | {} |", bound.text(ratio));
        }
    }
    text += "\n| figure | measured | bound |\n|---|---|---|\n";
    for (what, id, bound) in &FIGURES {
        if let Some(value) = medians.get(*id) {
            let _infallible = writeln!(text, "| {what} | {value:.2} | {} |", bound.text(*value));
        }
    }
    text
}

fn table(medians: &BTreeMap<String, f64>) -> String {
    let is_time = |id: &str| !id.starts_with("memory/") && !id.starts_with("latency/") && !id.starts_with("tail/");
    let times = medians.iter().filter(|(id, _)| is_time(id));
    let rows = times.fold(String::new(), |rows, (id, median)| rows + &format!("| `{id}` | {median:.0} |\n"));
    format!("| benchmark | median, ns |\n|---|---|\n{rows}")
}

/// Replaces what stands between the page's two markers.
fn write_between(page: &Path, text: &str) -> io::Result<()> {
    const MARKERS: [&str; 2] = ["<!-- measured: begin -->", "<!-- measured: end -->"];
    let old = fs::read_to_string(page)?;
    let cut = old.split_once(MARKERS[0]).and_then(|(before, rest)| Some((before, rest.split_once(MARKERS[1])?.1)));
    let (before, after) =
        cut.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "docs/performance.md has lost its markers"))?;
    fs::write(page, format!("{before}{}\n\n{text}\n{}{after}", MARKERS[0], MARKERS[1]))
}

/// Bars for the two groups that compare libraries.
fn chart(medians: &BTreeMap<String, f64>) -> String {
    const BAR: usize = 22;
    let groups = [("verify/hs256/", "160-byte payload"), ("verify/hs256_900/", "900-byte payload")];
    let longest = medians.iter().filter(|(id, _)| id.starts_with("verify/")).map(|(_, ns)| *ns).fold(1.0, f64::max);
    let (mut bars, mut y) = (String::new(), 30);
    for (prefix, title) in groups {
        let _infallible =
            writeln!(bars, r#"<text x="10" y="{}" font-weight="bold">HS256, {title}: ns a verification</text>"#, y);
        y += 12;
        for (name, ns) in medians.iter().filter_map(|(id, ns)| Some((id.strip_prefix(prefix)?, ns))) {
            let width = (ns / longest * 420.0).max(1.0);
            let color = if name == "signoff" { "#2563eb" } else { "#9ca3af" };
            let _infallible = writeln!(
                bars,
                r#"<text x="10" y="{0}">{name}</text><rect x="130" y="{1}" width="{width:.0}" height="14" fill="{color}"/><text x="{2:.0}" y="{0}">{ns:.0}</text>"#,
                y + 12,
                y,
                136.0 + width
            );
            y += BAR;
        }
        y += 28;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 {y}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#111\">\n<rect width=\"640\" height=\"{y}\" fill=\"#fff\"/>\n{bars}</svg>\n"
    )
}
