//! Object ownership and the public access block.

use bucket::attributes;

use crate::support::{World, settings};

fn ownership(word: &str) -> String {
    format!("<OwnershipControls><Rule><ObjectOwnership>{word}</ObjectOwnership></Rule></OwnershipControls>")
}

fn block(settings: &[&str]) -> String {
    let settings: String = settings.iter().map(|name| format!("<{name}>true</{name}>")).collect();
    format!("<PublicAccessBlockConfiguration>{settings}</PublicAccessBlockConfiguration>")
}

/// A policy of the bucket `plain` that lets someone read.
fn policy(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":["s3:GetObject","s3:ListBucket"],
           "Resource":["arn:aws:s3:::plain","arn:aws:s3:::plain/*"]}}]}}"#
    )
}

async fn stored(world: &World, bucket: &str, name: &str) -> Option<String> {
    let entry = world.entry(bucket).await.unwrap();
    entry.extended.get(name).map(|value| String::from_utf8(value.clone()).unwrap())
}

#[tokio::test]
async fn ownership_controls() {
    let world = World::with_users().await;
    let shown = || async { world.ask_admin("GET /plain?ownershipControls").await.element("ObjectOwnership") };
    let none = ("admin", "GET /plain?ownershipControls", &[][..], "", "404 OwnershipControlsNotFoundError");
    world.check(&[none]).await;
    let writer = ownership("ObjectWriter");
    world
        .check(&[
            ("nobody", "PUT /plain?ownershipControls", &[], &writer, "403 AccessDenied"),
            ("writer", "PUT /plain?ownershipControls", &[], &writer, "403 AccessDenied"),
            ("other", "PUT /plain?ownershipControls", &[], &writer, "403 AccessDenied"),
            ("admin", "PUT /plain?ownershipControls", &[], "", "400 MalformedXML"),
            ("admin", "PUT /plain?ownershipControls", &[], &ownership("Nobody"), "400 MalformedXML"),
            ("admin", "PUT /nowhere?ownershipControls", &[], &writer, "404 NoSuchBucket"),
            ("admin", "PUT /plain?ownershipControls", &[("content-md5", "x")], &writer, "400 InvalidDigest"),
        ])
        .await;
    assert_eq!(stored(&world, "plain", attributes::OWNERSHIP).await, None);
    world.check(&[("admin", "PUT /plain?ownershipControls", &[], &writer, "200 ")]).await;
    assert_eq!(shown().await, "ObjectWriter");
    assert_eq!(stored(&world, "plain", attributes::OWNERSHIP).await.as_deref(), Some("ObjectWriter"));
    world.check(&[("admin", "DELETE /plain?ownershipControls", &[], "", "204 "), none]).await;
    assert_eq!(stored(&world, "plain", attributes::OWNERSHIP).await, None);
    world.check(&[("admin", "PUT /fresh", &[], "", "200 ")]).await;
    assert_eq!(world.ask_admin("GET /fresh?ownershipControls").await.element("ObjectOwnership"), "BucketOwnerEnforced");
}

#[tokio::test]
async fn a_public_access_block_is_kept() {
    let world = World::with_users().await;
    let body = block(&["BlockPublicPolicy", "IgnorePublicAcls"]);
    world
        .check(&[
            ("admin", "GET /plain?publicAccessBlock", &[], "", "404 NoSuchPublicAccessBlockConfiguration"),
            ("writer", "PUT /plain?publicAccessBlock", &[], &body, "403 AccessDenied"),
            ("other", "PUT /plain?publicAccessBlock", &[], &body, "403 AccessDenied"),
            ("admin", "PUT /plain?publicAccessBlock", &[], &block(&["BlockEverything"]), "400 MalformedXML"),
            ("admin", "PUT /plain?publicAccessBlock", &[], &body, "200 "),
        ])
        .await;
    let reply = world.ask_admin("GET /plain?publicAccessBlock").await;
    let shown = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    assert_eq!(shown.map(|name| reply.element(name)), ["false", "true", "true", "false"]);
    world
        .check(&[
            ("admin", "DELETE /plain?publicAccessBlock", &[], "", "204 "),
            ("admin", "GET /plain?publicAccessBlock", &[], "", "404 NoSuchPublicAccessBlockConfiguration"),
        ])
        .await;
    assert_eq!(stored(&world, "plain", attributes::PUBLIC_ACCESS_BLOCK).await, None);
}

/// A caller whom a bucket policy gives everything must not unlock the bucket.
#[tokio::test]
async fn strangers_do_not_unblock() {
    let world = World::with_users().await;
    let writer = ownership("ObjectWriter");
    world
        .check(&[
            ("other", "PUT /shared?ownershipControls", &[], &writer, "405 MethodNotAllowed"),
            ("", "DELETE /shared?ownershipControls", &[], "", "405 MethodNotAllowed"),
            ("", "PUT /shared?publicAccessBlock", &[], &block(&[]), "405 MethodNotAllowed"),
            ("other", "DELETE /shared?publicAccessBlock", &[], "", "405 MethodNotAllowed"),
        ])
        .await;
}

#[tokio::test]
async fn block_public_policy_refuses_public_policies_alone() {
    let world = World::with_users().await;
    let everyone = policy(r#""*""#);
    let one = policy(r#"{"AWS":"arn:aws:iam::111122223333:root"}"#);
    let wide = everyone.replace(r#""Effect""#, r#""Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}},"Effect""#);
    let narrow =
        everyone.replace(r#""Effect""#, r#""Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}},"Effect""#);
    world
        .check(&[
            ("admin", "PUT /plain?publicAccessBlock", &[], &block(&["BlockPublicPolicy"]), "200 "),
            ("admin", "PUT /plain?policy", &[], &everyone, "403 AccessDenied"),
            ("admin", "PUT /plain?policy", &[], &wide, "403 AccessDenied"),
            ("admin", "PUT /plain?policy", &[], &narrow, "204 "),
            ("admin", "PUT /plain?policy", &[], &one, "204 "),
            ("admin", "PUT /plain?publicAccessBlock", &[], &block(&["RestrictPublicBuckets"]), "200 "),
            ("admin", "PUT /plain?policy", &[], &everyone, "204 "),
        ])
        .await;
    assert_eq!(world.ask_admin("GET /plain?policyStatus").await.element("IsPublic"), "true");
}

/// `RestrictPublicBuckets` leaves a bucket with a public policy to its own account.
#[tokio::test]
async fn restrict_public_buckets() {
    let world = World::with_users().await;
    let (everyone, one) = (policy(r#""*""#), policy(r#"{"AWS":"arn:aws:iam::111122223333:root"}"#));
    let put = |body: &str| (block(&["RestrictPublicBuckets"]), body.to_owned());
    let (restrict, everyone) = put(&everyone);
    world
        .check(&[
            ("admin", "PUT /plain/k", &[], "x", "200 "),
            ("admin", "PUT /plain?policy", &[], &everyone, "204 "),
            ("", "GET /plain/k", &[], "", "200 "),
            ("other", "GET /plain/k", &[], "", "200 "),
            ("admin", "PUT /plain?publicAccessBlock", &[], &restrict, "200 "),
            ("", "GET /plain/k", &[], "", "403 AccessDenied"),
            ("", "GET /plain", &[], "", "403 AccessDenied"),
            ("other", "GET /plain/k", &[], "", "403 AccessDenied"),
            ("nobody", "GET /plain/k", &[], "", "200 "),
            ("admin", "GET /plain/k", &[], "", "200 "),
            // A policy that is not public is not restricted.
            ("admin", "PUT /plain?policy", &[], &one, "204 "),
            ("other", "GET /plain/k", &[], "", "200 "),
            ("", "GET /plain/k", &[], "", "403 AccessDenied"),
        ])
        .await;
}

/// A stored block that cannot be read blocks everything.
#[tokio::test]
async fn an_unreadable_block_blocks() {
    let world = World::with_users().await;
    world.patch_bucket("shared", &[(attributes::PUBLIC_ACCESS_BLOCK, "{}")]).await;
    while world.ask("GET /shared").await.outcome() == "200 " {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(world.ask_admin("GET /shared?publicAccessBlock").await.element("BlockPublicAcls"), "true");
}

/// `kelpgate.newBuckets`.
#[tokio::test]
async fn what_new_buckets_get() {
    let new_buckets =
        ids::NewBuckets { object_ownership: Some(ids::Ownership::BucketOwnerPreferred), block_public_access: true };
    let world = World::with_users_and(gateway::Settings { new_buckets, ..settings() }).await;
    let writer = ("x-amz-object-ownership", "ObjectWriter");
    world.check(&[("admin", "PUT /said", &[writer], "", "200 "), ("admin", "PUT /silent", &[], "", "200 ")]).await;
    for (bucket, want) in [("said", "ObjectWriter"), ("silent", "BucketOwnerPreferred")] {
        let shown = world.ask_admin(&format!("GET /{bucket}?ownershipControls")).await;
        assert_eq!(shown.element("ObjectOwnership"), want);
        let shown = world.ask_admin(&format!("GET /{bucket}?publicAccessBlock")).await;
        assert_eq!(shown.element("RestrictPublicBuckets"), "true");
    }
}

/// S3 Control's calls about the account. The control plane, which stores the block, only says here what reaches it.
#[tokio::test]
async fn the_block_of_an_account_is_for_its_own_identities() {
    let world = World::with_users().await;
    let [get, put, delete] =
        ["GET", "PUT", "DELETE"].map(|method| format!("{method} /v20180820/configuration/publicAccessBlock"));
    let own = ("x-amz-account-id", "000000000000");
    let other = ("x-amz-account-id", "111122223333");
    let body = block(&["BlockPublicPolicy", "IgnorePublicAcls"]);
    world
        .check(&[
            ("admin", &get, &[own], "", "404 NoSuchPublicAccessBlockConfiguration"),
            ("admin", &put, &[own], &body, "501 NotImplemented"),
            ("admin", &put, &[own], "<x/>", "400 MalformedXML"),
            ("admin", &delete, &[own], "", "501 NotImplemented"),
            ("admin", &get, &[other], "", "403 AccessDenied"),
            ("admin", &put, &[other], &body, "403 AccessDenied"),
            ("admin", &delete, &[other], "", "403 AccessDenied"),
            ("writer", &put, &[own], &body, "403 AccessDenied"),
            ("writer", &delete, &[own], "", "403 AccessDenied"),
            ("reader", &get, &[own], "", "403 AccessDenied"),
            ("", &get, &[own], "", "403 AccessDenied"),
            ("", &put, &[own], &body, "403 AccessDenied"),
        ])
        .await;
    let asked = world.send_as("admin", &put, &[own], body).await;
    let asked = asked.text();
    let want = "Action=PutAccountPublicAccessBlock PublicAccessBlock=IgnorePublicAcls,BlockPublicPolicy";
    assert!(asked.contains(want), "{asked}");
}
