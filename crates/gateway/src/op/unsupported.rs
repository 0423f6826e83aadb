//! Operations that Kelpgate does not carry out: answered as AWS does if nothing is configured or nothing would change, kept
//! where clients see no effect, or refused by name.

use access::Permit;
use bucket::metadata::BucketMetadata;
use http::StatusCode;
use iam::Bucket;
use s3::op::{Outcome, Unsupported};
use s3::{S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::{Call, Run, bucket_encryption};
use crate::body::ObjectBody;

impl Run for Unsupported {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let stored = stored(bucket, permit.operation().sub_resource())?;
        match permit.operation().answer(stored.as_deref(), &bucket.configurations)? {
            Outcome::Document(document) => answer::document(document),
            Outcome::Restated => answer::empty(StatusCode::OK),
            Outcome::NotSet => answer::empty(StatusCode::NO_CONTENT),
            Outcome::Keep(name, document) => call.store_configuration(&name, Some(document), StatusCode::OK).await,
            Outcome::Forget(name) => call.store_configuration(&name, None, StatusCode::NO_CONTENT).await,
        }
    }
}

/// The configuration that the bucket has stored, as its document. What cannot be read is not taken for nothing.
fn stored(bucket: &Bucket, sub_resource: &str) -> Result<Option<String>, S3Error> {
    let readable = BucketMetadata::read(&bucket.metadata).map_err(|error| {
        tracing::error!(bucket = %bucket.name, %error, "the bucket's metadata cannot be read");
        S3Error::new(S3ErrorCode::InternalError)
    });
    match sub_resource {
        "encryption" => readable.map(|_| bucket_encryption::of_bucket(bucket)),
        "lifecycle" => Ok(bucket.lifecycle.as_ref().map(ToString::to_string)),
        _ => Ok(None),
    }
}
