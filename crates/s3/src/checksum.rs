use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::request::Request;
use crate::{S3Error, S3ErrorCode};

/// The checksums that S3 computes over objects and parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumAlgorithm {
    /// CRC-32, 4 bytes.
    Crc32,
    /// CRC-32C (Castagnoli), 4 bytes.
    Crc32c,
    /// CRC-64/NVME, 8 bytes.
    Crc64Nvme,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
}

impl ChecksumAlgorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The name in `x-amz-checksum-algorithm`: `CRC32`, `CRC32C`, `CRC64NVME`, `SHA1`, `SHA256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that carries the value, in lower case.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The element that carries the value in documents, for example `ChecksumCRC32`.
    pub fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// The length of the value in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The algorithm of this name, case ignored.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
    }

    /// The algorithm of this header, case ignored.
    pub fn from_header(header: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.header().eq_ignore_ascii_case(header))
    }

    /// The type that an object made of parts gets when none is asked for.
    pub fn default_type(self) -> ChecksumType {
        if self == Self::Crc64Nvme { ChecksumType::FullObject } else { ChecksumType::Composite }
    }
}

/// What the checksum of an object made of parts covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumType {
    /// The checksums of the parts.
    Composite,
    /// All bytes of the object.
    FullObject,
}

impl ChecksumType {
    /// `COMPOSITE` or `FULL_OBJECT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Composite => "COMPOSITE",
            Self::FullObject => "FULL_OBJECT",
        }
    }

    pub(crate) fn parse(request: &Request<'_>) -> Result<Option<Self>, S3Error> {
        match request.header("x-amz-checksum-type")?.as_deref() {
            None => Ok(None),
            Some("COMPOSITE") => Ok(Some(Self::Composite)),
            Some("FULL_OBJECT") => Ok(Some(Self::FullObject)),
            Some(_) => Err(S3Error::with_message(
                S3ErrorCode::InvalidRequest,
                "Value for x-amz-checksum-type header is invalid: COMPOSITE or FULL_OBJECT",
            )),
        }
    }
}

/// A checksum: which one, and its value in base 64, as headers and documents have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// Which one.
    pub algorithm: ChecksumAlgorithm,
    /// The value in base 64. Composite values carry `-` and the number of parts behind it.
    pub value: String,
}

/// What a body is checked against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyChecksums {
    /// The one `x-amz-checksum-*` header; its value has the right length.
    pub value: Option<Checksum>,
    /// The checksum that `x-amz-trailer` announces behind an aws-chunked body.
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

    /// The same where `x-amz-checksum-*` headers are about something other than the body.
    pub(crate) fn parse_without_value(request: &Request<'_>) -> Result<Self, S3Error> {
        Ok(Self { value: None, trailer: trailer(request)?, algorithm: None, content_md5: content_md5(request)? })
    }

    /// The checksum that is computed while the body is read, if one was asked for.
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
                "The algorithm in {header} is not supported. Valid values are: CRC32, CRC32C, CRC64NVME, SHA1, SHA256"
            ),
        )
    })
}

/// True when the value is base 64 of the right length.
pub(crate) fn is_valid(algorithm: ChecksumAlgorithm, value: &str) -> bool {
    STANDARD.decode(value).is_ok_and(|bytes| bytes.len() == algorithm.length())
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
