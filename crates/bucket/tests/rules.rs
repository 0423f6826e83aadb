//! What may be done with a bucket and its objects, as tables.

use bucket::attributes::{
    LATEST_IS_DELETE_MARKER, LATEST_VERSION_FILE, LATEST_VERSION_ID, LEGAL_HOLD, LOCK_MODE, NULL_IS_LATEST,
    RETAIN_UNTIL,
};
use bucket::rules::{
    CurrentVersion, Refusal, Standing, current, holds, is_abandoned, is_null, may_change, may_delete_with_objects,
    may_read, may_write, null_is_current, null_is_newer, owner_of_new_object, standing,
};
use bucket::version_id::next;
use bucket::versions::{Removal, removal};
use filer::{Attributes, Condition, Entry, FileChunk};
use ids::{BucketLife, Ownership, Stage, Versioning};

fn entry(pairs: &[(&str, &str)]) -> Entry {
    let extended = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    Entry { extended, is_directory: true, ..Entry::default() }
}

#[test]
fn what_is_not_done_in_buckets_with_versions_or_locks() {
    use Versioning::{Enabled, Off, Suspended, Unknown};
    for (versioning, has_lock, write, delete) in [
        (Off, false, Ok(()), true),
        (Off, true, Err(Refusal::LockWithoutVersions), false),
        (Suspended, true, Err(Refusal::LockWithoutVersions), false),
        (Enabled, true, Ok(()), false),
        (Enabled, false, Ok(()), false),
        (Suspended, false, Ok(()), false),
        (Unknown, false, Err(Refusal::UnknownVersioning), false),
    ] {
        let case = format!("{versioning:?}, object lock: {has_lock}");
        assert_eq!(may_write(versioning, has_lock), write, "{case}");
        assert_eq!(may_delete_with_objects(versioning, has_lock), delete, "{case}");
    }
}

#[test]
fn locked_objects_stay_as_they_are() {
    for (pairs, want) in [
        (&[][..], Ok(())),
        (&[(LEGAL_HOLD, "OFF")], Ok(())),
        (&[(LEGAL_HOLD, "ON")], Err(Refusal::Locked)),
        (&[(LEGAL_HOLD, "what?")], Err(Refusal::Locked)),
        (&[(LOCK_MODE, "GOVERNANCE")], Err(Refusal::Locked)),
        (&[(RETAIN_UNTIL, "1")], Err(Refusal::Locked)),
    ] {
        assert_eq!(may_change(&entry(pairs)), want, "{pairs:?}");
    }
}

#[test]
fn encrypted_objects_are_not_sent_as_stored() {
    let of_chunks = Entry { chunks: vec![FileChunk { sse_type: 1, ..FileChunk::default() }], ..Entry::default() };
    assert_eq!(may_read(&of_chunks), Err(Refusal::Encrypted));
    for (name, want) in [
        ("x-seaweedfs-sse-key", Err(Refusal::Encrypted)),
        ("X-Amz-Server-Side-Encryption", Err(Refusal::Encrypted)),
        ("x-amz-server-side-encryption-customer-algorithm", Err(Refusal::Encrypted)),
        ("X-Amz-Meta-Sse", Ok(())),
    ] {
        assert_eq!(may_read(&entry(&[(name, "x")])), want, "{name}");
    }
}

#[test]
fn a_key_without_versions_has_the_version_null() {
    for (version_id, want) in [
        (None, Ok(())),
        (Some("null"), Ok(())),
        (Some("Null"), Err(Refusal::NoSuchVersion)),
        (Some("v1"), Err(Refusal::NoSuchVersion)),
    ] {
        assert_eq!(is_null(version_id), want, "{version_id:?}");
    }
}

#[test]
fn the_current_version_is_where_the_directory_says() {
    let file = (LATEST_VERSION_FILE, "v_1");
    for (pairs, want) in [
        (&[][..], CurrentVersion::Plain),
        (&[file], CurrentVersion::File("v_1")),
        (&[file, (LATEST_IS_DELETE_MARKER, "true")], CurrentVersion::DeleteMarker("1")),
        (&[file, (LATEST_IS_DELETE_MARKER, "true"), (LATEST_VERSION_ID, "2")], CurrentVersion::DeleteMarker("2")),
        (&[file, (LATEST_IS_DELETE_MARKER, "false")], CurrentVersion::File("v_1")),
        (&[file, (NULL_IS_LATEST, "true")], CurrentVersion::File("v_1")),
        (&[(NULL_IS_LATEST, "true")], CurrentVersion::Plain),
        (&[(LATEST_VERSION_FILE, ""), (LATEST_IS_DELETE_MARKER, "true")], CurrentVersion::Plain),
        (&[(LATEST_IS_DELETE_MARKER, "true")], CurrentVersion::Plain),
    ] {
        assert_eq!(current(Some(&entry(pairs))), want, "{pairs:?}");
        assert_eq!(null_is_current(Some(&entry(pairs))), want == CurrentVersion::Plain, "{pairs:?}");
    }
    let null = [(LATEST_VERSION_FILE, "v_null"), (LATEST_IS_DELETE_MARKER, "true")];
    assert!(null_is_current(Some(&entry(&null))) && null_is_current(None));
    assert_eq!(current(None), CurrentVersion::Plain);
    assert_eq!(
        current(Some(&Entry { is_directory: false, ..entry(&[file]) })),
        CurrentVersion::Plain,
        "an object's name"
    );
}

#[test]
fn what_a_delete_without_a_version_does() {
    use Versioning::{Enabled, Off, Suspended, Unknown};
    for (versioning, key, want) in [
        (Off, "a", Removal::Object),
        (Enabled, "a", Removal::Mark),
        (Unknown, "a", Removal::Mark),
        (Suspended, "a", Removal::ReplaceNull),
        (Enabled, "a/", Removal::Object),
        (Suspended, "a/", Removal::Object),
    ] {
        assert_eq!(removal(versioning, &key.parse().unwrap()), want, "{versioning:?} {key}");
    }
}

#[test]
fn the_version_null_has_its_place_by_time() {
    let null = |mtime, mtime_ns| Entry {
        attributes: Some(Attributes { mtime, mtime_ns, ..Attributes::default() }),
        ..Entry::default()
    };
    let id = next(None, 5_000_000_007, 0);
    for (entry, want) in [(null(5, 8), true), (null(5, 7), false), (null(5, 0), false), (null(6, 0), true)] {
        assert_eq!(null_is_newer(&entry, &id), want, "{entry:?}");
    }
    assert!(null_is_newer(&null(5, 0), "no time"), "what no gateway made is older");
}

#[test]
fn conditions_of_writes() {
    let tag = |text: &str| vec![text.to_owned()];
    let entry = Entry {
        attributes: Some(Attributes { md5: vec![1; 16], mtime: 5, ..Attributes::default() }),
        ..Entry::default()
    };
    let etag = "01".repeat(16);
    for (condition, of_none, of_entry) in [
        (Condition::NotExists, true, false),
        (Condition::Exists, false, true),
        (Condition::EtagMatches(tag(&etag)), false, true),
        (Condition::EtagMatches(tag("other")), false, false),
        (Condition::EtagMatches(tag("*")), false, true),
        (Condition::EtagDiffers(tag(&etag)), true, false),
        (Condition::EtagDiffers(tag("other")), true, true),
        (Condition::UnmodifiedSince(5), true, true),
        (Condition::UnmodifiedSince(4), true, false),
        (Condition::ModifiedSince(5), true, false),
        (Condition::ModifiedSince(4), true, true),
    ] {
        let case = format!("{condition:?}");
        let only = std::slice::from_ref(&condition);
        assert_eq!((holds(only, None), holds(only, Some(&entry))), (of_none, of_entry), "{case}");
        assert!(!holds(&[condition, Condition::NotExists], Some(&entry)), "{case}: all of them");
    }
    assert!(holds(&[], None) && holds(&[], Some(&entry)));
}

#[test]
fn who_owns_a_new_object() {
    use Ownership::{BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter};
    let bob = Some("bob");
    for (ownership, bucket_owner, uploader, gives, want) in [
        (BucketOwnerEnforced, "alice", bob, false, "alice"),
        (BucketOwnerEnforced, "", bob, false, "bob"),
        (BucketOwnerPreferred, "alice", bob, false, "bob"),
        (BucketOwnerPreferred, "alice", bob, true, "alice"),
        (ObjectWriter, "alice", bob, false, "bob"),
        (ObjectWriter, "alice", bob, true, "bob"),
        // An anonymous upload belongs to an account that can be named.
        (BucketOwnerPreferred, "alice", None, false, "alice"),
        (ObjectWriter, "alice", None, false, "alice"),
        (ObjectWriter, "", None, false, ""),
    ] {
        let got = owner_of_new_object(ownership, bucket_owner, uploader, gives);
        assert_eq!(got, want, "{ownership:?} `{bucket_owner}` {uploader:?} {gives}");
    }
}

#[test]
fn whether_a_bucket_still_stands() {
    for (stored, want) in [
        ("1", Standing::Active),
        ("1.deleting.0a", Standing::Announced),
        ("1.deleted.5.0a", Standing::Gone),
        ("2", Standing::Gone),
        ("2.deleting.0a", Standing::Gone),
        ("", Standing::Gone),
    ] {
        assert_eq!(standing(&BucketLife::read(Some(stored), 7), "1"), want, "{stored}");
    }
    assert_eq!(standing(&BucketLife::read(None, 7), "made-7"), Standing::Active);
}

#[test]
fn a_deletion_is_abandoned_after_a_minute() {
    let deleted = |since_s| Stage::Deleted { since_s, mark: "0a".into() };
    for (stage, now_s, want) in [
        (deleted(1000), 1059, false),
        (deleted(1000), 1060, true),
        (deleted(1000), 0, false),
        (deleted(0), 1060, true),
        (deleted(i64::MIN), i64::MAX, true),
        (Stage::Announced("0a".into()), 9999, false),
        (Stage::Active, 9999, false),
    ] {
        assert_eq!(is_abandoned(&stage, now_s), want, "{stage:?} at {now_s}");
    }
}
