//! `signoff generate`: what a package installs beside the command, made from the command line itself.

use std::path::PathBuf;

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to write.
    #[arg(value_enum)]
    what: What,
    /// The folder to write into, which must be there.
    folder: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// A manual page of the command, and one of each of its commands.
    Man,
    /// Completions for bash, zsh and fish.
    Completions,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let mut command = super::Arguments::command();
    let failed = |error| Failure::of_file(&arguments.folder.display().to_string(), &error);
    match arguments.what {
        What::Man => clap_mangen::generate_to(command, &arguments.folder).map_err(failed)?,
        What::Completions => {
            for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
                clap_complete::generate_to(shell, &mut command, "signoff", &arguments.folder).map_err(failed)?;
            }
        }
    }
    Ok(Outcome::Good)
}
