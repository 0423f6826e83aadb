//! Conditional requests, ranges and dates.

use http::request::Parts;
use s3::{
    ByteRange, EntityTags, Operation, Routing, S3ErrorCode, WriteCondition, http_date, iso8601, parse_date, route,
};

use crate::support::THEN;

fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let builder = http::Request::builder().method(method).uri(uri);
    headers
        .iter()
        .fold(builder, |builder, (name, value)| builder.header(*name, *value))
        .body(())
        .unwrap()
        .into_parts()
        .0
}

#[test]
fn conditions_of_reads() {
    let (before, same, after) =
        ("Mon, 12 Oct 2009 17:50:29 GMT", "Mon, 12 Oct 2009 17:50:30 GMT", "Mon, 12 Oct 2009 17:50:31 GMT");
    let rows: &[(&[(&str, &str)], u16)] = &[
        (&[], 200),
        (&[("if-match", "\"e\"")], 200),
        (&[("if-match", "e")], 200),
        (&[("if-match", "*")], 200),
        (&[("if-match", "\"x\", \"e\"")], 200),
        (&[("if-match", "\"x\"")], 412),
        (&[("if-none-match", "\"e\"")], 304),
        (&[("if-none-match", "W/\"e\"")], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", "\"x\"")], 200),
        (&[("if-modified-since", before)], 200),
        (&[("if-modified-since", same)], 304),
        (&[("if-modified-since", after)], 304),
        (&[("if-modified-since", "yesterday")], 200),
        (&[("if-unmodified-since", before)], 412),
        (&[("if-unmodified-since", same)], 200),
        // The tag decides, and the date is ignored (RFC 9110 section 13.2.2).
        (&[("if-match", "\"e\""), ("if-unmodified-since", before)], 200),
        (&[("if-none-match", "\"x\""), ("if-modified-since", after)], 200),
        (&[("if-none-match", "\"e\""), ("if-modified-since", before)], 304),
        (&[("if-match", "\"e\""), ("if-none-match", "\"e\"")], 304),
        (&[("if-match", "\"x\""), ("if-none-match", "\"e\"")], 412),
    ];
    for (headers, want) in rows {
        let Ok(Routing::S3(Operation::GetObject(get))) = route(&head("GET", "/bkt/k", headers), None) else {
            panic!("{headers:?}")
        };
        let status = get.conditions.check_read("\"e\"", THEN).map_or_else(|error| error.status().as_u16(), |()| 200);
        assert_eq!(status, *want, "{headers:?}");
        // On the source of a copy every failure is 412.
        let renamed: Vec<(String, &str)> =
            headers.iter().map(|(name, value)| (format!("x-amz-copy-source-{name}"), *value)).collect();
        let mut all: Vec<(&str, &str)> = renamed.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        all.push(("x-amz-copy-source", "/src/a"));
        let Ok(Routing::S3(Operation::CopyObject(copy))) = route(&head("PUT", "/bkt/k", &all), None) else {
            panic!("{all:?}")
        };
        let status =
            copy.source_conditions.check_copy_source("e", THEN).map_or_else(|error| error.status().as_u16(), |()| 200);
        assert_eq!(status, if *want == 304 { 412 } else { *want }, "{all:?}");
    }
}

#[test]
fn conditions_of_writes() {
    let tags = |header: &str| WriteCondition::IfMatch(EntityTags::parse(header));
    for (condition, current, code) in [
        (WriteCondition::Always, None, None),
        (WriteCondition::Always, Some("e"), None),
        (WriteCondition::IfAbsent, None, None),
        (WriteCondition::IfAbsent, Some("e"), Some(S3ErrorCode::PreconditionFailed)),
        (tags("\"e\""), Some("e"), None),
        (tags("\"e\""), Some("\"e\""), None),
        (tags("\"x\""), Some("e"), Some(S3ErrorCode::PreconditionFailed)),
        (tags("\"e\""), None, Some(S3ErrorCode::NoSuchKey)),
        (tags("*"), Some("e"), None),
        (tags("*"), None, Some(S3ErrorCode::NoSuchKey)),
    ] {
        assert_eq!(condition.check(current).err().map(|error| error.code), code, "{condition:?} {current:?}");
    }
}

#[test]
fn ranges() {
    for (header, size, want) in [
        ("bytes=0-9", 100, Some(0..10)),
        ("bytes=0-0", 1, Some(0..1)),
        ("bytes=90-1000", 100, Some(90..100)),
        ("bytes=90-", 100, Some(90..100)),
        ("bytes=-10", 100, Some(90..100)),
        ("bytes=-1000", 100, Some(0..100)),
        ("Bytes = 1-2", 100, Some(1..3)),
        ("bytes=0-18446744073709551615", 100, Some(0..100)),
        ("bytes=100-", 100, None),
        ("bytes=100-200", 100, None),
        ("bytes=-0", 100, None),
        ("bytes=0-0", 0, None),
        ("bytes=-5", 0, None),
    ] {
        let range = ByteRange::parse(header).expect(header);
        let got = range.resolve(size);
        if want.is_none() {
            let error = got.clone().unwrap_err();
            assert_eq!(error.code, S3ErrorCode::InvalidRange);
            assert!(error.headers.contains(&("content-range", format!("bytes */{size}"))));
        }
        assert_eq!(got.ok(), want, "{header} of {size}");
    }
    // Not one range of bytes: the whole object is sent.
    for header in
        ["bytes=0-1,3-4", "bytes=5-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=+1-2", "items=0-1", "0-1", "bytes=1"]
    {
        assert_eq!(ByteRange::parse(header), None, "{header}");
    }
}

#[test]
fn dates() {
    assert_eq!(iso8601(THEN), "2009-10-12T17:50:30.000Z");
    assert_eq!(http_date(THEN), "Mon, 12 Oct 2009 17:50:30 GMT");
    for text in [
        "Mon, 12 Oct 2009 17:50:30 GMT",
        "Monday, 12-Oct-09 17:50:30 GMT",
        "Mon Oct 12 17:50:30 2009",
        "2009-10-12T17:50:30Z",
        "2009-10-12T17:50:30.999Z",
        "2009-10-12T19:50:30+02:00",
    ] {
        assert_eq!(parse_date(text), Some(THEN), "{text}");
    }
    for text in ["", "yesterday", "2009-13-12T17:50:30Z", "Mon, 32 Oct 2009 17:50:30 GMT"] {
        assert_eq!(parse_date(text), None, "{text}");
    }
}
