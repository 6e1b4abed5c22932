//! `signoff create`: an empty log, where there is none.

use std::time::Duration;

use clap::{Args, ValueHint};
use signoff::{Origin, Policy, Threads};

use crate::{Failure, Outcome, log, say, time_values};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The log: the path of a file, or the URL of a Redis server.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    log: String,
    /// The longest that any token on it lives, refresh tokens included, as in 30d. Log-outs of users and sessions end some day then.
    #[arg(long, value_name = "DURATION", value_parser = time_values::some_duration)]
    longest_lifetime: Option<Duration>,
    /// How far ahead of the clock tokens may be issued, as in 5s; at most 60s.
    #[arg(long, value_name = "DURATION", value_parser = time_values::duration)]
    issued_in_future_max: Option<Duration>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let existing = log::at(&arguments.log).threads(Threads::None);
    let (place, mut new) = (existing.place(), existing.clone().create_if_missing());
    if log::open_if_there(log::no_keys()?, Policy::new(), existing)?.is_some() {
        return Err(Failure::Usage(format!("{place}: there is a log here already; nothing was done")));
    }
    if let Some(lifetime) = arguments.longest_lifetime {
        new = new.longest_lifetime(lifetime);
    }
    if let Some(allowed) = arguments.issued_in_future_max {
        new = new.issued_in_future_max(allowed);
    }
    let engine = log::open_without_keys(new)?;
    match engine.health().origin {
        Some(Origin::Created) => {
            say(format_args!("{place}: made an empty log")).map_err(|failure| failure.after("the log was made"))?;
            Ok(Outcome::Good)
        }
        _ => Err(Failure::Usage(format!(
            "{place}: somebody else has made a log here in this moment; it was left as it is"
        ))),
    }
}
