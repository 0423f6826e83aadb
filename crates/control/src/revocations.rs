//! Removes revocations of sessions that are over anyway.

use std::sync::Arc;

use iam::{Change, DocumentKey};
use jiff::Timestamp;
use store::{FilerStore, StoreError};

use crate::feed::Follower;

/// Removes expired revocations from the filer. All gateways may do it at the same time.
pub struct Revocations {
    store: FilerStore,
    follower: Arc<Follower>,
}

impl Revocations {
    /// Those on this store.
    pub fn new(store: FilerStore, follower: Arc<Follower>) -> Self {
        Self { store, follower }
    }

    /// Removes those that have expired.
    pub async fn remove_expired(&self) -> Result<(), StoreError> {
        let now_s = Timestamp::now().as_second();
        let Some(snapshot) = self.follower.current() else { return Ok(()) };
        for (stem, revocation) in snapshot.revocations() {
            if revocation.expires_s() > now_s {
                continue;
            }
            let seen = self.store.read(&[DocumentKey::Revocation(stem.clone())]).await?;
            // One that was renewed since then stays.
            let is_expired = |change: &Change| match change {
                Change::Revocation(_, Some(Ok(now))) => now.expires_s() <= now_s,
                _ => false,
            };
            if !seen.changes.iter().all(is_expired) {
                continue;
            }
            match self.store.commit(&seen, &[Change::Revocation(stem.clone(), None)]).await {
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
