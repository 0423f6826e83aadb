//! Also writes the inline policies of users and groups to SeaweedFS's shared document, for `weed s3` gateways next to
//! this one.
//!
//! Calls do not write it themselves: the Snapshot determines what the document should contain. So the next gateway that
//! checks it corrects whatever a crash, a failed write or another gateway left.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use iam::{Change, DocumentKey, Holder};
use store::{FilerStore, StoreError};

use crate::feed::Follower;
use crate::iam_api::run_blocking;

/// Keeps the inline policies in SeaweedFS's document up to date.
pub struct Mirror {
    follower: Arc<Follower>,
    store: FilerStore,
    adds: bool,
    /// The holders whose entries have changed since SeaweedFS was last made to read the document.
    unheard: Mutex<BTreeSet<Holder>>,
}

impl Mirror {
    /// `adds` is `kelpgate.mirrorInlinePolicies`. Without it nothing new is mirrored, but what a gateway with it has
    /// mirrored is updated or removed.
    pub fn new(follower: Arc<Follower>, store: FilerStore, adds: bool) -> Self {
        Self { follower, store, adds, unheard: Mutex::default() }
    }

    /// Updates SeaweedFS's document with one write, and makes SeaweedFS read it. [`StoreError::Conflict`]: another
    /// gateway wrote first.
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
        let entries = run_blocking(|| snapshot.unmirrored(self.adds));
        if entries.is_empty() {
            return Ok(());
        }
        // Read SeaweedFS's document first: earlier writers of it had read the policies before, so what is read now is
        // not older, and a gateway that lags behind cannot bring back what another one removed.
        let mut keys = vec![DocumentKey::WeedPolicies];
        for (holder, name) in &entries {
            keys.extend([holder.document_key(), DocumentKey::Inline(holder.clone(), name.clone())]);
        }
        let fresh = self.store.read(&keys).await?;
        let next = run_blocking(|| snapshot.apply(fresh.changes.iter().cloned()).mirror(&entries, self.adds));
        let Some(next) = next else { return Ok(()) };
        // Before the write: it is harmless if SeaweedFS reads once too often.
        self.unheard().extend(next.changed.iter().map(|(holder, _)| holder.clone()));
        self.store.commit(&fresh, &[Change::WeedPolicies(Some(Ok(next.document)))]).await?;
        tracing::info!(policies = next.changed.len(), "mirrored inline policies to SeaweedFS's /etc/iam/policies.json");
        for (holder, name) in &next.inexact {
            tracing::warn!(
                "inline policy `{name}` of {holder}: `weed s3` does not understand all of it, so there some of its \
                 Allows are left out, and its Denies deny more"
            );
        }
        Ok(())
    }

    /// SeaweedFS reads its document of inline policies only when it reads everything, which it does when a user or
    /// group is written. So this writes the document of one of these holders again, unchanged. If none of them exists
    /// any more, no one has the policies.
    async fn make_weed_read(&self, holders: &BTreeSet<Holder>) -> Result<(), StoreError> {
        for holder in holders {
            let fresh = self.store.read(&[holder.document_key()]).await?;
            if !matches!(fresh.changes[..], [Change::User(_, Some(Ok(_))) | Change::Group(_, Some(Ok(_)))]) {
                continue;
            }
            return match self.store.commit(&fresh, &fresh.changes).await {
                // Another writer has just written it, which SeaweedFS notices as well.
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
