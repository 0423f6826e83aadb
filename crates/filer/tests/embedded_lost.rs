//! Directories without a database: which of them are new, which have lost theirs, and who may do what with them.

#![expect(clippy::unwrap_used, reason = "helpers of tests: any error fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use filer::embedded::OpenError;
use filer::{EmbeddedFiler, Filer, WriteTarget};
use futures_util::stream;
use tempfile::TempDir;

const DATABASE: &str = "meta.redb";

/// A database file in which nothing is stored yet: the one page says what it is.
fn begun() -> Vec<u8> {
    [&b"kgpages1"[..], &[0; 4088]].concat()
}

/// All files and directories below a directory, with the sizes of the files.
fn all(directory: &Path) -> BTreeMap<PathBuf, Option<u64>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let (path, about) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        if about.is_dir() {
            found.extend(all(&path));
        }
        found.insert(path, about.is_file().then_some(about.len()));
    }
    found
}

/// A store with one data file, which no entry names. Returns the path of that file.
async fn store() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    let body = Box::pin(stream::iter([Ok(Bytes::from(vec![7; 100_000]))]));
    filer.write(&WriteTarget::default(), body).await.unwrap();
    drop(filer);
    let file = all(&directory.path().join("data")).into_iter().find_map(|(path, bytes)| bytes.and(Some(path)));
    (directory, file.unwrap())
}

#[test]
fn a_tool_makes_no_store() {
    let (empty, begun) = (Vec::new(), begun());
    for (what, files) in [
        ("nothing", vec![]),
        ("something else", vec![("notes.txt", b"notes".to_vec())]),
        ("an empty database", vec![(DATABASE, empty)]),
        ("a database that was begun", vec![(DATABASE, begun)]),
        ("a part of a first database", vec![("meta.redb.new", vec![0; 8192])]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        let before = all(directory.path());
        let error = EmbeddedFiler::open_existing(directory.path()).err();
        assert!(matches!(error, Some(OpenError::NoStore { .. })), "{what}: {error:?}");
        assert!(error.unwrap().to_string().contains("is not the directory of a kelpgate server"), "{what}");
        assert_eq!(all(directory.path()), before, "{what}");
    }
    let missing = tempfile::tempdir().unwrap().path().join("missing");
    assert!(matches!(EmbeddedFiler::open_existing(&missing), Err(OpenError::NoStore { .. })));
    assert!(!missing.exists());
}

/// The disk to which it leads may not be mounted yet.
#[test]
fn a_link_to_a_database_that_is_away_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (link, away) = (directory.path().join(DATABASE), directory.path().join("away"));
    std::os::unix::fs::symlink(&away, &link).unwrap();
    let error = EmbeddedFiler::open(directory.path()).err();
    assert!(matches!(error, Some(OpenError::Io { .. })), "{error:?}");
    assert!(link.is_symlink() && !away.exists());
}

#[tokio::test]
async fn a_lost_database_is_not_replaced() {
    for (what, database) in [("is missing", None), ("is empty", Some(Vec::new())), ("is empty", Some(begun()))] {
        let (directory, data_file) = store().await;
        let at = directory.path();
        match &database {
            None => std::fs::remove_file(at.join(DATABASE)).unwrap(),
            Some(content) => std::fs::write(at.join(DATABASE), content).unwrap(),
        }
        // Each of these alone shows that there was a store.
        for sign in ["reserve", "root-credentials", "sts-signing-key", data_file.to_str().unwrap()] {
            let _ = std::fs::remove_file(at.join("reserve"));
            if !at.join(sign).exists() {
                std::fs::write(at.join(sign), "x").unwrap();
            }
            let before = all(at);
            for error in [EmbeddedFiler::open(at).err(), EmbeddedFiler::open_existing(at).err()] {
                let text = error.as_ref().unwrap().to_string();
                assert!(matches!(error, Some(OpenError::Lost { .. })), "{sign}: {text}");
                assert!(text.contains(&format!("{sign}`")) && text.contains(what), "{sign}: {text}");
            }
            assert_eq!(all(at), before, "{sign}");
            std::fs::remove_file(at.join(sign)).unwrap();
        }
        EmbeddedFiler::open(at).expect("nothing is left that could be lost");
    }
}

#[test]
fn a_first_start_that_was_killed_starts_again() {
    for (what, name, content) in [
        ("the directory was made", None, Vec::new()),
        ("nothing was written", Some("meta.redb.new"), Vec::new()),
        ("it was begun", Some("meta.redb.new"), begun()),
        ("the database had its size", Some("meta.redb.new"), vec![0; 1 << 20]),
        ("the version before had made the file", Some(DATABASE), Vec::new()),
        ("the version before had begun it", Some(DATABASE), begun()),
    ] {
        let directory = tempfile::tempdir().unwrap();
        if let Some(name) = name {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        EmbeddedFiler::open(directory.path()).unwrap_or_else(|error| unreachable!("{what}: {error}"));
        assert!(!directory.path().join("meta.redb.new").exists(), "{what}");
        EmbeddedFiler::open_existing(directory.path()).expect("it is a store now");
    }
}

#[tokio::test]
async fn only_a_server_removes_what_is_left() {
    let (directory, data_file) = store().await;
    for _ in 0..2 {
        let filer = EmbeddedFiler::open_existing(directory.path()).unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(filer);
        assert!(data_file.exists(), "a tool leaves it");
    }
    let _filer = EmbeddedFiler::open(directory.path()).unwrap();
    let begun = Instant::now();
    while data_file.exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "a server removes it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
