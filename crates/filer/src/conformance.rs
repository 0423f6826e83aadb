//! What every filer has to do: a table of claims that each implementation is put to.
//!
//! [`run`] works below a directory of its own, so it can be run against a filer that is in use. A claim that does not hold
//! panics with its own words.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "tests only: a claim that fails has to stop its test")]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};
use tokio::time::{Instant, sleep, timeout};

use crate::entry::{Attributes, Entry};
use crate::filer::{
    BodyError, Change, Condition, FeedFilter, FeedItem, Filer, FilerError, ListOptions, Mutation, Transaction,
    WriteTarget, Written,
};

/// How long something may take that a filer does in its own time: freeing data, saying that its feed is alive.
const PATIENCE: Duration = Duration::from_secs(20);

type Claim = for<'a> fn(&'a World<'a>) -> BoxFuture<'a, ()>;

/// Each claim works in a directory that bears its name.
const CLAIMS: &[(&str, Claim)] = &[
    ("configuration", |world| configuration(world).boxed()),
    ("parents-are-made", |world| parents_are_made(world).boxed()),
    ("listing", |world| listing(world).boxed()),
    ("beside", |world| files_beside_directories(world).boxed()),
    ("compare-and-swap", |world| compare_and_swap(world).boxed()),
    ("one-winner", |world| one_winner(world).boxed()),
    ("required", |world| what_a_transaction_requires(world).boxed()),
    ("directory-state", |world| the_state_of_a_directory(world).boxed()),
    ("counter", |world| no_update_is_lost(world).boxed()),
    ("refused", |world| a_refused_transaction_changes_nothing(world).boxed()),
    ("patch", |world| patch(world).boxed()),
    ("delete", |world| delete(world).boxed()),
    ("bodies", |world| bodies(world).boxed()),
    ("holes", |world| holes(world).boxed()),
    ("inline", |world| inline_content(world).boxed()),
    ("early-end", |world| an_early_end(world).boxed()),
    ("freed", |world| replaced_data_is_freed(world).boxed()),
    ("assembly", |world| data_moves_between_entries(world).boxed()),
    ("members", |world| one_member(world).boxed()),
    ("feed", |world| feed(world).boxed()),
];

/// Puts a filer to all claims, at the same time.
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
    filer.transact(transaction(&root, vec![whole])).await.expect("everything is removed at the end");
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

    /// A step that puts an entry; the path is relative and its parents may be missing.
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
        found.unwrap_or_else(|error| panic!("`{path}` is looked up: {error}"))
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
        // pieces of odd sizes, as a network delivers them
        let pieces: Vec<_> = body.chunks(70_001).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let target = WriteTarget { path: self.path("body"), ..WriteTarget::default() };
        let written = self.filer.write(&target, Box::pin(stream::iter(pieces))).await;
        written.unwrap_or_else(|error| panic!("{} bytes are written: {error}", body.len()))
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
    assert_eq!(world.list("a", page(10)).await, vec![], "a directory that is not there has nothing in it");
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
        // some of them are directories, with more below than a page holds
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

async fn files_beside_directories(world: &World<'_>) {
    world.create("a", document("file")).await;
    let below = world.transact("a/b", vec![], vec![world.put("a/b", document("below"))]).await;
    let configuration = world.filer.configuration().await.expect("the filer says what it is");
    if !configuration.files_beside_directories {
        // Refused, or, as SeaweedFS 4.48 does it, `a` becomes a directory that keeps what the file had.
        if !matches!(below, Err(FilerError::ParentIsFile(_))) {
            below.expect("nothing but the file is in the way");
            let kept = world.find("a").await.expect("`a` is still there");
            assert!(kept.is_directory && kept.content == document("file").content, "{kept:?}");
        }
        return;
    }
    below.expect("a file and a directory of one name stand beside each other");
    world.create("a!", document("between")).await;
    let kinds = |entries: Vec<Entry>| -> Vec<(String, bool)> {
        entries.into_iter().map(|entry| (entry.name, entry.is_directory)).collect()
    };
    let want = [("a", false), ("a", true), ("a!", false)].map(|(name, directory)| (name.to_owned(), directory));
    assert_eq!(kinds(world.list("", page(10)).await), want, "a file before the directory of its name");
    let first = kinds(world.list("", page(1)).await);
    assert_eq!(first, want[..2], "a page does not end between them");
    let rest = world.list("", ListOptions { start_from: "a".to_owned(), ..page(10) }).await;
    assert_eq!(kinds(rest), want[2..]);
    assert_eq!(world.find("a").await.map(|entry| entry.is_directory), Some(false));
    assert_eq!(world.find("a/").await.map(|entry| entry.is_directory), Some(true));

    let marker = world.put("a", directory());
    let absent = world.transact("a", vec![Condition::NotExists], vec![marker]).await;
    absent.expect("the directory has no entry of its own yet, whatever file stands beside it");
    let again = world.put("a", document("again"));
    let present = world.transact("a", vec![Condition::NotExists], vec![again]).await;
    assert!(matches!(present, Err(FilerError::PreconditionFailed)), "the file is there: {present:?}");
    world.transact("a", vec![], vec![world.delete("a", false)]).await.expect("the file goes first");
    assert_eq!(world.find("a").await.map(|entry| entry.is_directory), Some(true), "its directory stays");
    world.create("a", document("back")).await;
    world.transact("a", vec![], vec![world.delete("a/", true)]).await.expect("`a/` is the directory");
    assert_eq!(kinds(world.list("", page(10)).await), [want[0].clone(), want[2].clone()]);
}

async fn compare_and_swap(world: &World<'_>) {
    let etag = |content| Condition::EtagMatches(etag_of(content));
    let differs = |content| Condition::EtagDiffers(etag_of(content));
    for (conditions, content, happens) in [
        (vec![Condition::Exists], "0", false),
        (vec![etag("0")], "0", false),
        (vec![Condition::NotExists], "1", true),
        (vec![Condition::NotExists], "2", false),
        (vec![etag("2")], "2", false),
        (vec![etag("1")], "2", true),
        (vec![etag("1")], "3", false),
        (vec![Condition::Exists, etag("2")], "3", true),
        (vec![Condition::Exists, etag("2")], "4", false),
        (vec![differs("3")], "4", false),
        (vec![differs("2")], "4", true),
        (vec![Condition::UnmodifiedSince(1_699_999_999)], "5", false),
        (vec![Condition::UnmodifiedSince(1_700_000_000)], "5", true),
        (vec![Condition::ModifiedSince(1_700_000_000)], "6", false),
        (vec![Condition::ModifiedSince(1_699_999_999)], "6", true),
    ] {
        let before = world.find("a").await;
        let result = world.transact("a", conditions.clone(), vec![world.put("a", document(content))]).await;
        let now = world.find("a").await;
        if happens {
            result.unwrap_or_else(|error| panic!("`{content}` on {conditions:?}: {error}"));
            assert_eq!(now.map(|entry| entry.content), Some(content.as_bytes().to_vec()));
        } else {
            assert!(matches!(result, Err(FilerError::PreconditionFailed)), "{conditions:?}: {result:?}");
            assert_eq!(now, before, "nothing was changed");
        }
    }
    let elsewhere = |name: &str| Transaction {
        condition_key: Some(world.path(name)),
        conditions: vec![Condition::Exists],
        ..transaction(&world.path("b"), vec![world.put("b", document("b"))])
    };
    let missing = world.filer.transact(elsewhere("nothing")).await;
    assert!(matches!(missing, Err(FilerError::PreconditionFailed)), "{missing:?}");
    world.filer.transact(elsewhere("a")).await.expect("the condition is about `a`, which exists");
}

async fn one_winner(world: &World<'_>) {
    let contents: Vec<String> = (0..16).map(|number| format!("writer {number}")).collect();
    let attempts = contents
        .iter()
        .map(|content| world.transact("a", vec![Condition::NotExists], vec![world.put("a", document(content))]));
    let results = join_all(attempts).await;
    let mut winners = Vec::new();
    for (content, result) in contents.iter().zip(results) {
        match result {
            Ok(()) => winners.push(content.as_bytes().to_vec()),
            Err(FilerError::PreconditionFailed) => {}
            Err(error) => panic!("`{content}`: {error}"),
        }
    }
    assert_eq!(winners.len(), 1, "one of 16 creates wins");
    assert_eq!(world.find("a").await.map(|entry| entry.content), winners.pop(), "and it is what is stored");
}

async fn what_a_transaction_requires(world: &World<'_>) {
    if !world.filer.configuration().await.expect("the filer says what it is").checks_required {
        return;
    }
    let put = |name: &str| Transaction {
        requires: Some(world.path("b")),
        ..transaction(&world.path(name), vec![world.put(name, document(name))])
    };
    let is_missing =
        |result: Result<(), FilerError>| matches!(result, Err(FilerError::Missing(path)) if path == world.path("b"));
    assert!(is_missing(world.filer.transact(put("b/1")).await), "there is no `b`");
    assert_eq!(world.find("b").await, None, "and none was made");
    world.create("b/2", document("2")).await;
    assert!(
        is_missing(world.filer.transact(put("b/3")).await),
        "a directory that exists by what is below it is not enough"
    );
    world.create("b", directory()).await;
    world.filer.transact(put("b/4")).await.expect("`b` is there");
    assert_eq!(world.names("b", page(10)).await, ["2", "4"]);
    let remove = world.transact("b", vec![], vec![world.delete("b", true)]);
    let puts = (5..20).map(|number| {
        let name = format!("b/{number}");
        async move { world.filer.transact(put(&name)).await }
    });
    let (removed, _) = tokio::join!(remove, join_all(puts));
    removed.expect("the directory is removed with everything below");
    assert_eq!(world.find("b").await, None, "nothing that was put at the same time is left");
}

/// Stages of a directory are told apart by the attribute that conditions compare as an ETag.
async fn the_state_of_a_directory(world: &World<'_>) {
    let stage = |text: &str| Mutation::Patch {
        directory: world.directory.clone(),
        name: "b".to_owned(),
        set: BTreeMap::from([("Seaweed-X-Amz-ETag".to_owned(), text.as_bytes().to_vec())]),
        remove: Vec::new(),
        content: None,
    };
    let at = |text: &str| vec![Condition::EtagMatches(vec![text.to_owned()])];
    let absent = world.transact("b", vec![Condition::Exists], vec![stage("1")]).await;
    assert!(matches!(absent, Err(FilerError::PreconditionFailed)), "{absent:?}");
    world.create("b", directory()).await;
    world.create("b/below", document("1")).await;
    world.transact("b", vec![Condition::Exists], vec![stage("1")]).await.expect("a directory has none at first");
    for (before, next, happens) in [("2", "3", false), ("1", "1.x.2", true), ("1", "2", false), ("1.x.2", "3", true)] {
        let result = world.transact("b", at(before), vec![stage(next)]).await;
        let refused = matches!(result, Err(FilerError::PreconditionFailed));
        assert_eq!((result.is_ok(), refused), (happens, !happens), "{before} {next}: {result:?}");
    }
    let late = world.transact("b", at("1"), vec![world.delete("b", true)]).await;
    assert!(matches!(late, Err(FilerError::PreconditionFailed)), "{late:?}");
    assert_eq!(world.names("b", page(10)).await, ["below"]);
    world.transact("b", at("3"), vec![world.delete("b", true)]).await.expect("it is at this stage");
    assert_eq!(world.find("b").await, None);
}

async fn no_update_is_lost(world: &World<'_>) {
    world.create("n", document("0")).await;
    join_all((0..8).map(|_| async {
        loop {
            let stored = world.find("n").await.expect("the counter is there").content;
            let stored = String::from_utf8(stored).expect("the counter is text");
            let next = (stored.parse::<u32>().expect("the counter is a number") + 1).to_string();
            let seen = vec![Condition::EtagMatches(etag_of(&stored))];
            match world.transact("n", seen, vec![world.put("n", document(&next))]).await {
                Ok(()) => return,
                Err(FilerError::PreconditionFailed) => {}
                Err(error) => panic!("the counter is raised: {error}"),
            }
        }
    }))
    .await;
    assert_eq!(world.find("n").await.map(|entry| entry.content), Some(b"8".to_vec()));
}

async fn a_refused_transaction_changes_nothing(world: &World<'_>) {
    world.create("a", document("1")).await;
    let steps = vec![world.put("a", document("2")), world.put("b", document("2")), world.delete("a", false)];
    let refused = world.transact("a", vec![Condition::NotExists], steps.clone()).await;
    assert!(matches!(refused, Err(FilerError::PreconditionFailed)), "{refused:?}");
    assert_eq!(world.find("a").await.map(|entry| entry.content), Some(b"1".to_vec()));
    assert_eq!(world.find("b").await, None);
    world.transact("a", vec![Condition::Exists], steps).await.expect("all steps are taken, in order");
    assert_eq!(world.names("", page(10)).await, ["b"]);
}

async fn patch(world: &World<'_>) {
    let attribute = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let step = |name: &str, set: &[(String, Vec<u8>)], remove: &[&str], content: Option<&str>| Mutation::Patch {
        directory: world.directory.clone(),
        name: name.to_owned(),
        set: set.iter().cloned().collect(),
        remove: remove.iter().map(|name| (*name).to_owned()).collect(),
        content: content.map(|content| content.as_bytes().to_vec()),
    };
    let mut entry = document("1");
    entry.extended = BTreeMap::from([attribute("x-keep", "1"), attribute("x-change", "1"), attribute("x-drop", "1")]);
    world.create("a", entry.clone()).await;
    let steps = vec![step("a", &[attribute("x-change", "2"), attribute("x-new", "2")], &["x-drop", "x-none"], None)];
    world.transact("a", vec![Condition::EtagMatches(etag_of("1"))], steps).await.expect("attributes are merged");
    let found = world.find("a").await.expect("it is still there");
    let want = BTreeMap::from([attribute("x-keep", "1"), attribute("x-change", "2"), attribute("x-new", "2")]);
    assert_eq!((&found.extended, &found.content), (&want, &entry.content));
    assert_eq!(found.attributes().file_mode, entry.attributes().file_mode);

    world.transact("a", vec![], vec![step("a", &[], &[], Some("22"))]).await.expect("the content is changed");
    let found = world.find("a").await.expect("it is still there");
    assert_eq!((&found.extended, found.content.as_slice()), (&want, &b"22"[..]));

    world.transact("b", vec![], vec![step("b", &[attribute("x", "1")], &[], None)]).await.expect("nothing to patch");
    assert_eq!(world.find("b").await, None, "an absent entry stays absent");

    world.create("d", directory()).await;
    world.create("d/below", document("1")).await;
    world.transact("d", vec![], vec![step("d", &[attribute("x", "1")], &[], None)]).await.expect("directories as well");
    let found = world.find("d").await.expect("the directory is there");
    assert_eq!(found.extended_text("x"), Some("1"));
}

async fn delete(world: &World<'_>) {
    world.transact("a", vec![], vec![world.delete("a", false)]).await.expect("an absent entry counts as removed");
    world.create("a", document("1")).await;
    world.transact("a", vec![], vec![world.delete("a", false)]).await.expect("a file is removed");
    assert_eq!(world.find("a").await, None);

    world.create("d", directory()).await;
    for below in ["d/a", "d/b", "d/c/d/e", "d-not", "d0"] {
        world.create(below, document("1")).await;
    }
    let refused = world.transact("d", vec![], vec![world.delete("d", false)]).await;
    assert!(matches!(refused, Err(FilerError::NotEmpty(_))), "there is something in it: {refused:?}");
    assert_eq!(world.names("d", page(10)).await, ["a", "b", "c"]);
    world.transact("d", vec![], vec![world.delete("d", true)]).await.expect("with everything below");
    for gone in ["d", "d/a", "d/b", "d/c", "d/c/d/e"] {
        assert_eq!(world.find(gone).await, None, "`{gone}`");
    }
    assert_eq!(world.names("", page(10)).await, ["d-not", "d0"], "neighbours stay");

    world.create("e", directory()).await;
    assert_eq!(world.list("e", page(10)).await, vec![]);
    assert!(world.find("e").await.is_some_and(|entry| entry.is_directory), "an empty directory that was put stays");
    world.transact("e", vec![], vec![world.delete("e", false)]).await.expect("an empty directory is removed");
    assert_eq!(world.find("e").await, None);
}

async fn bodies(world: &World<'_>) {
    let configuration = world.filer.configuration().await.expect("the filer says what it is");
    let chunk = configuration.chunk_bytes;
    for bytes in [0, 1, 1024, 8192, 8193, 100_000, chunk - 1, chunk, chunk + 1, 2 * chunk + 12_345] {
        let body = pattern(bytes, bytes as u64);
        let written = world.write(&body).await;
        let digest: [u8; 16] = Md5::digest(&body).into();
        assert_eq!((written.bytes, written.md5), (bytes as u64, digest), "{bytes} bytes");
        let covered: u64 = written.chunks.iter().map(|chunk| chunk.size).sum();
        assert_eq!(covered, bytes as u64);
        let name = format!("body-{bytes}");
        world.create(&name, object(&written)).await;
        let entry = world.find(&name).await.expect("it was put");
        assert_eq!(entry.content_bytes(), bytes as u64);
        let (all, from_chunk) = (bytes as u64, chunk as u64);
        let ranges = [
            (0, all),
            (0, 1),
            (all / 3, 100),
            (from_chunk - 50, 100),
            (from_chunk, 1),
            (all.saturating_sub(1), 1),
            (all / 2, 0),
        ];
        for (from, length) in ranges.into_iter().filter(|(from, length)| from + length <= all) {
            let read = world.read(&entry, from, length).await;
            let read = read.unwrap_or_else(|error| panic!("{length} bytes from {from} of {bytes}: {error}"));
            assert!(read == body[from as usize..(from + length) as usize], "{length} bytes from {from} of {bytes}");
        }
        let resolved = world.filer.resolve_chunks(&entry.chunks).await.expect("chunks are resolved");
        assert_eq!(resolved.iter().map(|chunk| chunk.size).sum::<u64>(), all);
    }
}

async fn holes(world: &World<'_>) {
    let body = pattern(50_000, 1);
    let mut entry = object(&world.write(&body).await);
    for chunk in &mut entry.chunks {
        chunk.offset += 100_000;
    }
    entry.attributes.get_or_insert_default().file_size = 200_000;
    world.create("sparse", entry).await;
    let entry = world.find("sparse").await.expect("it was put");
    let want = [vec![0; 100_000], body, vec![0; 50_000]].concat();
    for (from, to) in [(0, 200_000), (99_990, 100_010), (149_990, 150_010), (10, 20), (199_999, 200_000)] {
        let read = world.read(&entry, from, to - from).await.expect("holes can be read");
        assert!(read == want[from as usize..to as usize], "{from}..{to}");
    }
}

async fn inline_content(world: &World<'_>) {
    world.create("a", document("0123456789")).await;
    let entry = world.find("a").await.expect("it was put");
    for (from, length, want) in [(0, 10, "0123456789"), (3, 4, "3456"), (9, 1, "9")] {
        let read = world.read(&entry, from, length).await.expect("inline content is read");
        assert_eq!(String::from_utf8_lossy(&read), want);
    }
}

async fn an_early_end(world: &World<'_>) {
    for bytes in [0, 100, 3 << 20] {
        let piece = Ok(Bytes::from(pattern(bytes, 1)));
        let body = stream::iter([piece, Err(BodyError("the client is gone".to_owned()))]);
        let target = WriteTarget { path: world.path("body"), ..WriteTarget::default() };
        let result = world.filer.write(&target, Box::pin(body)).await;
        assert!(matches!(result, Err(FilerError::Body(_))), "after {bytes} bytes: {result:?}");
    }
}

/// Waits until data cannot be read any more.
async fn is_freed(world: &World<'_>, entry: &Entry) -> bool {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if world.read(entry, 0, entry.content_bytes()).await.is_err() {
            return true;
        }
        sleep(Duration::from_millis(100)).await;
    }
    false
}

async fn replaced_data_is_freed(world: &World<'_>) {
    // of both kinds: kept with its entry, and stored apart
    tokio::join!(replaced_bytes_are_freed(world, "small", 2000), replaced_bytes_are_freed(world, "large", 100_000));
}

async fn replaced_bytes_are_freed(world: &World<'_>, name: &str, bytes: usize) {
    let (kept, dropped, unused) = (
        object(&world.write(&pattern(bytes, 1)).await),
        object(&world.write(&pattern(bytes, 2)).await),
        object(&world.write(&pattern(bytes, 3)).await),
    );
    let mut both = kept.clone();
    both.chunks.extend(dropped.chunks.iter().cloned().map(|mut chunk| {
        chunk.offset += bytes as i64;
        chunk
    }));
    both.attributes.get_or_insert_default().file_size = 2 * bytes as u64;
    world.create(name, both.clone()).await;
    let read = world.read(&both, 0, 2 * bytes as u64).await.expect("both parts are there");
    assert!(read == [pattern(bytes, 1), pattern(bytes, 2)].concat());
    world.create(name, kept.clone()).await;
    world.filer.delete_chunks(unused.chunks.clone()).await;
    assert!(is_freed(world, &dropped).await, "the part that the new entry does not name is freed");
    assert!(is_freed(world, &unused).await, "data that was given back is freed");
    let read = world.read(&kept, 0, bytes as u64).await.expect("the part that the new entry names stays");
    assert!(read == pattern(bytes, 1));
    world.transact(name, vec![], vec![world.delete(name, false)]).await.expect("the entry is removed");
    assert!(is_freed(world, &kept).await, "and with it the data");
}

/// As a multipart upload is completed: the chunks of the parts are listed in the object, then the parts go, their data not.
async fn data_moves_between_entries(world: &World<'_>) {
    let mut whole = Entry { attributes: Some(Attributes::default()), ..Entry::default() };
    let mut offset = 0;
    for (part, bytes) in [300_000, 5000, 12].into_iter().enumerate() {
        let written = world.write(&pattern(bytes, part as u64)).await;
        world.create(&format!("upload/{part}"), object(&written)).await;
        let entry = world.find(&format!("upload/{part}")).await.expect("the part is there");
        for mut chunk in world.filer.resolve_chunks(&entry.chunks).await.expect("chunks are resolved") {
            chunk.offset += offset;
            whole.chunks.push(chunk);
        }
        offset += bytes as i64;
    }
    whole.attributes.get_or_insert_default().file_size = offset as u64;
    world.create("whole", whole).await;
    let parts = Mutation::Delete {
        directory: world.directory.clone(),
        name: "upload".to_owned(),
        delete_data: false,
        recursive: true,
    };
    world.transact("upload", vec![], vec![parts]).await.expect("the parts are removed");
    assert_eq!(world.find("upload").await, None);
    sleep(Duration::from_secs(5)).await;
    let entry = world.find("whole").await.expect("it was put");
    let read = world.read(&entry, 0, offset as u64).await.expect("its data is there");
    assert!(read == [pattern(300_000, 0), pattern(5000, 1), pattern(12, 2)].concat());
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
            // What this member wrote comes on its own feed, in order.
            loop {
                let item = timeout(PATIENCE, feed.next()).await.expect("the feed tells it").expect("the feed goes on");
                let FeedItem::Change(change) = item.expect("the feed goes on") else { continue };
                assert_eq!(change.new.map(|entry| entry.content), Some(round.as_bytes().to_vec()));
                break;
            }
        }
    }
}

async fn feed(world: &World<'_>) {
    // made first, so that the directories are no news
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
        // whether directories are reported that come and go by themselves is the filer's business
        let is_file = |entry: &Option<Box<Entry>>| entry.as_ref().is_none_or(|entry| !entry.is_directory);
        if is_file(&change.old) && is_file(&change.new) {
            seen.push(change);
        }
    }
    let last = seen.last().and_then(|change| change.new.as_ref()).and_then(|entry| entry.extended_text("x"));
    assert_eq!(last, Some("1"), "the new entry is as it is now");
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
    // the order within one recursive removal is the filer's business
    seen[5..8].sort();
    want[5..8].sort();
    assert_eq!(seen, want);
    let alive = timeout(PATIENCE, items.next()).await.expect("an idle feed says that it is alive");
    assert!(matches!(alive, Some(Ok(FeedItem::Heartbeat { .. }))), "{alive:?}");
}
