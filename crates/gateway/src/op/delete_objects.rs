//! DeleteObjects.

use access::Permit;
use futures_util::StreamExt;
use ids::BucketName;
use s3::S3Error;
use s3::op::{DeleteObjects, DeleteObjectsOutput, DeletedObject, ObjectIdentifier};

use super::Call;
use super::answer::{self, Answer};
use super::delete_object::delete;
use super::new_entry::require_writable;

/// Deletes on their way at a time.
const AT_ONCE: usize = 16;

/// Removes up to 1000 objects, each of which was decided on its own. What was refused is answered as an error of that key
/// and left alone.
pub async fn delete_objects(
    call: &Call<'_>,
    permit: Permit<DeleteObjects>,
    decided: Vec<(ObjectIdentifier, Result<(), S3Error>)>,
    quiet: bool,
) -> Answer {
    let bucket = permit.into_operation().bucket;
    require_writable(call.existing_bucket()?)?;
    let deletes = decided.into_iter().map(|(object, decision)| one(call, &bucket, object, decision));
    let objects = futures_util::stream::iter(deletes).buffered(AT_ONCE).collect().await;
    answer::document(DeleteObjectsOutput { objects, quiet }.to_xml())
}

async fn one(
    call: &Call<'_>,
    bucket: &BucketName,
    object: ObjectIdentifier,
    decision: Result<(), S3Error>,
) -> DeletedObject {
    let error = match decision {
        Ok(()) => remove(call, bucket, &object).await.err(),
        refused => refused.err(),
    };
    DeletedObject {
        key: object.key_text,
        version_id: object.version_id.map(|version| version.to_string()),
        delete_marker_version_id: None,
        error,
    }
}

async fn remove(call: &Call<'_>, bucket: &BucketName, object: &ObjectIdentifier) -> Result<(), S3Error> {
    answer::refuse_version(object.version_id.as_ref(), false)?;
    delete(call, bucket, object.key.as_ref().map_err(Clone::clone)?, &object.condition()).await
}
