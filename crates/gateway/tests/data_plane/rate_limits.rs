//! Limits of requests and bytes per second, through the whole pipeline.

use std::sync::Arc;

use gateway::{Limit, Rate, RateLimits, Rates};

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
        claims.claim(&format!("{what}: refused requests cost nothing"), put("plain", "nobody", 5000).await, 403);
        claims.claim(&format!("{what}: within the burst"), put("plain", "admin", 50).await, 200);
        claims.claim(&format!("{what}: one may go beyond it"), put("plain", "admin", 5000).await, 200);
        claims.claim(&format!("{what}: and then waits"), put("plain", "admin", 1).await, 503);
        let other = if what == "key" { 503 } else { 200 };
        claims.claim(&format!("{what}: others do not"), put("other", "admin", 1).await, other);
    }
    claims.end();
}
