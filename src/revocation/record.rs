//! One line of the log.

use std::borrow::Cow;

use super::TokenId;
use super::{Issuer, Scope};
use crate::clock::UnixTime;

/// What a record is matched by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // One for each scope.
pub enum Target {
    /// One token.
    Token(TokenId<'static>),
    /// A login, by its `sid`.
    Session(String),
    /// A subject, by its `sub`.
    Subject(String),
    /// Every token.
    Everything,
}

impl Target {
    /// The scope.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::Token(_) => Scope::Token,
            Self::Session(_) => Scope::Session,
            Self::Subject(_) => Scope::Subject,
            Self::Everything => Scope::Everything,
        }
    }

    /// The value as the log writes it: `jti:…` or `sha256:…`, a `sid`, a `sub`, or nothing.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Token(token_id) => token_id.to_string(),
            Self::Session(value) | Self::Subject(value) => value.clone(),
            Self::Everything => String::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Token(TokenId::Jti(jti)) => jti.is_empty(),
            Self::Session(value) | Self::Subject(value) => value.is_empty(),
            Self::Token(TokenId::SigningInput(_)) | Self::Everything => false,
        }
    }
}

/// A revocation as it stands in the log.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// What it is matched by.
    pub target: Target,
    /// Whose tokens it means.
    pub issuer: Issuer,
    /// The cut-off, of a subject's or everything's revocation.
    pub issued_before: Option<UnixTime>,
    /// The `jti` and `sid` that are spared from the cut-off.
    pub keep: Vec<String>,
    /// When no token that it means can be accepted any more; without, it is kept for ever.
    pub keep_until: Option<UnixTime>,
    /// When it was recorded, by the clock of whoever did.
    pub recorded_at: UnixTime,
    /// A word for whoever reads the log.
    pub reason: Option<String>,
}

impl Record {
    /// Whether this one means every token that the other means, for as long.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let for_ever = UnixTime::from_millis(i64::MAX);
        self.target == other.target
            && (self.issuer == other.issuer || self.issuer == Issuer::Any)
            && self.issued_before >= other.issued_before
            && self.keep.iter().all(|id| other.keep.contains(id))
            && self.keep_until.unwrap_or(for_ever) >= other.keep_until.unwrap_or(for_ever)
    }

    /// What stands in the place of one that was erased: it means no token, and has expired.
    pub(crate) fn blank(&self) -> Self {
        Self {
            target: Target::Token(TokenId::SigningInput([0; 32])),
            issuer: Issuer::Any,
            issued_before: None,
            keep: Vec::new(),
            keep_until: Some(UnixTime::default()),
            recorded_at: self.recorded_at,
            reason: None,
        }
    }

    pub(crate) fn is_blank(&self) -> bool {
        *self == self.blank()
    }

    /// About how many bytes its texts have.
    pub(crate) fn text_bytes(&self) -> usize {
        let value = match &self.target {
            Target::Token(TokenId::Jti(jti)) => jti.len(),
            Target::Session(value) | Target::Subject(value) => value.len(),
            Target::Token(TokenId::SigningInput(_)) | Target::Everything => 32,
        };
        let issuer = if let Issuer::Named(name) = &self.issuer { name.len() } else { 0 };
        let kept: usize = self.keep.iter().map(String::len).sum();
        value + issuer + kept + self.reason.as_ref().map_or(0, String::len)
    }

    pub(crate) fn borrow(&self) -> RecordRef<'_> {
        let value = match &self.target {
            Target::Token(TokenId::Jti(text)) => Value::Text(text),
            Target::Token(TokenId::SigningInput(hash)) => Value::Hash(*hash),
            Target::Session(text) | Target::Subject(text) => Value::Text(text),
            Target::Everything => Value::Text(""),
        };
        let scope = self.target.scope();
        let issuer = match &self.issuer {
            Issuer::Any => IssuerRef::Any,
            Issuer::Absent => IssuerRef::Absent,
            Issuer::Named(name) => IssuerRef::Named(name),
        };
        let (issued_before, keep_until) = (self.issued_before, self.keep_until);
        RecordRef { scope, value, issuer, issued_before, keep: KeepRef::Held(&self.keep), keep_until }
    }
}

/// What the index needs of a record, borrowed from a row that is being read.
#[derive(Clone, Debug)]
pub(crate) struct RecordRef<'a> {
    pub(crate) scope: Scope,
    pub(crate) value: Value<'a>,
    pub(crate) issuer: IssuerRef<'a>,
    pub(crate) issued_before: Option<UnixTime>,
    pub(crate) keep: KeepRef<'a>,
    pub(crate) keep_until: Option<UnixTime>,
}

/// The ids that a cut-off spares, held by a record or read from where it is written.
#[derive(Clone, Debug)]
pub(crate) enum KeepRef<'a> {
    Held(&'a [String]),
    #[cfg_attr(not(any(feature = "sqlite", feature = "sqlite-system", feature = "redis")), allow(dead_code))]
    Read(Vec<Cow<'a, str>>),
}

impl KeepRef<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Held(ids) => ids.len(),
            Self::Read(ids) => ids.len(),
        }
    }

    pub(crate) fn for_each(&self, mut visit: impl FnMut(&str)) {
        match self {
            Self::Held(ids) => ids.iter().for_each(|id| visit(id)),
            Self::Read(ids) => ids.iter().for_each(|id| visit(id)),
        }
    }

    #[cfg(any(feature = "sqlite", feature = "sqlite-system", feature = "redis"))]
    pub(crate) fn to_vec(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.for_each(|id| all.push(id.to_owned()));
        all
    }
}

/// The value of a record. Of a token: its `jti`, or the hash of its signing input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Hash([u8; 32]),
}

impl Value<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Hash(hash) => hash,
        }
    }
}

/// [`Issuer`], borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IssuerRef<'a> {
    Any,
    Absent,
    Named(&'a str),
}

impl IssuerRef<'_> {
    pub(crate) fn into_owned(self) -> Issuer {
        match self {
            Self::Any => Issuer::Any,
            Self::Absent => Issuer::Absent,
            Self::Named(name) => Issuer::Named(name.to_owned()),
        }
    }
}

impl RecordRef<'_> {
    /// The cut-off; of other scopes, a time that none reaches.
    pub(crate) fn cut_off(&self) -> UnixTime {
        self.issued_before.unwrap_or(UnixTime::from_millis(i64::MIN))
    }
}
