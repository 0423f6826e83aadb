//! Writes that make and remove versions.
//!
//! All steps of a write are one transaction under the lock of the key's own path, as those of SeaweedFS's gateway are.
//! A version's file is added or removed, and the filer notes on the directory which version is the current one. It does
//! this under the lock, so writers at the same time need not wait for each other: whatever their order, the newest
//! version is noted. Only what depends on the current version compares its mark and starts again if that has changed.

use std::collections::BTreeMap;

use filer::{Condition, Entry, FilerError, Mutation, Note, Transaction};
use ids::{ObjectKey, Versioning};

use crate::locks::{self, Lock};
use crate::object::still;
use crate::rules::{self, BucketError, CurrentVersion};
use crate::version_id::{self, NULL};
use crate::versions::same_current;
use crate::writer::{SeenVersions, Writer};
use crate::{attributes, object};

/// How often a write that depends on the current version starts again.
const ATTEMPTS: usize = 16;

/// Conditions of a transaction, and the path that they are about if it is not the locked one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Guard {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) condition_key: Option<String>,
}

/// What else a write does.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteExtras {
    /// The transaction's guard, if the write does not depend on the current version.
    pub(crate) guard: Guard,
    /// Steps that follow.
    pub(crate) steps: Vec<Mutation>,
    /// What was seen before the write began.
    pub(crate) seen: SeenVersions,
}

impl Writer<'_> {
    /// Looks at what [`put_seen`](Writer::put_seen) has to know about the versions of a key. Call this no earlier than the body of
    /// the object has arrived: a version that others make after this may be newer.
    pub async fn see_versions(&self, key: &ObjectKey) -> SeenVersions {
        if !self.objects.keeps_versions_of(key) {
            return SeenVersions::NotLooked;
        }
        // What fails now is tried again when the object is put, and that has its error.
        match self.objects.versions_directory_to_write(key).await {
            Ok(directory) => SeenVersions::Directory(directory.map(Box::new)),
            Err(_) => SeenVersions::NotLooked,
        }
    }

    /// Makes an entry the current version of its key, and returns the version's id.
    pub(crate) async fn put_version(
        &self,
        key: &ObjectKey,
        entry: Entry,
        conditions: &[Condition],
        mut extras: WriteExtras,
    ) -> Result<String, FilerError> {
        let mut seen = std::mem::take(&mut extras.seen);
        if conditions.is_empty() {
            let directory = self.directory_seen(key, seen).await?;
            return self.put_version_once(key, entry, directory.as_deref(), extras).await;
        }
        for _ in 0..ATTEMPTS {
            let directory = self.directory_seen(key, std::mem::take(&mut seen)).await?;
            let guard = self.guard_of_current(key, directory.as_deref(), conditions).await?;
            let extras = WriteExtras { guard, ..extras.clone() };
            match self.put_version_once(key, entry.clone(), directory.as_deref(), extras).await {
                Err(FilerError::PreconditionFailed) => {}
                done => return done,
            }
        }
        Err(FilerError::PreconditionFailed)
    }

    async fn directory_seen(&self, key: &ObjectKey, seen: SeenVersions) -> Result<Option<Box<Entry>>, FilerError> {
        match seen {
            SeenVersions::Directory(directory) => Ok(directory),
            SeenVersions::NotLooked => Ok(self.objects.versions_directory_to_write(key).await?.map(Box::new)),
        }
    }

    async fn put_version_once(
        &self,
        key: &ObjectKey,
        entry: Entry,
        directory: Option<&Entry>,
        extras: WriteExtras,
    ) -> Result<String, FilerError> {
        let is_marker = object::is_delete_marker(&entry);
        let (id, mut mutations) = match self.objects.versioning {
            Versioning::Suspended if is_marker => (NULL.to_owned(), self.null_marker(key, directory).await?),
            Versioning::Suspended => (NULL.to_owned(), self.null_object(key, directory, entry)),
            _ => self.new_version(key, directory, entry).await?,
        };
        mutations.extend(extras.steps);
        self.transact_version(key, extras.guard, mutations).await.map(|()| id)
    }

    /// Makes a delete marker the current version of a key, and returns its id.
    pub async fn mark_deleted(&self, key: &ObjectKey, conditions: &[Condition]) -> Result<String, FilerError> {
        self.put_version(key, self.stamp.delete_marker(), conditions, WriteExtras::default()).await
    }

    /// Removes a version by its id. Fails with `PreconditionFailed` if it is no longer the same, and with
    /// `NoSuchVersion` if it does not exist. Returns whether it was a delete marker.
    ///
    /// A version that its lock protects is `Protected`.
    pub async fn remove_version(
        &self,
        key: &ObjectKey,
        id: &str,
        bypasses_governance: bool,
    ) -> Result<bool, BucketError> {
        let null = if id == NULL { self.objects.plain(key).await? } else { None };
        let directory = self.objects.versions_directory(key).await?;
        let is_marker = match &null {
            Some(entry) => {
                Lock::of(entry).may_remove(self.stamp.seconds, bypasses_governance)?;
                self.remove_null(key, directory.as_ref(), entry, bypasses_governance).await?;
                false
            }
            None => self.remove_file(key, directory.as_ref(), id, bypasses_governance).await?,
        };
        let was_current = match rules::current(directory.as_ref()) {
            CurrentVersion::Plain => null.is_some() && directory.is_some(),
            CurrentVersion::DeleteMarker(current) => current == id,
            CurrentVersion::File(file) => version_id::of_file(file) == Some(id),
        };
        if was_current {
            self.settle(key).await?;
        }
        Ok(is_marker)
    }

    /// The conditions of a write, if they hold for the version that is current now, as one condition on its mark.
    async fn guard_of_current(
        &self,
        key: &ObjectKey,
        directory: Option<&Entry>,
        conditions: &[Condition],
    ) -> Result<Guard, FilerError> {
        let current = self.objects.current(key).await?;
        if !rules::holds(conditions, current.as_ref()) {
            return Err(FilerError::PreconditionFailed);
        }
        if directory.is_none() && self.objects.versioning == Versioning::Suspended {
            return Ok(Guard { conditions: conditions.to_vec(), condition_key: None });
        }
        Ok(self.guard_of_directory(key, directory))
    }

    /// A condition on the mark of the directory of a key's versions: it is as it was seen.
    pub(crate) fn guard_of_directory(&self, key: &ObjectKey, directory: Option<&Entry>) -> Guard {
        let path = format!("{}{}", self.objects.versions_path(key), self.objects.slash());
        Guard { conditions: vec![same_current(directory)], condition_key: Some(path) }
    }

    /// The steps that add a version.
    async fn new_version(
        &self,
        key: &ObjectKey,
        directory: Option<&Entry>,
        mut entry: Entry,
    ) -> Result<(String, Vec<Mutation>), FilerError> {
        let noted = directory.and_then(|directory| directory.extended_text(attributes::LATEST_VERSION_ID));
        let newest = match noted.filter(|id| version_id::time_ns(id).is_some()) {
            Some(id) => Some(id.to_owned()),
            None if directory.is_none() => None,
            None => self.objects.newest_file(key).await?.and_then(|file| version_id::of_file(&file).map(str::to_owned)),
        };
        let id = version_id::next(newest.as_deref(), self.stamp.now_ns(), rand::random());
        if let Some(lock) = &self.lock {
            locks::retain_by_default(&mut entry, lock.default, self.stamp.seconds);
        }
        entry.name = version_id::file_name(&id);
        entry.extended.insert(attributes::VERSION_ID.to_owned(), id.clone().into_bytes());
        let put = Mutation::Put { directory: self.objects.versions_path(key), entry: Box::new(entry) };
        let displaced = Some((attributes::NONCURRENT_SINCE.to_owned(), self.now()));
        let mut note = Note { displaced, ..self.note(key, &id) };
        note.copied.push((attributes::CURRENT_MARK, attributes::VERSION_ID));
        Ok((id, vec![put, Mutation::Note(Box::new(note))]))
    }

    /// The steps that put the version `null` and make it the current one.
    fn null_object(&self, key: &ObjectKey, directory: Option<&Entry>, mut entry: Entry) -> Vec<Mutation> {
        entry.extended.insert(attributes::VERSION_ID.to_owned(), NULL.into());
        let mut steps = self.putting(key, entry).mutations;
        steps.push(self.delete_step(key, NULL));
        steps.extend(self.displacement(key, directory));
        steps.push(self.null_is_current(key));
        steps
    }

    /// The steps that put the delete marker `null` in the place of the object.
    async fn null_marker(&self, key: &ObjectKey, directory: Option<&Entry>) -> Result<Vec<Mutation>, FilerError> {
        let versions = self.objects.versions_path(key);
        let mut marker = self.stamp.delete_marker();
        marker.name = version_id::file_name(NULL);
        marker.extended.insert(attributes::VERSION_ID.to_owned(), NULL.into());
        let put = Mutation::Put { directory: versions, entry: Box::new(marker.clone()) };
        // The note makes the directory's entry, on which the marker is then named: by its name it is not the first file.
        let mut steps = vec![put, Mutation::Note(Box::new(self.note(key, NULL)))];
        steps.extend(self.displacement(key, directory));
        steps.push(self.null_marker_is_current(key, &marker));
        steps.extend(self.objects.plain(key).await?.map(|plain| self.clearing(key, &plain)));
        Ok(steps)
    }

    /// The step that makes the delete marker `null` the current version.
    fn null_marker_is_current(&self, key: &ObjectKey, marker: &Entry) -> Mutation {
        let set = [
            (attributes::LATEST_VERSION_ID, NULL.into()),
            (attributes::LATEST_VERSION_FILE, version_id::file_name(NULL).into_bytes()),
            (attributes::LATEST_IS_DELETE_MARKER, b"true".to_vec()),
            (attributes::LATEST_MTIME, marker.attributes().mtime.to_string().into_bytes()),
            (attributes::LATEST_OWNER, object::owner(marker).unwrap_or_default().as_bytes().to_vec()),
            (attributes::LATEST_SIZE, b"0".to_vec()),
            (attributes::CURRENT_MARK, new_mark()),
        ];
        let remove = [attributes::LATEST_ETAG, attributes::LATEST_STORAGE_CLASS, attributes::NULL_IS_LATEST];
        self.directory_step(key, &set, &remove)
    }

    /// The step that makes the version `null` the current one, if there are others.
    fn null_is_current(&self, key: &ObjectKey) -> Mutation {
        let set = [(attributes::NULL_IS_LATEST, b"true".to_vec()), (attributes::CURRENT_MARK, new_mark())];
        let remove = [
            attributes::LATEST_VERSION_ID,
            attributes::LATEST_VERSION_FILE,
            attributes::LATEST_IS_DELETE_MARKER,
            attributes::LATEST_SIZE,
            attributes::LATEST_MTIME,
            attributes::LATEST_ETAG,
            attributes::LATEST_OWNER,
            attributes::LATEST_STORAGE_CLASS,
        ];
        self.directory_step(key, &set, &remove)
    }

    /// Removes the object at the key's own path.
    async fn remove_null(
        &self,
        key: &ObjectKey,
        directory: Option<&Entry>,
        entry: &Entry,
        bypasses_governance: bool,
    ) -> Result<(), FilerError> {
        // There may be a directory by now.
        let mut steps = vec![self.new_mark_step(key), self.clearing(key, entry)];
        if directory.is_some() {
            steps.push(self.delete_step(key, NULL));
        }
        if directory.is_some() && rules::current(directory) == CurrentVersion::Plain {
            steps.push(Mutation::Note(Box::new(self.note(key, &self.with_format_of(key, NULL).await?))));
        }
        let conditions = self.conditions_of_removal(entry, bypasses_governance);
        self.transact_version(key, Guard { conditions, condition_key: None }, steps).await
    }

    /// An id with the format of a key's versions: the given one, or for `null` that of the newest version.
    async fn with_format_of(&self, key: &ObjectKey, id: &str) -> Result<String, FilerError> {
        if id != NULL {
            return Ok(id.to_owned());
        }
        let newest = self.objects.newest_file(key).await?;
        Ok(newest.as_deref().and_then(version_id::of_file).unwrap_or(NULL).to_owned())
    }

    /// Removes the file of a version.
    async fn remove_file(
        &self,
        key: &ObjectKey,
        directory: Option<&Entry>,
        id: &str,
        bypasses_governance: bool,
    ) -> Result<bool, BucketError> {
        let path = self.objects.version_path(key, id);
        let found = self.filer().lookup(&path).await?.filter(|entry| !entry.is_directory);
        let entry = found.ok_or(rules::Refusal::NoSuchVersion)?;
        Lock::of(&entry).may_remove(self.stamp.seconds, bypasses_governance)?;
        let mut steps = vec![self.delete_step(key, id)];
        if id == NULL || !rules::null_is_current(directory) {
            let except = Some(version_id::file_name(id));
            let note = self.note(key, &self.with_format_of(key, id).await?);
            steps.insert(0, Mutation::Note(Box::new(Note { except, ..note })));
        }
        steps.insert(0, self.new_mark_step(key));
        let guard = if self.objects.versioning == Versioning::Suspended {
            // A write may make `null` the current version meanwhile, and the note must not undo that.
            self.guard_of_directory(key, directory)
        } else {
            Guard { conditions: self.conditions_of_removal(&entry, bypasses_governance), condition_key: Some(path) }
        };
        self.transact_version(key, guard, steps).await?;
        Ok(object::is_delete_marker(&entry))
    }

    /// The version is still the one that was seen, and it was not locked since. The bucket may have object lock by now,
    /// whatever was known when the request was read.
    fn conditions_of_removal(&self, seen: &Entry, bypasses_governance: bool) -> Vec<Condition> {
        let mut conditions = vec![still(seen).unwrap_or(Condition::Exists)];
        conditions.extend(locks::conditions_of_removal(bypasses_governance));
        conditions
    }

    /// After the current version was removed: `null` may be newer than the version that the filer chose, which knows
    /// only files. A directory without files is removed.
    async fn settle(&self, key: &ObjectKey) -> Result<(), FilerError> {
        let Some(directory) = self.objects.versions_directory(key).await? else { return Ok(()) };
        let Some(id) = directory.extended_text(attributes::LATEST_VERSION_ID) else {
            let (directory, name) = self.versions_step(key);
            let delete = Mutation::Delete { directory, name, delete_data: false, recursive: false };
            return match self.transact_version(key, Guard::default(), vec![delete]).await {
                Err(FilerError::NotEmpty(_)) => Ok(()),
                done => done,
            };
        };
        let Some(null) = self.objects.null(key).await?.filter(|null| rules::null_is_newer(null, id)) else {
            return Ok(());
        };
        let is_marker = object::is_delete_marker(&null);
        let step = if is_marker { self.null_marker_is_current(key, &null) } else { self.null_is_current(key) };
        let guard = self.guard_of_directory(key, Some(&directory));
        match self.transact_version(key, guard, vec![step]).await {
            // By now another version is the current one.
            Err(FilerError::PreconditionFailed) => Ok(()),
            done => done,
        }
    }

    /// Runs a transaction under the lock of a key.
    async fn transact_version(
        &self,
        key: &ObjectKey,
        guard: Guard,
        mutations: Vec<Mutation>,
    ) -> Result<(), FilerError> {
        let Guard { conditions, condition_key } = guard;
        let lock_key = self.objects.path(key);
        let transaction = Transaction { lock_key, conditions, condition_key, mutations, ..Transaction::default() };
        match transaction.mutations.first() {
            Some(Mutation::Put { directory, entry }) => {
                let path = format!("{directory}/{}", entry.name);
                if path == transaction.lock_key {
                    self.transact_put(transaction).await
                } else {
                    self.transact(&path, transaction).await
                }
            }
            _ => self.filer().transact(self.requiring_bucket(transaction)).await,
        }
    }

    /// Makes the directory for the versions of a key that has only `null`. Fails with `PreconditionFailed` if there is one.
    pub(crate) async fn make_directory_of_null(&self, key: &ObjectKey) -> Result<(), FilerError> {
        let (directory, name) = split(&self.objects.versions_path(key));
        let put = Mutation::Put { directory, entry: Box::new(self.stamp.directory_of_null(name, new_mark())) };
        self.transact_version(key, self.guard_of_directory(key, None), vec![put]).await
    }

    /// What the filer notes on the directory. `id` is that of a version in it, which has its format.
    fn note(&self, key: &ObjectKey, id: &str) -> Note {
        let (directory, name) = split(&self.objects.versions_path(key));
        let copied = [
            (attributes::LATEST_VERSION_ID, attributes::VERSION_ID),
            (attributes::LATEST_ETAG, attributes::ETAG),
            (attributes::LATEST_OWNER, attributes::OWNER),
            (attributes::LATEST_IS_DELETE_MARKER, attributes::DELETE_MARKER),
            (attributes::LATEST_STORAGE_CLASS, attributes::STORAGE_CLASS),
            // No version has this, so it is removed.
            (attributes::NULL_IS_LATEST, attributes::NULL_IS_LATEST),
        ];
        Note {
            directory,
            name,
            last: !version_id::counts_backwards(id),
            name_to: attributes::LATEST_VERSION_FILE.to_owned(),
            size_to: attributes::LATEST_SIZE.to_owned(),
            mtime_to: attributes::LATEST_MTIME.to_owned(),
            copied: copied.into(),
            ..Note::default()
        }
    }

    /// The step that says on the current version's file that it no longer is the current one.
    fn displacement(&self, key: &ObjectKey, directory: Option<&Entry>) -> Option<Mutation> {
        let file = directory?.extended_text(attributes::LATEST_VERSION_FILE)?;
        let set = BTreeMap::from([(attributes::NONCURRENT_SINCE.to_owned(), self.now())]);
        let (directory, name) = (self.objects.versions_path(key), file.to_owned());
        Some(Mutation::Patch { directory, name, set, remove: Vec::new(), content: None })
    }

    fn directory_step(&self, key: &ObjectKey, set: &[(&str, Vec<u8>)], remove: &[&str]) -> Mutation {
        let (directory, name) = self.versions_step(key);
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let remove = remove.iter().map(|name| (*name).to_owned()).collect();
        Mutation::Patch { directory, name, set, remove, content: None }
    }

    /// How a step names the directory of a key's versions.
    fn versions_step(&self, key: &ObjectKey) -> (String, String) {
        let (directory, name) = split(&self.objects.versions_path(key));
        (directory, name + self.objects.slash())
    }

    /// The step that makes writes which compare the mark look again.
    pub(crate) fn new_mark_step(&self, key: &ObjectKey) -> Mutation {
        self.directory_step(key, &[(attributes::CURRENT_MARK, new_mark())], &[])
    }

    fn delete_step(&self, key: &ObjectKey, id: &str) -> Mutation {
        let (directory, name) = (self.objects.versions_path(key), version_id::file_name(id));
        Mutation::Delete { directory, name, delete_data: true, recursive: false }
    }

    /// The step that removes the object at the key's own path, and nothing below it.
    fn clearing(&self, key: &ObjectKey, entry: &Entry) -> Mutation {
        let (directory, name) = split(&self.objects.path(key));
        if entry.is_directory {
            return Mutation::Put { directory, entry: Box::new(self.stamp.plain_directory(entry)) };
        }
        Mutation::Delete { directory, name, delete_data: true, recursive: false }
    }

    /// The time of the request in ns since 1970, decimal.
    fn now(&self) -> Vec<u8> {
        self.stamp.now_ns().to_string().into_bytes()
    }
}

fn split(path: &str) -> (String, String) {
    let (directory, name) = object::split_path(path);
    (directory.to_owned(), name.to_owned())
}

/// A mark that no directory has had before.
fn new_mark() -> Vec<u8> {
    hex::encode(rand::random::<[u8; 16]>()).into_bytes()
}
