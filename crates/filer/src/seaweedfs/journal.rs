//! What uploads of several chunks are about to store, written down on the filer, so that other gateways find what one that is
//! killed leaves behind.
//!
//! Each upload has files in the directory of its gateway: the intent, lists of its chunks, and what [`claim`] needs. They go when
//! an entry names the chunks, or when the chunks are freed. An upload of one chunk has none: its chunk is stored once the whole
//! body has arrived, and its entry follows at once.

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

pub use self::sweep::{LeftUploads, Sweeper, left_uploads};

/// The directory with one directory for each gateway.
const ROOT: &str = "/seaweedfs/kelpgate/uploads";
/// The file that a gateway with unfinished uploads rewrites to show that it is there.
const ALIVE: &str = "alive";
/// The file that a gateway rewrites at the end of a walk through a bucket.
const MARK: &str = "walked";
/// How many chunks one list names: it is written again as it grows.
const LIST_CHUNKS: usize = 16;
/// How long the end of the process waits for files that are being removed.
const SIGN_OFF_WITHIN: Duration = Duration::from_secs(3);

/// The unfinished uploads of this process.
pub(super) struct Journal {
    /// Whether uploads are written down.
    is_on: bool,
    /// The name of this process's directory, new at each start.
    gateway: String,
    open: Mutex<Open>,
    /// How many removals of files are under way.
    settling: AtomicUsize,
    was_used: AtomicBool,
    beats: AtomicU64,
    counts: Counts,
}

#[derive(Default)]
struct Open {
    /// The ids of all intents.
    ids: HashSet<String>,
    /// The intents of whole uploads that no entry names yet, by the addresses of their chunks.
    of_chunk: HashMap<String, Arc<Intent>>,
}

/// What became of uploads that gateways left behind, since the start.
#[derive(Default)]
pub(super) struct Counts {
    freed_chunks: AtomicU64,
    unsettled: AtomicI64,
}

/// What one upload is about to store.
pub(super) struct Intent {
    id: String,
    /// The directory of its bucket.
    bucket: String,
    /// The addresses of its chunks.
    chunks: Mutex<Vec<String>>,
    /// How many of them are written down. Who holds this writes.
    written: tokio::sync::Mutex<usize>,
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
            beats: AtomicU64::new(0),
            counts: Counts::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many chunks of dead gateways this process has freed, and how many uploads it had to leave in its last round.
    pub(super) fn counts(&self) -> (u64, i64) {
        (self.counts.freed_chunks.load(Ordering::Relaxed), self.counts.unsettled.load(Ordering::Relaxed))
    }

    /// The intent of an upload that begins. Nothing is written before its first chunk. `None` outside of buckets, and where uploads
    /// are not written down.
    pub(super) fn begin(&self, shared: &Shared, target: &WriteTarget) -> Option<Arc<Intent>> {
        let bucket = shared.bucket_directory(&target.path).filter(|_| self.is_on)?;
        let id = hex::encode(rand::random::<[u8; 16]>());
        self.open().ids.insert(id.clone());
        self.was_used.store(true, Ordering::Relaxed);
        Some(Arc::new(Intent {
            id,
            bucket: bucket.trim_end_matches('/').to_owned(),
            chunks: Mutex::default(),
            written: tokio::sync::Mutex::default(),
            stage: tokio::sync::Mutex::new(Stage::Uploading),
        }))
    }

    /// The whole body is stored. From now on the chunks belong to whoever commits or frees them.
    pub(super) fn stored(&self, intent: &Arc<Intent>) {
        let chunks = intent.chunks();
        self.open().of_chunk.extend(chunks.into_iter().map(|chunk| (chunk, Arc::clone(intent))));
    }

    /// The intents of chunks.
    fn of_chunks<'c>(&self, chunks: impl Iterator<Item = &'c FileChunk>) -> Vec<Arc<Intent>> {
        let open = self.open();
        if open.of_chunk.is_empty() {
            return Vec::new();
        }
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
    fn chunks(&self) -> Vec<String> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes down a chunk. Several that come at the same time are one write.
    pub(super) async fn add(&self, shared: &Shared, chunk: &str) -> Result<(), FilerError> {
        let number = {
            let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
            chunks.push(chunk.to_owned());
            chunks.len()
        };
        let mut written = self.written.lock().await;
        if *written >= number {
            return Ok(());
        }
        let chunks = self.chunks();
        Files::own(shared).write_down(self, &chunks, *written).await?;
        *written = chunks.len();
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
                    tracing::warn!(intent = self.id, "another gateway took this one for dead, and an upload is lost")
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

/// Asks whether the entries that a transaction puts may name their chunks. Fails with [`FilerError::Busy`]: nothing was changed.
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

/// Chunks were freed that no entry names.
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
    // Without a runtime the process is ending, and the files go once it is gone.
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

/// Shows other gateways that this one is there, if it has unfinished uploads.
pub(super) async fn beat(shared: &Shared) -> Result<(), FilerError> {
    if shared.journal.open().ids.is_empty() {
        return Ok(());
    }
    let beat = shared.journal.beats.fetch_add(1, Ordering::Relaxed);
    Files::own(shared).put_file(ALIVE.to_owned(), beat.to_string().into_bytes()).await
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
