//! Frees the chunks that gateways left behind which are gone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future;

use super::ROOT;
use super::claim::{self, Verdict};
use super::files::{self, Files, Found, Gateway, now_s};
use super::named::{self, Needle, needle};
use crate::seaweedfs::metrics::Call;
use crate::seaweedfs::rpc::Replay;
use crate::seaweedfs::{SeaweedFiler, Shared, delete, found, split, wire};
use crate::{Filer, FilerError, ListOptions};

/// How long a claim has to be there before it is relied on. A single store needs none of this time.
const CLAIM_SETTLES: Duration = Duration::from_secs(2);
/// What could not be settled is looked at again after so many times the grace.
const LOOK_AGAIN: u32 = 4;
/// How old an upload must be to be counted as left behind, in seconds. The files of one in progress say that its gateway is there.
const LEFT_AFTER_S: i64 = 3600;

/// Looks for uploads of gateways that are gone, and frees their chunks.
pub struct Sweeper {
    shared: Arc<Shared>,
    grace: Duration,
    /// The uploads of other gateways, and since when their gateway has given no sign of life.
    silent: HashMap<Key, Silence>,
    /// Those that could not be settled, and when they are looked at again. It takes a walk through their bucket.
    later: HashMap<Key, Instant>,
}

/// A gateway and one of its uploads.
type Key = (String, String);

struct Silence {
    alive: Vec<u8>,
    since: Instant,
}

/// An upload whose gateway is gone.
struct Abandoned {
    key: Key,
    files: Found,
    verdict: Verdict,
}

impl Sweeper {
    /// `grace` is how long a gateway may be silent before it is taken for dead. If it is not, its uploads of that time fail.
    pub fn new(filer: &SeaweedFiler, grace: Duration) -> Self {
        Sweeper { shared: Arc::clone(&filer.shared), grace, silent: HashMap::new(), later: HashMap::new() }
    }

    /// Looks once. Errors are those of filers: what could not be done is tried again in the next round.
    pub async fn round(&mut self) -> Result<(), FilerError> {
        let mut abandoned = self.abandoned().await?;
        self.shared.journal.counts.unsettled.store(abandoned.len() as i64, Ordering::Relaxed);
        let now = Instant::now();
        abandoned.retain(|upload| self.later.get(&upload.key).is_none_or(|again| *again <= now));
        if abandoned.is_empty() {
            return Ok(());
        }
        one_store(&self.shared).await?;
        self.judge(&mut abandoned).await?;
        let mut buckets: BTreeMap<String, Vec<Abandoned>> = BTreeMap::new();
        for upload in abandoned {
            match upload.files.bucket.clone() {
                Some(bucket) if upload.verdict != Verdict::Settled => buckets.entry(bucket).or_default().push(upload),
                // This frees nothing.
                _ => self.settle(&upload).await?,
            }
        }
        let mut failed = Ok(());
        for (bucket, uploads) in buckets {
            if self.shared.bucket_directory(&format!("{bucket}/")) != Some(format!("{bucket}/")) {
                tracing::warn!(bucket, "an intent that names no bucket is left alone");
            } else if let Err(error) = self.bucket(&bucket, uploads).await {
                failed = Err(error);
            }
        }
        failed
    }

    /// The uploads of gateways that have given no sign of life for the whole grace.
    async fn abandoned(&mut self) -> Result<Vec<Abandoned>, FilerError> {
        let (mut abandoned, mut seen) = (Vec::new(), HashSet::new());
        let shared = Arc::clone(&self.shared);
        let gateways = files::gateways(&shared).await?;
        for gateway in gateways.into_iter().filter(|gateway| *gateway != shared.journal.gateway) {
            let directory = Files::of(&shared, &gateway);
            let found = directory.read().await?;
            let is_empty = found.uploads.is_empty();
            for (id, files) in found.uploads {
                let key = (gateway.clone(), id);
                seen.insert(key.clone());
                // Who claims first has time to settle it.
                let grace = if files.is_claimed { self.grace * 2 } else { self.grace };
                if self.silence(&key, &found.alive.0) >= grace {
                    abandoned.push(Abandoned { key, files, verdict: Verdict::Settled });
                }
            }
            let key = (gateway, String::new());
            if is_empty && self.silence(&key, &found.alive.0) >= self.grace {
                let _ = directory.remove_directory().await;
            } else if is_empty {
                seen.insert(key);
            }
        }
        self.silent.retain(|key, _| seen.contains(key));
        self.later.retain(|key, _| seen.contains(key));
        Ok(abandoned)
    }

    /// How long an upload has been seen without a sign of life of its gateway.
    fn silence(&mut self, key: &Key, alive: &[u8]) -> Duration {
        let now = Instant::now();
        let fresh = || Silence { alive: alive.to_vec(), since: now };
        let known = self.silent.entry(key.clone()).or_insert_with(fresh);
        if known.alive != alive {
            *known = fresh();
        }
        now.duration_since(known.since)
    }

    /// Claims the uploads, and finds out what may become of each.
    async fn judge(&self, uploads: &mut [Abandoned]) -> Result<(), FilerError> {
        for upload in uploads.iter().filter(|upload| upload.files.bucket.is_some()) {
            claim::claim(&self.files(upload), &upload.key.1).await?;
        }
        tokio::time::sleep(CLAIM_SETTLES.min(self.grace)).await;
        for upload in uploads {
            upload.verdict = claim::judge(&self.files(upload), &upload.key.1).await?;
            // Lists are complete once the gateway cannot commit any more.
            if upload.verdict == Verdict::Free {
                let mut now = self.files(upload).read().await?.uploads;
                upload.files = now.remove(&upload.key.1).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Frees what no entry of the bucket names.
    async fn bucket(&mut self, bucket: &str, uploads: Vec<Abandoned>) -> Result<(), FilerError> {
        let again = Instant::now() + self.grace * LOOK_AGAIN;
        self.later.extend(uploads.iter().map(|upload| (upload.key.clone(), again)));
        if !exists(&self.shared, bucket).await? {
            // Its volumes are gone, too.
            return future::try_join_all(uploads.iter().map(|upload| self.settle(upload))).await.map(drop);
        }
        let wanted: HashSet<Needle> = uploads.iter().flat_map(Abandoned::needles).collect();
        let named = named::named(&self.shared, bucket, &wanted).await?;
        for upload in uploads {
            let is_named = upload.needles().any(|needle| named.contains(&needle));
            match upload.verdict {
                verdict if is_named => {
                    if verdict == Verdict::Free {
                        tracing::warn!(
                            bucket,
                            upload = upload.key.1,
                            "chunks are kept: an entry names them, although none should"
                        );
                    }
                    self.settle(&upload).await?;
                }
                Verdict::Committed => {
                    tracing::warn!(
                        bucket,
                        upload = upload.key.1,
                        "chunks of a dead gateway are kept: it may have been writing their entry"
                    );
                }
                Verdict::Free => self.free(bucket, &upload).await?,
                Verdict::Settled => {}
            }
        }
        Ok(())
    }

    async fn free(&self, bucket: &str, upload: &Abandoned) -> Result<(), FilerError> {
        let chunks = upload.files.chunks.len();
        let refused = delete::needles(&self.shared, upload.files.chunks.clone()).await;
        let freed = chunks.saturating_sub(refused);
        self.shared.journal.counts.freed_chunks.fetch_add(freed as u64, Ordering::Relaxed);
        tracing::info!(bucket, gateway = upload.key.0, freed, refused, "freed chunks that a dead gateway left behind");
        if refused == 0 { self.settle(upload).await } else { Ok(()) }
    }

    async fn settle(&self, upload: &Abandoned) -> Result<(), FilerError> {
        claim::settle(&self.files(upload), &upload.key.1, upload.files.lists.clone()).await?;
        self.shared.journal.counts.unsettled.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    fn files(&self, upload: &Abandoned) -> Files<'_> {
        Files::of(&self.shared, &upload.key.0)
    }
}

impl Abandoned {
    fn needles(&self) -> impl Iterator<Item = Needle> {
        self.files.chunks.iter().filter_map(|address| needle(address))
    }
}

async fn exists(shared: &Shared, directory: &str) -> Result<bool, FilerError> {
    let (parent, name) = split(directory);
    let request = wire::LookupDirectoryEntryRequest { directory: parent, name };
    let answer = shared.filers.unary(Call::LookupDirectoryEntry, &request, Replay::Safe).await;
    Ok(found(directory, answer)?.is_some())
}

/// Fails unless all filers answer and have the same store. Only one store has one answer to who came first.
async fn one_store(shared: &Shared) -> Result<(), FilerError> {
    let asked = shared.members().await.into_iter().map(|filer| async move {
        let node = shared.ring.node(&shared.filers, &filer)?;
        let request = wire::GetFilerConfigurationRequest {};
        let answer: wire::GetFilerConfigurationResponse =
            shared.filers.unary_on(&node, Call::GetFilerConfiguration, request).await?;
        Ok::<i32, FilerError>(answer.signature)
    });
    let stores: HashSet<i32> = future::try_join_all(asked).await?.into_iter().collect();
    match stores.len() {
        1 => Ok(()),
        _ => Err(FilerError::Other("filers have stores of their own, so chunks of dead gateways are left".to_owned())),
    }
}

/// What gateways that are gone have left of uploads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftUploads {
    /// Uploads whose chunks gateways are about to free.
    pub waiting: usize,
    /// Uploads that may have been committed when their gateway ended: nobody frees their chunks.
    pub unsettled: usize,
}

/// Counts the uploads of gateways that have given no sign of life for an hour, by their clocks and ours.
pub async fn left_uploads(filer: &dyn Filer) -> Result<LeftUploads, FilerError> {
    let mut left = LeftUploads::default();
    for directory in filer.list(ROOT, ListOptions { limit: 1000, ..ListOptions::default() }).await? {
        let gateway = read(filer, &format!("{ROOT}/{}", directory.name)).await?;
        let is_old = |upload: &&Found| gateway.alive.1.max(upload.made_s) + LEFT_AFTER_S < now_s();
        for upload in gateway.uploads.values().filter(|upload| upload.bucket.is_some()).filter(is_old) {
            left.waiting += usize::from(!upload.is_committed);
            left.unsettled += usize::from(upload.is_committed);
        }
    }
    Ok(left)
}

async fn read(filer: &dyn Filer, directory: &str) -> Result<Gateway, FilerError> {
    let mut gateway = Gateway::default();
    let mut start_from = String::new();
    loop {
        let page =
            filer.list(directory, ListOptions { start_from, limit: files::PAGE, ..ListOptions::default() }).await?;
        start_from = page.last().map(|entry| entry.name.clone()).unwrap_or_default();
        let is_last = page.len() < files::PAGE;
        page.into_iter().for_each(|entry| gateway.take(entry));
        if is_last {
            return Ok(gateway);
        }
    }
}
