//! The limits of uploads in progress: `-concurrentFileUploadLimit` and `-concurrentUploadLimitMB`. A caller may hold all slots only
//! while nobody else asks for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use iam::Caller;
use s3::{S3Error, S3ErrorCode};

/// For how long a caller who was refused counts as waiting. SDKs try again sooner.
const WAITS: Duration = Duration::from_secs(10);
/// The most callers that count as waiting.
const WAITING_MAX: usize = 1024;

/// Counts the uploads in progress and their bytes.
#[derive(Debug, Clone, Default)]
pub struct UploadLimits(Option<Arc<UploadSlots>>);

#[derive(Debug)]
struct UploadSlots {
    most: Usage,
    uploads: Mutex<Uploads>,
}

#[derive(Debug, Default)]
struct Uploads {
    all: Usage,
    of: HashMap<Arc<str>, Usage>,
    /// Who was refused, and when for the last time.
    waiting: HashMap<Arc<str>, Instant>,
}

/// Uploads and MiB of their announced bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Usage {
    files: u64,
    megabytes: u64,
}

/// A slot among the uploads in progress.
#[derive(Debug)]
pub struct UploadSlot(Option<(Arc<UploadSlots>, Arc<str>, Usage)>);

/// The caller as limits count it: all sessions of a role, and all keys and sessions of a user; empty for anonymous callers.
pub(crate) fn user_of(caller: &Caller) -> &str {
    let role = caller.session.as_ref().map(|session| &session.role_arn).filter(|role| !role.is_empty());
    if caller.is_anonymous() { "" } else { role.unwrap_or(&caller.arn) }
}

impl UploadLimits {
    /// Limits to `files` uploads and `megabytes` of announced bodies at the same time; 0 means no limit.
    pub fn new(files: u64, megabytes: u64) -> Self {
        let most = Usage { files, megabytes };
        Self((most != Usage::default()).then(|| Arc::new(UploadSlots { most, uploads: Mutex::default() })))
    }

    /// A slot for an upload of `bytes`, or `SlowDown` if all are taken. An upload larger than the limit takes all of
    /// it. `caller` is empty for all anonymous callers together.
    pub fn enter(&self, caller: &str, bytes: Option<u64>) -> Result<UploadSlot, S3Error> {
        let Some(slots) = &self.0 else { return Ok(UploadSlot(None)) };
        let megabytes = bytes.unwrap_or(0).div_ceil(1 << 20).max(1);
        let megabytes = if slots.most.megabytes == 0 { 0 } else { megabytes.min(slots.most.megabytes) };
        let (caller, wanted) = (Arc::from(caller), Usage { files: 1, megabytes });
        let mut uploads = slots.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(full) = uploads.enter(slots.most, &caller, wanted, Instant::now()) {
            let message = format!("Too many {full} are in progress. Try again later.");
            return Err(S3Error::with_message(S3ErrorCode::SlowDown, message).header("retry-after", "1"));
        }
        drop(uploads);
        Ok(UploadSlot(Some((Arc::clone(slots), caller, wanted))))
    }
}

impl Uploads {
    /// Takes a place, or says of what there is too much.
    fn enter(&mut self, most: Usage, caller: &Arc<str>, wanted: Usage, now: Instant) -> Result<(), &'static str> {
        self.waiting.retain(|_, since| now.duration_since(*since) < WAITS);
        let own = self.of.get(caller).copied().unwrap_or_default().and(wanted);
        let entered =
            self.all.and(wanted).require_within(most).and_then(|()| own.require_within(self.share(most, caller)));
        if entered.is_ok() {
            self.waiting.remove(caller);
            self.all = self.all.and(wanted);
            self.of.insert(Arc::clone(caller), own);
        } else if self.waiting.len() < WAITING_MAX || self.waiting.contains_key(caller) {
            self.waiting.insert(Arc::clone(caller), now);
        }
        entered
    }

    /// What one caller may hold: everything, or an equal part once others wait; at least one upload.
    fn share(&self, most: Usage, caller: &Arc<str>) -> Usage {
        if self.waiting.keys().all(|waiting| waiting == caller) {
            return most;
        }
        let waiting = self.waiting.keys().filter(|waiting| !self.of.contains_key(*waiting));
        let others = self.of.keys().chain(waiting).filter(|other| *other != caller).count();
        let part = |all: u64| if all == 0 { 0 } else { (all / (others as u64 + 1)).max(1) };
        Usage { files: part(most.files), megabytes: part(most.megabytes) }
    }

    fn leave(&mut self, caller: &Arc<str>, held: Usage) {
        self.all = self.all.without(held);
        if let Some(own) = self.of.get_mut(caller) {
            *own = own.without(held);
            if own.files == 0 {
                self.of.remove(caller);
            }
        }
    }
}

impl Usage {
    fn and(self, other: Self) -> Self {
        Self { files: self.files + other.files, megabytes: self.megabytes + other.megabytes }
    }

    fn without(self, other: Self) -> Self {
        let files = self.files.saturating_sub(other.files);
        Self { files, megabytes: self.megabytes.saturating_sub(other.megabytes) }
    }

    /// A single upload may be larger than a share.
    fn require_within(self, most: Self) -> Result<(), &'static str> {
        if most.files > 0 && self.files > most.files {
            return Err("uploads");
        }
        if most.megabytes > 0 && self.megabytes > most.megabytes && self.files > 1 {
            return Err("uploaded bytes");
        }
        Ok(())
    }
}

impl Drop for UploadSlot {
    fn drop(&mut self) {
        if let Some((slots, caller, held)) = self.0.take() {
            slots.uploads.lock().unwrap_or_else(PoisonError::into_inner).leave(&caller, held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_run_out_and_are_released() {
        let limits = UploadLimits::new(2, 10);
        let (first, second) = (limits.enter("a", Some(1)).unwrap(), limits.enter("a", None).unwrap());
        assert_eq!(limits.enter("a", None).unwrap_err().code, S3ErrorCode::SlowDown);
        drop(first);
        assert_eq!(limits.enter("a", Some(10 << 20)).unwrap_err().code, S3ErrorCode::SlowDown);
        drop(second);
        drop(limits.enter("a", Some(u64::MAX)).unwrap());
        drop(UploadLimits::default().enter("a", Some(u64::MAX)).unwrap());
    }

    #[test]
    fn who_holds_all_slots_gets_no_more_than_a_share_once_others_wait() {
        let limits = UploadLimits::new(4, 0);
        let take = |caller: &str| limits.enter(caller, None);
        let mut greedy: Vec<_> = (0..4).map(|_| take("greedy").expect("nobody else is there")).collect();
        take("modest").unwrap_err();
        greedy.pop();
        take("greedy").expect_err("`modest` waits, and `greedy` holds three of four");
        let modest = take("modest").unwrap();
        take("third").unwrap_err();
        greedy.truncate(1);
        take("greedy").expect_err("one of three");
        let third = take("third").unwrap();
        // `greedy` itself was refused, and nobody else waits.
        greedy.push(take("greedy").unwrap());
        drop((modest, third, greedy));
        let uploads = limits.0.as_ref().unwrap().uploads.lock().unwrap();
        assert!(uploads.all == Usage::default() && uploads.of.is_empty(), "{uploads:?}");
    }

    #[test]
    fn a_large_upload_waits_for_room_but_not_for_a_share() {
        let limits = UploadLimits::new(0, 10);
        let held = limits.enter("a", Some(9 << 20)).unwrap();
        limits.enter("b", Some(8 << 20)).unwrap_err();
        drop(held);
        limits.enter("b", Some(8 << 20)).expect("more than half, and the only one");
    }

    #[test]
    fn who_was_refused_does_not_wait_for_ever() {
        let mut uploads = Uploads::default();
        let (most, one) = (Usage { files: 2, megabytes: 0 }, Usage { files: 1, megabytes: 0 });
        let (a, b, now): (Arc<str>, Arc<str>, _) = ("a".into(), "b".into(), Instant::now());
        let enter = |uploads: &mut Uploads, who: &Arc<str>, after_s| {
            uploads.enter(most, who, one, now + Duration::from_secs(after_s))
        };
        enter(&mut uploads, &a, 0).unwrap();
        enter(&mut uploads, &a, 0).unwrap();
        enter(&mut uploads, &b, 0).unwrap_err();
        uploads.leave(&a, one);
        assert_eq!(enter(&mut uploads, &a, 9), Err("uploads"));
        enter(&mut uploads, &a, 11).unwrap();
    }
}
