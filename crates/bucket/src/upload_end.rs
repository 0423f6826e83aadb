//! How an upload ends: it becomes an object, or it is aborted. If both are asked for at the same moment, one of them wins, and no
//! object loses its data.
//!
//! Every step runs under the lock of the key. A completion without conditions is one transaction, and requires that the upload is
//! open. On SeaweedFS a transaction has conditions on one entry only, and those of a conditional completion are about the object. So
//! it first reserves the upload, in a transaction of its own. An abort first marks the upload, which fails while it is reserved. From
//! then on no completion can begin. Only now the abort looks at what earlier ones have done, and removes the upload. A reservation
//! that was not withdrawn says that its completion may still come, however late: the data then stays.
//!
//! A completion frees what the object does not use in the same transaction, because parts may arrive until then: it takes away the
//! files of the object's parts, and then the upload with everything that is left in it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use filer::{Condition, Entry, FilerError, Mutation, Transaction};
use ids::ObjectKey;
use tokio::time::{Instant, timeout_at};

use crate::completion::ObjectOfParts;
use crate::objects::Objects;
use crate::put::stored_nothing;
use crate::uploads::MultipartUpload;
use crate::version_writes::{Guard, WriteExtras};
use crate::writer::Writer;
use crate::{attributes, object};

/// How long a conditional completion has an upload for itself: until then it is done, or given up. That an abort frees no data of
/// an object does not depend on it.
const RESERVED_FOR: Duration = Duration::from_secs(30);

/// What became of an abort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbortOutcome {
    /// The upload was removed.
    Aborted,
    /// It does not exist, or it has made its object.
    NoSuchUpload,
    /// A conditional completion is in progress. The upload stays as it is.
    BeingCompleted,
}

/// No conditional completion has it for itself.
fn is_not_reserved() -> Condition {
    Condition::TimeHasCome { name: attributes::RESERVED_UNTIL.to_owned(), only_if: None }
}

/// The conditions under which an upload is completed.
fn is_open() -> Vec<Condition> {
    vec![Condition::Exists, MultipartUpload::is_not_aborted(), is_not_reserved()]
}

impl MultipartUpload {
    /// The step that removes its directory.
    pub(crate) fn removal(&self, delete_data: bool) -> Mutation {
        let (directory, name) = object::split_path(self.path());
        Mutation::Delete { directory: directory.to_owned(), name: name.to_owned(), delete_data, recursive: true }
    }

    /// Whether a conditional completion may still make the object, if the upload was seen like this.
    fn may_be_made(entry: &Entry) -> bool {
        entry.extended.keys().any(|name| name.starts_with(attributes::RESERVATION_PREFIX))
    }

    /// The steps that remove it once its object names the data of these files. Everything else in it is freed: replaced files,
    /// parts that were not listed, and those that arrived since the parts were read. If another completion may still come, it
    /// may use other files: then nothing is freed.
    fn removal_without(&self, files: &[String]) -> Vec<Mutation> {
        if Self::may_be_made(&self.entry) {
            return vec![self.removal(false)];
        }
        let directory = || self.path().to_owned();
        let taken = |name: &String| Mutation::Delete {
            directory: directory(),
            name: name.clone(),
            delete_data: false,
            recursive: false,
        };
        files.iter().map(taken).chain([self.removal(true)]).collect()
    }

    /// The step that changes attributes of its directory.
    fn patch(&self, set: BTreeMap<String, Vec<u8>>, remove: Vec<String>) -> Mutation {
        let (directory, name) = object::split_path(self.path());
        Mutation::Patch { directory: directory.to_owned(), name: name.to_owned(), set, remove, content: None }
    }
}

impl Objects<'_> {
    /// Removes an upload and frees its parts, unless it has made its object or may still make it.
    pub async fn abort(&self, key: &ObjectKey, upload: &MultipartUpload) -> Result<AbortOutcome, FilerError> {
        let mark = upload.patch([(attributes::ABORTED.to_owned(), b"true".to_vec())].into(), Vec::new());
        let marked = self.end_step(key, upload, vec![Condition::Exists, is_not_reserved()], mark).await;
        let found = match marked {
            Ok(()) | Err(FilerError::PreconditionFailed) => self.filer().lookup(&format!("{}/", upload.path())).await?,
            Err(error) => return Err(error),
        };
        match found {
            None => Ok(AbortOutcome::NoSuchUpload),
            Some(_) if marked.is_err() => Ok(AbortOutcome::BeingCompleted),
            Some(found) => self.remove_aborted(key, upload, &found).await,
        }
    }

    async fn remove_aborted(
        &self,
        key: &ObjectKey,
        upload: &MultipartUpload,
        marked: &Entry,
    ) -> Result<AbortOutcome, FilerError> {
        // An interrupted completion has made the object and left the directory: the parts' data now belongs to the
        // object.
        let has_made = self.has_made(key, upload.id()).await?;
        let may_make = MultipartUpload::may_be_made(marked);
        if may_make && !has_made {
            let path = upload.path();
            tracing::warn!(
                path,
                "data of an aborted upload is kept, because an interrupted completion may still use it"
            );
        }
        let removal = upload.removal(!has_made && !may_make);
        match self.end_step(key, upload, vec![Condition::Exists], removal).await {
            Ok(()) if !has_made => Ok(AbortOutcome::Aborted),
            Ok(()) | Err(FilerError::PreconditionFailed) => Ok(AbortOutcome::NoSuchUpload),
            Err(error) => Err(error),
        }
    }

    /// A step towards the end of an upload, under conditions on the upload.
    async fn end_step(
        &self,
        key: &ObjectKey,
        upload: &MultipartUpload,
        conditions: Vec<Condition>,
        step: Mutation,
    ) -> Result<(), FilerError> {
        let transaction = Transaction {
            lock_key: self.path(key),
            conditions,
            condition_key: Some(upload.path().to_owned()),
            mutations: vec![step],
            ..Transaction::default()
        };
        self.filer().transact(transaction).await
    }
}

impl Writer<'_> {
    /// Makes the object of an upload and removes the upload. It is one transaction: it puts the object first, then
    /// removes the files of its parts without the data, which now belongs to the object, and then the upload's directory.
    ///
    /// Returns the id of the version, if the bucket keeps versions.
    ///
    /// Fails with `PreconditionFailed` if the conditions do not hold for the existing object, if the upload no longer exists or was
    /// aborted, if another conditional completion is in progress, and if the bucket's rules are no longer those for which it was
    /// decided.
    pub async fn complete(
        &self,
        key: &ObjectKey,
        upload: &MultipartUpload,
        object: ObjectOfParts,
        conditions: Vec<Condition>,
    ) -> Result<Option<String>, FilerError> {
        if conditions.is_empty() {
            return self.put_whole(key, upload, object, conditions).await;
        }
        let deadline = Instant::now() + RESERVED_FOR;
        let reservation = format!("{}{:032x}", attributes::RESERVATION_PREFIX, rand::random::<u128>());
        let set = [(attributes::RESERVED_UNTIL.to_owned(), reserved_until()), (reservation.clone(), b"true".to_vec())];
        self.objects.end_step(key, upload, is_open(), upload.patch(set.into(), Vec::new())).await?;
        let late = |_| Err(FilerError::Unavailable("the upload was not completed in time".to_owned()));
        let done = timeout_at(deadline, self.put_whole(key, upload, object, conditions)).await.unwrap_or_else(late);
        if done.as_ref().is_err_and(stored_nothing) {
            self.withdraw(key, upload, reservation).await;
        }
        done
    }

    /// Takes a reservation back whose completion has failed and cannot come any more.
    async fn withdraw(&self, key: &ObjectKey, upload: &MultipartUpload, reservation: String) {
        let remove = vec![attributes::RESERVED_UNTIL.to_owned(), reservation];
        let step = upload.patch(BTreeMap::new(), remove);
        if let Err(error) = self.objects.end_step(key, upload, vec![Condition::Exists], step).await {
            tracing::warn!(%error, path = upload.path(), "an upload stays reserved for some seconds by a completion that failed");
        }
    }

    async fn put_whole(
        &self,
        key: &ObjectKey,
        upload: &MultipartUpload,
        ObjectOfParts { entry, files }: ObjectOfParts,
        conditions: Vec<Condition>,
    ) -> Result<Option<String>, FilerError> {
        let removal = upload.removal_without(&files);
        let open = Guard { conditions: is_open(), condition_key: Some(upload.path().to_owned()) };
        if self.objects.keeps_versions_of(key) {
            let extras = WriteExtras { guard: open, steps: removal, ..WriteExtras::default() };
            return self.put_version(key, entry, &conditions, extras).await.map(Some);
        }
        let mut transaction = self.putting(key, entry);
        transaction.mutations.extend(removal);
        transaction.conditions = conditions;
        if transaction.conditions.is_empty() {
            (transaction.conditions, transaction.condition_key) = (open.conditions, open.condition_key);
        }
        self.transact_put(transaction).await.map(|()| None)
    }
}

/// When a reservation that is made now ends, in seconds since 1970.
fn reserved_until() -> Vec<u8> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (since + RESERVED_FOR).as_secs().to_string().into_bytes()
}
