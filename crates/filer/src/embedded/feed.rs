//! The change feed. Changes are rows of the database, written with what they report; a feed reads them from where it is, at
//! the pace of its reader. So a slow reader holds nobody up, and costs no memory.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use prost::Message;
use redb::ReadableDatabase;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::commit::Published;
use super::tables::CHANGES;
use crate::entry::Entry;
use crate::filer::{Change, Feed, FeedFilter, FeedItem, FilerError};

/// Rows read at once.
const ROWS_AT_ONCE: u64 = 256;
/// After so much silence the next sign of the committing thread, which comes each second, is passed on.
const HEARTBEAT: Duration = Duration::from_millis(900);

/// A row of the table of changes. Entries are without their chunks: a list of chunks may be megabytes long, and nobody
/// reads data by way of the feed.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredChange {
    /// The entry's path.
    #[prost(string, tag = "1")]
    path: String,
    /// ns since 1970; grows from row to row.
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
    pub(super) fn of(path: &str, old: Option<Vec<u8>>, new: Option<Vec<u8>>) -> StoredChange {
        StoredChange { path: path.to_owned(), ts_ns: 0, old, new }
    }

    fn directory(&self) -> &str {
        match self.path.rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((directory, _)) => directory,
        }
    }

    fn is_wanted(&self, filter: &FeedFilter) -> bool {
        filter.prefixes.iter().any(|prefix| self.path.starts_with(prefix))
            || filter.directories.iter().any(|directory| directory == self.directory())
    }

    fn change(self) -> Result<Change, FilerError> {
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

/// Opens a feed of whatever is committed from now on.
pub(super) fn subscribe(shared: &Arc<Shared>, filter: FeedFilter) -> Feed {
    let mut published = shared.published.clone();
    let position = published.borrow_and_update().position;
    let reader = Reader {
        shared: Arc::downgrade(shared),
        published,
        filter: Arc::new(filter),
        position,
        waiting: VecDeque::new(),
        silent_until: Instant::now() + HEARTBEAT,
        ended: false,
    };
    Box::pin(futures_util::stream::unfold(reader, |mut reader| async move {
        if reader.ended {
            return None;
        }
        let item = reader.next().await;
        reader.ended = item.is_err();
        Some((item, reader))
    }))
}

struct Reader {
    /// Weak: a feed that nobody reads must not keep the database open.
    shared: Weak<Shared>,
    published: watch::Receiver<Published>,
    filter: Arc<FeedFilter>,
    /// The last row that was read.
    position: u64,
    waiting: VecDeque<Change>,
    silent_until: Instant,
    ended: bool,
}

impl Reader {
    async fn next(&mut self) -> Result<FeedItem, FilerError> {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                self.silent_until = Instant::now() + HEARTBEAT;
                return Ok(FeedItem::Change(change));
            }
            let published = *self.published.borrow_and_update();
            if published.position > self.position {
                self.read(published.position).await?;
            }
            let is_current = self.position == published.position && self.waiting.is_empty();
            if is_current && Instant::now() >= self.silent_until {
                self.silent_until = Instant::now() + HEARTBEAT;
                return Ok(FeedItem::Heartbeat { ts_ns: published.ts_ns });
            }
            if is_current {
                self.published.changed().await.map_err(|_| closed())?;
            }
        }
    }

    async fn read(&mut self, until: u64) -> Result<(), FilerError> {
        let shared = self.shared.upgrade().ok_or_else(closed)?;
        let from = self.position + 1;
        let until = until.min(self.position + ROWS_AT_ONCE);
        let filter = self.filter.clone();
        let rows = super::blocking(move || rows(&shared, from, until, &filter)).await?;
        self.waiting.extend(rows);
        self.position = until;
        Ok(())
    }
}

fn closed() -> FilerError {
    FilerError::Unavailable("the filer was closed, or its database failed: see its log".to_owned())
}

fn rows(shared: &Shared, from: u64, until: u64, filter: &FeedFilter) -> Result<Vec<Change>, FilerError> {
    let (seen, stored) = read_rows(shared, from, until, filter).map_err(super::unreadable)?;
    if seen != until + 1 - from {
        let text = format!("the feed fell more than {} changes behind; list again", super::apply::CHANGES_KEPT);
        return Err(FilerError::Unavailable(text));
    }
    stored.into_iter().map(StoredChange::change).collect()
}

/// How many of the rows there are, and those of them that are wanted.
fn read_rows(
    shared: &Shared,
    from: u64,
    until: u64,
    filter: &FeedFilter,
) -> Result<(u64, Vec<StoredChange>), redb::Error> {
    let changes = shared.database.begin_read()?.open_table(CHANGES)?;
    let mut seen = 0;
    let mut wanted = Vec::new();
    for row in changes.range(from..=until)? {
        seen += 1;
        // a row that cannot be read counts as missing: the reader lists again
        match StoredChange::decode(row?.1.value()) {
            Ok(change) if change.is_wanted(filter) => wanted.push(change),
            Ok(_) => {}
            Err(_) => seen = 0,
        }
    }
    Ok((seen, wanted))
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
