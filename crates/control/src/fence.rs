//! The fence of a running gateway: writes its beats, tells when it may decide, and waits for the other gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::fence::{Beat, BootId, Fence, FilerName, GatewayView, Moment, Progress, Settings};
use async_trait::async_trait;
use filer::{Attributes, Entry, Filer, FilerError, Guards, Mutation, Pass, Transaction};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Where gateways keep their beats.
pub const GATEWAYS: &str = "/seaweedfs/kelpgate/gateways";
/// Documents of gateways that were silent for so long are removed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);
const TIDY_EVERY: Duration = Duration::from_secs(600);

/// A clock that goes on while the machine sleeps.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// What a gateway needs to take part.
pub struct FenceConfig {
    /// Which cluster it belongs to: the same for all gateways of one store, and only for them.
    pub cluster: String,
    /// Its name for people: `host:port`.
    pub gateway: String,
    /// A random text, new at each start.
    pub boot_id: String,
    /// The length of its lease.
    pub lease: Duration,
    /// How often it is renewed.
    pub renewal: Duration,
    /// `staleness.onExpired: "serve"`: it decides by what it last knew when the lease has run out.
    pub serves_expired: bool,
    /// Facts for people, written into the beats.
    pub about: BTreeMap<String, String>,
    /// The clock.
    pub clock: Clock,
}

/// Whether this gateway may decide: asked at each request, before the Snapshot is loaded.
#[derive(Clone)]
pub struct Lease(Option<Running>);

#[derive(Clone)]
struct Running {
    until: Arc<AtomicU64>,
    clock: Clock,
    serves_expired: bool,
}

/// The fence of this gateway.
pub struct Fencing {
    state: Mutex<Fence>,
    lease: Lease,
    lease_length: Duration,
    until: Arc<AtomicU64>,
    renewal: Duration,
    clock: Clock,
    /// A beat is wanted at once.
    wake: Notify,
    /// Something was observed.
    changed: watch::Sender<u64>,
    revision: Mutex<String>,
    /// How often everything was listed.
    listings: AtomicU64,
}

/// How often this gateway had listed everything when a change was about to be written: what is written after, and came by no stream
/// since, was found by a later listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before(u64);

/// A conditional write that is under way.
struct Inside(Arc<Fencing>);

/// A number that is waited for; forgotten with it.
struct Asked<'a> {
    fencing: &'a Fencing,
    number: u64,
}

impl Lease {
    /// The lease of a gateway that is alone with its filer: it never ends.
    pub fn alone() -> Self {
        Self(None)
    }

    /// Whether it runs at this moment.
    pub fn runs(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|running| running.serves_expired || (running.clock)().0 < running.until.load(Ordering::Acquire))
    }
}

impl Fencing {
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
        }
    }

    /// The lease, for whoever asks at each request.
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// All gateways that are known, this one first.
    pub fn gateways(&self) -> Vec<GatewayView> {
        let revision = self.revision.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.state().gateways((self.clock)(), &revision)
    }

    /// The beats that are found on the filer. A document that cannot be read is none of ours.
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

    /// Everything is about to be listed: whoever waits for a change that the listing finds must learn that it was a listing.
    pub(crate) fn lists(&self) {
        self.listings.fetch_add(1, Ordering::AcqRel);
    }

    /// New streams are open and everything was listed again.
    pub(crate) fn follow(&self, filers: BTreeSet<FilerName>, listed: &[Beat]) {
        self.state().follow(filers, listed, (self.clock)());
        self.observed(true);
    }

    /// Beats came on the streams, and what came before them is applied.
    pub(crate) fn observe(&self, beats: &[(FilerName, Beat)]) {
        if beats.is_empty() {
            return;
        }
        let mut wanted = false;
        {
            let mut state = self.state();
            for (filer, beat) in beats {
                wanted |= state.observe(filer, beat, (self.clock)());
            }
        }
        self.observed(wanted);
    }

    /// Whether the streams must be opened anew and everything listed: others change what these may not tell.
    pub(crate) fn must_list(&self) -> bool {
        self.state().must_list()
    }

    /// To be asked before a change is written, for [`Fencing::enforced`].
    pub fn before(&self) -> Before {
        Before(self.listings.load(Ordering::Acquire))
    }

    /// Whether the leases of all filers run out: something is wrong with a stream that shows no error.
    pub(crate) fn is_expired(&self) -> bool {
        self.state().lease_until() <= (self.clock)()
    }

    /// For people: how far this gateway is.
    pub(crate) fn set_revision(&self, revision: &str) {
        self.revision.lock().unwrap_or_else(PoisonError::into_inner).replace_range(.., revision);
    }

    /// Waits until a change that is durable and applied here is enforced by every gateway.
    ///
    /// Error: the gateways that it is not known of; empty while this gateway does not hear itself. A gateway that is dead or stopped
    /// is waited for until its lease has run out, which is not an error.
    pub async fn enforced(&self, before: Before) -> Result<(), Vec<String>> {
        let mut changed = self.changed.subscribe();
        let may_be_listed = self.before() != before;
        let number = if may_be_listed { self.state().ask_listed() } else { self.state().ask() };
        let asked = Asked { fencing: self, number };
        self.wake.notify_one();
        // Leases that others hold end within their length and five per cent; a filer that was given up holds as long.
        let patience = self.lease_length.mul_f64(1.05) + Duration::from_millis(500);
        let waiting = async {
            loop {
                changed.borrow_and_update();
                let now = (self.clock)();
                let progress = self.state().progress(asked.number, now);
                let Progress::Waiting { until, .. } = progress else { return };
                let pause = Duration::from(until.since(now)).min(patience);
                // Time that passes and news are the same: look again.
                let _ = tokio::time::timeout(pause, changed.changed()).await;
            }
        };
        match tokio::time::timeout(patience, waiting).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.behind(asked.number)),
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

    /// Writes beats until the task is dropped: at every renewal, and at once when somebody waits for one.
    pub async fn run(&self, filer: &dyn Filer) {
        let mut writing: FuturesUnordered<BoxFuture<'_, FilerName>> = FuturesUnordered::new();
        let mut busy: BTreeSet<FilerName> = BTreeSet::new();
        // Those that were busy when the last beat was made: it, or a later one, is still to be written there.
        let mut owed: BTreeSet<FilerName> = BTreeSet::new();
        let mut due = Instant::now();
        let mut tidy = Instant::now() + TIDY_EVERY;
        loop {
            tokio::select! {
                biased;
                Some(done) = writing.next(), if !writing.is_empty() => {
                    busy.remove(&done);
                    if !owed.remove(&done) {
                        continue;
                    }
                }
                () = self.wake.notified() => {}
                () = tokio::time::sleep_until(due) => {}
            }
            due = Instant::now() + self.renewal;
            let filers: BTreeSet<FilerName> = self.state().filers().cloned().collect();
            owed = filers.intersection(&busy).cloned().collect();
            let idle: Vec<FilerName> = filers.difference(&busy).cloned().collect();
            if idle.is_empty() {
                continue;
            }
            let beat = self.next_beat();
            for name in idle {
                busy.insert(name.clone());
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
        // The moment is read before anything is written: the lease counts from it.
        self.state().beat((self.clock)(), &revision)
    }

    async fn write(&self, filer: &dyn Filer, beat: Beat) -> FilerName {
        let written = filer.put_through(&beat.via.0, GATEWAYS, entry(&beat));
        match tokio::time::timeout(self.lease_length, written).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(filer = %beat.via, %error, "this gateway's lease could not be renewed"),
            Err(_) => tracing::warn!(filer = %beat.via, "this gateway's lease could not be renewed: no answer"),
        }
        beat.via
    }

    /// Decides nothing from now on and tells the others, so that no change waits for this gateway. Call it before the process ends.
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
        if let Err(error) = remove(filer, &beat.boot_id).await {
            tracing::warn!(%error, "this gateway's document stays on the filer; another gateway removes it later");
        }
    }

    /// Waits until no conditional write is under way, or none can count any more.
    async fn nothing_inside(&self) {
        let mut changed = self.changed.subscribe();
        let ended = async {
            while self.state().is_inside() {
                let _ = changed.changed().await;
            }
        };
        if tokio::time::timeout(self.lease_length, ended).await.is_err() {
            tracing::warn!(
                "conditional writes are still under way; others wait until this gateway's lease has run out"
            );
        }
    }

    async fn tidy(&self, filer: &dyn Filer) {
        let forgotten = self.state().forget(FORGOTTEN_AFTER.into(), (self.clock)());
        for boot_id in forgotten {
            if let Err(error) = remove(filer, &boot_id).await {
                tracing::warn!(%error, %boot_id, "the document of a gateway that is gone could not be removed");
            }
        }
    }

    /// Publishes the lease and wakes whoever waits.
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
impl Guards for Fencing {
    async fn pass(self: Arc<Self>) -> Result<Pass, FilerError> {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.borrow_and_update();
                let entered = self.state().enter((self.clock)());
                if let Some((filers, time)) = entered {
                    let filers = filers.iter().map(|name| name.0.to_string()).collect();
                    return Pass::new(filers, time.into(), Inside(Arc::clone(&self)));
                }
                let _ = changed.changed().await;
            }
        };
        // Another gateway that does not agree is waited for until its lease has run out, and a beat after that has come back.
        let patience = self.lease_length.mul_f64(1.05) + 2 * self.renewal + Duration::from_millis(500);
        tokio::time::timeout(patience, waiting).await.map_err(|_| FilerError::NotAgreed)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let beat_wanted = self.0.state().leave();
        self.0.observed(beat_wanted);
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.fencing.state().done(self.number);
    }
}

fn entry(beat: &Beat) -> Entry {
    let content = beat.to_json();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let mtime = i64::try_from(now_s).unwrap_or(i64::MAX);
    let attributes =
        Attributes { file_size: content.len() as u64, mtime, crtime: mtime, file_mode: 0o600, ..Attributes::default() };
    Entry { name: beat.boot_id.to_string(), attributes: Some(attributes), content, ..Entry::default() }
}

async fn remove(filer: &dyn Filer, boot_id: &BootId) -> Result<(), FilerError> {
    let (directory, name) = (GATEWAYS.to_owned(), boot_id.to_string());
    let lock_key = format!("{directory}/{name}");
    let mutations = vec![Mutation::Delete { directory, name, delete_data: true, recursive: false }];
    filer.transact(Transaction { lock_key, mutations, ..Transaction::default() }).await
}
