//! Writes down once a minute when keys and roles were last used, and reads what all gateways wrote.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use access::Uses;
use iam::{LastUsed, Snapshot};
use store::{FilerStore, LastUsedFiles, StoreError};
use tokio::sync::Mutex;

use crate::feed::Follower;

/// How often uses are written.
const EVERY: Duration = Duration::from_secs(60);
/// After so many writes the files of gateways that are gone are looked for.
const ADOPT_EVERY: u32 = 60;

/// The last uses that this gateway saw.
pub struct Recorder {
    uses: Arc<Uses>,
    store: FilerStore,
    follower: Arc<Follower>,
    /// Names this gateway's files; of this run alone, so that no two gateways write one file.
    gateway: String,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    record: LastUsed,
    files: LastUsedFiles,
}

impl Recorder {
    /// A recorder of what `uses` notes.
    pub fn new(uses: Arc<Uses>, store: FilerStore, follower: Arc<Follower>) -> Self {
        let gateway = format!("{:016x}", rand::random::<u64>());
        Self { uses, store, follower, gateway, known: Mutex::default() }
    }

    /// Writes for ever. What cannot be written now is written the next time.
    pub async fn run(&self) {
        for turn in 0u32.. {
            if turn.is_multiple_of(ADOPT_EVERY) {
                warn(self.adopt().await);
            }
            tokio::time::sleep(EVERY).await;
            warn(self.flush().await);
        }
    }

    /// Writes what is new.
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

    /// Takes over the files of gateways that are gone: first into the own file, then away.
    pub(crate) async fn adopt(&self) -> Result<(), StoreError> {
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

    /// The last uses that any gateway has written, and those of this one that are not written yet.
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

fn warn(written: Result<(), StoreError>) {
    if let Err(error) = written {
        tracing::warn!(%error, "when keys were last used could not be written; it is tried again in a minute");
    }
}

fn now_s() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}
