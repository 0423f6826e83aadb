//! Which filers guard conditional writes.
//!
//! A write with a condition is safe while one filer looks and writes for its path. Which one follows from the list of filers, so that
//! two gateways with two lists may ask two filers at the same time, and both are told that the condition held. Each gateway
//! therefore says in its beats which list it writes by, and writes only while no other gateway may write by another list:
//!
//! - It changes its list when none of its writes is under way, and the next beat says so.
//! - That beat has to come back on every filer of the list. What any other gateway said before it is known then, and the other
//!   gateway, whose beat came after it, knows this one: of two that announce different lists, one sees the other.
//! - Every other gateway names the same list in its latest beat, or its lease has run out: a beat of our own, written after the end of
//!   that lease, has come back, and nothing of the other gateway before it.
//! - A gateway whose lease ran out in between begins again: others may have gone on without it.
//!
//! Once this is true, it stays true until this gateway changes its list or loses its lease: a gateway that takes another list sees ours.

use std::collections::BTreeSet;

use super::{Fence, Peer};
use crate::FilerName;
use crate::beat::Beat;
use crate::time::{Moment, Span};

/// What a gateway says about its conditional writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Guards {
    /// The filers that it writes by.
    pub(super) filers: BTreeSet<FilerName>,
    /// The number of the first beat that says so, and anew after a lease that ran out.
    announced: u64,
    /// The filers on which it, or a later one, came back.
    returned: BTreeSet<FilerName>,
    /// Nobody writes by another list.
    agreed: bool,
    /// Writes that are under way.
    inside: u32,
}

impl Fence {
    /// Whether conditional writes may begin: all gateways write by the same list of filers.
    pub fn is_agreed(&self, now: Moment) -> bool {
        let follows = || self.filers.keys().eq(&self.guards.filers);
        let announced = || self.guards.filers.iter().all(|name| self.guards.returned.contains(name));
        let agrees =
            |peer: &Peer| peer.closed_at.is_some() || peer.guards == self.guards.filers || self.has_outlived(peer);
        now < self.lease_until()
            && (self.guards.agreed || (follows() && announced() && self.peers.values().all(agrees)))
    }

    /// A conditional write begins. The answer is the filers of which one guards it, and how long it may take; `None` while not all
    /// gateways agree. One call of [`Fence::leave`] follows when it has ended.
    pub fn enter(&mut self, now: Moment) -> Option<(Vec<FilerName>, Span)> {
        if !self.is_agreed(now) {
            return None;
        }
        self.guards.agreed = true;
        self.guards.inside += 1;
        Some((self.guards.filers.iter().cloned().collect(), self.lease_until().since(now)))
    }

    /// A conditional write has ended. True if a beat should be written at once: others wait for this gateway to change its list.
    pub fn leave(&mut self) -> bool {
        self.guards.inside = self.guards.inside.saturating_sub(1);
        self.change_guards()
    }

    /// Whether conditional writes are under way.
    pub fn is_inside(&self) -> bool {
        self.guards.inside > 0
    }

    /// The followed filers are the guards from now on, as soon as nothing is under way by the list before. True if they changed.
    pub(super) fn change_guards(&mut self) -> bool {
        if self.filers.keys().eq(&self.guards.filers) {
            return false;
        }
        self.guards.agreed = false;
        if self.guards.inside > 0 {
            return false;
        }
        self.guards.filers = self.filers.keys().cloned().collect();
        self.announce();
        true
    }

    /// A beat of our own came back. If the lease had run out before, others may have gone on without this gateway.
    pub(super) fn guards_returned(&mut self, filer: &FilerName, number: u64, now: Moment) {
        if self.guards.agreed && now >= self.lease_until() {
            self.guards.agreed = false;
            self.announce();
        }
        if number >= self.guards.announced {
            self.guards.returned.insert(filer.clone());
        }
    }

    fn announce(&mut self) {
        self.guards.announced = self.number + 1;
        self.guards.returned.clear();
    }

    /// Whether the lease of another gateway has certainly ended: our own lease counts from a beat that we began to write after it.
    fn has_outlived(&self, peer: &Peer) -> bool {
        peer.holds_until() + self.settings.lease.shortened() <= self.lease_until()
    }
}

impl Beat {
    /// The filers that the gateway writes by; those that it follows, if it does not say.
    pub(super) fn guarded_by(&self) -> &BTreeSet<FilerName> {
        if self.guards.is_empty() { &self.filers } else { &self.guards }
    }
}
