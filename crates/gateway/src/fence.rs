//! What the data plane needs from the fence: whether it may decide, how far it has got, and whether a change is
//! enforced everywhere.

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use iam::{Bucket, Snapshot};
use ids::BucketName;
use jiff::Timestamp;
use s3::{S3Error, S3ErrorCode};
use sigv4::{AuthForm, SigError};

use crate::errors;
use crate::gateway::Gateway;

/// Header that says how far this gateway has got. Clients may send it back as a floor.
pub const REVISION: &str = "x-kelpgate-revision";

/// A floor is not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FloorError {
    /// It is not a revision of this cluster, and why.
    Wrong(String),
    /// This gateway has not reached it in time.
    Ahead,
}

/// The fence between a change and the requests after it.
#[async_trait]
pub trait Fence: Send + Sync + 'static {
    /// Whether this gateway has applied every change answered anywhere, so that it may decide. Call this for each
    /// request, before loading the state.
    fn may_decide(&self) -> bool;
    /// How far this gateway has got.
    fn revision(&self) -> Arc<String>;
    /// Waits until it has reached a revision that some gateway returned.
    async fn reach(&self, floor: &str) -> Result<(), FloorError>;
    /// Call this before a change of a bucket is written.
    fn before_change(&self) -> Box<dyn Enforcement>;
}

/// A change of a bucket that is about to be written.
#[async_trait]
pub trait Enforcement: Send + Sync {
    /// Waits until every gateway enforces the change, which is already applied here. The error lists the gateways that
    /// may not.
    async fn everywhere(&self) -> Result<(), Vec<String>>;
}

impl Gateway {
    /// The state by which a request is decided. It checks the lease first, then loads the state once: a lease that runs
    /// now covers every change answered before now, and a state loaded afterwards contains them.
    pub(crate) async fn state_for(
        &self,
        head: &Parts,
        form: &Result<AuthForm, SigError>,
        now: Timestamp,
    ) -> Result<Arc<Snapshot>, S3Error> {
        if let Some(floor) = head.headers.get(REVISION) {
            let floor = floor.to_str().map_err(|_| wrong("the header x-kelpgate-revision is not text".to_owned()))?;
            match self.fence.reach(floor).await {
                Ok(()) => {}
                Err(FloorError::Wrong(reason)) => return Err(wrong(reason)),
                Err(FloorError::Ahead) => return Err(ahead()),
            }
        }
        // A session made by another gateway is accepted here once this gateway knows its role.
        if let Ok(form) = form
            && let Some(revision) = self.authenticator.session_revision(form, now)
            && self.fence.reach(&revision).await == Err(FloorError::Ahead)
        {
            return Err(ahead());
        }
        if !self.fence.may_decide() {
            self.metrics.closed.inc();
            return Err(errors::unavailable(
                "This gateway may have missed changes of access rules, so it refuses requests until it has caught up. Try again.",
            ));
        }
        let loaded = self.snapshot.load_full();
        loaded.ok_or_else(|| errors::unavailable("This gateway has not loaded its access rules yet. Try again."))
    }

    /// Waits until a change of a bucket that was just written is in force, first here, then everywhere.
    ///
    /// Fails with `ChangeNotYetEnforced`. The change is then stored, and repeating the request waits again.
    pub async fn in_force(
        &self,
        change: Box<dyn Enforcement>,
        bucket: &BucketName,
        shows: impl Fn(Option<&Bucket>) -> bool + Send + Sync,
    ) -> Result<(), S3Error> {
        self.applied(bucket.as_str(), shows).await?;
        change.everywhere().await.map_err(|behind| {
            tracing::warn!(?behind, "a change of a bucket is stored but not enforced everywhere yet");
            let error = S3Error::new(S3ErrorCode::ChangeNotYetEnforced);
            if behind.is_empty() { error } else { error.field("Gateways", behind.join(", ")) }
        })
    }

    /// The same for changes that take no permission away: the answer names the gateways that may not know the change
    /// yet.
    pub async fn known(
        &self,
        change: Box<dyn Enforcement>,
        bucket: &BucketName,
        shows: impl Fn(Option<&Bucket>) -> bool + Send + Sync,
    ) -> Result<Vec<String>, S3Error> {
        self.applied(bucket.as_str(), shows).await?;
        let behind = change.everywhere().await.err();
        Ok(behind
            .map(|behind| if behind.is_empty() { vec!["this gateway".to_owned()] } else { behind })
            .unwrap_or_default())
    }
}

fn wrong(reason: String) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, reason)
}

fn ahead() -> S3Error {
    errors::unavailable("This gateway has not reached the revision that the request asks for. Try again.")
}
