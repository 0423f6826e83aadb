//! The small languages of the protocol: queries, hosts, versions, ranges, dates, errors.

use s3::{
    ByteRange, HostRules, QueryString, S3Error, S3ErrorCode, TagSet, UploadId, VersionId, http_date, iso8601,
    parse_date,
};

use crate::support::{THEN, body, error_text};

const MALFORMED: &str = "The XML you provided was not well-formed or did not validate against our published schema";

#[test]
fn bodies_that_are_no_xml_say_why() {
    for (body, why) in [
        (&b"<Tagging>"[..], "`Tagging` is not closed"),
        (b"<Other/>", "the root element is `Other`, expected `Tagging`"),
        (b"<Tagging>\xff</Tagging>", "the body is not UTF-8"),
    ] {
        let error = TagSet::from_xml(body, 10).unwrap_err();
        assert_eq!(error.code, S3ErrorCode::MalformedXML);
        assert_eq!(error.message(), format!("{MALFORMED}: {why}"));
    }
}

#[test]
fn query_strings() {
    let pairs = |raw: &str| QueryString::parse(Some(raw)).map(|query| query.to_pairs());
    for (raw, want) in [
        ("", &[][..]),
        ("a", &[("a", "")]),
        ("a=", &[("a", "")]),
        ("&a=1&&b=2&", &[("a", "1"), ("b", "2")]),
        ("a=b=c", &[("a", "b=c")]),
        ("a+b=c+d", &[("a b", "c d")]),
        ("%61=%2B%26%3D", &[("a", "+&=")]),
        ("a=1&A=2", &[("a", "1"), ("A", "2")]),
        ("a=%E2%82%AC\u{e9}", &[("a", "\u{20ac}\u{e9}")]),
        ("a=%252f", &[("a", "%2f")]),
        ("=1", &[("", "1")]),
    ] {
        let want: Vec<(String, String)> = want.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(pairs(raw).unwrap(), want, "{raw}");
    }
    let twice = "InvalidArgument: The parameter occurs more than once: send it once [ArgumentName=a]";
    let digits = "InvalidURI: Couldn't parse the specified URI: `%` must be followed by two hexadecimal digits";
    // Long lists are compared in another way.
    let others = |count: usize| (1..count).map(|number| format!("p{number}&")).collect::<String>();
    let (short, long) = (format!("a&{}a=2", others(15)), format!("a&{}a=2", others(16)));
    let tags = |count| format!("tagKeys&{}tagKeys", others(count));
    assert!([10, 16, 40].into_iter().all(|count| pairs(&tags(count)).unwrap().len() == count + 1));
    for (raw, want) in [
        (short.as_str(), format!("{twice} [ArgumentValue=2]")),
        (&long, format!("{twice} [ArgumentValue=2]")),
        ("a=1&b&a=2", format!("{twice} [ArgumentValue=2]")),
        ("a&%61", format!("{twice} [ArgumentValue=]")),
        ("a=%", digits.to_owned()),
        ("a=%4", digits.to_owned()),
        ("%g0=1", digits.to_owned()),
        ("a=%+1", digits.to_owned()),
        ("a=%20%zz", digits.to_owned()),
        ("a=%c3", "InvalidURI: Couldn't parse the specified URI: it does not decode to UTF-8".to_owned()),
    ] {
        assert_eq!(error_text(&pairs(raw).unwrap_err()), want, "{raw}");
    }
    let query = QueryString::parse(Some("a=1&b")).unwrap();
    assert_eq!((query.get("a"), query.get("b"), query.get("A")), (Some("1"), Some(""), None));
    assert!(query.has("b") && !query.has("c"));
    assert_eq!(query.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "")]);
    assert_eq!(QueryString::parse(None).unwrap(), QueryString::default());
}

#[test]
fn hosts() {
    let bucket = |domains: &[&str], host: &str| HostRules::new(domains.iter().copied()).bucket_of(host);
    let one = &["s3.test"][..];
    let parent = &["s3.a.test", "a.test"][..];
    for (domains, host, want) in [
        (one, "bkt.s3.test", Some("bkt")),
        (one, "bkt.s3.test:8333", Some("bkt")),
        (one, "BKT.S3.Test.", Some("bkt")),
        (one, "a.b.s3.test", Some("a.b")),
        (one, ".s3.test", Some("")),
        (one, "s3.test", None),
        (one, "s3.test:80", None),
        (one, "bkt.s3.test.evil", None),
        (one, "bkts3.test", None),
        (one, "", None),
        (one, "[::1]:8333", None),
        (one, "10.0.0.1", None),
        // Not a port, so the host is another one.
        (one, "bkt.s3.test:80x", None),
        // A port may be empty (RFC 3986 section 3.2.3).
        (one, "bkt.s3.test:", Some("bkt")),
        (parent, "s3.a.test", None),
        (parent, "bkt.a.test", Some("bkt")),
        // `s3.a.test` is for requests by path alone.
        (parent, "bkt.s3.a.test", Some("bkt.s3")),
        (&["test", "s3.other"], "bkt.s3.test", Some("bkt.s3")),
        (&["a.test", "x.y.a.test"], "bkt.x.y.a.test", Some("bkt")),
        (&[" S3.Test. ", ""], "bkt.s3.test", Some("bkt")),
        (&["", "."], "bkt.s3.test", None),
        (&[], "bkt.s3.test", None),
    ] {
        assert_eq!(bucket(domains, host).as_deref(), want, "{host} of {domains:?}");
    }
}

#[test]
fn versions_and_uploads() {
    let long = |count: usize| "v".repeat(count);
    for (text, is_one) in [
        ("null", true),
        ("v1", true),
        ("a.b-c_d9", true),
        (&*long(1024), true),
        (&*long(1025), false),
        ("", false),
        (".", false),
        (".a", false),
        ("a..b", false),
        ("a/b", false),
        ("a b", false),
        ("a\0", false),
        ("\u{e9}", false),
        ("a%2f", false),
    ] {
        assert_eq!(text.parse::<VersionId>().is_ok(), is_one, "{text}");
        assert_eq!(text.parse::<UploadId>().is_ok(), is_one, "{text}");
    }
    let version: VersionId = "v1".parse().unwrap();
    assert_eq!((version.as_str(), version.to_string().as_str(), version.is_null()), ("v1", "v1", false));
    assert!("null".parse::<VersionId>().unwrap().is_null());
    assert!(!"NULL".parse::<VersionId>().unwrap().is_null());
    let upload: UploadId = "u".parse().unwrap();
    assert_eq!((upload.as_str(), upload.to_string().as_str()), ("u", "u"));
}

#[test]
fn ranges_say_what_is_wrong() {
    for (header, size, shown) in [
        ("bytes=5-9", 5, "bytes=5-9"),
        ("bytes = 7 -", 5, "bytes=7-"),
        ("bytes=-0", 5, "bytes=-0"),
        ("bytes=-3", 0, "bytes=-3"),
    ] {
        let error = ByteRange::parse(header).unwrap().resolve(size).unwrap_err();
        let want = format!(
            "InvalidRange: The requested range is not satisfiable [ActualObjectSize={size}] [RangeRequested={shown}]"
        );
        assert_eq!(error_text(&error), want);
        assert_eq!(error.headers, [("content-range", format!("bytes */{size}"))]);
    }
    for (header, want) in [
        ("bytes=5-5", Some(ByteRange::FromTo(5, 5))),
        ("bytes=6-5", None),
        ("bytes=18446744073709551616-", None),
        ("bytes=1-18446744073709551616", None),
        ("bytes=1_0-", None),
        ("bytes", None),
        ("bytes=-1-2", None),
    ] {
        assert_eq!(ByteRange::parse(header), want, "{header}");
    }
}

#[test]
fn times() {
    for (seconds, iso, http) in [
        (0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
        (THEN, "2009-10-12T17:50:30.000Z", "Mon, 12 Oct 2009 17:50:30 GMT"),
        (-1, "1969-12-31T23:59:59.000Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
        // Not a time that a document can print.
        (i64::MAX, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        assert_eq!((iso8601(seconds).as_str(), http_date(seconds).as_str()), (iso, http));
    }
    for (text, want) in [
        ("Mon, 12 Oct 2009 19:50:30 +0200", Some(THEN)),
        ("2009-10-12T17:50:30.000Z", Some(THEN)),
        ("2009-10-12T17:50:30", None),
        ("2009-10-12", None),
        ("20091012T175030Z", Some(THEN)),
        ("1255369830", None),
        ("Mon Oct  5 17:50:30 2009", Some(THEN - 7 * 86_400)),
        ("Monday, 12-Oct-09 17:50:30 CET", None),
    ] {
        assert_eq!(parse_date(text), want, "{text}");
    }
}

/// The names, statuses and messages that clients act on, as AWS documents them.
#[test]
fn error_codes() {
    use S3ErrorCode as Code;
    for (code, status, message) in [
        (Code::AccessDenied, 403, "Access Denied"),
        (
            Code::BadDigest,
            400,
            "The Content-MD5 or checksum value that you specified did not match what the server received.",
        ),
        (
            Code::BucketAlreadyExists,
            409,
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Select a different name and try again.",
        ),
        (Code::BucketAlreadyOwnedByYou, 409, "The bucket that you tried to create already exists, and you own it."),
        (Code::BucketNotEmpty, 409, "The bucket that you tried to delete is not empty."),
        (Code::EntityTooLarge, 400, "Your proposed upload exceeds the maximum allowed object size."),
        (Code::EntityTooSmall, 400, "Your proposed upload is smaller than the minimum allowed object size."),
        (Code::ExpiredToken, 400, "The provided token has expired."),
        (
            Code::IncompleteBody,
            400,
            "You did not provide the number of bytes specified by the Content-Length HTTP header.",
        ),
        (Code::InsufficientStorage, 507, "There is not enough room to store the object."),
        (Code::InternalError, 500, "We encountered an internal error. Please try again."),
        (Code::InvalidAccessKeyId, 403, "The AWS Access Key Id you provided does not exist in our records."),
        (Code::InvalidBucketName, 400, "The specified bucket is not valid."),
        (Code::InvalidRange, 416, "The requested range is not satisfiable"),
        (Code::KeyTooLongError, 400, "Your key is too long."),
        (Code::MalformedXML, 400, MALFORMED),
        (Code::MethodNotAllowed, 405, "The specified method is not allowed against this resource."),
        (Code::MissingContentLength, 411, "You must provide the Content-Length HTTP header."),
        (Code::NoSuchBucket, 404, "The specified bucket does not exist"),
        (Code::NoSuchBucketPolicy, 404, "The bucket policy does not exist"),
        (Code::NoSuchKey, 404, "The specified key does not exist."),
        (Code::NoSuchTagSet, 404, "The TagSet does not exist"),
        (Code::NotImplemented, 501, "A header or operation you provided implies functionality that is not implemented"),
        (Code::PreconditionFailed, 412, "At least one of the pre-conditions you specified did not hold"),
        (
            Code::RequestTimeTooSkewed,
            403,
            "The difference between the request time and the server's time is too large.",
        ),
        (
            Code::SignatureDoesNotMatch,
            403,
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        ),
        (Code::SlowDown, 503, "Please reduce your request rate."),
    ] {
        assert_eq!((code.status().as_u16(), code.message()), (status, message), "{code}");
        assert_eq!(S3Error::from(code).message(), message);
    }
    // No two codes share a name.
    let mut names: Vec<&str> = S3ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), S3ErrorCode::ALL.len());
}

#[test]
fn errors_as_documents() {
    let plain = S3Error::new(S3ErrorCode::NoSuchKey);
    let error = |inside: &str| format!("<Error>{inside}<RequestId>R&amp;</RequestId><HostId>H</HostId></Error>");
    let start = "<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>";
    for (made, inside) in [
        (plain.clone(), start.to_owned()),
        (plain.clone().about("/a<"), format!("{start}<Resource>/a&lt;</Resource>")),
        (
            plain.clone().field("Key", "k").field("B", "").about("/a"),
            format!("{start}<Key>k</Key><B/><Resource>/a</Resource>"),
        ),
        (plain.header("retry-after", "1"), start.to_owned()),
        (
            S3Error::with_message(S3ErrorCode::NoSuchKey, "No <key>"),
            "<Code>NoSuchKey</Code><Message>No &lt;key&gt;</Message>".to_owned(),
        ),
    ] {
        assert_eq!(body(&made.to_xml("R&", "H")), error(&inside));
    }
    for (made, want) in [
        (S3Error::invalid_argument("n", "v", "m"), "InvalidArgument: m [ArgumentName=n] [ArgumentValue=v]".to_owned()),
        (
            S3Error::not_implemented("X"),
            "NotImplemented: X is not supported by this gateway: send the request without it".to_owned(),
        ),
        (
            S3Error::unsupported_operation("X"),
            "NotImplemented: The operation X is not supported by this gateway yet; nothing was changed".to_owned(),
        ),
        (S3Error::malformed_xml("x"), format!("MalformedXML: {MALFORMED}: x")),
    ] {
        assert_eq!(error_text(&made), want);
    }
}
