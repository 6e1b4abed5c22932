//! Backups of a log in a file, by the options that open it.

use std::path::Path;

use super::log_options::{Log, Source};
use crate::error::Error;
use crate::keys::crypto;
use crate::log::place::LogPlace;
use crate::log::{self, LogError, Restored, SeveralNames};

impl Log {
    /// Copies a log in a file as a whole, whatever others do with it meanwhile, and says how many revocations it has. The copy is
    /// a new file that only its owner may read: it holds the log's secret.
    ///
    /// Cost: reads and writes the whole file; nobody is held up.
    ///
    /// # Errors
    /// [`LogError::Exists`]; those of opening the log, and of writing the copy.
    pub fn back_up(&self, to: impl AsRef<Path>) -> Result<u64, Error> {
        if let Some(LogPlace::Mistaken(what)) = to.as_ref().to_str().map(LogPlace::of) {
            return Err(LogError::Url { fault: format!("the copy: {what}") }.into());
        }
        Ok(log::back_up(self.file()?, to.as_ref(), self.several_names(), crypto::random_16)?)
    }

    /// Puts a backup back, which is any copy of a log that is whole. Where there is a file, its content is replaced in one
    /// transaction, and engines that have it open read it anew; where there is none, one is made.
    ///
    /// # Errors
    /// [`LogError::RestoreLoses`] where the log has revocations that the backup lacks; those of opening the log. Nothing was
    /// changed then.
    pub fn restore(&self, from: impl AsRef<Path>) -> Result<Restored, Error> {
        Ok(log::restore(self.file()?, from.as_ref(), self.several_names(), false, crypto::random_16)?)
    }

    /// The same, also where revocations are lost: their tokens are good again, until their `exp`.
    ///
    /// # Errors
    /// Those of opening the log.
    pub fn insecure_restore(&self, from: impl AsRef<Path>) -> Result<Restored, Error> {
        Ok(log::restore(self.file()?, from.as_ref(), self.several_names(), true, crypto::random_16)?)
    }

    /// The file that is the log, or is beside it.
    fn file(&self) -> Result<&Path, LogError> {
        match &self.source {
            _ if self.misplaced.is_some() => Err(self.misplaced_fault()),
            Source::Sqlite { path, .. } => Ok(path),
            Source::Redis { .. } | Source::Memory(_) => {
                let fault = "only a log in a file is backed up and restored by itself".to_owned();
                Err(LogError::Url { fault })
            }
        }
    }

    fn several_names(&self) -> SeveralNames {
        match &self.source {
            Source::Sqlite { several_names, .. } => *several_names,
            Source::Redis { .. } | Source::Memory(_) => SeveralNames::Refuse,
        }
    }
}
