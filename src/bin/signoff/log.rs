//! The log that a command works on, opened with a progress bar, and how its records are printed.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value};
use signoff::{Algorithm, Engine, Error, Issuer, Key, KeySet, Log, Policy, Record, Status, UnixTime};

use crate::{Failure, hidden_password, time_values};

/// A log of ten million records opens in seconds, one of a hundred million in half a minute.
const OPEN_TIMEOUT: Duration = Duration::from_secs(600);

/// The log at a place, as an argument names it.
pub(crate) fn at(place: &str) -> Log {
    Log::at(hidden_password::url_of(place))
}

/// Opens an engine on a log.
pub(crate) fn open(keys: KeySet, policy: Policy, log: Log) -> Result<Engine, Failure> {
    open_with_bar(keys, policy, log).map_err(failure)
}

fn open_with_bar(keys: KeySet, policy: Policy, log: Log) -> Result<Engine, Error> {
    let bar = bar("records");
    let log = log.open_timeout(OPEN_TIMEOUT);
    let engine = Engine::open_with_progress(keys, policy, log, |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.read);
    });
    bar.finish_and_clear();
    engine
}

/// An engine on a log, if there is one.
pub(crate) fn open_if_there(keys: KeySet, policy: Policy, log: Log) -> Result<Option<Engine>, Failure> {
    match open_with_bar(keys, policy, log) {
        Ok(engine) => Ok(Some(engine)),
        Err(error) if error.status() == Status::LogMissing => Ok(None),
        Err(error) => Err(failure(error)),
    }
}

/// An engine for work on a log that needs no key: it accepts no token that anybody could sign.
pub(crate) fn open_without_keys(log: Log) -> Result<Engine, Failure> {
    open(no_keys()?, Policy::new(), log)
}

/// A key that nobody holds: an engine does not open without any.
pub(crate) fn no_keys() -> Result<KeySet, Failure> {
    let secret: [u8; 32] = std::array::from_fn(|_| rand_byte());
    let keys = Key::hmac(Algorithm::Hs256, &secret).and_then(|key| KeySet::new([key]));
    keys.map_err(|error| Failure::Environment(error.to_string()))
}

/// One byte of a random hash key of the standard library, which the system seeds.
fn rand_byte() -> u8 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0_u8).to_le_bytes()[0]
}

/// A bar for so many things, on a terminal alone.
pub(crate) fn bar(things: &str) -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let template = format!("{{bar:30}} {{human_pos}}/{{human_len}} {things}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, target).with_style(style)
}

/// What an error means for the exit status: what the caller wrote, or what surrounds it.
pub(crate) fn failure(error: Error) -> Failure {
    match error.status() {
        Status::LogUrl | Status::LogExists => Failure::Usage(error.to_string()),
        status if status.number() < 100 => Failure::Usage(error.to_string()),
        _ => Failure::Environment(error.to_string()),
    }
}

/// A record as one JSON object.
pub(crate) fn json(record: &Record) -> Map<String, Value> {
    let time = |time: UnixTime| Value::from(time_values::date_millis(time));
    let mut members = Map::new();
    members.insert("scope".into(), record.target.scope().name().into());
    if !record.target.value().is_empty() {
        members.insert("value".into(), record.target.value().into());
    }
    match &record.issuer {
        Issuer::Any => {}
        Issuer::Absent => drop(members.insert("issuer".into(), Value::Null)),
        Issuer::Named(name) => drop(members.insert("issuer".into(), name.as_str().into())),
    }
    if let Some(cut_off) = record.issued_before {
        members.insert("issued_before".into(), time(cut_off));
    }
    if !record.keep.is_empty() {
        members.insert("keep".into(), record.keep.clone().into());
    }
    members.insert("keep_until".into(), record.keep_until.map_or(Value::from("for ever"), time));
    members.insert("recorded_at".into(), time(record.recorded_at));
    if let Some(reason) = &record.reason {
        members.insert("reason".into(), reason.as_str().into());
    }
    members
}
