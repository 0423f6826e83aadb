//! DeleteBucket: it is announced, waited for, decided by compare-and-swap, then carried out. For how writes react to
//! it, see [`bucket::writer`].
//!
//! A crash in between leaves either an announcement, which blocks no one and which the next deletion uses, or a
//! decision, which the next request to delete or create the bucket carries out.

use access::Permit;
use bucket::directory::{BucketDirectory, StoredLife};
use bucket::rules::{self, Standing};
use filer::FilerError;
use http::StatusCode;
use iam::Bucket;
use ids::{BucketName, Stage};
use jiff::Timestamp;
use s3::op::DeleteBucket;
use s3::{S3Error, S3ErrorCode};

use super::answer::{self, Answer};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::errors;

/// How often a deletion starts again after a write or another deletion interfered.
const ATTEMPTS: usize = 6;

/// Removes a bucket that has no objects and no versions, together with its unfinished uploads.
impl Run for DeleteBucket {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let change = call.gateway.fence.before_change();
        let deleted = match call.existing_bucket() {
            Ok(bucket) => decide(call, bucket, &input.bucket).await,
            Err(no_such_bucket) => call.finish_abandoned(&input.bucket).await.and(Err(no_such_bucket)),
        };
        match &deleted {
            Ok(deleted) => call.directory(&input.bucket).remove(deleted).await.map_err(errors::from_filer)?,
            Err(error) if error.code == S3ErrorCode::NoSuchBucket => {}
            Err(error) => return Err(error.clone()),
        }
        // A repetition of a request that was answered with `ChangeNotYetEnforced` waits as well: the answer that there
        // is no such bucket is given once that is true on every gateway.
        let known = call.bucket.as_ref().map(|bucket| bucket.life.id.clone());
        let is_gone = move |bucket: Option<&Bucket>| {
            bucket
                .is_none_or(|bucket| bucket.life.is_deleted() || known.as_ref().is_some_and(|id| *id != bucket.life.id))
        };
        call.gateway.wait_until_enforced(change, &input.bucket, is_gone).await?;
        deleted?;
        answer::empty(StatusCode::NO_CONTENT)
    }
}

/// Decides that the bucket is deleted. From then on no write below it succeeds.
async fn decide(call: &Call<'_>, bucket: &Bucket, name: &BucketName) -> Result<StoredLife, S3Error> {
    let directory = call.directory(name);
    // Whatever the flag says, versions and locks do not go with their bucket.
    let may_be_full = call.gateway.settings.allow_delete_bucket_not_empty
        && rules::may_delete_with_objects(bucket.versioning, bucket.object_lock);
    for _ in 0..ATTEMPTS {
        let decided = if may_be_full {
            decide_at_once(call, bucket, name, &directory).await
        } else {
            decide_if_empty(call, bucket, name, &directory).await
        };
        match decided {
            Err(Undecided::Overtaken) => {}
            Err(Undecided::Refused(error)) => return Err(error),
            Ok(deleted) => return Ok(deleted),
        }
    }
    Err(errors::conflict())
}

/// Why a bucket is not deleted.
enum Undecided {
    /// A write removed the announcement, or another deletion was faster: check again.
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

/// Deletes the bucket with everything in it. Writes that are answered before the other gateways know are deleted with
/// the rest.
async fn decide_at_once(
    call: &Call<'_>,
    bucket: &Bucket,
    name: &BucketName,
    directory: &BucketDirectory<'_>,
) -> Result<StoredLife, Undecided> {
    let change = call.gateway.fence.before_change();
    let stored = standing(bucket, directory).await?;
    let deleted = directory.decide_with_objects(&stored, Timestamp::now().as_second()).await?;
    if let Err(error) = wait_for_gateways(call, change, name, &deleted).await {
        tracing::warn!(%error, bucket = %name, "a bucket is deleted before every gateway knows; the answer says so");
    }
    Ok(deleted)
}

async fn decide_if_empty(
    call: &Call<'_>,
    bucket: &Bucket,
    name: &BucketName,
    directory: &BucketDirectory<'_>,
) -> Result<StoredLife, Undecided> {
    // The deletion of a bucket with content is not announced, so that no one has to remove the announcement.
    require_empty(directory).await?;
    let change = call.gateway.fence.before_change();
    let stored = standing(bucket, directory).await?;
    let announced = match stored.life.stage {
        // An announcement by another deletion, even an old one, works as well: one of the two decides.
        Stage::Announced(_) => stored,
        _ => directory.announce(&stored).await?,
    };
    wait_for_gateways(call, change, name, &announced).await?;
    if let Err(not_empty) = require_empty(directory).await {
        // No one needs to know: a leftover announcement blocks no one.
        let _ = directory.withdraw(&announced).await;
        return Err(not_empty.into());
    }
    Ok(directory.decide(&announced, Timestamp::now().as_second()).await?)
}

/// The bucket for which the request was decided, if it exists and is not deleted.
async fn standing(bucket: &Bucket, directory: &BucketDirectory<'_>) -> Result<StoredLife, Undecided> {
    let stored = directory.life().await?;
    let same = stored.filter(|stored| rules::standing(&stored.life, &bucket.life.id) != Standing::Gone);
    same.ok_or_else(|| Undecided::Refused(S3Error::new(S3ErrorCode::NoSuchBucket)))
}

/// Waits until every gateway knows this stage or a later one. If a gateway may not know it, nothing is decided and
/// nothing needs to be undone.
async fn wait_for_gateways(
    call: &Call<'_>,
    change: Box<dyn crate::fence::Enforcement>,
    name: &BucketName,
    stored: &StoredLife,
) -> Result<(), S3Error> {
    let shows = |known: Option<&Bucket>| known.is_none_or(|known| known.life == stored.life);
    call.gateway.wait_until_enforced(change, name, shows).await.map_err(|error| {
        let refused = errors::unavailable("Not every gateway knows yet that the bucket is to be deleted. Try again.");
        S3Error { fields: error.fields, ..refused }
    })
}

async fn require_empty(directory: &BucketDirectory<'_>) -> Result<(), S3Error> {
    if directory.is_empty().await.map_err(errors::from_filer)? {
        return Ok(());
    }
    Err(S3Error::new(S3ErrorCode::BucketNotEmpty).field("BucketName", directory.name()))
}

impl Call<'_> {
    /// Carries out a deletion that another gateway decided but did not finish. True if there was one.
    pub(super) async fn finish_abandoned(&self, bucket: &BucketName) -> Result<bool, S3Error> {
        self.directory(bucket).finish_abandoned(self.now.as_second()).await.map_err(errors::from_filer)
    }
}
