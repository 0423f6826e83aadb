//! How much may be on its way to volume servers at once. Each further upload makes all others slower, and holds memory;
//! so it waits, and its sender with it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::FilerError;

/// What may be on its way, in MiB.
const MIB_MAX: u32 = 96;
/// How long a chunk waits. Nothing of a body that is as large as a chunk has been stored by then.
const PATIENCE: Duration = Duration::from_secs(20);

/// The room for chunks that are being uploaded.
pub(super) struct Slots {
    room: Arc<Semaphore>,
    mib: u32,
    patience: Duration,
}

/// Room for one chunk, until it is dropped.
pub(super) type Slot = OwnedSemaphorePermit;

impl Default for Slots {
    fn default() -> Slots {
        Slots::of(MIB_MAX, PATIENCE)
    }
}

impl Slots {
    fn of(mib: u32, patience: Duration) -> Slots {
        Slots { room: Arc::new(Semaphore::new(mib as usize)), mib, patience }
    }

    /// A chunk larger than the whole room takes all of it.
    fn needed(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX).clamp(1, self.mib)
    }

    /// Room for a chunk, if there is some now.
    pub(super) fn now(&self, bytes: u64) -> Option<Slot> {
        Arc::clone(&self.room).try_acquire_many_owned(self.needed(bytes)).ok()
    }

    /// Room for a chunk, after all that asked before. [`FilerError::Busy`] if there is none for a long time.
    pub(super) async fn wait(&self, bytes: u64) -> Result<Slot, FilerError> {
        let room = Arc::clone(&self.room).acquire_many_owned(self.needed(bytes));
        let busy = || FilerError::Busy(format!("no room for another upload within {:?}", self.patience));
        tokio::time::timeout(self.patience, room).await.map_err(|_| busy())?.map_err(|_| busy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn uploads_wait_for_room_and_not_forever() {
        let slots = Slots::of(8, Duration::from_millis(20));
        let (first, second) = (slots.now(4 << 20).unwrap(), slots.now(1).unwrap());
        assert!(slots.now(4 << 20).is_none(), "3 MiB are left");
        assert!(matches!(slots.wait(4 << 20).await, Err(FilerError::Busy(_))));
        drop(first);
        let third = slots.wait(4 << 20).await.unwrap();
        assert!(matches!(slots.wait(1 << 30).await, Err(FilerError::Busy(_))));
        drop((second, third));
        drop(slots.wait(1 << 30).await.unwrap());
    }
}
