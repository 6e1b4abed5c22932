//! Keys from files, as the options name them.

use std::fs;

use clap::{Args, ValueEnum};
use signoff::{Algorithm, Key, KeyError, KeySet};
use zeroize::Zeroizing;

use crate::Failure;

#[derive(Args)]
pub(crate) struct KeyArguments {
    /// File with the HMAC secret.
    #[arg(long, value_name = "FILE", conflicts_with = "jwks")]
    secret_file: Option<String>,
    /// File with a JWK or a JWKS.
    #[arg(long, value_name = "FILE")]
    jwks: Option<String>,
    /// How the secret is written in its file. One line ending at the end of a raw one is left out.
    #[arg(long, value_enum, default_value_t = Format::Raw)]
    secret_format: Format,
    /// Take a secret that is shorter than the hash, and so could be guessed.
    #[arg(long)]
    insecure_allow_short_secret: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// The bytes of the file.
    Raw,
    /// Base64url without padding.
    Base64url,
    /// Hexadecimal.
    Hex,
}

impl KeyArguments {
    /// The keys; a secret counts under each of `algorithms` that it is long enough for.
    pub(crate) fn key_set(&self, algorithms: &[Algorithm]) -> Result<KeySet, Failure> {
        match (&self.secret_file, &self.jwks) {
            (Some(path), _) => self.secret(path, algorithms),
            (None, Some(path)) => self.jwks(path),
            (None, None) => Err(Failure::Usage("name --secret-file or --jwks".to_owned())),
        }
    }

    fn secret(&self, path: &str, algorithms: &[Algorithm]) -> Result<KeySet, Failure> {
        let secret = self.secret_bytes(path)?;
        let key = |&algorithm: &Algorithm| match self.insecure_allow_short_secret {
            true => Key::hmac_insecure_allow_short(algorithm, &secret),
            false => Key::hmac(algorithm, &secret),
        };
        let (keys, errors): (Vec<_>, Vec<_>) = algorithms.iter().map(key).partition(Result::is_ok);
        let refused = errors.into_iter().find_map(Result::err);
        match KeySet::new(keys.into_iter().flatten()) {
            Ok(set) => Ok(set),
            Err(error) => Err(unusable(path, &refused.unwrap_or(error))),
        }
    }

    /// The bytes of the secret.
    fn secret_bytes(&self, path: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut bytes = Zeroizing::new(fs::read(path).map_err(|error| Failure::of_file(path, &error))?);
        let wrong = |what: &str| Failure::Usage(format!("{path}: the secret is not {what} (see --secret-format)"));
        match self.secret_format {
            Format::Raw => {
                let ending = if bytes.ends_with(b"\r\n") { 2 } else { usize::from(bytes.ends_with(b"\n")) };
                if ending > 0 {
                    let kept = bytes.len() - ending;
                    bytes.truncate(kept);
                    eprintln!("signoff: {path}: the line ending at its end is not taken as part of the secret");
                }
                Ok(bytes)
            }
            Format::Base64url => {
                use base64::Engine as _;
                let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(bytes.trim_ascii());
                decoded.map(Zeroizing::new).map_err(|_| wrong("base64url without padding"))
            }
            Format::Hex => hex(bytes.trim_ascii()).ok_or_else(|| wrong("an even number of hexadecimal digits")),
        }
    }

    fn jwks(&self, path: &str) -> Result<KeySet, Failure> {
        let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| Failure::of_file(path, &error))?;
        let wrapped = Zeroizing::new(format!("{{\"keys\":[{}]}}", *text));
        let text = if is_single_key(&text) { &wrapped } else { &text };
        let set = match self.insecure_allow_short_secret {
            true => KeySet::from_jwks_insecure_allow_short(text),
            false => KeySet::from_jwks(text),
        };
        let set = set.map_err(|error| unusable(path, &error))?;
        for skipped in set.skipped() {
            eprintln!("signoff: {path}: passed over: {skipped}");
        }
        Ok(set)
    }
}

/// Whether a document is one JWK rather than a set of them.
fn is_single_key(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind {
        kty: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Kind>(text).is_ok_and(|kind| kind.kty.is_some())
}

fn unusable(path: &str, error: &KeyError) -> Failure {
    let hint = match error {
        KeyError::TooShort { .. } => " (--insecure-allow-short-secret)",
        KeyError::NotASecret { .. } => "; a JWK or JWKS goes under --jwks",
        _ => "",
    };
    Failure::Usage(format!("{path}: {error}{hint}"))
}

fn hex(digits: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    Some(bytes)
}

/// `--alg`: one of the algorithms.
pub(crate) fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(name).ok_or_else(|| "the algorithms are HS256, HS384 and HS512".to_owned())
}
