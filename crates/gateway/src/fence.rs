//! What the data plane needs of the fence: whether it may decide, how far it is, and whether a change is enforced everywhere.

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use iam::{Bucket, Snapshot};
use ids::BucketName;
use jiff::Timestamp;
use s3::{S3Error, S3ErrorCode};

use crate::errors;
use crate::gateway::Gateway;

/// Answers how far this gateway is, and clients may send it back as a floor.
pub const REVISION: &str = "x-kelpgate-revision";
/// Names the gateways that may not enforce a change yet that was answered all the same.
pub const NOT_ENFORCED: &str = "x-kelpgate-not-enforced";

/// Why a floor is not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Floor {
    /// It is no revision of this cluster: why.
    Wrong(String),
    /// Not in time.
    Ahead,
}

/// The fence between a change and the requests after it.
#[async_trait]
pub trait Fence: Send + Sync + 'static {
    /// This gateway has applied whatever was answered anywhere: it may decide. Asked at each request, before the state is loaded.
    fn may_decide(&self) -> bool;
    /// How far this gateway is.
    fn revision(&self) -> Arc<String>;
    /// Waits until it is as far as a revision that some gateway answered.
    async fn reach(&self, floor: &str) -> Result<(), Floor>;
    /// To be asked before a change of a bucket is written.
    fn before_change(&self) -> Box<dyn Enforcement>;
}

/// A change of a bucket that is about to be written.
#[async_trait]
pub trait Enforcement: Send + Sync {
    /// Waits until every gateway enforces it; it is applied here. Error: those that may not.
    async fn everywhere(&self) -> Result<(), Vec<String>>;
}

impl Gateway {
    /// The state that a request is decided by. First the lease, then the state, once: a lease that runs now speaks of every change
    /// that was answered before now, and a state that is loaded after has them.
    pub(crate) async fn state_for(&self, head: &Parts) -> Result<Arc<Snapshot>, S3Error> {
        if let Some(floor) = head.headers.get(REVISION) {
            let floor = floor.to_str().map_err(|_| wrong("the header x-kelpgate-revision is no text".to_owned()))?;
            match self.fence.reach(floor).await {
                Ok(()) => {}
                Err(Floor::Wrong(reason)) => return Err(wrong(reason)),
                Err(Floor::Ahead) => return Err(ahead()),
            }
        }
        // A session that another gateway made is good here once its role is known here.
        if let Some(revision) = self.door.session_revision(head, Timestamp::now())
            && self.fence.reach(&revision).await == Err(Floor::Ahead)
        {
            return Err(ahead());
        }
        if !self.fence.may_decide() {
            self.metrics.closed.inc();
            return Err(errors::unavailable(
                "This gateway may have missed changes of access rules, and decides nothing until it has caught up. Try again.",
            ));
        }
        let loaded = self.snapshot.load_full();
        loaded.ok_or_else(|| errors::unavailable("This gateway has not loaded its access rules yet. Try again."))
    }

    /// Waits until a change of a bucket that was just written is in force: first here, then everywhere.
    ///
    /// Error: `ChangeNotYetEnforced`, and the change is stored; repeating the request waits again.
    pub async fn in_force(
        &self,
        change: Box<dyn Enforcement>,
        bucket: &BucketName,
        shows: impl Fn(Option<&Bucket>) -> bool + Send + Sync,
    ) -> Result<(), S3Error> {
        self.applied(bucket.as_str(), shows).await?;
        change.everywhere().await.map_err(|behind| {
            tracing::warn!(?behind, "a change of a bucket is stored that is not enforced everywhere yet");
            let error = S3Error::new(S3ErrorCode::ChangeNotYetEnforced);
            if behind.is_empty() { error } else { error.field("Gateways", behind.join(", ")) }
        })
    }

    /// The same for what takes no right from anybody: the gateways that may not know of it yet are named in the answer.
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
    errors::unavailable("This gateway has not applied the revision that the request asks for. Try again.")
}
