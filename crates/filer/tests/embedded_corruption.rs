//! What is stored on the disk changes, or is from the version before: every answer is right, or an error.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: any error fails the test")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use filer::embedded::Scrubber;
use filer::{Attributes, EmbeddedFiler, Entry, Filer, FilerError, ListOptions, Mutation, Transaction, WriteTarget};
use flate2::read::GzDecoder;
use futures_util::{TryStreamExt, stream};

/// Bodies that are kept with the entry, in a file of one block, and in files of several.
const SIZES: [usize; 5] = [0, 300, 9_000, 70_000, 200_000];

/// Content by path.
type Tree = BTreeMap<String, Vec<u8>>;

fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

fn content(seed: usize, bytes: usize) -> Vec<u8> {
    let mut state = seed as u64;
    (0..bytes.div_ceil(4)).flat_map(|_| (next(&mut state) as u32).to_le_bytes()).take(bytes).collect()
}

async fn put(filer: &EmbeddedFiler, directory: &str, name: &str, body: Vec<u8>) -> Result<(), FilerError> {
    let bytes = body.len() as u64;
    let written = filer.write(&WriteTarget::default(), Box::pin(stream::iter([Ok(Bytes::from(body))]))).await?;
    let attributes = Attributes { file_size: bytes, ..Attributes::default() };
    let entry =
        Entry { name: name.to_owned(), chunks: written.chunks, attributes: Some(attributes), ..Entry::default() };
    let mutations = vec![Mutation::Put { directory: directory.to_owned(), entry: Box::new(entry) }];
    filer.transact(Transaction { mutations, ..Transaction::default() }).await
}

async fn read(filer: &EmbeddedFiler, entry: &Entry) -> Result<Vec<u8>, FilerError> {
    if !entry.content.is_empty() {
        return Ok(entry.content.clone());
    }
    let pieces: Vec<Bytes> = filer.read(entry, 0, entry.content_bytes()).await?.try_collect().await?;
    Ok(pieces.concat())
}

async fn list(filer: &EmbeddedFiler, directory: &str) -> Result<Vec<Entry>, FilerError> {
    filer.list(directory, ListOptions { limit: 10_000, ..ListOptions::default() }).await
}

/// All files below a directory.
async fn tree(filer: &EmbeddedFiler, directory: &str) -> Tree {
    let mut found = Tree::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in list(filer, &directory).await.unwrap() {
            let path = format!("{}/{}", directory.trim_end_matches('/'), entry.name);
            if entry.is_directory {
                waiting.push(path);
            } else {
                let bytes = read(filer, &entry).await.unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

fn files_of(directory: &Path) -> Vec<PathBuf> {
    let data = std::fs::read_dir(directory.join("data")).unwrap();
    let mut files: Vec<PathBuf> =
        data.flat_map(|of| std::fs::read_dir(of.unwrap().path()).unwrap()).map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// A directory with files of all sizes and many small ones, closed in order.
async fn filled(directory: &Path) -> Tree {
    let filer = EmbeddedFiler::open(directory).unwrap();
    let mut expected = Tree::new();
    for (number, bytes) in SIZES.into_iter().enumerate() {
        let body = content(number, bytes);
        put(&filer, "/buckets/b/sizes", &bytes.to_string(), body.clone()).await.unwrap();
        expected.insert(format!("/buckets/b/sizes/{bytes}"), body);
    }
    for number in 0..150 {
        let body = content(number, 700);
        put(&filer, "/buckets/b/many", &format!("{number:04}"), body.clone()).await.unwrap();
        expected.insert(format!("/buckets/b/many/{number:04}"), body);
    }
    expected
}

/// How answers turned out.
#[derive(Debug, Default)]
struct Seen {
    right: u32,
    errors: u32,
}

/// Reads everything in every way. Panics at the first answer that is wrong.
async fn check(filer: &EmbeddedFiler, expected: &Tree, seen: &mut Seen) {
    for (path, body) in expected {
        let found = match filer.lookup(path).await {
            Ok(entry) => read(filer, &entry.expect(path)).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => {
                assert!(found == *body, "`{path}` has other bytes");
                seen.right += 1;
            }
            Err(_) => seen.errors += 1,
        }
    }
    for directory in ["/buckets/b/sizes", "/buckets/b/many"] {
        let Ok(listed) = list(filer, directory).await else {
            seen.errors += 1;
            continue;
        };
        let names: Vec<String> = listed.into_iter().map(|entry| format!("{directory}/{}", entry.name)).collect();
        let want: Vec<&String> = expected.keys().filter(|path| path.starts_with(directory)).collect();
        assert!(names.iter().eq(want), "`{directory}` is listed otherwise");
        seen.right += 1;
    }
    if let Ok(below) = filer.below("/buckets", 1_000_000).await {
        assert_eq!(below.unwrap().entries.len(), expected.len(), "everything below");
    }
}

/// The paths that one pass of scrubbing reports.
fn scrubbed(directory: &Path) -> Vec<String> {
    let filer = EmbeddedFiler::open(directory).unwrap();
    let mut scrubber = Scrubber::new(&filer);
    let mut paths = Vec::new();
    loop {
        let step = scrubber.step(1 << 20).unwrap();
        paths.extend(step.findings.into_iter().flat_map(|finding| finding.paths));
        if step.is_complete {
            assert_eq!(filer.health().scrub.findings, paths.len() as u64);
            return paths;
        }
    }
}

fn flip(file: &Path, random: &mut u64) -> String {
    let mut bytes = std::fs::read(file).unwrap();
    let (at, bit) = (next(random) % bytes.len(), next(random) % 8);
    bytes[at] ^= 1 << bit;
    std::fs::write(file, &bytes).unwrap();
    format!("bit {bit} of byte {at} of `{}`", file.display())
}

/// Copies a directory of a filer that is closed over another one.
fn copy(from: &Path, to: &Path) {
    if to.join("data").exists() {
        // Its directories stay: making 256 of them takes longer than everything else.
        files_of(to).into_iter().for_each(|file| std::fs::remove_file(file).unwrap());
    }
    for file in files_of(from).into_iter().chain([from.join("meta.redb")]) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(file, target).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flipped_bit_is_served() {
    let (original, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = filled(original.path()).await;
    let mut random = 20_261_129;
    let (mut seen, mut refused, mut unharmed) = (Seen::default(), 0, 0);
    for round in 0..72 {
        copy(original.path(), scratch.path());
        let mut files = files_of(scratch.path());
        // Two thirds of the flips are in the database.
        let file = match round % 3 {
            0 => files.remove(next(&mut random) % files.len()),
            _ => scratch.path().join("meta.redb"),
        };
        let flipped = flip(&file, &mut random);
        let Ok(filer) = EmbeddedFiler::open(scratch.path()) else {
            refused += 1;
            continue;
        };
        println!("{flipped}");
        let before = seen.errors;
        check(&filer, &expected, &mut seen).await;
        unharmed += u32::from(seen.errors == before);
        // What is whole can still be changed, or the change is refused.
        if put(&filer, "/other", "new", content(1, 100)).await.is_ok() {
            let entry = filer.lookup("/other/new").await.unwrap().unwrap();
            assert_eq!(read(&filer, &entry).await.unwrap(), content(1, 100), "{flipped}");
        }
        check(&filer, &expected, &mut seen).await;
    }
    println!("{seen:?}; {refused} were not opened; {unharmed} were in unused bytes");
    assert!(seen.errors > 20 && seen.right > 1000, "{seen:?}");
}

#[tokio::test]
async fn the_version_before_is_read_and_gets_checksums() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1");
    for (packed, target) in [
        ("meta.redb.gz", "meta.redb"),
        ("0000010000000002.gz", "data/00/0000010000000002"),
        ("0000010000000054.gz", "data/00/0000010000000054"),
    ] {
        let mut bytes = Vec::new();
        GzDecoder::new(std::fs::File::open(fixture.join(packed)).unwrap()).read_to_end(&mut bytes).unwrap();
        let target = directory.path().join(target);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, bytes).unwrap();
    }
    let mut expected = Tree::from([
        ("/buckets/photos/small.txt".to_owned(), b"small ".repeat(100)),
        ("/buckets/photos/empty".to_owned(), Vec::new()),
        ("/buckets/photos/deep/er/large.bin".to_owned(), (0..=255).collect::<Vec<u8>>().repeat(800)),
        ("/buckets/photos/parts".to_owned(), [vec![b'p'; 5 << 20], b"tail".to_vec()].concat()),
    ]);
    expected.extend((0..40).map(|n| (format!("/buckets/photos/many/{n:03}"), format!("number {n}\n").into_bytes())));
    for round in 0..3 {
        let filer = EmbeddedFiler::open(directory.path()).unwrap();
        assert!(tree(&filer, "/buckets/photos").await == expected, "round {round}");
        let user = filer.lookup("/etc/iam/identities/alice.json").await.unwrap().unwrap();
        assert!(String::from_utf8(user.content).unwrap().contains("alice"));
        let body = content(round, 100_000);
        put(&filer, "/buckets/photos", &format!("new-{round}"), body.clone()).await.unwrap();
        expected.insert(format!("/buckets/photos/new-{round}"), body);
    }
    // The database has checksums now, and so do the new files.
    let mut random = 5;
    for file in [files_of(directory.path()).pop().unwrap(), directory.path().join("meta.redb")] {
        let before = std::fs::read(&file).unwrap();
        let mut found = 0;
        for _ in 0..20 {
            flip(&file, &mut random);
            let Ok(filer) = EmbeddedFiler::open(directory.path()) else {
                found += 1;
                std::fs::write(&file, &before).unwrap();
                continue;
            };
            let mut seen = Seen::default();
            for (path, body) in &expected {
                let Ok(entry) = filer.lookup(path).await else {
                    seen.errors += 1;
                    continue;
                };
                match read(&filer, &entry.expect(path)).await {
                    Ok(bytes) => assert!(bytes == *body, "`{path}`"),
                    Err(_) => seen.errors += 1,
                }
            }
            found += u32::from(seen.errors > 0);
            drop(filer);
            std::fs::write(&file, &before).unwrap();
        }
        assert!(found > 0, "{found} of 20 flips in `{}` were found", file.display());
    }
    // Its own files have no checksums; scrubbing compares them with their MD5.
    assert_eq!(scrubbed(directory.path()), Vec::<String>::new());
    let old = directory.path().join("data/00/0000010000000054");
    flip(&old, &mut random);
    assert_eq!(scrubbed(directory.path()), ["/buckets/photos/parts"]);
    std::fs::remove_file(old).unwrap();
    assert_eq!(scrubbed(directory.path()), ["/buckets/photos/parts"]);
}
