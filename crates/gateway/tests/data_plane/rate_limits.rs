//! Limits of requests and bytes per second, through the whole pipeline.

use std::sync::Arc;
use std::time::Duration;

use gateway::{Limit, Rate, RateLimits, Rates};
use http::HeaderValue;
use http::header::HOST;

use crate::support::{Claims, World};

async fn limited(rates: Rates) -> World {
    let world = World::with_users().await;
    world.gateway.rate_limits.store(Arc::new(RateLimits::new(&rates)));
    world
}

#[tokio::test]
async fn each_kind_has_its_own_limit() {
    let rate = Limit { requests: Some(Rate { per_second: 0.001, burst: 2.0 }), bytes: None };
    let mut claims = Claims::default();
    for (what, rates, rows) in [
        (
            "key",
            Rates { key: rate, ..Rates::default() },
            [("admin", "plain", 200), ("admin", "other", 200), ("admin", "plain", 503), ("unknown", "plain", 403)],
        ),
        (
            "bucket",
            Rates { bucket: rate, ..Rates::default() },
            [("admin", "plain", 200), ("admin", "plain", 200), ("admin", "plain", 503), ("admin", "other", 200)],
        ),
        // Whoever has no right signature uses up nothing of a key or a bucket.
        (
            "bucket",
            Rates { bucket: rate, ..Rates::default() },
            [("unknown", "plain", 403), ("nobody", "plain", 403), ("nobody", "plain", 403), ("admin", "plain", 200)],
        ),
        (
            "address",
            Rates { address: rate, ..Rates::default() },
            [("unknown", "plain", 403), ("unknown", "plain", 403), ("unknown", "plain", 503), ("admin", "plain", 503)],
        ),
    ] {
        let world = limited(rates).await;
        for (number, (user, bucket, status)) in rows.into_iter().enumerate() {
            let reply = world.send_as(user, &format!("GET /{bucket}"), &[], "").await;
            claims.claim(&format!("{what} {number}"), reply.status.as_u16(), status);
            if status == 503 {
                claims.claim(what, reply.header("retry-after"), "60");
                claims.claim(what, String::from_utf8_lossy(&reply.body).contains("SlowDown"), true);
            }
        }
    }
    claims.end();
}

#[tokio::test]
async fn bytes_are_paid_by_those_who_moved_them() {
    let rate = Limit { requests: None, bytes: Some(Rate { per_second: 0.001, burst: 100.0 }) };
    let mut claims = Claims::default();
    for (what, rates) in
        [("key", Rates { key: rate, ..Rates::default() }), ("bucket", Rates { bucket: rate, ..Rates::default() })]
    {
        let world = limited(rates).await;
        let put = |bucket: &'static str, user: &'static str, bytes: usize| {
            let world = &world;
            async move {
                let (line, length) = (format!("PUT /{bucket}/k"), bytes.to_string());
                let headers = [("content-length", length.as_str())];
                world.send_as(user, &line, &headers, "x".repeat(bytes)).await.status.as_u16()
            }
        };
        claims.claim(&format!("{what}: others cost it nothing"), put("plain", "nobody", 5000).await, 403);
        claims.claim(&format!("{what}: within the burst"), put("plain", "admin", 50).await, 200);
        claims.claim(&format!("{what}: one may go beyond it"), put("plain", "admin", 5000).await, 200);
        claims.claim(&format!("{what}: and then waits"), put("plain", "admin", 1).await, 503);
        let other = if what == "key" { 503 } else { 200 };
        claims.claim(&format!("{what}: others do not"), put("other", "admin", 1).await, other);
    }
    claims.end();
}

/// What is announced does not matter, nor how the request ends.
#[tokio::test]
async fn every_byte_that_moves_is_paid() {
    const BYTES: usize = 2_000_000;
    let world = World::with_users().await;
    let site = "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument><ErrorDocument><Key>error</Key></ErrorDocument>\
        </WebsiteConfiguration>";
    let public = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],
        "Resource":["arn:aws:s3:::plain","arn:aws:s3:::plain/*"]}]}"#;
    let large = "x".repeat(BYTES);
    world
        .check(&[
            ("admin", "PUT /plain/error", &[], &large, "200 "),
            ("admin", "PUT /plain?website", &[], site, "200 "),
            ("admin", "PUT /plain?policy", &[], public, "204 "),
        ])
        .await;
    let limit = || {
        let rate = Limit { requests: None, bytes: Some(Rate { per_second: 0.001, burst: BYTES as f64 / 2.0 }) };
        world.gateway.rate_limits.store(Arc::new(RateLimits::new(&Rates { address: rate, ..Rates::default() })));
    };
    limit();
    let mut page = world.head("GET /absent", &[]);
    page.headers.insert(HOST, HeaderValue::from_static("plain.website.test"));
    assert_eq!(world.deliver(page, "".into()).await.status.as_u16(), 404);
    assert!(waits(&world).await, "an error page");
    limit();
    let digest = [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")];
    assert_eq!(world.send_as("admin", "PUT /plain/k", &digest, large.clone()).await.outcome(), "400 BadDigest");
    assert!(waits(&world).await, "an upload that fails");
    limit();
    let in_chunks = format!("transfer-encoding: chunked\r\n\r\n{BYTES:x}\r\n{large}\r\n0\r\n\r\n");
    let answer = world.send_half(format!("PUT /other/k HTTP/1.1\r\nhost: x\r\n{in_chunks}").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(waits(&world).await, "a body without a length that nobody needs");
}

/// Whether this client has to wait. What nobody needs is read in the background.
async fn waits(world: &World) -> bool {
    for _ in 0..100 {
        if world.ask_admin("GET /other").await.status.as_u16() == 503 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}
