//! Buckets are created and deleted in two steps, and writes below them give way.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use bucket::new_entry::NewBucket;
use bucket::settings::AttributePatch;
use filer::{Entry, FilerError};
use ids::{BucketLife, Stage};
use support::{World, entry_of, key, outcome, stamp};

fn new_bucket(life: &BucketLife) -> Entry {
    stamp().bucket(NewBucket {
        name: "b",
        life,
        creator: "alice",
        ownership: None,
        public_access_block: None,
        tags: [].into(),
        has_object_lock: false,
    })
}

#[tokio::test]
async fn a_bucket_is_created_once() {
    for world in World::both().await {
        let (directory, life) = (world.directory(), BucketLife::new(7));
        assert_eq!(directory.life().await.unwrap(), None, "{}", world.name);
        assert_eq!(outcome(&directory.create(new_bucket(&life)).await), "ok", "{}", world.name);
        assert_eq!(outcome(&directory.create(new_bucket(&life)).await), "precondition", "{}", world.name);
        assert_eq!(directory.life().await.unwrap().unwrap().life, life, "{}", world.name);
    }
}

#[tokio::test]
async fn each_stage_follows_only_the_one_that_was_seen() {
    for life in [Some("1"), None] {
        for world in World::both().await {
            let case = format!("{}: {life:?}", world.name);
            match life {
                Some(life) => world.set_life(Some(life)).await,
                // A directory that the filer made says nothing of a life. The embedded filer keeps no entry of it.
                None if world.memory.is_none() => continue,
                None => world.plant("x/y", Entry::default()).await,
            }
            let directory = world.directory();
            let stands = directory.life().await.unwrap().unwrap();
            let announced = directory.announce(&stands).await.unwrap();
            assert!(matches!(announced.life.stage, Stage::Announced(_)), "{case}");
            let withdrawn = directory.withdraw(&announced).await.unwrap();
            assert_eq!(outcome(&directory.decide(&announced, 5).await), "precondition", "{case}");
            let announced = directory.announce(&withdrawn).await.unwrap();
            let decided = directory.decide(&announced, 5).await.unwrap();
            assert!(matches!(decided.life.stage, Stage::Deleted { since_s: 5, .. }), "{case}");
            assert_eq!(outcome(&directory.withdraw(&announced).await), "precondition", "{case}");
            assert_eq!(directory.life().await.unwrap().unwrap().life, decided.life, "{case}");
            assert_eq!(decided.life.id, stands.life.id, "{case}");
        }
    }
}

/// What the bucket is at that moment counts, and not what was known when the request was read.
#[tokio::test]
async fn a_bucket_with_versions_or_locks_is_not_deleted_with_its_objects() {
    for (attribute, value, want) in [
        ("Seaweed-X-Amz-Versioning", "Enabled", "precondition"),
        ("Seaweed-X-Amz-Versioning", "Suspended", "precondition"),
        ("Seaweed-X-Amz-Object-Lock-Enabled", "Enabled", "precondition"),
        ("Seaweed-X-Amz-Object-Lock-Enabled", "", "ok"),
    ] {
        for world in World::both_with_bucket().await {
            let directory = world.directory();
            let stands = directory.life().await.unwrap().unwrap();
            let set = [(attribute.to_owned(), value.into())].into();
            directory.patch(AttributePatch { set, ..AttributePatch::default() }, None).await.unwrap();
            let decided = directory.decide_with_objects(&stands, 5).await;
            assert_eq!(outcome(&decided), want, "{} {attribute} {value}", world.name);
        }
    }
}

#[tokio::test]
async fn a_decided_deletion_removes_the_volumes_and_the_directory() {
    for world in World::both_with_bucket().await {
        let directory = world.directory();
        world.plant("a/b", Entry::default()).await;
        let stands = directory.life().await.unwrap().unwrap();
        let decided = directory.decide(&stands, 5).await.unwrap();
        directory.remove(&stands).await.unwrap();
        assert!(directory.life().await.unwrap().is_some(), "{}: the stage has changed", world.name);
        for _ in 0..2 {
            directory.remove(&decided).await.unwrap();
            assert_eq!(directory.life().await.unwrap(), None, "{}", world.name);
        }
        if let Some(memory) = &world.memory {
            assert_eq!(
                *memory.collections.lock().unwrap(),
                ["group_b"],
                "only while the stage is the one that was seen"
            );
        }
    }
}

#[tokio::test]
async fn only_an_abandoned_deletion_is_finished() {
    for (life, now_s, finished) in [
        (Some("1.deleted.1000.0a"), 1060, true),
        (Some("1.deleted.1000.0a"), 1059, false),
        (Some("1.deleting.0a"), 9999, false),
        (Some("1"), 9999, false),
        (None, 9999, false),
    ] {
        for world in World::both().await {
            let case = format!("{}: {life:?} at {now_s}", world.name);
            world.set_life(life).await;
            assert_eq!(world.directory().finish_abandoned(now_s).await.unwrap(), finished, "{case}");
            let is_left = world.directory().life().await.unwrap().is_some();
            assert_eq!(is_left, life.is_some() && !finished, "{case}");
        }
    }
}

#[tokio::test]
async fn a_bucket_is_empty_without_objects_and_versions() {
    for (path, is_directory, empty) in [
        ("a", false, false),
        ("a/b/c", false, false),
        ("a/b", true, true),
        (".uploads/id/0001_x.part", false, true),
        ("a/.uploads/x", false, false),
        ("a.versions/v_1", false, false),
    ] {
        for world in World::both_with_bucket().await {
            world.plant(path, Entry { is_directory, ..Entry::default() }).await;
            assert_eq!(world.directory().is_empty().await.unwrap(), empty, "{}: {path}", world.name);
        }
    }
}

/// The stored life of the bucket, the outcome of a write below it, what is left below the bucket and of its life.
type Write = (Option<&'static str>, &'static str, &'static [&'static str], Option<&'static str>);

const WRITES: [Write; 6] = [
    (Some("1"), "ok", &["a/", "a/b"], Some("1")),
    (Some("1.deleting.0a"), "ok", &["a/", "a/b"], Some("1")),
    (Some("1.deleted.5.0a"), "no bucket", &[], Some("1.deleted.5.0a")),
    (Some("2"), "no bucket", &[], Some("2")),
    (Some("2.deleting.0a"), "no bucket", &[], Some("2.deleting.0a")),
    (None, "no bucket", &[], None),
];

#[tokio::test]
async fn a_write_below_a_bucket_that_is_being_deleted() {
    for (life, want, left, life_after) in WRITES {
        for world in World::both().await {
            let case = format!("{}: {life:?}", world.name);
            world.set_life(life).await;
            let done = world.doubting_writer().put(&key("a/b"), entry_of(&key("a/b"), 1), Vec::new()).await;
            assert_eq!(outcome(&done), want, "{case}");
            assert_eq!(world.below("/buckets/b").await, left, "{case}");
            let found = world.directory().life().await.unwrap().map(|stored| stored.life.to_text());
            assert_eq!(found.as_deref(), life_after, "{case}");
        }
    }
}

/// The bucket is deleted after the first check: the gateway knows that it stands before the write, and no longer after.
#[tokio::test]
async fn a_write_that_comes_too_late_is_undone() {
    use std::sync::atomic::{AtomicBool, Ordering};
    for (life, left) in [(Some("1.deleted.5.0a"), true), (Some("2"), true), (None, false)] {
        for world in World::both().await {
            let case = format!("{}: {life:?}", world.name);
            world.set_life(life).await;
            let stands = AtomicBool::new(true);
            let objects = world.objects(ids::Versioning::Off);
            let knows = Box::new(|| stands.swap(false, Ordering::Relaxed));
            let writer = bucket::writer::Writer::new(objects, None, support::ID.into(), stamp(), knows).unwrap();
            let done = writer.put(&key("a/b"), entry_of(&key("a/b"), 1), Vec::new()).await;
            assert!(matches!(done, Err(FilerError::Missing(_))), "{case}: {done:?}");
            assert!(!world.below("/buckets/b").await.contains(&"a/b".to_owned()), "{case}");
            assert_eq!(world.directory().life().await.unwrap().is_some(), left, "{case}");
        }
    }
}
