//! Object lock over HTTP, and everything that must not get around it.

use std::sync::Arc;

use bucket::attributes;
use filer::fault::{Call, Fault, FaultyFiler};
use filer::{EmbeddedFiler, FilerError, Mutation};

use crate::delete_bucket::Stopping;
use crate::support::{Claims, HeldBack, World};

const FUTURE: &str = "2099-01-01T00:00:00Z";
const LATER: &str = "2099-06-01T00:00:00Z";

fn retention(mode: &str, until: &str) -> String {
    format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>")
}

fn configuration(rule: &str) -> String {
    format!("<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>")
}

fn rule(mode: &str, period: &str) -> String {
    configuration(&format!("<Rule><DefaultRetention><Mode>{mode}</Mode>{period}</DefaultRetention></Rule>"))
}

/// The bucket `lock1x` has object lock from its creation on.
async fn world() -> World {
    let world = World::with_users().await;
    world.check(&[("admin", "PUT /lock1x", &[("x-amz-bucket-object-lock-enabled", "true")], "", "200 ")]).await;
    world
}

async fn put(world: &World, headers: &[(&str, &str)]) -> String {
    let reply = world.send_as("admin", "PUT /lock1x/k", headers, "held").await;
    assert_eq!(reply.outcome(), "200 ", "{}", reply.text());
    reply.header("x-amz-version-id").to_owned()
}

#[tokio::test]
async fn buckets_with_object_lock() {
    let world = world().await;
    assert_eq!(world.ask_admin("GET /lock1x?versioning").await.element("Status"), "Enabled");
    let suspended = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let enabled = suspended.replace("Suspended", "Enabled");
    let disabled = configuration("").replace(">Enabled<", ">Disabled<");
    world
        .check(&[
            ("admin", "GET /lock1x?object-lock", &[], "", "200 "),
            ("admin", "PUT /lock1x?versioning", &[], suspended, "409 InvalidBucketState"),
            ("admin", "PUT /lock1x?object-lock", &[], &rule("GOVERNANCE", "<Days>1</Days>"), "200 "),
            ("writer", "PUT /lock1x?object-lock", &[], &configuration(""), "403 AccessDenied"),
            (
                "admin",
                "PUT /lock1x?object-lock",
                &[],
                &rule("GOVERNANCE", "<Days>0</Days>"),
                "400 InvalidRetentionPeriod",
            ),
            (
                "admin",
                "PUT /lock1x?object-lock",
                &[],
                &rule("GOVERNANCE", "<Days>-1</Days>"),
                "400 InvalidRetentionPeriod",
            ),
            (
                "admin",
                "PUT /lock1x?object-lock",
                &[],
                &rule("GOVERNANCE", "<Years>101</Years>"),
                "400 InvalidRetentionPeriod",
            ),
            (
                "admin",
                "PUT /lock1x?object-lock",
                &[],
                &rule("GOVERNANCE", "<Days>1</Days><Years>1</Years>"),
                "400 MalformedXML",
            ),
            ("admin", "PUT /lock1x?object-lock", &[], &rule("GOVERNANCE", ""), "400 MalformedXML"),
            ("admin", "PUT /lock1x?object-lock", &[], &rule("governance", "<Days>1</Days>"), "400 MalformedXML"),
            ("admin", "PUT /lock1x?object-lock", &[], &disabled, "400 MalformedXML"),
            // A bucket that exists needs versioning first.
            ("admin", "PUT /plain?object-lock", &[], &configuration(""), "409 InvalidBucketState"),
            ("admin", "PUT /plain?versioning", &[], &enabled, "200 "),
            ("admin", "PUT /plain?object-lock", &[], &configuration(""), "200 "),
            ("admin", "PUT /plain?versioning", &[], suspended, "409 InvalidBucketState"),
        ])
        .await;
    let shown = world.ask_admin("GET /lock1x?object-lock").await;
    assert_eq!((shown.element("Mode"), shown.element("Days")), ("GOVERNANCE".to_owned(), "1".to_owned()));
    let id = put(&world, &[]).await;
    let got = world.ask_admin(&format!("GET /lock1x/k?versionId={id}")).await;
    assert_eq!(got.header("x-amz-object-lock-mode"), "GOVERNANCE", "the default applies");
    world.check(&[("admin", "PUT /lock1x?object-lock", &[], &configuration(""), "200 ")]).await;
    let shown = world.ask_admin("GET /lock1x?object-lock").await;
    assert_eq!((shown.element("ObjectLockEnabled"), shown.element("Mode")), ("Enabled".to_owned(), String::new()));
}

fn suspends(step: &Mutation) -> bool {
    matches!(step, Mutation::Patch { set, .. } if set.get(attributes::VERSIONING).is_some_and(|value| value == b"Suspended"))
}

fn locks(step: &Mutation) -> bool {
    matches!(step, Mutation::Patch { set, .. } if set.contains_key(attributes::LOCK_ENABLED))
}

/// Object lock needs versions, whichever of two changes at the same moment is the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_not_suspended_and_locked_at_the_same_moment() {
    let filer = Stopping::new(true);
    let world = World::following(filer.clone(), false).await;
    let versioning =
        |status: &str| format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    let (lock, suspended) = (("object-lock", configuration("")), ("versioning", versioning("Suspended")));
    for (bucket, before, held_up, first) in
        [("b1x", suspends as fn(&Mutation) -> bool, &suspended, &lock), ("b2x", locks, &lock, &suspended)]
    {
        let put = async |(what, document): &(&str, String)| {
            world.send_as("admin", &format!("PUT /{bucket}?{what}"), &[], document.clone()).await.outcome()
        };
        assert_eq!(world.ask_admin(&format!("PUT /{bucket}")).await.outcome(), "200 ");
        assert_eq!(put(&("versioning", versioning("Enabled"))).await, "200 ");
        let held = filer.stop_before(before);
        let (got, ()) = tokio::join!(put(held_up), async {
            held.arrived.await.unwrap();
            assert_eq!(put(first).await, "200 ", "{bucket}");
            held.go_on.send(()).unwrap();
        });
        assert_eq!(got, "409 InvalidBucketState", "{bucket}");
        assert_eq!(put(first).await, "200 ", "{bucket}: what was answered holds");
    }
}

#[tokio::test]
async fn locks_of_versions() {
    let world = world().await;
    let id = put(&world, &[]).await;
    let at = |sub: &str| format!("/lock1x/k?{sub}&versionId={id}");
    let (put_retention, put_hold) = (format!("PUT {}", at("retention")), format!("PUT {}", at("legal-hold")));
    let (delete, bypass) =
        (format!("DELETE /lock1x/k?versionId={id}"), [("x-amz-bypass-governance-retention", "true")]);
    let bypass = &bypass[..];
    let hold = |status: &str| format!("<LegalHold><Status>{status}</Status></LegalHold>");
    world
        .check(&[
            ("admin", &format!("GET {}", at("retention")), &[], "", "404 NoSuchObjectLockConfiguration"),
            ("admin", &put_retention, &[], &retention("GOVERNANCE", FUTURE), "200 "),
            ("admin", &delete, &[], "", "403 AccessDenied"),
            ("admin", &put_retention, &[], &retention("GOVERNANCE", LATER), "200 "),
            ("admin", &put_retention, &[], &retention("GOVERNANCE", FUTURE), "403 AccessDenied"),
            ("admin", &put_retention, &[], &retention("COMPLIANCE", LATER), "403 AccessDenied"),
            ("admin", &put_retention, &[], "<Retention/>", "403 AccessDenied"),
            ("admin", &put_retention, bypass, &retention("GOVERNANCE", FUTURE), "200 "),
            ("admin", &put_retention, &[], &retention("GOVERNANCE", "2001-01-01T00:00:00Z"), "400 InvalidArgument"),
            ("admin", &put_hold, &[], &hold("ON"), "200 "),
            ("admin", &delete, bypass, "", "403 AccessDenied"),
            ("admin", &put_hold, &[], &hold("OFF"), "200 "),
            ("admin", &format!("GET {}", at("legal-hold")), &[], "", "200 "),
            ("admin", &put_retention, bypass, "<Retention/>", "200 "),
            ("admin", &put_retention, &[], &retention("COMPLIANCE", FUTURE), "200 "),
            ("admin", &delete, bypass, "", "403 AccessDenied"),
            ("admin", &put_retention, bypass, &retention("COMPLIANCE", "2098-01-01T00:00:00Z"), "403 AccessDenied"),
            ("admin", &put_retention, bypass, "<Retention/>", "403 AccessDenied"),
            ("admin", &put_retention, &[], &retention("COMPLIANCE", LATER), "200 "),
            ("admin", "PUT /plain/k", &[], "x", "200 "),
            ("admin", "PUT /plain/k?retention", &[], &retention("GOVERNANCE", FUTURE), "400 InvalidRequest"),
            ("admin", "PUT /plain/k?legal-hold", &[], &hold("ON"), "400 InvalidRequest"),
            ("admin", "GET /plain/k?retention", &[], "", "400 InvalidRequest"),
            ("admin", "GET /plain/k?legal-hold", &[], "", "400 InvalidRequest"),
            ("admin", "PUT /lock1x/absent?legal-hold", &[], &hold("ON"), "404 NoSuchKey"),
            ("admin", "PUT /lock1x/d/", &[], "", "200 "),
            ("admin", "PUT /lock1x/d/?legal-hold", &[], &hold("ON"), "501 NotImplemented"),
        ])
        .await;
    let got = world.ask_admin(&format!("GET {}", at("retention"))).await;
    assert_eq!(
        (got.element("Mode"), got.element("RetainUntilDate")),
        ("COMPLIANCE".into(), "2099-06-01T00:00:00.000Z".into())
    );
}

/// Each line is a way around a lock that must not be one.
#[tokio::test]
async fn nothing_gets_around_a_lock() {
    let world = world().await;
    let locks = [("x-amz-object-lock-mode", "COMPLIANCE"), ("x-amz-object-lock-retain-until-date", FUTURE)];
    let id = put(&world, &locks).await;
    let bypass = [("x-amz-bypass-governance-retention", "true")];
    let copy = [("x-amz-copy-source", "lock1x/k"), ("x-amz-metadata-directive", "REPLACE")];
    let of_version = format!("/lock1x/k?versionId={id}");
    let many = format!("<Delete><Object><Key>k</Key><VersionId>{id}</VersionId></Object></Delete>");
    let upload = world.send_as("admin", "POST /lock1x/k?uploads", &[], "").await.element("UploadId");
    let part = format!("PUT /lock1x/k?partNumber=1&uploadId={upload}");
    let etag = world.send_as("admin", &part, &[], "other").await.header("etag").to_owned();
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let internal = [("seaweed-x-amz-retention-until-date", "1"), ("seaweed-x-amz-object-lock-mode", "GOVERNANCE")];
    let suspended = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let mut claims = Claims::default();
    for (line, headers, body, want) in [
        // Overwriting, copying over it and completing an upload make newer versions.
        ("PUT /lock1x/k", &[][..], "other", "200 "),
        ("PUT /lock1x/k", &internal, "other", "200 "),
        ("PUT /lock1x/k", &copy, "", "200 "),
        (&format!("POST /lock1x/k?uploadId={upload}"), &[], &list, "200 "),
        // A delete makes a marker.
        ("DELETE /lock1x/k", &bypass, "", "204 "),
        (&format!("DELETE {of_version}"), &[], "", "403 AccessDenied"),
        (&format!("DELETE {of_version}"), &bypass, "", "403 AccessDenied"),
        (&format!("DELETE {of_version}"), &internal, "", "403 AccessDenied"),
        ("POST /lock1x?delete", &bypass, &many, "200 "),
        (&format!("PUT {of_version}&renameObject"), &[], "", "400 InvalidArgument"),
        ("DELETE /lock1x?versioning", &[], "", "405 MethodNotAllowed"),
        ("DELETE /lock1x?object-lock", &[], "", "405 MethodNotAllowed"),
        ("PUT /lock1x?versioning", &[], suspended, "409 InvalidBucketState"),
        ("DELETE /lock1x", &[], "", "409 BucketNotEmpty"),
        (&format!("PUT {of_version}&tagging"), &[], "<Tagging><TagSet/></Tagging>", "200 "),
    ] {
        let reply = world.send_as("admin", line, headers, body.to_owned()).await;
        claims.claim(&format!("{line} {headers:?}: {}", reply.text_if_any()), &*reply.outcome(), want);
        let left = world.ask_admin(&format!("GET {of_version}")).await;
        claims.claim(&format!("{line}: the version"), left.text_if_any(), "held");
        claims.claim(&format!("{line}: its lock"), left.header("x-amz-object-lock-mode"), "COMPLIANCE");
    }
    claims.end();
    // A copy takes no lock from its source.
    let reply = world.send_as("admin", "PUT /lock1x/copy", &[("x-amz-copy-source", &of_version[1..])], "").await;
    let at = format!("HEAD /lock1x/copy?versionId={}", reply.header("x-amz-version-id"));
    assert!(!world.ask_admin(&at).await.headers.contains_key("x-amz-object-lock-mode"));
}

const ENABLED: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

/// The body of an upload that began before the bucket kept versions is held back until what it replaces is locked.
#[tokio::test]
async fn an_upload_that_is_held_back_replaces_nothing_that_is_locked() {
    let world = World::with_users().await;
    world.check(&[("admin", "PUT /plain/k", &[], "held", "200 ")]).await;
    let upload = HeldBack::begin(&world, "PUT /plain/k", 5).await;
    world
        .check(&[
            ("admin", "PUT /plain?versioning", &[], ENABLED, "200 "),
            ("admin", "PUT /plain?object-lock", &[], &configuration(""), "200 "),
            ("admin", "PUT /plain/k?retention&versionId=null", &[], &retention("COMPLIANCE", FUTURE), "200 "),
        ])
        .await;
    let answer = upload.go_on(b"other").await;
    assert!(answer.contains("<Code>OperationAborted</Code>"), "{answer}");
    assert_eq!(world.ask_admin("GET /plain/k?versionId=null").await.text(), "held");
}

/// The rules of a bucket count when an upload is completed, not when it began, even if the part and the completion were on their
/// way.
#[tokio::test]
async fn an_upload_is_completed_by_the_rules_of_today() {
    let world = World::with_users().await;
    world.check(&[("admin", "PUT /plain/k", &[], "old", "200 ")]).await;
    let upload = world.send_as("admin", "POST /plain/k?uploads", &[], "").await.element("UploadId");
    let part_line = format!("PUT /plain/k?partNumber=1&uploadId={upload}");
    let etag = world.send_as("admin", &part_line, &[], "new").await.header("etag").to_owned();
    let list = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    let complete_line = format!("POST /plain/k?uploadId={upload}");

    let part = HeldBack::begin(&world, &part_line, 3).await;
    let completion = HeldBack::begin(&world, &complete_line, list.len()).await;
    let days = rule("GOVERNANCE", "<Days>1</Days>");
    world
        .check(&[
            ("admin", "PUT /plain?versioning", &[], ENABLED, "200 "),
            ("admin", "PUT /plain?object-lock", &[], &days, "200 "),
            ("admin", "PUT /plain/k?retention&versionId=null", &[], &retention("COMPLIANCE", FUTURE), "200 "),
        ])
        .await;
    let stored = part.go_on(b"new").await;
    assert!(stored.starts_with("HTTP/1.1 200") && stored.contains(&etag), "{stored}");
    let completed = completion.go_on(list.as_bytes()).await;
    assert!(completed.starts_with("HTTP/1.1 200"), "{completed}");
    let current = world.ask_admin("GET /plain/k").await;
    assert_eq!((current.text(), current.header("x-amz-object-lock-mode")), ("new", "GOVERNANCE"));
    let version_id = current.header("x-amz-version-id");
    assert!(!version_id.is_empty() && completed.contains(version_id), "{version_id}: {completed}");
    assert_eq!(world.ask_admin("GET /plain/k?versionId=null").await.text(), "old");
}

#[tokio::test]
async fn locks_take_permissions() {
    let world = world().await;
    let policy = |actions: &str, more: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":{actions},"Resource":"arn:aws:s3:::lock1x/*"}}{more}]}}"#
        )
    };
    let locks = [("x-amz-object-lock-mode", "GOVERNANCE"), ("x-amz-object-lock-retain-until-date", FUTURE)];
    let hold = [("x-amz-object-lock-legal-hold", "ON")];
    let bypass = [("x-amz-bypass-governance-retention", "true")];
    let source = [&locks[..], &[("x-amz-copy-source", "lock1x/k")]].concat();
    let id = put(&world, &locks).await;
    let (get, delete) = (format!("GET /lock1x/k?versionId={id}"), format!("DELETE /lock1x/k?versionId={id}"));
    let put_retention = format!("PUT /lock1x/k?retention&versionId={id}");
    let allowed = r#"["s3:PutObject","s3:GetObject","s3:GetObjectVersion","s3:DeleteObject","s3:DeleteObjectVersion"]"#;
    world
        .check(&[
            ("admin", "PUT /lock1x?policy", &[], &policy(allowed, ""), "204 "),
            ("nobody", "PUT /lock1x/n", &[], "x", "200 "),
            ("nobody", "PUT /lock1x/n", &locks, "x", "403 AccessDenied"),
            ("nobody", "PUT /lock1x/n", &hold, "x", "403 AccessDenied"),
            ("nobody", "PUT /lock1x/n", &source, "", "403 AccessDenied"),
            ("nobody", "POST /lock1x/n?uploads", &locks, "", "403 AccessDenied"),
            ("nobody", &put_retention, &[], &retention("GOVERNANCE", LATER), "403 AccessDenied"),
            ("nobody", &delete, &[], "", "403 AccessDenied"),
            // Bypassing takes the header and the permission.
            ("nobody", &delete, &bypass, "", "403 AccessDenied"),
        ])
        .await;
    let got = world.send_as("nobody", &get, &[], "").await;
    assert_eq!(
        (got.text(), got.headers.contains_key("x-amz-object-lock-mode")),
        ("held", false),
        "shown to no one else"
    );
    let all = r#""s3:*""#;
    let deny = r#",{"Effect":"Deny","Principal":"*","Action":"s3:BypassGovernanceRetention","Resource":"arn:aws:s3:::lock1x/*"}"#;
    world
        .check(&[
            ("admin", "PUT /lock1x?policy", &[], &policy(all, deny), "204 "),
            ("nobody", &delete, &[], "", "403 AccessDenied"),
            ("nobody", &delete, &bypass, "", "403 AccessDenied"),
            ("nobody", &put_retention, &bypass, "<Retention/>", "403 AccessDenied"),
            ("admin", "PUT /lock1x?policy", &[], &policy(all, ""), "204 "),
            ("nobody", &delete, &[], "", "403 AccessDenied"),
            ("nobody", &delete, &bypass, "", "204 "),
        ])
        .await;
}

#[tokio::test]
async fn what_a_lock_on_a_new_object_must_say() {
    let world = world().await;
    let (mode, until) = (("x-amz-object-lock-mode", "GOVERNANCE"), ("x-amz-object-lock-retain-until-date", FUTURE));
    let past = ("x-amz-object-lock-retain-until-date", "2001-01-01T00:00:00Z");
    let hold = ("x-amz-object-lock-legal-hold", "ON");
    let (source, replace) = (("x-amz-copy-source", "plain/k"), ("x-amz-metadata-directive", "REPLACE"));
    world
        .check(&[
            ("admin", "PUT /lock1x/k", &[mode, until], "x", "200 "),
            ("admin", "PUT /lock1x/k", &[hold], "x", "200 "),
            ("admin", "PUT /lock1x/k", &[mode], "x", "400 InvalidArgument"),
            ("admin", "PUT /lock1x/k", &[until], "x", "400 InvalidArgument"),
            ("admin", "PUT /lock1x/k", &[mode, past], "x", "400 InvalidArgument"),
            ("admin", "PUT /lock1x/k", &[("x-amz-object-lock-mode", "NONE"), until], "x", "400 InvalidArgument"),
            ("admin", "PUT /lock1x/d/", &[hold], "", "501 NotImplemented"),
            ("admin", "PUT /plain/k", &[mode, until], "x", "400 InvalidRequest"),
            ("admin", "POST /lock1x/m?uploads", &[mode, past], "", "400 InvalidArgument"),
            // A copy onto itself does not ignore the lock that it asks for.
            ("admin", "PUT /plain/k", &[], "x", "200 "),
            ("admin", "PUT /plain/k", &[source, replace, hold], "", "400 InvalidRequest"),
            ("admin", "PUT /plain/k", &[source, replace], "", "200 "),
        ])
        .await;
    let upload = world.send_as("admin", "POST /lock1x/m?uploads", &[mode, until], "").await.element("UploadId");
    let part = format!("PUT /lock1x/m?partNumber=1&uploadId={upload}");
    let etag = world.send_as("admin", &part, &[], "x").await.header("etag").to_owned();
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let done = world.send_as("admin", &format!("POST /lock1x/m?uploadId={upload}"), &[], list).await;
    assert_eq!(done.outcome(), "200 ", "{}", done.text());
    assert_eq!(world.ask_admin("HEAD /lock1x/m").await.header("x-amz-object-lock-mode"), "GOVERNANCE");
}

/// The filer compares retentions by its own clock. Its refusal is S3's, also where this gateway's clock is ahead.
#[tokio::test]
async fn a_retention_that_lasts_by_the_clock_of_the_filer_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let filer = Arc::new(FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap())));
    let world = World::following(filer.clone(), false).await;
    world.send("PUT /lock1x", &[("x-amz-bucket-object-lock-enabled", "true")], "").await;
    let locks = [("x-amz-object-lock-mode", "COMPLIANCE"), ("x-amz-object-lock-retain-until-date", FUTURE)];
    for (headers, want) in [(&locks[..], "403 AccessDenied"), (&[], "409 OperationAborted")] {
        let id = world.send("PUT /lock1x/k", headers, "x").await.header("x-amz-version-id").to_owned();
        if !headers.is_empty() {
            world.patch("lock1x/k.versions", &format!("v_{id}"), &[(attributes::RETAIN_UNTIL, "1")]).await;
        }
        filer.set(Call::Transact, Fault::Fail(FilerError::PreconditionFailed));
        let delete = format!("DELETE /lock1x/k?versionId={id}");
        assert_eq!(world.ask(&delete).await.outcome(), want, "{headers:?}");
        filer.clear();
        assert_eq!(world.ask(&delete).await.outcome(), "204 ", "{headers:?}");
    }
}
