//! Records about the audit log itself, not about a request.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use access::{AuditRecord, AuditedCaller, AuditedError, AuditedRequest, AuditedTarget};
use jiff::Timestamp;

/// The operation of the record that tells how many refused requests of unknown callers have none of their own.
pub(crate) const FURTHER_REFUSED_REQUESTS: &str = "FurtherRefusedRequests";

/// How many refused requests of unknown callers were left out since then.
pub(crate) fn further_refused_requests(count: u64, since: Timestamp) -> AuditRecord<'static> {
    let message = format!("{count} refused requests of unknown callers have no record of their own");
    let parameters = vec![("count".to_owned(), count.to_string()), ("since".to_owned(), since.to_string())];
    let error = AuditedError { code: "AccessDenied".to_owned(), message };
    AuditRecord { status: 403, error: Some(error), ..note(FURTHER_REFUSED_REQUESTS, parameters) }
}

/// A note that the receiver refused records. It contains nothing from a client, so a receiver that refuses the note too refuses
/// everything.
pub(crate) fn refused_by_receiver(answer: &str) -> AuditRecord<'static> {
    note("RecordsRefusedByReceiver", vec![("answer".to_owned(), answer.to_owned())])
}

fn note(operation: &'static str, parameters: Vec<(String, String)>) -> AuditRecord<'static> {
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    AuditRecord {
        request_id: format!("{:016X}", rand::random::<u64>()),
        time: Timestamp::now(),
        took: Duration::ZERO,
        operation,
        caller: AuditedCaller::default(),
        target: AuditedTarget::default(),
        parameters,
        decisions: Vec::new(),
        objects: Vec::new(),
        revision: 0,
        request: AuditedRequest {
            method: "".into(),
            path: "".into(),
            protocol: "",
            host: "".into(),
            client: nowhere,
            peer: nowhere,
            tls: None,
            signature: None,
            user_agent: "".into(),
            referer: "".into(),
            bytes_received: None,
        },
        status: 200,
        error: None,
        bytes_sent: None,
    }
}
