//! The change feed. Changes are rows of the database, written together with what they report. A feed reads them from
//! its own position, at the speed of its reader. So a slow reader delays no one, and costs no memory.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use prost::Message;
use redb::{Database, ReadableDatabase};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::change::{CHANGES_KEPT, Published, StoredChange};
use super::tables::CHANGES;
use crate::filer::{Change, Feed, FeedFilter, FeedItem, FilerError};

/// How many rows are read at once.
const ROWS_AT_ONCE: u64 = 256;
/// After this much silence the next sign of life of the committing thread, which comes every second, is passed on.
const HEARTBEAT: Duration = Duration::from_millis(900);

/// Opens a feed of everything that is committed from now on.
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
    /// Weak: a feed that is not being read must not keep the database open.
    shared: Weak<Shared>,
    published: watch::Receiver<Published>,
    filter: Arc<FeedFilter>,
    /// The position of the last row that was read.
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
    let (seen, stored) = shared.store.read(|database| read_rows(database, from, until, filter))?;
    if seen != until + 1 - from {
        let text = format!("the feed fell more than {} changes behind; list again", CHANGES_KEPT);
        return Err(FilerError::Unavailable(text));
    }
    stored.into_iter().map(StoredChange::change).collect()
}

/// How many of the rows exist, and those of them that pass the filter.
fn read_rows(
    database: &Database,
    from: u64,
    until: u64,
    filter: &FeedFilter,
) -> Result<(u64, Vec<StoredChange>), redb::Error> {
    let changes = database.begin_read()?.open_table(CHANGES)?;
    let mut seen = 0;
    let mut wanted = Vec::new();
    for row in changes.range(from..=until)? {
        seen += 1;
        // A row that cannot be read counts as missing: the reader lists again.
        match StoredChange::decode(row?.1.value()) {
            Ok(change) if change.is_wanted(filter) => wanted.push(change),
            Ok(_) => {}
            Err(_) => seen = 0,
        }
    }
    Ok((seen, wanted))
}
