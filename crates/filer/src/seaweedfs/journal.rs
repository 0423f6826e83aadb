//! Records of uploads of several chunks, kept on the filer, so that other gateways can free what a killed one leaves.
//!
//! Each upload has files in the directory of its gateway: the intent, lists of its chunks, and what [`claim`] needs. They are removed
//! when an entry names the chunks, or when the chunks are freed. An upload of one chunk has none: its chunk is stored once the whole
//! body has arrived, and its entry follows at once.
//!
//! If a filer did not say whether it wrote an entry, the chunks are kept, and nothing settles their upload while this gateway runs:
//! its files stay, and its intent in memory. Afterwards other gateways look for the entry.

mod claim;
mod files;
mod named;
mod sweep;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::files::Files;
use super::{Shared, fid};
use crate::entry::FileChunk;
use crate::{FilerError, Mutation, Transaction, WriteTarget};

pub use self::sweep::{LeftUploads, Sweeper, Swept, left_uploads};

/// The directory with one directory for each gateway.
const ROOT: &str = "/seaweedfs/kelpgate/uploads";
/// The heartbeat: the file that a gateway with unfinished uploads rewrites to show that it runs.
///
/// The fence's beats in `/seaweedfs/kelpgate/gateways` are not used: a layer above this client writes them, under another id, and for
/// a lease of seconds. A gateway that has lost its lease may well go on with an upload.
const HEARTBEAT: &str = "heartbeat";
/// The file that a gateway rewrites at the end of a walk through a bucket.
const WALK_MARK: &str = "walked";
/// How many chunks one list names: it is written again as it grows.
const LIST_CHUNKS: usize = 16;
/// How long the end of the process waits for files that are being removed.
const SIGN_OFF_WITHIN: Duration = Duration::from_secs(3);

/// The unfinished uploads of this process.
pub(super) struct Journal {
    /// Whether uploads are recorded.
    is_on: bool,
    /// The name of this process's directory, new at each start.
    gateway: String,
    open: Mutex<Open>,
    /// How many removals of files are under way.
    settling: AtomicUsize,
    was_used: AtomicBool,
    heartbeats: AtomicU64,
    counts: Counts,
}

#[derive(Default)]
struct Open {
    /// The ids of all intents.
    ids: HashSet<String>,
    /// The intents of whole uploads of which no entry is known yet, by the addresses of their chunks.
    of_chunk: HashMap<String, Arc<Intent>>,
}

/// What [`Swept`] reports.
#[derive(Default)]
struct Counts {
    freed_chunks: AtomicU64,
    left: AtomicI64,
}

/// What one upload is about to store.
pub(super) struct Intent {
    id: String,
    /// The directory of its bucket.
    bucket: String,
    /// The addresses of its chunks.
    chunks: Mutex<Vec<String>>,
    /// How many of them are recorded; `None` once a record may have failed. The holder of this lock writes.
    recorded: tokio::sync::Mutex<Option<usize>>,
    stage: tokio::sync::Mutex<Stage>,
}

/// How far the owner of an intent has come.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Uploading,
    /// It may write the entry, again if necessary: the commit mark is there.
    Committing,
    /// The chunks may be freed at any time, by us or by others.
    Lost,
}

impl Journal {
    pub(super) fn new(is_on: bool) -> Self {
        Journal {
            is_on,
            gateway: hex::encode(rand::random::<[u8; 8]>()),
            open: Mutex::default(),
            settling: AtomicUsize::new(0),
            was_used: AtomicBool::new(false),
            heartbeats: AtomicU64::new(0),
            counts: Counts::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn swept(&self) -> Swept {
        Swept {
            freed_chunks: self.counts.freed_chunks.load(Ordering::Relaxed),
            left: self.counts.left.load(Ordering::Relaxed),
        }
    }

    /// The intent of an upload that begins. Nothing is written before its first chunk. `None` outside of buckets, and if uploads are
    /// not recorded.
    pub(super) fn begin(&self, shared: &Shared, target: &WriteTarget) -> Option<Arc<Intent>> {
        if !self.is_on {
            return None;
        }
        let bucket = shared.bucket_directory(&target.path)?;
        let id = hex::encode(rand::random::<[u8; 16]>());
        self.open().ids.insert(id.clone());
        self.was_used.store(true, Ordering::Relaxed);
        Some(Arc::new(Intent::new(id, bucket.trim_end_matches('/').to_owned())))
    }

    /// Notes that the whole body is stored. Writing the entry, or freeing the chunks, ends the upload.
    pub(super) fn stored(&self, intent: &Arc<Intent>) {
        let chunks = intent.chunks();
        self.open().of_chunk.extend(chunks.into_iter().map(|chunk| (chunk, Arc::clone(intent))));
    }

    /// The intents of chunks.
    fn of_chunks<'c>(&self, chunks: impl Iterator<Item = &'c FileChunk>) -> Vec<Arc<Intent>> {
        if !self.is_on {
            return Vec::new();
        }
        let open = self.open();
        let mut found: Vec<Arc<Intent>> = Vec::new();
        for intent in chunks.filter_map(fid::of).filter_map(|chunk| open.of_chunk.get(&chunk)) {
            if !found.iter().any(|known| known.id == intent.id) {
                found.push(Arc::clone(intent));
            }
        }
        found
    }
}

impl Intent {
    fn new(id: String, bucket: String) -> Self {
        Intent {
            id,
            bucket,
            chunks: Mutex::default(),
            recorded: tokio::sync::Mutex::new(Some(0)),
            stage: tokio::sync::Mutex::new(Stage::Uploading),
        }
    }

    fn chunks(&self) -> Vec<String> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records a chunk. Several that come at the same time are one write.
    ///
    /// # Errors
    ///
    /// Those of the filer, and [`FilerError::Busy`] after one of them: the upload has to fail.
    pub(super) async fn add(&self, shared: &Shared, chunk: &str) -> Result<(), FilerError> {
        let number = {
            let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
            chunks.push(chunk.to_owned());
            chunks.len()
        };
        let mut recorded = self.recorded.lock().await;
        if recorded.is_some_and(|recorded| recorded >= number) {
            return Ok(());
        }
        // It stays `None` on an error, and if this future is dropped: the intent is never sent again.
        let Some(before) = recorded.take() else {
            return Err(FilerError::Busy("the upload cannot be recorded".to_owned()));
        };
        let chunks = self.chunks();
        Files::own(shared).record(self, &chunks, before).await?;
        *recorded = Some(chunks.len());
        Ok(())
    }

    /// How many lists name its chunks.
    fn lists(&self) -> usize {
        self.chunks().len().div_ceil(LIST_CHUNKS)
    }

    /// Whether an entry may name the chunks. If not, it never may again.
    async fn may_commit(&self, shared: &Shared) -> Result<(), FilerError> {
        let mut stage = self.stage.lock().await;
        if *stage == Stage::Uploading {
            // It stays lost if this future is dropped.
            *stage = Stage::Lost;
            match claim::may_commit(&Files::own(shared), &self.id).await {
                Ok(true) => *stage = Stage::Committing,
                Ok(false) => {
                    tracing::warn!(intent = self.id, "another gateway considered this one dead, so an upload fails")
                }
                Err(error) => tracing::warn!(%error, intent = self.id, "an upload cannot be committed"),
            }
        }
        match *stage {
            Stage::Committing => Ok(()),
            _ => Err(FilerError::Busy("the upload cannot be committed any more".to_owned())),
        }
    }
}

/// Asks whether the entries that a transaction puts may name their chunks.
///
/// # Errors
///
/// [`FilerError::Busy`]: they may not. Nothing was changed.
pub(super) async fn before_commit(shared: &Shared, transaction: &Transaction) -> Result<Vec<Arc<Intent>>, FilerError> {
    let put = transaction.mutations.iter().filter_map(|step| match step {
        Mutation::Put { entry, .. } => Some(&entry.chunks),
        _ => None,
    });
    let intents = shared.journal.of_chunks(put.flatten());
    for intent in &intents {
        intent.may_commit(shared).await?;
    }
    Ok(intents)
}

/// Ends the uploads whose chunks the caller has freed.
pub(super) fn freed(shared: &Arc<Shared>, chunks: &[FileChunk]) {
    for intent in shared.journal.of_chunks(chunks.iter()) {
        settle(shared, &intent);
    }
}

/// Removes the files of an upload in the background: its chunks are named by an entry, or freed.
pub(super) fn settle(shared: &Arc<Shared>, intent: &Arc<Intent>) {
    {
        let mut open = shared.journal.open();
        intent.chunks().iter().for_each(|chunk| drop(open.of_chunk.remove(chunk)));
        open.ids.remove(&intent.id);
    }
    // Without a runtime the process is ending. Another gateway removes the files.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let (shared, intent) = (Arc::clone(shared), Arc::clone(intent));
    shared.journal.settling.fetch_add(1, Ordering::Relaxed);
    runtime.spawn(async move {
        let lists = (0..intent.lists()).map(|number| files::list_name(&intent.id, number));
        if let Err(error) = claim::settle(&Files::own(&shared), &intent.id, lists).await {
            tracing::debug!(%error, intent = intent.id, "the files of an upload are removed later");
        }
        shared.journal.settling.fetch_sub(1, Ordering::Relaxed);
    });
}

/// Shows other gateways that this one runs, if it has unfinished uploads.
pub(super) async fn heartbeat(shared: &Shared) -> Result<(), FilerError> {
    if shared.journal.open().ids.is_empty() {
        return Ok(());
    }
    let number = shared.journal.heartbeats.fetch_add(1, Ordering::Relaxed);
    Files::own(shared).put_file(HEARTBEAT.to_owned(), number.to_string().into_bytes()).await
}

/// Waits until the files of ended uploads are removed, and removes the directory of this process if nothing is left in it.
pub(super) async fn sign_off(shared: &Shared) {
    if !shared.journal.was_used.load(Ordering::Relaxed) {
        return;
    }
    let settled = async {
        while shared.journal.settling.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(SIGN_OFF_WITHIN, settled).await.is_ok()
        && let Err(error) = Files::own(shared).remove_directory().await
    {
        tracing::debug!(%error, "the directory of this gateway's uploads is removed later");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seaweedfs::{FilerAddress, Options, SeaweedFiler, Security};

    #[tokio::test]
    async fn a_record_that_failed_is_not_sent_again() {
        // Nothing listens there.
        let filers = FilerAddress::parse_list("127.0.0.1:1.1").unwrap();
        let filer = SeaweedFiler::connect(Options::new(filers, Security::default()));
        let intent = Intent::new("1".to_owned(), "/buckets/bucket".to_owned());
        let first = intent.add(&filer.shared, "3,01637037d6").await;
        assert!(matches!(first, Err(FilerError::Unavailable(_))), "{first:?}");
        let second = intent.add(&filer.shared, "3,02637037d6").await;
        assert!(matches!(second, Err(FilerError::Busy(_))), "{second:?}");
    }
}
