//! The embedded filer: a tree of entries with data and a change feed in one directory of this machine.
//!
//! Metadata is in `meta.redb` (entries, small bodies, change feed), larger bodies are files below `data`. What was
//! acknowledged survives a kill at any moment: data is durable before, or together with, the entry that names it, and an
//! entry's data is removed only after the entry is durably gone.

mod apply;
mod chunk;
mod commit;
mod condition;
mod feed;
mod key;
mod listing;
mod read;
mod reap;
mod tables;
mod write;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use md5::{Digest, Md5};
use prost::Message;
use redb::Database;
use tokio::sync::{oneshot, watch};

use crate::entry::{Entry, FileChunk};
use crate::filer::{
    Below, BytesIn, BytesOut, Feed, FeedFilter, Filer, FilerConfiguration, FilerError, ListOptions, Mutation,
    Transaction, WriteTarget, Written,
};
use chunk::{ChunkId, Chunks};
use commit::{Committer, Job, Published};
use reap::{Reaper, Task};
pub use tables::OpenError;

/// The one process that there is.
const MEMBER: &str = "embedded";
/// Where buckets live.
const BUCKETS_ROOT: &str = "/buckets";
/// Bytes per data file.
const CHUNK_BYTES: usize = 8 << 20;

/// A filer in one directory. One process at a time has it open; dropping it closes it, once its reads have ended.
pub struct EmbeddedFiler {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    committer: Option<JoinHandle<()>>,
    reaper: Option<JoinHandle<()>>,
}

/// What requests and threads have in common.
struct Shared {
    database: Database,
    chunks: Arc<Chunks>,
    data: PathBuf,
    /// How many times the directory was opened.
    start: u64,
    next_chunk: AtomicU64,
    signature: i32,
    published: watch::Receiver<Published>,
    tasks: mpsc::Sender<Task>,
    closing: AtomicBool,
}

impl EmbeddedFiler {
    /// Opens a directory, or makes it. Only this user can enter it.
    pub fn open(directory: impl AsRef<Path>) -> Result<EmbeddedFiler, OpenError> {
        let directory = directory.as_ref();
        tables::private_directory(directory)?;
        let opened = tables::open(directory, rand::random())?;
        let data = directory.join("data");
        make_data_directories(directory, &data)?;
        let last = Published { position: opened.last_change, ts_ns: opened.last_change_ns };
        let (publish, published) = watch::channel(last);
        let (jobs, jobs_in) = mpsc::channel();
        let (tasks, tasks_in) = mpsc::channel();
        let shared = Arc::new(Shared {
            database: opened.database,
            chunks: Arc::default(),
            data,
            start: opened.start,
            next_chunk: AtomicU64::new(0),
            signature: opened.signature,
            published,
            tasks: tasks.clone(),
            closing: AtomicBool::new(false),
        });
        let committer = Committer { shared: shared.clone(), jobs: jobs_in, reaper: tasks, published: publish };
        let reaper = Reaper { shared: shared.clone(), tasks: tasks_in, jobs: jobs.clone() };
        let swept_start = opened.swept_start;
        let committer = thread(directory, "filer-commit", move || committer.run())?;
        let reaper = thread(directory, "filer-reap", move || reaper.run(swept_start))?;
        Ok(EmbeddedFiler { shared, jobs, committer: Some(committer), reaper: Some(reaper) })
    }
}

fn thread(directory: &Path, name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map_err(|source| OpenError::Io { path: directory.to_owned(), source })
}

fn make_data_directories(directory: &Path, data: &Path) -> Result<(), OpenError> {
    if data.join("ff").is_dir() {
        return Ok(());
    }
    tables::private_directory(data)?;
    for name in 0..=u8::MAX {
        tables::private_directory(&data.join(format!("{name:02x}")))?;
    }
    let parent = directory.join("..");
    for made in [data, directory, &parent] {
        let synced = File::open(made).and_then(|directory| directory.sync_all());
        synced.map_err(|source| OpenError::Io { path: made.to_owned(), source })?;
    }
    Ok(())
}

impl Drop for EmbeddedFiler {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        let _ = self.jobs.send(Job::Stop);
        self.shared.reap(Task::Stop);
        for thread in [self.committer.take(), self.reaper.take()].into_iter().flatten() {
            // a thread that panicked has said so
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn next_chunk(&self, small: bool) -> ChunkId {
        ChunkId::new(self.start, self.next_chunk.fetch_add(1, Ordering::Relaxed), small)
    }

    fn data_directory(&self, directory: u8) -> PathBuf {
        self.data.join(format!("{directory:02x}"))
    }

    fn data_file(&self, id: ChunkId) -> PathBuf {
        self.data_directory(id.directory()).join(id.name())
    }

    fn reap(&self, task: Task) {
        // fails only when the filer is closed, and then the next start does it
        let _ = self.tasks.send(task);
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

/// ns since 1970.
fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn md5_of(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

fn decoded(key: &[u8], stored: &[u8]) -> Result<Entry, FilerError> {
    Entry::decode(stored).map_err(|error| FilerError::Damaged(key::unescaped(key), error.to_string()))
}

fn unreadable(error: redb::Error) -> FilerError {
    FilerError::Other(format!("the metadata database cannot be read: {error}"))
}

/// Runs what may wait for a disk where it holds nobody up.
async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, FilerError> + Send + 'static,
) -> Result<T, FilerError> {
    let ended = tokio::task::spawn_blocking(run).await;
    ended.unwrap_or_else(|error| Err(FilerError::Other(format!("the filer stopped: {error}"))))
}

#[async_trait]
impl Filer for EmbeddedFiler {
    async fn configuration(&self) -> Result<FilerConfiguration, FilerError> {
        Ok(FilerConfiguration {
            buckets_root: BUCKETS_ROOT.to_owned(),
            chunk_bytes: CHUNK_BYTES,
            cipher: false,
            filer_group: String::new(),
            signature: self.shared.signature,
            version: format!("embedded {}", env!("CARGO_PKG_VERSION")),
            files_beside_directories: true,
            checks_required: true,
        })
    }

    // On the caller's thread: a few microseconds, less than handing it to another thread takes.
    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError> {
        listing::lookup(&self.shared, path)
    }

    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        let (shared, directory) = (self.shared.clone(), directory.to_owned());
        blocking(move || listing::list(&shared, &directory, &options)).await
    }

    async fn below(&self, directory: &str, limit: usize) -> Result<Option<Below>, FilerError> {
        // As for a look-up: a few entries are read sooner than they are handed to another thread.
        let few = listing::below(&self.shared, directory, limit.min(listing::SAMPLE))?;
        if few.is_complete || limit <= listing::SAMPLE {
            return Ok(Some(few));
        }
        let (shared, directory) = (self.shared.clone(), directory.to_owned());
        blocking(move || listing::below(&shared, &directory, limit)).await.map(Some)
    }

    async fn transact(&self, transaction: Transaction) -> Result<(), FilerError> {
        let closed = || FilerError::Unavailable("the filer was closed, or its database failed: see its log".to_owned());
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Transact(Box::new(transaction), answer)).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    async fn write(&self, _target: &WriteTarget, body: BytesIn<'_>) -> Result<Written, FilerError> {
        write::write(&self.shared, body).await
    }

    async fn read(&self, entry: &Entry, from: u64, length: u64) -> Result<BytesOut, FilerError> {
        read::read(&self.shared, entry, from, length).await
    }

    async fn resolve_chunks(&self, chunks: &[FileChunk]) -> Result<Vec<FileChunk>, FilerError> {
        chunks.iter().map(|chunk| ChunkId::of(chunk).map(|_| chunk.clone())).collect()
    }

    async fn delete_chunks(&self, chunks: Vec<FileChunk>) {
        let ids = chunks.iter().filter_map(|chunk| ChunkId::of(chunk).ok()).collect();
        if self.jobs.send(Job::Free(ids)).is_err() {
            tracing::warn!("data that nothing names is left to the next start: the filer is closed");
        }
    }

    async fn delete_collection(&self, _collection: &str) -> Result<(), FilerError> {
        Ok(())
    }

    async fn members(&self) -> Result<Vec<String>, FilerError> {
        Ok(vec![MEMBER.to_owned()])
    }

    async fn put_through(&self, _filer: &str, directory: &str, entry: Entry) -> Result<(), FilerError> {
        let lock_key = format!("{directory}/{}", entry.name);
        let mutations = vec![Mutation::Put { directory: directory.to_owned(), entry: Box::new(entry) }];
        self.transact(Transaction { lock_key, mutations, ..Transaction::default() }).await
    }

    async fn lookup_through(&self, _filer: &str, path: &str) -> Result<Option<Entry>, FilerError> {
        self.lookup(path).await
    }

    async fn subscribe(&self, filter: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError> {
        Ok(vec![(MEMBER.to_owned(), feed::subscribe(&self.shared, filter))])
    }
}
