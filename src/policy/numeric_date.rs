//! NumericDate: seconds since 1970 as a JSON number. RFC 7519 section 2.

use crate::clock::UnixTime;
use crate::limits::NUMERIC_DATE_MAX_SECS;
use crate::token::json;

/// What keeps a JSON number from being a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateFault {
    /// Negative.
    Negative,
    /// Past the year 9999.
    TooLate,
}

/// The time that a well-formed JSON number stands for, kept to the millisecond.
///
/// A plain decimal is read exactly and cut off behind the third place; a number with an exponent is
/// read as an `f64` and rounded to the nearest millisecond.
#[inline]
pub(crate) fn parse(number: &[u8]) -> Result<UnixTime, DateFault> {
    // Ten digits from the year 2001 to 2286.
    if let Some((eight, &[tens, ones])) = number.split_first_chunk::<8>()
        && json::eight_digits(eight)
        && tens.is_ascii_digit()
        && ones.is_ascii_digit()
    {
        let secs = eight_digits_value(eight) * 100 + i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
        return Ok(UnixTime::from_secs(secs));
    }
    other_form(number)
}

/// The value of eight digits, two, four and eight of them at a time.
#[inline]
fn eight_digits_value(eight: &[u8; 8]) -> i64 {
    let ones = u64::from_le_bytes(*eight) & 0x0f0f_0f0f_0f0f_0f0f;
    let twos = (ones.wrapping_mul((10 << 8) + 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos.wrapping_mul((100 << 16) + 1) >> 16) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul((10_000 << 32) + 1) >> 32) as i64
}

#[cold]
fn other_form(number: &[u8]) -> Result<UnixTime, DateFault> {
    let number = std::str::from_utf8(number).map_err(|_| DateFault::TooLate)?;
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !plain {
        // The JSON reader has bounded the magnitude, so this is finite.
        let secs: f64 = number.parse().unwrap_or(f64::INFINITY);
        return match secs * 1000.0 {
            millis if millis < 0.0 => Err(DateFault::Negative),
            #[allow(clippy::cast_possible_truncation)] // Within the range, which an i64 holds.
            millis if millis <= (NUMERIC_DATE_MAX_SECS * 1000) as f64 => in_range(millis.round() as i64),
            _ => Err(DateFault::TooLate),
        };
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: i64 = whole.parse().map_err(|_| DateFault::TooLate)?;
    let millis = fraction.bytes().chain(*b"000").take(3).fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0'));
    in_range(whole.saturating_mul(1000).saturating_add(millis))
}

fn in_range(millis: i64) -> Result<UnixTime, DateFault> {
    match millis {
        millis if millis > NUMERIC_DATE_MAX_SECS * 1000 => Err(DateFault::TooLate),
        _ => Ok(UnixTime::from_millis(millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_a_time_to_the_millisecond() {
        for (number, millis) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0", 0),
            ("1700000000", 1_700_000_000_000),
            ("1700000000.5", 1_700_000_000_500),
            ("1700000000.1239999", 1_700_000_000_123),
            ("1.7e9", 1_700_000_000_000),
            ("17E+8", 1_700_000_000_000),
            ("1700000000123e-3", 1_700_000_000_123),
            ("1e-400", 0),
            ("253402300799", 253_402_300_799_000),
            ("253402300799.000", 253_402_300_799_000),
        ] {
            assert_eq!(parse(number.as_bytes()), Ok(UnixTime::from_millis(millis)), "{number}");
        }
    }

    #[test]
    fn a_time_outside_the_years_1970_to_9999_is_named() {
        for number in ["253402300800", "253402300799.001", "1700000000000", "99999999999999999999999", "1e17", "1e299"]
        {
            assert_eq!(parse(number.as_bytes()), Err(DateFault::TooLate), "{number}");
        }
        for number in ["-1", "-0.001", "-1e-3", "-1700000000"] {
            assert_eq!(parse(number.as_bytes()), Err(DateFault::Negative), "{number}");
        }
    }

    proptest! {
        #[test]
        fn whole_seconds_are_their_digits(secs in 0_i64..=NUMERIC_DATE_MAX_SECS) {
            prop_assert_eq!(parse(secs.to_string().as_bytes()), Ok(UnixTime::from_secs(secs)));
        }

        #[test]
        fn a_decimal_is_read_as_exactly_as_its_digits(secs in 0_i64..=NUMERIC_DATE_MAX_SECS - 1, millis in 0_i64..1000) {
            prop_assert_eq!(parse(format!("{secs}.{millis:03}").as_bytes()), Ok(UnixTime::from_millis(secs * 1000 + millis)));
        }
    }
}
