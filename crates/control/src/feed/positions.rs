//! How far the streams have got. Clients receive this as a revision, and may send it back as a floor.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::fence::{FilerName, Revision};
use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::FloorError;

/// Positions on the streams of this gateway.
#[derive(Default)]
pub(super) struct Positions {
    /// Everything up to this position is applied.
    applied: watch::Sender<Revision>,
    /// The last relevant change, as clients see it.
    told: ArcSwap<String>,
    told_revision: Mutex<Revision>,
    /// The filers whose streams are open.
    followed: Mutex<BTreeSet<FilerName>>,
    /// Floors of other filers, each of which a listing has reached.
    listed: Mutex<HashSet<Revision>>,
}

/// How many floors are remembered that only a listing could reach.
const REMEMBERED: usize = 1024;

impl Positions {
    /// Records that new streams are open. A filer that was not followed before has not delivered anything yet, so none
    /// of its floors is reached.
    pub(super) fn follow(&self, epoch: u32, filers: &BTreeSet<FilerName>) {
        self.applied.send_modify(|applied| {
            if applied.epoch != epoch {
                *applied = Revision::new(epoch);
            }
            filers.iter().for_each(|filer| applied.reach(filer, 0));
        });
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).clone_from(filers);
        let mut told = self.told_revision.lock().unwrap_or_else(PoisonError::into_inner);
        if told.epoch != epoch {
            *told = Revision::new(epoch);
        }
        self.told.store(Arc::new(told.to_string()));
    }

    /// Records that items of the streams are applied: filer, position, and whether something changed.
    pub(super) fn reached(&self, items: &[(FilerName, i64, bool)]) {
        self.applied.send_modify(|applied| items.iter().for_each(|(filer, ts_ns, _)| applied.reach(filer, *ts_ns)));
        if items.iter().any(|(_, _, changed)| *changed) {
            let mut told = self.told_revision.lock().unwrap_or_else(PoisonError::into_inner);
            items.iter().filter(|(_, _, changed)| *changed).for_each(|(filer, ts_ns, _)| told.reach(filer, *ts_ns));
            self.told.store(Arc::new(told.to_string()));
        }
    }

    /// The current revision.
    pub(super) fn told(&self) -> Arc<String> {
        self.told.load_full()
    }

    /// Whether everything up to the floor is applied.
    pub(super) fn covers(&self, floor: &Revision) -> bool {
        let is_listed = || self.listed.lock().unwrap_or_else(PoisonError::into_inner).contains(floor);
        self.applied.borrow().covers(floor) || is_listed()
    }

    /// The part of a floor that the open streams can reach.
    pub(super) fn followed(&self, floor: &Revision) -> Revision {
        floor.only(self.followed.lock().unwrap_or_else(PoisonError::into_inner).iter())
    }

    /// Records that a listing, begun after the floor was received, is applied.
    pub(super) fn listed(&self, floor: &Revision) {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.len() >= REMEMBERED {
            listed.clear();
        }
        listed.insert(floor.clone());
    }

    /// Waits until everything up to the floor is applied.
    pub(super) async fn reach(&self, floor: &Revision, at_most: Duration) -> Result<(), FloorError> {
        let mut applied = self.applied.subscribe();
        if applied.borrow().epoch != floor.epoch {
            return Err(FloorError::OtherEpoch);
        }
        let reached = applied.wait_for(|applied| applied.covers(floor));
        match tokio::time::timeout(at_most, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(FloorError::NotReached),
        }
    }
}
