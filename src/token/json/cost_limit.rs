//! What a text may cost that nobody has vouched for.

/// What a text may cost beyond its length: one for each escape and each string that has any, eight more for a name that has;
/// in what is nested, one for each comma and name, and two for a container; four for a number that has neither one digit nor,
/// as a time, ten.
pub(crate) trait Effort {
    /// Whether there was so much left.
    fn spend(&mut self, effort: usize) -> bool;

    /// Whether the object may have one more member.
    fn member(&mut self) -> bool;
}

/// For texts that somebody has vouched for.
pub(crate) struct Unbounded;

impl Effort for Unbounded {
    #[inline(always)]
    fn spend(&mut self, _: usize) -> bool {
        true
    }

    #[inline(always)]
    fn member(&mut self) -> bool {
        true
    }
}

/// How much is left, and how many members.
pub(crate) struct Bounded {
    pub(crate) effort: usize,
    pub(crate) members: usize,
}

impl Effort for Bounded {
    #[inline]
    fn spend(&mut self, effort: usize) -> bool {
        let left = self.effort.checked_sub(effort);
        self.effort = left.unwrap_or(0);
        left.is_some()
    }

    #[inline(always)]
    fn member(&mut self) -> bool {
        if self.members == 0 {
            return false;
        }
        self.members -= 1;
        true
    }
}
