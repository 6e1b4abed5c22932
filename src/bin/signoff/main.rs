//! The command line. Uses nothing of the library but its public interface.
//!
//! Exit status: 0 all accepted or done, 1 some token rejected, 2 a call that can't be carried out as
//! it was made, 3 a fault of the environment (a file, a pipe, the clock).
#![warn(unreachable_pub)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backup;
mod create;
mod demo;
mod erase;
mod generate;
mod hidden_password;
mod inspect;
mod keys;
mod lifetime;
mod log;
mod maintenance;
mod names;
mod pages;
mod policy;
mod records;
mod revoke;
mod sign;
mod time_values;
mod vectors;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use signoff::option_names::{Face, in_words_of};

/// Decides whether a JWT may still be used.
#[derive(Parser)]
#[command(name = "signoff", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sign a token and print it.
    Sign(sign::Arguments),
    /// Verify tokens, one a line, and print one JSON object a line.
    Verify(verify::Arguments),
    /// Make an empty log.
    Create(create::Arguments),
    /// Log out of a token, a session, a subject, or everything; or of a file of them.
    Revoke(Box<revoke::Arguments>),
    /// Print the revocations in a log, one JSON object a line.
    List(maintenance::ListArguments),
    /// Print what a log holds.
    Stats(maintenance::StatsArguments),
    /// Delete what has expired, and give its room back.
    Compact(maintenance::CompactArguments),
    /// How long the tokens on a log may live, and how that is changed.
    Lifetime(lifetime::Arguments),
    /// Take revocations out of a log that were recorded by mistake.
    Erase(erase::Arguments),
    /// Copy a log as a whole, while others use it.
    Backup(backup::BackupArguments),
    /// Put a backup back, also under running processes, which notice.
    Restore(backup::RestoreArguments),
    /// Show what a token says. Verifies nothing.
    Inspect(inspect::Arguments),
    /// Sign 200,000 tokens, verify them among bad ones, log users out, and show what it costs.
    Demo,
    /// Write the manual pages or the shell completions into a folder: for packages.
    Generate(generate::Arguments),
}

/// How a command ended that could be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything was accepted, or done.
    Good,
    /// Some token was not accepted.
    SomeRejected,
}

/// Why a command could not be carried out. Each text tells what to do.
#[derive(Debug)]
enum Failure {
    /// The call has to be made otherwise.
    Usage(String),
    /// Something around it has to be put right.
    Environment(String),
    /// Whoever read our output has stopped reading.
    OutputClosed,
}

impl Failure {
    /// A file that can't be read. What was given in the place of its name, and looks like a secret or a token, is not shown.
    fn of_file(path: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidData, InvalidInput, IsADirectory, NotFound};
        let path = match hidden_password::looks_secret(path) {
            true => "what was given as the name of a file, and looks like a secret or a token itself",
            false => path,
        };
        match error.kind() {
            _ if path.is_empty() => Self::Usage("the name of a file is empty: an unset variable?".to_owned()),
            InvalidData => Self::Usage(format!("{path}: it is no text in UTF-8")),
            NotFound => Self::Environment(format!("{path}: there is no such file")),
            IsADirectory => Self::Usage(format!("{path}: is a directory; name a file")),
            InvalidInput => Self::Usage(format!("{path}: can't be the name of a file")),
            _ => Self::Environment(format!("{path}: {error}")),
        }
    }

    /// The same, of a call that has done what it was to do but could not say so.
    fn after(self, done: &str) -> Self {
        match self {
            Self::Environment(text) => Self::Environment(format!("{done}, but that could not be printed: {text}")),
            other => other,
        }
    }

    fn of_output(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Environment(format!("standard output: {error}")),
        }
    }
}

/// A message of the library in the words of the command line.
fn in_words(message: impl std::fmt::Display) -> String {
    in_words_of(Face::CommandLine, message).to_string()
}

/// Prints a line, unless nobody reads any more.
fn say(text: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{text}").map_err(|error| Failure::of_output(&error))
}

/// The command line, with what the pages say of each command.
fn command() -> clap::Command {
    let with_page = |command: clap::Command, page: &pages::Page| {
        command.mut_subcommand(page.command, |subcommand| subcommand.after_help(pages::help(page)))
    };
    pages::PAGES.iter().fold(Arguments::command(), with_page)
}

/// The arguments. What people call logging out elsewhere leads to the command for it.
fn arguments() -> Arguments {
    const REVOKE: [&str; 10] =
        ["logout", "log-out", "signout", "sign-out", "signoff", "blacklist", "denylist", "invalidate", "ban", "block"];
    let called = std::env::args_os().nth(1).map(|called| called.to_string_lossy().into_owned());
    let parsed = command().try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.unwrap_or_else(|error| {
        if error.kind() == ErrorKind::InvalidSubcommand
            && called.is_some_and(|called| REVOKE.contains(&called.as_str()))
        {
            eprintln!("signoff: logging out is `signoff revoke`: see `signoff revoke --help`");
            std::process::exit(2);
        }
        let shown = error.render().to_string();
        let hidden = hidden_password::without_secrets(&shown);
        if hidden == shown {
            error.exit()
        }
        eprint!("{hidden}");
        std::process::exit(error.exit_code())
    })
}

fn main() -> ExitCode {
    hidden_password::hide();
    let outcome = match arguments().command {
        Command::Sign(arguments) => sign::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Create(arguments) => create::run(&arguments),
        Command::Revoke(arguments) => revoke::run(*arguments),
        Command::List(arguments) => maintenance::list(&arguments),
        Command::Stats(arguments) => maintenance::stats(&arguments),
        Command::Compact(arguments) => maintenance::compact(&arguments),
        Command::Lifetime(arguments) => lifetime::run(&arguments),
        Command::Erase(arguments) => erase::run(&arguments),
        Command::Backup(arguments) => backup::back_up(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Demo => demo::run(),
        Command::Generate(arguments) => generate::run(&arguments),
    };
    match outcome {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::SomeRejected) => ExitCode::from(1),
        Err(Failure::Usage(text)) => {
            eprintln!("signoff: {}", hidden_password::without_secrets(&in_words(&text)));
            ExitCode::from(2)
        }
        Err(Failure::Environment(text)) => {
            eprintln!("signoff: {}", hidden_password::without_secrets(&in_words(&text)));
            ExitCode::from(3)
        }
        Err(Failure::OutputClosed) => ExitCode::from(3),
    }
}
