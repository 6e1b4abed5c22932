//! What people write where a log goes: the path of a file, or the URL of a server.

use std::net::IpAddr;

/// What such a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogPlace {
    File,
    Server,
    /// It was meant to be something else. Taken for the name of a file it would be an empty log, with a password for its name.
    Mistaken(&'static str),
}

const SERVERS: [&str; 8] = [
    "redis",
    "rediss",
    "redis+sentinel",
    "rediss+sentinel",
    "valkey",
    "valkeys",
    "valkey+sentinel",
    "valkeys+sentinel",
];

impl LogPlace {
    pub(crate) fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self::Mistaken("it is empty: an unset variable?");
        }
        if text.trim() != text || text.contains(char::is_control) || text.starts_with(['"', '\'']) {
            return Self::Mistaken("it has blanks, quotes or control characters around it: from a file of settings?");
        }
        if let Some((scheme, _)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
            return match SERVERS.iter().any(|server| server.eq_ignore_ascii_case(scheme)) {
                true => Self::Server,
                false if scheme.eq_ignore_ascii_case("file") => {
                    Self::Mistaken("it begins with file://; a file is named by its path alone")
                }
                false => {
                    Self::Mistaken("it is a URL, and none of a server that can have a log: write redis://host:6379")
                }
            };
        }
        let front = text.split('/').next().unwrap_or(text);
        if let Some((scheme, _)) = front.split_once(':')
            && SERVERS.iter().any(|server| server.eq_ignore_ascii_case(scheme))
        {
            return Self::Mistaken("two slashes are missing behind its first colon: write redis://host:6379");
        }
        // A path that is meant to be one of these can be written with ./ before it.
        let before_host = text.split_once('@').map(|(before, _)| before.rsplit('/').next().unwrap_or(before));
        if before_host.is_some_and(|user| user.contains(':')) || text.contains("://") {
            return Self::Mistaken(
                "it has a user and a password, or a URL, in it: write redis://user:password@host:6379",
            );
        }
        if text == "-" || text == ":memory:" || ["file:", "sqlite:"].iter().any(|front| text.starts_with(front)) {
            return Self::Mistaken("it is no path: a log is a file, and is named by its path alone");
        }
        if ["localhost", "redis", "valkey"].iter().any(|host| host.eq_ignore_ascii_case(text)) {
            return Self::Mistaken(
                "it is a host and no path: write redis://host:6379, or ./ before the name of a file",
            );
        }
        if is_host_with_port(front) || front.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            return Self::Mistaken(
                "it is a host and no path: write redis://host:6379, or ./ before the name of a file",
            );
        }
        match fault_of_path(text) {
            Some(what) => Self::Mistaken(what),
            None => Self::File,
        }
    }
}

/// What keeps a text from being the path of a log in a file, where it is said that it is one.
pub(crate) fn fault_of_path(text: &str) -> Option<&'static str> {
    let is_url = text.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme));
    // SQLite would remove it, or lay what is in it over the file that it belongs to.
    let is_beside = ["-wal", "-shm", "-journal"].iter().any(|end| text.ends_with(end));
    if is_url {
        return Some("it is a URL where the path of a file goes");
    }
    is_beside
        .then_some("it ends as the files do that SQLite has beside a log (-wal, -shm, -journal): name the log itself")
}

/// The URL of a server as it may be shown: without user and password, with its namespace.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "a server".to_owned() };
    let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
    let rest = rest.split('#').next().unwrap_or_default();
    // A password may have a slash in it that nobody has encoded.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, hosts)| hosts);
    match options.split('&').find_map(|option| option.strip_prefix("namespace=")) {
        Some(namespace) => format!("{scheme}://{rest} ({namespace})"),
        None => format!("{scheme}://{rest}"),
    }
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(is_part)
}

fn is_host_with_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_port = port.parse::<u16>().is_ok();
    let is_name = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    };
    let is_address = |host: &str| host.strip_prefix('[').is_some_and(|host| host.ends_with(']'));
    is_port && (is_name(host) || is_address(host))
}

#[cfg(test)]
mod tests {
    use super::{LogPlace, shown};

    #[test]
    fn a_server_is_named_by_its_url_in_any_case() {
        for text in [
            "redis://h",
            "REDIS://h:6379/0",
            "rediss://u:p@h",
            "valkey://h",
            "Valkeys://h",
            "redis+sentinel://a:1,b:2/s",
            "VALKEY+SENTINEL://a/s",
        ] {
            assert_eq!(LogPlace::of(text), LogPlace::Server, "{text}");
        }
    }

    #[test]
    fn what_was_meant_for_a_url_is_no_file() {
        for text in [
            "http://h",
            "postgres://u:p@h/db",
            "file:///var/lib/signoff.db",
            "redis:h",
            "redis:/h:6379",
            "RediS:user:password@h",
            "valkey:6379",
            "h:6379",
            "localhost:6379",
            "redis.example.com:6379/0",
            "10.0.0.5",
            "10.0.0.5:6379",
            "[::1]:6379",
            "::1",
            "user:password@host",
            ":password@host/0",
            "rediss+sentinel:a:26379",
            "",
            " redis://u:p@h",
            "signoff.db\r",
            "signoff.db ",
            "\"redis://u:p@h\"",
            "SIGNOFF_LOG=redis://u:p@h",
            "redis//u:p@h/db",
            "redis;//u:p@h",
            ":memory:",
            "-",
            "file:foo.db",
            "sqlite:foo.db",
            "localhost",
            "redis",
            "signoff.db-wal",
            "/srv/x.db-shm",
            "x-journal",
        ] {
            assert!(matches!(LogPlace::of(text), LogPlace::Mistaken(_)), "{text}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        for (url, seen) in [
            ("redis://h", "redis://h"),
            ("redis://user:secret@h:6379/0?namespace=a&password_file=/x", "redis://h:6379/0 (a)"),
            ("redis://:se/cr@et@h/0#x", "redis://h/0"),
            ("secret", "a server"),
        ] {
            assert_eq!(shown(url), seen);
        }
    }

    #[test]
    fn a_path_is_a_path() {
        for text in [
            "signoff.db",
            "./h:6379",
            "/var/lib/signoff/signoff.db",
            "/srv/a:b/c@d",
            "../x",
            "./redis",
            "redis.db",
            "log-2026-01-31T12:00:00Z.db",
            "a:b",
            "me@home.db",
            "C:\\logs\\signoff.db",
            ".",
            "10.0.0.5.db",
            "my logs/a b.db",
        ] {
            assert_eq!(LogPlace::of(text), LogPlace::File, "{text}");
        }
    }
}
