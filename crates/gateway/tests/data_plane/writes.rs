//! Writing, copying, deleting and tagging objects, through a gateway on an embedded filer.

use crate::support::World;

const MD5_OF_HELLO: &str = "5d41402abc4b2a76b9719d911017c592";
const MD5_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

#[tokio::test]
async fn an_object_is_stored_as_in_seaweedfs() {
    let world = World::start().await;
    let headers = [
        ("content-type", "text/plain"),
        ("cache-control", "no-cache"),
        ("content-encoding", "aws-chunked,gzip"),
        ("x-amz-meta-foo-bar", "x y"),
        ("x-amz-tagging", "k1=v1&k2="),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-checksum-crc32", "NhCmhg=="),
    ];
    let reply = world.send("PUT /plain/dir/hello", &headers, "hello").await;
    assert_eq!(reply.outcome(), "200 ", "{}", reply.text());
    assert_eq!(reply.header("etag"), format!("\"{MD5_OF_HELLO}\""));
    assert_eq!(
        (reply.header("x-amz-checksum-crc32"), reply.header("x-amz-checksum-type")),
        ("NhCmhg==", "FULL_OBJECT")
    );

    let entry = world.entry("plain/dir/hello").await.unwrap();
    let attributes = entry.attributes();
    assert_eq!((attributes.file_size, attributes.file_mode, attributes.uid, attributes.gid), (5, 0o660, 7, 8));
    assert_eq!((attributes.mime.as_str(), hex::encode(&attributes.md5).as_str()), ("text/plain", MD5_OF_HELLO));
    let extended: Vec<(&str, &str)> =
        entry.extended.iter().map(|(name, value)| (name.as_str(), std::str::from_utf8(value).unwrap())).collect();
    assert_eq!(
        extended,
        [
            ("Cache-Control", "no-cache"),
            ("Content-Encoding", "gzip"),
            ("Seaweed-X-Amz-ETag", MD5_OF_HELLO),
            ("Seaweed-X-Amz-Owner", "alice"),
            ("X-Amz-Meta-Foo-Bar", "x y"),
            ("X-Amz-Storage-Class", "STANDARD_IA"),
            ("X-Amz-Tagging-k1", "v1"),
            ("X-Amz-Tagging-k2", ""),
            ("x-seaweedfs-checksum-algorithm", "X-Amz-Checksum-Crc32"),
            ("x-seaweedfs-checksum-value", "NhCmhg=="),
        ]
    );
    let got = world.send("GET /plain/dir/hello", &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!(
        (got.text(), got.header("x-amz-meta-foo-bar"), got.header("x-amz-tagging-count")),
        ("hello", "x y", "2")
    );
    assert_eq!((got.header("content-type"), got.header("x-amz-checksum-crc32")), ("text/plain", "NhCmhg=="));

    world.put("/plain/plain", "").await;
    let entry = world.entry("plain/plain").await.unwrap();
    assert_eq!(entry.attributes().mime, "application/octet-stream");
    assert_eq!(entry.extended.len(), 2, "{:?}", entry.extended);
}

#[tokio::test]
async fn a_write_that_cannot_be_kept_is_refused_by_name() {
    let world = World::start().await;
    world.put("/plain/held", "x").await;
    world.patch("plain", "held", &[("Seaweed-X-Amz-Legal-Hold", "ON")]).await;
    let copy = ("x-amz-copy-source", "plain/held");
    for (line, header, want) in [
        ("PUT /nowhere/a", None, "404 NoSuchBucket"),
        ("DELETE /nowhere/a", None, "404 NoSuchBucket"),
        ("POST /nowhere/a?uploads", None, "404 NoSuchBucket"),
        ("PUT /locked/a", None, "501 NotImplemented"),
        ("PUT /locked/a", Some(copy), "501 NotImplemented"),
        ("POST /locked/a?uploads", None, "501 NotImplemented"),
        ("DELETE /locked/a", None, "501 NotImplemented"),
        ("DELETE /locked/a?tagging", None, "501 NotImplemented"),
        ("DELETE /plain/held", None, "501 NotImplemented"),
        ("DELETE /plain/a?versionId=3", None, "404 NoSuchVersion"),
        ("PUT /plain/a", Some(("x-amz-server-side-encryption", "AES256")), "501 NotImplemented"),
        ("PUT /plain/a", Some(("x-amz-acl", "public-read")), "400 AccessControlListNotSupported"),
        ("PUT /plain/a", Some(("x-amz-grant-read", "id=\"x\"")), "400 InvalidArgument"),
        ("PUT /plain/a", Some(("x-amz-object-lock-legal-hold", "ON")), "400 InvalidRequest"),
        ("PUT /plain/a", Some(("x-amz-website-redirect-location", "b")), "400 InvalidRedirectLocation"),
        ("POST /plain/a?uploads", Some(("x-amz-acl", "public-read")), "400 AccessControlListNotSupported"),
        ("PUT /plain/a", Some(("x-amz-checksum-crc32", "AAAAAA==")), "400 BadDigest"),
        ("PUT /plain/a", Some(("content-md5", "1B2M2Y8AsgTpgAmY7PhCfh==")), "400 InvalidDigest"),
        ("PUT /plain/a", Some(("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")), "400 BadDigest"),
    ] {
        let headers: Vec<_> = header.into_iter().collect();
        let reply = world.send_as("admin", line, &headers, if line.starts_with("PUT") { "x" } else { "" }).await;
        assert_eq!(reply.outcome(), want, "{line} {header:?}: {}", reply.text());
    }
    for acl in ["private", "bucket-owner-full-control"] {
        assert_eq!(world.send("PUT /plain/acl", &[("x-amz-acl", acl)], "x").await.outcome(), "200 ", "{acl}");
    }
    assert_eq!(world.keys("plain").await, ["acl", "held"]);
}

#[tokio::test]
async fn conditions_of_writes_and_deletes() {
    let world = World::start().await;
    world.put("/plain/there", "hello").await;
    let (right, wrong) = (format!("\"{MD5_OF_HELLO}\""), "\"00000000000000000000000000000000\"".to_owned());
    let any = "*".to_owned();
    for (line, name, value, want) in [
        ("PUT /plain/there", "if-none-match", &any, "412 PreconditionFailed"),
        ("PUT /plain/there", "if-match", &wrong, "412 PreconditionFailed"),
        ("PUT /plain/absent", "if-match", &right, "404 NoSuchKey"),
        ("PUT /plain/absent", "if-match", &any, "404 NoSuchKey"),
        ("DELETE /plain/there", "if-match", &wrong, "412 PreconditionFailed"),
        ("DELETE /plain/absent", "if-match", &right, "404 NoSuchKey"),
        ("PUT /plain/there", "if-match", &right, "200 "),
        ("PUT /plain/there", "if-match", &any, "200 "),
        ("PUT /plain/absent", "if-none-match", &any, "200 "),
        ("PUT /plain/marker/", "if-none-match", &any, "200 "),
        ("PUT /plain/marker/", "if-none-match", &any, "412 PreconditionFailed"),
        ("PUT /plain/marker", "if-none-match", &any, "200 "),
        ("DELETE /plain/there", "if-match", &right, "204 "),
        ("DELETE /plain/absent", "if-match", &any, "204 "),
    ] {
        let body = if line == "PUT /plain/there" { "hello" } else { "" };
        let reply = world.send(line, &[(name, value)], body).await;
        assert_eq!(reply.outcome(), want, "{line} {name}: {value}: {}", reply.text());
    }
    assert_eq!(world.keys("plain").await, ["marker", "marker/"]);
}

#[tokio::test]
async fn only_one_of_many_concurrent_creations_succeeds() {
    let world = World::start().await;
    let create = |body: String| {
        let world = &world;
        async move { world.send("PUT /plain/one", &[("if-none-match", "*")], body).await.outcome() }
    };
    let outcomes = futures_util::future::join_all((0..16).map(|n| create(format!("body {n}")))).await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "200 ").count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "412 PreconditionFailed").count(), 15, "{outcomes:?}");
}

#[tokio::test]
async fn deleting_a_key_leaves_what_is_below_it() {
    let world = World::start().await;
    for (stored, deleted, left) in [
        (&["a", "a/b", "a/"][..], "a", &["a/", "a/b"][..]),
        (&["a", "a/b", "a/"], "a/", &["a", "a/b"]),
        (&["a", "a/b", "a/"], "a/b", &["a", "a/"]),
        (&["a/b"], "a", &["a/b"]),
        (&["a/b"], "a/", &["a/b"]),
        (&["a/"], "a", &["a/"]),
        (&["a/"], "a/", &[]),
        (&["a/b/c"], "a/b", &["a/b/c"]),
        (&[], "a", &[]),
    ] {
        for key in ["a", "a/", "a/b", "a/b/c"] {
            world.ask(&format!("DELETE /plain/{key}")).await;
        }
        assert_eq!(world.keys("plain").await, [""; 0]);
        for key in stored {
            world.put(&format!("/plain/{key}"), "").await;
        }
        let reply = world.ask(&format!("DELETE /plain/{deleted}")).await;
        assert_eq!(reply.outcome(), "204 ", "{stored:?}");
        assert_eq!(world.keys("plain").await, left, "{stored:?} without {deleted}");
    }
}

#[tokio::test]
async fn a_key_that_ends_in_a_slash_is_a_directory() {
    let world = World::start().await;
    let reply = world.send("PUT /plain/d/", &[("x-amz-meta-m", "1"), ("content-type", "text/x")], "hello").await;
    assert_eq!((reply.outcome().as_str(), reply.header("etag")), ("200 ", format!("\"{MD5_OF_HELLO}\"").as_str()));
    let entry = world.entry("plain/d/").await.unwrap();
    assert_eq!(
        (entry.is_directory, entry.attributes().file_mode, entry.content.as_slice()),
        (true, 0o20_000_000_777, &b"hello"[..])
    );
    let got = world.ask("GET /plain/d/").await;
    assert_eq!((got.text(), got.header("x-amz-meta-m"), got.header("content-type")), ("hello", "1", "text/x"));

    world.put("/plain/e/", "").await;
    let entry = world.entry("plain/e/").await.unwrap();
    assert_eq!(entry.attributes().mime, "httpd/unix-directory");
    assert_eq!(entry.extended_text("Seaweed-X-Amz-ETag"), Some(MD5_OF_NOTHING));

    let reply = world.send("PUT /plain/f/", &[], vec![b'x'; 1025]).await;
    assert_eq!(reply.outcome(), "400 EntityTooLarge");
    assert!(reply.text().contains("names a directory"), "{}", reply.text());
    assert!(world.entry("plain/f/").await.is_none());
}

#[tokio::test]
async fn many_keys_are_deleted_at_once() {
    let world = World::start().await;
    for key in ["a", "b", "c/d", "held"] {
        world.put(&format!("/plain/{key}"), "hello").await;
    }
    world.patch("plain", "held", &[("Seaweed-X-Amz-Object-Lock-Mode", "GOVERNANCE")]).await;
    let objects = |keys: &[&str]| keys.iter().map(|key| format!("<Object>{key}</Object>")).collect::<String>();
    let long = format!("<Key>{}</Key>", "k".repeat(1025));
    let body = objects(&[
        "<Key>a</Key>",
        "<Key>absent</Key>",
        "<Key>held</Key>",
        &long,
        "<Key>b</Key><ETag>\"00000000000000000000000000000000\"</ETag>",
        "<Key>c/d</Key><VersionId>7</VersionId>",
    ]);
    let reply = world.send("POST /plain?delete", &[], format!("<Delete>{body}</Delete>")).await;
    assert_eq!(reply.outcome(), "200 ", "{}", reply.text());
    let deleted: Vec<String> = reply.elements("Deleted");
    assert_eq!(deleted, ["<Key>a</Key>", "<Key>absent</Key>"]);
    let codes = reply.elements("Code");
    assert_eq!(codes.len(), 4, "{}", reply.text());
    assert_eq!(
        (codes[0].as_str(), codes[2].as_str(), codes[3].as_str()),
        ("NotImplemented", "PreconditionFailed", "NoSuchVersion")
    );
    assert_eq!(world.keys("plain").await, ["b", "c/d", "held"]);

    let body = objects(&["<Key>b</Key>", "<Key>c</Key>"]);
    let reply = world.send("POST /plain?delete", &[], format!("<Delete>{body}<Quiet>true</Quiet></Delete>")).await;
    assert_eq!(reply.elements("Deleted"), [""; 0]);
    assert_eq!(world.keys("plain").await, ["c/d", "held"]);
    let reply = world.send("POST /locked?delete", &[], format!("<Delete>{body}</Delete>")).await;
    assert_eq!(reply.outcome(), "501 NotImplemented");
}

#[tokio::test]
async fn tags_are_replaced_as_a_whole() {
    let world = World::start().await;
    let put = |key: &'static str, tags: &[(&str, &str)]| {
        let tag = |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
        let body = format!("<Tagging><TagSet>{}</TagSet></Tagging>", tags.iter().map(tag).collect::<String>());
        let world = &world;
        async move { world.send(&format!("PUT /plain/{key}?tagging"), &[], body).await.outcome() }
    };
    for key in ["a", "a/"] {
        world.send(&format!("PUT /plain/{key}"), &[("x-amz-tagging", "old=1&both=1"), ("x-amz-meta-m", "1")], "").await;
    }
    assert_eq!(put("absent", &[("a", "1")]).await, "404 NoSuchKey");
    assert_eq!(put("a", &[("both", "2"), ("new", "x")]).await, "200 ");
    let tags = world.ask("GET /plain/a?tagging").await;
    assert_eq!(
        (tags.elements("Key"), tags.elements("Value")),
        (vec!["both".into(), "new".into()], vec!["2".into(), "x".into()])
    );
    assert_eq!(
        world.ask("GET /plain/a/?tagging").await.elements("Key"),
        ["both", "old"],
        "the other object of that name"
    );
    assert_eq!(put("a/", &[("marker", "")]).await, "200 ");
    assert_eq!(world.ask("GET /plain/a/?tagging").await.elements("Key"), ["marker"]);
    assert_eq!(world.ask("DELETE /plain/a?tagging").await.outcome(), "204 ");
    assert_eq!(world.ask("GET /plain/a?tagging").await.elements("Key"), [""; 0]);
    assert_eq!(world.ask("GET /plain/a").await.header("x-amz-meta-m"), "1");
    assert_eq!(world.ask("GET /plain/absent?tagging").await.outcome(), "404 NoSuchKey");
}

#[tokio::test]
async fn copies() {
    let world = World::start().await;
    let headers = [
        ("content-type", "text/plain"),
        ("x-amz-meta-m", "1"),
        ("x-amz-tagging", "t=1"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-checksum-crc32", "NhCmhg=="),
    ];
    world.send("PUT /plain/source", &headers, "hello").await;
    world.put("/plain/absent-no-more/", "").await;
    let source = ("x-amz-copy-source", "plain/source");
    let (metadata, tagging) = (("x-amz-metadata-directive", "REPLACE"), ("x-amz-tagging-directive", "REPLACE"));
    for (name, headers, want) in [
        ("as it is", vec![], ("text/plain", "1", "1", "")),
        ("other metadata", vec![metadata, ("x-amz-meta-n", "2")], ("application/octet-stream", "", "1", "2")),
        (
            "other tags",
            vec![tagging, ("x-amz-tagging", "u=1&v=2"), ("x-amz-meta-n", "2")],
            ("text/plain", "1", "2", ""),
        ),
        ("no tags", vec![tagging], ("text/plain", "1", "", "")),
    ] {
        let headers: Vec<_> = headers.into_iter().chain([source]).collect();
        let reply = world.send("PUT /other/copy", &headers, "").await;
        assert_eq!(
            (reply.outcome().as_str(), reply.element("ETag")),
            ("200 ", format!("\"{MD5_OF_HELLO}\"")),
            "{name}: {}",
            reply.text()
        );
        assert_eq!(reply.element("ChecksumCRC32"), "NhCmhg==", "{name}");
        let got = world.send("GET /other/copy", &[("x-amz-checksum-mode", "ENABLED")], "").await;
        let seen = ["content-type", "x-amz-meta-m", "x-amz-tagging-count", "x-amz-meta-n"].map(|name| got.header(name));
        assert_eq!((seen, got.text()), ([want.0, want.1, want.2, want.3], "hello"), "{name}");
        assert_eq!((got.header("x-amz-storage-class"), got.header("x-amz-checksum-crc32")), ("", "NhCmhg=="), "{name}");
    }
    world.ask("DELETE /plain/source").await;
    assert_eq!(world.ask("GET /other/copy").await.text(), "hello", "a copy shares no data with its source");
    for (line, headers, want) in [
        ("PUT /other/x", vec![source], "404 NoSuchKey"),
        ("PUT /other/x", vec![("x-amz-copy-source", "nowhere/source")], "404 NoSuchBucket"),
        ("PUT /other/copy", vec![("x-amz-copy-source", "other/copy")], "400 InvalidRequest"),
        ("PUT /other/copy", vec![("x-amz-copy-source", "other/copy"), metadata, ("x-amz-meta-z", "9")], "200 "),
        ("PUT /other/copy", vec![("x-amz-copy-source", "other/copy"), ("x-amz-storage-class", "GLACIER")], "200 "),
        (
            "PUT /other/x",
            vec![("x-amz-copy-source", "other/copy"), ("x-amz-copy-source-if-match", "zz")],
            "412 PreconditionFailed",
        ),
        (
            "PUT /other/copy",
            vec![("x-amz-copy-source", "plain/absent-no-more/"), ("if-none-match", "*")],
            "412 PreconditionFailed",
        ),
        ("PUT /other/sha", vec![("x-amz-copy-source", "other/copy"), ("x-amz-checksum-algorithm", "SHA256")], "200 "),
        ("PUT /other/m/", vec![("x-amz-copy-source", "other/copy")], "200 "),
    ] {
        let reply = world.send(line, &headers, "").await;
        assert_eq!(reply.outcome(), want, "{line} {headers:?}: {}", reply.text());
    }
    let got = world.ask("GET /other/copy").await;
    assert_eq!((got.text(), got.header("x-amz-meta-z"), got.header("x-amz-storage-class")), ("hello", "9", "GLACIER"));
    let got = world.send("GET /other/sha", &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!(got.header("x-amz-checksum-sha256"), "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    assert_eq!(world.ask("GET /other/m/").await.text(), "hello");
}

/// A deletion answered as not enforced yet is repeated. It waits again, although the bucket is already gone here.
#[tokio::test]
async fn a_repeated_deletion_waits_until_the_bucket_is_gone_everywhere() {
    let world = World::start().await;
    assert_eq!(world.send("DELETE /gone", &[], "").await.outcome(), "404 NoSuchBucket");
    let world = World::beside_a_deaf_gateway().await;
    let reply = world.send("DELETE /gone", &[], "").await;
    assert_eq!((&*reply.outcome(), &*reply.element("Gateways")), ("409 ChangeNotYetEnforced", "other:8333"));
}
