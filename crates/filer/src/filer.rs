//! The seam: exactly what the gateway and the IAM store need from a filer.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use crate::entry::{Entry, FileChunk};
use crate::guards::Guards;
use crate::note::Note;

/// The bytes of an upload. An error ends the upload. Its text is for the log; the creator of the stream knows the
/// cause.
pub type BytesIn<'a> = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send + 'a>>;
/// The bytes of a download.
pub type BytesOut = Pin<Box<dyn Stream<Item = Result<Bytes, FilerError>> + Send>>;
/// The change feed. It ends only with an error. Its reader must list everything again before it relies on a new feed.
pub type Feed = Pin<Box<dyn Stream<Item = Result<FeedItem, FilerError>> + Send>>;

/// The sender of a body stopped or sent something wrong. The creator of the stream keeps the reason.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the body ended early: {0}")]
pub struct BodyError(pub String);

/// Why a call to a filer failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FilerError {
    /// The condition of a transaction did not hold; nothing was changed.
    #[error("a precondition of the write did not hold")]
    PreconditionFailed,
    /// There is a file where a directory is needed: `a` exists and `a/b` is to be written.
    #[error("`{0}` is a file, so nothing can be stored below it")]
    ParentIsFile(String),
    /// There is a directory where a file is to be written.
    #[error("`{0}` is a directory on the filer")]
    ExistingIsDirectory(String),
    /// There is a file where a directory is to be written.
    #[error("`{0}` is a file on the filer")]
    ExistingIsFile(String),
    /// A directory that is not empty was to be removed without `recursive`.
    #[error("`{0}` is not empty")]
    NotEmpty(String),
    /// The directory that a transaction [requires](Transaction::requires) has no entry; nothing was changed.
    #[error("`{0}` does not exist")]
    Missing(String),
    /// The path component is longer than the filer allows.
    #[error("`{0}` is longer than the filer allows")]
    NameTooLong(String),
    /// The filer does not [hold every name](FilerConfiguration::holds_every_name), and not this one.
    #[error("`{0}` cannot be stored on this filer")]
    NameNotHeld(String),
    /// The stored bytes are under server-side encryption, which this version does not read.
    #[error("the object is stored under server-side encryption, which is not supported yet")]
    Encrypted,
    /// The stored bytes are missing or do not match their entry.
    #[error("stored data of `{0}` cannot be read: {1}")]
    Damaged(String, String),
    /// The body that was being written ended early.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// No filer or volume server answered in time. A later attempt may succeed.
    #[error("the filer is not available: {0}")]
    Unavailable(String),
    /// Too much is on its way to the volume servers. Nothing was changed; a later attempt may succeed.
    #[error("the volume servers are busy: {0}")]
    Busy(String),
    /// A filer has joined or left, and the gateways do not agree yet which filer guards the path: see [`Guards`].
    /// Nothing was changed; a later attempt succeeds.
    #[error("not all gateways use the same filers yet; nothing was changed, try again")]
    NotAgreed,
    /// The disk is full or read-only. Nothing was changed; deletions may still succeed.
    #[error("no space left to store anything: {0}")]
    Full(String),
    /// Nothing more may be stored below this path, by a rule of `filer.conf` or a quota. Nothing was changed; deletions succeed.
    #[error("nothing more may be stored below `{0}`")]
    ReadOnly(String),
    /// Any other error of the filer.
    #[error("the filer answered: {0}")]
    Other(String),
}

/// What a filer says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilerConfiguration {
    /// Where buckets live, without a slash at the end: `/buckets`.
    pub buckets_root: String,
    /// Upload chunk size in bytes.
    pub chunk_bytes: usize,
    /// Whether the filer wants chunks encrypted.
    pub cipher: bool,
    /// Prefix of collection names, or empty.
    pub filer_group: String,
    /// Identifies the store of the filer that answered. Another store has another signature.
    pub signature: i32,
    /// The filer's own version text.
    pub version: String,
    /// Whether `a` and `a/b` may exist side by side (embedded filer).
    pub files_beside_directories: bool,
    /// Whether a name may be any text without `/` (embedded filer). SeaweedFS changes paths with empty segments, `.` or `..`.
    pub holds_every_name: bool,
    /// Whether [`Transaction::requires`] is checked. SeaweedFS cannot make a condition on a second entry.
    pub checks_required: bool,
}

/// Where a listing begins and ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Return only names that begin with this.
    pub prefix: String,
    /// Begin after this name (or at it, if `inclusive`); empty for the beginning.
    pub start_from: String,
    /// Whether to include `start_from` itself.
    pub inclusive: bool,
    /// The most entries to return; 1 or more. If a file and a directory have the same name (embedded filer) and the
    /// page would end between them, the directory is included as one more, so that paging by name misses neither.
    pub limit: usize,
    /// Whether to leave `chunks` out of the answers: a listing of objects needs only sizes and ETags. Filers that
    /// cannot do this may ignore it.
    pub omit_chunks: bool,
}

/// What is below a directory, at any depth.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Below {
    /// Paths relative to the directory, with their entries, in no particular order. The path of a directory ends in a
    /// slash. A directory that exists only because of what is below it has no entry.
    pub entries: Vec<(String, Entry)>,
    /// If false, there is more, and the entries are only a sample.
    pub is_complete: bool,
}

/// A condition on the entry at the transaction's `condition_key` (default `lock_key`). All conditions must hold.
///
/// If a file and a directory may have the same name (embedded filer), the conditions of a transaction that puts an
/// entry at this path are about what it would replace: a file if it puts a file, a directory's own entry if it puts a
/// directory. Otherwise they are about what [`Filer::lookup`] finds there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The entry does not exist.
    NotExists,
    /// The entry exists.
    Exists,
    /// Its ETag (`Seaweed-X-Amz-ETag`, else hex MD5, else by chunks) is one of these, without quotes; `*` for any.
    EtagMatches(Vec<String>),
    /// Its ETag is not one of these; `*` for any. Holds if there is no entry.
    EtagDiffers(Vec<String>),
    /// Not changed since (seconds since 1970). Holds if there is no entry.
    UnmodifiedSince(i64),
    /// Changed since (seconds since 1970). Holds if there is no entry.
    ModifiedSince(i64),
    /// An attribute does not have this value. Holds if there is no entry, or no such attribute.
    AttributeIsNot {
        /// Its name.
        name: String,
        /// The value.
        value: String,
    },
    /// The time in an attribute (seconds since 1970, decimal) has come, by the filer's clock. Holds if there is no
    /// entry, or no such attribute; a value that is not a time never comes.
    TimeHasCome {
        /// Its name.
        name: String,
        /// The time counts only if this other attribute has this value.
        only_if: Option<(String, String)>,
    },
}

/// One step of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Mutation {
    /// Create or replace an entry. Missing parents are created. Data of the replaced entry is freed unless it is
    /// reused.
    Put {
        /// The directory, without a slash at the end.
        directory: String,
        /// The entry, including its name.
        entry: Box<Entry>,
    },
    /// Remove an entry. An absent entry counts as removed.
    Delete {
        /// The directory.
        directory: String,
        /// The name. On the embedded filer, `a/` is the directory if there is also a file `a`.
        name: String,
        /// Whether to free the data as well.
        delete_data: bool,
        /// Whether to remove everything below a directory too.
        recursive: bool,
    },
    /// Merge attributes into an entry. An absent entry stays absent.
    Patch {
        /// The directory.
        directory: String,
        /// The name, as for `Delete`.
        name: String,
        /// Attributes to set.
        set: BTreeMap<String, Vec<u8>>,
        /// Attributes to remove.
        remove: Vec<String>,
        /// New inline content, if it changes.
        content: Option<Vec<u8>>,
    },
    /// Note on a directory which of its files is the first by name, or the last.
    Note(Box<Note>),
}

/// Steps under one lock, after the conditions are checked. On SeaweedFS, earlier steps stay applied if a later one
/// fails, so order the steps so that stopping after any of them is safe.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transaction {
    /// The path that is locked. Its owner in the ring of filers runs the transaction.
    pub lock_key: String,
    /// Conditions on the entry at `condition_key`, or at `lock_key` if absent.
    pub conditions: Vec<Condition>,
    /// The path that the conditions are about, if it is not the locked one.
    pub condition_key: Option<String>,
    /// The steps.
    pub mutations: Vec<Mutation>,
    /// A directory that must have an entry of its own when the steps are applied; otherwise the transaction fails with
    /// [`FilerError::Missing`]. A filer that does not [check it](FilerConfiguration::checks_required) ignores it.
    pub requires: Option<String>,
}

/// What determines where data is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteTarget {
    /// The path that the object will have. The rules of filer.conf apply to it.
    pub path: String,
    /// The collection (bucket) to which the volumes belong.
    pub collection: String,
    /// The content type, a hint for compression.
    pub mime: String,
    /// The size in bytes, if the client has announced it.
    pub expected_bytes: Option<u64>,
}

/// Stored data that no entry names yet. Its holder puts it into an entry or passes it to [`Filer::delete_chunks`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Written {
    /// The chunks, in order, offsets from 0.
    pub chunks: Vec<FileChunk>,
    /// The total number of bytes.
    pub bytes: u64,
    /// The raw MD5 of the plain bytes.
    pub md5: [u8; 16],
}

/// One item of the change feed.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedItem {
    /// Something changed.
    Change(Change),
    /// There is nothing new up to `ts_ns`, and the stream is alive.
    Heartbeat {
        /// The filer's clock, ns since 1970.
        ts_ns: i64,
    },
}

/// A change of one entry. A rename has both entries, with different directories or names. The embedded filer leaves
/// `chunks` out of both entries, and does not report directories that it creates and removes itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The directory of `old` (and of `new`, unless `new_directory` says otherwise).
    pub directory: String,
    /// The entry before the change; `None` for a creation.
    pub old: Option<Box<Entry>>,
    /// The entry after the change; `None` for a removal.
    pub new: Option<Box<Entry>>,
    /// The directory of `new` if it moved; empty otherwise.
    pub new_directory: String,
    /// The position on the filer's clock, in ns since 1970. It grows along the stream.
    pub ts_ns: i64,
}

/// The changes that a subscriber wants: everything whose path begins with a prefix, and everything directly inside a
/// directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedFilter {
    /// Path prefixes, such as `/etc/iam/`.
    pub prefixes: Vec<String>,
    /// Directories whose direct children are wanted, such as `/buckets`.
    pub directories: Vec<String>,
}

/// A tree of entries with data and a change feed.
///
/// Paths are absolute, `/`-separated and have no slash at the end, not even for directories. The exception is
/// [`Filer::lookup`], where `a/` means the directory if there is also a file `a`.
#[async_trait]
pub trait Filer: Send + Sync + 'static {
    /// What the filer says about itself. It is requested once at the start, and by health checks.
    async fn configuration(&self) -> Result<FilerConfiguration, FilerError>;

    /// The entry at a path, or `None`.
    async fn lookup(&self, path: &str) -> Result<Option<Entry>, FilerError>;

    /// The same for a caller who asks only what kind of entry it is and for these of its extended attributes. Others may be
    /// missing, and so may its data.
    async fn lookup_for(&self, path: &str, _attributes: &[&str]) -> Result<Option<Entry>, FilerError> {
        self.lookup(path).await
    }

    /// The entry of a directory as [`Filer::lookup_for`] finds it, and its first file by name if the filer can return both in the
    /// time of one lookup. If the file is `None`, the directory may still have one. The errors are those of [`Filer::lookup`].
    async fn lookup_with_first_file(
        &self,
        directory: &str,
        attributes: &[&str],
    ) -> Result<(Option<Entry>, Option<Entry>), FilerError> {
        Ok((self.lookup_for(&format!("{directory}/"), attributes).await?, None))
    }

    /// Entries of a directory in ascending byte order of their names. A directory that does not exist has none.
    async fn list(&self, directory: &str, options: ListOptions) -> Result<Vec<Entry>, FilerError>;

    /// Everything below a directory if that is at most `limit` entries, otherwise a sample. `None` from a filer that
    /// cannot find out in one step: the caller then lists directory by directory.
    async fn below(&self, _directory: &str, _limit: usize) -> Result<Option<Below>, FilerError> {
        Ok(None)
    }

    /// Checks conditions and applies steps under one lock. Returns when the result is durable.
    async fn transact(&self, transaction: Transaction) -> Result<(), FilerError>;

    /// From now on these guards decide to which of the [members](Filer::members) conditional transactions go. A filer
    /// that is a single process guards all paths itself, and needs no guards.
    fn guard_by(&self, _guards: Arc<dyn Guards>) {}

    /// Whether data may be stored at a path, as far as that is known without asking anybody: an early answer, because the filer itself
    /// refuses too. Fails with [`FilerError::ReadOnly`].
    async fn accepts(&self, _path: &str) -> Result<(), FilerError> {
        Ok(())
    }

    /// Stores a body in chunks. Leaves nothing behind if it fails.
    async fn write(&self, target: &WriteTarget, body: BytesIn<'_>) -> Result<Written, FilerError>;

    /// The bytes `from .. from + length` of an entry's content, in order, with zeros for holes. At most a few chunks
    /// are held in memory. The caller must have checked the range against [`Entry::content_bytes`].
    async fn read(&self, entry: &Entry, from: u64, length: u64) -> Result<BytesOut, FilerError>;

    /// The chunks with their manifests resolved, so that another entry can list them with new offsets.
    async fn resolve_chunks(&self, chunks: &[FileChunk]) -> Result<Vec<FileChunk>, FilerError>;

    /// Frees data that no entry names. Failures are logged, not returned, because the data is garbage either way.
    async fn delete_chunks(&self, chunks: Vec<FileChunk>);

    /// Drops a collection (a deleted bucket's volumes). Not an error if there is none.
    async fn delete_collection(&self, collection: &str) -> Result<(), FilerError>;

    /// The processes behind this client whose changes have to be followed, by the names under which all gateways know
    /// them.
    async fn members(&self) -> Result<Vec<String>, FilerError>;

    /// Creates or replaces an entry through one of the [members](Filer::members) and no other, so that the feed of that
    /// process reports the change, after all its earlier changes.
    async fn put_through(&self, filer: &str, directory: &str, entry: Entry) -> Result<(), FilerError>;

    /// The entry at a path as one of the [members](Filer::members) finds it. No other member is asked.
    async fn lookup_through(&self, filer: &str, path: &str) -> Result<Option<Entry>, FilerError>;

    /// The same as [`Filer::list`], answered by one of the [members](Filer::members) and no other.
    async fn list_through(
        &self,
        _filer: &str,
        directory: &str,
        options: ListOptions,
    ) -> Result<Vec<Entry>, FilerError> {
        self.list(directory, options).await
    }

    /// One of the [members](Filer::members) is silent: it is asked last, and [`Filer::subscribe`] leaves it out, until
    /// it answers [`Filer::lookup_through`] again.
    fn avoid(&self, _filer: &str) {}

    /// Opens one change feed for each of the [members](Filer::members) that answers soon, labelled with its name. Fails
    /// if none does. A feed contains everything that happens after this call returns, so its reader must then list
    /// everything.
    async fn subscribe(&self, filter: FeedFilter) -> Result<Vec<(String, Feed)>, FilerError>;
}
