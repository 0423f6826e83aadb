use std::ops::{Deref, DerefMut};

use crate::op::*;
use crate::requirement::Requirement;
use crate::s3_operation::{Needs, S3Operation, permissions};

/// Calls a macro with every operation, grouped by its module of [`op`](crate::op). The last one represents many, by
/// name.
///
/// This is the only list: exports, enum, routes, permits and dispatch are generated from it.
#[macro_export]
macro_rules! for_each_operation {
    ($callback:ident) => {
        $callback! {
            get_object: GetObject, HeadObject;
            put_object: PutObject;
            delete_object: DeleteObject;
            list_objects: ListObjectsV2, ListObjects;
            bucket: HeadBucket, DeleteBucket, GetBucketLocation;
            list_buckets: ListBuckets;
            create_bucket: CreateBucket;
            delete_objects: DeleteObjects;
            post_object: PostObject;
            copy_object: CopyObject;
            create_multipart_upload: CreateMultipartUpload;
            upload_part: UploadPart, UploadPartCopy;
            complete_multipart_upload: CompleteMultipartUpload;
            abort_multipart_upload: AbortMultipartUpload;
            list_parts: ListParts;
            list_multipart_uploads: ListMultipartUploads;
            list_object_versions: ListObjectVersions;
            get_object_attributes: GetObjectAttributes;
            object_tagging: GetObjectTagging, PutObjectTagging, DeleteObjectTagging;
            object_lock:
                GetObjectRetention, PutObjectRetention, GetObjectLegalHold, PutObjectLegalHold, GetObjectLockConfiguration,
                PutObjectLockConfiguration;
            acl: GetBucketAcl, PutBucketAcl, GetObjectAcl, PutObjectAcl;
            bucket_cors: GetBucketCors, PutBucketCors, DeleteBucketCors;
            bucket_encryption: GetBucketEncryption;
            bucket_lifecycle: GetBucketLifecycleConfiguration;
            bucket_policy: GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy, GetBucketPolicyStatus;
            bucket_request_payment: GetBucketRequestPayment, PutBucketRequestPayment;
            bucket_tagging: GetBucketTagging, PutBucketTagging, DeleteBucketTagging;
            bucket_versioning: GetBucketVersioning, PutBucketVersioning;
            bucket_website: GetBucketWebsite, PutBucketWebsite, DeleteBucketWebsite;
            ownership_controls: GetBucketOwnershipControls, PutBucketOwnershipControls, DeleteBucketOwnershipControls;
            account_public_access_block:
                GetAccountPublicAccessBlock, PutAccountPublicAccessBlock, DeleteAccountPublicAccessBlock;
            public_access_block: GetPublicAccessBlock, PutPublicAccessBlock, DeletePublicAccessBlock;
            resource_tags: ListTagsForResource, TagResource, UntagResource;
            = unsupported: Unsupported
        }
    };
}

macro_rules! operations {
    ($($module:ident: $($Name:ident),+;)+ = $listed:ident: $Listed:ident) => {
        /// A parsed request: the operation, and everything its head says.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Operation {
            $($(#[doc = concat!("See [`", stringify!($Name), "`](op::", stringify!($Name), ").")] $Name($Name),)+)+
            /// An operation that Kelpgate knows by name but does not support.
            $Listed($Listed),
        }

        impl Operation {
            /// The name in the API, for example `ListObjectsV2`.
            pub fn name(&self) -> &'static str {
                match self {
                    $($(Self::$Name(_) => stringify!($Name),)+)+
                    Self::$Listed(listed) => listed.name(),
                }
            }
        }

        impl Deref for Operation {
            type Target = dyn S3Operation;

            fn deref(&self) -> &(dyn S3Operation + 'static) {
                match self {
                    $($(Self::$Name(op) => op,)+)+
                    Self::$Listed(op) => op,
                }
            }
        }

        impl DerefMut for Operation {
            fn deref_mut(&mut self) -> &mut (dyn S3Operation + 'static) {
                match self {
                    $($(Self::$Name(op) => op,)+)+
                    Self::$Listed(op) => op,
                }
            }
        }

        $($(impl From<$Name> for Operation {
            fn from(op: $Name) -> Self {
                Self::$Name(op)
            }
        })+)+

        impl From<$Listed> for Operation {
            fn from(op: $Listed) -> Self {
                Self::$Listed(op)
            }
        }
    };
}

for_each_operation!(operations);

impl Needs for Operation {
    fn permissions(&self) -> Vec<Requirement> {
        permissions(&**self)
    }
}
