//! Keeps the password of a log's URL out of the process's title, which every user of the machine can read.
//!
//! A process can't change how it was called, but it can be started anew: with the URL in its environment, which only the same user can
//! read, and without the password among its arguments.

use std::ffi::OsString;

/// Where the URL with its password is.
const VARIABLE: &str = "SIGNOFF_URL_WITH_PASSWORD";

/// The URL that an argument stands for.
pub(crate) fn url_of(argument: &str) -> String {
    match std::env::var(VARIABLE) {
        Ok(url) if without_password(&url).as_deref() == Some(argument) => url,
        Ok(_) | Err(_) => argument.to_owned(),
    }
}

/// Starts this process anew if the URL of its log shows a password. Where that can't be done, it goes on.
pub(crate) fn hide() {
    if let Some((arguments, url)) = without_log_password(std::env::args_os().skip(1)) {
        start_anew(&arguments, &url);
    }
}

/// The arguments without the password of the log, and the URL that has it. Of no other argument: a subject may look like such a URL.
fn without_log_password(given: impl Iterator<Item = OsString>) -> Option<(Vec<OsString>, String)> {
    const LOG: &str = "--log";
    let (mut hidden, mut is_log) = (None, false);
    let arguments = given
        .map(|argument| {
            let (is_behind_log, text) = (std::mem::replace(&mut is_log, argument == LOG), argument.to_str());
            let joined = text.and_then(|text| text.strip_prefix(LOG)?.strip_prefix('='));
            let Some(url) = joined.or(text.filter(|_| is_behind_log)) else { return argument };
            let Some(shown) = without_password(url) else { return argument };
            hidden = Some(url.to_owned());
            if joined.is_some() { format!("{LOG}={shown}").into() } else { shown.into() }
        })
        .collect();
    hidden.map(|url| (arguments, url))
}

#[cfg(unix)]
fn start_anew(arguments: &[OsString], url: &str) {
    use std::os::unix::process::CommandExt;
    let Ok(program) = std::env::current_exe() else { return };
    let name = std::env::args_os().next().unwrap_or_else(|| "signoff".into());
    // Comes back only if it could not be done.
    let _not_done = std::process::Command::new(program).arg0(name).args(arguments).env(VARIABLE, url).exec();
}

#[cfg(not(unix))]
fn start_anew(_: &[OsString], _: &str) {}

/// Also one that is broken.
fn is_url_with_password(given: &str) -> bool {
    given.split_once('@').is_some_and(|(before, _)| before.contains("//") && before.contains(':'))
}

/// A URL without its password, if it has one.
fn without_password(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    // A password may have a slash in it that nobody has encoded; behind a question mark there is none.
    let front = rest.split('?').next().unwrap_or(rest);
    let (user, _) = front.rsplit_once('@')?;
    let (name, _) = user.split_once(':')?;
    is_scheme.then(|| format!("{scheme}://{name}{}", &rest[user.len()..]))
}

/// A message without what was given and looks like a secret.
pub(crate) fn without_secrets(message: &str) -> String {
    let given = std::env::args_os().skip(1).map(|given| given.to_string_lossy().into_owned());
    // Also what stands behind an option's name.
    let given = given.flat_map(|given| {
        let value = given.split_once('=').filter(|_| given.starts_with("--")).map(|(_, value)| value.to_owned());
        value.into_iter().chain([given])
    });
    given.filter(|given| looks_secret(given)).fold(message.to_owned(), |text, given| text.replace(&given, "(hidden)"))
}

/// Whether a text that was given looks like a secret, a key or a token, so that messages should not repeat it.
pub(crate) fn looks_secret(given: &str) -> bool {
    const LONG: usize = 24;
    let text = given.rsplit('=').next().filter(|text| text.len() >= LONG).unwrap_or(given);
    let is_of_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    let is_token = signoff::UnverifiedToken::parse(text.as_bytes(), usize::MAX).is_ok();
    let has_digits_and_letters =
        text.bytes().any(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_base64 =
        text.len() >= LONG && text.bytes().all(is_of_base64) && has_digits_and_letters && !text.starts_with('/');
    // Several words without what names of files have.
    let is_passphrase = given.split(' ').count() > 3 && !given.contains(['/', '.', '{']);
    let is_file = std::path::Path::new(given).exists();
    !is_file
        && (is_token
            || is_base64
            || is_passphrase
            || is_url_with_password(given)
            || given.contains("\"k\"")
            || given.contains("-----BEGIN")
            || given.contains('\n'))
}

#[cfg(test)]
mod tests {
    use super::{looks_secret, without_log_password, without_password};

    #[test]
    fn no_argument_is_changed_but_the_url_of_the_log() {
        let changed = |given: &[&str]| {
            let (arguments, url) = without_log_password(given.iter().map(Into::into))?;
            Some((arguments.into_iter().map(|argument| argument.into_string().unwrap()).collect::<Vec<_>>(), url))
        };
        let url = "redis://u:secret@h";
        for (given, shown) in [
            (&["list", "--log", url][..], &["list", "--log", "redis://u@h"][..]),
            (&["list", "--log=redis://u:secret@h"], &["list", "--log=redis://u@h"]),
        ] {
            let shown = shown.iter().map(ToString::to_string).collect();
            assert_eq!(changed(given), Some((shown, url.to_owned())));
        }
        for given in [
            &["revoke", "--log", "l.db", "--subject", "https://u:1@h"][..],
            &["revoke", "--subject=https://u:1@h"],
            &["verify", "--issuer", "https://u:1@h"],
            &["list", "--log"],
        ] {
            assert_eq!(changed(given), None, "{given:?}");
        }
    }

    #[test]
    fn a_secret_in_the_place_of_a_file_is_known() {
        for secret in [
            "NdzCnM7aKb2vTjQ0WkH8sPq4LrYx1uZe",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl",
            "--subject=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl",
            "{\"kty\":\"oct\",\"k\":\"AAAA\"}",
        ] {
            assert!(looks_secret(secret), "{secret}");
        }
        for name in [
            "secret.txt",
            "/var/lib/signoff/keys-2026/secret",
            "tokens",
            "--secret-file",
            "a-name-of-a-file-that-is-long.txt",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }

    #[test]
    fn the_password_alone_is_left_out() {
        for (url, shown) in [
            ("redis://user:secret@h:6379/0?namespace=a", Some("redis://user@h:6379/0?namespace=a")),
            ("rediss://:secret@h", Some("rediss://@h")),
            ("redis://u:se/c@ret@h", Some("redis://u@h")),
            ("redis://user@h", None),
            ("redis://h?x=a:b@c", None),
            ("signoff.db", None),
            ("a:b@c", None),
        ] {
            assert_eq!(without_password(url).as_deref(), shown, "{url}");
        }
    }
}
