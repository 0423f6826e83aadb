//! Which volume servers hold a volume. The filer's answer is cached, and requested again when it turns out to be stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use quick_cache::sync::Cache;

use super::metrics::Call;
use super::rpc::{Filers, Replay};
use super::wire::{LookupVolumeRequest, LookupVolumeResponse};
use crate::FilerError;

/// How long an answer is used. A server that joins a volume is noticed after this time; a server that leaves it, at the
/// first failure.
const FRESH: Duration = Duration::from_secs(600);
/// After a failure the filer is asked again, but not more often than this per volume.
const REFRESH_AT_MOST: Duration = Duration::from_millis(200);

pub(super) struct Locations {
    known: Cache<u32, Known>,
    data_center: String,
    /// Spreads readers over replicas.
    turn: AtomicUsize,
}

#[derive(Clone)]
struct Known {
    near: Arc<[String]>,
    far: Arc<[String]>,
    since: Instant,
}

impl Locations {
    pub(super) fn new(data_center: &str) -> Self {
        Locations { known: Cache::new(100_000), data_center: data_center.to_owned(), turn: AtomicUsize::new(0) }
    }

    /// `host:port` of each holder, those in our data center first. Each group starts with a different holder every
    /// time.
    pub(super) async fn of(&self, filers: &Filers, volume: u32, refresh: bool) -> Result<Vec<String>, FilerError> {
        let usable = if refresh { REFRESH_AT_MOST } else { FRESH };
        let known = match self.known.get(&volume).filter(|known| known.since.elapsed() < usable) {
            Some(known) => known,
            None => match (self.ask(filers, volume).boxed().await, self.known.get(&volume)) {
                (Ok(known), _) => {
                    self.known.insert(volume, known.clone());
                    known
                }
                // While no filer answers, the old answer is better than nothing.
                (Err(_), Some(known)) => known,
                (Err(error), None) => return Err(error),
            },
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut servers = Vec::with_capacity(known.near.len() + known.far.len());
        for group in [&known.near, &known.far] {
            let start = turn.checked_rem(group.len()).unwrap_or(0);
            servers.extend(group.iter().cycle().skip(start).take(group.len()).cloned());
        }
        Ok(servers)
    }

    /// Tells the cache an answer, for tests without a filer.
    #[cfg(test)]
    pub(super) fn tell(&self, volume: u32, servers: &[String]) {
        self.known.insert(volume, Known { near: servers.into(), far: Arc::default(), since: Instant::now() });
    }

    async fn ask(&self, filers: &Filers, volume: u32) -> Result<Known, FilerError> {
        let request = LookupVolumeRequest { volume_ids: vec![volume.to_string()] };
        let answer = filers.unary::<_, LookupVolumeResponse>(Call::LookupVolume, &request, Replay::Safe).await;
        let mut answer = match answer {
            Ok(answer) => answer,
            // The master forgets a volume while all of its servers are down: no server has it now.
            Err(error) if error.says("not found") => LookupVolumeResponse::default(),
            Err(error) => return Err(error.into()),
        };
        let locations = answer.locations_map.remove(&volume.to_string()).unwrap_or_default().locations;
        let (near, far): (Vec<_>, Vec<_>) =
            locations.into_iter().partition(|location| location.data_center == self.data_center);
        let urls = |group: Vec<super::wire::Location>| group.into_iter().map(|location| location.url).collect();
        Ok(Known { near: urls(near), far: urls(far), since: Instant::now() })
    }
}
