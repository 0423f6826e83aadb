//! Object lock: the rules as tables, and locks that nothing gets around on a filer.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::pin::pin;

use bucket::attributes::{LEGAL_HOLD, LOCK_MODE, RETAIN_UNTIL};
use bucket::description::Description;
use bucket::locks::{Lock, default_until};
use bucket::rules::{BucketError, Refusal};
use bucket::settings::versioning_patch;
use bucket::versions::Version;
use bucket::writer::RulesCheck;
use filer::{Entry, FilerError};
use futures_util::future::{join, join_all};
use ids::RetentionPeriod::{Days, Years};
use ids::Versioning::{Enabled, Off, Suspended};
use ids::{DefaultRetention, Retention, RetentionMode};
use support::{World, entry_of, key, now_s, outcome, stamp, written};

fn retained(mode: RetentionMode, until_s: i64) -> Option<Retention> {
    Some(Retention { mode, until_s })
}

#[test]
fn what_is_stored_protects_or_does_not() {
    let entry = |pairs: &[(&str, &[u8])]| Entry {
        extended: pairs.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect(),
        ..Entry::default()
    };
    for (pairs, retention, is_held) in [
        (&[][..], None, false),
        (&[(LOCK_MODE, &b"GOVERNANCE"[..]), (RETAIN_UNTIL, b"5")], retained(RetentionMode::Governance, 5), false),
        (&[(LOCK_MODE, b"COMPLIANCE"), (RETAIN_UNTIL, b" 5 ")], retained(RetentionMode::Compliance, 5), false),
        (&[(LEGAL_HOLD, b"OFF")], None, false),
        (&[(LEGAL_HOLD, b"ON")], None, true),
        // What cannot be read protects.
        (&[(LEGAL_HOLD, b"\xff")], None, true),
        (&[(LOCK_MODE, b"governance"), (RETAIN_UNTIL, b"5")], retained(RetentionMode::Compliance, 5), false),
        (&[(LOCK_MODE, b"GOVERNANCE"), (RETAIN_UNTIL, b"soon")], retained(RetentionMode::Governance, i64::MAX), false),
        (&[(LOCK_MODE, b"GOVERNANCE")], retained(RetentionMode::Governance, i64::MAX), false),
        (&[(RETAIN_UNTIL, b"5")], retained(RetentionMode::Compliance, 5), false),
    ] {
        assert_eq!(Lock::of(&entry(pairs)), Lock { retention, is_held }, "{pairs:?}");
    }
}

#[test]
fn what_may_be_removed_and_retained() {
    use RetentionMode::{Compliance, Governance};
    let now = 100;
    for (known, is_held, remove, remove_with_bypass) in [
        (None, false, true, true),
        (None, true, false, false),
        (retained(Governance, 101), false, false, true),
        (retained(Governance, 101), true, false, false),
        (retained(Governance, 100), false, true, true),
        (retained(Compliance, 101), false, false, false),
        (retained(Compliance, 100), false, true, true),
        (retained(Compliance, i64::MAX), false, false, false),
    ] {
        let lock = Lock { retention: known, is_held };
        let got = [false, true].map(|bypass| lock.may_remove(now, bypass).is_ok());
        assert_eq!(got, [remove, remove_with_bypass], "{lock:?}");
    }
    for (known, new, without, with_bypass) in [
        (None, retained(Governance, 200), true, true),
        (None, None, true, true),
        (retained(Compliance, 99), None, true, true),
        (retained(Compliance, 99), retained(Governance, 101), true, true),
        (retained(Governance, 150), retained(Governance, 151), true, true),
        (retained(Governance, 150), retained(Governance, 150), true, true),
        (retained(Governance, 150), retained(Governance, 149), false, true),
        (retained(Governance, 150), retained(Compliance, 200), false, true),
        (retained(Governance, 150), None, false, true),
        (retained(Compliance, 150), retained(Compliance, 151), true, true),
        (retained(Compliance, 150), retained(Compliance, 149), false, false),
        (retained(Compliance, 150), retained(Governance, 500), false, false),
        (retained(Compliance, 150), None, false, false),
    ] {
        // A legal hold does not keep a retention from changing.
        for is_held in [false, true] {
            let lock = Lock { retention: known, is_held };
            let got = [false, true].map(|bypass| lock.may_retain(new, now, bypass).is_ok());
            assert_eq!(got, [without, with_bypass], "{lock:?} {new:?}");
        }
    }
    for (period, now_s, want) in [
        (Days(1), now, 86_500),
        (Years(2), now, 100 + 730 * 86_400),
        (Years(0), now, 100),
        (Years(u32::MAX), i64::MAX, i64::MAX),
    ] {
        let default = DefaultRetention { mode: Governance, period };
        assert_eq!(default_until(default, now_s), want, "{default:?}");
    }
}

/// Puts a version under this lock and returns its id.
async fn put(world: &World, lock: Lock) -> String {
    let a = key("a");
    let mut description = Description::default();
    description.set_lock(&lock);
    let entry = stamp().object(&a, description, &written(1), None);
    world.writer_of_locks(now_s(), None).put(&a, entry, Vec::new()).await.unwrap().unwrap()
}

async fn find(world: &World, id: &str) -> Option<Entry> {
    match world.objects(Enabled).version(&key("a"), Some(id)).await {
        Err(BucketError::Refused(Refusal::NoSuchVersion)) => None,
        found => found.unwrap().and_then(Version::object),
    }
}

fn is_protected<T>(done: &Result<T, BucketError>) -> bool {
    matches!(done, Err(BucketError::Refused(Refusal::Protected)))
}

#[tokio::test]
async fn a_locked_version_stays() {
    for world in World::both_with_bucket().await {
        for (lock, bypass_helps) in [
            (Lock { retention: retained(RetentionMode::Governance, now_s() + 1000), is_held: false }, true),
            (Lock { retention: retained(RetentionMode::Compliance, now_s() + 1000), is_held: false }, false),
            (Lock { retention: None, is_held: true }, false),
        ] {
            let (a, id) = (key("a"), put(&world, lock).await);
            let writer = world.writer_of_locks(now_s(), None);
            // Neither a newer version nor a delete marker removes it.
            writer.put(&a, entry_of(&a, 2), Vec::new()).await.unwrap();
            writer.mark_deleted(&a, &[]).await.unwrap();
            assert!(is_protected(&writer.remove_version(&a, &id, false).await), "{} {lock:?}", world.name);
            assert!(find(&world, &id).await.is_some(), "{} {lock:?}", world.name);
            // A clock that is wrong here does not help: the filer looks at its own.
            let later = world.writer_of_locks(now_s() + 1_000_000, None).remove_version(&a, &id, false).await;
            assert!(later.is_err() && find(&world, &id).await.is_some(), "{} {lock:?}: {later:?}", world.name);
            let bypassed = writer.remove_version(&a, &id, true).await;
            assert_eq!(bypassed.is_ok(), bypass_helps, "{} {lock:?}: {bypassed:?}", world.name);
            assert_eq!(find(&world, &id).await.is_none(), bypass_helps, "{} {lock:?}", world.name);
        }
    }
}

#[tokio::test]
async fn a_lock_that_is_over_protects_nothing() {
    for world in World::both_with_bucket().await {
        let a = key("a");
        for mode in [RetentionMode::Governance, RetentionMode::Compliance] {
            let id = put(&world, Lock { retention: retained(mode, now_s() - 1), is_held: false }).await;
            world.writer_of_locks(now_s(), None).remove_version(&a, &id, false).await.unwrap();
            assert!(find(&world, &id).await.is_none(), "{} {mode:?}", world.name);
        }
        let id = put(&world, Lock { retention: None, is_held: true }).await;
        let writer = world.writer_of_locks(now_s(), None);
        writer.set_legal_hold(&a, &find(&world, &id).await.unwrap(), false).await.unwrap();
        writer.remove_version(&a, &id, false).await.unwrap();
        assert!(find(&world, &id).await.is_none(), "{}", world.name);
    }
}

#[tokio::test]
async fn a_hold_and_a_delete_at_the_same_moment_do_not_both_succeed() {
    for world in World::both_with_bucket().await {
        for _ in 0..20 {
            let (a, id) = (key("a"), put(&world, Lock::default()).await);
            let seen = find(&world, &id).await.unwrap();
            let writer = world.writer_of_locks(now_s(), None);
            let (held, removed) =
                join(writer.set_legal_hold(&a, &seen, true), writer.remove_version(&a, &id, true)).await;
            assert_eq!(find(&world, &id).await.is_some(), held.is_ok(), "{}: {held:?} {removed:?}", world.name);
            assert!(held.is_ok() != removed.is_ok(), "{}: {held:?} {removed:?}", world.name);
        }
    }
}

/// The version `null` of the key `a`, under this retention, and no other version.
async fn put_null(world: &World, until_s: i64) -> String {
    let mut entry = entry_of(&key("a"), 1);
    for (name, value) in [(LOCK_MODE, "COMPLIANCE".to_owned()), (RETAIN_UNTIL, until_s.to_string())] {
        entry.extended.insert(name.to_owned(), value.into_bytes());
    }
    world.plant("a", entry).await;
    "null".to_owned()
}

#[tokio::test]
async fn retentions_at_the_same_moment_leave_the_longest_that_succeeded() {
    for (world, is_null) in World::both_with_bucket()
        .await
        .into_iter()
        .chain(World::both_with_bucket().await)
        .zip([false, false, true, true])
    {
        let a = key("a");
        let id = if is_null {
            put_null(&world, now_s() + 10).await
        } else {
            put(&world, Lock { retention: retained(RetentionMode::Compliance, now_s() + 10), is_held: false }).await
        };
        let until = |at: i64| now_s() + 1000 * at;
        let extend = |at: i64| {
            let (world, a, id) = (&world, &a, &id);
            async move {
                loop {
                    let seen = find(world, id).await.unwrap();
                    let writer = world.writer_of_locks(now_s(), None);
                    match writer.set_retention(a, &seen, retained(RetentionMode::Compliance, until(at)), true).await {
                        Err(BucketError::Filer(FilerError::PreconditionFailed)) => {}
                        done => return done.is_ok().then_some(until(at)),
                    }
                }
            }
        };
        let longest = join_all((1..9).rev().map(extend)).await.into_iter().flatten().max().unwrap();
        let left = Lock::of(&find(&world, &id).await.unwrap()).retention.unwrap();
        assert!(left.until_s >= longest - 1, "{}: {left:?}, though {longest} was answered", world.name);
        let writer = world.writer_of_locks(now_s(), None);
        for shorter in
            [None, retained(RetentionMode::Compliance, now_s() + 5), retained(RetentionMode::Governance, i64::MAX)]
        {
            let seen = find(&world, &id).await.unwrap();
            let done = writer.set_retention(&a, &seen, shorter, true).await;
            assert!(is_protected(&done), "{}: {shorter:?} {done:?}", world.name);
        }
    }
}

/// Runs one future up to a call of the filer, then another one to its end, then the rest. `None` if it makes fewer
/// calls.
async fn in_between<A, B>(
    first: impl Future<Output = A>,
    calls: usize,
    other: impl Future<Output = B>,
) -> Option<(A, B)> {
    let mut first = pin!(first);
    for _ in 0..calls {
        if futures_util::poll!(first.as_mut()).is_ready() {
            return None;
        }
    }
    let other = other.await;
    Some((first.await, other))
}

async fn retain(world: &World, id: &str, seen: &Entry, until_s: i64) -> Result<(), BucketError> {
    let retention = retained(RetentionMode::Compliance, until_s);
    let done = world.writer_of_locks(now_s(), None).set_retention(&key("a"), seen, retention, true).await;
    assert!(find(world, id).await.is_some() || done.is_err(), "{id} is gone, although it was retained");
    done
}

/// Another retention, and whatever else changes which version is the current one, at each moment of a retention.
#[tokio::test]
async fn no_moment_of_a_retention_is_open_to_a_shorter_one() {
    for (is_null, has_others, then_changes_current) in
        [(false, false, false), (false, true, true), (true, false, false), (true, false, true), (true, true, true)]
    {
        for calls in 0..20 {
            let world = World::memory_with_bucket().await;
            let (a, soon) = (key("a"), now_s() + 10);
            let id = if is_null {
                put_null(&world, soon).await
            } else {
                put(&world, Lock { retention: retained(RetentionMode::Compliance, soon), is_held: false }).await
            };
            if has_others {
                put(&world, Lock::default()).await;
            }
            let seen = find(&world, &id).await.unwrap();
            let longer = async {
                retain(&world, &id, &seen, soon + 2000).await.unwrap();
                if then_changes_current {
                    let newer = put(&world, Lock::default()).await;
                    world.writer_of_locks(now_s(), None).remove_version(&a, &newer, false).await.unwrap();
                }
            };
            let Some((done, ())) = Box::pin(in_between(retain(&world, &id, &seen, soon + 1000), calls, longer)).await
            else {
                assert!(calls > 2, "{is_null} {has_others}: a retention takes more than {calls} calls");
                break;
            };
            let left = Lock::of(&find(&world, &id).await.unwrap()).retention;
            let what =
                format!("null: {is_null}, others: {has_others}, {then_changes_current}, {calls} calls: {done:?}");
            assert_eq!(left, retained(RetentionMode::Compliance, soon + 2000), "{what}");
        }
    }
}

/// A version is retained or removed, never both.
#[tokio::test]
async fn no_moment_of_a_retention_is_open_to_a_removal() {
    // A request that was read before the bucket got object lock knows nothing of it.
    for ((is_null, has_others), knows_of_locks) in [(false, false), (false, true), (true, false), (true, true)]
        .into_iter()
        .flat_map(|key| [(key, true), (key, false)])
    {
        for (calls, retention_begins) in (0..20).flat_map(|calls| [(calls, false), (calls, true)]) {
            let world = World::memory_with_bucket().await;
            let id = if is_null { put_null(&world, 5).await } else { put(&world, Lock::default()).await };
            if has_others {
                put(&world, Lock::default()).await;
            }
            let seen = find(&world, &id).await.unwrap();
            let until = now_s() + 1000;
            let a = key("a");
            let writer = if knows_of_locks {
                world.writer_of_locks(now_s(), None)
            } else {
                world.writer_of_versions(Enabled, now_s() * 1_000_000_000)
            };
            let remove = writer.remove_version(&a, &id, true);
            let retain = retain(&world, &id, &seen, until);
            let both = if retention_begins {
                in_between(retain, calls, remove).await
            } else {
                in_between(remove, calls, retain).await.map(|(removed, retained)| (retained, removed))
            };
            let Some((retained, removed)) = both else { continue };
            let what =
                format!("null: {is_null}, others: {has_others}, {retention_begins}, {calls}: {retained:?} {removed:?}");
            assert_eq!(find(&world, &id).await.is_some(), retained.is_ok(), "{what}");
            assert!(retained.is_ok() != removed.is_ok(), "{what}");
        }
    }
}

/// A request that was read before the bucket kept versions and had object lock.
#[tokio::test]
async fn a_late_request_neither_removes_nor_replaces_what_was_locked_meanwhile() {
    for world in World::both_with_bucket().await {
        let a = key("a");
        world.writer().put(&a, entry_of(&a, 1), Vec::new()).await.unwrap();
        let seen = find(&world, "null").await.unwrap();
        let writer = world.writer_of_locks(now_s(), None);
        writer.set_retention(&a, &seen, retained(RetentionMode::Compliance, now_s() + 1000), false).await.unwrap();
        let late = world.writer();
        let removed = late.delete(&a, &seen).await;
        assert!(matches!(removed, Err(BucketError::Filer(FilerError::PreconditionFailed))), "{removed:?}");
        for versioning in [Off, Suspended] {
            for known in [RulesCheck::Changed, RulesCheck::Unknown] {
                // If the gateway does not know, the filer says what the bucket is.
                world.directory().patch(versioning_patch("Enabled"), None).await.unwrap();
                let late = world.try_writer(versioning, false).unwrap().while_rules_hold(Box::new(move || known));
                let put = late.put(&a, entry_of(&a, 2), Vec::new()).await;
                assert_eq!(outcome(&put), "precondition", "{} {versioning:?} {known:?}", world.name);
                let marked = late.mark_deleted(&a, &[]).await;
                assert_eq!(outcome(&marked), "precondition", "{} {versioning:?} {known:?}", world.name);
            }
        }
        assert_eq!(find(&world, "null").await.unwrap().etag(), seen.etag(), "{}", world.name);
    }
}

#[tokio::test]
async fn new_objects_get_the_default_retention() {
    for world in World::both_with_bucket().await {
        let a = key("a");
        let default = DefaultRetention { mode: RetentionMode::Compliance, period: Days(1) };
        let writer = world.writer_of_locks(now_s(), Some(default));
        let id = writer.put(&a, entry_of(&a, 1), Vec::new()).await.unwrap().unwrap();
        let lock = Lock::of(&find(&world, &id).await.unwrap());
        assert_eq!(
            lock,
            Lock { retention: retained(RetentionMode::Compliance, writer.stamp.seconds + 86_400), is_held: false }
        );
        // A version with a retention of its own keeps it, and a delete marker gets none.
        let mut entry = entry_of(&a, 2);
        for (name, value) in [(LOCK_MODE, "GOVERNANCE"), (RETAIN_UNTIL, "5")] {
            entry.extended.insert(name.to_owned(), value.into());
        }
        let id = writer.put(&a, entry, Vec::new()).await.unwrap().unwrap();
        assert_eq!(Lock::of(&find(&world, &id).await.unwrap()).retention, retained(RetentionMode::Governance, 5));
        let marker = writer.mark_deleted(&a, &[]).await.unwrap();
        assert!(writer.remove_version(&a, &marker, false).await.unwrap(), "{}: a marker is not locked", world.name);
    }
}

#[tokio::test]
async fn an_object_from_before_can_be_locked() {
    for world in World::both_with_bucket().await {
        let a = key("a");
        world.writer().put(&a, entry_of(&a, 1), Vec::new()).await.unwrap();
        let writer = world.writer_of_locks(now_s(), None);
        let retention = retained(RetentionMode::Compliance, now_s() + 1000);
        writer.set_retention(&a, &find(&world, "null").await.unwrap(), retention, false).await.unwrap();
        for bypass in [false, true] {
            assert!(is_protected(&writer.remove_version(&a, "null", bypass).await), "{}", world.name);
        }
        writer.put(&a, entry_of(&a, 2), Vec::new()).await.unwrap();
        assert!(is_protected(&writer.remove_version(&a, "null", true).await), "{}", world.name);
        assert_eq!(Lock::of(&find(&world, "null").await.unwrap()).retention, retention, "{}", world.name);
    }
}
