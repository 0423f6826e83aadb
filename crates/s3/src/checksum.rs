use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub use ids::{ChecksumAlgorithm, ChecksumType};

use crate::request::Request;
use crate::{S3Error, S3ErrorCode};

/// A checksum: the algorithm and the value in base 64, as in headers and documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// Which one.
    pub algorithm: ChecksumAlgorithm,
    /// The value in base 64. Composite values end in `-` and the number of parts.
    pub value: String,
}

/// What a body must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyChecksums {
    /// The one `x-amz-checksum-*` header; its value has the right length.
    pub value: Option<Checksum>,
    /// The checksum that `x-amz-trailer` announces for the end of an aws-chunked body.
    pub trailer: Option<ChecksumAlgorithm>,
    /// `x-amz-sdk-checksum-algorithm`.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// `Content-MD5`, decoded.
    pub content_md5: Option<[u8; 16]>,
}

impl BodyChecksums {
    pub(crate) fn parse(request: &Request<'_>) -> Result<Self, S3Error> {
        let checksums = Self {
            value: header_value(request)?,
            trailer: trailer(request)?,
            algorithm: named(request, "x-amz-sdk-checksum-algorithm")?,
            content_md5: content_md5(request)?,
        };
        if checksums.value.is_some() && checksums.trailer.is_some() {
            return Err(multiple());
        }
        Ok(checksums)
    }

    /// The same for operations where `x-amz-checksum-*` headers are not about the body.
    pub(crate) fn parse_without_value(request: &Request<'_>) -> Result<Self, S3Error> {
        Ok(Self { value: None, trailer: trailer(request)?, algorithm: None, content_md5: content_md5(request)? })
    }

    /// The checksum to compute while the body is read, if one was requested.
    pub fn wanted(&self) -> Option<ChecksumAlgorithm> {
        self.value.as_ref().map(|checksum| checksum.algorithm).or(self.trailer).or(self.algorithm)
    }
}

/// The algorithm that a header names.
pub(crate) fn named(request: &Request<'_>, header: &'static str) -> Result<Option<ChecksumAlgorithm>, S3Error> {
    let Some(name) = request.header(header)? else { return Ok(None) };
    ChecksumAlgorithm::from_name(&name).map(Some).ok_or_else(|| {
        S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            format!(
                "The algorithm in {header} is not supported. Valid values are: {}",
                ChecksumAlgorithm::ALL.map(ChecksumAlgorithm::as_str).join(", ")
            ),
        )
    })
}

/// `x-amz-checksum-type`.
pub(crate) fn checksum_type(request: &Request<'_>) -> Result<Option<ChecksumType>, S3Error> {
    let Some(name) = request.header("x-amz-checksum-type")? else { return Ok(None) };
    ChecksumType::from_name(&name).map(Some).ok_or_else(|| {
        S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            "Value for x-amz-checksum-type header is invalid: COMPOSITE or FULL_OBJECT",
        )
    })
}

/// True if the value is base 64 of the right length.
pub(crate) fn is_valid(algorithm: ChecksumAlgorithm, value: &str) -> bool {
    STANDARD.decode(value).is_ok_and(|bytes| bytes.len() == algorithm.digest_bytes())
}

fn header_value(request: &Request<'_>) -> Result<Option<Checksum>, S3Error> {
    let mut found = None;
    for name in request.header_names("x-amz-checksum-") {
        if matches!(name.as_str(), "x-amz-checksum-algorithm" | "x-amz-checksum-type" | "x-amz-checksum-mode") {
            continue;
        }
        let Some(algorithm) = ChecksumAlgorithm::from_header(&name) else {
            return Err(S3Error::not_implemented(format_args!("The header {name}")));
        };
        if found.is_some() {
            return Err(multiple());
        }
        let value = request.owned_header(&name)?.unwrap_or_default();
        if !is_valid(algorithm, &value) {
            return Err(S3Error::with_message(
                S3ErrorCode::InvalidRequest,
                format!("Value for {name} header is invalid."),
            ));
        }
        found = Some(Checksum { algorithm, value });
    }
    Ok(found)
}

fn trailer(request: &Request<'_>) -> Result<Option<ChecksumAlgorithm>, S3Error> {
    let Some(name) = request.header("x-amz-trailer")? else { return Ok(None) };
    ChecksumAlgorithm::from_header(name.trim()).map(Some).ok_or_else(|| {
        S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            "The value specified in the x-amz-trailer header is not supported",
        )
    })
}

fn content_md5(request: &Request<'_>) -> Result<Option<[u8; 16]>, S3Error> {
    let Some(value) = request.header("content-md5")? else { return Ok(None) };
    let digest = STANDARD.decode(value.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    digest.map(Some).ok_or_else(|| {
        S3Error::with_message(S3ErrorCode::InvalidDigest, "The Content-MD5 you specified was invalid")
            .field("Content-MD5", value.into_owned())
    })
}

fn multiple() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::InvalidRequest,
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    )
}
