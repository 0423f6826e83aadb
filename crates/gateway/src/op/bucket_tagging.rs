//! The tags of a bucket. They share one stored message with CORS and encryption, which stay unchanged.

use std::collections::BTreeMap;

use crate::body::ObjectBody;
use access::Permit;
use bucket::metadata::BucketMetadata;
use http::StatusCode;
use ids::BucketName;
use s3::op::{DeleteBucketTagging, GetBucketTagging, PutBucketTagging};
use s3::{BUCKET_TAGS_MAX, S3Error, S3ErrorCode, TagSet};

use super::answer::{self, Answer};
use super::{Call, Run};

/// The tags, or `NoSuchTagSet`.
impl Run for GetBucketTagging {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let tags = Some(BucketMetadata::read_or_none(&bucket.metadata).tags).filter(|tags| !tags.is_empty());
        let tags = tags.ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchTagSet).field("BucketName", &*bucket.name))?;
        let tags = tags.into_iter().collect();
        answer::document(TagSet::new(tags, BUCKET_TAGS_MAX)?.to_xml())
    }
}

/// Replaces the tags.
impl Run for PutBucketTagging {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let PutBucketTagging { bucket, tags, .. } = permit.operation();
        let tags = tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        replace(call, bucket, tags).await
    }
}

/// Removes the tags.
impl Run for DeleteBucketTagging {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        replace(call, &permit.into_operation().bucket, BTreeMap::new()).await
    }
}

async fn replace(call: &Call<'_>, name: &BucketName, tags: BTreeMap<String, String>) -> Answer {
    let replace = |metadata: &mut BucketMetadata| {
        metadata.tags.clone_from(&tags);
        true
    };
    call.change_metadata(name, replace, |metadata| &metadata.tags).await?;
    answer::empty(StatusCode::NO_CONTENT)
}
