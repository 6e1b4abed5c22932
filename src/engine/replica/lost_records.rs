//! Whether the log still has what the index holds.
//!
//! The index holds what was read of the log and appended to it. That it holds as much as a new revocation asks for says nothing
//! of the log as long as records may have been taken from that meanwhile: by hand, by a restored file, by a watermark that was
//! taken back. The log itself answers that, where the commit is made; here is what it is asked by.

use crate::log::{Backing, Committed, Cursor};
use crate::sync::Mutex;

#[derive(Default)]
pub(super) struct LostRecords(Mutex<State>);

#[derive(Default)]
struct State {
    backing: Backing,
    /// The log has lost something that the index may still hold. Nothing takes that back as long as the process runs.
    is_lost: bool,
    is_reading: bool,
}

impl LostRecords {
    /// What the log is to be asked by. While a read adds to the index, what it adds is not yet known to be backed.
    pub(super) fn backing(&self) -> Backing {
        let state = self.0.lock();
        Backing { generation: state.backing.generation.filter(|_| !state.is_reading), ..state.backing }
    }

    /// A read begins to add to the index.
    pub(super) fn is_reading(&self) {
        self.0.lock().is_reading = true;
    }

    /// The log was read up to there, in this generation, if it has any.
    pub(super) fn has_read(&self, read: Cursor, generation: Option<i64>) {
        let mut state = self.0.lock();
        (state.backing.read, state.is_reading) = (read, false);
        match (state.backing.generation, generation) {
            (Some(before), Some(now)) if before != now => state.lose(),
            (None, Some(_)) if !state.is_lost => state.backing.generation = generation,
            (_, _) => {}
        }
    }

    /// This process has committed to a log that it had asked by this.
    pub(super) fn has_appended(&self, asked_by: Backing, committed: &Committed) {
        let mut state = self.0.lock();
        if let Some(appended) = committed.appended {
            state.backing.appended = appended.last;
        }
        match (asked_by.generation, state.backing.generation) {
            (Some(_), _) if committed.is_backing => {}
            // Nothing was read or appended before, or is just being read: it counts from here on.
            (None, None) if !state.is_lost => state.backing.generation = committed.generation,
            (None, Some(now)) if committed.generation == Some(now) => {}
            (_, _) => state.lose(),
        }
    }

    /// The log is not the one that was read.
    pub(super) fn is_lost(&self) {
        let mut state = self.0.lock();
        state.lose();
        state.backing = Backing::default();
    }
}

impl State {
    fn lose(&mut self) {
        self.is_lost = true;
        self.backing.generation = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Appended, Follows};
    use crate::revocation::Durability;

    fn at(position: i64) -> Cursor {
        Cursor { position, tag: position, epoch: 0, keep_until: None }
    }

    fn committed(position: i64, generation: i64, is_backing: bool) -> Committed {
        let (last, follows, durability) = (at(position), Follows::Anything, Durability::Memory);
        let appended = Some(Appended { first: position, last, follows, durability });
        Committed { appended, fates: Vec::new(), generation: Some(generation), is_backing }
    }

    #[test]
    fn what_was_lost_once_backs_nothing_any_more() {
        let backed = LostRecords::default();
        assert_eq!(backed.backing().generation, None, "nothing was read");
        backed.has_read(at(3), Some(7));
        backed.has_appended(backed.backing(), &committed(4, 7, true));
        assert_eq!(backed.backing(), Backing { generation: Some(7), read: at(3), appended: at(4) });
        backed.has_read(at(5), None);
        assert_eq!(backed.backing(), Backing { generation: Some(7), read: at(5), appended: at(4) });
        backed.is_reading();
        assert_eq!(backed.backing().generation, None, "what is just being read");
        backed.has_appended(backed.backing(), &committed(6, 7, false));
        backed.has_read(at(6), Some(7));
        assert_eq!(backed.backing().generation, Some(7));
        backed.has_read(at(6), Some(8));
        backed.has_read(at(6), Some(8));
        assert_eq!(backed.backing().generation, None, "records were taken away between two reads");
        let backed = LostRecords::default();
        backed.has_read(at(3), Some(7));
        backed.has_appended(backed.backing(), &committed(4, 7, false));
        backed.has_read(at(3), Some(7));
        assert_eq!(backed.backing().generation, None, "the log was another one where the commit was made");
    }

    #[test]
    fn what_was_appended_before_the_first_read_counts_from_the_generation_of_its_commit() {
        let backed = LostRecords::default();
        backed.has_appended(backed.backing(), &committed(1, 7, false));
        assert_eq!(backed.backing().generation, Some(7));
        backed.has_read(at(1), Some(8));
        assert_eq!(backed.backing().generation, None);
    }
}
