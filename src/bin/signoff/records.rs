//! Lines as `list` prints them, read back: for what one log has and another lacks.

use serde::Deserialize;
use signoff::{Issuer, Revocation, TokenId, UnixTime};

use crate::time_values;

/// What a line says.
pub(crate) enum Line {
    Revocation(Box<Revocation>),
    /// One that ends every token up to a time.
    Everything(Box<Revocation>),
    /// What it means has ended.
    Expired,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    scope: String,
    value: Option<String>,
    /// Absent: of any issuer; null: only tokens without one.
    #[serde(default, deserialize_with = "present")]
    issuer: Option<Option<String>>,
    issued_before: Option<String>,
    #[serde(default)]
    keep: Vec<String>,
    keep_until: Option<String>,
    #[serde(rename = "recorded_at")]
    _recorded_at: Option<String>,
    reason: Option<String>,
}

/// Tells null from nothing.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads a line, whole: nothing of it is left out.
pub(crate) fn read(line: &str, now: UnixTime) -> Result<Line, String> {
    let record: Record =
        serde_json::from_str(line).map_err(|_| "the line is not as `signoff list` prints it".to_owned())?;
    let value = record.value.as_deref();
    let mut revocation = match (record.scope.as_str(), value) {
        ("token", Some(id)) => Revocation::token_id(
            TokenId::from_printed(id).ok_or("its value is no token id as `signoff list` prints it")?,
        ),
        ("session", Some(sid)) => Revocation::session(sid),
        ("subject", Some(sub)) => Revocation::subject(sub),
        ("everything", None) => Revocation::everything(),
        _ => {
            return Err(
                "its scope is none of token, session, subject and everything, or its value is missing".to_owned()
            );
        }
    };
    if let Some(time) = record.keep_until.filter(|text| text != "for ever") {
        match time_values::time(&time)? {
            ended if ended <= now => return Ok(Line::Expired),
            until => revocation = revocation.keep_until(until),
        }
    }
    if let Some(issuer) = record.issuer {
        revocation = revocation.issuer(issuer.map_or(Issuer::Absent, Issuer::Named));
    }
    if let Some(cut_off) = record.issued_before {
        revocation = revocation.issued_before(time_values::time(&cut_off)?);
    }
    if let Some(reason) = record.reason {
        revocation = revocation.reason(reason);
    }
    let revocation = record.keep.into_iter().fold(revocation, |revocation, id| revocation.keep(id.as_str()));
    let line = if record.scope == "everything" { Line::Everything } else { Line::Revocation };
    Ok(line(Box::new(revocation)))
}
