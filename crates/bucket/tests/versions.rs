//! Versions are written, marked as deleted and removed, and compared with a naive model of S3 after each step.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use bucket::attributes::NONCURRENT_SINCE;
use bucket::directory::BucketDirectory;
use bucket::new_entry::Stamp;
use bucket::object;
use bucket::objects::Objects;
use bucket::rules::{BucketError, Refusal};
use bucket::version_id;
use bucket::versions::Version;
use bucket::writer::Writer;
use filer::fault::FaultyFiler;
use filer::{Condition, Entry, Filer, FilerError};
use futures_util::future::join_all;
use ids::ObjectKey;
use ids::Versioning::{self, Enabled, Off, Suspended};
use support::{ID, World, entry_by, entry_of, etag, key, stamp};

/// A second after the last step.
const STEP_NS: i64 = 1_000_000_000;
const BEGINNING_NS: i64 = 1_790_000_000 * STEP_NS;

/// What S3 says a key has: ids with the content, or `None` for a delete marker; the newest last.
#[derive(Default)]
struct Model(Vec<(String, Option<u8>)>);

impl Model {
    fn add(&mut self, id: &str, content: Option<u8>) {
        if id == "null" {
            self.remove(id);
        }
        self.0.push((id.to_owned(), content));
    }

    fn remove(&mut self, id: &str) -> Option<Option<u8>> {
        let at = self.0.iter().position(|(known, _)| known == id)?;
        Some(self.0.remove(at).1)
    }

    fn content_of(&self, id: &str) -> Option<Option<u8>> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, content)| *content)
    }
}

fn seen(found: &Version) -> Option<String> {
    match found {
        Version::Object(entry) => Some(entry.etag()),
        Version::DeleteMarker(_) => None,
    }
}

async fn compare(world: &World, key: &ObjectKey, model: &Model, known: &[String], case: &str) {
    let objects = world.objects(Enabled);
    let current = objects.version(key, None).await.unwrap();
    let want = model.0.last().map(|(_, content)| content.map(etag));
    assert_eq!(current.as_ref().map(seen), want, "{case}: the current version");
    if let (Some(Version::DeleteMarker(id)), Some((newest, _))) = (&current, model.0.last()) {
        assert_eq!(id, newest, "{case}: the current delete marker");
    }
    for id in known {
        let found = match objects.version(key, Some(id)).await {
            Err(BucketError::Refused(Refusal::NoSuchVersion)) => None,
            found => found.unwrap(),
        };
        let want = model.content_of(id).map(|content| content.map(etag));
        assert_eq!(found.as_ref().map(seen), want, "{case}: {id}");
    }
}

/// Does one thing to a key, chosen by a number.
async fn act(
    world: &World,
    key: &ObjectKey,
    model: &mut Model,
    known: &mut Vec<String>,
    choice: (u32, u8, i64),
) -> String {
    let (number, content, now_ns) = choice;
    let versioning = if number % 3 == 0 { Suspended } else { Enabled };
    let writer = world.writer_of_versions(versioning, now_ns);
    let id = match number / 3 % 5 {
        0 | 1 => {
            let id = writer.put(key, entry_by(&writer, key, content), Vec::new()).await.unwrap().unwrap();
            model.add(&id, Some(content));
            id
        }
        2 => {
            let id = writer.mark_deleted(key, &[]).await.unwrap();
            model.add(&id, None);
            id
        }
        _ => {
            let id = known[number as usize / 15 % known.len()].clone();
            let removed = match writer.remove_version(key, &id, false).await {
                Err(BucketError::Refused(Refusal::NoSuchVersion)) => None,
                removed => Some(removed.unwrap()),
            };
            assert_eq!(removed, model.remove(&id).map(|content| content.is_none()), "removing {id}");
            return format!("{versioning:?} remove {id}");
        }
    };
    if !known.contains(&id) {
        known.push(id.clone());
    }
    format!("{versioning:?} {} {id}", if number / 3 % 5 == 2 { "mark" } else { "put" })
}

#[tokio::test]
async fn every_sequence_of_writes_gives_what_s3_gives() {
    for seed in 0..8 {
        for world in World::both_with_bucket().await {
            writes(&world, seed, [key("d/a"), key("d/a/b")]).await;
            if world.holds_every_name() {
                // The first is called as the directory of the versions of the second.
                writes(&world, seed, [key("d/a.versions"), key("d/a")]).await;
            }
        }
    }
}

async fn writes(world: &World, seed: u32, keys: [ObjectKey; 2]) {
    let (mut models, mut known) =
        ([Model::default(), Model::default()], [vec!["null".to_owned()], vec!["null".to_owned()]]);
    let mut random = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut case = format!("{} seed {seed}", world.name);
    if seed.is_multiple_of(2) {
        let writer = world.writer_of_versions(Off, BEGINNING_NS);
        assert_eq!(writer.put(&keys[0], entry_by(&writer, &keys[0], 99), Vec::new()).await.unwrap(), None);
        models[0].add("null", Some(99));
        case += "; put without versions";
    }
    for step in 1..40_u8 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let one = usize::from(random >> 31 == 1);
        let choice = (random >> 8 & 0xffff, step, BEGINNING_NS + i64::from(step) * STEP_NS);
        case += &format!("; {} ", keys[one]);
        case += &act(world, &keys[one], &mut models[one], &mut known[one], choice).await;
        for other in 0..2 {
            compare(world, &keys[other], &models[other], &known[other], &case).await;
        }
    }
    for at in 0..2 {
        for (id, _) in std::mem::take(&mut models[at].0) {
            world.writer_of_versions(Enabled, BEGINNING_NS).remove_version(&keys[at], &id, false).await.unwrap();
        }
        compare(world, &keys[at], &models[at], &known[at], &case).await;
    }
    let left = world.below("/buckets/b").await;
    assert!(left.iter().all(|path| path.ends_with('/') && !path.ends_with(".versions/")), "{case}: {left:?}");
}

#[tokio::test]
async fn writers_at_the_same_time_lose_no_version() {
    for world in World::both_with_bucket().await {
        let a = key("a");
        let put = |content: u8| {
            let writer = world.writer_of_versions(Enabled, BEGINNING_NS + i64::from(content % 7));
            let a = a.clone();
            async move { writer.put(&a, entry_of(&a, content), Vec::new()).await.unwrap().unwrap() }
        };
        let mut ids = join_all((0..24).map(put)).await;
        ids.sort_by(|one, other| version_id::newest_first(one, other));
        let current = world.objects(Enabled).current(&a).await.unwrap().unwrap();
        assert_eq!(object::version_id(&current), Some(&*ids[0]), "{}: the newest is the current one", world.name);
        let mut displaced = 0;
        for id in &ids {
            let found = world.objects(Enabled).version(&a, Some(id)).await.unwrap().and_then(Version::object).unwrap();
            displaced += usize::from(found.extended.contains_key(NONCURRENT_SINCE));
        }
        assert!(displaced < 24, "{}: the current version was never displaced", world.name);
    }
}

/// How many of 12 writers at the same time succeed under a condition.
async fn winners(world: &World, versioning: Versioning, condition: Condition) -> usize {
    let a = key("a");
    let put = |content: u8| {
        let (a, condition) = (a.clone(), condition.clone());
        let writer = world.writer_of_versions(versioning, BEGINNING_NS + i64::from(content));
        async move { writer.put(&a, entry_of(&a, content), vec![condition]).await }
    };
    let done = join_all((1..13).map(put)).await;
    let failed = |error: &FilerError| matches!(error, FilerError::PreconditionFailed);
    assert!(done.iter().all(|done| done.as_ref().err().is_none_or(failed)), "{}: {done:?}", world.name);
    done.iter().filter(|done| done.is_ok()).count()
}

#[tokio::test]
async fn one_writer_wins_under_a_condition() {
    let ok = |done: Result<Option<String>, FilerError>| drop(done.unwrap());
    for versioning in [Enabled, Suspended] {
        for world in World::both_with_bucket().await {
            let case = format!("{} {versioning:?}", world.name);
            let a = key("a");
            assert_eq!(winners(&world, versioning, Condition::NotExists).await, 1, "{case}: nothing is there");
            assert_eq!(winners(&world, versioning, Condition::NotExists).await, 0, "{case}: an object is there");
            let writer = world.writer_of_versions(versioning, BEGINNING_NS + STEP_NS);
            writer.mark_deleted(&a, &[]).await.unwrap();
            assert_eq!(winners(&world, versioning, Condition::NotExists).await, 1, "{case}: a delete marker is there");
            ok(writer.put(&a, entry_of(&a, 77), Vec::new()).await);
            let matches = Condition::EtagMatches(vec![etag(77)]);
            assert_eq!(winners(&world, versioning, matches.clone()).await, 1, "{case}: the object is the same");
            assert_eq!(winners(&world, versioning, matches).await, 0, "{case}: the object is another");
        }
    }
}

#[tokio::test]
async fn a_conditional_delete_marks_what_it_means() {
    for versioning in [Enabled, Suspended] {
        for world in World::both_with_bucket().await {
            let (a, case) = (key("a"), format!("{} {versioning:?}", world.name));
            let writer = world.writer_of_versions(versioning, BEGINNING_NS);
            writer.put(&a, entry_of(&a, 1), Vec::new()).await.unwrap();
            let matches = |content| [Condition::EtagMatches(vec![etag(content)])];
            let refused = writer.mark_deleted(&a, &matches(2)).await;
            assert!(matches!(refused, Err(FilerError::PreconditionFailed)), "{case}: {refused:?}");
            assert!(writer.objects.current(&a).await.unwrap().is_some(), "{case}");
            writer.mark_deleted(&a, &matches(1)).await.unwrap();
            assert!(writer.objects.current(&a).await.unwrap().is_none(), "{case}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_hide_a_write() {
    for world in World::both_with_bucket().await {
        let a = key("a");
        for (content, now_ns) in
            [(1, BEGINNING_NS), (2, BEGINNING_NS - 5 * STEP_NS), (3, 0), (4, BEGINNING_NS - STEP_NS)]
        {
            let writer = world.writer_of_versions(Enabled, now_ns);
            writer.put(&a, entry_of(&a, content), Vec::new()).await.unwrap();
            let current = writer.objects.current(&a).await.unwrap().map(|entry| entry.etag());
            assert_eq!(current, Some(etag(content)), "{}", world.name);
        }
    }
}

#[tokio::test]
async fn old_version_ids_go_on() {
    for world in World::both_with_bucket().await {
        let a = key("a");
        let old = "17d1b26f5d0f4e3c00000000000000aa";
        let directory = Entry { is_directory: true, ..Entry::default() };
        world.plant("a.versions", directory).await;
        world.plant(&format!("a.versions/v_{old}"), entry_of(&a, 1)).await;
        let mut ids = vec![old.to_owned()];
        for content in 2..5 {
            let writer = world.writer_of_versions(Enabled, BEGINNING_NS + i64::from(content));
            ids.push(writer.put(&a, entry_of(&a, content), Vec::new()).await.unwrap().unwrap());
            let current = writer.objects.current(&a).await.unwrap().unwrap();
            assert_eq!(current.etag(), etag(content), "{}", world.name);
        }
        assert!(ids.iter().all(|id| !version_id::counts_backwards(id)) && ids.is_sorted(), "{ids:?}");
        let writer: Writer<'_> = world.writer_of_versions(Enabled, BEGINNING_NS + 9);
        writer.remove_version(&a, &ids[3], false).await.unwrap();
        assert_eq!(writer.objects.current(&a).await.unwrap().unwrap().etag(), etag(3), "{}", world.name);
    }
}

/// The directory of the versions and the newest of them are asked for at once. Other versions are asked for by name.
#[tokio::test]
async fn the_newest_version_takes_one_lookup() {
    let world = World::memory_with_bucket().await;
    let counted = FaultyFiler::new(world.filer.clone());
    let configuration = counted.configuration().await.unwrap();
    let directory = || BucketDirectory::new(&counted, &configuration, "b");
    let old = "17d1b26f5d0f4e3c00000000000000aa";
    world.plant("old.versions", Entry { is_directory: true, ..Entry::default() }).await;
    world.plant(&format!("old.versions/v_{old}"), entry_of(&key("old"), 1)).await;
    world.plant("before", entry_of(&key("before"), 2)).await;
    for (name, lookups) in [("new", 1), ("old", 2), ("before", 2)] {
        let name = key(name);
        if name.as_str() != "before" {
            for content in [1, 2] {
                let writer = world.writer_of_versions(Enabled, BEGINNING_NS + i64::from(content));
                writer.put(&name, entry_of(&name, content), Vec::new()).await.unwrap();
            }
        }
        let before = counted.all_calls();
        let objects = Objects { directory: directory(), versioning: Enabled };
        assert_eq!(objects.current(&name).await.unwrap().unwrap().etag(), etag(2), "{name:?}");
        assert_eq!(counted.all_calls() - before, lookups, "{name:?}");
    }
}

/// What was seen before is not looked at again, unless a condition shows that it is no longer so.
#[tokio::test]
async fn versions_that_were_seen_are_not_looked_at_again() {
    let world = World::memory_with_bucket().await;
    let counted = FaultyFiler::new(world.filer.clone());
    let configuration = counted.configuration().await.unwrap();
    let a = key("a");
    let put = async |content, conditions, others: &[u8], at| {
        let directory = BucketDirectory::new(&counted, &configuration, "b");
        let stamp = Stamp { seconds: BEGINNING_NS / STEP_NS + at, ..stamp() };
        let objects = Objects { directory, versioning: Enabled };
        let writer = Writer::new(objects, None, ID.into(), stamp, Box::new(|| true)).unwrap();
        let seen = writer.see_versions(&a).await;
        for other in others {
            let writer = world.writer_of_versions(Enabled, BEGINNING_NS + STEP_NS * (at + i64::from(*other)));
            writer.put(&a, entry_of(&a, *other), Vec::new()).await.unwrap();
        }
        let before = counted.all_calls();
        let done = writer.put_seen(&a, entry_of(&a, content), conditions, seen).await;
        (done.map(Option::unwrap), counted.all_calls() - before)
    };
    let same = |content| vec![Condition::EtagMatches(vec![etag(content)])];
    assert_eq!(put(1, vec![], &[], 0).await.1, 1, "the first version");
    assert_eq!(put(2, vec![], &[], 0).await.1, 1, "another one at the same time");
    let current = async || world.objects(Enabled).current(&a).await.unwrap().unwrap().etag();
    assert_eq!(current().await, etag(2));
    // A version that was made meanwhile stays, and is the current one if it is newer.
    assert_eq!(put(3, vec![], &[4], 1).await.1, 1);
    assert_eq!(current().await, etag(4));
    assert_eq!(put(5, same(4), &[], 9).await.1, 2, "a condition is about the current version");
    assert_eq!(put(6, same(7), &[7], 20).await.1, 5, "it looks again");
    assert_eq!(current().await, etag(6), "newer than what it replaces");
    assert!(matches!(put(8, same(6), &[9], 40).await.0, Err(FilerError::PreconditionFailed)));
    assert_eq!(current().await, etag(9));
}

#[tokio::test]
async fn tags_belong_to_a_version() {
    for world in World::both_with_bucket().await {
        let a = key("a");
        let writer = world.writer_of_versions(Enabled, BEGINNING_NS);
        let first = writer.put(&a, entry_of(&a, 1), Vec::new()).await.unwrap().unwrap();
        let second = writer.put(&a, entry_of(&a, 2), Vec::new()).await.unwrap().unwrap();
        let version =
            async |id: &str| writer.objects.version(&a, Some(id)).await.unwrap().and_then(Version::object).unwrap();
        writer.set_tags(&a, &version(&first).await, [("k", "v")].into_iter()).await.unwrap();
        let counts = [object::tags(&version(&first).await).len(), object::tags(&version(&second).await).len()];
        assert_eq!(counts, [1, 0], "{}", world.name);
        let again = world.below("/buckets/b").await;
        assert_eq!(again.len(), 3, "{}: nothing else was written: {again:?}", world.name);
    }
}
