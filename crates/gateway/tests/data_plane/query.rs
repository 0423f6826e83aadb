//! Calls of the query API on their way to the control plane, and those that do not get there.

use sigv4::PayloadHash;

use crate::support::{Claims, Reply, World, signer};

/// Sends a form that is signed for this service as this user; `change` may alter the head afterwards.
async fn call(world: &World, user: &str, service: &str, line: &str, form: &[u8], late_s: i64) -> Reply {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, form);
    let mut signer = signer(user);
    signer.service = service.to_owned();
    signer.time -= jiff::SignedDuration::from_secs(late_s);
    let head = world.head(line, &[("content-type", "application/x-www-form-urlencoded")]);
    let head = signer.sign(head, PayloadHash::Sha256(hash.as_ref().try_into().unwrap()));
    world.deliver(head, form.to_vec().into()).await
}

/// Caller and action, as they reach the control plane.
#[tokio::test]
async fn calls_that_are_handed_over() {
    let world = World::with_users().await;
    let mut claims = Claims::default();
    for (user, service, line, form, want) in [
        ("admin", "iam", "POST /", "Action=ListUsers&Version=2010-05-08", "admin ListUsers"),
        ("admin", "sts", "POST /", "Action=GetCallerIdentity", "admin GetCallerIdentity"),
        ("nobody", "sts", "POST /", "Action=GetCallerIdentity", "nobody GetCallerIdentity"),
        ("admin", "iam", "POST /?Action=ListUsers", "", "admin ListUsers"),
        ("admin", "iam", "GET /?Action=ListUsers", "", "admin ListUsers"),
        ("admin", "iam", "POST /", "Action=Unheard", "admin Unheard"),
    ] {
        let reply = call(&world, user, service, line, form.as_bytes(), 0).await;
        claims.claim(&format!("{user} {service} {line} {form}"), reply.text(), want);
    }
    claims.end();
    // Clients do not invent labels.
    let text = world.gateway.metrics.text();
    assert!(text.contains("kelpgate_requests_total{operation=\"iam:ListUsers\",status=\"200\"} 3"), "{text}");
    assert!(!text.contains("Unheard"), "{text}");
}

#[tokio::test]
async fn calls_that_are_refused() {
    let world = World::with_users().await;
    let large = format!("Action=ListUsers&a={}", "v".repeat(1 << 20));
    let mut claims = Claims::default();
    for (what, user, service, line, form, late_s, want) in [
        (
            "an unknown key",
            "unknown",
            "iam",
            "POST /",
            &b"Action=ListUsers"[..],
            0,
            ("403 InvalidClientTokenId", "iam"),
        ),
        ("an unknown key", "unknown", "sts", "POST /", b"Action=ListUsers", 0, ("403 InvalidClientTokenId", "sts")),
        ("a slow clock", "admin", "iam", "POST /", b"Action=ListUsers", 3600, ("403 SignatureDoesNotMatch", "iam")),
        (
            "a parameter twice",
            "admin",
            "iam",
            "POST /?Action=ListUsers",
            b"Action=DeleteUser",
            0,
            ("400 InvalidArgument", "iam"),
        ),
        ("no text", "admin", "iam", "POST /", b"Action=\xff", 0, ("400 InvalidRequest", "iam")),
        ("broken text", "admin", "iam", "POST /", b"Action=%zz", 0, ("400 InvalidURI", "iam")),
        ("a large body", "admin", "iam", "POST /", large.as_bytes(), 0, ("400 EntityTooLarge", "iam")),
    ] {
        let reply = call(&world, user, service, line, form, late_s).await;
        let row = format!("{what}: {}", reply.text());
        claims.claim(&row, (&*reply.outcome(), &*reply.element("Service")), want);
        claims.claim(&row, reply.header("content-type"), "text/xml");
        claims.claim(&row, reply.header("x-amzn-requestid"), reply.header("x-amz-request-id"));
    }
    let garbled = [("authorization", "AWS4-HMAC-SHA256 nothing")];
    let reply = world.send("POST /", &garbled, "Action=ListUsers").await;
    claims.claim(
        "a garbled header",
        (&*reply.outcome(), &*reply.element("Service")),
        ("400 IncompleteSignature", "sts"),
    );
    claims.end();
}
