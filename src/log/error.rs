//! What can go wrong with a log. Each text says what to do.

use std::time::Duration;

use crate::clock::Words;
use crate::status::Status;

/// Why a log can't be opened, read or written.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// There is no file, and none was to be created.
    #[error("{path}: there is no log here; if one is to be started, say so by `create_if_missing`")]
    Missing {
        /// The file.
        path: String,
    },
    /// There is no such directory.
    #[error("{path}: the directory does not exist; make it, or name another")]
    NoDirectory {
        /// The file.
        path: String,
    },
    /// A file that is no log of ours.
    #[error("{path}: {fault}; nothing was changed in it, name another file")]
    Foreign {
        /// The file.
        path: String,
        /// What it is instead.
        fault: &'static str,
    },
    /// A log of a version that this one can't read.
    #[error(
        "{path}: written in format {found} where this signoff reads {known}; use a newer signoff, nothing was changed"
    )]
    Newer {
        /// The file.
        path: String,
        /// The format's version in the file, as major·100 + minor.
        found: i64,
        /// The version that this signoff writes.
        known: i64,
    },
    /// The file is damaged.
    #[error(
        "{path}: the log is damaged ({fault}); nothing was changed in it, restore a backup: see docs/operations.md"
    )]
    Corrupt {
        /// The file.
        path: String,
        /// What SQLite says.
        fault: String,
    },
    /// The file can't be written to.
    #[error("{path}: can't be written to; allow this user to write it and its directory")]
    ReadOnly {
        /// The file.
        path: String,
    },
    /// The file or its directory can't be opened by this user.
    #[error("{path}: permission denied; allow this user to read and write it and its directory")]
    Denied {
        /// The file.
        path: String,
    },
    /// The disk is full, or a quota is.
    #[error("{path}: the disk is full, and nothing was written; make room and try again")]
    Full {
        /// The file.
        path: String,
    },
    /// Another process held the write lock for too long.
    #[error("{path}: another process has been writing for {}; try again", Words(*waited))]
    Busy {
        /// The file.
        path: String,
        /// How long we waited.
        waited: Duration,
    },
    /// The file lies on a network file system, where locks can't be relied on.
    #[error(
        "{path}: lies on a network file system ({kind}), whose locks can't be relied on; use a local disk, or Redis for many machines"
    )]
    Network {
        /// The file.
        path: String,
        /// Which.
        kind: &'static str,
    },
    /// Something is mounted on the file itself.
    #[error(
        "{path}: is a mount point itself, so that others who open the file meet another log beside it; mount the folder that it lies in instead"
    )]
    Mounted {
        /// The file.
        path: String,
    },
    /// The file has several names.
    #[error(
        "{path}: has {links} names (hard links), and who opens another of them would not see what is recorded here; remove the other names, which `find -samefile` lists, and make snapshots with `signoff backup` from then on"
    )]
    Linked {
        /// The file.
        path: String,
        /// How many.
        links: u64,
    },
    /// Another copy of signoff in this process has the file open.
    #[error(
        "{path}: another copy of signoff in this process has the log open, and when one closes it the other loses what it records; let both use one copy"
    )]
    OtherCopy {
        /// The file.
        path: String,
    },
    /// There is a file where a new one was to be made.
    #[error("{path}: there is a file here already, and nothing was changed in it; name another, or remove it")]
    Exists {
        /// The file.
        path: String,
    },
    /// The log is not there, and what was written to it last is.
    #[error(
        "{path}: the file is not there, but what was written to it last is, beside it (-wal): put the file back, or move {path}-wal and {path}-shm away; nothing was changed"
    )]
    Leftover {
        /// The file.
        path: String,
    },
    /// A backup lacks what the log has.
    #[error(
        "{path}: the log has {lost} revocations that the backup lacks, and putting it back would make their tokens good again; say so by `insecure_restore` if that is meant, nothing was changed"
    )]
    RestoreLoses {
        /// The log.
        path: String,
        /// How many.
        lost: u64,
    },
    /// The path names another file than the one that is open.
    #[error("{path}: the log was moved, deleted or replaced while it was open; put it back, or start anew")]
    Moved {
        /// The file.
        path: String,
    },
    /// The log states a shorter longest lifetime than was asked for.
    #[error(
        "the log was made for tokens that live {} at most and {} is asked for: longer ones could outlive their revocation; open it without `longest_lifetime`, or raise it with `signoff lifetime`",
        Words(*stored), Words(*asked)
    )]
    LifetimeRaised {
        /// What the log states.
        stored: Duration,
        /// What was asked for.
        asked: Duration,
    },
    /// The longest lifetime was raised, and tokens of before are still about.
    #[error(
        "the longest lifetime was raised not long ago, and tokens of before are still about: it can be raised again in {}", Words(*wait)
    )]
    LifetimeNotYet {
        /// How long they are at most.
        wait: Duration,
    },
    /// The log lets `iat` lie less far ahead than was asked for.
    #[error(
        "the log lets tokens be issued {} ahead of the clock at most and {} is asked for: log-outs everywhere were written for the former; open it without `issued_in_future_max`, or start a new log",
        Words(*stored), Words(*asked)
    )]
    AllowanceRaised {
        /// What the log states.
        stored: Duration,
        /// What was asked for.
        asked: Duration,
    },
    /// The log could not be read to its head in time.
    #[error("the log was not read to its end within {}; allow more time by `open_timeout`, or see what holds it up", Words(*waited))]
    CatchUp {
        /// The time that was allowed.
        waited: Duration,
    },
    /// A URL that names no log.
    #[error("where the log is: {fault}; docs/operations.md has the parts of a URL")]
    Url {
        /// What is wrong with it.
        fault: String,
    },
    /// There is no log on the server, and none was to be created.
    #[error(
        "{server}: there is no log here; if one is to be started, say so by `create_if_missing`; if there was one, the server has lost it: see docs/operations.md first"
    )]
    ServerEmpty {
        /// The server and the namespace.
        server: String,
    },
    /// The log on the server is of the format before, and was not to be taken over.
    #[error(
        "{server}: the log is of the format before this signoff's; when all nodes can be updated, `create_if_missing` takes it over, and those that are not read it no more: see docs/operations.md"
    )]
    ServerFormerFormat {
        /// The server and the namespace.
        server: String,
    },
    /// The keys of the log hold something else.
    #[error("{server}: {fault}; nothing was changed in it, name another namespace")]
    ServerForeign {
        /// The server and the namespace.
        server: String,
        /// What they hold.
        fault: String,
    },
    /// The server can't be reached, or turns us away.
    #[error("{server}: {fault}; see that the server runs and can be reached from here")]
    Unreachable {
        /// The server and the namespace.
        server: String,
        /// What was reported.
        fault: String,
    },
    /// The connection broke off, or there was no answer.
    #[error("{server}: {fault}; what was asked may have been done, try again")]
    Interrupted {
        /// The server and the namespace.
        server: String,
        /// What was reported.
        fault: String,
    },
    /// The server refuses this user.
    #[error(
        "{server}: {fault}; give the URL a user and password that may use the keys of the log: see docs/operations.md"
    )]
    ServerDenied {
        /// The server and the namespace.
        server: String,
        /// What the server says.
        fault: String,
    },
    /// The server is a replica, which takes no revocations.
    #[error("{server}: this is a read-only replica; name the primary, or the sentinels that know it")]
    Replica {
        /// The server and the namespace.
        server: String,
    },
    /// The server has no memory left.
    #[error(
        "{server}: the server is out of memory; the revocation was not recorded; what has expired is collected meanwhile (`signoff compact`), raise maxmemory if that is not enough, and try again"
    )]
    ServerFull {
        /// The server and the namespace.
        server: String,
    },
    /// The server drops keys when its memory is full, and the log with them.
    #[error(
        "{server}: with maxmemory-policy {policy} the server may drop the log when its memory is full; set maxmemory-policy noeviction"
    )]
    Eviction {
        /// The server and the namespace.
        server: String,
        /// The policy.
        policy: String,
    },
    /// The server has fewer replicas than its own setting wants for a write.
    #[error(
        "{server}: the server takes nothing, since fewer replicas follow it than its min-replicas-to-write wants; see that they run"
    )]
    TooFewReplicas {
        /// The server and the namespace.
        server: String,
    },
    /// The server is there, and can do nothing now.
    #[error("{server}: {fault}; {step}")]
    ServerBusy {
        /// The server and the namespace.
        server: String,
        /// What the server says.
        fault: String,
        /// What to do.
        step: &'static str,
    },
    /// The server takes nothing, for a reason of its own.
    #[error("{server}: the server takes nothing now ({fault}); see to its disk and its log")]
    ServerRefuses {
        /// The server and the namespace.
        server: String,
        /// What the server says.
        fault: String,
    },
    /// The server is one of a cluster.
    #[error(
        "{server}: this is a node of a cluster, whose failovers a log would not survive; name a server of its own, or its sentinels (redis+sentinel://)"
    )]
    Cluster {
        /// The server and the namespace.
        server: String,
    },
    /// Fewer copies were confirmed than were asked for.
    #[error(
        "{server}: confirmed by {confirmed} of {wanted} within {}; it is on the primary, see that replicas and disk keep up, and try again",
        Words(*waited)
    )]
    Unconfirmed {
        /// The server and the namespace.
        server: String,
        /// What was asked for.
        wanted: String,
        /// What was confirmed.
        confirmed: u32,
        /// How long was waited.
        waited: Duration,
    },
    /// More was erased than every process on the log can be told of.
    #[error(
        "no more than {max} records can be erased before those that were have expired: end the tokens' keys instead, or start a new log"
    )]
    TooManyErased {
        /// How many there may be.
        max: usize,
    },
    /// Anything else that the system or SQLite reports.
    #[error("{path}: {fault}")]
    Io {
        /// The file.
        path: String,
        /// What was reported.
        fault: String,
    },
}

impl LogError {
    /// The row of the status table.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Missing { .. } => Status::LogMissing,
            Self::NoDirectory { .. } => Status::LogNoDirectory,
            Self::Foreign { .. } => Status::LogForeign,
            Self::Newer { .. } => Status::LogNewer,
            Self::Corrupt { .. } => Status::LogCorrupt,
            Self::ReadOnly { .. } => Status::LogReadOnly,
            Self::Denied { .. } => Status::LogDenied,
            Self::Full { .. } => Status::LogFull,
            Self::Busy { .. } => Status::LogBusy,
            Self::Network { .. } => Status::LogNetwork,
            Self::Mounted { .. } => Status::LogMounted,
            Self::Linked { .. } => Status::LogLinked,
            Self::OtherCopy { .. } => Status::LogOtherCopy,
            Self::Exists { .. } | Self::Leftover { .. } => Status::LogExists,
            Self::RestoreLoses { .. } => Status::LogRestoreLoses,
            Self::Moved { .. } => Status::LogMoved,
            Self::LifetimeRaised { .. } | Self::LifetimeNotYet { .. } => Status::LogLifetime,
            Self::AllowanceRaised { .. } => Status::LogAllowance,
            Self::CatchUp { .. } => Status::LogCatchUp,
            Self::Url { .. } => Status::LogUrl,
            Self::ServerEmpty { .. } | Self::ServerFormerFormat { .. } => Status::LogMissing,
            Self::ServerForeign { .. } => Status::LogForeign,
            Self::Unreachable { .. } | Self::Interrupted { .. } | Self::ServerBusy { .. } => Status::LogUnreachable,
            Self::ServerDenied { .. } => Status::LogDenied,
            Self::Replica { .. } => Status::LogReadOnly,
            Self::ServerFull { .. } => Status::LogFull,
            Self::Eviction { .. } => Status::LogEviction,
            Self::TooFewReplicas { .. } => Status::LogUnconfirmed,
            Self::ServerRefuses { .. } => Status::LogIo,
            Self::Cluster { .. } => Status::LogUrl,
            Self::TooManyErased { .. } => Status::LogIo,
            Self::Unconfirmed { .. } => Status::LogUnconfirmed,
            Self::Io { .. } => Status::LogIo,
        }
    }

    /// Whether the log may be as it should and only not be reached now.
    pub(crate) fn is_away(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Interrupted { .. }
                | Self::Replica { .. }
                | Self::ServerFull { .. }
                | Self::TooFewReplicas { .. }
                | Self::ServerRefuses { .. }
                | Self::ServerBusy { .. }
                | Self::Unconfirmed { .. }
        )
    }

    /// Whether it is certain that an append that failed so has appended nothing.
    pub(crate) fn is_certain(&self) -> bool {
        !matches!(
            self,
            Self::Io { .. }
                | Self::Corrupt { .. }
                | Self::CatchUp { .. }
                | Self::Interrupted { .. }
                | Self::Unconfirmed { .. }
        )
    }
}
