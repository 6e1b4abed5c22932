//! How an engine is: for readiness checks and for graphs.

use std::fmt::Write as _;
use std::time::Duration;

use super::Engine;
use super::replica::CollectionPause;
use crate::clock::{Times, UnixTime};
use crate::denied::Unknown;
use crate::log::{LogError, Note, Origin};
use crate::revocation::Scope;
use crate::status::Status;

/// Whether an engine can answer, and what is wrong where it can't.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Why tokens are answered with "unavailable", if they are. None means ready.
    pub unknown: Option<Unknown>,
    /// How long ago the log was read to its end. None without a log, or before the first time.
    pub freshness: Option<Duration>,
    /// The log's last error, until it works again.
    pub fault: Option<LogError>,
    /// Why expired revocations are not deleted, if they are not.
    pub collection_pause: Option<CollectionPause>,
    /// Tokens that expired ten minutes before this are expired whatever a clock says. None before the first
    /// collection.
    pub watermark: Option<UnixTime>,
    /// Whether the log was there when it was opened. None without a log.
    pub origin: Option<Origin>,
    /// Why the log is in danger though it works, if it is. No token is answered otherwise for it.
    pub note: Option<Note>,
}

impl Health {
    /// Whether the engine answers every token.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.unknown.is_none()
    }
}

/// What an engine has done and holds.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// Verifications by outcome, those that never happened left out.
    pub verifications: Vec<(Status, u64)>,
    /// How often a segment's filter was asked.
    pub filter_probes: u64,
    /// How often a filter said "maybe".
    pub filter_positives: u64,
    /// How often the exact table then said no.
    pub filter_false_positives: u64,
    /// Records in the index by scope.
    pub records: [(Scope, u64); 4],
    /// Segments of the index.
    pub segments: u64,
    /// Segments whose filter could not be built, so that the exact table is asked alone.
    pub filters_missing: u64,
    /// Merges since the engine was opened.
    pub merges: u64,
    /// How long they took, all told.
    pub merging: Duration,
    /// Bytes that the index takes.
    pub index_bytes: u64,
    /// The highest position in the log, as far as it is known. Above `log_applied` while records are on
    /// their way into the index.
    pub log_head: i64,
    /// The position of the last record in the index.
    pub log_applied: i64,
    /// Rows of the log that are no records of ours, and were passed over.
    pub log_junk: u64,
    /// How long ago the log was read to its end.
    pub freshness: Option<Duration>,
    /// Whether the engine answers every token.
    pub ready: bool,
    /// Whether deleting expired revocations pauses.
    pub collection_paused: bool,
}

impl Engine {
    /// How the engine is. Cost: a few loads, no I/O.
    #[must_use]
    pub fn health(&self) -> Health {
        let Some(log) = self.shared.log.as_ref().map(|log| &log.replica) else {
            let (unknown, freshness, fault, collection_pause) = (None, None, None, None);
            return Health { unknown, freshness, fault, collection_pause, watermark: None, origin: None, note: None };
        };
        Health {
            unknown: log.readiness(),
            freshness: log.age(Times::now()),
            fault: log.fault(),
            collection_pause: log.pause(),
            watermark: log.watermark(),
            origin: Some(log.origin),
            note: log.log.note(),
        }
    }

    /// What the engine has done and holds. Cost: adds up the counts of each scratch, no I/O.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let totals = self.shared.counters.totals();
        let verifications = Status::ALL.iter().map(|status| (*status, totals.statuses[status.ordinal()]));
        let log = self.shared.log.as_ref().map(|log| &log.replica);
        let contents = log.map(|log| log.contents()).unwrap_or_default();
        let health = self.health();
        Stats {
            verifications: verifications.filter(|(_, count)| *count > 0).collect(),
            filter_probes: totals.probes,
            filter_positives: totals.positives,
            filter_false_positives: totals.false_positives,
            records: Scope::ALL.map(|scope| (scope, contents.records[scope as usize])),
            segments: contents.segments,
            filters_missing: contents.filters_missing,
            merges: contents.merges,
            merging: log.map_or(Duration::ZERO, |log| log.merging()),
            index_bytes: contents.bytes,
            log_head: log.map_or(0, |log| log.head()),
            log_applied: log.map_or(0, |log| log.applied()),
            log_junk: log.map_or(0, |log| log.junk()),
            freshness: health.freshness,
            ready: health.is_ready(),
            collection_paused: health.collection_pause.is_some(),
        }
    }
}

impl Stats {
    /// The stats as Prometheus reads them, text format 0.0.4. Names are stable.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        let mut metric = |name: &str, kind: &str, help: &str, samples: Vec<(String, f64)>| {
            // Writing to a string does not fail.
            let _ok = writeln!(text, "# HELP signoff_{name} {help}\n# TYPE signoff_{name} {kind}");
            for (labels, value) in samples {
                let _ok = writeln!(text, "signoff_{name}{labels} {value}");
            }
        };
        let one = |value: f64| vec![(String::new(), value)];
        let flag = |is: bool| one(f64::from(u8::from(is)));
        let count = |value: u64| one(value as f64);
        let by_code =
            self.verifications.iter().map(|(s, n)| (format!("{{code=\"{}\"}}", s.name()), *n as f64)).collect();
        let by_scope = self.records.iter().map(|(s, n)| (format!("{{scope=\"{s}\"}}"), *n as f64)).collect();
        metric("verifications_total", "counter", "Verifications by outcome.", by_code);
        metric("filter_probes_total", "counter", "How often a filter was asked.", count(self.filter_probes));
        metric("filter_positives_total", "counter", "How often a filter said maybe.", count(self.filter_positives));
        metric(
            "filter_false_positives_total",
            "counter",
            "How often the exact table then said no.",
            count(self.filter_false_positives),
        );
        metric("revocations", "gauge", "Revocations in the index.", by_scope);
        metric("index_segments", "gauge", "Segments of the index.", count(self.segments));
        metric("index_filters_missing", "gauge", "Segments without a filter.", count(self.filters_missing));
        metric("index_merges_total", "counter", "Merges of segments.", count(self.merges));
        metric("index_merge_seconds_total", "counter", "Time spent merging.", one(self.merging.as_secs_f64()));
        metric("index_bytes", "gauge", "Memory that the index takes.", count(self.index_bytes));
        metric("log_head_position", "gauge", "The last record in the log.", one(self.log_head as f64));
        metric("log_applied_position", "gauge", "The last record in the index.", one(self.log_applied as f64));
        metric("log_junk_total", "counter", "Rows of the log that are no records.", count(self.log_junk));
        let freshness = self.freshness.map_or(Vec::new(), |age| one(age.as_secs_f64()));
        metric("freshness_seconds", "gauge", "How long ago the log was read to its end.", freshness);
        metric("ready", "gauge", "Whether every token is answered.", flag(self.ready));
        metric("collection_paused", "gauge", "Whether deleting the expired pauses.", flag(self.collection_paused));
        text
    }
}
