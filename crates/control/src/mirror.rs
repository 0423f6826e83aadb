//! Writes the inline policies of users and groups to weed's shared document as well, for `weed s3` gateways beside this one.
//!
//! Nothing is written on the way of a call: what the document should hold follows from the Snapshot, so whatever a crash, a failed write or
//! another gateway left is put right by whoever looks next.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iam::{Change, DocumentKey, Holder};
use store::{IamStore, StoreError};

use crate::feed::Follower;
use crate::iam_api::at_length;

/// Changes that come within this time make one write.
const COLLECT: Duration = Duration::from_millis(300);
/// Gateways do not begin at the same moment: the first one's write leaves the others nothing to do.
const SPREAD_MS: u64 = 200;
/// A write that failed is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// Keeps the inline policies in weed's document as they are.
pub struct Mirror {
    follower: Arc<Follower>,
    store: Arc<dyn IamStore>,
    adds: bool,
    /// Whose entries have changed since weed was last made to read the document.
    unheard: Mutex<BTreeSet<Holder>>,
}

impl Mirror {
    /// `adds` is `kelpgate.mirrorInlinePolicies`. Without it nothing new is mirrored, and what was mirrored by a gateway with it is kept up
    /// to date or taken away.
    pub fn new(follower: Arc<Follower>, store: Arc<dyn IamStore>, adds: bool) -> Self {
        Self { follower, store, adds, unheard: Mutex::default() }
    }

    /// Mirrors for ever: after each change, and what does not succeed again later.
    pub async fn run(&self) {
        let mut revisions = self.follower.revisions();
        loop {
            tokio::time::sleep(COLLECT + Duration::from_millis(rand::random_range(0..SPREAD_MS))).await;
            revisions.borrow_and_update();
            match self.reconcile().await {
                // The follower lives as long as `self`, and so does the sender.
                Ok(()) => _ = revisions.changed().await,
                Err(StoreError::Conflict(path)) => tracing::debug!(path, "somebody else wrote first; mirroring again"),
                Err(error) => {
                    tracing::warn!(%error, "inline policies could not be mirrored for weed; it is tried again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Brings weed's document up to date, by one write, and makes weed read it.
    pub async fn reconcile(&self) -> Result<(), StoreError> {
        self.write().await?;
        let unheard = self.unheard().clone();
        if !unheard.is_empty() {
            self.make_weed_read(&unheard).await?;
            self.unheard().retain(|holder| !unheard.contains(holder));
        }
        Ok(())
    }

    async fn write(&self) -> Result<(), StoreError> {
        let Some(snapshot) = self.follower.current() else { return Ok(()) };
        let entries = at_length(|| snapshot.unmirrored(self.adds));
        if entries.is_empty() {
            return Ok(());
        }
        // Weed's document first: whoever wrote it before had read the policies before, so what is read now is no older, and a gateway that
        // lags behind cannot bring back what another one took away.
        let mut keys = vec![DocumentKey::WeedPolicies];
        for (holder, name) in &entries {
            keys.extend([holder.document(), DocumentKey::Inline(holder.clone(), name.clone())]);
        }
        let fresh = self.store.read(&keys).await?;
        let next = at_length(|| snapshot.apply(fresh.changes.iter().cloned()).mirror(&entries, self.adds));
        let Some(next) = next else { return Ok(()) };
        // Before the write: weed reading once too often does no harm.
        self.unheard().extend(next.changed.iter().map(|(holder, _)| holder.clone()));
        self.store.commit(&fresh, &[Change::WeedPolicies(Some(Ok(next.document)))]).await?;
        tracing::info!(policies = next.changed.len(), "mirrored inline policies to weed's /etc/iam/policies.json");
        for (holder, name) in &next.inexact {
            tracing::warn!(
                "inline policy `{name}` of {holder}: weed does not understand all of it, so at weed its Allows are left out where it \
                 does not, and its Denies deny more"
            );
        }
        Ok(())
    }

    /// weed reads its document of inline policies only when it reads everything, which it does when a user or group is written. So the
    /// document of one of these holders is written again as it is. Where none is left nobody has the policies.
    async fn make_weed_read(&self, holders: &BTreeSet<Holder>) -> Result<(), StoreError> {
        for holder in holders {
            let fresh = self.store.read(&[holder.document()]).await?;
            if !matches!(fresh.changes[..], [Change::User(_, Some(Ok(_))) | Change::Group(_, Some(Ok(_)))]) {
                continue;
            }
            return match self.store.commit(&fresh, &fresh.changes).await {
                // Somebody wrote it just now, which weed hears of as well.
                Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
                Err(error) => Err(error),
            };
        }
        Ok(())
    }

    fn unheard(&self) -> std::sync::MutexGuard<'_, BTreeSet<Holder>> {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
