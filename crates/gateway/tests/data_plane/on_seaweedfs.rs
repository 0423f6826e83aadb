//! Writes on a real SeaweedFS, where one entry represents both `a` and the directory of `a/b`.

use crate::support::{World, seaweedfs};
use testkit::weed::WeedCluster;

async fn start() -> (WeedCluster, World) {
    let (cluster, filer) = seaweedfs().await;
    let world = World::over(filer).await;
    (cluster, world)
}

/// Request line, headers, body and outcome.
type Step<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

/// Sends requests in order and compares their outcomes.
async fn check(world: &World, steps: &[Step<'_>]) {
    for (line, headers, body, want) in steps {
        let reply = world.send_as("admin", line, headers, (*body).to_owned()).await;
        assert_eq!(reply.outcome(), *want, "{line} {headers:?}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes() {
    let (_cluster, world) = start().await;
    objects(&world).await;
    names_and_directories(&world).await;
    parts(&world).await;
}

async fn objects(world: &World) {
    let (absent, any) = (("if-none-match", "*"), ("if-match", "*"));
    let onto_itself =
        [("x-amz-copy-source", "plain/o"), ("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-m", "2")];
    let tags = "<Tagging><TagSet><Tag><Key>t</Key><Value>1</Value></Tag></TagSet></Tagging>";
    check(
        world,
        &[
            ("PUT /plain/o", &[any], "one", "404 NoSuchKey"),
            ("PUT /plain/o", &[absent], "one", "200 "),
            ("PUT /plain/o", &[absent], "two", "412 PreconditionFailed"),
            ("PUT /plain/o", &[("if-match", "\"x\"")], "two", "412 PreconditionFailed"),
            ("PUT /plain/o?tagging", &[], tags, "200 "),
            ("PUT /plain/o", &onto_itself, "", "200 "),
            ("PUT /plain/copy", &[("x-amz-copy-source", "plain/o")], "", "200 "),
        ],
    )
    .await;
    for key in ["o", "copy"] {
        let got = world.ask(&format!("GET /plain/{key}")).await;
        let seen = (got.text(), got.header("x-amz-meta-m"), got.header("x-amz-tagging-count"));
        assert_eq!(seen, ("one", "2", "1"), "{key}");
    }
    check(world, &[("DELETE /plain/o", &[], "", "204 "), ("DELETE /plain/o", &[], "", "204 ")]).await;
    assert_eq!(world.ask("GET /plain/copy").await.text(), "one");
    check(world, &[("DELETE /plain/copy", &[], "", "204 ")]).await;
}

async fn names_and_directories(world: &World) {
    for (stored, deleted, left) in [
        (&["a", "a/b"][..], "a", &["a/b"][..]),
        (&["a", "a/b"], "a/b", &["a"]),
        (&["a/", "a/b"], "a/", &["a/b"]),
        (&["a/", "a/b"], "a/b", &["a/"]),
        (&["a/b"], "a", &["a/b"]),
        (&["a/"], "a", &["a/"]),
        (&["a/"], "a/", &[]),
    ] {
        for key in stored {
            world.put(&format!("/plain/{key}"), if key.ends_with('/') { "" } else { *key }).await;
        }
        for key in stored {
            let want = if key.ends_with('/') { "" } else { *key };
            assert_eq!(world.ask(&format!("GET /plain/{key}")).await.text(), want, "{stored:?}");
        }
        check(world, &[(&format!("DELETE /plain/{deleted}"), &[], "", "204 ")]).await;
        for key in ["a", "a/", "a/b"] {
            let want = if left.contains(&key) { 200 } else { 404 };
            let got = world.ask(&format!("GET /plain/{key}")).await;
            assert_eq!(got.status.as_u16(), want, "{key} of {stored:?} without {deleted}");
        }
        for key in ["a/b", "a", "a/"] {
            check(world, &[(&format!("DELETE /plain/{key}"), &[], "", "204 ")]).await;
        }
    }
    world.put("/plain/c/d", "below").await;
    let absent = [("if-none-match", "*")];
    check(
        world,
        &[("PUT /plain/c", &absent, "file", "200 "), ("PUT /plain/c", &absent, "x", "412 PreconditionFailed")],
    )
    .await;
    world.put("/plain/c", "again").await;
    assert_eq!(world.ask("GET /plain/c").await.text(), "again");
    assert_eq!(world.ask("GET /plain/c/d").await.text(), "below");
    world.put("/plain/f", "file").await;
    check(world, &[("PUT /plain/f/", &[], "", "409 ExistingObjectIsFile")]).await;
    world.put("/plain/f/g", "below").await;
    check(world, &[("PUT /plain/f/", &[], "", "409 ExistingObjectIsFile")]).await;
    assert_eq!(world.ask("GET /plain/f").await.text(), "file");
    assert_eq!(world.keys("plain").await, ["c", "c/d", "f", "f/g"]);
    let grouped = world.ask("GET /plain?list-type=2&delimiter=/").await;
    assert_eq!(grouped.elements("Key"), ["c", "f"]);
    assert_eq!(grouped.elements("CommonPrefixes"), ["<Prefix>c/</Prefix>", "<Prefix>f/</Prefix>"]);
    check(world, &[("DELETE /plain/f/g", &[], "", "204 ")]).await;
    let grouped = world.ask("GET /plain?list-type=2&delimiter=/&start-after=d").await;
    assert_eq!((grouped.elements("Key"), grouped.elements("CommonPrefixes")), (vec!["f".to_owned()], Vec::new()));
    // The versions of `k` would be in the directory `k.versions`.
    for line in ["PUT /versioned/k.versions", "POST /versioned/k.versions?uploads", "PUT /suspended/d/k.versions"] {
        let refused = world.send_as("admin", line, &[], "x".to_owned()).await;
        assert_eq!(refused.outcome(), "501 NotImplemented", "{line}");
        assert!(refused.text().contains("choose another key"), "{}", refused.text());
    }
}

async fn parts(world: &World) {
    let begin = || async { world.ask_admin("POST /plain/mp/x?uploads").await.element("UploadId") };
    let line = |number: u32, etag: &str| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    let id = begin().await;
    let mut list = String::new();
    for (number, body) in [(1, vec![b'p'; 5 << 20]), (2, b"end".to_vec()), (3, b"unlisted".to_vec())] {
        let reply =
            world.send_as("admin", &format!("PUT /plain/mp/x?partNumber={number}&uploadId={id}"), &[], body).await;
        assert_eq!(reply.outcome(), "200 ", "{}", reply.text());
        if number < 3 {
            list += &line(number, reply.header("etag"));
        }
    }
    let body = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    let complete = format!("POST /plain/mp/x?uploadId={id}");
    let late = format!("PUT /plain/mp/x?partNumber=4&uploadId={id}");
    let abort = format!("DELETE /plain/mp/x?uploadId={id}");
    check(
        world,
        &[
            (&complete, &[], &body, "200 "),
            (&complete, &[], &body, "200 "),
            (&late, &[], "late", "404 NoSuchUpload"),
            (&abort, &[], "", "404 NoSuchUpload"),
        ],
    )
    .await;
    let got = world.ask("GET /plain/mp/x").await;
    assert_eq!((got.body.len(), &got.body[5 << 20..]), ((5 << 20) + 3, &b"end"[..]));
    assert_eq!(world.ask("GET /plain/mp/x?partNumber=2").await.text(), "end");
    let id = begin().await;
    world.send_as("admin", &format!("PUT /plain/mp/x?partNumber=1&uploadId={id}"), &[], "x").await;
    check(world, &[(&format!("DELETE /plain/mp/x?uploadId={id}"), &[], "", "204 ")]).await;
    assert_eq!(world.ask("GET /plain?uploads").await.elements("UploadId"), [""; 0]);
}
