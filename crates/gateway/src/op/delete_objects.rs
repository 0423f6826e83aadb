//! DeleteObjects.

use std::time::{Duration, Instant};

use access::{AuditedObject, Permit};
use bucket::writer::Writer;
use futures_util::StreamExt;
use s3::S3Error;
use s3::op::{DeleteObject, DeleteObjects, DeleteObjectsOutput, DeletedObject, ObjectIdentifier};

use super::answer::{self, Answer};
use super::delete_object::{Deleted, delete};
use super::{Call, Run};
use crate::body::ObjectBody;

/// How long a request decides before others get their turn.
const TURN: Duration = Duration::from_millis(1);

/// How many deletes run at the same time.
const AT_ONCE: usize = 16;

/// Removes up to 1000 objects. Each is a DeleteObject with its own permit. If it is refused, the answer has an error
/// for that key, and the object stays.
impl Run for DeleteObjects {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let op = permit.operation();
        let writer = call.writer()?;
        let mut turn = Turn::begin();
        let mut decided = Vec::with_capacity(op.request.objects.len());
        for object in &op.request.objects {
            // All decisions are made before the first deletion, so none of them depends on a deletion of this request.
            decided.push((object, may_delete(call, op, object).await));
            turn.end_if_long().await;
        }
        let deletes: Vec<_> = decided.into_iter().map(|(object, permit)| one(&writer, object, permit)).collect();
        let objects: Vec<_> = futures_util::stream::iter(deletes)
            .buffered(AT_ONCE)
            .inspect(|deleted| call.decisions.object(|| audited(deleted)))
            .collect()
            .await;
        answer::document(DeleteObjectsOutput { objects, quiet: op.request.quiet }.to_xml())
    }
}

/// The time for which a request has had its thread. Decisions wait for nothing, so a thousand of them would let nobody else run.
struct Turn(Instant);

impl Turn {
    fn begin() -> Self {
        Self(Instant::now())
    }

    async fn end_if_long(&mut self) {
        if self.0.elapsed() >= TURN {
            tokio::task::yield_now().await;
            *self = Self::begin();
        }
    }
}

fn audited(deleted: &DeletedObject) -> AuditedObject {
    AuditedObject {
        key: deleted.key.clone(),
        version_id: deleted.version_id.clone(),
        error: deleted.error.as_ref().map(|error| error.code.as_str().to_owned()),
    }
}

/// Decides the key with its own version and, if policies test them, its own tags.
async fn may_delete(
    call: &Call<'_>,
    op: &DeleteObjects,
    object: &ObjectIdentifier,
) -> Result<Permit<DeleteObject>, S3Error> {
    let key = object.key.clone()?;
    call.authorize(op.delete_at(key, object)).await.map_err(|denied| denied.to_error(&call.request_id))
}

async fn one(
    writer: &Writer<'_>,
    object: &ObjectIdentifier,
    permit: Result<Permit<DeleteObject>, S3Error>,
) -> DeletedObject {
    let deleted = match permit {
        Ok(permit) => delete(writer, permit).await,
        Err(refused) => Err(refused),
    };
    let (deleted, error) = match deleted {
        Ok(deleted) => (deleted, None),
        Err(error) => (Deleted::default(), Some(error)),
    };
    DeletedObject {
        key: object.key_text.clone(),
        version_id: object.version_id.as_ref().map(ToString::to_string),
        delete_marker_version_id: deleted.version_id.filter(|_| deleted.is_delete_marker),
        error,
    }
}
