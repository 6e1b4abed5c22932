//! `signoff list`, `stats` and `compact`: looking after a log.

use std::io::Write;

use clap::{Args, ValueHint};
use signoff::{ClockTrust, Error, Log, Threads, Times};

use crate::{Failure, Outcome, log, say, time_values};

#[derive(Args)]
pub(crate) struct ListArguments {
    /// The log.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    log: String,
}

#[derive(Args)]
pub(crate) struct StatsArguments {
    /// The log.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    log: String,
    /// As Prometheus reads it.
    #[arg(long)]
    prometheus: bool,
}

#[derive(Args)]
pub(crate) struct CompactArguments {
    /// The log.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    log: String,
    /// This machine's clock is right, however far it is past the newest time in the log.
    #[arg(long)]
    clock_is_right: bool,
    /// Take back a watermark that a wrong clock has set, to now. Says what that may revive.
    #[arg(long)]
    reset_watermark: bool,
    /// Write a file of an earlier version anew, so that it can shrink. Nobody can log out meanwhile.
    #[arg(long)]
    rewrite: bool,
}

fn existing(path: &str) -> Log {
    log::at(path).threads(Threads::None)
}

pub(crate) fn list(arguments: &ListArguments) -> Result<Outcome, Failure> {
    // Listing needs no index, so the log is not read twice.
    let engine = log::open_without_keys(existing(&arguments.log).start_unknown())?;
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    for record in engine.revocations().map_err(log::failure)? {
        let record = record.map_err(|error| log::failure(Error::Log(error)))?;
        let line = serde_json::Value::from(log::json(&record));
        writeln!(stdout, "{line}").map_err(|error| Failure::of_output(&error))?;
    }
    stdout.flush().map_err(|error| Failure::of_output(&error))?;
    Ok(Outcome::Good)
}

pub(crate) fn stats(arguments: &StatsArguments) -> Result<Outcome, Failure> {
    let engine = log::open_without_keys(existing(&arguments.log))?;
    let stats = engine.stats();
    let text = match arguments.prometheus {
        true => stats.prometheus(),
        false => {
            let scopes = stats.records.iter().map(|(scope, count)| format!("\"{scope}\":{count}"));
            let file = std::fs::metadata(&arguments.log).map_or(0, |metadata| metadata.len());
            format!(
                "{{\"revocations\":{{{}}},\"head\":{},\"junk_rows\":{},\"index_bytes\":{},\"file_bytes\":{file}}}\n",
                scopes.collect::<Vec<_>>().join(","),
                stats.log_head,
                stats.log_junk,
                stats.index_bytes,
            )
        }
    };
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| Failure::of_output(&error))?;
    Ok(Outcome::Good)
}

pub(crate) fn compact(arguments: &CompactArguments) -> Result<Outcome, Failure> {
    let engine = log::open_without_keys(existing(&arguments.log))?;
    let now = Times::now();
    if arguments.reset_watermark {
        let before = engine.insecure_reset_watermark(now).map_err(log::failure)?;
        match before.filter(|before| *before > now.wall()) {
            Some(before) => say(format_args!(
                "the watermark went back from {} to {}: tokens that expire between the two are good again, \
                 also those whose log-out was deleted meanwhile",
                time_values::date_millis(before),
                time_values::date_millis(now.wall())
            ))?,
            None => say(format_args!("the watermark was not ahead of now: nothing is revived"))?,
        }
    }
    let trust = if arguments.clock_is_right { ClockTrust::Confirmed } else { ClockTrust::Doubt };
    let done = engine.compact(trust).map_err(log::failure)?;
    if let Some(pause) = engine.health().collection_pause {
        return Err(Failure::Environment(format!("nothing was deleted: {pause}")));
    }
    say(format_args!("{} expired revocations deleted", done.deleted))?;
    if done.rewrite_needed && !arguments.rewrite {
        say(format_args!(
            "{} was made by an earlier signoff: its free room is used again, but it shrinks only by being written anew, once, \
             and nobody can log out for as long as that takes; `--rewrite` does it",
            arguments.log
        ))?;
    }
    if arguments.rewrite {
        let bytes =
            |suffix: &str| std::fs::metadata(format!("{}{suffix}", arguments.log)).map_or(0, |found| found.len());
        let before = bytes("");
        engine.rewrite_log().map_err(log::failure)?;
        say(format_args!("{} was written anew: {before} bytes before, {} now", arguments.log, bytes("")))?;
        if bytes("-wal") > 0 {
            say(format_args!(
                "a process still reads what was there before: the file shrinks when that is done, at the next collection"
            ))?;
        }
    }
    Ok(Outcome::Good)
}
