//! Read your writes: a writer waits until its own gateway has applied the write.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use filer::Entry;
use store::Written;
use tokio::sync::Notify;

/// What has been applied since the watch was made.
pub struct Watch {
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    seen: Mutex<Seen>,
    changed: Notify,
}

#[derive(Default)]
struct Seen {
    /// Paths with their current entries.
    passed: Vec<(String, Option<Box<Entry>>)>,
    /// When the last completely applied listing began.
    relisted: Option<Instant>,
}

/// All watches that are still in use.
#[derive(Default)]
pub(super) struct Watches(Mutex<Vec<Weak<Log>>>);

impl Watch {
    /// Waits until these writes, which must already be done, are applied. False if they are not in time.
    pub async fn applied(&self, written: &[Written], at_most: Duration) -> bool {
        let matches = |write: &Written, path: &str, entry: Option<&Entry>| {
            path == write.path && entry.map(|entry| entry.attributes().md5.as_slice()) == write.md5.as_deref()
        };
        self.until(written, matches, at_most).await
    }

    /// Waits until an entry that satisfies the condition is applied at this path. Call it after the write is done.
    pub async fn applied_at(&self, path: &str, condition: impl Fn(Option<&Entry>) -> bool, at_most: Duration) -> bool {
        let matches = |path: &String, passed: &str, entry: Option<&Entry>| passed == path && condition(entry);
        self.until(&[path.to_owned()], matches, at_most).await
    }

    async fn until<T>(
        &self,
        wanted: &[T],
        matches: impl Fn(&T, &str, Option<&Entry>) -> bool,
        at_most: Duration,
    ) -> bool {
        let written_at = Instant::now();
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.log.changed.notified());
                changed.as_mut().enable();
                {
                    let seen = self.log.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    let one = |want: &T| seen.passed.iter().any(|(path, entry)| matches(want, path, entry.as_deref()));
                    // A listing that began after the write has seen it, or a later write.
                    let listed = seen.relisted.is_some_and(|began| began > written_at);
                    if listed || wanted.iter().all(one) {
                        return;
                    }
                }
                changed.await;
            }
        };
        tokio::time::timeout(at_most, waiting).await.is_ok()
    }
}

impl Watches {
    pub(super) fn add(&self) -> Watch {
        let log = Arc::new(Log::default());
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watches.retain(|watch| watch.strong_count() > 0);
        watches.push(Arc::downgrade(&log));
        Watch { log }
    }

    /// Reports applied events.
    pub(super) fn passed(&self, passed: &[(String, Option<Box<Entry>>)]) {
        self.tell(|seen| seen.passed.extend(passed.iter().cloned()));
    }

    /// Reports an applied listing.
    pub(super) fn relisted(&self, began: Instant) {
        self.tell(|seen| seen.relisted = Some(began));
    }

    fn tell(&self, change: impl Fn(&mut Seen)) {
        let watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for log in watches.iter().filter_map(Weak::upgrade) {
            change(&mut log.seen.lock().unwrap_or_else(PoisonError::into_inner));
            log.changed.notify_waiters();
        }
    }
}
