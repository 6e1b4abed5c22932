//! The names that JavaScript reads for what Rust has as enums.

use signoff::{Cleared, Durability, Origin, Revoked, WhyUnknown};

pub(crate) fn cleared(cleared: Cleared) -> &'static str {
    match cleared {
        Cleared::NotRevoked(_) => "not-revoked",
        Cleared::NoLog => "no-log",
        Cleared::UnknownAllowed(WhyUnknown::Stale) => "unknown-stale",
        Cleared::UnknownAllowed(WhyUnknown::Unread) => "unknown-unread",
        Cleared::UnknownAllowed(WhyUnknown::Newer) => "unknown-newer",
        _ => "unknown",
    }
}

pub(crate) fn revoked(revoked: Revoked) -> &'static str {
    match revoked {
        Revoked::Recorded { durability: Durability::Memory, .. } => "recorded-in-memory",
        Revoked::Recorded { durability: Durability::Primary, .. } => "recorded-on-primary",
        Revoked::Recorded { durability: Durability::Replicas { .. }, .. } => "recorded-on-replicas",
        Revoked::Recorded { durability: Durability::Fsynced { .. }, .. } => "recorded-on-disk",
        Revoked::Recorded { durability: Durability::LocalFile, .. } => "recorded-in-local-file",
        Revoked::Recorded { .. } => "recorded",
        Revoked::AlreadyExpired => "already-expired",
        Revoked::AlreadyCovered => "already-covered",
        _ => "done",
    }
}

pub(crate) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Found => "found",
        Origin::Created => "created",
    }
}
