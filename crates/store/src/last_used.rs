//! When keys and roles were last used. Each gateway has files that only it writes and all gateways read.
//!
//! They are under our own base path, which neither the feed nor SeaweedFS reads. No decision depends on them, so they
//! are written without a condition.

use filer::{Entry, Mutation, Transaction};
use iam::LastUsed;
use iam_formats::{Facts, last_used};

use crate::commit::now_s;
use crate::document::to_entry;
use crate::error::StoreError;
use crate::filer_store::FilerStore;

/// How many ids fit into one file. A gateway that has seen more writes several files.
const IDS_PER_FILE: usize = 5_000;
/// If a file has not been written for this long, in seconds, its gateway is gone.
const STALE_S: i64 = 24 * 3600;

/// The files of one gateway.
#[derive(Debug, Default)]
pub struct LastUsedFiles {
    /// The last written content of each file.
    written: Vec<String>,
}

impl FilerStore {
    /// The latest use of each id, from the files of all gateways.
    pub async fn last_used(&self) -> Result<LastUsed, StoreError> {
        let mut all = LastUsed::default();
        for entry in self.last_used_entries().await? {
            all.merge(self.last_used_of(&entry).await?);
        }
        Ok(all)
    }

    /// Writes what a gateway has seen to its files. Skips files whose content stays the same.
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
            let text = last_used::to_text(shard);
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

    /// The files of gateways that are gone, with their content. [`FilerStore::remove_last_used`] removes one.
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
        Ok(last_used::parse(&String::from_utf8_lossy(&content)))
    }

    async fn put(&self, name: &str, mutation: Mutation) -> Result<(), StoreError> {
        let path = format!("{}/{name}", self.layout.last_used());
        let transaction = Transaction { lock_key: path.clone(), mutations: vec![mutation], ..Transaction::default() };
        self.filer.transact(transaction).await.map_err(|error| StoreError::Filer { path, error })
    }
}

/// The file of an id, by its FNV-1a hash.
fn shard_of(id: &str, count: usize) -> usize {
    let hash = id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    usize::try_from(hash).unwrap_or_default() % count
}
