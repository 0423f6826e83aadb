//! Attribute names of entries are spelled in `attributes.rs` and nowhere else. The ETag's stands in `filer`, which compares it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// How the names begin that no header and no parameter has.
const OF_ENTRIES: [&str; 6] =
    ["Seaweed-X-Amz-", "X-Seaweedfs-", "x-seaweedfs-", "s3-", "Lock-Default-", "kelpgate-bucket-"];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_name().is_some_and(|name| name == "tests" || name == "tests.rs");
        if path.is_dir() && !is_test {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            found.push(path);
        }
    }
}

/// The literals of a file, without its tests.
fn literals(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn names_are_spelled_once() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let names: Vec<String> = literals(&crates.join("bucket/src/attributes.rs"))
        .into_iter()
        .filter(|name| OF_ENTRIES.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    let mut files = Vec::new();
    for room in fs::read_dir(crates).unwrap() {
        sources(&room.unwrap().path().join("src"), &mut files);
    }
    assert!(files.len() > 100, "{}", files.len());
    let spelled: Vec<(PathBuf, String)> = files
        .iter()
        .flat_map(|file| literals(file).into_iter().map(move |literal| (file.clone(), literal)))
        .filter(|(_, literal)| names.contains(literal) || literal == filer::ETAG_ATTRIBUTE)
        .collect();
    for name in names.iter().map(String::as_str).chain([filer::ETAG_ATTRIBUTE]) {
        let places: Vec<&PathBuf> =
            spelled.iter().filter(|(_, literal)| literal == name).map(|(file, _)| file).collect();
        assert_eq!(places.len(), 1, "{name} in {places:?}");
    }
}
