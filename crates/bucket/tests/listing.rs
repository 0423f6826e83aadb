//! Compares listings with a naive model that sorts the keys, groups them and cuts pages. Every page of every kind of
//! listing must agree.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use bucket::listing::{After, Item, Page, Query, Shows, list};
use filer::fault::FaultyFiler;
use filer::{Attributes, EmbeddedFiler, Entry, Filer, Mutation, Transaction};
use proptest::prelude::*;

const BUCKET: &str = "/buckets/b";

async fn filer_with(keys: &[&str]) -> (tempfile::TempDir, EmbeddedFiler) {
    let directory = tempfile::tempdir().unwrap();
    let filer = EmbeddedFiler::open(directory.path()).unwrap();
    for key in keys {
        let marker = key.ends_with('/');
        let path = bucket::object::path_below(BUCKET, key);
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
        Item::Version(version) => version.key.clone(),
    }
}

/// All pages, each of `max_keys`, put together; each page is looked at on the way.
async fn pages(
    filer: &dyn Filer,
    prefix: &str,
    delimiter: &str,
    start: &str,
    max_keys: usize,
    look: impl FnMut(&Page),
) -> Vec<String> {
    let query = Query {
        bucket_path: BUCKET.to_owned(),
        prefix: prefix.to_owned(),
        delimiter: delimiter.to_owned(),
        after: if start.is_empty() { After::Beginning } else { After::Key(start.to_owned()) },
        max_keys,
        shows: Shows::Object,
    };
    pages_of(filer, query, look).await
}

/// The same from a first page.
async fn pages_of(filer: &dyn Filer, mut query: Query, mut look: impl FnMut(&Page)) -> Vec<String> {
    let mut lines = Vec::new();
    for _ in 0..1000 {
        let page = list(filer, &query).await.unwrap();
        assert!(page.items.len() <= query.max_keys, "{query:?}");
        look(&page);
        lines.extend(page.items.iter().map(shown));
        match page.next {
            Some(next) => query.after = next,
            None => return lines,
        }
    }
    panic!("the listing does not end: {lines:?}");
}

/// All pages, each of `max_keys` but the last, put together.
async fn all_pages(filer: &dyn Filer, prefix: &str, delimiter: &str, start: &str, max_keys: usize) -> Vec<String> {
    let is_full =
        |page: &Page| assert!(page.items.len() == max_keys || page.next.is_none(), "a short page is the last");
    pages(filer, prefix, delimiter, start, max_keys, is_full).await
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
async fn a_prefix_leads_nowhere() {
    let (_directory, filer) = filer_with(&["a/b", "c"]).await;
    for prefix in ["/", "a//", "../", "a/../", "a/../a/", "./", "a/./", "a/b/c/"] {
        assert_eq!(all_pages(&filer, prefix, "", "", 10).await, Vec::<String>::new(), "{prefix:?}");
    }
}

#[tokio::test]
async fn keys_show_their_current_versions() {
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
        pointer("null-current", &[null]),
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
        let query =
            Query { bucket_path, prefix: String::new(), delimiter, after, max_keys: 100, shows: Shows::CurrentVersion };
        let page = list(&filer, &query).await.unwrap();
        assert_eq!(page.items.iter().map(shown).collect::<Vec<_>>(), want);
        let size = page.items.iter().find_map(|item| match item {
            Item::Object(key, entry) if key == "x" => Some(entry.content_bytes()),
            _ => None,
        });
        assert_eq!(size, Some(5));
    }
}

/// The cost of a listing is its calls to the filer. A deep key costs one call more than a flat one, however deep it is.
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

/// A page of common prefixes goes from one to the next: what it reads does not depend on how many keys are below them.
#[tokio::test]
async fn a_page_of_common_prefixes_skips_their_keys() {
    let (few, many): (Vec<String>, Vec<String>) =
        [1, 40].map(|below| (0..60 * below).map(|key| format!("p{:02}/{key:04}", key / below)).collect()).into();
    for (keys, filled) in [(few, 1), (many, 40)] {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (_directory, filer) = filer_with(&keys).await;
        let filer = FaultyFiler::new(Arc::new(filer));
        let (mut calls, mut entries) = (0, 0);
        let look = |page: &Page| {
            let items = page.items.len() as u64;
            let (now_calls, now_entries) = (filer.all_calls(), filer.listed_entries());
            // One more for each page: it begins behind the group in which the last one ended.
            assert!(now_calls - calls <= items + 3, "{filled} keys each: {} calls, {items} items", now_calls - calls);
            assert!(now_entries - entries <= 3 * items + 6, "{filled} each: {} entries", now_entries - entries);
            (calls, entries) = (now_calls, now_entries);
        };
        let got = pages(&filer, "", "/", "", 20, look).await;
        assert_eq!(got, model(&keys, "", "/", ""), "{filled} keys each");
    }
}

/// Where directories can only be listed one by one, a page of deep keys ends early. All pages together are the listing.
#[tokio::test]
async fn a_page_takes_a_bounded_number_of_calls() {
    let deep: Vec<String> = (0..30).map(|top| format!("{top:02}/{}x", "d/".repeat(100))).collect();
    let shallow: Vec<String> = (0..600).map(|top| format!("{top:03}/x")).collect();
    for (shape, keys, most_pages) in [("deep", deep, 10), ("shallow", shallow, 1)] {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (_directory, filer) = filer_with(&keys).await;
        let filer = FaultyFiler::new(Arc::new(filer));
        filer.list_only_directories();
        for delimiter in ["", "/"] {
            let (mut before, mut count) = (filer.all_calls(), 0);
            let look = |page: &Page| {
                let calls = filer.all_calls() - std::mem::replace(&mut before, filer.all_calls());
                // The last item may take as many calls as it is deep, and so may the way back to where the page begins.
                assert!(
                    calls <= 500 + page.items.len() as u64 + 400,
                    "{shape}, delimiter `{delimiter}`: {calls} calls"
                );
                count += 1;
            };
            let got = pages(&filer, "", delimiter, "", 1000, look).await;
            assert_eq!(got, model(&keys, "", delimiter, ""), "{shape}");
            assert!(count <= most_pages, "{shape}, delimiter `{delimiter}`: {count} pages");
        }
    }
}

/// A filer on which some keys of a bucket with versions have only a delete marker. Directories are listed one by one.
async fn filer_with_deleted(keys: &[&str], deleted: &[String]) -> (tempfile::TempDir, FaultyFiler) {
    let (directory, filer) = filer_with(keys).await;
    let is_marker = [
        ("Seaweed-X-Amz-Latest-Version-File-Name".to_owned(), b"v_1".to_vec()),
        ("Seaweed-X-Amz-Latest-Version-Is-Delete-Marker".to_owned(), b"true".to_vec()),
    ];
    let versions = |key: &String| {
        let path = format!("{BUCKET}/{key}.versions");
        let (parent, name) = path.rsplit_once('/').unwrap();
        let extended = is_marker.clone().into();
        let entry = Entry { name: name.to_owned(), is_directory: true, extended, ..Entry::default() };
        Mutation::Put { directory: parent.to_owned(), entry: Box::new(entry) }
    };
    let mutations = deleted.iter().map(versions).collect();
    let transaction = Transaction { lock_key: BUCKET.to_owned(), mutations, ..Transaction::default() };
    filer.transact(transaction).await.unwrap();
    let filer = FaultyFiler::new(Arc::new(filer));
    filer.list_only_directories();
    (directory, filer)
}

/// What a page shows nothing of costs no more than what it shows.
#[tokio::test]
async fn deleted_keys_cost_little() {
    const ODD: [char; 7] = ['!', '$', '(', ')', '*', ',', '-'];
    let one_group: Vec<String> = (0..1000).map(|at| format!("x-{at:06}")).collect();
    let odd: Vec<String> = (0..150_usize)
        .map(|at| (0..200).map(|place| ODD[(at * 31 + place * place * (at + 1)) % 7]).collect())
        .collect();
    for (shape, deleted, delimiter, most_calls) in [
        ("flat", &one_group, "", 60),
        ("one group", &one_group, "-", 40),
        ("odd names", &odd, "", 60),
        ("odd names, one group", &odd, "-", 400),
    ] {
        let (_directory, filer) = filer_with_deleted(&["z"], deleted).await;
        for max_keys in [1, 1000] {
            let (bucket_path, delimiter) = (BUCKET.to_owned(), delimiter.to_owned());
            let (prefix, after, shows) = (String::new(), After::Beginning, Shows::CurrentVersion);
            let query = Query { bucket_path, prefix, delimiter, after, max_keys, shows };
            let before = filer.all_calls();
            assert_eq!(pages_of(&filer, query, |_| ()).await, ["z"], "{shape}");
            let calls = filer.all_calls() - before;
            assert!(calls <= most_calls, "{shape}, {max_keys} keys: {calls} calls of the filer");
        }
    }
}

/// A page without items ends as well. The next one begins behind what it looked at.
#[tokio::test]
async fn a_page_without_items_takes_a_bounded_number_of_calls() {
    let groups: Vec<String> = (0..600).map(|at| format!("g{at:03}-x")).collect();
    let directories: Vec<String> = (0..600).map(|at| format!("e/{at:03}/x")).collect();
    for (shape, deleted, delimiter, shows) in [
        ("hidden groups", &groups, "-", Shows::CurrentVersion),
        ("hidden groups of one directory each", &directories, "x", Shows::CurrentVersion),
        ("one hidden group", &directories, "/", Shows::CurrentVersion),
        ("directories without objects", &directories, "/", Shows::Object),
        ("directories without objects, no groups", &directories, "", Shows::Object),
    ] {
        let (_directory, filer) = filer_with_deleted(&["z"], deleted).await;
        for max_keys in [1, 1000] {
            let (bucket_path, delimiter) = (BUCKET.to_owned(), delimiter.to_owned());
            let (prefix, after) = (String::new(), After::Beginning);
            let query = Query { bucket_path, prefix, delimiter, after, max_keys, shows };
            let (mut before, mut pages) = (filer.all_calls(), 0);
            let look = |_: &Page| {
                let calls = filer.all_calls() - std::mem::replace(&mut before, filer.all_calls());
                assert!(calls <= 520, "{shape}, {max_keys} keys: {calls} calls of the filer");
                pages += 1;
            };
            assert_eq!(pages_of(&filer, query, look).await, ["z"], "{shape}");
            assert!((2..=6).contains(&pages), "{shape}, {max_keys} keys: {pages} pages");
        }
    }
}

/// A page begins at the key after which it lists. The names of directories that may come later are looked for together.
#[tokio::test]
async fn a_long_marker_takes_few_calls() {
    let odd = "!".repeat(300);
    let beside: Vec<String> = (1..200).map(|length| format!("{}\"", odd.get(..length).unwrap())).collect();
    let keys = ["!!!!/x", "!!/x", "a-/x", "a/x", "z"];
    let keys: Vec<&str> = keys.into_iter().chain(beside.iter().map(String::as_str)).collect();
    let (_directory, filer) = filer_with(&keys).await;
    let filer = FaultyFiler::new(Arc::new(filer));
    filer.list_only_directories();
    for (start, most_calls) in [
        ("!".repeat(1024), 20),
        ("!".repeat(30_000), 20),
        (odd.clone(), 20),
        (format!("a{}", "-".repeat(1000)), 10),
        ("a/".repeat(500), 10),
    ] {
        let before = filer.all_calls();
        assert_eq!(pages(&filer, "", "", &start, 1000, |_| ()).await, model(&keys, "", "", &start));
        let calls = filer.all_calls() - before;
        let shown: String = start.chars().take(20).collect();
        assert!(calls <= most_calls, "{} characters, {shown}: {calls} calls of the filer", start.len());
    }
}

/// How much is read for a common prefix does not depend on how many keys it has, whatever the delimiter.
#[tokio::test]
async fn a_group_of_many_keys_takes_few_calls() {
    let keys: Vec<String> =
        (0..1500).map(|at| format!("x-{at:06}")).chain(["x.z".to_owned(), "x/z".to_owned()]).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let (_directory, filer) = filer_with(&keys).await;
    let filer = FaultyFiler::new(Arc::new(filer));
    let (mut calls, mut entries) = (0, 0);
    let look = |_: &Page| {
        let now = (filer.all_calls(), filer.listed_entries());
        assert!(now.0 - calls <= 8 && now.1 - entries <= 16, "{} calls, {} entries", now.0 - calls, now.1 - entries);
        (calls, entries) = now;
    };
    assert_eq!(pages(&filer, "", "-", "", 1, look).await, model(&keys, "", "-", ""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_trees_agree_with_the_model(
        keys in proptest::collection::btree_set("([a-c.-]{0,2}|a.versions|.uploads|.versions)(/([a-c.-]{0,2}|b.versions)){0,2}", 1..25),
        prefix in "[a-c.-]{0,2}(/[a-c]?){0,2}",
        start in "[a-c.-]{0,2}(/[a-c.-]{0,2}){0,2}",
        max_keys in 1_usize..6,
    ) {
        let keys: Vec<&str> = keys.iter().filter(|key| !key.is_empty()).map(String::as_str).collect();
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (_directory, filer) = filer_with(&keys).await;
            for delimiter in ["", "/"] {
                let got = all_pages(&filer, &prefix, delimiter, &start, max_keys).await;
                assert_eq!(got, model(&keys, &prefix, delimiter, &start), "{keys:?} {prefix:?} {delimiter:?} {start:?} {max_keys}");
            }
        });
    }
}
