//! A row of the change feed.

use prost::Message;

use crate::entry::Entry;
use crate::filer::{Change, FeedFilter, FilerError};

/// How many changes are kept for slow feeds. A feed that falls further behind ends, and its reader lists again.
pub(super) const CHANGES_KEPT: u64 = 65_536;

/// How far the change feed has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Published {
    /// The position of the last change.
    pub(super) position: u64,
    /// The filer's clock, in ns since 1970. No later change has an earlier time.
    pub(super) ts_ns: i64,
}

/// A row of the table of changes. Entries are stored without their chunks: a list of chunks may be megabytes long, and
/// readers of the feed do not need it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredChange {
    /// The entry's path.
    #[prost(string, tag = "1")]
    path: String,
    /// The time in ns since 1970; later than that of the previous row.
    #[prost(int64, tag = "2")]
    pub(super) ts_ns: i64,
    /// The entry before.
    #[prost(bytes = "vec", optional, tag = "3")]
    old: Option<Vec<u8>>,
    /// The entry after.
    #[prost(bytes = "vec", optional, tag = "4")]
    new: Option<Vec<u8>>,
}

impl StoredChange {
    /// A change without its time.
    pub(super) fn of(path: &str, old: Option<Vec<u8>>, new: Option<Vec<u8>>) -> StoredChange {
        StoredChange { path: path.to_owned(), ts_ns: 0, old, new }
    }

    fn directory(&self) -> &str {
        match self.path.rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((directory, _)) => directory,
        }
    }

    /// Whether the filter lets the change pass.
    pub(super) fn is_wanted(&self, filter: &FeedFilter) -> bool {
        filter.prefixes.iter().any(|prefix| self.path.starts_with(prefix))
            || filter.directories.iter().any(|directory| directory == self.directory())
    }

    /// The change, as a feed reports it.
    pub(super) fn change(self) -> Result<Change, FilerError> {
        let entry = |stored: &Option<Vec<u8>>| -> Result<Option<Box<Entry>>, FilerError> {
            stored.as_deref().map(|stored| super::decoded(self.path.as_bytes(), stored).map(Box::new)).transpose()
        };
        let directory = self.directory().to_owned();
        Ok(Change {
            directory,
            old: entry(&self.old)?,
            new: entry(&self.new)?,
            new_directory: String::new(),
            ts_ns: self.ts_ns,
        })
    }
}

/// The time of a stored change; 0 if it cannot be read.
pub(super) fn change_ns(stored: &[u8]) -> i64 {
    StoredChange::decode(stored).map_or(0, |change| change.ts_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        let filter = FeedFilter {
            prefixes: vec!["/etc/iam/".to_owned()],
            directories: vec!["/buckets".to_owned(), "/".to_owned()],
        };
        for (path, wanted) in [
            ("/etc/iam/users/a.json", true),
            ("/etc/iam/a", true),
            ("/etc/iam", false),
            ("/etc/iamx", false),
            ("/buckets/a", true),
            ("/buckets/a/b", false),
            ("/bucketsx", true),
            ("/x/buckets/a", false),
        ] {
            assert_eq!(StoredChange::of(path, None, None).is_wanted(&filter), wanted, "`{path}`");
        }
    }
}
