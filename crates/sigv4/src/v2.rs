//! Signature V2 (HMAC-SHA1), for old clients, where the operator accepts it.
//!
//! V2 covers the method, `Content-MD5`, `Content-Type`, the time, the `x-amz-*` headers, the path and the
//! sub-resources. It covers neither other query parameters (`prefix`, `marker`, `max-keys` and so on) nor the body.
//! Source: S3 API Reference, "Signing and authenticating REST requests (AWS signature version 2)".

use std::borrow::Cow;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use ids::{AccessKeyId, SecretAccessKey, query_pairs};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::percent_decode_str;

use crate::head_fields::{QueryParams, single};
use crate::{EXPIRES_S_MAX, RequestDate, SigError, SignedTarget};

/// What a request with a V2 signature says about itself. None of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimV2 {
    /// The key whose secret made the signature.
    pub access_key_id: AccessKeyId,
    /// The signature.
    pub signature: [u8; 20],
    /// When a presigned URL expires; `None` for a signature in a header.
    pub expires: Option<Timestamp>,
    /// `x-amz-security-token`, from a header or from the query of a presigned URL.
    pub session_token: Option<String>,
}

/// The query parameters that name another resource or change the answer. These are signed.
const SUB_RESOURCES: [&str; 51] = [
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "annotation",
    "attributes",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "session",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// Reads what follows `AWS ` in `Authorization`.
pub(crate) fn header(head: &Parts, rest: &str) -> Result<ClaimV2, SigError> {
    let malformed =
        || SigError::HeaderMalformed("AWS authorization header is invalid. Expected AwsAccessKeyId:signature".into());
    let (akid, signature) = rest.trim().split_once(':').ok_or_else(malformed)?;
    Ok(ClaimV2 {
        access_key_id: akid.parse().map_err(|_| malformed())?,
        signature: parse_signature(signature).ok_or_else(malformed)?,
        expires: None,
        session_token: single(head, "x-amz-security-token")?.map(str::to_owned),
    })
}

/// Reads the parameters of a presigned URL.
pub(crate) fn presigned(query: QueryParams<'_>) -> Result<ClaimV2, SigError> {
    let malformed = |text: &'static str| SigError::QueryMalformed(text.into());
    let missing =
        || malformed("Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters");
    let akid = query.v2_access_key_id.ok_or_else(missing)?;
    let signature = query.v2_signature.ok_or_else(missing)?;
    let expires: i64 =
        query.v2_expires.ok_or_else(missing)?.parse().map_err(|_| malformed("Expires should be a number"))?;
    Ok(ClaimV2 {
        access_key_id: akid.parse().map_err(|_| malformed("AWSAccessKeyId is not an access key id"))?,
        signature: parse_signature(&signature)
            .ok_or_else(|| malformed("the Signature is not the base64 of 20 bytes"))?,
        expires: Some(Timestamp::from_second(expires).map_err(|_| malformed("Expires is out of range"))?),
        session_token: query.v2_security_token.map(Cow::into_owned),
    })
}

pub(crate) fn parse_signature(text: &str) -> Option<[u8; 20]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Checks a V2 signature and its time.
///
/// V2 does not sign the host, only the bucket that the host names, in front of the path. `Date` (or `x-amz-date`) must
/// be within `skew_s` seconds of `now`. A presigned URL must not have expired, and may expire at most seven days from
/// now.
pub fn verify(
    head: &Parts,
    claim: &ClaimV2,
    secret: &SecretAccessKey,
    now: Timestamp,
    skew_s: u32,
    target: &SignedTarget<'_>,
) -> Result<(), SigError> {
    let date = match claim.expires {
        Some(end) => presigned_date(end, now, skew_s)?,
        None => header_date(head, now, skew_s)?,
    };
    let mut text = begin_of_string_to_sign(head, &date, claim.expires.is_some())?;
    let path = &*target.path;
    if let Some(bucket) = &target.bucket {
        text.push(b'/');
        text.extend_from_slice(bucket.as_bytes());
    }
    text.extend_from_slice(path.as_bytes());
    let sub_resources = sub_resources(head.uri.query().unwrap_or(""))?;
    let as_sent = [text.as_slice(), &sub_resources].concat();
    // If the bucket is in the path, clients sign `/bucket/` even if they send `/bucket`.
    let bucket_only = target.bucket.is_none() && path.len() > 1 && path.rfind('/') == Some(0);
    match check_signature(&as_sent, &claim.signature, secret) {
        Err(_) if bucket_only => {
            check_signature(&[text.as_slice(), b"/", &sub_resources].concat(), &claim.signature, secret)
        }
        result => result,
    }
}

/// Compares in constant time.
pub(crate) fn check_signature(text: &[u8], signature: &[u8; 20], secret: &SecretAccessKey) -> Result<(), SigError> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose().as_bytes());
    hmac::verify(&key, text, signature).map_err(|_| SigError::SignatureDoesNotMatch)
}

fn presigned_date(end: Timestamp, now: Timestamp, skew_s: u32) -> Result<String, SigError> {
    if now > end {
        return Err(SigError::Expired(end));
    }
    if end.duration_since(now) > SignedDuration::from_secs((EXPIRES_S_MAX + skew_s).into()) {
        return Err(SigError::QueryMalformed("Expires must be less than a week away".into()));
    }
    Ok(end.as_second().to_string())
}

/// Checks the time and returns its line of the string to sign, which is empty if `x-amz-date` carries the time.
fn header_date(head: &Parts, now: Timestamp, skew_s: u32) -> Result<String, SigError> {
    let amz = single(head, "x-amz-date")?;
    let text = match amz {
        Some(text) => text,
        None => single(head, "date")?.ok_or(SigError::Date("send x-amz-date"))?,
    };
    let date = RequestDate::parse_http(text).or_else(|| RequestDate::parse(text));
    let request = date.ok_or(SigError::Date("it is not a time"))?.timestamp();
    if request.duration_since(now).abs() > SignedDuration::from_secs(skew_s.into()) {
        return Err(SigError::TimeTooSkewed { request, server: now });
    }
    Ok(if amz.is_some() { String::new() } else { text.to_owned() })
}

/// The lines before the resource.
fn begin_of_string_to_sign(head: &Parts, date: &str, presigned: bool) -> Result<Vec<u8>, SigError> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b'\n');
    for name in ["content-md5", "content-type"] {
        out.extend_from_slice(single(head, name)?.unwrap_or("").as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(date.as_bytes());
    out.push(b'\n');
    for (name, value) in amz_lines(head, presigned)? {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        out.extend_from_slice(&value);
        out.push(b'\n');
    }
    Ok(out)
}

/// The `x-amz-*` headers, sorted. A presigned URL may carry them in its query. In the query of any other request they
/// would be unsigned, so they are refused.
fn amz_lines(head: &Parts, presigned: bool) -> Result<Vec<(String, Vec<u8>)>, SigError> {
    let mut lines: Vec<(String, Vec<u8>)> = Vec::new();
    for name in head.headers.keys().filter(|name| name.as_str().starts_with("x-amz-")) {
        let values: Vec<&[u8]> = head.headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii()).collect();
        lines.push((name.as_str().to_owned(), values.join(&b',')));
    }
    for (name, value) in query_pairs(head.uri.query().unwrap_or("")) {
        let name = percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
        if !name.starts_with("x-amz-") {
            continue;
        }
        let value: Vec<u8> = percent_decode_str(value).collect();
        if !presigned || value.contains(&b'\n') || lines.iter().any(|(line, _)| *line == name) {
            return Err(SigError::HeadersNotSigned(name));
        }
        lines.push((name, value));
    }
    lines.sort_unstable();
    Ok(lines)
}

/// `?acl&versionId=1`: the sub-resources, sorted, their values decoded.
fn sub_resources(query: &str) -> Result<Vec<u8>, SigError> {
    let mut found: Vec<(Cow<'_, str>, Option<Vec<u8>>)> = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
        let name = percent_decode_str(name).decode_utf8_lossy();
        if !SUB_RESOURCES.contains(&name.as_ref()) {
            continue;
        }
        let value = value.map(|value| percent_decode_str(value).collect::<Vec<u8>>());
        // The string to sign contains the values unescaped, so a value with these characters could look like several
        // parameters.
        if value.as_ref().is_some_and(|value| value.iter().any(|byte| matches!(byte, b'&' | b'\n'))) {
            return Err(SigError::SignatureDoesNotMatch);
        }
        found.push((name, value));
    }
    found.sort_unstable();
    let mut out = Vec::new();
    for (position, (name, value)) in found.iter().enumerate() {
        out.push(if position == 0 { b'?' } else { b'&' });
        out.extend_from_slice(name.as_bytes());
        if let Some(value) = value {
            out.push(b'=');
            out.extend_from_slice(value);
        }
    }
    Ok(out)
}
