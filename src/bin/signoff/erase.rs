//! `signoff erase`: takes revocations out of a log that were recorded by mistake.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use clap::{Args, ValueHint};
use serde_json::Value;
use signoff::{Error, Log, Record, Threads};

use crate::{Failure, Outcome, log, say};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The log: a file, or the URL of a server.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    log: String,
    /// A file with those lines of `signoff list` that are to go; - for standard input. Wants --yes.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    records: String,
    /// Do it: what only these ended is good again.
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let path = arguments.records.as_str();
    let input: Box<dyn Read> = match path {
        "-" => Box::new(std::io::stdin().lock()),
        path => Box::new(File::open(path).map_err(|error| Failure::of_file(path, &error))?),
    };
    // What is printed of a record is all of it, so that it is known again by that; and where it stands in the input.
    let mut wanted: HashMap<Value, u64> = HashMap::new();
    for (line, number) in BufReader::new(input).lines().zip(1..) {
        let line = line.map_err(|error| Failure::of_file(path, &error))?;
        let value: Value = match line.trim() {
            "" => continue,
            line => serde_json::from_str(line).map_err(|_| {
                Failure::Usage(format!("line {number} is not as `signoff list` prints it; nothing was erased"))
            })?,
        };
        wanted.entry(value).or_insert(number);
    }
    if wanted.is_empty() {
        return Err(Failure::Usage("there is no line, so that nothing was erased".to_owned()));
    }
    let engine = log::open_without_keys(log::at(&arguments.log).threads(Threads::None))?;
    let (mut found, mut missing): (Vec<Record>, _) = (Vec::new(), wanted.clone());
    for record in engine.revocations().map_err(log::failure)? {
        let record = record.map_err(|error| log::failure(Error::Log(error)))?;
        let printed = Value::from(log::json(&record));
        if wanted.contains_key(&printed) {
            missing.remove(&printed);
            found.push(record);
        }
    }
    let place = Log::place(&log::at(&arguments.log));
    if !arguments.yes {
        return Err(Failure::Usage(format!(
            "{} of the {} are in {place}; tokens that only they ended would be good again, on every engine on it\nsignoff: nothing was done; say --yes to do it",
            found.len(),
            wanted.len()
        )));
    }
    let erased = engine.insecure_erase(&found).map_err(log::failure)?;
    say(format_args!("{erased} erased from {place}"))?;
    let mut lines: Vec<u64> = missing.into_values().collect();
    lines.sort_unstable();
    for line in &lines {
        eprintln!("signoff: line {line}: the log has no such revocation");
    }
    Ok(if lines.is_empty() { Outcome::Good } else { Outcome::SomeRejected })
}
