//! Which Redis, by its URL: the server or its sentinels, and how the log is kept there.
//!
//! `redis://[user:password@]host[:port][/db][?namespace=…&replicas=…&fsync=…&wait=…&local_file=…&outage=…]`, `password_file=…` or
//! `password_env=…` in place of a password that others could read, `rediss://` for TLS, `valkey://` for `redis://`, and
//! `redis+sentinel://host[:port][,host[:port]…]/service[/db]` for what sentinels watch over.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use redis::{ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisResult};
use url::Url;
use zeroize::Zeroizing;

use super::wire::Wire;
use crate::log::{LogError, OnOutage, place};
use crate::revocation::Durability;

/// The namespace of a log for which none is named.
const NAMESPACE: &str = "signoff";

/// How long a revocation waits for replicas or the disk of the server, unless set.
const WAIT: Duration = Duration::from_secs(1);

/// Where a log is, and what an acknowledgement of it means.
pub(super) struct RedisUrl {
    pub(super) source: Source,
    /// What names it to people: without a password.
    pub(super) shown: String,
    pub(super) namespace: String,
    pub(super) replicas: u32,
    pub(super) is_fsynced: bool,
    pub(super) wait: Duration,
    /// The file of this machine that has a copy of the log.
    pub(super) local_file: Option<PathBuf>,
    pub(super) outage: Option<OnOutage>,
}

pub(super) enum Source {
    Server(ConnectionInfo),
    Sentinels(Sentinels),
}

/// What knows under a name which server is the primary.
pub(super) struct Sentinels {
    addresses: Vec<ConnectionInfo>,
    /// Which of them has answered last.
    last: AtomicUsize,
    service: String,
    /// How to connect to the server that they name, but for its address.
    server: ConnectionInfo,
    scheme: &'static str,
}

impl Source {
    /// The server that was named can't be what it should: somebody else is asked next time.
    pub(super) fn ask_another(&self) {
        if let Self::Sentinels(Sentinels { addresses, last, .. }) = self {
            let next = (last.load(Ordering::Relaxed) + 1) % addresses.len().max(1);
            last.store(next, Ordering::Relaxed);
        }
    }

    /// Connects within so long: to the server, and to each sentinel that is asked for it.
    pub(super) fn connect(&self, timeout: Duration) -> RedisResult<Wire> {
        match self {
            Self::Server(info) => Wire::connect(info, timeout),
            // Asked anew each time: another server may have been promoted.
            Self::Sentinels(sentinels) => sentinels.connect(timeout),
        }
    }
}

impl Sentinels {
    /// By the first that answers. The crate's own client waits for each without a limit.
    fn connect(&self, timeout: Duration) -> RedisResult<Wire> {
        let mut fault = None;
        // All of them together have twice the time of a server, however many say nothing.
        let each = (timeout * 2 / u32::try_from(self.addresses.len()).unwrap_or(u32::MAX)).min(timeout);
        let (before, from_last) = self.addresses.split_at(self.last.load(Ordering::Relaxed));
        for address in from_last.iter().chain(before) {
            let ask = || -> RedisResult<Wire> {
                let mut sentinel = Wire::connect(address, each)?;
                sentinel.set_deadline(Instant::now() + each);
                let mut command = redis::cmd("SENTINEL");
                let named: Option<(String, u16)> =
                    command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service).query(&mut sentinel)?;
                let (host, port) = named
                    .ok_or((ErrorKind::MasterNameNotFoundBySentinel, "the sentinels know no service of that name"))?;
                // An IPv6 address has colons of its own.
                let host = if host.contains(':') { format!("[{host}]") } else { host };
                let named = format!("{}://{host}:{port}", self.scheme).into_connection_info()?;
                Wire::connect(&self.server.clone().set_addr(named.addr().clone()), timeout)
            };
            match ask() {
                Ok(connection) => {
                    let place = self.addresses.iter().position(|other| std::ptr::eq(other, address));
                    self.last.store(place.unwrap_or(0), Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(error) => fault = Some(error),
            }
        }
        Err(fault.unwrap_or_else(|| (ErrorKind::EmptySentinelList, "no sentinel is named").into()))
    }
}

impl RedisUrl {
    pub(super) fn parse(text: &str) -> Result<Self, LogError> {
        // A text that is no URL is not shown: it may hold a password.
        let wrong = |fault: &str| LogError::Url { fault: fault.to_owned() };
        let text = &redis_scheme(text);
        let mut url = single_host(text).parse::<Url>().map_err(|error| wrong(&error.to_string()))?;
        let (is_sentinel, is_tls) = match url.scheme() {
            "redis" => (false, false),
            "rediss" => (false, true),
            "redis+sentinel" => (true, false),
            "rediss+sentinel" => (true, true),
            _ => {
                return Err(wrong(
                    "it must begin with redis://, rediss:// (TLS), redis+sentinel:// or rediss+sentinel://; valkey:// is the same as redis://",
                ));
            }
        };
        if has_at_behind_host(text) {
            return Err(wrong(
                "it has an @ behind the host: write /, ? and # in a password as %2F, %3F and %23, or name it by password_file",
            ));
        }
        if url.fragment().is_some() {
            return Err(wrong("it has a part behind #, which would change how TLS is checked"));
        }
        let Options { namespace, replicas, is_fsynced, wait, local_file, outage, password } = Options::read(&url)?;
        url.set_query(None);
        if let Some(password) = password {
            // The line ending that editors add is no part of it.
            let set = url.set_password(Some(password.trim_end_matches(['\n', '\r'])));
            set.map_err(|()| wrong("it has no host that a password could be for"))?;
        }
        let mut shown = url.clone();
        // Neither can fail where there is a host, and without one there is nothing to hide.
        let _hidden = shown.set_password(None).and_then(|()| shown.set_username(""));
        let shown = format!("{shown} ({namespace})");
        let fault = |error: redis::RedisError| wrong(&error.to_string());
        let source = match is_sentinel {
            true => sentinels(text, &url, if is_tls { "rediss" } else { "redis" })?,
            false => Source::Server(url.into_connection_info().map_err(fault)?),
        };
        Ok(Self { source, shown, namespace, replicas, is_fsynced, wait, local_file, outage })
    }

    pub(super) fn durability(&self) -> Durability {
        match (self.is_fsynced, self.replicas) {
            (true, replicas) => Durability::Fsynced { replicas },
            (false, 0) => Durability::Primary,
            (false, replicas) => Durability::Replicas { replicas },
        }
    }

    /// The name of a key. All of a log are in one slot, as a cluster has it.
    pub(super) fn key(&self, part: &str) -> String {
        format!("{{{}}}:{part}", self.namespace)
    }
}

fn is_namespace(text: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(is_fine)
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// What stands behind the question mark.
struct Options {
    namespace: String,
    replicas: u32,
    is_fsynced: bool,
    wait: Duration,
    local_file: Option<PathBuf>,
    outage: Option<OnOutage>,
    password: Option<Zeroizing<String>>,
}

impl Options {
    fn read(url: &Url) -> Result<Self, LogError> {
        let wrong = |fault: &str| LogError::Url { fault: fault.to_owned() };
        let mut options = Self {
            namespace: NAMESPACE.to_owned(),
            replicas: 0,
            is_fsynced: false,
            wait: WAIT,
            local_file: None,
            outage: None,
            password: None,
        };
        for (name, value) in url.query_pairs() {
            let millis =
                || value.parse().ok().filter(|millis| (1..=60_000).contains(millis)).map(Duration::from_millis);
            match &*name {
                "namespace" if is_namespace(&value) => options.namespace = value.into_owned(),
                "namespace" => {
                    return Err(wrong("namespace must be letters, digits, '.', '_', ':' and '-', 100 at most"));
                }
                "replicas" => {
                    let count = value.parse().ok().filter(|count| *count <= 100);
                    options.replicas = count.ok_or_else(|| wrong("replicas must be a number up to 100"))?;
                }
                "fsync" => options.is_fsynced = flag(&value).ok_or_else(|| wrong("fsync must be true or false"))?,
                "wait" => options.wait = millis().ok_or_else(|| wrong("wait must be milliseconds, 60000 at most"))?,
                "local_file" if value.is_empty() => return Err(wrong("local_file must be the path of a file")),
                "local_file" => match place::fault_of_path(&value) {
                    Some(what) => return Err(wrong(&format!("local_file: {what}"))),
                    None => options.local_file = Some(PathBuf::from(&*value)),
                },
                "outage" => {
                    options.outage = match &*value {
                        "refuse" => Some(OnOutage::Refuse),
                        "keep" => Some(OnOutage::Keep),
                        _ => return Err(wrong("outage must be refuse or keep")),
                    }
                }
                "password_file" | "password_env" if options.password.is_some() || url.password().is_some() => {
                    return Err(wrong(
                        "it has the password twice: keep one of password_file, password_env and the URL's own",
                    ));
                }
                "password_file" => {
                    let read = std::fs::read_to_string(&*value).map(Zeroizing::new);
                    options.password = Some(read.map_err(|error| {
                        wrong(&format!("the file that password_file names can't be read: {error}"))
                    })?);
                }
                "password_env" => {
                    let read = std::env::var(&*value).ok().filter(|text| !text.is_empty()).map(Zeroizing::new);
                    let unset = || wrong("the variable that password_env names is not set, or empty");
                    options.password = Some(read.ok_or_else(unset)?);
                }
                _ => {
                    let is_word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                    let name = if is_word { &*name } else { "of another name" };
                    return Err(wrong(&format!(
                        "it has an option {name}, which there is not: namespace, replicas, fsync, wait, local_file, outage, \
                         password_file and password_env are known"
                    )));
                }
            }
        }
        Ok(options)
    }
}

/// Whether there is an @ where none belongs: a password that has a / or ? in it ends the host, and would be shown with the rest.
fn has_at_behind_host(text: &str) -> bool {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = before.split_once('/').map_or("", |(_, path)| path);
    let names = query.split('&').map(|part| part.split_once('=').map_or(part, |(name, _)| name));
    path.contains('@') || names.into_iter().any(|name| name.contains('@'))
}

/// The URL with the scheme that the client knows: Valkey is spoken to as Redis is, and case does not count.
fn redis_scheme(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let scheme = scheme.to_ascii_lowercase();
    let scheme = match scheme.strip_prefix("valkey") {
        Some(rest) => format!("redis{rest}"),
        None => scheme,
    };
    format!("{scheme}://{rest}")
}

/// The hosts of a URL as they are written: a list that URLs in general don't have.
fn hosts(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts))
}

/// The URL with the first of its hosts alone.
fn single_host(text: &str) -> String {
    match hosts(text).and_then(|hosts| hosts.split_once(',').map(|(first, _)| (hosts, first))) {
        Some((hosts, first)) => text.replacen(hosts, first, 1),
        None => text.to_owned(),
    }
}

fn sentinels(text: &str, url: &Url, scheme: &'static str) -> Result<Source, LogError> {
    let wrong = |fault: &str| LogError::Url { fault: fault.to_owned() };
    let fault = |error: redis::RedisError| wrong(&error.to_string());
    let mut path = url.path().trim_start_matches('/').split('/');
    let service = path.next().filter(|name| !name.is_empty());
    let service =
        service.ok_or_else(|| wrong("the name that the sentinels have for the server is missing: /service"))?;
    let db: u32 = match path.next() {
        None | Some("") => 0,
        Some(db) => db.parse().map_err(|_| wrong("the database behind the service must be a number"))?,
    };
    let mut addresses = Vec::new();
    for host in hosts(text).unwrap_or_default().split(',') {
        let has_port = host.rsplit_once(']').map_or(host, |(_, port)| port).contains(':');
        let port = if has_port { "" } else { ":26379" };
        addresses.push(format!("{scheme}://{host}{port}").into_connection_info().map_err(fault)?);
    }
    let rest = url.as_str().split_once("://").map_or("", |(_, rest)| rest);
    let mut server = format!("{scheme}://{rest}").parse::<Url>().map_err(|error| wrong(&error.to_string()))?;
    server.set_path(&db.to_string());
    let server = server.into_connection_info().map_err(fault)?;
    Ok(Source::Sentinels(Sentinels {
        addresses,
        last: AtomicUsize::new(0),
        service: service.to_owned(),
        server,
        scheme,
    }))
}

#[cfg(test)]
mod tests {
    use redis::ConnectionAddr;

    use super::*;

    fn place(text: &str) -> RedisUrl {
        RedisUrl::parse(text).unwrap()
    }

    #[test]
    fn a_url_says_where_the_log_is_and_what_an_acknowledgement_means() {
        let plain = place("redis://127.0.0.1");
        assert_eq!((plain.key("log").as_str(), plain.durability()), ("{signoff}:log", Durability::Primary));
        let full = place("rediss://user:p%40ss@redis.example:6380/2?namespace=shop:eu&replicas=2&wait=250");
        assert_eq!(
            (full.key("log").as_str(), full.durability()),
            ("{shop:eu}:log", Durability::Replicas { replicas: 2 })
        );
        assert_eq!(full.wait, Duration::from_millis(250));
        assert_eq!(full.shown, "rediss://redis.example:6380/2 (shop:eu)");
        let copied = place("redis://h?local_file=/var/lib/shop/signoff%20copy.db&outage=keep");
        assert_eq!(copied.local_file, Some(PathBuf::from("/var/lib/shop/signoff copy.db")));
        assert_eq!((copied.outage, plain.outage), (Some(OnOutage::Keep), None));
        assert_eq!(place("redis://h?fsync=true").durability(), Durability::Fsynced { replicas: 0 });
        let Source::Server(info) = full.source else { panic!("a server") };
        assert_eq!((info.redis_settings().username(), info.redis_settings().password()), (Some("user"), Some("p@ss")));
        assert!(matches!(info.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        let watched = place("redis+sentinel://user:p%40ss@a,b:5000,[::1]/main/1");
        let Source::Sentinels(Sentinels { addresses, service, server, .. }) = watched.source else {
            panic!("sentinels")
        };
        let addresses: Vec<_> = addresses.iter().map(|info| info.addr().to_string()).collect();
        assert_eq!(
            (service.as_str(), addresses.as_slice()),
            ("main", &["a:26379", "b:5000", "::1:26379"].map(str::to_owned)[..])
        );
        assert_eq!((server.redis_settings().password(), server.redis_settings().db()), (Some("p@ss"), 1));
        assert!(!watched.shown.contains("ss"), "{}", watched.shown);
    }

    #[test]
    fn a_password_may_be_in_a_file_and_valkey_is_spoken_to_as_redis() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "p@ss/wörd\n").unwrap();
        for text in ["valkey://user@h/2", "VALKEY://user@h/2", "Redis://user@h/2"] {
            let found = place(&format!("{text}?password_file={}", file.display()));
            let Source::Server(info) = &found.source else { panic!("{text}") };
            let settings = info.redis_settings();
            assert_eq!((settings.username(), settings.password(), settings.db()), (Some("user"), Some("p@ss/wörd"), 2));
            assert!(!found.shown.contains("ss"), "{}", found.shown);
        }
        let env = std::env::vars().find(|(name, value)| name == "PATH" && !value.is_empty()).unwrap();
        let found = place("redis://h?password_env=PATH");
        let Source::Server(info) = &found.source else { panic!() };
        assert_eq!(info.redis_settings().password(), Some(env.1.as_str()));
        for (text, part) in [
            ("redis://h?password_file=/nowhere/at/all", "password_file"),
            ("redis://h?password_env=SIGNOFF_NOT_SET", "password_env"),
            ("redis://:secret@h?password_env=PATH", "twice"),
        ] {
            let error = RedisUrl::parse(text).err().unwrap_or_else(|| panic!("{text} is accepted")).to_string();
            assert!(error.contains(part) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_and_no_password_is_shown() {
        for (text, part) in [
            ("http://h", "redis://"),
            ("redis://:secret@h?durable=yes", "durable"),
            ("redis://:secret@h?replicas=-1", "replicas"),
            ("redis://:secret@h?fsync=maybe", "fsync"),
            ("redis://:secret@h?wait=0", "wait"),
            ("redis://:secret@h?local_file=", "local_file"),
            ("redis://:secret@h?local_file=/srv/x.db-wal", "-wal"),
            ("redis://:secret@h?local_file=redis://h", "URL"),
            ("redis://:secret@h?local_file=x&outage=ignore", "outage"),
            ("redis://:secret@h?namespace=a{b}", "namespace"),
            ("rediss://:secret@h#insecure", "#"),
            ("redis+sentinel://:secret@h", "service"),
            ("redis+sentinel://:secret@h/main/x", "number"),
            ("redis://:secret@h/x", ""),
            ("redis://:secret@h:port", ""),
            ("redis://user:123?secret@h", "%3F"),
            ("redis+sentinel://127.0.0.1:1/secret@host/0", "password_file"),
            ("redis://h?secret1=x", "of another name"),
        ] {
            let error = RedisUrl::parse(text).err().unwrap_or_else(|| panic!("{text} is accepted")).to_string();
            assert!(error.contains(part) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
