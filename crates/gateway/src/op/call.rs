//! The context in which an operation runs.

use std::sync::Arc;

use access::{DecisionInput, Refusal, RequestTarget};
use bucket::directory::{BucketDirectory, BucketState};
use bucket::metadata::BucketMetadata;
use bucket::rules::{self, BucketError};
use bucket::settings::{self, AttributePatch};
use bucket::versions::Version;
use filer::{Entry, Filer, FilerError};
use http::StatusCode;
use iam::{Bucket, Caller, Snapshot};
use ids::BucketName;
use jiff::Timestamp;
use policy::{Context, Decision, PolicyType};
use s3::{Requirement, S3Error, S3ErrorCode, Target};

use super::answer::{self, Answer};
use super::decided_objects::DecidedObjects;
use crate::admitted_upload::AdmittedUpload;
use crate::decisions::Decisions;
use crate::errors;
use crate::gateway::Gateway;
use crate::keep_alive::EarlyResponse;

/// One snapshot, one caller, one time.
pub struct Call<'a> {
    /// The gateway's parts and settings.
    pub gateway: &'a Gateway,
    /// The IAM state by which the request is decided.
    pub snapshot: &'a Snapshot,
    /// What the request addresses.
    pub target: &'a RequestTarget<'a>,
    /// Who makes the request.
    pub caller: Caller,
    /// The bucket that the operation names, if it exists.
    pub bucket: Option<Arc<Bucket>>,
    /// When the request was read.
    pub now: Timestamp,
    /// The condition keys of the request.
    pub context: Context,
    /// Records the decisions for metrics and auditors.
    pub decisions: Arc<Decisions>,
    /// The request's id, which is also the id of its decision.
    pub request_id: String,
    pub(crate) early: Option<Arc<EarlyResponse>>,
    pub(crate) decided_objects: DecidedObjects,
    /// How it was admitted, if it stores its body.
    pub(crate) upload: Option<AdmittedUpload<'a>>,
}

impl Call<'_> {
    /// The filer.
    pub fn filer(&self) -> &dyn Filer {
        &*self.gateway.filer
    }

    /// All quick checks have passed, so the response may begin before its outcome is known. A later failure may come with status 200.
    pub(crate) fn allow_early_response(&self) {
        if let Some(early) = &self.early {
            early.allow();
        }
    }

    /// The directory of a bucket.
    pub fn directory(&self, bucket: &BucketName) -> BucketDirectory<'_> {
        self.gateway.directory(bucket.as_str())
    }

    /// The bucket that the operation names, or `NoSuchBucket`.
    pub fn existing_bucket(&self) -> Result<&Bucket, S3Error> {
        self.bucket.as_deref().ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchBucket))
    }

    /// Changes the configuration of a bucket, and waits until every gateway enforces it. Other changes at the same time are
    /// kept. `shows` recognises the change.
    pub async fn configure(
        &self,
        bucket: &BucketName,
        patch: AttributePatch,
        shows: impl Fn(&Bucket) -> bool + Send + Sync,
    ) -> Result<(), S3Error> {
        self.enforced(bucket, self.directory(bucket).patch(patch, None), shows).await
    }

    /// The same for a change that this state of the bucket rules out, whatever was known when the request was read. Then it fails with
    /// `refusal`.
    pub async fn configure_unless(
        &self,
        bucket: &BucketName,
        state: &BucketState,
        refusal: S3Error,
        patch: AttributePatch,
        shows: impl Fn(&Bucket) -> bool + Send + Sync,
    ) -> Result<(), S3Error> {
        let directory = self.directory(bucket);
        match self.enforced(bucket, directory.patch_unless(state, patch), shows).await {
            Err(error) if error.code == S3ErrorCode::NoSuchBucket => {
                let entry = directory.entry().await.map_err(errors::from_filer)?;
                Err(if entry.is_some() { refusal } else { error })
            }
            done => done,
        }
    }

    async fn enforced(
        &self,
        bucket: &BucketName,
        patch: impl Future<Output = Result<(), FilerError>>,
        shows: impl Fn(&Bucket) -> bool + Send + Sync,
    ) -> Result<(), S3Error> {
        let change = self.gateway.fence.before_change();
        patch.await.map_err(|error| match error {
            FilerError::PreconditionFailed => S3Error::new(S3ErrorCode::NoSuchBucket),
            other => errors::from_filer(other),
        })?;
        // A bucket that is gone by now has no configuration that could be in force.
        self.gateway.wait_until_enforced(change, bucket, |bucket| bucket.is_none_or(&shows)).await
    }

    /// Stores one of the configurations that are kept as documents for the bucket that the operation names, or removes it.
    pub async fn store_configuration(&self, name: &str, document: Option<String>, status: StatusCode) -> Answer {
        let bucket: BucketName =
            self.existing_bucket()?.name.parse().map_err(|_| S3Error::new(S3ErrorCode::NoSuchBucket))?;
        let kept = document.clone();
        let shows = |bucket: &Bucket| bucket.configurations.get(name).map(|document| &**document) == kept.as_deref();
        self.configure(&bucket, settings::configuration_patch(name, document), shows).await?;
        answer::empty(status)
    }

    /// Changes the tags, CORS rules or encryption of the bucket that the operation names, and waits until every gateway enforces it.
    /// `part` is what changes. False if `change` returned false: then nothing was changed.
    pub async fn change_metadata<T: PartialEq + Sync>(
        &self,
        name: &BucketName,
        change: impl Fn(&mut BucketMetadata) -> bool,
        part: fn(&BucketMetadata) -> &T,
    ) -> Result<bool, S3Error> {
        let life_id = &self.existing_bucket()?.life.id;
        let begun = self.gateway.fence.before_change();
        let written = self.directory(name).change_metadata(life_id, change).await.map_err(errors::from_filer)?;
        let Some(written) = written else { return Ok(false) };
        let shows =
            |bucket: &Bucket| BucketMetadata::read(&bucket.metadata).is_ok_and(|known| part(&known) == part(&written));
        self.gateway.wait_until_enforced(begun, name, |bucket| bucket.is_none_or(shows)).await?;
        Ok(true)
    }

    /// What decisions about this request are based on.
    pub fn decision_input(&self) -> DecisionInput<'_> {
        DecisionInput {
            caller: &self.caller,
            snapshot: self.snapshot,
            context: &self.context,
            observer: &*self.decisions,
        }
    }

    /// Decides a permission that only changes the operation's answer. Fails with `AccessDenied`.
    pub fn check_allowed(&self, need: &Requirement) -> Result<(), S3Error> {
        access::check(need, self.decision_input()).map(|_| ()).map_err(|refusal| self.deny(&refusal))
    }

    /// Decides a permission that a running operation turns out to need. A refusal is audited.
    /// Fails with `AccessDenied`.
    pub fn require(&self, need: &Requirement) -> Result<(), S3Error> {
        let refused = access::check(need, self.decision_input()).map(|_| ());
        refused.map_err(|refusal| {
            access::audit_decision(need, refusal.decision, self.decision_input());
            self.deny(&refusal)
        })
    }

    /// The error for what a rule of the operation refuses although the policies allow it. It is left to auditors like any refusal.
    pub fn refuse(&self, need: &Requirement, message: &'static str) -> S3Error {
        let decision = Decision::ImplicitDeny { missing: PolicyType::NotNeeded };
        access::audit_decision(need, decision, self.decision_input());
        S3Error::with_message(S3ErrorCode::AccessDenied, message).field("DecisionId", &self.request_id)
    }

    /// The error of a refusal.
    pub fn deny(&self, refusal: &Refusal) -> S3Error {
        refusal.to_error(&self.request_id)
    }

    /// Gives a permission the tags of its object if a policy that could apply tests them.
    pub async fn read_object_tags(&self, needs: &mut [Requirement]) -> Result<(), S3Error> {
        for need in needs {
            if let Some(object) = access::asks_for_tags_of(need, self.decision_input()) {
                need.existing_tags = self.tags_of(&object).await?;
            }
        }
        Ok(())
    }

    /// The tags of an object, or of one of its versions; none if it does not exist.
    pub async fn tags_of(&self, object: &Target) -> Result<Vec<(String, String)>, S3Error> {
        let found = self.existing_entry(object).await?;
        Ok(found.iter().flat_map(bucket::object::tags).collect())
    }

    /// The object, or the version of it, that a decision is about; `None` if it does not exist.
    pub async fn existing_entry(&self, target: &Target) -> Result<Option<Entry>, S3Error> {
        match self.look_at(target).await {
            Err(BucketError::Refused(rules::Refusal::NoSuchVersion)) => Ok(None),
            found => Ok(found.map_err(errors::from_bucket)?.and_then(Version::object)),
        }
    }
}

/// Why there is no permit.
pub enum Denied {
    /// A permission was refused.
    Refused(Box<Refusal>),
    /// Something that the decision needs could not be read.
    Failed(S3Error),
}

impl From<Box<Refusal>> for Denied {
    fn from(refusal: Box<Refusal>) -> Self {
        Self::Refused(refusal)
    }
}

impl From<S3Error> for Denied {
    fn from(error: S3Error) -> Self {
        Self::Failed(error)
    }
}

impl Denied {
    /// The error of the answer.
    pub fn to_error(&self, request_id: &str) -> S3Error {
        match self {
            Self::Refused(refusal) => refusal.to_error(request_id),
            Self::Failed(error) => error.clone(),
        }
    }
}
