//! The fence of a running gateway: writes its beats, says when it may decide, and waits for the other gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::fence::{Beat, BootId, Fence, FilerName, GatewayView, Listing, Moment, Progress, Settings};
use async_trait::async_trait;
use filer::{Attributes, Entry, Filer, FilerError, Guards, ListOptions, Mutation, Pass, Transaction};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Where gateways keep their beats.
pub const GATEWAYS: &str = "/seaweedfs/kelpgate/gateways";
/// How long a gateway's lease must be over before its documents are removed. Until then, each gateway that starts waits
/// for that lease.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
const TIDY_EVERY: Duration = Duration::from_secs(15);

/// A clock that keeps running while the machine sleeps.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// The settings with which a gateway takes part.
pub struct FenceConfig {
    /// The cluster to which it belongs: the same for all gateways of one store, and only for them.
    pub cluster: String,
    /// Its name as operators see it: `host:port`.
    pub gateway: String,
    /// A random text, new at each start.
    pub boot_id: String,
    /// The length of its lease.
    pub lease: Duration,
    /// How often it is renewed.
    pub renewal: Duration,
    /// `staleness.onExpired: "serve"`: whether it decides by the last known state once the lease has run out.
    pub serves_expired: bool,
    /// Facts for operators, written into the beats.
    pub about: BTreeMap<String, String>,
    /// The clock.
    pub clock: Clock,
}

/// Whether this gateway may decide. It is checked for each request, before the Snapshot is loaded.
#[derive(Clone)]
pub struct Lease(Option<Running>);

#[derive(Clone)]
struct Running {
    until: Arc<AtomicU64>,
    clock: Clock,
    serves_expired: bool,
}

/// The fence of this gateway.
pub struct GatewayFence {
    state: Mutex<Fence>,
    lease: Lease,
    lease_length: Duration,
    until: Arc<AtomicU64>,
    renewal: Duration,
    clock: Clock,
    /// Signals that a beat should be written at once.
    wake: Notify,
    /// Signals that something was observed.
    changed: watch::Sender<u64>,
    revision: Mutex<String>,
    /// How often everything has been listed.
    listings: AtomicU64,
    /// Stored beats of this gateway that a later one has replaced.
    replaced: Mutex<BTreeSet<String>>,
    /// What the stream of each filer has delivered.
    deliveries: Mutex<BTreeMap<FilerName, Delivery>>,
}

/// Which of our beats a stream has delivered.
#[derive(Default)]
struct Delivery {
    latest: u64,
    /// The earliest that is stored and not delivered, and since when it is known to be stored.
    missing: Option<(u64, Instant)>,
}

/// How often this gateway had listed everything before a change was written. If no stream delivers the change
/// afterwards, a later listing has found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListingCount(u64);

/// A conditional write in progress.
struct GuardedWrite(Arc<GatewayFence>);

/// A number that a change waits for. Dropping it ends the wait.
struct AwaitedNumber<'a> {
    fence: &'a GatewayFence,
    number: u64,
}

impl Lease {
    /// The lease of a gateway that is alone with its filer: it never ends.
    pub fn alone() -> Self {
        Self(None)
    }

    /// Whether it runs now.
    pub fn runs(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|running| running.serves_expired || (running.clock)().0 < running.until.load(Ordering::Acquire))
    }
}

impl GatewayFence {
    /// A gateway that has just started.
    pub fn new(config: FenceConfig) -> Self {
        let FenceConfig { cluster, gateway, boot_id, lease, renewal, serves_expired, about, clock } = config;
        let until = Arc::new(AtomicU64::new(0));
        let running = Running { until: Arc::clone(&until), clock: Arc::clone(&clock), serves_expired };
        let settings = Settings { cluster, gateway, lease: lease.into(), about };
        Self {
            state: Mutex::new(Fence::new(BootId(boot_id.into()), settings)),
            lease: Lease(Some(running)),
            lease_length: lease,
            until,
            renewal,
            clock,
            wake: Notify::new(),
            changed: watch::Sender::new(0),
            revision: Mutex::default(),
            listings: AtomicU64::new(0),
            replaced: Mutex::default(),
            deliveries: Mutex::default(),
        }
    }

    /// The lease, for code that checks it for each request.
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// All known gateways, this one first.
    pub fn gateways(&self) -> Vec<GatewayView> {
        let revision = self.revision.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.state().gateways((self.clock)(), &revision)
    }

    /// The beats on the filer. A document that cannot be read is ignored.
    pub(crate) fn read(entries: &[Entry]) -> Vec<Beat> {
        let beats = entries.iter().map(|entry| (entry, Beat::parse(&entry.content)));
        let read = |(entry, beat): (&Entry, Result<Beat, _>)| match beat {
            Ok(beat) => Some(beat),
            Err(error) => {
                tracing::warn!(document = %format!("{GATEWAYS}/{}", entry.name), %error, "not a gateway's document");
                None
            }
        };
        beats.filter_map(read).collect()
    }

    /// Whether this gateway wrote a beat.
    pub(crate) fn is_mine(&self, beat: &Beat) -> bool {
        beat.boot_id == *self.state().me()
    }

    /// Records that everything is about to be listed after new streams were opened: code that waits for a change must
    /// learn if a listing found it. Returns what the listing is sure to see, for [`GatewayFence::follow`].
    pub(crate) fn begin_listing(&self) -> Listing {
        self.listings.fetch_add(1, Ordering::AcqRel);
        self.lists_within()
    }

    /// The same for a listing during which the streams stay open. They deliver what it finds, too.
    pub(crate) fn lists_within(&self) -> Listing {
        self.state().list()
    }

    /// Whether new streams should be opened before everything is listed.
    pub(crate) fn must_follow(&self) -> bool {
        self.state().must_follow()
    }

    /// Records that streams are open and everything has been listed again.
    pub(crate) fn follow(&self, listing: &Listing, filers: BTreeSet<FilerName>, listed: &[Beat]) {
        // Streams that are new deliver nothing from before.
        self.deliveries().clear();
        self.state().follow(listing, filers, listed, (self.clock)());
        self.observed(true);
    }

    /// Takes in beats from the streams, once everything before them is applied.
    pub(crate) fn observe(&self, beats: &[(FilerName, Beat)]) {
        if beats.is_empty() {
            return;
        }
        let mut wanted = false;
        {
            let mut state = self.state();
            for (filer, beat) in beats {
                if beat.boot_id == *state.me() {
                    self.delivered(filer, beat.number);
                }
                wanted |= state.observe(filer, beat, (self.clock)());
            }
        }
        self.observed(wanted);
    }

    /// Whether new streams must be opened and everything listed, because other gateways make changes that these streams
    /// may not deliver.
    pub(crate) fn must_list(&self) -> bool {
        self.state().must_list()
    }

    /// Call this before a change is written, for [`GatewayFence::enforced`].
    pub fn listing_count(&self) -> ListingCount {
        ListingCount(self.listings.load(Ordering::Acquire))
    }

    /// The filers whose streams are silent although another one delivers.
    pub(crate) fn silent(&self) -> Vec<FilerName> {
        self.state().silent()
    }

    /// The filers that have stored a beat of ours and whose streams do not deliver it. Their own heartbeats would take
    /// many seconds to tell that a stream is dead.
    pub(crate) fn deaf(&self) -> Vec<FilerName> {
        let patience = if self.is_expired() { self.lease_length / 6 } else { self.lease_length / 2 };
        let is_deaf = |delivery: &Delivery| delivery.missing.is_some_and(|(_, since)| since.elapsed() >= patience);
        self.deliveries().iter().filter(|(_, one)| is_deaf(one)).map(|(name, _)| name.clone()).collect()
    }

    /// A beat is stored. Its stream may have delivered it already.
    fn stored(&self, beat: &Beat) {
        let mut deliveries = self.deliveries();
        let delivery = deliveries.entry(beat.via.clone()).or_default();
        if delivery.latest < beat.number && delivery.missing.is_none() {
            delivery.missing = Some((beat.number, Instant::now()));
        }
    }

    fn delivered(&self, filer: &FilerName, number: u64) {
        let mut deliveries = self.deliveries();
        let delivery = deliveries.entry(filer.clone()).or_default();
        delivery.latest = delivery.latest.max(number);
        delivery.missing = delivery.missing.filter(|(missing, _)| *missing > number);
    }

    fn deliveries(&self) -> MutexGuard<'_, BTreeMap<FilerName, Delivery>> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when everything has to be listed.
    pub(crate) async fn until_listing_is_due(&self) {
        let mut changed = self.changed.subscribe();
        while !self.must_list() {
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }

    /// Whether the lease is running out although no stream shows an error: something is wrong with one of them.
    pub(crate) fn is_expired(&self) -> bool {
        self.state().lease_until() <= (self.clock)()
    }

    /// How far this gateway has got, for operators.
    pub(crate) fn set_revision(&self, revision: &str) {
        self.revision.lock().unwrap_or_else(PoisonError::into_inner).replace_range(.., revision);
    }

    /// Waits until every gateway enforces a change that is durable and applied here.
    ///
    /// The error lists the gateways for which this is unknown; it is empty while this gateway's own beats do not come
    /// back. For a dead or stopped gateway this waits until its lease has run out, which is not an error.
    pub async fn enforced(&self, before: ListingCount) -> Result<(), Vec<String>> {
        let mut changed = self.changed.subscribe();
        let may_be_listed = self.listing_count() != before;
        let number = if may_be_listed { self.state().ask_listed() } else { self.state().ask() };
        let awaited = AwaitedNumber { fence: self, number };
        self.wake.notify_one();
        // Leases of other gateways end within their length plus five per cent. A filer that was given up holds changes
        // up as long.
        let patience = self.lease_length.mul_f64(1.05) + Duration::from_millis(500);
        let waiting = async {
            loop {
                changed.borrow_and_update();
                let now = (self.clock)();
                let progress = self.state().progress(awaited.number, now);
                let Progress::Waiting { until, .. } = progress else { return };
                let pause = Duration::from(until.since(now)).min(patience);
                // Both the passing of time and news are reasons to check again.
                let _ = tokio::time::timeout(pause, changed.changed()).await;
            }
        };
        match tokio::time::timeout(patience, waiting).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.behind(awaited.number)),
        }
    }

    fn behind(&self, number: u64) -> Vec<String> {
        let state = self.state();
        let now = (self.clock)();
        let Progress::Waiting { behind, .. } = state.progress(number, now) else { return Vec::new() };
        let known = state.gateways(now, "");
        let name = |boot_id: &BootId| {
            let view = known.iter().find(|view| view.boot_id == *boot_id);
            view.map_or_else(|| boot_id.to_string(), |view| format!("{} ({boot_id})", view.gateway))
        };
        behind.iter().map(name).collect()
    }

    /// Writes beats until the task is dropped: at every renewal, and at once if another gateway waits for one.
    pub async fn run(&self, filer: &dyn Filer) {
        let mut writing: FuturesUnordered<BoxFuture<'_, (Beat, bool)>> = FuturesUnordered::new();
        let mut busy: BTreeMap<FilerName, Instant> = BTreeMap::new();
        // The filers that were busy when the last beat was made. That beat, or a later one, must still be written
        // there.
        let mut owed: BTreeSet<FilerName> = BTreeSet::new();
        let mut due = Instant::now();
        let mut tidy = Instant::now() + TIDY_EVERY;
        let mut removing: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
        // The store is read after each beat, but beats do not wait for that: one reading does for all that were stored
        // before it.
        let mut reading: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
        let mut read_since = Instant::now();
        let mut stored: Option<Beat> = None;
        loop {
            if (reading.is_empty() || read_since.elapsed() > self.renewal)
                && let Some(beat) = stored.take()
            {
                read_since = Instant::now();
                reading.push(Box::pin(self.read_store(filer, beat)));
            }
            if removing.is_empty() {
                let replaced = std::mem::take(&mut *self.replaced.lock().unwrap_or_else(PoisonError::into_inner));
                if !replaced.is_empty() {
                    removing.push(Box::pin(remove_logged(filer, replaced)));
                }
            }
            tokio::select! {
                biased;
                Some(()) = reading.next(), if !reading.is_empty() => continue,
                Some(()) = removing.next(), if !removing.is_empty() => continue,
                Some((beat, is_stored)) = writing.next(), if !writing.is_empty() => {
                    busy.remove(&beat.via);
                    let is_owed = owed.remove(&beat.via);
                    if is_stored {
                        self.stored(&beat);
                    }
                    if is_stored && stored.as_ref().is_none_or(|known| known.number < beat.number) {
                        stored = Some(beat);
                    }
                    if !is_owed {
                        continue;
                    }
                }
                () = self.wake.notified() => {}
                () = tokio::time::sleep_until(due) => {}
            }
            due = Instant::now() + self.renewal;
            let filers: BTreeSet<FilerName> = self.state().filers().cloned().collect();
            // A write without an answer does not keep later ones waiting for long: its connection may be dead.
            busy.retain(|_, since| since.elapsed() < 2 * self.renewal);
            owed = filers.iter().filter(|name| busy.contains_key(*name)).cloned().collect();
            let idle: Vec<FilerName> = filers.iter().filter(|name| !busy.contains_key(*name)).cloned().collect();
            if idle.is_empty() {
                continue;
            }
            let beat = self.next_beat();
            for name in idle {
                busy.insert(name.clone(), Instant::now());
                writing.push(Box::pin(self.write(filer, beat.through(&name))));
            }
            if tidy <= Instant::now() {
                tidy = Instant::now() + TIDY_EVERY;
                self.tidy(filer).await;
            }
        }
    }

    fn next_beat(&self) -> Beat {
        let revision = self.revision.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Read the time before anything is written, because the lease counts from it.
        self.state().beat((self.clock)(), &revision)
    }

    /// Writes a beat through its filer. Returns it, and whether it was stored.
    async fn write(&self, filer: &dyn Filer, beat: Beat) -> (Beat, bool) {
        let written = filer.put_through(&beat.via.0, GATEWAYS, entry(&beat));
        match tokio::time::timeout(self.lease_length, written).await {
            Ok(Ok(())) => return (beat, true),
            Ok(Err(error)) => tracing::warn!(filer = %beat.via, %error, "this gateway's lease could not be renewed"),
            Err(_) => tracing::warn!(filer = %beat.via, "this gateway's lease could not be renewed: no answer"),
        }
        (beat, false)
    }

    /// Reads the beats of all gateways, through the filer that has just stored ours.
    async fn read_store(&self, filer: &dyn Filer, beat: Beat) {
        let options = ListOptions { limit: 10_000, ..ListOptions::default() };
        let listed = filer.list_through(&beat.via.0, GATEWAYS, options);
        let stored = match tokio::time::timeout(self.lease_length, listed).await {
            Ok(Ok(entries)) => Self::read(&entries),
            Ok(Err(error)) => return tracing::warn!(filer = %beat.via, %error, "the gateways' documents are not read"),
            Err(_) => return tracing::warn!(filer = %beat.via, "the gateways' documents are not read: no answer"),
        };
        let wanted = self.state().read(&stored, (self.clock)());
        let own = stored.iter().filter(|other| other.boot_id == beat.boot_id && other.number < beat.number);
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner).extend(own.map(name_of));
        self.observed(wanted);
    }

    /// Stops deciding and tells the others, so that no change waits for this gateway. Call it before the process ends.
    pub async fn close(&self, filer: &dyn Filer) {
        self.state().close();
        self.observed(false);
        self.nothing_inside().await;
        let beat = self.next_beat();
        let last = beat.filers.iter().map(|name| self.write(filer, beat.through(name)));
        futures_util::future::join_all(last).await;
        if !beat.closed {
            return;
        }
        remove_all(filer, |stored| stored.boot_id == beat.boot_id).await;
    }

    /// Waits until no conditional write is in progress, or none can be valid any more.
    async fn nothing_inside(&self) {
        let mut changed = self.changed.subscribe();
        let ended = async {
            while self.state().is_inside() {
                let _ = changed.changed().await;
            }
        };
        if tokio::time::timeout(self.lease_length, ended).await.is_err() {
            tracing::warn!(
                "conditional writes are still in progress; other gateways wait until this gateway's lease has run out"
            );
        }
    }

    async fn tidy(&self, filer: &dyn Filer) {
        let forgotten = self.state().forget(FORGOTTEN_AFTER.into(), (self.clock)());
        if !forgotten.is_empty() {
            let is_over = |stored: &Beat| forgotten.get(&stored.boot_id).is_some_and(|latest| stored.number <= *latest);
            remove_all(filer, is_over).await;
        }
    }

    /// Publishes the lease and wakes everyone who waits.
    fn observed(&self, beat_wanted: bool) {
        self.until.store(self.state().lease_until().0, Ordering::Release);
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
        if beat_wanted {
            self.wake.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, Fence> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Guards for GatewayFence {
    async fn pass(self: Arc<Self>) -> Result<Pass, FilerError> {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.borrow_and_update();
                let entered = self.state().enter((self.clock)());
                if let Some((filers, time)) = entered {
                    let filers = filers.iter().map(|name| name.0.to_string()).collect();
                    return Pass::new(filers, time.into(), GuardedWrite(Arc::clone(&self)));
                }
                let _ = changed.changed().await;
            }
        };
        // Wait for a gateway that does not agree until its lease has run out and a later beat of ours has come back.
        let patience = self.lease_length.mul_f64(1.05) + 2 * self.renewal + Duration::from_millis(500);
        tokio::time::timeout(patience, waiting).await.map_err(|_| FilerError::NotAgreed)
    }
}

impl Drop for GuardedWrite {
    fn drop(&mut self) {
        let beat_wanted = self.0.state().leave((self.0.clock)());
        self.0.observed(beat_wanted);
    }
}

impl Drop for AwaitedNumber<'_> {
    fn drop(&mut self) {
        self.fence.state().done(self.number);
    }
}

fn entry(beat: &Beat) -> Entry {
    let content = beat.to_json();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let mtime = i64::try_from(now_s).unwrap_or(i64::MAX);
    let attributes =
        Attributes { file_size: content.len() as u64, mtime, crtime: mtime, file_mode: 0o600, ..Attributes::default() };
    Entry { name: name_of(beat), attributes: Some(attributes), content, ..Entry::default() }
}

/// Each beat has a name of its own, so that a late copy of an older one does not replace it. The names of a gateway's
/// beats are in the order of their numbers: a listing that misses one because it was removed finds a later one.
fn name_of(beat: &Beat) -> String {
    format!("{}.{:020}", beat.boot_id, beat.number)
}

/// Removes the stored beats that are wanted no more. What stays because of an error is removed by another gateway.
async fn remove_all(filer: &dyn Filer, unwanted: impl Fn(&Beat) -> bool) {
    let options = ListOptions { limit: 10_000, ..ListOptions::default() };
    match filer.list(GATEWAYS, options).await {
        Ok(entries) => {
            let is_unwanted = |entry: &&Entry| Beat::parse(&entry.content).is_ok_and(|beat| unwanted(&beat));
            let names = entries.iter().filter(is_unwanted).map(|entry| entry.name.clone()).collect();
            remove_logged(filer, names).await;
        }
        Err(error) => tracing::warn!(%error, "documents of gateways could not be removed"),
    }
}

async fn remove_logged(filer: &dyn Filer, names: BTreeSet<String>) {
    let Some(first) = names.first() else { return };
    let lock_key = format!("{GATEWAYS}/{first}");
    let delete = |name| Mutation::Delete { directory: GATEWAYS.to_owned(), name, delete_data: true, recursive: false };
    let mutations = names.into_iter().map(delete).collect();
    if let Err(error) = filer.transact(Transaction { lock_key, mutations, ..Transaction::default() }).await {
        tracing::debug!(%error, "documents of gateways could not be removed");
    }
}
