use iam::{Bucket, Caller, Snapshot};
use policy::Context;

use crate::observer::DecisionObserver;

/// What determines the decision about a request: one caller, one snapshot, one set of condition keys.
#[derive(Clone, Copy)]
pub struct DecisionInput<'a> {
    /// Who makes the request.
    pub caller: &'a Caller,
    /// The IAM state.
    pub snapshot: &'a Snapshot,
    /// The condition keys of the request.
    pub context: &'a Context,
    /// Who observes the decisions.
    pub observer: &'a dyn DecisionObserver,
}

impl<'a> DecisionInput<'a> {
    /// The bucket that an S3 resource names, if it exists.
    pub(crate) fn bucket_of(&self, resource: &str) -> Option<&'a Bucket> {
        bucket_of(resource, self.snapshot)
    }
}

/// The bucket that an S3 resource names, if it exists.
pub(crate) fn bucket_of<'a>(resource: &str, snapshot: &'a Snapshot) -> Option<&'a Bucket> {
    let rest = resource.strip_prefix("arn:aws:s3:::")?;
    let name = rest.split('/').next()?;
    snapshot.bucket(name).map(|bucket| &**bucket)
}
