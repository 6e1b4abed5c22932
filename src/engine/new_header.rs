//! The JOSE header of a new token. RFC 7515 section 4.1.

use crate::denied::Reject;
use crate::keys::Key;
use crate::policy::{Policy, TypeVerdict, type_verdict};
use crate::token::header::Header;

/// The header, and what the policy says of its type. `token_type` is what the caller wants; without, the policy's one, else `JWT`.
///
/// # Errors
/// What reading it would say: a key id or type that no header can have.
pub(super) fn header(key: &Key, token_type: Option<&str>, policy: &Policy) -> Result<(String, TypeVerdict), Reject> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let typ =
        token_type.or_else(|| policy.unstated_type()).map_or(String::new(), |typ| format!(",\"typ\":{}", quoted(typ)));
    let kid = key.key_id().map_or(String::new(), |key_id| format!(",\"kid\":{}", quoted(key_id)));
    let text = format!("{{\"alg\":\"{}\"{typ}{kid}}}", key.algorithm());
    let mut unescaped = String::new();
    let typ = type_verdict(policy, Header::parse(text.as_bytes(), &mut unescaped)?.typ);
    Ok((text, typ))
}
