//! Writes below a bucket that may be deleted at the same time: one of the two gives way.
//!
//! DeleteBucket announces itself on the bucket's entry, waits until every gateway knows, checks that the bucket is empty, and
//! decides by compare-and-swap of the announcement. Each write checks for an announcement afterwards. If this gateway knows of
//! none, the deletion has yet to check for objects, and will find what was written. Otherwise the writer removes the
//! announcement, so the deletion can no longer be decided. If that comes too late, the write is undone. The check reads
//! memory: only a write that meets a deletion asks the filer again.

use std::sync::Arc;

use filer::{Condition, Entry, Filer, FilerError, Mutation, Transaction};
use ids::DefaultRetention;

use crate::new_entry::Stamp;
use crate::object;
use crate::object::{PLAIN_DIRECTORY_ETAG, still};
use crate::objects::Objects;
use crate::rules::{self, Refusal, Standing};
use crate::settings;

/// How often a writer removes an announcement before it gives up. Each deletion announces itself a few times at most.
const TURNS: usize = 16;

/// Whether this gateway knows that no one is deleting the bucket for which the request was decided. It checks its lease
/// first, then its state.
pub type IsKnownActive<'a> = Box<dyn Fn() -> bool + Send + Sync + 'a>;

/// Compares the bucket's versioning and object lock with those for which the request was decided.
pub type CheckRules<'a> = Box<dyn Fn() -> RulesCheck + Send + Sync + 'a>;

/// Whether a bucket still has the versioning and object lock for which a request was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulesCheck {
    /// It has.
    Unchanged,
    /// It has others.
    Changed,
    /// This gateway does not know by now.
    Unknown,
}

/// The object lock of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectLock {
    /// The retention of new objects that come without one.
    pub default: Option<DefaultRetention>,
}

/// What a write has seen of the versions of its key.
#[derive(Debug, Clone, Default)]
pub enum SeenVersions {
    /// It has yet to look.
    #[default]
    NotLooked,
    /// The directory of the versions; `None` if the key has none.
    Directory(Option<Box<Entry>>),
}

/// Writes the objects of one bucket for one request.
pub struct Writer<'a> {
    /// The bucket's objects.
    pub objects: Objects<'a>,
    /// What the entries that it makes have in common.
    pub stamp: Stamp,
    /// The bucket's object lock, if it has one.
    pub(crate) lock: Option<ObjectLock>,
    /// Which of the successive buckets with the same name the request was decided for.
    life_id: Arc<str>,
    is_known_active: IsKnownActive<'a>,
    check_rules: CheckRules<'a>,
}

impl<'a> Writer<'a> {
    /// Refuses buckets whose objects cannot be written yet. `life_id` is the id of the bucket for which the request was
    /// decided.
    pub fn new(
        objects: Objects<'a>,
        lock: Option<ObjectLock>,
        life_id: Arc<str>,
        stamp: Stamp,
        is_known_active: IsKnownActive<'a>,
    ) -> Result<Self, Refusal> {
        rules::may_write(objects.versioning, lock.is_some())?;
        Ok(Self { objects, stamp, lock, life_id, is_known_active, check_rules: Box::new(|| RulesCheck::Unchanged) })
    }

    /// The same for a request that may last: it writes nothing once the bucket has other rules. Otherwise the body of an upload
    /// could be held back until what it replaces is locked.
    pub fn while_rules_hold(self, check_rules: CheckRules<'a>) -> Self {
        Self { check_rules, ..self }
    }

    pub(crate) fn filer(&self) -> &'a dyn Filer {
        self.objects.directory.filer
    }

    /// Runs a transaction that puts an entry at a path below the bucket.
    pub(crate) async fn transact(&self, path: &str, transaction: Transaction) -> Result<(), FilerError> {
        self.before_write().await?;
        self.filer().transact(self.requiring_bucket(transaction)).await?;
        self.after_write(path).await
    }

    /// The same transaction, run only while the bucket has an entry, if the filer can check that.
    pub(crate) fn requiring_bucket(&self, transaction: Transaction) -> Transaction {
        let directory = &self.objects.directory;
        let requires = directory.configuration.checks_required.then(|| directory.path().to_owned());
        Transaction { requires, ..transaction }
    }

    /// The same for what is not an object, such as a part of an upload. The bucket's rules may be others by now.
    pub(crate) async fn transact_beside_objects(&self, path: &str, transaction: Transaction) -> Result<(), FilerError> {
        self.require_bucket().await?;
        self.filer().transact(self.requiring_bucket(transaction)).await?;
        self.after_write(path).await
    }

    /// Call this before a write below the bucket, because a filer may create the directory of a deleted bucket again.
    pub(crate) async fn before_write(&self) -> Result<(), FilerError> {
        self.require_bucket().await?;
        if self.rules_hold().await? { Ok(()) } else { Err(FilerError::PreconditionFailed) }
    }

    async fn require_bucket(&self) -> Result<(), FilerError> {
        if self.bucket_stands().await? { Ok(()) } else { Err(self.missing_bucket()) }
    }

    async fn rules_hold(&self) -> Result<bool, FilerError> {
        match (self.check_rules)() {
            RulesCheck::Unchanged => return Ok(true),
            RulesCheck::Changed => return Ok(false),
            RulesCheck::Unknown => {}
        }
        let stored = self.objects.directory.entry().await?;
        Ok(stored.is_some_and(|entry| {
            settings::versioning(&entry) == self.objects.versioning
                && settings::has_object_lock(&entry) == self.lock.is_some()
        }))
    }

    /// Call this after a write below the bucket, before it is answered. Fails if the bucket is gone; what was written
    /// is then removed.
    pub(crate) async fn after_write(&self, path: &str) -> Result<(), FilerError> {
        if self.bucket_stands().await? {
            return Ok(());
        }
        if let Err(error) = self.remove_stray(path).await {
            tracing::warn!(%error, path, "an entry written while its bucket was deleted may not have been removed");
        }
        Err(self.missing_bucket())
    }

    fn missing_bucket(&self) -> FilerError {
        FilerError::Missing(self.objects.directory.name().to_owned())
    }

    /// Whether the bucket is still the one for which the request was decided, and no deletion announced by now can be
    /// decided.
    async fn bucket_stands(&self) -> Result<bool, FilerError> {
        if (self.is_known_active)() {
            return Ok(true);
        }
        let directory = &self.objects.directory;
        for _ in 0..TURNS {
            let Some(stored) = directory.life().await? else { return Ok(false) };
            match rules::standing(&stored.life, &self.life_id) {
                Standing::Active => return Ok(true),
                Standing::Gone => return Ok(false),
                Standing::Announced => match directory.withdraw(&stored).await {
                    Ok(_) => return Ok(true),
                    // Another writer or the deletion was faster.
                    Err(FilerError::PreconditionFailed) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        Err(FilerError::Unavailable(format!("several requests are deleting `{}`", directory.name())))
    }

    /// Removes what this request wrote after its bucket was gone, and the directories that the filer made for it,
    /// including the bucket's.
    async fn remove_stray(&self, path: &str) -> Result<(), FilerError> {
        let is_ours = |entry: &Entry| {
            let written = (entry.attributes().mtime, entry.attributes().mtime_ns);
            written == (self.stamp.seconds, self.stamp.nanoseconds)
        };
        if let Some(entry) = self.filer().lookup(path).await?.filter(is_ours) {
            // The caller frees the data, as for every refused write.
            self.remove_if_empty(path, still(&entry).into_iter().collect()).await?;
        }
        let bucket_path = self.objects.directory.path();
        let found = self.objects.directory.life().await?;
        if found.as_ref().is_some_and(|found| !found.is_bare && !found.life.is_deleted()) {
            return Ok(()); // This is the next bucket with the name. Empty directories are not visible there.
        }
        let mut directory = object::split_path(path).0;
        while directory.len() > bucket_path.len() {
            self.remove_if_empty(directory, Vec::new()).await?;
            directory = object::split_path(directory).0;
        }
        if found.is_some_and(|found| found.is_bare) {
            let plain = Condition::EtagMatches(vec![PLAIN_DIRECTORY_ETAG.to_owned()]);
            self.remove_if_empty(bucket_path, vec![plain]).await?;
        }
        Ok(())
    }

    /// Removes an entry without its data, unless something is below it or a condition does not hold.
    async fn remove_if_empty(&self, path: &str, conditions: Vec<Condition>) -> Result<(), FilerError> {
        let (directory, name) = object::split_path(path);
        let (directory, name) = (directory.to_owned(), name.to_owned());
        let mutations = vec![Mutation::Delete { directory, name, delete_data: false, recursive: false }];
        let transaction = Transaction { lock_key: path.to_owned(), conditions, mutations, ..Transaction::default() };
        match self.filer().transact(transaction).await {
            Err(FilerError::PreconditionFailed | FilerError::NotEmpty(_)) => Ok(()),
            done => done,
        }
    }
}
