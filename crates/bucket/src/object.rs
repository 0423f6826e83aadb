//! An S3 object as the filer stores it: the meaning of an entry's attributes. The names are SeaweedFS's, so that both
//! kinds of gateway read each other's objects.

use std::collections::BTreeMap;

use filer::{Condition, Entry};
use ids::{ChecksumAlgorithm, ChecksumType, ObjectKey};

use crate::{attributes, names};

/// The content headers that are stored under their own names.
pub const CONTENT_HEADERS: [&str; 5] =
    ["Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"];

/// Go's `os.ModeDir | 0777`, which SeaweedFS writes into bucket and marker entries.
pub const DIRECTORY_MODE: u32 = 0o20_000_000_777;
/// The ETag that SeaweedFS uses for a directory that is not an object.
pub const PLAIN_DIRECTORY_ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e-0";
/// Mode of an object written in one piece.
pub const OBJECT_MODE: u32 = 0o660;
/// Mode of an object assembled from parts.
pub const MULTIPART_MODE: u32 = 0o770;

/// Room in a path for what is appended to it, such as `.versions/`.
const SPARE_BYTES: usize = 16;

/// The path of a bucket's directory.
pub fn bucket_path(buckets_root: &str, bucket: &str) -> String {
    format!("{buckets_root}/{bucket}")
}

/// The path of an object, or of the directory `key/`. The trailing slash is not part of it.
pub fn path_below(bucket_path: &str, key: &str) -> String {
    let mut path = String::with_capacity(bucket_path.len() + key.len() + SPARE_BYTES);
    path.push_str(bucket_path);
    if !key.is_empty() {
        path.push('/');
        names::push_path(&mut path, key);
    }
    path
}

/// The name of an object's entry.
pub(crate) fn name_of(key: &ObjectKey) -> String {
    split_path(&names::path_of(key.as_str())).1.to_owned()
}

/// Directory and name of a path; the directory of `/a` is `/`.
pub fn split_path(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((directory, name)) => (directory, name),
        None => ("/", path),
    }
}

/// True if the entry holds its ETag, so that a condition can tell whether the entry is still the same.
pub fn has_own_etag(entry: &Entry) -> bool {
    entry.extended.contains_key(attributes::ETAG) || !entry.attributes().md5.is_empty()
}

/// A condition that holds only while an entry is the one that was seen; `None` for entries whose ETag the filer may
/// compute differently.
pub fn still(entry: &Entry) -> Option<Condition> {
    has_own_etag(entry).then(|| Condition::EtagMatches(vec![entry.etag()]))
}

/// True if the ETag can be determined without the entry's chunks.
pub fn etag_needs_no_chunks(entry: &Entry) -> bool {
    has_own_etag(entry) || !entry.content.is_empty() || entry.attributes().file_size == 0
}

/// True for an entry that is an S3 object: a file, or a directory that is also an object.
pub fn is_object(entry: &Entry) -> bool {
    !entry.is_directory || is_directory_marker(entry) || is_prefix_object(entry)
}

/// True for a directory that was put as an object `key/`. A plain directory has no content type.
pub fn is_directory_marker(entry: &Entry) -> bool {
    entry.is_directory && !entry.attributes().mime.is_empty() && !is_prefix_object(entry)
}

/// True for a directory that is the object with its own name. SeaweedFS stores `a` this way if `a/b` exists too.
pub fn is_prefix_object(entry: &Entry) -> bool {
    entry.is_directory && entry.extended_text(attributes::PREFIX_OBJECT) == Some("true")
}

/// The name of the key, without its directories, whose versions a directory holds; `None` for every other entry.
pub fn key_of_versions(entry: &Entry) -> Option<&str> {
    entry.name.strip_suffix(names::VERSIONS_SUFFIX).filter(|_| entry.is_directory)
}

/// The stored content type, or S3's default.
pub fn content_type(entry: &Entry) -> &str {
    match entry.attributes().mime.as_str() {
        "" => "binary/octet-stream",
        mime => mime,
    }
}

/// The stored storage class, or `STANDARD`.
pub fn storage_class(entry: &Entry) -> &str {
    entry.extended_text(attributes::STORAGE_CLASS).filter(|class| !class.is_empty()).unwrap_or("STANDARD")
}

/// Where websites redirect the object.
pub fn redirect_location(entry: &Entry) -> Option<&str> {
    entry.extended_text(attributes::REDIRECT_LOCATION)
}

/// The id of the owner.
pub fn owner(entry: &Entry) -> Option<&str> {
    entry.extended_text(attributes::OWNER)
}

/// The access control list, which [`crate::acl::read`] reads. Bytes that are not valid UTF-8 count as a list that cannot be read.
pub fn acl(entry: &Entry) -> Option<&str> {
    entry.extended.get(attributes::ACL).map(|stored| std::str::from_utf8(stored).unwrap_or_default())
}

/// Content headers and user metadata, by their names as headers. Values that are not UTF-8 are left out.
pub fn headers(entry: &Entry) -> impl Iterator<Item = (&str, &str)> {
    let headers = entry.extended.iter().filter(|(name, _)| is_header(name));
    headers.filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value).ok()?)))
}

/// True for the attributes that are content headers or user metadata.
pub(crate) fn is_header(name: &str) -> bool {
    CONTENT_HEADERS.contains(&name) || name.starts_with(attributes::META_PREFIX)
}

/// The checksum that was stored with an object or a part: its algorithm, and its value in base64.
pub fn checksum(entry: &Entry) -> Option<(ChecksumAlgorithm, &str)> {
    let algorithm = ChecksumAlgorithm::from_header(entry.extended_text(attributes::CHECKSUM_ALGORITHM)?)?;
    Some((algorithm, entry.extended_text(attributes::CHECKSUM_VALUE)?))
}

/// What the stored checksum covers: all bytes, unless the entry says otherwise.
pub fn checksum_type(entry: &Entry) -> ChecksumType {
    let stored = entry.extended_text(attributes::CHECKSUM_TYPE).and_then(ChecksumType::from_name);
    stored.unwrap_or(ChecksumType::FullObject)
}

/// How many parts an object was made of, as text.
pub fn parts_count(entry: &Entry) -> Option<&str> {
    entry.extended_text(attributes::PARTS_COUNT)
}

/// The id of a version that was written while its bucket kept versions.
pub fn version_id(entry: &Entry) -> Option<&str> {
    entry.extended_text(attributes::VERSION_ID)
}

/// True for a version that says that its key was deleted.
pub fn is_delete_marker(entry: &Entry) -> bool {
    entry.extended_text(attributes::DELETE_MARKER) == Some("true")
}

/// The mode of the object's retention.
pub fn lock_mode(entry: &Entry) -> Option<&str> {
    entry.extended_text(attributes::LOCK_MODE)
}

/// When the object's retention ends, in seconds since 1970.
pub fn retain_until_s(entry: &Entry) -> Option<i64> {
    entry.extended_text(attributes::RETAIN_UNTIL)?.parse().ok()
}

/// The object's legal hold, `ON` or `OFF`.
pub fn legal_hold(entry: &Entry) -> Option<&str> {
    entry.extended_text(attributes::LEGAL_HOLD)
}

/// The object's tags.
pub fn tags(entry: &Entry) -> BTreeMap<String, String> {
    let tag = |(name, value): (&String, &Vec<u8>)| {
        Some((name.strip_prefix(attributes::TAG_PREFIX)?.to_owned(), String::from_utf8_lossy(value).into_owned()))
    };
    entry.extended.iter().filter_map(tag).collect()
}

/// Go's canonical form of a header name (`x-amz-meta-my-key` is `X-Amz-Meta-My-Key`), under which SeaweedFS stores
/// metadata.
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
    let hold = entry.extended_text(attributes::LEGAL_HOLD).is_some_and(|hold| hold != "OFF");
    hold || entry.extended.contains_key(attributes::LOCK_MODE) || entry.extended.contains_key(attributes::RETAIN_UNTIL)
}

/// True for an object under server-side encryption: what is stored is not what was sent.
pub fn is_encrypted(entry: &Entry) -> bool {
    let of_encryption = |name: &String| {
        name.starts_with(attributes::ENCRYPTION_PREFIX)
            || name.to_ascii_lowercase().starts_with(attributes::ENCRYPTION_HEADER_PREFIX)
    };
    entry.chunks.iter().any(|chunk| chunk.sse_type != 0) || entry.extended.keys().any(of_encryption)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_have_gos_canonical_form() {
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
        assert_eq!(path_below("/buckets/b", "dir/"), "/buckets/b/dir");
    }
}
