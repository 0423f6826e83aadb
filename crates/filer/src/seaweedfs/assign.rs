//! Places for chunks. Requesting one costs more than storing a small object, so places are requested in batches, and
//! unused places of a batch are kept for a few seconds.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Shared;
use super::fid;
use super::metrics::Call;
use super::rpc::Replay;
use super::wire::{
    AssignVolumeRequest, AssignVolumeResponse, LookupDirectoryEntryRequest, LookupDirectoryEntryResponse,
};
use crate::{FilerError, WriteTarget};

/// How many places one request asks for.
const BATCH: i32 = 16;
/// When this few places are left, a new batch is fetched in the background.
const LOW: usize = 4;
/// How long places are kept. The master's tokens are valid for 10 s unless configured otherwise, and an upload must
/// begin within that time.
const KEPT: Duration = Duration::from_secs(5);
/// How long a place may take before the master is asked whether it is there.
const ASK_MASTER_AFTER: Duration = Duration::from_secs(2);
/// How long the master may take to say so.
const MASTER_WITHIN: Duration = Duration::from_secs(2);
/// How long the rules of `filer.conf` are cached.
const RULES_FRESH: Duration = Duration::from_secs(10);
const RULES_DIRECTORY: &str = "/etc/seaweedfs";
const RULES_NAME: &str = "filer.conf";

/// A place for one chunk.
#[derive(Clone)]
pub(super) struct Place {
    /// The id in the URL of the upload: `3,01637037d6_4`. The token is made for this form.
    pub(super) upload_id: String,
    /// The id in the entry: `3,05637037d6`.
    pub(super) file_id: String,
    /// The volume server.
    pub(super) server: String,
    /// The write token, or empty.
    pub(super) token: String,
    since: Instant,
}

/// Places are interchangeable if the collection and the rule of `filer.conf` are the same.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    collection: String,
    rule: String,
}

#[derive(Default)]
struct Stock {
    places: VecDeque<Place>,
    refilling: bool,
}

/// The places in stock.
#[derive(Default)]
pub(super) struct Pool {
    stocks: Mutex<HashMap<Kind, Stock>>,
    rules: Mutex<Option<Rules>>,
}

#[derive(Clone)]
struct Rules {
    /// Path prefixes, or `None` if they cannot be found out: then no places are kept.
    prefixes: Option<Arc<[String]>>,
    since: Instant,
}

impl Pool {
    /// Forgets the places of a collection whose volumes are about to be removed.
    pub(super) fn forget(&self, collection: &str) {
        lock(&self.stocks).retain(|kind, _| kind.collection != collection);
    }

    /// Forgets the places on a server that just failed.
    pub(super) fn forget_server(&self, server: &str) {
        lock(&self.stocks).values_mut().for_each(|stock| stock.places.retain(|place| place.server != server));
    }

    fn pop(&self, kind: &Kind) -> (Option<Place>, bool) {
        let mut stocks = lock(&self.stocks);
        if stocks.len() > 10_000 {
            stocks.retain(|_, stock| stock.places.back().is_some_and(|place| place.since.elapsed() < KEPT));
        }
        let stock = stocks.entry(kind.clone()).or_default();
        while stock.places.front().is_some_and(|place| place.since.elapsed() >= KEPT) {
            stock.places.pop_front();
        }
        let place = stock.places.pop_front();
        let refill = place.is_some() && stock.places.len() <= LOW && !stock.refilling;
        stock.refilling |= refill;
        (place, refill)
    }

    fn put(&self, kind: &Kind, places: impl Iterator<Item = Place>, refilled: bool) {
        let mut stocks = lock(&self.stocks);
        let stock = stocks.entry(kind.clone()).or_default();
        stock.places.extend(places);
        stock.refilling &= !refilled;
    }
}

/// A place for a chunk of this target, from the stock if there is one.
pub(super) async fn take(shared: &Arc<Shared>, target: &WriteTarget) -> Result<Place, FilerError> {
    let Some(prefixes) = rules(shared).await else {
        return fresh(shared, target).await;
    };
    let rule =
        prefixes.iter().filter(|prefix| target.path.starts_with(prefix.as_str())).max_by_key(|prefix| prefix.len());
    let kind = Kind { collection: target.collection.clone(), rule: rule.cloned().unwrap_or_default() };
    let (place, refill) = shared.pool.pop(&kind);
    if refill {
        let (shared, target, kind) = (shared.clone(), target.clone(), kind.clone());
        tokio::spawn(async move {
            let places = batch(&shared, &target, BATCH).await.unwrap_or_default();
            shared.pool.put(&kind, places.into_iter(), true);
        });
    }
    if let Some(place) = place {
        return Ok(place);
    }
    let mut places = batch(shared, target, BATCH).await?.into_iter();
    let place = places.next().ok_or_else(|| FilerError::Other("AssignVolume gave no place".to_owned()))?;
    shared.pool.put(&kind, places, false);
    Ok(place)
}

/// A place that does not come from the stock, for a retry: a kept place may be on the volume that just failed.
pub(super) async fn fresh(shared: &Arc<Shared>, target: &WriteTarget) -> Result<Place, FilerError> {
    let places = batch(shared, target, 1).await?;
    places.into_iter().next().ok_or_else(|| FilerError::Other("AssignVolume gave no place".to_owned()))
}

async fn batch(shared: &Arc<Shared>, target: &WriteTarget, count: i32) -> Result<Vec<Place>, FilerError> {
    let request = AssignVolumeRequest {
        count,
        collection: target.collection.clone(),
        data_center: shared.options.data_center.clone(),
        path: target.path.clone(),
        ..Default::default()
    };
    let since = Instant::now();
    let asked = shared.filers.unary(Call::AssignVolume, &request, Replay::Safe);
    let answer: AssignVolumeResponse = tokio::select! {
        biased;
        answer = asked => answer?,
        () = no_master(shared) => {
            return Err(FilerError::Unavailable("no master answers, so no volume can be assigned".to_owned()));
        }
    };
    if !answer.error.is_empty() {
        return Err(FilerError::Other(format!("AssignVolume: {}", answer.error)));
    }
    let server = answer.location.map(|location| location.url).unwrap_or_default();
    let count = answer.count.clamp(1, count.max(1));
    let places = (0..count).map(|index| {
        let upload_id = if index == 0 { answer.file_id.clone() } else { format!("{}_{index}", answer.file_id) };
        let file_id = fid::parse(&upload_id).map(fid::format)?;
        Some(Place { upload_id, file_id, server: server.clone(), token: answer.auth.clone(), since })
    });
    places.collect::<Option<Vec<_>>>().filter(|_| !server.is_empty()).ok_or_else(|| {
        FilerError::Other(format!("AssignVolume gave the unusable id `{}` at `{server}`", answer.file_id))
    })
}

/// Ends when no master answers. A place may take long, because volumes are created for it; without a master it never
/// comes.
async fn no_master(shared: &Shared) {
    let (masters, _) = shared.cluster().await;
    loop {
        tokio::time::sleep(ASK_MASTER_AFTER).await;
        if !masters.is_empty() && !shared.ring.reaches_a_master(&shared.filers, &masters, MASTER_WITHIN).await {
            return;
        }
    }
}

/// The path prefixes for which `filer.conf` has rules.
async fn rules(shared: &Arc<Shared>) -> Option<Arc<[String]>> {
    let known = lock(&shared.pool.rules).clone();
    match known {
        Some(rules) if rules.since.elapsed() < RULES_FRESH => rules.prefixes,
        Some(mut rules) => {
            // Use the old rules for now, while one task requests them again.
            rules.since = Instant::now();
            let prefixes = rules.prefixes.clone();
            *lock(&shared.pool.rules) = Some(rules);
            let shared = shared.clone();
            tokio::spawn(async move { read_rules(&shared).await });
            prefixes
        }
        None => read_rules(shared).await,
    }
}

async fn read_rules(shared: &Arc<Shared>) -> Option<Arc<[String]>> {
    let request = LookupDirectoryEntryRequest { directory: RULES_DIRECTORY.to_owned(), name: RULES_NAME.to_owned() };
    let call = Call::LookupDirectoryEntry;
    let answer = shared.filers.unary::<_, LookupDirectoryEntryResponse>(call, &request, Replay::Safe).await;
    let prefixes = match answer {
        Ok(answer) => answer.entry.and_then(|entry| prefixes(&entry.content)),
        Err(error) if error.is_not_found() => Some(Vec::new()),
        Err(_) => None,
    };
    let prefixes: Option<Arc<[String]>> = prefixes.map(Into::into);
    *lock(&shared.pool.rules) = Some(Rules { prefixes: prefixes.clone(), since: Instant::now() });
    prefixes
}

#[derive(serde::Deserialize)]
struct FilerConf {
    #[serde(default)]
    locations: Vec<PathConf>,
}

#[derive(serde::Deserialize)]
struct PathConf {
    #[serde(default, rename = "locationPrefix", alias = "location_prefix")]
    location_prefix: String,
}

fn prefixes(content: &[u8]) -> Option<Vec<String>> {
    let conf: FilerConf = serde_json::from_slice(content).ok()?;
    Some(conf.locations.into_iter().map(|location| location.location_prefix).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_filer_conf() {
        for (content, want) in [
            (
                r#"{"version":1,"locations":[{"locationPrefix":"/buckets/a/","ttl":"7d"},{"location_prefix":"/b"}]}"#,
                Some(vec!["/buckets/a/", "/b"]),
            ),
            ("{}", Some(vec![])),
            ("", None),
            ("locations: {}", None),
        ] {
            let want = want.map(|list| list.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(prefixes(content.as_bytes()), want, "{content}");
        }
    }
}
