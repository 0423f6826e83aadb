//! Which step answers first when several would refuse.

use std::sync::Arc;

use bucket::attributes;
use filer::fault::{Call, FaultyFiler};
use filer::{EmbeddedFiler, Mutation};

use crate::delete_bucket::Stopping;
use crate::support::{World, signer};

const TAGS: &str = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";

#[tokio::test]
async fn what_is_no_request_is_told_to_anyone() {
    let world = World::with_users().await;
    world
        .check(&[
            ("unknown", "GET /plain/%zz", &[], "", "400 InvalidURI"),
            ("unknown", "PUT /plain/a?unheard", &[], "", "501 NotImplemented"),
            ("unknown", "GET /plain/a%00b", &[], "", "400 InvalidArgument"),
            ("unknown", "GET /BUCKET/a", &[], "", "400 InvalidBucketName"),
            ("unknown", "POST /plain/a", &[], "", "405 MethodNotAllowed"),
            ("unknown", "PUT /plain/a", &[("if-none-match", "\"e\"")], "", "501 NotImplemented"),
            ("unknown", "PUT /plain/a", &[("x-amz-acl", "everyone")], "", "400 InvalidArgument"),
            ("", "PUT /plain/a", &[("content-md5", "x")], "", "400 InvalidDigest"),
            // Everything else begins with the key.
            ("unknown", "GET /plain/a", &[], "", "403 InvalidAccessKeyId"),
            ("unknown", "GET /nowhere/a", &[], "", "403 InvalidAccessKeyId"),
            ("unknown", "PUT /plain?replication", &[], "<", "403 InvalidAccessKeyId"),
            ("unknown", "PUT /plain/a?tagging", &[], "<", "403 InvalidAccessKeyId"),
            ("unknown", "PUT /plain/a", &[("x-amz-expected-bucket-owner", "me")], "", "403 InvalidAccessKeyId"),
        ])
        .await;
}

/// A caller without permission learns nothing else: neither what exists nor what is wrong with a document.
#[tokio::test]
async fn permission_comes_before_existence_and_content() {
    let world = World::with_users().await;
    world.send_as("admin", "PUT /plain/there", &[], "hello").await;
    let (owner, wrong) = (("x-amz-expected-bucket-owner", "111122223333"), ("x-amz-expected-bucket-owner", "me"));
    world
        .check(&[
            ("nobody", "GET /nowhere/a", &[], "", "403 AccessDenied"),
            ("admin", "GET /nowhere/a", &[], "", "404 NoSuchBucket"),
            ("nobody", "GET /plain/there", &[], "", "403 AccessDenied"),
            ("nobody", "PUT /plain?tagging", &[], "<", "403 AccessDenied"),
            ("admin", "PUT /plain?tagging", &[], "<", "400 MalformedXML"),
            // The document comes before the bucket.
            ("admin", "PUT /nowhere?tagging", &[], "<", "400 MalformedXML"),
            ("admin", "PUT /nowhere?tagging", &[], TAGS, "404 NoSuchBucket"),
            ("nobody", "PUT /plain?policy", &[], "<", "403 AccessDenied"),
            ("admin", "PUT /plain?policy", &[], "<", "400 MalformedPolicy"),
            ("nobody", "PUT /plain?replication", &[], "<", "403 AccessDenied"),
            ("admin", "PUT /plain?replication", &[], "<", "501 NotImplemented"),
            ("nobody", "PUT /plain/a", &[("x-amz-server-side-encryption", "AES256")], "", "403 AccessDenied"),
            ("admin", "PUT /plain/a", &[("x-amz-server-side-encryption", "AES256")], "", "501 NotImplemented"),
            ("admin", "PUT /nowhere/a", &[("x-amz-server-side-encryption", "AES256")], "", "404 NoSuchBucket"),
            ("nobody", "PUT /plain/a", &[("x-amz-checksum-crc32", "AAAAAA==")], "x", "403 AccessDenied"),
            ("admin", "PUT /plain/a", &[("x-amz-checksum-crc32", "AAAAAA==")], "x", "400 BadDigest"),
            // The condition comes before the body.
            (
                "admin",
                "PUT /plain/there",
                &[("x-amz-checksum-crc32", "AAAAAA=="), ("if-none-match", "*")],
                "x",
                "412 PreconditionFailed",
            ),
            ("nobody", "GET /plain/there", &[wrong], "", "403 AccessDenied"),
            ("admin", "GET /plain/there", &[wrong], "", "400 InvalidBucketOwnerAWSAccountID"),
            ("admin", "GET /plain/there", &[owner], "", "403 AccessDenied"),
            ("admin", "GET /plain/there", &[("x-amz-expected-bucket-owner", "000000000000")], "", "200 "),
            // Without a bucket no one is the wrong owner.
            ("admin", "GET /nowhere/there", &[owner], "", "404 NoSuchBucket"),
            ("admin", "GET /plain?x-amz-expected-bucket-owner=111122223333", &[], "", "200 "),
        ])
        .await;
    assert_eq!(world.ask_admin("GET /plain").await.elements("Key"), ["there"]);
}

/// In a presigned URL the expected owner is a parameter, however its name is spelled.
#[tokio::test]
async fn the_expected_owner_of_a_presigned_url() {
    let world = World::with_users().await;
    for name in ["x-amz-expected-bucket-owner", "X-Amz-Expected-Bucket-Owner", "x-amz-expected%2Dbucket-owner"] {
        for (owner, want) in [("000000000000", "200 "), ("111122223333", "403 AccessDenied")] {
            let head = signer("admin").presign(world.head(&format!("GET /plain?{name}={owner}"), &[]), 60);
            assert_eq!(world.deliver(head, Default::default()).await.outcome(), want, "{name}={owner}");
        }
    }
}

/// `reader` may read and not list, `writer` may write and not read.
#[tokio::test]
async fn what_a_missing_permission_hides() {
    let world = World::with_users().await;
    world.send_as("admin", "PUT /plain/there", &[("x-amz-tagging", "a=1")], "hello").await;
    let (copy, replace) = (("x-amz-copy-source", "plain/there"), ("x-amz-tagging-directive", "REPLACE"));
    world
        .check(&[
            ("reader", "GET /plain/there", &[], "", "200 "),
            ("reader", "GET /plain/absent", &[], "", "403 AccessDenied"),
            ("reader", "HEAD /plain/absent", &[], "", "403 "),
            ("admin", "GET /plain/absent", &[], "", "404 NoSuchKey"),
            ("reader", "GET /plain", &[], "", "403 AccessDenied"),
            ("reader", "GET /other/there", &[], "", "403 AccessDenied"),
            ("writer", "GET /plain/there", &[], "", "403 AccessDenied"),
            ("writer", "PUT /plain/new", &[], "x", "200 "),
            // Whether a tag matches says something about the object.
            ("writer", "PUT /plain/new", &[("if-match", "\"e\"")], "x", "403 AccessDenied"),
            ("writer", "PUT /plain/new", &[("if-match", "*")], "x", "200 "),
            ("writer", "PUT /plain/new", &[("if-none-match", "*")], "x", "412 PreconditionFailed"),
            ("writer", "DELETE /plain/new", &[("if-match", "\"e\"")], "", "403 AccessDenied"),
            ("writer", "PUT /plain/copy", &[copy], "", "403 AccessDenied"),
            ("reader", "PUT /plain/copy", &[copy], "", "403 AccessDenied"),
            ("admin", "PUT /plain/copy", &[copy], "", "200 "),
            ("admin", "PUT /plain/copy", &[copy, replace], "", "200 "),
            ("writer", "DELETE /plain/absent", &[], "", "204 "),
        ])
        .await;
}

#[tokio::test]
async fn a_policy_opens_a_bucket_but_not_its_policy() {
    let world = World::with_users().await;
    let all = "<Delete><Object><Key>a</Key></Object><Object><Key>private</Key></Object><Object><Key>b</Key></Object></Delete>";
    world
        .check(&[
            ("", "PUT /shared/a", &[], "x", "200 "),
            ("nobody", "PUT /shared/b", &[], "x", "200 "),
            ("", "GET /shared/a", &[], "", "200 "),
            ("", "GET /shared", &[], "", "200 "),
            ("", "GET /shared/absent", &[], "", "404 NoSuchKey"),
            // An explicit Deny wins, even over an administrator.
            ("", "GET /shared/private", &[], "", "403 AccessDenied"),
            ("admin", "PUT /shared/private-too", &[], "", "403 AccessDenied"),
            // Only the owner's account may pass the bucket on.
            ("", "GET /shared?policy", &[], "", "405 MethodNotAllowed"),
            ("", "PUT /shared?policy", &[], "{}", "405 MethodNotAllowed"),
            ("", "DELETE /shared?policy", &[], "", "405 MethodNotAllowed"),
            ("", "GET /shared?ownershipControls", &[], "", "405 MethodNotAllowed"),
            ("nobody", "GET /shared?policy", &[], "", "200 "),
            ("", "GET /shared?policyStatus", &[], "", "200 "),
            ("", "GET /plain/a", &[], "", "403 AccessDenied"),
            ("", "POST /plain?delete", &[], all, "403 AccessDenied"),
        ])
        .await;
    // Each key is decided on its own; the others are deleted.
    let reply = world.send_as("nobody", "POST /shared?delete", &[], all).await;
    assert_eq!(reply.elements("Deleted"), ["<Key>a</Key>", "<Key>b</Key>"], "{}", reply.text());
    let errors = reply.elements("Error");
    assert!(errors.len() == 1 && errors[0].starts_with("<Key>private</Key><Code>AccessDenied</Code>"), "{errors:?}");
    // Without a permission for any of them, an authenticated caller still gets an answer for each.
    let reply = world.send_as("nobody", "POST /plain?delete", &[], all).await;
    assert_eq!((reply.status.as_u16(), reply.elements("Code").len()), (200, 3), "{}", reply.text());
}

/// What a decision looked at is what the answer is made of: otherwise an object with other tags, or another ACL, could come between
/// the two.
#[tokio::test]
async fn what_was_decided_on_is_what_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let filer = Arc::new(FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap())));
    let world = World::following(filer.clone(), false).await;
    let secret = r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::plain/*","Condition":{"StringEquals":{"s3:ExistingObjectTag/secret":"yes"}}}]}"#;
    world.patch_bucket("plain", &[(attributes::POLICY, secret), (attributes::OWNERSHIP, "ObjectWriter")]).await;
    world.put("/plain/k", "x").await;
    world.send("PUT /plain/secret", &[("x-amz-tagging", "secret=yes")], "x").await;
    while world.ask("GET /plain/secret").await.outcome() != "403 AccessDenied" {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    for (line, headers) in [
        ("GET /plain/k", &[][..]),
        ("HEAD /plain/k", &[]),
        ("GET /plain/missing", &[]),
        ("PUT /other/copy", &[("x-amz-copy-source", "/plain/k")]),
    ] {
        let before = filer.calls(Call::Lookup);
        world.send(line, headers, "").await;
        assert_eq!(filer.calls(Call::Lookup) - before, 1, "{line}");
    }
}

/// A change of an object that another one replaces meanwhile starts again, with a decision about the new object.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_starts_again_is_decided_again() {
    let filer = Stopping::new(true);
    let world = World::following(filer.clone(), false).await;
    let policy = r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":["s3:*ObjectTagging","s3:PutObjectAcl"],"Resource":"arn:aws:s3:::plain/*","Condition":{"StringEquals":{"s3:ExistingObjectTag/secret":"yes"}}}]}"#;
    world.patch_bucket("plain", &[(attributes::POLICY, policy), (attributes::OWNERSHIP, "ObjectWriter")]).await;
    world.send("PUT /plain/denied", &[("x-amz-tagging", "secret=yes")], "x").await;
    while world.ask("GET /plain/denied?tagging").await.outcome() != "403 AccessDenied" {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let changes = [
        ("PUT /plain/KEY?tagging", &[][..], TAGS, "200 "),
        ("DELETE /plain/KEY?tagging", &[], "", "204 "),
        ("PUT /plain/KEY?acl", &[("x-amz-acl", "public-read")], "", "200 "),
    ];
    for (number, (line, headers, body, done)) in changes.into_iter().enumerate() {
        for (secret, wanted) in [("yes", "403 AccessDenied"), ("no", done)] {
            let (path, line) =
                (format!("PUT /plain/{secret}{number}"), line.replace("KEY", &format!("{secret}{number}")));
            world.send(&path, &[("x-amz-tagging", "a=b")], "draft").await;
            let held = filer.stop_before(changes_an_object);
            let (changed, ()) = tokio::join!(world.send(&line, headers, body), async {
                held.arrived.await.unwrap();
                let tags = format!("secret={secret}");
                assert_eq!(world.send(&path, &[("x-amz-tagging", &tags)], "final").await.outcome(), "200 ", "{line}");
                held.go_on.send(()).unwrap();
            });
            assert_eq!(changed.outcome(), wanted, "{line}");
        }
    }
}

fn changes_an_object(step: &Mutation) -> bool {
    matches!(step, Mutation::Patch { directory, .. } if directory == "/buckets/plain")
}
