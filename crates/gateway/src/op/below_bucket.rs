//! Writes below a bucket that may be deleted at the same time: one of the two gives way.
//!
//! DeleteBucket announces itself on the bucket's entry, waits until every gateway knows, checks that the bucket is empty, and
//! decides by compare-and-swap of the announcement ([`super::delete_bucket`]). Each write checks for an announcement afterwards.
//! If this gateway knows of none, the deletion has yet to check for objects, and will find what was written. Otherwise the writer
//! removes the announcement, so the deletion can no longer be decided. If that comes too late, the write is undone. The check reads
//! memory: only a write that meets a deletion asks the filer again.

use filer::{Condition, FilerError, Mutation, Transaction};
use iam::{Bucket, BucketLife, LIFE, Stage};

use super::Call;
use super::new_entry::{PLAIN_DIRECTORY_ETAG, still};
use crate::gateway::Gateway;
use crate::object::{self, attribute};

/// How often a writer takes an announcement away before it gives up. Each deletion announces itself a few times at most.
const TURNS: usize = 16;

impl Gateway {
    /// Whether this gateway knows that nobody is deleting the bucket. First the lease, then the state, as in [`Gateway::state_for`].
    fn knows_that_stands(&self, bucket: &Bucket) -> bool {
        self.fence.may_decide()
            && self
                .snapshot
                .load()
                .as_deref()
                .and_then(|snapshot| snapshot.bucket(&bucket.name))
                .is_some_and(|known| known.life.id == bucket.life.id && known.life.stage == Stage::Stands)
    }
}

impl Call<'_> {
    /// Runs a transaction that puts an entry at a path below the operation's bucket.
    pub async fn write_below(&self, path: &str, transaction: Transaction) -> Result<(), FilerError> {
        self.before_write().await?;
        self.filer().transact(self.requiring_bucket(transaction)).await?;
        self.after_write(path).await
    }

    /// The same transaction, done only while the bucket has an entry, where the filer can see to that.
    pub(super) fn requiring_bucket(&self, transaction: Transaction) -> Transaction {
        if !self.gateway.filer_configuration.checks_required {
            return transaction;
        }
        let requires = self.bucket.as_ref().map(|bucket| object::bucket_path(self.buckets_root(), &bucket.name));
        Transaction { requires, ..transaction }
    }

    /// To be asked before a write below the bucket: a filer may make the directory of a deleted bucket again.
    pub(super) async fn before_write(&self) -> Result<(), FilerError> {
        if self.bucket_stands().await? { Ok(()) } else { Err(self.missing_bucket()) }
    }

    /// To be asked after a write below the bucket, before it is answered. Error: the bucket is gone, and so is what was written.
    pub(super) async fn after_write(&self, path: &str) -> Result<(), FilerError> {
        if self.bucket_stands().await? {
            return Ok(());
        }
        if let Err(error) = self.remove_stray(path).await {
            tracing::warn!(%error, path, "an entry may stay behind that was written while its bucket was deleted");
        }
        Err(self.missing_bucket())
    }

    fn missing_bucket(&self) -> FilerError {
        FilerError::Missing(self.bucket.as_ref().map(|bucket| bucket.name.to_string()).unwrap_or_default())
    }

    /// Whether the bucket is still the one that the request was decided for, and no deletion that was announced by now can be decided.
    async fn bucket_stands(&self) -> Result<bool, FilerError> {
        let Some(bucket) = self.bucket.as_deref() else { return Ok(false) };
        if self.gateway.knows_that_stands(bucket) {
            return Ok(true);
        }
        let path = object::bucket_path(self.buckets_root(), &bucket.name);
        for _ in 0..TURNS {
            let Some(stored) = self.stored_life(&path).await?.filter(|stored| stored.life.id == bucket.life.id) else {
                return Ok(false);
            };
            match &stored.life.stage {
                Stage::Stands => return Ok(true),
                Stage::Deleted { .. } => return Ok(false),
                Stage::Announced(_) => match self.set_stage(&path, &stored, Stage::Stands).await {
                    Ok(_) => return Ok(true),
                    // Another writer was faster, or the deletion was.
                    Err(FilerError::PreconditionFailed) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        Err(FilerError::Unavailable(format!("several requests are deleting `{}`", bucket.name)))
    }

    /// What the filer holds of a bucket's life; `None` if there is no such entry, or one that the filer made for what is below it.
    pub(super) async fn stored_life(&self, bucket_path: &str) -> Result<Option<StoredLife>, FilerError> {
        let entry = self.filer().lookup(bucket_path).await?.filter(|entry| entry.is_directory);
        Ok(entry.map(|entry| {
            let text = entry.extended_text(LIFE);
            let life = BucketLife::read(text, entry.attributes().crtime);
            let is_bare = text.is_none() && !entry.extended.contains_key(attribute::OWNER);
            StoredLife { life, has_text: text.is_some(), is_bare }
        }))
    }

    /// Moves a bucket to another stage, if it still is at the one that was seen. Error: `PreconditionFailed` if not.
    pub(super) async fn set_stage(
        &self,
        bucket_path: &str,
        seen: &StoredLife,
        stage: Stage,
    ) -> Result<StoredLife, FilerError> {
        let life = seen.life.at(stage);
        let (directory, name) = object::split_path(bucket_path);
        let patch = Mutation::Patch {
            directory: directory.to_owned(),
            name: name.to_owned(),
            set: [(LIFE.to_owned(), life.to_text().into_bytes())].into(),
            remove: Vec::new(),
            content: None,
        };
        self.filer().transact(seen.only_then(bucket_path, patch)).await?;
        Ok(StoredLife { life, has_text: true, is_bare: false })
    }

    /// Removes what this request wrote after its bucket was gone, and the directories that the filer made for it, the bucket's too.
    async fn remove_stray(&self, path: &str) -> Result<(), FilerError> {
        let Some(bucket) = self.bucket.as_deref() else { return Ok(()) };
        let is_ours = |entry: &filer::Entry| {
            let written = (entry.attributes().mtime, entry.attributes().mtime_ns);
            written == (self.now.as_second(), self.now.subsec_nanosecond())
        };
        if let Some(entry) = self.filer().lookup(path).await?.filter(is_ours) {
            // The caller frees the data, as that of every write that was refused.
            self.remove_if_empty(path, still(&entry).into_iter().collect()).await?;
        }
        let bucket_path = object::bucket_path(self.buckets_root(), &bucket.name);
        let found = self.stored_life(&bucket_path).await?;
        if found.as_ref().is_some_and(|found| !found.is_bare && !found.life.is_deleted()) {
            return Ok(()); // The next bucket of this name: empty directories do not show.
        }
        let mut directory = object::split_path(path).0;
        while directory.len() > bucket_path.len() {
            self.remove_if_empty(directory, Vec::new()).await?;
            directory = object::split_path(directory).0;
        }
        if found.is_some_and(|found| found.is_bare) {
            let plain = Condition::EtagMatches(vec![PLAIN_DIRECTORY_ETAG.to_owned()]);
            self.remove_if_empty(&bucket_path, vec![plain]).await?;
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

/// A bucket's life as the filer holds it.
pub(super) struct StoredLife {
    pub(super) life: BucketLife,
    /// It is written on the entry; buckets of other programs have none.
    has_text: bool,
    /// Nothing says that anybody made the bucket: the filer makes such directories by itself.
    is_bare: bool,
}

impl StoredLife {
    /// A step that is taken only while the bucket is at this stage.
    pub(super) fn only_then(&self, bucket_path: &str, step: Mutation) -> Transaction {
        let same = if self.has_text { Condition::EtagMatches(vec![self.life.to_text()]) } else { Condition::Exists };
        Transaction {
            lock_key: bucket_path.to_owned(),
            conditions: vec![same],
            mutations: vec![step],
            ..Transaction::default()
        }
    }
}
