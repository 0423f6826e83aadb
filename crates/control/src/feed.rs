//! From the filer's change feed to the Snapshot that requests read: load, follow, and list again whenever a stream ends.

mod metrics;
mod positions;
mod watch;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::fence::{Beat, FilerName, RevisionError};
use arc_swap::ArcSwapOption;
use filer::{Entry, FeedFilter, FeedItem, Filer, FilerError, ListOptions};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use iam::{Change, IamConfig, Identities, NextSnapshot, Snapshot};
use store::{Document, FilerStore, Index, Noticed, StoreError};
use tokio::sync::{Mutex, watch as channel};
use tokio::time::Instant;

pub use metrics::FeedMetrics;
pub use watch::Watch;

use crate::fence::{Before, FenceConfig, Fencing, GATEWAYS, Lease};
use positions::Positions;
use watch::Watches;

/// Events that are applied in one step when they are there at once.
const BATCH: usize = 1024;
/// So long after a listing an event may still tell what happened before it: the entry itself is read instead.
const SETTLING: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How often the master is asked which filers there are.
const RING_EVERY: Duration = Duration::from_secs(1);
/// A client's floor is waited for as long as this.
const FLOOR_WITHIN: Duration = Duration::from_secs(1);

/// Keeps the Snapshot of this gateway up to date.
pub struct Follower {
    filer: Arc<dyn Filer>,
    store: FilerStore,
    current: Arc<ArcSwapOption<Snapshot>>,
    working: Mutex<Working>,
    revision: channel::Sender<u64>,
    digest: AtomicU64,
    watches: Watches,
    positions: Positions,
    metrics: FeedMetrics,
    description: String,
    fencing: Option<Arc<Fencing>>,
}

struct Working {
    snapshot: Snapshot,
    index: Index,
    loaded: bool,
    /// What is kept in memory alone, in order.
    local: Vec<Change>,
}

/// Changes on their way into the next Snapshot.
struct Reading<'a> {
    metrics: &'a FeedMetrics,
    next: NextSnapshot,
    changes: usize,
}

impl Extend<Change> for Reading<'_> {
    fn extend<T: IntoIterator<Item = Change>>(&mut self, changes: T) {
        self.next.extend(changes.into_iter().inspect(|change| {
            self.metrics.read(change);
            self.changes += 1;
        }));
    }
}

/// One session of the feed: from a subscription to its end.
struct Session {
    /// Events are read anew from the filer until then; always with several filers, whose streams have no common order.
    settled_at: Option<Instant>,
}

/// What a batch of events comes to.
#[derive(Default)]
struct Gathered {
    changes: Vec<Change>,
    passed: Vec<(String, Option<Box<Entry>>)>,
    beats: Vec<(FilerName, Beat)>,
    relist: bool,
}

/// Why a session of the feed ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the change feed: {0}")]
    Feed(#[from] FilerError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the change feed of {0} ended")]
    End(FilerName),
    #[error("the filers of the cluster are others now: {0}")]
    Ring(String),
    #[error("another gateway follows other filers")]
    MustList,
}

/// Why a client's floor is not reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FloorError {
    /// It is no revision of this cluster.
    #[error(transparent)]
    Malformed(#[from] RevisionError),
    /// It is of another store.
    #[error("the revision is of another cluster or of a store that was replaced; begin again without one")]
    OtherEpoch,
    /// This gateway has not applied it in time.
    #[error("this gateway has not applied that revision yet; try again")]
    NotReached,
}

type Labelled = (FilerName, Option<Result<FeedItem, FilerError>>);

impl Follower {
    /// A follower that knows the files only: identities, and what the configuration keeps in memory.
    pub fn new(filer: Arc<dyn Filer>, store: FilerStore, config: &IamConfig, identities: &Identities) -> Self {
        let mut snapshot = Snapshot::new(config.settings(), identities);
        let local = config.in_memory();
        if !local.is_empty() {
            snapshot = snapshot.apply(local.clone());
        }
        let description =
            format!("policy store {}, role store {}", config.policy_store.name(), config.role_store.name());
        Self {
            filer,
            store,
            current: Arc::default(),
            working: Mutex::new(Working { snapshot, index: Index::default(), loaded: false, local }),
            revision: channel::Sender::new(0),
            digest: AtomicU64::new(0),
            watches: Watches::default(),
            positions: Positions::default(),
            metrics: FeedMetrics::default(),
            description,
            fencing: None,
        }
    }

    /// The same, as one of several gateways that wait for each other. Without this the gateway is alone with its filer.
    #[must_use]
    pub fn fenced(self, config: FenceConfig) -> Self {
        let fencing = Arc::new(Fencing::new(config));
        self.filer.guard_by(fencing.clone());
        Self { fencing: Some(fencing), ..self }
    }

    /// The fence; `None` for a gateway that is alone.
    pub fn fencing(&self) -> Option<&Arc<Fencing>> {
        self.fencing.as_ref()
    }

    /// Whether this gateway may decide.
    pub fn lease(&self) -> Lease {
        self.fencing.as_ref().map_or_else(Lease::alone, |fencing| fencing.lease())
    }

    /// To be asked before a change is written; `None` for a gateway that is alone.
    pub fn before(&self) -> Option<Before> {
        self.fencing.as_ref().map(|fencing| fencing.before())
    }

    /// Waits until every gateway enforces what is durable and applied here, and was not there before: see [`Fencing::enforced`].
    pub async fn enforced(&self, before: Option<Before>) -> Result<(), Vec<String>> {
        match (&self.fencing, before) {
            (Some(fencing), Some(before)) => {
                let began = Instant::now();
                let enforced = fencing.enforced(before).await;
                self.metrics.enforcement.seconds.observe(began.elapsed().as_secs_f64());
                if enforced.is_err() {
                    self.metrics.enforcement.incomplete.inc();
                }
                enforced
            }
            _ => Ok(()),
        }
    }

    /// How far this gateway is, in one opaque word.
    pub fn revision(&self) -> Arc<String> {
        self.positions.told()
    }

    /// Waits until this gateway is as far as a revision that some gateway answered.
    pub async fn reach(&self, floor: &str) -> Result<(), FloorError> {
        self.positions.reach(&floor.parse()?, FLOOR_WITHIN).await
    }

    /// The Snapshot of this moment; `None` until everything was loaded once: then requests are answered 503.
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// The pointer that is swapped, for whoever reads it at each request.
    pub fn shared(&self) -> Arc<ArcSwapOption<Snapshot>> {
        self.current.clone()
    }

    /// A number that gateways share when they follow the same filer and have applied the same changes.
    pub fn digest(&self) -> u64 {
        self.digest.load(Ordering::Relaxed)
    }

    /// Counters of the feed.
    pub fn metrics(&self) -> &FeedMetrics {
        &self.metrics
    }

    /// Follows until the task is dropped. Whatever ends a stream, everything is listed again; meanwhile the last Snapshot serves for
    /// as long as the lease runs.
    pub async fn run(&self) {
        match &self.fencing {
            Some(fencing) => _ = tokio::join!(self.follow(), fencing.run(&*self.filer)),
            None => self.follow().await,
        }
    }

    async fn follow(&self) {
        let mut wait = FIRST_WAIT;
        loop {
            let began = Instant::now();
            let ended = match self.session().await {
                Ok(never) => match never {},
                Err(ended) => ended,
            };
            self.metrics.connected.set(0);
            self.metrics.reconnects.inc();
            if began.elapsed() > LONGEST_WAIT {
                wait = FIRST_WAIT;
            }
            let loaded = self.current.load().is_some();
            tracing::warn!(error = %ended, retry_ms = wait.as_millis(), loaded, "IAM state is not followed; trying again");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Tells of each next Snapshot.
    pub fn revisions(&self) -> channel::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Waits until the first Snapshot is there.
    pub async fn loaded(&self) {
        let mut revision = self.revision.subscribe();
        while self.current.load().is_none() {
            // The sender lives as long as `self`.
            let _ = revision.changed().await;
        }
    }

    /// Waits until the Snapshot satisfies a condition; false if it does not within the time.
    pub async fn wait_until(&self, condition: impl Fn(&Snapshot) -> bool, at_most: Duration) -> bool {
        let mut revision = self.revision.subscribe();
        let waiting = async {
            while !self.current.load().as_deref().is_some_and(&condition) {
                let _ = revision.changed().await;
            }
        };
        tokio::time::timeout(at_most, waiting).await.is_ok()
    }

    /// Begins to remember what is applied. Make it before a write, so that the write's own event cannot pass unseen.
    pub fn watch(&self) -> Watch {
        self.watches.add()
    }

    /// Applies changes that no filer tells about: documents that are kept in memory.
    pub async fn apply_local(&self, changes: Vec<Change>) {
        let mut working = self.working.lock().await;
        working.local.extend(changes.iter().cloned());
        let mut reading = self.reading(&working.snapshot);
        reading.extend(changes);
        self.publish(&mut working, reading);
    }

    /// Takes another identities file in place of the one before. Requests see the old state until the new one is complete.
    ///
    /// Errors: the filer could not be listed; the old state stays.
    pub async fn replace_identities(&self, identities: &Identities) -> Result<(), StoreError> {
        let mut working = self.working.lock().await;
        let fresh = Snapshot::new(working.snapshot.settings().clone(), identities).apply(working.local.clone());
        let fresh = fresh.following(&working.snapshot);
        let (mut index, mut reading) = (Index::default(), self.reading(&fresh));
        self.store.list(&mut index, Some(&working.snapshot), &mut reading).await?;
        working.snapshot = fresh;
        working.index = index;
        working.loaded = true;
        self.publish(&mut working, reading);
        Ok(())
    }

    async fn session(&self) -> Result<std::convert::Infallible, Ended> {
        // First the streams, then the listing: whatever happens in between is in one of the two.
        let feeds = self.filer.subscribe(self.filter()).await?;
        let filers: BTreeSet<FilerName> = feeds.iter().map(|(label, _)| FilerName::from(label.as_str())).collect();
        let epoch = self.filer.configuration().await?.signature;
        self.positions.follow(epoch.cast_unsigned(), &filers);
        if let Some(fencing) = &self.fencing {
            fencing.lists();
        }
        let beats = self.listed_beats().await?;
        self.relist().await?;
        if let Some(fencing) = &self.fencing {
            fencing.follow(filers.clone(), &beats);
        }
        self.metrics.connected.set(i64::try_from(feeds.len()).unwrap_or(i64::MAX));
        let settled_at = (feeds.len() == 1).then(|| Instant::now() + SETTLING);
        let labelled = feeds.into_iter().map(|(label, feed)| -> BoxStream<'static, Labelled> {
            let label = FilerName::from(label.as_str());
            let end = label.clone();
            let items = feed.map(move |item| (label.clone(), Some(item)));
            items.chain(stream::once(async move { (end, None) })).boxed()
        });
        tokio::select! {
            // In a fixed order, as everywhere in this crate: a simulation of one seed is to be one run.
            biased;
            ended = self.read(stream::select_all(labelled), Session { settled_at }) => ended,
            ended = self.watch_ring(&filers) => ended,
        }
    }

    /// What of the filer's changes is wanted.
    fn filter(&self) -> FeedFilter {
        let mut filter = self.store.filter();
        if self.fencing.is_some() {
            filter.prefixes.push(format!("{GATEWAYS}/"));
        }
        filter
    }

    async fn read(
        &self,
        mut items: impl futures_util::Stream<Item = Labelled> + Unpin,
        session: Session,
    ) -> Result<std::convert::Infallible, Ended> {
        loop {
            let mut batch = Vec::new();
            let mut next = items.next().await;
            loop {
                match next {
                    None => return Err(Ended::End(FilerName::from("every filer"))),
                    Some((label, None)) => return Err(Ended::End(label)),
                    Some((_, Some(Err(error)))) => return Err(error.into()),
                    Some((label, Some(Ok(FeedItem::Change(change))))) => batch.push((label, change)),
                    Some((label, Some(Ok(FeedItem::Heartbeat { ts_ns })))) => {
                        self.metrics.heard(ts_ns);
                        if batch.is_empty() {
                            self.positions.reached(&[(label, ts_ns, false)]);
                        }
                    }
                }
                if batch.len() >= BATCH {
                    break;
                }
                match items.next().now_or_never() {
                    Some(more) => next = more,
                    None => break,
                }
            }
            self.apply(batch, &session).await?;
        }
    }

    /// Ends the session when the cluster has filers that it does not follow, or has given one up that no stream tells of any more.
    async fn watch_ring(&self, followed: &BTreeSet<FilerName>) -> Result<std::convert::Infallible, Ended> {
        let Some(fencing) = &self.fencing else { return std::future::pending().await };
        loop {
            tokio::time::sleep(RING_EVERY).await;
            let Ok(members) = self.filer.members().await else { continue };
            let members: BTreeSet<FilerName> = members.iter().map(|name| FilerName::from(name.as_str())).collect();
            let is_new = members.difference(followed).next().is_some();
            let is_gone = followed.difference(&members).next().is_some() && fencing.is_expired();
            if is_new || is_gone {
                let names: Vec<&str> = members.iter().map(|name| &*name.0).collect();
                return Err(Ended::Ring(names.join(", ")));
            }
        }
    }

    /// The beats of all gateways, as they are stored.
    async fn listed_beats(&self) -> Result<Vec<Beat>, Ended> {
        if self.fencing.is_none() {
            return Ok(Vec::new());
        }
        let options = ListOptions { limit: 10_000, ..ListOptions::default() };
        Ok(Fencing::read(&self.filer.list(GATEWAYS, options).await?))
    }

    /// Lists everything and applies what differs.
    async fn relist(&self) -> Result<(), Ended> {
        let began = std::time::Instant::now();
        let mut working = self.working.lock().await;
        let Working { snapshot, index, loaded, .. } = &mut *working;
        let mut reading = self.reading(snapshot);
        self.store.list(index, Some(snapshot), &mut reading).await?;
        let first = !std::mem::replace(loaded, true);
        let changed = reading.changes;
        self.publish(&mut working, reading);
        self.watches.relisted(began);
        self.metrics.reloads.inc();
        let counts = working.snapshot.counts();
        tracing::info!(
            users = counts.users,
            keys = counts.keys,
            groups = counts.groups,
            roles = counts.roles,
            policies = counts.policies,
            buckets = counts.buckets,
            changed,
            ms = began.elapsed().as_millis(),
            "advanced IAM {}: {} roles, {} policies, {} users; {}",
            if first { "loaded" } else { "listed again" },
            counts.roles,
            counts.policies,
            counts.users,
            self.description
        );
        if !working.snapshot.has_identities() {
            tracing::warn!(
                "there is no identity with an access key, so every signed request is refused: name one in -config, or set \
                 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            );
        }
        for (about, why) in working.snapshot.problems() {
            tracing::warn!("IAM: {about} {why}");
        }
        Ok(())
    }

    async fn apply(&self, batch: Vec<(FilerName, filer::Change)>, session: &Session) -> Result<(), Ended> {
        if batch.is_empty() {
            return Ok(());
        }
        let last_ns = batch.iter().map(|(_, event)| event.ts_ns).max().unwrap_or_default();
        let reached: Vec<_> =
            batch.iter().map(|(label, event)| (label.clone(), event.ts_ns, event.directory != GATEWAYS)).collect();
        self.metrics.events.inc_by(batch.len() as u64);
        let mut working = self.working.lock().await;
        let mut noticed = Gathered::default();
        let gathered = self.gather(batch, session, &mut working, &mut noticed).await;
        // Also what came before an error: the index knows it already.
        let mut reading = self.reading(&working.snapshot);
        reading.extend(last_of_each(noticed.changes));
        let before = working.snapshot.clone();
        self.publish(&mut working, reading);
        // What was wrong before has its line already.
        for (about, why) in working.snapshot.problems().filter(|(about, why)| before.problem(about) != Some(*why)) {
            tracing::warn!("IAM: {about} {why}");
        }
        self.watches.passed(&noticed.passed);
        self.metrics.applied(last_ns);
        drop(working);
        gathered?;
        if noticed.relist {
            self.relist().await?;
        }
        // Only now, when everything that came before them is applied.
        self.positions.reached(&reached);
        if let Some(fencing) = &self.fencing {
            fencing.set_revision(&self.positions.told());
            fencing.observe(&noticed.beats);
            if fencing.must_list() {
                return Err(Ended::MustList);
            }
        }
        Ok(())
    }

    async fn gather(
        &self,
        batch: Vec<(FilerName, filer::Change)>,
        session: &Session,
        working: &mut Working,
        into: &mut Gathered,
    ) -> Result<(), Ended> {
        let Working { snapshot, index, .. } = working;
        for (label, mut event) in batch {
            if event.directory == GATEWAYS {
                let beat = event.new.iter().flat_map(|entry| Fencing::read(std::slice::from_ref(entry)));
                into.beats.extend(beat.map(|beat| (label.clone(), beat)));
                continue;
            }
            let passing = paths_of(&event);
            if session.settled_at.is_none_or(|settled_at| Instant::now() < settled_at) {
                self.read_anew(&label, &mut event).await?;
            }
            match self.store.notice(&event, index, Some(snapshot)).await? {
                Noticed::Changes(news) => into.changes.extend(news),
                Noticed::Relist => into.relist = true,
            }
            into.passed.extend(passing);
        }
        Ok(())
    }

    /// Takes the entry of now in place of the event's: a listing, or another filer's stream, may have told newer ones already.
    async fn read_anew(&self, label: &FilerName, event: &mut filer::Change) -> Result<(), Ended> {
        let directory = if event.new_directory.is_empty() { &event.directory } else { &event.new_directory };
        let name = event.new.as_ref().or(event.old.as_ref()).map(|entry| entry.name.clone());
        let Some(name) = name.filter(|name| self.store.layout().classify(directory, name).is_some()) else {
            return Ok(());
        };
        let is_directory = event.new.as_ref().or(event.old.as_ref()).is_some_and(|entry| entry.is_directory);
        let path = format!("{directory}/{name}");
        let found = self.filer.lookup_through(&label.0, &path).await?;
        match found.filter(|entry| entry.is_directory == is_directory) {
            Some(entry) => event.new = Some(Box::new(entry)),
            None => {
                event.old = event.new.take().or(event.old.take());
                event.new_directory.clear();
            }
        }
        Ok(())
    }

    fn reading(&self, snapshot: &Snapshot) -> Reading<'_> {
        Reading { metrics: &self.metrics, next: snapshot.next(), changes: 0 }
    }

    /// Swaps in the next Snapshot, once everything was loaded.
    fn publish(&self, working: &mut Working, reading: Reading<'_>) {
        if reading.changes > 0 {
            working.snapshot = reading.next.finish();
            self.metrics.published(&working.snapshot);
        }
        if working.loaded {
            self.digest.store(working.index.digest(), Ordering::Relaxed);
            self.current.store(Some(Arc::new(working.snapshot.clone())));
            self.revision.send_replace(working.snapshot.revision());
        }
    }
}

/// The paths that an event is about, each with the entry that is there now.
fn paths_of(event: &filer::Change) -> Vec<(String, Option<Box<Entry>>)> {
    let new_directory = if event.new_directory.is_empty() { &event.directory } else { &event.new_directory };
    let mut paths = Vec::new();
    if let Some(old) = &event.old {
        paths.push((format!("{}/{}", event.directory, old.name), None));
    }
    if let Some(new) = &event.new {
        let path = format!("{new_directory}/{}", new.name);
        paths.retain(|(known, _)| *known != path);
        paths.push((path, Some(new.clone())));
    }
    paths
}

/// Of several changes of one document the last one counts; the order of the others stays.
fn last_of_each(changes: Vec<Change>) -> Vec<Change> {
    if changes.len() < 2 {
        return changes;
    }
    let mut last: HashMap<Document, usize> = HashMap::new();
    for (place, change) in changes.iter().enumerate() {
        if let Some(document) = Document::of(change) {
            last.insert(document, place);
        }
    }
    let is_last = |(place, change): &(usize, Change)| {
        Document::of(change).is_none_or(|document| last.get(&document) == Some(place))
    };
    changes.into_iter().enumerate().filter(is_last).map(|(_, change)| change).collect()
}
