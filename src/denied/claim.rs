//! What a rejection says of a claim.

use std::borrow::Cow;
use std::sync::Arc;

use crate::limits::{AUDIENCE_CHARS_SHOWN_MAX, AUDIENCES_SHOWN_MAX};

/// The name of a claim: a registered one, or one that the policy requires.
///
/// A clone allocates nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimName(Name);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Registered(&'static str),
    Required(Arc<str>),
}

impl ClaimName {
    pub(crate) const fn registered(name: &'static str) -> Self {
        Self(Name::Registered(name))
    }

    pub(crate) const fn required(name: Arc<str>) -> Self {
        Self(Name::Required(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Registered(name) => name,
            Name::Required(name) => name,
        }
    }
}

impl std::fmt::Display for ClaimName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with the value of a claim.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimFault {
    /// A number where a text is wanted.
    #[error("is a number; a text is wanted")]
    NumberForText,
    /// A number as an id, which the policy does not take.
    #[error("is a number; a text is wanted, or allow numeric ids by `numeric_ids`")]
    NumberForId,
    /// A number as an id that is not spelled as a whole number is.
    #[error("is a number that is not spelled as a whole number is; a text is wanted")]
    NumberNotWhole,
    /// A number as an id, beyond 2^53 − 1: who reads doubles takes it for another.
    #[error("is a number beyond 2^53 - 1, which many readers take for its neighbour; a text is wanted")]
    NumberInexact,
    /// A time before 1970.
    #[error("is a negative number; seconds since 1970 are wanted")]
    NegativeTime,
    /// A text where a time is wanted.
    #[error("is a text; a number of seconds since 1970 is wanted")]
    TextForTime,
    /// No number where a time is wanted.
    #[error("is not a number; seconds since 1970 are wanted")]
    NotNumber,
    /// No text where one is wanted.
    #[error("is not a text")]
    NotText,
    /// No object where one is wanted.
    #[error("is not an object")]
    NotObject,
    /// An array of audiences with something else in it.
    #[error("is an array in which not everything is a text")]
    NotTexts,
    /// An empty id.
    #[error("is empty, and names nothing; leave it out, or give it a value")]
    Empty,
}

/// Whom an authentic token is meant for, as far as a message shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audiences(Box<str>);

impl Audiences {
    #[cold]
    pub(crate) fn new(all: Vec<Cow<'_, str>>) -> Self {
        let short = |name: &str| {
            let shown: String = name.chars().take(AUDIENCE_CHARS_SHOWN_MAX).collect();
            format!("{shown:?}{}", if shown.len() < name.len() { "..." } else { "" })
        };
        let mut shown: Vec<_> = all.iter().take(AUDIENCES_SHOWN_MAX).map(|name| short(name)).collect();
        match all.len() {
            0 => shown.push("nobody (an empty aud)".to_owned()),
            many if many > AUDIENCES_SHOWN_MAX => shown.push(format!("{} more", many - AUDIENCES_SHOWN_MAX)),
            _ => {}
        }
        Self(shown.join(", ").into())
    }
}

impl std::fmt::Display for Audiences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
