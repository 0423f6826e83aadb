//! What a write puts onto the filer: the entry of a new object, and the transaction that makes it the current one.

use std::collections::BTreeMap;

use bytes::Bytes;
use filer::{Attributes, Condition, Entry, FilerError, Mutation, Transaction, WriteTarget};
use iam::{Bucket, Ownership};
use ids::{BucketName, ObjectKey};
use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3::{EntityTags, ObjectHeaders, S3Error, S3ErrorCode, TagSet, WriteCondition};
use sigv4::checksum::Checksum;

use super::Call;
use super::upload::Upload;
use crate::errors;
use crate::object::{self, attribute};

/// Named attributes of an entry.
pub type Extended = BTreeMap<String, Vec<u8>>;

/// What SeaweedFS takes for the ETag of a directory that is no object.
pub(super) const PLAIN_DIRECTORY_ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e-0";
/// Go's `os.ModeDir`, and the right to enter for all.
const DIRECTORY_BITS: u32 = 0o20_000_000_111;
/// What a key's URL leaves as it is.
const PATH_ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
/// Content type of an object whose sender names none.
const DEFAULT_MIME: &str = "application/octet-stream";
/// Content type of a directory marker whose sender names none.
const MARKER_MIME: &str = "httpd/unix-directory";
/// The most bytes that an object whose key ends in `/` may have: they are kept in the directory's entry.
const MARKER_BYTES_MAX: u64 = 1024;

/// `NotImplemented` where a write would have to make a version or obey a lock.
pub fn require_writable(bucket: &Bucket) -> Result<(), S3Error> {
    if bucket.object_lock {
        return Err(S3Error::not_implemented("Writing to a bucket with object lock"));
    }
    if bucket.keeps_versions() {
        return Err(S3Error::not_implemented("Writing to a bucket with versioning"));
    }
    Ok(())
}

/// `NotImplemented`, by name, for an existing object under object lock: it is neither changed nor removed.
pub fn require_unlocked(entry: &Entry) -> Result<(), S3Error> {
    if object::is_locked(entry) {
        return Err(S3Error::not_implemented("Changing an object under object lock (retention or legal hold)"));
    }
    Ok(())
}

/// Refuses what a new object cannot be given yet, by name.
pub fn require_supported(headers: &ObjectHeaders) -> Result<(), S3Error> {
    headers.encryption.require_none()?;
    headers.acl.require_supported()?;
    if headers.lock.is_requested() {
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, "Bucket is missing Object Lock Configuration"));
    }
    if headers.website_redirect_location.is_some() {
        return Err(S3Error::not_implemented("The header x-amz-website-redirect-location"));
    }
    Ok(())
}

/// Content headers, user metadata, storage class and tags as attributes. The content type is an attribute of its own.
pub fn described(headers: &ObjectHeaders) -> Extended {
    let mut extended = Extended::new();
    let content = &headers.content;
    let values = [
        &content.cache_control,
        &content.content_disposition,
        &content.content_encoding,
        &content.content_language,
        &content.expires,
    ];
    for (name, value) in object::CONTENT_HEADERS.into_iter().zip(values) {
        if let Some(value) = value {
            extended.insert(name.to_owned(), value.clone().into_bytes());
        }
    }
    for (name, value) in &headers.metadata {
        let name = format!("{}{}", attribute::META_PREFIX, object::canonical_header_name(name));
        extended.insert(name, value.clone().into_bytes());
    }
    if let Some(class) = &headers.storage_class {
        extended.insert(attribute::STORAGE_CLASS.to_owned(), class.clone().into_bytes());
    }
    extended.extend(tag_attributes(headers.tagging.as_ref()));
    extended
}

/// One attribute for each tag.
pub fn tag_attributes(tags: Option<&TagSet>) -> Extended {
    let attribute = |(key, value): (&str, &str)| (format!("{}{key}", attribute::TAG_PREFIX), value.as_bytes().to_vec());
    tags.into_iter().flat_map(TagSet::iter).map(attribute).collect()
}

/// The attributes of a checksum's algorithm and value.
pub fn checksum_attributes(checksum: &Checksum) -> [(String, Vec<u8>); 2] {
    let algorithm = object::canonical_header_name(checksum.algorithm().header());
    [
        (attribute::CHECKSUM_ALGORITHM.to_owned(), algorithm.into_bytes()),
        (attribute::CHECKSUM_VALUE.to_owned(), checksum.to_base64().into_bytes()),
    ]
}

/// A condition that holds only while an entry is the one that was seen; none for entries whose ETag the filer may compute
/// in another way.
pub fn still(entry: &Entry) -> Option<Condition> {
    let known = entry.extended.contains_key(attribute::ETAG) || !entry.attributes().md5.is_empty();
    known.then(|| Condition::EtagMatches(vec![entry.etag()]))
}

/// The conditions that the filer checks in the same step as the write.
pub fn conditions(condition: &WriteCondition) -> Vec<Condition> {
    match condition {
        WriteCondition::Always => Vec::new(),
        WriteCondition::IfAbsent => vec![Condition::NotExists],
        WriteCondition::IfMatch(EntityTags::Any) => vec![Condition::Exists],
        WriteCondition::IfMatch(EntityTags::OneOf(tags)) => {
            vec![Condition::Exists, Condition::EtagMatches(tags.clone())]
        }
    }
}

/// Where an object is, from this endpoint's root on.
pub fn location(bucket: &BucketName, key: &ObjectKey) -> String {
    format!("/{bucket}/{}", utf8_percent_encode(key.as_str(), PATH_ENCODED))
}

/// `OperationAborted`: somebody else changed the object between two steps.
pub fn conflict() -> S3Error {
    S3Error::new(S3ErrorCode::OperationAborted)
}

/// Whether a failed transaction certainly stored nothing: chunks may only be given back then. After a time-out the entry
/// may be there and name them.
fn stored_nothing(error: &FilerError) -> bool {
    matches!(
        error,
        FilerError::PreconditionFailed
            | FilerError::ParentIsFile(_)
            | FilerError::ExistingIsDirectory(_)
            | FilerError::ExistingIsFile(_)
            | FilerError::NotEmpty(_)
            | FilerError::Missing(_)
            | FilerError::NameTooLong(_)
    )
}

impl Call<'_> {
    /// Attributes of a new entry that is a file.
    pub fn file_attributes(&self, mime: &str, file_size: u64, md5: &[u8]) -> Attributes {
        let settings = &self.gateway.settings;
        Attributes {
            file_size,
            mtime: self.now.as_second(),
            mtime_ns: self.now.subsec_nanosecond(),
            crtime: self.now.as_second(),
            file_mode: settings.object_mode,
            uid: settings.uid,
            gid: settings.gid,
            mime: mime.to_owned(),
            md5: md5.to_vec(),
            ..Attributes::default()
        }
    }

    /// Attributes of a new entry that is a directory.
    pub fn directory_attributes(&self, mime: &str) -> Attributes {
        Attributes { file_mode: object::DIRECTORY_MODE, ..self.file_attributes(mime, 0, &[]) }
    }

    /// The owner id of new objects: the bucket's owner unless the bucket leaves objects to those who upload them.
    pub fn object_owner(&self, bucket: &Bucket) -> String {
        if bucket.ownership == Ownership::BucketOwnerEnforced && !bucket.owner.is_empty() {
            return bucket.owner.to_string();
        }
        self.caller.account.as_str().to_owned()
    }

    /// The entry of an object with data. `extended` is what [`described`] gives; owner, ETag and checksum are added.
    pub fn file_entry(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        mime: Option<&str>,
        mut extended: Extended,
        upload: &Upload,
    ) -> Entry {
        let written = &upload.written;
        extended.insert(attribute::ETAG.to_owned(), hex::encode(written.md5).into_bytes());
        extended.insert(attribute::OWNER.to_owned(), self.object_owner(bucket).into_bytes());
        if let Some(checksum) = &upload.checksum {
            // No type: a checksum of an object in one piece covers the full object, and weed stores none either.
            extended.extend(checksum_attributes(checksum));
        }
        Entry {
            name: object::split_path(key.as_str()).1.to_owned(),
            chunks: written.chunks.clone(),
            attributes: Some(self.file_attributes(mime.unwrap_or(DEFAULT_MIME), written.bytes, &written.md5)),
            extended,
            ..Entry::default()
        }
    }

    /// The entry of `key/`: a directory with a content type. SeaweedFS keeps a small body in it and counts it as size 0.
    pub fn marker_entry(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        mime: Option<&str>,
        mut extended: Extended,
        content: &Bytes,
    ) -> Entry {
        let md5 = Md5::digest(content);
        extended.insert(attribute::ETAG.to_owned(), hex::encode(md5).into_bytes());
        extended.insert(attribute::OWNER.to_owned(), self.object_owner(bucket).into_bytes());
        let mime = mime.filter(|mime| !mime.is_empty()).unwrap_or(MARKER_MIME);
        Entry {
            name: object::split_path(key.as_str().trim_end_matches('/')).1.to_owned(),
            is_directory: true,
            attributes: Some(Attributes { md5: md5.to_vec(), ..self.directory_attributes(mime) }),
            extended,
            content: content.to_vec(),
            ..Entry::default()
        }
    }

    /// `EntityTooLarge` for more bytes than an object whose key ends in `/` can have.
    pub fn check_marker_bytes(bytes: u64) -> Result<(), S3Error> {
        if bytes > MARKER_BYTES_MAX {
            return Err(marker_too_large());
        }
        Ok(())
    }

    /// The body of an object whose key ends in `/`.
    pub async fn read_marker_body(body: &mut crate::body::ObjectBody) -> Result<Bytes, S3Error> {
        Self::check_marker_bytes(body.expected_bytes().unwrap_or(0))?;
        body.read_all(MARKER_BYTES_MAX).await.map_err(|error| match error.code {
            S3ErrorCode::EntityTooLarge => marker_too_large(),
            _ => error,
        })
    }

    /// Where the data of an object goes.
    pub fn write_target(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        mime: Option<&str>,
        expected_bytes: Option<u64>,
    ) -> WriteTarget {
        let collection = self.gateway.collection(bucket.as_str());
        let path = self.object_path(bucket, key);
        WriteTarget { path, collection, mime: mime.unwrap_or_default().to_owned(), expected_bytes }
    }

    /// A quick look whether a conditional write can succeed, before its body is stored. The filer has the last word.
    pub async fn look_ahead(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        condition: &WriteCondition,
    ) -> Result<(), S3Error> {
        if *condition == WriteCondition::Always {
            return Ok(());
        }
        let current = self.object_if_any(bucket, key).await?;
        condition.check(current.as_ref().map(Entry::etag).as_deref())
    }

    /// Makes an entry the object of its key, and frees its data if that is refused. What it replaces is freed by the filer.
    pub async fn put_entry(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        entry: Entry,
        condition: &WriteCondition,
    ) -> Result<(), S3Error> {
        let path = self.object_path(bucket, key);
        let directory = object::split_path(&path).0.to_owned();
        let chunks = entry.chunks.clone();
        let transaction = Transaction {
            lock_key: path,
            conditions: conditions(condition),
            mutations: vec![Mutation::Put { directory, entry: Box::new(entry) }],
            ..Transaction::default()
        };
        match self.transact_put(transaction).await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.free_if_not_stored(&error, chunks).await;
                Err(self.explain_write(bucket, key, condition, error).await)
            }
        }
    }

    /// Runs a transaction whose first step puts a file at its lock key, below the operation's bucket.
    pub async fn transact_put(&self, transaction: Transaction) -> Result<(), FilerError> {
        let path = transaction.lock_key.clone();
        self.before_write().await?;
        self.put_file(self.requiring_bucket(transaction)).await?;
        self.after_write(&path).await
    }

    /// Where one entry stands for `a` and for the directory
    /// of `a/b`, the directory becomes the object as well, as SeaweedFS 4.48 has it; a marker `a/` is not replaced so.
    async fn put_file(&self, transaction: Transaction) -> Result<(), FilerError> {
        if self.gateway.filer_configuration.files_beside_directories {
            return self.filer().transact(transaction).await;
        }
        let is_absent = transaction.conditions.contains(&Condition::NotExists);
        let refused = match self.filer().transact(transaction.clone()).await {
            Err(error @ FilerError::ExistingIsDirectory(_)) => error,
            Err(error @ FilerError::PreconditionFailed) if is_absent => error,
            done => return done,
        };
        let existing = self.filer().lookup(&transaction.lock_key).await?;
        let Some(directory) = existing.filter(|entry| entry.is_directory && !object::is_directory_marker(entry)) else {
            return Err(refused);
        };
        if is_absent && object::is_prefix_object(&directory) {
            return Err(refused);
        }
        self.filer().transact(beside_children(transaction)).await
    }

    /// Gives back the chunks of a transaction that failed, unless it may have happened all the same.
    pub async fn free_if_not_stored(&self, error: &FilerError, chunks: Vec<filer::FileChunk>) {
        if stored_nothing(error) {
            self.filer().delete_chunks(chunks).await;
        } else if !chunks.is_empty() {
            tracing::warn!(%error, chunks = chunks.len(), "data of a failed write is kept: the write may have happened");
        }
    }

    /// Why a conditional write was refused, as S3 says it.
    pub async fn explain_write(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        condition: &WriteCondition,
        error: FilerError,
    ) -> S3Error {
        if !matches!(error, FilerError::PreconditionFailed) {
            return errors::from_filer(error);
        }
        let current = match self.object_if_any(bucket, key).await {
            Ok(current) => current,
            Err(error) => return error,
        };
        match condition.check(current.as_ref().map(Entry::etag).as_deref()) {
            Err(error) => error,
            // Nothing is there by now, or a directory that S3 does not see and the filer does.
            Ok(()) => S3Error::new(S3ErrorCode::ConditionalRequestConflict),
        }
    }

    /// The name of a key's entry in a step that changes or removes it, and the path of conditions about it. Where files
    /// stand beside directories a slash tells which of the two is meant.
    pub fn step_names(&self, path: &str, key: &ObjectKey) -> (String, String, Option<String>) {
        let (directory, name) = object::split_path(path);
        let slash = key.is_directory_marker() && self.gateway.filer_configuration.files_beside_directories;
        let name = if slash { format!("{name}/") } else { name.to_owned() };
        (directory.to_owned(), name, slash.then(|| format!("{path}/")))
    }
}

/// The same transaction with an entry that is a directory as well as the object.
fn beside_children(mut transaction: Transaction) -> Transaction {
    for condition in &mut transaction.conditions {
        if *condition == Condition::NotExists {
            *condition = Condition::EtagMatches(vec![PLAIN_DIRECTORY_ETAG.to_owned()]);
        }
    }
    if let Some(Mutation::Put { entry, .. }) = transaction.mutations.first_mut() {
        entry.is_directory = true;
        entry.extended.insert(attribute::PREFIX_OBJECT.to_owned(), b"true".to_vec());
        entry.attributes.get_or_insert_default().file_mode |= DIRECTORY_BITS;
    }
    transaction
}

fn marker_too_large() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::EntityTooLarge,
        "A key that ends in `/` names a directory, which holds at most 1024 bytes: choose a key without the slash.",
    )
    .field("MaxSizeAllowed", MARKER_BYTES_MAX.to_string())
}
