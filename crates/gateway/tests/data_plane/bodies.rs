//! Bodies that break a promise made about them: none leaves anything behind.

use sigv4::{ChunkSigner, PayloadHash};

use crate::support::{Claims, World, signer};

const CRC: &str = "x-amz-checksum-crc32";
/// Of `hello`.
const CRC_OF_HELLO: &str = "NhCmhg==";
const SHA1_OF_HELLO: &str = "qvTGHdzF6KLavt4PO0gs2a6pQ00=";

/// Whether `plain/k` was stored.
async fn is_stored(world: &World) -> bool {
    world.entry("plain/k").await.is_some()
}

#[tokio::test]
async fn promises_in_the_head() {
    let world = World::with_users().await;
    let mut claims = Claims::default();
    let sha256 = "x-amz-checksum-sha256";
    for (headers, want) in [
        (&[(CRC, CRC_OF_HELLO)][..], "200 "),
        (&[(CRC, "AAAAAA==")], "400 BadDigest"),
        (&[("x-amz-checksum-crc32c", "mnG7TA==")], "200 "),
        (&[("x-amz-checksum-crc32c", CRC_OF_HELLO)], "400 BadDigest"),
        (&[("x-amz-checksum-sha1", SHA1_OF_HELLO)], "200 "),
        (&[(sha256, "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")], "200 "),
        (&[(sha256, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")], "400 BadDigest"),
        (&[("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")], "200 "),
        (&[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")], "400 BadDigest"),
        // Both must be right.
        (&[("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="), (CRC, "AAAAAA==")], "400 BadDigest"),
        (&[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="), (CRC, CRC_OF_HELLO)], "400 BadDigest"),
        (&[("x-amz-sdk-checksum-algorithm", "CRC32")], "200 "),
    ] {
        let reply = world.send_as("admin", "PUT /plain/k", headers, "hello").await;
        claims.claim(&format!("{headers:?} {}", reply.text()), &*reply.outcome(), want);
        claims.claim(&format!("{headers:?}"), is_stored(&world).await, want == "200 ");
        world.ask_admin("DELETE /plain/k").await;
    }
    claims.end();
}

/// The signature covers the hash, and the hash the body.
#[tokio::test]
async fn another_body_than_the_signed_one() {
    let world = World::with_users().await;
    let other = PayloadHash::Sha256([7; 32]);
    for line in ["PUT /plain/k", "PUT /plain/d/", "PUT /plain?tagging", "PUT /plain?policy", "POST /plain?delete"] {
        let head = signer("admin").sign(world.head(line, &[]), other);
        let reply = world.deliver(head, "<Tagging/>".into()).await;
        assert_eq!(reply.outcome(), "400 XAmzContentSHA256Mismatch", "{line}: {}", reply.text());
    }
    let head = signer("admin").sign(world.head("PUT /plain/k", &[]), PayloadHash::EMPTY);
    assert_eq!(world.deliver(head, "x".into()).await.outcome(), "400 XAmzContentSHA256Mismatch");
    assert!(!is_stored(&world).await && world.entry("plain/d/").await.is_none());
    // A body that the signature does not cover may be any.
    let head = signer("admin").sign(world.head("PUT /plain/k", &[]), PayloadHash::Unsigned);
    assert_eq!(world.deliver(head, "x".into()).await.outcome(), "200 ");
}

fn hello(mut chunks: ChunkSigner, trailers: &[(&str, &str)]) -> Vec<u8> {
    [chunks.chunk(b"hel"), chunks.chunk(b"lo"), chunks.end(trailers)].concat()
}

const LENGTH: (&str, &str) = ("x-amz-decoded-content-length", "5");
const ANNOUNCED: (&str, &str) = ("x-amz-trailer", CRC);

#[tokio::test]
async fn chunks_and_trailers() {
    let world = World::with_users().await;
    let mut claims = Claims::default();
    let (signed, trailer, unsigned) =
        (PayloadHash::StreamingSigned, PayloadHash::StreamingSignedTrailer, PayloadHash::StreamingUnsignedTrailer);
    let replaced = |from: &'static str, to: &'static str| {
        move |chunks: ChunkSigner, trailers: &[(&str, &str)]| {
            let body = String::from_utf8(hello(chunks, trailers)).unwrap();
            assert!(body.contains(from), "{body}");
            body.replacen(from, to, 1).into_bytes()
        }
    };
    type Frame = Box<dyn Fn(ChunkSigner, &[(&str, &str)]) -> Vec<u8>>;
    let plain = || Box::new(|chunks: ChunkSigner, trailers: &[(&str, &str)]| hello(chunks, trailers)) as Frame;
    let cut = |bytes: usize| {
        Box::new(move |chunks: ChunkSigner, trailers: &[(&str, &str)]| {
            let mut body = hello(chunks, trailers);
            body.truncate(body.len() - bytes);
            body
        }) as Frame
    };
    let sum: &[(&str, &str)] = &[(CRC, CRC_OF_HELLO)];
    let wrong: &[(&str, &str)] = &[(CRC, "AAAAAA==")];
    for (what, payload, headers, trailers, frame, want) in [
        ("signed", signed, &[LENGTH][..], &[][..], plain(), "200 "),
        ("signed with a trailer", trailer, &[LENGTH, ANNOUNCED], sum, plain(), "200 "),
        ("unsigned with a trailer", unsigned, &[LENGTH, ANNOUNCED], sum, plain(), "200 "),
        (
            "a chunk of other bytes",
            signed,
            &[LENGTH],
            &[],
            Box::new(replaced("hel", "heL")),
            "403 SignatureDoesNotMatch",
        ),
        (
            "another signature",
            trailer,
            &[LENGTH, ANNOUNCED],
            sum,
            Box::new(replaced("lo\r\n", "LO\r\n")),
            "403 SignatureDoesNotMatch",
        ),
        (
            "a trailer of another value",
            trailer,
            &[LENGTH, ANNOUNCED],
            sum,
            Box::new(replaced(CRC_OF_HELLO, "NhCmhh==")),
            "403 SignatureDoesNotMatch",
        ),
        ("a wrong checksum, signed", trailer, &[LENGTH, ANNOUNCED], wrong, plain(), "400 BadDigest"),
        ("a wrong checksum", unsigned, &[LENGTH, ANNOUNCED], wrong, plain(), "400 BadDigest"),
        ("a checksum that is none", unsigned, &[LENGTH, ANNOUNCED], &[(CRC, "x")], plain(), "400 InvalidRequest"),
        ("no trailer", unsigned, &[LENGTH, ANNOUNCED], &[], plain(), "400 MalformedTrailerError"),
        ("a trailer that was not announced", unsigned, &[LENGTH], sum, plain(), "400 MalformedTrailerError"),
        (
            "another trailer",
            unsigned,
            &[LENGTH, ANNOUNCED],
            &[("x-amz-checksum-crc32c", "AAAAAA==")],
            plain(),
            "400 MalformedTrailerError",
        ),
        (
            "more bytes than announced",
            signed,
            &[("x-amz-decoded-content-length", "4")],
            &[],
            plain(),
            "400 IncompleteBody",
        ),
        (
            "fewer bytes than announced",
            signed,
            &[("x-amz-decoded-content-length", "6")],
            &[],
            plain(),
            "400 IncompleteBody",
        ),
        ("no end", signed, &[LENGTH], &[], cut(88), "400 IncompleteBody"),
        ("half an end", signed, &[LENGTH], &[], cut(2), "400 IncompleteBody"),
    ] {
        let reply = world.send_chunked("PUT /plain/k", headers, payload, |chunks| frame(chunks, trailers)).await;
        claims.claim(&format!("{what}: {}", reply.text()), &*reply.outcome(), want);
        claims.claim(what, is_stored(&world).await, want == "200 ");
        world.ask_admin("DELETE /plain/k").await;
    }
    claims.end();
}

/// What was framed is not part of the object, and its checksum is kept.
#[tokio::test]
async fn what_chunks_become() {
    let world = World::with_users().await;
    let headers = [LENGTH, ANNOUNCED, ("content-encoding", "aws-chunked,gzip")];
    let reply = world
        .send_chunked("PUT /plain/k", &headers, PayloadHash::StreamingUnsignedTrailer, |chunks| {
            hello(chunks, &[(CRC, CRC_OF_HELLO)])
        })
        .await;
    assert_eq!((&*reply.outcome(), reply.header(CRC)), ("200 ", CRC_OF_HELLO));
    let got = world.send_as("admin", "GET /plain/k", &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!((got.text(), got.header("content-encoding"), got.header(CRC)), ("hello", "gzip", CRC_OF_HELLO));
    // Documents may come in chunks as well.
    let tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let reply = world
        .send_chunked(
            "PUT /plain/k?tagging",
            &[("x-amz-decoded-content-length", &tags.len().to_string())],
            PayloadHash::StreamingSigned,
            |mut chunks| [chunks.chunk(tags), chunks.end(&[])].concat(),
        )
        .await;
    assert_eq!(reply.outcome(), "200 ", "{}", reply.text());
    assert_eq!(world.ask_admin("GET /plain/k?tagging").await.element("Key"), "a");
}

/// Parts are checked like objects.
#[tokio::test]
async fn parts() {
    let world = World::with_users().await;
    let id = world.ask_admin("POST /plain/k?uploads").await.element("UploadId");
    let line = format!("PUT /plain/k?partNumber=1&uploadId={id}");
    world
        .check(&[
            ("admin", &line, &[(CRC, "AAAAAA==")], "hello", "400 BadDigest"),
            ("admin", &line, &[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")], "hello", "400 BadDigest"),
            ("admin", &format!("GET /plain/k?uploadId={id}"), &[], "", "200 "),
        ])
        .await;
    let listed = world.ask_admin(&format!("GET /plain/k?uploadId={id}")).await;
    assert_eq!(listed.elements("PartNumber"), [""; 0], "{}", listed.text());
    let reply = world.send_as("admin", &line, &[(CRC, CRC_OF_HELLO)], "hello").await;
    assert_eq!((&*reply.outcome(), reply.header(CRC)), ("200 ", CRC_OF_HELLO));
}

/// The client says that 10 bytes follow, sends 4 and stops sending.
#[tokio::test]
async fn a_body_that_ends_early() {
    let world = World::start().await;
    for line in ["PUT /plain/k", "PUT /plain?tagging"] {
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n<Tag");
        let answer = world.send_half(head.as_bytes()).await;
        assert!(answer.is_empty() || answer.contains("<Code>IncompleteBody</Code>"), "{line}: {answer}");
    }
    assert!(!is_stored(&world).await);
}

#[tokio::test]
async fn sizes() {
    let settings = gateway::Settings { max_body_bytes: 10, ..crate::support::settings() };
    let world = World::with_users_and(settings).await;
    let id = world.ask_admin("POST /plain/k?uploads").await.element("UploadId");
    let part = format!("PUT /plain/k?partNumber=1&uploadId={id}");
    world
        .check(&[
            ("admin", "PUT /plain/k", &[], "0123456789", "200 "),
            ("admin", "PUT /plain/k", &[], "0123456789a", "400 EntityTooLarge"),
            ("admin", &part, &[], "0123456789", "200 "),
            ("admin", &part, &[], "0123456789a", "400 EntityTooLarge"),
            // Documents have limits of their own.
            ("admin", "PUT /plain?tagging", &[], "<Tagging><TagSet/></Tagging>", "204 "),
        ])
        .await;
    let large = |bytes: usize| format!("<Tagging><TagSet/></Tagging>{}", " ".repeat(bytes - 28));
    for (line, limit, want) in [("PUT /plain?tagging", 128 << 10, "204 "), ("PUT /plain/k?tagging", 128 << 10, "200 ")]
    {
        let reply = world.send_as("admin", line, &[], large(limit)).await;
        assert_eq!(reply.outcome(), want, "{line}: {}", reply.text());
        let reply = world.send_as("admin", line, &[], large(limit + 1)).await;
        assert_eq!((&*reply.outcome(), &*reply.element("MaxSizeAllowed")), ("400 EntityTooLarge", "131072"), "{line}");
    }
    let reply = world.send_as("admin", "PUT /plain/k", &[], "0123456789a").await;
    assert_eq!(reply.element("MaxSizeAllowed"), "10");
    let chunked = world
        .send_chunked(
            "PUT /plain/k",
            &[("x-amz-decoded-content-length", "11")],
            PayloadHash::StreamingSigned,
            |mut chunks| [chunks.chunk(b"0123456789a"), chunks.end(&[])].concat(),
        )
        .await;
    assert_eq!(chunked.outcome(), "400 EntityTooLarge");
}
