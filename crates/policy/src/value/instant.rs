use std::fmt;

/// A point in time: seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Instant {
    seconds: i64,
    nanoseconds: u32,
}

impl Instant {
    /// Reads a date of the W3C profile of ISO 8601 (`2026-11-21T10:00:00Z`, with or without time, fraction and offset; no offset
    /// means UTC), or seconds since 1970.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let after_sign = text.strip_prefix('-').unwrap_or(text);
        if !after_sign.is_empty() && after_sign.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Self::epoch(text);
        }
        let at_t = bytes.iter().position(|byte| matches!(byte, b'T' | b't'));
        let (date, time) = match at_t {
            Some(at) => (text.get(..at)?, text.get(at + 1..)?),
            None => (text, ""),
        };
        let day = day_number(date)?;
        if at_t.is_none() {
            return Some(Self { seconds: day * 86_400, nanoseconds: 0 });
        }
        let (clock, offset_s) = split_offset(time)?;
        let (of_day_s, nanoseconds) = clock_seconds(clock)?;
        Some(Self { seconds: day * 86_400 + of_day_s - offset_s, nanoseconds })
    }

    fn epoch(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let seconds: i64 = whole.parse().ok()?;
        let nanoseconds = nanoseconds(fraction)?;
        match nanoseconds {
            0 => Some(Self { seconds, nanoseconds }),
            // Before 1970 the fraction counts away from zero.
            _ if text.starts_with('-') => {
                Some(Self { seconds: seconds.checked_sub(1)?, nanoseconds: 1_000_000_000 - nanoseconds })
            }
            _ => Some(Self { seconds, nanoseconds }),
        }
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = i32::try_from(self.nanoseconds).unwrap_or_default();
        match jiff::Timestamp::new(self.seconds, nanoseconds) {
            Ok(timestamp) => timestamp.fmt(f),
            // Outside the range of the calendar.
            Err(_) => self.seconds.fmt(f),
        }
    }
}

/// Days from 1970-01-01 to `YYYY-MM-DD` or `YYYY-MM`.
fn day_number(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = parts.next().map_or(Some(1), |day| digits(day, 2))?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=month_days).contains(&day) {
        return None;
    }
    // Here the year begins in March, so that the leap day is its last day.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// The time of day, and how many seconds it is ahead of UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (clock, offset) = (time.get(..at)?, time.get(at + 1..)?);
    let (hours, minutes) = match offset.split_once(':') {
        Some((hours, minutes)) => (digits(hours, 2)?, digits(minutes, 2)?),
        None if offset.len() == 4 => (digits(offset.get(..2)?, 2)?, digits(offset.get(2..)?, 2)?),
        None => (digits(offset, 2)?, 0),
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let sign = if time.get(at..)?.starts_with('-') { -1 } else { 1 };
    Some((clock, sign * (hours * 3600 + minutes * 60)))
}

/// Seconds of the day and nanoseconds of `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fraction`.
fn clock_seconds(clock: &str) -> Option<(i64, u32)> {
    let mut parts = clock.split(':');
    let hours = digits(parts.next()?, 2)?;
    let minutes = digits(parts.next()?, 2)?;
    let (seconds, nanoseconds) = match parts.next() {
        None => (0, 0),
        Some(part) => match part.split_once('.') {
            None => (digits(part, 2)?, 0),
            Some((seconds, fraction)) => (digits(seconds, 2)?, nanoseconds(fraction)?),
        },
    };
    let in_range = hours < 24 && minutes < 60 && seconds < 60 && parts.next().is_none();
    in_range.then_some((hours * 3600 + minutes * 60 + seconds, nanoseconds))
}

/// Nanoseconds of a fraction's digits; more than nine are cut off.
fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |all, digit| all * 10 + u32::from(digit - b'0')))
}

/// The number with exactly this many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let all_digits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_denote_instants() {
        for (text, seconds, nanoseconds) in [
            ("0", 0, 0),
            ("1970-01-01", 0, 0),
            ("1970-01", 0, 0),
            ("1795255200", 1_795_255_200, 0),
            ("-5", -5, 0),
            ("-5.5", -6, 500_000_000),
            ("-5.0", -5, 0),
            ("-0.25", -1, 750_000_000),
            ("1.25", 1, 250_000_000),
            ("2026-11-21T10:00:00Z", 1_795_255_200, 0),
            ("2026-11-21T12:00:00+02:00", 1_795_255_200, 0),
            ("2026-11-21T12:00:00+0200", 1_795_255_200, 0),
            ("2026-11-21T12:00:00+02", 1_795_255_200, 0),
            ("2026-11-21T08:30:00-01:30", 1_795_255_200, 0),
            ("2026-11-21T08:30:00-0130", 1_795_255_200, 0),
            ("2026-11-21T11:01:00+01:01", 1_795_255_200, 0),
            ("2026-11-22T09:59:59+23:59", 1_795_255_259, 0),
            ("2026-11-21T23:59:59Z", 1_795_305_599, 0),
            ("2026-11-21t10:00z", 1_795_255_200, 0),
            ("2026-11-21T10:00:00", 1_795_255_200, 0),
            ("2026-11-21T10:00:00.500Z", 1_795_255_200, 500_000_000),
            ("2026-11-21T10:00:00.1234567891Z", 1_795_255_200, 123_456_789),
            ("2000-02-29", 951_782_400, 0),
            ("1900-03-01", -2_203_891_200, 0),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
        ] {
            assert_eq!(Instant::parse(text), Some(Instant { seconds, nanoseconds }), "{text}");
        }
    }

    /// Another library's calendar agrees on every eleventh day of the years 1 to 9999, at changing times of day.
    #[test]
    fn the_calendar_of_jiff_agrees() {
        for seconds in (-62_135_596_800_i64..253_402_300_800).step_by(86_400 * 11 + 3_601) {
            let text = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            let read = Instant::parse(&text);
            assert_eq!(read, Some(Instant { seconds, nanoseconds: 0 }), "{text}");
            assert_eq!(read.unwrap().to_string(), text);
        }
        assert_eq!(Instant::parse("1.25").unwrap().to_string(), "1970-01-01T00:00:01.25Z");
        assert_eq!(Instant::parse("999999999999999").unwrap().to_string(), "999999999999999");
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "-",
            "x",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "1900-02-29",
            "2026-04-31",
            "2026-1-1",
            "2026-11-21T",
            "2026-11-21T10",
            "2026-11-21T24:00Z",
            "2026-11-21T10:60Z",
            "2026-11-21T10:00:60Z",
            "2026-11-21T10:00:00.Z",
            "2026-11-21T10:00:00+24:00",
            "2026-11-21T10:00:00+2",
            "2026-11-21T10:00:00+02:0",
            "2026-11-21T10:00:00+02000",
            "2026-11-21T10:00:00ZZ",
            "2026-11-31",
            "2026-11-00",
            "2026-09-31",
            "2026-12-32",
            "2100-02-29",
            "2026-11-21T10:00:00+02:60",
            "2026-11-21T10:00:00:00Z",
            "2026-11-21 10:00:00Z",
            "2026-11-21-01",
            "99999999999999999999",
            "1.2.3",
            "2026-11-21T1é:00Z",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
    }
}
