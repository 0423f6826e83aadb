//! Buckets that keep versions: what each operation does there, and which permissions it takes.

use std::sync::Arc;
use std::time::Duration;

use bucket::attributes::{LOCK_MODE, VERSIONING};
use filer::EmbeddedFiler;
use filer::fault::{Call, Fault, FaultyFiler};

use crate::support::{Claims, Reply, World};

/// What an answer says of versions: its outcome, the version, and whether that is a delete marker.
fn said(reply: &Reply) -> String {
    let marker = if reply.header("x-amz-delete-marker") == "true" { " marker" } else { "" };
    format!("{}{marker}", reply.outcome())
}

/// Puts an object and returns its version.
async fn put(world: &World, path: &str, body: &'static str) -> String {
    world.put(path, body).await.header("x-amz-version-id").to_owned()
}

#[tokio::test]
async fn versions_of_a_key() {
    let world = World::start().await;
    let first = put(&world, "/versioned/d/k", "first").await;
    let second = put(&world, "/versioned/d/k", "second").await;
    assert!(first.len() == 32 && first != second, "{first} {second}");
    let marked = world.ask("DELETE /versioned/d/k").await;
    assert_eq!(said(&marked), "204  marker");
    let marker = marked.header("x-amz-version-id").to_owned();
    let at = |id: &str| format!("/versioned/d/k?versionId={id}");
    let mut claims = Claims::default();
    for (method, path, want, version, body) in [
        ("GET", "/versioned/d/k".to_owned(), "404 NoSuchKey marker", &*marker, ""),
        ("HEAD", "/versioned/d/k".to_owned(), "404  marker", &marker, ""),
        ("GET", at(&first), "200 ", &first, "first"),
        ("GET", at(&second), "200 ", &second, "second"),
        ("HEAD", at(&second), "200 ", &second, ""),
        ("GET", at(&marker), "405 MethodNotAllowed marker", &marker, ""),
        ("HEAD", at(&marker), "405  marker", &marker, ""),
        ("GET", at("null"), "404 NoSuchVersion", "", ""),
        ("GET", at("682e4d90a2f0b1c300000000000000aa"), "404 NoSuchVersion", "", ""),
        ("GET", at("..%2Fk"), "400 InvalidArgument", "", ""),
        ("GET", format!("{}&tagging", at(&first)), "200 ", "", ""),
        ("GET", format!("{}&tagging", at(&marker)), "405 MethodNotAllowed marker", &marker, ""),
        // Removing the delete marker brings the object back.
        ("DELETE", at(&marker), "204  marker", &marker, ""),
        ("GET", "/versioned/d/k".to_owned(), "200 ", &second, "second"),
        ("DELETE", at(&marker), "204 ", &marker, ""),
        ("DELETE", at(&second), "204 ", &second, ""),
        ("GET", "/versioned/d/k".to_owned(), "200 ", &first, "first"),
        ("DELETE", at(&first), "204 ", &first, ""),
        ("GET", "/versioned/d/k".to_owned(), "404 NoSuchKey", "", ""),
        // A key that never existed gets a delete marker.
        ("DELETE", at("null"), "204 ", "null", ""),
    ] {
        let reply = world.ask(&format!("{method} {path}")).await;
        claims.claim(&format!("{method} {path}"), &*said(&reply), want);
        claims.claim(&format!("{method} {path}: version"), reply.header("x-amz-version-id"), version);
        if want == "200 " && method == "GET" && !body.is_empty() {
            claims.claim(&path, reply.text(), body);
        }
    }
    claims.claim("a key that never was", &*said(&world.ask("DELETE /versioned/new").await), "204  marker");
    claims.end();
    assert!(world.entry("versioned/d/k.versions").await.is_none(), "an empty directory of versions is removed");
}

#[tokio::test]
async fn the_version_null() {
    let world = World::start().await;
    let mut claims = Claims::default();
    for (line, want, version) in [
        ("PUT /suspended/k", "200 ", "null"),
        ("PUT /suspended/k", "200 ", "null"),
        ("GET /suspended/k", "200 ", "null"),
        ("GET /suspended/k?versionId=null", "200 ", "null"),
        ("DELETE /suspended/k", "204  marker", "null"),
        ("DELETE /suspended/k", "204  marker", "null"),
        ("GET /suspended/k", "404 NoSuchKey marker", "null"),
        ("GET /suspended/k?versionId=null", "405 MethodNotAllowed marker", "null"),
        ("PUT /suspended/k", "200 ", "null"),
        ("GET /suspended/k", "200 ", "null"),
        ("DELETE /suspended/k?versionId=null", "204 ", "null"),
        ("GET /suspended/k", "404 NoSuchKey", ""),
        // Markers of directories have no versions.
        ("PUT /suspended/d/", "200 ", ""),
        ("PUT /versioned/d/", "200 ", ""),
        ("GET /versioned/d/", "200 ", ""),
        ("DELETE /versioned/d/", "204 ", ""),
        ("GET /versioned/d/", "404 NoSuchKey", ""),
        // Nor have keys of buckets that never kept any.
        ("PUT /plain/k", "200 ", ""),
        ("GET /plain/k?versionId=null", "200 ", ""),
        ("DELETE /plain/k?versionId=null", "204 ", ""),
    ] {
        let reply = world.send(line, &[], "").await;
        claims.claim(line, &*said(&reply), want);
        claims.claim(&format!("{line}: version"), reply.header("x-amz-version-id"), version);
    }
    claims.end();
    assert!(world.entry("suspended/k.versions").await.is_none());
}

#[tokio::test]
async fn versioning_is_turned_on_and_off() {
    let world = World::with_users().await;
    let set = |status: &str| format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    let mfa =
        "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>";
    let bare = "<VersioningConfiguration/>";
    world
        .check(&[
            ("admin", "PUT /plain/k", &[], "before", "200 "),
            ("writer", "PUT /plain?versioning", &[], &set("Enabled"), "200 "),
            ("admin", "PUT /plain/k", &[], "after", "200 "),
            ("admin", "GET /plain/k?versionId=null", &[], "", "200 "),
            ("reader", "PUT /plain?versioning", &[], &set("Suspended"), "403 AccessDenied"),
            ("", "PUT /plain?versioning", &[], &set("Suspended"), "403 AccessDenied"),
            ("admin", "PUT /plain?versioning", &[], mfa, "501 NotImplemented"),
            ("admin", "PUT /plain?versioning", &[], bare, "400 IllegalVersioningConfigurationException"),
            ("admin", "PUT /plain?versioning", &[], &set("Off"), "400 MalformedXML"),
            ("admin", "PUT /plain?versioning", &[], "", "400 MalformedXML"),
            ("admin", "PUT /nowhere?versioning", &[], &set("Enabled"), "404 NoSuchBucket"),
            ("admin", "PUT /locked?versioning", &[], &set("Suspended"), "409 InvalidBucketState"),
        ])
        .await;
    assert_eq!(world.ask_admin("GET /plain?versioning").await.element("Status"), "Enabled");
    assert_eq!(world.ask_admin("GET /plain/k").await.text(), "after");
    assert_eq!(world.ask_admin("GET /plain/k?versionId=null").await.text(), "before");
    world.check(&[("admin", "PUT /plain?versioning", &[], &set("Suspended"), "200 ")]).await;
    assert_eq!(world.ask_admin("GET /plain?versioning").await.element("Status"), "Suspended");
    assert_eq!(world.ask_admin("GET /plain/k").await.text(), "after", "versions stay");
}

#[tokio::test]
async fn versions_take_permissions_of_their_own() {
    let world = World::with_users().await;
    let policy = |statements: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let allow = |actions: &str, condition: &str| {
        let resource = r#"["arn:aws:s3:::plain","arn:aws:s3:::plain/*"]"#;
        format!(r#"{{"Effect":"Allow","Principal":"*","Action":{actions},"Resource":{resource}{condition}}}"#)
    };
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    world.check(&[("admin", "PUT /plain?versioning", &[], enabled, "200 ")]).await;
    let id = world.send_as("admin", "PUT /plain/k", &[], "x").await.header("x-amz-version-id").to_owned();
    let (get, head, delete) = (
        format!("GET /plain/k?versionId={id}"),
        format!("HEAD /plain/k?versionId={id}"),
        format!("DELETE /plain/k?versionId={id}"),
    );
    let many = format!("<Delete><Object><Key>k</Key><VersionId>{id}</VersionId></Object></Delete>");
    let of_version = format!(r#","Condition":{{"StringEquals":{{"s3:VersionId":"{id}"}}}}"#);
    for (statement, want) in [
        (
            allow(r#"["s3:GetObject","s3:PutObject","s3:DeleteObject"]"#, ""),
            ["200 ", "403 AccessDenied", "403 ", "403 AccessDenied"],
        ),
        (allow(r#"["s3:GetObjectVersion"]"#, ""), ["403 AccessDenied", "200 ", "200 ", "403 AccessDenied"]),
        (allow(r#"["s3:GetObjectVersion"]"#, &of_version), ["403 AccessDenied", "200 ", "200 ", "403 AccessDenied"]),
        (
            allow(r#"["s3:GetObjectVersion"]"#, &of_version.replace(&id, "other")),
            ["403 AccessDenied", "403 AccessDenied", "403 ", "403 AccessDenied"],
        ),
    ] {
        world.check(&[("admin", "PUT /plain?policy", &[], &policy(&statement), "204 ")]).await;
        world
            .check(&[
                ("nobody", "GET /plain/k", &[], "", want[0]),
                ("nobody", &get, &[], "", want[1]),
                ("nobody", &head, &[], "", want[2]),
                ("nobody", &delete, &[], "", want[3]),
            ])
            .await;
        let reply = world.send_as("nobody", "POST /plain?delete", &[], many.clone()).await;
        assert!(reply.text().contains("<Code>AccessDenied</Code>"), "{statement}: {}", reply.text());
    }
    world.check(&[("admin", &get, &[], "", "200 ")]).await;
    let statement = allow(r#"["s3:DeleteObjectVersion"]"#, "");
    world
        .check(&[
            ("admin", "PUT /plain?policy", &[], &policy(&statement), "204 "),
            ("nobody", "DELETE /plain/k", &[], "", "403 AccessDenied"),
            ("nobody", &delete, &[], "", "204 "),
            ("admin", &get, &[], "", "404 NoSuchVersion"),
        ])
        .await;
}

#[tokio::test]
async fn many_are_deleted_with_and_without_versions() {
    let world = World::start().await;
    let a = put(&world, "/versioned/a", "a").await;
    put(&world, "/versioned/b", "b").await;
    let marker = world.ask("DELETE /versioned/c").await.header("x-amz-version-id").to_owned();
    let body = format!(
        "<Delete><Object><Key>a</Key><VersionId>{a}</VersionId></Object><Object><Key>b</Key></Object>\
         <Object><Key>c</Key><VersionId>{marker}</VersionId></Object></Delete>"
    );
    let reply = world.send("POST /versioned?delete", &[], body).await;
    let deleted = reply.elements("Deleted");
    assert_eq!(deleted[0], format!("<Key>a</Key><VersionId>{a}</VersionId>"));
    assert!(deleted[1].starts_with("<Key>b</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>"));
    let removed = "<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>";
    assert_eq!(
        deleted[2],
        format!("<Key>c</Key><VersionId>{marker}</VersionId>{removed}{marker}</DeleteMarkerVersionId>")
    );
    assert_eq!(world.keys("versioned").await, [""; 0]);
}

#[tokio::test]
async fn copies_parts_and_tags_of_versions() {
    let world = World::start().await;
    let first = put(&world, "/versioned/k", "first").await;
    let second = put(&world, "/versioned/k", "second").await;
    let source = format!("versioned/k?versionId={first}");
    // A copy onto itself brings an old version back as a new one, with data of its own.
    let reply = world.send("PUT /versioned/k", &[("x-amz-copy-source", &source)], "").await;
    assert_eq!((said(&reply), reply.header("x-amz-copy-source-version-id")), ("200 ".to_owned(), &*first));
    let third = reply.header("x-amz-version-id").to_owned();
    assert!(third != first && third != second);
    world.ask(&format!("DELETE /versioned/k?versionId={first}")).await;
    assert_eq!(world.ask("GET /versioned/k").await.text(), "first");
    assert_eq!(world.ask(&format!("GET /versioned/k?versionId={second}")).await.text(), "second");
    let reply = world.send("PUT /plain/copy", &[("x-amz-copy-source", "versioned/k")], "").await;
    assert_eq!(reply.header("x-amz-copy-source-version-id"), third);
    assert!(!reply.headers.contains_key("x-amz-version-id"), "the target keeps no versions");

    let marker = world.ask("DELETE /versioned/k").await.header("x-amz-version-id").to_owned();
    let of_marker = format!("versioned/k?versionId={marker}");
    for (source, want) in [("versioned/k", "404 NoSuchKey"), (&of_marker, "400 InvalidRequest")] {
        let reply = world.send("PUT /plain/copy", &[("x-amz-copy-source", source)], "").await;
        assert_eq!(reply.outcome(), want, "{source}");
    }

    let id = world.ask_admin("POST /versioned/k?uploads").await.element("UploadId");
    let part = world.send_as("admin", &format!("PUT /versioned/k?partNumber=1&uploadId={id}"), &[], "parts").await;
    assert!(!part.headers.contains_key("x-amz-version-id"), "a part is no version");
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag")
    );
    let done = world.send_as("admin", &format!("POST /versioned/k?uploadId={id}"), &[], list.clone()).await;
    assert_eq!(done.outcome(), "200 ", "{}", done.text());
    let assembled = done.header("x-amz-version-id").to_owned();
    let again = world.send_as("admin", &format!("POST /versioned/k?uploadId={id}"), &[], list).await;
    assert_eq!((again.outcome(), again.header("x-amz-version-id")), ("200 ".to_owned(), &*assembled));
    let got = world.ask(&format!("GET /versioned/k?versionId={assembled}")).await;
    assert_eq!((got.text(), got.header("x-amz-mp-parts-count")), ("parts", "1"));
    assert_eq!(world.ask("GET /versioned/k").await.text(), "parts");
    assert!(world.entry(&format!("versioned/.uploads/{id}")).await.is_none(), "the upload is removed");

    let tags = "<Tagging><TagSet><Tag><Key>t</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let of_second = format!("/versioned/k?tagging&versionId={second}");
    assert_eq!(world.send(&format!("PUT {of_second}"), &[], tags).await.outcome(), "200 ");
    assert_eq!(world.ask(&format!("GET {of_second}")).await.element("Value"), "1");
    assert_eq!(world.ask("GET /versioned/k?tagging").await.element("Value"), "");
    assert_eq!(world.ask(&format!("DELETE {of_second}")).await.outcome(), "204 ");
    assert_eq!(world.ask(&format!("GET {of_second}")).await.element("Value"), "");
    assert_eq!(world.ask("GET /versioned/k").await.header("x-amz-version-id"), assembled, "tags make no version");
}

#[tokio::test]
async fn conditions_are_about_the_current_version() {
    let world = World::start().await;
    let first = world.put("/versioned/k", "first").await.header("etag").to_owned();
    let (absent, is_first, any) = (("if-none-match", "*"), ("if-match", &*first), ("if-match", "*"));
    for (line, header, want) in [
        ("PUT /versioned/k", absent, "412 PreconditionFailed"),
        ("PUT /versioned/k", is_first, "200 "),
        ("PUT /versioned/k", is_first, "412 PreconditionFailed"),
        ("DELETE /versioned/k", is_first, "412 PreconditionFailed"),
        ("DELETE /versioned/k", any, "204 "),
        ("PUT /versioned/k", any, "404 NoSuchKey"),
        ("PUT /versioned/k", absent, "200 "),
        ("PUT /suspended/k", absent, "200 "),
        ("PUT /suspended/k", absent, "412 PreconditionFailed"),
        ("DELETE /suspended/k", any, "204 "),
        ("PUT /suspended/k", absent, "200 "),
    ] {
        let reply = world.send(line, &[header], "second").await;
        assert_eq!(reply.outcome(), want, "{line} {header:?}: {}", reply.text());
    }
}

/// A client must not be able to say what only a gateway says.
#[tokio::test]
async fn internal_names_in_headers_mean_nothing() {
    let world = World::start().await;
    let headers = [
        ("seaweed-x-amz-version-id", "forged"),
        ("seaweed-x-amz-delete-marker", "true"),
        ("seaweed-x-amz-object-lock-mode", "COMPLIANCE"),
        ("x-amz-version-id", "forged"),
        ("x-amz-meta-seaweed-x-amz-delete-marker", "true"),
    ];
    for path in ["/plain/k", "/versioned/k", "/suspended/k"] {
        let reply = world.send(&format!("PUT {path}"), &headers, "x").await;
        assert_eq!(reply.outcome(), "200 ", "{path}");
        assert_ne!(reply.header("x-amz-version-id"), "forged", "{path}");
        assert_eq!(world.ask(&format!("GET {path}")).await.text(), "x", "{path}");
    }
    let entry = world.entry("plain/k").await.unwrap();
    assert!(
        !entry.extended.contains_key(LOCK_MODE) && entry.extended_text(VERSIONING).is_none(),
        "{:?}",
        entry.extended
    );
    let kept = put(&world, "/versioned/k", "kept").await;
    for path in [&format!("/versioned/k.versions/v_{kept}"), "/plain/k.versions/v_1", "/versioned/k.versions/"] {
        assert_eq!(world.ask(&format!("GET {path}")).await.outcome(), "404 NoSuchKey", "{path}");
        let body = if path.ends_with('/') { "" } else { "forged" };
        assert_eq!(world.send(&format!("PUT {path}"), &[], body).await.outcome(), "200 ", "a key of its own: {path}");
        assert_eq!(world.ask(&format!("DELETE {path}")).await.outcome(), "204 ", "{path}");
        assert_eq!(world.ask(&format!("GET /versioned/k?versionId={kept}")).await.text(), "kept", "{path}");
    }
}

/// `k.versions` is a key like any other, and never reaches the versions of `k`.
#[tokio::test]
async fn a_key_that_is_called_like_versions() {
    let world = World::start().await;
    let mut claims = Claims::default();
    let kept = put(&world, "/versioned/k", "kept").await;
    put(&world, "/suspended/k", "kept").await;
    for (line, want) in [
        ("PUT /plain/k.versions", "200 "),
        ("PUT /plain/k", "200 "),
        ("GET /plain/k.versions", "200 "),
        ("PUT /plain/k.versions/x", "200 "),
        ("DELETE /plain/k.versions", "204 "),
        ("GET /plain/k.versions", "404 NoSuchKey"),
        ("GET /plain/k", "200 "),
        ("GET /versioned/k.versions", "404 NoSuchKey"),
        ("GET /versioned/k.versions?versionId=null", "404 NoSuchVersion"),
        ("DELETE /versioned/k.versions?versionId=null", "204 "),
        ("DELETE /versioned/k.versions", "204 "),
        ("DELETE /suspended/k.versions", "204 "),
        ("GET /suspended/k", "200 "),
        ("PUT /versioned/k.versions", "200 "),
        ("POST /versioned/k.versions?uploads", "200 "),
        ("PUT /suspended/k.versions", "200 "),
        ("GET /suspended/k.versions?versionId=null", "200 "),
        ("DELETE /suspended/k?versionId=null", "204 "),
        ("GET /suspended/k", "404 NoSuchKey"),
        ("GET /suspended/k.versions", "200 "),
    ] {
        let body = if line.starts_with("PUT") { "x" } else { "" };
        claims.claim(line, world.send_as("admin", line, &[], body).await.outcome(), want);
    }
    let copied = world.send("PUT /versioned/k.versions", &[("x-amz-copy-source", "/plain/k")], "").await;
    claims.claim("a copy", copied.outcome(), "200 ");
    let read = world.ask(&format!("GET /versioned/k?versionId={kept}")).await;
    claims.claim("the version of k", read.text(), "kept");
    claims.end();
}

#[tokio::test]
async fn a_bucket_with_versions_stays() {
    let world = World::following(
        std::sync::Arc::new(filer::EmbeddedFiler::open(tempfile::tempdir().unwrap().path()).unwrap()),
        false,
    )
    .await;
    let id = put(&world, "/versioned/k", "x").await;
    let marker = world.ask("DELETE /versioned/k").await.header("x-amz-version-id").to_owned();
    for (line, want) in [
        ("DELETE /versioned".to_owned(), "409 BucketNotEmpty"),
        (format!("DELETE /versioned/k?versionId={id}"), "204 "),
        ("DELETE /versioned".to_owned(), "409 BucketNotEmpty"),
        (format!("DELETE /versioned/k?versionId={marker}"), "204 "),
        // Once measured on another gateway: these removed the bucket.
        ("DELETE /versioned?versioning".to_owned(), "405 MethodNotAllowed"),
        ("DELETE /versioned?object-lock".to_owned(), "405 MethodNotAllowed"),
        ("HEAD /versioned".to_owned(), "200 "),
        ("DELETE /versioned".to_owned(), "204 "),
    ] {
        assert_eq!(world.ask(&line).await.outcome(), want, "{line}");
    }
}

/// A PUT looks at the versions of its key once, while its body is being stored.
#[tokio::test]
async fn versions_are_looked_at_while_the_body_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let filer = Arc::new(FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap())));
    let world = World::over(filer.clone()).await;
    for (bucket, lookups) in [("plain", 0), ("versioned", 1), ("suspended", 1)] {
        let (path, before) = (format!("/{bucket}/k"), filer.calls(Call::Lookup));
        filer.set(Call::Write, Fault::HoldAnswer);
        let looked = async {
            let waiting = async {
                while filer.calls(Call::Lookup) < before + lookups {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let in_time = tokio::time::timeout(Duration::from_secs(10), waiting).await.is_ok();
            filer.clear();
            in_time
        };
        let (_, looked) = tokio::join!(world.put(&path, "x"), looked);
        assert!(looked, "{bucket}: it waits for the body to be stored");
        assert_eq!(filer.calls(Call::Lookup) - before, lookups, "{bucket}");
        assert_eq!(world.ask(&format!("GET {path}")).await.text(), "x", "{bucket}");
    }
}

/// The look begins after the checks of the body.
#[tokio::test]
async fn nothing_is_looked_at_for_a_body_that_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let filer = Arc::new(FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap())));
    let world = World::over(filer.clone()).await;
    let checksum = [("x-amz-checksum-crc32", "AAAAAA==")];
    let refused = world.send("PUT /versioned/k", &checksum, "x").await;
    assert_eq!(refused.outcome(), "400 BadDigest");
    assert_eq!(filer.calls(Call::Lookup), 0);
}
