//! Which of some chunks are named by an entry of a bucket: a second look before chunks are freed, because a store that was restored
//! or lost its last writes may hold an intent whose upload has long been an object.
//!
//! An entry can move while the bucket is walked. So the changes of all filers are watched from before the walk until each filer has
//! reported a mark of its own that was made after it. SeaweedFS moves no entry from one bucket to another.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, future};

use super::files::PAGE;
use super::{ROOT, WALK_MARK};
use crate::entry::FileChunk;
use crate::seaweedfs::metrics::Call;
use crate::seaweedfs::{FilerAddress, Shared, chunk, entries, feed, fid, list_request, transact};
use crate::{Entry, Feed, FeedFilter, FeedItem, FilerError, ListOptions, Mutation, Transaction};

/// How long a filer may take to report the mark.
const REPORTED_WITHIN: Duration = Duration::from_secs(60);

/// A chunk whatever the form of its address: volume and key.
pub(super) type Needle = (u32, u64);

pub(super) fn needle(address: &str) -> Option<Needle> {
    fid::parse(address).map(|id| (id.volume_id, id.file_key))
}

/// Those of the needles that entries of the bucket name. Fails if that cannot be found out for sure.
pub(super) async fn named(
    shared: &Arc<Shared>,
    bucket: &str,
    wanted: &HashSet<Needle>,
) -> Result<HashSet<Needle>, FilerError> {
    let own = format!("{ROOT}/{}", shared.journal.gateway);
    shared.journal.was_used.store(true, Ordering::Relaxed);
    let mark = hex::encode(rand::random::<[u8; 16]>());
    let filers = shared.members().await;
    let filter =
        FeedFilter { prefixes: vec![format!("{bucket}/"), format!("{own}/{WALK_MARK}")], directories: Vec::new() };
    let feeds = feeds_of(shared, &filers, filter).await?;
    let seen = Seen { wanted, found: Mutex::default(), manifests: Mutex::default() };
    let walk = async {
        seen.walk(shared, bucket).await?;
        let marks = filers.iter().map(|filer| put_mark(shared, filer, &own, &mark));
        future::try_join_all(marks).await?;
        tokio::time::sleep(REPORTED_WITHIN).await;
        Err::<(), _>(FilerError::Unavailable("a filer does not report its changes".to_owned()))
    };
    let follow = future::try_join_all(feeds.into_iter().map(|(filer, feed)| seen.follow(feed, mark_of(&mark, &filer))));
    // Marks are written after the walk, so the changes are followed to their end after it.
    tokio::select! {
        followed = follow => followed.map(drop)?,
        late = walk => late?,
    }
    if shared.members().await != filers {
        return Err(FilerError::Unavailable("a filer has joined or left".to_owned()));
    }
    seen.resolve(shared).await?;
    Ok(seen.found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The change feeds of the filers, with the filers' names.
async fn feeds_of(
    shared: &Arc<Shared>,
    filers: &[FilerAddress],
    filter: FeedFilter,
) -> Result<Vec<(String, Feed)>, FilerError> {
    let feeds = feed::open_all(shared, filter).await?;
    let followed: HashSet<&String> = feeds.iter().map(|(name, _)| name).collect();
    let missing = filers.iter().map(ToString::to_string).find(|name| !followed.contains(name));
    match missing {
        Some(name) => Err(FilerError::Unavailable(format!("filer {name} does not report its changes"))),
        None if feeds.is_empty() => Err(FilerError::Unavailable("no filer reports its changes".to_owned())),
        None => Ok(feeds),
    }
}

/// The mark that is written through a filer.
fn mark_of(mark: &str, filer: &str) -> String {
    format!("{mark} {filer}")
}

async fn put_mark(shared: &Arc<Shared>, filer: &FilerAddress, directory: &str, mark: &str) -> Result<(), FilerError> {
    let node = shared.ring.node(&shared.filers, filer)?;
    let entry = Entry {
        name: WALK_MARK.to_owned(),
        content: mark_of(mark, &filer.to_string()).into_bytes(),
        ..Entry::default()
    };
    let mutations = vec![Mutation::Put { directory: directory.to_owned(), entry: Box::new(entry) }];
    let lock_key = format!("{directory}/{WALK_MARK}");
    transact::run_on(shared, &node, Transaction { lock_key, mutations, ..Transaction::default() }).await
}

/// What was seen so far.
struct Seen<'a> {
    wanted: &'a HashSet<Needle>,
    found: Mutex<HashSet<Needle>>,
    manifests: Mutex<Vec<FileChunk>>,
}

impl Seen<'_> {
    fn take(&self, chunks: &[FileChunk]) {
        let needles = chunks.iter().filter_map(fid::of).filter_map(|address| needle(&address));
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.extend(needles.filter(|needle| self.wanted.contains(needle)));
        drop(found);
        let manifests = chunks.iter().filter(|chunk| chunk.is_chunk_manifest).cloned();
        self.manifests.lock().unwrap_or_else(PoisonError::into_inner).extend(manifests);
    }

    /// Reads the manifests that were seen.
    async fn resolve(&self, shared: &Arc<Shared>) -> Result<(), FilerError> {
        loop {
            let manifests = std::mem::take(&mut *self.manifests.lock().unwrap_or_else(PoisonError::into_inner));
            if manifests.is_empty() {
                return Ok(());
            }
            self.take(&chunk::resolve(shared, &manifests, 0..u64::MAX).await?);
        }
    }

    /// Takes everything below a directory. Goes down before it lists on, so it remembers one page of paths for each level.
    async fn walk(&self, shared: &Arc<Shared>, bucket: &str) -> Result<(), FilerError> {
        let mut open = vec![(bucket.to_owned(), String::new())];
        while let Some((directory, start_from)) = open.pop() {
            let options = ListOptions { start_from, limit: PAGE, ..ListOptions::default() };
            let request = list_request(&directory, options);
            let page = entries(shared.filers.collect(Call::ListEntries, &request).await)?;
            page.iter().for_each(|entry| self.take(&entry.chunks));
            self.resolve(shared).await?;
            let below = page.iter().filter(|entry| entry.is_directory);
            let below: Vec<String> = below.map(|entry| format!("{directory}/{}", entry.name)).collect();
            if let Some(last) = page.last().filter(|_| page.len() >= PAGE) {
                open.push((directory, last.name.clone()));
            }
            open.extend(below.into_iter().map(|directory| (directory, String::new())));
        }
        Ok(())
    }

    /// Takes what a filer reports, up to the mark.
    async fn follow(&self, mut feed: Feed, mark: String) -> Result<(), FilerError> {
        while let Some(item) = feed.next().await {
            let FeedItem::Change(change) = item? else { continue };
            for entry in change.old.iter().chain(&change.new) {
                self.take(&entry.chunks);
            }
            if change.new.is_some_and(|entry| entry.name == WALK_MARK && entry.content == mark.as_bytes()) {
                return Ok(());
            }
        }
        Err(FilerError::Unavailable("a change feed has ended".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::Change;

    fn changed(old: Option<&str>, new: Option<&str>, name: &str, content: &str) -> Result<FeedItem, FilerError> {
        let entry = |file_id: &str| {
            let chunks = vec![FileChunk { file_id: file_id.to_owned(), ..FileChunk::default() }];
            Box::new(Entry { name: name.to_owned(), content: content.into(), chunks, ..Entry::default() })
        };
        let (old, new) = (old.map(entry), new.map(entry));
        Ok(FeedItem::Change(Change { directory: String::new(), old, new, new_directory: String::new(), ts_ns: 1 }))
    }

    #[tokio::test]
    async fn what_changes_during_a_walk_is_seen_up_to_the_mark() {
        let wanted: HashSet<Needle> = (1..=4).map(|key| (3, key)).collect();
        let seen = Seen { wanted: &wanted, found: Mutex::default(), manifests: Mutex::default() };
        let items = vec![
            changed(Some("3,01637037d6"), None, "removed", ""),
            changed(None, Some("3,02637037d6"), WALK_MARK, "another mark"),
            Ok(FeedItem::Heartbeat { ts_ns: 2 }),
            changed(None, Some("3,09637037d6"), "not wanted", ""),
            changed(None, Some("3,0000000003637037d6"), WALK_MARK, "mark"),
            changed(None, Some("3,04637037d6"), "after it", ""),
        ];
        seen.follow(Box::pin(stream::iter(items)), "mark".to_owned()).await.unwrap();
        assert_eq!(*seen.found.lock().unwrap(), [(3, 1), (3, 2), (3, 3)].into());
    }

    #[tokio::test]
    async fn a_feed_that_ends_before_the_mark_says_nothing() {
        let wanted = HashSet::new();
        let seen = Seen { wanted: &wanted, found: Mutex::default(), manifests: Mutex::default() };
        let broken = Err(FilerError::Unavailable("broken".to_owned()));
        for items in [vec![], vec![broken], vec![changed(None, Some("3,01637037d6"), WALK_MARK, "another")]] {
            assert!(seen.follow(Box::pin(stream::iter(items)), "mark".to_owned()).await.is_err());
        }
    }
}
