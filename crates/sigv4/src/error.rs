use std::borrow::Cow;

use http::StatusCode;

use crate::checksum::ChecksumAlgorithm;

/// Why a request's signature is refused, or a body that it covers.
///
/// [`SigError::code`] is the S3 error code, [`SigError::status`] the HTTP status. The text says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigError {
    /// The `Authorization` header cannot be read, or its scope is not for this endpoint.
    #[error("The authorization header is malformed; {0}")]
    HeaderMalformed(Cow<'static, str>),
    /// The parameters of a presigned URL cannot be read, or their scope is not for this endpoint.
    #[error("The query parameters of the signature are malformed; {0}")]
    QueryMalformed(Cow<'static, str>),
    /// Two ways of authenticating in one request.
    #[error(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the \
         Authorization header should be specified"
    )]
    SeveralMechanisms,
    /// An `Authorization` header of another kind.
    #[error("Unsupported Authorization Type; sign the request with AWS4-HMAC-SHA256")]
    UnsupportedAuthorization,
    /// A V2 signature that the operator has not enabled. With this value of `-sigV2` the gateway would accept it. The text is AWS's to
    /// the letter: s3cmd compares it, and then signs with V4.
    #[error("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")]
    V2Disabled(&'static str),
    /// A V2 signature for IAM or STS.
    #[error(
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256. IAM and STS accept nothing else"
    )]
    V2ForQuery,
    /// The request has neither `x-amz-date` nor `Date`, or the value is not a time.
    #[error("AWS authentication requires a valid Date or x-amz-date header; {0}")]
    Date(&'static str),
    /// The time of the request differs from the server's by more than the allowed skew.
    #[error(
        "The difference between the request time and the current time is too large: the request says {request}, the server {server}; \
         set the client's clock"
    )]
    TimeTooSkewed {
        /// The time at which the request was signed.
        request: jiff::Timestamp,
        /// The server's time.
        server: jiff::Timestamp,
    },
    /// A presigned URL or a V2 signature that has expired.
    #[error("Request has expired; it ended at {0}: make a new one")]
    Expired(jiff::Timestamp),
    /// A presigned URL that becomes valid in the future.
    #[error("Request is not valid yet; it becomes valid at {0}: check the clock of the signer")]
    NotYetValid(jiff::Timestamp),
    /// Headers that change the meaning of the request but are not covered by the signature.
    #[error(
        "There were headers present in the request which were not signed: {0}; add them to SignedHeaders or do not send them"
    )]
    HeadersNotSigned(String),
    /// The signature is not the one computed with the secret for this request.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your key and signing method; behind a \
         proxy, check that Host and path arrive as the client signed them"
    )]
    SignatureDoesNotMatch,
    /// `x-amz-content-sha256` has an unknown form.
    #[error("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, {0}, or a valid sha256 value.")]
    PayloadHash(&'static str),
    /// The body is not the signed one.
    #[error(
        "The provided 'x-amz-content-sha256' header does not match what was computed; the body was changed after signing"
    )]
    PayloadMismatch,
    /// An aws-chunked body without `x-amz-decoded-content-length`, or with an unreadable one.
    #[error("You must provide a valid x-amz-decoded-content-length header with an aws-chunked body")]
    DecodedLength,
    /// The body ends early, is too long, or has broken framing.
    #[error("The request body is incomplete or its framing is broken: {0}")]
    IncompleteBody(&'static str),
    /// The trailer of an aws-chunked body is not what `x-amz-trailer` announced.
    #[error(
        "The request contained trailing data that was not well-formed or did not conform to our published schema: {0}"
    )]
    MalformedTrailer(&'static str),
    /// A checksum header, a trailer or a combination of them that is invalid.
    #[error("{0}")]
    ChecksumInvalid(Cow<'static, str>),
    /// The body does not have the announced checksum.
    #[error("The {0} you specified did not match the calculated checksum; send the object again")]
    ChecksumMismatch(ChecksumAlgorithm),
    /// The policy of a POST form is not a policy document.
    #[error("Invalid Policy: {0}")]
    PolicyDocument(Cow<'static, str>),
    /// A POST form that its policy does not allow.
    #[error("Invalid according to Policy: {0}")]
    PolicyRefused(String),
    /// A POST form in which a required field is missing or occurs twice.
    #[error(
        "Bucket POST must contain exactly one field named '{0}'. If it is specified, please check the order of the fields."
    )]
    PostField(Cow<'static, str>),
}

impl SigError {
    /// The error code as S3 spells it. Source: S3 API Reference, "List of error codes".
    pub fn code(&self) -> &'static str {
        match self {
            Self::HeaderMalformed(_) => "AuthorizationHeaderMalformed",
            Self::QueryMalformed(_) => "AuthorizationQueryParametersError",
            Self::SeveralMechanisms | Self::UnsupportedAuthorization | Self::PayloadHash(_) | Self::PostField(_) => {
                "InvalidArgument"
            }
            Self::V2Disabled(_) | Self::V2ForQuery | Self::ChecksumInvalid(_) => "InvalidRequest",
            Self::TimeTooSkewed { .. } => "RequestTimeTooSkewed",
            Self::Date(_)
            | Self::Expired(_)
            | Self::NotYetValid(_)
            | Self::HeadersNotSigned(_)
            | Self::PolicyRefused(_) => "AccessDenied",
            Self::SignatureDoesNotMatch => "SignatureDoesNotMatch",
            Self::PayloadMismatch => "XAmzContentSHA256Mismatch",
            Self::DecodedLength => "MissingContentLength",
            Self::IncompleteBody(_) => "IncompleteBody",
            Self::MalformedTrailer(_) => "MalformedTrailerError",
            Self::ChecksumMismatch(_) => "BadDigest",
            Self::PolicyDocument(_) => "InvalidPolicyDocument",
        }
    }

    /// What to do, where the text has to be AWS's.
    pub fn advice(&self) -> Option<String> {
        let Self::V2Disabled(setting) = self else { return None };
        Some(format!(
            "Clients call it s3v4: signature_version=\"s3v4\" in boto3, `aws configure set default.s3.signature_version s3v4` for the AWS \
             CLI. To accept this request, start the gateway with -sigV2={setting}"
        ))
    }

    /// The HTTP status that goes with the code.
    pub fn status(&self) -> StatusCode {
        match self.code() {
            "AccessDenied" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" => StatusCode::FORBIDDEN,
            "MissingContentLength" => StatusCode::LENGTH_REQUIRED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
