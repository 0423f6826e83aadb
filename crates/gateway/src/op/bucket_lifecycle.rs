//! The lifecycle rules of a bucket, as SeaweedFS stores them.

use access::Permit;
use s3::S3ErrorCode;
use s3::op::GetBucketLifecycleConfiguration;

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketLifecycleConfiguration {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let missing = || answer::not_configured(bucket, S3ErrorCode::NoSuchLifecycleConfiguration);
        answer::document(bucket.lifecycle.as_ref().ok_or_else(missing)?.to_string())
    }
}
