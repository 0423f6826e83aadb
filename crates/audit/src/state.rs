//! What requests and the thread of a sink share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::metrics::SinkMetrics;
use crate::queue::Queue;

/// A write that takes longer counts as stuck.
const STUCK: Duration = Duration::from_secs(2);

/// How a sink is.
pub(crate) struct State {
    began: Instant,
    pub(crate) queue: Queue,
    /// The bytes of all records that are not written yet.
    pub(crate) queued_bytes: AtomicUsize,
    /// When the write in progress began, in milliseconds since `began`; 0 if none is.
    writing_since_ms: AtomicU64,
    /// The last attempt failed.
    pub(crate) fails: AtomicBool,
    pub(crate) stops: AtomicBool,
    pub(crate) metrics: SinkMetrics,
}

impl State {
    pub(crate) fn new(metrics: SinkMetrics) -> Self {
        Self {
            began: Instant::now(),
            queue: Queue::default(),
            queued_bytes: AtomicUsize::new(0),
            writing_since_ms: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            stops: AtomicBool::new(false),
            metrics,
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Remembers that a write begins or ends.
    pub(crate) fn writes(&self, begins: bool) {
        self.writing_since_ms.store(if begins { self.now_ms() } else { 0 }, Ordering::Relaxed);
    }

    pub(crate) fn is_stuck(&self) -> bool {
        let since_ms = self.writing_since_ms.load(Ordering::Relaxed);
        since_ms > 0 && self.now_ms().saturating_sub(since_ms) > STUCK.as_millis() as u64
    }
}
