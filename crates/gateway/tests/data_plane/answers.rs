//! What every answer has, and the pages that need no signature.

use std::sync::Arc;

use async_trait::async_trait;
use gateway::{Enforcement, Fence, FloorError};

use crate::support::{Claims, World};

#[tokio::test]
async fn errors() {
    let world = World::with_users().await;
    let mut claims = Claims::default();
    for (user, line, status, content) in [
        (
            "admin",
            "GET /plain/a%20b",
            404,
            "<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a b</Key>",
        ),
        ("admin", "GET /plain?acl&policy", 400, "<Resource>/plain</Resource>"),
        ("admin", "PUT /BUCKET", 400, "<BucketName>BUCKET</BucketName>"),
        ("nobody", "GET /plain/k", 403, "<Code>AccessDenied</Code>"),
        ("unknown", "GET /plain/k", 403, "<Code>InvalidAccessKeyId</Code>"),
        ("admin", "PATCH /plain/k", 405, "<Method>PATCH</Method>"),
    ] {
        let reply = world.send_as(user, line, &[], "").await;
        let row = format!("{line}: {}", reply.text());
        claims.claim(&row, reply.status.as_u16(), status);
        claims.claim(&row, reply.text().contains(content), true);
        claims.claim(&row, reply.header("content-type"), "application/xml");
        claims.claim(&row, reply.header("x-amz-request-id"), &*reply.element("RequestId"));
        claims.claim(&row, reply.header("x-amz-request-id").len(), 16);
        claims.claim(&row, &*reply.element("HostId"), "kelpgate");
        claims.claim(&row, reply.header("server"), "Kelpgate");
        claims.claim(&row, reply.element("Resource").is_empty(), false);
        // The id of a refusal's decision is that of the request.
        let decision =
            if reply.text().contains("<Code>AccessDenied</Code>") { reply.header("x-amz-request-id") } else { "" };
        claims.claim(&row, &*reply.element("DecisionId"), decision);
    }
    for (user, line, status) in [
        ("admin", "HEAD /plain/absent", 404),
        ("nobody", "HEAD /plain/k", 403),
        ("admin", "HEAD /nowhere", 404),
        ("admin", "HEAD /plain?acl", 405),
    ] {
        let reply = world.send_as(user, line, &[], "").await;
        claims.claim(line, (reply.status.as_u16(), reply.body.len(), reply.header("content-type")), (status, 0, ""));
        claims.claim(line, reply.header("x-amz-request-id").len(), 16);
    }
    claims.end();
}

/// How far a gateway has got, as it is told to callers who are known.
struct At {
    may_decide: bool,
}

#[async_trait]
impl Fence for At {
    fn may_decide(&self) -> bool {
        self.may_decide
    }
    fn revision(&self) -> Arc<String> {
        Arc::new("r5".to_owned())
    }
    async fn reach(&self, floor: &str) -> Result<(), FloorError> {
        match floor {
            "r5" => Ok(()),
            "r6" => Err(FloorError::Ahead),
            other => Err(FloorError::Wrong(format!("`{other}` is no revision"))),
        }
    }
    fn before_change(&self) -> Box<dyn Enforcement> {
        Box::new(At { may_decide: true })
    }
}

#[async_trait]
impl Enforcement for At {
    async fn everywhere(&self) -> Result<(), Vec<String>> {
        Ok(())
    }
}

const REVISION: &str = "x-kelpgate-revision";

#[tokio::test]
async fn revisions() {
    let world = World::behind(Arc::new(At { may_decide: true })).await;
    let mut claims = Claims::default();
    for (user, floor, want, shown) in [
        ("admin", None, "200 ", "r5"),
        ("admin", Some("r5"), "200 ", "r5"),
        ("nobody", None, "403 AccessDenied", "r5"),
        // Strangers are not told, but are held to what they ask for.
        ("unknown", None, "403 InvalidAccessKeyId", ""),
        ("unknown", Some("r6"), "503 ServiceUnavailable", ""),
        ("admin", Some("r6"), "503 ServiceUnavailable", ""),
        ("admin", Some("seven"), "400 InvalidArgument", ""),
    ] {
        let headers: Vec<(&str, &str)> = floor.map(|floor| (REVISION, floor)).into_iter().collect();
        let reply = world.send_as(user, "GET /plain", &headers, "").await;
        claims.claim(&format!("{user} {floor:?}"), (&*reply.outcome(), reply.header(REVISION)), (want, shown));
        let retry = if want.starts_with("503") { "1" } else { "" };
        claims.claim(&format!("{user} {floor:?}"), reply.header("retry-after"), retry);
    }
    claims.end();
}

/// A gateway that may have missed a change answers no one.
#[tokio::test]
async fn a_gateway_that_may_not_decide() {
    let world = World::behind(Arc::new(At { may_decide: false })).await;
    for (user, line) in
        [("admin", "GET /plain"), ("", "GET /shared"), ("unknown", "GET /plain"), ("admin", "PUT /plain/k")]
    {
        let reply = world.send_as(user, line, &[], "").await;
        assert_eq!((&*reply.outcome(), reply.header("retry-after")), ("503 ServiceUnavailable", "1"), "{user} {line}");
        assert!(reply.text().contains("may have missed changes"), "{}", reply.text());
    }
    assert!(
        world.gateway.metrics.text().contains("kelpgate_fence_refused_requests_total 4"),
        "{}",
        world.gateway.metrics.text()
    );
    // Before the rules are loaded there is nothing to decide by.
    let world = World::with_users().await;
    world.gateway.snapshot.store(None);
    let reply = world.ask_admin("GET /plain").await;
    assert_eq!(reply.outcome(), "503 ServiceUnavailable");
    assert!(reply.text().contains("has not loaded its access rules"), "{}", reply.text());
}

#[tokio::test]
async fn pages() {
    let world = World::with_users().await;
    let mut claims = Claims::default();
    for (user, line, status, kind, content) in [
        ("", "GET /healthz", 200, "text/plain", "ok\n"),
        ("", "GET /readyz", 200, "text/plain", "ready\n"),
        ("", "GET /status", 200, "application/json", "Public"),
        ("", "GET /metrics", 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", "# HELP"),
        ("", "HEAD /healthz", 200, "text/plain", ""),
        ("", "GET /healthz?location", 200, "text/plain", "ok\n"),
        // With a method or a signature of S3 they are buckets.
        ("", "PUT /metrics", 403, "application/xml", "AccessDenied"),
        ("", "GET /healthz/a", 403, "application/xml", "AccessDenied"),
        ("admin", "GET /metrics", 404, "application/xml", "NoSuchBucket"),
        // Administrators see what is inside.
        ("admin", "GET /status", 200, "application/json", "WithAddresses"),
        ("admin", "GET /status?decision=ID", 200, "application/x-ndjson", "ID for the operator"),
        // Those of other accounts are not the operators of the gateway.
        ("other", "GET /status", 200, "application/json", "Public"),
        ("other", "GET /status?decision=ID", 200, "application/x-ndjson", "ID for 111122223333"),
        ("nobody", "GET /status?decision=ID", 403, "application/xml", "AccessDenied"),
        ("nobody", "GET /status", 403, "application/xml", "AccessDenied"),
    ] {
        let reply = world.send_as(user, line, &[], "").await;
        claims.claim(&format!("{user} {line}"), (reply.status.as_u16(), reply.header("content-type")), (status, kind));
        claims.claim(&format!("{user} {line}: {}", reply.text()), reply.text().contains(content), true);
    }
    claims.end();
    let apart = World::with_users_and(gateway::Settings { metrics_apart: true, ..crate::support::settings() }).await;
    assert_eq!(apart.ask("GET /metrics").await.outcome(), "403 AccessDenied");
}

#[tokio::test]
async fn metrics() {
    let world = World::with_users().await;
    world
        .check(&[
            ("admin", "PUT /plain/k", &[], "hello", "200 "),
            ("admin", "GET /plain/k", &[], "", "200 "),
            ("admin", "GET /plain/absent", &[], "", "404 NoSuchKey"),
            ("nobody", "GET /plain/k", &[], "", "403 AccessDenied"),
            ("unknown", "GET /plain/k", &[], "", "403 InvalidAccessKeyId"),
            ("admin", "PUT /plain?replication", &[], "", "501 NotImplemented"),
            ("", "GET /shared/private", &[], "", "403 AccessDenied"),
            ("admin", "GET /%zz", &[], "", "400 InvalidURI"),
        ])
        .await;
    let text = world.ask("GET /metrics").await.text().to_owned();
    let mut claims = Claims::default();
    for line in [
        "kelpgate_requests_total{operation=\"PutObject\",status=\"200\"} 1",
        "kelpgate_requests_total{operation=\"GetObject\",status=\"200\"} 1",
        "kelpgate_requests_total{operation=\"GetObject\",status=\"404\"} 1",
        "kelpgate_requests_total{operation=\"GetObject\",status=\"403\"} 3",
        "kelpgate_requests_total{operation=\"PutBucketReplication\",status=\"501\"} 1",
        "kelpgate_requests_total{operation=\"Unknown\",status=\"400\"} 1",
        "kelpgate_request_duration_seconds_count{operation=\"PutObject\"} 1",
        "kelpgate_received_bytes_total 5",
        "kelpgate_sent_bytes_total 5",
        "kelpgate_requests_in_flight 0",
        "kelpgate_fence_refused_requests_total 0",
    ] {
        claims.claim(&format!("{line} in\n{text}"), text.lines().any(|one| one == line), true);
    }
    // No label names a bucket, a key or a user.
    for name in ["plain", "shared", "private", "admin", "nobody", "AKADMIN"] {
        claims.claim(&format!("{name} in\n{text}"), text.contains(name), false);
    }
    claims.claim(
        &text,
        text.contains("kelpgate_decisions_total{outcome=\"explicit_deny\",policy_type=\"resource\""),
        true,
    );
    claims.end();
}
