//! docs/prior-holes.md names tests and types: each of them must exist.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text of all Rust files of a crate; `None` if there is no such crate.
fn source_of(name: &str) -> Option<String> {
    let directory = root().join("crates").join(name);
    let mut text = String::new();
    let mut open = vec![directory.join("src"), directory.join("tests")];
    if !directory.is_dir() {
        return None;
    }
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    Some(text)
}

/// Why a reference names nothing; `None` if it is correct, or if this is not a reference.
fn fault(reference: &str) -> Option<String> {
    let (place, name) = reference.split_once("::")?;
    let missing = || Some(format!("`{reference}`: there is no `{name}` in {place}"));
    if place.starts_with("e2e/") {
        let text = fs::read_to_string(root().join(place)).unwrap_or_default();
        return if text.contains(&format!("def {name}(")) { None } else { missing() };
    }
    let Some(text) = source_of(place) else { return Some(format!("`{reference}`: there is no crate `{place}`")) };
    let kinds: &[&str] = if name.starts_with(|first: char| first.is_ascii_uppercase()) {
        &["pub struct ", "pub enum "]
    } else {
        &["fn "]
    };
    let stands = |kind: &&str| {
        let declared = format!("{kind}{name}");
        text.match_indices(&declared).any(|(at, _)| {
            let rest = text.get(at + declared.len()..).unwrap_or_default();
            !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_')
        })
    };
    if kinds.iter().any(stands) { None } else { missing() }
}

#[test]
fn what_the_page_names_exists() {
    let page = fs::read_to_string(root().join("docs/prior-holes.md")).unwrap();
    // The introduction shows how references look.
    let (_, holes) = page.split_once("\n## ").unwrap();
    let references: Vec<&str> = holes.split('`').skip(1).step_by(2).filter(|text| text.contains("::")).collect();
    assert!(references.len() > 100, "only {} references were found", references.len());
    let faults: Vec<String> = references.into_iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "docs/prior-holes.md:\n{}", faults.join("\n"));
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    for reference in ["sts::no_such_test", "nothing::at_all", "e2e/test_auth.py::test_nothing", "ids::BucketNam"] {
        assert!(fault(reference).is_some(), "{reference}");
    }
    for reference in ["ids::BucketName", "cli::what_the_page_names_exists", "just text"] {
        assert_eq!(fault(reference), None, "{reference}");
    }
}
