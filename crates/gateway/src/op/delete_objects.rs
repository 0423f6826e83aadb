//! DeleteObjects.

use access::Permit;
use futures_util::StreamExt;
use s3::S3Error;
use s3::op::{DeleteObject, DeleteObjects, DeleteObjectsOutput, DeletedObject, ObjectIdentifier};

use super::answer::{self, Answer};
use super::delete_object::delete;
use super::new_entry::require_writable;
use super::{Call, Run};
use crate::body::ObjectBody;

/// Deletes on their way at a time.
const AT_ONCE: usize = 16;

/// Removes up to 1000 objects. Each is a DeleteObject with a permit of its own: what is refused is answered as an error of that
/// key and left alone.
impl Run for DeleteObjects {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let op = permit.operation();
        require_writable(call.existing_bucket()?)?;
        let mut decided = Vec::with_capacity(op.request.objects.len());
        for object in &op.request.objects {
            // All decisions come before the first deletion: none of them depends on what a deletion of this request does.
            decided.push((object, may_delete(call, op, object).await));
        }
        let deletes: Vec<_> = decided.into_iter().map(|(object, permit)| one(call, object, permit)).collect();
        let objects = futures_util::stream::iter(deletes).buffered(AT_ONCE).collect().await;
        answer::document(DeleteObjectsOutput { objects, quiet: op.request.quiet }.to_xml())
    }
}

/// The key is decided with its own version and, if policies ask for them, its own tags.
async fn may_delete(
    call: &Call<'_>,
    op: &DeleteObjects,
    object: &ObjectIdentifier,
) -> Result<Permit<DeleteObject>, S3Error> {
    let key = object.key.clone()?;
    call.authorize(op.delete_at(key, object)).await.map_err(|denied| denied.to_error(&call.request_id))
}

async fn one(
    call: &Call<'_>,
    object: &ObjectIdentifier,
    permit: Result<Permit<DeleteObject>, S3Error>,
) -> DeletedObject {
    let error = match permit {
        Ok(permit) => delete(call, permit).await.err(),
        Err(refused) => Some(refused),
    };
    DeletedObject {
        key: object.key_text.clone(),
        version_id: object.version_id.as_ref().map(ToString::to_string),
        delete_marker_version_id: None,
        error,
    }
}
