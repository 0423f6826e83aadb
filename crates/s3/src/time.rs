use jiff::Timestamp;
use jiff::fmt::rfc2822::{self, DateTimePrinter};
use jiff::fmt::strtime;

/// A time as S3's documents print it, for example `2009-10-12T17:50:30.000Z`. `seconds` counts from 1970.
pub fn iso8601(seconds: i64) -> String {
    let text = moment(seconds).to_string();
    format!("{}.000Z", text.trim_end_matches('Z'))
}

/// A time as HTTP headers print it, for example `Mon, 12 Oct 2009 17:50:30 GMT`. `seconds` counts from 1970.
pub fn http_date(seconds: i64) -> String {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&moment(seconds)).unwrap_or_default()
}

/// Seconds since 1970 of a date in any of HTTP's three forms (RFC 9110 section 5.6.7) or ISO 8601; `None` if it is not
/// a date.
pub fn parse_date(text: &str) -> Option<i64> {
    if let Ok(zoned) = rfc2822::parse(text) {
        return Some(zoned.timestamp().as_second());
    }
    if let Some(seconds) = parse_iso8601(text) {
        return Some(seconds);
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"].iter().find_map(|format| {
        let civil = strtime::parse(format, text).ok()?.to_datetime().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
    })
}

/// Seconds since 1970 of a date in ISO 8601 with a time and an offset; `None` for anything else.
pub fn parse_iso8601(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
