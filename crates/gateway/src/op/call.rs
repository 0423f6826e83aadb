//! What an operation sees of the world.

use std::sync::Arc;

use access::{Permit, Refusal, Resolved, World};
use filer::Filer;
use iam::{Bucket, Caller, Snapshot};
use ids::{BucketName, ObjectKey};
use jiff::Timestamp;
use policy::Context;
use s3::{Needs, Requirement, S3Error, S3ErrorCode};

use crate::gateway::Gateway;

/// One snapshot, one caller, one moment.
pub struct Call<'a> {
    /// The gateway's parts and settings.
    pub gateway: &'a Gateway,
    /// The IAM state that the request is decided by.
    pub snapshot: &'a Snapshot,
    /// Who asks.
    pub caller: Caller,
    /// The bucket that the operation names, if it exists.
    pub bucket: Option<Arc<Bucket>>,
    /// When the request was read.
    pub now: Timestamp,
    /// The condition keys of the request.
    pub context: Context,
    /// The request's id, which is the id of its decision too.
    pub request_id: String,
}

impl Call<'_> {
    /// The filer.
    pub fn filer(&self) -> &dyn Filer {
        &*self.gateway.filer
    }

    /// Where buckets live on the filer.
    pub fn buckets_root(&self) -> &str {
        &self.gateway.filer_configuration.buckets_root
    }

    /// Path of a bucket.
    pub fn bucket_path(&self, bucket: &BucketName) -> String {
        crate::object::bucket_path(self.buckets_root(), bucket.as_str())
    }

    /// Path of an object.
    pub fn object_path(&self, bucket: &BucketName, key: &ObjectKey) -> String {
        crate::object::object_path(self.buckets_root(), bucket.as_str(), key.as_str())
    }

    /// The bucket that the operation names, or `NoSuchBucket`.
    pub fn existing_bucket(&self) -> Result<&Bucket, S3Error> {
        self.bucket.as_deref().ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchBucket))
    }

    /// What decisions about this request are made by.
    pub fn world(&self) -> World<'_> {
        World { caller: &self.caller, snapshot: self.snapshot, context: &self.context, witness: &*self.gateway.metrics }
    }

    /// The permit for an operation, if it is given. Object tags are read from the filer if a policy that could apply asks for
    /// them, and only then.
    pub async fn authorize<Op: Needs>(&self, operation: Op) -> Result<Permit<Op>, Denied> {
        let mut resolved = Resolved::from(operation);
        for (bucket, key) in resolved.asks_for_tags_of(self.world()) {
            resolved.set_tags(&bucket, &key, &self.tags_of(&bucket, &key).await?);
        }
        Ok(access::authorize(resolved, self.world())?)
    }

    /// Whether a permission is given that changes what the operation answers: `AccessDenied` if not.
    pub fn may(&self, need: &Requirement) -> Result<(), S3Error> {
        access::check(need, self.world()).map(|_| ()).map_err(|refusal| self.deny(&refusal))
    }

    /// The error of a refusal.
    pub fn deny(&self, refusal: &Refusal) -> S3Error {
        refusal.to_error(&self.request_id)
    }

    /// Gives a permission the tags of its own object if a policy that could apply asks for them.
    pub async fn read_object_tags(&self, needs: &mut [Requirement]) -> Result<(), S3Error> {
        for need in needs {
            if let Some((bucket, key)) = access::asks_for_tags_of(need, self.world()) {
                need.existing_tags = self.tags_of(&bucket, &key).await?;
            }
        }
        Ok(())
    }

    async fn tags_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<(String, String)>, S3Error> {
        let entry = self.object_if_any(bucket, key).await?;
        Ok(entry.iter().flat_map(crate::object::tags).collect())
    }
}

/// Why there is no permit.
pub enum Denied {
    /// A permission was not given.
    Refused(Box<Refusal>),
    /// What the decision needs could not be read.
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
