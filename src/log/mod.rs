//! The ordered, durable list of revocations: what is read and appended, and by which rules.
//!
//! The only place that does I/O. Knows no index: it hands out records and takes records.
//!
//! Invariants: `append` returns when the batch outlives what its [`Durability`] says. Positions ascend
//! and are never given twice. The newest record is never collected, so that a reader that stands on it
//! can see that the log is still the same; one that was collected later is known by when it had to go.

#[cfg(test)]
mod conformance;
mod cursor;
#[cfg(any(feature = "sqlite", feature = "sqlite-system", feature = "redis"))]
mod encoding;
mod error;
mod lifetime;
#[cfg(feature = "redis")]
#[cfg_attr(not(any(feature = "sqlite", feature = "sqlite-system")), allow(dead_code))] // Nothing is a copy then.
mod local_copy;
mod memory;
mod note;
pub(crate) mod place;
mod proposal;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
mod sqlite;

use std::ops::ControlFlow;
use std::time::Duration;

pub use error::LogError;
pub use note::Note;

pub(crate) use cursor::Cursor;
use cursor::There;
pub(crate) use lifetime::LongestLifetime;
#[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
use lifetime::Raised;
pub(crate) use memory::MemoryLog;
pub(crate) use proposal::{Allowance, Backing, Covered, Fate, Moment, Proposal, behind};
use proposal::{Ground, Unread};
#[cfg(feature = "redis")]
pub(crate) use redis::{Opening, RedisLog};
#[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
pub use sqlite::Restored;
#[cfg(all(feature = "capi", any(feature = "sqlite", feature = "sqlite-system")))]
pub(crate) use sqlite::open_files;
#[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
pub(crate) use sqlite::{FileOptions, SqliteLog, back_up, restore};

/// Opens the copy of a log in a file.
#[cfg(all(feature = "redis", any(feature = "sqlite", feature = "sqlite-system")))]
fn open_copy(
    path: &std::path::Path,
    of: &str,
    random: fn() -> Option<[u8; 16]>,
) -> Result<Box<dyn local_copy::LocalCopy>, LogError> {
    Ok(Box::new(sqlite::CopyFile::open(path, of, random)?))
}

/// Without SQLite there is none.
#[cfg(all(feature = "redis", not(any(feature = "sqlite", feature = "sqlite-system"))))]
fn open_copy(
    path: &std::path::Path,
    _of: &str,
    _random: fn() -> Option<[u8; 16]>,
) -> Result<Box<dyn local_copy::LocalCopy>, LogError> {
    let fault = "this signoff was built without SQLite: build it with the feature `sqlite`".to_owned();
    Err(LogError::Io { path: path.display().to_string(), fault })
}

/// Without SQLite there are none.
#[cfg(all(feature = "capi", not(any(feature = "sqlite", feature = "sqlite-system"))))]
pub(crate) const fn open_files() -> usize {
    0
}

use crate::clock::{ClockTrust, UnixTime};
use crate::limits::{ALLOWANCE_SETTLES, COMMIT_INTERVAL, POLL_INTERVAL};
use crate::revocation::{Durability, Record, RecordRef};
use lifetime::LifetimeFault;

/// What is handed each record that is read, and may end the reading.
pub(crate) type Visit<'v> = &'v mut dyn FnMut(RecordRef<'_>) -> ControlFlow<()>;

/// A log of revocations. One conformance suite runs against every implementation.
pub(crate) trait RevocationLog: Send + Sync {
    /// The secret that the index's fingerprints are made under. Never changes.
    fn salt(&self) -> [u8; 16];

    /// After how long what others write is looked for again.
    fn poll_interval(&self) -> Duration {
        POLL_INTERVAL
    }

    /// How far apart appends start while there is always something to append.
    fn commit_interval(&self) -> Duration {
        COMMIT_INTERVAL
    }

    /// Whether it works by itself on an append, so that the callers of the one before are best told meanwhile.
    fn is_elsewhere(&self) -> bool {
        false
    }

    /// Waits for others to write behind a position, and says whether they have. False at once where that can't be
    /// waited for, and after some time where nobody did.
    fn wait_for_news(&self, _after: Cursor) -> bool {
        false
    }

    /// Whether the last read to the head came behind a proof that it is the log others write to.
    fn standing(&self) -> Standing {
        Standing::Proven
    }

    /// How far the clock that counts for the log is ahead of this machine's uptime, in milliseconds. None where it is this machine's.
    fn clock_ahead_of_uptime(&self) -> Option<i64> {
        None
    }

    /// By how much the two differ, where that is a fault of one of them.
    fn clock_fault(&self) -> Option<Duration> {
        None
    }

    /// What whoever runs the log should know of it, though it works.
    fn note(&self) -> Option<Note> {
        None
    }

    /// Whether there is a copy of the log on this machine, which can be read while the log itself can't.
    fn has_copy(&self) -> bool {
        false
    }

    /// Appends what is proposed, in order, all or none, and says what became of it. What the log makes superfluous as it is at
    /// that moment is left out; `backing` says what whoever proposes knows of it. Cut-offs that are now may be moved.
    ///
    /// # Errors
    /// [`LogError`]; [`LogError::is_certain`] says whether it is certain that nothing was appended.
    fn commit(&self, proposals: &mut [Proposal], backing: Backing) -> Result<Committed, LogError>;

    /// Appends records in any case.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit).
    #[allow(dead_code)] // For what is put back, and for tests.
    fn append(&self, records: &[Record]) -> Result<Appended, LogError> {
        let mut proposals: Vec<_> = records.iter().cloned().map(Proposal::of).collect();
        let committed = self.commit(&mut proposals, Backing::default())?;
        // Of none, none is appended.
        let (last, follows, durability) = (Cursor::default(), Follows::ToBeRead, Durability::Memory);
        Ok(committed.appended.unwrap_or(Appended { first: 0, last, follows, durability }))
    }

    /// Hands the records after a position to `visit`, in order, and says where the log stands. When nothing
    /// has been written since the last call, that is all it finds out.
    fn read(&self, after: Cursor, visit: Visit<'_>) -> Result<Read, LogError>;

    /// About how many records lie after a position.
    fn count_after(&self, after: Cursor) -> Result<u64, LogError>;

    /// Up to `max` rows after a position, to be shown.
    fn list(&self, after: i64, max: usize) -> Result<Page, LogError>;

    /// Raises the watermark to now, and deletes of up to `max` records those that are kept until now or before, in one
    /// commit. It never moves back by this. Where it is ahead of now, nothing that is kept until then is deleted: it may be
    /// taken back.
    /// Where another clock counts, one that is doubted is held against this machine's.
    fn collect(&self, now: UnixTime, max: usize, trust: ClockTrust) -> Result<Collected, LogError>;

    /// Notes a time that is known to be right, and, where given, the watermark to go back to.
    fn confirm_time(&self, now: UnixTime, watermark: Option<UnixTime>) -> Result<(), LogError>;

    /// States the longest lifetime of the tokens on this log. It may be set and lowered.
    fn set_longest_lifetime(&self, lifetime: Duration) -> Result<(), LogError>;

    /// Raises it for tokens that are issued from some time after now on, by the clock that counts; answers from when. Or, where that is
    /// asked for, puts another in its place at once, whatever was recorded meanwhile.
    fn replace_longest_lifetime(&self, change: LifetimeChange, now: UnixTime) -> Result<UnixTime, LogError>;

    /// States how far ahead of the clock an `iat` may lie. It may be set and lowered.
    fn set_allowance(&self, max: Duration, now: UnixTime) -> Result<(), LogError>;

    /// The records that are wanted, with their places: of the log that a reader knows who stands there, and of what is still to come
    /// into it. Takes as long as reading the log does.
    fn find(&self, _reader: Cursor, is_wanted: &dyn Fn(&Record) -> bool) -> Result<Vec<Placed>, LogError> {
        let (mut found, mut end) = (Vec::new(), 0);
        loop {
            let page = self.list(end, FIND_AT_ONCE)?;
            found.extend(page.records.into_iter().filter(|(_, record)| is_wanted(record)));
            match page.end {
                Some(last) => end = last,
                None => return Ok(found),
            }
        }
    }

    /// Takes records out of the log that were found at these places, as if they had never been recorded, and tells everybody on it.
    fn erase(&self, records: &[Placed]) -> Result<(), LogError>;

    /// Another number whenever more is known to have been erased.
    fn erasures(&self) -> u64;

    /// What was erased, as long as it would have been kept.
    fn erased(&self) -> Result<Vec<Record>, LogError>;

    /// Gives some of the room that deleted records took back to the system, within some milliseconds.
    fn give_back(&self) -> Result<Room, LogError> {
        Ok(Room::GivenBack)
    }

    /// Writes the whole log anew, so that it takes no more room than it needs, and can give it back in steps from then on. Nobody
    /// can append meanwhile.
    fn rewrite(&self) -> Result<(), LogError> {
        Ok(())
    }
}

/// How a longest lifetime is changed that is stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LifetimeChange {
    /// For tokens that are issued when everybody has heard of it.
    Raise(Duration),
    /// At once. None for none.
    Replace(Option<Duration>),
}

impl LifetimeChange {
    /// What is stated then, and from when that counts.
    fn apply(
        self,
        held: Option<LongestLifetime>,
        now: UnixTime,
    ) -> Result<(Option<LongestLifetime>, UnixTime), LogError> {
        match (self, held) {
            (Self::Replace(lifetime), _) => Ok((lifetime.map(|lifetime| LongestLifetime::of(lifetime, None)), now)),
            // Tokens of any lifetime are taken already.
            (Self::Raise(_), None) => Ok((None, now)),
            (Self::Raise(asked), Some(held)) => {
                let from = now.plus(ALLOWANCE_SETTLES);
                let raised = held.raise(asked, from, now).map_err(|fault| lifetime_fault(fault, asked))?;
                // What was raised so far already stays as it is.
                let from = raised.from().unwrap_or(now);
                Ok((Some(raised), from))
            }
        }
    }
}

fn lifetime_fault(fault: LifetimeFault, asked: Duration) -> LogError {
    match fault {
        LifetimeFault::Shorter(stored) => LogError::LifetimeRaised { stored, asked },
        LifetimeFault::NotFor(wait) => LogError::LifetimeNotYet { wait },
    }
}

/// What became of the room that deleted records took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    GivenBack,
    /// There is more.
    #[cfg_attr(not(any(feature = "sqlite", feature = "sqlite-system")), allow(dead_code))]
    Some,
    /// It is used again, and can be given back only by writing the log anew.
    #[cfg_attr(not(any(feature = "sqlite", feature = "sqlite-system")), allow(dead_code))]
    Kept,
}

/// A record, and where it stands.
pub(crate) type Placed = (i64, Record);

/// How many records are looked at in one step.
pub(crate) const FIND_AT_ONCE: usize = 10_000;

/// Some records of a log, to be shown.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Fewer than there are rows, where some are no records of ours.
    pub(crate) records: Vec<Placed>,
    /// The last position that was looked at. None at the end.
    pub(crate) end: Option<i64>,
}

/// Whether a file may have names by which a process could open it without meeting those who opened it by this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeveralNames {
    Refuse,
    #[cfg_attr(not(any(feature = "sqlite", feature = "sqlite-system")), allow(dead_code))]
    Allow,
    /// Nor does it matter whether it is a mount point: it is only read.
    #[cfg_attr(not(any(feature = "sqlite", feature = "sqlite-system")), allow(dead_code))]
    Rescue,
}

/// Whether a log that is missing is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Create {
    Never,
    IfMissing,
}

/// Whether opening made the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // It was there or it was not.
pub enum Origin {
    /// The log was there.
    Found,
    /// There was none, and an empty one was made.
    Created,
}

/// What becomes of a revocation that can't be given to the log on a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // Refused or kept.
pub enum OnOutage {
    /// It fails, and says why. It binds in this process alone.
    #[default]
    Refuse,
    /// It is kept in the local file, where it binds every process on that file, and is given to the log when that is there again.
    Keep,
}

/// What became of a batch that was proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Where it stands. None where there was nothing to append.
    pub(crate) appended: Option<Appended>,
    /// One for each proposal.
    pub(crate) fates: Vec<Fate>,
    /// The generation that the log was in.
    pub(crate) generation: Option<i64>,
    /// Whether it backs what was read of it.
    pub(crate) is_backing: bool,
}

/// Where an appended batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) first: i64,
    pub(crate) last: Cursor,
    pub(crate) follows: Follows,
    /// What it outlives.
    pub(crate) durability: Durability,
}

/// What an appended batch stands behind: a reader who stands there too need not read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    /// What has the position before it, which others can't have taken since.
    Anything,
    /// The batch with this tag. In its place there may be another, where the log was taken by another.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    Batch(i64),
    /// It is to be read all the same.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    ToBeRead,
}

/// What the log says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Tokens whose `exp` lies long enough before this are expired, whatever a clock says.
    pub(crate) watermark: Option<UnixTime>,
    /// The newest time that has been seen to be plausible.
    pub(crate) newest: Option<UnixTime>,
    pub(crate) longest_lifetime: Option<LongestLifetime>,
    /// How far ahead of the clock an `iat` may lie, where that was stated.
    pub(crate) allowance: Option<Allowance>,
    /// How often the watermark was taken back on purpose: what was stated before the last time counts no more.
    pub(crate) revision: i64,
    /// The same of the longest lifetime.
    pub(crate) lifetime_revision: i64,
    /// Changes whenever records are taken away that the watermark does not make up for. None where that can't be told.
    pub(crate) generation: Option<i64>,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Nothing was written since the last read.
    Unchanged,
    /// The reader now stands at the head.
    ToHead {
        cursor: Cursor,
        facts: Facts,
        /// Rows that are no records of ours.
        junk: u64,
        /// Records of a kind that a newer version of signoff has and this one does not.
        unknown_kinds: u64,
    },
    /// The visitor ended it.
    Stopped,
    /// What the reader stands on is not there, or is something else: it must start anew.
    Rewound,
}

/// What is known of the log that was read: whether it is the one that others write to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is: what the reader has is all that there was when the read began.
    Proven,
    /// This was not looked into at this read; what was found out before still holds.
    #[default]
    Pending,
    /// It may be cut off from them.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    Unproven(LogError),
    /// The log can't be read. What was read is a copy on this machine, which was all that there was at that time.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    Copied { at: UnixTime, error: LogError },
}

/// What a collection did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Collected {
    pub(crate) deleted: usize,
    pub(crate) watermark: UnixTime,
    /// Whether there may be more to delete at once.
    pub(crate) more: bool,
}

/// How far past the newest time in a log a clock may stand and still be believed: 7 days.
///
/// Longer than any outage that nobody attends to; a clock that is set wrong is mostly years off.
pub(crate) const PLAUSIBLE_STEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// The newest time after a record or collection at this time, which counts only if it is plausible.
pub(crate) fn advance(newest: Option<UnixTime>, time: UnixTime) -> UnixTime {
    match newest {
        Some(newest) if time > newest.plus(PLAUSIBLE_STEP) => newest,
        Some(newest) => newest.max(time),
        None => time,
    }
}
