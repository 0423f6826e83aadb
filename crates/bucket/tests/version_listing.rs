//! Listings of buckets that keep versions agree with a naive model: every page, of every size.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use bucket::directory::BucketDirectory;
use bucket::listing::{After, Item};
use bucket::object;
use bucket::objects::Objects;
use filer::fault::FaultyFiler;
use filer::{EmbeddedFiler, Entry, Filer};
use ids::Versioning::{self, Enabled, Off, Suspended};
use support::{World, entry_by, entry_of, key};

const STEP_NS: i64 = 1_000_000_000;
const BEGINNING_NS: i64 = 1_790_000_000 * STEP_NS;

/// Keys with their versions: ids, and whether it is a delete marker; the newest first.
type Model = BTreeMap<String, Vec<(String, bool)>>;

/// Keys whose directories of versions the filer sorts far from where S3 has the keys.
const KEYS: [&str; 14] =
    ["a", "a!", "a-b", "a-b-c", "a-b.txt", "a.b", "a/b", "a/b-c", "a/b/c", "a0", "b", "b.versio", "b.w", "b-"];

/// The same for keys that are called as these directories, on a filer that holds every name.
const LIKE_VERSIONS: [&str; 6] =
    ["a.versions", "a.versions.versions", "a/b.versions", "a.versions/b", "b.versions", ".versions"];

fn add(model: &mut Model, text: &str, id: String, is_marker: bool) {
    let versions = model.entry(text.to_owned()).or_default();
    versions.retain(|(known, _)| id != "null" || known != "null");
    versions.insert(0, (id, is_marker));
}

/// Writes versions of all kinds, and says what S3 would list.
async fn filled(world: &World, seed: u32) -> Model {
    let more: &[&str] = if world.holds_every_name() { &LIKE_VERSIONS } else { &[] };
    let keys = [&KEYS[..], more].concat();
    let (mut model, mut random) = (Model::new(), seed.wrapping_mul(2_654_435_761).wrapping_add(99));
    for step in 0..80_u8 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let text = keys[(random >> 8) as usize % keys.len()];
        let versioning = match step {
            0..10 => Off,
            _ if random >> 16 & 3 == 0 => Suspended,
            _ => Enabled,
        };
        let writer = world.writer_of_versions(versioning, BEGINNING_NS + i64::from(step) * STEP_NS);
        let k = key(text);
        if versioning != Off && random >> 20 & 3 == 0 {
            add(&mut model, text, writer.mark_deleted(&k, &[]).await.unwrap(), true);
        } else {
            let id = writer.put(&k, entry_by(&writer, &k, step), Vec::new()).await.unwrap();
            add(&mut model, text, id.unwrap_or_else(|| "null".to_owned()), false);
        }
    }
    model
}

fn group_of<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    let at = key[prefix.len()..].find(delimiter).filter(|_| !delimiter.is_empty())?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

/// What a listing shows, a line for each item.
fn lines_of(model: &Model, prefix: &str, delimiter: &str, all: bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (key, versions) in model.iter().filter(|(key, _)| key.starts_with(prefix)) {
        if !all && versions[0].1 {
            continue;
        }
        match group_of(key, prefix, delimiter) {
            Some(group) if lines.last().is_some_and(|last| last == &format!("[{group}]")) => {}
            Some(group) => lines.push(format!("[{group}]")),
            None if all => lines.extend(versions.iter().enumerate().map(|(at, (id, is_marker))| {
                let latest = if at == 0 { " latest" } else { "" };
                format!("{key} {id}{}{latest}", if *is_marker { " marker" } else { "" })
            })),
            None => lines.push(key.clone()),
        }
    }
    lines
}

fn line_of(item: &Item) -> String {
    match item {
        Item::Object(key, _) => key.clone(),
        Item::CommonPrefix(prefix) => format!("[{prefix}]"),
        Item::Version(version) => {
            let marker = if object::is_delete_marker(&version.entry) { " marker" } else { "" };
            format!("{} {}{marker}{}", version.key, version.id, if version.is_latest { " latest" } else { "" })
        }
    }
}

/// All pages of one size, put together.
async fn listed(objects: &Objects<'_>, prefix: &str, delimiter: &str, all: bool, size: usize) -> Vec<String> {
    let (mut after, mut lines) = (After::Beginning, Vec::new());
    for _ in 0..1000 {
        let page = if all {
            objects.list_versions(prefix, delimiter, after.clone(), size).await.unwrap()
        } else {
            objects.list(prefix, delimiter, after.clone(), size).await.unwrap()
        };
        assert!(page.items.len() <= size);
        lines.extend(page.items.iter().map(line_of));
        match page.next {
            Some(next) => after = next,
            None => return lines,
        }
    }
    panic!("the listing does not end");
}

#[tokio::test]
async fn every_page_agrees_with_the_model() {
    for seed in 0..6 {
        for world in World::both_with_bucket().await {
            let model = filled(&world, seed).await;
            let objects = world.objects(Enabled);
            for all in [true, false] {
                for (prefix, delimiter) in [
                    ("", ""),
                    ("", "/"),
                    ("", "-"),
                    ("a", ""),
                    ("a-", "-"),
                    ("a/b", ""),
                    ("a/", "/"),
                    ("b.ver", ""),
                    ("a.versions", ""),
                    ("a.v", "/"),
                    ("z", ""),
                ] {
                    let want = lines_of(&model, prefix, delimiter, all);
                    for size in [1, 2, 3, 7, 1000] {
                        let got = listed(&objects, prefix, delimiter, all, size).await;
                        let case = format!("{} seed {seed}, all versions: {all}", world.name);
                        assert_eq!(got, want, "{case}: prefix {prefix:?} delimiter {delimiter:?} pages of {size}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn without_versions_each_object_is_the_version_null() {
    for world in World::both_with_bucket().await {
        for text in ["a", "b/c", "d/"] {
            let k = key(text);
            world.writer().put(&k, entry_of(&k, 1), Vec::new()).await.unwrap();
        }
        let objects = world.objects(Off);
        for size in [1, 2, 10] {
            let want = ["a null latest", "[b/]", "[d/]"];
            assert_eq!(listed(&objects, "", "/", true, size).await, want, "{} {size}", world.name);
            let want = ["a null latest", "b/c null latest", "d/ null latest"];
            assert_eq!(listed(&objects, "", "", true, size).await, want, "{} {size}", world.name);
        }
    }
}

#[tokio::test]
async fn a_directory_that_is_no_object_is_no_version() {
    for world in World::both_with_bucket().await {
        for text in ["x/marker/", "x/y/z"] {
            let k = key(text);
            world.writer_of_versions(Enabled, BEGINNING_NS).put(&k, entry_of(&k, 1), Vec::new()).await.unwrap();
        }
        world.plant("empty.versions", Entry { is_directory: true, ..Entry::default() }).await;
        let got = listed(&world.objects(Enabled), "", "", true, 10).await;
        let keys: Vec<&str> = got.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(keys, ["x/marker/", "x/y/z"], "{}", world.name);
    }
}

/// Ids of the old format, and both formats in one directory.
#[tokio::test]
async fn old_version_ids_are_listed_by_their_time() {
    let id = |time: i64| format!("{time:016x}00000000000000aa");
    let new = bucket::version_id::next(None, BEGINNING_NS + 5, 1);
    for world in World::both_with_bucket().await {
        for at in [&id(BEGINNING_NS + 1), &id(BEGINNING_NS + 3), &new] {
            world.plant(&format!("k.versions/v_{at}"), entry_of(&key("k"), 1)).await;
        }
        let mut null = entry_of(&key("k"), 1);
        let attributes = null.attributes.get_or_insert_default();
        (attributes.mtime, attributes.mtime_ns) = ((BEGINNING_NS / STEP_NS), 2);
        world.plant("k", null).await;
        let want = [&new, &id(BEGINNING_NS + 3), "null", &id(BEGINNING_NS + 1)];
        for size in [1, 2, 3, 10] {
            let got = listed(&world.objects(Enabled), "", "", true, size).await;
            let ids: Vec<&str> = got.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
            // Nothing says that a version is the current one, so the object at the key's own path is.
            assert_eq!(ids, ["null", want[0], want[1], want[3]], "{} {size}: {got:?}", world.name);
        }
    }
}

/// The calls of the filer for a page grow neither with the number of versions nor with that of keys.
#[tokio::test]
async fn a_page_costs_the_same_however_much_there_is() {
    let mut calls = Vec::new();
    for scale in [20, 200] {
        let directory = tempfile::tempdir().unwrap();
        let filer = FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap()));
        filer.list_only_directories();
        let filer: Arc<FaultyFiler> = Arc::new(filer);
        let configuration = filer.configuration().await.unwrap();
        let of = |versioning: Versioning| Objects {
            directory: BucketDirectory::new(&*filer, &configuration, "b"),
            versioning,
        };
        for at in 0..scale {
            plant(&*filer, &format!("many-{at:04}.versions"), 1).await;
        }
        plant(&*filer, "many.versions", scale).await;
        let mut counted = Vec::new();
        for all in [true, false] {
            for start in ["", "many", "many-0010"] {
                let before = filer.all_calls();
                let after = if start.is_empty() { After::Beginning } else { After::Key(start.to_owned()) };
                let objects = of(Enabled);
                let page = if all {
                    objects.list_versions("", "", after, 5).await.unwrap()
                } else {
                    objects.list("", "", after, 5).await.unwrap()
                };
                assert_eq!((page.items.len(), page.next.is_some()), (5, true), "{start} {all}");
                counted.push(filer.all_calls() - before);
            }
        }
        calls.push(counted);
    }
    assert_eq!(calls[0], calls[1], "calls of the filer with ten times as much");
}

/// Every page of one key with 1,000 versions takes the same few calls, from the first to the last.
#[tokio::test]
async fn a_page_of_a_key_with_many_versions_takes_few_calls() {
    let directory = tempfile::tempdir().unwrap();
    let filer = FaultyFiler::new(Arc::new(EmbeddedFiler::open(directory.path()).unwrap()));
    let configuration = filer.configuration().await.unwrap();
    plant(&filer, "many.versions", 1000).await;
    let objects = Objects { directory: BucketDirectory::new(&filer, &configuration, "b"), versioning: Enabled };
    let (mut after, mut ids, mut pages) = (After::Beginning, std::collections::BTreeSet::new(), 0);
    loop {
        let before = filer.all_calls();
        let page = objects.list_versions("", "", after, 100).await.unwrap();
        let calls = filer.all_calls() - before;
        assert!(calls <= 8, "page {pages} takes {calls} calls");
        pages += 1;
        assert!(!page.items.is_empty(), "page {pages}");
        ids.extend(page.items.iter().map(|item| match item {
            Item::Version(version) => version.id.clone(),
            other => panic!("{other:?}"),
        }));
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!((pages, ids.len()), (10, 1000));
}

async fn plant(filer: &dyn Filer, directory: &str, versions: i64) {
    let put = |at: i64| {
        let name = format!("v_{}", bucket::version_id::next(None, BEGINNING_NS + at, 0));
        let entry = Entry { name, ..entry_of(&key("k"), 1) };
        filer::Mutation::Put { directory: format!("/buckets/b/{directory}"), entry: Box::new(entry) }
    };
    let mutations = (0..versions).map(put).collect();
    let lock_key = "/buckets/b".to_owned();
    filer.transact(filer::Transaction { lock_key, mutations, ..filer::Transaction::default() }).await.unwrap();
}
