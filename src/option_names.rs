//! What options are called where a message is shown: one table for Rust, C, Node and the command line.
//!
//! A message names options as Rust does, in backticks. A face shows it [`in_words_of`] itself.

use std::fmt::{self, Display, Write};

/// Where a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // There are these faces.
pub enum Face {
    /// The C interface.
    C,
    /// The Node package.
    Node,
    /// The command line.
    CommandLine,
}

/// In Rust, in C, in Node, on the command line. A dash where a face has no such option, and its messages never name it.
const NAMES: &[[&str; 4]] = &[
    ["issuer", "issuers", "issuer", "--issuer"],
    ["audience", "audiences", "audience", "--audience"],
    ["insecure_any_audience", "SIGNOFF_POLICY_INSECURE_ANY_AUDIENCE", "insecureAnyAudience", "--insecure-any-audience"],
    ["subject", "subject", "subject", "--subject"],
    ["token_type", "token_type", "tokenType", "--typ"],
    ["token_type_optional", "SIGNOFF_POLICY_TOKEN_TYPE_OPTIONAL", "tokenTypeOptional", "--typ-optional"],
    ["claim_equals", "claim_values", "claimEquals", "--claim"],
    ["require", "required_claims", "requiredClaims", "--require"],
    ["leeway", "leeway_ms", "leeway", "--leeway"],
    ["issued_in_future_max", "issued_in_future_max_ms", "issuedInFuture", "--issued-in-future-max"],
    ["insecure_any_issued_at", "-", "insecureAnyIssuedAt", "-"],
    ["lifetime_max", "lifetime_max_ms", "maxLifetime", "--max-lifetime"],
    ["age_max", "age_max_ms", "maxAge", "--max-age"],
    ["token_bytes_max", "token_bytes_max", "maxTokenBytes", "-"],
    [
        "insecure_allow_missing_exp",
        "SIGNOFF_POLICY_INSECURE_ALLOW_MISSING_EXP",
        "insecureAllowMissingExp",
        "--insecure-allow-missing-exp",
    ],
    ["numeric_ids", "SIGNOFF_POLICY_NUMERIC_IDS_AS_TEXT", "numericIds", "--numeric-ids"],
    [
        "insecure_bearer_of_bound_token",
        "SIGNOFF_POLICY_INSECURE_BEARER_OF_BOUND_TOKEN",
        "insecureBearerOfBoundToken",
        "--insecure-bearer-of-bound-token",
    ],
    [
        "hmac_insecure_allow_short",
        "SIGNOFF_KEY_INSECURE_ALLOW_SHORT",
        "insecureAllowShortSecret",
        "--insecure-allow-short-secret",
    ],
    ["for_issuers", "issuers", "issuers", "-"],
    ["from_jwks", "signoff_key_set_from_jwks()", "keys", "--jwks"],
    ["key_id", "key_id", "keyId", "--key-id"],
    ["expires_in", "expires_in_ms", "expiresIn", "--expires-in"],
    [
        "insecure_never_expires",
        "SIGNOFF_SIGN_INSECURE_NEVER_EXPIRES",
        "insecureNeverExpires",
        "--insecure-never-expires",
    ],
    ["issued_before", "issued_before_ms", "issuedBefore", "--everything-before"],
    ["keep", "keep", "keep", "--keep"],
    ["keep_until", "keep_until_ms", "keepUntil", "--keep-until"],
    ["Engine::open", "signoff_engine_open()", "log", "--log"],
    ["create_if_missing", "SIGNOFF_LOG_CREATE_IF_MISSING", "logMustExist: false", "signoff create"],
    ["Engine::health", "signoff_engine_health()", "health()", "signoff stats"],
    ["insecure_verified_elsewhere", "signoff_engine_insecure_screen()", "screen()", "-"],
    ["longest_lifetime", "longest_lifetime_ms", "longestLifetime", "--longest-lifetime"],
    ["open_timeout", "open_timeout_ms", "openTimeout", "-"],
    ["append_timeout", "append_timeout_ms", "revokeTimeout", "-"],
    ["local_file", "local_file= in the URL", "localFile", "local_file= in the URL"],
    ["on_outage", "outage= in the URL", "onOutage", "outage= in the URL"],
    ["insecure_several_names", "SIGNOFF_LOG_INSECURE_SEVERAL_NAMES", "insecureSeveralNames", "-"],
    ["insecure_restore", "-", "-", "--yes"],
];

/// A message as this face shows it.
pub fn in_words_of<M: Display>(face: Face, message: M) -> impl Display {
    InWordsOf { face, message }
}

struct InWordsOf<M> {
    face: Face,
    message: M,
}

impl<M: Display> Display for InWordsOf<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut translator = Translator { face: self.face, out: f, name: [0; NAME_BYTES_MAX], len: None };
        write!(translator, "{}", self.message)?;
        translator.flush()
    }
}

const NAME_BYTES_MAX: usize = 32;

/// Passes a message on, and what stands in backticks by the name that the face has for it. Allocates nothing.
struct Translator<'a, 'f> {
    face: Face,
    out: &'a mut fmt::Formatter<'f>,
    /// What stands behind an opening backtick.
    name: [u8; NAME_BYTES_MAX],
    /// How much of it there is, if one is open.
    len: Option<usize>,
}

impl Translator<'_, '_> {
    fn held(&self) -> &str {
        // ASCII alone is held.
        std::str::from_utf8(&self.name[..self.len.unwrap_or(0)]).unwrap_or_default()
    }

    /// Passes on what was held back, which is no name.
    fn flush(&mut self) -> fmt::Result {
        if self.len.is_some() {
            self.out.write_char('`')?;
            let (name, len) = (self.name, self.len.take().unwrap_or(0));
            self.out.write_str(std::str::from_utf8(&name[..len]).unwrap_or_default())?;
        }
        Ok(())
    }
}

impl Write for Translator<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match (c, self.len) {
                ('`', None) => self.len = Some(0),
                ('`', Some(_)) => {
                    let name = name_in(self.face, self.held());
                    match name {
                        Some(name) => {
                            self.len = None;
                            write!(self.out, "`{name}`")?;
                        }
                        None => {
                            self.flush()?;
                            self.out.write_char('`')?;
                        }
                    }
                }
                (c, Some(len)) if c.is_ascii() && len < NAME_BYTES_MAX => {
                    self.name[len] = c as u8;
                    self.len = Some(len + 1);
                }
                (c, held) => {
                    if held.is_some() {
                        self.flush()?;
                        // The rest of what stands in these backticks is no name either, and their end is none's beginning.
                        self.len = None;
                    }
                    self.out.write_char(c)?;
                }
            }
        }
        Ok(())
    }
}

fn name_in(face: Face, name: &str) -> Option<&'static str> {
    let at = match face {
        Face::C => 1,
        Face::Node => 2,
        Face::CommandLine => 3,
    };
    NAMES.iter().find(|row| row[0] == name).map(|row| row[at]).filter(|name| *name != "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(face: Face, message: &str) -> String {
        in_words_of(face, message).to_string()
    }

    #[test]
    fn a_message_names_an_option_as_the_face_that_shows_it_does() {
        let message = "set `audience`, or `insecure_any_audience`";
        assert_eq!(shown(Face::C, message), "set `audiences`, or `SIGNOFF_POLICY_INSECURE_ANY_AUDIENCE`");
        assert_eq!(shown(Face::Node, message), "set `audience`, or `insecureAnyAudience`");
        assert_eq!(shown(Face::CommandLine, message), "set `--audience`, or `--insecure-any-audience`");
    }

    #[test]
    fn what_is_no_option_stays_as_it_is() {
        for message in [
            "",
            "plain",
            "run `openssl rand -base64 48`",
            "`",
            "an `open one",
            "``",
            "`ä`",
            "`a name that is far longer than any option could be, whatever its face` and more",
        ] {
            for face in [Face::C, Face::Node, Face::CommandLine] {
                assert_eq!(shown(face, message), message);
            }
        }
        assert_eq!(shown(Face::Node, "`no option` and `key_id`"), "`no option` and `keyId`");
    }

    #[test]
    fn every_row_is_found_by_its_own_name() {
        for row in NAMES {
            assert!(row[0].len() <= NAME_BYTES_MAX, "{}", row[0]);
            assert_eq!(NAMES.iter().filter(|other| other[0] == row[0]).count(), 1, "{}", row[0]);
        }
    }

    /// Every name in backticks that a message of the library has, read from its sources.
    #[test]
    fn every_option_that_a_message_names_is_in_the_table() {
        const COMMANDS: [&str; 7] = ["openssl ", "signoff ", "find ", "cp", "appendonly", "sqlite", "redis"];
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![folder.clone()];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.ends_with("bin") && !path.ends_with("ffi") {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs")
                    && !path.ends_with("option_names.rs")
                {
                    let source = std::fs::read_to_string(&path).unwrap();
                    let code = source.split("#[cfg(test)]").next().unwrap();
                    let lines = code.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
                    let is_table = path.ends_with("status.rs");
                    for line in lines.filter(|line| !is_table && line.contains(['"', '`'])) {
                        let code = line.split(" // ").next().unwrap();
                        for name in code.split('`').skip(1).step_by(2) {
                            let is_command =
                                COMMANDS.iter().any(|command| name.starts_with(command)) || name == "signoff.db";
                            let is_code = !name.starts_with(|c: char| c.is_ascii_alphabetic());
                            let is_known = NAMES.iter().any(|row| row[0] == name);
                            assert!(is_command || is_code || is_known, "{}: `{name}`", path.display());
                            seen += usize::from(is_known);
                        }
                    }
                }
            }
        }
        assert!(seen > 15, "{seen}: the sources were not read");
    }
}
