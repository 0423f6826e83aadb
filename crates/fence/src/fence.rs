//! What one gateway knows about its own leases, the other gateways, and the changes that wait to be answered.

mod guards;

use std::collections::{BTreeMap, BTreeSet};

use crate::beat::Beat;
use crate::time::{Moment, Span};
use crate::{BootId, FilerName};
use guards::Guards;

/// For how many of its own beats a gateway remembers when it began to write them. Older beats no longer come back.
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
    /// Facts for operators.
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
    /// When the gateway began to write each of its own beats.
    written: BTreeMap<u64, Moment>,
    /// The followed filers, each with the end of the lease that its stream gave.
    filers: BTreeMap<FilerName, Moment>,
    /// The end of the lease that reading the stored beats gave.
    stored: Moment,
    /// When the streams were opened.
    followed_at: Moment,
    peers: BTreeMap<BootId, Peer>,
    barriers: BTreeMap<u64, Barrier>,
    /// No change counts as enforced before this moment: a filer was given up, and others may rely on it until then.
    held_until: Moment,
    /// A gateway has changed something that our streams may not deliver. No lease is given until everything is listed
    /// again.
    must_list: bool,
    /// It follows a filer that we do not follow, so the streams that are open are not enough.
    must_follow: bool,
    closed: bool,
    guards: Guards,
}

/// Another gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Peer {
    gateway: String,
    lease: Span,
    follows: BTreeSet<FilerName>,
    /// The filers that guard its conditional writes.
    guards: BTreeSet<FilerName>,
    revision: String,
    about: BTreeMap<String, String>,
    /// The latest beat on each of our streams.
    seen: BTreeMap<FilerName, Seen>,
    /// The latest beat that was read from the store.
    stored: Option<Seen>,
    /// The number of its last beat, once it has closed.
    closed_at: Option<u64>,
    /// Our last listing has seen everything that it changed before this number.
    listed: u64,
    /// The highest of its numbers that we have applied, by the filer that it wrote through.
    through: BTreeMap<FilerName, u64>,
    /// Its latest request for acknowledgement that we have answered.
    answered: u64,
    /// The highest of our numbers that it has applied, by filer.
    acknowledged: BTreeMap<FilerName, u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Seen {
    number: u64,
    at: Moment,
}

/// What a listing is sure to see: every change of a gateway before the latest beat that was known of it when the listing
/// began.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Listing(BTreeMap<BootId, u64>);

/// A change that is not yet enforced everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Barrier {
    waiters: u64,
    /// The number that others have to acknowledge: the change's own, or a later one if a filer has been given up since.
    number: u64,
    /// The filers on which its beat, or a later one, came back.
    returned: BTreeSet<FilerName>,
    /// Its beat, or a later one, was read from the store.
    read: bool,
    /// The gateways that may still decide by the state before the change, and the latest moment until which they may.
    holders: BTreeMap<BootId, Moment>,
}

/// How far a change has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// No gateway decides by the state before the change any more.
    Enforced,
    /// Some gateway may still decide by the state before the change.
    Waiting {
        /// Look again at this moment, even if nothing was observed until then.
        until: Moment,
        /// The gateways that have not caught up; empty while our own beat has not come back.
        behind: Vec<BootId>,
    },
}

/// One gateway, as another one sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayView {
    /// The process.
    pub boot_id: BootId,
    /// Its name as operators see it.
    pub gateway: String,
    /// The length of its lease.
    pub lease: Span,
    /// How long ago its latest beat was seen; `None` for the gateway that answers.
    pub seen_ago: Option<Span>,
    /// The IAM revision in that beat.
    pub revision: String,
    /// Its lease may still run.
    pub current: bool,
    /// Filers that we follow and it does not follow.
    pub misses: BTreeSet<FilerName>,
    /// Facts for operators.
    pub about: BTreeMap<String, String>,
}

impl Fence {
    /// A gateway that has just started. It follows no filer and may not decide anything yet.
    pub fn new(me: BootId, settings: Settings) -> Self {
        Self {
            settings,
            me,
            number: 0,
            asks: 0,
            lists: 0,
            written: BTreeMap::new(),
            filers: BTreeMap::new(),
            stored: Moment::default(),
            followed_at: Moment::default(),
            peers: BTreeMap::new(),
            barriers: BTreeMap::new(),
            held_until: Moment::default(),
            must_list: false,
            must_follow: false,
            closed: false,
            guards: Guards::default(),
        }
    }

    /// The run of this gateway's process.
    pub fn me(&self) -> &BootId {
        &self.me
    }

    /// The filers that are followed.
    pub fn filers(&self) -> impl Iterator<Item = &FilerName> {
        self.filers.keys()
    }

    /// Call this before everything is listed, for [`Fence::follow`].
    pub fn list(&self) -> Listing {
        let number = |peer: &Peer| peer.sights().map(|seen| seen.number).max().unwrap_or_default();
        Listing(self.peers.iter().map(|(boot_id, peer)| (boot_id.clone(), number(peer))).collect())
    }

    /// Starts to follow these filers. Call it once a stream to each of them is open and everything has been listed since,
    /// also if the streams are those of before; `listed` holds the beats of all gateways, read after `listing` began and before everything else. Read
    /// `now` after the listing, and call no [`Fence::observe`] during it.
    ///
    /// What [`Fence::read`] has learned during the listing is not in it: a gateway that has asked since is asked about
    /// again by its next beat.
    ///
    /// Other gateways may still trust a filer that this one gives up, until they notice as well. Therefore no change is
    /// answered for the length of a lease. Events that the filer had not delivered yet are lost, so other gateways must
    /// list everything before they acknowledge a pending change.
    pub fn follow(&mut self, listing: &Listing, filers: BTreeSet<FilerName>, listed: &[Beat], now: Moment) {
        let given_up = self.filers.keys().any(|known| !filers.contains(known));
        // Giving up a filer must not bring back a lease that ran out because of that filer. A new filer does not end a
        // lease: a lease is about changes that were applied before.
        let lease_until = self.lease_until();
        let known = std::mem::take(&mut self.filers);
        self.followed_at = now;
        for name in filers {
            let until = known.get(&name).map_or(lease_until, |until| lease_until.min(*until));
            self.filers.insert(name, until);
        }
        self.must_list = false;
        self.must_follow = false;
        for beat in listed.iter().filter(|beat| beat.boot_id != self.me && beat.cluster == self.settings.cluster) {
            let peer = self.peers.entry(beat.boot_id.clone()).or_insert_with(|| Peer::new(beat));
            // Beats that we missed while no stream was open were written before now. A late copy of an older beat may
            // have overwritten the latest one.
            let at = peer.known_at(beat.number).unwrap_or(now);
            peer.learn(beat, &self.me);
            peer.listed = peer.listed.max(beat.number);
            for name in self.filers.keys() {
                let seen = peer.seen.entry(name.clone()).or_insert(Seen { number: 0, at });
                if seen.number != beat.number {
                    *seen = Seen { number: beat.number.max(seen.number), at };
                }
            }
        }
        for (boot_id, peer) in &mut self.peers {
            peer.listed = peer.listed.max(listing.0.get(boot_id).copied().unwrap_or_default());
            for name in peer.follows.iter().filter(|name| !self.filers.contains_key(*name)) {
                let through = peer.through.entry(name.clone()).or_default();
                *through = peer.listed.max(*through);
            }
        }
        self.change_guards(now);
        if given_up {
            self.held_until = self.held_until.max(now + self.longest_lease().lengthened());
            if !self.barriers.is_empty() {
                self.asks = self.number + 1;
                self.lists = self.asks;
            }
            for barrier in self.barriers.values_mut() {
                barrier.number = self.asks;
                barrier.returned.clear();
                barrier.read = false;
            }
        }
    }

    /// Whether this gateway must list everything again, because another gateway has changed something that our streams
    /// may not deliver. Until then this gateway gets no lease and acknowledges nothing.
    pub fn must_list(&self) -> bool {
        self.must_list
    }

    /// Whether it should open new streams before that, because the other gateway follows a filer that this one does not
    /// follow. Otherwise streams that are open stay open: what they deliver need not be found by listing, and no other
    /// gateway has to list because of it.
    pub fn must_follow(&self) -> bool {
        self.must_follow
    }

    /// The next beat, to be written through every filer. Read `now` before the write begins.
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
            // Gateways that read this stop waiting for us.
            closed: self.closed && !self.is_inside(),
            revision: revision.to_owned(),
            about: self.settings.about.clone(),
        }
    }

    /// Takes in a beat from a filer's stream, once everything before it on that stream is applied. Returns true if a
    /// beat of our own should be written at once, because another gateway is waiting for it.
    pub fn observe(&mut self, filer: &FilerName, beat: &Beat, now: Moment) -> bool {
        if beat.cluster != self.settings.cluster || !self.filers.contains_key(filer) {
            return false;
        }
        if beat.boot_id == self.me {
            self.guards_returned(filer, beat.number, now);
            self.returned(filer, beat.number);
            return self.change_guards(now);
        }
        let peer = self.peers.entry(beat.boot_id.clone()).or_insert_with(|| Peer::new(beat));
        peer.learn(beat, &self.me);
        let seen = peer.seen.entry(filer.clone()).or_insert(Seen { number: 0, at: now });
        if beat.number >= seen.number {
            *seen = Seen { number: beat.number, at: now };
        }
        let through = peer.through.entry(beat.via.clone()).or_default();
        *through = beat.number.max(*through);
        let is_asked = self.is_asked(beat);
        self.change_guards(now) || is_asked
    }

    /// Takes in the beats of all gateways as they are stored, read through any filer. Read `now` after that. Returns
    /// true if a beat of our own should be written at once.
    ///
    /// Two gateways may follow no filer in common, each because it cannot reach the other's. The store is where they
    /// meet: either this gateway reads what the other one asks for, or the other one reads the beat from which this
    /// gateway's lease runs. Each beat must be stored under a name of its own, so that a late copy of an older beat
    /// does not hide a later one.
    pub fn read(&mut self, stored: &[Beat], now: Moment) -> bool {
        let mut is_asked = false;
        // Those of others first: if one of them asks for a listing, our own gives no lease.
        for beat in stored {
            if beat.cluster != self.settings.cluster || beat.boot_id == self.me {
                continue;
            }
            let peer = self.peers.entry(beat.boot_id.clone()).or_insert_with(|| Peer::new(beat));
            let at = peer.known_at(beat.number).unwrap_or(now);
            peer.learn(beat, &self.me);
            if peer.stored.is_none_or(|seen| seen.number < beat.number) {
                peer.stored = Some(Seen { number: beat.number, at });
            }
            is_asked |= self.is_asked(beat);
        }
        let own = stored.iter().filter(|beat| beat.boot_id == self.me).map(|beat| beat.number).max();
        if let Some(number) = own {
            self.guards_read(number, now);
            self.was_read(number);
        }
        self.change_guards(now) || is_asked
    }

    /// Whether a gateway waits for an acknowledgement that can be given now. Notices if everything has to be listed
    /// first.
    fn is_asked(&mut self, beat: &Beat) -> bool {
        let Some(peer) = self.peers.get_mut(&beat.boot_id) else { return false };
        let hears_all = beat.filers.iter().all(|name| self.filers.contains_key(name));
        let misses = beat.asks > peer.listed && !hears_all;
        self.must_follow |= misses;
        self.must_list |= misses || beat.lists > peer.listed;
        let everywhere =
            beat.filers.iter().all(|name| peer.through.get(name).is_some_and(|number| *number >= beat.asks));
        let to_answer = everywhere && !self.must_list && beat.asks > peer.answered;
        if to_answer {
            peer.answered = beat.asks;
        }
        to_answer
    }

    /// One of our own beats came back: the lease runs from the moment when we began to write it.
    fn returned(&mut self, filer: &FilerName, number: u64) {
        let lease = self.lease_from(number);
        if let (Some(until), Some(lease)) = (self.filers.get_mut(filer), lease) {
            *until = lease.max(*until);
        }
        for barrier in self.barriers.values_mut().filter(|barrier| barrier.number <= number) {
            if barrier.returned.insert(filer.clone()) {
                barrier.hold(&self.peers, |peer| peer.seen.get(filer).copied());
            }
        }
    }

    /// The same for one that was read from the store.
    fn was_read(&mut self, number: u64) {
        self.stored = self.lease_from(number).unwrap_or_default().max(self.stored);
        for barrier in self.barriers.values_mut().filter(|barrier| barrier.number <= number) {
            if !std::mem::replace(&mut barrier.read, true) {
                barrier.hold(&self.peers, |peer| peer.stored);
            }
        }
    }

    /// The end of the lease that one of our own beats gives.
    fn lease_from(&self, number: u64) -> Option<Moment> {
        let written = self.written.get(&number).filter(|_| !self.must_list)?;
        Some(*written + self.settings.lease.shortened())
    }

    /// The moment until which this gateway may decide. It lies in the past, or at the beginning of time, if it may not.
    pub fn lease_until(&self) -> Moment {
        if self.closed {
            return Moment::default();
        }
        self.filers.values().min().map_or_else(Moment::default, |until| self.stored.min(*until))
    }

    /// The filers on whose streams our beats have not come back for half a lease, although they came back on another
    /// one: they hang, or cannot be reached. To go on without them before the lease runs out, follow the others.
    pub fn silent(&self) -> Vec<FilerName> {
        let lease = self.settings.lease.shortened();
        let half = Span(lease.0 / 2);
        let latest = self.filers.values().max().copied().unwrap_or_default();
        let is_silent = |until: &Moment| (*until).max(self.followed_at + lease) + half <= latest;
        self.filers.iter().filter(|(_, until)| is_silent(until)).map(|(name, _)| name.clone()).collect()
    }

    /// Registers a change that is already durable. Returns the number of the next beat, which should be written as soon
    /// as possible; [`Fence::progress`] knows the change by this number.
    pub fn ask(&mut self) -> u64 {
        self.asks = self.number + 1;
        let barrier = self.barriers.entry(self.asks).or_default();
        barrier.number = self.asks;
        barrier.waiters += 1;
        self.asks
    }

    /// The same for a change that was found by listing and did not arrive on a stream. It may never reach the others
    /// that way, so they list everything before they acknowledge it.
    pub fn ask_listed(&mut self) -> u64 {
        self.lists = self.ask();
        self.lists
    }

    /// How far the change with this number has got.
    pub fn progress(&self, number: u64, now: Moment) -> Progress {
        let waiting = |until, behind| Progress::Waiting { until, behind };
        let Some(barrier) = self.barriers.get(&number) else { return waiting(Moment::NEVER, Vec::new()) };
        let returned = barrier.read && self.filers.keys().all(|name| barrier.returned.contains(name));
        if self.filers.is_empty() || !returned {
            return waiting(Moment::NEVER, Vec::new());
        }
        let mut behind = Vec::new();
        let mut until = Moment::NEVER;
        for (boot_id, frozen) in &barrier.holders {
            let Some(peer) = self.peers.get(boot_id).filter(|peer| peer.closed_at.is_none()) else { continue };
            let applied =
                |name| peer.acknowledged.get(name).is_some_and(|acknowledged| *acknowledged >= barrier.number);
            // A gateway that shares no filer with us may renew its lease without ever seeing the change.
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

    /// Ends the wait for this number (one call for each [`Fence::ask`]).
    pub fn done(&mut self, number: u64) {
        if let Some(barrier) = self.barriers.get_mut(&number) {
            barrier.waiters = barrier.waiters.saturating_sub(1);
            if barrier.waiters == 0 {
                self.barriers.remove(&number);
            }
        }
    }

    /// From now on this gateway decides nothing. Its next beat says so, and the others stop waiting for it.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Forgets the gateways whose leases ended at least this long ago. Returns them, each with the number of its latest
    /// beat: no lease runs from that one, or an earlier one, and they may be removed from the store. From a later one a
    /// lease may run.
    pub fn forget(&mut self, ended_for: Span, now: Moment) -> BTreeMap<BootId, u64> {
        let silent = |peer: &Peer| now.since(peer.holds_until()) >= ended_for;
        let latest = |peer: &Peer| peer.sights().map(|seen| seen.number).max().unwrap_or_default();
        let gone = self.peers.iter().filter(|(_, peer)| silent(peer));
        let gone = gone.map(|(boot_id, peer)| (boot_id.clone(), latest(peer))).collect();
        self.peers.retain(|_, peer| !silent(peer));
        gone
    }

    /// All known gateways, this one first.
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
            seen_ago: peer.sights().map(|seen| now.since(seen.at)).min(),
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
            stored: None,
            closed_at: None,
            listed: 0,
            through: BTreeMap::new(),
            answered: 0,
            acknowledged: BTreeMap::new(),
        }
    }

    /// Takes over what a beat says. It is true whichever way the beat arrived.
    fn learn(&mut self, beat: &Beat, me: &BootId) {
        for (name, number) in beat.applied.get(me).into_iter().flatten() {
            let known = self.acknowledged.entry(name.clone()).or_default();
            *known = (*number).max(*known);
        }
        if beat.closed {
            self.closed_at = Some(beat.number);
        }
        // Copies of a beat arrive on several streams; an old copy must not undo what has changed since.
        if self.sights().all(|seen| beat.number >= seen.number) {
            self.gateway.clone_from(&beat.gateway);
            self.lease = beat.lease();
            self.follows.clone_from(&beat.filers);
            self.guards.clone_from(beat.guarded_by());
            self.revision.clone_from(&beat.revision);
            self.about.clone_from(&beat.about);
        }
    }

    /// Its latest beat, wherever it was seen.
    fn sights(&self) -> impl Iterator<Item = &Seen> {
        self.seen.values().chain(&self.stored)
    }

    /// When its latest beat was first seen, if it has this number. Finding that beat again in another place is no sign
    /// of life: nobody waits twice for a gateway that is gone.
    fn known_at(&self, number: u64) -> Option<Moment> {
        let latest = self.sights().map(|seen| seen.number).max().filter(|latest| *latest == number)?;
        self.sights().filter(|seen| seen.number == latest).map(|seen| seen.at).min()
    }

    /// The last moment at which its latest beat lets it decide.
    fn holds_until(&self) -> Moment {
        self.sights().map(|seen| seen.at).max().unwrap_or_default() + self.lease.lengthened()
    }
}

impl Barrier {
    /// Our number came back. A beat that a gateway writes after it comes back to that gateway only after our change. A
    /// beat that it wrote before, and that we have seen, lets it decide for the length of its lease.
    fn hold(&mut self, peers: &BTreeMap<BootId, Peer>, seen: impl Fn(&Peer) -> Option<Seen>) {
        for (boot_id, peer) in peers.iter().filter(|(_, peer)| peer.closed_at.is_none()) {
            if let Some(seen) = seen(peer) {
                let until = seen.at + peer.lease.lengthened();
                let holder = self.holders.entry(boot_id.clone()).or_insert(until);
                *holder = until.max(*holder);
            }
        }
    }
}
