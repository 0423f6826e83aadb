//! The default encryption of a bucket.

use access::Permit;
use s3::S3ErrorCode;
use s3::op::{GetBucketEncryption, encryption_to_xml};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketEncryption {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let stored = bucket.metadata.as_ref().ok().and_then(|metadata| metadata.encryption.as_ref());
        let stored = stored.filter(|stored| !stored.sse_algorithm.is_empty()).ok_or_else(|| {
            answer::not_configured(bucket, S3ErrorCode::ServerSideEncryptionConfigurationNotFoundError)
        })?;
        answer::document(encryption_to_xml(&stored.sse_algorithm, &stored.kms_key_id, stored.bucket_key_enabled))
    }
}
