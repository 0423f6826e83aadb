//! Which filers guard conditional writes.
//!
//! A conditional write is safe while a single filer checks and writes its path. The list of filers determines which
//! one. Two gateways with different lists could ask two filers at the same time, and both would be told that the
//! condition holds. Each gateway therefore names its list in its beats, and makes conditional writes only while no
//! other gateway may use another list:
//!
//! - It changes its list only while none of its writes is under way, and its next beat announces the new list.
//! - The list has the filers that all gateways follow, as far as we know: a gateway that cannot reach one of them does
//!   not stop the others. If no filer is followed by all, the list has those that we follow.
//! - That beat has to come back on every filer that we follow, and from the store. We then know what every other gateway
//!   announced earlier, and a gateway that announces a list later sees ours first: of two that announce different
//!   lists, one sees the other.
//! - Every other gateway names the same list in its latest beat, or its lease has run out: a beat of our own, written
//!   after the end of that lease, has come back, and no beat of the other gateway came before it.
//! - A gateway whose lease ran out in between starts again, because others may have continued without it.
//!
//! Once all this holds, it holds until this gateway changes its list or loses its lease: a gateway that changes to
//! another list sees ours.

use std::collections::BTreeSet;

use super::{Fence, Peer};
use crate::FilerName;
use crate::beat::Beat;
use crate::time::{Moment, Span};

/// The list of guards of this gateway, and whether the other gateways agree with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Guards {
    /// The filers that guard its conditional writes.
    pub(super) filers: BTreeSet<FilerName>,
    /// The number of the first beat that announces them. A new announcement follows a lease that ran out.
    announced: u64,
    /// The filers on which that beat, or a later one, came back.
    returned: BTreeSet<FilerName>,
    /// That beat, or a later one, was read from the store.
    read: bool,
    /// No other gateway uses another list.
    agreed: bool,
    /// How many writes are under way.
    inside: u32,
}

impl Fence {
    /// Whether conditional writes may begin: all gateways use the same list of filers.
    pub fn is_agreed(&self, now: Moment) -> bool {
        let follows = || self.guards.filers.iter().all(|name| self.filers.contains_key(name));
        let announced = || self.guards.read && self.filers.keys().all(|name| self.guards.returned.contains(name));
        let agrees =
            |peer: &Peer| peer.closed_at.is_some() || peer.guards == self.guards.filers || self.has_outlived(peer);
        now < self.lease_until()
            && (self.guards.agreed || (follows() && announced() && self.peers.values().all(agrees)))
    }

    /// The filers that guard this gateway's conditional writes.
    pub fn guards(&self) -> impl Iterator<Item = &FilerName> {
        self.guards.filers.iter()
    }

    /// Begins a conditional write. Returns the filers, one of which guards it, and how long it may take, or `None`
    /// while the gateways do not agree. Call [`Fence::leave`] once when it has ended.
    pub fn enter(&mut self, now: Moment) -> Option<(Vec<FilerName>, Span)> {
        if !self.is_agreed(now) {
            return None;
        }
        self.guards.agreed = true;
        self.guards.inside += 1;
        Some((self.guards.filers.iter().cloned().collect(), self.lease_until().since(now)))
    }

    /// Ends a conditional write. Returns true if a beat should be written at once, because others wait for this gateway
    /// to change its list.
    pub fn leave(&mut self, now: Moment) -> bool {
        self.guards.inside = self.guards.inside.saturating_sub(1);
        self.change_guards(now)
    }

    /// Whether conditional writes are under way.
    pub fn is_inside(&self) -> bool {
        self.guards.inside > 0
    }

    /// Makes the filers that all gateways follow the guards, unless writes by the old list are still under way. Returns
    /// true if the guards changed.
    pub(super) fn change_guards(&mut self, now: Moment) -> bool {
        let wanted = self.followed_by_all(now);
        if wanted == self.guards.filers {
            return false;
        }
        self.guards.agreed = false;
        if self.guards.inside > 0 {
            return false;
        }
        self.guards.filers = wanted;
        self.announce();
        true
    }

    /// The filers that this gateway and all others whose leases may run follow. If they share no filer, those that this
    /// gateway follows.
    fn followed_by_all(&self, now: Moment) -> BTreeSet<FilerName> {
        let decides = |peer: &&Peer| peer.closed_at.is_none() && now < peer.holds_until() && !peer.follows.is_empty();
        let others: Vec<&Peer> = self.peers.values().filter(decides).collect();
        let by_all = |name: &&FilerName| others.iter().all(|peer| peer.follows.contains(*name));
        let common: BTreeSet<FilerName> = self.filers.keys().filter(by_all).cloned().collect();
        if common.is_empty() { self.filers.keys().cloned().collect() } else { common }
    }

    /// A beat of our own came back on a stream.
    pub(super) fn guards_returned(&mut self, filer: &FilerName, number: u64, now: Moment) {
        self.restart_if_expired(now);
        if number >= self.guards.announced {
            self.guards.returned.insert(filer.clone());
        }
    }

    /// A beat of our own was read from the store.
    pub(super) fn guards_read(&mut self, number: u64, now: Moment) {
        self.restart_if_expired(now);
        self.guards.read |= number >= self.guards.announced;
    }

    /// If our lease had run out, others may have continued without us.
    fn restart_if_expired(&mut self, now: Moment) {
        if self.guards.agreed && now >= self.lease_until() {
            self.guards.agreed = false;
            self.announce();
        }
    }

    fn announce(&mut self) {
        self.guards.announced = self.number + 1;
        self.guards.returned.clear();
        self.guards.read = false;
    }

    /// Whether the lease of another gateway has certainly ended: our own lease runs from a beat that we began to write
    /// after that.
    fn has_outlived(&self, peer: &Peer) -> bool {
        peer.holds_until() + self.settings.lease.shortened() <= self.lease_until()
    }
}

impl Beat {
    /// The filers that guard the gateway's conditional writes; those that it follows, if it names none.
    pub(super) fn guarded_by(&self) -> &BTreeSet<FilerName> {
        if self.guards.is_empty() { &self.filers } else { &self.guards }
    }
}
