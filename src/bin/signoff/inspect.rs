//! `signoff inspect`: what a token says, to a person who debugs.

use std::io::Read;

use clap::{Args, ValueHint};
use serde_json::{Map, Value};
use signoff::{Algorithm, Key, KeyError, Times, UnixTime, UnverifiedToken, limits};

use crate::{Failure, Outcome, in_words, keys, say, time_values};

#[derive(Args)]
pub(crate) struct Arguments {
    /// File with the HMAC secret, to be told whether it is long enough. It is not used to verify.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    secret_file: Option<String>,
    /// How the secret is written in its file.
    #[arg(long, value_enum, default_value_t)]
    secret_format: keys::Format,
    /// The time to count from, in RFC 3339 or Unix seconds; without, now.
    #[arg(long, value_name = "TIME", value_parser = time_values::time)]
    at: Option<UnixTime>,
    /// The token; - or nothing to read it from standard input, out of the shell's history.
    token: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let text = match arguments.token.as_deref() {
        None | Some("-") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| Failure::of_file("standard input", &error))?;
            if text.trim().is_empty() {
                return Err(Failure::Usage("standard input is empty: no token was given".to_owned()));
            }
            text
        }
        Some(token) if std::fs::exists(token).unwrap_or(false) => {
            return Err(Failure::Usage(
                "a token goes here, and this looks like the name of a file: `signoff inspect - < FILE`".to_owned(),
            ));
        }
        Some(token) => token.to_owned(),
    };
    let now = arguments.at.unwrap_or(Times::now().wall());
    say(format_args!("NOTHING WAS VERIFIED: anybody can have written what follows.\n"))?;

    let token =
        match UnverifiedToken::parse(text.trim_end_matches(['\r', '\n']).as_bytes(), limits::TOKEN_BYTES_CEILING) {
            Ok(token) => token,
            Err(reject) => {
                say(format_args!("not a signed token: {reject} [{}]", reject.status().name()))?;
                return Ok(Outcome::SomeRejected);
            }
        };
    let (header, claims) = (token.unverified_header(), token.unverified_payload());
    say(format_args!("header     {}", printable(&header)))?;
    say(format_args!("claims     {}", printable(&claims)))?;
    say(format_args!("signature  {} bytes", token.unverified_signature().len()))?;

    let (header, claims) = (object(&header), object(&claims));
    let mut warnings = Vec::new();
    header_warnings(header.as_ref(), &mut warnings);
    match &claims {
        Some(claims) => show_times(claims, now, &mut warnings)?,
        None => warnings.push("the payload is not a JSON object: it is not a JWT".to_owned()),
    }
    if let Some(path) = &arguments.secret_file {
        secret_warning(path, arguments.secret_format, header.as_ref(), &mut warnings)?;
    }
    if !warnings.is_empty() {
        say(format_args!(""))?;
    }
    for warning in warnings {
        say(format_args!("warning: {warning}"))?;
    }
    Ok(Outcome::Good)
}

fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(bytes).ok()
}

fn header_warnings(header: Option<&Map<String, Value>>, warnings: &mut Vec<String>) {
    let Some(header) = header else {
        warnings.push("the header is not a JSON object".to_owned());
        return;
    };
    match header.get("alg").and_then(Value::as_str) {
        None => warnings.push("no alg: the header names no algorithm".to_owned()),
        Some(name) if name.eq_ignore_ascii_case("none") => {
            warnings.push("alg is none: the token is not signed, and no verification here accepts it".to_owned());
        }
        Some(name) if Algorithm::from_name(name).is_none() => {
            warnings.push(format!("alg {} is not one of HS256, HS384 and HS512", printable(name.as_bytes())));
        }
        Some(_) => {}
    }
    for name in ["crit", "b64"].into_iter().filter(|name| header.contains_key(*name)) {
        warnings.push(format!("{name}: an extension that would have to be understood; the token is rejected"));
    }
    for name in ["jwk", "jku", "x5u", "x5c"].into_iter().filter(|name| header.contains_key(*name)) {
        warnings.push(format!("{name}: a key that comes with its token proves nothing, and is not looked at"));
    }
}

fn show_times(claims: &Map<String, Value>, now: UnixTime, warnings: &mut Vec<String>) -> Result<(), Failure> {
    say(format_args!(""))?;
    for (name, past, future) in [
        ("iat", "issued", "issued, a clock must be wrong,"),
        ("nbf", "valid since", "becomes valid"),
        ("exp", "expired", "expires"),
    ] {
        match claims.get(name).map(Value::as_f64) {
            Some(Some(secs)) if secs > limits::NUMERIC_DATE_MAX_SECS as f64 => {
                warnings.push(format!("{name} looks like milliseconds: {secs} s is past the year 9999"));
            }
            #[allow(clippy::cast_possible_truncation)] // Within the range that the arm above leaves.
            Some(Some(secs)) if secs >= 0.0 => {
                let time = UnixTime::from_millis((secs * 1000.0) as i64);
                let verb = if time > now { future } else { past };
                say(format_args!(
                    "{name}        {verb} {} ({})",
                    time_values::relative(time, now),
                    time_values::date(time)
                ))?;
            }
            Some(_) => warnings.push(format!("{name} is not a time: the token is rejected")),
            None => {}
        }
    }
    if !claims.contains_key("exp") {
        warnings
            .push("no exp: the token never ends, and is rejected unless a missing exp is allowed by name".to_owned());
    }
    match claims.get("jti") {
        None => warnings.push("no jti: the token's id is the SHA-256 of what was signed".to_owned()),
        Some(Value::String(jti)) if jti.is_empty() => warnings.push("jti is empty, which counts as missing".to_owned()),
        Some(Value::String(_)) => {}
        Some(_) => warnings.push("jti is not a string: the token is rejected unless numbers are allowed".to_owned()),
    }
    Ok(())
}

fn secret_warning(
    path: &str,
    format: keys::Format,
    header: Option<&Map<String, Value>>,
    warnings: &mut Vec<String>,
) -> Result<(), Failure> {
    let secret = keys::secret_bytes(path, format)?;
    let bytes = secret.len();
    let alg = header.and_then(|header| header.get("alg")?.as_str());
    let algorithm = alg.and_then(Algorithm::from_name).unwrap_or(Algorithm::Hs256);
    if let Err(error @ KeyError::NotASecret { .. }) = Key::hmac_insecure_allow_short(algorithm, &secret) {
        warnings.push(in_words(error));
    } else if bytes < algorithm.secret_bytes_min() {
        let min = algorithm.secret_bytes_min();
        warnings.push(format!("short secret: {bytes} bytes where {algorithm} wants {min}; it can be guessed"));
    }
    Ok(())
}

/// Text as it is, but for what a terminal would act on or a reader could not see.
fn printable(bytes: &[u8]) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|c| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}
