//! What the parts below say went wrong, as S3 says it.

pub use access::from_signature;
use filer::FilerError;
use s3::{S3Error, S3ErrorCode};

/// Seconds after which a client may try again when the filer did not answer.
const RETRY_AFTER_S: u32 = 1;

/// What a filer could not do.
pub fn from_filer(error: FilerError) -> S3Error {
    match error {
        FilerError::PreconditionFailed => S3Error::new(S3ErrorCode::PreconditionFailed),
        FilerError::ParentIsFile(_) => S3Error::new(S3ErrorCode::ExistingObjectIsFile),
        FilerError::ExistingIsDirectory(_) => S3Error::new(S3ErrorCode::ExistingObjectIsDirectory),
        FilerError::ExistingIsFile(_) => S3Error::new(S3ErrorCode::ExistingObjectIsFile),
        FilerError::NotEmpty(_) => S3Error::new(S3ErrorCode::BucketNotEmpty),
        FilerError::Missing(_) => S3Error::new(S3ErrorCode::NoSuchBucket),
        FilerError::NameTooLong(_) => S3Error::new(S3ErrorCode::KeyTooLongError),
        FilerError::Encrypted => S3Error::not_implemented("Reading an object under server-side encryption"),
        FilerError::Body(error) => S3Error::with_message(S3ErrorCode::IncompleteBody, error.to_string()),
        FilerError::Unavailable(reason) => {
            tracing::warn!(%reason, "the filer is not available");
            unavailable("The storage behind this gateway does not answer. Try again.")
        }
        FilerError::NotAgreed => {
            tracing::warn!(%error, "a conditional write was held");
            unavailable("A filer has joined or left, and not all gateways use the same filers yet. Try again.")
        }
        FilerError::Damaged(..) | FilerError::Other(_) => {
            tracing::error!(%error, "the filer failed");
            S3Error::new(S3ErrorCode::InternalError)
        }
    }
}

/// 503 with a time to try again.
pub fn unavailable(message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::ServiceUnavailable, message);
    error.headers.push(("retry-after", RETRY_AFTER_S.to_string()));
    error
}
