//! Durations and times as people write them.

use std::time::{Duration, UNIX_EPOCH};

use signoff::UnixTime;

/// Reads a duration as in `1d`, `90s` or `1h 30min`. A bare number has no unit, and guessing one is how
/// seconds and milliseconds get mixed up; only `0` needs none.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match text.trim() {
        "0" => Ok(Duration::ZERO),
        // To humantime a capital M is a month, and to most people it is a slip for a minute.
        text if text.contains('M') => Err("M is a month; write 15min or 30d".to_owned()),
        text => humantime::parse_duration(text)
            .map_err(|error| format!("{error}; write a number with a unit, as in 30s, 15min, 12h or 1d")),
    }
}

/// A duration above zero.
pub(crate) fn some_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it is zero, which can't be meant; write one as in 15min, 12h or 1d".to_owned()),
        some => Ok(some),
    }
}

/// 2000-01-01T00:00:00Z: no token is older.
const FIRST_SECS: i64 = 946_684_800;

/// Reads a time as Unix seconds, with or without a fraction.
fn unix_time(text: &str) -> Result<UnixTime, String> {
    let wrong = || "write Unix seconds, as in 1700000000".to_owned();
    let (secs, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().chain(secs.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let secs: i64 = secs.parse().map_err(|_| wrong())?;
    let millis: i64 = format!("{fraction:0<3.3}").parse().map_err(|_| wrong())?;
    match secs {
        // Nothing can be accepted there, so it is a slip.
        0 => Err("0 is not a time that a clock can show; leave it out for now".to_owned()),
        1..FIRST_SECS => {
            Err("that is before the year 2000; is it a date? Write 2026-01-31, or seconds since 1970".to_owned())
        }
        FIRST_SECS..=253_402_300_799 => Ok(UnixTime::from_millis(secs * 1000 + millis)),
        _ => Err("that is past the year 9999: it looks like milliseconds, seconds are meant".to_owned()),
    }
}

/// Reads a time as RFC 3339 or as Unix seconds.
pub(crate) fn time(text: &str) -> Result<UnixTime, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return unix_time(text);
    }
    // With an offset or with Z; without either it is UTC.
    let parsed = match offset(text) {
        Some((local, offset)) => humantime::parse_rfc3339_weak(local).map(|time| shift(time.into(), offset)),
        // A date alone is its first moment in UTC.
        None if text.len() == "2026-01-31".len() => {
            humantime::parse_rfc3339_weak(&format!("{text}T00:00:00Z")).map(UnixTime::from)
        }
        None => humantime::parse_rfc3339_weak(text).map(UnixTime::from),
    };
    let parsed =
        parsed.map_err(|error| format!("{error}; write RFC 3339, as in 2026-01-31T12:00:00Z, or Unix seconds"))?;
    match parsed.as_secs() {
        FIRST_SECS.. => Ok(parsed),
        _ => Err("that is before the year 2000, and no time of a token".to_owned()),
    }
}

/// A time with an offset from UTC, cut into the two: `2026-01-31T12:00:00+01:00`. The offset in minutes.
fn offset(text: &str) -> Option<(&str, i64)> {
    let at = text.len().checked_sub("+00:00".len())?;
    let (local, offset) = text.split_at_checked(at)?;
    let sign = match offset.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let number = |text: &str, below: i64| text.parse().ok().filter(|number| (0..below).contains(number));
    // A date alone ends in two numbers with dashes, and no colon.
    local.contains(':').then_some((local, sign * (number(hours, 24)? * 60 + number(minutes, 60)?)))
}

fn shift(time: UnixTime, offset_minutes: i64) -> UnixTime {
    UnixTime::from_millis(time.as_millis() - offset_minutes * 60_000)
}

/// A span in its two largest units, rounded: `3 h`, `1 d 12 h`, `42 s`.
pub(crate) fn span(span: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let secs = span.as_secs();
    let at = UNITS.iter().position(|(unit, _)| secs >= *unit).unwrap_or(UNITS.len() - 1);
    let (smaller, _) = UNITS[(at + 1).min(UNITS.len() - 1)];
    let rounded = (secs + smaller / 2) / smaller * smaller;
    // Rounding may have filled the next larger unit.
    let at = UNITS.iter().position(|(unit, _)| rounded >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[at];
    let first = format!("{} {name}", rounded / unit);
    match UNITS.get(at + 1) {
        Some((smaller, name)) if rounded % unit >= *smaller => format!("{first} {} {name}", rounded % unit / smaller),
        _ => first,
    }
}

/// `in 3 h` or `42 s ago`.
pub(crate) fn relative(time: UnixTime, now: UnixTime) -> String {
    match time > now {
        true => format!("in {}", span(time.since(now))),
        false => format!("{} ago", span(now.since(time))),
    }
}

/// A date in UTC with milliseconds.
pub(crate) fn date_millis(time: UnixTime) -> String {
    match u64::try_from(time.as_millis()) {
        Ok(millis @ 0..=253_402_300_799_999) => {
            humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis)).to_string()
        }
        _ => "out of the calendar".to_owned(),
    }
}

/// A date in UTC, as RFC 3339 writes it.
pub(crate) fn date(time: UnixTime) -> String {
    match u64::try_from(time.as_secs()) {
        Ok(secs @ 0..=253_402_300_799) => {
            humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(secs)).to_string()
        }
        _ => "out of the calendar".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_its_two_largest_units() {
        for (secs, text) in [
            (0, "0 s"),
            (42, "42 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3599, "59 min 59 s"),
            (10_799, "3 h"),
            (10_800, "3 h"),
            (5400, "1 h 30 min"),
            (86_399, "1 d"),
            (129_600, "1 d 12 h"),
        ] {
            assert_eq!(span(Duration::from_secs(secs)), text, "{secs}");
        }
    }

    #[test]
    fn a_duration_wants_a_unit_and_a_time_wants_seconds() {
        assert_eq!(duration("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert!(duration("60").unwrap_err().contains("unit"));
        assert!(duration("1M").unwrap_err().contains("month"));
        assert_eq!(unix_time("1700000000.25"), Ok(UnixTime::from_millis(1_700_000_000_250)));
        assert!(unix_time("1700000000000").unwrap_err().contains("milliseconds"));
        assert_eq!(time("2023-11-14T22:13:20.25Z"), Ok(UnixTime::from_millis(1_700_000_000_250)));
        assert_eq!(time("1700000000"), Ok(UnixTime::from_secs(1_700_000_000)));
        for same in
            ["2023-11-14T23:13:20+01:00", "2023-11-14T16:43:20-05:30", "2023-11-14 22:13:20", "2023-11-14T22:13:20Z"]
        {
            assert_eq!(time(same), Ok(UnixTime::from_secs(1_700_000_000)), "{same}");
        }
        assert_eq!(time("2023-11-14"), Ok(UnixTime::from_secs(1_699_920_000)));
        for slip in ["1969-01-01T00:00:00Z", "2023-11-14T22:13:20+25:00", "2023-13-14T22:13:20Z", "tomorrow"] {
            assert!(time(slip).is_err_and(|text| !text.is_empty()), "{slip}");
        }
        assert!(some_duration("0s").is_err() && some_duration("0").is_err() && some_duration("1s").is_ok());
        assert!(time("yesterday").unwrap_err().contains("RFC 3339"));
        for slip in ["0", "-1", "now", "", "1e9", "+5", "20261127", "1"] {
            assert!(unix_time(slip).is_err_and(|text| !text.is_empty()), "{slip}");
        }
    }
}
