//! Which uploaded parts an object is made of, and what it then says of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use bucket::attributes::{ENCRYPTION_PREFIX, INITIATOR_ARN, INITIATOR_ID, UPLOAD_KEY};
use bucket::completion::{Candidates, ListedPart, PART_BYTES_MIN, PartsError, assemble};
use bucket::description::Description;
use bucket::new_entry::StoredChecksum;
use bucket::object;
use bucket::part_boundaries::part_range;
use bucket::rules::Refusal;
use bucket::uploads::MultipartUpload;
use filer::{Entry, FileChunk, Written};
use ids::{ChecksumAlgorithm, ChecksumType};
use support::{World, etag, initiator, key, stamp};

/// A part with this MD5, made of chunks of these sizes.
fn part(number: u32, md5: u8, sizes: &[u64]) -> Entry {
    let mut bytes = 0;
    let chunk = |size: &u64| {
        let chunk = FileChunk { offset: bytes, size: *size, file_id: format!("{md5}-{bytes}"), ..FileChunk::default() };
        bytes += size.cast_signed();
        chunk
    };
    let mut chunks: Vec<FileChunk> = sizes.iter().map(chunk).collect();
    // The order in which a filer returns chunks is not defined.
    chunks.reverse();
    let data = Written { chunks, bytes: sizes.iter().sum(), md5: [md5; 16] };
    let checksum = StoredChecksum { algorithm: ChecksumAlgorithm::Crc32, value: format!("crc{md5}"), kind: None };
    stamp().part(number, &data, Some(checksum))
}

fn uploaded() -> [Entry; 6] {
    let mut encrypted = part(4, 14, &[1]);
    encrypted.extended.insert(format!("{ENCRYPTION_PREFIX}key"), b"x".to_vec());
    [
        part(1, 1, &[PART_BYTES_MIN]),
        part(1, 11, &[PART_BYTES_MIN]),
        part(1, 1, &[PART_BYTES_MIN + 1]),
        part(2, 2, &[PART_BYTES_MIN - 1]),
        part(3, 3, &[1]),
        encrypted,
    ]
}

fn choose(listed: &[ListedPart<'_>], files: &[Entry]) -> Result<Vec<Entry>, PartsError> {
    candidates(listed, files).choose()
}

fn candidates<'r>(listed: &'r [ListedPart<'r>], files: &[Entry]) -> Candidates<'r> {
    let mut candidates = Candidates::of(listed);
    files.iter().for_each(|file| candidates.add(file.clone()));
    candidates
}

#[test]
fn the_newest_file_with_the_listed_etag_is_chosen() {
    let missing = |number, md5| Err(PartsError::Missing { number, etag: etag(md5) });
    let small = |number, md5, bytes| Err(PartsError::TooSmall { number, etag: etag(md5), bytes });
    let (crc, other) = ((ChecksumAlgorithm::Crc32, "crc1"), (ChecksumAlgorithm::Sha1, "crc1"));
    for (listed, want) in [
        (&[(1, 1, None)][..], Ok(vec![PART_BYTES_MIN + 1])),
        (&[(1, 11, None)], Ok(vec![PART_BYTES_MIN])),
        (&[(1, 1, None), (2, 2, None)], Ok(vec![PART_BYTES_MIN + 1, PART_BYTES_MIN - 1])),
        (&[(1, 1, None), (3, 3, None)], Ok(vec![PART_BYTES_MIN + 1, 1])),
        (&[(2, 2, None), (3, 3, None)], small(2, 2, PART_BYTES_MIN - 1)),
        (&[(1, 1, Some(crc))], Ok(vec![PART_BYTES_MIN + 1])),
        (&[(1, 11, Some(crc))], missing(1, 11)),
        (&[(1, 1, Some(other))], missing(1, 1)),
        (&[(1, 2, None)], missing(1, 2)),
        (&[(9, 1, None)], missing(9, 1)),
        (&[(4, 14, None)], Err(PartsError::Refused(Refusal::Encrypted))),
        (&[], Ok(vec![])),
    ] {
        let etags: Vec<String> = listed.iter().map(|(_, md5, _)| etag(*md5)).collect();
        let parts: Vec<ListedPart<'_>> = listed
            .iter()
            .zip(&etags)
            .map(|((number, _, checksum), etag)| ListedPart { number: *number, etag, checksum: *checksum })
            .collect();
        let chosen = choose(&parts, &uploaded());
        assert_eq!(chosen.map(|parts| parts.iter().map(Entry::content_bytes).collect()), want, "{listed:?}");
    }
}

/// However many files an upload has.
#[test]
fn files_that_are_not_chosen_are_not_kept() {
    let files = uploaded();
    let one = etag(1);
    let listed = [ListedPart { number: 1, etag: &one, checksum: None }];
    assert_eq!(candidates(&listed, &files), candidates(&listed, &files[2..3]));
    let directory = Entry { is_directory: true, ..files[2].clone() };
    assert_eq!(candidates(&listed, &[directory]), candidates(&listed, &[]));
}

fn upload(mime: &str) -> MultipartUpload {
    let mut description = Description::new(Some(mime.to_owned()), Some("STANDARD_IA".to_owned()));
    description.set_metadata("color", "red");
    let sent = (ChecksumAlgorithm::Crc32, ChecksumType::FullObject);
    MultipartUpload::new("/u", stamp().upload("id", &key("d/a"), initiator(), description, Some(sent))).unwrap()
}

#[test]
fn the_object_of_parts() {
    let whole = assemble(&[part(2, 1, &[4, 6]), part(5, 2, &[3])]).unwrap();
    assert_eq!(whole.bytes, 13);
    let kind = Some(ChecksumType::Composite);
    let checksum = StoredChecksum { algorithm: ChecksumAlgorithm::Crc32, value: "x-2".to_owned(), kind };
    let object = stamp().assembled(&key("d/a"), &upload("text/plain"), whole, Some(checksum)).entry;
    let chunks: Vec<(i64, &str)> = object.chunks.iter().map(|chunk| (chunk.offset, &*chunk.file_id)).collect();
    assert_eq!(chunks, [(0, "1-0"), (4, "1-4"), (10, "2-0")]);
    for (number, want) in [(2, Some(0..10)), (5, Some(10..13)), (1, None)] {
        assert_eq!(part_range(&object, number, 13).ok(), want, "part {number}");
    }
    let attributes = object.attributes();
    assert_eq!((attributes.file_size, attributes.file_mode, &*attributes.mime), (13, 0o770, "text/plain"));
    assert_eq!((attributes.mtime, attributes.crtime, &attributes.md5), (1000, 1000, &Vec::new()));
    assert_eq!((&*object.name, object::parts_count(&object)), ("a", Some("2")));
    assert_eq!(
        (object::checksum(&object), object::checksum_type(&object)),
        (Some((ChecksumAlgorithm::Crc32, "x-2")), ChecksumType::Composite)
    );
    assert_eq!((object::storage_class(&object), object::owner(&object)), ("STANDARD_IA", Some("alice")));
    assert_eq!(object::headers(&object).collect::<Vec<_>>(), [("X-Amz-Meta-Color", "red")]);
    for name in [UPLOAD_KEY, INITIATOR_ARN] {
        assert_eq!(object.extended_text(name), None, "an object is not an upload: {name}");
    }
    let described = stamp().described_anew(&object, Description::default());
    for entry in [&object, &described] {
        assert_eq!(entry.extended_text(INITIATOR_ID), Some(&*initiator().id), "{entry:?}");
    }
}

#[test]
fn an_object_of_parts_has_a_content_type() {
    for (begun_with, want) in [("", "application/octet-stream"), ("text/plain", "text/plain")] {
        let object = stamp().assembled(&key("a"), &upload(begun_with), assemble(&[]).unwrap(), None).entry;
        assert_eq!(object.attributes().mime, want);
    }
}

#[test]
fn parts_that_do_not_become_an_object() {
    let inline = Entry { content: b"x".to_vec(), ..part(1, 1, &[]) };
    let without_md5 =
        Entry { extended: [("Seaweed-X-Amz-ETag".to_owned(), b"odd".to_vec())].into(), ..part(1, 1, &[]) };
    for (part, want) in [(inline, PartsError::Inline { etag: etag(1) }), (without_md5, PartsError::NotAnMd5)] {
        assert_eq!(assemble(&[part]), Err(want));
    }
}

#[tokio::test]
async fn lists_of_chunks_are_read_where_a_part_has_one() {
    let [_, memory] = World::both_with_bucket().await;
    let mut parts = [part(1, 1, &[1]), part(2, 2, &[1])];
    parts[1].chunks[0].is_chunk_manifest = true;
    memory.objects(ids::Versioning::Off).resolve_chunks(&mut parts).await.unwrap();
    assert!(parts.iter().all(|part| !part.chunks[0].is_chunk_manifest), "{parts:?}");
}
