//! `signoff backup` and `restore`.

use clap::{Args, ValueHint};
use signoff::{Error, LogError};

use crate::{Failure, Outcome, log, say};

#[derive(Args)]
pub(crate) struct BackupArguments {
    /// The log.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    log: String,
    /// Where the copy is made: a new file, which only its owner may read.
    #[arg(value_hint = ValueHint::FilePath)]
    file: String,
}

#[derive(Args)]
pub(crate) struct RestoreArguments {
    /// The log, which processes may have open: they read it anew.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    log: String,
    /// The backup.
    #[arg(value_hint = ValueHint::FilePath)]
    file: String,
    /// Also where the log has revocations that the backup lacks: their tokens are good again.
    #[arg(long)]
    yes: bool,
}

pub(crate) fn back_up(arguments: &BackupArguments) -> Result<Outcome, Failure> {
    let count = log::at(&arguments.log).back_up(&arguments.file).map_err(log::failure)?;
    say(format_args!("{}: {count} revocations", arguments.file))?;
    Ok(Outcome::Good)
}

pub(crate) fn restore(arguments: &RestoreArguments) -> Result<Outcome, Failure> {
    let log = log::at(&arguments.log);
    let restored = match arguments.yes {
        true => log.insecure_restore(&arguments.file),
        false => log.restore(&arguments.file),
    };
    let restored = restored.map_err(|error| match error {
        Error::Log(LogError::RestoreLoses { lost, .. }) => Failure::Usage(format!(
            "{} has {lost} revocations that {} lacks: their tokens would be good again until they expire\n\
             signoff: nothing was done; say --yes to do it",
            arguments.log, arguments.file
        )),
        error => log::failure(error),
    })?;
    say(format_args!("{}: {} revocations, {} lost", arguments.log, restored.revocations, restored.lost))?;
    Ok(Outcome::Good)
}
