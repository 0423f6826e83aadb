//! The directory of a bucket on a filer. Its entry says what the bucket is, and everything in the bucket is below it.

use std::time::Duration;

use filer::{Condition, Entry, Filer, FilerConfiguration, FilerError, Mutation, Transaction};
use ids::{BucketLife, ObjectKey, Stage};

use crate::metadata::BucketMetadata;
use crate::object::PLAIN_DIRECTORY_ETAG;
use crate::rules::{self, Standing};
use crate::settings::AttributePatch;
use crate::{attributes, listing, object, settings};

/// How long a deletion waits before it tries to delete the volumes again; twice as long each time, 3 s in total.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_millis(1600);

/// How often a change of a bucket starts again because another one was faster.
const TURNS: usize = 16;

/// The directory of one bucket. It need not exist.
#[derive(Clone)]
pub struct BucketDirectory<'a> {
    pub(crate) filer: &'a dyn Filer,
    pub(crate) configuration: &'a FilerConfiguration,
    path: String,
}

/// A state of a bucket that rules out some changes: the value of one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketState {
    name: &'static str,
    value: &'static str,
}

impl BucketState {
    /// Its objects may be locked.
    pub const LOCKED: Self = Self { name: attributes::LOCK_ENABLED, value: "Enabled" };
    /// It keeps versions.
    pub const VERSIONED: Self = Self { name: attributes::VERSIONING, value: "Enabled" };
    /// It keeps the versions of before.
    pub const SUSPENDED: Self = Self { name: attributes::VERSIONING, value: "Suspended" };

    fn is_not(&self) -> Condition {
        Condition::AttributeIsNot { name: self.name.to_owned(), value: self.value.to_owned() }
    }
}

/// A bucket's life as the filer holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLife {
    /// Which bucket it is, and how far its deletion has got.
    pub life: BucketLife,
    /// What the filer may compare as the entry's ETag: the text in which the life is recorded. Buckets of other programs
    /// have none; SeaweedFS and the embedded filer then have an ETag of their own each.
    etags: Vec<String>,
    /// Nothing shows that anyone created the bucket: the filer makes such directories itself.
    pub(crate) is_bare: bool,
}

impl<'a> BucketDirectory<'a> {
    /// The directory of the bucket with this name.
    pub fn new(filer: &'a dyn Filer, configuration: &'a FilerConfiguration, name: &str) -> Self {
        Self { filer, configuration, path: object::bucket_path(&configuration.buckets_root, name) }
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        self.split().1
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path of an object. The trailing slash of a directory marker's key is not part of it.
    pub fn path_of(&self, key: &ObjectKey) -> String {
        object::path_below(&self.path, key.as_str())
    }

    /// The collection of volumes that holds the bucket's data.
    pub fn collection(&self) -> String {
        let name = self.name();
        match self.configuration.filer_group.as_str() {
            "" => name.to_owned(),
            group => format!("{group}_{name}"),
        }
    }

    /// Its entry.
    pub async fn entry(&self) -> Result<Option<Entry>, FilerError> {
        self.filer.lookup(&self.path).await
    }

    /// True if the bucket can be deleted, because it has no objects and no versions. Unfinished uploads do not count, as
    /// on AWS.
    pub async fn is_empty(&self) -> Result<bool, FilerError> {
        listing::is_empty(self.filer, &self.path).await
    }

    /// The bucket's life; `None` if there is no entry.
    pub async fn life(&self) -> Result<Option<StoredLife>, FilerError> {
        let entry = self.entry().await?.filter(|entry| entry.is_directory);
        Ok(entry.map(|entry| StoredLife::of(&entry)))
    }

    /// Announces that the bucket is about to be deleted. Fails with `PreconditionFailed` if it is no longer at the stage
    /// that was seen.
    pub async fn announce(&self, seen: &StoredLife) -> Result<StoredLife, FilerError> {
        self.set_stage(seen, Stage::Announced(mark())).await
    }

    /// Removes an announcement. Fails with `PreconditionFailed` if the bucket is no longer at the stage that was seen.
    pub async fn withdraw(&self, seen: &StoredLife) -> Result<StoredLife, FilerError> {
        let life = seen.life.at(Stage::Active);
        let text = life.standing_text(&mark());
        self.set_text(seen, life, text, None).await
    }

    /// Decides that the bucket is deleted. From then on no write below it succeeds. Fails with `PreconditionFailed` if the bucket is
    /// no longer at the stage that was seen.
    pub async fn decide(&self, seen: &StoredLife, now_s: i64) -> Result<StoredLife, FilerError> {
        self.set_stage(seen, Stage::Deleted { since_s: now_s, mark: mark() }).await
    }

    /// The same for a bucket with everything in it. Fails with `PreconditionFailed` also if it keeps versions or has object
    /// lock by now, whatever was known when the request was read.
    pub async fn decide_with_objects(&self, seen: &StoredLife, now_s: i64) -> Result<StoredLife, FilerError> {
        let states = [BucketState::VERSIONED, BucketState::SUSPENDED, BucketState::LOCKED];
        let conditions = [seen.is_unchanged()].into_iter().chain(states.iter().map(BucketState::is_not)).collect();
        let life = seen.life.at(Stage::Deleted { since_s: now_s, mark: mark() });
        let text = life.to_text();
        self.set_text_if(conditions, life, text, None).await
    }

    async fn set_stage(&self, seen: &StoredLife, stage: Stage) -> Result<StoredLife, FilerError> {
        let life = seen.life.at(stage);
        let text = life.to_text();
        self.set_text(seen, life, text, None).await
    }

    async fn set_text(
        &self,
        seen: &StoredLife,
        life: BucketLife,
        text: String,
        content: Option<Vec<u8>>,
    ) -> Result<StoredLife, FilerError> {
        self.set_text_if(vec![seen.is_unchanged()], life, text, content).await
    }

    async fn set_text_if(
        &self,
        conditions: Vec<Condition>,
        life: BucketLife,
        text: String,
        content: Option<Vec<u8>>,
    ) -> Result<StoredLife, FilerError> {
        let set = [(attributes::LIFE.to_owned(), text.clone().into_bytes())].into();
        self.only_if(conditions, self.patch_step(AttributePatch { set, ..AttributePatch::default() }, content)).await?;
        Ok(StoredLife { life, etags: vec![text], is_bare: false })
    }

    /// Changes tags, CORS and encryption of the bucket with this id, which share one message. A change that another one
    /// overtakes starts again, so that neither is lost. A deletion that is only announced starts again as well. Returns what is
    /// stored then, or `None` if `change` returned false, and nothing was changed.
    ///
    /// Fails with `Missing` if the bucket is gone, and with `Damaged` if the message cannot be read.
    pub async fn change_metadata(
        &self,
        id: &str,
        change: impl Fn(&mut BucketMetadata) -> bool,
    ) -> Result<Option<BucketMetadata>, FilerError> {
        for _ in 0..TURNS {
            match self.try_to_change_metadata(id, &change).await {
                Err(FilerError::PreconditionFailed) => {}
                done => return done,
            }
        }
        Err(FilerError::Unavailable(format!("several requests are changing `{}`", self.name())))
    }

    async fn try_to_change_metadata(
        &self,
        id: &str,
        change: impl Fn(&mut BucketMetadata) -> bool,
    ) -> Result<Option<BucketMetadata>, FilerError> {
        let missing = || FilerError::Missing(self.name().to_owned());
        let entry = self.entry().await?.filter(|entry| entry.is_directory).ok_or_else(missing)?;
        let seen = StoredLife::of(&entry);
        if rules::standing(&seen.life, id) == Standing::Gone {
            return Err(missing());
        }
        let damaged = |error: prost::DecodeError| FilerError::Damaged(self.path.clone(), error.to_string());
        let mut metadata = BucketMetadata::read(&entry.content).map_err(damaged)?;
        if !change(&mut metadata) {
            return Ok(None);
        }
        let life = seen.life.at(Stage::Active);
        let text = life.standing_text(&mark());
        self.set_text(&seen, life, text, Some(metadata.to_content())).await?;
        Ok(Some(metadata))
    }

    /// Creates the bucket. Fails with `PreconditionFailed` if it exists.
    pub async fn create(&self, entry: Entry) -> Result<(), FilerError> {
        let put = Mutation::Put { directory: self.split().0.to_owned(), entry: Box::new(entry) };
        self.only_if(vec![Condition::NotExists], put).await
    }

    /// Changes attributes of the bucket, and its content if one is given. Fails with `PreconditionFailed` if it does not
    /// exist.
    pub async fn patch(&self, patch: AttributePatch, content: Option<Vec<u8>>) -> Result<(), FilerError> {
        self.only_if(vec![Condition::Exists], self.patch_step(patch, content)).await
    }

    /// Changes attributes of the bucket. Fails with `PreconditionFailed` if it does not exist, or is in this state.
    pub async fn patch_unless(&self, state: &BucketState, patch: AttributePatch) -> Result<(), FilerError> {
        self.only_if(vec![Condition::Exists, state.is_not()], self.patch_step(patch, None)).await
    }

    /// Removes a bucket whose deletion is decided. It removes the volumes first, because once the name is free they
    /// could belong to the next bucket. Succeeds if another gateway did it; a bucket that was made since keeps its volumes.
    pub async fn remove(&self, deleted: &StoredLife) -> Result<(), FilerError> {
        if self.life().await?.is_none_or(|now| now.life != deleted.life) {
            return Ok(());
        }
        self.delete_volumes().await?;
        let (directory, name) = self.split();
        let (directory, name) = (directory.to_owned(), name.to_owned());
        let delete = Mutation::Delete { directory, name, delete_data: true, recursive: true };
        match self.only_if(vec![deleted.is_unchanged()], delete).await {
            Err(FilerError::PreconditionFailed) => Ok(()),
            done => done,
        }
    }

    /// Carries out a deletion that another gateway decided but did not finish. True if there was one.
    pub async fn finish_abandoned(&self, now_s: i64) -> Result<bool, FilerError> {
        match self.life().await? {
            Some(stored) if rules::is_abandoned(&stored.life.stage, now_s) => {
                self.remove(&stored).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Deletes the volumes. The name stays taken until this succeeds, so it must not fail because the filer briefly
    /// cannot reach its master.
    async fn delete_volumes(&self) -> Result<(), FilerError> {
        let collection = self.collection();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.filer.delete_collection(&collection).await {
                Ok(()) => return Ok(()),
                Err(error) if pause > LAST_PAUSE => return Err(error),
                Err(error) => tracing::warn!(%error, collection, "volumes could not be deleted; trying again"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    fn patch_step(&self, AttributePatch { set, remove }: AttributePatch, content: Option<Vec<u8>>) -> Mutation {
        let (directory, name) = self.split();
        Mutation::Patch { directory: directory.to_owned(), name: name.to_owned(), set, remove, content }
    }

    async fn only_if(&self, conditions: Vec<Condition>, step: Mutation) -> Result<(), FilerError> {
        let (lock_key, mutations) = (self.path.clone(), vec![step]);
        self.filer.transact(Transaction { lock_key, conditions, mutations, ..Transaction::default() }).await
    }

    /// The directory above it, and its name.
    fn split(&self) -> (&str, &str) {
        object::split_path(&self.path)
    }
}

impl StoredLife {
    fn of(entry: &Entry) -> Self {
        let text = entry.extended_text(attributes::LIFE).filter(|text| !text.is_empty());
        let etags = match text {
            Some(text) => vec![text.to_owned()],
            None => vec![PLAIN_DIRECTORY_ETAG.to_owned(), entry.etag()],
        };
        Self { life: settings::life(entry), etags, is_bare: !settings::was_created(entry) }
    }

    /// A condition that holds only while the bucket is as it was seen: at this stage, with the same tags, CORS rules and
    /// encryption.
    fn is_unchanged(&self) -> Condition {
        Condition::EtagMatches(self.etags.clone())
    }
}

fn mark() -> std::sync::Arc<str> {
    hex::encode(rand::random::<[u8; 8]>()).into()
}
