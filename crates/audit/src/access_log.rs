//! A record as a line of S3's server access log, with its 26 fields.
//!
//! Source: S3 User Guide, "Amazon S3 server access log format". What the gateway does not know is `-`, as there: the object's size,
//! the cipher suite, the access point, the id of the host.

use access::{AuditRecord, AuditedObject};

use crate::rest;

/// Appends the line of the request, and one for each key of DeleteObjects. Returns their number.
pub(crate) fn encode(record: &AuditRecord, out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(line(record, None).as_bytes());
    for object in &record.objects {
        out.extend_from_slice(line(record, Some(object)).as_bytes());
    }
    1 + record.objects.len()
}

fn line(record: &AuditRecord, object: Option<&AuditedObject>) -> String {
    let (caller, request) = (&record.caller, &record.request);
    let operation = match object {
        Some(_) => "BATCH.DELETE.OBJECT".to_owned(),
        None => rest::operation(record, "REST.POST.MULTI_OBJECT_DELETE"),
    };
    let key = object.map(|object| &object.key).or(record.target.key.as_ref());
    let version = object.map_or(record.target.version_id.as_ref(), |object| object.version_id.as_ref());
    let error = match object {
        Some(object) => object.error.as_deref(),
        None => record.error.as_ref().map(|error| error.code.as_str()),
    };
    let status = match object {
        Some(object) if object.error.is_none() => "204".to_owned(),
        Some(_) => "403".to_owned(),
        None => record.status.to_string(),
    };
    let query: Vec<String> =
        record.parameters.iter().map(|(name, value)| format!("{}={}", token(name), token(value))).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let millis = record.took.as_millis().to_string();
    let fields = [
        "-".to_owned(),
        token(record.target.bucket.as_deref().unwrap_or_default()),
        format!("[{}]", record.time.strftime("%d/%b/%Y:%H:%M:%S +0000")),
        request.client.to_string(),
        token(&caller.arn),
        token(&record.request_id),
        operation,
        token(key.map_or("", String::as_str)),
        quoted(&format!("{} {}{query} {}", request.method, request.path, request.protocol)),
        status,
        token(error.unwrap_or_default()),
        record.bytes_sent.map_or("-".to_owned(), |bytes| bytes.to_string()),
        "-".to_owned(),
        millis.clone(),
        millis,
        quoted(&request.referer),
        quoted(&request.user_agent),
        token(version.map_or("", String::as_str)),
        "-".to_owned(),
        token(request.signature.map_or("", |signature| signature.version)),
        "-".to_owned(),
        token(request.signature.map_or("", |signature| signature.place)),
        token(&request.host),
        token(&request.tls.map(|version| format!("TLSv{version}")).unwrap_or_default()),
        "-".to_owned(),
        "-".to_owned(),
    ];
    let mut line = fields.join(" ");
    line.push('\n');
    line
}

/// A field without quotes: what could end it is percent-encoded, and an empty one is `-`.
fn token(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    encoded(text, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'[' | b']'))
}

/// A field in quotes: spaces stay.
fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "\"-\"".to_owned();
    }
    format!("\"{}\"", encoded(text, |byte| (byte.is_ascii_graphic() || byte == b' ') && !matches!(byte, b'"' | b'\\')))
}

fn encoded(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match is_plain(byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
