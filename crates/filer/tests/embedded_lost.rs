//! Directories without a database: which of them are new, which have lost theirs, and who may do what with them.

#![expect(clippy::unwrap_used, reason = "helpers of tests: any error fails the test")]

use filer::EmbeddedFiler;

const DATABASE: &str = "meta.redb";

/// A database file in which nothing is stored yet: the one page says what it is.
fn begun() -> Vec<u8> {
    [&b"kgpages1"[..], &[0; 4088]].concat()
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
        EmbeddedFiler::open(directory.path()).expect("it is a store now");
    }
}
