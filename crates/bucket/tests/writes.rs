//! Objects are put, described anew, tagged and deleted on both kinds of filers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use bucket::attributes::{ETAG, LEGAL_HOLD};
use bucket::description::Description;
use bucket::object;
use bucket::rules::{BucketError, Refusal};
use filer::{Attributes, Condition, Entry, FileChunk, FilerError, Written};
use ids::Versioning;
use support::{World, entry_of, etag, key, outcome, stamp};

/// Keys that are stored, one that is deleted, and what is left of them.
const NAMES: [(&[&str], &str, &[&str]); 8] = [
    (&["a"], "a", &[]),
    (&["a", "a/b"], "a", &["a/b"]),
    (&["a", "a/b"], "a/b", &["a"]),
    (&["a/", "a/b"], "a/", &["a/b"]),
    (&["a/", "a/b"], "a/b", &["a/"]),
    (&["a/b"], "a", &["a/b"]),
    (&["a/"], "a", &["a/"]),
    (&["a/"], "a/", &[]),
];

#[tokio::test]
async fn a_key_is_stored_and_deleted_without_what_is_below_it() {
    for (stored, deleted, left) in NAMES {
        for world in World::both_with_bucket().await {
            let (writer, case) = (world.writer(), format!("{}: {stored:?} without {deleted}", world.name));
            for text in stored {
                writer.put(&key(text), entry_of(&key(text), 1), Vec::new()).await.unwrap();
            }
            if let Some(seen) = writer.objects.current(&key(deleted)).await.unwrap() {
                writer.delete(&key(deleted), &seen).await.unwrap();
            }
            for text in ["a", "a/", "a/b"] {
                let is_there = writer.objects.current(&key(text)).await.unwrap().is_some();
                assert_eq!(is_there, left.contains(&text), "{text} in {case}");
            }
        }
    }
}

#[tokio::test]
async fn a_directory_is_left_only_for_what_is_below_it() {
    let [_, memory] = World::both_with_bucket().await;
    let writer = memory.writer();
    for text in ["a/b", "a"] {
        writer.put(&key(text), entry_of(&key(text), 1), Vec::new()).await.unwrap();
    }
    for (deleted, left) in [("a", &["a/", "a/b"][..]), ("a/b", &["a/"])] {
        let seen = writer.objects.current(&key(deleted)).await.unwrap().unwrap();
        writer.delete(&key(deleted), &seen).await.unwrap();
        assert_eq!(memory.below("/buckets/b").await, left, "without {deleted}");
    }
    let directory = memory.filer.lookup("/buckets/b/a").await.unwrap().unwrap();
    assert!(!object::is_object(&directory) && directory.extended.is_empty(), "{directory:?}");
}

#[tokio::test]
async fn conditions_are_about_the_object_that_is_there() {
    let matches = |md5| vec![Condition::Exists, Condition::EtagMatches(vec![etag(md5)])];
    for (there, conditions, want) in [
        (&["a"][..], vec![], "ok"),
        (&["a"], vec![Condition::NotExists], "precondition"),
        (&["a"], matches(1), "ok"),
        (&["a"], matches(2), "precondition"),
        (&[], vec![Condition::NotExists], "ok"),
        (&[], matches(1), "precondition"),
        (&["a/b"], vec![], "ok"),
        (&["a/b"], vec![Condition::NotExists], "ok"),
        (&["a/b"], matches(1), "precondition"),
        (&["a/b", "a"], vec![Condition::NotExists], "precondition"),
        (&["a/b", "a"], matches(1), "ok"),
    ] {
        for world in World::both_with_bucket().await {
            let writer = world.writer();
            for text in there {
                writer.put(&key(text), entry_of(&key(text), 1), Vec::new()).await.unwrap();
            }
            let done = writer.put(&key("a"), entry_of(&key("a"), 3), conditions.clone()).await;
            assert_eq!(outcome(&done), want, "{}: {there:?} {conditions:?}", world.name);
            let found = writer.objects.current(&key("a")).await.unwrap().map(|entry| entry.etag());
            assert_eq!(found == Some(etag(3)), done.is_ok(), "{}: {there:?} {conditions:?}", world.name);
        }
    }
}

#[tokio::test]
async fn what_one_entry_cannot_be_is_refused() {
    for (there, put, on_memory) in [("a", "a/", "is a file"), ("a/", "a", "is a directory")] {
        for world in World::both_with_bucket().await {
            let writer = world.writer();
            writer.put(&key(there), entry_of(&key(there), 1), Vec::new()).await.unwrap();
            let free = if put == "a/" { writer.require_no_file_at(&key(put)).await } else { Ok(()) };
            let done = match free {
                Ok(()) => writer.put(&key(put), entry_of(&key(put), 1), Vec::new()).await.map(drop),
                refused => refused,
            };
            let want = if world.memory.is_some() { on_memory } else { "ok" };
            assert_eq!(outcome(&done), want, "{}: {put} over {there}", world.name);
        }
    }
}

#[tokio::test]
async fn a_marker_does_not_replace_the_object_that_shares_its_directory() {
    let [_, memory] = World::both_with_bucket().await;
    let writer = memory.writer();
    for text in ["a/b", "a"] {
        writer.put(&key(text), entry_of(&key(text), 1), Vec::new()).await.unwrap();
    }
    assert_eq!(outcome(&writer.require_no_file_at(&key("a/")).await), "is a file");
    assert_eq!(outcome(&writer.require_no_file_at(&key("c/")).await), "ok");
}

#[tokio::test]
async fn the_data_of_a_refused_object_is_freed() {
    let [_, memory] = World::both_with_bucket().await;
    let (writer, a) = (memory.writer(), key("a"));
    let with_data = |id: &str| {
        let chunks = vec![FileChunk { file_id: id.to_owned(), size: 1, ..FileChunk::default() }];
        let data = Written { chunks, bytes: 1, md5: [1; 16] };
        stamp().object(&a, Description::default(), &data, None)
    };
    writer.put(&a, with_data("kept"), Vec::new()).await.unwrap();
    let refused = writer.put(&a, with_data("freed"), vec![Condition::NotExists]).await;
    assert_eq!(outcome(&refused), "precondition");
    assert_eq!(*memory.memory.as_ref().unwrap().freed.lock().unwrap(), ["freed"]);
}

/// An object that is locked, and one whose ETag the filer may compute differently.
fn locked_and_unrecognizable() -> [Entry; 2] {
    let hold = [(LEGAL_HOLD.to_owned(), b"ON".to_vec()), (ETAG.to_owned(), b"x".to_vec())];
    [Entry { extended: hold.into(), ..Entry::default() }, Entry::default()]
}

#[tokio::test]
async fn an_object_is_described_anew_only_if_it_is_still_the_same() {
    for world in World::both_with_bucket().await {
        let (writer, a) = (world.writer(), key("a"));
        writer.put(&a, entry_of(&a, 1), Vec::new()).await.unwrap();
        let seen = writer.objects.current(&a).await.unwrap().unwrap();
        let mut description = Description::of(&seen);
        description.set_metadata("color", "red");
        let anew = stamp().described_anew(&seen, description);
        writer.replace(&a, &seen, anew.clone()).await.unwrap();
        let found = writer.objects.current(&a).await.unwrap().unwrap();
        assert_eq!((found.etag(), object::headers(&found).collect()), (etag(1), vec![("X-Amz-Meta-Color", "red")]));
        writer.put(&a, entry_of(&a, 2), Vec::new()).await.unwrap();
        let [locked, unrecognizable] = locked_and_unrecognizable();
        for (seen, want) in [(&seen, "precondition"), (&unrecognizable, "precondition"), (&locked, "Locked")] {
            let got = match writer.replace(&a, seen, anew.clone()).await {
                Err(BucketError::Refused(refusal)) => format!("{refusal:?}"),
                Err(BucketError::Filer(error)) => outcome::<()>(&Err(error)).to_owned(),
                Ok(()) => "ok".to_owned(),
            };
            assert_eq!(got, want, "{}: {seen:?}", world.name);
        }
    }
}

#[tokio::test]
async fn an_object_that_is_locked_or_has_changed_is_not_deleted() {
    for world in World::both_with_bucket().await {
        let (writer, a) = (world.writer(), key("a"));
        writer.put(&a, entry_of(&a, 1), Vec::new()).await.unwrap();
        let seen = writer.objects.current(&a).await.unwrap().unwrap();
        writer.put(&a, entry_of(&a, 2), Vec::new()).await.unwrap();
        let changed = writer.delete(&a, &seen).await;
        assert!(matches!(changed, Err(BucketError::Filer(FilerError::PreconditionFailed))), "{}", world.name);
        let [locked, _] = locked_and_unrecognizable();
        let refused = writer.delete(&a, &locked).await;
        assert!(matches!(refused, Err(BucketError::Refused(Refusal::Locked))), "{}", world.name);
        assert!(writer.objects.current(&a).await.unwrap().is_some(), "{}", world.name);
    }
}

#[tokio::test]
async fn tags_are_replaced_as_a_whole() {
    for text in ["a", "a/"] {
        for world in World::both_with_bucket().await {
            let (writer, a) = (world.writer(), key(text));
            writer.put(&a, entry_of(&a, 1), Vec::new()).await.unwrap();
            for tags in [&[("k", "1"), ("l", "2")][..], &[("l", "3")], &[]] {
                let seen = writer.objects.current(&a).await.unwrap().unwrap();
                writer.set_tags(&a, &seen, tags.iter().copied()).await.unwrap();
                let found = writer.objects.current(&a).await.unwrap().unwrap();
                let found = object::tags(&found);
                let found: Vec<(&str, &str)> = found.iter().map(|(key, value)| (&**key, &**value)).collect();
                assert_eq!(found, tags, "{}: {text}", world.name);
            }
        }
    }
}

#[tokio::test]
async fn buckets_in_states_that_s3_does_not_have_have_no_writer() {
    let [_, memory] = World::both_with_bucket().await;
    for (versioning, has_object_lock, want) in [
        (Versioning::Off, false, None),
        (Versioning::Suspended, false, None),
        (Versioning::Unknown, false, Some(Refusal::UnknownVersioning)),
        (Versioning::Enabled, true, None),
        (Versioning::Off, true, Some(Refusal::LockWithoutVersions)),
        (Versioning::Suspended, true, Some(Refusal::LockWithoutVersions)),
    ] {
        let got = memory.try_writer(versioning, has_object_lock).err();
        assert_eq!(got, want, "{versioning:?}, object lock: {has_object_lock}");
    }
}

#[tokio::test]
async fn data_goes_to_the_collection_of_its_bucket() {
    for (world, collection) in World::both_with_bucket().await.iter().zip(["b", "group_b"]) {
        let target = world.writer().target(&key("a/"), Some("text/plain"), Some(3));
        let seen = (&*target.path, &*target.collection, &*target.mime, target.expected_bytes);
        assert_eq!(seen, ("/buckets/b/a", collection, "text/plain", Some(3)), "{}", world.name);
    }
}

#[tokio::test]
async fn an_object_that_another_program_wrote_is_removed_without_a_condition() {
    let [_, memory] = World::both_with_bucket().await;
    let attributes = Some(Attributes { file_size: 1, ..Attributes::default() });
    memory.plant("a", Entry { attributes, ..Entry::default() }).await;
    let seen = memory.writer().objects.current(&key("a")).await.unwrap().unwrap();
    memory.writer().delete(&key("a"), &seen).await.unwrap();
    assert_eq!(memory.below("/buckets/b").await, [""; 0]);
}
