//! GetObjectTagging, PutObjectTagging and DeleteObjectTagging. One attribute of the entry holds one tag.

use access::Permit;
use filer::{Condition, FilerError, Mutation, Transaction};
use http::StatusCode;
use ids::{BucketName, ObjectKey};
use s3::op::{DeleteObjectTagging, GetObjectTagging, PutObjectTagging};
use s3::{S3Error, TagSet, VersionId};

use super::Call;
use super::answer::{self, Answer};
use super::new_entry::{conflict, require_writable, still, tag_attributes};
use crate::errors;
use crate::object::{self, attribute};

/// How often a change of tags looks again when the object changes under its hands.
const ATTEMPTS: usize = 8;

/// The tags of an object.
pub async fn get_object_tagging(call: &Call<'_>, permit: Permit<GetObjectTagging>) -> Answer {
    let input = permit.into_operation();
    let bucket = call.existing_bucket()?;
    answer::refuse_version(input.version_id.as_ref(), bucket.keeps_versions())?;
    let entry = call.object(&input.bucket, &input.key).await?;
    // What is stored is shown, whoever stored it and however many there are.
    let tags = TagSet::new(object::tags(&entry).into_iter().collect(), usize::MAX)?;
    answer::document(tags.to_xml())
}

/// Replaces the tags of an object.
pub async fn put_object_tagging(call: &Call<'_>, permit: Permit<PutObjectTagging>, tags: TagSet) -> Answer {
    let input = permit.into_operation();
    replace(call, &input.bucket, &input.key, input.version_id.as_ref(), Some(&tags)).await?;
    answer::empty(StatusCode::OK)
}

/// Removes the tags of an object.
pub async fn delete_object_tagging(call: &Call<'_>, permit: Permit<DeleteObjectTagging>) -> Answer {
    let input = permit.into_operation();
    replace(call, &input.bucket, &input.key, input.version_id.as_ref(), None).await?;
    answer::empty(StatusCode::NO_CONTENT)
}

async fn replace(
    call: &Call<'_>,
    bucket_name: &BucketName,
    key: &ObjectKey,
    version: Option<&VersionId>,
    tags: Option<&TagSet>,
) -> Result<(), S3Error> {
    let bucket = call.existing_bucket()?;
    answer::refuse_version(version, bucket.keeps_versions())?;
    require_writable(bucket)?;
    let path = call.object_path(bucket_name, key);
    let (directory, name, condition_key) = call.step_names(&path, key);
    let set = tag_attributes(tags);
    for _ in 0..ATTEMPTS {
        let entry = call.object(bucket_name, key).await?;
        let is_old = |name: &&String| name.starts_with(attribute::TAG_PREFIX) && !set.contains_key(*name);
        let transaction = Transaction {
            lock_key: path.clone(),
            conditions: vec![still(&entry).unwrap_or(Condition::Exists)],
            condition_key: condition_key.clone(),
            mutations: vec![Mutation::Patch {
                directory: directory.clone(),
                name: name.clone(),
                set: set.clone(),
                remove: entry.extended.keys().filter(is_old).cloned().collect(),
                content: None,
            }],
            ..Transaction::default()
        };
        match call.write_below(&path, transaction).await {
            Err(FilerError::PreconditionFailed) => {}
            done => return done.map_err(errors::from_filer),
        }
    }
    Err(conflict())
}
