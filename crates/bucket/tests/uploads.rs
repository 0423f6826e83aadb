//! Multipart uploads: their pages, and their way from the first part to the object.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use bucket::attributes::{ENCRYPTION_PREFIX, INITIATOR_ID, UPLOAD_ID, UPLOAD_KEY};
use bucket::completion::{ListedPart, ObjectOfParts, PartsError, assemble};
use bucket::description::Description;
use bucket::leftovers::completed_uploads;
use bucket::rules::{BucketError, Refusal};
use bucket::upload_end::AbortOutcome;
use bucket::uploads::{MultipartUpload, UploadsQuery};
use bucket::writer::Writer;
use filer::fault::FaultyFiler;
use filer::{Condition, Entry, Mutation};
use ids::{ChecksumAlgorithm, ChecksumType, ObjectKey, Versioning};
use support::{World, entry_of, etag, initiator, key, outcome, stamp, written};

fn upload(key: &str, id: &str) -> MultipartUpload {
    let extended = [(UPLOAD_KEY.to_owned(), key.as_bytes().to_vec())].into();
    let entry = Entry { name: id.to_owned(), is_directory: true, extended, ..Entry::default() };
    MultipartUpload::new("/buckets/b/.uploads", entry).unwrap()
}

/// Uploads, prefixes, and the markers of the next page.
fn shown(query: UploadsQuery<'_>) -> (Vec<String>, Vec<String>, bool, Option<String>, Option<String>) {
    let all = [("b", "2"), ("a/x", "4"), ("b", "1"), ("a/y", "5"), ("c", "3")];
    let page = query.page_of(all.iter().map(|(key, id)| upload(key, id)).collect());
    let uploads = page.uploads.iter().map(|upload| format!("{}.{}", upload.key(), upload.id())).collect();
    (uploads, page.common_prefixes, page.is_truncated, page.next_key_marker, page.next_upload_id_marker)
}

#[test]
fn pages_of_uploads() {
    let all = UploadsQuery { max_uploads: 10, ..UploadsQuery::default() };
    let grouped = UploadsQuery { delimiter: Some("/"), ..all };
    let after = |key_marker, upload_id_marker| UploadsQuery { key_marker, upload_id_marker, ..all };
    for (query, uploads, prefixes, next) in [
        (all, &["a/x.4", "a/y.5", "b.1", "b.2", "c.3"][..], &[][..], None),
        (UploadsQuery { prefix: "a/", ..all }, &["a/x.4", "a/y.5"], &[], None),
        (UploadsQuery { prefix: "a/", ..grouped }, &["a/x.4", "a/y.5"], &[], None),
        (grouped, &["b.1", "b.2", "c.3"], &["a/"], None),
        (UploadsQuery { max_uploads: 3, ..all }, &["a/x.4", "a/y.5", "b.1"], &[], Some(("b", Some("1")))),
        (UploadsQuery { max_uploads: 5, ..all }, &["a/x.4", "a/y.5", "b.1", "b.2", "c.3"], &[], None),
        (UploadsQuery { max_uploads: 1, ..grouped }, &[], &["a/"], Some(("a/", None))),
        (UploadsQuery { max_uploads: 2, ..grouped }, &["b.1"], &["a/"], Some(("b", Some("1")))),
        (UploadsQuery { key_marker: "a/", ..grouped }, &["b.1", "b.2", "c.3"], &[], None),
        (after("b", "1"), &["b.2", "c.3"], &[], None),
        (after("b", ""), &["c.3"], &[], None),
        (after("c", "3"), &[], &[], None),
    ] {
        let (got_uploads, got_prefixes, is_truncated, next_key, next_id) = shown(query);
        assert_eq!(got_uploads, uploads, "{query:?}");
        assert_eq!(got_prefixes, prefixes, "{query:?}");
        let got_next = next_key.as_deref().map(|key| (key, next_id.as_deref()));
        assert_eq!((got_next, is_truncated), (next, next.is_some()), "{query:?}");
    }
}

/// In whatever order a filer lists the uploads, pages of any size show all of them once, in the order of one large page.
#[test]
fn small_pages_of_uploads() {
    let keys = ["a", "a/", "a-b", "a/x", "a/x/y", "a/y", "b", "b/x", "ab"];
    let mut all: Vec<_> = keys.iter().flat_map(|key| ["2", "1"].map(|id| upload(key, id))).collect();
    for (prefix, delimiter) in [("", None), ("", Some("/")), ("a", Some("/")), ("a/", Some("/")), ("a", Some("x"))] {
        let query = UploadsQuery { prefix, delimiter, max_uploads: 100, ..UploadsQuery::default() };
        let whole = query.page_of(all.clone());
        let (uploads, prefixes) = (whole.uploads, whole.common_prefixes);
        assert!(uploads.is_sorted_by_key(|upload| (upload.key(), upload.id())), "{query:?}");
        for max_uploads in 1..=uploads.len() + prefixes.len() {
            let (mut seen, mut groups, mut after) = (Vec::new(), Vec::new(), (String::new(), String::new()));
            loop {
                let query = UploadsQuery { key_marker: &after.0, upload_id_marker: &after.1, max_uploads, ..query };
                all.rotate_left(1);
                let page = query.page_of(all.clone());
                assert!(page.uploads.len() + page.common_prefixes.len() <= max_uploads, "{query:?}");
                seen.extend(page.uploads);
                groups.extend(page.common_prefixes);
                match page.next_key_marker {
                    Some(key) => after = (key, page.next_upload_id_marker.unwrap_or_default()),
                    None => break,
                }
            }
            assert_eq!((&seen, &groups), (&uploads, &prefixes), "{query:?}, {max_uploads} at most");
        }
    }
}

/// Every caller may continue an upload without an initiator. If the initiator cannot be read, nobody may.
#[test]
fn who_continues_an_upload() {
    let begun = MultipartUpload::new("/u", stamp().upload("id", &key("a"), initiator(), Description::default(), None));
    let (begun, unmarked) = (begun.unwrap(), upload("a", "id"));
    let mut unreadable = unmarked.clone();
    unreadable.entry.extended.insert(INITIATOR_ID.to_owned(), vec![0xff]);
    assert_eq!((begun.initiator_arn(), unmarked.initiator_arn()), (Some(&*initiator().arn), None));
    for (id, of_begun, of_unreadable) in [
        (Some("AIDAX"), true, false),
        (Some("AIDAY"), false, false),
        (Some("AIDA"), false, false),
        (Some(""), false, false),
        (None, false, false),
    ] {
        let got = [&begun, &unreadable, &unmarked].map(|upload| upload.may_be_continued_by(id));
        assert_eq!(got, [of_begun, of_unreadable, true], "{id:?}");
    }
}

#[test]
fn the_checksum_of_an_upload() {
    use ChecksumAlgorithm::{Crc32, Crc64Nvme};
    use ChecksumType::{Composite, FullObject};
    for checksum in [None, Some((Crc32, Composite)), Some((Crc32, FullObject)), Some((Crc64Nvme, FullObject))] {
        let entry = stamp().upload("id", &key("a"), initiator(), Description::default(), checksum);
        assert_eq!(MultipartUpload::new("/u", entry).unwrap().checksum(), checksum);
    }
    for (entry, what) in [
        (Entry { is_directory: false, ..upload("a", "id").entry }, "a file"),
        (Entry { extended: [].into(), ..upload("a", "id").entry }, "no key"),
    ] {
        assert_eq!(MultipartUpload::new("/u", entry), None, "{what}");
    }
}

async fn begin(writer: &Writer<'_>, key: &ObjectKey) -> MultipartUpload {
    writer.begin_upload(key, stamp().upload("id", key, initiator(), Description::default(), None)).await.unwrap();
    writer.objects.upload(key, "id").await.unwrap().unwrap()
}

/// The object that part 1 becomes.
async fn object_of(writer: &Writer<'_>, key: &ObjectKey, upload: &MultipartUpload) -> ObjectOfParts {
    let newest = etag(9);
    let listed = [ListedPart { number: 1, etag: &newest, checksum: None }];
    let parts = writer.objects.candidates(upload, &listed).await.unwrap().choose().unwrap();
    stamp().assembled(key, upload, assemble(&parts).unwrap(), None)
}

#[tokio::test]
async fn an_upload_from_its_first_part_to_its_object() {
    for world in World::both_with_bucket().await {
        let (writer, a, case) = (world.writer(), key("d/a"), world.name);
        let upload = begin(&writer, &a).await;
        for (number, md5) in [(1, 8), (2, 7), (1, 9)] {
            let later = bucket::new_entry::Stamp { seconds: 1000 + i64::from(md5), ..stamp() };
            let part = later.part(number, &written(md5), None);
            writer.put_part(&a, &upload, part).await.unwrap();
        }
        let (page, is_truncated) = writer.objects.list_parts(&upload, 0, 1).await.unwrap();
        let seen: Vec<(u32, String)> = page.iter().map(|(number, part)| (*number, part.etag())).collect();
        assert_eq!((seen, is_truncated), (vec![(1, etag(9))], true), "{case}");
        let (page, is_truncated) = writer.objects.list_parts(&upload, 1, 5).await.unwrap();
        assert_eq!((page.len(), page[0].0, is_truncated), (1, 2, false), "{case}");

        let object = object_of(&writer, &a, &upload).await;
        let etag = object.entry.etag();
        writer.complete(&a, &upload, object.clone(), Vec::new()).await.unwrap();
        assert_eq!(writer.objects.current(&a).await.unwrap().unwrap().etag(), etag, "{case}");
        assert_eq!(writer.objects.made_by(&a, "id").await.unwrap().unwrap().etag(), etag, "{case}");
        assert_eq!(writer.objects.made_by(&a, "other").await.unwrap(), None, "{case}");
        assert!(writer.objects.upload(&a, "id").await.unwrap().is_none(), "{case}");
        let late = writer.put_part(&a, &upload, stamp().part(3, &written(1), None)).await;
        assert_eq!(outcome(&late), "precondition", "{case}");
        assert_eq!(outcome(&writer.complete(&a, &upload, object, Vec::new()).await), "precondition", "{case}");
        assert_eq!(writer.objects.abort(&a, &upload).await.unwrap(), AbortOutcome::NoSuchUpload, "{case}");
    }
}

/// Pages of parts have the order of their numbers, and read no more than they show.
#[tokio::test]
async fn pages_of_parts() {
    let numbers: Vec<u32> = (1..=40).chain([999, 1000, 1001, 9999, 10_000]).collect();
    for mut world in World::both_with_bucket().await {
        let faulty = Arc::new(FaultyFiler::new(world.filer.clone()));
        world.filer = faulty.clone();
        let (writer, a) = (world.writer(), key("d/a"));
        let upload = begin(&writer, &a).await;
        for number in numbers.iter().chain([&3, &10_000]) {
            writer.put_part(&a, &upload, stamp().part(*number, &written(9), None)).await.unwrap();
        }
        for max_parts in [1, 2, 7, 40, 100] {
            let (mut seen, mut after, mut is_truncated) = (Vec::new(), 0, true);
            while is_truncated {
                let before = faulty.listed_entries();
                let page = writer.objects.list_parts(&upload, after, max_parts).await.unwrap();
                let entries = faulty.listed_entries() - before;
                let case = format!("{}: after {after}, {max_parts} at most: {entries} entries", world.name);
                assert!(entries <= 2 * (max_parts as u64 + 2) + 2, "{case}");
                seen.extend(page.0.iter().map(|(number, _)| *number));
                assert!(page.0.len() <= max_parts && !page.0.is_empty(), "{case}");
                let last = *seen.last().unwrap();
                assert!(last > after, "{case}: {seen:?}");
                (after, is_truncated) = (last, page.1);
            }
            assert_eq!(seen, numbers, "{}: {max_parts} at most", world.name);
            let past = writer.objects.list_parts(&upload, 10_000, max_parts).await.unwrap();
            assert_eq!((past.0.len(), past.1), (0, false), "{}", world.name);
        }
    }
}

/// A completion reads an upload in pages, and no further than a part that is too small.
#[tokio::test]
async fn files_of_a_completion() {
    for mut world in World::both_with_bucket().await {
        let faulty = Arc::new(FaultyFiler::new(world.filer.clone()));
        world.filer = faulty.clone();
        let (writer, a) = (world.writer(), key("d/a"));
        let upload = begin(&writer, &a).await;
        let part = |number, md5| Mutation::Put {
            directory: "/buckets/b/.uploads/id".to_owned(),
            entry: Box::new(stamp().part(number, &written(md5), None)),
        };
        let replaced = (0..600).map(|_| part(1, 8));
        world.run(replaced.chain([part(2, 7), part(9999, 5), part(10_000, 6), part(1, 9)]).collect()).await;
        let (one, two, last) = (etag(9), etag(7), etag(6));
        let listed = |number, etag| ListedPart { number, etag, checksum: None };
        for (parts, want, most) in [
            (&[listed(1, &*one)][..], None, 604),
            (&[listed(10_000, &last)], None, 604),
            (&[listed(1, &two)], Some(PartsError::Missing { number: 1, etag: two.clone() }), 604),
            (
                &[listed(2, &two), listed(9999, &one)],
                Some(PartsError::TooSmall { number: 2, etag: two.clone(), bytes: 0 }),
                604,
            ),
            (
                &[listed(1, &etag(8)), listed(2, &two)],
                Some(PartsError::TooSmall { number: 1, etag: etag(8), bytes: 0 }),
                250,
            ),
        ] {
            let before = faulty.listed_entries();
            let chosen = writer.objects.candidates(&upload, parts).await.unwrap().choose();
            let entries = faulty.listed_entries() - before;
            let case = format!("{}: {parts:?}: {entries} entries", world.name);
            assert_eq!(chosen.err(), want, "{case}");
            assert_eq!(entries, most, "{case}");
        }
    }
}

/// A filer that dies between the two steps of a completion has made the object and left the upload.
#[tokio::test]
async fn an_upload_that_has_made_its_object_is_found_and_removed() {
    for versioning in [Versioning::Off, Versioning::Enabled] {
        for world in World::both_with_bucket().await {
            let (writer, a, b) = (world.writer_of_versions(versioning, 1_000_000_000), key("d/a"), key("d/b"));
            let upload = begin(&writer, &a).await;
            writer.put_part(&a, &upload, stamp().part(1, &written(9), None)).await.unwrap();
            let entry = object_of(&writer, &a, &upload).await.entry;
            writer
                .begin_upload(&b, stamp().upload("open", &b, initiator(), Description::default(), None))
                .await
                .unwrap();
            let case = format!("{}, {versioning:?}", world.name);
            let found = completed_uploads(&*world.filer).await.unwrap();
            assert_eq!(found, [], "{case}: both are unfinished");

            writer.put(&a, entry.clone(), Vec::new()).await.unwrap();
            if versioning.keeps_versions() {
                let versioned = [("Seaweed-X-Amz-Versioning".to_owned(), b"Enabled".to_vec())].into();
                let step = Mutation::Patch {
                    directory: "/buckets".to_owned(),
                    name: "b".to_owned(),
                    set: versioned,
                    remove: Vec::new(),
                    content: None,
                };
                world.run(vec![step]).await;
            }
            let found = completed_uploads(&*world.filer).await.unwrap();
            let named: Vec<_> = found.iter().map(|one| (one.bucket.as_str(), one.key.as_str())).collect();
            assert_eq!(named, [("b", "d/a")], "{case}");
            for _ in 0..2 {
                found[0].remove(&*world.filer).await.unwrap();
            }
            assert!(writer.objects.upload(&a, "id").await.unwrap().is_none(), "{case}");
            assert!(writer.objects.upload(&b, "open").await.unwrap().is_some(), "{case}: it has made no object");
            assert_eq!(writer.objects.current(&a).await.unwrap().unwrap().chunks, entry.chunks, "{case}");
            assert_eq!(completed_uploads(&*world.filer).await.unwrap(), [], "{case}");
        }
    }
}

#[tokio::test]
async fn an_upload_is_completed_beside_what_is_there() {
    for (there, conditions, want) in [
        (&["d/a"][..], vec![], "ok"),
        (&["d/a"], vec![Condition::NotExists], "precondition"),
        (&["d/a/b"], vec![], "ok"),
        (&["d/a/b"], vec![Condition::NotExists], "ok"),
    ] {
        for world in World::both_with_bucket().await {
            let (writer, a, case) = (world.writer(), key("d/a"), format!("{}: {there:?} {conditions:?}", world.name));
            for text in there {
                writer.put(&key(text), entry_of(&key(text), 1), Vec::new()).await.unwrap();
            }
            let upload = begin(&writer, &a).await;
            writer.put_part(&a, &upload, stamp().part(1, &written(9), None)).await.unwrap();
            let object = object_of(&writer, &a, &upload).await;
            assert_eq!(outcome(&writer.complete(&a, &upload, object, conditions.clone()).await), want, "{case}");
            let is_made = writer.objects.made_by(&a, "id").await.unwrap().is_some();
            let is_left = writer.objects.upload(&a, "id").await.unwrap().is_some();
            assert_eq!((is_made, is_left), (want == "ok", want != "ok"), "{case}");
        }
    }
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    for world in World::both_with_bucket().await {
        let (writer, a, case) = (world.writer(), key("a"), world.name);
        let upload = begin(&writer, &a).await;
        assert!(writer.objects.upload(&key("other"), "id").await.unwrap().is_none(), "{case}: another key");
        assert!(writer.objects.upload(&a, "other").await.unwrap().is_none(), "{case}: another id");
        assert_eq!(writer.objects.abort(&a, &upload).await.unwrap(), AbortOutcome::Aborted, "{case}");
        assert_eq!(writer.objects.abort(&a, &upload).await.unwrap(), AbortOutcome::NoSuchUpload, "{case}: again");
        assert!(writer.objects.upload(&a, "id").await.unwrap().is_none(), "{case}");
    }
}

#[tokio::test]
async fn an_upload_that_has_made_its_object_is_removed_and_counts_as_gone() {
    for world in World::both_with_bucket().await {
        let (writer, a) = (world.writer(), key("a"));
        let upload = begin(&writer, &a).await;
        let mut made = entry_of(&a, 1);
        made.extended.insert(UPLOAD_ID.to_owned(), b"id".to_vec());
        writer.put(&a, made, Vec::new()).await.unwrap();
        assert_eq!(writer.objects.abort(&a, &upload).await.unwrap(), AbortOutcome::NoSuchUpload, "{}", world.name);
        assert!(writer.objects.upload(&a, "id").await.unwrap().is_none(), "{}", world.name);
        assert!(writer.objects.current(&a).await.unwrap().is_some(), "{}", world.name);
    }
}

#[tokio::test]
async fn more_uploads_than_a_filer_lists_at_once() {
    let [_, memory] = World::both_with_bucket().await;
    for number in 0..1001 {
        let one = upload(&format!("k{number:04}"), &format!("id{number:04}"));
        memory.plant(&format!(".uploads/id{number:04}"), one.entry).await;
    }
    memory.plant(".uploads/not-an-upload", Entry::default()).await;
    let query = UploadsQuery { max_uploads: 2000, ..UploadsQuery::default() };
    let page = memory.objects(Versioning::Off).list_uploads(&query).await.unwrap();
    assert_eq!((page.uploads.len(), page.uploads[1000].key()), (1001, "k1000"));
}

#[tokio::test]
async fn an_upload_under_encryption_is_refused() {
    let [_, memory] = World::both_with_bucket().await;
    let mut of_sse = upload("a", "id").entry;
    of_sse.extended.insert(format!("{ENCRYPTION_PREFIX}key"), b"x".to_vec());
    memory.plant(".uploads/id", of_sse).await;
    let found = memory.objects(Versioning::Off).upload(&key("a"), "id").await;
    assert!(matches!(found, Err(BucketError::Refused(Refusal::Encrypted))), "{found:?}");
}

/// A completion that was interrupted made a version and left its upload. The parts' data belongs to that version, even
/// after a newer one was written.
#[tokio::test]
async fn the_data_of_a_version_outlives_the_abort_of_its_upload() {
    for world in World::both_with_bucket().await {
        let (writer, a) = (world.writer_of_versions(ids::Versioning::Enabled, 1_790_000_000_000_000_000), key("d/a"));
        let upload = begin(&writer, &a).await;
        for (upload_id, is_aborted) in [("id", false), ("other", true)] {
            let mut made = entry_of(&a, 1);
            made.extended.insert(bucket::attributes::UPLOAD_ID.to_owned(), upload_id.into());
            writer.put(&a, made, Vec::new()).await.unwrap();
            writer.put(&a, entry_of(&a, 2), Vec::new()).await.unwrap();
            let upload = if is_aborted { begin(&writer, &key("d/b")).await } else { upload.clone() };
            let aborted = writer.objects.abort(&key(upload.key()), &upload).await.unwrap();
            assert_eq!(aborted == AbortOutcome::Aborted, is_aborted, "{}: {upload_id}", world.name);
        }
    }
}
