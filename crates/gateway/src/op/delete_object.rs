//! DeleteObject.

use access::Permit;
use filer::{Entry, FilerError};
use http::{HeaderMap, StatusCode};
use ids::ObjectKey;
use s3::op::DeleteObject;
use s3::{S3Error, Target, WriteCondition};

use super::answer::{self, Answer};
use super::new_entry::conditions;
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::errors;
use bucket::locks::Lock;
use bucket::rules::{BucketError, Refusal};
use bucket::versions::{self, Removal, Version};
use bucket::writer::Writer;

/// How often a delete starts again if the object changes in the meantime.
const ATTEMPTS: usize = 8;

/// Removes an object, or covers it with a delete marker. Removing one that does not exist succeeds.
impl Run for DeleteObject {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let deleted = delete(&call.writer()?, permit).await?;
        let mut response = answer::empty(StatusCode::NO_CONTENT)?;
        deleted.set_headers(response.headers_mut());
        Ok(response)
    }
}

/// What was deleted, or made.
#[derive(Debug, Default)]
pub(super) struct Deleted {
    /// The version that was removed, or the delete marker that was made. `None` in a bucket without versions.
    pub(super) version_id: Option<String>,
    /// Whether that is a delete marker.
    pub(super) is_delete_marker: bool,
}

impl Deleted {
    fn set_headers(&self, headers: &mut HeaderMap) {
        if let Some(version_id) = &self.version_id {
            answer::set_named(headers, "x-amz-version-id", version_id);
        }
        if self.is_delete_marker {
            answer::set_named(headers, "x-amz-delete-marker", "true");
        }
    }
}

/// Deletes what a request names, and never anything below it: `a` leaves `a/b`, and `a/` leaves both.
pub(super) async fn delete(writer: &Writer<'_>, permit: Permit<DeleteObject>) -> Result<Deleted, S3Error> {
    let DeleteObject { target, condition, bypass_governance_retention: bypass, .. } = permit.into_operation();
    let version_id = target.version_id.as_ref().map(s3::VersionId::as_str);
    match (versions::removal(writer.objects.versioning, &target.key), version_id) {
        (Removal::Object, _) => delete_object(writer, &target, &condition).await,
        (_, Some(id)) => delete_version(writer, &target.key, id, &condition, bypass).await,
        (Removal::Mark | Removal::ReplaceNull, None) => mark_deleted(writer, &target.key, &condition).await,
    }
}

async fn delete_object(writer: &Writer<'_>, target: &Target, condition: &WriteCondition) -> Result<Deleted, S3Error> {
    let Target { key, version_id, .. } = target;
    let version_id = version_id.as_ref().map(s3::VersionId::as_str);
    for _ in 0..ATTEMPTS {
        let found = writer.objects.version(key, version_id).await.map_err(errors::from_bucket)?;
        let Some(entry) = found.and_then(Version::object) else {
            return condition.check(None).map(|()| Deleted::default());
        };
        condition.check(Some(&entry.etag()))?;
        match writer.delete(key, &entry).await {
            Err(BucketError::Filer(FilerError::PreconditionFailed)) => {}
            done => return done.map(|()| Deleted::default()).map_err(errors::from_bucket),
        }
    }
    Err(errors::conflict())
}

async fn mark_deleted(writer: &Writer<'_>, key: &ObjectKey, condition: &WriteCondition) -> Result<Deleted, S3Error> {
    if *condition != WriteCondition::Always {
        let current = writer.objects.current(key).await.map_err(errors::from_filer)?;
        condition.check(current.as_ref().map(Entry::etag).as_deref())?;
    }
    match writer.mark_deleted(key, &conditions(condition)).await {
        Ok(id) => Ok(Deleted { version_id: Some(id), is_delete_marker: true }),
        Err(FilerError::PreconditionFailed) => Err(errors::conflict()),
        Err(error) => Err(errors::from_filer(error)),
    }
}

async fn delete_version(
    writer: &Writer<'_>,
    key: &ObjectKey,
    id: &str,
    condition: &WriteCondition,
    bypasses_governance: bool,
) -> Result<Deleted, S3Error> {
    let deleted = |is_delete_marker| Deleted { version_id: Some(id.to_owned()), is_delete_marker };
    for _ in 0..ATTEMPTS {
        if *condition != WriteCondition::Always {
            let found = writer.objects.version(key, Some(id)).await.map_err(errors::from_bucket)?;
            condition.check(found.and_then(Version::object).as_ref().map(Entry::etag).as_deref())?;
        }
        match writer.remove_version(key, id, bypasses_governance).await {
            Ok(is_delete_marker) => return Ok(deleted(is_delete_marker)),
            Err(BucketError::Refused(Refusal::NoSuchVersion)) => return Ok(deleted(false)),
            Err(BucketError::Filer(FilerError::PreconditionFailed)) => {}
            Err(error) => return Err(errors::from_bucket(error)),
        }
    }
    // The filer compares retentions by its own clock, by which one may last that is over by the clock of this gateway.
    let found = writer.objects.version(key, Some(id)).await.map_err(errors::from_bucket)?;
    let is_locked = found.and_then(Version::object).is_some_and(|entry| Lock::of(&entry) != Lock::default());
    Err(if is_locked { errors::refused(Refusal::Protected) } else { errors::conflict() })
}
