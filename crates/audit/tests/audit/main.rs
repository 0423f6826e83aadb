//! The audit log through its public surface: files, and receivers behind a network.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod events;
mod exchange;
mod files;
mod injection;
mod misbehaving;
mod senders;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use access::{AuditRecord, AuditedCaller, AuditedRequest, AuditedTarget};
use audit::Auditing;

/// A request for whose record nobody waits.
fn give(auditing: &Auditing, record: AuditRecord) {
    drop(auditing.take(&record));
}

/// A request that waits for its record where it must.
async fn take(auditing: &Auditing, record: AuditRecord<'_>) -> Result<(), String> {
    match auditing.take(&record) {
        Some(pending) => pending.written().await,
        None => Ok(()),
    }
}

fn record(key: &str) -> AuditRecord<'static> {
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    AuditRecord {
        request_id: format!("{:016X}", 7),
        time: jiff::Timestamp::from_second(1_790_000_000).unwrap(),
        took: Duration::from_micros(12),
        operation: "GetObject",
        caller: AuditedCaller::default(),
        target: AuditedTarget { bucket: Some("reef".into()), key: Some(key.into()), ..AuditedTarget::default() },
        parameters: vec![("prefix".into(), "a\nb".into())],
        decisions: Vec::new(),
        objects: Vec::new(),
        revision: 3,
        request: AuditedRequest {
            method: "GET".into(),
            path: format!("/reef/{key}").into(),
            protocol: "HTTP/1.1",
            host: "localhost".into(),
            client,
            peer: client,
            tls: None,
            signature: None,
            user_agent: "evil\r\n{\"eventName\":\"Forged\"}\u{2028}\u{202e}".into(),
            referer: "".into(),
            bytes_received: None,
        },
        status: 200,
        error: None,
        bytes_sent: Some(5),
    }
}
