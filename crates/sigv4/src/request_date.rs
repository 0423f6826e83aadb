use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::{Offset, TimeZone};

/// The time of a signature in whole seconds, `20130524T000000Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestDate {
    timestamp: Timestamp,
    text: [u8; 16],
}

impl RequestDate {
    /// The time, rounded down to the second.
    pub fn new(time: Timestamp) -> Self {
        let civil = Offset::UTC.to_datetime(time);
        let mut text = *b"00000000T000000Z";
        let fields = [
            (0, 4, u32::from(civil.year().unsigned_abs())),
            (4, 2, civil.month().unsigned_abs().into()),
            (6, 2, civil.day().unsigned_abs().into()),
            (9, 2, civil.hour().unsigned_abs().into()),
            (11, 2, civil.minute().unsigned_abs().into()),
            (13, 2, civil.second().unsigned_abs().into()),
        ];
        for (start, width, mut value) in fields {
            for slot in text.iter_mut().skip(start).take(width).rev() {
                *slot = b'0' + u8::try_from(value % 10).unwrap_or(0);
                value /= 10;
            }
        }
        let timestamp = Timestamp::from_second(time.as_second()).unwrap_or(time);
        Self { timestamp, text }
    }

    /// Reads only the basic ISO 8601 form of `x-amz-date`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 16] = text.as_bytes().try_into().ok()?;
        let digits = |range: std::ops::Range<usize>| -> Option<i16> {
            bytes
                .get(range)?
                .iter()
                .try_fold(0i16, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i16::from(byte - b'0')))
        };
        let small = |range| digits(range).and_then(|value| i8::try_from(value).ok());
        if bytes.get(8) != Some(&b'T') || bytes.get(15) != Some(&b'Z') {
            return None;
        }
        let civil =
            DateTime::new(digits(0..4)?, small(4..6)?, small(6..8)?, small(9..11)?, small(11..13)?, small(13..15)?, 0)
                .ok()?;
        let timestamp = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Some(Self { timestamp, text: bytes })
    }

    /// Reads an HTTP `Date`: RFC 1123 (`Fri, 24 May 2013 00:00:00 GMT`), optionally with a numeric offset. A wrong day of
    /// the week is ignored.
    pub(crate) fn parse_http(text: &str) -> Option<Self> {
        const PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
        PARSER.parse_timestamp(text).ok().map(Self::new)
    }

    /// The point in time.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// `20130524T000000Z`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or("00000000T000000Z")
    }

    /// `20130524`.
    pub fn day(&self) -> &str {
        self.as_str().get(..8).unwrap_or("00000000")
    }
}

impl fmt::Display for RequestDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_basic_form_is_read_and_it_is_written_back() {
        for (text, seconds) in [
            ("20130524T000000Z", Some(1_369_353_600)),
            ("20240229T235959Z", Some(1_709_251_199)),
            ("20230229T000000Z", None),
            ("20130524T250000Z", None),
            ("2013-05-24T00:00", None),
            ("20130524 000000Z", None),
            ("20130524T000000z", None),
            ("+0130524T000000Z", None),
            ("20130524T000000Z ", None),
            ("", None),
        ] {
            let date = RequestDate::parse(text);
            assert_eq!(date.map(|date| date.timestamp().as_second()), seconds, "{text}");
            if let Some(date) = date {
                assert_eq!(RequestDate::new(date.timestamp()), date);
            }
        }
        for (text, date) in [
            ("Fri, 24 May 2013 00:00:00 GMT", Some("20130524T000000Z")),
            ("Fri, 24 May 2013 02:00:00 +0200", Some("20130524T000000Z")),
            ("Mon, 24 May 2013 00:00:00 GMT", Some("20130524T000000Z")),
            ("Xyz, 24 May 2013 00:00:00 GMT", None),
            ("Fri, 32 May 2013 00:00:00 GMT", None),
        ] {
            assert_eq!(RequestDate::parse_http(text).map(|date| date.to_string()).as_deref(), date, "{text}");
        }
    }
}
