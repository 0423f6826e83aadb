//! Access control lists of buckets and objects: who sets them, what they grant, and where they do not count.

use bucket::attributes;
use ids::AccountId;

use crate::support::{Claims, World, settings};

const WRITER: (&str, &str) = ("x-amz-object-ownership", "ObjectWriter");
const PREFERRED: (&str, &str) = ("x-amz-object-ownership", "BucketOwnerPreferred");

fn acl(canned: &'static str) -> (&'static str, &'static str) {
    ("x-amz-acl", canned)
}

fn id(number: &str) -> String {
    number.parse::<AccountId>().unwrap().canonical_id()
}

fn block(settings: &[&str]) -> String {
    let settings: String = settings.iter().map(|name| format!("<{name}>true</{name}>")).collect();
    format!("<PublicAccessBlockConfiguration>{settings}</PublicAccessBlockConfiguration>")
}

/// A document with one grant to an account.
fn document(owner: &str, to: &str, permission: &str) -> String {
    format!(
        "<AccessControlPolicy xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><Owner><ID>{}</ID></Owner><AccessControlList>\
         <Grant><Grantee xsi:type=\"CanonicalUser\"><ID>{}</ID></Grantee><Permission>{permission}</Permission></Grant>\
         </AccessControlList></AccessControlPolicy>",
        id(owner),
        id(to)
    )
}

const OWNER: &str = "000000000000";
const OTHER: &str = "111122223333";

async fn stored(world: &World, path: &str, name: &str) -> Option<String> {
    let entry = world.entry(path).await.unwrap();
    entry.extended.get(name).map(|value| String::from_utf8(value.clone()).unwrap())
}

/// `open` belongs to the account of `admin`; its objects to whoever writes them.
async fn world() -> World {
    let world = World::with_users().await;
    world.check(&[("admin", "PUT /open", &[WRITER], "", "200 ")]).await;
    world
}

/// Where the bucket's owner owns everything, an ACL is accepted only if it says what applies anyway.
#[tokio::test]
async fn no_acls_where_ownership_is_enforced() {
    let world = World::with_users().await;
    let grant = format!("id={}", id(OTHER));
    let refused = "400 AccessControlListNotSupported";
    world
        .check(&[
            ("admin", "PUT /plain/k", &[acl("private")], "x", "200 "),
            ("admin", "PUT /plain/k", &[acl("bucket-owner-full-control")], "x", "200 "),
            ("admin", "PUT /plain/k", &[acl("public-read")], "x", refused),
            ("admin", "PUT /plain/k", &[("x-amz-grant-read", &grant)], "x", refused),
            ("admin", "POST /plain/k?uploads", &[acl("public-read")], "", refused),
            ("admin", "PUT /plain/k2", &[acl("public-read"), ("x-amz-copy-source", "plain/k")], "", refused),
            ("admin", "PUT /plain?acl", &[acl("public-read")], "", refused),
            ("admin", "PUT /plain?acl", &[acl("private")], "", "200 "),
            ("admin", "PUT /plain/k?acl", &[acl("public-read")], "", refused),
            ("admin", "PUT /plain/k?acl", &[], &document(OWNER, OTHER, "READ"), refused),
            ("admin", "PUT /plain/k?acl", &[acl("bucket-owner-full-control")], "", "200 "),
            ("admin", "PUT /made", &[acl("public-read")], "", "400 InvalidBucketAclWithObjectOwnership"),
            ("admin", "PUT /made", &[acl("private")], "", "200 "),
        ])
        .await;
    for path in ["plain", "plain/k"] {
        assert_eq!(stored(&world, path, attributes::ACL).await, None, "{path}");
    }
}

/// What SeaweedFS gave away for a bucket whose owner owns everything stays with the owner: ACLs do not count there.
#[tokio::test]
async fn an_acl_of_seaweedfs_counts_as_its_ownership_says() {
    let world = World::with_users().await;
    let public = r#"[{"Grantee":{"DisplayName":null,"EmailAddress":null,"ID":"alice","Type":"CanonicalUser","URI":null},"Permission":"FULL_CONTROL"},
        {"Grantee":{"DisplayName":null,"EmailAddress":null,"ID":null,"Type":"Group","URI":"http://acs.amazonaws.com/groups/global/AllUsers"},"Permission":"READ"}]"#;
    world.check(&[("admin", "PUT /plain/k", &[], "x", "200 ")]).await;
    let step = |ownership: &'static str, text: String, want: &'static str| {
        let world = &world;
        async move {
            world.patch("plain", "k", &[(attributes::ACL, &text)]).await;
            world.patch_bucket("plain", &[(attributes::ACL, &text), (attributes::OWNERSHIP, ownership)]).await;
            while world.ask_admin("GET /plain?ownershipControls").await.element("ObjectOwnership") != ownership {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            world.check(&[("", "GET /plain", &[], "", want), ("", "GET /plain/k", &[], "", want)]).await;
        }
    };
    step("BucketOwnerEnforced", public.to_owned(), "403 AccessDenied").await;
    step("BucketOwnerPreferred", public.to_owned(), "200 ").await;
    let shown = world.ask_admin("GET /plain?acl").await;
    assert_eq!(shown.elements("Permission"), ["READ", "FULL_CONTROL"], "{}", shown.text());
    // What cannot be read grants nothing.
    step("ObjectWriter", public.replace("READ", "READ_ALL"), "403 AccessDenied").await;
    step("BucketOwnerPreferred", format!("{public}]"), "403 AccessDenied").await;
}

#[tokio::test]
async fn what_the_acl_of_a_bucket_grants() {
    let world = world().await;
    let mut claims = Claims::default();
    let requests =
        ["GET /open", "GET /open?versions", "GET /open?uploads", "PUT /open/new", "GET /open?acl", "GET /open/k"];
    world.check(&[("admin", "PUT /open/k", &[], "x", "200 ")]).await;
    for (header, value, user, allowed) in [
        ("x-amz-acl", "private".to_owned(), "", ""),
        ("x-amz-acl", "public-read".to_owned(), "", "list versions uploads"),
        ("x-amz-acl", "public-read".to_owned(), "other", "list versions uploads"),
        ("x-amz-acl", "public-read".to_owned(), "nobody", "list versions uploads"),
        ("x-amz-acl", "public-read-write".to_owned(), "", "list versions uploads put"),
        ("x-amz-acl", "authenticated-read".to_owned(), "", ""),
        ("x-amz-acl", "authenticated-read".to_owned(), "other", "list versions uploads"),
        ("x-amz-acl", "log-delivery-write".to_owned(), "other", ""),
        ("x-amz-grant-read-acp", format!("id={}", id(OTHER)), "other", "acl"),
        ("x-amz-grant-write", format!("id={}", id(OTHER)), "other", "put"),
        ("x-amz-grant-full-control", format!("id={}", id(OTHER)), "other", "list versions uploads put acl"),
        ("x-amz-grant-full-control", format!("id={}", id(OTHER)), "", ""),
        // A grant to the owner's own account leaves its identities to their policies.
        ("x-amz-grant-full-control", format!("id={}", id(OWNER)), "nobody", ""),
    ] {
        let reply = world.send_as("admin", "PUT /open?acl", &[(header, &value)], "").await;
        claims.claim(&format!("{header} {value}"), &*reply.outcome(), "200 ");
        let mut got = Vec::new();
        for (name, line) in ["list", "versions", "uploads", "put", "acl", "object"].into_iter().zip(requests) {
            if world.send_as(user, line, &[], "").await.status == 200 {
                got.push(name);
            }
        }
        claims.claim(&format!("{header}: {value} as `{user}`"), &*got.join(" "), allowed);
    }
    claims.end();
}

/// WRITE_ACP lets another account replace the ACL; the bucket's account always can.
#[tokio::test]
async fn who_may_replace_the_acl_of_a_bucket() {
    let world = world().await;
    let to_other = document(OWNER, OTHER, "WRITE_ACP");
    let public = acl("public-read");
    world
        .check(&[
            ("", "PUT /open?acl", &[public], "", "403 AccessDenied"),
            ("writer", "PUT /open?acl", &[public], "", "403 AccessDenied"),
            ("other", "PUT /open?acl", &[public], "", "403 AccessDenied"),
            ("admin", "PUT /open?acl", &[public], &to_other, "400 UnexpectedContent"),
            ("admin", "PUT /open?acl", &[], "", "400 MissingSecurityHeader"),
            ("admin", "PUT /open?acl", &[], "<a/>", "400 MalformedACLError"),
            ("admin", "PUT /open?acl", &[], &document(OTHER, OTHER, "READ"), "403 AccessDenied"),
            ("admin", "PUT /nowhere?acl", &[public], "", "404 NoSuchBucket"),
            ("admin", "PUT /open?acl", &[], &to_other, "200 "),
            ("other", "GET /open?acl", &[], "", "403 AccessDenied"),
            ("other", "PUT /open?acl", &[public], "", "200 "),
            ("", "GET /open", &[], "", "200 "),
            ("other", "PUT /open?acl", &[acl("private")], "", "403 AccessDenied"),
            ("admin", "PUT /open?acl", &[acl("private")], "", "200 "),
            ("", "GET /open", &[], "", "403 AccessDenied"),
        ])
        .await;
}

/// An explicit Deny wins over every ACL, and RestrictPublicBuckets is not lifted by one.
#[tokio::test]
async fn a_deny_wins_over_an_acl() {
    let world = world().await;
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],
        "Resource":["arn:aws:s3:::open","arn:aws:s3:::open/secret*"]}]}"#;
    world
        .check(&[
            ("admin", "PUT /open?acl", &[acl("public-read")], "", "200 "),
            ("admin", "PUT /open/k", &[acl("public-read")], "x", "200 "),
            ("admin", "PUT /open/secret", &[acl("public-read")], "x", "200 "),
            ("", "GET /open", &[], "", "200 "),
            ("", "GET /open/secret", &[], "", "200 "),
            ("admin", "PUT /open?policy", &[], deny, "204 "),
            ("", "GET /open", &[], "", "403 AccessDenied"),
            ("other", "GET /open/secret", &[], "", "403 AccessDenied"),
            ("", "GET /open/secret", &[], "", "403 AccessDenied"),
            ("", "GET /open/k", &[], "", "200 "),
        ])
        .await;
}

/// `public-read` on a bucket shows the list of its objects, not the objects.
#[tokio::test]
async fn a_public_bucket_does_not_open_its_objects() {
    let world = world().await;
    world
        .check(&[
            ("admin", "PUT /open?acl", &[acl("public-read")], "", "200 "),
            ("admin", "PUT /open/closed", &[], "x", "200 "),
            ("admin", "PUT /open/public", &[acl("public-read")], "x", "200 "),
            ("", "GET /open/closed", &[], "", "403 AccessDenied"),
            ("", "HEAD /open/closed", &[], "", "403 "),
            ("", "GET /open/public", &[], "", "200 "),
            ("", "HEAD /open/public", &[], "", "200 "),
            ("", "GET /open/public?acl", &[], "", "403 AccessDenied"),
            ("", "GET /open/public?tagging", &[], "", "403 AccessDenied"),
            ("", "DELETE /open/public", &[], "", "403 AccessDenied"),
            ("", "PUT /open/public?acl", &[acl("public-read-write")], "", "403 AccessDenied"),
            // Who may list learns that a key is missing.
            ("", "GET /open/absent", &[], "", "404 NoSuchKey"),
            ("", "HEAD /open/absent", &[], "", "404 "),
            ("", "GET /open/absent?acl", &[], "", "404 NoSuchKey"),
            ("", "DELETE /open/absent", &[], "", "403 AccessDenied"),
            ("admin", "PUT /open?acl", &[acl("private")], "", "200 "),
            ("", "GET /open/absent", &[], "", "403 AccessDenied"),
            ("", "GET /open/absent?acl", &[], "", "403 AccessDenied"),
        ])
        .await;
}

/// Each way to make an object sets its ACL, and an overwrite takes the old one away.
#[tokio::test]
async fn acls_of_new_objects() {
    let world = world().await;
    let public = acl("public-read");
    let copy = ("x-amz-copy-source", "open/put");
    world
        .check(&[
            ("admin", "PUT /open/put", &[public], "x", "200 "),
            ("admin", "PUT /open/copied", &[public, copy], "", "200 "),
            ("admin", "PUT /open/closed", &[copy], "", "200 "),
            ("admin", "PUT /open/marker/", &[public], "", "200 "),
            ("", "GET /open/put", &[], "", "200 "),
            ("", "GET /open/copied", &[], "", "200 "),
            ("", "GET /open/closed", &[], "", "403 AccessDenied"),
            ("", "GET /open/marker/", &[], "", "200 "),
            // A copy onto itself gets the ACL that it asks for, and no other.
            (
                "admin",
                "PUT /open/copied",
                &[("x-amz-copy-source", "open/copied"), ("x-amz-metadata-directive", "REPLACE")],
                "",
                "200 ",
            ),
            ("", "GET /open/copied", &[], "", "403 AccessDenied"),
            ("admin", "PUT /open/put", &[], "y", "200 "),
            ("", "GET /open/put", &[], "", "403 AccessDenied"),
            ("admin", "PUT /open/put?acl", &[public], "", "200 "),
            ("", "GET /open/put", &[], "", "200 "),
            ("admin", "PUT /open/put?acl", &[acl("private")], "", "200 "),
            ("", "GET /open/put", &[], "", "403 AccessDenied"),
            ("admin", "PUT /open/absent?acl", &[public], "", "404 NoSuchKey"),
        ])
        .await;
    let begun = world.send_as("admin", "POST /open/parts?uploads", &[public], "").await;
    let upload = begun.element("UploadId");
    let part = world.send_as("admin", &format!("PUT /open/parts?partNumber=1&uploadId={upload}"), &[], "x").await;
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag").replace('"', "&quot;")
    );
    let line = format!("POST /open/parts?uploadId={upload}");
    world.check(&[("admin", &line, &[], &list, "200 "), ("", "GET /open/parts", &[], "", "200 ")]).await;
}

/// ACL headers need a permission of their own, and grant headers are not dropped.
#[tokio::test]
async fn an_acl_header_needs_its_permission() {
    let world = world().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:PutObject",
        "Resource":"arn:aws:s3:::open/*"}]}"#;
    let to_other = format!("id=\"{}\"", id(OTHER));
    world
        .check(&[
            ("admin", "PUT /open?policy", &[], policy, "204 "),
            ("nobody", "PUT /open/k", &[], "x", "200 "),
            ("nobody", "PUT /open/k", &[acl("public-read")], "x", "403 AccessDenied"),
            ("nobody", "PUT /open/k", &[("x-amz-grant-read", &to_other)], "x", "403 AccessDenied"),
            ("admin", "PUT /open/k", &[("x-amz-grant-read", &to_other)], "x", "200 "),
            ("other", "GET /open/k", &[], "", "200 "),
            ("", "GET /open/k", &[], "", "403 AccessDenied"),
        ])
        .await;
}

/// The writer of an object owns it: the bucket's owner may delete it, but reads it only if the writer allows that.
#[tokio::test]
async fn objects_belong_to_their_writer() {
    let world = world().await;
    let give = acl("bucket-owner-full-control");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
        "Resource":"arn:aws:s3:::open/*"}]}"#;
    world
        .check(&[
            ("admin", "PUT /open?acl", &[acl("public-read-write")], "", "200 "),
            ("other", "PUT /open/theirs", &[], "x", "200 "),
            ("other", "PUT /open/given", &[give], "x", "200 "),
            ("other", "GET /open/theirs", &[], "", "200 "),
            ("admin", "GET /open/theirs", &[], "", "403 AccessDenied"),
            ("admin", "GET /open/theirs?acl", &[], "", "403 AccessDenied"),
            ("admin", "PUT /open/theirs?acl", &[acl("public-read")], "", "403 AccessDenied"),
            ("admin", "GET /open/given", &[], "", "200 "),
            ("admin", "PUT /open/mine", &[("x-amz-copy-source", "open/theirs")], "", "403 AccessDenied"),
            // The bucket's policy cannot give away what is not its owner's.
            ("admin", "PUT /open?policy", &[], policy, "204 "),
            ("", "GET /open/theirs", &[], "", "403 AccessDenied"),
            ("admin", "DELETE /open?policy", &[], "", "204 "),
            ("other", "PUT /open/theirs?acl", &[acl("bucket-owner-read")], "", "200 "),
            ("admin", "GET /open/theirs", &[], "", "200 "),
            ("admin", "DELETE /open/theirs", &[], "", "204 "),
        ])
        .await;
    let shown = world.send_as("other", "GET /open/given?acl", &[], "").await;
    assert_eq!(shown.elements("ID"), [id(OTHER), id(OTHER), id(OWNER)], "{}", shown.text());
    // Enforcing ownership takes everything back.
    let enforced =
        "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>";
    world
        .check(&[
            ("other", "PUT /open/theirs", &[], "x", "200 "),
            // Nobody gives up what an ACL grants without noticing.
            ("admin", "PUT /open?ownershipControls", &[], enforced, "400 InvalidBucketAclWithObjectOwnership"),
            ("admin", "PUT /open?acl", &[acl("private")], "", "200 "),
            ("admin", "PUT /open?ownershipControls", &[], enforced, "200 "),
            ("admin", "GET /open/theirs", &[], "", "200 "),
            ("other", "GET /open/theirs", &[], "", "403 AccessDenied"),
        ])
        .await;
}

#[tokio::test]
async fn a_preferred_owner_owns_what_is_given() {
    let world = World::with_users().await;
    world
        .check(&[
            ("admin", "PUT /open", &[PREFERRED, acl("public-read-write")], "", "200 "),
            ("other", "PUT /open/theirs", &[], "x", "200 "),
            ("other", "PUT /open/given", &[acl("bucket-owner-full-control")], "x", "200 "),
            ("", "PUT /open/anonymous", &[], "x", "200 "),
        ])
        .await;
    for (key, owner) in [("theirs", OTHER), ("given", "admin"), ("anonymous", "admin")] {
        assert_eq!(stored(&world, &format!("open/{key}"), attributes::OWNER).await.as_deref(), Some(owner), "{key}");
    }
    world
        .check(&[
            ("other", "GET /open/given", &[], "", "403 AccessDenied"),
            ("admin", "GET /open/given", &[], "", "200 "),
            ("admin", "GET /open/anonymous", &[], "", "200 "),
        ])
        .await;
}

/// `BlockPublicAcls` and `IgnorePublicAcls`.
#[tokio::test]
async fn public_acls_are_blocked_and_ignored() {
    let world = world().await;
    let public = acl("public-read");
    let to_other = format!("id=\"{}\"", id(OTHER));
    world
        .check(&[
            ("admin", "PUT /open?acl", &[public], "", "200 "),
            ("admin", "PUT /open/k", &[public], "x", "200 "),
            ("admin", "PUT /open?publicAccessBlock", &[], &block(&["BlockPublicAcls"]), "200 "),
            ("admin", "PUT /open?acl", &[public], "", "403 AccessDenied"),
            ("admin", "PUT /open?acl", &[acl("authenticated-read")], "", "403 AccessDenied"),
            ("admin", "PUT /open/new", &[public], "x", "403 AccessDenied"),
            ("admin", "PUT /open/k?acl", &[public], "", "403 AccessDenied"),
            ("admin", "POST /open/k?uploads", &[public], "", "403 AccessDenied"),
            ("admin", "PUT /open/theirs", &[("x-amz-grant-read", &to_other)], "x", "200 "),
            // What is public already stays so.
            ("", "GET /open", &[], "", "200 "),
            ("", "GET /open/k", &[], "", "200 "),
            ("admin", "PUT /open?publicAccessBlock", &[], &block(&["IgnorePublicAcls"]), "200 "),
            ("", "GET /open", &[], "", "403 AccessDenied"),
            ("", "GET /open/k", &[], "", "403 AccessDenied"),
            ("other", "GET /open/k", &[], "", "403 AccessDenied"),
            ("other", "GET /open/theirs", &[], "", "200 "),
            ("admin", "PUT /open/more", &[public], "x", "200 "),
            ("", "GET /open/more", &[], "", "403 AccessDenied"),
            ("admin", "DELETE /open?publicAccessBlock", &[], "", "204 "),
            ("", "GET /open/more", &[], "", "200 "),
        ])
        .await;
    let new_buckets =
        ids::NewBuckets { object_ownership: Some(ids::Ownership::ObjectWriter), block_public_access: true };
    let world = World::with_users_and(gateway::Settings { new_buckets, ..settings() }).await;
    world
        .check(&[
            ("admin", "PUT /made", &[public], "", "403 AccessDenied"),
            ("admin", "PUT /made", &[("x-amz-grant-read", &to_other)], "", "200 "),
            ("other", "GET /made", &[], "", "200 "),
        ])
        .await;
}

/// A user whose name looks like an account makes buckets of its own account.
#[tokio::test]
async fn a_name_like_an_account_owns_nothing_of_that_account() {
    let world = World::with_users().await;
    world.check(&[("222222222222", "PUT /made", &[WRITER, acl("public-read-write")], "", "200 ")]).await;
    assert_eq!(stored(&world, "made", attributes::OWNER).await.as_deref(), Some("000000000000"));
    for (owner, wanted) in [("000000000000", "200 "), ("222222222222", "403 ")] {
        world.check(&[("admin", "HEAD /made", &[("x-amz-expected-bucket-owner", owner)], "", wanted)]).await;
    }
}

/// The ids of owners and grantees are the same everywhere, and can be sent back.
#[tokio::test]
async fn canonical_ids_go_both_ways() {
    let world = world().await;
    let mine = world.ask_admin("GET /").await.element("ID");
    assert_eq!(mine, id(OWNER));
    let of_other = world.send_as("other", "GET /", &[], "").await.element("ID");
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"CanonicalUser":"{of_other}"}},"Action":"s3:ListBucket",
            "Resource":"arn:aws:s3:::plain"}}]}}"#
    );
    let grant = format!("id=\"{of_other}\"");
    world
        .check(&[
            ("admin", "PUT /open/k", &[("x-amz-grant-full-control", &grant)], "x", "200 "),
            ("other", "GET /open/k?acl", &[], "", "200 "),
            ("other", "GET /plain", &[], "", "403 AccessDenied"),
            ("admin", "PUT /plain?policy", &[], &policy, "204 "),
            ("other", "GET /plain", &[], "", "200 "),
            ("", "GET /plain", &[], "", "403 AccessDenied"),
        ])
        .await;
    for line in ["GET /open?acl", "GET /open", "GET /open?versions"] {
        assert_eq!(world.ask_admin(line).await.element("ID"), mine, "{line}");
    }
    let shown = world.ask_admin("GET /open/k?acl").await;
    assert_eq!(shown.elements("ID"), [mine, of_other]);
    // The shown document can be put as it is.
    assert_eq!(world.send_as("admin", "PUT /open/k?acl", &[], shown.body.clone()).await.outcome(), "200 ");
    assert_eq!(world.ask_admin("GET /open/k?acl").await.text(), shown.text());
}

#[tokio::test]
async fn versions_have_acls_of_their_own() {
    let world = world().await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    world.check(&[("admin", "PUT /open?versioning", &[], enabled, "200 ")]).await;
    let first = world.send_as("admin", "PUT /open/k", &[acl("public-read")], "x").await;
    let second = world.send_as("admin", "PUT /open/k", &[], "y").await;
    let of = |line: &str, version: &crate::support::Reply| {
        let mark = if line.contains('?') { '&' } else { '?' };
        format!("{line}{mark}versionId={}", version.header("x-amz-version-id"))
    };
    let (old, new) = (of("GET /open/k", &first), of("GET /open/k", &second));
    let (put_old, put_new) = (of("PUT /open/k?acl", &first), of("PUT /open/k?acl", &second));
    world
        .check(&[
            ("", "GET /open/k", &[], "", "403 AccessDenied"),
            ("", &new, &[], "", "403 AccessDenied"),
            ("", &old, &[], "", "200 "),
            ("other", &put_old, &[acl("private")], "", "403 AccessDenied"),
            ("admin", &put_new, &[acl("public-read")], "", "200 "),
            ("admin", &put_old, &[acl("private")], "", "200 "),
            ("", "GET /open/k", &[], "", "200 "),
            ("", &new, &[], "", "200 "),
            ("", &old, &[], "", "403 AccessDenied"),
        ])
        .await;
    let shown = world.ask_admin(&of("GET /open/k?acl", &first)).await;
    assert_eq!(shown.header("x-amz-version-id"), first.header("x-amz-version-id"), "{}", shown.text());
    assert_eq!(shown.elements("Permission"), ["FULL_CONTROL"]);
    // A delete marker has no ACL; what lies below it keeps its own.
    world
        .check(&[
            ("admin", "DELETE /open/k", &[], "", "204 "),
            ("", "GET /open/k", &[], "", "403 AccessDenied"),
            ("", &new, &[], "", "200 "),
        ])
        .await;
}
