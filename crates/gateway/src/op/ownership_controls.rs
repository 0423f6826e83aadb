//! Who owns objects that other accounts write into a bucket, and so whether ACLs count.

use access::Permit;
use bucket::settings;
use http::StatusCode;
use ids::{BucketName, Ownership};
use s3::S3ErrorCode;
use s3::op::{
    DeleteBucketOwnershipControls, GetBucketOwnershipControls, PutBucketOwnershipControls, ownership_from_xml,
    ownership_to_xml,
};

use super::acl::gives_something_away;
use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetBucketOwnershipControls {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let missing = || answer::not_configured(bucket, S3ErrorCode::OwnershipControlsNotFoundError);
        answer::document(ownership_to_xml(bucket.ownership_controls.ok_or_else(missing)?))
    }
}

impl Run for PutBucketOwnershipControls {
    const DOCUMENT_BYTES_MAX: u64 = 16 << 10;

    async fn run(call: &Call<'_>, permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let document = body.read_all(Self::DOCUMENT_BYTES_MAX).await?;
        let bucket = call.existing_bucket()?;
        let ownership = ownership_from_xml(&document)?;
        if bucket.ownership().has_acls() && !ownership.has_acls() && gives_something_away(bucket) {
            return Err(S3ErrorCode::InvalidBucketAclWithObjectOwnership.into());
        }
        replace(call, &permit.into_operation().bucket, Some(ownership), StatusCode::OK).await
    }
}

/// Without ownership controls, ACLs do not count.
impl Run for DeleteBucketOwnershipControls {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        replace(call, &permit.into_operation().bucket, None, StatusCode::NO_CONTENT).await
    }
}

async fn replace(call: &Call<'_>, bucket: &BucketName, to: Option<Ownership>, status: StatusCode) -> Answer {
    let applied = |bucket: &iam::Bucket| bucket.ownership_controls == to;
    call.configure(bucket, settings::ownership_patch(to), applied).await?;
    answer::empty(status)
}
