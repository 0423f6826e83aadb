//! The bytes of a request's bodies, counted as they move. What is announced, and how the request ends, do not matter.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{KindOf, RateLimits};

/// Counts bytes that are read and sent, and charges them to the limits of the request.
#[derive(Debug, Clone)]
pub(crate) struct ByteMeter(Option<Arc<Metered>>);

#[derive(Debug)]
struct Metered {
    limits: Arc<RateLimits>,
    moved: Mutex<Moved>,
}

#[derive(Debug, Default)]
struct Moved {
    bytes: u64,
    /// The names that pay.
    charged: Vec<(KindOf, u64)>,
}

impl ByteMeter {
    /// A meter. Without limits of bytes it counts nothing, and costs nothing.
    pub(super) fn new(limits: &Arc<RateLimits>) -> Self {
        let metered = || Arc::new(Metered { limits: Arc::clone(limits), moved: Mutex::default() });
        Self(limits.count_bytes().then(metered))
    }

    /// Whether it counts anything.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Counts bytes that were read or sent. A limit may go into debt.
    pub(crate) fn count(&self, bytes: u64) {
        let Some(metered) = &self.0 else { return };
        let mut moved = metered.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.bytes = moved.bytes.saturating_add(bytes);
        for (kind_of, name) in &moved.charged {
            metered.limits.owe(*kind_of, *name, bytes);
        }
    }

    /// Charges a name too: what has moved so far, and what will.
    pub(super) fn charge(&self, kind_of: KindOf, name: u64) {
        let Some(metered) = &self.0 else { return };
        let mut moved = metered.moved.lock().unwrap_or_else(PoisonError::into_inner);
        // A website reads several objects for one answer. Each kind has a hash of its own, so the name tells the kind as well.
        if moved.charged.iter().all(|(_, charged)| *charged != name) {
            moved.charged.push((kind_of, name));
            metered.limits.owe(kind_of, name, moved.bytes);
        }
    }
}

impl RateLimits {
    fn count_bytes(&self) -> bool {
        [&self.key, &self.user, &self.bucket, &self.address].iter().any(|kind| kind.bytes.is_some())
    }

    fn owe(&self, kind_of: KindOf, name: u64, bytes: u64) {
        if let Some(buckets) = &kind_of(self).bytes {
            buckets.owe(name, bytes as f64, Instant::now());
        }
    }
}
