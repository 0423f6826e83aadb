//! Writes down when keys and roles were last used, and reads what all gateways wrote.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use access::RecentUses;
use iam::{LastUsed, Snapshot};
use store::{FilerStore, LastUsedFiles, StoreError};
use tokio::sync::Mutex;

use crate::feed::Follower;

/// The last uses that this gateway has seen.
pub struct Recorder {
    uses: Arc<RecentUses>,
    store: FilerStore,
    follower: Arc<Follower>,
    /// Names this gateway's files. It is unique to this run, so that no two gateways write the same file.
    gateway: String,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    record: LastUsed,
    files: LastUsedFiles,
}

impl Recorder {
    /// A recorder for `uses`.
    pub fn new(uses: Arc<RecentUses>, store: FilerStore, follower: Arc<Follower>) -> Self {
        let gateway = format!("{:016x}", rand::random::<u64>());
        Self { uses, store, follower, gateway, known: Mutex::default() }
    }

    /// Writes what is new. What cannot be written is kept for the next time.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let mut known = self.known.lock().await;
        let news = known.record.merge(self.uses.take(now_s()));
        if !news {
            return Ok(());
        }
        if let Some(snapshot) = self.follower.current() {
            known.forget_what_is_gone(&snapshot);
        }
        let Known { record, files } = &mut *known;
        self.store.put_last_used(&self.gateway, record, files).await
    }

    /// Takes over the files of gateways that are gone: first adds them to its own file, then removes them.
    pub async fn adopt(&self) -> Result<(), StoreError> {
        let stale = self.store.stale_last_used(&self.gateway).await?;
        if stale.is_empty() {
            return Ok(());
        }
        let mut known = self.known.lock().await;
        let Known { record, files } = &mut *known;
        for (_, uses) in &stale {
            record.merge(uses.clone());
        }
        self.store.put_last_used(&self.gateway, record, files).await?;
        for (entry, _) in &stale {
            self.store.remove_last_used(entry).await?;
        }
        Ok(())
    }

    /// The last uses that any gateway has stored, and those of this gateway that are not stored yet.
    pub async fn read(&self) -> Result<LastUsed, StoreError> {
        let mut all = self.store.last_used().await?;
        all.merge(self.known.lock().await.record.clone());
        all.merge(self.uses.peek());
        Ok(all)
    }
}

impl Known {
    fn forget_what_is_gone(&mut self, snapshot: &Snapshot) {
        let roles: std::collections::BTreeSet<&str> = snapshot.roles().map(|role| &*role.id).collect();
        self.record.retain(|id| snapshot.access_key(id).is_some() || roles.contains(id));
    }
}

fn now_s() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}
