//! Limits of requests per second, through the whole pipeline.

use std::sync::Arc;

use gateway::{Rate, RateLimits, Rates};

use crate::support::{Claims, World};

async fn limited(rates: Rates) -> World {
    let world = World::with_users().await;
    world.gateway.rate_limits.store(Arc::new(RateLimits::new(&rates)));
    world
}

#[tokio::test]
async fn each_kind_has_its_own_limit() {
    let rate = Some(Rate { per_second: 0.001, burst: 2.0 });
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
