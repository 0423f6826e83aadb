//! The embedded filer: what every filer has to do, and what only this one promises.

#![expect(clippy::unwrap_used, reason = "helpers of tests: any error fails the test")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use filer::embedded::OpenError;
use filer::{
    Attributes, BodyError, Change, EmbeddedFiler, Entry, FeedFilter, FeedItem, FileChunk, Filer, FilerError,
    ListOptions, Mutation, Transaction, WriteTarget, conformance,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use tempfile::TempDir;

fn opened() -> (TempDir, EmbeddedFiler) {
    let directory = tempfile::tempdir().unwrap();
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    (directory, filer)
}

fn put(directory: &str, name: &str, chunks: &[FileChunk]) -> Mutation {
    let bytes = chunks.iter().map(|chunk| chunk.size).sum();
    let attributes = Attributes { file_size: bytes, ..Attributes::default() };
    let entry =
        Entry { name: name.to_owned(), chunks: chunks.to_vec(), attributes: Some(attributes), ..Entry::default() };
    Mutation::Put { directory: directory.to_owned(), entry: Box::new(entry) }
}

fn delete(directory: &str, name: &str, delete_data: bool) -> Mutation {
    Mutation::Delete { directory: directory.to_owned(), name: name.to_owned(), delete_data, recursive: false }
}

async fn transact(filer: &EmbeddedFiler, mutations: Vec<Mutation>) -> Result<(), FilerError> {
    filer.transact(Transaction { mutations, ..Transaction::default() }).await
}

async fn write(filer: &EmbeddedFiler, body: Vec<u8>) -> Vec<FileChunk> {
    let body = Box::pin(stream::iter([Ok(Bytes::from(body))]));
    filer.write(&WriteTarget::default(), body).await.unwrap().chunks
}

async fn read(filer: &EmbeddedFiler, path: &str) -> Result<Vec<u8>, FilerError> {
    let entry = filer.lookup(path).await?.unwrap_or_default();
    let pieces: Vec<Bytes> = filer.read(&entry, 0, entry.content_bytes()).await?.try_collect().await?;
    Ok(pieces.concat())
}

fn page(limit: usize) -> ListOptions {
    ListOptions { limit, ..ListOptions::default() }
}

async fn names(filer: &EmbeddedFiler, directory: &str) -> Vec<String> {
    let listed = filer.list(directory, page(1000)).await.unwrap();
    listed.into_iter().map(|entry| entry.name).collect()
}

fn data_files(directory: &Path) -> usize {
    let directories = std::fs::read_dir(directory.join("data")).unwrap();
    directories.map(|directory| std::fs::read_dir(directory.unwrap().path()).unwrap().count()).sum()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(15), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let (directory, filer) = opened();
    conformance::run(&filer).await;
    until("all data is freed at the end", || data_files(directory.path()) == 0).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_refused() {
    let (directory, filer) = opened();
    let error = EmbeddedFiler::open(directory.path()).err().unwrap();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");
    let mode = |path: &str| std::fs::metadata(directory.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("meta.redb"), mode("data"), mode("data/00")), (0o600, 0o700, 0o700), "entries hold secrets");
    drop(filer);
    EmbeddedFiler::open(directory.path()).expect("it is free again");
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(EmbeddedFiler::open(file), Err(OpenError::Io { .. })));
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let (directory, filer) = opened();
    let (small, large) = (write(&filer, vec![1; 100]).await, write(&filer, vec![2; 100_000]).await);
    transact(&filer, vec![put("/d", "small", &small), put("/d", "large", &large)]).await.unwrap();
    let unnamed = write(&filer, vec![3; 100_000]).await;
    assert_eq!((unnamed.len(), data_files(directory.path())), (1, 2));
    let signature = filer.configuration().await.unwrap().signature;
    drop(filer);

    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    assert_eq!(filer.configuration().await.unwrap().signature, signature);
    assert_eq!(names(&filer, "/d").await, ["large", "small"]);
    assert_eq!(read(&filer, "/d/small").await.unwrap(), [1; 100]);
    assert_eq!(read(&filer, "/d/large").await.unwrap(), [2; 100_000]);
    until("what was never named is removed", || data_files(directory.path()) == 1).await;
    let named = transact(&filer, vec![put("/d", "late", &unnamed)]).await;
    assert!(matches!(named, Err(FilerError::Damaged(..))), "no entry names data that is gone: {named:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_leaves_nothing() {
    let (directory, filer) = opened();
    let target = WriteTarget::default();
    let piece = || Ok(Bytes::from(vec![7; 9 << 20]));
    let ends_early = stream::iter([piece(), Err(BodyError("the client is gone".to_owned()))]);
    assert!(matches!(filer.write(&target, Box::pin(ends_early)).await, Err(FilerError::Body(_))));
    until("a body that ended early", || data_files(directory.path()) == 0).await;

    let stalls = stream::iter([piece()]).chain(stream::pending());
    let cancelled = tokio::time::timeout(Duration::from_millis(300), filer.write(&target, Box::pin(stalls))).await;
    assert!(cancelled.is_err());
    until("a request that was cancelled", || data_files(directory.path()) == 0).await;

    let written = filer.write(&target, Box::pin(stream::iter([piece()]))).await.unwrap();
    assert_eq!((written.chunks.len(), data_files(directory.path())), (2, 2));
    filer.delete_chunks(written.chunks).await;
    until("data that was given back", || data_files(directory.path()) == 0).await;
}

#[tokio::test]
async fn a_transaction_happens_as_a_whole_or_not_at_all() {
    let (_directory, filer) = opened();
    let chunks = write(&filer, vec![1; 10]).await;
    transact(&filer, vec![put("/d", "a", &chunks), put("/d/e", "f", &[])]).await.unwrap();
    let strange = |file_id: &str| [FileChunk { file_id: file_id.to_owned(), size: 1, ..FileChunk::default() }];
    for last in [
        delete("/d", "e", true),
        put("/d", "x", &strange("local,00000000000000ff")),
        put("/d", "x", &strange("local,../../../etc/passwd")),
        put("/d", "x", &strange("3,01637037d6")),
        put("/d", "x/y", &[]),
        put("/d", "", &[]),
        put("d", "x", &[]),
        put("/d", &"x".repeat(5000), &[]),
    ] {
        let steps = vec![delete("/d", "a", true), put("/d", "b", &[]), put("/d", "a", &[]), last];
        let refused = transact(&filer, steps.clone()).await;
        assert!(refused.is_err(), "{:?}", steps.last());
        assert_eq!(names(&filer, "/d").await, ["a", "e"], "{:?}", steps.last());
        assert_eq!(read(&filer, "/d/a").await.unwrap(), [1; 10]);
    }
}

#[tokio::test]
async fn data_lives_as_long_as_an_entry_names_it() {
    let (directory, filer) = opened();
    let chunks = write(&filer, vec![1; 100_000]).await;
    // Like an upload that was completed while its parts stayed, and was then aborted with its data.
    transact(&filer, vec![put("/upload", "part", &chunks)]).await.unwrap();
    transact(&filer, vec![put("/bucket", "object", &chunks)]).await.unwrap();
    transact(&filer, vec![delete("/upload", "part", true)]).await.unwrap();
    filer.delete_chunks(chunks.clone()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(read(&filer, "/bucket/object").await.unwrap(), [1; 100_000]);

    // The last name is removed but the data is kept: it can be named again.
    transact(&filer, vec![delete("/bucket", "object", false)]).await.unwrap();
    transact(&filer, vec![put("/bucket", "again", &chunks)]).await.unwrap();
    assert_eq!(read(&filer, "/bucket/again").await.unwrap(), [1; 100_000]);
    // If no entry names it until the next start, it is removed.
    transact(&filer, vec![delete("/bucket", "again", false)]).await.unwrap();
    drop(filer);
    assert_eq!(data_files(directory.path()), 1);
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    until("data that nothing names is removed", || data_files(directory.path()) == 0).await;
    drop(filer);
}

#[tokio::test]
async fn freed_data_cannot_be_named_again() {
    let (_directory, filer) = opened();
    for bytes in [10, 10_000] {
        let (freed, given_back) = (write(&filer, vec![1; bytes]).await, write(&filer, vec![2; bytes]).await);
        transact(&filer, vec![put("/d", "a", &freed)]).await.unwrap();
        transact(&filer, vec![delete("/d", "a", true)]).await.unwrap();
        filer.delete_chunks(given_back.clone()).await;
        for chunks in [freed, given_back] {
            let refused = transact(&filer, vec![put("/d", "b", &chunks)]).await;
            assert!(matches!(refused, Err(FilerError::Damaged(..))), "{bytes} bytes: {refused:?}");
        }
    }
}

#[tokio::test]
async fn data_stays_while_it_is_being_read() {
    let (directory, filer) = opened();
    let body: Vec<u8> = (0..20 << 20).map(|at: u32| (at / 4096) as u8).collect();
    let chunks = write(&filer, body.clone()).await;
    assert_eq!(chunks.len(), 3);
    transact(&filer, vec![put("/d", "a", &chunks)]).await.unwrap();
    let entry = filer.lookup("/d/a").await.unwrap().unwrap();
    let mut reading = filer.read(&entry, 0, body.len() as u64).await.unwrap();
    let first = reading.next().await.unwrap().unwrap();
    transact(&filer, vec![delete("/d", "a", true)]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let rest: Vec<Bytes> = reading.try_collect().await.unwrap();
    assert!([first.to_vec(), rest.concat()].concat() == body);
    until("it goes when the reader is done", || data_files(directory.path()) == 0).await;
    assert!(matches!(filer.read(&entry, 0, 1).await, Err(FilerError::Damaged(..))));
}

#[tokio::test]
async fn invalid_names_are_refused() {
    let (_directory, filer) = opened();
    // (directory, name); the empty name is the directory in `a//b`.
    for (directory, name) in [
        ("/b", ".."),
        ("/b/..", "x"),
        ("/b", "\u{0}"),
        ("/b", "\u{1}"),
        ("/b/\u{0}\u{1}", "\u{1}\u{0}"),
        ("/b/a/", "b"),
        ("/b", "%2F"),
        ("/b", "line\nfeed"),
    ] {
        transact(&filer, vec![put(directory, name, &[])]).await.unwrap();
        let found = filer.lookup(&format!("{directory}/{name}")).await.unwrap();
        assert_eq!(found.map(|entry| entry.name), Some(name.to_owned()), "{name:?} in {directory:?}");
        assert!(names(&filer, directory).await.contains(&name.to_owned()), "{name:?} in {directory:?}");
    }
    assert_eq!(
        names(&filer, "/b").await,
        ["\u{0}", "\u{0}\u{1}", "\u{1}", "%2F", "..", "..", "a", "line\nfeed"],
        "`..` is a file and a directory"
    );
    assert_eq!(names(&filer, "/b/a").await, [""]);
    assert_eq!(names(&filer, "/").await, ["b"]);
    for path in ["", "b", "b/x"] {
        assert!(filer.lookup(path).await.is_err(), "`{path}` is not an absolute path");
    }
}

#[tokio::test]
async fn a_listing_takes_no_time_for_deeper_levels() {
    let (_directory, filer) = opened();
    let many = (0..30_000).map(|number| put("/b/deep/deeper", &format!("{number:06}"), &[]));
    transact(&filer, many.chain([put("/b", "z", &[])]).collect()).await.unwrap();
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(names(&filer, "/b").await, ["deep", "z"]);
    }
    // Reading all 30,000 a hundred times would take much longer.
    assert!(begun.elapsed() < Duration::from_secs(10), "100 listings of 2 took {:?}", begun.elapsed());
    let options = ListOptions { start_from: "029997".to_owned(), ..page(2) };
    let listed = filer.list("/b/deep/deeper", options).await.unwrap();
    assert_eq!(listed.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["029998", "029999"]);
}

async fn changes(filer: &EmbeddedFiler) -> filer::Feed {
    let filter = FeedFilter { prefixes: vec!["/".to_owned()], directories: vec![] };
    let mut feeds = filer.subscribe(filter).await.unwrap();
    assert_eq!(feeds.len(), 1);
    feeds.remove(0).1
}

fn is_change(item: &Result<FeedItem, FilerError>) -> Option<&Change> {
    if let Ok(FeedItem::Change(change)) = item { Some(change) } else { None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_of_the_feed_delays_no_one() {
    let (_directory, filer) = opened();
    let (mut slow, mut quick) = (changes(&filer).await, changes(&filer).await);
    let mut last_ns = 0;
    for round in 0..2 {
        let many = (0..35_000).map(|number| put("/b", &format!("{round}-{number}"), &[]));
        transact(&filer, many.collect()).await.unwrap();
        for _ in 0..35_000 {
            let item = quick.next().await.unwrap();
            let Some(change) = is_change(&item) else { continue };
            assert!(change.ts_ns > last_ns);
            last_ns = change.ts_ns;
        }
    }
    // Old rows are removed a few at a time.
    for number in 0..100 {
        transact(&filer, vec![put("/c", &number.to_string(), &[])]).await.unwrap();
    }
    let overtaken = slow.next().await.unwrap();
    assert!(matches!(overtaken, Err(FilerError::Unavailable(_))), "{overtaken:?}");
    assert!(slow.next().await.is_none(), "it ends with an error, so that its reader lists again");
}

#[tokio::test]
async fn feeds_end_when_the_filer_is_closed_and_times_keep_growing() {
    let (directory, filer) = opened();
    let mut feed = changes(&filer).await;
    transact(&filer, vec![put("/b", "a", &[])]).await.unwrap();
    let item = feed.next().await.unwrap();
    let before = is_change(&item).expect("the change is in the feed as soon as it is acknowledged").ts_ns;
    drop(filer);
    let end = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            if let Err(error) = feed.next().await.unwrap() {
                return error;
            }
        }
    });
    assert!(matches!(end.await, Ok(FilerError::Unavailable(_))));
    let filer = EmbeddedFiler::open(directory.path()).expect("an old feed does not keep the directory in use");
    let mut feed = changes(&filer).await;
    transact(&filer, vec![put("/b", "b", &[])]).await.unwrap();
    let item = feed.next().await.unwrap();
    assert!(is_change(&item).expect("only what is new").ts_ns > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_gives_room_back() {
    let (directory, filer) = opened();
    let database_bytes = || std::fs::metadata(directory.path().join("meta.redb")).unwrap().len();
    let body = |number: u32| vec![number as u8; 8000];
    for batch in 0..20 {
        let mut steps = Vec::new();
        for number in batch * 100..(batch + 1) * 100 {
            steps.push(put("/d", &format!("{number:05}"), &write(&filer, body(number)).await));
        }
        transact(&filer, steps).await.unwrap();
    }
    let deleted = (10..2000).map(|number| delete("/d", &format!("{number:05}"), true));
    transact(&filer, deleted.collect()).await.unwrap();
    // Deleted data stays for a few seconds, for its readers.
    let begun = Instant::now();
    let full = database_bytes();
    while database_bytes() > full / 4 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{full} bytes became {}", database_bytes());
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (before, after) = filer.compact().unwrap();
        assert!(after <= before, "{before} bytes became {after}");
    }
    for number in 0..10 {
        assert_eq!(read(&filer, &format!("/d/{number:05}")).await.unwrap(), body(number));
    }
    transact(&filer, vec![put("/d", "new", &write(&filer, body(1)).await)]).await.unwrap();
    drop(filer);
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    assert_eq!(names(&filer, "/d").await.len(), 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_gives_room_back_while_it_is_used() {
    let (directory, filer) = opened();
    let database_bytes = || std::fs::metadata(directory.path().join("meta.redb")).unwrap().len();
    let body = |number: u32| vec![number as u8; 8000];
    for batch in 0..60 {
        let mut steps = Vec::new();
        for number in batch * 200..(batch + 1) * 200 {
            steps.push(put("/d", &format!("{number:05}"), &write(&filer, body(number)).await));
        }
        transact(&filer, steps).await.unwrap();
    }
    let full = database_bytes();
    assert!(full > 64 << 20, "{full} bytes are left alone");
    let deleted = (100..12_000).map(|number| delete("/d", &format!("{number:05}"), true));
    transact(&filer, deleted.collect()).await.unwrap();
    let begun = Instant::now();
    for number in 12_000_u32.. {
        // It is in use all the time.
        let name = format!("{:05}", 12_000 + number % 100);
        transact(&filer, vec![put("/d", &name, &write(&filer, body(number)).await)]).await.unwrap();
        assert_eq!(read(&filer, &format!("/d/{name}")).await.unwrap(), body(number));
        assert_eq!(read(&filer, &format!("/d/{:05}", number % 100)).await.unwrap(), body(number % 100));
        if database_bytes() < full / 4 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{full} bytes became {}", database_bytes());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(filer);
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    for number in 0..100 {
        assert_eq!(read(&filer, &format!("/d/{number:05}")).await.unwrap(), body(number));
    }
}
