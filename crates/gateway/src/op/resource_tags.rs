//! The tags of a bucket, as S3 Control reads and changes them: one by one.

use std::collections::BTreeMap;

use access::Permit;
use bucket::metadata::BucketMetadata;
use http::StatusCode;
use iam::Bucket;
use s3::op::{ListTagsForResource, TagResource, UntagResource, resource_tags_to_xml};
use s3::{BUCKET_TAGS_MAX, S3Error, S3ErrorCode, TaggedBucket};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;

impl Run for ListTagsForResource {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = of_account(call, &permit.operation().bucket)?;
        let tags = BucketMetadata::read_or_none(&bucket.metadata).tags;
        answer::document(resource_tags_to_xml(tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
    }
}

/// Adds tags, and replaces the values of those that the bucket has.
impl Run for TagResource {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let TagResource { bucket, tags, .. } = permit.operation();
        change(call, bucket, |known| known.extend(tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned()))))
            .await
    }
}

/// Removes tags. It is not an error if the bucket does not have one.
impl Run for UntagResource {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let UntagResource { bucket, keys } = permit.operation();
        change(call, bucket, |known| known.retain(|key, _| !keys.contains(key))).await
    }
}

/// The bucket, if it belongs to the account that the client names.
fn of_account<'c>(call: &'c Call<'_>, tagged: &TaggedBucket) -> Result<&'c Bucket, S3Error> {
    let bucket = call.existing_bucket()?;
    if bucket.account == tagged.account { Ok(bucket) } else { Err(S3Error::new(S3ErrorCode::AccessDenied)) }
}

async fn change(
    call: &Call<'_>,
    tagged: &TaggedBucket,
    change_tags: impl Fn(&mut BTreeMap<String, String>) + Send + Sync,
) -> Answer {
    of_account(call, tagged)?;
    let change = |metadata: &mut BucketMetadata| {
        change_tags(&mut metadata.tags);
        metadata.tags.len() <= BUCKET_TAGS_MAX
    };
    if !call.change_metadata(&tagged.name, change, |metadata| &metadata.tags).await? {
        let message = format!("Bucket tags cannot be greater than {BUCKET_TAGS_MAX}");
        return Err(S3Error::with_message(S3ErrorCode::InvalidTag, message));
    }
    answer::empty(StatusCode::NO_CONTENT)
}
