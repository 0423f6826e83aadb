//! Object lock: of buckets, and of versions.

use access::Permit;
use bucket::directory::BucketState;
use bucket::locks::Lock;
use bucket::settings;
use http::StatusCode;
use ids::{LegalHold, Retention, RetentionMode, Versioning};
use s3::op::{
    GetObjectLegalHold, GetObjectLockConfiguration, GetObjectRetention, PutObjectLegalHold, PutObjectLockConfiguration,
    PutObjectRetention, legal_hold_to_xml, object_lock_to_xml, retention_to_xml,
};
use s3::{ObjectLockHeaders, RequestedRetention, S3Error, S3ErrorCode, Target};

use super::answer::{self, Answer};
use super::repeat::{Attempts, is_done};
use super::{Call, Run};
use crate::body::ObjectBody;
use bucket::object;

impl Run for GetObjectRetention {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let entry = call.object_at(&permit.operation().target).await?;
        let (Some(mode), Some(until_s)) = (object::lock_mode(&entry), object::retain_until_s(&entry)) else {
            return Err(not_locked(call));
        };
        answer::document(retention_to_xml(Retention { mode: RetentionMode::read(mode), until_s }))
    }
}

impl Run for GetObjectLegalHold {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let entry = call.object_at(&permit.operation().target).await?;
        let status = object::legal_hold(&entry).and_then(LegalHold::named).ok_or_else(|| not_locked(call))?;
        answer::document(legal_hold_to_xml(status))
    }
}

impl Run for GetObjectLockConfiguration {
    async fn run(call: &Call<'_>, _permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let bucket = call.existing_bucket()?;
        if !bucket.object_lock {
            return Err(answer::not_configured(bucket, S3ErrorCode::ObjectLockConfigurationNotFoundError));
        }
        answer::document(object_lock_to_xml(bucket.default_retention))
    }
}

/// Enables object lock on a bucket that keeps versions, and sets its default retention. It is never disabled.
impl Run for PutObjectLockConfiguration {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        if call.existing_bucket()?.versioning != Versioning::Enabled {
            return Err(not_versioned());
        }
        let patch = settings::object_lock_patch(input.default);
        let is_set = |bucket: &iam::Bucket| bucket.object_lock && bucket.default_retention == input.default;
        call.configure_unless(&input.bucket, &BucketState::SUSPENDED, not_versioned(), patch, is_set).await?;
        answer::empty(StatusCode::OK)
    }
}

/// Retains a version, or ends its retention, as far as its lock and the caller's rights allow.
impl Run for PutObjectRetention {
    async fn run(call: &Call<'_>, mut permit: Permit<Self>, _body: ObjectBody) -> Answer {
        require_lock(call)?;
        let writer = call.writer()?;
        let requested = permit.operation().retention.as_ref();
        let retention = requested.map(|requested| in_the_future(call, requested)).transpose()?;
        let mut attempts = Attempts::default();
        loop {
            let PutObjectRetention { target, bypass_governance_retention, .. } = permit.operation();
            let entry = call.object_at(target).await?;
            require_version(target)?;
            let retained = writer.set_retention(&target.key, &entry, retention, *bypass_governance_retention).await;
            if is_done(retained)? {
                return answer::empty(StatusCode::OK);
            }
            permit = attempts.decide_again(call, permit).await?;
        }
    }
}

/// Holds a version, or ends its legal hold.
impl Run for PutObjectLegalHold {
    async fn run(call: &Call<'_>, mut permit: Permit<Self>, _body: ObjectBody) -> Answer {
        require_lock(call)?;
        let writer = call.writer()?;
        let mut attempts = Attempts::default();
        loop {
            let PutObjectLegalHold { target, status, .. } = permit.operation();
            let entry = call.object_at(target).await?;
            require_version(target)?;
            let is_held = *status == Some(LegalHold::On);
            if is_done(writer.set_legal_hold(&target.key, &entry, is_held).await)? {
                return answer::empty(StatusCode::OK);
            }
            permit = attempts.decide_again(call, permit).await?;
        }
    }
}

/// `InvalidRequest` for a bucket whose objects cannot be locked.
fn require_lock(call: &Call<'_>) -> Result<(), S3Error> {
    if call.existing_bucket()?.object_lock { Ok(()) } else { Err(no_lock()) }
}

/// The error for a version that has no such lock.
fn not_locked(call: &Call<'_>) -> S3Error {
    require_lock(call).err().unwrap_or_else(|| S3Error::new(S3ErrorCode::NoSuchObjectLockConfiguration))
}

fn not_versioned() -> S3Error {
    let message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";
    S3Error::with_message(S3ErrorCode::InvalidBucketState, message)
}

fn no_lock() -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidRequest, "Bucket is missing Object Lock Configuration")
}

/// Keys that end in `/` have no versions, so nothing would keep a lock on one from being replaced.
fn require_version(target: &Target) -> Result<(), S3Error> {
    if target.key.is_directory_marker() {
        return Err(S3Error::not_implemented("A lock on an object whose key ends in `/`"));
    }
    Ok(())
}

/// The retention that is asked for; `InvalidArgument` if it is over already.
fn in_the_future(call: &Call<'_>, requested: &RequestedRetention) -> Result<Retention, S3Error> {
    let RequestedRetention { retention, retain_until_date } = requested;
    if retention.until_s <= call.now.as_second() {
        let message = "The retain until date must be in the future!";
        return Err(S3Error::invalid_argument("x-amz-object-lock-retain-until-date", retain_until_date, message));
    }
    Ok(*retention)
}

impl Call<'_> {
    /// The lock that the headers ask for. Error: `InvalidRequest` if the bucket has no object lock, `InvalidArgument` for a date in
    /// the past.
    pub fn new_lock(&self, target: &Target, headers: &ObjectLockHeaders) -> Result<Lock, S3Error> {
        if !headers.is_requested() {
            return Ok(Lock::default());
        }
        require_lock(self)?;
        require_version(target)?;
        let retention = headers.retention.as_ref().map(|requested| in_the_future(self, requested)).transpose()?;
        Ok(Lock { retention, is_held: headers.legal_hold == Some(LegalHold::On) })
    }
}
