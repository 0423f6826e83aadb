//! Places for chunks. Requesting one costs more than storing a small object, so places are requested in batches, and
//! unused places of a batch are kept for a few seconds.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;

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

impl Kind {
    /// The path for which places of this kind are asked: of the rules that apply to it, each applies to all paths of the kind, also
    /// one that was made since the rules were read. Otherwise data at other paths could get places that expire.
    fn path(&self, shared: &Shared, target: &WriteTarget) -> String {
        if !self.rule.is_empty() {
            return self.rule.clone();
        }
        shared.bucket_directory(&target.path).unwrap_or_else(|| target.path.clone())
    }
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
    /// `None` if they cannot be found out: then no places are kept.
    list: Option<Arc<[Rule]>>,
    since: Instant,
}

/// A rule of `filer.conf`, as far as it counts here.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
struct Rule {
    /// The paths that begin with this.
    #[serde(default, rename = "locationPrefix", alias = "location_prefix")]
    prefix: String,
    /// Whether nothing may be stored there. `s3.bucket.quota.enforce` sets it for buckets that are over their quota.
    #[serde(default, rename = "readOnly", alias = "read_only")]
    is_read_only: bool,
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
    let Some(rules) = rules(shared).await else {
        return fresh(shared, target).boxed().await;
    };
    let rule = rules_of(&rules, &target.path).map(|rule| &rule.prefix).max_by_key(|prefix| prefix.len());
    let kind = Kind { collection: target.collection.clone(), rule: rule.cloned().unwrap_or_default() };
    let (place, refill) = shared.pool.pop(&kind);
    if refill {
        let (shared, target, kind) = (shared.clone(), target.clone(), kind.clone());
        tokio::spawn(async move {
            let places = batch(&shared, &target, kind.path(&shared, &target), BATCH).await.unwrap_or_default();
            shared.pool.put(&kind, places.into_iter(), true);
        });
    }
    if let Some(place) = place {
        return Ok(place);
    }
    let mut places = batch(shared, target, kind.path(shared, target), BATCH).boxed().await?.into_iter();
    let place = places.next().ok_or_else(|| FilerError::Other("AssignVolume gave no place".to_owned()))?;
    shared.pool.put(&kind, places, false);
    Ok(place)
}

/// Whether data may be stored at a path. What refuses is read again once it is [old](RULES_FRESH), so that a bucket that is not
/// read-only any more is refused for no longer than that.
pub(super) async fn accepts(shared: &Arc<Shared>, path: &str) -> Result<(), FilerError> {
    let is_fresh = lock(&shared.pool.rules).as_ref().is_some_and(|rules| rules.since.elapsed() < RULES_FRESH);
    let refused = |rules: Option<Arc<[Rule]>>| refusing(&rules?, path).map(FilerError::ReadOnly);
    let refusal = match refused(rules(shared).await) {
        Some(_) if !is_fresh => refused(read_rules(shared).boxed().await),
        known => known,
    };
    refusal.map_or(Ok(()), Err)
}

/// The rules that apply to a path.
fn rules_of<'a>(rules: &'a [Rule], path: &str) -> impl Iterator<Item = &'a Rule> {
    rules.iter().filter(move |rule| path.starts_with(&rule.prefix))
}

/// The prefix of the rule that makes a path read-only. SeaweedFS merges all rules of a path, and one of them is enough.
fn refusing(rules: &[Rule], path: &str) -> Option<String> {
    rules_of(rules, path).find(|rule| rule.is_read_only).map(|rule| rule.prefix.clone())
}

/// A place that does not come from the stock, for a retry: a kept place may be on the volume that just failed.
pub(super) async fn fresh(shared: &Arc<Shared>, target: &WriteTarget) -> Result<Place, FilerError> {
    let places = batch(shared, target, target.path.clone(), 1).await?;
    places.into_iter().next().ok_or_else(|| FilerError::Other("AssignVolume gave no place".to_owned()))
}

/// Places for data at a path.
async fn batch(shared: &Arc<Shared>, target: &WriteTarget, path: String, count: i32) -> Result<Vec<Place>, FilerError> {
    let request = AssignVolumeRequest {
        count,
        collection: target.collection.clone(),
        data_center: shared.options.data_center.clone(),
        path,
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
    if answer.error.starts_with("read only") {
        return Err(FilerError::ReadOnly(target.path.clone()));
    }
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

/// The rules of `filer.conf`.
async fn rules(shared: &Arc<Shared>) -> Option<Arc<[Rule]>> {
    let known = lock(&shared.pool.rules).clone();
    match known {
        Some(rules) if rules.since.elapsed() < RULES_FRESH => rules.list,
        Some(mut rules) => {
            // Use the old rules for now, while one task requests them again.
            rules.since = Instant::now();
            let list = rules.list.clone();
            *lock(&shared.pool.rules) = Some(rules);
            let shared = shared.clone();
            tokio::spawn(async move { read_rules(&shared).await });
            list
        }
        None => read_rules(shared).boxed().await,
    }
}

async fn read_rules(shared: &Arc<Shared>) -> Option<Arc<[Rule]>> {
    let request = LookupDirectoryEntryRequest { directory: RULES_DIRECTORY.to_owned(), name: RULES_NAME.to_owned() };
    let call = Call::LookupDirectoryEntry;
    let answer = shared.filers.unary::<_, LookupDirectoryEntryResponse>(call, &request, Replay::Safe).await;
    let list = match answer {
        Ok(answer) => answer.entry.and_then(|entry| parse(&entry.content)),
        Err(error) if error.is_not_found() => Some(Vec::new()),
        Err(_) => None,
    };
    let list: Option<Arc<[Rule]>> = list.map(Into::into);
    *lock(&shared.pool.rules) = Some(Rules { list: list.clone(), since: Instant::now() });
    list
}

#[derive(serde::Deserialize)]
struct FilerConf {
    #[serde(default)]
    locations: Vec<Rule>,
}

fn parse(content: &[u8]) -> Option<Vec<Rule>> {
    let conf: FilerConf = serde_json::from_slice(content).ok()?;
    Some(conf.locations)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_filer_conf() {
        let rule = |prefix: &str, is_read_only| Rule { prefix: prefix.to_owned(), is_read_only };
        for (content, want) in [
            (
                r#"{"version":1,"locations":[{"locationPrefix":"/buckets/a/","ttl":"7d"},{"location_prefix":"/b","readOnly":true}]}"#,
                Some(vec![rule("/buckets/a/", false), rule("/b", true)]),
            ),
            ("{}", Some(vec![])),
            ("", None),
            ("locations: {}", None),
        ] {
            assert_eq!(parse(content.as_bytes()), want, "{content}");
        }
    }

    #[test]
    fn one_rule_of_a_path_makes_it_read_only() {
        let rule = |prefix: &str, is_read_only| Rule { prefix: prefix.to_owned(), is_read_only };
        let rules = [rule("/buckets/a/", true), rule("/buckets/a/open/", false), rule("/buckets/b/", false)];
        for (path, want) in [
            ("/buckets/a/x", Some("/buckets/a/")),
            ("/buckets/a/open/x", Some("/buckets/a/")),
            ("/buckets/ab/x", None),
            ("/buckets/b/x", None),
        ] {
            assert_eq!(refusing(&rules, path).as_deref(), want, "{path}");
        }
    }
}
