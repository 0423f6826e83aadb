//! A disk that fails, is full or becomes read-only: nothing that was acknowledged is lost, reads go on, and the filer
//! recovers by itself.

#![expect(clippy::unwrap_used, reason = "helpers of tests: any error fails the test")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use bytes::Bytes;
use filer::{
    Attributes, EmbeddedFiler, Entry, FeedFilter, FeedItem, Filer, FilerError, Mutation, Transaction, WriteTarget,
};
use futures_util::{StreamExt, TryStreamExt, stream};

/// How many runs there are; `KELPGATE_DISK_SEEDS` sets another number.
const SEEDS: u64 = 20;

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn body(version: u64) -> Vec<u8> {
    let bytes = if version.is_multiple_of(5) { 20_000 } else { 500 };
    vec![version as u8; bytes + version as usize % 7]
}

async fn put(filer: &EmbeddedFiler, name: &str, version: u64) -> Result<(), FilerError> {
    let content = Bytes::from(body(version));
    let bytes = content.len() as u64;
    let written = filer.write(&WriteTarget::default(), Box::pin(stream::iter([Ok(content)]))).await?;
    let attributes = Attributes { file_size: bytes, mtime: version as i64, ..Attributes::default() };
    let entry =
        Entry { name: name.to_owned(), chunks: written.chunks, attributes: Some(attributes), ..Entry::default() };
    transact(filer, Mutation::Put { directory: "/d".to_owned(), entry: Box::new(entry) }).await
}

async fn delete(filer: &EmbeddedFiler, name: &str) -> Result<(), FilerError> {
    let (directory, name) = ("/d".to_owned(), name.to_owned());
    transact(filer, Mutation::Delete { directory, name, delete_data: true, recursive: false }).await
}

async fn transact(filer: &EmbeddedFiler, mutation: Mutation) -> Result<(), FilerError> {
    filer.transact(Transaction { mutations: vec![mutation], ..Transaction::default() }).await
}

/// The version that is stored under a name, after its bytes were compared.
async fn version(filer: &EmbeddedFiler, name: &str) -> Result<Option<u64>, FilerError> {
    let Some(entry) = filer.lookup(&format!("/d/{name}")).await? else { return Ok(None) };
    let version = entry.attributes().mtime as u64;
    let pieces: Vec<Bytes> = filer.read(&entry, 0, entry.content_bytes()).await?.try_collect().await?;
    assert!(pieces.concat() == body(version), "`{name}` has the bytes of its version {version}");
    Ok(Some(version))
}

/// What may be stored under each name: what was acknowledged last, and what was tried since.
type Possible = BTreeMap<String, Vec<Option<u64>>>;

async fn check(filer: &EmbeddedFiler, possible: &mut Possible, when: &str) {
    for (name, versions) in possible {
        let found = version(filer, name).await.unwrap();
        assert!(versions.contains(&found), "{when}: `{name}` is {found:?}, not one of {versions:?}");
        *versions = vec![found];
    }
}

async fn step(filer: &EmbeddedFiler, random: &mut u64, number: u64, possible: &mut Possible) -> Result<(), FilerError> {
    let name = format!("k{}", next(random) % 8);
    let wanted = (!next(random).is_multiple_of(4)).then_some(number + 1);
    let done = match wanted {
        Some(version) => put(filer, &name, version).await,
        None => delete(filer, &name).await,
    };
    let versions = possible.entry(name).or_insert_with(|| vec![None]);
    match done {
        Ok(()) => *versions = vec![wanted],
        Err(_) => versions.push(wanted),
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_writes_fail() {
    let seeds = std::env::var("KELPGATE_DISK_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let directory = tempfile::tempdir().unwrap();
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        let mut random = seed;
        let mut possible = Possible::new();
        let kind = [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem, ErrorKind::Other][seed as usize % 3];
        for number in 0..10 {
            step(&filer, &mut random, number, &mut possible).await.unwrap();
        }
        filer.fail_writes(Some((next(&mut random) % 60, kind)));
        let mut failed = 0;
        for number in 10..40 {
            failed += u32::from(step(&filer, &mut random, number, &mut possible).await.is_err());
            let when = format!("seed {seed}, {kind:?}, step {number}");
            // Reads go on while writes fail.
            let (name, versions) = possible.iter().next().unwrap();
            let found = version(&filer, name).await.unwrap_or_else(|error| panic!("{when}: {error}"));
            assert!(versions.contains(&found), "{when}: `{name}` is {found:?}, not one of {versions:?}");
        }
        assert!(failed > 0, "seed {seed}: something failed");
        assert_eq!(filer.health().closed, None, "seed {seed}");

        filer.fail_writes(None);
        check(&filer, &mut possible, &format!("seed {seed}, {kind:?}, after the fault")).await;
        for number in 40..50 {
            step(&filer, &mut random, number, &mut possible).await.unwrap();
        }
        drop(filer);
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        check(&filer, &mut possible, &format!("seed {seed}, {kind:?}, after a restart")).await;
    }
}

#[tokio::test]
async fn errors_say_that_the_disk_is_full() {
    let directory = tempfile::tempdir().unwrap();
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    for (kind, is_full) in
        [(ErrorKind::StorageFull, true), (ErrorKind::ReadOnlyFilesystem, true), (ErrorKind::Other, false)]
    {
        for large in [5, 6] {
            filer.fail_writes(Some((0, kind)));
            let error = put(&filer, "a", large).await.unwrap_err();
            assert_eq!(matches!(error, FilerError::Full(_)), is_full, "{kind:?}: {error}");
            filer.fail_writes(None);
            put(&filer, "a", large).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_feed_misses_nothing_over_a_fault() {
    let directory = tempfile::tempdir().unwrap();
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    let filter = FeedFilter { prefixes: vec!["/".to_owned()], directories: Vec::new() };
    let mut feed = filer.subscribe(filter).await.unwrap().remove(0).1;
    let mut expected = Vec::new();
    for round in 0..30 {
        filer.fail_writes((round % 3 == 1).then_some((round, ErrorKind::Other)));
        let name = format!("k{round}");
        if put(&filer, &name, round).await.is_ok() {
            expected.push(name);
        }
    }
    filer.fail_writes(None);
    put(&filer, "last", 1).await.unwrap();
    let begun = Instant::now();
    let mut seen = Vec::new();
    while seen.last().is_none_or(|name| name != "last") {
        assert!(begun.elapsed() < Duration::from_secs(10), "{seen:?}");
        if let FeedItem::Change(change) = feed.next().await.unwrap().unwrap() {
            seen.push(change.new.unwrap().name);
        }
    }
    assert!(expected.iter().all(|name| seen.contains(name)), "{expected:?} in {seen:?}");
}
