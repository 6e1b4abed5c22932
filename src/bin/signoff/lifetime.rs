//! `signoff lifetime`: how long the tokens on a log may live, and how that is changed.

use std::time::Duration;

use clap::{Args, ValueHint};
use signoff::{Log, LongestLifetime, Threads};

use crate::{Failure, Outcome, log, say, time_values};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The log: a file, or the URL of a server.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    log: String,
    /// Let tokens live as long as this that are issued ten minutes from now on or later.
    #[arg(long, value_name = "DURATION", value_parser = time_values::duration, conflicts_with = "insecure_replace")]
    raise: Option<Duration>,
    /// Take back what was stated by mistake, and state this, or `none`, at once. Wants --yes.
    #[arg(long, value_name = "DURATION", value_parser = replacement)]
    insecure_replace: Option<Replacement>,
    /// Do it, though log-outs of tokens that live longer may be forgotten.
    #[arg(long)]
    yes: bool,
}

/// What is put in the place of what was stated.
#[derive(Clone, Copy)]
struct Replacement(Option<Duration>);

fn replacement(text: &str) -> Result<Replacement, String> {
    match text {
        "none" => Ok(Replacement(None)),
        text => {
            time_values::duration(text).map(|lifetime| Replacement(Some(lifetime))).map_err(|error| error.to_string())
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let engine = log::open_without_keys(Log::threads(log::at(&arguments.log), Threads::None))?;
    if let Some(lifetime) = arguments.raise {
        if engine.longest_lifetime().is_none() {
            return Err(Failure::Usage(
                "the log states none, so that there is nothing to raise: tokens may live for ever".to_owned(),
            ));
        }
        engine.raise_longest_lifetime(lifetime).map_err(log::failure)?;
    }
    if let Some(Replacement(lifetime)) = arguments.insecure_replace {
        if !arguments.yes {
            return Err(Failure::Usage(
                "log-outs of sessions, users and everybody were kept by what was stated: tokens that live longer may be good again. \
                 Say --yes if that is meant; `--raise` does it without"
                    .to_owned(),
            ));
        }
        engine.insecure_replace_longest_lifetime(lifetime).map_err(log::failure)?;
    }
    let words = time_values::span;
    match engine.longest_lifetime() {
        None => say(format_args!("tokens may live for ever, and log-outs of users are kept for ever"))?,
        Some(LongestLifetime { lifetime, raised: None, .. }) => {
            say(format_args!("tokens may live {}", words(lifetime)))?;
        }
        Some(LongestLifetime { lifetime, raised: Some((max, from)), .. }) => say(format_args!(
            "tokens may live {}; those that are issued from {} on {}",
            words(lifetime),
            time_values::date_millis(from),
            words(max)
        ))?,
    }
    Ok(Outcome::Good)
}
