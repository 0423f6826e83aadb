//! The versions of a key: the files of the directory `key.versions`, and the object at the key's own path, which is the
//! version `null`. The directory's entry says which of them is the current one.
//!
//! Directory markers (`photos/`) have no versions, as on SeaweedFS.

use filer::{Condition, Entry, FilerError, ListOptions};
use ids::{ObjectKey, Versioning};

use crate::object::PLAIN_DIRECTORY_ETAG;
use crate::objects::Objects;
use crate::rules::{self, BucketError, CurrentVersion, Refusal};
use crate::version_id::{self, NULL};
use crate::{attributes, names, object};

/// How often a version that is gone when its file is read is looked for again.
const READS: usize = 4;
/// How many files of a directory are read at once.
const PAGE: usize = 1024;

/// What is asked of the directory of a key's versions: which of them is the current one, and whether the directory is an object.
const OF_DIRECTORY: &[&str] = &[
    attributes::LATEST_VERSION_ID,
    attributes::LATEST_VERSION_FILE,
    attributes::LATEST_IS_DELETE_MARKER,
    attributes::CURRENT_MARK,
    attributes::PREFIX_OBJECT,
];

/// A version of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Version {
    /// One that has content.
    Object(Box<Entry>),
    /// A delete marker, and its id.
    DeleteMarker(String),
}

impl Version {
    fn plain(entry: Entry) -> Self {
        Self::Object(Box::new(entry))
    }

    /// What the file of a version holds.
    fn of(mut entry: Entry) -> Self {
        let id = version_id::of_file(&entry.name).unwrap_or(NULL).to_owned();
        if object::is_delete_marker(&entry) {
            return Self::DeleteMarker(id);
        }
        entry.extended.insert(attributes::VERSION_ID.to_owned(), id.into_bytes());
        Self::Object(Box::new(entry))
    }

    /// The object, unless it is a delete marker.
    pub fn object(self) -> Option<Entry> {
        match self {
            Self::Object(entry) => Some(*entry),
            Self::DeleteMarker(_) => None,
        }
    }
}

impl Objects<'_> {
    /// Whether writes of this key make or replace versions.
    pub fn keeps_versions_of(&self, key: &ObjectKey) -> bool {
        self.versioning.keeps_versions() && !key.is_directory_marker()
    }

    /// The version of a key that a request names; the current one if it names none.
    ///
    /// `None` if the key has no object at all, `NoSuchVersion` if it does not have the named version.
    pub async fn version(&self, key: &ObjectKey, version_id: Option<&str>) -> Result<Option<Version>, BucketError> {
        if !self.keeps_versions_of(key) {
            rules::is_null(version_id)?;
            return Ok(self.plain(key).await?.map(Version::plain));
        }
        let Some(id) = version_id else { return Ok(self.current_version(key).await?) };
        if id == NULL
            && let Some(entry) = self.plain(key).await?
        {
            return Ok(Some(Version::plain(entry)));
        }
        let found = self.filer().lookup(&self.version_path(key, id)).await?;
        Ok(Some(Version::of(found.filter(|entry| !entry.is_directory).ok_or(Refusal::NoSuchVersion)?)))
    }

    /// The current version of a key that has versions.
    ///
    /// Its file is usually the first one of the directory, so it is asked for together with the directory. Only what the
    /// directory says counts: another file may be the current version, or the object at the key's own path.
    pub(crate) async fn current_version(&self, key: &ObjectKey) -> Result<Option<Version>, FilerError> {
        let path = self.versions_path(key);
        for _ in 0..READS {
            let (directory, first) = self.filer().lookup_with_first_file(&path, OF_DIRECTORY).await?;
            let directory = directory.filter(|entry| entry.is_directory);
            let file = match rules::current(directory.as_ref()) {
                CurrentVersion::File(file) => file,
                CurrentVersion::DeleteMarker(id) => return Ok(Some(Version::DeleteMarker(id.to_owned()))),
                CurrentVersion::Plain => match (self.plain(key).await?, directory) {
                    (Some(entry), _) => return Ok(Some(Version::plain(entry))),
                    (None, None) => return Ok(None),
                    (None, Some(_)) => break,
                },
            };
            if let Some(first) = first.filter(|first| first.name == file) {
                return Ok(Some(Version::of(first)));
            }
            if let Some(entry) = self.filer().lookup(&format!("{path}/{file}")).await? {
                return Ok(Some(Version::of(entry)));
            }
        }
        // A gateway or a filer that died left a directory that does not say which version is current.
        match self.newest_file(key).await? {
            Some(file) => Ok(self.filer().lookup(&format!("{path}/{file}")).await?.map(Version::of)),
            None => Ok(self.plain(key).await?.map(Version::plain)),
        }
    }

    /// The file of the newest version.
    pub(crate) async fn newest_file(&self, key: &ObjectKey) -> Result<Option<String>, FilerError> {
        let directory = self.versions_path(key);
        let (mut newest, mut start_from) = (None::<String>, String::new());
        loop {
            let options = ListOptions { start_from, limit: PAGE, omit_chunks: true, ..ListOptions::default() };
            let page = self.filer().list(&directory, options).await?;
            for entry in page.iter().filter(|entry| !entry.is_directory) {
                let id = |name| version_id::of_file(name).unwrap_or_default();
                if newest.as_deref().is_none_or(|known| version_id::newest_first(id(&entry.name), id(known)).is_lt()) {
                    newest = Some(entry.name.clone());
                }
            }
            match page.last() {
                Some(last) if page.len() >= PAGE => start_from = last.name.clone(),
                _ => return Ok(newest),
            }
        }
    }

    /// The version `null`: the object at the key's own path, or a delete marker.
    pub(crate) async fn null(&self, key: &ObjectKey) -> Result<Option<Entry>, FilerError> {
        match self.plain(key).await? {
            Some(entry) => Ok(Some(entry)),
            None => Ok(self.filer().lookup(&self.version_path(key, NULL)).await?.filter(|entry| !entry.is_directory)),
        }
    }

    /// The entry of the directory with a key's versions.
    pub(crate) async fn versions_directory(&self, key: &ObjectKey) -> Result<Option<Entry>, FilerError> {
        let path = self.versions_path(key) + "/";
        let directory = self.filer().lookup_for(&path, OF_DIRECTORY).await?;
        Ok(directory.filter(|entry| entry.is_directory))
    }

    /// The same for a write. Fails with `ExistingIsFile` if an object with the name of the directory is in the way: it was
    /// put before the bucket kept versions, and SeaweedFS would make one entry of the two.
    pub(crate) async fn versions_directory_to_write(&self, key: &ObjectKey) -> Result<Option<Entry>, FilerError> {
        let path = self.versions_path(key);
        match self.filer().lookup_for(&format!("{path}{}", self.slash()), OF_DIRECTORY).await? {
            Some(entry) if !entry.is_directory || object::is_prefix_object(&entry) => {
                Err(FilerError::ExistingIsFile(path))
            }
            directory => Ok(directory),
        }
    }

    /// The path of the directory with a key's versions.
    pub(crate) fn versions_path(&self, key: &ObjectKey) -> String {
        self.path(key) + names::VERSIONS_SUFFIX
    }

    /// Whether an object may have this key. On SeaweedFS, `x.versions` is the directory of the versions of `x`.
    pub fn may_hold(&self, key: &ObjectKey) -> Result<(), Refusal> {
        let beside = self.directory.configuration.files_beside_directories;
        if self.versioning.keeps_versions() && key.is_like_versions() && !beside {
            return Err(Refusal::NameOfVersions);
        }
        Ok(())
    }

    /// What follows the name of a directory where a file can have the same: the key `x.versions` beside the versions of `x`.
    pub(crate) fn slash(&self) -> &'static str {
        if self.directory.configuration.files_beside_directories { "/" } else { "" }
    }

    /// The path of a version's file.
    pub(crate) fn version_path(&self, key: &ObjectKey, id: &str) -> String {
        format!("{}/{}", self.versions_path(key), version_id::file_name(id))
    }

    /// The path at which an entry of a key was found.
    pub(crate) fn path_of_entry(&self, key: &ObjectKey, entry: &Entry) -> String {
        match object::version_id(entry).filter(|id| *id != NULL && self.keeps_versions_of(key)) {
            Some(_) => format!("{}/{}", self.versions_path(key), entry.name),
            None => self.path(key),
        }
    }
}

/// A condition that holds only while no other version becomes the current one. A filer tests it on the path of the
/// directory.
pub(crate) fn same_current(directory: Option<&Entry>) -> Condition {
    match directory {
        None => Condition::NotExists,
        Some(directory) if object::has_own_etag(directory) => Condition::EtagMatches(vec![directory.etag()]),
        Some(_) => Condition::EtagMatches(vec![PLAIN_DIRECTORY_ETAG.to_owned()]),
    }
}

/// What a delete that names no version does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The object is gone.
    Object,
    /// All versions stay, and a delete marker is the current one.
    Mark,
    /// A delete marker takes the place of the version `null`.
    ReplaceNull,
}

/// What a delete that names no version does to a key. Source: S3 User Guide, "Deleting object versions from a
/// versioning-enabled bucket" and "from versioning-suspended buckets".
pub fn removal(versioning: Versioning, key: &ObjectKey) -> Removal {
    match versioning {
        _ if key.is_directory_marker() => Removal::Object,
        Versioning::Off => Removal::Object,
        Versioning::Suspended => Removal::ReplaceNull,
        Versioning::Enabled | Versioning::Unknown => Removal::Mark,
    }
}
