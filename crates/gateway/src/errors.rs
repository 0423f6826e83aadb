//! Turns errors of the layers below into S3's errors.

pub use access::from_signature;
use bucket::names::VERSIONS_SUFFIX;
use bucket::rules::{BucketError, Refusal};
use filer::FilerError;
use s3::{S3Error, S3ErrorCode};

/// After how many seconds a client may try again if the filer did not answer.
const RETRY_AFTER_S: u32 = 1;

/// The S3 error for a failed or refused operation on a bucket's objects.
pub fn from_bucket(error: BucketError) -> S3Error {
    match error {
        BucketError::Refused(refusal) => refused(refusal),
        BucketError::Filer(error) => from_filer(error),
    }
}

/// The S3 error for a refusal: `NotImplemented` with its reason, unless S3 defines a more specific error.
pub fn refused(refusal: Refusal) -> S3Error {
    match refusal {
        Refusal::NoSuchVersion => S3Error::new(S3ErrorCode::NoSuchVersion),
        Refusal::NameOfVersions => S3Error::with_message(S3ErrorCode::NotImplemented, refusal.to_string()),
        Refusal::Protected => S3Error::with_message(S3ErrorCode::AccessDenied, refusal.to_string()),
        not_yet => S3Error::not_implemented(not_yet),
    }
}

/// `OperationAborted`: another request changed the object between two steps.
pub fn conflict() -> S3Error {
    S3Error::new(S3ErrorCode::OperationAborted)
}

/// The S3 error for a filer's error.
pub fn from_filer(error: FilerError) -> S3Error {
    match error {
        FilerError::PreconditionFailed => S3Error::new(S3ErrorCode::PreconditionFailed),
        FilerError::ParentIsFile(_) => S3Error::new(S3ErrorCode::ExistingObjectIsFile),
        FilerError::ExistingIsDirectory(_) => S3Error::new(S3ErrorCode::ExistingObjectIsDirectory),
        FilerError::ExistingIsFile(path) if path.ends_with(VERSIONS_SUFFIX) => in_place_of_versions(&path),
        FilerError::ExistingIsFile(_) => S3Error::new(S3ErrorCode::ExistingObjectIsFile),
        FilerError::NotEmpty(_) => S3Error::new(S3ErrorCode::BucketNotEmpty),
        FilerError::Missing(_) => S3Error::new(S3ErrorCode::NoSuchBucket),
        FilerError::NameTooLong(_) => S3Error::new(S3ErrorCode::KeyTooLongError),
        FilerError::NameNotHeld(_) => {
            let message = "SeaweedFS cannot store a key with an empty path segment (`//` or a leading `/`), a segment `.` or `..`, \
                           `.uploads/` at its beginning, or a directory whose name ends in `.versions`: choose another key";
            S3Error::with_message(S3ErrorCode::InvalidArgument, message).field("ArgumentName", "key")
        }
        FilerError::Encrypted => refused(Refusal::Encrypted),
        FilerError::Body(error) => S3Error::with_message(S3ErrorCode::IncompleteBody, error.to_string()),
        FilerError::Unavailable(reason) => {
            tracing::warn!(%reason, "the filer is not available");
            unavailable("The storage behind this gateway does not answer. Try again.")
        }
        FilerError::Busy(reason) => {
            tracing::warn!(%reason, "an upload is put off");
            let mut error = unavailable("The storage is busy. Reduce your request rate, and try again.");
            error.code = S3ErrorCode::SlowDown;
            error
        }
        FilerError::NotAgreed => {
            tracing::warn!(%error, "a conditional write was held");
            unavailable("A filer has joined or left, and not all gateways use the same filers yet. Try again.")
        }
        FilerError::Full(reason) => {
            tracing::warn!(%reason, "no space left to store anything");
            let message = "The disk is full or read-only. Delete objects or make room, then try again. Objects can still be read.";
            S3Error::with_message(S3ErrorCode::InsufficientStorage, message)
        }
        FilerError::ReadOnly(path) => {
            let message = format!(
                "Nothing more may be stored below `{path}`: the bucket is over its quota, or a rule of filer.conf makes it read-only. \
                 Delete objects, or ask an administrator for a larger quota. Objects can still be read."
            );
            S3Error::with_message(S3ErrorCode::InsufficientStorage, message)
        }
        FilerError::Damaged(..) | FilerError::Other(_) => {
            tracing::error!(%error, "the filer failed");
            S3Error::new(S3ErrorCode::InternalError)
        }
    }
}

/// An object from before its bucket kept versions is where a filer would have to keep those of another key.
fn in_place_of_versions(path: &str) -> S3Error {
    let name = path.rsplit('/').next().unwrap_or(path);
    let of = name.strip_suffix(VERSIONS_SUFFIX).unwrap_or(name);
    let message = format!(
        "The object `{name}`, put before the bucket kept versions, is in the place of the versions of `{of}`: copy it to another \
         key, then delete its version null"
    );
    S3Error::with_message(S3ErrorCode::ExistingObjectIsFile, message)
}

/// 503 with a time to try again.
pub fn unavailable(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::ServiceUnavailable, message);
    error.headers.push(("retry-after", RETRY_AFTER_S.to_string()));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_in_the_way_is_named() {
        let message = |path: &str| from_filer(FilerError::ExistingIsFile(path.to_owned())).message().to_owned();
        assert!(
            message("/buckets/b/d/x.versions").contains("`x.versions`")
                && message("/buckets/b/d/x").contains("A prefix")
        );
    }
}
