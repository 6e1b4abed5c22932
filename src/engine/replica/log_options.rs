//! Which log an engine has, and by which rules it goes by it.

use std::path::PathBuf;
use std::time::Duration;

use crate::index::Filtering;
use crate::keys::crypto;
use crate::limits::{APPEND_TIMEOUT, MAX_STALENESS, OPEN_TIMEOUT};
use crate::log::place::{self, LogPlace};
use crate::log::{Create, LogError, MemoryLog, OnOutage, SeveralNames};

/// What becomes of a token that is not visibly revoked while the index is older than allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // The three answers that there are.
pub enum OnUnknown {
    /// The answer is [`Denied::Unavailable`](crate::Denied::Unavailable): HTTP 503.
    #[default]
    Reject,
    /// It is accepted, and the result says that it was so: a log-out may be missed.
    Accept,
    /// It is accepted if it was issued (`iat`) less than this ago: a young token is rarely logged out.
    AcceptYounger(Duration),
}

/// Whether a log is served by threads of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // With or without.
pub enum Threads {
    /// Three threads, or four for a log on Redis, named `signoff-…`, that end with the last engine on the log.
    #[default]
    Own,
    /// None: the host calls [`Engine::refresh`](crate::Engine::refresh) often enough, and `revoke` does its
    /// own writing; what `revoke_async` was asked for, `refresh` writes.
    None,
}

/// A revocation log, and how an engine goes by it.
///
/// ```no_run
/// use signoff::{Engine, Log};
/// # fn f(keys: signoff::KeySet, policy: signoff::Policy) -> Result<Engine, signoff::Error> {
/// Engine::open(keys, policy, Log::sqlite("./signoff.db").create_if_missing())
/// # }
/// ```
#[derive(Clone)]
pub struct Log {
    pub(super) source: Source,
    pub(super) options: Options,
    pub(super) longest_lifetime: Option<Duration>,
    pub(super) issued_in_future_max: Option<Duration>,
    pub(super) max_staleness: Option<Duration>,
    /// What was asked for that this kind of log has not.
    pub(super) misplaced: Option<&'static str>,
}

#[derive(Clone)]
pub(super) enum Source {
    Memory(Result<MemoryLog, NoRandom>),
    Sqlite { path: PathBuf, create: Create, several_names: SeveralNames },
    Redis { url: String, create: Create, local_file: Option<PathBuf>, on_outage: Option<OnOutage> },
}

/// The operating system gave no random bytes for a log's secret.
#[derive(Clone, Copy)]
pub(super) struct NoRandom;

#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Options {
    pub(in crate::engine) max_staleness: Duration,
    pub(in crate::engine) on_unknown: OnUnknown,
    pub(in crate::engine) threads: Threads,
    pub(super) open_timeout: Duration,
    pub(super) append_timeout: Duration,
    pub(super) start: Start,
    pub(super) filtering: Filtering,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    CaughtUp,
    Unknown,
}

impl Log {
    fn of(source: Source) -> Self {
        let options = Options {
            max_staleness: MAX_STALENESS,
            on_unknown: OnUnknown::Reject,
            threads: Threads::Own,
            open_timeout: OPEN_TIMEOUT,
            append_timeout: APPEND_TIMEOUT,
            start: Start::CaughtUp,
            filtering: Filtering::On,
        };
        let (longest_lifetime, issued_in_future_max, max_staleness, misplaced) = (None, None, None, None);
        Self { source, options, longest_lifetime, issued_in_future_max, max_staleness, misplaced }
    }

    /// A log that ends with the process: after a restart every token that was logged out is good again.
    ///
    /// Clones are the same log, also for engines that are opened on them.
    #[must_use]
    pub fn memory() -> Self {
        Self::of(Source::Memory(crypto::random_16().map(MemoryLog::new).ok_or(NoRandom)))
    }

    /// A log in an SQLite file, which several processes of this machine may share.
    ///
    /// It must be there, unless [`create_if_missing`](Self::create_if_missing) says otherwise: a path that
    /// is wrong by a slip would else be an empty list.
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        let path: PathBuf = path.into();
        let misplaced = path.to_str().and_then(place::fault_of_path);
        let path = if misplaced.is_some() { PathBuf::new() } else { path };
        let source = Source::Sqlite { path, create: Create::Never, several_names: SeveralNames::Refuse };
        Self { misplaced, ..Self::of(source) }
    }

    /// A log on a Redis server (6.2 or later) or Valkey, for many machines: by the URL of the server, as docs/operations.md has it.
    ///
    /// `redis://user:password@host:6379/0?namespace=shop&replicas=1`: with `replicas`, a revocation is acknowledged when so
    /// many replicas have it; with `fsync=true` when it is on the disk (Redis 7.2). `rediss://` is with TLS, and
    /// `redis+sentinel://host:26379,host:26379/service` asks sentinels for the server.
    ///
    /// It must be there, unless [`create_if_missing`](Self::create_if_missing) says otherwise.
    #[must_use]
    pub fn redis(url: impl Into<String>) -> Self {
        Self::of(Source::Redis { url: url.into(), create: Create::Never, local_file: None, on_outage: None })
    }

    /// A file of this machine beside a log on Redis: a copy of it, which is made where there is none. Also
    /// `local_file=/var/lib/shop/signoff.db` in the URL.
    ///
    /// With it, a restart reads from the server only what is new, and an engine opens while the server is away: it answers as
    /// long as the copy is not older than [`max_staleness`](Self::max_staleness). What the server loses is put back from it. The
    /// processes of a machine share it. A file that was the log before Redis becomes the copy, and Redis gets what it holds.
    ///
    /// Only a log on Redis takes it; opening another with it fails.
    #[must_use]
    pub fn local_file(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        match &mut self.source {
            Source::Redis { local_file, .. } => {
                self.misplaced = path.to_str().and_then(place::fault_of_path);
                *local_file = Some(path);
            }
            Source::Memory(_) | Source::Sqlite { .. } => {
                self.misplaced = Some("`local_file` goes with a log on Redis alone, and this is none");
            }
        }
        self
    }

    /// What becomes of a revocation while the log on Redis can't take it. It fails unless set; kept, it needs a
    /// [`local_file`](Self::local_file). Also `outage=keep` in the URL.
    #[must_use]
    pub fn on_outage(mut self, what: OnOutage) -> Self {
        match &mut self.source {
            Source::Redis { on_outage, .. } => *on_outage = Some(what),
            Source::Memory(_) | Source::Sqlite { .. } => {
                self.misplaced = Some("`on_outage` goes with a log on Redis alone, and this is none");
            }
        }
        self
    }

    /// The log at a place as people write it: [`redis`](Self::redis) for the URL of a server (`redis://` or `valkey://`, in any case),
    /// [`sqlite`](Self::sqlite) for the path of a file. What looks like another URL or like a host (`host:6379`) is refused when it is
    /// opened, and not taken for a path.
    #[must_use]
    pub fn at(place: impl Into<String>) -> Self {
        let place = place.into();
        match LogPlace::of(&place) {
            LogPlace::Server => Self::redis(place),
            LogPlace::File => Self::sqlite(place),
            LogPlace::Mistaken(what) => Self { misplaced: Some(what), ..Self::sqlite("x") },
        }
    }

    /// Makes an empty log where there is none. [`Health::origin`](crate::Health::origin) says whether it did.
    #[must_use]
    pub fn create_if_missing(mut self) -> Self {
        if let Source::Sqlite { create, .. } | Source::Redis { create, .. } = &mut self.source {
            *create = Create::IfMissing;
        }
        self
    }

    /// Opens a file that has several names (hard links), as after a snapshot by `cp -al`.
    ///
    /// Trust: nobody opens it by another of its names. Who does has a log of their own beside it: neither sees what the other
    /// records, and one of the two loses it.
    #[must_use]
    pub fn insecure_several_names(mut self) -> Self {
        match &mut self.source {
            Source::Sqlite { several_names, .. } => *several_names = SeveralNames::Allow,
            Source::Memory(_) | Source::Redis { .. } => {
                self.misplaced = Some("`insecure_several_names` goes with a log in a file alone, and this is none");
            }
        }
        self
    }

    /// The longest that any token on this log lives, refresh tokens included. Stored with the log, and
    /// enforced by every engine on it: `exp` and `iat` are then required.
    ///
    /// With it, revocations of subjects and sessions end some day; without, they are kept for ever. It can
    /// be set and lowered, never raised.
    #[must_use]
    pub fn longest_lifetime(mut self, lifetime: Duration) -> Self {
        self.longest_lifetime = Some(lifetime);
        self
    }

    /// How far ahead of the clock the `iat` of a token may lie: how far issuers' clocks may run ahead. Stored with the log, and
    /// held against every token by every engine on it. 5 s unless set, at most 60 s; it can be set and lowered, never raised.
    ///
    /// A log-out everywhere reaches as far ahead, so that no token lives on that was issued by a clock ahead of this one. Who
    /// logs in again within that time through another signer than [`Engine::sign`](crate::Engine::sign) is refused, and told until
    /// when. Where nobody else signs, 1 s is recommended.
    #[must_use]
    pub fn issued_in_future_max(mut self, allowed: Duration) -> Self {
        self.issued_in_future_max = Some(allowed);
        self
    }

    /// How long ago the log may have been read to its end. 10 s unless set, 30 s on Redis.
    #[must_use]
    pub fn max_staleness(mut self, max: Duration) -> Self {
        self.max_staleness = Some(max);
        self
    }

    /// What becomes of tokens when it was longer ago than that.
    #[must_use]
    pub fn on_unknown(mut self, on_unknown: OnUnknown) -> Self {
        self.options.on_unknown = on_unknown;
        self
    }

    /// How long opening may take to read the log to its end. 30 s unless set.
    #[must_use]
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.options.open_timeout = timeout;
        self
    }

    /// How long a revocation waits for the disk. 10 s unless set.
    #[must_use]
    pub fn append_timeout(mut self, timeout: Duration) -> Self {
        self.options.append_timeout = timeout;
        self
    }

    /// Opens at once, and answers that the revocations are unknown until the log was read to its end.
    #[must_use]
    pub fn start_unknown(mut self) -> Self {
        self.options.start = Start::Unknown;
        self
    }

    /// Whether the log is served by threads of its own.
    #[must_use]
    pub fn threads(mut self, threads: Threads) -> Self {
        self.options.threads = threads;
        self
    }

    /// Whether the index has filters. For comparison: the verdicts are the same.
    #[must_use]
    pub fn filtering(mut self, filtering: Filtering) -> Self {
        self.options.filtering = filtering;
        self
    }

    /// Where it is, for messages: the path of a file, or the URL of a server without user and password, with its namespace.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.source {
            _ if self.misplaced.is_some() => "the log".to_owned(),
            Source::Memory(_) => "memory".to_owned(),
            Source::Sqlite { path, .. } => path.display().to_string(),
            Source::Redis { url, .. } => place::shown(url),
        }
    }

    /// What is wrong with it before anything is opened.
    pub(super) fn misplaced_fault(&self) -> LogError {
        LogError::Url { fault: self.misplaced.unwrap_or_default().to_owned() }
    }

    /// Whether it is a file of this machine, or may have one beside it.
    #[cfg(feature = "capi")]
    pub(crate) fn may_be_file(&self) -> bool {
        matches!(self.source, Source::Sqlite { .. } | Source::Redis { .. })
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the URL: it may hold a password.
        f.debug_struct("Log").field("source", &self.place()).field("options", &self.options).finish_non_exhaustive()
    }
}
