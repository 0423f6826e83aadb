//! How far the streams are: what clients get as a revision, and send back as a floor.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ::fence::{FilerName, Revision};
use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::FloorError;

/// Positions on the streams of this gateway.
#[derive(Default)]
pub(super) struct Positions {
    /// Everything up to here is applied.
    applied: watch::Sender<Revision>,
    /// The last change that matters, as clients see it.
    told: ArcSwap<String>,
    told_revision: std::sync::Mutex<Revision>,
}

impl Positions {
    /// New streams are open. A filer that was not followed before has told nothing yet, so that no floor of it is reached.
    pub(super) fn follow(&self, epoch: u32, filers: &BTreeSet<FilerName>) {
        self.applied.send_modify(|applied| {
            if applied.epoch != epoch {
                *applied = Revision::new(epoch);
            }
            filers.iter().for_each(|filer| applied.reach(filer, 0));
        });
        let mut told = self.told_revision.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.epoch != epoch {
            *told = Revision::new(epoch);
        }
        self.told.store(Arc::new(told.to_string()));
    }

    /// Items of the streams are applied: filer, position, and whether something changed.
    pub(super) fn reached(&self, items: &[(FilerName, i64, bool)]) {
        self.applied.send_modify(|applied| items.iter().for_each(|(filer, ts_ns, _)| applied.reach(filer, *ts_ns)));
        if items.iter().any(|(_, _, changed)| *changed) {
            let mut told = self.told_revision.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            items.iter().filter(|(_, _, changed)| *changed).for_each(|(filer, ts_ns, _)| told.reach(filer, *ts_ns));
            self.told.store(Arc::new(told.to_string()));
        }
    }

    /// The revision of this moment.
    pub(super) fn told(&self) -> Arc<String> {
        self.told.load_full()
    }

    /// Waits until everything that the floor asks for is applied.
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
