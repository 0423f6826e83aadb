//! Frees the chunks that dead gateways left behind.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future;

use super::claim::{self, Verdict};
use super::files::{self, Files, Found, now_s};
use super::named::{self, Needle, needle};
use crate::seaweedfs::metrics::Call;
use crate::seaweedfs::{SeaweedFiler, Shared, delete, wire};
use crate::{Filer, FilerError};

/// How long a claim has to be there before it is relied on. A single store needs none of this time.
const CLAIM_SETTLES: Duration = Duration::from_secs(2);
/// What could not be settled is looked at again after this many times the grace, then after twice that time, and so on.
const LOOK_AGAIN: u32 = 4;
/// How long it is at most until what could not be settled is looked at again.
const LOOK_AGAIN_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// How old an upload and the last heartbeat of its gateway must be for [`left_uploads`] to count it, in seconds.
const LEFT_AFTER_S: i64 = 3600;

/// Looks for uploads of dead gateways, and frees their chunks.
pub struct Sweeper {
    filer: SeaweedFiler,
    grace: Duration,
    /// The uploads of other gateways, and since when their gateway has shown no heartbeat.
    silent: HashMap<Key, Silence>,
    /// When filers last answered.
    answered: Option<Instant>,
    /// Those that could not be settled. To look at them again takes a walk through their bucket.
    later: HashMap<Key, Later>,
}

/// When an upload is looked at again, and how long that is after the last time.
struct Later {
    at: Instant,
    pause: Duration,
}

/// A gateway and one of its uploads.
type Key = (String, String);

struct Silence {
    heartbeat: Vec<u8>,
    since: Instant,
}

/// An upload whose gateway is gone.
struct Abandoned {
    key: Key,
    files: Found,
    verdict: Verdict,
}

impl Sweeper {
    /// `grace` is how long a gateway may be silent before it is taken for dead. If it is alive after all, its uploads that were
    /// claimed meanwhile fail with [`FilerError::Busy`].
    pub fn new(filer: &SeaweedFiler, grace: Duration) -> Self {
        Sweeper { filer: filer.clone(), grace, silent: HashMap::new(), answered: None, later: HashMap::new() }
    }

    /// One pass. What fails for one upload does not keep it from the others.
    ///
    /// # Errors
    ///
    /// Those of the filers; what failed is tried again in a later pass.
    pub async fn round(&mut self) -> Result<(), FilerError> {
        let mut abandoned = self.abandoned().await?;
        self.shared().journal.counts.left.store(abandoned.len() as i64, Ordering::Relaxed);
        let now = Instant::now();
        abandoned.retain(|upload| self.later.get(&upload.key).is_none_or(|later| later.at <= now));
        if abandoned.is_empty() {
            return Ok(());
        }
        one_store(self.shared()).await?;
        let mut failures = Failures::default();
        let mut buckets: BTreeMap<String, Vec<Abandoned>> = BTreeMap::new();
        for upload in self.judge(abandoned, &mut failures).await {
            match upload.files.bucket.clone() {
                Some(bucket) if upload.verdict != Verdict::Settled => buckets.entry(bucket).or_default().push(upload),
                // This frees nothing.
                _ => failures.take(self.settle(&upload).await),
            }
        }
        for (bucket, uploads) in buckets {
            if self.shared().bucket_directory(&format!("{bucket}/")) != Some(format!("{bucket}/")) {
                tracing::warn!(bucket, "an intent that names no bucket is left alone");
            } else {
                let done = self.bucket(&bucket, &uploads, &mut failures).await;
                failures.take(done);
                uploads.iter().for_each(|upload| self.look_again_later(&upload.key));
            }
        }
        match failures.first {
            Some(error) => Err(error),
            None => {
                // Filers have answered all this time.
                self.answered = Some(Instant::now());
                Ok(())
            }
        }
    }

    /// The uploads of gateways that have shown no heartbeat for the whole grace.
    async fn abandoned(&mut self) -> Result<Vec<Abandoned>, FilerError> {
        let (mut abandoned, mut seen) = (Vec::new(), HashSet::new());
        let filer = self.filer.clone();
        let shared = &filer.shared;
        let begun = Instant::now();
        // While filers do not answer, living gateways cannot show a heartbeat. Half a grace without hides none for a whole one.
        if self.answered.is_some_and(|answered| begun.duration_since(answered) > self.grace / 2) {
            self.silent.clear();
        }
        let gateways = files::gateways(&filer).await?;
        for gateway in gateways.into_iter().filter(|gateway| *gateway != shared.journal.gateway) {
            let asked = Instant::now();
            let found = files::read(&filer, &gateway).await?;
            let is_empty = found.uploads.is_empty();
            for (id, files) in found.uploads {
                let key = (gateway.clone(), id);
                seen.insert(key.clone());
                // The first one that claims it has time to settle it.
                let grace = if files.is_claimed { self.grace * 2 } else { self.grace };
                if self.silence(&key, &found.heartbeat.0, asked) >= grace {
                    abandoned.push(Abandoned { key, files, verdict: Verdict::Settled });
                }
            }
            let directory = Files::of(shared, &gateway);
            let key = (gateway.clone(), String::new());
            if is_empty && self.silence(&key, &found.heartbeat.0, asked) >= self.grace {
                let _ = directory.remove_directory().await;
            } else if is_empty {
                seen.insert(key);
            }
        }
        self.answered = Some(begun);
        self.silent.retain(|key, _| seen.contains(key));
        self.later.retain(|key, _| seen.contains(key));
        Ok(abandoned)
    }

    /// How long an upload had been seen without a heartbeat of its gateway when its files were asked for.
    fn silence(&mut self, key: &Key, heartbeat: &[u8], asked: Instant) -> Duration {
        let fresh = || Silence { heartbeat: heartbeat.to_vec(), since: Instant::now() };
        let known = self.silent.entry(key.clone()).or_insert_with(fresh);
        if known.heartbeat != heartbeat {
            *known = fresh();
        }
        asked.saturating_duration_since(known.since)
    }

    /// Claims the uploads, and finds out what may become of each. Leaves out those for which that fails.
    async fn judge(&self, uploads: Vec<Abandoned>, failures: &mut Failures) -> Vec<Abandoned> {
        let mut claimed = Vec::new();
        for upload in uploads {
            // Also if no intent was listed: it may be there all the same, and nothing is judged without a claim.
            let done = claim::claim(&self.files(&upload), &upload.key.1).await;
            claimed.extend(failures.value(done).map(|()| upload));
        }
        tokio::time::sleep(CLAIM_SETTLES.min(self.grace)).await;
        let mut judged = Vec::new();
        for upload in claimed {
            judged.extend(failures.value(self.judge_claimed(upload).await));
        }
        judged
    }

    async fn judge_claimed(&self, mut upload: Abandoned) -> Result<Abandoned, FilerError> {
        upload.verdict = claim::judge(&self.files(&upload), &upload.key.1).await?;
        // Lists are complete once the gateway cannot commit any more.
        if upload.verdict != Verdict::Settled {
            let mut now = files::read(&self.filer, &upload.key.0).await?.uploads;
            upload.files = now.remove(&upload.key.1).unwrap_or_default();
        }
        Ok(upload)
    }

    /// Frees what no entry of the bucket names.
    async fn bucket(&self, bucket: &str, uploads: &[Abandoned], failures: &mut Failures) -> Result<(), FilerError> {
        if self.filer.lookup(bucket).await?.is_none() {
            // Its volumes are gone, too.
            for upload in uploads {
                failures.take(self.settle(upload).await);
            }
            return Ok(());
        }
        let wanted: HashSet<Needle> = uploads.iter().flat_map(Abandoned::needles).collect();
        let named = match wanted.is_empty() {
            true => HashSet::new(),
            false => named::named(self.shared(), bucket, &wanted).await?,
        };
        for upload in uploads {
            let is_named = upload.needles().any(|needle| named.contains(&needle));
            failures.take(self.finish(bucket, upload, is_named).await);
        }
        Ok(())
    }

    fn look_again_later(&mut self, key: &Key) {
        let pause = pause_after(self.later.get(key).map(|later| later.pause), self.grace);
        self.later.insert(key.clone(), Later { at: Instant::now() + pause, pause });
    }

    /// Does with an upload what its verdict allows, now that it is known whether an entry names its chunks.
    async fn finish(&self, bucket: &str, upload: &Abandoned, is_named: bool) -> Result<(), FilerError> {
        let id = &upload.key.1;
        match upload.verdict {
            Verdict::Free if is_named => {
                tracing::warn!(bucket, upload = id, "chunks are kept: an entry names them, although none should");
                self.settle(upload).await
            }
            _ if is_named => self.settle(upload).await,
            Verdict::Free => self.free(bucket, upload).await,
            Verdict::Committed => {
                let why = "chunks of a dead gateway are kept: it may have been writing their entry";
                tracing::warn!(bucket, upload = id, "{why}");
                Ok(())
            }
            Verdict::Settled => Ok(()),
        }
    }

    async fn free(&self, bucket: &str, upload: &Abandoned) -> Result<(), FilerError> {
        let chunks = upload.files.chunks.len();
        let not_freed = delete::needles(self.shared(), upload.files.chunks.clone()).await;
        let freed = chunks.saturating_sub(not_freed);
        self.shared().journal.counts.freed_chunks.fetch_add(freed as u64, Ordering::Relaxed);
        let gateway = &upload.key.0;
        tracing::info!(bucket, gateway, freed, not_freed, "freed chunks that a dead gateway left behind");
        if not_freed == 0 { self.settle(upload).await } else { Ok(()) }
    }

    async fn settle(&self, upload: &Abandoned) -> Result<(), FilerError> {
        claim::settle(&self.files(upload), &upload.key.1, upload.files.lists.clone()).await?;
        self.shared().journal.counts.left.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    fn files(&self, upload: &Abandoned) -> Files<'_> {
        Files::of(self.shared(), &upload.key.0)
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.filer.shared
    }
}

/// How long it is until an upload is looked at again that could not be settled, if it was `last` the time before.
fn pause_after(last: Option<Duration>, grace: Duration) -> Duration {
    last.map_or(grace * LOOK_AGAIN, |pause| pause * 2).min(LOOK_AGAIN_WITHIN)
}

/// The first failure of several, of which each ends the pass for one upload only.
#[derive(Default)]
struct Failures {
    first: Option<FilerError>,
}

impl Failures {
    fn take(&mut self, done: Result<(), FilerError>) {
        self.value(done);
    }

    /// What succeeded.
    fn value<T>(&mut self, done: Result<T, FilerError>) -> Option<T> {
        done.map_err(|error| self.first.get_or_insert(error)).ok()
    }
}

impl Abandoned {
    fn needles(&self) -> impl Iterator<Item = Needle> {
        self.files.chunks.iter().filter_map(|address| needle(address))
    }
}

/// Fails unless all filers, those that the masters list and those of the options, answer and have the same store. Only one store
/// tells which file came first.
async fn one_store(shared: &Shared) -> Result<(), FilerError> {
    let (masters, group) = shared.cluster().await;
    let mut filers = shared.ring.cluster_nodes(&shared.filers, &masters, "filer", &group).await;
    if filers.is_empty() {
        return Err(FilerError::Unavailable("no master lists the filers".to_owned()));
    }
    filers.extend(shared.options.filers.iter().cloned());
    let asked = filers.into_iter().map(|filer| async move {
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

/// What the [`Sweeper`] of a client has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many chunks of other gateways it has freed since the start.
    pub freed_chunks: u64,
    /// How many abandoned uploads its last pass left, for whatever reason.
    pub left: i64,
}

/// Uploads that dead gateways left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftUploads {
    /// How many were not completed: their chunks can be freed.
    pub waiting: usize,
    /// How many may have been completed: if no entry names their chunks, these stay.
    pub maybe_committed: usize,
}

/// Counts the uploads of gateways that have shown no heartbeat for an hour, by their clocks and ours.
///
/// # Errors
///
/// Those of the filer.
pub async fn left_uploads(filer: &dyn Filer) -> Result<LeftUploads, FilerError> {
    let mut left = LeftUploads::default();
    for name in files::gateways(filer).await? {
        let gateway = files::read(filer, &name).await?;
        let is_old = |upload: &&Found| gateway.heartbeat.1.max(upload.made_s).saturating_add(LEFT_AFTER_S) < now_s();
        for upload in gateway.uploads.values().filter(|upload| upload.bucket.is_some()).filter(is_old) {
            left.waiting += usize::from(!upload.is_committed);
            left.maybe_committed += usize::from(upload.is_committed);
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_in_doubt_is_looked_at_less_and_less_often() {
        let pauses = |grace_s| {
            let grace = Duration::from_secs(grace_s);
            let next = move |last: &Duration| Some(pause_after(Some(*last), grace));
            std::iter::successors(Some(pause_after(None, grace)), next).map(|pause| pause.as_secs())
        };
        let hours: Vec<u64> = pauses(900).take(7).map(|pause| pause / 3600).collect();
        assert_eq!(hours, [1, 2, 4, 8, 16, 24, 24]);
        assert_eq!(pauses(5).take(3).collect::<Vec<_>>(), [20, 40, 80]);
        assert_eq!(pauses(86_400).take(2).collect::<Vec<_>>(), [86_400, 86_400]);
    }
}
