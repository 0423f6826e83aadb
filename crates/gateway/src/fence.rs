//! What the data plane needs from the fence: whether it may decide, how far it has got, and whether a change is
//! enforced everywhere.

use std::sync::Arc;

use async_trait::async_trait;
/// Header that says how far this gateway has got. Clients may send it back as a floor.
pub const REVISION: &str = "x-kelpgate-revision";

/// A floor is not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FloorError {
    /// The floor is not a revision of this cluster; says why.
    Wrong(String),
    /// This gateway did not reach the floor in time.
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
