//! New entries, as SeaweedFS writes them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use bucket::attributes::{OWNER, PART_BOUNDARIES, TAG_PREFIX};
use bucket::description::Description;
use bucket::metadata::BucketMetadata;
use bucket::new_entry::{NewBucket, StoredChecksum};
use bucket::object;
use filer::{Attributes, Entry};
use ids::{BucketLife, ChecksumAlgorithm, ChecksumType, Ownership, PublicAccessBlock};
use support::{initiator, key, stamp, written};

/// `name=value` of every attribute.
fn attributes_of(entry: &Entry) -> Vec<String> {
    entry.extended.iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value))).collect()
}

fn described() -> Description {
    let mut description = Description::new(Some("text/plain".to_owned()), Some("GLACIER".to_owned()));
    description.set_content_header("Cache-Control", "no-cache");
    description.set_metadata("my-COLOR", "red");
    description.set_tags([("k", "v")].into_iter());
    description
}

const DESCRIBED: [&str; 4] =
    ["Cache-Control=no-cache", "X-Amz-Meta-My-Color=red", "X-Amz-Storage-Class=GLACIER", "X-Amz-Tagging-k=v"];
const MD5: &str = "Seaweed-X-Amz-ETag=01010101010101010101010101010101";
const OWNED: &str = "Seaweed-X-Amz-Owner=alice";

fn checksum() -> StoredChecksum {
    StoredChecksum { algorithm: ChecksumAlgorithm::Crc32C, value: "AAAAAA==".to_owned(), kind: None }
}

/// What an upload's directory says of the upload itself.
const OF_UPLOAD: [&str; 4] = [
    OWNED,
    "key=d/a",
    "x-seaweedfs-kelpgate-initiator-id=AIDAX",
    "x-seaweedfs-kelpgate-initiator-arn=arn:aws:iam::000000000000:user/al",
];

#[test]
fn the_attributes_of_new_entries() {
    let (a, data) = (key("d/a"), written(1));
    let sums = ["x-seaweedfs-checksum-algorithm=X-Amz-Checksum-Crc32c", "x-seaweedfs-checksum-value=AAAAAA=="];
    let begun_with = Some((ChecksumAlgorithm::Crc32C, ChecksumType::Composite));
    let with_sum = [sums[0], "x-seaweedfs-checksum-type=COMPOSITE"];
    let of_empty = "Seaweed-X-Amz-ETag=d41d8cd98f00b204e9800998ecf8427e";
    for (what, entry, mime, want) in [
        (
            "an object",
            stamp().object(&a, Description::default(), &data, None),
            "application/octet-stream",
            vec![MD5, OWNED],
        ),
        (
            "a described object",
            stamp().object(&a, described(), &data, Some(checksum())),
            "text/plain",
            [&DESCRIBED[..], &sums, &[MD5, OWNED]].concat(),
        ),
        (
            "a marker",
            stamp().marker(&key("d/a/"), Description::default(), b""),
            "httpd/unix-directory",
            vec![of_empty, OWNED],
        ),
        (
            "a described marker",
            stamp().marker(&key("d/a/"), described(), b""),
            "text/plain",
            [&DESCRIBED[..], &[of_empty, OWNED]].concat(),
        ),
        ("an upload", stamp().upload("a", &a, initiator(), Description::default(), None), "", OF_UPLOAD.to_vec()),
        (
            "a described upload",
            stamp().upload("a", &a, initiator(), described(), begun_with),
            "text/plain",
            [&DESCRIBED[..], &with_sum, &OF_UPLOAD].concat(),
        ),
    ] {
        let mut want: Vec<String> = want.into_iter().map(str::to_owned).collect();
        want.sort();
        assert_eq!(attributes_of(&entry), want, "{what}");
        assert_eq!((&*entry.name, &*entry.attributes().mime), ("a", mime), "{what}");
    }
    assert_eq!(attributes_of(&stamp().part(1, &data, Some(checksum()))), [MD5, OWNED, sums[0], sums[1]]);
}

#[test]
fn times_modes_and_owners_of_new_entries() {
    let file = Attributes {
        mtime: 1000,
        mtime_ns: 5,
        crtime: 1000,
        file_mode: 0o660,
        uid: 7,
        gid: 8,
        ..Attributes::default()
    };
    let directory = Attributes { file_mode: object::DIRECTORY_MODE, ..file.clone() };
    let (a, life) = (key("a"), BucketLife::new(7));
    let bucket = NewBucket {
        name: "b",
        life: &life,
        creator: "al",
        ownership: None,
        public_access_block: None,
        tags: [].into(),
        has_object_lock: false,
    };
    let same = |entry: Entry| Attributes { md5: Vec::new(), mime: String::new(), ..entry.attributes().clone() };
    for (what, entry, want) in [
        ("an object", stamp().object(&a, Description::default(), &written(1), None), file.clone()),
        ("a part", stamp().part(1, &written(1), None), file),
        ("a marker", stamp().marker(&key("a/"), Description::default(), b"x"), directory.clone()),
        ("an upload", stamp().upload("id", &a, initiator(), Description::default(), None), directory.clone()),
        ("a bucket", stamp().bucket(bucket), Attributes { mtime_ns: 0, ..directory }),
    ] {
        assert_eq!(entry.is_directory, want.file_mode == object::DIRECTORY_MODE, "{what}");
        assert_eq!(same(entry), want, "{what}");
    }
}

#[test]
fn a_marker_keeps_a_small_body() {
    let marker = stamp().marker(&key("a/"), Description::default(), b"body");
    assert_eq!((&*marker.content, marker.attributes().file_size), (&b"body"[..], 0));
    assert_eq!(marker.etag(), "841a2d689ad86bd1611447453c22c6fc");
    assert!(object::is_directory_marker(&marker));
    let without_type = stamp().marker(&key("a/"), Description::new(Some(String::new()), None), b"");
    assert!(object::is_directory_marker(&without_type), "an empty content type would make it a plain directory");
}

#[test]
fn a_copy_takes_headers_and_tags() {
    let mut source = stamp().object(&key("a"), described(), &written(1), Some(checksum()));
    source.extended.insert(format!("{TAG_PREFIX}raw"), vec![0xff]);
    let copy = stamp().object(&key("c"), Description::of(&source), &written(2), None);
    let tags: Vec<String> = object::tags(&copy).into_keys().collect();
    assert_eq!(
        (tags, &copy.extended[&format!("{TAG_PREFIX}raw")][..]),
        (vec!["k".to_owned(), "raw".to_owned()], &[0xff][..])
    );
    assert_eq!(object::headers(&copy).count(), 2);
    assert_eq!((object::content_type(&copy), object::storage_class(&copy)), ("text/plain", "STANDARD"));
    let of_tags = Description::default().with_tags_of(Description::of(&source));
    let tagged = stamp().object(&key("c"), of_tags, &written(2), None);
    assert_eq!((object::tags(&tagged).len(), object::headers(&tagged).count()), (2, 0));
}

#[test]
fn another_description_leaves_what_is_said_of_the_bytes() {
    let mut source = stamp().object(&key("a"), described(), &written(1), Some(checksum()));
    source.extended.insert(PART_BOUNDARIES.to_owned(), b"[]".to_vec());
    source.extended.insert(OWNER.to_owned(), b"bob".to_vec());
    let later = bucket::new_entry::Stamp { seconds: 2000, nanoseconds: 6, ..stamp() };
    let anew = later.described_anew(&source, Description::default());
    let want = [
        MD5,
        OWNED,
        "X-Seaweedfs-Multipart-Part-Boundaries=[]",
        "x-seaweedfs-checksum-algorithm=X-Amz-Checksum-Crc32c",
        "x-seaweedfs-checksum-value=AAAAAA==",
    ];
    assert_eq!(attributes_of(&anew), want);
    let (before, after) = (source.attributes(), anew.attributes());
    assert_eq!((after.mtime, after.mtime_ns, after.crtime), (2000, 6, before.crtime));
    assert_eq!(after.mime, "application/octet-stream");
    let directory = Entry { is_directory: true, ..source };
    assert_eq!(later.described_anew(&directory, Description::default()).attributes().mime, "text/plain");
}

#[test]
fn a_new_bucket() {
    let life = BucketLife::new(7);
    let tags = [("k".to_owned(), "v".to_owned())];
    for (ownership, want) in [
        (None, vec!["Seaweed-X-Amz-ETag=00000000000000000000000000000007", OWNED, "s3-identity-id=al"]),
        (
            Some(Ownership::ObjectWriter),
            vec![
                "Seaweed-X-Amz-ETag=00000000000000000000000000000007",
                OWNED,
                "Seaweed-X-Amz-Ownership=ObjectWriter",
                "kelpgate-public-access-block=BlockPublicAcls,IgnorePublicAcls,BlockPublicPolicy,RestrictPublicBuckets",
                "s3-identity-id=al",
            ],
        ),
    ] {
        let public_access_block = ownership.map(|_| PublicAccessBlock::ALL);
        let tags = tags.clone();
        let made = NewBucket {
            name: "b",
            life: &life,
            creator: "al",
            ownership,
            public_access_block,
            tags: tags.clone().into(),
            has_object_lock: false,
        };
        let entry = stamp().bucket(made);
        assert_eq!(attributes_of(&entry), want);
        assert_eq!(BucketMetadata::read(&entry.content).unwrap().tags, tags.into());
    }
}

#[test]
fn what_a_stored_entry_says() {
    let entry = |pairs: &[(&str, &str)]| Entry {
        extended: pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
        ..Entry::default()
    };
    let (crc, value) =
        (("x-seaweedfs-checksum-algorithm", "x-amz-checksum-crc32"), ("x-seaweedfs-checksum-value", "v"));
    for (pairs, want) in [
        (&[crc, value][..], Some((ChecksumAlgorithm::Crc32, "v"))),
        (&[crc], None),
        (&[value], None),
        (&[("x-seaweedfs-checksum-algorithm", "x-amz-checksum-odd"), value], None),
    ] {
        assert_eq!(object::checksum(&entry(pairs)), want, "{pairs:?}");
    }
    for (stored, want) in [
        (&[][..], ChecksumType::FullObject),
        (&[("x-seaweedfs-checksum-type", "COMPOSITE")], ChecksumType::Composite),
        (&[("x-seaweedfs-checksum-type", "odd")], ChecksumType::FullObject),
    ] {
        assert_eq!(object::checksum_type(&entry(stored)), want, "{stored:?}");
    }
    let until = |text| object::retain_until_s(&entry(&[("Seaweed-X-Amz-Retention-Until-Date", text)]));
    assert_eq!((until("1234"), until("soon"), object::retain_until_s(&entry(&[]))), (Some(1234), None, None));
}
