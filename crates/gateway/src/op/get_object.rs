//! GetObject and HeadObject.

use std::ops::Range;

use crate::body::ObjectBody;
use access::Permit;
use filer::Entry;
use http::header::{self, HeaderName};
use http::{HeaderMap, Response, StatusCode};
use s3::op::{GetObject, HeadObject};
use s3::{Requirement, S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ResponseBody;
use crate::errors;
use bucket::part_boundaries::{PartError, part_boundaries, part_range};
use bucket::{object, rules};

/// Sends an object, or a range of it.
impl Run for GetObject {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        read(call, permit.into_operation(), true).await
    }
}

/// The same headers without the bytes.
impl Run for HeadObject {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        read(call, permit.into_operation().0, false).await
    }
}

async fn read(call: &Call<'_>, input: GetObject, with_body: bool) -> Answer {
    call.existing_bucket()?;
    input.encryption.require_none()?;
    if call.caller.is_anonymous() && !input.overrides.is_empty() {
        let message = "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    let entry = call.object_at(&input.target).await?;
    rules::may_read(&entry).map_err(errors::refused)?;
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
        (None, Some(number)) => Some(bytes_of_part(&entry, number, size)?),
        (None, None) => None,
    };
    let mut response = Response::new(ResponseBody::Empty);
    let headers = response.headers_mut();
    answer::object_headers(headers, &entry, input.checksum_mode && range.is_none());
    call.set_version_id(headers, &input.target, &entry);
    if let Some(number) = input.part_number.filter(|_| input.checksum_mode) {
        part_checksum(headers, &entry, number);
    }
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

/// The object-lock headers, for callers who may read them. Source: S3 API Reference, `GetObject`.
fn lock_headers(call: &Call<'_>, input: &GetObject, entry: &Entry, headers: &mut HeaderMap) {
    if !object::is_locked(entry) {
        return;
    }
    let may = |action| {
        let need =
            Requirement::on_object(action, &input.target.bucket, &input.target.key, input.target.version_id.as_ref());
        call.check_allowed(&need).is_ok()
    };
    if let (Some(mode), true) = (object::lock_mode(entry), may("s3:GetObjectRetention")) {
        answer::set_named(headers, "x-amz-object-lock-mode", mode);
        if let Some(until) = object::retain_until_s(entry) {
            answer::set_named(headers, "x-amz-object-lock-retain-until-date", &s3::iso8601(until));
        }
    }
    if let (Some(hold), true) = (object::legal_hold(entry), may("s3:GetObjectLegalHold")) {
        answer::set_named(headers, "x-amz-object-lock-legal-hold", hold);
    }
}

/// The bytes that `partNumber` asks for; `InvalidPartNumber` (416) beyond the last one.
fn bytes_of_part(entry: &Entry, number: u32, size: u64) -> Result<Range<u64>, S3Error> {
    part_range(entry, number, size).map_err(|error| match error {
        PartError::NoSuchPart { count } => S3Error::new(S3ErrorCode::InvalidPartNumber)
            .field("ActualPartCount", count.to_string())
            .field("PartNumberRequested", number.to_string()),
        PartError::Damaged => {
            tracing::error!(name = entry.name, number, %error);
            S3ErrorCode::InternalError.into()
        }
    })
}

/// The checksum of a part, if its object has one. An object in one piece is its own part 1.
fn part_checksum(headers: &mut HeaderMap, entry: &Entry, number: u32) {
    let parts = part_boundaries(entry);
    if parts.is_empty() {
        return answer::checksum_headers(headers, entry);
    }
    let part = parts.into_iter().find(|part| part.number == number).and_then(|part| part.checksum);
    if let (Some((algorithm, _)), Some(checksum)) = (object::checksum(entry), part) {
        answer::set_named(headers, algorithm.header(), &checksum);
        answer::set_named(headers, "x-amz-checksum-type", object::checksum_type(entry).as_str());
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
