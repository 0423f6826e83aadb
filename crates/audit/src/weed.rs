//! A record with the fields that SeaweedFS sends to fluentd, so that what reads its log reads this one.

use access::AuditRecord;
use serde_json::{Map, Value, json};

use crate::{line, rest};

/// Appends the event of the request, and one for each key of DeleteObjects. Returns their number.
pub(crate) fn encode(record: &AuditRecord, host: &str, out: &mut Vec<u8>) -> usize {
    let whole = rest::operation(record, "BATCH.DELETE.OBJECT");
    let error = record.error.as_ref().map_or("", |error| error.code.as_str());
    let key = record.target.key.as_deref().unwrap_or_default();
    line::append(&event(record, host, &whole, key, error).to_string(), out);
    for object in &record.objects {
        let error = object.error.as_deref().unwrap_or_default();
        line::append(&event(record, host, "REST.DELETE.OBJECT", &object.key, error).to_string(), out);
    }
    1 + record.objects.len()
}

fn event(record: &AuditRecord, host: &str, operation: &str, key: &str, error: &str) -> Value {
    let (caller, request) = (&record.caller, &record.request);
    let fields = [
        ("bucket", json!(record.target.bucket.as_deref().unwrap_or_default())),
        ("time", json!(record.time.as_second())),
        ("remote_ip", json!(request.client.to_string())),
        ("requester", json!(&*caller.name)),
        ("requester_arn", json!(&*caller.arn)),
        ("request_id", json!(record.request_id)),
        ("operation", json!(operation)),
        ("key", json!(key)),
        ("error_code", json!(error)),
        ("host_id", json!(host)),
        ("host_header", json!(request.host)),
        ("user_agent", json!(request.user_agent)),
        ("status", json!(record.status)),
        ("signature_version", json!(request.signature.map_or("", |signature| signature.version))),
    ];
    let named = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::Object(named.collect::<Map<_, _>>())
}
