//! Whether an accepted token is known to be still logged in, and if not, why it passed.

use crate::index::NotRevoked;

/// Why a token counts as not logged out.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleared {
    /// The engine has no revocation log: nothing was screened, and nothing can be logged out.
    NoLog,
    /// Screened against every revocation in the log, and none means it.
    NotRevoked(NotRevoked),
    /// The revocations may not all be known, and [`Log::on_unknown`](crate::Log::on_unknown) lets it pass.
    UnknownAllowed(WhyUnknown),
}

/// Why the revocations may not all be known.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyUnknown {
    /// The log was last read to its end longer ago than is allowed.
    Stale,
    /// The log has not been read to its end yet.
    Unread,
    /// The log holds revocations of a kind that only a newer signoff knows.
    Newer,
}
