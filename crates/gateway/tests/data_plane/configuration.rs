//! Operations on buckets and their configuration.

use std::sync::Arc;
use std::time::Duration;

use bucket::attributes;
use bucket::metadata::{BucketMetadata, CorsConfiguration, CorsRule, EncryptionConfiguration};
use filer::fault::{Call, FaultyFiler};
use filer::{EmbeddedFiler, Mutation, Transaction};
use s3::KnownOperation;

use crate::support::{Claims, World};

/// Everything that is known by name and not supported is refused by name, and nothing changes. Reads answer, and so do
/// deletions of what is not set.
#[tokio::test]
async fn unsupported_operations() {
    let world = World::with_users().await;
    world.send_as("admin", "PUT /plain/k", &[], "hello").await;
    let before = (world.entry("plain").await, world.entry("plain/k").await);
    let mut claims = Claims::default();
    for known in KnownOperation::all().filter(|known| known.is_listed) {
        let head = testkit::operations::example(&known, false).unwrap();
        let line = |bucket: &str| format!("{} {}", head.method, head.uri.to_string().replace("/bkt", bucket));
        let reply = world.ask_admin(&line("/plain")).await;
        let (status, code) = (reply.status.as_u16(), reply.element("Code"));
        let fits = match status {
            501 => code == "NotImplemented" && reply.element("Message").contains(known.name),
            404 => known.method == "GET" && code.contains("Configuration"),
            // Where the document decides, there has to be one.
            400 => known.method == "PUT" && code == "MalformedXML",
            204 => known.method == "DELETE" && reply.body.is_empty(),
            status => known.method == "GET" && status == 200,
        };
        claims.claim(&format!("{} {}", known.name, reply.text()), fits, true);
        let reply = world.ask_admin(&line("/nowhere")).await;
        let want = if status == 400 { "400 MalformedXML" } else { "404 NoSuchBucket" };
        claims.claim(known.name, &*reply.outcome(), want);
    }
    claims.end();
    assert_eq!((world.entry("plain").await, world.entry("plain/k").await), before);
}

/// Tools write back what they read. That succeeds, and nothing changes.
#[tokio::test]
async fn writes_that_change_nothing() {
    const LIFECYCLE: &str = "<LifecycleConfiguration><Rule><ID>a</ID></Rule></LifecycleConfiguration>";
    let world = World::with_users().await;
    let before = world.entry("plain").await;
    world
        .check(&[
            ("admin", "PUT /plain?logging", &[], "<BucketLoggingStatus/>", "200 "),
            ("admin", "PUT /plain?notification", &[], "<NotificationConfiguration/>", "200 "),
            ("admin", "PUT /nowhere?logging", &[], "<BucketLoggingStatus/>", "404 NoSuchBucket"),
            ("admin", "PUT /plain?lifecycle", &[], LIFECYCLE, "501 NotImplemented"),
            ("admin", "DELETE /plain?encryption", &[], "", "204 "),
            ("admin", "DELETE /plain?metrics&id=a", &[], "", "204 "),
            // Who may not write does not learn what holds.
            ("writer", "PUT /plain?logging", &[], "<BucketLoggingStatus/>", "403 AccessDenied"),
            ("reader", "DELETE /plain?website", &[], "", "403 AccessDenied"),
            ("", "DELETE /plain?cors", &[], "", "403 AccessDenied"),
        ])
        .await;
    assert_eq!(world.entry("plain").await, before);
    configured(&world, LIFECYCLE).await;
    let before = world.entry("plain").await;
    for (query, status) in [("encryption", "200 "), ("lifecycle", "200 ")] {
        let document = world.ask_admin(&format!("GET /plain?{query}")).await.text().to_owned();
        let other = document.replace(">a<", ">b<").replace("AES256", "aws:kms");
        let line = |method: &str| format!("{method} /plain?{query}");
        world
            .check(&[
                ("admin", &line("PUT"), &[], &document, status),
                ("admin", &line("PUT"), &[], &other, "501 NotImplemented"),
                ("admin", &line("DELETE"), &[], "", "501 NotImplemented"),
            ])
            .await;
    }
    assert_eq!(world.entry("plain").await, before);
    // What cannot be read is not taken for nothing.
    set_content(&world, vec![0xff], LIFECYCLE).await;
    while world.ask_admin("DELETE /plain?encryption").await.outcome() == "501 NotImplemented" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for line in ["DELETE /plain?encryption", "DELETE /plain?cors"] {
        assert_eq!(world.ask_admin(line).await.outcome(), "500 InternalError", "{line}");
    }
    assert_eq!(world.ask_admin("DELETE /plain?website").await.outcome(), "204 ");
}

/// What has no effect that clients could see is kept whole and given back, beside everything else.
#[tokio::test]
async fn kept_without_effect() {
    let world = World::with_users().await;
    let metrics = |id: &str| {
        format!("<MetricsConfiguration><Id>{id}</Id><Filter><Prefix>a&amp;b</Prefix></Filter></MetricsConfiguration>")
    };
    let (a, b) = (metrics("a"), metrics("b"));
    let on = "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>";
    world
        .check(&[
            ("reader", "PUT /plain?metrics&id=a", &[], &a, "403 AccessDenied"),
            ("", "PUT /plain?metrics&id=a", &[], &a, "403 AccessDenied"),
            ("admin", "PUT /nowhere?metrics&id=a", &[], &a, "404 NoSuchBucket"),
            ("admin", "PUT /plain?metrics&id=b", &[], &a, "400 InvalidArgument"),
            ("admin", "PUT /plain?metrics&id=a", &[], &a, "200 "),
            ("admin", "PUT /plain?metrics&id=b", &[], &b, "200 "),
            ("admin", "PUT /plain?accelerate", &[], on, "200 "),
            ("writer", "GET /plain?metrics&id=a", &[], "", "403 AccessDenied"),
            ("reader", "DELETE /plain?metrics&id=a", &[], "", "403 AccessDenied"),
            ("admin", "DELETE /plain?metrics&id=b", &[], "", "204 "),
            ("admin", "GET /plain?metrics&id=b", &[], "", "404 NoSuchConfiguration"),
        ])
        .await;
    for (line, want) in [
        ("GET /plain?metrics&id=a", "<Id>a</Id><Filter><Prefix>a&amp;b</Prefix></Filter></MetricsConfiguration>"),
        ("GET /plain?metrics", "<MetricsConfiguration><Id>a</Id>"),
        ("GET /plain?accelerate", "<Status>Enabled</Status>"),
    ] {
        let text = world.ask_admin(line).await.text().to_owned();
        assert!(text.contains(want) && !text.contains("<Id>b</Id>"), "{line}: {text}");
    }
}

/// Where the requester pays, callers of other accounts are let in by their permissions only if they agree, and no one who
/// is unknown.
#[tokio::test]
async fn the_requester_pays() {
    let world = World::with_users().await;
    let payer =
        |payer: &str| format!("<RequestPaymentConfiguration><Payer>{payer}</Payer></RequestPaymentConfiguration>");
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::plain/*"}]}"#;
    let agrees = [("x-amz-request-payer", "requester")];
    world
        .check(&[
            ("admin", "PUT /plain/k", &[], "hello", "200 "),
            ("admin", "PUT /plain?policy", &[], policy, "204 "),
            ("", "GET /plain/k", &[], "", "200 "),
            ("reader", "PUT /plain?requestPayment", &[], &payer("Requester"), "403 AccessDenied"),
            ("admin", "PUT /plain?requestPayment", &[], &payer("Nobody"), "400 MalformedXML"),
            ("admin", "PUT /plain?requestPayment", &[], &payer("Requester"), "200 "),
            ("", "GET /plain/k", &[], "", "403 AccessDenied"),
            ("", "GET /plain/k", &agrees, "", "403 AccessDenied"),
            ("other", "GET /plain/k", &[], "", "403 AccessDenied"),
            ("other", "GET /plain/k", &[("x-amz-request-payer", "owner")], "", "403 AccessDenied"),
            ("other", "PUT /plain/k", &agrees, "x", "403 AccessDenied"),
            ("other", "PUT /theirs", &[], "", "200 "),
            ("other", "PUT /theirs/k", &[("x-amz-copy-source", "/plain/k")], "", "403 AccessDenied"),
            ("admin", "GET /plain/k", &[], "", "200 "),
        ])
        .await;
    for (user, want) in [("other", "requester"), ("admin", "")] {
        let reply = world.send_as(user, "GET /plain/k", &agrees, "").await;
        assert_eq!((reply.status.as_u16(), reply.header("x-amz-request-charged")), (200, want), "{user}");
    }
    assert!(world.ask_admin("GET /plain?requestPayment").await.text().contains("<Payer>Requester</Payer>"));
    world
        .check(&[
            ("admin", "PUT /plain?requestPayment", &[], &payer("BucketOwner"), "200 "),
            ("", "GET /plain/k", &[], "", "200 "),
        ])
        .await;
    assert!(world.ask_admin("GET /plain?requestPayment").await.text().contains("<Payer>BucketOwner</Payer>"));
}

/// CORS rules are put and deleted without touching tags, and preflights follow them at once.
#[tokio::test]
async fn cors_rules() {
    let world = World::with_users().await;
    let rules = |rules: &str| format!("<CORSConfiguration>{rules}</CORSConfiguration>");
    let rule = |origin: &str| {
        format!(
            "<CORSRule><AllowedOrigin>{origin}</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
             <AllowedHeader>x-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>"
        )
    };
    let one = rules(&rule("https://a.test"));
    let tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let too_many = rules(&rule("https://a.test").repeat(101));
    world
        .check(&[
            ("admin", "PUT /plain?tagging", &[], tags, "204 "),
            ("nobody", "PUT /plain?cors", &[], &one, "403 AccessDenied"),
            ("", "PUT /plain?cors", &[], &one, "403 AccessDenied"),
            ("admin", "PUT /plain?cors", &[], "", "400 MalformedXML"),
            ("admin", "PUT /plain?cors", &[], &rules(""), "400 MalformedXML"),
            ("admin", "PUT /plain?cors", &[], &too_many, "400 MalformedXML"),
            ("admin", "PUT /plain?cors", &[], &one.replace("GET", "PATCH"), "400 InvalidRequest"),
            ("admin", "PUT /plain?cors", &[], &one.replace("ExposeHeader", "Expose"), "400 MalformedXML"),
            ("admin", "PUT /nowhere?cors", &[], &one, "404 NoSuchBucket"),
            ("admin", "GET /plain?cors", &[], "", "404 NoSuchCORSConfiguration"),
            ("admin", "PUT /plain?cors", &[], &one, "200 "),
        ])
        .await;
    assert!(world.ask_admin("GET /plain?cors").await.text().contains(&rule("https://a.test")));
    preflights(&world).await;
    world
        .check(&[
            ("reader", "DELETE /plain?cors", &[], "", "403 AccessDenied"),
            ("admin", "PUT /plain?cors", &[], &rules(&rule("https://b.test")), "200 "),
        ])
        .await;
    let asked = [("origin", "https://a.test"), ("access-control-request-method", "GET")];
    assert_eq!(world.send("OPTIONS /plain/k", &asked, "").await.status, 403);
    world
        .check(&[
            ("admin", "DELETE /plain?cors", &[], "", "204 "),
            ("admin", "DELETE /plain?cors", &[], "", "204 "),
            ("admin", "GET /plain?cors", &[], "", "404 NoSuchCORSConfiguration"),
            ("admin", "DELETE /nowhere?cors", &[], "", "404 NoSuchBucket"),
        ])
        .await;
    assert_eq!(world.ask_admin("GET /plain?tagging").await.element("Key"), "k");
}

/// What is not configured is answered as on AWS.
#[tokio::test]
async fn a_bare_bucket() {
    let world = World::with_users().await;
    let mut claims = Claims::default();
    for (query, want, content) in [
        ("location", "200 ", "/2006-03-01/\"></LocationConstraint>"),
        ("versioning", "200 ", "/2006-03-01/\"></VersioningConfiguration>"),
        ("requestPayment", "200 ", "<Payer>BucketOwner</Payer>"),
        ("acl", "200 ", "<Permission>FULL_CONTROL</Permission>"),
        ("tagging", "404 NoSuchTagSet", "<BucketName>plain</BucketName>"),
        ("cors", "404 NoSuchCORSConfiguration", "<BucketName>plain</BucketName>"),
        ("encryption", "404 ServerSideEncryptionConfigurationNotFoundError", "<BucketName>plain</BucketName>"),
        ("lifecycle", "404 NoSuchLifecycleConfiguration", "<BucketName>plain</BucketName>"),
        ("policy", "404 NoSuchBucketPolicy", "<BucketName>plain</BucketName>"),
        ("policyStatus", "404 NoSuchBucketPolicy", "<BucketName>plain</BucketName>"),
        ("object-lock", "404 ObjectLockConfigurationNotFoundError", "<BucketName>plain</BucketName>"),
    ] {
        let reply = world.ask_admin(&format!("GET /plain?{query}")).await;
        claims.claim(&format!("{query}: {}", reply.text()), &*reply.outcome(), want);
        claims.claim(&format!("{query}: {}", reply.text()), reply.text().contains(content), true);
        let missing = world.ask_admin(&format!("GET /nowhere?{query}")).await;
        claims.claim(query, &*missing.outcome(), "404 NoSuchBucket");
    }
    for (line, want) in [
        ("HEAD /plain", "200 "),
        ("HEAD /nowhere", "404 "),
        ("GET /versioned?versioning", "200 "),
        ("PUT /nowhere?acl", "404 NoSuchBucket"),
        ("DELETE /nowhere?tagging", "404 NoSuchBucket"),
        ("DELETE /nowhere?policy", "404 NoSuchBucket"),
    ] {
        claims.claim(line, &*world.ask_admin(line).await.outcome(), want);
    }
    claims.end();
    assert_eq!(world.ask_admin("HEAD /plain").await.header("x-amz-bucket-region"), "us-east-1");
    for (bucket, status) in [("versioned", "Enabled"), ("suspended", "Suspended")] {
        assert_eq!(world.ask_admin(&format!("GET /{bucket}?versioning")).await.element("Status"), status);
    }
    assert_eq!(world.ask_admin("GET /locked?object-lock").await.element("ObjectLockEnabled"), "Enabled");
}

/// Gives the bucket `plain` CORS rules, a default encryption, an ownership and a lifecycle, as SeaweedFS stores them.
async fn configured(world: &World, lifecycle: &str) {
    let rule = CorsRule {
        allowed_methods: vec!["GET".to_owned()],
        allowed_origins: vec!["https://a.test".to_owned()],
        allowed_headers: vec!["x-*".to_owned()],
        expose_headers: vec!["ETag".to_owned()],
        max_age_seconds: 60,
        id: "one".to_owned(),
    };
    let metadata = BucketMetadata {
        cors: Some(CorsConfiguration { rules: vec![rule] }),
        encryption: Some(EncryptionConfiguration { sse_algorithm: "AES256".to_owned(), ..Default::default() }),
        ..BucketMetadata::default()
    };
    set_content(world, metadata.to_content(), lifecycle).await;
    while world.ask_admin("GET /plain?lifecycle").await.outcome() != "200 " {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn set_content(world: &World, content: Vec<u8>, lifecycle: &str) {
    let mutation = Mutation::Patch {
        directory: "/buckets".to_owned(),
        name: "plain".to_owned(),
        set: [
            (attributes::LIFECYCLE.to_owned(), lifecycle.as_bytes().to_vec()),
            (attributes::OWNERSHIP.to_owned(), b"ObjectWriter".to_vec()),
        ]
        .into(),
        remove: Vec::new(),
        content: Some(content),
    };
    let transaction = Transaction { lock_key: "/".to_owned(), mutations: vec![mutation], ..Default::default() };
    world.filer.transact(transaction).await.unwrap();
}

/// What SeaweedFS stored is shown.
#[tokio::test]
async fn a_bucket_that_is_configured() {
    let world = World::with_users().await;
    configured(&world, "<LifecycleConfiguration/>").await;
    let get = |query: &'static str| {
        let world = &world;
        async move { world.ask_admin(&format!("GET /plain?{query}")).await.text().to_owned() }
    };
    assert_eq!(get("lifecycle").await, "<LifecycleConfiguration/>");
    assert!(get("encryption").await.contains("<SSEAlgorithm>AES256</SSEAlgorithm>"));
    assert!(get("ownershipControls").await.contains("<ObjectOwnership>ObjectWriter</ObjectOwnership>"));
    let cors = get("cors").await;
    let want = "<CORSRule><ID>one</ID><AllowedOrigin>https://a.test</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
        <AllowedHeader>x-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>";
    assert!(cors.contains(want), "{cors}");
    preflights(&world).await;
}

/// The bucket's rules count, not those of the gateway; no one is authenticated.
async fn preflights(world: &World) {
    let mut claims = Claims::default();
    for (path, origin, method, headers, want) in [
        ("/plain/k", "https://a.test", "GET", "x-one", (200, "https://a.test", "true", "60")),
        ("/plain", "https://a.test", "GET", "", (200, "https://a.test", "true", "60")),
        ("/plain/k", "https://a.test", "PUT", "", (403, "", "", "")),
        ("/plain/k", "https://b.test", "GET", "", (403, "", "", "")),
        ("/plain/k", "https://a.test", "GET", "authorization", (403, "", "", "")),
        ("/other/k", "https://a.test", "GET", "", (403, "", "", "")),
        ("/nowhere/k", "https://a.test", "GET", "", (403, "", "", "")),
    ] {
        let asked = [
            ("origin", origin),
            ("access-control-request-method", method),
            ("access-control-request-headers", headers),
        ];
        let reply = world.send(&format!("OPTIONS {path}"), &asked, "").await;
        let got = ["access-control-allow-origin", "access-control-allow-credentials", "access-control-max-age"];
        let [allow, credentials, age] = got.map(|name| reply.header(name));
        claims.claim(
            &format!("{path} {asked:?} {}", reply.text()),
            (reply.status.as_u16(), allow, credentials, age),
            want,
        );
    }
    // Scripts may read errors, too, but only those of their origins.
    for (line, origin, allow, expose) in [
        ("GET /plain/k", "https://a.test", "https://a.test", "ETag"),
        ("GET /plain/k", "https://b.test", "", ""),
        ("PUT /plain/k", "https://a.test", "", ""),
        ("GET /other/k", "https://a.test", "", ""),
    ] {
        let reply = world.send(line, &[("origin", origin)], "").await;
        let got = (
            reply.status.as_u16(),
            reply.header("access-control-allow-origin"),
            reply.header("access-control-expose-headers"),
        );
        claims.claim(&format!("{line} {origin}"), got, (403, allow, expose));
    }
    claims.end();
}

/// An answer has the headers of the rules by which its request was decided, even if it changes them.
#[tokio::test]
async fn rules_of_the_state_that_decided() {
    let world = World::with_users().await;
    let rules = "<CORSConfiguration><CORSRule><AllowedOrigin>https://a.test</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>\
        <AllowedMethod>DELETE</AllowedMethod></CORSRule></CORSConfiguration>";
    for (line, body, allow) in [
        ("PUT /plain?cors", rules, ""),
        ("PUT /plain?cors", rules, "https://a.test"),
        ("DELETE /plain?cors", "", "https://a.test"),
        ("DELETE /plain?cors", "", ""),
    ] {
        let reply = world.send_as("admin", line, &[("origin", "https://a.test")], body).await;
        let got = (reply.status.is_success(), reply.header("access-control-allow-origin"));
        assert_eq!(got, (true, allow), "{line} {}", reply.text());
    }
}

#[tokio::test]
async fn origins_of_the_gateway() {
    let settings =
        gateway::Settings { allowed_origins: vec!["https://a.test".to_owned()], ..crate::support::settings() };
    let world = World::with_users_and(settings).await;
    for (line, origin, allow) in [
        ("GET /plain/k", "https://a.test", "https://a.test"),
        ("DELETE /plain/k", "https://a.test", "https://a.test"),
        ("GET /nowhere/k", "https://a.test", "https://a.test"),
        ("GET /plain/k", "https://b.test", ""),
    ] {
        let reply = world.send(line, &[("origin", origin)], "").await;
        assert_eq!(reply.header("access-control-allow-origin"), allow, "{line} {origin}");
    }
    let reply =
        world.send("OPTIONS /", &[("origin", "https://a.test"), ("access-control-request-method", "PUT")], "").await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-max-age")), (200, "3600"));
    let reply = world.send("OPTIONS /plain", &[("origin", "https://a.test")], "").await;
    assert_eq!(reply.outcome(), "400 InvalidRequest");
}

/// A request whose change does not come back asks the filer, but more and more seldom.
#[tokio::test]
async fn a_late_feed_does_not_multiply_questions() {
    let directory = tempfile::tempdir().unwrap();
    let filer = Arc::new(FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap())));
    let world = World::over(filer.clone()).await;
    let status = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let change = world.send_as("admin", "PUT /plain?versioning", &[], status);
    assert!(tokio::time::timeout(Duration::from_secs(1), change).await.is_err(), "nothing follows the filer");
    let asked = filer.calls(Call::Lookup);
    assert!((3..20).contains(&asked), "{asked}");
}

#[tokio::test]
async fn tags_of_a_bucket() {
    let world = World::with_users().await;
    let tags = |pairs: &str| {
        let tag = |pair: &str| format!("<Tag><Key>{pair}</Key><Value>1</Value></Tag>");
        format!("<Tagging><TagSet>{}</TagSet></Tagging>", pairs.split_whitespace().map(tag).collect::<String>())
    };
    world
        .check(&[
            ("admin", "PUT /plain?tagging", &[], &tags("a b"), "204 "),
            ("admin", "PUT /plain?tagging", &[], &tags("c a"), "204 "),
        ])
        .await;
    let got = world.ask_admin("GET /plain?tagging").await;
    assert_eq!(got.elements("Key"), ["a", "c"]);
    world
        .check(&[
            ("reader", "GET /plain?tagging", &[], "", "403 AccessDenied"),
            ("writer", "DELETE /plain?tagging", &[], "", "403 AccessDenied"),
            ("admin", "DELETE /plain?tagging", &[], "", "204 "),
            ("admin", "DELETE /plain?tagging", &[], "", "204 "),
            ("admin", "GET /plain?tagging", &[], "", "404 NoSuchTagSet"),
        ])
        .await;
}

#[tokio::test]
async fn policies_of_a_bucket() {
    let world = World::with_users().await;
    let policy = |effect: &str, principal: &str, action: &str| {
        format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"{effect}\",\"Principal\":{principal},\
             \"Action\":\"{action}\",\"Resource\":\"arn:aws:s3:::plain/*\"}}]}}"
        )
    };
    let everyone = policy("Allow", "\"*\"", "s3:GetObject");
    let other = everyone.replace(":::plain", ":::other");
    world
        .check(&[
            ("admin", "PUT /plain/k", &[], "hello", "200 "),
            ("", "GET /plain/k", &[], "", "403 AccessDenied"),
            ("admin", "PUT /plain?policy", &[], &everyone, "204 "),
            // As soon as it is answered it is in force.
            ("", "GET /plain/k", &[], "", "200 "),
            ("", "PUT /plain/k", &[], "x", "403 AccessDenied"),
            ("admin", "PUT /plain?policy", &[], &policy("Deny", "\"*\"", "s3:GetObject"), "204 "),
            ("admin", "GET /plain/k", &[], "", "403 AccessDenied"),
            ("admin", "DELETE /plain?policy", &[], "", "204 "),
            ("admin", "GET /plain/k", &[], "", "200 "),
            ("admin", "DELETE /plain?policy", &[], "", "204 "),
            // A policy that is refused changes nothing.
            ("admin", "PUT /plain?policy", &[], &everyone, "204 "),
            ("admin", "PUT /plain?policy", &[], "", "400 MalformedPolicy"),
            ("admin", "PUT /plain?policy", &[], "{}", "400 MalformedPolicy"),
            ("admin", "PUT /plain?policy", &[], &other, "400 MalformedPolicy"),
            ("admin", "PUT /plain?policy", &[], &policy("Allow", "\"*\"", "s3:GetObjects"), "400 MalformedPolicy"),
            ("admin", "PUT /plain?policy", &[], &policy("Allow", "\"me\"", "s3:GetObject"), "400 MalformedPolicy"),
            ("admin", "PUT /nowhere?policy", &[], &everyone.replace("plain", "nowhere"), "404 NoSuchBucket"),
            ("", "GET /plain/k", &[], "", "200 "),
        ])
        .await;
    let refused = world.send_as("admin", "PUT /plain?policy", &[], r#"{"Statement": []}"#).await;
    assert_eq!(refused.outcome(), "400 MalformedPolicy");
    let message = refused.element("Message");
    assert!(!message.is_empty() && !message.contains("MalformedPolicy"), "the code stands apart: {message}");
    let got = world.ask_admin("GET /plain?policy").await;
    assert_eq!((got.text(), got.header("content-type")), (&*everyone, "application/json"));
    let status = world.ask_admin("GET /plain?policyStatus").await;
    assert_eq!(status.element("IsPublic"), "true");
    let too_large = format!("{everyone}{}", " ".repeat(128 << 10));
    let reply = world.send_as("admin", "PUT /plain?policy", &[], too_large).await;
    assert_eq!(reply.outcome(), "400 EntityTooLarge");
}

#[tokio::test]
async fn new_buckets() {
    let world = World::with_users().await;
    let region = |name: &str| {
        format!(
            "<CreateBucketConfiguration><LocationConstraint>{name}</LocationConstraint></CreateBucketConfiguration>"
        )
    };
    let tagged =
        "<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>";
    world
        .check(&[
            ("admin", "PUT /fresh", &[], "", "200 "),
            ("admin", "PUT /fresh", &[], "", "200 "),
            ("nobody", "PUT /another", &[], "", "403 AccessDenied"),
            ("admin", "PUT /here", &[], &region("us-east-1"), "200 "),
            ("admin", "PUT /there", &[], &region("eu-west-1"), "400 IllegalLocationConstraintException"),
            ("admin", "PUT /open", &[("x-amz-acl", "public-read")], "", "400 InvalidBucketAclWithObjectOwnership"),
            ("admin", "PUT /closed", &[("x-amz-acl", "private")], "", "200 "),
            ("admin", "PUT /kept", &[("x-amz-bucket-object-lock-enabled", "true")], "", "200 "),
            ("admin", "PUT /tagged", &[("x-amz-object-ownership", "ObjectWriter")], tagged, "200 "),
            ("admin", "PUT /metrics", &[], "", "400 InvalidBucketName"),
            ("admin", "PUT /status", &[], "", "400 InvalidBucketName"),
            ("admin", "PUT /xn--a", &[], "", "400 InvalidBucketName"),
            ("admin", "PUT /sthree-a", &[], "", "400 InvalidBucketName"),
            ("admin", "PUT /amzn-s3-demo-a", &[], "", "400 InvalidBucketName"),
            ("admin", "PUT /a-s3alias", &[], "", "400 InvalidBucketName"),
            ("admin", "PUT /a--ol-s3", &[], "", "400 InvalidBucketName"),
            ("admin", "PUT /a--x-s3", &[], "", "400 InvalidBucketName"),
        ])
        .await;
    assert_eq!(world.ask_admin("GET /tagged?tagging").await.element("Key"), "a");
    let ownership = world.ask_admin("GET /tagged?ownershipControls").await;
    assert_eq!(ownership.element("ObjectOwnership"), "ObjectWriter");
    let location = world.ask_admin("PUT /located").await;
    assert_eq!(location.header("location"), "/located");
    let names = |query: &'static str| {
        let world = &world;
        async move { world.ask_admin(&format!("GET /{query}")).await.elements("Name") }
    };
    assert_eq!(names("?prefix=l").await, ["located", "locked"]);
    assert_eq!(names("?prefix=l&max-buckets=1").await, ["located"]);
    assert_eq!(names("?prefix=l&continuation-token=located").await, ["locked"]);
    assert_eq!(names("?bucket-region=eu-west-1").await, [""; 0]);
    let page = world.ask_admin("GET /?prefix=l&max-buckets=1").await;
    assert_eq!(
        (page.element("ContinuationToken"), page.element("BucketRegion")),
        ("located".into(), "us-east-1".into())
    );
    // A holder of legacy actions sees the buckets that they name.
    assert_eq!(world.send_as("reader", "GET /", &[], "").await.elements("Name"), ["plain"]);
    world.check(&[("nobody", "GET /", &[], "", "403 AccessDenied"), ("", "GET /", &[], "", "403 AccessDenied")]).await;
}

/// With `-region=any`, lists name the same region as every other answer.
#[tokio::test]
async fn lists_of_buckets_of_any_region() {
    let settings = gateway::Settings { region: String::new(), ..crate::support::settings() };
    let world = World::with_users_and(settings).await;
    let list = |region: &str| format!("GET /?prefix=plain&max-buckets=1&bucket-region={region}");
    let page = world.ask_admin(&list("us-east-1")).await;
    assert_eq!((page.element("Name"), page.element("BucketRegion")), ("plain".into(), "us-east-1".into()));
    assert_eq!(world.ask_admin(&list("eu-west-1")).await.element("Name"), "");
}

/// `-autoCreateBucket`: a write makes the bucket if its caller may, and nothing else does.
#[tokio::test]
async fn missing_buckets() {
    let settings = gateway::Settings { auto_create_bucket: true, ..crate::support::settings() };
    let world = World::with_users_and(settings).await;
    let copy = ("x-amz-copy-source", "made/k");
    world
        .check(&[
            ("writer", "PUT /made/k", &[], "x", "403 AccessDenied"),
            ("admin", "GET /made/k", &[], "", "404 NoSuchBucket"),
            ("admin", "DELETE /made/k", &[], "", "404 NoSuchBucket"),
            ("admin", "PUT /made?tagging", &[], "<Tagging><TagSet/></Tagging>", "404 NoSuchBucket"),
            ("admin", "PUT /made/k", &[], "x", "200 "),
            ("admin", "GET /made/k", &[], "", "200 "),
            ("admin", "PUT /copied/k", &[copy], "", "200 "),
            ("admin", "POST /begun/k?uploads", &[], "", "200 "),
            ("admin", "PUT /part/k?uploadId=u&partNumber=1", &[], "", "404 NoSuchBucket"),
            ("admin", "PUT /sthree-a/k", &[], "x", "400 InvalidBucketName"),
        ])
        .await;
    let names = world.ask_admin("GET /").await.elements("Name");
    for (bucket, is_there) in [("made", true), ("copied", true), ("begun", true), ("part", false), ("sthree-a", false)]
    {
        assert_eq!(names.iter().any(|name| name == bucket), is_there, "{bucket}");
    }
}

/// With the flag, objects go with their bucket, but versions and locks do not.
#[tokio::test]
async fn buckets_that_are_not_empty() {
    let settings = crate::support::settings();
    let world = World::with_users_and(gateway::Settings { allow_delete_bucket_not_empty: true, ..settings }).await;
    world
        .check(&[
            ("admin", "PUT /plain/k", &[], "x", "200 "),
            ("admin", "DELETE /plain", &[], "", "204 "),
            ("admin", "PUT /versioned/k", &[], "x", "200 "),
            ("admin", "DELETE /versioned/k", &[], "", "204 "),
            ("admin", "DELETE /versioned", &[], "", "409 BucketNotEmpty"),
            ("admin", "PUT /suspended/k", &[], "x", "200 "),
            ("admin", "DELETE /suspended", &[], "", "409 BucketNotEmpty"),
            ("admin", "DELETE /suspended/k?versionId=null", &[], "", "204 "),
            ("admin", "DELETE /suspended", &[], "", "204 "),
            ("admin", "DELETE /locked", &[], "", "204 "),
        ])
        .await;
}
