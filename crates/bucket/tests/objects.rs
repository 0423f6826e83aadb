//! Which entry a key's object is, in buckets with and without versions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use bucket::attributes::{DELETE_MARKER, LATEST_IS_DELETE_MARKER, LATEST_VERSION_FILE, NULL_IS_LATEST, PREFIX_OBJECT};
use bucket::listing::After;
use bucket::rules::{BucketError, Refusal};
use bucket::versions::Version;
use filer::{Attributes, Entry};
use ids::Versioning::{Enabled, Off, Suspended};
use support::{World, key};

fn entry(is_directory: bool, mime: &str, pairs: &[(&str, &str)]) -> Entry {
    let extended = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    let attributes = Some(Attributes { mime: mime.to_owned(), ..Attributes::default() });
    Entry { is_directory, attributes, extended, ..Entry::default() }
}

#[tokio::test]
async fn the_key_tells_an_object_from_a_directory() {
    for (what, stored, found) in [
        ("a file", entry(false, "", &[]), ["a"].as_slice()),
        ("a directory", entry(true, "", &[]), &[]),
        ("a marker", entry(true, "httpd/unix-directory", &[]), &["a/"]),
        ("both", entry(true, "text/plain", &[(PREFIX_OBJECT, "true")]), &["a"]),
    ] {
        let [_, memory] = World::both_with_bucket().await;
        memory.plant("a", stored).await;
        for text in ["a", "a/"] {
            let current = memory.objects(Off).current(&key(text)).await.unwrap();
            assert_eq!(current.is_some(), found.contains(&text), "`{text}` with {what}");
        }
    }
}

#[tokio::test]
async fn the_current_version_is_the_one_that_the_directory_names() {
    let latest = (LATEST_VERSION_FILE, "v_2");
    for (what, of_directory, current) in [
        ("no directory of versions", None, Some("plain")),
        ("a latest version", Some(vec![latest]), Some("second")),
        ("a delete marker", Some(vec![latest, (LATEST_IS_DELETE_MARKER, "true")]), None),
        ("a null version", Some(vec![(NULL_IS_LATEST, "true")]), Some("plain")),
        ("a version after a null version", Some(vec![latest, (NULL_IS_LATEST, "true")]), Some("second")),
    ] {
        for world in World::both_with_bucket().await {
            world.plant("d/a", entry(false, "plain", &[])).await;
            if let Some(pairs) = &of_directory {
                world.plant("d/a.versions", entry(true, "", pairs)).await;
                world.plant("d/a.versions/v_1", entry(false, "first", &[])).await;
                world.plant("d/a.versions/v_2", entry(false, "second", &[])).await;
            }
            let case = format!("{}: {what}", world.name);
            for (versioning, want) in [(Enabled, current), (Suspended, current), (Off, Some("plain"))] {
                let found = world.objects(versioning).current(&key("d/a")).await.unwrap();
                assert_eq!(
                    found.map(|entry| entry.attributes().mime.clone()).as_deref(),
                    want,
                    "{case}, {versioning:?}"
                );
            }
            let page = world.objects(Enabled).list("", "", After::Beginning, 10).await.unwrap();
            let listed: Vec<&str> = page.items.iter().map(bucket::listing::Item::text).collect();
            assert_eq!(listed, if current.is_some() { &["d/a"][..] } else { &[] }, "{case}");
        }
    }
}

#[tokio::test]
async fn a_directory_that_names_no_file_is_read() {
    for (what, of_directory, plain, current) in [
        ("a file that is gone", &[(LATEST_VERSION_FILE, "v_3")][..], true, Some("first")),
        ("a file that is gone, and no object", &[(LATEST_VERSION_FILE, "v_3")], false, Some("first")),
        ("nothing, and an object", &[], true, Some("plain")),
        ("nothing, and no object", &[], false, Some("first")),
    ] {
        for world in World::both_with_bucket().await {
            if plain {
                world.plant("a", entry(false, "plain", &[])).await;
            }
            world.plant("a.versions", entry(true, "", of_directory)).await;
            world.plant("a.versions/v_1", entry(false, "first", &[])).await;
            world.plant("a.versions/v_2", entry(false, "second", &[])).await;
            let found = world.objects(Enabled).current(&key("a")).await.unwrap();
            let mime = found.map(|entry| entry.attributes().mime.clone());
            assert_eq!(mime.as_deref(), current, "{}: {what}", world.name);
        }
    }
}

#[tokio::test]
async fn a_version_is_found_by_its_id() {
    for world in World::both_with_bucket().await {
        world.plant("a", entry(false, "", &[])).await;
        world.plant("a.versions/v_1", entry(false, "", &[])).await;
        world.plant("a.versions/v_2", entry(false, "", &[(DELETE_MARKER, "true")])).await;
        world.plant("b.versions/v_null", entry(false, "", &[(DELETE_MARKER, "true")])).await;
        for (versioning, text, version_id, want) in [
            (Off, "a", None, "object"),
            (Off, "a", Some("null"), "object"),
            (Off, "a", Some("1"), "no such version"),
            (Off, "c", None, "nothing"),
            (Enabled, "a", Some("null"), "object"),
            (Enabled, "a", Some("1"), "object 1"),
            (Enabled, "a", Some("2"), "marker 2"),
            (Enabled, "a", Some("3"), "no such version"),
            (Suspended, "a", Some("1"), "object 1"),
            (Enabled, "b", Some("null"), "marker null"),
            (Enabled, "b", None, "marker null"),
            (Enabled, "c", None, "nothing"),
            (Enabled, "c", Some("null"), "no such version"),
            (Enabled, "a/", Some("null"), "nothing"),
            (Enabled, "a/", Some("1"), "no such version"),
        ] {
            let got = match world.objects(versioning).version(&key(text), version_id).await {
                Ok(Some(Version::Object(entry))) => {
                    format!("object {}", bucket::object::version_id(&entry).unwrap_or_default()).trim().to_owned()
                }
                Ok(Some(Version::DeleteMarker(id))) => format!("marker {id}"),
                Ok(None) => "nothing".to_owned(),
                Err(BucketError::Refused(Refusal::NoSuchVersion)) => "no such version".to_owned(),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(got, want, "{}: {versioning:?} {text} {version_id:?}", world.name);
        }
    }
}
