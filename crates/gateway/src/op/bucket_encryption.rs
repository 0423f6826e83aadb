//! The default encryption of a bucket.

use access::Permit;
use bucket::metadata::BucketMetadata;
use s3::S3ErrorCode;
use s3::op::{GetBucketEncryption, encryption_to_xml};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketEncryption {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let missing = || answer::not_configured(bucket, S3ErrorCode::ServerSideEncryptionConfigurationNotFoundError);
        answer::document(of_bucket(bucket).ok_or_else(missing)?)
    }
}

/// The stored configuration of a bucket; `None` if there is none.
pub(super) fn of_bucket(bucket: &iam::Bucket) -> Option<String> {
    let stored = BucketMetadata::read_or_none(&bucket.metadata).encryption;
    let stored = stored.filter(|stored| !stored.sse_algorithm.is_empty())?;
    Some(encryption_to_xml(&stored.sse_algorithm, &stored.kms_key_id, stored.bucket_key_enabled))
}
