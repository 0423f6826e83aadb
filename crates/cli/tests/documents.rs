//! docs/README.md lists every document, docs/SUMMARY.md makes each a chapter of the book, and links between documents lead somewhere.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The documents, with the directories in which they are.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in ["", "docs", "docs/howto"] {
        let entries = fs::read_dir(root().join(directory)).unwrap().map(|entry| entry.unwrap().path());
        found.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    found
}

/// The targets of links in a text, without those to other hosts.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.contains(' '))
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The files that a document links to.
fn listed_in(document: &str) -> Vec<PathBuf> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let directory = root().join(document).parent().unwrap().to_owned();
    links(&text).filter_map(|link| directory.join(link.split('#').next().unwrap()).canonicalize().ok()).collect()
}

#[test]
fn the_index_has_every_document() {
    let listed = listed_in("docs/README.md");
    for document in documents() {
        let Ok(name) = document.strip_prefix(root().join("docs")) else { continue };
        let is_a_list = ["README.md", "SUMMARY.md"].iter().any(|list| name == Path::new(list));
        assert!(is_a_list || listed.contains(&document), "{} is missing", name.display());
    }
}

#[test]
fn the_book_has_every_document_once() {
    let chapters = listed_in("docs/SUMMARY.md");
    for document in documents().into_iter().filter(|document| !document.ends_with("docs/SUMMARY.md")) {
        let times = chapters.iter().filter(|chapter| **chapter == document).count();
        assert_eq!(times, 1, "{} is so many chapters of docs/SUMMARY.md", document.display());
    }
}

#[test]
fn links_lead_somewhere() {
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text) {
            let (file, fragment) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: there is no {link}", document.display());
            let Some(fragment) = fragment.filter(|_| target.extension().is_some_and(|extension| extension == "md"))
            else {
                continue;
            };
            let there = fs::read_to_string(&target).unwrap();
            let has = there.lines().any(|line| line.starts_with('#') && anchor(line) == fragment);
            assert!(has, "{}: {} has no heading for #{fragment}", document.display(), target.display());
        }
    }
}
