//! Compares this gateway's clock with the filers'. Presigned URLs, sessions and conditions on the time are decided by it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use ::fence::FilerName;

/// By how many seconds clocks may differ.
const TOLERATED_S: i64 = 60;

/// By how many seconds this gateway's clock is ahead of each filer's.
#[derive(Default)]
pub(super) struct Clocks(Mutex<BTreeMap<FilerName, i64>>);

impl Clocks {
    /// Forgets the filers that are not followed any more.
    pub(super) fn follow(&self, filers: &BTreeSet<FilerName>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|filer, _| filers.contains(filer));
    }

    /// Takes in a document of this gateway: when it was written by our clock, and stored by the filer's. How long it was
    /// on its way back does not matter.
    pub(super) fn compare(&self, filer: &FilerName, written_s: i64, stored_ns: i64) {
        let ahead_s = written_s.saturating_sub(stored_ns.div_euclid(1_000_000_000));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(filer.clone(), ahead_s);
    }

    /// By how many seconds our clock is ahead of the filers', or behind if negative. `None` while it agrees with one of
    /// them, or nothing is known.
    pub(super) fn off_by_s(&self) -> Option<i64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nearest = known.values().copied().min_by_key(|ahead_s| ahead_s.unsigned_abs());
        nearest.filter(|ahead_s| ahead_s.abs() > TOLERATED_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_if_no_filer_agrees() {
        let name = |name: &str| FilerName::from(name);
        for (ahead, off_by_s) in [
            (vec![], None),
            (vec![("a", 60)], None),
            (vec![("a", 61)], Some(61)),
            (vec![("a", -61)], Some(-61)),
            (vec![("a", 3600), ("b", 1)], None),
            (vec![("a", 3600), ("b", -90)], Some(-90)),
            (vec![("a", 3600), ("a", 2)], None),
        ] {
            let clocks = Clocks::default();
            ahead.iter().for_each(|(filer, ahead_s)| clocks.compare(&name(filer), 1000 + ahead_s, 1_000_500_000_000));
            assert_eq!(clocks.off_by_s(), off_by_s, "{ahead:?}");
        }
        let clocks = Clocks::default();
        clocks.compare(&name("gone"), 1000, 1_000_000_000_000);
        clocks.compare(&name("wrong"), 4600, 1_000_000_000_000);
        clocks.follow(&[name("wrong")].into());
        assert_eq!(clocks.off_by_s(), Some(3600), "a filer that is not followed does not vouch");
    }
}
