//! What a caller can make large is bounded.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails may panic")]

mod support;

use support::World;

/// The heads announce bodies that never come: an answer shows that nobody waited for them.
#[tokio::test]
async fn the_body_of_a_caller_without_permission_is_not_read() {
    let world = World::read_only().await;
    for line in [
        "POST /plain?delete",
        "POST /missing?delete",
        "PUT /plain?tagging",
        "PUT /plain/a?tagging",
        "PUT /plain/a?retention",
        "PUT /plain/a?legal-hold",
        "PUT /fresh",
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n<");
        let answer = world.send_raw(head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("AccessDenied"), "{line}: {answer}");
    }
}
