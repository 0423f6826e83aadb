//! Making an entry the object of its key, and knowing afterwards what became of it.

use filer::{Condition, Entry, FileChunk, Filer, FilerError, Mutation, Transaction, WriteTarget};
use ids::ObjectKey;

use crate::description::tag_attributes;
use crate::rules::{self, BucketError};
use crate::settings::{self, AttributePatch};
use crate::version_writes::WriteExtras;
use crate::writer::{SeenVersions, Writer};
use crate::{attributes, object};

/// Go's `os.ModeDir`, and permission to enter for everyone.
const DIRECTORY_BITS: u32 = 0o20_000_000_111;

impl Writer<'_> {
    /// Where the data of an object goes. `expected_bytes`: the size, if it is known.
    pub fn target(&self, key: &ObjectKey, mime: Option<&str>, expected_bytes: Option<u64>) -> WriteTarget {
        let directory = &self.objects.directory;
        let (path, collection) = (directory.path_of(key), directory.collection());
        WriteTarget { path, collection, mime: mime.unwrap_or_default().to_owned(), expected_bytes }
    }

    /// Fails with `ExistingIsFile` if the marker `a/` would replace the object `a`, because one entry represents both.
    pub async fn require_no_file_at(&self, key: &ObjectKey) -> Result<(), FilerError> {
        if self.objects.directory.configuration.files_beside_directories {
            return Ok(());
        }
        let path = self.objects.path(key);
        match self.filer().lookup(&path).await? {
            Some(entry) if !entry.is_directory || object::is_prefix_object(&entry) => {
                Err(FilerError::ExistingIsFile(path))
            }
            _ => Ok(()),
        }
    }

    /// Makes an entry the object of its key if the conditions hold for what is there, and frees its data if that is
    /// refused. The filer frees what it replaces. Returns the id of the version, if the bucket keeps versions.
    pub async fn put(
        &self,
        key: &ObjectKey,
        entry: Entry,
        conditions: Vec<Condition>,
    ) -> Result<Option<String>, FilerError> {
        self.put_seen(key, entry, conditions, SeenVersions::NotLooked).await
    }

    /// The same after [`see_versions`](Writer::see_versions), which is not done again.
    pub async fn put_seen(
        &self,
        key: &ObjectKey,
        entry: Entry,
        conditions: Vec<Condition>,
        seen: SeenVersions,
    ) -> Result<Option<String>, FilerError> {
        let chunks = entry.chunks.clone();
        let done = if self.objects.keeps_versions_of(key) {
            let extras = WriteExtras { seen, ..WriteExtras::default() };
            self.put_version(key, entry, &conditions, extras).await.map(Some)
        } else {
            let put = Transaction { conditions, ..self.putting(key, entry) };
            self.transact_put(put).await.map(|()| None)
        };
        if let Err(error) = &done {
            self.free_if_not_stored(error, chunks).await;
        }
        done
    }

    /// Puts another entry in the place of the one that was seen; both have the same data. Fails with
    /// `PreconditionFailed` if the object is no longer the same, or has no [ETag of its own](object::has_own_etag).
    pub async fn replace(&self, key: &ObjectKey, seen: &Entry, entry: Entry) -> Result<(), BucketError> {
        rules::may_change(seen)?;
        let same = object::still(seen).ok_or(FilerError::PreconditionFailed)?;
        let replace = Transaction { conditions: vec![same], ..self.putting(key, entry) };
        Ok(self.transact(&self.objects.path(key), replace).await?)
    }

    /// Replaces the tags of an object that was seen. Fails with `PreconditionFailed` if it is no longer the same.
    pub async fn set_tags<'t>(
        &self,
        key: &ObjectKey,
        seen: &Entry,
        tags: impl Iterator<Item = (&'t str, &'t str)>,
    ) -> Result<(), FilerError> {
        let set = tag_attributes(tags);
        let is_old = |name: &&String| name.starts_with(attributes::TAG_PREFIX) && !set.contains_key(*name);
        let remove = seen.extended.keys().filter(is_old).cloned().collect();
        self.patch_object(key, seen, AttributePatch { set, remove }).await
    }

    /// Replaces the ACL of an object with its stored form. Fails with `PreconditionFailed` if the object is no longer the
    /// one that was seen.
    pub async fn set_acl(&self, key: &ObjectKey, seen: &Entry, acl: String) -> Result<(), FilerError> {
        self.patch_object(key, seen, settings::acl_patch(acl)).await
    }

    async fn patch_object(
        &self,
        key: &ObjectKey,
        seen: &Entry,
        AttributePatch { set, remove }: AttributePatch,
    ) -> Result<(), FilerError> {
        let Step { path, directory, name, condition_key } = self.step_of_entry(key, seen);
        let patch = Transaction {
            lock_key: self.objects.path(key),
            conditions: vec![object::still(seen).unwrap_or(Condition::Exists)],
            condition_key,
            mutations: vec![Mutation::Patch { directory, name, set, remove, content: None }],
            ..Transaction::default()
        };
        self.transact(&path, patch).await
    }

    /// Runs a transaction whose first step puts a file at its lock key, below the bucket.
    pub(crate) async fn transact_put(&self, transaction: Transaction) -> Result<(), FilerError> {
        let path = transaction.lock_key.clone();
        self.before_write().await?;
        let transaction = self.requiring_bucket(transaction);
        if self.objects.directory.configuration.files_beside_directories {
            self.filer().transact(transaction).await?;
        } else {
            put_beside_children(self.filer(), transaction).await?;
        }
        self.after_write(&path).await
    }

    /// Frees the chunks of a failed transaction, unless it may have been carried out all the same.
    pub(crate) async fn free_if_not_stored(&self, error: &FilerError, chunks: Vec<FileChunk>) {
        if stored_nothing(error) {
            self.filer().delete_chunks(chunks).await;
        } else if !chunks.is_empty() {
            tracing::warn!(%error, chunks = chunks.len(), "data of a failed write is kept, because the write may have been carried out");
        }
    }

    /// A transaction that puts an entry at a key.
    pub(crate) fn putting(&self, key: &ObjectKey, entry: Entry) -> Transaction {
        let lock_key = self.objects.path(key);
        let directory = object::split_path(&lock_key).0.to_owned();
        let mutations = vec![Mutation::Put { directory, entry: Box::new(entry) }];
        Transaction { lock_key, mutations, ..Transaction::default() }
    }

    /// How a step that changes an entry of a key, which may be a version's file, names it.
    pub(crate) fn step_of_entry(&self, key: &ObjectKey, entry: &Entry) -> Step {
        let path = self.objects.path_of_entry(key, entry);
        if path == self.objects.path(key) {
            return self.step(key);
        }
        let (directory, name) = object::split_path(&path);
        let (directory, name) = (directory.to_owned(), name.to_owned());
        Step { directory, name, condition_key: Some(path.clone()), path }
    }

    /// How a step that changes or removes the entry of a key names it.
    pub(crate) fn step(&self, key: &ObjectKey) -> Step {
        let path = self.objects.path(key);
        let (directory, name) = object::split_path(&path);
        let slash = key.is_directory_marker() && self.objects.directory.configuration.files_beside_directories;
        let name = if slash { format!("{name}/") } else { name.to_owned() };
        Step { directory: directory.to_owned(), name, condition_key: slash.then(|| format!("{path}/")), path }
    }
}

/// How a step names an entry. If files and directories can have the same name, a slash says which of the two is meant.
pub(crate) struct Step {
    pub(crate) path: String,
    pub(crate) directory: String,
    pub(crate) name: String,
    /// The path for conditions about it, if it is not `path`.
    pub(crate) condition_key: Option<String>,
}

/// Runs a transaction whose first step puts a file at its lock key, on a filer where one entry stands for `a` and for the directory
/// of `a/b`. The directory becomes the object as well, as in SeaweedFS 4.48. A marker `a/` is not replaced this way.
pub async fn put_beside_children(filer: &dyn Filer, transaction: Transaction) -> Result<(), FilerError> {
    let is_absent = transaction.conditions.contains(&Condition::NotExists);
    let refused = match filer.transact(transaction.clone()).await {
        Err(error @ FilerError::ExistingIsDirectory(_)) => error,
        Err(error @ FilerError::PreconditionFailed) if is_absent => error,
        done => return done,
    };
    let existing = filer.lookup(&transaction.lock_key).await?;
    if !existing.is_some_and(|entry| may_become_object(&entry, is_absent)) {
        return Err(refused);
    }
    filer.transact(beside_children(transaction)).await
}

/// Whether the object `a` may be put into an entry that is there. `is_absent`: only if there is no such object yet.
fn may_become_object(entry: &Entry, is_absent: bool) -> bool {
    let is_taken = is_absent && object::is_prefix_object(entry);
    // The bucket may keep versions since the write was decided, and then this directory holds those of another key.
    let holds_versions = object::key_of_versions(entry).is_some();
    entry.is_directory && !object::is_directory_marker(entry) && !is_taken && !holds_versions
}

/// The same transaction with an entry that is both a directory and the object.
fn beside_children(mut transaction: Transaction) -> Transaction {
    for condition in &mut transaction.conditions {
        if *condition == Condition::NotExists {
            *condition = Condition::EtagMatches(vec![object::PLAIN_DIRECTORY_ETAG.to_owned()]);
        }
    }
    if let Some(Mutation::Put { entry, .. }) = transaction.mutations.first_mut() {
        entry.is_directory = true;
        entry.extended.insert(attributes::PREFIX_OBJECT.to_owned(), b"true".to_vec());
        entry.attributes.get_or_insert_default().file_mode |= DIRECTORY_BITS;
    }
    transaction
}

/// Whether a failed transaction certainly stored nothing. Only then may its chunks be freed: after a timeout the entry
/// may exist and name them.
pub fn stored_nothing(error: &FilerError) -> bool {
    matches!(
        error,
        FilerError::PreconditionFailed
            | FilerError::ParentIsFile(_)
            | FilerError::ExistingIsDirectory(_)
            | FilerError::ExistingIsFile(_)
            | FilerError::NotEmpty(_)
            | FilerError::Missing(_)
            | FilerError::NameTooLong(_)
            | FilerError::NameNotHeld(_)
            | FilerError::Full(_)
            | FilerError::ReadOnly(_)
            | FilerError::Busy(_)
    )
}

#[cfg(test)]
mod tests {
    use filer::Attributes;

    use super::*;

    fn entry(is_directory: bool, mime: &str, is_prefix_object: bool) -> Entry {
        let prefix = is_prefix_object.then(|| (attributes::PREFIX_OBJECT.to_owned(), b"true".to_vec()));
        let attributes = Some(Attributes { mime: mime.to_owned(), ..Attributes::default() });
        Entry { is_directory, attributes, extended: prefix.into_iter().collect(), ..Entry::default() }
    }

    #[test]
    fn what_an_object_may_be_put_into() {
        let versions = Entry { name: "k.versions".to_owned(), ..entry(true, "", false) };
        for (what, entry, at_all, if_absent) in [
            ("the versions of another key", versions, false, false),
            ("a file", entry(false, "", false), false, false),
            ("a directory", entry(true, "", false), true, true),
            ("a marker `a/`", entry(true, "httpd/unix-directory", false), false, false),
            ("the object `a` over `a/b`", entry(true, "text/plain", true), true, false),
        ] {
            assert_eq!(may_become_object(&entry, false), at_all, "{what}");
            assert_eq!(may_become_object(&entry, true), if_absent, "{what}, if absent");
        }
    }

    #[test]
    fn an_entry_without_an_etag_of_its_own_has_no_condition() {
        assert_eq!(object::still(&Entry::default()), None);
        let md5 = Some(Attributes { md5: vec![1; 16], ..Attributes::default() });
        let with_md5 = Entry { attributes: md5, ..Entry::default() };
        assert_eq!(object::still(&with_md5), Some(Condition::EtagMatches(vec!["01".repeat(16)])));
        let stored = [(attributes::ETAG.to_owned(), b"x-2".to_vec())].into();
        let with_etag = Entry { extended: stored, ..with_md5 };
        assert_eq!(object::still(&with_etag), Some(Condition::EtagMatches(vec!["x-2".to_owned()])));
    }

    #[test]
    fn data_is_given_back_only_if_nothing_names_it() {
        for (error, nothing) in [
            (FilerError::PreconditionFailed, true),
            (FilerError::Missing(String::new()), true),
            (FilerError::Busy(String::new()), true),
            (FilerError::Unavailable(String::new()), false),
            (FilerError::Other(String::new()), false),
        ] {
            assert_eq!(stored_nothing(&error), nothing, "{error:?}");
        }
    }
}
