//! A record as an event of OCSF 1.3: API Activity (6003), and Authentication (3002) for the calls of STS that make sessions.

use access::{AuditRecord, AuditedDecision};
use iam_formats::AuditedOutcome;
use serde_json::{Value, json};

use crate::{filter, line};

/// Appends the event of the request, and one for each key of DeleteObjects. Returns their number.
pub(crate) fn encode(record: &AuditRecord, region: &str, out: &mut Vec<u8>) -> usize {
    let error = record.error.as_ref().map_or("", |error| error.code.as_str());
    let key = record.target.key.as_deref();
    line::append(&event(record, region, record.operation, key, error, 0).to_string(), out);
    for (number, object) in record.objects.iter().enumerate() {
        let error = object.error.as_deref().unwrap_or_default();
        line::append(&event(record, region, "DeleteObject", Some(&object.key), error, number + 1).to_string(), out);
    }
    1 + record.objects.len()
}

fn event(record: &AuditRecord, region: &str, operation: &str, key: Option<&str>, error: &str, number: usize) -> Value {
    let (service, name) = operation.split_once(':').unwrap_or(("s3", operation));
    let is_login =
        service == "sts" && (name.starts_with("Assume") || name.starts_with("Get") && name.ends_with("Token"));
    let (category, class) = if is_login { (3, 3002) } else { (6, 6003) };
    let activity = if is_login { 1 } else { activity(name) };
    let denied = filter::outcome(record) == AuditedOutcome::Deny;
    let failed = !error.is_empty() || record.status >= 400;
    let request = &record.request;
    let bucket = record.target.bucket.as_deref();
    let arn = bucket.map(|bucket| match key {
        Some(key) => format!("arn:aws:s3:::{bucket}/{key}"),
        None => format!("arn:aws:s3:::{bucket}"),
    });
    let of_key = |decided: &&AuditedDecision| number == 0 || Some(&decided.resource) == arn.as_ref();
    let authorizations: Vec<Value> = record.decisions.iter().filter(of_key).map(authorization).collect();
    let sign_in = record.caller.sign_in.as_ref().filter(|_| record.caller.account.is_none());
    let idp = sign_in.map(|sign_in| json!({"uid": sign_in.provider_arn, "name": sign_in.issuer}));
    let user = json!({
        "name": sign_in.map_or(&*record.caller.name, |sign_in| sign_in.subject.as_deref().unwrap_or_default()),
        "uid": &*record.caller.arn,
        "credential_uid": record.caller.access_key_id.as_ref().map(ToString::to_string),
        "account": {"uid": record.caller.account.as_ref().map(ToString::to_string)},
    });
    let session = record.caller.session.as_ref().map(|session| {
        json!({
            "uid": &*session.id,
            "issuer": session.maker.as_ref().map_or(&*session.role_arn, |maker| &maker.arn),
            "created_time": session.issued_s.saturating_mul(1000),
        })
    });
    let mut event = json!({
        "metadata": {
            "version": "1.3.0",
            "uid": format!("{}-{number}", record.request_id),
            "product": {"name": "Kelpgate", "vendor_name": "Kelpgate", "version": env!("CARGO_PKG_VERSION")},
        },
        "category_uid": category,
        "class_uid": class,
        "activity_id": activity,
        "type_uid": class * 100 + activity,
        "time": record.time.as_millisecond(),
        "severity_id": if denied { 3 } else { 1 },
        "status_id": if failed { 2 } else { 1 },
        "status_code": record.status.to_string(),
        "status_detail": error,
        "duration": u64::try_from(record.took.as_millis()).unwrap_or(u64::MAX),
        "actor": {"user": user.clone(), "idp": idp, "session": session, "authorizations": authorizations},
        "api": {
            "operation": name,
            "service": {"name": format!("{service}.amazonaws.com")},
            "request": {"uid": record.request_id},
            "response": {"code": record.status, "error": error},
        },
        "src_endpoint": {"ip": request.client.to_string()},
        "http_request": {
            "http_method": request.method,
            "user_agent": request.user_agent,
            "url": {"hostname": request.host, "path": request.path},
        },
        "cloud": {"provider": "Kelpgate", "region": region},
        "resources": arn.map(|arn| vec![json!({"uid": arn, "name": key.or(bucket)})]).unwrap_or_default(),
        "unmapped": {"revision": record.revision, "claimed_access_key_id": record.caller.claimed_key},
    });
    if let (true, Some(fields)) = (is_login, event.as_object_mut()) {
        fields.insert("user".to_owned(), user);
        fields.insert("auth_protocol_id".to_owned(), json!(99));
    }
    event
}

fn authorization(decided: &AuditedDecision) -> Value {
    let policy = decided
        .policy
        .as_ref()
        .map(|policy| json!({"name": policy, "uid": decided.sid, "desc": decided.policy_type()}));
    json!({"decision": format!("{} {}: {}", decided.action, decided.resource, decided.outcome()), "policy": policy})
}

/// Create, Read, Update, Delete, or Other.
fn activity(name: &str) -> u64 {
    let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    match () {
        () if begins(&["Create", "Copy", "Upload", "PutObject", "PostObject", "Complete"]) => 1,
        () if begins(&["Get", "Head", "List"]) => 2,
        () if begins(&["Put", "Update", "Attach", "Detach", "Add", "Set", "Tag", "Untag"]) => 3,
        () if begins(&["Delete", "Abort", "Remove"]) => 4,
        () => 99,
    }
}
