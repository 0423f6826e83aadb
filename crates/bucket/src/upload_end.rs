//! How an upload ends: it becomes an object, or it is aborted.

use filer::{Condition, Entry, FilerError, Mutation, Transaction};
use ids::ObjectKey;

use crate::object;
use crate::objects::Objects;
use crate::uploads::MultipartUpload;
use crate::version_writes::{Guard, WriteExtras};
use crate::writer::Writer;

impl Objects<'_> {
    /// Removes an upload and frees its parts. False if the upload is gone, or has made its object by now.
    pub async fn abort(&self, key: &ObjectKey, upload: &MultipartUpload) -> Result<bool, FilerError> {
        // An interrupted completion has made the object and left the directory: the parts' data now belongs to the
        // object.
        let is_completed = self.has_made(key, upload.id()).await?;
        let transaction = Transaction {
            lock_key: self.path(key),
            conditions: vec![Condition::Exists],
            condition_key: Some(upload.path().to_owned()),
            mutations: vec![upload.removal(!is_completed)],
            ..Transaction::default()
        };
        match self.filer().transact(transaction).await {
            Ok(()) => Ok(!is_completed),
            Err(FilerError::PreconditionFailed) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl MultipartUpload {
    /// The step that removes its directory.
    pub(crate) fn removal(&self, delete_data: bool) -> Mutation {
        let (directory, name) = object::split_path(self.path());
        Mutation::Delete { directory: directory.to_owned(), name: name.to_owned(), delete_data, recursive: true }
    }
}

impl Writer<'_> {
    /// Makes the object of an upload and removes the upload. It is one transaction: it puts the object first, then
    /// removes the upload's directory without the data, which now belongs to the object.
    ///
    /// Returns the id of the version, if the bucket keeps versions.
    ///
    /// Fails with `PreconditionFailed` if the conditions do not hold for the existing object. Without conditions, it fails
    /// so if the upload no longer exists, and in either case if the bucket's rules are no longer those for which it was decided.
    pub async fn complete(
        &self,
        key: &ObjectKey,
        upload: &MultipartUpload,
        entry: Entry,
        conditions: Vec<Condition>,
    ) -> Result<Option<String>, FilerError> {
        let exists = Guard { conditions: vec![Condition::Exists], condition_key: Some(upload.path().to_owned()) };
        if self.objects.keeps_versions_of(key) {
            let extras = WriteExtras { guard: exists, steps: vec![upload.removal(false)], ..WriteExtras::default() };
            return self.put_version(key, entry, &conditions, extras).await.map(Some);
        }
        let mut transaction = self.putting(key, entry);
        transaction.mutations.push(upload.removal(false));
        transaction.conditions = conditions;
        if transaction.conditions.is_empty() {
            (transaction.conditions, transaction.condition_key) = (exists.conditions, exists.condition_key);
        }
        self.transact_put(transaction).await.map(|()| None)
    }
}
