//! Completed uploads that are still listed: a filer that dies while it completes an upload leaves the object and the
//! upload's directory.
//!
//! SeaweedFS carries out the two steps of a completion one after the other. The parts' data belongs to the object by then, so the
//! directory goes without it.

use filer::{Condition, Entry, Filer, FilerError, ListOptions, Transaction};
use ids::ObjectKey;

use crate::directory::BucketDirectory;
use crate::objects::Objects;
use crate::settings;
use crate::uploads::MultipartUpload;

/// The most buckets requested at once.
const PAGE: usize = 1000;

/// A completed upload that is still listed.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletedUpload {
    /// The bucket's name.
    pub bucket: String,
    /// The key of the object.
    pub key: ObjectKey,
    upload: MultipartUpload,
}

/// The completed uploads of all buckets that are still listed. Looks up one object for each unfinished upload.
pub async fn completed_uploads(filer: &dyn Filer) -> Result<Vec<CompletedUpload>, FilerError> {
    let configuration = filer.configuration().await?;
    let mut found = Vec::new();
    let mut start_from = String::new();
    loop {
        let options = ListOptions { start_from, limit: PAGE, omit_chunks: true, ..ListOptions::default() };
        let buckets = filer.list(&configuration.buckets_root, options).await?;
        for bucket in buckets.iter().filter(|entry| entry.is_directory) {
            let directory = BucketDirectory::new(filer, &configuration, &bucket.name);
            found.extend(of_bucket(directory, bucket).await?);
        }
        match buckets.last() {
            Some(last) if buckets.len() >= PAGE => start_from = last.name.clone(),
            _ => return Ok(found),
        }
    }
}

async fn of_bucket(directory: BucketDirectory<'_>, bucket: &Entry) -> Result<Vec<CompletedUpload>, FilerError> {
    let objects = Objects { directory, versioning: settings::versioning(bucket) };
    let mut found = Vec::new();
    for upload in objects.all_uploads().await? {
        let Ok(key) = upload.key().parse::<ObjectKey>() else { continue };
        if objects.has_made(&key, upload.id()).await? {
            found.push(CompletedUpload { bucket: bucket.name.clone(), key, upload });
        }
    }
    Ok(found)
}

impl CompletedUpload {
    /// Removes the upload's directory and leaves the data, which belongs to the object.
    pub async fn remove(&self, filer: &dyn Filer) -> Result<(), FilerError> {
        let configuration = filer.configuration().await?;
        let transaction = Transaction {
            lock_key: BucketDirectory::new(filer, &configuration, &self.bucket).path_of(&self.key),
            conditions: vec![Condition::Exists],
            condition_key: Some(self.upload.path().to_owned()),
            mutations: vec![self.upload.removal(false)],
            ..Transaction::default()
        };
        match filer.transact(transaction).await {
            // Someone else was faster.
            Err(FilerError::PreconditionFailed) => Ok(()),
            done => done,
        }
    }
}
