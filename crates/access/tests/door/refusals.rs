//! How what a signature lacks is said in S3's words.

use access::from_signature;
use s3::S3ErrorCode;
use sigv4::SigError;
use sigv4::checksum::ChecksumAlgorithm;

use crate::world::now;

#[test]
fn each_error_of_a_signature() {
    use S3ErrorCode as Code;
    for (error, code, status) in [
        (SigError::HeaderMalformed("x".into()), Code::AuthorizationHeaderMalformed, 400),
        (SigError::QueryMalformed("x".into()), Code::AuthorizationQueryParametersError, 400),
        (SigError::SeveralMechanisms, Code::InvalidArgument, 400),
        (SigError::UnsupportedAuthorization, Code::InvalidArgument, 400),
        (SigError::V2Disabled("on"), Code::InvalidRequest, 400),
        (SigError::V2ForQuery, Code::InvalidRequest, 400),
        (SigError::Date("x"), Code::AccessDenied, 403),
        (SigError::TimeTooSkewed { request: now(), server: now() }, Code::RequestTimeTooSkewed, 403),
        (SigError::Expired(now()), Code::AccessDenied, 403),
        (SigError::NotYetValid(now()), Code::AccessDenied, 403),
        (SigError::HeadersNotSigned("x-amz-acl".to_owned()), Code::AccessDenied, 403),
        (SigError::SignatureDoesNotMatch, Code::SignatureDoesNotMatch, 403),
        (SigError::PayloadHash("x"), Code::InvalidArgument, 400),
        (SigError::PayloadMismatch, Code::XAmzContentSHA256Mismatch, 400),
        (SigError::DecodedLength, Code::MissingContentLength, 411),
        (SigError::IncompleteBody("x"), Code::IncompleteBody, 400),
        (SigError::MalformedTrailer("x"), Code::MalformedTrailerError, 400),
        (SigError::ChecksumInvalid("x".into()), Code::InvalidRequest, 400),
        (SigError::ChecksumMismatch(ChecksumAlgorithm::Crc32), Code::BadDigest, 400),
        (SigError::PolicyDocument("x".into()), Code::InvalidPolicyDocument, 400),
        (SigError::PolicyRefused("x".to_owned()), Code::AccessDenied, 403),
        (SigError::PostField("x".into()), Code::InvalidArgument, 400),
    ] {
        let said = from_signature(error.clone());
        assert_eq!((said.code, said.status().as_u16()), (code, status), "{error:?}");
        assert_eq!((said.code.as_str(), said.status()), (error.code(), error.status()), "sigv4 and s3 agree");
        assert_eq!(said.message(), error.to_string());
        let advice: Vec<_> = error.advice().map(|advice| ("Advice", advice)).into_iter().collect();
        assert_eq!(said.fields, advice);
        assert!(said.headers.is_empty());
    }
}
