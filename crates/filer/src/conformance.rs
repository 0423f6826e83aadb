//! What every filer has to do: a table of claims against which each implementation is tested.
//!
//! [`run`] works below a directory of its own, so it can be run against a filer that is in use. A claim that does not hold
//! panics with its own message.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "tests only: a failing claim has to stop its test")]

mod data;
mod transactions;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};
use tokio::time::{Instant, sleep, timeout};

use crate::Note;
use crate::entry::{Attributes, Entry};
use crate::filer::{
    BodyError, Change, Condition, FeedFilter, FeedItem, Filer, FilerError, ListOptions, Mutation, Transaction,
    WriteTarget, Written,
};

/// How long to wait for what a filer does in its own time: freeing data, sending a sign of life on its feed.
const PATIENCE: Duration = Duration::from_secs(20);

type Claim = for<'a> fn(&'a World<'a>) -> BoxFuture<'a, ()>;

/// Each claim works in a directory with its own name.
const CLAIMS: &[(&str, Claim)] = &[
    ("configuration", |world| configuration(world).boxed()),
    ("parents-are-made", |world| parents_are_made(world).boxed()),
    ("listing", |world| listing(world).boxed()),
    ("first-file", |world| the_first_file(world).boxed()),
    ("beside", |world| files_beside_directories(world).boxed()),
    ("compare-and-swap", |world| transactions::compare_and_swap(world).boxed()),
    ("attributes", |world| transactions::conditions_on_attributes(world).boxed()),
    ("one-winner", |world| transactions::one_winner(world).boxed()),
    ("required", |world| transactions::what_a_transaction_requires(world).boxed()),
    ("directory-state", |world| transactions::the_state_of_a_directory(world).boxed()),
    ("counter", |world| transactions::no_update_is_lost(world).boxed()),
    ("refused", |world| transactions::a_refused_transaction_changes_nothing(world).boxed()),
    ("patch", |world| transactions::patch(world).boxed()),
    ("note", |world| transactions::a_note_about_a_file(world).boxed()),
    ("displaced", |world| transactions::the_file_noted_before(world).boxed()),
    ("delete", |world| transactions::delete(world).boxed()),
    ("bodies", |world| data::bodies(world).boxed()),
    ("holes", |world| data::holes(world).boxed()),
    ("inline", |world| data::inline_content(world).boxed()),
    ("early-end", |world| data::an_early_end(world).boxed()),
    ("freed", |world| data::replaced_data_is_freed(world).boxed()),
    ("assembly", |world| data::data_moves_between_entries(world).boxed()),
    ("members", |world| one_member(world).boxed()),
    ("feed", |world| feed(world).boxed()),
];

/// Tests all claims against a filer, concurrently.
pub async fn run(filer: &dyn Filer) {
    let name: u64 = rand::random();
    let root = format!("/conformance-{name:016x}");
    join_all(CLAIMS.iter().map(|(name, claim)| {
        let root = root.clone();
        async move { claim(&World { filer, directory: format!("{root}/{name}") }).await }
    }))
    .await;
    let whole = Mutation::Delete {
        directory: "/".to_owned(),
        name: root.trim_start_matches('/').to_owned(),
        delete_data: true,
        recursive: true,
    };
    filer.transact(transaction(&root, vec![whole])).await.expect("removing everything at the end works");
}

/// A filer and a directory to work in.
struct World<'a> {
    filer: &'a dyn Filer,
    directory: String,
}

impl World<'_> {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    async fn transact(&self, key: &str, conditions: Vec<Condition>, steps: Vec<Mutation>) -> Result<(), FilerError> {
        self.filer.transact(Transaction { conditions, ..transaction(&self.path(key), steps) }).await
    }

    /// A step that puts an entry. The path is relative, and its parents may be missing.
    fn put(&self, path: &str, mut entry: Entry) -> Mutation {
        let path = self.path(path);
        let (directory, name) = path.rsplit_once('/').unwrap_or_default();
        entry.name = name.to_owned();
        Mutation::Put { directory: directory.to_owned(), entry: Box::new(entry) }
    }

    fn delete(&self, name: &str, recursive: bool) -> Mutation {
        Mutation::Delete { directory: self.directory.clone(), name: name.to_owned(), delete_data: true, recursive }
    }

    async fn create(&self, path: &str, entry: Entry) {
        let step = self.put(path, entry);
        self.transact(path, vec![], vec![step]).await.unwrap_or_else(|error| panic!("`{path}` is created: {error}"));
    }

    async fn find(&self, path: &str) -> Option<Entry> {
        let found = self.filer.lookup(&self.path(path)).await;
        found.unwrap_or_else(|error| panic!("looking up `{path}` failed: {error}"))
    }

    async fn list(&self, directory: &str, options: ListOptions) -> Vec<Entry> {
        let directory = if directory.is_empty() { self.directory.clone() } else { self.path(directory) };
        let listed = self.filer.list(&directory, options).await;
        listed.unwrap_or_else(|error| panic!("`{directory}` is listed: {error}"))
    }

    async fn names(&self, directory: &str, options: ListOptions) -> Vec<String> {
        self.list(directory, options).await.into_iter().map(|entry| entry.name).collect()
    }

    async fn write(&self, body: &[u8]) -> Written {
        // Pieces of odd sizes, as a network delivers them.
        let pieces: Vec<_> = body.chunks(70_001).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let target = WriteTarget { path: self.path("body"), ..WriteTarget::default() };
        let written = self.filer.write(&target, Box::pin(stream::iter(pieces))).await;
        written.unwrap_or_else(|error| panic!("writing {} bytes failed: {error}", body.len()))
    }

    async fn read(&self, entry: &Entry, from: u64, length: u64) -> Result<Vec<u8>, FilerError> {
        let pieces: Vec<Bytes> = self.filer.read(entry, from, length).await?.try_collect().await?;
        Ok(pieces.concat())
    }
}

fn transaction(key: &str, mutations: Vec<Mutation>) -> Transaction {
    Transaction { lock_key: key.to_owned(), mutations, ..Transaction::default() }
}

fn page(limit: usize) -> ListOptions {
    ListOptions { limit, ..ListOptions::default() }
}

/// An entry with inline content, whose ETag is the content's MD5.
fn document(content: &str) -> Entry {
    let attributes = Attributes {
        file_size: content.len() as u64,
        mtime: 1_700_000_000,
        file_mode: 0o600,
        md5: Md5::digest(content).to_vec(),
        ..Attributes::default()
    };
    Entry { attributes: Some(attributes), content: content.as_bytes().to_vec(), ..Entry::default() }
}

fn etag_of(content: &str) -> Vec<String> {
    vec![hex::encode(Md5::digest(content))]
}

fn directory() -> Entry {
    let attributes = Attributes { file_mode: 1 << 31 | 0o777, mtime: 1_700_000_000, ..Attributes::default() };
    Entry { is_directory: true, attributes: Some(attributes), ..Entry::default() }
}

/// An entry of stored data.
fn object(written: &Written) -> Entry {
    let attributes = Attributes {
        file_size: written.bytes,
        mtime: 1_700_000_000,
        file_mode: 0o660,
        md5: written.md5.to_vec(),
        ..Attributes::default()
    };
    Entry { attributes: Some(attributes), chunks: written.chunks.clone(), ..Entry::default() }
}

fn pattern(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let words = (0..bytes.div_ceil(8)).flat_map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state ^ (state >> 29)).to_le_bytes()
    });
    words.take(bytes).collect()
}

async fn configuration(world: &World<'_>) {
    let configuration = world.filer.configuration().await.expect("the filer says what it is");
    assert!(configuration.buckets_root.starts_with('/') && !configuration.buckets_root.ends_with('/'));
    assert!(configuration.chunk_bytes >= 1 << 16, "a chunk size");
    let root = world.filer.lookup("/").await.expect("the root is looked up").expect("the root is there");
    assert!(root.is_directory);
}

async fn parents_are_made(world: &World<'_>) {
    assert_eq!(world.find("a").await, None);
    assert_eq!(world.list("a", page(10)).await, vec![], "a directory that does not exist is empty");
    let mut entry = document("x");
    entry.extended.insert("Seaweed-tag".to_owned(), vec![0, 255]);
    world.create("a/b/c", entry.clone()).await;
    let found = world.find("a/b/c").await.expect("what was put is found");
    assert_eq!((found.name.as_str(), &found.extended, &found.content), ("c", &entry.extended, &entry.content));
    assert_eq!(found.attributes().md5, entry.attributes().md5);
    for parent in ["a", "a/b"] {
        assert!(world.find(parent).await.is_some_and(|entry| entry.is_directory), "`{parent}` is a directory");
    }
    assert_eq!(world.names("", page(10)).await, ["a"]);
    assert_eq!(world.names("a", page(10)).await, ["b"]);
    assert_eq!(world.find("a/b/d").await, None);
    assert_eq!(world.find("a/").await.map(|entry| entry.is_directory), Some(true), "`a/` is the directory `a`");
}

async fn listing(world: &World<'_>) {
    let names = ["A", "a", "a!", "a-b", "a.b", "a0", "ab", "b", "\u{e4}", "\u{10348}"];
    for (index, name) in names.iter().rev().enumerate() {
        // Some of them are directories with more below them than a page holds.
        let below = if index % 3 == 1 { vec!["/x", "/y", "/z"] } else { vec![""] };
        for below in below {
            world.create(&format!("{name}{below}"), document(name)).await;
        }
    }
    assert_eq!(world.names("", page(100)).await, names, "ascending bytes");
    for limit in 1..=names.len() {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let start_from = seen.last().cloned().unwrap_or_default();
            let more = world.names("", ListOptions { start_from, ..page(limit) }).await;
            assert!(more.len() <= limit);
            if more.is_empty() {
                break;
            }
            seen.extend(more);
        }
        assert_eq!(seen, names, "pages of {limit}");
    }
    let options = |prefix: &str, start_from: &str, inclusive| ListOptions {
        prefix: prefix.to_owned(),
        start_from: start_from.to_owned(),
        inclusive,
        ..page(100)
    };
    for (options, want) in [
        (options("a", "", false), &names[1..7]),
        (options("a-", "", false), &names[3..4]),
        (options("zz", "", false), &[]),
        (options("", "a0", false), &names[6..]),
        (options("", "a0", true), &names[5..]),
        (options("", "a1", true), &names[6..]),
        (options("", "a1", false), &names[6..]),
        (options("a", "a0", true), &names[5..7]),
        (options("a", "a0", false), &names[6..7]),
        (options("b", "a", false), &names[7..8]),
        (options("a", "b", false), &[]),
    ] {
        assert_eq!(world.names("", options.clone()).await, want, "{options:?}");
    }
}

async fn the_first_file(world: &World<'_>) {
    let find =
        async |name: &str| world.filer.lookup_with_first_file(&world.path(name), &[]).await.expect("it is looked up");
    assert_eq!(find("none").await, (None, None), "a directory that does not exist");
    for name in ["d/b", "d/a", "d/c", "directories/a/b"] {
        world.create(name, document(name)).await;
    }
    let (directory, first) = find("d").await;
    assert!(directory.is_some_and(|directory| directory.is_directory && directory.name == "d"));
    assert!(first.is_none_or(|first| first.name == "a" && first.content == b"d/a"), "the first file, or none");
    assert_eq!(find("directories").await.1, None, "a directory is no file");
    assert_eq!(find("d/a").await, (None, None), "a file is no directory");
}

async fn files_beside_directories(world: &World<'_>) {
    world.create("a", document("file")).await;
    let below = world.transact("a/b", vec![], vec![world.put("a/b", document("below"))]).await;
    let configuration = world.filer.configuration().await.expect("the filer says what it is");
    if !configuration.files_beside_directories {
        // Either this is refused or, as in SeaweedFS 4.48, `a` becomes a directory that keeps what the file had.
        if !matches!(below, Err(FilerError::ParentIsFile(_))) {
            below.expect("nothing but the file is in the way");
            let kept = world.find("a").await.expect("`a` is still there");
            assert!(kept.is_directory && kept.content == document("file").content, "{kept:?}");
        }
        return;
    }
    below.expect("a file and a directory of the same name exist side by side");
    world.create("a!", document("between")).await;
    let kinds = |entries: Vec<Entry>| -> Vec<(String, bool)> {
        entries.into_iter().map(|entry| (entry.name, entry.is_directory)).collect()
    };
    let want = [("a", false), ("a", true), ("a!", false)].map(|(name, directory)| (name.to_owned(), directory));
    assert_eq!(kinds(world.list("", page(10)).await), want, "a file comes before the directory of the same name");
    let first = kinds(world.list("", page(1)).await);
    assert_eq!(first, want[..2], "a page never ends between them");
    let rest = world.list("", ListOptions { start_from: "a".to_owned(), ..page(10) }).await;
    assert_eq!(kinds(rest), want[2..]);
    assert_eq!(world.find("a").await.map(|entry| entry.is_directory), Some(false));
    assert_eq!(world.find("a/").await.map(|entry| entry.is_directory), Some(true));

    let marker = world.put("a", directory());
    let absent = world.transact("a", vec![Condition::NotExists], vec![marker]).await;
    absent.expect("the directory has no entry of its own yet, even though there is a file of the same name");
    let again = world.put("a", document("again"));
    let present = world.transact("a", vec![Condition::NotExists], vec![again]).await;
    assert!(matches!(present, Err(FilerError::PreconditionFailed)), "the file is there: {present:?}");
    world.transact("a", vec![], vec![world.delete("a", false)]).await.expect("the file goes first");
    assert_eq!(world.find("a").await.map(|entry| entry.is_directory), Some(true), "its directory stays");
    world.create("a", document("back")).await;
    world.transact("a", vec![], vec![world.delete("a/", true)]).await.expect("`a/` is the directory");
    assert_eq!(kinds(world.list("", page(10)).await), [want[0].clone(), want[2].clone()]);
}

async fn one_member(world: &World<'_>) {
    world.create("members/seed", document("0")).await;
    let members = world.filer.members().await.expect("there are members");
    let filter = FeedFilter { prefixes: vec![world.path("members/")], directories: vec![] };
    let feeds = world.filer.subscribe(filter).await.expect("feeds are opened");
    assert_eq!(feeds.iter().map(|(name, _)| name).collect::<Vec<_>>(), members.iter().collect::<Vec<_>>());
    for (member, mut feed) in feeds {
        for round in ["1", "2"] {
            let entry = Entry { name: "beat".to_owned(), ..document(round) };
            world.filer.put_through(&member, &world.path("members"), entry).await.expect("an entry is written");
            let found = world.filer.lookup_through(&member, &world.path("members/beat")).await.expect("a look-up");
            assert_eq!(found.map(|entry| entry.content), Some(round.as_bytes().to_vec()));
            // What is written through this member arrives on its own feed, in order.
            loop {
                let item =
                    timeout(PATIENCE, feed.next()).await.expect("the feed reports it").expect("the feed goes on");
                let FeedItem::Change(change) = item.expect("the feed goes on") else { continue };
                assert_eq!(change.new.map(|entry| entry.content), Some(round.as_bytes().to_vec()));
                break;
            }
        }
    }
}

async fn feed(world: &World<'_>) {
    // Made first, so that the feed does not report the directories.
    for seed in ["tree/deep/seed", "flat/seed", "flat/below/seed", "other/seed"] {
        world.create(seed, document("0")).await;
    }
    let filter = FeedFilter { prefixes: vec![world.path("tree/")], directories: vec![world.path("flat")] };
    let feeds = world.filer.subscribe(filter).await.expect("feeds are opened");
    assert!(!feeds.is_empty());
    let mut items = stream::select_all(feeds.into_iter().map(|(_, feed)| feed));

    world.create("tree/a", document("1")).await;
    world.create("tree/deep/b", document("1")).await;
    world.create("flat/below/c", document("1")).await;
    world.create("other/d", document("1")).await;
    world.create("flat/e", document("1")).await;
    world.create("tree/a", document("2")).await;
    let both = vec![world.put("flat/e", document("3")), world.delete("tree", true)];
    world.transact("flat/e", vec![], both).await.expect("two steps");
    let patched = Mutation::Patch {
        directory: world.path("flat"),
        name: "e".to_owned(),
        set: BTreeMap::from([("x".to_owned(), b"1".to_vec())]),
        remove: vec![],
        content: None,
    };
    world.transact("flat/e", vec![], vec![patched]).await.expect("an attribute");

    let want = [
        ("tree", "a", None, Some("1")),
        ("tree/deep", "b", None, Some("1")),
        ("flat", "e", None, Some("1")),
        ("tree", "a", Some("1"), Some("2")),
        ("flat", "e", Some("1"), Some("3")),
        ("tree", "a", Some("2"), None),
        ("tree/deep", "b", Some("1"), None),
        ("tree/deep", "seed", Some("0"), None),
        ("flat", "e", Some("3"), Some("3")),
    ];
    let mut seen: Vec<Change> = Vec::new();
    while seen.len() < want.len() {
        let item = timeout(PATIENCE, items.next()).await;
        let item = item.unwrap_or_else(|_| panic!("no more changes after {seen:?}")).expect("the feed goes on");
        let FeedItem::Change(change) = item.expect("the feed goes on") else { continue };
        // Filers may or may not report directories that they create and remove themselves.
        let is_file = |entry: &Option<Box<Entry>>| entry.as_ref().is_none_or(|entry| !entry.is_directory);
        if is_file(&change.old) && is_file(&change.new) {
            seen.push(change);
        }
    }
    let last = seen.last().and_then(|change| change.new.as_ref()).and_then(|entry| entry.extended_text("x"));
    assert_eq!(last, Some("1"), "the new entry has its current content");
    assert!(seen.windows(2).all(|pair| pair[0].ts_ns < pair[1].ts_ns), "time grows");
    let content =
        |entry: &Option<Box<Entry>>| entry.as_ref().map(|entry| String::from_utf8_lossy(&entry.content).into_owned());
    let name = |change: &Change| {
        change.new.as_ref().or(change.old.as_ref()).map(|entry| entry.name.clone()).unwrap_or_default()
    };
    let mut seen: Vec<_> = seen
        .iter()
        .map(|change| (change.directory.clone(), name(change), content(&change.old), content(&change.new)))
        .collect();
    let mut want = want.map(|(directory, name, old, new)| {
        (world.path(directory), name.to_owned(), old.map(str::to_owned), new.map(str::to_owned))
    });
    // Filers may choose the order within one recursive removal.
    seen[5..8].sort();
    want[5..8].sort();
    assert_eq!(seen, want);
    let alive = timeout(PATIENCE, items.next()).await.expect("an idle feed sends a sign of life");
    assert!(matches!(alive, Some(Ok(FeedItem::Heartbeat { .. }))), "{alive:?}");
}
