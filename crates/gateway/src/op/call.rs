//! What an operation sees of the world.

use std::sync::Arc;

use access::{Refusal, World};
use filer::Filer;
use iam::{Bucket, Caller, Snapshot};
use ids::{BucketName, ObjectKey};
use jiff::Timestamp;
use policy::Context;
use s3::{Requirement, S3Error, S3ErrorCode};

use crate::gateway::Gateway;
use crate::respond::Trail;

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
    /// The raw query string.
    pub query: &'a str,
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

    /// Whether one more permission is given: `AccessDenied` if not.
    pub fn may(&self, need: &Requirement) -> Result<(), S3Error> {
        let needs = std::slice::from_ref(need);
        match access::authorize((), needs, self.world()) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(self.deny(&refusal)),
        }
    }

    /// The error of a refusal.
    pub fn deny(&self, refusal: &Refusal) -> S3Error {
        refusal.to_error(&self.request_id)
    }

    /// The error of the refusal of the whole request.
    pub(crate) fn refused(&self, refusal: &Refusal, trail: &mut Trail) -> S3Error {
        trail.refuse(refusal);
        self.deny(refusal)
    }

    /// Gives each permission the tags of its own object if a policy that could apply asks for them, and only then.
    pub async fn read_object_tags(&self, needs: &mut [Requirement]) -> Result<(), S3Error> {
        for need in needs {
            let (Some(bucket), Some(key)) = (&need.bucket, &need.key) else { continue };
            if access::asks_for_object_tags(need, self.world()) {
                let entry = self.object_if_any(bucket, key).await?;
                need.existing_tags = entry.iter().flat_map(crate::object::tags).collect();
            }
        }
        Ok(())
    }
}
