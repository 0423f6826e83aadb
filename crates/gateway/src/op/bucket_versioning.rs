//! The state of a bucket's versioning. Once a change is answered, every gateway writes as it says.

use access::Permit;
use bucket::directory::BucketState;
use http::StatusCode;
use ids::Versioning;
use s3::op::{GetBucketVersioning, PutBucketVersioning, VersioningStatus, versioning_to_xml};
use s3::{S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketVersioning {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        answer::document(versioning_to_xml(call.existing_bucket()?.versioning.status()))
    }
}

/// Enables or suspends versioning. It cannot be suspended where objects may be locked.
impl Run for PutBucketVersioning {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let bucket = call.existing_bucket()?;
        let status = input.status.ok_or(S3ErrorCode::MalformedXML)?;
        let patch = bucket::settings::versioning_patch(status.as_str());
        let wanted = Versioning::read(Some(status.as_str()));
        let shows = |bucket: &iam::Bucket| bucket.versioning == wanted;
        match status {
            VersioningStatus::Suspended if bucket.object_lock => return Err(locked()),
            VersioningStatus::Suspended => {
                call.configure_unless(&input.bucket, &BucketState::LOCKED, locked(), patch, shows).await?;
            }
            VersioningStatus::Enabled => call.configure(&input.bucket, patch, shows).await?,
        }
        answer::empty(StatusCode::OK)
    }
}

fn locked() -> S3Error {
    let message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
    S3Error::with_message(S3ErrorCode::InvalidBucketState, message)
}
