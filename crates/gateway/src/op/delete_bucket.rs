//! DeleteBucket: announced, waited for, decided by compare-and-swap, done. How writes answer to that: [`super::below_bucket`].
//!
//! A crash in between leaves an announcement, which stops nobody and serves the next deletion, or a decision, which the next request to
//! delete or make the bucket carries out.

use std::time::Duration;

use access::Permit;
use filer::{FilerError, Mutation};
use http::StatusCode;
use iam::{Bucket, Stage};
use ids::BucketName;
use s3::op::DeleteBucket;
use s3::{S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::below_bucket::StoredLife;
use super::new_entry::conflict;
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::{errors, listing};

/// How often a deletion that a write or another deletion got in the way of begins again.
const ATTEMPTS: usize = 6;
/// A decision that is older was made by a gateway that died: another one carries it out. Longer than any call to the filer lasts.
const ABANDONED_S: i64 = 60;
/// How long a deletion waits before it asks for the volumes' deletion again; each time twice as long, 3 s in all.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_millis(1600);

/// Removes a bucket that has no object and no version, with whatever unfinished uploads it has.
impl Run for DeleteBucket {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let change = call.gateway.fence.before_change();
        let deleted = match call.existing_bucket() {
            Ok(bucket) => decide(call, bucket, &input.bucket).await,
            Err(no_such_bucket) => call.finish_abandoned(&input.bucket).await.and(Err(no_such_bucket)),
        };
        match &deleted {
            Ok(deleted) => call.carry_out(&input.bucket, deleted).await?,
            Err(error) if error.code == S3ErrorCode::NoSuchBucket => {}
            Err(error) => return Err(error.clone()),
        }
        // A request that repeats one that was answered `ChangeNotYetEnforced` waits as well: that there is no such bucket is answered
        // when it is so on every gateway.
        let known = call.bucket.as_ref().map(|bucket| bucket.life.id.clone());
        let is_gone = move |bucket: Option<&Bucket>| {
            bucket
                .is_none_or(|bucket| bucket.life.is_deleted() || known.as_ref().is_some_and(|id| *id != bucket.life.id))
        };
        call.gateway.in_force(change, &input.bucket, is_gone).await?;
        deleted?;
        answer::empty(StatusCode::NO_CONTENT)
    }
}

/// Decides that the bucket is deleted: from then on no write below it is answered with success.
async fn decide(call: &Call<'_>, bucket: &Bucket, name: &BucketName) -> Result<StoredLife, S3Error> {
    let path = call.bucket_path(name);
    let may_be_full = call.gateway.settings.allow_delete_bucket_not_empty;
    if may_be_full && (bucket.object_lock || bucket.keeps_versions()) {
        return Err(S3Error::not_implemented("Deleting a bucket with versioning or object lock"));
    }
    for _ in 0..ATTEMPTS {
        let decided = if may_be_full {
            decide_at_once(call, bucket, name, &path).await
        } else {
            decide_if_empty(call, bucket, name, &path).await
        };
        match decided {
            Err(Undecided::Overtaken) => {}
            Err(Undecided::Refused(error)) => return Err(error),
            Ok(deleted) => return Ok(deleted),
        }
    }
    Err(conflict())
}

/// Why a bucket is not deleted.
enum Undecided {
    /// A write took the announcement away, or another deletion was faster: look again.
    Overtaken,
    Refused(S3Error),
}

impl From<S3Error> for Undecided {
    fn from(error: S3Error) -> Self {
        Undecided::Refused(error)
    }
}

impl From<FilerError> for Undecided {
    fn from(error: FilerError) -> Self {
        match error {
            FilerError::PreconditionFailed => Undecided::Overtaken,
            error => Undecided::Refused(errors::from_filer(error)),
        }
    }
}

/// Whatever is in it. Writes that are answered before the other gateways know are deleted with the rest.
async fn decide_at_once(
    call: &Call<'_>,
    bucket: &Bucket,
    name: &BucketName,
    path: &str,
) -> Result<StoredLife, Undecided> {
    let change = call.gateway.fence.before_change();
    let stored = standing(call, bucket, path).await?;
    let deleted = call.set_stage(path, &stored, call.deleted_now()).await?;
    if let Err(error) = wait_for_gateways(call, change, name, &deleted).await {
        tracing::warn!(%error, bucket = %name, "a bucket goes before every gateway knows: the answer says so");
    }
    Ok(deleted)
}

async fn decide_if_empty(
    call: &Call<'_>,
    bucket: &Bucket,
    name: &BucketName,
    path: &str,
) -> Result<StoredLife, Undecided> {
    // A bucket that is in use is not announced: nobody has to take it away.
    require_empty(call, path).await?;
    let change = call.gateway.fence.before_change();
    let stored = standing(call, bucket, path).await?;
    let announced = match stored.life.stage {
        // What another deletion announced, or left behind, serves as well: one of the two decides.
        Stage::Announced(_) => stored,
        _ => call.set_stage(path, &stored, Stage::Announced(mark())).await?,
    };
    wait_for_gateways(call, change, name, &announced).await?;
    if let Err(not_empty) = require_empty(call, path).await {
        // Nobody has to know: an announcement that stays stops nobody.
        let _ = call.set_stage(path, &announced, Stage::Stands).await;
        return Err(not_empty.into());
    }
    Ok(call.set_stage(path, &announced, call.deleted_now()).await?)
}

/// The bucket that the request was decided for, if it is there and not deleted.
async fn standing(call: &Call<'_>, bucket: &Bucket, path: &str) -> Result<StoredLife, Undecided> {
    let stored = call.stored_life(path).await?;
    let same = stored.filter(|stored| stored.life.id == bucket.life.id && !stored.life.is_deleted());
    same.ok_or_else(|| Undecided::Refused(S3Error::new(S3ErrorCode::NoSuchBucket)))
}

/// Waits until every gateway knows the stage, or one after it. If one may not, nothing is decided, and nothing has to be undone.
async fn wait_for_gateways(
    call: &Call<'_>,
    change: Box<dyn crate::fence::Enforcement>,
    name: &BucketName,
    stored: &StoredLife,
) -> Result<(), S3Error> {
    let shows = |known: Option<&Bucket>| known.is_none_or(|known| known.life == stored.life);
    call.gateway.in_force(change, name, shows).await.map_err(|error| {
        let refused = errors::unavailable("Not every gateway knows yet that the bucket is to be deleted. Try again.");
        S3Error { fields: error.fields, ..refused }
    })
}

async fn require_empty(call: &Call<'_>, path: &str) -> Result<(), S3Error> {
    if listing::is_empty(call.filer(), path).await.map_err(errors::from_filer)? {
        return Ok(());
    }
    let name = crate::object::split_path(path).1;
    Err(S3Error::new(S3ErrorCode::BucketNotEmpty).field("BucketName", name))
}

fn mark() -> std::sync::Arc<str> {
    hex::encode(rand::random::<[u8; 8]>()).into()
}

impl Call<'_> {
    fn deleted_now(&self) -> Stage {
        Stage::Deleted { since_s: jiff::Timestamp::now().as_second(), mark: mark() }
    }

    /// Removes a bucket whose deletion is decided. The volumes go first: once the name is free they may be those of the next bucket.
    async fn carry_out(&self, bucket: &BucketName, deleted: &StoredLife) -> Result<(), S3Error> {
        self.delete_volumes(bucket).await?;
        let delete = Mutation::Delete {
            directory: self.buckets_root().to_owned(),
            name: bucket.to_string(),
            delete_data: true,
            recursive: true,
        };
        match self.filer().transact(deleted.only_then(&self.bucket_path(bucket), delete)).await {
            Err(FilerError::PreconditionFailed) => Ok(()), // Another gateway did it.
            done => done.map_err(errors::from_filer),
        }
    }

    /// The name stays taken until this has succeeded: a filer that does not reach its master for a moment should not fail it.
    async fn delete_volumes(&self, bucket: &BucketName) -> Result<(), S3Error> {
        let collection = self.gateway.collection(bucket.as_str());
        let mut pause = FIRST_PAUSE;
        loop {
            match self.filer().delete_collection(&collection).await {
                Ok(()) => return Ok(()),
                Err(error) if pause > LAST_PAUSE => return Err(errors::from_filer(error)),
                Err(error) => tracing::warn!(%error, collection, "volumes could not be deleted; trying again"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    /// Carries out a deletion that was decided by a gateway that did not come to it. True if there was one.
    pub(super) async fn finish_abandoned(&self, bucket: &BucketName) -> Result<bool, S3Error> {
        let path = self.bucket_path(bucket);
        let Some(stored) = self.stored_life(&path).await.map_err(errors::from_filer)? else { return Ok(false) };
        let Stage::Deleted { since_s, .. } = stored.life.stage else { return Ok(false) };
        if self.now.as_second().saturating_sub(since_s) < ABANDONED_S {
            return Ok(false);
        }
        self.carry_out(bucket, &stored).await?;
        Ok(true)
    }
}
