//! Multipart uploads on SeaweedFS's layout: a directory for each below `<bucket>/.uploads`, a file in it for each part.

mod abort;
mod complete;
mod create;
mod list_parts;
mod list_uploads;
mod upload_part;
mod upload_part_copy;

use std::collections::BTreeMap;

use filer::{Condition, Entry, FilerError, ListOptions, Mutation, Transaction};
use ids::{BucketName, ObjectKey};
use s3::op::Owner;
use s3::{ChecksumAlgorithm, ChecksumType, S3Error, S3ErrorCode, UploadId};

use super::Call;
use super::answer;
use crate::errors;
use crate::object::{self, attribute};

/// The most entries asked for at once.
const PAGE: usize = 1000;
/// The suffix of a part's file name.
const PART_SUFFIX: &str = ".part";

/// An upload that was begun and is neither completed nor aborted.
struct MultipartUpload {
    /// The path of its directory.
    path: String,
    /// Its directory: what the object will be given.
    entry: Entry,
}

impl MultipartUpload {
    /// The checksum that it was begun with.
    fn checksum(&self) -> Option<(ChecksumAlgorithm, ChecksumType)> {
        checksum_of_upload(&self.entry)
    }

    fn owner(&self) -> Owner {
        owner_of(&self.entry)
    }
}

/// `NoSuchUpload` about an id.
fn no_such_upload(upload_id: &UploadId) -> S3Error {
    S3Error::new(S3ErrorCode::NoSuchUpload).field("UploadId", upload_id.as_str())
}

fn owner_of(entry: &Entry) -> Owner {
    let id = entry.extended_text(attribute::OWNER).unwrap_or_default().to_owned();
    Owner { id, display_name: String::new() }
}

fn checksum_of_upload(entry: &Entry) -> Option<(ChecksumAlgorithm, ChecksumType)> {
    let algorithm = ChecksumAlgorithm::from_header(entry.extended_text(attribute::CHECKSUM_ALGORITHM)?)?;
    let kind = match entry.extended_text(attribute::CHECKSUM_TYPE) {
        Some("COMPOSITE") => ChecksumType::Composite,
        Some("FULL_OBJECT") => ChecksumType::FullObject,
        _ => algorithm.default_type(),
    };
    Some((algorithm, kind))
}

/// The number in a part's file name, `0001_<uuid>.part`: 1 to 10000.
fn part_number_of(name: &str) -> Option<u32> {
    let (digits, _) = name.strip_suffix(PART_SUFFIX)?.split_once('_')?;
    let is_number = digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| is_number && (1..=10_000).contains(number))
}

/// The newer of two uploads of one part counts.
fn age(part: &Entry) -> (i64, i64) {
    let attributes = part.attributes();
    let written_ns = part.chunks.iter().map(|chunk| chunk.modified_ts_ns).max();
    (attributes.mtime, written_ns.unwrap_or(attributes.mtime_ns.into()))
}

/// A random UUID (RFC 9562 version 4): 128 bits, six of them fixed.
fn random_uuid() -> [u8; 16] {
    let random: u128 = rand::random();
    let fixed = 0xffff_ffff_ffff_0fff_3fff_ffff_ffff_ffff;
    (random & fixed | 0x4000_8000_0000_0000_0000).to_be_bytes()
}

/// A part's file name. Every upload of a part gets a name of its own.
fn part_name(number: u32) -> String {
    let hex = hex::encode(random_uuid());
    let group = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    let uuid = [group(0, 8), group(8, 12), group(12, 16), group(16, 20), group(20, 32)].join("-");
    format!("{number:04}_{uuid}{PART_SUFFIX}")
}

impl Call<'_> {
    fn uploads_path(&self, bucket: &BucketName) -> String {
        format!("{}/{}", self.bucket_path(bucket), object::UPLOADS)
    }

    /// The upload of this id for this key; an id that belongs to another key is `NoSuchUpload`.
    async fn multipart_upload(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        upload_id: &UploadId,
    ) -> Result<MultipartUpload, S3Error> {
        let path = format!("{}/{upload_id}", self.uploads_path(bucket));
        let found = self.filer().lookup(&format!("{path}/")).await.map_err(errors::from_filer)?;
        let is_for_key =
            |entry: &Entry| entry.is_directory && entry.extended_text(attribute::UPLOAD_KEY) == Some(key.as_str());
        let entry = found.filter(is_for_key).ok_or_else(|| no_such_upload(upload_id))?;
        answer::refuse_encrypted(&entry)?;
        Ok(MultipartUpload { path, entry })
    }

    /// All files of an upload by part number, each number's newest file last.
    async fn parts(&self, upload: &MultipartUpload, with_chunks: bool) -> Result<BTreeMap<u32, Vec<Entry>>, S3Error> {
        let mut parts: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
        let mut start_from = String::new();
        loop {
            let options = ListOptions { start_from, limit: PAGE, omit_chunks: !with_chunks, ..ListOptions::default() };
            let page = self.filer().list(&upload.path, options).await.map_err(errors::from_filer)?;
            let Some(last) = page.last() else { break };
            start_from = last.name.clone();
            let is_full = page.len() >= PAGE;
            for entry in page.into_iter().filter(|entry| !entry.is_directory) {
                if let Some(number) = part_number_of(&entry.name) {
                    parts.entry(number).or_default().push(entry);
                }
            }
            if !is_full {
                break;
            }
        }
        for files in parts.values_mut() {
            files.sort_by_key(age);
        }
        Ok(parts)
    }

    /// Adds a part's file to an upload that still exists, under the lock that its completion takes as well.
    async fn put_part(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        upload_id: &UploadId,
        upload: &MultipartUpload,
        part: Entry,
    ) -> Result<(), S3Error> {
        let chunks = part.chunks.clone();
        let path = format!("{}/{}", upload.path, part.name);
        let transaction = Transaction {
            lock_key: self.object_path(bucket, key),
            conditions: vec![Condition::Exists],
            condition_key: Some(upload.path.clone()),
            mutations: vec![Mutation::Put { directory: upload.path.clone(), entry: Box::new(part) }],
            ..Transaction::default()
        };
        let Err(error) = self.write_below(&path, transaction).await else { return Ok(()) };
        self.free_if_not_stored(&error, chunks).await;
        Err(match error {
            FilerError::PreconditionFailed => no_such_upload(upload_id),
            error => errors::from_filer(error),
        })
    }

    /// The step that removes an upload's directory.
    fn remove_upload(&self, bucket: &BucketName, upload_id: &UploadId, delete_data: bool) -> Mutation {
        Mutation::Delete {
            directory: self.uploads_path(bucket),
            name: upload_id.to_string(),
            delete_data,
            recursive: true,
        }
    }

    /// The object at a key if this upload made it.
    async fn object_of_upload(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        upload_id: &UploadId,
    ) -> Result<Option<Entry>, S3Error> {
        let object = self.object_if_any(bucket, key).await?;
        Ok(object.filter(|entry| entry.extended_text(attribute::UPLOAD_ID) == Some(upload_id.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_numbers_are_read_from_names() {
        for (name, want) in [
            ("0001_998c6f73-0f8b-43b8-b1f6-e516b3f8fad7.part", Some(1)),
            ("0004_copy.part", Some(4)),
            ("10000_x.part", Some(10_000)),
            ("10001_x.part", None),
            ("0000_x.part", None),
            ("1_x.part", None),
            ("+001_x.part", None),
            ("0001.part", None),
            ("0001_x", None),
        ] {
            assert_eq!(part_number_of(name), want, "{name}");
        }
        for number in [1, 9999, 10_000] {
            let name = part_name(number);
            assert_eq!(part_number_of(&name), Some(number), "{name}");
            assert_ne!(name, part_name(number));
            let uuid = name.split_once('_').unwrap().1;
            assert_eq!((&uuid[14..15], uuid.len()), ("4", 36 + PART_SUFFIX.len()), "{name}");
        }
    }
}
