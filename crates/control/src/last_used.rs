//! Writes down when keys and roles were last used, and reads what all gateways wrote.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use access::RecentUses;
use iam::{LastUsed, Snapshot, Use};
use store::{FilerStore, LastUsedFiles, StoreError};
use tokio::sync::Mutex;

use crate::feed::Follower;

/// How many sessions are remembered: the most recently used.
const SESSIONS: usize = 10_000;

/// The last uses that this gateway has seen.
pub struct Recorder {
    uses: Arc<RecentUses>,
    store: FilerStore,
    follower: Arc<Follower>,
    /// Names this gateway's files. It is unique to this run, so that no two gateways write the same file.
    gateway: String,
    known: Mutex<Known>,
}

/// The clock by which uses are stored.
struct Clock {
    /// How far the clock of this machine is ahead of it.
    off_by_s: i64,
    now_s: i64,
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
        let clock = self.clock();
        known.record.not_after(clock.now_s);
        let news = known.record.merge(clock.corrected(&self.uses.take(now_s())));
        if !news {
            return Ok(());
        }
        if let Some(snapshot) = self.follower.current() {
            known.forget_what_is_gone(&snapshot, clock.now_s);
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
        record.not_after(self.clock().now_s);
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
        let clock = self.clock();
        all.merge(clock.corrected(&self.uses.peek()));
        all.not_after(clock.now_s);
        Ok(all)
    }

    /// The filers' clock. If that of this gateway is far off, the times that it noted are.
    fn clock(&self) -> Clock {
        let off_by_s = self.follower.clock_off_by_s().unwrap_or_default();
        Clock { off_by_s, now_s: now_s().saturating_sub(off_by_s) }
    }
}

impl Clock {
    /// The same uses, by this clock.
    fn corrected(&self, uses: &LastUsed) -> LastUsed {
        let at_s = |used: &Use| used.at_s.saturating_sub(self.off_by_s).min(self.now_s);
        uses.iter().map(|(id, used)| (id.clone(), Use { at_s: at_s(used), ..used.clone() })).collect()
    }
}

impl Known {
    fn forget_what_is_gone(&mut self, snapshot: &Snapshot, now_s: i64) {
        let roles: std::collections::BTreeSet<&str> = snapshot.roles().map(|role| &*role.id).collect();
        self.record.retain(|id, used| match &used.session {
            Some(session) => session.expires_s > now_s,
            None => snapshot.access_key(id).is_some() || roles.contains(id),
        });
        self.record.keep_sessions(SESSIONS);
    }
}

fn now_s() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}
