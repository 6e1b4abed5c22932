//! A change of the file in one transaction, which is on the disk and in the file that others read when it is done.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::connection::within;
use super::file_header::Header;
use super::filesystem;
use super::queries::{append, has};
use super::reopen::Slot;
use super::{SqliteLog, schema};
use crate::log::{LogError, Note};

impl SqliteLog {
    /// Makes sure that the path still names the file that is open.
    pub(super) fn still_there(&self) -> Result<(), LogError> {
        match filesystem::Seen::of(&self.path) {
            Ok(seen) if seen.id == self.file.id() => {
                let at = seen.note().and_then(|note| Note::OF_A_FILE.into_iter().position(|other| other == note));
                self.note.store(at.map_or(0, |at| at + 1), Ordering::Relaxed);
                Ok(())
            }
            Ok(_) | Err(_) => Err(LogError::Moved { path: self.path.display().to_string() }),
        }
    }

    /// Makes sure that what is written is what others read; and where it was not, appends again what was acknowledged.
    pub(super) fn mend(&self) -> Result<(), LogError> {
        if !self.file.is_sound() {
            self.file.let_go();
        }
        // Before waiting for whoever mends, or replaces the log.
        if self.file.mended() == self.file.losses() {
            return Ok(());
        }
        let mut kept = self.file.kept.lock();
        let losses = self.file.losses();
        if self.file.mended() == losses {
            return Ok(());
        }
        let again = self.writer.with(Some(self.busy_timeout), |held| {
            let transaction = begin(&mut held.connection, self.busy_timeout)?;
            let mut count = 0;
            for (_, appended, records) in &mut kept.batches {
                if !has(&transaction, appended.last)?
                    && let Some(anew) = append(&transaction, records.iter())?
                {
                    *appended = anew;
                    count += records.len();
                }
            }
            if let Some(watermark) = kept.watermark.max(schema::time(&transaction, schema::WATERMARK)?) {
                schema::set_time(&transaction, schema::WATERMARK, watermark)?;
            }
            transaction.commit()?;
            Ok(count)
        })?;
        if !self.file.is_sound() {
            return Err(LogError::Moved { path: self.path.display().to_string() });
        }
        tracing::warn!(path = %self.path.display(), count = again, "revocations that were lost were recorded again");
        self.file.set_mended(losses);
        Ok(())
    }

    /// Changes the log in one transaction, which is on the disk when this returns.
    pub(super) fn write<T>(
        &self,
        work: impl FnMut(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, LogError> {
        self.write_by(&self.writer, self.busy_timeout, work)
    }

    /// The same by a connection that may have another idea of when a change is on the disk.
    pub(super) fn write_by<T>(
        &self,
        slot: &Slot,
        wait: Duration,
        mut work: impl FnMut(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, LogError> {
        self.write_counted(slot, wait, &mut work).map(|(done, _)| done)
    }

    /// The same, and how many losses there had been when the connection was opened.
    pub(super) fn write_counted<T>(
        &self,
        slot: &Slot,
        wait: Duration,
        work: &mut impl FnMut(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<(T, u64), LogError> {
        // What was written to what is lost is written again.
        for _ in 0..2 {
            self.still_there()?;
            self.mend()?;
            let done = slot.with(Some(wait), |held| {
                let losses = held.losses;
                let transaction = begin(&mut held.connection, wait)?;
                // A commit may write what came before it into the file: not over what somebody has just put there.
                if self.file.header() != Header::Wal {
                    return Ok(None);
                }
                let done = work(&transaction)?;
                transaction.commit()?;
                Ok(Some((done, losses)))
            })?;
            if let Some((done, losses)) = done
                && self.file.is_sound_since(losses)
            {
                return self.still_there().map(|()| (done, losses));
            }
        }
        Err(LogError::Moved { path: self.path.display().to_string() })
    }
}

/// Begins to write, when others are done.
fn begin(connection: &mut Connection, wait: Duration) -> Result<Transaction<'_>, rusqlite::Error> {
    within(wait, || connection.transaction_with_behavior(TransactionBehavior::Immediate))
}
