//! Turns the filer's change feed into the Snapshot that requests read: loads everything, follows, and lists again
//! whenever a stream ends.

mod clocks;
mod metrics;
mod positions;
mod watch;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ::fence::{Beat, FilerName, Revision, RevisionError};
use arc_swap::ArcSwapOption;
use filer::{Entry, FeedFilter, FeedItem, Filer, FilerError, ListOptions};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use iam::{Change, Identities, Settings, Snapshot, SnapshotBuilder};
use iam_formats::IamConfig;
use store::{Document, EventEffect, FilerStore, Index, StoreError};
use tokio::sync::{Mutex, Notify, watch as channel};
use tokio::time::Instant;

pub use metrics::FeedMetrics;
pub use watch::Watch;

use crate::fence::{FenceConfig, GATEWAYS, GatewayFence, Lease, ListingCount};
use clocks::Clocks;
use positions::Positions;
use watch::Watches;

/// The most events that are applied in one step.
const BATCH: usize = 1024;
/// For this long after a listing, an event may still report what happened before it, so the entry itself is read
/// instead.
const SETTLING: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How often the master is asked for the list of filers.
const RING_EVERY: Duration = Duration::from_secs(1);
/// How often to look for silent filers.
const SILENCE_EVERY: Duration = Duration::from_millis(100);
/// How long a listing waits for the events that are being applied.
const LONGEST_BATCH: Duration = Duration::from_millis(500);
/// How long to wait for a client's floor.
const FLOOR_WITHIN: Duration = Duration::from_secs(1);

/// Keeps the Snapshot of this gateway up to date.
pub struct Follower {
    filer: Arc<dyn Filer>,
    store: FilerStore,
    current: Arc<ArcSwapOption<Snapshot>>,
    state: Mutex<FollowedState>,
    revision: channel::Sender<u64>,
    digest: AtomicU64,
    watches: Watches,
    positions: Positions,
    clocks: Clocks,
    metrics: FeedMetrics,
    description: String,
    fence: Option<Arc<GatewayFence>>,
    /// When the last applied listing began.
    listed: channel::Sender<Option<std::time::Instant>>,
    /// Signals that a client waits for a listing.
    list_wanted: Notify,
    /// Whether items of the streams are being applied, so that nothing is read from them.
    applying: AtomicBool,
}

struct FollowedState {
    snapshot: Snapshot,
    index: Index,
    loaded: bool,
    /// What is kept only in memory, in order.
    local: Vec<Change>,
    /// What the index contains and the Snapshot does not. It stands here, beside the index, because applying a batch
    /// can be interrupted anywhere, and no listing reports again what the index contains.
    unpublished: Vec<Change>,
}

/// Changes for the next Snapshot.
struct Reading<'a> {
    metrics: &'a FeedMetrics,
    next: SnapshotBuilder,
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
    /// Until then, the entries of events are read from the filer again. With several filers this is always so, because
    /// their streams have no common order.
    settled_at: Option<Instant>,
}

/// Which streams are open while everything is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Streams {
    /// New ones: what happened before is found by the listing alone.
    New,
    /// Those of before: they deliver what the listing finds.
    Kept,
}

/// What a batch of events says besides changes.
#[derive(Default)]
struct BatchNotices {
    passed: Vec<(String, Option<Box<Entry>>)>,
    beats: Vec<(FilerName, Beat)>,
    relist: bool,
}

/// Why a session of the feed ended.
#[derive(Debug, thiserror::Error)]
enum SessionEnd {
    #[error("the change feed: {0}")]
    Feed(#[from] FilerError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the change feed of {0} ended")]
    End(FilerName),
    #[error("the filers of the cluster have changed: {0}")]
    Ring(String),
    #[error("another gateway has changed something that the change feed may not deliver")]
    MustList,
    #[error("a client has a revision of a filer that is not followed")]
    Floor,
    #[error("filers are silent: {0}")]
    Silent(String),
    #[error("change feeds do not deliver what their filers have stored: {0}")]
    Deaf(String),
}

impl SessionEnd {
    /// Whether there is nothing to wait for before the next session.
    fn is_wanted(&self) -> bool {
        matches!(self, Self::MustList | Self::Floor | Self::Silent(_) | Self::Ring(_))
    }
}

/// A client's floor is not reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FloorError {
    /// It is not a revision of this cluster.
    #[error(transparent)]
    Malformed(#[from] RevisionError),
    /// It belongs to another store.
    #[error("the revision belongs to another cluster or to a store that was replaced; send the request without it")]
    OtherEpoch,
    /// This gateway has not reached it in time.
    #[error("this gateway has not reached that revision yet; try again")]
    NotReached,
}

type Labelled = (FilerName, Option<Result<FeedItem, FilerError>>);

impl Follower {
    /// A follower that knows only the files: identities, and what the configuration keeps in memory.
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
            state: Mutex::new(FollowedState {
                snapshot,
                index: Index::default(),
                loaded: false,
                local,
                unpublished: Vec::new(),
            }),
            revision: channel::Sender::new(0),
            digest: AtomicU64::new(0),
            watches: Watches::default(),
            positions: Positions::default(),
            clocks: Clocks::default(),
            metrics: FeedMetrics::default(),
            description,
            fence: None,
            listed: channel::Sender::new(None),
            list_wanted: Notify::new(),
            applying: AtomicBool::new(false),
        }
    }

    /// Makes it one of several gateways that wait for each other. Otherwise the gateway is alone with its filer.
    #[must_use]
    pub fn fenced(self, config: FenceConfig) -> Self {
        let fence = Arc::new(GatewayFence::new(config));
        self.filer.guard_by(fence.clone());
        Self { fence: Some(fence), ..self }
    }

    /// The fence; `None` for a gateway that is alone.
    pub fn fence(&self) -> Option<&Arc<GatewayFence>> {
        self.fence.as_ref()
    }

    /// Whether this gateway may decide.
    pub fn lease(&self) -> Lease {
        self.fence.as_ref().map_or_else(Lease::alone, |fence| fence.lease())
    }

    /// Call this before a change is written; `None` for a gateway that is alone.
    pub fn listing_count(&self) -> Option<ListingCount> {
        self.fence.as_ref().map(|fence| fence.listing_count())
    }

    /// Waits until every gateway enforces the changes that are durable and applied here since: see
    /// [`GatewayFence::enforced`].
    pub async fn enforced(&self, before: Option<ListingCount>) -> Result<(), Vec<String>> {
        match (&self.fence, before) {
            (Some(fence), Some(before)) => {
                let began = Instant::now();
                let enforced = fence.enforced(before).await;
                self.metrics.enforcement.seconds.observe(began.elapsed().as_secs_f64());
                if enforced.is_err() {
                    self.metrics.enforcement.incomplete.inc();
                }
                enforced
            }
            _ => Ok(()),
        }
    }

    /// By how many seconds this gateway's clock is ahead of the filers', or behind if negative. `None` if it differs by
    /// less than a minute, or this gateway shares its clock with its filer.
    pub fn clock_off_by_s(&self) -> Option<i64> {
        self.clocks.off_by_s()
    }

    /// How far this gateway has got, as an opaque token.
    pub fn revision(&self) -> Arc<String> {
        self.positions.told()
    }

    /// Waits until this gateway has reached a revision that some gateway returned.
    pub async fn reach(&self, floor: &str) -> Result<(), FloorError> {
        let floor: Revision = floor.parse()?;
        if self.positions.covers(&floor) {
            return Ok(());
        }
        let followed = self.positions.followed(&floor);
        self.positions.reach(&followed, FLOOR_WITHIN).await?;
        if followed == floor { Ok(()) } else { self.list_for(&floor).await }
    }

    /// Reaches a floor that names a filer whose stream this gateway cannot open: by a listing that begins now.
    async fn list_for(&self, floor: &Revision) -> Result<(), FloorError> {
        let asked = std::time::Instant::now();
        let mut listed = self.listed.subscribe();
        self.list_wanted.notify_one();
        let is_listed = listed.wait_for(|began| began.is_some_and(|began| began > asked));
        match tokio::time::timeout(FLOOR_WITHIN, is_listed).await {
            Ok(Ok(_)) => {
                self.positions.listed(floor);
                Ok(())
            }
            _ => Err(FloorError::NotReached),
        }
    }

    /// The current Snapshot; `None` until everything has been loaded once. Until then requests are answered with 503.
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// The pointer that is swapped, for code that reads it for each request.
    pub fn shared(&self) -> Arc<ArcSwapOption<Snapshot>> {
        self.current.clone()
    }

    /// A number that is the same on gateways that follow the same filer and have applied the same changes.
    pub fn digest(&self) -> u64 {
        self.digest.load(Ordering::Relaxed)
    }

    /// Counters of the feed.
    pub fn metrics(&self) -> &FeedMetrics {
        &self.metrics
    }

    /// Follows until the task is dropped. Whatever ends a stream, everything is listed again. In the meantime the last
    /// Snapshot is used for as long as the lease runs.
    pub async fn run(&self) {
        match &self.fence {
            Some(fence) => _ = tokio::join!(self.follow(), fence.run(&*self.filer)),
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
            if ended.is_wanted() {
                tracing::info!(why = %ended, "listing everything again");
                continue;
            }
            let loaded = self.current.load().is_some();
            tracing::warn!(error = %ended, retry_ms = wait.as_millis(), loaded, "IAM state is not followed; trying again");
            tokio::time::sleep(wait.saturating_sub(began.elapsed())).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Notifies of each new Snapshot.
    pub fn revisions(&self) -> channel::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Waits for the first Snapshot.
    pub async fn loaded(&self) {
        let mut revision = self.revision.subscribe();
        while self.current.load().is_none() {
            // The sender lives as long as `self`.
            let _ = revision.changed().await;
        }
    }

    /// Waits until the Snapshot satisfies a condition. False if it does not in time.
    pub async fn wait_until(&self, condition: impl Fn(&Snapshot) -> bool, at_most: Duration) -> bool {
        let mut revision = self.revision.subscribe();
        let waiting = async {
            while !self.current.load().as_deref().is_some_and(&condition) {
                let _ = revision.changed().await;
            }
        };
        tokio::time::timeout(at_most, waiting).await.is_ok()
    }

    /// Begins to record what is applied. Call it before a write, so that the write's own event cannot be missed.
    pub fn watch(&self) -> Watch {
        self.watches.add()
    }

    /// Applies changes that no filer reports: documents that are kept in memory.
    pub async fn apply_local(&self, changes: Vec<Change>) {
        let mut state = self.state.lock().await;
        self.publish_pending(&mut state);
        state.local.extend(changes.iter().cloned());
        let mut reading = self.reading(&state.snapshot);
        reading.extend(changes);
        self.publish(&mut state, reading);
    }

    /// Replaces what the files say. Requests see the old state until the new one is complete.
    ///
    /// Fails if the filer cannot be listed. The old state then stays.
    pub async fn replace_files(&self, settings: Settings, identities: &Identities) -> Result<(), StoreError> {
        let mut state = self.state.lock().await;
        let fresh = Snapshot::new(settings, identities).apply(state.local.clone());
        let fresh = fresh.following(&state.snapshot);
        let (mut index, mut reading) = (Index::default(), self.reading(&fresh));
        self.store.list(&mut index, Some(&state.snapshot), &mut reading).await?;
        state.snapshot = fresh;
        state.index = index;
        state.unpublished.clear();
        state.loaded = true;
        self.publish(&mut state, reading);
        Ok(())
    }

    async fn session(&self) -> Result<std::convert::Infallible, SessionEnd> {
        self.applying.store(false, Ordering::Relaxed);
        // Open the streams first, then list: whatever happens in between is in one of the two.
        let feeds = self.filer.subscribe(self.filter()).await?;
        let filers: BTreeSet<FilerName> = feeds.iter().map(|(label, _)| FilerName::from(label.as_str())).collect();
        let epoch = self.filer.configuration().await?.signature;
        self.positions.follow(epoch.cast_unsigned(), &filers);
        self.clocks.follow(&filers);
        self.list_all(&filers, Streams::New).await?;
        self.metrics.connected.set(i64::try_from(feeds.len()).unwrap_or(i64::MAX));
        let labelled = feeds.into_iter().map(|(label, feed)| -> BoxStream<'static, Labelled> {
            let label = FilerName::from(label.as_str());
            let end = label.clone();
            let items = feed.map(move |item| (label.clone(), Some(item)));
            items.chain(stream::once(async move { (end, None) })).boxed()
        });
        let mut items = stream::select_all(labelled);
        let mut ring = std::pin::pin!(self.watch_ring(&filers));
        loop {
            let settled_at = (filers.len() == 1).then(|| Instant::now() + SETTLING);
            let ended = tokio::select! {
                // In a fixed order, as everywhere in this crate: a simulation with a given seed must always run the same
                // way.
                biased;
                ended = self.read(&mut items, Session { settled_at }) => ended,
                ended = &mut ring => ended,
                ended = self.watch_silence() => ended,
            };
            match ended {
                // The streams are whole. If they were opened anew, changes of this gateway would be lost from them, and
                // it would make the others list in turn.
                Err(SessionEnd::MustList) if self.may_keep_streams() => {
                    tracing::info!("another gateway has changed something that the change feed may not deliver");
                    self.list_all(&filers, Streams::Kept).await?;
                }
                ended => return ended,
            }
        }
    }

    /// Whether the open streams deliver everything from here on: they are those of all filers that matter, and nothing
    /// that they delivered was dropped.
    fn may_keep_streams(&self) -> bool {
        let must_follow = self.fence.as_ref().is_none_or(|fence| fence.must_follow());
        !must_follow && !self.applying.load(Ordering::Relaxed)
    }

    /// Waits until what was read from the streams is applied, but not for long.
    async fn between_batches(&self) {
        let begun = Instant::now();
        while self.applying.load(Ordering::Relaxed) && begun.elapsed() < LONGEST_BATCH {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lists everything, and follows the filers from then on.
    async fn list_all(&self, filers: &BTreeSet<FilerName>, streams: Streams) -> Result<(), SessionEnd> {
        let listing = self.fence.as_ref().map(|fence| match streams {
            Streams::New => fence.begin_listing(),
            Streams::Kept => fence.lists_within(),
        });
        let beats = self.listed_beats().await?;
        self.relist(streams).await?;
        if let (Some(fence), Some(listing)) = (&self.fence, &listing) {
            fence.follow(listing, filers.clone(), &beats);
        }
        Ok(())
    }

    /// Which of the filer's changes are wanted.
    fn filter(&self) -> FeedFilter {
        let mut filter = self.store.filter();
        if self.fence.is_some() {
            filter.prefixes.push(format!("{GATEWAYS}/"));
        }
        filter
    }

    async fn read(
        &self,
        items: &mut (impl futures_util::Stream<Item = Labelled> + Unpin),
        session: Session,
    ) -> Result<std::convert::Infallible, SessionEnd> {
        loop {
            let mut batch = Vec::new();
            let mut next = items.next().await;
            loop {
                match next {
                    None => return Err(SessionEnd::End(FilerName::from("every filer"))),
                    Some((label, None)) => return Err(SessionEnd::End(label)),
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
            self.applying.store(true, Ordering::Relaxed);
            let applied = self.apply(batch, &session).await;
            self.applying.store(false, Ordering::Relaxed);
            applied?;
        }
    }

    /// Ends the session if everything has to be listed, or if a filer is silent while another one is not.
    async fn watch_silence(&self) -> Result<std::convert::Infallible, SessionEnd> {
        let Some(fence) = &self.fence else { return std::future::pending().await };
        let began = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = fence.until_listing_is_due() => {
                    self.between_batches().await;
                    return Err(SessionEnd::MustList);
                }
                // However many clients ask, there is time for other work between two listings.
                () = self.list_wanted.notified(), if began.elapsed() > SILENCE_EVERY => return Err(SessionEnd::Floor),
                () = tokio::time::sleep(SILENCE_EVERY) => {}
            }
            let silent = fence.silent();
            if !silent.is_empty() {
                silent.iter().for_each(|name| self.filer.avoid(&name.0));
                let names: Vec<&str> = silent.iter().map(|name| &*name.0).collect();
                return Err(SessionEnd::Silent(names.join(", ")));
            }
            let deaf = fence.deaf();
            if !deaf.is_empty() && !self.applying.load(Ordering::Relaxed) {
                let names: Vec<&str> = deaf.iter().map(|name| &*name.0).collect();
                return Err(SessionEnd::Deaf(names.join(", ")));
            }
        }
    }

    /// Ends the session if the cluster has filers that can be reached and are not followed, or has given up a filer
    /// whose stream is gone.
    async fn watch_ring(&self, followed: &BTreeSet<FilerName>) -> Result<std::convert::Infallible, SessionEnd> {
        let Some(fence) = &self.fence else { return std::future::pending().await };
        loop {
            tokio::time::sleep(RING_EVERY).await;
            let Ok(members) = self.filer.members().await else { continue };
            let members: BTreeSet<FilerName> = members.iter().map(|name| FilerName::from(name.as_str())).collect();
            let is_new = self.reaches_any(members.difference(followed)).await;
            let is_gone = followed.difference(&members).next().is_some() && fence.is_expired();
            if is_new || is_gone {
                let names: Vec<&str> = members.iter().map(|name| &*name.0).collect();
                return Err(SessionEnd::Ring(names.join(", ")));
            }
        }
    }

    /// Whether one of these filers answers soon.
    async fn reaches_any(&self, filers: impl Iterator<Item = &FilerName>) -> bool {
        let asked = filers.map(|name| async {
            let answer = tokio::time::timeout(RING_EVERY, self.filer.lookup_through(&name.0, "/")).await;
            matches!(answer, Ok(Ok(_)))
        });
        futures_util::future::join_all(asked).await.contains(&true)
    }

    /// The beats of all gateways, as they are stored.
    async fn listed_beats(&self) -> Result<Vec<Beat>, SessionEnd> {
        if self.fence.is_none() {
            return Ok(Vec::new());
        }
        let options = ListOptions { limit: 10_000, ..ListOptions::default() };
        Ok(GatewayFence::read(&self.filer.list(GATEWAYS, options).await?))
    }

    /// Lists everything and applies what differs.
    async fn relist(&self, streams: Streams) -> Result<(), SessionEnd> {
        let began = std::time::Instant::now();
        let mut state = self.state.lock().await;
        self.publish_pending(&mut state);
        let FollowedState { snapshot, index, loaded, .. } = &mut *state;
        let mut reading = self.reading(snapshot);
        self.store.list(index, Some(snapshot), &mut reading).await?;
        let first = !std::mem::replace(loaded, true);
        let changed = reading.changes;
        self.publish(&mut state, reading);
        if streams == Streams::New {
            self.watches.relisted(began);
        }
        self.listed.send_replace(Some(began));
        self.metrics.reloads.inc();
        let counts = state.snapshot.counts();
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
        if !state.snapshot.has_identities() {
            tracing::warn!(
                "there is no identity with an access key, so every signed request is refused: name one in -config, or set \
                 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            );
        }
        for (about, why) in state.snapshot.problems() {
            tracing::warn!("IAM: {about} {why}");
        }
        Ok(())
    }

    async fn apply(&self, batch: Vec<(FilerName, filer::Change)>, session: &Session) -> Result<(), SessionEnd> {
        if batch.is_empty() {
            return Ok(());
        }
        let last_ns = batch.iter().map(|(_, event)| event.ts_ns).max().unwrap_or_default();
        let reached: Vec<_> =
            batch.iter().map(|(label, event)| (label.clone(), event.ts_ns, event.directory != GATEWAYS)).collect();
        self.metrics.events.inc_by(batch.len() as u64);
        let mut state = self.state.lock().await;
        let mut noticed = BatchNotices::default();
        let gathered = self.gather(batch, session, &mut state, &mut noticed).await;
        let before = state.snapshot.clone();
        // Even what came before an error.
        self.publish_pending(&mut state);
        // Earlier problems have already been logged.
        for (about, why) in state.snapshot.problems().filter(|(about, why)| before.problem(about) != Some(*why)) {
            tracing::warn!("IAM: {about} {why}");
        }
        self.watches.passed(&noticed.passed);
        self.metrics.applied(last_ns);
        drop(state);
        gathered?;
        if noticed.relist {
            self.relist(Streams::Kept).await?;
        }
        // Only now, when everything before them is applied.
        self.positions.reached(&reached);
        if let Some(fence) = &self.fence {
            fence.set_revision(&self.positions.told());
            fence.observe(&noticed.beats);
            if fence.must_list() {
                return Err(SessionEnd::MustList);
            }
        }
        Ok(())
    }

    async fn gather(
        &self,
        batch: Vec<(FilerName, filer::Change)>,
        session: &Session,
        state: &mut FollowedState,
        into: &mut BatchNotices,
    ) -> Result<(), SessionEnd> {
        let FollowedState { snapshot, index, unpublished, .. } = state;
        for (label, mut event) in batch {
            if event.directory == GATEWAYS {
                self.gather_beat(&label, &event, into);
                continue;
            }
            let passing = paths_of(&event);
            if session.settled_at.is_none_or(|settled_at| Instant::now() < settled_at) {
                self.read_anew(&label, &mut event).await?;
            }
            match self.store.read_event(&event, index, Some(snapshot)).await? {
                EventEffect::Changes(news) => unpublished.extend(news),
                EventEffect::Relist => into.relist = true,
            }
            into.passed.extend(passing);
        }
        Ok(())
    }

    /// Takes a gateway's document from the stream.
    fn gather_beat(&self, label: &FilerName, event: &filer::Change, into: &mut BatchNotices) {
        let (Some(entry), Some(fence)) = (&event.new, &self.fence) else { return };
        for beat in GatewayFence::read(std::slice::from_ref(entry)) {
            if fence.is_mine(&beat) {
                self.clocks.compare(label, entry.attributes().mtime, event.ts_ns);
            }
            into.beats.push((label.clone(), beat));
        }
    }

    /// Uses the current entry instead of the event's, because a listing or another filer's stream may already have
    /// delivered a newer one.
    async fn read_anew(&self, label: &FilerName, event: &mut filer::Change) -> Result<(), SessionEnd> {
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

    /// Publishes what the last batch has gathered, even if it was interrupted.
    fn publish_pending(&self, state: &mut FollowedState) {
        let mut reading = self.reading(&state.snapshot);
        reading.extend(last_of_each(std::mem::take(&mut state.unpublished)));
        self.publish(state, reading);
    }

    /// Swaps in the next Snapshot once everything has been loaded.
    fn publish(&self, state: &mut FollowedState, reading: Reading<'_>) {
        if reading.changes > 0 {
            state.snapshot = reading.next.finish();
            self.metrics.published(&state.snapshot);
        }
        if state.loaded {
            self.digest.store(state.index.digest(), Ordering::Relaxed);
            self.current.store(Some(Arc::new(state.snapshot.clone())));
            self.revision.send_replace(state.snapshot.revision());
        }
    }
}

/// The paths of an event, each with its current entry.
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

/// If there are several changes of one document, the last one counts. The order of the others stays.
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
