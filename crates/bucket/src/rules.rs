//! What may be done with a bucket and its objects, from what is stored alone. What Kelpgate cannot do yet is refused here, once each.

use filer::{Condition, Entry, FilerError};
use ids::{BucketLife, Ownership, Stage, Versioning};

use crate::{attributes, object, version_id};

/// Why something is not done with an object or a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another program enabled object lock without versioning.
    #[error("Writing to a bucket with object lock whose versioning is not enabled")]
    LockWithoutVersions,
    /// The versions of another key would be in a directory of the same name.
    #[error(
        "SeaweedFS keeps the versions of `x` in the directory `x.versions`, so a bucket that keeps versions cannot hold a key that \
         ends in `.versions`: choose another key"
    )]
    NameOfVersions,
    /// Another program stored an unknown state of versioning.
    #[error("Writing to a bucket whose versioning is neither Enabled nor Suspended")]
    UnknownVersioning,
    /// The object is locked, so it is neither changed nor removed.
    #[error("Changing an object under object lock (retention or legal hold)")]
    Locked,
    /// What is stored is not what was sent.
    #[error("Reading an object under server-side encryption")]
    Encrypted,
    /// The version is under a retention or a legal hold. This is S3's own answer.
    #[error("Access Denied because object protected by object lock.")]
    Protected,
    /// The version that is named does not exist. This is S3's own answer.
    #[error("There is no such version")]
    NoSuchVersion,
}

/// Why an operation on a bucket's objects failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BucketError {
    /// It is not done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The filer could not do it.
    #[error(transparent)]
    Filer(#[from] FilerError),
}

/// Whether objects of the bucket may be written and removed.
pub fn may_write(versioning: Versioning, has_object_lock: bool) -> Result<(), Refusal> {
    match (has_object_lock, versioning) {
        (true, Versioning::Enabled) => Ok(()),
        (true, _) => Err(Refusal::LockWithoutVersions),
        (false, Versioning::Unknown) => Err(Refusal::UnknownVersioning),
        (false, _) => Ok(()),
    }
}

/// The owner id of a new object: the bucket's owner or, in buckets with ACLs, the account that uploads it. Anonymous uploads
/// belong to the bucket's owner, and so do objects that their uploader gives away.
///
/// Source: S3 User Guide, "Controlling ownership of objects".
pub fn owner_of_new_object<'o>(
    ownership: Ownership,
    bucket_owner: &'o str,
    uploader: Option<&'o str>,
    gives_to_bucket_owner: bool,
) -> &'o str {
    let keeps = match ownership {
        Ownership::BucketOwnerEnforced => false,
        Ownership::BucketOwnerPreferred => !gives_to_bucket_owner,
        Ownership::ObjectWriter => true,
    };
    uploader.filter(|_| keeps || bucket_owner.is_empty()).unwrap_or(bucket_owner)
}

/// Whether an object that is there may be overwritten or removed.
pub fn may_change(entry: &Entry) -> Result<(), Refusal> {
    if object::is_locked(entry) { Err(Refusal::Locked) } else { Ok(()) }
}

/// Whether the bytes of an object may be sent as they are stored.
pub fn may_read(entry: &Entry) -> Result<(), Refusal> {
    if object::is_encrypted(entry) { Err(Refusal::Encrypted) } else { Ok(()) }
}

/// Whether a version that a request names is the only one of a key without versions, `null`.
pub fn is_null(version_id: Option<&str>) -> Result<(), Refusal> {
    if version_id.is_none_or(|id| id == version_id::NULL) { Ok(()) } else { Err(Refusal::NoSuchVersion) }
}

/// Whether the conditions of a write hold for the current object of a key.
pub fn holds(conditions: &[Condition], current: Option<&Entry>) -> bool {
    conditions.iter().all(|condition| match (condition, current) {
        (Condition::NotExists, current) => current.is_none(),
        (Condition::Exists, current) => current.is_some(),
        (Condition::EtagMatches(_), None) => false,
        (Condition::EtagDiffers(_) | Condition::UnmodifiedSince(_) | Condition::ModifiedSince(_), None) => true,
        (Condition::EtagMatches(etags), Some(entry)) => is_one_of(entry, etags),
        (Condition::EtagDiffers(etags), Some(entry)) => !is_one_of(entry, etags),
        (Condition::UnmodifiedSince(since), Some(entry)) => entry.attributes().mtime <= *since,
        (Condition::ModifiedSince(since), Some(entry)) => entry.attributes().mtime > *since,
        // No request has such a condition.
        (Condition::AttributeIsNot { .. } | Condition::TimeHasCome { .. }, _) => false,
    })
}

fn is_one_of(entry: &Entry, etags: &[String]) -> bool {
    etags.iter().any(|etag| etag == "*" || *etag == entry.etag())
}

/// Whether a bucket may be deleted with the objects that are in it: they are neither versions nor locked.
pub fn may_delete_with_objects(versioning: Versioning, has_object_lock: bool) -> bool {
    !has_object_lock && !versioning.keeps_versions()
}

/// What a bucket's stored life means for a request that was decided for one of the buckets with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the same bucket, and no deletion has begun.
    Active,
    /// It is the same bucket, and its deletion is announced.
    Announced,
    /// The bucket is deleted. Another one may have its name by now.
    Gone,
}

/// Whether the bucket with this id still stands, as the life that is stored for its name says.
pub fn standing(stored: &BucketLife, id: &str) -> Standing {
    match &stored.stage {
        _ if &*stored.id != id => Standing::Gone,
        Stage::Active => Standing::Active,
        Stage::Announced(_) => Standing::Announced,
        Stage::Deleted { .. } => Standing::Gone,
    }
}

/// If a decision is older than this, in seconds, its gateway has died, and another one carries it out. It is longer than
/// any call to the filer.
const ABANDONED_S: i64 = 60;

/// Whether a decided deletion was abandoned, so that the next request that meets it completes it.
pub fn is_abandoned(stage: &Stage, now_s: i64) -> bool {
    matches!(stage, Stage::Deleted { since_s, .. } if now_s.saturating_sub(*since_s) >= ABANDONED_S)
}

/// Which entry is the current version of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurrentVersion<'p> {
    /// The one at the key's own path.
    Plain,
    /// A delete marker with this id: there is no object.
    DeleteMarker(&'p str),
    /// The file of this name in the directory of versions.
    File(&'p str),
}

/// What the directory of a key's versions says; `None` if there is no such directory.
///
/// A named file counts even if the directory also says that the version `null` is the current one, as on SeaweedFS: a
/// new version clears what was said before it.
pub fn current(versions: Option<&Entry>) -> CurrentVersion<'_> {
    let Some(versions) = versions.filter(|entry| entry.is_directory) else { return CurrentVersion::Plain };
    let Some(file) = versions.extended_text(attributes::LATEST_VERSION_FILE).filter(|file| !file.is_empty()) else {
        return CurrentVersion::Plain;
    };
    if versions.extended_text(attributes::LATEST_IS_DELETE_MARKER) != Some("true") {
        return CurrentVersion::File(file);
    }
    let id = versions.extended_text(attributes::LATEST_VERSION_ID).or_else(|| version_id::of_file(file));
    CurrentVersion::DeleteMarker(id.unwrap_or(version_id::NULL))
}

/// Whether the version `null` is the current one, as the object at the key's own path or as a delete marker.
pub fn null_is_current(versions: Option<&Entry>) -> bool {
    matches!(current(versions), CurrentVersion::Plain | CurrentVersion::DeleteMarker(version_id::NULL))
}

/// Whether the version `null` is newer than a version with an id. Objects that other programs wrote may have no
/// nanoseconds.
pub fn null_is_newer(null: &Entry, id: &str) -> bool {
    version_id::time_ns(id).is_none_or(|made_ns| written_ns(null) > made_ns)
}

/// When an entry was written, in ns since 1970.
pub(crate) fn written_ns(entry: &Entry) -> i64 {
    let (seconds, nanoseconds) = (entry.attributes().mtime, entry.attributes().mtime_ns);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds.into())
}
