//! The background workers that every gateway has.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use control::last_used::Recorder;
use control::mirror::Mirror;
use control::revocations::Revocations;
use federation::KeyKeeper;
use filer::FilerError;
use filer::embedded::{EmbeddedFiler, Scrubber};
use store::StoreError;
use tokio::sync::watch;

use crate::workers::{Period, RunEnd, RunsOn, Worker};

/// How often the uses of keys and roles are written.
const RECORD_EVERY: Duration = Duration::from_secs(60);
/// How often the files of gateways that are gone are looked for.
const ADOPT_EVERY: Duration = Duration::from_secs(3600);

/// How often a piece of what is stored is read to find corrupt data.
const SCRUB_STEP: Duration = Duration::from_secs(1);
/// The time from the beginning of one pass over everything to that of the next one.
const SCRUB_EVERY: Duration = Duration::from_secs(7 * 24 * 3600);

/// How often the keys of identity providers are checked: whether they are missing, old or wanted.
const KEYS_EVERY: Duration = Duration::from_secs(1);

/// How often expired revocations of sessions are removed.
const REVOCATIONS_EVERY: Duration = Duration::from_secs(3600);

/// Changes that come within this time make one write of the mirror.
const MIRROR_COLLECT: Duration = Duration::from_millis(300);
/// The first gateway's write leaves the others nothing to do.
const MIRROR_SPREAD: Duration = Duration::from_millis(200);

/// Writes when keys and roles were last used, and takes over what gateways that are gone wrote.
pub fn last_used(recorder: &Arc<Recorder>) -> [Worker; 2] {
    let failed = |error: StoreError| format!("when keys were last used could not be written: {error}");
    let (writing, adopting) = (Arc::clone(recorder), Arc::clone(recorder));
    let write = move || {
        let recorder = Arc::clone(&writing);
        async move { recorder.flush().await.map(|()| RunEnd::Done).map_err(failed) }
    };
    let adopt = move || {
        let recorder = Arc::clone(&adopting);
        async move { recorder.adopt().await.map(|()| RunEnd::Done).map_err(failed) }
    };
    [
        Worker::new("last-used", Period::Every(RECORD_EVERY), RunsOn::EveryGateway, write).runs_at_stop(),
        Worker::new("last-used-adoption", Period::Every(ADOPT_EVERY), RunsOn::EveryGateway, adopt),
    ]
}

/// Reads everything in a directory once a week, and logs what is corrupt; `None` if it is switched off.
pub fn scrub(filer: &EmbeddedFiler, bytes_per_s: u64) -> Option<Worker> {
    if bytes_per_s == 0 {
        return None;
    }
    let scrubbing = Arc::new(Mutex::new((Scrubber::new(filer), Instant::now())));
    let step = move || {
        let scrubbing = Arc::clone(&scrubbing);
        async move {
            let step = tokio::task::spawn_blocking(move || scrub_step(&scrubbing, bytes_per_s)).await;
            step.map_err(|error| error.to_string())?.map_err(|error| format!("scrubbing stopped: {error}"))
        }
    };
    Some(Worker::new("scrub", Period::Every(SCRUB_STEP), RunsOn::EveryGateway, step))
}

/// One step, unless the next pass is not due yet.
fn scrub_step(scrubbing: &Mutex<(Scrubber, Instant)>, bytes: u64) -> Result<RunEnd, FilerError> {
    let mut scrubbing = scrubbing.lock().unwrap_or_else(PoisonError::into_inner);
    let (scrubber, due) = &mut *scrubbing;
    if Instant::now() < *due {
        return Ok(RunEnd::Done);
    }
    let step = scrubber.step(bytes)?;
    for finding in &step.findings {
        tracing::error!("stored data is corrupt: {}", bucket::findings::in_words(finding));
    }
    if step.is_complete {
        *due += SCRUB_EVERY;
    }
    Ok(RunEnd::Done)
}

/// Fetches the keys of identity providers.
pub fn oidc_keys(keeper: KeyKeeper) -> Worker {
    let keeper = Arc::new(keeper);
    let round = move || {
        let keeper = Arc::clone(&keeper);
        async move { keeper.round().await.map(|()| RunEnd::Done) }
    };
    Worker::new("oidc-keys", Period::Every(KEYS_EVERY), RunsOn::EveryGateway, round)
}

/// Removes revocations of sessions that are over anyway.
pub fn session_revocations(revocations: Revocations) -> Worker {
    let revocations = Arc::new(revocations);
    let remove = move || {
        let revocations = Arc::clone(&revocations);
        async move {
            let removed = revocations.remove_expired().await;
            removed.map(|()| RunEnd::Done).map_err(|error| format!("expired revocations could not be removed: {error}"))
        }
    };
    Worker::new("session-revocations", Period::Every(REVOCATIONS_EVERY), RunsOn::EveryGateway, remove)
}

/// Mirrors inline policies for gateways of SeaweedFS. `changes` tells of each next Snapshot.
pub fn mirror(mirror: Mirror, changes: watch::Receiver<u64>) -> Worker {
    let mirror = Arc::new(mirror);
    let period = Period::AfterChange { changes, collect: MIRROR_COLLECT, spread: MIRROR_SPREAD };
    let reconcile = move || {
        let mirror = Arc::clone(&mirror);
        async move {
            match mirror.reconcile().await {
                Ok(()) => Ok(RunEnd::Done),
                Err(StoreError::Conflict(path)) => {
                    tracing::debug!(path, "another gateway wrote first; mirroring again");
                    Ok(RunEnd::Again)
                }
                Err(error) => Err(format!("inline policies could not be mirrored for weed: {error}")),
            }
        }
    };
    Worker::new("inline-policy-mirror", period, RunsOn::EveryGateway, reconcile).runs_at_stop()
}
