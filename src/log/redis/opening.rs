//! Opening a log on a server: it is found, or made, or taken over from the format before.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::Cmd;

use super::connection::ServerConnection;
use super::erase::Erased;
use super::server_clock::ServerClock;
use super::url::RedisUrl;
use super::wire::Wire;
use super::{FORMAT, FORMAT_BEFORE, RedisLog, no_random, script};
use crate::log::{Create, LogError, OnOutage, Origin, RevocationLog as _};
use crate::sync::Mutex;

/// How often it is made sure that the log can be written, where nothing shorter is asked for.
const BEAT_INTERVAL: Duration = Duration::from_secs(1);

/// How a log on Redis is opened, beside what its URL says.
#[derive(Clone, Debug)]
pub(crate) struct Opening<'p> {
    pub(crate) create: Create,
    /// Whether it is opened although the server can't be reached.
    pub(crate) may_be_away: bool,
    pub(crate) max_staleness: Duration,
    /// Each, if not the URL's.
    pub(crate) local_file: Option<&'p Path>,
    pub(crate) on_outage: Option<OnOutage>,
}

impl RedisLog {
    /// Connects, and makes an empty log where that is asked for. `random` gives it its identity.
    pub(crate) fn open(
        url: &str,
        opening: &Opening<'_>,
        random: fn() -> Option<[u8; 16]>,
    ) -> Result<(Self, Origin), LogError> {
        let place = Arc::new(RedisUrl::parse(url)?);
        let salt = random().ok_or_else(|| no_random(&place))?;
        let name = random().ok_or_else(|| no_random(&place))?;
        let clock = Arc::<ServerClock>::default();
        let outage = opening.on_outage.or(place.outage).unwrap_or_default();
        let copy = match opening.local_file.or(place.local_file.as_deref()) {
            Some(path) => Some(crate::log::open_copy(path, &place.namespace, random)?),
            None if outage == OnOutage::Keep => {
                let fault = "revocations can be kept in an outage only where there is a local file: name one";
                return Err(LogError::Url { fault: fault.to_owned() });
            }
            None => None,
        };
        let log = Self {
            create: opening.create,
            begun: AtomicBool::new(false),
            promised: Mutex::default(),
            copies: AtomicBool::new(copy.is_some()),
            copy,
            outage,
            salt,
            name: format!("{:032x}", u128::from_be_bytes(name)),
            random,
            beat_interval: BEAT_INTERVAL.min(opening.max_staleness / 4),
            stream: place.key("stream"),
            facts: place.key("state"),
            beat: place.key("beat"),
            erased_key: place.key("erased"),
            before: [place.key("log"), place.key("facts")],
            writer: ServerConnection::new(&place, &clock),
            reader: ServerConnection::new(&place, &clock),
            clock,
            append_script: Mutex::default(),
            is_nearly_full: AtomicBool::new(false),
            state: Mutex::default(),
            unseen: Mutex::default(),
            held: Mutex::default(),
            to_hold: Mutex::default(),
            last_facts: Mutex::default(),
            erased: Erased::default(),
            place,
        };
        if let Some(copy) = &log.copy {
            log.erased.add(&copy.erased()?);
        }
        if let Some(copy) = &log.copy
            // A file that was just made has nothing to say.
            && (log.was_copied() || copy.last()? > 0)
        {
            *log.last_facts.lock() = copy.facts()?;
        }
        let origin = match log.begin() {
            // It is begun when it is there.
            Err(error) if error.is_away() && (opening.may_be_away || log.has_copy()) => Origin::Found,
            begun => begun?,
        };
        Ok((log, origin))
    }

    /// Makes sure that the log is there, before the first that is done with it.
    pub(super) fn begin_once(&self) -> Result<(), LogError> {
        match self.begun.load(Ordering::Acquire) {
            true => Ok(()),
            false => self.begin().map(|_| ()),
        }
    }

    fn begin(&self) -> Result<Origin, LogError> {
        // One that was there before may have to be made anew, as it is while it is open.
        let create = if self.was_copied() { Create::IfMissing } else { self.create };
        let origin = self.find_or_make(create)?;
        self.begun.store(true, Ordering::Release);
        Ok(origin)
    }

    /// Whether the copy, if there is one, knows the log.
    pub(super) fn was_copied(&self) -> bool {
        self.copy.as_ref().is_some_and(|copy| copy.copied().is_ok_and(|copied| !copied.version.is_empty()))
    }

    fn find_or_make(&self, create: Create) -> Result<Origin, LogError> {
        let format = |facts: &str| {
            let has = |wire: &mut Wire, _| redis::cmd("HGET").arg(facts).arg("format").query::<Option<i64>>(wire);
            self.writer.with(Duration::ZERO, has)
        };
        let before = |format: &i64| format / 100 == FORMAT_BEFORE / 100;
        match (format(&self.facts)?, create) {
            (Some(format), _) => self.known_format(format).map(|()| Origin::Found),
            (None, Create::Never) if format(&self.before[1])?.as_ref().is_some_and(before) => {
                Err(LogError::ServerFormerFormat { server: self.place.shown.clone() })
            }
            (None, Create::IfMissing) if format(&self.before[1])?.as_ref().is_some_and(before) => {
                tracing::warn!(
                    "the log is taken over from the format before: nodes that are not updated read it no more"
                );
                let command = self.make()?;
                self.writer.with(Duration::ZERO, |wire, _| command.exec(wire)).map(|()| Origin::Found)
            }
            (None, Create::Never) => Err(LogError::ServerEmpty { server: self.place.shown.clone() }),
            (None, Create::IfMissing) => {
                let command = self.make()?;
                let made: bool = self.writer.with(Duration::ZERO, |wire, _| command.query(wire))?;
                Ok(if made { Origin::Created } else { Origin::Found })
            }
        }
    }

    pub(super) fn known_format(&self, found: i64) -> Result<(), LogError> {
        match found / 100 {
            major if major == FORMAT / 100 => Ok(()),
            _ => Err(LogError::Newer { path: self.place.shown.clone(), found, known: FORMAT }),
        }
    }

    /// Makes the log if it is not there, with what was known of it.
    pub(super) fn make(&self) -> Result<Cmd, LogError> {
        let mut command = self.script(script::BEGIN);
        self.beginnings()?.add_to(&mut command);
        Ok(command)
    }
}
