//! The embedded filer: a tree of entries with data and a change feed in one directory of this machine.
//!
//! Metadata is in `meta.redb` (entries, small bodies, change feed). Larger bodies are files below `data`. Everything
//! acknowledged survives a kill at any moment: data is durable before the entry that names it, or together with it, and
//! an entry's data is removed only after the entry is durably gone.

mod apply;
pub mod backup;
mod blocks;
mod change;
mod chunk;
mod commit;
mod condition;
mod database;
mod database_file;
mod feed;
mod job;
mod key;
mod layout;
mod listing;
mod open_error;
mod pages;
mod quota;
mod read;
mod reap;
mod scrub;
mod shrink;
mod space;
mod tables;
mod upgrade;
mod write;

use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use md5::{Digest, Md5};
use prost::Message;
use tokio::sync::{oneshot, watch};

use crate::entry::{Entry, FileChunk};
use crate::filer::{
    Below, BytesIn, BytesOut, Feed, FeedFilter, Filer, FilerConfiguration, FilerError, ListOptions, Mutation,
    Transaction, WriteTarget, Written,
};
use blocks::Broken;
use change::Published;
use chunk::{ChunkId, Chunks};
use commit::Committer;
use database::Store;
use database_file::Opener;
use job::Job;
pub use layout::{ROOT_CREDENTIALS_FILE, SESSION_KEY_FILE};
pub use open_error::OpenError;
use quota::Counted;
pub use quota::Quotas;
use reap::{Reaper, Task};
pub use scrub::{Finding, Progress, Scrubber, Step};
pub use space::DiskSpace;
use space::Space;

/// The name of the only process.
const MEMBER: &str = "embedded";
/// Where buckets live.
const BUCKETS_ROOT: &str = "/buckets";
/// The largest data file, in bytes.
const CHUNK_BYTES: usize = 8 << 20;

/// A filer in one directory. Only one process at a time can open it. Dropping it closes it, once its reads have ended.
pub struct EmbeddedFiler {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    committer: Option<JoinHandle<()>>,
    reaper: Option<JoinHandle<()>>,
    backups: Option<backup::Listener>,
}

/// What requests and threads share.
struct Shared {
    store: Store,
    space: Arc<Space>,
    quotas: Counted,
    chunks: Arc<Chunks>,
    holds: Arc<backup::Holds>,
    directory: PathBuf,
    /// How many times the directory has been opened.
    start: u64,
    /// Data files of starts from this one on have checksums.
    sums_from: u64,
    /// How many reads of data files found something else than what was written.
    damaged_files: AtomicU64,
    scrubbed: Mutex<Progress>,
    next_chunk: AtomicU64,
    signature: i32,
    published: watch::Receiver<Published>,
    tasks: mpsc::Sender<Task>,
    closing: AtomicBool,
}

impl EmbeddedFiler {
    /// Opens a directory as a server does: creates what does not exist, and removes what earlier writes left unfinished.
    /// Only this user can enter the directory.
    pub fn open(directory: impl AsRef<Path>) -> Result<EmbeddedFiler, OpenError> {
        let directory = directory.as_ref();
        tables::private_directory(directory)?;
        Self::begin(directory, Opener::Server)
    }

    /// Opens the directory of a server that is not running, as tools do: a directory without a store is refused and left
    /// as it is.
    pub fn open_existing(directory: impl AsRef<Path>) -> Result<EmbeddedFiler, OpenError> {
        Self::begin(directory.as_ref(), Opener::Tool)
    }

    fn begin(directory: &Path, opener: Opener) -> Result<EmbeddedFiler, OpenError> {
        if directory.join(backup::MARKER).exists() {
            return Err(OpenError::Unfinished(directory.to_owned()));
        }
        let space = Arc::new(Space::of(directory));
        let opened = tables::open(directory, opener, rand::random(), &space)?;
        space.restore();
        let data = directory.join("data");
        make_data_directories(directory, &data)?;
        let last = Published { position: opened.last_change, ts_ns: opened.last_change_ns };
        let (publish, published) = watch::channel(last);
        let (jobs, jobs_in) = mpsc::channel();
        let (tasks, tasks_in) = mpsc::channel();
        let shared = Arc::new(Shared {
            store: opened.store,
            space,
            quotas: Counted::default(),
            chunks: Arc::default(),
            holds: Arc::default(),
            directory: directory.to_owned(),
            start: opened.start,
            sums_from: opened.sums_from,
            damaged_files: AtomicU64::new(0),
            scrubbed: Mutex::default(),
            next_chunk: AtomicU64::new(0),
            signature: opened.signature,
            published,
            tasks: tasks.clone(),
            closing: AtomicBool::new(false),
        });
        let committer = Committer {
            shared: shared.clone(),
            jobs: jobs_in,
            reaper: tasks,
            published: publish,
            is_behind: Cell::new(false),
        };
        let reaper = Reaper { shared: shared.clone(), tasks: tasks_in, jobs: jobs.clone() };
        let swept_start = (opener == Opener::Server).then_some(opened.swept_start);
        let committer = thread(directory, "filer-commit", move || committer.run())?;
        let reaper = thread(directory, "filer-reap", move || reaper.run(swept_start))?;
        let backups = backup::Listener::start(&shared);
        Ok(EmbeddedFiler { shared, jobs, committer: Some(committer), reaper: Some(reaper), backups })
    }
}

/// How an embedded filer is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Why the database cannot be used at the moment; `None` if it can.
    pub closed: Option<String>,
    /// How many reads of data files found something else than what was written, since the filer was opened.
    pub corrupt_data_reads: u64,
    /// How many reads of database pages found something else than what was written, since the filer was opened.
    pub corrupt_database_reads: u64,
    /// What the disk has room for.
    pub room: DiskSpace,
    /// Free bytes of the disk.
    pub free_bytes: u64,
    /// The scrubbing so far.
    pub scrub: Progress,
}

impl EmbeddedFiler {
    /// How the filer is doing at the moment.
    pub fn health(&self) -> Health {
        let (room, free_bytes) = self.shared.space.room();
        Health {
            room,
            free_bytes,
            closed: self.shared.store.closed(),
            corrupt_data_reads: self.shared.damaged_files.load(Ordering::Relaxed),
            corrupt_database_reads: self.shared.store.pages().damaged(),
            scrub: *self.shared.scrubbed.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl EmbeddedFiler {
    /// Limits the bytes of buckets from now on. Counts what they hold first; writes wait meanwhile.
    pub async fn limit(&self, quotas: Quotas) -> Result<(), FilerError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Limit(quotas, answer)).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// The bytes of each bucket that has a quota, and the quota.
    pub fn quotas(&self) -> Vec<(String, u64, u64)> {
        self.shared.quotas.usage().map(|usage| usage.rows()).unwrap_or_default()
    }
}

impl EmbeddedFiler {
    /// Gives the room of what was deleted in the database back to the disk. Returns the bytes of its file before and
    /// after. Nothing else is answered meanwhile.
    pub fn compact(&self) -> Result<(u64, u64), FilerError> {
        self.shared.compact()
    }
}

#[cfg(any(test, feature = "conformance"))]
impl EmbeddedFiler {
    /// Lets writes and syncs fail with an error after so many more of them, or no longer: to test what a failing disk
    /// does.
    pub fn fail_writes(&self, fault: Option<(u64, std::io::ErrorKind)>) {
        self.shared.space.set_fault(fault);
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
        drop(self.backups.take());
        let _ = self.jobs.send(Job::Stop);
        self.shared.reap(Task::Stop);
        for thread in [self.committer.take(), self.reaper.take()].into_iter().flatten() {
            // A thread that panicked has reported it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn next_chunk(&self, small: bool) -> ChunkId {
        ChunkId::new(self.start, self.next_chunk.fetch_add(1, Ordering::Relaxed), small)
    }

    fn data_directory(&self, number: u8) -> PathBuf {
        data_directory_of(&self.directory, number)
    }

    fn data_file(&self, id: ChunkId) -> PathBuf {
        data_file_of(&self.directory, id)
    }

    fn database_file(&self) -> PathBuf {
        self.directory.join(layout::DATABASE_FILE)
    }

    fn database_bytes(&self) -> u64 {
        std::fs::metadata(self.database_file()).map_or(0, |file| file.len())
    }

    /// Returns the bytes of the database's file before and after.
    fn compact(&self) -> Result<(u64, u64), FilerError> {
        let before = self.database_bytes();
        self.store.compact()?;
        Ok((before, self.database_bytes()))
    }

    fn progress(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.scrubbed.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether the file of a chunk has checksums.
    fn has_sums(&self, id: ChunkId) -> bool {
        id.start() >= self.sums_from
    }

    /// Counts and logs a data file that is not what was written. Returns the error for its reader.
    fn broken(&self, id: ChunkId, path: &Path, broken: &Broken) -> FilerError {
        if let Broken::Changed(why) = broken {
            self.damaged_files.fetch_add(1, Ordering::Relaxed);
            tracing::error!(path = %path.display(), %why, "a data file is corrupt; `kelpgate scrub` shows which objects are affected");
        }
        broken.error(id, path)
    }

    fn reap(&self, task: Task) {
        // This fails only if the filer is closed, and then the next start does it.
        let _ = self.tasks.send(task);
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

/// One of the 256 directories of data files.
fn data_directory_of(directory: &Path, number: u8) -> PathBuf {
    directory.join("data").join(format!("{number:02x}"))
}

/// The data file of a chunk.
fn data_file_of(directory: &Path, id: ChunkId) -> PathBuf {
    data_directory_of(directory, id.directory()).join(id.name())
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

fn closed() -> FilerError {
    FilerError::Unavailable("the filer was closed, or its database failed: see its log".to_owned())
}

/// Runs what may wait for a disk on a thread where it delays no one.
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
            holds_every_name: true,
            checks_required: true,
        })
    }

    // Done on the caller's thread: it takes a few microseconds, less than handing it to another thread.
    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError> {
        listing::lookup(&self.shared, path)
    }

    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError> {
        let (shared, directory) = (self.shared.clone(), directory.to_owned());
        blocking(move || listing::list(&shared, &directory, &options)).await
    }

    async fn below(&self, directory: &str, limit: usize) -> Result<Option<Below>, FilerError> {
        // As for a look-up: reading a few entries is faster than handing the work to another thread.
        let few = listing::below(&self.shared, directory, limit.min(listing::SAMPLE))?;
        if few.is_complete || limit <= listing::SAMPLE {
            return Ok(Some(few));
        }
        let (shared, directory) = (self.shared.clone(), directory.to_owned());
        blocking(move || listing::below(&shared, &directory, limit)).await.map(Some)
    }

    async fn transact(&self, transaction: Transaction) -> Result<(), FilerError> {
        self.shared.space.admit_transaction(&transaction)?;
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Transact(Box::new(transaction), answer)).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    async fn accepts(&self, path: &str) -> Result<(), FilerError> {
        self.shared.quotas.accepts(path)
    }

    async fn write(&self, target: &WriteTarget, body: BytesIn<'_>) -> Result<Written, FilerError> {
        self.shared.space.admit(target.expected_bytes.unwrap_or_default())?;
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
            tracing::warn!("the filer is closed; the next start removes the data that no entry names");
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
