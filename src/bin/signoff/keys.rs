//! Keys from files, as the options name them.

use std::fs;
use std::sync::Once;

use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum, ValueHint};
use signoff::{Algorithm, Key, KeyError, KeySet};
use zeroize::Zeroizing;

use crate::Failure;

#[derive(Args)]
pub(crate) struct KeyArguments {
    /// File with the HMAC secret.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "jwks")]
    secret_file: Option<String>,
    /// File with a JWK or a JWKS.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    jwks: Option<String>,
    /// How the secret is written in its file. One line ending at the end of a raw one is left out.
    #[arg(long, value_enum, default_value_t = Format::Raw, conflicts_with = "jwks")]
    secret_format: Format,
    /// Take a secret that is shorter than the hash, and so could be guessed.
    #[arg(long)]
    insecure_allow_short_secret: bool,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum Format {
    /// The bytes of the file.
    #[default]
    Raw,
    /// Base64, as `openssl rand -base64` prints it; line endings count for nothing.
    Base64,
    /// Base64url, with or without padding.
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
        let secret = secret_bytes(path, self.secret_format)?;
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

    fn jwks(&self, path: &str) -> Result<KeySet, Failure> {
        let text = read(path)?;
        let text = String::from_utf8(text.to_vec()).map(Zeroizing::new);
        let text = text.map_err(|_| Failure::Usage(format!("{path}: it is no text in UTF-8")))?;
        let text = text.trim_start_matches('\u{feff}');
        let wrapped = Zeroizing::new(format!("{{\"keys\":[{text}]}}"));
        let text = if is_single_key(text) { wrapped.as_str() } else { text };
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

/// A file with keys, which is no longer than any.
fn read(path: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    use std::io::Read as _;
    const MAX: u64 = 4 << 20;
    let mut bytes = Zeroizing::new(Vec::new());
    let file = fs::File::open(path).map_err(|error| Failure::of_file(path, &error))?;
    file.take(MAX + 1).read_to_end(&mut bytes).map_err(|error| Failure::of_file(path, &error))?;
    match bytes.len() as u64 > MAX {
        true => Err(Failure::Usage(format!("{path}: is longer than any file with keys; is it the right one?"))),
        false => Ok(bytes),
    }
}

/// The bytes of a secret from a file.
pub(crate) fn secret_bytes(path: &str, format: Format) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = read(path)?;
    let wrong = |what: &str| Failure::Usage(format!("{path}: the secret is not {what} (see --secret-format)"));
    match format {
        Format::Raw => {
            let ending = if bytes.ends_with(b"\r\n") { 2 } else { usize::from(bytes.ends_with(b"\n")) };
            if ending > 0 {
                let kept = bytes.len() - ending;
                bytes.truncate(kept);
                // Some commands load their keys twice.
                static SAID: Once = Once::new();
                SAID.call_once(|| {
                    eprintln!("signoff: {path}: the line ending at its end is not taken as part of the secret");
                });
            }
            if bytes.starts_with(b"\xef\xbb\xbf") {
                eprintln!("signoff: {path}: the byte order mark at its start is taken as part of the secret");
            }
            if bytes.trim_ascii().is_empty() && !bytes.is_empty() {
                return Err(wrong("anything but white space, which anybody could sign with"));
            }
            Ok(bytes)
        }
        Format::Base64 => decoded(&bytes, &STANDARD).ok_or_else(|| wrong("base64")),
        Format::Base64url => decoded(&bytes, &URL_SAFE).ok_or_else(|| wrong("base64url")),
        Format::Hex => hex(bytes.trim_ascii()).ok_or_else(|| wrong("an even number of hexadecimal digits")),
    }
}

/// What base64 of this alphabet stands for, with or without padding.
fn decoded(bytes: &[u8], alphabet: &Alphabet) -> Option<Zeroizing<Vec<u8>>> {
    use base64::Engine as _;
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let mut line = Zeroizing::new(Vec::with_capacity(bytes.len()));
    line.extend(bytes.iter().filter(|byte| !byte.is_ascii_whitespace()));
    GeneralPurpose::new(alphabet, config).decode(&*line).ok().map(Zeroizing::new)
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
    Failure::Usage(format!("{path}: {error}"))
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
pub(crate) fn algorithm() -> impl TypedValueParser<Value = Algorithm> {
    let names = PossibleValuesParser::new(Algorithm::ALL.iter().map(|algorithm| algorithm.name()));
    names.try_map(|name| Algorithm::from_name(&name).ok_or("the algorithms are HS256, HS384 and HS512"))
}
