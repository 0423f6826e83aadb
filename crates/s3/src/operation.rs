use ids::{BucketName, ObjectKey};

use crate::op::*;
use crate::version_id::VersionId;

macro_rules! operations {
    ($($name:ident($input:ty) $doc:literal,)+) => {
        /// A request that was understood: which operation, and everything its head says.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Operation {
            $(#[doc = $doc] $name($input),)+
            /// Every other operation of S3.
            Other(Other),
        }

        impl Operation {
            /// The name in the API, for example `ListObjectsV2`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)+
                    Self::Other(other) => other.operation.name(),
                }
            }
        }
    };
}

operations! {
    ListBuckets(ListBuckets) "`GET /`.",
    CreateBucket(CreateBucket) "`PUT /bucket`.",
    HeadBucket(HeadBucket) "`HEAD /bucket`.",
    DeleteBucket(DeleteBucket) "`DELETE /bucket`.",
    GetBucketLocation(GetBucketLocation) "`GET /bucket?location`.",
    GetBucketTagging(GetBucketTagging) "`GET /bucket?tagging`.",
    PutBucketTagging(PutBucketTagging) "`PUT /bucket?tagging`.",
    DeleteBucketTagging(DeleteBucketTagging) "`DELETE /bucket?tagging`.",
    GetBucketPolicy(GetBucketPolicy) "`GET /bucket?policy`.",
    PutBucketPolicy(PutBucketPolicy) "`PUT /bucket?policy`.",
    DeleteBucketPolicy(DeleteBucketPolicy) "`DELETE /bucket?policy`.",
    GetBucketPolicyStatus(GetBucketPolicyStatus) "`GET /bucket?policyStatus`.",
    ListObjects(ListObjects) "`GET /bucket`.",
    ListObjectsV2(ListObjectsV2) "`GET /bucket?list-type=2`.",
    ListMultipartUploads(ListMultipartUploads) "`GET /bucket?uploads`.",
    DeleteObjects(DeleteObjects) "`POST /bucket?delete`.",
    PostObject(PostObject) "`POST /bucket` with a form.",
    PutObject(PutObject) "`PUT /bucket/key`.",
    GetObject(GetObject) "`GET /bucket/key`.",
    HeadObject(HeadObject) "`HEAD /bucket/key`.",
    DeleteObject(DeleteObject) "`DELETE /bucket/key`.",
    CopyObject(CopyObject) "`PUT /bucket/key` with `x-amz-copy-source`.",
    GetObjectAttributes(GetObjectAttributes) "`GET /bucket/key?attributes`.",
    GetObjectTagging(GetObjectTagging) "`GET /bucket/key?tagging`.",
    PutObjectTagging(PutObjectTagging) "`PUT /bucket/key?tagging`.",
    DeleteObjectTagging(DeleteObjectTagging) "`DELETE /bucket/key?tagging`.",
    CreateMultipartUpload(CreateMultipartUpload) "`POST /bucket/key?uploads`.",
    UploadPart(UploadPart) "`PUT /bucket/key?partNumber=&uploadId=`.",
    UploadPartCopy(UploadPartCopy) "The same with `x-amz-copy-source`.",
    CompleteMultipartUpload(CompleteMultipartUpload) "`POST /bucket/key?uploadId=`.",
    AbortMultipartUpload(AbortMultipartUpload) "`DELETE /bucket/key?uploadId=`.",
    ListParts(ListParts) "`GET /bucket/key?uploadId=`.",
    CorsPreflight(CorsPreflight) "`OPTIONS`.",
    Query(Query) "`POST /`: the IAM and STS query APIs.",
}

impl Operation {
    /// The bucket that is addressed, if any.
    pub fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::ListBuckets(_) | Self::Query(_) => None,
            Self::CorsPreflight(op) => op.bucket.as_ref(),
            Self::CreateBucket(op) => Some(&op.bucket),
            Self::HeadBucket(op) => Some(&op.bucket),
            Self::DeleteBucket(op) => Some(&op.bucket),
            Self::GetBucketLocation(op) => Some(&op.bucket),
            Self::GetBucketTagging(op) => Some(&op.bucket),
            Self::PutBucketTagging(op) => Some(&op.bucket),
            Self::DeleteBucketTagging(op) => Some(&op.bucket),
            Self::GetBucketPolicy(op) => Some(&op.bucket),
            Self::PutBucketPolicy(op) => Some(&op.bucket),
            Self::DeleteBucketPolicy(op) => Some(&op.bucket),
            Self::GetBucketPolicyStatus(op) => Some(&op.bucket),
            Self::ListObjects(op) => Some(&op.bucket),
            Self::ListObjectsV2(op) => Some(&op.bucket),
            Self::ListMultipartUploads(op) => Some(&op.bucket),
            Self::DeleteObjects(op) => Some(&op.bucket),
            Self::PostObject(op) => Some(&op.bucket),
            Self::PutObject(op) => Some(&op.bucket),
            Self::GetObject(op) | Self::HeadObject(op) => Some(&op.bucket),
            Self::DeleteObject(op) => Some(&op.bucket),
            Self::CopyObject(op) => Some(&op.bucket),
            Self::GetObjectAttributes(op) => Some(&op.bucket),
            Self::GetObjectTagging(op) => Some(&op.bucket),
            Self::PutObjectTagging(op) => Some(&op.bucket),
            Self::DeleteObjectTagging(op) => Some(&op.bucket),
            Self::CreateMultipartUpload(op) => Some(&op.bucket),
            Self::UploadPart(op) => Some(&op.bucket),
            Self::UploadPartCopy(op) => Some(&op.bucket),
            Self::CompleteMultipartUpload(op) => Some(&op.bucket),
            Self::AbortMultipartUpload(op) => Some(&op.bucket),
            Self::ListParts(op) => Some(&op.bucket),
            Self::Other(op) => Some(&op.bucket),
        }
    }

    /// Whether only identities of the account that owns the bucket may ask, whatever its policy grants to others.
    ///
    /// Source: S3 API Reference, `PutBucketPolicy`, `GetBucketPolicy`, `DeleteBucketPolicy`: 405 `MethodNotAllowed` to callers who have the
    /// permission and belong to another account. AWS does not say so of ownership controls and the public access block; they open a bucket
    /// as a policy does, so the same rule holds for them here.
    pub fn is_for_owners_account(&self) -> bool {
        use OtherOperation as Op;
        match self {
            Self::GetBucketPolicy(_) | Self::PutBucketPolicy(_) | Self::DeleteBucketPolicy(_) => true,
            Self::Other(other) => matches!(
                other.operation,
                Op::GetBucketOwnershipControls
                    | Op::PutBucketOwnershipControls
                    | Op::DeleteBucketOwnershipControls
                    | Op::GetPublicAccessBlock
                    | Op::PutPublicAccessBlock
                    | Op::DeletePublicAccessBlock
            ),
            _ => false,
        }
    }

    /// The key that is addressed, if any. A form and DeleteObjects have theirs in the body.
    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::CorsPreflight(op) => op.key.as_ref(),
            Self::PutObject(op) => Some(&op.key),
            Self::GetObject(op) | Self::HeadObject(op) => Some(&op.key),
            Self::DeleteObject(op) => Some(&op.key),
            Self::CopyObject(op) => Some(&op.key),
            Self::GetObjectAttributes(op) => Some(&op.key),
            Self::GetObjectTagging(op) => Some(&op.key),
            Self::PutObjectTagging(op) => Some(&op.key),
            Self::DeleteObjectTagging(op) => Some(&op.key),
            Self::CreateMultipartUpload(op) => Some(&op.key),
            Self::UploadPart(op) => Some(&op.key),
            Self::UploadPartCopy(op) => Some(&op.key),
            Self::CompleteMultipartUpload(op) => Some(&op.key),
            Self::AbortMultipartUpload(op) => Some(&op.key),
            Self::ListParts(op) => Some(&op.key),
            Self::Other(op) => op.key.as_ref(),
            _ => None,
        }
    }

    /// The version that is addressed, if any.
    pub fn version_id(&self) -> Option<&VersionId> {
        match self {
            Self::GetObject(op) | Self::HeadObject(op) => op.version_id.as_ref(),
            Self::DeleteObject(op) => op.version_id.as_ref(),
            Self::GetObjectAttributes(op) => op.version_id.as_ref(),
            Self::GetObjectTagging(op) => op.version_id.as_ref(),
            Self::PutObjectTagging(op) => op.version_id.as_ref(),
            Self::DeleteObjectTagging(op) => op.version_id.as_ref(),
            Self::Other(op) => op.version_id.as_ref(),
            _ => None,
        }
    }
}
