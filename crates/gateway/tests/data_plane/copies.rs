//! CopyObject and UploadPartCopy: what a copy keeps, and what is no source.

use bucket::attributes;
use filer::{Entry, Mutation, Transaction};

use crate::support::{Claims, World};

const FUTURE: &str = "Fri, 01 Jan 2100 00:00:00 GMT";
const PAST: &str = "Thu, 01 Jan 1970 00:00:01 GMT";
const ETAG: &str = "\"5d41402abc4b2a76b9719d911017c592\"";
const SOURCE: (&str, &str) = ("x-amz-copy-source", "plain/source");

/// `plain/source` has everything that an object can have.
async fn world() -> World {
    let world = World::start().await;
    let headers = [
        ("content-type", "text/a"),
        ("cache-control", "a"),
        ("x-amz-meta-a", "1"),
        ("x-amz-tagging", "t=1"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-checksum-crc32", "NhCmhg=="),
    ];
    assert_eq!(world.send("PUT /plain/source", &headers, "hello").await.outcome(), "200 ");
    world
}

/// Stores an entry as it is, below the bucket `plain`.
async fn put_entry(world: &World, entry: Entry) {
    let mutation = Mutation::Put { directory: "/buckets/plain".to_owned(), entry: Box::new(entry) };
    let transaction = Transaction { lock_key: "/".to_owned(), mutations: vec![mutation], ..Transaction::default() };
    world.filer.transact(transaction).await.unwrap();
}

/// Content type, cache control, metadata `a`, metadata `b`, tags, storage class, checksum.
#[tokio::test]
async fn what_a_copy_keeps() {
    let world = world().await;
    let (metadata, tags) = (("x-amz-metadata-directive", "REPLACE"), ("x-amz-tagging-directive", "REPLACE"));
    let mut claims = Claims::default();
    for (headers, want) in [
        (&[][..], ["text/a", "a", "1", "", "1", "", "NhCmhg=="]),
        // What the request says counts only with REPLACE.
        (
            &[("content-type", "text/b"), ("x-amz-meta-b", "2"), ("x-amz-tagging", "u=1&v=2")],
            ["text/a", "a", "1", "", "1", "", "NhCmhg=="],
        ),
        (&[metadata], ["application/octet-stream", "", "", "", "1", "", "NhCmhg=="]),
        (&[metadata, ("content-type", "text/b"), ("x-amz-meta-b", "2")], ["text/b", "", "", "2", "1", "", "NhCmhg=="]),
        (&[tags], ["text/a", "a", "1", "", "", "", "NhCmhg=="]),
        (&[tags, ("x-amz-tagging", "u=1&v=2")], ["text/a", "a", "1", "", "2", "", "NhCmhg=="]),
        // The storage class is never copied.
        (&[("x-amz-storage-class", "STANDARD_IA")], ["text/a", "a", "1", "", "1", "STANDARD_IA", "NhCmhg=="]),
        (&[("x-amz-checksum-algorithm", "SHA1")], ["text/a", "a", "1", "", "1", "", ""]),
    ] {
        let all = [&[SOURCE], headers].concat();
        let reply = world.send("PUT /other/copy", &all, "").await;
        claims.claim(
            &format!("{headers:?} {}", reply.text()),
            (&*reply.outcome(), &*reply.element("ETag")),
            ("200 ", ETAG),
        );
        let got = world.send("GET /other/copy", &[("x-amz-checksum-mode", "ENABLED")], "").await;
        let names = [
            "content-type",
            "cache-control",
            "x-amz-meta-a",
            "x-amz-meta-b",
            "x-amz-tagging-count",
            "x-amz-storage-class",
            "x-amz-checksum-crc32",
        ];
        claims.claim(&format!("{headers:?}"), names.map(|name| got.header(name)), want);
        claims.claim(&format!("{headers:?}"), got.text(), "hello");
    }
    claims.end();
    assert_eq!(world.entry("other/copy").await.unwrap().extended_text(attributes::OWNER), Some("alice"));
}

#[tokio::test]
async fn conditions_on_the_source() {
    let world = world().await;
    let (is, is_not) = ("x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match");
    let (since, until) = ("x-amz-copy-source-if-modified-since", "x-amz-copy-source-if-unmodified-since");
    let mut claims = Claims::default();
    for (headers, want, condition) in [
        (&[(is, ETAG)][..], "200 ", ""),
        (&[(is, "*")], "200 ", ""),
        (&[(is, "\"x\"")], "412 PreconditionFailed", "x-amz-copy-source-If-Match"),
        (&[(is_not, "\"x\"")], "200 ", ""),
        (&[(is_not, ETAG)], "412 PreconditionFailed", "x-amz-copy-source-If-None-Match"),
        (&[(since, PAST)], "200 ", ""),
        (&[(since, FUTURE)], "412 PreconditionFailed", "x-amz-copy-source-If-Modified-Since"),
        (&[(until, FUTURE)], "200 ", ""),
        (&[(until, PAST)], "412 PreconditionFailed", "x-amz-copy-source-If-Unmodified-Since"),
        // The tag decides (S3 API Reference, `CopyObject`).
        (&[(is, ETAG), (until, PAST)], "200 ", ""),
        (&[(is_not, ETAG), (since, PAST)], "412 PreconditionFailed", "x-amz-copy-source-If-None-Match"),
        (&[("if-none-match", "*")], "412 PreconditionFailed", "If-None-Match"),
        (&[("if-match", "\"x\"")], "412 PreconditionFailed", "If-Match"),
        (&[("if-match", ETAG), (is, ETAG)], "200 ", ""),
    ] {
        world.send("PUT /other/copy", &[], "hello").await;
        let reply = world.send("PUT /other/copy", &[&[SOURCE], headers].concat(), "").await;
        claims.claim(
            &format!("{headers:?} {}", reply.text()),
            (&*reply.outcome(), &*reply.element("Condition")),
            (want, condition),
        );
    }
    claims.end();
}

#[tokio::test]
async fn what_is_no_source() {
    let world = world().await;
    let mut large = world.entry("plain/source").await.unwrap();
    let mut damaged = large.clone();
    (large.name, damaged.name) = ("large".to_owned(), "damaged".to_owned());
    large.attributes.get_or_insert_default().file_size = (5 << 30) + 1;
    damaged.attributes.get_or_insert_default().md5 = vec![7; 16];
    for entry in [large, damaged] {
        put_entry(&world, entry).await;
    }
    let id = world.ask_admin("POST /other/copy?uploads").await.element("UploadId");
    let part = format!("PUT /other/copy?partNumber=1&uploadId={id}");
    let foreign = "PUT /other/copy?partNumber=1&uploadId=nothing";
    let itself = "PUT /plain/source";
    let mut claims = Claims::default();
    for (line, source, headers, want) in [
        ("PUT /other/copy", "plain/absent", &[][..], "404 NoSuchKey"),
        ("PUT /other/copy", "nowhere/a", &[], "404 NoSuchBucket"),
        ("PUT /nowhere/copy", "plain/source", &[], "404 NoSuchBucket"),
        ("PUT /other/copy", "plain/source?versionId=v1", &[], "404 NoSuchVersion"),
        ("PUT /other/copy", "plain/source?versionId=null", &[], "200 "),
        ("PUT /other/copy", "plain/large", &[], "400 InvalidRequest"),
        ("PUT /other/fresh", "plain/damaged", &[], "500 InternalError"),
        (
            "PUT /other/copy",
            "plain/source",
            &[("x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256")],
            "501 NotImplemented",
        ),
        ("PUT /other/copy", "plain/source", &[("x-amz-acl", "public-read")], "400 AccessControlListNotSupported"),
        (
            "PUT /other/copy",
            "plain/source",
            &[("x-amz-source-expected-bucket-owner", "111122223333")],
            "403 AccessDenied",
        ),
        ("PUT /other/copy", "plain/source", &[("x-amz-source-expected-bucket-owner", "000000000000")], "200 "),
        // A copy onto itself must change something other than tags.
        (itself, "plain/source", &[], "400 InvalidRequest"),
        (itself, "plain/source", &[("x-amz-tagging-directive", "REPLACE")], "400 InvalidRequest"),
        (itself, "plain/source?versionId=null", &[], "200 "),
        (itself, "plain/source", &[("x-amz-website-redirect-location", "/x")], "200 "),
        (itself, "plain/source", &[("x-amz-metadata-directive", "REPLACE")], "200 "),
        (&part, "plain/absent", &[], "404 NoSuchKey"),
        (&part, "nowhere/a", &[], "404 NoSuchBucket"),
        (&part, "plain/large", &[], "400 InvalidRequest"),
        (&part, "plain/large", &[("x-amz-copy-source-range", "bytes=0-5368709120")], "400 InvalidRequest"),
        (&part, "plain/source", &[("x-amz-copy-source-range", "bytes=4-5")], "400 InvalidArgument"),
        (&part, "plain/source", &[("x-amz-copy-source-range", "bytes=4-4")], "200 "),
        (&part, "plain/source", &[("x-amz-copy-source-if-none-match", "*")], "412 PreconditionFailed"),
        (foreign, "plain/source", &[], "404 NoSuchUpload"),
    ] {
        let reply = world.send_as("admin", line, &[&[("x-amz-copy-source", source)], headers].concat(), "").await;
        claims.claim(&format!("{line} {source} {headers:?} {}", reply.text()), &*reply.outcome(), want);
    }
    claims.end();
    assert!(world.entry("other/fresh").await.is_none());
    let part = world.ask(&format!("GET /other/copy?uploadId={id}")).await;
    assert_eq!((part.element("Size"), part.elements("PartNumber").len()), ("1".into(), 1));
}
