//! GetObject and HeadObject.

use std::ops::Range;

use crate::body::ObjectBody;
use access::Permit;
use filer::Entry;
use http::header::{self, HeaderName};
use http::{HeaderMap, Response, StatusCode};
use s3::op::{GetObject, HeadObject, ObjectRead};
use s3::{Requirement, S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::part_boundaries::part_range;
use super::{Call, Run};
use crate::body::ResponseBody;
use crate::errors;
use crate::object::{self, attribute};

/// Sends an object, or a range of it.
impl Run for GetObject {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        read(call, permit.into_operation().0, true).await
    }
}

/// The same headers without the bytes.
impl Run for HeadObject {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        read(call, permit.into_operation().0, false).await
    }
}

async fn read(call: &Call<'_>, input: ObjectRead, with_body: bool) -> Answer {
    let bucket = call.existing_bucket()?;
    input.encryption.require_none()?;
    answer::refuse_version(input.target.version_id.as_ref(), bucket.keeps_versions())?;
    if call.caller.is_anonymous() && !input.overrides.is_empty() {
        let message = "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    let entry = call.object(&input.target.bucket, &input.target.key).await?;
    answer::refuse_encrypted(&entry)?;
    input.conditions.check_read(&entry.etag(), entry.attributes().mtime).map_err(|error| {
        if error.code == S3ErrorCode::NotModified {
            let etag = answer::quoted(&entry.etag());
            let modified = s3::http_date(entry.attributes().mtime);
            return error.header("etag", etag).header("last-modified", modified);
        }
        error
    })?;
    let size = entry.content_bytes();
    let (etag, modified) = (entry.etag(), entry.attributes().mtime);
    let meant = input.if_range.as_ref().is_none_or(|condition| condition.allows(&etag, modified));
    let range = match (input.range.filter(|_| meant), input.part_number) {
        (Some(range), _) => Some(range.resolve(size)?),
        (None, Some(number)) => Some(part_range(&entry, number, size)?),
        (None, None) => None,
    };
    let mut response = Response::new(ResponseBody::Empty);
    let headers = response.headers_mut();
    answer::object_headers(headers, &entry, input.checksum_mode && range.is_none());
    lock_headers(call, &input, &entry, headers);
    for (name, value) in &input.overrides.headers {
        answer::set(headers, HeaderName::from_static(name), value);
    }
    let wanted = match range {
        Some(range) => {
            answer::set(headers, header::CONTENT_RANGE, &content_range(&range, size));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            range
        }
        None => 0..size,
    };
    let length = wanted.end - wanted.start;
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    if with_body && length > 0 {
        *response.body_mut() = body(call, &entry, wanted).await?;
    }
    Ok(response)
}

/// What object lock says of the object, to those who may read it. Source: S3 API Reference, `GetObject`.
fn lock_headers(call: &Call<'_>, input: &ObjectRead, entry: &Entry, headers: &mut HeaderMap) {
    if !object::is_locked(entry) {
        return;
    }
    let may = |action| {
        let need =
            Requirement::on_object(action, &input.target.bucket, &input.target.key, input.target.version_id.as_ref());
        call.may(&need).is_ok()
    };
    if let (Some(mode), true) = (entry.extended_text(attribute::LOCK_MODE), may("s3:GetObjectRetention")) {
        answer::set_named(headers, "x-amz-object-lock-mode", mode);
        let until = entry.extended_text(attribute::RETAIN_UNTIL).and_then(|text| text.parse().ok());
        if let Some(until) = until {
            answer::set_named(headers, "x-amz-object-lock-retain-until-date", &s3::iso8601(until));
        }
    }
    if let (Some(hold), true) = (entry.extended_text(attribute::LEGAL_HOLD), may("s3:GetObjectLegalHold")) {
        answer::set_named(headers, "x-amz-object-lock-legal-hold", hold);
    }
}

fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1))
}

async fn body(call: &Call<'_>, entry: &Entry, range: Range<u64>) -> Result<ResponseBody, S3Error> {
    let left = range.end - range.start;
    let bytes = call.filer().read(entry, range.start, left).await.map_err(errors::from_filer)?;
    call.gateway.metrics.bytes_out.inc_by(left);
    Ok(ResponseBody::Stream { bytes, left })
}
