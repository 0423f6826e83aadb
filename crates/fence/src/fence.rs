//! What one gateway knows of its own leases, of the other gateways, and of the changes that wait to be answered.

mod guards;

use std::collections::{BTreeMap, BTreeSet};

use crate::beat::Beat;
use crate::time::{Moment, Span};
use crate::{BootId, FilerName};
use guards::Guards;

/// How many of its own beats a gateway remembers the beginning of: those that may still come back.
const REMEMBERED: u64 = 256;

/// What does not change while a gateway runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Which cluster the gateway belongs to.
    pub cluster: String,
    /// Its name for people: `host:port`.
    pub gateway: String,
    /// The length of its lease.
    pub lease: Span,
    /// Facts for people.
    pub about: BTreeMap<String, String>,
}

/// The state of the protocol on one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fence {
    settings: Settings,
    me: BootId,
    number: u64,
    asks: u64,
    lists: u64,
    /// When own beats began to be written.
    written: BTreeMap<u64, Moment>,
    /// The filers that are followed, each with the end of the lease that it gave.
    filers: BTreeMap<FilerName, Moment>,
    peers: BTreeMap<BootId, Peer>,
    barriers: BTreeMap<u64, Barrier>,
    /// No change counts as enforced before: a filer was given up, and others may rely on it until then.
    held_until: Moment,
    /// A gateway has changed something that our streams may not tell: no lease is given until everything was listed again.
    must_list: bool,
    closed: bool,
    guards: Guards,
}

/// Another gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Peer {
    gateway: String,
    lease: Span,
    follows: BTreeSet<FilerName>,
    /// The filers by which it writes what has a condition.
    guards: BTreeSet<FilerName>,
    revision: String,
    about: BTreeMap<String, String>,
    /// The latest beat on each of our streams.
    seen: BTreeMap<FilerName, Seen>,
    /// The number of its last beat, once it has closed.
    closed_at: Option<u64>,
    /// What it had changed before this number, our last listing has seen.
    listed: u64,
    /// What we have applied of it: by the filer that it wrote through.
    through: BTreeMap<FilerName, u64>,
    /// The last question of it that we have answered.
    answered: u64,
    /// What it has applied of us.
    acknowledged: BTreeMap<FilerName, u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Seen {
    number: u64,
    at: Moment,
}

/// A change that waits to be enforced everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Barrier {
    waiters: u64,
    /// The number that others have to acknowledge: that of the change, or a later one if a filer was given up since.
    number: u64,
    /// The filers on which its beat, or a later one, came back.
    returned: BTreeSet<FilerName>,
    /// Who may decide by what was before it, and until when at most.
    holders: BTreeMap<BootId, Moment>,
}

/// How far a change is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// No gateway decides by what was before it.
    Enforced,
    /// Something has to happen first.
    Waiting {
        /// Look again at this moment, even if nothing was observed until then.
        until: Moment,
        /// The gateways that are waited for; empty while the own beat has not come back.
        behind: Vec<BootId>,
    },
}

/// One gateway, as another one sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayView {
    /// The process.
    pub boot_id: BootId,
    /// Its name for people.
    pub gateway: String,
    /// The length of its lease.
    pub lease: Span,
    /// How long ago its latest beat was seen; `None` for the gateway that answers.
    pub seen_ago: Option<Span>,
    /// The IAM revision of that beat.
    pub revision: String,
    /// Its lease may still run.
    pub current: bool,
    /// Filers that we follow and it does not.
    pub misses: BTreeSet<FilerName>,
    /// Facts for people.
    pub about: BTreeMap<String, String>,
}

impl Fence {
    /// A gateway that has just started: it follows nothing and may decide nothing.
    pub fn new(me: BootId, settings: Settings) -> Self {
        Self {
            settings,
            me,
            number: 0,
            asks: 0,
            lists: 0,
            written: BTreeMap::new(),
            filers: BTreeMap::new(),
            peers: BTreeMap::new(),
            barriers: BTreeMap::new(),
            held_until: Moment::default(),
            must_list: false,
            closed: false,
            guards: Guards::default(),
        }
    }

    /// The own process.
    pub fn me(&self) -> &BootId {
        &self.me
    }

    /// The filers that are followed.
    pub fn filers(&self) -> impl Iterator<Item = &FilerName> {
        self.filers.keys()
    }

    /// New streams are open, one for each of these filers, and everything was listed again since: `listed` are the beats that were
    /// found then. `now` must be read after the listing, and nothing may be observed while it lasts.
    ///
    /// A filer that is not followed any more may still be trusted by others, until they have noticed as well: no change is
    /// answered for the length of a lease. What it had still to tell is lost: whoever acknowledges a change that waits must have
    /// listed after it.
    pub fn follow(&mut self, filers: BTreeSet<FilerName>, listed: &[Beat], now: Moment) {
        let given_up = self.filers.keys().any(|known| !filers.contains(known));
        // A filer that is given up must not bring a lease back that ran out because of it; one that is new does not end a lease, which
        // speaks of what was applied before.
        let lease_until = self.lease_until();
        let known = std::mem::take(&mut self.filers);
        for name in filers {
            let until = known.get(&name).map_or(lease_until, |until| lease_until.min(*until));
            self.filers.insert(name, until);
        }
        self.change_guards();
        self.must_list = false;
        for peer in self.peers.values_mut() {
            peer.listed = peer.seen.values().map(|seen| seen.number).max().unwrap_or_default();
            for name in peer.follows.iter().filter(|name| !self.filers.contains_key(*name)) {
                let through = peer.through.entry(name.clone()).or_default();
                *through = peer.listed.max(*through);
            }
        }
        for beat in listed.iter().filter(|beat| beat.boot_id != self.me && beat.cluster == self.settings.cluster) {
            let peer = self.peers.entry(beat.boot_id.clone()).or_insert_with(|| Peer::new(beat));
            peer.learn(beat, &self.me);
            // Beats that passed while no stream was open were written before now; a late copy of an older one may have taken the
            // place of the last.
            for name in self.filers.keys() {
                let seen = peer.seen.entry(name.clone()).or_insert(Seen { number: 0, at: now });
                if seen.number != beat.number {
                    *seen = Seen { number: beat.number.max(seen.number), at: now };
                }
            }
        }
        if given_up {
            self.held_until = self.held_until.max(now + self.longest_lease().lengthened());
            if !self.barriers.is_empty() {
                self.asks = self.number + 1;
                self.lists = self.asks;
            }
            for barrier in self.barriers.values_mut() {
                barrier.number = self.asks;
                barrier.returned.clear();
            }
        }
    }

    /// Whether streams must be opened anew and everything listed again: a gateway has changed something that ours may not tell. Until
    /// then no lease is given here, and nothing acknowledged.
    pub fn must_list(&self) -> bool {
        self.must_list
    }

    /// The next beat, to be written through every filer. `now` must be read before the writing begins.
    pub fn beat(&mut self, now: Moment, revision: &str) -> Beat {
        self.number += 1;
        self.written.insert(self.number, now);
        let oldest = self.number.saturating_sub(REMEMBERED);
        self.written.retain(|number, _| *number > oldest);
        let acknowledges = |peer: &Peer| !self.must_list && !peer.through.is_empty() && peer.closed_at.is_none();
        let applied = self.peers.iter().filter(|(_, peer)| acknowledges(peer));
        Beat {
            cluster: self.settings.cluster.clone(),
            gateway: self.settings.gateway.clone(),
            boot_id: self.me.clone(),
            number: self.number,
            lease_ms: self.settings.lease.0.div_ceil(1_000_000),
            filers: self.filers.keys().cloned().collect(),
            guards: self.guards.filers.clone(),
            via: FilerName::from(""),
            asks: self.asks,
            lists: self.lists,
            applied: applied.map(|(boot_id, peer)| (boot_id.clone(), peer.through.clone())).collect(),
            // A gateway that reads this stops waiting for this one.
            closed: self.closed && !self.is_inside(),
            revision: revision.to_owned(),
            about: self.settings.about.clone(),
        }
    }

    /// A beat came on the stream of a filer, and everything that came before it there is applied. True if a beat of our own should
    /// be written at once, because somebody waits for it.
    pub fn observe(&mut self, filer: &FilerName, beat: &Beat, now: Moment) -> bool {
        if beat.cluster != self.settings.cluster || !self.filers.contains_key(filer) {
            return false;
        }
        if beat.boot_id == self.me {
            self.guards_returned(filer, beat.number, now);
            self.returned(filer, beat.number);
            return false;
        }
        let peer = self.peers.entry(beat.boot_id.clone()).or_insert_with(|| Peer::new(beat));
        peer.learn(beat, &self.me);
        let seen = peer.seen.entry(filer.clone()).or_insert(Seen { number: 0, at: now });
        if beat.number >= seen.number {
            *seen = Seen { number: beat.number, at: now };
        }
        let through = peer.through.entry(beat.via.clone()).or_default();
        *through = beat.number.max(*through);
        let hears_all = beat.filers.iter().all(|name| self.filers.contains_key(name));
        if beat.lists > peer.listed || (beat.asks > peer.listed && !hears_all) {
            self.must_list = true;
        }
        let everywhere =
            beat.filers.iter().all(|name| peer.through.get(name).is_some_and(|number| *number >= beat.asks));
        let to_answer = everywhere && !self.must_list && beat.asks > peer.answered;
        if to_answer {
            peer.answered = beat.asks;
        }
        to_answer
    }

    /// An own beat came back: the lease runs from the moment at which it began to be written.
    fn returned(&mut self, filer: &FilerName, number: u64) {
        let lease = self.settings.lease.shortened();
        if let (Some(until), Some(written)) = (self.filers.get_mut(filer), self.written.get(&number))
            && !self.must_list
        {
            *until = (*written + lease).max(*until);
        }
        for barrier in self.barriers.values_mut().filter(|barrier| barrier.number <= number) {
            if !barrier.returned.insert(filer.clone()) {
                continue;
            }
            // What a gateway writes after our number, it can only have back with our change applied. What it wrote before lets
            // it decide for the length of its lease.
            for (boot_id, peer) in self.peers.iter().filter(|(_, peer)| peer.closed_at.is_none()) {
                if let Some(seen) = peer.seen.get(filer) {
                    let until = seen.at + peer.lease.lengthened();
                    let holder = barrier.holders.entry(boot_id.clone()).or_insert(until);
                    *holder = until.max(*holder);
                }
            }
        }
    }

    /// Until when this gateway may decide. In the past, or at the beginning of time, if it may not.
    pub fn lease_until(&self) -> Moment {
        if self.closed {
            return Moment::default();
        }
        self.filers.values().min().copied().unwrap_or_default()
    }

    /// Something was changed, durably and before this call. The answer is the number of the next beat, to be written as soon as
    /// possible, and the name under which [`Fence::progress`] tells of the change.
    pub fn ask(&mut self) -> u64 {
        self.asks = self.number + 1;
        let barrier = self.barriers.entry(self.asks).or_default();
        barrier.number = self.asks;
        barrier.waiters += 1;
        self.asks
    }

    /// The same for a change that was found by listing, and did not come on a stream: it may never come to others. They list
    /// everything before they acknowledge it.
    pub fn ask_listed(&mut self) -> u64 {
        self.lists = self.ask();
        self.lists
    }

    /// How far the change of this number is.
    pub fn progress(&self, number: u64, now: Moment) -> Progress {
        let waiting = |until, behind| Progress::Waiting { until, behind };
        let Some(barrier) = self.barriers.get(&number) else { return waiting(Moment::NEVER, Vec::new()) };
        if self.filers.is_empty() || !self.filers.keys().all(|name| barrier.returned.contains(name)) {
            return waiting(Moment::NEVER, Vec::new());
        }
        let mut behind = Vec::new();
        let mut until = Moment::NEVER;
        for (boot_id, frozen) in &barrier.holders {
            let Some(peer) = self.peers.get(boot_id).filter(|peer| peer.closed_at.is_none()) else { continue };
            let applied =
                |name| peer.acknowledged.get(name).is_some_and(|acknowledged| *acknowledged >= barrier.number);
            // A gateway that has no filer in common with us may renew without ever hearing of the change.
            let deadline =
                if self.filers.keys().any(|name| peer.follows.contains(name)) { *frozen } else { peer.holds_until() };
            if now < deadline && !self.filers.keys().all(applied) {
                behind.push(boot_id.clone());
                until = until.min(deadline);
            }
        }
        if now < self.held_until {
            return waiting(self.held_until.min(until), behind);
        }
        if behind.is_empty() { Progress::Enforced } else { waiting(until, behind) }
    }

    /// Nobody waits for this number any more (one call for each [`Fence::ask`]).
    pub fn done(&mut self, number: u64) {
        if let Some(barrier) = self.barriers.get_mut(&number) {
            barrier.waiters = barrier.waiters.saturating_sub(1);
            if barrier.waiters == 0 {
                self.barriers.remove(&number);
            }
        }
    }

    /// From now on nothing is decided here. The next beat tells the others, who wait for this gateway no longer.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Forgets gateways whose leases ended so long ago, and answers which.
    pub fn forget(&mut self, ended_for: Span, now: Moment) -> Vec<BootId> {
        let silent = |peer: &Peer| now.since(peer.holds_until()) >= ended_for;
        let gone: Vec<BootId> =
            self.peers.iter().filter(|(_, peer)| silent(peer)).map(|(boot_id, _)| boot_id.clone()).collect();
        self.peers.retain(|_, peer| !silent(peer));
        gone
    }

    /// All gateways that are known, this one first.
    pub fn gateways(&self, now: Moment, revision: &str) -> Vec<GatewayView> {
        let own = GatewayView {
            boot_id: self.me.clone(),
            gateway: self.settings.gateway.clone(),
            lease: self.settings.lease,
            seen_ago: None,
            revision: revision.to_owned(),
            current: now < self.lease_until(),
            misses: BTreeSet::new(),
            about: self.settings.about.clone(),
        };
        let peers = self.peers.iter().filter(|(_, peer)| peer.closed_at.is_none()).map(|(boot_id, peer)| GatewayView {
            boot_id: boot_id.clone(),
            gateway: peer.gateway.clone(),
            lease: peer.lease,
            seen_ago: peer.seen.values().map(|seen| now.since(seen.at)).min(),
            revision: peer.revision.clone(),
            current: now < peer.holds_until(),
            misses: self.missed_by(peer),
            about: peer.about.clone(),
        });
        std::iter::once(own).chain(peers).collect()
    }

    fn missed_by(&self, peer: &Peer) -> BTreeSet<FilerName> {
        self.filers.keys().filter(|name| !peer.follows.contains(*name)).cloned().collect()
    }

    fn longest_lease(&self) -> Span {
        let peers = self.peers.values().map(|peer| peer.lease);
        peers.chain([self.settings.lease]).max().unwrap_or(self.settings.lease)
    }
}

impl Peer {
    fn new(beat: &Beat) -> Self {
        Self {
            gateway: String::new(),
            lease: beat.lease(),
            follows: BTreeSet::new(),
            guards: BTreeSet::new(),
            revision: String::new(),
            about: BTreeMap::new(),
            seen: BTreeMap::new(),
            closed_at: None,
            listed: 0,
            through: BTreeMap::new(),
            answered: 0,
            acknowledged: BTreeMap::new(),
        }
    }

    /// What a beat says is true whichever way it came.
    fn learn(&mut self, beat: &Beat, me: &BootId) {
        for (name, number) in beat.applied.get(me).into_iter().flatten() {
            let known = self.acknowledged.entry(name.clone()).or_default();
            *known = (*number).max(*known);
        }
        if beat.closed {
            self.closed_at = Some(beat.number);
        }
        // Copies of one beat come on several streams; an old one must not bring back what has changed since.
        if self.seen.values().all(|seen| beat.number >= seen.number) {
            self.gateway.clone_from(&beat.gateway);
            self.lease = beat.lease();
            self.follows.clone_from(&beat.filers);
            self.guards.clone_from(beat.guarded_by());
            self.revision.clone_from(&beat.revision);
            self.about.clone_from(&beat.about);
        }
    }

    /// The last moment at which the latest beat lets it decide.
    fn holds_until(&self) -> Moment {
        self.seen.values().map(|seen| seen.at).max().unwrap_or_default() + self.lease.lengthened()
    }
}
