//! The seam: what the gateway and the IAM store need of a filer, and nothing else.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use crate::entry::{Entry, FileChunk};
use crate::guards::Guards;

/// Bytes on their way in. An error ends the upload; its text is for the log, the cause is known to whoever made the stream.
pub type BytesIn<'a> = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send + 'a>>;
/// Bytes on their way out.
pub type BytesOut = Pin<Box<dyn Stream<Item = Result<Bytes, FilerError>> + Send>>;
/// The change feed. It ends only with an error; whoever reads it lists again before trusting a new one.
pub type Feed = Pin<Box<dyn Stream<Item = Result<FeedItem, FilerError>> + Send>>;

/// The sender of a body stopped or sent something wrong; the reason is kept by the maker of the stream.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the body ended early: {0}")]
pub struct BodyError(pub String);

/// Why a filer could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FilerError {
    /// The condition of a transaction did not hold; nothing was changed.
    #[error("a precondition of the write did not hold")]
    PreconditionFailed,
    /// A file stands where a directory is needed: `a` exists and `a/b` is written.
    #[error("`{0}` is a file, so nothing can be stored below it")]
    ParentIsFile(String),
    /// A directory stands where a file is written.
    #[error("`{0}` is a directory on the filer")]
    ExistingIsDirectory(String),
    /// A file stands where a directory is written.
    #[error("`{0}` is a file on the filer")]
    ExistingIsFile(String),
    /// A directory that is not empty was to be removed without `recursive`.
    #[error("`{0}` is not empty")]
    NotEmpty(String),
    /// The directory that a transaction [requires](Transaction::requires) has no entry; nothing was changed.
    #[error("`{0}` is not there")]
    Missing(String),
    /// The path component is longer than the filer takes.
    #[error("`{0}` is longer than the filer takes")]
    NameTooLong(String),
    /// The stored bytes are under server-side encryption, which this version does not read.
    #[error("the object is stored under server-side encryption, which is not supported yet")]
    Encrypted,
    /// The stored bytes are missing or do not match their entry.
    #[error("stored data of `{0}` cannot be read: {1}")]
    Damaged(String, String),
    /// The body that was being written ended early.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// No filer or volume server answered in time. Trying again later may help.
    #[error("the filer is not available: {0}")]
    Unavailable(String),
    /// A filer has joined or left, and gateways do not yet agree which one guards the path: see [`Guards`]. Nothing was changed;
    /// trying again later helps.
    #[error("not all gateways use the same filers yet; nothing was changed, try again")]
    NotAgreed,
    /// Anything else that the filer said.
    #[error("the filer answered: {0}")]
    Other(String),
}

/// What a filer says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilerConfiguration {
    /// Where buckets live, without a slash at the end: `/buckets`.
    pub buckets_root: String,
    /// Upload chunk size in bytes.
    pub chunk_bytes: usize,
    /// The filer wants chunks enciphered.
    pub cipher: bool,
    /// Prefix of collection names, or empty.
    pub filer_group: String,
    /// Which filer process answered; it changes when another store answers.
    pub signature: i32,
    /// The filer's own version text.
    pub version: String,
    /// `a` and `a/b` may exist side by side (embedded filer).
    pub files_beside_directories: bool,
    /// [`Transaction::requires`] is checked. SeaweedFS has no condition on a second entry.
    pub checks_required: bool,
}

/// Where a listing begins and ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Only names that begin with this.
    pub prefix: String,
    /// Begin after this name (or at it, if `inclusive`); empty for the beginning.
    pub start_from: String,
    /// `start_from` itself is wanted as well.
    pub inclusive: bool,
    /// At most so many entries; 1 or more. Where a directory stands beside a file of its name (embedded filer) and the page
    /// ends between them, the directory comes along as one more, so that paging by name misses neither.
    pub limit: usize,
    /// Leave `chunks` out of the answers: a listing of objects needs sizes and ETags only. Filers that cannot may ignore it.
    pub omit_chunks: bool,
}

/// What is below a directory, at any depth.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Below {
    /// Paths from the directory on, and their entries. A directory that exists only by what is below it has none; the path of
    /// another one ends in a slash. In no particular order.
    pub entries: Vec<(String, Entry)>,
    /// False: there is more, and the entries are but a sample.
    pub is_complete: bool,
}

/// A condition on the entry at the transaction's `condition_key` (default `lock_key`). All conditions must hold.
///
/// Where a directory may stand beside a file of its name (embedded filer), a transaction that puts an entry at this path is
/// about what it would replace: a file if it puts a file, a directory's own entry if it puts a directory. Otherwise it is
/// about what [`Filer::lookup`] finds there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// There is no such entry.
    NotExists,
    /// There is one.
    Exists,
    /// Its ETag (`Seaweed-X-Amz-ETag`, else hex MD5, else by chunks) is one of these, without quotes; `*` for any.
    EtagMatches(Vec<String>),
    /// Its ETag is none of these; `*` for any. Holds if there is no entry.
    EtagDiffers(Vec<String>),
    /// Not changed since (seconds since 1970). Holds if there is no entry.
    UnmodifiedSince(i64),
    /// Changed since (seconds since 1970). Holds if there is no entry.
    ModifiedSince(i64),
}

/// One step of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Mutation {
    /// Create or replace an entry (parents are made). Data of the replaced entry that is not reused is freed.
    Put {
        /// The directory, without a slash at the end.
        directory: String,
        /// The entry, its name included.
        entry: Box<Entry>,
    },
    /// Remove an entry; an absent one counts as removed.
    Delete {
        /// The directory.
        directory: String,
        /// The name; on the embedded filer `a/` is the directory beside a file `a`.
        name: String,
        /// Free the data as well.
        delete_data: bool,
        /// Everything below a directory too.
        recursive: bool,
    },
    /// Merge attributes into an entry; an absent entry stays absent.
    Patch {
        /// The directory.
        directory: String,
        /// The name, as for `Delete`.
        name: String,
        /// Attributes to set.
        set: BTreeMap<String, Vec<u8>>,
        /// Attributes to remove.
        remove: Vec<String>,
        /// New inline content, if it is to change.
        content: Option<Vec<u8>>,
    },
}

/// Steps under one lock, with conditions checked first. On SeaweedFS a failing later step leaves earlier ones applied, so
/// order the steps such that each prefix is safe.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transaction {
    /// The path that is locked; the ring owner of it runs the transaction.
    pub lock_key: String,
    /// Conditions on the entry at `condition_key`, or at `lock_key` if absent.
    pub conditions: Vec<Condition>,
    /// The path that the conditions are about, when it is not the locked one.
    pub condition_key: Option<String>,
    /// The steps.
    pub mutations: Vec<Mutation>,
    /// A directory that must have an entry of its own when the steps are taken, or [`FilerError::Missing`]. A filer that does not
    /// [check it](FilerConfiguration::checks_required) passes over it.
    pub requires: Option<String>,
}

/// What a write of data needs to know to choose a place for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteTarget {
    /// The path that the object will have (filer.conf rules apply to it).
    pub path: String,
    /// The collection (bucket) that the volumes belong to.
    pub collection: String,
    /// Content type, a hint for compression.
    pub mime: String,
    /// The size in bytes, if the client told it.
    pub expected_bytes: Option<u64>,
}

/// Data that was stored, not yet named by any entry. Whoever holds it puts it into an entry or gives it to
/// [`Filer::delete_chunks`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Written {
    /// The chunks, in order, offsets from 0.
    pub chunks: Vec<FileChunk>,
    /// Bytes in all.
    pub bytes: u64,
    /// Raw MD5 of the plain bytes.
    pub md5: [u8; 16],
}

/// One item of the change feed.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedItem {
    /// Something changed.
    Change(Change),
    /// Nothing new up to `ts_ns`: the stream is alive.
    Heartbeat {
        /// The filer's clock, ns since 1970.
        ts_ns: i64,
    },
}

/// A change of one entry. A rename has both entries and different directories or names. The embedded filer leaves `chunks`
/// out of both entries, and reports no directories that come and go by themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The directory of `old` (and of `new`, unless `new_directory` says otherwise).
    pub directory: String,
    /// The entry before; `None` for a creation.
    pub old: Option<Box<Entry>>,
    /// The entry after; `None` for a removal.
    pub new: Option<Box<Entry>>,
    /// The directory of `new` when it moved; empty otherwise.
    pub new_directory: String,
    /// Position on the filer's clock, ns since 1970; grows along the stream.
    pub ts_ns: i64,
}

/// Which changes a subscriber wants: everything whose path begins with a prefix, and everything directly inside a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedFilter {
    /// Path prefixes, such as `/etc/iam/`.
    pub prefixes: Vec<String>,
    /// Directories whose direct children are wanted, such as `/buckets`.
    pub directories: Vec<String>,
}

/// A tree of entries with data and a change feed.
///
/// Paths are absolute, `/`-separated, without a slash at the end; a directory is named without one too, except in
/// [`Filer::lookup`], where `a/` asks for the directory where a file `a` stands beside it.
#[async_trait]
pub trait Filer: Send + Sync + 'static {
    /// What the filer says of itself; asked for once at start, and by health checks.
    async fn configuration(&self) -> Result<FilerConfiguration, FilerError>;

    /// The entry at a path, or `None`.
    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError>;

    /// Entries of a directory in ascending byte order of their names. A directory that does not exist has none.
    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError>;

    /// Everything below a directory, if that is at most `limit` entries; a sample if it is more. `None` from a filer that cannot
    /// find out in one step: it is then listed directory by directory.
    async fn below(&self, _directory: &str, _limit: usize) -> Result<Option<Below>, FilerError> {
        Ok(None)
    }

    /// Checks conditions and applies steps under one lock; the answer comes when the result is durable.
    async fn transact(&self, transaction: Transaction) -> Result<(), FilerError>;

    /// From now on conditional transactions ask these guards which of the [members](Filer::members) they go to. A filer that is one
    /// process guards all paths itself, and needs none.
    fn guard_by(&self, _guards: Arc<dyn Guards>) {}

    /// Stores a body in chunks. Nothing stays behind when it fails.
    async fn write(&self, target: &WriteTarget, body: BytesIn<'_>) -> Result<Written, FilerError>;

    /// The bytes `from .. from + length` of an entry's content, in order, holes as zeros. At most a few chunks are held in
    /// memory. The caller has checked the range against [`Entry::content_bytes`].
    async fn read(&self, entry: &Entry, from: u64, length: u64) -> Result<BytesOut, FilerError>;

    /// Chunks whose manifests are resolved, so that they can be listed in another entry with new offsets.
    async fn resolve_chunks(&self, chunks: &[FileChunk]) -> Result<Vec<FileChunk>, FilerError>;

    /// Frees data that no entry names. Failures are logged, not returned: the data is garbage either way.
    async fn delete_chunks(&self, chunks: Vec<FileChunk>);

    /// Drops a collection (a deleted bucket's volumes). Not an error if there is none.
    async fn delete_collection(&self, collection: &str) -> Result<(), FilerError>;

    /// The processes behind this client whose changes have to be followed, by the names that all gateways know them by.
    async fn members(&self) -> Result<Vec<String>, FilerError>;

    /// Creates or replaces an entry through one of the [members](Filer::members) and no other, so that its change is told by that
    /// process's own feed, after the changes that it made before.
    async fn put_through(&self, filer: &str, directory: &str, entry: Entry) -> Result<(), FilerError>;

    /// The entry at a path as one of the [members](Filer::members) finds it, no other being asked.
    async fn lookup_through(&self, filer: &str, path: &str) -> Result<Option<Entry>, FilerError>;

    /// Opens one change feed for each of the [members](Filer::members), labelled with its name; all of them or none. A feed
    /// begins with whatever happens after this call returned; a stream is followed by a full listing by its reader.
    async fn subscribe(&self, filter: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError>;
}
