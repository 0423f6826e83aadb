//! Listings against a naive model: sort the keys, group, cut. Every page of every kind of listing must agree.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use filer::fault::FaultyFiler;
use filer::{Attributes, EmbeddedFiler, Entry, Filer, Mutation, Transaction};
use gateway::listing::{After, Item, Query, list};
use proptest::prelude::*;

const BUCKET: &str = "/buckets/b";

async fn filer_with(keys: &[&str]) -> (tempfile::TempDir, EmbeddedFiler) {
    let directory = tempfile::tempdir().unwrap();
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    for key in keys {
        let marker = key.ends_with('/');
        let path = format!("{BUCKET}/{}", key.trim_end_matches('/'));
        let (parent, name) = path.rsplit_once('/').unwrap();
        let mime = if marker { "httpd/unix-directory".to_owned() } else { String::new() };
        let attributes = Some(Attributes { mime, ..Attributes::default() });
        let entry = Entry { name: name.to_owned(), is_directory: marker, attributes, ..Entry::default() };
        let put = Mutation::Put { directory: parent.to_owned(), entry: Box::new(entry) };
        let transaction = Transaction { lock_key: path.clone(), mutations: vec![put], ..Transaction::default() };
        filer.transact(transaction).await.unwrap();
    }
    (directory, filer)
}

fn shown(item: &Item) -> String {
    match item {
        Item::Object(key, _) => key.clone(),
        Item::CommonPrefix(prefix) => format!("[{prefix}]"),
    }
}

/// All pages, each of `max_keys`, put together; the count of each page is checked on the way.
async fn all_pages(filer: &dyn Filer, prefix: &str, delimiter: &str, start: &str, max_keys: usize) -> Vec<String> {
    let mut after = if start.is_empty() { After::Beginning } else { After::Key(start.to_owned()) };
    let mut lines = Vec::new();
    for _ in 0..1000 {
        let (prefix, delimiter) = (prefix.to_owned(), delimiter.to_owned());
        let query = Query {
            bucket_path: BUCKET.to_owned(),
            prefix,
            delimiter,
            after: after.clone(),
            max_keys,
            versions: false,
        };
        let page = list(filer, &query).await.unwrap();
        assert!(page.items.len() <= max_keys, "{query:?}");
        assert!(page.items.len() == max_keys || !page.is_truncated, "a short page ends the listing: {query:?}");
        lines.extend(page.items.iter().map(shown));
        match page.items.last() {
            Some(last) if page.is_truncated => after = last.after(),
            _ => return lines,
        }
    }
    panic!("the listing does not end: {lines:?}");
}

/// What S3 answers: keys in byte order, after the start, with the prefix, grouped.
fn model(keys: &[&str], prefix: &str, delimiter: &str, start: &str) -> Vec<String> {
    let mut sorted: Vec<&str> = keys.iter().copied().filter(|key| key.starts_with(prefix) && *key > start).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut lines: Vec<String> = Vec::new();
    for key in sorted {
        let rest = &key[prefix.len()..];
        let line = match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => format!("[{}]", &key[..prefix.len() + at + delimiter.len()]),
            None => key.to_owned(),
        };
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

#[tokio::test]
async fn listings_have_s3s_own_order_and_pages() {
    let keys = [
        "a",
        "a-b",
        "a.b",
        "a/b",
        "a/c/d",
        "a0",
        "b/",
        "b/x",
        "b-",
        "c/d",
        "c/e",
        "c/f/g",
        "c0/x",
        "photos/2025/1",
        "photos/2025/2",
        "photos/2026/1",
        "photos/",
        "photos.txt",
        "z\u{7f}",
        "ü/ö",
    ];
    let (_directory, filer) = filer_with(&keys).await;
    for prefix in ["", "a", "a/", "b/", "c/", "photos", "photos/", "photos/2025", "photos/2025/", "zz", "ü"] {
        for delimiter in ["", "/", "-", "2", "20", "/c"] {
            for start in
                ["", "a", "a-", "a/", "a/b", "a/c", "b/", "c/d", "c/e", "c/z", "photos/2025/1", "photos0", "~", "zzz"]
            {
                let want = model(&keys, prefix, delimiter, start);
                for max_keys in [1, 2, 3, 1000] {
                    let got = all_pages(&filer, prefix, delimiter, start, max_keys).await;
                    assert_eq!(
                        got, want,
                        "prefix {prefix:?} delimiter {delimiter:?} start {start:?} pages of {max_keys}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn what_a_filer_cannot_hold_lists_nothing() {
    let (_directory, filer) = filer_with(&["a/b", "c"]).await;
    for prefix in ["/", "a//", "../", "a/../", "a/b/c/"] {
        assert_eq!(all_pages(&filer, prefix, "", "", 10).await, Vec::<String>::new(), "{prefix:?}");
    }
}

#[tokio::test]
async fn current_versions_stand_for_their_keys() {
    let (_directory, filer) = filer_with(&["x-a", "x.txt", "old", "dir/plain", "null-current"]).await;
    let pointer = |key: &str, attributes: &[(&str, &str)]| {
        let extended = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let (parent, name) =
            key.rsplit_once('/').map_or((BUCKET.to_owned(), key), |(p, n)| (format!("{BUCKET}/{p}"), n));
        let directory = Entry { name: format!("{name}.versions"), is_directory: true, extended, ..Entry::default() };
        let version = Entry { name: "v_1".to_owned(), content: b"12345".to_vec(), ..Entry::default() };
        let inside = format!("{parent}/{name}.versions");
        let put = |directory: String, entry: Entry| Mutation::Put { directory, entry: Box::new(entry) };
        let mutations = vec![put(parent, directory), put(inside.clone(), version)];
        Transaction { lock_key: inside, mutations, ..Transaction::default() }
    };
    let file = ("Seaweed-X-Amz-Latest-Version-File-Name", "v_1");
    let deleted = ("Seaweed-X-Amz-Latest-Version-Is-Delete-Marker", "true");
    let null = ("Seaweed-X-Amz-Null-Version-Is-Latest", "true");
    for transaction in [
        pointer("x", &[file]),
        pointer("old", &[file, deleted]),
        pointer("null-current", &[file, null]),
        pointer("deep/only", &[file]),
        pointer("gone/only", &[file, deleted]),
    ] {
        filer.transact(transaction).await.unwrap();
    }
    for (delimiter, want) in [
        ("", vec!["deep/only", "dir/plain", "null-current", "x", "x-a", "x.txt"]),
        ("/", vec!["[deep/]", "[dir/]", "null-current", "x", "x-a", "x.txt"]),
    ] {
        let (bucket_path, delimiter) = (BUCKET.to_owned(), delimiter.to_owned());
        let after = After::Beginning;
        let query = Query { bucket_path, prefix: String::new(), delimiter, after, max_keys: 100, versions: true };
        let page = list(&filer, &query).await.unwrap();
        assert_eq!(page.items.iter().map(shown).collect::<Vec<_>>(), want);
        let size = page.items.iter().find_map(|item| match item {
            Item::Object(key, entry) if key == "x" => Some(entry.content_bytes()),
            _ => None,
        });
        assert_eq!(size, Some(5));
    }
}

/// What a listing costs is what it asks of the filer. A deep key costs one question more than a flat one, however deep it is.
#[tokio::test]
async fn deep_keys_cost_about_as_much_as_flat_ones() {
    const KEYS: usize = 50;
    let deep = |top: usize| format!("{top:02}/{}x", "d/".repeat(100));
    let wide = |top: usize| format!("{:02}/{}{}/x{top}", top / 20, "d/".repeat(100), top % 4);
    let flat = |top: usize| format!("{top:02}");
    let keys_of = |key: &dyn Fn(usize) -> String| (0..KEYS).map(key).collect::<Vec<String>>();
    let most = KEYS as u64 + 1;
    for (shape, keys, most) in
        [("flat", keys_of(&flat), 1), ("deep", keys_of(&deep), most), ("wide", keys_of(&wide), most)]
    {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (_directory, filer) = filer_with(&keys).await;
        let filer = FaultyFiler::new(Arc::new(filer));
        for delimiter in ["", "/"] {
            let before = filer.all_calls();
            let got = all_pages(&filer, "", delimiter, "", 1000).await;
            assert_eq!(got, model(&keys, "", delimiter, ""), "{shape}");
            let calls = filer.all_calls() - before;
            assert!(calls <= most, "{shape}, delimiter `{delimiter}`: {calls} calls of the filer");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_trees_agree_with_the_model(
        keys in proptest::collection::btree_set("[a-c.-]{1,2}(/[a-c.-]{1,2}){0,2}", 1..25),
        prefix in "[a-c.-]{0,2}(/[a-c]?)?",
        start in "[a-c.-]{0,2}(/[a-c.-]{0,2}){0,2}",
        max_keys in 1_usize..6,
    ) {
        let is_path = |key: &&String| !key.split('/').any(|segment| matches!(segment, "." | ".."));
        let keys: Vec<&str> = keys.iter().filter(is_path).map(String::as_str).collect();
        prop_assume!(!prefix.split('/').rev().skip(1).any(|segment| matches!(segment, "" | "." | "..")));
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (_directory, filer) = filer_with(&keys).await;
            for delimiter in ["", "/"] {
                let got = all_pages(&filer, &prefix, delimiter, &start, max_keys).await;
                assert_eq!(got, model(&keys, &prefix, delimiter, &start), "{keys:?} {prefix:?} {delimiter:?} {start:?} {max_keys}");
            }
        });
    }
}
