//! Opening a log by its options, and an index that has read it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use super::background_threads::Signal;
use super::clock_check::Observed;
use super::follower::Progress;
use super::freshness::Freshness;
use super::group_commit::Queue;
use super::log_options::{Log, NoRandom, Options, Source, Start};
use super::lost_records::LostRecords;
use super::token_bounds::Bounds;
use super::{Follower, Replica};
use crate::clock::Times;
use crate::error::{Error, PolicyError};
use crate::index::Index;
use crate::limits::{ISSUED_IN_FUTURE_CEILING, MAX_STALENESS, MAX_STALENESS_REMOTE};
use crate::log::{Cursor, LogError, Origin, RevocationLog};
use crate::policy::ISSUED_IN_FUTURE_FAULT;
use crate::revocation::Salt;
use crate::sync::Mutex;
use crate::token::prefetch::Guess;

impl Log {
    pub(in crate::engine) fn open(self, progress: &mut dyn FnMut(Progress)) -> Result<Arc<Replica>, Error> {
        let mut options = self.options;
        options.max_staleness = self.max_staleness.unwrap_or_else(|| self.source.max_staleness());
        if self.misplaced.is_some() {
            return Err(self.misplaced_fault().into());
        }
        if self.issued_in_future_max.is_some_and(|allowed| allowed > ISSUED_IN_FUTURE_CEILING) {
            return Err(PolicyError { option: "issued_in_future_max", fault: ISSUED_IN_FUTURE_FAULT }.into());
        }
        let (log, origin) = self.source.open(&options)?;
        if let Some(lifetime) = self.longest_lifetime {
            log.set_longest_lifetime(lifetime)?;
        }
        if let Some(allowed) = self.issued_in_future_max {
            log.set_allowance(allowed, Times::now().wall())?;
        }
        let (freshness, writer) = Freshness::never();
        let replica = Replica {
            clock: AtomicI64::new(log.clock_ahead_of_uptime().unwrap_or(i64::MIN)),
            index: Index::new(Salt::new(&log.salt()), options.filtering),
            jti: Guess::of("\"jti\""),
            log,
            options,
            origin,
            freshness,
            bounds: Bounds::none(),
            newest: AtomicI64::new(i64::MIN),
            latest_seen: AtomicI64::new(i64::MIN),
            junk: AtomicU64::new(0),
            head: AtomicI64::new(0),
            applied: AtomicI64::new(0),
            merging: AtomicU64::new(0),
            follower: Mutex::new(Follower { cursor: Cursor::default(), freshness: writer }),
            queue: Queue::default(),
            observed: Mutex::new(Observed::default()),
            collections: Mutex::default(),
            backed: LostRecords::default(),
            forgotten: Mutex::default(),
            forgetting: Mutex::default(),
            fault: Mutex::new(None),
            signal: Signal::default(),
        };
        if options.start == Start::CaughtUp {
            replica.catch_up(progress)?;
        }
        Ok(Arc::new(replica))
    }
}

impl Source {
    fn max_staleness(&self) -> Duration {
        match self {
            Self::Memory(_) | Self::Sqlite { .. } => MAX_STALENESS,
            Self::Redis { .. } => MAX_STALENESS_REMOTE,
        }
    }

    #[cfg_attr(not(feature = "redis"), allow(unused_variables))]
    fn open(self, options: &Options) -> Result<(Box<dyn RevocationLog>, Origin), LogError> {
        match self {
            Self::Memory(log) => {
                let fault = |NoRandom| LogError::Io {
                    path: "memory".to_owned(),
                    fault: "the operating system gave no random bytes for the log's secret".to_owned(),
                };
                Ok((Box::new(log.map_err(fault)?), Origin::Created))
            }
            #[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
            Self::Sqlite { path, create, several_names } => {
                use super::log_options::Threads;
                use crate::keys::crypto;
                use crate::limits::APPEND_TIMEOUT;
                use crate::log::{FileOptions, SqliteLog};
                // Where a thread of its own writes, that may go on for longer than its callers wait.
                let append_timeout =
                    if options.threads == Threads::None { options.append_timeout } else { APPEND_TIMEOUT };
                let file = FileOptions { append_timeout, several_names, ..FileOptions::new(create) };
                let (log, origin) = SqliteLog::open(&path, file, crypto::random_16)?;
                Ok((Box::new(log), origin))
            }
            #[cfg(feature = "redis")]
            Self::Redis { url, create, local_file, on_outage } => {
                let opening = crate::log::Opening {
                    create,
                    may_be_away: options.start == Start::Unknown,
                    max_staleness: options.max_staleness,
                    local_file: local_file.as_deref(),
                    on_outage,
                };
                let (log, origin) = crate::log::RedisLog::open(&url, &opening, crate::keys::crypto::random_16)?;
                Ok((Box::new(log), origin))
            }
            #[cfg(not(feature = "redis"))]
            Self::Redis { url, .. } => Err(LogError::Io {
                // Without what may be a password.
                path: url.split(':').next().unwrap_or_default().to_owned(),
                fault: "this signoff was built without Redis: build it with the feature `redis`".to_owned(),
            }),
            #[cfg(not(any(feature = "sqlite", feature = "sqlite-system")))]
            Self::Sqlite { path, create: crate::log::Create::Never | crate::log::Create::IfMissing, .. } => {
                Err(LogError::Io {
                    path: path.display().to_string(),
                    fault: "this signoff was built without SQLite: build it with the feature `sqlite`".to_owned(),
                })
            }
        }
    }
}
