//! Tags, CORS and encryption of a bucket share one message, and no change of it is lost.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use bucket::attributes::LIFE;
use bucket::metadata::BucketMetadata;
use filer::Entry;
use futures_util::future::join_all;
use ids::Stage;
use support::{ID, World, outcome};

async fn tag(world: &World, id: &str, key: &str) -> &'static str {
    let change = |metadata: &mut BucketMetadata| metadata.tags.insert(key.to_owned(), "1".to_owned()).is_none();
    outcome(&world.directory().change_metadata(id, change).await)
}

async fn stored(world: &World) -> Entry {
    world.directory().entry().await.unwrap().unwrap()
}

/// The bucket `b` as SeaweedFS makes it: nothing in it says which bucket it is.
async fn made_by_seaweedfs(world: &World) {
    let entry = Entry { name: "b".to_owned(), is_directory: true, ..Entry::default() };
    let put = filer::Mutation::Put { directory: "/buckets".to_owned(), entry: Box::new(entry) };
    world.run(vec![put]).await;
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_kept() {
    for is_ours in [true, false] {
        for world in World::both().await {
            match is_ours {
                true => world.set_life(Some(ID)).await,
                false => made_by_seaweedfs(&world).await,
            }
            let id = world.directory().life().await.unwrap().unwrap().life.id;
            let keys = ["a", "b", "c", "d", "e", "f"];
            let outcomes = join_all(keys.iter().map(|key| tag(&world, &id, key))).await;
            assert_eq!(outcomes, ["ok"; 6], "{}: ours: {is_ours}", world.name);
            let tags = BucketMetadata::read(&stored(&world).await.content).unwrap().tags;
            assert_eq!(tags.keys().collect::<Vec<_>>(), keys, "{}: ours: {is_ours}", world.name);
        }
    }
}

#[tokio::test]
async fn only_the_bucket_that_was_decided_for_is_changed() {
    for (life, id, want) in [
        ("1", "1", "ok"),
        ("1.stands.0a", "1", "ok"),
        ("1.deleting.0a", "1", "ok"),
        ("2", "1", "no bucket"),
        ("1.deleted.5.0a", "1", "no bucket"),
    ] {
        for world in World::both().await {
            world.set_life(Some(life)).await;
            assert_eq!(tag(&world, id, "a").await, want, "{}: {life}", world.name);
            let entry = stored(&world).await;
            assert_eq!(entry.content.is_empty(), want != "ok", "{}: {life}", world.name);
            assert_eq!(entry.extended_text(LIFE) == Some(life), want != "ok", "{}: {life}", world.name);
        }
    }
    for world in World::both().await {
        assert_eq!(tag(&world, "1", "a").await, "no bucket", "{}: no entry", world.name);
    }
}

/// A deletion that was announced before the change is not decided by it: it has to look again.
#[tokio::test]
async fn a_deletion_sees_a_change() {
    for world in World::both_with_bucket().await {
        let directory = world.directory();
        let announced = directory.announce(&directory.life().await.unwrap().unwrap()).await.unwrap();
        assert_eq!(tag(&world, ID, "a").await, "ok", "{}", world.name);
        assert_eq!(outcome(&directory.decide(&announced, 5).await), "precondition", "{}", world.name);
        assert_eq!(directory.life().await.unwrap().unwrap().life.stage, Stage::Active, "{}", world.name);
    }
}

/// A change that was read before an announcement came and went does not overwrite what happened in between.
#[tokio::test]
async fn a_bucket_never_looks_as_it_did_before_a_change() {
    for world in World::both_with_bucket().await {
        let directory = world.directory();
        let seen = directory.life().await.unwrap().unwrap();
        let announced = directory.announce(&seen).await.unwrap();
        directory.withdraw(&announced).await.unwrap();
        assert_eq!(outcome(&directory.decide(&seen, 5).await), "precondition", "{}", world.name);
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_kept() {
    for world in World::both_with_bucket().await {
        let (directory, name) = ("/buckets".to_owned(), "b".to_owned());
        let content = Some(vec![0xff]);
        world.run(vec![filer::Mutation::Patch { directory, name, set: [].into(), remove: vec![], content }]).await;
        assert_eq!(tag(&world, ID, "a").await, "damaged", "{}", world.name);
        assert_eq!(stored(&world).await.content, [0xff], "{}", world.name);
    }
}
