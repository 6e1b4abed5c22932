//! Which terms of which servers have given the positions of a log, as far as it remembers.
//!
//! A server's term begins with its promotion or its start; Redis has a name for each, and whoever appends first in a new term
//! notes it with the position that it begins at. What was read in a term is part of a log that has this term and had not gone
//! on to the next at that position, whether the entry is still there or not. It is what Kafka calls leader epochs (KIP-320).

/// The terms, the oldest first, each with the position that it begins at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lineage(Vec<(u64, i64)>);

impl Lineage {
    /// From the text of the fact: `term:position`, one behind the other, terms in hexadecimal.
    pub(super) fn parse(text: &str) -> Self {
        let one = |word: &str| {
            let (epoch, start) = word.split_once(':')?;
            Some((parse_epoch(epoch), start.parse().ok()?))
        };
        Self(text.split_whitespace().filter_map(one).collect())
    }

    /// In which term a position was given. Zero where that is not known.
    pub(super) fn epoch_of(&self, position: i64) -> u64 {
        self.0.iter().rev().find(|(_, start)| *start <= position).map_or(0, |(epoch, _)| *epoch)
    }

    /// Whether this log has had what this term had at a position. `last` is the last position that was given. False in doubt.
    pub(super) fn has(&self, epoch: u64, position: i64, last: i64) -> bool {
        let Some(at) = self.0.iter().rposition(|(known, _)| *known == epoch && epoch != 0) else { return false };
        let end = self.0.get(at + 1).map_or(last, |(_, next)| next - 1);
        (self.0[at].1..=end).contains(&position)
    }
}

/// A term by its text. Zero for one that is not known.
pub(super) fn parse_epoch(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_what_was_read_before_the_next_term_began_and_nothing_of_another() {
        let lineage = Lineage::parse("a:1 b:51 0:80 c:90");
        assert_eq!([0, 1, 50, 51, 79, 80, 90, 200].map(|at| lineage.epoch_of(at)), [0, 10, 10, 11, 11, 0, 12, 12]);
        for (epoch, position, has) in [
            (0xa, 1, true),
            (0xa, 50, true),
            (0xa, 51, false),
            (0xb, 50, false),
            (0xb, 79, true),
            (0xb, 80, false),
            (0xc, 99, true),
            (0xc, 100, false),
            (0xd, 60, false),
            // What nobody knows the term of may be of any.
            (0, 80, false),
            (0, 0, false),
        ] {
            assert_eq!(lineage.has(epoch, position, 99), has, "{epoch:x} {position}");
        }
        assert_eq!(Lineage::parse("").epoch_of(1), 0);
        assert_eq!(Lineage::parse("junk a a: :1"), Lineage(vec![(0, 1)]));
    }
}
