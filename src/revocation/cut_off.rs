//! The rule of the same second: whether a token was issued before a cut-off.

use crate::clock::UnixTime;

/// Whether a `iat` lies before a cut-off.
///
/// A time with a fraction says its millisecond; one without says only its second, so that all of the
/// cut-off's second counts as before it. A token that does not say when it was issued is before any.
pub(crate) fn is_before_cut_off(iat: Option<UnixTime>, cut_off: UnixTime) -> bool {
    match iat {
        None => true,
        Some(iat) if iat.as_millis() % 1000 == 0 => iat.as_secs() <= cut_off.as_secs(),
        Some(iat) => iat <= cut_off,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matrix of one second: when the token says that it was issued, and the cut-off at .500.
    #[test]
    fn a_whole_second_is_before_every_cut_off_in_it_and_a_fraction_is_exact() {
        let cut_off = UnixTime::from_millis(1_700_000_000_500);
        for (iat, before) in [
            (Some(1_699_999_999_000), true),
            (Some(1_700_000_000_000), true),
            (Some(1_700_000_000_499), true),
            (Some(1_700_000_000_500), true),
            (Some(1_700_000_000_501), false),
            (Some(1_700_000_001_000), false),
            (None, true),
        ] {
            assert_eq!(is_before_cut_off(iat.map(UnixTime::from_millis), cut_off), before, "{iat:?}");
        }
    }
}
