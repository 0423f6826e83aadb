//! Multipart uploads, through a gateway over an embedded filer.

use bucket::attributes::{INITIATOR_ARN, INITIATOR_ID};

use crate::support::{Claims, Reply, World};

const MIB: usize = 1 << 20;

/// An upload that was begun.
struct Upload<'w> {
    world: &'w World,
    path: &'static str,
    id: String,
}

impl<'w> Upload<'w> {
    async fn begin(world: &'w World, path: &'static str, headers: &[(&str, &str)]) -> Upload<'w> {
        let reply = world.send_as("admin", &format!("POST {path}?uploads"), headers, "").await;
        assert_eq!(reply.outcome(), "200 ", "{}", reply.text());
        Upload { world, path, id: reply.element("UploadId") }
    }

    async fn part(&self, number: u32, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
        let line = format!("PUT {}?partNumber={number}&uploadId={}", self.path, self.id);
        self.world.send_as("admin", &line, headers, body).await
    }

    /// Uploads a part. Returns its line in the list of parts.
    async fn uploaded(&self, number: u32, body: Vec<u8>) -> String {
        let reply = self.part(number, &[], body).await;
        assert_eq!(reply.outcome(), "200 ", "part {number}: {}", reply.text());
        line(number, reply.header("etag"))
    }

    async fn complete(&self, headers: &[(&str, &str)], parts: &[&str]) -> Reply {
        let body = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.concat());
        self.world.send_as("admin", &format!("POST {}?uploadId={}", self.path, self.id), headers, body).await
    }

    async fn list(&self, query: &str) -> Reply {
        self.world.ask_admin(&format!("GET {}?uploadId={}{query}", self.path, self.id)).await
    }

    fn directory(&self) -> String {
        format!("plain/.uploads/{}/", self.id)
    }
}

fn line(number: u32, etag: &str) -> String {
    format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
}

fn bytes(of: u8, count: usize) -> Vec<u8> {
    vec![of; count]
}

#[tokio::test]
async fn parts_become_an_object_as_in_seaweedfs() {
    let world = World::start().await;
    let headers = [("content-type", "text/mp"), ("x-amz-meta-q-r", "z"), ("x-amz-tagging", "t=1")];
    let upload = Upload::begin(&world, "/plain/mp/x", &headers).await;
    assert!(upload.id.starts_with("841e8888303e61784d423ac5b76957b122bfee40_"), "{}", upload.id);
    assert_eq!(world.entry(&upload.directory()).await.unwrap().extended_text("key"), Some("mp/x"));
    let replaced = upload.uploaded(3, b"old".to_vec()).await;
    let (one, three) = (upload.uploaded(1, bytes(b'p', 5 * MIB)).await, upload.uploaded(3, b"end".to_vec()).await);
    upload.uploaded(7, b"not listed".to_vec()).await;
    assert_ne!(replaced, three);
    let reply = upload.complete(&[], &[&one, &three]).await;
    assert_eq!(reply.outcome(), "200 ", "{}", reply.text());
    assert!(reply.element("ETag").ends_with("-2\""), "{}", reply.text());
    assert!(reply.element("Location").ends_with("/plain/mp/x"), "{}", reply.text());

    let entry = world.entry("plain/mp/x").await.unwrap();
    let attributes = entry.attributes();
    assert_eq!((attributes.file_size, attributes.file_mode), (5 * MIB as u64 + 3, 0o770));
    assert_eq!((attributes.mime.as_str(), attributes.md5.len()), ("text/mp", 0));
    assert_eq!(entry.extended_text("X-Seaweedfs-Multipart-Parts-Count"), Some("2"));
    assert_eq!(entry.extended_text("X-Seaweedfs-Upload-Id"), Some(upload.id.as_str()));
    assert_eq!(entry.extended_text("X-Amz-Meta-Q-R"), Some("z"));
    assert!(!entry.extended.contains_key("key"));
    let boundaries = entry.extended_text("X-Seaweedfs-Multipart-Part-Boundaries").unwrap();
    assert!(boundaries.ends_with(r#","startOffset":5242880,"endOffset":5242883}]"#), "{boundaries}");
    assert!(boundaries.starts_with(r#"[{"part":1,"start":0,"end":"#), "{boundaries}");
    assert!(world.entry(&upload.directory()).await.is_none());

    let got = world.ask("GET /plain/mp/x").await;
    assert_eq!((got.body.len(), &got.body[5 * MIB..]), (5 * MIB + 3, &b"end"[..]));
    assert_eq!((got.header("x-amz-meta-q-r"), got.header("x-amz-mp-parts-count")), ("z", "2"));
    let part = world.ask("GET /plain/mp/x?partNumber=3").await;
    assert_eq!(
        (part.status.as_u16(), part.text(), part.header("content-range")),
        (206, "end", "bytes 5242880-5242882/5242883")
    );
    assert_eq!(world.ask("GET /plain/mp/x?partNumber=2").await.outcome(), "416 InvalidPartNumber");
    let attributes = world
        .send(
            "GET /plain/mp/x?attributes",
            &[("x-amz-object-attributes", "ETag,ObjectParts,ObjectSize,StorageClass,Checksum")],
            "",
        )
        .await;
    assert_eq!(
        (attributes.element("PartsCount"), attributes.element("ObjectSize")),
        ("2".into(), "5242883".into()),
        "{}",
        attributes.text()
    );

    // The client may not have received the answer.
    let again = upload.complete(&[], &[&one, &three]).await;
    assert_eq!((again.outcome().as_str(), again.element("ETag")), ("200 ", reply.element("ETag")));
    assert_eq!(upload.complete(&[], &[&one]).await.outcome(), "404 NoSuchUpload");
    assert_eq!(upload.part(1, &[], b"late".to_vec()).await.outcome(), "404 NoSuchUpload");
    assert_eq!(world.ask(&format!("DELETE /plain/mp/x?uploadId={}", upload.id)).await.outcome(), "404 NoSuchUpload");
    assert_eq!(world.ask("GET /plain/mp/x").await.body.len(), 5 * MIB + 3);
}

#[tokio::test]
async fn a_directory_marker_of_parts() {
    let world = World::start().await;
    let upload = Upload::begin(&world, "/plain/dir/", &[("content-type", "text/plain")]).await;
    let parts = [upload.uploaded(1, bytes(b'a', 5 * MIB)).await, upload.uploaded(2, bytes(b'b', 1)).await];
    assert_eq!(upload.complete(&[], &[&parts[0], &parts[1]]).await.outcome(), "200 ");
    world.put("/plain/dir/below", "x").await;
    let whole = world.ask("GET /plain/dir/").await;
    assert_eq!((whole.header("content-type"), whole.body.len()), ("text/plain", 5 * MIB + 1));
    assert_eq!(world.ask("GET /plain/dir").await.outcome(), "404 NoSuchKey");
    let listed = world.ask("GET /plain?list-type=2&prefix=dir").await;
    assert!(
        listed.text().contains("<Key>dir/</Key>") && listed.text().contains("<Key>dir/below</Key>"),
        "{}",
        listed.text()
    );
    assert_eq!(world.ask("DELETE /plain/dir/").await.outcome(), "204 ");
    assert_eq!(world.ask("GET /plain/dir/").await.outcome(), "404 NoSuchKey");
    assert_eq!(world.ask("GET /plain/dir/below").await.outcome(), "200 ");
}

#[tokio::test]
async fn lists_of_parts_that_do_not_fit() {
    let world = World::start().await;
    let upload = Upload::begin(&world, "/plain/k", &[]).await;
    let (small, last) = (upload.uploaded(1, b"small".to_vec()).await, upload.uploaded(2, b"last".to_vec()).await);
    let foreign = line(2, "\"00000000000000000000000000000000\"");
    let with_checksum = last.replace("</Part>", "<ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>");
    for (parts, headers, want) in [
        (vec![last.as_str(), small.as_str()], vec![], "400 InvalidPartOrder"),
        (vec![&last, &small, &small], vec![], "400 InvalidPartOrder"),
        (vec![&small, &small, &last], vec![], "400 EntityTooSmall"),
        (vec![&last, &foreign], vec![], "400 InvalidPart"),
        (vec![&foreign], vec![], "400 InvalidPart"),
        (vec![&with_checksum], vec![], "400 InvalidPart"),
        (vec![&last.replace(">2<", ">3<")], vec![], "400 InvalidPart"),
        (vec![&small, &last], vec![], "400 EntityTooSmall"),
        (vec![], vec![], "400 MalformedXML"),
        (vec![&last], vec![("x-amz-mp-object-size", "5")], "400 InvalidRequest"),
        (vec![&last], vec![("x-amz-checksum-crc32", "AAAAAA==")], "400 InvalidRequest"),
        (vec![&last], vec![("if-match", "*")], "404 NoSuchKey"),
        (vec![&last], vec![("if-none-match", "*"), ("x-amz-mp-object-size", "4")], "200 "),
    ] {
        let reply = upload.complete(&headers, &parts).await;
        assert_eq!(reply.outcome(), want, "{parts:?} {headers:?}: {}", reply.text());
    }
    assert_eq!(world.ask("GET /plain/k").await.text(), "last");
    let second = Upload::begin(&world, "/plain/k", &[]).await;
    let part = second.uploaded(1, b"other".to_vec()).await;
    assert_eq!(second.complete(&[("if-none-match", "*")], &[&part]).await.outcome(), "412 PreconditionFailed");
    assert_eq!(second.complete(&[("if-match", "*")], &[&part]).await.outcome(), "200 ");
    assert_eq!(world.ask("GET /plain/k").await.text(), "other");
}

#[tokio::test]
async fn an_upload_belongs_to_its_key() {
    let world = World::start().await;
    let upload = Upload::begin(&world, "/plain/mine", &[]).await;
    let part = upload.uploaded(1, b"x".to_vec()).await;
    for id in [upload.id.as_str(), "nothing", "..", "a/b", ""] {
        let foreign = Upload { world: &world, path: "/plain/yours", id: id.to_owned() };
        assert_eq!(foreign.part(1, &[], b"x".to_vec()).await.outcome(), "404 NoSuchUpload", "{id:?}");
        assert_eq!(foreign.complete(&[], &[&part]).await.outcome(), "404 NoSuchUpload", "{id:?}");
        assert_eq!(foreign.list("").await.outcome(), "404 NoSuchUpload", "{id:?}");
        assert_eq!(
            world.ask(&format!("DELETE /plain/yours?uploadId={id}")).await.outcome(),
            "404 NoSuchUpload",
            "{id:?}"
        );
    }
    assert_eq!(world.ask(&format!("DELETE /plain/mine?uploadId={}", upload.id)).await.outcome(), "204 ");
    assert!(world.entry(&upload.directory()).await.is_none());
    assert_eq!(upload.complete(&[], &[&part]).await.outcome(), "404 NoSuchUpload");
    assert_eq!(world.keys("plain").await, [""; 0]);
}

#[tokio::test]
async fn an_interrupted_completion_keeps_its_data() {
    let world = World::start().await;
    let upload = Upload::begin(&world, "/plain/k", &[]).await;
    let part = upload.uploaded(1, b"kept".to_vec()).await;
    // The object exists and names the part's data, and the upload's directory exists as well.
    let directory = format!("/buckets/plain/.uploads/{}", upload.id);
    let leftover = world.filer.list(&directory, filer::ListOptions { limit: 9, ..Default::default() }).await.unwrap();
    let marker = world.entry(&upload.directory()).await.unwrap();
    assert_eq!(upload.complete(&[], &[&part]).await.outcome(), "200 ");
    let put = |directory: &str, entry: &filer::Entry| filer::Mutation::Put {
        directory: directory.to_owned(),
        entry: Box::new(entry.clone()),
    };
    let mutations = vec![put("/buckets/plain/.uploads", &marker), put(&directory, &leftover[0])];
    world.filer.transact(filer::Transaction { lock_key: "/".into(), mutations, ..Default::default() }).await.unwrap();

    assert_eq!(world.ask(&format!("DELETE /plain/k?uploadId={}", upload.id)).await.outcome(), "404 NoSuchUpload");
    assert!(world.entry(&upload.directory()).await.is_none());
    assert_eq!(world.ask("GET /plain/k").await.text(), "kept");
}

#[tokio::test]
async fn checksums_of_parts_are_combined() {
    let world = World::start().await;
    // CRC32 of `x`, and of `xx`.
    let (of_x, of_xx) = ("jNwWgw==", "+OEYDw==");
    for (algorithm, kind, want_kind) in [
        ("CRC32", None, "COMPOSITE"),
        ("CRC32", Some("FULL_OBJECT"), "FULL_OBJECT"),
        ("CRC64NVME", None, "FULL_OBJECT"),
        ("SHA256", None, "COMPOSITE"),
    ] {
        let mut headers = vec![("x-amz-checksum-algorithm", algorithm)];
        headers.extend(kind.map(|kind| ("x-amz-checksum-type", kind)));
        let upload = Upload::begin(&world, "/plain/sum", &headers).await;
        let wrong = upload.part(1, &[("x-amz-checksum-crc32c", "AAAAAA==")], b"x".to_vec()).await;
        assert_eq!(wrong.outcome(), "400 InvalidRequest", "{algorithm}");
        let sent = if algorithm == "CRC32" { vec![("x-amz-checksum-crc32", of_x)] } else { vec![] };
        let part = upload.part(1, &sent, b"x".to_vec()).await;
        assert_eq!(part.outcome(), "200 ", "{algorithm}: {}", part.text());
        let of_part = format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase());
        assert!(part.headers.contains_key(of_part.as_str()), "{algorithm}: it is known when the upload is completed");
        let part = line(1, part.header("etag"));
        let reply = upload.complete(&[], &[&part]).await;
        assert_eq!(
            (reply.outcome().as_str(), reply.element("ChecksumType").as_str()),
            ("200 ", want_kind),
            "{}",
            reply.text()
        );
        let value = reply.element(&format!("Checksum{algorithm}"));
        assert_eq!(value.ends_with("-1"), want_kind == "COMPOSITE", "{value}");
        if want_kind == "FULL_OBJECT" && algorithm == "CRC32" {
            assert_eq!(value, of_x);
        }
        let head = world.send("HEAD /plain/sum", &[("x-amz-checksum-mode", "ENABLED")], "").await;
        let header = format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase());
        assert_eq!((head.header(&header), head.header("x-amz-checksum-type")), (value.as_str(), want_kind));
    }
    let upload = Upload::begin(
        &world,
        "/plain/sum",
        &[("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", "FULL_OBJECT")],
    )
    .await;
    let part = upload.part(1, &[("x-amz-checksum-crc32", of_x)], b"x".to_vec()).await;
    let part = line(1, part.header("etag"));
    assert_eq!(upload.complete(&[("x-amz-checksum-crc32", of_xx)], &[&part]).await.outcome(), "400 BadDigest");
    assert_eq!(
        upload.complete(&[("x-amz-checksum-type", "COMPOSITE")], &[&part]).await.outcome(),
        "400 InvalidRequest"
    );
    assert_eq!(upload.complete(&[("x-amz-checksum-crc32", of_x)], &[&part]).await.outcome(), "200 ");
}

/// Parts keep the checksum that they come with, also if the upload was created without one.
#[tokio::test]
async fn a_checksum_that_all_parts_have_is_combined() {
    let world = World::start().await;
    let (of_x, of_xx) = ("jNwWgw==", "+OEYDw==");
    let upload = Upload::begin(&world, "/plain/sum", &[]).await;
    let [with, without] = [&[("x-amz-checksum-crc32", of_x)][..], &[]];
    for (headers, promised, want) in
        [(without, of_x, "400 InvalidRequest"), (with, of_xx, "400 BadDigest"), (with, of_x, "200 ")]
    {
        let part = upload.part(1, headers, b"x".to_vec()).await;
        let part = line(1, part.header("etag"));
        let reply = upload.complete(&[("x-amz-checksum-crc32", promised)], &[&part]).await;
        assert_eq!(reply.outcome(), want, "{headers:?}: {}", reply.text());
    }
}

#[tokio::test]
async fn parts_are_copied_from_objects() {
    let world = World::start().await;
    world.put("/other/source", "0123456789").await;
    let upload = Upload::begin(&world, "/plain/k", &[]).await;
    let copy = ("x-amz-copy-source", "other/source");
    for (headers, want) in [
        (vec![copy, ("x-amz-copy-source-range", "bytes=0-10")], "400 InvalidArgument"),
        (vec![copy, ("x-amz-copy-source-range", "bytes=5-")], "400 InvalidArgument"),
        (vec![("x-amz-copy-source", "other/absent")], "404 NoSuchKey"),
        (vec![copy, ("x-amz-copy-source-if-match", "zz")], "412 PreconditionFailed"),
        (vec![copy, ("x-amz-copy-source-range", "bytes=2-4")], "200 "),
    ] {
        let reply = upload.part(1, &headers, Vec::new()).await;
        assert_eq!(reply.outcome(), want, "{headers:?}: {}", reply.text());
    }
    let etag = upload.list("").await.element("ETag");
    assert_eq!(upload.complete(&[], &[&line(1, &etag)]).await.outcome(), "200 ");
    assert_eq!(world.ask("GET /plain/k").await.text(), "234");
}

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let world = World::start().await;
    let upload = Upload::begin(&world, "/plain/k", &[("x-amz-storage-class", "STANDARD_IA")]).await;
    for number in [2, 10_000, 1, 2, 5] {
        upload.uploaded(number, format!("part {number}").into_bytes()).await;
    }
    for (query, numbers, truncated) in [
        ("", &["1", "2", "5", "10000"][..], "false"),
        ("&max-parts=2", &["1", "2"], "true"),
        ("&max-parts=2&part-number-marker=2", &["5", "10000"], "false"),
        ("&part-number-marker=10000", &[], "false"),
    ] {
        let reply = upload.list(query).await;
        assert_eq!(
            (reply.elements("PartNumber").as_slice(), reply.element("IsTruncated").as_str()),
            (&numbers.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()[..], truncated),
            "{query}"
        );
        assert_eq!(reply.element("StorageClass"), "STANDARD_IA");
    }
}

#[tokio::test]
async fn uploads_are_listed_in_pages() {
    let world = World::start().await;
    for path in ["/plain/b/2", "/plain/a", "/plain/b/1", "/plain/c"] {
        Upload::begin(&world, path, &[]).await;
    }
    let second = Upload::begin(&world, "/plain/a", &[]).await;
    let list = |query: String| {
        let world = &world;
        async move { world.ask(&format!("GET /plain?uploads{query}")).await }
    };
    for (query, keys, prefixes) in [
        ("", &["a", "a", "b/1", "b/2", "c"][..], &[][..]),
        ("&prefix=b/", &["b/1", "b/2"], &[]),
        ("&delimiter=/", &["a", "a", "c"], &["b/"]),
        ("&key-marker=a", &["b/1", "b/2", "c"], &[]),
        ("&key-marker=b/&delimiter=/", &["c"], &[]),
        ("&prefix=../", &[], &[]),
        ("&max-uploads=0", &[], &[]),
    ] {
        let reply = list(query.to_owned()).await;
        assert_eq!(reply.elements("Key"), keys, "{query}");
        let groups = reply.elements("CommonPrefixes");
        let want: Vec<String> = prefixes.iter().map(|prefix| format!("<Prefix>{prefix}</Prefix>")).collect();
        assert_eq!(groups, want, "{query}");
    }
    for delimiter in ["", "&delimiter=/"] {
        let (mut seen, mut marker) = (Vec::new(), String::new());
        loop {
            let reply = list(format!("&max-uploads=1{delimiter}{marker}")).await;
            seen.extend(reply.elements("UploadId"));
            seen.extend(reply.elements("CommonPrefixes"));
            if reply.element("IsTruncated") != "true" {
                break;
            }
            marker = format!(
                "&key-marker={}&upload-id-marker={}",
                reply.element("NextKeyMarker"),
                reply.element("NextUploadIdMarker")
            );
        }
        assert_eq!(seen.len(), if delimiter.is_empty() { 5 } else { 4 }, "{seen:?}");
        assert_eq!(seen.iter().filter(|id| **id == second.id).count(), 1, "{seen:?}");
    }
}

/// Parts are shown page by page, for objects whose parts have checksums.
#[tokio::test]
async fn attributes_of_parts() {
    let world = World::start().await;
    let upload = Upload::begin(&world, "/plain/k", &[("x-amz-checksum-algorithm", "CRC32")]).await;
    let (one, two) = (upload.uploaded(2, bytes(b'p', 5 * MIB)).await, upload.uploaded(7, b"end".to_vec()).await);
    assert_eq!(upload.complete(&[], &[&one, &two]).await.outcome(), "200 ");
    for (max, marker, numbers, sizes, truncated, next) in [
        ("1000", "0", &["2", "7"][..], &["5242880", "3"][..], "false", "7"),
        ("1", "0", &["2"], &["5242880"], "true", "2"),
        ("1", "2", &["7"], &["3"], "false", "7"),
        ("1", "7", &[], &[], "false", "0"),
        ("0", "0", &[], &[], "true", "0"),
    ] {
        let headers = [
            ("x-amz-object-attributes", "ObjectParts"),
            ("x-amz-max-parts", max),
            ("x-amz-part-number-marker", marker),
        ];
        let reply = world.send("GET /plain/k?attributes", &headers, "").await;
        let got = (reply.elements("PartNumber"), reply.elements("Size"));
        assert_eq!((&*got.0, &*got.1), (&*texts(numbers), &*texts(sizes)), "{headers:?}: {}", reply.text());
        let got = ["IsTruncated", "NextPartNumberMarker", "PartsCount"].map(|name| reply.element(name));
        assert_eq!(got, [truncated, next, "2"], "{headers:?}");
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// What stands in the way of an upload before its first part.
#[tokio::test]
async fn uploads_that_do_not_begin() {
    let world = World::with_users().await;
    let begun = world.ask_admin("POST /plain/k?uploads").await.element("UploadId");
    let (part, list) =
        (format!("PUT /plain/k?partNumber=1&uploadId={begun}"), format!("GET /plain/k?uploadId={begun}"));
    let (end, abort) = (format!("POST /plain/k?uploadId={begun}"), format!("DELETE /plain/k?uploadId={begun}"));
    let customer = ("x-amz-server-side-encryption-customer-algorithm", "AES256");
    world
        .check(&[
            ("writer", "POST /plain/w?uploads", &[], "", "200 "),
            ("reader", "POST /plain/w?uploads", &[], "", "403 AccessDenied"),
            ("admin", "POST /plain/k?uploads", &[customer], "", "501 NotImplemented"),
            ("admin", "POST /nowhere/k?uploads", &[], "", "404 NoSuchBucket"),
            ("admin", &part, &[customer], "x", "501 NotImplemented"),
            ("reader", &part, &[], "x", "403 AccessDenied"),
            ("nobody", &list, &[], "", "403 AccessDenied"),
            ("reader", &end, &[], "<", "403 AccessDenied"),
            ("reader", &abort, &[], "", "403 AccessDenied"),
            ("admin", &end, &[], "<", "400 MalformedXML"),
            ("admin", &end, &[customer], "<", "501 NotImplemented"),
            ("admin", &end, &[], "<CompleteMultipartUpload/>", "400 MalformedXML"),
            ("admin", "GET /plain?uploads", &[], "", "200 "),
            ("nobody", "GET /plain?uploads", &[], "", "403 AccessDenied"),
            ("admin", &abort, &[], "", "204 "),
            ("admin", &abort, &[], "", "404 NoSuchUpload"),
            ("admin", &part, &[], "x", "404 NoSuchUpload"),
        ])
        .await;
}

/// How requests name an upload: the one that adds its first part, and the path of the others.
struct Begun {
    part: String,
    object: String,
}

impl Begun {
    async fn by(user: &str, world: &World, path: &str) -> Begun {
        let headers = [("x-amz-tagging", "scan=clean")];
        let begun = world.send_as(user, &format!("POST {path}?uploads"), &headers, "").await;
        let id = begun.element("UploadId");
        Begun { part: format!("PUT {path}?partNumber=1&uploadId={id}"), object: format!("{path}?uploadId={id}") }
    }

    fn to(&self, method: &str) -> String {
        format!("{method} {}", self.object)
    }
}

/// The list of the one part `x`.
fn list_of_x() -> String {
    format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", line(1, "9dd4e461268c8034f5c8564e155c67a6"))
}

/// The object gets the tags, the ACL and the owner that its initiator was allowed to give it, and no bytes of anyone else.
#[tokio::test]
async fn only_the_initiator_adds_parts_and_completes() {
    let world = World::with_users().await;
    let (copy, list) = ([("x-amz-copy-source", "shared/source")], list_of_x());
    let begun = Begun::by("admin", &world, "/shared/k").await;
    let (end, parts, abort) = (begun.to("POST"), begun.to("GET"), begun.to("DELETE"));
    let refused = "403 AccessDenied";
    world
        .check(&[
            ("other", "PUT /shared/source", &[], "x", "200 "),
            // The policy of the bucket lets everyone write.
            ("other", &begun.part, &[], "x", refused),
            ("nobody", &begun.part, &[], "x", refused),
            ("", &begun.part, &[], "x", refused),
            ("other", &begun.part, &copy, "", refused),
            ("admin", &begun.part, &[], "x", "200 "),
            ("other", &end, &[], &list, refused),
            ("nobody", &end, &[], &list, refused),
            ("", &end, &[], &list, refused),
            ("nobody", &parts, &[], "", "200 "),
            ("admin", &end, &[], &list, "200 "),
            ("other", &abort, &[], "", "404 NoSuchUpload"),
        ])
        .await;
    let abandoned = Begun::by("admin", &world, "/shared/k").await;
    world.check(&[("nobody", &abandoned.to("DELETE"), &[], "", "204 ")]).await;
}

/// The answer to a completion that is repeated tells what the object holds.
#[tokio::test]
async fn only_the_initiator_has_the_answer_again() {
    let world = World::with_users().await;
    let begun = Begun::by("writer", &world, "/plain/k").await;
    let (end, list, wrong) = (begun.to("POST"), list_of_x(), list_of_x().replace("9dd4", "9dd5"));
    let gone = "404 NoSuchUpload";
    world
        .check(&[
            ("writer", &begun.part, &[], "x", "200 "),
            ("writer", &end, &[], &list, "200 "),
            ("writer", "GET /plain/k", &[], "", "403 AccessDenied"),
            ("writer", &end, &[], &list, "200 "),
            ("writer", &end, &[], &wrong, gone),
            ("admin", &end, &[], &list, gone),
        ])
        .await;
    let shown = world.ask_admin("GET /plain/k").await;
    assert!(!shown.headers.keys().any(|name| name.as_str().contains("initiator")), "{:?}", shown.headers);

    // The object of `weed s3` or of an older gateway.
    let (directory, name) = ("/buckets/plain".to_owned(), "k".to_owned());
    let remove = vec![INITIATOR_ID.to_owned()];
    let patch = filer::Mutation::Patch { directory, name, set: Default::default(), remove, content: None };
    let mutations = vec![patch];
    world.filer.transact(filer::Transaction { lock_key: "/".into(), mutations, ..Default::default() }).await.unwrap();
    world.check(&[("writer", &end, &[], &list, gone), ("admin", &end, &[], &list, "200 ")]).await;
}

/// The answer says why, and so does the audit record. Who may not write learns nothing of the upload.
#[tokio::test]
async fn refusals_of_others_than_the_initiator() {
    let world = World::with_users().await;
    let begun = Begun::by("admin", &world, "/plain/k").await;
    let mut claims = Claims::default();
    for (user, want) in [
        ("writer", "Only the initiator of a multipart upload can add parts to it and complete it"),
        ("reader", "is not authorized to perform: s3:PutObject"),
    ] {
        world.auditor.records();
        let reply = world.send_as(user, &begun.part, &[], "x").await;
        claims.claim(user, (&*reply.outcome(), reply.element("Message").contains(want)), ("403 AccessDenied", true));
        let record = world.auditor.records().pop().unwrap();
        claims.claim(user, record.request_id, reply.element("DecisionId"));
        let last = record.decisions.last().map(ToString::to_string);
        claims.claim(user, last.as_deref(), Some("s3:PutObject arn:aws:s3:::plain/k implicit_deny"));
        let error = record.error.unwrap();
        claims.claim(user, (&*error.code, error.message.contains(want)), ("AccessDenied", true));
    }
    claims.end();
}

/// An upload of `weed s3` or of an older gateway does not say who began it.
#[tokio::test]
async fn an_upload_without_an_initiator() {
    let world = World::with_users().await;
    let begun = Begun::by("admin", &world, "/shared/k").await;
    let shown = || async {
        let reply = world.ask_admin(&begun.to("GET")).await;
        ["Initiator", "Owner"].map(|name| reply.element(name))
    };
    let [initiator, owner] = shown().await;
    assert_eq!(initiator, "<ID>arn:aws:iam::000000000000:user/admin</ID><DisplayName>admin</DisplayName>");
    let listed = world.ask_admin("GET /shared?uploads").await;
    assert_eq!([listed.element("Initiator"), listed.element("Owner")], [initiator, owner.clone()]);

    let (directory, name) =
        ("/buckets/shared/.uploads".to_owned(), begun.object.split('=').next_back().unwrap().into());
    let remove = [INITIATOR_ID, INITIATOR_ARN].map(str::to_owned).to_vec();
    let patch = filer::Mutation::Patch { directory, name, set: Default::default(), remove, content: None };
    let mutations = vec![patch];
    world.filer.transact(filer::Transaction { lock_key: "/".into(), mutations, ..Default::default() }).await.unwrap();
    assert_eq!(shown().await, [owner.clone(), owner]);
    world
        .check(&[
            ("other", &begun.part, &[], "x", "200 "),
            ("nobody", &begun.to("POST"), &[], &list_of_x(), "200 "),
            ("nobody", "GET /shared/k", &[], "", "200 "),
        ])
        .await;
}

/// AWS refuses them too, whatever policies and ACLs allow.
#[tokio::test]
async fn anonymous_callers_begin_no_upload() {
    for (world, path) in [(World::start().await, "/plain/k"), (World::with_users().await, "/shared/k")] {
        let reply = world.ask(&format!("POST {path}?uploads")).await;
        let want = "Anonymous users cannot initiate multipart uploads.  Please authenticate.";
        assert_eq!((&*reply.outcome(), &*reply.element("Message")), ("403 AccessDenied", want), "{path}");
        assert_eq!(world.send(&format!("PUT {path}"), &[], "x").await.outcome(), "200 ", "{path}");
    }
}
