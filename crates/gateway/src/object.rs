//! An S3 object as it stands on the filer: which attribute of an entry means what. The names are SeaweedFS's, so that both
//! kinds of gateway read each other's objects.

use std::collections::BTreeMap;

use filer::Entry;

/// Names of the attributes that S3 facts live under.
pub mod attribute {
    /// ETag without quotes.
    pub const ETAG: &str = "Seaweed-X-Amz-ETag";
    /// Account id of the owner.
    pub const OWNER: &str = "Seaweed-X-Amz-Owner";
    /// Name of the identity that made the bucket.
    pub const IDENTITY_ID: &str = "s3-identity-id";
    /// Storage class.
    pub const STORAGE_CLASS: &str = "X-Amz-Storage-Class";
    /// One attribute for each tag.
    pub const TAG_PREFIX: &str = "X-Amz-Tagging-";
    /// One attribute for each item of user metadata.
    pub const META_PREFIX: &str = "X-Amz-Meta-";
    /// Canonical header name of the checksum, such as `X-Amz-Checksum-Crc32`.
    pub const CHECKSUM_ALGORITHM: &str = "x-seaweedfs-checksum-algorithm";
    /// Its base64 value, with `-N` when composite.
    pub const CHECKSUM_VALUE: &str = "x-seaweedfs-checksum-value";
    /// `COMPOSITE` or `FULL_OBJECT`.
    pub const CHECKSUM_TYPE: &str = "x-seaweedfs-checksum-type";
    /// The multipart upload that made the object.
    pub const UPLOAD_ID: &str = "X-Seaweedfs-Upload-Id";
    /// How many parts it has.
    pub const PARTS_COUNT: &str = "X-Seaweedfs-Multipart-Parts-Count";
    /// JSON list of the parts' boundaries.
    pub const PART_BOUNDARIES: &str = "X-Seaweedfs-Multipart-Part-Boundaries";
    /// The key that a multipart upload is for (on its directory).
    pub const UPLOAD_KEY: &str = "key";
    /// Object lock: `GOVERNANCE` or `COMPLIANCE`.
    pub const LOCK_MODE: &str = "Seaweed-X-Amz-Object-Lock-Mode";
    /// Object lock: seconds since 1970, decimal.
    pub const RETAIN_UNTIL: &str = "Seaweed-X-Amz-Retention-Until-Date";
    /// Object lock: `ON` or `OFF`.
    pub const LEGAL_HOLD: &str = "Seaweed-X-Amz-Legal-Hold";
    /// `true` on a directory that is the object `a` as well as the parent of `a/b` (SeaweedFS 4.48).
    pub const PREFIX_OBJECT: &str = "x-seaweedfs-prefix-object";
    /// `Enabled` or `Suspended` on a bucket.
    pub const VERSIONING: &str = "Seaweed-X-Amz-Versioning";
    /// Version of an entry below a `.versions` directory.
    pub const VERSION_ID: &str = "Seaweed-X-Amz-Version-Id";
    /// `true` on a delete marker.
    pub const DELETE_MARKER: &str = "Seaweed-X-Amz-Delete-Marker";
    /// Names the file of the latest version, on a `.versions` directory.
    pub const LATEST_VERSION_FILE: &str = "Seaweed-X-Amz-Latest-Version-File-Name";
    /// `true` when the latest version is a delete marker, on a `.versions` directory.
    pub const LATEST_IS_DELETE_MARKER: &str = "Seaweed-X-Amz-Latest-Version-Is-Delete-Marker";
    /// `true` when the plain entry is the current version, on a `.versions` directory.
    pub const NULL_IS_LATEST: &str = "Seaweed-X-Amz-Null-Version-Is-Latest";
    /// Access control list, JSON.
    pub const ACL: &str = "Seaweed-X-Amz-Acl";
    /// Object ownership rule of a bucket.
    pub const OWNERSHIP: &str = "Seaweed-X-Amz-Ownership";
    /// `Enabled` on a bucket with object lock.
    pub const LOCK_ENABLED: &str = "Seaweed-X-Amz-Object-Lock-Enabled";
}

/// The content headers that are stored under their own names.
pub const CONTENT_HEADERS: [&str; 5] =
    ["Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"];

/// Go's `os.ModeDir | 0777`, as SeaweedFS writes it into bucket and marker entries.
pub const DIRECTORY_MODE: u32 = 0o20_000_000_777;
/// Mode of an object written in one piece.
pub const OBJECT_MODE: u32 = 0o660;
/// Mode of an object assembled from parts.
pub const MULTIPART_MODE: u32 = 0o770;
/// Directory of multipart uploads, directly below the bucket.
pub const UPLOADS: &str = ".uploads";
/// Suffix of the directory that holds the versions of a key.
pub const VERSIONS_SUFFIX: &str = ".versions";

/// Where on the filer a thing of the bucket lives.
pub fn bucket_path(buckets_root: &str, bucket: &str) -> String {
    format!("{buckets_root}/{bucket}")
}

/// The path of an object. The trailing slash of a directory marker's key is not part of the path.
pub fn object_path(buckets_root: &str, bucket: &str, key: &str) -> String {
    format!("{buckets_root}/{bucket}/{}", key.trim_end_matches('/'))
}

/// Directory and name of a path; the directory of `/a` is `/`.
pub fn split_path(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((directory, name)) => (directory, name),
        None => ("/", path),
    }
}

/// True if the ETag can be told without the entry's chunks.
pub fn etag_needs_no_chunks(entry: &Entry) -> bool {
    entry.extended.contains_key(attribute::ETAG)
        || !entry.attributes().md5.is_empty()
        || !entry.content.is_empty()
        || entry.attributes().file_size == 0
}

/// True for an entry that S3 knows as an object: a file, or a directory that is an object as well.
pub fn is_object(entry: &Entry) -> bool {
    !entry.is_directory || is_directory_marker(entry) || is_prefix_object(entry)
}

/// True for a directory that was put as an object `key/`; a plain directory has no content type.
pub fn is_directory_marker(entry: &Entry) -> bool {
    entry.is_directory && !entry.attributes().mime.is_empty() && !is_prefix_object(entry)
}

/// True for a directory that is the object of its own name: SeaweedFS keeps `a` so when `a/b` is stored beside it.
pub fn is_prefix_object(entry: &Entry) -> bool {
    entry.is_directory && entry.extended_text(attribute::PREFIX_OBJECT) == Some("true")
}

/// Content type as stored, or S3's default.
pub fn content_type(entry: &Entry) -> &str {
    match entry.attributes().mime.as_str() {
        "" => "binary/octet-stream",
        mime => mime,
    }
}

/// Storage class as stored, or `STANDARD`.
pub fn storage_class(entry: &Entry) -> &str {
    entry.extended_text(attribute::STORAGE_CLASS).filter(|class| !class.is_empty()).unwrap_or("STANDARD")
}

/// The object's tags.
pub fn tags(entry: &Entry) -> BTreeMap<String, String> {
    let tag = |(name, value): (&String, &Vec<u8>)| {
        Some((name.strip_prefix(attribute::TAG_PREFIX)?.to_owned(), String::from_utf8_lossy(value).into_owned()))
    };
    entry.extended.iter().filter_map(tag).collect()
}

/// Go's canonical form of a header name (`x-amz-meta-my-key` is `X-Amz-Meta-My-Key`), which SeaweedFS stores metadata under.
pub fn canonical_header_name(name: &str) -> String {
    let mut upper = true;
    let canonical = |c: char| {
        let out = if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        upper = c == '-';
        out
    };
    name.chars().map(canonical).collect()
}

/// True if the entry carries object-lock attributes, which this version does not yet evaluate.
pub fn is_locked(entry: &Entry) -> bool {
    let hold = entry.extended_text(attribute::LEGAL_HOLD).is_some_and(|hold| hold != "OFF");
    hold || entry.extended.contains_key(attribute::LOCK_MODE) || entry.extended.contains_key(attribute::RETAIN_UNTIL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_are_canonical_as_go_writes_them() {
        for (name, want) in
            [("x-amz-meta-my-key", "X-Amz-Meta-My-Key"), ("X-AMZ-META-ABC", "X-Amz-Meta-Abc"), ("etag", "Etag")]
        {
            assert_eq!(canonical_header_name(name), want);
        }
    }

    #[test]
    fn paths_split_at_the_last_slash() {
        for (path, want) in [("/buckets/b/a/c", ("/buckets/b/a", "c")), ("/a", ("/", "a"))] {
            assert_eq!(split_path(path), want);
        }
        assert_eq!(object_path("/buckets", "b", "dir/"), "/buckets/b/dir");
    }
}
