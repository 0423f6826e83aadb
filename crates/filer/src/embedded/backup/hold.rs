//! While a backup runs, freed data files stay. On a full disk they do not: then the backup fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The running backups of a filer.
#[derive(Debug, Default)]
pub(in crate::embedded) struct Holds {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: u32,
    /// How many times the holds of all running backups were broken.
    broken: u64,
}

impl Holds {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps all data until the hold is dropped or broken.
    pub(super) fn hold(self: &Arc<Self>) -> Hold {
        let mut state = self.state();
        state.running += 1;
        Hold { broken: state.broken, holds: Arc::clone(self) }
    }

    /// Whether freed data may be removed. If it must be, because room is needed, this ends all holds.
    pub(in crate::embedded) fn may_free(&self, room_is_needed: bool) -> bool {
        let mut state = self.state();
        if state.running > 0 && room_is_needed {
            tracing::error!("the disk is full: data that a running backup needs is removed, and the backup fails");
            state.broken += 1;
        }
        state.running == 0 || room_is_needed
    }
}

/// Keeps all data of a filer.
#[derive(Debug)]
pub(super) struct Hold {
    holds: Arc<Holds>,
    broken: u64,
}

impl Hold {
    /// Whether all data was kept so far.
    pub(super) fn is_whole(&self) -> bool {
        self.holds.state().broken == self.broken
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holds.state().running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_ends_holds() {
        let holds = Arc::new(Holds::default());
        assert!(holds.may_free(false));
        let (first, second) = (holds.hold(), holds.hold());
        assert!(!holds.may_free(false) && first.is_whole());
        drop(second);
        assert!(!holds.may_free(false) && first.is_whole());
        assert!(holds.may_free(true) && !first.is_whole());
        let third = holds.hold();
        assert!(third.is_whole(), "a later backup is not concerned");
        drop((first, third));
        assert!(holds.may_free(false));
    }
}
