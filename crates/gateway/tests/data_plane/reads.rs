//! GetObject and HeadObject: conditions, ranges, headers.

use bucket::attributes;

use crate::support::{Claims, Reply, World};

const MD5_OF_DIGITS: &str = "\"781e5e245d69b566979b86e28d23f2c7\"";
const FUTURE: &str = "Fri, 01 Jan 2100 00:00:00 GMT";
const PAST: &str = "Thu, 01 Jan 1970 00:00:01 GMT";

/// `plain/k` holds `0123456789`.
async fn world() -> World {
    let world = World::start().await;
    let reply = world.put("/plain/k", "0123456789").await;
    assert_eq!(reply.header("etag"), MD5_OF_DIGITS);
    world
}

/// Status, `Content-Length`, `Content-Range` and body.
fn shown(reply: &Reply) -> (u16, String, String, String) {
    let is_error = reply.text_if_any().starts_with("<?xml");
    let body = if is_error { reply.element("Code") } else { reply.text().to_owned() };
    let length = if is_error { "" } else { reply.header("content-length") };
    (reply.status.as_u16(), length.to_owned(), reply.header("content-range").to_owned(), body)
}

#[tokio::test]
async fn ranges_and_conditions() {
    let world = world().await;
    let (range, part) = (("range", "bytes=2-4"), "GET /plain/k?partNumber=1");
    let (is, is_not) = (("if-match", MD5_OF_DIGITS), ("if-none-match", MD5_OF_DIGITS));
    let of = "bytes 2-4/10";
    let mut claims = Claims::default();
    for (line, headers, want) in [
        ("GET /plain/k", &[][..], (200, "10", "", "0123456789")),
        ("GET /plain/k", &[range], (206, "3", of, "234")),
        ("GET /plain/k", &[("range", "bytes=8-")], (206, "2", "bytes 8-9/10", "89")),
        ("GET /plain/k", &[("range", "bytes=-3")], (206, "3", "bytes 7-9/10", "789")),
        ("GET /plain/k", &[("range", "bytes=0-99")], (206, "10", "bytes 0-9/10", "0123456789")),
        ("GET /plain/k", &[("range", "bytes=10-")], (416, "", "bytes */10", "InvalidRange")),
        ("GET /plain/k", &[("range", "bytes=-0")], (416, "", "bytes */10", "InvalidRange")),
        ("GET /plain/k", &[("range", "bytes=0-0,2-3")], (200, "10", "", "0123456789")),
        ("HEAD /plain/k", &[], (200, "10", "", "")),
        ("HEAD /plain/k", &[range], (206, "3", of, "")),
        ("HEAD /plain/k", &[("range", "bytes=10-")], (416, "", "bytes */10", "")),
        (part, &[], (206, "10", "bytes 0-9/10", "0123456789")),
        ("GET /plain/k?partNumber=2", &[], (416, "", "", "InvalidPartNumber")),
        ("GET /plain/k", &[("if-range", MD5_OF_DIGITS), range], (206, "3", of, "234")),
        ("GET /plain/k", &[("if-range", "\"other\""), range], (200, "10", "", "0123456789")),
        ("GET /plain/k", &[("if-range", PAST), range], (200, "10", "", "0123456789")),
        ("GET /plain/k", &[is, range], (206, "3", of, "234")),
        // A condition comes before a range.
        ("GET /plain/k", &[("if-match", "\"other\""), ("range", "bytes=10-")], (412, "", "", "PreconditionFailed")),
        ("GET /plain/k", &[is_not, ("range", "bytes=10-")], (304, "", "", "")),
        ("GET /plain/k", &[("if-match", "*")], (200, "10", "", "0123456789")),
        ("GET /plain/k", &[("if-none-match", "*")], (304, "", "", "")),
        ("GET /plain/k", &[("if-none-match", "\"other\"")], (200, "10", "", "0123456789")),
        ("GET /plain/k", &[("if-modified-since", FUTURE)], (304, "", "", "")),
        ("GET /plain/k", &[("if-modified-since", PAST)], (200, "10", "", "0123456789")),
        ("GET /plain/k", &[("if-unmodified-since", PAST)], (412, "", "", "PreconditionFailed")),
        ("HEAD /plain/k", &[("if-unmodified-since", PAST)], (412, "", "", "")),
        ("HEAD /plain/k", &[is_not], (304, "", "", "")),
        ("GET /plain/absent", &[("if-none-match", "*")], (404, "", "", "NoSuchKey")),
        ("HEAD /plain/absent", &[], (404, "", "", "")),
    ] {
        let reply = world.send(line, headers, "").await;
        let (status, length, content_range, body) = shown(&reply);
        claims.claim(&format!("{line} {headers:?}"), (status, &*length, &*content_range, &*body), want);
    }
    claims.end();
    // A cache needs the tag and the date of a 304.
    let unchanged = world.send("GET /plain/k", &[is_not], "").await;
    assert_eq!(unchanged.header("etag"), MD5_OF_DIGITS);
    assert!(unchanged.header("last-modified").ends_with(" GMT"));
}

#[tokio::test]
async fn an_empty_object() {
    let world = World::start().await;
    world.put("/plain/empty", "").await;
    for (headers, want) in [
        (&[][..], (200, "0", "", "")),
        (&[("range", "bytes=0-")], (416, "", "bytes */0", "InvalidRange")),
        (&[("range", "bytes=-5")], (416, "", "bytes */0", "InvalidRange")),
    ] {
        let (status, length, content_range, body) = shown(&world.send("GET /plain/empty", headers, "").await);
        assert_eq!((status, &*length, &*content_range, &*body), want, "{headers:?}");
    }
}

#[tokio::test]
async fn headers_of_an_object() {
    let world = World::start().await;
    let stored = [
        ("content-type", "text/x"),
        ("cache-control", "a"),
        ("content-disposition", "b"),
        ("content-encoding", "c"),
        ("content-language", "d"),
        ("expires", "e"),
        ("x-amz-meta-one", "1"),
        ("x-amz-meta-two", "\u{e9}"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-tagging", "t=1&u=2"),
        ("x-amz-checksum-crc32", "NhCmhg=="),
    ];
    assert_eq!(world.send("PUT /plain/k", &stored, "hello").await.outcome(), "200 ");
    let mode = ("x-amz-checksum-mode", "ENABLED");
    for line in ["GET /plain/k", "HEAD /plain/k"] {
        let got = world.send(line, &[mode], "").await;
        for (name, value) in &stored[..6] {
            assert_eq!(got.header(name), *value, "{line}");
        }
        for (name, value) in [
            ("x-amz-meta-one", "1"),
            ("x-amz-storage-class", "GLACIER"),
            ("x-amz-tagging-count", "2"),
            ("x-amz-checksum-crc32", "NhCmhg=="),
            ("x-amz-checksum-type", "FULL_OBJECT"),
            ("accept-ranges", "bytes"),
            ("etag", "\"5d41402abc4b2a76b9719d911017c592\""),
            ("server", "Kelpgate"),
        ] {
            assert_eq!(got.header(name), value, "{line} {name}");
        }
        assert_eq!(got.headers["x-amz-meta-two"].as_bytes(), "\u{e9}".as_bytes());
        assert!(!got.headers.contains_key("x-amz-version-id") && !got.headers.contains_key("x-amz-mp-parts-count"));
    }
    // The checksum is that of the whole: not of a range, and not if no one asks.
    for headers in [&[][..], &[mode, ("range", "bytes=0-1")], &[("x-amz-checksum-mode", "DISABLED")]] {
        let got = world.send("GET /plain/k", headers, "").await;
        assert!(!got.headers.contains_key("x-amz-checksum-crc32"), "{headers:?}");
    }
    world.put("/plain/bare", "").await;
    let bare = world.ask("GET /plain/bare").await;
    assert_eq!(bare.header("content-type"), "application/octet-stream");
    for name in ["x-amz-storage-class", "x-amz-tagging-count", "cache-control", "content-encoding"] {
        assert!(!bare.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn what_is_read_is_refused_by_name() {
    let world = world().await;
    world.put("/plain/sealed", "x").await;
    world.patch("plain", "sealed", &[("x-seaweedfs-sse-kms-key", "k")]).await;
    let anonymous = "Request specific response headers cannot be used for anonymous GET requests.";
    let customer = ("x-amz-server-side-encryption-customer-algorithm", "AES256");
    let mut claims = Claims::default();
    for (line, headers, want, message) in [
        ("GET /plain/k?response-content-type=a", &[][..], "400 InvalidRequest", anonymous),
        ("GET /plain/k", &[customer], "501 NotImplemented", "x-amz-server-side-encryption-customer-algorithm"),
        ("GET /plain/k?attributes", &[("x-amz-object-attributes", "ETag"), customer], "501 NotImplemented", "customer"),
        ("GET /plain/sealed", &[], "501 NotImplemented", "encrypt"),
        ("PUT /plain/copy", &[("x-amz-copy-source", "plain/sealed")], "501 NotImplemented", "encrypt"),
        ("GET /plain/k?versionId=v1", &[], "404 NoSuchVersion", "version"),
        ("GET /plain/k?versionId=null", &[], "200 ", ""),
        ("GET /plain/absent?versionId=v1", &[], "404 NoSuchVersion", "version"),
        ("GET /plain/k?tagging&versionId=v1", &[], "404 NoSuchVersion", "version"),
        ("GET /nowhere/k", &[], "404 NoSuchBucket", ""),
        ("GET /nowhere/k?tagging", &[], "404 NoSuchBucket", ""),
        ("GET /nowhere/k?attributes", &[("x-amz-object-attributes", "ETag")], "404 NoSuchBucket", ""),
    ] {
        let reply = world.send(line, headers, "").await;
        claims.claim(&format!("{line} {headers:?}: {}", reply.text()), &*reply.outcome(), want);
        claims.claim(&format!("{line}: {}", reply.text()), reply.text().contains(message), true);
    }
    claims.end();
    // A caller with a name may ask for other headers.
    let world = World::with_users().await;
    world.send_as("admin", "PUT /plain/k", &[("content-type", "text/a"), ("cache-control", "a")], "x").await;
    let got = world.ask_admin("GET /plain/k?response-content-type=text/b&response-expires=never").await;
    let seen = (got.header("content-type"), got.header("cache-control"), got.header("expires"));
    assert_eq!(seen, ("text/b", "a", "never"));
}

/// Only who may read a lock sees it.
#[tokio::test]
async fn headers_of_locks() {
    let world = World::with_users().await;
    world.send_as("admin", "PUT /plain/k", &[], "x").await;
    let lock = [
        (attributes::LOCK_MODE, "GOVERNANCE"),
        (attributes::RETAIN_UNTIL, "1255369830"),
        (attributes::LEGAL_HOLD, "ON"),
    ];
    world.patch("plain", "k", &lock).await;
    let names = ["x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"];
    let got = world.ask_admin("HEAD /plain/k").await;
    assert_eq!(names.map(|name| got.header(name)), ["GOVERNANCE", "2009-10-12T17:50:30.000Z", "ON"]);
    let retention = world.ask_admin("GET /plain/k?retention").await;
    assert_eq!(
        (retention.element("Mode"), retention.element("RetainUntilDate")),
        ("GOVERNANCE".into(), "2009-10-12T17:50:30.000Z".into())
    );
    assert_eq!(world.ask_admin("GET /plain/k?legal-hold").await.element("Status"), "ON");
    let allow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::plain/*"}]}"#;
    assert_eq!(world.send_as("admin", "PUT /plain?policy", &[], allow).await.outcome(), "204 ");
    let got = world.send_as("nobody", "GET /plain/k", &[], "").await;
    assert_eq!((got.text(), names.map(|name| got.header(name))), ("x", [""; 3]));
    world.check(&[("nobody", "GET /plain/k?retention", &[], "", "403 AccessDenied")]).await;
}

#[tokio::test]
async fn attributes_of_an_object() {
    let world = World::start().await;
    world
        .send("PUT /plain/k", &[("x-amz-checksum-crc32", "NhCmhg=="), ("x-amz-storage-class", "GLACIER")], "hello")
        .await;
    let mut claims = Claims::default();
    for (asked, want) in [
        ("ETag", "<ETag>5d41402abc4b2a76b9719d911017c592</ETag>"),
        (
            "Checksum",
            "<Checksum><ChecksumCRC32>NhCmhg==</ChecksumCRC32><ChecksumType>FULL_OBJECT</ChecksumType></Checksum>",
        ),
        ("StorageClass", "<StorageClass>GLACIER</StorageClass>"),
        ("ObjectSize", "<ObjectSize>5</ObjectSize>"),
        ("ObjectParts", ""),
        ("ObjectSize,StorageClass", "<StorageClass>GLACIER</StorageClass><ObjectSize>5</ObjectSize>"),
    ] {
        let reply = world.send("GET /plain/k?attributes", &[("x-amz-object-attributes", asked)], "").await;
        let root = reply.text().split_once("/2006-03-01/\">").map_or("", |(_, rest)| rest);
        claims.claim(asked, root.strip_suffix("</GetObjectAttributesResponse>"), Some(want));
        claims.claim(asked, reply.header("last-modified").ends_with(" GMT"), true);
    }
    claims.end();
}
