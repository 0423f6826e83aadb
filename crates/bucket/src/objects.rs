//! The objects of a bucket, by their keys.

use filer::{Entry, Filer, FilerError};
use ids::{ObjectKey, Versioning};

use crate::directory::BucketDirectory;
use crate::listing::{self, After, Item, ListedVersion, Page, Query, Shows};
use crate::object;
use crate::version_id;
use crate::versions::Version;

/// The objects of one bucket.
pub struct Objects<'a> {
    /// Where they are.
    pub directory: BucketDirectory<'a>,
    /// Whether the bucket keeps versions.
    pub versioning: Versioning,
}

impl<'a> Objects<'a> {
    /// The object of a key. `None` if nothing is stored, or if the key has a delete marker.
    pub async fn current(&self, key: &ObjectKey) -> Result<Option<Entry>, FilerError> {
        if !self.keeps_versions_of(key) {
            return self.plain(key).await;
        }
        Ok(self.current_version(key).await?.and_then(Version::object))
    }

    /// One page of the keys that begin with a prefix, grouped by a delimiter unless it is empty.
    pub async fn list(&self, prefix: &str, delimiter: &str, after: After, max_keys: usize) -> Result<Page, FilerError> {
        let shows = if self.versioning.keeps_versions() { Shows::CurrentVersion } else { Shows::Object };
        let (bucket_path, prefix, delimiter) =
            (self.directory.path().to_owned(), prefix.to_owned(), delimiter.to_owned());
        listing::list(self.filer(), &Query { bucket_path, prefix, delimiter, after, max_keys, shows }).await
    }

    /// The same with all versions of the keys, the newest first. Where a bucket keeps none, each key has the version
    /// `null`.
    pub async fn list_versions(
        &self,
        prefix: &str,
        delimiter: &str,
        after: After,
        max_keys: usize,
    ) -> Result<Page, FilerError> {
        if self.versioning.keeps_versions() {
            let (bucket_path, prefix, delimiter) =
                (self.directory.path().to_owned(), prefix.to_owned(), delimiter.to_owned());
            let query = Query { bucket_path, prefix, delimiter, after, max_keys, shows: Shows::AllVersions };
            return listing::list(self.filer(), &query).await;
        }
        let after = if let After::Version(key, _) = after { After::Key(key) } else { after };
        let page = self.list(prefix, delimiter, after, max_keys).await?;
        let only = |item| match item {
            Item::Object(key, entry) => {
                Item::Version(ListedVersion { key, id: version_id::NULL.to_owned(), entry, is_latest: true })
            }
            item => item,
        };
        Ok(Page { items: page.items.into_iter().map(only).collect(), ..page })
    }

    pub(crate) fn filer(&self) -> &'a dyn Filer {
        self.directory.filer
    }

    /// Path of an object on the filer.
    pub(crate) fn path(&self, key: &ObjectKey) -> String {
        self.directory.path_of(key)
    }

    /// The object at the key's own path, or `None`. The key tells a directory marker (`photos/`) from a file.
    pub(crate) async fn plain(&self, key: &ObjectKey) -> Result<Option<Entry>, FilerError> {
        let path = self.path(key);
        if key.is_directory_marker() {
            let entry = self.filer().lookup(&format!("{path}/")).await?;
            return Ok(entry.filter(object::is_directory_marker));
        }
        let entry = self.filer().lookup(&path).await?;
        Ok(entry.filter(|entry| !entry.is_directory || object::is_prefix_object(entry)))
    }
}
