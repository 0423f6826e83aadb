//! The tags of a bucket. They share one stored message with CORS and encryption, which stay as they are.

use std::collections::BTreeMap;

use crate::body::ObjectBody;
use access::Permit;
use filer::{Condition, Mutation, Transaction};
use http::StatusCode;
use ids::BucketName;
use prost::Message;
use s3::op::{DeleteBucketTagging, GetBucketTagging, PutBucketTagging};
use s3::{MAX_BUCKET_TAGS, S3Error, S3ErrorCode, TagSet};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::errors;

/// The tags, or `NoSuchTagSet`.
impl Run for GetBucketTagging {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        let tags = bucket.tags().filter(|tags| !tags.is_empty());
        let tags = tags.ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchTagSet).field("BucketName", &*bucket.name))?;
        let tags = tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        answer::document(TagSet::new(tags, MAX_BUCKET_TAGS)?.to_xml())
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

async fn replace(call: &Call<'_>, bucket: &BucketName, tags: BTreeMap<String, String>) -> Answer {
    call.existing_bucket()?;
    let path = call.bucket_path(bucket);
    let entry = call.filer().lookup(&path).await.map_err(errors::from_filer)?;
    let entry = entry.ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchBucket))?;
    let mut metadata = iam::BucketMetadata::decode(entry.content.as_slice()).map_err(|error| {
        tracing::error!(%bucket, %error, "the metadata of the bucket cannot be read, so its tags are not replaced");
        S3Error::new(S3ErrorCode::InternalError)
    })?;
    metadata.tags = tags.clone();
    let mutation = Mutation::Patch {
        directory: call.buckets_root().to_owned(),
        name: bucket.to_string(),
        set: BTreeMap::new(),
        remove: Vec::new(),
        content: Some(metadata.encode_to_vec()),
    };
    let conditions = vec![Condition::Exists];
    let transaction = Transaction { lock_key: path, conditions, mutations: vec![mutation], ..Transaction::default() };
    let change = call.gateway.fence.before_change();
    call.filer().transact(transaction).await.map_err(errors::from_filer)?;
    let applied = |bucket: Option<&iam::Bucket>| bucket.is_none_or(|bucket| bucket.tags() == Some(&tags));
    call.gateway.in_force(change, bucket, applied).await?;
    answer::empty(StatusCode::NO_CONTENT)
}
