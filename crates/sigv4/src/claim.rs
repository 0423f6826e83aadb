use std::fmt;

use http::HeaderMap;
use http::header::HeaderName;
use ids::AccessKeyId;

use crate::hex_digits::push_hex_digits;
use crate::{EMPTY_SHA256, RequestDate, SigError};

/// The credential scope of a V4 signature: `20130524/us-east-1/s3/aws4_request` without its constant end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The day, `20130524`.
    pub date: String,
    /// The region that the client believes it is talking to.
    pub region: String,
    /// `s3`, `iam` or `sts`, as the client says.
    pub service: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// What a request with a V4 signature says about itself. None of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The key whose secret made the signature.
    pub access_key_id: AccessKeyId,
    /// The scope for which the signature is valid.
    pub scope: Scope,
    /// The headers that the signature covers, in the order given.
    pub signed_headers: Vec<HeaderName>,
    /// The signature.
    pub signature: [u8; 32],
    /// When the request was signed.
    pub date: RequestDate,
    /// How long a presigned URL is valid after `date`, in seconds: 0..=604800. `None` for a signature in a header.
    pub expires: Option<u32>,
    /// `x-amz-security-token`, from a header or from the query of a presigned URL.
    pub session_token: Option<String>,
    /// What the signature says about the body.
    pub payload: PayloadHash,
}

impl Claim {
    /// True for a presigned URL.
    pub fn is_presigned(&self) -> bool {
        self.expires.is_some()
    }
}

/// What `x-amz-content-sha256` says about the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadHash {
    /// `UNSIGNED-PAYLOAD`: the signature does not cover the body.
    Unsigned,
    /// The SHA-256 of the whole body.
    Sha256([u8; 32]),
    /// aws-chunked, each chunk signed.
    StreamingSigned,
    /// aws-chunked, each chunk and the trailer signed.
    StreamingSignedTrailer,
    /// aws-chunked without signatures, with a trailer.
    StreamingUnsignedTrailer,
    /// The header is absent.
    Absent,
}

impl PayloadHash {
    const NAMES: [(Self, &str); 4] = [
        (Self::Unsigned, "UNSIGNED-PAYLOAD"),
        (Self::StreamingSigned, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        (Self::StreamingSignedTrailer, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        (Self::StreamingUnsignedTrailer, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
    ];

    /// The hash of an empty body.
    pub const EMPTY: Self = Self::Sha256(EMPTY_SHA256);

    /// Reads the header `x-amz-content-sha256`, which anonymous requests can have too.
    ///
    /// Fails with `InvalidArgument` if it occurs twice or has an unknown form.
    pub fn of(headers: &HeaderMap) -> Result<Self, SigError> {
        let mut values = headers.get_all("x-amz-content-sha256").iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Self::Absent),
            (Some(value), None) => Self::parse(value.as_bytes()),
            (Some(_), Some(_)) => Err(SigError::PayloadHash("given once")),
        }
    }

    /// Reads the text of the header or of the query parameter.
    pub(crate) fn parse(value: &[u8]) -> Result<Self, SigError> {
        if let Some((hash, _)) = Self::NAMES.iter().find(|(_, name)| name.as_bytes() == value) {
            return Ok(*hash);
        }
        let mut digest = [0; 32];
        hex::decode_to_slice(value, &mut digest)
            .map_err(|_| SigError::PayloadHash("a STREAMING-... form of AWS4-HMAC-SHA256"))?;
        Ok(Self::Sha256(digest))
    }

    /// Appends the text that goes into the canonical request.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sha256(digest) => push_hex_digits(digest, out),
            other => {
                let name = Self::NAMES.iter().find(|(hash, _)| hash == other).map_or("", |(_, name)| *name);
                out.extend_from_slice(name.as_bytes());
            }
        }
    }

    /// True when the body is framed as aws-chunked.
    pub fn is_streaming(&self) -> bool {
        matches!(self, Self::StreamingSigned | Self::StreamingSignedTrailer | Self::StreamingUnsignedTrailer)
    }
}
