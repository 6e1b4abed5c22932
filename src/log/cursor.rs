//! Where a reader stands in a log, and whether that is still there.

use crate::clock::UnixTime;

/// Where a reader stands: the last position it has seen, the random tag of the batch it came with, in which term of which
/// server it was given, where there are several, and until when it was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) position: i64,
    pub(crate) tag: i64,
    /// Zero where that is not known, or there is one server for ever.
    pub(crate) epoch: u64,
    pub(crate) keep_until: Option<UnixTime>,
}

impl Cursor {
    /// Whether both are at the same entry.
    #[cfg(feature = "redis")]
    #[cfg_attr(not(any(feature = "sqlite", feature = "sqlite-system")), allow(dead_code))]
    pub(super) fn is_at(self, other: Self) -> bool {
        (self.position, self.tag) == (other.position, other.tag)
    }

    /// Whether the log is still the one that the reader knows, by what it has at the reader's position, and its watermark.
    pub(super) fn is_known(self, there: There, watermark: Option<UnixTime>) -> bool {
        match there {
            _ if self.position == 0 => true,
            There::Held(tag) => tag == self.tag,
            // Collected since, which leaves no gap: what follows is all that there was.
            There::Deleted(tag) => tag == self.tag && self.keep_until.is_some_and(|until| Some(until) <= watermark),
            There::Nothing => false,
        }
    }
}

/// What a log has at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum There {
    /// An entry of the batch with this tag.
    Held(i64),
    /// None any more, and that was of the batch with this tag.
    Deleted(i64),
    /// None that is known of.
    Nothing,
}
