//! An entry as the format before has it: a JSON array. Read, and written no more.

use std::borrow::Cow;

use serde::Deserialize;

use crate::clock::UnixTime;
use crate::log::encoding::{self, NoRecord, Parts};
use crate::revocation::{Record, Scope};

/// A JSON array, without the nulls at its end.
#[derive(Deserialize)]
struct Written<'a>(
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    i64,
    #[serde(default)] Option<i64>,
    #[serde(default)] Option<i64>,
    #[serde(default)] Option<Vec<String>>,
    #[serde(default)] Option<String>,
);

/// The record of such an array.
pub(super) fn read(text: &str) -> Result<Record, NoRecord> {
    let Ok(written) = serde_json::from_str::<Written<'_>>(text) else {
        // Of another kind, it may be written otherwise.
        let scope = serde_json::from_str::<Vec<serde_json::Value>>(text).unwrap_or_default();
        return Err(match scope.first().and_then(serde_json::Value::as_str) {
            Some(scope) if !Scope::ALL.iter().any(|known| known.name() == scope) => NoRecord::UnknownKind,
            Some(_) | None => NoRecord::Junk,
        });
    };
    let Written(scope, value, issuer, recorded_at, keep_until, before, keep, reason) = &written;
    let (issued_before, keep_until) = (before.map(UnixTime::from_millis), keep_until.map(UnixTime::from_millis));
    let keep = keep.iter().flatten().map(|id| Cow::Borrowed(id.as_str())).collect();
    let record = Parts { scope, value, issuer, issued_before, keep, keep_until }.parse()?;
    Ok(encoding::into_record(&record, UnixTime::from_millis(*recorded_at), reason.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::{Issuer, Target};

    #[test]
    fn what_the_version_before_has_written_is_read() {
        let read = read(r#"["subject","u","=i",6,null,5,["k \"1\""],"why"]"#);
        let expected = Record {
            target: Target::Subject("u".to_owned()),
            issuer: Issuer::Named("i".to_owned()),
            issued_before: Some(UnixTime::from_millis(5)),
            keep: vec!["k \"1\"".to_owned()],
            keep_until: None,
            recorded_at: UnixTime::from_millis(6),
            reason: Some("why".to_owned()),
        };
        assert_eq!(read, Ok(expected));
        let token = super::read(r#"["token","jti:\u0000é,null]","*",6,7]"#).unwrap();
        assert_eq!(
            (token.target, token.keep_until),
            (Target::Token("\u{0}é,null]".into()), Some(UnixTime::from_millis(7)))
        );
    }

    #[test]
    fn what_is_not_ours_is_junk_and_a_scope_of_later_is_known_for_one() {
        for junk in [
            r#"["session","","*",6]"#,
            r#"["session","s","*"]"#,
            r#"["session","s","*",6,"soon"]"#,
            r#"["session","s","*",6,7,5]"#,
            r#"["subject","s","*",6,7]"#,
            r#"["token","abc","*",6]"#,
            r#"["session","s","x",6]"#,
            r#"{"scope":"session"}"#,
            "[",
            "",
        ] {
            assert_eq!(read(junk), Err(NoRecord::Junk), "{junk}");
        }
        for later in [r#"["planet","x","*",6]"#, r#"["planet",{"x":1}]"#] {
            assert_eq!(read(later), Err(NoRecord::UnknownKind), "{later}");
        }
    }
}
