//! A record in the form of MinIO's audit webhook, version 1. MinIO's dumps of headers are left out, because they hold signatures.

use access::AuditRecord;
use serde_json::{Map, Value, json};

use crate::line;

/// Appends the event. Returns 1: the keys of DeleteObjects are `api.objects` of the one event.
pub(crate) fn encode(record: &AuditRecord, out: &mut Vec<u8>) -> usize {
    let request = &record.request;
    let objects: Vec<Value> =
        record.objects.iter().map(|object| json!({"objectName": object.key, "versionId": object.version_id})).collect();
    let nanos = u64::try_from(record.took.as_nanos()).unwrap_or(u64::MAX);
    let query = record.parameters.iter().map(|(name, value)| (name.clone(), json!(value)));
    let session = record.caller.session.as_ref();
    let claims = session.map(|session| {
        let federation = session.federation.as_ref();
        json!({
            "sid": &*session.id, "role": &*session.role_arn, "iat": session.issued_s,
            "sub": federation.map(|federation| &*federation.subject), "iss": federation.map(|federation| federation.issuer.as_str()),
        })
    });
    let sign_in =
        record.caller.sign_in.as_ref().map(|sign_in| json!({"sub": sign_in.subject.as_deref(), "iss": sign_in.issuer}));
    let claims = claims.or(sign_in);
    let name = record.operation.split_once(':').map_or(record.operation, |(_, name)| name);
    let event = json!({
        "version": "1",
        "deploymentid": "",
        "time": record.time.to_string(),
        "event": "",
        "trigger": "incoming",
        "api": {
            "name": name,
            "bucket": record.target.bucket.as_deref().unwrap_or_default(),
            "object": record.target.key.as_deref().unwrap_or_default(),
            "objects": objects,
            "status": status_text(record.status),
            "statusCode": record.status,
            "rx": request.bytes_received.unwrap_or_default(),
            "tx": record.bytes_sent.unwrap_or_default(),
            "timeToFirstByte": format!("{nanos}ns"),
            "timeToFirstByteInNS": nanos.to_string(),
            "timeToResponse": format!("{nanos}ns"),
            "timeToResponseInNS": nanos.to_string(),
        },
        "remotehost": request.client.to_string(),
        "requestID": record.request_id,
        "userAgent": request.user_agent,
        "requestPath": request.path,
        "requestHost": request.host,
        "requestClaims": claims,
        "requestQuery": Value::Object(query.collect::<Map<_, _>>()),
        "tags": {
            "revision": record.revision.to_string(),
            "decisions": record.decisions.iter().map(ToString::to_string).collect::<Vec<_>>(),
        },
        "accessKey": record.caller.access_key_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        "parentUser": if session.is_some() { "" } else { &record.caller.name },
        "error": record.error.as_ref().map_or("", |error| error.code.as_str()),
    });
    line::append(&event.to_string(), out);
    1
}

fn status_text(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        412 => "Precondition Failed",
        499 => "Client Closed Request",
        500..=599 => "Server Error",
        _ => "",
    }
}
