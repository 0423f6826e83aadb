//! What a bucket does against public access.

use access::Permit;
use bucket::settings;
use http::StatusCode;
use ids::{BucketName, PublicAccessBlock};
use s3::op::{
    DeletePublicAccessBlock, GetPublicAccessBlock, PutPublicAccessBlock, public_access_block_from_xml,
    public_access_block_to_xml,
};
use s3::{S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for GetPublicAccessBlock {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let missing = || answer::not_configured(bucket, S3ErrorCode::NoSuchPublicAccessBlockConfiguration);
        answer::document(public_access_block_to_xml(bucket.public_access_block.ok_or_else(missing)?))
    }
}

impl Run for PutPublicAccessBlock {
    const DOCUMENT_BYTES_MAX: u64 = 16 << 10;

    async fn run(call: &Call<'_>, permit: Permit<Self>, mut body: ObjectBody) -> Answer {
        let document = body.read_all(Self::DOCUMENT_BYTES_MAX).await?;
        call.existing_bucket()?;
        let block = public_access_block_from_xml(&document)?;
        replace(call, &permit.into_operation().bucket, Some(block), StatusCode::OK).await
    }
}

impl Run for DeletePublicAccessBlock {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        call.existing_bucket()?;
        replace(call, &permit.into_operation().bucket, None, StatusCode::NO_CONTENT).await
    }
}

async fn replace(call: &Call<'_>, bucket: &BucketName, to: Option<PublicAccessBlock>, status: StatusCode) -> Answer {
    let applied = |bucket: &iam::Bucket| bucket.public_access_block == to;
    call.configure(bucket, settings::public_access_block_patch(to), applied).await?;
    answer::empty(status)
}

/// Refuses what a setting of the public access block prevents. The words are AWS's.
pub(super) fn blocked(what: &str, setting: &str) -> S3Error {
    let message = format!("Access Denied: {what} are prevented by the {setting} setting in S3 Block Public Access.");
    S3Error::with_message(S3ErrorCode::AccessDenied, message)
}
