//! Forms of answers that several operations share.

use filer::Entry;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use s3::http_date;
use s3::{S3Error, S3ErrorCode};

use crate::body::ResponseBody;
use bucket::object;

/// The answer of an operation.
pub type Answer = Result<Response<ResponseBody>, S3Error>;

/// 200 with a document.
pub fn document(xml: String) -> Answer {
    let mut response = Response::new(ResponseBody::full(xml));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    Ok(response)
}

/// The error for a configuration that a bucket does not have.
pub fn not_configured(bucket: &iam::Bucket, code: S3ErrorCode) -> S3Error {
    S3Error::new(code).field("BucketName", &*bucket.name)
}

/// A status without a body.
pub fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(ResponseBody::Empty);
    *response.status_mut() = status;
    Ok(response)
}

/// Sets a header whose value may come from stored text. Leaves out a value that a header cannot carry.
pub fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value).or_else(|_| HeaderValue::from_bytes(value.as_bytes())) {
        headers.insert(name, value);
    }
}

/// The same for a name that is not fixed: `x-amz-meta-...`.
pub fn set_named(headers: &mut HeaderMap, name: &str, value: &str) {
    if let Ok(name) = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()) {
        set(headers, name, value);
    }
}

/// An ETag in its quotes.
pub fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// The headers that an object returns as they were sent, with type, ETag and time.
pub fn object_headers(headers: &mut HeaderMap, entry: &Entry, checksum_mode: bool) {
    set(headers, header::CONTENT_TYPE, object::content_type(entry));
    set(headers, header::ETAG, &quoted(&entry.etag()));
    set(headers, header::LAST_MODIFIED, &http_date(entry.attributes().mtime));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    for (name, value) in object::headers(entry) {
        set_named(headers, name, value);
    }
    if object::storage_class(entry) != "STANDARD" {
        set_named(headers, "x-amz-storage-class", object::storage_class(entry));
    }
    if let Some(location) = object::redirect_location(entry) {
        set_named(headers, "x-amz-website-redirect-location", location);
    }
    let tags = object::tags(entry).len();
    if tags > 0 {
        set_named(headers, "x-amz-tagging-count", &tags.to_string());
    }
    if let Some(parts) = object::parts_count(entry) {
        set_named(headers, "x-amz-mp-parts-count", parts);
    }
    if checksum_mode {
        checksum_headers(headers, entry);
    }
}

/// The stored checksum, if there is one.
pub fn checksum_headers(headers: &mut HeaderMap, entry: &Entry) {
    if let Some((algorithm, value)) = object::checksum(entry) {
        set_named(headers, algorithm.header(), value);
        set_named(headers, "x-amz-checksum-type", object::checksum_type(entry).as_str());
    }
}
