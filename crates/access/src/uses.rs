//! When keys and roles were last used. This is kept in memory for the control plane, which stores it once a minute.

#![expect(
    clippy::disallowed_types,
    reason = "requests share the record of uses, by which nothing is decided; it is written during authentication, where a use is known"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use arc_swap::ArcSwap;
use iam::{LastUsed, SessionUse, Use};
use rpds::HashTrieMapSync;

/// The last use of each key and role since the control plane last asked.
///
/// A request with a key already seen in the same minute only reads one number: it takes no lock, writes nothing and
/// allocates nothing. The first request with a key in each minute writes, and a new key is added to the map.
pub struct RecentUses {
    seen: ArcSwap<Entries>,
    /// Held while entries are added or removed.
    writing: Mutex<()>,
}

type Entries = HashTrieMapSync<Arc<str>, Arc<Seen>>;

struct Seen {
    /// Minutes since 1970; [`GONE`] once the entry is removed from the map.
    minute: AtomicI64,
    used: Mutex<Use>,
}

const GONE: i64 = i64::MAX;

/// With this many entries, no more sessions are recorded.
const ENTRIES_MAX: usize = 20_000;

impl Default for RecentUses {
    fn default() -> Self {
        Self { seen: ArcSwap::from_pointee(HashTrieMapSync::new_sync()), writing: Mutex::new(()) }
    }
}

impl RecentUses {
    /// Records a use of a key, by its id, or of a role, by its `AROA...` id.
    pub fn note(&self, id: &str, now_s: i64, service: &str, region: &str) {
        self.record(id, &Moment::of(now_s, service, region), usize::MAX, || None);
    }

    /// Records a use of a session, by its id. Only the first one in each minute asks what is known of it. Beyond so many
    /// sessions and keys in a minute, the others are not recorded.
    pub fn note_session(
        &self,
        id: &str,
        now_s: i64,
        service: &str,
        region: &str,
        session: impl FnOnce() -> SessionUse,
    ) {
        self.record(id, &Moment::of(now_s, service, region), ENTRIES_MAX, || Some(Arc::new(session())));
    }

    fn record(
        &self,
        id: &str,
        moment: &Moment<'_>,
        entries_max: usize,
        session: impl FnOnce() -> Option<Arc<SessionUse>>,
    ) {
        let is_done = |seen: &Entries| seen.get(id).is_some_and(|seen| seen.note(moment)) || seen.size() >= entries_max;
        if is_done(&self.seen.load()) {
            return;
        }
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = self.seen.load_full();
        // Another request may have added it first.
        if is_done(&seen) {
            return;
        }
        let used = Use { session: session(), ..moment.to_use() };
        let new = Seen { minute: AtomicI64::new(moment.minute), used: Mutex::new(used) };
        self.seen.store(Arc::new(seen.insert(id.into(), Arc::new(new))));
    }

    /// What was recorded and not removed yet.
    pub fn peek(&self) -> LastUsed {
        self.seen.load().iter().map(|(id, seen)| (id.clone(), seen.used())).collect()
    }

    /// Returns what was recorded. Removes entries of other minutes than that of `now_s`, so that keys that no longer
    /// exist do not stay, nor what a clock that was ahead has recorded.
    pub fn take(&self, now_s: i64) -> LastUsed {
        let minute = now_s.div_euclid(60);
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = (*self.seen.load_full()).clone();
        let mut taken = Vec::new();
        for (id, seen) in self.seen.load().iter() {
            let of = seen.minute.load(Ordering::Acquire);
            // If a request came in between, the entry stays.
            let gone =
                of != minute && seen.minute.compare_exchange(of, GONE, Ordering::AcqRel, Ordering::Relaxed).is_ok();
            taken.push((id.clone(), seen.used()));
            if gone {
                kept.remove_mut(id);
            }
        }
        self.seen.store(Arc::new(kept));
        taken.into_iter().collect()
    }
}

impl Seen {
    /// Records a use; false if this entry has been removed from the map.
    fn note(&self, moment: &Moment<'_>) -> bool {
        let minute = moment.minute;
        let mut before = self.minute.load(Ordering::Relaxed);
        if before < minute {
            before = self.minute.fetch_max(minute, Ordering::AcqRel);
        }
        if before < minute {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            // Another request of a later minute may have been faster.
            if used.at_s < minute * 60 {
                let session = used.session.take();
                *used = Use { session, ..moment.to_use() };
            }
        }
        before != GONE
    }

    fn used(&self) -> Use {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// When and for what something is used.
struct Moment<'a> {
    /// Since 1970.
    minute: i64,
    service: &'a str,
    region: &'a str,
}

impl<'a> Moment<'a> {
    fn of(now_s: i64, service: &'a str, region: &'a str) -> Self {
        Self { minute: now_s.div_euclid(60), service, region }
    }

    fn to_use(&self) -> Use {
        // A gateway without a region of its own uses the one that the client signed, but limits its length.
        let region = if self.region.len() > 64 { "" } else { self.region };
        Use { at_s: self.minute * 60, service: self.service.into(), region: region.into(), session: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_recorded_by_the_minute_and_handed_over() {
        let uses = RecentUses::default();
        for (id, now_s, service) in [("AK1", 61, "s3"), ("AK1", 119, "iam"), ("AK2", 60, "s3"), ("AK1", 30, "sts")] {
            uses.note(id, now_s, service, "us-east-1");
        }
        let of = |record: &LastUsed, id: &str| record.of(id).map(|used| (used.at_s, used.service.to_string()));
        let record = uses.take(119);
        assert_eq!(of(&record, "AK1"), Some((60, "s3".to_owned())));
        uses.note("AK1", 121, "iam", "us-east-1");
        let record = uses.take(121);
        assert_eq!(of(&record, "AK1"), Some((120, "iam".to_owned())));
        assert_eq!(of(&record, "AK2"), Some((60, "s3".to_owned())), "kept until it was handed over in a later minute");
        assert_eq!(uses.take(121).len(), 1, "AK2 was used in an earlier minute");
        uses.note("AK1", 7200, "s3", "us-east-1");
        assert_eq!(of(&uses.take(180), "AK1"), Some((7200, "s3".to_owned())), "the clock was ahead until now");
        uses.note("AK1", 180, "s3", "us-east-1");
        assert_eq!(
            of(&uses.take(180), "AK1"),
            Some((180, "s3".to_owned())),
            "the time of the wrong clock does not stay"
        );
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "threads are what is tested")]
    fn many_threads_lose_nothing() {
        let uses = RecentUses::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let uses = &uses;
                scope.spawn(move || {
                    for number in 0..500 {
                        uses.note(&format!("AK{}", number % 50), number, "s3", "r");
                        uses.note(&format!("AK{thread}-{number}"), number, "s3", "r");
                    }
                });
            }
        });
        let record = uses.take(0);
        assert_eq!(record.len(), 50 + 4 * 500);
        assert_eq!(record.of("AK49").map(|used| used.at_s), Some(480));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "threads are what is tested")]
    fn of_requests_at_the_same_time_one_says_what_is_known_of_their_session() {
        let (uses, asked) = (RecentUses::default(), AtomicI64::new(0));
        let at_once = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    at_once.wait();
                    uses.note_session("S", 60, "s3", "r", || {
                        asked.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(std::time::Duration::from_millis(50));
                        SessionUse::default()
                    });
                });
            }
        });
        assert_eq!((uses.peek().len(), asked.into_inner()), (1, 1));
    }
}
