//! Shapes of answers that several operations share.

use filer::Entry;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use s3::http_date;
use s3::{ChecksumAlgorithm, S3Error, S3ErrorCode};

use crate::body::ResponseBody;
use crate::object::{self, attribute};

/// What an operation gives back.
pub type Answer = Result<Response<ResponseBody>, S3Error>;

/// 200 with a document.
pub fn document(xml: String) -> Answer {
    let mut response = Response::new(ResponseBody::full(xml));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    Ok(response)
}

/// The error for something of a bucket that is not configured.
pub fn not_configured(bucket: &iam::Bucket, code: S3ErrorCode) -> S3Error {
    S3Error::new(code).field("BucketName", &*bucket.name)
}

/// A status without a body.
pub fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(ResponseBody::Empty);
    *response.status_mut() = status;
    Ok(response)
}

/// Sets a header whose value may come from stored text; text that no header can carry is left out.
pub fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value).or_else(|_| HeaderValue::from_bytes(value.as_bytes())) {
        headers.insert(name, value);
    }
}

/// The same for a name that is not known before: `x-amz-meta-...`.
pub fn set_named(headers: &mut HeaderMap, name: &str, value: &str) {
    if let Ok(name) = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()) {
        set(headers, name, value);
    }
}

/// An ETag in its quotes.
pub fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// The headers that an object gives back as they were sent, with type, ETag and time.
pub fn object_headers(headers: &mut HeaderMap, entry: &Entry, checksum_mode: bool) {
    set(headers, header::CONTENT_TYPE, object::content_type(entry));
    set(headers, header::ETAG, &quoted(&entry.etag()));
    set(headers, header::LAST_MODIFIED, &http_date(entry.attributes().mtime));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    for name in object::CONTENT_HEADERS {
        if let Some(value) = entry.extended_text(name) {
            set_named(headers, name, value);
        }
    }
    for (name, value) in &entry.extended {
        if let (true, Ok(value)) = (name.starts_with(attribute::META_PREFIX), std::str::from_utf8(value)) {
            set_named(headers, name, value);
        }
    }
    if object::storage_class(entry) != "STANDARD" {
        set_named(headers, "x-amz-storage-class", object::storage_class(entry));
    }
    let tags = object::tags(entry).len();
    if tags > 0 {
        set_named(headers, "x-amz-tagging-count", &tags.to_string());
    }
    if let Some(parts) = entry.extended_text(attribute::PARTS_COUNT) {
        set_named(headers, "x-amz-mp-parts-count", parts);
    }
    if let Some(version) = entry.extended_text(attribute::VERSION_ID) {
        set_named(headers, "x-amz-version-id", version);
    }
    if checksum_mode {
        checksum_headers(headers, entry);
    }
}

/// The stored checksum, if there is one.
pub fn checksum_headers(headers: &mut HeaderMap, entry: &Entry) {
    if let Some((algorithm, value)) = stored_checksum(entry) {
        set_named(headers, algorithm.header(), value);
        set_named(headers, "x-amz-checksum-type", stored_checksum_type(entry));
    }
}

/// The checksum that was stored with an object.
pub fn stored_checksum(entry: &Entry) -> Option<(ChecksumAlgorithm, &str)> {
    let algorithm = ChecksumAlgorithm::from_header(entry.extended_text(attribute::CHECKSUM_ALGORITHM)?)?;
    Some((algorithm, entry.extended_text(attribute::CHECKSUM_VALUE)?))
}

/// `FULL_OBJECT` unless the entry says otherwise.
pub fn stored_checksum_type(entry: &Entry) -> &str {
    entry.extended_text(attribute::CHECKSUM_TYPE).unwrap_or("FULL_OBJECT")
}

/// An object under server-side encryption cannot be read yet; saying so beats sending what is stored.
pub fn refuse_encrypted(entry: &Entry) -> Result<(), S3Error> {
    let named = |name: &String| {
        name.starts_with("x-seaweedfs-sse-") || name.to_ascii_lowercase().starts_with("x-amz-server-side-encryption")
    };
    let encrypted = entry.chunks.iter().any(|chunk| chunk.sse_type != 0) || entry.extended.keys().any(named);
    if encrypted {
        return Err(S3Error::not_implemented("Reading an object under server-side encryption"));
    }
    Ok(())
}

/// A version by its id is not supported yet, except `null` where nothing keeps versions.
pub fn refuse_version(version_id: Option<&s3::VersionId>, keeps_versions: bool) -> Result<(), S3Error> {
    match version_id {
        Some(version) if keeps_versions || !version.is_null() => {
            if keeps_versions {
                Err(S3Error::not_implemented("Reading or changing a version of an object by its id"))
            } else {
                Err(S3Error::new(S3ErrorCode::NoSuchVersion))
            }
        }
        _ => Ok(()),
    }
}
