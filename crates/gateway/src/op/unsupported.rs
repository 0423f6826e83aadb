//! Operations that Kelpgate does not support: answered as AWS does if nothing is configured or nothing would change, or
//! refused by name.

use access::Permit;
use bucket::metadata::BucketMetadata;
use http::StatusCode;
use iam::Bucket;
use s3::op::{Unchanged, Unsupported};
use s3::{S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::{Call, Run, bucket_encryption};
use crate::body::ObjectBody;

impl Run for Unsupported {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let stored = stored(call.existing_bucket()?, permit.operation().sub_resource())?;
        match permit.operation().answer(stored.as_deref())? {
            Unchanged::Document(document) => answer::document(document),
            Unchanged::Restated => answer::empty(StatusCode::OK),
            Unchanged::NotSet => answer::empty(StatusCode::NO_CONTENT),
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
