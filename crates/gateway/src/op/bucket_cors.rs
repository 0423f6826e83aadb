//! The CORS rules of a bucket.

use access::Permit;
use s3::S3ErrorCode;
use s3::op::GetBucketCors;

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketCors {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        if bucket.cors_rules().is_empty() {
            return Err(answer::not_configured(bucket, S3ErrorCode::NoSuchCORSConfiguration));
        }
        answer::document(super::cors::of_bucket(bucket).to_xml())
    }
}
