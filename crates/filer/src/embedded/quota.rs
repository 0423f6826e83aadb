//! Quotas of buckets: how many bytes their objects, versions and parts of uploads may have together. The bytes are counted once when a
//! quota is set, and with each transaction from then on. Without quotas nothing is counted.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use prost::Message;
use redb::{Database, ReadableDatabase};

use super::BUCKETS_ROOT;
use super::key::{Path, behind};
use super::tables::ENTRIES;
use crate::entry::Entry;
use crate::filer::FilerError;

/// The most bytes of buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Of each bucket that is not named; `None` for no limit.
    pub others: Option<u64>,
    /// By the names of buckets; `None` for no limit.
    pub named: BTreeMap<String, Option<u64>>,
}

/// The quotas in force, and the bytes of the buckets that have one. Only the committing thread changes them.
#[derive(Debug, Default)]
pub(super) struct Counted(RwLock<Option<Arc<Usage>>>);

#[derive(Debug)]
pub(super) struct Usage {
    quotas: Quotas,
    bytes: Mutex<BTreeMap<String, i64>>,
}

/// How many bytes a transaction, or a batch of them, adds to buckets.
pub(super) type Added = BTreeMap<String, i64>;

impl Quotas {
    fn is_empty(&self) -> bool {
        self.others.is_none() && self.named.values().all(Option::is_none)
    }

    fn of(&self, bucket: &str) -> Option<u64> {
        self.named.get(bucket).copied().unwrap_or(self.others)
    }
}

impl Counted {
    /// `None` without quotas.
    pub(super) fn usage(&self) -> Option<Arc<Usage>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts what is stored, and sets the quotas.
    pub(super) fn set(&self, quotas: Quotas, database: &Database) -> Result<(), redb::Error> {
        let usage = if quotas.is_empty() { None } else { Some(Usage::count(quotas, database)?.into()) };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = usage;
        Ok(())
    }

    /// Whether there is any room in the bucket of a path.
    pub(super) fn accepts(&self, path: &str) -> Result<(), FilerError> {
        let Some(usage) = self.usage() else { return Ok(()) };
        let key = Path::parse(path)?.directory_key();
        bucket_of(&key).map_or(Ok(()), |bucket| usage.require_room(&bucket, 1, 0))
    }
}

impl Usage {
    fn count(quotas: Quotas, database: &Database) -> Result<Self, redb::Error> {
        let mut bytes = BTreeMap::new();
        let entries = database.begin_read()?.open_table(ENTRIES)?;
        let root = Path::directory(BUCKETS_ROOT).map(|root| root.directory_key()).unwrap_or_default();
        let end = behind(root.strip_suffix(&[0]).unwrap_or(&root).to_vec());
        for row in entries.range::<&[u8]>(&*root..&*end)? {
            let (key, stored) = row?;
            if let Some(bucket) = bucket_of(key.value()).filter(|bucket| quotas.of(bucket).is_some()) {
                *bytes.entry(bucket).or_default() += size(Some(stored.value()));
            }
        }
        Ok(Self { quotas, bytes: Mutex::new(bytes) })
    }

    /// What changed keys add to each bucket with a quota: the previous value of each change, in order, and the present one.
    pub(super) fn added(
        &self,
        changed: &[(Vec<u8>, Option<Vec<u8>>)],
        present: impl Fn(&[u8]) -> Result<i64, redb::Error>,
    ) -> Result<Added, redb::Error> {
        let (mut added, mut seen) = (Added::new(), HashSet::new());
        for (key, previous) in changed {
            let Some(bucket) = bucket_of(key).filter(|bucket| self.quotas.of(bucket).is_some()) else { continue };
            if seen.insert(key) {
                *added.entry(bucket).or_default() += present(key)? - size(previous.as_deref());
            }
        }
        Ok(added)
    }

    /// Refuses to exceed a quota. What adds nothing is never refused. `before` is what the batch has added by now.
    pub(super) fn check(&self, added: &Added, before: &Added) -> Result<(), FilerError> {
        added
            .iter()
            .filter(|(_, bytes)| **bytes > 0)
            .try_for_each(|(bucket, bytes)| self.require_room(bucket, *bytes, before.get(bucket).copied().unwrap_or(0)))
    }

    fn require_room(&self, bucket: &str, wanted: i64, before: i64) -> Result<(), FilerError> {
        let Some(quota) = self.quotas.of(bucket) else { return Ok(()) };
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).copied().unwrap_or(0);
        let wanted = u64::try_from(bytes.saturating_add(before).saturating_add(wanted)).unwrap_or(0);
        if wanted > quota { Err(FilerError::ReadOnly(format!("{BUCKETS_ROOT}/{bucket}/"))) } else { Ok(()) }
    }

    pub(super) fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// Bucket, bytes, quota.
    pub(super) fn rows(&self) -> Vec<(String, u64, u64)> {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |(bucket, bytes): (&String, &i64)| {
            let quota = self.quotas.of(bucket)?;
            Some((bucket.clone(), u64::try_from(*bytes).unwrap_or(0), quota))
        };
        bytes.iter().filter_map(row).collect()
    }

    /// A batch is durable.
    pub(super) fn add(&self, added: &Added) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        added.iter().for_each(|(bucket, added)| *bytes.entry(bucket.clone()).or_default() += added);
        bytes.retain(|_, bytes| *bytes != 0);
    }
}

/// The bytes of a stored entry. One that cannot be read has none: what removes it must not be refused.
pub(super) fn size(stored: Option<&[u8]>) -> i64 {
    let entry = stored
        .and_then(|stored| Entry::decode(stored).ok())
        .filter(|entry| !entry.is_directory || !entry.chunks.is_empty());
    entry.map_or(0, |entry| i64::try_from(entry.content_bytes()).unwrap_or(i64::MAX))
}

/// The bucket in which a key lies.
fn bucket_of(key: &[u8]) -> Option<String> {
    let below = key.strip_prefix(BUCKETS_ROOT.replace('/', "\0").as_bytes())?.strip_prefix(&[0])?;
    let name = below.split(|byte| *byte == 0).next().filter(|name| name.len() < below.len())?;
    String::from_utf8(name.to_vec()).ok()
}
