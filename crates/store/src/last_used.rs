//! When keys and roles were last used: files of each gateway that no other writes, and all read.
//!
//! They lie under our own base, where neither the feed nor SeaweedFS looks. Nothing is decided by them, so they are written
//! without a condition.

use filer::{Entry, Mutation, Transaction};
use iam::{Facts, LastUsed};

use crate::commit::now_s;
use crate::document::to_entry;
use crate::error::StoreError;
use crate::filer_store::FilerStore;

/// Ids in one file: a gateway that saw more writes several.
const IDS_PER_FILE: usize = 5_000;
/// A file that nobody wrote for so long is of a gateway that is gone, in seconds.
const STALE_S: i64 = 24 * 3600;

/// The files of one gateway.
#[derive(Debug, Default)]
pub struct LastUsedFiles {
    /// The content of each file as it was written last.
    written: Vec<String>,
}

impl FilerStore {
    /// What all gateways have written, the latest use of each id.
    pub async fn last_used(&self) -> Result<LastUsed, StoreError> {
        let mut all = LastUsed::default();
        for entry in self.last_used_entries().await? {
            all.merge(self.last_used_of(&entry).await?);
        }
        Ok(all)
    }

    /// Writes what a gateway has seen to its files, as far as they differ from what they hold.
    pub async fn put_last_used(
        &self,
        gateway: &str,
        record: &LastUsed,
        files: &mut LastUsedFiles,
    ) -> Result<(), StoreError> {
        let count = record.len().div_ceil(IDS_PER_FILE).next_power_of_two();
        let mut shards = vec![LastUsed::default(); count];
        for (id, used) in record.iter() {
            if let Some(shard) = shards.get_mut(shard_of(id, count)) {
                shard.note(id, used.clone());
            }
        }
        files.written.resize(count, String::new());
        for (number, (shard, written)) in shards.iter().zip(&mut files.written).enumerate() {
            let text = shard.to_text();
            if *written == text {
                continue;
            }
            let name = format!("{gateway}-{number}.json");
            let entry = Box::new(to_entry(&name, &text, &Facts::default(), None, now_s(), rand::random()));
            let directory = self.layout.last_used().to_owned();
            self.put(&name, Mutation::Put { directory, entry }).await?;
            *written = text;
        }
        Ok(())
    }

    /// The files of gateways that are gone: what they hold. [`FilerStore::remove_last_used`] removes one.
    pub async fn stale_last_used(&self, gateway: &str) -> Result<Vec<(Entry, LastUsed)>, StoreError> {
        let own = format!("{gateway}-");
        let before = now_s() - STALE_S;
        let mut stale = Vec::new();
        for entry in self.last_used_entries().await? {
            if entry.attributes().mtime < before && !entry.name.starts_with(&own) {
                let record = self.last_used_of(&entry).await?;
                stale.push((entry, record));
            }
        }
        Ok(stale)
    }

    /// Removes a file unless its gateway has written it again.
    pub async fn remove_last_used(&self, entry: &Entry) -> Result<(), StoreError> {
        let path = format!("{}/{}", self.layout.last_used(), entry.name);
        let (directory, name) = (self.layout.last_used().to_owned(), entry.name.clone());
        let removed =
            self.swap(&path, Some(entry), Mutation::Delete { directory, name, delete_data: true, recursive: false });
        match removed.await {
            Ok(()) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn last_used_entries(&self) -> Result<Vec<Entry>, StoreError> {
        let entries = self.children(self.layout.last_used()).await?;
        Ok(entries.into_iter().filter(|entry| !entry.is_directory && entry.name.ends_with(".json")).collect())
    }

    async fn last_used_of(&self, entry: &Entry) -> Result<LastUsed, StoreError> {
        let path = format!("{}/{}", self.layout.last_used(), entry.name);
        let content = self.content(&path, entry).await?.unwrap_or_default();
        Ok(LastUsed::parse(&String::from_utf8_lossy(&content)))
    }

    async fn put(&self, name: &str, mutation: Mutation) -> Result<(), StoreError> {
        let path = format!("{}/{name}", self.layout.last_used());
        let transaction = Transaction { lock_key: path.clone(), mutations: vec![mutation], ..Transaction::default() };
        self.filer.transact(transaction).await.map_err(|error| StoreError::Filer { path, error })
    }
}

/// Which file an id stands in: FNV-1a of it.
fn shard_of(id: &str, count: usize) -> usize {
    let hash = id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    usize::try_from(hash).unwrap_or_default() % count
}
