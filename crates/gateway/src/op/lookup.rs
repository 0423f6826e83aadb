//! Finds the entry of a key.

use bucket::objects::Objects;
use bucket::versions::Version;
use bucket::writer::{ObjectLock, Writer};
use filer::Entry;
use http::HeaderMap;
use ids::{BucketName, ObjectKey};
use s3::{S3Error, S3ErrorCode, Target};

use super::answer;
use super::decided_objects::Found;
use crate::errors;

/// `NoSuchKey` for a key.
pub fn no_such_key(key: &ids::ObjectKey) -> S3Error {
    S3Error::new(S3ErrorCode::NoSuchKey).field("Key", key.as_str())
}

/// The error for a delete marker: `NoSuchKey` if it is the current version, `MethodNotAllowed` if the request names it.
/// Source: S3 User Guide, "Working with delete markers".
pub fn deleted(target: &Target, marker: String) -> S3Error {
    let error = match &target.version_id {
        None => no_such_key(&target.key),
        Some(_) => S3Error::new(S3ErrorCode::MethodNotAllowed).header("allow", "DELETE"),
    };
    error.header("x-amz-delete-marker", "true").header("x-amz-version-id", marker)
}

/// The object that a request reads, if that is what was found.
pub fn readable(found: Option<Version>, target: &Target) -> Result<Entry, S3Error> {
    match found {
        Some(Version::Object(entry)) => Ok(*entry),
        Some(Version::DeleteMarker(marker)) => Err(deleted(target, marker)),
        None => Err(no_such_key(&target.key)),
    }
}

impl super::Call<'_> {
    async fn version_at(&self, target: &Target) -> Found {
        let version_id = target.version_id.as_ref().map(s3::VersionId::as_str);
        self.objects(&target.bucket).version(&target.key, version_id).await
    }

    /// The object, or the version of it, for a decision and for what follows from it.
    pub async fn look_at(&self, target: &Target) -> Found {
        if let Some(found) = self.decided_objects.get(target) {
            return found;
        }
        let found = self.version_at(target).await;
        self.decided_objects.add(target, &found);
        found
    }

    /// The objects of a bucket.
    pub fn objects(&self, bucket: &BucketName) -> Objects<'_> {
        let known = self.snapshot.bucket(bucket.as_str());
        let versioning = known.map(|bucket| bucket.versioning).unwrap_or_default();
        Objects { directory: self.directory(bucket), versioning }
    }

    /// The object that a request names: the one that the decision was based on, if it was based on one.
    /// Fails with `NoSuchBucket` or `NoSuchKey` if the bucket or the object does not exist.
    pub async fn object_at(&self, target: &Target) -> Result<Entry, S3Error> {
        self.existing_bucket()?;
        let found = match self.decided_objects.use_once(target)? {
            Some(found) => found,
            None => self.version_at(target).await,
        };
        readable(found.map_err(errors::from_bucket)?, target)
    }

    /// Says which version an answer is about, if the bucket keeps versions.
    pub fn set_version_id(&self, headers: &mut HeaderMap, target: &Target, entry: &Entry) {
        if self.objects(&target.bucket).keeps_versions_of(&target.key) {
            let id = bucket::object::version_id(entry).unwrap_or(bucket::version_id::NULL);
            answer::set_named(headers, "x-amz-version-id", id);
        }
    }

    /// The current object of a key, if there is one.
    pub async fn object_if_any(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Option<Entry>, S3Error> {
        self.objects(bucket).current(key).await.map_err(errors::from_filer)
    }

    /// Writes objects of the bucket that the operation names, if that is possible there.
    pub fn writer(&self) -> Result<Writer<'_>, S3Error> {
        let bucket = self.existing_bucket()?;
        let objects = Objects { directory: self.gateway.directory(&bucket.name), versioning: bucket.versioning };
        let is_known_active = Box::new(move || self.gateway.is_known_active(bucket));
        let check_rules = Box::new(move || self.gateway.check_rules(bucket));
        let life_id = bucket.life.id.clone();
        let lock = bucket.object_lock.then_some(ObjectLock { default: bucket.default_retention });
        let writer = Writer::new(objects, lock, life_id, self.stamp(bucket), is_known_active);
        Ok(writer.map_err(errors::refused)?.while_rules_hold(check_rules))
    }
}
