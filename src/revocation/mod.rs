//! The vocabulary of logging out: which tokens a revocation means, and for how long it is kept.
//!
//! Holds words and their rules; knows no index, no log and no clock. A [`Revocation`] is what a
//! caller asks for, a [`Record`] what a log keeps of it.

mod cut_off;
mod fingerprint;
mod record;
mod token_id;

pub use record::{Record, Target};
pub use token_id::TokenId;

pub(crate) use cut_off::is_before_cut_off;
pub(crate) use fingerprint::{Fingerprint, IssuerMark, KeptId, Lane, Salt};
pub(crate) use record::{IssuerRef, KeepRef, RecordRef, Value};

use crate::clock::UnixTime;

/// What a revocation is matched by.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One token, by its id.
    Token,
    /// Every token of one login, by `sid`.
    Session,
    /// Every token of one subject (`sub`) that was issued before the cut-off.
    Subject,
    /// Every token that was issued before the cut-off.
    Everything,
}

impl Scope {
    /// All of them, from the narrowest to the widest.
    pub const ALL: [Self; 4] = [Self::Token, Self::Session, Self::Subject, Self::Everything];

    /// The name, as the log and the command line write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::Subject => "subject",
            Self::Everything => "everything",
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose tokens a revocation means: a `jti`, `sid` or `sub` is unique only within its issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // A token names its issuer or does not; a revocation cares or does not.
pub enum Issuer {
    /// Tokens of every issuer, and those without `iss`.
    #[default]
    Any,
    /// Tokens without `iss`.
    Absent,
    /// Tokens with this `iss`, compared byte for byte.
    Named(String),
}

impl Issuer {
    /// The issuer of a token.
    pub(crate) fn of(iss: Option<&str>) -> Self {
        iss.map_or(Self::Absent, |iss| Self::Named(iss.to_owned()))
    }

    pub(crate) fn is(&self, other: IssuerRef<'_>) -> bool {
        match (self, other) {
            (Self::Any, IssuerRef::Any) | (Self::Absent, IssuerRef::Absent) => true,
            (Self::Named(name), IssuerRef::Named(other)) => name == other,
            (Self::Any | Self::Absent | Self::Named(_), _) => false,
        }
    }

    /// Whether a revocation with this issuer means tokens of that one.
    pub(crate) fn means(&self, iss: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => iss.is_none(),
            Self::Named(name) => iss == Some(name),
        }
    }
}

impl From<&str> for Issuer {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl From<String> for Issuer {
    fn from(name: String) -> Self {
        Self::Named(name)
    }
}

/// The `iss` of a token, or its absence.
impl From<Option<&str>> for Issuer {
    fn from(iss: Option<&str>) -> Self {
        Self::of(iss)
    }
}

/// Tokens to be logged out, for [`Engine::revoke`](crate::Engine::revoke).
///
/// ```
/// use signoff::Revocation;
///
/// // "Change password, stay logged in here, log out everywhere else."
/// let revocation = Revocation::subject("42").issuer("https://id.example").keep("the jti of this login's token");
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is revoked until the engine is given it"]
pub struct Revocation {
    pub(crate) asked: Asked,
    pub(crate) issuer: Issuer,
    pub(crate) issued_before: Option<UnixTime>,
    pub(crate) keep: Vec<String>,
    pub(crate) keep_until: Option<UnixTime>,
    /// `exp` of the token that this was made from.
    pub(crate) expires_at: Option<UnixTime>,
    pub(crate) reason: Option<String>,
    /// Whether the issuer is empty by the caller's word. A token may have an empty one.
    pub(crate) is_issuer_empty: bool,
}

/// What was asked to be revoked.
#[derive(Clone)]
pub(crate) enum Asked {
    Target(Target),
    /// A whole token, to be authenticated by the engine. Whoever holds it can use it.
    TokenText(String),
    /// A whole token whose signature the caller has verified.
    VouchedText(String),
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Target(target) => target.fmt(f),
            Self::TokenText(_) => f.write_str("TokenText(..)"),
            Self::VouchedText(_) => f.write_str("VouchedText(..)"),
        }
    }
}

impl Revocation {
    pub(crate) fn of(asked: Asked, issuer: Issuer) -> Self {
        let (issued_before, keep, keep_until, expires_at, reason) = (None, Vec::new(), None, None, None);
        Self { asked, issuer, issued_before, keep, keep_until, expires_at, reason, is_issuer_empty: false }
    }

    /// One token as received, which may have expired or been revoked before.
    ///
    /// The engine looks at its shape, its signature and the types of its claims, and at nothing else.
    pub fn token_text(token: impl Into<String>) -> Self {
        Self::of(Asked::TokenText(token.into()), Issuer::Any)
    }

    /// One token by its id: a `jti`, or a [`TokenId`]. Of any issuer, unless one is named.
    ///
    /// Trust: a `jti` is one token's, as RFC 7519 section 4.1.7 has it. Where several tokens share one, as an access and its refresh
    /// token by some libraries, all of them end, and for as long as the record is kept also those that are still to be issued: until
    /// [`keep_until`](Self::keep_until) and ten minutes; without it by the log's longest lifetime from now, or for ever.
    pub fn token_id(token_id: impl Into<TokenId<'static>>) -> Self {
        Self::of(Asked::Target(Target::Token(token_id.into())), Issuer::Any)
    }

    /// Every token of one login, by its `sid`: access and refresh tokens, and those still to be issued for as long as the record is
    /// kept. That is the log's longest lifetime and ten minutes from now; without one, until [`keep_until`](Self::keep_until) and ten
    /// minutes, or for ever. A token of the session that is issued later than that is good: no login should outlive it.
    pub fn session(sid: impl Into<String>) -> Self {
        Self::of(Asked::Target(Target::Session(sid.into())), Issuer::Any)
    }

    /// Every token of one subject (`sub`) that was issued up to now: log out everywhere.
    pub fn subject(sub: impl Into<String>) -> Self {
        Self::of(Asked::Target(Target::Subject(sub.into())), Issuer::Any)
    }

    /// Every token that was issued up to now. For an incident; no answer to a leaked key, whose
    /// holder writes any `iat`: remove the key.
    pub fn everything() -> Self {
        Self::of(Asked::Target(Target::Everything), Issuer::Any)
    }

    /// Means only tokens of this issuer; `None` as an `Option<&str>` means tokens without one.
    pub fn issuer(mut self, issuer: impl Into<Issuer>) -> Self {
        self.issuer = issuer.into();
        self.is_issuer_empty = self.issuer == Issuer::Named(String::new());
        self
    }

    /// The cut-off of a subject's or everything's revocation, in place of now.
    pub fn issued_before(mut self, cut_off: UnixTime) -> Self {
        self.issued_before = Some(cut_off);
        self
    }

    /// Spares tokens with this `jti` or `sid` from a subject's or everything's revocation, whatever
    /// their `iat`. Other revocations still mean them. Of a token that was accepted, both ids.
    ///
    /// Of several revocations that reach a token, one of its ids must stand in every list.
    pub fn keep(mut self, jti_or_sid: impl Into<Kept>) -> Self {
        self.keep.extend(jti_or_sid.into().0);
        self
    }

    /// When the last token that is meant will have expired, where the log can't know.
    ///
    /// - A token that was given whole says so itself, and is never forgotten before its own `exp`.
    /// - Of a session, a subject or everything it lengthens what the log's longest lifetime says, and never shortens it. Where the log
    ///   states none, and would keep the record for ever, it is the caller's word: the record ends then, and a token that lives
    ///   longer is good again.
    /// - Of a token id it is the caller's word in any case. Where it has passed, the answer is
    ///   [`AlreadyExpired`](Revoked::AlreadyExpired), and nothing is recorded: a time that is wrong logs nobody out.
    ///
    /// One in the past is refused otherwise, and in any case one before the year 2000.
    pub fn keep_until(mut self, time: UnixTime) -> Self {
        self.keep_until = Some(time);
        self
    }

    /// A word for whoever reads the log. Has no effect.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

/// Ids of tokens that are spared, for [`Revocation::keep`]: a `jti` or `sid`, or both of an [`Accepted`](crate::Accepted).
#[derive(Clone, Debug)]
pub struct Kept(Vec<String>);

impl Kept {
    /// Those of a token. One that has none can't be spared: an empty id is refused when the revocation is carried out.
    pub(crate) fn of_token(jti: Option<&str>, sid: Option<&str>) -> Self {
        let ids: Vec<_> = [jti, sid].into_iter().flatten().map(str::to_owned).collect();
        Self(if ids.is_empty() { vec![String::new()] } else { ids })
    }
}

impl From<&str> for Kept {
    fn from(id: &str) -> Self {
        Self(vec![id.to_owned()])
    }
}

impl From<String> for Kept {
    fn from(id: String) -> Self {
        Self(vec![id])
    }
}

impl From<&String> for Kept {
    fn from(id: &String) -> Self {
        Self(vec![id.clone()])
    }
}

impl From<std::borrow::Cow<'_, str>> for Kept {
    fn from(id: std::borrow::Cow<'_, str>) -> Self {
        Self(vec![id.into_owned()])
    }
}

/// What became of a revocation that was carried out.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It is in the log, and binds every verification that starts from now on.
    #[non_exhaustive]
    Recorded {
        /// What it has outlived when this is returned.
        durability: Durability,
    },
    /// The log already held one that means the same tokens for as long. Nothing was appended.
    AlreadyCovered,
    /// The token expired so long ago that no engine on this log can accept it. Nothing was appended.
    AlreadyExpired,
}

/// What a record in the log outlives.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: it ends with this process.
    Memory,
    /// A crash of the process or the machine: it was synchronised to a local file.
    File,
    /// A crash of the process: the Redis primary has it, in its memory.
    Primary,
    /// The loss of the Redis primary too: so many of its replicas have confirmed that they have it.
    Replicas {
        /// How many.
        replicas: u32,
    },
    /// A crash of the Redis primary: it was synchronised to the primary's disk, and to those of so many replicas.
    Fsynced {
        /// How many replicas.
        replicas: u32,
    },
    /// A crash of this machine, and no more: the log on Redis could not be given it, and gets it when it is there again. Until then
    /// it binds the processes on the local file alone.
    LocalFile,
}

impl Durability {
    /// What it is called where names are texts: `memory`, `file`, `primary`, `replicas`, `fsynced`, `local-file`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::File => "file",
            Self::Primary => "primary",
            Self::Replicas { .. } => "replicas",
            Self::Fsynced { .. } => "fsynced",
            Self::LocalFile => "local-file",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_issuer_is_compared_byte_for_byte_and_absent_is_not_any() {
        assert!(Issuer::Any.means(None) && Issuer::Any.means(Some("a")));
        assert!(Issuer::Absent.means(None) && !Issuer::Absent.means(Some("")));
        assert!(Issuer::from("a").means(Some("a")) && !Issuer::from("a").means(Some("a/")));
    }
}
