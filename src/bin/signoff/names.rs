//! What a revocation names, and what keeps a text from being such a name.

use signoff::{Revocation, TokenId};

/// What a line of a file names.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Token,
    TokenId,
    Session,
    Subject,
}

pub(crate) fn revocation_of(kind: Kind, text: &str) -> Revocation {
    match kind {
        Kind::Token => Revocation::token_text(text),
        Kind::TokenId => Revocation::token_id(TokenId::from_printed(text).unwrap_or_else(|| text.into())),
        Kind::Session => Revocation::session(text),
        Kind::Subject => Revocation::subject(text),
    }
}

/// Also what has no width.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// What keeps a text from being an id, a session or a subject: it comes from a file in another encoding, or from a slip in quoting.
pub(crate) fn fault_of_name(kind: Kind, text: &str) -> Option<&'static str> {
    let is_printed = |text: &str| TokenId::from_printed(text).is_some();
    match kind {
        Kind::Token => None,
        _ if text == "-" => Some("- is standard input under --token-ids, --sessions and --subjects alone"),
        _ if text == "null" || text == "undefined" => Some("it is what a program prints that has found nothing"),
        _ if text.starts_with('"') && text.ends_with('"') => {
            Some("it stands in double quotes; with jq, -r leaves them out")
        }
        _ if text.starts_with('{') && serde_json::from_str::<serde_json::Value>(text).is_ok() => {
            Some("it is JSON; what `signoff list` prints goes under --records")
        }
        _ if text.contains(char::is_control) || text.starts_with('\u{feff}') => {
            Some("it has control characters or a byte order mark in it: write the file in UTF-8, a name on each line")
        }
        _ if text.trim_matches(is_blank) != text => Some("it has white space around it, and would be another one"),
        Kind::TokenId if text.starts_with("sha256:") && !is_printed(text) => {
            Some("it begins with sha256: and is none as `list` prints it")
        }
        Kind::TokenId | Kind::Session | Kind::Subject => None,
    }
}
