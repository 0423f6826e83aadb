//! Backups that are made while the filer is written to, and restored: everything acknowledged is there, nothing is half
//! there, and kills at any moment leave what was complete before.
//!
//! What is killed is this test program itself, started again with `BACKUP_STEP` set.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: any error fails the test")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use filer::embedded::OpenError;
use filer::embedded::backup::{BackupError, Directory, create, restore, verify};
use filer::{Attributes, EmbeddedFiler, Entry, Filer, Mutation, Transaction, WriteTarget};
use futures_util::{TryStreamExt, stream};

/// Bodies that are kept in the database, in a file, and in two files.
const SIZES: [usize; 4] = [10, 5000, 100_000, 8_500_000];

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn content(version: u64, bytes: usize) -> Vec<u8> {
    let mut state = version;
    (0..bytes.div_ceil(4)).flat_map(|_| (next(&mut state) as u32).to_le_bytes()).take(bytes).collect()
}

async fn put_of(filer: &EmbeddedFiler, name: &str, version: u64, bytes: usize) -> Mutation {
    let body = Box::pin(stream::iter([Ok(Bytes::from(content(version, bytes)))]));
    let chunks = filer.write(&WriteTarget::default(), body).await.unwrap().chunks;
    let attributes = Attributes { file_size: bytes as u64, mtime: version as i64, ..Attributes::default() };
    let entry = Entry { name: name.to_owned(), chunks, attributes: Some(attributes), ..Entry::default() };
    Mutation::Put { directory: "/buckets/b".to_owned(), entry: Box::new(entry) }
}

/// Puts the same version under two names in one transaction.
async fn put_pair(filer: &EmbeddedFiler, pair: usize, version: u64) {
    let bytes = SIZES[(version as usize + pair) % 3];
    let mut mutations = Vec::new();
    for side in ["a", "b"] {
        mutations.push(put_of(filer, &format!("{pair}-{side}"), version, bytes).await);
    }
    filer.transact(Transaction { mutations, ..Transaction::default() }).await.unwrap();
}

/// The version of an entry, after its bytes were compared.
async fn version_of(filer: &EmbeddedFiler, name: &str) -> Option<u64> {
    let entry = filer.lookup(&format!("/buckets/b/{name}")).await.unwrap()?;
    let bytes = entry.content_bytes();
    let pieces: Vec<Bytes> = filer.read(&entry, 0, bytes).await.unwrap().try_collect().await.unwrap();
    let version = entry.attributes().mtime as u64;
    assert!(pieces.concat() == content(version, bytes as usize), "the bytes of `{name}`, version {version}");
    Some(version)
}

/// A directory with one entry of each size.
async fn filled(directory: &Path) -> EmbeddedFiler {
    let filer = EmbeddedFiler::open(directory).unwrap();
    for (number, bytes) in SIZES.into_iter().enumerate() {
        let mutations = vec![put_of(&filer, &format!("fixed-{number}"), number as u64, bytes).await];
        filer.transact(Transaction { mutations, ..Transaction::default() }).await.unwrap();
    }
    std::fs::write(directory.join("root-credentials"), "a secret\n").unwrap();
    filer
}

async fn check_fixed(directory: &Path) -> EmbeddedFiler {
    let filer = EmbeddedFiler::open(directory).unwrap();
    for number in 0..SIZES.len() {
        assert_eq!(version_of(&filer, &format!("fixed-{number}")).await, Some(number as u64));
    }
    assert_eq!(std::fs::read_to_string(directory.join("root-credentials")).unwrap(), "a secret\n");
    filer
}

fn paths(scratch: &tempfile::TempDir) -> (PathBuf, PathBuf, PathBuf) {
    (scratch.path().join("dir"), scratch.path().join("backup"), scratch.path().join("restored"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn concurrent_writes_are_there_or_not_but_never_half() {
    const PAIRS: usize = 4;
    let scratch = tempfile::tempdir().unwrap();
    let (directory, to, restored) = paths(&scratch);
    let filer = Arc::new(filled(&directory).await);
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new([const { AtomicU64::new(0) }; PAIRS]));
    let writers: Vec<_> = (0..PAIRS)
        .map(|pair| {
            let (filer, stop, acknowledged) = (filer.clone(), stop.clone(), acknowledged.clone());
            tokio::spawn(async move {
                for version in 1.. {
                    put_pair(&filer, pair, version).await;
                    acknowledged[pair].store(version, Ordering::SeqCst);
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                }
            })
        })
        .collect();
    let mut rounds = Vec::new();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let before: Vec<u64> = acknowledged.iter().map(|version| version.load(Ordering::SeqCst)).collect();
        let created = tokio::task::block_in_place(|| create(&directory, Directory::at(&to), 0)).unwrap();
        let after: Vec<u64> = acknowledged.iter().map(|version| version.load(Ordering::SeqCst) + 1).collect();
        rounds.push((created, before, after));
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(acknowledged.iter().all(|version| version.load(Ordering::SeqCst) > 4), "the writers wrote all the time");
    for (created, before, after) in rounds {
        let target = restored.join(&created.snapshot);
        let done = restore(Directory::at(&to), Some(&created.snapshot), &target).unwrap();
        assert_eq!((done.entries, done.data_bytes), (created.entries, created.data_bytes));
        let filer = check_fixed(&target).await;
        for pair in 0..PAIRS {
            let found =
                [version_of(&filer, &format!("{pair}-a")).await, version_of(&filer, &format!("{pair}-b")).await];
            assert_eq!(found[0], found[1], "both sides of pair {pair} are of one moment");
            let found = found[0].unwrap_or(0);
            assert!((before[pair]..=after[pair]).contains(&found), "{found} is not from the time of the backup");
        }
        // It is a filer like any other.
        put_pair(&filer, 9, 1).await;
        assert_eq!(version_of(&filer, "9-a").await, Some(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_further_backup_adds_what_is_new_and_old_ones_are_removed() {
    let scratch = tempfile::tempdir().unwrap();
    let (directory, to, restored) = paths(&scratch);
    let filer = filled(&directory).await;
    let backup = |keep| tokio::task::block_in_place(|| create(&directory, Directory::at(&to), keep)).unwrap();
    let first = backup(0);
    assert!(first.new_bytes > 8_600_000 && first.data_files == 3, "{first:?}");
    assert_eq!(backup(0).new_bytes, 0, "nothing has changed");
    put_pair(&filer, 1, 1).await;
    let removal = Mutation::Delete {
        directory: "/buckets/b".to_owned(),
        name: "fixed-3".to_owned(),
        delete_data: true,
        recursive: false,
    };
    filer.transact(Transaction { mutations: vec![removal], ..Transaction::default() }).await.unwrap();
    let last = backup(0);
    assert!(last.new_bytes < 400_000, "{last:?}");
    restore(Directory::at(&to), Some(&first.snapshot), &restored.join("first")).unwrap();
    check_fixed(&restored.join("first")).await;

    let kept = backup(1);
    assert_eq!(kept.removed, 3);
    assert!(matches!(
        restore(Directory::at(&to), Some(&first.snapshot), &restored.join("x")),
        Err(BackupError::NoSnapshot { .. })
    ));
    restore(Directory::at(&to), None, &restored.join("last")).unwrap();
    let found = EmbeddedFiler::open(restored.join("last")).unwrap();
    assert_eq!(version_of(&found, "1-a").await, Some(1));
    assert_eq!(version_of(&found, "fixed-3").await, None);
    let large = |path: &Path| {
        std::fs::read_dir(path).unwrap().flatten().filter(|of| of.metadata().unwrap().len() > 1 << 20).count()
    };
    let left: usize = std::fs::read_dir(to.join("data")).unwrap().map(|of| large(&of.unwrap().path())).sum();
    assert_eq!(left, 0, "what only the removed backups had is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_destroy_something_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let (directory, to, restored) = paths(&scratch);
    let backup = |of: &Path, to: &Path| tokio::task::block_in_place(|| create(of, Directory::at(to), 0));
    assert!(matches!(backup(&directory, &to), Err(BackupError::Incomplete(_))), "nobody has it open");
    let filer = filled(&directory).await;
    assert!(matches!(
        restore(Directory::at(&to), None, &restored),
        Err(BackupError::Empty(_) | BackupError::Io { .. })
    ));
    backup(&directory, &to).unwrap();
    for occupied in [&directory, &to] {
        assert!(
            matches!(restore(Directory::at(&to), None, occupied), Err(BackupError::NotEmpty(_))),
            "{}",
            occupied.display()
        );
    }
    let documents = scratch.path().join("documents");
    std::fs::create_dir(&documents).unwrap();
    std::fs::write(documents.join("a.txt"), "mine").unwrap();
    assert!(matches!(backup(&directory, &documents), Err(BackupError::NotABackup(_))));
    assert_eq!(std::fs::read_dir(&documents).unwrap().count(), 1);

    // What was restored goes its own way, so it needs a backup of its own.
    restore(Directory::at(&to), None, &restored).unwrap();
    let other = check_fixed(&restored).await;
    assert!(matches!(backup(&restored, &to), Err(BackupError::OtherStore(_))));
    drop((filer, other));
    assert!(matches!(restore(Directory::at(&to), None, &restored), Err(BackupError::NotEmpty(_))));
}

fn files_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for file in std::fs::read_dir(directory).unwrap().flatten() {
        if file.path().is_dir() { files_below(&file.path(), found) } else { found.push(file.path()) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_bit_in_a_backup_is_found() {
    let scratch = tempfile::tempdir().unwrap();
    let (directory, to, restored) = paths(&scratch);
    let filer = filled(&directory).await;
    tokio::task::block_in_place(|| create(&directory, Directory::at(&to), 0)).unwrap();
    drop(filer);
    let mut files = Vec::new();
    files_below(&to, &mut files);
    files.retain(|file| std::fs::metadata(file).unwrap().len() > 0);
    files.sort();
    let mut random = 20_261_129;
    for round in 0..30 {
        let file = &files[round % files.len()];
        let whole = std::fs::read(file).unwrap();
        let (at, bit) = (next(&mut random) as usize % whole.len(), next(&mut random) % 8);
        let mut changed = whole.clone();
        changed[at] ^= 1 << bit;
        std::fs::write(file, changed).unwrap();
        let shown = format!("bit {bit} of byte {at} of `{}`", file.display());
        // The identity says only which store may add backups.
        assert!(verify(Directory::at(&to), None).is_err() || file.ends_with("kelpgate-backup"), "{shown}");
        if restore(Directory::at(&to), None, &restored).is_ok() {
            check_fixed(&restored).await;
            std::fs::remove_dir_all(&restored).unwrap();
        } else if restored.exists() {
            assert!(
                matches!(EmbeddedFiler::open(&restored), Err(OpenError::Unfinished(_))) || is_empty(&restored),
                "{shown}"
            );
        }
        std::fs::write(file, whole).unwrap();
    }
    verify(Directory::at(&to), None).unwrap();
    restore(Directory::at(&to), None, &restored).unwrap();
    check_fixed(&restored).await;
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

const STEP: &str = "BACKUP_STEP";

/// Not a test of its own: this is what is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn step() {
    let Ok(step) = std::env::var(STEP) else { return };
    let [step, first, second] = step.split('\n').collect::<Vec<_>>()[..] else { panic!("not a step") };
    println!("\nbegun");
    match step {
        "create" => drop(create(Path::new(first), Directory::at(Path::new(second)), 3).unwrap()),
        "restore" => drop(restore(Directory::at(Path::new(first)), None, Path::new(second)).unwrap()),
        _ => {
            let filer = EmbeddedFiler::open(first).unwrap();
            println!("\nopen");
            for version in 1.. {
                put_pair(&filer, 0, version).await;
            }
        }
    }
}

fn start(step: &str, first: &Path, second: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "step", "--nocapture"])
        .env(STEP, format!("{step}\n{}\n{}", first.display(), second.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// SIGKILL, after a while.
fn kill(mut child: Child, random: &mut u64, longest: Duration) {
    std::thread::sleep(longest / 1000 * u32::try_from(next(random) % 1000).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_leaves_what_was_complete_before() {
    let scratch = tempfile::tempdir().unwrap();
    let (directory, to, restored) = paths(&scratch);
    let filer = filled(&directory).await;
    tokio::task::block_in_place(|| create(&directory, Directory::at(&to), 0)).unwrap();
    let mut random = 20_261_129;
    for round in 0..10 {
        put_pair(&filer, 0, round + 1).await;
        kill(start("create", &directory, &to), &mut random, Duration::from_millis(120));
        verify(Directory::at(&to), None).unwrap();
    }
    let last = tokio::task::block_in_place(|| create(&directory, Directory::at(&to), 1)).unwrap();
    for _ in 0..10 {
        kill(start("restore", &to, &restored), &mut random, Duration::from_millis(160));
        if restored.join("restoring").exists() {
            assert!(matches!(EmbeddedFiler::open(&restored), Err(OpenError::Unfinished(_))));
        } else if restored.exists() && !is_empty(&restored) {
            check_fixed(&restored).await;
            std::fs::remove_dir_all(&restored).unwrap();
        }
    }
    let done = restore(Directory::at(&to), None, &restored).unwrap();
    assert_eq!(done.snapshot, last.snapshot);
    assert_eq!(version_of(&check_fixed(&restored).await, "0-b").await, Some(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_killed_server_does_not_count() {
    let scratch = tempfile::tempdir().unwrap();
    let (directory, to, restored) = paths(&scratch);
    drop(filled(&directory).await);
    let serve = || {
        let mut server = start("serve", &directory, &directory);
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "open"), "the server opens the directory");
        server
    };
    // How long a backup takes here, so that the kills come while one is made.
    let (server, began) = (serve(), Instant::now());
    tokio::task::block_in_place(|| create(&directory, Directory::at(&to), 2)).unwrap();
    let took = began.elapsed();
    kill(server, &mut 0, Duration::ZERO);
    let mut broken_off = 0;
    for round in 0..200 {
        let (server, mut random) = (serve(), round);
        let killing = std::thread::spawn(move || kill(server, &mut random, took));
        match tokio::task::block_in_place(|| create(&directory, Directory::at(&to), 2)) {
            Ok(_) => {}
            Err(BackupError::Incomplete(_) | BackupError::Source { .. }) => broken_off += 1,
            Err(error) => panic!("{error}"),
        }
        killing.join().unwrap();
        verify(Directory::at(&to), None).unwrap();
        if broken_off == 5 {
            break;
        }
    }
    assert_eq!(broken_off, 5, "backups that a kill broke off");
    restore(Directory::at(&to), None, &restored).unwrap();
    check_fixed(&restored).await;
}
