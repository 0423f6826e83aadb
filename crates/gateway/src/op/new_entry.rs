//! New objects: what their headers say, the conditions of their writes, and why a write was refused.

use bytes::Bytes;
use filer::{Condition, Entry, FilerError};
use iam::Bucket;
use ids::{BucketName, ObjectKey};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3::website::check_redirect_location;
use s3::{EntityTags, ObjectHeaders, S3Error, S3ErrorCode, TagSet, Target, WriteCondition};

use super::Call;
use super::acl::NewAcl;
use crate::errors;
use bucket::description::Description;
use bucket::new_entry::{MARKER_BYTES_MAX, Stamp};
use bucket::writer::{SeenVersions, Writer};
use bucket::{object, rules};

/// The characters that a key's URL leaves unencoded.
const PATH_ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Refuses, by name, what a new object cannot have yet.
pub fn require_supported(headers: &ObjectHeaders) -> Result<(), S3Error> {
    headers.encryption.require_none()?;
    headers.website_redirect_location.as_deref().map_or(Ok(()), check_redirect_location)
}

/// What the headers say about a new object.
pub fn described(headers: &ObjectHeaders) -> Description {
    let content = &headers.content;
    let values = [
        &content.cache_control,
        &content.content_disposition,
        &content.content_encoding,
        &content.content_language,
        &content.expires,
    ];
    let mut description = Description::new(content.content_type.clone(), headers.storage_class.clone());
    for (name, value) in object::CONTENT_HEADERS.into_iter().zip(values) {
        if let Some(value) = value {
            description.set_content_header(name, value);
        }
    }
    description.redirect_location.clone_from(&headers.website_redirect_location);
    for (name, value) in &headers.metadata {
        description.set_metadata(name, value);
    }
    description.set_tags(headers.tagging.iter().flat_map(TagSet::iter));
    description
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

impl Call<'_> {
    /// The URL of an object, at the host that the client addressed.
    pub fn location(&self, bucket: &BucketName, key: &ObjectKey) -> String {
        let bucket = self.target.bucket_url(bucket.as_str());
        format!("{bucket}/{}", utf8_percent_encode(key.as_str(), PATH_ENCODED))
    }

    /// Writes an object with these headers into the bucket that the operation names, if that is possible there. The object
    /// gets the owner and the ACL that follow from headers and bucket.
    pub fn writer_of_new(&self, headers: &ObjectHeaders) -> Result<Writer<'_>, S3Error> {
        let mut writer = self.writer()?;
        let NewAcl { owner, acl } = self.new_object_acl(self.existing_bucket()?, &headers.acl)?;
        writer.stamp = self.stamp_of(NewAcl { owner, acl });
        Ok(writer)
    }

    /// What all new entries of this request in a bucket have in common.
    pub fn stamp(&self, bucket: &Bucket) -> Stamp {
        let uploader = (!self.caller.is_anonymous()).then(|| self.caller.account.as_str());
        let owner = rules::owner_of_new_object(bucket.ownership(), &bucket.owner, uploader, false);
        self.stamp_of(NewAcl { owner: owner.to_owned(), acl: None })
    }

    /// The same for new entries with this owner and ACL.
    pub fn stamp_of(&self, NewAcl { owner, acl }: NewAcl) -> Stamp {
        let settings = &self.gateway.settings;
        Stamp {
            seconds: self.now.as_second(),
            nanoseconds: self.now.subsec_nanosecond(),
            object_mode: settings.object_mode,
            uid: settings.uid,
            gid: settings.gid,
            owner,
            acl,
        }
    }

    /// Fails with `EntityTooLarge` if there are too many bytes for an object whose key ends in `/`.
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

    /// Checks early whether a write can succeed, before its body is stored. The filer makes the final check of its
    /// conditions.
    pub async fn check_condition_early(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        condition: &WriteCondition,
    ) -> Result<(), S3Error> {
        self.objects(bucket).may_hold(key).map_err(errors::refused)?;
        if *condition == WriteCondition::Always {
            return Ok(());
        }
        let current = self.object_if_any(bucket, key).await?;
        condition.check(current.as_ref().map(Entry::etag).as_deref())
    }

    /// Makes an entry the object of its key, whose versions may have been seen. Returns the id of the version, if the bucket
    /// keeps versions.
    pub async fn put_entry(
        &self,
        writer: &Writer<'_>,
        Target { bucket, key, .. }: &Target,
        entry: Entry,
        condition: &WriteCondition,
        seen: SeenVersions,
    ) -> Result<Option<String>, S3Error> {
        match writer.put_seen(key, entry, conditions(condition), seen).await {
            Ok(version_id) => Ok(version_id),
            Err(error) => Err(self.explain_write(bucket, key, condition, error).await),
        }
    }

    /// Why a conditional write was refused, as an S3 error.
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
            // The bucket has another versioning or object lock by now.
            Ok(()) if *condition == WriteCondition::Always => errors::conflict(),
            // By now there is nothing, or only a directory that the filer sees but S3 does not.
            Ok(()) => S3Error::new(S3ErrorCode::ConditionalRequestConflict),
        }
    }
}

fn marker_too_large() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::EntityTooLarge,
        "A key that ends in `/` names a directory, which can hold at most 1024 bytes: choose a key without the slash.",
    )
    .field("MaxSizeAllowed", MARKER_BYTES_MAX.to_string())
}
