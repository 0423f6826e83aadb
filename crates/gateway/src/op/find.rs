//! Finding the entry behind a key.

use filer::{Entry, Filer, FilerError};
use s3::{S3Error, S3ErrorCode};

use crate::errors;
use crate::object::{self, attribute};

/// The object at a path of the filer, or `None`. `key` tells a directory marker (`photos/`) from a file.
///
/// In a bucket with versions the current one is found through the pointer that SeaweedFS keeps on `<key>.versions`.
pub async fn object_at(filer: &dyn Filer, path: &str, key: &str) -> Result<Option<Entry>, FilerError> {
    if key.ends_with('/') {
        let entry = filer.lookup(&format!("{path}/")).await?;
        return Ok(entry.filter(object::is_directory_marker));
    }
    if let Some(entry) = filer.lookup(path).await? {
        return Ok((!entry.is_directory || object::is_prefix_object(&entry)).then_some(entry));
    }
    Ok(None)
}

/// The current version of a key in a bucket with versioning: the plain entry if it is the current one, else the file that
/// the pointer names.
pub async fn current_version(filer: &dyn Filer, path: &str, key: &str) -> Result<Option<Entry>, FilerError> {
    let directory = format!("{path}{}", object::VERSIONS_SUFFIX);
    let pointer = if key.ends_with('/') { None } else { filer.lookup(&format!("{directory}/")).await? };
    let Some(pointer) = pointer.filter(|entry| entry.is_directory) else {
        return object_at(filer, path, key).await;
    };
    if pointer.extended_text(attribute::NULL_IS_LATEST) == Some("true") {
        return object_at(filer, path, key).await;
    }
    match pointer.extended_text(attribute::LATEST_VERSION_FILE) {
        None => object_at(filer, path, key).await,
        Some(_) if pointer.extended_text(attribute::LATEST_IS_DELETE_MARKER) == Some("true") => Ok(None),
        Some(file) => filer.lookup(&format!("{directory}/{file}")).await,
    }
}

/// `NoSuchKey` about a key.
pub fn no_such_key(key: &ids::ObjectKey) -> S3Error {
    S3Error::new(S3ErrorCode::NoSuchKey).field("Key", key.as_str())
}

impl super::Call<'_> {
    /// The object that a request names, or `NoSuchKey`. Versions are refused until they are supported.
    pub async fn current_object(&self, target: &s3::Target) -> Result<Entry, S3Error> {
        super::answer::refuse_version(target.version_id.as_ref(), self.existing_bucket()?.keeps_versions())?;
        self.object(&target.bucket, &target.key).await
    }

    /// The object that a key names, or `NoSuchKey`.
    pub async fn object(&self, bucket: &ids::BucketName, key: &ids::ObjectKey) -> Result<Entry, S3Error> {
        self.object_if_any(bucket, key).await?.ok_or_else(|| no_such_key(key))
    }

    /// The object that a key names, if there is one.
    pub async fn object_if_any(
        &self,
        bucket: &ids::BucketName,
        key: &ids::ObjectKey,
    ) -> Result<Option<Entry>, S3Error> {
        let path = self.object_path(bucket, key);
        let versions = self.snapshot.bucket(bucket.as_str()).is_some_and(|bucket| bucket.keeps_versions());
        let found = if versions {
            current_version(self.filer(), &path, key.as_str()).await
        } else {
            object_at(self.filer(), &path, key.as_str()).await
        };
        found.map_err(errors::from_filer)
    }
}
