//! A copy of a log on this machine: what is asked of it.
//!
//! Several processes may keep one copy. Each change is made only where the copy still stands where whoever makes it
//! believes it to stand, so that what two of them have read is copied once.

use super::{Appended, Cursor, Facts, LogError, Read, Room, Visit};
use crate::clock::UnixTime;
use crate::revocation::Record;

/// How far the copy goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Copied {
    /// The log, in its own words: which one, and what has become of it since. Empty where nothing was copied yet.
    pub(super) version: String,
    /// The last entry of that log that was copied.
    pub(super) cursor: Cursor,
    /// How far it has all that there was when it was read so far, without a gap.
    pub(super) head: i64,
    /// When the copy was all that there was in that log, as far as that is known.
    pub(super) read_at: Option<UnixTime>,
    /// How often records were taken from it because they had come back from the log.
    pub(super) taken: i64,
}

impl Copied {
    /// Whether it is the same copy, as far as the log goes.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        self.version == other.version && self.cursor.is_at(other.cursor) && self.taken == other.taken
    }
}

/// An entry of the log that was met, and its record where that is to be copied.
pub(super) type Met = (Cursor, Option<Record>);

/// What came of comparing the copy with the whole of the log, by positions in the copy.
pub(super) struct Compared {
    /// The last that was compared.
    pub(super) through: i64,
    /// What the log lacks.
    pub(super) unsent: Vec<i64>,
    /// What the copy has in another place too.
    pub(super) twice: Vec<i64>,
}

/// A copy that outlives the process.
pub(super) trait LocalCopy: Send + Sync {
    /// How far it goes.
    fn copied(&self) -> Result<Copied, LogError>;

    /// Hands out all records of the copy, and what the log said of itself; the copy goes at least as far as is answered.
    fn load(&self, visit: Visit<'_>) -> Result<(Copied, Read), LogError>;

    /// The last position in it, which is about how many records it has had.
    fn last(&self) -> Result<i64, LogError>;

    /// What the log said of itself.
    fn facts(&self) -> Result<Facts, LogError>;

    /// Deletes up to `max` records that have expired by now. Answers whether there may be more.
    fn collect(&self, now: UnixTime, max: usize) -> Result<bool, LogError>;

    /// Takes over what was read of the log behind a place. False where the copy does not stand there or at one of the entries:
    /// others have copied what is not known here.
    fn advance(&self, from: Cursor, to: &Copied, entries: &[Met], facts: Facts) -> Result<bool, LogError>;

    /// Adds what the copy lacks of the log, without saying that it goes further.
    fn add(&self, entries: &[Met]) -> Result<(), LogError>;

    /// Says how far the copy goes after it was compared with the whole of the log, unless another process has.
    /// Says whether it did.
    fn conclude(&self, before: &Copied, to: &Copied, facts: Facts, found: &Compared) -> Result<bool, LogError>;

    /// Keeps records that the log could not be given. They outlive a crash when this returns.
    fn keep(&self, records: &[Record]) -> Result<Appended, LogError>;

    /// Up to `max` records behind a position that the log has not been given.
    fn unsent(&self, after: i64, max: usize) -> Result<Vec<(i64, Record)>, LogError>;

    /// Whether others may have kept something since this was last asked.
    fn has_changed(&self) -> Result<bool, LogError>;

    /// The log has these now. They are deleted where they are also copied from there.
    fn sent(&self, positions: &[i64], are_copied: bool) -> Result<(), LogError>;

    /// Takes records out that were erased from the log, and notes them.
    fn erase(&self, records: &[Record]) -> Result<(), LogError>;

    /// What it was told of that.
    fn erased(&self) -> Result<Vec<Record>, LogError>;

    /// Gives some of the room that deleted records took back to the system.
    fn give_back(&self) -> Result<Room, LogError>;

    /// Writes the whole copy anew.
    fn rewrite(&self) -> Result<(), LogError>;

    /// Hands out each record of the copy with its position in it.
    fn for_each(&self, visit: &mut dyn FnMut(i64, Record)) -> Result<(), LogError>;
}
